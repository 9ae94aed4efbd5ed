//go:build linux

package soak

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/bus/faultproxy"
)

// The processes of the branches and of headquarters are killed while people work.
func TestKill_UnderLoad(t *testing.T) {
	g := newGroup(t, 2)
	kills(g, 2, 60)
	g.audit()
}

// kills is n rounds of killing a branch and headquarters, with at least so many changes saved between.
func kills(g *group, n int, between int64) {
	l := g.run("kill", g.all...)
	for i := range n {
		b := g.all[i%len(g.all)]
		l.pass(between)
		b.kill()
		b.start()
		l.pass(between)
		g.hq.kill()
		l.pass(between) // the branches work on
		g.startHQ()
	}
	l.pass(between)
	l.stop()
}

// The way JetStream keeps what is at headquarters' door is thrown away while headquarters is down.
func TestUp_RemovedWhileDown(t *testing.T) {
	g := newGroup(t, 2)
	l := g.run("up", g.all...)
	l.pass(80)
	g.hq.kill()
	up := filepath.Join(g.hq.dir, "up")
	if list, err := os.ReadDir(up); err != nil || len(list) == 0 {
		t.Fatalf("nothing lies in %s: %v", up, err)
	}
	g.must(os.RemoveAll(up))
	l.pass(40)
	g.startHQ()
	l.pass(40)
	l.stop()
	g.audit()
}

// The cable is cut, stands still in either direction or in both, and is reset, while people work.
func TestCable_CutStalledReset(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 2)
	b := g.all[0]
	cables(g, 1, 40, b.cable.Cut, b.cable.Reset, func() { b.cable.Stall(faultproxy.Down) })
	g.audit()
}

// cables does each fault once a round to the first branch's cable.
func cables(g *group, rounds int, between int64, faults ...func()) {
	l := g.run("cable", g.all...)
	b := g.all[0]
	for range rounds {
		for _, fault := range faults {
			l.pass(between)
			made := b.cable.Made()
			fault()
			l.pass(between)
			// The branch sees it, a stall by age alone, and tries to build the link anew.
			until(g.t, "the branch dials again", func() (bool, string) { return b.cable.Made() > made, "" })
			b.cable.Open()
		}
	}
	l.pass(between)
	l.stop()
}

// Headquarters' folder is put back from an older copy and nobody tells it. What the
// branches have sent since comes again.
func TestHQ_OlderCopy(t *testing.T) {
	g := newGroup(t, 3)
	olderHQ(g, 60)
	g.audit()
}

func olderHQ(g *group, between int64) {
	l := g.run("older", g.all...)
	l.pass(between)
	g.hq.kill()
	copied := g.copyOf(g.hq)
	g.startHQ()
	l.pass(between)
	until(g.t, "headquarters has more than the copy", func() (bool, string) {
		line, err := g.all[0].line(g.t.Context())
		return err == nil && line.GetLinked() && line.GetWatermark() > 0 && line.GetSaved() < 20, ""
	})
	g.hq.kill()
	g.putBack(copied, g.hq)
	l.pass(between)
	g.startHQ()
	l.pass(between)
	l.stop()
}

// A branch's folder is put back from a copy: what headquarters had beyond it comes
// back, and what was saved after goes up as another life of the branch.
func TestBranch_FolderCopiedBack(t *testing.T) {
	g := newGroup(t, 2)
	b := g.all[0]
	g.put(t, "one", b, 4)
	g.settled()
	was, err := b.line(t.Context())
	g.must(err)
	b.kill()
	copied := g.copyOf(b.site)
	b.start()
	g.put(t, "two", b, 5)
	g.settled() // all that was acknowledged is at headquarters: the disk may go
	b.kill()
	g.putBack(copied, b.site)
	b.cable.Cut()
	b.start()
	g.put(t, "three", b, 3)
	b.cable.Open()
	g.settled()
	is, err := b.line(t.Context())
	g.must(err)
	if is.GetIncarnation() == was.GetIncarnation() {
		t.Errorf("it is still incarnation %s", is.GetIncarnation())
	}
	g.put(t, "four", b, 2)
	g.audit()
}

// Two machines run on copies of one branch's folder. The second is kept out, gives
// and gets nothing, headquarters shows both, and the first works on. When the first
// has gone for good, the second's edits go up too.
func TestBranch_Cloned(t *testing.T) {
	t.Parallel()
	g := newGroup(t, 2)
	b := g.all[0]
	g.put(t, "one", b, 2)
	g.settled()
	b.stop()
	second := &branch{site: g.site("b1", b.args...), entity: b.entity, cable: b.cable}
	second.dir = g.copyOf(b.site)
	b.start()
	g.put(t, "two", b, 1)
	g.settled()
	second.start()
	until(t, "the clone is READ_ONLY", func() (bool, string) {
		l, err := second.line(t.Context())
		if err != nil {
			return false, err.Error()
		}
		return strings.Contains(l.GetVerdict(), "READ_ONLY") || strings.Contains(l.GetVerdict(), "other machine"), l.GetVerdict()
	})
	until(t, "headquarters shows both", func() (bool, string) {
		r, err := g.hq.calls().Sites.ListBranches(t.Context(), &branchlinev1.Empty{})
		g.must(err)
		i := slices.IndexFunc(r.GetBranches(), func(s *branchlinev1.BranchStatus) bool { return s.GetCode() == "b1" })
		s := r.GetBranches()[i]
		return s.GetLeaves() == 2 && len(s.GetAlarms()) > 0, s.String()
	})
	// People work at both, under the same numbers.
	g.put(t, "three", b, 2)
	g.put(t, "four", second, 3)
	g.settled()
	l, err := second.line(t.Context())
	g.must(err)
	if l.GetSaved() == 0 || l.GetWatermark() == l.GetLastSeq() {
		t.Errorf("the second has given something: %v", l)
	}
	b.stop()
	g.all[0] = second
	g.put(t, "five", second, 1)
	g.audit()
}
