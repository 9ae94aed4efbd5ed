package sql

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// kept counts the statements that the writer's connection keeps.
func kept(t *testing.T, db *DB) (n int) {
	t.Helper()
	c, err := db.W.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Raw(func(c any) error { n = len(c.(*keeping).idle); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestKeep(t *testing.T) {
	db := open(t, Config{Path: filepath.Join(t.TempDir(), "x.db"), Migrations: schemaOf("CREATE TABLE t(x INTEGER PRIMARY KEY, y TEXT);")})
	if _, err := db.W.ExecContext(t.Context(), shrink); err != nil {
		t.Fatal(err)
	}
	if n := kept(t, db); n != 0 {
		t.Fatalf("%d statements kept after memory was shrunk", n)
	}
	err := db.Write(t.Context(), func(ctx context.Context, tx *stdsql.Tx) error {
		for i := range 10 {
			if _, err := tx.ExecContext(ctx, "INSERT INTO t VALUES($1, $2)", i, fmt.Sprint(i)); err != nil {
				return err
			}
		}
		// The same text within its own rows, on the one connection there is.
		outer, err := tx.QueryContext(ctx, "SELECT x FROM t WHERE x < $1 ORDER BY x", 4)
		if err != nil {
			return err
		}
		defer outer.Close()
		var got []int
		for outer.Next() {
			var x, below int
			if err := outer.Scan(&x); err != nil {
				return err
			}
			inner, err := tx.QueryContext(ctx, "SELECT x FROM t WHERE x < $1 ORDER BY x", x)
			if err != nil {
				return err
			}
			for inner.Next() {
				below++
			}
			if err := inner.Close(); err != nil {
				return err
			}
			got = append(got, x, below)
		}
		if s := fmt.Sprint(got); s != "[0 0 1 1 2 2 3 3]" {
			t.Errorf("nested rows gave %s", s)
		}
		return outer.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := kept(t, db); n != 2 {
		t.Errorf("%d statements kept, want the INSERT and one SELECT", n)
	}
	// One that failed is not kept, and the next of its text works.
	insert := func(x int) error {
		return db.Write(t.Context(), func(ctx context.Context, tx *stdsql.Tx) error {
			_, err := tx.ExecContext(ctx, "INSERT INTO t VALUES($1, 'once more')", x)
			return err
		})
	}
	if err := insert(3); err == nil || strings.Count(err.Error(), "UNIQUE") != 1 {
		t.Errorf("a row twice: %v", err)
	}
	if err := insert(11); err != nil {
		t.Error(err)
	}
	// What is kept knows a table that was changed meanwhile.
	if _, err := db.W.ExecContext(t.Context(), "ALTER TABLE t ADD COLUMN z INTEGER DEFAULT 7"); err != nil {
		t.Fatal(err)
	}
	for want := 3; want < 5; want++ {
		var cols []string
		rows, err := db.W.QueryContext(t.Context(), "SELECT * FROM t")
		if err == nil {
			cols, err = rows.Columns()
			rows.Close()
		}
		if err != nil || len(cols) != want {
			t.Errorf("columns %v, %v; want %d", cols, err, want)
		}
		if want == 3 {
			if _, err := db.W.ExecContext(t.Context(), "ALTER TABLE t ADD COLUMN q"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range 2 * keptStatements {
		if _, err := db.W.ExecContext(t.Context(), fmt.Sprintf("UPDATE t SET y = 'x' WHERE x = %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := kept(t, db); n != keptStatements {
		t.Errorf("%d statements kept, want %d", n, keptStatements)
	}
	if err := db.Shrink(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := kept(t, db); n != 0 {
		t.Errorf("%d statements kept after memory was shrunk", n)
	}
}
