package web

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/chart"
	"branchline/schema/look/front"
	"branchline/schema/plate"
	"branchline/schema/vin"
	"branchline/sync/desk"
)

// history is what was done to a car, at whichever site, newest first.
type history struct {
	Visits   []visit
	Count    int
	Sites    []siteLink
	Systems  []siteLink
	SiteN    int
	More     string
	MoreN    int
	Declined []declined
	Km       int64
	KmWhen   string
	Chart    template.HTML
	Table    chart.Table
	Readings int
}

type visit struct {
	Day, Site string
	Own       bool
	Href      string
	Number    string
	Km        int64
	Odd       bool
	Jobs      []job
	State     branchlinev1.OrderState
	Open      bool
	Declined  int
	Cancelled bool
	Systems   string // the parts of the car that were worked on
	Receive   string // reception of a car that comes again for it
	Between   string // for an odd reading: what it would have to lie between
	front.VisitMark
}

// job is what was wrong, why, and what was done about it.
type job struct {
	Complaint, Cause, Correction string
	Parts                        []string
	Items                        []string
}

type declined struct {
	Item, Meta string
	Due        bool   // to be asked again by now
	Add        string // where it is put into an order
}

// fewVisits are drawn at first.
const fewVisits = 12

// history makes a car's visits ready to be drawn. page is the address they stand on, car the id of the record, both "" on
// an answer of HQ.
func (a *ask) history(res *branchlinev1.VehicleHistoryResponse, page, car string, j front.Judged) history {
	h := history{Count: len(res.GetVisits())}
	odd := map[string]bool{}
	for _, name := range res.GetDoubtfulReadings() {
		odd[name] = true
	}
	between := a.between(res.GetReadings(), odd)
	sites := map[string]bool{}
	name := strings.TrimPrefix(page, "/")
	h.Sites = a.siteLinks(name, len(res.GetVisits()), func(count func(string)) {
		for _, v := range res.GetVisits() {
			sites[desk.SiteOf(v)] = true
			count(desk.SiteOf(v))
		}
	})
	h.Systems = a.systemLinks(name, res.GetVisits())
	h.SiteN = len(sites)
	site, system := a.Query("site"), a.Query("system")
	for _, v := range res.GetVisits() {
		if site != "" && desk.SiteOf(v) != site || system != "" && !slices.Contains(systemsOf(v), system) {
			continue
		}
		h.Visits = append(h.Visits, a.visit(v, between, j.Marks[v.GetOrder().GetName()]))
	}
	if len(h.Visits) > fewVisits && a.Query("show") != "all" && page != "" {
		h.MoreN = len(h.Visits) - fewVisits
		h.Visits = h.Visits[:fewVisits]
		q := url.Values{"show": {"all"}}
		for key, value := range map[string]string{"site": site, "system": system} {
			if value != "" {
				q.Set(key, value)
			}
		}
		h.More = page + "?" + q.Encode()
	}
	h.Declined = a.declined(res.GetVisits(), car)
	a.odometer(&h, res.GetReadings(), odd)
	return h
}

