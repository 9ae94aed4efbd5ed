package desk

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/odometer"
	"branchline/schema/vin"
)

// Titles are one line for a person and what tells records of one title apart.
func Titles(r *branchlinev1.Record) (title, subtitle string) {
	_, m, err := schema.BodyOf(r)
	if err != nil {
		return r.GetName(), ""
	}
	switch v := m.(type) {
	case *branchlinev1.Customer:
		title = cmp.Or(v.GetName(), v.GetContactName())
		if ps := v.GetPhones(); len(ps) > 0 {
			subtitle = tail(ps[Preferred(r, "phones", len(ps))].GetNumber())
		}
	case *branchlinev1.Vehicle:
		title = cmp.Or(PlateOf(v), v.GetVin(), v.GetModel())
		subtitle = words(v.GetBrand(), v.GetModel())
		if v.GetVin() != "" && title != v.GetVin() {
			subtitle = words(subtitle, "…"+vin.Tail(v.GetVin(), 8))
		}
	case *branchlinev1.ServiceOrder:
		title = cmp.Or(v.GetNumber(), v.GetSettlementNumber(), v.GetDay())
		subtitle = words(v.GetDay(), v.GetPlate(), v.GetModel())
	case *branchlinev1.ServiceLine:
		title = cmp.Or(v.GetItem(), v.GetPartName(), v.GetFaultCode())
		subtitle = words(v.GetPartCode(), v.GetLabourCode())
	case *branchlinev1.Staff:
		title, subtitle = cmp.Or(v.GetName(), v.GetCode()), v.GetCode()
	case *branchlinev1.Branch:
		title, subtitle = cmp.Or(v.GetName(), v.GetCode()), v.GetCode()
	case *branchlinev1.LegalEntity:
		title, subtitle = cmp.Or(v.GetShortName(), v.GetName(), v.GetCode()), v.GetCode()
	case *branchlinev1.Note:
		title, subtitle = clip(v.GetText(), 40), v.GetDay()
	case *branchlinev1.OdometerReading:
		title = v.GetDay()
	default:
		title, subtitle = counterTitles(m)
	}
	if title == "" {
		title = r.GetName()
	}
	return title, subtitle
}

// counterTitles are the titles of the kinds of the counter.
func counterTitles(m proto.Message) (title, subtitle string) {
	switch v := m.(type) {
	case *branchlinev1.Appointment:
		title = cmp.Or(v.GetPlate(), v.GetName(), v.GetNumber(), v.GetDay())
		subtitle = words(v.GetDay(), v.GetModel(), clip(v.GetComplaint(), 30))
	case *branchlinev1.Inspection:
		title, subtitle = v.GetDay(), v.GetInspector()
	case *branchlinev1.Package:
		title, subtitle = cmp.Or(v.GetName(), v.GetCode()), v.GetCode()
	case *branchlinev1.PackageCard:
		title, subtitle = cmp.Or(v.GetNumber(), v.GetTitle()), v.GetTitle()
	case *branchlinev1.CardUse:
		title, subtitle = v.GetDay(), v.GetBy()
	case *branchlinev1.Payment:
		title, subtitle = cmp.Or(v.GetNumber(), v.GetDay()), words(v.GetDay(), v.GetReference())
	case *branchlinev1.Settlement:
		title, subtitle = cmp.Or(v.GetNumber(), v.GetDay()), v.GetDay()
	case *branchlinev1.CashClose:
		title, subtitle = v.GetDay(), v.GetBranch()
	case *branchlinev1.Contact:
		title, subtitle = clip(cmp.Or(v.GetSubject(), v.GetText()), 40), v.GetDay()
	case *branchlinev1.InsurancePolicy:
		title, subtitle = cmp.Or(v.GetNumber(), v.GetInsurer()), words(v.GetInsurer(), v.GetUntil())
	case *branchlinev1.Claim:
		title, subtitle = cmp.Or(v.GetNumber(), v.GetFirm(), v.GetDay()), words(v.GetFirm(), v.GetDay())
	case *branchlinev1.Attachment:
		title, subtitle = cmp.Or(v.GetCaption(), v.GetName(), v.GetDay()), v.GetDay()
	case *branchlinev1.Fapiao:
		title, subtitle = cmp.Or(v.GetNumber(), v.GetTitle()), words(v.GetTitle(), v.GetDay())
	case *branchlinev1.Setting:
		title, subtitle = v.GetName(), words(v.GetFrom(), v.GetEntity(), v.GetBranch())
	}
	return title, subtitle
}

// Preferred is the place of the value of a list to use first, of n: the one headquarters
// chose, else the one written down last.
func Preferred(r *branchlinev1.Record, field string, n int) int {
	best, at := max(n-1, 0), int64(-1)
	for _, src := range r.GetSources() {
		i := int(src.GetIndex())
		switch {
		case src.GetField() != field || i < 0 || i >= n:
		case src.GetPin() != "":
			return i
		case src.GetAt() > at:
			best, at = i, src.GetAt()
		}
	}
	return best
}

func words(ss ...string) string {
	return strings.Join(slices.DeleteFunc(ss, func(s string) bool { return s == "" }), " ")
}

// PlateOf is the plate that hangs on the car: the latest without an end, else the
// latest; "" for none.
func PlateOf(v *branchlinev1.Vehicle) string {
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

// Doubtful are the names of the readings of a car that do not fit their neighbours
// in time, those written into its orders included. Where an order has a reading of
// its own, that one counts.
func Doubtful(readings, orders []*branchlinev1.Record) []string {
	return odometer.Misfits(readingsOf(readings, orders))
}

// readingsOf are the readings of a car, those of its orders that have none of their own included.
func readingsOf(readings, orders []*branchlinev1.Record) []odometer.Reading {
	var all []odometer.Reading
	told := map[string]bool{}
	for _, r := range readings {
		o := r.GetOdometerReading()
		if o.GetDay() == "" || o.GetKm() <= 0 {
			continue
		}
		all = append(all, odometer.Reading{Name: r.GetName(), Day: o.GetDay(), Km: o.GetKm()})
		told[schema.KindOf(schema.ServiceOrder).Collection+"/"+o.GetOrder()] = true
	}
	for _, r := range orders {
		o := r.GetServiceOrder()
		if o.GetDay() == "" || o.GetOdometerKm() <= 0 || told[r.GetName()] {
			continue
		}
		all = append(all, odometer.Reading{Name: r.GetName(), Day: o.GetDay(), Km: o.GetOdometerKm()})
	}
	return all
}
