package link

import (
	"bytes"
	"context"
	"crypto/sha256"
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
	// marks are those of the page that ended at the cursor, as they came, and pushed the pokes with pages that came
	// while another page was under way.
	marks  []*wirev1.Mark
	pushed []*wirev1.Poke
	// HQ's rev as pages, receipts and answers to heartbeats last named it. Each road keeps
	// its order, the three together do not.
	hqRev, ackRev, beatRev schema.Rev
}

func (p *puller) open(epoch schema.EpochID, cursor schema.Rev, fullPass bool, hqRev schema.Rev) {
	*p = puller{on: true, epoch: epoch, cursor: cursor, fullPass: fullPass, owed: true, hqRev: hqRev, foldMark: -1}
}

func (p *puller) stop() { p.on, p.under, p.at, p.marks, p.pushed = false, false, time.Time{}, nil, nil }

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
	f := &c.feed
	f.wanted = max(f.wanted, schema.Rev(p.GetRev()))
	if len(p.GetPage()) > 0 && len(p.GetBoot()) > 0 && bytes.HasPrefix(c.cfg.Boot, p.GetBoot()) && len(f.pushed) < maxPushed {
		f.pushed = append(f.pushed, p)
	}
	c.goOn(ctx)
}

// maxPushed is how many pages in pokes wait for one that is under way.
const maxPushed = 16

// goOn applies what came in pokes and begins where the cursor is, and pulls what does not.
func (c *Core) goOn(ctx context.Context) {
	p := &c.feed
	for c.phase == Open && p.on && !p.under && len(p.pushed) > 0 {
		next := p.pushed[0]
		p.pushed = p.pushed[1:]
		if p.fullPass || p.epoch != c.epoch || schema.Rev(next.GetFrom()) != p.cursor {
			continue
		}
		if err := c.push(ctx, next); err != nil {
			c.log.Warn("a page in a poke does not count", "err", err)
		}
	}
	if c.phase == Open && (p.wanted > p.cursor || p.owed) {
		c.pull(ctx)
	}
}

// push applies the page of a poke that begins at the cursor. An error says why it does not count: it is pulled then.
func (c *Core) push(ctx context.Context, poke *wirev1.Poke) error {
	p := &c.feed
	pg, err := DecodePage(c.cfg.Codec, poke.GetPage())
	if err != nil {
		return err
	}
	pg.Epoch = poke.GetEpoch() // it is not said twice
	switch {
	case !pg.GetFull() || pg.GetLastRev() != pg.GetHqRev() || pg.GetHello():
		return schema.Invalid("page", "is not full")
	case schema.Rev(pg.GetHqRev()) < max(p.hqRev, p.cursor):
		return schema.Invalid("page", "is older than what is here")
	case len(pg.GetMarksSum()) > 0:
		if !bytes.Equal(pg.GetMarksSum(), MarksSum(p.marks)) {
			return schema.Invalid("page", "refers to marks that are not here")
		}
		pg.Marks = p.marks
	}
	c.status.Pushed++
	c.apply(ctx, p.cursor, pg)
	return nil
}

// MarksSum stands for a page's marks on the page behind it, when they are the same.
func MarksSum(marks []*wirev1.Mark) []byte {
	h := sha256.New()
	for _, m := range marks {
		fmt.Fprintf(h, "%s %d %d %x\n", m.GetBranch(), m.GetIncarnation(), m.GetWatermark(), m.GetChain())
	}
	return h.Sum(nil)[:8]
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
		Epoch: int64(p.epoch), Rev: int64(from), MaxBytes: int32(c.lim.PageBytes), Full: p.fullPass, Boot: c.cfg.Boot, Applied: int64(p.cursor), Push: true, Form: PageForm,
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

// PageForm is the newest form of pages; a branch says with each pull which it reads.
const PageForm = 2

// smallPage is up to where a page is compressed with the dictionary.
const smallPage = 4 << 10

// EncodePage is a page as a pull is answered: 'z' and zstd, 'r' and the bare message when it is small, or from form 2
// on 'd' and zstd with the dictionary.
func EncodePage(z *schema.PackCodec, p *wirev1.Page, form int) ([]byte, error) {
	raw, err := proto.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("link: encode page: %w", err)
	}
	if form >= 2 && len(raw) <= smallPage {
		b, err := z.CompressSmall(append(make([]byte, 0, 64+len(raw)), 'd'), raw)
		if err != nil {
			return nil, fmt.Errorf("link: encode page: %w", err)
		}
		return b, nil
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
	case 'z', 'd':
		expand := z.Expand
		if b[0] == 'd' {
			expand = z.ExpandSmall
		}
		var err error
		if raw, err = expand(raw); err != nil {
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

// page is the answer to a pull.
func (c *Core) page(ctx context.Context, from schema.Rev, b []byte) {
	pg, err := DecodePage(c.cfg.Codec, b)
	if err != nil {
		c.trouble("page", err)
		return
	}
	c.apply(ctx, from, pg)
	c.goOn(ctx)
}

// apply checks a page that begins at from like a receipt, and applies it.
func (c *Core) apply(ctx context.Context, from schema.Rev, pg *wirev1.Page) {
	p := &c.feed
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
	told := pg.GetMarks()
	marks := make([]*wirev1.Mark, 0, len(told))
	for _, m := range told {
		inc := schema.Incarnation(m.GetIncarnation())
		if !c.keeps(m.GetIncarnation()) {
			continue // of a life whose database is gone
		}
		if last, ok := c.hello.whole[inc]; ok && schema.Seq(m.GetWatermark()) >= last {
			// Compared at the hello.
			marks = append(marks, &wirev1.Mark{Branch: m.GetBranch(), Incarnation: m.GetIncarnation(), Watermark: int64(last), Chain: m.GetChain()})
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
	p.cursor, p.epoch, p.fails, p.marks = next, schema.EpochID(pg.GetEpoch()), 0, told
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
