// Package serve is the HTTP side of a site, the same for a branch's node and HQ: listener, sign-in, the rule check of
// every call and page, validation, limits, errors, /openapi.json, /healthz, /readyz, /metrics, /ca.crt, the account
// service, run.json, and the client that commands, pages and other programs use.
//
// Rules:
//   - Plain HTTP on loopback only, and there only for requests addressed to loopback (a page elsewhere may point its own
//     name at 127.0.0.1); any other address is TLS or is refused at the start.
//   - A request from another site's page that could change anything is refused before all else. No GET changes state.
//   - Who is asking is found once, in front of everything; whether they may is the table of schema/access, asked by
//     procedure or route before a byte of the message is read.
//   - Every request message is validated against its schema; sizes and times are bounded, and how fast one account may
//     look up and take lists away.
//   - Errors: schema's sentinels become codes by the one table in errors.go, with what is wrong in each field as details;
//     anything else is logged in full and shown as "internal error".
//
// It promises that no handler runs for a caller whom the rules do not let in, that a panic takes down one request only,
// and that its own log lines hold no field of a request. It knows nothing of records.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"connectrpc.com/connect"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/account"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/schema/look"
)

const (
	maxBody   = 1 << 20
	maxImport = 8 << 20
	maxUpload = 64 << 20 // several files of attachments at once
	maxHeader = 32 << 10
	maxAnswer = 64 << 20
	grace     = 5 * time.Second // for requests under way when the site stops
)

// Config says what a site serves. Site, Accounts, Now, Rand and Log are required.
type Config struct {
	Site access.Site
	// Listen is host:port, port 0 for any free one; "" serves only through Handler and Client.
	Listen string
	// TLS is used on every address but loopback; nil: there is no certificate, and such addresses are refused.
	TLS *tls.Config
	// Host is the name people reach the site by, when that is not the host of Listen.
	Host string
	// CA is the PEM of the group's certificate authority; nil or an empty answer: there is none yet.
	CA func() []byte

	Accounts *account.Accounts

	// Handlers of the API's services; a nil one is not served. AccountService is served from Accounts.
	Records      branchlinev1connect.RecordServiceHandler
	Sites        branchlinev1connect.SiteServiceHandler
	Headquarters branchlinev1connect.HeadquartersServiceHandler
	Match        branchlinev1connect.MatchServiceHandler
	Counter      branchlinev1connect.CounterServiceHandler
	Workshop     branchlinev1connect.WorkshopServiceHandler

	// Pages registers the site's pages. The client it is given calls this very API, in process, as whoever asked for the
	// page: hand on the request's context. Nil: no pages.
	Pages func(p *access.Pages, api *Client) error

	// Ready tells whether the site can do its work; nil: it can as soon as it listens. The error's text is public.
	Ready func(context.Context) error

	// Dir is the site's folder, for run.json; "": none is written. Version and CAFingerprint go into it.
	Dir           string
	Version       string
	CAFingerprint string // hex SHA-256 of the CA's certificate, if there is one

	Metrics *prometheus.Registry // own one if nil
	Now     func() time.Time
	Rand    io.Reader
	Log     *slog.Logger
}

// Server serves one site. Its methods but Run may be used from any goroutine.
type Server struct {
	c       Config
	secure  bool // TLS
	rpc     http.Handler
	handler http.Handler
	openapi []byte
	api     *Client
	boot    string
	ready   atomic.Bool
	up      chan struct{}   // closed when Run serves
	stop    context.Context // ends when Run begins to stop
	stopped context.CancelFunc
	refs    atomic.Int64
	took    *prometheus.HistogramVec
	looks   *allowances // look-ups by account
	rows    *allowances // rows of lists by account
	lis     net.Listener
}

