package counter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/card"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/till"
	"branchline/sync/desk"
	"branchline/sync/link"
)

const stored = branchlinev1.CardForm_CARD_STORED_MONEY

// held is a card with its uses.
type held struct {
	id     schema.RecordID
	record *branchlinev1.Record
	card   *branchlinev1.PackageCard
	uses   []card.Use
	all    []*branchlinev1.Record // of the uses
	stand  card.Balance
}

// online tells whether headquarters is at hand.
func (c *Counter) online() bool { return c.c.Line.Link().Phase == link.Open }

// asOf is when headquarters was last heard, unix ms; 0: never since the start.
func (c *Counter) asOf() int64 {
	if at := c.c.Line.Link().Heard; !at.IsZero() {
		return at.UnixMilli()
	}
	return 0
}

// hold reads a card with all its uses that are known here.
func (k *clerk) hold(id schema.RecordID) (*held, error) {
	for _, kind := range []schema.Kind{schema.PackageCard, schema.CardUse} {
		if err := k.Caller.CheckRead(access.Node, kind); err != nil {
			return nil, err
		}
	}
	r, err := k.V.Get(id)
	if err != nil {
		return nil, err
	}
	if r.GetPackageCard() == nil {
		return nil, fmt.Errorf("%s: %w", schema.ResourceName(schema.PackageCard, id), schema.ErrNotFound)
	}
	owner, err := schema.ParseRecordID(r.GetPackageCard().GetCustomer())
	if err != nil {
		return nil, err
	}
	uses, err := k.V.About(schema.CardUse, schema.Customer, owner)
	if err != nil {
		return nil, err
	}
	return holdRecord(id, r, uses), nil
}

// holdRecord holds a card, whose uses are among those given.
func holdRecord(id schema.RecordID, r *branchlinev1.Record, uses []*branchlinev1.Record) *held {
	h := &held{id: id, record: r, card: r.GetPackageCard()}
	for _, u := range uses {
		if use := u.GetCardUse(); use.GetCard() == id.String() && use.GetCustomer() == h.card.GetCustomer() {
			h.uses = append(h.uses, card.Use{Name: u.GetName(), CardUse: use})
			h.all = append(h.all, u)
		}
	}
	h.stand = card.Count(r.GetName(), h.card, h.uses)
	return h
}

// seller is the company of the branch that sold the card.
func (k *clerk) seller(h *held) (string, error) {
	sold := cmp.Or(h.card.GetBranch(), h.record.GetHome())
	if sold == string(k.ID.Branch) {
		return string(k.ID.Entity), nil
	}
	branches, err := k.V.All(schema.Branch)
	if err != nil {
		return "", err
	}
	for _, r := range branches {
		if r.GetBranch().GetCode() == sold {
			return r.GetBranch().GetEntity(), nil
		}
	}
	return "", nil
}

// stop is why so much of the card may not be taken now for a car (record id; "" names none); "" when it may.
func (k *clerk) stop(h *held, take int64, vehicle string) (string, error) {
	company, err := k.seller(h)
	if err != nil {
		return "", err
	}
	ask := card.Ask{Take: take, Day: k.Today, Vehicle: vehicle, Company: string(k.ID.Entity), Seller: company, HQ: k.online()}
	if own := h.card.GetVehicle(); own != "" && vehicle != "" {
		same, err := k.group(own)
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(same, func(id schema.RecordID) bool { return id.String() == vehicle }) {
			ask.Vehicle = own
		}
	} else if vehicle == "" {
		ask.Vehicle = own // asked of the card by itself
	}
	return card.Why(card.May(h.card, h.stand, ask), h.card, h.stand), nil
}

// state is a card as the caller is told of it. vehicle is the car it would be used for, if one is in question.
func (k *clerk) state(h *held, vehicle string) (*branchlinev1.CardState, error) {
	out := &branchlinev1.CardState{Name: h.record.GetName(), Card: h.card, Left: h.stand.Left, Open: int32(len(h.stand.Open)), AsOf: k.asOf()}
	over := map[string]string{}
	for _, u := range h.stand.Over {
		over[u.Name] = ""
		if h.stand.Last != nil {
			over[u.Name] = h.stand.Last.Name
		}
	}
	counts := map[string]bool{}
	for _, u := range h.stand.Counting {
		counts[u.Name] = true
	}
	for _, u := range h.uses {
		if u.GetReverses() != "" || u.GetRetiredAt() != 0 {
			continue
		}
		row := &branchlinev1.CardUseRow{Name: u.Name, Use: u.CardUse, TakenBack: !counts[u.Name]}
		row.Last, row.Over = over[u.Name], false
		_, row.Over = over[u.Name]
		if id, err := schema.ParseRecordID(u.GetOrder()); err == nil {
			switch o, err := k.V.Get(id); {
			case err == nil:
				row.OrderNumber = o.GetServiceOrder().GetNumber()
			case !errors.Is(err, schema.ErrNotFound):
				return nil, err
			}
		}
		out.Uses = append(out.Uses, row)
	}
	slices.SortStableFunc(out.Uses, func(x, y *branchlinev1.CardUseRow) int {
		return cmp.Compare(x.GetUse().GetUsedAt(), y.GetUse().GetUsedAt())
	})
	var err error
	out.Stop, err = k.stop(h, 1, vehicle)
	return out, err
}

