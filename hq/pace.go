package hq

import (
	"slices"
	"sync"
	"time"

	"branchline/hq/inbox"
	"branchline/schema"
)

const (
	// paceEvery is how often receipts of one incarnation go out while it sends a few changes at a time: a later one says
	// all that an earlier one did. The first after a pause goes at once.
	paceEvery = 100 * time.Millisecond
	// paceChanges more than the last receipt covered are told at once: the sender may wait for it.
	paceChanges = 64
)

// pacer sends receipts in the order they were made for each branch, and not one a change.
type pacer struct {
	now  func() time.Time
	send func(inbox.Receipt)
	// armed is told when something is held: take is to be called after paceEvery.
	armed chan struct{}

	mu   sync.Mutex
	last map[schema.Incarnation]paced
	held map[schema.BranchID][]inbox.Receipt // at most one an incarnation
}

// paced is the last receipt sent.
type paced struct {
	at   time.Time
	mark schema.Seq
}

func newPacer(now func() time.Time, send func(inbox.Receipt)) *pacer {
	return &pacer{now: now, send: send, armed: make(chan struct{}, 1), last: map[schema.Incarnation]paced{}, held: map[schema.BranchID][]inbox.Receipt{}}
}

// give sends a receipt now or with the next take.
func (p *pacer) give(r inbox.Receipt) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, last := p.now(), p.last[r.Inc]
	p.held[r.Branch] = slices.DeleteFunc(p.held[r.Branch], func(x inbox.Receipt) bool { return x.Inc == r.Inc })
	if since := now.Sub(last.at); r.Urgent || since < 0 || since >= paceEvery || r.Mark < last.mark || r.Mark-last.mark >= paceChanges {
		p.flush(r.Branch, now)
		p.out(r, now)
		return
	}
	p.held[r.Branch] = append(p.held[r.Branch], r)
	select {
	case p.armed <- struct{}{}:
	default:
	}
}

// take sends what is held.
func (p *pacer) take() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for b := range p.held {
		p.flush(b, now)
	}
}

func (p *pacer) flush(b schema.BranchID, now time.Time) {
	for _, r := range p.held[b] {
		p.out(r, now)
	}
	delete(p.held, b)
}

func (p *pacer) out(r inbox.Receipt, now time.Time) {
	if len(p.last) > 1<<14 {
		clear(p.last) // of incarnations long left
	}
	p.last[r.Inc] = paced{now, r.Mark}
	p.send(r)
}
