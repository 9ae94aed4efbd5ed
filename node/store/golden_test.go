package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/edit"
)

func (b *bench) golden(id schema.RecordID) *branchlinev1.Record {
	b.t.Helper()
	r, err := b.Golden(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// grouped is a golden customer of two records of other branches.
func grouped(b *bench, h *miniHQ) (x, y schema.RecordID) {
	b.t.Helper()
	x, y = b.mint(), b.mint()
	h.edit(x, schema.Customer, b.values(customer("王小明", "13812345678")), b.now.Add(-time.Hour))
	h.edit(y, schema.Customer, b.values(&branchlinev1.Customer{Name: proto.String("王晓明"), Remark: proto.String("VIP"), Phones: customer("", "13900001111").Phones}), b.now.Add(-time.Minute))
	h.pass(0, 10, false)
	b.page(&wirev1.Page{HqRev: h.rev, LastRev: h.rev, Full: true, Rows: []*wirev1.Row{{Row: wirev1.RowKind_GROUP, Rev: h.rev, Kind: 4, Record: x[:], Members: [][]byte{x[:], y[:]}}}})
	return x, y
}

// An edit of a golden customer goes to the branch's own member, made for it, and the
// view shows it from then on, whatever HQ says of the group meanwhile.
func TestPut_GoldenEditGoesToTheOwnMember(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	x, y := grouped(b, h)
	page := b.golden(x)
	if !edit.IsGolden(page.GetEtag()) || edit.IsGolden(b.get(x).GetEtag()) {
		t.Fatalf("etag %q", page.GetEtag())
	}
	was := map[schema.RecordID]string{x: b.get(x).GetEtag(), y: b.get(y).GetEtag()}
	res := b.put(Edit{
		ID: x, Message: &branchlinev1.Customer{Name: proto.String("王小名"), Phones: customer("", "13900001111", "13711112222").Phones}, Mask: []string{"name", "phones"},
		Etag: page.GetEtag(), RequestID: "r",
	})
	shows := func(when string, of schema.RecordID) {
		t.Helper()
		r := b.golden(of)
		var phones []string
		for _, p := range r.GetCustomer().GetPhones() {
			phones = append(phones, p.GetNumber())
		}
		slices.Sort(phones)
		if c := r.GetCustomer(); c.GetName() != "王小名" || c.GetRemark() != "VIP" || !slices.Equal(phones, []string{"13711112222", "13900001111"}) || len(r.GetGroup()) != 3 {
			t.Fatalf("%s: %v", when, r)
		}
	}
	for _, of := range []schema.RecordID{x, y, res.ID} {
		shows("saved", of)
	}
	own := b.get(res.ID)
	if own.GetHome() != "pd" || own.GetCustomer().GetSameAs() != x.String() || len(own.GetCustomer().GetPhones()) != 1 {
		t.Errorf("the own member: %v", own)
	}
	if b.get(x).GetEtag() != was[x] || b.get(y).GetEtag() != was[y] || len(b.get(x).GetCustomer().GetPhones()) != 1 {
		t.Error("another member was touched")
	}
	if w := b.golden(x).GetWhere(); w.GetChange() != res.Change.String() {
		t.Errorf("the view says of its last edit: %v", w)
	}
	if hits, _, err := b.Search(t.Context(), Asked{Query: "王小名", Limit: 9}); err != nil || len(hits) != 1 || len(hits[0].Record.GetGroup()) != 3 {
		t.Errorf("found %v %v", hits, err)
	}
	// A resend makes no second member; the next edit goes to the first.
	again, err := b.Put(t.Context(), Edit{
		Kind: schema.Customer, ID: x, Message: customer("王小名"), Mask: []string{"name"}, Etag: page.GetEtag(), RequestID: "r", Actor: "li", Role: branchlinev1.Role_ROLE_CLERK,
	})
	if err != nil || !again.Again || again.Change != res.Change {
		t.Errorf("again: %+v %v", again, err)
	}
	next := b.put(Edit{ID: y, Message: &branchlinev1.Customer{ContactName: proto.String("c")}, Mask: []string{"contact_name"}, Etag: b.golden(y).GetEtag()})
	if next.ID != res.ID || b.golden(x).GetCustomer().GetContactName() != "c" {
		t.Errorf("the second edit went to %s", next.ID)
	}
	// The page of before is stale, whichever member it is about.
	_, err = b.Put(t.Context(), Edit{
		Kind: schema.Customer, ID: y, Message: customer("王老五"), Mask: []string{"name"}, Etag: page.GetEtag(), Actor: "li", Role: branchlinev1.Role_ROLE_CLERK,
	})
	var ce *edit.ConflictError
	if !errors.As(err, &ce) || len(ce.Fields) != 1 || ce.Fields[0].Theirs != `"王小名"` {
		t.Errorf("a stale page: %v", err)
	}

	// HQ speaks of the group before it has heard of the edit, and after.
	b.page(&wirev1.Page{HqRev: h.next(), LastRev: h.rev, Full: true, Rows: []*wirev1.Row{{Row: wirev1.RowKind_GROUP, Rev: h.rev, Kind: 4, Record: x[:], Members: [][]byte{x[:], y[:]}}}})
	shows("told of the old group", x)
	h.take(9, func() bool { return false })
	h.pass(0, 10, false)
	shows("taken by HQ", x)
	b.page(&wirev1.Page{
		HqRev: h.next(), LastRev: h.rev, Full: true, Marks: []*wirev1.Mark{{Branch: "pd", Incarnation: 11, Watermark: int64(h.taken)}},
		Rows: []*wirev1.Row{{Row: wirev1.RowKind_GROUP, Rev: h.rev, Kind: 4, Record: x[:], Members: [][]byte{x[:], y[:], res.ID[:]}}},
	})
	shows("told of the new group", y)
	if m, err := h.recs[res.ID].state.Message(schema.KindOf(schema.Customer)); err != nil || m.(*branchlinev1.Customer).GetSameAs() != x.String() {
		t.Errorf("HQ has %v %v", m, err)
	}
}

// A value taken off a list is gone from the view, and stays in the record it is of.
func TestPut_GoldenEditTakesOffAList(t *testing.T) {
	b := open(t, "pd", 11)
	x, y := grouped(b, newMiniHQ(b))
	b.put(Edit{ID: y, Message: &branchlinev1.Customer{}, Mask: []string{"phones", "remark"}, Etag: b.golden(y).GetEtag()})
	if c := b.golden(x).GetCustomer(); len(c.GetPhones()) != 0 || c.GetRemark() != "" || c.GetName() != "王晓明" {
		t.Errorf("the view: %v", c)
	}
	if c := b.get(y).GetCustomer(); len(c.GetPhones()) != 1 || c.GetRemark() != "VIP" {
		t.Errorf("the record: %v", c)
	}
}
