package workshop

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/assent"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
	"branchline/sync/edit"
)

// seenFields are what somebody answers to: a line on which one of them moved since is another question.
func seenFields() []string {
	return []string{"kind", "item", "part_name", "part_quantity", "billed_minutes", "amount", "discount", "payer", "state", "declined_reason", "revive_on", "retired_at"}
}

// Answer writes down what is said to lines of an order: to all of them or to none. A line that has been given the same
// answer already stays as it is. An order before its work is APPROVED once nothing waits for an answer and something
// is to be done.
func (w *Workshop) Answer(ctx context.Context, r *branchlinev1.AnswerRequest) (*branchlinev1.Record, error) {
	id, err := w.acts.Do(ctx, "answer", r.GetRequestId(), func(h *act.Hand) (schema.RecordID, error) {
		id, order, err := orderOf(h, r.GetOrder())
		if err != nil {
			return id, err
		}
		said, err := sayer(h, id, r)
		if err != nil {
			return id, err
		}
		seen := map[schema.RecordID]bool{}
		for i, a := range r.GetLines() {
			field := fmt.Sprintf("lines.%d.", i)
			line, err := desk.NameOf(field+"line", a.GetLine().GetLine(), schema.ServiceLine)
			if err != nil {
				return id, err
			}
			if seen[line] {
				return id, schema.Invalid(field+"line", "stands in it twice")
			}
			seen[line] = true
			if err := answer(h, id, line, field, a, said); err != nil {
				return id, err
			}
		}
		return id, approve(h, id, order)
	})
	if err != nil {
		return nil, err
	}
	return w.shown(ctx, id)
}

// sayer is the approval that all answers of a request have in common: who said it and how.
func sayer(h *act.Hand, order schema.RecordID, r *branchlinev1.AnswerRequest) (*branchlinev1.Approval, error) {
	a := &branchlinev1.Approval{
		At: proto.Int64(h.Now.UnixMilli()), Way: r.GetWay().Enum(), SaidBy: proto.String(r.GetSaidBy()), Phone: proto.String(r.GetPhone()),
		TakenBy: proto.String(h.Caller.Staff),
	}
	switch r.GetWay() {
	case branchlinev1.ApprovalWay_BY_MESSAGE:
	case branchlinev1.ApprovalWay_BY_NAME:
		if r.GetSaidBy() == "" {
			return nil, schema.Invalid("said_by", "say who said it")
		}
	case branchlinev1.ApprovalWay_BY_WORD:
		var bad schema.FieldsError
		if r.GetSaidBy() == "" {
			bad.Violations = append(bad.Violations, schema.Violation{Field: "said_by", Reason: "say who said it"})
		}
		if r.GetPhone() == "" {
			bad.Violations = append(bad.Violations, schema.Violation{Field: "phone", Reason: "say on which phone, or that they were here"})
		}
		if len(bad.Violations) > 0 {
			return nil, &bad
		}
	case branchlinev1.ApprovalWay_BY_SIGNATURE:
		id, f, err := fileOf(h, "signature", r.GetSignature())
		if err != nil {
			return nil, err
		}
		if f.GetRole() != branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE || f.GetOrder() != order.String() {
			return nil, schema.Invalid("signature", "is no signature on this order")
		}
		a.Signature = act.Ref(id)
	default:
		return nil, schema.Invalid("way", "value is required")
	}
	return a, nil
}

// answer writes one answer into its line.
func answer(h *act.Hand, order, id schema.RecordID, field string, a *branchlinev1.LineAnswer, said *branchlinev1.Approval) error {
	r, err := h.V.Get(id)
	if err != nil {
		return err
	}
	l := r.GetServiceLine()
	if l == nil || l.GetOrder() != order.String() {
		return schema.Invalid(field+"line", "is none of this order's")
	}
	then := &branchlinev1.ServiceLine{State: a.GetState().Enum()}
	switch a.GetState() {
	case branchlinev1.LineState_LINE_APPROVED:
		if l.GetState() == branchlinev1.LineState_LINE_DONE {
			then.State = l.State
		}
	case branchlinev1.LineState_LINE_DECLINED:
		if l.GetState() == branchlinev1.LineState_LINE_DONE {
			return schema.Invalid(field+"state", "the work is done already: say who pays for it instead")
		}
		if a.GetReason() == "" {
			return schema.Invalid(field+"reason", "say why")
		}
		then.DeclinedReason, then.ReviveOn = proto.String(a.GetReason()), proto.String(a.GetReviveOn())
	default:
		return schema.Invalid(field+"state", "is no answer: it is approved or declined")
	}
	if same(l, then) {
		return nil
	}
	moved, err := edit.Moved(schema.KindOf(schema.ServiceLine), a.GetLine().GetEtag(), r.GetEtag(), seenFields()...)
	if err != nil {
		return err
	}
	if moved || l.GetRetiredAt() != 0 {
		return act.Changed()
	}
	one := proto.CloneOf(said)
	one.State, one.Amount = a.GetState().Enum(), proto.Int64(assent.Price(l))
	then.Approvals = append(l.GetApprovals(), one)
	_, err = h.Put(store.Edit{
		Kind: schema.ServiceLine, ID: id, Message: then, Mask: []string{"state", "declined_reason", "revive_on", "approvals"}, Etag: r.GetEtag(),
	})
	return err
}

// same tells whether a line has been given the answer already, and nothing is to be said anew.
func same(l, then *branchlinev1.ServiceLine) bool {
	if l.GetState() != then.GetState() {
		return false
	}
	if l.GetState() == branchlinev1.LineState_LINE_DECLINED {
		return l.GetDeclinedReason() == then.GetDeclinedReason() && l.GetReviveOn() == then.GetReviveOn()
	}
	_, asked := assent.Agreed(l)
	return asked
}

// approve makes an order whose work has not begun APPROVED when its lines are answered and one is to be done.
func approve(h *act.Hand, id schema.RecordID, order *branchlinev1.Record) error {
	switch order.GetServiceOrder().GetState() {
	case 0, branchlinev1.OrderState_RECEIVED, branchlinev1.OrderState_DIAGNOSING, branchlinev1.OrderState_QUOTED:
	default:
		return nil
	}
	lines, err := h.V.About(schema.ServiceLine, schema.ServiceOrder, id)
	if err != nil {
		return err
	}
	some := false
	for _, r := range lines {
		l := r.GetServiceLine()
		if assent.Open(l) {
			return nil
		}
		some = some || assent.Said(l) && l.GetRetiredAt() == 0
	}
	if !some {
		return nil
	}
	state := branchlinev1.OrderState_APPROVED.Enum()
	_, err = h.Put(store.Edit{
		Kind: schema.ServiceOrder, ID: id, Message: &branchlinev1.ServiceOrder{State: state}, Mask: []string{"state"}, Etag: order.GetEtag(),
		Add: &branchlinev1.ServiceOrder{States: []*branchlinev1.StateChange{{State: state, At: proto.Int64(h.Now.UnixMilli()), By: proto.String(h.Caller.Staff)}}},
	})
	return err
}
