package workshop

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

const (
	// boardDays is how far back cars in the house are looked for: an order older than that was never closed, as those
	// from another system are, and its car is long gone. goneDays is the same for settled cars: what was paid for a week
	// ago has been driven away, whether anybody said so or not.
	boardDays, goneDays = 90, 7
	// boardCars is how many cars of a sort stand on a board, maxOlder how many of the others are counted of each.
	boardCars, maxOlder = 500, 1_000
	// soon is how long before the promised time a car is soon late.
	soon = 30 * time.Minute
)

// inHouse are the states of a car that stands in the workshop and is not settled.
func inHouse() []protoreflect.EnumNumber {
	return numbers(
		branchlinev1.OrderState_RECEIVED, branchlinev1.OrderState_DIAGNOSING, branchlinev1.OrderState_QUOTED, branchlinev1.OrderState_APPROVED,
		branchlinev1.OrderState_IN_WORK, branchlinev1.OrderState_WAITING_PARTS, branchlinev1.OrderState_WAITING_INSURER,
		branchlinev1.OrderState_QUALITY_CHECK, branchlinev1.OrderState_READY,
	)
}

func numbers(states ...branchlinev1.OrderState) []protoreflect.EnumNumber {
	out := make([]protoreflect.EnumNumber, len(states))
	for i, s := range states {
		out[i] = s.Number()
	}
	return out
}

// GetBoard gives the cars in the house: those whose order stands in a state from RECEIVED to READY, those booked for today,
// and those settled and not handed over. Late ones come first, then those soon late, then by promised time.
func (w *Workshop) GetBoard(ctx context.Context, r *branchlinev1.GetBoardRequest) (*branchlinev1.Board, error) {
	out := new(branchlinev1.Board)
	err := w.acts.Look(ctx, func(h *act.Hand) error {
		if err := h.Caller.CheckRead(access.Node, schema.ServiceOrder); err != nil {
			return err
		}
		out.Since = day(h, -boardDays)
		orders, err := h.V.BodiesInState(schema.ServiceOrder, out.Since, boardCars+1, inHouse()...)
		if err != nil {
			return err
		}
		if len(orders) > boardCars {
			orders, out.More = orders[:boardCars], true
		}
		for from, state := range map[string]branchlinev1.OrderState{h.Today: branchlinev1.OrderState_BOOKED, day(h, -goneDays): branchlinev1.OrderState_SETTLED} {
			more, err := h.V.BodiesInState(schema.ServiceOrder, from, boardCars, state.Number())
			if err != nil {
				return err
			}
			orders = append(orders, more...)
		}
		for _, state := range inHouse() {
			n, err := h.V.CountBefore(schema.ServiceOrder, out.Since, maxOlder, state)
			if err != nil {
				return err
			}
			if n > 0 {
				out.Older = append(out.Older, &branchlinev1.OlderOrders{State: branchlinev1.OrderState(state), Count: int32(n)})
			}
		}
		orders = slices.DeleteFunc(orders, func(o store.Body) bool { // booked for a day to come
			b := order(o)
			return b.GetState() == branchlinev1.OrderState_BOOKED && b.GetDay() != h.Today
		})
		cars, err := readCars(h, orders)
		if err != nil {
			return err
		}
		for _, c := range cars {
			if who := r.GetStaff(); who == "" || c.board.GetAdviser() == who || slices.Contains(c.board.GetTechnicians(), who) {
				out.Cars = append(out.Cars, c.board)
			}
		}
		slices.SortStableFunc(out.Cars, urgent)
		return nil
	})
	return out, err
}

// ListCars gives the cars of orders, wherever these stand, in no order; those of orders that are not held here are left out.
func (w *Workshop) ListCars(ctx context.Context, r *branchlinev1.ListCarsRequest) (*branchlinev1.ListCarsResponse, error) {
	out := new(branchlinev1.ListCarsResponse)
	err := w.acts.Look(ctx, func(h *act.Hand) error {
		if err := h.Caller.CheckRead(access.Node, schema.ServiceOrder); err != nil {
			return err
		}
		var ids []schema.RecordID
		for _, name := range r.GetOrders() {
			id, err := desk.NameOf("orders", name, schema.ServiceOrder)
			if err != nil {
				return err
			}
			ids = append(ids, id)
		}
		orders, err := h.V.Bodies(schema.ServiceOrder, ids...)
		if err != nil {
			return err
		}
		cars, err := readCars(h, orders)
		for _, c := range cars {
			out.Cars = append(out.Cars, c.board)
		}
		return err
	})
	return out, err
}

// day is the business day some days from today.
func day(h *act.Hand, days int) string {
	today, err := time.Parse(time.DateOnly, h.Today)
	if err != nil {
		return h.Today // today is always a day
	}
	return today.AddDate(0, 0, days).Format(time.DateOnly)
}

// urgent orders cars: late, soon late, then by promised time; none promised last, the longest in the house first.
func urgent(x, y *branchlinev1.BoardCar) int {
	rank := func(c *branchlinev1.BoardCar) int {
		switch {
		case c.GetLate():
			return 0
		case c.GetSoon():
			return 1
		}
		return 2
	}
	promised := func(c *branchlinev1.BoardCar) int64 {
		if at := c.GetPromisedAt(); at != 0 {
			return at
		}
		return math.MaxInt64
	}
	return cmp.Or(cmp.Compare(rank(x), rank(y)), cmp.Compare(promised(x), promised(y)), cmp.Compare(x.GetOpenedAt(), y.GetOpenedAt()), cmp.Compare(x.GetOrder(), y.GetOrder()))
}

