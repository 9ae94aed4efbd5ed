package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/inbox"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/setting"
	"branchline/sync/desk"
	"branchline/sync/edit"
	"branchline/sync/merge"
)

// requestLife is how long a request id is remembered.
const requestLife = 24 * time.Hour

// identified is a record with what is kept of a whole national id, "" for none.
func (h *Records) identified(r *branchlinev1.Record, id string) (*branchlinev1.Record, error) {
	if id == "" {
		return r, nil
	}
	r = proto.CloneOf(r)
	_, body, err := schema.BodyOf(r)
	if err != nil {
		return nil, err
	}
	return r, desk.Identify(body, id, h.c.Store.IDKey())
}

// CreateRecord makes a record whose home is headquarters.
func (h *Records) CreateRecord(ctx context.Context, req *branchlinev1.CreateRecordRequest) (*branchlinev1.Record, error) {
	r, err := h.identified(req.GetRecord(), req.GetNationalId())
	if err != nil {
		return nil, err
	}
	k, body, err := schema.BodyOf(r)
	if err != nil {
		return nil, err
	}
	who, err := mayWrite(ctx, k, desk.Fields(k, body)...)
	if err != nil {
		return nil, err
	}
	switch k.Kind {
	case schema.LegalEntity:
		return nil, schema.Invalid("record", "a legal entity is added by AddEntity (branchline hq entity add)")
	case schema.Branch:
		return nil, schema.Invalid("record", "a branch is added by AddBranch (branchline hq branch add), which gives its enrolment token")
	case schema.MatchDecision:
		return nil, schema.Invalid("record", "a decision is made by Decide (branchline match decide), which says what it changes")
	}
	body = proto.Clone(body)
	desk.Uniform(body)
	if v, ok := body.(*branchlinev1.Vehicle); ok {
		if err := desk.CheckVIN(v, req.GetConfirmed()); err != nil {
			return nil, err
		}
	}
	now := h.c.Now()
	desk.Complete(body, "", who.Actor, now, h.c.ZoneNow())
	if !desk.HasStates(body) {
		if add := desk.Dated(body, who.Actor, now); add != nil {
			proto.Merge(body, add)
		}
	}
	if err := schema.Validate(body); err != nil {
		return nil, inRecord(k, err)
	}
	if err := schema.CheckNew(body); err != nil {
		return nil, inRecord(k, err)
	}
	if s, ok := body.(*branchlinev1.Setting); ok {
		if err := setting.Check(s); err != nil {
			return nil, inRecord(k, err)
		}
	}
	if p, ok := body.(*branchlinev1.Pin); ok {
		if err := h.pinnable(ctx, p); err != nil {
			return nil, inRecord(k, err)
		}
	}
	values, err := edit.Create(k, body) // the message without what means nothing
	if err != nil {
		return nil, inRecord(k, err)
	}
	body = k.New()
	if err := proto.Unmarshal(values, body); err != nil {
		return nil, fmt.Errorf("hq/api: %s: %w", k.Name, err)
	}

	h.desk.Lock()
	defer h.desk.Unlock()
	if id, ok, err := h.again(ctx, k, madeBy, req.GetRequestId()); err != nil || ok {
		if err != nil {
			return nil, err
		}
		return h.show(ctx, k, id, false)
	}
	if err := h.refs(ctx, k, body); err != nil {
		return nil, inRecord(k, err)
	}
	ids, err := h.c.Inbox.Edit(ctx, inbox.Edit{
		Kind: k.Kind, Values: body, Actor: who.Actor, Role: who.Role, Confirmed: req.GetConfirmed(),
		Also: func(w *store.W, id schema.RecordID) error { return h.remember(w, k, madeBy, req.GetRequestId(), id) },
	})
	if err != nil {
		return nil, err
	}
	return h.show(ctx, k, ids[0], false)
}

// inRecord says of violations in which part of the request they are.
func inRecord(k *schema.KindInfo, err error) error {
	var fe *schema.FieldsError
	if !errors.As(err, &fe) {
		return err
	}
	out := &schema.FieldsError{}
	for _, v := range fe.Violations {
		switch v.Field {
		case "update_mask", "etag":
		case "":
			v.Field = "record." + k.Name
		default:
			v.Field = "record." + k.Name + "." + v.Field
		}
		out.Violations = append(out.Violations, v)
	}
	return out
}

