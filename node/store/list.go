package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Query says which records to list. Zero fields do not filter.
type Query struct {
	Kind         schema.Kind
	Home         schema.BranchID
	UpdatedAfter int64 // unix ms
	Retired      bool  // false: records in force; true: retired ones
	// A record fits when it is tied to any of these.
	Customers, Vehicles, Orders []schema.RecordID
	State                       int64  // number of the kind's state
	DayFrom, DayTo              string // both included
	// OrderBy is one of Orders(kind); "" is the first.
	OrderBy   string
	PageSize  int // 1–1,000; 50 when 0
	PageToken string
}

type order struct {
	name, column string
	desc         bool
}

// ordersOf is the closed list of orders of a kind, the default first.
func ordersOf(k *schema.KindInfo) []order {
	out := []order{{"update_time desc", "updated", true}, {"update_time", "updated", false}, {"create_time", "id", false}, {"create_time desc", "id", true}}
	if k.Number != nil {
		out = append(out, order{"number", "number", false}, order{"number desc", "number", true})
	}
	if k.Day != nil {
		out = append(out, order{"day", "day", false}, order{"day desc", "day", true})
	}
	return out
}

// Orders are the values order_by may have for a kind, the default first.
func Orders(k *schema.KindInfo) []string {
	var out []string
	for _, o := range ordersOf(k) {
		out = append(out, o.name)
	}
	return out
}

