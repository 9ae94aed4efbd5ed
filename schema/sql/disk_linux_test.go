package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"branchline/schema"
)

// under puts another file under every descriptor this process has of path, and gives back what was there.
func under(t *testing.T, path string, flag int, other string) (back func()) {
	t.Helper()
	f, err := os.OpenFile(other, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	kept := map[int]int{}
	for _, e := range list {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if at, err := os.Readlink("/proc/self/fd/" + e.Name()); err != nil || at != path {
			continue
		}
		if kept[n], err = syscall.Dup(n); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Dup3(int(f.Fd()), n, syscall.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if len(kept) == 0 {
		t.Fatalf("nobody has %s open", path)
	}
	return func() {
		for n, was := range kept {
			if err := errors.Join(syscall.Dup3(was, n, syscall.O_CLOEXEC), syscall.Close(was)); err != nil {
				t.Error(err)
			}
		}
	}
}

func insert(t *testing.T, db *DB) error {
	return db.Write(t.Context(), func(ctx context.Context, tx *stdsql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO t (x) VALUES (NULL)")
		return err
	})
}

func rows(t *testing.T, db *DB) (n int) {
	t.Helper()
	if err := db.R.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// No room: refused until there is, and the database lives on.
func TestWrite_fullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db := open(t, Config{Path: path, Migrations: schemaOf("CREATE TABLE t(x INTEGER PRIMARY KEY);")})
	// /dev/full reads as nought: nothing may have to be read from there.
	if _, err := db.W.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	back := under(t, path+"-wal", os.O_RDWR, "/dev/full")
	for range 2 {
		if err := insert(t, db); !errors.Is(err, schema.ErrExhausted) || !IsDisk(err) || errors.Is(err, ErrDisk) {
			t.Errorf("on a full disk: %v", err)
		}
	}
	back()
	if err := insert(t, db); err != nil || rows(t, db) != 1 {
		t.Fatalf("with room again: %v, %d rows", err, rows(t, db))
	}
	select {
	case <-db.failed.seen:
		t.Error("a full disk counts as a broken one")
	default:
	}
}

// A disk that does not take what it is given: no more writes, and Run ends and says why.
func TestWrite_brokenDisk(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "x.db"), filepath.Join(dir, "other")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), Config{Path: path, Migrations: schemaOf("CREATE TABLE t(x INTEGER PRIMARY KEY);")})
	if err != nil {
		t.Fatal(err)
	}
	if err := insert(t, db); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- db.Run(t.Context()) }()
	back := under(t, path+"-wal", os.O_RDONLY, other)
	if err := insert(t, db); !errors.Is(err, ErrDisk) || !errors.Is(err, schema.ErrUnavailable) || !IsDisk(err) {
		t.Errorf("the write: %v", err)
	}
	err = <-done // the test's own time limit bounds this
	if !errors.Is(err, ErrDisk) || errors.Is(err, schema.ErrUnavailable) || !strings.Contains(err.Error(), "I/O error") {
		t.Errorf("Run: %v", err)
	}
	back()
	if err := insert(t, db); !errors.Is(err, ErrDisk) {
		t.Errorf("a write after it, on a disk that looks whole: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, Config{Path: path, Migrations: schemaOf("CREATE TABLE t(x INTEGER PRIMARY KEY);")})
	if err := insert(t, again); err != nil || rows(t, again) != 2 {
		t.Errorf("started again: %v, %d rows", err, rows(t, again))
	}
}
