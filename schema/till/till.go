// Package till counts money: what an order costs each payer, what is settled,
// paid and still owed, and how a day of the till closes.
//
// Rules:
//   - Settlements and payments are facts that are never edited. A reversal is a
//     fact of its own with the amounts negated, which names what it reverses; the
//     two count for nothing together, on their own days each.
//   - One order has a settlement in force for each payer at most. A payer is
//     settled when one stands; what the lines say afterwards is a difference that
//     is shown, until the settlement is reversed and made anew.
//   - A line costs its amount less its discount. Declined and proposed lines cost
//     nothing.
//   - Prices include tax. The tax in a price is rounded half to even, once a line.
//   - On account is owed: it is no money that came. It is paid by a later entry of
//     purpose ACCOUNT. The use of a card is money that came when the card was sold.
//   - A closed day stays closed: what is written later for it is a new entry on a
//     later day.
//
// All amounts are minor units of one currency; mixing currencies is the caller's
// error and is refused by Accounts.
package till

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Settlement is a settlement and its record's id (the text form).
type Settlement struct {
	ID string
	*branchlinev1.Settlement
}

// Payment is an entry of the till and its record's id (the text form).
type Payment struct {
	ID string
	*branchlinev1.Payment
}

// Account is how one payer of one order stands.
type Account struct {
	Payer branchlinev1.Payer
	// Lines is what the approved lines cost, Tax the tax in it, Count how many they are.
	Lines, Tax int64
	Count      int
	// InForce is the settlement that stands; nil while there is none.
	InForce *Settlement
	// Due is what is owed in all: the settlement's amount, or what the lines cost before there is one.
	Due int64
	// Paid is what came in less what went back, OnAccount what was put on account, Open what is still to be paid now.
	// Open below zero is to be given back.
	Paid, OnAccount, Open int64
	// Drift is what the lines cost now less what they cost when they were settled; 0 while nothing stands.
	Drift int64
}

// Cost is what a line costs its payer, and the tax in it.
func Cost(l *branchlinev1.ServiceLine) (amount, tax int64) {
	switch l.GetState() {
	case branchlinev1.LineState_LINE_APPROVED, branchlinev1.LineState_LINE_DONE:
	default:
		return 0, 0
	}
	if l.GetRetiredAt() != 0 {
		return 0, 0
	}
	amount = l.GetAmount() - l.GetDiscount()
	return amount, Share(amount, int64(l.GetTaxRate()), 10_000+int64(l.GetTaxRate()))
}

// Share is amount × part / whole, rounded half to even; whole is above zero. It serves discounts (basis points of
// 10,000) and the tax in a price (rate of 10,000 + rate).
func Share(amount, part, whole int64) int64 {
	neg := amount < 0
	if neg {
		amount = -amount
	}
	// amount × part may not fit: take the whole times first.
	q := amount / whole * part
	r := amount % whole * part
	q += r / whole
	switch twice := 2 * (r % whole); {
	case twice > whole, twice == whole && q%2 == 1:
		q++
	}
	if neg {
		return -q
	}
	return q
}

// Accounts are the payers of an order, by their number: those with a line that costs, a settlement or an entry.
// ErrInvalid if two currencies meet; a missing one is CNY.
func Accounts(lines []*branchlinev1.ServiceLine, settled []Settlement, paid []Payment) ([]Account, error) {
	by := map[branchlinev1.Payer]*Account{}
	at := func(p branchlinev1.Payer) *Account {
		if p == branchlinev1.Payer_PAYER_UNSPECIFIED {
			p = branchlinev1.Payer_PAYER_CUSTOMER
		}
		if by[p] == nil {
			by[p] = &Account{Payer: p}
		}
		return by[p]
	}
	money := ""
	one := func(c string) error {
		c = cmp.Or(c, "CNY")
		if money != "" && money != c {
			return schema.Invalid("currency", "%s and %s stand in one order", money, c)
		}
		money = c
		return nil
	}
	for _, l := range lines {
		amount, tax := Cost(l)
		if amount == 0 {
			continue
		}
		if err := one(l.GetCurrency()); err != nil {
			return nil, err
		}
		a := at(l.GetPayer())
		a.Lines += amount
		a.Tax += tax
		a.Count++
	}
	for _, s := range Standing(settled) {
		if err := one(s.GetCurrency()); err != nil {
			return nil, err
		}
		at(s.GetPayer()).InForce = &s
	}
	for _, p := range paid {
		if p.GetRetiredAt() != 0 {
			continue
		}
		if err := one(p.GetCurrency()); err != nil {
			return nil, err
		}
		a := at(p.GetPayer())
		if p.GetMethod() == branchlinev1.PayMethod_METHOD_ON_ACCOUNT {
			a.OnAccount += p.GetAmount()
		} else if p.GetPurpose() != branchlinev1.PayPurpose_PURPOSE_ACCOUNT {
			a.Paid += p.GetAmount()
		}
	}
	out := make([]Account, 0, len(by))
	for _, a := range by {
		a.Due = a.Lines
		if a.InForce != nil {
			a.Due = a.InForce.GetAmount()
			a.Drift = a.Lines - a.InForce.GetLinesAmount()
		}
		a.Open = a.Due - a.Paid - a.OnAccount
		out = append(out, *a)
	}
	slices.SortFunc(out, func(a, b Account) int { return cmp.Compare(a.Payer, b.Payer) })
	return out, nil
}

