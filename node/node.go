// Package node is one branch: its database, its line to headquarters, its API
// and pages, put together. Everything it does is done in the packages below it.
//
// Rules:
//   - A node works with no network: nothing that serves people waits for the link.
//   - A node that is not enrolled serves the enrolment page and refuses records;
//     the link starts by itself when it has been enrolled.
//   - Any number of nodes run in one process.
//
// It promises that after Run has returned nothing of the node runs and its
// folder is free. It knows nothing of headquarters' code.
package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"branchline/node/api"
	"branchline/node/attach"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/account"
	"branchline/schema/blob"
	"branchline/schema/serve"
	"branchline/sync/bus"
	"branchline/sync/link"
)

// Config says how a node is built. Dir, Now and Rand are required.
type Config struct {
	Dir string
	// Listen is where people and programs reach the node, host:port, port 0 for any; "": it serves nothing.
	Listen string
	// FirstLasts: the first administrator's password, which is told once, need not be changed at the first sign-in. For a demo.
	FirstLasts bool
	// Host is the name people reach it by, if that is not Listen's host.
	Host string
	// Enrol is an enrolment token's text, used at the start if the folder is not enrolled yet or the token is a new one; "": none.
	Enrol string
	// Link overrides the address of HQ's leaf port that enrolment gave: for a proxy on the way.
	Link string
	// PlainLink speaks no TLS on the link: for tests and simulation on loopback only.
	PlainLink bool
	// SchemaMin and SchemaMax are what the node says it speaks, when it is not what this program does: for tests of old and new programs.
	SchemaMin, SchemaMax uint32
	Version              string
	Zone                 *time.Location // the branch's days; nil: those headquarters says in the branch's record
	Now                  func() time.Time
	Rand                 io.Reader // safe for concurrent use
	Log                  *slog.Logger
	Limits               link.Limits
	// CheckpointBytes, Readers and Idle: see store.Config.
	CheckpointBytes int64
	Readers         int
	Idle            func()
}

