package golden

import (
	"bytes"
	stdsql "database/sql"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"branchline/hq/feed"
	"branchline/hq/match"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/merge"
)

// looked is a record that is new or changed, and what there is to know of it.
type looked struct {
	n    int64
	id   schema.RecordID
	rev  schema.Rev
	kind schema.Kind
	keys []Key
	said []saying // of a decision
}

// saying is a decision about one pair.
type saying struct {
	pair idPair
	same bool
	at   []byte // orders decisions
}

// seen is what one look found.
type seen struct {
	list  []*looked
	upTo  int64 // new records were looked at up to it
	last  int64 // the last record number given
	swept int64
	state state
	// customers that are in the list, or whose cars are: as they are now.
	customers []*facts
	entries   []*entry
}

// batch is the grouping of one transaction.
type batch struct {
	g *Golden
	w *store.W
}

func (b *batch) group(s *seen, m *match.Model) error {
	stale, err := b.stale(s)
	if err != nil {
		return err
	}
	for n := range stale {
		b.g.shelf.drop(n) // it says there what is not in the tables
	}
	list := slices.DeleteFunc(slices.Clone(s.list), func(x *looked) bool { return stale[x.n] })
	entries := slices.DeleteFunc(slices.Clone(s.entries), func(e *entry) bool { return stale[e.n] })
	customers := slices.DeleteFunc(slices.Clone(s.customers), func(f *facts) bool { return stale[f.n] })
	if s.upTo > b.w.Swept() {
		b.w.SetSwept(s.upTo)
	}
	if err := b.clean(s, list, stale); err != nil {
		return err
	}
	crossed, err := b.writeKeys(s, list, customers)
	if err != nil {
		return err
	}
	more, err := b.writeSaid(list)
	if err != nil {
		return err
	}
	touched, err := b.pair(m, entries)
	if err != nil {
		return err
	}
	if s.state.phase != phasePairs {
		if err := b.regroup(m, slices.Concat(touched, crossed, more)); err != nil {
			return err
		}
	}
	return b.vehicles(list)
}

// regroup makes the groups of the customers' components anew, and the questions about them.
func (b *batch) regroup(m *match.Model, seeds []int64) error {
	if len(seeds) == 0 {
		return nil
	}
	x := b.g.ground(b.w, m, &b.g.shelf)
	if err := x.collect(seeds); err != nil {
		return err
	}
	list, err := x.cluster()
	if err != nil {
		return err
	}
	if err := b.settle(x.groupsOf(), m.Version()); err != nil {
		return err
	}
	return b.ask(slices.Sorted(maps.Keys(x.members)), list)
}

// stale are the records that have changed since they were read: they stay dirty.
func (b *batch) stale(s *seen) (map[int64]bool, error) {
	revs := map[int64]schema.Rev{}
	args := make([]any, len(s.list))
	for i, x := range s.list {
		revs[x.n], args[i] = x.rev, x.n
	}
	out := map[int64]bool{}
	err := b.w.In("SELECT n, rev FROM record WHERE n", "", args, func(rows *stdsql.Rows) error {
		var n int64
		var rev schema.Rev
		if err := rows.Scan(&n, &rev); err != nil {
			return fmt.Errorf("read rev: %w", err)
		}
		if revs[n] != rev {
			out[n] = true
		}
		return nil
	})
	return out, err
}

// clean takes the marks off what was looked at.
func (b *batch) clean(s *seen, list []*looked, stale map[int64]bool) error {
	var args []any
	for _, x := range list {
		if x.n <= s.swept { // a new one has no mark
			args = append(args, x.n)
		}
	}
	// Also records passed over for their kind may stand in dirty.
	if _, err := b.w.Exec(fmt.Sprintf("DELETE FROM dirty WHERE (SELECT kind FROM record WHERE record.n = dirty.n) NOT IN (%s)", lookedAt)); err != nil {
		return err
	}
	if err := b.w.ExecIn("DELETE FROM dirty WHERE n", "", args); err != nil {
		return err
	}
	var again []any
	for n := range stale {
		again = append(again, n)
	}
	_, err := b.w.Insert("INSERT INTO dirty (n)", "ON CONFLICT DO NOTHING", 1, again)
	return err
}

// writeKeys makes the stored keys those of the records. It gives the holders of keys
// that this may have made, or unmade, those of too many.
func (b *batch) writeKeys(s *seen, list []*looked, customers []*facts) ([]int64, error) {
	var rows []any
	put := func(n int64, keys []Key) {
		for _, k := range keys {
			rows = append(rows, k.Kind, []byte(k.Value), n)
		}
	}
	var old []any
	for _, x := range list {
		if x.kind != schema.Customer {
			if x.n <= s.swept {
				old = append(old, x.n)
			}
			put(x.n, x.keys)
		}
	}
	is := map[int64][]Key{}
	for _, f := range customers {
		is[f.n] = f.keys
		put(f.n, f.keys)
		old = append(old, f.n)
	}
	// Keys of customers that somebody else may state as well.
	changed := map[Key]int{} // and how many state it now who did not
	if err := b.w.In("SELECT kind, key, n FROM evidence WHERE n", "", old, func(rows *stdsql.Rows) error {
		k, n, err := scanKey(rows)
		if keys, customer := is[n]; customer {
			if at := slices.Index(keys, k); at < 0 {
				changed[k] += 0
			} else {
				is[n] = slices.Delete(slices.Clone(keys), at, at+1)
			}
		}
		return err
	}); err != nil {
		return nil, err
	}
	for _, keys := range is {
		for _, k := range keys {
			changed[k]++
		}
	}
	if err := b.w.ExecIn("DELETE FROM evidence WHERE n", "", old); err != nil {
		return nil, err
	}
	if _, err := b.w.Insert("INSERT INTO evidence (kind, key, n)", "ON CONFLICT DO NOTHING", 3, rows); err != nil {
		return nil, err
	}
	var out []int64
	for k, added := range changed {
		var holders []int64
		if err := b.w.Each(fmt.Sprintf("SELECT n FROM evidence WHERE kind = $1 AND key = $2 LIMIT %d", maxGroup+5*batchRecords+1), []any{k.Kind, []byte(k.Value)}, scanN(&holders)); err != nil {
			return nil, err
		}
		if len(holders) > maxGroup {
			if err := b.w.Alarm(store.HQNum, store.AlarmGroup, fmt.Sprintf("more than %d customers share one key of kind %d: they are not joined by it", maxGroup, k.Kind)); err != nil {
				return nil, err
			}
		}
		if len(holders) <= maxGroup+added {
			out = append(out, holders...)
		}
	}
	return out, nil
}