// New checks everything and puts the site together. It starts nothing; Close frees the address if Listen was called and
// Run never is.
func New(c Config) (*Server, error) {
	if c.Accounts == nil || c.Now == nil || c.Rand == nil || c.Log == nil {
		return nil, errors.New("serve: config needs Accounts, Now, Rand and Log")
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	s := &Server{c: c, up: make(chan struct{}), looks: newAllowances(c.Now, lookBurst, lookEvery), rows: newAllowances(c.Now, rowBurst, rowEvery)}
	var err error
	if c.Listen != "" {
		if s.secure, err = needsTLS(c.Listen); err != nil {
			return nil, err
		}
		if s.secure && c.TLS == nil {
			return nil, schema.Invalid("listen", "%s is not a loopback address: pages and API are served over HTTPS "+
				"there, and this site has no certificate; listen on 127.0.0.1, or enrol the site first", c.Listen)
		}
	}
	boot := make([]byte, 8)
	if _, err := io.ReadFull(c.Rand, boot); err != nil {
		return nil, fmt.Errorf("serve: randomness: %w", err)
	}
	s.boot = fmt.Sprintf("%x", boot)
	s.stop, s.stopped = context.WithCancel(context.Background())
	if err := s.measure(); err != nil {
		return nil, err
	}
	rpc, services := s.calls()
	s.rpc = rpc
	if s.openapi, err = openapi(c.Site, services); err != nil {
		return nil, err
	}
	s.api = newClient("http://in.process", inProcess{s.rpc}, false)
	mux := http.NewServeMux()
	for _, name := range services {
		mux.Handle("POST /"+name+"/", rpc)
		mux.Handle("GET /"+name+"/", rpc) // methods without side effects only: Connect sees to that
	}
	if err := s.routes(access.NewPages(c.Site, mux)); err != nil {
		return nil, err
	}
	// Outermost first: cross-origin, headers, host, panics and measures, time, who it is.
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(look.Secure(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the request comes from a page of another site", http.StatusForbidden)
	})))
	s.handler = cross.Handler(look.Secure(s.checkHost(s.watch(s.bound(s.who(notePattern(mux)))))))
	return s, nil
}

// routes registers what every site has, then the site's own pages.
func (s *Server) routes(p *access.Pages) error {
	metrics := promhttp.HandlerFor(s.c.Metrics, promhttp.HandlerOpts{})
	for route, h := range map[string]http.HandlerFunc{
		"GET /healthz": func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") },
		"GET /readyz":  s.readyz,
		"GET /openapi.json": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(s.openapi) // fails only when the reader has gone
		},
		"GET /ca.crt":  s.caCert,
		"GET /here":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"GET /metrics": metrics.ServeHTTP,
	} {
		if err := p.Handle(route, h); err != nil {
			return err
		}
	}
	if s.c.Pages == nil {
		return nil
	}
	if err := s.c.Pages(p, s.api); err != nil {
		return fmt.Errorf("serve: pages: %w", err)
	}
	return nil
}

func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if s.c.Listen != "" && !s.ready.Load() {
		text(w, http.StatusServiceUnavailable, "starting")
		return
	}
	if s.c.Ready != nil {
		if err := s.c.Ready(r.Context()); err != nil {
			text(w, http.StatusServiceUnavailable, err.Error())
			return
		}
	}
	text(w, http.StatusOK, "ready")
}

func (s *Server) caCert(w http.ResponseWriter, r *http.Request) {
	var pem []byte
	if s.c.CA != nil {
		pem = s.c.CA()
	}
	if len(pem) == 0 {
		text(w, http.StatusNotFound, "this site has no certificate authority yet")
		return
	}
	w.Header().Set("Content-Type", "application/x-x509-ca-cert")
	w.Header().Set("Content-Disposition", `attachment; filename="branchline-ca.crt"`)
	_, _ = w.Write(pem) // fails only when the reader has gone
}

func text(w http.ResponseWriter, status int, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, s+"\n") // fails only when the reader has gone
}

// Handler is the whole site, for tests and other listeners.
func (s *Server) Handler() http.Handler { return s.handler }

// API calls this site in process, with the caller that is in the context (access.With).
func (s *Server) API() *Client { return s.api }

// Up is closed when Run serves and run.json is written.
func (s *Server) Up() <-chan struct{} { return s.up }

// Boot names this run of the process.
func (s *Server) Boot() string { return s.boot }

// needsTLS tells whether an address is anything but loopback.
func needsTLS(listen string) (bool, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return false, schema.Invalid("listen", "%q is not host:port", listen)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return false, schema.Invalid("listen", "%q has no port number", listen)
	}
	return !isLoopback(host), nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Listen takes the address, so that URL is known before Run. Run does it otherwise.
func (s *Server) Listen(ctx context.Context) error {
	if s.c.Listen == "" {
		return errors.New("serve: config has no address to listen on")
	}
	var lc net.ListenConfig
	lis, err := lc.Listen(ctx, "tcp", s.c.Listen)
	if err != nil {
		return fmt.Errorf("serve: listen on %s: %w", s.c.Listen, err)
	}
	if a, ok := lis.Addr().(*net.TCPAddr); !ok || !s.secure && !a.IP.IsLoopback() {
		// A name such as localhost may stand for anything.
		return errors.Join(schema.Invalid("listen", "%s is not loopback on this machine", s.c.Listen), lis.Close())
	}
	s.lis = lis
	return nil
}

// Close gives the address back when Run was never called.
func (s *Server) Close() error {
	s.stopped()
	if s.lis == nil {
		return nil
	}
	return s.lis.Close()
}

