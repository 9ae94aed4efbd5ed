package golden

import (
	stdsql "database/sql"
	"fmt"

	"branchline/hq/feed"
	"branchline/hq/store"
	"branchline/schema"
)

// Cars under several records: those with an equal VIN are one.

// vehicles makes the groups of the cars among the list anew.
func (b *batch) vehicles(list []*looked) error {
	var seeds []int64
	var args []any
	var keys []any
	for _, x := range list {
		if x.kind != schema.Vehicle {
			continue
		}
		args = append(args, x.n)
		for _, k := range x.keys {
			if k.Joins {
				keys = append(keys, []byte(k.Value))
			}
		}
	}
	if err := b.w.In("SELECT n FROM record WHERE grp IS NOT NULL AND n", "", args, scanN(&seeds)); err != nil {
		return err
	}
	// One record of a key that has two stands for its component.
	if err := b.w.In(fmt.Sprintf("SELECT MIN(n) FROM evidence WHERE kind = %d AND key", feed.KeyVIN), "GROUP BY key HAVING COUNT(*) > 1", keys, scanN(&seeds)); err != nil || len(seeds) == 0 {
		return err
	}
	members, err := b.gather(seeds)
	if err != nil {
		return err
	}
	roots := map[*member][]*member{}
	for _, m := range members {
		roots[m.find()] = append(roots[m.find()], m)
	}
	var groups [][]*member
	for _, g := range roots {
		groups = append(groups, g)
	}
	return b.settle(groups, "")
}

// gather gathers every car that is or was one with a seed, and joins those that share a VIN.
func (b *batch) gather(seeds []int64) (map[int64]*member, error) {
	members := map[int64]*member{}
	queue, err := b.add(members, nil, seeds)
	if err != nil {
		return nil, err
	}
	byKey, tooMany := map[Key]*member{}, map[Key]bool{}
	for len(queue) > 0 {
		m := queue[0]
		queue = queue[1:]
		var next []int64
		if m.grp != 0 {
			if err := b.w.Each("SELECT n FROM record WHERE grp = $1", []any{m.grp}, scanN(&next)); err != nil {
				return nil, err
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
				return nil, err
			}
			if len(same) > maxGroup {
				// Too many to be one: the key joins nobody.
				if err := b.w.Alarm(store.HQNum, store.AlarmGroup, fmt.Sprintf("more than %d records share one key of kind %d: they are not joined by it", maxGroup, k.Kind)); err != nil {
					return nil, err
				}
				tooMany[k] = true
				continue
			}
			byKey[k] = m
			next = append(next, same...)
		}
		if queue, err = b.add(members, queue, next); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// add puts cars not yet there into the queue.
func (b *batch) add(members map[int64]*member, queue []*member, ns []int64) ([]*member, error) {
	for _, n := range ns {
		if members[n] != nil {
			continue
		}
		var m *member
		if err := b.w.Each("SELECT n, id, kind, created, grp FROM record WHERE n = $1", []any{n}, func(rows *stdsql.Rows) (err error) {
			m, err = scanMember(rows)
			return err
		}); err != nil {
			return nil, err
		}
		if m == nil || m.kind != schema.Vehicle {
			continue
		}
		if err := b.w.Each("SELECT kind, key, n FROM evidence WHERE n = $1 AND kind = $2", []any{n, feed.KeyVIN}, func(rows *stdsql.Rows) error {
			k, _, err := scanKey(rows)
			m.keys = append(m.keys, k)
			return err
		}); err != nil {
			return nil, err
		}
		members[n] = m
		queue = append(queue, m)
	}
	return queue, nil
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
