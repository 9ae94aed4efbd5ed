package web

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

// readInspection takes the posted form into an inspection, which holds what the page showed. Lists keep their order: an
// entry is another one only where somebody changed it.
func readInspection(a *ask, m proto.Message) faults {
	i, bad := m.(*branchlinev1.Inspection), faults{}
	whole := func(name string, most int64, say string) (n int64, typed bool) {
		text := a.Form(name)
		if text == "" {
			return 0, false
		}
		n, ok := parseWhole(text)
		if !ok || n > most {
			bad[name] = fault{text: a.T(say, look.Num(most))}
			return 0, false
		}
		return n, true
	}
	i.OdometerKm, i.ChargePercent, i.FuelEighths = nil, nil, nil
	if n, ok := whole("odometer_km", mostKm, "inspect.bad_odometer_km"); ok {
		i.OdometerKm = proto.Int64(n)
	}
	if n, ok := whole("charge_percent", 100, "inspect.bad_charge_percent"); ok {
		i.ChargePercent = proto.Int32(int32(n))
	}
	if n, ok := index(a.Form("fuel_eighths")); ok && n <= 8 {
		i.FuelEighths = proto.Int32(int32(n))
	}
	i.WarningLamps = a.readLamps(i.GetWarningLamps())
	i.Damages = a.readDamages(bad)
	i.Points = a.readPoints(i.GetPoints())
	for _, f := range []string{"valuables", "remark"} {
		setText(i, f, strings.ReplaceAll(a.Form(f), "\r\n", "\n"))
	}
	i.NoValuables = yesOrNone(a.Form("no_valuables"))
	if i.GetValuables() != "" {
		i.NoValuables = nil
	}
	i.OldPartsWanted, i.WashWanted = yesOrNone(a.Form("old_parts_wanted")), yesOrNone(a.Form("wash_wanted"))
	i.Photos = a.readPhotos(i.GetPhotos())
	a.readSignature(i, bad)
	return bad
}

// mostKm is more than any car has gone.
const mostKm = 9_999_999

