package workshop

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

const (
	// workCars is how many cars are looked through for work, the latest.
	workCars = 200
	// nobodysLines is how many lines that are nobody's a technician is shown, those of the most urgent cars.
	nobodysLines = 60
)

// Assign gives lines to a technician, or takes them back; with no lines named, every line of labour that is not declined,
// and the order with them. ErrConflict for a line that others gave to somebody since it was read.
func (w *Workshop) Assign(ctx context.Context, r *branchlinev1.AssignRequest) (*branchlinev1.Record, error) {
	id, err := w.acts.Do(ctx, "assign", r.GetRequestId(), func(h *act.Hand) (zero schema.RecordID, err error) {
		j, err := jobOf(h, r.GetOrder())
		if err != nil {
			return zero, err
		}
		if err := mayBeGivenWork(h, r.GetTechnician()); err != nil {
			return zero, err
		}
		give := func(l *branchlinev1.Record, etag string) error {
			return j.putLine(l, &branchlinev1.ServiceLine{Technician: proto.String(r.GetTechnician())}, etag, "technician")
		}
		for _, seen := range r.GetLines() {
			l, err := j.line(seen.GetLine())
			if err == nil {
				err = give(l, seen.GetEtag())
			}
			if err != nil {
				return zero, err
			}
		}
		if len(r.GetLines()) == 0 {
			for _, l := range j.lines {
				if b := l.GetServiceLine(); !isWork(b) || b.GetState() == branchlinev1.LineState_LINE_DECLINED {
					continue
				}
				if err := give(l, ""); err != nil {
					return zero, err
				}
			}
		}
		o, mask := &branchlinev1.ServiceOrder{}, []string(nil)
		if len(r.GetLines()) == 0 || j.order.GetTechnician() == "" {
			o.Technician, mask = proto.String(r.GetTechnician()), append(mask, "technician")
		}
		if r.GetBay() != "" {
			o.Bay, mask = proto.String(r.GetBay()), append(mask, "bay")
		}
		if len(mask) == 0 {
			return j.id, nil
		}
		return j.id, j.put(o, "", mask...)
	})
	if err != nil {
		return nil, err
	}
	return w.shown(ctx, id)
}

// mayBeGivenWork refuses who is no colleague.
func mayBeGivenWork(h *act.Hand, who string) error {
	if who == "" || who == h.Caller.Staff {
		return nil
	}
	all, err := h.V.All(schema.Staff)
	if err != nil {
		return err
	}
	for _, r := range all {
		if s := r.GetStaff(); s.GetCode() == who && s.GetRetiredAt() == 0 {
			return nil
		}
	}
	return schema.Invalid("technician", "is nobody of this branch")
}

// carsAtWork are the cars in the house, the most urgent first, with those a technician is clocked on to, wherever their
// order stands; who "" is nobody. more: there are more in the house.
func carsAtWork(h *act.Hand, who string) (cars []*carOf, more bool, err error) {
	orders, err := h.V.BodiesInState(schema.ServiceOrder, day(h, -boardDays), workCars+1, inHouse()...)
	if err != nil {
		return nil, false, err
	}
	if more = len(orders) > workCars; more {
		orders = orders[:workCars]
	}
	if who != "" {
		open, err := openLines(h, who)
		if err != nil {
			return nil, false, err
		}
		for _, r := range open {
			id, err := schema.ParseRecordID(r.GetServiceLine().GetOrder())
			if err != nil {
				return nil, false, err
			}
			if slices.ContainsFunc(orders, func(b store.Body) bool { return b.ID == id }) {
				continue
			}
			one, err := h.V.Bodies(schema.ServiceOrder, id)
			if err != nil {
				return nil, false, err
			}
			orders = append(orders, one...)
		}
	}
	if cars, err = readCars(h, orders); err != nil {
		return nil, false, err
	}
	slices.SortStableFunc(cars, func(x, y *carOf) int { return urgent(x.board, y.board) })
	return cars, more, nil
}

