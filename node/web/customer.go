package web

import (
	"cmp"
	"context"
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
	// maxMembers bounds how many members of a group a page asks about.
	maxMembers = 12
	// fewOrders is how many orders a page shows with what they came to; the rest is a click away.
	fewOrders = 20
	maxListed = 200
	// maxCars are a customer's cars that are shown, maxPeople a car's people.
	maxCars, maxPeople = 30, 30
)

type customerView struct {
	look.Frame
	Name, Pinyin string
	Sub          string
	Phone        string
	PhoneLabel   string
	MorePhones   int
	Edit         string
	NewOrder     string
	NewBook      string
	Purse        string // what they owe, and their cards
	Owed         string // "" when nothing is
	OwedFor      []owedRow
	Cards        []cardRow
	NewVehicle   string
	Reach        reach
	Kept         *look.Note
	Retired      string
	Facts        []factRow
	Sites        []siteLink
	Orders       []orderRow
	OrderCount   int
	More         string
	Cars         []carRow
	Members      []memberRow
	Contacts     contactList
	Policies     policyList
	Notes        noteList
	Photos       photoList
	Prices       bool
}

// siteLink is one choice of "look at one site's alone".
type siteLink struct {
	Href, Text, Mark string
	Count            int
	On               bool
}

type siteWord struct {
	Name string
	Own  bool
}

func (a *ask) siteWord(code string) siteWord { return siteWord{a.SiteName(code), code == a.branch()} }

type orderRow struct {
	Day    string
	Site   siteWord
	Plate  string
	Href   string
	What   string
	State  branchlinev1.OrderState
	Amount string // what the customer pays; "" when not to be seen or nothing yet
	Others string // what others pay
	Number string
	Done   bool
}

type carRow struct {
	Plate, Name, Href string
	Meta              string
	Own, Over         bool

	records []string // that are this car, by name
}

type memberRow struct {
	Site siteWord
	Made string
	Meta string
}

func (s *Site) customer(a *ask) (*look.Page, look.View, error) {
	name := "customers/" + a.id
	sh, err := s.sheet(a, name)
	if err != nil {
		return nil, nil, err
	}
	c := sh.body.(*branchlinev1.Customer)
	ctx := a.R.Context()
	v := customerView{
		Frame: a.live(c.GetName(), "customers"), Name: c.GetName(), Pinyin: say.Pinyin(c.GetName()),
		Reach: a.reach(sh.r.GetWhere()), Kept: a.keptNote(sh.r), Prices: a.sees(schema.ServiceLine, "amount"),
	}
	if a.Writes(schema.Customer) {
		v.Edit = "/" + name + "/edit"
	}
	if a.Writes(schema.ServiceOrder) {
		v.NewOrder = "/serviceOrders/new?customer=" + a.id
	}
	if a.Writes(schema.Appointment) {
		v.NewBook = "/appointments/new?customer=" + a.id
	}
	if a.Writes(schema.Vehicle) {
		v.NewVehicle = "/vehicles/new?customer=" + a.id
	}
	if a.May("GET /customers/{id}/purse") {
		v.Purse = "/" + name + "/purse"
		p, err := s.c.Counter.GetPurse(ctx, &branchlinev1.GetPurseRequest{Customer: name})
		if err != nil {
			return nil, nil, err
		}
		if p.GetOwed() != 0 {
			v.Owed = look.Money(p.GetOwed(), "CNY")
		}
		if v.OwedFor, err = a.owed(p); err != nil {
			return nil, nil, err
		}
		for _, k := range p.GetCards() {
			v.Cards = append(v.Cards, a.cardRow(k))
		}
	}
	if c.GetRetiredAt() > 0 {
		v.Retired = s.look.Day(c.GetRetiredAt())
	}
	if phones := c.GetPhones(); len(phones) > 0 {
		p := phones[desk.Preferred(sh.r, "phones", len(phones))]
		v.Phone, v.PhoneLabel, v.MorePhones = say.Phone(p.GetNumber()), p.GetLabel(), len(phones)-1
	}
	v.Facts, v.Members = a.facts(sh, v.Edit), a.members(sh)
	if v.Cars, err = a.cars(name); err != nil {
		return nil, nil, err
	}
	// Asked for one member, a list answers for the whole group.
	orders, more, err := a.listAll(ctx, &branchlinev1.ListRecordsRequest{Collection: "serviceOrders", Customer: name, OrderBy: "day desc"})
	if err != nil {
		return nil, nil, err
	}
	v.OrderCount = len(orders)
	if v.Photos, err = a.photos(name, orders...); err != nil {
		return nil, nil, err
	}
	v.Photos.Write, v.Photos.Fold = v.Photos.Write && !sh.r.GetShared(), true
	v.Sites = a.siteLinks(name, len(orders), func(count func(string)) {
		for _, o := range orders {
			count(o.GetServiceOrder().GetBranch())
		}
	})
	if site := a.Query("site"); site != "" {
		orders = slices.DeleteFunc(orders, func(o *branchlinev1.Record) bool { return o.GetServiceOrder().GetBranch() != site })
	}
	if len(orders) > fewOrders && a.Query("show") != "all" {
		orders = orders[:fewOrders]
		v.More = "/" + name + "?show=all"
	} else if more {
		v.More = "/serviceOrders?customer=" + a.id
	}
	lines, err := a.linesOfAll(orders)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range orders {
		v.Orders = append(v.Orders, a.orderRow(o, lines[o.GetName()], v.Prices))
	}
	v.Sub = a.T("customer.sub", len(v.Cars), v.OrderCount)
	if v.OrderCount > 0 {
		v.Sub += a.T("customer.last", lastDay(orders))
	}
	if v.Contacts, err = a.contacts(name); err != nil {
		return nil, nil, err
	}
	if v.Policies, err = a.policies(name, v.Cars); err != nil {
		return nil, nil, err
	}
	if v.Notes, err = a.notes(name); err != nil {
		return nil, nil, err
	}
	return s.pages.customer, v, nil
}

