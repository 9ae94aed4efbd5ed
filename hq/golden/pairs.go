package golden

import (
	"cmp"
	stdsql "database/sql"
	"fmt"
	"maps"
	"slices"

	"branchline/hq/match"
)

// pair is two record numbers, the smaller first.
type pair struct{ a, b int64 }

func pairOfN(a, b int64) pair { return pair{min(a, b), max(a, b)} }

const (
	flagBound = 1
	flagVeto  = 2
)

// pairing sets the pairs of customers anew whose keys have moved (match_edge).
type pairing struct {
	*rows
	m       *match.Model
	touched map[int64]struct{} // whose component may be another
	// beside are those who stand near somebody who entered the row of a key: some of them
	// may stand too far apart now. Of one who entered alone it is known which: apart.
	beside map[uint64]map[int64]bool
	apart  map[pair]bool
	meets  map[pair]struct{} // pairs that stand near one another, or may do so only now
}

// pair makes the stored keys and pairs those of the entries. Whose component may be
// another now comes back. Only entries that say something else than they did are looked at.
func (b *batch) pair(m *match.Model, list []*entry) (touched []int64, err error) {
	p := &pairing{rows: newRows(b), m: m, touched: map[int64]struct{}{}, beside: map[uint64]map[int64]bool{}, apart: map[pair]bool{}, meets: map[pair]struct{}{}}
	if err := p.changed(list); err != nil || len(p.entries) == 0 {
		return nil, err
	}
	if err := p.move(); err != nil {
		return nil, err
	}
	if err := p.turn(); err != nil {
		return nil, err
	}
	if err := p.wholly(); err != nil {
		return nil, err
	}
	if err := p.meet(); err != nil {
		return nil, err
	}
	if err := p.compare(); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(p.touched)), nil
}

// meet finds the pairs to be compared: of the entries with all they meet, and of others
// that somebody who went had kept apart.
func (p *pairing) meet() error {
	for n := range p.entries {
		p.touched[n] = struct{}{}
	}
	for n, x := range p.is {
		for _, k := range x.keys {
			if _, is := p.many[k]; !is {
				for _, o := range p.few[k] {
					p.met(n, o)
				}
				continue
			}
			if !match.Whole(k) {
				continue
			}
			before, after, err := p.around(k, x)
			if err != nil {
				return err
			}
			here := stander{n, x.word}
			for _, o := range slices.Concat(before, after) {
				if here.namesake(o) {
					p.met(n, o.n)
				}
			}
			switch {
			case !slices.Contains(p.come[k], x):
			case len(p.come[k]) == 1:
				// It parted those who stood farthest apart around it, and no others.
				for i, a := range before {
					if j := match.Beside - 1 - i; j < len(after) {
						p.stand(k, a.n, after[j].n)
						p.apart[pairOfN(a.n, after[j].n)] = true
					}
				}
			default:
				for _, o := range slices.Concat(before, after) {
					p.stand(k, o.n)
				}
			}
		}
	}
	for k, list := range p.wide {
		p.stand(k, list...)
	}
	for _, list := range p.short {
		for i, a := range list {
			for _, b := range list[:i] {
				p.met(a, b)
			}
		}
	}
	for k, list := range p.gone {
		for _, x := range list {
			before, after, err := p.around(k, x)
			if err != nil {
				return err
			}
			for i, a := range before {
				for j := max(0, match.Beside-len(list)-i); j < len(after) && i+j < match.Beside; j++ {
					if a.namesake(after[j]) {
						p.met(a.n, after[j].n)
					}
				}
			}
		}
	}
	return nil
}

// standNear tells whether it is known already that two meet in the row of a long key.
func (p *pairing) standNear(key uint64, a, b int64) bool {
	l := p.lines[key]
	if l == nil {
		return false
	}
	x, is := l.at[a]
	y, too := l.at[b]
	return is && too && max(x-y, y-x) <= match.Beside && l.order[x].namesake(l.order[y])
}

func (p *pairing) met(a, b int64) {
	if a != b {
		p.meets[pairOfN(a, b)] = struct{}{}
	}
}

// stand notes who stands beside somebody who entered the row of a key: of them some may
// stand too far apart now.
func (p *pairing) stand(k uint64, list ...int64) {
	at := p.beside[k]
	if at == nil {
		at = map[int64]bool{}
		p.beside[k] = at
	}
	for _, n := range list {
		if p.entries[n] == nil {
			at[n] = true
		}
	}
}

