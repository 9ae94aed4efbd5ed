package bench

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"branchline/cmd/rig"
	nodestore "branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/schema/serve"
	"branchline/schema/sql"
)

// commit measures one new order saved through the API, alternating with the very
// same statements in one bare transaction on a copy of the same database. The
// link is cut: what the sender does afterwards is not the clerk's time.
func (r *runner) commit(func(string) bool) (err error) {
	g, err := r.line(true, branches(1)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	customers, err := r.customersOf(g)
	if err != nil {
		return err
	}
	b := g.Site("b1")
	n := r.scale(2000)
	var words []*table
	var bare *bareSite
	twin, copied := filepath.Join(r.dir, "twin"), filepath.Join(r.dir, "copied")
	if err := r.whileStopped(g, func() error {
		return errors.Join(rig.CopyDir(b.Dir, twin), rig.CopyDir(b.Dir, copied))
	}); err != nil {
		return err
	}
	b.Proxy().Cut()
	r.step("one commit at a time")
	if words, err = r.wordsOf(twin, r.orders(customers), n); err != nil {
		return err
	}
	if bare, err = r.openBareSite(copied); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	run, err := serve.Find(b.Dir)
	if err != nil {
		return err
	}
	site, err := r.keep(run)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, site.close()) }()
	db := b.Node().Store().DB()
	var api, raw series
	orders := r.orders(customers)
	const warm = 50 // connection, statements and caches
	for i := range n {
		rec := new(branchlinev1.Record)
		if err := schema.SetBody(rec, orders()); err != nil {
			return err
		}
		request := fmt.Sprintf("bench-%d", i)
		took, err := site.call(branchlinev1connect.RecordServiceCreateRecordProcedure, &branchlinev1.CreateRecordRequest{Record: rec, RequestId: request}, new(branchlinev1.Record))
		if err != nil {
			return err
		}
		rows, err := lastWritten(r.ctx, db.R, request)
		if err != nil {
			return err
		}
		if words[i] != nil {
			rows = append(rows, words[i])
		}
		began := r.Now()
		if err := bare.write(r.ctx, rows, request); err != nil {
			return err
		}
		if i >= warm {
			api, raw = append(api, took), append(raw, r.Now().Sub(began))
		}
	}
	if err := bare.sameAs(r.ctx, db); err != nil {
		return err
	}
	p50 := raw.at(0.5)
	return errors.Join(
		r.emit("commit/p50", api.at(0.5), "ms", ceiling(p50), goal(p50+0.3), within(1.5), note("%d commits over one connection, from the first byte sent to the last one come; ceiling: the same statements in one bare transaction, alternating", len(api))),
		r.emit("commit/p99", api.at(0.99), "ms", ceiling(raw.at(0.99))),
	)
}

// customersOf writes the customers that orders are about.
func (r *runner) customersOf(g *rig.Rig) ([]schema.RecordID, error) {
	c := r.rows()
	c.Customers, c.Orders = shared, 1
	customers, err := r.fill(g.Site("b1").Node().Store(), c)
	if err != nil {
		return nil, err
	}
	return customers, r.drained(g.Site("b1").Node(), awaitLine)
}

// wordsOf is what the next n orders put into the index, found by writing them into a copy of the branch.
func (r *runner) wordsOf(dir string, orders func() proto.Message, n int) (out []*table, err error) {
	if err := unindexed(r.ctx, dir, true); err != nil {
		return nil, err
	}
	st, err := nodestore.Open(r.ctx, nodestore.Config{Dir: dir, Now: r.Now, Rand: r.Rand})
	if err != nil {
		return nil, err
	}
	var first int64
	if err := st.DB().R.QueryRowContext(r.ctx, "SELECT max(n) + 1 FROM record").Scan(&first); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	errs, werr := st.PutAll(r.ctx, n, false, func(b *nodestore.Batch, _ int) error {
		_, err := b.Put(edit(schema.RecordID{}, orders()))
		return err
	})
	if err := errors.Join(append(errs, werr, st.Close())...); err != nil {
		return nil, err
	}
	all, err := wordsWritten(r.ctx, dir)
	if err != nil {
		return nil, err
	}
	// Record numbers are given in order; a record without words has no entry.
	out = make([]*table, n)
	for _, row := range all.rows {
		if i := row[0].(int64) - first; i >= 0 && i < int64(n) {
			out[i] = &table{name: all.name, columns: all.columns, rows: [][]any{row}}
		}
	}
	return out, nil
}