// What a request did stands before its id: a create and an update are two requests.
const (
	madeBy   = ""
	editedBy = "edit "
)

// again finds the record made, or edited, under a request id.
func (h *Records) again(ctx context.Context, k *schema.KindInfo, did, request string) (id schema.RecordID, ok bool, err error) {
	if request == "" {
		return id, false, nil
	}
	var kind schema.Kind
	var record []byte
	err = h.c.Store.Read(ctx, func(r *store.R) error {
		ok, err = r.Scan("SELECT kind, record FROM request WHERE id = $1 AND at >= $2",
			[]any{did + request, h.c.Now().UnixMilli() - requestLife.Milliseconds()}, &kind, &record)
		return err
	})
	if err != nil || !ok {
		return id, false, err
	}
	if kind != k.Kind {
		return id, false, schema.Invalid("request_id", "was used for another record a short while ago: make a new one")
	}
	id, err = schema.RecordIDFromBytes(record)
	return id, true, err
}

func (h *Records) remember(w *store.W, k *schema.KindInfo, did, request string, id schema.RecordID) error {
	if request == "" {
		return nil
	}
	now := h.c.Now().UnixMilli()
	if _, err := w.Exec("DELETE FROM request WHERE at < $1", now-requestLife.Milliseconds()); err != nil {
		return err
	}
	_, err := w.Exec("INSERT INTO request (id, kind, record, at) VALUES ($1, $2, $3, $4)", did+request, int64(k.Kind), id[:], now)
	return err
}

// refs checks that what a message refers to is known here.
func (h *Records) refs(ctx context.Context, k *schema.KindInfo, m proto.Message) error {
	return h.c.Store.Read(ctx, func(r *store.R) error {
		for _, f := range desk.Fields(k, m) {
			text := ""
			if f.Ref != 0 {
				text = m.ProtoReflect().Get(f.Desc).String()
			}
			if text == "" {
				continue
			}
			id, err := schema.ParseRecordID(text)
			if err != nil {
				return schema.Invalid(f.Name, "%q is not a record id", text)
			}
			var kind schema.Kind
			found, err := r.Scan("SELECT kind FROM record WHERE id = $1", []any{id[:]}, &kind)
			if err != nil {
				return err
			}
			if !found || kind != f.Ref {
				return schema.Invalid(f.Name, "there is no %s %s", schema.KindOf(f.Ref).Name, id)
			}
		}
		return nil
	})
}

// show is a record as the caller may see it.
func (h *Records) show(ctx context.Context, k *schema.KindInfo, id schema.RecordID, golden bool) (*branchlinev1.Record, error) {
	if golden {
		if err := h.c.Catch(ctx); err != nil {
			return nil, err
		}
	}
	var out *branchlinev1.Record
	err := h.c.Store.Read(ctx, func(r *store.R) error {
		rec, err := recordOf(r, k, id)
		if err != nil {
			return err
		}
		s := h.shower(r, access.CallerFrom(ctx))
		if !golden {
			out, err = s.record(rec, true)
			return err
		}
		if out, err = s.golden(rec, true); err == nil && k.Kind == schema.Vehicle {
			out.Owners, err = s.ownersOf(rec)
		}
		return err
	})
	return out, err
}

// recordOf reads a record that must be of the kind. ErrNotFound.
func recordOf(r store.Reader, k *schema.KindInfo, id schema.RecordID) (*store.Rec, error) {
	rec, err := store.RecOf(r, id)
	if err != nil {
		return nil, err
	}
	if rec == nil || rec.Kind != k.Kind {
		return nil, fmt.Errorf("%s: %w", schema.ResourceName(k.Kind, id), schema.ErrNotFound)
	}
	return rec, nil
}

// GetRecord is a record, or the view of the group it belongs to.
func (h *Records) GetRecord(ctx context.Context, req *branchlinev1.GetRecordRequest) (*branchlinev1.Record, error) {
	kind, id, err := schema.ParseName(req.GetName())
	if err != nil {
		return nil, err
	}
	if err := access.CallerFrom(ctx).CheckRead(access.HQ, kind); err != nil {
		return nil, err
	}
	return h.show(ctx, schema.KindOf(kind), id, req.GetGolden())
}

