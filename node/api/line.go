package api

import (
	"context"
	"errors"
	"slices"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/assent"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// put saves one edit. What the customer must say to a line of an order is asked in its transaction: of the order and the
// line as they are then (schema/assent).
func (h *Records) put(ctx context.Context, e store.Edit) (res store.Result, err error) {
	if e.Kind != schema.ServiceLine {
		return h.c.Store.Put(ctx, e)
	}
	_, _, err = h.c.Store.Act(ctx, "line", "", func(b *store.Batch) (schema.RecordID, error) {
		if err := assented(b.View(), &e); err != nil {
			return schema.RecordID{}, err
		}
		res, err = b.Put(e)
		return res.ID, err
	})
	return res, err
}

// assented makes of an edit of a line what the customer has said yes to.
func assented(v *store.View, e *store.Edit) error {
	l := e.Message.(*branchlinev1.ServiceLine)
	if e.ID.IsZero() {
		state, err := orderState(v, l.GetOrder())
		if err == nil {
			assent.Added(l, state)
		}
		return err
	}
	r, err := v.Get(e.ID)
	if errors.Is(err, schema.ErrNotFound) || err == nil && r.GetServiceLine() == nil {
		return nil // the store says so
	}
	if err != nil {
		return err
	}
	state, err := orderState(v, r.GetServiceLine().GetOrder())
	if err != nil {
		return err
	}
	then := schema.Overlaid(r.GetServiceLine(), l, e.Mask).(*branchlinev1.ServiceLine)
	wrote, err := assent.Edited(r.GetServiceLine(), then, state)
	for _, f := range wrote {
		switch f {
		case "state":
			l.State = then.State
		case "extra":
			l.Extra = then.Extra
		}
		if !slices.Contains(e.Mask, f) {
			e.Mask = append(e.Mask, f)
		}
	}
	return err
}

// orderState is the state of a line's order; none for an order that is not held here.
func orderState(v *store.View, order string) (branchlinev1.OrderState, error) {
	id, err := schema.ParseRecordID(order)
	if err != nil { // the store says what is wrong with it
		return 0, nil
	}
	r, err := v.Get(id)
	if errors.Is(err, schema.ErrNotFound) {
		return 0, nil
	}
	return r.GetServiceOrder().GetState(), err
}
