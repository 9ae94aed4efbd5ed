package desk_test

import (
	"errors"
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
