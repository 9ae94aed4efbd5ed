package link

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// maxRounds bounds the questions HQ may ask back in one hello.
const maxRounds = 12

// helloState is what a hello carries from one round to the next.
type helloState struct {
	at     time.Time // when to say it again; zero: not waiting
	tries  int       // failures in a row
	rounds int
	number uint64 // of the last one said
	hashes []*wirev1.Mark
	want   [][]byte // ids of ledger entries HQ asked for
	lives  []*wirev1.Life
	// whole are the former lives of which HQ has more than this machine, with where they end here.
	whole  map[schema.Incarnation]schema.Seq
	opened time.Time // when the last one ended in Open
}

// anew forgets what HQ asked back.
func (h *helloState) anew() { h.rounds, h.hashes, h.want = 0, nil, nil }

// again plans the next hello after a failure.
func (h *helloState) again(c *Core) {
	h.at = c.now.Add(c.pause(h.tries))
	h.tries++
}

// greet begins a hello from any phase of a standing link. A hello that follows
// close on one that ended well waits, or a fault that both sides see otherwise
// would spin.
func (c *Core) greet(ctx context.Context, why string) {
	if c.phase == Greeting {
		return
	}
	c.log.Info("hello", "why", why)
	h := &c.hello
	if !h.opened.IsZero() && c.now.Sub(h.opened) > 10*time.Second {
		h.tries = 0
	}
	c.leave(Greeting)
	h.anew()
	if h.tries == 0 {
		h.tries++
		c.sayHello(ctx)
		return
	}
	h.again(c)
}

func (c *Core) sayHello(ctx context.Context) {
	c.phase = Greeting
	req, err := c.helloRequest(ctx)
	if err != nil {
		c.trouble("hello", err)
		return
	}
	if len(req.GetLives()) == 0 {
		c.shut("this branch is not enrolled")
		return
	}
	b, err := proto.Marshal(req)
	if err != nil {
		c.trouble("hello", err)
		return
	}
	c.status.Hellos++
	c.ask(ctx, "hello", b, func(ctx context.Context, b []byte, err error) {
		if err != nil {
			c.status.Reason = err.Error()
			c.hello.again(c)
			return
		}
		r := new(wirev1.HelloReply)
		if err := proto.Unmarshal(b, r); err != nil {
			c.trouble("answer to hello", err)
			return
		}
		c.greeted(ctx, r)
	})
}

func (c *Core) helloRequest(ctx context.Context) (*wirev1.HelloRequest, error) {
	s := c.cfg.Store
	lives, err := s.Lives(ctx)
	if err != nil {
		return nil, err
	}
	c.hello.lives = lives
	nonce, err := s.Nonce(ctx)
	if err != nil {
		return nil, err
	}
	receipts, err := s.Receipts(ctx)
	if err != nil {
		return nil, err
	}
	cursors, err := s.Cursors(ctx)
	if err != nil {
		return nil, err
	}
	line, err := s.EpochLine(ctx)
	if err != nil {
		return nil, err
	}
	ledger, err := s.Ledger(ctx)
	if err != nil {
		return nil, err
	}
	c.hello.number++
	req := &wirev1.HelloRequest{
		Branch: string(c.cfg.Branch), Boot: c.cfg.Boot, Number: c.hello.number, Lives: lives, Receipts: receipts, Cursors: cursors, EpochLine: line,
		SchemaMin: c.cfg.SchemaMin, SchemaMax: c.cfg.SchemaMax, Clock: c.now.UnixMilli(), Nonce: nonce,
		Hashes: c.hello.hashes, Version: c.cfg.Version,
	}
	if c.cfg.FreeDisk != nil {
		req.FreeDisk = c.cfg.FreeDisk()
	}
	for _, e := range ledger {
		req.LedgerIds = append(req.LedgerIds, e.GetId())
		if slices.ContainsFunc(c.hello.want, func(id []byte) bool { return bytes.Equal(id, e.GetId()) }) {
			b, err := proto.Marshal(e)
			if err != nil {
				return nil, fmt.Errorf("ledger entry: %w", err)
			}
			req.Ledger = append(req.Ledger, b)
		}
	}
	req.LedgerDigest = LedgerDigest(req.GetLedgerIds())
	return req, nil
}

// LedgerDigest is the digest of a set of ledger ids, whatever their order.
func LedgerDigest(ids [][]byte) []byte {
	sorted := slices.Clone(ids)
	slices.SortFunc(sorted, bytes.Compare)
	h := sha256.New()
	for _, id := range sorted {
		h.Write([]byte{byte(len(id))})
		h.Write(id)
	}
	return h.Sum(nil)
}

