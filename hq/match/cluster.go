package match

import (
	"cmp"
	"context"
	"slices"
)

// Limits of a cluster's growth.
const (
	// guard is the part, in hundredths, of the odds against two strangers being one that
	// pairs across two clusters must outweigh on the average. Against the other stories
	// they must come out even.
	guard Bits = 50
	// clip bounds what one pair says in the average, in hundredths of those odds.
	clip Bits = 150
	// across bounds how many members of each side are asked: the first by id.
	across = 16
)

// edge joins two records of a component, by their places in it; a < b.
type edge struct {
	a, b  int32
	score Bits
	said  bool // by a person
}

// component is a set of records that edges hold together, in the order of their ids.
type component struct {
	m     *Model
	recs  []*record
	edges []edge
	// differ tells that a person said that two records are different.
	differ func(a, b int32) bool
	// joined, where given, hears of every join and the sizes of the two sides.
	joined func(e edge, left, right int)
	buf    []answer
	memo   map[[2]int32]verdict
}

// clusters cuts a component up: edges are walked by what a person said first, then by
// score, then by the ids; each joins two clusters unless a person said otherwise, two
// names are in conflict, or the clusters' members on the whole have too little in common.
func (c *component) clusters() [][]int32 {
	n := len(c.recs)
	of := make([]int32, n)
	groups := make([][]int32, n)
	for i := range n {
		of[i] = int32(i)
		groups[i] = []int32{int32(i)}
	}
	slices.SortFunc(c.edges, func(x, y edge) int {
		switch {
		case x.said != y.said:
			if x.said {
				return -1
			}
			return 1
		case x.score != y.score:
			return cmp.Compare(y.score, x.score)
		case x.a != y.a:
			return cmp.Compare(x.a, y.a)
		}
		return cmp.Compare(x.b, y.b)
	})
	for _, e := range c.edges {
		g, h := of[e.a], of[e.b]
		if g == h || !c.joins(groups[g], groups[h], e) {
			continue
		}
		if c.joined != nil {
			c.joined(e, len(groups[g]), len(groups[h]))
		}
		if h < g {
			g, h = h, g
		}
		for _, i := range groups[h] {
			of[i] = g
		}
		groups[g] = append(groups[g], groups[h]...)
		slices.Sort(groups[g])
		groups[h] = nil
	}
	var out [][]int32
	for _, g := range groups {
		if len(g) > 0 {
			out = append(out, g)
		}
	}
	return out
}

func (c *component) joins(g, h []int32, e edge) bool {
	if c.differ != nil {
		for _, i := range g {
			for _, j := range h {
				if c.differ(i, j) {
					return false
				}
			}
		}
	}
	if e.said || len(g) == 1 && len(h) == 1 {
		return true
	}
	var strange, share Bits
	clip := -c.m.strangers * clip / 100
	g, h = g[:min(len(g), across)], h[:min(len(h), across)]
	for _, i := range g {
		for _, j := range h {
			v := c.verdict(i, j)
			if v.veto {
				return false
			}
			strange += max(-clip, min(clip, v.strangers-c.m.strangers))
			share += max(-clip, min(clip, v.sharers))
		}
	}
	n := Bits(len(g) * len(h))
	return share >= 0 && strange >= -c.m.strangers*guard/100*n
}

func (c *component) verdict(i, j int32) verdict {
	if i > j {
		i, j = j, i
	}
	v, ok := c.memo[[2]int32{i, j}]
	if !ok {
		v = c.m.pair(c.recs[i], c.recs[j], c.buf)
		c.memo[[2]int32{i, j}] = v
	}
	return v
}

// batch clusters records, which are in the order of their ids, by candidate pairs. Each
// group is in that order too.
func (m *Model) batch(ctx context.Context, recs []*record, pairs [][2]int32) ([][]int32, error) {
	root := make([]int32, len(recs))
	for i := range root {
		root[i] = int32(i)
	}
	find := func(i int32) int32 {
		for root[i] != i {
			root[i] = root[root[i]]
			i = root[i]
		}
		return i
	}
	var edges []edge
	buf := make([]answer, len(m.cmp))
	for n, p := range pairs {
		if n%65536 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if s := m.pair(recs[p[0]], recs[p[1]], buf).score(); s >= Threshold {
			edges = append(edges, edge{a: p[0], b: p[1], score: s})
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
	in := make(map[int32][]edge)
	for _, e := range edges {
		r := find(e.a)
		in[r] = append(in[r], edge{a: place[e.a], b: place[e.b], score: e.score})
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
		c := component{m: m, edges: in[int32(r)], buf: buf, memo: map[[2]int32]verdict{}}
		for _, i := range mem {
			c.recs = append(c.recs, recs[i])
		}
		for _, g := range c.clusters() {
			for n, i := range g {
				g[n] = mem[i]
			}
			out = append(out, g)
		}
	}
	return out, nil
}
