package workshop

import (
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/counter"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

// takeParts puts the parts that came for the car after it had gone into its new order: a line there, approved as it was, and
// the old one done, naming the new order. What has been fitted or given up meanwhile is left out.
func (x *reception) takeParts(order schema.RecordID) error {
	if len(x.r.GetParts()) == 0 {
		return nil
	}
	cars, err := x.V.Group(x.car)
	if err != nil {
		return err
	}
	lines, err := x.V.About(schema.ServiceLine, schema.ServiceOrder, order)
	if err != nil {
		return err
	}
	last := int32(len(lines))
	for _, name := range x.r.GetParts() {
		j, l, err := jobOfLine(x.Hand, name)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(cars, func(id schema.RecordID) bool { return id.String() == j.order.GetVehicle() }) {
			return schema.Invalid("parts", "came for another car")
		}
		if !arrived(l.GetServiceLine()) {
			continue
		}
		last++
		if err := j.takePart(l, order, last); err != nil {
			return err
		}
	}
	return nil
}

// takePart moves one part. Where something was taken for the old order already it is paid there; else the new one has its
// price.
func (j *job) takePart(rec *branchlinev1.Record, order schema.RecordID, place int32) error {
	s, err := counter.StandingOf(j.V, j.id)
	if err != nil {
		return fmt.Errorf("what was paid for the part: %w", err)
	}
	was := rec.GetServiceLine()
	now := &branchlinev1.ServiceLine{
		Order: act.Ref(order), Position: &place, Kind: was.Kind, State: branchlinev1.LineState_LINE_APPROVED.Enum(), Payer: was.Payer, Item: was.Item,
		Complaint: text(cmp.Or(was.GetComplaint(), j.order.GetComplaint())), Cause: was.Cause, PartName: was.PartName, PartCode: was.PartCode, PartQuantity: was.PartQuantity,
		BilledMinutes: was.BilledMinutes, Amount: proto.Int64(0), Currency: was.Currency, TaxRate: was.TaxRate, System: was.System, FaultCode: was.FaultCode,
		Guaranteed: was.Guaranteed, Assembly: was.Assembly, SafetyFault: was.SafetyFault, Supplier: was.Supplier,
		PartsOrderedAt: was.PartsOrderedAt, PartsArrivedAt: was.PartsArrivedAt, PartsToldAt: proto.Int64(j.Now.UnixMilli()),
	}
	then, mask := &branchlinev1.ServiceLine{State: branchlinev1.LineState_LINE_DONE.Enum(), TakenTo: act.Ref(order)}, []string{"state", "taken_to"}
	if s.Taken == "" {
		now.Amount, now.Discount, now.Approvals = was.Amount, was.Discount, was.Approvals
		then.Amount, mask = proto.Int64(0), append(mask, "amount", "discount")
	}
	desk.MadeAt(now, j.ID.Branch)
	if _, err := j.Put(store.Edit{Kind: schema.ServiceLine, Message: now}); err != nil {
		return err
	}
	return j.putLine(rec, then, "", mask...)
}
