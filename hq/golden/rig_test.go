package golden_test

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
	"branchline/hq/match"
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

// rig is a headquarters without a road, and branches that make their own chains.
type rig struct {
	t    testing.TB
	dir  string
	now  time.Time
	dice dice
	key  *nkey.Signer
	st   *store.Store
	in   *inbox.Inbox
	feed *feed.Feed
	gold *golden.Golden
	ids  *schema.IDs
	z    *schema.PackCodec
	base func() (*match.Model, error)
	seq  uint64
}

func newRig(t testing.TB, base func() (*match.Model, error)) *rig {
	g := &rig{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), dice: dice{rand.New(rand.NewPCG(1, 2))}, base: base}
	g.key = must(nkey.NewSigner(must(nkey.NewSeed(g.dice))(t)))(t)
	g.z = must(schema.NewPackCodec())(t)
	g.ids = schema.NewIDs(func() time.Time { return g.now }, g.dice)
	g.open()
	must(g.in.AddEntity(t.Context(), "e1", "Entity", admin))(t)
	return g
}

func (g *rig) open() {
	g.st = must(store.Open(context.Background(), store.Config{Dir: g.dir, Now: func() time.Time { return g.now }, Rand: g.dice, Signer: g.key, CacheKiB: 8192, Readers: 1}))(g.t)
	scope := feed.NewScope(g.st)
	g.in = must(inbox.New(inbox.Config{Store: g.st, Scope: scope}))(g.t)
	g.gold = must(golden.New(golden.Config{Store: g.st, Scope: scope, Base: g.base}))(g.t)
	g.feed = must(feed.New(feed.Config{Store: g.st, Receipts: g.in.Receipts, Catch: g.gold.Catch}))(g.t)
}

func (g *rig) close() { check(g.t, g.st.Close()) }

func (g *rig) restart() {
	check(g.t, g.st.Close())
	g.open()
}

func (g *rig) catch() { g.t.Helper(); check(g.t, g.gold.Catch(g.t.Context())) }

func (g *rig) id() schema.RecordID { return must(g.ids.New())(g.t) }

var admin = inbox.By{Actor: "root", Role: branchlinev1.Role_ROLE_HQ_ADMINISTRATOR}

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
}

func (g *rig) branch(code string) *br {
	g.t.Helper()
	tok := must(g.in.AddBranch(g.t.Context(), schema.BranchID(code), "Branch "+code, "e1", admin))(g.t)
	b := &br{g: g, code: tok.Branch, key: must(nkey.NewSigner(must(nkey.NewSeed(g.dice))(g.t)))(g.t), first: 1}
	nonce, boot := make([]byte, 16), make([]byte, 16)
	must(g.dice.Read(nonce))(g.t)
	must(g.dice.Read(boot))(g.t)
	r := must(g.in.Enrol(g.t.Context(), &wirev1.EnrolRequest{
		TokenId: tok.ID, Token: tok.Secret, Key: b.key.Public(), Proof: b.key.Sign([]byte(tok.ID)), Nonce: nonce,
	}))(g.t)
	b.inc = schema.Incarnation(r.GetIncarnation())
	b.clock = clock.New(func() time.Time { return g.now }, 0)
	req := &wirev1.HelloRequest{
		Branch: code, Boot: boot, SchemaMin: 1, SchemaMax: 1, Clock: g.now.UnixMilli(), Nonce: nonce,
		Lives: []*wirev1.Life{{Incarnation: int64(b.inc), Certificate: r.GetCertificate(), LastChain: b.chain[:]}},
	}
	if h := must(g.in.HelloBy(g.t.Context(), b.code, b.key.Public(), req, nil))(g.t); h.GetGate() != wirev1.Gate_OPEN {
		g.t.Fatalf("hello of a new branch: %v", h)
	}
	return b
}

// write adds a change to the branch's chain: a new record, or other values of one. What
// replaces a list entry names it.
func (b *br) write(id schema.RecordID, m proto.Message, create bool, names ...*wirev1.Names) schema.ChangeID {
	b.g.t.Helper()
	k := schema.KindOfMessage(m)
	body := &wirev1.ChangeBody{
		At: uint64(b.clock.Stamp()), Kind: uint32(k.Kind), Record: id[:], Actor: "anna", Role: uint32(branchlinev1.Role_ROLE_ADVISER), Create: create, Names: names,
		Values: must(proto.MarshalOptions{Deterministic: true}.Marshal(m))(b.g.t),
	}
	var salt [16]byte
	must(b.g.dice.Read(salt[:]))(b.g.t)
	b.seq++
	s := schema.Seal(schema.ChangeID{Branch: b.code, Inc: b.inc, Seq: b.seq}, b.chain, salt, must(proto.Marshal(body))(b.g.t))
	b.chain = s.Chain
	b.unsent = append(b.unsent, s)
	return s.ID
}

// pack takes what is unsent, up to n changes, into one pack.
func (b *br) pack(n int) []byte {
	n = min(n, len(b.unsent), schema.MaxPackChanges)
	h := schema.PackHeader{Branch: b.code, Inc: b.inc, Gen: 7, First: b.first, Before: b.before}
	out := must(b.g.z.Encode(h, b.unsent[:n], func(x []byte) ([]byte, error) { return b.key.Sign(x), nil }))(b.g.t)
	b.first += schema.Seq(n)
	b.before = b.unsent[n-1].Chain
	b.unsent = b.unsent[n:]
	return out
}

