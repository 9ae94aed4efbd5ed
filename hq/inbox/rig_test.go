package inbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/feed"
	"branchline/hq/golden"
	"branchline/hq/inbox"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/nkey"
	"branchline/sync/clock"
)

// dice is a source of bytes that a seed fixes.
type dice struct{ r *rand.Rand }

func (d dice) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(d.r.Uint32())
	}
	return len(b), nil
}

// rig is a headquarters without a road.
type rig struct {
	t     testing.TB
	dir   string
	now   time.Time
	dice  dice
	key   *nkey.Signer
	st    *store.Store
	scope *feed.Scope
	in    *inbox.Inbox
	feed  *feed.Feed
	gold  *golden.Golden
	codec *schema.PackCodec
	ids   *schema.IDs
	seq   uint64
	idle  func() // of the store
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newRig(t testing.TB) *rig {
	g := &rig{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), dice: dice{rand.New(rand.NewPCG(1, 2))}}
	g.key = must(nkey.NewSigner(must(nkey.NewSeed(g.dice))(t)))(t)
	g.codec = must(schema.NewPackCodec())(t)
	g.ids = schema.NewIDs(func() time.Time { return g.now }, g.dice)
	g.open()
	t.Cleanup(func() { check(t, g.st.Close()) })
	return g
}

func (g *rig) open() {
	g.st = must(store.Open(context.Background(), store.Config{Dir: g.dir, Now: func() time.Time { return g.now }, Rand: g.dice, Signer: g.key, Idle: g.idle}))(g.t)
	g.scope = feed.NewScope(g.st)
	g.in = must(inbox.New(inbox.Config{Store: g.st, Scope: g.scope}))(g.t)
	g.gold = must(golden.New(golden.Config{Store: g.st, Scope: g.scope}))(g.t)
	g.feed = must(feed.New(feed.Config{Store: g.st, Receipts: g.in.Receipts, Catch: g.gold.Catch}))(g.t)
}

var admin = inbox.By{Actor: "root", Role: branchlinev1.Role_ROLE_HQ_ADMINISTRATOR}

// br is a branch that makes its own chain.
type br struct {
	g      *rig
	code   schema.BranchID
	key    *nkey.Signer
	inc    schema.Incarnation
	seq    schema.Seq
	chain  schema.Hash
	clock  *clock.Clock
	unsent []schema.Sealed
	before schema.Hash
	first  schema.Seq
	skew   time.Duration
	cert   []byte
	nonce  []byte
	boot   []byte
	chains map[schema.Seq]schema.Hash // shared with copies of the branch
	ledger map[string][]byte
	probe  inbox.Probe
}

func (g *rig) entity(code string) {
	must(g.in.AddEntity(g.t.Context(), schema.EntityID(code), "Entity "+code, admin))(g.t)
}

func (g *rig) branch(code, entity string) *br {
	g.t.Helper()
	tok := must(g.in.AddBranch(g.t.Context(), schema.BranchID(code), "Branch "+code, schema.EntityID(entity), admin))(g.t)
	return g.enrol(tok)
}

func (g *rig) enrol(tok *inbox.Token) *br {
	g.t.Helper()
	b := &br{g: g, code: tok.Branch, key: must(nkey.NewSigner(must(nkey.NewSeed(g.dice))(g.t)))(g.t), nonce: make([]byte, 16), boot: make([]byte, 16), ledger: map[string][]byte{}}
	must(g.dice.Read(b.nonce))(g.t)
	must(g.dice.Read(b.boot))(g.t)
	r := must(g.in.Enrol(g.t.Context(), &wirev1.EnrolRequest{
		TokenId: tok.ID, Token: tok.Secret, Key: b.key.Public(), Proof: b.key.Sign([]byte(tok.ID)), Nonce: b.nonce,
	}))(g.t)
	b.cert = r.GetCertificate()
	b.begin(schema.Incarnation(r.GetIncarnation()))
	if h := b.hello(); h.GetGate() != wirev1.Gate_OPEN || h.GetLives()[0].GetResume() != wirev1.Resume_CONTINUE {
		g.t.Fatalf("hello of a new branch: %v", h)
	}
	return b
}

