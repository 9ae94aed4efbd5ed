package store

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
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

// What a page shows for ever, or waits for, does not keep the log: a change that HQ
// refused to have made a record by, one in quarantine, and one of a record that has left.
func TestReceive_ForgetsAroundWhatStays(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	refused := b.put(Edit{Message: customer("甲", "1111")}).ID
	held := b.put(Edit{Message: customer("乙")}).ID
	gone := b.put(Edit{Message: customer("丙")}).ID
	for range 5 {
		b.put(Edit{Message: customer("丁")})
	}
	h.take(8, func() bool { return false })
	for seq, id := range []schema.RecordID{refused, held, gone} {
		delete(h.recs, id)
		h.tell(schema.Seq(seq+1), &wirev1.Outcome{Kind: []wirev1.OutcomeKind{wirev1.OutcomeKind_REFUSED_CHANGE, wirev1.OutcomeKind_QUARANTINED, wirev1.OutcomeKind_QUARANTINED}[seq], Reason: "so"})
	}
	h.pass(0, 20, false)
	rev := h.next()
	b.page(&wirev1.Page{HqRev: rev, LastRev: rev, Full: true, Marks: b.marks(8), Rows: []*wirev1.Row{{Rev: rev, Row: wirev1.RowKind_PURGE, Kind: uint32(schema.Customer), Record: gone[:]}}})
	forget := func(below int64) {
		t.Helper()
		chain, _, _ := b.ChainAt(t.Context(), 11, 8)
		if err := b.Receive(t.Context(), &wirev1.Receipt{Branch: "pd", Incarnation: 11, Watermark: 8, Chain: chain[:], Epoch: 7, ForgetBelow: below}, []byte("s")); err != nil {
			t.Fatal(err)
		}
	}
	aside := func() (n int) {
		t.Helper()
		if err := b.db.R.QueryRowContext(t.Context(), "SELECT count(*) FROM aside").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	forget(7)
	lives, err := b.Lives(t.Context())
	if err != nil || lives[0].PruneCut != 6 {
		t.Fatalf("forgotten up to %d, %v", lives[0].GetPruneCut(), err)
	}
	if n := aside(); n != 3 {
		t.Fatalf("%d changes are set aside", n)
	}
	r := b.get(refused)
	if c := r.GetCustomer(); c.GetName() != "甲" || len(c.GetPhones()) != 1 || r.GetWhere().GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_REFUSED {
		t.Fatalf("the refused record: %v", r)
	}
	list, _, err := b.OwnChanges(t.Context(), true, 10, "")
	if err != nil || len(list) != 3 {
		t.Fatalf("%d to look at, %v", len(list), err)
	}
	for _, x := range list {
		if x.GetRecord() == "" || x.GetAt() == 0 {
			t.Errorf("a change to look at without its record or time: %v", x)
		}
	}
	// The steward releases the one in quarantine; what left comes back to its page.
	h.tell(2, &wirev1.Outcome{Kind: wirev1.OutcomeKind_APPLIED})
	h.pass(rev, 20, false)
	if c := b.get(held).GetCustomer(); c.GetName() != "乙" {
		t.Fatalf("released: %v", c)
	}
	// Put right, the refused one goes up again; what is not shown any more goes with the next forgetting.
	b.put(Edit{ID: refused, Message: customer("己"), Mask: []string{"name"}, Etag: b.get(refused).GetEtag()})
	if c := b.get(refused).GetCustomer(); c.GetName() != "己" || len(c.GetPhones()) != 1 {
		t.Fatalf("put right: %v", c)
	}
	forget(9)
	if n := aside(); n != 1 {
		t.Errorf("%d changes are set aside; the sealed one should be", n)
	}
}

// A headquarters that was put back to before them is given the changes set aside again, as they were.
func TestFork_RebuildBringsWhatWasSetAside(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	first := b.put(Edit{Message: customer("甲", "1111")})
	for range 4 {
		b.put(Edit{Message: customer("丁")})
	}
	_, made, err := b.Outgoing(t.Context(), 11, 0, 1, 1<<20)
	if err != nil || len(made) != 1 {
		t.Fatal(err)
	}
	h.take(5, func() bool { return false })
	delete(h.recs, first.ID)
	h.tell(1, &wirev1.Outcome{Kind: wirev1.OutcomeKind_REFUSED_CHANGE, Reason: "so"})
	chain, _, _ := b.ChainAt(t.Context(), 11, 5)
	if err := b.Receive(t.Context(), &wirev1.Receipt{Branch: "pd", Incarnation: 11, Watermark: 5, Chain: chain[:], Epoch: 7, ForgetBelow: 5}, []byte("s")); err != nil {
		t.Fatal(err)
	}
	h.pass(0, 20, false)
	if l, _ := b.Lives(t.Context()); l[0].PruneCut != 4 {
		t.Fatalf("%v", l)
	}
	if err := b.Fork(t.Context(), link.Fork{Old: 11, From: 0, New: 12, Rebuild: true}); err != nil {
		t.Fatal(err)
	}
	if c := b.get(first.ID).GetCustomer(); c.GetName() != "甲" || b.line().Pending != 5 {
		t.Fatalf("%v, %+v", c, b.line())
	}
	_, out, err := b.Outgoing(t.Context(), 12, 0, 10, 1<<20)
	if err != nil || len(out) != 5 {
		t.Fatalf("%d offers, %v", len(out), err)
	}
	n := 0
	for _, s := range out {
		body, err := s.Body()
		if err != nil {
			t.Fatal(err)
		}
		if schema.StampOf(s.ID, 0, body).Change() != first.Change {
			continue
		}
		n++
		was, err := made[0].Body()
		if err != nil || !body.GetCreate() || !bytes.Equal(body.GetValues(), was.GetValues()) || body.GetActor() != was.GetActor() {
			t.Errorf("it comes as %v, it was %v; %v", body, was, err)
		}
	}
	if n != 1 {
		t.Errorf("the refused change comes %d times", n)
	}
}
