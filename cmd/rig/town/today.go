package town

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// car of the day: a car that stands in the house now, and what is the matter with it.
type inHouse struct {
	state    branchlinev1.OrderState
	in       time.Duration // since it came
	promised time.Duration // from now on; below zero it is late
	what     string
	fault    int // of faults
}

// What stands in a workshop in the middle of a day: every state, one car late, one soon, and each thing that can be the matter.
var floor = []inHouse{
	{branchlinev1.OrderState_RECEIVED, 12 * time.Minute, 4 * time.Hour, "waits", 0},
	{branchlinev1.OrderState_RECEIVED, 35 * time.Minute, 26 * time.Hour, "towed", 4},
	{branchlinev1.OrderState_DIAGNOSING, 70 * time.Minute, 3 * time.Hour, "", 9},
	{branchlinev1.OrderState_DIAGNOSING, 50 * time.Minute, 5 * time.Hour, "comeback", 3},
	{branchlinev1.OrderState_QUOTED, 2 * time.Hour, 3 * time.Hour, "quoted", 15},
	{branchlinev1.OrderState_APPROVED, 90 * time.Minute, 20 * time.Minute, "", 7},
	{branchlinev1.OrderState_IN_WORK, 4 * time.Hour, -25 * time.Minute, "late", 0},
	{branchlinev1.OrderState_IN_WORK, 3 * time.Hour, 90 * time.Minute, "extra", 2},
	{branchlinev1.OrderState_IN_WORK, 2 * time.Hour, 2 * time.Hour, "back", 6},
	{branchlinev1.OrderState_IN_WORK, 26 * time.Hour, 6 * time.Hour, "loan", 13},
	{branchlinev1.OrderState_WAITING_PARTS, 50 * time.Hour, 45 * time.Hour, "parts", 12},
	{branchlinev1.OrderState_WAITING_PARTS, 75 * time.Hour, 20 * time.Hour, "arrived", 4},
	{branchlinev1.OrderState_WAITING_INSURER, 49 * time.Hour, 70 * time.Hour, "accident", 0},
	{branchlinev1.OrderState_QUALITY_CHECK, 5 * time.Hour, 40 * time.Minute, "check", 5},
	{branchlinev1.OrderState_READY, 6 * time.Hour, -5 * time.Minute, "ready", 1},
	{branchlinev1.OrderState_READY, 7 * time.Hour, time.Hour, "declined", 14},
}

// today are the cars in the house now: of those the branch knows that were not here these days.
func (w *counterWriter) today(recent []int) {
	here := map[int]bool{}
	for _, n := range recent {
		if v := w.t.visits[n]; w.t.cfg.Today.Sub(v.at) < 4*24*time.Hour {
			here[v.car] = true
		}
	}
	at := 0
	for _, n := range recent {
		car := w.t.visits[n].car
		if at == len(floor) {
			return
		}
		if here[car] || w.t.cars[car].driver >= 0 {
			continue
		}
		here[car] = true
		w.stands(at, n)
		at++
	}
}