// UpdateRecord writes the masked fields of a record; its etag says what the person saw.
func (h *Records) UpdateRecord(ctx context.Context, req *branchlinev1.UpdateRecordRequest) (*branchlinev1.Record, error) {
	if req.GetNationalId() != "" {
		r, err := h.identified(req.GetRecord(), req.GetNationalId())
		if err != nil {
			return nil, err
		}
		req = proto.CloneOf(req)
		req.Record, req.UpdateMask = r, desk.Identified(req.GetUpdateMask())
	}
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
	fields, err := desk.Masked(k, req.GetUpdateMask())
	if err != nil {
		return nil, err
	}
	who, err := mayWrite(ctx, k, fields...)
	if err != nil {
		return nil, err
	}
	if err := kept(k, req.GetUpdateMask()); err != nil {
		return nil, err
	}
	if err := keptPin(k, req.GetUpdateMask()); err != nil {
		return nil, err
	}
	body = proto.Clone(body)
	desk.Uniform(body)
	if err := schema.Validate(body); err != nil {
		return nil, inRecord(k, err)
	}
	if b, ok := body.(*branchlinev1.Branch); ok && slices.Contains(req.GetUpdateMask(), "zone") {
		if _, err := schema.Zone(b.GetZone()); err != nil {
			return nil, inRecord(k, err)
		}
	}

	h.desk.Lock()
	defer h.desk.Unlock()
	if was, ok, err := h.again(ctx, k, editedBy, req.GetRequestId()); err != nil {
		return nil, err
	} else if ok && was != id {
		return nil, schema.Invalid("request_id", "was used for another record a short while ago: make a new one")
	} else if ok {
		return h.show(ctx, k, id, false)
	}
	u := updater{h: h, ctx: ctx, k: k, id: id, who: who, body: body, req: req}
	if err := u.run(); err != nil {
		return nil, err
	}
	return h.show(ctx, k, id, false)
}

// kept refuses to change by an update what the registry keeps too, and what a decision is about.
func kept(k *schema.KindInfo, mask []string) error {
	if k.Kind == schema.MatchDecision {
		for _, f := range mask {
			if f == "verdict" || f == "a" || f == "b" {
				return schema.Invalid("update_mask", "the %s of a decision stays: withdraw it and decide again", f)
			}
		}
	}
	if k.Kind != schema.Branch && k.Kind != schema.LegalEntity {
		return nil
	}
	for _, f := range mask {
		switch f {
		case "code", "entity":
			return schema.Invalid("update_mask", "the %s of a %s is for ever", f, k.Name)
		case "retired_at":
			return schema.Invalid("update_mask", "a branch is retired by RetireBranch (branchline hq branch retire)")
		}
	}
	return nil
}

// updater is one update, the desk held.
type updater struct {
	h    *Records
	ctx  context.Context
	k    *schema.KindInfo
	id   schema.RecordID
	who  inbox.By
	body proto.Message
	req  *branchlinev1.UpdateRecordRequest
}

func (u *updater) run() error {
	var now *merge.State
	var was proto.Message
	err := u.h.c.Store.Read(u.ctx, func(r *store.R) error {
		rec, err := recordOf(r, u.k, u.id)
		if err != nil {
			return err
		}
		if now, err = merge.Decode(rec.State); err != nil {
			return fmt.Errorf("hq/api: record %s: %w", u.id, err)
		}
		was, err = now.Message(u.k)
		return err
	})
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(u.req.GetUpdateMask(), func(name string) bool { f := u.k.Field(name); return f != nil && u.k.Fixed(f) }); i >= 0 {
		return schema.Invalid("update_mask", "%s.%s stays as it was written", u.k.Name, u.req.GetUpdateMask()[i])
	}
	if err := schema.CheckEdit(was, u.body, u.req.GetUpdateMask()); err != nil {
		return inRecord(u.k, err)
	}
	if s, ok := u.body.(*branchlinev1.Setting); ok && slices.Contains(u.req.GetUpdateMask(), "value") {
		then := &branchlinev1.Setting{Name: was.(*branchlinev1.Setting).Name, Value: s.Value}
		if err := setting.Check(then); err != nil {
			return inRecord(u.k, err)
		}
	}
	mask, err := u.mask(was)
	if err != nil {
		return err
	}
	change, err := edit.Update(u.k, now, u.body, mask, u.req.GetRecord().GetEtag())
	if err != nil {
		return u.conflict(err)
	}
	if change.Empty() {
		if u.req.GetRequestId() == "" {
			return nil
		}
		return u.h.c.Store.Write(u.ctx, func(w *store.W) error { return u.h.remember(w, u.k, editedBy, u.req.GetRequestId(), u.id) })
	}
	values := u.k.New()
	if err := proto.Unmarshal(change.Values, values); err != nil {
		return fmt.Errorf("hq/api: %s: %w", u.k.Name, err)
	}
	if !slices.Contains(mask, "states") {
		if add := desk.Dated(values, u.who.Actor, u.h.c.Now()); add != nil {
			proto.Merge(values, add)
		}
	}
	if err := u.h.refs(u.ctx, u.k, values); err != nil {
		return inRecord(u.k, err)
	}
	_, err = u.h.c.Inbox.Edit(u.ctx, inbox.Edit{
		Kind: u.k.Kind, Record: u.id, Values: values, Names: change.Names, Actor: u.who.Actor, Role: u.who.Role,
		Confirmed: u.req.GetConfirmed(), Also: u.also(values),
	})
	return err
}

