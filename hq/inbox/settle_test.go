package inbox_test

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/hq/inbox"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

func (g *rig) outcomes(branch schema.BranchID) map[schema.ChangeID]inbox.Quarantined {
	out := map[schema.ChangeID]inbox.Quarantined{}
	for _, q := range must(g.in.Quarantine(g.t.Context(), branch, 0, 100))(g.t) {
		out[q.Change] = q
	}
	return out
}

func (b *br) shownName(id schema.RecordID) string {
	b.g.t.Helper()
	rows, _ := b.pull(0, true)
	for _, r := range rows {
		if r.GetRow() == wirev1.RowKind_RECORD && string(r.GetRecord()) == string(id[:]) {
			return nameOf(b.g.t, r)
		}
	}
	return ""
}

func TestSettle_WaitersGoInOrder(t *testing.T) {
	for _, discard := range []bool{false, true} {
		g := newRig(t)
		g.entity("e1")
		b := g.branch("b1", "e1")
		id := g.id()
		// The record is another branch's order, as far as headquarters knows: what b writes waits.
		a := g.branch("a1", "e1")
		a.write(id, order(schema.RecordID{}, schema.RecordID{}), create)
		a.send()
		num := func(s string) *branchlinev1.ServiceOrder { return &branchlinev1.ServiceOrder{Number: proto.String(s)} }
		first := b.write(id, num("one"))
		b.write(g.id(), customer("fine"), create)
		second := b.write(id, num("two"), naming(1, first))
		third := b.write(id, num("three"), naming(1, second))
		if r := b.send(); r.GetWatermark() != 4 {
			t.Fatalf("receipt %v", r)
		}
		q := g.outcomes("b1")
		if len(q) != 3 || q[first].Outcome != wirev1.OutcomeKind_QUARANTINED || q[second].WaitsFor != first.Seq || q[third].WaitsFor != first.Seq {
			t.Fatalf("outcomes %+v", q)
		}
		if _, err := g.in.Settle(t.Context(), second, false); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("a change that waits for another was settled: %v", err)
		}
		// Nothing has changed: it stays.
		if k := must(g.in.Settle(t.Context(), first, false))(t); k != wirev1.OutcomeKind_QUARANTINED || len(g.outcomes("b1")) != 3 {
			t.Fatalf("judged again: %v", k)
		}
		if discard {
			if k := must(g.in.Settle(t.Context(), first, true))(t); k != wirev1.OutcomeKind_DISCARDED {
				t.Fatalf("discarded: %v", k)
			}
			// The second is judged on its own now, and quarantined itself; the third waits for it.
			q = g.outcomes("b1")
			if len(q) != 2 || q[second].Outcome != wirev1.OutcomeKind_QUARANTINED || q[third].WaitsFor != second.Seq {
				t.Errorf("outcomes %+v", q)
			}
			if _, err := g.in.Settle(t.Context(), first, true); !errors.Is(err, schema.ErrNotFound) {
				t.Errorf("discarded twice: %v", err)
			}
			continue
		}
		// The home moves to b: all three are applied by themselves, in order.
		a.write(id, num("moved"), moves("b1"))
		a.send()
		if q := g.outcomes("b1"); len(q) != 0 {
			t.Fatalf("still waiting after the home moved: %+v", q)
		}
		rows, _ := a.pull(0, true)
		for _, r := range rows {
			if r.GetRow() == wirev1.RowKind_RECORD && string(r.GetRecord()) == string(id[:]) && r.GetHome() != "b1" {
				t.Errorf("the home is %s", r.GetHome())
			}
		}
		rows, _ = b.pull(0, true)
		told := 0
		for _, r := range rows {
			if r.GetRow() == wirev1.RowKind_OUTCOME && (r.GetOutcome().GetKind() == wirev1.OutcomeKind_APPLIED || r.GetOutcome().GetKind() == wirev1.OutcomeKind_OVERRIDDEN) {
				told++
			}
		}
		if told != 3 {
			t.Errorf("the author was told of %d outcomes, not 3", told)
		}
		// What a wrote before it gave the home away is good; what it writes after waits, in
		// case it got the home back by a change that is not here.
		late := a.write(id, num("late"))
		a.send()
		if q := g.outcomes("a1"); q[late].Outcome != wirev1.OutcomeKind_QUARANTINED {
			t.Errorf("the former home still writes: %+v", q)
		}
		b.write(id, num("back"), moves("a1"))
		b.send()
		if q := g.outcomes("a1"); len(q) != 0 {
			t.Errorf("still waiting after the home came back: %+v", q)
		}
	}
}

