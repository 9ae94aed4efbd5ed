package web

import (
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// Headquarters may choose which value of a customer is shown. A branch's own value is kept beside it, and whoever
// writes one is told what stands on the page instead.

// pinned are the single values of a record that headquarters chose, as a page says them, by field.
func (a *ask) pinned(r *branchlinev1.Record) map[string]string {
	k, body, err := schema.BodyOf(r)
	if err != nil || k == nil {
		return nil
	}
	var out map[string]string
	for _, src := range r.GetSources() {
		f := k.Field(src.GetField())
		if src.GetPin() == "" || f == nil || f.Desc.IsList() || !body.ProtoReflect().Has(f.Desc) {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[f.Name] = a.say(f, body.ProtoReflect().Get(f.Desc))
	}
	return out
}

// golden reads the record of the request as its page shows it.
func (s *Site) golden(a *ask, e editor) (*branchlinev1.Record, error) {
	return s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: e.name(a.id), Golden: true})
}

// pinHints says at the inputs of a form what headquarters chose in their place.
func (s *Site) pinHints(a *ask, e editor, sections []section) error {
	if e.kind != schema.Customer {
		return nil
	}
	r, err := s.golden(a, e)
	if err != nil {
		return err
	}
	pinned := a.pinned(r)
	for _, sec := range sections {
		for _, row := range sec.Rows {
			for i := range row {
				if text, ok := pinned[row[i].Name]; ok {
					row[i].Hint = a.T("customer.pin_hint", text)
				}
			}
		}
	}
	return nil
}

// saved is where to go after an edit, mask being what was written: to the page, which tells of the fields whose new value it does not show.
func (s *Site) saved(a *ask, e editor, typed proto.Message, back string, mask []string) (string, error) {
	if e.then != nil {
		return e.then(a, typed)
	}
	if e.kind != schema.Customer || len(mask) == 0 {
		return back, nil
	}
	r, err := s.golden(a, e)
	if err != nil {
		return "", err
	}
	pinned := a.pinned(r)
	kept := slices.DeleteFunc(slices.Clone(mask), func(f string) bool { _, ok := pinned[f]; return !ok })
	if len(kept) == 0 {
		return back, nil
	}
	return back + "?" + url.Values{"kept": {strings.Join(kept, ",")}}.Encode(), nil
}

// keptNote tells that an edit was saved which the page does not show; nil when there was none.
func (a *ask) keptNote(r *branchlinev1.Record) *look.Note {
	asked := strings.Split(a.Query("kept"), ",")
	pinned := a.pinned(r)
	k := schema.KindOf(schema.Customer)
	var said []string
	for _, f := range k.Fields {
		if text, ok := pinned[f.Name]; ok && slices.Contains(asked, f.Name) && a.sees(k.Kind, f.Name) {
			said = append(said, a.T("customer.pin_shows", a.label(k, f.Name), text))
		}
	}
	if len(said) == 0 {
		return nil
	}
	return &look.Note{Tone: "info", Mark: "yes", Fact: a.T("customer.pin_kept"), Then: a.T("customer.pin_kept_then", strings.Join(said, a.T("say.semicolon")))}
}

// also says at which sites the same value was written as well: just so, and in another spelling, with that and the day.
func (a *ask) also(text string, k *schema.KindInfo, src *branchlinev1.FieldSource) (same, spelled string) {
	var just, others []string
	add := func(list *[]string, s string) {
		if !slices.Contains(*list, s) {
			*list = append(*list, s)
		}
	}
	for _, x := range src.GetAlso() {
		site := a.SiteName(x.GetBranch())
		if as := a.sayJSON(k, src.GetField(), x.GetJson()); as != "" && !strings.HasPrefix(text, as) && !strings.HasPrefix(as, text) { // a label more or less is no other spelling
			add(&others, a.T("customer.also_as", site+" "+a.s.look.Day(x.GetAt()), as))
		} else {
			add(&just, site)
		}
	}
	if len(just) > 0 {
		same = a.T("customer.same_at", a.List(just))
	}
	if len(others) > 0 {
		spelled = a.T("customer.also", a.List(others))
	}
	return same, spelled
}
