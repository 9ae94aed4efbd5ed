package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

// ImportRows makes the records of source rows, all of a row or none of it. A row
// whose key is in is skipped. A dry run judges the rows and stores nothing.
func (h *Records) ImportRows(ctx context.Context, req *branchlinev1.ImportRowsRequest) (*branchlinev1.ImportRowsResponse, error) {
	id, err := h.c.Store.Identity(ctx)
	if err != nil {
		return nil, err
	}
	im := importer{req: req, caller: access.CallerFrom(ctx), branch: id.Branch, out: make([]*branchlinev1.ImportResult, len(req.GetRows()))}
	for i, row := range req.GetRows() {
		if err := im.may(i, row); err != nil {
			return nil, err
		}
	}
	errs, err := h.c.Store.PutAll(ctx, len(req.GetRows()), req.GetDryRun(), im.row)
	if err != nil {
		return nil, err
	}
	for i, err := range errs {
		if err != nil {
			im.out[i] = &branchlinev1.ImportResult{Violations: violations(err)}
		}
	}
	if err := h.likes(ctx, &im); err != nil {
		return nil, err
	}
	return &branchlinev1.ImportRowsResponse{Results: im.out}, nil
}

type importer struct {
	req    *branchlinev1.ImportRowsRequest
	caller access.Caller
	branch schema.BranchID
	out    []*branchlinev1.ImportResult
	drafts []made // if likes are asked for
}

// made is a customer that a row makes.
type made struct {
	row  int
	id   schema.RecordID
	body *branchlinev1.Customer
}

// maxImportLikes bounds how many customers one row is said to be like.
const maxImportLikes = 8

// likes says of the rows that were taken whom their customers are like. It is asked when the rows are in, outside
// of their transaction, so that nobody at the counter waits for it.
func (h *Records) likes(ctx context.Context, im *importer) error {
	// A row that was refused has made nobody, whatever it had begun to make.
	im.drafts = slices.DeleteFunc(im.drafts, func(d made) bool { return len(im.out[d.row].GetViolations()) > 0 })
	if len(im.drafts) == 0 {
		return nil
	}
	drafts := make([]store.Draft, len(im.drafts))
	here := map[schema.RecordID]bool{}
	for i, d := range im.drafts {
		here[d.id] = true
		res := im.out[d.row]
		res.Made = append(res.Made, schema.ResourceName(schema.Customer, d.id))
		drafts[i] = store.Draft{Customer: d.body, Except: here}
	}
	found, err := h.c.Store.Resemble(ctx, drafts, maxImportLikes)
	if err != nil {
		return err
	}
	for i, list := range found {
		res := im.out[im.drafts[i].row]
		for _, l := range list {
			if len(res.GetLikes()) < maxImportLikes {
				res.Likes = append(res.Likes, &branchlinev1.ImportLike{Record: schema.ResourceName(schema.Customer, l.ID), Agrees: l.Agrees})
			}
		}
	}
	return nil
}

// may refuses the whole request for what no row of it could ever be.
func (im *importer) may(i int, row *branchlinev1.ImportRow) error {
	check := func(r *branchlinev1.Record) (*schema.KindInfo, error) {
		k, body, err := schema.BodyOf(r)
		if err != nil {
			return nil, err
		}
		return k, im.caller.CheckWrite(access.Node, k.Kind, desk.Fields(k, body)...)
	}
	for j, r := range row.GetRecords() {
		k, err := check(r)
		if err != nil {
			return err
		}
		if j == 0 && k.Field(sourceField) == nil {
			return schema.Invalid(fmt.Sprintf("rows[%d].records[0]", i), "a %s has no source ids: it could not be told whether it is in already", k.Name)
		}
	}
	for _, ref := range row.GetRefs() {
		if ref.GetStub() != nil {
			if _, err := check(ref.GetStub()); err != nil {
				return err
			}
		}
	}
	return nil
}

const sourceField = "source_ids"

func (im *importer) row(b *store.Batch, i int) error {
	row := im.req.GetRows()[i]
	first, _, err := schema.BodyOf(row.GetRecords()[0])
	if err != nil {
		return err
	}
	if id, ok, err := b.BySource(first.Kind, im.req.GetSource(), row.GetKey()); err != nil {
		return err
	} else if ok {
		im.out[i] = &branchlinev1.ImportResult{Skipped: true, Name: schema.ResourceName(first.Kind, id)}
		return nil
	}
	ids := make([]schema.RecordID, len(row.GetRecords()))
	bodies := make([]proto.Message, len(ids))
	for j, r := range row.GetRecords() {
		_, body, err := schema.BodyOf(r)
		if err != nil {
			return err
		}
		bodies[j] = proto.Clone(body)
		if ids[j], err = b.MintID(); err != nil {
			return err
		}
	}
	if err := im.resolve(b, i, first, bodies[0], row.GetRefs()); err != nil {
		return err
	}
	addSource(bodies[0], im.req.GetSource(), row.GetKey())
	for j, body := range bodies {
		k := schema.KindOfMessage(body)
		if err := positions(k, body, ids); err != nil {
			return at(j, err)
		}
		if err := im.put(b, i, k, ids[j], body); err != nil {
			return at(j, err)
		}
	}
	im.out[i] = &branchlinev1.ImportResult{Name: schema.ResourceName(first.Kind, ids[0])}
	return nil
}

