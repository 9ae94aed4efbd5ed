package api

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/vin"
)

// titles are one line for a person and what tells records of one title apart, of
// what the record still holds after the caller's rights were applied.
func titles(r *branchlinev1.Record) (title, subtitle string) {
	_, m, err := schema.BodyOf(r)
	if err != nil {
		return r.GetName(), ""
	}
	return titlesOf(r.GetName(), m)
}

func titlesOf(name string, m proto.Message) (title, subtitle string) {
	switch v := m.(type) {
	case *branchlinev1.Customer:
		title = first(v.GetName(), v.GetContactName())
		if ps := v.GetPhones(); len(ps) > 0 {
			subtitle = tail(ps[len(ps)-1].GetNumber())
		}
	case *branchlinev1.Vehicle:
		title = first(plateOf(v), v.GetVin(), v.GetModel())
		subtitle = words(v.GetBrand(), v.GetModel())
		if v.GetVin() != "" && title != v.GetVin() {
			subtitle = words(subtitle, "…"+vin.Tail(v.GetVin(), 8))
		}
	case *branchlinev1.ServiceOrder:
		title = first(v.GetNumber(), v.GetSettlementNumber(), v.GetDay())
		subtitle = words(v.GetDay(), v.GetPlate(), v.GetModel())
	case *branchlinev1.ServiceLine:
		title = first(v.GetItem(), v.GetPartName(), v.GetFaultCode())
		subtitle = words(v.GetPartCode(), v.GetLabourCode())
	case *branchlinev1.Staff:
		title, subtitle = first(v.GetName(), v.GetCode()), v.GetCode()
	case *branchlinev1.Branch:
		title, subtitle = first(v.GetName(), v.GetCode()), v.GetCode()
	case *branchlinev1.LegalEntity:
		title, subtitle = first(v.GetShortName(), v.GetName(), v.GetCode()), v.GetCode()
	case *branchlinev1.Note:
		title, subtitle = clip(v.GetText(), 40), v.GetDay()
	case *branchlinev1.OdometerReading:
		title = v.GetDay()
	}
	if title == "" {
		title = name
	}
	return title, subtitle
}

func first(ss ...string) string {
	if i := slices.IndexFunc(ss, func(s string) bool { return s != "" }); i >= 0 {
		return ss[i]
	}
	return ""
}

func words(ss ...string) string {
	return strings.Join(slices.DeleteFunc(ss, func(s string) bool { return s == "" }), " ")
}

// plateOf is the plate that hangs on the car: the latest without an end, else the latest.
func plateOf(v *branchlinev1.Vehicle) string {
	var best *branchlinev1.PlateTerm
	for _, p := range v.GetPlates() {
		if best == nil || (p.GetTo() == "") && (best.GetTo() != "") || (p.GetTo() == "") == (best.GetTo() == "") && p.GetFrom() >= best.GetFrom() {
			best = p
		}
	}
	return best.GetPlate()
}

// tail shows the end of a phone number only.
func tail(s string) string {
	r := []rune(s)
	if len(r) <= 4 {
		return s
	}
	return "…" + string(r[len(r)-4:])
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}
