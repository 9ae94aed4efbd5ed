package rig

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func tellOwners(os []*branchlinev1.Owner) (out []string) {
	for _, o := range os {
		s := fmt.Sprintf("%s %s", o.GetName(), o.GetFrom())
		if o.GetTo() != "" {
			s += " to " + o.GetTo()
		}
		if o.GetElsewhere() {
			s += " elsewhere"
		}
		if o.GetPresent() {
			s += " now"
		}
		out = append(out, s)
	}
	return out
}

// A car goes from one owner to another at two companies of the group. Headquarters tells the line of owners; a branch tells what
// its own company knows, and with headquarters' answer the days of the other company's customer, without a name. Drivers own
// nothing, one customer under two records is one owner, orders stay whose they were, and a technician sees no owner at all.
func TestOwners_OverTheLine(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	const vin = "LFV2A21K6A3000016"
	person := func(b schema.BranchID, name string, key byte) schema.RecordID {
		return g.put(b, store.Edit{Message: &branchlinev1.Customer{
			Name: &name, IdHash: bytes.Repeat([]byte{key}, 32), Type: branchlinev1.CustomerType_PERSON.Enum(),
			Phones: []*branchlinev1.Phone{{Number: proto.String(fmt.Sprintf("1380000%04d", key))}},
		}})
	}
	car := func(b schema.BranchID) schema.RecordID {
		return g.put(b, store.Edit{Message: &branchlinev1.Vehicle{Vin: proto.String(vin)}})
	}
	tie := func(b schema.BranchID, c, v schema.RecordID, role branchlinev1.TieRole, from string) {
		m := &branchlinev1.Tie{Customer: proto.String(c.String()), Vehicle: proto.String(v.String()), Role: role.Enum()}
		if from != "" {
			m.From = &from
		}
		g.put(b, store.Edit{Message: m})
	}
	v1, v2, v3 := car("b1"), car("b2"), car("b3")
	wang1, wang2, li, zhao, chen := person("b1", "王小明", 1), person("b2", "王小明", 1), person("b2", "李雷", 2), person("b3", "赵六", 3), person("b1", "陈司机", 4)
	tie("b1", wang1, v1, branchlinev1.TieRole_OWNER, "2020-01-02")
	tie("b1", chen, v1, branchlinev1.TieRole_DRIVER, "2021-01-02")
	tie("b2", wang2, v2, branchlinev1.TieRole_OWNER, "2021-03-04")
	tie("b2", li, v2, branchlinev1.TieRole_OWNER, "2023-05-06")
	tie("b3", zhao, v3, branchlinev1.TieRole_OWNER, "2025-07-08")
	order := g.put("b1", store.Edit{Message: &branchlinev1.ServiceOrder{Customer: proto.String(wang1.String()), Vehicle: proto.String(v1.String()), Day: proto.String("2022-01-01")}})
	g.converge()
	history := func(at string, id schema.RecordID, ask bool) []*branchlinev1.Owner {
		t.Helper()
		req := &branchlinev1.VehicleHistoryRequest{Vehicle: schema.ResourceName(schema.Vehicle, id), AskHq: ask}
		if at == "hq" {
			res, err := g.HQ().Server().API().Records.VehicleHistory(owner(t.Context(), access.HQ), req)
			g.must(err)
			return res.GetOwners()
		}
		res, err := g.Site(schema.BranchID(at)).Node().Server().API().Records.VehicleHistory(owner(t.Context(), access.Node), req)
		g.must(err)
		if ask && !res.GetAskedHq() {
			t.Fatalf("headquarters did not answer: %s", res.GetOfflineReason())
		}
		return res.GetOwners()
	}
	for _, c := range []struct {
		at   string
		id   schema.RecordID
		ask  bool
		want []string
	}{
		{"hq", v2, false, []string{"赵六 2025-07-08 now", "李雷 2023-05-06 to 2025-07-08", "王小明 2020-01-02 to 2023-05-06"}},
		// Li is a customer of the same company whom b1 has nothing to do with.
		{"b1", v1, false, []string{" 2023-05-06 now", "王小明 2020-01-02 to 2023-05-06"}},
		{"b3", v3, false, []string{"赵六 2025-07-08 now"}},
		{"b2", v2, true, []string{" 2025-07-08 elsewhere now", "李雷 2023-05-06 to 2025-07-08", "王小明 2020-01-02 to 2023-05-06"}},
		{"b3", v3, true, []string{"赵六 2025-07-08 now", " 2023-05-06 to 2025-07-08 elsewhere", " 2020-01-02 to 2023-05-06 elsewhere"}},
	} {
		if got := tellOwners(history(c.at, c.id, c.ask)); !slices.Equal(got, c.want) {
			t.Errorf("%s tells (asked headquarters: %v)\n%q\nwant\n%q", c.at, c.ask, got, c.want)
		}
	}
	// The car's own record tells the same as its history.
	r, err := g.Site("b1").Node().Server().API().Records.GetRecord(owner(t.Context(), access.Node), &branchlinev1.GetRecordRequest{Name: schema.ResourceName(schema.Vehicle, v1), Golden: true})
	g.must(err)
	if got := tellOwners(r.GetOwners()); len(got) != 2 {
		t.Errorf("the record tells %q", got)
	}
	h, err := g.HQ().Server().API().Records.GetRecord(owner(t.Context(), access.HQ), &branchlinev1.GetRecordRequest{Name: schema.ResourceName(schema.Vehicle, v1), Golden: true})
	g.must(err)
	if got := tellOwners(h.GetOwners()); len(got) != 3 {
		t.Errorf("headquarters' record tells %q", got)
	}
	if o := g.get("b1", order).GetServiceOrder(); o.GetCustomer() != wang1.String() {
		t.Errorf("the old order is %s's", o.GetCustomer())
	}
	// Who sees no customers sees no owners.
	for _, ask := range []bool{false, true} {
		ctx := access.With(t.Context(), access.Caller{Account: "t", Staff: "t1", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_TECHNICIAN}})
		res, err := g.Site("b1").Node().Server().API().Records.VehicleHistory(ctx, &branchlinev1.VehicleHistoryRequest{Vehicle: r.GetName(), AskHq: ask})
		g.must(err)
		if len(res.GetOwners()) > 0 || len(res.GetTies()) > 0 {
			t.Errorf("a technician sees %v", res.GetOwners())
		}
	}
	ctx := access.With(t.Context(), access.Caller{Account: "a", Staff: "a1", Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_HQ_ANALYST}})
	if res, err := g.HQ().Server().API().Records.VehicleHistory(ctx, &branchlinev1.VehicleHistoryRequest{Vehicle: r.GetName()}); err != nil || len(res.GetOwners()) > 0 {
		t.Errorf("an analyst sees %v: %v", res.GetOwners(), err)
	}
}
