package store

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"strings"

	"branchline/schema"
	"branchline/schema/index"
	pages "branchline/schema/page"
)

// Pick asks for customers that fit all of several conditions; what is empty is none. Days are YYYY-MM-DD.
type Pick struct {
	// Facets are terms (index.FacetTerm) of which the customer has every one. Car are words of a car he has or had.
	Facets []string
	Car    string
	// VisitedFrom, VisitedTo: an order within these days. NotSince: none on or after this one.
	VisitedFrom, VisitedTo, NotSince string
	// InsuredFrom, InsuredTo: an insurance that ends within these days.
	InsuredFrom, InsuredTo string
	// Home is the branch that registered him.
	Home  schema.BranchID
	Size  int // 1 to 200
	Token string

	few, far int // selective and pickFar, smaller in tests
}

// Picked is a customer that fits: the registration of his group written last, and what the group's orders say.
type Picked struct {
	ID     schema.RecordID
	Last   string // day of the last order, "" for none
	Visits int
}

const (
	// selective is how many rows a condition may have for it to lead: all of them are looked at. When each has more,
	// customers are looked at from the latest changed on, until a page is full or pickFar have been.
	selective = 2_000
	pickFar   = 2_000
)

// Pick gives a page of customers, the latest changed first, and the token of the next, "" at the end. A golden customer
// fits when his registrations do between them, and comes once. What fits may be rare though each condition is common: a
// page may be short, or empty, and have a next one. ErrInvalid for a token of another pick.
func (s *Store) Pick(ctx context.Context, p Pick) (out []Picked, next string, err error) {
	p.Size = max(1, min(p.Size, 200))
	p.few, p.far = cmp.Or(p.few, selective), cmp.Or(p.far, pickFar)
	sum := pages.SumOf(p.Facets, p.Car, p.VisitedFrom, p.VisitedTo, p.NotSince, p.InsuredFrom, p.InsuredTo, p.Home)
	var after pages.Place
	if p.Token != "" {
		if after, err = pages.Parse(sum, p.Token); err != nil {
			return nil, "", err
		}
	}
	err = s.reading(ctx, func(r *reader) error {
		q := picker{reader: r, Pick: p}
		if done, err := q.conditions(); err != nil || done {
			return err
		}
		lead, err := q.lead()
		if err != nil {
			return err
		}
		var at *pages.Place
		if out, at, err = q.page(lead, after); err != nil {
			return err
		}
		if at != nil {
			next = pages.Token(sum, *at)
		}
		return nil
	})
	if err != nil {
		return nil, "", fmt.Errorf("store: pick: %w", err)
	}
	return out, next, nil
}

type picker struct {
	*reader
	Pick
	where []condition
}

// condition is one that must hold. rows selects the numbers of customers' records of which it holds, holds is the same
// asked of the group of c.
type condition struct {
	rows, holds string
	args        []any
}

// The registrations of c's group, c too: their numbers and their ids.
const (
	groupNs  = "(SELECT c.n UNION ALL SELECT r2.n FROM member m JOIN member m2 ON m2.grp = m.grp JOIN record r2 ON r2.id = m2.record WHERE m.record = c.id)"
	groupIDs = "(SELECT c.id UNION ALL SELECT m2.record FROM member m JOIN member m2 ON m2.grp = m.grp WHERE m.record = c.id)"
)

// conditions are those asked for; done tells that nothing can fit.
func (q *picker) conditions() (done bool, err error) {
	for _, f := range q.Facets {
		q.where = append(q.where, condition{
			"SELECT n FROM term WHERE k = ?", "EXISTS (SELECT 1 FROM term WHERE k = ? AND n IN " + groupNs + ")", []any{f},
		})
	}
	within := func(kind, from, to string) {
		if from == "" && to == "" {
			return
		}
		if to == "" {
			to = "9999"
		}
		q.where = append(q.where, condition{
			"SELECT c.n FROM record o JOIN record c ON c.id = o.customer WHERE o.kind = " + kind + " AND o.day >= ? AND o.day <= ? AND o.retired = 0",
			"EXISTS (SELECT 1 FROM record o WHERE o.customer IN " + groupIDs + " AND o.kind = " + kind + " AND +o.day >= ? AND +o.day <= ? AND o.retired = 0)",
			[]any{from, to},
		})
	}
	within(orderKind, q.VisitedFrom, q.VisitedTo)
	within(policyKind, q.InsuredFrom, q.InsuredTo)
	if q.Car != "" {
		match := index.TextMatch(q.Car)
		if match == "" {
			return true, nil
		}
		cars := "SELECT v.id FROM record v WHERE v.kind = " + vehicleKind + " AND v.n IN (SELECT rowid FROM word WHERE word MATCH ?)"
		q.where = append(q.where, condition{
			"SELECT c.n FROM record t JOIN record c ON c.id = t.customer WHERE t.kind = " + tieKind + " AND t.retired = 0 AND t.vehicle IN (" + cars + ")",
			"EXISTS (SELECT 1 FROM record t WHERE t.customer IN " + groupIDs + " AND t.kind = " + tieKind + " AND t.retired = 0 AND t.vehicle IN (" + cars + "))",
			[]any{match},
		})
	}
	return false, nil
}

