// Package clock gives changes their effective time: a hybrid logical clock
// (Kulkarni et al. 2014) at a branch.
//
// The effective time of a change is set once, at its commit: the largest of the
// machine's clock, the previous change's effective time plus one tick, and the
// time of each stamp the change names plus one tick. So nobody's edit loses to
// the value it replaced, nor to their own earlier one.
//
// It promises rising times from one Clock whatever the machine's clock does. It
// does not promise that times are near the truth: HQ rules over those that are
// far ahead.
package clock

import (
	"time"

	"branchline/schema"
)

// Clock is safe for use by one goroutine at a time: it is stepped inside the
// transaction of the change it stamps.
type Clock struct {
	now  func() time.Time
	last schema.Tick
}

// New counts on from last, the latest effective time stored; 0 if there is none.
func New(now func() time.Time, last schema.Tick) *Clock { return &Clock{now: now, last: last} }

// Stamp is the effective time of a change that names the given times. It moves the clock.
func (c *Clock) Stamp(named ...schema.Tick) schema.Tick {
	t := max(schema.TickAt(c.now()), c.last.Next())
	for _, n := range named {
		t = max(t, n.Next())
	}
	c.last = t
	return t
}

// Observe sets the clock above a time seen elsewhere, at a fork.
func (c *Clock) Observe(t schema.Tick) { c.last = max(c.last, t) }

// Reset counts on from t though it is lower: HQ ruled the last change back to it.
func (c *Clock) Reset(t schema.Tick) { c.last = t }

// Last is the latest effective time given.
func (c *Clock) Last() schema.Tick { return c.last }

// Lead is how far a branch's clock may run ahead of HQ's before HQ rules.
const Lead = 5 * time.Minute

// Rule is HQ's part. claimed is the change's own effective time, hq is HQ's
// clock (held at or above the reading HQ last stored), before is HQ's time for
// the change before in the same incarnation, named are the stored times of the
// record's entries the change names. It gives the time that counts and whether
// it is a ruling.
func Rule(claimed schema.Tick, hq time.Time, before schema.Tick, named ...schema.Tick) (schema.Tick, bool) {
	if claimed <= schema.TickAt(hq.Add(Lead)) {
		return claimed, false
	}
	t := max(schema.TickAt(hq), before)
	for _, n := range named {
		t = max(t, n)
	}
	return t.Next(), true
}
