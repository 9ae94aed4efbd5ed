package api

import (
	"context"
	"fmt"
	"slices"

	"branchline/hq/find"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
	"branchline/sync/edit"
	"branchline/sync/merge"
)

// pinnable holds a new pin against what there is: it names a customer and holds one
// valid value of one field that may be pinned. A value that only another company's
// record of the group has is refused: with the member named it would go to branches
// that may not know it.
func (h *Records) pinnable(ctx context.Context, p *branchlinev1.Pin) error {
	k := schema.KindOf(schema.Customer)
	f := k.Field(p.GetField())
	switch {
	case p.GetCustomer() == "":
		return schema.Invalid("customer", "name the registration whose value it is")
	case f == nil:
		return schema.Invalid("field", "a customer has no field %q", p.GetField())
	case !edit.MayPin(f):
		return schema.Invalid("field", "%s is not chosen by anybody: it follows from what was registered", p.GetField())
	}
	desk.Uniform(p.GetValue())
	if err := schema.Validate(p.GetValue()); err != nil {
		return err
	}
	got, raw := edit.PinnedValue(p)
	if got == nil {
		return schema.Invalid("value", "give one value of %s, and nothing else", p.GetField())
	}
	id, err := schema.ParseRecordID(p.GetCustomer())
	if err != nil {
		return schema.Invalid("customer", "%q is not a record id", p.GetCustomer())
	}
	if err := h.c.Catch(ctx); err != nil { // who is one customer, as of now
		return err
	}
	return h.c.Store.Read(ctx, func(r *store.R) error { return h.ownValue(r, id, got, raw) })
}

// ownValue refuses a value that is of another legal entity's member alone.
func (h *Records) ownValue(r *store.R, id schema.RecordID, f *schema.FieldInfo, raw []byte) error {
	ids, err := find.GroupOf(r, id)
	if err != nil {
		return err
	}
	at := slices.Index(ids, id)
	if at < 0 {
		return nil // refs says that there is none
	}
	ids[0], ids[at] = ids[at], ids[0]
	var own schema.EntityID
	foreign := ""
	for i, m := range ids {
		rec, err := store.RecOf(r, m)
		if err != nil {
			return err
		}
		if rec == nil {
			return nil
		}
		st, err := merge.Decode(rec.State)
		if err != nil {
			return fmt.Errorf("hq/api: record %s: %w", m, err)
		}
		of := h.c.Store.EntityOf(rec.Home)
		if i == 0 {
			own = of
		}
		switch {
		case !edit.Has(st, f, raw):
		case of == own:
			return nil
		case foreign == "":
			foreign = schema.ResourceName(schema.Customer, m)
		}
	}
	if foreign != "" {
		return schema.Invalid("customer", "the value is of %s, another company's registration: pin it there; it goes where that registration goes", foreign)
	}
	return nil
}

// keptPin refuses to change by an update what a pin is about.
func keptPin(k *schema.KindInfo, mask []string) error {
	if k.Kind != schema.Pin {
		return nil
	}
	for _, f := range mask {
		if f != "retired_at" && f != "retired_reason" {
			return schema.Invalid("update_mask", "a pin is not changed: retire it and pin the other value")
		}
	}
	return nil
}
