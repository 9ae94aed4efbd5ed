package web

import (
	"cmp"
	"slices"
	"strings"

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
	NewOrder string
	NewCust  string
	NewBook  string
	Board    string // the page of all cars
	Stops    []stop
	Cars     int
	Due      []carCard // what was promised, late first
	Mine     []duty
	Things   int    // that wait
	RestMine []duty // those without a key, a click away
	Bookings bookedToday
	LookAt   []changeRow
	LookMore int64
	Arrived  []arrival
	// MoreArrived is the page of all of them, "" when these are all.
	MoreArrived string
	Heard       heard
	Records     int64
}

// stop is a step of the way through the house with the cars that stand in it.
type stop struct {
	Mark, Text string
	Count      int
	Wait       bool // square: for somebody else
	Href       string
	Late       int
	Small      string // what there is to say of them else
}

// bookedToday are today's appointments.
type bookedToday struct {
	Show    bool
	Href    string
	Rows    []bookingRow
	Summary string
	More    int
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
	fewArrivals = 6
	fewDue      = 8
	fewBookings = 8
)

// workshop are the states of a car that is not settled, in the order of the way through the house.
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
	v := homeView{Frame: a.live(a.T("rail.home"), "home"), Day: a.today()}
	v.Weekday = a.T("weekday." + s.c.Now().In(s.c.ZoneNow()).Weekday().String())
	if a.Writes(schema.ServiceOrder) {
		v.NewOrder = "/serviceOrders/new"
	}
	if a.Writes(schema.Customer) {
		v.NewCust = "/customers/new"
	}
	if a.May("GET /appointments/new") {
		v.NewBook = "/appointments/new?day=" + v.Day
	}
	line, err := s.c.Site.GetLine(ctx, &branchlinev1.Empty{})
	if err != nil {
		return nil, nil, err
	}
	v.Heard, v.Records = a.heard(line), line.GetRecords()
	board, err := s.c.Workshop.GetBoard(ctx, &branchlinev1.GetBoardRequest{})
	if err != nil {
		return nil, nil, err
	}
	v.Board, v.Cars = "/board", len(board.GetCars())
	v.Stops = a.stops(board.GetCars())
	for _, c := range board.GetCars() {
		if len(v.Due) < fewDue && c.GetPromisedAt() != 0 && c.GetState() < branchlinev1.OrderState_READY {
			v.Due = append(v.Due, a.carCard(c))
		}
	}
	lookAt := int64(0)
	if v.LookAt, lookAt, err = a.lookAt(line.GetLookAt()); err != nil {
		return nil, nil, err
	}
	v.LookMore = lookAt - int64(len(v.LookAt))
	if v.Mine, err = a.duties(board.GetCars(), lookAt); err != nil {
		return nil, nil, err
	}
	if v.Things = len(v.Mine); v.Things > mostDuties {
		v.Mine, v.RestMine = v.Mine[:mostDuties], v.Mine[mostDuties:min(v.Things, maxDuties)]
	}
	if a.ByClock {
		return s.pages.home, v, nil
	}
	if v.Bookings, err = s.bookedToday(a); err != nil {
		return nil, nil, err
	}
	if v.Arrived, v.MoreArrived, err = a.arrivals(); err != nil {
		return nil, nil, err
	}
	return s.pages.home, v, nil
}

// lookAt are the latest of all own changes that were not used as written, and how many there are. What is of records that
// the caller does not see is nothing for them to put right, and left out.
func (a *ask) lookAt(all int64) (rows []changeRow, n int64, err error) {
	if all == 0 {
		return nil, 0, nil
	}
	res, err := a.s.c.Site.ListChanges(a.R.Context(), &branchlinev1.ListChangesRequest{LookAt: true, PageSize: fewChanges})
	if err != nil {
		return nil, 0, err
	}
	for _, c := range res.GetChanges() {
		if c.GetRecord() != "" {
			rows = append(rows, a.changeRow(c))
		}
	}
	if n = int64(len(rows)); int(n) == len(res.GetChanges()) {
		n = max(n, all)
	}
	return rows, n, nil
}

