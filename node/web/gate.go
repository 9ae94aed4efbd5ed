package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
	"branchline/schema/plate"
	"branchline/schema/vin"
	"branchline/sync/desk"
)

// gate is what is known of the car at the gate, beside the form of its reception: it follows what is typed there.
type gate struct {
	Of      string   // the plate that the choice of a car is about
	Cars    []choice // which it may be
	Vehicle string   // the car, by id; "" when none is known or none is chosen
	New     bool     // the plate is none that is known here
	Asks    bool     // the car lacks a VIN or a model, or is new
	VIN     input
	Model   input

	Car      carHead
	Href     string
	Ask      string // where headquarters is asked about a car that is not known here
	In       string // the order with which the car is in the house already
	InNumber string
	Parts    []choice // that came for the car after it had gone: to be fitted now
	Packs    []packRow
	MorePack []packRow
	Persons  bool // the caller writes customers down: the form asks who brings the car
	People   []choice
	Like     []likeChoice
	Likely   string // the one of them it is, by id
	Perhaps  string
	Join     string
	Owed     string
	OwedHref string
	Last     history // the last visits
	Sound    []soundRow
	Alerts   []front.GuardAlert
	Backs    []option // orders this may be a comeback of, each with its lines: an order's id, a line's behind it
	Back     string
	Cause    input
	Borne    input    // who bears it
	Bearers  []string // to choose from
}

// soundRow is a repair whose guarantee still holds.
type soundRow struct{ Text, Meta, Href string }

// likeChoice is somebody the person at the gate may be.
type likeChoice struct {
	likeRow
	ID      string
	Checked bool
}

const (
	gateVisits = 3 // drawn beside the form
	gateBacks  = 6
	gatePacks  = 5
	gatePeople = 5
	gateCars   = 12
)

// gate looks up what the form says so far.
func (s *Site) gate(a *ask, d *draft) (gate, error) {
	g := gate{Of: plate.Fold(d.plate), Back: d.back, Persons: a.Writes(schema.Customer)}
	if d.backLine != "" {
		g.Back += "." + d.backLine
	}
	g.Borne = d.bad.put(input{Name: "comeback_borne_by", Label: a.label(schema.KindOf(schema.ServiceOrder), "comeback_borne_by"), Value: d.borne, Max: 100})
	g.Cause = input{ID: "i-comeback_cause", Name: "comeback_cause", Label: a.label(schema.KindOf(schema.ServiceOrder), "comeback_cause"), Value: d.cause, Max: 300}
	car, err := s.gateCar(a, d, &g)
	if err != nil {
		return g, err
	}
	g.New = car == nil && len(g.Cars) == 0 && g.Of != "" && (plate.Key(d.plate) != "" || d.sent)
	if car != nil {
		g.Vehicle = idOf(car.GetName())
		if err := s.gateHistory(a, &g, d, car); err != nil {
			return g, err
		}
	} else if err := s.gatePeople(a, &g, d, new(branchlinev1.VehicleHistoryResponse)); err != nil { // whom the page was asked for
		return g, err
	}
	if g.New && a.May("GET /history") {
		g.Ask = "/history?plate=" + g.Of
	}
	v := car.GetVehicle()
	if g.Asks = a.Writes(schema.Vehicle) && (g.New || d.chosen == otherCar || car != nil && (v.GetVin() == "" || v.GetModel() == "")); g.Asks {
		k := schema.KindOf(schema.Vehicle)
		g.VIN = d.bad.put(input{Name: "vin", Label: "VIN", Value: d.vin, Max: 32, Class: "mono w2"})
		g.Model = d.bad.put(input{Name: "model", Label: a.label(k, "model"), Value: d.model, Max: 120})
	}
	if err := s.gatePackages(a, &g, d, car); err != nil {
		return g, err
	}
	return g, s.gateLike(a, &g, d)
}

// otherCar is the choice that it is none of the cars known to have carried the plate.
const otherCar = "new"

