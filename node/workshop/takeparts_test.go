package workshop

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// A part that came after the car had gone is fitted with the car's next order: one act closes it where it was ordered, and it
// costs something once.
func TestReceive_TakesOverThePartsThatCame(t *testing.T) {
	for name, paid := range map[string]bool{"not paid yet": false, "paid with the old order": true} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			car := r.create(&branchlinev1.Vehicle{Plates: plates("沪A12345")})
			part := func(item string) *branchlinev1.ServiceLine {
				l := wanted(branchlinev1.LineKind_PART, "异响")
				l.Item, l.Amount, l.Discount, l.Payer = &item, proto.Int64(50_000), proto.Int64(2_000), branchlinev1.Payer_PAYER_CUSTOMER.Enum()
				l.PartsOrderedAt, l.PartsArrivedAt = proto.Int64(1), proto.Int64(2)
				l.Approvals = []*branchlinev1.Approval{{At: proto.Int64(1), State: lineApproved.Enum(), Amount: proto.Int64(48_000)}}
				return l
			}
			late := part("没到的")
			late.PartsArrivedAt = nil
			old := r.carOn("2026-10-01", &branchlinev1.ServiceOrder{Plate: str("沪A12345"), Vehicle: str(car.String()), State: branchlinev1.OrderState_HANDED_OVER.Enum()}, part("减振器"), late)
			if paid {
				r.create(&branchlinev1.Payment{
					Order: str(old.String()), Purpose: branchlinev1.PayPurpose_PURPOSE_DEPOSIT.Enum(), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Method: branchlinev1.PayMethod_METHOD_CASH.Enum(),
					Amount: proto.Int64(10_000), Day: str("2026-10-01"), Branch: str("pd"), At: proto.Int64(3),
				})
			}
			was := r.linesOf(old)
			req := &branchlinev1.ReceiveRequest{Plate: "沪A12345", Complaint: "装件", Parts: []string{was[0].GetName(), was[1].GetName()}, RequestId: "r1"}
			order := r.receive(req)
			r.receive(req)

			lines := r.lines(order.GetName())
			if len(lines) != 1 {
				t.Fatalf("the new order has %v", lines)
			}
			l, then := lines[0], r.linesOf(old)[0].GetServiceLine()
			if l.GetItem() != "减振器" || l.GetState() != lineApproved || l.GetComplaint() != "异响" || toTell(l) || !arrived(l) {
				t.Errorf("fitted now: %v", l)
			}
			if then.GetState() != branchlinev1.LineState_LINE_DONE || "serviceOrders/"+then.GetTakenTo() != order.GetName() {
				t.Errorf("on the old order: %v", then)
			}
			if here, there := l.GetAmount()-l.GetDiscount(), then.GetAmount()-then.GetDiscount(); paid && (here != 0 || there != 48_000) || !paid && (here != 48_000 || there != 0) {
				t.Errorf("it costs %d on the new order and %d on the old", here, there)
			}
			if l := r.linesOf(old)[1].GetServiceLine(); l.GetState() != lineApproved || l.GetTakenTo() != "" {
				t.Errorf("what has not come is waited for: %v", l)
			}
			// Once taken it is not taken again.
			if again := r.receive(&branchlinev1.ReceiveRequest{Plate: "沪A12345", Complaint: "装件", Parts: req.Parts}); len(r.lines(again.GetName())) != 0 {
				t.Error("one part is fitted twice")
			}
			_, err := r.Receive(r.by(adviser), &branchlinev1.ReceiveRequest{Plate: "沪B99999", Complaint: "别的车", Parts: req.Parts})
			if !errors.Is(err, schema.ErrInvalid) {
				t.Errorf("a part for another car: %v", err)
			}
		})
	}
}
