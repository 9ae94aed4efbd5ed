// Package simrig joins the branches' and headquarters' real databases and state
// machines to the simulator (sync/sim).
//
// Rules: what runs is what runs in a process, down to the SQLite files; only the
// road, the clock, chance and the order of steps are the simulator's. What the
// auditor reads it reads past the parties, from their files.
//
// It promises that a party opened twice on one folder is the same party. Two runs
// of one process share nothing but read-only templates of empty databases.
package simrig

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"google.golang.org/protobuf/proto"

	"branchline/hq/feed"
	"branchline/hq/golden"
	"branchline/hq/inbox"
	hqstore "branchline/hq/store"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/sql"
	"branchline/sync/bus/nkey"
	"branchline/sync/link"
	"branchline/sync/sim"
)

// Templates are empty databases, migrated once for many runs. Safe for concurrent use.
type Templates struct {
	dir  string
	once sync.Once
	err  error
}

// NewTemplates makes them in dir at first use.
func NewTemplates(dir string) *Templates { return &Templates{dir: dir} }

func (t *Templates) ready(ctx context.Context) error {
	t.once.Do(func() {
		for name, files := range map[string]sql.Config{
			hqstore.File:   {Migrations: sql.HQ()},
			store.FileName: {Migrations: sql.Node()},
		} {
			files.Path = filepath.Join(t.dir, name)
			db, err := sql.Open(ctx, files)
			if err == nil {
				err = db.Close()
			}
			t.err = errors.Join(t.err, err)
		}
	})
	return t.err
}

func (t *Templates) put(name, dir string) error {
	b, err := os.ReadFile(filepath.Join(t.dir, name))
	if err != nil {
		return fmt.Errorf("simrig: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		return fmt.Errorf("simrig: %w", err)
	}
	return nil
}

// Rig is one group. It implements sim.Rig for one run.
type Rig struct {
	tmpl  *Templates
	hq    *hq          // the one that was opened last
	key   *nkey.Signer // headquarters'
	seeds map[schema.BranchID][]byte
	// hooks let tests put doubles between the parties' parts.
	hooks hooks
}

type hooks struct {
	store func(code schema.BranchID, dir string, s *store.Store) link.BranchStore
	hq    func(h *hq) sim.HQ
	// branch, of one process
	branch func(b *branch) sim.Branch
	rand   func(dir string, r io.Reader) io.Reader // of headquarters, while it opens
}

// New makes a rig for one run.
func New(t *Templates) *Rig { return &Rig{tmpl: t, seeds: map[schema.BranchID][]byte{}} }

type dice func(b []byte)

func (d dice) Read(b []byte) (int, error) { d(b); return len(b), nil }

var founder = inbox.By{Actor: "root", Role: branchlinev1.Role_ROLE_HQ_ADMINISTRATOR}

// Found implements sim.Rig.
func (r *Rig) Found(hqDir string, branches []sim.Founding, g sim.Ground) error {
	if err := r.tmpl.ready(context.Background()); err != nil {
		return fmt.Errorf("simrig: templates: %w", err)
	}
	for _, f := range branches {
		if err := r.tmpl.put(store.FileName, f.Dir); err != nil {
			return err
		}
	}
	return r.found(hqDir, branches, g, false)
}

// FoundAnew implements sim.Rig.
func (r *Rig) FoundAnew(hqDir string, branches []sim.Founding, g sim.Ground) error {
	list, err := os.ReadDir(hqDir)
	if err != nil {
		return fmt.Errorf("simrig: %w", err)
	}
	for _, e := range list {
		if err := os.RemoveAll(filepath.Join(hqDir, e.Name())); err != nil {
			return fmt.Errorf("simrig: %w", err)
		}
	}
	return r.found(hqDir, branches, g, true)
}

// found makes headquarters and enrols the branches at it; again when they were
// branches of another before.
func (r *Rig) found(hqDir string, branches []sim.Founding, g sim.Ground, again bool) (err error) {
	ctx := context.Background()
	if err := r.tmpl.put(hqstore.File, hqDir); err != nil {
		return err
	}
	seed, err := nkey.NewSeed(dice(g.Rand))
	if err != nil {
		return err
	}
	if r.key, err = nkey.NewSigner(seed); err != nil {
		return err
	}
	h, err := r.openHQ(hqDir, g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Crash()) }()
	made := map[schema.EntityID]bool{}
	for _, f := range branches {
		if !made[f.Entity] {
			made[f.Entity] = true
			if _, err := h.inbox.AddEntity(ctx, f.Entity, "Entity "+string(f.Entity), founder); err != nil {
				return err
			}
		}
		if err := r.enrol(ctx, h, f, g, again); err != nil {
			return fmt.Errorf("simrig: enrol %s: %w", f.Branch, err)
		}
	}
	return nil
}

func (r *Rig) enrol(ctx context.Context, h *hq, f sim.Founding, g sim.Ground, again bool) error {
	if !again {
		if err := r.newKey(f.Branch, g); err != nil {
			return err
		}
	}
	return r.trade(ctx, h, f, g, func() (*inbox.Token, error) {
		t, err := h.inbox.AddBranch(ctx, f.Branch, "Branch "+string(f.Branch), f.Entity, founder)
		if err == nil && again {
			// A first token lets nobody in who was somebody before.
			t, err = h.inbox.ReEnrol(ctx, f.Branch)
		}
		return t, err
	})
}

