package bus

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"branchline/schema"
)

const (
	// callsABranch is how many questions of one branch are worked on at once;
	// more are refused with schema.ErrExhausted.
	callsABranch = 16
	// answerLimit is how long HQ may take for an answer.
	answerLimit = time.Minute
)

// Handler answers one question of a branch. ctx ends after a minute or with the
// hub. An error that is one of schema's sentinels is told to the branch with its
// text; any other is logged, and told as "internal error".
type Handler func(ctx context.Context, b schema.BranchID, req []byte) ([]byte, error)

// desk answers questions.
type desk struct {
	hub *Hub
	nc  *nats.Conn

	mu       sync.Mutex
	handlers map[string]Handler
	calls    map[schema.BranchID]int
	begun    bool
	closed   bool
	wg       sync.WaitGroup
}

func newDesk(h *Hub) *desk {
	return &desk{hub: h, handlers: map[string]Handler{}, calls: map[schema.BranchID]int{}}
}

// Handle answers rpc.<branch>.<verb> with f, before or after Start. The verb
// must be in HubConfig.Verbs and not yet taken. Calls run concurrently, up to 16
// of one branch; a panic is logged and answered as an internal error.
func (h *Hub) Handle(verb string, f func(ctx context.Context, b schema.BranchID, req []byte) ([]byte, error)) error {
	if !slices.Contains(h.cfg.Verbs, verb) {
		return fmt.Errorf("bus: handle %q: not among the verbs of this hub", verb)
	}
	d := h.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.handlers[verb] != nil {
		return fmt.Errorf("bus: handle %q: %w", verb, schema.ErrExists)
	}
	d.handlers[verb] = f
	if d.begun && !d.closed {
		return d.listen(verb)
	}
	return nil
}

func (d *desk) open() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.begun, d.closed = true, false // Start may have failed and been tried again
	for v := range d.handlers {
		if err := d.listen(v); err != nil {
			return err
		}
	}
	return d.nc.Flush()
}

func (d *desk) listen(verb string) error {
	s, err := d.nc.Subscribe("rpc.*."+verb, func(m *nats.Msg) { d.take(verb, m) })
	if err != nil {
		return fmt.Errorf("bus: handle %q: %w", verb, err)
	}
	return s.SetPendingLimits(-1, hubPending/4)
}

func (d *desk) take(verb string, m *nats.Msg) {
	b, ok := branchOf(m.Subject, "rpc", verb)
	if !ok || !strings.HasPrefix(m.Reply, replyMark) {
		d.hub.drop(verb)
		return
	}
	d.mu.Lock()
	f, busy := d.handlers[verb], d.calls[b] >= callsABranch
	if d.closed {
		d.mu.Unlock()
		return
	}
	if !busy {
		d.calls[b]++
		d.wg.Add(1)
	}
	d.mu.Unlock()
	if busy {
		d.refuse(verb, b, m.Reply, fmt.Errorf("too many questions at once: %w", schema.ErrExhausted))
		return
	}
	go func() {
		defer d.done(b)
		d.answer(f, verb, b, m)
	}()
}

func (d *desk) done(b schema.BranchID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls[b]--; d.calls[b] == 0 {
		delete(d.calls, b)
	}
	d.wg.Done()
}

func (d *desk) answer(f Handler, verb string, b schema.BranchID, m *nats.Msg) {
	ctx, cancel := context.WithTimeout(d.hub.ctx, answerLimit)
	defer cancel()
	out, err := call(ctx, f, b, m.Data)
	if err == nil && len(out) > maxPayload {
		err = fmt.Errorf("answer of %d bytes: %w", len(out), schema.ErrTooLarge)
	}
	if err != nil {
		d.refuse(verb, b, m.Reply, err)
		return
	}
	d.send(&nats.Msg{Subject: m.Reply, Data: out})
}

func call(ctx context.Context, f Handler, b schema.BranchID, req []byte) (out []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			// The value of a panic may hold a record; a runtime error does not.
			what := fmt.Sprintf("%T", v)
			if e, ok := v.(runtime.Error); ok {
				what = e.Error()
			}
			err = fmt.Errorf("handler panicked: %s\n%s", what, debug.Stack())
		}
	}()
	return f(ctx, b, req)
}

func (d *desk) refuse(verb string, b schema.BranchID, reply string, err error) {
	m, told := refusal(reply, err)
	if !told && !errors.Is(err, context.Canceled) {
		d.hub.log.Error("question not answered", "verb", verb, "branch", b, "err", err)
	}
	d.send(m)
}

func (d *desk) send(m *nats.Msg) {
	if err := d.nc.PublishMsg(m); err != nil && d.hub.ctx.Err() == nil {
		d.hub.log.Error("answer not sent", "err", err)
	}
}

// close lets no more questions in and waits for those under way; the hub's
// context has ended.
func (d *desk) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.wg.Wait()
}

// Ack sends HQ's receipt to b. It does not block; the receipt is lost when b is
// not linked.
func (h *Hub) Ack(b schema.BranchID, data []byte) error { return h.tell(ackSubject(b), data) }

// Poke tells b that there is something to pull; data may say more. It does not
// block; the word is lost when b is not linked.
func (h *Hub) Poke(b schema.BranchID, data []byte) error { return h.tell(pokeSubject(b), data) }

func (h *Hub) tell(subject string, data []byte) error {
	if err := h.desk.nc.Publish(subject, data); err != nil {
		return fmt.Errorf("bus: publish %s: %w", subject, err)
	}
	return nil
}