func lastDay(orders []*branchlinev1.Record) string {
	if len(orders) == 0 {
		return ""
	}
	return orders[0].GetServiceOrder().GetDay()
}

// membersOf are the names of a record's group, itself first.
func membersOf(r *branchlinev1.Record) []string {
	out := []string{r.GetName()}
	for _, m := range r.GetGroup() {
		if m != r.GetName() && len(out) < maxMembers {
			out = append(out, m)
		}
	}
	return out
}

// members says of each record of a group where it was made.
func (a *ask) members(sh *sheet) []memberRow {
	var out []memberRow
	for _, m := range sh.members {
		row := memberRow{Site: a.siteWord(m.GetHome()), Made: a.s.look.Day(m.GetCreateTime())}
		switch {
		case m.GetName() == sh.target && row.Site.Own:
			row.Meta = a.T("customer.member_own")
		case m.GetCustomer() != nil && m.GetCustomer().GetName() != sh.r.GetCustomer().GetName():
			row.Meta = a.T("customer.member_as", m.GetCustomer().GetName())
		default:
			row.Meta = a.T("customer.member_other")
		}
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(x, y memberRow) int {
		return cmp.Or(front.FalseFirst(!x.Site.Own, !y.Site.Own), cmp.Compare(x.Made, y.Made))
	})
	return out
}

// siteLinks are the sites of a list, with counts; nil when there is nothing to choose.
func (a *ask) siteLinks(name string, all int, each func(count func(site string))) []siteLink {
	counts := map[string]int{}
	each(func(site string) { counts[site]++ })
	if len(counts) < 2 {
		return nil
	}
	chosen := a.Query("site")
	out := []siteLink{{Href: a.filtered(name, "site", ""), Text: a.T("word.all_sites"), On: chosen == "", Count: all}}
	sites := make([]string, 0, len(counts))
	for code := range counts {
		sites = append(sites, code)
	}
	slices.SortFunc(sites, func(x, y string) int {
		if d := cmp.Compare(counts[y], counts[x]); d != 0 {
			return d
		}
		return cmp.Compare(x, y)
	})
	for _, code := range sites {
		mark := "sister"
		if code == a.branch() {
			mark = "own"
		}
		out = append(out, siteLink{
			Href: a.filtered(name, "site", code), Text: a.SiteName(code), Mark: mark, Count: counts[code], On: chosen == code,
		})
	}
	return out
}

func idOf(name string) string {
	_, id, _ := strings.Cut(name, "/")
	return id
}

// listAll reads a list to its end, or to maxListed; more tells that it goes on.
func (a *ask) listAll(ctx context.Context, req *branchlinev1.ListRecordsRequest) (out []*branchlinev1.Record, more bool, err error) {
	req.PageSize = maxListed
	res, err := a.s.c.Records.ListRecords(ctx, req)
	if err != nil {
		return nil, false, err
	}
	return res.GetRecords(), res.GetNextPageToken() != "", nil
}

