package inbox_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// fork is a copy of a branch's folder as it is now, to be put back later.
func (b *br) fork() *br {
	c := *b
	c.unsent = slices.Clone(b.unsent)
	c.chains = map[schema.Seq]schema.Hash{}
	for k, v := range b.chains {
		c.chains[k] = v
	}
	c.ledger = map[string][]byte{}
	for k, v := range b.ledger {
		c.ledger[k] = v
	}
	return &c
}

// newBoot is another start of the program, with a nonce of its own.
func (b *br) newBoot() {
	b.boot, b.nonce = make([]byte, 16), make([]byte, 16)
	must(b.g.dice.Read(b.boot))(b.g.t)
	must(b.g.dice.Read(b.nonce))(b.g.t)
}

// reissue writes tail again under a new incarnation, each change naming its origin.
func (b *br) reissue(old schema.Incarnation, tail []schema.Sealed, v *wirev1.LifeVerdict) {
	b.cert = v.GetCertificate()
	b.begin(schema.Incarnation(v.GetNewIncarnation()))
	for _, s := range tail {
		body := must(s.Body())(b.g.t)
		body.Origin = &wirev1.Origin{Incarnation: int64(old), Seq: int64(s.ID.Seq), Chain: s.Chain[:]}
		b.raw(must(proto.Marshal(body))(b.g.t))
	}
}

func TestHello_RestoredBranchForks(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	for range 5 {
		b.write(g.id(), customer("common"), create)
	}
	b.send()
	copied := b.fork()
	b.write(g.id(), customer("lost at the branch 1"), create)
	b.write(g.id(), customer("lost at the branch 2"), create)
	b.send()

	// The folder is put back, and work goes on in it.
	old := copied
	old.newBoot()
	mine := g.id()
	old.write(mine, customer("written after the restore"), create)
	tail := slices.Clone(old.unsent)
	// A pack of it slips in before the hello: kept aside, and the branch cut off.
	straggler := old.pack(1)
	if r := g.work(old, straggler)[old.inc]; !r.GetHello() {
		t.Fatalf("receipt %v", r)
	}
	h := old.hello()
	v := h.GetLives()[0]
	if v.GetResume() != wirev1.Resume_FORKED || v.GetFrom() != 5 || v.GetNewIncarnation() == 0 {
		t.Fatalf("verdict %v", v)
	}
	if again := old.hello().GetLives()[0]; again.GetNewIncarnation() != v.GetNewIncarnation() {
		t.Error("a lost answer to a hello makes two incarnations")
	}
	back := must(g.in.TakeBack(t.Context(), "b1", &wirev1.TakeBackRequest{Incarnation: int64(old.inc), After: 5}))(t)
	if !slices.Equal(back.GetSeqs(), []int64{6, 7}) || back.GetMore() {
		t.Errorf("taken back %v", back.GetSeqs())
	}
	inc := old.inc
	old.reissue(inc, tail, v)
	if r := old.send(); r.GetWatermark() != 1 || r.GetHello() {
		t.Fatalf("receipt of the re-issued tail: %v", r)
	}
	// The straggler once more: it is of a frozen incarnation now, and applied already.
	g.work(old, straggler)
	n := 0
	for name := range old.holdings() {
		if k, _, _ := schema.ParseName(name); k == schema.Customer {
			n++
		}
	}
	if n != 8 || old.shownName(mine) != "written after the restore" {
		t.Errorf("%d customers after the fork, not 8; mine is %q", n, old.shownName(mine))
	}
	if len(g.outcomes("b1")) != 0 {
		t.Errorf("outcomes %+v", g.outcomes("b1"))
	}
	if len(old.ledger) == 0 {
		t.Error("the frozen incarnation did not come down with the ledger")
	}
}

