// Package rig runs one headquarters and any number of branches in one process,
// over real links on loopback, with a fault proxy on each. The demo, the
// benchmarks and every test of the whole line use it.
//
// It is the only place that joins node and hq. Nothing here is part of either:
// what a rig does to a site, a person could do with its folder and its cables.
package rig

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"branchline/hq"
	"branchline/hq/inbox"
	"branchline/node"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/faultproxy"
	"branchline/sync/link"
)

// Branch is one branch of the rig.
type Branch struct {
	Code   schema.BranchID
	Name   string
	Entity schema.EntityID
	// EntityName is what the company is called; its code when empty.
	EntityName string
	// Zone is the IANA zone of its days; the default one when empty.
	Zone string
}

// Config says what is run. Dir, Branches, Now and Rand are required.
type Config struct {
	// Dir holds a folder a site: hq and the branches' codes. What is there is continued.
	Dir      string
	Branches []Branch
	// Group is what the dealer group is called; "": nobody has said.
	Group string
	// Pages has every site serve its pages and API on a free port of loopback.
	Pages bool
	// Listen is where headquarters and, with Pages, every branch serves; a free port of loopback when empty.
	Listen  string
	Version string
	Now     func() time.Time
	Rand    io.Reader // safe for concurrent use
	Log     *slog.Logger
	Limits  link.Limits
	// CheckpointBytes: see the sites' stores.
	CheckpointBytes int64
	// ClockOf, if not nil, is the clock of one branch; nil for a branch: Now.
	ClockOf func(schema.BranchID) func() time.Time
}

// Rig is a running group. Its methods are for one goroutine, but for those of
// the sites it gives out.
type Rig struct {
	cfg   Config
	ctx   context.Context // ends when Close is called
	stop  context.CancelFunc
	hq    *run[*hq.HQ]
	nodes map[schema.BranchID]*Site
	order []schema.BranchID
}

// Site is one branch in the rig.
type Site struct {
	Branch
	Dir   string
	proxy *faultproxy.Proxy
	ends  sync.WaitGroup
	node  *run[*node.Node]
}

// run is a site that runs until stop.
type run[T any] struct {
	site T
	stop context.CancelFunc
	done chan error
}

type runnable interface {
	Start(context.Context) error
	Run(context.Context) error
	Up() <-chan struct{}
}

// begin returns when the site serves.
func begin[T runnable](ctx context.Context, site T) (*run[T], error) {
	if err := site.Start(ctx); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	r := &run[T]{site: site, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- site.Run(ctx) }()
	if up := site.Up(); up != nil {
		select {
		case <-up:
		case err := <-r.done:
			stop()
			return nil, errors.Join(errors.New("ended at once"), err)
		}
	}
	return r, nil
}

func (r *run[T]) end() error {
	r.stop()
	return <-r.done
}

