package inbox_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/hq/inbox"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// script is what three branches write: the same at every headquarters it is sent to.
type script struct {
	customers []schema.RecordID
	vehicles  []schema.RecordID
	orders    []schema.RecordID
}

func (s *script) play(t *rapid.T, g *rig, bs []*br) {
	last := map[schema.RecordID]schema.ChangeID{}
	n := rapid.IntRange(5, 40).Draw(t, "changes")
	for i := range n {
		b := bs[rapid.IntRange(0, len(bs)-1).Draw(t, "branch")]
		g.now = g.now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "pause")) * time.Second)
		switch rapid.IntRange(0, 6).Draw(t, "what") {
		case 0, 1:
			id := g.id()
			m := customer(fmt.Sprintf("朱桃芝%d", i%2))
			m.Phones = []*branchlinev1.Phone{{Number: proto.String([]string{"13761894502", "13564718290"}[i%2])}}
			last[id] = b.write(id, m, create)
			s.customers = append(s.customers, id)
		case 2:
			id := g.id()
			b.write(id, &branchlinev1.Vehicle{Vin: proto.String([]string{"LFV3A23C0G3000001", "LSVAA49J132047371"}[i%2])}, create)
			s.vehicles = append(s.vehicles, id)
		case 3:
			var c, v schema.RecordID
			if len(s.customers) > 0 {
				c = rapid.SampledFrom(s.customers).Draw(t, "customer")
			}
			if len(s.vehicles) > 0 {
				v = rapid.SampledFrom(s.vehicles).Draw(t, "vehicle")
			}
			id := g.id()
			b.write(id, order(c, v), create)
			s.orders = append(s.orders, id)
		case 4:
			if len(s.orders) > 0 {
				b.write(g.id(), &branchlinev1.ServiceLine{Order: proto.String(rapid.SampledFrom(s.orders).Draw(t, "order").String())}, create)
			}
		default:
			if len(s.customers) > 0 {
				id := rapid.SampledFrom(s.customers).Draw(t, "edited")
				var opts []opt
				if rapid.Bool().Draw(t, "seen") {
					opts = append(opts, naming(2, last[id]))
				}
				last[id] = b.write(id, customer(fmt.Sprintf("name %d", i)), opts...)
			}
		}
	}
}

