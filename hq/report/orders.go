package report

import (
	stdsql "database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"branchline/hq/store"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

var orderTypes = map[string]string{"orders": "count", "revenue": "money", "average_ticket": "money"}

// expressions of order_fact o, and r for payer.
var expressions = map[string]string{
	byMonth:  "substr(o.day, 1, 7)",
	byBranch: "o.branch",
	byModel:  modelOf,
	byPayer:  "r.payer",
}

// modelOf: as read on the day, else what the car's own record says.
const modelOf = "CASE WHEN o.model <> '' THEN o.model ELSE COALESCE((SELECT c.model FROM car_fact c WHERE c.id = o.vehicle), '') END"

// cell is one row in the making.
type cell struct {
	keys   []string
	orders int64
	money  map[string]int64 // by currency
}

// orders counts settled orders and adds their approved lines.
func (r *Reports) orders(rd *store.R, q *query, out *branchlinev1.ReportResponse) error {
	where, args := "", []any(nil)
	if q.from != "" {
		args = append(args, q.from)
		where += fmt.Sprintf(" AND o.day >= $%d", len(args))
	}
	if q.to != "" {
		args = append(args, q.to)
		where += fmt.Sprintf(" AND o.day <= $%d AND o.day <> ''", len(args))
	}
	var exprs []string
	for _, by := range q.by {
		exprs = append(exprs, expressions[by])
	}
	cells := map[string]*cell{}
	total := &cell{money: map[string]int64{}}
	used := map[string]int64{} // orders by currency

	// Orders: each counts once, but under each payer of its lines when rows are by payer.
	from := "order_fact o"
	if q.has(byPayer) {
		from = "order_fact o JOIN (SELECT DISTINCT n, payer FROM revenue_fact) r ON r.n = o.n"
	}
	err := eachGroup(rd, "SELECT "+join(exprs, "COUNT(*)")+" FROM "+from+" WHERE 1 = 1"+where, exprs, nil, args, func(keys []string, v []int64, _ string) {
		at(cells, keys).orders += v[0]
		total.orders += v[0]
	})
	if err != nil {
		return err
	}
	if q.has(byPayer) {
		if _, err := rd.Scan("SELECT COUNT(*) FROM order_fact o WHERE 1 = 1"+where, args, &total.orders); err != nil {
			return err
		}
	}
	err = eachGroup(rd, "SELECT "+join(exprs, "SUM(r.amount), COUNT(DISTINCT o.n), r.currency")+
		" FROM order_fact o JOIN revenue_fact r ON r.n = o.n WHERE 1 = 1"+where, exprs, []string{"r.currency"}, args, func(keys []string, v []int64, currency string) {
		at(cells, keys).money[currency] += v[0]
		total.money[currency] += v[0]
		used[currency] += v[1]
	})
	if err != nil {
		return err
	}

	out.Currency = mainCurrency(used)
	r.columns(out, orderTypes, []string{"orders", "revenue", "average_ticket"})
	if q.has(byPayer) {
		r.say(out, "report.note.orders.payer")
	}
	r.leftOut(out, total.money)
	odd := int64(0)
	if _, err := rd.Scan("SELECT COUNT(*) FROM line_fact WHERE amount > 1000000000000 OR amount < -1000000000000", nil, &odd); err != nil {
		return err
	}
	if odd > 0 {
		r.say(out, "report.note.orders.odd", odd)
	}
	for _, c := range cells {
		out.Rows = append(out.Rows, c.row(out.Currency, q))
	}
	out.Total = total.row(out.Currency, q)
	return nil
}

func join(exprs []string, values string) string {
	return strings.Join(append(slices.Clone(exprs), values), ", ")
}

func at(cells map[string]*cell, keys []string) *cell {
	k := strings.Join(keys, "\x00")
	c := cells[k]
	if c == nil {
		c = &cell{keys: keys, money: map[string]int64{}}
		cells[k] = c
	}
	return c
}

func (c *cell) row(currency string, q *query) *branchlinev1.ReportRow {
	keys := slices.Clone(c.keys)
	for i := range keys {
		if q.by[i] == byPayer {
			keys[i] = payerName(keys[i])
		}
	}
	revenue := c.money[currency]
	return &branchlinev1.ReportRow{Keys: keys, Values: []int64{c.orders, revenue, divide(revenue, c.orders)}}
}

func payerName(number string) string {
	n, err := strconv.ParseInt(number, 10, 32)
	name, known := branchlinev1.Payer_name[int32(n)]
	if err != nil || !known || n == 0 {
		return ""
	}
	return name
}

// eachGroup runs a query grouped by exprs and more. Its columns are the exprs, numbers, and the text of more if there is one.
func eachGroup(rd *store.R, q string, exprs, more []string, args []any, f func(keys []string, values []int64, text string)) error {
	if all := append(slices.Clone(exprs), more...); len(all) > 0 {
		q += " GROUP BY " + strings.Join(all, ", ")
	}
	return rd.Each(q, args, func(rows *stdsql.Rows) error {
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		keys, values, text := make([]string, len(exprs)), make([]int64, len(columns)-len(exprs)-len(more)), ""
		var dest []any
		for i := range keys {
			dest = append(dest, &keys[i])
		}
		for i := range values {
			dest = append(dest, &values[i])
		}
		if len(more) > 0 {
			dest = append(dest, &text)
		}
		if err := rows.Scan(dest...); err != nil {
			return fmt.Errorf("hq/report: %w", err)
		}
		f(keys, values, text)
		return nil
	})
}

// mainCurrency is the one of most orders; of equals the default, else the first by name.
func mainCurrency(orders map[string]int64) string {
	best := defaultCurrency
	names := make([]string, 0, len(orders))
	for c := range orders {
		names = append(names, c)
	}
	slices.Sort(names)
	for _, c := range names {
		if orders[c] > orders[best] {
			best = c
		}
	}
	return best
}

// leftOut tells what stands in another currency than the report's.
func (r *Reports) leftOut(out *branchlinev1.ReportResponse, money map[string]int64) {
	var parts []string
	for c, v := range money {
		if c != out.GetCurrency() {
			parts = append(parts, plain(v)+" "+c)
		}
	}
	if len(parts) > 0 {
		slices.Sort(parts)
		r.say(out, "report.note.orders.currencies", out.GetCurrency(), strings.Join(parts, ", "))
	}
}

// plain is an amount of minor units with two places.
func plain(v int64) string {
	sign, u := "", uint64(v)
	if v < 0 {
		sign, u = "-", -u
	}
	return fmt.Sprintf("%s%d.%02d", sign, u/100, u%100)
}

// divide rounds half to even; 0 when there is nothing to divide by. d is not negative.
func divide(n, d int64) int64 {
	if d == 0 {
		return 0
	}
	q, rest := n/d, n%d
	if rest < 0 {
		q, rest = q-1, rest+d
	}
	if 2*rest > d || 2*rest == d && q%2 != 0 {
		q++
	}
	return q
}
