package web

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// boardView is the cars in the house. Everything on it moves with time, so all of its live parts follow the clock.
type boardView struct {
	look.Frame
	Cars, Late, Soon int
	Lanes            []lane
	Rows             []carCard // instead of lanes
	Pager            look.Pager
	Whose, Looks     []siteLink
	People           []option // whose work may be chosen
	Who, Mode        string
	Wall             bool
	More             bool
	Older            []siteLink // orders from before Since that were never closed, by state
	Since            string
	NewOrder         string
	Filtered         bool
	lane             string
}

// lane is a column of the board: the cars of one state, or of several that are alike.
type lane struct {
	Title string
	Mark  string
	Wait  bool // for somebody else
	Count int
	Cars  []carCard // the most urgent
	Rest  siteLink  // the others, none when it has no address
	Mean  string    // how long its cars have stood in it, on average
}

// carCard is one car of the board, in words.
type carCard struct {
	ID, Href, Move    string
	Plate, Model      string
	State             branchlinev1.OrderState
	Due               string // the promised time, as short as it may be said
	Promised, Now     int64
	Late, Soon        bool
	Said, Aside       string // of a late or a soon late car; what its owner knows
	Complaint         string
	Customer          string
	Waits             bool
	Comeback          bool
	Accident          bool
	Extra, Arrived    int32
	Told, Untold      string // of a car that is ready
	Working           bool
	Odd               bool // its state is not what its lane is called
	Technicians, Held string
	Bay, Key, Queue   string
}

// laneKind is a column of the board. The first of its states names it.
type laneKind struct {
	mark   string
	states []branchlinev1.OrderState
}

func laneKinds() []laneKind {
	return []laneKind{
		{"received", []branchlinev1.OrderState{branchlinev1.OrderState_RECEIVED, branchlinev1.OrderState_BOOKED}},
		{"diag", []branchlinev1.OrderState{branchlinev1.OrderState_DIAGNOSING}},
		{"quoted", []branchlinev1.OrderState{branchlinev1.OrderState_QUOTED, branchlinev1.OrderState_WAITING_PARTS, branchlinev1.OrderState_WAITING_INSURER}},
		{"inwork", []branchlinev1.OrderState{branchlinev1.OrderState_IN_WORK, branchlinev1.OrderState_APPROVED}},
		{"qc", []branchlinev1.OrderState{branchlinev1.OrderState_QUALITY_CHECK}},
		{"ready", []branchlinev1.OrderState{branchlinev1.OrderState_READY, branchlinev1.OrderState_SETTLED}},
	}
}

// On a page there are so many cars in a lane, and so many rows: it is to come at once over a weak line, and nobody reads
// further down on a board.
const inLane, inList = 15, 80

// Modes of the board, by the parameter view: lanes, a table, and the big screen in the workshop, which names nobody.
const (
	asList = "list"
	asWall = "wall"
)

func (s *Site) board(a *ask) (*look.Page, look.View, error) {
	v := boardView{Frame: a.live(a.T("rail.board"), "board"), Mode: a.Query("view"), Who: a.Query("who")}
	v.Wall = v.Mode == asWall
	all, err := s.c.Workshop.GetBoard(a.R.Context(), &branchlinev1.GetBoardRequest{})
	if err != nil {
		return nil, nil, err
	}
	if a.May("GET /serviceOrders/new") {
		v.NewOrder = "/serviceOrders/new"
	}
	v.More = all.GetMore()
	v.Older, v.Since = a.older(all), all.GetSince()
	a.whose(&v, all.GetCars())
	cars := slices.DeleteFunc(slices.Clone(all.GetCars()), func(c *branchlinev1.BoardCar) bool { return !a.shows(v.Who, c) })
	v.Filtered = len(cars) < len(all.GetCars())
	for _, c := range cars {
		v.Cars++
		v.Late, v.Soon = v.Late+one(c.GetLate()), v.Soon+one(c.GetSoon())
	}
	if v.Mode == asList {
		a.boardRows(&v, cars)
		return s.pages.board, v, nil
	}
	for _, k := range laneKinds() {
		l := a.lane(k, cars)
		if n := l.Count - len(l.Cars); n > 0 && !v.Wall {
			l.Rest = siteLink{Href: v.with("view", asList, "lane", k.states[0].String()), Text: a.T("board.rest", n)}
		}
		v.Lanes = append(v.Lanes, l)
	}
	return s.pages.board, v, nil
}

