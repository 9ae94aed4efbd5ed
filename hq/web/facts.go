package web

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

// A record's values, each with where it is from and what lost against it.

type factRow struct {
	Field  string
	Label  string
	Values []factValue
}

type factValue struct {
	Text    string
	Strong  bool
	VIN     bool
	Sourced bool
	Source  look.Source
	Member  string // whose record the value is from, where several are read as one
	Also    string // who else wrote the same, in words
	Lost    []lostValue
	Pinned  bool // a steward chose it
	Choose  *pinButton
}

type lostValue struct {
	Text, Site string
	At, Now    int64
	Why        string // it is not the one shown
	Choose     *pinButton
}

// facts are the shown values of a record. homes are the home branches of its group's members, by name.
func (a *ask) facts(r *branchlinev1.Record, homes map[string]string) ([]factRow, error) {
	k, body, err := schema.BodyOf(r)
	if err != nil || k == nil {
		return nil, err
	}
	var rows []factRow
	for _, name := range say.Fields(k.Kind) {
		f := k.Field(name)
		row := factRow{Field: name, Label: a.Sayer().Label(k, name)}
		for i, text := range a.Sayer().Values(f, body) {
			if text == "" {
				continue
			}
			index := int32(i)
			if !f.Desc.IsList() {
				index = -1
			}
			v := factValue{Text: text, Strong: name == "name" || name == "phones", VIN: name == "vin"}
			a.source(&v, r, k, body, name, index, homes)
			row.Values = append(row.Values, v)
		}
		if len(row.Values) > 0 {
			a.choices(&row, r, f)
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (a *ask) source(v *factValue, r *branchlinev1.Record, k *schema.KindInfo, body proto.Message, field string, index int32, homes map[string]string) {
	var src *branchlinev1.FieldSource
	for _, s := range r.GetSources() {
		if s.GetField() == field && s.GetIndex() == index {
			src = s
		}
	}
	if src == nil {
		return
	}
	v.Sourced = true
	// What headquarters shows it has committed; how far the latest change has got beyond that is said once, below.
	v.Source = look.Source{Where: "COMMITTED", Site: a.SiteName(src.GetBranch()), At: src.GetAt(), Now: a.Now, Who: a.Names().Person(src.GetActor())}
	if home := homes[src.GetRecord()]; home != "" && home != src.GetBranch() {
		v.Member = a.T("facts.of_member", a.SiteName(home))
	}
	v.Pinned = src.GetPin() != ""
	v.Also = a.also(v.Text, k, src)
	why := "facts.lost_rule"
	switch merge := k.Field(field).Merge; {
	case v.Pinned:
		why = "facts.lost_pin"
	case merge == optionsv1.Merge_LATEST:
		why = "facts.lost_later"
	case merge == optionsv1.Merge_DENY_WINS && given(body.ProtoReflect().Get(k.Field(field).Desc)): // nobody refused
		why = "facts.lost_later"
	case merge == optionsv1.Merge_DENY_WINS:
		why = "facts.lost_refusal"
	}
	for _, l := range src.GetLost() {
		lost := lostValue{Text: a.Sayer().JSON(k, field, l.GetJson()), Site: a.SiteName(l.GetBranch()), At: l.GetAt(), Now: a.Now, Why: a.T(why)}
		if lost.Text == "" || lost.Text == v.Text {
			continue
		}
		// The same value lost at several sites is told once, by the latest.
		if i := slices.IndexFunc(v.Lost, func(x lostValue) bool { return x.Text == lost.Text }); i >= 0 {
			continue
		}
		lost.Choose = a.choice(r, field, l.GetJson(), l.GetRecord(), "facts.pin")
		v.Lost = append(v.Lost, lost)
	}
}

// also says who else wrote the same value, and how when it was in another spelling.
func (a *ask) also(text string, k *schema.KindInfo, src *branchlinev1.FieldSource) string {
	var out []string
	for _, x := range src.GetAlso() {
		where := a.SiteName(x.GetBranch()) + " " + a.s.look.Day(x.GetAt())
		if as := a.Sayer().JSON(k, src.GetField(), x.GetJson()); as != "" && !strings.HasPrefix(text, as) && !strings.HasPrefix(as, text) { // a label more or less is no other spelling
			where = a.T("facts.also_as", where, as)
		}
		if !slices.Contains(out, where) {
			out = append(out, where)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return a.T("facts.also", a.List(out))
}

// reach is how far the latest change of a record has got.
type reach struct {
	Where string // state of the vocabulary, "" when it is not known
	Sites string // who has it, in words
}

func (a *ask) reach(w *branchlinev1.Where) reach {
	if w.GetState() == branchlinev1.WhereState_WHERE_UNSPECIFIED {
		return reach{}
	}
	out := reach{Where: w.GetState().String()}
	var names []string
	for _, code := range w.GetDelivered() {
		names = append(names, a.SiteName(code))
	}
	if len(names) > 0 {
		out.Sites = a.T("facts.delivered", a.List(names))
	}
	return out
}
