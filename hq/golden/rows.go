package golden

import (
	"bytes"
	"cmp"
	stdsql "database/sql"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"branchline/hq/match"
	"branchline/schema"
)

// entry is a customer whose keys and pairs are to be set anew; p is nil for one that is
// not live any more.
type entry struct {
	n   int64
	id  schema.RecordID
	p   *match.Prepared
	sum int64
	// facts are the values that p was made of.
	facts []byte
}

// place is what is kept of a live customer's keys: they are ascending, and in the row of
// each it stands by its word and then by its id.
type place struct {
	n    int64
	id   schema.RecordID
	word string
	keys []uint64
	sum  int64
}

// long tells whether a key's holders stand in a row: they are too many for all to meet.
func long(holders int) bool { return holders > match.Long }

// stander is one who stands in the row of a long key.
type stander struct {
	n    int64
	word string
}

func (s stander) namesake(o stander) bool { return match.Namesakes(s.word, o.word) }

// rows moves customers within the rows of their keys (match_node, match_key, match_crowd,
// match_row). Of a key that few have no order is kept: all of them meet.
type rows struct {
	b       *batch
	entries map[int64]*entry
	was, is map[int64]*place
	few     map[uint64][]int64  // holders of short keys, as they are after the move
	many    map[uint64]int      // how many hold the long ones
	gone    map[uint64][]*place // who left the row of a long key
	come    map[uint64][]*place // who entered it
	wide    map[uint64][]int64  // keys that became long: their holders
	short   map[uint64][]int64  // keys that became short: their holders
	lines   map[uint64]*line    // rows of long keys that were read whole
	crowds  map[uint64]*crowd   // the names in the rows of keys that are somebody's own, or would be
}

// line is the row of a long key.
type line struct {
	order []stander
	at    map[int64]int
}

func newRows(b *batch) *rows {
	return &rows{
		b: b, entries: map[int64]*entry{}, was: map[int64]*place{}, is: map[int64]*place{}, few: map[uint64][]int64{}, many: map[uint64]int{},
		gone: map[uint64][]*place{}, come: map[uint64][]*place{}, wide: map[uint64][]int64{}, short: map[uint64][]int64{}, lines: map[uint64]*line{}, crowds: map[uint64]*crowd{},
	}
}

// changed keeps the entries that say something else than they did.
func (r *rows) changed(list []*entry) error {
	ns := make([]int64, len(list))
	for i, e := range list {
		ns[i] = e.n
		r.entries[e.n] = e
	}
	old, err := r.places(ns)
	if err != nil {
		return err
	}
	for n, e := range r.entries {
		was := old[n]
		if was == nil && e.p == nil || was != nil && e.p != nil && was.sum == e.sum {
			delete(r.entries, n)
			continue
		}
		if was != nil {
			r.was[n] = was
		}
		if e.p != nil {
			r.is[n] = &place{n, e.id, e.p.Word(), e.p.Keys(), e.sum}
		}
	}
	return nil
}

func (r *rows) places(ns []int64) (map[int64]*place, error) {
	out := map[int64]*place{}
	err := r.b.w.In("SELECT n, id, sum, word, keys FROM match_node WHERE n", "", anys(ns), func(rows *stdsql.Rows) error {
		x := new(place)
		var id, word, keys []byte
		if err := rows.Scan(&x.n, &id, &x.sum, &word, &keys); err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		x.id, x.word, x.keys = schema.RecordID(id), string(word), unpack(keys)
		out[x.n] = x
		return nil
	})
	return out, err
}

// shift is who gives a key up, who takes it, and who stands elsewhere in its row.
type shift struct{ less, more, moved []int64 }

