package counter

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/till"
	"branchline/sync/desk"
)

const (
	onAccount = branchlinev1.PayMethod_METHOD_ON_ACCOUNT
	byCard    = branchlinev1.PayMethod_METHOD_CARD
)

// entry is what all entries of an act have in common.
type entry struct {
	order, customer, settlement string
	payer                       branchlinev1.Payer
	purpose                     branchlinev1.PayPurpose
	card                        string // of the sale of one
	approved                    string
	reason                      string
}

// sum is what the tenders come to. ErrInvalid for what no tender is.
func sum(tenders []*branchlinev1.Tender) (int64, error) {
	var total int64
	cards := 0
	for i, t := range tenders {
		at := fmt.Sprintf("tenders.%d.", i)
		switch t.GetMethod() {
		case 0:
			return 0, schema.Invalid(at+"method", "value is required")
		case byCard:
			if cards++; cards > 1 {
				return 0, schema.Invalid(at+"card", "one card at a time")
			}
			if t.GetCard() == "" {
				return 0, schema.Invalid(at+"card", "say which card")
			}
		}
		if total += t.GetAmount(); total < 0 || total > 1<<50 {
			return 0, schema.Invalid(at+"amount", "is too much")
		}
	}
	return total, nil
}

// enter writes one entry of the till for each tender.
func (k *clerk) enter(e entry, tenders []*branchlinev1.Tender) (first schema.RecordID, err error) {
	day, err := k.day()
	if err != nil {
		return first, err
	}
	for i, t := range tenders {
		p := &branchlinev1.Payment{
			Branch: proto.String(string(k.ID.Branch)), Day: &day, At: proto.Int64(k.Now.UnixMilli()), Method: t.GetMethod().Enum(),
			Purpose: e.purpose.Enum(), Amount: proto.Int64(t.GetAmount()), Currency: proto.String("CNY"), Cashier: proto.String(k.Caller.Staff),
			Payer: payerOf(e.payer).Enum(),
		}
		for _, f := range []struct {
			to *(*string)
			is string
		}{
			{&p.Order, e.order},
			{&p.Customer, e.customer},
			{&p.Settlement, e.settlement},
			{&p.Card, e.card},
			{&p.Reference, t.GetReference()},
			{&p.ApprovedBy, e.approved},
			{&p.Reason, e.reason},
		} {
			if f.is != "" {
				*f.to = &f.is
			}
		}
		if t.GetMethod() == byCard {
			id, err := desk.NameOf("card", t.GetCard(), schema.PackageCard)
			if err != nil {
				return first, err
			}
			p.Card = act.Ref(id)
		}
		number, err := k.B.Number(schema.Payment, day)
		if err != nil {
			return first, err
		}
		p.Number = &number
		res, err := k.Put(store.Edit{Kind: schema.Payment, Message: p})
		if err != nil {
			return first, err
		}
		if i == 0 {
			first = res.ID
		}
	}
	return first, nil
}

// mayOwe tells whose word it takes that a customer owes so much more: "" when the limit allows it.
func (k *clerk) mayOwe(customer string, more, owed, limit int64) (string, error) {
	switch {
	case more == 0:
		return "", nil
	case customer == "":
		return "", schema.Invalid("tenders", "what stands on account needs a customer")
	case owed+more <= limit:
		return "", nil
	}
	boss, err := k.manager()
	if err != nil && !k.word.Known() {
		return "", schema.Invalid("tenders", "the customer would owe %s, the limit is %s: a manager's PIN is needed", till.Text(owed+more), till.Text(limit))
	}
	return boss, err
}

// left is what the tenders put on account.
func left(tenders []*branchlinev1.Tender) int64 {
	var n int64
	for _, t := range tenders {
		if t.GetMethod() == onAccount {
			n += t.GetAmount()
		}
	}
	return n
}

// payable checks a payment against the account: how much, and for what it is.
func (k *clerk) payable(a *account, r *branchlinev1.TakePaymentRequest) (entry, error) {
	p := payerOf(r.GetPayer())
	total, err := sum(r.GetTenders())
	if err != nil {
		return entry{}, err
	}
	if a.etag(p) != r.GetEtag() {
		return entry{}, act.Changed()
	}
	x := a.of(p)
	e := entry{order: a.id.String(), customer: a.order.GetCustomer(), payer: p, purpose: branchlinev1.PayPurpose_PURPOSE_DEPOSIT}
	if x.InForce != nil {
		e.settlement, e.purpose = x.InForce.ID, branchlinev1.PayPurpose_PURPOSE_PART
		if total == x.Open {
			e.purpose = branchlinev1.PayPurpose_PURPOSE_SETTLEMENT
		}
		if total > x.Open {
			return e, schema.Invalid("tenders", "is more than is owed: %s", till.Text(max(x.Open, 0)))
		}
	}
	credit := left(r.GetTenders())
	if credit > 0 && x.InForce == nil {
		return e, schema.Invalid("tenders", "settle first: only what is settled goes on account")
	}
	if credit > 0 && p != branchlinev1.Payer_PAYER_CUSTOMER {
		return e, schema.Invalid("tenders", "only the customer's own part goes on account: what others owe stays open in the order")
	}
	e.approved, err = k.mayOwe(a.order.GetCustomer(), credit, a.owed, a.credit)
	return e, err
}

