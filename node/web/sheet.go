package web

import (
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// sheet is a record as its page shows it: folded over its group. An edit of it, with the etag of what the page shows,
// is one of the whole group: the API sees where it goes.
type sheet struct {
	r    *branchlinev1.Record
	k    *schema.KindInfo
	body proto.Message
	// members are the records of the group; none when it is alone.
	members []*branchlinev1.Record
	// target is this branch's own member, else the record itself.
	target string
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
	sh := &sheet{r: r, k: k, body: body, target: r.GetName()}
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
	return sh, nil
}
