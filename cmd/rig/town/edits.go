package town

import (
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// writer spells out one branch's events.
type writer struct {
	t      *Town
	branch int
	yield  func(Edit) bool
}

func (w *writer) write(e event) bool {
	t := w.t
	clerk := func() string {
		return t.oneOf(t.dice("clerk", e.n*8+int(e.what)), w.branch, branchlinev1.Role_ROLE_CLERK).code
	}
	switch e.what {
	case writeStaff:
		m := t.staff[w.branch][e.n]
		return w.yield(Edit{Kind: schema.Staff, Key: key("staff", e.n, w.branch), At: e.at, Actor: t.staff[w.branch][0].code, Message: &branchlinev1.Staff{
			Code: proto.String(m.code), Name: proto.String(m.name), Branches: []string{t.sites[w.branch].code}, Roles: []branchlinev1.Role{m.role},
		}})
	case writeCustomer:
		return w.yield(Edit{Kind: schema.Customer, Key: key("customer", e.n, w.branch), At: e.at, Actor: clerk(), Message: t.customer(e.n, w.branch)})
	case writeVehicle:
		return w.yield(Edit{Kind: schema.Vehicle, Key: key("vehicle", e.n, w.branch), At: e.at, Actor: clerk(), Message: t.vehicle(e.n, w.branch)})
	case writeOwner, writeDriver:
		c := &t.cars[e.n]
		who, role, name := c.owner, branchlinev1.TieRole_OWNER, "owner"
		if e.what == writeDriver {
			who, role, name = c.driver, branchlinev1.TieRole_DRIVER, "driver"
		}
		return w.yield(Edit{
			Kind: schema.Tie, Key: key(name, e.n, w.branch), At: e.at, Actor: clerk(),
			Message: &branchlinev1.Tie{Role: role.Enum(), From: proto.String(dayOf(c.sold))},
			Refs:    map[string]string{"customer": key("customer", who, w.branch), "vehicle": key("vehicle", e.n, w.branch)},
		})
	default:
		return w.visit(e.n)
	}
}

// spelled is a visit as it is written down.
type spelled struct {
	d                   dice // as far as it has been thrown
	order               *branchlinev1.ServiceOrder
	lines               []*branchlinev1.ServiceLine
	adviser, technician member
	km                  int64
}

// spell says a visit again and again the same.
func (t *Town) spell(n int) spelled {
	v := t.visits[n]
	c := &t.cars[v.car]
	d := t.dice("order", n)
	s := spelled{d: d, adviser: t.oneOf(d, v.branch, branchlinev1.Role_ROLE_ADVISER)}
	s.technician = t.oneOf(d, v.branch, branchlinev1.Role_ROLE_TECHNICIAN)
	site := t.sites[v.branch]
	s.km = slipKM(d, c.odometer(v.at))
	o := &branchlinev1.ServiceOrder{
		Branch: proto.String(site.code), FirmName: proto.String(firstEntities[site.entity].short + site.name),
		Day: proto.String(dayOf(v.at)), OpenedAt: proto.Int64(v.at.UnixMilli()), OdometerKm: proto.Int64(s.km),
		Vin: proto.String(c.vin), Plate: proto.String(c.plate), Model: proto.String(designs[c.design].name),
		Adviser: proto.String(s.adviser.code), Technician: proto.String(s.technician.code),
	}
	t.pass(d, v, o, s.adviser.code)
	s.lines = t.lines(d, v, o, s.adviser.code, s.technician.code, lineState(o.GetState()))
	var minutes, amount int64
	for _, l := range s.lines {
		if l.GetState() == branchlinev1.LineState_LINE_DECLINED {
			continue
		}
		minutes += l.GetBilledMinutes()
		amount += l.GetAmount()
	}
	o.EstimateMinutes, o.EstimateAmount = proto.Int64(minutes), proto.Int64(amount)
	s.order = o
	return s
}

func (w *writer) visit(n int) bool {
	t, v := w.t, w.t.visits[n]
	c := &t.cars[v.car]
	s := t.spell(n)
	d, o, lines, adviser, day, site := s.d, s.order, s.lines, s.adviser, dayOf(v.at), t.sites[w.branch]

	order := key("order", n, w.branch)
	customer, vehicle := key("customer", c.owner, w.branch), key("vehicle", v.car, w.branch)
	if !w.yield(Edit{
		Kind: schema.ServiceOrder, Key: order, At: v.at, Actor: adviser.code, Message: o,
		Refs: map[string]string{"customer": customer, "vehicle": vehicle},
	}) {
		return false
	}
	for i, l := range lines {
		if !w.yield(Edit{Kind: schema.ServiceLine, Key: key("line", n*100+i, w.branch), At: v.at, Actor: adviser.code, Message: l, Refs: map[string]string{"order": order}}) {
			return false
		}
	}
	if !w.yield(Edit{
		Kind: schema.OdometerReading, Key: key("reading", n, w.branch), At: v.at, Actor: adviser.code,
		Message: &branchlinev1.OdometerReading{Day: proto.String(day), Km: proto.Int64(s.km), Branch: proto.String(site.code)},
		Refs:    map[string]string{"vehicle": vehicle, "order": order},
	}) {
		return false
	}
	if !d.chance(0.04) {
		return true
	}
	return w.yield(Edit{
		Kind: schema.Note, Key: key("note", n, w.branch), At: v.at, Actor: adviser.code,
		Message: &branchlinev1.Note{Day: proto.String(day), Text: proto.String(d.pick(notes)), Author: proto.String(adviser.code), Branch: proto.String(site.code)},
		Refs:    map[string]string{"customer": customer, "vehicle": vehicle, "order": order},
	})
}

// lineState is what the agreed lines of an order have become.
func lineState(s branchlinev1.OrderState) branchlinev1.LineState {
	switch s {
	case branchlinev1.OrderState_READY, branchlinev1.OrderState_SETTLED, branchlinev1.OrderState_HANDED_OVER:
		return branchlinev1.LineState_LINE_DONE
	case branchlinev1.OrderState_BOOKED, branchlinev1.OrderState_RECEIVED, branchlinev1.OrderState_DIAGNOSING, branchlinev1.OrderState_QUOTED, branchlinev1.OrderState_CANCELLED:
		return branchlinev1.LineState_LINE_PROPOSED
	}
	return branchlinev1.LineState_LINE_APPROVED
}

// pass takes an order through its states, each with its moment, as far as today.
func (t *Town) pass(d dice, v visit, o *branchlinev1.ServiceOrder, by string) {
	work := time.Duration(60+d.IntN(240)) * time.Minute
	if v.cause == causeBody {
		work = time.Duration(2+d.IntN(6)) * 24 * time.Hour
	}
	at := v.at
	step := func(state branchlinev1.OrderState, after time.Duration) bool {
		at = at.Add(after)
		if at.After(t.cfg.Today) {
			return false
		}
		o.State = state.Enum()
		o.States = append(o.States, &branchlinev1.StateChange{State: state.Enum(), At: proto.Int64(at.UnixMilli()), By: proto.String(by)})
		return true
	}
	if d.chance(0.35) {
		booked := v.at.Add(-time.Duration(20+d.IntN(90)) * time.Hour)
		o.States = append(o.States, &branchlinev1.StateChange{
			State: branchlinev1.OrderState_BOOKED.Enum(), At: proto.Int64(booked.UnixMilli()), By: proto.String(by),
		})
	}
	step(branchlinev1.OrderState_RECEIVED, 0)
	o.PromisedAt = proto.Int64(v.at.Add(work + 30*time.Minute).UnixMilli())
	if d.chance(0.012) {
		step(branchlinev1.OrderState_CANCELLED, 40*time.Minute)
		return
	}
	if v.cause != causeService {
		if !step(branchlinev1.OrderState_DIAGNOSING, 10*time.Minute) || !step(branchlinev1.OrderState_QUOTED, 25*time.Minute) {
			return
		}
	}
	if !step(branchlinev1.OrderState_APPROVED, 15*time.Minute) || !step(branchlinev1.OrderState_IN_WORK, 10*time.Minute) {
		return
	}
	if v.cause == causeRepair && d.chance(0.12) {
		if !step(branchlinev1.OrderState_WAITING_PARTS, work/2) || !step(branchlinev1.OrderState_IN_WORK, time.Duration(1+d.IntN(4))*24*time.Hour) {
			return
		}
	}
	if v.cause == causeBody && d.chance(0.5) {
		if !step(branchlinev1.OrderState_WAITING_INSURER, time.Hour) || !step(branchlinev1.OrderState_IN_WORK, 20*time.Hour) {
			return
		}
	}
	if !step(branchlinev1.OrderState_QUALITY_CHECK, work) || !step(branchlinev1.OrderState_READY, 20*time.Minute) {
		return
	}
	if !step(branchlinev1.OrderState_SETTLED, time.Duration(10+d.IntN(180))*time.Minute) {
		return
	}
	o.SettledOn = proto.String(dayOf(at))
	o.Day = o.SettledOn
	if step(branchlinev1.OrderState_HANDED_OVER, 10*time.Minute) {
		o.HandedOverAt = proto.Int64(at.UnixMilli())
	}
}
