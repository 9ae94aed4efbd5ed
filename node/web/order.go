package web

import (
	"cmp"
	"slices"

	"branchline/schema"
	"branchline/schema/assent"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

type orderView struct {
	look.Frame
	Title     string
	Car       carHead
	CarHref   string
	Customer  personRow
	Number    string
	Site      siteWord
	Promised  int64
	PromiseOn bool // it is not ready: one that is waits for its owner and is not late
	Km        int64
	Way       []wayStop
	State     branchlinev1.OrderState
	Reach     reach
	Shared    bool
	Mine      bool // this branch's: it may be worked on
	Groups    []lineGroup
	NewLine   string
	Money     string // the page of settling and taking money
	Unsettled bool   // there is money to be settled still
	Next      *nextState
	Work      workPanels
	Etag      string
	Moved     bool // somebody else changed the state first
	Prices    bool
	Pays      []payRow
	Total     string
	Facts     []savedRow
	Affairs   affairs
	Photos    photoList
	Parts     orderParts
	Asks      bool // the customer's answers may be taken
	Talk      talk
	Inspect   inspectPanel
	Given     []given
	Notes     noteList
	Print     prints
}

type wayStop struct {
	State    branchlinev1.OrderState
	At       int64
	Done     bool
	Now      bool
	ByPerson string
}

// nextState is the step this state asks for.
type nextState struct {
	Value, Text string
	Href        string // the page that does it, when it is more than a state
}

// lineGroup is what the lines of one complaint have in common, and the lines.
type lineGroup struct {
	No                           int
	Complaint, Cause, Correction string
	Lines                        []lineRow
	Hold, Extra                  bool
}

type lineRow struct {
	Kind     branchlinev1.LineKind
	Item     string
	Meta     string
	Qty      string
	Amount   string
	Payer    branchlinev1.Payer
	State    branchlinev1.LineState
	Reason   string
	Edit     string
	Declined bool
	Hold     bool
	ID, Etag string // of a line that may be answered
	Said     string // who answered, when and how
	At       string // who is at it, and since when
	Fails    int    // how often a check has sent it back
	Why      string // why it did so last
	Was      string // what was agreed to before its price was raised, and what was taken off
	TakenTo  string // address of the order its part is fitted with instead
	Taken    string // that order's number
}

type payRow struct {
	Payer         branchlinev1.Payer
	Amount, Asked string
}

// way is the usual path of an order through the house.
func way() []branchlinev1.OrderState {
	return []branchlinev1.OrderState{
		branchlinev1.OrderState_BOOKED, branchlinev1.OrderState_RECEIVED, branchlinev1.OrderState_DIAGNOSING,
		branchlinev1.OrderState_QUOTED, branchlinev1.OrderState_APPROVED, branchlinev1.OrderState_IN_WORK,
		branchlinev1.OrderState_QUALITY_CHECK, branchlinev1.OrderState_READY, branchlinev1.OrderState_SETTLED,
		branchlinev1.OrderState_HANDED_OVER,
	}
}

// after is the state that usually follows.
func after(s branchlinev1.OrderState) branchlinev1.OrderState {
	switch s {
	case branchlinev1.OrderState_WAITING_PARTS, branchlinev1.OrderState_WAITING_INSURER:
		return branchlinev1.OrderState_IN_WORK
	case branchlinev1.OrderState_HANDED_OVER, branchlinev1.OrderState_CANCELLED:
		return 0
	case 0:
		return branchlinev1.OrderState_RECEIVED
	}
	w := way()
	if i := slices.Index(w, s); i >= 0 && i+1 < len(w) {
		return w[i+1]
	}
	return 0
}

func (s *Site) order(a *ask) (*look.Page, look.View, error) {
	name := "serviceOrders/" + a.id
	sh, err := s.sheet(a, name)
	if err != nil {
		return nil, nil, err
	}
	r, o := sh.r, sh.body.(*branchlinev1.ServiceOrder)
	v := orderView{
		Number: o.GetNumber(), Site: a.siteWord(o.GetBranch()), Promised: o.GetPromisedAt(), Km: o.GetOdometerKm(), State: o.GetState(),
		Reach: a.reach(sh.r.GetWhere()), Shared: r.GetShared(), Mine: r.GetHome() == a.branch() && a.Writes(schema.ServiceOrder), Etag: r.GetEtag(),
		Prices: a.sees(schema.ServiceLine, "amount") && !r.GetShared(),
	}
	v.Title = v.Number
	if v.Title == "" {
		v.Title = a.T("word.order") + " " + o.GetDay()
	}
	v.Frame = a.live(v.Title, "orders")
	if o.GetVehicle() != "" {
		v.CarHref = a.Href("vehicles/" + o.GetVehicle())
	}
	v.Car = carHead{Plate: o.GetPlate(), Title: o.GetModel(), VIN: o.GetVin()}
	v.PromiseOn = v.Promised > 0 && o.GetState() < branchlinev1.OrderState_READY
	if o.GetCustomer() != "" && a.Reads(schema.Customer) {
		c, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "customers/" + o.GetCustomer(), Golden: true})
		if err != nil && !isMissing(err) {
			return nil, nil, err
		}
		if err == nil {
			v.Customer = personRow{Name: c.GetCustomer().GetName(), Href: a.Href("customers/" + o.GetCustomer()), Meta: maskedPhone(c.GetCustomer())}
		}
	}
	a.orderWay(&v, o)
	lines, err := a.linesOf(name)
	if err != nil {
		return nil, nil, err
	}
	v.Asks = v.Mine && v.Prices && o.GetState() < branchlinev1.OrderState_SETTLED && a.May("POST /serviceOrders/{id}/answer")
	a.orderLines(&v, o, lines)
	if err := a.takenTo(&v); err != nil {
		return nil, nil, err
	}
	if v.Prices && a.May("GET /serviceOrders/{id}/money") {
		v.Money, v.Unsettled = "/"+name+"/money", o.GetState() < branchlinev1.OrderState_SETTLED
	}
	// Of an order that was given up nothing is offered any more.
	given := o.GetState() == branchlinev1.OrderState_CANCELLED
	if v.Mine && !given {
		v.NewLine, v.Moved = "/"+name+"/lines/new", a.Query("moved") != ""
	}
	if err := s.workPanels(a, &v, r, lines); err != nil {
		return nil, nil, err
	}
	if v.Talk, err = s.talk(a, &v, r, lines); err != nil {
		return nil, nil, err
	}
	if v.Photos, err = a.photos(name); err != nil {
		return nil, nil, err
	}
	if v.Parts, err = a.orderParts(name, lines, v.Mine && !given); err != nil {
		return nil, nil, err
	}
	if v.Inspect, err = a.inspectPanel(&branchlinev1.ListRecordsRequest{Order: name}, v.Mine && o.GetState() < branchlinev1.OrderState_HANDED_OVER); err != nil {
		return nil, nil, err
	}
	said := make([]*branchlinev1.ServiceLine, len(lines))
	for i, l := range lines {
		said[i] = l.GetServiceLine()
	}
	if v.Given, err = givenTo(a, said); err != nil {
		return nil, nil, err
	}
	if v.Notes, err = a.notes(name); err != nil {
		return nil, nil, err
	}
	if v.Affairs, err = a.affairs(r, lines); err != nil {
		return nil, nil, err
	}
	a.orderFacts(&v, o)
	v.Print = a.prints(r)
	return s.pages.order, v, nil
}

