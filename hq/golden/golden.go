// Package golden finds out which records are one customer or one car, and has
// the feeds follow.
//
// Rules:
//   - Customers are one by what hq/match says of two of them, by what a steward decided,
//     by what a record states (same_as; an id of one source system or a national id, unless
//     the names conflict). Their cars' plates and VINs are part of what they say. Retired ones are
//     nobody's. Cars are one on an equal VIN.
//   - Groups are a pure function of the records and one model. Whatever order changes came
//     in, the same records make the same groups, the same ids and the same questions.
//   - It works behind the line: records marked dirty (new, or changed) are looked at
//     soon after their commit, and the component they touch is made anew; the mark
//     is cleared in the transaction that writes the result, its questions, events and feed rows.
//   - Nothing of it is held in memory: keys, pairs, questions are tables, and a start
//     makes nothing anew.
//   - A group's id is that of its oldest member (created, then id): where it falls apart,
//     the part that holds that one keeps it. An id that was a group's once is a record's, and
//     finds the group that record is in. Members are never changed by being grouped.
//   - What looks too large to be one thing raises an alarm; of customers it is asked about first.
//   - Another model is taken in two passes, over all customers' pairs and then over their
//     groups. During the first no group of customers changes; in the second each changes to
//     what the new model says. Both go on where they were after a start.
//
// It promises that after Catch every record committed before is grouped under the model
// in use. Golden values are not stored: they are folded from the members whenever they are shown.
package golden

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"branchline/hq/feed"
	"branchline/hq/match"
	"branchline/hq/store"
	"branchline/schema"
)

const (
	batchRecords = 512
	// atOnce bounds the records of one transaction: the line waits for it, a branch's
	// changes and another's page with it.
	atOnce = 128
	// maxGroup is how many records may state one key, or have one VIN: more are more
	// likely a fault than one customer or car.
	maxGroup = 200
	// While packs come in, the line goes first: the work begins when nothing has come
	// for calm looks, look apart, or when patience is at its end. A drain's commits are
	// sometimes further apart than one look.
	look     = 40 * time.Millisecond
	calm     = 4
	patience = 2 * time.Second
)

// Config says what it works with. Store and Scope are required.
type Config struct {
	Store *store.Store
	Scope *feed.Scope
	Log   *slog.Logger
	// Base gives the model to begin with, match.Base when nil.
	Base func() (*match.Model, error)
}

// Golden groups records. It is safe for concurrent use.
type Golden struct {
	st    *store.Store
	scope *feed.Scope
	log   *slog.Logger
	base  func() (*match.Model, error)
	one   chan struct{} // held by whoever works
	inUse atomic.Pointer[match.Model]
	shelf shelf // of whoever works
	// warned: an alarm about groups that look too large may stand. Of whoever works.
	warned bool
}

// New makes it. It starts nothing.
func New(c Config) (*Golden, error) {
	if c.Store == nil || c.Scope == nil {
		return nil, errors.New("hq/golden: Store and Scope are needed")
	}
	g := &Golden{st: c.Store, scope: c.Scope, log: c.Log, base: c.Base, one: make(chan struct{}, 1), warned: true}
	if g.base == nil {
		g.base = match.Base
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	g.log = g.log.With("room", "hq/golden")
	g.st.OnReset(g.shelf.clear)
	return g, nil
}

// Run groups what is committed, soon after, until ctx ends.
func (g *Golden) Run(ctx context.Context) error {
	t := time.NewTicker(look)
	defer t.Stop()
	var rev, done schema.Rev
	done = -1
	waited, still, rest := 0, 0, 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		now := g.st.Rev()
		if now == done {
			if rest++; rest == calm {
				g.shelf.clear()
			}
			rev = now
			continue
		}
		rest = 0
		if still++; now != rev {
			rev, still = now, 0
		}
		if still < calm && waited < int(patience/look) {
			waited++
			continue
		}
		waited, still = 0, 0
		more, err := g.Work(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			g.log.Error("records not grouped", "err", err)
			waited = 0
			done = g.st.Rev() // not again before something else has happened
			continue
		}
		if rev = g.st.Rev(); !more {
			done = rev
		} else if now == rev {
			waited = int(patience / look) // nobody else is at work: go on at the next tick
		}
	}
}

