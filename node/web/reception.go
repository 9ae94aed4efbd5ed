package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/plate"
)

// draft is what the form of a reception holds. Nothing but the plate and a line of complaint is needed.
type draft struct {
	plate, km, complaint, vin, model string
	vehicle, chosen                  string // the car the page was asked for, and the one chosen on it: ids, or otherCar
	customer, likely, name, phone    string // the first two are ids
	nobody                           bool   // none of those who are known to have to do with the car brings it
	pack, promise, due               string
	queue, key, bay, waits           string
	broughtBy, broughtPhone          string
	back, backLine                   string // the order that did not hold, and the line of it: ids
	cause, borne, accident           string
	booked                           string   // the appointment, by id
	loan                             bool     // it asked for a loan car
	parts, partsShown                []string // lines of earlier visits whose parts are to be fitted, and those the form offered: ids

	sent    bool // the form was sent, not only looked at
	cars    []*branchlinev1.Record
	history *branchlinev1.VehicleHistoryResponse
	bad     faults
	rest    []string
}

type receptionView struct {
	look.Frame
	Head, Sub string
	Request   string
	Booked    string
	Customer  string // whom the page was asked for
	Vehicle   string
	Confirmed []string
	Wrong     int
	Confirm   []confirmation
	Faults    []string
	Back      string

	Plate, Km, Complaint input
	Name, Phone          input
	Promise, Due, Waits  input
	Queue, Key, Bay      input
	By, ByPhone          input
	Accident             input
	Gate                 gate
}

// localLayout is what an input of a day and a time of day holds.
const localLayout = "2006-01-02T15:04"

// localTime reads what a datetime-local input gives, in the branch's zone.
func (s *Site) localTime(text string) (int64, bool) {
	for _, layout := range []string{localLayout, "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, text, s.c.ZoneNow()); err == nil {
			return t.UnixMilli(), true
		}
	}
	return 0, false
}

// person is the customer being written down.
func (d *draft) person() *branchlinev1.Customer {
	c := &branchlinev1.Customer{Name: text(d.name)}
	if d.phone != "" {
		c.Phones = []*branchlinev1.Phone{{Number: &d.phone}}
	}
	return c
}

// reception is the page on which a car is taken in.
func (s *Site) reception(a *ask) error {
	d := &draft{plate: a.Query("plate"), complaint: a.Query("complaint"), bad: faults{}}
	for _, q := range []struct {
		name string
		kind schema.Kind
		to   *string
	}{{"vehicle", schema.Vehicle, &d.vehicle}, {"customer", schema.Customer, &d.customer}, {"appointment", schema.Appointment, &d.booked}, {"comeback_of", schema.ServiceOrder, &d.back}, {"comeback_line", schema.ServiceLine, &d.backLine}} {
		if _, err := schema.ParseRecordID(a.Query(q.name)); err == nil && a.Reads(q.kind) {
			*q.to = a.Query(q.name)
		}
	}
	if d.back == "" {
		d.backLine = ""
	}
	if err := s.fromAppointment(a, d); err != nil {
		return err
	}
	id, err := a.requestID()
	if err != nil {
		return err
	}
	return s.showReception(a, http.StatusOK, d, id)
}

// fromAppointment fills in what was said when the car was booked.
func (s *Site) fromAppointment(a *ask, d *draft) error {
	if d.booked == "" {
		return nil
	}
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "appointments/" + d.booked})
	if err != nil {
		return err
	}
	b := r.GetAppointment()
	d.plate, d.model, d.complaint, d.pack, d.bay = b.GetPlate(), b.GetModel(), b.GetComplaint(), b.GetPackage(), b.GetBay()
	d.vehicle, d.customer = b.GetVehicle(), b.GetCustomer()
	if d.customer == "" {
		d.name, d.phone = b.GetName(), b.GetPhone()
	}
	if b.GetTransport() == transportWaits {
		d.waits = "true"
	}
	d.loan = b.GetTransport() == transportLoan
	if b.GetExpectedMinutes() > 0 && b.GetStartAt() > 0 {
		d.promise = time.UnixMilli(b.GetStartAt() + b.GetExpectedMinutes()*60_000).In(s.c.ZoneNow()).Format(localLayout)
	}
	return nil
}

