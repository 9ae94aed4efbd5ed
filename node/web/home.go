package web

import (
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
	"branchline/sync/desk"
)

type homeView struct {
	look.Frame
	Day      string
	Weekday  string
	Code     string // of this branch
	NewOrder string
	NewCust  string
	Stops    []stop
	Open     int
	LookAt   []changeRow
	LookMore int64
	Arrived  []arrival
	// MoreArrived is the page of all of them, "" when these are all.
	MoreArrived string
	Heard       heard
	Records     int64
}

// stop is a state with the cars that stand in it.
type stop struct {
	State branchlinev1.OrderState
	Count int
	More  bool // there are more than were counted
	Wait  bool // square: for somebody else
	Href  string
}

// heard is how the line to HQ stands, in words.
type heard struct {
	Fact    string
	Then    string
	Up      bool
	Mark    string // of the little line
	Saved   int64
	AtDoor  int64
	LookAt  int64
	Records int64
}

const (
	fewChanges  = 8
	fewArrivals = 10
	maxStop     = 99
	// workshopDays is how far back open orders are counted, so that the page stays quick when there are a hundred
	// thousand; the list of orders goes back all the way.
	workshopDays = 180
)

func workshop() []branchlinev1.OrderState {
	return []branchlinev1.OrderState{
		branchlinev1.OrderState_BOOKED, branchlinev1.OrderState_RECEIVED, branchlinev1.OrderState_DIAGNOSING,
		branchlinev1.OrderState_QUOTED, branchlinev1.OrderState_APPROVED, branchlinev1.OrderState_IN_WORK,
		branchlinev1.OrderState_WAITING_PARTS, branchlinev1.OrderState_WAITING_INSURER, branchlinev1.OrderState_QUALITY_CHECK,
		branchlinev1.OrderState_READY,
	}
}

func waits(s branchlinev1.OrderState) bool {
	switch s {
	case branchlinev1.OrderState_QUOTED, branchlinev1.OrderState_WAITING_PARTS, branchlinev1.OrderState_WAITING_INSURER:
		return true
	}
	return false
}

func (s *Site) home(a *ask) (*look.Page, look.View, error) {
	ctx := a.R.Context()
	v := homeView{Frame: a.live(a.T("rail.home"), "home"), Day: a.today(), Code: a.branch()}
	v.Weekday = a.T("weekday." + s.c.Now().In(s.c.ZoneNow()).Weekday().String())
	if a.Writes(schema.ServiceOrder) {
		v.NewOrder = "/serviceOrders/new"
	}
	if a.Writes(schema.Customer) {
		v.NewCust = "/customers/new"
	}
	line, err := s.c.Site.GetLine(ctx, &branchlinev1.Empty{})
	if err != nil {
		return nil, nil, err
	}
	v.Heard, v.Records = a.heard(line), line.GetRecords()
	if a.ByClock {
		return s.pages.home, v, nil
	}
	since := s.look.Day(s.c.Now().AddDate(0, 0, -workshopDays).UnixMilli())
	for _, state := range workshop() {
		res, err := s.c.Records.ListRecords(ctx, &branchlinev1.ListRecordsRequest{
			Collection: "serviceOrders", Branch: a.branch(), State: state.String(), PageSize: maxStop, DayFrom: since, OrderBy: "day desc",
		})
		if err != nil {
			return nil, nil, err
		}
		n := len(res.GetRecords())
		v.Open += n
		v.Stops = append(v.Stops, stop{
			State: state, Count: n, More: res.GetNextPageToken() != "", Wait: waits(state),
			Href: "/serviceOrders?branch=" + a.branch() + "&state=" + state.String(),
		})
	}
	look, err := s.c.Site.ListChanges(ctx, &branchlinev1.ListChangesRequest{LookAt: true, PageSize: fewChanges})
	if err != nil {
		return nil, nil, err
	}
	for _, c := range look.GetChanges() {
		v.LookAt = append(v.LookAt, a.changeRow(c))
	}
	v.LookMore = max(line.GetLookAt()-int64(len(v.LookAt)), 0)
	if v.Arrived, v.MoreArrived, err = a.arrivals(); err != nil {
		return nil, nil, err
	}
	return s.pages.home, v, nil
}

// heard says how the line stands: fact, and what it means for the work.
func (a *ask) heard(l *branchlinev1.LineStatus) heard {
	h := heard{Up: l.GetLinked(), Saved: l.GetSaved(), AtDoor: l.GetAtDoor(), LookAt: l.GetLookAt(), Records: l.GetRecords()}
	n := waiting(l)
	switch {
	case h.Up && n == 0:
		h.Fact, h.Mark = a.T("heard.all"), "l4"
	case h.Up:
		h.Fact, h.Mark = a.T("heard.sending", n), "l2"
	case n == 0:
		h.Fact, h.Mark = a.T("heard.down"), "l1"
	default:
		h.Fact, h.Mark = a.T("heard.down_waiting", n), "l1"
	}
	if at := l.GetLastHeard(); at > 0 {
		h.Fact += a.T("heard.last", a.s.look.Ago(a.Lang, a.Now, at))
		if !h.Up {
			h.Then = a.T("heard.blind", a.s.look.When(a.Lang, a.Now, at))
		}
	} else {
		h.Fact += a.T("heard.never")
		h.Then = a.T("heard.never_then")
	}
	return h
}

// called is what a record is called, as far as the caller may see it: a plate, and a text.
func (a *ask) called(r *branchlinev1.Record) (plateText, text string) {
	switch b := r.GetBody().(type) {
	case *branchlinev1.Record_Customer:
		return "", b.Customer.GetName()
	case *branchlinev1.Record_Vehicle:
		p, name := desk.PlateOf(b.Vehicle), say.Vehicle(b.Vehicle)
		if p == "" && name == "" {
			name = b.Vehicle.GetVin()
		}
		return p, name
	case *branchlinev1.Record_ServiceOrder:
		text := b.ServiceOrder.GetNumber()
		if text == "" {
			text = b.ServiceOrder.GetModel()
		}
		return b.ServiceOrder.GetPlate(), text
	}
	return "", ""
}
