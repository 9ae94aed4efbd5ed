package web

import (
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/phone"
)

// label is what a field is called.
func (a *ask) label(k *schema.KindInfo, field string) string { return a.Sayer().Label(k, field) }

// say is one value of a field in words: an entry, for a list. "" when it says nothing.
func (a *ask) say(f *schema.FieldInfo, v protoreflect.Value) string { return a.Sayer().Value(f, v) }

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
	var out []string
	for _, s := range a.Sayer().Values(f, m) {
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, a.T("say.semicolon"))
}

// sayJSON is a value of a conflict or a loser in words.
func (a *ask) sayJSON(k *schema.KindInfo, field, text string) string {
	return a.Sayer().JSON(k, field, text)
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
