package workshop

import (
	"cmp"
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// A part that is not in stock belongs to a line: ordered, expected, told of, arrived. Its order waits for parts as long as
// nothing else can be done on the car, and goes back to what it was doing when all have come.

// expected tells whether a line's part was ordered and has not come.
func expected(l *branchlinev1.ServiceLine) bool {
	return l.GetPartsOrderedAt() != 0 && l.GetPartsArrivedAt() == 0 && toFit(l)
}

// arrived tells whether a line's part has come and was not fitted yet.
func arrived(l *branchlinev1.ServiceLine) bool { return l.GetPartsArrivedAt() != 0 && toFit(l) }

// toFit tells whether a line's part is still to be fitted.
func toFit(l *branchlinev1.ServiceLine) bool {
	return l.GetState() != branchlinev1.LineState_LINE_DECLINED && l.GetState() != branchlinev1.LineState_LINE_DONE
}

// toTell tells whether the customer does not know yet that a part has come.
func toTell(l *branchlinev1.ServiceLine) bool {
	return arrived(l) && l.GetPartsToldAt() < l.GetPartsArrivedAt()
}

// Parts writes down what became of a line's part, and gives the line. A talk with the customer tells of all parts of the
// order that have come. ErrConflict when others wrote the same of the line since it was read.
func (w *Workshop) Parts(ctx context.Context, r *branchlinev1.PartsRequest) (*branchlinev1.Record, error) {
	id, err := w.acts.Do(ctx, "parts", r.GetRequestId(), func(h *act.Hand) (zero schema.RecordID, err error) {
		j, l, err := jobOfLine(h, r.GetLine().GetLine())
		if err != nil {
			return zero, err
		}
		if err := j.putPart(l, r); err != nil {
			return zero, err
		}
		if r.GetTold() != nil {
			if err := j.tellOfParts(l, r.GetTold()); err != nil {
				return zero, err
			}
		}
		if err := j.waitOrGoOn(); err != nil {
			return zero, err
		}
		return act.IDOf(l)
	})
	if err != nil {
		return nil, err
	}
	return w.shown(ctx, id)
}

// putPart writes what is new of a line's part.
func (j *job) putPart(rec *branchlinev1.Record, r *branchlinev1.PartsRequest) error {
	now, was := j.Now.UnixMilli(), rec.GetServiceLine()
	l, mask := &branchlinev1.ServiceLine{}, []string(nil)
	if r.GetSupplier() != "" {
		l.Supplier, mask = proto.String(r.GetSupplier()), append(mask, "supplier")
	}
	if on := r.GetExpectedOn(); on != "" {
		l.PartsExpectedOn, mask = &on, append(mask, "parts_expected_on")
	}
	switch ordered := was.GetPartsOrderedAt() != 0; {
	case r.GetOrdered() && r.GetArrived():
		return schema.Invalid("arrived", "what is ordered now has not come yet")
	case r.GetOrdered() && expected(was):
		return schema.Invalid("ordered", "is on order already: change the day it is expected")
	case r.GetOrdered():
		l.PartsOrderedAt, mask = &now, append(mask, "parts_ordered_at")
		if was.GetPartsArrivedAt() != 0 { // ordered anew: what came did not fit
			mask = append(mask, "parts_arrived_at")
		}
	case r.GetArrived() && !ordered:
		l.PartsOrderedAt, l.PartsArrivedAt, mask = &now, &now, append(mask, "parts_ordered_at", "parts_arrived_at")
	case r.GetArrived() && was.GetPartsArrivedAt() == 0:
		l.PartsArrivedAt, mask = &now, append(mask, "parts_arrived_at")
	}
	if len(mask) > 0 {
		return j.putLine(rec, l, r.GetLine().GetEtag(), mask...)
	}
	if r.GetTold() == nil && !r.GetArrived() {
		return schema.Invalid("line", "nothing is said about its part")
	}
	return nil // it has come already: somebody else said so
}

// tellOfParts records the talk and, when the customer was reached, that they know of the line's part and of all that have
// come.
func (j *job) tellOfParts(rec *branchlinev1.Record, t *branchlinev1.Told) error {
	if _, err := tell(j.Hand, j.id, j.order, partOf(rec.GetServiceLine()), t); err != nil || !reached(t.GetOutcome()) {
		return err
	}
	now := j.Now.UnixMilli()
	for _, l := range j.lines {
		if l.GetName() != rec.GetName() && !toTell(l.GetServiceLine()) {
			continue
		}
		if err := j.putLine(l, &branchlinev1.ServiceLine{PartsToldAt: &now}, "", "parts_told_at"); err != nil {
			return err
		}
	}
	return nil
}

// waitOrGoOn has the order wait for its parts, or go on where it stood when they have come.
func (j *job) waitOrGoOn() error {
	waits := slices.ContainsFunc(j.lines, func(r *branchlinev1.Record) bool { return expected(r.GetServiceLine()) })
	switch j.order.GetState() {
	case branchlinev1.OrderState_APPROVED, branchlinev1.OrderState_IN_WORK:
		if waits && !j.workLeft() {
			return j.putState(branchlinev1.OrderState_WAITING_PARTS)
		}
	case branchlinev1.OrderState_WAITING_PARTS:
		if !waits {
			return j.putState(before(j.order))
		}
	}
	return nil
}

// workLeft tells whether something can be done on the car while parts are waited for: somebody is at it, or the lines of
// another complaint are approved and not done. The work of one complaint waits for its parts.
func (j *job) workLeft() bool {
	complaint := func(l *branchlinev1.ServiceLine) string { return cmp.Or(l.GetComplaint(), j.order.GetComplaint()) }
	var stuck []string
	for _, r := range j.lines {
		if l := r.GetServiceLine(); expected(l) {
			stuck = append(stuck, complaint(l))
		}
	}
	return slices.ContainsFunc(j.lines, func(r *branchlinev1.Record) bool {
		l := r.GetServiceLine()
		return clockedOn(l) || l.GetState() == branchlinev1.LineState_LINE_APPROVED && l.GetKind() != branchlinev1.LineKind_FEE && !slices.Contains(stuck, complaint(l))
	})
}

// before is the state the order stood in before it waited for parts.
func before(o *branchlinev1.ServiceOrder) branchlinev1.OrderState {
	states := slices.Clone(o.GetStates())
	slices.SortStableFunc(states, func(x, y *branchlinev1.StateChange) int { return cmp.Compare(x.GetAt(), y.GetAt()) })
	for _, s := range slices.Backward(states) {
		switch s.GetState() {
		case branchlinev1.OrderState_APPROVED, branchlinev1.OrderState_IN_WORK:
			return s.GetState()
		}
	}
	return branchlinev1.OrderState_APPROVED
}

// partOf is what the part of a line is called.
func partOf(l *branchlinev1.ServiceLine) string {
	return cmp.Or(l.GetPartName(), l.GetItem(), l.GetPartCode())
}

// ListParts lists parts: those waited for, the longest overdue first and those without a day last; or those that have come
// and whose customer does not know, the first to come first. The car may stand in the house or have been driven away.
func (w *Workshop) ListParts(ctx context.Context, r *branchlinev1.ListPartsRequest) (*branchlinev1.ListPartsResponse, error) {
	out := new(branchlinev1.ListPartsResponse)
	want, since := expected, "parts_ordered_at"
	if r.GetArrived() {
		want, since = toTell, "parts_arrived_at"
	}
	err := w.acts.Look(ctx, func(h *act.Hand) error {
		if err := h.Caller.CheckRead(access.Node, schema.ServiceLine); err != nil {
			return err
		}
		found, err := h.V.BodiesFaceted(schema.ServiceLine, since, "")
		if err != nil {
			return err
		}
		cars, err := partsCars(h, slices.DeleteFunc(found, func(l store.Body) bool { return !want(line(l)) }))
		if err != nil {
			return err
		}
		for _, c := range cars {
			for _, l := range c.lines {
				if !want(line(l)) {
					continue
				}
				rec, err := h.V.Get(l.ID)
				if err != nil {
					return err
				}
				access.Strip(rec, h.Caller.Roles)
				out.Lines = append(out.Lines, &branchlinev1.WorkLine{Line: rec, Car: c.board, Phone: c.phone()})
			}
		}
		slices.SortStableFunc(out.Lines, func(x, y *branchlinev1.WorkLine) int {
			return byNeed(x.GetLine().GetServiceLine(), y.GetLine().GetServiceLine())
		})
		return nil
	})
	return out, err
}

// byNeed orders lines by the day their part is expected, those without one last, then by when it came and was ordered.
func byNeed(x, y *branchlinev1.ServiceLine) int {
	const never = "9999-12-31"
	return cmp.Or(
		cmp.Compare(x.GetPartsArrivedAt(), y.GetPartsArrivedAt()),
		cmp.Compare(cmp.Or(x.GetPartsExpectedOn(), never), cmp.Or(y.GetPartsExpectedOn(), never)),
		cmp.Compare(x.GetPartsOrderedAt(), y.GetPartsOrderedAt()),
	)
}

// partsCars are the cars of lines, but for those whose order was given up.
func partsCars(h *act.Hand, lines []store.Body) ([]*carOf, error) {
	var ids []schema.RecordID
	for _, l := range lines {
		id, err := schema.ParseRecordID(line(l).GetOrder())
		if err != nil {
			return nil, err
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	orders, err := h.V.Bodies(schema.ServiceOrder, ids...)
	if err != nil {
		return nil, err
	}
	return readCars(h, slices.DeleteFunc(orders, func(o store.Body) bool {
		return order(o).GetState() == branchlinev1.OrderState_CANCELLED || order(o).GetRetiredAt() != 0
	}))
}

// phone is whom to call about the car: who brought it, else the customer. "" for who may not see it.
func (c *carOf) phone() string {
	if c.customer == nil {
		return ""
	}
	if p := c.order.GetBroughtPhone(); p != "" {
		return p
	}
	for _, p := range c.customer.GetPhones() {
		if p.GetNumber() != "" {
			return p.GetNumber()
		}
	}
	return ""
}
