package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// Config says how a Core is built. All but Version, FreeDisk, Log and Limits are required.
type Config struct {
	Branch    schema.BranchID
	Boot      []byte // one run of the branch's program
	Version   string
	Store     BranchStore
	Transport Transport
	Codec     *schema.PackCodec // used by the Core's goroutine alone
	// Sign signs with the branch's key; VerifyHQ refuses every key but HQ's.
	Sign     func(msg []byte) ([]byte, error)
	VerifyHQ func(key string, msg, sig []byte) error
	// The schema versions this program speaks, both ends included.
	SchemaMin, SchemaMax uint32
	// FreeDisk is the free room of the branch's disk in bytes; nil: not told.
	FreeDisk func() int64
	// Rand spreads retries of many branches. It decides nothing else.
	Rand   *rand.Rand
	Log    *slog.Logger // nil: silent
	Limits Limits
}

// Limits are the sizes and paces of the line; a zero field takes the default.
type Limits struct {
	PackChanges int           // 250: four packs fill one of HQ's transactions
	PackBytes   int           // 256 KiB of payload
	InFlight    int           // packs on their way to the door: 4
	Ahead       int           // packs beyond the watermark: 64
	PageBytes   int           // 768 KiB before compression
	Beat        time.Duration // between heartbeats: 2 s
	Stall       time.Duration // silence after which the link is rebuilt: 8 s
	RetryMin    time.Duration // first pause after a failure: 50 ms
	RetryMax    time.Duration // longest pause after failures: 15 s
	Closed      time.Duration // between hellos while HQ keeps the branch out: 10 s
	Settle      time.Duration // how long a receipt may wait to be stored with the next: 20 ms
	Idle        time.Duration // a pull at least this often, when HQ's rev has moved: 30 s
}

func (l Limits) withDefaults() Limits {
	set := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	wait := func(p *time.Duration, v time.Duration) {
		if *p == 0 {
			*p = v
		}
	}
	set(&l.PackChanges, 250)
	set(&l.PackBytes, schema.MaxPackBytes)
	set(&l.InFlight, 4)
	set(&l.Ahead, 64)
	set(&l.PageBytes, 768<<10)
	wait(&l.Beat, 2*time.Second)
	wait(&l.Stall, 8*time.Second)
	wait(&l.RetryMin, 50*time.Millisecond)
	wait(&l.RetryMax, 15*time.Second)
	wait(&l.Closed, 10*time.Second)
	wait(&l.Settle, 20*time.Millisecond)
	wait(&l.Idle, 30*time.Second)
	return l
}

// Phase is where the branch stands with HQ.
type Phase int

// The phases, in the order a good connect passes them.
const (
	Down     Phase = iota // no link
	Greeting              // hello is being said
	Taking                // changes of an incarnation that was left are being taken back
	Closed                // HQ keeps the branch out: see Status.Gate, Line and Reason
	Salvage               // the unsent tail goes up once, nothing comes down
	Open                  // both ways
)

func (p Phase) String() string {
	switch p {
	case Down:
		return "down"
	case Greeting:
		return "greeting"
	case Taking:
		return "taking"
	case Closed:
		return "closed"
	case Salvage:
		return "salvage"
	case Open:
		return "open"
	}
	return fmt.Sprintf("Phase(%d)", int(p))
}

