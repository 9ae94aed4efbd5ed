package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
	"branchline/schema/plate"
	"branchline/sync/desk"
)

// bookingsView is a day of appointments, with its week.
type bookingsView struct {
	look.Frame
	Day            string
	Today          bool
	Summary        string
	Week           []bookingDay
	Earlier, Later string // days of the weeks beside
	Rows           []bookingRow
	New            string
	Write          bool // the caller may change them
	Moved          bool // somebody else has changed the one acted on
}

type bookingDay struct {
	Day, Href, Weekday, Short string
	Count                     int
	On, Today                 bool
}

type bookingRow struct {
	ID, Etag    string
	Time        string
	Late        string
	Plate       string
	Who, Meta   string
	Phone       string
	What, Small string
	Adviser     string
	State       branchlinev1.AppointmentState
	Told        string // when the customer was reminded
	Why         string // it was cancelled
	Order       string
	Arrive      string // where the car is taken in
	Edit        string
	Open, Gone  bool // it may still come; it did not, or was called off
	Next        bool // the first that may still come today
	When        string
	Fault       string
	Reason      string // typed for a cancellation
}

// bookingFault is what is wrong with what was sent from under an appointment, and the reason typed there.
type bookingFault struct{ id, text, reason string }

// bookings is the page of a day.
func (s *Site) bookings(a *ask) error {
	return s.showBookings(a, http.StatusOK, a.Query("day"), bookingFault{})
}

func (s *Site) showBookings(a *ask, status int, day string, bad bookingFault) error {
	if schema.CheckDay(day) != nil || day == "" {
		day = a.today()
	}
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return schema.Invalid("day", "%q is not a day: write it as 2026-11-21", day)
	}
	monday := at.AddDate(0, 0, -(int(at.Weekday())+6)%7)
	of := func(t time.Time) string { return t.Format(time.DateOnly) }
	list, err := s.bookingsOf(a, of(monday), of(monday.AddDate(0, 0, 6)))
	if err != nil {
		return err
	}
	v := bookingsView{
		Frame: a.frame(joinNew(a.T("booking.title"), day), "appointments"), Day: day, Today: day == a.today(), Write: a.Writes(schema.Appointment),
		Earlier: "/appointments?day=" + of(at.AddDate(0, 0, -7)), Later: "/appointments?day=" + of(at.AddDate(0, 0, 7)), Moved: a.Query("moved") != "",
	}
	if v.Write {
		v.New = "/appointments/new?day=" + day
	}
	counts := map[string]int{}
	var mine []*branchlinev1.Record
	for _, r := range list {
		b := r.GetAppointment()
		if b.GetState() != branchlinev1.AppointmentState_APPOINTMENT_CANCELLED {
			counts[b.GetDay()]++
		}
		if b.GetDay() == day {
			mine = append(mine, r)
		}
	}
	for i := range 7 {
		t := monday.AddDate(0, 0, i)
		v.Week = append(v.Week, bookingDay{
			Day: of(t), Href: "/appointments?day=" + of(t), Weekday: a.T("weekday_short." + t.Weekday().String()), Short: s.look.MonthDay(a.Lang, t),
			Count: counts[of(t)], On: of(t) == day, Today: of(t) == a.today(),
		})
	}
	slices.SortStableFunc(mine, func(x, y *branchlinev1.Record) int {
		return cmp.Compare(x.GetAppointment().GetStartAt(), y.GetAppointment().GetStartAt())
	})
	var came, missed int
	next := false
	who, err := a.bookedBy(mine)
	if err != nil {
		return err
	}
	for _, r := range mine {
		row := s.bookingRow(a, r, who)
		if row.ID == bad.id {
			row.Fault, row.Reason = bad.text, bad.reason
		}
		row.Next = v.Today && row.Open && !next
		next = next || row.Next
		switch row.State {
		case branchlinev1.AppointmentState_APPOINTMENT_ARRIVED:
			came++
		case branchlinev1.AppointmentState_APPOINTMENT_NO_SHOW:
			missed++
		}
		v.Rows = append(v.Rows, row)
	}
	if counts[day] > 0 {
		v.Summary = a.booked(counts[day], came, missed)
	}
	return s.pages.bookings.Render(a.W, status, v)
}

// bookedBy are the customers of bookings that do not say a name, by name.
func (a *ask) bookedBy(list []*branchlinev1.Record) (map[string]*branchlinev1.Record, error) {
	var names []string
	for _, r := range list {
		if b := r.GetAppointment(); b.GetName() == "" && b.GetCustomer() != "" {
			names = append(names, "customers/"+b.GetCustomer())
		}
	}
	if len(names) == 0 || !a.Reads(schema.Customer) {
		return nil, nil
	}
	who, _, err := a.s.c.Views.Views(a.R.Context(), names)
	return who, err
}