// List gives a page of records and the token of the next, "" at the end. A token
// is bound to the filter and order it was made with. By number or day, records
// without one are left out. ErrInvalid for what a query cannot be.
func (s *Store) List(ctx context.Context, q Query) ([]*branchlinev1.Record, string, error) {
	k := schema.KindOf(q.Kind)
	if k == nil {
		return nil, "", schema.Invalid("collection", "there is no such kind of record")
	}
	l := lister{Query: q, k: k}
	if err := l.check(); err != nil {
		return nil, "", err
	}
	sqlText, args := l.sql()
	var out []*branchlinev1.Record
	var next string
	err := s.reading(ctx, func(r *reader) error {
		rows, err := r.tx.QueryContext(ctx, sqlText, args...)
		if err != nil {
			return fmt.Errorf("store: list: %w", err)
		}
		defer rows.Close()
		var page []*row
		var sortKeys []any
		for rows.Next() {
			var key any
			x, err := scanRow(scanAfter{rows, []any{&key}})
			if err != nil {
				return fmt.Errorf("store: list: %w", err)
			}
			page, sortKeys = append(page, x), append(sortKeys, key)
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("store: list: %w", err)
		}
		if len(page) > l.PageSize {
			page = page[:l.PageSize]
			next = l.token(sortKeys[l.PageSize-1], page[l.PageSize-1].n)
		}
		for _, x := range page {
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

type lister struct {
	Query
	k     *schema.KindInfo
	order order
	after *place // nil: the first page
}

// place is where a page ended.
type place struct {
	key any
	n   int64
}

func (l *lister) check() error {
	if l.PageSize == 0 {
		l.PageSize = 50
	}
	l.PageSize = max(1, min(l.PageSize, 1000))
	orders := ordersOf(l.k)
	l.order = orders[0]
	if l.OrderBy != "" {
		found := false
		for _, o := range orders {
			if o.name == l.OrderBy {
				l.order, found = o, true
			}
		}
		if !found {
			return schema.Invalid("order_by", "a list of %s is ordered by one of: %s", l.k.Collection, strings.Join(Orders(l.k), ", "))
		}
	}
	for _, f := range []struct {
		name string
		used bool
		can  bool
	}{
		{"customer", l.Customers != nil, l.k.Customer != nil},
		{"vehicle", l.Vehicles != nil, l.k.Vehicle != nil},
		{"order", l.Orders != nil, l.k.Order != nil},
		{"state", l.State != 0, l.k.State != nil},
		{"day_from", l.DayFrom != "", l.k.Day != nil},
		{"day_to", l.DayTo != "", l.k.Day != nil},
	} {
		if f.used && !f.can {
			return schema.Invalid(f.name, "a %s has none", l.k.Name)
		}
	}
	for _, d := range []struct{ name, day string }{{"day_from", l.DayFrom}, {"day_to", l.DayTo}} {
		if d.day != "" && schema.CheckDay(d.day) != nil {
			return schema.Invalid(d.name, "%q is not a day: write it as 2026-11-21", d.day)
		}
	}
	if l.PageToken == "" {
		return nil
	}
	return l.readToken()
}

// sql is the statement with one row more than the page: whether there is a next one.
func (l *lister) sql() (string, []any) {
	var where []string
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	where = append(where, "kind = "+arg(int64(l.Kind)), "retired = "+arg(flag(l.Retired)))
	if l.Home != "" {
		where = append(where, "home = "+arg(string(l.Home)))
	}
	if l.UpdatedAfter != 0 {
		where = append(where, "updated > "+arg(l.UpdatedAfter))
	}
	for _, in := range []struct {
		column string
		ids    []schema.RecordID
	}{{"customer", l.Customers}, {"vehicle", l.Vehicles}, {"ord", l.Orders}} {
		if in.ids == nil {
			continue
		}
		var list []string
		for _, id := range in.ids {
			list = append(list, arg(id[:]))
		}
		where = append(where, in.column+" IN ("+strings.Join(list, ", ")+")")
	}
	if l.State != 0 {
		where = append(where, "state = "+arg(l.State))
	}
	if l.DayFrom != "" {
		where = append(where, "day >= "+arg(l.DayFrom))
	}
	if l.DayTo != "" {
		where = append(where, "day <= "+arg(l.DayTo))
	}
	if l.order.column == "number" || l.order.column == "day" {
		where = append(where, l.order.column+" IS NOT NULL")
	}
	dir, cmp := "", ">"
	if l.order.desc {
		dir, cmp = " DESC", "<"
	}
	if l.after != nil {
		where = append(where, fmt.Sprintf("(%s, n) %s (%s, %s)", l.order.column, cmp, arg(l.after.key), arg(l.after.n)))
	}
	return "SELECT " + l.order.column + ", " + rowColumns + " FROM record WHERE " + strings.Join(where, " AND ") +
		" ORDER BY " + l.order.column + dir + ", n" + dir + " LIMIT " + arg(l.PageSize+1), args
}

// sum binds a token to what it continues.
func (l *lister) sum() []byte {
	h := sha256.New()
	fmt.Fprintf(h, "%d|%s|%d|%t|%v|%v|%v|%d|%s|%s|%s", l.Kind, l.Home, l.UpdatedAfter, l.Retired, l.Customers, l.Vehicles, l.Orders, l.State, l.DayFrom, l.DayTo, l.order.name)
	return h.Sum(nil)[:8]
}

const (
	keyInt   = 1
	keyText  = 2
	keyBytes = 3
)

func (l *lister) token(key any, n int64) string {
	b := binary.AppendUvarint(l.sum(), uint64(n))
	switch v := key.(type) {
	case int64:
		b = binary.BigEndian.AppendUint64(append(b, keyInt), uint64(v))
	case string:
		b = append(append(b, keyText), v...)
	case []byte:
		b = append(append(b, keyBytes), v...)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func (l *lister) readToken() error {
	bad := schema.Invalid("page_token", "was not given for this list: begin again without one")
	b, err := base64.RawURLEncoding.DecodeString(l.PageToken)
	if err != nil || len(b) < 10 || string(b[:8]) != string(l.sum()) {
		return bad
	}
	n, w := binary.Uvarint(b[8:])
	if w <= 0 || len(b) < 8+w+1 {
		return bad
	}
	l.after = &place{n: int64(n)}
	typ, rest := b[8+w], b[8+w+1:]
	switch {
	case typ == keyInt && len(rest) == 8:
		l.after.key = int64(binary.BigEndian.Uint64(rest))
	case typ == keyText:
		l.after.key = string(rest)
	case typ == keyBytes:
		l.after.key = rest
	default:
		return bad
	}
	return nil
}
