package bench

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"branchline/schema/sql"
)

// table is the rows of one table as the line wrote them, to be written again with nothing but SQLite.
type table struct {
	name    string
	columns []string
	rows    [][]any
	insert  string // "" for a plain insert of the columns
}

func (t *table) statement() string {
	if t.insert != "" {
		return t.insert
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (?%s)", t.name, strings.Join(t.columns, ", "), strings.Repeat(", ?", len(t.columns)-1))
}

// readTable reads "name WHERE …" whole.
func readTable(ctx context.Context, db *stdsql.DB, name, where string) (*table, error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+name+" "+where)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	defer rows.Close()
	t := &table{name: name}
	if t.columns, err = rows.Columns(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	for rows.Next() {
		row := make([]any, len(t.columns))
		to := make([]any, len(row))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		t.rows = append(t.rows, row)
	}
	return t, rows.Err()
}

// bareInsert writes the tables into a new database of the same schema, all
// tables at the same pace, prepared one-row inserts, about a thousand records a
// transaction, each durable. It gives how long that took.
func (r *runner) bareInsert(migrations fs.FS, cacheKiB, records int, tables ...*table) (took time.Duration, err error) {
	dir, err := r.folder("bare")
	if err != nil {
		return 0, err
	}
	db, err := sql.Open(r.ctx, sql.Config{Path: filepath.Join(dir, fmt.Sprintf("%d.db", r.Now().UnixNano())), CacheKiB: cacheKiB, Migrations: migrations})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	stmts := make([]*stdsql.Stmt, len(tables))
	for i, t := range tables {
		if stmts[i], err = db.W.PrepareContext(r.ctx, t.statement()); err != nil {
			return 0, fmt.Errorf("bare insert: %w", err)
		}
		defer stmts[i].Close()
	}
	rounds := max(1, (records+999)/1000)
	began := r.Now()
	for n := range rounds {
		err := db.Write(r.ctx, func(ctx context.Context, tx *stdsql.Tx) error {
			for i, t := range tables {
				st := tx.StmtContext(ctx, stmts[i])
				for _, row := range t.rows[len(t.rows)*n/rounds : len(t.rows)*(n+1)/rounds] {
					if _, err := st.ExecContext(ctx, row...); err != nil {
						return fmt.Errorf("bare insert into %s: %w", t.name, err)
					}
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return r.Now().Sub(began), nil
}