// orderOf is an order with its lines by their place.
func (s *Site) orderOf(a *ask, id string) (*branchlinev1.Record, []*branchlinev1.Record, error) {
	name := "serviceOrders/" + id
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return nil, nil, err
	}
	lines, err := a.linesOf(name)
	return r, lines, err
}

// linesOf are the lines of an order by their place.
func (a *ask) linesOf(order string) ([]*branchlinev1.Record, error) {
	lines, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "serviceLines", Order: order})
	sortLines(lines)
	return lines, err
}

// orderWay puts the order's states on the usual path, with the time each was reached last.
func (a *ask) orderWay(v *orderView, o *branchlinev1.ServiceOrder) {
	reached := map[branchlinev1.OrderState]*branchlinev1.StateChange{}
	for _, c := range o.GetStates() {
		if old := reached[c.GetState()]; old == nil || c.GetAt() > old.GetAt() {
			reached[c.GetState()] = c
		}
	}
	path := way()
	if now := o.GetState(); now != 0 && !slices.Contains(path, now) {
		// Waiting or cancelled: a stop of its own, behind the last one that was passed.
		last := 0
		for i, st := range path {
			if reached[st] != nil {
				last = i + 1
			}
		}
		path = slices.Insert(path, last, now)
	}
	at := slices.Index(path, o.GetState())
	for i, st := range path {
		w := wayStop{State: st, Done: i < at, Now: i == at}
		if c := reached[st]; c != nil {
			w.At, w.ByPerson = c.GetAt(), a.Names().Person(c.GetBy())
		}
		v.Way = append(v.Way, w)
	}
}