// names are what a certificate for the listener should bear, the one people use
// first; none when the listener needs no certificate.
func (c Config) names() []string {
	var out []string
	add := func(h string) {
		if h != "" && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	h, _, err := net.SplitHostPort(c.Listen)
	ip := net.ParseIP(h)
	if c.Listen == "" || err != nil || h == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	add(c.Host)
	switch {
	case h == "" || ip != nil && ip.IsUnspecified():
		for _, own := range serve.OwnAddresses() {
			add(own)
		}
		if len(out) == 0 {
			add("localhost") // no network: nobody else comes, but HTTPS it is
		}
	default:
		add(h)
	}
	return out
}

// Node is one branch. Its methods are safe for concurrent use between Start and
// the end of Run.
type Node struct {
	cfg   Config
	log   *slog.Logger
	lock  *serve.Lock
	store *store.Store
	// accounts and server are nil when the node serves nothing.
	accounts *account.Accounts
	server   *serve.Server
	first    [2]string
	hostCert atomic.Pointer[tls.Certificate]

	files    *attach.Attach
	records  *api.Records // nil when the node serves nothing
	known    hearsay
	zone     atomic.Pointer[time.Location]
	enrolMu  sync.Mutex
	enrolled chan struct{} // a token when an enrolment has been stored
	line     atomic.Pointer[line]
}

// New checks the configuration and starts nothing.
func New(c Config) (*Node, error) {
	if c.Dir == "" || c.Now == nil || c.Rand == nil {
		return nil, errors.New("node: Dir, Now and Rand are needed")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.SchemaMax == 0 {
		c.SchemaMin, c.SchemaMax = SchemaMin, SchemaMax
	}
	n := &Node{cfg: c, log: c.Log.With("room", "node"), enrolled: make(chan struct{}, 1)}
	n.known.dir, n.known.key = c.Dir, func(ctx context.Context) ([]byte, error) {
		id, err := n.store.Identity(ctx)
		return id.IDKey, err
	}
	return n, nil
}

// Start takes the folder, opens the database and enrols with the configured
// token. After a nil error Run must be called: it is Run that gives everything
// back. Errors: schema.ErrExists (another process has the folder), those of
// store.Open and Enrol.
func (n *Node) Start(ctx context.Context) (err error) {
	if n.lock, err = serve.LockDir(ctx, n.cfg.Dir); err != nil {
		return fmt.Errorf("node: start: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.release())
		}
	}()
	n.store, err = store.Open(ctx, store.Config{
		Dir: n.cfg.Dir, Now: n.cfg.Now, Rand: n.cfg.Rand, CheckpointBytes: n.cfg.CheckpointBytes, Readers: n.cfg.Readers, Idle: n.cfg.Idle,
	})
	if err != nil {
		return fmt.Errorf("node: start: %w", err)
	}
	files, err := blob.Open(n.cfg.Dir, n.cfg.Now)
	if err != nil {
		return fmt.Errorf("node: start: %w", err)
	}
	n.files, err = attach.New(attach.Config{Store: n.store, Files: files, Line: n, Now: n.cfg.Now, Log: n.log, Look: n.cfg.Limits.Beat})
	if err != nil {
		return fmt.Errorf("node: start: %w", err)
	}
	if _, err := n.readZone(ctx); err != nil {
		return fmt.Errorf("node: start: %w", err)
	}
	if err := n.known.open(); err != nil { // nothing that serves people waits for it: HQ gives it again
		n.log.Warn("filter of what the group knows not read", "err", err)
	}
	if n.cfg.Enrol != "" {
		if err := n.Enrol(ctx, n.cfg.Enrol); err != nil {
			return err
		}
	}
	if n.cfg.Listen == "" {
		return nil
	}
	if err := n.certify(ctx); err != nil {
		return fmt.Errorf("node: start: %w", err)
	}
	if err := n.newServer(ctx); err != nil {
		return fmt.Errorf("node: start: %w", err)
	}
	if err := n.server.Listen(ctx); err != nil {
		return fmt.Errorf("node: start: %w", err)
	}
	acc, password, err := n.accounts.First(ctx, n.cfg.FirstLasts)
	if err != nil {
		return fmt.Errorf("node: start: %w", err)
	}
	if acc != nil {
		n.first = [2]string{acc.GetName(), password}
	}
	return nil
}

func (n *Node) release() error {
	var errs []error
	if n.server != nil {
		if err := n.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	errs = append(errs, n.known.shut())
	if n.lock != nil {
		errs = append(errs, n.lock.Release())
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends, or until a part of the node cannot go on, and gives
// everything back.
func (n *Node) Run(ctx context.Context) error {
	parts := []serve.Part{
		{Name: "store", Run: n.store.Run},
		{Name: "line", Run: n.runLine},
		{Name: "zone", Run: n.followZone},
		{Name: "known", Run: n.followKnown},
		{Name: "files", Run: n.files.Run},
	}
	if n.server != nil {
		parts = append(parts, serve.Part{Name: "serve", Run: n.server.Run}, serve.Part{Name: "renew", Run: n.renewing})
	}
	err := serve.RunParts(ctx, parts)
	if err != nil {
		err = fmt.Errorf("node: %w", err)
	}
	return errors.Join(err, n.release())
}

// runLine keeps the link up from the moment the branch is enrolled, and builds it anew after another enrolment.
func (n *Node) runLine(ctx context.Context) error {
	for ctx.Err() == nil {
		select { // what is read next holds it
		case <-n.enrolled:
		default:
		}
		id, err := n.store.Identity(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if id.Branch == "" {
			select {
			case <-ctx.Done():
				return nil
			case <-n.enrolled:
			}
			continue
		}
		if err := n.runOne(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) runOne(ctx context.Context, id store.Identity) error {
	l, err := n.newLine(id)
	if err != nil {
		return err
	}
	n.line.Store(l)
	defer n.line.Store(nil)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ctx.Done():
		case <-n.enrolled:
			cancel()
		}
	}()
	err = l.run(ctx, n)
	cancel()
	<-done
	return err
}

// Files are the files of the branch's attachments.
func (n *Node) Files() *attach.Attach { return n.files }

// Store is the branch's database.
func (n *Node) Store() *store.Store { return n.store }

// Link is where the branch stands with HQ. The zero Status before it is enrolled.
func (n *Node) Link() link.Status {
	if l := n.line.Load(); l != nil {
		return l.driver.Status()
	}
	return link.Status{}
}

// Refused tells whether HQ turned the branch's key away since the link was last up.
func (n *Node) Refused() bool {
	l := n.line.Load()
	return l != nil && l.leaf.Refused()
}

// Refetch fetches the whole scope from HQ anew; unsent changes stay.
// schema.ErrUnavailable: not enrolled yet.
func (n *Node) Refetch(ctx context.Context) error {
	l := n.line.Load()
	if l == nil {
		return fmt.Errorf("node: refetch: this branch is not enrolled yet: %w", schema.ErrUnavailable)
	}
	return l.driver.Refetch(ctx)
}

// Ask asks HQ something over the link. Errors: bus.ErrNoLink; what HQ says.
func (n *Node) Ask(ctx context.Context, verb string, req []byte) ([]byte, error) {
	l := n.line.Load()
	if l == nil {
		return nil, fmt.Errorf("node: ask: %w", bus.ErrNoLink)
	}
	return l.leaf.Request(ctx, verb, req)
}

// MarkRestored notes in a stopped folder that its database was put back from a
// backup: the next hello says so. The caller holds the folder (serve.LockDir).
func MarkRestored(ctx context.Context, dir string, now func() time.Time, rand io.Reader) (err error) {
	s, err := store.Open(ctx, store.Config{Dir: dir, Now: now, Rand: rand, Readers: 1})
	if err != nil {
		return fmt.Errorf("node: mark as restored: %w", err)
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.MarkRestored(ctx)
}
