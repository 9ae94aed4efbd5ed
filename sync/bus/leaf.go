package bus

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"branchline/schema"
	"branchline/sync/bus/nkey"
)

const (
	reconnectEvery = 250 * time.Millisecond
	pollEvery      = 10 * time.Millisecond
)

// LeafConfig says how a branch's end of the road is built. All but TLS and Log
// are required.
type LeafConfig struct {
	Branch schema.BranchID
	Seed   []byte      // nkey seed, "SU…"
	HubURL string      // host:port of HQ's leaf port
	TLS    *tls.Config // nil: plain, for tests and simulation only; else ca.PinnedClient
	Boot   string      // letters, digits, - and _: tells this process from a clone with the same key
	Rand   io.Reader
	Log    *slog.Logger // nil: silent
}

// Door is HQ's answer to one pack: at the door, or refused. It acknowledges
// nothing. A pack sent while the link falls may get none: see Changes.
type Door struct {
	Token  uint64 // as given to Publish
	Stream string // which UP: changes when UP was made anew
	Seq    uint64 // the pack's place in UP
	Err    error  // nil: it stands in UP. schema.ErrExhausted: no room; ErrUnavailable: UP is being made anew, or ErrNoLink
}

// Leaf is a branch's embedded server and the node's client of it. Its methods
// are safe for concurrent use.
type Leaf struct {
	cfg   LeafConfig
	log   *slog.Logger
	nonce string // of this Leaf, in its reply subjects
	quiet hush

	doors   chan Door
	acks    chan []byte
	pokes   chan []byte
	edges   chan bool
	refused atomic.Bool // HQ turned the key away since the link was last up

	build sync.Mutex // one Start, Rebuild or close at a time
	mu    sync.Mutex
	line  *line // nil: not started, or being rebuilt
	over  bool
}

// line is one life of server and client, from one Rebuild to the next.
type line struct {
	srv    *server.Server
	nc     *nats.Conn
	gone   context.Context // ends with the line
	end    context.CancelFunc
	polled chan struct{} // closed when the poller has ended

	mu   sync.Mutex
	up   context.Context // ends when the link falls; nil while it is down
	down context.CancelCauseFunc
}

var bootForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// NewLeaf checks the configuration and starts nothing.
func NewLeaf(cfg LeafConfig) (*Leaf, error) {
	if _, err := schema.ParseBranchID(string(cfg.Branch)); err != nil {
		return nil, fmt.Errorf("bus: leaf: %w", err)
	}
	if _, err := nkey.NewSigner(cfg.Seed); err != nil {
		return nil, fmt.Errorf("bus: leaf: %w", err)
	}
	if _, _, err := net.SplitHostPort(cfg.HubURL); err != nil {
		return nil, fmt.Errorf("bus: leaf: HQ's address %q: %w", cfg.HubURL, err)
	}
	if !bootForm.MatchString(cfg.Boot) {
		return nil, fmt.Errorf("bus: leaf: boot id %q is not a word", cfg.Boot)
	}
	if cfg.Rand == nil {
		return nil, errors.New("bus: leaf needs Rand")
	}
	var r [4]byte
	if _, err := io.ReadFull(cfg.Rand, r[:]); err != nil {
		return nil, fmt.Errorf("bus: leaf: randomness: %w", err)
	}
	l := &Leaf{
		cfg: cfg, log: cfg.Log, nonce: hex.EncodeToString(r[:]),
		doors: make(chan Door, 1024), acks: make(chan []byte, 256), pokes: make(chan []byte, 64), edges: make(chan bool, 64),
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.log = l.log.With("room", "bus", "branch", cfg.Branch)
	return l, nil
}

// Start brings the local server up; the link follows when HQ can be reached. It
// does not need a network. After a nil error Run must be called: it is Run that
// shuts everything down.
func (l *Leaf) Start() error {
	l.build.Lock()
	defer l.build.Unlock()
	return l.start()
}

func (l *Leaf) start() error {
	x, err := l.newLine()
	if err != nil {
		return fmt.Errorf("bus: start leaf: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line = x
	go l.poll(x)
	return nil
}

func (l *Leaf) newLine() (_ *line, err error) {
	remote := &server.RemoteLeafOpts{
		URLs:                    []*url.URL{{Scheme: "nats-leaf", Host: l.cfg.HubURL}},
		Nkey:                    string(l.cfg.Seed), // the seed itself, not a file
		DialTimeout:             2 * time.Second,
		FirstInfoTimeout:        5 * time.Second,
		IgnoreDiscoveredServers: true,
		Compression:             server.CompressionOpts{Mode: server.CompressionNotSupported},
	}
	if l.cfg.TLS != nil {
		remote.TLS, remote.TLSHandshakeFirst, remote.TLSTimeout = true, true, 10
		remote.TLSConfig = l.cfg.TLS.Clone()
	}
	srv, err := server.NewServer(&server.Options{
		ServerName:      string(l.cfg.Branch) + "-" + l.cfg.Boot,
		DontListen:      true,
		NoSigs:          true,
		NoSystemAccount: true,
		MaxPayload:      maxPayload,
		PingInterval:    pingEvery,
		MaxPingsOut:     pingsOut,
		LeafNode: server.LeafNodeOpts{
			ReconnectInterval: reconnectEvery,
			Remotes:           []*server.RemoteLeafOpts{remote},
		},
	})
	if err != nil {
		return nil, err
	}
	x := &line{srv: srv, polled: make(chan struct{})}
	x.gone, x.end = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			x.close()
		}
	}()
	srv.SetLoggerV2(&serverLog{log: l.log, onLine: l.heard}, l.log.Enabled(x.gone, slog.LevelDebug), false, false)
	srv.Start()
	if !srv.ReadyForConnections(startLimit) {
		return nil, fmt.Errorf("local server not ready within %s", startLimit)
	}
	x.nc, err = nats.Connect("", nats.InProcessServer(srv), nats.Name("node"),
		nats.CustomInboxPrefix(inboxPrefix(l.cfg.Branch)+"."+l.nonce+".r"),
		nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		return nil, err
	}
	subs := map[string]nats.MsgHandler{
		l.doorInbox() + ".*":      l.doorMsg(x),
		ackSubject(l.cfg.Branch):  func(m *nats.Msg) { latest(l.acks, m.Data) },
		pokeSubject(l.cfg.Branch): func(m *nats.Msg) { latest(l.pokes, m.Data) },
	}
	for s, f := range subs {
		if _, err := x.nc.Subscribe(s, f); err != nil {
			return nil, err
		}
	}
	return x, x.nc.Flush()
}

func (x *line) close() {
	x.end()
	if x.nc != nil {
		x.nc.Close()
	}
	x.srv.Shutdown()
	x.srv.WaitForShutdown()
}

// latest puts v into c; when c is full the oldest goes: a later receipt, poke or
// edge says all that an earlier one did.
func latest[T any](c chan T, v T) {
	for {
		select {
		case c <- v:
			return
		default:
		}
		select {
		case <-c:
		default:
		}
	}
}

func (l *Leaf) doorInbox() string { return inboxPrefix(l.cfg.Branch) + "." + l.nonce + ".d" }

func (l *Leaf) doorMsg(x *line) nats.MsgHandler {
	head := len(l.doorInbox()) + 1
	return func(m *nats.Msg) {
		token, err := strconv.ParseUint(m.Subject[head:], 16, 64)
		if err != nil {
			l.log.Error("strange answer to a pack", "err", err)
			return
		}
		d := Door{Token: token, Err: refused(m)}
		switch {
		case d.Err != nil:
		case m.Header.Get("Status") == "503":
			d.Err = ErrNoLink
		default:
			if _, err := fmt.Sscanf(string(m.Data), "%s %d", &d.Stream, &d.Seq); err != nil {
				d.Err = fmt.Errorf("bus: answer to a pack: %w", err)
			}
		}
		select {
		case l.doors <- d:
		case <-x.gone.Done():
		}
	}
}

// heard watches for the one line of nats-server that a person must know of.
func (l *Leaf) heard(s string) {
	if !strings.Contains(s, "Authorization Violation") {
		return
	}
	l.refused.Store(true)
	if l.quiet.first("refused") {
		l.log.Warn("headquarters refuses this branch's key")
	}
}

// Refused tells whether HQ turned the key away since the link was last up.
func (l *Leaf) Refused() bool { return l.refused.Load() }

// linked is true when the link is up and HQ's side has said what it takes.
func (l *Leaf) linked(x *line) bool {
	return x.srv.NumLeafNodes() > 0 && x.srv.GlobalAccount().SubscriptionInterest(upSubject(l.cfg.Branch))
}

// poll watches the link: the local client never learns of it otherwise.
func (l *Leaf) poll(x *line) {
	defer close(x.polled)
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		up := x.upCtx() != nil
		switch {
		case up && x.srv.NumLeafNodes() == 0:
			x.fall()
			latest(l.edges, false)
		case !up && l.linked(x):
			x.rise()
			l.refused.Store(false)
			latest(l.edges, true)
		}
		select {
		case <-t.C:
		case <-x.gone.Done():
			if x.fall() {
				latest(l.edges, false)
			}
			return
		}
	}
}

func (x *line) upCtx() context.Context {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.up
}

