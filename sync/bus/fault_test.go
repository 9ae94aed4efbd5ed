package bus

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"branchline/schema"
	"branchline/sync/bus/ca"
	"branchline/sync/bus/faultproxy"
)

func startProxy(t testing.TB, target string) *faultproxy.Proxy {
	t.Helper()
	p, err := faultproxy.New(faultproxy.Config{Listen: "127.0.0.1:0", Target: target})
	must(t, err)
	background(t, p.Run)
	return p
}

func through(p *faultproxy.Proxy) func(*LeafConfig) {
	return func(c *LeafConfig) { c.HubURL = p.Addr() }
}

func TestLink_CutStalledAndReset(t *testing.T) {
	h := startHub(t)
	in, hang := make(chan struct{}, 10), make(chan struct{})
	must(t, h.Handle("pull", func(ctx context.Context, _ schema.BranchID, req []byte) ([]byte, error) {
		if string(req) == "hang" {
			in <- struct{}{}
			select {
			case <-hang:
			case <-ctx.Done():
			}
		}
		return req, nil
	}))
	defer close(hang)
	p := startProxy(t, h.Addr())
	l := h.leaf(t, "b01", through(p))
	g := h.read(t)
	if !recv(t, l.Changes(), "up") {
		t.Error("first edge must be up")
	}
	l.send(t, 1, "before")
	if up, down := p.Bytes(); up == 0 || down == 0 {
		t.Errorf("counted %d up, %d down", up, down)
	}

	// A question under way ends at once when the link is cut.
	res := make(chan error, 1)
	go func() {
		_, err := l.Request(t.Context(), "pull", []byte("hang"))
		res <- err
	}()
	recv(t, in, "question at HQ")
	start := time.Now()
	p.Cut()
	if err := recv(t, res, "question ended"); !errors.Is(err, ErrNoLink) {
		t.Errorf("question under way: %v", err)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("it took %s", d)
	}
	if recv(t, l.Changes(), "down") {
		t.Error("second edge must be down")
	}
	if _, err := l.Request(t.Context(), "pull", nil); !errors.Is(err, ErrNoLink) {
		t.Errorf("question without a link: %v", err)
	}
	if err := l.Publish(2, nil); !errors.Is(err, ErrNoLink) {
		t.Errorf("pack without a link: %v", err)
	}
	start = time.Now()
	p.Open()
	if !recv(t, l.Changes(), "up again") {
		t.Error("third edge must be up")
	}
	l.send(t, 3, "after the cut")
	await(t, "pack", func() bool { return g.count("b01", "after the cut") == 1 })
	t.Logf("back %s after the cut ended", time.Since(start))

	// A reset is a short fall.
	p.Reset()
	if recv(t, l.Changes(), "down") {
		t.Error("a reset must show as down")
	}
	l.send(t, 4, "after the reset")

	// A black hole: both ends notice within 10 s, and the link is back soon after.
	p.Stall()
	start = time.Now()
	awaitIn(t, 12*time.Second, "black hole noticed", func() bool { return !l.Up() })
	t.Logf("black hole noticed after %s", time.Since(start))
	awaitIn(t, 12*time.Second, "HQ noticed too", func() bool { return len(h.Leaves()) == 0 })
	start = time.Now()
	p.Open()
	l.send(t, 5, "after the black hole")
	await(t, "pack", func() bool { return g.count("b01", "after the black hole") == 1 })
	t.Logf("back %s after the black hole ended", time.Since(start))
}

func TestRebuild_HealsASilentLink(t *testing.T) {
	h := startHub(t)
	must(t, h.Handle("pull", func(_ context.Context, _ schema.BranchID, req []byte) ([]byte, error) { return req, nil }))
	p := startProxy(t, h.Addr())
	l := h.leaf(t, "b01", through(p))
	must(t, l.Rebuild())
	l.waitUp(t, true)
	l.send(t, 1, "over the new link")
	// While the way is held and pings have not yet told: a rebuild waits for nobody.
	p.Stall()
	must(t, l.Rebuild())
	if l.Up() {
		t.Error("up through a black hole")
	}
	p.SetTarget(h.Addr())
	p.Open()
	l.waitUp(t, true)
	l.send(t, 2, "and again")
	if out, err := l.Request(t.Context(), "pull", []byte("x")); err != nil || string(out) != "x" {
		t.Errorf("%q, %v", out, err)
	}
	l.end()
	if err := l.Rebuild(); !errors.Is(err, ErrNoLink) {
		t.Errorf("rebuild after the end: %v", err)
	}
}

func TestLink_SlowAndInPieces(t *testing.T) {
	srv, client := tlsPair(t)
	h := startHub(t, func(c *HubConfig) { c.TLS = srv })
	p := startProxy(t, h.Addr())
	p.SetLatency(20 * time.Millisecond)
	p.SetChunk(7)
	l := h.leaf(t, "b01", through(p), func(c *LeafConfig) { c.TLS = client })
	g := h.read(t)
	data := strings.Repeat("a slow line ", 2000)
	start := time.Now()
	l.send(t, 1, data)
	if d := time.Since(start); d < 40*time.Millisecond {
		t.Errorf("%s over a line of 20 ms each way", d)
	}
	await(t, "pack", func() bool { return g.count("b01", data) == 1 })
}

