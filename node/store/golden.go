package store

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/edit"
	"branchline/sync/merge"
	"branchline/sync/oplog"
)

// Records that are one: golden customers, cars under several records. Which are
// HQ says; only what a record here is stated to be the same as counts at once, and
// until HQ has put it in a group.

// groupOf are the members of the record's group that are held here, itself
// included, by id; nil when it is in none.
func groupOf(ctx context.Context, tx *stdsql.Tx, id schema.RecordID) ([]schema.RecordID, error) {
	near := func(id schema.RecordID) ([]schema.RecordID, error) {
		rows, err := tx.QueryContext(ctx, `SELECT m.record FROM member m WHERE m.grp = (SELECT grp FROM member WHERE record = $1)
			UNION SELECT r.id FROM record r WHERE r.customer = $1 AND r.kind = $2 AND NOT EXISTS (SELECT 1 FROM member m WHERE m.record = r.id)
			UNION SELECT r.customer FROM record r WHERE r.id = $1 AND r.kind = $2 AND r.customer IS NOT NULL AND NOT EXISTS (SELECT 1 FROM member m WHERE m.record = r.id)`,
			id[:], int64(schema.Customer))
		if err != nil {
			return nil, fmt.Errorf("store: group: %w", err)
		}
		return scanIDs(rows)
	}
	held := func(id schema.RecordID) (held bool, err error) {
		if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM record WHERE id = $1)", id[:]).Scan(&held); err != nil {
			return false, fmt.Errorf("store: group: %w", err)
		}
		return held, nil
	}
	return closed(id, near, held)
}

// closed is groupOf by who is directly one with whom, and what is held here.
func closed(id schema.RecordID, near func(schema.RecordID) ([]schema.RecordID, error), held func(schema.RecordID) (bool, error)) ([]schema.RecordID, error) {
	out := []schema.RecordID{id}
	for i := 0; i < len(out); i++ {
		ids, err := near(out[i])
		if err != nil {
			return nil, err
		}
		for _, m := range ids {
			if slices.Contains(out, m) {
				continue
			}
			is, err := held(m)
			if err != nil {
				return nil, err
			}
			if is {
				out = append(out, m)
			}
		}
	}
	if len(out) < 2 {
		return nil, nil
	}
	slices.SortFunc(out, func(a, b schema.RecordID) int { return slices.Compare(a[:], b[:]) })
	return out, nil
}

func (r *reader) group(id schema.RecordID) ([]schema.RecordID, error) {
	if _, known := r.seen.near[id]; known {
		return closed(id, func(id schema.RecordID) ([]schema.RecordID, error) { return r.seen.near[id], nil },
			func(id schema.RecordID) (bool, error) { return r.seen.rows[id] != nil, nil })
	}
	return groupOf(r.ctx, r.tx, id)
}

// Group are the members of the record's group that are known here, or the record alone.
func (s *Store) Group(ctx context.Context, id schema.RecordID) ([]schema.RecordID, error) {
	var out []schema.RecordID
	err := s.reading(ctx, func(r *reader) error {
		var err error
		out, err = r.group(id)
		return err
	})
	if len(out) == 0 {
		out = []schema.RecordID{id}
	}
	return out, err
}

// Golden is the view of the record's whole group: the states of its members seen
// here, joined, each field read by its rule, each value naming its member. Its etag
// makes an edit one of the whole group; where is that of the branch's last own
// change to any member. For a record in no group it is what Get gives.
func (s *Store) Golden(ctx context.Context, id schema.RecordID) (*branchlinev1.Record, error) {
	var out *branchlinev1.Record
	err := s.reading(ctx, func(r *reader) error {
		x, err := r.row(id)
		if err != nil {
			return err
		}
		members, err := r.group(id)
		if err != nil {
			return err
		}
		if out, err = r.view(x, members, true); err != nil || !edit.IsGolden(out.GetEtag()) {
			return err
		}
		return r.actors(out)
	})
	return out, err
}

// view is the golden view of x and the members of its group, without who wrote what;
// x as a record (whole as there) where it is in no group and nothing of it is pinned.
func (r *reader) view(x *row, members []schema.RecordID, whole bool) (*branchlinev1.Record, error) {
	if len(members) == 0 {
		members = []schema.RecordID{x.id}
	}
	pins, err := r.pinsOf(x.kind, members)
	if err != nil {
		return nil, err
	}
	if len(members) < 2 && len(pins) == 0 {
		return r.record(x, whole)
	}
	return r.golden(x, members, pins)
}

func (r *reader) pinsOf(k *schema.KindInfo, ids []schema.RecordID) (out []edit.Member, err error) {
	for _, id := range ids {
		pins, known := r.seen.pins[id]
		if !known {
			return pinsOf(r.ctx, r.tx, k, ids)
		}
		out = append(out, pins...)
	}
	return out, nil
}

