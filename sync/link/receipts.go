package link

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

var (
	// errNotOurs is a receipt of an incarnation that is not being sent.
	errNotOurs = errors.New("is of another incarnation")
	// errChain is a receipt whose chain hash is not the branch's.
	errChain = errors.New("has another chain hash than the branch")
	// errStale is a receipt of before the last one.
	errStale = errors.New("is an old one")
)

// heldReceipt waits to be stored: a later one of the same incarnation says all it said.
type heldReceipt struct {
	r   *wirev1.Receipt
	raw []byte
}

// readReceipt checks a receipt like everything that is to count: signature,
// branch, incarnation, chain hash. It moves the watermark in hand; the caller
// stores it.
func (c *Core) readReceipt(ctx context.Context, signed []byte) (*wirev1.Receipt, error) {
	r := new(wirev1.Receipt)
	if err := schema.OpenWord(signed, r, c.cfg.VerifyHQ); err != nil {
		return nil, err
	}
	if r.GetBranch() != string(c.cfg.Branch) {
		return nil, fmt.Errorf("link: receipt for %q", r.GetBranch())
	}
	l := c.send.find(schema.Incarnation(r.GetIncarnation()))
	if l == nil {
		return r, fmt.Errorf("link: receipt %w: %s", errNotOurs, schema.Incarnation(r.GetIncarnation()))
	}
	if err := c.checkMark(ctx, l.inc, schema.Seq(r.GetWatermark()), r.GetChain()); err != nil {
		if errors.Is(err, errChain) && schema.EpochID(r.GetEpoch()) == c.epoch && schema.Seq(r.GetWatermark()) < l.mark {
			return r, fmt.Errorf("link: receipt %w", errStale) // below the cut by now
		}
		return r, fmt.Errorf("link: receipt for %s at %d: %w", l.inc, r.GetWatermark(), err)
	}
	if w := schema.Seq(r.GetWatermark()); w > l.mark {
		l.mark, l.rewinds = w, 0
	}
	c.acknowledged(l)
	return r, nil
}

// checkMark compares a chain hash of HQ's with the branch's own: errChain when
// it differs or the branch has none there.
func (c *Core) checkMark(ctx context.Context, inc schema.Incarnation, seq schema.Seq, chain []byte) error {
	theirs, err := schema.HashFromBytes(chain)
	if err != nil {
		return fmt.Errorf("%w: %w", errChain, err)
	}
	ours, ok, err := c.cfg.Store.ChainAt(ctx, inc, seq)
	if err != nil {
		return err
	}
	if !ok || ours != theirs {
		return errChain
	}
	return nil
}

// OnReceipt is a receipt as it came on ack.<branch>.
func (c *Core) OnReceipt(ctx context.Context, now time.Time, signed []byte) {
	c.now = now
	if c.phase != Open && c.phase != Salvage {
		return // the hello's answer says all that it could
	}
	c.receipt(ctx, signed, &c.feed.ackRev)
	c.pump(ctx)
}

// receipt acts on a receipt; road is HQ's rev as the road it came by last named it.
func (c *Core) receipt(ctx context.Context, signed []byte, road *schema.Rev) {
	r, err := c.readReceipt(ctx, signed)
	switch {
	case err == nil:
	case errors.Is(err, errStale):
		return
	case errors.Is(err, errNotOurs) && road == &c.feed.beatRev:
		return // a heartbeat is answered with all HQ has of the branch
	case r == nil:
		c.status.BadWords++
		c.log.Warn("a receipt does not count", "err", err)
		return
	case errors.Is(err, errNotOurs), errors.Is(err, errChain):
		c.status.BadWords++
		c.greet(ctx, err.Error())
		return
	default:
		c.trouble("receipt", err)
		return
	}
	c.beat.heard = c.now
	switch {
	case r.GetHello():
		c.greet(ctx, "headquarters asks for it")
		return
	case schema.EpochID(r.GetEpoch()) != c.epoch:
		c.greet(ctx, "headquarters runs in another epoch")
		return
	}
	if c.feed.wentBack(road, schema.Rev(r.GetRev())) {
		c.greet(ctx, "headquarters' rev went back")
		return
	}
	c.keep(ctx, r, signed)
	l := c.send.find(schema.Incarnation(r.GetIncarnation()))
	if l == nil {
		return // the store failed and the branch says hello
	}
	if r.GetGap() && r.GetGen() == l.gen {
		c.rewind(l, "headquarters misses what follows the watermark")
	}
	c.workedOff(l, r)
	if !l.former && l.mark > c.feed.foldMark {
		c.owe(l)
	}
}

// keep stores a receipt: at once when it rules, else with those that follow
// shortly, so that a receipt a change does not cost a commit a change.
func (c *Core) keep(ctx context.Context, r *wirev1.Receipt, signed []byte) {
	s := &c.send
	inc := schema.Incarnation(r.GetIncarnation())
	if h, ok := s.held[inc]; ok && h.r.GetWatermark() > r.GetWatermark() && len(r.GetRulings()) == 0 {
		return
	}
	s.held[inc] = heldReceipt{r, signed}
	switch {
	case len(r.GetRulings()) > 0:
		c.settle(ctx)
	case s.settleAt.IsZero():
		s.settleAt = c.now.Add(c.lim.Settle)
	}
}

// settle stores the receipts in hand.
func (c *Core) settle(ctx context.Context) {
	s := &c.send
	s.settleAt = time.Time{}
	for _, inc := range slices.Sorted(maps.Keys(s.held)) {
		h := s.held[inc]
		delete(s.held, inc)
		if err := c.cfg.Store.Receive(ctx, h.r, h.raw); err != nil {
			c.trouble("store receipt", err)
			return
		}
	}
}
