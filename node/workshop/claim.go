package workshop

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/assent"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/till"
	"branchline/sync/desk"
	"branchline/sync/edit"
)

// StepClaim takes a claim further: it is sent, approved, refused, paid, cancelled, and what was assessed a line is written
// down. Who is asked pays of each line what was assessed, the customer the rest: as a line of its own beside it, which is
// theirs to say yes to. Refused, all of it is the customer's. The order waits for the insurer while a claim is sent and
// nothing else can be done on it.
func (w *Workshop) StepClaim(ctx context.Context, r *branchlinev1.StepClaimRequest) (*branchlinev1.Record, error) {
	id, err := w.acts.Do(ctx, "claim", r.GetRequestId(), func(h *act.Hand) (schema.RecordID, error) {
		c, err := claimOf(h, r)
		if err != nil {
			return schema.RecordID{}, err
		}
		if err := c.assess(r); err != nil {
			return c.id, err
		}
		if err := c.step(r); err != nil {
			return c.id, err
		}
		return c.id, c.follow()
	})
	if err != nil {
		return nil, err
	}
	return w.shown(ctx, id)
}

// claim is a claim in the hand of who takes it further, with the order it is of.
type claim struct {
	*act.Hand
	id     schema.RecordID
	record *branchlinev1.Record
	body   *branchlinev1.Claim
	order  schema.RecordID
	state  branchlinev1.OrderState // of the order
	payer  branchlinev1.Payer      // who is asked
	lines  []*branchlinev1.Record  // of the order
}

func claimOf(h *act.Hand, r *branchlinev1.StepClaimRequest) (*claim, error) {
	id, err := desk.NameOf("claim", r.GetClaim(), schema.Claim)
	if err != nil {
		return nil, err
	}
	c := &claim{Hand: h, id: id, payer: branchlinev1.Payer_PAYER_INSURER}
	if c.record, err = h.V.Get(id); err != nil {
		return nil, err
	}
	if c.body = c.record.GetClaim(); c.body == nil {
		return nil, fmt.Errorf("%s: %w", r.GetClaim(), schema.ErrNotFound)
	}
	if c.body.GetParty() == branchlinev1.ClaimParty_CLAIM_ON_MAKER {
		c.payer = branchlinev1.Payer_PAYER_MAKER
	}
	var order *branchlinev1.Record
	if c.order, order, err = orderOf(h, c.body.GetOrder()); err != nil {
		return nil, err
	}
	c.state = order.GetServiceOrder().GetState()
	if r.GetEtag() != "" {
		moved, err := edit.Moved(schema.KindOf(schema.Claim), r.GetEtag(), c.record.GetEtag(), "state", "party", "lines")
		if err != nil {
			return nil, err
		}
		if moved {
			return nil, act.Changed()
		}
	}
	c.lines, err = h.V.About(schema.ServiceLine, schema.ServiceOrder, c.order)
	return c, err
}

// assess writes down what was assessed, and who pays what by that.
func (c *claim) assess(r *branchlinev1.StepClaimRequest) error {
	said := r.GetLines()
	if r.GetState() == branchlinev1.ClaimState_CLAIM_REFUSED {
		said = nil
		for _, l := range c.body.GetLines() {
			said = append(said, &branchlinev1.LineAssessment{Line: l.GetLine(), Note: l.GetNote()})
		}
	}
	if len(said) == 0 {
		return nil
	}
	settled, err := settlements(c.Hand, c.order)
	if err != nil {
		return err
	}
	for _, s := range settled {
		if s.GetPayer() == c.payer || s.GetPayer() == branchlinev1.Payer_PAYER_CUSTOMER {
			return schema.Invalid("lines", "is settled by %s: reverse that first", s.GetNumber())
		}
	}
	lines, sum := make([]*branchlinev1.ClaimLine, len(c.body.GetLines())), int64(0)
	for i, l := range c.body.GetLines() {
		lines[i] = proto.CloneOf(l)
	}
	for i, a := range said {
		field := fmt.Sprintf("lines.%d.", i)
		id, err := desk.NameOf(field+"line", a.GetLine(), schema.ServiceLine)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(lines, func(l *branchlinev1.ClaimLine) bool { return l.GetLine() == id.String() })
		if at < 0 {
			return schema.Invalid(field+"line", "is none of the claim's lines")
		}
		l := lines[at]
		l.Assessed, l.Note = proto.Int64(a.GetAssessed()), text(a.GetNote())
		rest, err := c.split(field+"assessed", id, l.GetRest(), a.GetAssessed())
		if err != nil {
			return err
		}
		l.Rest = text(rest)
	}
	for _, l := range lines {
		sum += l.GetAssessed()
	}
	_, err = c.Put(store.Edit{
		Kind: schema.Claim, ID: c.id, Etag: c.record.GetEtag(), Mask: []string{"lines", "assessed", "currency"},
		Message: &branchlinev1.Claim{Lines: lines, Assessed: &sum, Currency: proto.String("CNY")},
	})
	return err
}

