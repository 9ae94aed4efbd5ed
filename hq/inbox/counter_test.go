package inbox_test

import (
	"bytes"
	"maps"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/hq/inbox"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// What the counter writes goes to whoever holds the customer, the car or the order within the legal entity, and to
// nobody of another one; a closed day to nobody else at all.
func TestScope_KindsOfTheCounter(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	g.entity("e2")
	a, b, other := g.branch("a1", "e1"), g.branch("b1", "e1"), g.branch("c1", "e2")
	c, v, o := g.id(), g.id(), g.id()
	cs, vs, os := proto.String(c.String()), proto.String(v.String()), proto.String(o.String())
	a.write(c, customer("王芳"), create)
	a.write(v, &branchlinev1.Vehicle{Vin: proto.String("LFV3A23C0G3000001")}, create)
	a.write(o, order(c, v), create)
	boss := as(branchlinev1.Role_ROLE_BRANCH_MANAGER)
	tied := []proto.Message{
		&branchlinev1.Appointment{Customer: cs, Day: proto.String("2026-11-23")},
		&branchlinev1.Inspection{Order: os, Valuables: proto.String("墨镜")}, // by its order alone
		&branchlinev1.PackageCard{Customer: cs, Uses: proto.Int32(5)},
		&branchlinev1.CardUse{Customer: cs, Uses: proto.Int32(1)},
		&branchlinev1.Payment{Order: os, Amount: proto.Int64(12300)},
		&branchlinev1.Settlement{Order: os, Amount: proto.Int64(12300)},
		&branchlinev1.Contact{Vehicle: vs, Text: proto.String("催交车")},
		&branchlinev1.InsurancePolicy{Vehicle: vs, Insurer: proto.String("人保")},
		&branchlinev1.Claim{Order: os, Firm: proto.String("人保")},
		&branchlinev1.Attachment{Vehicle: vs, Size: proto.Int64(9)},
		&branchlinev1.Fapiao{Order: os, Title: proto.String("个人")},
	}
	want := map[string]bool{name(schema.Customer, c): false, name(schema.Vehicle, v): false, name(schema.ServiceOrder, o): false}
	for _, m := range tied {
		id := g.id()
		want[name(schema.KindOfMessage(m).Kind, id)] = false
		a.write(id, m, create, boss)
	}
	closed, alone := g.id(), g.id()
	a.write(closed, &branchlinev1.CashClose{Day: proto.String("2026-11-21")}, create)
	a.write(alone, &branchlinev1.Appointment{Plate: proto.String("沪A8K362"), Day: proto.String("2026-11-23")}, create)
	pack := g.id()
	a.write(pack, &branchlinev1.Package{
		Name: proto.String("小保养"), Price: proto.Int64(7700001), Currency: proto.String("CNY"), Lines: []*branchlinev1.PackageLine{{Item: proto.String("换机油"), Amount: proto.Int64(7700002)}},
	}, create, boss)
	a.send()
	if h := b.holdings(); len(h) != 0 {
		t.Fatalf("a branch with no tie holds %v", h)
	}

	// A sister comes to know the car; so does a branch of another company.
	b.write(g.id(), order(c, v), create)
	b.send()
	other.write(g.id(), order(schema.RecordID{}, v), create)
	other.send()
	got := b.holdings()
	maps.DeleteFunc(got, func(n string, _ bool) bool { _, ok := want[n]; return !ok })
	if !maps.Equal(got, want) {
		t.Errorf("the sister holds\n%v\nwant\n%v", got, want)
	}
	for n := range b.holdings() {
		if n == name(schema.CashClose, closed) || n == name(schema.Appointment, alone) {
			t.Errorf("the sister holds %s", n)
		}
	}
	for n := range other.holdings() {
		switch k, _, err := schema.ParseName(n); {
		case err != nil:
			t.Error(err)
		case k != schema.Vehicle && k != schema.ServiceOrder:
			t.Errorf("another company holds %s", n)
		}
	}

	// A package is everywhere, and what it costs only in its own company.
	for _, x := range []struct {
		at     *br
		prices bool
	}{{b, true}, {other, false}} {
		rows, _ := x.at.pull(0, true)
		found := false
		for _, r := range rows {
			if r.GetRow() == wirev1.RowKind_RECORD && bytes.Equal(r.GetRecord(), pack[:]) {
				found = true
				if has := bytes.Contains(r.GetState(), []byte("换机油")); has != x.prices || !bytes.Contains(r.GetState(), []byte("小保养")) {
					t.Errorf("%s: lines and prices of the package: %v, want %v", x.at.code, has, x.prices)
				}
				if price := proto.Int64(7700001); bytes.Contains(r.GetState(), wire(t, &branchlinev1.Package{Price: price})) != x.prices {
					t.Errorf("%s: the price of the package is there: %v", x.at.code, !x.prices)
				}
			}
		}
		if !found {
			t.Errorf("%s has no package", x.at.code)
		}
	}

	// What headquarters writes about the customer goes to their company, not to another's that knows the car.
	said := must(g.in.Edit(t.Context(), inbox.Edit{Kind: schema.Contact, Values: &branchlinev1.Contact{
		Customer: cs, Vehicle: vs, Text: proto.String("总部回访"),
	}, Actor: admin.Actor, Role: admin.Role}))(t)[0]
	if _, ok := b.holdings()[name(schema.Contact, said)]; !ok {
		t.Error("the customer's own company does not know of headquarters' talk")
	}
	if _, ok := other.holdings()[name(schema.Contact, said)]; ok {
		t.Error("another company knows of headquarters' talk with the customer")
	}
	// A setting goes to all.
	set := must(g.in.Edit(t.Context(), inbox.Edit{Kind: schema.Setting, Values: &branchlinev1.Setting{
		Name: proto.String("discount.limit"), Value: proto.String("5"), From: proto.String("2026-01-01"),
	}, Actor: admin.Actor, Role: admin.Role}))(t)[0]
	if _, ok := other.sees()[name(schema.Setting, set)]; !ok {
		t.Error("a setting is not everywhere")
	}
}

func wire(t *testing.T, m proto.Message) []byte {
	t.Helper()
	return must(proto.Marshal(m))(t)
}
