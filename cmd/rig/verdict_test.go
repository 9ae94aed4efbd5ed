package rig

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"branchline/hq"
	hqstore "branchline/hq/store"
	"branchline/node"
	"branchline/node/web"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/look"
	"branchline/schema/serve"
	"branchline/sync/link"
)

// The verdicts of a hello, each brought about as it comes about: by copies,
// lost disks and old programs. In all of them nothing that was saved is lost, the
// branch works on, and both sites say in words what happened and what to do.

// impatient branches ask again soon when they are kept out.
var impatient = link.Limits{Beat: 250 * time.Millisecond, Closed: 300 * time.Millisecond, RetryMax: time.Second}

// said is what a branch's status says; it must have words and, when something is to be done, what.
func said(t *testing.T, n *node.Node) *branchlinev1.LineStatus {
	t.Helper()
	l, err := n.Server().API().Sites.GetLine(owner(t.Context(), access.Node), &branchlinev1.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// stands waits until a branch's status has this standing, and checks that it is put into words.
func (g *group) stands(n *node.Node, want string) *branchlinev1.LineStatus {
	g.t.Helper()
	var l *branchlinev1.LineStatus
	g.until("the branch stands "+want, func() bool { l = said(g.t, n); return l.GetStanding() == want })
	if want != "OPEN" && (len(l.GetVerdict()) < 20 || len(l.GetAdvice()) < 20) {
		g.t.Errorf("%s is not put into words: %q, %q", want, l.GetVerdict(), l.GetAdvice())
	}
	return l
}

// paged wants the page of the line to say the standing's words, and what to do.
func (g *group) paged(dir, want string) {
	g.t.Helper()
	r, err := serve.ReadRun(dir)
	g.must(err)
	c, err := r.Client()
	g.must(err)
	defer c.Close()
	res, err := c.HTTP.Get(c.URL + "/line")
	g.must(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	g.must(err)
	words, err := look.LoadWords(web.Words())
	g.must(err)
	for _, key := range []string{"standing." + want, "standing." + want + "_do"} {
		if text := words.Say(look.ZhCN, key); !strings.Contains(string(b), text) {
			g.t.Errorf("the page of the line does not say %q", text)
		}
	}
}

// alarmed waits until headquarters shows an alarm of the branch ("": its own).
func (g *group) alarmed(q *hq.HQ, b schema.BranchID, what string) {
	g.t.Helper()
	g.until("headquarters' alarm "+what, func() bool {
		r, err := q.Server().API().Sites.ListBranches(owner(g.t.Context(), access.HQ), &branchlinev1.Empty{})
		g.must(err)
		list := r.GetAlarms()
		for _, s := range r.GetBranches() {
			if b != "" && s.GetCode() == string(b) {
				list = s.GetAlarms()
			}
		}
		for _, a := range list {
			if strings.HasPrefix(a, what+":") {
				return true
			}
		}
		return false
	})
}

// kept wants all that was saved anywhere to be at headquarters.
func (g *group) kept() {
	g.t.Helper()
	g.converge()
	for b, ids := range g.saved {
		for _, id := range ids {
			if !g.atHQ(id) {
				g.t.Fatalf("%s of %s is not at headquarters", id, b)
			}
		}
	}
}

// saves wants the branch to save whatever headquarters says.
func (g *group) saves(b schema.BranchID, n int) {
	g.t.Helper()
	g.many(b, n)
	for _, id := range g.saved[b] {
		g.get(b, id)
	}
}

// Headquarters' folder is gone, keys and all, and with it all backups. A new
// headquarters adopts the branches that a person lets enrol again: they give all
// they have, also what they wrote in a life before this one.
func TestVerdict_Adopt(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient})
	g.many("b1", 8)
	g.many("b2", 5)
	shared := g.customer("b1", "王小明", "13817264531")
	g.customer("b2", "王小明", "13817264531")
	g.converge()
	// b1 has a former life: its folder was put back once.
	copied := g.copyNode("b1")
	g.many("b1", 6)
	g.converge()
	g.putBackNode("b1", copied)
	g.linked("b1")
	g.many("b1", 4)
	g.converge()

	g.must(g.StopHQ())
	g.must(os.RemoveAll(g.HQDir()))
	g.must(g.StartHQ())
	g.saves("b1", 2)
	for _, b := range g.cfg.Branches {
		g.must(g.StopNode(b.Code))
		_, err := g.register(b)
		g.must(err)
		// Its first token of a new headquarters lets nobody in who was somebody before.
		g.must(g.ReEnrol(b.Code))
	}
	g.linked("b1")
	g.kept()
	if l := said(t, g.Site("b1").Node()); l.GetTurn() != "ADOPT" || l.GetTurnText() == "" {
		t.Errorf("the branch does not say what happened: %v", l)
	}
	g.get("b2", shared) // a customer of both, as before
	g.edit("b1", shared, &branchlinev1.Customer{Remark: new("after")}, "remark")
	g.many("b3", 2)
	g.kept()
	if got := g.get("b2", shared).GetCustomer().GetRemark(); got != "after" {
		t.Errorf("b2 shows %q", got)
	}
}

// A branch with a history of its own that only got a first token is refused, says so, and works on until it is let in.
func TestVerdict_UnknownLife(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient, Branches: []Branch{{Code: "b1", Name: "Pudong", Entity: "e1"}}})
	g.many("b1", 5)
	g.converge()
	g.must(g.StopHQ())
	g.must(g.StopNode("b1"))
	g.must(os.RemoveAll(g.HQDir()))
	g.must(g.StartHQ())
	token, err := g.register(g.cfg.Branches[0])
	g.must(err)
	g.must(g.startNode(g.Site("b1"), token))
	g.stands(g.Site("b1").Node(), "UNKNOWN_LIFE")
	g.paged(g.Site("b1").Dir, "UNKNOWN_LIFE")
	g.alarmed(g.HQ(), "b1", hqstore.AlarmRefused)
	g.saves("b1", 3)
	// The person at headquarters opens a re-enrolment; the machine has its key already.
	_, err = g.HQ().Inbox().ReEnrol(t.Context(), "b1")
	g.must(err)
	g.linked("b1")
	g.stands(g.Site("b1").Node(), "OPEN")
	g.kept()
}

