package find

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"

	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/page"
)

// List gives a page of records and the token of the next, "" at the end. A token
// is bound to the filter and order it was made with. By number or day, records
// without one are left out. ErrInvalid for what a query cannot be.
func (x *Index) List(ctx context.Context, q page.Query) (recs []*store.Rec, next string, err error) {
	asked, err := q.Check()
	if err != nil {
		return nil, "", err
	}
	l := lister{Asked: asked, home: -1}
	if q.Home != "" {
		b := x.st.Branch(q.Home)
		if b == nil {
			return nil, "", schema.Invalid("branch", "there is no branch %q", q.Home)
		}
		l.home = b.Num
	}
	// Records of one customer, car or order are few, and read where they lie.
	if !l.Tied() {
		if err := x.follow.CatchUpOn(ctx, q.Kind.Kind); err != nil {
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
	*page.Asked
	home int32 // -1: any
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
		if b, ok := p.Key.([]byte); ok && l.Order.Column != "id" {
			p.Key = string(b)
		}
		places = append(places, p)
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	next := ""
	if len(places) > l.Size {
		places = places[:l.Size]
		next = l.Next(places[l.Size-1])
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
	var w page.Where
	w.And("kind = " + w.Arg(int64(l.Kind.Kind)))
	from := "listing"
	switch {
	case !l.Tied():
		w.And("retired = " + w.Arg(l.Retired))
	case l.Retired:
		from = "record"
		w.And("retired <> 0")
	default:
		from = "record"
		w.And("retired = 0")
	}
	if l.home >= 0 {
		w.And("home = " + w.Arg(l.home))
	}
	return "SELECT n, " + l.Order.Column + " FROM " + from + l.Tail(&w, "st"), w.Args
}