// move gives the entries their keys.
func (r *rows) move() error {
	shifts := map[uint64]*shift{}
	at := func(k uint64) *shift {
		if shifts[k] == nil {
			shifts[k] = &shift{}
		}
		return shifts[k]
	}
	var gone, nodes []any
	var all []uint64
	none := &place{}
	for _, n := range slices.Sorted(maps.Keys(r.entries)) {
		was, is := r.was[n], r.is[n]
		if was == nil {
			was = none
		}
		if is == nil {
			is = none
			gone = append(gone, n)
		} else {
			nodes = append(nodes, n, is.id[:], is.sum, []byte(is.word), pack(is.keys), r.entries[n].facts)
		}
		each(was.keys, is.keys,
			func(k uint64) { s := at(k); s.less = append(s.less, n) },
			func(k uint64) { s := at(k); s.more = append(s.more, n) },
			func(k uint64) {
				if was.word != is.word {
					s := at(k)
					s.moved = append(s.moved, n)
				}
			})
		all = append(append(all, was.keys...), is.keys...)
	}
	w := r.b.w
	if err := w.ExecIn("DELETE FROM match_node WHERE n", "", gone); err != nil {
		return err
	}
	if _, err := w.Insert("INSERT INTO match_node (n, id, sum, word, keys, facts)", "ON CONFLICT (n) DO UPDATE SET sum = excluded.sum, word = excluded.word, keys = excluded.keys, facts = excluded.facts", 6, nodes); err != nil {
		return err
	}
	if err := r.load(all); err != nil {
		return err
	}
	var keys, lines []any // new rows of match_key and match_row
	for _, k := range slices.Sorted(maps.Keys(shifts)) {
		var err error
		if holders, is := r.many[k]; is {
			keys, lines, err = r.shiftLong(k, holders, shifts[k], keys, lines)
		} else {
			keys, lines, err = r.shiftShort(k, shifts[k], keys, lines)
		}
		if err != nil {
			return err
		}
	}
	if _, err := w.Insert("INSERT INTO match_key (key, n)", "", 2, keys); err != nil {
		return err
	}
	if _, err := w.Insert("INSERT INTO match_row (key, word, id, n)", "", 4, lines); err != nil {
		return err
	}
	if err := r.recount(); err != nil {
		return err
	}
	return r.shorten()
}

func (r *rows) shiftLong(k uint64, holders int, s *shift, keys, lines []any) ([]any, []any, error) {
	if err := r.uncount(k, s); err != nil {
		return nil, nil, err
	}
	if match.Whole(k) {
		for _, n := range slices.Concat(s.less, s.moved) {
			p := r.was[n]
			if _, err := r.b.w.Exec("DELETE FROM match_row WHERE key = $1 AND word = $2 AND id = $3", int64(k), []byte(p.word), p.id[:]); err != nil {
				return nil, nil, err
			}
			r.gone[k] = append(r.gone[k], p)
		}
		for _, n := range slices.Concat(s.more, s.moved) {
			p := r.is[n]
			lines = append(lines, int64(k), []byte(p.word), p.id[:], n)
			r.come[k] = append(r.come[k], p)
		}
	} else {
		if err := r.lose(k, s.less); err != nil {
			return nil, nil, err
		}
		for _, n := range s.more {
			keys = append(keys, int64(k), n)
		}
	}
	if len(s.more) == len(s.less) {
		return keys, lines, nil
	}
	r.many[k] = holders + len(s.more) - len(s.less)
	_, err := r.b.w.Exec("UPDATE match_crowd SET holders = $1 WHERE key = $2", r.many[k], int64(k))
	return keys, lines, err
}

// lose takes a key without a row off some.
func (r *rows) lose(k uint64, list []int64) error {
	for _, n := range list {
		if _, err := r.b.w.Exec("DELETE FROM match_key WHERE key = $1 AND n = $2", int64(k), n); err != nil {
			return err
		}
	}
	return nil
}

