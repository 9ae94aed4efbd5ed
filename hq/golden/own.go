package golden

import (
	stdsql "database/sql"
	"fmt"
	"maps"
	"slices"

	"branchline/hq/match"
	"branchline/hq/store"
)

// A telephone, a plate or another value that would be somebody's own and that more than
// match.Long names have is nobody's: see match.Own. It is left out when customers are
// compared; who has it is compared anew when it becomes so, and when it is so no more.

// common tells whether a value of so many names is nobody's own.
func common(names int) bool { return names > match.Long }

// crowd is who stands in the row of a long key.
type crowd struct {
	was   bool // common, before the move
	names int  // as they are after it
	moved map[string]bool
}

// uncount takes the names of those who move in a row off its count. recount adds those that
// stand there afterwards.
func (r *rows) uncount(k uint64, s *shift) error {
	c := r.crowds[k]
	if c == nil {
		return nil
	}
	c.moved = map[string]bool{}
	for _, n := range slices.Concat(s.less, s.moved) {
		c.moved[match.NameOf(r.was[n].word)] = true
	}
	for _, n := range slices.Concat(s.more, s.moved) {
		c.moved[match.NameOf(r.is[n].word)] = true
	}
	n, err := r.standing(k, c.moved)
	c.names -= n
	return err
}

func (r *rows) recount() error {
	for _, k := range slices.Sorted(maps.Keys(r.crowds)) {
		c := r.crowds[k]
		if c.moved == nil {
			continue
		}
		n, err := r.standing(k, c.moved)
		if err != nil {
			return err
		}
		c.names += n
		if _, err := r.b.w.Exec("UPDATE match_crowd SET names = $1 WHERE key = $2", c.names, int64(k)); err != nil {
			return err
		}
	}
	return nil
}

// standing is how many of some names stand in a row.
func (r *rows) standing(k uint64, names map[string]bool) (n int, err error) {
	for name := range names {
		var one int
		// A word is a name and what stands behind a zero; no other word lies between.
		found, err := r.b.w.Scan("SELECT 1 FROM match_row WHERE key = $1 AND word >= $2 AND word < $3 LIMIT 1", []any{int64(k), []byte(name), []byte(name + "\x01")}, &one)
		if err != nil {
			return 0, err
		}
		if found {
			n++
		}
	}
	return n, nil
}

// turn makes entries of the holders of values that have become common, or are so no more.
func (p *pairing) turn() error {
	var ns []int64
	for _, k := range slices.Sorted(maps.Keys(p.crowds)) {
		_, row := p.many[k]
		if c := p.crowds[k]; c.was == (row && common(c.names)) {
			continue
		}
		if !row {
			ns = append(ns, p.few[k]...)
			continue
		}
		if err := p.b.w.Each("SELECT n FROM match_row WHERE key = $1", []any{int64(k)}, scanN(&ns)); err != nil {
			return err
		}
	}
	slices.Sort(ns)
	ns = slices.DeleteFunc(slices.Compact(ns), func(n int64) bool { return p.entries[n] != nil })
	if len(ns) == 0 {
		return nil
	}
	places, err := p.places(ns)
	if err != nil {
		return err
	}
	prepared, err := p.b.g.prepare(p.b.w, p.m, &p.b.g.shelf, ns)
	if err != nil {
		return err
	}
	var keys []uint64
	for n, x := range places {
		p.entries[n] = &entry{n: n, id: x.id, p: prepared[n], sum: x.sum}
		p.was[n], p.is[n] = x, x
		keys = append(keys, x.keys...)
	}
	return p.load(keys)
}

// without leaves out of customers taken apart what is common.
func without(r store.ListReader, m *match.Model, list map[int64]*match.Prepared) error {
	is, err := commonKeys(r, slices.Collect(maps.Values(list)))
	if err != nil || is == nil {
		return err
	}
	for n, p := range list {
		list[n] = m.Without(p, is)
	}
	return nil
}

// commonKeys tells which of the keys of some customers are common; nil where none is.
func commonKeys(r store.ListReader, list []*match.Prepared) (func(key uint64) bool, error) {
	var keys []uint64
	for _, p := range list {
		keys = append(keys, slices.DeleteFunc(p.Keys(), func(k uint64) bool { return !match.Own(k) })...)
	}
	slices.Sort(keys)
	is := map[uint64]bool{}
	err := r.In(fmt.Sprintf("SELECT key FROM match_crowd WHERE names > %d AND key", match.Long), "", signed(slices.Compact(keys)), func(rows *stdsql.Rows) error {
		var k int64
		if err := rows.Scan(&k); err != nil {
			return fmt.Errorf("read common keys: %w", err)
		}
		is[uint64(k)] = true
		return nil
	})
	if len(is) == 0 {
		return nil, err
	}
	return func(key uint64) bool { return is[key] }, err
}