// Headquarters is put back from a copy made before the branch enrolled.
func TestVerdict_RestoredToBeforeEnrolment(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient, Branches: []Branch{{Code: "b1", Name: "Pudong", Entity: "e1"}}})
	g.many("b1", 3)
	g.converge()
	copied := g.copyHQ()
	late := Branch{Code: "b5", Name: "Late", Entity: "e1"}
	g.must(g.Add(late))
	g.linked("b5")
	g.many("b5", 7)
	g.many("b1", 2)
	g.linked("b1")
	g.converge()
	g.putBackHQ(copied)
	g.saves("b5", 2)
	g.until("b5 is turned away", func() bool { return g.Site("b5").Node().Refused() })
	g.stands(g.Site("b5").Node(), "REFUSED")
	g.must(g.StopNode("b5"))
	_, err := g.register(late)
	g.must(err)
	g.must(g.ReEnrol("b5"))
	g.linked("b5")
	g.linked("b1")
	g.kept()
}

// forgets takes all the backups headquarters would restore, and waits until the
// branch has forgotten more than n changes of its present life: below the watermark
// in the oldest of them it may.
func (g *group) forgets(b schema.BranchID, n schema.Seq) {
	g.t.Helper()
	for i := range hqstore.KeptBackups {
		_, err := g.HQ().Server().API().Sites.Backup(owner(g.t.Context(), access.HQ), &branchlinev1.BackupRequest{File: fmt.Sprintf("%s-%d-%d.db", b, len(g.saved[b]), i)})
		g.must(err)
	}
	g.many(b, 1)
	g.until(string(b)+" forgets", func() bool {
		lives, err := g.Site(b).Node().Store().Lives(g.t.Context())
		g.must(err)
		return schema.Seq(lives[0].GetPruneCut()) > n
	})
}

// Headquarters is put back from a copy older than what the branch has forgotten:
// the branch offers its records anew.
func TestVerdict_Rebuild(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient})
	g.many("b1", 10)
	one := g.customer("b1", "王小明", "13817264531")
	g.edit("b1", one, &branchlinev1.Customer{Remark: new("first")}, "remark")
	g.converge()
	copied := g.copyHQ()
	g.linked("b1")
	g.many("b1", 20)
	g.edit("b1", one, &branchlinev1.Customer{Remark: new("second")}, "remark")
	g.converge()
	g.forgets("b1", 12)
	g.many("b1", 5)
	g.converge()
	g.putBackHQ(copied)
	g.many("b1", 3)
	g.linked("b1")
	g.linked("b2")
	g.linked("b3")
	g.kept()
	if l := said(t, g.Site("b1").Node()); l.GetTurn() != "REBUILD" || l.GetTurnText() == "" {
		t.Errorf("the branch does not say what happened: %v", l)
	}
	if got := g.get("b1", one).GetCustomer().GetRemark(); got != "second" {
		t.Errorf("the customer's remark is %q", got)
	}
	g.many("b1", 2)
	g.kept()
}