func (a *ask) orderLines(v *orderView, o *branchlinev1.ServiceOrder, lines []*branchlinev1.Record) {
	at := map[string]int{}
	find := func(complaint string) *lineGroup {
		i, ok := at[complaint]
		if !ok {
			i = len(v.Groups)
			at[complaint] = i
			v.Groups = append(v.Groups, lineGroup{No: i + 1, Complaint: complaint})
		}
		return &v.Groups[i]
	}
	if o.GetComplaint() != "" || o.GetFault() != "" || o.GetWork() != "" || len(lines) == 0 {
		g := find(o.GetComplaint())
		g.Cause, g.Correction = o.GetFault(), o.GetWork()
	}
	for _, r := range lines {
		l := r.GetServiceLine()
		complaint := l.GetComplaint()
		if complaint == "" {
			complaint = o.GetComplaint()
		}
		g := find(complaint)
		g.Cause, g.Correction = joinNew(g.Cause, l.GetCause()), joinNew(g.Correction, l.GetCorrection())
		row := a.lineRow(r, v)
		if row.Item == "" && row.Amount == "" && l.GetState() != branchlinev1.LineState_LINE_DECLINED && !v.Mine {
			continue // it only said what the group says
		}
		g.Hold, g.Extra = g.Hold || row.Hold, g.Extra || row.Hold && assent.StandsStill(l)
		g.Lines = append(g.Lines, row)
	}
	if !v.Prices {
		return
	}
	sum := sumLines(lines)
	for _, p := range []branchlinev1.Payer{
		branchlinev1.Payer_PAYER_CUSTOMER, branchlinev1.Payer_PAYER_INSURER, branchlinev1.Payer_PAYER_MAKER,
		branchlinev1.Payer_PAYER_INTERNAL, branchlinev1.Payer_PAYER_GOODWILL,
	} {
		if sum.by[p] == 0 && sum.asked[p] == 0 {
			continue
		}
		row := payRow{Payer: p, Amount: look.Money(sum.by[p], sum.currency)}
		if sum.asked[p] != 0 && v.State != branchlinev1.OrderState_CANCELLED {
			row.Asked = a.T("order.asked", look.Money(sum.asked[p], sum.currency))
		}
		v.Pays = append(v.Pays, row)
	}
	if len(v.Pays) > 0 {
		v.Total = look.Money(sum.total(), sum.currency)
	}
}

// takenTo names the later orders with which parts of this one are fitted.
func (a *ask) takenTo(v *orderView) error {
	numbers := map[string]string{}
	for _, g := range v.Groups {
		for i := range g.Lines {
			l := &g.Lines[i]
			if l.TakenTo == "" {
				continue
			}
			if numbers[l.TakenTo] == "" {
				r, err := a.s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: l.TakenTo[1:]})
				if err != nil && !isMissing(err) {
					return err
				}
				numbers[l.TakenTo] = cmp.Or(r.GetServiceOrder().GetNumber(), a.T("word.order"))
			}
			l.Taken = numbers[l.TakenTo]
		}
	}
	return nil
}