// readLamps are the lamps ticked and those written beside them.
func (a *ask) readLamps(was []string) []string {
	chosen := slices.Clone(a.R.PostForm["lamp"])
	for _, w := range strings.FieldsFunc(a.Form("lamp_other"), func(r rune) bool { return strings.ContainsRune(",，、;；", r) }) {
		if w = strings.TrimSpace(w); w != "" {
			chosen = append(chosen, w)
		}
	}
	var out []string
	for _, w := range slices.Concat(was, chosen) {
		if slices.Contains(chosen, w) && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

func (a *ask) readDamages(bad faults) []*branchlinev1.Damage {
	var out []*branchlinev1.Damage
	n := 0
	a.rows("damages", func(part func(string) string) {
		d := &branchlinev1.Damage{Part: text(part("part")), What: text(part("what")), Note: text(part("note"))}
		if x, ok := index(part("x")); ok && x <= 1000 {
			d.X = proto.Int32(int32(x))
		}
		if y, ok := index(part("y")); ok && y <= 1000 {
			d.Y = proto.Int32(int32(y))
		}
		switch {
		case d.Part == nil && d.What == nil && d.Note == nil: // an empty row, or one taken out
			return
		case d.Part == nil:
			bad[damageField(n)] = fault{text: a.T("inspect.need_panel")}
		case d.What == nil:
			bad[damageField(n)] = fault{text: a.T("inspect.need_kind")}
		}
		out = append(out, d)
		n++
	})
	return out
}

// damageField is the name under which what is wrong with a damage is kept.
func damageField(n int) string { return "damages." + strconv.Itoa(n) }

// readPoints are the points that somebody has looked at. With rest, all others of the form are good.
func (a *ask) readPoints(was []*branchlinev1.CheckPoint) []*branchlinev1.CheckPoint {
	var typed []*branchlinev1.CheckPoint
	rest := a.Form("rest") != ""
	a.rows("points", func(part func(string) string) {
		p := &branchlinev1.CheckPoint{Item: text(part("item")), Measured: text(part("measured")), Note: text(part("note"))}
		if n, ok := index(part("finding")); ok && n > 0 && n <= int(branchlinev1.Finding_FINDING_NOW) {
			p.Finding = branchlinev1.Finding(n).Enum()
		}
		if _, number := parseFixed(p.GetMeasured(), 3); number && p.Measured != nil && unitOf(p.GetItem()) != "" {
			p.Measured = proto.String(p.GetMeasured() + " " + unitOf(p.GetItem()))
		}
		if p.Finding == nil && rest && slices.Contains(say.Codes("point"), p.GetItem()) {
			p.Finding = branchlinev1.Finding_FINDING_GOOD.Enum()
		}
		if p.GetItem() != "" && (p.Finding != nil || p.Measured != nil || p.Note != nil) {
			typed = append(typed, p)
		}
	})
	var out []*branchlinev1.CheckPoint
	same := func(x *branchlinev1.CheckPoint) func(*branchlinev1.CheckPoint) bool {
		return func(y *branchlinev1.CheckPoint) bool { return x.GetItem() == y.GetItem() }
	}
	for _, w := range was {
		if n := slices.IndexFunc(typed, same(w)); n >= 0 {
			out = append(out, typed[n])
			typed = slices.Delete(typed, n, n+1)
		}
	}
	return append(out, typed...)
}

// readSignature takes a new drawing, or a name typed in place of one. The same name without a drawing changes nothing.
func (a *ask) readSignature(i *branchlinev1.Inspection, bad faults) {
	if !a.sees(schema.Inspection, "signed_by") {
		return
	}
	drawn, err := a.signature("signature")
	if err != nil {
		bad["signature"] = fault{text: a.T("sign.refused")}
		return
	}
	by := a.Form("signed_by")
	switch {
	case drawn != "":
		i.Signature, i.SignedAt = proto.String(drawn), proto.Int64(a.Now)
	case by == i.GetSignedBy():
		return
	case by == "":
		i.Signature, i.SignedAt = nil, nil
	default:
		i.Signature, i.SignedAt = nil, proto.Int64(a.Now)
	}
	setText(i, "signed_by", by)
}

// readPhotos are the photos of the order ticked to belong to it; what the form did not show stays as it was.
func (a *ask) readPhotos(was []string) []string {
	ticked, shown := a.R.PostForm["photo"], a.R.PostForm["photo_shown"]
	out := slices.DeleteFunc(slices.Clone(was), func(id string) bool { return slices.Contains(shown, id) && !slices.Contains(ticked, id) })
	for _, id := range ticked {
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// proposal is the finding that the form asks to make a line of the order; nil for none.
func (a *ask) proposal(i *branchlinev1.Inspection, w wear) *branchlinev1.ProposedPoint {
	item := a.Form("propose")
	n := slices.IndexFunc(i.GetPoints(), func(p *branchlinev1.CheckPoint) bool { return p.GetItem() == item })
	if item == "" || n < 0 {
		return nil
	}
	return &branchlinev1.ProposedPoint{
		Point: item, Item: a.Sayer().Code("point", item), Complaint: a.T("inspect.found"), Cause: joinNew(a.finding(i.GetPoints()[n]), w.judge(i.GetPoints()[n]).Text),
	}
}

// finding is what was found at a point, without its name.
func (a *ask) finding(p *branchlinev1.CheckPoint) string {
	p = proto.CloneOf(p)
	p.Item = nil
	return a.say(schema.KindOf(schema.Inspection).Field("points"), protoreflect.ValueOfMessage(p.ProtoReflect()))
}

// proposed tells whether a finding is a line of the order already, in whatever language it was written.
func (a *ask) proposed(lines []*branchlinev1.Record, item string) bool {
	return slices.ContainsFunc(lines, func(r *branchlinev1.Record) bool {
		return slices.Contains(a.pointNames(item), r.GetServiceLine().GetItem())
	})
}

// pointNames is what a point is called in every language.
func (a *ask) pointNames(item string) (out []string) {
	for _, lang := range look.Langs() {
		in := a.Sayer()
		in.Lang = lang
		out = append(out, in.Code("point", item))
	}
	return out
}
