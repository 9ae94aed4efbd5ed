package counter

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/till"
	"branchline/sync/desk"
)

// Settle settles one payer of an order.
func (c *Counter) Settle(ctx context.Context, r *branchlinev1.SettleRequest) (*branchlinev1.OrderAccount, error) {
	id, err := c.act(ctx, "settle", r.GetRequestId(), r.GetApproval(), func(k *clerk) (schema.RecordID, error) {
		a, err := k.account(r.GetOrder())
		if err == nil {
			err = k.mine(a)
		}
		if err != nil {
			return schema.RecordID{}, err
		}
		p := payerOf(r.GetPayer())
		switch x := a.of(p); {
		case x.InForce != nil:
			return schema.RecordID{}, schema.Invalid("payer", "is settled already: reverse its settlement first")
		case a.etag(p) != r.GetEtag():
			return schema.RecordID{}, act.Changed()
		case x.Count == 0 && x.Paid == 0:
			return schema.RecordID{}, schema.Invalid("payer", "has nothing to settle")
		}
		s, err := k.settlement(a, p, r)
		if err != nil {
			return schema.RecordID{}, err
		}
		res, err := k.Put(store.Edit{Kind: schema.Settlement, Message: s})
		if err != nil {
			return schema.RecordID{}, err
		}
		return res.ID, k.settleOrder(r.GetOrder(), a, s)
	})
	if err != nil {
		return nil, err
	}
	return c.accountOf(ctx, r.GetOrder(), schema.ResourceName(schema.Settlement, id))
}

// settlement makes the settlement of a payer.
func (k *clerk) settlement(a *account, p branchlinev1.Payer, r *branchlinev1.SettleRequest) (*branchlinev1.Settlement, error) {
	x := a.of(p)
	s := &branchlinev1.Settlement{
		Order: act.Ref(a.id), Branch: proto.String(string(k.ID.Branch)), At: proto.Int64(k.Now.UnixMilli()), Payer: p.Enum(),
		LinesAmount: proto.Int64(x.Lines), Currency: proto.String("CNY"), By: proto.String(k.Caller.Staff),
	}
	if c := a.order.GetCustomer(); c != "" {
		s.Customer = &c
	}
	for _, l := range a.bodies() {
		if l.GetCurrency() != "" {
			s.Currency = proto.String(l.GetCurrency())
		}
	}
	var member int64
	if r.GetMember() {
		if member = k.memberDiscount(a, p); member > 0 {
			s.MemberClass = proto.String(a.class)
		}
	}
	free := r.GetDiscount()
	rest := x.Lines - member - free
	switch {
	case rest < 0:
		return nil, schema.Invalid("discount", "is more than the lines leave: %s", till.Text(x.Lines-member))
	case free > 0 && r.GetDiscountReason() == "":
		return nil, schema.Invalid("discount_reason", "say why")
	case free > 0:
		by, err := k.mayDiscount(free, x.Lines)
		if err != nil {
			return nil, err
		}
		s.DiscountReason = proto.String(r.GetDiscountReason())
		if by != "" {
			s.ApprovedBy = &by
		}
	}
	rounding := int64(0)
	if r.GetRoundTo() > 0 {
		rounding = rest % r.GetRoundTo()
	}
	amount := rest - rounding
	s.Discount, s.Rounding, s.Amount = proto.Int64(member+free), &rounding, &amount
	s.TaxAmount = proto.Int64(0)
	if x.Lines > 0 {
		s.TaxAmount = proto.Int64(till.Share(x.Tax, amount, x.Lines))
	}
	day, err := k.day()
	if err != nil {
		return nil, err
	}
	s.Day = &day
	until, km := k.guarantee(a, p)
	s.GuaranteeUntil, s.GuaranteeKm = &until, &km
	number, err := k.B.Number(schema.Settlement, day)
	s.Number = &number
	return s, err
}

// mayDiscount tells whose word a free discount has beyond the caller's: "" when theirs is enough. ErrInvalid when nobody's
// is.
func (k *clerk) mayDiscount(free, lines int64) (string, error) {
	beyond := func(c access.Caller) bool { return free*10_000 > k.limit(c)*lines }
	percent := func(bp int64) string { return fmt.Sprintf("%d.%02d %%", bp/100, bp%100) }
	switch {
	case !beyond(k.Caller):
		return "", nil
	case !k.word.Known():
		return "", schema.Invalid("discount", "is %s, your role gives %s at most: a manager's PIN is needed", percent(till.Share(free, 10_000, max(lines, 1))), percent(k.limit(k.Caller)))
	case beyond(k.word):
		return "", schema.Invalid("approval.account", "%s may give %s at most", k.word.Account, percent(k.limit(k.word)))
	}
	return k.word.Staff, nil
}