// greeted goes through HQ's answer in the order of the questions.
func (c *Core) greeted(ctx context.Context, r *wirev1.HelloReply) {
	if err := c.takeLedger(ctx, r.GetLedger()); err != nil {
		c.trouble("ledger", err)
		return
	}
	if len(r.GetAsk()) > 0 || len(r.GetLedgerWant()) > 0 {
		c.anotherRound(ctx, r)
		return
	}
	s := &c.status
	s.Gate, s.Line, s.Reason, s.Warnings = r.GetGate(), r.GetLine(), r.GetReason(), r.GetWarnings()
	s.Resume = wirev1.Resume_RESUME_UNSPECIFIED
	c.clockSeen(r.GetClock())
	c.epoch = schema.EpochID(r.GetEpoch())
	c.send.form = min(schema.PackForm, max(1, int(r.GetPackForm())))
	switch r.GetGate() {
	case wirev1.Gate_OPEN:
	case wirev1.Gate_SALVAGE:
		if err := c.openLives(ctx, r); err != nil {
			c.trouble("hello", err)
			return
		}
		c.entered(Salvage)
		c.pump(ctx)
		return
	default:
		c.shut(r.GetReason())
		return
	}
	if line := r.GetEpochLine(); len(line) > 0 && schema.OpenWord(line, new(wirev1.EpochLine), c.cfg.VerifyHQ) != nil {
		// Nothing it says can be believed, so that nothing may flow.
		s.Line = wirev1.Line_FALSE_ACK
		c.shut("headquarters signs with another key than the one this branch was enrolled with")
		return
	}
	if l := r.GetLine(); l != wirev1.Line_SAME && l != wirev1.Line_RESTORED {
		c.shut(r.GetReason())
		return
	}
	if err := c.keepSite(ctx, r); err != nil {
		c.trouble("hello", err)
		return
	}
	cur := c.verdictOf(r, c.hello.lives[0].GetIncarnation())
	s.Resume = cur.GetResume()
	switch cur.GetResume() {
	case wirev1.Resume_CONTINUE:
	case wirev1.Resume_FORKED, wirev1.Resume_ADOPT, wirev1.Resume_REBUILD:
		s.Reason = cur.GetReason()
		c.beginTake(ctx, cur, r)
		return
	default:
		c.shut(cur.GetReason())
		return
	}
	if again, err := c.rejoin(ctx, r); err != nil {
		c.trouble("re-issue", err)
		return
	} else if again {
		c.phase, c.hello.tries = Taking, 0
		c.greet(ctx, "a former incarnation's changes were re-issued")
		return
	}
	if err := c.openLives(ctx, r); err != nil {
		c.trouble("hello", err)
		return
	}
	if err := c.openFeed(ctx, r); err != nil {
		c.trouble("hello", err)
		return
	}
	c.entered(Open)
	c.pump(ctx)
	c.pull(ctx)
}

func (c *Core) entered(p Phase) {
	c.phase, c.status.Shut = p, false
	c.hello.opened = c.now
	c.beat.poked = time.Time{}
	c.log.Info("hello answered", "phase", p, "gate", c.status.Gate, "line", c.status.Line, "epoch", c.epoch)
}

// shut waits outside: the branch works on, keeps everything, and asks again.
func (c *Core) shut(why string) {
	if c.phase != Closed || c.status.Reason != why {
		c.log.Warn("kept out by headquarters", "gate", c.status.Gate, "line", c.status.Line, "resume", c.status.Resume, "why", why)
	}
	c.leave(Closed)
	c.status.Reason, c.status.Shut = why, true
	c.hello.anew()
	c.hello.at = c.now.Add(c.lim.Closed/2 + time.Duration(c.cfg.Rand.Int64N(int64(c.lim.Closed))))
}

func (c *Core) takeLedger(ctx context.Context, raw [][]byte) error {
	if len(raw) == 0 {
		return nil
	}
	entries := make([]*wirev1.LedgerEntry, 0, len(raw))
	for _, b := range raw {
		e := new(wirev1.LedgerEntry)
		if err := proto.Unmarshal(b, e); err != nil {
			return fmt.Errorf("entry cannot be read: %w", err)
		}
		entries = append(entries, e)
	}
	return c.cfg.Store.TakeLedger(ctx, entries)
}

func (c *Core) anotherRound(ctx context.Context, r *wirev1.HelloReply) {
	h := &c.hello
	if h.rounds++; h.rounds > maxRounds {
		c.trouble("hello", fmt.Errorf("headquarters asks back for the %d. time", h.rounds))
		return
	}
	h.want = r.GetLedgerWant()
	for _, m := range r.GetAsk() {
		inc, seq := schema.Incarnation(m.GetIncarnation()), schema.Seq(m.GetWatermark())
		chain, ok, err := c.cfg.Store.ChainAt(ctx, inc, seq)
		if err != nil {
			c.trouble("hello", err)
			return
		}
		told := &wirev1.Mark{Branch: string(c.cfg.Branch), Incarnation: m.GetIncarnation(), Watermark: m.GetWatermark()}
		if ok {
			told.Chain = chain[:]
		}
		h.hashes = append(h.hashes, told)
	}
	c.sayHello(ctx)
}