// stops counts the cars of the house by how far they have got.
func (a *ask) stops(cars []*branchlinev1.BoardCar) []stop {
	kinds := laneKinds()
	// Waiting for the customer's word is another matter than waiting for parts or the insurer.
	waiting := kinds[2]
	kinds = slices.Replace(kinds, 2, 3, laneKind{waiting.mark, waiting.states[:1]}, laneKind{"parts", waiting.states[1:]})
	var out []stop
	for _, k := range kinds {
		x := stop{Mark: k.mark, Text: a.T("stop." + k.states[0].String()), Wait: waits(k.states[0]), Href: "/board"}
		var longest int64
		arrived, untold := 0, 0
		for _, c := range cars {
			if !slices.Contains(k.states, c.GetState()) {
				continue
			}
			x.Count++
			x.Late += one(c.GetLate())
			arrived += one(c.GetArrived() > 0)
			untold += one(c.GetState() == branchlinev1.OrderState_READY && c.GetToldAt() < c.GetSince())
			if c.GetSince() > 0 {
				longest = max(longest, a.Now-c.GetSince())
			}
		}
		switch {
		case x.Late > 0:
		case k.states[0] == branchlinev1.OrderState_QUOTED && longest > 0:
			x.Small = a.T("home.longest", a.s.look.Span(a.Lang, 0, longest))
		case k.states[0] == branchlinev1.OrderState_WAITING_PARTS && arrived > 0:
			x.Small = a.T("home.came", arrived)
		case k.states[0] == branchlinev1.OrderState_READY && untold > 0:
			x.Small = a.T("home.untold", untold)
		}
		out = append(out, x)
	}
	return out
}

// bookedToday reads today's appointments: those that may still come first.
func (s *Site) bookedToday(a *ask) (bookedToday, error) {
	v := bookedToday{Show: a.Reads(schema.Appointment) && a.May("GET /appointments"), Href: "/appointments"}
	if !v.Show {
		return v, nil
	}
	all, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "appointments", Branch: a.branch(), DayFrom: a.today(), DayTo: a.today()})
	if err != nil {
		return v, err
	}
	came, missed, all := countBookings(all)
	if len(all) > 0 {
		v.Summary = a.booked(len(all), came, missed)
	}
	slices.SortStableFunc(all, func(x, y *branchlinev1.Record) int {
		return cmp.Or(cmp.Compare(one(!expectedCar(x)), one(!expectedCar(y))), cmp.Compare(x.GetAppointment().GetStartAt(), y.GetAppointment().GetStartAt()))
	})
	if v.More = len(all) - fewBookings; v.More > 0 {
		all = all[:fewBookings]
	}
	who, err := a.bookedBy(all)
	if err != nil {
		return v, err
	}
	for _, r := range all {
		v.Rows = append(v.Rows, s.bookingRow(a, r, who))
	}
	return v, nil
}

// expectedCar tells whether the car of an appointment may still come.
func expectedCar(r *branchlinev1.Record) bool {
	switch r.GetAppointment().GetState() {
	case branchlinev1.AppointmentState_APPOINTMENT_ARRIVED, branchlinev1.AppointmentState_APPOINTMENT_NO_SHOW:
		return false
	}
	return true
}

// countBookings counts who came and who did not; what was called off is left out.
func countBookings(all []*branchlinev1.Record) (came, missed int, kept []*branchlinev1.Record) {
	for _, r := range all {
		switch r.GetAppointment().GetState() {
		case branchlinev1.AppointmentState_APPOINTMENT_CANCELLED:
			continue
		case branchlinev1.AppointmentState_APPOINTMENT_ARRIVED:
			came++
		case branchlinev1.AppointmentState_APPOINTMENT_NO_SHOW:
			missed++
		}
		kept = append(kept, r)
	}
	return came, missed, kept
}

// booked says how many are booked on a day, and how many of them came and did not; what is none is not said.
func (a *ask) booked(all, came, missed int) string {
	said := []string{a.T("booking.summary", all)}
	if came > 0 {
		said = append(said, a.T("booking.came", came))
	}
	if missed > 0 {
		said = append(said, a.T("booking.missed", missed))
	}
	return strings.Join(said, separator)
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
