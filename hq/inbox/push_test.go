package inbox_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
)

// caughtUp is a branch that has been given all there is, and takes pages in pokes.
func (b *br) caughtUp(push bool) *wirev1.Page {
	b.g.t.Helper()
	p := must(b.g.feed.Pull(b.g.t.Context(), b.code, &wirev1.PullRequest{Epoch: int64(b.g.st.Epoch()), Full: true, Boot: b.boot, Push: push}))(b.g.t)
	if !p.GetFull() {
		b.g.t.Fatal("more than a page")
	}
	return p
}

// pushed is the poke for the branch and the page in it, nil if there is none.
func (b *br) pushed() (*wirev1.Poke, *wirev1.Page) {
	b.g.t.Helper()
	p := must(b.g.feed.Poke(b.g.t.Context(), b.code, b.g.codec))(b.g.t)
	if len(p.GetPage()) == 0 {
		return p, nil
	}
	return p, must(link.DecodePage(b.g.codec, p.GetPage()))(b.g.t)
}

func TestPoke_HoldsThePageOfWhoIsCaughtUp(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	a, b := g.branch("a1", "e1"), g.branch("b1", "e1")
	c := g.id()
	a.write(c, customer("王芳"), create)
	a.send()
	b.write(g.id(), &branchlinev1.ServiceOrder{Customer: proto.String(c.String()), Number: proto.String("7")}, create)
	b.send()
	if p, page := b.pushed(); page != nil || p.GetRev() != int64(g.st.Rev()) {
		t.Error("a page for a branch that has been given nothing")
	}
	at := b.caughtUp(true)
	if _, page := b.pushed(); page != nil {
		t.Error("a page with nothing in it")
	}
	a.write(c, &branchlinev1.Customer{Remark: proto.String("calls back")})
	a.send()
	p, page := b.pushed()
	if page == nil || p.GetFrom() != at.GetLastRev() || p.GetEpoch() != int64(g.st.Epoch()) || page.GetEpoch() != 0 || !page.GetFull() ||
		page.GetLastRev() != int64(g.st.Rev()) || page.GetHqRev() != page.GetLastRev() || len(p.GetBoot()) == 0 {
		t.Fatalf("poke %v, page %v", p, page)
	}
	// Row for row what a pull would have given.
	pull := must(g.feed.Pull(t.Context(), "b1", &wirev1.PullRequest{Epoch: p.GetEpoch(), Rev: p.GetFrom(), Boot: b.boot, Push: true}))(t)
	if len(page.GetRows()) != len(pull.GetRows()) || len(page.GetRows()) == 0 {
		t.Fatalf("%d rows, a pull gives %d", len(page.GetRows()), len(pull.GetRows()))
	}
	for i, r := range pull.GetRows() {
		if !proto.Equal(r, page.GetRows()[i]) {
			t.Errorf("row %d is %v, a pull gives %v", i, page.GetRows()[i], r)
		}
	}
	if string(page.GetMarksSum()) != string(link.MarksSum(pull.GetMarks())) || len(page.GetMarks()) > 0 {
		t.Error("its marks are those of the page before, and it says them again")
	}
	// Its own change moves the marks.
	b.write(c, &branchlinev1.Customer{Remark: proto.String("called")})
	b.send()
	a.write(c, &branchlinev1.Customer{Emails: []string{"wang@example.net"}})
	a.send()
	next, page := b.pushed()
	if next.GetFrom() != pull.GetLastRev() || page == nil || len(page.GetMarks()) == 0 || len(page.GetMarksSum()) > 0 {
		t.Errorf("poke %v, page %v", next, page)
	}
}

func TestPoke_IsBareForWhoDidNotAskOrIsGone(t *testing.T) {
	for name, f := range map[string]func(g *rig, b *br) (orders int){
		"it reads no pages in pokes": func(_ *rig, b *br) int { b.caughtUp(false); return 1 },
		"another run of it came":     func(_ *rig, b *br) int { b.caughtUp(true); b.newBoot(); b.hello(); return 1 },
		"it is silent":               func(g *rig, b *br) int { b.caughtUp(true); g.now = g.now.Add(time.Minute); return 1 },
		"more than a poke holds":     func(_ *rig, b *br) int { b.caughtUp(true); return 40 },
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			g.entity("e1")
			a, b := g.branch("a1", "e1"), g.branch("b1", "e1")
			c := g.id()
			a.write(c, customer("王芳"), create)
			a.send()
			b.write(g.id(), &branchlinev1.ServiceOrder{Customer: proto.String(c.String()), Number: proto.String("7")}, create)
			b.send()
			n := f(g, b)
			for range n {
				a.write(g.id(), &branchlinev1.ServiceOrder{Customer: proto.String(c.String()), Complaint: proto.String(string(make([]byte, 1000)))}, create)
			}
			a.send()
			if p, page := b.pushed(); page != nil || p.GetRev() != int64(g.st.Rev()) {
				t.Errorf("poke %v", p)
			}
			rows, _ := b.pull(1, false)
			if len(rows) < n {
				t.Errorf("a pull gives %d rows of %d", len(rows), n)
			}
		})
	}
}

// What a heartbeat says of the feed counts as confirmed, if it is of this epoch.
func TestBeat_ConfirmsTheCursor(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	b.write(g.id(), customer("王芳"), create)
	b.send()
	b.caughtUp(true)
	beat := func(epoch, rev int64) int64 {
		must(g.feed.Beat(t.Context(), "b1", &wirev1.Beat{Number: 1, Epoch: epoch, Rev: rev, Boot: b.boot}))(t)
		return int64(g.st.Branch("b1").Confirmed)
	}
	rev, epoch := int64(g.st.Rev()), int64(g.st.Epoch())
	if n := beat(epoch+1, rev); n != 0 {
		t.Errorf("of another epoch: %d", n)
	}
	if n := beat(epoch, rev+1); n != 0 {
		t.Errorf("beyond headquarters: %d", n)
	}
	if n := beat(epoch, rev); n != rev {
		t.Errorf("%d of %d", n, rev)
	}
	if n := beat(epoch, rev-1); n != rev {
		t.Errorf("it went back to %d", n)
	}
}

// However many links there are, their heartbeats alone let headquarters rest.
func TestBeat_IsNoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t)
		g.entity("e1")
		b := g.branch("b1", "e1")
		check(t, g.st.Close())
		rests := 0
		g.idle = func() { rests++ }
		g.open()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- g.st.Run(ctx) }()
		for range 15 { // a second each, of the bubble's clock: the first five seconds count as work
			for range 100 {
				must(g.feed.Beat(ctx, "b1", &wirev1.Beat{Number: 1, Epoch: int64(g.st.Epoch()), Boot: b.boot}))(t)
			}
			time.Sleep(time.Second)
		}
		stop()
		check(t, <-ended)
		if rests != 1 {
			t.Errorf("memory was given back %d times in fifteen seconds of heartbeats, not once", rests)
		}
	})
}
