// Package sqltest is for tests of queries: how the database means to answer one.
package sqltest

import (
	stdsql "database/sql"
	"errors"
	"strings"
	"testing"
)

// Plan is the plan of a query, a line a step.
func Plan(t testing.TB, db *stdsql.DB, text string, args ...any) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
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
	return strings.Join(plan, "\n")
}
