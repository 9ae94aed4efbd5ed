package match

import (
	"cmp"
	"context"
	"slices"
	"strings"
)

// Limits of a cluster's growth.
const (
	// guard is the part, in hundredths, of the odds against two strangers being one that
	// pairs across two clusters must outweigh on the average; all of them, where more than
	// Alarm would stand in one. Against the other stories they must come out even, and there
	// reach spare, in hundredths of what clip lets one pair say.
	guard Bits = 50
	spare Bits = 60
	// clip bounds what one pair says in the average, in hundredths of those odds.
	clip Bits = 150
	// across bounds how many members of each side are asked: the first by id.
	across = 16
	// square is the size up to which a component remembers its pairs in a table.
	square = 96
)

// Edge is a pair of records of a list, by their places in it, and what Score says of
// them. Only pairs that are Near are edges.
type Edge struct {
	A, B int
	Verdict
}

// Decision is what a person said of two records of a list, by their places in it.
type Decision struct {
	A, B int
	Same bool
}

// Result is what follows from records, their edges and what people decided.
type Result struct {
	// Clusters holds every place once: each cluster in the order of the ids, the clusters in
	// the order of their first ids.
	Clusters [][]int
	// Questions are those about the clusters and between them, the best first.
	Questions []Question
	// Unheeded are the decisions "same" whose records are apart, because another decision
	// keeps some of their clusters' records apart.
	Unheeded []Decision
}

// Component gives the clusters of records. They may be any records of which none has an
// edge that joins it, or a decision "same", to one left out: a whole component, or several.
// Edges that do not join only raise questions. The result is a pure function of what is
// given, whatever its order; each pair has one edge at most, and of two decisions about
// one pair "different" holds.
func (m *Model) Component(records []*Prepared, edges []Edge, said []Decision) Result {
	// Places in the order of the ids, so that nothing hangs on the order given.
	order := make([]int, len(records))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(records[a].id, records[b].id) })
	rank := make([]int32, len(records))
	recs := make([]*Prepared, len(records))
	for r, i := range order {
		rank[i], recs[r] = int32(r), records[i]
	}
	c := &component{m: m, of: prepared{newScorer(m), recs}}
	for _, e := range edges {
		c.edges = append(c.edges, tie{min(rank[e.A], rank[e.B]), max(rank[e.A], rank[e.B]), e.Verdict, false})
	}
	for _, d := range said {
		c.decide(min(rank[d.A], rank[d.B]), max(rank[d.A], rank[d.B]), d.Same)
	}
	var out Result
	c.joined = func(e tie, left, right int) {
		if q, ok := seam(e, c.of, left, right); ok {
			out.Questions = append(out.Questions, q)
		}
	}
	groups := c.clusters()
	of := make([]int, len(recs))
	for n, g := range groups {
		cl := make([]int, len(g))
		for i, r := range g {
			cl[i], of[r] = order[r], n
		}
		out.Clusters = append(out.Clusters, cl)
	}
	apart := map[[2]int]bool{}
	for _, d := range c.differ {
		apart[[2]int{of[d[0]], of[d[1]]}], apart[[2]int{of[d[1]], of[d[0]]}] = true, true
	}
	best := map[[2]int]Question{}
	for _, e := range c.edges {
		g, h := of[e.a], of[e.b]
		if g == h || apart[[2]int{g, h}] {
			continue
		}
		if q, ok := Between(e.Verdict, recs[e.a].id, recs[e.b].id, len(groups[g]), len(groups[h])); ok {
			k := [2]int{min(g, h), max(g, h)}
			if old, ok := best[k]; !ok || before(q, old) {
				best[k] = q
			}
		}
	}
	for _, q := range best {
		out.Questions = append(out.Questions, q)
	}
	slices.SortFunc(out.Questions, Question.Compare)
	for _, d := range said {
		if d.Same && of[rank[d.A]] != of[rank[d.B]] {
			out.Unheeded = append(out.Unheeded, d)
		}
	}
	return out
}

// tie is an edge of a component, by places in it; a < b.
type tie struct {
	a, b int32
	Verdict
	said bool // a person said that they are one
}