// guarantee is the day and the odometer reading at which the guarantee on the repair ends; 0 when the car's is not known.
// Lines of one part of the car have that part's; an order of several, the general one.
func (k *clerk) guarantee(a *account, p branchlinev1.Payer) (until string, km int64) {
	var systems []string
	for _, l := range a.bodies() {
		if cost, _ := till.Cost(l); cost > 0 && payerOf(l.GetPayer()) == p && !slices.Contains(systems, l.GetSystem()) {
			systems = append(systems, l.GetSystem())
		}
	}
	system := ""
	if len(systems) == 1 {
		system = systems[0]
	}
	days, far := k.table.Guarantee(k.place(), system)
	day, err := time.Parse(time.DateOnly, k.Today)
	if err != nil {
		return "", 0 // today is always a day
	}
	if at := a.order.GetOdometerKm(); at > 0 {
		km = at + far
	}
	return day.AddDate(0, 0, int(days)).Format(time.DateOnly), km
}

// settleOrder makes an order SETTLED whose payers all are by the settlement just put: reports read its day.
func (k *clerk) settleOrder(name string, before *account, s *branchlinev1.Settlement) error {
	a, err := k.account(name)
	if err != nil || !till.Settled(a.payers) {
		return err
	}
	o := &branchlinev1.ServiceOrder{
		SettledOn: s.Day, Day: s.Day, SettlementNumber: s.Number, GuaranteeUntil: s.GuaranteeUntil, GuaranteeKm: s.GuaranteeKm,
	}
	if own := a.of(branchlinev1.Payer_PAYER_CUSTOMER).InForce; own != nil {
		o.SettlementNumber, o.GuaranteeUntil, o.GuaranteeKm = own.Number, own.GuaranteeUntil, own.GuaranteeKm
	}
	mask := []string{"settled_on", "day", "settlement_number", "guarantee_until", "guarantee_km"}
	if before.order.GetState() != branchlinev1.OrderState_HANDED_OVER { // it may have been driven away before
		o.State = branchlinev1.OrderState_SETTLED.Enum()
		mask = append(mask, "state")
	}
	return k.putOrder(a, o, mask)
}

// putOrder changes the order as it is now, and dates its state.
func (k *clerk) putOrder(a *account, o *branchlinev1.ServiceOrder, mask []string) error {
	e := store.Edit{Kind: schema.ServiceOrder, ID: a.id, Message: o, Mask: mask, Etag: a.record.GetEtag()}
	if o.State != nil {
		e.Add = &branchlinev1.ServiceOrder{States: []*branchlinev1.StateChange{{
			State: o.State, At: proto.Int64(k.Now.UnixMilli()), By: proto.String(k.Caller.Staff),
		}}}
	}
	_, err := k.Put(e)
	return err
}

// ReverseSettlement takes a settlement back, by a manager's word. The order is to be settled again.
func (c *Counter) ReverseSettlement(ctx context.Context, r *branchlinev1.ReverseSettlementRequest) (*branchlinev1.OrderAccount, error) {
	order := ""
	id, err := c.act(ctx, "reverse", r.GetRequestId(), r.GetApproval(), func(k *clerk) (zero schema.RecordID, err error) {
		id, err := desk.NameOf("settlement", r.GetSettlement(), schema.Settlement)
		if err != nil {
			return zero, err
		}
		was, err := k.V.Get(id)
		if err != nil {
			return zero, err
		}
		a, err := k.account(was.GetSettlement().GetOrder())
		if err == nil {
			err = k.mine(a)
		}
		if err != nil {
			return zero, err
		}
		x := a.of(payerOf(was.GetSettlement().GetPayer()))
		if x.InForce == nil || x.InForce.ID != id.String() {
			return zero, schema.Invalid("settlement", "does not stand any more")
		}
		boss, err := k.manager()
		if err != nil {
			return zero, err
		}
		s := till.Reversal(*x.InForce)
		s.At, s.By, s.ApprovedBy, s.Reason = proto.Int64(k.Now.UnixMilli()), proto.String(k.Caller.Staff), &boss, proto.String(r.GetReason())
		day, err := k.day()
		if err != nil {
			return zero, err
		}
		number, err := k.B.Number(schema.Settlement, day)
		if err != nil {
			return zero, err
		}
		s.Day, s.Number = &day, &number
		res, err := k.Put(store.Edit{Kind: schema.Settlement, Message: s})
		if err != nil {
			return zero, err
		}
		return res.ID, k.unsettleOrder(a)
	})
	if err != nil {
		return nil, err
	}
	if order, err = c.orderOf(ctx, id); err != nil {
		return nil, err
	}
	return c.accountOf(ctx, order, schema.ResourceName(schema.Settlement, id))
}

// unsettleOrder makes an order that was settled READY again: it counts in no report until every payer is.
func (k *clerk) unsettleOrder(a *account) error {
	if a.order.GetSettledOn() == "" && a.order.GetState() != branchlinev1.OrderState_SETTLED {
		return nil
	}
	o, mask := &branchlinev1.ServiceOrder{}, []string{"settled_on", "settlement_number"}
	if a.order.GetState() == branchlinev1.OrderState_SETTLED {
		o.State = branchlinev1.OrderState_READY.Enum()
		mask = append(mask, "state")
	}
	return k.putOrder(a, o, mask)
}

// orderOf is the order a settlement is of.
func (c *Counter) orderOf(ctx context.Context, id schema.RecordID) (order string, err error) {
	err = c.look(ctx, func(k *clerk) error {
		s, err := k.V.Get(id)
		order = s.GetSettlement().GetOrder()
		return err
	})
	return cmp.Or(order, id.String()), err
}
