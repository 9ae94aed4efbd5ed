package golden

import (
	"bytes"
	"cmp"
	stdsql "database/sql"
	"fmt"
	"maps"
	"slices"

	"branchline/hq/feed"
	"branchline/hq/match"
	"branchline/hq/store"
	"branchline/schema"
)

// member is a record within the components being made anew.
type member struct {
	n       int64
	id      schema.RecordID
	kind    schema.Kind
	created int64 // unix ms
	grp     int64 // as it was
	live    bool  // the matcher looks at it
	keys    []Key
	root    *member   // of a component
	group   []*member // as it is, by id
	comp    []*member // the component it stands in, by id
}

func (m *member) find() *member {
	for m.root != m {
		m.root = m.root.root
		m = m.root
	}
	return m
}

func join(a, b *member) {
	x, y := a.find(), b.find()
	if x == y {
		return
	}
	if byID(y, x) < 0 {
		x, y = y, x
	}
	y.root = x
}

func byID(a, b *member) int { return bytes.Compare(a.id[:], b.id[:]) }

// oldest is the member a group is named after: the first that was registered.
func oldest(list []*member) *member {
	return slices.MinFunc(list, func(a, b *member) int {
		return cmp.Or(cmp.Compare(a.created, b.created), byID(a, b))
	})
}

// idPair is two record ids, the smaller first.
type idPair [2]schema.RecordID

func pairOf(a, b schema.RecordID) idPair {
	if bytes.Compare(a[:], b[:]) > 0 {
		a, b = b, a
	}
	return idPair{a, b}
}

// word is what a person said of a pair.
type word struct {
	same bool
	at   []byte
	n    int64 // of the decision; 0: it was not said yet
}

// ground is a set of whole components of customers: their members, pairs, and what was
// stated and decided of them, read from one transaction.
type ground struct {
	g     *Golden
	r     store.ListReader
	m     *match.Model
	shelf *shelf
	// tried are decisions as if they stood.
	tried map[idPair]bool

	members map[int64]*member
	ids     map[schema.RecordID]*member
	edges   map[pair]match.Verdict // with one end among the members at least
	said    map[idPair][]word
	stated  map[Key][]*member // who states a key
	common  map[Key]bool      // stated by too many to be one
	// prepared of members, as far as they were asked for
	prepared map[int64]*match.Prepared
	vetoes   map[idPair]bool
}

func (g *Golden) ground(r store.ListReader, m *match.Model, s *shelf) *ground {
	return &ground{
		g: g, r: r, m: m, shelf: s, tried: map[idPair]bool{}, members: map[int64]*member{}, ids: map[schema.RecordID]*member{},
		edges: map[pair]match.Verdict{}, said: map[idPair][]word{}, stated: map[Key][]*member{}, common: map[Key]bool{}, prepared: map[int64]*match.Prepared{}, vetoes: map[idPair]bool{},
	}
}

// collect gathers the components of records, and whoever was grouped with one of them.
func (x *ground) collect(seeds []int64) error {
	next := slices.Clone(seeds)
	for len(next) > 0 {
		slices.Sort(next)
		next = slices.DeleteFunc(slices.Compact(next), func(n int64) bool { return x.members[n] != nil })
		list, err := x.add(next)
		if err != nil {
			return err
		}
		next = nil
		for _, f := range []func([]*member) ([]int64, error){x.grouped, x.paired, x.decided, x.states} {
			more, err := f(list)
			if err != nil {
				return err
			}
			next = append(next, more...)
		}
	}
	return nil
}

// add reads records that are customers.
func (x *ground) add(ns []int64) (list []*member, err error) {
	if err := x.r.In("SELECT n, id, kind, created, grp FROM record WHERE n", "", anys(ns), func(rows *stdsql.Rows) error {
		m, err := scanMember(rows)
		if err == nil && m.kind == schema.Customer {
			x.members[m.n], x.ids[m.id] = m, m
			list = append(list, m)
		}
		return err
	}); err != nil {
		return nil, err
	}
	err = x.r.In("SELECT n FROM match_node WHERE n", "", anys(ns), func(rows *stdsql.Rows) error {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return fmt.Errorf("read nodes: %w", err)
		}
		if m := x.members[n]; m != nil {
			m.live = true
		}
		return nil
	})
	return list, err
}