// Status is what people and their pages are told.
type Status struct {
	Phase Phase
	// Gate, Line and Resume are HQ's last answers, zero before the first.
	Gate   wirev1.Gate
	Line   wirev1.Line
	Resume wirev1.Resume
	// Reason is HQ's sentence when it keeps the branch out, or the last trouble here.
	Reason   string
	Warnings []string
	// Shut: HQ kept the branch out when last asked. It stands while the branch asks again.
	Shut bool
	// FeedReason is why HQ gave no page when last asked for one; "" when it did.
	FeedReason string
	// Turn is why this run last began a new incarnation, and TurnAt when; zero: it has not.
	Turn   wirev1.Resume
	TurnAt time.Time
	// Incarnation is the current one; Mark is HQ's watermark of it, Sent what was handed to the door.
	Incarnation schema.Incarnation
	Mark, Sent  schema.Seq
	// Epoch and HQRev are HQ's as last told; Cursor is how far the feed is stored, Full whether it
	// was all there was then, FullPass whether the whole scope is being fetched anew.
	Epoch    schema.EpochID
	HQRev    schema.Rev
	Cursor   schema.Rev
	Full     bool
	FullPass bool
	// Heard is when HQ was last heard, by the branch's clock; zero: not since the start.
	Heard time.Time
	// ClockOffset is HQ's clock less the branch's, as far as a round trip tells.
	ClockOffset time.Duration
	// Rewinds counts how often the sender went back, BadWords the receipts that did not count, Hellos those said.
	Rewinds, BadWords, Hellos int
	// Pushed counts the pages that came in pokes and counted.
	Pushed int
	// Others tells when HQ last heard each branch.
	Others []*wirev1.Heard
	// Known is the version of HQ's filter of what the group knows, as last told; "": none.
	Known string
	// Blobs: HQ takes and gives the files of attachments, as last told.
	Blobs bool
}

// Core is a branch's side of the line. It is for one goroutine; every method may
// call Store and Transport and returns soon. Store errors do not leave it: they
// are logged, shown in Status, and the branch says hello again after a pause.
type Core struct {
	cfg Config
	lim Limits
	log *slog.Logger

	now    time.Time // of the last input
	up     bool
	phase  Phase
	status Status
	asks   map[uint64]ask
	nextID uint64

	epoch schema.EpochID
	hello helloState
	take  *takeState
	send  sender
	feed  puller
	beat  beats
}

// ask is a request under way; done is called once, with its answer.
type ask struct {
	verb string
	done func(ctx context.Context, b []byte, err error)
}