// pinsOf are the values headquarters chose for any of the records, as far as they are in force.
func pinsOf(ctx context.Context, tx *stdsql.Tx, k *schema.KindInfo, ids []schema.RecordID) ([]edit.Member, error) {
	if k.Kind != schema.Customer {
		return nil, nil
	}
	args := []any{int64(schema.Pin)}
	for _, id := range ids {
		args = append(args, id[:])
	}
	rows, err := tx.QueryContext(ctx, "SELECT id, shown FROM record WHERE kind = ? AND retired = 0 AND customer IN (?"+strings.Repeat(",?", len(ids)-1)+")", args...)
	if err != nil {
		return nil, fmt.Errorf("store: pins: %w", err)
	}
	defer rows.Close()
	var out []edit.Member
	for rows.Next() {
		var id, shown []byte
		if err := rows.Scan(&id, &shown); err != nil {
			return nil, fmt.Errorf("store: pins: %w", err)
		}
		p, err := schema.RecordIDFromBytes(id)
		if err != nil {
			return nil, err
		}
		st, err := merge.Decode(shown)
		if err != nil {
			return nil, fmt.Errorf("store: pin %s: %w", p, err)
		}
		out = append(out, edit.Member{Name: schema.ResourceName(schema.Pin, p), State: st})
	}
	return out, rows.Err()
}

func (r *reader) golden(x *row, members []schema.RecordID, pins []edit.Member) (*branchlinev1.Record, error) {
	parts := make([]edit.Member, 0, len(members))
	rows := make([]*row, 0, len(members))
	last := x
	for _, m := range members {
		y := x
		if m != x.id {
			var err error
			if y, err = r.row(m); err != nil {
				return nil, err
			}
		}
		st, err := merge.Decode(y.shown)
		if err != nil {
			return nil, fmt.Errorf("store: record %s: %w", m, err)
		}
		parts, rows = append(parts, edit.Member{Name: schema.ResourceName(y.kind.Kind, m), State: st}), append(rows, y)
		if y.own > last.own {
			last = y
		}
	}
	whole, err := edit.Gather(x.kind, parts, pins)
	if err != nil {
		return nil, err
	}
	out, err := whole.Show()
	if err != nil {
		return nil, err
	}
	if err := r.dress(out, x); err != nil {
		return nil, err
	}
	for _, y := range rows {
		if err := r.markKept(out, y); err != nil {
			return nil, err
		}
	}
	if last != x {
		if out.Where, err = r.where(last.own, last); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// whole is what an edit of a golden view stands on: what the view shows, and
// the branch's own member, which the edit goes to; nil when the branch has none.
func (w *writer) whole(r *row) (page *edit.Whole, own *row, err error) {
	members, err := groupOf(w.ctx, w.tx, r.id)
	if err != nil {
		return nil, nil, err
	}
	if len(members) == 0 { // it was one when the page was read
		members = []schema.RecordID{r.id}
	}
	parts := make([]edit.Member, 0, len(members))
	for _, id := range members {
		x := r
		if id != r.id {
			if x, err = w.find(id); err != nil {
				return nil, nil, err
			}
		}
		st, err := merge.Decode(x.shown)
		if err != nil {
			return nil, nil, fmt.Errorf("store: record %s: %w", id, err)
		}
		parts = append(parts, edit.Member{Name: schema.ResourceName(x.kind.Kind, id), State: st})
		if x.home == w.m.id.Branch && !x.shared && (own == nil || x == r) {
			own = x
		}
	}
	if own == nil && (len(members) < 2 || !canJoin(r.kind)) {
		own = r
	}
	pins, err := pinsOf(w.ctx, w.tx, r.kind, members)
	if err != nil {
		return nil, nil, err
	}
	page, err = edit.Gather(r.kind, parts, pins)
	return page, own, err
}

// canJoin tells whether a record of the kind can be stated to be another of it.
func canJoin(k *schema.KindInfo) bool { return k.Customer != nil && k.Customer.Ref == k.Kind }

// beside makes the branch's own member of a golden customer for an edit of it: the
// values written, and whom it is the same as. What it names it replaces in the view
// of the group; the other members' records stay as they are.
func (w *writer) beside(r *row, e *Edit, c *edit.Change) (Result, error) {
	id, err := w.s.ids.New()
	if err != nil {
		return Result{}, err
	}
	values := protowire.AppendTag(slices.Clone(c.Values), protowire.Number(r.kind.Customer.Number), protowire.BytesType)
	values = protowire.AppendString(values, r.id.String())
	body := &wirev1.ChangeBody{
		Kind: uint32(r.kind.Kind), Record: id[:], Values: values, Names: c.Names, Actor: e.Actor, Role: uint32(e.Role), Confirmed: e.Confirmed, Create: true,
	}
	sealed, at, err := w.append(id, body, c.Named...)
	if err != nil {
		return Result{}, err
	}
	st, err := merge.FromChange(schema.StampOf(sealed.ID, at, body), body)
	if err != nil {
		return Result{}, err
	}
	made := &row{
		n: w.m.nextN, id: id, kind: r.kind, home: w.m.id.Branch, pass: w.m.pass, base: []byte{}, shown: st.Encode(), own: oplog.RowID(w.m.current().No, sealed.ID.Seq),
	}
	w.m.nextN++
	if err := w.insertRow(made); err != nil {
		return Result{}, err
	}
	if err := w.pend(made.own, made.n); err != nil {
		return Result{}, err
	}
	w.event.All = true // the pages of the other members show it
	return Result{ID: id, Change: sealed.ID}, w.noteRequest(r.kind, editedBy, e, r.id, made.own)
}
