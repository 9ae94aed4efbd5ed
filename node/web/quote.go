package web

import (
	"net/http"
	"slices"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// quoteSheet is what the work is offered for: the customer ticks each line that is not answered yet.
type quoteSheet struct {
	paper
	Complaint string
	Lines     priced
	Sums      []sumRow
	Given     []given
	Advised   []pointSaid // found on the walk-round and not among the lines
}

// sumRow is a line under a sheet's table.
type sumRow struct {
	Label, Text string
	Strong      bool
}

func (s *Site) quote(a *ask) error {
	p, err := s.paper(a, "paper.quote", true)
	if err != nil {
		return err
	}
	a = p.in
	p.Car = append(p.Car,
		paperFact{Label: a.T("paper.in"), Text: a.instant(p.o.GetOpenedAt())},
		paperFact{Label: a.T("paper.km"), Text: kilometres(p.o.GetOdometerKm())},
		paperFact{Label: a.T("paper.promised"), Text: a.instant(p.o.GetPromisedAt())},
		paperFact{Label: a.T("paper.adviser"), Text: a.Names().Person(p.o.GetAdviser())},
	)
	for _, c := range p.people(a) {
		c.Two = true
		p.Car = append(p.Car, c)
	}
	lines, err := s.paperLines(a, &p)
	if err != nil {
		return err
	}
	acc, err := s.c.Counter.GetAccount(a.R.Context(), &branchlinev1.GetAccountRequest{Order: p.r.GetName()})
	if err != nil {
		return err
	}
	currency := currencyOf(lines)
	v := quoteSheet{paper: p, Complaint: p.o.GetComplaint(), Lines: a.priced(lines, currency), Sums: a.quoteSums(lines, currency)}
	v.Lines.Answers = true
	looked, err := s.lastInspection(a, &p)
	if err != nil {
		return err
	}
	if v.Advised, err = a.asks(looked); err != nil {
		return err
	}
	v.Advised = slices.DeleteFunc(v.Advised, func(x pointSaid) bool {
		names := a.pointNames(x.Item)
		return slices.ContainsFunc(lines, func(l numbered) bool { return slices.Contains(names, l.GetItem()) })
	})
	if v.Given, err = givenTo(a, lines); err != nil {
		return err
	}
	var paid int64
	for _, x := range acc.GetPayers() {
		paid += x.GetPaid()
	}
	if paid != 0 {
		v.Sums = append(v.Sums, sumRow{Label: a.T("paper.deposit"), Text: look.Money(paid, currency)})
	}
	if v.Sheet, err = s.written(s.pages.quote, p.Tongue, v); err != nil {
		return err
	}
	return s.pages.quote.Render(a.W, http.StatusOK, v)
}

// quoteSums is what is agreed, what is still to be answered, and both; each payer by itself when there are several.
func (a *ask) quoteSums(lines []numbered, currency string) []sumRow {
	var yes, asked, tax int64
	var payers []branchlinev1.Payer
	by := map[branchlinev1.Payer]int64{}
	for _, l := range lines {
		amount, t := l.cost()
		switch l.GetState() {
		case branchlinev1.LineState_LINE_DECLINED:
			continue
		case branchlinev1.LineState_LINE_APPROVED, branchlinev1.LineState_LINE_DONE:
			yes += amount
		default:
			asked += amount
		}
		tax += t
		p := payerOr(l.GetPayer())
		if _, known := by[p]; !known {
			payers = append(payers, p)
		}
		by[p] += amount
	}
	money := func(n int64) string { return look.Money(n, currency) }
	var out []sumRow
	if len(payers) > 1 {
		for _, p := range payers {
			out = append(out, sumRow{Label: a.s.look.Word(a.Lang, "payer", p), Text: money(by[p])})
		}
	}
	if asked != 0 {
		out = append(out, sumRow{Label: a.T("paper.agreed"), Text: money(yes)}, sumRow{Label: a.T("paper.asked"), Text: money(asked)})
	}
	out = append(out, sumRow{Label: a.T("paper.total"), Text: money(yes + asked), Strong: true})
	if tax != 0 {
		out = append(out, sumRow{Label: a.T("paper.tax"), Text: money(tax)})
	}
	return out
}
