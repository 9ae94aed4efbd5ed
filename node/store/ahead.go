package store

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/edit"
	"branchline/sync/merge"
)

// seen is what was read ahead of some records, so that many views ask the database as often as one does. No entry: it was
// not.
type seen struct {
	rows map[schema.RecordID]*row              // nil: it is not held here
	near map[schema.RecordID][]schema.RecordID // which are directly one with it, held here or not
	pins map[schema.RecordID][]edit.Member     // at a customer
}

// Views are the golden views of records, by the ids asked for, without who wrote what. One that is not held here is left
// out. Many ask the database as often as one.
func (s *Store) Views(ctx context.Context, ids []schema.RecordID) (out map[schema.RecordID]*branchlinev1.Record, err error) {
	err = s.reading(ctx, func(r *reader) error {
		out, err = r.views(ids)
		return err
	})
	return out, err
}

func (r *reader) views(ids []schema.RecordID) (map[schema.RecordID]*branchlinev1.Record, error) {
	if err := r.foresee(ids); err != nil {
		return nil, err
	}
	out := make(map[schema.RecordID]*branchlinev1.Record, len(ids))
	for _, id := range ids {
		x := r.seen.rows[id]
		if x == nil || out[id] != nil {
			continue
		}
		members, err := r.group(id)
		if err != nil {
			return nil, err
		}
		if out[id], err = r.view(x, members, false); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// foresee reads ahead some records with all that are one with them, and what is asked of each when its view is made.
func (r *reader) foresee(ids []schema.RecordID) error {
	if r.seen.rows == nil {
		r.seen = seen{rows: map[schema.RecordID]*row{}, near: map[schema.RecordID][]schema.RecordID{}, pins: map[schema.RecordID][]edit.Member{}}
	}
	for len(ids) > 0 {
		var err error
		if ids, err = r.step(ids); err != nil {
			return fmt.Errorf("store: read ahead: %w", err)
		}
	}
	return nil
}

// step reads ahead those of some records of which nothing has been, and gives the records held here that are directly one
// with them.
func (r *reader) step(ids []schema.RecordID) (next []schema.RecordID, err error) {
	var fresh []any
	for _, id := range ids {
		if _, known := r.seen.near[id]; !known {
			r.seen.near[id], r.seen.pins[id] = nil, nil
			fresh = append(fresh, id[:])
		}
	}
	for some := range slices.Chunk(fresh, toldAtOnce) {
		some = rounded(some)
		if err := r.linked(some); err != nil {
			return nil, err
		}
		if err := r.pinned(some); err != nil {
			return nil, err
		}
	}
	for _, id := range fresh {
		next = append(next, r.seen.near[schema.RecordID(id.([]byte))]...)
	}
	if err := r.rowsOf(slices.Concat(ids, next)); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(next, func(id schema.RecordID) bool { return r.seen.rows[id] == nil }), nil
}

// linked asks of records what groupOf does of one.
func (r *reader) linked(ids []any) error {
	return r.each(func(rows *stdsql.Rows) error {
		var a, b []byte
		if err := rows.Scan(&a, &b); err != nil {
			return err
		}
		x, y := schema.RecordID(a), schema.RecordID(b)
		r.seen.near[x] = append(r.seen.near[x], y)
		return nil
	}, linkedText(len(ids)), slices.Concat(ids, ids, ids)...)
}

// linkedText takes n ids three times. The plus keeps the kind out of the choice of an index: by kind every customer would
// be read.
func linkedText(n int) string {
	in := "IN (" + marks(n) + ")"
	const alone = " AND NOT EXISTS (SELECT 1 FROM member m WHERE m.record = r.id)"
	return "SELECT a.record, m.record FROM member a JOIN member m ON m.grp = a.grp WHERE a.record " + in +
		" UNION SELECT r.customer, r.id FROM record r INDEXED BY record_customer WHERE r.customer " + in + " AND r.kind = " + customerKind + alone +
		" UNION SELECT r.id, r.customer FROM record r WHERE r.id " + in + " AND +r.kind = " + customerKind + " AND r.customer IS NOT NULL" + alone
}

// pinned reads the values headquarters chose for customers, as far as they are in force.
func (r *reader) pinned(customers []any) error {
	return r.each(func(rows *stdsql.Rows) error {
		var of, id, shown []byte
		if err := rows.Scan(&of, &id, &shown); err != nil {
			return err
		}
		st, err := merge.Decode(shown)
		if err != nil {
			return fmt.Errorf("pin %x: %w", id, err)
		}
		x := schema.RecordID(of)
		r.seen.pins[x] = append(r.seen.pins[x], edit.Member{Name: schema.ResourceName(schema.Pin, schema.RecordID(id)), State: st})
		return nil
	}, "SELECT customer, id, shown FROM record INDEXED BY record_customer WHERE customer IN ("+marks(len(customers))+") AND kind = "+pinKind+" AND retired = 0", customers...)
}

// rowsOf reads the rows of records, and what headquarters said of them.
func (r *reader) rowsOf(ids []schema.RecordID) error {
	var args []any
	for _, id := range ids {
		if _, known := r.seen.rows[id]; !known {
			r.seen.rows[id] = nil
			args = append(args, id[:])
		}
	}
	var found []*row
	for some := range slices.Chunk(args, toldAtOnce) {
		some = rounded(some)
		err := r.each(func(rows *stdsql.Rows) error {
			x, err := scanRow(rows)
			if err != nil {
				return err
			}
			r.seen.rows[x.id] = x
			found = append(found, x)
			return nil
		}, "SELECT "+rowColumns+" FROM record WHERE id IN ("+marks(len(some))+")", some...)
		if err != nil {
			return err
		}
	}
	return r.foretell(found)
}
