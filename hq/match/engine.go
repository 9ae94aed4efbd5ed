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
// and at nothing else, but for pairs that it parts or lets meet (see Window).
type Engine struct {
	m      *Model
	nodes  map[string]*node
	lone   map[uint64]*node    // who alone has a key
	rows   map[uint64]*row     // those who have one together
	said   map[[2]string]bool  // true: same; the smaller id first
	names  map[string][]string // who stands in said with a record
	tick   uint32
	buf    []answer
	window int // Window

	before, after, near []*node // scratch
}

type node struct {
	rec   *Prepared
	edges []link // in the order of the ids
	group *group
	seen  uint32
	at    int32 // place in the component at hand
}

// link is an edge: a pair that is Near, or that a person said is one.
type link struct {
	to *node
	Verdict
	said bool
}

// holds tells whether a link keeps two nodes in one component.
func (l *link) holds() bool { return l.said || l.Joins() }

type group struct {
	members []*node // in the order of their ids
}

// NewEngine makes an engine without records.
func NewEngine(m *Model) *Engine {
	return &Engine{
		m: m, nodes: map[string]*node{}, lone: map[uint64]*node{}, rows: map[uint64]*row{},
		said: map[[2]string]bool{}, names: map[string][]string{}, buf: make([]answer, len(m.cmp)), window: Window,
	}
}

// Put takes a record in, or its new version. ErrInvalid for an empty id or a wrong number
// of values.
func (e *Engine) Put(r Record) error {
	if r.ID == "" {
		return schema.Invalid("id", "a record has an empty id")
	}
	x, err := e.m.Prepare(r)
	if err != nil {
		return err
	}
	n := e.nodes[r.ID]
	var touched []*node
	if n == nil {
		n = &node{rec: x}
		e.nodes[r.ID] = n
	} else {
		touched = e.free(n)
		touched = append(touched, e.leave(n, x)...)
	}
	was := n.rec
	n.rec = x
	near, parted := e.enter(n, was)
	touched = append(touched, parted...)
	e.tick++
	n.seen = e.tick
	for _, o := range near {
		if o.seen != e.tick {
			o.seen = e.tick
			if v := e.m.pair(x, o.rec, e.buf); v.Near() {
				e.join(n, o, v, e.said[ids(r.ID, o.rec.id)])
			}
		}
	}
	for _, id := range e.names[r.ID] {
		if o := e.nodes[id]; o != nil && o != n && e.said[ids(r.ID, id)] && !linked(n, o) {
			e.join(n, o, e.m.pair(x, o.rec, e.buf), true)
		}
	}
	e.regroup(append(touched, n))
	return nil
}

// Delete takes a record out; what it does not hold is passed over.
func (e *Engine) Delete(id string) {
	n := e.nodes[id]
	if n == nil {
		return
	}
	touched := e.free(n)
	delete(e.nodes, id)
	e.regroup(append(touched, e.leave(n, nil)...))
}

// stays tells whether a record that becomes another stands in the row of a key of both
// where it stood.
func stays(was, is *Prepared, key uint64) bool {
	if is == nil || was.word != is.word {
		return false
	}
	_, ok := slices.BinarySearch(is.keys, key)
	return ok
}

// leave takes a node without edges out of the rows where it does not stay when it
// becomes is, and gives the nodes that it let meet.
func (e *Engine) leave(n *node, is *Prepared) (touched []*node) {
	for _, k := range n.rec.keys {
		if stays(n.rec, is, k) {
			continue
		}
		r := e.rows[k]
		if r == nil {
			delete(e.lone, k)
			continue
		}
		c, at, _ := r.find(n)
		before, after := r.around(c, at, e.window, e.before[:0], e.after[:0])
		e.before, e.after = before, after
		if r.remove(n); r.size == 1 {
			e.lone[k] = r.chunk(0)[0]
			delete(e.rows, k)
			continue
		}
		for i, a := range before {
			j := e.window - 1 - i
			if j >= len(after) || linked(a, after[j]) {
				continue
			}
			b := after[j]
			if v := e.m.pair(a.rec, b.rec, e.buf); v.Near() {
				e.join(a, b, v, e.said[ids(a.rec.id, b.rec.id)])
				touched = append(touched, a, b)
			}
		}
	}
	return touched
}

