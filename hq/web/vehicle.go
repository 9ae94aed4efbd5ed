package web

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/chart"
	"branchline/schema/look/front"
	"branchline/schema/look/say"
	"branchline/sync/desk"
)

// fewVisits is how many visits a page shows until all are asked for.
const fewVisits = 30

type vehicleView struct {
	look.Frame
	Plate, VIN, Head, Sub string
	Registered            string
	Km, KmSub             string
	Retired               string
	Sites                 []pick
	Visits                []visit
	Count, SiteCount      int
	More                  string
	Track                 chart.Track
	Readings              []reading
	Doubtful              int
	Ties, Owners          []tieRow
	SeesTies              bool
	Declined              []declinedRow
	Facts                 []factRow
	Notes                 []noteRow
	Photos                []photoRow
	Guard                 front.Guard
}

type visit struct {
	ID, Day, Site, Number    string
	Km, Doubt                string
	Complaint, Cause, Remedy string
	Parts                    string
	State                    branchlinev1.OrderState
	Open                     bool // not settled yet
	Declined                 int
	Amount                   string
	front.VisitMark
}

type reading struct {
	Day, Km, Site string
	Doubtful      bool
}

type tieRow struct {
	Name, Href, Role string
	Over             bool
}

type declinedRow struct{ What, Meta string }

// vehicle is the car's history across sites.
func (s *Site) vehicle(a *ask) (*look.Page, look.View, error) {
	name := "vehicles/" + a.R.PathValue("id")
	r, err := s.api.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name, Golden: true})
	if err != nil {
		return nil, nil, notFound(err)
	}
	h, err := s.api.Records.VehicleHistory(a.R.Context(), &branchlinev1.VehicleHistoryRequest{Vehicle: name})
	if err != nil {
		return nil, nil, err
	}
	car := r.GetVehicle()
	v := vehicleView{
		Plate: desk.PlateOf(car), VIN: car.GetVin(), Head: cmp.Or(say.Vehicle(car), a.T("vehicle.nameless")),
		Sub: a.carSub(car), Registered: car.GetRegisteredOn(), Count: len(h.GetVisits()), SeesTies: a.Reads(schema.Tie),
	}
	v.Frame = a.live(cmp.Or(v.Plate, v.VIN, v.Head), "")
	if car.GetRetiredAt() > 0 {
		v.Retired = s.look.Day(car.GetRetiredAt())
	}
	homes := map[string]string{}
	for _, m := range h.GetVehicles() {
		homes[m.GetName()] = m.GetHome()
	}
	if v.Facts, err = a.facts(r, homes); err != nil {
		return nil, nil, err
	}
	v.Owners = a.owners(h)
	line := say.OwnerTies(h.GetOwners())
	if v.Ties, err = a.tied(slices.DeleteFunc(slices.Clone(h.GetTies()), func(r *branchlinev1.Record) bool { return line[r.GetName()] != nil })); err != nil {
		return nil, nil, err
	}
	if v.Photos, err = a.photos(&branchlinev1.ListRecordsRequest{Vehicle: name}); err != nil {
		return nil, nil, err
	}
	if v.Notes, err = a.notes(&branchlinev1.ListRecordsRequest{Vehicle: name}); err != nil {
		return nil, nil, err
	}
	rules, err := front.Settings(a.R.Context(), s.api.Records)
	if err != nil {
		return nil, nil, err
	}
	judged := a.Judge(front.Judging{Car: car, Visits: desk.Visits(h.GetVisits()), Km: front.LastKm(h), Rules: rules})
	v.Guard = judged.Guard
	a.visits(&v, name, h, judged.Marks)
	a.readings(&v, h)
	return s.pages.vehicle, v, nil
}

// order leads to the visit in its car's history, or to its customer when it has no car.
func (s *Site) order(a *ask) error {
	name := "serviceOrders/" + a.R.PathValue("id")
	r, err := s.api.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return notFound(err)
	}
	o := r.GetServiceOrder()
	if o.GetVehicle() != "" {
		return a.GoTo("/vehicles/" + o.GetVehicle() + "?show=all#v-" + a.R.PathValue("id"))
	}
	if to := a.Href("customers/" + o.GetCustomer()); to != "" {
		return a.GoTo(to)
	}
	return schema.ErrNotFound
}

func (a *ask) carSub(v *branchlinev1.Vehicle) string {
	var parts []string
	if y := v.GetModelYear(); y > 0 {
		parts = append(parts, a.T("vehicle.year", year(y)))
	}
	for _, s := range []string{v.GetVariant(), v.GetEnergy(), v.GetColour()} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, " · ")
}

