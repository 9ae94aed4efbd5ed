package workshop

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

// walkOf is a request to save an inspection; id zero: a new one.
func walkOf(r *rig, id schema.RecordID, i *branchlinev1.Inspection, mask ...string) *branchlinev1.SaveInspectionRequest {
	rec := &branchlinev1.Record{Body: &branchlinev1.Record_Inspection{Inspection: i}}
	if !id.IsZero() {
		now := r.get(id)
		rec.Name, rec.Etag = now.GetName(), now.GetEtag()
	}
	return &branchlinev1.SaveInspectionRequest{Inspection: rec, UpdateMask: mask}
}

func (r *rig) file(role branchlinev1.AttachmentRole, order schema.RecordID) schema.RecordID {
	return r.create(&branchlinev1.Attachment{Order: act.Ref(order), Role: role.Enum(), Hash: make([]byte, 32), Size: proto.Int64(1), MediaType: proto.String("image/png")})
}

// worn is a finding that wants work.
func worn() *branchlinev1.CheckPoint {
	return &branchlinev1.CheckPoint{Item: proto.String("brake_pads_front"), Finding: branchlinev1.Finding_FINDING_NOW.Enum(), Measured: proto.String("2 mm")}
}

func TestSaveInspection_allOfItOnce(t *testing.T) {
	r := newRig(t)
	car := r.create(&branchlinev1.Vehicle{Model: proto.String("帕萨特")})
	order := r.create(&branchlinev1.ServiceOrder{Vehicle: act.Ref(car), State: branchlinev1.OrderState_RECEIVED.Enum()})
	signed, photo := r.file(branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE, order), r.file(branchlinev1.AttachmentRole_ATTACHMENT_PHOTO, order)
	req := walkOf(r, schema.RecordID{}, &branchlinev1.Inspection{
		Order: act.Ref(order), OdometerKm: proto.Int64(88_412), OldPartsWanted: proto.Bool(true), SignedBy: proto.String("陈建国"), SignedAt: proto.Int64(1), Signature: act.Ref(signed),
		Damages: []*branchlinev1.Damage{{Part: proto.String("hood"), What: proto.String("dent")}}, Points: []*branchlinev1.CheckPoint{worn()}, Photos: []string{photo.String()},
	})
	req.RequestId, req.Propose = "walk", &branchlinev1.ProposedPoint{Point: "brake_pads_front", Item: "前刹车片", Cause: "2 mm"}
	var first *branchlinev1.Record
	for range 2 {
		made, err := r.SaveInspection(r.by(adviser), req)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = made
		}
		if made.GetName() != first.GetName() {
			t.Errorf("sent twice it made %s and %s", first.GetName(), made.GetName())
		}
	}
	i := first.GetInspection()
	if i.GetVehicle() != car.String() || i.GetInspector() != "LI" || i.GetDoneAt() == 0 || i.GetBranch() != "pd" || len(i.GetDamages()) != 1 || i.GetSignature() != signed.String() || !slices.Equal(i.GetPhotos(), []string{photo.String()}) {
		t.Errorf("%v", i)
	}
	if o := r.get(order).GetServiceOrder(); o.GetOdometerKm() != 88_412 || !o.GetOldPartsWanted() || o.WashWanted != nil {
		t.Errorf("the order: %v", o)
	}
	if n := len(r.all(schema.OdometerReading)); n != 1 {
		t.Errorf("%d readings", n)
	}
	lines := r.all(schema.ServiceLine)
	if len(lines) != 1 || lines[0].GetServiceLine().GetItem() != "前刹车片" || lines[0].GetServiceLine().GetState() != branchlinev1.LineState_LINE_PROPOSED || lines[0].GetServiceLine().GetExtra() {
		t.Errorf("lines: %v", lines)
	}
	// Asked for once more of the same inspection, with nothing else changed, it is still one line.
	_, id, err := schema.ParseName(first.GetName())
	if err != nil {
		t.Fatal(err)
	}
	again := walkOf(r, id, &branchlinev1.Inspection{})
	again.Propose = req.Propose
	if _, err := r.SaveInspection(r.by(technician), again); err != nil || len(r.all(schema.ServiceLine)) != 1 {
		t.Errorf("%d lines, %v", len(r.all(schema.ServiceLine)), err)
	}
	// What is found when the work has begun is extra.
	r.put(order, &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_IN_WORK.Enum()}, "state")
	wipers := &branchlinev1.CheckPoint{Item: proto.String("wipers"), Finding: branchlinev1.Finding_FINDING_SOON.Enum()}
	late := walkOf(r, id, &branchlinev1.Inspection{Points: append(i.GetPoints(), wipers)}, "points")
	late.Propose = &branchlinev1.ProposedPoint{Point: "wipers", Item: "雨刮"}
	if _, err := r.SaveInspection(r.by(technician), late); err != nil {
		t.Fatal(err)
	}
	if lines = r.all(schema.ServiceLine); len(lines) != 2 || !lines[1].GetServiceLine().GetExtra() || lines[1].GetServiceLine().GetPosition() != 2 {
		t.Errorf("extra: %v", lines)
	}
}

