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

// Hit is one record found.
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
	more := len(cands) > limit
	if more {
		cands = cands[:limit]
	}
	out := make([]Hit, 0, len(cands))
	for _, c := range cands {
		rec, err := q.record(c.row, false)
		if err != nil {
			return nil, false, err
		}
		out = append(out, Hit{rec, c.Matched})
	}
	return out, more, q.groups(cands, out)
}

// groups adds the groups of all hits at once.
func (q *searcher) groups(cands []candidate, hits []Hit) error {
	if len(cands) == 0 {
		return nil
	}
	args := make([]any, 0, len(cands))
	at := map[schema.RecordID]int{}
	for i, c := range cands {
		args = append(args, c.id[:])
		at[c.id] = i
	}
	rows, err := q.tx.QueryContext(q.ctx, "SELECT h.record, m.record FROM member h JOIN member m ON m.grp = h.grp JOIN record r ON r.id = m.record WHERE h.record IN (?"+
		strings.Repeat(",?", len(args)-1)+") ORDER BY h.record, m.record", args...)
	if err != nil {
		return fmt.Errorf("store: search: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var of, member []byte
		if err := rows.Scan(&of, &member); err != nil {
			return fmt.Errorf("store: search: %w", err)
		}
		rid, err := schema.RecordIDFromBytes(of)
		if err != nil {
			return err
		}
		mid, err := schema.RecordIDFromBytes(member)
		if err != nil {
			return err
		}
		i := at[rid]
		hits[i].Record.Group = append(hits[i].Record.Group, schema.ResourceName(cands[i].kind.Kind, mid))
	}
	return rows.Err()
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