// enter puts a node into the rows of its keys, where it does not stand yet as was. It
// gives those it stands near, some of them twice, and those whose edge it took away.
func (e *Engine) enter(n *node, was *Prepared) (near, parted []*node) {
	near = e.near[:0]
	for _, k := range n.rec.keys {
		r := e.rows[k]
		if r == nil {
			o := e.lone[k]
			if o == nil || o == n {
				e.lone[k] = n
				continue
			}
			r = &row{few: []*node{o}, size: 1}
			e.rows[k] = r
			delete(e.lone, k)
		}
		standing := was != n.rec && stays(was, n.rec, k) && slices.Contains(was.keys, k)
		var c, at int
		if standing {
			c, at, _ = r.find(n)
		} else {
			c, at = r.insert(n)
		}
		before, after := r.around(c, at, e.window, e.before[:0], e.after[:0])
		e.before, e.after = before, after
		near = append(append(near, before...), after...)
		if standing {
			continue
		}
		for i, a := range before {
			j := e.window - 1 - i
			if j >= len(after) {
				continue
			}
			b := after[j]
			if at, ok := a.place(b); ok && !a.edges[at].said && !e.found(a, b) {
				unlink(a, b)
				unlink(b, a)
				parted = append(parted, a, b)
			}
		}
	}
	e.near = near
	return near, parted
}

// found tells whether two nodes stand near one another in the row of some key.
func (e *Engine) found(a, b *node) bool {
	x, y := a.rec.keys, b.rec.keys
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] < y[j]:
			i++
		case x[i] > y[j]:
			j++
		default:
			if e.rows[x[i]].near(a, b, e.window) {
				return true
			}
			i, j = i+1, j+1
		}
	}
	return false
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
	v, same := e.m.pair(x.rec, y.rec, e.buf), e.said[ids(a, b)]
	if same || v.Near() && e.found(x, y) {
		e.join(x, y, v, same)
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

// place is where an edge to n stands or would stand among a node's.
func (a *node) place(n *node) (int, bool) {
	return slices.BinarySearchFunc(a.edges, n, func(l link, n *node) int { return byID(l.to, n) })
}

func linked(a, b *node) bool {
	_, ok := a.place(b)
	return ok
}

func (e *Engine) join(a, b *node, v Verdict, said bool) {
	i, _ := a.place(b)
	a.edges = slices.Insert(a.edges, i, link{b, v, said})
	i, _ = b.place(a)
	b.edges = slices.Insert(b.edges, i, link{a, v, said})
}

func unlink(a, b *node) {
	if i, ok := a.place(b); ok {
		a.edges = slices.Delete(a.edges, i, i+1)
	}
}

// free takes all edges off a node and gives the nodes whose component it held.
func (e *Engine) free(n *node) (touched []*node) {
	for i := range n.edges {
		l := &n.edges[i]
		unlink(l.to, n)
		if l.holds() {
			touched = append(touched, l.to)
		}
	}
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
			for j := range all[i].edges {
				if l := &all[i].edges[j]; l.to.seen != e.tick && l.holds() {
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

// component is what Component is, of nodes in the order of their ids.
func (e *Engine) component(all []*node) *component {
	c := &component{m: e.m, buf: e.buf, recs: make([]*Prepared, len(all))}
	for i, n := range all {
		n.at = int32(i)
		c.recs[i] = n.rec
	}
	in := func(o *node) bool { return int(o.at) < len(all) && all[o.at] == o }
	for i, n := range all {
		for j := range n.edges {
			if l := &n.edges[j]; l.to.at > int32(i) && in(l.to) {
				c.edges = append(c.edges, tie{int32(i), l.to.at, l.Verdict, l.said})
			}
		}
		for _, id := range e.names[n.rec.id] {
			if o := e.nodes[id]; o != nil && o.at > int32(i) && in(o) && !e.said[ids(n.rec.id, id)] {
				c.differ = append(c.differ, [2]int32{int32(i), o.at})
			}
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
		x, err := m.Prepare(r)
		if err != nil {
			return nil, fmt.Errorf("match: cluster: %w", err)
		}
		l.recs = append(l.recs, x)
	}
	l.candidates(Window)
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