// split divides what a line costs between who is asked and the customer; rest is the line that has the customer's part,
// "" when there is none.
func (c *claim) split(field string, id schema.RecordID, restID string, assessed int64) (rest string, err error) {
	was, beside := c.line(id.String()), c.line(restID)
	if was == nil {
		return restID, nil // it was taken out of the order: who pays it is no question
	}
	l := was.GetServiceLine()
	whole := assent.Price(l) + assent.Price(beside.GetServiceLine())
	if assessed > whole {
		return restID, schema.Invalid(field, "is more than the line costs: %s", till.Text(whole))
	}
	then := proto.CloneOf(l)
	then.Payer, then.Amount, then.Discount = c.payer.Enum(), proto.Int64(assessed), nil
	left := whole - assessed
	if assessed == 0 {
		then.Payer, then.Amount, left = branchlinev1.Payer_PAYER_CUSTOMER.Enum(), proto.Int64(whole), 0
	}
	if err := c.putLine(was, then, "payer", "amount", "discount"); err != nil {
		return restID, err
	}
	switch {
	case beside != nil:
		next := proto.CloneOf(beside.GetServiceLine())
		next.Amount, next.Discount, next.RetiredAt = proto.Int64(left), nil, nil
		if left == 0 {
			next.RetiredAt = proto.Int64(c.Now.UnixMilli())
		}
		return restID, c.putLine(beside, next, "amount", "discount", "retired_at")
	case left == 0:
		return restID, nil
	}
	// The work and its hours stand in the line itself.
	x := &branchlinev1.ServiceLine{
		Order: act.Ref(c.order), Branch: proto.String(string(c.ID.Branch)), Position: l.Position, Kind: l.Kind, State: branchlinev1.LineState_LINE_PROPOSED.Enum(),
		Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Item: l.Item, PartName: l.PartName, Complaint: l.Complaint, Amount: &left, Currency: l.Currency,
		TaxRate: l.TaxRate, System: l.System,
	}
	assent.Added(x, c.state)
	res, err := c.Put(store.Edit{Kind: schema.ServiceLine, Message: x})
	return res.ID.String(), err
}

// line is a line of the order by its id, a retired one too; nil for none.
func (c *claim) line(id string) *branchlinev1.Record {
	i := slices.IndexFunc(c.lines, func(r *branchlinev1.Record) bool { return act.Bare(r.GetName()) == id })
	if i < 0 {
		return nil
	}
	return c.lines[i]
}

// putLine writes fields of a line, and what follows for whoever is to say yes to it.
func (c *claim) putLine(was *branchlinev1.Record, then *branchlinev1.ServiceLine, mask ...string) error {
	id, err := act.IDOf(was)
	if err != nil {
		return err
	}
	wrote, err := assent.Edited(was.GetServiceLine(), then, c.state)
	if err != nil {
		return err
	}
	_, err = c.Put(store.Edit{Kind: schema.ServiceLine, ID: id, Message: then, Mask: append(mask, wrote...), Etag: was.GetEtag()})
	return err
}