func (g *rig) work(code schema.BranchID, pack []byte) {
	g.t.Helper()
	g.seq++
	must(g.in.Work(g.t.Context(), []inbox.Incoming{{Subject: code, Data: pack, StreamSeq: g.seq}}))(g.t)
}

func (b *br) send() {
	b.g.t.Helper()
	for len(b.unsent) > 0 {
		b.g.work(b.code, b.pack(schema.MaxPackChanges))
	}
}

// naming is what a change writes that replaces what another wrote into a field.
func naming(field int, id schema.ChangeID) *wirev1.Names {
	return &wirev1.Names{Field: uint32(field), Entries: []*wirev1.EntryName{{Branch: string(id.Branch), Incarnation: int64(id.Inc), Seq: int64(id.Seq)}}}
}

// say is a steward's decision; withdraw takes one back.
func (g *rig) say(same bool, a, b []schema.RecordID) schema.RecordID {
	g.t.Helper()
	m := &branchlinev1.MatchDecision{Verdict: branchlinev1.Verdict_DIFFERENT.Enum()}
	if same {
		m.Verdict = branchlinev1.Verdict_SAME.Enum()
	}
	for _, id := range a {
		m.A = append(m.A, id.String())
	}
	for _, id := range b {
		m.B = append(m.B, id.String())
	}
	g.now = g.now.Add(time.Second)
	ids := must(g.in.Edit(g.t.Context(), inbox.Edit{Kind: schema.MatchDecision, Values: m, Actor: admin.Actor, Role: admin.Role}))(g.t)
	return ids[0]
}

func (g *rig) withdraw(decision schema.RecordID, undo bool) {
	g.t.Helper()
	g.now = g.now.Add(time.Second)
	at := g.now.UnixMilli()
	if undo {
		at = 0
	}
	must(g.in.Edit(g.t.Context(), inbox.Edit{Kind: schema.MatchDecision, Record: decision, Values: &branchlinev1.MatchDecision{RetiredAt: proto.Int64(at)}, Actor: admin.Actor, Role: admin.Role}))(g.t)
}

// rows reads a query's rows as text, a line each.
func (g *rig) rows(q string) string {
	g.t.Helper()
	var b strings.Builder
	check(g.t, g.st.Read(g.t.Context(), func(r *store.R) error {
		return r.Each(q, nil, func(rows *sql.Rows) error {
			cols, err := rows.Columns()
			if err != nil {
				return err
			}
			v, p := make([]any, len(cols)), make([]any, len(cols))
			for i := range v {
				p[i] = &v[i]
			}
			if err := rows.Scan(p...); err != nil {
				return err
			}
			fmt.Fprintln(&b, v...)
			return nil
		})
	}))
	return b.String()
}

// facts is all that follows from the records, whatever their numbers.
func (g *rig) derived() string {
	return "groups\n" + g.rows("SELECT hex(m.id), hex(s.id) FROM record m JOIN record s ON s.n = m.grp ORDER BY m.id") +
		"questions\n" + g.rows("SELECT hex(aid), hex(bid), score, gain, joined, contradiction, alarm FROM match_question ORDER BY rank, aid, bid") +
		"pairs\n" + g.rows("SELECT hex(x.id), hex(y.id), strangers, sharers, flags FROM match_edge e JOIN record x ON x.n = e.a JOIN record y ON y.n = e.b ORDER BY x.id, y.id") +
		"keys\n" + g.rows("SELECT hex(id), sum, hex(word), hex(keys), hex(facts) FROM match_node ORDER BY id") +
		g.rows("SELECT key, hex(r.id) FROM match_key k JOIN record r ON r.n = k.n ORDER BY key, r.id") +
		g.rows("SELECT key, holders, names FROM match_crowd ORDER BY key") + g.rows("SELECT key, hex(word), hex(id) FROM match_row ORDER BY key, word, id")
}

func (g *rig) checked() {
	g.t.Helper()
	c := must(g.gold.Check(g.t.Context()))(g.t)
	if len(c.Differences) > 0 {
		g.t.Fatalf("what is stored is not what follows from the records:\n%s", strings.Join(c.Differences, "\n"))
	}
}

// paired checks that the stored pairs are those that follow from the records.
func (g *rig) paired() {
	g.t.Helper()
	want, have := must(g.gold.Pairs(g.t.Context()))(g.t), must(g.gold.Stored(g.t.Context()))(g.t)
	if d := differ(strings.Join(want, "\n"), strings.Join(have, "\n")); d != "" {
		g.t.Fatalf("stored pairs are not those that follow from the records:\n%s", d)
	}
}

func person(name string, phones ...string) *branchlinev1.Customer {
	m := &branchlinev1.Customer{Name: proto.String(name)}
	for _, p := range phones {
		m.Phones = append(m.Phones, &branchlinev1.Phone{Number: proto.String(p)})
	}
	return m
}

// copyOf copies the database as it is and opens it as a headquarters of its own.
func (g *rig) copyOf() *rig {
	g.t.Helper()
	w := &rig{t: g.t, dir: g.t.TempDir(), now: g.now, dice: g.dice, key: g.key, z: g.z, ids: g.ids, base: g.base}
	_ = must(g.st.DB().W.Exec("PRAGMA wal_checkpoint(TRUNCATE)"))(g.t)
	for _, name := range []string{store.File, store.LedgerFile} {
		b := must(os.ReadFile(filepath.Join(g.dir, name)))(g.t)
		check(g.t, os.WriteFile(filepath.Join(w.dir, name), b, 0o600))
	}
	w.open()
	return w
}
