package find

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/page"
	"branchline/schema/sql"
)

// The open orders of a branch are read off an index, in the order of their days.
func TestList_byStateReadsAnIndex(t *testing.T) {
	db, err := sql.Open(t.Context(), sql.Config{Path: filepath.Join(t.TempDir(), "hq.db"), Migrations: sql.HQ()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	asked, err := page.Query{Kind: schema.KindOf(schema.ServiceOrder), State: int64(branchlinev1.OrderState_IN_WORK), OrderBy: "day desc"}.Check()
	if err != nil {
		t.Fatal(err)
	}
	l := lister{Asked: asked, home: 2}
	text, args := l.sql()
	rows, err := db.R.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
	if err != nil {
		t.Fatal(err)
	}
	var plan []string
	for rows.Next() {
		var id, parent, x int
		var what string
		if err := rows.Scan(&id, &parent, &x, &what); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, what)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(plan, "; ")
	if !strings.Contains(got, "INDEX listing_state (kind=? AND home=? AND st=? AND retired=?") || strings.Contains(got, "B-TREE") {
		t.Error(got)
	}
}