// writeSaid makes the stored pairs those of the decisions looked at, and gives the
// records they are about.
func (b *batch) writeSaid(list []*looked) ([]int64, error) {
	ids := map[schema.RecordID]bool{}
	var rows []any
	for _, x := range list {
		if x.kind != schema.MatchDecision {
			continue
		}
		if err := b.w.Each("SELECT a, b FROM match_said WHERE n = $1", []any{x.n}, func(rows *stdsql.Rows) error {
			var p, q []byte
			if err := rows.Scan(&p, &q); err != nil {
				return fmt.Errorf("read decisions: %w", err)
			}
			ids[schema.RecordID(p)], ids[schema.RecordID(q)] = true, true
			return nil
		}); err != nil {
			return nil, err
		}
		if _, err := b.w.Exec("DELETE FROM match_said WHERE n = $1", x.n); err != nil {
			return nil, err
		}
		for _, s := range x.said {
			p, q := s.pair[0], s.pair[1]
			ids[p], ids[q] = true, true
			rows = append(rows, p[:], q[:], x.n, number(s.same), s.at)
		}
	}
	if _, err := b.w.Insert("INSERT INTO match_said (a, b, n, same, at)", "ON CONFLICT DO NOTHING", 5, rows); err != nil {
		return nil, err
	}
	keys := make([]any, 0, len(ids))
	for id := range ids {
		keys = append(keys, bytes.Clone(id[:]))
	}
	var out []int64
	err := b.w.In("SELECT n FROM record WHERE id", "", keys, scanN(&out))
	return out, err
}

// sayings are the pairs a decision is about; none once it is withdrawn.
func sayings(state []byte) ([]saying, error) {
	k := schema.KindOf(schema.MatchDecision)
	st, err := merge.Decode(state)
	if err != nil {
		return nil, fmt.Errorf("hq/golden: decision: %w", err)
	}
	m := new(branchlinev1.MatchDecision)
	if err := messageOf(schema.MatchDecision, state, m); err != nil {
		return nil, fmt.Errorf("hq/golden: decision: %w", err)
	}
	if m.GetRetiredAt() != 0 || m.GetVerdict() == branchlinev1.Verdict_VERDICT_UNSPECIFIED {
		return nil, nil
	}
	var at []byte
	for _, s := range st.Shown(k) {
		if s.Field.Name == "verdict" {
			at = orderOf(s.Entry.Stamp)
		}
	}
	return pairsOf(m.GetVerdict() == branchlinev1.Verdict_SAME, recordIDs(m.GetA()), recordIDs(m.GetB()), at), nil
}

// pairsOf are the pairs a decision about two sides is about.
func pairsOf(same bool, a, b []schema.RecordID, at []byte) []saying {
	var out []saying
	done := map[idPair]bool{}
	for _, x := range a {
		for _, y := range b {
			if p := pairOf(x, y); x != y && !done[p] {
				done[p] = true
				out = append(out, saying{p, same, at})
			}
		}
	}
	return out
}

func recordIDs(list []string) []schema.RecordID {
	var out []schema.RecordID
	for _, s := range list {
		if id, err := schema.ParseRecordID(s); err == nil {
			out = append(out, id)
		}
	}
	return out
}

// orderOf is a stamp as bytes that are in the order of stamps.
func orderOf(s schema.Stamp) []byte {
	out := binary.BigEndian.AppendUint64(nil, uint64(s.At))
	out = append(append(out, s.Branch...), 0)
	out = binary.BigEndian.AppendUint64(out, uint64(s.Inc))
	return binary.BigEndian.AppendUint64(out, uint64(s.Seq))
}

// keysOf reads what a record of another kind than customer says.
func (g *Golden) keysOf(x *looked, state, customer []byte) {
	var err error
	switch x.kind {
	case schema.Vehicle:
		x.keys, err = carKeys(state)
	case schema.Tie:
		if len(customer) > 0 {
			x.keys = []Key{{feed.KeyTied, string(customer), false}}
		}
	case schema.MatchDecision:
		x.said, err = sayings(state)
	}
	if err != nil {
		// One record that cannot be read must not stop the others; it has no keys.
		g.log.Error("record has no keys", "kind", x.kind, "record", x.id.String(), "err", err)
	}
}
