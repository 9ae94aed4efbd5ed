package web

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"branchline/schema"
	"branchline/schema/cell"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

// pickView is the page of combined conditions: the form, and who fits.
type pickView struct {
	look.Frame
	Inputs [][]input
	Asked  bool
	Rows   []pickRow
	Sub    string
	CSV    string
	Wrong  bool
	Pager  look.Pager
}

type pickRow struct {
	Href, Name, Phone, Class, Last string
	Visits                         int32
	Site                           siteWord
}

// pickFields are the conditions by their names in the address.
func pickFields() []string {
	return []string{
		"type", "status", "deal_class", "value_class", "key_account", "member_class", "marketing", "car", "visited_from", "visited_to", "not_since",
		"insured_from", "insured_to", "site",
	}
}

// picking reads the conditions off the address; bad is what cannot be read.
func (a *ask) picking() (req *branchlinev1.PickCustomersRequest, bad faults) {
	bad = faults{}
	number := func(name string, most int32) int32 {
		n, err := strconv.ParseInt(a.Query(name), 10, 32)
		if a.Query(name) != "" && (err != nil || n < 0 || n > int64(most)) {
			bad[name] = fault{text: a.T("form.bad_number")}
			return 0
		}
		return int32(n)
	}
	text := func(name string, most int) string {
		v := a.Query(name)
		if len(v) > most {
			bad[name] = fault{text: a.T("pick.too_long", most)}
			return ""
		}
		return v
	}
	req = &branchlinev1.PickCustomersRequest{
		Type: branchlinev1.CustomerType(number("type", 2)), Status: branchlinev1.CustomerStatus(number("status", 3)),
		DealClass: branchlinev1.DealClass(number("deal_class", 3)), ValueClass: number("value_class", 4), KeyAccount: branchlinev1.KeyAccount(number("key_account", 2)),
		MemberClass: text("member_class", 40), Car: text("car", 100), Branch: text("site", 8),
		VisitedFrom: a.day(bad, "visited_from", a.Query("visited_from")), VisitedTo: a.day(bad, "visited_to", a.Query("visited_to")),
		NotSince:    a.day(bad, "not_since", a.Query("not_since")),
		InsuredFrom: a.day(bad, "insured_from", a.Query("insured_from")), InsuredTo: a.day(bad, "insured_to", a.Query("insured_to")),
	}
	if m := a.Query("marketing"); m == "yes" || m == "no" {
		req.Marketing = m
	}
	return req, bad
}

func (a *ask) pickInputs(bad faults) [][]input {
	k := schema.KindOf(schema.Customer)
	choose := func(name, label string, options ...option) input {
		return input{Name: name, Label: label, Type: "select", Value: a.Query(name), Options: append([]option{{"", a.T("pick.any")}}, options...)}
	}
	enum := func(name, field string) input {
		in := a.enumInput(schema.Customer, field, 0)
		in.Name, in.Label, in.Value = name, a.label(k, field), a.Query(name)
		in.Options[0].Text = a.T("pick.any")
		return in
	}
	day := func(name, label string) input {
		return input{Name: name, Label: label, Type: "date", Value: a.Query(name)}
	}
	var classes, sites []option
	for n := 1; n <= 4; n++ {
		classes = append(classes, option{strconv.Itoa(n), a.T("form.class_n", n)})
	}
	for _, code := range a.Names().Sites() {
		sites = append(sites, option{code, a.SiteName(code)})
	}
	rows := [][]input{
		{enum("status", "status"), choose("value_class", a.label(k, "value_class"), classes...), enum("deal_class", "deal_classes"), enum("key_account", "key_account")},
		{enum("type", "type"), {Name: "member_class", Label: a.label(k, "member_class"), Value: a.Query("member_class"), Max: 40}, choose("marketing", a.label(k, "consent_marketing"), option{"yes", a.T("say.agreed")}, option{"no", a.T("say.refused")}), choose("site", a.T("pick.site"), sites...)},
		{{Name: "car", Label: a.T("pick.car"), Value: a.Query("car"), Max: 100, Hint: a.T("pick.car_hint")}, day("visited_from", a.T("pick.visited_from")), day("visited_to", a.T("pick.visited_to")), day("not_since", a.T("pick.not_since"))},
		{day("insured_from", a.T("pick.insured_from")), day("insured_to", a.T("pick.insured_to"))},
	}
	for i := range rows {
		for j := range rows[i] {
			rows[i][j] = bad.put(rows[i][j])
		}
	}
	return rows
}

// conditions is the address' query with what it picks by, and nothing else.
func (a *ask) conditions() url.Values {
	q := url.Values{}
	for _, f := range pickFields() {
		if v := a.Query(f); v != "" {
			q.Set(f, v)
		}
	}
	return q
}

