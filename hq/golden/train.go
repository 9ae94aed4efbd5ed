package golden

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"branchline/hq/match"
	"branchline/hq/store"
	"branchline/schema"
)

// learned is how many registrations a model is learned from at most: those whose ids'
// hashes are smallest, which is chance, and the same each time.
const learned = 60_000

// Train learns a model from the registrations held here, keeps it as proposed, in place
// of one proposed before, and says what it would change, show groups at most. It waits until
// all that is committed is grouped, and holds all registrations in memory while it lasts:
// some seconds for 20,000. ErrInvalid where there are none.
func (g *Golden) Train(ctx context.Context, show int) (*Trained, error) {
	var all *whole
	if err := g.settled(ctx, func(r *store.R) (err error) {
		all, err = g.readWhole(r)
		return err
	}); err != nil {
		return nil, fmt.Errorf("hq/golden: train: %w", err)
	}
	sample := all.sample()
	m, err := match.LearnFor(ctx, match.CustomerFields(), sample, len(all.people))
	if err != nil {
		return nil, fmt.Errorf("hq/golden: train: %w", err)
	}
	out := &Trained{}
	if err := all.under(ctx, m, out, show); err != nil {
		return nil, fmt.Errorf("hq/golden: train: %w", err)
	}
	err = g.st.Write(ctx, func(w *store.W) error {
		if _, err := w.Exec("DELETE FROM match_model WHERE state = $1 AND version <> $2", stateProposed, m.Version()); err != nil {
			return err
		}
		_, err := w.Exec("INSERT INTO match_model (version, state, made, taken, records, summary, body) VALUES ($1, $2, $3, 0, $4, $5, $6) ON CONFLICT (version) DO NOTHING",
			m.Version(), stateProposed, w.Clock(), len(sample), strings.Join(m.Summary(), "\n"), m.Bytes())
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hq/golden: train: %w", err)
	}
	list, err := g.Models(ctx)
	for _, e := range list {
		if e.Version == m.Version() {
			out.Epoch = e
		}
	}
	return out, err
}

// sample are the registrations a model is learned from.
func (a *whole) sample() []match.Record {
	type one struct {
		sum [sha256.Size]byte
		n   int64
	}
	var list []one
	for n, f := range a.people {
		list = append(list, one{sha256.Sum256(f.id[:]), n})
	}
	slices.SortFunc(list, func(x, y one) int { return bytes.Compare(x.sum[:], y.sum[:]) })
	out := make([]match.Record, 0, min(len(list), learned))
	for _, x := range list[:min(len(list), learned)] {
		out = append(out, a.people[x.n].record())
	}
	return out
}

// under says what a model would make of the groups.
func (a *whole) under(ctx context.Context, m *match.Model, out *Trained, show int) error {
	e, err := a.engine(ctx, m)
	if err != nil {
		return err
	}
	after := map[schema.RecordID]schema.RecordID{}
	for _, c := range e.Clusters() {
		list := a.members(c)
		first := oldest(list).id
		for _, x := range list {
			after[x.id] = first
		}
		out.After++
	}
	before := map[schema.RecordID]schema.RecordID{}
	was := map[int64][]*member{}
	for _, x := range a.all {
		if x.live {
			grp := cmp.Or(x.grp, -x.n)
			was[grp] = append(was[grp], x)
		}
	}
	for _, list := range was {
		first := oldest(list).id
		for _, x := range list {
			before[x.id] = first
		}
		out.Before++
	}
	changes := diff(before, after)
	out.Changed = int64(len(changes))
	out.Changes = changes[:min(len(changes), show)]
	for i := range out.Changes {
		out.Changes[i].Model = m.Version()
	}
	return nil
}

// diff are the groups that differ, those that have members in common together, by the
// first id. Both say of each record the id of its group.
func diff(before, after map[schema.RecordID]schema.RecordID) []Event {
	sides := [2]map[schema.RecordID][]schema.RecordID{{}, {}}
	for i, of := range [2]map[schema.RecordID]schema.RecordID{before, after} {
		for _, id := range slices.SortedFunc(maps.Keys(of), compareIDs) {
			sides[i][of[id]] = append(sides[i][of[id]], id)
		}
	}
	var out []Event
	done := map[schema.RecordID]bool{}
	for _, id := range slices.SortedFunc(maps.Keys(after), compareIDs) {
		if done[id] {
			continue
		}
		var e Event
		told := [2]map[schema.RecordID]bool{{}, {}}
		queue := []schema.RecordID{id}
		for len(queue) > 0 {
			x := queue[0]
			queue = queue[1:]
			if done[x] {
				continue
			}
			done[x] = true
			for i, of := range [2]map[schema.RecordID]schema.RecordID{before, after} {
				g, in := of[x]
				if !in || told[i][g] {
					continue
				}
				told[i][g] = true
				group := Group{ID: g, Members: sides[i][g]}
				queue = append(queue, group.Members...)
				if i == 0 {
					e.Before = append(e.Before, group)
				} else {
					e.After = append(e.After, group)
				}
			}
		}
		if !slices.EqualFunc(e.Before, e.After, func(x, y Group) bool { return slices.Equal(x.Members, y.Members) }) {
			out = append(out, e)
		}
	}
	return out
}

func compareIDs(a, b schema.RecordID) int { return bytes.Compare(a[:], b[:]) }
