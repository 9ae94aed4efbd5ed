package link

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// sender is what goes up: the packs of one incarnation after the other, each
// from HQ's watermark on.
type sender struct {
	lives []*life // in the order they are sent: former ones first
	out   []*outPack
	token uint64
	gen   uint32
	form  int // of packs, as both sides know it
	// more is false once the store had nothing further to give of the current incarnation.
	more bool
	// stream is the UP the door last named, past those it named before.
	stream string
	past   map[string]bool
	// named is the UP that HQ's last receipt named.
	named string
	// pausedTill holds the sender back after a door refused or a rewind brought nothing.
	pausedTill time.Time
	fails      int
	// settleAt is when held receipts are stored at the latest.
	settleAt time.Time
	held     map[schema.Incarnation]heldReceipt
}

// life is one incarnation on its way up.
type life struct {
	inc    schema.Incarnation
	former bool
	last   schema.Seq // of a former one: where it ends
	mark   schema.Seq // HQ's watermark, signed or said at the hello
	sent   schema.Seq // handed to the door since the last rewind
	gen    uint32     // of its packs; a gap receipt of another gen is about packs already given up
	// rewinds counts those since the watermark last moved: the second brings a pause.
	rewinds int
}

// outPack is a pack handed to the door and not yet below the watermark.
type outPack struct {
	token       uint64
	life        *life
	first, last schema.Seq
	door        bool
	stream      string
	seq         uint64 // its place in the stream, once door
	beats       int    // heartbeats sent after it and answered before the door did
}

func (s *sender) init(r *rand.Rand) {
	s.gen = r.Uint32()
	s.past = map[string]bool{}
	s.held = map[schema.Incarnation]heldReceipt{}
}

// stop forgets everything but gen, which never repeats within a run.
func (s *sender) stop() {
	s.lives, s.out, s.more = nil, nil, false
	s.pausedTill, s.settleAt, s.fails = time.Time{}, time.Time{}, 0
	clear(s.held)
}

// open adds an incarnation, the current one being given first and sent last.
func (s *sender) open(inc schema.Incarnation, former bool, last, mark schema.Seq) {
	s.gen++
	l := &life{inc: inc, former: former, last: last, mark: mark, sent: mark, gen: s.gen}
	if n := len(s.lives); n > 0 && former && !s.lives[n-1].former {
		s.lives = append(s.lives[:n-1], l, s.lives[n-1])
	} else {
		s.lives = append(s.lives, l)
	}
	if !former {
		s.more = true
	}
}

func (s *sender) current() *life {
	if n := len(s.lives); n > 0 && !s.lives[n-1].former {
		return s.lives[n-1]
	}
	return nil
}

func (s *sender) find(inc schema.Incarnation) *life {
	for _, l := range s.lives {
		if l.inc == inc {
			return l
		}
	}
	return nil
}

// next is the incarnation that has something to send, nil when none has.
func (s *sender) next() *life {
	for _, l := range s.lives {
		if (l.former && l.sent < l.last) || (!l.former && s.more) {
			return l
		}
	}
	return nil
}

func (s *sender) room(lim Limits) bool {
	under := 0
	for _, p := range s.out {
		if !p.door {
			under++
		}
	}
	return under < lim.InFlight && len(s.out) < lim.Ahead
}

// pump sends as long as there is something and room.
func (c *Core) pump(ctx context.Context) {
	s := &c.send
	for c.up && (c.phase == Open || c.phase == Salvage) && s.pausedTill.IsZero() && s.room(c.lim) {
		l := s.next()
		if l == nil {
			return
		}
		before, changes, err := c.cfg.Store.Outgoing(ctx, l.inc, l.sent, c.lim.PackChanges, c.lim.PackBytes)
		if err != nil {
			c.trouble("read changes", err)
			return
		}
		if len(changes) == 0 {
			if l.former {
				// Forgotten below what HQ misses, or the store keeps less than it said: HQ said
				// CONTINUE to what was named, so this is trouble here, not at HQ.
				l.last = l.sent
				c.log.Error("former incarnation ends early", "incarnation", l.inc, "seq", l.sent)
			} else {
				s.more = false
			}
			continue
		}
		if l.former {
			if over := int(changes[len(changes)-1].ID.Seq - l.last); over > 0 {
				changes = changes[:len(changes)-over]
			}
		}
		h := schema.PackHeader{Form: s.form, Branch: c.cfg.Branch, Inc: l.inc, Gen: l.gen, First: l.sent + 1, Before: before}
		b, err := c.cfg.Codec.Encode(h, changes, c.cfg.Sign)
		if err != nil {
			c.trouble("make pack", err)
			return
		}
		s.token++
		p := &outPack{token: s.token, life: l, first: l.sent + 1, last: l.sent + schema.Seq(len(changes))}
		if err := c.cfg.Transport.Pack(p.token, b); err != nil {
			c.log.Debug("pack not sent", "err", err)
			c.holdBack()
			return
		}
		s.out = append(s.out, p)
		l.sent = p.last
	}
}

