package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"branchline/schema"
)

// packsABranch is how many packs of one branch UP holds at most.
const packsABranch = 64

// upID is the metadata key of UP's id, drawn anew whenever UP is made anew. (The
// time of creation would depend on a clock.)
const upID = "branchline-id"

const askLimit = 2 * time.Second

// upState is what is known of UP.
type upState struct {
	mu      sync.Mutex
	id      string // "" until first made or found, and while it is made anew
	stream  jetstream.Stream
	changed chan struct{} // closed and made anew when id changes
	kick    chan struct{} // wakes Run to look at once
}

func (u *upState) now() (id string, changed <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.id, u.changed
}

// look asks Run to look after UP at once.
func (u *upState) look() {
	select {
	case u.kick <- struct{}{}:
	default:
	}
}

func (h *Hub) upConfig(id string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:                 upStream,
		Subjects:             []string{"up.*"},
		Retention:            jetstream.WorkQueuePolicy,
		Discard:              jetstream.DiscardNew,
		DiscardNewPerSubject: true,
		MaxMsgsPerSubject:    packsABranch,
		MaxBytes:             h.cfg.UpMaxBytes,
		MaxMsgSize:           maxPack,
		Storage:              jetstream.FileStorage,
		// Nobody sends message ids; 0 would mean two minutes of remembering none.
		Duplicates: 100 * time.Millisecond,
		Metadata:   map[string]string{upID: id},
	}
}

// tendUp makes UP when it is gone and notes which one it is.
func (h *Hub) tendUp(ctx context.Context) error {
	h.upMu.Lock()
	defer h.upMu.Unlock()
	if !h.srv.JetStreamEnabled() {
		// A full disk or a write error switches JetStream off.
		err := h.srv.EnableJetStream(&server.JetStreamConfig{
			StoreDir: h.cfg.Dir, Domain: "hq",
			MaxMemory: h.opts.JetStreamMaxMemory, MaxStore: h.opts.JetStreamMaxStore,
		})
		if err != nil {
			return fmt.Errorf("bus: switch JetStream on again: %w", err)
		}
		h.door.forget("")
		h.log.Warn("JetStream had been switched off, is on again")
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	s, err := h.js.Stream(ctx, upStream)
	known, _ := h.up.now()
	if err == nil {
		have := s.CachedInfo().Config
		id := have.Metadata[upID]
		broken := h.upBroken()
		switch {
		case broken != "":
			h.log.Error("stream UP takes nothing any more", "err", broken)
		case id != "" && id == known:
			return nil
		case id != "":
			if s, err = h.js.UpdateStream(ctx, h.upConfig(id)); err == nil {
				h.noteUp(id, s)
				return nil
			}
			h.log.Error("stream UP cannot be adapted, is made anew", "err", err)
		}
		if err := h.js.DeleteStream(ctx, upStream); err != nil {
			return fmt.Errorf("bus: delete UP: %w", err)
		}
	} else if !errors.Is(err, jetstream.ErrStreamNotFound) {
		return fmt.Errorf("bus: look at UP: %w", err)
	}
	id, err := h.random()
	if err != nil {
		return err
	}
	id = id[:16] // it is in every answer of the door
	// From here on an answer of UP is not to be taken for one of the former UP.
	h.noteUp("", nil)
	s, err = h.js.CreateStream(ctx, h.upConfig(id))
	if err != nil {
		return fmt.Errorf("bus: make UP: %w", err)
	}
	h.noteUp(id, s)
	if known != "" {
		h.log.Warn("stream UP was gone, made anew", "stream", id)
	}
	return nil
}

// upBroken says why UP takes nothing any more, "" when it does. After one failed
// write, as on a full disk, the server drops every later pack without an answer,
// also once there is room again, until the stream is another.
func (h *Hub) upBroken() string {
	for _, e := range h.srv.Healthz(&server.HealthzOptions{Details: true}).Errors {
		if e.Type == server.HealthzErrorStream && e.Stream == upStream {
			return e.Error
		}
	}
	return ""
}

func (h *Hub) noteUp(id string, s jetstream.Stream) {
	h.up.mu.Lock()
	if h.up.id == id {
		h.up.mu.Unlock()
		return
	}
	h.up.id, h.up.stream = id, s
	close(h.up.changed)
	h.up.changed = make(chan struct{})
	h.up.mu.Unlock()
	h.door.forget(id)
}

// Stream tells which UP this is, and the stream seqs of the first and last pack
// in it (first = last+1: empty). The id changes when UP was made anew.
// schema.ErrUnavailable: there is no UP at this moment.
func (h *Hub) Stream() (id string, firstSeq, lastSeq uint64, err error) {
	info, err := h.upInfo()
	if err != nil {
		return "", 0, 0, err
	}
	return info.Config.Metadata[upID], info.State.FirstSeq, info.State.LastSeq, nil
}

// UpID is the id of UP as last seen, "" while there is none. It asks nobody.
func (h *Hub) UpID() string {
	id, _ := h.up.now()
	return id
}

// Pending counts the packs of b that stand in UP or are on their way into it,
// those being worked on included. Called while a question of b is answered, it
// counts every pack that b sent before it. It may count a pack twice, but never
// misses one that stands.
func (h *Hub) Pending(b schema.BranchID) (int, error) {
	ctx, cancel := context.WithTimeout(h.ctx, askLimit)
	defer cancel()
	under, err := h.door.under(ctx, b)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", schema.ErrUnavailable, err)
	}
	info, err := h.upInfo(jetstream.WithSubjectFilter(upSubject(b)))
	if err != nil {
		return 0, err
	}
	return under + int(info.State.Subjects[upSubject(b)]), nil
}

func (h *Hub) upInfo(o ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(h.ctx, askLimit)
	defer cancel()
	h.up.mu.Lock()
	s := h.up.stream
	h.up.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("bus: look at UP: %w", errUpAnew)
	}
	info, err := s.Info(ctx, o...)
	if err != nil {
		h.up.look()
		return nil, fmt.Errorf("bus: look at UP: %w: %w", schema.ErrUnavailable, err)
	}
	return info, nil
}

// DeleteUp deletes UP with everything in it. Run makes it anew. It is for tests
// under load: nothing may be lost by it.
func (h *Hub) DeleteUp() error {
	ctx, cancel := context.WithTimeout(h.ctx, askLimit)
	defer cancel()
	if err := h.js.DeleteStream(ctx, upStream); err != nil {
		return fmt.Errorf("bus: delete UP: %w", err)
	}
	return nil
}
