package web

import (
	"net/url"
	"slices"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
	"branchline/schema/look/say"
	"branchline/schema/vin"
	"branchline/sync/desk"
)

type vehicleView struct {
	look.Frame
	Car      carHead
	Name     string // of the record
	Edit     string
	NewOrder string
	NewBook  string
	Reach    reach
	Doubt    string // about the VIN, that somebody has confirmed
	Shared   bool
	Facts    []factRow
	History  history
	Guard    front.Guard
	Owners   []personRow
	People   []personRow
	SeesTies bool
	Inspect  inspectPanel
	Notes    noteList
	Ask      askForm
}

// carHead is a car in the hero of a page.
type carHead struct {
	Plate, Title, Sub, VIN string
	Km                     int64
	KmWhen                 string
	Registered             string
}

type personRow struct {
	Name, Href, Meta string
	Over, Elsewhere  bool // it is over; no site but others has registered it
}

func (a *ask) carHead(v *branchlinev1.Vehicle, h history) carHead {
	head := carHead{Plate: desk.PlateOf(v), Title: say.Vehicle(v), VIN: v.GetVin(), Registered: v.GetRegisteredOn()}
	var parts []string
	if v.GetModelYear() > 0 {
		parts = append(parts, a.T("vehicle.year", yearText(v.GetModelYear())))
	}
	for _, s := range []string{v.GetVariant(), v.GetColour(), v.GetEnergy()} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	head.Sub = strings.Join(parts, " · ")
	head.Km, head.KmWhen = h.Km, h.KmWhen
	return head
}

func (s *Site) vehicle(a *ask) (*look.Page, look.View, error) {
	name := "vehicles/" + a.id
	sh, err := s.sheet(a, name)
	if err != nil {
		return nil, nil, err
	}
	r, c := sh.r, sh.body.(*branchlinev1.Vehicle)
	res, err := s.c.Records.VehicleHistory(a.R.Context(), &branchlinev1.VehicleHistoryRequest{Vehicle: name})
	if err != nil {
		return nil, nil, err
	}
	v := vehicleView{
		Frame: a.live(a.vehicleTitle(c), "vehicles"), Name: name, Reach: a.reach(sh.r.GetWhere()), Shared: r.GetShared(), SeesTies: a.Reads(schema.Tie) && !r.GetShared(),
	}
	own := name // what may be written down of the car; "" for another company's
	if r.GetShared() {
		own = ""
	}
	j, err := a.judge(c, own, res)
	if err != nil {
		return nil, nil, err
	}
	v.History, v.Guard, v.Touch = a.history(res, "/"+name, a.id, j), j.Guard, true
	v.Car = a.carHead(c, v.History)
	if a.Writes(schema.Vehicle) && own != "" {
		v.Edit = "/" + name + "/edit"
	}
	if plate := desk.PlateOf(c); a.Writes(schema.ServiceOrder) && own != "" {
		v.NewOrder = "/serviceOrders/new?vehicle=" + a.id
	} else if a.Writes(schema.ServiceOrder) && plate != "" { // it is here now: this branch makes a record of its own
		v.NewOrder = "/serviceOrders/new?plate=" + url.QueryEscape(plate)
	}
	if a.Writes(schema.Appointment) && own != "" {
		v.NewBook = "/appointments/new?vehicle=" + a.id
	}
	if rep := vin.Check(c.GetVin()); c.GetVin() != "" && rep.Ask() {
		v.Doubt = a.vinDoubt(c.GetVin())
	}
	v.Facts = a.facts(sh, v.Edit)
	v.Owners = a.owners(res)
	if v.SeesTies {
		line := say.OwnerTies(res.GetOwners())
		others := slices.DeleteFunc(slices.Clone(res.GetTies()), func(r *branchlinev1.Record) bool { return line[r.GetName()] != nil })
		if v.People, err = a.people(others); err != nil {
			return nil, nil, err
		}
	}
	if v.Inspect, err = a.inspectPanel(&branchlinev1.ListRecordsRequest{Vehicle: name}, false); err != nil {
		return nil, nil, err
	}
	if v.Notes, err = a.notes(name); err != nil {
		return nil, nil, err
	}
	v.Ask = askForm{Vehicle: name, Plate: v.Car.Plate, Online: v.Line.Kind == look.LineUp}
	v.Ask.reasons(a)
	return s.pages.vehicle, v, nil
}

// owners are whose a car is and was, as far as is known: who is not held here has no name and no page.
func (a *ask) owners(res *branchlinev1.VehicleHistoryResponse) []personRow {
	homes := map[string]string{}
	for _, r := range res.GetTies() {
		homes[r.GetName()] = r.GetHome()
	}
	var out []personRow
	for _, o := range res.GetOwners() {
		p := personRow{Name: a.Sayer().OwnerName(o), Meta: a.Sayer().Owned(o), Over: !o.GetPresent()}
		if o.GetName() != "" {
			p.Href = a.Href(o.GetCustomer())
		}
		var sites []string
		for _, t := range o.GetTies() {
			if site := homes[t]; site != "" && !slices.Contains(sites, a.SiteName(site)) {
				sites = append(sites, a.SiteName(site))
			}
		}
		p.Elsewhere = !slices.Contains(sites, a.SiteName(a.branch()))
		if len(sites) > 0 {
			p.Meta += " · " + a.T("owner.by", a.List(sites))
		}
		out = append(out, p)
	}
	return out
}

// people are others who have to do with a car, the present ones first.
func (a *ask) people(ties []*branchlinev1.Record) ([]personRow, error) {
	var names []string
	for _, r := range ties {
		names = append(names, "customers/"+r.GetTie().GetCustomer())
	}
	customers, _, err := a.s.c.Views.Views(a.R.Context(), names)
	if err != nil {
		return nil, err
	}
	var out []personRow
	seen := map[string]bool{}
	for _, r := range ties {
		t := r.GetTie()
		key := t.GetCustomer() + t.GetRole().String() + t.GetTo()
		c := customers["customers/"+t.GetCustomer()]
		if seen[key] || len(out) >= maxPeople || c == nil {
			continue
		}
		seen[key] = true
		p := personRow{Href: a.Href("customers/" + t.GetCustomer()), Over: t.GetTo() != ""}
		p.Name = c.GetCustomer().GetName()
		p.Meta = strings.TrimSpace(a.s.look.Word(a.Lang, "tie", t.GetRole()) + " " + a.Sayer().Term(t.GetFrom(), t.GetTo()))
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(x, y personRow) int { return front.FalseFirst(x.Over, y.Over) })
	return out, nil
}
