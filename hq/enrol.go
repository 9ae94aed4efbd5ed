package hq

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/nkey"
)

const (
	// maxEnrol bounds an enrolment request.
	maxEnrol = 32 << 10
	// A source may try so often at once, and once more each enrolEvery; all sources together maxTries times as often.
	enrolBurst = 10
	enrolEvery = 6 * time.Second
	enrolAll   = 20
	// maxSources bounds the memory of who tried; beyond it the oldest are forgotten together.
	maxSources = 4096
)

// enroller takes tokens from branches' machines over HTTP, before they have a link.
type enroller struct {
	enrol func(ctx context.Context, r *wirev1.EnrolRequest, from string) (*wirev1.EnrolReply, error)
	now   func() time.Time
	log   *slog.Logger

	mu      sync.Mutex
	sources map[string]*tries
	all     tries
}

// tries is a leaky bucket.
type tries struct {
	level float64
	at    time.Time
}

func (t *tries) take(now time.Time, burst float64, every time.Duration) bool {
	t.level = max(0, t.level-max(0, now.Sub(t.at).Seconds())/every.Seconds())
	t.at = now
	if t.level+1 > burst {
		return false
	}
	t.level++
	return true
}

func (e *enroller) allowed(source string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	s := e.sources[source]
	if s == nil {
		if e.sources == nil || len(e.sources) >= maxSources {
			e.sources = map[string]*tries{}
		}
		s = &tries{}
		e.sources[source] = s
	}
	return s.take(now, enrolBurst, enrolEvery) && e.all.take(now, enrolBurst*enrolAll, enrolEvery/enrolAll)
}

// ServeHTTP answers a marshalled EnrolRequest with an EnrolReply, or with one sentence.
func (e *enroller) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	if !e.allowed(from) {
		http.Error(w, "too many tries, wait a minute", http.StatusTooManyRequests)
		return
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEnrol))
	if err != nil {
		http.Error(w, "the request cannot be read", http.StatusBadRequest)
		return
	}
	req := new(wirev1.EnrolRequest)
	if err := proto.Unmarshal(b, req); err != nil || req.GetTokenId() == "" {
		http.Error(w, "this is not an enrolment request", http.StatusBadRequest)
		return
	}
	reply, err := e.answer(r.Context(), req, from)
	if err != nil {
		e.refuse(w, from, err)
		return
	}
	out, err := proto.Marshal(reply)
	if err != nil {
		e.refuse(w, from, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(out); err != nil {
		e.log.Info("answer to an enrolment lost; the token may be used again by the same key", "err", err)
	}
}

func (e *enroller) answer(ctx context.Context, req *wirev1.EnrolRequest, from string) (*wirev1.EnrolReply, error) {
	if err := nkey.Verify(req.GetKey(), []byte(req.GetTokenId()), req.GetProof()); err != nil {
		return nil, fmt.Errorf("the key's proof does not fit: %w", schema.ErrForbidden)
	}
	return e.enrol(ctx, req, from)
}

func (e *enroller) refuse(w http.ResponseWriter, from string, err error) {
	for _, k := range []struct {
		err    error
		status int
		text   string
	}{
		// One text for every token that does not count: which ones exist is nobody's business.
		{schema.ErrNotFound, http.StatusForbidden, "this token is unknown, used or too old; ask headquarters for a new one"},
		{schema.ErrForbidden, http.StatusForbidden, "this token is unknown, used or too old; ask headquarters for a new one"},
		{schema.ErrExists, http.StatusForbidden, "this token is unknown, used or too old; ask headquarters for a new one"},
		{schema.ErrInvalid, http.StatusBadRequest, "the request is not as it should be"},
		{schema.ErrUnavailable, http.StatusServiceUnavailable, "headquarters cannot enrol now"},
	} {
		if errors.Is(err, k.err) {
			e.log.Warn("enrolment refused", "from", from, "err", err)
			http.Error(w, k.text, k.status)
			return
		}
	}
	e.log.Error("enrolment failed", "from", from, "err", err)
	http.Error(w, "internal error", http.StatusInternalServerError)
}
