package link

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"branchline/sync/bus"
)

// Leaf is the branch's end of the road; *bus.Leaf is one. See there.
type Leaf interface {
	Changes() <-chan bool
	Doors() <-chan bus.Door
	Acks() <-chan []byte
	Pokes() <-chan []byte
	Publish(token uint64, data []byte) error
	Request(ctx context.Context, verb string, data []byte) ([]byte, error)
	Rebuild() error
}

// The verbs a branch asks HQ, and how long it waits for the answer.
const (
	VerbHello = "hello"
	VerbTake  = "take"
	VerbPull  = "pull"
	VerbBeat  = "beat"
	// Asked by the rooms of the branch, not by the core.
	VerbLook   = "look"
	VerbVerify = "verify"
	VerbRenew  = "renew"
	VerbKnown  = "known"
	// VerbSpend spends stored money of a card, or takes a spending back.
	VerbSpend = "spend"
	// Files of attachments; only of an HQ whose heartbeats say that it takes them.
	VerbBlobPut = "blobput"
	VerbBlobGet = "blobget"
	VerbBlobAsk = "blobask"
)

// Verbs are all of them, for bus.HubConfig.
func Verbs() []string {
	return []string{VerbHello, VerbTake, VerbPull, VerbBeat, VerbLook, VerbVerify, VerbRenew, VerbKnown, VerbSpend, VerbBlobPut, VerbBlobGet, VerbBlobAsk}
}

// askLimit is how long an answer may take. HQ's own limit is a minute.
const askLimit = 65 * time.Second

// DriverConfig says how a Driver is built.
type DriverConfig struct {
	Core Config // Transport is the driver's own
	Leaf Leaf
	Now  func() time.Time
}

// Driver runs a Core over a Leaf. Its methods are safe for concurrent use.
type Driver struct {
	cfg    DriverConfig
	core   *Core
	status atomic.Pointer[Status]
	wake   chan struct{}
	calls  chan func(ctx context.Context)

	answers chan answer
	asking  sync.WaitGroup
	ctx     context.Context // of the run; set before any ask
}

type answer struct {
	id  uint64
	b   []byte
	err error
}

// NewDriver checks the configuration and starts nothing. The leaf must be
// started by the time Run is called, and outlive it.
func NewDriver(cfg DriverConfig) (*Driver, error) {
	if cfg.Leaf == nil || cfg.Now == nil {
		return nil, errors.New("link: driver needs Leaf and Now")
	}
	d := &Driver{cfg: cfg, wake: make(chan struct{}, 1), calls: make(chan func(context.Context)), answers: make(chan answer)}
	cfg.Core.Transport = d
	core, err := New(cfg.Core)
	if err != nil {
		return nil, err
	}
	d.core = core
	d.show()
	return d, nil
}

// Wake says that changes were committed. It does not block.
func (d *Driver) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Status is the state after the last thing that happened.
func (d *Driver) Status() Status { return *d.status.Load() }

// Refetch fetches the whole scope anew; unsent changes stay. It returns when the
// pass has begun, not when it is through: see Status.FullPass. It needs Run.
func (d *Driver) Refetch(ctx context.Context) error {
	done := make(chan error, 1)
	f := func(run context.Context) { done <- d.core.Refetch(run, d.cfg.Now()) }
	select {
	case d.calls <- f:
		return <-done
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Pack implements Transport.
func (d *Driver) Pack(token uint64, pack []byte) error { return d.cfg.Leaf.Publish(token, pack) }

// Ask implements Transport.
func (d *Driver) Ask(id uint64, verb string, req []byte) error {
	d.asking.Add(1)
	go func() {
		defer d.asking.Done()
		ctx, cancel := context.WithTimeout(d.ctx, askLimit)
		defer cancel()
		b, err := d.cfg.Leaf.Request(ctx, verb, req)
		select {
		case d.answers <- answer{id, b, err}:
		case <-d.ctx.Done():
		}
	}()
	return nil
}

func (d *Driver) show() {
	s := d.core.Status()
	d.status.Store(&s)
}

// Run drives the core until ctx ends. It may be called once.
func (d *Driver) Run(ctx context.Context) error {
	d.ctx = ctx
	defer d.asking.Wait()
	// What was committed before ctx ended is stored though it has.
	keep := context.WithoutCancel(ctx)
	defer func() {
		d.core.LinkDown(keep, d.cfg.Now())
		d.show()
	}()
	leaf, core := d.cfg.Leaf, d.core
	look := d.core.lim.Stall / 4
	timer := time.NewTimer(look)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case up := <-leaf.Changes():
			if up {
				core.LinkUp(keep, d.cfg.Now())
			} else {
				core.LinkDown(keep, d.cfg.Now())
			}
		case r := <-d.answers:
			core.OnAnswer(keep, d.cfg.Now(), r.id, r.b, r.err)
		case x := <-leaf.Doors():
			core.OnDoor(keep, d.cfg.Now(), x.Token, x.Stream, x.Seq, x.Err)
		case b := <-leaf.Acks():
			core.OnReceipt(keep, d.cfg.Now(), b)
		case b := <-leaf.Pokes():
			core.OnPoke(keep, d.cfg.Now(), b)
		case <-d.wake:
			core.Wake(keep, d.cfg.Now())
		case f := <-d.calls:
			f(keep)
		case <-timer.C:
		}
		now := d.cfg.Now()
		next := core.Tick(keep, now)
		if core.Stalled(now) {
			if err := d.rebuild(keep, now); err != nil {
				return err
			}
		}
		wait := look
		if !next.IsZero() {
			wait = min(wait, max(next.Sub(now), 0))
		}
		timer.Reset(wait)
		d.show()
	}
}

// rebuild tears a link down that stands and is silent. The leaf tells of the new one by itself.
func (d *Driver) rebuild(ctx context.Context, now time.Time) error {
	d.core.log.Warn("the link stands and headquarters is silent: it is built anew")
	d.core.LinkDown(ctx, now)
	if err := d.cfg.Leaf.Rebuild(); err != nil && !errors.Is(err, bus.ErrNoLink) {
		return fmt.Errorf("link: %w", err)
	}
	return nil
}
