package match

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"branchline/schema"
)

// Alarm is the size from which a cluster looks as if it swallowed several parties.
const Alarm = 40

// Engine keeps the clusters of a set of records exact while records come, change and go
// and people decide. It is not safe for concurrent use.
//
// After every call the clusters are those of Model and the records and decisions held,
// whatever came before and in whatever order. A call looks at the component it touches
// and at nothing else.
type Engine struct {
	m     *Model
	nodes map[string]*node
	index map[uint64][]*node
	said  map[[2]string]bool  // true: same; the smaller id first
	names map[string][]string // who stands in said with a record
	tick  uint32
	buf   []answer
}

type node struct {
	rec   *record
	edges []link // in the order of the ids
	group *group
	seen  uint32
	at    int32 // place in the component at hand
}

type link struct {
	to    *node
	score Bits
}

type group struct {
	members []*node // in the order of their ids
}

// NewEngine makes an engine without records.
func NewEngine(m *Model) *Engine {
	return &Engine{m: m, nodes: map[string]*node{}, index: map[uint64][]*node{}, said: map[[2]string]bool{}, names: map[string][]string{}, buf: make([]answer, len(m.cmp))}
}

// Put takes a record in, or its new version. ErrInvalid for an empty id or a wrong number
// of values.
func (e *Engine) Put(r Record) error {
	if r.ID == "" {
		return schema.Invalid("id", "a record has an empty id")
	}
	x, err := e.m.prepare(r)
	if err != nil {
		return err
	}
	e.tick++
	var touched []*node
	if old := e.nodes[r.ID]; old != nil {
		touched = e.cut(old)
	}
	n := &node{rec: x}
	e.nodes[r.ID] = n
	e.tick++
	n.seen = e.tick
	for _, k := range x.keys {
		for _, o := range e.index[k] {
			if o.seen == e.tick {
				continue
			}
			o.seen = e.tick
			if s := e.m.pair(x, o.rec, e.buf).score(); s >= Threshold {
				e.join(n, o, s)
			}
		}
		e.index[k] = append(e.index[k], n)
	}
	for _, id := range e.names[r.ID] {
		if o := e.nodes[id]; o != nil && o != n && e.said[ids(r.ID, id)] && !slices.ContainsFunc(n.edges, func(l link) bool { return l.to == o }) {
			e.join(n, o, e.m.pair(x, o.rec, e.buf).score())
		}
	}
	e.regroup(append(touched, n))
	return nil
}

// Delete takes a record out; what it does not hold is passed over.
func (e *Engine) Delete(id string) {
	if n := e.nodes[id]; n != nil {
		e.tick++
		e.regroup(e.cut(n))
	}
}

// Same and Different say what a person decided of two records, which need not be there
// yet; the last word about a pair counts. Withdraw takes it back.
func (e *Engine) Same(a, b string) { e.decide(a, b, true) }

// Different: see Same.
func (e *Engine) Different(a, b string) { e.decide(a, b, false) }

func (e *Engine) decide(a, b string, same bool) {
	if a == b {
		return
	}
	e.Withdraw(a, b)
	e.said[ids(a, b)] = same
	e.names[a] = append(e.names[a], b)
	e.names[b] = append(e.names[b], a)
	e.again(a, b)
}

// Withdraw takes a decision back.
func (e *Engine) Withdraw(a, b string) {
	if _, ok := e.said[ids(a, b)]; !ok {
		return
	}
	delete(e.said, ids(a, b))
	drop := func(a, b string) {
		e.names[a] = slices.DeleteFunc(e.names[a], func(s string) bool { return s == b })
		if len(e.names[a]) == 0 {
			delete(e.names, a)
		}
	}
	drop(a, b)
	drop(b, a)
	e.again(a, b)
}

// again sets the edge of two records anew and what hangs on it.
func (e *Engine) again(a, b string) {
	x, y := e.nodes[a], e.nodes[b]
	if x == nil || y == nil {
		return
	}
	unlink(x, y)
	unlink(y, x)
	s := e.m.pair(x.rec, y.rec, e.buf).score()
	if e.said[ids(a, b)] || s >= Threshold && meet(x.rec.keys, y.rec.keys) {
		e.join(x, y, s)
	}
	e.regroup([]*node{x, y})
}

// meet tells whether two sorted lists have something in common.
func meet(a, b []uint64) bool {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch c := cmp.Compare(a[i], b[j]); {
		case c == 0:
			return true
		case c < 0:
			i++
		default:
			j++
		}
	}
	return false
}

func ids(a, b string) [2]string {
	if a > b {
		a, b = b, a
	}
	return [2]string{a, b}
}

