package inbox_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// holdings is what a branch holds that goes not to everybody: name -> shared.
func (b *br) holdings() map[string]bool {
	b.g.t.Helper()
	all := b.sees()
	maps.DeleteFunc(all, func(name string, _ bool) bool {
		k, _, err := schema.ParseName(name)
		return err == nil && schema.KindOf(k).Everywhere
	})
	return all
}

// incremental follows the feed from rev on and changes held by it.
func (b *br) follow(held map[string]bool, from schema.Rev) schema.Rev {
	b.g.t.Helper()
	rows, last := b.pull(from, false)
	for _, r := range rows {
		if len(r.GetRecord()) != 16 {
			continue
		}
		name := schema.ResourceName(schema.Kind(r.GetKind()), schema.RecordID(r.GetRecord()))
		if k := schema.KindOf(schema.Kind(r.GetKind())); k == nil || k.Everywhere {
			continue
		}
		switch r.GetRow() {
		case wirev1.RowKind_RECORD:
			held[name] = r.GetShared()
		case wirev1.RowKind_PURGE:
			delete(held, name)
		}
	}
	return last
}

func name(k schema.Kind, id schema.RecordID) string { return schema.ResourceName(k, id) }

func TestScope_OrderBringsCustomerAndHistory(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	g.entity("e2")
	a, b, other := g.branch("a1", "e1"), g.branch("b1", "e1"), g.branch("c1", "e2")
	c, v, o, l, tie, note := g.id(), g.id(), g.id(), g.id(), g.id(), g.id()
	a.write(c, customer("王芳"), create)
	a.write(v, &branchlinev1.Vehicle{Vin: proto.String("LFV3A23C0G3000001"), Remark: proto.String("secret")}, create)
	a.write(tie, &branchlinev1.Tie{Customer: proto.String(c.String()), Vehicle: proto.String(v.String()), Role: branchlinev1.TieRole_OWNER.Enum()}, create)
	a.write(o, order(c, v), create)
	a.write(l, &branchlinev1.ServiceLine{Order: proto.String(o.String()), Item: proto.String("oil"), Amount: proto.Int64(12300)}, create)
	a.write(note, &branchlinev1.Note{Customer: proto.String(c.String()), Text: proto.String("likes tea")}, create)
	a.send()
	if h := b.holdings(); len(h) != 0 {
		t.Fatalf("a branch with no tie holds %v", h)
	}
	heldB, heldC := map[string]bool{}, map[string]bool{}
	revB, revC := b.follow(heldB, 0), other.follow(heldC, 0)

	// An order of the same legal entity brings the customer, the car and all that was done.
	o2 := g.id()
	b.write(o2, order(c, v), create)
	b.send()
	want := map[string]bool{
		name(schema.Customer, c): false, name(schema.Vehicle, v): false, name(schema.ServiceOrder, o): false,
		name(schema.ServiceLine, l): false, name(schema.Tie, tie): false, name(schema.Note, note): false,
	}
	revB = b.follow(heldB, revB)
	if !maps.Equal(heldB, want) {
		t.Errorf("granted step by step %v\nwant %v", heldB, want)
	}
	want[name(schema.ServiceOrder, o2)] = false
	if h := b.holdings(); !maps.Equal(h, want) {
		t.Errorf("in a full pass %v\nwant %v", h, want)
	}
	if _, ok := a.holdings()[name(schema.ServiceOrder, o2)]; !ok {
		t.Error("the first branch does not see the second one's order")
	}

	// Another legal entity that had the car gets the car and the work, nobody's name.
	o3 := g.id()
	other.write(o3, order(schema.RecordID{}, v), create)
	other.send()
	revC = other.follow(heldC, revC)
	wantC := map[string]bool{
		name(schema.Vehicle, v): true, name(schema.ServiceOrder, o): true, name(schema.ServiceLine, l): true, name(schema.ServiceOrder, o2): true,
	}
	if !maps.Equal(heldC, wantC) {
		t.Errorf("another legal entity holds %v\nwant %v", heldC, wantC)
	}
	rows, _ := other.pull(0, true)
	for _, r := range rows {
		if !r.GetShared() {
			continue
		}
		k := schema.KindOf(schema.Kind(r.GetKind()))
		st := must(merge.Decode(r.GetState()))(t)
		for _, num := range st.Numbers() {
			if f := k.FieldNumber(num); f.Share != 1 {
				t.Errorf("%s.%s went to another legal entity", k.Name, f.Name)
			}
		}
	}
	// Live edits follow.
	a.write(c, customer("王芳华"))
	a.send()
	if n := b.follow(map[string]bool{}, revB); n == revB {
		t.Error("an edit of a held customer did not reach the other branch")
	}
	m := map[string]bool{}
	other.follow(m, revC)
	if len(m) != 0 {
		t.Errorf("a customer's edit reached another legal entity: %v", m)
	}
}

