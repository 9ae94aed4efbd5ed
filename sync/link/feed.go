package link

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// puller is what comes down: the feed, page by page, strictly by rev. The next
// page is asked for while one is being applied.
type puller struct {
	on       bool
	epoch    schema.EpochID
	cursor   schema.Rev // stored
	asked    schema.Rev // from where the page under way was asked
	under    bool
	fullPass bool
	full     bool // the last page was all there was
	// owed: there is something to pull for. wanted is the highest rev a poke named.
	owed   bool
	wanted schema.Rev
	at     time.Time // when to pull though nobody pokes; zero: not planned
	fails  int
	// foldMark is the current incarnation's watermark at the last full page.
	foldMark schema.Seq
	lastFull time.Time
	// HQ's rev as pages, receipts and answers to heartbeats last named it. Each road keeps
	// its order, the three together do not.
	hqRev, ackRev, beatRev schema.Rev
}

func (p *puller) open(epoch schema.EpochID, cursor schema.Rev, fullPass bool, hqRev schema.Rev) {
	*p = puller{on: true, epoch: epoch, cursor: cursor, fullPass: fullPass, owed: true, hqRev: hqRev, foldMark: -1}
}

func (p *puller) stop() { p.on, p.under, p.at = false, false, time.Time{} }

// wentBack tells whether HQ's rev fell within one epoch, as one road tells it.
func (p *puller) wentBack(last *schema.Rev, rev schema.Rev) bool {
	if rev < *last {
		return true
	}
	*last = rev
	return false
}

// How soon own changes that became HQ's are folded in by a pull: while more of
// them go up it can wait, since folding takes the time sending needs.
const (
	foldSoon = 500 * time.Millisecond
	foldBusy = 5 * time.Second
)

// owe plans a pull soon: own changes became HQ's, and only a full page folds them in.
func (c *Core) owe(l *life) {
	p := &c.feed
	if p.owed {
		return
	}
	at := c.now.Add(foldSoon)
	if c.send.more || l.mark < l.sent {
		at = c.now.Add(foldBusy)
	}
	if p.at.IsZero() || at.Before(p.at) {
		p.at = at
	}
}

// OnPoke is HQ's word on poke.<branch>.
func (c *Core) OnPoke(ctx context.Context, now time.Time, b []byte) {
	c.now = now
	p := new(wirev1.Poke)
	if err := proto.Unmarshal(b, p); err != nil {
		c.log.Warn("a poke cannot be read", "err", err)
		return
	}
	c.beat.heard = now
	if p.GetBeat() > 0 {
		c.beat.poked, c.beat.poke = now, p.GetBeat()
	}
	if p.GetProbe() {
		c.sayBeat(ctx)
	}
	if c.phase != Open {
		return
	}
	if e := schema.EpochID(p.GetEpoch()); e != 0 && e != c.epoch {
		c.greet(ctx, "headquarters runs in another epoch")
		return
	}
	c.feed.wanted = max(c.feed.wanted, schema.Rev(p.GetRev()))
	if c.feed.wanted > c.feed.cursor {
		c.pull(ctx)
	}
}

// Refetch begins a pass from zero: what it has not shown by its end is swept. Unsent changes stay.
func (c *Core) Refetch(ctx context.Context, now time.Time) error {
	c.now = now
	if err := c.cfg.Store.BeginFullPass(ctx); err != nil {
		return fmt.Errorf("link: refetch: %w", err)
	}
	if err := c.cfg.Store.SetCursor(ctx, &wirev1.Cursor{Epoch: int64(c.epoch)}); err != nil {
		return fmt.Errorf("link: refetch: %w", err)
	}
	if c.phase == Open {
		c.feed.open(c.epoch, 0, true, c.feed.hqRev)
		c.pull(ctx)
	}
	return nil
}

// pull asks for the next page, unless one is under way.
func (c *Core) pull(ctx context.Context) {
	p := &c.feed
	if !c.up || c.phase != Open || !p.on || p.under {
		return
	}
	p.owed, p.at = false, time.Time{}
	c.askPage(ctx, p.cursor)
}

func (c *Core) askPage(ctx context.Context, from schema.Rev) {
	p := &c.feed
	b, err := proto.Marshal(&wirev1.PullRequest{
		Epoch: int64(p.epoch), Rev: int64(from), MaxBytes: int32(c.lim.PageBytes), Full: p.fullPass, Boot: c.cfg.Boot, Applied: int64(p.cursor),
	})
	if err != nil {
		c.trouble("pull", err)
		return
	}
	p.under, p.asked = true, from
	c.ask(ctx, "pull", b, func(ctx context.Context, b []byte, err error) {
		if !p.on {
			return
		}
		p.under = false
		if err != nil {
			// HQ may hold the feed back for a while (a restore being looked into): ask again.
			p.at = c.now.Add(c.pause(p.fails + 2))
			p.fails++
			c.status.FeedReason = err.Error()
			return
		}
		c.page(ctx, from, b)
	})
}