// owners are whose the car is and was, with the sites that have registered it.
func (a *ask) owners(h *branchlinev1.VehicleHistoryResponse) []tieRow {
	homes := map[string]string{}
	for _, r := range h.GetTies() {
		homes[r.GetName()] = r.GetHome()
	}
	var out []tieRow
	for _, o := range h.GetOwners() {
		row := tieRow{Name: cmp.Or(o.GetName(), a.T("customer.nameless")), Href: a.Href(o.GetCustomer()), Role: a.Sayer().Owned(o), Over: !o.GetPresent()}
		var sites []string
		for _, t := range o.GetTies() {
			if site := homes[t]; site != "" && !slices.Contains(sites, a.SiteName(site)) {
				sites = append(sites, a.SiteName(site))
			}
		}
		if len(sites) > 0 {
			row.Role += " · " + a.T("owner.by", a.List(sites))
		}
		out = append(out, row)
	}
	return out
}

// tied are the other people of the car, those of today first.
func (a *ask) tied(ties []*branchlinev1.Record) ([]tieRow, error) {
	if !a.Reads(schema.Tie) {
		return nil, nil
	}
	var names []string
	for _, r := range ties {
		names = append(names, "customers/"+r.GetTie().GetCustomer())
	}
	people, _, err := a.s.c.Views.Views(a.R.Context(), names, true) // a tie may come before its customer
	if err != nil {
		return nil, err
	}
	var out []tieRow
	at := map[string]int{} // of a person in out, by the first member's name
	for _, r := range ties {
		t := r.GetTie()
		name := "customers/" + t.GetCustomer()
		role := a.s.look.Word(a.Lang, "tie", t.GetRole())
		if term := a.Sayer().Term(t.GetFrom(), t.GetTo()); term != "" {
			role += " " + term
		}
		over := t.GetTo() != "" && t.GetTo() < a.s.look.Day(a.Now)
		who := slices.Min(append(people[name].GetGroup(), name))
		if i, ok := at[who]; ok {
			if !strings.Contains(out[i].Role, role) {
				out[i].Role += " · " + role
			}
			out[i].Over = out[i].Over && over
			continue
		}
		at[who] = len(out)
		row := tieRow{Name: cmp.Or(people[name].GetCustomer().GetName(), a.T("customer.nameless")), Role: role, Over: over}
		if people[name] != nil {
			row.Href = a.Href(name)
		}
		out = append(out, row)
	}
	slices.SortStableFunc(out, func(x, y tieRow) int { return front.FalseFirst(x.Over, y.Over) })
	return out, nil
}

// visits fills in the timeline and what was recommended and never done.
func (a *ask) visits(v *vehicleView, name string, h *branchlinev1.VehicleHistoryResponse, marks map[string]front.VisitMark) {
	doubt := map[string]bool{} // orders whose reading does not fit
	for _, r := range h.GetReadings() {
		if slices.Contains(h.GetDoubtfulReadings(), r.GetName()) {
			doubt["serviceOrders/"+r.GetOdometerReading().GetOrder()] = true
		}
	}
	var orders []*branchlinev1.Record
	names := map[string]string{}
	for _, x := range h.GetVisits() {
		orders = append(orders, x.GetOrder())
		names[siteOf(x.GetOrder())] = cmp.Or(x.GetBranchName(), a.SiteName(siteOf(x.GetOrder())))
	}
	v.Sites, v.SiteCount = a.sitePicks("/"+name, orders), len(names)
	v.declined(a, h.GetVisits(), names)
	chosen := a.Query("site")
	for _, x := range h.GetVisits() {
		site := siteOf(x.GetOrder())
		if chosen != "" && site != chosen {
			continue
		}
		if len(v.Visits) == fewVisits && a.Query("show") != "all" {
			v.More = "/" + name + "?show=all"
			continue
		}
		o := a.visit(x, names[site])
		o.VisitMark = marks[x.GetOrder().GetName()]
		if doubt[x.GetOrder().GetName()] || slices.Contains(h.GetDoubtfulReadings(), x.GetOrder().GetName()) {
			o.Doubt = a.T("vehicle.doubt")
		}
		v.Visits = append(v.Visits, o)
	}
}