// gateCar finds the car; nil when there is none or one is to be chosen.
func (s *Site) gateCar(a *ask, d *draft, g *gate) (*branchlinev1.Record, error) {
	var cars []*branchlinev1.Record
	var err error
	exact := true
	switch {
	case d.cars != nil:
		cars = d.cars
	case g.Of != "":
		if cars, exact, err = s.byPlate(a, d.plate); err != nil {
			return nil, err
		}
	case d.vehicle != "":
	case d.customer != "":
		if cars, err = s.carsOf(a, "customers/"+d.customer); err != nil {
			return nil, err
		}
	}
	if d.vehicle != "" && !slices.ContainsFunc(cars, func(r *branchlinev1.Record) bool {
		return slices.Contains(append(r.GetGroup(), r.GetName()), "vehicles/"+d.vehicle)
	}) {
		r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "vehicles/" + d.vehicle, Golden: true})
		if err != nil {
			return nil, err
		}
		cars = append([]*branchlinev1.Record{r}, cars...)
	}
	if d.chosen == "" {
		d.chosen = d.vehicle
	}
	if len(cars) == 1 && (exact || enough(d.plate)) && d.cars == nil && d.chosen != otherCar {
		return cars[0], nil
	}
	var car *branchlinev1.Record
	for i, r := range cars {
		on := idOf(r.GetName()) == d.chosen || d.chosen == "" && i == 0 && d.cars != nil
		if on {
			car = r
		}
		g.Cars = append(g.Cars, choice{Name: "vehicle", Value: idOf(r.GetName()), Text: a.vehicleTitle(r.GetVehicle()), Meta: vinTail(r.GetVehicle()), Checked: on})
	}
	if len(g.Cars) > 0 && g.Of != "" {
		g.Cars = append(g.Cars, choice{Name: "vehicle", Value: otherCar, Text: a.T("order.other_car"), Meta: a.T("order.other_car_meta"), Checked: d.chosen == otherCar})
	}
	return car, nil
}

// byPlate are the cars that carry a plate now, or carried it last; where none does and the text is a part of a plate only,
// those whose plate ends so, and exact is false.
func (s *Site) byPlate(a *ask, text string) (cars []*branchlinev1.Record, exact bool, err error) {
	said, key := plate.Fold(text), plate.Key(text)
	if len([]rune(said)) < 3 {
		return nil, true, nil
	}
	res, err := s.c.Records.Search(a.R.Context(), &branchlinev1.SearchRequest{Query: said, Collections: []string{"vehicles"}, Limit: 20})
	if err != nil {
		return nil, false, err
	}
	var near []*branchlinev1.Record
	for _, h := range res.GetHits() {
		has := desk.PlateOf(h.GetRecord().GetVehicle())
		switch {
		case key != "" && plate.Key(has) == key, plate.Fold(has) == said:
			cars = append(cars, h.GetRecord())
		case key == "" && strings.HasSuffix(plate.Fold(has), said) && len(near) < gateCars:
			near = append(near, h.GetRecord())
		}
	}
	if len(cars) > 0 {
		return cars, true, nil
	}
	return near, false, nil
}

// enough tells whether a part of a plate is all of it but the province, and so names a car.
func enough(text string) bool { return len([]rune(plate.Fold(text))) >= 5 }

func vinTail(v *branchlinev1.Vehicle) string {
	if v.GetVin() == "" {
		return ""
	}
	return "VIN …" + vin.Tail(v.GetVin(), 6)
}

// carsOf are the cars a customer brings now.
func (s *Site) carsOf(a *ask, customer string) ([]*branchlinev1.Record, error) {
	ties, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "ties", Customer: customer})
	if err != nil {
		return nil, err
	}
	var out []*branchlinev1.Record
	for _, t := range ties {
		if t.GetTie().GetTo() != "" || len(out) >= gateCars {
			continue
		}
		r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "vehicles/" + t.GetTie().GetVehicle()})
		if isMissing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// gateHistory is what the adviser is to know of the car: where it was, what is still open, who brought it, what is owed.
