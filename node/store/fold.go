package store

import (
	"context"
	"errors"
	"fmt"

	"branchline/schema"
	"branchline/sync/oplog"
)

// foldApplied works own changes at or below the page's marks into their bases:
// no outcome holds them, so they stand applied as written (DESIGN §4).
func (a *page) foldApplied() error {
	for _, l := range a.m.lives {
		mark, told := a.marks[l.No]
		if !told {
			continue
		}
		mark = min(mark, l.Seq)
		from, to := oplog.RowID(l.No, 0), oplog.RowID(l.No, mark)
		// Records of which something stays pending are folded one by one; for all others, the mass of
		// them after a long time offline, what is shown is the base from now on.
		ns, err := a.ints(`SELECT DISTINCT n FROM pending p WHERE id > $1 AND id <= $2 AND held = 0
			AND EXISTS (SELECT 1 FROM pending q WHERE q.n = p.n AND (q.id <= $1 OR q.id > $2 OR q.held <> 0))`, from, to)
		if err != nil {
			return err
		}
		for _, n := range ns {
			if err := a.foldRecord(n); err != nil {
				return err
			}
		}
		if _, err := a.exec("DELETE FROM pending WHERE id > $1 AND id <= $2 AND held = 0", from, to); err != nil {
			return fmt.Errorf("fold: %w", err)
		}
		if _, err := a.exec(`DELETE FROM sealed WHERE id > $1 AND id <= $2 AND NOT EXISTS
			(SELECT 1 FROM outcome o WHERE o.inc = $3 AND o.seq = sealed.id & 1099511627775 AND o.kind IN (5, 6, 7))`, from, to, int64(l.Inc)); err != nil {
			return fmt.Errorf("sealed: %w", err)
		}
		if mark > l.Folded {
			l.Folded = mark
			if _, err := a.exec("UPDATE life SET folded = $1 WHERE no = $2", int64(mark), int64(l.No)); err != nil {
				return err
			}
		}
	}
	return nil
}

// foldRecord works the applied ones of a record's pending changes into its base.
func (a *page) foldRecord(n int64) error {
	r, err := a.rowAt(n)
	if err != nil {
		return err
	}
	pending, err := a.pendingOf(n)
	if err != nil {
		return err
	}
	var in, left []pendingRow
	for _, p := range pending {
		no, seq := oplog.SplitRowID(p.id)
		if seq <= a.marks[no] && !p.held {
			in = append(in, p)
		} else {
			left = append(left, p)
		}
	}
	if len(left) == 0 { // nothing stays pending: the base is what is shown
		_, err := a.exec("DELETE FROM pending WHERE n = $1", n)
		return err
	}
	for _, p := range in {
		if _, err := a.exec("DELETE FROM pending WHERE id = $1", p.id); err != nil {
			return err
		}
	}
	base, err := a.fold(r.base, in)
	if err != nil {
		return err
	}
	return a.setBase(r, base, left)
}

// refold shows a record anew after its base or its pending changes moved. A
// record with neither is no record.
func (w *writer) refold(n int64) error {
	r, err := w.rowAt(n)
	if err != nil {
		return err
	}
	return w.refoldRow(r)
}

func (w *writer) rowAt(n int64) (*row, error) {
	r, err := scanRow(w.tx.QueryRowContext(w.ctx, "SELECT "+rowColumns+" FROM record WHERE n = $1", n))
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", n, err)
	}
	return r, nil
}

func (w *writer) refoldRow(r *row) error {
	base := r.base
	if base == nil {
		base = r.shown
	}
	pending, err := w.pendingOf(r.n)
	if err != nil {
		return err
	}
	if len(pending) == 0 && len(base) == 0 {
		return w.deleteRow(r)
	}
	if r.shown, err = w.fold(base, pending); err != nil {
		return err
	}
	r.base = base
	if len(pending) == 0 {
		r.base = nil
	}
	return w.updateRow(r)
}