// Catch groups everything committed before the call.
func (g *Golden) Catch(ctx context.Context) error {
	for {
		more, err := g.Work(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// lock waits until nobody else works.
func (g *Golden) lock(ctx context.Context) error {
	select {
	case g.one <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *Golden) unlock() { <-g.one }

// Work groups one batch of dirty records, or goes on with taking a model. more: there
// may be others.
func (g *Golden) Work(ctx context.Context) (more bool, err error) {
	if err := g.lock(ctx); err != nil {
		return false, err
	}
	defer g.unlock()
	if idle, err := g.idle(ctx); err != nil || idle {
		return false, err
	}
	m, err := g.begin(ctx)
	if err != nil {
		return false, fmt.Errorf("hq/golden: %w", err)
	}
	defer func() {
		if err != nil {
			g.shelf.clear()
		}
	}()
	s := new(seen)
	if err := g.st.Read(ctx, func(r *store.R) error { return g.look(r, m, s) }); err != nil {
		return false, fmt.Errorf("hq/golden: %w", err)
	}
	switch {
	case s.upTo == 0 && s.state.phase == phaseDone:
		return false, nil
	case s.upTo == 0:
		err = g.advance(ctx, m, s)
	default:
		err = g.st.Write(ctx, func(w *store.W) error { return (&batch{g, w}).group(s, m) })
	}
	if err != nil {
		return false, fmt.Errorf("hq/golden: %w", err)
	}
	return true, nil
}

// idle tells whether there is nothing to do: then no model is read.
func (g *Golden) idle(ctx context.Context) (idle bool, err error) {
	err = g.st.Read(ctx, func(r *store.R) error {
		var one int
		busy, err := r.Scan("SELECT 1 FROM counter c, match_state s WHERE c.swept < c.record OR s.model = '' OR s.phase <> 0 OR EXISTS (SELECT 1 FROM dirty)", nil, &one)
		idle = !busy
		return err
	})
	if err != nil {
		return false, fmt.Errorf("hq/golden: %w", err)
	}
	return idle, nil
}

// lookedAt are the kinds that say something of who is one.
var lookedAt = fmt.Sprintf("%d, %d, %d, %d", schema.Customer, schema.Vehicle, schema.Tie, schema.MatchDecision)

// look reads a batch of dirty records and what the matcher reads of them, outside the
// writer's lock. upTo is the record number new records were looked at up to; 0: nothing is dirty.
func (g *Golden) look(r *store.R, m *match.Model, s *seen) error {
	var err error
	if s.state, err = readState(r); err != nil {
		return err
	}
	if _, err := r.Scan("SELECT swept, record FROM counter WHERE one = 1", nil, &s.swept, &s.last); err != nil {
		return err
	}
	dirty := 0
	take := func(rows *stdsql.Rows) error {
		dirty++
		x := new(looked)
		var id, state, customer []byte
		if err := rows.Scan(&x.n, &id, &x.kind, &x.rev, &state, &customer); err != nil {
			return fmt.Errorf("read record: %w", err)
		}
		x.id = schema.RecordID(id)
		g.keysOf(x, state, customer)
		s.list = append(s.list, x)
		return nil
	}
	// A customer's state is read with its ties.
	columns := fmt.Sprintf("r.n, r.id, r.kind, r.rev, CASE WHEN r.kind IN (%d, %d) THEN r.state END, r.customer", schema.Vehicle, schema.MatchDecision)
	if err := r.Each(fmt.Sprintf("SELECT %s FROM dirty d CROSS JOIN record r ON r.n = d.n WHERE r.kind IN (%s) ORDER BY d.n LIMIT %d", columns, lookedAt, atOnce), nil, take); err != nil {
		return err
	}
	if s.upTo = s.swept; dirty < atOnce && s.swept < s.last {
		s.upTo = min(s.last, s.swept+4*batchRecords)
		// Most records have no part in it; they are passed over by kind, without being read.
		if err := r.Each(fmt.Sprintf("SELECT %s FROM record r WHERE r.n > $1 AND r.n <= $2 AND r.kind IN (%s) ORDER BY r.n LIMIT %d", columns, lookedAt, atOnce-dirty),
			[]any{s.swept, s.upTo}, take); err != nil {
			return err
		}
		if len(s.list) == atOnce {
			s.upTo = s.list[atOnce-1].n
		}
	} else if dirty == 0 {
		var other int
		if found, err := r.Scan("SELECT 1 FROM dirty LIMIT 1", nil, &other); err != nil || !found {
			s.upTo = 0
			return err
		}
	}
	return g.customers(r, m, s)
}

// customers reads the customers of the list, and those whose ties or cars are in it.
func (g *Golden) customers(r *store.R, m *match.Model, s *seen) error {
	ns := map[int64]bool{}
	ids := map[schema.RecordID]bool{}
	var ties, cars []any
	for _, x := range s.list {
		switch x.kind {
		case schema.Customer:
			ns[x.n] = true
		case schema.Vehicle:
			cars = append(cars, x.id[:])
		case schema.Tie:
			for _, k := range x.keys {
				ids[k.id()] = true
			}
			if x.n <= s.swept {
				ties = append(ties, x.n)
			}
		}
	}
	take := func(rows *stdsql.Rows) error {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return fmt.Errorf("read whose ties: %w", err)
		}
		ids[schema.RecordID(id)] = true
		return nil
	}
	// Whom a tie named before, and whom the cars' ties name.
	if err := r.In(fmt.Sprintf("SELECT key FROM evidence WHERE kind = %d AND n", feed.KeyTied), "", ties, take); err != nil {
		return err
	}
	if err := r.In(fmt.Sprintf("SELECT customer FROM record WHERE kind = %d AND customer IS NOT NULL AND vehicle", schema.Tie), "", cars, take); err != nil {
		return err
	}
	var keys []any
	for id := range ids {
		keys = append(keys, slices.Clone(id[:]))
	}
	var tied []int64
	if err := r.In("SELECT n FROM record WHERE id", "", keys, scanN(&tied)); err != nil {
		return err
	}
	for _, n := range tied {
		// Those not swept yet are looked at when their time comes.
		if n <= s.upTo {
			ns[n] = true
		}
	}
	return g.enter(r, m, s, slices.Sorted(maps.Keys(ns)))
}

// enter takes customers apart that are to be looked at.
func (g *Golden) enter(r store.ListReader, m *match.Model, s *seen, ns []int64) error {
	for _, n := range ns {
		g.shelf.drop(n)
	}
	for part := range slices.Chunk(ns, batchRecords) {
		read, err := g.readFacts(r, part)
		if err != nil {
			return err
		}
		for _, n := range part {
			f := read[n]
			if f == nil {
				continue
			}
			e := &entry{n: n, id: f.id, sum: f.sum}
			if f.live {
				if e.p, err = m.Prepare(f.record()); err != nil {
					return err
				}
				e.facts = packValues(f.values)
				g.shelf.put(m, n, e.p)
			}
			s.customers, s.entries = append(s.customers, f), append(s.entries, e)
		}
	}
	return nil
}

// Together are records with all that are one with any of them, each once, by id.
func Together(r store.ListReader, recs []*store.Rec) ([]*store.Rec, error) {
	var out []*store.Rec
	var groups []any
	for _, rec := range recs {
		switch {
		case rec.Grp == 0:
			out = append(out, rec)
		case !slices.Contains(groups, any(rec.Grp)):
			groups = append(groups, rec.Grp)
		}
	}
	err := r.In("SELECT "+store.RecColumns+" FROM record WHERE grp", "", groups, func(rows *stdsql.Rows) error {
		x, err := store.ScanRec(rows)
		out = append(out, x)
		return err
	})
	slices.SortFunc(out, func(a, b *store.Rec) int { return slices.Compare(a.ID[:], b.ID[:]) })
	return out, err
}
