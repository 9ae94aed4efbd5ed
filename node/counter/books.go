package counter

import (
	"slices"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/till"
)

// books are what the money of an order stands on, and how each payer stands by it.
type books struct {
	lines   []*branchlinev1.Record
	settled []till.Settlement
	paid    []till.Payment
	rows    []*branchlinev1.TillEntry
	payers  []till.Account
}

func booksOf(v *store.View, order schema.RecordID) (b books, err error) {
	if b.lines, err = v.About(schema.ServiceLine, schema.ServiceOrder, order); err != nil {
		return b, err
	}
	settled, err := v.About(schema.Settlement, schema.ServiceOrder, order)
	if err != nil {
		return b, err
	}
	for _, r := range settled {
		b.settled = append(b.settled, till.Settlement{ID: act.Bare(r.GetName()), Settlement: r.GetSettlement()})
	}
	entries, err := v.About(schema.Payment, schema.ServiceOrder, order)
	if err != nil {
		return b, err
	}
	// A card sold with the order is paid with it; one that was only sold beside it is money of its own.
	entries = slices.DeleteFunc(entries, func(r *branchlinev1.Record) bool {
		return r.GetPayment().GetPurpose() == branchlinev1.PayPurpose_PURPOSE_CARD_SALE
	})
	b.paid, b.rows = payments(entries)
	b.payers, err = till.Accounts(b.bodies(), b.settled, b.paid)
	return b, err
}

func (b books) bodies() []*branchlinev1.ServiceLine {
	out := make([]*branchlinev1.ServiceLine, len(b.lines))
	for i, r := range b.lines {
		out[i] = r.GetServiceLine()
	}
	return out
}

// Standing is how the money of an order stands, for acts that are not about money. It says no amounts: whoever acts may be
// one who sees none.
type Standing struct {
	Settled bool // every payer is
	Unpaid  bool // somebody owes something that is neither paid nor on account
	// Taken is what was taken for it and must be given back before the order is given up: "" for nothing.
	Taken Taken
}

// Taken says what was taken for an order.
type Taken string

// What is given back, and how.
const (
	TakenSettled Taken = "settled" // a settlement stands: it is reversed
	TakenMoney   Taken = "money"   // money was paid: it is refunded
	TakenCard    Taken = "card"    // a card was used: the use is taken back
)

// StandingOf reads how the money of an order stands.
func StandingOf(v *store.View, order schema.RecordID) (s Standing, err error) {
	b, err := booksOf(v, order)
	if err != nil {
		return s, err
	}
	uses, err := v.About(schema.CardUse, schema.ServiceOrder, order)
	if err != nil {
		return s, err
	}
	s.Settled = till.Settled(b.payers)
	s.Unpaid = slices.ContainsFunc(b.payers, func(a till.Account) bool { return a.Open > 0 })
	switch {
	case slices.ContainsFunc(b.payers, func(a till.Account) bool { return a.InForce != nil }):
		s.Taken = TakenSettled
	case slices.ContainsFunc(b.payers, func(a till.Account) bool { return a.Paid != 0 || a.OnAccount != 0 }):
		s.Taken = TakenMoney
	case used(uses):
		s.Taken = TakenCard
	}
	return s, nil
}

// used tells whether one of the uses was not taken back.
func used(uses []*branchlinev1.Record) bool {
	back := map[string]bool{}
	for _, r := range uses {
		back[r.GetCardUse().GetReverses()] = true
	}
	return slices.ContainsFunc(uses, func(r *branchlinev1.Record) bool {
		return r.GetCardUse().GetReverses() == "" && !back[act.Bare(r.GetName())]
	})
}
