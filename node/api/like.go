package api

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/known"
	"branchline/sync/desk"
)

// Known is the filter of what the group knows, as HQ last gave it to this branch.
type Known interface {
	// Perhaps tells of each thing whether the group perhaps knows it, and when HQ made what that is told from, unix ms;
	// 0 and all false: this branch has nothing to tell it from.
	Perhaps(ctx context.Context, things []known.Thing) (perhaps []bool, madeAt int64, err error)
	// Stands is what a status says of it; nil: this branch has none.
	Stands() (*branchlinev1.KnownElsewhere, error)
}

const (
	// maxLike bounds how many likely duplicates are named.
	maxLike = 8
	// maxDraft bounds a draft, bytes, and maxDraftPhones the numbers in it that are looked up.
	maxDraft       = 16 << 10
	maxDraftPhones = 10
)

// What perhaps_known names, and by what a customer held here would agree on it.
var draftThings = []struct{ word, agrees string }{
	{"phone", store.LikePhone}, {"national_id", store.LikeID}, {"vin", store.LikeVIN},
}

// FindLike names the customers held here who are probably the one being written
// down, and what of them the group perhaps knows though nobody here does. It only
// warns. Who may write customers down may ask; what they may not see is not looked
// at either. ErrTooLarge for more than a form holds.
func (h *Records) FindLike(ctx context.Context, req *branchlinev1.FindLikeRequest) (*branchlinev1.FindLikeResponse, error) {
	c := req.GetCustomer()
	if c == nil {
		c = new(branchlinev1.Customer)
	}
	if proto.Size(c) > maxDraft || len(c.GetPhones()) > maxDraftPhones {
		return nil, fmt.Errorf("a draft of a customer has at most %d phones and %d bytes: %w", maxDraftPhones, maxDraft, schema.ErrTooLarge)
	}
	c = proto.CloneOf(c)
	k, caller := schema.KindOf(schema.Customer), access.CallerFrom(ctx)
	whole, err := h.identify(ctx, c, req.GetNationalId())
	if err != nil {
		c.IdHash, c.IdLast = nil, nil // not whole yet, or mistyped: the form says so when it is sent
	}
	if err := caller.CheckWrite(access.Node, schema.Customer, desk.Fields(k, c)...); err != nil {
		return nil, err
	}
	d := store.Draft{Customer: c, RequestID: req.GetRequestId()}
	if access.MayRead(access.Node, schema.Vehicle, caller.Roles) && access.MayRead(access.Node, schema.Tie, caller.Roles) {
		d.VIN, d.Plate = req.GetVin(), req.GetPlate()
	}
	found, err := h.c.Store.FindLike(ctx, d, maxLike)
	if err != nil {
		return nil, err
	}
	out := new(branchlinev1.FindLikeResponse)
	here := map[string]bool{}
	for _, l := range found {
		access.Strip(l.Record, caller.Roles)
		out.Matches = append(out.Matches, &branchlinev1.LikeMatch{Record: l.Record, Agrees: l.Agrees, Differs: l.Differs})
		for _, word := range l.Agrees {
			here[word] = true
		}
	}
	return out, h.perhaps(ctx, out, d, whole, here)
}

// perhaps adds what of the draft nobody here has, but the group perhaps knows.
func (h *Records) perhaps(ctx context.Context, out *branchlinev1.FindLikeResponse, d store.Draft, whole bool, here map[string]bool) error {
	if h.c.Known == nil {
		return nil
	}
	things := map[string][]known.Thing{}
	for _, p := range d.Customer.GetPhones() {
		things["phone"] = append(things["phone"], known.Phones(p.GetNumber())...)
	}
	if whole {
		things["national_id"] = known.IDs(d.Customer.GetIdHash())
	}
	if d.VIN != "" {
		hist, err := h.c.Store.VehicleHistory(ctx, schema.RecordID{}, d.VIN, "")
		if err == nil && len(hist.Vehicles) > 0 {
			here[store.LikeVIN] = true // the car is here, if nobody's
		}
		things["vin"] = known.VINs(d.VIN)
	}
	var all []known.Thing
	for _, t := range draftThings {
		all = append(all, things[t.word]...)
	}
	hits, at, err := h.c.Known.Perhaps(ctx, all)
	if err != nil {
		return err
	}
	out.KnownAt = at
	for _, t := range draftThings {
		n := len(things[t.word])
		if slices.Contains(hits[:n], true) && !here[t.agrees] {
			out.PerhapsKnown = append(out.PerhapsKnown, t.word)
		}
		hits = hits[n:]
	}
	return nil
}

// identify writes what is kept of a whole national id into a customer; it tells
// whether there was one. ErrInvalid: it is none; schema.ErrUnavailable: the branch
// has no key for it yet.
func (h *Records) identify(ctx context.Context, m proto.Message, text string) (bool, error) {
	if text == "" {
		return false, nil
	}
	id, err := h.c.Store.Identity(ctx)
	if err != nil {
		return false, err
	}
	return true, desk.Identify(m, text, id.IDKey)
}
