package web

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// listView is a page of records of one kind. Pages follow each other by key, so that the hundred-thousandth is as quick
// as the first.
type listView struct {
	look.Frame
	Head    string
	Sub     string
	New     string
	NewText string
	Pick    string // where records are found by conditions
	Kind    string
	Columns []string
	Rows    []listRow
	Filters []siteLink
	Empty   string
	Pager   look.Pager
}

type listRow struct {
	Href  string
	Plate string
	Text  string
	Small string
	Cells []listCell
}

type listCell struct {
	Label string
	Text  string
	State any // an order's state, drawn with its mark
	VIN   string
	Site  *siteWord
	End   bool
}

const listSize = 50

// listPage reads one page of a collection and the way on. about names the customer a record's row speaks of, "" for none:
// row is given them whole, nil for who may not see them.
func (s *Site) listPage(a *ask, v *listView, req *branchlinev1.ListRecordsRequest, about func(*branchlinev1.Record) string, row func(r, who *branchlinev1.Record) listRow) error {
	req.PageSize, req.PageToken = listSize, a.Query("from")
	res, err := s.c.Records.ListRecords(a.R.Context(), req)
	if err != nil {
		return err
	}
	var names []string
	for _, r := range res.GetRecords() {
		if name := about(r); name != "" && a.Reads(schema.Customer) {
			names = append(names, name)
		}
	}
	people, _, err := s.c.Views.Views(a.R.Context(), names)
	if err != nil {
		return err
	}
	for _, r := range res.GetRecords() {
		v.Rows = append(v.Rows, row(r, people[about(r)]))
	}
	v.Pager = a.Pager("from", res.GetNextPageToken())
	if v.Pager.Some() {
		v.Sub = a.T("list.some", len(v.Rows))
	} else {
		v.Sub = a.T("list.all", len(v.Rows))
	}
	return s.pages.list.Render(a.W, http.StatusOK, *v)
}

func (s *Site) customers(a *ask) error {
	v := &listView{
		Frame: a.frame(a.T("rail.customers"), "customers"), Head: a.T("rail.customers"), Kind: a.T("word.customer"), Empty: a.T("list.no_customers"),
		Columns: []string{a.T("word.name"), a.T("word.phone"), a.T("word.site"), a.T("list.updated")},
	}
	if a.May("GET /customers/new") {
		v.New, v.NewText = "/customers/new", a.T("customer.new")
	}
	if a.May("GET /customers/pick") {
		v.Pick = "/customers/pick"
	}
	nameless := func(r *branchlinev1.Record) string { // this record of the customer does not say; another may
		if r.GetCustomer().GetName() != "" {
			return ""
		}
		return r.GetName()
	}
	return s.listPage(a, v, &branchlinev1.ListRecordsRequest{Collection: "customers"}, nameless, func(r, who *branchlinev1.Record) listRow {
		c := r.GetCustomer()
		site := a.siteWord(r.GetHome())
		return listRow{Href: a.Href(r.GetName()), Text: cmp.Or(c.GetName(), who.GetCustomer().GetName()), Small: c.GetContactName(), Cells: []listCell{
			{Text: maskedPhone(c)}, {Site: &site}, {Label: a.T("list.updated"), Text: s.look.When(a.Lang, a.Now, r.GetUpdateTime()), End: true},
		}}
	})
}

func (s *Site) vehicles(a *ask) error {
	v := &listView{
		Frame: a.frame(a.T("rail.vehicles"), "vehicles"), Head: a.T("rail.vehicles"), Kind: a.T("word.vehicle"), Empty: a.T("list.no_vehicles"),
		Columns: []string{a.T("list.car"), a.T("word.vin"), a.T("word.site"), a.T("list.updated")},
	}
	if a.May("GET /vehicles/new") {
		v.New, v.NewText = "/vehicles/new", a.T("vehicle.new")
	}
	nobody := func(*branchlinev1.Record) string { return "" }
	return s.listPage(a, v, &branchlinev1.ListRecordsRequest{Collection: "vehicles"}, nobody, func(r, _ *branchlinev1.Record) listRow {
		c := r.GetVehicle()
		site := a.siteWord(r.GetHome())
		p, text := a.called(r)
		return listRow{Href: a.Href(r.GetName()), Plate: p, Text: text, Cells: []listCell{
			{VIN: c.GetVin()}, {Site: &site}, {Label: a.T("list.updated"), Text: s.look.When(a.Lang, a.Now, r.GetUpdateTime()), End: true},
		}}
	})
}