// lastWritten are the rows of the last change made here, without its words.
func lastWritten(ctx context.Context, db *stdsql.DB, request string) ([]*table, error) {
	var out []*table
	for name, where := range map[string]string{
		"change":  "WHERE id = (SELECT max(id) FROM change)",
		"record":  "WHERE n = (SELECT max(n) FROM record)",
		"term":    "WHERE n = (SELECT max(n) FROM record)",
		"pending": "WHERE id = (SELECT max(id) FROM pending)",
		"request": "WHERE id = '" + request + "'",
	} {
		t, err := readTable(ctx, db, name, where)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// bareSite is a copy of a branch's database with nothing but SQLite around it.
type bareSite struct {
	db    *sql.DB
	stmts map[string]*stdsql.Stmt
}

func (r *runner) openBareSite(dir string) (*bareSite, error) {
	db, err := sql.Open(r.ctx, sql.Config{Path: filepath.Join(dir, nodestore.FileName), CacheKiB: nodeCacheKiB, Migrations: sql.Node()})
	if err != nil {
		return nil, err
	}
	return &bareSite{db: db, stmts: map[string]*stdsql.Stmt{}}, nil
}

func (b *bareSite) close() error {
	var errs []error
	for _, st := range b.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, b.db.Close())...)
}

func (b *bareSite) stmt(ctx context.Context, q string) (*stdsql.Stmt, error) {
	if st := b.stmts[q]; st != nil {
		return st, nil
	}
	st, err := b.db.W.PrepareContext(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("bare transaction: %w", err)
	}
	b.stmts[q] = st
	return st, nil
}

// write is the transaction of one create, statement by statement: what a resend
// would find, whether the customer is there, and the rows.
func (b *bareSite) write(ctx context.Context, rows []*table, request string) error {
	type call struct {
		st   *stdsql.Stmt
		args []any
		read bool
	}
	var calls []call
	add := func(read bool, q string, args ...any) error {
		st, err := b.stmt(ctx, q)
		calls = append(calls, call{st, args, read})
		return err
	}
	var customer any
	for _, t := range rows {
		for i, c := range t.columns {
			if t.name == "record" && c == "customer" {
				customer = t.rows[0][i]
			}
		}
	}
	err := errors.Join(
		add(false, "DELETE FROM request WHERE at < $1", 0),
		add(true, "SELECT kind FROM request WHERE id = $1", request),
		add(true, "SELECT kind FROM record WHERE id = $1 UNION ALL SELECT kind FROM look WHERE id = $1 LIMIT 1", customer),
	)
	for _, t := range rows {
		for _, row := range t.rows {
			err = errors.Join(err, add(false, t.statement(), row...))
		}
	}
	if err != nil {
		return err
	}
	return b.db.Write(ctx, func(ctx context.Context, tx *stdsql.Tx) error {
		for _, c := range calls {
			st := tx.StmtContext(ctx, c.st)
			if !c.read {
				if _, err := st.ExecContext(ctx, c.args...); err != nil {
					return fmt.Errorf("bare transaction: %w", err)
				}
				continue
			}
			var kind int64
			if err := st.QueryRowContext(ctx, c.args...).Scan(&kind); err != nil && !errors.Is(err, stdsql.ErrNoRows) {
				return fmt.Errorf("bare transaction: %w", err)
			}
		}
		return nil
	})
}

// sameAs is an error when the bare transactions wrote something else than the API's.
func (b *bareSite) sameAs(ctx context.Context, db *sql.DB) error {
	for _, name := range []string{"change", "record", "term", "pending", "request", "word_docsize", "sealed", "outcome"} {
		var ours, theirs int64
		if err := errors.Join(
			b.db.R.QueryRowContext(ctx, "SELECT count(*) FROM "+name).Scan(&ours),
			db.R.QueryRowContext(ctx, "SELECT count(*) FROM "+name).Scan(&theirs),
		); err != nil {
			return err
		}
		if ours != theirs {
			return fmt.Errorf("the bare transactions left %d rows in %s, the API %d: they do not do the same", ours, name, theirs)
		}
	}
	return nil
}
