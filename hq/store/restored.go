package store

import (
	stdsql "database/sql"
	"fmt"

	"branchline/schema"
)

// Held says why nothing may be given out at this moment; "" when all may be.
func (s *Store) Held() string {
	if s.superseded.Load() {
		return "a restored copy of headquarters has taken over"
	}
	if s.held.Load() {
		return "headquarters was restored and waits for the branches' ledgers"
	}
	return ""
}

// Restored notes that HQ was found to have lost something of an epoch: nothing
// is given out until every branch has shown its ledger or a person names those
// not waited for. An epoch is noted once, whoever else still remembers it.
// fresh tells whether it was news.
func (w *W) Restored(lost schema.EpochID, by int32) (fresh bool, err error) {
	res, err := w.Exec("INSERT INTO restored (epoch, found, by_branch) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", int64(lost), w.Clock(), by)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return false, err
	}
	if err := w.Alarm(HQNum, AlarmRestored, "headquarters was put back from an older copy: it waits for the ledgers of all branches"); err != nil {
		return false, err
	}
	return true, w.settleHeld()
}

// Compared notes that a branch's ledger and HQ's are the same set now.
func (w *W) Compared(branch int32) error {
	if _, err := w.Exec("INSERT INTO compared (epoch, branch) SELECT epoch, $1 FROM restored WHERE over = 0 ON CONFLICT DO NOTHING", branch); err != nil {
		return err
	}
	return w.settleHeld()
}

// NotWaitedFor has the giving out go on without a branch's ledger: a person's word.
func (w *W) NotWaitedFor(branch int32) error { return w.Compared(branch) }

// settleHeld ends the waiting when every branch that has a live key was heard.
func (w *W) settleHeld() error {
	var open int
	if _, err := w.Scan("SELECT COUNT(*) FROM restored WHERE over = 0", nil, &open); err != nil {
		return err
	}
	if open == 0 {
		return nil
	}
	for _, b := range w.s.Branches() {
		if b.State != Enrolled {
			continue
		}
		var missing int
		if _, err := w.Scan("SELECT COUNT(*) FROM restored r WHERE r.over = 0 AND NOT EXISTS (SELECT 1 FROM compared c WHERE c.epoch = r.epoch AND c.branch = $1)",
			[]any{b.Num}, &missing); err != nil {
			return err
		}
		if missing > 0 {
			w.After(func() { w.s.held.Store(true) })
			return nil
		}
	}
	if _, err := w.Exec("UPDATE restored SET over = $1 WHERE over = 0", w.Clock()); err != nil {
		return err
	}
	w.After(func() { w.s.held.Store(false) })
	return w.Quiet(HQNum, AlarmRestored)
}

// NotCompared are the branches a restored HQ still waits for.
func (s *Store) NotCompared(r Reader) ([]*Branch, error) {
	var out []*Branch
	err := r.Each(`SELECT b.num FROM branch b WHERE b.state = $1 AND b.num <> $2 AND EXISTS (SELECT 1 FROM restored r WHERE r.over = 0
		AND NOT EXISTS (SELECT 1 FROM compared c WHERE c.epoch = r.epoch AND c.branch = b.num)) ORDER BY b.code`, []any{Enrolled, HQNum}, func(rows *stdsql.Rows) error {
		var num int32
		if err := rows.Scan(&num); err != nil {
			return fmt.Errorf("hq/store: read restored: %w", err)
		}
		out = append(out, s.BranchNum(num))
		return nil
	})
	return out, err
}