func (x *line) rise() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.up, x.down = context.WithCancelCause(x.gone)
}

func (x *line) fall() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.up == nil {
		return false
	}
	x.down(ErrNoLink)
	x.up, x.down = nil, nil
	return true
}

// now is the line and the context of the link, or ErrNoLink.
func (l *Leaf) now() (*line, context.Context, error) {
	l.mu.Lock()
	x := l.line
	l.mu.Unlock()
	if x == nil {
		return nil, nil, ErrNoLink
	}
	up := x.upCtx()
	if up == nil || x.srv.NumLeafNodes() == 0 {
		return nil, nil, ErrNoLink
	}
	return x, up, nil
}

// Up tells whether the link stands.
func (l *Leaf) Up() bool {
	_, _, err := l.now()
	return err == nil
}

// Changes gives true when the link has come up and false when it fell, seen
// within 10 ms. It starts down. Who reads late loses the oldest, never the last.
func (l *Leaf) Changes() <-chan bool { return l.edges }

// Publish hands a pack to HQ's stream UP. Packs go out in the order of the calls.
// The answer comes on Doors under the same token. It never blocks longer than a
// local write. Errors: ErrNoLink; schema.ErrTooLarge (above 1 MiB).
func (l *Leaf) Publish(token uint64, data []byte) error {
	if len(data) > maxPack {
		return fmt.Errorf("bus: publish a pack of %d bytes: %w", len(data), schema.ErrTooLarge)
	}
	x, _, err := l.now()
	if err != nil {
		return fmt.Errorf("bus: publish: %w", err)
	}
	reply := l.doorInbox() + "." + strconv.FormatUint(token, 16)
	if err := x.nc.PublishRequest(upSubject(l.cfg.Branch), reply, data); err != nil {
		return fmt.Errorf("bus: publish: %w: %w", ErrNoLink, err)
	}
	return nil
}

// Doors gives HQ's answers to packs. It must be read: when 1,024 wait, later
// answers wait behind them.
func (l *Leaf) Doors() <-chan Door { return l.doors }

// Acks gives HQ's receipts as they come. Who reads late loses the oldest.
func (l *Leaf) Acks() <-chan []byte { return l.acks }

// Pokes gives HQ's pokes as they come. Who reads late loses the oldest.
func (l *Leaf) Pokes() <-chan []byte { return l.pokes }

// Request asks HQ and waits for its answer. It ends at once when the link falls.
// Errors: ErrNoLink; *RefusedError (HQ's own error); schema.ErrTooLarge; ctx's.
// The verb must be one that HQ serves: HQ cuts a leaf that asks for another.
func (l *Leaf) Request(ctx context.Context, verb string, data []byte) ([]byte, error) {
	if len(data) > maxPayload {
		return nil, fmt.Errorf("bus: request %s of %d bytes: %w", verb, len(data), schema.ErrTooLarge)
	}
	x, up, err := l.now()
	if err != nil {
		return nil, fmt.Errorf("bus: request %s: %w", verb, err)
	}
	ask, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(up, func() { cancel(ErrNoLink) })()
	m, err := x.nc.RequestMsgWithContext(ask, &nats.Msg{Subject: rpcSubject(l.cfg.Branch, verb), Data: data})
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, fmt.Errorf("bus: request %s: %w", verb, ctx.Err())
	case ask.Err() != nil, errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrConnectionClosed):
		return nil, fmt.Errorf("bus: request %s: %w", verb, ErrNoLink)
	default:
		return nil, fmt.Errorf("bus: request %s: %w", verb, err)
	}
	if err := refused(m); err != nil {
		return nil, fmt.Errorf("bus: request %s: %w", verb, err)
	}
	return m.Data, nil
}

// Rebuild tears server, link and client down and builds them again, for a link
// that stands but is silent. It blocks for some tens of milliseconds; requests
// under way end with ErrNoLink.
func (l *Leaf) Rebuild() error {
	l.build.Lock()
	defer l.build.Unlock()
	l.mu.Lock()
	x, over := l.line, l.over
	l.line = nil
	l.mu.Unlock()
	if over {
		return fmt.Errorf("bus: rebuild leaf: %w", ErrNoLink)
	}
	l.stop(x)
	return l.start()
}

func (l *Leaf) stop(x *line) {
	if x != nil {
		x.close()
		<-x.polled
	}
}

// Run blocks until ctx ends, then shuts everything down.
func (l *Leaf) Run(ctx context.Context) error {
	<-ctx.Done()
	l.build.Lock()
	defer l.build.Unlock()
	l.mu.Lock()
	x := l.line
	l.line, l.over = nil, true
	l.mu.Unlock()
	l.stop(x)
	l.quiet.stop()
	return nil
}