// holdingsOf are all branches' holdings, with the groups they were told of, a line each.
func holdingsOf(bs []*br) string {
	var list []string
	for _, b := range bs {
		rows, _ := b.pull(0, true)
		for _, r := range rows {
			switch r.GetRow() {
			case wirev1.RowKind_RECORD:
				list = append(list, fmt.Sprintf("%s: kind %d %x home %s shared %v %x", b.code, r.GetKind(), r.GetRecord(), r.GetHome(), r.GetShared(), r.GetState()))
			case wirev1.RowKind_GROUP:
				if len(r.GetMembers()) > 0 {
					list = append(list, fmt.Sprintf("%s: group %x", b.code, r.GetMembers()))
				}
			}
		}
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// differ are the lines that only one of the two has.
func differ(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	out := ""
	for _, l := range x {
		if !slices.Contains(y, l) {
			out += "- " + l + "\n"
		}
	}
	for _, l := range y {
		if !slices.Contains(x, l) {
			out += "+ " + l + "\n"
		}
	}
	return out
}

// Any order and any duplication of the same packs give the same records, the
// same groups and the same scopes; and following the feed step by step gives
// what a full pass gives.
func TestLaw_AnyOrderSameState(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	g.entity("e2")
	enrolled := []*br{g.branch("a1", "e1"), g.branch("b1", "e1"), g.branch("x1", "e2")}
	rapid.Check(t, func(rt *rapid.T) {
		var bs []*br
		for _, b := range enrolled {
			c := *b
			c.begin(b.inc)
			bs = append(bs, &c)
		}
		s := &script{}
		s.play(rt, g, bs)
		lists := make([][][]byte, len(bs))
		for i, b := range bs {
			for len(b.unsent) > 0 {
				lists[i] = append(lists[i], b.pack(rapid.IntRange(1, 5).Draw(rt, "pack")))
			}
		}
		all := ""
		state := func(inOrder bool) (string, string) {
			w := g.copyOfSite(bs)
			held := make([]map[string]bool, len(bs))
			revs := make([]schema.Rev, len(bs))
			for i := range bs {
				held[i] = map[string]bool{}
			}
			next := make([]int, len(bs))
			for done := false; !done; {
				done = true
				for i, list := range lists {
					if next[i] == len(list) {
						continue
					}
					done = false
					if !inOrder && rapid.Bool().Draw(rt, "later") {
						continue
					}
					at := next[i]
					if !inOrder && at > 0 && rapid.IntRange(0, 3).Draw(rt, "again") == 0 {
						at = rapid.IntRange(0, at-1).Draw(rt, "old")
					} else {
						next[i]++
					}
					w.work(w.brs[i], list[at])
					if !inOrder && rapid.IntRange(0, 2).Draw(rt, "group") == 0 {
						check(t, w.gold.Catch(t.Context()))
					}
					if !inOrder && rapid.IntRange(0, 2).Draw(rt, "pull") == 0 {
						revs[i] = w.brs[i].follow(held[i], revs[i])
					}
				}
			}
			check(t, w.gold.Catch(t.Context()))
			for i, b := range w.brs {
				b.follow(held[i], revs[i])
				full := b.holdings()
				for n := range full {
					// Its own records a branch is never told of.
					if _, ok := held[i][n]; !ok && !w.ownOf(b, n) {
						rt.Fatalf("%s was never given %s, which is in its scope", b.code, n)
					}
				}
				for n := range held[i] {
					if _, ok := full[n]; !ok {
						rt.Fatalf("%s was not rid of %s, which is not in its scope", b.code, n)
					}
				}
			}
			h, hold := w.hash(), holdingsOf(w.brs)
			all += w.dump()
			check(t, w.st.Close())
			return h, hold
		}
		h1, s1 := state(true)
		h2, s2 := state(false)
		if h1 != h2 {
			rt.Fatalf("another order gave another state:\n%s", differ(h1, h2))
		}
		if s1 != s2 {
			rt.Fatalf("another order gave other scopes:\n%s\n%s", differ(s1, s2), all)
		}
	})
}

// site is another headquarters that knows the same branches.
type site struct {
	*rig
	brs []*br
}

func (w *site) ownOf(b *br, n string) bool {
	_, id, err := schema.ParseName(n)
	check(w.t, err)
	own := false
	check(w.t, w.st.Read(w.t.Context(), func(r *store.R) error {
		rec, err := store.RecOf(r, id)
		own = rec != nil && w.st.BranchNum(rec.Home).Code == b.code
		return err
	}))
	return own
}

// copyOfSite copies the database as it is and opens it as a headquarters of its own.
func (g *rig) copyOfSite(bs []*br) *site {
	w := &rig{t: g.t, dir: g.t.TempDir(), now: g.now, dice: g.dice, key: g.key, codec: g.codec, ids: g.ids}
	g.copyTo(w.dir)
	w.open()
	s := &site{rig: w}
	for _, b := range bs {
		c := *b
		c.g = w
		s.brs = append(s.brs, &c)
	}
	return s
}

func TestLaw_RevsNeverOutOfOrder(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	a, b := g.branch("a1", "e1"), g.branch("b1", "e1")
	c := g.id()
	a.write(c, customer("one"), create)
	a.send()
	b.write(g.id(), order(c, schema.RecordID{}), create)
	b.send()
	var packs []inbox.Incoming
	for range 60 {
		a.write(g.id(), order(c, schema.RecordID{}), create)
		packs = append(packs, inbox.Incoming{Subject: a.code, Data: a.pack(1)})
	}
	done := make(chan error, 1)
	go func() {
		for _, p := range packs {
			if _, err := g.in.Work(t.Context(), []inbox.Incoming{p}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	seen, rev, over := map[string]bool{}, schema.Rev(0), false
	for {
		rows, last := b.pull(rev, false)
		at := rev
		for _, r := range rows {
			if schema.Rev(r.GetRev()) <= rev {
				t.Fatalf("rev %d became visible after %d had been read", r.GetRev(), rev)
			}
			if schema.Rev(r.GetRev()) < at {
				t.Fatalf("rev %d after %d in one page", r.GetRev(), at)
			}
			at = schema.Rev(r.GetRev())
			seen[string(r.GetRecord())] = true
		}
		rev = last
		if over {
			break
		}
		select {
		case err := <-done:
			check(t, err)
			over = true
		default:
		}
	}
	if len(seen) < 61 {
		t.Errorf("%d records seen, not all", len(seen))
	}
}

func (g *rig) dump() string {
	out := "----\n"
	check(g.t, g.st.Read(g.t.Context(), func(r *store.R) error {
		for _, q := range []string{
			"SELECT 'rec', hex(id), n, kind, home, COALESCE(grp,0), hex(COALESCE(customer,x'')), hex(COALESCE(vehicle,x'')), created FROM record WHERE kind>3",
			"SELECT 'hold', hex(subject), branch, 0,0,0,'','',0 FROM hold",
			"SELECT 'feed', '', branch, what, ref, rev, gone,'',0 FROM feed WHERE branch > 0",
		} {
			check(g.t, r.Each(q, nil, func(rows *sql.Rows) error {
				v := make([]any, 9)
				p := make([]any, 9)
				for i := range v {
					p[i] = &v[i]
				}
				if err := rows.Scan(p...); err != nil {
					return err
				}
				out += fmt.Sprintln(v...)
				return nil
			}))
		}
		return nil
	}))
	return out
}
