package sim

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"branchline/schema"
)

// Fault is one way in which the world is worse than people think. The lanes of
// the network each have their own.
type Fault string

// What the network does, on each lane: "drop pack", "delay reply" …
const (
	drop    = "drop"
	delay   = "delay"
	double  = "double"
	reorder = "reorder"
)

// lane is one kind of word on the network.
type lane string

const (
	lanePack    lane = "pack"
	laneDoor    lane = "door" // the stream's answer to a pack
	laneRequest lane = "request"
	laneReply   lane = "reply"
	laneAck     lane = "ack" // receipts
	lanePoke    lane = "poke"
)

var lanes = []lane{lanePack, laneDoor, laneRequest, laneReply, laneAck, lanePoke}

// network carries words between machines and the hub.
type network struct {
	w *World
	// The weather, drawn anew now and then.
	pDrop, pDelay, pDouble, pReorder float64
	flying                           int // words under way that are no heartbeats
	packs                            int // ever handed to the network
}

// draw makes new weather.
func (n *network) draw() {
	r := n.w.rng
	p := func() float64 { return []float64{0, 0, 0.02, 0.05, 0.15}[r.IntN(5)] }
	n.pDrop, n.pDelay, n.pDouble, n.pReorder = p(), p(), p(), p()
	n.w.after(n.w.between(5*time.Second, 20*time.Second), func() {
		if !n.w.end {
			n.draw()
		}
	})
}

func (n *network) calm() { n.pDrop, n.pDelay, n.pDouble, n.pReorder = 0, 0, 0, 0 }

// road is one lane of one link in one direction: words keep their order unless
// the weather says otherwise.
type road struct{ last time.Time }

// send has arrive called when the word comes, if it does; twice when the network
// doubles it. counted words are what rest waits for. It tells whether at least
// one copy is under way.
func (n *network) send(l lane, r *road, counted bool, arrive func()) bool {
	w := n.w
	did := func(what string, p float64) bool {
		f := Fault(what + " " + string(l))
		if !w.chance(p) || !w.allowed(f) {
			return false
		}
		w.faults[f]++
		return true
	}
	if did(drop, n.pDrop) {
		return false
	}
	copies := 1
	if did(double, n.pDouble) {
		copies = 2
	}
	for range copies {
		at := w.now.Add(w.between(300*time.Microsecond, 6*time.Millisecond))
		if did(delay, n.pDelay) {
			at = at.Add(w.upTo(4 * time.Second))
		}
		if did(reorder, n.pReorder) {
			at = at.Add(w.upTo(80 * time.Millisecond))
		} else {
			if at.Before(r.last) {
				at = r.last
			}
			r.last = at
		}
		if counted {
			n.flying++
		}
		w.at(at, func() {
			if counted {
				n.flying--
			}
			arrive()
		})
	}
	return true
}

// up is stream UP as HQ's JetStream holds it.
type up struct {
	w     *World
	id    string
	seq   uint64
	packs []*upPack
}

type upPack struct {
	Pack
	out   time.Time // when it was handed out; zero: it waits
	acked bool
}

const (
	upPacks = 64
	ackWait = time.Minute
)

var errUpFull = errors.New("maximum messages per subject exceeded")

// anew is a stream made anew: empty, and another one.
func (u *up) anew() {
	var b [8]byte
	for i := range b {
		b[i] = byte(u.w.rng.Uint32())
	}
	*u = up{w: u.w, id: hex.EncodeToString(b[:])}
	if h := u.w.hub.proc; h != nil {
		h.Stream(u.id)
	}
}

func (u *up) put(b schema.BranchID, data []byte) (uint64, error) {
	n := 0
	for _, p := range u.packs {
		if p.Branch == b {
			n++
		}
	}
	if n >= upPacks {
		u.w.faults[FullUp]++
		return 0, errUpFull
	}
	u.seq++
	p := &upPack{Pack: Pack{Branch: b, Data: data, Stream: u.id, Seq: u.seq}}
	u.packs = append(u.packs, p)
	return u.seq, nil
}

// hand gives packs that wait, in order, and says that they are out. Their acks
// count at once, until the consumer is another one.
func (u *up) hand(most int, only func(*upPack) bool) []Pack {
	var out []Pack
	for _, p := range u.packs {
		if len(out) == most {
			break
		}
		if !p.out.IsZero() && u.w.now.Sub(p.out) < ackWait || !only(p) {
			continue
		}
		p.out = u.w.now
		q := p.Pack
		q.Ack = func() error { p.acked = true; return nil }
		out = append(out, q)
	}
	return out
}

// settle drops what was acked.
func (u *up) settle() {
	kept := u.packs[:0]
	for _, p := range u.packs {
		if !p.acked {
			kept = append(kept, p)
		}
	}
	clear(u.packs[len(kept):])
	u.packs = kept
}

// unhand is a consumer made anew: all that stands comes again; acks not yet seen are lost.
func (u *up) unhand() {
	for _, p := range u.packs {
		p.out, p.acked = time.Time{}, false
	}
}

func (u *up) waiting() bool {
	for _, p := range u.packs {
		if p.out.IsZero() || u.w.now.Sub(p.out) >= ackWait {
			return true
		}
	}
	return false
}

func (u *up) String() string { return fmt.Sprintf("UP %s: %d packs", u.id, len(u.packs)) }
