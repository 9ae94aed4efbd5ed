package web

import (
	"net/http"
	"net/url"
	"strings"

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
	Kind    string
	Columns []string
	Rows    []listRow
	Filters []siteLink
	Empty   string
	Pager   look.Pager
	First   string
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

// listPage reads one page of a collection and the way on.
func (s *Site) listPage(a *ask, v *listView, req *branchlinev1.ListRecordsRequest, row func(*branchlinev1.Record) listRow) error {
	req.PageSize, req.PageToken = listSize, a.query("from")
	res, err := s.c.Records.ListRecords(a.r.Context(), req)
	if err != nil {
		return err
	}
	for _, r := range res.GetRecords() {
		v.Rows = append(v.Rows, row(r))
	}
	with := func(token string) string {
		q := a.r.URL.Query()
		q.Del("from")
		if token != "" {
			q.Set("from", token)
		}
		if len(q) == 0 {
			return a.r.URL.Path
		}
		return a.r.URL.Path + "?" + q.Encode()
	}
	if next := res.GetNextPageToken(); next != "" {
		v.Pager.Next = with(next)
	}
	if req.PageToken != "" {
		v.First = with("")
	}
	if v.Pager.Next == "" && v.First == "" {
		v.Sub = a.t("list.all", len(v.Rows))
	} else {
		v.Sub = a.t("list.some", len(v.Rows))
	}
	return s.pages.list.Render(a.w, http.StatusOK, *v)
}

func (s *Site) customers(a *ask) error {
	v := &listView{
		Frame: a.frame(a.t("rail.customers"), "customers"), Head: a.t("rail.customers"), Kind: a.t("word.customer"), Empty: a.t("list.no_customers"),
		Columns: []string{a.t("word.name"), a.t("word.phone"), a.t("word.site"), a.t("list.updated")},
	}
	if a.may("GET /customers/new") {
		v.New, v.NewText = "/customers/new", a.t("customer.new")
	}
	return s.listPage(a, v, &branchlinev1.ListRecordsRequest{Collection: "customers"}, func(r *branchlinev1.Record) listRow {
		c := r.GetCustomer()
		site := a.siteWord(r.GetHome())
		return listRow{Href: a.href(r.GetName()), Text: c.GetName(), Small: c.GetContactName(), Cells: []listCell{
			{Text: maskedPhone(c)}, {Site: &site}, {Label: a.t("list.updated"), Text: s.look.When(a.lang, a.now, r.GetUpdateTime()), End: true},
		}}
	})
}

func (s *Site) vehicles(a *ask) error {
	v := &listView{
		Frame: a.frame(a.t("rail.vehicles"), "vehicles"), Head: a.t("rail.vehicles"), Kind: a.t("word.vehicle"), Empty: a.t("list.no_vehicles"),
		Columns: []string{a.t("list.car"), a.t("word.vin"), a.t("word.site"), a.t("list.updated")},
	}
	if a.may("GET /vehicles/new") {
		v.New, v.NewText = "/vehicles/new", a.t("vehicle.new")
	}
	return s.listPage(a, v, &branchlinev1.ListRecordsRequest{Collection: "vehicles"}, func(r *branchlinev1.Record) listRow {
		c := r.GetVehicle()
		site := a.siteWord(r.GetHome())
		p, text := a.called(r)
		return listRow{Href: a.href(r.GetName()), Plate: p, Text: text, Cells: []listCell{
			{VIN: c.GetVin()}, {Site: &site}, {Label: a.t("list.updated"), Text: s.look.When(a.lang, a.now, r.GetUpdateTime()), End: true},
		}}
	})
}

func (s *Site) orders(a *ask) error {
	v := &listView{
		Frame: a.frame(a.t("rail.orders"), "orders"), Head: a.t("rail.orders"), Kind: a.t("word.order"), Empty: a.t("list.no_orders"),
		Columns: []string{a.t("list.car"), a.t("order.now"), a.t("word.day"), a.t("word.site"), a.t("list.number")},
	}
	if a.may("GET /serviceOrders/new") {
		v.New, v.NewText = "/serviceOrders/new", a.t("order.new")
	}
	req := &branchlinev1.ListRecordsRequest{Collection: "serviceOrders", OrderBy: "day desc", Branch: a.query("branch"), State: a.query("state")}
	if id := a.query("customer"); id != "" && a.reads(schema.Customer) {
		req.Customer = "customers/" + id
	}
	if id := a.query("vehicle"); id != "" {
		req.Vehicle = "vehicles/" + id
	}
	v.Filters = a.orderFilters(req)
	return s.listPage(a, v, req, func(r *branchlinev1.Record) listRow {
		o := r.GetServiceOrder()
		site := a.siteWord(o.GetBranch())
		text := o.GetModel()
		if text == "" && o.GetPlate() == "" {
			text = o.GetNumber()
		}
		if text == "" && o.GetPlate() == "" {
			text = a.t("word.order") + " " + o.GetDay()
		}
		small := o.GetComplaint()
		if n := []rune(small); len(n) > 40 {
			small = string(n[:40]) + "…"
		}
		return listRow{Href: a.href(r.GetName()), Plate: o.GetPlate(), Text: text, Small: small, Cells: []listCell{
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
		{Href: link("", req.GetState()), Text: a.t("word.all_sites"), On: req.GetBranch() == ""},
		{Href: link(a.branch(), req.GetState()), Text: a.t("word.this_site"), Mark: "own", On: req.GetBranch() == a.branch()},
	}
	if req.GetBranch() != "" && req.GetBranch() != a.branch() {
		out = append(out, siteLink{Href: link(req.GetBranch(), req.GetState()), Text: a.site(req.GetBranch()), Mark: "sister", On: true})
	}
	if req.GetState() != "" {
		out = append(out, siteLink{Href: link(req.GetBranch(), ""), Text: a.t("list.only_state", a.s.look.Word(a.lang, "order", req.GetState())), Mark: "no"})
	}
	return out
}
