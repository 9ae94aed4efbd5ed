package web

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// sheet is a record as its page shows it: folded over its group, and where an edit of it goes.
type sheet struct {
	r    *branchlinev1.Record
	k    *schema.KindInfo
	body proto.Message
	// members are the records of the group; none when it is alone.
	members []*branchlinev1.Record
	// target is the record that edits go to: this branch's own member, else the record itself; etag is the target's.
	target string
	etag   string
	where  *branchlinev1.Where // of the target
}

// sheet reads a record and its group.
func (s *Site) sheet(a *ask, name string) (*sheet, error) {
	ctx := a.R.Context()
	r, err := s.c.Records.GetRecord(ctx, &branchlinev1.GetRecordRequest{Name: name, Golden: true})
	if err != nil {
		return nil, err
	}
	k, body, err := schema.BodyOf(r)
	if err != nil {
		return nil, err
	}
	if k == nil {
		return nil, schema.ErrNotFound
	}
	sh := &sheet{r: r, k: k, body: body, target: r.GetName(), etag: r.GetEtag(), where: r.GetWhere()}
	if len(r.GetGroup()) < 2 {
		return sh, nil
	}
	own := ""
	for _, m := range membersOf(r) {
		rec, err := s.c.Records.GetRecord(ctx, &branchlinev1.GetRecordRequest{Name: m})
		if isMissing(err) {
			continue // a member that has not come yet, or may not be seen here
		}
		if err != nil {
			return nil, err
		}
		sh.members = append(sh.members, rec)
		if rec.GetHome() == a.branch() && !rec.GetShared() && (own == "" || m == r.GetName()) {
			own = m
		}
	}
	if own != "" {
		sh.target = own
	}
	for _, m := range sh.members {
		if m.GetName() == sh.target {
			sh.etag, sh.where = m.GetEtag(), m.GetWhere()
		}
	}
	return sh, nil
}

// bodyOf is what one member holds by itself.
func (sh *sheet) bodyOf(name string) proto.Message {
	for _, m := range sh.members {
		if m.GetName() == name {
			if _, body, err := schema.BodyOf(m); err == nil && body != nil {
				return body
			}
		}
	}
	return sh.k.New()
}

// rebase makes a list in out from what a member has and what the person added and took away on the page of the group.
func rebase(f *schema.FieldInfo, was, typed, out, member proto.Message) {
	before, mine, have := entries(f, was), entries(f, typed), entries(f, member)
	r := out.ProtoReflect()
	list := r.NewField(f.Desc)
	for _, x := range have {
		if !has(before, x) || has(mine, x) {
			list.List().Append(x)
		}
	}
	for _, x := range mine {
		if !has(before, x) && !has(have, x) {
			list.List().Append(x)
		}
	}
	r.Set(f.Desc, list)
}

// takeOff removes from a member's list what the person took away; false when it had none of it.
func takeOff(f *schema.FieldInfo, was, typed, member proto.Message) bool {
	before, mine := entries(f, was), entries(f, typed)
	r := member.ProtoReflect()
	var left []protoreflect.Value
	gone := false
	for _, x := range entries(f, member) {
		if has(before, x) && !has(mine, x) {
			gone = true
			continue
		}
		left = append(left, x)
	}
	if !gone {
		return false
	}
	list := r.NewField(f.Desc)
	for _, x := range left {
		list.List().Append(x)
	}
	r.Set(f.Desc, list)
	return true
}
