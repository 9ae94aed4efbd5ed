package rig

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/link"
)

// group is a rig of a test.
type group struct {
	*Rig
	t     *testing.T
	saved map[schema.BranchID][]schema.RecordID // customers saved and not thrown away with a folder
}

func newGroup(t *testing.T, c Config) *group {
	t.Helper()
	c.Dir, c.Rand = t.TempDir(), rand.Reader
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Branches == nil {
		c.Branches = []Branch{{Code: "b1", Name: "Pudong", Entity: "e1"}, {Code: "b2", Name: "Minhang", Entity: "e1"}, {Code: "b3", Name: "Hangzhou", Entity: "e2"}}
	}
	if c.Limits == (link.Limits{}) {
		c.Limits = link.Limits{Beat: 250 * time.Millisecond}
	}
	if os.Getenv("BRANCHLINE_LOG") != "" {
		c.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	r, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	g := &group{r, t, map[schema.BranchID][]schema.RecordID{}}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func (g *group) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// converge waits until the group is quiet and compares every site.
func (g *group) converge() {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	g.must(g.Quiet(ctx))
	diff, err := g.Differing(ctx)
	g.must(err)
	for i, d := range diff {
		if i < 10 {
			g.t.Error(d)
		}
	}
	if len(diff) > 0 {
		g.t.Fatalf("%d records differ", len(diff))
	}
	// Whatever was saved anywhere is at HQ.
	for b, ids := range g.saved {
		for _, id := range ids {
			if _, err := g.Site(b).Node().Store().Get(ctx, id); err != nil {
				g.t.Errorf("saved at %s: %v", b, err)
			}
		}
	}
}

// until waits for a condition.
func (g *group) until(what string, ok func() bool) {
	g.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			for _, s := range g.Sites() {
				if n := s.Node(); n != nil {
					g.t.Logf("%s: %+v", s.Code, n.Link())
				}
			}
			g.t.Fatalf("never came: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func (g *group) linked(b schema.BranchID) {
	g.t.Helper()
	g.until(string(b)+" open", func() bool { return g.Site(b).Node().Link().Phase == link.Open })
}

// copyHQ copies headquarters' folder while it is stopped, and starts it again.
func (g *group) copyHQ() (dir string) {
	g.t.Helper()
	dir = filepath.Join(g.t.TempDir(), "copy")
	g.must(g.StopHQ())
	g.must(CopyDir(g.HQDir(), dir))
	g.must(g.StartHQ())
	return dir
}

// putBackHQ puts such a copy in the folder's place.
func (g *group) putBackHQ(dir string) {
	g.t.Helper()
	g.must(g.StopHQ())
	g.must(SwapDir(dir, g.HQDir()))
	g.must(g.StartHQ())
}

// copyNode and putBackNode are the same for a branch.
func (g *group) copyNode(b schema.BranchID) (dir string) {
	g.t.Helper()
	dir = filepath.Join(g.t.TempDir(), "copy")
	g.must(g.StopNode(b))
	g.must(CopyDir(g.Site(b).Dir, dir))
	g.must(g.StartNode(b))
	return dir
}

func (g *group) putBackNode(b schema.BranchID, dir string) {
	g.t.Helper()
	g.must(g.StopNode(b))
	g.must(SwapDir(dir, g.Site(b).Dir))
	g.must(g.StartNode(b))
}

func (g *group) put(b schema.BranchID, e store.Edit) schema.RecordID {
	g.t.Helper()
	e.Actor, e.Role = "li", branchlinev1.Role_ROLE_CLERK
	e.Kind = schema.KindOfMessage(e.Message).Kind
	r, err := g.Site(b).Node().Store().Put(context.Background(), e)
	g.must(err)
	return r.ID
}

func (g *group) customer(b schema.BranchID, name, phone string) schema.RecordID {
	g.t.Helper()
	id := g.put(b, store.Edit{Message: &branchlinev1.Customer{
		Name: proto.String(name), Phones: []*branchlinev1.Phone{{Number: proto.String(phone)}},
	}})
	g.saved[b] = append(g.saved[b], id)
	return id
}

func (g *group) many(b schema.BranchID, n int) {
	g.t.Helper()
	for range n {
		k := len(g.saved[b])
		g.customer(b, fmt.Sprintf("客户%s%d", b, k), fmt.Sprintf("139%s%07d", string(b)[1:], k))
	}
}

func (g *group) get(b schema.BranchID, id schema.RecordID) *branchlinev1.Record {
	g.t.Helper()
	r, err := g.Site(b).Node().Store().Get(context.Background(), id)
	g.must(err)
	return r
}

// edit changes fields of a customer as the person at b sees it now.
func (g *group) edit(b schema.BranchID, id schema.RecordID, m *branchlinev1.Customer, mask ...string) {
	g.t.Helper()
	g.put(b, store.Edit{ID: id, Message: m, Mask: mask, Etag: g.get(b, id).GetEtag()})
}

func (g *group) atHQ(id schema.RecordID) bool {
	g.t.Helper()
	_, err := g.HQ().Record(context.Background(), id)
	if err != nil && !errors.Is(err, schema.ErrNotFound) {
		g.t.Fatal(err)
	}
	return err == nil
}

// One person is a customer at two branches of one company. While one is cut
// off, both edit the same record: different fields both win, of the same field
// the later is shown at both.
func TestLine_CutEditConverge(t *testing.T) {
	g := newGroup(t, Config{})
	one := g.customer("b1", "王小明", "13817264531")
	g.customer("b2", "王小明", "13817264531")
	g.customer("b3", "赵六", "13900139000")
	g.converge()
	g.get("b2", one) // by the group: same company, same phone and name
	if _, err := g.Site("b3").Node().Store().Get(context.Background(), one); !errors.Is(err, schema.ErrNotFound) {
		t.Fatalf("another company's branch: %v", err)
	}
	g.Site("b1").Proxy().Cut()
	g.until("b1 down", func() bool { return g.Site("b1").Node().Link().Phase == link.Down })
	g.edit("b1", one, &branchlinev1.Customer{Remark: proto.String("rings twice"), Name: proto.String("王晓明")}, "remark", "name")
	g.edit("b2", one, &branchlinev1.Customer{Birthday: proto.String("1980-02-03")}, "birthday")
	ms := time.Now().UnixMilli()
	g.until("the next millisecond, so that the later edit has the later time", func() bool { return time.Now().UnixMilli() > ms })
	g.edit("b2", one, &branchlinev1.Customer{Name: proto.String("王小鸣")}, "name")
	if c := g.get("b1", one).GetCustomer(); c.GetName() != "王晓明" {
		t.Fatalf("b1 does not show its own edit: %s", c.GetName())
	}
	g.Site("b1").Proxy().Open()
	g.linked("b1")
	g.converge()
	for _, b := range []schema.BranchID{"b1", "b2"} {
		c := g.get(b, one).GetCustomer()
		if c.GetName() != "王小鸣" || c.GetRemark() != "rings twice" || c.GetBirthday() != "1980-02-03" {
			t.Errorf("%s shows %v", b, c)
		}
	}
}

func TestLine_UpDeletedUnderLoad(t *testing.T) {
	g := newGroup(t, Config{})
	for i := range 4 {
		g.many("b1", 60)
		g.many("b3", 30)
		if i < 3 {
			g.must(g.HQ().Hub().DeleteUp())
		}
	}
	g.converge()
	for _, id := range append(g.saved["b1"], g.saved["b3"]...) {
		if !g.atHQ(id) {
			t.Fatalf("%s is not at headquarters", id)
		}
	}
}

func TestLine_HQRestarted(t *testing.T) {
	g := newGroup(t, Config{})
	g.many("b1", 50)
	g.must(g.StopHQ())
	g.many("b1", 50)
	g.many("b2", 20)
	g.must(g.StartHQ())
	g.linked("b1")
	g.linked("b2")
	g.linked("b3")
	g.converge()
	if h := g.Site("b1").Node().Link(); h.Line.String() != "SAME" {
		t.Errorf("line %v", h.Line)
	}
}

// The folder of a branch is put back from a copy: what HQ had beyond the copy
// comes back, what was written after goes up under a new incarnation.
func TestLine_BranchFolderCopiedBack(t *testing.T) {
	g := newGroup(t, Config{})
	g.many("b1", 10)
	g.converge()
	old := g.Site("b1").Node().Link().Incarnation
	copied := g.copyNode("b1")
	g.many("b1", 15)
	g.converge()
	g.must(g.StopNode("b1"))
	g.must(SwapDir(copied, g.Site("b1").Dir))
	g.Site("b1").Proxy().Cut()
	g.must(g.StartNode("b1"))
	g.many("b1", 7)
	g.Site("b1").Proxy().Open()
	g.linked("b1")
	g.converge()
	if st := g.Site("b1").Node().Link(); st.Incarnation == old {
		t.Error("the incarnation is the old one")
	}
	if n := len(g.saved["b1"]); n != 32 {
		t.Fatalf("%d saved", n)
	}
}

// HQ's folder is put back from an older copy, without telling it.
func TestLine_HQFolderOlderCopy(t *testing.T) {
	g := newGroup(t, Config{})
	g.many("b1", 20)
	g.many("b2", 20)
	g.converge()
	copied := g.copyHQ()
	g.many("b1", 30)
	g.many("b3", 5)
	// An edit of HQ's own is lost with the folder: nobody can send it again.
	_, err := g.HQ().Inbox().AddEntity(context.Background(), "e9", "Lost and gone", admin)
	g.must(err)
	g.linked("b1")
	g.linked("b2")
	g.linked("b3")
	g.converge()
	g.putBackHQ(copied)
	g.many("b1", 4)
	g.linked("b1")
	g.linked("b2")
	g.linked("b3")
	g.converge()
	for b, ids := range g.saved {
		for _, id := range ids {
			if !g.atHQ(id) {
				t.Fatalf("%s of %s is not at headquarters", id, b)
			}
		}
	}
}

// The link stands and nothing passes: by age alone both see it, tear it down and
// build it anew.
func TestLine_BlackHole(t *testing.T) {
	g := newGroup(t, Config{Limits: link.Limits{Beat: 100 * time.Millisecond, Stall: 800 * time.Millisecond}})
	g.many("b1", 10)
	g.converge()
	g.Site("b1").Proxy().Stall()
	g.many("b1", 10)
	g.until("b1 sees that the link is dead", func() bool { return g.Site("b1").Node().Link().Phase != link.Open })
	g.Site("b1").Proxy().Open()
	g.linked("b1")
	g.converge()
}

// A branch's disk is replaced: with a new token an empty folder becomes the
// branch again, and has back what the branch had given.
func TestLine_EmptyFolderEnrolsAgain(t *testing.T) {
	g := newGroup(t, Config{})
	g.many("b1", 25)
	g.many("b2", 5)
	g.converge()
	g.must(g.StopNode("b1"))
	g.must(os.RemoveAll(g.Site("b1").Dir))
	g.must(g.ReEnrol("b1"))
	g.linked("b1")
	g.converge()
	g.many("b1", 5)
	g.converge()
}

// A second machine starts on a copy of a branch's folder while the first runs:
// it is told apart, sends nothing, and gets nothing but the ledger.
func TestLine_Clone(t *testing.T) {
	g := newGroup(t, Config{})
	g.many("b1", 10)
	g.converge()
	g.must(g.StopNode("b1"))
	copied := filepath.Join(t.TempDir(), "clone")
	g.must(CopyDir(g.Site("b1").Dir, copied))
	g.must(g.StartNode("b1"))
	g.linked("b1")
	clone, err := node.New(node.Config{Dir: copied, Link: g.Site("b1").Proxy().Addr(), Now: time.Now, Rand: rand.Reader, Limits: link.Limits{Closed: 300 * time.Millisecond}})
	g.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	g.must(clone.Start(ctx))
	done := make(chan error, 1)
	go func() { done <- clone.Run(ctx) }()
	g.until("the clone is kept out", func() bool { return clone.Link().Gate.String() == "READ_ONLY" })
	if st := clone.Link(); st.Phase != link.Closed {
		t.Errorf("%+v", st)
	}
	g.many("b1", 3)
	g.until("the first machine's changes go on", func() bool {
		l, err := g.Site("b1").Node().Store().Line(ctx)
		return err == nil && l.Watermark == l.LastSeq
	})
	cancel()
	g.must(<-done)
	g.converge()
}

// A revoked key is off the link within five seconds, and stays off.
func TestLine_Revoked(t *testing.T) {
	g := newGroup(t, Config{})
	g.many("b1", 3)
	g.converge()
	g.must(g.HQ().Inbox().Revoke(context.Background(), "b1"))
	began := time.Now()
	g.until("b1 is put out", func() bool { return g.Site("b1").Node().Link().Phase == link.Down && g.Site("b1").Node().Refused() })
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("after %s", d)
	}
	g.many("b1", 2) // it works on
	if l, err := g.Site("b1").Node().Store().Line(context.Background()); err != nil || l.LastSeq != 5 || l.Watermark != 3 {
		t.Errorf("%+v %v", l, err)
	}
}

// The machine that was the branch before comes back after another has been
// enrolled in its place: what it had not sent goes into quarantine, and it gets
// and gives nothing else. It does not disturb the new one.
func TestLine_ReplacedMachineIsSalvaged(t *testing.T) {
	g := newGroup(t, Config{})
	g.many("b1", 6)
	g.converge()
	g.Site("b1").Proxy().Cut()
	g.many("b1", 4)
	g.must(g.StopNode("b1"))
	before := filepath.Join(t.TempDir(), "before")
	g.must(CopyDir(g.Site("b1").Dir, before))
	g.must(os.RemoveAll(g.Site("b1").Dir))
	g.saved["b1"] = g.saved["b1"][:6]
	g.Site("b1").Proxy().Open()
	g.must(g.ReEnrol("b1"))
	g.linked("b1")
	g.converge()

	old, err := node.New(node.Config{Dir: before, Link: g.Site("b1").Proxy().Addr(), Now: time.Now, Rand: rand.Reader, Limits: link.Limits{Beat: 100 * time.Millisecond}})
	g.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	g.must(old.Start(ctx))
	done := make(chan error, 1)
	go func() { done <- old.Run(ctx) }()
	g.until("the tail is taken", func() bool {
		l, err := old.Store().Line(ctx)
		return err == nil && l.Watermark == l.LastSeq && l.LastSeq == 10
	})
	if st := old.Link(); st.Phase != link.Salvage {
		t.Errorf("%+v", st)
	}
	// The new one comes back while the old one is linked.
	g.must(g.StopNode("b1"))
	g.must(g.StartNode("b1"))
	g.linked("b1")
	g.many("b1", 2)
	cancel()
	g.must(<-done)
	g.converge()
	list, err := g.HQ().Inbox().Quarantine(context.Background(), "b1", 0, 100)
	g.must(err)
	if len(list) != 4 {
		t.Errorf("%d changes in quarantine: %v", len(list), list)
	}
}

func TestEnrol_BadTokens(t *testing.T) {
	g := newGroup(t, Config{})
	ctx := context.Background()
	tok, err := g.HQ().Inbox().ReEnrol(ctx, "b2")
	g.must(err)
	text, err := g.HQ().TokenText(tok)
	g.must(err)
	start := func(dir, token string) error {
		n, err := node.New(node.Config{Dir: dir, Enrol: token, Now: time.Now, Rand: rand.Reader})
		g.must(err)
		if err := n.Start(ctx); err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		return n.Run(ctx)
	}
	for _, row := range []struct {
		name, token string
		want        error
	}{
		{"no token", "hello", schema.ErrInvalid},
		{"cut short", text[:len(text)-3], schema.ErrInvalid},
	} {
		if err := start(t.TempDir(), row.token); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	wrong := *tok
	wrong.Secret = make([]byte, 16)
	other, err := g.HQ().TokenText(&wrong)
	g.must(err)
	if err := start(t.TempDir(), other); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("wrong secret: %v", err)
	}
	dir := t.TempDir()
	if err := start(dir, text); err != nil {
		t.Fatalf("the good one: %v", err)
	}
	if err := start(t.TempDir(), text); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("used by another folder: %v", err)
	}
	g.must(g.StopHQ())
	if err := start(t.TempDir(), text); !errors.Is(err, schema.ErrUnavailable) {
		t.Errorf("HQ away: %v", err)
	}
}
