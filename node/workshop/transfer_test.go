package workshop

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// fed puts records of headquarters into the branch, as a page of the feed does.
func (r *rig) fed(home string, all ...proto.Message) (ids []schema.RecordID) {
	r.t.Helper()
	page := &wirev1.Page{Epoch: 7}
	for _, m := range all {
		id, err := r.st.MintID()
		if err != nil {
			r.t.Fatal(err)
		}
		v, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			r.t.Fatal(err)
		}
		n := r.now.UnixMicro()
		r.now = r.now.Add(1000)
		st, ok := merge.EncodeFresh(schema.Stamp{At: schema.TickAt(r.now), Branch: schema.BranchID(home), Inc: 5, Seq: schema.Seq(n)}, &wirev1.ChangeBody{Values: v})
		if !ok {
			r.t.Fatal("not fresh")
		}
		page.LastRev, page.HqRev = n, n
		page.Rows = append(page.Rows, &wirev1.Row{
			Row: wirev1.RowKind_RECORD, Rev: n, Kind: uint32(schema.KindOfMessage(m).Kind), Record: id[:], State: st, Home: home,
		})
		ids = append(ids, id)
	}
	if err := r.st.ApplyPage(r.t.Context(), page); err != nil {
		r.t.Fatal(err)
	}
	return ids
}

// sisters feeds the branches of the group: xh is of the same company, na of it and closed, hk of another.
func (r *rig) sisters() {
	b := func(code, name, entity string) *branchlinev1.Branch {
		return &branchlinev1.Branch{Code: &code, Name: &name, Entity: &entity}
	}
	closed := b("na", "南安店", "e1")
	closed.RetiredAt = proto.Int64(1)
	r.fed("hq", b("pd", "浦东店", "e1"), b("xh", "徐汇店", "e1"), closed, b("hk", "虹口店", "e2"))
}

// job is an order with all that goes along, and what stays.
func (r *rig) job() (order schema.RecordID, along, stay []schema.RecordID) {
	r.t.Helper()
	car := r.create(&branchlinev1.Vehicle{Vin: proto.String("LSVAA4187E2184847")})
	booked := r.create(&branchlinev1.Appointment{Vehicle: act.Ref(car), Branch: proto.String("pd"), Day: proto.String("2026-11-22")})
	order = r.create(&branchlinev1.ServiceOrder{
		Number: proto.String("PDa-261122-0001-K"), Branch: proto.String("pd"), Vehicle: act.Ref(car), State: branchlinev1.OrderState_IN_WORK.Enum(),
		Appointment: act.Ref(booked), Technician: proto.String("LQ"),
	})
	line := r.create(&branchlinev1.ServiceLine{
		Order: act.Ref(order), Item: proto.String("oil"), Technician: proto.String("LQ"), Branch: proto.String("pd"),
		Clockings: []*branchlinev1.Clocking{{Technician: proto.String("LQ"), From: proto.Int64(1), Until: proto.Int64(2)}},
	})
	inspection := r.create(&branchlinev1.Inspection{Order: act.Ref(order), Branch: proto.String("pd"), Day: proto.String("2026-11-22")})
	claim := r.create(&branchlinev1.Claim{Order: act.Ref(order), Branch: proto.String("pd"), Day: proto.String("2026-11-22"), Party: branchlinev1.ClaimParty_CLAIM_ON_INSURER.Enum(), State: branchlinev1.ClaimState_CLAIM_SENT.Enum()})
	deposit := r.create(&branchlinev1.Payment{
		Order: act.Ref(order), Branch: proto.String("pd"), Amount: proto.Int64(100), Method: branchlinev1.PayMethod_METHOD_CASH.Enum(),
		Purpose: branchlinev1.PayPurpose_PURPOSE_DEPOSIT.Enum(), Day: proto.String("2026-11-22"),
	})
	return order, []schema.RecordID{line, inspection, claim, booked}, []schema.RecordID{deposit}
}

func (r *rig) transfer(order schema.RecordID, to string) (*branchlinev1.Record, error) {
	r.t.Helper()
	return r.Transfer(r.by(boss), &branchlinev1.TransferRequest{Order: order.String(), Etag: r.get(order).GetEtag(), Branch: to, Reason: "no lift free"})
}

