package rig

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/link"
)

// passing is a group with an order at b1 that has all an order may have.
type passing struct {
	*group
	order, line, inspection, claim, note, talk, deposit schema.RecordID
	photo                                               string
	number                                              string
}

func newPassing(t *testing.T) *passing {
	t.Helper()
	p := &passing{group: newGroup(t, Config{Pages: true})}
	who := p.customer("b1", "王小明", "13817264531")
	car := p.put("b1", store.Edit{Message: &branchlinev1.Vehicle{Vin: proto.String("5YJ3E1EAXHF000316"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A12345")}}}})
	of := func(id schema.RecordID) *string { return proto.String(id.String()) }
	p.order = p.put("b1", store.Edit{Day: "2026-11-22", Message: &branchlinev1.ServiceOrder{
		Branch: proto.String("b1"), Customer: of(who), Vehicle: of(car), State: branchlinev1.OrderState_IN_WORK.Enum(), Day: proto.String("2026-11-22"), Technician: proto.String("LQ"),
	}})
	p.line = p.put("b1", store.Edit{Message: &branchlinev1.ServiceLine{
		Order: of(p.order), Item: proto.String("brakes"), Technician: proto.String("LQ"), Branch: proto.String("b1"), Amount: proto.Int64(9_000),
		State:     branchlinev1.LineState_LINE_APPROVED.Enum(),
		Clockings: []*branchlinev1.Clocking{{Technician: proto.String("LQ"), From: proto.Int64(1), Until: proto.Int64(60_001)}},
	}})
	p.inspection = p.put("b1", store.Edit{Message: &branchlinev1.Inspection{Order: of(p.order), Day: proto.String("2026-11-22"), WarningLamps: []string{"abs"}}})
	p.claim = p.put("b1", store.Edit{Message: &branchlinev1.Claim{
		Order: of(p.order), Day: proto.String("2026-11-22"), Party: branchlinev1.ClaimParty_CLAIM_ON_INSURER.Enum(), State: branchlinev1.ClaimState_CLAIM_SENT.Enum(),
	}})
	p.note = p.put("b1", store.Edit{Message: &branchlinev1.Note{Order: of(p.order), Text: proto.String("listen to the left front wheel"), Day: proto.String("2026-11-22")}})
	p.talk = p.put("b1", store.Edit{Message: &branchlinev1.Contact{
		Order: of(p.order), Customer: of(who), Day: proto.String("2026-11-22"), Text: proto.String("fetches it on Monday"),
		Channel: branchlinev1.ContactChannel_CHANNEL_PHONE.Enum(), Direction: branchlinev1.Direction_DIRECTION_OUT.Enum(),
	}})
	p.deposit = p.put("b1", store.Edit{Message: &branchlinev1.Payment{
		Order: of(p.order), Customer: of(who), Branch: proto.String("b1"), Amount: proto.Int64(5_000), Method: branchlinev1.PayMethod_METHOD_CASH.Enum(),
		Purpose: branchlinev1.PayPurpose_PURPOSE_DEPOSIT.Enum(), Day: proto.String("2026-11-22"),
	}})
	p.photo = p.photographed("b1", schema.ResourceName(schema.ServiceOrder, p.order), picture(t, 60, 40, 4)).GetName()
	p.number = p.get("b1", p.order).GetServiceOrder().GetNumber()
	return p
}

// move passes the order on, as a manager of the branch does.
func (p *passing) move(from, to schema.BranchID) error {
	_, err := p.Site(from).Node().Server().API().Workshop.Transfer(owner(p.t.Context(), access.Node), &branchlinev1.TransferRequest{
		Order: p.order.String(), Etag: p.get(from, p.order).GetEtag(), Branch: string(to), Reason: "no lift free",
	})
	return err
}

// write changes fields of a record as the person at b sees it now.
func (p *passing) write(b schema.BranchID, id schema.RecordID, m proto.Message, mask ...string) {
	p.t.Helper()
	p.put(b, store.Edit{ID: id, Message: m, Mask: mask, Etag: p.get(b, id).GetEtag()})
}

// whole fails unless a branch has the order with everything, at the home it should have.
func (p *passing) whole(b, home schema.BranchID, sites ...string) {
	p.t.Helper()
	r := p.get(b, p.order)
	o := r.GetServiceOrder()
	if r.GetHome() != string(home) || o.GetNumber() != p.number || o.GetTechnician() != "LQ" || !slices.Equal(o.GetSites(), sites) {
		p.t.Errorf("%s: the order is %s's, %s, of %s, was at %v", b, r.GetHome(), o.GetNumber(), o.GetTechnician(), o.GetSites())
	}
	for _, id := range []schema.RecordID{p.line, p.inspection, p.claim} {
		if x := p.get(b, id); x.GetHome() != string(home) {
			p.t.Errorf("%s: %s is %s's", b, x.GetName(), x.GetHome())
		}
	}
	if l := p.get(b, p.line).GetServiceLine(); l.GetTechnician() != "LQ" || len(l.GetClockings()) != 1 || l.GetBranch() != "b1" {
		p.t.Errorf("%s: who worked on it is lost: %v", b, l)
	}
	if d := p.get(b, p.deposit); d.GetHome() != "b1" || d.GetPayment().GetAmount() != 5_000 {
		p.t.Errorf("%s: the deposit is %v", b, d)
	}
	if p.get(b, p.note).GetNote().GetText() == "" || p.get(b, p.talk).GetContact().GetText() == "" || p.read(b, p.photo).GetAttachment().GetOrder() != p.order.String() {
		p.t.Errorf("%s: a note, a talk or a photo is lost", b)
	}
}

func (p *passing) cut(all ...schema.BranchID) {
	p.t.Helper()
	for _, b := range all {
		p.Site(b).Proxy().Cut()
		p.until(string(b)+" cut off", func() bool { return p.Site(b).Node().Link().Phase == link.Down })
	}
}

func (p *passing) mend(all ...schema.BranchID) {
	p.t.Helper()
	for _, b := range all {
		p.Site(b).Proxy().Open()
		p.linked(b)
	}
	p.converge()
}

// An order is passed on while both branches are cut off, after work of the same hour that nobody has heard of yet, and
// comes back again: nothing is lost, nothing stands in both, the number stays.
func TestTransfer_ThereAndBackCutOff(t *testing.T) {
	p := newPassing(t)
	p.converge()
	p.cut("b1", "b2")
	p.write("b1", p.line, &branchlinev1.ServiceLine{Correction: proto.String("pads measured")}, "correction")
	p.must(p.move("b1", "b2"))
	p.whole("b1", "b2", "b1", "b2")
	// Whoever goes on at the old home is told, at once and offline.
	_, err := p.Site("b1").Node().Server().API().Records.CreateRecord(owner(t.Context(), access.Node), &branchlinev1.CreateRecordRequest{
		Record: &branchlinev1.Record{Body: &branchlinev1.Record_ServiceLine{ServiceLine: &branchlinev1.ServiceLine{Order: proto.String(p.order.String()), Item: proto.String("too late")}}},
	})
	if !errors.Is(err, schema.ErrForbidden) || !strings.Contains(err.Error(), "branch b2's") {
		t.Errorf("a line at the old home: %v", err)
	}
	if err := p.move("b1", "b2"); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("passed on once more: %v", err)
	}
	p.mend("b1", "b2")
	p.whole("b2", "b2", "b1", "b2")
	if got := p.get("b2", p.line).GetServiceLine().GetCorrection(); got != "pads measured" {
		t.Errorf("what was written before the move is %q", got)
	}
	// The other branch works on it and sends it back, cut off as well.
	p.cut("b1", "b2")
	made := p.put("b2", store.Edit{Message: &branchlinev1.ServiceLine{Order: proto.String(p.order.String()), Item: proto.String("discs"), Branch: proto.String("b2")}})
	p.put("b2", store.Edit{Message: &branchlinev1.Note{Order: proto.String(p.order.String()), Text: proto.String("discs are worn"), Day: proto.String("2026-11-22")}})
	p.must(p.move("b2", "b1"))
	p.mend("b1", "b2")
	for _, b := range []schema.BranchID{"b1", "b2"} {
		p.whole(b, "b1", "b1", "b2")
		if x := p.get(b, made); x.GetHome() != "b1" || x.GetServiceLine().GetBranch() != "b2" {
			t.Errorf("%s: the second branch's line is %v", b, x)
		}
		var texts []string
		p.must(p.Site(b).Node().Store().View(t.Context(), func(v *store.View) error {
			notes, err := v.About(schema.Note, schema.ServiceOrder, p.order)
			for _, n := range notes {
				texts = append(texts, n.GetNote().GetText())
			}
			return err
		}))
		slices.Sort(texts)
		want := []string{"Minhang → Pudong：no lift free", "Pudong → Minhang：no lift free", "discs are worn", "listen to the left front wheel"}
		if !slices.Equal(texts, want) {
			t.Errorf("%s: notes %q", b, texts)
		}
	}
	// At home again it is worked on as if it had never left, and headquarters takes it.
	p.write("b1", p.order, &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_READY.Enum()}, "state")
	p.write("b1", p.line, &branchlinev1.ServiceLine{State: branchlinev1.LineState_LINE_DONE.Enum()}, "state")
	p.converge()
	if s := p.get("b2", p.order).GetServiceOrder().GetState(); s != branchlinev1.OrderState_READY {
		t.Errorf("at the other branch it is %s", s)
	}
	for _, b := range []schema.BranchID{"b1", "b2"} {
		list, err := p.Site(b).Node().Server().API().Sites.ListChanges(owner(t.Context(), access.Node), &branchlinev1.ListChangesRequest{LookAt: true})
		p.must(err)
		if n := len(list.GetChanges()); n != 0 {
			t.Errorf("%s is to look at %d changes: %v", b, n, list.GetChanges()[0])
		}
	}
	if err := p.move("b1", "b3"); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("to another company: %v", err)
	}
}