// compare sets the pairs.
func (p *pairing) compare() error {
	need := map[int64]struct{}{} // whose stored pairs are asked for
	for n := range p.entries {
		need[n] = struct{}{}
	}
	for _, at := range p.beside {
		for n := range at {
			need[n] = struct{}{}
		}
	}
	load := map[int64]struct{}{}
	for k := range p.meets {
		load[k.a], load[k.b] = struct{}{}, struct{}{}
		if p.entries[k.a] == nil && p.entries[k.b] == nil {
			need[k.a] = struct{}{}
		}
	}
	was := map[pair]match.Verdict{}
	with := map[int64][]int64{}
	if err := p.b.w.In("SELECT a, b, strangers, sharers, flags FROM match_edge WHERE a", "", anys(slices.Sorted(maps.Keys(need))), func(rows *stdsql.Rows) error {
		k, v, err := scanEdge(rows)
		was[pairOfN(k.a, k.b)] = v
		with[k.a] = append(with[k.a], k.b)
		return err
	}); err != nil {
		return err
	}
	for n := range p.entries {
		delete(load, n)
	}
	prepared, err := p.b.g.prepare(p.b.w, p.m, &p.b.g.shelf, slices.Sorted(maps.Keys(load)))
	if err != nil {
		return err
	}
	for n, e := range p.entries {
		if e.p != nil {
			prepared[n] = e.p
		}
	}
	if err := without(p.b.w, p.m, prepared); err != nil {
		return err
	}
	is := map[pair]match.Verdict{}
	for k := range p.meets {
		x, y := prepared[k.a], prepared[k.b]
		if x == nil || y == nil {
			continue
		}
		if v, had := was[k]; had && p.entries[k.a] == nil && p.entries[k.b] == nil {
			is[k] = v
		} else if v := p.m.Score(x, y); v.Near() {
			is[k] = v
		}
	}
	parted, err := p.parted(with, is)
	if err != nil {
		return err
	}
	for k := range was {
		// Pairs of others stay, but for those that do not meet any more.
		if p.entries[k.a] == nil && p.entries[k.b] == nil && !parted[k] {
			delete(was, k)
			delete(is, k)
		}
	}
	return p.write(was, is)
}

// parted are the stored pairs of others that do not stand near one another any more in
// the row of any key.
func (p *pairing) parted(with map[int64][]int64, is map[pair]match.Verdict) (map[pair]bool, error) {
	doubt := map[pair]bool{}
	ns := map[int64]struct{}{}
	for key, at := range p.beside {
		alone := len(p.come[key]) == 1
		for a := range at {
			for _, b := range with[a] {
				if k := pairOfN(a, b); at[b] && (!alone || p.apart[k]) && !p.standNear(key, a, b) {
					if _, meets := is[k]; !meets {
						doubt[k] = true
						ns[a], ns[b] = struct{}{}, struct{}{}
					}
				}
			}
		}
	}
	if len(doubt) == 0 {
		return nil, nil
	}
	places, err := p.places(slices.Sorted(maps.Keys(ns)))
	if err != nil {
		return nil, err
	}
	common := map[pair][]uint64{}
	var all []any
	for k := range doubt {
		x, y := places[k.a], places[k.b]
		if x == nil || y == nil {
			continue
		}
		none := func(uint64) {}
		each(x.keys, y.keys, none, none, func(key uint64) {
			common[k] = append(common[k], key)
			all = append(all, int64(key))
		})
	}
	many := map[uint64]bool{}
	if err := p.b.w.In("SELECT key FROM match_crowd WHERE key", "", all, func(rows *stdsql.Rows) error {
		var k int64
		if err := rows.Scan(&k); err != nil {
			return fmt.Errorf("read long keys: %w", err)
		}
		many[uint64(k)] = true
		return nil
	}); err != nil {
		return nil, err
	}
	for k := range doubt {
		found := slices.ContainsFunc(common[k], func(key uint64) bool { return !many[key] })
		for i := 0; !found && i < len(common[k]); i++ {
			if found, err = p.near(common[k][i], places[k.a], places[k.b]); err != nil {
				return nil, err
			}
		}
		if found {
			delete(doubt, k)
		}
	}
	return doubt, nil
}

// write makes the stored pairs was those of is.
func (p *pairing) write(was, is map[pair]match.Verdict) error {
	touch := func(k pair, v match.Verdict) {
		// A pair that does not join is a matter of one side.
		p.touched[k.a] = struct{}{}
		if v.Joins() {
			p.touched[k.b] = struct{}{}
		}
	}
	for k, v := range was {
		if x, still := is[k]; still && x == v {
			delete(is, k)
			continue
		}
		touch(k, v)
		for _, at := range [2]pair{k, {k.b, k.a}} {
			if _, err := p.b.w.Exec("DELETE FROM match_edge WHERE a = $1 AND b = $2", at.a, at.b); err != nil {
				return err
			}
		}
	}
	args := make([]any, 0, 10*len(is))
	for _, k := range slices.SortedFunc(maps.Keys(is), func(x, y pair) int { return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b)) }) {
		v := is[k]
		touch(k, v)
		flags := int64(0)
		if v.Bound {
			flags |= flagBound
		}
		if v.Veto {
			flags |= flagVeto
		}
		args = append(args, k.a, k.b, int64(v.Strangers), int64(v.Sharers), flags, k.b, k.a, int64(v.Strangers), int64(v.Sharers), flags)
	}
	_, err := p.b.w.Insert("INSERT INTO match_edge (a, b, strangers, sharers, flags)", "", 5, args)
	return err
}

func scanEdge(rows *stdsql.Rows) (k pair, v match.Verdict, err error) {
	var flags int
	if err := rows.Scan(&k.a, &k.b, &v.Strangers, &v.Sharers, &flags); err != nil {
		return k, v, fmt.Errorf("read pairs: %w", err)
	}
	v.Bound, v.Veto = flags&flagBound != 0, flags&flagVeto != 0
	return k, v, nil
}