// shorten makes long keys short that few hold now.
func (r *rows) shorten() error {
	for k, n := range r.many {
		if long(n) {
			continue
		}
		table := "match_key"
		if match.Whole(k) {
			table = "match_row"
		}
		var holders []int64
		if err := r.b.w.Each("SELECT n FROM "+table+" WHERE key = $1", []any{int64(k)}, scanN(&holders)); err != nil {
			return err
		}
		if match.Whole(k) {
			var keys []any
			for _, h := range holders {
				keys = append(keys, int64(k), h)
			}
			if _, err := r.b.w.Insert("INSERT INTO match_key (key, n)", "", 2, keys); err != nil {
				return err
			}
			if _, err := r.b.w.Exec("DELETE FROM match_row WHERE key = $1", int64(k)); err != nil {
				return err
			}
		}
		if _, err := r.b.w.Exec("DELETE FROM match_crowd WHERE key = $1", int64(k)); err != nil {
			return err
		}
		r.few[k], r.short[k] = holders, holders
		delete(r.many, k)
		delete(r.gone, k)
		delete(r.come, k)
	}
	return nil
}

func (r *rows) shiftShort(k uint64, s *shift, keys, lines []any) ([]any, []any, error) {
	list := slices.DeleteFunc(r.few[k], func(n int64) bool { return slices.Contains(s.less, n) })
	list = append(list, s.more...)
	names := 0
	if grown := long(len(list)); !grown || !match.Whole(k) {
		if err := r.lose(k, s.less); err != nil {
			return nil, nil, err
		}
		for _, n := range s.more {
			keys = append(keys, int64(k), n)
		}
		if !grown {
			r.few[k] = list
			return keys, lines, nil
		}
	} else {
		places, err := r.places(list)
		if err != nil {
			return nil, nil, err
		}
		have := map[string]bool{}
		for _, n := range list {
			if p := places[n]; p != nil {
				lines = append(lines, int64(k), []byte(p.word), p.id[:], n)
				have[match.NameOf(p.word)] = true
			}
		}
		if match.Own(k) {
			names = len(have)
			r.crowds[k] = &crowd{names: names}
		}
		if _, err := r.b.w.Exec("DELETE FROM match_key WHERE key = $1", int64(k)); err != nil {
			return nil, nil, err
		}
	}
	if _, err := r.b.w.Exec("INSERT INTO match_crowd (key, holders, names) VALUES ($1, $2, $3)", int64(k), len(list), names); err != nil {
		return nil, nil, err
	}
	r.many[k], r.wide[k] = len(list), list
	delete(r.few, k)
	return keys, lines, nil
}

// load reads who has keys, where that is not known yet.
func (r *rows) load(keys []uint64) error {
	slices.Sort(keys)
	keys = slices.DeleteFunc(slices.Compact(keys), func(k uint64) bool {
		_, many := r.many[k]
		_, few := r.few[k]
		return many || few
	})
	if err := r.b.w.In("SELECT key, holders, names FROM match_crowd WHERE key", "", signed(keys), func(rows *stdsql.Rows) error {
		var k int64
		var n, names int
		if err := rows.Scan(&k, &n, &names); err != nil {
			return fmt.Errorf("read long keys: %w", err)
		}
		if r.many[uint64(k)] = n; match.Own(uint64(k)) {
			r.crowds[uint64(k)] = &crowd{was: common(names), names: names}
		}
		return nil
	}); err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(k uint64) bool { _, many := r.many[k]; return many })
	for _, k := range keys {
		r.few[k] = nil
	}
	return r.b.w.In("SELECT key, n FROM match_key WHERE key", "", signed(keys), func(rows *stdsql.Rows) error {
		var k, n int64
		if err := rows.Scan(&k, &n); err != nil {
			return fmt.Errorf("read who has keys: %w", err)
		}
		r.few[uint64(k)] = append(r.few[uint64(k)], n)
		return nil
	})
}

