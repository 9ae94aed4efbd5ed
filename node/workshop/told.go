package workshop

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// tell records a talk with the customer of an order that an act is about; it gives the contact's id. The customer and the
// car are named where they are held here: an order may outlive what this branch may know of them.
func tell(h *act.Hand, id schema.RecordID, o *branchlinev1.ServiceOrder, subject string, t *branchlinev1.Told) (schema.RecordID, error) {
	c := &branchlinev1.Contact{
		Order: act.Ref(id), Branch: proto.String(string(h.ID.Branch)), Day: proto.String(h.Today), At: proto.Int64(h.Now.UnixMilli()),
		Channel: t.GetChannel().Enum(), Direction: branchlinev1.Direction_DIRECTION_OUT.Enum(), Outcome: t.GetOutcome().Enum(),
		Subject: proto.String(subject), Text: proto.String(t.GetText()), Phone: proto.String(t.GetPhone()), By: proto.String(h.Caller.Staff),
	}
	for _, x := range []struct {
		to  **string
		ref *string
	}{{&c.Customer, o.Customer}, {&c.Vehicle, o.Vehicle}} {
		held, err := holds(h, x.ref)
		if err != nil {
			return schema.RecordID{}, err
		}
		if held {
			*x.to = x.ref
		}
	}
	res, err := h.Put(store.Edit{Kind: schema.Contact, Message: c})
	return res.ID, err
}

// holds tells whether the record of a reference is held here.
func holds(h *act.Hand, ref *string) (bool, error) {
	if ref == nil || *ref == "" {
		return false, nil
	}
	id, err := schema.ParseRecordID(*ref)
	if err != nil {
		return false, err
	}
	_, err = h.V.Get(id)
	if errors.Is(err, schema.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
