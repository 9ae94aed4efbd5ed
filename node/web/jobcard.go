package web

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

// jobCard is the sheet that goes with the car into the bay. It bears no prices, whoever prints it.
type jobCard struct {
	paper
	Complaint string
	Notes     []string // a comeback, the three guarantees, a tow
	Rows      []cardLine
	Blank     []struct{} // rows to write by hand
	Extra     []struct{}
	Condition condition
	Declined  []declined
	Signed    signedView
	Payers    []branchlinev1.Payer // what the seals stand for
}

type cardLine struct {
	No, About, Item, More string
	Kind                  branchlinev1.LineKind
	Technician, Hours     string
	Payer                 branchlinev1.Payer
	State                 branchlinev1.LineState
	Said                  string
	Out                   bool // declined: it is not to be done
}

// condition is how the car was when it came; what nobody has looked at is left to be ticked by hand.
type condition struct {
	Sketch  sketch
	Gauge   bool // the fuel was read
	Fuel    int  // where the needle stands, in the units of the drawing
	Level   string
	Damages []string
	Asks    []pointSaid // points that want work
	Wishes  []wish
}

type wish struct {
	On   bool
	Text string
}

func (s *Site) jobCard(a *ask) error {
	p, err := s.paper(a, "paper.jobcard", false)
	if err != nil {
		return err
	}
	v := jobCard{paper: p, Complaint: p.o.GetComplaint(), Payers: []branchlinev1.Payer{
		branchlinev1.Payer_PAYER_CUSTOMER, branchlinev1.Payer_PAYER_INSURER, branchlinev1.Payer_PAYER_MAKER,
		branchlinev1.Payer_PAYER_INTERNAL, branchlinev1.Payer_PAYER_GOODWILL,
	}}
	v.Car = append(v.Car,
		paperFact{Label: a.T("paper.in"), Text: a.instant(p.o.GetOpenedAt())},
		paperFact{Label: a.T("paper.promised"), Text: a.instant(p.o.GetPromisedAt()), Form: "due"},
		paperFact{Label: a.T("paper.km"), Text: kilometres(p.o.GetOdometerKm())},
		paperFact{Label: a.T("paper.places"), Text: a.places(p.o)},
	)
	people := p.people(a)
	v.Car = append(append(v.Car, people...),
		paperFact{Label: a.T("paper.stay"), Text: a.stay(p.o), Two: people == nil},
		paperFact{Label: a.T("paper.adviser"), Text: a.Names().Person(p.o.GetAdviser()), Two: people == nil},
	)
	lines, err := s.paperLines(a, &p)
	if err != nil {
		return err
	}
	for _, l := range lines {
		v.Rows = append(v.Rows, a.cardLine(l, &p))
	}
	// Room for what is found at the car, as long as the card stays one sheet.
	switch n := len(v.Rows); {
	case n <= 3:
		v.Blank, v.Extra = make([]struct{}, 4), make([]struct{}, 3)
	case n <= 6:
		v.Blank, v.Extra = make([]struct{}, 1), make([]struct{}, 2)
	default:
		v.Extra = make([]struct{}, 2)
	}
	if v.Notes, v.Declined, err = s.cardHistory(a, &p, lines); err != nil {
		return err
	}
	if v.Condition, v.Signed, err = s.condition(a, &p); err != nil {
		return err
	}
	return s.pages.jobcard.Render(a.W, http.StatusOK, v)
}

// places are key tag, bay and number in the queue.
func (a *ask) places(o *branchlinev1.ServiceOrder) string {
	list := []string{o.GetKeyTag(), o.GetBay(), o.GetQueueNumber()}
	if strings.Join(list, "") == "" {
		return ""
	}
	for i := range list {
		list[i] = cmp.Or(list[i], "—")
	}
	return strings.Join(list, " / ")
}

func (a *ask) stay(o *branchlinev1.ServiceOrder) string {
	switch {
	case o.Waits == nil:
		return ""
	case o.GetWaits():
		return a.T("paper.waits")
	}
	return a.T("paper.leaves")
}

func (a *ask) cardLine(l numbered, p *paper) cardLine {
	row := cardLine{
		No: l.No, About: l.Complaint, Kind: l.GetKind(), State: l.GetState(), Payer: payerOr(l.GetPayer()), Said: a.said(l.ServiceLine),
		Technician: a.Names().Person(cmp.Or(l.GetTechnician(), p.o.GetTechnician())), Out: l.GetState() == branchlinev1.LineState_LINE_DECLINED,
	}
	row.Item, row.More = l.what()
	if q := l.GetPartQuantity(); q > 0 && q != 1000 {
		row.More = joinNew(row.More, "× "+look.Qty(q))
	}
	row.More = joinNew(row.More, l.GetPartCode())
	if cause := l.GetCause(); cause != "" {
		row.More = joinNew(row.More, a.T("paper.cause", cause))
	}
	if n := l.GetBilledMinutes(); n > 0 {
		row.Hours = strings.TrimSuffix(say.Hours(n), " h")
	}
	failed := slices.DeleteFunc(slices.Clone(l.GetChecks()), func(c *branchlinev1.QualityCheck) bool { return c.GetPassed() })
	if n := len(failed); n > 0 {
		row.More = joinNew(row.More, a.T("paper.sent_back", n, failed[n-1].GetReason()))
	}
	if row.Out {
		row.Technician, row.Hours = "", ""
	}
	return row
}

