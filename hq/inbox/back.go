package inbox

import (
	"context"
	"fmt"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// receiptLives bounds the receipts in an answer to a heartbeat.
const receiptLives = 4

// Receipts are HQ's signed receipts for a branch's incarnations: the current one,
// and those before it that may still be on their way up after a restore.
func (i *Inbox) Receipts(ctx context.Context, code schema.BranchID) ([][]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	b, err := i.branch(code)
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: receipts: %w", err)
	}
	var lives []*store.Life
	if err := i.st.Read(ctx, func(r *store.R) (err error) {
		lives, err = store.LivesOf(r, b.Num)
		return err
	}); err != nil {
		return nil, fmt.Errorf("hq/inbox: receipts: %w", err)
	}
	var out [][]byte
	for _, l := range lives[max(0, len(lives)-receiptLives):] {
		d := &due{branch: b, inc: l.Inc, hello: b.MustHello}
		raw, err := i.receipt(ctx, d, -1, 64)
		if err != nil {
			return nil, fmt.Errorf("hq/inbox: receipts: %w", err)
		}
		out = append(out, raw)
	}
	return out, nil
}

const (
	takeChanges = 4096
	takeBytes   = 1 << 20
)

// TakeBack gives a branch its changes of a frozen incarnation above a seq.
// schema.ErrForbidden when the incarnation is not the branch's or not frozen.
func (i *Inbox) TakeBack(ctx context.Context, code schema.BranchID, req *wirev1.TakeBackRequest) (*wirev1.TakeBackReply, error) {
	b, err := i.branch(code)
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: take back: %w", err)
	}
	out := &wirev1.TakeBackReply{}
	err = i.st.Read(ctx, func(r *store.R) error {
		inc := schema.Incarnation(req.GetIncarnation())
		l, err := store.LifeOf(r, inc)
		if err != nil {
			return err
		}
		if l == nil || l.Branch != b.Num || l.State != store.LifeFrozen {
			return fmt.Errorf("incarnation %s is not one to take back: %w", inc, schema.ErrForbidden)
		}
		limit := int(req.GetLimit())
		if limit <= 0 || limit > takeChanges {
			limit = takeChanges
		}
		changes, err := i.st.Changes(r, inc, schema.Seq(req.GetAfter()), limit)
		if err != nil {
			return err
		}
		last, size := schema.Seq(req.GetAfter()), 0
		for _, s := range changes {
			if size > takeBytes {
				break
			}
			raw := s.Append(nil)
			size += len(raw)
			out.Changes = append(out.Changes, raw)
			out.Seqs = append(out.Seqs, int64(s.ID.Seq))
			last = s.ID.Seq
		}
		out.More = last < l.Watermark
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: take back: %w", err)
	}
	return out, nil
}
