package workshop

import (
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

const (
	lineApproved = branchlinev1.LineState_LINE_APPROVED
	waitingParts = branchlinev1.OrderState_WAITING_PARTS
)

// linesOf are the lines of an order, by place.
func (r *rig) linesOf(order schema.RecordID) (out []*branchlinev1.Record) {
	for _, l := range r.all(schema.ServiceLine) {
		if l.GetServiceLine().GetOrder() == order.String() {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(x, y *branchlinev1.Record) int {
		return int(x.GetServiceLine().GetPosition() - y.GetServiceLine().GetPosition())
	})
	return out
}

// parts does an act on the line at a place of an order, as it stands.
func (r *rig) parts(order schema.RecordID, at int, req *branchlinev1.PartsRequest) *branchlinev1.ServiceLine {
	r.t.Helper()
	l := r.linesOf(order)[at]
	req.Line = &branchlinev1.SeenLine{Line: l.GetName(), Etag: l.GetEtag()}
	got, err := r.Parts(r.by(adviser), req)
	if err != nil {
		r.t.Fatal(err)
	}
	return got.GetServiceLine()
}

func wanted(kind branchlinev1.LineKind, complaint string) *branchlinev1.ServiceLine {
	return &branchlinev1.ServiceLine{Kind: kind.Enum(), State: lineApproved.Enum(), Complaint: proto.String(complaint), PartName: proto.String("减振器")}
}

func TestParts_TheOrderWaitsAndGoesOnAsItWas(t *testing.T) {
	r := newRig(t)
	o := r.car("沪A1", inWork, 60, wanted(branchlinev1.LineKind_LABOUR, "异响"), wanted(branchlinev1.LineKind_PART, "异响"), wanted(branchlinev1.LineKind_PART, "异响"), wanted(branchlinev1.LineKind_FEE, "拖车"))
	l := r.parts(o, 1, &branchlinev1.PartsRequest{Ordered: true, Supplier: "上汽备件", ExpectedOn: "2026-11-25"})
	if l.GetPartsOrderedAt() == 0 || l.GetSupplier() != "上汽备件" || l.GetPartsExpectedOn() != "2026-11-25" || l.GetPartsArrivedAt() != 0 {
		t.Fatalf("%v", l)
	}
	if s := r.state(o); s != waitingParts {
		t.Fatalf("the labour of the same complaint waits for the part: %v", s)
	}
	r.parts(o, 2, &branchlinev1.PartsRequest{Ordered: true})
	r.parts(o, 1, &branchlinev1.PartsRequest{Arrived: true})
	if s := r.state(o); s != waitingParts {
		t.Errorf("one of two has come: %v", s)
	}
	r.parts(o, 2, &branchlinev1.PartsRequest{Arrived: true})
	if s := r.state(o); s != branchlinev1.OrderState_APPROVED { // it never was dated in work
		t.Errorf("both have come: %v", s)
	}
	states := r.get(o).GetServiceOrder().GetStates()
	if len(states) != 2 || states[0].GetBy() != "LI" || states[0].GetAt() == 0 {
		t.Errorf("dated: %v", states)
	}
	// Now in work, dated; what came did not fit and is ordered anew.
	rec := r.get(o)
	if _, err := r.st.Put(t.Context(), editOf(rec, &branchlinev1.ServiceOrder{State: inWork.Enum(), States: append(states, &branchlinev1.StateChange{State: inWork.Enum(), At: proto.Int64(r.now.UnixMilli())})}, "state", "states")); err != nil {
		t.Fatal(err)
	}
	if l := r.parts(o, 1, &branchlinev1.PartsRequest{Ordered: true}); l.GetPartsArrivedAt() != 0 {
		t.Errorf("ordered anew: %v", l)
	}
	if s := r.state(o); s != waitingParts {
		t.Errorf("ordered anew: %v", s)
	}
	r.parts(o, 1, &branchlinev1.PartsRequest{Arrived: true})
	if s := r.state(o); s != inWork {
		t.Errorf("it was in work: %v", s)
	}
}

func TestParts_WhatElseCanBeDone(t *testing.T) {
	at := func(l *branchlinev1.ServiceLine, f func(*branchlinev1.ServiceLine)) *branchlinev1.ServiceLine {
		f(l)
		return l
	}
	for name, x := range map[string]struct {
		state branchlinev1.OrderState
		other *branchlinev1.ServiceLine
		want  branchlinev1.OrderState
	}{
		"another complaint":     {inWork, wanted(branchlinev1.LineKind_LABOUR, "保养"), inWork},
		"the same complaint":    {inWork, wanted(branchlinev1.LineKind_LABOUR, "异响"), waitingParts},
		"a fee":                 {inWork, wanted(branchlinev1.LineKind_FEE, "保养"), waitingParts},
		"done":                  {inWork, at(wanted(branchlinev1.LineKind_LABOUR, "保养"), func(l *branchlinev1.ServiceLine) { l.State = branchlinev1.LineState_LINE_DONE.Enum() }), waitingParts},
		"not answered yet":      {branchlinev1.OrderState_APPROVED, at(wanted(branchlinev1.LineKind_LABOUR, "保养"), func(l *branchlinev1.ServiceLine) { l.State = branchlinev1.LineState_LINE_PROPOSED.Enum() }), waitingParts},
		"somebody is at it":     {inWork, at(wanted(branchlinev1.LineKind_LABOUR, "异响"), func(l *branchlinev1.ServiceLine) { l.Clockings = []*branchlinev1.Clocking{{From: proto.Int64(1)}} }), inWork},
		"only asked":            {branchlinev1.OrderState_QUOTED, wanted(branchlinev1.LineKind_LABOUR, "异响"), branchlinev1.OrderState_QUOTED},
		"the insurer's to say":  {branchlinev1.OrderState_WAITING_INSURER, wanted(branchlinev1.LineKind_LABOUR, "异响"), branchlinev1.OrderState_WAITING_INSURER},
		"a car already settled": {branchlinev1.OrderState_SETTLED, wanted(branchlinev1.LineKind_LABOUR, "异响"), branchlinev1.OrderState_SETTLED},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			o := r.car("沪A1", x.state, 60, wanted(branchlinev1.LineKind_PART, "异响"), x.other)
			r.parts(o, 0, &branchlinev1.PartsRequest{Ordered: true})
			if s := r.state(o); s != x.want {
				t.Errorf("it stands in %v", s)
			}
		})
	}
}