// typedReception is the form as it was sent.
func (a *ask) typedReception() *draft {
	d := &draft{
		plate: a.Form("plate"), km: a.Form("odometer_km"), complaint: strings.ReplaceAll(a.Form("complaint"), "\r\n", "\n"), vin: a.Form("vin"), model: a.Form("model"),
		vehicle: a.Form("for_vehicle"), customer: a.Form("for_customer"), likely: a.Form("likely"), name: strings.TrimSpace(a.Form("name")), phone: strings.TrimSpace(a.Form("phone")),
		pack: a.Form("package"), promise: a.Form("promise"), due: a.Form("promised_at"), queue: a.Form("queue_number"), key: a.Form("key_tag"), bay: a.Form("bay"),
		waits: a.Form("waits"), broughtBy: a.Form("brought_by"), broughtPhone: a.Form("brought_phone"), cause: a.Form("comeback_cause"), borne: strings.TrimSpace(a.Form("comeback_borne_by")),
		accident: a.Form("accident"), booked: a.Form("appointment"), parts: a.R.PostForm["part"], partsShown: a.R.PostForm["part_shown"], bad: faults{},
	}
	d.back, d.backLine, _ = strings.Cut(a.Form("comeback_of"), ".")
	if plate.Fold(d.plate) != a.Form("of") {
		d.vehicle = "" // the page was asked for another car than the one whose plate stands there now
	} else {
		d.chosen = a.Form("vehicle")
	}
	if a.R.PostForm.Has("customer") { // one of those who have to do with the car was chosen, or none
		d.customer, d.nobody = a.Form("customer"), a.Form("customer") == ""
	}
	return d
}

// receptionLook answers the form as it is typed, or whole where there is no script.
func (s *Site) receptionLook(a *ask) error {
	d := a.typedReception()
	if a.R.Header.Get("HX-Request") == "" {
		d.sent = true
		return s.showReception(a, http.StatusOK, d, a.Form("request_id"))
	}
	g, err := s.gate(a, d)
	if err != nil {
		return err
	}
	return s.pages.reception.Part(a.W, http.StatusOK, "gate", a.Lang, g)
}

func (s *Site) showReception(a *ask, status int, d *draft, request string) error {
	k := schema.KindOf(schema.ServiceOrder)
	g, err := s.gate(a, d)
	if err != nil {
		return err
	}
	v := receptionView{
		Frame: a.frame(a.T("order.new"), "orders"), Head: a.T("order.new"), Request: request, Booked: d.booked, Vehicle: d.vehicle, Customer: d.customer,
		Confirmed: a.confirmed(), Wrong: d.bad.wrong(), Confirm: a.confirms(d.bad), Faults: d.rest, Back: "/serviceOrders", Gate: g,
	}
	if d.booked != "" {
		v.Sub, v.Back = a.T("reception.of_booking"), "/appointments"
		if d.loan {
			v.Sub = joinNew(v.Sub, a.T("booking.loan"))
		}
	}
	if d.plate == "" && g.Vehicle != "" {
		d.plate = g.Car.Plate
		v.Gate.Of = plate.Fold(d.plate)
	}
	field := func(in input) input {
		if in.Label == "" {
			in.Label = a.label(k, in.Name)
		}
		return d.bad.put(in)
	}
	v.Plate = field(input{Name: "plate", Label: a.T("word.plate"), Value: d.plate, Max: 20, Hint: a.T("order.plate_hint")})
	v.Km = field(input{Name: "odometer_km", Label: a.T("order.km"), Value: d.km, Mode: "numeric", Max: 9, Hint: a.T("reception.km_hint")})
	v.Complaint = field(input{Name: "complaint", Label: a.T("order.complaint"), Type: "area", Value: d.complaint, Class: "w2", Hint: a.T("reception.complaint_hint")})
	v.Name = field(input{Name: "name", Label: a.label(schema.KindOf(schema.Customer), "name"), Value: d.name, Max: 100})
	v.Phone = field(input{Name: "phone", Label: a.T("reception.phone"), Type: "tel", Value: d.phone, Max: 40})
	var until int64
	if at, ok := s.localTime(d.promise); ok {
		until = at
	}
	v.Promise = field(input{Name: "promise", Label: a.label(k, "promised_at"), Type: "select", Value: d.promise, Options: a.promises(s.c.Now().In(s.c.ZoneNow()), until)})
	v.Due = field(input{Name: "promised_at", Label: a.T("reception.other_time"), Type: "datetime-local", Value: d.due})
	v.Waits = field(a.yesNo("waits", d.waits, a.T("booking.leaves"), a.T("booking.waits")))
	v.Queue = field(input{Name: "queue_number", Value: d.queue, Max: 20, Hint: a.T("reception.queue_hint")})
	v.Key = field(input{Name: "key_tag", Value: d.key, Max: 40})
	v.Bay = field(input{Name: "bay", Value: d.bay, Max: 40})
	v.By = field(input{Name: "brought_by", Value: d.broughtBy, Max: 100, Hint: a.T("reception.by_hint")})
	v.ByPhone = field(input{Name: "brought_phone", Type: "tel", Value: d.broughtPhone, Max: 40})
	v.Accident = field(a.yesNo("accident", d.accident, a.T("say.no"), a.T("say.yes")))
	v.focus(d, g)
	return s.pages.reception.Render(a.W, status, v)
}

