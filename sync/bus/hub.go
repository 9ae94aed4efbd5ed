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
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"branchline/schema"
)

const (
	// maxPack is the greatest pack in bytes, header included.
	maxPack = 1 << 20
	// maxPayload bounds every message; answers to questions may be larger than packs.
	maxPayload = 2 << 20
	// pingEvery and pingsOut, at both ends: a black hole is noticed in 4 to 6 s.
	pingEvery = 2 * time.Second
	pingsOut  = 2
	// hubPending is how much HQ's own clients may lag behind the server before it
	// cuts them: leaves are never slowed down for a slow client.
	hubPending = 256 << 20
	startLimit = 20 * time.Second
)

// Registry says who may connect. Leaf is called at every leaf connect and once
// a second for every leaf that is linked, by many goroutines at once; it must
// answer in memory's time.
type Registry interface {
	// Leaf maps an nkey public key ("U…") to a branch. Errors: schema.ErrNotFound;
	// schema.ErrForbidden (revoked). Any other error keeps new leaves out and
	// leaves those linked alone.
	Leaf(pub string) (schema.BranchID, error)
}

// HubConfig says how HQ's end of the road is built. Dir, Listen, Registry and
// Rand are required.
type HubConfig struct {
	Dir        string      // JetStream's folder; what lies in it may be lost
	Listen     string      // leaf address host:port, port 0 takes a free one
	TLS        *tls.Config // nil: plain, for tests and simulation only; else handshake first, TLS 1.3
	Registry   Registry
	Verbs      []string         // what branches may ask: lower-case words
	UpMaxBytes int64            // limit of UP on disk; 0: 512 MiB
	Now        func() time.Time // for LeafInfo.Since; nil: it stays zero
	Rand       io.Reader        // read under a lock
	Log        *slog.Logger     // nil: silent
}

// Hub is HQ's embedded server and its own clients. Its methods are safe for
// concurrent use between Start and the end of Run.
type Hub struct {
	cfg     HubConfig
	log     *slog.Logger
	opts    *server.Options
	natsLog *serverLog

	srv  *server.Server
	gate *gate
	door *door
	desk *desk
	pack *nats.Conn // for Packs alone, so that bulk delays no question
	js   jetstream.JetStream

	dropped atomic.Int64
	quiet   hush

	randMu  sync.Mutex
	upMu    sync.Mutex // one at a time looks after UP
	up      upState
	packing atomic.Bool
	ctx     context.Context // ends when Run does
	cancel  context.CancelFunc
}

// NewHub checks the configuration and starts nothing.
func NewHub(cfg HubConfig) (*Hub, error) {
	if cfg.Dir == "" || cfg.Registry == nil || cfg.Rand == nil {
		return nil, errors.New("bus: hub needs Dir, Registry and Rand")
	}
	if cfg.UpMaxBytes == 0 {
		cfg.UpMaxBytes = 512 << 20
	}
	if cfg.UpMaxBytes < 4*maxPack {
		return nil, fmt.Errorf("bus: UpMaxBytes %d is below %d", cfg.UpMaxBytes, 4*maxPack)
	}
	for _, v := range cfg.Verbs {
		if !verbForm.MatchString(v) {
			return nil, fmt.Errorf("bus: verb %q is not a lower-case word", v)
		}
	}
	host, p, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("bus: leaf address %q: %w", cfg.Listen, err)
	}
	port, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("bus: leaf address %q: the port must be a number", cfg.Listen)
	}
	h := &Hub{cfg: cfg, log: cfg.Log}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.log = h.log.With("room", "bus")
	h.natsLog = &serverLog{log: h.log}
	h.opts = hubOptions(cfg, host, int(port))
	h.gate = newGate(h)
	h.desk = newDesk(h)
	h.up.changed = make(chan struct{})
	h.up.kick = make(chan struct{}, 1)
	return h, nil
}

