package rig

import (
	"bytes"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Branches follow headquarters on who is one customer: joined by what the registrations
// say, parted by a steward, joined again when that is withdrawn, with the same bytes. What
// a branch wrote meanwhile stays with the registration it wrote it in.
func TestMatcher_BranchesFollow(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Branches: []Branch{
		{Code: "b1", Name: "East", Entity: "e1"}, {Code: "b2", Name: "West", Entity: "e1"}, {Code: "b3", Name: "Other", Entity: "e2"},
	}})
	older, younger := g.customer("b1", "王伟", "13761894502"), g.customer("b2", "王偉", "137 6189 4502")
	other := g.customer("b3", "王伟", "13761894502")
	members := func(b schema.BranchID, id schema.RecordID) []schema.RecordID {
		t.Helper()
		list, err := g.Site(b).Node().Store().Group(t.Context(), id)
		g.must(err)
		return list
	}
	atHQ := func(id schema.RecordID) []string { return g.goldenAtHQ(id).GetGroup() }
	g.converge()
	for _, x := range []struct {
		b  schema.BranchID
		id schema.RecordID
	}{{"b1", older}, {"b2", younger}} {
		if list := members(x.b, x.id); !slices.Equal(list, []schema.RecordID{older, younger}) {
			t.Fatalf("%s holds %v as one", x.b, list)
		}
	}
	if list := members("b3", other); len(list) != 1 || len(atHQ(other)) != 3 {
		t.Fatalf("b3, of another company, holds %v as one; headquarters %v", list, atHQ(other))
	}
	before := goldenBytes(t, g.golden("b1", older))
	api := g.HQ().Server().API().Match
	d, err := api.Decide(owner(t.Context(), access.HQ), &branchlinev1.DecideRequest{
		Verdict: branchlinev1.Verdict_DIFFERENT, A: []string{schema.ResourceName(schema.Customer, younger)},
		B: []string{schema.ResourceName(schema.Customer, older), schema.ResourceName(schema.Customer, other)},
	})
	g.must(err)
	g.converge()
	if list := members("b1", older); len(list) != 1 || len(members("b2", younger)) != 1 {
		t.Fatalf("b1 holds %v as one after they were parted", list)
	}
	if len(atHQ(older)) != 2 || len(atHQ(younger)) > 1 {
		t.Fatalf("headquarters: %v, %v", atHQ(older), atHQ(younger))
	}
	withdraw := func(undo bool) {
		t.Helper()
		_, err := api.WithdrawDecision(owner(t.Context(), access.HQ), &branchlinev1.WithdrawDecisionRequest{Name: d.GetDecision(), Undo: undo})
		g.must(err)
		g.converge()
	}
	withdraw(false)
	if after := goldenBytes(t, g.golden("b1", older)); !bytes.Equal(before, after) {
		t.Error("parted and joined again the customer is another")
	}
	g.edit("b2", younger, &branchlinev1.Customer{Remark: proto.String("calls at noon")}, "remark")
	g.converge()
	if r := g.golden("b1", older).GetCustomer().GetRemark(); r != "calls at noon" {
		t.Errorf("what b2 wrote in the customer b1 shows as %q", r)
	}
	withdraw(true)
	if r := g.golden("b1", older).GetCustomer().GetRemark(); r != "" {
		t.Errorf("what b2 wrote went with b1's registration: %q", r)
	}
	if r := g.golden("b2", younger).GetCustomer().GetRemark(); r != "calls at noon" {
		t.Errorf("what b2 wrote is %q", r)
	}
}
