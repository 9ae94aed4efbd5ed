package workshop

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func (r *rig) listComebacks(order schema.RecordID, roles ...branchlinev1.Role) []*branchlinev1.Comeback {
	r.t.Helper()
	req := &branchlinev1.ListComebacksRequest{Since: "2026-01-01"}
	if !order.IsZero() {
		req.Order = order.String()
	}
	out, err := r.ListComebacks(r.by(roles...), req)
	if err != nil {
		r.t.Fatal(err)
	}
	return out.GetComebacks()
}

// A comeback at this branch of work that a sister branch did: found from both orders, with the guarantee of that line.
func TestComebacks_OfASisterBranch(t *testing.T) {
	r := newRig(t)
	r.sisters()
	first := r.fed("xh", &branchlinev1.ServiceOrder{
		Branch: proto.String("xh"), Day: proto.String("2026-09-01"), SettledOn: proto.String("2026-09-02"), OdometerKm: proto.Int64(30_000),
		GuaranteeUntil: proto.String("2026-10-01"), GuaranteeKm: proto.Int64(31_000),
	})[0]
	work := r.fed("xh", &branchlinev1.ServiceLine{
		Order: act.Ref(first), Item: proto.String("wheel bearing"), Technician: proto.String("WL"), GuaranteeMonths: proto.Int32(3), Amount: proto.Int64(100),
	})[0]
	again := r.create(&branchlinev1.ServiceOrder{
		Branch: proto.String("pd"), Day: proto.String("2026-11-22"), OdometerKm: proto.Int64(32_000), ComebackOf: act.Ref(first), ComebackLine: act.Ref(work),
		ComebackCause: proto.String("loose"), ComebackBorneBy: proto.String("xh"),
	})
	r.create(&branchlinev1.ServiceOrder{Branch: proto.String("pd"), Day: proto.String("2026-11-22")})
	for name, order := range map[string]schema.RecordID{"the first": first, "the second": again, "all": {}} {
		list := r.listComebacks(order, boss)
		if len(list) != 1 {
			t.Fatalf("%s: %v", name, list)
		}
		c := list[0]
		if act.Bare(c.GetOrder().GetName()) != again.String() || act.Bare(c.GetOld().GetName()) != first.String() || c.GetLine().GetServiceLine().GetTechnician() != "WL" {
			t.Errorf("%s: %v", name, c)
		}
		if c.GetGuaranteeUntil() != "2026-12-02" || c.GetGuaranteeKm() != 0 || !c.GetCovered() || c.GetDays() != 82 {
			t.Errorf("%s: until %s, %d km, covered %v, after %d days", name, c.GetGuaranteeUntil(), c.GetGuaranteeKm(), c.GetCovered(), c.GetDays())
		}
	}
	if c := r.listComebacks(again, technician)[0]; c.GetLine().GetServiceLine().Amount != nil || c.GetLine().GetServiceLine().GetItem() == "" {
		t.Errorf("a technician sees %v", c.GetLine())
	}
	// One that names what is not held here is listed all the same; one before the day is not.
	gone, err := r.st.MintID()
	if err != nil {
		t.Fatal(err)
	}
	r.fed("xh", &branchlinev1.ServiceOrder{Branch: proto.String("xh"), Day: proto.String("2026-05-01"), ComebackOf: proto.String(gone.String())},
		&branchlinev1.ServiceOrder{Branch: proto.String("xh"), Day: proto.String("2025-05-01"), ComebackOf: act.Ref(first)})
	if list := r.listComebacks(schema.RecordID{}, boss); len(list) != 2 || list[0].Days == nil || list[1].Days != nil || list[1].GetCovered() {
		t.Errorf("%v", list)
	}
}