// tlsPair is a server's and a pinned client's side of one new CA.
func tlsPair(t testing.TB) (srv, client *tls.Config) {
	t.Helper()
	c, err := ca.NewCA(rand.Reader, time.Now())
	must(t, err)
	cert, err := c.Server(rand.Reader, []string{"127.0.0.1"}, time.Now(), 30)
	must(t, err)
	return ca.ServerConfig(cert), ca.PinnedClient(c.Fingerprint())
}

func TestTLS_OnlyThisGroupsHQ(t *testing.T) {
	srv, client := tlsPair(t)
	_, wrong := tlsPair(t)
	h := startHub(t, func(c *HubConfig) { c.TLS = srv })
	good := h.leaf(t, "b01", func(c *LeafConfig) { c.TLS = client })
	good.send(t, 1, "over TLS")

	ll := &lines{}
	bad := h.leafDown(t, "b02", func(c *LeafConfig) { c.TLS, c.Log = wrong, testLog(ll) })
	await(t, "wrong CA refused", func() bool { return ll.count("another fingerprint") > 1 })
	plain := h.leafDown(t, "b03")
	await(t, "plain leaf turned away", func() bool { return h.log.count("TLS leafnode handshake error") > 1 })
	if bad.Up() || plain.Up() || len(h.Leaves()) != 1 {
		t.Error("only the pinned leaf may be linked")
	}
	// Handshake first: not a byte before it, and nothing below TLS 1.3.
	c, err := net.Dial("tcp", h.Addr())
	must(t, err)
	defer c.Close()
	must(t, c.SetReadDeadline(time.Now().Add(300*time.Millisecond)))
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d, %v before the handshake", n, err)
	}
	old := client.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if c, err := tls.Dial("tcp", h.Addr(), old); err == nil {
		c.Close()
		t.Error("TLS 1.2 was taken")
	}
}

func TestLeafPort_GarbageDoesNoHarm(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			srv, client := tlsPair(t)
			h := startHub(t, func(c *HubConfig) {
				if secure {
					c.TLS = srv
				}
			})
			l := h.leaf(t, "b01", func(c *LeafConfig) {
				if secure {
					c.TLS = client
				}
			})
			must(t, h.Handle("pull", func(_ context.Context, _ schema.BranchID, req []byte) ([]byte, error) { return req, nil }))
			seed := time.Now().UnixNano()
			t.Logf("seed %d", seed)
			r := mathrand.New(mathrand.NewPCG(uint64(seed), 1))
			noise := func(n int) string {
				b := make([]byte, n)
				for i := range b {
					b[i] = byte(r.Uint32())
				}
				return string(b)
			}
			msgs := []string{
				"", "\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "INFO {}\r\nINFO {}\r\n", "INFO {\"leafnode_urls\":[\"x\"]}\r\n",
				"CONNECT {}\r\n", "CONNECT {\"nkey\":\"U\",\"sig\":\"!\"}\r\n", "CONNECT {\"lang\":\"go\"}\r\nPING\r\n", "CONNECT {\"auth_token\":\"x\",\"nkey\":{}}\r\n",
				"CONNECT {\"jwt\":\"eyJ0eXAiOiJKV1QifQ.e30.x\"}\r\n", "CONNECT {\"gateway\":\"x\"}\r\n", "CONNECT {\"user\":\"b01\",\"pass\":\"b01\"}\r\n",
				"LS+ >\r\n", "LS- x\r\n", "LMSG up.b01 3\r\nabc\r\n", "LMSG up.b01 99999999999999999999\r\n", "HMSG x 5 3\r\nabc\r\n",
				"RS+ $G >\r\n", "RMSG $G up.b01 3\r\nabc\r\n", "A+ $G\r\n", "SUB > 1\r\nPUB up.b01 3\r\nabc\r\n", "PING\r\n", "-ERR 'x'\r\n", "+OK\r\n",
				"CONNECT " + strings.Repeat("x", 1<<20), noise(10), noise(4096), noise(1 << 18),
			}
			for _, m := range msgs {
				c, err := net.Dial("tcp", h.Addr())
				must(t, err)
				must(t, c.SetDeadline(time.Now().Add(100*time.Millisecond)))
				io.WriteString(c, m)   // may fail: the hub hangs up
				io.Copy(io.Discard, c) // until it hangs up, or the deadline
				must(t, c.Close())
			}
			if !l.Up() || len(h.Leaves()) != 1 || h.Leaves()[0].Branch != "b01" {
				t.Error("the honest leaf must not notice")
			}
			if out, err := l.Request(t.Context(), "pull", []byte("x")); err != nil || string(out) != "x" {
				t.Errorf("%q, %v", out, err)
			}
			l.send(t, 1, "pack")
		})
	}
}

