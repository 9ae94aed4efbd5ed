package workshop

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func TestPromise_MovesWithReasonAndCall(t *testing.T) {
	r := newRig(t)
	owner := r.create(&branchlinev1.Customer{Name: proto.String("王芳")})
	order := r.create(&branchlinev1.ServiceOrder{
		Branch: proto.String("pd"), State: branchlinev1.OrderState_IN_WORK.Enum(), Customer: act.Ref(owner), PromisedAt: proto.Int64(1000), Day: proto.String("2026-11-22"),
	})
	req := &branchlinev1.PromiseRequest{
		Order: order.String(), Etag: r.get(order).GetEtag(), PromisedAt: 2000, Reason: "等配件", RequestId: "p",
		Told: &branchlinev1.Told{Channel: branchlinev1.ContactChannel_CHANNEL_PHONE, Outcome: branchlinev1.ContactOutcome_CONTACT_REACHED, Phone: "13900002207", Text: "晚一点"},
	}
	for range 2 { // sent twice
		if _, err := r.Promise(r.by(adviser), req); err != nil {
			t.Fatal(err)
		}
	}
	o := r.get(order).GetServiceOrder()
	if o.GetPromisedAt() != 2000 || len(o.GetPromises()) != 1 {
		t.Fatalf("%v", o)
	}
	p := o.GetPromises()[0]
	talks := r.all(schema.Contact)
	if p.GetWas() != 1000 || p.GetNow() != 2000 || p.GetReason() != "等配件" || p.GetBy() != "LI" || p.GetAt() == 0 || len(talks) != 1 || p.GetContact() != act.Bare(talks[0].GetName()) {
		t.Errorf("%v, %d talks", p, len(talks))
	}
	if c := talks[0].GetContact(); c.GetCustomer() != owner.String() || c.GetOrder() != order.String() || c.GetPhone() != "13900002207" || c.GetBy() != "LI" ||
		c.GetDirection() != branchlinev1.Direction_DIRECTION_OUT || c.GetSubject() != "等配件" || c.GetText() != "晚一点" {
		t.Errorf("%v", c)
	}
	// Two desks move it at once: the second is told. Nothing of its talk is left.
	old := r.get(order).GetEtag()
	if _, err := r.Promise(r.by(adviser), &branchlinev1.PromiseRequest{Order: order.String(), Etag: old, PromisedAt: 3000, Reason: "a"}); err != nil {
		t.Fatal(err)
	}
	req.Etag, req.PromisedAt, req.RequestId = old, 4000, "q"
	if _, err := r.Promise(r.by(adviser), req); !errors.Is(err, schema.ErrConflict) || len(r.all(schema.Contact)) != 1 {
		t.Errorf("the second desk: %v, %d talks", err, len(r.all(schema.Contact)))
	}
	if o := r.get(order).GetServiceOrder(); len(o.GetPromises()) != 2 || o.GetPromisedAt() != 3000 {
		t.Errorf("%v", o.GetPromises())
	}
	if _, err := r.Promise(r.by(adviser), &branchlinev1.PromiseRequest{Order: order.String(), Etag: r.get(order).GetEtag(), PromisedAt: 3000, Reason: "a"}); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("the same time: %v", err)
	}
}
