package link

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// beats are the numbered heartbeats both ways: ours are asked and answered, HQ's
// come as pokes. A link that stands while either falls silent is stalled.
type beats struct {
	at     time.Time // the next of ours
	number uint64
	under  bool
	heard  time.Time // anything from HQ
	poked  time.Time // HQ's last numbered poke since the hello; zero: none yet
	poke   uint64
}

func (b *beats) linked(now time.Time, every time.Duration) {
	b.under, b.poked = false, time.Time{}
	b.at = now.Add(every)
	b.heard = now
}

// stalled is judged by age only. Pokes count from the first one after a hello:
// before it HQ does not send any.
func (b *beats) stalled(now time.Time, limit time.Duration, p Phase) bool {
	if now.Sub(b.heard) > limit {
		return true
	}
	return p == Open && !b.poked.IsZero() && now.Sub(b.poked) > limit
}

func (c *Core) sayBeat(ctx context.Context) {
	b := &c.beat
	if !c.up || b.under {
		return
	}
	b.number++
	sent, said := c.now, c.send.token
	msg := &wirev1.Beat{
		Number: b.number, Clock: c.now.UnixMilli(), Epoch: int64(c.epoch), Rev: int64(c.feed.cursor), Boot: c.cfg.Boot, Poke: b.poke,
	}
	if l := c.send.current(); l != nil {
		msg.Pending = int64(l.sent - l.mark)
	}
	raw, err := proto.Marshal(msg)
	if err != nil {
		c.trouble("heartbeat", err)
		return
	}
	b.under = true
	c.ask(ctx, "beat", raw, func(ctx context.Context, raw []byte, err error) {
		b.under = false
		if err != nil {
			return // silence is judged by age
		}
		r := new(wirev1.BeatReply)
		if err := proto.Unmarshal(raw, r); err != nil {
			c.log.Warn("answer to a heartbeat cannot be read", "err", err)
			return
		}
		c.beaten(ctx, sent, said, r)
	})
}

// beaten goes through an answered heartbeat: when it was sent, and the last pack handed out before it.
func (c *Core) beaten(ctx context.Context, sent time.Time, said uint64, r *wirev1.BeatReply) {
	c.status.Others, c.status.Known, c.status.Blobs = r.GetHeard(), string(r.GetKnown()), r.GetBlobs()
	// HQ read its clock somewhere between sent and now.
	c.clockSeen(r.GetClock() + c.now.Sub(sent).Milliseconds()/2)
	if c.phase != Open && c.phase != Salvage {
		return
	}
	if r.GetHello() && c.phase == Open { // a salvaged machine is never the one HQ knows
		c.greet(ctx, "headquarters does not know this link")
		return
	}
	for _, w := range r.GetReceipts() {
		c.receipt(ctx, w, &c.feed.beatRev)
		if c.phase != Open && c.phase != Salvage {
			return
		}
	}
	c.doorSilent(said)
	c.pump(ctx)
	if schema.EpochID(r.GetEpoch()) != c.epoch {
		c.greet(ctx, "headquarters runs in another epoch")
		return
	}
	p := &c.feed
	if schema.Rev(r.GetRev()) > p.cursor && c.now.Sub(p.lastFull) >= c.lim.Idle {
		c.pull(ctx)
	}
}

func (c *Core) clockSeen(hq int64) {
	if hq != 0 {
		c.status.ClockOffset = time.UnixMilli(hq).Sub(c.now).Round(time.Millisecond)
	}
}