// lead is the condition with the fewest rows; nil when all have very many, or there is none.
func (q *picker) lead() (*condition, error) {
	var best *condition
	least := q.few + 1
	for i := range q.where {
		c := &q.where[i]
		var n int
		if err := q.tx.QueryRowContext(q.ctx, fmt.Sprintf("SELECT count(*) FROM (%s LIMIT %d)", c.rows, q.few+1), c.args...).Scan(&n); err != nil {
			return nil, err
		}
		if n < least {
			best, least = c, n
		}
	}
	return best, nil
}

func (q *picker) page(lead *condition, after pages.Place) ([]Picked, *pages.Place, error) {
	w := []string{
		"c.kind = " + customerKind, "c.retired = 0",
		// Of a group the registration changed last stands for it.
		`NOT EXISTS (SELECT 1 FROM member m JOIN member m2 ON m2.grp = m.grp JOIN record r2 ON r2.id = m2.record
			WHERE m.record = c.id AND r2.kind = ` + customerKind + ` AND r2.retired = 0 AND (r2.updated, r2.n) > (c.updated, c.n))`,
	}
	var args []any
	if lead != nil {
		w = append(w, `c.n IN (SELECT n FROM (`+lead.rows+`) UNION SELECT r2.n FROM (`+lead.rows+`) d JOIN record r1 ON r1.n = d.n
			JOIN member m ON m.record = r1.id JOIN member m2 ON m2.grp = m.grp JOIN record r2 ON r2.id = m2.record)`)
		args = append(append(args, lead.args...), lead.args...)
	}
	for i := range q.where {
		if c := &q.where[i]; c != lead {
			w, args = append(w, c.holds), append(args, c.args...)
		}
	}
	if q.NotSince != "" {
		w = append(w, "NOT EXISTS (SELECT 1 FROM record o WHERE o.customer IN "+groupIDs+" AND o.kind = "+orderKind+" AND +o.day >= ? AND o.retired = 0)")
		args = append(args, q.NotSince)
	}
	if q.Home != "" {
		w = append(w, "EXISTS (SELECT 1 FROM record h WHERE h.n IN "+groupNs+" AND h.home = ?)")
		args = append(args, string(q.Home))
	}
	if key, is := after.Key.(int64); is {
		w, args = append(w, "(c.updated, c.n) < (?, ?)"), append(args, key, after.N)
	}
	from := "record c NOT INDEXED"
	var end *pages.Place
	if lead == nil {
		from = "record c"
		var err error
		if end, err = q.farthest(after); err != nil {
			return nil, nil, err
		}
		if end != nil {
			w, args = append(w, "(c.updated, c.n) >= (?, ?)"), append(args, end.Key, end.N)
		}
	}
	args = append(args, q.Size+1)
	rows, err := q.tx.QueryContext(q.ctx, "SELECT c.n, c.id, c.updated FROM "+from+" WHERE "+strings.Join(w, " AND ")+" ORDER BY c.updated DESC, c.n DESC LIMIT ?", args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	var out []Picked
	var at *pages.Place
	var last pages.Place
	for rows.Next() {
		if len(out) == q.Size {
			at = &last
			break
		}
		var id []byte
		var updated int64
		if err := rows.Scan(&last.N, &id, &updated); err != nil {
			return nil, nil, err
		}
		last.Key = updated
		p := Picked{}
		if p.ID, err = schema.RecordIDFromBytes(id); err != nil {
			return nil, nil, err
		}
		out = append(out, p)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, err
	}
	for i := range out {
		if err := q.visits(&out[i]); err != nil {
			return nil, nil, err
		}
	}
	if at == nil {
		at = end
	}
	return out, at, nil
}

// farthest is the place of the last customer that is looked at for a page; nil when it is the last of all.
func (q *picker) farthest(after pages.Place) (*pages.Place, error) {
	where, args := "kind = "+customerKind+" AND retired = 0", []any{}
	if key, is := after.Key.(int64); is {
		where, args = where+" AND (updated, n) < (?, ?)", append(args, key, after.N)
	}
	var updated, n int64
	err := q.tx.QueryRowContext(q.ctx, "SELECT updated, n FROM record WHERE "+where+" ORDER BY updated DESC, n DESC LIMIT 1 OFFSET ?", append(args, q.far-1)...).Scan(&updated, &n)
	if errors.Is(err, stdsql.ErrNoRows) {
		return nil, nil
	}
	return &pages.Place{Key: updated, N: n}, err
}

// visits says when the customer was last here and how often.
func (q *picker) visits(p *Picked) error {
	return q.tx.QueryRowContext(q.ctx, `SELECT coalesce(max(o.day), ''), count(*) FROM record c JOIN record o ON o.customer IN `+groupIDs+`
		WHERE c.id = ? AND o.kind = `+orderKind+` AND o.retired = 0`, p.ID[:]).Scan(&p.Last, &p.Visits)
}
