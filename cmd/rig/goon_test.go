package rig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"branchline/hq"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/link"
)

// Headquarters was put back from an older copy and a branch does not come back:
// nothing is given out until a person says that its ledger is not waited for.
func TestVerdict_RestoredWithoutABranch(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient})
	g.many("b1", 4)
	g.converge()
	copied := g.copyHQ()
	g.linked("b1")
	g.many("b1", 3)
	g.converge()
	g.must(g.StopNode("b2"))
	g.putBackHQ(copied)
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

// A new headquarters adopts a branch that has forgotten most of what it wrote, in
// this life and in one before: it has it in its records, and gives it from there.
func TestVerdict_AdoptOfAPrunedBranch(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient})
	g.many("b1", 10)
	one := g.customer("b1", "王小明", "13817264531")
	g.edit("b1", one, &branchlinev1.Customer{Remark: new("first")}, "remark")
	g.converge()
	g.forgets("b1", 8)
	copied := g.copyNode("b1")
	g.many("b1", 3)
	g.converge()
	g.putBackNode("b1", copied)
	g.linked("b1")
	g.edit("b1", one, &branchlinev1.Customer{Remark: new("second")}, "remark")
	g.many("b1", 10)
	g.converge()
	g.forgets("b1", 8)
	lives, err := g.Site("b1").Node().Store().Lives(t.Context())
	g.must(err)
	if len(lives) != 2 || lives[1].GetPruneCut() == 0 {
		t.Fatalf("both lives should have forgotten: %v", lives)
	}
	g.many("b1", 2)
	g.converge()

	g.must(g.StopHQ())
	g.must(os.RemoveAll(g.HQDir()))
	g.must(g.StartHQ())
	for _, b := range g.cfg.Branches {
		g.must(g.StopNode(b.Code))
		_, err := g.register(b)
		g.must(err)
		g.must(g.ReEnrol(b.Code))
	}
	g.linked("b1")
	g.kept()
	if l := said(t, g.Site("b1").Node()); l.GetTurn() != "ADOPT" {
		t.Errorf("the branch was not adopted: %v", l)
	}
	if got := g.get("b1", one).GetCustomer(); got.GetRemark() != "second" || got.GetName() != "王小明" {
		t.Errorf("the customer is %v", got)
	}
	g.edit("b1", one, &branchlinev1.Customer{Remark: new("third")}, "remark")
	g.many("b1", 2)
	g.kept()
}

// The old headquarters is to stay although a restored copy has taken over, and some
// branches went on with the copy meanwhile, one so far that it has forgotten what
// only the copy was given. Nothing of that is lost when the old one goes on.
func TestVerdict_SupersededGoesOnWithBranchesOnTheCopy(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient})
	branches := []schema.BranchID{"b1", "b2", "b3"}
	for _, b := range branches {
		g.many(b, 4)
	}
	g.customer("b1", "王小明", "13817264531")
	seen := g.customer("b2", "王小明", "13817264531")
	g.converge()
	first, second := g.hq, g.other()
	running := map[*run[*hq.HQ]]bool{first: true, second: true}
	defer func() {
		for q := range running {
			if q != g.hq {
				g.must(q.end())
			}
		}
	}()
	g.many("b1", 3) // the first has them, the copy does not
	g.converge()
	g.lead(second)
	for _, b := range branches {
		g.until(string(b)+" knows the copy", func() bool {
			st := g.Site(b).Node().Link()
			return st.Phase == link.Open && st.Epoch == second.site.Store().Epoch()
		})
	}
	g.many("b2", 12)
	g.edit("b2", seen, &branchlinev1.Customer{Remark: new("at the copy")}, "remark")
	g.many("b3", 3)
	g.kept()
	g.forgets("b2", 14)

	// b1 alone comes back to the old one, which sees by it that it was taken over.
	g.leadOne("b1", first)
	g.stands(g.Site("b1").Node(), "SUPERSEDED")
	g.saves("b1", 2)
	g.many("b2", 2) // the others still work with the copy
	g.many("b3", 1)
	g.until("the copy has what b2 wrote", func() bool { l := said(t, g.Site("b2").Node()); return l.GetWatermark() == l.GetLastSeq() })

	// The person decides: the copy is stopped, the old one is told to go on and started again.
	ctx := owner(t.Context(), access.HQ)
	_, err := first.site.Server().API().Headquarters.GoOn(ctx, &branchlinev1.GoOnRequest{Superseded: true})
	g.must(err)
	g.must(second.end())
	delete(running, second)
	g.hq = first
	g.must(g.StopHQ())
	delete(running, first)
	g.must(g.StartHQ())
	for _, b := range branches {
		g.linked(b)
	}
	g.kept()
	if got := g.get("b1", seen).GetCustomer().GetRemark(); got != "at the copy" {
		t.Errorf("b1 shows the remark %q", got)
	}
	if l := said(t, g.Site("b2").Node()); l.GetTurn() != "REBUILD" {
		t.Errorf("b2 offers what it has forgotten, it says %v", l)
	}
	for _, b := range branches {
		g.stands(g.Site(b).Node(), "OPEN")
		g.many(b, 1)
	}
	g.kept()
}