// New checks the configuration and starts nothing.
func New(c Config) (*Rig, error) {
	if c.Dir == "" || len(c.Branches) == 0 || c.Now == nil || c.Rand == nil {
		return nil, errors.New("rig: Dir, Branches, Now and Rand are needed")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:0")
	return &Rig{cfg: c, nodes: map[schema.BranchID]*Site{}}, nil
}

// Start brings everything up and enrols the branches that are not. After an
// error nothing runs.
func (r *Rig) Start(ctx context.Context) (err error) {
	r.ctx, r.stop = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := r.StartHQ(); err != nil {
		return err
	}
	for _, b := range r.cfg.Branches {
		if err := r.Add(b); err != nil {
			return err
		}
	}
	return nil
}

// Add brings up one more branch, and enrols it if it is not. Headquarters must run.
func (r *Rig) Add(b Branch) (err error) {
	s := &Site{Branch: b, Dir: filepath.Join(r.cfg.Dir, string(b.Code))}
	if s.proxy, err = faultproxy.New(faultproxy.Config{Listen: "127.0.0.1:0", Target: r.HQ().LinkAddr()}); err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	s.ends.Go(func() {
		if err := s.proxy.Run(r.ctx); err != nil {
			r.cfg.Log.Error("proxy ended", "branch", b.Code, "err", err)
		}
	})
	r.nodes[b.Code] = s
	r.order = append(r.order, b.Code)
	token, err := r.register(b)
	if err != nil {
		return err
	}
	return r.startNode(s, token)
}

// admin is who the rig is at headquarters.
var admin = inbox.By{Actor: "rig", Role: branchlinev1.Role_ROLE_HQ_ADMINISTRATOR}

// register makes the branch and its company at HQ; "" when HQ has it already.
func (r *Rig) register(b Branch) (string, error) {
	q := r.HQ()
	if q.Store().Branch(b.Code) != nil {
		return "", nil
	}
	if _, err := q.Inbox().AddEntity(r.ctx, b.Entity, cmp.Or(b.EntityName, string(b.Entity)), admin); err != nil && !errors.Is(err, schema.ErrExists) {
		return "", fmt.Errorf("rig: %w", err)
	}
	t, err := q.Inbox().AddBranchIn(r.ctx, b.Code, b.Name, b.Entity, b.Zone, admin)
	if err != nil {
		return "", fmt.Errorf("rig: %w", err)
	}
	return q.TokenText(t)
}

// HQ is headquarters as it runs now; nil while it is stopped.
func (r *Rig) HQ() *hq.HQ {
	if r.hq == nil {
		return nil
	}
	return r.hq.site
}

// HQDir is headquarters' folder.
func (r *Rig) HQDir() string { return filepath.Join(r.cfg.Dir, "hq") }

// StartHQ starts headquarters on the folder as it lies there.
func (r *Rig) StartHQ() error {
	q, err := hq.New(hq.Config{
		Dir: r.HQDir(), Listen: r.cfg.Listen, Link: "127.0.0.1:0", Version: r.cfg.Version, Group: r.cfg.Group,
		Now: r.cfg.Now, Rand: r.cfg.Rand, Log: r.cfg.Log.With("site", "hq"), CheckpointBytes: r.cfg.CheckpointBytes, FirstLasts: true,
	})
	if err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	if r.hq, err = begin(r.ctx, q); err != nil {
		r.hq = nil
		return fmt.Errorf("rig: %w", err)
	}
	for _, s := range r.nodes {
		s.proxy.SetTarget(q.LinkAddr())
	}
	return nil
}

// StopHQ stops headquarters in good order.
func (r *Rig) StopHQ() error {
	if r.hq == nil {
		return nil
	}
	err := r.hq.end()
	r.hq = nil
	if err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	return nil
}

// Site is a branch of the rig; it panics for a code that is none.
func (r *Rig) Site(b schema.BranchID) *Site {
	s := r.nodes[b]
	if s == nil {
		panic("rig: no branch " + string(b))
	}
	return s
}

// Sites are all branches, in the order of the configuration.
func (r *Rig) Sites() []*Site {
	out := make([]*Site, 0, len(r.order))
	for _, b := range r.order {
		out = append(out, r.nodes[b])
	}
	return out
}

// Node is the branch as it runs now; nil while it is stopped.
func (s *Site) Node() *node.Node {
	if s.node == nil {
		return nil
	}
	return s.node.site
}

func (r *Rig) startNode(s *Site, token string) error {
	now := r.cfg.Now
	if r.cfg.ClockOf != nil {
		if f := r.cfg.ClockOf(s.Code); f != nil {
			now = f
		}
	}
	c := node.Config{
		Dir: s.Dir, Enrol: token, Link: s.proxy.Addr(), Version: r.cfg.Version, Now: now, Rand: r.cfg.Rand,
		Log: r.cfg.Log.With("site", s.Code), Limits: r.cfg.Limits, CheckpointBytes: r.cfg.CheckpointBytes, FirstLasts: true,
	}
	if r.cfg.Pages {
		c.Listen = r.cfg.Listen
	}
	n, err := node.New(c)
	if err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	if s.node, err = begin(r.ctx, n); err != nil {
		s.node = nil
		return fmt.Errorf("rig: branch %s: %w", s.Code, err)
	}
	return nil
}

// StartNode starts a branch on its folder as it lies there.
func (r *Rig) StartNode(b schema.BranchID) error { return r.startNode(r.Site(b), "") }

// StopNode stops a branch in good order.
func (r *Rig) StopNode(b schema.BranchID) error {
	s := r.Site(b)
	if s.node == nil {
		return nil
	}
	err := s.node.end()
	s.node = nil
	if err != nil {
		return fmt.Errorf("rig: branch %s: %w", b, err)
	}
	return nil
}

// ReEnrol lets a branch, stopped and perhaps with an empty folder, enrol again.
func (r *Rig) ReEnrol(b schema.BranchID) error {
	t, err := r.HQ().Inbox().ReEnrol(r.ctx, b)
	if err != nil {
		return fmt.Errorf("rig: %w", err)
	}
	token, err := r.HQ().TokenText(t)
	if err != nil {
		return err
	}
	return r.startNode(r.Site(b), token)
}

// Proxy is what lies on a branch's link.
func (s *Site) Proxy() *faultproxy.Proxy { return s.proxy }

// Close stops everything and gives the folders back. They stay.
func (r *Rig) Close() error {
	var errs []error
	for _, b := range r.order {
		errs = append(errs, r.StopNode(b))
	}
	errs = append(errs, r.StopHQ())
	r.stop()
	for _, b := range r.order {
		r.nodes[b].ends.Wait()
	}
	return errors.Join(errs...)
}

// CopyDir copies a stopped site's folder. The target must not exist.
func CopyDir(from, to string) error {
	if _, err := os.Stat(to); err == nil {
		return fmt.Errorf("rig: copy: %s is there already", to)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return fmt.Errorf("rig: copy: %w", err)
	}
	return nil
}

// SwapDir puts a copy in a folder's place; what was there is gone.
func SwapDir(copied, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("rig: swap: %w", err)
	}
	return CopyDir(copied, dir)
}

