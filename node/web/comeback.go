package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// affairs is what an order has to do with others: the sister branch it was passed to, what it comes back of and what came
// back of it, insurers and makers that are asked to pay.
type affairs struct {
	Passage   passage
	Comebacks []comebackRow
	Claims    []claimRow
	NewClaim  string
	Edit      string     // the form of the order's details
	Again     []siteLink // reception of a comeback: of the order, and of each of its lines
	Back      bool       // another order came back of this one
	Show      bool
}

// comebackRow is a car that came again.
type comebackRow struct {
	Own              bool // it is the order itself that came back of another
	Href, OldHref    string
	Plate, Number    string
	Site, Day        string
	Text             string // what did not hold: site, day, order and line; of a list the line alone
	Cause, Bearer    string
	Technician, Days string // of the work that did not hold; between the two
	Guarantee        string
	Covered          bool
}

func (a *ask) affairs(r *branchlinev1.Record, lines []*branchlinev1.Record) (affairs, error) {
	o, name := r.GetServiceOrder(), r.GetName()
	v := affairs{Passage: a.passage(r)}
	mine := r.GetHome() == a.branch()
	if mine && a.Writes(schema.Claim) && o.GetState() < branchlinev1.OrderState_HANDED_OVER {
		v.NewClaim = "/claims/new?order=" + idOf(name)
	}
	if mine && a.Writes(schema.ServiceOrder) && a.May("GET /serviceOrders/{id}/edit") {
		v.Edit = "/" + name + "/edit"
	}
	v.Again = a.againLinks(r, lines)
	list, err := a.s.c.Workshop.ListComebacks(a.R.Context(), &branchlinev1.ListComebacksRequest{Order: name})
	if err != nil {
		return v, err
	}
	for _, c := range list.GetComebacks() {
		row := a.comebackRow(c)
		row.Own = c.GetOrder().GetName() == name
		if row.Own {
			row.Href = row.OldHref
			old := c.GetOld().GetServiceOrder()
			row.Text = strings.Join(nonEmpty(a.SiteName(old.GetBranch()), old.GetDay(), old.GetNumber(), row.Text), " · ")
		} else {
			v.Back = true
			row.Text = strings.Join(nonEmpty(row.Site, row.Day, row.Number), " · ")
		}
		v.Comebacks = append(v.Comebacks, row)
	}
	if a.Reads(schema.Claim) {
		claims, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "claims", Order: name})
		if err != nil {
			return v, err
		}
		for _, c := range claims {
			v.Claims = append(v.Claims, a.claimRow(c))
		}
	}
	v.Show = v.Passage.From != "" || v.Passage.Form != "" || v.Back || len(v.Claims) > 0 || v.NewClaim != "" || v.Edit != "" || len(v.Again) > 0
	return v, nil
}

// againHref opens reception for a car that comes again with an order, or a line of it.
func againHref(r *branchlinev1.Record, line, complaint string) string {
	q := url.Values{"comeback_of": {idOf(r.GetName())}}
	for k, v := range map[string]string{"vehicle": r.GetServiceOrder().GetVehicle(), "comeback_line": line, "complaint": complaint} {
		if v != "" {
			q.Set(k, v)
		}
	}
	return "/serviceOrders/new?" + q.Encode()
}

// againLinks open reception for a car that comes again with the order, or a line of it; none while it is open.
func (a *ask) againLinks(r *branchlinev1.Record, lines []*branchlinev1.Record) []siteLink {
	whole := a.receiveAgain(r)
	if whole == "" {
		return nil
	}
	out := []siteLink{{Href: whole, Text: a.T("again.receive")}}
	for _, x := range lines {
		l := x.GetServiceLine()
		if l.GetState() == branchlinev1.LineState_LINE_DONE || l.GetState() == branchlinev1.LineState_LINE_APPROVED {
			out = append(out, siteLink{
				Href: againHref(r, idOf(x.GetName()), cmp.Or(l.GetComplaint(), r.GetServiceOrder().GetComplaint())), Text: cmp.Or(lineTitle(l), a.T("order.line")),
			})
		}
	}
	return out
}

func (a *ask) comebackRow(c *branchlinev1.Comeback) comebackRow {
	o, l := c.GetOrder().GetServiceOrder(), c.GetLine().GetServiceLine()
	row := comebackRow{
		Href: a.Href(c.GetOrder().GetName()), Plate: o.GetPlate(), Number: o.GetNumber(), Site: a.SiteName(o.GetBranch()), Day: o.GetDay(),
		Text: cmp.Or(lineTitle(l), c.GetOld().GetServiceOrder().GetComplaint(), a.T("again.unknown")), Cause: o.GetComebackCause(), Covered: c.GetCovered(),
		Technician: a.Names().Person(cmp.Or(l.GetTechnician(), c.GetOld().GetServiceOrder().GetTechnician())), Bearer: a.bearerName(o.GetComebackBorneBy()),
	}
	if c.GetOld() != nil {
		row.OldHref = a.Href(c.GetOld().GetName())
	}
	if c.Days != nil {
		row.Days = strconv.Itoa(int(c.GetDays()))
	}
	row.Guarantee = a.guaranteeWords(c)
	return row
}

