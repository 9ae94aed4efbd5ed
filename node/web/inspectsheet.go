package web

import (
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/say"
)

// inspectSheet is an inspection as it is read: on the page of who does not write it, on paper, and in short on the pages of
// its order and car.
type inspectSheet struct {
	Href     string
	Site     siteWord
	At       int64
	Who      string
	Customer string
	Facts    []savedRow // with a value only
	Marks    []dent
	Sketch   sketch
	Before   string
	Points   []pointSaid
	Asks     []pointSaid // of them those that want work
	Signed   signedView
	Photos   []photoRow
	Reach    reach
}

type pointSaid struct {
	Word, Text string
	Item       string // its code
	Finding    branchlinev1.Finding
	Worn       worn
}

// inspectSheet is a whole sheet with what stands above it.
func (s *Site) inspectSheet(a *ask, r *branchlinev1.Record) (inspectView, error) {
	i := r.GetInspection()
	v, order, err := s.inspectHead(a, i)
	if err != nil {
		return v, err
	}
	before, err := a.earlier(&v, r.GetName(), i, i.GetDoneAt())
	if err != nil {
		return v, err
	}
	if v.Sheet, err = a.inspectShort(r); err != nil {
		return v, err
	}
	v.Sheet.Sketch, v.Sheet.Before = a.sketch(i.GetDamages(), before), v.Before
	photos, err := a.photos(r.GetName())
	if err != nil {
		return v, err
	}
	v.Sheet.Photos = photos.List
	who, err := a.party(order)
	v.Sheet.Customer = who.GetName()
	return v, err
}

// party is the customer of an order; nil for none, one that is not held here, and who may not know.
func (a *ask) party(order *branchlinev1.Record) (*branchlinev1.Customer, error) {
	id := order.GetServiceOrder().GetCustomer()
	if id == "" || !a.Reads(schema.Customer) {
		return nil, nil
	}
	r, err := a.s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "customers/" + id, Golden: true})
	if err != nil && !isMissing(err) {
		return nil, err
	}
	return r.GetCustomer(), nil
}

// inspectShort is what an inspection says, without sketch and photos.
func (a *ask) inspectShort(r *branchlinev1.Record) (inspectSheet, error) {
	i, k := r.GetInspection(), schema.KindOf(schema.Inspection)
	out := inspectSheet{Href: "/" + r.GetName(), Site: a.siteWord(i.GetBranch()), At: i.GetDoneAt(), Who: a.Names().Person(i.GetInspector()), Reach: a.reach(r.GetWhere())}
	for _, f := range []string{"odometer_km", "fuel_eighths", "charge_percent", "warning_lamps", "valuables", "no_valuables", "old_parts_wanted", "wash_wanted", "remark"} {
		if a.sees(schema.Inspection, f) && i.ProtoReflect().Has(k.Field(f).Desc) {
			text := a.List(a.Sayer().Values(k.Field(f), i))
			switch {
			case f == "no_valuables" && i.GetNoValuables():
				out.Facts = append(out.Facts, savedRow{a.label(k, "valuables"), a.T("inspect.none")})
			case f != "no_valuables" && text != "":
				out.Facts = append(out.Facts, savedRow{a.label(k, f), text})
			}
		}
	}
	for n, d := range i.GetDamages() {
		m := a.dent(d)
		m.No = n + 1
		out.Marks = append(out.Marks, m)
	}
	order := say.Codes("point")
	points := slices.Clone(i.GetPoints())
	slices.SortStableFunc(points, func(x, y *branchlinev1.CheckPoint) int {
		return placeIn(order, x.GetItem()) - placeIn(order, y.GetItem())
	})
	w, err := a.wear(i)
	if err != nil {
		return out, err
	}
	for _, p := range points {
		row := w.said(p)
		out.Points = append(out.Points, row)
		if row.Asks() {
			out.Asks = append(out.Asks, row)
		}
	}
	out.Signed, err = a.inspectSigned(i)
	return out, err
}

// inspectSigned is who signed an inspection; who may not know the name does not see the drawing either.
func (a *ask) inspectSigned(i *branchlinev1.Inspection) (signedView, error) {
	if i.GetSignedAt() == 0 && i.GetSignedBy() == "" {
		return signedView{}, nil
	}
	if !a.sees(schema.Inspection, "signed_by") {
		return signedView{At: i.GetSignedAt(), Now: a.Now}, nil
	}
	return a.signed(i.GetSignature(), i.GetSignedBy(), i.GetSignedAt())
}

// placeIn is where a code stands in a list; one that is not in it comes last.
func placeIn(list []string, code string) int {
	if n := slices.Index(list, code); n >= 0 {
		return n
	}
	return len(list)
}

// inspectPanel is what the page of an order, or of a car, says of its inspections: the last one, or an offer.
type inspectPanel struct {
	Shown bool
	Order bool // of an order: what was agreed on with its customer stands there too
	Last  *inspectSheet
	Now   int64
	More  int    // earlier ones
	Do    string // address of the form where there is none yet; "" for who may not
}

// inspectPanel reads the inspections of an order or a car; offer makes the panel of an order that has none.
func (a *ask) inspectPanel(req *branchlinev1.ListRecordsRequest, offer bool) (out inspectPanel, err error) {
	out = inspectPanel{Order: req.GetOrder() != "", Now: a.Now}
	all, err := a.inspections(req)
	if err != nil {
		return out, err
	}
	if len(all) > 0 {
		last, err := a.inspectShort(all[0])
		out.Shown, out.Last, out.More = true, &last, len(all)-1
		return out, err
	}
	if offer && a.Writes(schema.Inspection) {
		out.Shown, out.Do = true, "/"+req.GetOrder()+"/inspection"
	}
	return out, nil
}