func TestParts_ToldOnceForAllOfTheCar(t *testing.T) {
	r := newRig(t)
	wang := r.create(&branchlinev1.Customer{Name: proto.String("王芳"), Phones: []*branchlinev1.Phone{{Number: proto.String("13900001234")}}})
	o := r.carOn("2026-11-22", &branchlinev1.ServiceOrder{Plate: proto.String("沪A1"), State: inWork.Enum(), Customer: proto.String(wang.String())},
		wanted(branchlinev1.LineKind_PART, "异响"), wanted(branchlinev1.LineKind_PART, "异响"), wanted(branchlinev1.LineKind_PART, "异响"))
	old := r.carOn("2025-01-22", &branchlinev1.ServiceOrder{Plate: proto.String("沪A2"), State: waitingParts.Enum()}, wanted(branchlinev1.LineKind_PART, "异响"))
	list := func(arrived bool, roles ...branchlinev1.Role) []*branchlinev1.WorkLine {
		t.Helper()
		got, err := r.ListParts(r.by(roles...), &branchlinev1.ListPartsRequest{Arrived: arrived})
		if err != nil {
			t.Fatal(err)
		}
		return got.GetLines()
	}
	r.parts(o, 0, &branchlinev1.PartsRequest{Ordered: true})
	r.parts(o, 1, &branchlinev1.PartsRequest{Ordered: true, ExpectedOn: "2026-11-24"})
	r.parts(o, 2, &branchlinev1.PartsRequest{Ordered: true, ExpectedOn: "2026-11-24"})
	r.parts(old, 0, &branchlinev1.PartsRequest{Ordered: true, ExpectedOn: "2026-11-20"})
	days := []string{}
	for _, l := range list(false, adviser) {
		days = append(days, l.GetCar().GetPlate()+" "+l.GetLine().GetServiceLine().GetPartsExpectedOn())
	}
	if !slices.Equal(days, []string{"沪A2 2026-11-20", "沪A1 2026-11-24", "沪A1 2026-11-24", "沪A1 "}) {
		t.Errorf("waited for: %q", days)
	}

	// Told that it is on order: that is no word of its having come.
	r.parts(o, 0, &branchlinev1.PartsRequest{Told: &branchlinev1.Told{Channel: branchlinev1.ContactChannel_CHANNEL_PHONE, Outcome: branchlinev1.ContactOutcome_CONTACT_REACHED, Text: "要等到周三"}})
	r.parts(o, 0, &branchlinev1.PartsRequest{Arrived: true})
	r.parts(o, 1, &branchlinev1.PartsRequest{Arrived: true})
	call := list(true, adviser)
	if len(call) != 2 || call[0].GetPhone() != "13900001234" || call[0].GetCar().GetCustomerName() != "王芳" {
		t.Fatalf("to call: %v", call)
	}
	if hidden := list(true, technician); len(hidden) != 2 || hidden[0].GetPhone() != "" || hidden[0].GetCar().GetCustomerName() != "" {
		t.Errorf("a technician is told %v", hidden)
	}
	r.parts(o, 0, &branchlinev1.PartsRequest{Told: &branchlinev1.Told{Channel: branchlinev1.ContactChannel_CHANNEL_PHONE, Outcome: branchlinev1.ContactOutcome_CONTACT_NOT_REACHED}})
	if n := len(list(true, adviser)); n != 2 {
		t.Errorf("nobody answered: %d left to call", n)
	}
	r.parts(o, 0, &branchlinev1.PartsRequest{RequestId: "once", Told: &branchlinev1.Told{Channel: branchlinev1.ContactChannel_CHANNEL_PHONE, Outcome: branchlinev1.ContactOutcome_CONTACT_AGREED, Phone: "13900001234"}})
	r.parts(o, 0, &branchlinev1.PartsRequest{RequestId: "once", Told: &branchlinev1.Told{Channel: branchlinev1.ContactChannel_CHANNEL_PHONE, Outcome: branchlinev1.ContactOutcome_CONTACT_AGREED}})
	if n := len(list(true, adviser)); n != 0 {
		t.Errorf("told: %d left to call", n)
	}
	if l := r.linesOf(o)[2].GetServiceLine(); l.GetPartsToldAt() != 0 {
		t.Error("told of a part that has not come")
	}
	talks := r.all(schema.Contact)
	if len(talks) != 3 {
		t.Fatalf("%d talks", len(talks))
	}
	last := talks[2].GetContact()
	if last.GetOrder() != o.String() || last.GetCustomer() != wang.String() || last.GetBy() != "LI" || last.GetPhone() != "13900001234" || last.GetDay() != "2026-11-22" || last.GetSubject() != "减振器" {
		t.Errorf("the talk: %v", last)
	}
}

