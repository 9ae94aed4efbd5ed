package desk_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
	"branchline/sync/edit"
)

func TestCheckVIN_asksOnceAndNeverRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		vin, confirm string
		asks         bool
		checked      *bool
	}{
		"good":              {"WAUZZZ8K1DA006278", "", false, proto.Bool(true)},
		"check digit":       {"1HRFFHEL8RZ133325", "", true, proto.Bool(false)},
		"confirmed":         {"1HRFFHEL8RZ133325", desk.ConfirmVIN, false, proto.Bool(false)},
		"another confirmed": {"1HRFFHEL8RZ133325", "something", true, proto.Bool(false)},
		"none":              {"", "", false, nil},
	} {
		v := &branchlinev1.Vehicle{Vin: proto.String(c.vin)}
		err := desk.CheckVIN(v, []string{c.confirm})
		if (err != nil) != c.asks || err != nil && !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		var d *desk.DetailedError
		if c.asks && (!errors.As(err, &d) || d.Details()[0].(*branchlinev1.FieldViolation).GetConfirm() != desk.ConfirmVIN) {
			t.Errorf("%s: the question does not say how to confirm: %v", name, err)
		}
		if (v.VinChecked == nil) != (c.checked == nil) || v.VinChecked != nil && *v.VinChecked != *c.checked {
			t.Errorf("%s: vin_checked is %v", name, v.VinChecked)
		}
	}
}

func TestConflict_namesWhoWroteTheirs(t *testing.T) {
	at := schema.TickAt(time.UnixMilli(1234))
	in := &edit.ConflictError{Fields: []edit.Conflict{
		{Field: "name", Yours: `"A"`, Theirs: `"B"`, Stamp: schema.Stamp{At: at, Branch: "pd", Inc: 7, Seq: 3}}, {Field: "remark", Yours: `"x"`},
	}}
	err := desk.Conflict(in, func(id schema.ChangeID) (string, error) { return "staff of " + id.String(), nil })
	var d *desk.DetailedError
	if !errors.As(err, &d) || !errors.Is(err, schema.ErrConflict) || len(d.Details()) != 2 {
		t.Fatalf("%v", err)
	}
	want := &branchlinev1.FieldConflict{Field: "name", Yours: `"A"`, Theirs: `"B"`, Who: "staff of pd/7/3", Branch: "pd", At: 1234}
	if !proto.Equal(d.Details()[0], want) {
		t.Errorf("%v, want %v", d.Details()[0], want)
	}
	if !proto.Equal(d.Details()[1], &branchlinev1.FieldConflict{Field: "remark", Yours: `"x"`}) {
		t.Errorf("%v", d.Details()[1])
	}
	if other := errors.New("disk full"); desk.Conflict(other, nil) != other {
		t.Error("another error was changed")
	}
}

func TestTitles_useOnlyWhatIsThere(t *testing.T) {
	r := &branchlinev1.Record{Name: "vehicles/x"}
	if err := schema.SetBody(r, &branchlinev1.Vehicle{}); err != nil {
		t.Fatal(err)
	}
	if title, _ := desk.Titles(r); title != "vehicles/x" {
		t.Error(title)
	}
	if err := schema.SetBody(r, &branchlinev1.Vehicle{
		Vin: proto.String("WAUZZZ8K1DA006278"), Model: proto.String("A4"),
		Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A00001"), To: proto.String("2025-01-01")}, {Plate: proto.String("沪A00002")}},
	}); err != nil {
		t.Fatal(err)
	}
	if title, sub := desk.Titles(r); title != "沪A00002" || sub != "A4 …DA006278" {
		t.Error(title, sub)
	}
}

func TestComplete_fillsInOnlyWhatIsNotSaid(t *testing.T) {
	now, zone := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC), time.FixedZone("", 8*60*60)
	o := &branchlinev1.ServiceOrder{Branch: proto.String("mh")}
	desk.Complete(o, "pd", "wu", now, zone)
	if o.GetBranch() != "mh" || o.GetDay() != "2026-11-22" || o.GetOpenedAt() != now.UnixMilli() {
		t.Errorf("%v", o)
	}
	n := &branchlinev1.Note{}
	desk.Complete(n, "", "wu", now, zone)
	if n.Branch != nil || n.GetAuthor() != "wu" || n.GetDay() != "2026-11-22" {
		t.Errorf("a note of headquarters: %v", n)
	}
}

