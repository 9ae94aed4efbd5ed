package api

import (
	"path/filepath"
	"strings"
	"testing"

	"branchline/hq/store"
	"branchline/schema/sql"
	"branchline/schema/sql/sqltest"
)

// Who has a record is read off each branch's place in the feed: a record is shown as quickly among a million as among ten.
func TestFed_ReadsNoFeedThrough(t *testing.T) {
	db, err := sql.Open(t.Context(), sql.Config{Path: filepath.Join(t.TempDir(), "hq.db"), Migrations: sql.HQ()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	plan := sqltest.Plan(t, db.R, fedQuery, store.FeedRecord, 1)
	if strings.Contains(plan, "SCAN f") || strings.Count(plan, "USING PRIMARY KEY (branch=? AND what=? AND ref=?)") != 2 {
		t.Error(plan)
	}
}
