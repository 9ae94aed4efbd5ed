package web

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
	"branchline/schema/look/say"
	"branchline/sync/desk"
)

const (
	maxMembers = 20 // of a group, that a page asks about
	maxCars    = 20
	fewOrders  = 20 // shown with what they came to, until asked for all
	maxListed  = 200
)

type customerView struct {
	look.Frame
	Name, Pinyin, Sub string
	Phone, PhoneLabel string
	Retired           string
	Facts             []factRow
	Reach             reach
	Sites             []pick
	Orders            []orderRow
	Count             int
	More              string
	Cars              []carRow
	Members           []memberRow
	Group             string // the page of the registrations, and how to part them
	Notes             []noteRow
	Photos            []photoRow
}

type orderRow struct {
	Day, Site, Plate, What, Href string
	State                        branchlinev1.OrderState
	Amount, Others               string
	Done                         bool
}

type carRow struct {
	Plate, Name, Href, Meta string
	Over                    bool
}

type memberRow struct{ Site, Made, Meta string }

type noteRow struct{ Text, Site, Day, Who string }

// customer is the golden view: the members read as one, each value naming its member.
func (s *Site) customer(a *ask) (*look.Page, look.View, error) {
	name := "customers/" + a.R.PathValue("id")
	r, err := s.api.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name, Golden: true})
	if err != nil {
		return nil, nil, notFound(err)
	}
	c := r.GetCustomer()
	v := customerView{Frame: a.live(c.GetName(), ""), Name: c.GetName(), Pinyin: say.Pinyin(c.GetName()), Reach: a.reach(r.GetWhere())}
	if v.Name == "" {
		v.Name = a.T("customer.nameless")
	}
	if c.GetRetiredAt() > 0 {
		v.Retired = s.look.Day(c.GetRetiredAt())
	}
	if a.May("GET /customers/{id}/members") {
		v.Group = "/" + name + "/members"
	}
	if p := c.GetPhones(); len(p) > 0 {
		first := p[desk.Preferred(r, "phones", len(p))]
		v.Phone, v.PhoneLabel = say.Phone(first.GetNumber()), first.GetLabel()
	}
	homes := map[string]string{}
	if v.Members, err = a.members(r, homes); err != nil {
		return nil, nil, err
	}
	if v.Facts, err = a.facts(r, homes); err != nil {
		return nil, nil, err
	}
	if v.Cars, err = a.cars(name); err != nil {
		return nil, nil, err
	}
	if v.Notes, err = a.notes(&branchlinev1.ListRecordsRequest{Customer: name}); err != nil {
		return nil, nil, err
	}
	if err := a.orders(&v, name); err != nil {
		return nil, nil, err
	}
	v.Sub = a.T("customer.sub", len(v.Cars), v.Count)
	return s.pages.customer, v, nil
}

// notFound takes a malformed name for what it is to a reader: a page there is not.
func notFound(err error) error {
	if errors.Is(err, schema.ErrInvalid) {
		return schema.ErrNotFound
	}
	return err
}

// members says of each record of the group where and when it was made, and fills homes. One alone is no group.
func (a *ask) members(r *branchlinev1.Record, homes map[string]string) ([]memberRow, error) {
	group := r.GetGroup()
	if len(group) < 2 {
		return nil, nil
	}
	if len(group) > maxMembers {
		group = group[:maxMembers]
	}
	views, err := a.plain(group)
	if err != nil {
		return nil, err
	}
	var out []memberRow
	for _, name := range group {
		m := views[name]
		if m == nil {
			continue // it went meanwhile
		}
		homes[name] = m.GetHome()
		row := memberRow{Site: a.SiteName(m.GetHome()), Made: a.s.look.Day(m.GetCreateTime())}
		var meta []string
		if n := m.GetCustomer().GetName(); n != "" && n != r.GetCustomer().GetName() {
			meta = append(meta, a.T("customer.as", n))
		}
		if p := m.GetCustomer().GetPhones(); len(p) > 0 {
			meta = append(meta, say.Phone(p[0].GetNumber()))
		}
		row.Meta = strings.Join(meta, " · ")
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(x, y memberRow) int { return cmp.Compare(x.Made, y.Made) })
	return out, nil
}

