package find

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"
	"strings"

	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/page"
)

// Query says which records to list. Zero fields do not filter.
type Query struct {
	Kind         *schema.KindInfo
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
func (x *Index) List(ctx context.Context, q Query) (recs []*store.Rec, next string, err error) {
	l := lister{Query: q, home: -1}
	if err := l.check(); err != nil {
		return nil, "", err
	}
	if q.Home != "" {
		b := x.st.Branch(q.Home)
		if b == nil {
			return nil, "", schema.Invalid("branch", "there is no branch %q", q.Home)
		}
		l.home = b.Num
	}
	if !l.tied() {
		if err := x.follow.CatchUp(ctx); err != nil {
			return nil, "", err
		}
	}
	err = x.st.Read(ctx, func(r *store.R) error {
		recs, next, err = l.page(r)
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("hq/find: list: %w", err)
	}
	return recs, next, nil
}

type lister struct {
	Query
	home  int32 // -1: any
	order order
	sum   page.Sum
	after *page.Place // nil: the first page
}

// tied: records of one customer, car or order are few, and read where they lie.
func (l *lister) tied() bool { return l.Customers != nil || l.Vehicles != nil || l.Orders != nil }

func (l *lister) check() error {
	if l.PageSize == 0 {
		l.PageSize = 50
	}
	l.PageSize = max(1, min(l.PageSize, 1000))
	orders := ordersOf(l.Kind)
	l.order = orders[0]
	if l.OrderBy != "" {
		i := slices.IndexFunc(orders, func(o order) bool { return o.name == l.OrderBy })
		if i < 0 {
			return schema.Invalid("order_by", "a list of %s is ordered by one of: %s", l.Kind.Collection, strings.Join(Orders(l.Kind), ", "))
		}
		l.order = orders[i]
	}
	for _, f := range []struct {
		name string
		used bool
		can  bool
	}{
		{"customer", l.Customers != nil, l.Kind.Customer != nil},
		{"vehicle", l.Vehicles != nil, l.Kind.Vehicle != nil},
		{"order", l.Orders != nil, l.Kind.Order != nil},
		{"state", l.State != 0, l.Kind.State != nil},
		{"day_from", l.DayFrom != "", l.Kind.Day != nil},
		{"day_to", l.DayTo != "", l.Kind.Day != nil},
	} {
		if f.used && !f.can {
			return schema.Invalid(f.name, "a %s has none", l.Kind.Name)
		}
	}
	for name, day := range map[string]string{"day_from": l.DayFrom, "day_to": l.DayTo} {
		if day != "" && schema.CheckDay(day) != nil {
			return schema.Invalid(name, "%q is not a day: write it as 2026-11-21", day)
		}
	}
	l.sum = page.SumOf(l.Kind.Kind, l.Home, l.UpdatedAfter, l.Retired, l.Customers, l.Vehicles, l.Orders, l.State, l.DayFrom, l.DayTo, l.order.name)
	if l.PageToken == "" {
		return nil
	}
	p, err := page.Parse(l.sum, l.PageToken)
	l.after = &p
	return err
}

// page reads one row more than the page: whether there is a next one.
func (l *lister) page(r *store.R) ([]*store.Rec, string, error) {
	text, args := l.sql()
	var places []page.Place
	err := r.Each(text, args, func(rows *stdsql.Rows) error {
		var p page.Place
		if err := rows.Scan(&p.N, &p.Key); err != nil {
			return err
		}
		if b, ok := p.Key.([]byte); ok && l.order.column != "id" {
			p.Key = string(b)
		}
		places = append(places, p)
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(places) > l.PageSize {
		places = places[:l.PageSize]
		next = page.Token(l.sum, places[l.PageSize-1])
	}
	at := make(map[int64]int, len(places))
	ns := make([]int64, len(places))
	for i, p := range places {
		at[p.N], ns[i] = i, p.N
	}
	found, err := recsOf(r, ns)
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(found, func(a, b *store.Rec) int { return at[a.N] - at[b.N] })
	return found, next, nil
}

func (l *lister) sql() (string, []any) {
	var where []string
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	from := "listing"
	where = append(where, "kind = "+arg(int64(l.Kind.Kind)))
	if l.tied() {
		from = "record"
		if l.Retired {
			where = append(where, "retired <> 0")
		} else {
			where = append(where, "retired = 0")
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
	} else {
		where = append(where, "retired = "+arg(l.Retired))
	}
	if l.home >= 0 {
		where = append(where, "home = "+arg(l.home))
	}
	if l.UpdatedAfter != 0 {
		where = append(where, "updated > "+arg(l.UpdatedAfter))
	}
	if l.State != 0 {
		where = append(where, "st = "+arg(l.State))
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
		where = append(where, fmt.Sprintf("(%s, n) %s (%s, %s)", l.order.column, cmp, arg(l.after.Key), arg(l.after.N)))
	}
	return "SELECT n, " + l.order.column + " FROM " + from + " WHERE " + strings.Join(where, " AND ") +
		" ORDER BY " + l.order.column + dir + ", n" + dir + " LIMIT " + arg(l.PageSize+1), args
}
