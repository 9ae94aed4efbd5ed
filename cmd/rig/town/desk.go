package town

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// appointments of the last days, today and tomorrow, in every state, for cars the branch knows and some it does not.
func (w *counterWriter) appointments(recent []int) {
	if len(recent) == 0 {
		return
	}
	y, mo, dd := w.t.cfg.Today.Date()
	for i := range 24 {
		d := w.t.dice("appointment", w.branch*1000+i)
		n := recent[d.IntN(len(recent))]
		v := w.t.visits[n]
		c := &w.t.cars[v.car]
		owner := &w.t.people[c.owner]
		after := []int{0, 0, 0, 1, 1, -1, -2, 2}[i%8]
		start := time.Date(y, mo, dd+after, 8, 30, 0, 0, zone).Add(time.Duration(d.IntN(17)) * 30 * time.Minute)
		m := &branchlinev1.Appointment{
			Branch: proto.String(w.site.code), Day: proto.String(dayOf(start)), StartAt: proto.Int64(start.UnixMilli()), ExpectedMinutes: proto.Int64(int64(d.between(2, 8) * 30)),
			Model: proto.String(designs[c.design].name), Complaint: proto.String(d.pick(serviceRequests)), Channel: proto.String(d.pick([]string{"电话", "微信", "到店"})),
			Transport: proto.String(d.pick([]string{"waits", "leaves", "loan"})),
		}
		past := start.Before(w.t.cfg.Today)
		switch state := d.IntN(10); {
		case state == 0:
			m.State, m.CancelReason = branchlinev1.AppointmentState_APPOINTMENT_CANCELLED.Enum(), proto.String("客户临时有事，改期")
		case past && state < 3:
			m.State = branchlinev1.AppointmentState_APPOINTMENT_NO_SHOW.Enum()
		case past:
			m.State = branchlinev1.AppointmentState_APPOINTMENT_ARRIVED.Enum()
		case state < 6:
			m.State, m.RemindedAt = branchlinev1.AppointmentState_APPOINTMENT_CONFIRMED.Enum(), proto.Int64(w.t.cfg.Today.UnixMilli())
		default:
			m.State = branchlinev1.AppointmentState_APPOINTMENT_BOOKED.Enum()
		}
		adviser := w.one(d, branchlinev1.Role_ROLE_ADVISER)
		m.Adviser = proto.String(adviser.code)
		refs := w.tied(n, "customer", "vehicle")
		if i%6 == 5 { // a caller nobody has written down yet
			refs = nil
			m.Name, m.Phone, m.Plate = proto.String(w.t.name(d, d.chance(0.5))), proto.String(mobile(d)), proto.String(c.plate)
			m.Plate = nil
		} else {
			m.Plate, m.Phone = proto.String(c.plate), proto.String(owner.mobile)
		}
		w.put(schema.Appointment, start, adviser, m, refs)
	}
}

// cards are sold, used, used up and overdrawn by nobody; stored money is spent at headquarters and not here.
func (w *counterWriter) cards(recent []int) {
	seen := map[int]bool{}
	for i := range min(18, len(recent)) {
		d := w.t.dice("card", w.branch*1000+i)
		n := recent[d.IntN(len(recent))]
		owner := w.t.cars[w.t.visits[n].car].owner
		if seen[owner] {
			continue
		}
		seen[owner] = true
		sold := w.t.cfg.Today.AddDate(0, 0, -d.between(20, 300))
		clerk := w.one(d, branchlinev1.Role_ROLE_CLERK)
		p := packs[4+i%2]
		m := &branchlinev1.PackageCard{
			Branch: proto.String(w.site.code), Day: proto.String(dayOf(sold)), Seller: proto.String(clerk.code), Currency: proto.String("CNY"),
			Form: branchlinev1.CardForm_CARD_COUNTED.Enum(), Title: proto.String(p.name), Uses: proto.Int32(p.uses), Price: proto.Int64(p.price),
			ValidTo: proto.String(dayOf(sold.AddDate(2, 0, 0))),
		}
		if i%6 == 5 {
			m.Form, m.Title, m.Uses = branchlinev1.CardForm_CARD_STORED_MONEY.Enum(), proto.String("储值卡 充 2000 送 200"), nil
			m.Stored, m.Bonus, m.Price = proto.Int64(2_200_00), proto.Int64(200_00), proto.Int64(2_000_00)
		}
		card := w.put(schema.PackageCard, sold, clerk, m, w.tied(n, "customer"))
		for j := range d.IntN(int(m.GetUses()) + 1) {
			used := sold.AddDate(0, 0, (j+1)*20)
			if used.After(w.t.cfg.Today) {
				break
			}
			refs := w.tied(n, "customer", "vehicle")
			refs["card"] = card
			w.put(schema.CardUse, used, clerk, &branchlinev1.CardUse{
				Branch: proto.String(w.site.code), Day: proto.String(dayOf(used)), UsedAt: proto.Int64(used.UnixMilli()), Uses: proto.Int32(1), By: proto.String(clerk.code),
				KnownLeft: proto.Int64(int64(m.GetUses()) - int64(j)), KnownAt: proto.Int64(used.UnixMilli()),
			}, refs)
		}
	}
}