// A frozen incarnation's tail counts once, whichever way and in whatever order it comes.
func TestHello_OriginCountsOnce(t *testing.T) {
	for _, order := range []string{"frozen first", "re-issued first"} {
		t.Run(order, func(t *testing.T) {
			g := newRig(t)
			g.entity("e1")
			b := g.branch("b1", "e1")
			b.write(g.id(), customer("sent"), create)
			b.send()
			id := g.id()
			b.write(id, customer("on its way"), create)
			b.write(id, customer("edited"), naming(2, schema.ChangeID{Branch: "b1", Inc: b.inc, Seq: 2}))
			tail, inc := slices.Clone(b.unsent), b.inc
			onTheWay := b.pack(2)
			v := b.hello(func(r *wirev1.HelloRequest) { r.Lives[0].Restored = true }).GetLives()[0]
			if v.GetResume() != wirev1.Resume_FORKED || v.GetFrom() != 1 {
				t.Fatalf("verdict %v", v)
			}
			c := b.fork()
			c.reissue(inc, tail[:1], v)
			// The branch's own names of its re-issued entries are of the new incarnation.
			c.write(id, customer("edited"), naming(2, schema.ChangeID{Branch: "b1", Inc: c.inc, Seq: 1}), func(m *wirev1.ChangeBody) {
				m.Origin = &wirev1.Origin{Incarnation: int64(inc), Seq: 3, Chain: tail[1].Chain[:]}
			})
			packs := [][]byte{onTheWay, c.pack(2)}
			if order == "re-issued first" {
				slices.Reverse(packs)
			}
			for _, p := range packs {
				g.work(c, p)
			}
			if n := c.shownName(id); n != "edited" || len(c.holdings()) != 2 {
				t.Errorf("shown %q, %d records", n, len(c.holdings()))
			}
			c.write(id, customer("after"), naming(2, schema.ChangeID{Branch: "b1", Inc: c.inc, Seq: 2}))
			c.send()
			if n := c.shownName(id); n != "after" {
				t.Errorf("shown %q after an edit that names the re-issued entry", n)
			}
		})
	}
}

func TestHello_RestoredHeadquarters(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	a, b := g.branch("a1", "e1"), g.branch("b1", "e1")
	id := g.id()
	a.write(id, customer("before"), create)
	a.send()
	older := t.TempDir()
	g.copyTo(older)
	a.write(g.id(), customer("after the backup"), create)
	sent := slices.Clone(a.unsent)
	r := a.send()
	signed := must(g.st.SignWord(r))(t)
	// A key is revoked after the backup: the ledger must bring it back.
	check(t, g.in.Revoke(t.Context(), "b1"))
	line := g.st.SignedLine()
	_, rev := a.pull(0, true)
	epoch := g.st.Epoch()
	ledger := must(os.ReadFile(filepath.Join(g.dir, store.LedgerFile)))(t)

	check(t, g.st.Close())
	for _, n := range []string{store.File, store.File + "-wal", store.File + "-shm"} {
		if err := os.Remove(filepath.Join(g.dir, n)); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	check(t, os.WriteFile(filepath.Join(g.dir, store.File), must(os.ReadFile(filepath.Join(older, store.File)))(t), 0o600))
	g.open()

	if _, err := g.st.Leaf(b.key.Public()); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a revoked key may connect after the database was replaced: %v", err)
	}
	if got := must(os.ReadFile(filepath.Join(g.dir, store.LedgerFile)))(t); len(got) < len(ledger) {
		t.Error("the ledger was cut")
	}
	a.newBoot()
	h := a.hello(func(q *wirev1.HelloRequest) {
		q.Receipts, q.EpochLine = [][]byte{signed}, line
		q.Cursors = []*wirev1.Cursor{{Epoch: int64(epoch), Rev: int64(rev)}}
	})
	if h.GetLine() != wirev1.Line_RESTORED || h.GetLives()[0].GetResume() != wirev1.Resume_CONTINUE || h.GetLives()[0].GetFrom() != 2 {
		t.Fatalf("hello %v", h)
	}
	if !h.GetFullPass() {
		t.Error("a cursor beyond what headquarters has was called good")
	}
	if why := g.st.Held(); why != "" {
		t.Errorf("all branches that have a key were heard, and still: %s", why)
	}
	// What was acknowledged and lost comes again.
	a.unsent, a.first, a.before = sent, 2, a.chains[1]
	if r := a.send(); r.GetWatermark() != 2 || len(a.holdings()) != 2 {
		t.Errorf("receipt %v, holdings %v", r, a.holdings())
	}
}