// wholly reads rows whole where that is less than to look around each of those who moved in them.
func (r *rows) wholly() error {
	for k, n := range r.many {
		if moved := len(r.come[k]); moved < 3 || n > 16*moved {
			continue
		}
		l := &line{at: map[int64]int{}}
		if err := r.b.w.Each("SELECT n, word FROM match_row WHERE key = $1 ORDER BY word, id", []any{int64(k)}, scanStander(&l.order)); err != nil {
			return err
		}
		for i, s := range l.order {
			l.at[s.n] = i
		}
		r.lines[k] = l
	}
	return nil
}

// around gives who stands at most match.Beside from a place in the row of a long key, the nearest first.
func (r *rows) around(k uint64, p *place) (before, after []stander, err error) {
	if l := r.lines[k]; l != nil {
		if at, is := l.at[p.n]; is && r.is[p.n] == p {
			before = slices.Clone(l.order[max(0, at-match.Beside):at])
			slices.Reverse(before)
			return before, l.order[at+1 : min(len(l.order), at+1+match.Beside)], nil
		}
	}
	args := []any{int64(k), []byte(p.word), p.id[:]}
	if err := r.b.w.Each(fmt.Sprintf("SELECT n, word FROM match_row WHERE key = $1 AND (word, id) < ($2, $3) ORDER BY word DESC, id DESC LIMIT %d", match.Beside), args, scanStander(&before)); err != nil {
		return nil, nil, err
	}
	err = r.b.w.Each(fmt.Sprintf("SELECT n, word FROM match_row WHERE key = $1 AND (word, id) > ($2, $3) ORDER BY word, id LIMIT %d", match.Beside), args, scanStander(&after))
	return before, after, err
}

func scanStander(out *[]stander) func(*stdsql.Rows) error {
	return func(rows *stdsql.Rows) error {
		var s stander
		var word stdsql.RawBytes
		if err := rows.Scan(&s.n, &word); err != nil {
			return fmt.Errorf("read rows of keys: %w", err)
		}
		s.word = string(word)
		*out = append(*out, s)
		return nil
	}
}

// near tells whether two meet by a long key.
func (r *rows) near(k uint64, a, b *place) (bool, error) {
	if !match.Whole(k) || !match.Namesakes(a.word, b.word) {
		return false, nil
	}
	if l := r.lines[k]; l != nil {
		return max(l.at[a.n]-l.at[b.n], l.at[b.n]-l.at[a.n]) <= match.Beside, nil
	}
	if cmp.Or(strings.Compare(a.word, b.word), bytes.Compare(a.id[:], b.id[:])) > 0 {
		a, b = b, a
	}
	var n int
	_, err := r.b.w.Scan(fmt.Sprintf("SELECT COUNT(*) FROM (SELECT 1 FROM match_row WHERE key = $1 AND (word, id) > ($2, $3) AND (word, id) < ($4, $5) LIMIT %d)", match.Beside),
		[]any{int64(k), []byte(a.word), a.id[:], []byte(b.word), b.id[:]}, &n)
	return n < match.Beside, err
}

// each walks two ascending lists and calls what is only in one of them, and in both.
func each(was, is []uint64, less, more, both func(uint64)) {
	for i, j := 0, 0; i < len(was) || j < len(is); {
		switch {
		case j == len(is) || i < len(was) && was[i] < is[j]:
			less(was[i])
			i++
		case i == len(was) || is[j] < was[i]:
			more(is[j])
			j++
		default:
			both(was[i])
			i, j = i+1, j+1
		}
	}
}

func pack(keys []uint64) []byte {
	out := make([]byte, 0, 8*len(keys))
	for _, k := range keys {
		out = binary.BigEndian.AppendUint64(out, k)
	}
	return out
}

func unpack(b []byte) []uint64 {
	out := make([]uint64, len(b)/8)
	for i := range out {
		out[i] = binary.BigEndian.Uint64(b[8*i:])
	}
	return out
}

func signed(keys []uint64) []any {
	out := make([]any, len(keys))
	for i, k := range keys {
		out[i] = int64(k)
	}
	return out
}