// URL is where the site is, for people; "" before Listen.
func (s *Server) URL() string { return s.url(s.c.Host) }

func (s *Server) url(host string) string {
	if s.lis == nil {
		return ""
	}
	scheme := "http"
	if s.secure {
		scheme = "https"
	}
	a := s.lis.Addr().(*net.TCPAddr)
	if host == "" {
		host, _, _ = net.SplitHostPort(s.c.Listen) // checked by New
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(a.Port))
}

// Run serves until ctx ends, then lets requests under way finish for up to five seconds. It writes run.json when it
// listens and removes it at the end.
func (s *Server) Run(ctx context.Context) error {
	if s.lis == nil {
		if err := s.Listen(ctx); err != nil {
			return err
		}
	}
	defer s.stopped()
	base, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	srv := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100},
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          slog.NewLogLogger(s.c.Log.Handler(), slog.LevelDebug),
	}
	if s.c.Dir != "" {
		if err := s.writeRun(); err != nil {
			return errors.Join(err, s.lis.Close())
		}
	}
	done := make(chan error, 1)
	go func() {
		if s.secure {
			srv.TLSConfig = s.c.TLS.Clone()
			done <- srv.ServeTLS(s.lis, "", "")
			return
		}
		done <- srv.Serve(s.lis)
	}()
	s.ready.Store(true)
	close(s.up)
	s.c.Log.Info("listening", "room", "serve", "site", string(s.c.Site), "url", s.URL())
	var err error
	select {
	case err = <-done:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	s.ready.Store(false)
	s.stopped() // streams and long waits end now
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	if e := srv.Shutdown(end); e != nil {
		cut()
		e = errors.Join(e, srv.Close())
		s.c.Log.Warn("requests were cut off at the end", "room", "serve", "error", e)
	}
	if err == nil {
		if e := <-done; !errors.Is(e, http.ErrServerClosed) {
			err = fmt.Errorf("serve: %w", e)
		}
	}
	if s.c.Dir != "" {
		err = errors.Join(err, removeRun(s.c.Dir, s.boot))
	}
	return err
}

// calls mounts the services that there are, and names them.
func (s *Server) calls() (http.Handler, []string) {
	opts := []connect.HandlerOption{
		connect.WithRequestGate(s.gate),
		connect.WithInterceptors(connect.UnaryInterceptorFunc(s.intercept)),
		connect.WithSendMaxBytes(maxAnswer),
		connect.WithCompressMinBytes(4 << 10),
		connect.WithCodec(strictJSON{jsonName}),
		connect.WithCodec(strictJSON{jsonName + "; charset=utf-8"}),
		connect.WithConditionalHandlerOptions(func(spec connect.Spec) []connect.HandlerOption {
			return []connect.HandlerOption{connect.WithReadMaxBytes(bodyLimit(spec.Procedure))}
		}),
	}
	mux := http.NewServeMux()
	var names []string
	add := func(name, path string, h http.Handler) {
		mux.Handle(path, h)
		names = append(names, name)
	}
	path, h := branchlinev1connect.NewAccountServiceHandler(accounts{s.c.Accounts}, opts...)
	add(branchlinev1connect.AccountServiceName, path, h)
	if s.c.Records != nil {
		path, h := branchlinev1connect.NewRecordServiceHandler(s.c.Records, opts...)
		add(branchlinev1connect.RecordServiceName, path, h)
	}
	if s.c.Sites != nil {
		path, h := branchlinev1connect.NewSiteServiceHandler(s.c.Sites, opts...)
		add(branchlinev1connect.SiteServiceName, path, h)
	}
	if s.c.Headquarters != nil {
		path, h := branchlinev1connect.NewHeadquartersServiceHandler(s.c.Headquarters, opts...)
		add(branchlinev1connect.HeadquartersServiceName, path, h)
	}
	if s.c.Match != nil {
		path, h := branchlinev1connect.NewMatchServiceHandler(s.c.Match, opts...)
		add(branchlinev1connect.MatchServiceName, path, h)
	}
	if s.c.Counter != nil {
		path, h := branchlinev1connect.NewCounterServiceHandler(s.c.Counter, opts...)
		add(branchlinev1connect.CounterServiceName, path, h)
	}
	if s.c.Workshop != nil {
		path, h := branchlinev1connect.NewWorkshopServiceHandler(s.c.Workshop, opts...)
		add(branchlinev1connect.WorkshopServiceName, path, h)
	}
	return mux, names
}

func bodyLimit(procedure string) int {
	switch procedure {
	case branchlinev1connect.RecordServiceImportRowsProcedure:
		return maxImport
	case "/attachments":
		return maxUpload
	}
	return maxBody
}