func TestHello_WaitsForAllLedgers(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	a, b := g.branch("a1", "e1"), g.branch("b1", "e1")
	lost := must(g.st.SignWord(&wirev1.Receipt{Branch: "a1", Incarnation: int64(a.inc), Watermark: 0, Epoch: 12345, Rev: 1}))(t)
	h := a.hello(func(q *wirev1.HelloRequest) { q.Receipts = [][]byte{lost} })
	if h.GetLine() != wirev1.Line_RESTORED {
		t.Fatalf("line %v", h.GetLine())
	}
	if _, err := g.feed.Pull(t.Context(), "a1", &wirev1.PullRequest{Full: true}); !errors.Is(err, schema.ErrUnavailable) {
		t.Errorf("the feed is given before all ledgers were compared: %v", err)
	}
	a.write(g.id(), customer("taken meanwhile"), create)
	if r := a.send(); r.GetWatermark() != 1 {
		t.Errorf("changes are not taken meanwhile: %v", r)
	}
	b.hello()
	a.pull(0, true)
}

func TestHello_Clone(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	clone := b.fork()
	clone.newBoot()
	clone.probe = func(context.Context, []byte) ([]byte, bool) { return b.boot, true }
	if h := clone.hello(); h.GetGate() != wirev1.Gate_READ_ONLY {
		t.Fatalf("gate %v", h.GetGate())
	}
	p := must(g.feed.Pull(t.Context(), "b1", &wirev1.PullRequest{Full: true, Boot: clone.boot}))(t)
	if !p.GetHello() || len(p.GetRows()) != 0 {
		t.Error("the clone pulls the feed")
	}
	b.write(g.id(), customer("goes on"), create)
	if r := b.send(); r.GetWatermark() != 1 || r.GetHello() {
		t.Errorf("the first machine was cut off: %v", r)
	}
}

func TestHello_SalvageOfReplacedMachine(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	old := g.branch("b1", "e1")
	old.write(g.id(), customer("sent"), create)
	old.send()
	unsent := old.write(g.id(), customer("only on the old disk"), create)
	tok := must(g.in.ReEnrol(t.Context(), "b1"))(t)
	young := g.enrol(tok)
	young.write(g.id(), customer("new machine"), create)
	if r := young.send(); r.GetWatermark() != 1 {
		t.Fatalf("receipt %v", r)
	}
	if len(young.holdings()) != 2 {
		t.Errorf("the new machine has %v", young.holdings())
	}
	h := old.hello()
	if h.GetGate() != wirev1.Gate_SALVAGE || h.GetLives()[0].GetResume() != wirev1.Resume_CONTINUE || h.GetLives()[0].GetFrom() != 2 {
		t.Fatalf("hello of the old machine %v", h)
	}
	if r := old.send(); r.GetWatermark() != 2 {
		t.Fatalf("receipt of the salvaged tail %v", r)
	}
	if q := g.outcomes("b1"); len(q) != 1 || q[unsent].Outcome != wirev1.OutcomeKind_QUARANTINED {
		t.Errorf("outcomes %+v", q)
	}
	_, cursor := young.pull(0, true)
	if k := must(g.in.Settle(t.Context(), unsent, false))(t); k != wirev1.OutcomeKind_APPLIED || len(young.holdings()) != 3 {
		t.Errorf("settled %v, the new machine has %v", k, young.holdings())
	}
	// It is the branch's own change, and not the new machine's: it is told.
	rows, _ := young.pull(cursor, false)
	if !slices.ContainsFunc(rows, func(r *wirev1.Row) bool { return r.GetRow() == wirev1.RowKind_RECORD }) {
		t.Errorf("the new machine is told %v", rows)
	}
	if r := young.hello(); r.GetGate() != wirev1.Gate_OPEN {
		t.Errorf("the new machine: %v", r.GetGate())
	}
}

