package web

import (
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/phone"
	"branchline/schema/plate"
)

// label is what a field is called.
func (a *ask) label(k *schema.KindInfo, field string) string {
	return a.t("field." + k.Name + "." + field)
}

// say is one value of a field in words: an entry, for a list. "" when it says nothing.
func (a *ask) say(f *schema.FieldInfo, v protoreflect.Value) string {
	switch f.Desc.Kind() {
	case protoreflect.StringKind:
		if f.Search == optionsv1.Search_SEARCH_PLATE || f.Name == "plate" {
			return plate.Format(v.String())
		}
		return v.String()
	case protoreflect.EnumKind:
		d := f.Desc.Enum().Values().ByNumber(v.Enum())
		if d == nil {
			return a.t("order.unknown")
		}
		if v.Enum() == 0 {
			return ""
		}
		return a.s.look.Word(a.lang, enumGroup(f.Desc.Enum().Name()), string(d.Name()))
	case protoreflect.BoolKind:
		if v.Bool() {
			return a.t("say.yes")
		}
		return a.t("say.no")
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return a.sayNumber(f, v.Int())
	case protoreflect.MessageKind:
		return a.sayMessage(v.Message().Interface())
	case protoreflect.BytesKind:
		return ""
	}
	return v.String()
}

// enumGroup is the group of words of an enum's values.
func enumGroup(name protoreflect.Name) string {
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

func (a *ask) sayNumber(f *schema.FieldInfo, n int64) string {
	switch f.Format {
	case optionsv1.Format_FORMAT_INSTANT:
		if n == 0 {
			return ""
		}
		return a.s.look.When(a.lang, a.now, n)
	case optionsv1.Format_FORMAT_MONEY:
		return look.Cash(n, "CNY")
	case optionsv1.Format_FORMAT_KILOMETRES:
		return look.Num(n) + " km"
	case optionsv1.Format_FORMAT_MINUTES:
		return hours(n)
	case optionsv1.Format_FORMAT_MILLI:
		return look.Qty(n)
	case optionsv1.Format_FORMAT_BASIS_POINTS:
		return look.Fixed(n, 2) + " %"
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n) // a year, a class: not grouped
}

// hours writes minutes as hours with at most two decimals: 72 is 1.2 h.
func hours(minutes int64) string {
	s := look.Fixed((minutes*100+30)/60, 2)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") + " h"
}

func (a *ask) sayMessage(m proto.Message) string {
	switch m := m.(type) {
	case *branchlinev1.Phone:
		s := phoneText(m.GetNumber())
		if m.GetLabel() != "" {
			s += " " + a.t("say.paren", m.GetLabel())
		}
		return s
	case *branchlinev1.Address:
		parts := []string{m.GetRegion(), m.GetCity(), m.GetDistrict(), m.GetStreet()}
		if parts[0] == parts[1] {
			parts = parts[1:] // 上海市 上海市
		}
		return strings.TrimSpace(strings.Join(strings.Fields(strings.Join(parts, " ")), " ") + " " + m.GetPostcode())
	case *branchlinev1.PlateTerm:
		return strings.TrimSpace(plate.Format(m.GetPlate()) + " " + a.term(m.GetFrom(), m.GetTo()))
	case *branchlinev1.Warranty:
		s := m.GetName()
		if m.GetFrom() != "" {
			s += " " + a.t("say.from", m.GetFrom())
		}
		if m.GetMonths() > 0 {
			s += " " + a.t("say.months", m.GetMonths())
		}
		if m.GetKm() > 0 {
			s += " " + look.Num(m.GetKm()) + " km"
		}
		return strings.TrimSpace(s)
	case *branchlinev1.Consent:
		s := a.t("say.refused")
		if m.GetGiven() {
			s = a.t("say.agreed")
		}
		if m.GetDay() != "" {
			s += " " + m.GetDay()
		}
		return s
	case *branchlinev1.SourceId:
		return m.GetSource() + " " + m.GetId()
	case *branchlinev1.StateChange:
		return a.s.look.Word(a.lang, "order", m.GetState()) + " " + a.s.look.When(a.lang, a.now, m.GetAt())
	}
	return ""
}

// phoneText writes a number in its groups; what is no number stays as it was written.
func phoneText(s string) string {
	if n := phone.Parse(s, ""); len(n) == 1 && n[0].Kind != phone.Unknown {
		return n[0].Format()
	}
	return s
}

// term says two days as a time.
func (a *ask) term(from, to string) string {
	switch {
	case from != "" && to != "":
		return a.t("say.from_to", from, to)
	case from != "":
		return a.t("say.from", from)
	case to != "":
		return a.t("say.to", to)
	}
	return ""
}

// fromJSON reads a value as the API gives it in a conflict or a loser: one value, or for a list an entry or several. It
// is set in a new message of the kind. ok is false for none, and for what this version cannot read.
func fromJSON(k *schema.KindInfo, field, text string) (proto.Message, bool) {
	f := k.Field(field)
	if f == nil || text == "" {
		return nil, false
	}
	if f.Desc.IsList() && !strings.HasPrefix(strings.TrimSpace(text), "[") {
		text = "[" + text + "]"
	}
	name, err := json.Marshal(field)
	if err != nil {
		return nil, false
	}
	m := k.New()
	whole := "{" + string(name) + ":" + text + "}"
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(whole), m); err != nil {
		return nil, false
	}
	return m, m.ProtoReflect().Has(f.Desc)
}

// sayField is a field of a message in words, the entries of a list behind each other.
func (a *ask) sayField(f *schema.FieldInfo, m proto.Message) string {
	r := m.ProtoReflect()
	if !r.Has(f.Desc) {
		return ""
	}
	v := r.Get(f.Desc)
	if !f.Desc.IsList() {
		return a.say(f, v)
	}
	var out []string
	for i := range v.List().Len() {
		if s := a.say(f, v.List().Get(i)); s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, a.t("say.semicolon"))
}

// sayJSON is a value of a conflict or a loser in words.
func (a *ask) sayJSON(k *schema.KindInfo, field, text string) string {
	m, ok := fromJSON(k, field, text)
	if !ok {
		return ""
	}
	return a.sayField(k.Field(field), m)
}

func vehicleName(v *branchlinev1.Vehicle) string {
	return strings.TrimSpace(v.GetBrand() + " " + v.GetModel())
}

// plateOf is the plate a car carries now: of those without an end, the one hung last.
func plateOf(v *branchlinev1.Vehicle) string {
	best := -1
	for i, p := range v.GetPlates() {
		if best < 0 || later(p, v.GetPlates()[best]) {
			best = i
		}
	}
	if best < 0 {
		return ""
	}
	return v.GetPlates()[best].GetPlate()
}

func later(p, than *branchlinev1.PlateTerm) bool {
	if (p.GetTo() == "") != (than.GetTo() == "") {
		return p.GetTo() == ""
	}
	return p.GetFrom() >= than.GetFrom()
}

// maskedPhone shows enough of a number to tell two people apart.
func maskedPhone(c *branchlinev1.Customer) string {
	for _, p := range c.GetPhones() {
		if n := phone.Parse(p.GetNumber(), ""); len(n) > 0 {
			return n[0].Short()
		}
	}
	return ""
}