// listed reads a list to its end, or to maxListed.
func (a *ask) listed(req *branchlinev1.ListRecordsRequest) ([]*branchlinev1.Record, error) {
	req.PageSize = maxListed
	res, err := a.s.api.Records.ListRecords(a.R.Context(), req)
	return res.GetRecords(), err
}

// cars are the cars the customer has or had a part in, those of today first.
func (a *ask) cars(customer string) ([]carRow, error) {
	if !a.Reads(schema.Tie) {
		return nil, nil
	}
	ties, err := a.listed(&branchlinev1.ListRecordsRequest{Collection: "ties", Customer: customer})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range ties {
		names = append(names, "vehicles/"+r.GetTie().GetVehicle())
	}
	views, owners, err := a.s.c.Views.Views(a.R.Context(), names, true)
	if err != nil {
		return nil, err
	}
	line := say.OwnerTies(owners)
	var out []carRow
	at := map[string]int{} // of a car in out, by the first of its records
	for _, r := range ties {
		t := r.GetTie()
		role := a.s.look.Word(a.Lang, "tie", t.GetRole())
		if term := a.Sayer().Term(t.GetFrom(), t.GetTo()); term != "" {
			role += " " + term
		}
		over := t.GetTo() != "" && t.GetTo() < a.s.look.Day(a.Now)
		car := views["vehicles/"+t.GetVehicle()]
		if len(out) == maxCars || car == nil { // a tie may come before its car
			continue
		}
		if o := line[r.GetName()]; o != nil {
			role, over = a.Sayer().Owned(o), !o.GetPresent()
		}
		which := slices.Min(append(car.GetGroup(), car.GetName()))
		if i, ok := at[which]; ok {
			if !strings.Contains(out[i].Meta, role) {
				out[i].Meta += " · " + role
			}
			out[i].Over = out[i].Over && over
			continue
		}
		at[which] = len(out)
		row := carRow{Plate: desk.PlateOf(car.GetVehicle()), Name: say.Vehicle(car.GetVehicle()), Href: a.Href(car.GetName()), Meta: role, Over: over}
		if row.Plate == "" && row.Name == "" {
			row.Name = cmp.Or(car.GetVehicle().GetVin(), a.T("vehicle.nameless"))
		}
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(x, y carRow) int { return front.FalseFirst(x.Over, y.Over) })
	return out, nil
}

// notes are what was written down, newest first; none for who does not see them.
func (a *ask) notes(req *branchlinev1.ListRecordsRequest) ([]noteRow, error) {
	if !a.Reads(schema.Note) {
		return nil, nil
	}
	req.Collection, req.OrderBy = "notes", "day desc"
	list, err := a.listed(req)
	if err != nil {
		return nil, err
	}
	var out []noteRow
	for _, r := range list {
		n := r.GetNote()
		if n.GetText() == "" {
			continue
		}
		out = append(out, noteRow{n.GetText(), a.SiteName(cmp.Or(n.GetBranch(), r.GetHome())), n.GetDay(), a.Names().Person(n.GetAuthor())})
	}
	return out, nil
}

// orders fills in the customer's photos and orders: those of one site when one is chosen, the latest until all are asked for.
func (a *ask) orders(v *customerView, name string) error {
	list, err := a.listed(&branchlinev1.ListRecordsRequest{Collection: "serviceOrders", Customer: name, OrderBy: "day desc"})
	if err != nil {
		return err
	}
	v.Count = len(list)
	if v.Photos, err = a.photos(&branchlinev1.ListRecordsRequest{Customer: name}, list...); err != nil {
		return err
	}
	v.Sites = a.sitePicks("/"+name, list)
	if site := a.Query("site"); site != "" {
		list = slices.DeleteFunc(slices.Clone(list), func(r *branchlinev1.Record) bool { return siteOf(r) != site })
	}
	if len(list) > fewOrders && a.Query("show") != "all" {
		list, v.More = list[:fewOrders], "/"+name+"?show=all"
	}
	lines, err := a.linesOf(list)
	if err != nil {
		return err
	}
	for _, r := range list {
		lines := lines[r.GetName()]
		o := r.GetServiceOrder()
		row := orderRow{
			Day: o.GetDay(), Site: a.SiteName(siteOf(r)), Plate: o.GetPlate(), What: a.done(o, lines), Href: a.Href(r.GetName()),
			State: o.GetState(), Done: o.GetState() >= branchlinev1.OrderState_SETTLED,
		}
		sums := sumOf(lines)
		if sums.seen {
			row.Amount = look.Money(sums.by[branchlinev1.Payer_PAYER_CUSTOMER]+sums.by[branchlinev1.Payer_PAYER_UNSPECIFIED], sums.currency)
			if rest := sums.others(); rest != 0 {
				row.Others = a.T("customer.others_pay", look.Money(rest, sums.currency))
			}
		}
		v.Orders = append(v.Orders, row)
	}
	return nil
}

