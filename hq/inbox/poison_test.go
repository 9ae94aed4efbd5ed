package inbox_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// A change the database itself chokes on is quarantined; all others of the group go through.
func TestWork_WhatTheDatabaseRefusesIsQuarantined(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	a, b := g.branch("a1", "e1"), g.branch("b1", "e1")
	exec := func(q string) {
		_, err := g.st.DB().W.Exec(q)
		check(t, err)
	}
	exec(`CREATE TRIGGER boom BEFORE INSERT ON record WHEN NEW.number = 'BOOM' BEGIN SELECT RAISE(ABORT, 'boom'); END`)
	num := func(s string) *branchlinev1.ServiceOrder { return &branchlinev1.ServiceOrder{Number: proto.String(s)} }
	id, other := g.id(), g.id()
	b.write(g.id(), customer("before"), create)
	bad := b.write(id, num("BOOM"), create)
	b.write(other, customer("after"), create)
	a.write(g.id(), customer("another branch"), create)
	rs := g.workAll(a, b)
	if rs[b.inc].GetWatermark() != 3 || rs[a.inc].GetWatermark() != 1 {
		t.Fatalf("receipts %v", rs)
	}
	behind := b.write(id, num("later"), naming(1, bad))
	b.send()
	q := g.outcomes("b1")
	if len(q) != 2 || q[bad].Outcome != wirev1.OutcomeKind_QUARANTINED || q[behind].WaitsFor != bad.Seq {
		t.Fatalf("outcomes %+v", q)
	}
	if len(b.holdings()) != 2 || len(a.holdings()) != 1 {
		t.Errorf("holdings %v %v", b.holdings(), a.holdings())
	}
	exec("DROP TRIGGER boom")
	if k := must(g.in.Settle(t.Context(), bad, false))(t); k != wirev1.OutcomeKind_APPLIED {
		t.Fatalf("settled %v", k)
	}
	if len(g.outcomes("b1")) != 0 || len(b.holdings()) != 3 {
		t.Errorf("outcomes %+v, holdings %v", g.outcomes("b1"), b.holdings())
	}
	rows, _ := b.pull(0, true)
	for _, r := range rows {
		if string(r.GetRecord()) == string(id[:]) && r.GetRow() == wirev1.RowKind_RECORD {
			m := new(branchlinev1.ServiceOrder)
			check(t, proto.Unmarshal(must(shown(r))(t), m))
			if m.GetNumber() != "later" {
				t.Errorf("shown is %q", m.GetNumber())
			}
		}
	}
}

// Two branches that each say they made a record: both changes count.
func TestWork_MadeTwice(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	a, b := g.branch("a1", "e1"), g.branch("b1", "e1")
	id := g.id()
	a.write(id, customer("one"), create)
	b.write(id, &branchlinev1.Customer{Remark: proto.String("two")}, create)
	a.write(g.id(), customer("more"), create)
	rs := g.workAll(a, b)
	if rs[b.inc].GetWatermark() != 1 || rs[a.inc].GetWatermark() != 2 || len(g.outcomes("")) != 0 {
		t.Fatalf("receipts %v, outcomes %+v", rs, g.outcomes(""))
	}
	rows, _ := b.pull(0, true)
	found := false
	for _, r := range rows {
		if schema.Kind(r.GetKind()) == schema.Customer && string(r.GetRecord()) == string(id[:]) {
			m := new(branchlinev1.Customer)
			check(t, proto.Unmarshal(must(shown(r))(t), m))
			found = m.GetName() == "one" && m.GetRemark() == "two"
		}
	}
	if !found {
		t.Error("not both changes are in the record")
	}
}
