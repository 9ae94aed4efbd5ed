package web

import (
	"strings"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
	"branchline/schema/till"
)

// priced is the table of a sheet with prices: labour, parts and the rest stand apart.
type priced struct {
	Parts   []pricedPart
	Answers bool // who pays each line and what the customer said to it stand beside it
}

// pricedPart is the lines of one kind.
type pricedPart struct {
	Head, Sum string
	Rows      []pricedRow
}

type pricedRow struct {
	No, Item, More, Code   string
	Qty, Unit, Off, Amount string
	Payer                  branchlinev1.Payer
	State                  branchlinev1.LineState
	Ask, Out               bool // to be answered; declined
}

// cost is what a line comes to and the tax in it, answered or not.
func (n numbered) cost() (amount, tax int64) {
	amount = n.GetAmount() - n.GetDiscount()
	return amount, till.Share(amount, int64(n.GetTaxRate()), 10_000+int64(n.GetTaxRate()))
}

// part is 0 for labour, 1 for parts, 2 for the rest. A line that does not say is known by what it has.
func (n numbered) part() int {
	switch n.GetKind() {
	case branchlinev1.LineKind_LABOUR:
		return 0
	case branchlinev1.LineKind_PART:
		return 1
	case branchlinev1.LineKind_LINE_KIND_UNSPECIFIED:
		switch {
		case n.GetPartQuantity() > 0 || n.GetPartCode() != "":
			return 1
		case n.GetBilledMinutes() > 0:
			return 0
		}
	}
	return 2
}

// priced are lines with their prices, in their parts; a part without lines is left out. What was declined counts for
// nothing.
func (a *ask) priced(lines []numbered, currency string) priced {
	parts := []pricedPart{{Head: a.T("paper.labour")}, {Head: a.T("paper.parts")}, {Head: a.T("paper.rest")}}
	var sums [3]int64
	for _, l := range lines {
		amount, _ := l.cost()
		i := l.part()
		row := pricedRow{
			No: l.No, Code: l.GetPartCode(), Amount: look.Money(amount, currency), Payer: payerOr(l.GetPayer()), State: l.GetState(),
			Ask: l.GetState() == branchlinev1.LineState_LINE_PROPOSED, Out: l.GetState() == branchlinev1.LineState_LINE_DECLINED,
		}
		row.Item, row.More = l.what()
		if i != 0 && i != 1 {
			row.More = joinNew(row.More, a.s.look.Word(a.Lang, "kind", l.GetKind()))
		}
		switch n, q := l.GetBilledMinutes(), l.GetPartQuantity(); {
		case q > 0:
			row.Qty = look.Qty(q)
			if q != 1000 && l.GetAmount()*1000%q == 0 {
				row.Unit = look.Money(l.GetAmount()*1000/q, currency)
			}
		case n > 0:
			row.Qty = say.Hours(n)
			if l.GetAmount()*60%n == 0 {
				row.Unit = look.Money(l.GetAmount()*60/n, currency)
			}
		}
		if l.GetDiscount() != 0 {
			row.Off = look.Money(-l.GetDiscount(), currency)
		}
		if m, km := l.GetGuaranteeMonths(), l.GetGuaranteeKm(); m > 0 || km > 0 {
			row.More = joinNew(row.More, a.T("paper.line_guarantee", m, km))
		}
		parts[i].Rows = append(parts[i].Rows, row)
		if !row.Out {
			sums[i] += amount
		}
	}
	out := parts[:0]
	for i, p := range parts {
		if p.Sum = look.Money(sums[i], currency); len(p.Rows) > 0 {
			out = append(out, p)
		}
	}
	return priced{Parts: out}
}

// currencyOf is the one the lines of an order stand in.
func currencyOf(lines []numbered) string {
	for _, l := range lines {
		if l.GetCurrency() != "" {
			return l.GetCurrency()
		}
	}
	return "CNY"
}

// titleText is what a fapiao of the customer bears, in one line.
func (a *ask) titleText(t *branchlinev1.InvoiceTitle) string {
	return strings.Join(strings.Fields(strings.Join([]string{t.GetTitle(), t.GetTaxNumber(), t.GetBank(), t.GetBankAccount(), t.GetAddress(), say.Phone(t.GetPhone())}, " ")), " ")
}
