package api

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
	"branchline/schema/page"
	"branchline/sync/desk"
	"branchline/sync/edit"
)

// CreateRecord makes a record whose home is this branch.
func (h *Records) CreateRecord(ctx context.Context, req *branchlinev1.CreateRecordRequest) (*branchlinev1.Record, error) {
	k, body, err := schema.BodyOf(req.GetRecord())
	if err != nil {
		return nil, err
	}
	caller := access.CallerFrom(ctx)
	body = proto.Clone(body)
	if _, err := h.identify(ctx, body, req.GetNationalId()); err != nil {
		return nil, err
	}
	if err := caller.CheckWrite(access.Node, k.Kind, desk.Fields(k, body)...); err != nil {
		return nil, err
	}
	if err := h.checkFile(body); err != nil {
		return nil, err
	}
	if err := byAct(k, body, nil); err != nil {
		return nil, err
	}
	desk.Uniform(body)
	if v, ok := body.(*branchlinev1.Vehicle); ok {
		if err := desk.CheckVIN(v, req.GetConfirmed()); err != nil {
			return nil, err
		}
	}
	id, err := h.c.Store.Identity(ctx)
	if err != nil {
		return nil, err
	}
	if err := h.workedOnHere(ctx, k, body, id.Branch); err != nil {
		return nil, err
	}
	now := h.c.Now()
	desk.Complete(body, id.Branch, caller.Staff, now, h.c.ZoneNow())
	e := store.Edit{
		Kind: k.Kind, Message: body, RequestID: req.GetRequestId(), Confirmed: req.GetConfirmed(), Day: now.In(h.c.ZoneNow()).Format(time.DateOnly),
	}
	if !desk.HasStates(body) {
		e.Add = desk.Dated(body, caller.Staff, now)
	}
	e.Actor, e.Role = writer(caller, k.Kind)
	res, err := h.put(ctx, e)
	if err != nil {
		return nil, err
	}
	made, err := res.Record()
	if err != nil {
		return nil, err
	}
	if made == nil { // seen before
		return h.show(ctx, res.ID, k, false)
	}
	access.Strip(made, caller.Roles)
	return made, dressFile(ctx, h.c.Files, made)
}