// mask is what the person named, and what follows from it: a VIN's check is told with it.
func (u *updater) mask(was proto.Message) ([]string, error) {
	mask := slices.Clone(u.req.GetUpdateMask())
	v, ok := u.body.(*branchlinev1.Vehicle)
	if !ok || !slices.Contains(mask, "vin") {
		return mask, nil
	}
	confirmed := u.req.GetConfirmed()
	if was.(*branchlinev1.Vehicle).GetVin() == v.GetVin() { // asked and answered when it was written
		confirmed = append(slices.Clone(confirmed), desk.ConfirmVIN)
	}
	if err := desk.CheckVIN(v, confirmed); err != nil {
		return nil, err
	}
	if !slices.Contains(mask, "vin_checked") {
		mask = append(mask, "vin_checked")
	}
	return mask, nil
}

// also is what must stand with the edit: that the request was done, and the registry's name of a branch.
func (u *updater) also(values proto.Message) func(*store.W, schema.RecordID) error {
	rename := u.rename(values)
	return func(w *store.W, id schema.RecordID) error {
		if rename != nil {
			if err := rename(w, id); err != nil {
				return err
			}
		}
		return u.h.remember(w, u.k, editedBy, u.req.GetRequestId(), id)
	}
}

// rename keeps the registry's name of a branch that of its record.
func (u *updater) rename(values proto.Message) func(*store.W, schema.RecordID) error {
	b, ok := values.(*branchlinev1.Branch)
	if !ok || b.GetName() == "" {
		return nil
	}
	return func(w *store.W, id schema.RecordID) error {
		for _, x := range u.h.c.Store.Branches() {
			if x.Record == id {
				return w.SetBranch(x.Num, func(x *store.Branch) { x.Name = b.GetName() })
			}
		}
		return nil
	}
}

func (u *updater) conflict(err error) error {
	return u.h.c.Store.Read(u.ctx, func(r *store.R) error {
		return inRecord(u.k, desk.Conflict(err, u.h.shower(r, access.CallerFrom(u.ctx)).actor))
	})
}

// FindLike is refused: customers are written down where they stand.
func (h *Records) FindLike(context.Context, *branchlinev1.FindLikeRequest) (*branchlinev1.FindLikeResponse, error) {
	return nil, fmt.Errorf("headquarters writes no customers down at a counter: ask a branch's node, or search here: %w", schema.ErrForbidden)
}

// PickCustomers is refused: a branch calls its own customers.
func (h *Records) PickCustomers(context.Context, *branchlinev1.PickCustomersRequest) (*branchlinev1.PickCustomersResponse, error) {
	return nil, fmt.Errorf("headquarters picks no customers by conditions: ask the node of the branch that calls them: %w", schema.ErrForbidden)
}

// ImportRows is refused: rows belong to the branch they come from.
func (h *Records) ImportRows(context.Context, *branchlinev1.ImportRowsRequest) (*branchlinev1.ImportRowsResponse, error) {
	return nil, fmt.Errorf("headquarters takes no imports: import each branch's rows at its own node (branchline import --dir NODE, or --at its address): %w", schema.ErrForbidden)
}
