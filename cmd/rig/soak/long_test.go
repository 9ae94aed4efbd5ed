//go:build linux

package soak

import (
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"branchline/sync/bus/faultproxy"
)

// long says how many rounds a soak test makes; without BRANCHLINE_SOAK there is
// none. BRANCHLINE_SOAK=n multiplies them by n.
func long(t *testing.T, rounds int) int {
	t.Helper()
	v := os.Getenv("BRANCHLINE_SOAK")
	if v == "" {
		t.Skip("runs long: BRANCHLINE_SOAK=1, or make soak")
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("BRANCHLINE_SOAK=%q is no number of times", v)
	}
	return rounds * n
}

func TestKill_Soak(t *testing.T) {
	n := long(t, 15)
	g := newGroup(t, 3)
	kills(g, n, 120)
	g.audit()
}

func TestCable_Soak(t *testing.T) {
	n := long(t, 6)
	g := newGroup(t, 3)
	c := g.all[0].cable
	cables(g, n, 150, c.Cut, c.Reset, func() { c.Stall() }, func() { c.Stall(faultproxy.Down) }, func() { c.Stall(faultproxy.Up) })
	g.audit()
}

// Headquarters' folder goes back to an older copy again and again, also to one that
// is older than the last one it was put back from.
func TestHQ_OlderCopySoak(t *testing.T) {
	n := long(t, 6)
	g := newGroup(t, 3)
	l := g.run("older", g.all...)
	var copies []string
	for i := range n {
		l.pass(150)
		g.hq.kill()
		copies = append(copies, g.copyOf(g.hq))
		if i%2 == 1 {
			g.putBack(copies[i/2], g.hq)
		}
		l.pass(50)
		g.startHQ()
	}
	l.pass(100)
	l.stop()
	g.audit()
}

// A branch's folder is put back again and again, to copies of before its last life too.
func TestBranch_FolderCopiedBackSoak(t *testing.T) {
	n := long(t, 5)
	g := newGroup(t, 2)
	b := g.all[0]
	var copies []string
	for i := range n {
		g.put(t, "a"+strconv.Itoa(i), b, 5)
		g.settled()
		b.kill()
		copies = append(copies, g.copyOf(b.site))
		g.putBack(copies[i/2], b.site)
		b.cable.Cut()
		b.start()
		g.put(t, "b"+strconv.Itoa(i), b, 3)
		b.cable.Open()
	}
	g.audit()
}

// Everything at once, in an order drawn from a seed that is printed.
func TestAll_Soak(t *testing.T) {
	n := long(t, 40)
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("BRANCHLINE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("BRANCHLINE_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, 7))
	g := newGroup(t, 3)
	l := g.run("all", g.all...)
	old := ""
	for range n {
		b := g.all[r.IntN(len(g.all))]
		switch k := r.IntN(10); k {
		case 0:
			b.cable.Cut()
		case 1:
			b.cable.Reset()
		case 2:
			b.cable.Stall()
		case 3:
			b.cable.Stall(faultproxy.Down)
		case 4:
			b.kill()
			l.pass(20)
			b.start()
		case 5:
			g.hq.kill()
			l.pass(30)
			g.startHQ()
		case 6: // the machine stands still for a while, the clock does not
			b.signal(syscall.SIGSTOP)
			l.pass(40) // the others work on
			b.signal(syscall.SIGCONT)
		case 7:
			g.hq.signal(syscall.SIGSTOP)
			l.pass(60)
			g.hq.signal(syscall.SIGCONT)
		case 8:
			g.hq.kill()
			g.must(os.RemoveAll(g.hq.dir + "/up"))
			g.startHQ()
		case 9:
			g.hq.kill()
			if old != "" {
				g.putBack(old, g.hq)
				old = ""
			} else {
				old = g.copyOf(g.hq)
			}
			g.startHQ()
		}
		l.pass(int64(20 + r.IntN(100)))
		if r.IntN(2) == 0 {
			for _, b := range g.all {
				b.cable.Open()
			}
		}
	}
	for _, b := range g.all {
		b.cable.Open()
	}
	l.pass(100)
	l.stop()
	g.audit()
}

func TestNoise_Soak(t *testing.T) {
	n := long(t, 20)
	g := newGroup(t, 2)
	l := g.run("noise", g.all...)
	for range n {
		noise(g, 300)
		l.pass(20)
	}
	l.stop()
	for _, s := range []*site{g.hq, g.all[0].site} {
		if kb := resident(t, s); kb > 300<<10 {
			t.Errorf("%s has %d kB in memory", s.name, kb)
		}
	}
	g.audit()
}
