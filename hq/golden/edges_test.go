package golden_test

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/hq/feed"
	"branchline/hq/golden"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func keys(t *testing.T, m proto.Message) []golden.Key {
	t.Helper()
	raw, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	out, err := golden.Plain{}.Keys(schema.KindOfMessage(m), raw)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func person(name, phone string) *branchlinev1.Customer {
	return &branchlinev1.Customer{Name: proto.String(name), Phones: []*branchlinev1.Phone{{Number: proto.String(phone)}}}
}

func TestPlain_Customers(t *testing.T) {
	same := func(a, b *branchlinev1.Customer) bool {
		x, y := keys(t, a), keys(t, b)
		return slices.ContainsFunc(x, func(k golden.Key) bool { return k.Joins && slices.Contains(y, k) })
	}
	id := func(m *branchlinev1.Customer, hash string) *branchlinev1.Customer { m.IdHash = []byte(hash); return m }
	source := func(m *branchlinev1.Customer, s, n string) *branchlinev1.Customer {
		m.SourceIds = []*branchlinev1.SourceId{{Source: proto.String(s), Id: proto.String(n)}}
		return m
	}
	const hash, other = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
	for _, c := range []struct {
		what string
		a, b *branchlinev1.Customer
		want bool
	}{
		{"telephone and name, dressed otherwise", person("朱桃芝", "137 6189 4502"), person("朱　桃芝", "+8613761894502"), true},
		{"traditional and simplified", person("張偉", "13761894502"), person("张伟", "13761894502"), true},
		{"telephone alone: a household", person("朱桃芝", "13761894502"), person("王强", "13761894502"), false},
		{"name alone", person("朱桃芝", "13761894502"), person("朱桃芝", "13564718290"), false},
		{"a name that says too little", person("王先生", "13761894502"), person("王先生", "13761894502"), false},
		{"a telephone nobody has", person("朱桃芝", "13800000000"), person("朱桃芝", "13800000000"), false},
		{"national id", id(person("朱桃芝", "1"), hash), id(person("ZHU", "2"), hash), true},
		{"another national id", id(person("朱桃芝", "1"), hash), id(person("朱桃芝", "1"), other), false},
		{"a hash too short to be one", id(person("a", "1"), "x"), id(person("b", "2"), "x"), false},
		{"id of one source", source(person("a", "1"), "dms", "7"), source(person("b", "2"), "dms", "7"), true},
		{"same id of two sources", source(person("a", "1"), "dms", "7"), source(person("b", "2"), "erp", "7"), false},
		{"source and id run together", source(person("a", "1"), "dms1", "7"), source(person("b", "2"), "dms", "17"), false},
	} {
		if got := same(c.a, c.b); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}

func TestPlain_Vehicles(t *testing.T) {
	car := keys(t, &branchlinev1.Vehicle{Vin: proto.String("lfv3a23c0g3000001"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A·12345")}}})
	if len(car) != 2 || car[0].Kind != feed.KeyVIN || !car[0].Joins || car[1].Kind != feed.KeyPlate || car[1].Joins {
		t.Errorf("keys %v", car)
	}
	if k := keys(t, &branchlinev1.Vehicle{Vin: proto.String("11111111111111111"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("12345")}}}); len(k) != 0 {
		t.Errorf("a VIN and a plate that are none give keys %v", k)
	}
	if k := keys(t, &branchlinev1.Note{Text: proto.String("x")}); len(k) != 0 {
		t.Errorf("a note has keys %v", k)
	}
}