func scanMember(rows *stdsql.Rows) (*member, error) {
	m := new(member)
	var id []byte
	var grp stdsql.NullInt64
	if err := rows.Scan(&m.n, &id, &m.kind, &m.created, &grp); err != nil {
		return nil, fmt.Errorf("read members: %w", err)
	}
	m.id, m.grp, m.root = schema.RecordID(id), grp.Int64, m
	if m.created == 0 {
		m.created = m.id.Time().UnixMilli() // the change that made it is not known
	}
	return m, nil
}

// grouped are the records that were in a group with one of the list.
func (x *ground) grouped(list []*member) ([]int64, error) {
	var out []int64
	grps := map[int64]bool{}
	for _, m := range list {
		if m.grp != 0 {
			grps[m.grp] = true
		}
	}
	err := x.r.In("SELECT n FROM record WHERE grp", "", anys(slices.Sorted(maps.Keys(grps))), scanN(&out))
	return out, err
}

// paired are those one with one of the list by its contents.
func (x *ground) paired(list []*member) ([]int64, error) {
	var out []int64
	ns := make([]int64, len(list))
	for i, m := range list {
		ns[i] = m.n
	}
	err := x.r.In("SELECT a, b, strangers, sharers, flags FROM match_edge WHERE a", "", anys(ns), func(rows *stdsql.Rows) error {
		k, v, err := scanEdge(rows)
		if err == nil {
			x.edges[pairOfN(k.a, k.b)] = v
			if v.Joins() {
				out = append(out, k.b)
			}
		}
		return err
	})
	return out, err
}

// decided are those of whom a person said that they are one with one of the list.
func (x *ground) decided(list []*member) ([]int64, error) {
	ids := make([]any, len(list))
	for i, m := range list {
		ids[i] = m.id[:]
	}
	named := map[schema.RecordID]bool{}
	take := func(rows *stdsql.Rows) error {
		var a, b []byte
		var w word
		if err := rows.Scan(&a, &b, &w.n, &w.same, &w.at); err != nil {
			return fmt.Errorf("read decisions: %w", err)
		}
		k := idPair{schema.RecordID(a), schema.RecordID(b)}
		if !slices.ContainsFunc(x.said[k], func(o word) bool { return o.n == w.n }) {
			x.said[k] = append(x.said[k], w)
		}
		if w.same {
			named[k[0]], named[k[1]] = true, true
		}
		return nil
	}
	const columns = "SELECT a, b, n, same, at FROM match_said WHERE "
	if err := x.r.In(columns+"a", "", ids, take); err != nil {
		return nil, err
	}
	if err := x.r.In(columns+"b", "", ids, take); err != nil {
		return nil, err
	}
	for k, same := range x.tried {
		for i, id := range k {
			if m := x.ids[id]; m != nil && same && slices.Contains(list, m) {
				named[k[1-i]] = true
			}
		}
	}
	return x.numbers(named)
}

// numbers are the record numbers of ids not among the members yet.
func (x *ground) numbers(ids map[schema.RecordID]bool) ([]int64, error) {
	var out []int64
	var keys []any
	for id := range ids {
		if x.ids[id] == nil {
			keys = append(keys, bytes.Clone(id[:]))
		}
	}
	err := x.r.In("SELECT n FROM record WHERE id", "", keys, scanN(&out))
	return out, err
}