// component is a set of records in the order of their ids, and what joins them.
type component struct {
	m     *Model
	of    members
	edges []tie
	// differ are the pairs of which a person said that they are different.
	differ [][2]int32
	// joined, where given, hears of every join and the sizes of the two sides.
	joined func(e tie, left, right int)
	table  []remembered
	memo   map[[2]int32]Verdict
}

// members are the records of a component, in the order of their ids.
type members interface {
	len() int
	id(i int32) string
	pair(i, j int32) Verdict
}

// prepared are members that are packed, and sheets such as are not: those at some places
// of a list.
type prepared struct {
	s    *scorer
	recs []*Prepared
}

func (p prepared) len() int                { return len(p.recs) }
func (p prepared) id(i int32) string       { return p.recs[i].id }
func (p prepared) pair(i, j int32) Verdict { return p.s.pair(p.recs[i], p.recs[j]) }

type sheets struct {
	m    *Model
	recs []*sheet
	at   []int32
	buf  []answer
}

func (s sheets) len() int                { return len(s.at) }
func (s sheets) id(i int32) string       { return s.recs[s.at[i]].id }
func (s sheets) pair(i, j int32) Verdict { return s.m.pair(s.recs[s.at[i]], s.recs[s.at[j]], s.buf) }

type remembered struct {
	Verdict
	known bool
}

// decide takes a decision in; its edge may be there or not.
func (c *component) decide(a, b int32, same bool) {
	if a == b {
		return
	}
	at := slices.IndexFunc(c.edges, func(e tie) bool { return e.a == a && e.b == b })
	switch {
	case !same:
		c.differ = append(c.differ, [2]int32{a, b})
	case at >= 0:
		c.edges[at].said = true
	default:
		c.edges = append(c.edges, tie{a, b, c.of.pair(a, b), true})
	}
}

// clusters cuts a component up: edges that join are walked by what a person said first,
// then by score, then by the ids; each joins two clusters unless a person said otherwise,
// two names are in conflict, or the clusters' members on the whole have too little in
// common. Of a cluster that a person put together, the piece alone is asked that the edge
// leads to: who is said to be one with a record that is unlike him keeps his other records.
func (c *component) clusters() [][]int32 {
	groups, pieces := singles(c.of.len()), singles(c.of.len()) // pieces of the clusters
	slices.SortFunc(c.edges, func(x, y tie) int {
		switch {
		case x.said != y.said:
			if x.said {
				return -1
			}
			return 1
		case x.Score() != y.Score():
			return cmp.Compare(y.Score(), x.Score())
		case x.a != y.a:
			return cmp.Compare(x.a, y.a)
		}
		return cmp.Compare(x.b, y.b)
	})
	for _, e := range c.edges {
		g, h, p, q := groups.of[e.a], groups.of[e.b], pieces.of[e.a], pieces.of[e.b]
		if p == q {
			continue
		}
		left, right := len(groups.lists[g]), len(groups.lists[h])
		size := left
		if g != h {
			size += right
		}
		if !e.said && !e.Joins() || g != h && c.kept(groups.of, g, h) {
			continue
		}
		fits := e.Joins() && c.joins(pieces.first[p], pieces.first[q], size)
		if fits {
			pieces.merge(p, q)
		}
		if g == h || !fits && !e.said {
			continue
		}
		if c.joined != nil {
			c.joined(e, left, right)
		}
		groups.merge(g, h)
	}
	out := slices.DeleteFunc(groups.lists, func(l []int32) bool { return len(l) == 0 })
	for _, l := range out {
		slices.Sort(l)
	}
	slices.SortFunc(out, func(x, y []int32) int { return cmp.Compare(x[0], y[0]) })
	return out
}

// partition is records in lists, by places in a component.
type partition struct {
	of    []int32   // the list of each
	lists [][]int32 // in no order; of two that became one, one is empty
	first [][]int32 // of each list those that come first, across at most, in order
}

// singles are lists of one record each.
func singles(n int) partition {
	p := partition{make([]int32, n), make([][]int32, n), make([][]int32, n)}
	all := straight(n)
	copy(p.of, all)
	for i := range n {
		p.lists[i] = all[i : i+1 : i+1]
		p.first[i] = p.lists[i]
	}
	return p
}

func straight(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(i)
	}
	return out
}

