package workshop

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
)

// Clock begins or ends a technician's work on a line. A technician is at one line at a time: beginning ends what else they
// have open. Work that was begun makes the order IN_WORK, unless it has come further; when the last line is done it goes to
// the quality check. Beginning twice, or ending what is not open, changes nothing.
func (w *Workshop) Clock(ctx context.Context, r *branchlinev1.ClockRequest) (*branchlinev1.Record, error) {
	id, err := w.acts.Do(ctx, "clock", r.GetRequestId(), func(h *act.Hand) (zero schema.RecordID, err error) {
		j, l, err := jobOfLine(h, r.GetLine())
		if err != nil {
			return zero, err
		}
		who := cmp.Or(r.GetTechnician(), h.Caller.Staff)
		if who != h.Caller.Staff && !leads(h.Caller) {
			return zero, schema.Invalid("technician", "an adviser or a manager clocks for another")
		}
		id, err := act.IDOf(l)
		if err != nil {
			return zero, err
		}
		if r.GetOn() {
			return id, j.begin(l, who)
		}
		return id, j.end(l, who, r)
	})
	if err != nil {
		return nil, err
	}
	return w.shown(ctx, id)
}

// leads tells whether a caller may clock for others, and put a clock right.
func leads(c access.Caller) bool {
	return c.Has(branchlinev1.Role_ROLE_ADVISER) || c.Has(branchlinev1.Role_ROLE_BRANCH_MANAGER)
}

func (j *job) begin(r *branchlinev1.Record, who string) error {
	l := r.GetServiceLine()
	if err := mayBeWorkedOn(l); err != nil {
		return err
	}
	if openOf(l, who) != nil {
		return nil
	}
	if err := leave(j.Hand, who); err != nil {
		return err
	}
	if err := j.read(); err != nil { // another line of this order may be the one that was left
		return err
	}
	r, err := j.line(r.GetName())
	if err != nil {
		return err
	}
	next := proto.CloneOf(r.GetServiceLine())
	next.Clockings = append(next.Clockings, &branchlinev1.Clocking{Technician: &who, From: proto.Int64(j.Now.UnixMilli())})
	mask := []string{"clockings"}
	again := next.GetState() == branchlinev1.LineState_LINE_DONE
	if again { // it is taken up once more
		next.State = branchlinev1.LineState_LINE_APPROVED.Enum()
		mask = append(mask, "state")
	}
	if next.GetTechnician() == "" {
		next.Technician = &who
		mask = append(mask, "technician")
	}
	if err := j.putLine(r, next, "", mask...); err != nil {
		return err
	}
	switch s := j.order.GetState(); {
	case s < branchlinev1.OrderState_IN_WORK, s == branchlinev1.OrderState_WAITING_PARTS, s == branchlinev1.OrderState_WAITING_INSURER,
		again && s <= branchlinev1.OrderState_READY:
		return j.putState(branchlinev1.OrderState_IN_WORK)
	}
	return nil
}

// mayBeWorkedOn refuses a line that stands still, with what to do.
func mayBeWorkedOn(l *branchlinev1.ServiceLine) error {
	switch {
	case l.GetState() == branchlinev1.LineState_LINE_DECLINED:
		return schema.Invalid("line", "the customer has said no to it: nothing is done before they say yes")
	case standsStill(l):
		return schema.Invalid("line", "it stands still: ask the adviser for the customer's yes first")
	}
	return nil
}

// end ends who's work on a line. Where the line is done by it, so is the work of others on it.
func (j *job) end(r *branchlinev1.Record, who string, q *branchlinev1.ClockRequest) error {
	l := r.GetServiceLine()
	if q.GetDone() {
		if err := mayBeWorkedOn(l); err != nil {
			return err
		}
	}
	next := proto.CloneOf(l)
	mask := stop(next, j.Now, func(c *branchlinev1.Clocking) bool { return q.GetDone() || c.GetTechnician() == who })
	if q.GetCause() != "" {
		next.Cause = proto.String(q.GetCause())
		mask = append(mask, "cause")
	}
	if q.GetCorrection() != "" {
		next.Correction = proto.String(q.GetCorrection())
		mask = append(mask, "correction")
	}
	if q.GetDone() && l.GetState() != branchlinev1.LineState_LINE_DONE {
		next.State = branchlinev1.LineState_LINE_DONE.Enum()
		mask = append(mask, "state")
		if next.GetTechnician() == "" {
			next.Technician = &who
			mask = append(mask, "technician")
		}
	}
	if len(mask) == 0 {
		return nil
	}
	if err := j.putLine(r, next, "", mask...); err != nil || !q.GetDone() {
		return err
	}
	return j.finish()
}

// finish sends the order to the quality check when nothing is left to do. Parts and fees are done with the work they
// belong to; a part that has not come is not.
func (j *job) finish() error {
	var with []*branchlinev1.Record
	for _, r := range j.lines {
		l := r.GetServiceLine()
		switch {
		case toDo(l):
			return nil
		case l.GetState() != branchlinev1.LineState_LINE_APPROVED:
		case l.GetPartsOrderedAt() != 0 && l.GetPartsArrivedAt() == 0:
			return nil
		default:
			with = append(with, r)
		}
	}
	for _, r := range with {
		if err := j.putLine(r, &branchlinev1.ServiceLine{State: branchlinev1.LineState_LINE_DONE.Enum()}, "", "state"); err != nil {
			return err
		}
	}
	if j.order.GetState() >= branchlinev1.OrderState_QUALITY_CHECK {
		return nil
	}
	return j.putState(branchlinev1.OrderState_QUALITY_CHECK)
}

