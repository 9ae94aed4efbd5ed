package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"branchline/schema"
	"branchline/schema/access"
)

// bodyTime is how long a request's body may take to arrive.
const bodyTime = 2 * time.Minute

// origin is what a request says of where it comes from, for sign-in.
type origin struct {
	source string // address without port; of IPv6 the /64
	token  string // session the browser had
	desk   string // what the browser is known by
}

type originKey struct{}

func originOf(ctx context.Context) origin {
	o, _ := ctx.Value(originKey{}).(origin)
	return o
}

// checkHost refuses names that are not loopback on a plain listener: a name of the attacker's that resolves to 127.0.0.1
// would make their page the same origin as ours.
func (s *Server) checkHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.secure {
			host := r.Host
			if h, _, err := net.SplitHostPort(host); err == nil {
				host = h
			}
			if !isLoopback(strings.Trim(host, "[]")) {
				text(w, http.StatusMisdirectedRequest, "this site answers to 127.0.0.1 and localhost only")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// answer remembers the status of an answer. ResponseController reaches what it wraps.
type answer struct {
	http.ResponseWriter
	status  int
	pattern string // of the mux
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(b)
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Flush lets streams through that ask for http.Flusher.
func (a *answer) Flush() {
	_ = http.NewResponseController(a.ResponseWriter).Flush() // a writer that cannot flush sends at the end
}

// notePattern tells the answer which route it is of: the mux writes that into the innermost request only.
func notePattern(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, ok := w.(*answer); ok {
			defer func() { a.pattern = r.Pattern }()
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) measure() error {
	s.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "branchline_serve_request_seconds",
		Help:    "Time from request to answer, by procedure or route and status.",
		Buckets: []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30, 60},
	}, []string{"what", "status"})
	for _, c := range []prometheus.Collector{
		s.took, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	} {
		var twice prometheus.AlreadyRegisteredError
		if err := s.c.Metrics.Register(c); err != nil && !errors.As(err, &twice) {
			return fmt.Errorf("serve: metrics: %w", err)
		}
	}
	return nil
}

// watch measures requests and keeps a panic from ending more than one of them.
func (s *Server) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{ResponseWriter: w}
		start := s.c.Now()
		defer func() {
			p := recover()
			if p == http.ErrAbortHandler {
				panic(p)
			}
			if p != nil {
				ref := s.logPanic(p, r.URL.Path)
				if a.status == 0 {
					http.Error(a, fmt.Sprintf("internal error (ref %d)", ref), http.StatusInternalServerError)
					p = nil
				}
			}
			s.took.WithLabelValues(s.label(a.pattern, r.URL.Path), strconv.Itoa(a.status)).Observe(s.c.Now().Sub(start).Seconds())
			if p != nil {
				panic(http.ErrAbortHandler) // half an answer is out: cut the connection
			}
		}()
		next.ServeHTTP(a, r)
	})
}

// label is one of the table's keys, so that nobody can make up labels.
func (s *Server) label(pattern, path string) string {
	for _, what := range []string{pattern, path} {
		if access.HasRule(s.c.Site, what) {
			return what
		}
	}
	return "other"
}

// logPanic never prints the value of a panic, which may be anything, unless the runtime made it.
func (s *Server) logPanic(p any, path string) int64 {
	ref := s.refs.Add(1)
	what := fmt.Sprintf("%T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	if !access.HasRule(s.c.Site, path) {
		path = "page" // its path may name a record
	}
	s.c.Log.Error("panic", "room", "serve", "ref", ref, "what", path, "panic", what, "stack", string(debug.Stack()))
	return ref
}

// bound limits how long a request's body may take to come and its answer to go, and ends streams when the site stops.
// Deadlines are set to the past by timers, so that no clock is read.
func (s *Server) bound(next http.Handler) http.Handler {
	past := time.Unix(1, 0)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		stream := strings.Contains(r.Header.Get("Accept"), "text/event-stream")
		if !stream {
			t := time.AfterFunc(timeLimit(r.URL.Path)+bodyTime, func() {
				_ = rc.SetWriteDeadline(past) // a writer without deadlines is a test's
			})
			defer t.Stop()
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		if stream {
			defer context.AfterFunc(s.stop, cancel)()
		}
		// A request of its own: net/http looks at the first one's body to see whether it was read to its end, and would
		// otherwise take the rest of it for the next request.
		in := r.WithContext(ctx)
		if r.Body != nil && r.Body != http.NoBody {
			t := time.AfterFunc(bodyTime, func() {
				_ = rc.SetReadDeadline(past) // likewise
			})
			defer t.Stop()
			in.Body = http.MaxBytesReader(w, &timedBody{r.Body, t}, int64(bodyLimit(r.URL.Path))+64<<10)
		}
		next.ServeHTTP(w, in)
	})
}

// timedBody stops the clock of the body when it has come.
type timedBody struct {
	body interface {
		Read([]byte) (int, error)
		Close() error
	}
	t *time.Timer
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil {
		b.t.Stop()
	}
	return n, err
}

func (b *timedBody) Close() error { b.t.Stop(); return b.body.Close() }

// who finds the caller: by bearer token, else by cookie. A bearer token that opens nothing is an error even where nobody
// need sign in; a cookie that opens nothing is as none.
func (s *Server) who(next http.Handler) http.Handler {
	write := connect.NewErrorWriter()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o := origin{source: source(r.RemoteAddr)}
		token, bearer := bearerOf(r)
		if !bearer {
			token = cookieOf(r, "")
			o.token, o.desk = token, cookieOf(r, deskMark)
		}
		ctx := context.WithValue(r.Context(), originKey{}, o)
		if token != "" || bearer {
			c, err := s.c.Accounts.Authenticate(ctx, token)
			switch {
			case err == nil:
				ctx = access.With(ctx, c)
			case errors.Is(err, schema.ErrUnsigned) && !bearer:
			default:
				ce := s.edge(ctx, "sign-in", err)
				if write.IsSupported(r) {
					if err := write.Write(w, r, ce); err != nil {
						s.c.Log.Debug("answer not sent", "room", "serve", "error", err)
					}
					return
				}
				http.Error(w, ce.Message(), statusOf(ce.Code()))
				return
			}
		}
		if r.URL.Path == "/metrics" && !access.CallerFrom(ctx).Known() && isLoopback(o.source) {
			// A program on this machine may measure it.
			ctx = access.With(ctx, access.Caller{
				Account: access.LocalName, Roles: access.RolesOf(s.c.Site),
			})
		}
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

func bearerOf(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// source is what tries are counted by: an address, of IPv6 the network one subscriber has.
func source(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.To4() != nil || ip.IsLoopback() {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String() + "/64"
}