func TestComplete_theKindsOfTheCounter(t *testing.T) {
	now, zone := time.Date(2026, 11, 21, 20, 0, 0, 0, time.UTC), time.FixedZone("", 8*60*60)
	start := time.Date(2026, 11, 25, 17, 0, 0, 0, time.UTC).UnixMilli() // the 26th, there
	for _, x := range []struct{ m, want proto.Message }{
		{
			&branchlinev1.Appointment{StartAt: &start},
			&branchlinev1.Appointment{StartAt: &start, Branch: proto.String("pd"), Day: proto.String("2026-11-26"), State: branchlinev1.AppointmentState_APPOINTMENT_BOOKED.Enum()},
		},
		{
			&branchlinev1.Payment{Amount: proto.Int64(5)},
			&branchlinev1.Payment{
				Amount: proto.Int64(5), Branch: proto.String("pd"), Day: proto.String("2026-11-22"), At: proto.Int64(now.UnixMilli()),
				Cashier: proto.String("wu"), Currency: proto.String("CNY"),
			},
		},
		{
			&branchlinev1.CashClose{Counts: []*branchlinev1.CashCount{{Counted: proto.Int64(5)}}, Currency: proto.String("USD")},
			&branchlinev1.CashClose{
				Counts: []*branchlinev1.CashCount{{Counted: proto.Int64(5)}}, Currency: proto.String("USD"), Branch: proto.String("pd"),
				Day: proto.String("2026-11-22"), At: proto.Int64(now.UnixMilli()), Cashier: proto.String("wu"),
			},
		},
		{&branchlinev1.InsurancePolicy{}, &branchlinev1.InsurancePolicy{}},
		{&branchlinev1.Setting{}, &branchlinev1.Setting{}}, // it would hold for this branch only
		{
			&branchlinev1.Package{Lines: []*branchlinev1.PackageLine{{Amount: proto.Int64(5)}}},
			&branchlinev1.Package{Lines: []*branchlinev1.PackageLine{{Amount: proto.Int64(5)}}, Branch: proto.String("pd"), Currency: proto.String("CNY")},
		},
	} {
		desk.Complete(x.m, "pd", "wu", now, zone)
		if !proto.Equal(x.m, x.want) {
			t.Errorf("%v, want %v", x.m, x.want)
		}
	}
}

