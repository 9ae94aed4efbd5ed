package workshop

import (
	"context"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/counter"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

// ConfirmUnpaid is the name of the doubt about a car that is handed over though somebody owes something for it.
const ConfirmUnpaid = "unpaid"

// Step puts an order into another state, with the time and who did it. Any state follows any other, but for three:
// SETTLED is reached by settling (CounterService.Settle) and only restored here; CANCELLED needs a reason, and that nothing
// was taken for the order; what is not paid is handed over on a second word (ConfirmUnpaid). What is handed over or given
// up is nobody's work any more: open clocks end. ErrConflict when others moved the order since it was read.
func (w *Workshop) Step(ctx context.Context, r *branchlinev1.StepRequest) (*branchlinev1.Record, error) {
	id, err := w.acts.Do(ctx, "step", r.GetRequestId(), func(h *act.Hand) (zero schema.RecordID, err error) {
		if !slices.Contains(states(), r.GetState()) {
			return zero, schema.Invalid("state", "is no state of an order")
		}
		j, err := jobOf(h, r.GetOrder())
		if err != nil {
			return zero, err
		}
		if j.order.GetState() == r.GetState() {
			return j.id, nil // sent twice
		}
		return j.id, j.step(r)
	})
	if err != nil {
		return nil, err
	}
	return w.shown(ctx, id)
}

func states() (out []branchlinev1.OrderState) {
	for n := range branchlinev1.OrderState_name {
		if n != 0 {
			out = append(out, branchlinev1.OrderState(n))
		}
	}
	return out
}

func (j *job) step(r *branchlinev1.StepRequest) error {
	o := &branchlinev1.ServiceOrder{State: r.GetState().Enum()}
	mask := []string{"state"}
	// A state that is left takes with it what was written down of it.
	if j.order.GetState() == branchlinev1.OrderState_HANDED_OVER {
		mask = append(mask, "handed_over_at", "handed_to")
	}
	if j.order.GetState() == branchlinev1.OrderState_CANCELLED {
		mask = append(mask, "cancel_reason")
	}
	switch r.GetState() {
	case branchlinev1.OrderState_SETTLED:
		if err := j.resettled(); err != nil {
			return err
		}
	case branchlinev1.OrderState_CANCELLED:
		if err := j.mayCancel(r.GetReason()); err != nil {
			return err
		}
		o.CancelReason = proto.String(r.GetReason())
		mask = append(mask, "cancel_reason")
	case branchlinev1.OrderState_HANDED_OVER:
		if err := j.mayHandOver(r); err != nil {
			return err
		}
		o.HandedOverAt = proto.Int64(j.Now.UnixMilli())
		mask = append(mask, "handed_over_at")
		if r.GetHandedTo() != "" {
			o.HandedTo = proto.String(r.GetHandedTo())
			mask = append(mask, "handed_to")
		}
		if r.GetLoanBack() && lentOut(j.order, j.Now) {
			o.LoanBackAt = o.HandedOverAt
			mask = append(mask, "loan_back_at")
		}
	}
	if err := j.put(o, r.GetEtag(), mask...); err != nil {
		return err
	}
	if r.GetState() >= branchlinev1.OrderState_HANDED_OVER {
		return j.leaveAll()
	}
	return nil
}

// resettled lets an order be SETTLED again that is settled: it was put into another state meanwhile.
func (j *job) resettled() error {
	s, err := counter.StandingOf(j.V, j.id)
	if err != nil {
		return err
	}
	if !s.Settled {
		return schema.Invalid("state", "an order is settled payer by payer, on the page of its money")
	}
	return nil
}

func (j *job) mayCancel(reason string) error {
	if reason == "" {
		return schema.Invalid("reason", "say why")
	}
	s, err := counter.StandingOf(j.V, j.id)
	if err != nil {
		return err
	}
	switch s.Taken {
	case counter.TakenSettled:
		return schema.Invalid("state", "it is settled: reverse the settlement first, then give the money back")
	case counter.TakenMoney:
		return schema.Invalid("state", "money has been taken for it: give it back first")
	case counter.TakenCard:
		return schema.Invalid("state", "a card was used for it: take the use back first")
	}
	return nil
}

func (j *job) mayHandOver(r *branchlinev1.StepRequest) error {
	if r.GetHandedTo() != "" {
		// Who does not see who took the car does not write it either.
		if err := j.Caller.CheckWrite(access.Node, schema.ServiceOrder, schema.KindOf(schema.ServiceOrder).Field("handed_to")); err != nil {
			return err
		}
	}
	if slices.Contains(r.GetConfirmed(), ConfirmUnpaid) {
		return nil
	}
	s, err := counter.StandingOf(j.V, j.id)
	if err != nil || !s.Unpaid {
		return err
	}
	return desk.Question("state", "not everything is paid", ConfirmUnpaid)
}

// leaveAll ends what is still clocked on the order's lines.
func (j *job) leaveAll() error {
	for _, r := range j.lines {
		next := proto.CloneOf(r.GetServiceLine())
		mask := stop(next, j.Now, func(*branchlinev1.Clocking) bool { return true })
		if mask == nil {
			continue
		}
		if err := j.putLine(r, next, "", mask...); err != nil {
			return err
		}
	}
	return nil
}