func hubOptions(cfg HubConfig, host string, port int) *server.Options {
	if host == "" {
		host = "0.0.0.0"
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	o := &server.Options{
		ServerName:             "hq",
		DontListen:             true,
		NoSigs:                 true,
		DisableJetStreamBanner: true,
		JetStream:              true,
		JetStreamDomain:        "hq",
		// Stated, not computed from the disk's free space: a full stream could
		// not be recovered then.
		JetStreamMaxMemory: 64 << 20,
		JetStreamMaxStore:  cfg.UpMaxBytes + 64<<20,
		StoreDir:           cfg.Dir,
		MaxPayload:         maxPayload,
		MaxPending:         hubPending,
		MaxSubs:            1024,
		PingInterval:       pingEvery,
		MaxPingsOut:        pingsOut,
		AuthTimeout:        10,
		AlwaysEnableNonce:  true,
		LeafNode: server.LeafNodeOpts{
			Host:                    host,
			Port:                    port,
			AuthTimeout:             10,
			NoAdvertise:             true,
			IsolateLeafnodeInterest: true,
			// Packs are compressed already, and leaf compression has had its
			// share of crashes before authentication.
			Compression: server.CompressionOpts{Mode: server.CompressionNotSupported},
		},
	}
	if cfg.TLS != nil {
		t := cfg.TLS.Clone()
		t.MinVersion = tls.VersionTLS13
		o.LeafNode.TLSConfig = t
		o.LeafNode.TLSTimeout = 10
		o.LeafNode.TLSHandshakeFirst = true
	}
	return o
}

// Start opens the leaf port and UP. It blocks until leaves can connect. After a
// nil error Run must be called: it is Run that shuts everything down.
//
// When JetStream cannot read its folder, the folder is moved aside
// (jetstream.bad, replacing an older one) and a new one begun: branches still
// have whatever lay in it.
func (h *Hub) Start() error {
	err := h.start()
	if errors.Is(err, errJetStream) {
		bad := filepath.Join(h.cfg.Dir, "jetstream.bad")
		h.log.Error("stream folder unreadable, begun anew", "kept", bad, "err", err)
		if err := os.RemoveAll(bad); err != nil {
			return fmt.Errorf("bus: start hub: %w", err)
		}
		if err := os.Rename(filepath.Join(h.cfg.Dir, server.JetStreamStoreDir), bad); err != nil {
			return fmt.Errorf("bus: start hub: %w", err)
		}
		h.natsLog = &serverLog{log: h.log}
		err = h.start()
	}
	if err != nil {
		return fmt.Errorf("bus: start hub: %w", err)
	}
	return nil
}

var errJetStream = errors.New("JetStream did not start")

func (h *Hub) start() (err error) {
	// nats-server would say it in its log only.
	l, err := net.Listen("tcp", h.cfg.Listen)
	if err != nil {
		return err
	}
	if err := l.Close(); err != nil {
		return err
	}
	token, err := h.random()
	if err != nil {
		return err
	}
	h.gate.token = token
	opts := *h.opts
	opts.CustomClientAuthentication = h.gate
	srv, err := server.NewServer(&opts)
	if err != nil {
		return err
	}
	h.srv, h.door, h.pack, h.desk.nc = srv, nil, nil, nil
	h.ctx, h.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			h.shutdown()
		}
	}()
	srv.SetLoggerV2(h.natsLog, h.log.Enabled(h.ctx, slog.LevelDebug), false, false)
	if err := h.gate.exports(srv); err != nil {
		return err
	}
	srv.Start()
	switch f := h.natsLog.lastFatal(); {
	case strings.Contains(f, "JetStream"):
		return fmt.Errorf("%w: %s", errJetStream, f)
	case f != "":
		return errors.New(f)
	}
	if !srv.ReadyForConnections(startLimit) {
		return fmt.Errorf("server not ready within %s", startLimit)
	}
	if !srv.JetStreamEnabled() {
		return errJetStream
	}
	h.opts.LeafNode.Port = opts.LeafNode.Port
	ask, err := h.client("hq-ask", token)
	if err != nil {
		return err
	}
	h.desk.nc = ask
	if h.pack, err = h.client("hq-packs", token); err != nil {
		return err
	}
	knock, err := h.client("hq-door", token)
	if err != nil {
		return err
	}
	if h.js, err = jetstream.New(ask); err != nil {
		return err
	}
	if err := h.tendUp(h.ctx); err != nil {
		return fmt.Errorf("%w: %w", errJetStream, err)
	}
	if h.door, err = newDoor(h, knock); err != nil {
		return err
	}
	return h.desk.open()
}

// client is a connection within the process; there is no other way to be one.
func (h *Hub) client(name, token string) (*nats.Conn, error) {
	return nats.Connect("", nats.InProcessServer(h.srv), nats.Name(name), nats.Token(token),
		nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) {
			subject := ""
			if s != nil {
				subject = s.Subject
			}
			h.log.Warn("hub client", "client", name, "subject", subject, "err", err)
		}))
}

// Run looks after UP (made anew within 250 ms when gone), puts out leaves that
// the registry no longer allows (within a second) and blocks until ctx ends. Then it ends
// handlers' contexts, waits for them, and shuts the server down.
func (h *Hub) Run(ctx context.Context) error {
	if h.srv == nil {
		return errors.New("bus: run hub: not started")
	}
	defer h.shutdown()
	look := time.NewTicker(250 * time.Millisecond)
	defer look.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		case <-h.up.kick:
		}
		if err := h.tendUp(ctx); err != nil && ctx.Err() == nil && h.quiet.first("up") {
			h.log.Error("stream UP not to be had", "err", err)
		}
		if n%4 == 3 {
			h.gate.sweep()
		}
	}
}

func (h *Hub) shutdown() {
	h.cancel()
	h.desk.close()
	for _, nc := range []*nats.Conn{h.desk.nc, h.pack, h.door.conn()} {
		if nc != nil {
			nc.Close()
		}
	}
	h.srv.Shutdown()
	h.srv.WaitForShutdown()
	h.quiet.stop()
}

// Addr is the address of the leaf port, once started.
func (h *Hub) Addr() string {
	return net.JoinHostPort(h.opts.LeafNode.Host, strconv.Itoa(h.opts.LeafNode.Port))
}

// Dropped counts messages thrown away because a branch had chosen their reply
// subject, or their subject had not the form it must have. No honest node makes one.
func (h *Hub) Dropped() int64 { return h.dropped.Load() }

func (h *Hub) drop(room string) {
	h.dropped.Add(1)
	if h.quiet.first("drop " + room) {
		h.log.Warn("dropped a message with a forged reply or subject", "at", room)
	}
}

// random is 128 bits as 32 hex digits.
func (h *Hub) random() (string, error) {
	h.randMu.Lock()
	defer h.randMu.Unlock()
	var b [16]byte
	if _, err := io.ReadFull(h.cfg.Rand, b[:]); err != nil {
		return "", fmt.Errorf("randomness: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}