func order(b store.Body) *branchlinev1.ServiceOrder { return b.Message.(*branchlinev1.ServiceOrder) }
func line(b store.Body) *branchlinev1.ServiceLine   { return b.Message.(*branchlinev1.ServiceLine) }

// carOf is a car in the house with what its board entry was read from.
type carOf struct {
	board *branchlinev1.BoardCar
	order *branchlinev1.ServiceOrder
	lines []store.Body // not retired, by place
	// customer is nil where there is none, or none that the caller may see.
	customer *branchlinev1.Customer
}

// readCars makes cars of orders, with all their lines, talks and customers in one reading each.
func readCars(h *act.Hand, orders []store.Body) ([]*carOf, error) {
	var ids, people []schema.RecordID
	out := make([]*carOf, 0, len(orders))
	of := map[string]*carOf{}
	sees := access.SeesOwners(access.Node, h.Caller.Roles)
	for _, o := range orders {
		c := &carOf{order: order(o), board: boardCar(o)}
		out, ids, of[o.ID.String()] = append(out, c), append(ids, o.ID), c
		if !sees {
			continue
		}
		c.board.Customer = c.order.GetCustomer()
		if id, err := schema.ParseRecordID(c.order.GetCustomer()); err == nil {
			people = append(people, id)
		}
	}
	lines, err := h.V.BodiesAbout(schema.ServiceLine, ids...)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		if c := of[line(l).GetOrder()]; c != nil {
			c.lines = append(c.lines, l)
		}
	}
	talks, err := h.V.BodiesAbout(schema.Contact, ids...)
	if err != nil {
		return nil, err
	}
	for _, t := range talks {
		t := t.Message.(*branchlinev1.Contact)
		if c := of[t.GetOrder()]; c != nil && reached(t.GetOutcome()) {
			c.board.ToldAt = max(c.board.ToldAt, t.GetAt())
		}
	}
	named, err := h.V.Bodies(schema.Customer, people...)
	if err != nil {
		return nil, err
	}
	names := map[string]*branchlinev1.Customer{}
	for _, n := range named {
		names[n.ID.String()] = n.Message.(*branchlinev1.Customer)
	}
	for _, c := range out {
		if c.customer = names[c.board.GetCustomer()]; c.customer != nil {
			c.board.CustomerName = c.customer.GetName()
		}
		c.readLines()
		c.setDue(h.Now)
	}
	return out, nil
}

// boardCar is what the order alone says.
func boardCar(b store.Body) *branchlinev1.BoardCar {
	o := order(b)
	c := &branchlinev1.BoardCar{
		Order: schema.ResourceName(schema.ServiceOrder, b.ID), Number: o.GetNumber(), Plate: o.GetPlate(), Model: o.GetModel(), State: o.GetState(),
		Since: o.GetOpenedAt(), OpenedAt: o.GetOpenedAt(), PromisedAt: o.GetPromisedAt(), Adviser: o.GetAdviser(), Bay: o.GetBay(),
		QueueNumber: o.GetQueueNumber(), KeyTag: o.GetKeyTag(), Waits: o.GetWaits(), Comeback: o.GetComebackOf() != "", Accident: o.GetAccident(), Complaint: o.GetComplaint(),
	}
	var last int64
	for _, s := range o.GetStates() {
		if s.GetAt() >= last {
			if last = s.GetAt(); s.GetState() == o.GetState() {
				c.Since = last
			}
		}
	}
	return c
}

// readLines adds what the lines say: who works on it, what is to be answered, what has come.
func (c *carOf) readLines() {
	slices.SortStableFunc(c.lines, func(x, y store.Body) int {
		return cmp.Or(cmp.Compare(line(x).GetPosition(), line(y).GetPosition()), cmp.Compare(x.ID.String(), y.ID.String()))
	})
	add := func(who string) {
		if who != "" && !slices.Contains(c.board.Technicians, who) {
			c.board.Technicians = append(c.board.Technicians, who)
		}
	}
	for _, b := range c.lines {
		l := line(b)
		if l.GetState() != branchlinev1.LineState_LINE_DECLINED {
			add(l.GetTechnician())
		}
		if l.GetState() == branchlinev1.LineState_LINE_PROPOSED && standsStill(l) {
			c.board.Extra++
		}
		if arrived(l) {
			c.board.Arrived++
		}
		if clockedOn(l) {
			c.board.Working = true
		}
	}
	if len(c.board.Technicians) == 0 {
		add(c.order.GetTechnician())
	}
}

// setDue says whether the car is late: one that is ready is not, it waits for its owner.
func (c *carOf) setDue(now time.Time) {
	switch at := c.board.GetPromisedAt(); {
	case at == 0 || c.board.GetState() >= branchlinev1.OrderState_READY:
	case at < now.UnixMilli():
		c.board.Late = true
	case at <= now.Add(soon).UnixMilli():
		c.board.Soon = true
	}
}

// clockedOn tells whether somebody is at the line.
func clockedOn(l *branchlinev1.ServiceLine) bool {
	return slices.ContainsFunc(l.GetClockings(), func(c *branchlinev1.Clocking) bool { return c.GetUntil() == 0 })
}

// reached tells whether a talk came to pass.
func reached(o branchlinev1.ContactOutcome) bool {
	return o != branchlinev1.ContactOutcome_CONTACT_NOT_REACHED && o != branchlinev1.ContactOutcome_CONTACT_OUTCOME_UNSPECIFIED
}
