package web

import (
	"cmp"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
	"branchline/sync/desk"
)

// inspectView is the page of an inspection: a form, or for who may not write it a sheet.
type inspectView struct {
	look.Frame
	Car     carHead
	Order   string // address of the order; "" for none
	Number  string
	Print   string // of one that is saved
	Another string // makes a further one
	Others  []inspectLink
	Before  string // whose grey marks the sketch shows

	Write    bool
	Sheet    inspectSheet // of one that is read
	Action   string
	Hidden   []hidden
	Faults   []string
	Wrong    int
	Sketch   sketch
	Dents    []dentInput
	Panels   []option
	Kinds    []option
	Signs    []dent // a sign for each kind
	Fuel     []segment
	Gauges   []input
	Goods    []input
	Remark   []input
	NoGoods  bool
	Parts    bool
	Wash     bool
	Lamps    []lampInput
	Lamp     string // others, in words
	Points   []pointInput
	Findings []findingInput
	Offers   bool // a finding may become a line
	Sign     *sign
	Signed   signedView
	Taken    []takenPhoto // photos of the order, to be ticked
	Photos   photoList
}

// takenPhoto is a photo of the order that belongs to the inspection where it is ticked.
type takenPhoto struct {
	photoRow
	ID string
	On bool
}

type inspectLink struct {
	Href, Text string
	Now        bool
}

// segment is one of several values side by side.
type segment struct {
	Value, Text, Say string // Say, where the text is a sign
	On               bool
}

type lampInput struct {
	Value, Text string
	On          bool
}

// dentInput is a row of the list of damages.
type dentInput struct {
	N              int
	Part, What     string
	PartWord       string // of a part that the list does not have
	WhatWord       string
	Note, X, Y     string
	Fault          string
	Blank          bool
	NoPart, NoWhat bool // the value is none of the list
}

// pointInput is a row of the check points.
type pointInput struct {
	N                    int
	Item, Word           string
	Finding              branchlinev1.Finding
	Measured, Note, Unit string
	Own                  bool // in words of their own
	Ask                  bool // it is soon or now: it may become a line
	Line                 bool // it is one
	Worn                 worn
	Now, Soon            string // limits of what is measured
}

// findingInput is one of the lights.
type findingInput struct {
	Value             int
	Finding           branchlinev1.Finding
	Text, Mark, Class string
}

// blankDents and blankPoints are rows to write into where there is no script.
const (
	blankDents  = 5
	blankPoints = 2
)

// showInspection is the form.
func (s *Site) showInspection(a *ask, status int, f inspectForm) error {
	v, order, err := s.inspectHead(a, f.typed)
	if err != nil {
		return err
	}
	v.Write, v.Touch, v.Faults, v.Wrong, v.Action = true, true, f.rest, f.bad.wrong(), v.Order+"/inspection"
	if f.name != "" {
		v.Action = "/" + f.name
	}
	if v.Hidden, err = f.hidden(); err != nil {
		return err
	}
	at := int64(0)
	if f.name != "" {
		r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: f.name})
		if err != nil {
			return err
		}
		at = r.GetInspection().GetDoneAt()
	}
	before, err := a.earlier(&v, f.name, f.typed, at)
	if err != nil {
		return err
	}
	v.Sketch = a.sketch(f.typed.GetDamages(), before)
	v.Sketch.Live = true
	a.dentRows(&v, f)
	a.gauges(&v, f)
	if err := a.pointRows(&v, f, order); err != nil {
		return err
	}
	if err := a.inspectSign(&v, f, order); err != nil {
		return err
	}
	if v.Taken, err = a.taken(f.typed); err != nil {
		return err
	}
	if f.name != "" {
		v.Print = "/" + f.name + "/print"
		if v.Order != "" {
			v.Another = v.Order + "/inspection?new=1"
		}
		if v.Photos, err = a.photos(f.name); err != nil {
			return err
		}
	}
	return s.pages.inspection.Render(a.W, status, v)
}

// inspectHead is what stands above an inspection, and its order; nil where that is not held here.
func (s *Site) inspectHead(a *ask, i *branchlinev1.Inspection) (v inspectView, order *branchlinev1.Record, err error) {
	v.Frame = a.frame(a.T("inspect.title"), "orders")
	if i.GetOrder() == "" { // one that another system wrote down of a car
		r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "vehicles/" + i.GetVehicle(), Golden: true})
		if err != nil && !isMissing(err) {
			return v, nil, err
		}
		c := r.GetVehicle()
		v.Car = carHead{Plate: desk.PlateOf(c), Title: say.Vehicle(c), VIN: c.GetVin()}
		return v, nil, nil
	}
	order, err = s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "serviceOrders/" + i.GetOrder()})
	if isMissing(err) {
		return v, nil, nil
	}
	if err != nil {
		return v, nil, err
	}
	o := order.GetServiceOrder()
	v.Order, v.Number = "/"+order.GetName(), o.GetNumber()
	v.Car = carHead{Plate: o.GetPlate(), Title: o.GetModel(), VIN: o.GetVin()}
	return v, order, nil
}

