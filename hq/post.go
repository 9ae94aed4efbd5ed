package hq

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/inbox"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus"
)

// beatEvery is how often each linked branch hears a numbered poke, whatever there is to say.
const beatEvery = 2 * time.Second

// pushMost is how many branches at once are given pages in their pokes: these are read one after the other, and what
// many must know they had better ask for at the same time.
const pushMost = 8

// work has a batch of packs worked off and sends the receipts. A group that
// failed was not acked and comes again; the branch waits meanwhile.
func (q *HQ) work(ctx context.Context, batch []bus.Pack) {
	in := make([]inbox.Incoming, len(batch))
	for i, p := range batch {
		in[i] = inbox.Incoming{Subject: p.Branch, Data: p.Data, Stream: p.Stream, StreamSeq: p.StreamSeq, Ack: p.Ack}
	}
	err := q.inbox.Each(ctx, in, func(receipts []inbox.Receipt) {
		for _, r := range receipts {
			q.acks.give(r)
		}
	})
	if err != nil && ctx.Err() == nil {
		q.log.Error("packs not worked off", "err", err)
	}
}

func (q *HQ) ack(r inbox.Receipt) {
	if err := q.hub.Ack(r.Branch, r.Data); err != nil {
		q.log.Warn("receipt not sent; the next heartbeat brings it", "branch", r.Branch, "err", err)
	}
}

// upStream is the UP there is at this moment; "" before the hub runs.
func (q *HQ) upStream() string {
	if q.hub == nil {
		return ""
	}
	return q.hub.UpID()
}

// post pokes the branches that have something to pull, and every linked branch at each beat, and sends receipts that
// were held.
func (q *HQ) post(ctx context.Context) error {
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	pace := time.NewTimer(paceEvery)
	defer pace.Stop()
	for n := uint64(1); ; {
		select {
		case <-ctx.Done():
			return nil
		case <-q.acks.armed:
			pace.Reset(paceEvery)
		case <-pace.C:
			q.acks.take()
		case <-q.feed.Touched():
			list := q.feed.Whom()
			for _, b := range list {
				q.tell(ctx, b, len(list) <= pushMost)
			}
		case <-beat.C:
			p := &wirev1.Poke{Epoch: int64(q.store.Epoch()), Beat: n}
			n++
			for b := range q.linked() {
				q.pokeOne(b, p)
			}
		}
	}
}

// tell pokes a branch that has something to pull, with the page in the poke where that saves it the asking.
func (q *HQ) tell(ctx context.Context, b schema.BranchID, push bool) {
	p := &wirev1.Poke{Epoch: int64(q.store.Epoch()), Rev: int64(q.store.Rev())}
	if push {
		with, err := q.pokeOf(ctx, b)
		if err != nil && ctx.Err() == nil {
			q.log.Warn("no page in the poke; the branch asks for it", "branch", b, "err", err)
		}
		if err == nil {
			p = with
		}
	}
	q.pokeOne(b, p)
}

func (q *HQ) pokeOf(ctx context.Context, b schema.BranchID) (*wirev1.Poke, error) {
	z, err := q.codecs.take()
	if err != nil {
		return nil, err
	}
	defer q.codecs.pool.Put(z)
	return q.feed.Poke(ctx, b, z)
}

func (q *HQ) pokeOne(b schema.BranchID, p *wirev1.Poke) {
	raw, err := proto.Marshal(p)
	if err == nil {
		err = q.hub.Poke(b, raw)
	}
	if err != nil {
		q.log.Warn("branch not poked", "branch", b, "err", err)
	}
}

// linked are the branches with a link that stands.
func (q *HQ) linked() map[schema.BranchID]bool {
	out := map[schema.BranchID]bool{}
	for _, l := range q.hub.Leaves() {
		out[l.Branch] = true
	}
	return out
}
