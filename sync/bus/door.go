package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/nats-io/nats.go"

	"branchline/schema"
)

// maxKnocks bounds the packs on their way into UP at one moment.
const maxKnocks = 16384

var (
	errUpAnew = fmt.Errorf("the stream is being made anew: %w", schema.ErrUnavailable)
	errUpFull = fmt.Errorf("headquarters' stream is full: %w", schema.ErrExhausted)
)

// door takes packs off the branches' hands and puts them into UP: see the
// package's second rule. One goroutine takes them, in the order they came over
// each link; one passes UP's answers back.
type door struct {
	hub   *Hub
	nc    *nats.Conn
	inbox string // where UP answers, known to nobody else

	mu     sync.Mutex
	next   uint64
	knocks map[uint64]knock
	fences map[string]chan struct{} // by reply subject
}

// knock is one pack on its way into UP.
type knock struct {
	branch schema.BranchID
	reply  string // the branch's, rewritten by the server
	up     string // id of the UP it was sent to
}

// fenceSubject comes in at the door like a pack, but is no branch's.
const fenceSubject = "door.-"

func newDoor(h *Hub, nc *nats.Conn) (*door, error) {
	r, err := h.random()
	if err != nil {
		return nil, err
	}
	d := &door{hub: h, nc: nc, inbox: "_DOOR." + r, knocks: map[uint64]knock{}, fences: map[string]chan struct{}{}}
	in, err := nc.Subscribe("door.*", d.take)
	if err != nil {
		return nil, err
	}
	out, err := nc.Subscribe(d.inbox+".*", d.answer)
	if err != nil {
		return nil, err
	}
	for _, s := range []*nats.Subscription{in, out} {
		// Beyond this packs are dropped, and sent again when the watermark stands.
		if err := s.SetPendingLimits(-1, hubPending); err != nil {
			return nil, err
		}
	}
	// Answers that were under way when the server cut this client are lost.
	nc.SetReconnectHandler(func(*nats.Conn) { d.forget("") })
	return d, nc.Flush()
}

func (d *door) conn() *nats.Conn {
	if d == nil {
		return nil
	}
	return d.nc
}

func (d *door) take(m *nats.Msg) {
	if strings.HasPrefix(m.Reply, d.inbox) {
		d.mu.Lock()
		defer d.mu.Unlock()
		if c := d.fences[m.Reply]; c != nil {
			close(c)
			delete(d.fences, m.Reply)
		}
		return
	}
	b, ok := branchOf(m.Subject, "door", "")
	if !ok || !strings.HasPrefix(m.Reply, replyMark) {
		d.hub.drop("door")
		return
	}
	if len(m.Data) > maxPack {
		d.refuse(m.Reply, fmt.Errorf("pack of %d bytes: %w", len(m.Data), schema.ErrTooLarge))
		return
	}
	up, _ := d.hub.up.now()
	d.mu.Lock()
	full := len(d.knocks) >= maxKnocks
	if up != "" && !full {
		d.next++
		d.knocks[d.next] = knock{b, m.Reply, up}
	}
	n := d.next
	d.mu.Unlock()
	switch {
	case up == "":
		d.refuse(m.Reply, errUpAnew)
	case full:
		d.refuse(m.Reply, errUpFull)
	default:
		// The bare payload: no header of the branch goes into UP.
		if err := d.nc.PublishRequest(upSubject(b), d.inbox+"."+strconv.FormatUint(n, 10), m.Data); err != nil {
			d.claim(n)
			d.refuse(m.Reply, fmt.Errorf("%w: %w", schema.ErrUnavailable, err))
		}
	}
}

// under counts the packs of b on their way into UP, once everything that HQ's
// server received before this call has been taken. A question and the packs
// sent before it reach HQ's code on different connections; this puts them in
// order again.
func (d *door) under(ctx context.Context, b schema.BranchID) (int, error) {
	c := make(chan struct{})
	d.mu.Lock()
	d.next++
	reply := d.inbox + ".f" + strconv.FormatUint(d.next, 10)
	d.fences[reply] = c
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.fences, reply)
	}()
	if err := d.nc.PublishRequest(fenceSubject, reply, nil); err != nil {
		return 0, fmt.Errorf("bus: wait at the door: %w", err)
	}
	select {
	case <-c:
	case <-ctx.Done():
		return 0, fmt.Errorf("bus: wait at the door: %w", ctx.Err())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, k := range d.knocks {
		if k.branch == b {
			n++
		}
	}
	return n, nil
}

func (d *door) claim(n uint64) (knock, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	k, ok := d.knocks[n]
	delete(d.knocks, n)
	return k, ok
}

// answer passes UP's answer to the branch that knocked.
func (d *door) answer(m *nats.Msg) {
	n, err := strconv.ParseUint(m.Subject[len(d.inbox)+1:], 10, 64)
	if err != nil {
		return // not ours: nobody else knows the inbox
	}
	k, ok := d.claim(n)
	if !ok {
		return // told errUpAnew already
	}
	seq, err := stored(m)
	if err == nil {
		if id, _ := d.hub.up.now(); id != k.up {
			err = errUpAnew
		}
	}
	if errors.Is(err, schema.ErrUnavailable) {
		d.hub.up.look()
	}
	if err != nil {
		d.refuse(k.reply, err)
		return
	}
	d.send(&nats.Msg{Subject: k.reply, Data: fmt.Appendf(nil, "%s %d", k.up, seq)})
}

// stored reads JetStream's answer to a publish.
func stored(m *nats.Msg) (seq uint64, err error) {
	if m.Header.Get("Status") == "503" {
		return 0, errUpAnew
	}
	var a struct {
		Stream string
		Seq    uint64
		Error  *struct {
			Code        int
			ErrCode     int `json:"err_code"`
			Description string
		}
	}
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return 0, fmt.Errorf("answer of UP: %w", err)
	}
	switch {
	case a.Error == nil && a.Stream == upStream && a.Seq > 0:
		return a.Seq, nil
	case a.Error == nil:
		return 0, errors.New("answer of UP: neither stored nor refused")
	case strings.Contains(a.Error.Description, "maximum"):
		// The limit of the branch (64 packs) or of the stream (bytes).
		return 0, fmt.Errorf("%w (%s)", errUpFull, a.Error.Description)
	default:
		return 0, fmt.Errorf("UP: %s (%d): %w", a.Error.Description, a.Error.ErrCode, schema.ErrUnavailable)
	}
}

func (d *door) refuse(reply string, err error) {
	m, told := refusal(reply, err)
	if !told {
		d.hub.log.Error("pack not taken", "err", err)
	}
	d.send(m)
}

func (d *door) send(m *nats.Msg) {
	if err := d.nc.PublishMsg(m); err != nil && d.hub.ctx.Err() == nil {
		d.hub.log.Error("answer to a pack not sent", "err", err)
	}
}

// forget answers, as not taken, what was on its way into any UP but keep: its
// own answer may never come. The branch sends such a pack again; twice is no harm.
func (d *door) forget(keep string) {
	if d == nil {
		return
	}
	d.mu.Lock()
	var lost []string
	for n, k := range d.knocks {
		if k.up != keep {
			lost = append(lost, k.reply)
			delete(d.knocks, n)
		}
	}
	d.mu.Unlock()
	for _, r := range lost {
		d.refuse(r, errUpAnew)
	}
}