func byID(a, b *node) int { return strings.Compare(a.rec.id, b.rec.id) }

func (e *Engine) join(a, b *node, s Bits) {
	put := func(a, b *node) {
		i, _ := slices.BinarySearchFunc(a.edges, b, func(l link, n *node) int { return byID(l.to, n) })
		a.edges = slices.Insert(a.edges, i, link{b, s})
	}
	put(a, b)
	put(b, a)
}

func unlink(a, b *node) {
	a.edges = slices.DeleteFunc(a.edges, func(l link) bool { return l.to == b })
}

// cut takes a node out and gives the nodes whose component it was in.
func (e *Engine) cut(n *node) []*node {
	var touched []*node
	for _, l := range n.edges {
		unlink(l.to, n)
		touched = append(touched, l.to)
	}
	for _, k := range n.rec.keys {
		if l := slices.DeleteFunc(e.index[k], func(o *node) bool { return o == n }); len(l) == 0 {
			delete(e.index, k)
		} else {
			e.index[k] = l
		}
	}
	delete(e.nodes, n.rec.id)
	n.edges = nil
	return touched
}

// regroup makes the clusters of the components of some nodes anew.
func (e *Engine) regroup(from []*node) {
	e.tick++
	for _, f := range from {
		if f.seen == e.tick || e.nodes[f.rec.id] != f {
			continue
		}
		f.seen = e.tick
		all := []*node{f}
		for i := 0; i < len(all); i++ {
			for _, l := range all[i].edges {
				if l.to.seen != e.tick {
					l.to.seen = e.tick
					all = append(all, l.to)
				}
			}
		}
		if len(all) == 1 {
			f.group = &group{all}
			continue
		}
		slices.SortFunc(all, byID)
		c := e.component(all)
		for _, g := range c.clusters() {
			gr := &group{members: make([]*node, len(g))}
			for i, at := range g {
				gr.members[i] = all[at]
				all[at].group = gr
			}
		}
	}
}

func (e *Engine) component(all []*node) *component {
	c := &component{m: e.m, buf: e.buf, memo: map[[2]int32]verdict{}, recs: make([]*record, len(all))}
	any := false
	for i, n := range all {
		n.at = int32(i)
		c.recs[i] = n.rec
		any = any || len(e.names[n.rec.id]) > 0
	}
	for i, n := range all {
		for _, l := range n.edges {
			if at := l.to.at; at > int32(i) && int(at) < len(all) && all[at] == l.to {
				c.edges = append(c.edges, edge{a: int32(i), b: l.to.at, score: l.score, said: any && e.said[ids(n.rec.id, l.to.rec.id)]})
			}
		}
	}
	if any {
		c.differ = func(a, b int32) bool {
			same, ok := e.said[ids(c.recs[a].id, c.recs[b].id)]
			return ok && !same
		}
	}
	return c
}

// Len is how many records it holds.
func (e *Engine) Len() int { return len(e.nodes) }

// Cluster gives the ids of the cluster of a record, sorted; nil if it does not hold it.
func (e *Engine) Cluster(id string) []string {
	n := e.nodes[id]
	if n == nil {
		return nil
	}
	return n.group.ids()
}

func (g *group) ids() []string {
	out := make([]string, len(g.members))
	for i, m := range g.members {
		out[i] = m.rec.id
	}
	return out
}

// Clusters gives all clusters, each sorted, in the order of their first ids.
func (e *Engine) Clusters() [][]string {
	var out [][]string
	for _, n := range e.nodes {
		if n.group.members[0] == n {
			out = append(out, n.group.ids())
		}
	}
	slices.SortFunc(out, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return out
}

// Cluster clusters records at once: what an Engine given them one by one says.
func (m *Model) Cluster(ctx context.Context, records []Record) ([][]string, error) {
	rs := slices.Clone(records)
	slices.SortFunc(rs, func(a, b Record) int { return strings.Compare(a.ID, b.ID) })
	l := &learner{m: m}
	for i, r := range rs {
		if r.ID == "" || i > 0 && rs[i-1].ID == r.ID {
			return nil, schema.Invalid("id", "the id %q is empty or stands there twice", r.ID)
		}
		x, err := m.prepare(r)
		if err != nil {
			return nil, fmt.Errorf("match: cluster: %w", err)
		}
		l.recs = append(l.recs, x)
	}
	l.candidates()
	groups, err := m.batch(ctx, l.recs, l.pairs)
	if err != nil {
		return nil, err
	}
	out := make([][]string, len(groups))
	for i, g := range groups {
		for _, j := range g {
			out[i] = append(out[i], l.recs[j].id)
		}
	}
	slices.SortFunc(out, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return out, nil
}
