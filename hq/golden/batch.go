package golden

import (
	stdsql "database/sql"
	"fmt"
	"maps"
	"slices"

	"branchline/hq/feed"
	"branchline/hq/store"
	"branchline/schema"
)

// batch is the grouping of one transaction.
type batch struct {
	g       *Golden
	w       *store.W
	members map[int64]*member // of the components touched
	queue   []*member
}

func (b *batch) group(list []*looked, upTo int64) error {
	if err := b.renew(list); err != nil {
		return err
	}
	if err := b.writeKeys(list); err != nil {
		return err
	}
	if upTo > b.w.Swept() {
		b.w.SetSwept(upTo)
	}
	args := make([]any, len(list))
	for i, x := range list {
		args[i] = x.n
	}
	// Also records passed over for their kind may stand in dirty.
	if _, err := b.w.Exec("DELETE FROM dirty WHERE n IN (SELECT d.n FROM dirty d JOIN record r ON r.n = d.n WHERE r.kind NOT IN ($1, $2))", schema.Customer, schema.Vehicle); err != nil {
		return err
	}
	if err := b.w.ExecIn("DELETE FROM dirty WHERE n", "", args); err != nil {
		return err
	}
	seeds, err := b.seeds(list)
	if err != nil || len(seeds) == 0 {
		return err
	}
	if err := b.collect(seeds); err != nil {
		return err
	}
	return b.settle()
}

