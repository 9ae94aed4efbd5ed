// Package say puts a record's values into words: what a field is called, and each of its values as a person writes it.
// The pages of both sites say the same thing the same way.
//
// Rules: what a value is, its kind's descriptor tells; words come from the catalogue here (Words) and from look's own.
// It promises that a value of a newer version comes out as "not stated", never as an error. It does not ask who may see
// a value: the API has taken away what may not be seen.
package say

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	"branchline/schema/access"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/han"
	"branchline/schema/look"
	"branchline/schema/phone"
	"branchline/schema/plate"
	"branchline/schema/reason"
)

//go:embed words/*.toml
var wordFiles embed.FS

// Words is the catalogue: field.<kind>.<field>, the values of enums that look has no words for, and say.*. A site that
// uses this package gives it to look.New.
func Words() fs.FS {
	f, err := fs.Sub(wordFiles, "words")
	if err != nil {
		panic(err) // only an invalid path fails, and this one is fixed
	}
	return f
}

// Sayer says values in one language, as read at one time.
type Sayer struct {
	Look *look.Look // holds Words
	Lang look.Lang
	Now  int64 // unix ms
}

func (s Sayer) t(key string, args ...any) string { return s.Look.T(s.Lang, key, args...) }

// Kind is what a record of the kind is called.
func (s Sayer) Kind(k *schema.KindInfo) string { return s.t("recordkind." + k.Name) }

// Label is what a field is called.
func (s Sayer) Label(k *schema.KindInfo, field string) string {
	return s.t("field." + k.Name + "." + field)
}

// Values are the values of a field, one a single value, one an entry of a list; "" for one that says nothing. The
// place of a value in it is its place in the message.
func (s Sayer) Values(f *schema.FieldInfo, m proto.Message) []string {
	r := m.ProtoReflect()
	if !r.Has(f.Desc) {
		return nil
	}
	v := r.Get(f.Desc)
	if !f.Desc.IsList() {
		return []string{s.Value(f, v)}
	}
	out := make([]string, v.List().Len())
	for i := range out {
		out[i] = s.Value(f, v.List().Get(i))
	}
	return out
}

// JSON is a value as the API gives it among those that lost: one value, or entries of a list. "" when this version
// cannot read it.
func (s Sayer) JSON(k *schema.KindInfo, field, text string) string {
	f := k.Field(field)
	if f == nil || text == "" {
		return ""
	}
	if f.Desc.IsList() && !strings.HasPrefix(strings.TrimSpace(text), "[") {
		text = "[" + text + "]"
	}
	name, err := json.Marshal(field)
	if err != nil {
		return ""
	}
	m := k.New()
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte("{"+string(name)+":"+text+"}"), m); err != nil {
		return ""
	}
	var said []string
	for _, v := range s.Values(f, m) {
		if v != "" {
			said = append(said, v)
		}
	}
	return strings.Join(said, s.t("say.semicolon"))
}

// Value is one value of a field, an entry for a list. "" when it says nothing.
func (s Sayer) Value(f *schema.FieldInfo, v protoreflect.Value) string {
	switch f.Desc.Kind() {
	case protoreflect.StringKind:
		if f.Search == optionsv1.Search_SEARCH_PLATE || f.Name == "plate" {
			return plate.Format(v.String())
		}
		switch f.Name {
		case "warning_lamps":
			return s.Code("lamp", v.String())
		case "photos":
			return s.word("attachmentrole", branchlinev1.AttachmentRole_ATTACHMENT_PHOTO)
		}
		return v.String()
	case protoreflect.EnumKind:
		d := f.Desc.Enum().Values().ByNumber(v.Enum())
		switch {
		case d == nil:
			return s.t("order.unknown")
		case v.Enum() == 0:
			return ""
		}
		return s.Look.Word(s.Lang, group(f.Desc.Enum().Name()), string(d.Name()))
	case protoreflect.BoolKind:
		if v.Bool() {
			return s.t("say.yes")
		}
		return s.t("say.no")
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return s.number(f, v.Int())
	case protoreflect.MessageKind:
		return s.message(v.Message().Interface())
	case protoreflect.BytesKind:
		return ""
	}
	return v.String()
}

