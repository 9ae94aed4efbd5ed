package store

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/oplog"
)

// An act is what somebody does that takes several records at once: a settlement and the order it closes, money in
// three forms. All of them are saved or none, and what is read on the way is as it will be when they are.

// doneBy stands before the request id of an act, with what it was.
const doneBy = "act "

// Act runs f in one transaction. f gives the record the act is about. An act with a request id is done once: when one of
// the same sort and id was done in the last 24 hours f is not run, and again is true.
func (s *Store) Act(ctx context.Context, sort, requestID string, f func(b *Batch) (schema.RecordID, error)) (about schema.RecordID, again bool, err error) {
	err = s.write(ctx, func(w *writer) error {
		if w.m.current() == nil {
			return fmt.Errorf("store: this branch is not enrolled yet: %w", schema.ErrUnavailable)
		}
		key := doneBy + sort + " " + requestID
		if requestID != "" {
			if about, again, err = w.done(key); err != nil || again {
				return err
			}
		}
		if about, err = f(&Batch{w}); err != nil {
			w.touched = true // what is in hand is read again
			return err
		}
		if requestID == "" {
			return nil
		}
		return w.noteDone(key, about)
	})
	return about, again, err
}

// Promise gives the id a record will have that somebody else is asked to make, the same one however often the request
// with this id comes within 24 hours.
func (s *Store) Promise(ctx context.Context, sort, requestID string) (schema.RecordID, error) {
	var id schema.RecordID
	err := s.write(ctx, func(w *writer) error {
		key := doneBy + sort + " promise " + requestID
		known := false
		var err error
		if id, known, err = w.done(key); err != nil || known {
			return err
		}
		if id, err = s.ids.New(); err != nil {
			return err
		}
		return w.noteDone(key, id)
	})
	return id, err
}

func (w *writer) done(key string) (id schema.RecordID, found bool, err error) {
	if _, err := w.stmt(w.s.st.forget).ExecContext(w.ctx, w.now()-requestLife.Milliseconds()); err != nil {
		return id, false, fmt.Errorf("store: request ids: %w", err)
	}
	var kind, change int64
	var record []byte
	err = w.stmt(w.s.st.noted).QueryRowContext(w.ctx, key).Scan(&kind, &record, &change)
	if errors.Is(err, stdsql.ErrNoRows) {
		return id, false, nil
	}
	if err != nil {
		return id, false, fmt.Errorf("store: request id: %w", err)
	}
	id, err = schema.RecordIDFromBytes(record)
	return id, err == nil, err
}

func (w *writer) noteDone(key string, about schema.RecordID) error {
	if _, err := w.stmt(w.s.st.note).ExecContext(w.ctx, key, 0, about[:], 0, w.now()); err != nil {
		return fmt.Errorf("store: request id: %w", err)
	}
	return nil
}

// Number gives the next number of a kind and business day. It is spent with the act only.
func (b *Batch) Number(k schema.Kind, day string) (string, error) {
	return b.w.nextNumber(schema.KindOf(k), day)
}

// View is what the act sees: the records as they are, with what it has put.
func (b *Batch) View() *View {
	w := b.w
	lives := make([]oplog.Life, len(w.m.lives))
	for i, l := range w.m.lives {
		lives[i] = *l
	}
	return &View{&reader{ctx: w.ctx, tx: w.tx, s: w.s, branch: w.m.id.Branch, lives: lives}}
}

// View is one snapshot of the branch's records.
type View struct{ r *reader }

// View runs f on a snapshot.
func (s *Store) View(ctx context.Context, f func(v *View) error) error {
	return s.reading(ctx, func(r *reader) error { return f(&View{r}) })
}

// Identity is who the branch is.
func (v *View) Identity() Identity { return v.r.s.known.Load().id }

// Get is a record. ErrNotFound when it is not held here.
func (v *View) Get(id schema.RecordID) (*branchlinev1.Record, error) {
	x, err := v.r.row(id)
	if err != nil {
		return nil, err
	}
	return v.r.record(x, false)
}

// About are the records of a kind that name one of the records ids of kind by (customer, vehicle or order), by id.
func (v *View) About(k, by schema.Kind, ids ...schema.RecordID) ([]*branchlinev1.Record, error) {
	column, ok := map[schema.Kind]string{schema.Customer: "customer", schema.Vehicle: "vehicle", schema.ServiceOrder: "ord"}[by]
	if !ok || len(ids) == 0 {
		return nil, nil
	}
	args, places := []any{int64(k)}, ""
	for i, id := range ids {
		args = append(args, id[:])
		places += ", $" + strconv.Itoa(i+2)
	}
	return v.list("kind = $1 AND "+column+" IN ("+places[2:]+")", "id", args...)
}