// bookingsOf are the branch's appointments from a day to another.
func (s *Site) bookingsOf(a *ask, from, to string) (out []*branchlinev1.Record, err error) {
	req := &branchlinev1.ListRecordsRequest{Collection: "appointments", Branch: a.branch(), DayFrom: from, DayTo: to, OrderBy: "day", PageSize: maxListed}
	for {
		res, err := s.c.Records.ListRecords(a.R.Context(), req)
		if err != nil {
			return nil, err
		}
		out = append(out, res.GetRecords()...)
		if req.PageToken = res.GetNextPageToken(); req.PageToken == "" {
			return out, nil
		}
	}
}

func (s *Site) bookingRow(a *ask, r *branchlinev1.Record, who map[string]*branchlinev1.Record) bookingRow {
	b := r.GetAppointment()
	row := bookingRow{
		ID: idOf(r.GetName()), Etag: r.GetEtag(), Plate: b.GetPlate(), What: b.GetComplaint(), Adviser: a.Names().Person(b.GetAdviser()), State: b.GetState(),
		Why: b.GetCancelReason(),
	}
	if b.GetStartAt() > 0 {
		t := time.UnixMilli(b.GetStartAt()).In(s.c.ZoneNow())
		row.Time, row.When = t.Format("15:04"), t.Format(localLayout)
	}
	switch b.GetState() {
	case branchlinev1.AppointmentState_APPOINTMENT_BOOKED, branchlinev1.AppointmentState_APPOINTMENT_CONFIRMED, 0:
		row.Open = true
		if b.GetStartAt() > 0 && b.GetStartAt() < a.Now-60_000 {
			row.Late = a.s.look.Span(a.Lang, b.GetStartAt(), a.Now)
		}
	case branchlinev1.AppointmentState_APPOINTMENT_NO_SHOW, branchlinev1.AppointmentState_APPOINTMENT_CANCELLED:
		row.Gone = true
	}
	name := cmp.Or(b.GetName(), who["customers/"+b.GetCustomer()].GetCustomer().GetName())
	row.Who = b.GetModel()
	row.Meta, row.Phone = name, say.Phone(b.GetPhone())
	small := []string{a.transport(b.GetTransport())}
	if b.GetExpectedMinutes() > 0 {
		small = append(small, say.Hours(b.GetExpectedMinutes()))
	}
	row.Small = strings.Join(nonEmpty(small...), " · ")
	if row.Open && b.GetRemindedAt() > 0 {
		row.Told = a.T("booking.reminded", a.s.look.When(a.Lang, a.Now, b.GetRemindedAt()))
	}
	if b.GetOrder() != "" {
		row.Order = a.Href("serviceOrders/" + b.GetOrder())
	}
	if !a.Writes(schema.Appointment) {
		return row
	}
	row.Edit = "/" + r.GetName() + "/edit"
	if row.Order == "" && a.May("GET /serviceOrders/new") {
		row.Arrive = "/serviceOrders/new?appointment=" + row.ID
	}
	return row
}

// How the customer stays while the car is here. What was written down in other words is said in those.
const (
	transportWaits = "waits"
	transportLeave = "leaves"
	transportLoan  = "loan"
)

func (a *ask) transport(code string) string {
	switch code {
	case transportWaits:
		return a.T("booking.waits")
	case transportLeave:
		return a.T("booking.leaves")
	case transportLoan:
		return a.T("booking.loan")
	}
	return code
}

// booking leads to an appointment on its day.
func (s *Site) booking(a *ask) error {
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "appointments/" + a.id})
	if err != nil {
		return err
	}
	return a.GoTo(bookingDayOf(r.GetAppointment()) + "#b-" + a.id)
}

func bookingDayOf(b *branchlinev1.Appointment) string { return "/appointments?day=" + b.GetDay() }

// bookingEditor is the form of an appointment.
func (s *Site) bookingEditor(a *ask) (editor, error) {
	sold, err := a.soldPackages()
	if err != nil {
		return editor{}, err
	}
	return editor{
		kind: schema.Appointment, active: "appointments",
		fields: []string{
			"customer", "vehicle", "day", "start_at", "expected_minutes", "name", "phone", "plate", "model", "complaint", "adviser", "bay", "channel", "package", "transport", "remark",
		},
		sections: func(a *ask, m proto.Message, bad faults) []section { return bookingSections(a, m, bad, sold) }, read: readBooking,
		title: func(a *ask, m proto.Message) string {
			b := m.(*branchlinev1.Appointment)
			return cmp.Or(plate.Format(b.GetPlate()), b.GetName(), a.T("booking.title"))
		},
		page: func(m proto.Message) string { return bookingDayOf(m.(*branchlinev1.Appointment)) },
	}, nil
}

