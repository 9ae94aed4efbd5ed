package bus

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"branchline/schema"
	"branchline/sync/bus/nkey"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// registry is a table of keys.
type registry struct {
	mu   sync.Mutex
	rows map[string]schema.BranchID
	gone map[string]bool
	fail error // told for every key
}

func (r *registry) Leaf(pub string) (schema.BranchID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	b, ok := r.rows[pub]
	switch {
	case r.fail != nil:
		return "", r.fail
	case !ok:
		return "", schema.ErrNotFound
	case r.gone[pub]:
		return "", schema.ErrForbidden
	}
	return b, nil
}

func (r *registry) add(t testing.TB, b schema.BranchID) (seed []byte) {
	t.Helper()
	seed, err := nkey.NewSeed(rand.Reader)
	must(t, err)
	pub, err := nkey.Public(seed)
	must(t, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows[pub] = b
	return seed
}

func (r *registry) revoke(t testing.TB, seed []byte) {
	t.Helper()
	pub, err := nkey.Public(seed)
	must(t, err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone[pub] = true
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lines keeps a log for tests that read it.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Count(l.b.Bytes(), []byte(s))
}

func testLog(l *lines) *slog.Logger {
	if os.Getenv("BRANCHLINE_TEST_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

var verbs = []string{"hello", "pull", "wm"}

type testHub struct {
	*Hub
	reg *registry
	log *lines
	end func()
}

func startHub(t testing.TB, change ...func(*HubConfig)) *testHub {
	t.Helper()
	return startHubOn(t, &registry{rows: map[string]schema.BranchID{}, gone: map[string]bool{}}, change...)
}

func startHubOn(t testing.TB, reg *registry, change ...func(*HubConfig)) *testHub {
	t.Helper()
	l := &lines{}
	cfg := HubConfig{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", Registry: reg, Verbs: verbs,
		Rand: rand.Reader, Now: time.Now, Log: testLog(l),
	}
	for _, f := range change {
		f(&cfg)
	}
	h, err := NewHub(cfg)
	must(t, err)
	must(t, h.Start())
	th := &testHub{Hub: h, reg: reg, log: l}
	th.end = background(t, h.Run)
	return th
}

// background runs f until the test's end or until the function it gives is called.
func background(t testing.TB, f func(context.Context) error) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	var once sync.Once
	end = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("run: %v", err)
				}
			case <-time.After(30 * time.Second):
				t.Error("run did not end")
			}
		})
	}
	t.Cleanup(end)
	return end
}

type testLeaf struct {
	*Leaf
	seed []byte
	end  func()
}

func (h *testHub) leaf(t testing.TB, b schema.BranchID, change ...func(*LeafConfig)) *testLeaf {
	t.Helper()
	l := h.leafDown(t, b, change...)
	l.waitUp(t, true)
	return l
}

func (h *testHub) leafDown(t testing.TB, b schema.BranchID, change ...func(*LeafConfig)) *testLeaf {
	t.Helper()
	cfg := LeafConfig{Branch: b, HubURL: h.Addr(), Boot: "boot1", Rand: rand.Reader}
	for _, f := range change {
		f(&cfg)
	}
	if cfg.Seed == nil {
		cfg.Seed = h.reg.add(t, b)
	}
	l, err := NewLeaf(cfg)
	must(t, err)
	must(t, l.Start())
	return &testLeaf{l, cfg.Seed, background(t, l.Run)}
}

func (l *testLeaf) waitUp(t testing.TB, up bool) {
	t.Helper()
	await(t, fmt.Sprintf("link of %s up=%v", l.cfg.Branch, up), func() bool { return l.Up() == up })
}

// await waits for cond, up to 20 s.
func await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	awaitIn(t, 20*time.Second, what, cond)
}

func awaitIn(t testing.TB, limit time.Duration, what string, cond func() bool) {
	t.Helper()
	tick, end := time.NewTicker(2*time.Millisecond), time.NewTimer(limit)
	defer tick.Stop()
	defer end.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("waited %s in vain: %s", limit, what)
		}
	}
}

func recv[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited in vain: %s", what)
		panic("unreachable")
	}
}

// got is every pack that HQ was shown.
type got struct {
	mu    sync.Mutex
	packs []Pack
	hold  bool // do not ack
}

func (h *testHub) read(t testing.TB) *got {
	g := &got{}
	background(t, func(ctx context.Context) error {
		return h.Packs(ctx, func(batch []Pack) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.packs = append(g.packs, batch...)
			if g.hold {
				return
			}
			for _, p := range batch {
				if err := p.Ack(); err != nil {
					t.Errorf("ack: %v", err)
				}
			}
		})
	})
	return g
}

func (g *got) all() []Pack {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]Pack(nil), g.packs...)
}

func (g *got) count(b schema.BranchID, data string) (n int) {
	for _, p := range g.all() {
		if p.Branch == b && string(p.Data) == data {
			n++
		}
	}
	return n
}

// send publishes until HQ has the pack at its door, as a sender would.
func (l *testLeaf) send(t testing.TB, token uint64, data string) Door {
	t.Helper()
	end := time.Now().Add(20 * time.Second)
	var last error
	for time.Now().Before(end) {
		if last = l.Publish(token, []byte(data)); last != nil {
			if !errors.Is(last, ErrNoLink) {
				t.Fatalf("publish: %v", last)
			}
			l.waitUp(t, true)
			continue
		}
		select {
		case d := <-l.Doors():
			if d.Token == token && d.Err == nil {
				return d
			}
			last = d.Err
		case <-time.After(time.Second):
		}
	}
	t.Fatalf("pack %d not at the door: %v", token, last)
	return Door{}
}

func publicOf(seed []byte) (string, error) { return nkey.Public(seed) }