// other starts a second headquarters on a copy of the running first one: its backup, keys and ledger.
func (g *group) other() *run[*hq.HQ] {
	g.t.Helper()
	b, err := g.HQ().Server().API().Sites.Backup(owner(g.t.Context(), access.HQ), &branchlinev1.BackupRequest{File: "other.db"})
	g.must(err)
	dir := filepath.Join(g.t.TempDir(), "hq2")
	g.must(os.Mkdir(dir, 0o700))
	for from, to := range map[string]string{
		b.GetPath(): hqstore.File, filepath.Join(g.HQDir(), hqstore.LedgerFile): hqstore.LedgerFile,
		filepath.Join(g.HQDir(), "hq.seed"): "hq.seed", filepath.Join(g.HQDir(), "ca.crt"): "ca.crt", filepath.Join(g.HQDir(), "ca.key"): "ca.key",
	} {
		data, err := os.ReadFile(from)
		g.must(err)
		g.must(os.WriteFile(filepath.Join(dir, to), data, 0o600))
	}
	q, err := hq.New(hq.Config{Dir: dir, Listen: "127.0.0.1:0", Link: "127.0.0.1:0", Now: time.Now, Rand: rand.Reader, Log: g.cfg.Log})
	g.must(err)
	second, err := begin(g.ctx, q)
	g.must(err)
	return second
}

// lead leads every cable to one headquarters.
func (g *group) lead(q *run[*hq.HQ]) {
	g.hq = q
	for _, s := range g.Sites() {
		g.leadOne(s.Code, q)
	}
}

func (g *group) leadOne(b schema.BranchID, q *run[*hq.HQ]) {
	s := g.Site(b)
	s.proxy.SetTarget(q.site.LinkAddr())
	s.proxy.Reset()
}

// A restored copy of headquarters runs beside the one it was copied from. The old
// one sees it by the first branch that comes back to it, and takes and gives
// nothing until a person decides, either way.
func TestVerdict_Superseded(t *testing.T) {
	for _, stays := range []string{"the copy", "the old one"} {
		t.Run(stays, func(t *testing.T) {
			g := newGroup(t, Config{Pages: true, Limits: impatient})
			g.many("b1", 6)
			g.many("b2", 4)
			g.converge()
			first := g.hq
			second := g.other()
			defer func() {
				for _, q := range []*run[*hq.HQ]{first, second} {
					if q != g.hq && q != nil {
						g.must(q.end())
					}
				}
			}()
			g.many("b1", 3) // the first has them, the copy does not
			g.converge()
			g.lead(second)
			g.many("b1", 2)
			for _, b := range []schema.BranchID{"b1", "b2", "b3"} {
				g.until(string(b)+" knows the copy", func() bool {
					st := g.Site(b).Node().Link()
					return st.Phase == link.Open && st.Epoch == second.site.Store().Epoch()
				})
			}
			g.kept()

			g.lead(first)
			g.stands(g.Site("b1").Node(), "SUPERSEDED")
			g.paged(g.Site("b1").Dir, "SUPERSEDED")
			g.alarmed(first.site, "", hqstore.AlarmSuperseded)
			l, err := first.site.Server().API().Sites.GetLine(owner(t.Context(), access.HQ), &branchlinev1.Empty{})
			g.must(err)
			if l.GetStanding() != "SUPERSEDED" || !strings.Contains(l.GetAdvice(), "go-on") {
				t.Errorf("the old headquarters says %v", l)
			}
			had := first.site.Store().Rev()
			g.saves("b1", 3)
			g.saves("b2", 2)
			if stays == "the copy" {
				g.lead(second)
			} else {
				g.must(first.site.Inbox().GoOn(t.Context(), true, nil))
				if rev := first.site.Store().Rev(); rev != had {
					t.Errorf("the old headquarters went on from rev %d to %d by itself", had, rev)
				}
				g.must(second.end())
				second = nil
				g.must(g.StopHQ())
				g.must(g.StartHQ())
				first = g.hq
			}
			for _, b := range []schema.BranchID{"b1", "b2", "b3"} {
				g.linked(b)
			}
			g.kept()
			g.stands(g.Site("b1").Node(), "OPEN")
		})
	}
}

// Headquarters is put back from an older copy without its key, so that it makes
// a new one: branches hold words that it cannot have said. It refuses them, with
// an alarm; with the key put back all is well.
func TestVerdict_False(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient})
	g.many("b1", 5)
	g.converge()
	copied := g.copyHQ()
	g.linked("b1")
	g.many("b1", 6)
	g.converge()
	g.must(g.StopHQ())
	key := filepath.Join(g.HQDir(), "hq.seed")
	seed, err := os.ReadFile(key)
	g.must(err)
	g.must(SwapDir(copied, g.HQDir()))
	g.must(os.Remove(key))
	g.must(g.StartHQ())
	g.stands(g.Site("b1").Node(), "FALSE_ACK")
	g.paged(g.Site("b1").Dir, "FALSE_ACK")
	g.alarmed(g.HQ(), "b1", hqstore.AlarmFalseAck)
	g.saves("b1", 4)
	g.must(g.StopHQ())
	g.must(os.WriteFile(key, seed, 0o600))
	g.must(g.StartHQ())
	g.linked("b1")
	g.linked("b2")
	g.linked("b3")
	g.kept()
	g.stands(g.Site("b1").Node(), "OPEN")
}

