package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"branchline/schema"
)

const (
	// batchPacks and batchBytes bound one call of Packs' function.
	batchPacks = 64
	batchBytes = 16 << 20
	// outPacks bounds the packs handed out and not yet acked.
	outPacks = 256
	ackWait  = time.Minute
)

// Pack is one pack as it lay in UP.
type Pack struct {
	// Branch is the branch whose link the pack came over. Whose changes it holds
	// only its signature says.
	Branch    schema.BranchID
	Data      []byte
	Stream    string    // which UP it lay in
	StreamSeq uint64    // its place there; see Hub.Stream
	Time      time.Time // when it was put into UP, by the machine's clock

	// Ack says that the pack is worked off, whatever the outcome; UP drops it.
	// It does not block. After UP or the consumer was made anew it does nothing:
	// the pack, if it still stands in UP, comes again.
	Ack func() error
}

// Packs calls f with packs from UP in stream order, as many as wait (up to 64
// packs or 16 MiB), one call at a time, until ctx ends or the hub does. A pack
// not acked within a minute, or before a new consumer was needed, comes again.
// f may keep up to 256 packs unacked; beyond that none comes. Only one Packs may
// run at a time. It survives the deletion of UP and of its consumer.
func (h *Hub) Packs(ctx context.Context, f func(batch []Pack)) error {
	if !h.packing.CompareAndSwap(false, true) {
		return errors.New("bus: packs: already being read")
	}
	defer h.packing.Store(false)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)()
	for {
		err := h.packsOnce(ctx, f)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && h.quiet.first("packs") {
			h.log.Warn("reading UP interrupted", "err", err)
		}
		h.up.look()
		t := time.NewTimer(20 * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

// packsOnce reads with one consumer until UP or the consumer is gone.
func (h *Hub) packsOnce(ctx context.Context, f func([]Pack)) error {
	id, changed := h.up.now()
	if id == "" {
		select {
		case <-changed:
		case <-ctx.Done():
		}
		return nil
	}
	cons, err := h.consumer(ctx)
	if err != nil {
		return err
	}
	it, err := cons.Messages(jetstream.PullMaxMessages(2*batchPacks),
		jetstream.PullExpiry(2*time.Second), jetstream.PullHeartbeat(500*time.Millisecond))
	if err != nil {
		return fmt.Errorf("bus: pull from UP: %w", err)
	}
	// Stop makes Next return, so that the reading goroutine ends; both before
	// packsOnce does.
	msgs, failed, done := make(chan jetstream.Msg, 2*batchPacks), make(chan error, 1), make(chan struct{})
	go func() {
		defer close(done)
		for {
			m, err := it.Next()
			if err != nil {
				failed <- err
				return
			}
			select {
			case msgs <- m:
			case <-ctx.Done():
				failed <- ctx.Err()
				return
			case <-changed:
				failed <- errUpAnew
				return
			}
		}
	}()
	defer func() {
		it.Stop()
		<-done
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			return nil
		case err := <-failed:
			return fmt.Errorf("bus: pull from UP: %w", err)
		case m := <-msgs:
			if b := h.batch(id, m, msgs); len(b) > 0 {
				f(b)
			}
		}
	}
}

// consumer makes a new consumer under a name nobody can guess, in place of any
// other: a work queue has one, and a branch that knew its ack subject could ack
// other branches' packs away.
func (h *Hub) consumer(ctx context.Context) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	js, err := jetstream.New(h.pack)
	if err != nil {
		return nil, fmt.Errorf("bus: read UP: %w", err)
	}
	s, err := js.Stream(ctx, upStream)
	if err != nil {
		return nil, fmt.Errorf("bus: read UP: %w", err)
	}
	names := s.ConsumerNames(ctx)
	for n := range names.Name() {
		if err := s.DeleteConsumer(ctx, n); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return nil, fmt.Errorf("bus: delete old consumer of UP: %w", err)
		}
	}
	if err := names.Err(); err != nil {
		return nil, fmt.Errorf("bus: list consumers of UP: %w", err)
	}
	r, err := h.random()
	if err != nil {
		return nil, err
	}
	c, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Name:          "inbox_" + r,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       ackWait,
		MaxAckPending: outPacks,
		MaxDeliver:    -1,
		// Its state is of no use to the next start.
		MemoryStorage:     true,
		InactiveThreshold: 10 * time.Minute,
	})
	if err != nil {
		return nil, fmt.Errorf("bus: make consumer of UP: %w", err)
	}
	return c, nil
}

func (h *Hub) batch(id string, m jetstream.Msg, more <-chan jetstream.Msg) []Pack {
	var out []Pack
	size := 0
	for {
		if p, ok := h.packOf(id, m); ok {
			out = append(out, p)
			size += len(p.Data)
		}
		if len(out) >= batchPacks || size >= batchBytes {
			return out
		}
		select {
		case m = <-more:
		default:
			return out
		}
	}
}

func (h *Hub) packOf(id string, m jetstream.Msg) (Pack, bool) {
	b, ok := branchOf(m.Subject(), "up", "")
	meta, err := m.Metadata()
	if !ok || err != nil {
		// The door puts nothing else in. It must not stand in the way for ever.
		h.log.Error("strange message in UP thrown away", "err", err)
		if err := m.Ack(); err != nil {
			h.log.Error("strange message in UP stays", "err", err)
		}
		return Pack{}, false
	}
	return Pack{Branch: b, Data: m.Data(), Stream: id, StreamSeq: meta.Sequence.Stream, Time: meta.Timestamp, Ack: m.Ack}, true
}