// guaranteeWords says until when the repair guarantee holds, and whether it covers the car as it came.
func (a *ask) guaranteeWords(c *branchlinev1.Comeback) string {
	var until []string
	if c.GetGuaranteeUntil() != "" {
		until = append(until, c.GetGuaranteeUntil())
	}
	if c.GetGuaranteeKm() > 0 {
		until = append(until, strconv.FormatInt(c.GetGuaranteeKm(), 10)+" km")
	}
	switch {
	case len(until) == 0:
		return a.T("again.no_guarantee")
	case c.GetCovered():
		return a.T("again.covered", strings.Join(until, " / "))
	}
	return a.T("again.over", strings.Join(until, " / "))
}

// bearers are who bears a comeback beside branches and colleagues.
func bearers() []string { return []string{"supplier", "maker", "customer"} }

// bearerName is what who bears a comeback is called: a branch, a colleague, or as it was written.
func (a *ask) bearerName(code string) string {
	switch {
	case slices.Contains(a.Names().Sites(), code):
		return a.SiteName(code)
	case code == "supplier":
		return a.T("again.supplier")
	case code == "maker":
		return a.T("again.maker")
	case code == "customer":
		return a.T("word.customer")
	}
	return a.Names().Person(code)
}

// bearerCode is what bearerName calls so; the text itself where nobody is.
func (a *ask) bearerCode(said string) string {
	for _, code := range slices.Concat(a.Names().Sites(), bearers(), a.Names().Colleagues(a.branch(), branchlinev1.Role_ROLE_TECHNICIAN)) {
		if a.bearerName(code) == said {
			return code
		}
	}
	return said
}

type comebacksView struct {
	look.Frame
	Since  string
	Rows   []comebackRow
	Counts []comebackCount
	More   bool
}

// comebackCount is how often something stands in the list, the most often first.
type comebackCount struct {
	Title string
	Rows  []savedRow
}

// comebackSpan is how many days back the list goes.
const comebackSpan = 180

// comebacks lists the cars that came again, for managers: by cause, technician of the work that did not hold, and who
// bears it.
func (s *Site) comebacks(a *ask) error {
	v := comebacksView{Frame: a.frame(a.T("again.list"), "orders"), Since: s.look.Day(s.c.Now().AddDate(0, 0, -comebackSpan).UnixMilli())}
	res, err := s.c.Workshop.ListComebacks(a.R.Context(), &branchlinev1.ListComebacksRequest{Since: v.Since})
	if err != nil {
		return err
	}
	v.More = res.GetMore()
	for _, c := range res.GetComebacks() {
		v.Rows = append(v.Rows, a.comebackRow(c))
	}
	if len(v.Rows) > 0 {
		v.Counts = []comebackCount{
			a.countBy(v.Rows, "again.by_cause", func(r comebackRow) string { return r.Cause }),
			a.countBy(v.Rows, "again.by_technician", func(r comebackRow) string { return r.Technician }),
			a.countBy(v.Rows, "again.by_bearer", func(r comebackRow) string { return r.Bearer }),
		}
	}
	return s.pages.comebacks.Render(a.W, http.StatusOK, v)
}

func (a *ask) countBy(rows []comebackRow, title string, by func(comebackRow) string) comebackCount {
	n := map[string]int{}
	for _, r := range rows {
		n[cmp.Or(by(r), a.T("again.unsaid"))]++
	}
	out := comebackCount{Title: a.T(title)}
	for label, count := range n {
		out.Rows = append(out.Rows, savedRow{label, strconv.Itoa(count)})
	}
	slices.SortFunc(out.Rows, func(x, y savedRow) int {
		return cmp.Or(cmp.Compare(n[y.Label], n[x.Label]), cmp.Compare(x.Label, y.Label))
	})
	return out
}

// receiveAgain is the reception of a car that comes again for an order; "" where it is not closed, is another company's
// or nobody here may take a car in.
func (a *ask) receiveAgain(r *branchlinev1.Record) string {
	o := r.GetServiceOrder()
	closed := o.GetState() == branchlinev1.OrderState_SETTLED || o.GetState() == branchlinev1.OrderState_HANDED_OVER
	if !closed || r.GetShared() || !a.May("GET /serviceOrders/new") || !a.Writes(schema.ServiceOrder) {
		return ""
	}
	return againHref(r, "", o.GetComplaint())
}

// affairLinks lead from the list of orders to those of claims, comebacks and loan cars.
func (a *ask) affairLinks() []siteLink {
	var out []siteLink
	for _, l := range []siteLink{{Href: "/claims", Text: a.T("claim.list")}, {Href: "/comebacks", Text: a.T("again.list")}, {Href: "/loans", Text: a.T("loan.title")}} {
		if a.May("GET " + l.Href) {
			out = append(out, l)
		}
	}
	return out
}