// earlier are the damages of the inspection before this one, of whatever branch: what is old is not written down again. It
// also notes the order's other inspections. at is when this one was done, 0 for a new one.
func (a *ask) earlier(v *inspectView, name string, i *branchlinev1.Inspection, at int64) ([]*branchlinev1.Damage, error) {
	req := &branchlinev1.ListRecordsRequest{Order: "serviceOrders/" + i.GetOrder()}
	if i.GetVehicle() != "" {
		req = &branchlinev1.ListRecordsRequest{Vehicle: "vehicles/" + i.GetVehicle()}
	}
	all, err := a.inspections(req)
	if err != nil {
		return nil, err
	}
	var out []*branchlinev1.Damage
	for _, r := range all {
		x := r.GetInspection()
		if i.GetOrder() != "" && x.GetOrder() == i.GetOrder() {
			v.Others = append(v.Others, inspectLink{Href: "/" + r.GetName(), Text: a.Look.When(a.Lang, a.Now, x.GetDoneAt()), Now: r.GetName() == name})
		}
		if v.Before == "" && r.GetName() != name && (at == 0 || x.GetDoneAt() < at) {
			out, v.Before = x.GetDamages(), a.T("inspect.before", a.SiteName(x.GetBranch()), x.GetDay(), len(x.GetDamages()))
		}
	}
	if len(v.Others) < 2 && name != "" {
		v.Others = nil
	}
	return out, nil
}

func (a *ask) dentRows(v *inspectView, f inspectForm) {
	options := func(group, none string) []option {
		out := []option{{"", none}}
		for _, c := range say.Codes(group) {
			out = append(out, option{c, a.Sayer().Code(group, c)})
		}
		return out
	}
	v.Panels, v.Kinds = options("panel", a.T("inspect.choose_panel")), options("damage", a.T("inspect.choose_kind"))
	for _, k := range v.Kinds[1:] {
		v.Signs = append(v.Signs, dent{What: k.Value, Word: k.Text})
	}
	number := func(n *int32) string {
		if n == nil {
			return ""
		}
		return strconv.Itoa(int(*n))
	}
	for n, d := range f.typed.GetDamages() {
		m := a.dent(d)
		v.Dents = append(v.Dents, dentInput{
			N: n, Part: m.Part, What: m.What, PartWord: m.PartWord, WhatWord: m.Word, Note: m.Note, X: number(d.X), Y: number(d.Y), Fault: f.bad[damageField(n)].text,
			NoPart: !slices.Contains(say.Codes("panel"), m.Part) && m.Part != "", NoWhat: !slices.Contains(say.Codes("damage"), m.What) && m.What != "",
		})
	}
	for range blankDents {
		v.Dents = append(v.Dents, dentInput{N: len(v.Dents), Blank: true})
	}
}

func (a *ask) gauges(v *inspectView, f inspectForm) {
	i := f.typed
	sections := focus(inspectionSections(a, i, f.bad), f.bad)
	v.Gauges, v.Goods, v.Remark = sections[0].Rows[0], sections[1].Rows[0], sections[2].Rows[0]
	v.NoGoods, v.Parts, v.Wash = i.GetNoValuables(), i.GetOldPartsWanted(), i.GetWashWanted()
	v.Fuel = append(v.Fuel, segment{Text: "—", Say: a.T("form.not_said"), On: i.FuelEighths == nil})
	for n, text := range []string{"0", "⅛", "¼", "⅜", "½", "⅝", "¾", "⅞", "1"} {
		v.Fuel = append(v.Fuel, segment{Value: strconv.Itoa(n), Text: text, Say: strconv.Itoa(n) + "/8", On: i.FuelEighths != nil && int(i.GetFuelEighths()) == n})
	}
	codes := say.Codes("lamp")
	for _, c := range codes {
		v.Lamps = append(v.Lamps, lampInput{c, a.Sayer().Code("lamp", c), slices.Contains(i.GetWarningLamps(), c)})
	}
	v.Lamp = a.List(slices.DeleteFunc(slices.Clone(i.GetWarningLamps()), func(c string) bool { return slices.Contains(codes, c) }))
}

