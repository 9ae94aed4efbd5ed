package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"branchline/schema"
)

func TestBus_AnEditsRoad(t *testing.T) {
	h := startHub(t)
	var asked atomic.Int64
	must(t, h.Handle("pull", func(_ context.Context, b schema.BranchID, req []byte) ([]byte, error) {
		asked.Add(1)
		return []byte(string(b) + ":" + string(req)), nil
	}))
	must(t, h.Handle("wm", func(context.Context, schema.BranchID, []byte) ([]byte, error) {
		return nil, fmt.Errorf("incarnation 7: %w", schema.ErrNotFound)
	}))
	must(t, h.Handle("hello", func(_ context.Context, _ schema.BranchID, req []byte) ([]byte, error) {
		if len(req) > 0 {
			panic("secret of a customer")
		}
		return nil, errors.New("secret of the database")
	}))
	b01, b02 := h.leaf(t, "b01"), h.leaf(t, "b02")
	g := h.read(t)
	id, _, _, err := h.Stream()
	must(t, err)

	d := b01.send(t, 7, "pack one")
	if d.Stream != id || d.Seq != 1 {
		t.Errorf("door %+v; want stream %s seq 1", d, id)
	}
	await(t, "pack at HQ", func() bool { return len(g.all()) == 1 })
	if p := g.all()[0]; p.Branch != "b01" || string(p.Data) != "pack one" || p.StreamSeq != 1 || p.Time.IsZero() {
		t.Errorf("pack %+v", p)
	}
	await(t, "UP worked off", func() bool {
		n, err := h.Pending("b01")
		return err == nil && n == 0
	})
	if _, first, last, err := h.Stream(); err != nil || first != 2 || last != 1 {
		t.Errorf("stream %d..%d, %v; want empty after 1", first, last, err)
	}

	out, err := b02.Request(t.Context(), "pull", []byte("from 0"))
	if err != nil || string(out) != "b02:from 0" {
		t.Errorf("pull: %q, %v", out, err)
	}
	_, err = b02.Request(t.Context(), "wm", nil)
	var r *RefusedError
	if !errors.Is(err, schema.ErrNotFound) || !errors.As(err, &r) || !strings.Contains(r.Text, "incarnation 7") {
		t.Errorf("wm: %v", err)
	}
	for _, req := range []string{"", "panic"} {
		_, err = b02.Request(t.Context(), "hello", []byte(req))
		if !errors.As(err, &r) || r.Kind != nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("hello: %v", err)
		}
	}
	if h.log.count("secret of the database") == 0 || h.log.count("handler panicked") == 0 || h.log.count("secret of a customer") != 0 {
		t.Error("HQ's log must have the internal error and the panic, but not the panic's value")
	}

	must(t, h.Ack("b01", []byte("receipt")))
	must(t, h.Poke("b02", []byte("more")))
	if s := string(recv(t, b01.Acks(), "receipt")); s != "receipt" {
		t.Error(s)
	}
	if s := string(recv(t, b02.Pokes(), "poke")); s != "more" {
		t.Error(s)
	}
	select {
	case b := <-b02.Acks():
		t.Errorf("b02 got b01's receipt %q", b)
	case b := <-b01.Pokes():
		t.Errorf("b01 got b02's poke %q", b)
	default:
	}
	ls := h.Leaves()
	if len(ls) != 2 || ls[0].Branch != "b01" || ls[0].Name != "b01-boot1" || ls[1].Branch != "b02" || ls[0].Since.IsZero() || ls[0].Remote == "" {
		t.Errorf("leaves %+v", ls)
	}
	if h.Dropped() != 0 {
		t.Errorf("%d messages dropped of honest nodes", h.Dropped())
	}
}

