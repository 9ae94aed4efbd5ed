package sql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"modernc.org/sqlite"
)

const (
	// keptStatements is how many statements a connection keeps, keptText the longest of them in bytes: long ones are
	// built for a number of rows, and there are many of them.
	keptStatements = 96
	keptText       = 2 << 10
)

// shrink is what Shrink runs. A connection that runs it lets its statements go too.
const shrink = "PRAGMA shrink_memory"

// keeper opens connections that keep what they have prepared: SQLite reads a short statement for longer than it runs it.
type keeper struct{ driver.Connector }

func newKeeper(dsn string) (keeper, error) {
	c, err := sqlite.NewConnector(dsn)
	return keeper{c}, err
}

// Connect opens one connection.
func (k keeper) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	w, ok := c.(whole)
	if !ok {
		return nil, errors.Join(fmt.Errorf("sql: the driver's connection is a %T, which lacks a part", c), c.Close())
	}
	return &keeping{whole: w, idle: map[string]prepared{}}, nil
}

// whole is what the driver's connections can do and database/sql asks them for.
type whole interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// prepared is what the driver's statements can do.
type prepared interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// keeping is a connection. database/sql uses it, its statements and its rows one call at a time.
type keeping struct {
	whole
	// idle are the statements kept, by their text. One in use is not among them: should the same text be run
	// meanwhile it is prepared again, and what is put back second is closed.
	idle map[string]prepared
}

// keeps tells whether a statement is worth keeping. PRAGMAs are not: some act when they are read, not when they run.
func keeps(query string) bool {
	if len(query) > keptText {
		return false
	}
	for _, verb := range []string{"SELECT", "INSERT", "UPDATE", "DELETE", "WITH"} {
		if strings.HasPrefix(query, verb) {
			return true
		}
	}
	return false
}

func (k *keeping) take(ctx context.Context, query string) (prepared, error) {
	if st := k.idle[query]; st != nil {
		delete(k.idle, query)
		return st, nil
	}
	st, err := k.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	p, ok := st.(prepared)
	if !ok {
		return nil, errors.Join(fmt.Errorf("sql: the driver's statement is a %T, which lacks a part", st), st.Close())
	}
	return p, nil
}

// give keeps a statement that ran without an error; when there is no room, in place of any other.
func (k *keeping) give(query string, st prepared) error {
	if k.idle[query] != nil {
		return st.Close()
	}
	var err error
	if len(k.idle) >= keptStatements {
		for q, other := range k.idle {
			err = other.Close()
			delete(k.idle, q)
			break
		}
	}
	k.idle[query] = st
	return err
}

func (k *keeping) forget() error {
	var errs []error
	for _, st := range k.idle {
		errs = append(errs, st.Close())
	}
	clear(k.idle)
	return errors.Join(errs...)
}

// Close lets the statements go and closes the connection.
func (k *keeping) Close() error { return errors.Join(k.forget(), k.whole.Close()) }

// ExecContext runs a statement without rows.
func (k *keeping) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	count(ctx)
	if !keeps(query) {
		if query == shrink {
			if err := k.forget(); err != nil {
				return nil, err
			}
		}
		return k.whole.ExecContext(ctx, query, args)
	}
	st, err := k.take(ctx, query)
	if err != nil {
		return nil, err
	}
	res, err := st.ExecContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return res, k.give(query, st)
}

// QueryContext runs a statement with rows.
func (k *keeping) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	rows, err := k.query(ctx, query, args)
	if t := count(ctx); t != nil && err == nil {
		return &countedRows{rows, t}, nil
	}
	return rows, err
}

func (k *keeping) query(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if !keeps(query) {
		return k.whole.QueryContext(ctx, query, args)
	}
	st, err := k.take(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := st.QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return &keptRows{Rows: rows, done: func() error { return k.give(query, st) }, lost: st.Close}, nil
}

// keptRows give their statement back when they are closed.
type keptRows struct {
	driver.Rows
	done, lost func() error // nil once closed
}

// Close ends the rows. It may be called again.
func (r *keptRows) Close() error {
	if r.done == nil {
		return nil
	}
	done, lost := r.done, r.lost
	r.done, r.lost = nil, nil
	if err := r.Rows.Close(); err != nil {
		return errors.Join(err, lost())
	}
	return done()
}
