package store

import (
	"cmp"
	stdsql "database/sql"
	"fmt"
	"slices"
	"strconv"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
)

const (
	// maxAcross is how many of too many are looked at, beside those that are near and those of the name.
	maxAcross = 100
	// maxThrough is how many of a number or plate, and maxBearers of a name, are looked through for those of both.
	maxThrough = 1000
	maxBearers = 20_000
)

// across finds customers and cars of one another that meet the words of a query between them, by the narrowest number or
// plate among the words. wide is true when there are too many of that to look at all: then it looks at those that bear
// the name among the words, at those that people ask for today, and at some others.
func (q *searcher) across() (wide bool, err error) {
	ns, all, err := index.Keyed(q.ctx, q.tx, q.query, index.MaxFound)
	if err != nil || len(ns) == 0 {
		return false, err
	}
	if !all {
		named, err := q.named()
		if err != nil {
			return false, err
		}
		ns = append(ns[:min(len(ns), maxAcross)], named...)
		for n, x := range q.near {
			if q.query.Numbered(&x.entry) {
				ns = append(ns, n)
			}
		}
	}
	pairs, err := q.pairs(ns)
	if err != nil || len(pairs) == 0 {
		return !all, err
	}
	party := map[int64]*member{}
	for _, p := range pairs {
		party[p[0]], party[p[1]] = nil, nil
	}
	if err := q.members(party); err != nil {
		return false, err
	}
	for _, p := range pairs {
		q.pair(party[p[0]], party[p[1]])
	}
	return !all, nil
}

// named are customers that bear the name among the words of the query: all, if they are few; else those whose car, or who
// themselves, have its number or plate, unless too many have that too.
func (q *searcher) named() ([]int64, error) {
	bearers, err := index.Bearers(q.ctx, q.tx, q.query, maxBearers)
	if err != nil || len(bearers) <= index.MaxFound {
		return bearers, err
	}
	keyed, all, err := index.Keyed(q.ctx, q.tx, q.query, maxThrough)
	if err != nil || !all {
		return nil, err
	}
	pairs, err := q.pairs(keyed)
	if err != nil {
		return nil, err
	}
	slices.Sort(bearers)
	var out []int64
	for _, p := range pairs {
		if _, ok := slices.BinarySearch(bearers, p[0]); ok && len(out) < index.MaxFound {
			out = append(out, p[0])
		}
	}
	return out, nil
}

// pairs are the customers and cars tied to one another of which one is among the records.
func (q *searcher) pairs(ns []int64) (out [][2]int64, err error) {
	args := make([]any, 0, len(ns))
	for _, n := range ns {
		args = append(args, n)
	}
	args = append(args, args...)
	const with = "CROSS JOIN record t ON t.%[1]s = a.id AND t.kind = %[3]s AND t.retired = 0 CROSS JOIN record b ON b.id = t.%[2]s"
	text := "SELECT a.n, b.n FROM record a " + fmt.Sprintf(with, "customer", "vehicle", tieKind) + " WHERE +a.kind = " + customerKind + " AND a.n IN (" + marks(len(ns)) + `)
		UNION SELECT b.n, a.n FROM record a ` + fmt.Sprintf(with, "vehicle", "customer", tieKind) + " WHERE +a.kind = " + vehicleKind + " AND a.n IN (" + marks(len(ns)) + ")"
	err = q.each(func(rows *stdsql.Rows) error {
		var p [2]int64
		if err := rows.Scan(&p[0], &p[1]); err != nil {
			return err
		}
		out = append(out, p)
		return nil
	}, text, args...)
	return out, err
}

// member is a customer or a car of a pair.
type member struct {
	n        int64
	kind     *schema.KindInfo
	customer bool // it names one
	entry    index.Entry
}

func (q *searcher) members(of map[int64]*member) error {
	args := make([]any, 0, len(of))
	for n := range of {
		args = append(args, n)
	}
	return q.each(func(rows *stdsql.Rows) error {
		m := new(member)
		var kind int64
		var shown stdsql.RawBytes
		if err := rows.Scan(&m.n, &kind, &m.customer, &shown); err != nil {
			return err
		}
		if m.kind = schema.KindOf(schema.Kind(kind)); m.kind == nil {
			return fmt.Errorf("record %d is of the unknown kind %d", m.n, kind)
		}
		if x := q.near[m.n]; x != nil {
			m.entry = x.entry
		} else {
			msg, _, err := messageOf(m.kind, shown)
			if err != nil {
				return err
			}
			m.entry = index.Read(m.kind, msg)
		}
		of[m.n] = m
		return nil
	}, "SELECT n, kind, customer IS NOT NULL, shown FROM record WHERE n IN ("+marks(len(args))+")", args...)
}

