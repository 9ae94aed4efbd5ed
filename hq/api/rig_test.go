package api_test

import (
	"crypto/sha256"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"google.golang.org/protobuf/proto"

	"branchline/hq/api"
	"branchline/hq/feed"
	"branchline/hq/find"
	"branchline/hq/golden"
	"branchline/hq/inbox"
	"branchline/hq/report"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/account"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/serve"
	"branchline/sync/bus/nkey"
	"branchline/sync/clock"
)

// locked is a source of bytes that a seed fixes, for many goroutines.
type locked struct {
	mu sync.Mutex
	r  *rand.ChaCha8
}

func (l *locked) Read(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.r.Read(b)
}

// rig is a headquarters whose API is reached over HTTP; it has no road.
type rig struct {
	t        *testing.T
	dir      string
	mu       sync.Mutex
	now      time.Time
	dice     *locked
	st       *store.Store
	in       *inbox.Inbox
	gold     *golden.Golden
	index    *find.Index
	api      *api.API
	accounts *account.Accounts
	url      string
	tokens   []*inbox.Token
	kicked   []schema.BranchID
	match    *matcher
	codec    *schema.PackCodec
	ids      *schema.IDs
	stream   uint64
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (g *rig) clock() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

func (g *rig) pass(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now = g.now.Add(d)
}

// Kick implements api.Kicker.
func (g *rig) Kick(b schema.BranchID) int {
	g.kicked = append(g.kicked, b)
	return 1
}

func newRig(t *testing.T) *rig {
	t.Helper()
	g := &rig{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), dice: &locked{r: rand.NewChaCha8(sha256.Sum256([]byte(t.Name())))}}
	key := must(nkey.NewSigner(must(nkey.NewSeed(g.dice))(t)))(t)
	g.codec = must(schema.NewPackCodec())(t)
	g.ids = schema.NewIDs(g.clock, g.dice)
	g.st = must(store.Open(t.Context(), store.Config{Dir: g.dir, Now: g.clock, Rand: g.dice, Signer: key}))(t)
	t.Cleanup(func() {
		if err := g.st.Close(); err != nil {
			t.Error(err)
		}
	})
	scope := feed.NewScope(g.st)
	g.in = must(inbox.New(inbox.Config{Store: g.st, Scope: scope}))(t)
	g.gold = must(golden.New(golden.Config{Store: g.st, Scope: scope}))(t)
	g.match = &matcher{g: g}
	g.index = must(find.New(g.st, nil))(t)
	log := slog.New(slog.DiscardHandler)
	g.api = must(api.New(api.Config{
		Store: g.st, Inbox: g.in, Index: g.index, Reports: must(report.New(report.Config{Store: g.st}))(t), Links: g, Catch: g.gold.Catch, Match: g.match,
		Token: func(tok *inbox.Token) (string, error) {
			g.tokens = append(g.tokens, tok)
			return "token of " + string(tok.Branch), nil
		},
		Dir: g.dir, Version: "1.2.3", Now: g.clock, Log: log,
	}))(t)
	g.accounts = must(account.New(account.Config{
		Site: access.HQ, DB: g.st.DB(), Now: g.clock, Rand: g.dice, Log: log,
		Cost: &argon2id.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}))(t)
	s := must(serve.New(serve.Config{
		Site: access.HQ, Accounts: g.accounts, Records: g.api.Records(), Sites: g.api.Sites(), Headquarters: g.api.Headquarters(), Match: g.api.Match(),
		Now: g.clock, Rand: g.dice, Log: log,
	}))(t)
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	g.url = h.URL
	return g
}

// as is a client signed in with a role.
func (g *rig) as(r branchlinev1.Role) *serve.Client {
	g.t.Helper()
	name := access.Name(r)
	if _, err := g.accounts.Get(g.t.Context(), name); errors.Is(err, schema.ErrNotFound) {
		must(g.accounts.Create(g.t.Context(), &branchlinev1.Account{Name: name, Staff: "st-" + name, Roles: []branchlinev1.Role{r}}, "correct horse battery"))(g.t)
	}
	in := must(g.accounts.SignIn(g.t.Context(), account.Try{Account: name, Password: "correct horse battery"}))(g.t)
	c := must(serve.NewClient(g.url, in.Token, ""))(g.t)
	g.t.Cleanup(c.Close)
	return c
}

const (
	steward = branchlinev1.Role_ROLE_HQ_STEWARD
	admin   = branchlinev1.Role_ROLE_HQ_ADMINISTRATOR
	analyst = branchlinev1.Role_ROLE_HQ_ANALYST
	auditor = branchlinev1.Role_ROLE_AUDITOR
	privacy = branchlinev1.Role_ROLE_PRIVACY_OFFICER
)

// branch is one that sends packs.
type branch struct {
	g      *rig
	code   schema.BranchID
	key    *nkey.Signer
	inc    schema.Incarnation
	seq    schema.Seq
	chain  schema.Hash
	before schema.Hash
	clock  *clock.Clock
	unsent []schema.Sealed
}

// newBranch adds a branch over the API and enrols it.
func (g *rig) newBranch(c *serve.Client, code, entity string) *branch {
	g.t.Helper()
	must(c.Headquarters.AddBranch(g.t.Context(), &branchlinev1.AddBranchRequest{Code: code, Name: "Branch " + code, Entity: entity}))(g.t)
	return g.enrol(g.tokens[len(g.tokens)-1])
}

