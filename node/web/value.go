package web

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	"branchline/schema/han"
)

// How people write numbers into forms, and back.

func fieldName(s string) protoreflect.Name { return protoreflect.Name(s) }

func stringValue(s string) protoreflect.Value { return protoreflect.ValueOfString(s) }

// parseFixed reads a decimal as thousandths, hundredths … by places. Signs of thousands and full-width digits are
// understood; more decimals than places are not.
func parseFixed(s string, places int) (int64, bool) {
	s = strings.Map(han.Half, strings.TrimSpace(s))
	s = strings.NewReplacer(",", "", " ", "", "¥", "", "￥", "", "−", "-").Replace(s)
	whole, part, _ := strings.Cut(s, ".")
	if len(part) > places || len(whole)+places > 17 {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", places-len(part)), 10, 64)
	if err != nil || strings.ContainsAny(part, "+-") {
		return 0, false
	}
	return n, true
}

// parseWhole reads a whole number that is not negative.
func parseWhole(s string) (int64, bool) {
	s = strings.TrimSuffix(strings.ToLower(strings.TrimSpace(s)), "km")
	n, ok := parseFixed(s, 0)
	return n, ok && n >= 0
}

// typedFixed is how a form shows a number of hundredths, thousandths …: without signs of thousands, without idle zeros
// beyond least.
func typedFixed(n int64, places, least int) string {
	if n == 0 {
		return ""
	}
	neg := n < 0
	if neg {
		n = -n
	}
	s := strconv.FormatInt(n, 10)
	if pad := places + 1 - len(s); pad > 0 {
		s = strings.Repeat("0", pad) + s
	}
	whole, part := s[:len(s)-places], s[len(s)-places:]
	for len(part) > least && strings.HasSuffix(part, "0") {
		part = part[:len(part)-1]
	}
	if neg {
		whole = "-" + whole
	}
	if part == "" {
		return whole
	}
	return whole + "." + part
}

// enumWord is a value of a field's enum in words; "" for none.
func (a *ask) enumWord(k schema.Kind, field string, n int32) string {
	if n == 0 {
		return ""
	}
	return a.Sayer().Value(schema.KindOf(k).Field(field), protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)))
}

// enumInput is a choice of a field's values, or none; its label is for the caller to set.
func (a *ask) enumInput(k schema.Kind, field string, n int32) input {
	in := input{Name: field, Type: "select", Options: []option{{"", a.T("form.not_said")}}}
	values := schema.KindOf(k).Field(field).Desc.Enum().Values()
	for i := range values.Len() {
		v := int32(values.Get(i).Number())
		if v != 0 {
			in.Options = append(in.Options, option{strconv.Itoa(int(v)), a.enumWord(k, field, v)})
		}
		if v == n && n != 0 {
			in.Value = strconv.Itoa(int(n))
		}
	}
	return in
}

// setEnum sets a value of an enum by its number; what is none clears it.
func setEnum(m protoreflect.ProtoMessage, field, number string) {
	r := m.ProtoReflect()
	d := r.Descriptor().Fields().ByName(fieldName(field))
	n, ok := index(number)
	if !ok || n == 0 || d.Enum().Values().ByNumber(protoreflect.EnumNumber(n)) == nil {
		r.Clear(d)
		return
	}
	r.Set(d, protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)))
}

// setInt sets a number; zero clears it.
func setInt(m protoreflect.ProtoMessage, field string, n int64) {
	r := m.ProtoReflect()
	d := r.Descriptor().Fields().ByName(fieldName(field))
	switch {
	case n == 0:
		r.Clear(d)
	case d.Kind() == protoreflect.Int32Kind:
		r.Set(d, protoreflect.ValueOfInt32(int32(n)))
	default:
		r.Set(d, protoreflect.ValueOfInt64(n))
	}
}
