package store

import (
	"context"
	"slices"
	"sync"

	"branchline/schema"
)

// Event says what changed since a watcher last looked.
type Event struct {
	Records []schema.RecordID // whose shown value may have changed; none with All
	All     bool              // more than can be listed
	Own     bool              // a change of this branch was committed: there is something to send
	Line    bool              // a receipt, a page, an outcome or the door: badges may have moved
}

func (e *Event) empty() bool { return !e.All && !e.Own && !e.Line && len(e.Records) == 0 }

// maxEvent is how many records an event lists before it says All.
const maxEvent = 256

func (e *Event) record(id schema.RecordID) {
	if e.All {
		return
	}
	if len(e.Records) == maxEvent {
		e.All, e.Records = true, nil
		return
	}
	e.Records = append(e.Records, id)
}

func (e *Event) add(o Event) {
	e.Own = e.Own || o.Own
	e.Line = e.Line || o.Line
	if o.All {
		e.All, e.Records = true, nil
	}
	for _, id := range o.Records {
		if !slices.Contains(e.Records, id) {
			e.record(id)
		}
	}
}

// hub tells watchers. Nothing is lost: what a slow watcher has not taken adds up.
type hub struct {
	mu       sync.Mutex
	watchers map[*Watcher]bool
	closed   bool
}

func newHub() *hub { return &hub{watchers: map[*Watcher]bool{}} }

// Watcher is one listener's share of events.
type Watcher struct {
	h     *hub
	want  func(Event) bool // nil: everything
	event Event
	ready chan struct{} // holds one when event is not empty
}

// Changes begins to listen: everything committed after the call is told. Close it.
func (s *Store) Changes() *Watcher { return s.ChangesOf(nil) }

// ChangesOf is Changes of the events that want lets through; who is woken for nothing at every commit takes the time
// of those who wait for it. want is called by the writer: it looks at the event and no further.
func (s *Store) ChangesOf(want func(Event) bool) *Watcher {
	w := &Watcher{h: s.hub, want: want, ready: make(chan struct{}, 1)}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if s.hub.closed {
		close(w.ready)
		return w
	}
	s.hub.watchers[w] = true
	return w
}

// Ready holds a token when Take has something, and is closed with the store.
func (w *Watcher) Ready() <-chan struct{} { return w.ready }

// Take gives what changed since the last Take; possibly nothing.
func (w *Watcher) Take() Event {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	e := w.event
	w.event = Event{}
	return e
}

// Next blocks until something changed or ctx ends. The store's end is schema.ErrUnavailable.
func (w *Watcher) Next(ctx context.Context) (Event, error) {
	for {
		select {
		case <-ctx.Done():
			return Event{}, ctx.Err()
		case _, ok := <-w.ready:
			if !ok {
				return Event{}, schema.ErrUnavailable
			}
			if e := w.Take(); !e.empty() {
				return e, nil
			}
		}
	}
}

// Close ends the listening. Ready stays open and silent.
func (w *Watcher) Close() {
	w.h.mu.Lock()
	defer w.h.mu.Unlock()
	delete(w.h.watchers, w)
}

func (h *hub) publish(e Event) {
	if e.empty() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		if w.want != nil && !w.want(e) {
			continue
		}
		w.event.add(e)
		select {
		case w.ready <- struct{}{}:
		default:
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	for w := range h.watchers {
		close(w.ready)
	}
	h.watchers = map[*Watcher]bool{}
}