// at says which record of the row the fields of an error are of.
func at(j int, err error) error {
	vs := violations(err)
	if j == 0 || vs[0].GetField() == "" {
		return err
	}
	out := &schema.FieldsError{}
	for _, v := range vs {
		out.Violations = append(out.Violations, schema.Violation{Field: fmt.Sprintf("lines.%d.%s", j-1, v.GetField()), Reason: v.GetReason()})
	}
	return out
}

func (im *importer) put(b *store.Batch, row int, k *schema.KindInfo, id schema.RecordID, body proto.Message) error {
	desk.Uniform(body)
	switch v := body.(type) {
	case *branchlinev1.Vehicle:
		// Nobody to ask: the record says that it was not checked.
		if err := desk.CheckVIN(v, []string{desk.ConfirmVIN}); err != nil {
			return err
		}
	case *branchlinev1.Customer:
		if im.req.GetLikes() {
			im.drafts = append(im.drafts, made{row, id, v})
		}
	}
	desk.MadeAt(body, im.branch) // and nothing else (desk.Complete): the days of old records are not today
	e := store.Edit{Kind: k.Kind, ID: id, Create: true, Message: body}
	e.Actor, e.Role = writer(im.caller, k.Kind)
	_, err := b.Put(e)
	return err
}

// resolve puts the ids of the records that the row names by their source ids into
// its first record; an absent one is made from its stub.
func (im *importer) resolve(b *store.Batch, row int, k *schema.KindInfo, body proto.Message, refs []*branchlinev1.ImportRef) error {
	for _, ref := range refs {
		f := k.Field(ref.GetField())
		if f == nil || f.Ref == 0 {
			return schema.Invalid(ref.GetField(), "is no reference of a %s", k.Name)
		}
		source := ref.GetSource()
		if source == "" {
			source = im.req.GetSource()
		}
		id, ok, err := b.BySource(f.Ref, source, ref.GetKey())
		if err != nil {
			return err
		}
		if !ok {
			if ref.GetStub() == nil {
				return schema.Invalid(f.Name, "there is no %s %q of %s at this branch", schema.KindOf(f.Ref).Name, ref.GetKey(), source)
			}
			if id, err = im.stub(b, row, f, source, ref); err != nil {
				return err
			}
		}
		body.ProtoReflect().Set(f.Desc, protoreflect.ValueOfString(id.String()))
	}
	return nil
}

func (im *importer) stub(b *store.Batch, row int, f *schema.FieldInfo, source string, ref *branchlinev1.ImportRef) (schema.RecordID, error) {
	k, body, err := schema.BodyOf(ref.GetStub())
	if err != nil {
		return schema.RecordID{}, err
	}
	if k.Kind != f.Ref {
		return schema.RecordID{}, schema.Invalid(f.Name, "its stub is a %s, not a %s", k.Name, schema.KindOf(f.Ref).Name)
	}
	id, err := b.MintID()
	if err != nil {
		return id, err
	}
	body = proto.Clone(body)
	addSource(body, source, ref.GetKey())
	return id, im.put(b, row, k, id, body)
}

// addSource notes the record's number in the other system, if its kind keeps such numbers.
func addSource(m proto.Message, source, key string) {
	s := &branchlinev1.SourceId{Source: &source, Id: &key}
	has := func(list []*branchlinev1.SourceId) bool {
		for _, x := range list {
			if x.GetSource() == source && x.GetId() == key {
				return true
			}
		}
		return false
	}
	r := m.ProtoReflect()
	fd := r.Descriptor().Fields().ByName(sourceField)
	if fd == nil {
		return
	}
	list := r.Mutable(fd).List()
	var have []*branchlinev1.SourceId
	for i := range list.Len() {
		if x, ok := list.Get(i).Message().Interface().(*branchlinev1.SourceId); ok {
			have = append(have, x)
		}
	}
	if !has(have) {
		list.Append(protoreflect.ValueOfMessage(s.ProtoReflect()))
	}
}

// positions turns references to other records of the row ($0, $1, …) into their ids.
func positions(k *schema.KindInfo, m proto.Message, ids []schema.RecordID) error {
	r := m.ProtoReflect()
	for _, f := range k.Fields {
		if f.Ref == 0 || !r.Has(f.Desc) {
			continue
		}
		n, ok := strings.CutPrefix(r.Get(f.Desc).String(), "$")
		if !ok {
			continue
		}
		i, err := strconv.Atoi(n)
		if err != nil || i < 0 || i >= len(ids) {
			return schema.Invalid(f.Name, "$%s is no record of the row", n)
		}
		r.Set(f.Desc, protoreflect.ValueOfString(ids[i].String()))
	}
	return nil
}
