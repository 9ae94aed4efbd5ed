package report_test

import (
	stdsql "database/sql"
	"strings"
	"testing"

	"branchline/hq/report"
	"branchline/hq/store"
)

// The records that changed are found by the index on (home, rev): a look at
// every record for each thousand changes would take a large group's day.
func TestReport_findsChangesByIndex(t *testing.T) {
	w := newWorld(t, t.TempDir(), 1)
	w.arrive(w.history(30)...)
	var plan []string
	must(t, w.st.Read(t.Context(), func(r *store.R) error {
		return r.Each(`EXPLAIN QUERY PLAN `+report.ChangedSQL, []any{1, 100}, func(rows *stdsql.Rows) error {
			var a, b, c int
			var s string
			err := rows.Scan(&a, &b, &c, &s)
			plan = append(plan, s)
			return err
		})
	}))
	if s := strings.Join(plan, "; "); !strings.Contains(s, "SEARCH record USING INDEX record_home (home=? AND rev>? AND rev<?)") {
		t.Error(s)
	}
}
