// Package hq is headquarters: its database, the road's hub, the inbox, the feed
// and its postman, the API, reports and pages, put together. Everything it does is
// done in the packages below it and in sync.
//
// Rules:
//   - One loop works packs off UP; receipts and pokes go out after its commits.
//   - A key that the registry or the ledger no longer allows is off the link
//     within five seconds, also when the link stands.
//   - Each start is an epoch of its own.
//
// It promises that after Run has returned nothing of it runs and its folder is
// free. It knows nothing of a node's code.
package hq

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"branchline/hq/api"
	"branchline/hq/blobs"
	"branchline/hq/feed"
	"branchline/hq/find"
	"branchline/hq/golden"
	"branchline/hq/inbox"
	"branchline/hq/known"
	"branchline/hq/report"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/account"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/serve"
	"branchline/sync/bus"
	"branchline/sync/bus/ca"
	"branchline/sync/link"
)

// Config says how headquarters is built. Dir, Link, Now and Rand are required.
type Config struct {
	Dir string
	// Listen is where people and programs reach HQ, host:port, port 0 for any; "": it serves nothing.
	Listen string
	// FirstLasts: the first administrator's password, which is told once, need not be changed at the first sign-in. For a demo.
	FirstLasts bool
	// Link is where leaves come in, host:port, port 0 for any.
	Link string
	// Public is the host that tokens carry; "": the hosts of Listen and Link.
	Public string
	// Group is what the dealer group is called, kept from then on; "": as it was said before.
	Group   string
	Version string
	Now     func() time.Time
	Rand    io.Reader // safe for concurrent use
	Log     *slog.Logger
	// PlainLink speaks no TLS on the link: for tests and simulation on loopback only.
	PlainLink bool
	// UpMaxBytes: see bus.HubConfig. CheckpointBytes, Readers, Idle: see store.Config.
	UpMaxBytes      int64
	CheckpointBytes int64
	Readers         int
	Idle            func()
}