// focus puts the cursor where the next key belongs: on what is wrong, else on the plate, else on the odometer.
func (v *receptionView) focus(d *draft, g gate) {
	all := []*input{&v.Plate, &v.Km, &v.Gate.VIN, &v.Gate.Model, &v.Complaint, &v.Name, &v.Phone, &v.Promise, &v.Due, &v.Queue, &v.Key, &v.Bay, &v.By, &v.ByPhone}
	for _, in := range all {
		if in.Fault != "" || in.Doubt != "" {
			in.Focus = true
			return
		}
	}
	if d.plate == "" || g.Vehicle == "" && !g.New {
		v.Plate.Focus = true
		return
	}
	v.Km.Focus = true
}

// yesNo is a choice of two, the usual one first.
func (a *ask) yesNo(name, value, no, yes string) input {
	return input{Name: name, Type: "select", Value: value, Options: []option{{"", no}, {"true", yes}}}
}

// receive takes the car in.
func (s *Site) receive(a *ask) error {
	d := a.typedReception()
	d.sent = true
	if err := s.unasked(a, d); err != nil {
		return err
	}
	req, err := s.receiveRequest(a, d)
	if err != nil {
		return err
	}
	if len(d.bad) > 0 {
		return s.showReception(a, http.StatusBadRequest, d, a.Form("request_id"))
	}
	if req.GetName() != "" && s.unseen(a, d.person()) {
		return s.showReception(a, http.StatusConflict, d, a.Form("request_id"))
	}
	out, err := s.c.Workshop.Receive(a.R.Context(), req)
	switch {
	case err == nil && out.GetOrder() != nil:
		return a.GoTo("/" + out.GetOrder().GetName())
	case err == nil:
		d.cars = out.GetVehicles()
		return s.showReception(a, http.StatusOK, d, a.Form("request_id"))
	case errors.Is(err, schema.ErrInvalid) && len(violations(err)) > 0:
		has := map[string]bool{}
		for _, name := range []string{"plate", "odometer_km", "complaint", "name", "phone", "promised_at", "queue_number", "key_tag", "bay", "brought_by", "brought_phone", "vin", "model", "comeback_cause", "comeback_borne_by"} {
			has[name] = true
		}
		d.rest = a.take(d.bad, err, has, a.violated)
		return s.showReception(a, http.StatusBadRequest, d, a.Form("request_id"))
	case errors.Is(err, schema.ErrForbidden) && !a.Writes(schema.Vehicle) && req.GetVehicle() == "":
		d.bad["plate"] = fault{text: a.T("order.unknown_car")}
		return s.showReception(a, http.StatusBadRequest, d, a.Form("request_id"))
	}
	return err
}