// merge puts the smaller of two lists into the other.
func (p *partition) merge(g, h int32) {
	if len(p.lists[g]) < len(p.lists[h]) {
		g, h = h, g
	}
	for _, i := range p.lists[h] {
		p.of[i] = g
	}
	x, y := p.first[g], p.first[h]
	first := make([]int32, 0, min(across, len(x)+len(y)))
	for len(first) < cap(first) {
		if len(y) == 0 || len(x) > 0 && x[0] < y[0] {
			first, x = append(first, x[0]), x[1:]
		} else {
			first, y = append(first, y[0]), y[1:]
		}
	}
	p.first[g], p.first[h] = first, nil
	p.lists[g], p.lists[h] = append(p.lists[g], p.lists[h]...), nil
}

// kept tells whether a person said of two clusters that they are different.
func (c *component) kept(of []int32, x, y int32) bool {
	for _, d := range c.differ {
		if a, b := of[d[0]], of[d[1]]; a == x && b == y || a == y && b == x {
			return true
		}
	}
	return false
}

// joins tells whether two pieces may be one, in a cluster of so many records. Of each those
// are given that come first.
func (c *component) joins(g, h []int32, size int) bool {
	if size == 2 {
		return true
	}
	var strange, share Bits
	clip := -c.m.strangers * clip / 100
	large := size > Alarm
	for _, i := range g {
		for _, j := range h {
			v := c.verdict(i, j)
			if v.Veto {
				return false
			}
			strange += max(-clip, min(clip, v.Strangers-c.m.strangers))
			share += max(-clip, min(clip, v.Sharers))
		}
	}
	n, part, least := Bits(len(g)*len(h)), guard, Bits(0)
	if large {
		part, least = 100, clip*spare/100
	}
	return share >= least*n && strange >= -c.m.strangers*part/100*n
}

// verdict is that of any two records, each compared once.
func (c *component) verdict(i, j int32) Verdict {
	if i > j {
		i, j = j, i
	}
	n := c.of.len()
	if n > square {
		if c.memo == nil {
			c.memo = make(map[[2]int32]Verdict, 2*len(c.edges))
			for _, e := range c.edges {
				c.memo[[2]int32{e.a, e.b}] = e.Verdict
			}
		}
		v, ok := c.memo[[2]int32{i, j}]
		if !ok {
			v = c.of.pair(i, j)
			c.memo[[2]int32{i, j}] = v
		}
		return v
	}
	if c.table == nil {
		c.table = make([]remembered, n*n)
		for _, e := range c.edges {
			c.table[int(e.a)*n+int(e.b)] = remembered{e.Verdict, true}
		}
	}
	r := &c.table[int(i)*n+int(j)]
	if !r.known {
		*r = remembered{c.of.pair(i, j), true}
	}
	return r.Verdict
}

// batch clusters records, which are in the order of their ids, by candidate pairs. Each
// group is in that order too.
func (m *Model) batch(ctx context.Context, recs []*sheet, pairs [][2]int32) ([][]int32, error) {
	root := straight(len(recs))
	find := func(i int32) int32 {
		for root[i] != i {
			root[i] = root[root[i]]
			i = root[i]
		}
		return i
	}
	var edges []tie
	buf := make([]answer, len(m.cmp))
	for n, p := range pairs {
		if n%65536 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if v := m.pair(recs[p[0]], recs[p[1]], buf); v.Joins() {
			edges = append(edges, tie{a: p[0], b: p[1], Verdict: v})
			a, b := find(p[0]), find(p[1])
			root[max(a, b)] = min(a, b)
		}
	}
	members := make([][]int32, len(recs))
	place := make([]int32, len(recs))
	for i := range int32(len(recs)) {
		r := find(i)
		place[i] = int32(len(members[r]))
		members[r] = append(members[r], i)
	}
	in := make(map[int32][]tie)
	for _, e := range edges {
		r := find(e.a)
		e.a, e.b = place[e.a], place[e.b]
		in[r] = append(in[r], e)
	}
	var out [][]int32
	for r, mem := range members {
		switch {
		case len(mem) == 0:
			continue
		case len(mem) == 1:
			out = append(out, mem)
			continue
		}
		c := component{m: m, of: sheets{m, recs, mem, buf}, edges: in[int32(r)]}
		for _, g := range c.clusters() {
			for n, i := range g {
				g[n] = mem[i]
			}
			out = append(out, g)
		}
	}
	return out, nil
}