// linesOf are the lines of some orders, by the order's name.
func (a *ask) linesOf(orders []*branchlinev1.Record) (map[string][]*branchlinev1.Record, error) {
	out := map[string][]*branchlinev1.Record{}
	if len(orders) == 0 {
		return out, nil
	}
	req := &branchlinev1.ListRecordsRequest{Collection: "serviceLines", PageSize: maxListed}
	for _, r := range orders {
		req.Orders = append(req.Orders, r.GetName())
	}
	for {
		res, err := a.s.api.Records.ListRecords(a.R.Context(), req)
		if err != nil {
			return nil, err
		}
		for _, r := range res.GetRecords() {
			order := "serviceOrders/" + r.GetServiceLine().GetOrder()
			out[order] = append(out[order], r)
		}
		if req.PageToken = res.GetNextPageToken(); req.PageToken == "" {
			return out, nil
		}
	}
}

// siteOf is the branch an order was worked on.
func siteOf(r *branchlinev1.Record) string {
	return cmp.Or(r.GetServiceOrder().GetBranch(), r.GetHome())
}

// sitePicks are the sites of orders, with counts; none when there is nothing to choose.
func (a *ask) sitePicks(path string, orders []*branchlinev1.Record) []pick {
	counts := map[string]int{}
	for _, r := range orders {
		counts[siteOf(r)]++
	}
	if len(counts) < 2 {
		return nil
	}
	codes := make([]string, 0, len(counts))
	for code := range counts {
		codes = append(codes, code)
	}
	slices.SortFunc(codes, func(x, y string) int { return cmp.Or(cmp.Compare(counts[y], counts[x]), cmp.Compare(x, y)) })
	chosen := a.Query("site")
	out := []pick{{Text: a.T("word.all_sites"), Href: path, On: chosen == "", Count: len(orders)}}
	for _, code := range codes {
		out = append(out, pick{Text: a.SiteName(code), Href: path + "?site=" + code, On: chosen == code, Count: counts[code]})
	}
	return out
}

// done says in a line what an order was about: its lines, else what was written over them.
func (a *ask) done(o *branchlinev1.ServiceOrder, lines []*branchlinev1.Record) string {
	var parts []string
	for _, r := range lines {
		l := r.GetServiceLine()
		if text := cmp.Or(l.GetItem(), l.GetPartName()); text != "" && l.GetState() != branchlinev1.LineState_LINE_DECLINED && len(parts) < 3 {
			parts = append(parts, text)
		}
	}
	if len(parts) > 0 {
		return strings.Join(parts, a.T("say.comma"))
	}
	return cmp.Or(o.GetWork(), o.GetFault(), o.GetComplaint(), a.T("customer.nothing_yet"))
}

// sums are what the lines of an order come to, by who pays.
type sums struct {
	by       map[branchlinev1.Payer]int64
	currency string
	seen     bool // the caller sees prices, and there is one
}

func sumOf(lines []*branchlinev1.Record) sums {
	s := sums{by: map[branchlinev1.Payer]int64{}, currency: "CNY"}
	for _, r := range lines {
		l := r.GetServiceLine()
		if l.Amount == nil || l.GetState() != branchlinev1.LineState_LINE_APPROVED && l.GetState() != branchlinev1.LineState_LINE_DONE {
			continue
		}
		s.seen = true
		s.by[l.GetPayer()] += l.GetAmount()
		if l.GetCurrency() != "" {
			s.currency = l.GetCurrency()
		}
	}
	return s
}

func (s sums) total() int64 {
	n := int64(0)
	for _, v := range s.by {
		n += v
	}
	return n
}

func (s sums) others() int64 {
	return s.total() - s.by[branchlinev1.Payer_PAYER_CUSTOMER] - s.by[branchlinev1.Payer_PAYER_UNSPECIFIED]
}
