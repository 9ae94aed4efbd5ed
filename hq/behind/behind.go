// Package behind is the work done behind the line: what headquarters derives
// from its merged records for reports, lists and search follows them here.
//
// Rules:
//   - A task keeps a cursor on the records' revs, written in the transaction that
//     writes what it derived. It sees each record at its last rev, once or more,
//     in no particular order.
//   - The cursor is of HQ's line of epochs, or all is derived anew; so it is when
//     the task says that it derives something else than before (Form).
//   - Records are read outside the writer's lock, and written down in pieces, so
//     that packs need not wait.
//
// It promises that after CatchUp everything derived is of a state at or after the
// call. What waits behind the line holds no receipt up, and who needs a kind that
// changes seldom does not wait for one that has just changed a hundred thousand times.
package behind

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// chunk is how many records are written down under the writer's lock at a time: packs wait for it.
const chunk = 256

const (
	// quiet is how long HQ must have taken no rev before Run works, patience how long it waits for that.
	quiet    = 2 * time.Second
	patience = 30 * time.Second
)

// Task says what is derived.
type Task struct {
	Name string // of its cursor, for ever
	// Form rises whenever the same record gives something else than before.
	Form  int
	Kinds []schema.Kind
	// Clear empties what was derived, statement by statement.
	Clear []string
	// Derive works on records without a lock; what it gives writes the result down.
	Derive func(recs []*store.Rec) (write func(*store.W) error, err error)
}

// Follower carries one task out. Safe for concurrent use.
type Follower struct {
	st      *store.Store
	log     *slog.Logger
	task    Task
	changed string        // the part of the queries after SELECT …
	busy    chan struct{} // held by whoever works

	// Of whoever works. at is the cursor, or beyond it where nothing changed; above are the kinds worked in further, and up
	// to where.
	at    schema.Rev
	above map[schema.Kind]schema.Rev
}

// New checks the task and starts nothing.
func New(st *store.Store, log *slog.Logger, t Task) (*Follower, error) {
	if st == nil || log == nil || t.Name == "" || t.Form == 0 || len(t.Kinds) == 0 || t.Derive == nil {
		return nil, errors.New("hq/behind: a task needs store, log, name, form, kinds and Derive")
	}
	f := &Follower{st: st, log: log, task: t, busy: make(chan struct{}, 1), above: map[schema.Kind]schema.Rev{}}
	// Records are indexed by (home, rev, kind), not by rev: naming every home there is
	// makes one seek each, instead of a look at every record.
	f.changed = "FROM record WHERE home IN (SELECT num FROM branch) AND rev > $1 AND rev <= $2"
	if len(t.Kinds) < len(schema.Kinds()) {
		f.changed += ofKinds(t.Kinds)
	}
	return f, nil
}

func ofKinds(list []schema.Kind) string {
	kinds := make([]string, len(list))
	for i, k := range list {
		kinds[i] = strconv.Itoa(int(k))
	}
	return " AND kind IN (" + strings.Join(kinds, ", ") + ")"
}

// RunAnd is Run, and calls also at once and then every so often, until ctx ends.
func (f *Follower) RunAnd(ctx context.Context, every time.Duration, also func(context.Context)) error {
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		also(ctx)
		select {
		case <-ctx.Done():
			return <-done
		case err := <-done:
			return err
		case <-t.C:
		}
	}
}

// Run works changes in when HQ is quiet, and now and then when it never is, so
// that nobody need wait for it later, until ctx ends.
func (f *Follower) Run(ctx context.Context) error {
	t := time.NewTicker(quiet)
	defer t.Stop()
	var seen, done schema.Rev
	var waited time.Duration
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		now := f.st.Rev()
		busy := now != seen
		seen = now
		if waited += quiet; now == done || busy && waited < patience {
			continue
		}
		waited = 0
		if err := f.CatchUp(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			f.log.Error("work behind the line failed", "task", f.task.Name, "err", err)
			continue
		}
		done = now
	}
}

// Rebuild throws away what was derived and derives it anew.
func (f *Follower) Rebuild(ctx context.Context) error {
	if err := f.take(ctx); err != nil {
		return err
	}
	err := f.reset(ctx)
	f.give()
	if err != nil {
		return err
	}
	return f.CatchUp(ctx)
}

// CatchUp works in every change HQ had when it was called.
func (f *Follower) CatchUp(ctx context.Context) error { return f.catchUp(ctx, allKinds) }

// CatchUpOn works in every change of one kind that HQ had when it was called, and leaves those of other kinds for later.
func (f *Follower) CatchUpOn(ctx context.Context, k schema.Kind) error { return f.catchUp(ctx, k) }

// allKinds stands for every kind of the task.
const allKinds schema.Kind = 0

