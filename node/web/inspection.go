package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// The walk round the car at reception. An order has one as a rule, and may have another, say at hand-over; it may have none,
// and nothing waits for it.

func inspectionEditor(s *Site) editor {
	return editor{
		kind: schema.Inspection, active: "orders",
		fields: []string{
			"order", "vehicle", "odometer_km", "fuel_eighths", "charge_percent", "warning_lamps", "damages", "points", "valuables", "no_valuables",
			"old_parts_wanted", "wash_wanted", "remark", "signed_by", "signed_at", "signature", "photos",
		},
		sections: inspectionSections, read: readInspection,
		title: func(a *ask, _ proto.Message) string { return a.T("inspect.title") },
		show: func(a *ask, status int, etag string, was, typed proto.Message, bad faults, rest []string) error {
			return s.showInspection(a, status, inspectForm{
				name: "inspections/" + a.id, etag: etag, was: was.(*branchlinev1.Inspection), typed: typed.(*branchlinev1.Inspection), bad: bad, rest: rest,
			})
		},
		put: func(a *ask, m proto.Message, mask []string) error {
			_, err := a.saveInspection("inspections/"+a.id, m.(*branchlinev1.Inspection), mask)
			return err
		},
		then: func(a *ask, m proto.Message) (string, error) {
			return a.inspected("/inspections/"+a.id, m.(*branchlinev1.Inspection)), nil
		},
	}
}

// inspectionSections are the inputs that are as on any form.
func inspectionSections(a *ask, m proto.Message, bad faults) []section {
	i, k := m.(*branchlinev1.Inspection), schema.KindOf(schema.Inspection)
	field := func(in input) input {
		in.Label = a.label(k, in.Name)
		return bad.put(in)
	}
	charge := ""
	if i.ChargePercent != nil {
		charge = strconv.Itoa(int(i.GetChargePercent()))
	}
	km := ""
	if i.OdometerKm != nil {
		km = strconv.FormatInt(i.GetOdometerKm(), 10)
	}
	return []section{
		{Rows: [][]input{{
			field(input{Name: "odometer_km", Value: km, Mode: "numeric", Max: 12}), field(input{Name: "charge_percent", Value: charge, Mode: "numeric", Max: 3}),
		}}},
		{Rows: [][]input{{field(input{Name: "valuables", Type: "area", Value: i.GetValuables(), Hint: a.T("inspect.valuables_hint")})}}},
		{Rows: [][]input{{field(input{Name: "remark", Type: "area", Value: i.GetRemark()})}}},
	}
}

// inspectionOf is the page of an order's inspection: the latest it has, or the form of a new one.
func (s *Site) inspectionOf(a *ask) error {
	order := "serviceOrders/" + a.id
	sh, err := s.sheet(a, order)
	if err != nil {
		return err
	}
	if a.Query("new") == "" {
		all, err := a.inspections(&branchlinev1.ListRecordsRequest{Order: order})
		if err != nil {
			return err
		}
		if len(all) > 0 {
			return a.GoTo("/" + all[0].GetName())
		}
	}
	if sh.r.GetHome() != a.branch() || !a.Writes(schema.Inspection) {
		return schema.ErrForbidden
	}
	id, err := a.requestID()
	if err != nil {
		return err
	}
	o := sh.r.GetServiceOrder()
	return s.showInspection(a, http.StatusOK, inspectForm{request: id, typed: &branchlinev1.Inspection{
		Order: proto.String(a.id), Vehicle: o.Vehicle, OdometerKm: o.OdometerKm, OldPartsWanted: o.OldPartsWanted, WashWanted: o.WashWanted,
	}, bad: faults{}})
}

// inspections are those of an order or a car, the latest first.
func (a *ask) inspections(req *branchlinev1.ListRecordsRequest) ([]*branchlinev1.Record, error) {
	if !a.Reads(schema.Inspection) {
		return nil, nil
	}
	req.Collection, req.OrderBy = "inspections", "day desc"
	all, _, err := a.listAll(a.R.Context(), req)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(x, y *branchlinev1.Record) int {
		i, j := x.GetInspection(), y.GetInspection()
		return cmp.Or(cmp.Compare(j.GetDay(), i.GetDay()), cmp.Compare(j.GetDoneAt(), i.GetDoneAt()), cmp.Compare(y.GetCreateTime(), x.GetCreateTime()))
	})
	return all, nil
}

