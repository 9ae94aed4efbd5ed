package behind_test

import (
	"context"
	stdsql "database/sql"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"branchline/hq/behind"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/sql"
	"branchline/sync/bus/nkey"
)

type dice struct{ r *rand.Rand }

func (d dice) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(d.r.Uint32())
	}
	return len(b), nil
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T) *store.Store {
	t.Helper()
	d := dice{rand.New(rand.NewPCG(1, 2))}
	seed, err := nkey.NewSeed(d)
	check(t, err)
	key, err := nkey.NewSigner(seed)
	check(t, err)
	st, err := store.Open(t.Context(), store.Config{
		Dir: t.TempDir(), Now: func() time.Time { return time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC) }, Rand: d, Signer: key,
	})
	check(t, err)
	t.Cleanup(func() { check(t, st.Close()) })
	return st
}

// touch gives records a new rev: new ones, or changed ones.
func touch(t *testing.T, st *store.Store, kind schema.Kind, ids ...byte) {
	t.Helper()
	check(t, st.Write(context.Background(), func(w *store.W) error {
		for _, b := range ids {
			rec, err := store.RecOf(w, schema.RecordID{b})
			if err != nil {
				return err
			}
			if rec == nil {
				rec = &store.Rec{N: w.NextRecord(), ID: schema.RecordID{b}, Kind: kind, Home: store.HQNum, Rev: w.NextRev(), State: []byte{1}}
				if err := w.InsertRecs([]*store.Rec{rec}); err != nil {
					return err
				}
				continue
			}
			rec.Rev = w.NextRev()
			if err := w.UpdateRec(rec); err != nil {
				return err
			}
		}
		return nil
	}))
}

func TestFollower_seesEachRecordAtItsLastRev(t *testing.T) {
	st := open(t)
	seen := map[byte]int{}
	fail := errors.New("no room")
	var bad error
	task := behind.Task{
		Name: "test", Form: 1, Kinds: []schema.Kind{schema.Customer, schema.Vehicle},
		Derive: func(recs []*store.Rec) (func(*store.W) error, error) {
			return func(*store.W) error {
				if bad != nil {
					return bad
				}
				for _, r := range recs {
					seen[r.ID[0]]++
				}
				return nil
			}, nil
		},
	}
	f, err := behind.New(st, slog.New(slog.DiscardHandler), task)
	check(t, err)
	touch(t, st, schema.Customer, 1, 2, 3)
	touch(t, st, schema.Note, 9)
	touch(t, st, schema.Customer, 2)
	check(t, f.CatchUp(t.Context()))
	if len(seen) != 3 || seen[2] != 1 || seen[9] != 0 {
		t.Errorf("seen %v", seen)
	}
	clear(seen)
	check(t, f.CatchUp(t.Context()))
	if len(seen) != 0 {
		t.Errorf("seen again %v", seen)
	}
	touch(t, st, schema.Vehicle, 3, 4)
	bad = fail
	if err := f.CatchUp(t.Context()); !errors.Is(err, fail) {
		t.Errorf("%v, want %v", err, fail)
	}
	bad = nil
	check(t, f.CatchUp(t.Context()))
	if len(seen) != 2 || seen[3] != 1 || seen[4] != 1 {
		t.Errorf("after a failure: %v", seen)
	}
	clear(seen)
	check(t, f.Rebuild(t.Context()))
	if len(seen) != 4 {
		t.Errorf("derived anew from %v", seen)
	}
	// Another form is another derivation.
	clear(seen)
	task.Form = 2
	f, err = behind.New(st, slog.New(slog.DiscardHandler), task)
	check(t, err)
	check(t, f.CatchUp(t.Context()))
	if len(seen) != 4 {
		t.Errorf("a new form was derived from %v", seen)
	}
}

// Who needs a kind that seldom changes does not wait for one that has just changed a thousand times.
func TestFollower_WorksInOneKindBeforeTheOthers(t *testing.T) {
	st := open(t)
	seen := map[schema.Kind]int{}
	f, err := behind.New(st, slog.New(slog.DiscardHandler), behind.Task{
		Name: "test", Form: 1, Kinds: []schema.Kind{schema.Branch, schema.Customer, schema.Vehicle},
		Derive: func(recs []*store.Rec) (func(*store.W) error, error) {
			for _, r := range recs {
				seen[r.Kind]++
			}
			return func(*store.W) error { return nil }, nil
		},
	})
	check(t, err)
	many := make([]byte, 100)
	for i := range many {
		many[i] = byte(100 + i)
	}
	touch(t, st, schema.Branch, 1)
	for range 20 {
		touch(t, st, schema.Customer, many...)
	}
	touch(t, st, schema.Branch, 2)
	var asked sql.Tally
	check(t, f.CatchUpOn(sql.Counted(t.Context(), &asked), schema.Branch))
	if seen[schema.Branch] != 2 || seen[schema.Customer] != 0 {
		t.Errorf("seen %v, want two branches alone", seen)
	}
	if n := asked.Rows.Load(); n > 10 {
		t.Errorf("%d rows were read for two branches", n)
	}
	check(t, f.CatchUpOn(t.Context(), schema.Branch))
	touch(t, st, schema.Branch, 1)
	check(t, f.CatchUpOn(t.Context(), schema.Branch))
	if seen[schema.Branch] != 3 {
		t.Errorf("branches seen %d times, want those that changed", seen[schema.Branch])
	}
	check(t, f.CatchUp(t.Context()))
	if seen[schema.Customer] != len(many) {
		t.Errorf("%d customers seen in the end, want %d", seen[schema.Customer], len(many))
	}
	// What was worked in beyond the cursor is not counted on when all begins anew.
	check(t, f.Rebuild(t.Context()))
	if seen[schema.Branch] < 5 || seen[schema.Customer] != 2*len(many) {
		t.Errorf("derived anew from %v", seen)
	}
}

// A look at every record for each thousand changes would take a large group's day.
func TestFollower_findsChangesByIndex(t *testing.T) {
	st := open(t)
	f, err := behind.New(st, slog.New(slog.DiscardHandler), behind.Task{
		Name: "test", Form: 1, Kinds: []schema.Kind{schema.Customer}, Derive: func([]*store.Rec) (func(*store.W) error, error) { return nil, nil },
	})
	check(t, err)
	var plan []string
	check(t, st.Read(t.Context(), func(r *store.R) error {
		return r.Each("EXPLAIN QUERY PLAN "+f.ChangedSQL(), []any{1, 100}, func(rows *stdsql.Rows) error {
			var a, b, c int
			var s string
			err := rows.Scan(&a, &b, &c, &s)
			plan = append(plan, s)
			return err
		})
	}))
	if s := strings.Join(plan, "; "); !strings.Contains(s, "COVERING INDEX record_home (home=? AND rev>? AND rev<?)") {
		t.Error(s)
	}
}