// group is the group of words of an enum's values.
func group(name protoreflect.Name) string {
	switch name {
	case "OrderState":
		return "order"
	case "LineState":
		return "item"
	case "LineKind":
		return "kind"
	case "TieRole":
		return "tie"
	case "Payer":
		return "payer"
	case "Role":
		return "role"
	}
	return strings.ToLower(string(name)) // customertype, customerstatus …
}

func (s Sayer) number(f *schema.FieldInfo, n int64) string {
	switch f.Format {
	case optionsv1.Format_FORMAT_INSTANT:
		if n == 0 {
			return ""
		}
		return s.Look.When(s.Lang, s.Now, n)
	case optionsv1.Format_FORMAT_MONEY:
		return look.Cash(n, "CNY")
	case optionsv1.Format_FORMAT_KILOMETRES:
		return look.Num(n) + " km"
	case optionsv1.Format_FORMAT_MINUTES:
		return Hours(n)
	case optionsv1.Format_FORMAT_MILLI:
		return look.Qty(n)
	case optionsv1.Format_FORMAT_BASIS_POINTS:
		return look.Fixed(n, 2) + " %"
	}
	switch f.Name {
	case "fuel_eighths":
		return fmt.Sprintf("%d/8", n)
	case "charge_percent":
		return fmt.Sprintf("%d %%", n)
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n) // a year, a class: not grouped
}

func (s Sayer) message(m proto.Message) string {
	switch m := m.(type) {
	case *branchlinev1.Phone:
		text := Phone(m.GetNumber())
		if m.GetLabel() != "" {
			text += s.t("say.paren", m.GetLabel())
		}
		return text
	case *branchlinev1.Address:
		return Address(m)
	case *branchlinev1.PlateTerm:
		return strings.TrimSpace(plate.Format(m.GetPlate()) + " " + s.Term(m.GetFrom(), m.GetTo()))
	case *branchlinev1.Warranty:
		text := m.GetName()
		if m.GetFrom() != "" {
			text += " " + s.Term(m.GetFrom(), "")
		}
		if m.GetMonths() > 0 {
			text += " " + s.t("say.months", m.GetMonths())
		}
		if m.GetKm() > 0 {
			text += " " + look.Num(m.GetKm()) + " km"
		}
		return strings.TrimSpace(text)
	case *branchlinev1.Consent:
		text := s.t("say.refused")
		if m.GetGiven() {
			text = s.t("say.agreed")
		}
		return strings.TrimSpace(text + " " + m.GetDay())
	case *branchlinev1.SourceId:
		return m.GetSource() + " " + m.GetId()
	case *branchlinev1.StateChange:
		return s.Look.Word(s.Lang, "order", m.GetState()) + " " + s.Look.When(s.Lang, s.Now, m.GetAt())
	}
	return s.counterMessage(m)
}

// Fields are the fields of a kind that a page shows, in its order: those a person looks for stand first.
func Fields(k schema.Kind) []string {
	if k == schema.Customer {
		return []string{
			"name", "type", "other_names", "phones", "emails", "addresses", "contact_name", "birthday", "id_last",
			"credit_code", "language", "preferred_channel", "preferences", "remark", "consent_marketing", "consent_sharing",
			"consent_survey", "status", "value_class", "key_account", "deal_classes", "member_class", "credit_limit", "invoice_titles", "source_ids", "retired_at", "retired_reason",
		}
	}
	if k != schema.Vehicle {
		var all []string
		for _, f := range schema.KindOf(k).Fields {
			all = append(all, f.Name)
		}
		return all
	}
	return []string{
		"vin", "plates", "brand", "model", "variant", "model_year", "colour", "energy", "engine_number",
		"production_number", "built_on", "sold_on", "registered_on", "selling_dealer", "warranties", "remark",
		"source_ids", "retired_at", "retired_reason",
	}
}