// states are those one with one of the list by what one of them states: same_as, or an
// id of one source system.
func (x *ground) states(list []*member) ([]int64, error) {
	ns := make([]int64, len(list))
	same := map[schema.RecordID]bool{}
	for i, m := range list {
		ns[i] = m.n
		same[m.id] = true
	}
	keys := map[Key]bool{}
	if err := x.r.In(fmt.Sprintf("SELECT kind, key, n FROM evidence WHERE kind IN (%d, %d, %d) AND n", feed.KeyNationalID, feed.KeySource, feed.KeySame), "", anys(ns), func(rows *stdsql.Rows) error {
		k, n, err := scanKey(rows)
		if err != nil {
			return err
		}
		if k.Kind == feed.KeySame {
			same[k.id()] = true
		} else {
			keys[k] = true
		}
		if m := x.members[n]; m != nil && !slices.Contains(x.stated[k], m) {
			x.stated[k] = append(x.stated[k], m)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	// Who is named, and who else names them. Most name nobody and are named by nobody.
	var named []any
	for id := range same {
		named = append(named, bytes.Clone(id[:]))
	}
	if err := x.r.In(fmt.Sprintf("SELECT kind, key, n FROM evidence WHERE kind = %d AND key", feed.KeySame), "", named, func(rows *stdsql.Rows) error {
		k, _, err := scanKey(rows)
		keys[k] = true
		return err
	}); err != nil {
		return nil, err
	}
	var out []int64
	for k := range keys {
		holders, err := x.holders(k, maxGroup)
		if err != nil {
			return nil, err
		}
		if holders == nil {
			x.common[k] = true
		}
		out = append(out, holders...)
	}
	targets := map[schema.RecordID]bool{}
	for k := range keys {
		if k.Kind == feed.KeySame && !x.common[k] {
			targets[k.id()] = true
		}
	}
	more, err := x.numbers(targets)
	return append(out, more...), err
}

// holders are the records that state a key, nil where more than most do.
func (x *ground) holders(k Key, most int) ([]int64, error) {
	out := []int64{}
	err := x.r.Each(fmt.Sprintf("SELECT n FROM evidence WHERE kind = $1 AND key = $2 LIMIT %d", most+1), []any{k.Kind, []byte(k.Value)}, scanN(&out))
	if len(out) > most {
		return nil, err
	}
	return out, err
}

func scanKey(rows *stdsql.Rows) (k Key, n int64, err error) {
	var key []byte
	if err := rows.Scan(&k.Kind, &key, &n); err != nil {
		return k, 0, fmt.Errorf("read keys: %w", err)
	}
	k.Value, k.Joins = string(key), true
	return k, n, nil
}

// counts is the word about a pair that counts: the latest.
func (x *ground) counts(k idPair) (w word, ok bool) {
	if same, tried := x.tried[k]; tried {
		return word{same: same}, true
	}
	for _, o := range x.said[k] {
		if !ok || bytes.Compare(o.at, w.at) > 0 {
			w, ok = o, true
		}
	}
	return w, ok
}

// facts are all pairs among the members that a word or a statement makes one or keeps
// apart: true is same.
func (x *ground) facts() (map[idPair]bool, error) {
	out := map[idPair]bool{}
	for k, list := range x.stated {
		if x.common[k] {
			continue
		}
		list = slices.Clone(list)
		slices.SortFunc(list, byID)
		if k.Kind == feed.KeySame {
			first := list[0]
			if t := x.ids[k.id()]; t != nil && t.live {
				first = t
			}
			for _, m := range list {
				if m != first {
					out[pairOf(first.id, m.id)] = true
				}
			}
			continue
		}
		for i, m := range list {
			for _, o := range list[:i] {
				veto, err := x.vetoed(m, o)
				if err != nil {
					return nil, err
				}
				if !veto {
					out[pairOf(m.id, o.id)] = true
					break
				}
			}
		}
	}
	for k := range x.said {
		if w, ok := x.counts(k); ok {
			out[k] = w.same
		}
	}
	for k, same := range x.tried {
		out[k] = same
	}
	for k := range out {
		if a, b := x.ids[k[0]], x.ids[k[1]]; a == nil || b == nil || !a.live || !b.live {
			delete(out, k)
		}
	}
	return out, nil
}

// vetoed tells whether two names conflict as those of one party never do.
func (x *ground) vetoed(a, b *member) (bool, error) {
	k := pairOf(a.id, b.id)
	if v, ok := x.vetoes[k]; ok {
		return v, nil
	}
	if err := x.ready([]*member{a, b}); err != nil {
		return false, err
	}
	p, q := x.prepared[a.n], x.prepared[b.n]
	v := p == nil || q == nil || x.m.Score(p, q).Veto
	x.vetoes[k] = v
	return v, nil
}

// ready takes members apart, without what is common.
func (x *ground) ready(list []*member) error {
	var ns []int64
	for _, m := range list {
		if x.prepared[m.n] == nil {
			ns = append(ns, m.n)
		}
	}
	if len(ns) == 0 {
		return nil
	}
	more, err := x.g.prepare(x.r, x.m, x.shelf, ns)
	if err != nil {
		return err
	}
	if err := without(x.r, x.m, more); err != nil {
		return err
	}
	maps.Copy(x.prepared, more)
	return nil
}

var _ store.ListReader = (*store.R)(nil)