// Replace implements sim.Rig.
func (r *Rig) Replace(f sim.Founding, g sim.Ground) error {
	ctx := context.Background()
	if err := r.tmpl.put(store.FileName, f.Dir); err != nil {
		return err
	}
	if err := r.newKey(f.Branch, g); err != nil {
		return err
	}
	if err := r.trade(ctx, r.hq, f, g, func() (*inbox.Token, error) { return r.hq.inbox.ReEnrol(ctx, f.Branch) }); err != nil {
		return fmt.Errorf("simrig: replace the machine of %s: %w", f.Branch, err)
	}
	return nil
}

func (r *Rig) newKey(b schema.BranchID, g sim.Ground) (err error) {
	r.seeds[b], err = nkey.NewSeed(dice(g.Rand))
	return err
}

// trade trades a token for a registration of the folder's database.
func (r *Rig) trade(ctx context.Context, h *hq, f sim.Founding, g sim.Ground, token func() (*inbox.Token, error)) (err error) {
	seed := r.seeds[f.Branch]
	key, err := nkey.NewSigner(seed)
	if err != nil {
		return err
	}
	st, err := openStore(ctx, f.Dir, g)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	nonce, err := st.Nonce(ctx)
	if err != nil {
		return err
	}
	t, err := token()
	if err != nil {
		return err
	}
	a, err := h.inbox.Enrol(ctx, &wirev1.EnrolRequest{
		TokenId: t.ID, Token: t.Secret, Key: key.Public(), Proof: key.Sign([]byte(t.ID)), Nonce: nonce,
	})
	if err != nil {
		return err
	}
	return st.Enrol(ctx, store.Enrolment{
		Identity:    store.Identity{Branch: f.Branch, Entity: f.Entity, Seed: seed, HQKey: a.GetHqKey(), IDKey: a.GetIdKey()},
		Incarnation: schema.Incarnation(a.GetIncarnation()), Certificate: a.GetCertificate(),
		Epoch: schema.EpochID(a.GetEpoch()), EpochLine: a.GetEpochLine(),
	})
}

// HQKeeps implements sim.Rig: the ledger lies outside what backups hold.
func (r *Rig) HQKeeps() []string { return []string{hqstore.LedgerFile} }

// OpenHQ implements sim.Rig.
func (r *Rig) OpenHQ(dir string, g sim.Ground) (sim.HQ, error) {
	h, err := r.openHQ(dir, g)
	if err != nil {
		return nil, err
	}
	r.hq = h
	if r.hooks.hq != nil {
		return r.hooks.hq(h), nil
	}
	return h, nil
}

func (r *Rig) openHQ(dir string, g sim.Ground) (*hq, error) {
	ctx := context.Background()
	random := &switchable{Reader: dice(g.Rand)}
	if r.hooks.rand != nil {
		random.Reader = r.hooks.rand(dir, dice(g.Rand))
	}
	st, err := hqstore.Open(ctx, hqstore.Config{Dir: dir, Now: g.Now, Rand: random, Signer: r.key, CacheKiB: 2048, Readers: 1})
	if err != nil {
		return nil, fmt.Errorf("simrig: %w", err)
	}
	random.Reader = dice(g.Rand)
	h := &hq{ctx: ctx, st: st}
	h.scope = feed.NewScope(st)
	h.inbox, err = inbox.New(inbox.Config{Store: st, Scope: h.scope, UpStream: func() string { return h.stream }})
	if err == nil {
		err = h.inbox.Unpark(ctx)
	}
	if err == nil {
		h.golden, err = golden.New(golden.Config{Store: st, Scope: h.scope})
	}
	if err == nil {
		h.feed, err = feed.New(feed.Config{Store: st, Receipts: h.inbox.Receipts, Catch: h.golden.Catch})
	}
	if err == nil {
		h.codec, err = schema.NewPackCodec()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("simrig: %w", err), st.Close())
	}
	return h, nil
}

type switchable struct{ io.Reader }

// Forge implements sim.Rig.
func (r *Rig) Forge(_ string, thief, victim schema.BranchID, inc schema.Incarnation, after schema.Seq, chain schema.Hash) ([]byte, error) {
	key, err := nkey.NewSigner(r.seeds[thief])
	if err != nil {
		return nil, err
	}
	payload, err := proto.Marshal(&wirev1.ChangeBody{At: 1, Kind: uint32(schema.Customer), Record: make([]byte, 16), Actor: "mallory", Role: 1, Create: true})
	if err != nil {
		return nil, err
	}
	z, err := schema.NewPackCodec()
	if err != nil {
		return nil, err
	}
	defer z.Close()
	s := schema.Seal(schema.ChangeID{Branch: victim, Inc: inc, Seq: after + 1}, chain, [16]byte{7}, payload)
	return z.Encode(schema.PackHeader{Form: 1 + int(after%2), Branch: victim, Inc: inc, Gen: 1, First: after + 1, Before: chain}, []schema.Sealed{s},
		func(b []byte) ([]byte, error) { return key.Sign(b), nil })
}