// step puts the claim into its next state, with when, who and why.
func (c *claim) step(r *branchlinev1.StepClaimRequest) error {
	if r.GetState() == 0 {
		return nil
	}
	mask, next := []string{"state"}, &branchlinev1.Claim{State: r.GetState().Enum()}
	switch r.GetState() {
	case branchlinev1.ClaimState_CLAIM_REFUSED, branchlinev1.ClaimState_CLAIM_CANCELLED:
		if r.GetReason() == "" {
			return schema.Invalid("reason", "say why")
		}
		mask, next.RefusedReason = append(mask, "refused_reason"), proto.String(r.GetReason())
	case branchlinev1.ClaimState_CLAIM_DRAFT, branchlinev1.ClaimState_CLAIM_SENT, branchlinev1.ClaimState_CLAIM_APPROVED, branchlinev1.ClaimState_CLAIM_PAID:
	default:
		return schema.Invalid("state", "is no state of a claim")
	}
	now, err := c.V.Get(c.id)
	if err != nil {
		return err
	}
	_, err = c.Put(store.Edit{
		Kind: schema.Claim, ID: c.id, Message: next, Mask: mask, Etag: now.GetEtag(),
		Add: &branchlinev1.Claim{States: []*branchlinev1.ClaimChange{{
			State: r.GetState().Enum(), At: proto.Int64(c.Now.UnixMilli()), By: proto.String(c.Caller.Staff), Reason: text(r.GetReason()),
		}}},
	})
	return err
}

// follow puts the order into the state that its claims leave it in.
func (c *claim) follow() error {
	lines, err := c.V.About(schema.ServiceLine, schema.ServiceOrder, c.order)
	if err != nil {
		return err
	}
	claims, err := c.V.About(schema.Claim, schema.ServiceOrder, c.order)
	if err != nil {
		return err
	}
	next := afterClaims(c.state, lines, claims)
	if next == c.state {
		return nil
	}
	order, err := c.V.Get(c.order)
	if err != nil {
		return err
	}
	_, err = c.Put(store.Edit{
		Kind: schema.ServiceOrder, ID: c.order, Message: &branchlinev1.ServiceOrder{State: next.Enum()}, Mask: []string{"state"}, Etag: order.GetEtag(),
		Add: &branchlinev1.ServiceOrder{States: []*branchlinev1.StateChange{{
			State: next.Enum(), At: proto.Int64(c.Now.UnixMilli()), By: proto.String(c.Caller.Staff),
		}}},
	})
	return err
}

// afterClaims is the state of an order by its claims: it waits for the insurer while one is sent and everything that is
// still to be done, or to be asked, is in it.
func afterClaims(now branchlinev1.OrderState, lines, claims []*branchlinev1.Record) branchlinev1.OrderState {
	sent := map[string]bool{}
	waits := false
	for _, r := range claims {
		if x := r.GetClaim(); x.GetState() == branchlinev1.ClaimState_CLAIM_SENT && x.GetRetiredAt() == 0 {
			waits = true
			for _, l := range x.GetLines() {
				sent[l.GetLine()] = true
			}
		}
	}
	var asked, toDo, begun, other bool
	for _, r := range lines {
		l := r.GetServiceLine()
		if l.GetRetiredAt() != 0 || l.GetState() == branchlinev1.LineState_LINE_DECLINED {
			continue
		}
		done := l.GetState() == branchlinev1.LineState_LINE_DONE
		begun = begun || done || len(l.GetClockings()) > 0
		asked = asked || assent.Open(l)
		toDo = toDo || l.GetState() == branchlinev1.LineState_LINE_APPROVED
		other = other || !done && !sent[act.Bare(r.GetName())]
	}
	before := now >= branchlinev1.OrderState_RECEIVED && now <= branchlinev1.OrderState_IN_WORK
	switch {
	case waits && before && !other:
		return branchlinev1.OrderState_WAITING_INSURER
	case waits || now != branchlinev1.OrderState_WAITING_INSURER:
		return now
	case begun:
		return branchlinev1.OrderState_IN_WORK
	case asked:
		return branchlinev1.OrderState_QUOTED
	case toDo:
		return branchlinev1.OrderState_APPROVED
	}
	return branchlinev1.OrderState_DIAGNOSING
}