func (f *Follower) take(ctx context.Context) error {
	select {
	case f.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *Follower) give() { <-f.busy }

// catchUp works in changes a piece at a time: whoever else waits comes between.
func (f *Follower) catchUp(ctx context.Context, k schema.Kind) error {
	target, width := f.st.Rev(), schema.Rev(chunk)
	if k != allKinds {
		width = target // the index alone says how many there are
	}
	for {
		done, err := f.piece(ctx, k, target, &width)
		if err != nil || done {
			return err
		}
	}
}

// piece works in the next piece of what changed up to target, about width revs of it. done: there is no more.
func (f *Follower) piece(ctx context.Context, k schema.Kind, target schema.Rev, width *schema.Rev) (done bool, err error) {
	if err := f.take(ctx); err != nil {
		return false, err
	}
	defer f.give()
	at, err := f.reached(ctx, k)
	if err != nil || at >= target {
		return err == nil, err
	}
	end := min(at+*width, target)
	recs, fits, err := f.changes(ctx, k, at, end)
	if err != nil {
		return false, fmt.Errorf("hq/behind: %s: %w", f.task.Name, err)
	}
	if !fits {
		*width = max((end-at)/2, 1)
		return false, nil
	}
	if len(recs) < chunk/4 { // revs of records that changed again are gone: look further at once
		*width *= 2
	}
	if len(recs) > 0 || k == allKinds && end == target {
		if err := f.write(ctx, k, recs, end); err != nil {
			return false, fmt.Errorf("hq/behind: %s: %w", f.task.Name, err)
		}
	}
	if k == allKinds {
		f.at = end
	} else {
		f.above[k] = end
	}
	return end == target, nil
}

// reached is up to where all changes are worked in. It begins anew when what was derived is not good.
func (f *Follower) reached(ctx context.Context, k schema.Kind) (schema.Rev, error) {
	at, good, err := f.cursor(ctx)
	if err != nil {
		return 0, err
	}
	if !good {
		if err := f.reset(ctx); err != nil {
			return 0, err
		}
		at = 0
	}
	f.at = max(f.at, at)
	return max(f.at, f.above[k]), nil
}

// changes gives the records whose last rev is above after and at most to; fits is false when they are too many.
func (f *Follower) changes(ctx context.Context, k schema.Kind, after, to schema.Rev) (recs []*store.Rec, fits bool, err error) {
	changed := f.changed
	if k != allKinds {
		changed += ofKinds([]schema.Kind{k})
	}
	err = f.st.Read(ctx, func(r *store.R) error {
		args := []any{int64(after), int64(to)}
		n := 0
		if to-after > chunk { // a rev is one record's
			if _, err := r.Scan("SELECT COUNT(*) "+changed, args, &n); err != nil {
				return err
			}
		}
		if fits = n <= chunk; !fits {
			return nil
		}
		return r.Each("SELECT "+store.RecColumns+" "+changed, args, func(rows *stdsql.Rows) error {
			rec, err := store.ScanRec(rows)
			recs = append(recs, rec)
			return err
		})
	})
	return recs, fits, err
}

// write writes down what the records give, and the cursor when they are of all kinds.
func (f *Follower) write(ctx context.Context, k schema.Kind, recs []*store.Rec, rev schema.Rev) error {
	put := func(*store.W) error { return nil }
	if len(recs) > 0 {
		var err error
		if put, err = f.task.Derive(recs); err != nil {
			return err
		}
	}
	return f.st.Write(ctx, func(w *store.W) error {
		if err := put(w); err != nil || k != allKinds {
			return err
		}
		return f.setCursor(w, rev)
	})
}

// cursor is how far the records are worked in; good is false when all must be derived anew.
func (f *Follower) cursor(ctx context.Context) (at schema.Rev, good bool, err error) {
	var form int
	var epoch, rev int64
	err = f.st.Read(ctx, func(r *store.R) error {
		good, err = r.Scan("SELECT form, epoch, rev FROM behind WHERE name = $1", []any{f.task.Name}, &form, &epoch, &rev)
		return err
	})
	if err != nil || !good || form != f.task.Form {
		return 0, false, err
	}
	line := f.st.Epochs()
	i := slices.IndexFunc(line, func(e *wirev1.Epoch) bool { return e.GetId() == epoch })
	if i < 0 || i+1 < len(line) && rev > line[i+1].GetBirthRev() {
		return 0, false, nil
	}
	return schema.Rev(rev), schema.Rev(rev) <= f.st.Rev(), nil
}

func (f *Follower) reset(ctx context.Context) error {
	f.at = 0
	clear(f.above)
	err := f.st.Write(ctx, func(w *store.W) error {
		for _, q := range f.task.Clear {
			if _, err := w.Exec(q); err != nil {
				return err
			}
		}
		return f.setCursor(w, 0)
	})
	if err != nil {
		return fmt.Errorf("hq/behind: clear %s: %w", f.task.Name, err)
	}
	return nil
}

func (f *Follower) setCursor(w *store.W, rev schema.Rev) error {
	_, err := w.Exec(`INSERT INTO behind (name, form, epoch, rev) VALUES ($1, $2, $3, $4)
		ON CONFLICT (name) DO UPDATE SET form = excluded.form, epoch = excluded.epoch, rev = excluded.rev`,
		f.task.Name, f.task.Form, int64(f.st.Epoch()), int64(rev))
	return err
}
