package store

import (
	"context"
	"errors"
	"fmt"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/merge"
	"branchline/sync/oplog"
)

// An edit of this branch that lost a field to a concurrent value is told to its
// author as long as it has: until somebody who saw both wrote that field, or the
// other value went. That is read off the records as they are shown, never off what
// HQ said once: an edit may lose long after it was applied, and win again. Table
// lost has them by record.

// setLost makes the table say of a record what its state says, in the order of the stamps.
func (w *writer) setLost(n int64, lost []merge.LostValue) error {
	if !w.m.lost && len(lost) == 0 {
		return nil
	}
	res, err := w.exec("DELETE FROM lost WHERE n = $1", n)
	if err != nil {
		return fmt.Errorf("store: lost: %w", err)
	}
	gone, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("store: lost: %w", err)
	}
	for i := 0; i < len(lost); {
		s, kept := lost[i].Stamp, true
		for ; i < len(lost) && lost[i].Stamp == s; i++ {
			var is bool
			err := w.tx.QueryRowContext(w.ctx, "SELECT EXISTS (SELECT 1 FROM lost_kept WHERE n = $1 AND inc = $2 AND seq = $3 AND at = $4 AND field = $5)",
				n, int64(s.Inc), int64(s.Seq), int64(s.At), lost[i].Field).Scan(&is)
			if err != nil {
				return fmt.Errorf("store: lost: %w", err)
			}
			kept = kept && is
		}
		if _, err := w.exec("INSERT INTO lost (n, inc, seq, at, kept) VALUES ($1, $2, $3, $4, $5)", n, int64(s.Inc), int64(s.Seq), int64(s.At), flag(kept)); err != nil {
			return fmt.Errorf("store: lost: %w", err)
		}
	}
	if len(lost) > 0 || gone > 0 {
		w.m.lost, w.touched, w.event.Line = true, true, true
	}
	return nil
}

// fillLost makes the table say it of every record, once: older programs did not.
func (s *Store) fillLost(ctx context.Context) error {
	done, err := metaInt(ctx, s.db.W, metaLost)
	if err != nil || done != 0 || s.mem.nextN == 1 {
		return err
	}
	return s.write(ctx, func(w *writer) error {
		for after := int64(0); ; {
			ns, err := w.ints("SELECT n FROM record WHERE n > $1 ORDER BY n LIMIT 1000", after)
			if err != nil || len(ns) == 0 {
				return errors.Join(err, w.metaSetInt(metaLost, 1))
			}
			for _, n := range ns {
				r, err := w.rowAt(n)
				if err != nil {
					return err
				}
				_, _, lost, err := readState(r.kind, r.shown, w.m.id.Branch)
				if err != nil {
					return fmt.Errorf("store: record %s: %w", r.id, err)
				}
				if err := w.setLost(n, lost); err != nil {
					return err
				}
			}
			after = ns[len(ns)-1]
		}
	})
}

// losers are the records in which an own edit lost, by number; read once a snapshot.
func (r *reader) losers() (map[int64]bool, error) {
	if r.lost != nil {
		return r.lost, nil
	}
	rows, err := r.tx.QueryContext(r.ctx, "SELECT DISTINCT n FROM lost")
	if err != nil {
		return nil, fmt.Errorf("store: lost: %w", err)
	}
	defer rows.Close()
	lost := map[int64]bool{}
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, fmt.Errorf("store: lost: %w", err)
		}
		lost[n] = true
	}
	r.lost = lost
	return lost, rows.Err()
}

// contest says of a change that HQ has applied whether it has lost something at this
// moment. x is its record, nil when it is not in hand.
func (r *reader) contest(out *branchlinev1.Where, l *oplog.Life, seq schema.Seq, x *row) error {
	told := out.GetOutcome() == branchlinev1.ChangeOutcome_CHANGE_OVERRIDDEN
	lost, err := r.losers()
	if err != nil {
		return err
	}
	if x == nil && (told || len(lost) > 0) {
		if x, err = r.recordOf(l, seq); err != nil || x == nil {
			return err // not held here any more: HQ's word stands
		}
	}
	if x == nil || !lost[x.n] {
		if told {
			out.Outcome, out.Reason = branchlinev1.ChangeOutcome_CHANGE_APPLIED, ""
		}
		return nil
	}
	c, err := oplog.One(r.ctx, r.tx, l, r.branch, seq)
	if errors.Is(err, schema.ErrNotFound) || err == nil && c.Erased() {
		return nil
	}
	if err != nil {
		return err
	}
	b, err := c.Body()
	if err != nil {
		return err
	}
	st, err := merge.Decode(x.shown)
	if err != nil {
		return fmt.Errorf("store: record %s: %w", x.id, err)
	}
	out.Outcome, out.Reason = branchlinev1.ChangeOutcome_CHANGE_APPLIED, ""
	for _, num := range st.Overridden(x.kind, oplog.StampOf(c, b).Edit()) {
		out.Outcome, out.Reason = branchlinev1.ChangeOutcome_CHANGE_OVERRIDDEN, "a later value is shown"
		out.OverriddenFields = append(out.OverriddenFields, x.kind.FieldNumber(num).Name)
	}
	return nil
}