// Standing are the settlements in force: neither reversed nor reversals, and of several of one payer (two desks settled
// at once) the one made last. They are sorted by payer.
func Standing(all []Settlement) []Settlement {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Settlement) int {
		return cmp.Or(cmp.Compare(a.GetPayer(), b.GetPayer()), cmp.Compare(b.GetAt(), a.GetAt()), cmp.Compare(b.ID, a.ID))
	})
	undone := map[string]bool{}
	for _, s := range all {
		if s.GetReverses() != "" && s.GetRetiredAt() == 0 {
			undone[s.GetReverses()] = true
		}
	}
	var out []Settlement
	for _, s := range all {
		if s.GetReverses() != "" || undone[s.ID] || s.GetRetiredAt() != 0 {
			continue
		}
		if n := len(out); n > 0 && out[n-1].GetPayer() == s.GetPayer() {
			continue
		}
		out = append(out, s)
	}
	return out
}

// Settled tells that every account that owes or owed something has a settlement in force: the order may be called
// settled. An order without accounts is not.
func Settled(all []Account) bool {
	return len(all) > 0 && !slices.ContainsFunc(all, func(a Account) bool { return a.InForce == nil && (a.Count > 0 || a.Paid != 0 || a.OnAccount != 0) })
}

// Owed is what customers have on account: for each customer what was put there less what was paid for it since.
func Owed(all []Payment) map[string]int64 {
	out := map[string]int64{}
	for _, p := range all {
		switch {
		case p.GetRetiredAt() != 0 || p.GetCustomer() == "":
		case p.GetMethod() == branchlinev1.PayMethod_METHOD_ON_ACCOUNT:
			out[p.GetCustomer()] += p.GetAmount()
		case p.GetPurpose() == branchlinev1.PayPurpose_PURPOSE_ACCOUNT:
			out[p.GetCustomer()] -= p.GetAmount()
		}
	}
	return out
}

// Reversal is the entry that takes a settlement back; the caller sets number, day, at, by, approved_by and reason.
func Reversal(s Settlement) *branchlinev1.Settlement {
	neg := func(n int64) *int64 { return new(-n) }
	return &branchlinev1.Settlement{
		Order: s.Order, Customer: s.Customer, Branch: s.Branch, Payer: s.Payer, Currency: s.Currency, Reverses: &s.ID,
		LinesAmount: neg(s.GetLinesAmount()), Discount: neg(s.GetDiscount()), Rounding: neg(s.GetRounding()),
		Amount: neg(s.GetAmount()), TaxAmount: neg(s.GetTaxAmount()),
	}
}

// Drawer are the methods whose money is counted at the end of a day; the use of a card and what is on account are not.
func Drawer() []branchlinev1.PayMethod {
	return []branchlinev1.PayMethod{
		branchlinev1.PayMethod_METHOD_CASH, branchlinev1.PayMethod_METHOD_WECHAT, branchlinev1.PayMethod_METHOD_ALIPAY,
		branchlinev1.PayMethod_METHOD_BANK_CARD, branchlinev1.PayMethod_METHOD_TRANSFER,
	}
}

// Recorded sums a day's entries by method, in the order of Drawer; methods without an entry stand with 0.
func Recorded(day string, all []Payment) []*branchlinev1.CashCount {
	sums := map[branchlinev1.PayMethod]int64{}
	for _, p := range all {
		if p.GetDay() == day && p.GetRetiredAt() == 0 {
			sums[p.GetMethod()] += p.GetAmount()
		}
	}
	out := make([]*branchlinev1.CashCount, 0, len(Drawer()))
	for _, m := range Drawer() {
		out = append(out, &branchlinev1.CashCount{Method: &m, Recorded: new(sums[m])})
	}
	return out
}

// Difference is counted less recorded, over all methods.
func Difference(counts []*branchlinev1.CashCount) int64 {
	var sum int64
	for _, c := range counts {
		sum += c.GetCounted() - c.GetRecorded()
	}
	return sum
}

// EntryDay is the day a new entry counts on: today, or the day after the last closed one when today is closed already.
// Days are YYYY-MM-DD; closed are the days of the branch's closes.
func EntryDay(today string, closed []string) (string, error) {
	last := ""
	for _, d := range closed {
		last = max(last, d)
	}
	if last < today {
		return today, nil
	}
	d, err := time.Parse(time.DateOnly, last)
	if err != nil {
		return "", schema.Invalid("day", "%q is not a day YYYY-MM-DD", last)
	}
	return d.AddDate(0, 0, 1).Format(time.DateOnly), nil
}

// Text writes minor units as whole ones with two places, 1234.50: for sentences, where no language is known.
func Text(minor int64) string {
	sign := ""
	if minor < 0 {
		sign, minor = "-", -minor
	}
	return fmt.Sprintf("%s%d.%02d", sign, minor/100, minor%100)
}