// What cannot be saved whole is not saved at all.
func TestSaveInspection_allOrNothing(t *testing.T) {
	r := newRig(t)
	car := r.create(&branchlinev1.Vehicle{Model: proto.String("帕萨特")})
	order, other := r.create(&branchlinev1.ServiceOrder{Vehicle: act.Ref(car)}), r.create(&branchlinev1.ServiceOrder{Complaint: proto.String("保养")})
	photo := r.file(branchlinev1.AttachmentRole_ATTACHMENT_PHOTO, order)
	foreign := r.file(branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE, other)
	for what, x := range map[string]struct {
		i      *branchlinev1.Inspection
		line   *branchlinev1.ProposedPoint
		role   branchlinev1.Role
		wanted error
	}{
		"another order's signature": {i: &branchlinev1.Inspection{Signature: act.Ref(foreign), SignedBy: proto.String("陈")}, wanted: schema.ErrInvalid},
		"a photo for a signature":   {i: &branchlinev1.Inspection{Signature: act.Ref(photo), SignedBy: proto.String("陈")}, wanted: schema.ErrInvalid},
		"a signature for a photo":   {i: &branchlinev1.Inspection{Photos: []string{foreign.String()}}, wanted: schema.ErrInvalid},
		"no such file":              {i: &branchlinev1.Inspection{Photos: []string{car.String()}}, wanted: schema.ErrInvalid},
		"a line too long":           {i: &branchlinev1.Inspection{Points: []*branchlinev1.CheckPoint{worn()}}, line: &branchlinev1.ProposedPoint{Point: "brake_pads_front", Item: string(make([]byte, 1001))}, wanted: schema.ErrInvalid},
		"a technician signs":        {i: &branchlinev1.Inspection{SignedBy: proto.String("陈")}, role: technician, wanted: schema.ErrForbidden},
		"a technician takes a drawing": {
			i: &branchlinev1.Inspection{Signature: act.Ref(r.file(branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE, order))}, role: technician, wanted: schema.ErrForbidden,
		},
	} {
		x.i.Order, x.i.OdometerKm = act.Ref(order), proto.Int64(7)
		if x.role == 0 {
			x.role = adviser
		}
		req := walkOf(r, schema.RecordID{}, x.i)
		req.Propose = x.line
		if _, err := r.SaveInspection(r.by(x.role), req); !errors.Is(err, x.wanted) {
			t.Errorf("%s: %v", what, err)
		}
		if len(r.all(schema.Inspection))+len(r.all(schema.OdometerReading))+len(r.all(schema.ServiceLine)) > 0 || r.get(order).GetServiceOrder().OdometerKm != nil {
			t.Fatalf("%s: something was saved", what)
		}
	}
}

// Two tablets at one inspection: what both wrote comes back field by field, and nothing of the later one is saved.
func TestSaveInspection_conflictFieldByField(t *testing.T) {
	r := newRig(t)
	order := r.create(&branchlinev1.ServiceOrder{Complaint: proto.String("保养")})
	id := r.create(&branchlinev1.Inspection{Order: act.Ref(order), Remark: proto.String("雨天")})
	mine := walkOf(r, id, &branchlinev1.Inspection{OdometerKm: proto.Int64(5), Remark: proto.String("晴天"), WashWanted: proto.Bool(true)}, "odometer_km", "remark", "wash_wanted")
	if _, err := r.SaveInspection(r.by(boss), walkOf(r, id, &branchlinev1.Inspection{Remark: proto.String("雪天"), Damages: []*branchlinev1.Damage{{Part: proto.String("hood"), What: proto.String("dent")}}}, "remark", "damages")); err != nil {
		t.Fatal(err)
	}
	_, err := r.SaveInspection(r.by(adviser), mine)
	var detailed *desk.DetailedError
	if !errors.Is(err, schema.ErrConflict) || !errors.As(err, &detailed) || len(detailed.Details()) != 1 {
		t.Fatalf("%v", err)
	}
	c := detailed.Details()[0].(*branchlinev1.FieldConflict)
	if c.GetField() != "remark" || c.GetYours() != `"晴天"` || c.GetTheirs() != `"雪天"` || c.GetWho() != "LI" || c.GetBranch() != "pd" {
		t.Errorf("%v", c)
	}
	if i := r.get(id).GetInspection(); i.OdometerKm != nil || i.WashWanted != nil || i.GetRemark() != "雪天" || r.get(order).GetServiceOrder().WashWanted != nil {
		t.Errorf("something was saved: %v", i)
	}
	// What others wrote elsewhere is no conflict: the page need not be read again.
	free := proto.CloneOf(mine)
	free.UpdateMask = []string{"odometer_km", "wash_wanted"}
	if _, err := r.SaveInspection(r.by(adviser), free); err != nil {
		t.Fatal(err)
	}
	if i := r.get(id).GetInspection(); i.GetOdometerKm() != 5 || len(i.GetDamages()) != 1 || i.GetRemark() != "雪天" || r.get(order).GetServiceOrder().GetOdometerKm() != 5 {
		t.Errorf("%v", i)
	}
}