// cards are those of the records of one customer, with what is left of them; none to who may not see cards.
func (k *clerk) cards(members []schema.RecordID, vehicle string) ([]*branchlinev1.CardState, error) {
	if k.Caller.CheckRead(access.Node, schema.PackageCard) != nil {
		return nil, nil
	}
	records, err := k.V.About(schema.PackageCard, schema.Customer, members...)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	uses, err := k.V.About(schema.CardUse, schema.Customer, members...)
	if err != nil {
		return nil, err
	}
	var out []*branchlinev1.CardState
	for _, r := range records {
		if r.GetPackageCard().GetRetiredAt() != 0 {
			continue
		}
		id, err := act.IDOf(r)
		if err != nil {
			return nil, err
		}
		s, err := k.state(holdRecord(id, r, uses), vehicle)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// GetCard tells how a card stands, as far as this branch knows.
func (c *Counter) GetCard(ctx context.Context, r *branchlinev1.GetCardRequest) (*branchlinev1.CardState, error) {
	id, err := desk.NameOf("card", r.GetCard(), schema.PackageCard)
	if err != nil {
		return nil, err
	}
	return c.cardOf(ctx, id, "")
}

func (c *Counter) cardOf(ctx context.Context, id schema.RecordID, made string) (out *branchlinev1.CardState, err error) {
	err = c.look(ctx, func(k *clerk) error {
		h, err := k.hold(id)
		if err != nil {
			return err
		}
		out, err = k.state(h, "")
		return err
	})
	if out != nil {
		out.Made = made
	}
	return out, err
}

// SellCard sells a card, alone or with an order: then its price is a line of the order.
func (c *Counter) SellCard(ctx context.Context, r *branchlinev1.SellCardRequest) (*branchlinev1.CardState, error) {
	sell := func(k *clerk) (schema.RecordID, error) {
		m, err := k.newCard(r)
		if err != nil {
			return schema.RecordID{}, err
		}
		total, err := sum(r.GetTenders())
		switch {
		case err != nil:
			return schema.RecordID{}, err
		case m.Order != nil && total > 0:
			return schema.RecordID{}, schema.Invalid("tenders", "what is sold with an order is paid with it")
		case m.Order == nil && total != m.GetPrice():
			return schema.RecordID{}, schema.Invalid("tenders", "is %s, the card costs %s", till.Text(total), till.Text(m.GetPrice()))
		}
		e := entry{customer: m.GetCustomer(), purpose: branchlinev1.PayPurpose_PURPOSE_CARD_SALE}
		if credit := left(r.GetTenders()); credit > 0 {
			members, _, limit, err := k.customer(m.GetCustomer())
			if err != nil {
				return schema.RecordID{}, err
			}
			owed, _, err := k.owed(members)
			if err == nil {
				e.approved, err = k.mayOwe(m.GetCustomer(), credit, owed, limit)
			}
			if err != nil {
				return schema.RecordID{}, err
			}
		}
		for i, t := range r.GetTenders() {
			if t.GetMethod() == byCard {
				return schema.RecordID{}, schema.Invalid(fmt.Sprintf("tenders.%d.method", i), "a card is not bought with a card")
			}
		}
		if m.Order != nil {
			if err := k.sellWith(m); err != nil {
				return schema.RecordID{}, err
			}
		}
		res, err := k.Put(store.Edit{Kind: schema.PackageCard, Message: m})
		if err != nil {
			return schema.RecordID{}, err
		}
		e.card = res.ID.String()
		_, err = k.enter(e, r.GetTenders())
		return res.ID, err
	}
	id, err := c.act(ctx, "sell", r.GetRequestId(), nil, sell)
	if err != nil {
		return nil, err
	}
	return c.cardOf(ctx, id, schema.ResourceName(schema.PackageCard, id))
}

// newCard is the card asked for: of the package, where one is named, but for what the request says itself.
func (k *clerk) newCard(r *branchlinev1.SellCardRequest) (*branchlinev1.PackageCard, error) {
	customer, err := desk.NameOf("customer", r.GetCustomer(), schema.Customer)
	if err != nil {
		return nil, err
	}
	day, err := k.day()
	if err != nil {
		return nil, err
	}
	m := &branchlinev1.PackageCard{
		Branch: proto.String(string(k.ID.Branch)), Customer: act.Ref(customer), Day: &day, Seller: proto.String(k.Caller.Staff), Currency: proto.String("CNY"),
	}
	form, title, uses, price, until := r.GetForm(), r.GetTitle(), r.GetUses(), r.GetPrice(), r.GetValidTo()
	if r.GetPackage() != "" {
		id, err := desk.NameOf("package", r.GetPackage(), schema.Package)
		if err != nil {
			return nil, err
		}
		rec, err := k.V.Get(id)
		if err != nil {
			return nil, err
		}
		p := rec.GetPackage()
		form, title, uses, price = cmp.Or(form, branchlinev1.CardForm_CARD_COUNTED), cmp.Or(title, p.GetName()), cmp.Or(uses, p.GetCardUses()), cmp.Or(price, p.GetPrice())
		if months := int(p.GetCardMonths()); until == "" && months > 0 {
			from, err := time.Parse(time.DateOnly, k.Today)
			if err != nil {
				return nil, err
			}
			until = from.AddDate(0, months, 0).Format(time.DateOnly)
		}
		m.Package = act.Ref(id)
	}
	m.Form, m.Title, m.Price = form.Enum(), &title, &price
	if until != "" {
		m.ValidTo = &until
	}
	if form == stored {
		m.Stored, m.Bonus = proto.Int64(price+r.GetBonus()), proto.Int64(r.GetBonus())
	} else {
		m.Uses = &uses
	}
	for _, f := range []struct {
		to   *(*string)
		name string
		kind schema.Kind
	}{{&m.Vehicle, r.GetVehicle(), schema.Vehicle}, {&m.Order, r.GetOrder(), schema.ServiceOrder}} {
		if f.name == "" {
			continue
		}
		id, err := desk.NameOf(schema.KindOf(f.kind).Name, f.name, f.kind)
		if err != nil {
			return nil, err
		}
		*f.to = act.Ref(id)
	}
	number, err := k.B.Number(schema.PackageCard, day)
	m.Number = &number
	return m, err
}

// sellWith puts the card's price into the order it is sold with.
func (k *clerk) sellWith(m *branchlinev1.PackageCard) error {
	a, err := k.account(m.GetOrder())
	if err == nil {
		err = k.mine(a)
	}
	if err != nil {
		return err
	}
	if a.of(branchlinev1.Payer_PAYER_CUSTOMER).InForce != nil {
		return schema.Invalid("order", "is settled already: sell the card by itself")
	}
	_, err = k.Put(store.Edit{Kind: schema.ServiceLine, Message: &branchlinev1.ServiceLine{
		Order: m.Order, Position: proto.Int32(int32(len(a.lines) + 1)), Kind: branchlinev1.LineKind_FEE.Enum(), State: branchlinev1.LineState_LINE_APPROVED.Enum(),
		Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Item: m.Title, Amount: m.Price, Currency: m.Currency, Branch: m.Branch,
	}})
	return err
}

// UseCard uses a counted card on an order.
func (c *Counter) UseCard(ctx context.Context, r *branchlinev1.UseCardRequest) (*branchlinev1.CardState, error) {
	id, err := desk.NameOf("card", r.GetCard(), schema.PackageCard)
	if err != nil {
		return nil, err
	}
	use, err := c.act(ctx, "use", r.GetRequestId(), nil, func(k *clerk) (zero schema.RecordID, err error) {
		h, err := k.hold(id)
		if err != nil {
			return zero, err
		}
		a, err := k.account(r.GetOrder())
		if err == nil {
			err = k.mine(a)
		}
		if err != nil {
			return zero, err
		}
		if h.card.GetForm() == stored {
			return zero, schema.Invalid("card", "stored money is no use of a service: pay with it")
		}
		n := cmp.Or(r.GetUses(), 1)
		if why, err := k.stop(h, int64(n), a.order.GetVehicle()); err != nil || why != "" {
			return zero, errors.Join(err, asInvalid("card", why))
		}
		line, err := k.Put(store.Edit{Kind: schema.ServiceLine, Message: &branchlinev1.ServiceLine{
			Order: act.Ref(a.id), Position: proto.Int32(int32(len(a.lines) + 1)), Kind: branchlinev1.LineKind_PACKAGE_USE.Enum(),
			State: branchlinev1.LineState_LINE_APPROVED.Enum(), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Item: h.card.Title,
			Branch: proto.String(string(k.ID.Branch)), Card: act.Ref(id),
		}})
		if err != nil {
			return zero, err
		}
		m := &branchlinev1.CardUse{
			Card: act.Ref(id), Customer: h.card.Customer, Order: act.Ref(a.id), Line: act.Ref(line.ID), Branch: proto.String(string(k.ID.Branch)), Day: &k.Today,
			UsedAt: proto.Int64(k.Now.UnixMilli()), Uses: &n, By: proto.String(k.Caller.Staff), KnownLeft: &h.stand.Left,
		}
		if at := k.asOf(); at > 0 {
			m.KnownAt = &at
		}
		if v := a.order.GetVehicle(); v != "" {
			m.Vehicle = &v
		}
		res, err := k.Put(store.Edit{Kind: schema.CardUse, Message: m})
		return res.ID, err
	})
	if err != nil {
		return nil, err
	}
	return c.cardOf(ctx, id, schema.ResourceName(schema.CardUse, use))
}

// asInvalid is why as what is wrong with a field; nil for "".
func asInvalid(field, why string) error {
	if why == "" {
		return nil
	}
	return schema.Invalid(field, "%s", why)
}

// TakeBackUse takes a use back: of stored money by headquarters, of a counted card here.
func (c *Counter) TakeBackUse(ctx context.Context, r *branchlinev1.TakeBackUseRequest) (*branchlinev1.CardState, error) {
	id, err := desk.NameOf("use", r.GetUse(), schema.CardUse)
	if err != nil {
		return nil, err
	}
	var of schema.RecordID
	if err := c.look(ctx, func(k *clerk) error {
		u, err := k.V.Get(id)
		if err == nil {
			of, err = schema.ParseRecordID(u.GetCardUse().GetCard())
		}
		return err
	}); err != nil {
		return nil, err
	}
	back, err := c.act(ctx, "takeback", r.GetRequestId(), nil, func(k *clerk) (zero schema.RecordID, err error) {
		h, err := k.hold(of)
		if err != nil {
			return zero, err
		}
		at := slices.IndexFunc(h.stand.Counting, func(u card.Use) bool { return act.Bare(u.Name) == id.String() })
		if at < 0 {
			return zero, schema.Invalid("use", "is taken back already")
		}
		was := h.stand.Counting[at]
		if was.GetAmount() != 0 {
			return zero, schema.Invalid("use", "stored money comes back with the payment: reverse that")
		}
		m := &branchlinev1.CardUse{
			Card: was.Card, Customer: was.Customer, Vehicle: was.Vehicle, Order: was.Order, Line: was.Line, Branch: proto.String(string(k.ID.Branch)), Day: &k.Today,
			UsedAt: proto.Int64(k.Now.UnixMilli()), Uses: proto.Int32(-was.GetUses()), By: proto.String(k.Caller.Staff), Reverses: act.Ref(id), Reason: proto.String(r.GetReason()),
		}
		res, err := k.Put(store.Edit{Kind: schema.CardUse, Message: m})
		if err != nil {
			return zero, err
		}
		return res.ID, k.dropLine(was.GetLine(), r.GetReason())
	})
	if err != nil {
		return nil, err
	}
	return c.cardOf(ctx, of, schema.ResourceName(schema.CardUse, back))
}

// dropLine retires the line of a use that was taken back, where it is this branch's.
func (k *clerk) dropLine(line, reason string) error {
	if line == "" {
		return nil
	}
	id, err := schema.ParseRecordID(line)
	if err != nil {
		return err
	}
	r, err := k.V.Get(id)
	if errors.Is(err, schema.ErrNotFound) {
		return nil
	}
	if err != nil || r.GetHome() != string(k.ID.Branch) {
		return err
	}
	_, err = k.Put(store.Edit{
		Kind: schema.ServiceLine, ID: id, Etag: r.GetEtag(), Mask: []string{"retired_at", "retired_reason"},
		Message: &branchlinev1.ServiceLine{RetiredAt: proto.Int64(k.Now.UnixMilli()), RetiredReason: &reason},
	})
	return err
}
