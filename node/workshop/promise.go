package workshop

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Promise moves the time an order is promised for, with the reason; what was promised before stays in its list. The talk
// in which the customer was told is a contact of its own, saved with it.
func (w *Workshop) Promise(ctx context.Context, r *branchlinev1.PromiseRequest) (*branchlinev1.Record, error) {
	id, err := w.acts.Do(ctx, "promise", r.GetRequestId(), func(h *act.Hand) (schema.RecordID, error) {
		id, order, err := orderOf(h, r.GetOrder())
		if err != nil {
			return id, err
		}
		o := order.GetServiceOrder()
		switch {
		case o.GetState() >= branchlinev1.OrderState_HANDED_OVER:
			return id, schema.Invalid("promised_at", "the order is closed: nothing is promised any more")
		case o.GetPromisedAt() == r.GetPromisedAt():
			return id, schema.Invalid("promised_at", "is what is promised already")
		}
		change := &branchlinev1.PromiseChange{
			At: proto.Int64(h.Now.UnixMilli()), By: proto.String(h.Caller.Staff), Was: proto.Int64(o.GetPromisedAt()), Now: proto.Int64(r.GetPromisedAt()),
			Reason: proto.String(r.GetReason()),
		}
		if r.GetTold() != nil {
			talk, err := tell(h, id, o, r.GetReason(), r.GetTold())
			if err != nil {
				return id, fmt.Errorf("the talk: %w", err)
			}
			change.Contact = act.Ref(talk)
		}
		_, err = h.Put(store.Edit{
			Kind: schema.ServiceOrder, ID: id, Etag: r.GetEtag(), Mask: []string{"promised_at", "promises"},
			Message: &branchlinev1.ServiceOrder{PromisedAt: proto.Int64(r.GetPromisedAt()), Promises: append(o.GetPromises(), change)},
		})
		return id, err
	})
	if err != nil {
		return nil, err
	}
	return w.shown(ctx, id)
}
