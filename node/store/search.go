package store

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
)

// The numbers of kinds, as they are written in a query.
var (
	customerKind = strconv.Itoa(int(schema.Customer))
	pinKind      = strconv.Itoa(int(schema.Pin))
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
	index.Found
	n       int64
	id      schema.RecordID
	updated int64
}

// hits renders only what is given back: a name may fit hundreds of records.
func (q *searcher) hits(query string, limit int) ([]Hit, bool, error) {
	cands, err := q.candidates(query)
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(cands, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(b.updated, a.updated), cmp.Compare(b.n, a.n))
	})
	var out []Hit
	told := map[schema.RecordID]bool{}
	for page := range slices.Chunk(cands, limit+1) {
		rows, err := q.rows(page)
		if err != nil {
			return nil, false, err
		}
		for _, c := range page {
			if told[c.id] {
				continue
			}
			if len(out) == limit {
				return out, true, nil
			}
			rec, members, err := q.render(rows[c.n])
			if err != nil {
				return nil, false, err
			}
			for _, m := range members {
				told[m] = true
			}
			out = append(out, Hit{rec, c.Matched})
		}
	}
	return out, false, nil
}

// foundRow is a row to be rendered. mayJoin: it may be in a group.
type foundRow struct {
	*row
	mayJoin bool
}

// rows reads what is rendered of some candidates, by number.
func (q *searcher) rows(cands []candidate) (map[int64]foundRow, error) {
	ns := make([]any, 0, len(cands))
	for _, c := range cands {
		ns = append(ns, c.n)
	}
	rows, err := q.tx.QueryContext(q.ctx, `SELECT EXISTS (SELECT 1 FROM member m WHERE m.record = record.id)
			OR kind = `+customerKind+` AND (customer IS NOT NULL OR EXISTS (SELECT 1 FROM record o WHERE o.customer = record.id AND o.kind IN (`+customerKind+", "+pinKind+`))),
		`+rowColumns+" FROM record WHERE n IN (?"+strings.Repeat(",?", len(ns)-1)+")", ns...)
	if err != nil {
		return nil, fmt.Errorf("store: search: %w", err)
	}
	defer rows.Close()
	out := make(map[int64]foundRow, len(cands))
	for rows.Next() {
		var mayJoin bool
		x, err := scanRow(scanAfter{rows, []any{&mayJoin}})
		if err != nil {
			return nil, fmt.Errorf("store: search: %w", err)
		}
		out[x.n] = foundRow{x, mayJoin}
	}
	return out, rows.Err()
}

// render gives the view of the record's whole group, and who is in it; of the record alone when it is in none.
func (q *searcher) render(x foundRow) (*branchlinev1.Record, []schema.RecordID, error) {
	var members []schema.RecordID
	if x.mayJoin {
		var err error
		if members, err = q.group(x.id); err != nil {
			return nil, nil, err
		}
	}
	if !x.mayJoin {
		rec, err := q.record(x.row, false)
		return rec, nil, err
	}
	rec, err := q.view(x.row, members, false)
	return rec, members, err
}

// candidates reads what the rows found are ranked by: names by how they fit.
func (q *searcher) candidates(query string) ([]candidate, error) {
	if len(q.found) == 0 {
		return nil, nil
	}
	ns := make([]any, 0, len(q.found))
	for n := range q.found {
		ns = append(ns, n)
	}
	rows, err := q.tx.QueryContext(q.ctx, `SELECT n, id, kind, updated, retired, customer IS NOT NULL, vehicle IS NOT NULL, ord IS NOT NULL, shown
		FROM record WHERE n IN (?`+strings.Repeat(",?", len(ns)-1)+")", ns...)
	if err != nil {
		return nil, fmt.Errorf("store: search: %w", err)
	}
	defer rows.Close()
	out := make([]candidate, 0, len(ns))
	for rows.Next() {
		var c candidate
		var kind, retired int64
		var customer, vehicle, order bool
		var id, shown stdsql.RawBytes
		if err := rows.Scan(&c.n, &id, &kind, &c.updated, &retired, &customer, &vehicle, &order, &shown); err != nil {
			return nil, fmt.Errorf("store: search: %w", err)
		}
		k := schema.KindOf(schema.Kind(kind))
		if k == nil {
			return nil, fmt.Errorf("store: record %x is of the unknown kind %d", id, kind)
		}
		if len(q.kinds) > 0 && !slices.Contains(q.kinds, k.Kind) {
			continue
		}
		if c.id, err = schema.RecordIDFromBytes(id); err != nil {
			return nil, err
		}
		c.Found = q.found[c.n]
		names := func(f *schema.FieldInfo) bool {
			return f == k.Customer && customer || f == k.Vehicle && vehicle || f == k.Order && order
		}
		if q.fits != nil && !q.fits(k, names, c.Matched) {
			continue
		}
		if c.Matched == index.ByName {
			msg, _, err := messageOf(k, shown)
			if err != nil {
				return nil, err
			}
			c.Rank = min(c.Rank, index.NameRank(index.Names(k, msg), query))
		}
		if retired != 0 {
			c.Rank += index.RankRetired
		}
		out = append(out, c)
	}
	return out, rows.Err()
}