// Vehicle is what a car is called: brand and model.
func Vehicle(v *branchlinev1.Vehicle) string {
	return strings.TrimSpace(v.GetBrand() + " " + v.GetModel())
}

// Pinyin is how a Chinese name is said, family name first; "" for one that is written in letters, and for a company.
func Pinyin(name string) string {
	all := han.Pinyin(name)
	if len(all) == 0 || len(all[0].Family) == 0 {
		return ""
	}
	var parts []string
	for _, syllables := range [][]string{all[0].Family, all[0].Given} {
		if word := strings.Join(syllables, ""); word != "" {
			parts = append(parts, strings.ToUpper(word[:1])+word[1:])
		}
	}
	read := strings.Join(parts, " ")
	if strings.EqualFold(strings.ReplaceAll(read, " ", ""), strings.ReplaceAll(name, " ", "")) {
		return ""
	}
	return read
}

// Term says two days, either of which may be "", as a time.
func (s Sayer) Term(from, to string) string {
	switch {
	case from != "" && to != "":
		return s.t("say.from_to", from, to)
	case from != "":
		return s.t("say.from", from)
	case to != "":
		return s.t("say.to", to)
	}
	return ""
}

// Reason says why something is as it is, of which the stored or sent text is the English sentence (schema/reason). One
// that this version does not know comes out as it was written; "" stays "".
func (s Sayer) Reason(text string) string {
	if text == "" {
		return ""
	}
	r, ok := reason.Of(text)
	if !ok {
		return s.t("reason.other", text)
	}
	return s.coded(string(r.Code), r.Args)
}

// Violation is Reason for what an API found wrong with a field: by its code, if this version has it, else by its
// sentence.
func (s Sayer) Violation(v *branchlinev1.FieldViolation) string {
	if c := reason.Code(v.GetCode()); slices.Contains(reason.Codes(), c) && c.Arguments() == len(v.GetArgs()) {
		return s.coded(v.GetCode(), v.GetArgs())
	}
	return s.Reason(v.GetReason())
}

func (s Sayer) coded(code string, list []string) string {
	args := make([]any, len(list))
	for i, arg := range list {
		args[i] = s.argument(arg)
	}
	return s.t("reason."+code, args...)
}

// argument is one of a reason's arguments in words: a reason itself, a field, a role; otherwise as it was written.
func (s Sayer) argument(text string) string {
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	if _, ok := reason.Of(text); ok {
		return s.Reason(text)
	}
	if kind, field, ok := strings.Cut(text, "."); ok {
		if key := "field." + kind + "." + field; s.Look.Has(key) {
			return s.t(key)
		}
	}
	if key := "recordkind." + text; s.Look.Has(key) {
		return s.t(key)
	}
	if role, err := access.Named(text); err == nil {
		return s.Look.Word(s.Lang, "role", role)
	}
	return text
}

// Phone writes a number in its groups; what is no number stays as it was written.
func Phone(number string) string {
	if n := phone.Parse(number, ""); len(n) == 1 && n[0].Kind != phone.Unknown {
		return n[0].Format()
	}
	return number
}

// Address writes an address in one line, the largest place first.
func Address(m *branchlinev1.Address) string {
	parts := []string{m.GetRegion(), m.GetCity(), m.GetDistrict(), m.GetStreet(), m.GetPostcode()}
	if parts[0] == parts[1] {
		parts = parts[1:] // 上海市 上海市
	}
	return strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
}

// Hours writes minutes as hours with at most two decimals: 72 is 1.2 h.
func Hours(minutes int64) string {
	text := look.Fixed((minutes*100+30)/60, 2)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".") + " h"
}