func payerOr(p branchlinev1.Payer) branchlinev1.Payer {
	return cmp.Or(p, branchlinev1.Payer_PAYER_CUSTOMER)
}

// cardHistory is what the car's history says to whoever works on it: of what this is a comeback, how near the three
// guarantees are to a limit, and what the customer turned down at any site and nobody has done since.
func (s *Site) cardHistory(a *ask, p *paper, lines []numbered) (notes []string, open []declined, err error) {
	ctx := a.R.Context()
	if of := p.o.GetComebackOf(); of != "" {
		note, err := s.comebackOf(a, p.o)
		if err != nil {
			return nil, nil, err
		}
		notes = append(notes, note)
	}
	if from := p.o.GetTowedFrom(); from != "" {
		notes = append(notes, a.T("paper.towed", from))
	}
	if p.o.GetVehicle() == "" {
		return notes, nil, nil
	}
	name := "vehicles/" + p.o.GetVehicle()
	res, err := s.c.Records.VehicleHistory(ctx, &branchlinev1.VehicleHistoryRequest{Vehicle: name})
	if isMissing(err) {
		return notes, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	car, err := s.c.Records.GetRecord(ctx, &branchlinev1.GetRecordRequest{Name: name})
	if err != nil && !isMissing(err) {
		return nil, nil, err
	}
	j, err := a.judge(car.GetVehicle(), name, res)
	if err != nil {
		return nil, nil, err
	}
	for _, x := range j.Guard.Alerts {
		notes = append(notes, x.Fact+" "+x.Then)
	}
	open = slices.DeleteFunc(a.declined(res.GetVisits(), ""), func(d declined) bool {
		// What was turned down on this very order stands struck out above.
		return slices.ContainsFunc(lines, func(l numbered) bool {
			item, _ := l.what()
			return l.GetState() == branchlinev1.LineState_LINE_DECLINED && item == d.Item
		})
	})
	const few = 6
	return notes, open[:min(few, len(open))], nil
}

// comebackOf says which order and line did not hold, why, and who bears it.
func (s *Site) comebackOf(a *ask, o *branchlinev1.ServiceOrder) (string, error) {
	name := "serviceOrders/" + o.GetComebackOf()
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil && !isMissing(err) {
		return "", err
	}
	was := r.GetServiceOrder()
	out := a.T("paper.comeback", joinNew(joinNew(a.SiteName(was.GetBranch()), was.GetDay()), was.GetNumber()))
	if line := o.GetComebackLine(); line != "" {
		r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "serviceLines/" + line})
		if err != nil && !isMissing(err) {
			return "", err
		}
		out = joinNew(out, cmp.Or(r.GetServiceLine().GetItem(), r.GetServiceLine().GetPartName()))
	}
	return joinNew(out, o.GetComebackCause()), nil
}

// lastInspection is the latest of an order; nil when nobody looked at the car, or the caller may not see it.
func (s *Site) lastInspection(a *ask, p *paper) (*branchlinev1.Inspection, error) {
	if !a.Reads(schema.Inspection) {
		return nil, nil
	}
	all, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "inspections", Order: p.r.GetName()})
	if err != nil {
		return nil, err
	}
	var last *branchlinev1.Inspection
	for _, r := range all {
		if x := r.GetInspection(); x.GetRetiredAt() == 0 && x.GetDoneAt() >= last.GetDoneAt() {
			last = x
		}
	}
	return last, nil
}

// condition is how the car came, and whose signature is under it.
func (s *Site) condition(a *ask, p *paper) (c condition, by signedView, err error) {
	i, err := s.lastInspection(a, p)
	if err != nil {
		return c, by, err
	}
	c.Sketch = a.sketch(i.GetDamages(), nil)
	for n, d := range i.GetDamages() {
		m := a.dent(d)
		c.Damages = append(c.Damages, strconv.Itoa(n+1)+" "+strings.Join(strings.Fields(m.PartWord+" "+m.Word+" "+m.Note), " "))
	}
	if c.Asks, err = a.asks(i); err != nil {
		return c, by, err
	}
	if i != nil && i.FuelEighths != nil {
		c.Gauge, c.Fuel, c.Level = true, 12+int(i.GetFuelEighths())*11, strconv.Itoa(int(i.GetFuelEighths()))+"/8"
	}
	if i != nil && i.ChargePercent != nil {
		c.Level = joinNew(c.Level, a.T("paper.charge", i.GetChargePercent()))
	}
	c.Wishes = []wish{
		{p.o.GetOldPartsWanted() || i.GetOldPartsWanted(), a.T("paper.old_parts")},
		{p.o.GetWashWanted() || i.GetWashWanted(), a.T("paper.wash")},
	}
	valuables := wish{i.GetValuables() != "", a.T("paper.valuables", i.GetValuables())}
	if i.GetNoValuables() {
		valuables = wish{true, a.T("paper.no_valuables")}
	}
	var lamps []string
	for _, l := range i.GetWarningLamps() {
		lamps = append(lamps, a.Sayer().Code("lamp", l))
	}
	c.Wishes = append(c.Wishes, valuables, wish{len(lamps) > 0, a.T("paper.lamps", a.List(lamps))})
	if i.GetRemark() != "" {
		c.Wishes = append(c.Wishes, wish{true, i.GetRemark()})
	}
	by, err = a.inspectSigned(i)
	return c, by, err
}