// hosts are the names HQ's certificate bears beside the local ones: those it is
// told, and this machine's addresses when it listens on all of them.
func (c Config) hosts() []string {
	var out []string
	add := func(h string) {
		if h != "" && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	add(c.Public)
	for _, at := range []string{c.Listen, c.Link} {
		h, _, err := net.SplitHostPort(at)
		switch ip := net.ParseIP(h); {
		case err != nil:
		case h == "" || ip != nil && ip.IsUnspecified():
			for _, own := range serve.OwnAddresses() {
				add(own)
			}
		default:
			add(h)
		}
	}
	return out
}

// public is the host that tokens carry when HQ listens on every address; "" when nothing but this machine reaches it.
func (c Config) public() string {
	if c.Public != "" {
		return c.Public
	}
	if own := serve.OwnAddresses(); len(own) > 0 {
		return own[0]
	}
	return ""
}

// HQ is headquarters. Its methods are safe for concurrent use between Start and
// the end of Run.
type HQ struct {
	cfg    Config
	log    *slog.Logger
	lock   *serve.Lock
	ca     *ca.CA
	tls    *tls.Config
	store  *store.Store
	scope  *feed.Scope
	inbox  *inbox.Inbox
	feed   *feed.Feed
	golden *golden.Golden
	known  *known.Known
	blobs  *blobs.Blobs
	hub    *bus.Hub
	probe  *prober
	// These are nil when HQ serves nothing.
	accounts *account.Accounts
	server   *serve.Server
	reports  *report.Reports
	zone     atomic.Pointer[time.Location]
	index    *find.Index
	records  *api.Records
	first    [2]string

	codecs codecs
	acks   *pacer
}

// New checks the configuration and starts nothing.
func New(c Config) (*HQ, error) {
	if c.Dir == "" || c.Link == "" || c.Now == nil || c.Rand == nil {
		return nil, errors.New("hq: Dir, Link, Now and Rand are needed")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &HQ{cfg: c, log: c.Log.With("room", "hq")}, nil
}

// Start takes the folder, opens database and leaf port, and begins an epoch.
// After a nil error Run must be called: it is Run that gives everything back.
// Errors: schema.ErrExists (another process has the folder), those of store.Open
// and of the hub.
func (q *HQ) Start(ctx context.Context) (err error) {
	if q.lock, err = serve.LockDir(ctx, q.cfg.Dir); err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, q.release())
		}
	}()
	signer, authority, err := loadKeys(q.cfg)
	if err != nil {
		return err
	}
	q.ca = authority
	certs, err := newHostCerts(q.cfg, authority, q.log)
	if err != nil {
		return err
	}
	q.tls = certs.config()
	q.store, err = store.Open(ctx, store.Config{
		Dir: q.cfg.Dir, Now: q.cfg.Now, Rand: q.cfg.Rand, Log: q.cfg.Log, Signer: signer,
		CheckpointBytes: q.cfg.CheckpointBytes, Readers: q.cfg.Readers, Idle: q.cfg.Idle,
	})
	if err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	q.scope = feed.NewScope(q.store)
	q.acks = newPacer(q.cfg.Now, q.ack)
	if q.inbox, err = inbox.New(inbox.Config{Store: q.store, Scope: q.scope, Log: q.cfg.Log, UpStream: q.upStream}); err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	if err := q.inbox.Unpark(ctx); err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	if q.cfg.Group != "" {
		if err := q.inbox.SetGroup(ctx, q.cfg.Group, inbox.By{Actor: access.LocalName, Role: branchlinev1.Role_ROLE_HQ_ADMINISTRATOR}); err != nil {
			return fmt.Errorf("hq: start: %w", err)
		}
	}
	if err := q.readZone(ctx); err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	if q.golden, err = golden.New(golden.Config{Store: q.store, Scope: q.scope, Log: q.cfg.Log}); err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	q.feed, err = feed.New(feed.Config{Store: q.store, Log: q.cfg.Log, Receipts: q.inbox.Receipts, Catch: q.golden.Catch})
	if err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	if q.known, err = known.New(q.store, q.cfg.Log, q.cfg.Now); err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	files, err := blob.Open(q.cfg.Dir, q.cfg.Now)
	if err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	if q.blobs, err = blobs.New(blobs.Config{Store: q.store, Files: files, Now: q.cfg.Now, Log: q.cfg.Log}); err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	hc := bus.HubConfig{
		Dir: filepath.Join(q.cfg.Dir, "up"), Listen: q.cfg.Link, Registry: q.store, Verbs: link.Verbs(),
		UpMaxBytes: q.cfg.UpMaxBytes, Now: q.cfg.Now, Rand: q.cfg.Rand, Log: q.cfg.Log,
	}
	if !q.cfg.PlainLink {
		hc.TLS = q.tls
	}
	if q.hub, err = bus.NewHub(hc); err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	q.probe = &prober{leaves: q.hub.Leaves, poke: q.hub.Poke, epoch: q.store.Epoch, log: q.log, current: q.store.IsCurrent}
	if err := q.handle(); err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	if q.cfg.Listen != "" {
		if err := q.openPages(ctx); err != nil {
			return fmt.Errorf("hq: start: %w", err)
		}
	}
	// Last: after it only Run can shut everything down.
	if err := q.hub.Start(); err != nil {
		return fmt.Errorf("hq: start: %w", err)
	}
	return nil
}

func (q *HQ) openPages(ctx context.Context) error {
	if err := q.newServer(); err != nil {
		return err
	}
	if err := q.server.Listen(ctx); err != nil {
		return err
	}
	acc, password, err := q.accounts.First(ctx, q.cfg.FirstLasts)
	if acc != nil {
		q.first = [2]string{acc.GetName(), password}
	}
	return err
}