func TestHello_Gates(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	if h := b.hello(func(q *wirev1.HelloRequest) { q.SchemaMin, q.SchemaMax = 7, 9 }); h.GetGate() != wirev1.Gate_LOCAL_ONLY {
		t.Errorf("gate %v", h.GetGate())
	}
	b.write(g.id(), customer("x"), create)
	if r := b.send(); !r.GetHello() {
		t.Errorf("a branch that speaks another schema was heard: %v", r)
	}
	if h := b.hello(func(q *wirev1.HelloRequest) { q.ClaimedAck = 99 }); h.GetLine() != wirev1.Line_FALSE_ACK {
		t.Errorf("line %v", h.GetLine())
	}
	if h := b.hello(func(q *wirev1.HelloRequest) { q.Clock += 3600e3 }); len(h.GetWarnings()) != 1 || h.GetGate() != wirev1.Gate_OPEN {
		t.Errorf("clock off: %v %v", h.GetGate(), h.GetWarnings())
	}
	if h := b.hello(func(q *wirev1.HelloRequest) { q.Lives[0].Incarnation, q.Lives[0].Certificate = 42, nil }); h.GetLives()[0].GetResume() != wirev1.Resume_REFUSE {
		t.Errorf("an incarnation nobody issued: %v", h.GetLives())
	}
	check(t, g.in.Retire(t.Context(), "b1"))
	if h := b.hello(); h.GetGate() != wirev1.Gate_SALVAGE {
		t.Errorf("retired: %v", h.GetGate())
	}
	check(t, g.in.Revoke(t.Context(), "b1"))
	if h := b.hello(); h.GetGate() != wirev1.Gate_REFUSED {
		t.Errorf("revoked: %v", h.GetGate())
	}
}

func TestHello_LedgerOfABranchIsNotBelieved(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	a, b := g.branch("a1", "e1"), g.branch("b1", "e1")
	evil := &wirev1.LedgerEntry{Id: []byte("0123456789abcdef"), Kind: wirev1.LedgerKind_KEY_REVOKED, Branch: "a1", Key: a.key.Public()}
	b.ledger[string(evil.GetId())] = must(proto.Marshal(evil))(t)
	if h := b.hello(); h.GetGate() != wirev1.Gate_OPEN {
		t.Errorf("gate %v", h.GetGate())
	}
	if _, err := g.st.Leaf(a.key.Public()); err != nil {
		t.Errorf("a branch revoked another's key: %v", err)
	}
}

func TestHello_SupersededTakesAndGivesNothing(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	line := must(g.st.SignWord(&wirev1.EpochLine{Epochs: append(slices.Clone(g.st.Epochs()),
		&wirev1.Epoch{Id: 777, Parent: int64(g.st.Epoch()), BirthRev: int64(g.st.Rev())})}))(t)
	if h := b.hello(func(q *wirev1.HelloRequest) { q.EpochLine = line }); h.GetLine() != wirev1.Line_SUPERSEDED {
		t.Fatalf("line %v", h.GetLine())
	}
	if _, err := g.feed.Pull(t.Context(), "b1", &wirev1.PullRequest{Full: true}); !errors.Is(err, schema.ErrUnavailable) {
		t.Errorf("still gives: %v", err)
	}
	b.write(g.id(), customer("x"), create)
	h := g.hash()
	if rs := g.workErr(b, b.pack(1)); rs == nil || g.hash() != h {
		t.Error("still takes")
	}
	check(t, g.st.Close())
	g.open()
	if g.st.Held() == "" {
		t.Error("forgot over a restart that it is superseded")
	}
}