func (s *Site) gateHistory(a *ask, g *gate, d *draft, car *branchlinev1.Record) error {
	name := car.GetName()
	res, err := s.c.Records.VehicleHistory(a.R.Context(), &branchlinev1.VehicleHistoryRequest{Vehicle: name})
	if err != nil {
		return err
	}
	d.history = res
	j, err := a.judge(car.GetVehicle(), name, res)
	if err != nil {
		return err
	}
	g.Last, g.Alerts, g.Href = a.history(res, "", g.Vehicle, j), j.Guard.Alerts, a.Href(name)
	g.Last.Visits = g.Last.Visits[:min(len(g.Last.Visits), gateVisits)]
	for i := range g.Last.Declined {
		g.Last.Declined[i].Add = "" // it would leave the form
	}
	g.Car = a.carHead(car.GetVehicle(), g.Last)
	g.Backs, g.Bearers = []option{{"", a.T("reception.no_comeback")}}, []string{a.SiteName(a.branch())}
	backs := 0
	for _, v := range res.GetVisits() {
		o := v.GetOrder().GetServiceOrder()
		if a.openHere(v) && g.In == "" {
			g.In, g.InNumber = a.Href(v.GetOrder().GetName()), cmp.Or(o.GetNumber(), o.GetDay())
		}
		if o.GetState() == branchlinev1.OrderState_CANCELLED {
			continue
		}
		if !a.openHere(v) && desk.SiteOf(v) == a.branch() {
			a.partsHere(g, d, v)
		}
		site := a.SiteName(desk.SiteOf(v))
		if id := idOf(v.GetOrder().GetName()); backs < gateBacks || id == d.back {
			backs++
			g.Backs = append(g.Backs, option{id, strings.Join(nonEmpty(site, o.GetDay(), visitTitle(v)), " · ")})
			for _, l := range v.GetLines() {
				if title := lineTitle(l.GetServiceLine()); title != "" && l.GetServiceLine().GetState() != branchlinev1.LineState_LINE_DECLINED {
					g.Backs = append(g.Backs, option{id + "." + idOf(l.GetName()), "└ " + title})
				}
			}
			g.bear(site)
			for _, l := range v.GetLines() {
				g.bear(a.Names().Person(l.GetServiceLine().GetTechnician()))
			}
		}
		if o.GetGuaranteeUntil() >= a.today() && (o.GetGuaranteeKm() == 0 || g.Car.Km <= o.GetGuaranteeKm()) {
			row := soundRow{Text: cmp.Or(visitTitle(v), o.GetNumber(), o.GetDay()), Meta: a.T("reception.sound_until", site, o.GetDay(), o.GetGuaranteeUntil())}
			if o.GetGuaranteeKm() > 0 {
				row.Meta = a.T("reception.sound_km", site, o.GetDay(), o.GetGuaranteeUntil(), o.GetGuaranteeKm())
			}
			row.Href = a.Href(v.GetOrder().GetName())
			g.Sound = append(g.Sound, row)
		}
	}
	for _, who := range bearers() {
		g.bear(a.bearerName(who))
	}
	return s.gatePeople(a, g, d, res)
}

// partsHere offers the parts of an earlier visit that have come since to be fitted now; who writes no lines only sees them.
func (a *ask) partsHere(g *gate, d *draft, v *branchlinev1.HistoryVisit) {
	o := v.GetOrder().GetServiceOrder()
	of := a.T("reception.part_of", cmp.Or(o.GetNumber(), o.GetDay()))
	var seen []string
	for _, l := range v.GetLines() {
		b, id := l.GetServiceLine(), idOf(l.GetName())
		switch {
		case !partCame(b):
		case a.Writes(schema.ServiceLine) && !v.GetOrder().GetShared():
			g.Parts = append(g.Parts, choice{Name: "part", Value: id, Text: partName(b), Meta: of, Checked: !slices.Contains(d.partsShown, id) || slices.Contains(d.parts, id)})
		default:
			seen = append(seen, partName(b))
		}
	}
	if len(seen) > 0 {
		g.Alerts = append(g.Alerts, front.GuardAlert{Fact: a.T("reception.part_came", a.List(seen)), Then: of})
	}
}

// bear offers who may bear a comeback, by name; "" is nobody.
func (g *gate) bear(name string) {
	if name != "" && !slices.Contains(g.Bearers, name) {
		g.Bearers = append(g.Bearers, name)
	}
}

// openHere tells whether a visit has a car standing at this branch.
func (a *ask) openHere(v *branchlinev1.HistoryVisit) bool {
	st := v.GetOrder().GetServiceOrder().GetState()
	return desk.SiteOf(v) == a.branch() && st > branchlinev1.OrderState_BOOKED && st < branchlinev1.OrderState_HANDED_OVER
}

// visitTitle is what a visit was about.
func visitTitle(v *branchlinev1.HistoryVisit) string {
	for _, j := range jobsOf(v.GetOrder().GetServiceOrder(), v.GetLines()) {
		if t := cmp.Or(j.Complaint, j.Correction); t != "" {
			return t
		}
	}
	return ""
}