// insurance of the cars seen of late: some has just ended, some ends soon.
func (w *counterWriter) insurance(recent []int) {
	seen := map[int]bool{}
	for _, n := range recent {
		car := w.t.visits[n].car
		if seen[car] || len(seen) >= 150 {
			continue
		}
		seen[car] = true
		d := w.t.dice("insurance", car)
		until := w.t.cfg.Today.AddDate(0, 0, d.between(-20, 340))
		adviser := w.one(d, branchlinev1.Role_ROLE_SALESPERSON)
		firm := d.pick(insurers)
		for _, kind := range []branchlinev1.PolicyKind{branchlinev1.PolicyKind_POLICY_COMMERCIAL, branchlinev1.PolicyKind_POLICY_COMPULSORY} {
			m := &branchlinev1.InsurancePolicy{
				Number: proto.String(fmt.Sprintf("PD%s%012d", until.AddDate(-1, 0, 0).Format("2006"), d.Int64N(1e12))), Kind: kind.Enum(), Insurer: &firm,
				From: proto.String(dayOf(until.AddDate(-1, 0, 1))), Until: proto.String(dayOf(until)), Premium: proto.Int64(950_00), Currency: proto.String("CNY"),
			}
			if kind == branchlinev1.PolicyKind_POLICY_COMMERCIAL {
				m.Premium = proto.Int64(int64(d.between(2_000, 6_500)) * 100)
				m.Covers = []string{"机动车损失险", "第三者责任险 200 万"}
			}
			if d.chance(0.5) {
				m.SoldBy = proto.String(w.site.code)
			}
			w.put(schema.InsurancePolicy, w.t.cfg.Today, adviser, m, w.tied(n, "customer", "vehicle"))
		}
	}
}

// closes closes the days of the last week but today's; one of them did not come out right.
func (w *counterWriter) closes() {
	from, today := dayOf(w.t.cfg.Today.AddDate(0, 0, -7)), dayOf(w.t.cfg.Today)
	var days []string
	for day := range w.till {
		if day >= from && day < today {
			days = append(days, day)
		}
	}
	slices.Sort(days)
	for i, day := range days {
		d := w.t.dice("close "+day, w.branch)
		at, err := time.ParseInLocation(time.DateOnly, day, zone)
		if err != nil {
			continue // a day of our own making is one
		}
		at = at.Add(18 * time.Hour)
		clerk := w.one(d, branchlinev1.Role_ROLE_CLERK)
		m := &branchlinev1.CashClose{
			Branch: proto.String(w.site.code), Day: &day, At: proto.Int64(at.UnixMilli()), Cashier: proto.String(clerk.code), Currency: proto.String("CNY"), FloatAmount: proto.Int64(500_00),
		}
		for method, sum := range w.till[day] {
			m.Counts = append(m.Counts, &branchlinev1.CashCount{Method: method.Enum(), Recorded: proto.Int64(sum), Counted: proto.Int64(sum)})
		}
		slices.SortFunc(m.GetCounts(), func(a, b *branchlinev1.CashCount) int { return cmp.Compare(a.GetMethod(), b.GetMethod()) })
		if c := m.GetCounts()[0]; i == 1 && c.GetMethod() == branchlinev1.PayMethod_METHOD_CASH {
			c.Counted = proto.Int64(c.GetRecorded() - 20_00)
			m.Difference, m.Reason = proto.Int64(-20_00), proto.String("找零时少收 20 元，已由收银补记")
		}
		w.put(schema.CashClose, at, clerk, m, nil)
	}
}
