package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/nkey"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type site struct {
	dir string
	key *nkey.Signer
	now time.Time
}

func newSite(t testing.TB) *site {
	seed, err := nkey.NewSeed(rand.Reader)
	check(t, err)
	key, err := nkey.NewSigner(seed)
	check(t, err)
	return &site{t.TempDir(), key, time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
}

func (s *site) open() (*store.Store, error) {
	return store.Open(context.Background(), store.Config{Dir: s.dir, Now: func() time.Time { return s.now }, Rand: rand.Reader, Signer: s.key})
}

func (s *site) must(t testing.TB) *store.Store {
	t.Helper()
	st, err := s.open()
	check(t, err)
	return st
}

func frozen(n int64) *wirev1.LedgerEntry {
	return &wirev1.LedgerEntry{Kind: wirev1.LedgerKind_INCARNATION_FROZEN, Branch: "b1", Incarnation: n}
}

func TestLedger_SurvivesWhatTheDatabaseDoesNot(t *testing.T) {
	s := newSite(t)
	st := s.must(t)
	for n := range int64(3) {
		check(t, st.Write(t.Context(), func(w *store.W) error { return w.AddLedger(frozen(n + 1)) }))
	}
	// The act stands though its transaction was rolled back: it may be done twice, never undone.
	boom := errors.New("boom")
	if err := st.Write(t.Context(), func(w *store.W) error {
		check(t, w.AddLedger(frozen(4)))
		return boom
	}); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if n := len(st.Ledger()); n != 4 {
		t.Fatalf("%d entries", n)
	}
	check(t, st.Close())
	path := filepath.Join(s.dir, store.LedgerFile)
	whole, err := os.ReadFile(path)
	check(t, err)

	// The database is lost altogether.
	check(t, os.Remove(filepath.Join(s.dir, store.File)))
	st = s.must(t)
	if n := len(st.Ledger()); n != 4 {
		t.Errorf("%d entries after the database was lost", n)
	}
	check(t, st.Close())

	// A crash in the middle of a write: the last entry was confirmed to nobody.
	for _, cut := range []int{1, 20, 40} {
		check(t, os.WriteFile(path, whole[:len(whole)-cut], 0o600))
		st = s.must(t)
		if n := len(st.Ledger()); n != 3 {
			t.Errorf("%d entries after %d bytes were cut off, not 3", n, cut)
		}
		check(t, st.Write(t.Context(), func(w *store.W) error { return w.AddLedger(frozen(9)) }))
		check(t, st.Close())
		st = s.must(t)
		if n := len(st.Ledger()); n != 4 {
			t.Errorf("%d entries after going on", n)
		}
		check(t, st.Close())
	}

	// Damage in the middle may hide an erasure: it is not passed over.
	bad := bytes.Clone(whole)
	bad[40] ^= 1
	check(t, os.WriteFile(path, bad, 0o600))
	if st, err := s.open(); err == nil {
		check(t, st.Close())
		t.Error("a damaged ledger was opened")
	}
}

func TestWrite_RollBackGivesRevsBack(t *testing.T) {
	s := newSite(t)
	st := s.must(t)
	defer func() { check(t, st.Close()) }()
	before := st.Rev()
	boom := errors.New("boom")
	err := st.Write(t.Context(), func(w *store.W) error {
		w.NextRev()
		w.Touch(store.All)
		return boom
	})
	if !errors.Is(err, boom) || st.Rev() != before || len(st.Take()) != 0 {
		t.Errorf("err %v, rev %d, was %d", err, st.Rev(), before)
	}
	check(t, st.Write(t.Context(), func(w *store.W) error { w.NextRev(); return nil }))
	if st.Rev() != before+1 {
		t.Errorf("rev %d after one taken", st.Rev())
	}
}

func TestClock_NeverBelowWhatWasStored(t *testing.T) {
	s := newSite(t)
	st := s.must(t)
	var first int64
	check(t, st.Write(t.Context(), func(w *store.W) error { first = w.Clock(); return nil }))
	check(t, st.Close())
	s.now = s.now.Add(-time.Hour)
	st = s.must(t)
	defer func() { check(t, st.Close()) }()
	check(t, st.Write(t.Context(), func(w *store.W) error {
		if w.Clock() < first {
			t.Errorf("the clock went back to %d, %d was stored", w.Clock(), first)
		}
		return nil
	}))
}

func TestBackup_SaysWhatMayBeForgotten(t *testing.T) {
	s := newSite(t)
	st := s.must(t)
	defer func() { check(t, st.Close()) }()
	var inc schema.Incarnation
	check(t, st.Write(t.Context(), func(w *store.W) error {
		l, err := w.Issue(st.Branch(schema.HQ), []byte("nonce"))
		inc = l.Inc
		return err
	}))
	forget := func() (n schema.Seq) {
		check(t, st.Read(t.Context(), func(r *store.R) (err error) {
			n, err = store.ForgetBelow(r, inc)
			return err
		}))
		return n
	}
	if n := forget(); n != 0 {
		t.Errorf("without a backup %d may be forgotten", n)
	}
	for i := range int64(store.KeptBackups + 2) {
		check(t, st.Write(t.Context(), func(w *store.W) error {
			var n int64
			if _, err := w.Scan("INSERT INTO backup (name, at) VALUES ($1, $2) RETURNING n", []any{"x", w.Clock()}, &n); err != nil {
				return err
			}
			_, err := w.Exec("INSERT INTO backup_mark (backup, inc, watermark) VALUES ($1, $2, $3)", n, int64(inc), 10*(i+1))
			return err
		}))
		want := schema.Seq(10)
		if i >= store.KeptBackups {
			want = schema.Seq(10 * (i + 2 - store.KeptBackups))
		}
		if n := forget(); n != want {
			t.Errorf("after backup %d below %d may be forgotten, not %d", i+1, n, want)
		}
	}
}
