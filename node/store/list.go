package store

import (
	"context"
	"fmt"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	pages "branchline/schema/page"
)

// listText finds the page by columns alone and reads only its records whole.
func listText(l *pages.Asked, w *pages.Where) string {
	dir := ""
	if l.Order.Desc {
		dir = " DESC"
	}
	return "SELECT key, " + rowColumns + " FROM (SELECT n AS m, " + l.Order.Column + " AS key FROM record" + l.Tail(w, "state") +
		") CROSS JOIN record ON n = m ORDER BY key" + dir + ", n" + dir
}

// List gives a page of records and the token of the next, "" at the end. A token
// is bound to the filter and order it was made with. By number or day, records
// without one are left out. ErrInvalid for what a query cannot be.
func (s *Store) List(ctx context.Context, q pages.Query) ([]*branchlinev1.Record, string, error) {
	l, err := q.Check()
	if err != nil {
		return nil, "", err
	}
	var w pages.Where
	w.And("kind = " + w.Arg(int64(l.Kind.Kind)))
	w.And("retired = " + w.Arg(flag(l.Retired)))
	if l.Home != "" {
		w.And("home = " + w.Arg(string(l.Home)))
	}
	text := listText(l, &w)
	var out []*branchlinev1.Record
	var next string
	err = s.reading(ctx, func(r *reader) error {
		rows, err := r.tx.QueryContext(ctx, text, w.Args...)
		if err != nil {
			return fmt.Errorf("store: list: %w", err)
		}
		defer rows.Close() // its error comes with rows.Err
		var shown []*row
		var sortKeys []any
		for rows.Next() {
			var key any
			x, err := scanRow(scanAfter{rows, []any{&key}})
			if err != nil {
				return fmt.Errorf("store: list: %w", err)
			}
			shown, sortKeys = append(shown, x), append(sortKeys, key)
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("store: list: %w", err)
		}
		if len(shown) > l.Size {
			shown = shown[:l.Size]
			next = l.Next(pages.Place{Key: sortKeys[l.Size-1], N: shown[l.Size-1].n})
		}
		for _, x := range shown {
			rec, err := r.record(x, false)
			if err != nil {
				return err
			}
			out = append(out, rec)
		}
		return nil
	})
	return out, next, err
}

// scanAfter scans some columns that stand before the others.
type scanAfter struct {
	sc    scanner
	first []any
}

func (s scanAfter) Scan(dest ...any) error { return s.sc.Scan(append(s.first, dest...)...) }
