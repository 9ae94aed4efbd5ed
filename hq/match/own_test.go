package match

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// hanName draws one of some thousand names as the Chinese have them, many of them alike.
func (d dice) hanName() string {
	family, given := []rune("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"), []rune("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉萍红鹏辉健波斌宇")
	name := string(family[d.zipf(len(family))]) + string(given[d.IntN(len(given))])
	if d.hit(.7) {
		name += string(given[d.IntN(len(given))])
	}
	return name
}

// A shop's own number, typed for everybody who would not give his, comes under thousands of
// names. The model takes it for rare. Each record costs what it cost at the beginning: it is
// compared with few, and its component is small.
func TestEngine_oneTelephoneUnderManyNames(t *testing.T) {
	m, err := Base()
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(m)
	d := newDice(5)
	const all = 20_000
	met, beside, largest := 0, 0, 0
	for i := range all {
		r := Record{fmt.Sprintf("r%05d", i*7919%all), []string{d.hanName(), "", "13955501234", "", "", "", "", "", "", "", "person"}}
		if err := e.Put(r); err != nil {
			t.Fatal(err)
		}
		n := len(e.together(e.nodes[r.ID]))
		met, beside, largest = met+len(e.near), beside+n, max(largest, n)
	}
	t.Logf("%d records: %d comparisons, components of %d members, the largest of %d", all, met, beside, largest)
	if met > all*Long/2 {
		t.Errorf("%d comparisons for %d records", met, all)
	}
	if beside > all*11/10 || largest > Long {
		t.Errorf("%d members of components were looked at for %d records, %d at once", beside, all, largest)
	}
	if len(e.common) != 1 {
		t.Errorf("%d values are nobody's own, not one", len(e.common))
	}
	if got := e.Clusters(); len(got) != all {
		t.Errorf("%d records that only a name and that telephone tell of are %d clusters", all, len(got))
	}
}

// together is the component of a node.
func (e *Engine) together(n *node) []*node {
	seen := map[*node]bool{n: true}
	all := []*node{n}
	for i := 0; i < len(all); i++ {
		for j := range all[i].edges {
			if l := &all[i].edges[j]; l.holds() && !seen[l.to] {
				seen[l.to] = true
				all = append(all, l.to)
			}
		}
	}
	return all
}

// One company of 300 registrations stays one, though dozens who work there give its
// telephone too, and when everybody does. What only that telephone holds together is one until
// then, and again when they have gone.
func TestEngine_largeCustomerStaysFound(t *testing.T) {
	m, err := Base()
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(m)
	record := func(id, name, kind string) Record {
		return Record{id, []string{name, "", "02158341276", "", "", "", "", "", "", "", kind}}
	}
	put := func(id, name, kind string) {
		t.Helper()
		if err := e.Put(record(id, name, kind)); err != nil {
			t.Fatal(err)
		}
	}
	names := []string{"上海科东海科技有限公司", "科东海科技", "上海市科东海科技有限公司", "科東海科技(上海)有限公司"}
	for i := range 300 {
		put(fmt.Sprintf("a%03d", i), names[i%len(names)], "company")
	}
	put("p1", "欧阳晓峰", "person")
	put("p2", "欧阳晓峰", "person")
	d := newDice(6)
	people := map[string]string{}
	for len(people) < 2*Long {
		people[fmt.Sprintf("b%03d", len(people))] = d.hanName()
	}
	is := func(when string, own bool) {
		t.Helper()
		if n := len(e.Cluster("a000")); n != 300 {
			t.Errorf("%s: of 300 registrations %d are one", when, n)
		}
		if n := len(e.Cluster("p1")); n == 2 != own {
			t.Errorf("%s: two registrations with one name and that telephone are in a cluster of %d", when, n)
		}
		x, err := e.Explain(record("p1", "欧阳晓峰", "person"), record("p2", "欧阳晓峰", "person"))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range x.Lines {
			if l.Type == Phone && ((l.Level == nobodys) == own || (l.Weight == 0) == own) {
				t.Errorf("%s: the telephone is explained as %+v", when, l)
			}
		}
	}
	is("alone", true)
	for i, id := range sortedIDs(people) {
		if put(id, people[id], "person"); i == Long/2 {
			is("with some people", true)
		}
	}
	is("with everybody", false)
	for _, id := range sortedIDs(people) {
		e.Delete(id)
	}
	is("alone again", true)
}

func sortedIDs(m map[string]string) []string {
	var out []string
	for id := range m {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// A record without what is common is compared as one that never said it; it stands where it
// stood, and comes back whole.
func TestModel_withoutIsAsNeverSaid(t *testing.T) {
	m, err := Base()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		values := map[int][]string{2: {"13812340001", "13912340002", "021-58341276"}, 4: {"a0b1c2d3"}, 6: {"wang@example.net", "li@example.net"}, 8: {"沪A12345", "沪AD54321", "京C55555"}, 9: {"LSVAM41A2EE000123", "LFVBA21C9EE000456"}}
		columns := []int{2, 4, 6, 8, 9}
		var gone []string
		for _, i := range columns {
			for _, s := range values[i] {
				if rapid.Bool().Draw(t, "common") {
					gone = append(gone, s)
				}
			}
		}
		draw := func(id string) (whole, less Record) {
			whole = Record{id, make([]string, len(m.fields))}
			whole.Values[0] = rapid.SampledFrom([]string{"王伟", "李娜", ""}).Draw(t, "name")
			less = Record{id, slices.Clone(whole.Values)}
			for _, i := range columns {
				var all, left []string
				for _, s := range values[i] {
					if rapid.Bool().Draw(t, "says") {
						if all = append(all, s); !slices.Contains(gone, s) {
							left = append(left, s)
						}
					}
				}
				whole.Values[i], less.Values[i] = strings.Join(all, ";"), strings.Join(left, ";")
			}
			return whole, less
		}
		prepare := func(r Record) *Prepared {
			p, err := m.Prepare(r)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		said := Record{"x", make([]string, len(m.fields))}
		for i, list := range values {
			said.Values[i] = strings.Join(slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !slices.Contains(gone, s) }), ";")
		}
		keys := prepare(said).keys
		common := func(key uint64) bool { return Own(key) && slices.Contains(keys, key) }
		a, aless := draw("a")
		b, bless := draw("b")
		p, q := prepare(a), prepare(b)
		x, y := m.Without(p, common), m.Without(q, common)
		if got, want := m.Score(x, y), m.Score(prepare(aless), prepare(bless)); got != want {
			t.Fatalf("%v and %v without %v: %+v, not %+v", a, b, gone, got, want)
		}
		if x.ID() != p.ID() || x.Word() != p.Word() || !slices.Equal(x.Keys(), p.Keys()) {
			t.Fatalf("%v stands elsewhere: %+v, not %+v", a, x, p)
		}
		none := func(uint64) bool { return false }
		if back := m.Without(x, none); back.packed != p.packed || m.Without(p, none) != p || m.Without(x, common) != x {
			t.Fatalf("%v does not come back whole", a)
		}
	})
}