// unasked chooses who brings the car for somebody who was quicker than the page: they have not been shown whom to choose
// from, so it is who would have been chosen there.
func (s *Site) unasked(a *ask, d *draft) error {
	if a.R.PostForm.Has("customer") || a.Form("of") == plate.Fold(d.plate) || d.customer != "" || d.likely != "" || d.name != "" || !a.Reads(schema.Customer) {
		return nil
	}
	looked := *d // the page's own guesses stay its own
	g, err := s.gate(a, &looked)
	if err != nil {
		return err
	}
	for _, p := range g.People {
		if p.Checked {
			d.customer = p.Value
		}
	}
	return nil
}

// receiveRequest reads the form; what is wrong with it goes into the draft.
func (s *Site) receiveRequest(a *ask, d *draft) (*branchlinev1.ReceiveRequest, error) {
	r := &branchlinev1.ReceiveRequest{
		Plate: d.plate, Vin: d.vin, Model: d.model, Complaint: d.complaint, QueueNumber: d.queue, KeyTag: d.key, Bay: d.bay, Waits: d.waits == "true",
		BroughtBy: d.broughtBy, BroughtPhone: d.broughtPhone, Appointment: d.booked, Package: d.pack, ComebackOf: d.back, ComebackLine: d.backLine, ComebackCause: d.cause,
		Accident: d.accident == "true", Confirmed: a.confirmed(), RequestId: a.Form("request_id"), OtherCar: d.chosen == otherCar, Parts: d.parts,
	}
	if d.back != "" {
		r.ComebackBorneBy = a.bearerCode(d.borne)
	}
	if d.km != "" {
		km, ok := parseWhole(d.km)
		if !ok {
			d.bad["odometer_km"] = fault{text: a.T("order.bad_km")}
		}
		r.OdometerKm = proto.Int64(km)
	}
	if strings.TrimSpace(d.complaint) == "" && d.pack == "" {
		d.bad["complaint"] = fault{text: a.T("order.need_complaint")}
	}
	for name, value := range map[string]string{"promise": d.promise, "promised_at": d.due} {
		if value == "" || name == "promise" && d.due != "" {
			continue
		}
		at, ok := s.localTime(value)
		if !ok {
			d.bad[name] = fault{text: a.T("order.bad_time")}
		}
		r.PromisedAt = at
	}
	switch {
	case d.likely != "":
		r.Customer = d.likely
	case d.name != "":
		r.Name, r.Phone = d.name, d.phone
	case d.customer != "":
		r.Customer = d.customer
	default:
		r.Phone = d.phone
	}
	if d.chosen != "" && d.chosen != otherCar {
		r.Vehicle = d.chosen
		return r, nil
	}
	if r.GetOtherCar() || plate.Fold(d.plate) == "" {
		r.Vehicle = d.vehicle
	} else if err := s.nearCar(a, d, r); err != nil {
		return nil, err
	}
	if r.GetVehicle() == "" && plate.Fold(d.plate) == "" {
		d.bad["plate"] = fault{text: a.T("order.need_plate")}
	}
	return r, nil
}

// nearCar takes the one car whose plate ends with what was typed: a part of a plate is no plate of its own.
func (s *Site) nearCar(a *ask, d *draft, r *branchlinev1.ReceiveRequest) error {
	if r.Vehicle = d.vehicle; r.Vehicle != "" {
		return nil
	}
	cars, exact, err := s.byPlate(a, d.plate)
	if err != nil || exact || len(cars) == 0 {
		return err
	}
	if len(cars) > 1 || !enough(d.plate) {
		d.bad["plate"] = fault{text: a.T("order.which_car")}
		return nil
	}
	r.Vehicle = idOf(cars[0].GetName())
	return nil
}
