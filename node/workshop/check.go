package workshop

import (
	"context"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/edit"
)

// Check judges finished work. A line that failed goes back to be done again, with the reason, and its order IN_WORK; when
// every line has passed the order is READY. ErrInvalid for a line that stands still; ErrConflict for one that others have
// judged or changed since it was read.
func (w *Workshop) Check(ctx context.Context, r *branchlinev1.CheckRequest) (*branchlinev1.Record, error) {
	id, err := w.acts.Do(ctx, "check", r.GetRequestId(), func(h *act.Hand) (zero schema.RecordID, err error) {
		j, err := jobOf(h, r.GetOrder())
		if err != nil {
			return zero, err
		}
		failed := false
		for _, c := range r.GetLines() {
			l, err := j.line(c.GetLine().GetLine())
			if err != nil {
				return zero, err
			}
			if err := j.judge(l, c); err != nil {
				return zero, err
			}
			failed = failed || !c.GetPassed()
		}
		return j.id, j.checked(failed)
	})
	if err != nil {
		return nil, err
	}
	return w.shown(ctx, id)
}

func (j *job) judge(r *branchlinev1.Record, c *branchlinev1.LineCheck) error {
	l := r.GetServiceLine()
	switch {
	case mayBeWorkedOn(l) != nil:
		return schema.Invalid("line", "it stands still: there is nothing to judge")
	case !c.GetPassed() && c.GetReason() == "":
		return schema.Invalid("reason", "say why")
	}
	if seen := c.GetLine().GetEtag(); seen != "" {
		moved, err := edit.Moved(schema.KindOf(schema.ServiceLine), seen, r.GetEtag(), "state", "checks")
		if err != nil {
			return err
		}
		if moved {
			return act.Changed()
		}
	}
	next := proto.CloneOf(l)
	mask := append(stop(next, j.Now, func(*branchlinev1.Clocking) bool { return true }), "checks", "state")
	q := &branchlinev1.QualityCheck{At: proto.Int64(j.Now.UnixMilli()), By: proto.String(j.Caller.Staff), Passed: proto.Bool(c.GetPassed())}
	next.State = branchlinev1.LineState_LINE_DONE.Enum()
	if !c.GetPassed() {
		q.Reason = proto.String(c.GetReason())
		next.State = branchlinev1.LineState_LINE_APPROVED.Enum()
	}
	next.Checks = append(next.Checks, q)
	return j.putLine(r, next, "", mask...)
}

// checked puts the order where its lines are: a car that is settled or gone stays what it is.
func (j *job) checked(failed bool) error {
	s := j.order.GetState()
	switch {
	case s >= branchlinev1.OrderState_SETTLED:
		return nil
	case failed:
		return j.putState(branchlinev1.OrderState_IN_WORK)
	case s == branchlinev1.OrderState_READY:
		return nil
	}
	for _, r := range j.lines {
		l := r.GetServiceLine()
		if toDo(l) || isWork(l) && l.GetState() == branchlinev1.LineState_LINE_DONE && !lastCheck(l).GetPassed() {
			return nil
		}
	}
	return j.putState(branchlinev1.OrderState_READY)
}

// lastCheck is the last look at a line's work; nil before the first.
func lastCheck(l *branchlinev1.ServiceLine) (last *branchlinev1.QualityCheck) {
	for _, c := range l.GetChecks() {
		if last == nil || c.GetAt() >= last.GetAt() {
			last = c
		}
	}
	return last
}