// EncodePage is a page as a pull is answered: 'z' and zstd, or 'r' and the bare message when it is small.
func EncodePage(z *schema.PackCodec, p *wirev1.Page) ([]byte, error) {
	raw, err := proto.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("link: encode page: %w", err)
	}
	if len(raw) < 128 {
		return append([]byte{'r'}, raw...), nil
	}
	return z.Compress(append(make([]byte, 0, 64+len(raw)/3), 'z'), raw), nil
}

// DecodePage reads what EncodePage wrote.
func DecodePage(z *schema.PackCodec, b []byte) (*wirev1.Page, error) {
	if len(b) == 0 {
		return nil, schema.Invalid("page", "is empty")
	}
	raw := b[1:]
	switch b[0] {
	case 'r':
	case 'z':
		var err error
		if raw, err = z.Expand(raw); err != nil {
			return nil, err
		}
	default:
		return nil, schema.Invalid("page", "has unknown form %d", b[0])
	}
	p := new(wirev1.Page)
	if err := proto.Unmarshal(raw, p); err != nil {
		return nil, schema.Invalid("page", "cannot be read: %v", err)
	}
	return p, nil
}

// page checks a page like a receipt and applies it.
func (c *Core) page(ctx context.Context, from schema.Rev, b []byte) {
	p := &c.feed
	pg, err := DecodePage(c.cfg.Codec, b)
	if err != nil {
		c.trouble("page", err)
		return
	}
	switch {
	case pg.GetHello():
		c.greet(ctx, "the feed cannot go on from this cursor")
		return
	case schema.EpochID(pg.GetEpoch()) != c.epoch:
		c.greet(ctx, "headquarters runs in another epoch")
		return
	case p.wentBack(&p.hqRev, schema.Rev(pg.GetHqRev())), schema.Rev(pg.GetLastRev()) < from:
		c.greet(ctx, "headquarters' rev went back")
		return
	case !pg.GetFull() && schema.Rev(pg.GetLastRev()) == from:
		c.trouble("page", fmt.Errorf("headquarters has more after rev %d and shows none of it", from))
		return
	}
	marks := pg.GetMarks()[:0]
	for _, m := range pg.GetMarks() {
		inc := schema.Incarnation(m.GetIncarnation())
		if !c.keeps(m.GetIncarnation()) {
			continue // of a life whose database is gone
		}
		if last, ok := c.hello.whole[inc]; ok && schema.Seq(m.GetWatermark()) >= last {
			m.Watermark = int64(last) // compared at the hello
			marks = append(marks, m)
			continue
		}
		switch err := c.checkMark(ctx, inc, schema.Seq(m.GetWatermark()), m.GetChain()); {
		case errors.Is(err, errChain) && c.former(inc):
			continue // it went another way at HQ, which a hello would not change: HQ says nothing of what is here
		case errors.Is(err, errChain):
			c.greet(ctx, "a page's mark has another chain hash")
			return
		case err != nil:
			c.trouble("page", err)
			return
		}
		marks = append(marks, m)
	}
	pg.Marks = marks
	next := schema.Rev(pg.GetLastRev())
	if !pg.GetFull() {
		c.askPage(ctx, next)
	}
	if err := c.cfg.Store.ApplyPage(ctx, pg); err != nil {
		c.trouble("apply page", err)
		return
	}
	p.cursor, p.epoch, p.fails = next, schema.EpochID(pg.GetEpoch()), 0
	c.status.FeedReason = ""
	p.full = pg.GetFull()
	if !p.full {
		return
	}
	p.fullPass, p.lastFull = false, c.now
	if l := c.send.current(); l != nil {
		for _, m := range pg.GetMarks() {
			if schema.Incarnation(m.GetIncarnation()) == l.inc {
				p.foldMark = schema.Seq(m.GetWatermark())
			}
		}
		if l.mark > p.foldMark {
			c.owe(l)
		}
	}
	if p.wanted > p.cursor || p.owed {
		c.pull(ctx)
	}
}

// former tells whether the branch writes under another life than inc.
func (c *Core) former(inc schema.Incarnation) bool {
	return len(c.hello.lives) > 0 && c.hello.lives[0].GetIncarnation() != int64(inc)
}

func (c *Core) keeps(inc int64) bool {
	for _, l := range c.hello.lives {
		if l.GetIncarnation() == inc {
			return true
		}
	}
	return false
}
