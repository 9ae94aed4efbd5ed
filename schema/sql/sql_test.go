package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
)

func schemaOf(up ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for i, s := range up {
		m["000"+string(rune('1'+i))+"_x.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + s)}
	}
	return m
}

func open(t *testing.T, c Config) *DB {
	t.Helper()
	db, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestOpen_writesReadsAndBacksUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b.db")
	m := schemaOf("CREATE TABLE t(x INTEGER PRIMARY KEY);")
	db := open(t, Config{Path: path, Migrations: m, Readers: 2})
	err := db.Write(t.Context(), func(ctx context.Context, tx *stdsql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO t VALUES($1)", 7)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	if err := db.Write(t.Context(), func(ctx context.Context, tx *stdsql.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO t VALUES(8)"); err != nil {
			return err
		}
		return boom
	}); !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	count := func(db *DB) (n int) {
		t.Helper()
		if err := db.Read(t.Context(), func(ctx context.Context, tx *stdsql.Tx) error {
			return tx.QueryRowContext(ctx, "SELECT count(*) FROM t").Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(db); n != 1 {
		t.Fatalf("%d rows, want the committed one only", n)
	}
	var sync int
	if err := db.W.QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&sync); err != nil || sync != 2 {
		t.Fatalf("synchronous is %d (%v), want 2 = FULL", sync, err)
	}
	copyPath := filepath.Join(t.TempDir(), "copy.db")
	if err := db.Backup(t.Context(), copyPath); err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := open(t, Config{Path: copyPath, ReadOnly: true})
	if n := count(c); n != 1 {
		t.Fatalf("copy has %d rows", n)
	}
	if _, err := c.R.ExecContext(t.Context(), "INSERT INTO t VALUES(9)"); err == nil {
		t.Fatal("a read-only database took a write")
	}
}

func TestOpen_refusesNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	db, err := Open(t.Context(), Config{Path: path, Migrations: schemaOf("CREATE TABLE a(x);", "CREATE TABLE b(x);")})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(t.Context(), Config{Path: path, Migrations: schemaOf("CREATE TABLE a(x);")}); err == nil {
		db.Close()
		t.Fatal("an older program opened a newer database")
	}
}

func TestOpen_refusesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte("this was a database once, but somebody wrote over it, all of it, from the start"), 0o600); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	db, err := Open(t.Context(), Config{Path: path, Migrations: schemaOf("CREATE TABLE a(x);")})
	if !errors.Is(err, ErrCorrupt) {
		t.Fatalf("got %v, %v", db, err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Fatal("the damaged file was changed")
	}
}

// An empty file is a new database only where nothing tells of an old one.
func TestOpen_refusesAnEmptiedFile(t *testing.T) {
	m := schemaOf("CREATE TABLE a(x);")
	for other, refused := range map[string]bool{"": false, "lock": false, "x.db-wal": true, "run.json": true} {
		dir := t.TempDir()
		path := filepath.Join(dir, "x.db")
		for _, name := range []string{"x.db", other} {
			if name == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		db, err := Open(t.Context(), Config{Path: path, Migrations: m, Beside: []string{"run.json", "backups"}})
		if db != nil {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if errors.Is(err, ErrCorrupt) != refused || !refused && err != nil {
			t.Errorf("with %q beside it: %v", other, err)
		}
		if fi, serr := os.Stat(path); refused && (serr != nil || fi.Size() != 0) {
			t.Errorf("with %q beside it the file was changed", other)
		}
	}
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if db, err := Open(t.Context(), Config{Path: path, ReadOnly: true}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("read only: %v, %v", db, err)
	}
}

// A fault under another file of the site, met within a transaction, counts as one under the database.
func TestWrite_faultBesideTheDatabase(t *testing.T) {
	db := open(t, Config{Path: filepath.Join(t.TempDir(), "x.db"), Migrations: schemaOf("CREATE TABLE a(x);")})
	if err := db.Write(t.Context(), func(context.Context, *stdsql.Tx) error { return errors.Join(ErrDisk, errors.New("the other file")) }); !errors.Is(err, ErrDisk) {
		t.Fatal(err)
	}
	if err := db.Run(t.Context()); !errors.Is(err, ErrDisk) {
		t.Errorf("Run: %v", err)
	}
	if err := db.Write(t.Context(), func(context.Context, *stdsql.Tx) error { return nil }); !errors.Is(err, ErrDisk) {
		t.Errorf("a write after it: %v", err)
	}
}

// A thousand links beat for ever; memory is given back all the same once other work
// has ended, and not before.
func TestRun_HeartbeatsAreNoWork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.db")
	synctest.Test(t, func(t *testing.T) {
		rests := 0
		ctx, stop := context.WithCancel(t.Context())
		db, err := Open(ctx, Config{Path: path, Migrations: schemaOf("CREATE TABLE t(x INTEGER PRIMARY KEY);"), Idle: func() { rests++ }})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- db.Run(ctx) }()
		for step, c := range []struct {
			as   context.Context
			rest int // so far, once five seconds of it and five more are over
		}{{ctx, 0}, {Heartbeat(ctx), 1}, {Heartbeat(ctx), 1}, {ctx, 1}, {Heartbeat(ctx), 2}} {
			for range 2 * quietReads {
				if err := db.Read(c.as, func(context.Context, *stdsql.Tx) error { return nil }); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(restEvery)
			synctest.Wait()
			if rests != c.rest {
				t.Errorf("step %d: memory was given back %d times, not %d", step, rests, c.rest)
			}
		}
		stop()
		if err := errors.Join(<-ended, db.Close()); err != nil {
			t.Error(err)
		}
	})
}
