package feed

import (
	"context"
	"fmt"
	"slices"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/sql"
)

// Beat answers a heartbeat: HQ's clock and rev, the branch's watermarks with
// receipts for them, and when every branch was last heard.
func (f *Feed) Beat(ctx context.Context, code schema.BranchID, req *wirev1.Beat) (*wirev1.BeatReply, error) {
	b := f.st.Branch(code)
	if b == nil || b.Num == store.HQNum {
		return nil, fmt.Errorf("hq/feed: beat: branch %s: %w", code, schema.ErrNotFound)
	}
	now := f.st.Now().UnixMilli()
	out := &wirev1.BeatReply{Number: req.GetNumber(), Clock: now, Epoch: int64(f.st.Epoch())}
	if string(req.GetBoot()) != string(b.Boot) {
		// Another machine than the one whose hello was answered.
		out.Hello, out.Rev = true, int64(f.st.Rev())
		return out, nil
	}
	out.Hello = b.MustHello
	pending, skew := req.GetPending(), req.GetClock()-now
	// A branch that is given pages in pokes says here how far it has stored them.
	has := schema.Rev(0)
	if schema.EpochID(req.GetEpoch()) == f.st.Epoch() && schema.Rev(req.GetRev()) <= f.st.Rev() {
		has = schema.Rev(req.GetRev())
	}
	f.st.Hear(b.Num, func(b *store.Branch) {
		b.Heard, b.Pending = now, pending
		if b.Confirmed != store.PassDue {
			b.Confirmed = max(b.Confirmed, has)
		}
		if req.GetClock() != 0 {
			b.Skew = skew
		}
	})
	ctx = sql.Heartbeat(ctx)
	if err := f.st.Read(ctx, func(r *store.R) (err error) {
		if f.st.Held() != "" {
			// HQ was restored and waits for ledgers: a link that stands says hello only when asked.
			waits, err := f.st.NotCompared(r)
			if err != nil {
				return err
			}
			out.Hello = out.Hello || slices.ContainsFunc(waits, func(x *store.Branch) bool { return x.Num == b.Num })
		}
		out.Marks, err = store.MarksOf(r, b)
		return err
	}); err != nil {
		return nil, fmt.Errorf("hq/feed: beat: %w", err)
	}
	var err error
	if out.Receipts, err = f.receipts(ctx, code); err != nil {
		return nil, fmt.Errorf("hq/feed: beat: %w", err)
	}
	// Last, so that it is not below the rev in any receipt that goes along.
	out.Rev = int64(f.st.Rev())
	for _, x := range f.st.Branches() {
		if x.State == store.Enrolled {
			out.Heard = append(out.Heard, &wirev1.Heard{Branch: string(x.Code), At: x.Heard})
		}
	}
	return out, nil
}
