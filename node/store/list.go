package store

import (
	"context"
	"fmt"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	pages "branchline/schema/page"
)

// listed is the query of a page: it finds it by columns alone and reads only its records whole.
func listed(l *pages.Asked) (string, []any) {
	var w pages.Where
	w.And("kind = " + w.Arg(int64(l.Kind.Kind)))
	w.And("retired = " + w.Arg(flag(l.Retired)))
	if l.Home != "" {
		w.And("home = " + w.Arg(string(l.Home)))
	}
	dir := ""
	if l.Order.Desc {
		dir = " DESC"
	}
	return "SELECT key, " + rowColumns + " FROM (SELECT n AS m, " + l.Order.Column + " AS key FROM record" + tiedIndex(l) + l.Tail(&w, "state") +
		") CROSS JOIN record ON n = m ORDER BY key" + dir + ", n" + dir, w.Args
}

// tiedIndex names the index by which a list of what is tied to other records is found. Left to itself SQLite takes one that
// has the list's order, and reads the whole kind to save sorting a few rows.
func tiedIndex(l *pages.Asked) string {
	switch {
	case len(l.Orders) > 0:
		return " INDEXED BY record_order"
	case len(l.Vehicles) > 0:
		return " INDEXED BY record_vehicle"
	case len(l.Customers) > 0:
		return " INDEXED BY record_customer"
	}
	return ""
}

// List gives a page of records and the token of the next, "" at the end. A token
// is bound to the filter and order it was made with. By number or day, records
// without one are left out. Of those that came from elsewhere a page may be short
// and have a next one: no more than lookFar rows are looked at. ErrInvalid for what
// a query cannot be.
func (s *Store) List(ctx context.Context, q pages.Query) ([]*branchlinev1.Record, string, error) {
	l, err := q.Check()
	if err != nil {
		return nil, "", err
	}
	var out []*branchlinev1.Record
	var next string
	err = s.reading(ctx, func(r *reader) error {
		var shown []*row
		var at *pages.Place
		if l.Elsewhere {
			shown, at, err = r.elsewhere(l)
		} else {
			shown, at, err = r.listed(l, l.Size, nil)
		}
		if err != nil {
			return err
		}
		if at != nil {
			next = l.Next(*at)
		}
		out, err = r.records(shown)
		return err
	})
	return out, next, err
}

// listed are the rows of a page that fit (all, when fits is nil), up to so many, and
// the place of the last one looked at; nil when there is none behind it.
func (r *reader) listed(l *pages.Asked, most int, fits func(*row) (bool, error)) (out []*row, at *pages.Place, err error) {
	text, args := listed(l)
	rows, err := r.tx.QueryContext(r.ctx, text, args...)
	if err != nil {
		return nil, nil, fmt.Errorf("store: list: %w", err)
	}
	defer rows.Close() // its error comes with rows.Err
	n := 0
	for last := (pages.Place{}); rows.Next(); n++ {
		if n == l.Size || len(out) == most {
			return out, &last, rows.Err()
		}
		var key any
		x, err := scanRow(scanAfter{rows, []any{&key}})
		if err != nil {
			return nil, nil, fmt.Errorf("store: list: %w", err)
		}
		last = pages.Place{Key: key, N: x.n}
		if fits != nil {
			fit, err := fits(x)
			if err != nil {
				return nil, nil, err
			}
			if !fit {
				continue
			}
		}
		out = append(out, x)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("store: list: %w", err)
	}
	return out, nil, nil
}

const (
	// lookFar is how many rows are looked at for one page of what came from elsewhere:
	// a branch that has just brought in a hundred thousand records has as many of its own.
	lookFar   = 2048
	lookChunk = 128
)

// elsewhere is listed for the rows whose newest value came from another site.
func (r *reader) elsewhere(l *pages.Asked) (out []*row, at *pages.Place, err error) {
	for looked := 0; looked < lookFar && len(out) < l.Size; looked += lookChunk {
		some, next, err := r.listed(l.Behind(at, lookChunk), l.Size-len(out), func(x *row) (bool, error) {
			if x.own == 0 {
				return true, nil
			}
			_, latest, err := messageOf(x.kind, x.shown)
			return latest.Branch != r.branch, err
		})
		if err != nil {
			return nil, nil, err
		}
		if out, at = append(out, some...), next; at == nil {
			return out, nil, nil
		}
	}
	return out, at, nil
}

// scanAfter scans some columns that stand before the others.
type scanAfter struct {
	sc    scanner
	first []any
}

func (s scanAfter) Scan(dest ...any) error { return s.sc.Scan(append(s.first, dest...)...) }