// pointRows are the points that are usually looked at, then those of this car, then empty ones.
func (a *ask) pointRows(v *inspectView, f inspectForm, order *branchlinev1.Record) error {
	w, err := a.wear(f.typed)
	if err != nil {
		return err
	}
	var lines []*branchlinev1.Record
	if v.Offers = order.GetHome() == a.branch() && a.Writes(schema.ServiceLine); v.Offers {
		if lines, _, err = a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "serviceLines", Order: order.GetName()}); err != nil {
			return err
		}
	}
	for n, look := range [][2]string{{"yes", "g"}, {"soon", "w"}, {"late", "b"}} {
		f := branchlinev1.Finding(n + 1)
		v.Findings = append(v.Findings, findingInput{Value: n + 1, Finding: f, Text: a.s.look.Word(a.Lang, "finding", f), Mark: look[0], Class: look[1]})
	}
	row := func(p *branchlinev1.CheckPoint, own bool) {
		r := pointInput{
			N: len(v.Points), Item: p.GetItem(), Word: a.Sayer().Code("point", p.GetItem()), Finding: p.GetFinding(), Measured: p.GetMeasured(), Note: p.GetNote(), Own: own,
			Unit: unitOf(p.GetItem()), Worn: w.judge(p),
		}
		r.Ask = w.said(p).Asks()
		r.Now, r.Soon = w.limits(p.GetItem())
		r.Line = r.Item != "" && a.proposed(lines, r.Item)
		v.Points = append(v.Points, r)
	}
	codes := say.Codes("point")
	for _, c := range codes {
		p := &branchlinev1.CheckPoint{Item: &c}
		for _, x := range f.typed.GetPoints() {
			if x.GetItem() == c {
				p = x
			}
		}
		row(p, false)
	}
	for _, p := range f.typed.GetPoints() {
		if !slices.Contains(codes, p.GetItem()) {
			row(p, true)
		}
	}
	for range blankPoints {
		row(&branchlinev1.CheckPoint{}, true)
	}
	return nil
}

// unitOf is what a point is usually measured in.
func unitOf(item string) string {
	switch {
	case strings.HasPrefix(item, "tyre_"), item == "spare", strings.HasPrefix(item, "brake_pads_"):
		return "mm"
	case item == "battery":
		return "V"
	case item == "brake_fluid":
		return "%"
	}
	return ""
}

// taken are the latest photos of an inspection's order that were taken of no inspection, and those it names.
func (a *ask) taken(i *branchlinev1.Inspection) (out []takenPhoto, err error) {
	if i.GetOrder() == "" || !a.Reads(schema.Attachment) {
		return nil, nil
	}
	all, err := a.photographed("serviceOrders/" + i.GetOrder())
	for _, r := range all {
		id := idOf(r.GetName())
		on := slices.Contains(i.GetPhotos(), id)
		if m := r.GetAttachment(); on || m.GetInspection() == "" && m.GetRole() == branchlinev1.AttachmentRole_ATTACHMENT_PHOTO && len(out) < fewPhotos {
			out = append(out, takenPhoto{photoRow: a.photoRow(r), ID: id, On: on})
		}
	}
	return out, err
}

// inspectSign is the place to sign, for who may know the name.
func (a *ask) inspectSign(v *inspectView, f inspectForm, order *branchlinev1.Record) (err error) {
	if v.Signed, err = a.inspectSigned(f.was); err != nil || !a.sees(schema.Inspection, "signed_by") {
		return err
	}
	v.Sign = &sign{
		ID: "sign", On: cmp.Or(f.name, order.GetName()), RequestID: f.request, Field: "signature", ByField: "signed_by", By: f.typed.GetSignedBy(),
		Expected: order.GetServiceOrder().GetBroughtBy(), Text: a.T("inspect.sign"), Fault: f.bad["signature"].text,
	}
	if f.name != "" {
		if v.Sign.RequestID, err = a.requestID(); err != nil {
			return err
		}
	}
	if d := f.typed.GetSignature(); d != "" && d != f.was.GetSignature() { // drawn before the form came back
		v.Sign.Drawn = "attachments/" + d
	}
	if v.Sign.Expected != "" {
		return nil
	}
	who, err := a.party(order)
	v.Sign.Expected = who.GetName()
	return err
}

// inspectionSheet is the page for who does not write it.
func (s *Site) inspectionSheet(a *ask, r *branchlinev1.Record) error {
	v, err := s.inspectSheet(a, r)
	if err != nil {
		return err
	}
	v.Print = "/" + r.GetName() + "/print"
	return s.pages.inspection.Render(a.W, http.StatusOK, v)
}

// inspectPaper is a sheet on paper: in the language of the customer who signs it, and what stands around it in the reader's.
type inspectPaper struct {
	look.Frame
	Back    string
	Tongues []tabLink
	Sheet   template.HTML
}

func (s *Site) inspectionPrint(a *ask) error {
	sh, err := s.sheet(a, "inspections/"+a.id)
	if err != nil {
		return err
	}
	head, order, err := s.inspectHead(a, sh.r.GetInspection())
	if err != nil {
		return err
	}
	who, err := a.party(order)
	if err != nil {
		return err
	}
	in, err := a.tongue(a.Query("in"), who)
	if err != nil {
		return err
	}
	v := inspectPaper{Frame: head.Frame, Back: "/" + sh.r.GetName(), Tongues: a.tongues(a.R.URL.Path, a.R.URL.Query(), in)}
	written, err := s.inspectSheet(a.in(in), sh.r)
	if err != nil {
		return err
	}
	if v.Sheet, err = s.written(s.pages.inspectPrint, in, written); err != nil {
		return err
	}
	return s.pages.inspectPrint.Render(a.W, http.StatusOK, v)
}