// ListWork lists what a technician has to do: the line they are at, their others, then those that are nobody's, each by
// the urgency of the car. Lines of theirs that stand still are among them, so that they know.
func (w *Workshop) ListWork(ctx context.Context, r *branchlinev1.ListWorkRequest) (*branchlinev1.ListWorkResponse, error) {
	out := new(branchlinev1.ListWorkResponse)
	err := w.acts.Look(ctx, func(h *act.Hand) error {
		for _, k := range []schema.Kind{schema.ServiceOrder, schema.ServiceLine} {
			if err := h.Caller.CheckRead(access.Node, k); err != nil {
				return err
			}
		}
		who := cmp.Or(r.GetTechnician(), h.Caller.Staff)
		cars, more, err := carsAtWork(h, who)
		if err != nil {
			return err
		}
		out.More = more
		var mine, nobodys []*branchlinev1.WorkLine
		for _, c := range cars {
			for _, b := range c.lines {
				l := line(b)
				to := &mine
				switch {
				case openOf(l, who) != nil:
					out.Open = schema.ResourceName(schema.ServiceLine, b.ID)
				case l.GetTechnician() == who && (toDo(l) || standsStill(l) && l.GetState() == branchlinev1.LineState_LINE_PROPOSED):
				case l.GetTechnician() == "" && toDo(l) && agreed(l, c.board.GetState()) && len(nobodys) < nobodysLines:
					to = &nobodys
				default:
					continue
				}
				rec, err := h.V.Get(b.ID)
				if err != nil {
					return err
				}
				access.Strip(rec, h.Caller.Roles)
				*to = append(*to, &branchlinev1.WorkLine{Line: rec, Car: c.board})
			}
		}
		slices.SortStableFunc(mine, func(x, y *branchlinev1.WorkLine) int {
			return first(x.GetLine().GetName() == out.GetOpen(), y.GetLine().GetName() == out.GetOpen())
		})
		out.Lines = slices.Concat(mine, nobodys)
		out.Forgotten = forgotten(cars, h.Now, w.acts.Zone(), func(c *branchlinev1.Clocking) bool {
			return c.GetTechnician() == who || r.GetTechnician() == "" && leads(h.Caller)
		})
		return nil
	})
	return out, err
}

// first orders by a yes or no: those of whom it is true stand first.
func first(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return -1
	}
	return 1
}

// agreed tells whether a line that is nobody's may be taken up: one that was only proposed waits while the customer is asked.
func agreed(l *branchlinev1.ServiceLine, s branchlinev1.OrderState) bool {
	return l.GetState() == branchlinev1.LineState_LINE_APPROVED || s != branchlinev1.OrderState_QUOTED
}

// forgotten are the clockings that run, or ran, over the end of a day and were not put right, the latest first.
func forgotten(cars []*carOf, now time.Time, zone *time.Location, which func(*branchlinev1.Clocking) bool) (out []*branchlinev1.Forgotten) {
	dayOf := func(ms int64) string { return time.UnixMilli(ms).In(zone).Format(time.DateOnly) }
	for _, c := range cars {
		for _, b := range c.lines {
			for _, x := range line(b).GetClockings() {
				if !which(x) || x.GetReason() != "" || dayOf(x.GetFrom()) == dayOf(cmp.Or(x.GetUntil(), now.UnixMilli())) {
					continue
				}
				out = append(out, &branchlinev1.Forgotten{
					Line: schema.ResourceName(schema.ServiceLine, b.ID), Item: cmp.Or(line(b).GetItem(), line(b).GetPartName(), line(b).GetComplaint()), Plate: c.board.GetPlate(),
					Technician: x.GetTechnician(), From: x.GetFrom(), Until: x.GetUntil(),
				})
			}
		}
	}
	slices.SortStableFunc(out, func(x, y *branchlinev1.Forgotten) int { return cmp.Compare(y.GetFrom(), x.GetFrom()) })
	return out
}

// ListTechnicians lists the branch's technicians, by name, with how many lines of cars in the house each has to do.
func (w *Workshop) ListTechnicians(ctx context.Context, _ *branchlinev1.ListTechniciansRequest) (*branchlinev1.ListTechniciansResponse, error) {
	out := new(branchlinev1.ListTechniciansResponse)
	err := w.acts.Look(ctx, func(h *act.Hand) error {
		if err := errors.Join(h.Caller.CheckRead(access.Node, schema.Staff), h.Caller.CheckRead(access.Node, schema.ServiceLine)); err != nil {
			return err
		}
		all, err := h.V.All(schema.Staff)
		if err != nil {
			return err
		}
		of := map[string]*branchlinev1.Technician{}
		for _, r := range all {
			s := r.GetStaff()
			if s.GetRetiredAt() == 0 && slices.Contains(s.GetRoles(), branchlinev1.Role_ROLE_TECHNICIAN) && slices.Contains(s.GetBranches(), string(h.ID.Branch)) && of[s.GetCode()] == nil {
				of[s.GetCode()] = &branchlinev1.Technician{Staff: s.GetCode(), Name: s.GetName()}
				out.Technicians = append(out.Technicians, of[s.GetCode()])
			}
		}
		cars, _, err := carsAtWork(h, "")
		if err != nil {
			return err
		}
		for _, c := range cars {
			for _, b := range c.lines {
				if t := of[line(b).GetTechnician()]; t != nil && toDo(line(b)) {
					t.Lines++
				}
				for _, x := range line(b).GetClockings() {
					if t := of[x.GetTechnician()]; t != nil && x.GetUntil() == 0 {
						t.Working = true
					}
				}
			}
		}
		slices.SortFunc(out.Technicians, func(x, y *branchlinev1.Technician) int {
			return cmp.Or(cmp.Compare(x.GetName(), y.GetName()), cmp.Compare(x.GetStaff(), y.GetStaff()))
		})
		return nil
	})
	return out, err
}