func (a *ask) lineRow(r *branchlinev1.Record, v *orderView) lineRow {
	l := r.GetServiceLine()
	row := lineRow{
		Kind: l.GetKind(), Item: l.GetItem(), Payer: l.GetPayer(), State: l.GetState(),
		Declined: l.GetState() == branchlinev1.LineState_LINE_DECLINED, Hold: l.GetState() == branchlinev1.LineState_LINE_PROPOSED && v.State != branchlinev1.OrderState_CANCELLED,
	}
	if row.Item == "" {
		row.Item = l.GetPartName()
	} else if l.GetPartName() != "" && l.GetPartName() != row.Item {
		row.Meta = l.GetPartName()
	}
	if l.GetPartCode() != "" {
		row.Meta = joinNew(row.Meta, l.GetPartCode())
	}
	if l.GetTechnician() != "" {
		row.Meta = joinNew(row.Meta, a.Names().Person(l.GetTechnician()))
	}
	if l.GetTakenTo() != "" {
		row.TakenTo = "/serviceOrders/" + l.GetTakenTo()
	}
	row.Qty, row.At = quantity(l), a.atWork(l)
	if row.Fails = fails(l); row.Fails > 0 && !passed(l) {
		row.Why = lastCheck(l).GetReason()
	}
	if v.Prices && (l.Amount != nil) {
		row.Amount = look.Money(assent.Price(l), cmp.Or(l.GetCurrency(), "CNY"))
	}
	if row.Declined {
		row.Reason = l.GetDeclinedReason()
		if l.GetReviveOn() != "" {
			row.Reason = joinNew(row.Reason, a.T("vehicle.revive", l.GetReviveOn()))
		}
	}
	if v.Mine && r.GetHome() == a.branch() {
		row.Edit = "/serviceLines/" + idOf(r.GetName()) + "/edit"
	}
	if v.Prices {
		row.Said, row.Was = a.lastSaid(l), a.agreedBefore(l)
		if l.GetDiscount() != 0 {
			row.Was = joinNew(row.Was, a.T("money.discount")+" "+look.Money(-l.GetDiscount(), cmp.Or(l.GetCurrency(), "CNY")))
		}
	}
	if v.Asks && r.GetHome() == a.branch() && (row.Hold || row.Declined) {
		row.ID, row.Etag = idOf(r.GetName()), r.GetEtag()
	}
	return row
}

// atWork says who is clocked on to a line, and since when; "" for nobody.
func (a *ask) atWork(l *branchlinev1.ServiceLine) string {
	var at []string
	for _, c := range l.GetClockings() {
		if c.GetUntil() == 0 {
			at = append(at, a.T("order.at_it", a.Names().Person(c.GetTechnician()), a.s.look.When(a.Lang, a.Now, c.GetFrom())))
		}
	}
	return a.List(at)
}

// quantity is how much of it: pieces, or hours.
func quantity(l *branchlinev1.ServiceLine) string {
	switch {
	case l.GetPartQuantity() != 0:
		return look.Qty(l.GetPartQuantity())
	case l.GetBilledMinutes() != 0:
		return say.Hours(l.GetBilledMinutes())
	}
	return ""
}

// sortLines puts the lines of an order as they stand in it.
func sortLines(lines []*branchlinev1.Record) {
	slices.SortStableFunc(lines, func(x, y *branchlinev1.Record) int {
		return cmp.Or(cmp.Compare(x.GetServiceLine().GetPosition(), y.GetServiceLine().GetPosition()), cmp.Compare(x.GetName(), y.GetName()))
	})
}

func (a *ask) orderFacts(v *orderView, o *branchlinev1.ServiceOrder) {
	k := schema.KindOf(schema.ServiceOrder)
	for _, f := range []string{"day", "opened_at", "adviser", "technician", "settled_on", "settlement_number", "handed_over_at", "remark"} {
		info := k.Field(f)
		if !a.sees(schema.ServiceOrder, f) {
			continue
		}
		text := a.sayField(info, o)
		if f == "adviser" || f == "technician" {
			text = a.Names().Person(text)
		}
		if text != "" {
			v.Facts = append(v.Facts, savedRow{a.label(k, f), text})
		}
	}
	if text := a.loan(o); text != "" {
		v.Facts = append(v.Facts, savedRow{a.label(k, "loan_car"), text})
	}
}
