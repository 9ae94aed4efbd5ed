package sql

import (
	"context"
	"database/sql/driver"
	"sync/atomic"
)

// Tally is how much was asked of a database: what a page costs does not depend on the machine. It may be read while it counts.
type Tally struct {
	// Statements are those run by their text: ones prepared beforehand are not counted. Rows are those read of them.
	Statements, Rows atomic.Int64
}

type tallyKey struct{}

// Counted is a context that has what is asked with it counted.
func Counted(ctx context.Context, t *Tally) context.Context {
	return context.WithValue(ctx, tallyKey{}, t)
}

// count notes a statement, and gives where its rows are noted; nil: nowhere.
func count(ctx context.Context) *Tally {
	t, _ := ctx.Value(tallyKey{}).(*Tally)
	if t != nil {
		t.Statements.Add(1)
	}
	return t
}

// countedRows notes each row.
type countedRows struct {
	driver.Rows
	t *Tally
}

// Next reads the next row.
func (r *countedRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err == nil {
		r.t.Rows.Add(1)
	}
	return err
}
