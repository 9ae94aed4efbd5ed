package report

import (
	stdsql "database/sql"

	"branchline/hq/store"
)

// write puts the facts in place of those the same records gave before.
func (f *found) write(w *store.W) error {
	touched := map[string]bool{} // ids of orders whose sum may be another now
	if err := f.writeCars(w); err != nil {
		return err
	}
	if err := f.writeOrders(w, touched); err != nil {
		return err
	}
	if err := f.writeLines(w, touched); err != nil {
		return err
	}
	return sum(w, touched)
}

func (f *found) writeCars(w *store.W) error {
	var rows []any
	for _, c := range f.cars {
		if c.model == "" && !c.retired {
			if _, err := w.Exec("DELETE FROM car_fact WHERE id = $1", c.id); err != nil {
				return err
			}
			continue
		}
		rows = append(rows, c.id, c.model, c.retired)
	}
	_, err := w.Insert("INSERT INTO car_fact (id, model, retired)",
		"ON CONFLICT (id) DO UPDATE SET model = excluded.model, retired = excluded.retired", 3, rows)
	return err
}

func (f *found) writeOrders(w *store.W, touched map[string]bool) error {
	var rows []any
	for _, o := range f.orders {
		if !o.counts {
			for _, q := range []string{"DELETE FROM order_fact WHERE n = $1", "DELETE FROM revenue_fact WHERE n = $1"} {
				if _, err := w.Exec(q, o.n); err != nil {
					return err
				}
			}
			continue
		}
		touched[string(o.id)] = true
		rows = append(rows, o.n, o.id, o.day, o.branch, o.model, o.currency, orNull(o.customer), orNull(o.vehicle))
	}
	_, err := w.Insert("INSERT INTO order_fact (n, id, day, branch, model, currency, customer, vehicle)",
		`ON CONFLICT (n) DO UPDATE SET day = excluded.day, branch = excluded.branch, model = excluded.model, currency = excluded.currency,
			customer = excluded.customer, vehicle = excluded.vehicle`, 8, rows)
	return err
}

func orNull(b []byte) any {
	if b == nil {
		return nil
	}
	return b
}

// writeLines touches the order a line is of and the one it was of.
func (f *found) writeLines(w *store.W, touched map[string]bool) error {
	keys := make([]any, len(f.lines))
	for i := range f.lines {
		keys[i] = f.lines[i].n
	}
	was := map[int64]bool{}
	err := w.In("SELECT n, ord FROM line_fact WHERE n", "", keys, func(rows *stdsql.Rows) error {
		var n int64
		var ord []byte
		if err := rows.Scan(&n, &ord); err != nil {
			return err
		}
		was[n] = true
		touched[string(ord)] = true
		return nil
	})
	if err != nil {
		return err
	}
	var rows []any
	for _, l := range f.lines {
		if !l.counts {
			if was[l.n] {
				if _, err := w.Exec("DELETE FROM line_fact WHERE n = $1", l.n); err != nil {
					return err
				}
			}
			continue
		}
		touched[string(l.ord)] = true
		rows = append(rows, l.n, l.ord, l.payer, l.currency, l.amount)
	}
	_, err = w.Insert("INSERT INTO line_fact (n, ord, payer, currency, amount)",
		"ON CONFLICT (n) DO UPDATE SET ord = excluded.ord, payer = excluded.payer, currency = excluded.currency, amount = excluded.amount", 5, rows)
	return err
}

// money is one row of revenue_fact.
type money struct {
	n        int64
	currency string
	payer    int64
}

// sum adds the lines of each touched order that counts. A line without a
// currency is in its order's, an order without one in the default.
func sum(w *store.W, touched map[string]bool) error {
	type order struct {
		n        int64
		currency string
	}
	ids := make([]any, 0, len(touched))
	for id := range touched {
		ids = append(ids, []byte(id))
	}
	orders := map[string]order{}
	counted := ids[:0:0]
	var ns []any
	err := w.In("SELECT n, id, currency FROM order_fact WHERE id", "", ids, func(rows *stdsql.Rows) error {
		var o order
		var id []byte
		if err := rows.Scan(&o.n, &id, &o.currency); err != nil {
			return err
		}
		if o.currency == "" {
			o.currency = defaultCurrency
		}
		orders[string(id)] = o
		counted = append(counted, id)
		ns = append(ns, o.n)
		return nil
	})
	if err != nil {
		return err
	}
	now := map[money]int64{}
	err = w.In("SELECT ord, currency, payer, SUM(amount) FROM line_fact WHERE amount BETWEEN -1000000000000 AND 1000000000000 AND ord", "GROUP BY ord, currency, payer", counted, func(rows *stdsql.Rows) error {
		var id []byte
		var m money
		var amount int64
		if err := rows.Scan(&id, &m.currency, &m.payer, &amount); err != nil {
			return err
		}
		o := orders[string(id)]
		if m.n = o.n; m.currency == "" {
			m.currency = o.currency
		}
		now[m] += amount
		return nil
	})
	if err != nil {
		return err
	}
	var gone []money
	err = w.In("SELECT n, currency, payer, amount FROM revenue_fact WHERE n", "", ns, func(rows *stdsql.Rows) error {
		var m money
		var amount int64
		if err := rows.Scan(&m.n, &m.currency, &m.payer, &amount); err != nil {
			return err
		}
		switch was, still := now[m]; {
		case !still:
			gone = append(gone, m)
		case was == amount:
			delete(now, m)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, m := range gone {
		if _, err := w.Exec("DELETE FROM revenue_fact WHERE n = $1 AND currency = $2 AND payer = $3", m.n, m.currency, m.payer); err != nil {
			return err
		}
	}
	rows := make([]any, 0, 4*len(now))
	for m, amount := range now {
		rows = append(rows, m.n, m.currency, m.payer, amount)
	}
	_, err = w.Insert("INSERT INTO revenue_fact (n, currency, payer, amount)", "ON CONFLICT (n, currency, payer) DO UPDATE SET amount = excluded.amount", 4, rows)
	return err
}
