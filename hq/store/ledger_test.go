package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/sql"
)

// What a full or failing disk leaves of an entry must not stand in front of the next.
func TestLedger_failedWriteLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.bl")
	entry := func(n byte) []*wirev1.LedgerEntry {
		return []*wirev1.LedgerEntry{{Id: append(make([]byte, 15), n), Kind: wirev1.LedgerKind_BRANCH_RETIRED, Branch: "pd"}}
	}
	l, err := openLedger(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.add(entry(1)); err != nil {
		t.Fatal(err)
	}
	whole := l.f
	for other, want := range map[string]error{"/dev/full": schema.ErrExhausted, os.DevNull: sql.ErrDisk} {
		flag := os.O_RDWR
		if want == sql.ErrDisk {
			flag = os.O_RDONLY // takes no writes
		}
		if l.f, err = os.OpenFile(other, flag, 0); err != nil {
			t.Skip(err)
		}
		l.dirty = false // these cannot be cut
		if _, err := l.add(entry(2)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", other, err, want)
		}
		if err := l.f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	// A part of it came through.
	l.f = whole
	if _, err := l.f.WriteAt([]byte("the first half of an entry, longer than a whole one is, so that its end stands behind the next"), l.pos); err != nil {
		t.Fatal(err)
	}
	if fresh, err := l.add(entry(2)); err != nil || len(fresh) != 1 {
		t.Fatalf("with room again: %v %v", fresh, err)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if l, err = openLedger(path); err != nil || len(l.entries) != 2 {
		t.Fatalf("opened again: %v", err)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
}