// A customer who drove off waits for a part as one in the house does, however long ago it was ordered; what was fitted or
// given up is not waited for.
func TestParts_ForCarsThatDroveOff(t *testing.T) {
	r := newRig(t)
	state := func(s branchlinev1.LineState, ordered time.Duration) *branchlinev1.ServiceLine {
		l := wanted(branchlinev1.LineKind_PART, "异响")
		l.State, l.PartsOrderedAt = s.Enum(), proto.Int64(r.now.Add(-ordered).UnixMilli())
		return l
	}
	day := 24 * time.Hour
	gone := r.car("沪A1", branchlinev1.OrderState_HANDED_OVER, 60, state(lineApproved, day))
	r.car("沪A2", branchlinev1.OrderState_HANDED_OVER, 60, state(branchlinev1.LineState_LINE_DONE, day))
	r.car("沪A3", branchlinev1.OrderState_CANCELLED, 60, state(lineApproved, day))
	old := r.car("沪A4", branchlinev1.OrderState_HANDED_OVER, 60, state(lineApproved, 4000*day))
	r.car("沪A5", branchlinev1.OrderState_SETTLED, 60, state(branchlinev1.LineState_LINE_DECLINED, day))
	list := func(arrived bool) (plates []string) {
		t.Helper()
		got, err := r.ListParts(r.by(adviser), &branchlinev1.ListPartsRequest{Arrived: arrived})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range got.GetLines() {
			plates = append(plates, l.GetCar().GetPlate())
		}
		return plates
	}
	if got := list(false); !slices.Equal(got, []string{"沪A4", "沪A1"}) {
		t.Errorf("waited for: %q", got)
	}
	r.parts(old, 0, &branchlinev1.PartsRequest{Arrived: true, Told: &branchlinev1.Told{Channel: branchlinev1.ContactChannel_CHANNEL_PHONE, Outcome: branchlinev1.ContactOutcome_CONTACT_REACHED}})
	r.parts(gone, 0, &branchlinev1.PartsRequest{Arrived: true})
	if w, c := list(false), list(true); len(w) != 0 || !slices.Equal(c, []string{"沪A1"}) {
		t.Errorf("it has come: waited for %q, to call %q", w, c)
	}
	if s := r.state(gone); s != branchlinev1.OrderState_HANDED_OVER {
		t.Errorf("the order stands in %v", s)
	}
	r.parts(gone, 0, &branchlinev1.PartsRequest{Ordered: true}) // it was the wrong one
	if w, c := list(false), list(true); !slices.Equal(w, []string{"沪A1"}) || len(c) != 0 {
		t.Errorf("ordered anew: waited for %q, to call %q", w, c)
	}
}