// gatePeople are who has to do with the car: who brought it last first, then the owners, then the others.
func (s *Site) gatePeople(a *ask, g *gate, d *draft, res *branchlinev1.VehicleHistoryResponse) error {
	if !a.Reads(schema.Customer) {
		return nil
	}
	roles := map[string]branchlinev1.TieRole{}
	var ids []string
	add := func(id string) {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	add(d.customer)
	last := ""
	for _, v := range res.GetVisits() {
		if last = v.GetOrder().GetServiceOrder().GetCustomer(); last != "" {
			add(last)
			break
		}
	}
	for _, owners := range []bool{true, false} {
		for _, r := range res.GetTies() {
			t := r.GetTie()
			if t.GetTo() == "" && (t.GetRole() == branchlinev1.TieRole_OWNER) == owners {
				add(t.GetCustomer())
				roles[t.GetCustomer()] = cmp.Or(roles[t.GetCustomer()], t.GetRole())
			}
		}
	}
	seen := map[string]bool{} // registrations of one customer
	for _, id := range ids {
		if seen["customers/"+id] || len(g.People) >= gatePeople {
			continue
		}
		r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "customers/" + id, Golden: true})
		if isMissing(err) {
			continue
		}
		if err != nil {
			return err
		}
		for _, m := range append(r.GetGroup(), r.GetName()) {
			seen[m] = true
		}
		meta := []string{maskedPhone(r.GetCustomer())}
		if role := roles[id]; role != 0 {
			meta = append(meta, a.s.look.Word(a.Lang, "tie", role))
		}
		if id == last {
			meta = append(meta, a.T("reception.brought_last"))
		}
		on := d.customer == id || d.customer == "" && !d.nobody && len(g.People) == 0
		g.People = append(g.People, choice{Name: "customer", Value: id, Text: r.GetCustomer().GetName(), Meta: strings.Join(nonEmpty(meta...), " · "), Checked: on})
		if on {
			if err := s.gateOwed(a, g, r.GetName()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Site) gateOwed(a *ask, g *gate, customer string) error {
	if !a.May("GET /customers/{id}/purse") {
		return nil
	}
	p, err := s.c.Counter.GetPurse(a.R.Context(), &branchlinev1.GetPurseRequest{Customer: customer})
	if err != nil {
		return err
	}
	if p.GetOwed() > 0 {
		g.Owed, g.OwedHref = look.Money(p.GetOwed(), "CNY"), "/"+customer+"/purse"
	}
	return nil
}

// gatePackages are the packages for the car at the gate; the one that was chosen stands first.
func (s *Site) gatePackages(a *ask, g *gate, d *draft, car *branchlinev1.Record) error {
	if car == nil && !g.New && d.chosen != otherCar && d.pack == "" {
		return nil
	}
	km, _ := parseWhole(d.km)
	sold, err := a.soldPackages()
	if err != nil {
		return err
	}
	rows := a.packRows(sold, packCar{model: cmp.Or(modelOf(car.GetVehicle()), d.model), km: km, history: d.history})
	if i := slices.IndexFunc(rows, func(r packRow) bool { return r.ID == d.pack }); i >= 0 {
		chosen := rows[i]
		chosen.Checked = true
		rows = slices.Insert(slices.Delete(rows, i, i+1), 0, chosen)
	}
	n := min(len(rows), gatePacks)
	for n > 0 && rows[n-1].Other && !rows[n-1].Checked {
		n-- // those for other models stand behind the fold
	}
	g.Packs, g.MorePack = rows[:n], rows[n:]
	return nil
}

// gateLike is who the person whose name or phone is typed may be.
func (s *Site) gateLike(a *ask, g *gate, d *draft) error {
	if d.name == "" && d.phone == "" || !a.May("POST /customers/like") {
		return nil
	}
	v, err := s.like(a, d.person())
	if err != nil {
		v = &likeView{} // a warning that cannot be given keeps nobody from the form
	}
	g.Perhaps, g.Join = v.Perhaps, v.Join
	for _, m := range v.Matches {
		id := strings.TrimPrefix(m.Href, "/customers/")
		if !a.R.PostForm.Has("likely") && d.likely == "" && slices.Contains(m.Agrees, a.T("like.same_phone")) && slices.Contains(m.Agrees, a.T("like.same_name")) {
			d.likely = id // who says otherwise chooses otherwise
		}
		g.Like = append(g.Like, likeChoice{likeRow: m, ID: id, Checked: d.likely == id})
	}
	g.Likely = d.likely
	return nil
}

// promises are the quick choices of a promised time: value and words.
func (a *ask) promises(now time.Time, booked int64) []option {
	value := func(t time.Time) string { return t.Format(localLayout) }
	out := []option{{"", a.T("reception.no_promise")}}
	add := func(t time.Time, words string) {
		if !slices.ContainsFunc(out, func(o option) bool { return o.Value == value(t) }) {
			out = append(out, option{value(t), words})
		}
	}
	if booked > now.UnixMilli() {
		t := time.UnixMilli(booked).In(now.Location())
		add(t, a.T("reception.as_booked", a.s.look.When(a.Lang, a.Now, booked)))
	}
	for _, hours := range []int{1, 2, 4} {
		t := now.Add(time.Duration(hours) * time.Hour).Add(14 * time.Minute).Truncate(15 * time.Minute)
		add(t, a.T("reception.in_hours", hours, a.s.look.When(a.Lang, a.Now, t.UnixMilli())))
	}
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	for _, after := range []time.Duration{17*time.Hour + 30*time.Minute, 35 * time.Hour, 41*time.Hour + 30*time.Minute} {
		if t := day.Add(after); t.Sub(now) > 30*time.Minute {
			add(t, a.s.look.When(a.Lang, a.Now, t.UnixMilli()))
		}
	}
	return out
}
