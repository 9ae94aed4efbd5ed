package feed

import (
	"bytes"
	"context"
	"fmt"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
)

const (
	pushBytes = 16 << 10 // of a page in a poke, before compression
	pushBoot  = 4        // bytes of the boot it is for
	// pushHeard is how lately a branch must have been heard, in ms: whether it is still there nobody else says.
	pushHeard = 10_000
	// tellDelivered is how often pages in pokes say how far others are, in ms.
	tellDelivered = 1000
)

// given is what a branch was given last: a full page. Nobody has said that it arrived.
type given struct {
	boot []byte
	rev  schema.Rev // where it ended
	form int        // of the pages the branch reads
	sum  []byte     // of the page's marks
	told int64      // when a page last said how far others are, unix ms
}

func (f *Feed) give(num int32, g *given) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g == nil {
		delete(f.given, num)
		return
	}
	f.given[num] = *g
}

// Poke is what a branch is told when there is something for it. A branch that has been given all there was finds the
// page itself in it, if that is small: the very page it would be given if it asked. It counts only where it begins
// exactly at the branch's cursor; what becomes of it nobody is told, and a branch that missed it asks.
func (f *Feed) Poke(ctx context.Context, code schema.BranchID, z *schema.PackCodec) (*wirev1.Poke, error) {
	b := f.st.Branch(code)
	if b == nil || b.Num == store.HQNum {
		return nil, fmt.Errorf("hq/feed: poke: branch %s: %w", code, schema.ErrNotFound)
	}
	poke := &wirev1.Poke{Epoch: int64(f.st.Epoch()), Rev: int64(f.st.Rev())}
	f.mu.Lock()
	g, ok := f.given[b.Num]
	f.mu.Unlock()
	now := f.st.Now().UnixMilli()
	if !ok || !b.Open() || !bytes.Equal(b.Boot, g.boot) || b.Confirmed == store.PassDue || now-b.Heard > pushHeard || f.st.Held() != "" {
		return poke, nil
	}
	page := &wirev1.Page{}
	err := f.st.Read(ctx, func(r *store.R) error {
		if _, err := r.Scan("SELECT rev FROM counter WHERE one = 1", nil, &page.HqRev); err != nil {
			return err
		}
		p := &puller{f: f, r: r, b: b, page: page, entity: b.Entity, limit: pushBytes}
		return p.read(g.rev, false)
	})
	if err != nil {
		f.give(b.Num, nil)
		return nil, fmt.Errorf("hq/feed: page for %s: %w", code, err)
	}
	if !page.Full || page.HqRev <= int64(g.rev) {
		return poke, nil
	}
	poke.Rev = max(poke.Rev, page.HqRev)
	poke.From, poke.Boot = int64(g.rev), b.Boot[:min(pushBoot, len(b.Boot))]
	sum := link.MarksSum(page.Marks)
	if bytes.Equal(sum, g.sum) {
		page.Marks, page.MarksSum = nil, sum
	}
	if now-g.told >= tellDelivered {
		page.Deliveries, g.told = f.delivered(code), now
	}
	if poke.Page, err = link.EncodePage(z, page, g.form); err != nil {
		return nil, fmt.Errorf("hq/feed: page for %s: %w", code, err)
	}
	g.rev, g.sum = schema.Rev(page.HqRev), sum
	f.give(b.Num, &g)
	return poke, nil
}
