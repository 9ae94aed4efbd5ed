package web

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/say"
	"branchline/schema/plate"
	"branchline/schema/vin"
	"branchline/sync/desk"
)

func vehicleEditor() editor {
	return editor{
		kind: schema.Vehicle, active: "vehicles",
		fields: []string{
			"vin", "vin_checked", "plates", "brand", "model", "variant", "model_year", "colour", "energy", "engine_number",
			"sold_on", "registered_on", "remark",
		},
		sections: vehicleSections, read: readVehicle,
		title: func(a *ask, m proto.Message) string { return a.vehicleTitle(m.(*branchlinev1.Vehicle)) },
	}
}

// vehicleTitle is what a car is called: its plate and model, or its VIN.
func (a *ask) vehicleTitle(v *branchlinev1.Vehicle) string {
	var parts []string
	for _, s := range []string{plate.Format(desk.PlateOf(v)), say.Vehicle(v)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if len(parts) == 0 {
		return v.GetVin()
	}
	return strings.Join(parts, " ")
}

func vehicleSections(a *ask, m proto.Message, bad faults) []section {
	v := m.(*branchlinev1.Vehicle)
	k := schema.KindOf(schema.Vehicle)
	field := func(in input) input {
		if in.Label == "" {
			in.Label = a.label(k, in.Name)
		}
		return bad.put(in)
	}
	year := ""
	if v.GetModelYear() > 0 {
		year = strconv.Itoa(int(v.GetModelYear()))
	}
	plates := section{Title: a.label(k, "plates"), Anchor: "f-plates"}
	for i, p := range append(v.GetPlates(), &branchlinev1.PlateTerm{}) {
		prefix := "plates." + strconv.Itoa(i)
		in := input{Name: prefix + ".plate", Label: a.T("form.nth", a.T("word.plate"), i+1), Value: p.GetPlate(), Max: 20, Focus: i == 0 && p.GetPlate() == ""}
		if i == len(v.GetPlates()) {
			in.Hint = a.T("form.plate_hint")
		}
		if why := a.plateDoubt(p.GetPlate()); why != "" {
			in.Hint = why
		}
		plates.Rows = append(plates.Rows, []input{
			field(in),
			field(input{Name: prefix + ".from", Label: a.T("form.from"), Type: "date", Value: p.GetFrom()}),
			field(input{Name: prefix + ".to", Label: a.T("form.to"), Type: "date", Value: p.GetTo()}),
		})
	}
	return []section{
		plates,
		{Title: a.T("form.car"), Rows: [][]input{
			{field(input{Name: "vin", Value: v.GetVin(), Max: 32, Class: "w2 mono", Anchor: "f-vin", Hint: a.T("form.vin_hint")})},
			{
				field(input{Name: "brand", Value: v.GetBrand(), Max: 60, Anchor: "f-brand"}),
				field(input{Name: "model", Value: v.GetModel(), Max: 120, Anchor: "f-model"}),
				field(input{Name: "variant", Value: v.GetVariant(), Max: 200, Anchor: "f-variant"}),
			},
			{
				field(input{Name: "model_year", Value: year, Max: 4, Mode: "numeric", Anchor: "f-model_year"}),
				field(input{Name: "colour", Value: v.GetColour(), Max: 40, Anchor: "f-colour"}),
				field(input{Name: "energy", Value: v.GetEnergy(), Max: 40, Anchor: "f-energy"}),
			},
			{
				field(input{Name: "engine_number", Value: v.GetEngineNumber(), Max: 60, Anchor: "f-engine_number"}),
				field(input{Name: "sold_on", Type: "date", Value: v.GetSoldOn(), Anchor: "f-sold_on"}),
				field(input{Name: "registered_on", Type: "date", Value: v.GetRegisteredOn(), Anchor: "f-registered_on"}),
			},
			{field(input{Name: "remark", Type: "area", Value: v.GetRemark(), Class: "w2", Anchor: "f-remark"})},
		}},
	}
}

// plateDoubt says what is unusual about a plate; it is never refused.
func (a *ask) plateDoubt(text string) string {
	_, rep := plate.Parse(text)
	if len(rep.Warnings) == 0 {
		return ""
	}
	if rep.Suggestion != "" {
		return a.T("form.plate_maybe", plate.Format(rep.Suggestion))
	}
	if rep.Has(plate.NoProvince) {
		return a.T("form.plate_province")
	}
	return a.T("form.plate_odd")
}

// vinDoubt says what is unusual about a VIN.
func (a *ask) vinDoubt(text string) string {
	rep := vin.Check(text)
	switch {
	case rep.Suggestion != "":
		return a.T("form.vin_maybe", rep.Suggestion)
	case rep.Has(vin.WrongLength):
		return a.T("form.vin_length", len([]rune(rep.VIN)))
	case rep.Has(vin.LetterIOQ):
		return a.T("form.vin_letters")
	case rep.Has(vin.CheckDigitBad):
		return a.T("form.vin_digit")
	}
	return a.T("form.vin_odd")
}

func readVehicle(a *ask, m proto.Message) faults {
	v, bad := m.(*branchlinev1.Vehicle), faults{}
	before := v.GetVin()
	setText(v, "vin", vin.Fold(a.Form("vin")))
	if v.GetVin() != before {
		rep := vin.Check(v.GetVin())
		switch {
		case v.GetVin() == "":
			v.VinChecked = nil
		case rep.Checked():
			v.VinChecked = proto.Bool(true)
		case slices.Contains(a.confirmed(), "vin_check"):
			v.VinChecked = proto.Bool(false)
		default:
			bad["vin"] = fault{text: a.vinDoubt(v.GetVin()), confirm: "vin_check"}
		}
	}
	v.Plates = nil
	a.rows("plates", func(part func(string) string) {
		if part("plate") == "" {
			return
		}
		prefix := "plates." + strconv.Itoa(len(v.Plates))
		v.Plates = append(v.Plates, &branchlinev1.PlateTerm{
			Plate: proto.String(part("plate")), From: text(a.day(bad, prefix+".from", part("from"))), To: text(a.day(bad, prefix+".to", part("to"))),
		})
	})
	for _, f := range []string{"brand", "model", "variant", "colour", "energy", "engine_number"} {
		setText(v, f, a.Form(f))
	}
	setText(v, "remark", strings.ReplaceAll(a.Form("remark"), "\r\n", "\n"))
	for _, f := range []string{"sold_on", "registered_on"} {
		setText(v, f, a.day(bad, f, a.Form(f)))
	}
	year, ok := parseWhole(a.Form("model_year"))
	if a.Form("model_year") != "" && (!ok || year < 1900 || year > 2200) {
		bad["model_year"] = fault{text: a.T("form.bad_year")}
	} else {
		setInt(v, "model_year", year)
	}
	if v.GetVin() == "" && len(v.Plates) == 0 {
		bad["plates.0.plate"] = fault{text: a.T("form.need_plate")}
	}
	return bad
}

func (s *Site) vehicleEdit(a *ask) error    { return s.editPage(a, vehicleEditor()) }
func (s *Site) vehicleUpdate(a *ask) error  { return s.update(a, vehicleEditor()) }
func (s *Site) vehicleRestore(a *ask) error { return s.restore(a, vehicleEditor()) }

func (s *Site) vehicleKeep(a *ask) error { return s.keep(a, vehicleEditor()) }

func (s *Site) vehicleNew(a *ask) error {
	v := &branchlinev1.Vehicle{Vin: text(a.Query("vin"))}
	if p := a.Query("plate"); p != "" {
		v.Plates = []*branchlinev1.PlateTerm{{Plate: proto.String(p)}}
	}
	return s.newPage(a, vehicleEditor(), a.T("vehicle.new"), a.tieTo(a.Query("customer")), v)
}

// tieTo carries the customer whose car is being written down.
func (a *ask) tieTo(customer string) []hidden {
	if _, err := schema.ParseRecordID(customer); err != nil || !a.Writes(schema.Tie) {
		return nil
	}
	return []hidden{{"customer", customer}}
}

func (s *Site) vehicleCreate(a *ask) error {
	tie := a.tieTo(a.Form("customer"))
	return s.create(a, vehicleEditor(), a.T("vehicle.new"), tie, func(r *branchlinev1.Record) (string, error) {
		if len(tie) == 0 {
			return "/" + r.GetName(), nil
		}
		_, id, err := schema.ParseName(r.GetName())
		if err != nil {
			return "", err
		}
		// Under a request id of its own, so that sending the form again makes no second tie either.
		_, err = s.c.Records.CreateRecord(a.R.Context(), &branchlinev1.CreateRecordRequest{
			RequestId: a.Form("request_id") + "-tie",
			Record: &branchlinev1.Record{Body: &branchlinev1.Record_Tie{Tie: &branchlinev1.Tie{
				Customer: proto.String(tie[0].Value), Vehicle: proto.String(id.String()), Role: branchlinev1.TieRole_OWNER.Enum(),
				From: proto.String(a.today()),
			}}},
		})
		return "/customers/" + tie[0].Value, err
	})
}
