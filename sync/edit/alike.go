package edit

import (
	"strings"
	"unicode"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/han"
	"branchline/schema/phone"
)

// alike is what equal values of a field have in common, however they are written:
// a telephone number without its label and country code, an address without its
// postcode, text without regard to width, case and spaces. Traditional characters
// stay apart from simplified ones: either is how somebody writes a name.
func alike(f *schema.FieldInfo, raw []byte) string {
	_, typ, n := protowire.ConsumeTag(raw)
	if n < 0 || typ != protowire.BytesType {
		return string(raw)
	}
	value, m := protowire.ConsumeBytes(raw[n:])
	if m < 0 {
		return string(raw)
	}
	switch {
	case f.Evidence == optionsv1.Evidence_EVIDENCE_PHONE:
		var p branchlinev1.Phone
		if proto.Unmarshal(value, &p) == nil {
			return phoneKey(p.GetNumber())
		}
	case f.Evidence == optionsv1.Evidence_EVIDENCE_ADDRESS:
		var a branchlinev1.Address
		if proto.Unmarshal(value, &a) == nil {
			return closeUp(a.GetRegion() + a.GetCity() + a.GetDistrict() + a.GetStreet())
		}
	case f.Pii == optionsv1.Pii_PII_NAME, f.Evidence == optionsv1.Evidence_EVIDENCE_EMAIL, f.Search == optionsv1.Search_SEARCH_NUMBER:
		return closeUp(string(value))
	}
	return string(raw)
}

func phoneKey(text string) string {
	var b strings.Builder
	for _, n := range phone.Parse(text, "") {
		if n.E164 != "" {
			b.WriteString(n.E164)
		} else {
			b.WriteString(n.Digits())
		}
		b.WriteString("#" + n.Ext + " ")
	}
	if b.Len() == 0 {
		return closeUp(text)
	}
	return b.String()
}

// closeUp makes text half-width and lower-case, without spaces between Chinese
// characters and with single ones between words.
func closeUp(s string) string {
	var out []rune
	space := false
	for _, r := range s {
		if r = unicode.ToLower(han.Half(r)); unicode.IsSpace(r) {
			space = true
			continue
		}
		if space && len(out) > 0 && !han.Is(r) && !han.Is(out[len(out)-1]) {
			out = append(out, ' ')
		}
		space = false
		out = append(out, r)
	}
	return string(out)
}
