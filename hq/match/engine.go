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
// and at nothing else, but for pairs that it parts or lets meet (see Long), and for the
// holders of a value that is nobody's own from now on, or somebody's again (see Own): these
// are compared anew.
type Engine struct {
	m     *Model
	nodes map[string]*node
	index index               // who has a key
	said  map[[2]string]bool  // true: same; the smaller id first
	names map[string][]string // who stands in said with a record
	tick  uint32
	score *scorer
	// common has the keys of what would be somebody's own, and is held under more than Long names.
	common map[uint64]bool

	before, after []*node // scratch
	near          []uint32
}

type node struct {
	rec   Prepared
	edges []link // in the order of the ids
	group *group // nil: alone
	seen  uint32
	at    int32  // place in the component at hand
	no    uint32 // in the index
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

// first is that of a node's cluster.
func (n *node) first() *node {
	if n.group == nil {
		return n
	}
	return n.group.members[0]
}

// members are the nodes of a node's cluster, in the order of their ids.
func (n *node) members() []*node {
	if n.group == nil {
		return []*node{n}
	}
	return n.group.members
}

// NewEngine makes an engine without records.
func NewEngine(m *Model) *Engine {
	return &Engine{
		m: m, nodes: map[string]*node{}, index: newIndex(Long),
		said: map[[2]string]bool{}, names: map[string][]string{}, score: newScorer(m), common: map[uint64]bool{},
	}
}

// Put takes a record in, or its new version. ErrInvalid for an empty id or a wrong number
// of values.
func (e *Engine) Put(r Record) error {
	if r.ID == "" {
		return schema.Invalid("id", "a record has an empty id")
	}
	said, err := e.m.sheet(r)
	if err != nil {
		return err
	}
	x := said.prepared(e.m.cmp)
	n := e.nodes[r.ID]
	var touched []*node
	var was Prepared
	if n == nil {
		n = &node{}
		e.nodes[x.id] = n
		e.index.number(n)
	} else {
		touched = e.free(n)
		touched = append(touched, e.leave(n, x)...)
		was = n.rec
	}
	n.rec = *x
	e.index.at(n.no).packed = x.packed
	near, parted := e.enter(n, &was)
	touched = append(touched, parted...)
	others := slices.DeleteFunc(e.turn(was.keys, x.keys), func(o *node) bool { return o == n })
	if len(e.common) > 0 && slices.ContainsFunc(x.keys, e.isCommon) {
		e.hush(n)
		said = e.score.open(&n.rec)
	}
	e.compare(n, said, near)
	touched = append(touched, e.afresh(others)...)
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
	touched = append(touched, e.leave(n, nil)...)
	e.index.forget(n)
	e.regroup(append(touched, e.afresh(e.turn(n.rec.keys))...))
}

// compare makes the edges of a node, whose record is open as said, to those it meets by
// their numbers and to those it is said to be one with, where there are none yet.
func (e *Engine) compare(n *node, said *sheet, near []uint32) {
	e.index.fetch(near)
	for _, no := range near {
		o := e.index.at(no)
		if v := e.score.against(said, o.packed); v.Near() && !linked(n, o.node) {
			e.join(n, o.node, v, e.said[ids(n.rec.id, o.node.rec.id)])
		}
	}
	for _, id := range e.names[n.rec.id] {
		if o := e.nodes[id]; o != nil && o != n && e.said[ids(n.rec.id, id)] && !linked(n, o) {
			e.join(n, o, e.score.pair(&n.rec, &o.rec), true)
		}
	}
}

func (e *Engine) isCommon(key uint64) bool { return e.common[key] }

// turn sees which of some keys are common now. It gives the holders of those that were not,
// and of those that are not any more, each once.
func (e *Engine) turn(lists ...[]uint64) []*node {
	var out []*node
	for _, keys := range lists {
		for _, k := range keys {
			if !Own(k) {
				continue
			}
			r := e.index.row(k)
			is := r != nil && r.names > int(e.index.long)
			if is == e.common[k] {
				continue
			}
			if out = append(out, e.index.all(k)...); is {
				e.common[k] = true
			} else {
				delete(e.common, k)
			}
		}
	}
	slices.SortFunc(out, byID)
	return slices.Compact(out)
}

// hush leaves out of a node's record what is common, and nothing else.
func (e *Engine) hush(n *node) {
	n.rec = *e.m.Without(&n.rec, e.isCommon)
	e.index.at(n.no).packed = n.rec.packed
}

// afresh compares nodes anew that say more or less than they did. It gives those whose
// component may be another by it.
func (e *Engine) afresh(list []*node) (touched []*node) {
	for _, n := range list {
		touched = append(append(touched, n), e.free(n)...)
		e.hush(n)
	}
	for _, n := range list {
		near, _ := e.enter(n, &n.rec) // it has its keys: nobody is parted
		e.compare(n, e.score.open(&n.rec), near)
	}
	return touched
}

// has tells whether a record is found by a key.
func (p *Prepared) has(key uint64) bool {
	_, ok := slices.BinarySearch(p.keys, key)
	return ok
}

// leave takes a node without edges from its keys that it does not have when it becomes
// is, and out of the rows where it then stands elsewhere. It gives the nodes that it let
// meet.
func (e *Engine) leave(n *node, is *Prepared) (touched []*node) {
	for _, k := range n.rec.keys {
		keeps := is != nil && is.has(k)
		r := e.index.row(k)
		switch {
		case r == nil:
			if !keeps {
				e.index.remove(k, n)
			}
			continue
		case keeps && is.word == n.rec.word:
			continue
		}
		before, after := e.around(k, r, n)
		r.remove(n)
		for i, a := range before {
			if j := Beside - 1 - i; j < len(after) && Namesakes(a.rec.word, after[j].rec.word) {
				touched = e.meet(a, after[j], touched)
			}
		}
		if keeps {
			continue
		}
		all := e.index.less(k)
		for i, a := range all {
			for _, b := range all[:i] {
				touched = e.meet(a, b, touched)
			}
		}
	}
	return touched
}

// meet compares two nodes that did not meet by some key before.
func (e *Engine) meet(a, b *node, touched []*node) []*node {
	if linked(a, b) {
		return touched
	}
	if v := e.score.pair(&a.rec, &b.rec); v.Near() {
		e.join(a, b, v, e.said[ids(a.rec.id, b.rec.id)])
		touched = append(touched, a, b)
	}
	return touched
}

// enter gives a node its keys that it had not yet as was, which has none where it is new. It
// gives the numbers of those it meets, each once, and those whose edge it took away.
func (e *Engine) enter(n *node, was *Prepared) (near []uint32, parted []*node) {
	e.tick++
	e.index.at(n.no).seen = e.tick
	near = slices.Grow(e.near[:0], e.index.count(n.rec.keys))
	for _, k := range n.rec.keys {
		had := was.has(k)
		grown := !had && e.index.add(k, n)
		r := e.index.row(k)
		if r == nil {
			near = e.index.unseen(k, e.tick, near)
			continue
		}
		stood := had && was.word == n.rec.word
		if had && !stood {
			r.insert(n)
		}
		before, after := e.around(k, r, n)
		for _, side := range [2][]*node{before, after} {
			for _, o := range side {
				if at := e.index.at(o.no); at.seen != e.tick && Namesakes(n.rec.word, o.rec.word) {
					at.seen = e.tick
					near = append(near, o.no)
				}
			}
		}
		switch {
		case grown:
			for _, a := range r.all() {
				parted = e.part(a, k, parted)
			}
		case !stood:
			for i, a := range before {
				if j := Beside - 1 - i; j < len(after) && linked(a, after[j]) {
					parted = e.part(a, k, parted)
				}
			}
		}
	}
	e.near = near
	return near, parted
}

// around gives who stands next to a node in the row of a long key, the nearest first;
// nobody where the key is but a part of something.
func (e *Engine) around(key uint64, r *row, n *node) (before, after []*node) {
	if Whole(key) {
		e.before, e.after = r.around(n, e.before[:0], e.after[:0])
		return e.before, e.after
	}
	return nil, nil
}

// part takes the edges off a node to others with a key whom nothing lets it meet any
// more.
func (e *Engine) part(a *node, key uint64, parted []*node) []*node {
	for i := len(a.edges) - 1; i >= 0; i-- {
		b := a.edges[i].to
		if a.edges[i].said || !b.rec.has(key) || e.found(a, b) {
			continue
		}
		unlink(b, a)
		a.edges = slices.Delete(a.edges, i, i+1)
		parted = append(parted, a, b)
	}
	return parted
}

// found tells whether two nodes meet by some key.
func (e *Engine) found(a, b *node) bool {
	x, y := a.rec.keys, b.rec.keys
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] < y[j]:
			i++
		case x[i] > y[j]:
			j++
		default:
			if r := e.index.row(x[i]); r == nil || Whole(x[i]) && Namesakes(a.rec.word, b.rec.word) && r.near(a, b) {
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
	v, same := e.score.pair(&x.rec, &y.rec), e.said[ids(a, b)]
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
		if f.group = nil; len(all) == 1 {
			continue
		}
		slices.SortFunc(all, byID)
		c := e.component(all)
		for _, g := range c.clusters() {
			if len(g) == 1 {
				all[g[0]].group = nil
				continue
			}
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
	recs := make([]*Prepared, len(all))
	for i, n := range all {
		n.at = int32(i)
		recs[i] = &n.rec
	}
	c := &component{m: e.m, of: prepared{e.score, recs}}
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

// Prepared is a record as it is compared: without what is common (see Own). nil if it does
// not hold it.
func (e *Engine) Prepared(id string) *Prepared {
	n := e.nodes[id]
	if n == nil {
		return nil
	}
	return &n.rec
}

// Cluster gives the ids of the cluster of a record, sorted; nil if it does not hold it.
func (e *Engine) Cluster(id string) []string {
	n := e.nodes[id]
	if n == nil {
		return nil
	}
	return textIDs(n.members())
}

func textIDs(list []*node) []string {
	out := make([]string, len(list))
	for i, m := range list {
		out[i] = m.rec.id
	}
	return out
}

// Clusters gives all clusters, each sorted, in the order of their first ids.
func (e *Engine) Clusters() [][]string {
	var out [][]string
	for _, n := range e.nodes {
		if n.first() == n {
			out = append(out, textIDs(n.members()))
		}
	}
	slices.SortFunc(out, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return out
}

// Cluster clusters records at once: what an Engine given them one by one says.
func (m *Model) Cluster(ctx context.Context, records []Record) ([][]string, error) {
	return m.cluster(ctx, records, Long)
}

func (m *Model) cluster(ctx context.Context, records []Record, long int) ([][]string, error) {
	rs := slices.Clone(records)
	slices.SortFunc(rs, func(a, b Record) int { return strings.Compare(a.ID, b.ID) })
	l := &learner{m: m}
	for i, r := range rs {
		if r.ID == "" || i > 0 && rs[i-1].ID == r.ID {
			return nil, schema.Invalid("id", "the id %q is empty or stands there twice", r.ID)
		}
		x, err := m.sheet(r)
		if err != nil {
			return nil, fmt.Errorf("match: cluster: %w", err)
		}
		l.recs = append(l.recs, x)
	}
	l.candidates(long)
	for i, x := range l.recs {
		if len(l.commons) > 0 {
			l.recs[i] = m.hushed(x, func(key uint64) bool { return l.commons[key] })
		}
	}
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
