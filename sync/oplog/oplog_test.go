package oplog

import (
	"context"
	stdsql "database/sql"
	"errors"
	"math/rand"
	"path/filepath"
	"testing"
	"time"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/sql"
	"branchline/sync/clock"
)

type rig struct {
	t   *testing.T
	db  *sql.DB
	log *Log
	clk *clock.Clock
}

func newRig(t *testing.T) *rig {
	t.Helper()
	db, err := sql.Open(t.Context(), sql.Config{Path: filepath.Join(t.TempDir(), "b.db"), Migrations: sql.Node()})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, db: db, clk: clock.New(func() time.Time { return time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC) }, 0)}
	if r.log, err = New(t.Context(), db.W, "pd", r.clk, rand.New(rand.NewSource(1))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(r.log.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := Begin(t.Context(), db.W, 11, []byte("c")); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) life() *Life {
	r.t.Helper()
	ls, err := Lives(r.t.Context(), r.db.W)
	if err != nil {
		r.t.Fatal(err)
	}
	return ls[0]
}

var errUndo = errors.New("undo")

func (r *rig) append(n int, undo bool) {
	r.t.Helper()
	t := r.life().Tail
	err := r.db.Write(r.t.Context(), func(ctx context.Context, tx *stdsql.Tx) error {
		for i := range n {
			var err error
			if t, _, err = r.log.Append(ctx, tx, t, schema.RecordID{1}, &wirev1.ChangeBody{Kind: 4, Record: make([]byte, 16), Values: make([]byte, 10+i)}, false); err != nil {
				return err
			}
		}
		if undo {
			return errUndo
		}
		return nil
	})
	if err != nil && !errors.Is(err, errUndo) {
		r.t.Fatal(err)
	}
}

func TestAppend_GaplessAndChained(t *testing.T) {
	r := newRig(t)
	r.append(3, false)
	r.append(2, true)
	r.append(2, false)
	before, rows, err := Read(t.Context(), r.db.R, r.life(), "pd", 0, 100, 1<<20)
	if err != nil || len(rows) != 5 {
		t.Fatal(len(rows), err)
	}
	last := schema.Tick(0)
	for i, c := range rows {
		before = schema.NextChain(before, schema.HashPayload(c.Salt, c.Payload))
		if c.ID.Seq != schema.Seq(i+1) || c.Chain != before || c.At <= last {
			t.Fatalf("change %d: seq %d, at %d after %d", i+1, c.ID.Seq, c.At, last)
		}
		last = c.At
	}
	if h, ok, err := ChainAt(t.Context(), r.db.R, r.life(), 3); err != nil || !ok || h != rows[2].Chain {
		t.Fatal(ok, err)
	}
	if _, ok, _ := ChainAt(t.Context(), r.db.R, r.life(), 6); ok {
		t.Fatal("a hash beyond the last change")
	}
}

func TestRead_BoundsByCountAndBytes(t *testing.T) {
	r := newRig(t)
	r.append(10, false)
	for _, c := range []struct{ after, n, bytes, want int }{{0, 4, 1 << 20, 4}, {0, 100, 1, 1}, {8, 100, 1 << 20, 2}, {10, 5, 1, 0}} {
		_, rows, err := Read(t.Context(), r.db.R, r.life(), "pd", schema.Seq(c.after), c.n, c.bytes)
		if err != nil || len(rows) != c.want {
			t.Errorf("after %d, %d, %d bytes: %d changes, %v", c.after, c.n, c.bytes, len(rows), err)
		}
	}
	if _, _, err := Read(t.Context(), r.db.R, r.life(), "pd", 11, 1, 1); !errors.Is(err, schema.ErrNotFound) {
		t.Error(err)
	}
}

func TestPrune_KeepsTheChain(t *testing.T) {
	r := newRig(t)
	r.append(10, false)
	stale := r.life()
	if cut, err := Prune(t.Context(), r.db.W, r.life(), 7, 4); err != nil || cut != 4 {
		t.Fatal(cut, err)
	}
	if cut, err := Prune(t.Context(), r.db.W, r.life(), 99, 100); err != nil || cut != 10 {
		t.Fatal(cut, err)
	}
	l := r.life()
	if l.PruneCut != 10 || l.Seq != 10 || l.Chain != l.PruneChain || l.At == 0 {
		t.Fatalf("%+v", l)
	}
	r.append(1, false)
	before, rows, err := Read(t.Context(), r.db.R, r.life(), "pd", 10, 5, 1<<20)
	if err != nil || len(rows) != 1 || schema.NextChain(before, schema.HashPayload(rows[0].Salt, rows[0].Payload)) != rows[0].Chain || rows[0].At <= l.At {
		t.Fatal(len(rows), err)
	}
	// Who knows an older life is told, and not given changes with a gap before them.
	if _, rows, err := Read(t.Context(), r.db.R, stale, "pd", 0, 5, 1<<20); !errors.Is(err, schema.ErrNotFound) {
		t.Fatal(len(rows), err)
	}
}

func TestAppend_TooLarge(t *testing.T) {
	r := newRig(t)
	err := r.db.Write(t.Context(), func(ctx context.Context, tx *stdsql.Tx) error {
		_, _, err := r.log.Append(ctx, tx, r.life0(), schema.RecordID{1}, &wirev1.ChangeBody{Values: make([]byte, schema.MaxChange)}, false)
		return err
	})
	if !errors.Is(err, schema.ErrTooLarge) {
		t.Fatal(err)
	}
}

// life0 is the tail before the first change, inside a transaction.
func (r *rig) life0() Tail { return Tail{No: 1, Inc: 11} }

func TestStore_TakesBackOnlyWhatContinues(t *testing.T) {
	r := newRig(t)
	r.append(4, false)
	_, rows, err := Read(t.Context(), r.db.R, r.life(), "pd", 0, 10, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := Drop(t.Context(), r.db.W, r.life(), 1); err != nil {
		t.Fatal(err)
	}
	erased := rows[2].Sealed
	erased.PayloadHash, erased.Payload = schema.HashPayload(erased.Salt, erased.Payload), nil
	second := rows[1].Sealed
	second.PayloadHash = schema.HashPayload(second.Salt, second.Payload)
	from := r.life().Tail
	if _, err := Store(t.Context(), r.db.W, from, []schema.Sealed{erased}); err == nil {
		t.Fatal("a gap was taken back")
	}
	tail, err := Store(t.Context(), r.db.W, from, []schema.Sealed{second, erased})
	if err != nil || tail.Seq != 3 || tail.Chain != rows[2].Chain {
		t.Fatal(tail, err)
	}
	_, back, err := Read(t.Context(), r.db.R, r.life(), "pd", 1, 10, 1<<20)
	if err != nil || len(back) != 2 || !back[1].Erased() || back[1].PayloadHash != erased.PayloadHash || back[0].Chain != rows[1].Chain {
		t.Fatal(len(back), err)
	}
}

func TestBegin_TheLatestIsCurrent(t *testing.T) {
	r := newRig(t)
	r.append(1, false)
	if err := Begin(t.Context(), r.db.W, 12, nil); err != nil {
		t.Fatal(err)
	}
	ls, err := Lives(t.Context(), r.db.W)
	if err != nil || len(ls) != 2 || ls[0].Inc != 12 || ls[0].Former || ls[0].Seq != 0 || !ls[1].Former || ls[1].Seq != 1 {
		t.Fatal(ls, err)
	}
	if err := Begin(t.Context(), r.db.W, 12, nil); err == nil {
		t.Fatal("an incarnation began twice")
	}
}