// All that is worked on goes along, in one act; number, state, technician and money stay what they were.
func TestTransfer_TakesAllThatIsWorkedOn(t *testing.T) {
	r := newRig(t)
	r.sisters()
	order, along, stay := r.job()
	was := r.get(order).GetServiceOrder()
	got, err := r.transfer(order, "xh")
	if err != nil {
		t.Fatal(err)
	}
	o := got.GetServiceOrder()
	if got.GetHome() != "xh" || o.GetBranch() != "xh" || !slices.Equal(o.GetSites(), []string{"pd", "xh"}) {
		t.Errorf("its home is %s, its branch %s, it has been at %v", got.GetHome(), o.GetBranch(), o.GetSites())
	}
	if o.GetNumber() != was.GetNumber() || o.GetState() != was.GetState() || o.GetTechnician() != "LQ" {
		t.Errorf("%v became %v", was, o)
	}
	for _, id := range along {
		if x := r.get(id); x.GetHome() != "xh" {
			t.Errorf("%s stays behind at %s", x.GetName(), x.GetHome())
		}
	}
	if l := r.get(along[0]).GetServiceLine(); l.GetTechnician() != "LQ" || len(l.GetClockings()) != 1 || l.GetBranch() != "pd" {
		t.Errorf("who worked where is lost: %v", l)
	}
	for _, id := range stay {
		if x := r.get(id); x.GetHome() != "pd" {
			t.Errorf("%s went to %s", x.GetName(), x.GetHome())
		}
	}
	notes := r.all(schema.Note)
	if len(notes) != 1 || notes[0].GetNote().GetText() != "浦东店 → 徐汇店：no lift free" || notes[0].GetNote().GetAuthor() != "LI" || notes[0].GetNote().GetOrder() != order.String() {
		t.Errorf("the note is %v", notes)
	}
	// Whoever works on here is told whose it is.
	_, err = r.transfer(order, "xh")
	if !errors.Is(err, schema.ErrForbidden) || !strings.Contains(err.Error(), "branch xh's") {
		t.Errorf("again: %v", err)
	}
	_, err = r.st.Put(t.Context(), store.Edit{
		Kind: schema.ServiceLine, ID: along[0], Message: &branchlinev1.ServiceLine{Item: proto.String("more oil")}, Mask: []string{"item"},
		Etag: r.get(along[0]).GetEtag(), Actor: "LI", Role: boss,
	})
	if !errors.Is(err, schema.ErrForbidden) || !strings.Contains(err.Error(), "kept by branch xh") {
		t.Errorf("an edit at the old home: %v", err)
	}
}

func TestTransfer_IsRefusedWithWhatToDo(t *testing.T) {
	for name, x := range map[string]struct {
		to, say string
		before  func(r *rig, order schema.RecordID)
	}{
		"here":            {to: "pd", say: "the order is here"},
		"nowhere":         {to: "zz", say: `there is no branch "zz"`},
		"closed":          {to: "na", say: "the branch na is closed"},
		"another company": {to: "hk", say: "another company's"},
		"at work": {to: "xh", say: "LQ works on it: clock off first", before: func(r *rig, order schema.RecordID) {
			r.create(&branchlinev1.ServiceLine{Order: act.Ref(order), Clockings: []*branchlinev1.Clocking{{Technician: proto.String("LQ"), From: proto.Int64(5)}}})
		}},
		"settled": {to: "xh", say: "is settled by S-1: reverse that first", before: func(r *rig, order schema.RecordID) {
			r.create(&branchlinev1.Settlement{Order: act.Ref(order), Number: proto.String("S-1"), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Branch: proto.String("pd"), Day: proto.String("2026-11-22")})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.sisters()
			order, along, _ := r.job()
			if x.before != nil {
				x.before(r, order)
			}
			_, err := r.transfer(order, x.to)
			if !errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), x.say) {
				t.Errorf("%v", err)
			}
			if r.get(order).GetHome() != "pd" || r.get(along[0]).GetHome() != "pd" || len(r.all(schema.Note)) != 0 {
				t.Error("it left a trace")
			}
		})
	}
}

// A settlement that was reversed holds nothing back, a page of before a change does.
func TestTransfer_AfterAReversal(t *testing.T) {
	r := newRig(t)
	r.sisters()
	order, _, _ := r.job()
	s := r.create(&branchlinev1.Settlement{Order: act.Ref(order), Number: proto.String("S-1"), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Branch: proto.String("pd"), Day: proto.String("2026-11-22")})
	r.create(&branchlinev1.Settlement{Order: act.Ref(order), Number: proto.String("S-2"), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Branch: proto.String("pd"), Day: proto.String("2026-11-22"), Reverses: act.Ref(s), Reason: proto.String("x"), ApprovedBy: proto.String("BO")})
	old := r.get(order).GetEtag()
	r.put(order, &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_READY.Enum()}, "state")
	_, err := r.Transfer(r.by(boss), &branchlinev1.TransferRequest{Order: order.String(), Etag: old, Branch: "xh", Reason: "x"})
	if !errors.Is(err, schema.ErrConflict) {
		t.Errorf("from an old page: %v", err)
	}
	req := &branchlinev1.TransferRequest{Order: order.String(), Etag: r.get(order).GetEtag(), Branch: "xh", Reason: "x", RequestId: "r1"}
	for range 2 { // sent twice
		if _, err := r.Transfer(r.by(boss), req); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(r.all(schema.Note)); n != 1 {
		t.Errorf("%d notes", n)
	}
}
