package simrig

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/nkey"
	"branchline/sync/link"
	"branchline/sync/merge"
	"branchline/sync/oplog"
	"branchline/sync/sim"
)

// branch is one process of a branch.
type branch struct {
	*link.Core
	ctx   context.Context
	code  schema.BranchID
	key   string
	st    *store.Store
	lines link.BranchStore // what the core sees of it
	db    *stdsql.DB       // the auditor's own eyes
	codec *schema.PackCodec
}

var _ sim.Branch = (*branch)(nil)

func openStore(ctx context.Context, dir string, g sim.Ground) (*store.Store, error) {
	return store.Open(ctx, store.Config{Dir: dir, Now: g.Now, Rand: dice(g.Rand), CacheKiB: 1024, Readers: 1})
}

// OpenBranch implements sim.Rig.
func (r *Rig) OpenBranch(dir string, code schema.BranchID, boot []byte, g sim.Ground, road sim.Road) (sim.Branch, error) {
	ctx := context.Background()
	b := &branch{ctx: ctx, code: code}
	var err error
	if b.st, err = openStore(ctx, dir, g); err != nil {
		return nil, fmt.Errorf("simrig: %w", err)
	}
	if err := b.begin(r, dir, boot, g, road); err != nil {
		return nil, errors.Join(fmt.Errorf("simrig: %w", err), b.Crash())
	}
	if r.hooks.branch != nil {
		return r.hooks.branch(b), nil
	}
	return b, nil
}

func (b *branch) begin(r *Rig, dir string, boot []byte, g sim.Ground, road sim.Road) error {
	id, err := b.st.Identity(b.ctx)
	if err != nil {
		return err
	}
	signer, err := nkey.NewSigner(id.Seed)
	if err != nil {
		return err
	}
	b.key = signer.Public()
	verify, err := nkey.NewVerifier(id.HQKey)
	if err != nil {
		return err
	}
	if b.codec, err = schema.NewPackCodec(); err != nil {
		return err
	}
	at := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.Join(dir, store.FileName)}).EscapedPath(), RawQuery: "mode=ro&_pragma=query_only(1)"}
	if b.db, err = stdsql.Open("sqlite", at.String()); err != nil {
		return err
	}
	b.db.SetMaxOpenConns(1)
	b.lines = b.st
	if r.hooks.store != nil {
		b.lines = r.hooks.store(b.code, dir, b.st)
	}
	b.Core, err = link.New(link.Config{
		Branch: b.code, Boot: boot, Version: "sim", Store: b.lines, Transport: road, Codec: b.codec,
		Sign: func(m []byte) ([]byte, error) { return signer.Sign(m), nil },
		VerifyHQ: func(key string, msg, sig []byte) error {
			if key != id.HQKey {
				return errors.New("not headquarters' key")
			}
			return verify.Verify(msg, sig)
		},
		SchemaMin: 1, SchemaMax: 1, Rand: rand.New(rand.NewPCG(g.Number(), g.Number())),
		// Small, so that some tens of changes take many packs and pages.
		Limits: link.Limits{PackChanges: 3, PageBytes: 2 << 10},
	})
	return err
}

func (b *branch) LinkUp(now time.Time)              { b.Core.LinkUp(b.ctx, now) }
func (b *branch) LinkDown(now time.Time)            { b.Core.LinkDown(b.ctx, now) }
func (b *branch) Tick(now time.Time) time.Time      { return b.Core.Tick(b.ctx, now) }
func (b *branch) Wake(now time.Time)                { b.Core.Wake(b.ctx, now) }
func (b *branch) OnReceipt(now time.Time, m []byte) { b.Core.OnReceipt(b.ctx, now, m) }
func (b *branch) OnPoke(now time.Time, m []byte)    { b.Core.OnPoke(b.ctx, now, m) }

func (b *branch) OnDoor(now time.Time, token uint64, stream string, seq uint64, err error) {
	b.Core.OnDoor(b.ctx, now, token, stream, seq, err)
}

