package api

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// byAct refuses what only an act writes, to whoever writes records one by one: an act keeps limits over several records
// that one record knows nothing of. mask are the fields an update writes; nil: the record is new. Old records come in from
// lists all the same (ImportRows).
func byAct(k *schema.KindInfo, body proto.Message, mask []string) error {
	switch m := body.(type) {
	case *branchlinev1.Payment, *branchlinev1.Settlement, *branchlinev1.CardUse, *branchlinev1.CashClose:
		return byCounter(k)
	case *branchlinev1.PackageCard:
		if mask == nil {
			return byCounter(k)
		}
	case *branchlinev1.ServiceOrder:
		return byStep(m, mask)
	case *branchlinev1.ServiceLine:
		return byBay(m, mask)
	}
	return nil
}

// byBay refuses what is said at a car while it is worked on: hours that people are paid by, and who judged whose work.
func byBay(l *branchlinev1.ServiceLine, mask []string) error {
	r := l.ProtoReflect()
	for _, name := range []string{"clockings", "clocked_minutes", "checks"} {
		has := r.Has(schema.KindOf(schema.ServiceLine).Field(name).Desc)
		if mask == nil && has || slices.Contains(mask, name) {
			return schema.Invalid(name, "is written at the car: by clocking on and off, by putting a clock right, by the quality check")
		}
	}
	return nil
}

func byCounter(k *schema.KindInfo) error {
	return fmt.Errorf("a %s is written at the counter, by an act that keeps its limits: %w", k.Name, schema.ErrForbidden)
}

// byStep refuses the states of an order that say something of money, of the car or of why, with what belongs to them.
func byStep(o *branchlinev1.ServiceOrder, mask []string) error {
	writes := func(field string, has bool) bool { return mask == nil && has || slices.Contains(mask, field) }
	switch {
	case !writes("state", o.GetState() != 0):
	case o.GetState() == branchlinev1.OrderState_SETTLED, o.GetState() == branchlinev1.OrderState_HANDED_OVER, o.GetState() == branchlinev1.OrderState_CANCELLED:
		return schema.Invalid("state", "is reached by a step of the workshop, which asks what belongs to it")
	}
	for _, f := range []struct {
		name string
		has  bool
	}{
		{"settled_on", o.GetSettledOn() != ""},
		{"settlement_number", o.GetSettlementNumber() != ""},
		{"handed_over_at", o.GetHandedOverAt() != 0},
		{"handed_to", o.GetHandedTo() != ""},
		{"cancel_reason", o.GetCancelReason() != ""},
	} {
		if writes(f.name, f.has) {
			return schema.Invalid(f.name, "is written by settling, handing over or giving up the order")
		}
	}
	return nil
}
