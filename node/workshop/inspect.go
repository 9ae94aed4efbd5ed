package workshop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/assent"
	"branchline/schema/blob"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

// SaveInspection saves the walk round a car with its signature and photos, and what follows from it: the order learns
// odometer and wishes where it has none, and one finding becomes a line of it, once. ErrConflict, one detail a field, for
// what others changed since it was read: nothing is saved then. ErrInvalid for a signature or photo that is none of the
// order's; ErrForbidden for an inspection or order that another branch keeps.
func (w *Workshop) SaveInspection(ctx context.Context, r *branchlinev1.SaveInspectionRequest) (*branchlinev1.Record, error) {
	id, err := w.acts.Do(ctx, "inspect", r.GetRequestId(), func(h *act.Hand) (schema.RecordID, error) {
		x := walk{Hand: h, r: r, zone: w.acts.Zone()}
		for _, step := range []func() error{x.find, x.may, x.files, x.save, x.tell, x.propose} {
			if err := step(); err != nil {
				return x.id, err
			}
		}
		return x.id, nil
	})
	if err != nil {
		return nil, desk.Conflict(err, func(c schema.ChangeID) (string, error) { return w.acts.Store.Actor(ctx, c) })
	}
	return w.shown(ctx, id)
}

// walk is an inspection being saved.
type walk struct {
	*act.Hand
	r    *branchlinev1.SaveInspectionRequest
	zone *time.Location

	id    schema.RecordID          // zero: a new one
	typed *branchlinev1.Inspection // what is to be written
	was   *branchlinev1.Inspection // as it is; nil: a new one
	mask  []string                 // of a new one, what it holds
	place schema.RecordID          // of its order
	order *branchlinev1.Record     // nil: it has none, or none that is worked on here
}

// find reads what is written into.
func (x *walk) find() error {
	k, body, err := schema.BodyOf(x.r.GetInspection())
	if err != nil {
		return err
	}
	if k.Kind != schema.Inspection {
		return schema.Invalid("inspection", "%q is no %s", k.Name, "inspection")
	}
	x.typed, x.mask = proto.CloneOf(body.(*branchlinev1.Inspection)), x.r.GetUpdateMask()
	desk.Uniform(x.typed)
	name := x.r.GetInspection().GetName()
	if name == "" {
		for _, f := range desk.Fields(k, body) {
			x.mask = append(x.mask, f.Name)
		}
		if x.place, x.order, err = orderOf(x.Hand, x.typed.GetOrder()); err == nil && x.typed.Vehicle == nil {
			x.typed.Vehicle = x.order.GetServiceOrder().Vehicle
		}
		return err
	}
	if x.id, err = desk.NameOf("inspection.name", name, schema.Inspection); err != nil {
		return err
	}
	r, err := x.V.Get(x.id)
	switch {
	case err != nil:
		return err
	case r.GetInspection() == nil:
		return fmt.Errorf("%s: %w", name, schema.ErrNotFound)
	case r.GetHome() != string(x.ID.Branch):
		return fmt.Errorf("the inspection is branch %s's: %w", r.GetHome(), schema.ErrForbidden)
	}
	if x.was = r.GetInspection(); x.was.GetOrder() == "" {
		return nil
	}
	x.place, x.order, err = orderOf(x.Hand, x.was.GetOrder())
	if errors.Is(err, schema.ErrNotFound) || errors.Is(err, schema.ErrForbidden) {
		x.order, err = nil, nil
	}
	return err
}

// may refuses fields the caller does not see. A signature goes with who gave it.
func (x *walk) may() error {
	k := schema.KindOf(schema.Inspection)
	fields, err := desk.Masked(k, x.mask)
	if err != nil {
		return err
	}
	if slices.Contains(x.mask, "signature") || slices.Contains(x.mask, "signed_at") {
		fields = append(fields, k.Field("signed_by"))
	}
	return x.Caller.CheckWrite(access.Node, schema.Inspection, fields...)
}

