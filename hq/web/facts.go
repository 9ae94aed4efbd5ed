package web

import (
	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// A record's values, each with where it is from and what lost against it.

type factRow struct {
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
	Lost    []lostValue
}

type lostValue struct {
	Text, Site string
	At, Now    int64
	Why        string // it is not the one shown
}

// shownFields are the fields of a kind that a page shows, in its order.
func shownFields(k schema.Kind) []string {
	if k == schema.Customer {
		return []string{
			"name", "type", "other_names", "phones", "emails", "addresses", "contact_name", "birthday", "id_last",
			"credit_code", "preferred_channel", "preferences", "remark", "consent_marketing", "consent_sharing",
			"consent_survey", "status", "value_class", "key_account", "deal_classes", "source_ids", "retired_at", "retired_reason",
		}
	}
	return []string{
		"vin", "plates", "brand", "model", "variant", "model_year", "colour", "energy", "engine_number",
		"production_number", "built_on", "sold_on", "registered_on", "selling_dealer", "warranties", "remark",
		"source_ids", "retired_at", "retired_reason",
	}
}

// facts are the shown values of a record. homes are the home branches of its group's members, by name.
func (a *ask) facts(r *branchlinev1.Record, homes map[string]string) ([]factRow, error) {
	k, body, err := schema.BodyOf(r)
	if err != nil || k == nil {
		return nil, err
	}
	var rows []factRow
	for _, name := range shownFields(k.Kind) {
		f := k.Field(name)
		row := factRow{Label: a.say.Label(k, name)}
		for i, text := range a.say.Values(f, body) {
			if text == "" {
				continue
			}
			index := int32(i)
			if !f.Desc.IsList() {
				index = -1
			}
			v := factValue{Text: text, Strong: name == "name" || name == "phones", VIN: name == "vin"}
			a.source(&v, r, k, name, index, homes)
			row.Values = append(row.Values, v)
		}
		if len(row.Values) > 0 {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (a *ask) source(v *factValue, r *branchlinev1.Record, k *schema.KindInfo, field string, index int32, homes map[string]string) {
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
	v.Source = look.Source{Where: "COMMITTED", Site: a.site(src.GetBranch()), At: src.GetAt(), Now: a.now, Who: a.names().person(src.GetActor())}
	if home := homes[src.GetRecord()]; home != "" && home != src.GetBranch() {
		v.Member = a.t("facts.of_member", a.site(home))
	}
	why := "facts.lost_rule"
	switch k.Field(field).Merge {
	case optionsv1.Merge_LATEST:
		why = "facts.lost_later"
	case optionsv1.Merge_DENY_WINS:
		why = "facts.lost_refusal"
	}
	for _, l := range src.GetLost() {
		lost := lostValue{Text: a.say.JSON(k, field, l.GetJson()), Site: a.site(l.GetBranch()), At: l.GetAt(), Now: a.now, Why: a.t(why)}
		if lost.Text != "" && lost.Text != v.Text {
			v.Lost = append(v.Lost, lost)
		}
	}
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
		names = append(names, a.site(code))
	}
	if len(names) > 0 {
		out.Sites = a.t("facts.delivered", a.list(names))
	}
	return out
}
