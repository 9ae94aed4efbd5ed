package golden

import (
	"bytes"
	"context"
	stdsql "database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"branchline/hq/store"
	"branchline/schema"
)

// keptEvents is how many events are kept.
const keptEvents = 200_000

// events writes down what was joined and parted. around holds every member of the groups
// that are others now, as they were and as they are.
func (b *batch) events(around []*member, now map[*member]int64, model string) error {
	if model == "" || len(around) == 0 {
		return nil
	}
	type side struct {
		before bool
		grp    int64
	}
	groups := map[side][]*member{}
	of := func(m *member, before bool) side {
		grp := now[m]
		if before {
			grp = m.grp
		}
		if grp == 0 {
			return side{before, -m.n}
		}
		return side{before, grp}
	}
	for _, m := range around {
		m.root = m
		for _, before := range [2]bool{true, false} {
			s := of(m, before)
			groups[s] = append(groups[s], m)
		}
	}
	for _, list := range groups {
		for _, m := range list[1:] {
			join(list[0], m)
		}
	}
	parts := map[*member][]*member{}
	for _, m := range around {
		parts[m.find()] = append(parts[m.find()], m)
	}
	for _, root := range slices.SortedFunc(maps.Keys(parts), byID) {
		var e Event
		for _, m := range parts[root] {
			for _, before := range [2]bool{true, false} {
				list := groups[of(m, before)]
				if list[0] != m {
					continue
				}
				g := Group{ID: oldest(list).id}
				for _, o := range list {
					g.Members = append(g.Members, o.id)
				}
				if before {
					e.Before = append(e.Before, g)
				} else {
					e.After = append(e.After, g)
				}
			}
		}
		if slices.EqualFunc(e.Before, e.After, func(x, y Group) bool { return slices.Equal(x.Members, y.Members) }) {
			continue // another name only
		}
		if err := b.event(&e, parts[root], model); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) event(e *Event, about []*member, model string) error {
	res, err := b.w.Exec("INSERT INTO match_event (at, model, body) VALUES ($1, $2, $3)", b.w.Clock(), model, appendGroups(appendGroups(nil, e.Before), e.After))
	if err != nil {
		return err
	}
	n, err := res.LastInsertId()
	if err != nil {
		return fmt.Errorf("number of event: %w", err)
	}
	var rows []any
	for _, m := range about {
		rows = append(rows, m.id[:], n)
	}
	if _, err := b.w.Insert("INSERT INTO match_event_of (record, event)", "ON CONFLICT DO NOTHING", 2, rows); err != nil {
		return err
	}
	if n%1000 == 0 && n > keptEvents {
		for _, q := range []string{"DELETE FROM match_event_of WHERE event <= $1", "DELETE FROM match_event WHERE n <= $1"} {
			if _, err := b.w.Exec(q, n-keptEvents); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendGroups writes groups: their number, then of each the number of its members, its
// id and theirs.
func appendGroups(dst []byte, list []Group) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, g := range list {
		dst = binary.AppendUvarint(dst, uint64(len(g.Members)))
		dst = append(dst, g.ID[:]...)
		for _, m := range g.Members {
			dst = append(dst, m[:]...)
		}
	}
	return dst
}

var errTorn = errors.New("an event is torn")

func readGroups(src []byte) (list []Group, rest []byte, err error) {
	count := func() int {
		n, used := binary.Uvarint(src)
		if used <= 0 || n > uint64(len(src)) {
			err = errTorn
			return 0
		}
		src = src[used:]
		return int(n)
	}
	id := func() (out schema.RecordID) {
		if len(src) < len(out) {
			err = errTorn
			return out
		}
		copy(out[:], src)
		src = src[len(out):]
		return out
	}
	for range count() {
		n := count()
		g := Group{ID: id()}
		for range n {
			g.Members = append(g.Members, id())
		}
		if err != nil {
			return nil, nil, err
		}
		list = append(list, g)
	}
	return list, src, err
}

// Events gives what was joined and parted, the newest first; about, after, limit and next
// are as with Questions. Old ones are dropped.
func (g *Golden) Events(ctx context.Context, about *schema.RecordID, after string, limit int) (list []Event, next string, err error) {
	below := int64(1) << 62
	if after != "" {
		if below, err = strconv.ParseInt(after, 36, 64); err != nil {
			return nil, "", fmt.Errorf("hq/golden: events: %w", schema.Invalid("page_token", "is none of this list"))
		}
	}
	err = g.st.Read(ctx, func(r *store.R) error {
		take := func(rows *stdsql.Rows) error {
			var e Event
			var body []byte
			if err := rows.Scan(&e.N, &e.At, &e.Model, &body); err != nil {
				return fmt.Errorf("read events: %w", err)
			}
			var err error
			if e.Before, body, err = readGroups(body); err == nil {
				e.After, _, err = readGroups(body)
			}
			list = append(list, e)
			return err
		}
		if about == nil {
			return r.Each("SELECT n, at, model, body FROM match_event WHERE n < $1 ORDER BY n DESC LIMIT $2", []any{below, limit + 1}, take)
		}
		ids, err := groupOf(r, *about)
		if err != nil {
			return err
		}
		events := map[int64]bool{}
		if err := r.In("SELECT event FROM match_event_of WHERE record", "", idArgs(ids), func(rows *stdsql.Rows) error {
			var n int64
			if err := rows.Scan(&n); err != nil {
				return fmt.Errorf("read events: %w", err)
			}
			if n < below {
				events[n] = true
			}
			return nil
		}); err != nil {
			return err
		}
		ns := slices.Sorted(maps.Keys(events))
		slices.Reverse(ns)
		if err := r.In("SELECT n, at, model, body FROM match_event WHERE n", "", anys(ns[:min(len(ns), limit+1)]), take); err != nil {
			return err
		}
		slices.SortFunc(list, func(x, y Event) int { return int(y.N - x.N) })
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("hq/golden: events: %w", err)
	}
	if len(list) > limit {
		list = list[:limit]
		next = strconv.FormatInt(list[limit-1].N, 36)
	}
	return list, next, nil
}

// groupOf are the members of a record's group, by id; it alone if it is in none.
func groupOf(r store.ListReader, id schema.RecordID) ([]schema.RecordID, error) {
	out := []schema.RecordID{id}
	err := r.Each("SELECT id FROM record WHERE grp = (SELECT grp FROM record WHERE id = $1)", []any{id[:]}, func(rows *stdsql.Rows) error {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return fmt.Errorf("read group: %w", err)
		}
		if m := schema.RecordID(b); m != id {
			out = append(out, m)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b schema.RecordID) int { return bytes.Compare(a[:], b[:]) })
	return out, err
}

func idArgs(ids []schema.RecordID) []any {
	out := make([]any, len(ids))
	for i := range ids {
		out[i] = ids[i][:]
	}
	return out
}