func TestStart_PortTakenAndBrokenFolder(t *testing.T) {
	h := startHub(t)
	taken, err := NewHub(HubConfig{Dir: t.TempDir(), Listen: h.Addr(), Registry: h.reg, Rand: rand.Reader})
	must(t, err)
	if err := taken.Start(); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("port taken: %v", err)
	}

	dir := t.TempDir()
	one := startHub(t, func(c *HubConfig) { c.Dir = dir })
	one.leaf(t, "b01").send(t, 1, "x")
	one.end()
	n := 0
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
			err = os.WriteFile(path, []byte("rubbish"), 0o600)
		}
		return err
	}))
	if n == 0 {
		t.Fatal("no file to spoil")
	}
	two := startHubOn(t, one.reg, func(c *HubConfig) { c.Dir = dir })
	two.leaf(t, "b02").send(t, 1, "y")

	// A file where the folder should be.
	dir = t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "jetstream"), []byte("rubbish"), 0o600))
	three := startHub(t, func(c *HubConfig) { c.Dir = dir })
	three.leaf(t, "b02").send(t, 1, "z")
	if _, err := os.Stat(filepath.Join(dir, "jetstream.bad")); err != nil {
		t.Error(err)
	}
}

func TestHub_RestartedUnderItsLeaves(t *testing.T) {
	dir := t.TempDir()
	h := startHub(t, func(c *HubConfig) { c.Dir = dir })
	addr := h.Addr()
	l := h.leaf(t, "b01")
	l.send(t, 1, "before")
	h.end()
	l.waitUp(t, false)
	start := time.Now()
	h2 := startHubOn(t, h.reg, func(c *HubConfig) { c.Dir, c.Listen = dir, addr })
	t.Logf("hub up after %s", time.Since(start))
	g := h2.read(t)
	l.send(t, 2, "after")
	await(t, "both packs", func() bool { return g.count("b01", "before") == 1 && g.count("b01", "after") == 1 })
	t.Logf("pack at HQ after %s", time.Since(start))
}

func TestHub_ItsOwnClientsCutOff(t *testing.T) {
	h := startHub(t)
	must(t, h.Handle("pull", func(_ context.Context, _ schema.BranchID, req []byte) ([]byte, error) { return req, nil }))
	l := h.leaf(t, "b01")
	g := h.read(t)
	l.send(t, 1, "before")
	// As the server does to a client that lags too far behind.
	for _, nc := range []*nats.Conn{h.desk.nc, h.pack, h.door.nc} {
		id, err := nc.GetClientID()
		must(t, err)
		must(t, h.srv.DisconnectClientByID(id))
	}
	l.send(t, 2, "after")
	awaitIn(t, 10*time.Second, "pack", func() bool { return g.count("b01", "after") > 0 })
	await(t, "an answer", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		out, err := l.Request(ctx, "pull", []byte("x"))
		return err == nil && string(out) == "x"
	})
}

func TestRegistry_OutOfOrder(t *testing.T) {
	h := startHub(t)
	l := h.leaf(t, "b01")
	h.reg.mu.Lock()
	h.reg.fail = errors.New("database is locked")
	h.reg.mu.Unlock()
	// Who is linked stays; who comes is kept out.
	other := h.leafDown(t, "b02")
	await(t, "refused", other.Refused)
	h.gate.sweep()
	h.gate.sweep()
	if !l.Up() || other.Up() {
		t.Error("a registry that fails must change nothing")
	}
	h.reg.mu.Lock()
	h.reg.fail = nil
	h.reg.mu.Unlock()
	other.waitUp(t, true)
	// A verb that HQ does not serve is no reason to lose the link.
	if _, err := l.Request(t.Context(), "nosuch", nil); err == nil {
		t.Error("an unknown verb was answered")
	}
	l.send(t, 1, "still linked")
	select {
	case up := <-l.Changes():
		if !up {
			t.Error("the link fell")
		}
	default:
	}
}

func TestPorts_OnlyTheLeafPortIsOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	before := listening(t)
	h := startHub(t)
	h.leaf(t, "b01")
	var opened []string
	for a := range listening(t) {
		if !before[a] {
			opened = append(opened, a)
		}
	}
	_, port, err := net.SplitHostPort(h.Addr())
	must(t, err)
	var want int
	fmt.Sscan(port, &want)
	if len(opened) != 1 || opened[0] != fmt.Sprintf("0100007F:%04X", want) {
		t.Errorf("listening on %v; want only %s", opened, h.Addr())
	}
}

// listening is every TCP address that a socket of this process listens on, as
// the kernel writes it.
func listening(t *testing.T) map[string]bool {
	t.Helper()
	mine := map[string]bool{}
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, f := range fds {
		if s, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil {
			mine[s] = true
		}
	}
	out := map[string]bool{}
	for _, f := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // no IPv6
		}
		for _, row := range strings.Split(string(b), "\n")[1:] {
			c := strings.Fields(row)
			if len(c) > 9 && c[3] == "0A" && mine["socket:["+c[9]+"]"] {
				out[c[1]] = true
			}
		}
	}
	return out
}