func (s *Site) orders(a *ask) error {
	v := &listView{
		Frame: a.frame(a.T("rail.orders"), "orders"), Head: a.T("rail.orders"), Kind: a.T("word.order"), Empty: a.T("list.no_orders"),
		Columns: []string{a.T("list.car"), a.T("order.now"), a.T("word.day"), a.T("word.site"), a.T("list.number")},
	}
	if a.May("GET /serviceOrders/new") {
		v.New, v.NewText = "/serviceOrders/new", a.T("order.new")
	}
	req := &branchlinev1.ListRecordsRequest{Collection: "serviceOrders", OrderBy: "day desc", Branch: a.Query("branch"), State: a.Query("state")}
	if id := a.Query("customer"); id != "" && a.Reads(schema.Customer) {
		req.Customer = "customers/" + id
	}
	if id := a.Query("vehicle"); id != "" {
		req.Vehicle = "vehicles/" + id
	}
	if day := a.Query("before"); schema.CheckDay(day) == nil && day != "" {
		last, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return schema.Invalid("before", "%q is not a day: write it as 2026-11-21", day)
		}
		req.DayTo = last.AddDate(0, 0, -1).Format(time.DateOnly)
	}
	v.Filters = append(a.orderFilters(req), a.affairLinks()...)
	about := func(r *branchlinev1.Record) string {
		if id := r.GetServiceOrder().GetCustomer(); id != "" {
			return "customers/" + id
		}
		return ""
	}
	return s.listPage(a, v, req, about, func(r, who *branchlinev1.Record) listRow {
		o := r.GetServiceOrder()
		site := a.siteWord(o.GetBranch())
		text := o.GetModel()
		if text == "" && o.GetPlate() == "" {
			text = o.GetNumber()
		}
		if text == "" && o.GetPlate() == "" {
			text = a.T("word.order") + " " + o.GetDay()
		}
		small := o.GetComplaint()
		if n := []rune(small); len(n) > 40 {
			small = string(n[:40]) + "…"
		}
		small = strings.Join(nonEmpty(who.GetCustomer().GetName(), small), separator)
		return listRow{Href: a.Href(r.GetName()), Plate: o.GetPlate(), Text: text, Small: small, Cells: []listCell{
			{State: o.GetState()}, {Text: o.GetDay()}, {Site: &site}, {Text: o.GetNumber(), End: true},
		}}
	})
}

// orderFilters are the views of the list of orders: this site's, all, and those of one state.
func (a *ask) orderFilters(req *branchlinev1.ListRecordsRequest) []siteLink {
	link := func(branch, state string) string {
		q := url.Values{}
		for name, value := range map[string]string{
			"branch": branch, "state": state, "customer": strings.TrimPrefix(req.GetCustomer(), "customers/"), "vehicle": strings.TrimPrefix(req.GetVehicle(), "vehicles/"),
		} {
			if value != "" {
				q.Set(name, value)
			}
		}
		if len(q) == 0 {
			return "/serviceOrders"
		}
		return "/serviceOrders?" + q.Encode()
	}
	out := []siteLink{
		{Href: link("", req.GetState()), Text: a.T("word.all_sites"), On: req.GetBranch() == ""},
		{Href: link(a.branch(), req.GetState()), Text: a.T("word.this_site"), Mark: "own", On: req.GetBranch() == a.branch()},
	}
	if req.GetBranch() != "" && req.GetBranch() != a.branch() {
		out = append(out, siteLink{Href: link(req.GetBranch(), req.GetState()), Text: a.SiteName(req.GetBranch()), Mark: "sister", On: true})
	}
	if req.GetDayTo() != "" {
		out = append(out, siteLink{Href: link(req.GetBranch(), req.GetState()), Text: a.T("list.only_until", req.GetDayTo()), Mark: "no"})
	}
	if req.GetState() != "" {
		out = append(out, siteLink{Href: link(req.GetBranch(), ""), Text: a.T("list.only_state", a.s.look.Word(a.Lang, "order", req.GetState())), Mark: "no"})
	}
	return out
}
