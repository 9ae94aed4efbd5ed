package front

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/schema/look"
)

const (
	// tick is how often an open page hears what time does to it, and that its session still lives.
	tick = 10 * time.Second
	// calm is how long events are gathered before a page is made anew: an import must not make it fifty times a second.
	calm = 400 * time.Millisecond
	// busy is the longest they are gathered while they keep coming.
	busy = 4 * time.Second
	// idle is how many times as long as it took to make a page the stream waits before it makes it again: open pages take
	// a small part of the machine, however much there is to count. No page waits longer than tick: one that took long in a
	// busy moment is not old for half a minute after it.
	idle = 10
)

// Event says what may have changed since the last one. It may be sent once too often, never too seldom.
type Event struct {
	Line    bool // how the line stands, or what became of a change
	Records bool // what some record shows
}

// Changes tells open pages that there is something to fetch.
type Changes interface {
	// Subscribe gives events from now on, until ctx ends; then the channel is closed. A slow reader loses none: events
	// it has not taken yet add up into one.
	Subscribe(ctx context.Context) <-chan Event
}

// WantsStream tells a request for a stream of live parts from one for a page.
func WantsStream(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

// Stream keeps one open page fresh.
type Stream struct {
	Ask *Ask
	// Make makes the page as it is now; nil: only the line is kept fresh. ErrNotFound: it is no longer to be had.
	Make func() (*look.Page, look.View, error)
	// Frame is what stands around a page that is not live.
	Frame func() look.Frame
	// Parts are the templates of the page that are sent when something changed, by the id of the element they fill; Clock
	// those that are sent as time goes by, too. Inputs stand outside of them, so that nothing typed is ever replaced.
	Parts, Clock []string

	Changes  Changes // nil: the page only follows the clock
	Accounts branchlinev1connect.AccountServiceHandler
	Now      func() time.Time
	Log      *slog.Logger

	sent map[string]uint64
	n    int
}

// Turn makes the request of a stream stand for the page it is open on: one of routes, "GET /customers/{id}". It gives
// the route's place, -1 for a page that is not among them, ErrForbidden for one the caller may not see.
func (a *Ask) Turn(routes []string) (int, error) {
	on := a.Query("on")
	if on == "" {
		return -1, nil
	}
	u, err := url.Parse(look.SafeNext(on))
	if err != nil {
		return -1, schema.Invalid("on", "is no page of this site")
	}
	for i, route := range routes {
		name, value, ok := match(route, u.Path)
		if !ok {
			continue
		}
		if !a.May(route) {
			return -1, schema.ErrForbidden
		}
		r := a.R.Clone(a.R.Context())
		r.URL = u
		if name != "" {
			r.SetPathValue(name, value)
		}
		a.R = r
		return i, nil
	}
	return -1, nil
}

// View is a page that keeps itself fresh, of a site whose handlers take an A; see Stream for its parts.
type View[A any] struct {
	Route string
	Make  func(A) (*look.Page, look.View, error)
	Parts []string // sent when something changed
	Clock []string // sent as time goes by, too: a branch that falls silent changes nothing
}

// Follow streams the one of views that the page is open on, or only the line for another page. ready is called when
// a.R stands for the page, each time before it is made. It blocks until the page, the site or the session ends.
func Follow[A any](s *Stream, a A, views []View[A], ready func()) error {
	routes := make([]string, len(views))
	for i, v := range views {
		routes[i] = v.Route
	}
	at, err := s.Ask.Turn(routes)
	if err != nil {
		return err
	}
	if at >= 0 {
		v := views[at]
		s.Parts, s.Clock = v.Parts, v.Clock
		s.Make = func() (*look.Page, look.View, error) {
			ready()
			return v.Make(a)
		}
	}
	return s.Run()
}

// match finds in a path what a route of ours leaves open at its end: "GET /customers/{id}".
func match(route, path string) (name, value string, ok bool) {
	route = strings.TrimPrefix(route, "GET ")
	if route == "/{$}" {
		return "", "", path == "/"
	}
	prefix, name, open := strings.Cut(route, "{")
	if !open {
		return "", "", path == route
	}
	value, ok = strings.CutPrefix(path, prefix)
	return strings.TrimSuffix(name, "}"), value, ok && value != "" && !strings.Contains(value, "/")
}

// Run streams what has changed of the page. It blocks until the page, the site or the session ends. Its answer has
// begun: what goes wrong is logged, since no page can be shown.
func (s *Stream) Run() error {
	a := s.Ask
	s.sent = map[string]uint64{}
	h := a.W.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	a.W.WriteHeader(http.StatusOK)
	err := s.run()
	if err != nil && a.R.Context().Err() == nil && !errors.Is(err, errGone) {
		s.Log.WarnContext(a.R.Context(), "live page ended", "room", "web", "site", a.Site, "error", err)
	}
	return nil
}

func (s *Stream) run() error {
	rc := http.NewResponseController(s.Ask.W)
	ctx, cancel := context.WithCancel(s.Ask.R.Context())
	defer cancel()
	var changes <-chan Event
	if s.Changes != nil {
		changes = s.Changes.Subscribe(ctx)
	}
	every := time.NewTicker(tick)
	defer every.Stop()
	var quiet <-chan time.Time
	var due Event
	gather, last := calm, time.Time{}
	// What changed since the page was made, and before this began to listen, is sent now.
	pause, err := s.send(Event{Line: true, Records: true}, false)
	for {
		if err != nil {
			return err
		}
		if err := rc.Flush(); err != nil {
			return errors.Join(errGone, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case e, open := <-changes:
			if !open {
				return nil
			}
			due.Line, due.Records = due.Line || e.Line, due.Records || e.Records
			if quiet == nil {
				quiet = time.After(pause)
			}
			continue
		case <-quiet:
			quiet = nil
			if s.over() {
				return nil
			}
			// Events that keep coming are gathered for longer and longer: nobody reads four pages a second.
			if now := s.Now(); now.Sub(last) < 2*busy {
				gather = min(2*gather, busy)
			} else {
				gather = calm
			}
			last = s.Now()
			pause, err = s.send(due, false)
			pause = max(pause, gather)
			due = Event{}
		case <-every.C:
			if s.over() {
				return nil
			}
			_, err = s.send(Event{Line: true}, true)
		}
	}
}

var errGone = errors.New("front: the reader has gone")

// over tells whether the session has ended: somebody else may sit there now. The stream itself is no use of a session.
func (s *Stream) over() bool {
	if s.Ask.Who.Local || s.Ask.Who.Session == "" {
		return false
	}
	res, err := s.Accounts.ListSessions(s.Ask.R.Context(), &branchlinev1.Empty{})
	if err != nil {
		return errors.Is(err, schema.ErrUnsigned) || errors.Is(err, schema.ErrForbidden)
	}
	for _, x := range res.GetSessions() {
		if x.GetCurrent() {
			return false
		}
	}
	return true
}

// send makes the page anew and sends the parts that are not as they were sent last. byClock leaves out those that only a
// change can move. It tells how long to wait before the next.
func (s *Stream) send(e Event, byClock bool) (time.Duration, error) {
	began := s.Now()
	s.Ask.Now, s.Ask.ByClock = began.UnixMilli(), byClock
	err := s.parts(e, byClock)
	return max(calm, min(tick, idle*s.Now().Sub(began))), err
}

func (s *Stream) parts(e Event, byClock bool) error {
	if s.Make == nil || byClock && len(s.Clock) == 0 {
		return s.frame(s.Frame())
	}
	page, data, err := s.Make()
	if errors.Is(err, schema.ErrNotFound) {
		return nil // it has left what this site may see; the next click says so
	}
	if errors.Is(err, schema.ErrExhausted) || errors.Is(err, schema.ErrUnavailable) {
		return nil // too much was asked by this account just now: the next change or tick brings it
	}
	if err != nil {
		return err
	}
	if e.Line {
		if err := s.frame(look.FrameOf(data)); err != nil {
			return err
		}
	}
	names := s.Clock
	if !byClock {
		names = append(append([]string(nil), s.Parts...), names...)
	}
	for _, name := range names {
		var b bytes.Buffer
		if err := page.Write(&b, name, s.Ask.Lang, data); err != nil {
			return err
		}
		if err := s.part(name, "innerMorph", b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// frame sends how the line stands: the words in the top bar and the strip under it.
func (s *Stream) frame(f look.Frame) error {
	line, strip, err := s.Ask.Look.Line(f)
	if err != nil {
		return err
	}
	if err := s.part("line", "outerMorph", line); err != nil {
		return err
	}
	return s.part("strip", "innerMorph", strip)
}

// part sends one element, unless it is as it was. The first time is for good measure: the page has it, but may be older.
func (s *Stream) part(target, swap string, html []byte) error {
	h := fnv.New64a()
	_, _ = h.Write(html) // never fails
	if s.sent[target] == h.Sum64() {
		return nil
	}
	s.sent[target] = h.Sum64()
	s.n++
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %d\n", s.n)
	whole := fmt.Sprintf(`<hx-partial hx-target="#%s" hx-swap="%s">%s</hx-partial>`, target, swap, html)
	for line := range strings.SplitSeq(whole, "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteByte('\n')
	if _, err := s.Ask.W.Write(b.Bytes()); err != nil {
		return errors.Join(errGone, err)
	}
	return nil
}