// inspection is the page of one: a form where it may be written, else a sheet.
func (s *Site) inspection(a *ask) error {
	e := inspectionEditor(s)
	sh, err := s.sheet(a, e.name(a.id))
	if err != nil {
		return err
	}
	if !a.mayInspect(sh.r) {
		return s.inspectionSheet(a, sh.r)
	}
	return s.showEdit(a, e, http.StatusOK, sh.r.GetEtag(), only(sh.k, sh.body, e.seen(a)), sh.body, faults{}, nil)
}

func (a *ask) mayInspect(r *branchlinev1.Record) bool {
	return r.GetHome() == a.branch() && !r.GetShared() && a.Writes(schema.Inspection)
}

func (s *Site) inspectionUpdate(a *ask) error { return s.update(a, inspectionEditor(s)) }

func (s *Site) inspectionCreate(a *ask) error {
	sh, err := s.sheet(a, "serviceOrders/"+a.id)
	if err != nil {
		return err
	}
	form := inspectForm{request: a.Form("request_id"), typed: &branchlinev1.Inspection{Order: proto.String(a.id), Vehicle: sh.r.GetServiceOrder().Vehicle}}
	form.bad = readInspection(a, form.typed)
	if len(form.bad) > 0 {
		return s.showInspection(a, http.StatusBadRequest, form)
	}
	made, err := a.saveInspection("", form.typed, nil)
	if errors.Is(err, schema.ErrInvalid) && len(violations(err)) > 0 {
		form.rest = a.take(form.bad, err, inputNames(inspectionSections(a, form.typed, form.bad)), a.violated)
		return s.showInspection(a, http.StatusBadRequest, form)
	}
	if err != nil {
		return err
	}
	return a.GoTo(a.inspected("/"+made.GetName(), form.typed))
}

// saveInspection is the one call that saves a form: the inspection (name "": a new one) and what follows from it. An edit
// says the same when it is sent twice, so only a new one needs the form's request id.
func (a *ask) saveInspection(name string, i *branchlinev1.Inspection, mask []string) (*branchlinev1.Record, error) {
	w, err := a.wear(i)
	if err != nil {
		return nil, err
	}
	w.fill(i.GetPoints())
	req := &branchlinev1.SaveInspectionRequest{
		Inspection: &branchlinev1.Record{Name: name}, UpdateMask: mask, Propose: a.proposal(i, w), Confirmed: a.confirmed(),
	}
	body := proto.Message(i)
	if name == "" {
		req.RequestId = a.Form("request_id")
	} else {
		req.Inspection.Etag, body = a.Form("etag"), only(schema.KindOf(schema.Inspection), i, mask)
	}
	if err := schema.SetBody(req.Inspection, body); err != nil {
		return nil, err
	}
	return a.s.c.Workshop.SaveInspection(a.R.Context(), req)
}

// inspected is where a saved form leads; own is the inspection's address.
func (a *ask) inspected(own string, i *branchlinev1.Inspection) string {
	switch {
	case a.Form("photos") != "":
		return own + "#photos"
	case a.Form("rest") != "", a.Form("propose") != "":
		return own + "#points"
	case i.GetOrder() == "":
		return own
	}
	return "/serviceOrders/" + i.GetOrder() + "#inspection"
}

// inspectForm is what stands in the form.
type inspectForm struct {
	name    string // of the record; "" for a new one
	request string // of a new one
	etag    string
	was     *branchlinev1.Inspection // what the page of the etag showed; nil for a new one
	typed   *branchlinev1.Inspection
	bad     faults
	rest    []string // faults of no input in particular
}

func (f inspectForm) hidden() ([]hidden, error) {
	if f.name == "" {
		return []hidden{{"request_id", f.request}}, nil
	}
	was, err := protojson.Marshal(f.was)
	if err != nil {
		return nil, err
	}
	return []hidden{{"etag", f.etag}, {"was", string(was)}}, nil
}