// boardRows are a page of the cars as a table, of one lane if the address says so.
func (a *ask) boardRows(v *boardView, cars []*branchlinev1.BoardCar) {
	for _, k := range laneKinds() {
		if v.lane = a.Query("lane"); v.lane == k.states[0].String() {
			cars = slices.DeleteFunc(cars, func(c *branchlinev1.BoardCar) bool { return !slices.Contains(k.states, c.GetState()) })
			break
		}
		v.lane = ""
	}
	from, _ := index(a.Query("from")) // no number: the beginning
	if from = max(0, min(from, len(cars)-1)); from > 0 {
		v.Pager.First = v.with("lane", v.lane)
		v.Pager.Prev = v.with("lane", v.lane, "from", strconv.Itoa(max(0, from-inList)))
	}
	end := min(from+inList, len(cars))
	if end < len(cars) {
		v.Pager.Next = v.with("lane", v.lane, "from", strconv.Itoa(end))
	}
	if v.Pager.Some() {
		v.Pager.Text = a.T("board.rows", from+1, end, len(cars))
	}
	for _, c := range cars[from:end] {
		v.Rows = append(v.Rows, a.carCard(c))
	}
}

// with is the address of the board as it is chosen, with parameters set, each name before its value.
func (v *boardView) with(set ...string) string {
	q := url.Values{"who": {v.Who}, "view": {v.Mode}}
	for i := 0; i+1 < len(set); i += 2 {
		q.Set(set[i], set[i+1])
	}
	for k := range q {
		if q.Get(k) == "" {
			q.Del(k)
		}
	}
	if len(q) == 0 {
		return "/board"
	}
	return "/board?" + q.Encode()
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// older are the lists of orders that are too old for the board, by state.
func (a *ask) older(b *branchlinev1.Board) (out []siteLink) {
	for _, o := range b.GetOlder() {
		q := url.Values{"branch": {a.branch()}, "state": {o.GetState().String()}, "before": {b.GetSince()}}
		out = append(out, siteLink{Href: "/serviceOrders?" + q.Encode(), Text: a.s.look.Word(a.Lang, "order", o.GetState()), Count: int(o.GetCount())})
	}
	return out
}

// Whose cars are shown, by the parameter who: everybody's, one's own, those whose owner waits in the house, or those of a
// colleague by staff code.
const (
	whoMe    = "me"
	whoWaits = "waits"
)

// shows tells whether a car is one of who's.
func (a *ask) shows(who string, c *branchlinev1.BoardCar) bool {
	switch who {
	case "":
		return true
	case whoWaits:
		return c.GetWaits()
	case whoMe:
		who = a.Who.Staff
	}
	return c.GetAdviser() == who || slices.Contains(c.GetTechnicians(), who)
}

// whose are the ways to see some of the cars only, and the people whose work may be chosen.
func (a *ask) whose(v *boardView, cars []*branchlinev1.BoardCar) {
	for _, w := range []struct{ who, word string }{{"", "board.all"}, {whoMe, "board.mine"}, {whoWaits, "board.waiting"}} {
		n := 0
		for _, c := range cars {
			n += one(a.shows(w.who, c))
		}
		v.Whose = append(v.Whose, siteLink{Href: v.with("who", w.who), Text: a.T(w.word), Count: n, On: v.Who == w.who})
	}
	for _, m := range []struct{ mode, word string }{{"", "board.lanes"}, {asList, "board.list"}, {asWall, "board.wall"}} {
		v.Looks = append(v.Looks, siteLink{Href: v.with("view", m.mode), Text: a.T(m.word), On: v.Mode == m.mode})
	}
	v.Looks = append(v.Looks, siteLink{Href: "/loans", Text: a.T("loan.title")})
	known := map[string]bool{}
	for _, c := range cars {
		for _, who := range append([]string{c.GetAdviser()}, c.GetTechnicians()...) {
			if who != "" && !known[who] {
				known[who] = true
				v.People = append(v.People, option{who, a.Names().Person(who)})
			}
		}
	}
	if v.Who != "" && v.Who != whoMe && v.Who != whoWaits && !known[v.Who] {
		v.People = append(v.People, option{v.Who, a.Names().Person(v.Who)})
	}
	slices.SortFunc(v.People, func(x, y option) int { return cmp.Compare(x.Text, y.Text) })
}

// lane is a column with its cars.
func (a *ask) lane(k laneKind, cars []*branchlinev1.BoardCar) lane {
	out := lane{Title: a.T("lane." + k.states[0].String()), Mark: k.mark, Wait: waits(k.states[0])}
	var stood, n int64
	for _, c := range cars {
		if !slices.Contains(k.states, c.GetState()) {
			continue
		}
		if out.Count++; out.Count <= inLane {
			card := a.carCard(c)
			card.Odd = c.GetState() != k.states[0] || len(k.states) > 2
			out.Cars = append(out.Cars, card)
		}
		if since := c.GetSince(); since > 0 {
			stood, n = stood+a.Now-since, n+1
		}
	}
	if n > 1 {
		out.Mean = a.T("board.mean", a.s.look.Span(a.Lang, 0, stood/n))
	}
	return out
}

// carCard says what is to be known of a car at a glance.
func (a *ask) carCard(c *branchlinev1.BoardCar) carCard {
	card := carCard{
		ID: "c-" + idOf(c.GetOrder()), Href: a.Href(c.GetOrder()), Plate: c.GetPlate(), Model: c.GetModel(), State: c.GetState(),
		Due: a.shortDue(c.GetPromisedAt()), Promised: c.GetPromisedAt(), Now: a.Now, Late: c.GetLate(), Soon: c.GetSoon(), Complaint: c.GetComplaint(),
		Customer: c.GetCustomerName(), Waits: c.GetWaits(), Comeback: c.GetComeback(), Accident: c.GetAccident(), Extra: c.GetExtra(), Arrived: c.GetArrived(),
		Working: c.GetWorking(), Bay: c.GetBay(), Key: c.GetKeyTag(), Queue: c.GetQueueNumber(),
	}
	if a.May("POST /board/move") {
		card.Move = "/board/move?order=" + idOf(c.GetOrder())
	}
	var people []string
	for _, t := range c.GetTechnicians() {
		people = append(people, a.Names().Person(t))
	}
	card.Technicians = a.List(people)
	if c.GetSince() > 0 {
		card.Held = a.s.look.Span(a.Lang, c.GetSince(), a.Now)
	}
	switch {
	case c.GetLate():
		switch {
		case c.GetWaits():
			card.Aside = a.T("board.is_here")
		case a.knows(c):
			card.Aside = a.T("board.knows")
		default:
			card.Aside = a.T("board.not_told")
		}
		card.Said = a.T("board.and", a.T("due.late", a.s.look.Span(a.Lang, c.GetPromisedAt(), a.Now)), card.Aside)
	case c.GetSoon():
		card.Said = a.T("due.left", a.s.look.Span(a.Lang, a.Now, c.GetPromisedAt()))
	case c.GetState() == branchlinev1.OrderState_READY && c.GetToldAt() >= c.GetSince():
		card.Told = a.T("board.told", a.s.look.When(a.Lang, a.Now, c.GetToldAt()))
	case c.GetState() == branchlinev1.OrderState_READY:
		card.Untold = a.T("board.untold")
	}
	return card
}

// knows tells whether the customer of a late car was spoken to when it was clear that it would be.
func (a *ask) knows(c *branchlinev1.BoardCar) bool {
	return c.GetToldAt() >= c.GetPromisedAt()-time.Hour.Milliseconds()
}

// shortDue is a promised time in as few letters as it may be said: the clock today, the weekday in the coming week, else
// the day of the year.
func (a *ask) shortDue(at int64) string {
	if at == 0 {
		return ""
	}
	zone := a.s.c.ZoneNow()
	t, now := time.UnixMilli(at).In(zone), time.UnixMilli(a.Now).In(zone)
	switch day := t.Format(time.DateOnly); {
	case day == now.Format(time.DateOnly):
		return a.s.look.Clock(at)
	case t.After(now) && t.Before(now.AddDate(0, 0, 6)):
		return a.T("weekday_short." + t.Weekday().String())
	default:
		return a.s.look.MonthDay(a.Lang, t)
	}
}