// holdBack stops sending for a while.
func (c *Core) holdBack() {
	c.send.pausedTill = c.now.Add(c.pause(c.send.fails))
	c.send.fails++
}

// OnDoor is the door's answer to the pack with the token: stream and seq say
// where it lies, err why it does not.
func (c *Core) OnDoor(ctx context.Context, now time.Time, token uint64, stream string, seq uint64, err error) {
	c.now = now
	s := &c.send
	at := -1
	for i, p := range s.out {
		if p.token == token {
			at = i
		}
	}
	if at < 0 {
		return // given up, or below the watermark already
	}
	c.beat.heard = now
	p := s.out[at]
	if err != nil {
		// What was sent behind it is no use at HQ without it: send again from here, after a pause.
		c.log.Info("the door took no pack", "change", schema.ChangeID{Branch: c.cfg.Branch, Inc: p.life.inc, Seq: p.first}, "err", err)
		c.stepBack(p.life, p.first-1)
		c.holdBack()
		return
	}
	p.door, p.stream, p.seq, p.beats = true, stream, seq, 0
	s.fails = 0
	c.cfg.Store.AtDoor(p.life.inc, p.last)
	c.seeStream(stream)
	c.pump(ctx)
}

// doorSilent gives up packs the door has not answered, or that lie in another UP
// than HQ names (a late answer of the door may name one made before), though HQ has answered
// three heartbeats said after them: HQ dropped them at the door (it may, under
// load), and there is nothing behind them that could show the gap. It is the
// round trips that count; on a silent link none is given up.
func (c *Core) doorSilent(said uint64) {
	for _, p := range c.send.out {
		if p.token > said || p.door && (p.stream == c.send.named || c.send.named == "") {
			continue
		}
		if p.beats++; p.beats >= 3 {
			c.status.Rewinds++
			c.log.Info("the door said nothing of a pack", "change", schema.ChangeID{Branch: c.cfg.Branch, Inc: p.life.inc, Seq: p.first})
			c.stepBack(p.life, p.first-1)
			return
		}
	}
}

// seeStream notes which UP there is. Packs that went into another are gone, or
// were pulled from it before: either way the watermark decides what goes again.
func (c *Core) seeStream(id string) {
	s := &c.send
	if id == "" || id == s.stream || s.past[id] {
		return
	}
	if len(s.past) > 64 {
		clear(s.past)
	}
	if s.stream != "" {
		s.past[s.stream] = true
	}
	s.stream = id
	for _, l := range s.lives {
		if slices.ContainsFunc(s.out, func(p *outPack) bool { return p.life == l && p.door && p.stream != id }) {
			c.rewind(l, "UP is another stream")
		}
	}
}

// stepBack gives up the packs of l above seq: they are sent again under a new gen.
func (c *Core) stepBack(l *life, seq schema.Seq) {
	s := &c.send
	kept := s.out[:0]
	for _, p := range s.out {
		if p.life != l || p.last <= seq {
			kept = append(kept, p)
		}
	}
	clear(s.out[len(kept):])
	s.out = kept
	s.gen++
	l.gen = s.gen
	l.sent = seq
	if !l.former {
		s.more = true
	}
}

// rewind goes back to the watermark. When it did so before and the watermark has
// not moved since, it pauses: HQ and the branch see the matter differently, and
// sending faster does not help.
func (c *Core) rewind(l *life, why string) {
	c.status.Rewinds++
	c.log.Info("rewind", "incarnation", l.inc, "seq", l.mark, "why", why)
	c.stepBack(l, l.mark)
	if l.rewinds > 0 {
		c.send.pausedTill = c.now.Add(c.pause(l.rewinds - 1))
	}
	l.rewinds++
}

// acknowledged drops what the watermark has passed.
func (c *Core) acknowledged(l *life) {
	s := &c.send
	kept := s.out[:0]
	for _, p := range s.out {
		if p.life != l || p.last > l.mark {
			kept = append(kept, p)
		}
	}
	clear(s.out[len(kept):])
	s.out = kept
	if l.sent < l.mark {
		l.sent = l.mark
	}
}

// workedOff is what a receipt says of UP: a pack of its incarnation that was
// worked off and is not below the watermark did not count.
func (c *Core) workedOff(l *life, r *wirev1.Receipt) {
	c.seeStream(r.GetUpStream())
	c.send.named = r.GetUpStream()
	for _, p := range c.send.out {
		if p.life == l && p.door && p.stream == r.GetUpStream() && p.seq <= r.GetUpWorkedOff() && p.last > l.mark {
			c.rewind(l, "UP was worked off past a pack")
			return
		}
	}
}