// files refuses a signature or photos that belong elsewhere.
func (x *walk) files() error {
	order := x.typed.GetOrder()
	if x.was != nil {
		order = x.was.GetOrder()
	}
	check := func(field, name string, signature bool) error {
		_, f, err := fileOf(x.Hand, field, name)
		if err != nil {
			return err
		}
		mine := order != "" && f.GetOrder() == order || !x.id.IsZero() && f.GetInspection() == x.id.String()
		if !mine || (f.GetRole() == branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE) != signature {
			return schema.Invalid(field, "is none of this order's")
		}
		return nil
	}
	if s := x.typed.GetSignature(); slices.Contains(x.mask, "signature") && s != "" && s != x.was.GetSignature() {
		if err := check("signature", s, true); err != nil {
			return err
		}
	}
	for _, p := range x.typed.GetPhotos() {
		if slices.Contains(x.mask, "photos") && !slices.Contains(x.was.GetPhotos(), p) {
			if err := check("photos", p, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileOf is an attachment by name or id. ErrInvalid for none, and for one that was taken away.
func fileOf(h *act.Hand, field, name string) (schema.RecordID, *branchlinev1.Attachment, error) {
	id, err := desk.NameOf(field, name, schema.Attachment)
	if err != nil {
		return id, nil, err
	}
	r, err := h.V.Get(id)
	if err != nil && !errors.Is(err, schema.ErrNotFound) {
		return id, nil, err
	}
	f := r.GetAttachment()
	if f == nil || f.GetRetiredAt() != 0 {
		return id, nil, schema.Invalid(field, "names no attachment")
	}
	return id, f, nil
}

func (x *walk) save() error {
	e := store.Edit{Kind: schema.Inspection, ID: x.id, Message: x.typed, Confirmed: x.r.GetConfirmed()}
	switch {
	case x.was == nil:
		desk.Complete(x.typed, x.ID.Branch, x.Caller.Staff, x.Now, x.zone)
	case len(x.mask) == 0:
		return nil // only what follows from it is asked for
	default:
		e.Mask, e.Etag = x.mask, x.r.GetInspection().GetEtag()
	}
	res, err := x.Put(e)
	if err != nil {
		return err
	}
	x.id = res.ID
	r, err := x.V.Get(x.id)
	x.was = r.GetInspection()
	return err
}

// tell gives the order what it does not have yet.
func (x *walk) tell() error {
	if x.order == nil {
		return nil
	}
	o, next, mask := x.order.GetServiceOrder(), &branchlinev1.ServiceOrder{}, []string(nil)
	if o.OdometerKm == nil && x.was.GetOdometerKm() > 0 {
		next.OdometerKm, mask = x.was.OdometerKm, append(mask, "odometer_km")
	}
	if o.OldPartsWanted == nil && x.was.GetOldPartsWanted() {
		next.OldPartsWanted, mask = x.was.OldPartsWanted, append(mask, "old_parts_wanted")
	}
	if o.WashWanted == nil && x.was.GetWashWanted() {
		next.WashWanted, mask = x.was.WashWanted, append(mask, "wash_wanted")
	}
	if len(mask) == 0 {
		return nil
	}
	if _, err := x.Put(store.Edit{Kind: schema.ServiceOrder, ID: x.place, Message: next, Mask: mask, Etag: x.order.GetEtag()}); err != nil {
		return err
	}
	if next.OdometerKm == nil || o.GetVehicle() == "" {
		return nil
	}
	reading := &branchlinev1.OdometerReading{Vehicle: o.Vehicle, Km: next.OdometerKm, Order: act.Ref(x.place)}
	desk.Complete(reading, x.ID.Branch, x.Caller.Staff, x.Now, x.zone)
	_, err := x.Put(store.Edit{Kind: schema.OdometerReading, Message: reading, Confirmed: x.r.GetConfirmed()})
	return err
}

// propose makes a line of the order of a finding, to be answered by the customer; once, however often it is asked for.
func (x *walk) propose() error {
	p := x.r.GetPropose()
	switch {
	case p == nil:
		return nil
	case x.order == nil:
		return schema.Invalid("propose", "is none of this order's")
	case !slices.ContainsFunc(x.was.GetPoints(), func(c *branchlinev1.CheckPoint) bool { return c.GetItem() == p.GetPoint() }):
		return nil // it was taken out in the same go
	}
	lines, err := x.V.About(schema.ServiceLine, schema.ServiceOrder, x.place)
	if err != nil {
		return err
	}
	l := &branchlinev1.ServiceLine{
		Order: act.Ref(x.place), Kind: branchlinev1.LineKind_LABOUR.Enum(), State: branchlinev1.LineState_LINE_PROPOSED.Enum(), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(),
		Item: proto.String(p.GetItem()), Complaint: text(p.GetComplaint()), Cause: text(p.GetCause()), Position: proto.Int32(1),
	}
	for _, r := range lines {
		l.Position = proto.Int32(max(l.GetPosition(), r.GetServiceLine().GetPosition()+1))
	}
	assent.Added(l, x.order.GetServiceOrder().GetState())
	desk.Complete(l, x.ID.Branch, x.Caller.Staff, x.Now, x.zone)
	_, err = x.Put(store.Edit{
		Kind: schema.ServiceLine, Message: l, RequestID: blob.HashOf([]byte(x.id.String() + "\x00" + p.GetPoint())).String(),
	})
	return err
}
