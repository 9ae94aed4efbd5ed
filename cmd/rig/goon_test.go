package rig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Headquarters was put back from an older copy and a branch does not come back:
// nothing is given out until a person says that its ledger is not waited for.
func TestVerdict_RestoredWithoutABranch(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient})
	g.many("b1", 4)
	g.converge()
	copied := filepath.Join(t.TempDir(), "copy")
	g.must(g.StopHQ())
	g.must(CopyDir(g.HQDir(), copied))
	g.must(g.StartHQ())
	g.linked("b1")
	g.many("b1", 3)
	g.converge()
	g.must(g.StopNode("b2"))
	g.must(g.StopHQ())
	g.must(SwapDir(copied, g.HQDir()))
	g.must(g.StartHQ())
	g.linked("b1")
	g.stands(g.Site("b1").Node(), "WAITING")
	g.saves("b1", 2) // and it is taken
	g.until("headquarters has them", func() bool { l := said(t, g.Site("b1").Node()); return l.GetWatermark() == l.GetLastSeq() })

	ctx, api := owner(t.Context(), access.HQ), g.HQ().Server().API()
	l, err := api.Sites.GetLine(ctx, &branchlinev1.Empty{})
	g.must(err)
	if l.GetStanding() != "WAITING" || !strings.Contains(l.GetAdvice(), "b2") || strings.Contains(l.GetAdvice(), "b1") {
		t.Errorf("headquarters says %q: %q", l.GetStanding(), l.GetAdvice())
	}
	_, err = api.Headquarters.GoOn(ctx, &branchlinev1.GoOnRequest{Without: []string{"b2"}})
	g.must(err)
	for _, b := range []schema.BranchID{"b1", "b3"} {
		g.stands(g.Site(b).Node(), "OPEN")
	}
	g.kept()
	// It comes back after all.
	g.must(g.StartNode("b2"))
	g.linked("b2")
	g.kept()
}

// Headquarters' key is lost for good, its database is not: nothing it says can be
// believed, and a branch that enrols again believes the new one.
func TestVerdict_KeyLost(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient})
	g.many("b1", 5)
	g.many("b2", 3)
	g.converge()
	g.must(g.StopHQ())
	g.must(os.Remove(filepath.Join(g.HQDir(), "hq.seed")))
	g.must(g.StartHQ())
	g.stands(g.Site("b1").Node(), "FALSE_ACK")
	g.saves("b1", 3)
	for _, b := range []schema.BranchID{"b1", "b2", "b3"} {
		g.must(g.StopNode(b))
		g.must(g.ReEnrol(b))
		g.linked(b)
	}
	g.kept()
	g.many("b2", 2)
	g.kept()
}
