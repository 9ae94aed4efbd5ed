package store

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// What HQ refuses to have made stays with its author, with the reason, whatever else
// comes; and goes up again, whole, when it is put right.
func TestApplyPage_RefusedStaysWithItsAuthor(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	id := b.put(Edit{Message: &branchlinev1.Customer{Name: proto.String("甲"), Remark: proto.String("r"), Phones: customer("", "1", "2").Phones}}).ID
	_, out, err := b.Outgoing(t.Context(), 11, 0, 9, 1<<20)
	if err != nil || len(out) != 1 {
		t.Fatal(err)
	}
	h.taken = 1
	h.tell(1, &wirev1.Outcome{Kind: wirev1.OutcomeKind_REFUSED_CHANGE, Reason: "no such name"})
	cur := h.pass(0, 10, false)
	stays := func(when string) {
		t.Helper()
		r := b.get(id)
		if c := r.GetCustomer(); c.GetName() != "甲" || c.GetRemark() != "r" || len(c.GetPhones()) != 2 {
			t.Fatalf("%s: %v", when, c)
		}
		if w := r.GetWhere(); w.GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_REFUSED || w.GetReason() != "no such name" {
			t.Fatalf("%s: where %v", when, w)
		}
		if l := b.line(); l.LookAt != 1 || l.Pending != 0 || l.Records != 1 {
			t.Fatalf("%s: %+v", when, l)
		}
	}
	stays("told")
	if _, cut, err := b.Digests(t.Context(), nil); err != nil || cut.Pending != 0 {
		t.Fatalf("it stands in the way of verify: %+v %v", cut, err)
	}
	if ids, _ := b.search("甲"); len(ids) != 1 {
		t.Error("it is not found")
	}
	if err := b.BeginFullPass(t.Context()); err != nil {
		t.Fatal(err)
	}
	cur = max(cur, h.pass(0, 10, true))
	stays("after a full pass")
	if err := b.Store.Close(); err != nil {
		t.Fatal(err)
	}
	if b.Store, err = Open(t.Context(), b.cfg); err != nil {
		t.Fatal(err)
	}
	stays("after a restart")

	// The edit that puts it right is all of it.
	b.put(Edit{ID: id, Message: &branchlinev1.Customer{Name: proto.String("乙"), Phones: customer("", "2").Phones}, Mask: []string{"name", "phones"}, Etag: b.get(id).GetEtag()})
	if c := b.get(id).GetCustomer(); c.GetName() != "乙" || c.GetRemark() != "r" || len(c.GetPhones()) != 1 || b.line().Pending != 1 {
		t.Fatalf("edited: %v, %+v", c, b.line())
	}
	h.take(9, func() bool { return false })
	h.pass(cur, 10, false)
	if got := h.recs[id]; got == nil || !bytes.Equal(b.shown(id).Encode(), got.state.Encode()) {
		t.Fatalf("branch and HQ differ: %v", got)
	}
	m, err := h.recs[id].state.Message(schema.KindOf(schema.Customer))
	if c, ok := m.(*branchlinev1.Customer); err != nil || !ok || c.GetName() != "乙" || c.GetRemark() != "r" || len(c.GetPhones()) != 1 {
		t.Fatalf("HQ has %v, %v", m, err)
	}
	if l := b.line(); l.Pending != 0 {
		t.Fatalf("%+v", l)
	}
}
