//go:build linux

package soak

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"branchline/cmd/rig"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/bus/faultproxy"
)

// group is headquarters and branches as processes.
type group struct {
	t    testing.TB
	dir  string
	hq   *site
	all  []*branch
	book *book
}

// branch is a site with a cable of its own.
type branch struct {
	*site
	entity string
	cable  *faultproxy.Proxy
}

// newGroup starts headquarters and the branches of one legal entity; b3, if there
// are three, is of another.
func newGroup(t testing.TB, branches int) *group {
	t.Helper()
	return newGroupOn(t, nil, branches)
}

// newGroupOn is newGroup with headquarters on a disk of its own.
func newGroupOn(t testing.TB, d *disk, branches int) *group {
	t.Helper()
	g := &group{t: t, dir: t.TempDir(), book: newBook()}
	g.hq = g.site("hq", "--listen", "127.0.0.1:0", "--link", "127.0.0.1:0")
	g.hq.on(d)
	g.hq.start()
	g.addEntities()
	for i := range branches {
		g.add(fmt.Sprintf("b%d", i+1), []string{"e1", "e1", "e2"}[i%3], nil)
	}
	return g
}

func (g *group) addEntities() {
	g.t.Helper()
	c := g.hq.calls()
	for _, e := range []string{"e1", "e2"} {
		_, err := c.Headquarters.AddEntity(g.t.Context(), &branchlinev1.AddEntityRequest{Code: e, Name: "Company " + e})
		g.must(err)
	}
}

func (g *group) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// site is a process not yet started; it is gone when the test ends.
func (g *group) site(name string, args ...string) *site {
	s := &site{t: g.t, name: name, dir: filepath.Join(g.dir, name), args: args}
	g.t.Cleanup(func() {
		s.kill()
		if g.t.Failed() && s.said.String() != "" {
			g.t.Logf("%s said:\n%s", s.name, tail(s.said.String()))
		}
	})
	return s
}

// add registers and enrols a branch, on a disk of its own if there is one.
func (g *group) add(code, entity string, d *disk) *branch {
	g.t.Helper()
	tok, err := g.hq.calls().Headquarters.AddBranch(g.t.Context(), &branchlinev1.AddBranchRequest{Code: code, Name: "Shop " + code, Entity: entity})
	g.must(err)
	cable, err := faultproxy.New(faultproxy.Config{Listen: "127.0.0.1:0", Target: g.hq.ready.Link})
	g.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- cable.Run(ctx) }()
	g.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			g.t.Error(err)
		}
	})
	b := &branch{g.site(code, "--listen", "127.0.0.1:0", "--link", cable.Addr()), entity, cable}
	b.on(d)
	args := b.args
	b.args = append(args[:len(args):len(args)], "--enrol", "-")
	if err := b.tryStart(strings.NewReader(tok.GetToken())); err != nil {
		g.t.Fatalf("%s does not enrol: %v\n%s", code, err, tail(b.said.String()))
	}
	b.args = args
	g.all = append(g.all, b)
	return b
}

// startHQ starts headquarters again; it has another port, and the cables lead there.
func (g *group) startHQ() {
	g.t.Helper()
	g.hq.start()
	g.cables()
}

func (g *group) cables() {
	for _, b := range g.all {
		b.cable.SetTarget(g.hq.ready.Link)
	}
}

// settled waits until every branch is let in, has had all it saved stored at
// headquarters, has all headquarters has for it, and is the same as headquarters
// record by record.
func (g *group) settled() {
	g.t.Helper()
	for _, b := range g.all {
		c := b.calls()
		until(g.t, b.name+" settled", func() (bool, string) {
			l, err := c.Sites.GetLine(g.t.Context(), &branchlinev1.Empty{})
			if err != nil {
				return false, err.Error()
			}
			return l.GetLinked() && l.GetSaved() == 0 && l.GetWatermark() == l.GetLastSeq(), l.String()
		})
	}
	for _, b := range g.all {
		c := b.calls()
		until(g.t, "verify at "+b.name, func() (bool, string) {
			v, err := c.Sites.Verify(g.t.Context(), &branchlinev1.Empty{})
			if err != nil {
				return false, err.Error()
			}
			if !v.GetSame() {
				g.t.Fatalf("%s differs from headquarters: %v", b.name, v.GetDiffering())
			}
			return true, ""
		})
	}
}

// line is what a branch says of itself; ErrUnavailable while it does not run.
func (b *branch) line(ctx context.Context) (*branchlinev1.LineStatus, error) {
	c, err := b.client()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.Sites.GetLine(ctx, &branchlinev1.Empty{})
}

// copyOf copies a stopped site's folder to a new place.
func (g *group) copyOf(s *site) string {
	g.t.Helper()
	if s.running() {
		g.t.Fatalf("%s runs: its folder cannot be copied", s.name)
	}
	to := filepath.Join(g.t.TempDir(), s.name)
	g.must(rig.CopyDir(s.dir, to))
	return to
}

// putBack puts a copy in the place of a stopped site's folder.
func (g *group) putBack(copied string, s *site) {
	g.t.Helper()
	if s.running() {
		g.t.Fatalf("%s runs: its folder cannot be put back", s.name)
	}
	g.must(rig.SwapDir(copied, s.dir))
}

func code(b *branch) schema.BranchID { return schema.BranchID(b.name) }

// need skips a test whose ground is missing, or fails it where BRANCHLINE_REQUIRE names it.
func need(t testing.TB, what, why string) {
	t.Helper()
	for r := range strings.SplitSeq(os.Getenv("BRANCHLINE_REQUIRE"), ",") {
		if strings.TrimSpace(r) == what {
			t.Fatalf("%s is required here: %s", what, why)
		}
	}
	t.Skipf("no %s: %s", what, why)
}