func bookingSections(a *ask, m proto.Message, bad faults, sold []*branchlinev1.Record) []section {
	b := m.(*branchlinev1.Appointment)
	k := schema.KindOf(schema.Appointment)
	field := func(in input) input {
		if in.Label == "" {
			in.Label = a.label(k, in.Name)
		}
		return bad.put(in)
	}
	when := a.Form("start_at") // a time that could not be read comes back as it was typed
	if b.GetStartAt() > 0 {
		when = time.UnixMilli(b.GetStartAt()).In(a.s.c.ZoneNow()).Format(localLayout)
	}
	stays := input{Name: "transport", Type: "select", Value: b.GetTransport(), Options: []option{{"", ""}}}
	for _, code := range []string{transportWaits, transportLeave, transportLoan} {
		stays.Options = append(stays.Options, option{code, a.transport(code)})
	}
	if v := b.GetTransport(); v == a.transport(v) && v != "" {
		stays.Options = append(stays.Options, option{v, v})
	}
	packs := input{Name: "package", Type: "select", Value: b.GetPackage(), Options: []option{{"", a.T("reception.no_package")}}}
	for _, p := range a.packRows(sold, packCar{model: b.GetModel()}) {
		packs.Options = append(packs.Options, option{p.ID, strings.Join(nonEmpty(p.Name, p.Price, p.Meta), " · ")})
	}
	if booked := b.GetPackage(); booked != "" && !slices.ContainsFunc(packs.Options, func(o option) bool { return o.Value == booked }) {
		packs.Options = append(packs.Options, option{booked, a.T("booking.old_package")})
	}
	minutes := ""
	if b.GetExpectedMinutes() > 0 {
		minutes = typedFixed(b.GetExpectedMinutes(), 0, 0)
	}
	return []section{
		{Title: a.T("booking.who"), Rows: [][]input{
			{
				field(input{Name: "plate", Label: a.T("word.plate"), Value: b.GetPlate(), Max: 20, Focus: true, Hint: a.T("booking.who_hint")}),
				field(input{Name: "name", Value: b.GetName(), Max: 100}), field(input{Name: "phone", Type: "tel", Value: b.GetPhone(), Max: 40}),
			},
			{field(input{Name: "model", Value: b.GetModel(), Max: 120})},
		}},
		{Title: a.T("booking.when"), Rows: [][]input{{
			field(input{Name: "start_at", Type: "datetime-local", Value: when, Required: true}),
			field(input{Name: "expected_minutes", Label: a.T("booking.how_long"), Value: minutes, Mode: "numeric", Max: 5}),
			field(stays),
		}}},
		{Title: a.T("booking.what"), Rows: [][]input{
			{field(input{Name: "complaint", Type: "area", Value: b.GetComplaint(), Class: "w2"}), field(packs)},
			{field(a.colleague("adviser", b.GetAdviser(), branchlinev1.Role_ROLE_ADVISER)), field(input{Name: "bay", Value: b.GetBay(), Max: 40}), field(input{Name: "channel", Value: b.GetChannel(), Max: 40})},
			{field(input{Name: "remark", Type: "area", Value: b.GetRemark(), Class: "w2"})},
		}},
	}
}

func readBooking(a *ask, m proto.Message) faults {
	b, bad := m.(*branchlinev1.Appointment), faults{}
	for _, f := range []string{"name", "phone", "plate", "model", "adviser", "bay", "channel", "transport", "package"} {
		setText(b, f, a.Form(f))
	}
	for _, f := range []string{"complaint", "remark"} {
		setText(b, f, strings.ReplaceAll(a.Form(f), "\r\n", "\n"))
	}
	for _, f := range []string{"customer", "vehicle"} {
		if _, err := schema.ParseRecordID(a.Form(f)); err == nil {
			setText(b, f, a.Form(f))
		}
	}
	b.StartAt, b.Day = nil, nil
	at, ok := a.s.localTime(a.Form("start_at"))
	if ok {
		b.StartAt, b.Day = &at, proto.String(a.s.look.Day(at))
	} else {
		bad["start_at"] = fault{text: a.T("booking.need_time")}
	}
	b.ExpectedMinutes = nil
	if text := a.Form("expected_minutes"); text != "" {
		n, ok := parseWhole(text)
		if !ok || n > 100*24*60 {
			bad["expected_minutes"] = fault{text: a.T("form.bad_number")}
		}
		b.ExpectedMinutes = &n
	}
	if b.GetPlate() == "" && b.GetName() == "" && b.GetPhone() == "" && b.GetCustomer() == "" && b.GetVehicle() == "" {
		bad["plate"] = fault{text: a.T("booking.need_who")}
	}
	return bad
}

