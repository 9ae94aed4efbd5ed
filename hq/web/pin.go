package web

import (
	"encoding/json"
	"errors"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/edit"
)

// A steward chooses which value of a golden customer is shown, and undoes it.

// pinButton is a button that chooses a value, or undoes a choice.
type pinButton struct {
	To            string // where to post it
	Act           string // pin, unpin
	Field, Value  string // JSON
	Record, Pin   string
	Text, OfValue string
}

// choice is the button for a value of a customer that is not the one shown; nil when the caller may not choose it.
func (a *ask) choice(r *branchlinev1.Record, field, value, record, word string) *pinButton {
	f := schema.KindOf(schema.Customer).Field(field)
	if r.GetCustomer() == nil || !a.Writes(schema.Pin) || !edit.MayPin(f) || value == "" {
		return nil
	}
	if record == "" {
		record = r.GetName()
	}
	return &pinButton{
		To: "/" + r.GetName() + "/pins", Act: "pin", Field: field, Value: value, Record: record, Text: a.T(word),
		OfValue: a.Sayer().JSON(schema.KindOf(schema.Customer), field, value),
	}
}

// choices puts the buttons at the values of a field: to undo the choice, or to choose another of a list.
func (a *ask) choices(row *factRow, r *branchlinev1.Record, f *schema.FieldInfo) {
	if r.GetCustomer() == nil || !a.Writes(schema.Pin) {
		return
	}
	list := f.Merge == optionsv1.Merge_UNION
	for _, src := range r.GetSources() {
		i := max(int(src.GetIndex()), 0)
		if src.GetField() != f.Name || i >= len(row.Values) || row.Values[i].Text == "" {
			continue
		}
		v := &row.Values[i]
		switch {
		case src.GetPin() != "":
			v.Choose = &pinButton{To: "/" + r.GetName() + "/pins", Act: "unpin", Field: f.Name, Pin: src.GetPin(), Text: a.T("facts.unpin"), OfValue: v.Text}
		case list && len(row.Values) > 1:
			if text, ok := entryJSON(r.GetCustomer(), f.Name, i); ok {
				v.Choose = a.choice(r, f.Name, text, src.GetRecord(), "facts.pin_first")
			}
		}
	}
}

// entryJSON is one entry of a list as JSON.
func entryJSON(c *branchlinev1.Customer, field string, i int) (string, bool) {
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(c)
	if err != nil {
		return "", false
	}
	var fields map[string]json.RawMessage
	var list []json.RawMessage
	if json.Unmarshal(b, &fields) != nil || json.Unmarshal(fields[field], &list) != nil || i >= len(list) {
		return "", false
	}
	return string(list[i]), true
}

// pins is the form at a value.
func (s *Site) pins(a *ask) error {
	name, field := "customers/"+a.R.PathValue("id"), a.Form("field")
	switch a.Form("act") {
	case "pin":
		if err := s.pin(a, name, field); err != nil {
			return err
		}
	case "unpin":
		if err := s.unpin(a, a.Form("pin")); err != nil {
			return err
		}
	default:
		return schema.Invalid("act", "%q is neither pin nor unpin", a.Form("act"))
	}
	return a.GoTo("/" + name + "#v-" + field)
}

func (s *Site) pin(a *ask, name, field string) error {
	k := schema.KindOf(schema.Customer)
	f := k.Field(field)
	if f == nil || !edit.MayPin(f) {
		return schema.Invalid("field", "is not one that is chosen")
	}
	text := a.Form("value")
	if f.Desc.IsList() {
		text = "[" + text + "]"
	}
	v := new(branchlinev1.Customer)
	if err := protojson.Unmarshal([]byte(`{"`+field+`":`+text+`}`), v); err != nil {
		return schema.Invalid("value", "is not one of the field")
	}
	kind, id, err := schema.ParseName(a.Form("record"))
	if err != nil || kind != schema.Customer {
		return schema.Invalid("record", "%q is no customer", a.Form("record"))
	}
	was, err := s.api.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name, Golden: true})
	if err != nil {
		return notFound(err)
	}
	if slices.ContainsFunc(was.GetSources(), func(src *branchlinev1.FieldSource) bool {
		return src.GetField() == field && src.GetPin() != "" && src.GetRecord() == a.Form("record") && s.shows(was, f, v)
	}) {
		return nil // pressed twice
	}
	of := id.String()
	_, err = s.api.Records.CreateRecord(a.R.Context(), &branchlinev1.CreateRecordRequest{
		Record: &branchlinev1.Record{Body: &branchlinev1.Record_Pin{Pin: &branchlinev1.Pin{Customer: &of, Field: &field, Value: v}}},
	})
	return err
}

// shows tells whether a customer shows the one value of v first.
func (s *Site) shows(r *branchlinev1.Record, f *schema.FieldInfo, v *branchlinev1.Customer) bool {
	one := new(branchlinev1.Customer)
	is := r.GetCustomer().ProtoReflect()
	switch {
	case !is.Has(f.Desc):
		return false
	case f.Desc.IsList():
		one.ProtoReflect().Mutable(f.Desc).List().Append(is.Get(f.Desc).List().Get(0))
	default:
		one.ProtoReflect().Set(f.Desc, is.Get(f.Desc))
	}
	return proto.Equal(one, v)
}

func (s *Site) unpin(a *ask, name string) error {
	k, _, err := schema.ParseName(name)
	if err != nil || k != schema.Pin {
		return schema.Invalid("pin", "%q is no pin", name)
	}
	r, err := s.api.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return notFound(err)
	}
	if r.GetPin().GetRetiredAt() != 0 {
		return nil // somebody else was faster
	}
	_, err = s.api.Records.UpdateRecord(a.R.Context(), &branchlinev1.UpdateRecordRequest{
		Record: &branchlinev1.Record{
			Name: name, Etag: r.GetEtag(), Body: &branchlinev1.Record_Pin{Pin: &branchlinev1.Pin{RetiredAt: proto.Int64(s.c.Now().UnixMilli())}},
		},
		UpdateMask: []string{"retired_at"},
	})
	if errors.Is(err, schema.ErrConflict) {
		return nil
	}
	return err
}