// GetRecord is a record, or the view of the group it belongs to.
func (h *Records) GetRecord(ctx context.Context, req *branchlinev1.GetRecordRequest) (*branchlinev1.Record, error) {
	k, id, err := h.held(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	return h.show(ctx, id, k, req.GetGolden())
}

// UpdateRecord writes the masked fields of a record; its etag says what the
// person saw. With the etag of a golden view the edit is one of the whole group: it
// goes to this branch's own member, made if there is none, and the view is the answer.
func (h *Records) UpdateRecord(ctx context.Context, req *branchlinev1.UpdateRecordRequest) (*branchlinev1.Record, error) {
	k, body, err := schema.BodyOf(req.GetRecord())
	if err != nil {
		return nil, err
	}
	kind, id, err := schema.ParseName(req.GetRecord().GetName())
	if err != nil {
		return nil, err
	}
	if kind != k.Kind {
		return nil, schema.Invalid("record.name", "%q is no %s", req.GetRecord().GetName(), k.Name)
	}
	body = proto.Clone(body)
	mask := slices.Clone(req.GetUpdateMask())
	if whole, err := h.identify(ctx, body, req.GetNationalId()); err != nil {
		return nil, err
	} else if whole {
		mask = desk.Identified(mask)
	}
	fields, err := desk.Masked(k, mask)
	if err != nil {
		return nil, err
	}
	caller := access.CallerFrom(ctx)
	if err := caller.CheckWrite(access.Node, k.Kind, fields...); err != nil {
		return nil, err
	}
	if k.Kind == schema.Attachment || k.Kind == schema.Note { // not every one of these is for everybody who may write some
		if _, err := h.show(ctx, id, k, false); err != nil {
			return nil, err
		}
	}
	if err := byAct(k, body, mask); err != nil {
		return nil, err
	}
	desk.Uniform(body)
	e := store.Edit{Kind: k.Kind, ID: id, Message: body, Etag: req.GetRecord().GetEtag(), Confirmed: req.GetConfirmed(), RequestID: req.GetRequestId()}
	if v, ok := body.(*branchlinev1.Vehicle); ok && slices.Contains(mask, "vin") {
		if err := h.askVIN(ctx, id, v, req.GetConfirmed()); err != nil {
			return nil, err
		}
		if !slices.Contains(mask, "vin_checked") {
			mask = append(mask, "vin_checked")
		}
	}
	if slices.Contains(mask, "state") && !slices.Contains(mask, "states") {
		e.Add = desk.Dated(body, caller.Staff, h.c.Now())
	}
	e.Mask = mask
	e.Actor, e.Role = writer(caller, k.Kind)
	if _, err := h.put(ctx, e); err != nil {
		return nil, desk.Conflict(err, func(c schema.ChangeID) (string, error) { return h.c.Store.Actor(ctx, c) })
	}
	return h.show(ctx, id, k, edit.IsGolden(e.Etag))
}

// askVIN asks about a doubtful VIN unless it is the one the record has already.
func (h *Records) askVIN(ctx context.Context, id schema.RecordID, v *branchlinev1.Vehicle, confirmed []string) error {
	question := desk.CheckVIN(v, confirmed)
	if question == nil {
		return nil
	}
	was, err := h.c.Store.Golden(ctx, id)
	if err != nil {
		return err
	}
	if was.GetVehicle().GetVin() == v.GetVin() {
		return nil
	}
	return question
}

// ListRecords is a page of records of one kind.
func (h *Records) ListRecords(ctx context.Context, req *branchlinev1.ListRecordsRequest) (*branchlinev1.ListRecordsResponse, error) {
	k := schema.KindOfCollection(req.GetCollection())
	if k == nil {
		return nil, schema.Invalid("collection", "there is no collection %q", req.GetCollection())
	}
	caller := access.CallerFrom(ctx)
	if err := caller.CheckRead(access.Node, k.Kind); err != nil {
		return nil, err
	}
	q := page.Query{
		Kind: k, Home: schema.BranchID(req.GetBranch()), UpdatedAfter: req.GetUpdatedAfter(), Retired: req.GetRetired(),
		DayFrom: req.GetDayFrom(), DayTo: req.GetDayTo(), OrderBy: req.GetOrderBy(), Size: int(req.GetPageSize()), Token: req.GetPageToken(),
		Elsewhere: req.GetElsewhere(),
	}
	var err error
	for _, f := range []struct {
		name, value string
		kind        schema.Kind
		by          *schema.FieldInfo
		to          *[]schema.RecordID
	}{
		{"customer", req.GetCustomer(), schema.Customer, k.Customer, &q.Customers},
		{"vehicle", req.GetVehicle(), schema.Vehicle, k.Vehicle, &q.Vehicles},
		{"order", req.GetOrder(), schema.ServiceOrder, k.Order, &q.Orders},
	} {
		if f.value == "" {
			continue
		}
		if f.by != nil && access.HideFor(caller.Roles)(f.by) {
			return nil, fmt.Errorf("your role may not list by %s: %w", f.name, schema.ErrForbidden)
		}
		id, err := desk.NameOf(f.name, f.value, f.kind)
		if err != nil {
			return nil, err
		}
		if *f.to, err = h.c.Store.Group(ctx, id); err != nil {
			return nil, err
		}
	}
	more, err := desk.NamesOf("orders", req.GetOrders(), schema.ServiceOrder)
	if err != nil {
		return nil, err
	}
	if len(more) > 0 && k.Order != nil && access.HideFor(caller.Roles)(k.Order) {
		return nil, fmt.Errorf("your role may not list by orders: %w", schema.ErrForbidden)
	}
	q.Orders = append(q.Orders, more...)
	if q.State, err = desk.StateNumber(k, req.GetState()); err != nil {
		return nil, err
	}
	out := &branchlinev1.ListRecordsResponse{}
	for {
		records, next, err := h.c.Store.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range records {
			if access.Sees(r, caller.Roles) {
				if err := dressFile(ctx, h.c.Files, r); err != nil {
					return nil, err
				}
				access.Strip(r, caller.Roles)
				out.Records = append(out.Records, r)
			}
		}
		// A page is not short, nor said to go on, for records the caller is not to know of.
		if out.NextPageToken = next; next == "" || len(out.Records) > 0 || q.Elsewhere || len(records) == 0 {
			return out, nil
		}
		q.Token = next
	}
}

// KeepAsIs lets a value of this branch that lost rest: it is not told of any more.
func (h *Records) KeepAsIs(ctx context.Context, req *branchlinev1.KeepAsIsRequest) (*branchlinev1.Record, error) {
	k, id, err := h.held(ctx, req.GetName())
	if err != nil {
		return nil, err
	}
	f := k.Field(req.GetField())
	if f == nil {
		return nil, schema.Invalid("field", "a %s has no field %q", k.Name, req.GetField())
	}
	if err := access.CallerFrom(ctx).CheckWrite(access.Node, k.Kind, f); err != nil {
		return nil, err
	}
	change, err := schema.ParseChangeID(req.GetChange())
	if err != nil {
		return nil, err
	}
	if err := h.c.Store.KeepAsIs(ctx, id, f, change); err != nil {
		return nil, err
	}
	return h.show(ctx, id, k, false)
}

// Search finds records by what a person types, among the kinds the caller may see, but by nothing the caller may not see.
func (h *Records) Search(ctx context.Context, req *branchlinev1.SearchRequest) (*branchlinev1.SearchResponse, error) {
	caller := access.CallerFrom(ctx)
	kinds, err := caller.Kinds(access.Node, req.GetCollections())
	if err != nil {
		return nil, err
	}
	if len(kinds) == 0 {
		return &branchlinev1.SearchResponse{}, nil // to the store, none would mean all
	}
	limit := int(req.GetLimit())
	if limit == 0 {
		limit = 20
	}
	hits, more, err := h.c.Store.Search(ctx, store.Asked{
		Query: req.GetQuery(), Kinds: kinds, Limit: limit, Today: h.c.Now().In(h.c.ZoneNow()).Format(time.DateOnly),
		Fits: func(k *schema.KindInfo, names func(*schema.FieldInfo) bool, matched string) bool {
			return !index.Tells(k, matched, access.HideIn(k, names, caller.Roles))
		},
	})
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.SearchResponse{More: more}
	for _, hit := range hits {
		access.Strip(hit.Record, caller.Roles)
		title, sub := desk.Titles(hit.Record)
		told := &branchlinev1.SearchHit{Record: hit.Record, Matched: hit.Matched, Title: title, Subtitle: sub}
		for _, r := range hit.Beside {
			if k, _, err := schema.ParseName(r.GetName()); err == nil && caller.CheckRead(access.Node, k) == nil && access.Sees(r, caller.Roles) {
				access.Strip(r, caller.Roles)
				told.Beside = append(told.Beside, r)
			}
		}
		out.Hits = append(out.Hits, told)
	}
	return out, nil
}

// Where tells how far a change has got, and waits for a state if asked.
func (h *Records) Where(ctx context.Context, req *branchlinev1.WhereRequest) (*branchlinev1.WhereResponse, error) {
	if k, _, err := schema.ParseName(req.GetName()); err == nil {
		if err := access.CallerFrom(ctx).CheckRead(access.Node, k); err != nil {
			return nil, err
		}
	}
	out := new(branchlinev1.WhereResponse)
	var err error
	if req.GetWaitFor() != branchlinev1.WhereState_WHERE_UNSPECIFIED && req.GetWaitMs() > 0 {
		wait, stop := context.WithTimeout(ctx, min(time.Duration(req.GetWaitMs())*time.Millisecond, store.WaitLimit))
		defer stop()
		out.Where, err = h.c.Store.WaitWhere(wait, req.GetName(), req.GetWaitFor())
	} else {
		out.Where, err = h.c.Store.Where(ctx, req.GetName())
	}
	if err != nil {
		return nil, err
	}
	out.Trace, err = h.c.Store.Trace(ctx, req.GetName())
	return out, err
}
