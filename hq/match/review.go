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

// certainty is the gain, in thousandths of a pair, below which nothing is asked.
const certainty int64 = 20

// Compare orders questions: the one that puts most right first.
func (q Question) Compare(o Question) int {
	return cmp.Or(cmp.Compare(o.Gain, q.Gain), cmp.Compare(q.A, o.A), cmp.Compare(q.B, o.B))
}

func before(a, b Question) bool { return a.Compare(b) < 0 }

// Between is the question that an edge raises between two clusters of so many records
// each; false where it is not worth asking. Of several edges between two clusters the one
// whose question comes first by Compare is asked.
func Between(v Verdict, a, b string, left, right int) (Question, bool) {
	s := v.Score()
	if s < -Band {
		return Question{}, false
	}
	// What was refused by the guard or for its names is as open as can be.
	p := int64(500)
	if s < 0 {
		p = chance(s)
	}
	if v.Veto {
		p = min(p, 100)
	}
	if a > b {
		a, b = b, a
	}
	q := Question{a, b, s, false, p * int64(left) * int64(right)}
	return q, q.Gain >= certainty
}

// seam is the question about a join within a cluster; false where it is not weak.
func seam(e tie, of members, left, right int) (Question, bool) {
	if e.said || e.Score() >= Band {
		return Question{}, false
	}
	q := Question{of.id(e.a), of.id(e.b), e.Score(), true, chance(-e.Score()) * int64(left) * int64(right)}
	return q, q.Gain >= certainty
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

// Questions are the most useful questions, the best first, limit at most. They are a
// function of the same facts as the clusters.
func (e *Engine) Questions(limit int) []Question {
	best := map[[2]*node]Question{} // by the clusters' first members
	var out []Question
	for _, n := range e.sorted() {
		for _, l := range n.edges {
			g, h := n.first(), l.to.first()
			if g == h || byID(n, l.to) > 0 || e.decided(g, h) {
				continue
			}
			if byID(g, h) > 0 {
				g, h = h, g
			}
			if q, ok := Between(l.Verdict, n.rec.id, l.to.rec.id, len(g.members()), len(h.members())); ok {
				if old, ok := best[[2]*node{g, h}]; !ok || before(q, old) {
					best[[2]*node{g, h}] = q
				}
			}
		}
		if n.group != nil && n.first() == n {
			c := e.component(n.group.members)
			c.joined = func(x tie, left, right int) {
				if q, ok := seam(x, c.of, left, right); ok {
					out = append(out, q)
				}
			}
			c.clusters()
		}
	}
	for _, q := range best {
		out = append(out, q)
	}
	slices.SortFunc(out, Question.Compare)
	return out[:min(limit, len(out))]
}

// decided tells whether a person said of two clusters, by their first members, that they
// are different.
func (e *Engine) decided(g, h *node) bool {
	for _, n := range g.members() {
		for _, id := range e.names[n.rec.id] {
			if o := e.nodes[id]; o != nil && o.first() == h && !e.said[ids(n.rec.id, id)] {
				return true
			}
		}
	}
	return false
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
		if n.first() == n && len(n.members()) > Alarm {
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
