package guarantee_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/guarantee"
)

func TestRepair_LineBeforeOrder(t *testing.T) {
	o := &branchlinev1.ServiceOrder{
		Day: proto.String("2026-01-30"), SettledOn: proto.String("2026-01-31"), OdometerKm: proto.Int64(40_000),
		GuaranteeUntil: proto.String("2026-04-30"), GuaranteeKm: proto.Int64(45_000),
	}
	own := &branchlinev1.ServiceLine{GuaranteeMonths: proto.Int32(12), GuaranteeKm: proto.Int64(20_000)}
	for name, x := range map[string]struct {
		o     *branchlinev1.ServiceOrder
		l     *branchlinev1.ServiceLine
		until string
		km    int64
	}{
		"of the order":       {o, nil, "2026-04-30", 45_000},
		"of a line without":  {o, &branchlinev1.ServiceLine{}, "2026-04-30", 45_000},
		"of the line":        {o, own, "2027-01-31", 60_000},
		"not settled":        {&branchlinev1.ServiceOrder{Day: proto.String("2026-01-30")}, own, "2027-01-30", 0},
		"months only":        {o, &branchlinev1.ServiceLine{GuaranteeMonths: proto.Int32(1)}, "2026-03-03", 0},
		"nobody settled yet": {&branchlinev1.ServiceOrder{Day: proto.String("2026-01-30")}, nil, "", 0},
	} {
		if until, km := guarantee.Repair(x.o, x.l); until != x.until || km != x.km {
			t.Errorf("%s: %s, %d", name, until, km)
		}
	}
}

func TestCovers_WhicheverEndsFirst(t *testing.T) {
	for _, x := range []struct {
		until string
		km    int64
		day   string
		odo   int64
		want  bool
	}{
		{"", 0, "2026-11-22", 1, false},
		{"2026-11-22", 0, "2026-11-22", 99_999, true},
		{"2026-11-21", 0, "2026-11-22", 0, false},
		{"2026-12-01", 45_000, "2026-11-22", 45_000, true},
		{"2026-12-01", 45_000, "2026-11-22", 45_001, false},
		{"2026-12-01", 45_000, "2026-11-22", 0, true},
		{"", 45_000, "2026-11-22", 44_000, true},
	} {
		if got := guarantee.Covers(x.until, x.km, x.day, x.odo); got != x.want {
			t.Errorf("%+v: %v", x, got)
		}
	}
}