func TestHandle_ConcurrentUpToABound(t *testing.T) {
	h := startHub(t)
	free, busy := make(chan struct{}), make(chan struct{}, 100)
	must(t, h.Handle("pull", func(ctx context.Context, b schema.BranchID, _ []byte) ([]byte, error) {
		if b == "b01" {
			busy <- struct{}{}
			<-free
		}
		return []byte("ok"), nil
	}))
	b01, b02 := h.leaf(t, "b01"), h.leaf(t, "b02")
	res := make(chan error, callsABranch)
	for range callsABranch {
		go func() {
			_, err := b01.Request(t.Context(), "pull", nil)
			res <- err
		}()
	}
	for range callsABranch {
		recv(t, busy, "call begun")
	}
	if _, err := b01.Request(t.Context(), "pull", nil); !errors.Is(err, schema.ErrExhausted) {
		t.Errorf("one call too many: %v", err)
	}
	if _, err := b02.Request(t.Context(), "pull", nil); err != nil {
		t.Errorf("another branch: %v", err)
	}
	close(free)
	for range callsABranch {
		if err := recv(t, res, "answer"); err != nil {
			t.Error(err)
		}
	}
	if err := h.Handle("pull", nil); !errors.Is(err, schema.ErrExists) {
		t.Errorf("second handler: %v", err)
	}
	if err := h.Handle("other", nil); err == nil {
		t.Error("a verb the hub has not")
	}
}