// A machine with a program that is too old, or too new: it works alone, says that it must be upgraded, and goes on when it is.
func TestVerdict_LocalOnly(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient})
	g.many("b1", 4)
	g.converge()
	g.must(g.StopNode("b1"))
	other, err := node.New(node.Config{
		Dir: g.Site("b1").Dir, Listen: "127.0.0.1:0", Link: g.Site("b1").Proxy().Addr(), Now: time.Now, Rand: rand.Reader,
		Limits: g.cfg.Limits, SchemaMin: node.SchemaMax + 1, SchemaMax: node.SchemaMax + 2,
	})
	g.must(err)
	g.Site("b1").node, err = begin(g.ctx, other)
	g.must(err)
	g.stands(other, "LOCAL_ONLY")
	g.paged(g.Site("b1").Dir, "LOCAL_ONLY")
	g.alarmed(g.HQ(), "b1", hqstore.AlarmRefused)
	g.saves("b1", 5)
	l := said(t, other)
	if l.GetWatermark() != 4 || l.GetLastSeq() != 9 {
		t.Errorf("%v", l)
	}
	g.must(g.StopNode("b1"))
	g.must(g.StartNode("b1"))
	g.linked("b1")
	g.kept()
}

// Two machines run on one folder's copies. Both sites say so; when a person stops
// the first, the second goes on by itself with all it saved.
func TestVerdict_ReadOnly(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient})
	g.many("b1", 6)
	g.converge()
	g.must(g.StopNode("b1"))
	copied := filepath.Join(t.TempDir(), "clone")
	g.must(CopyDir(g.Site("b1").Dir, copied))
	g.must(g.StartNode("b1"))
	g.linked("b1")
	n, err := node.New(node.Config{
		Dir: copied, Listen: "127.0.0.1:0", Link: g.Site("b1").Proxy().Addr(), Now: time.Now, Rand: rand.Reader,
		Limits: impatient,
	})
	g.must(err)
	clone, err := begin(g.ctx, n)
	g.must(err)
	g.stands(n, "READ_ONLY")
	g.paged(copied, "READ_ONLY")
	g.alarmed(g.HQ(), "b1", hqstore.AlarmClone)
	g.saves("b1", 3)
	g.converge() // the first works on
	first := g.Site("b1").node
	g.Site("b1").node = clone
	mine := g.customer("b1", "只在第二台", "13900000001") // saved at the second only
	if l := said(t, n); l.GetSaved()+l.GetAtDoor() == 0 {
		t.Errorf("the second has sent something: %v", l)
	}
	g.must(first.end())
	g.linked("b1")
	g.stands(n, "OPEN")
	g.kept()
	if !g.atHQ(mine) {
		t.Error("what the second machine saved is lost")
	}
}

// A closed branch hands in what it had not sent, and is told that it is closed.
func TestVerdict_SalvageRetired(t *testing.T) {
	g := newGroup(t, Config{Pages: true, Limits: impatient})
	g.many("b1", 3)
	g.converge()
	g.Site("b1").Proxy().Cut()
	g.until("b1 down", func() bool { return g.Site("b1").Node().Link().Phase == link.Down })
	g.many("b1", 4)
	_, err := g.HQ().Server().API().Headquarters.RetireBranch(owner(t.Context(), access.HQ), &branchlinev1.BranchRequest{Code: "b1"})
	g.must(err)
	g.Site("b1").Proxy().Open()
	n := g.Site("b1").Node()
	g.stands(n, "SALVAGE")
	g.paged(g.Site("b1").Dir, "SALVAGE")
	g.until("the tail is taken", func() bool { l := said(t, n); return l.GetWatermark() == l.GetLastSeq() })
	list, err := g.HQ().Inbox().Quarantine(t.Context(), "b1", 0, 100)
	g.must(err)
	if len(list) != 4 {
		t.Errorf("%d changes in quarantine: %v", len(list), list)
	}
	if st := n.Link(); st.Gate != wirev1.Gate_SALVAGE {
		t.Errorf("%+v", st)
	}
	g.saves("b1", 1) // it can still be worked on alone
	g.must(g.StopNode("b1"))
	delete(g.saved, "b1")
	g.kept() // the others go on
}
