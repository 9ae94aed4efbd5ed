package web

import (
	"cmp"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/plate"
)

// duty is something that waits for the person at the desk, on the first page, under a key of its own.
type duty struct {
	Key        string // 1 to 9
	Mark, Tone string
	Text, Href string
	Plate      string
	Meta       string
}

// mostDuties is as many as there are keys; further ones are unfolded, up to maxDuties in all.
const mostDuties, maxDuties = 9, 60

// duties are what waits for the caller, what is most pressing first: late cars whose customers do not know, extra work
// nobody has answered, parts that have come, calls that are due, loan cars that are overdue, cars that stand ready, work to be judged, own changes that
// were not used as written. lookAt is how many of the last.
func (a *ask) duties(cars []*branchlinev1.BoardCar, lookAt int64) ([]duty, error) {
	var out []duty
	add := func(d duty) {
		if n := len(out); n < mostDuties {
			d.Key = string(rune('1' + n))
		}
		out = append(out, d)
	}
	talks := a.Writes(schema.Contact)
	car := func(c *branchlinev1.BoardCar, mark, tone, text, meta string) {
		add(duty{Mark: mark, Tone: tone, Text: text, Href: a.Href(c.GetOrder()), Plate: c.GetPlate(), Meta: meta})
	}
	who := func(c *branchlinev1.BoardCar) string {
		return cmp.Or(c.GetCustomerName(), plate.Format(c.GetPlate()), c.GetNumber())
	}
	mine := make([]*branchlinev1.BoardCar, 0, len(cars))
	for _, c := range cars {
		if a.isMine(c) {
			mine = append(mine, c)
		}
	}
	if talks {
		for _, c := range mine {
			if c.GetLate() && !a.knows(c) {
				car(c, "late", "b", a.T("duty.late", who(c)), a.T("duty.promised", a.s.look.When(a.Lang, a.Now, c.GetPromisedAt())))
			}
		}
		for _, c := range mine {
			if c.GetExtra() > 0 {
				car(c, "quoted", "", a.T("duty.extra", who(c)), a.T("duty.extra_lines", c.GetExtra()))
			}
		}
		calls, err := a.callsAboutParts()
		if err != nil {
			return nil, err
		}
		if n := len(calls); n > 0 {
			add(duty{Mark: "parts", Text: a.T("duty.parts"), Href: "/parts", Plate: calls[0].Card.Plate, Meta: a.T("duty.cars", n)})
		}
		due, err := a.s.c.Workshop.ListCalls(a.R.Context(), &branchlinev1.ListCallsRequest{Staff: a.Who.Staff})
		if err != nil {
			return nil, err
		}
		var names []string
		for _, r := range due.GetContacts() {
			names = append(names, "customers/"+r.GetContact().GetCustomer())
		}
		people, _, err := a.s.c.Views.Views(a.R.Context(), names)
		if err != nil {
			return nil, err
		}
		for _, r := range due.GetContacts() {
			c := r.GetContact()
			step := cmp.Or(c.GetNextStep(), c.GetSubject(), a.T("contact.title"))
			text := a.T("duty.call", step)
			if name := people["customers/"+c.GetCustomer()].GetCustomer().GetName(); name != "" {
				text = a.T("duty.call_whom", name, step)
			}
			add(duty{
				Mark: "quoted", Text: text, Meta: a.T("duty.due", c.GetNextOn()),
				Href: cmp.Or(a.Href("customers/"+c.GetCustomer()), a.Href("serviceOrders/"+c.GetOrder()), a.Href(r.GetName())),
			})
		}
		lent, err := a.s.c.Workshop.ListLoans(a.R.Context(), &branchlinev1.ListLoansRequest{})
		if err != nil {
			return nil, err
		}
		for _, l := range lent.GetLoans() {
			if l.GetLate() && a.isMine(l.GetCar()) {
				add(duty{Mark: "late", Tone: "w", Text: a.T("duty.loan", l.GetLoanCar()), Href: "/loans", Plate: l.GetCar().GetPlate(), Meta: a.T("duty.loan_due", a.s.look.When(a.Lang, a.Now, l.GetDue()))})
			}
		}
		for _, c := range mine {
			if c.GetState() == branchlinev1.OrderState_READY && c.GetToldAt() < c.GetSince() {
				car(c, "ready", "", a.T("duty.ready", who(c)), a.T("duty.ready_for", a.s.look.Span(a.Lang, c.GetSince(), a.Now)))
			}
		}
	}
	checks := a.Who.Has(branchlinev1.Role_ROLE_TECHNICIAN) || a.Who.Has(branchlinev1.Role_ROLE_BRANCH_MANAGER)
	for _, c := range cars {
		switch c.GetState() {
		case branchlinev1.OrderState_QUALITY_CHECK:
			if checks {
				car(c, "qc", "", a.T("duty.check"), c.GetComplaint())
			}
		case branchlinev1.OrderState_APPROVED, branchlinev1.OrderState_IN_WORK:
			if !talks && !c.GetWorking() && a.isMine(c) {
				car(c, "approved", "", a.T("duty.work"), c.GetComplaint())
			}
		}
	}
	if lookAt > 0 {
		add(duty{Mark: "soon", Tone: "w", Text: a.T("duty.look", lookAt), Href: "/line", Meta: a.T("duty.look_then")})
	}
	return out, nil
}

// isMine tells whether a car is the caller's to look after: an adviser's own and those nobody looks after, a technician's
// own, everybody's for who leads the house or stands at the front desk.
func (a *ask) isMine(c *branchlinev1.BoardCar) bool {
	switch {
	case a.Who.Has(branchlinev1.Role_ROLE_BRANCH_MANAGER), a.Who.Has(branchlinev1.Role_ROLE_CLERK):
		return true
	case a.Who.Has(branchlinev1.Role_ROLE_ADVISER):
		return c.GetAdviser() == "" || a.shows(whoMe, c)
	case a.Who.Has(branchlinev1.Role_ROLE_TECHNICIAN):
		return a.shows(whoMe, c)
	}
	return false
}
