package match

import (
	"cmp"
	"slices"
)

// Question asks a person of two records; every answer it waits for would change a cluster.
type Question struct {
	A, B  string
	Score Bits
	// Joined tells that the two are one now: "different" would part them; else "same"
	// would join their clusters.
	Joined bool
	// Gain is how many pairs of records the answer is expected to put right, in
	// thousandths.
	Gain int64
}

// Limits of what is worth asking.
const (
	band      Bits  = 1000 // from even odds, either way
	certainty int64 = 20   // a gain below it, in thousandths of a pair, is not asked for
)

// Questions are the most useful questions, the best first, limit at most. They are a
// function of the same facts as the clusters.
func (e *Engine) Questions(limit int) []Question {
	best := map[[2]*group]Question{}
	keep := func(g, h *group, q Question) {
		if byID(g.members[0], h.members[0]) > 0 {
			g, h = h, g
		}
		if old, ok := best[[2]*group{g, h}]; !ok || before(q, old) {
			best[[2]*group{g, h}] = q
		}
	}
	var out []Question
	done := map[*group]bool{}
	for _, n := range e.sorted() {
		e.tick++
		for _, k := range n.rec.keys {
			for _, o := range e.index[k] {
				if o.seen == e.tick || byID(n, o) >= 0 || o.group == n.group {
					continue
				}
				o.seen = e.tick
				v := e.m.pair(n.rec, o.rec, e.buf)
				s := min(v.strangers, v.sharers)
				if s < -band || e.decided(n.group, o.group) {
					continue
				}
				// What was refused by the guard or for its names is as open as can be.
				p := int64(500)
				if s < 0 {
					p = chance(s)
				}
				if v.veto {
					p = min(p, 100)
				}
				keep(n.group, o.group, Question{n.rec.id, o.rec.id, s, false, p * int64(len(n.group.members)) * int64(len(o.group.members))})
			}
		}
		if g := n.group; len(g.members) > 1 && !done[g] {
			done[g] = true
			out = append(out, e.seams(g)...)
		}
	}
	for _, q := range best {
		out = append(out, q)
	}
	out = slices.DeleteFunc(out, func(q Question) bool { return q.Gain < certainty })
	slices.SortFunc(out, func(a, b Question) int {
		if before(a, b) {
			return -1
		}
		return 1
	})
	return out[:min(limit, len(out))]
}

func before(a, b Question) bool {
	switch {
	case a.Gain != b.Gain:
		return a.Gain > b.Gain
	case a.A != b.A:
		return a.A < b.A
	}
	return a.B < b.B
}

// chance is the probability in thousandths of a score of at most even odds; it halves
// with every bit.
func chance(s Bits) int64 {
	p := int64(500)
	for ; s <= -100; s += 100 {
		p = p * 6 / 10
	}
	return p
}

// decided tells whether a person said of two groups that they are different.
func (e *Engine) decided(g, h *group) bool {
	for _, n := range g.members {
		for _, id := range e.names[n.rec.id] {
			if o := e.nodes[id]; o != nil && o.group == h && !e.said[ids(n.rec.id, id)] {
				return true
			}
		}
	}
	return false
}

// seams are the questions about a cluster: the joins it was made by, where they are weak.
func (e *Engine) seams(g *group) []Question {
	c := e.component(g.members)
	var out []Question
	c.joined = func(x edge, left, right int) {
		if x.said || x.score >= band {
			return
		}
		out = append(out, Question{c.recs[x.a].id, c.recs[x.b].id, x.score, true, chance(-x.score) * int64(left) * int64(right)})
	}
	c.clusters()
	return out
}

// sorted are the nodes in the order of their ids.
func (e *Engine) sorted() []*node {
	out := make([]*node, 0, len(e.nodes))
	for _, n := range e.nodes {
		out = append(out, n)
	}
	slices.SortFunc(out, byID)
	return out
}

// Alarms are the clusters larger than Alarm, the largest first, by their first id.
func (e *Engine) Alarms() []string {
	var big []*group
	for _, n := range e.nodes {
		if len(n.group.members) > Alarm && n.group.members[0] == n {
			big = append(big, n.group)
		}
	}
	slices.SortFunc(big, func(a, b *group) int {
		return cmp.Or(len(b.members)-len(a.members), byID(a.members[0], b.members[0]))
	})
	out := make([]string, len(big))
	for i, g := range big {
		out[i] = g.members[0].rec.id
	}
	return out
}