// stands writes the i-th car of the floor: the car of visit n.
func (w *counterWriter) stands(i, n int) {
	f, d, now := floor[i], w.t.dice("today", w.branch*100+i), w.t.cfg.Today
	c := &w.t.cars[w.t.visits[n].car]
	owner := &w.t.people[c.owner]
	came := now.Add(-f.in)
	adviser, mechanic := w.one(d, branchlinev1.Role_ROLE_ADVISER), w.mechanic(i)
	why := faults[f.fault]
	o := &branchlinev1.ServiceOrder{
		Branch: proto.String(w.site.code), FirmName: proto.String(firstEntities[w.site.entity].short + w.site.name), Day: proto.String(dayOf(came)),
		OpenedAt: proto.Int64(came.UnixMilli()), PromisedAt: proto.Int64(now.Add(f.promised).UnixMilli()), OdometerKm: proto.Int64(c.odometer(now)),
		Vin: proto.String(c.vin), Plate: proto.String(c.plate), Model: proto.String(designs[c.design].name), Complaint: proto.String(why.complaint),
		Adviser: proto.String(adviser.code), Technician: proto.String(mechanic.code), QueueNumber: proto.String(fmt.Sprintf("%02d", i+1)),
		KeyTag: proto.String(fmt.Sprintf("K%02d", d.between(1, 60))), WashWanted: proto.Bool(d.chance(0.5)),
	}
	if f.state >= branchlinev1.OrderState_IN_WORK {
		o.Bay = proto.String(fmt.Sprintf("%d 号", i%8+1))
	}
	w.walked(o, f, came, adviser.code)
	refs := w.tied(n, "customer", "vehicle")
	switch f.what {
	case "waits":
		o.Waits = proto.Bool(true)
	case "towed":
		o.TowedFrom = proto.String("沪宁高速花桥服务区")
	case "loan":
		o.LoanCar, o.LoanFrom, o.LoanUntil = proto.String("沪A8D06代"), proto.Int64(came.UnixMilli()), o.PromisedAt
	case "accident":
		o.Accident, o.Complaint = proto.Bool(true), proto.String(bodyRequests[0])
	case "comeback":
		o.ComebackCause, o.ComebackBorneBy = proto.String("上次更换的胶套异响"), proto.String(w.site.code)
		refs["comeback_of"], refs["comeback_line"] = key("order", n, w.branch), key("line", n*100, w.branch)
	case "late":
		was := now.Add(-2 * time.Hour).UnixMilli()
		o.Promises = []*branchlinev1.PromiseChange{{At: proto.Int64(now.Add(-3 * time.Hour).UnixMilli()), By: proto.String(adviser.code), Was: &was, Now: o.PromisedAt, Reason: proto.String("等前一台车让出工位")}}
	}
	s := floorLines{w: w, d: d, f: f, now: now, came: came, adviser: adviser, mechanic: mechanic, phone: owner.mobile, name: owner.name}
	lines := s.lines(why, o)
	order := w.put(schema.ServiceOrder, came, adviser, o, refs)
	own := func(fields ...string) map[string]string {
		out := w.tied(n, fields...)
		out["order"] = order
		return out
	}
	w.put(schema.OdometerReading, came, adviser, &branchlinev1.OdometerReading{
		Day: proto.String(dayOf(came)), Km: o.OdometerKm, Branch: proto.String(w.site.code),
	}, own("vehicle"))
	for _, l := range lines {
		w.put(schema.ServiceLine, came, adviser, l, own())
	}
	if f.state != branchlinev1.OrderState_RECEIVED {
		w.look(d, came, adviser, o, c, owner, own("vehicle"))
	}
	if f.what == "accident" {
		w.asked(d, came, adviser, o, own("customer", "vehicle"))
	}
	if f.what == "late" {
		w.put(schema.Contact, now, adviser, &branchlinev1.Contact{
			Branch: proto.String(w.site.code), Day: proto.String(dayOf(now)), At: proto.Int64(now.Add(-3 * time.Hour).UnixMilli()), By: proto.String(adviser.code),
			Channel: branchlinev1.ContactChannel_CHANNEL_PHONE.Enum(), Direction: branchlinev1.Direction_DIRECTION_OUT.Enum(), Phone: proto.String(owner.mobile),
			Subject: proto.String("交车时间"), Text: proto.String("工位被占，晚两小时交车，客户同意"), Outcome: branchlinev1.ContactOutcome_CONTACT_AGREED.Enum(),
		}, own("customer", "vehicle"))
	}
}

// mechanic is the i-th technician of the branch, in turn: nobody works on two cars at once.
func (w *counterWriter) mechanic(i int) member {
	var all []member
	for _, m := range w.t.staff[w.branch] {
		if m.role == branchlinev1.Role_ROLE_TECHNICIAN {
			all = append(all, m)
		}
	}
	return all[i%len(all)]
}

// walked takes an order through the states before the one it stands in.
func (w *counterWriter) walked(o *branchlinev1.ServiceOrder, f inHouse, came time.Time, by string) {
	path := []branchlinev1.OrderState{
		branchlinev1.OrderState_RECEIVED, branchlinev1.OrderState_DIAGNOSING, branchlinev1.OrderState_QUOTED, branchlinev1.OrderState_APPROVED,
		branchlinev1.OrderState_IN_WORK, branchlinev1.OrderState_QUALITY_CHECK, branchlinev1.OrderState_READY,
	}
	last := f.state
	if last == branchlinev1.OrderState_WAITING_PARTS || last == branchlinev1.OrderState_WAITING_INSURER {
		path = append(path[:5:5], last)
	}
	for i, st := range path {
		if st > last {
			break
		}
		o.State = st.Enum()
		at := came.Add(f.in * time.Duration(i) / time.Duration(len(path)+1))
		o.States = append(o.States, &branchlinev1.StateChange{State: st.Enum(), At: proto.Int64(at.UnixMilli()), By: proto.String(by)})
	}
}