// hello says hello, answering what HQ asks back.
func (b *br) hello(opts ...func(*wirev1.HelloRequest)) *wirev1.HelloReply {
	b.g.t.Helper()
	req := &wirev1.HelloRequest{
		Branch: string(b.code), Boot: b.boot, SchemaMin: 1, SchemaMax: 1, Clock: b.g.now.Add(b.skew).UnixMilli(), Nonce: b.nonce,
		Lives: []*wirev1.Life{{Incarnation: int64(b.inc), Certificate: b.cert, LastSeq: int64(b.seq), LastChain: b.chain[:]}},
	}
	for id := range b.ledger {
		req.LedgerIds = append(req.LedgerIds, []byte(id))
	}
	for _, o := range opts {
		o(req)
	}
	for range 12 {
		r := must(b.g.in.HelloBy(b.g.t.Context(), b.code, b.key.Public(), req, b.probe))(b.g.t)
		for _, raw := range r.GetLedger() {
			e := new(wirev1.LedgerEntry)
			check(b.g.t, proto.Unmarshal(raw, e))
			if b.ledger[string(e.GetId())] == nil {
				req.LedgerIds = append(req.LedgerIds, e.GetId())
			}
			b.ledger[string(e.GetId())] = raw
		}
		if len(r.GetAsk()) == 0 && len(r.GetLedgerWant()) == 0 {
			return r
		}
		for _, id := range r.GetLedgerWant() {
			req.Ledger = append(req.Ledger, b.ledger[string(id)])
		}
		for _, m := range r.GetAsk() {
			c := b.chains[schema.Seq(m.GetWatermark())]
			req.Hashes = append(req.Hashes, &wirev1.Mark{Incarnation: m.GetIncarnation(), Watermark: m.GetWatermark(), Chain: c[:]})
		}
	}
	b.g.t.Fatal("the hello does not end")
	return nil
}

func (b *br) begin(inc schema.Incarnation) {
	b.inc, b.seq, b.chain, b.first, b.before, b.unsent = inc, 0, schema.Hash{}, 1, schema.Hash{}, nil
	b.chains = map[schema.Seq]schema.Hash{}
	b.clock = clock.New(func() time.Time { return b.g.now.Add(b.skew) }, 0)
}

func (g *rig) id() schema.RecordID { return must(g.ids.New())(g.t) }

type opt func(*wirev1.ChangeBody)

func create(b *wirev1.ChangeBody) { b.Create = true }

func moves(to string) opt { return func(b *wirev1.ChangeBody) { b.NewHome = to } }

// naming replaces the one entry another change wrote into a field.
func naming(field int, id schema.ChangeID) opt {
	return func(b *wirev1.ChangeBody) {
		b.Names = append(b.Names, &wirev1.Names{Field: uint32(field), Entries: []*wirev1.EntryName{{
			Branch: string(id.Branch), Incarnation: int64(id.Inc), Seq: int64(id.Seq),
		}}})
	}
}

// write adds a change to the branch's chain.
func (b *br) write(id schema.RecordID, m proto.Message, opts ...opt) schema.ChangeID {
	k := schema.KindOfMessage(m)
	values := must(proto.MarshalOptions{Deterministic: true}.Marshal(m))(b.g.t)
	body := &wirev1.ChangeBody{
		At: uint64(b.clock.Stamp()), Kind: uint32(k.Kind), Record: id[:], Values: values, Actor: "anna", Role: uint32(branchlinev1.Role_ROLE_ADVISER),
	}
	for _, o := range opts {
		o(body)
	}
	return b.raw(must(proto.Marshal(body))(b.g.t))
}

func (b *br) raw(payload []byte) schema.ChangeID {
	var salt [16]byte
	must(b.g.dice.Read(salt[:]))(b.g.t)
	b.seq++
	s := schema.Seal(schema.ChangeID{Branch: b.code, Inc: b.inc, Seq: b.seq}, b.chain, salt, payload)
	b.chain = s.Chain
	b.chains[b.seq] = s.Chain
	b.unsent = append(b.unsent, s)
	return s.ID
}

// pack takes what is unsent, up to n changes, into one pack.
func (b *br) pack(n int) []byte {
	n = min(n, len(b.unsent))
	h := schema.PackHeader{Branch: b.code, Inc: b.inc, Gen: 7, First: b.first, Before: b.before}
	out := must(b.g.codec.Encode(h, b.unsent[:n], func(x []byte) ([]byte, error) { return b.key.Sign(x), nil }))(b.g.t)
	b.first += schema.Seq(n)
	b.before = b.unsent[n-1].Chain
	b.unsent = b.unsent[n:]
	return out
}

func (b *br) packs() [][]byte {
	var out [][]byte
	for len(b.unsent) > 0 {
		out = append(out, b.pack(schema.MaxPackChanges))
	}
	return out
}

// work gives packs to the inbox and reads the receipts.
func (g *rig) work(b *br, packs ...[]byte) map[schema.Incarnation]*wirev1.Receipt {
	g.t.Helper()
	var batch []inbox.Incoming
	for _, p := range packs {
		g.seq++
		batch = append(batch, inbox.Incoming{Subject: b.code, Data: p, StreamSeq: g.seq})
	}
	return g.receipts(must(g.in.Work(g.t.Context(), batch))(g.t))
}

func (g *rig) receipts(list []inbox.Receipt) map[schema.Incarnation]*wirev1.Receipt {
	g.t.Helper()
	out := map[schema.Incarnation]*wirev1.Receipt{}
	for _, x := range list {
		r := new(wirev1.Receipt)
		check(g.t, g.st.OpenWord(x.Data, r))
		out[schema.Incarnation(r.GetIncarnation())] = r
	}
	return out
}

