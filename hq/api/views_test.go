package api_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Many records at once are those that are given one by one, but for who wrote what; what there is not is left out, and what
// a role may not see stands in none of them.
func TestViews_areThoseOfOneByOne(t *testing.T) {
	g, boss, pd, mh := group(t)
	var names []string
	write := func(b *branch, m proto.Message) schema.RecordID {
		id := g.id()
		b.write(id, m)
		names = append(names, schema.ResourceName(schema.KindOfMessage(m).Kind, id))
		return id
	}
	person := func(name string) *branchlinev1.Customer {
		return &branchlinev1.Customer{Name: &name, Phones: []*branchlinev1.Phone{{Number: proto.String("13812345678")}}, Birthday: proto.String("1974-06-08")}
	}
	for _, b := range []*branch{pd, mh} {
		owner := write(b, person("陈建国"))
		car := write(b, &branchlinev1.Vehicle{Vin: proto.String("LSVUB25N5R2086531"), Model: proto.String("途观L")})
		b.write(g.id(), &branchlinev1.Tie{Customer: proto.String(owner.String()), Vehicle: proto.String(car.String()), Role: branchlinev1.TieRole_OWNER.Enum(), From: proto.String("2024-01-02")})
	}
	alone := write(pd, &branchlinev1.Customer{Name: proto.String("王伟")})
	write(pd, &branchlinev1.Vehicle{Model: proto.String("朗逸")})
	pd.send()
	mh.send()
	if err := g.gold.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	must(boss.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Pin{
		Customer: proto.String(alone.String()), Field: proto.String("name"), Value: &branchlinev1.Customer{Name: proto.String("王伟")},
	})}))(t)
	asked := append(names, "customers/"+g.id().String(), "vehicles/"+alone.String(), "nothing")
	grouped := 0
	for _, role := range []branchlinev1.Role{steward, auditor} {
		who := g.as(role)
		ctx := access.With(t.Context(), access.Caller{Account: "x", Roles: []branchlinev1.Role{role}})
		for _, golden := range []bool{true, false} {
			views, owners, err := g.api.Records().Views(ctx, asked, golden)
			if err != nil || len(views) != len(names) {
				t.Fatalf("%v: %d of %d, %v", role, len(views), len(names), err)
			}
			told := map[string]string{} // the owner by the tie
			for _, o := range owners {
				for _, tie := range o.GetTies() {
					told[tie] = o.GetName()
				}
			}
			for _, name := range names {
				want := must(who.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: name, Golden: golden}))(t)
				for _, o := range want.GetOwners() {
					for _, tie := range o.GetTies() {
						if told[tie] != o.GetName() || o.GetName() == "" {
							t.Errorf("%s: owner %q by %s, among many %q", name, o.GetName(), tie, told[tie])
						}
					}
				}
				if want.GetVehicle().GetVin() != "" && golden != (len(want.GetOwners()) > 0) {
					t.Errorf("%s has %d owners", name, len(want.GetOwners()))
				}
				if golden && len(want.GetGroup()) > 1 {
					grouped++
				}
				want.Where, want.Owners = nil, nil
				if !golden {
					want.Group = nil
				}
				for _, src := range want.GetSources() {
					src.Actor = ""
				}
				if got := views[name]; !proto.Equal(got, want) {
					t.Errorf("%v, %s, golden %v: among many\n%v\nalone\n%v", role, name, golden, got, want)
				}
			}
		}
	}
	if grouped == 0 {
		t.Error("nothing is in a group")
	}
	_, _, err := g.api.Records().Views(access.With(t.Context(), access.Caller{Account: "x", Roles: []branchlinev1.Role{analyst}}), names, true)
	if err == nil {
		t.Error("an analyst is given customers")
	}
}
