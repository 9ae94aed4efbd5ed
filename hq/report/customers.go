package report

import (
	"bytes"
	stdsql "database/sql"
	"fmt"
	"strconv"

	"branchline/hq/store"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

var customerTypes = map[string]string{"active": "count", "new": "count"}

// customers counts golden customers: those with an order settled within a year
// of the last day, and those whose first order ever falls into the time asked for.
func (r *Reports) customers(rd *store.R, q *query, out *branchlinev1.ReportResponse) error {
	golden, err := groups(rd, "customer")
	if err != nil {
		return err
	}
	earliest, err := firstDay(rd, q)
	if err != nil {
		return err
	}
	ws := windows(q, earliest)
	last := len(ws) - 1

	type visit struct {
		day  string
		id   []byte
		keys string
	}
	type who struct {
		keys string
		id   string
	}
	firsts := map[string]visit{}   // the first order of each customer
	active := map[who]marks{}      // by row, month apart
	everybody := map[string]bool{} // active at the last day
	branches, model := q.has(byBranch), q.has(byModel)
	err = eachVisit(rd, q, "customer", model, func(o *visited) {
		id := golden.of(o.who)
		keys := rowKey(branches, o.branch, model, o.model)
		if f, ok := firsts[id]; !ok || o.day < f.day || o.day == f.day && bytes.Compare(o.id, f.id) < 0 {
			firsts[id] = visit{o.day, o.id, keys}
		}
		lo, hi := covers(ws, o.day)
		if lo > hi {
			return
		}
		active[who{keys, id}] = active[who{keys, id}].set(lo, hi)
		if hi == last {
			everybody[id] = true
		}
	})
	if err != nil {
		return err
	}

	rows := newTable(q, ws)
	for w, m := range active {
		for i := range ws {
			if m.has(i) {
				rows.at(w.keys, i)[0]++
			}
		}
	}
	fresh := int64(0)
	for _, f := range firsts {
		if f.day < q.from {
			continue
		}
		fresh++
		if i := rows.month(f.day); i >= 0 {
			rows.at(f.keys, i)[1]++
		}
	}
	out.Rows = rows.rows(2)
	out.Total = &branchlinev1.ReportRow{Values: []int64{int64(len(everybody)), fresh}}
	r.columns(out, customerTypes, []string{"active", "new"}, q.to, since(q, earliest))
	return nil
}

// since is the first day a report without one begins at.
func since(q *query, earliest string) string {
	if q.from != "" {
		return q.from
	}
	if earliest == "" {
		return q.to
	}
	return earliest
}

// visited is one settled order with a day, up to the last day of the report.
type visited struct {
	id     []byte
	day    string
	branch string
	model  string // only if asked for
	who    []byte // its customer or vehicle
}

// eachVisit reads settled orders that name a customer or vehicle (column).
func eachVisit(rd *store.R, q *query, column string, model bool, f func(*visited)) error {
	expr := "''"
	if model {
		expr = modelOf
	}
	return rd.Each("SELECT o.id, o.day, o.branch, "+expr+", o."+column+" FROM order_fact o WHERE o.day <> '' AND o.day <= $1 AND o."+column+" IS NOT NULL",
		[]any{q.to}, func(rows *stdsql.Rows) error {
			var v visited
			if err := rows.Scan(&v.id, &v.day, &v.branch, &v.model, &v.who); err != nil {
				return fmt.Errorf("hq/report: %w", err)
			}
			f(&v)
			return nil
		})
}

func firstDay(rd *store.R, q *query) (string, error) {
	var day stdsql.NullString
	_, err := rd.Scan("SELECT MIN(day) FROM order_fact WHERE day > '' AND day <= $1", []any{q.to}, &day)
	return day.String, err
}

// grouping says which records are one. It maps the id of a record in a group to what stands for the group.
type grouping map[string]string

func (g grouping) of(id []byte) string {
	if s, ok := g[string(id)]; ok {
		return s
	}
	return string(id)
}

// groups reads the groups of those whom orders name (column, of order_fact), and of nobody else: of all who are
// registered few come in.
func groups(rd *store.R, column string) (grouping, error) {
	g := grouping{}
	err := rd.Each("SELECT o.id, m.grp FROM (SELECT DISTINCT "+column+" AS id FROM order_fact WHERE "+column+" IS NOT NULL) o CROSS JOIN record m ON m.id = o.id WHERE m.grp IS NOT NULL", nil, func(rows *stdsql.Rows) error {
		var id []byte
		var grp int64
		if err := rows.Scan(&id, &grp); err != nil {
			return fmt.Errorf("hq/report: %w", err)
		}
		g[string(id)] = groupKey(grp)
		return nil
	})
	return g, err
}

// groupKey stands for a group. It is no id: those are sixteen bytes.
func groupKey(grp int64) string { return strconv.FormatInt(grp, 36) }
