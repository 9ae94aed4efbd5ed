package page

import (
	"fmt"
	"slices"
	"strings"

	"branchline/schema"
)

// Query says which records of one kind to list. Zero fields do not filter.
type Query struct {
	Kind         *schema.KindInfo
	Home         schema.BranchID
	UpdatedAfter int64 // unix ms
	Retired      bool  // false: records in force; true: retired ones
	// A record fits when it is tied to any of these.
	Customers, Vehicles, Orders []schema.RecordID
	State                       int64  // number of the kind's state
	DayFrom, DayTo              string // both included
	// Elsewhere: only records whose newest value came from another site. What Tail
	// gives does not know it: whoever reads the rows does.
	Elsewhere bool
	// OrderBy is one of Orders(kind); "" is the first.
	OrderBy string
	Size    int    // 1–1,000; 50 when 0
	Token   string // "" for the first page
}

// Order is an order a list may have.
type Order struct {
	Name, Column string
	Desc         bool
}

// ordersOf is the closed list of orders of a kind, the default first.
func ordersOf(k *schema.KindInfo) []Order {
	out := []Order{{"update_time desc", "updated", true}, {"update_time", "updated", false}, {"create_time", "id", false}, {"create_time desc", "id", true}}
	if k.Number != nil {
		out = append(out, Order{"number", "number", false}, Order{"number desc", "number", true})
	}
	if k.Day != nil {
		out = append(out, Order{"day", "day", false}, Order{"day desc", "day", true})
	}
	return out
}

// Orders are the values order_by may have for a kind, the default first.
func Orders(k *schema.KindInfo) []string {
	var out []string
	for _, o := range ordersOf(k) {
		out = append(out, o.Name)
	}
	return out
}

// Asked is a query that was found good, its size, order and token read.
type Asked struct {
	Query
	Order Order
	after *Place // nil: the first page
	sum   Sum
}

// Check reads a query. ErrInvalid for what a query cannot be.
func (q Query) Check() (*Asked, error) {
	k := q.Kind
	if k == nil {
		return nil, schema.Invalid("collection", "there is no such kind of record")
	}
	if q.Size == 0 {
		q.Size = 50
	}
	q.Size = max(1, min(q.Size, 1000))
	a := Asked{Query: q, Order: ordersOf(k)[0]}
	if q.OrderBy != "" {
		orders := ordersOf(k)
		i := slices.IndexFunc(orders, func(o Order) bool { return o.Name == q.OrderBy })
		if i < 0 {
			return nil, schema.Invalid("order_by", "a list of %s is ordered by one of: %s", k.Collection, strings.Join(Orders(k), ", "))
		}
		a.Order = orders[i]
	}
	for _, f := range []struct {
		name string
		used bool
		by   *schema.FieldInfo
	}{
		{"customer", q.Customers != nil, k.Customer},
		{"vehicle", q.Vehicles != nil, k.Vehicle},
		{"order", q.Orders != nil, k.Order},
		{"state", q.State != 0, k.State},
		{"day_from", q.DayFrom != "", k.Day},
		{"day_to", q.DayTo != "", k.Day},
	} {
		if f.used && f.by == nil {
			return nil, schema.Invalid(f.name, "a %s has none", k.Name)
		}
	}
	for _, d := range []struct{ name, day string }{{"day_from", q.DayFrom}, {"day_to", q.DayTo}} {
		if d.day != "" && schema.CheckDay(d.day) != nil {
			return nil, schema.Invalid(d.name, "%q is not a day: write it as 2026-11-21", d.day)
		}
	}
	a.sum = SumOf(k.Kind, q.Home, q.UpdatedAfter, q.Retired, q.Customers, q.Vehicles, q.Orders, q.State, q.DayFrom, q.DayTo, q.Elsewhere, a.Order.Name)
	if q.Token == "" {
		return &a, nil
	}
	p, err := Parse(a.sum, q.Token)
	a.after = &p
	return &a, err
}

// Tied tells whether the list is of what is tied to other records.
func (a *Asked) Tied() bool { return a.Customers != nil || a.Vehicles != nil || a.Orders != nil }

// Behind is the list from a place on, size rows of it.
func (a *Asked) Behind(p *Place, size int) *Asked {
	b := *a
	b.Size = size
	if p != nil {
		b.after = p
	}
	return &b
}

// Next is the token of the page behind a place.
func (a *Asked) Next(p Place) string { return Token(a.sum, p) }

// Where is the WHERE of a statement as it grows.
type Where struct {
	conditions []string
	Args       []any
}

// Arg gives the place holder of an argument.
func (w *Where) Arg(v any) string {
	w.Args = append(w.Args, v)
	return fmt.Sprintf("$%d", len(w.Args))
}

// And adds a condition.
func (w *Where) And(condition string) { w.conditions = append(w.conditions, condition) }

// Tail adds what both sites filter by the same way (the kind, its being retired
// and its home each keeps in its own form) and gives the statement from WHERE on.
// It asks for one row more than the page: whether there is a next one. state names
// the state's column. By number or day, records without one are left out.
func (a *Asked) Tail(w *Where, state string) string {
	for _, in := range []struct {
		column string
		ids    []schema.RecordID
	}{{"customer", a.Customers}, {"vehicle", a.Vehicles}, {"ord", a.Orders}} {
		if in.ids == nil {
			continue
		}
		var list []string
		for _, id := range in.ids {
			list = append(list, w.Arg(id[:]))
		}
		w.And(in.column + " IN (" + strings.Join(list, ", ") + ")")
	}
	if a.UpdatedAfter != 0 {
		w.And("updated > " + w.Arg(a.UpdatedAfter))
	}
	if a.State != 0 {
		w.And(state + " = " + w.Arg(a.State))
	}
	if a.DayFrom != "" {
		w.And("day >= " + w.Arg(a.DayFrom))
	}
	if a.DayTo != "" {
		w.And("day <= " + w.Arg(a.DayTo))
	}
	by := a.Order.Column
	if by == "number" || by == "day" {
		w.And(by + " IS NOT NULL")
	}
	dir, behind := "", ">"
	if a.Order.Desc {
		dir, behind = " DESC", "<"
	}
	if a.after != nil {
		w.And(fmt.Sprintf("(%s, n) %s (%s, %s)", by, behind, w.Arg(a.after.Key), w.Arg(a.after.N)))
	}
	return " WHERE " + strings.Join(w.conditions, " AND ") + " ORDER BY " + by + dir + ", n" + dir + " LIMIT " + w.Arg(a.Size+1)
}