func TestWork_UnknownKindIsParked(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	id := g.id()
	first := b.write(id, customer("one"), create)
	newer := b.write(id, customer("x"), func(m *wirev1.ChangeBody) { m.Values = append(m.GetValues(), 0xf8, 0x3f, 0x01) /* field 1023 */ })
	kind := b.write(g.id(), customer("x"), func(m *wirev1.ChangeBody) { m.Kind = 99 })
	behind := b.write(id, customer("two"), naming(2, first))
	b.send()
	q := g.outcomes("b1")
	if q[newer].Outcome != wirev1.OutcomeKind_PARKED || q[kind].Outcome != wirev1.OutcomeKind_PARKED || q[behind].WaitsFor != newer.Seq {
		t.Fatalf("outcomes %+v", q)
	}
	check(t, g.in.Unpark(t.Context()))
	if len(g.outcomes("b1")) != 3 {
		t.Error("what this program cannot read was unparked")
	}
	must(g.in.Settle(t.Context(), newer, true))(t)
	if n := b.shownName(id); n != "two" {
		t.Errorf("shown is %q", n)
	}
}

func TestWork_BranchRolesOnly(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	staff := func(r branchlinev1.Role) *branchlinev1.Staff {
		return &branchlinev1.Staff{Code: proto.String("li"), Name: proto.String("李四"), Roles: []branchlinev1.Role{r}}
	}
	boss := func(m *wirev1.ChangeBody) { m.Role = uint32(branchlinev1.Role_ROLE_BRANCH_MANAGER) }
	good := b.write(g.id(), staff(branchlinev1.Role_ROLE_TECHNICIAN), create, boss)
	bad := b.write(g.id(), staff(branchlinev1.Role_ROLE_HQ_ADMINISTRATOR), create, boss)
	below := b.write(g.id(), staff(branchlinev1.Role_ROLE_TECHNICIAN), create) // an adviser writes no staff
	nobody := b.write(g.id(), customer("x"), create, func(m *wirev1.ChangeBody) { m.Actor = "" })
	as := b.write(g.id(), customer("x"), create, func(m *wirev1.ChangeBody) { m.Role = uint32(branchlinev1.Role_ROLE_HQ_STEWARD) })
	b.send()
	q := g.outcomes("b1")
	if _, ok := q[good]; ok || len(q) != 4 {
		t.Fatalf("outcomes %+v", q)
	}
	for _, id := range []schema.ChangeID{bad, below, nobody, as} {
		if q[id].Outcome != wirev1.OutcomeKind_REFUSED_CHANGE {
			t.Errorf("%s: %+v", id, q[id])
		}
	}
}

func TestEdit_StewardsEditComesDown(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	id := g.id()
	first := b.write(id, customer("wrong"), create)
	b.send()
	_, rev := b.pull(0, false)
	must(g.in.Edit(t.Context(), inbox.Edit{
		Kind: schema.Customer, Record: id, Values: customer("right"), Actor: "steward", Role: branchlinev1.Role_ROLE_HQ_STEWARD,
		Names: []*wirev1.Names{{Field: 2, Entries: []*wirev1.EntryName{{Branch: "b1", Incarnation: int64(first.Inc), Seq: int64(first.Seq)}}}},
	}))(t)
	rows, _ := b.pull(rev, false)
	if len(rows) != 1 || nameOf(t, rows[0]) != "right" {
		t.Errorf("rows %v", rows)
	}
	if _, err := g.in.Edit(t.Context(), inbox.Edit{Kind: schema.Customer, Values: customer(string(make([]byte, 300))), Actor: "steward"}); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("a bad edit of headquarters: %v", err)
	}
	// The next run of the program writes in a life of its own.
	check(t, g.st.Close())
	g.open()
	must(g.in.AddEntity(t.Context(), "e9", "later", admin))(t)
}
