package store

import (
	"fmt"

	"branchline/schema"
	"branchline/sync/oplog"
)

// A record that HQ refused to have made, or whose making was discarded there, is
// nobody's but its author's: nothing else would be left of it. It stays on the page
// as it was saved, with the outcome beside it, and is no part of what is compared
// with HQ. The next edit of it offers all of it to HQ again.
//
// In table pending such a change is held = 2; 1 is for what HQ may still apply.

// keepRefused keeps a change shown that HQ will not apply.
func (w *writer) keepRefused(change int64) error {
	if _, err := w.exec("UPDATE pending SET held = 2 WHERE id = $1", change); err != nil {
		return fmt.Errorf("refused: %w", err)
	}
	return nil
}

// refusedOf are the refused changes that a record consists of; none for one that HQ has.
func (w *writer) refusedOf(r *row) ([]int64, error) {
	if r.base == nil || len(r.base) > 0 {
		return nil, nil
	}
	return w.ints("SELECT id FROM pending WHERE n = $1 AND held = 2", r.n)
}

// offered shows a record by the change that offers it again, in place of those refused.
func (w *writer) offered(r *row, refused []int64) error {
	for _, id := range refused {
		no, seq := oplog.SplitRowID(id)
		if l := w.m.lifeNo(no); l != nil { // it is dealt with
			if _, err := w.exec("UPDATE outcome SET settled = 1 WHERE inc = $1 AND seq = $2", int64(l.Inc), int64(seq)); err != nil {
				return fmt.Errorf("store: offer %s again: %w", r.id, err)
			}
		}
		if _, err := w.exec("DELETE FROM pending WHERE id = $1", id); err != nil {
			return fmt.Errorf("store: offer %s again: %w", r.id, err)
		}
	}
	r.base = []byte{}
	if err := w.refoldRow(r); err != nil {
		return fmt.Errorf("store: offer %s again: %w", schema.ResourceName(r.kind.Kind, r.id), err)
	}
	return nil
}
