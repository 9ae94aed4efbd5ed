package front

import (
	"context"
	"net/url"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// People is the part of the API that staff records are read from and written to.
type People interface {
	Lister
	CreateRecord(context.Context, *branchlinev1.CreateRecordRequest) (*branchlinev1.Record, error)
	GetRecord(context.Context, *branchlinev1.GetRecordRequest) (*branchlinev1.Record, error)
	UpdateRecord(context.Context, *branchlinev1.UpdateRecordRequest) (*branchlinev1.Record, error)
}

// people are the staff records by code.
func (a *Ask) people(api Lister) (map[string]*branchlinev1.Record, error) {
	out := map[string]*branchlinev1.Record{}
	req := &branchlinev1.ListRecordsRequest{Collection: "staff", PageSize: 1000}
	for {
		res, err := api.ListRecords(a.R.Context(), req)
		if err != nil {
			return nil, err
		}
		for _, r := range res.GetRecords() {
			if s := r.GetStaff(); s.GetRetiredAt() == 0 && out[s.GetCode()] == nil {
				out[s.GetCode()] = r
			}
		}
		if req.PageToken = res.GetNextPageToken(); req.PageToken == "" {
			return out, nil
		}
	}
}

// person writes the staff record that goes with an account: what colleagues everywhere see of the person. It is made if
// there is none, and left alone when the form says nothing new. The code is who the changes of the account are by.
func (p *Accounts) person(a *Ask, code string, roles []branchlinev1.Role) error {
	name, branches := a.Form("person"), a.R.PostForm["branches"]
	if !a.Writes(schema.Staff) || name == "" && len(branches) == 0 {
		return nil
	}
	known, err := a.people(p.Records)
	if err != nil {
		return err
	}
	want := &branchlinev1.Staff{Code: &code, Branches: branches, Roles: roles}
	if name != "" {
		want.Name = &name
	}
	old := known[code]
	if old == nil {
		_, err := p.Records.CreateRecord(a.R.Context(), &branchlinev1.CreateRecordRequest{
			Record: &branchlinev1.Record{Body: &branchlinev1.Record_Staff{Staff: want}},
		})
		return err
	}
	var mask []string
	if name != "" && name != old.GetStaff().GetName() {
		mask = append(mask, "name")
	}
	if !same(branches, old.GetStaff().GetBranches()) {
		mask = append(mask, "branches")
	}
	if len(mask) == 0 {
		return nil
	}
	now, err := p.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: old.GetName()})
	if err != nil {
		return err
	}
	_, err = p.Records.UpdateRecord(a.R.Context(), &branchlinev1.UpdateRecordRequest{
		Record: &branchlinev1.Record{Name: now.GetName(), Etag: now.GetEtag(), Body: &branchlinev1.Record_Staff{Staff: want}}, UpdateMask: mask,
	})
	return err
}

// same tells whether two lists hold the same, in whatever order.
func same(x, y []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(x)), slices.Sorted(slices.Values(y)))
}

func saved(done, of string) string { return url.Values{"done": {done}, "of": {of}}.Encode() }
