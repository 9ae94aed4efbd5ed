package store

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"strconv"
	"strings"

	"branchline/schema"
)

// W is one writing transaction. It is used by one goroutine and not kept.
type W struct {
	s   *Store
	ctx context.Context
	tx  *stdsql.Tx

	rev     schema.Rev
	record  int64
	swept   int64
	touched map[int32]bool
	// branches are those the transaction has changed.
	branches map[int32]*Branch
	after    []func()
	stmts    map[string]*stdsql.Stmt
	wanted   []string
}

// Write runs f in one transaction, alone, and commits it durably. An error of f
// rolls everything back, in memory too, and is returned as it is. The
// transaction is not cut short when ctx ends.
func (s *Store) Write(ctx context.Context, f func(*W) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// A context that can end costs a goroutine a statement.
	ctx = context.WithoutCancel(ctx)
	s.writer.Lock()
	defer s.writer.Unlock()
	w := &W{s: s, ctx: ctx, rev: s.rev, record: s.record, swept: s.swept, touched: map[int32]bool{}, branches: map[int32]*Branch{}, stmts: map[string]*stdsql.Stmt{}}
	clock := max(s.clock, s.cfg.Now().UnixMilli())
	err := s.db.Write(ctx, func(_ context.Context, tx *stdsql.Tx) error {
		w.tx = tx
		if err := f(w); err != nil {
			return err
		}
		_, err := w.Exec("UPDATE counter SET rev = $1, record = $2, clock = $3, swept = $4 WHERE one = 1", int64(w.rev), w.record, clock, w.swept)
		return err
	})
	if err != nil {
		for _, reset := range s.resets {
			reset()
		}
		return err
	}
	s.rev, s.record, s.clock, s.swept = w.rev, w.record, clock, w.swept
	s.revNow.Store(int64(w.rev))
	for _, g := range w.after {
		g()
	}
	s.touch(w.touched)
	s.commits.tell()
	for _, q := range w.wanted {
		if s.prepared[q] != nil {
			continue
		}
		st, err := s.db.W.PrepareContext(ctx, q)
		if err != nil {
			return fmt.Errorf("hq/store: prepare: %w", err)
		}
		s.prepared[q] = st
	}
	return nil
}

// Store is the store the transaction writes to.
func (w *W) Store() *Store { return w.s }

// Clock is HQ's clock in unix ms: the machine's, never below what was stored.
func (w *W) Clock() int64 { return max(w.s.clock, w.s.cfg.Now().UnixMilli()) }

// NextRev takes a rev. They are taken under the writer's lock, held to the
// commit, so a reader never sees one before a lower one.
func (w *W) NextRev() schema.Rev { w.rev++; return w.rev }

// Rev is the last rev taken.
func (w *W) Rev() schema.Rev { return w.rev }

// NextRecord takes a record number.
func (w *W) NextRecord() int64 { w.record++; return w.record }

// LastRecord is the last record number taken.
func (w *W) LastRecord() int64 { return w.record }

// Swept is the record number up to which new records were looked at behind the line.
func (w *W) Swept() int64 { return w.swept }

// SetSwept moves it.
func (w *W) SetSwept(n int64) { w.swept = n }

// Touch notes that there is something new to pull for a branch; 0 for all.
func (w *W) Touch(branch int32) { w.touched[branch] = true }

// After runs f once the transaction has committed, still under the writer's lock.
func (w *W) After(f func()) { w.after = append(w.after, f) }

func (w *W) stmt(q string) (*stdsql.Stmt, error) {
	if st := w.stmts[q]; st != nil {
		return st, nil
	}
	var st *stdsql.Stmt
	if p := w.s.prepared[q]; p != nil {
		st = w.tx.StmtContext(w.ctx, p)
	} else {
		var err error
		if st, err = w.tx.PrepareContext(w.ctx, q); err != nil {
			return nil, fmt.Errorf("hq/store: prepare %q: %w", clip(q), err)
		}
		w.wanted = append(w.wanted, q)
	}
	w.stmts[q] = st
	return st, nil
}

// Exec runs a statement of a fixed text: it is prepared once and kept.
func (w *W) Exec(q string, args ...any) (stdsql.Result, error) {
	st, err := w.stmt(q)
	if err != nil {
		return nil, err
	}
	res, err := st.ExecContext(w.ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("hq/store: %q: %w", clip(q), err)
	}
	return res, nil
}

// Query runs a query of a fixed text.
func (w *W) Query(q string, args ...any) (*stdsql.Rows, error) {
	st, err := w.stmt(q)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(w.ctx, args...)
	if err != nil {
		return nil, fmt.Errorf("hq/store: %q: %w", clip(q), err)
	}
	return rows, nil
}