func TestEnrol_TokenLife(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	tok := must(g.in.AddBranch(t.Context(), "b1", "B", "e1", admin))(t)
	if _, err := g.in.AddBranch(t.Context(), "b1", "again", "e1", admin); !errors.Is(err, schema.ErrExists) {
		t.Errorf("a code used twice: %v", err)
	}
	if _, err := g.in.AddBranch(t.Context(), "b2", "B", "nope", admin); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("no such entity: %v", err)
	}
	one, two := g.dummy(), g.dummy()
	ask := func(b *br, f func(*wirev1.EnrolRequest)) (*wirev1.EnrolReply, error) {
		req := &wirev1.EnrolRequest{TokenId: tok.ID, Token: tok.Secret, Key: b.key.Public(), Proof: b.key.Sign([]byte(tok.ID)), Nonce: b.nonce}
		if f != nil {
			f(req)
		}
		return g.in.Enrol(t.Context(), req)
	}
	if _, err := ask(one, func(r *wirev1.EnrolRequest) { r.Token = make([]byte, 16) }); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a wrong secret: %v", err)
	}
	if _, err := ask(one, func(r *wirev1.EnrolRequest) { r.Proof[0] ^= 1 }); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("a wrong proof: %v", err)
	}
	first := must(ask(one, nil))(t)
	again := must(ask(one, nil))(t)
	if !proto.Equal(first, again) {
		t.Error("the same key asking again gets another answer")
	}
	if _, err := ask(two, nil); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a used token with another key: %v", err)
	}
	var alarms []store.Alarm
	check(t, g.st.Read(t.Context(), func(r *store.R) (err error) {
		alarms, err = store.Alarms(r)
		return err
	}))
	if len(alarms) != 1 || alarms[0].What != store.AlarmToken {
		t.Errorf("alarms %v", alarms)
	}
	if b, err := g.st.Leaf(one.key.Public()); err != nil || b != "b1" {
		t.Errorf("the key: %v %v", b, err)
	}
	if _, err := g.st.Leaf(two.key.Public()); !errors.Is(err, schema.ErrNotFound) {
		t.Errorf("another key: %v", err)
	}
	tok = must(g.in.ReEnrol(t.Context(), "b1"))(t)
	g.now = g.now.Add(24*time.Hour + time.Second)
	if _, err := ask(two, nil); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a token of yesterday: %v", err)
	}
	tok = must(g.in.ReEnrol(t.Context(), "b1"))(t)
	must(ask(two, nil))(t)
	if b, err := g.st.Leaf(one.key.Public()); err != nil || b != "b1" {
		t.Errorf("the replaced key may still bring its tail: %v %v", b, err)
	}
}

func TestEpoch_CursorGoodness(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	first := g.st.Epoch()
	_, rev := b.pull(0, true)
	check(t, g.st.Close())
	g.open()
	if n := len(g.st.Epochs()); n != 2 || g.st.Epochs()[1].GetParent() != int64(first) || g.st.Epochs()[1].GetBirthRev() < int64(rev) {
		t.Fatalf("epochs %v", g.st.Epochs())
	}
	pull := func(e schema.EpochID, rev schema.Rev) bool {
		return !must(g.feed.Pull(t.Context(), "b1", &wirev1.PullRequest{Epoch: int64(e), Rev: int64(rev), Boot: b.boot}))(t).GetHello()
	}
	if !pull(first, rev) {
		t.Error("a cursor of the epoch before is not good")
	}
	if pull(first, schema.Rev(g.st.Epochs()[1].GetBirthRev())+1) {
		t.Error("a cursor beyond the end of its epoch is good")
	}
	if pull(4711, 1) {
		t.Error("a cursor of an epoch nobody knows is good")
	}
	h := b.hello(func(q *wirev1.HelloRequest) {
		q.Cursors = []*wirev1.Cursor{{Epoch: int64(first), Rev: int64(rev)}, {Epoch: 4711, Rev: 9}}
	})
	if h.GetFullPass() || h.GetCursor().GetEpoch() != int64(first) {
		t.Errorf("hello %v %v", h.GetFullPass(), h.GetCursor())
	}
	h = b.hello(func(q *wirev1.HelloRequest) {
		q.Cursors = []*wirev1.Cursor{{Epoch: 4711, Rev: 9}, {Epoch: int64(first), Rev: int64(rev)}}
	})
	if !h.GetFullPass() {
		t.Errorf("the newest cursor is of an epoch nobody knows, and the pass goes on from %v", h.GetCursor())
	}
}