// look is the walk round a car of the floor.
func (w *counterWriter) look(d dice, came time.Time, adviser member, o *branchlinev1.ServiceOrder, c *car, owner *person, refs map[string]string) {
	m := &branchlinev1.Inspection{
		Branch: proto.String(w.site.code), Day: proto.String(dayOf(came)), DoneAt: proto.Int64(came.Add(8 * time.Minute).UnixMilli()), Inspector: proto.String(adviser.code),
		OdometerKm: o.OdometerKm, SignedBy: proto.String(owner.name), SignedAt: proto.Int64(came.Add(9 * time.Minute).UnixMilli()), NoValuables: proto.Bool(true),
	}
	if designs[c.design].energy == "纯电" {
		m.ChargePercent = proto.Int32(int32(d.between(8, 96)))
	} else {
		m.FuelEighths = proto.Int32(int32(d.between(1, 8)))
	}
	x := dents[d.IntN(len(dents))]
	m.Damages = []*branchlinev1.Damage{{Part: proto.String(x[0]), What: proto.String(x[1])}}
	for i, code := range lookers[:3] {
		m.Points = append(m.Points, &branchlinev1.CheckPoint{Item: proto.String(code), Finding: branchlinev1.Finding(i%3 + 1).Enum()})
	}
	w.put(schema.Inspection, came, adviser, m, refs)
}

// asked is the claim an accident waits for.
func (w *counterWriter) asked(d dice, came time.Time, adviser member, o *branchlinev1.ServiceOrder, refs map[string]string) {
	path := []branchlinev1.ClaimState{branchlinev1.ClaimState_CLAIM_DRAFT, branchlinev1.ClaimState_CLAIM_SENT}
	m := &branchlinev1.Claim{
		Branch: proto.String(w.site.code), Day: o.Day, Currency: proto.String("CNY"), Number: proto.String(fmt.Sprintf("BA%d%08d", came.Year(), d.IntN(1e8))),
		Party: branchlinev1.ClaimParty_CLAIM_ON_INSURER.Enum(), Firm: proto.String(d.pick(insurers)), Surveyor: proto.String(w.t.name(d, false)), SurveyorPhone: proto.String(mobile(d)),
		DirectPayment: proto.Bool(true), AccidentOn: o.Day, Liability: proto.String("全责"), Asked: proto.Int64(4_860_00), State: path[1].Enum(),
		Lines: []*branchlinev1.ClaimLine{{Item: proto.String("更换前保险杠"), Asked: proto.Int64(1_860_00)}, {Item: proto.String("左前翼子板钣金喷漆"), Asked: proto.Int64(3_000_00)}},
	}
	for i, st := range path {
		m.States = append(m.States, &branchlinev1.ClaimChange{State: st.Enum(), At: proto.Int64(came.Add(time.Duration(i+1) * time.Hour).UnixMilli()), By: proto.String(adviser.code)})
	}
	w.put(schema.Claim, came, adviser, m, refs)
}

// floorLines writes the lines of a car of the floor.
type floorLines struct {
	w                 *counterWriter
	d                 dice
	f                 inHouse
	now, came         time.Time
	adviser, mechanic member
	phone, name       string
	out               []*branchlinev1.ServiceLine
}

const (
	proposed = branchlinev1.LineState_LINE_PROPOSED
	agreed   = branchlinev1.LineState_LINE_APPROVED
	done     = branchlinev1.LineState_LINE_DONE
)

