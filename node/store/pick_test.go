package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/index"
)

// Whatever is picked by, the answer is what looking at every customer would give, each group once, and pages taken one
// after the other show all of it.
func TestPick_asLookingAtEverybody(t *testing.T) {
	b := open(t, "pd", 11)
	rnd := rand.New(rand.NewPCG(1, 2))
	type person struct {
		facets []string
		visits []string
		ends   []string
		cars   []string
		group  int
	}
	k := schema.KindOf(schema.Customer)
	facet := func(field string, value any) string { return index.FacetTerm(k.Field(field), fmt.Sprint(value)) }
	all := map[schema.RecordID]*person{}
	groupOf := map[schema.RecordID]int{}
	var ids []schema.RecordID
	models := []string{"帕萨特", "途观L", "朗逸"}
	var rows []*wirev1.Row
	for i := range 120 {
		p := &person{group: i}
		c := customer(fmt.Sprint("客户", i))
		if n := rnd.IntN(4); n > 0 {
			c.Status = branchlinev1.CustomerStatus(n).Enum()
			p.facets = append(p.facets, facet("status", n))
		}
		if n := rnd.IntN(5); n > 0 {
			c.ValueClass = proto.Int32(int32(n))
			p.facets = append(p.facets, facet("value_class", n))
		}
		for n := int32(1); n <= 3; n++ {
			if rnd.IntN(3) == 0 {
				c.DealClasses = append(c.DealClasses, branchlinev1.DealClass(n))
				p.facets = append(p.facets, facet("deal_classes", n))
			}
		}
		if rnd.IntN(2) == 0 {
			yes := rnd.IntN(2) == 0
			c.ConsentMarketing = &branchlinev1.Consent{Given: &yes, Day: proto.String("2026-01-01")}
			p.facets = append(p.facets, facet("consent_marketing", map[bool]string{true: "yes", false: "no"}[yes]))
		}
		if rnd.IntN(3) == 0 {
			c.MemberClass = proto.String("金卡")
			p.facets = append(p.facets, facet("member_class", "金卡"))
		}
		id := b.put(Edit{Message: c}).ID
		who := proto.String(id.String())
		for range rnd.IntN(3) {
			day := fmt.Sprintf("2026-%02d-01", 1+rnd.IntN(9))
			b.put(Edit{Message: &branchlinev1.ServiceOrder{Customer: who, Day: &day}})
			p.visits = append(p.visits, day)
		}
		if rnd.IntN(3) == 0 {
			day := fmt.Sprintf("2027-%02d-01", 1+rnd.IntN(9))
			b.put(Edit{Message: &branchlinev1.InsurancePolicy{Customer: who, Until: &day, Insurer: proto.String("人保")}})
			p.ends = append(p.ends, day)
		}
		if rnd.IntN(2) == 0 {
			m := models[rnd.IntN(len(models))]
			v := b.put(Edit{Message: &branchlinev1.Vehicle{Model: &m}}).ID
			b.put(Edit{Message: &branchlinev1.Tie{Customer: who, Vehicle: proto.String(v.String()), Role: branchlinev1.TieRole_OWNER.Enum()}})
			p.cars = append(p.cars, m)
		}
		all[id], groupOf[id], ids = p, i, append(ids, id)
	}
	// Every fourth is one with the one before.
	rev := int64(0)
	for i := 3; i < len(ids); i += 4 {
		x, y := ids[i-1], ids[i]
		groupOf[y] = groupOf[x]
		for _, id := range [][]byte{x[:], y[:]} {
			rev++
			rows = append(rows, &wirev1.Row{Row: wirev1.RowKind_GROUP, Rev: rev, Kind: uint32(schema.Customer), Record: id, Members: [][]byte{x[:], y[:]}})
		}
	}
	b.page(&wirev1.Page{HqRev: rev, LastRev: rev, Rows: rows})

	within := func(days []string, from, to string) bool {
		return from == "" && to == "" || slices.ContainsFunc(days, func(d string) bool { return d >= from && (to == "" || d <= to) })
	}
	oracle := func(p Pick) map[int]bool {
		merged := map[int]*person{}
		for id, x := range all {
			g := groupOf[id]
			if merged[g] == nil {
				merged[g] = &person{}
			}
			m := merged[g]
			m.facets, m.visits, m.ends, m.cars = append(m.facets, x.facets...), append(m.visits, x.visits...), append(m.ends, x.ends...), append(m.cars, x.cars...)
		}
		out := map[int]bool{}
		for g, m := range merged {
			ok := within(m.visits, p.VisitedFrom, p.VisitedTo) && within(m.ends, p.InsuredFrom, p.InsuredTo) && (p.Car == "" || slices.Contains(m.cars, p.Car))
			for _, f := range p.Facets {
				ok = ok && slices.Contains(m.facets, f)
			}
			if p.NotSince != "" {
				ok = ok && !slices.ContainsFunc(m.visits, func(d string) bool { return d >= p.NotSince })
			}
			out[g] = ok
		}
		return out
	}
	for round := range 60 {
		p := Pick{Size: 1 + rnd.IntN(30), few: 1 + rnd.IntN(120), far: 1 + rnd.IntN(40)}
		for _, f := range []string{facet("status", 1+rnd.IntN(3)), facet("value_class", 1+rnd.IntN(4)), facet("deal_classes", 1+rnd.IntN(3)), facet("consent_marketing", "yes"), facet("member_class", "金卡")} {
			if rnd.IntN(4) == 0 {
				p.Facets = append(p.Facets, f)
			}
		}
		if rnd.IntN(3) == 0 {
			p.VisitedFrom = fmt.Sprintf("2026-%02d-01", 1+rnd.IntN(9))
		}
		if rnd.IntN(4) == 0 {
			p.VisitedTo = fmt.Sprintf("2026-%02d-01", 1+rnd.IntN(9))
		}
		if rnd.IntN(3) == 0 {
			p.NotSince = fmt.Sprintf("2026-%02d-01", 1+rnd.IntN(9))
		}
		if rnd.IntN(4) == 0 {
			p.InsuredFrom, p.InsuredTo = "2027-02-01", "2027-06-01"
		}
		if rnd.IntN(4) == 0 {
			p.Car = models[rnd.IntN(len(models))]
		}
		want := oracle(p)
		got := map[int]bool{}
		for token, more := "", true; more; {
			p.Token = token
			page, next, err := b.Pick(context.Background(), p)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) > p.Size {
				t.Fatalf("%d on a page of %d", len(page), p.Size)
			}
			for _, x := range page {
				g := groupOf[x.ID]
				if got[g] {
					t.Errorf("round %d: a group comes twice", round)
				}
				got[g] = true
			}
			token, more = next, next != ""
		}
		for g, fits := range want {
			if fits != got[g] {
				t.Errorf("round %d: %+v: group %d fits %v, picked %v", round, p, g, fits, got[g])
			}
		}
	}
	if _, _, err := b.Pick(context.Background(), Pick{Facets: []string{"c1:1"}, Token: "AAAA"}); err == nil {
		t.Error("another pick's token is taken")
	}
}