// send sends all that is unsent.
func (b *br) send() *wirev1.Receipt {
	b.g.t.Helper()
	return b.g.work(b, b.packs()...)[b.inc]
}

// pull reads the feed from a cursor to its end.
func (b *br) pull(from schema.Rev, full bool) (rows []*wirev1.Row, last schema.Rev) {
	b.g.t.Helper()
	for {
		p := must(b.g.feed.Pull(b.g.t.Context(), b.code, &wirev1.PullRequest{Epoch: int64(b.g.st.Epoch()), Rev: int64(from), Full: full, Applied: int64(from)}))(b.g.t)
		if p.GetHello() {
			b.g.t.Fatalf("%s: the cursor is not good", b.code)
		}
		rows = append(rows, p.GetRows()...)
		if from = schema.Rev(p.GetLastRev()); p.GetFull() {
			return rows, from
		}
	}
}

// sees is what a branch holds after a full pass: resource name -> shared or not.
func (b *br) sees() map[string]bool {
	b.g.t.Helper()
	rows, _ := b.pull(0, true)
	out := map[string]bool{}
	for _, r := range rows {
		id := must(schema.RecordIDFromBytes(r.GetRecord()))(b.g.t)
		switch r.GetRow() {
		case wirev1.RowKind_RECORD:
			out[schema.ResourceName(schema.Kind(r.GetKind()), id)] = r.GetShared()
		case wirev1.RowKind_PURGE:
			delete(out, schema.ResourceName(schema.Kind(r.GetKind()), id))
		}
	}
	return out
}

// hash is the state of all records and who holds what, whatever their numbers and revs.
func (g *rig) hash() string {
	g.t.Helper()
	var b strings.Builder
	check(g.t, g.st.Read(g.t.Context(), func(r *store.R) error {
		for _, q := range []string{
			"SELECT id, kind, home, state FROM record ORDER BY id",
			"SELECT subject, branch, 0, x'' FROM hold h WHERE NOT EXISTS (SELECT 1 FROM record r WHERE r.id = h.subject AND r.home = h.branch) ORDER BY subject, branch",
		} {
			if err := r.Each(q, nil, func(rows *sql.Rows) error {
				var id, state []byte
				var kind, home int64
				if err := rows.Scan(&id, &kind, &home, &state); err != nil {
					return err
				}
				fmt.Fprintf(&b, "%x %d %d %q\n", id, kind, home, state)
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	}))
	return b.String()
}

func customer(name string) *branchlinev1.Customer {
	return &branchlinev1.Customer{Name: proto.String(name)}
}

func order(c, v schema.RecordID) *branchlinev1.ServiceOrder {
	m := &branchlinev1.ServiceOrder{Number: proto.String("SH01"), State: branchlinev1.OrderState_RECEIVED.Enum(), Day: proto.String("2026-11-21")}
	if !c.IsZero() {
		m.Customer = proto.String(c.String())
	}
	if !v.IsZero() {
		m.Vehicle = proto.String(v.String())
	}
	return m
}

func nameOf(t testing.TB, r *wirev1.Row) string {
	t.Helper()
	k := schema.KindOf(schema.Kind(r.GetKind()))
	m := new(branchlinev1.Customer)
	check(t, proto.Unmarshal(must(store.MessageOf(k, r.GetState()))(t), m))
	return m.GetName()
}

// copyTo copies database and ledger, as they are on disk, into another folder.
func (g *rig) copyTo(dir string) {
	g.t.Helper()
	_, err := g.st.DB().W.Exec("PRAGMA wal_checkpoint(TRUNCATE)")
	check(g.t, err)
	for _, name := range []string{store.File, store.LedgerFile} {
		b := must(os.ReadFile(filepath.Join(g.dir, name)))(g.t)
		check(g.t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
}

// dummy is a machine with a key and no registration.
func (g *rig) dummy() *br {
	b := &br{g: g, key: must(nkey.NewSigner(must(nkey.NewSeed(g.dice))(g.t)))(g.t), nonce: make([]byte, 16)}
	must(g.dice.Read(b.nonce))(g.t)
	return b
}

func (g *rig) workErr(b *br, p []byte) error {
	_, err := g.in.Work(g.t.Context(), []inbox.Incoming{{Subject: b.code, Data: p}})
	return err
}

// workAll sends what all have unsent as one batch.
func (g *rig) workAll(bs ...*br) map[schema.Incarnation]*wirev1.Receipt {
	g.t.Helper()
	var batch []inbox.Incoming
	for _, b := range bs {
		for _, p := range b.packs() {
			batch = append(batch, inbox.Incoming{Subject: b.code, Data: p})
		}
	}
	return g.receipts(must(g.in.Work(g.t.Context(), batch))(g.t))
}

// shown is the message bytes of a row.
func shown(r *wirev1.Row) ([]byte, error) {
	return store.MessageOf(schema.KindOf(schema.Kind(r.GetKind())), r.GetState())
}