func (b *branch) OnAnswer(now time.Time, id uint64, m []byte, err error) {
	b.Core.OnAnswer(b.ctx, now, id, m, err)
}

// Key implements sim.Branch.
func (b *branch) Key() string { return b.key }

// Line implements sim.Branch.
func (b *branch) Line() sim.Line {
	s := b.Status()
	l := sim.Line{
		Open: s.Phase == link.Open, Salvage: s.Phase == link.Salvage, State: s.Phase.String(), Incarnation: s.Incarnation, Mark: s.Mark, Epoch: s.Epoch, HQRev: s.HQRev, Cursor: s.Cursor,
		Full: s.Full, FullPass: s.FullPass, Restored: s.Line == wirev1.Line_RESTORED, Hellos: s.Hellos, Rewinds: s.Rewinds,
	}
	if lives, err := b.st.Lives(b.ctx); err == nil {
		for _, x := range lives {
			l.Cut += schema.Seq(x.GetPruneCut())
		}
	}
	if s.Phase == link.Closed {
		l.Shut = s.Reason
	}
	if s.Reason != "" {
		l.State += " (" + s.Reason + ")"
	}
	return l
}

// Put implements sim.Branch.
func (b *branch) Put(e sim.Edit) (sim.Saved, error) {
	r, err := b.st.Put(b.ctx, store.Edit{
		Kind: e.Kind, ID: e.ID, Message: e.Message, Mask: e.Mask, Etag: e.Etag, NewHome: e.Home, Actor: "anna", Role: branchlinev1.Role_ROLE_ADVISER,
	})
	if err != nil || r.NoChange {
		return sim.Saved{ID: r.ID, NoChange: r.NoChange}, err
	}
	out := sim.Saved{ID: r.ID, Change: r.Change}
	for seq, to := range map[schema.Seq]*schema.Hash{r.Change.Seq: &out.Chain, r.Change.Seq - 1: &out.Before} {
		h, ok, err := b.st.ChainAt(b.ctx, r.Change.Inc, seq)
		if err != nil || !ok {
			return out, errors.Join(err, fmt.Errorf("simrig: no chain hash at %d of %s", seq, r.Change.Inc))
		}
		*to = h
	}
	_, made, err := b.st.Outgoing(b.ctx, r.Change.Inc, r.Change.Seq-1, 1, 1)
	if err != nil || len(made) != 1 {
		return out, errors.Join(err, fmt.Errorf("simrig: change %s is not in the log", r.Change))
	}
	body, err := made[0].Body()
	if err != nil {
		return out, err
	}
	out.Edit = schema.StampOf(r.Change, 0, body).Edit()
	return out, nil
}

// Get implements sim.Branch.
func (b *branch) Get(id schema.RecordID) (*branchlinev1.Record, error) { return b.st.Get(b.ctx, id) }

// Held implements sim.Branch.
func (b *branch) Held() ([]sim.Held, error) { return b.held("", nil) }

// HeldOne implements sim.Branch.
func (b *branch) HeldOne(id schema.RecordID) (sim.Held, bool, error) {
	list, err := b.held(" WHERE r.id = $1", []any{id[:]})
	if err != nil || len(list) == 0 {
		return sim.Held{}, false, err
	}
	return list[0], true, nil
}

