package find

import (
	"path/filepath"
	"strings"
	"testing"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/page"
	"branchline/schema/sql"
	"branchline/schema/sql/sqltest"
)

// The orders of a branch in a state, and those of all branches, are read off an index in the order of the list.
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
	for _, c := range []struct {
		home         int32
		order, index string
	}{
		{2, "day desc", "INDEX listing_state (kind=? AND home=? AND st=? AND retired=?"},
		{-1, "day desc", "INDEX listing_state_day (kind=? AND st=? AND retired=?"},
		{-1, "", "INDEX listing_state_updated (kind=? AND st=? AND retired=?"},
		{2, "", "INDEX listing_state_updated (kind=? AND st=? AND retired=?"},
	} {
		asked, err := page.Query{Kind: schema.KindOf(schema.ServiceOrder), State: int64(branchlinev1.OrderState_IN_WORK), OrderBy: c.order}.Check()
		if err != nil {
			t.Fatal(err)
		}
		l := lister{Asked: asked, home: c.home}
		text, args := l.sql()
		if plan := sqltest.Plan(t, db.R, text, args...); !strings.Contains(plan, c.index) || strings.Contains(plan, "B-TREE") {
			t.Errorf("home %d, %q: %s", c.home, c.order, plan)
		}
	}
}