func (q *HQ) release() error {
	var errs []error
	if q.server != nil {
		if err := q.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if q.store != nil {
		errs = append(errs, q.store.Close())
	}
	if q.lock != nil {
		errs = append(errs, q.lock.Release())
	}
	return errors.Join(errs...)
}

// Run works until ctx ends, or until a part of HQ cannot go on, and gives
// everything back.
func (q *HQ) Run(ctx context.Context) error {
	parts := []serve.Part{
		{Name: "hub", Run: q.hub.Run},
		{Name: "packs", Run: func(ctx context.Context) error {
			return q.hub.Packs(ctx, func(b []bus.Pack) { q.work(ctx, b) })
		}},
		{Name: "golden", Run: q.golden.Run},
		{Name: "known", Run: q.known.Run},
		{Name: "blobs", Run: q.blobs.Run},
		{Name: "post", Run: q.post},
		{Name: "store", Run: q.store.Run},
		{Name: "zone", Run: q.followZone},
	}
	if q.server != nil {
		parts = append(parts, serve.Part{Name: "serve", Run: q.server.Run}, serve.Part{Name: "index", Run: q.index.Run}, serve.Part{Name: "report", Run: q.reports.Run})
	}
	err := serve.RunParts(ctx, parts)
	if err != nil {
		err = fmt.Errorf("hq: %w", err)
	}
	return errors.Join(err, q.release())
}

// Store is HQ's database.
func (q *HQ) Store() *store.Store { return q.store }

// Inbox is where edits of HQ's own go in and quarantine is settled.
func (q *HQ) Inbox() *inbox.Inbox { return q.inbox }

// Hub is the road.
func (q *HQ) Hub() *bus.Hub { return q.hub }

// LinkAddr is where leaves come in, as tokens carry it.
func (q *HQ) LinkAddr() string {
	host, port, err := net.SplitHostPort(q.hub.Addr())
	if err != nil {
		return q.hub.Addr()
	}
	if q.cfg.Public != "" {
		host = q.cfg.Public
	} else if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = cmp.Or(q.cfg.public(), "127.0.0.1")
	}
	return net.JoinHostPort(host, port)
}

// CatchUp returns when all that is committed has been grouped. Lists, search and
// reports make themselves up when they are asked.
func (q *HQ) CatchUp(ctx context.Context) error { return q.golden.Catch(ctx) }

// MakeKnown makes the filter of what the group knows now, be it due or not.
func (q *HQ) MakeKnown(ctx context.Context) error { return q.known.Make(ctx) }

// FeedRev is the last rev of anything that a branch must be told.
func (q *HQ) FeedRev(ctx context.Context, b schema.BranchID) (schema.Rev, error) {
	x, err := q.branch(b)
	if err != nil {
		return 0, err
	}
	var rev int64
	err = q.store.Read(ctx, func(r *store.R) error {
		_, err := r.Scan("SELECT COALESCE(MAX(rev), 0) FROM feed WHERE branch = $1 OR branch = $2", []any{x.Num, store.All}, &rev)
		return err
	})
	return schema.Rev(rev), err
}

// Holdings calls f with every record a branch is to hold, as it may see it, in one snapshot.
func (q *HQ) Holdings(ctx context.Context, b schema.BranchID, f func(*wirev1.Row) error) error {
	x, err := q.branch(b)
	if err != nil {
		return err
	}
	return q.store.Read(ctx, func(r *store.R) error { return q.feed.Holdings(r, x, f) })
}

// Record is a merged record. schema.ErrNotFound.
func (q *HQ) Record(ctx context.Context, id schema.RecordID) (*store.Rec, error) {
	var out *store.Rec
	err := q.store.Read(ctx, func(r *store.R) (err error) {
		out, err = store.RecOf(r, id)
		return err
	})
	if err == nil && out == nil {
		err = fmt.Errorf("hq: record %s: %w", id, schema.ErrNotFound)
	}
	return out, err
}

// CA is the group's certificate authority.
func (q *HQ) CA() *ca.CA { return q.ca }

var _ bus.Registry = (*store.Store)(nil)

// branch finds a branch that may ask; a link's branch is one unless the registry changed since.
func (q *HQ) branch(b schema.BranchID) (*store.Branch, error) {
	x := q.store.Branch(b)
	if x == nil || x.Num == store.HQNum {
		return nil, fmt.Errorf("branch %s: %w", b, schema.ErrNotFound)
	}
	return x, nil
}

// MarkRestored notes in a stopped folder that its database was put back from a
// backup. Nothing need be noted: the next start is an epoch of its own, and the
// first branch that returns shows what was lost. It checks that the database
// opens. The caller holds the folder (serve.LockDir).
func MarkRestored(ctx context.Context, dir string, now func() time.Time, rand io.Reader) error {
	signer, _, err := loadKeys(Config{Dir: dir, Now: now, Rand: rand})
	if err != nil {
		return err
	}
	s, err := store.Open(ctx, store.Config{Dir: dir, Now: now, Rand: rand, Signer: signer, Readers: 1})
	if err != nil {
		return fmt.Errorf("hq: mark as restored: %w", err)
	}
	return s.Close()
}