func (c *Core) verdictOf(r *wirev1.HelloReply, inc int64) *wirev1.LifeVerdict {
	for _, v := range r.GetLives() {
		if v.GetIncarnation() == inc {
			return v
		}
	}
	return &wirev1.LifeVerdict{Incarnation: inc, Resume: wirev1.Resume_REFUSE, Reason: "headquarters said nothing of incarnation " + schema.Incarnation(inc).String()}
}

// keepSite stores what HQ said of itself and of the branch.
func (c *Core) keepSite(ctx context.Context, r *wirev1.HelloReply) error {
	if line := r.GetEpochLine(); len(line) > 0 {
		if err := schema.OpenWord(line, new(wirev1.EpochLine), c.cfg.VerifyHQ); err != nil {
			return err
		}
		// Before any page of the epoch: a cursor's epoch is always in the line the branch holds.
		if err := c.cfg.Store.SaveEpochLine(ctx, line); err != nil {
			return err
		}
	}
	return c.cfg.Store.SaveSite(ctx, Site{
		Entity: schema.EntityID(r.GetEntity()), HQKey: r.GetHqKey(), IDKey: r.GetIdKey(),
		Epoch: schema.EpochID(r.GetEpoch()), HQRev: schema.Rev(r.GetRev()),
	})
}

// rejoin re-issues what HQ has lost of a former life, or has otherwise: changes
// that were taken back when the branch left it are nowhere else.
func (c *Core) rejoin(ctx context.Context, r *wirev1.HelloReply) (did bool, err error) {
	for _, l := range c.hello.lives[1:] {
		v := c.verdictOf(r, l.GetIncarnation())
		rebuild := v.GetResume() == wirev1.Resume_REBUILD
		if !rebuild && (v.GetResume() != wirev1.Resume_FORKED || v.GetFrom() >= l.GetLastSeq()) {
			continue
		}
		c.log.Warn("changes of a former incarnation go again", "incarnation", schema.Incarnation(l.GetIncarnation()), "from", v.GetFrom(), "why", v.GetReason())
		if err := c.cfg.Store.Fork(ctx, Fork{
			Old: schema.Incarnation(l.GetIncarnation()), From: schema.Seq(v.GetFrom()), New: schema.Incarnation(c.hello.lives[0].GetIncarnation()),
			Rebuild: rebuild,
		}); err != nil {
			return did, err
		}
		did = true
	}
	return did, nil
}

// openLives starts the sender at HQ's verdicts: former incarnations first, in the order the store keeps them.
func (c *Core) openLives(ctx context.Context, r *wirev1.HelloReply) error {
	c.send.stop()
	c.hello.whole = map[schema.Incarnation]schema.Seq{}
	for i, l := range c.hello.lives {
		v := c.verdictOf(r, l.GetIncarnation())
		former := l.GetFormer() || i > 0
		if v.GetResume() != wirev1.Resume_CONTINUE {
			if former {
				c.log.Warn("former incarnation not wanted", "incarnation", schema.Incarnation(l.GetIncarnation()), "why", v.GetReason())
			}
			continue
		}
		if former && v.GetFrom()-1 > l.GetLastSeq() {
			// HQ has all of it and more than this machine knows: there is nothing to send,
			// and no receipt for it could be checked.
			c.hello.whole[schema.Incarnation(l.GetIncarnation())] = schema.Seq(l.GetLastSeq())
			continue
		}
		c.send.open(schema.Incarnation(l.GetIncarnation()), former, schema.Seq(l.GetLastSeq()), schema.Seq(max(v.GetFrom()-1, 0)))
	}
	for _, b := range r.GetReceipts() {
		w, err := c.readReceipt(ctx, b)
		if errors.Is(err, errNotOurs) {
			continue // of an incarnation that is being left: what it says is in the verdict
		}
		if err != nil {
			return err
		}
		if err := c.cfg.Store.Receive(ctx, w, b); err != nil {
			return err
		}
	}
	return nil
}

// openFeed sets the puller where HQ says the feed goes on.
func (c *Core) openFeed(ctx context.Context, r *wirev1.HelloReply) error {
	s := c.cfg.Store
	under, err := s.FullPass(ctx)
	if err != nil {
		return err
	}
	at := r.GetCursor()
	if r.GetFullPass() || at == nil {
		at, under = &wirev1.Cursor{Epoch: r.GetEpoch()}, true
		if err := s.BeginFullPass(ctx); err != nil {
			return err
		}
		if err := s.SetCursor(ctx, at); err != nil {
			return err
		}
	}
	c.feed.open(schema.EpochID(at.GetEpoch()), schema.Rev(at.GetRev()), under, schema.Rev(r.GetRev()))
	return nil
}
