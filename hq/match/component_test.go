package match

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A caller with tables of his own, who keeps keys and edges and calls Prepare, Score and
// Component, has the clusters and questions that an Engine has, also where keys are
// crowded.
func TestComponent_saysWhatTheEngineSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields, recs := families(t)
		m, err := Learn(context.Background(), fields, recs)
		if err != nil {
			t.Fatal(err)
		}
		e := NewEngine(m)
		e.index.long = uint32(rapid.IntRange(1, 12).Draw(t, "long"))
		gone := map[string]bool{}
		for _, i := range rapid.Permutation(straightInts(len(recs))).Draw(t, "order") {
			other := recs[(i+5)%len(recs)]
			if rapid.Bool().Draw(t, "before") {
				if err := e.Put(Record{recs[i].ID, other.Values}); err != nil {
					t.Fatal(err)
				}
			}
			if err := e.Put(recs[i]); err != nil {
				t.Fatal(err)
			}
		}
		for _, r := range recs {
			if rapid.IntRange(0, 4).Draw(t, "gone") == 0 {
				gone[r.ID] = true
				e.Delete(r.ID)
			}
		}
		var ps []*Prepared
		rows := map[uint64][]int{}
		for _, i := range rapid.Permutation(straightInts(len(recs))).Draw(t, "places") {
			if gone[recs[i].ID] {
				continue
			}
			p, err := m.Prepare(recs[i])
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range p.Keys() {
				rows[k] = append(rows[k], len(ps))
			}
			ps = append(ps, p)
		}
		found := map[[2]int]bool{}
		common := map[uint64]bool{}
		for k, r := range rows {
			slices.SortFunc(r, func(a, b int) int {
				return cmp.Or(strings.Compare(ps[a].Word(), ps[b].Word()), strings.Compare(ps[a].ID(), ps[b].ID()))
			})
			names := map[string]bool{}
			for _, i := range r {
				names[NameOf(ps[i].Word())] = true
			}
			common[k] = Own(k) && len(names) > int(e.index.long)
			for i := range r {
				for j := i + 1; j < len(r); j++ {
					if len(r) <= int(e.index.long) || Whole(k) && j <= i+Beside && Namesakes(ps[r[i]].Word(), ps[r[j]].Word()) {
						found[[2]int{min(r[i], r[j]), max(r[i], r[j])}] = true
					}
				}
			}
		}
		for i, p := range ps {
			ps[i] = m.Without(p, func(key uint64) bool { return common[key] })
		}
		var edges []Edge
		for p := range found {
			if v := m.Score(ps[p[0]], ps[p[1]]); v.Near() {
				edges = append(edges, Edge{p[0], p[1], v})
			}
		}
		var said []Decision
		for range rapid.IntRange(0, 6).Draw(t, "decisions") {
			if len(ps) < 2 {
				break
			}
			a, b := rapid.IntRange(0, len(ps)-1).Draw(t, "a"), rapid.IntRange(0, len(ps)-1).Draw(t, "b")
			if a == b || slices.ContainsFunc(said, func(d Decision) bool { return d.A == a && d.B == b || d.A == b && d.B == a }) {
				continue
			}
			d := Decision{a, b, rapid.Bool().Draw(t, "same")}
			said = append(said, d)
			e.decide(ps[a].ID(), ps[b].ID(), d.Same)
		}
		got := m.Component(ps, edges, said)
		var clusters [][]string
		for _, g := range got.Clusters {
			var c []string
			for _, i := range g {
				c = append(c, ps[i].ID())
			}
			clusters = append(clusters, c)
		}
		if want := e.Clusters(); fmt.Sprint(clusters) != fmt.Sprint(want) {
			t.Fatalf("the component has clusters\n%v\nthe engine\n%v", clusters, want)
		}
		if want := e.Questions(1 << 20); fmt.Sprint(got.Questions) != fmt.Sprint(want) {
			t.Fatalf("the component asks\n%v\nthe engine\n%v", got.Questions, want)
		}
		for _, d := range got.Unheeded {
			if !d.Same || slices.Contains(e.Cluster(ps[d.A].ID()), ps[d.B].ID()) {
				t.Fatalf("%v is heeded", d)
			}
		}
	})
}

func straightInts(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// Who is said to be one with a record unlike him keeps his other records, and the other
// keeps his.
func TestComponent_sameTakesBothClustersWhole(t *testing.T) {
	m, err := Base()
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(m)
	put := func(id, name, tel, last4, vin string) {
		t.Helper()
		if err := e.Put(Record{id, []string{name, "", tel, last4, "", "", "", "", "", vin, "person"}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"a1", "a2", "a3"} {
		put(id, "李波鑫", "18103567158", "348X", "LSVAM41A2EE000123")
	}
	for _, id := range []string{"b1", "b2"} {
		put(id, "张梦涵", "13234446263", "8003", "LFVBA21C9EE000456")
	}
	is := func(when string, want ...string) {
		t.Helper()
		var got []string
		for _, c := range e.Clusters() {
			got = append(got, strings.Join(c, " "))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, not %q", when, got, want)
		}
	}
	is("nothing said", "a1 a2 a3", "b1 b2")
	e.Same("a2", "b1")
	is("a2 and b1 are the same", "a1 a2 a3 b1 b2")
	e.Different("a3", "b2")
	is("and a3 and b2 are not", "a1 a2 b1 b2", "a3")
	e.Withdraw("a3", "b2")
	e.Withdraw("a2", "b1")
	is("both withdrawn", "a1 a2 a3", "b1 b2")
}