// Of a car of another legal entity a branch has what is shared, and what its own company wrote.
func TestScope_OwnValuesOnASharedCarStay(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	g.entity("e2")
	a, b, c := g.branch("a1", "e1"), g.branch("b1", "e2"), g.branch("c1", "e2")
	v := g.id()
	a.write(v, &branchlinev1.Vehicle{Model: proto.String("A4"), SourceIds: []*branchlinev1.SourceId{{Source: proto.String("dms"), Id: proto.String("1")}}}, create)
	a.send()
	b.write(v, &branchlinev1.Vehicle{Remark: proto.String("keys at the desk")})
	b.send()
	c.write(g.id(), order(schema.RecordID{}, v), create)
	c.send()
	for _, x := range []*br{b, c} {
		rows, _ := x.pull(0, true)
		var got *branchlinev1.Vehicle
		for _, r := range rows {
			if string(r.GetRecord()) == string(v[:]) {
				m := must(must(merge.Decode(r.GetState()))(t).Message(schema.KindOf(schema.Vehicle)))(t)
				got = m.(*branchlinev1.Vehicle)
			}
		}
		if got.GetModel() != "A4" || got.GetRemark() != "keys at the desk" || len(got.GetSourceIds()) != 0 {
			t.Errorf("%s has %v", x.code, got)
		}
	}
}

func TestScope_OwnEditMakesNoRow(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	a, b := g.branch("a1", "e1"), g.branch("b1", "e1")
	c := g.id()
	first := a.write(c, customer("one"), create)
	a.send()
	held := map[string]bool{}
	rev := a.follow(held, 0)
	if len(held) != 0 {
		t.Fatalf("a branch was told its own record: %v", held)
	}
	b.write(g.id(), order(c, schema.RecordID{}), create)
	b.send()
	rev = a.follow(held, rev)
	g.now = g.now.Add(time.Minute)
	a.write(c, customer("two"), naming(2, first))
	a.send()
	clear(held)
	rev = a.follow(held, rev)
	if len(held) != 0 {
		t.Fatalf("a branch was told its own edit: %v", held)
	}
	// b edits with an older clock what it saw first: it loses, and is told so.
	b.skew = -2 * time.Minute
	late := b.write(c, customer("three"))
	b.send()
	rows, _ := b.pull(0, false)
	lost := slices.ContainsFunc(rows, func(r *wirev1.Row) bool {
		return r.GetOutcome().GetSeq() == int64(late.Seq) && r.GetOutcome().GetKind() == wirev1.OutcomeKind_OVERRIDDEN && slices.Equal(r.GetOutcome().GetFields(), []uint32{2})
	})
	if !lost {
		t.Errorf("the loser was not told: %v", rows)
	}
	clear(held)
	a.follow(held, rev)
	if len(held) != 1 {
		t.Errorf("the winner's branch does not see the lost value: %v", held)
	}
}

func TestScope_WrongCustomerIsTakenBack(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	a, b := g.branch("a1", "e1"), g.branch("b1", "e1")
	c1, c2, o, l := g.id(), g.id(), g.id(), g.id()
	a.write(c1, customer("one"), create)
	a.write(c2, customer("two"), create)
	first := a.write(o, order(c1, schema.RecordID{}), create)
	a.write(l, &branchlinev1.ServiceLine{Order: proto.String(o.String())}, create)
	a.send()
	b.write(g.id(), order(c1, schema.RecordID{}), create)
	b.send()
	held := map[string]bool{}
	rev := b.follow(held, 0)
	if len(held) != 3 {
		t.Fatalf("b holds %v", held)
	}
	a.write(o, &branchlinev1.ServiceOrder{Customer: proto.String(c2.String())}, naming(4, first))
	a.send()
	b.follow(held, rev)
	want := map[string]bool{name(schema.Customer, c1): false}
	if !maps.Equal(held, want) {
		t.Errorf("after the order was put right b holds %v, want %v", held, want)
	}
	if h := b.holdings(); len(h) != 2 {
		t.Errorf("in a full pass b holds %v", h)
	}
}

