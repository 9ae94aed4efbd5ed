package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
)

// Hit is one thing found: a record, or the view of its whole group under the name of the member that fits best.
type Hit struct {
	Record *branchlinev1.Record
	// Matched says by what: one of index.ByNumber and its like.
	Matched string
}

// Search finds records by what a person at a counter types: a name of two
// characters or more, its pinyin or initials, traditional or simplified; the end
// of a phone number; a plate or its end; a VIN or its last characters; an order
// number. Several words must all fit. kinds, if not empty, are those wanted; fits,
// if not nil, says of a record found by matched whether it counts at all: names
// tells which of its fields that name a customer, a vehicle or an order are set.
// More tells that there are further hits.
func (s *Store) Search(ctx context.Context, query string, kinds []schema.Kind, limit int, fits Fits) (hits []Hit, more bool, err error) {
	limit = max(1, min(limit, 100))
	err = s.reading(ctx, func(r *reader) error {
		found, err := index.Find(ctx, r.tx, query)
		if err != nil {
			return fmt.Errorf("store: search: %w", err)
		}
		q := searcher{reader: r, kinds: kinds, fits: fits, found: found}
		hits, more, err = q.hits(query, limit)
		return err
	})
	return hits, more, err
}

// Fits judges one record found. See Search.
type Fits func(k *schema.KindInfo, names func(*schema.FieldInfo) bool, matched string) bool

type searcher struct {
	*reader
	kinds []schema.Kind
	fits  Fits
	found map[int64]index.Found
}

// candidate is a record found, before it is rendered.
type candidate struct {
	*row
	index.Found
	updated int64
}

func (q *searcher) hits(query string, limit int) ([]Hit, bool, error) {
	cands, err := q.candidates(query)
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(cands, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(b.updated, a.updated), cmp.Compare(b.n, a.n))
	})
	groups, err := q.groups(cands)
	if err != nil {
		return nil, false, err
	}
	var out []Hit
	told := map[schema.RecordID]bool{}
	for _, c := range cands {
		grp, grouped := groups[c.id]
		if told[grp] {
			continue
		}
		if len(out) == limit {
			return out, true, nil
		}
		var rec *branchlinev1.Record
		if grouped {
			told[grp] = true
			rec, err = q.together(c.row)
		} else {
			rec, err = q.record(c.row, false)
		}
		if err != nil {
			return nil, false, err
		}
		out = append(out, Hit{rec, c.Matched})
	}
	return out, false, nil
}

// together is the view of a record's whole group.
func (q *searcher) together(x *row) (*branchlinev1.Record, error) {
	members, err := q.group(x.id)
	if err != nil {
		return nil, err
	}
	if len(members) < 2 {
		return q.record(x, false)
	}
	return q.golden(x, members)
}

// groups are the groups of those that are in one, by whichever member stands for it.
func (q *searcher) groups(cands []candidate) (map[schema.RecordID]schema.RecordID, error) {
	if len(cands) == 0 {
		return nil, nil
	}
	args := make([]any, 0, len(cands))
	for _, c := range cands {
		args = append(args, c.id[:])
	}
	in := "(?" + strings.Repeat(",?", len(args)-1) + ")"
	rows, err := q.tx.QueryContext(q.ctx, "SELECT record, grp FROM member WHERE record IN "+in, args...)
	if err != nil {
		return nil, fmt.Errorf("store: search: %w", err)
	}
	defer rows.Close()
	out := map[schema.RecordID]schema.RecordID{}
	for rows.Next() {
		var record, grp []byte
		if err := rows.Scan(&record, &grp); err != nil {
			return nil, fmt.Errorf("store: search: %w", err)
		}
		rid, err := schema.RecordIDFromBytes(record)
		if err != nil {
			return nil, err
		}
		if out[rid], err = schema.RecordIDFromBytes(grp); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: search: %w", err)
	}
	// Those only stated to be the same so far.
	for _, by := range []string{"id", "customer"} {
		rows, err := q.tx.QueryContext(q.ctx, "SELECT id FROM record WHERE kind = 4 AND customer IS NOT NULL AND "+by+" IN "+in+" AND NOT EXISTS (SELECT 1 FROM member m WHERE m.record = record.id)", args...)
		if err != nil {
			return nil, fmt.Errorf("store: search: %w", err)
		}
		stated, err := scanIDs(rows)
		if err != nil {
			return nil, err
		}
		for _, id := range stated {
			members, err := q.group(id)
			if err != nil {
				return nil, err
			}
			for _, m := range members {
				out[m] = members[0]
			}
		}
	}
	return out, nil
}

// candidates reads the rows found and ranks names by how they fit.
func (q *searcher) candidates(query string) ([]candidate, error) {
	if len(q.found) == 0 {
		return nil, nil
	}
	ns := make([]any, 0, len(q.found))
	for n := range q.found {
		ns = append(ns, n)
	}
	rows, err := q.tx.QueryContext(q.ctx, "SELECT updated, retired, customer IS NOT NULL, vehicle IS NOT NULL, ord IS NOT NULL, "+rowColumns+" FROM record WHERE n IN (?"+strings.Repeat(",?", len(ns)-1)+")", ns...)
	if err != nil {
		return nil, fmt.Errorf("store: search: %w", err)
	}
	defer rows.Close()
	var out []candidate
	for rows.Next() {
		var updated, retired int64
		var customer, vehicle, order bool
		x, err := scanRow(scanAfter{rows, []any{&updated, &retired, &customer, &vehicle, &order}})
		if err != nil {
			return nil, fmt.Errorf("store: search: %w", err)
		}
		if len(q.kinds) > 0 && !slices.Contains(q.kinds, x.kind.Kind) {
			continue
		}
		f := q.found[x.n]
		names := func(f *schema.FieldInfo) bool {
			return f == x.kind.Customer && customer || f == x.kind.Vehicle && vehicle || f == x.kind.Order && order
		}
		if q.fits != nil && !q.fits(x.kind, names, f.Matched) {
			continue
		}
		if f.Matched == index.ByName {
			msg, _, err := messageOf(x.kind, x.shown)
			if err != nil {
				return nil, err
			}
			f.Rank = min(f.Rank, index.NameRank(index.Names(x.kind, msg), query))
		}
		if retired != 0 {
			f.Rank += index.RankRetired
		}
		out = append(out, candidate{x, f, updated})
	}
	return out, rows.Err()
}

// scanAfter scans some columns that stand before the others.
type scanAfter struct {
	sc    scanner
	first []any
}

func (s scanAfter) Scan(dest ...any) error { return s.sc.Scan(append(s.first, dest...)...) }