// OnDay are the records of a kind whose home is this branch, of a day.
func (v *View) OnDay(k schema.Kind, day string) ([]*branchlinev1.Record, error) {
	return v.list("kind = $1 AND day = $2 AND home = $3", "id", int64(k), day, string(v.r.branch))
}

// Since are the records of a kind whose home is this branch, of a day and later, by day.
func (v *View) Since(k schema.Kind, day string) ([]*branchlinev1.Record, error) {
	return v.list("kind = $1 AND day >= $2 AND home = $3", "day, id", int64(k), day, string(v.r.branch))
}

// Having are the records of a kind whose home is this branch and that have a facet (index.FacetTerm), by id.
func (v *View) Having(k schema.Kind, facet string) ([]*branchlinev1.Record, error) {
	return v.list("n IN (SELECT n FROM term WHERE k = $1) AND +kind = $2 AND +home = $3", "id", facet, int64(k), string(v.r.branch))
}

// All are the records of a kind: for kinds of which there are few.
func (v *View) All(k schema.Kind) ([]*branchlinev1.Record, error) {
	return v.list("kind = $1", "id", int64(k))
}

// Days are the days on which this branch has records of a kind, the last first, n at most.
func (v *View) Days(k schema.Kind, n int) ([]string, error) {
	rows, err := v.r.tx.QueryContext(v.r.ctx, "SELECT DISTINCT day FROM record WHERE kind = $1 AND day IS NOT NULL AND home = $2 ORDER BY day DESC LIMIT $3",
		int64(k), string(v.r.branch), n)
	if err != nil {
		return nil, fmt.Errorf("store: days: %w", err)
	}
	defer rows.Close() // its error comes with rows.Err
	var out []string
	for rows.Next() {
		var day string
		if err := rows.Scan(&day); err != nil {
			return nil, fmt.Errorf("store: days: %w", err)
		}
		out = append(out, day)
	}
	return out, rows.Err()
}

// Mark changes when a record of the kind does: what was read of them all may be kept until then.
func (v *View) Mark(kinds ...schema.Kind) (string, error) {
	out := ""
	for _, k := range kinds {
		var n, updated, rev int64
		if err := v.r.tx.QueryRowContext(v.r.ctx, "SELECT count(*), coalesce(max(updated), 0), coalesce(max(rev), 0) FROM record WHERE kind = $1", int64(k)).
			Scan(&n, &updated, &rev); err != nil {
			return "", fmt.Errorf("store: mark: %w", err)
		}
		out += fmt.Sprintf("%d %d %d;", n, updated, rev)
	}
	return out, nil
}

// Group are the records that are one with id: their ids, id among them.
func (v *View) Group(id schema.RecordID) ([]schema.RecordID, error) {
	ids, err := v.r.group(id)
	if err == nil && !slices.Contains(ids, id) {
		ids = append(ids, id)
	}
	return ids, err
}

func (v *View) list(where, order string, args ...any) ([]*branchlinev1.Record, error) {
	rows, err := v.r.tx.QueryContext(v.r.ctx, "SELECT "+rowColumns+" FROM record WHERE "+where+" ORDER BY "+order, args...)
	if err != nil {
		return nil, fmt.Errorf("store: view: %w", err)
	}
	found, err := scanRows(rows)
	if err != nil {
		return nil, err
	}
	return v.r.records(found)
}

// Done tells whether an act of the sort with the request id was done in the last 24 hours, and the record it was about.
func (s *Store) Done(ctx context.Context, sort, requestID string) (about schema.RecordID, done bool, err error) {
	var record []byte
	err = s.db.R.QueryRowContext(ctx, "SELECT record FROM request WHERE id = $1 AND at >= $2", doneBy+sort+" "+requestID,
		s.cfg.Now().Add(-requestLife).UnixMilli()).Scan(&record)
	if errors.Is(err, stdsql.ErrNoRows) {
		return about, false, nil
	}
	if err != nil {
		return about, false, fmt.Errorf("store: request id: %w", err)
	}
	about, err = schema.RecordIDFromBytes(record)
	return about, err == nil, err
}