func (b *branch) held(where string, args []any) ([]sim.Held, error) {
	rows, err := b.db.QueryContext(b.ctx, `SELECT r.id, r.kind, r.home, r.shared, r.shown, EXISTS (SELECT 1 FROM pending p WHERE p.n = r.n) FROM record r`+where+" ORDER BY r.id", args...)
	if err != nil {
		return nil, fmt.Errorf("simrig: %w", err)
	}
	defer rows.Close()
	var out []sim.Held
	for rows.Next() {
		var h sim.Held
		var id []byte
		if err := rows.Scan(&id, &h.Kind, &h.Home, &h.Shared, &h.State, &h.Pending); err != nil {
			return nil, fmt.Errorf("simrig: %w", err)
		}
		if h.ID, err = schema.RecordIDFromBytes(id); err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, rows.Err()
}

// Log implements sim.Branch.
func (b *branch) Log() ([]sim.Logged, error) {
	lives, err := oplog.Lives(b.ctx, b.db)
	if err != nil {
		return nil, err
	}
	var out []sim.Logged
	for i := len(lives) - 1; i >= 0; i-- {
		l := lives[i]
		_, rows, err := oplog.Read(b.ctx, b.db, l, b.code, l.PruneCut, 1<<20, 1<<30)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			out = append(out, sim.Logged{Sealed: r.Sealed, At: r.At, Record: r.Record, Former: l.Former})
		}
	}
	return out, nil
}

// Keeps implements sim.Branch.
func (b *branch) Keeps() (map[schema.ChangeID]bool, error) {
	out := map[schema.ChangeID]bool{}
	list, err := b.Held()
	if err != nil {
		return nil, err
	}
	lives, err := oplog.Lives(b.ctx, b.db)
	if err != nil {
		return nil, err
	}
	forgotten := func(s schema.Stamp) bool {
		for _, l := range lives {
			if l.Inc == s.Inc {
				return s.Change().Seq <= l.PruneCut
			}
		}
		return false
	}
	for _, h := range list {
		st, err := merge.Decode(h.State)
		if err != nil {
			return nil, err
		}
		for _, num := range st.Numbers() {
			for _, e := range st.Entries(num) {
				if e.Stamp.Branch == b.code && forgotten(e.Stamp) {
					out[e.Stamp.Edit()] = true
				}
			}
		}
	}
	for _, l := range lives {
		aside, err := oplog.Aside(b.ctx, b.db, l, b.code)
		if err != nil {
			return nil, err
		}
		for _, r := range aside {
			body, err := r.Body()
			if err != nil {
				return nil, err
			}
			out[oplog.StampOf(r, body).Edit()] = true
		}
	}
	rows, err := b.db.QueryContext(b.ctx, "SELECT edit_inc, edit_seq FROM given")
	if err != nil {
		return nil, fmt.Errorf("simrig: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		id := schema.ChangeID{Branch: b.code}
		if err := rows.Scan(&id.Inc, &id.Seq); err != nil {
			return nil, fmt.Errorf("simrig: %w", err)
		}
		out[id] = true
	}
	return out, rows.Err()
}

// Outcomes implements sim.Branch.
func (b *branch) Outcomes() ([]*wirev1.Outcome, error) {
	rows, err := b.db.QueryContext(b.ctx, "SELECT raw FROM outcome")
	if err != nil {
		return nil, fmt.Errorf("simrig: %w", err)
	}
	defer rows.Close()
	var out []*wirev1.Outcome
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, fmt.Errorf("simrig: %w", err)
		}
		o := new(wirev1.Outcome)
		if err := proto.Unmarshal(raw, o); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, rows.Err()
}

// Cursor implements sim.Branch.
func (b *branch) Cursor() (schema.EpochID, schema.Rev, error) {
	list, err := b.st.Cursors(b.ctx)
	if err != nil || len(list) == 0 {
		return 0, 0, err
	}
	return schema.EpochID(list[0].GetEpoch()), schema.Rev(list[0].GetRev()), nil
}

// SayRestored implements sim.Branch.
func (b *branch) SayRestored() error { return b.st.MarkRestored(b.ctx) }

// Crash implements sim.Branch: nothing says goodbye, the files are as they are.
func (b *branch) Crash() error {
	var errs []error
	if b.db != nil {
		errs = append(errs, b.db.Close())
	}
	if b.codec != nil {
		b.codec.Close()
	}
	return errors.Join(append(errs, b.st.Close())...)
}