// TakePayment takes money for one payer of an order.
func (c *Counter) TakePayment(ctx context.Context, r *branchlinev1.TakePaymentRequest) (*branchlinev1.OrderAccount, error) {
	take := func(k *clerk) (schema.RecordID, error) {
		a, err := k.account(r.GetOrder())
		if err == nil {
			err = k.mine(a)
		}
		if err != nil {
			return schema.RecordID{}, err
		}
		e, err := k.payable(a, r)
		if err != nil {
			return schema.RecordID{}, err
		}
		if k.B == nil {
			return schema.RecordID{}, nil
		}
		return k.enter(e, r.GetTenders())
	}
	id, err := c.withCard(ctx, "pay", r.GetRequestId(), r.GetApproval(), r.GetTenders(), r.GetOrder(), take)
	if err != nil {
		return nil, err
	}
	return c.accountOf(ctx, r.GetOrder(), schema.ResourceName(schema.Payment, id))
}

// Refund gives money back, by a manager's word: what was paid beyond what is owed, or a deposit.
func (c *Counter) Refund(ctx context.Context, r *branchlinev1.RefundRequest) (*branchlinev1.OrderAccount, error) {
	id, err := c.act(ctx, "refund", r.GetRequestId(), r.GetApproval(), func(k *clerk) (zero schema.RecordID, err error) {
		a, err := k.account(r.GetOrder())
		if err == nil {
			err = k.mine(a)
		}
		if err != nil {
			return zero, err
		}
		p := payerOf(r.GetPayer())
		x := a.of(p)
		back := x.Paid
		if x.InForce != nil {
			back = min(back, max(-x.Open, 0))
		}
		switch {
		case a.etag(p) != r.GetEtag():
			return zero, act.Changed()
		case !slices.Contains(till.Drawer(), r.GetMethod()):
			return zero, schema.Invalid("method", "money is given back in a form it is kept in")
		case r.GetAmount() > back:
			return zero, schema.Invalid("amount", "is more than there is to give back: %s", till.Text(back))
		}
		boss, err := k.manager()
		if err != nil {
			return zero, err
		}
		e := entry{
			order: a.id.String(), customer: a.order.GetCustomer(), payer: p, purpose: branchlinev1.PayPurpose_PURPOSE_REFUND,
			approved: boss, reason: r.GetReason(),
		}
		if x.InForce != nil {
			e.settlement = x.InForce.ID
		}
		return k.enter(e, []*branchlinev1.Tender{{Method: r.GetMethod(), Amount: -r.GetAmount(), Reference: r.GetReference()}})
	})
	if err != nil {
		return nil, err
	}
	return c.accountOf(ctx, r.GetOrder(), schema.ResourceName(schema.Payment, id))
}

// purse is what a customer has on account, and their cards.
func (k *clerk) purse(name string) (*branchlinev1.Purse, error) {
	for _, kind := range []schema.Kind{schema.Customer, schema.Payment, schema.PackageCard} {
		if err := k.Caller.CheckRead(access.Node, kind); err != nil {
			return nil, err
		}
	}
	id, err := desk.NameOf("customer", name, schema.Customer)
	if err != nil {
		return nil, err
	}
	members, _, credit, err := k.customer(id.String())
	if err != nil {
		return nil, err
	}
	p := &branchlinev1.Purse{Customer: schema.ResourceName(schema.Customer, id), CreditLimit: credit, Online: k.online()}
	if p.Owed, p.Entries, err = k.owed(members); err != nil {
		return nil, err
	}
	h := sha256.New()
	for _, e := range p.Entries {
		fmt.Fprintln(h, e.GetName())
	}
	p.Etag = hex.EncodeToString(h.Sum(nil)[:12])
	p.Cards, err = k.cards(members, "")
	return p, err
}

// GetPurse tells what a customer has on account, and their cards.
func (c *Counter) GetPurse(ctx context.Context, r *branchlinev1.GetPurseRequest) (*branchlinev1.Purse, error) {
	return c.purseOf(ctx, r.GetCustomer())
}

func (c *Counter) purseOf(ctx context.Context, customer string) (out *branchlinev1.Purse, err error) {
	err = c.look(ctx, func(k *clerk) error {
		out, err = k.purse(customer)
		return err
	})
	return out, err
}

// PayOff takes money for what a customer has on account.
func (c *Counter) PayOff(ctx context.Context, r *branchlinev1.PayOffRequest) (*branchlinev1.Purse, error) {
	pay := func(k *clerk) (schema.RecordID, error) {
		p, err := k.purse(r.GetCustomer())
		if err != nil {
			return schema.RecordID{}, err
		}
		total, err := sum(r.GetTenders())
		switch {
		case err != nil:
			return schema.RecordID{}, err
		case p.GetEtag() != r.GetEtag():
			return schema.RecordID{}, act.Changed()
		case left(r.GetTenders()) > 0:
			return schema.RecordID{}, schema.Invalid("tenders", "what is owed is not paid by owing it")
		case total > p.GetOwed():
			return schema.RecordID{}, schema.Invalid("tenders", "is more than is owed: %s", till.Text(max(p.GetOwed(), 0)))
		}
		if k.B == nil {
			return schema.RecordID{}, nil
		}
		return k.enter(entry{customer: act.Bare(p.GetCustomer()), purpose: branchlinev1.PayPurpose_PURPOSE_ACCOUNT}, r.GetTenders())
	}
	if _, err := c.withCard(ctx, "payoff", r.GetRequestId(), nil, r.GetTenders(), "", pay); err != nil {
		return nil, err
	}
	return c.purseOf(ctx, r.GetCustomer())
}