// New checks the configuration and starts nothing: the first input is LinkUp.
func New(cfg Config) (*Core, error) {
	if _, err := schema.ParseBranchID(string(cfg.Branch)); err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	if len(cfg.Boot) == 0 || cfg.Store == nil || cfg.Transport == nil || cfg.Codec == nil || cfg.Sign == nil || cfg.VerifyHQ == nil || cfg.Rand == nil {
		return nil, errors.New("link: core needs Boot, Store, Transport, Codec, Sign, VerifyHQ and Rand")
	}
	if cfg.SchemaMax < cfg.SchemaMin || cfg.SchemaMax == 0 {
		return nil, fmt.Errorf("link: schema versions %d to %d are no range", cfg.SchemaMin, cfg.SchemaMax)
	}
	c := &Core{cfg: cfg, lim: cfg.Limits.withDefaults(), log: cfg.Log, asks: map[uint64]ask{}}
	if c.lim.PackChanges > schema.MaxPackChanges || c.lim.PackBytes > schema.MaxPackBytes {
		return nil, fmt.Errorf("link: packs of %d changes or %d bytes are above the limit", c.lim.PackChanges, c.lim.PackBytes)
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.log = c.log.With("room", "link", "branch", cfg.Branch)
	c.send.init(cfg.Rand)
	return c, nil
}

// LinkUp says that the link stands. The core says hello.
func (c *Core) LinkUp(ctx context.Context, now time.Time) {
	c.now = now
	if c.up {
		return
	}
	c.up = true
	c.beat.linked(now, c.lim.Beat)
	c.hello.tries = 0
	c.greet(ctx, "link up")
}

// LinkDown says that the link fell. Requests under way are answered with an error by the transport.
func (c *Core) LinkDown(ctx context.Context, now time.Time) {
	c.now = now
	if !c.up {
		return
	}
	c.up, c.status.Shut = false, false
	c.settle(ctx)
	c.leave(Down)
}

// leave drops everything under way and goes to a phase in which nothing flows.
func (c *Core) leave(p Phase) {
	c.phase = p
	clear(c.asks)
	c.take = nil
	c.hello.at = time.Time{}
	c.send.stop()
	c.feed.stop()
	c.beat.under = false
}

// OnAnswer is the answer to an Ask, or why there is none.
func (c *Core) OnAnswer(ctx context.Context, now time.Time, id uint64, b []byte, err error) {
	c.now = now
	a, ok := c.asks[id]
	if !ok {
		return // of before the last hello
	}
	delete(c.asks, id)
	if err == nil {
		c.beat.heard = now
	} else {
		c.log.Debug("unanswered", "verb", a.verb, "err", err)
	}
	a.done(ctx, b, err)
}

// Wake says that changes were committed at the branch.
func (c *Core) Wake(ctx context.Context, now time.Time) {
	c.now = now
	c.send.more = true
	c.pump(ctx)
}

// Tick lets pass what waits for a time, and tells the next such time; zero: none.
func (c *Core) Tick(ctx context.Context, now time.Time) time.Time {
	c.now = now
	if !c.up {
		return time.Time{}
	}
	if due(c.hello.at, now) {
		c.hello.at = time.Time{}
		c.sayHello(ctx)
	}
	if due(c.send.pausedTill, now) {
		c.send.pausedTill = time.Time{}
		c.pump(ctx)
	}
	if due(c.send.settleAt, now) {
		c.settle(ctx)
	}
	if due(c.feed.at, now) {
		c.feed.at = time.Time{}
		c.pull(ctx)
	}
	if due(c.beat.at, now) {
		c.beat.at = now.Add(c.lim.Beat)
		c.sayBeat(ctx)
	}
	var next time.Time
	for _, t := range []time.Time{c.hello.at, c.send.pausedTill, c.send.settleAt, c.feed.at, c.beat.at} {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}

func due(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }

// Stalled tells whether the link stands but HQ has been silent for too long: it
// should be torn down and built anew.
func (c *Core) Stalled(now time.Time) bool { return c.up && c.beat.stalled(now, c.lim.Stall, c.phase) }

// Status is the present state.
func (c *Core) Status() Status {
	s := c.status
	s.Phase = c.phase
	s.Epoch = c.epoch
	s.Cursor, s.FullPass, s.Full, s.HQRev = c.feed.cursor, c.feed.fullPass, c.feed.full, c.feed.hqRev
	s.Heard = c.beat.heard
	if l := c.send.current(); l != nil {
		s.Incarnation, s.Mark, s.Sent = l.inc, l.mark, l.sent
	}
	return s
}

// ask sends a request. A transport error is the answer.
func (c *Core) ask(ctx context.Context, verb string, req []byte, done func(context.Context, []byte, error)) {
	c.nextID++
	id := c.nextID
	c.asks[id] = ask{verb, done}
	if err := c.cfg.Transport.Ask(id, verb, req); err != nil {
		delete(c.asks, id)
		done(ctx, nil, err)
	}
}

// trouble is an error of the store or an answer nobody understands: nothing is
// half done (the store's steps are transactions), so the branch says hello anew.
func (c *Core) trouble(what string, err error) {
	c.log.Error(what, "err", err)
	c.status.Reason = fmt.Sprintf("%s: %v", what, err)
	c.leave(Greeting)
	c.hello.anew()
	c.hello.again(c)
}

// pause is the time until the n-th retry: doubling, with jitter so that a
// hundred branches do not come back in step.
func (c *Core) pause(n int) time.Duration {
	d := c.lim.RetryMin << min(n, 16)
	if d > c.lim.RetryMax || d <= 0 {
		d = c.lim.RetryMax
	}
	return d/2 + time.Duration(c.cfg.Rand.Int64N(int64(d/2)+1))
}