func (a *ask) visit(x *branchlinev1.HistoryVisit, site string) visit {
	o := x.GetOrder().GetServiceOrder()
	_, id, _ := strings.Cut(x.GetOrder().GetName(), "/")
	out := visit{
		ID: id, Day: o.GetDay(), Site: site, Number: o.GetNumber(), State: o.GetState(),
		Open: o.GetState() < branchlinev1.OrderState_SETTLED || o.GetState() == branchlinev1.OrderState_CANCELLED,
	}
	if km := o.GetOdometerKm(); km > 0 {
		out.Km = look.Num(km) + " km"
	}
	complaints, causes, remedies, parts := []string{o.GetComplaint()}, []string{o.GetFault()}, []string{o.GetWork()}, []string{o.GetParts()}
	for _, r := range x.GetLines() {
		l := r.GetServiceLine()
		complaints = append(complaints, l.GetComplaint())
		if l.GetState() == branchlinev1.LineState_LINE_DECLINED {
			out.Declined++
			continue
		}
		causes = append(causes, l.GetCause())
		if l.GetKind() == branchlinev1.LineKind_PART {
			parts = append(parts, partText(l))
			remedies = append(remedies, l.GetCorrection())
			continue
		}
		remedies = append(remedies, cmp.Or(l.GetCorrection(), l.GetItem()))
		if l.GetPartName() != "" {
			parts = append(parts, partText(l))
		}
	}
	semicolon := a.T("say.semicolon")
	out.Complaint, out.Cause = joinOnce(complaints, semicolon), joinOnce(causes, semicolon)
	out.Remedy, out.Parts = joinOnce(remedies, semicolon), joinOnce(parts, " · ")
	if s := sumOf(x.GetLines()); s.seen {
		out.Amount = look.Cash(s.total(), s.currency)
	}
	return out
}

func partText(l *branchlinev1.ServiceLine) string {
	text := cmp.Or(l.GetPartName(), l.GetItem(), l.GetPartCode())
	if q := l.GetPartQuantity(); q != 0 {
		text += " " + look.Qty(q)
	}
	return text
}

// joinOnce joins what is not empty, each once.
func joinOnce(parts []string, sep string) string {
	var out []string
	for _, p := range parts {
		if p = strings.TrimSpace(p); p != "" && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}

// declined fills in what was recommended and is open still; names are those of the sites.
func (v *vehicleView) declined(a *ask, visits []*branchlinev1.HistoryVisit, names map[string]string) {
	for _, x := range desk.StillDeclined(visits) {
		meta := names[siteOf(x.Visit.GetOrder())] + " " + x.Visit.GetOrder().GetServiceOrder().GetDay()
		if why := x.Line.GetDeclinedReason(); why != "" {
			meta += " · " + why
		}
		if on := x.Line.GetReviveOn(); on != "" {
			meta += " · " + a.T("vehicle.ask_again", on)
		}
		v.Declined = append(v.Declined, declinedRow{x.Item, meta})
	}
}

// readings fills in the odometer: dated readings, and those written into orders that have none of their own.
func (a *ask) readings(v *vehicleView, h *branchlinev1.VehicleHistoryResponse) {
	var points []chart.TrackPoint
	told := map[string]bool{}
	add := func(name, day string, km int64, site string) {
		at, err := daysOf(day)
		if err != nil || km <= 0 {
			return
		}
		points = append(points, chart.TrackPoint{
			Label: day, At: at, N: km, Odd: slices.Contains(h.GetDoubtfulReadings(), name), Note: site,
		})
	}
	for _, r := range h.GetReadings() {
		o := r.GetOdometerReading()
		told["serviceOrders/"+o.GetOrder()] = true
		add(r.GetName(), o.GetDay(), o.GetKm(), a.SiteName(cmp.Or(o.GetBranch(), r.GetHome())))
	}
	for _, x := range h.GetVisits() {
		o := x.GetOrder().GetServiceOrder()
		if !told[x.GetOrder().GetName()] {
			add(x.GetOrder().GetName(), o.GetDay(), o.GetOdometerKm(), a.SiteName(siteOf(x.GetOrder())))
		}
	}
	slices.SortStableFunc(points, func(p, q chart.TrackPoint) int { return cmp.Or(cmp.Compare(p.At, q.At), cmp.Compare(p.N, q.N)) })
	for _, p := range slices.Backward(points) {
		v.Readings = append(v.Readings, reading{p.Label, look.Num(p.N) + " km", p.Note, p.Odd})
		switch {
		case p.Odd:
			v.Doubtful++
		case v.Km == "":
			v.Km, v.KmSub = look.Num(p.N)+" km", p.Label+" "+p.Note
		}
	}
	v.Track = chart.Track{
		Title: a.T("vehicle.odometer"), First: a.T("word.day"), Value: "km", Remark: a.T("word.site"), Points: points,
		Other: a.T("vehicle.fits"), Odd: a.T("vehicle.odd"), Style: a.s.look.ChartStyle(a.Lang),
	}
}

// daysOf counts a day from a fixed one, for a place on an axis.
func daysOf(day string) (int64, error) {
	t, err := time.Parse(time.DateOnly, day)
	return t.Unix() / 86400, err
}

// year is written without a sign of thousands.
func year(y int32) string { return strconv.Itoa(int(y)) }
