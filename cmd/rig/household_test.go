package rig

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// A household is never one customer: those who share telephone, address, plate and car stay themselves at every site, each with
// their own golden record, while one person who is known at two branches is one there.
func TestHousehold_IsNeverOneCustomer(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	home := []*branchlinev1.Address{{Region: proto.String("上海市"), City: proto.String("上海市"), District: proto.String("浦东新区"), Street: proto.String("锦绣路1888弄26号402室")}}
	person := func(b schema.BranchID, name, phone, birthday, last string) schema.RecordID {
		return g.put(b, store.Edit{Message: &branchlinev1.Customer{
			Type: branchlinev1.CustomerType_PERSON.Enum(), Name: &name, Phones: []*branchlinev1.Phone{{Number: &phone}}, Addresses: home, Birthday: &birthday, IdLast: &last,
		}})
	}
	const phone = "13917264531"
	car := func(b schema.BranchID) schema.RecordID {
		return g.put(b, store.Edit{Message: &branchlinev1.Vehicle{Vin: proto.String("LFV2A21K6A3000016"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A8K362")}}}})
	}
	tie := func(b schema.BranchID, c, v schema.RecordID, role branchlinev1.TieRole) {
		g.put(b, store.Edit{Message: &branchlinev1.Tie{Customer: proto.String(c.String()), Vehicle: proto.String(v.String()), Role: role.Enum()}})
	}
	v1, v2 := car("b1"), car("b2")
	husband, wife, son := person("b1", "陈建国", phone, "1974-06-08", "0815"), person("b1", "林秀英", phone, "1976-02-11", "1124"), person("b2", "陈子轩", phone, "2001-09-30", "3311")
	again := person("b2", "陈建国", phone, "1974-06-08", "0815")
	tie("b1", husband, v1, branchlinev1.TieRole_OWNER)
	tie("b1", wife, v1, branchlinev1.TieRole_DRIVER)
	tie("b2", son, v2, branchlinev1.TieRole_SENDER)
	tie("b2", again, v2, branchlinev1.TieRole_OWNER)
	g.converge()
	names := func(r *branchlinev1.Record) (out []string) {
		for _, m := range append([]string{r.GetName()}, r.GetGroup()...) {
			if !slices.Contains(out, m) {
				out = append(out, m)
			}
		}
		slices.Sort(out)
		return out
	}
	group := func(ids ...schema.RecordID) (out []string) {
		for _, id := range ids {
			out = append(out, schema.ResourceName(schema.Customer, id))
		}
		slices.Sort(out)
		return out
	}
	for who, want := range map[schema.RecordID][]string{husband: group(husband, again), again: group(husband, again), wife: group(wife), son: group(son)} {
		if got := names(g.goldenAtHQ(who)); !slices.Equal(got, want) {
			t.Errorf("headquarters takes %s for %v, want %v", g.goldenAtHQ(who).GetCustomer().GetName(), got, want)
		}
	}
	for _, c := range []struct {
		at   schema.BranchID
		who  schema.RecordID
		want []string
	}{{"b1", husband, group(husband, again)}, {"b2", husband, group(husband, again)}, {"b1", wife, group(wife)}, {"b2", son, group(son)}} {
		if got := names(g.golden(c.at, c.who)); !slices.Equal(got, c.want) {
			t.Errorf("%s takes %v for %v", c.at, got, c.want)
		}
	}
	// The car is the husband's alone, once, under whichever registration.
	owners, err := g.Site("b1").Node().Store().Owners(t.Context(), []schema.RecordID{v1, v2}, g.Site("b1").Node().Zone())
	g.must(err)
	if got := fmt.Sprint(tellOwners(owners)); len(owners) != 1 || owners[0].GetName() != "陈建国" || len(owners[0].GetTies()) != 2 {
		t.Errorf("b1 tells %s", got)
	}
}
