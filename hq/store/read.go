package store

import (
	"context"
	stdsql "database/sql"
	"fmt"
)

// R is one snapshot. It is used by one goroutine and not kept.
type R struct {
	s   *Store
	ctx context.Context
	tx  *stdsql.Tx
}

// Read runs f on one snapshot of the database.
func (s *Store) Read(ctx context.Context, f func(*R) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	return s.db.Read(ctx, func(_ context.Context, tx *stdsql.Tx) error {
		return f(&R{s, ctx, tx})
	})
}

// Query runs a query.
func (r *R) Query(q string, args ...any) (*stdsql.Rows, error) {
	rows, err := r.tx.QueryContext(r.ctx, q, args...)
	if err != nil {
		return nil, fmt.Errorf("hq/store: %q: %w", clip(q), err)
	}
	return rows, nil
}

// Scan runs a query of one row. found is false when there is none.
func (r *R) Scan(q string, args []any, dest ...any) (found bool, err error) {
	rows, err := r.Query(q, args...)
	if err != nil {
		return false, err
	}
	return scanOne(rows, q, dest)
}

// Each runs a query and calls f for each row.
func (r *R) Each(q string, args []any, f func(*stdsql.Rows) error) error {
	rows, err := r.Query(q, args...)
	if err != nil {
		return err
	}
	return each(rows, q, f)
}

// In runs the query "head IN (…) tail" over keys, in chunks, and calls f for each row.
func (r *R) In(head, tail string, keys []any, f func(*stdsql.Rows) error) error {
	for len(keys) > 0 {
		n := chunkOf(len(keys))
		if err := r.Each(texts{}.in(head, tail, n), keys[:n], f); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// Reader is what reads within a transaction, writing or not.
type Reader interface {
	Scan(q string, args []any, dest ...any) (found bool, err error)
	Each(q string, args []any, f func(*stdsql.Rows) error) error
}

// ListReader is a Reader that reads by lists of keys too.
type ListReader interface {
	Reader
	In(head, tail string, keys []any, f func(*stdsql.Rows) error) error
}