func TestScope_LinesBeforeTheirOrder(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	a, b := g.branch("a1", "e1"), g.branch("b1", "e1")
	c, o, l := g.id(), g.id(), g.id()
	b.write(c, customer("one"), create)
	b.send()
	a.write(l, &branchlinev1.ServiceLine{Order: proto.String(o.String())}, create)
	a.send()
	held := map[string]bool{}
	rev := b.follow(held, 0)
	if len(held) != 0 {
		t.Fatalf("b holds %v", held)
	}
	a.write(o, order(c, schema.RecordID{}), create)
	a.send()
	b.follow(held, rev)
	if _, ok := held[name(schema.ServiceLine, l)]; !ok || len(held) != 2 {
		t.Errorf("b holds %v, wanted are the order and its line", held)
	}
}

func TestGolden_JoinAndSplit(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	g.entity("e2")
	a, b, x := g.branch("a1", "e1"), g.branch("b1", "e1"), g.branch("x1", "e2")
	phone := func(name, number string) *branchlinev1.Customer {
		return &branchlinev1.Customer{Name: proto.String(name), Phones: []*branchlinev1.Phone{{Number: proto.String(number)}}}
	}
	c1, c2, c3, o := g.id(), g.id(), g.id(), g.id()
	a.write(c1, phone("王伟", "137 6189 4502"), create)
	a.write(o, order(c1, schema.RecordID{}), create)
	id2 := b.write(c2, phone("王 伟", "13761894502"), create)
	x.write(c3, phone("王伟", "+86 13761894502"), create)
	for _, q := range []*br{a, b, x} {
		q.send()
	}
	held := map[string]bool{}
	rev := b.follow(held, 0)
	if len(held) != 0 {
		t.Fatalf("b holds %v", held)
	}
	check(t, g.gold.Catch(t.Context()))
	rows, _ := b.pull(rev, false)
	var members [][]byte
	for _, r := range rows {
		if r.GetRow() == wirev1.RowKind_GROUP {
			members = r.GetMembers()
		}
	}
	if len(members) != 2 || string(members[0]) != string(c1[:]) || string(members[1]) != string(c2[:]) {
		t.Errorf("the group b is told of: %x", members)
	}
	rev = b.follow(held, rev)
	want := map[string]bool{name(schema.Customer, c1): false, name(schema.ServiceOrder, o): false}
	if !maps.Equal(held, want) {
		t.Errorf("b was given %v, want %v", held, want)
	}
	if h := x.holdings(); len(h) != 1 {
		t.Errorf("another legal entity holds %v", h)
	}
	check(t, g.st.Read(t.Context(), func(r *store.R) error {
		rec := must(store.RecOf(r, c3))(t)
		if rec.Grp == 0 {
			t.Error("headquarters does not see that the third is the same")
		}
		return nil
	}))

	// The telephone was a mistake: both take back what was the other's.
	b.write(c2, phone("王伟", "13564718290"), func(m *wirev1.ChangeBody) {
		m.Names = append(m.Names, &wirev1.Names{Field: 4, Entries: []*wirev1.EntryName{{Branch: string(id2.Branch), Incarnation: int64(id2.Inc), Seq: int64(id2.Seq)}}})
	})
	b.send()
	check(t, g.gold.Catch(t.Context()))
	rows, _ = b.pull(rev, false)
	gone, ended := 0, false
	for _, r := range rows {
		gone += map[bool]int{true: 1}[r.GetRow() == wirev1.RowKind_PURGE]
		ended = ended || r.GetRow() == wirev1.RowKind_GROUP && len(r.GetMembers()) == 0
	}
	b.follow(held, rev)
	if len(held) != 0 || gone != 2 || !ended {
		t.Errorf("after the split b holds %v, %d purged, group ended: %v", held, gone, ended)
	}
	if h := a.holdings(); len(h) != 2 {
		t.Errorf("after the split a holds %v", h)
	}
}

