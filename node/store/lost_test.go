package store

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

func (b *bench) toLookAt() []*branchlinev1.OwnChange {
	b.t.Helper()
	var out []*branchlinev1.OwnChange
	token := ""
	for {
		list, next, err := b.OwnChanges(b.t.Context(), true, 1, token)
		if err != nil {
			b.t.Fatal(err)
		}
		out = append(out, list...)
		if token = next; next == "" {
			break
		}
	}
	if l := b.line(); l.LookAt != int64(len(out)) {
		b.t.Fatalf("the line counts %d to look at, the list has %d", l.LookAt, len(out))
	}
	return out
}

// An edit that lost is told of once, by the list, the count and the page alike, until
// somebody who saw both values has written the field.
func TestLookAt_AnEditThatLost(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	id := b.put(Edit{Message: customer("甲")}).ID
	h.take(9, func() bool { return false })
	cur := h.pass(0, 10, false)
	mine := b.setName(id, "乙")
	h.edit(id, schema.Customer, b.values(customer("丙")), b.now.Add(time.Minute))
	cur = h.pass(cur, 10, false)
	if got := b.get(id); got.GetCustomer().GetName() != "丙" || len(b.toLookAt()) != 0 {
		t.Fatalf("not at HQ yet, and told of: %v", got)
	}
	if wait, _, err := b.OwnChanges(t.Context(), false, 9, ""); err != nil || len(wait) != 1 {
		t.Fatalf("waiting: %v %v", wait, err)
	}
	h.take(9, func() bool { return false })
	h.tell(mine.Change.Seq, &wirev1.Outcome{Kind: wirev1.OutcomeKind_OVERRIDDEN, Fields: []uint32{2}})
	refused := b.put(Edit{Message: customer("丁")})
	h.taken++
	h.tell(refused.Change.Seq, &wirev1.Outcome{Kind: wirev1.OutcomeKind_REFUSED_CHANGE})
	cur = h.pass(cur, 10, false)
	told := func(when string) {
		t.Helper()
		list := b.toLookAt()
		if len(list) != 2 || list[0].GetChange() != refused.Change.String() {
			t.Fatalf("%s: %v", when, list)
		}
		c := list[1]
		if c.GetChange() != mine.Change.String() || c.GetRecord() != schema.ResourceName(schema.Customer, id) || len(c.GetFields()) != 1 || c.GetFields()[0] != "name" ||
			c.GetByBranch() != "xh" || c.GetActor() != "li" || c.GetWhere().GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_OVERRIDDEN {
			t.Fatalf("%s: %v", when, c)
		}
		r := b.get(id)
		if w := r.GetWhere(); w.GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_OVERRIDDEN || len(w.GetOverriddenFields()) != 1 || w.GetChange() != mine.Change.String() {
			t.Fatalf("%s: the page says %v", when, w)
		}
		if src := r.GetSources()[0]; len(src.GetLost()) != 1 || src.GetLost()[0].GetJson() != `"乙"` {
			t.Fatalf("%s: the page shows %v", when, src)
		}
	}
	told("told by HQ")

	// A folder of an older program.
	if _, err := b.db.W.ExecContext(t.Context(), "DELETE FROM lost; DELETE FROM meta WHERE key = 'lost'"); err != nil {
		t.Fatal(err)
	}
	if err := b.Store.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.Store, err = Open(t.Context(), b.cfg); err != nil {
		t.Fatal(err)
	}
	told("after a restart")

	// Restored: an edit like any other, by somebody who sees both.
	b.now = b.now.Add(2 * time.Minute)
	again := b.setName(id, "乙")
	if list := b.toLookAt(); len(list) != 1 || b.get(id).GetCustomer().GetName() != "乙" {
		t.Fatalf("restored: %v", list)
	}
	h.take(9, func() bool { return false })
	h.pass(cur, 10, false)
	for _, c := range []schema.ChangeID{mine.Change, again.Change} {
		if w, err := b.Where(t.Context(), c.String()); err != nil || w.GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_APPLIED {
			t.Errorf("%s: %v %v", c, w, err)
		}
	}
	if list := b.toLookAt(); len(list) != 1 {
		t.Fatalf("at HQ: %v", list)
	}
	// What was refused is dealt with once it has been put right.
	b.setName(refused.ID, "戊")
	if list := b.toLookAt(); len(list) != 0 {
		t.Fatalf("put right: %v", list)
	}
}