func TestPublish_LimitsOfABranch(t *testing.T) {
	h := startHub(t)
	b01, b02 := h.leaf(t, "b01"), h.leaf(t, "b02")
	if err := b01.Publish(1, make([]byte, maxPack+1)); !errors.Is(err, schema.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	for i := range packsABranch {
		b01.send(t, uint64(i), fmt.Sprint(i))
	}
	must(t, b01.Publish(64, []byte("one too many")))
	if d := recv(t, b01.Doors(), "refusal"); d.Token != 64 || !errors.Is(d.Err, schema.ErrExhausted) {
		t.Errorf("pack 65: %+v", d)
	}
	if n, err := h.Pending("b01"); n != packsABranch || err != nil {
		t.Errorf("pending %d, %v", n, err)
	}
	b02.send(t, 1, "mine") // another branch is not touched
	g := h.read(t)
	await(t, "all packs", func() bool { return len(g.all()) == packsABranch+1 })
	for i, p := range g.all()[:packsABranch] {
		if string(p.Data) != fmt.Sprint(i) {
			t.Fatalf("pack %d is %q", i, p.Data)
		}
	}
	b01.send(t, 64, "now there is room")
}

func TestPending_CountsAllThatWasSentBefore(t *testing.T) {
	h := startHub(t)
	must(t, h.Handle("hello", func(_ context.Context, b schema.BranchID, _ []byte) ([]byte, error) {
		n, err := h.Pending(b)
		return fmt.Append(nil, n), err
	}))
	l := h.leaf(t, "b01")
	for i := range packsABranch {
		must(t, l.Publish(uint64(i), make([]byte, 200<<10)))
		out, err := l.Request(t.Context(), "hello", nil)
		must(t, err)
		var n int
		fmt.Sscan(string(out), &n)
		if n < i+1 {
			t.Fatalf("pending %d, after %d packs were sent", n, i+1)
		}
	}
	await(t, "the exact count", func() bool {
		n, err := h.Pending("b01")
		return err == nil && n == packsABranch
	})
}

func TestPacks_UnackedComeAgainAfterARestart(t *testing.T) {
	dir := t.TempDir()
	h := startHub(t, func(c *HubConfig) { c.Dir = dir })
	b01 := h.leaf(t, "b01")
	g := h.read(t)
	g.mu.Lock()
	g.hold = true
	g.mu.Unlock()
	b01.send(t, 1, "first")
	b01.send(t, 2, "second")
	await(t, "both seen", func() bool { return len(g.all()) == 2 })
	must(t, g.all()[0].Ack())
	await(t, "first worked off", func() bool {
		n, err := h.Pending("b01")
		return err == nil && n == 1
	})
	id, _, _, err := h.Stream()
	must(t, err)
	b01.end()
	h.end()

	h2 := startHubOn(t, h.reg, func(c *HubConfig) { c.Dir = dir })
	if id2, _, last, err := h2.Stream(); err != nil || id2 != id || last != 2 {
		t.Errorf("after the restart: UP %s up to %d, %v; want %s up to 2", id2, last, err, id)
	}
	g2 := h2.read(t)
	await(t, "second again", func() bool { return g2.count("b01", "second") == 1 })
	if n := g2.count("b01", "first"); n != 0 {
		t.Error("an acked pack came again")
	}
}

func TestUp_DeletedUnderLoad(t *testing.T) {
	h := startHub(t)
	l := h.leaf(t, "b01")
	g := h.read(t)
	ids := map[string]bool{}
	for i := range 300 {
		if i%100 == 50 {
			id, _, _, err := h.Stream()
			must(t, err)
			ids[id] = true
			must(t, h.DeleteUp())
		}
		l.send(t, uint64(i), fmt.Sprint(i))
	}
	id, _, _, err := h.Stream()
	must(t, err)
	ids[id] = true
	if len(ids) != 4 {
		t.Errorf("%d ids of UP after three deletions", len(ids))
	}
	// The last pack came through the fourth UP and a new consumer.
	awaitIn(t, 5*time.Second, "last pack", func() bool { return g.count("b01", "299") > 0 })
	// Packs lost with UP are the sender's to send again; all others arrived once
	// and in order.
	last := -1
	for _, p := range g.all() {
		var n int
		fmt.Sscan(string(p.Data), &n)
		if n <= last {
			t.Fatalf("pack %d after %d", n, last)
		}
		last = n
	}
	// And the road is as fast as before: no time-out of seconds is hidden in it.
	start := time.Now()
	l.send(t, 300, "after")
	awaitIn(t, 2*time.Second, "pack after", func() bool { return g.count("b01", "after") > 0 })
	t.Logf("a pack after the deletions: %s", time.Since(start))
}

func TestUp_JetStreamSwitchedOffAndBroken(t *testing.T) {
	dir := t.TempDir()
	h := startHub(t, func(c *HubConfig) { c.Dir = dir })
	l := h.leaf(t, "b01")
	g := h.read(t)
	l.send(t, 1, "before")
	must(t, h.srv.DisableJetStream())
	d := l.send(t, 2, "after")
	await(t, "pack after", func() bool {
		// Only what the door took into an UP that was made anew since may be lost, and is
		// sent again, as the sender of the line does; what lies in this UP must come out.
		if id := h.UpID(); id != "" && id != d.Stream {
			d = l.send(t, d.Token+1, "after")
		}
		return g.count("b01", "after") > 0
	})
}

func TestLeaves_TwentyAndClones(t *testing.T) {
	h := startHub(t)
	must(t, h.Handle("pull", func(_ context.Context, b schema.BranchID, req []byte) ([]byte, error) { return []byte(b), nil }))
	g := h.read(t)
	var ls []*testLeaf
	for i := range 20 {
		ls = append(ls, h.leafDown(t, schema.BranchID(fmt.Sprintf("b%02d", i))))
	}
	for _, l := range ls {
		l.waitUp(t, true)
	}
	for i, l := range ls {
		for n := range 10 {
			must(t, l.Publish(uint64(n), fmt.Appendf(nil, "%d/%d", i, n)))
		}
	}
	await(t, "200 packs", func() bool { return len(g.all()) == 200 })
	next := map[schema.BranchID]int{}
	for _, p := range g.all() {
		var i, n int
		fmt.Sscanf(string(p.Data), "%d/%d", &i, &n)
		if b := schema.BranchID(fmt.Sprintf("b%02d", i)); p.Branch != b || next[b] != n {
			t.Fatalf("pack %q as %s, want n %d", p.Data, p.Branch, next[b])
		}
		next[p.Branch]++
	}
	for i, l := range ls {
		if b, err := l.Request(t.Context(), "pull", nil); err != nil || string(b) != fmt.Sprintf("b%02d", i) {
			t.Errorf("%d: %q, %v", i, b, err)
		}
	}
	// A clone, with the same key and another boot, is let in and seen.
	clone := h.leaf(t, "b03", func(c *LeafConfig) { c.Seed, c.Boot = ls[3].seed, "boot2" })
	var names []string
	for _, i := range h.Leaves() {
		if i.Branch == "b03" {
			names = append(names, i.Name)
		}
	}
	if !slices.Equal(names, []string{"b03-boot1", "b03-boot2"}) {
		t.Errorf("leaves of b03: %v", names)
	}
	if !clone.Up() || !ls[3].Up() {
		t.Error("both must be up")
	}
}

func TestKick_RevokedIsOutAndStaysOut(t *testing.T) {
	h := startHub(t)
	l, other := h.leaf(t, "b01"), h.leaf(t, "b02")
	start := time.Now()
	h.reg.revoke(t, l.seed)
	if n := h.Kick("b01"); n != 1 {
		t.Errorf("kicked %d", n)
	}
	awaitIn(t, 5*time.Second, "revoked leaf out", func() bool { return !l.Up() && len(h.Leaves()) == 1 })
	t.Logf("out after %s", time.Since(start))
	await(t, "told that the key is refused", l.Refused)
	// It tries again every 250 ms; it stays out, and the log is quiet about it.
	tries := h.log.count("Authentication Failure")
	await(t, "some more tries", func() bool { return h.log.count("Authentication Failure") > tries+3 })
	if l.Up() || len(h.Leaves()) != 1 || !other.Up() {
		t.Error("the revoked leaf must stay out, the other in")
	}
	if n := h.log.count("leaf refused"); n != 1 {
		t.Errorf("%d lines about the refused leaf", n)
	}
	if err := l.Publish(1, nil); !errors.Is(err, ErrNoLink) || !errors.Is(err, schema.ErrUnavailable) {
		t.Errorf("publish: %v", err)
	}
}

func TestSweep_RevokedWithoutKick(t *testing.T) {
	h := startHub(t)
	l := h.leaf(t, "b01")
	h.reg.revoke(t, l.seed)
	awaitIn(t, 5*time.Second, "revoked leaf out", func() bool { return !l.Up() && len(h.Leaves()) == 0 })
}

func TestLeaf_UnknownKeyRefused(t *testing.T) {
	h := startHub(t)
	stranger := (&registry{rows: map[string]schema.BranchID{}}).add(t, "b01")
	l := h.leafDown(t, "b01", func(c *LeafConfig) { c.Seed = stranger })
	await(t, "refused", l.Refused)
	if l.Up() || len(h.Leaves()) != 0 {
		t.Error("an unknown key got in")
	}
	// A branch whose row comes later joins without anything being reloaded.
	h.reg.mu.Lock()
	pub, _ := publicOf(stranger)
	h.reg.rows[pub] = "b01"
	h.reg.mu.Unlock()
	l.waitUp(t, true)
	if l.Refused() {
		t.Error("still told as refused")
	}
}

func TestNewHub_NewLeaf_BadConfig(t *testing.T) {
	reg := &registry{}
	for _, c := range []HubConfig{
		{},
		{Dir: "x", Registry: reg, Rand: zero{}, Listen: "nowhere"},
		{Dir: "x", Registry: reg, Rand: zero{}, Listen: "127.0.0.1:http"},
		{Dir: "x", Registry: reg, Rand: zero{}, Listen: "127.0.0.1:0", Verbs: []string{"a.b"}},
		{Dir: "x", Registry: reg, Rand: zero{}, Listen: "127.0.0.1:0", UpMaxBytes: 1},
	} {
		if _, err := NewHub(c); err == nil {
			t.Errorf("hub %+v accepted", c)
		}
	}
	seed := (&registry{rows: map[string]schema.BranchID{}}).add(t, "b01")
	for _, c := range []LeafConfig{
		{},
		{Branch: "b01", Seed: []byte("SUx"), HubURL: "h:1", Boot: "b", Rand: zero{}},
		{Branch: "b.1", Seed: seed, HubURL: "h:1", Boot: "b", Rand: zero{}},
		{Branch: "b01", Seed: seed, HubURL: "h", Boot: "b", Rand: zero{}},
		{Branch: "b01", Seed: seed, HubURL: "h:1", Boot: "b c", Rand: zero{}},
		{Branch: "b01", Seed: seed, HubURL: "h:1", Boot: "b"},
	} {
		if _, err := NewLeaf(c); err == nil {
			t.Errorf("leaf %+v accepted", c.Branch)
		}
	}
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { return len(p), nil }
