package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strings"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

const (
	// tick is how often an open page hears how long ago HQ was heard, and that its session still lives.
	tick = 10 * time.Second
	// calm is how long events are gathered before a page is made anew: an import must not make it fifty times a second.
	calm = 400 * time.Millisecond
)

func isStream(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

// stream is one open page being kept fresh.
type stream struct {
	a    *ask
	view *view // nil: only the line
	sent map[string]uint64
	n    int
}

// events streams to an open page what has changed of it. It ends with the page, the site or the session.
func (s *Site) events(a *ask) error {
	rc := http.NewResponseController(a.w)
	ctx, cancel := context.WithCancel(a.r.Context())
	defer cancel()
	st := &stream{a: a, sent: map[string]uint64{}}
	on, err := st.turn(a.query("on"))
	if err != nil {
		return err
	}
	st.view = on
	h := a.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	a.w.WriteHeader(http.StatusOK)

	var changes <-chan Event
	if s.c.Changes != nil {
		changes = s.c.Changes.Subscribe(ctx)
	}
	every := time.NewTicker(tick)
	defer every.Stop()
	var quiet <-chan time.Time
	var due Event
	// What changed since the page was made, and before this began to listen, is sent now.
	if err := st.send(Event{Line: true, Records: true}, false); err != nil {
		return s.ended(a, err)
	}
	for {
		if err := rc.Flush(); err != nil {
			return s.ended(a, err)
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
				quiet = time.After(calm)
			}
			continue
		case <-quiet:
			quiet = nil
			if s.over(a) {
				return nil
			}
			err = st.send(due, false)
			due = Event{}
		case <-every.C:
			if s.over(a) {
				return nil
			}
			err = st.send(Event{Line: true}, true)
		}
		if err != nil {
			return s.ended(a, err)
		}
	}
}

// ended logs why a stream ended, when it was not the reader who left. Its answer has begun: no page can be shown.
func (s *Site) ended(a *ask, err error) error {
	if a.r.Context().Err() == nil && !errors.Is(err, errGone) {
		s.c.Log.WarnContext(a.r.Context(), "live page ended", "room", "web", "error", err)
	}
	return nil
}

var errGone = errors.New("web: the reader has gone")

// over tells whether the session has ended: somebody else may sit there now. The stream itself is no use of a session.
func (s *Site) over(a *ask) bool {
	if a.who.Local || a.who.Session == "" {
		return false
	}
	res, err := s.c.Accounts.ListSessions(a.r.Context(), &branchlinev1.Empty{})
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

// turn makes the stream's request stand for the page it is open on. It is nil for a page that is not a live one, and
// ErrForbidden for one the caller may not see.
func (st *stream) turn(on string) (*view, error) {
	if on == "" {
		return nil, nil
	}
	u, err := url.Parse(look.SafeNext(on))
	if err != nil {
		return nil, schema.Invalid("on", "is no page of this site")
	}
	for _, v := range st.a.s.views() {
		id, ok := match(v.route, u.Path)
		if !ok {
			continue
		}
		if !st.a.may(v.route) {
			return nil, schema.ErrForbidden
		}
		r := st.a.r.Clone(st.a.r.Context())
		r.URL = u
		st.a.r, st.a.id = r, id
		return &v, nil
	}
	return nil, nil
}

// match finds the id in a path, by a route of ours.
func match(route, path string) (id string, ok bool) {
	route = strings.TrimPrefix(route, "GET ")
	if route == "/{$}" {
		return "", path == "/"
	}
	prefix, isID := strings.CutSuffix(route, "{id}")
	if !isID {
		return "", path == route
	}
	id, ok = strings.CutPrefix(path, prefix)
	return id, ok && id != "" && !strings.Contains(id, "/")
}

// send makes the page anew and sends the parts that are not as they were sent last. byClock leaves out those that only a
// change can move.
func (st *stream) send(e Event, byClock bool) error {
	a := st.a
	a.now = a.s.c.Now().UnixMilli()
	if st.view == nil || byClock && len(st.view.clock) == 0 {
		f := a.frame("", "")
		return st.frame(f)
	}
	page, data, err := st.view.make(a)
	if errors.Is(err, schema.ErrNotFound) {
		return nil // it has left the branch's scope; the next click says so
	}
	if err != nil {
		return err
	}
	if e.Line {
		if err := st.frame(frameOf(data)); err != nil {
			return err
		}
	}
	parts := st.view.clock
	if !byClock {
		parts = append(append([]string(nil), st.view.parts...), parts...)
	}
	for _, name := range parts {
		var b bytes.Buffer
		if err := page.Write(&b, name, a.lang, data); err != nil {
			return err
		}
		if err := st.part(name, "innerMorph", b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// frame sends how the line stands: the words in the top bar and the strip under it.
func (st *stream) frame(f look.Frame) error {
	for _, x := range []struct{ name, target, swap string }{{"line", "line", "outerMorph"}, {"band", "strip", "innerMorph"}} {
		var b bytes.Buffer
		if err := st.a.s.pages.home.Write(&b, x.name, f.Lang, f); err != nil {
			return err
		}
		if err := st.part(x.target, x.swap, b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// part sends one element, unless it is as it was. The first time is for good measure: the page has it, but may be older.
func (st *stream) part(target, swap string, html []byte) error {
	h := fnv.New64a()
	_, _ = h.Write(html) // never fails
	if st.sent[target] == h.Sum64() {
		return nil
	}
	st.sent[target] = h.Sum64()
	st.n++
	var b bytes.Buffer
	fmt.Fprintf(&b, "id: %d\n", st.n)
	whole := fmt.Sprintf(`<hx-partial hx-target="#%s" hx-swap="%s">%s</hx-partial>`, target, swap, html)
	for line := range strings.SplitSeq(whole, "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteByte('\n')
	if _, err := st.a.w.Write(b.Bytes()); err != nil {
		return errors.Join(errGone, err)
	}
	return nil
}

// frameOf is the frame of a live page's view.
func frameOf(v look.View) look.Frame {
	switch v := v.(type) {
	case homeView:
		return v.Frame
	case lineView:
		return v.Frame
	case customerView:
		return v.Frame
	case vehicleView:
		return v.Frame
	case orderView:
		return v.Frame
	}
	return look.Frame{}
}