func (s *Site) bookingNew(a *ask) error {
	e, err := s.bookingEditor(a)
	if err != nil {
		return err
	}
	b := &branchlinev1.Appointment{Plate: text(a.Query("plate"))}
	if slices.Contains(a.Who.Roles, branchlinev1.Role_ROLE_ADVISER) {
		b.Adviser = text(a.Who.Staff)
	}
	day := a.Query("day")
	if schema.CheckDay(day) != nil || day == "" {
		day = a.today()
	}
	if at, ok := s.localTime(day + "T09:00"); ok && at > a.Now {
		b.StartAt = &at
	} else { // the next half hour but one
		b.StartAt = proto.Int64((a.Now/1_800_000 + 2) * 1_800_000)
	}
	b.Day = proto.String(s.look.Day(b.GetStartAt()))
	if err := s.bookingOf(a, b); err != nil {
		return err
	}
	return s.newPage(a, e, a.T("booking.new"), a.about(a.Query, "customer", "vehicle"), b)
}

// bookingOf fills in the customer and the car the page was asked for.
func (s *Site) bookingOf(a *ask, b *branchlinev1.Appointment) error {
	for _, h := range a.about(a.Query, "customer", "vehicle") {
		r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: h.Name + "s/" + h.Value, Golden: true})
		if err != nil {
			return err
		}
		if c := r.GetCustomer(); c != nil {
			b.Name = text(c.GetName())
			if p := c.GetPhones(); len(p) > 0 {
				b.Phone = text(p[desk.Preferred(r, "phones", len(p))].GetNumber())
			}
		}
		if v := r.GetVehicle(); v != nil {
			b.Plate, b.Model = text(desk.PlateOf(v)), text(say.Vehicle(v))
		}
	}
	return nil
}

func (s *Site) bookingCreate(a *ask) error {
	e, err := s.bookingEditor(a)
	if err != nil {
		return err
	}
	return s.create(a, e, a.T("booking.new"), a.about(a.Form, "customer", "vehicle"), func(r *branchlinev1.Record) (string, error) {
		return bookingDayOf(r.GetAppointment()) + "#b-" + idOf(r.GetName()), nil
	})
}

// bookingStep is what one button under an appointment does.
func (s *Site) bookingStep(a *ask) error {
	day := a.Form("day")
	refuse := func(text string) error {
		return s.showBookings(a, http.StatusBadRequest, day, bookingFault{a.id, text, a.Form("reason")})
	}
	b := &branchlinev1.Appointment{}
	mask := []string{"state"}
	switch a.Form("act") {
	case "confirm":
		b.State = branchlinev1.AppointmentState_APPOINTMENT_CONFIRMED.Enum()
	case "remind":
		b.RemindedAt, mask = &a.Now, []string{"reminded_at"}
	case "no_show":
		b.State = branchlinev1.AppointmentState_APPOINTMENT_NO_SHOW.Enum()
	case "again":
		b.State, mask = branchlinev1.AppointmentState_APPOINTMENT_BOOKED.Enum(), []string{"state", "cancel_reason"}
	case "cancel":
		if a.Form("reason") == "" {
			return refuse(a.T("booking.need_why"))
		}
		b.State, b.CancelReason = branchlinev1.AppointmentState_APPOINTMENT_CANCELLED.Enum(), proto.String(a.Form("reason"))
		mask = []string{"state", "cancel_reason"}
	case "move":
		at, ok := s.localTime(a.Form("start_at"))
		if !ok {
			return refuse(a.T("booking.need_time"))
		}
		b.StartAt, b.Day, mask = &at, proto.String(s.look.Day(at)), []string{"start_at", "day"}
	default:
		return schema.Invalid("act", "is missing")
	}
	r, err := s.c.Records.UpdateRecord(a.R.Context(), &branchlinev1.UpdateRecordRequest{
		Record: &branchlinev1.Record{Name: "appointments/" + a.id, Etag: a.Form("etag"), Body: &branchlinev1.Record_Appointment{Appointment: b}}, UpdateMask: mask,
	})
	switch {
	case errors.Is(err, schema.ErrConflict) && schema.CheckDay(day) == nil:
		return a.GoTo("/appointments?moved=1&day=" + day)
	case errors.Is(err, schema.ErrInvalid) && len(violations(err)) > 0:
		return refuse(a.violated(violations(err)[0]))
	case err != nil:
		return err
	}
	return a.GoTo(bookingDayOf(r.GetAppointment()) + "#b-" + a.id)
}