func (s *Site) customersPick(a *ask) error {
	req, bad := a.picking()
	v := pickView{Frame: a.frame(a.T("pick.title"), "customers"), Inputs: a.pickInputs(bad), Wrong: len(bad) > 0}
	q := a.conditions()
	if len(q) == 0 || v.Wrong {
		status := http.StatusOK
		if v.Wrong {
			status = http.StatusBadRequest
		}
		return s.pages.pick.Render(a.W, status, v)
	}
	v.Asked = true
	req.PageSize, req.PageToken = listSize, a.Query("from")
	res, err := s.c.Records.PickCustomers(a.R.Context(), req)
	if err != nil {
		return err
	}
	for _, p := range res.GetCustomers() {
		v.Rows = append(v.Rows, a.pickRow(p))
	}
	v.Pager = a.Pager("from", res.GetNextPageToken())
	if v.Sub = a.T("list.all", len(v.Rows)); v.Pager.Some() {
		v.Sub = a.T("list.some", len(v.Rows))
	}
	v.Pager.Text = v.Sub
	if a.May("GET /customers/pick.csv") {
		v.CSV = "/customers/pick.csv?" + q.Encode()
	}
	return s.pages.pick.Render(a.W, http.StatusOK, v)
}

func (a *ask) pickRow(p *branchlinev1.PickedCustomer) pickRow {
	c := p.GetCustomer().GetCustomer()
	return pickRow{
		Href: a.Href(p.GetCustomer().GetName()), Name: c.GetName(), Phone: maskedPhone(c), Class: a.classOf(c), Last: p.GetLastVisit(), Visits: p.GetVisits(),
		Site: a.siteWord(p.GetCustomer().GetHome()),
	}
}

// classOf is how a customer is classed, in words.
func (a *ask) classOf(c *branchlinev1.Customer) string {
	var out []string
	if n := c.GetValueClass(); n != 0 {
		out = append(out, a.T("form.class_n", n))
	}
	out = append(out, a.enumWord(schema.Customer, "status", int32(c.GetStatus())))
	for _, d := range c.GetDealClasses() {
		out = append(out, a.enumWord(schema.Customer, "deal_classes", int32(d)))
	}
	out = append(out, a.enumWord(schema.Customer, "key_account", int32(c.GetKeyAccount())), c.GetMemberClass())
	return a.List(slices.DeleteFunc(out, func(s string) bool { return s == "" }))
}

// maxExport bounds a file of customers; who needs more narrows the conditions.
const maxExport = 50_000

// customersPickCSV is everybody who fits, as a file a spreadsheet opens. It is written as it is read.
func (s *Site) customersPickCSV(a *ask) error {
	req, bad := a.picking()
	if len(bad) > 0 || len(a.conditions()) == 0 {
		return a.GoTo("/customers/pick?" + a.conditions().Encode())
	}
	req.PageSize = 200
	res, err := s.c.Records.PickCustomers(a.R.Context(), req)
	if err != nil {
		return err
	}
	h := a.W.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="branchline-customers-`+a.today()+`.csv"`)
	h.Set("Cache-Control", "no-store")
	w := csv.NewWriter(a.W)
	w.UseCRLF = true
	k := schema.KindOf(schema.Customer)
	if err := w.Write([]string{cell.Mark + a.label(k, "name"), a.T("word.phone"), a.T("word.address"), a.T("form.class"), a.T("pick.last"), a.T("pick.visits"), a.label(k, "consent_marketing"), a.T("word.site")}); err != nil {
		return err
	}
	for n := 0; ; {
		for _, p := range res.GetCustomers() {
			if err := w.Write(a.pickCells(p)); err != nil {
				return err
			}
		}
		if n += len(res.GetCustomers()); res.GetNextPageToken() == "" || n >= maxExport {
			break
		}
		req.PageToken = res.GetNextPageToken()
		if res, err = s.c.Records.PickCustomers(a.R.Context(), req); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func (a *ask) pickCells(p *branchlinev1.PickedCustomer) []string {
	c := p.GetCustomer().GetCustomer()
	k := schema.KindOf(schema.Customer)
	var phones []string
	for _, x := range c.GetPhones() {
		phones = append(phones, say.Phone(x.GetNumber()))
	}
	words := func(field string) string { return a.List(a.Sayer().Values(k.Field(field), c)) }
	out := []string{
		c.GetName(), a.List(phones), words("addresses"), a.classOf(c), p.GetLastVisit(), strconv.Itoa(int(p.GetVisits())), words("consent_marketing"),
		a.SiteName(p.GetCustomer().GetHome()),
	}
	for i := range out {
		out[i] = cell.Safe(out[i])
	}
	return out
}