func (g *rig) enrol(tok *inbox.Token) *branch {
	g.t.Helper()
	b := &branch{g: g, code: tok.Branch, key: must(nkey.NewSigner(must(nkey.NewSeed(g.dice))(g.t)))(g.t), clock: clock.New(g.clock, 0)}
	nonce := make([]byte, 16)
	must(g.dice.Read(nonce))(g.t)
	r := must(g.in.Enrol(g.t.Context(), &wirev1.EnrolRequest{
		TokenId: tok.ID, Token: tok.Secret, Key: b.key.Public(), Proof: b.key.Sign([]byte(tok.ID)), Nonce: nonce,
	}))(g.t)
	b.inc = schema.Incarnation(r.GetIncarnation())
	hello := &wirev1.HelloRequest{
		Branch: string(b.code), Boot: nonce, SchemaMin: 1, SchemaMax: 1, Clock: g.clock().UnixMilli(), Nonce: nonce,
		Lives: []*wirev1.Life{{Incarnation: int64(b.inc), Certificate: r.GetCertificate()}},
	}
	if h := must(g.in.HelloBy(g.t.Context(), b.code, b.key.Public(), hello, nil))(g.t); h.GetGate() != wirev1.Gate_OPEN {
		g.t.Fatalf("hello: %v", h)
	}
	return b
}

func (g *rig) id() schema.RecordID { return must(g.ids.New())(g.t) }

// write adds a change to the branch's chain. replaces are earlier changes whose entries it names.
func (b *branch) write(id schema.RecordID, m proto.Message, replaces ...schema.ChangeID) schema.ChangeID {
	b.g.t.Helper()
	k := schema.KindOfMessage(m)
	body := &wirev1.ChangeBody{
		At: uint64(b.clock.Stamp()), Kind: uint32(k.Kind), Record: id[:], Values: must(proto.MarshalOptions{Deterministic: true}.Marshal(m))(b.g.t),
		Actor: "anna", Role: uint32(branchlinev1.Role_ROLE_ADVISER), Create: len(replaces) == 0,
	}
	for _, f := range k.Fields {
		if len(replaces) == 0 || !m.ProtoReflect().Has(f.Desc) {
			continue
		}
		n := &wirev1.Names{Field: uint32(f.Number)}
		for _, r := range replaces {
			n.Entries = append(n.Entries, &wirev1.EntryName{Branch: string(r.Branch), Incarnation: int64(r.Inc), Seq: int64(r.Seq)})
		}
		body.Names = append(body.Names, n)
	}
	return b.raw(body)
}

func (b *branch) raw(body *wirev1.ChangeBody) schema.ChangeID {
	b.g.t.Helper()
	var salt [16]byte
	must(b.g.dice.Read(salt[:]))(b.g.t)
	b.seq++
	s := schema.Seal(schema.ChangeID{Branch: b.code, Inc: b.inc, Seq: b.seq}, b.chain, salt, must(proto.Marshal(body))(b.g.t))
	b.chain = s.Chain
	b.unsent = append(b.unsent, s)
	return s.ID
}

// send sends all that is unsent; HQ must have stored it.
func (b *branch) send() {
	b.g.t.Helper()
	var batch []inbox.Incoming
	for len(b.unsent) > 0 {
		n := min(schema.MaxPackChanges, len(b.unsent))
		h := schema.PackHeader{Branch: b.code, Inc: b.inc, First: b.unsent[0].ID.Seq, Before: b.before}
		raw := must(b.g.codec.Encode(h, b.unsent[:n], func(x []byte) ([]byte, error) { return b.key.Sign(x), nil }))(b.g.t)
		b.before = b.unsent[n-1].Chain
		b.unsent = b.unsent[n:]
		b.g.stream++
		batch = append(batch, inbox.Incoming{Subject: b.code, Data: raw, StreamSeq: b.g.stream})
	}
	stored := schema.Seq(0)
	for _, x := range must(b.g.in.Work(b.g.t.Context(), batch))(b.g.t) {
		r := new(wirev1.Receipt)
		if err := b.g.st.OpenWord(x.Data, r); err != nil {
			b.g.t.Fatal(err)
		}
		stored = max(stored, schema.Seq(r.GetWatermark()))
	}
	if stored != b.seq {
		b.g.t.Fatalf("%s sent up to %d, HQ has %d", b.code, b.seq, stored)
	}
}

func record(t *testing.T, m proto.Message) *branchlinev1.Record {
	t.Helper()
	r := new(branchlinev1.Record)
	if err := schema.SetBody(r, m); err != nil {
		t.Fatal(err)
	}
	return r
}

// wants fails unless err is the sentinel; it gives what the caller was told.
func wants(t *testing.T, what string, err, sentinel error) *serve.CallError {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Fatalf("%s: %v, want %v", what, err, sentinel)
	}
	var ce *serve.CallError
	if !errors.As(err, &ce) {
		t.Fatalf("%s: %v is no error of a call", what, err)
	}
	return ce
}

// wantsField is wants of ErrInvalid with a violation of one field.
func wantsField(t *testing.T, what string, err error, field string) {
	t.Helper()
	ce := wants(t, what, err, schema.ErrInvalid)
	for _, v := range ce.Violations {
		if v.GetField() == field {
			return
		}
	}
	t.Fatalf("%s: violations %v, want one of %q", what, ce.Violations, field)
}
