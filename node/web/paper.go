package web

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/code"
	"branchline/schema/look/front"
	"branchline/schema/phone"
)

// paper is what the sheets to print have in common: job card, quote and settlement of an order. A sheet stands in the
// usual frame, so that search box, scanner and keys go on working; printed is the sheet alone.
type paper struct {
	look.Frame
	Letter   front.Letterhead
	Number   string
	Bars     string // the number's Code 128 as a path, barsHigh modules high; "" where it has none
	BarsWide int    // in modules
	Plate    string
	Printed  string
	Car      []paperFact
	Back     string // the order's page
	Money    string // that of its money, from a sheet for the customer
	Tongue   look.Lang
	Tongues  []tabLink     // a sheet for the customer in each language; none of one that stays in the house
	Sheet    template.HTML // a sheet for the customer, in Tongue

	r *branchlinev1.Record
	o *branchlinev1.ServiceOrder
	// party is the customer, nil where there is none or the caller sees no customers.
	party *branchlinev1.Customer
	// in is who asks, as a reader of Tongue.
	in *ask
}

const barsHigh = 40

// paperFact is a fact in the grid at a sheet's head. One without a text leaves room to write it by hand.
type paperFact struct {
	Label, Text, More string
	Form              string // plate, vin, due, or "" for plain
	Two               bool   // twice as wide
}

// paper reads the order a sheet is of, called by the word of a key. One for the customer is in their language, and what
// stands around it in the reader's. schema.ErrNotFound for one of another company: it is that branch's to print.
func (s *Site) paper(a *ask, title string, forCustomer bool) (paper, error) {
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "serviceOrders/" + a.id})
	if err != nil {
		return paper{}, err
	}
	o := r.GetServiceOrder()
	if r.GetShared() {
		return paper{}, fmt.Errorf("web: print %s: %w", r.GetName(), schema.ErrNotFound)
	}
	p := paper{
		Frame: a.frame(joinNew(a.T(title), cmp.Or(o.GetNumber(), o.GetPlate())), "orders"), Letter: a.Names().Letterhead(cmp.Or(o.GetBranch(), a.branch())),
		Number: o.GetNumber(), Plate: o.GetPlate(), Back: "/" + r.GetName(), r: r, o: o,
		Tongue: a.Lang, in: a,
	}
	if bars, err := code.Code128(o.GetNumber()); err == nil { // an order taken over from another system may have a number no scanner reads
		p.Bars, p.BarsWide = bars.Path(barsHigh), bars.Width()
	}
	if p.party, err = a.party(r); err != nil {
		return p, err
	}
	if forCustomer {
		if p.Tongue, err = a.tongue(a.Query("in"), p.party); err != nil {
			return p, err
		}
		if a.May("GET /serviceOrders/{id}/money") {
			p.Money = p.Back + "/money"
		}
		p.Tongues, p.in = a.tongues(a.R.URL.Path, a.R.URL.Query(), p.Tongue), a.in(p.Tongue)
		a = p.in
	}
	p.Printed = a.T("paper.printed", a.s.look.Day(a.Now)+" "+a.s.look.Clock(a.Now), a.Names().Person(a.Who.Staff, a.Who.Account))
	p.Car = []paperFact{
		{Label: a.T("paper.plate"), Text: o.GetPlate(), Form: "plate"},
		{Label: a.T("paper.model"), Text: o.GetModel()},
		{Label: "VIN", Text: o.GetVin(), Form: "vin", Two: true},
	}
	return p, nil
}

// instant is a day and clock time in full: paper is read on another day.
func (a *ask) instant(ms int64) string {
	if ms == 0 {
		return ""
	}
	return a.s.look.Day(ms) + " " + a.s.look.Clock(ms)
}

func kilometres(n int64) string {
	if n == 0 {
		return ""
	}
	return look.Num(n) + " km"
}

// people are the cells of who brought the car; none for those who see no customers.
func (p *paper) people(a *ask) []paperFact {
	if !a.Reads(schema.Customer) {
		return nil
	}
	who := paperFact{Label: a.T("paper.customer"), Text: p.party.GetName()}
	if by := p.o.GetBroughtBy(); by != "" && by != who.Text {
		who.More = a.T("paper.brought", joinNew(by, shortPhone(p.o.GetBroughtPhone())))
	}
	return []paperFact{who, {Label: a.T("paper.phone"), Text: maskedPhone(p.party)}}
}

// shortPhone shows enough of a number to tell two people apart; "" for what is none.
func shortPhone(number string) string {
	if n := phone.Parse(number, ""); len(n) > 0 {
		return n[0].Short()
	}
	return ""
}

// numbered is a line of an order with its number on paper: that of its complaint, and its own within it.
type numbered struct {
	*branchlinev1.ServiceLine
	No        string
	Complaint string // another one than the order's, at its first line
}

// lines are an order's, in their order, those of one complaint behind each other.
func (s *Site) paperLines(a *ask, p *paper) ([]numbered, error) {
	all, err := a.linesOf(p.r.GetName())
	if err != nil {
		return nil, err
	}
	var about []string
	of := map[string][]numbered{}
	for _, r := range all {
		l := r.GetServiceLine()
		if l.GetRetiredAt() != 0 {
			continue
		}
		c := cmp.Or(l.GetComplaint(), p.o.GetComplaint())
		if of[c] == nil {
			about = append(about, c)
		}
		n := numbered{ServiceLine: l, No: fmt.Sprintf("%d.%d", slices.Index(about, c)+1, len(of[c])+1)}
		if len(of[c]) == 0 && c != p.o.GetComplaint() {
			n.Complaint = c
		}
		of[c] = append(of[c], n)
	}
	var out []numbered
	for _, c := range about {
		out = append(out, of[c]...)
	}
	return out, nil
}

// what is a line in words: what is done or replaced, and beside it what else is known of it.
func (n numbered) what() (item, more string) {
	item = strings.TrimSpace(cmp.Or(n.GetItem(), n.GetPartName(), n.GetCorrection()))
	if name := n.GetPartName(); name != item {
		more = name
	}
	return item, more
}

// said is the last answer of the customer to a line: when, how, who and by which phone.
func (a *ask) said(l *branchlinev1.ServiceLine) string {
	var last *branchlinev1.Approval
	for _, x := range l.GetApprovals() {
		if last == nil || x.GetAt() >= last.GetAt() {
			last = x
		}
	}
	if last == nil {
		return ""
	}
	out := a.instant(last.GetAt())
	if last.GetWay() != branchlinev1.ApprovalWay_APPROVAL_WAY_UNSPECIFIED {
		out = joinNew(out, a.s.look.Word(a.Lang, "approvalway", last.GetWay()))
	}
	return joinNew(joinNew(out, last.GetSaidBy()), shortPhone(last.GetPhone()))
}

// prints are the sheets of an order the caller may print: a panel of the order's page.
type prints struct{ Card, Quote, Bill string }

func (a *ask) prints(r *branchlinev1.Record) prints {
	var out prints
	if r.GetShared() {
		return out
	}
	for _, x := range []struct {
		to   *string
		name string
	}{{&out.Card, "jobcard"}, {&out.Quote, "quote"}, {&out.Bill, "settlement"}} {
		if a.May("GET /serviceOrders/{id}/" + x.name) {
			*x.to = "/" + r.GetName() + "/" + x.name
		}
	}
	return out
}