// Kept as it is, an edit that lost is not told of any more, whatever is shown there
// later; it is still said to be overridden, and what it loses in another field is told.
func TestKeepAsIs(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	id := b.put(Edit{Message: customer("甲")}).ID
	h.take(9, func() bool { return false })
	cur := h.pass(0, 10, false)
	both := &branchlinev1.Customer{Name: proto.String("乙"), Remark: proto.String("早上打")}
	r := b.get(id)
	mine, err := b.Put(t.Context(), Edit{Kind: schema.Customer, ID: id, Message: both, Mask: []string{"name", "remark"}, Etag: r.GetEtag(), Actor: "li", Role: branchlinev1.Role_ROLE_CLERK})
	if err != nil {
		t.Fatal(err)
	}
	h.edit(id, schema.Customer, b.values(customer("丙")), b.now.Add(time.Minute))
	h.take(9, func() bool { return false })
	cur = h.pass(cur, 10, false)
	if list := b.toLookAt(); len(list) != 1 || len(list[0].GetFields()) != 1 {
		t.Fatalf("lost, and told as %v", list)
	}
	k := schema.KindOf(schema.Customer)
	for name, x := range map[string]struct {
		id     schema.RecordID
		field  string
		change schema.ChangeID
	}{
		"a field that won":  {id, "remark", mine.Change},
		"another change":    {id, "name", schema.ChangeID{Branch: "pd", Inc: 11, Seq: 77}},
		"a record not held": {b.mint(), "name", mine.Change},
	} {
		if err := b.KeepAsIs(t.Context(), x.id, k.Field(x.field), x.change); !errors.Is(err, schema.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 { // as often as somebody clicks
		if err := b.KeepAsIs(t.Context(), id, k.Field("name"), mine.Change); err != nil {
			t.Fatal(err)
		}
	}
	quiet := func(when, shown string) {
		t.Helper()
		if list := b.toLookAt(); len(list) != 0 {
			t.Errorf("%s: still told: %v", when, list)
		}
		r := b.get(id)
		if r.GetCustomer().GetName() != shown || r.GetWhere().GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_OVERRIDDEN {
			t.Errorf("%s: %s, %v", when, r.GetCustomer().GetName(), r.GetWhere())
		}
		for _, src := range r.GetSources() {
			for _, l := range src.GetLost() {
				if l.GetBranch() == "pd" && l.GetKept() != (src.GetField() == "name") {
					t.Errorf("%s: %v", when, src)
				}
			}
		}
	}
	quiet("kept", "丙")
	h.edit(id, schema.Customer, b.values(customer("丁")), b.now.Add(2*time.Minute))
	cur = h.pass(cur, 10, false)
	quiet("another value came to be shown", "丁")
	if err := b.Store.Close(); err != nil {
		t.Fatal(err)
	}
	if b.Store, err = Open(t.Context(), b.cfg); err != nil {
		t.Fatal(err)
	}
	quiet("after a restart", "丁")
	h.edit(id, schema.Customer, b.values(&branchlinev1.Customer{Remark: proto.String("晚上打")}), b.now.Add(3*time.Minute))
	h.pass(cur, 10, false)
	if list := b.toLookAt(); len(list) != 1 || len(list[0].GetFields()) != 1 || list[0].GetFields()[0] != "remark" {
		t.Errorf("another field lost, and told as %v", list)
	}
}