// systemsOf are the parts of the car a visit worked on, in the order of its lines.
func systemsOf(v *branchlinev1.HistoryVisit) []string {
	var out []string
	for _, r := range v.GetLines() {
		l := r.GetServiceLine()
		if s := l.GetSystem(); s != "" && l.GetState() != branchlinev1.LineState_LINE_DECLINED && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// systemLinks are the parts of the car to look at alone, the most worked on first; nil when there is nothing to choose.
func (a *ask) systemLinks(name string, visits []*branchlinev1.HistoryVisit) []siteLink {
	counts := map[string]int{}
	var codes []string
	for _, v := range visits {
		for _, s := range systemsOf(v) {
			if counts[s]++; counts[s] == 1 {
				codes = append(codes, s)
			}
		}
	}
	if len(codes) < 2 {
		return nil
	}
	slices.SortStableFunc(codes, func(x, y string) int { return cmp.Compare(counts[y], counts[x]) })
	chosen := a.Query("system")
	out := []siteLink{{Href: a.filtered(name, "system", ""), Text: a.T("vehicle.all_systems"), On: chosen == "", Count: len(visits)}}
	for _, c := range codes {
		out = append(out, siteLink{Href: a.filtered(name, "system", c), Text: a.System(c), Count: counts[c], On: chosen == c})
	}
	return out
}

// filtered is the address of a list with one filter changed and the other kept.
func (a *ask) filtered(name, key, value string) string {
	q := url.Values{}
	for _, k := range []string{"site", "system"} {
		v := a.Query(k)
		if k == key {
			v = value
		}
		if v != "" {
			q.Set(k, v)
		}
	}
	if len(q) == 0 {
		return "/" + name
	}
	return "/" + name + "?" + q.Encode()
}

// between says of the orders whose reading does not fit what it would have to lie between.
func (a *ask) between(readings []*branchlinev1.Record, odd map[string]bool) map[string]string {
	list := slices.Clone(readings)
	slices.SortStableFunc(list, func(x, y *branchlinev1.Record) int {
		return cmp.Compare(x.GetOdometerReading().GetDay(), y.GetOdometerReading().GetDay())
	})
	out := map[string]string{}
	for i, r := range list {
		order := r.GetOdometerReading().GetOrder()
		if !odd[r.GetName()] || order == "" {
			continue
		}
		low, high := int64(-1), int64(-1)
		for _, x := range list[:i] {
			if !odd[x.GetName()] {
				low = max(low, x.GetOdometerReading().GetKm())
			}
		}
		for _, x := range list[i+1:] {
			if km := x.GetOdometerReading().GetKm(); !odd[x.GetName()] && (high < 0 || km < high) {
				high = km
			}
		}
		text := a.T("vehicle.km_odd")
		switch {
		case low >= 0 && high >= 0:
			text = a.T("vehicle.km_between", low, high)
		case low >= 0:
			text = a.T("vehicle.km_least", low)
		case high >= 0:
			text = a.T("vehicle.km_most", high)
		}
		out["serviceOrders/"+order] = text
	}
	return out
}

func (a *ask) visit(v *branchlinev1.HistoryVisit, between map[string]string, m front.VisitMark) visit {
	o := v.GetOrder().GetServiceOrder()
	said, odd := between[v.GetOrder().GetName()]
	out := visit{
		Day: o.GetDay(), Site: v.GetBranchName(), Own: desk.SiteOf(v) == a.branch(), Number: o.GetNumber(), Km: o.GetOdometerKm(), Odd: odd,
		Between: said, VisitMark: m,
		State: o.GetState(), Open: o.GetState() != 0 && o.GetState() < branchlinev1.OrderState_SETTLED,
		Cancelled: o.GetState() == branchlinev1.OrderState_CANCELLED,
	}
	if out.Site == "" {
		out.Site = a.SiteName(desk.SiteOf(v))
	}
	words := systemsOf(v)
	for i, s := range words {
		words[i] = a.System(s)
	}
	out.Systems = a.List(words)
	if v.GetOrder().GetName() != "" {
		out.Href = a.Href(v.GetOrder().GetName())
		out.Receive = a.receiveAgain(v.GetOrder())
	}
	out.Jobs = jobsOf(o, v.GetLines())
	for _, l := range v.GetLines() {
		if l.GetServiceLine().GetState() == branchlinev1.LineState_LINE_DECLINED {
			out.Declined++
		}
	}
	return out
}

// jobsOf gathers an order's lines under what they are about. Lines that say nothing of it belong to what the order says.
func jobsOf(o *branchlinev1.ServiceOrder, lines []*branchlinev1.Record) []job {
	var jobs []job
	at := map[string]int{}
	find := func(complaint string) *job {
		i, ok := at[complaint]
		if !ok {
			i = len(jobs)
			at[complaint] = i
			jobs = append(jobs, job{Complaint: complaint})
		}
		return &jobs[i]
	}
	whole := o.GetComplaint()
	if whole != "" || o.GetFault() != "" || o.GetWork() != "" {
		j := find(whole)
		j.Cause, j.Correction = o.GetFault(), o.GetWork()
		if o.GetParts() != "" {
			j.Parts = append(j.Parts, o.GetParts())
		}
	}
	for _, r := range lines {
		l := r.GetServiceLine()
		if l.GetState() == branchlinev1.LineState_LINE_DECLINED {
			continue
		}
		complaint := l.GetComplaint()
		if complaint == "" {
			complaint = whole
		}
		j := find(complaint)
		j.Cause = joinNew(j.Cause, l.GetCause())
		j.Correction = joinNew(j.Correction, l.GetCorrection())
		part := l.GetPartName()
		if part == "" && l.GetKind() == branchlinev1.LineKind_PART {
			part = l.GetItem()
		}
		switch {
		case part != "":
			if l.GetPartQuantity() > 0 {
				part += " " + look.Qty(l.GetPartQuantity())
			}
			j.Parts = append(j.Parts, part)
		case l.GetItem() != "":
			j.Items = append(j.Items, l.GetItem())
		}
	}
	return jobs
}

func joinNew(have, more string) string {
	switch {
	case more == "" || strings.Contains(have, more):
		return have
	case have == "":
		return more
	}
	return have + " · " + more
}

// declined is work that customers turned down and nobody has done since, oldest day of asking again first.
//
// Each can be put into the order the car stands here with, or into a new one; car is the id of the record.
func (a *ask) declined(visits []*branchlinev1.HistoryVisit, car string) []declined {
	add := ""
	if a.Writes(schema.ServiceOrder) && car != "" {
		add = "/serviceOrders/new?vehicle=" + car + "&complaint="
	}
	for _, v := range visits {
		o := v.GetOrder().GetServiceOrder()
		if a.Writes(schema.ServiceLine) && desk.SiteOf(v) == a.branch() && o.GetState() != 0 && o.GetState() < branchlinev1.OrderState_SETTLED {
			add = "/" + v.GetOrder().GetName() + "/lines/new?item="
			break
		}
	}
	type open struct {
		declined
		on string
	}
	var out []open
	for _, x := range desk.StillDeclined(visits) {
		v, l := x.Visit, x.Line
		site := v.GetBranchName()
		if site == "" {
			site = a.SiteName(desk.SiteOf(v))
		}
		meta := site + " " + v.GetOrder().GetServiceOrder().GetDay()
		if l.GetDeclinedReason() != "" {
			meta += " · " + a.T("vehicle.declined_said", l.GetDeclinedReason())
		}
		due := l.GetReviveOn() != "" && l.GetReviveOn() <= a.today()
		if l.GetReviveOn() != "" {
			meta += " · " + a.T("vehicle.revive", l.GetReviveOn())
		}
		d := declined{Item: x.Item, Meta: meta, Due: due}
		if add != "" {
			d.Add = add + url.QueryEscape(x.Item)
		}
		out = append(out, open{d, l.GetReviveOn()})
	}
	slices.SortStableFunc(out, func(x, y open) int {
		if x.Due != y.Due {
			if x.Due {
				return -1
			}
			return 1
		}
		return cmp.Compare(x.on, y.on)
	})
	list := make([]declined, len(out))
	for i := range out {
		list[i] = out[i].declined
	}
	return list
}

// odometer draws the readings. Those that do not fit their neighbours in time are marked and count for nothing.
func (a *ask) odometer(h *history, readings []*branchlinev1.Record, odd map[string]bool) {
	t := chart.Track{
		Title: a.T("vehicle.km_chart"), First: a.T("word.day"), Value: a.T("vehicle.km"), Remark: a.T("vehicle.km_remark"),
		Own: a.T("word.this_site"), Other: a.T("vehicle.km_other"), Odd: a.T("vehicle.km_odd"), Style: a.s.look.ChartStyle(a.Lang),
	}
	list := slices.Clone(readings)
	slices.SortStableFunc(list, func(x, y *branchlinev1.Record) int {
		return cmp.Compare(x.GetOdometerReading().GetDay(), y.GetOdometerReading().GetDay())
	})
	for _, r := range list {
		o := r.GetOdometerReading()
		day, err := time.Parse(time.DateOnly, o.GetDay())
		if err != nil {
			continue // a reading without its day has no place in time
		}
		site := o.GetBranch()
		if site == "" {
			site = r.GetHome()
		}
		p := chart.TrackPoint{
			Label: o.GetDay(), At: day.Unix() / 86400, N: o.GetKm(), Own: site == a.branch(), Odd: odd[r.GetName()], Note: a.SiteName(site),
		}
		t.Points = append(t.Points, p)
		if !p.Odd && p.N >= h.Km {
			h.Km, h.KmWhen = p.N, o.GetDay()+" "+a.SiteName(site)
		}
	}
	if h.Readings = len(t.Points); h.Readings > 0 {
		h.Chart, h.Table = t.SVG(), t.Table()
	}
}

func yearText(n int32) string { return fmt.Sprint(n) }

// askForm asks HQ for what lies beyond this branch's scope. The reason is kept at HQ.
type askForm struct {
	Vehicle, VIN, Plate string
	Online              bool
	Reasons             []choice
}

func (f *askForm) reasons(a *ask) {
	for i, key := range []string{"ask.here", "ask.calls", "ask.quote", "ask.other"} {
		f.Reasons = append(f.Reasons, choice{Name: "reason", Value: a.T(key), Text: a.T(key), Checked: i == 0})
	}
}

type askView struct {
	look.Frame
	Car      carHead
	Form     askForm
	Down     string // why HQ cannot be asked now
	NewOrder string
	Answer   bool
	None     bool // HQ knows nothing of it
	History  history
	Guard    front.Guard
	Owners   []personRow
	Local    string // the record's page, when the car is held here
}

// historyAsk is the page of a car that this branch does not hold.
func (s *Site) historyAsk(a *ask) error {
	v := s.askView(a, a.Query("plate"), a.Query("vin"))
	if v.Form.Plate == "" && v.Form.VIN == "" {
		return a.GoTo("/vehicles")
	}
	return s.pages.ask.Render(a.W, http.StatusOK, v)
}

func (s *Site) askView(a *ask, plateText, vinText string) askView {
	v := askView{Form: askForm{Plate: plate.Fold(plateText), VIN: vin.Fold(vinText)}}
	v.Car = carHead{Plate: v.Form.Plate, VIN: v.Form.VIN}
	title := plate.Format(v.Form.Plate)
	if title == "" {
		title = v.Form.VIN
	}
	v.Frame = a.frame(title, "vehicles")
	v.Form.Online = v.Line.Kind == look.LineUp
	v.Form.reasons(a)
	if !v.Form.Online {
		v.Down = a.T("ask.down")
		if v.Line.Heard > 0 {
			v.Down = a.T("ask.down_since", s.look.Span(a.Lang, v.Line.Heard, a.Now))
		}
	}
	if a.May("GET /serviceOrders/new") && v.Form.Plate != "" {
		v.NewOrder = "/serviceOrders/new?" + url.Values{"plate": {v.Form.Plate}}.Encode()
	}
	return v
}

// historyAnswer asks HQ and shows what it says. It is a POST, since each look-up is written down.
func (s *Site) historyAnswer(a *ask) error {
	reason := a.Form("reason")
	if more := a.Form("more"); more != "" {
		reason += ": " + more
	}
	if r := []rune(reason); len(r) > 200 {
		reason = string(r[:200])
	}
	req := &branchlinev1.VehicleHistoryRequest{AskHq: true, Reason: reason}
	v := s.askView(a, a.Form("plate"), a.Form("vin"))
	switch {
	case a.Form("vehicle") != "":
		req.Vehicle = a.Form("vehicle")
	case v.Form.VIN != "":
		req.Vin = v.Form.VIN
	default:
		req.Plate = v.Form.Plate
	}
	v.Path = "/history?" + url.Values{"plate": {v.Form.Plate}, "vin": {v.Form.VIN}}.Encode() // for a change of language
	res, err := s.c.Records.VehicleHistory(a.R.Context(), req)
	switch {
	case isMissing(err):
		v.None = true
	case err != nil:
		return err
	case !res.GetAskedHq():
		if v.Down == "" {
			v.Down = a.Sayer().Reason(res.GetOfflineReason())
		}
	default:
		v.Answer = true
	}
	if res != nil {
		var car *branchlinev1.Vehicle
		for _, r := range res.GetVehicles() {
			car = cmp.Or(r.GetVehicle(), car)
		}
		j, err := a.judge(car, "", res)
		if err != nil {
			return err
		}
		v.History, v.Guard, v.Owners = a.history(res, "", "", j), j.Guard, a.owners(res)
		for _, r := range res.GetVehicles() {
			if c := r.GetVehicle(); c != nil {
				v.Car = a.carHead(c, v.History)
				if v.Car.Plate == "" {
					v.Car.Plate = v.Form.Plate
				}
			}
		}
		v.None = v.None || v.Answer && len(res.GetVehicles()) == 0 && len(res.GetVisits()) == 0
		if req.Vehicle != "" {
			v.Local = a.Href(req.Vehicle)
		}
	}
	v.History.Sites, v.History.Systems = nil, nil // links would lose the answer
	return s.pages.ask.Render(a.W, http.StatusOK, v)
}