// setBase shows base with what is left of the pending changes.
func (w *writer) setBase(r *row, base []byte, left []pendingRow) error {
	var err error
	r.base, r.shown = nil, base
	if len(left) > 0 {
		r.base = base
		if base == nil {
			r.base = []byte{}
		}
		if r.shown, err = w.fold(base, left); err != nil {
			return err
		}
	}
	return w.updateRow(r)
}

// pendAgain makes the changes above mark pending that were folded in.
func (w *writer) pendAgain(l *oplog.Life, mark schema.Seq) error {
	from, to := oplog.RowID(l.No, mark), oplog.RowID(l.No, l.Folded)
	for _, q := range []string{
		"UPDATE record SET base = shown WHERE id IN (SELECT c.record FROM change c WHERE c.id > $1 AND c.id <= $2 AND c.payload IS NOT NULL) AND NOT EXISTS (SELECT 1 FROM pending p WHERE p.n = record.n)",
		"INSERT OR IGNORE INTO pending (id, n) SELECT c.id, r.n FROM change c JOIN record r ON r.id = c.record WHERE c.id > $1 AND c.id <= $2 AND c.payload IS NOT NULL",
		"INSERT OR IGNORE INTO sealed (id, record) SELECT c.id, c.record FROM change c WHERE c.id > $1 AND c.id <= $2 AND c.payload IS NOT NULL AND NOT EXISTS (SELECT 1 FROM record r WHERE r.id = c.record)",
	} {
		if _, err := w.exec(q, from, to); err != nil {
			return fmt.Errorf("pend again: %w", err)
		}
	}
	l.Folded = mark
	_, err := w.exec("UPDATE life SET folded = $1 WHERE no = $2", int64(mark), int64(l.No))
	return err
}

// sweep ends a full pass: what it has not shown is gone, but for pending changes.
func (a *page) sweep() error {
	if !a.m.full {
		return nil
	}
	if a.m.held == nil { // else nothing was here when the pass began
		if err := a.sweepRecords(); err != nil {
			return err
		}
	}
	if _, err := a.exec("DELETE FROM member WHERE pass < $1", a.m.pass); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	a.m.full, a.m.held = false, nil
	return a.metaSetInt(metaFull, 0)
}

func (a *page) sweepRecords() error {
	for {
		rs, err := a.tx.QueryContext(a.ctx, "SELECT "+rowColumns+" FROM record WHERE pass < $1 AND NOT EXISTS (SELECT 1 FROM pending p WHERE p.n = record.n) LIMIT 500", a.m.pass)
		if err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		var gone []*row
		for rs.Next() {
			r, err := scanRow(rs)
			if err != nil {
				return errors.Join(err, rs.Close())
			}
			gone = append(gone, r)
		}
		if err := errors.Join(rs.Err(), rs.Close()); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		if len(gone) == 0 {
			break
		}
		for _, r := range gone {
			if err := a.deleteRow(r); err != nil {
				return err
			}
		}
	}
	// Of a record that HQ does not have, only what is pending here is left: others'
	// values in it went with an HQ that was lost, or come again with their makers.
	ns, err := a.ints("SELECT n FROM record WHERE pass < $1 AND length(base) > 0", a.m.pass)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	for _, n := range ns {
		r, err := a.rowAt(n)
		if err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
		r.base, r.epoch, r.rev = []byte{}, 0, 0
		if err := a.refoldRow(r); err != nil {
			return fmt.Errorf("sweep: %w", err)
		}
	}
	return nil
}

// BeginFullPass implements link.BranchStore.
func (s *Store) BeginFullPass(ctx context.Context) error {
	return s.write(ctx, func(w *writer) error {
		w.touched = true
		w.m.pass++
		w.m.full = true
		w.m.held = nil
		if w.m.nextN == 1 { // no record has had a number
			w.m.held = map[schema.RecordID]struct{}{}
		}
		return errors.Join(w.metaSetInt(metaPass, w.m.pass), w.metaSetInt(metaFull, 1))
	})
}

// FullPass implements link.BranchStore.
func (s *Store) FullPass(ctx context.Context) (bool, error) {
	n, err := metaInt(ctx, s.db.R, metaFull)
	return n != 0, err
}