// linesOfAll are the lines of some orders, by the order's name.
func (a *ask) linesOfAll(orders []*branchlinev1.Record) (map[string][]*branchlinev1.Record, error) {
	out := map[string][]*branchlinev1.Record{}
	if len(orders) == 0 {
		return out, nil
	}
	req := &branchlinev1.ListRecordsRequest{Collection: "serviceLines", PageSize: maxListed}
	for _, r := range orders {
		req.Orders = append(req.Orders, r.GetName())
	}
	for {
		res, err := a.s.c.Records.ListRecords(a.R.Context(), req)
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

func (a *ask) orderRow(r *branchlinev1.Record, lines []*branchlinev1.Record, prices bool) orderRow {
	o := r.GetServiceOrder()
	row := orderRow{
		Day: o.GetDay(), Site: a.siteWord(o.GetBranch()), Plate: o.GetPlate(), Href: a.Href(r.GetName()), State: o.GetState(),
		Number: o.GetNumber(), Done: o.GetState() >= branchlinev1.OrderState_SETTLED,
	}
	row.What = a.whatWasDone(o, lines)
	if prices {
		sums := sumLines(lines)
		if n := sums.of(branchlinev1.Payer_PAYER_CUSTOMER); n != 0 || sums.total() != 0 {
			row.Amount = look.Money(n, sums.currency)
		}
		if rest := sums.total() - sums.of(branchlinev1.Payer_PAYER_CUSTOMER); rest != 0 {
			row.Others = a.T("order.others_pay", look.Money(rest, sums.currency))
		}
	}
	return row
}

// whatWasDone is an order in a line: what was asked for, else what was done.
func (a *ask) whatWasDone(o *branchlinev1.ServiceOrder, lines []*branchlinev1.Record) string {
	var parts []string
	add := func(s string) {
		if s = strings.TrimSpace(s); s != "" && !slices.Contains(parts, s) && len(parts) < 3 {
			parts = append(parts, s)
		}
	}
	add(o.GetComplaint())
	for _, l := range lines {
		add(l.GetServiceLine().GetComplaint())
	}
	for _, l := range lines {
		if l.GetServiceLine().GetState() != branchlinev1.LineState_LINE_DECLINED {
			add(l.GetServiceLine().GetItem())
		}
	}
	add(o.GetWork())
	add(o.GetFault())
	if len(parts) == 0 {
		return a.T("order.nothing_yet")
	}
	text := []rune(strings.Join(parts, a.T("say.semicolon")))
	if len(text) > 60 {
		text = append(text[:60], '…')
	}
	return string(text)
}

// cars are the cars a customer has to do with, the present ones first.
func (a *ask) cars(customer string) ([]carRow, error) {
	if !a.Reads(schema.Tie) {
		return nil, nil
	}
	ctx := a.R.Context()
	ties, _, err := a.listAll(ctx, &branchlinev1.ListRecordsRequest{Collection: "ties", Customer: customer})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, r := range ties {
		names = append(names, "vehicles/"+r.GetTie().GetVehicle())
	}
	cars, owners, err := a.s.c.Views.Views(ctx, names)
	if err != nil {
		return nil, err
	}
	line := say.OwnerTies(owners)
	var out []carRow
	seen := map[string]bool{}
	for _, r := range ties {
		t := r.GetTie()
		key := t.GetVehicle() + t.GetRole().String()
		car := cars["vehicles/"+t.GetVehicle()]
		if seen[key] || len(out) >= maxCars || car == nil { // the tie has come before its car, or the car is out of scope
			continue
		}
		seen[key] = true
		row := carRow{
			Plate: desk.PlateOf(car.GetVehicle()), Name: say.Vehicle(car.GetVehicle()), Href: "/vehicles/" + t.GetVehicle(),
			Own: car.GetHome() == a.branch(), Over: t.GetTo() != "", records: append(car.GetGroup(), car.GetName()),
		}
		if row.Plate == "" && row.Name == "" {
			row.Name = car.GetVehicle().GetVin()
		}
		row.Meta = strings.TrimSpace(a.s.look.Word(a.Lang, "tie", t.GetRole()) + " " + a.Sayer().Term(t.GetFrom(), t.GetTo()))
		if o := line[r.GetName()]; o != nil {
			row.Meta, row.Over = a.Sayer().Owned(o), !o.GetPresent()
			if term := o.GetTies()[0]; !seen[term] { // one term may be of several registrations
				seen[term] = true
			} else {
				continue
			}
		}
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(x, y carRow) int { return front.FalseFirst(x.Over, y.Over) })
	return out, nil
}
