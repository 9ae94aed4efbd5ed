package api

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// What RecordService does to a line keeps to what the customer said yes to.
func TestRecords_LinesWaitForTheCustomer(t *testing.T) {
	s := newSite(t)
	const approved, proposed = branchlinev1.LineState_LINE_APPROVED, branchlinev1.LineState_LINE_PROPOSED
	order := s.create(&branchlinev1.ServiceOrder{State: branchlinev1.OrderState_QUOTED.Enum()})
	ref := proto.String(order.GetName()[len("serviceOrders/"):])
	line := func() *branchlinev1.ServiceLine {
		return &branchlinev1.ServiceLine{Order: ref, Item: proto.String("oil"), State: approved.Enum(), Amount: proto.Int64(100)}
	}
	update := func(r *branchlinev1.Record, l *branchlinev1.ServiceLine, mask ...string) (*branchlinev1.ServiceLine, error) {
		t.Helper()
		now, err := s.rec.GetRecord(s.ctx, &branchlinev1.GetRecordRequest{Name: r.GetName()})
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.rec.UpdateRecord(s.ctx, &branchlinev1.UpdateRecordRequest{
			Record:     &branchlinev1.Record{Name: r.GetName(), Etag: now.GetEtag(), Body: &branchlinev1.Record_ServiceLine{ServiceLine: l}},
			UpdateMask: mask,
		})
		return out.GetServiceLine(), err
	}
	early := s.create(line())
	if l := early.GetServiceLine(); l.GetState() != approved || l.GetExtra() {
		t.Errorf("before the work: %v", l)
	}
	if _, err := s.rec.UpdateRecord(s.ctx, &branchlinev1.UpdateRecordRequest{
		Record:     &branchlinev1.Record{Name: order.GetName(), Etag: order.GetEtag(), Body: &branchlinev1.Record_ServiceOrder{ServiceOrder: &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_IN_WORK.Enum()}}},
		UpdateMask: []string{"state"},
	}); err != nil {
		t.Fatal(err)
	}
	late := s.create(line())
	if l := late.GetServiceLine(); l.GetState() != proposed || !l.GetExtra() {
		t.Errorf("extra work: %v", l)
	}
	if _, err := update(late, &branchlinev1.ServiceLine{State: approved.Enum()}, "state"); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("approved without an answer: %v", err)
	}
	if l, err := update(late, &branchlinev1.ServiceLine{Amount: proto.Int64(900)}, "amount"); err != nil || l.GetState() != proposed {
		t.Errorf("its price may still be written: %v %v", l, err)
	}
	if l, err := update(early, &branchlinev1.ServiceLine{Amount: proto.Int64(90)}, "amount"); err != nil || l.GetState() != approved {
		t.Errorf("a lowered price: %v %v", l, err)
	}
	if l, err := update(early, &branchlinev1.ServiceLine{Amount: proto.Int64(120)}, "amount"); err != nil || l.GetState() != proposed || !l.GetExtra() {
		t.Errorf("a raised price: %v %v", l, err)
	}
}