func TestParts_Refused(t *testing.T) {
	r := newRig(t)
	o := r.car("沪A1", inWork, 60, wanted(branchlinev1.LineKind_PART, "异响"))
	seen := r.linesOf(o)[0]
	ask := func(req *branchlinev1.PartsRequest, roles ...branchlinev1.Role) error {
		req.Line = &branchlinev1.SeenLine{Line: seen.GetName(), Etag: seen.GetEtag()}
		_, err := r.Parts(r.by(roles...), req)
		return err
	}
	told := &branchlinev1.Told{Channel: branchlinev1.ContactChannel_CHANNEL_PHONE, Outcome: branchlinev1.ContactOutcome_CONTACT_REACHED}
	if err := ask(&branchlinev1.PartsRequest{}, adviser); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("nothing said: %v", err)
	}
	if err := ask(&branchlinev1.PartsRequest{Ordered: true, Arrived: true}, adviser); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("ordered and come: %v", err)
	}
	if err := ask(&branchlinev1.PartsRequest{Ordered: true, Told: told}, technician); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("a technician talked to the customer: %v", err)
	}
	if l := r.linesOf(o)[0].GetServiceLine(); l.GetPartsOrderedAt() != 0 || r.state(o) != inWork || len(r.all(schema.Contact)) != 0 {
		t.Errorf("what was refused left a trace: %v", l)
	}
	if err := ask(&branchlinev1.PartsRequest{Ordered: true}, technician); err != nil {
		t.Fatal(err)
	}
	if err := ask(&branchlinev1.PartsRequest{Arrived: true, Supplier: "x"}, adviser); err != nil {
		t.Fatalf("other fields of the line than were seen changed: %v", err)
	}
	if err := ask(&branchlinev1.PartsRequest{Supplier: "y"}, adviser); !errors.Is(err, schema.ErrConflict) {
		t.Errorf("another desk has said who delivers: %v", err)
	}
	if err := ask(&branchlinev1.PartsRequest{Arrived: true}, adviser); err != nil {
		t.Errorf("said twice that it has come: %v", err)
	}
}

// editOf writes fields of a record as it stands.
func editOf(r *branchlinev1.Record, m proto.Message, mask ...string) store.Edit {
	k, id, err := schema.ParseName(r.GetName())
	if err != nil {
		panic(err) // a record's own name
	}
	return store.Edit{Kind: k, ID: id, Message: m, Mask: mask, Etag: r.GetEtag(), Actor: "LI", Role: boss}
}
