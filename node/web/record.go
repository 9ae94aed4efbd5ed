package web

import (
	"errors"
	"net/http"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/sync/desk"
)

// The sheet of a record whose kind has no page of its own: every value with where it is from, and the way to what it
// names.

type recordView struct {
	look.Frame
	Kind, Name string
	Shared     bool
	Facts      []factRow
	Reach      reach
}

func (s *Site) record(a *ask) error {
	k := schema.KindOfCollection(a.R.PathValue("collection"))
	if k == nil {
		return schema.ErrNotFound
	}
	if !a.Reads(k.Kind) {
		return schema.ErrForbidden
	}
	name := k.Collection + "/" + a.id
	if a.May("GET /" + k.Collection + "/{id}") {
		return a.GoTo("/" + name)
	}
	sh, err := s.sheet(a, name)
	if err != nil {
		return err
	}
	title, _ := desk.Titles(sh.r)
	if title == sh.r.GetName() {
		title = a.Sayer().Kind(k)
	}
	v := recordView{
		Frame: a.frame(title, "home"), Kind: a.Sayer().Kind(k), Name: title, Shared: sh.r.GetShared(), Facts: a.facts(sh, ""), Reach: a.reach(sh.r.GetWhere()),
	}
	for i := range v.Facts {
		f := k.Field(v.Facts[i].Field)
		for j := range v.Facts[i].Values {
			if err := a.resolve(f, &v.Facts[i].Values[j]); err != nil {
				return err
			}
		}
	}
	return s.pages.record.Render(a.W, http.StatusOK, v)
}

// resolve says who or what a value names: a record, a branch, a colleague.
func (a *ask) resolve(f *schema.FieldInfo, v *factValue) error {
	switch {
	case f.Ref != 0:
		id, err := schema.ParseRecordID(v.Text)
		if err != nil {
			return nil // it is shown as it was written
		}
		r, err := a.s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: schema.ResourceName(f.Ref, id)})
		switch {
		case isMissing(err), errors.Is(err, schema.ErrForbidden):
			v.Text = a.T("record.elsewhere")
			return nil
		case err != nil:
			return err
		}
		if v.Text, _ = desk.Titles(r); v.Text == r.GetName() {
			v.Text = a.Sayer().Kind(schema.KindOf(f.Ref))
		}
		v.Href = a.Href(r.GetName())
	case f.Name == "branch", f.Name == "sold_by":
		v.Text = a.SiteName(v.Text)
	case slices.Contains([]string{"adviser", "approved_by", "author", "by", "cashier", "inspector", "seller", "technician"}, f.Name):
		if who := a.Names().Person(v.Text); who != "" {
			v.Text = who
		}
	}
	return nil
}