// pair adds the two when each word fits one of them, and by what it fits both may be found.
func (q *searcher) pair(customer, vehicle *member) {
	if customer == nil || vehicle == nil {
		return
	}
	var by []string
	for _, p := range q.query.Parts() {
		met := false
		for _, m := range []*member{customer, vehicle} {
			if f, ok := p.Fits(&m.entry); ok && q.counts(m.kind, m.customer, false, false, f) {
				by, met = append(by, f.Matched), true
				break
			}
		}
		if !met {
			return
		}
	}
	for _, m := range []*member{customer, vehicle} {
		q.add(m.n, index.Found{Matched: by[0]})
	}
}

// settledState is the state from which on an order is not open, as it is written in a query.
var settledState = strconv.Itoa(int(branchlinev1.OrderState_SETTLED))

const (
	besideCars   = 3
	besideOrders = 12 // of which one open is looked for
)

// beside are the records that tell a hit apart, held here or not.
func (q *searcher) beside(c candidate, members []schema.RecordID) ([]schema.RecordID, error) {
	if len(members) == 0 {
		members = []schema.RecordID{c.id}
	}
	switch c.kind.Kind {
	case schema.Customer:
		cars, err := q.tied("vehicle", "customer", members)
		if err != nil {
			return nil, err
		}
		return q.withOrder("customer", members, cars)
	case schema.Vehicle:
		owners, err := q.tied("customer", "vehicle", members)
		if err != nil {
			return nil, err
		}
		return q.withOrder("vehicle", members, owners)
	}
	var ids [3][]byte
	if err := q.tx.QueryRowContext(q.ctx, "SELECT customer, vehicle, ord FROM record WHERE n = $1", c.n).Scan(&ids[0], &ids[1], &ids[2]); err != nil {
		return nil, err
	}
	var out []schema.RecordID
	for _, b := range ids {
		if b == nil {
			continue
		}
		id, err := schema.RecordIDFromBytes(b)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}

// tied are the records of a column of the ties whose other column names one of the members, the latest first.
func (q *searcher) tied(column, other string, members []schema.RecordID) (ids []schema.RecordID, err error) {
	args := make([]any, 0, len(members)+1)
	for _, m := range members {
		args = append(args, m[:])
	}
	err = q.each(func(rows *stdsql.Rows) error {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return err
		}
		id, err := schema.RecordIDFromBytes(b)
		if err == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
		return err
	}, "SELECT "+column+" FROM record WHERE "+other+" IN ("+marks(len(members))+") AND kind = "+tieKind+" AND retired = 0 AND "+column+" IS NOT NULL ORDER BY n DESC LIMIT ?",
		append(args, besideCars)...)
	return ids, err
}

// withOrder adds the order to be told of the members: the open one, this branch's first, else the last.
func (q *searcher) withOrder(column string, members, out []schema.RecordID) ([]schema.RecordID, error) {
	type told struct {
		open, own int64
		day       string
		id        schema.RecordID
	}
	best := told{open: -1}
	for _, m := range members {
		err := q.each(func(rows *stdsql.Rows) error {
			var t told
			var b []byte
			if err := rows.Scan(&b, &t.open, &t.own, &t.day); err != nil {
				return err
			}
			var err error
			if t.id, err = schema.RecordIDFromBytes(b); err != nil {
				return err
			}
			if cmp.Or(cmp.Compare(t.open, best.open), cmp.Compare(t.open*t.own, best.open*best.own), cmp.Compare(t.day, best.day)) > 0 {
				best = t
			}
			return nil
		}, "SELECT id, ifnull(state < "+settledState+", 0), home = ?, ifnull(day, '') FROM record WHERE "+column+" = ? AND kind = "+orderKind+
			" AND retired = 0 ORDER BY n DESC LIMIT ?", string(q.branch), m[:], besideOrders)
		if err != nil {
			return nil, err
		}
	}
	if best.open < 0 {
		return out, nil
	}
	return append(out, best.id), nil
}
