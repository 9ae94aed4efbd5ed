package counter

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/till"
	"branchline/sync/desk"
)

// account is an order with its money.
type account struct {
	books
	id     schema.RecordID
	record *branchlinev1.Record
	order  *branchlinev1.ServiceOrder

	members []schema.RecordID // of the customer
	class   string
	credit  int64
	owed    int64
}

func (k *clerk) account(name string) (*account, error) {
	for _, kind := range []schema.Kind{schema.ServiceOrder, schema.Settlement, schema.Payment} {
		if err := k.Caller.CheckRead(access.Node, kind); err != nil {
			return nil, err
		}
	}
	id, err := desk.NameOf("order", name, schema.ServiceOrder)
	if err != nil {
		return nil, err
	}
	a := &account{id: id}
	if a.record, err = k.V.Get(id); err != nil {
		return nil, err
	}
	if a.order = a.record.GetServiceOrder(); a.order == nil {
		return nil, fmt.Errorf("%s: %w", name, schema.ErrNotFound)
	}
	if a.books, err = booksOf(k.V, id); err != nil {
		return nil, err
	}
	if a.members, a.class, a.credit, err = k.customer(a.order.GetCustomer()); err != nil {
		return nil, err
	}
	a.class = cmp.Or(a.class, a.order.GetMemberClass())
	a.owed, _, err = k.owed(a.members)
	return a, err
}

// mine refuses an order that another branch keeps: it is settled where it is.
func (k *clerk) mine(a *account) error {
	if a.record.GetHome() != string(k.ID.Branch) {
		return fmt.Errorf("the order is branch %s's, which settles it: %w", a.record.GetHome(), schema.ErrForbidden)
	}
	return nil
}

// of is the account of one payer; a zero one for a payer without.
func (a *account) of(p branchlinev1.Payer) till.Account {
	for _, x := range a.payers {
		if x.Payer == p {
			return x
		}
	}
	return till.Account{Payer: p}
}

// etag names what the account of a payer stands on: what the lines cost, the settlements and the entries.
func (a *account) etag(p branchlinev1.Payer) string {
	h := sha256.New()
	for _, r := range a.lines {
		l := r.GetServiceLine()
		if cost, _ := till.Cost(l); payerOf(l.GetPayer()) == p {
			fmt.Fprintln(h, r.GetName(), cost, l.GetKind())
		}
	}
	for _, s := range a.settled {
		if payerOf(s.GetPayer()) == p {
			fmt.Fprintln(h, s.ID)
		}
	}
	for _, e := range a.paid {
		if payerOf(e.GetPayer()) == p {
			fmt.Fprintln(h, e.ID)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// payerOf is who pays when nobody is named.
func payerOf(p branchlinev1.Payer) branchlinev1.Payer {
	return cmp.Or(p, branchlinev1.Payer_PAYER_CUSTOMER)
}

// memberDiscount is what the customer's class gives off the lines the customer pays.
func (k *clerk) memberDiscount(a *account, p branchlinev1.Payer) int64 {
	labour, part, ok := k.table.MemberDiscount(k.place(), a.class)
	if a.class == "" || !ok || p != branchlinev1.Payer_PAYER_CUSTOMER {
		return 0
	}
	var sum int64
	for _, l := range a.bodies() {
		if payerOf(l.GetPayer()) != p {
			continue
		}
		cost, _ := till.Cost(l)
		switch l.GetKind() {
		case branchlinev1.LineKind_LABOUR:
			sum += till.Share(cost, labour, 10_000)
		case branchlinev1.LineKind_PART:
			sum += till.Share(cost, part, 10_000)
		}
	}
	return sum
}

// limit is the largest discount somebody gives alone, in basis points.
func (k *clerk) limit(c access.Caller) int64 {
	var roles []string
	for _, r := range c.Roles {
		roles = append(roles, access.Name(r))
	}
	return k.table.DiscountLimit(k.place(), roles...)
}

// show is the account as the caller is told of it.
func (k *clerk) show(a *account, made ...string) (*branchlinev1.OrderAccount, error) {
	out := &branchlinev1.OrderAccount{
		Order: a.record.GetName(), Currency: "CNY", Settled: till.Settled(a.payers), State: a.order.GetState(), MemberClass: a.class,
		LimitBp: k.limit(k.Caller), Entries: a.rows, Owed: a.owed, CreditLimit: a.credit, Made: made,
	}
	for _, l := range a.bodies() {
		out.Currency = cmp.Or(l.GetCurrency(), out.Currency)
	}
	var err error
	if out.Day, err = k.day(); err != nil {
		return nil, err
	}
	for _, x := range a.payers {
		p := &branchlinev1.PayerAccount{
			Payer: x.Payer, Lines: x.Lines, Tax: x.Tax, Count: int32(x.Count), Due: x.Due, Paid: x.Paid, OnAccount: x.OnAccount, Open: x.Open,
			Drift: x.Drift, MemberDiscount: k.memberDiscount(a, x.Payer), Etag: a.etag(x.Payer),
		}
		if s := x.InForce; s != nil {
			p.Settlement, p.SettlementNumber = schema.KindOf(schema.Settlement).Collection+"/"+s.ID, s.GetNumber()
			p.Discount, p.Rounding = s.GetDiscount(), s.GetRounding()
		}
		out.Payers = append(out.Payers, p)
	}
	out.Cards, err = k.cards(a.members, a.order.GetVehicle())
	return out, err
}

// GetAccount tells how the payers of an order stand.
func (c *Counter) GetAccount(ctx context.Context, r *branchlinev1.GetAccountRequest) (*branchlinev1.OrderAccount, error) {
	return c.accountOf(ctx, r.GetOrder())
}

func (c *Counter) accountOf(ctx context.Context, order string, made ...string) (out *branchlinev1.OrderAccount, err error) {
	err = c.look(ctx, func(k *clerk) error {
		a, err := k.account(order)
		if err != nil {
			return err
		}
		out, err = k.show(a, made...)
		return err
	})
	return out, err
}

// owed is what the records of one customer have on account, and its entries.
func (k *clerk) owed(members []schema.RecordID) (int64, []*branchlinev1.TillEntry, error) {
	entries, err := k.V.About(schema.Payment, schema.Customer, members...)
	if err != nil {
		return 0, nil, err
	}
	entries = slices.DeleteFunc(entries, func(r *branchlinev1.Record) bool {
		p := r.GetPayment()
		return p.GetMethod() != branchlinev1.PayMethod_METHOD_ON_ACCOUNT && p.GetPurpose() != branchlinev1.PayPurpose_PURPOSE_ACCOUNT
	})
	paid, rows := payments(entries)
	var sum int64
	for _, n := range till.Owed(paid) {
		sum += n
	}
	return sum, rows, nil
}