// renew reads again what changed between the reading and this transaction.
func (b *batch) renew(list []*looked) error {
	byN := map[int64]*looked{}
	args := make([]any, len(list))
	for i, x := range list {
		byN[x.n], args[i] = x, x.n
	}
	var stale []*looked
	if err := b.w.In("SELECT n, rev FROM record WHERE n", "", args, func(rows *stdsql.Rows) error {
		var n int64
		var rev schema.Rev
		if err := rows.Scan(&n, &rev); err != nil {
			return fmt.Errorf("read rev: %w", err)
		}
		if x := byN[n]; x.rev != rev {
			stale = append(stale, x)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, x := range stale {
		rec, err := store.RecByN(b.w, x.n)
		if err != nil {
			return err
		}
		if x.keys, err = b.g.keys(rec.Kind, rec.State); err != nil {
			b.g.log.Error("record has no keys", "kind", x.kind, "record", x.id.String(), "err", err)
		}
	}
	return nil
}

// writeKeys makes the stored keys those of the records.
func (b *batch) writeKeys(list []*looked) error {
	var rows []any
	for _, x := range list {
		if x.n <= b.w.Swept() {
			if _, err := b.w.Exec("DELETE FROM evidence WHERE n = $1", x.n); err != nil {
				return err
			}
		}
		for _, k := range x.keys {
			rows = append(rows, k.Kind, []byte(k.Value), x.n)
		}
	}
	_, err := b.w.Insert("INSERT INTO evidence (kind, key, n)", "ON CONFLICT DO NOTHING", 3, rows)
	return err
}

// seeds are the records whose component may be another now: those in a group,
// those that share a key, and those of whom one is stated to be the other.
func (b *batch) seeds(list []*looked) ([]int64, error) {
	var out []int64
	args, ids := make([]any, len(list)), make([]any, len(list))
	byKind := map[int][]any{}
	for i, x := range list {
		args[i], ids[i] = x.n, x.id[:]
		for _, k := range x.keys {
			if k.Kind == feed.KeySame {
				out = append(out, x.n)
			} else if k.Joins {
				byKind[k.Kind] = append(byKind[k.Kind], []byte(k.Value))
			}
		}
	}
	if err := b.w.In("SELECT n FROM record WHERE grp IS NOT NULL AND n", "", args, scanN(&out)); err != nil {
		return nil, err
	}
	if err := b.w.In(fmt.Sprintf("SELECT n FROM evidence WHERE kind = %d AND key", feed.KeySame), "", ids, scanN(&out)); err != nil {
		return nil, err
	}
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		// One record of a key that has two stands for its component.
		if err := b.w.In(fmt.Sprintf("SELECT MIN(n) FROM evidence WHERE kind = %d AND key", kind), "GROUP BY key HAVING COUNT(*) > 1", byKind[kind], scanN(&out)); err != nil {
			return nil, err
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

func scanN(out *[]int64) func(*stdsql.Rows) error {
	return func(rows *stdsql.Rows) error {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return fmt.Errorf("read record number: %w", err)
		}
		*out = append(*out, n)
		return nil
	}
}

// collect gathers every record that is or was one with a seed, and joins those
// that share a key.
func (b *batch) collect(seeds []int64) error {
	b.members = map[int64]*member{}
	if err := b.add(seeds); err != nil {
		return err
	}
	byKey, tooMany := map[Key]*member{}, map[Key]bool{}
	for len(b.queue) > 0 {
		m := b.queue[0]
		b.queue = b.queue[1:]
		var next []int64
		if m.grp != 0 {
			if err := b.w.Each("SELECT n FROM record WHERE grp = $1", []any{m.grp}, scanN(&next)); err != nil {
				return err
			}
		}
		for _, k := range m.keys {
			if tooMany[k] {
				continue
			}
			if other := byKey[k]; other != nil {
				join(other, m)
				continue
			}
			var same []int64
			if err := b.w.Each(fmt.Sprintf("SELECT n FROM evidence WHERE kind = $1 AND key = $2 LIMIT %d", maxGroup+1), []any{k.Kind, []byte(k.Value)}, scanN(&same)); err != nil {
				return err
			}
			if k.Kind == feed.KeySame && k.Value != string(m.id[:]) {
				if err := b.w.Each("SELECT n FROM record WHERE id = $1 AND kind = $2", []any{[]byte(k.Value), int64(m.kind)}, scanN(&same)); err != nil {
					return err
				}
			}
			if len(same) > maxGroup {
				// Too many to be one: the key joins nobody.
				if err := b.w.Alarm(store.HQNum, store.AlarmGroup, fmt.Sprintf("more than %d records share one key of kind %d: they are not joined by it", maxGroup, k.Kind)); err != nil {
					return err
				}
				tooMany[k] = true
				continue
			}
			byKey[k] = m
			next = append(next, same...)
		}
		if err := b.add(next); err != nil {
			return err
		}
	}
	return nil
}

// add puts records not yet there into the queue.
func (b *batch) add(ns []int64) error {
	for _, n := range ns {
		if b.members[n] != nil {
			continue
		}
		m := &member{n: n}
		m.root = m
		var id []byte
		var grp stdsql.NullInt64
		found, err := b.w.Scan("SELECT id, kind, grp FROM record WHERE n = $1", []any{n}, &id, &m.kind, &grp)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		m.id, m.grp = schema.RecordID(id), grp.Int64
		if err := b.w.Each("SELECT kind, key FROM evidence WHERE n = $1 AND kind <> $2", []any{n, feed.KeyPlate}, func(rows *stdsql.Rows) error {
			k := Key{Joins: true}
			var key []byte
			if err := rows.Scan(&k.Kind, &key); err != nil {
				return fmt.Errorf("read keys: %w", err)
			}
			k.Value = string(key)
			m.keys = append(m.keys, k)
			return nil
		}); err != nil {
			return err
		}
		if m.kind == schema.Customer {
			m.keys = append(m.keys, Key{feed.KeySame, string(m.id[:]), true})
		}
		b.members[n] = m
		b.queue = append(b.queue, m)
	}
	return nil
}

// settle writes the groups that are others than they were, and has the feeds follow.
func (b *batch) settle() error {
	groups := map[*member][]*member{}
	for _, m := range b.members {
		groups[m.find()] = append(groups[m.find()], m)
	}
	var moved []*member
	now := map[*member]int64{}
	for root, list := range groups {
		grp := int64(0)
		if len(list) > 1 {
			grp = root.n
		}
		for _, m := range list {
			now[m] = grp
			if m.grp != grp {
				moved = append(moved, m)
			}
		}
	}
	if len(moved) == 0 {
		return nil
	}
	// Groups somebody left or joined, as they were and as they are: who holds a
	// member of them may hold others now.
	touched := map[int64]bool{}
	for _, m := range moved {
		touched[m.grp], touched[now[m]] = true, true
	}
	delete(touched, 0)
	var around []*member
	for _, m := range b.members {
		if touched[m.grp] || touched[now[m]] {
			around = append(around, m)
		}
	}
	for _, list := range [][]*member{moved, around} {
		slices.SortFunc(list, func(x, y *member) int { return slices.Compare(x.id[:], y.id[:]) })
	}
	return b.follow(moved, around, now)
}

func (b *batch) follow(moved, around []*member, now map[*member]int64) error {
	s := b.g.scope
	var candidates []int32
	ids := make([]schema.RecordID, len(around))
	for i, m := range around {
		ids[i] = m.id
	}
	for _, id := range ids {
		list, err := s.Holders(b.w, id)
		if err != nil {
			return err
		}
		candidates = append(candidates, list...)
	}
	slices.Sort(candidates)
	candidates = slices.Compact(candidates)
	for _, m := range moved {
		var grp any
		if now[m] != 0 {
			grp = now[m]
		}
		if _, err := b.w.Exec("UPDATE record SET grp = $1 WHERE n = $2", grp, m.n); err != nil {
			return err
		}
	}
	s.Regrouped(ids...)
	for _, m := range around {
		recs, err := s.Dependents(b.w, m.id)
		if err != nil {
			return err
		}
		if err := s.Rescope(b.w, recs, candidates); err != nil {
			return err
		}
		if err := s.Untell(b.w, m.n, candidates); err != nil {
			return err
		}
	}
	told := map[int64]bool{0: true}
	for _, m := range around {
		if grp := now[m]; !told[grp] {
			told[grp] = true
			if err := s.Tell(b.w, grp, candidates); err != nil {
				return err
			}
		}
	}
	// Reports and lists follow revs: a record in another group is news to them.
	for _, m := range moved {
		if _, err := b.w.Exec("UPDATE record SET rev = $1 WHERE n = $2", int64(b.w.NextRev()), m.n); err != nil {
			return err
		}
	}
	return nil
}