// toDo tells whether a line is somebody's work that is not done: labour and what is given out, unless it stands still, and
// whatever a check has sent back.
func toDo(l *branchlinev1.ServiceLine) bool {
	switch {
	case l.GetRetiredAt() != 0, standsStill(l), l.GetState() == branchlinev1.LineState_LINE_DONE:
		return false
	case isWork(l):
		return true
	}
	last := lastCheck(l)
	return last != nil && !last.GetPassed()
}

// isWork tells whether somebody works on a line: parts, fees and uses of cards come with the work.
func isWork(l *branchlinev1.ServiceLine) bool {
	switch l.GetKind() {
	case branchlinev1.LineKind_PART, branchlinev1.LineKind_FEE, branchlinev1.LineKind_PACKAGE_USE:
		return false
	}
	return true
}

// leave ends what a technician has open at this branch.
func leave(h *act.Hand, who string) error {
	lines, err := openLines(h, who)
	if err != nil {
		return err
	}
	for _, r := range lines {
		next := proto.CloneOf(r.GetServiceLine())
		mask := stop(next, h.Now, func(c *branchlinev1.Clocking) bool { return c.GetTechnician() == who })
		id, err := act.IDOf(r)
		if err != nil {
			return err
		}
		if _, err := h.Put(store.Edit{Kind: schema.ServiceLine, ID: id, Message: next, Mask: mask, Etag: r.GetEtag()}); err != nil {
			return err
		}
	}
	return nil
}

// openLines are the lines of this branch that a technician is clocked on to.
func openLines(h *act.Hand, who string) ([]*branchlinev1.Record, error) {
	lines, err := h.V.Having(schema.ServiceLine, index.FacetTerm(schema.KindOf(schema.ServiceLine).Field("clockings"), who))
	// A facet has folded letters.
	return slices.DeleteFunc(lines, func(r *branchlinev1.Record) bool { return openOf(r.GetServiceLine(), who) == nil }), err
}

// openOf is a technician's clocking on a line that has no end; nil for none.
func openOf(l *branchlinev1.ServiceLine, who string) *branchlinev1.Clocking {
	for _, c := range l.GetClockings() {
		if c.GetTechnician() == who && c.GetUntil() == 0 {
			return c
		}
	}
	return nil
}

// stop ends the clockings of a line that are open and that which says, and adds up what was clocked. It gives the fields it
// wrote; none when nothing was open.
func stop(l *branchlinev1.ServiceLine, now time.Time, which func(*branchlinev1.Clocking) bool) (mask []string) {
	for i, c := range l.GetClockings() {
		if c.GetUntil() != 0 || !which(c) {
			continue
		}
		c = proto.CloneOf(c)
		c.Until = proto.Int64(max(now.UnixMilli(), c.GetFrom()))
		l.Clockings[i] = c
		mask = []string{"clockings", "clocked_minutes"}
	}
	if mask != nil {
		l.ClockedMinutes = proto.Int64(clocked(l))
	}
	return mask
}

// clocked is how many minutes were worked on a line, by everybody together: whole ones, the rest rounded.
func clocked(l *branchlinev1.ServiceLine) int64 {
	var sum int64
	for _, c := range l.GetClockings() {
		if c.GetUntil() != 0 {
			sum += c.GetUntil() - c.GetFrom()
		}
	}
	return (sum + 30_000) / 60_000
}

// CorrectClock puts right when a technician left a line, by an adviser or a manager. ErrInvalid for an end before the
// beginning or after now; ErrConflict when the clocking is not there any more.
func (w *Workshop) CorrectClock(ctx context.Context, r *branchlinev1.CorrectClockRequest) (*branchlinev1.Record, error) {
	id, err := w.acts.Do(ctx, "correct", r.GetRequestId(), func(h *act.Hand) (zero schema.RecordID, err error) {
		j, rec, err := jobOfLine(h, r.GetLine())
		if err != nil {
			return zero, err
		}
		next := proto.CloneOf(rec.GetServiceLine())
		i := slices.IndexFunc(next.GetClockings(), func(c *branchlinev1.Clocking) bool {
			return c.GetTechnician() == r.GetTechnician() && c.GetFrom() == r.GetFrom()
		})
		switch {
		case i < 0:
			return zero, act.Changed()
		case r.GetUntil() <= r.GetFrom():
			return zero, schema.Invalid("until", "is before the work began")
		case r.GetUntil() > h.Now.UnixMilli():
			return zero, schema.Invalid("until", "has not come yet")
		}
		next.Clockings[i] = &branchlinev1.Clocking{
			Technician: proto.String(r.GetTechnician()), From: proto.Int64(r.GetFrom()), Until: proto.Int64(r.GetUntil()), Reason: proto.String(r.GetReason()), By: proto.String(h.Caller.Staff),
		}
		next.ClockedMinutes = proto.Int64(clocked(next))
		id, err := act.IDOf(rec)
		if err != nil {
			return zero, err
		}
		return id, j.putLine(rec, next, "", "clockings", "clocked_minutes")
	})
	if err != nil {
		return nil, err
	}
	return w.shown(ctx, id)
}