// A branch that had no record of a golden customer made one for its edit: it is one
// of them by that fact, whatever else they say and whichever HQ hears of first.
func TestGolden_StatedToBeTheSame(t *testing.T) {
	for _, statedFirst := range []bool{false, true} {
		g := newRig(t)
		g.entity("e1")
		a, b, c := g.branch("a1", "e1"), g.branch("b1", "e1"), g.branch("c1", "e1")
		phone := func(number string) *branchlinev1.Customer {
			return &branchlinev1.Customer{Name: proto.String("王伟"), Phones: []*branchlinev1.Phone{{Number: proto.String(number)}}}
		}
		c1, c2, c3 := g.id(), g.id(), g.id()
		id1 := a.write(c1, phone("13761894502"), create)
		b.write(c2, phone("13761894502"), create)
		c.write(g.id(), order(c1, schema.RecordID{}), create)
		c.write(c3, &branchlinev1.Customer{Remark: proto.String("calls at noon"), SameAs: proto.String(c1.String())}, create)
		senders := []*br{a, b, c}
		if statedFirst {
			senders = []*br{c, b, a}
		}
		for _, x := range senders {
			x.send()
			check(t, g.gold.Catch(t.Context()))
		}
		group := func() (members [][]byte) {
			t.Helper()
			rows, _ := c.pull(0, true)
			for _, r := range rows {
				if r.GetRow() == wirev1.RowKind_GROUP && len(r.GetMembers()) > 0 {
					members = r.GetMembers()
				}
			}
			return members
		}
		if m := group(); len(m) != 3 || string(m[2]) != string(c3[:]) {
			t.Fatalf("stated first %v: c is told of %x", statedFirst, m)
		}
		for _, x := range []*br{a, b} {
			if _, ok := x.holdings()[name(schema.Customer, c3)]; !ok {
				t.Errorf("%s does not hold the third record", x.code)
			}
		}
		// The telephone was a mistake: the others part, what is stated stays.
		a.write(c1, phone("13564718290"), func(m *wirev1.ChangeBody) {
			m.Names = append(m.Names, &wirev1.Names{Field: 4, Entries: []*wirev1.EntryName{{Branch: string(id1.Branch), Incarnation: int64(id1.Inc), Seq: int64(id1.Seq)}}})
		})
		a.send()
		check(t, g.gold.Catch(t.Context()))
		if m := group(); len(m) != 2 || string(m[0]) != string(c1[:]) || string(m[1]) != string(c3[:]) {
			t.Errorf("after the split: %x", m)
		}
	}
}

func TestGolden_CarUnderTwoRecords(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	g.entity("e2")
	a, x := g.branch("a1", "e1"), g.branch("x1", "e2")
	car := &branchlinev1.Vehicle{Vin: proto.String("LFV3A23C0G3000001"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A·12345")}}}
	v1, v2, o := g.id(), g.id(), g.id()
	a.write(v1, car, create)
	a.write(o, order(schema.RecordID{}, v1), create)
	a.send()
	x.write(v2, car, create)
	x.send()
	check(t, g.gold.Catch(t.Context()))
	want := map[string]bool{name(schema.Vehicle, v1): true, name(schema.ServiceOrder, o): true, name(schema.Vehicle, v2): false}
	if h := x.holdings(); !maps.Equal(h, want) {
		t.Errorf("x holds %v, want %v", h, want)
	}
	z := g.branch("z1", "e2")
	r := must(g.feed.Look(t.Context(), "z1", &wirev1.LookRequest{Plate: "沪A12345", Actor: "tech", Reason: "at the counter"}))(t)
	if len(r.GetRows()) != 3 || len(z.holdings()) != 0 {
		t.Errorf("a look-up by plate gives %d rows, not the two cars and the order", len(r.GetRows()))
	}
	for _, row := range r.GetRows() {
		if !row.GetShared() {
			t.Error("a look-up gives more than any technician may see")
		}
	}
}