// Scan runs a query of one row. found is false when there is none.
func (w *W) Scan(q string, args []any, dest ...any) (found bool, err error) {
	rows, err := w.Query(q, args...)
	if err != nil {
		return false, err
	}
	return scanOne(rows, q, dest)
}

func scanOne(rows *stdsql.Rows, q string, dest []any) (bool, error) {
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return false, fmt.Errorf("hq/store: %q: %w", clip(q), err)
		}
		return false, nil
	}
	if err := rows.Scan(dest...); err != nil {
		return false, fmt.Errorf("hq/store: %q: %w", clip(q), err)
	}
	return true, rows.Close()
}

// Each runs a query and calls f for each row.
func (w *W) Each(q string, args []any, f func(*stdsql.Rows) error) error {
	rows, err := w.Query(q, args...)
	if err != nil {
		return err
	}
	return each(rows, q, f)
}

func each(rows *stdsql.Rows, q string, f func(*stdsql.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("hq/store: %q: %w", clip(q), err)
	}
	return nil
}

// Savepoint runs f in a savepoint: an error of f undoes what f wrote and is returned.
func (w *W) Savepoint(f func() error) error {
	if _, err := w.tx.ExecContext(w.ctx, "SAVEPOINT one"); err != nil {
		return fmt.Errorf("hq/store: savepoint: %w", err)
	}
	rev, record := w.rev, w.record
	ferr := f()
	if ferr != nil {
		w.rev, w.record = rev, record
		if _, err := w.tx.ExecContext(w.ctx, "ROLLBACK TO one"); err != nil {
			return fmt.Errorf("hq/store: roll back to savepoint: %w (after %w)", err, ferr)
		}
	}
	if _, err := w.tx.ExecContext(w.ctx, "RELEASE one"); err != nil {
		return fmt.Errorf("hq/store: release savepoint: %w", err)
	}
	return ferr
}

// chunks are the sizes of the multi-row statements; each text is prepared once.
var chunks = [...]int{64, 16, 4, 1}

// Insert runs "head VALUES (…), (…) tail" over rows of cols values each, as few
// statements as can be. It gives the number of rows inserted.
func (w *W) Insert(head, tail string, cols int, args []any) (int64, error) {
	var done int64
	for len(args) > 0 {
		n := chunkOf(len(args) / cols)
		res, err := w.Exec(w.s.texts.values(head, tail, cols, n), args[:n*cols]...)
		if err != nil {
			return done, err
		}
		k, err := res.RowsAffected()
		if err != nil {
			return done, fmt.Errorf("hq/store: rows affected: %w", err)
		}
		done += k
		args = args[n*cols:]
	}
	return done, nil
}

// ExecIn runs the statement "head IN (…) tail" over keys, in chunks.
func (w *W) ExecIn(head, tail string, keys []any) error {
	for len(keys) > 0 {
		n := chunkOf(len(keys))
		if _, err := w.Exec(w.s.texts.in(head, tail, n), keys[:n]...); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

func chunkOf(n int) int {
	for _, c := range chunks {
		if n >= c {
			return c
		}
	}
	return 1
}

// In runs "head IN (…) tail" over keys, in chunks, and calls f for each row.
func (w *W) In(head, tail string, keys []any, f func(*stdsql.Rows) error) error {
	for len(keys) > 0 {
		n := chunkOf(len(keys))
		if err := w.Each(w.s.texts.in(head, tail, n), keys[:n], f); err != nil {
			return err
		}
		keys = keys[n:]
	}
	return nil
}

// texts keeps the statements' texts, so that none is built twice. Used under the writer's lock.
type texts map[string]string

func (t texts) values(head, tail string, cols, rows int) string {
	key := head + "\x00" + tail + "\x00" + strconv.Itoa(rows)
	if q := t[key]; q != "" {
		return q
	}
	var b strings.Builder
	b.WriteString(head)
	b.WriteString(" VALUES ")
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('(')
		for c := range cols {
			if c > 0 {
				b.WriteByte(',')
			}
			placeholder(&b, r*cols+c+1)
		}
		b.WriteByte(')')
	}
	b.WriteByte(' ')
	b.WriteString(tail)
	t[key] = b.String()
	return t[key]
}

func (t texts) in(head, tail string, n int) string {
	key := head + "\x00in\x00" + tail + "\x00" + strconv.Itoa(n)
	if q := t[key]; q != "" {
		return q
	}
	var b strings.Builder
	b.WriteString(head)
	b.WriteString(" IN (")
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		placeholder(&b, i+1)
	}
	b.WriteString(") ")
	b.WriteString(tail)
	t[key] = b.String()
	return t[key]
}

func clip(q string) string {
	if len(q) > 100 {
		return q[:100] + "…"
	}
	return q
}