func (s *floorLines) lines(why fault, o *branchlinev1.ServiceOrder) []*branchlinev1.ServiceLine {
	state := agreed
	switch f := s.f.state; {
	case f == branchlinev1.OrderState_RECEIVED:
		return nil
	case f <= branchlinev1.OrderState_QUOTED:
		state = proposed
	case f >= branchlinev1.OrderState_QUALITY_CHECK:
		state = done
	}
	payer := branchlinev1.Payer_PAYER_CUSTOMER
	switch s.f.what {
	case "accident":
		for _, j := range bodyJobs[1:4] {
			s.job(j, state, branchlinev1.Payer_PAYER_INSURER)
		}
		s.job(serviceJobs[3], state, payer)
		return s.out
	case "comeback":
		payer = branchlinev1.Payer_PAYER_INTERNAL
	}
	s.job(why.job, state, payer)
	s.out[0].Complaint, s.out[0].FaultCode = proto.String(why.complaint), proto.String(why.code)
	if state != proposed {
		s.out[0].Cause = proto.String(why.cause)
	}
	if state == done {
		s.out[0].Correction = proto.String(why.correction)
	}
	switch s.f.what {
	case "extra":
		l := s.labour(upsells[1].job, proposed, payer)
		l.Extra, l.Cause = proto.Bool(true), proto.String(upsells[1].cause)
	case "declined":
		l := s.labour(upsells[0].job, branchlinev1.LineState_LINE_DECLINED, payer)
		l.Cause, l.DeclinedReason, l.ReviveOn = proto.String(upsells[0].cause), proto.String(refusals[0]), proto.String(dayOf(s.now.AddDate(0, 3, 0)))
		s.said(l, branchlinev1.LineState_LINE_DECLINED)
	case "back":
		s.out[0].Checks = []*branchlinev1.QualityCheck{{
			At: proto.Int64(s.now.Add(-20 * time.Minute).UnixMilli()), By: proto.String(s.adviser.code), Passed: proto.Bool(false), Reason: proto.String("雨刮仍有抖动，重新调整压力"),
		}}
	case "parts", "arrived":
		l := s.out[len(s.out)-1]
		l.Supplier, l.PartsOrderedAt = proto.String("远驰原厂配件库"), proto.Int64(s.came.Add(2*time.Hour).UnixMilli())
		l.PartsExpectedOn = proto.String(dayOf(s.now.AddDate(0, 0, 1)))
		if s.f.what == "arrived" {
			l.PartsExpectedOn, l.PartsArrivedAt = proto.String(dayOf(s.now)), proto.Int64(s.now.Add(-30*time.Minute).UnixMilli())
		} else {
			l.PartsToldAt = proto.Int64(s.came.Add(3 * time.Hour).UnixMilli())
		}
	}
	var minutes, amount int64
	for _, l := range s.out {
		minutes, amount = minutes+l.GetBilledMinutes(), amount+l.GetAmount()
	}
	o.EstimateMinutes, o.EstimateAmount = proto.Int64(minutes), proto.Int64(amount)
	return s.out
}

// job is the labour's line and the part's.
func (s *floorLines) job(j job, state branchlinev1.LineState, payer branchlinev1.Payer) {
	s.labour(j, state, payer)
	if j.part == "" {
		return
	}
	l := s.line(branchlinev1.LineKind_PART, state, payer)
	l.Item, l.PartName, l.PartCode = proto.String(j.part), proto.String(j.part), proto.String(j.partCode)
	l.PartQuantity, l.Amount = proto.Int64(j.quantity), proto.Int64(j.price)
}

// labour is a line of work: said yes to where it is agreed, clocked where it was begun.
func (s *floorLines) labour(j job, state branchlinev1.LineState, payer branchlinev1.Payer) *branchlinev1.ServiceLine {
	l := s.line(branchlinev1.LineKind_LABOUR, state, payer)
	l.Item, l.LabourCode, l.BilledMinutes = proto.String(j.work), proto.String(j.code), proto.Int64(j.minutes)
	l.Amount, l.Technician = proto.Int64(j.minutes*400), proto.String(s.mechanic.code)
	began := s.now.Add(-50 * time.Minute)
	switch {
	case state == done:
		until := began.Add(time.Duration(j.minutes) * time.Minute * 9 / 10)
		l.Clockings = []*branchlinev1.Clocking{{Technician: l.Technician, From: proto.Int64(began.UnixMilli()), Until: proto.Int64(until.UnixMilli())}}
		l.ClockedMinutes = proto.Int64(int64(until.Sub(began).Minutes()))
	case state == agreed && (s.f.what == "late" || s.f.what == "extra") && len(s.out) == 1:
		l.Clockings = []*branchlinev1.Clocking{{Technician: l.Technician, From: proto.Int64(began.UnixMilli())}}
	}
	return l
}

func (s *floorLines) line(kind branchlinev1.LineKind, state branchlinev1.LineState, payer branchlinev1.Payer) *branchlinev1.ServiceLine {
	l := &branchlinev1.ServiceLine{
		Position: proto.Int32(int32(len(s.out)) + 1), Kind: kind.Enum(), State: state.Enum(), Payer: payer.Enum(), Currency: proto.String("CNY"),
		TaxRate: proto.Int32(1300), Branch: proto.String(s.w.site.code), Adviser: proto.String(s.adviser.code),
	}
	s.out = append(s.out, l)
	if payer == branchlinev1.Payer_PAYER_CUSTOMER && (state == agreed || state == done) {
		s.said(l, agreed)
	}
	return l
}

// said is the customer's word to a line, by telephone.
func (s *floorLines) said(l *branchlinev1.ServiceLine, state branchlinev1.LineState) {
	l.Approvals = append(l.Approvals, &branchlinev1.Approval{
		At: proto.Int64(s.came.Add(s.f.in / 3).UnixMilli()), State: state.Enum(), Way: branchlinev1.ApprovalWay_BY_WORD.Enum(),
		SaidBy: proto.String(s.name), Phone: proto.String(s.phone), TakenBy: proto.String(s.adviser.code),
	})
}