// Quiet waits until HQ has grouped what it has, and every running branch has
// nothing unsent, has had all its changes worked into HQ's records, and has pulled
// all that concerns it. It ends with ctx, saying who was late and why.
func (r *Rig) Quiet(ctx context.Context) error {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for {
		late, err := r.late(ctx)
		if err == nil && len(late) == 0 {
			return nil
		}
		if err != nil {
			late = append(late, err.Error())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("rig: not quiet: %s: %w", strings.Join(late, "; "), ctx.Err())
		case <-t.C:
		}
	}
}

func (r *Rig) late(ctx context.Context) ([]string, error) {
	var out []string
	for _, s := range r.Sites() {
		n := s.Node()
		if n == nil {
			continue
		}
		st := n.Link()
		l, err := n.Store().Line(ctx)
		if err != nil {
			return nil, err
		}
		switch {
		case st.Phase != link.Open:
			out = append(out, fmt.Sprintf("%s is %s: %s", s.Code, st.Phase, st.Reason))
		case l.Watermark < l.LastSeq || l.Folded < l.LastSeq:
			out = append(out, fmt.Sprintf("%s has %d changes, HQ %d of them, %d are worked in", s.Code, l.LastSeq, l.Watermark, l.Folded))
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	if err := r.HQ().CatchUp(ctx); err != nil {
		return nil, err
	}
	for _, s := range r.Sites() {
		n := s.Node()
		if n == nil {
			continue
		}
		want, err := r.HQ().FeedRev(ctx, s.Code)
		if err != nil {
			return nil, err
		}
		if st := n.Link(); !st.Full || st.FullPass || st.Cursor < want {
			out = append(out, fmt.Sprintf("%s has the feed up to %d of %d", s.Code, st.Cursor, want))
		}
	}
	return out, nil
}

// Differing compares what each running branch holds with what HQ says it is to
// hold, record by record, and names what differs. It is for a group that is Quiet.
func (r *Rig) Differing(ctx context.Context) ([]string, error) {
	var out []string
	for _, s := range r.Sites() {
		n := s.Node()
		if n == nil {
			continue
		}
		want := map[schema.RecordID]*wirev1.Row{}
		if err := r.HQ().Holdings(ctx, s.Code, func(row *wirev1.Row) error {
			want[schema.RecordID(row.GetRecord())] = row
			return nil
		}); err != nil {
			return nil, fmt.Errorf("rig: %w", err)
		}
		err := n.Store().Each(ctx, 0, func(h store.Held) error {
			name := fmt.Sprintf("%s at %s", schema.ResourceName(h.Kind.Kind, h.ID), s.Code)
			w := want[h.ID]
			delete(want, h.ID)
			switch {
			case w == nil:
				out = append(out, name+" is out of its scope")
			case w.GetShared() != h.Shared:
				out = append(out, name+" is stripped at one side only")
			case !bytes.Equal(w.GetState(), h.Base):
				out = append(out, name+" differs")
			case !bytes.Equal(h.Base, h.Shown):
				out = append(out, name+" shows something pending")
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("rig: %w", err)
		}
		for id := range want {
			out = append(out, fmt.Sprintf("%s is missing at %s", schema.ResourceName(schema.Kind(want[id].GetKind()), id), s.Code))
		}
	}
	return out, nil
}