// recordOf is the record of a change; nil when it, or the change, is not held here.
func (r *reader) recordOf(l *oplog.Life, seq schema.Seq) (*row, error) {
	c, err := oplog.One(r.ctx, r.tx, l, r.branch, seq)
	if err == nil {
		var x *row
		if x, err = r.row(c.Record); err == nil {
			return x, nil
		}
	}
	if errors.Is(err, schema.ErrNotFound) {
		return nil, nil
	}
	return nil, err
}

// lookedAt is one of what a person should look at: a change with an outcome, or
// (n > 0) an edit that lost in record n.
type lookedAt struct {
	at, id int64 // id: of the change, or the edit's seq
	n      int64
	inc    schema.Incarnation
}

// lookAt lists what a person should look at, newest first, before a place in the list.
func (r *reader) lookAt(at, id int64, n int) ([]lookedAt, error) {
	rows, err := r.tx.QueryContext(r.ctx, `SELECT at, id, n, inc FROM (`+lookAtQuery+`) WHERE (at, id) < ($1, $2) ORDER BY at DESC, id DESC LIMIT $3`, at, id, n)
	if err != nil {
		return nil, fmt.Errorf("store: look at: %w", err)
	}
	defer rows.Close()
	var out []lookedAt
	for rows.Next() {
		var x lookedAt
		if err := rows.Scan(&x.at, &x.id, &x.n, &x.inc); err != nil {
			return nil, fmt.Errorf("store: look at: %w", err)
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// lookAtQuery is all of it. An edit that HQ does not have yet is told of as one that waits.
const lookAtQuery = `SELECT coalesce(c.at, (SELECT a.at FROM aside a WHERE a.id = (l.no << 40) + o.seq), 0) AS at, (l.no << 40) + o.seq AS id, 0 AS n, o.inc AS inc FROM outcome o JOIN life l ON l.inc = o.inc
		LEFT JOIN change c ON c.id = (l.no << 40) + o.seq WHERE o.kind IN (` + lookAtKinds + `) AND o.settled = 0
	UNION ALL SELECT x.at, x.seq, x.n, x.inc FROM lost x LEFT JOIN life l ON l.inc = x.inc
		WHERE x.kept = 0 AND (l.no IS NULL OR x.seq & 1099511627775 <= max(l.watermark, l.folded)
			OR EXISTS (SELECT 1 FROM outcome o WHERE o.inc = x.inc AND o.seq = x.seq & 1099511627775))`

// lostEdit tells of an edit that lost.
func (r *reader) lostEdit(at lookedAt) (*branchlinev1.OwnChange, error) {
	x, err := scanRow(r.tx.QueryRowContext(r.ctx, "SELECT "+rowColumns+" FROM record WHERE n = $1", at.n))
	if err != nil {
		return nil, fmt.Errorf("store: look at: %w", err)
	}
	st, err := merge.Decode(x.shown)
	if err != nil {
		return nil, fmt.Errorf("store: record %s: %w", x.id, err)
	}
	edit := schema.Stamp{At: schema.Tick(at.at), Branch: r.branch, Inc: at.inc, Seq: schema.Seq(at.id)}
	out := &branchlinev1.OwnChange{
		Change: edit.Change().String(), Record: schema.ResourceName(x.kind.Kind, x.id), At: edit.At.UnixMilli(),
		Where: &branchlinev1.Where{
			State: branchlinev1.WhereState_COMMITTED, Outcome: branchlinev1.ChangeOutcome_CHANGE_OVERRIDDEN,
			Reason: "a later value is shown", Change: edit.Change().String(),
		},
	}
	kept, err := r.keptOf(x.n)
	if err != nil {
		return nil, err
	}
	for _, num := range st.Overridden(x.kind, edit.Edit()) {
		if !kept[keptValue{edit.Change().String(), num}] {
			out.Fields = append(out.Fields, x.kind.FieldNumber(num).Name)
		}
	}
	out.Where.OverriddenFields = out.Fields
	for _, sh := range st.Shown(x.kind) {
		if len(out.Fields) > 0 && sh.Field.Name == out.Fields[0] {
			out.ByBranch, out.ByAt = string(sh.Entry.Stamp.Branch), sh.Entry.Stamp.At.UnixMilli()
		}
	}
	if l := r.lifeOf(at.inc); l != nil {
		// Another change may stand under the number by now.
		c, err := oplog.One(r.ctx, r.tx, l, r.branch, edit.Change().Seq)
		if err == nil && !c.Erased() && c.Record == x.id {
			b, err := c.Body()
			if err != nil {
				return nil, err
			}
			if oplog.StampOf(c, b).Edit() == edit.Edit() {
				out.Actor = b.GetActor()
			}
		} else if err != nil && !errors.Is(err, schema.ErrNotFound) {
			return nil, err
		}
	}
	return out, nil
}

// KeepAsIs notes that what an own edit lost in a field may stay so: it is not told
// of any more, whatever else comes to be shown there. It is for this branch alone,
// and no edit: the value can still be restored. ErrNotFound when the record is not
// held here, or the edit lost nothing in that field.
func (s *Store) KeepAsIs(ctx context.Context, id schema.RecordID, field *schema.FieldInfo, change schema.ChangeID) error {
	return s.write(ctx, func(w *writer) error {
		r, err := w.find(id)
		if err != nil {
			return err
		}
		if r == nil {
			return fmt.Errorf("store: record %s is not held here: %w", id, schema.ErrNotFound)
		}
		_, _, lost, err := readState(r.kind, r.shown, w.m.id.Branch)
		if err != nil {
			return fmt.Errorf("store: record %s: %w", id, err)
		}
		found := false
		for _, x := range lost {
			if x.Field != field.Number || x.Stamp.Change() != change {
				continue
			}
			found = true
			if _, err := w.exec("INSERT OR IGNORE INTO lost_kept (n, inc, seq, at, field) VALUES ($1, $2, $3, $4, $5)",
				r.n, int64(x.Stamp.Inc), int64(x.Stamp.Seq), int64(x.Stamp.At), x.Field); err != nil {
				return fmt.Errorf("store: keep as it is: %w", err)
			}
		}
		if !found {
			return fmt.Errorf("store: %s lost nothing in %s of %s: %w", change, field.Name, id, schema.ErrNotFound)
		}
		w.event.record(id)
		return w.setLost(r.n, lost)
	})
}

// keptValue is a value that lost and may stay so: of a change, in a field.
type keptValue struct {
	change string
	field  int32
}

func (r *reader) keptOf(n int64) (map[keptValue]bool, error) {
	rows, err := r.tx.QueryContext(r.ctx, "SELECT inc, seq, at, field FROM lost_kept WHERE n = $1", n)
	if err != nil {
		return nil, fmt.Errorf("store: kept as it is: %w", err)
	}
	defer rows.Close() // its error comes with rows.Err
	out := map[keptValue]bool{}
	for rows.Next() {
		var inc, seq, at int64
		var field int32
		if err := rows.Scan(&inc, &seq, &at, &field); err != nil {
			return nil, fmt.Errorf("store: kept as it is: %w", err)
		}
		s := schema.Stamp{At: schema.Tick(at), Branch: r.branch, Inc: schema.Incarnation(inc), Seq: schema.Seq(seq)}
		out[keptValue{s.Change().String(), field}] = true
	}
	return out, rows.Err()
}

// markKept says of each value of x that lost whether it may stay so.
func (r *reader) markKept(out *branchlinev1.Record, x *row) error {
	lost, err := r.losers()
	if err != nil || !lost[x.n] {
		return err
	}
	kept, err := r.keptOf(x.n)
	if err != nil || len(kept) == 0 {
		return err
	}
	name := schema.ResourceName(x.kind.Kind, x.id)
	for _, src := range out.GetSources() {
		for _, l := range src.GetLost() {
			if f := x.kind.Field(src.GetField()); f != nil && (l.GetRecord() == "" || l.GetRecord() == name) {
				l.Kept = l.Kept || kept[keptValue{l.GetChange(), f.Number}]
			}
		}
	}
	return nil
}