func TestUniform_foldsWhatIsLookedUpBy(t *testing.T) {
	for _, x := range []struct{ m, want proto.Message }{
		{
			&branchlinev1.Appointment{Plate: proto.String(" 沪a·8k362 "), Phone: proto.String(" 139 0000 2207 "), Complaint: proto.String(" 异响\n")},
			&branchlinev1.Appointment{Plate: proto.String("沪A8K362"), Phone: proto.String("139 0000 2207"), Complaint: proto.String(" 异响\n")},
		},
		{
			&branchlinev1.Vehicle{Vin: proto.String("lsvaa49j132046818 "), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪a8k362")}}},
			&branchlinev1.Vehicle{Vin: proto.String("LSVAA49J132046818"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A8K362")}}},
		},
		{
			&branchlinev1.Customer{Name: proto.String(" 王芳 "), Phones: []*branchlinev1.Phone{{Number: proto.String(" 1390 "), Label: proto.String(" 手机 ")}}},
			&branchlinev1.Customer{Name: proto.String("王芳"), Phones: []*branchlinev1.Phone{{Number: proto.String("1390"), Label: proto.String(" 手机 ")}}},
		},
		{&branchlinev1.Fapiao{Title: proto.String(" 个人 ")}, &branchlinev1.Fapiao{Title: proto.String("个人")}},
	} {
		if desk.Uniform(x.m); !proto.Equal(x.m, x.want) {
			t.Errorf("%v, want %v", x.m, x.want)
		}
	}
}

func TestDated_datesTheStateWritten(t *testing.T) {
	settled, sent := branchlinev1.OrderState_SETTLED, branchlinev1.ClaimState_CLAIM_SENT
	at, by := proto.Int64(1234), proto.String("wu")
	for _, x := range []struct{ m, want proto.Message }{
		{
			&branchlinev1.ServiceOrder{State: &settled, States: []*branchlinev1.StateChange{{At: proto.Int64(1)}}},
			&branchlinev1.ServiceOrder{States: []*branchlinev1.StateChange{{State: &settled, At: at, By: by}}},
		},
		{&branchlinev1.Claim{State: &sent}, &branchlinev1.Claim{States: []*branchlinev1.ClaimChange{{State: &sent, At: at, By: by}}}},
	} {
		if got := desk.Dated(x.m, "wu", time.UnixMilli(1234)); !proto.Equal(got, x.want) {
			t.Errorf("%v, want %v", got, x.want)
		}
	}
	for _, m := range []proto.Message{&branchlinev1.ServiceOrder{}, &branchlinev1.Claim{}, &branchlinev1.Customer{}} {
		if got := desk.Dated(m, "wu", time.UnixMilli(1234)); got != nil {
			t.Errorf("%T writes no state, and got %v", m, got)
		}
	}
}

func TestDoubtful_takesOrdersWithoutAReadingOfTheirOwn(t *testing.T) {
	id := schema.RecordID{1}
	order := schema.ResourceName(schema.ServiceOrder, id)
	orders := []*branchlinev1.Record{{Name: order}}
	if err := schema.SetBody(orders[0], &branchlinev1.ServiceOrder{Day: proto.String("2025-06-01"), OdometerKm: proto.Int64(2500)}); err != nil {
		t.Fatal(err)
	}
	reading := func(name, day string, km int64, of string) *branchlinev1.Record {
		r := &branchlinev1.Record{Name: name}
		if err := schema.SetBody(r, &branchlinev1.OdometerReading{Day: &day, Km: &km, Order: &of}); err != nil {
			t.Fatal(err)
		}
		return r
	}
	readings := []*branchlinev1.Record{
		reading("z", "2023-01-01", 5000, ""), reading("a", "2024-01-01", 10000, ""), reading("b", "2026-01-05", 31000, ""), reading("no day", "", 1, ""), reading("no km", "2026-02-01", 0, ""),
	}
	if got := desk.Doubtful(readings, orders); !slices.Equal(got, []string{order}) {
		t.Errorf("%v, want the order", got)
	}
	readings = append(readings, reading("c", "2025-06-01", 25000, id.String()))
	if got := desk.Doubtful(readings, orders); len(got) != 0 {
		t.Errorf("the order has a reading of its own, and %v is doubtful", got)
	}
}

func TestCheckOdometer_asksOnceAndNeverRefuses(t *testing.T) {
	r := &branchlinev1.Record{Name: "odometerReadings/a"}
	if err := schema.SetBody(r, &branchlinev1.OdometerReading{Day: proto.String("2026-11-01"), Km: proto.Int64(36_982)}); err != nil {
		t.Fatal(err)
	}
	for km, c := range map[int64]struct {
		confirm, want string
	}{
		37_500:  {"", ""},
		3_750:   {"", "it is less than the 36982 km of 2026-11-01. Is it really so?"},
		375_000: {"", "it is 338018 km more than on 2026-11-01. Is it really so?"},
		3_751:   {desk.ConfirmOdometer, ""},
	} {
		err := desk.CheckOdometer([]*branchlinev1.Record{r}, nil, "2026-11-21", km, []string{c.confirm})
		if (err != nil) != (c.want != "") || err != nil && !errors.Is(err, schema.ErrInvalid) {
			t.Fatalf("%d: %v", km, err)
		}
		var d *desk.DetailedError
		if err == nil {
			continue
		}
		if !errors.As(err, &d) {
			t.Fatalf("%d: %v", km, err)
		}
		if q := d.Details()[0].(*branchlinev1.FieldViolation); q.GetReason() != c.want || q.GetConfirm() != desk.ConfirmOdometer || q.GetField() != "odometer_km" {
			t.Errorf("%d: %v", km, q)
		}
	}
}

// What a later visit did, or heard again, counts for the item; the rest stays open.
func TestStillDeclined_theLatestWordCounts(t *testing.T) {
	visit := func(day string, lines ...*branchlinev1.ServiceLine) *branchlinev1.HistoryVisit {
		v := &branchlinev1.HistoryVisit{Order: &branchlinev1.Record{Body: &branchlinev1.Record_ServiceOrder{ServiceOrder: &branchlinev1.ServiceOrder{Day: &day}}}}
		for _, l := range lines {
			v.Lines = append(v.Lines, &branchlinev1.Record{Body: &branchlinev1.Record_ServiceLine{ServiceLine: l}})
		}
		return v
	}
	line := func(item string, state branchlinev1.LineState) *branchlinev1.ServiceLine {
		return &branchlinev1.ServiceLine{Item: &item, State: state.Enum()}
	}
	no, yes := branchlinev1.LineState_LINE_DECLINED, branchlinev1.LineState_LINE_DONE
	pads := "brake pads"
	got := desk.StillDeclined([]*branchlinev1.HistoryVisit{
		visit("2026-03-14", line("Battery", no), line("Wipers", yes)),
		visit("2025-07-27", line("battery ", no), line("wipers", no), &branchlinev1.ServiceLine{PartName: &pads, State: no.Enum()}, line("", no)),
	})
	var said []string
	for _, d := range got {
		said = append(said, d.Visit.GetOrder().GetServiceOrder().GetDay()+" "+d.Item)
	}
	if want := []string{"2026-03-14 Battery", "2025-07-27 brake pads"}; !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
}
