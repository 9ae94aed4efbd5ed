package setting_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/setting"
)

func entry(n byte, name, value, from, entity, branch string) setting.Entry {
	return setting.Entry{ID: schema.RecordID{n}, Setting: &branchlinev1.Setting{
		Name: proto.String(name), Value: proto.String(value), From: proto.String(from), Entity: proto.String(entity), Branch: proto.String(branch),
	}}
}

func TestTable_narrowerThenLaterThenMadeLast(t *testing.T) {
	all := []setting.Entry{
		entry(1, "discount_limit/adviser", "bp=100", "2026-01-01", "", ""),
		entry(2, "discount_limit/adviser", "bp=200", "2026-06-01", "", ""),
		entry(3, "discount_limit/adviser", "bp=300", "2026-01-01", "east", ""),
		entry(4, "discount_limit/adviser", "bp=400", "2026-01-01", "", "pd"),
		entry(5, "discount_limit/adviser", "bp=250", "2026-06-01", "", ""),
		entry(6, "discount_limit/adviser", "bp=999", "2027-01-01", "", ""),
		entry(7, "discount_limit/adviser", "much", "2026-07-01", "", ""),
	}
	retired := entry(8, "discount_limit/adviser", "bp=1", "2026-08-01", "", "")
	retired.Setting.RetiredAt = proto.Int64(1)
	all = append(all, retired)
	for _, c := range []struct {
		p    setting.Place
		want int64
	}{
		{setting.Place{Entity: "west", Branch: "xh", Day: "2025-12-31"}, 500},
		{setting.Place{Entity: "west", Branch: "xh", Day: "2026-03-01"}, 100},
		{setting.Place{Entity: "west", Branch: "xh", Day: "2026-11-22"}, 250},
		{setting.Place{Entity: "east", Branch: "xh", Day: "2026-11-22"}, 300},
		{setting.Place{Entity: "east", Branch: "pd", Day: "2026-11-22"}, 400},
	} {
		for range 5 {
			rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			if got := setting.Read(all).DiscountLimit(c.p, "adviser", "clerk"); got != c.want {
				t.Errorf("%+v: %d, want %d", c.p, got, c.want)
			}
		}
	}
	var none *setting.Table
	if got := none.DiscountLimit(setting.Place{Day: "2026-11-22"}, "clerk"); got != 0 {
		t.Errorf("a clerk gives %d of his own", got)
	}
	if got := none.DiscountLimit(setting.Place{Day: "2026-11-22"}, "clerk", "branch-manager"); got != 10_000 {
		t.Errorf("a manager gives %d", got)
	}
}

func TestCheck_saysWhatWouldDo(t *testing.T) {
	for _, c := range [][3]string{
		{"colour", "bp=1", `there is no setting "colour"`},
		{"discount_limit", "bp=1", "say for whom"},
		{"three_guarantees/x", "", "stands alone"},
		{"customer_language/pd", "en", "stands alone"},
		{"customer_language", "fr", `"fr" is none of en, zh-CN, zh-TW`},
		{"discount_limit/adviser", "", "bp is missing: write bp=…"},
		{"discount_limit/adviser", "bp=10001", "a number from 0 to 10000"},
		{"discount_limit/adviser", "bp=-1", "a number from 0 to"},
		{"discount_limit/adviser", "bp=1 bp=2", "stands twice"},
		{"member/gold", "labour=1000", "part is missing"},
		{"wear/clutch", "now=1 soon=2", "it is one of wear/brake_pads, wear/steered, wear/tyre"},
		{"wear", "now=1 soon=2", "there is no setting"},
		{"repair_guarantee", "days=30 miles=5", `"miles=5" is not understood`},
	} {
		err := setting.Check(&branchlinev1.Setting{Name: proto.String(c[0]), Value: proto.String(c[1])})
		if !errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), c[2]) {
			t.Errorf("%s %q: %v", c[0], c[1], err)
		}
	}
	r := setting.Rule{Faults: 3, Days: 20}
	if err := setting.Check(&branchlinev1.Setting{Name: proto.String("three_guarantees"), Value: proto.String(r.String())}); err != nil {
		t.Errorf("a rule as it is written is refused: %v", err)
	}
}

func TestThreeGuarantees_goesByTheDayOfSale(t *testing.T) {
	var none *setting.Table
	mild := setting.Rule{From: "2027-01-01", RepairMonths: 36, RepairKm: 60_000, Months: 24, Km: 50_000, EarlyDays: 60, EarlyKm: 3_000, Faults: 2, Days: 15, Assemblies: 1, Safety: 1, LoanDays: 3}
	next := setting.Read([]setting.Entry{entry(1, "three_guarantees", mild.String(), "2027-01-01", "", "")})
	for _, c := range []struct {
		t            *setting.Table
		sold         string
		ok           bool
		faults, days int64
	}{
		{none, "2013-09-30", false, 0, 0},
		{none, "", false, 0, 0},
		{none, "2013-10-01", true, 5, 35},
		{none, "2021-12-31", true, 5, 35},
		{none, "2022-01-01", true, 4, 30},
		{next, "2026-12-31", true, 4, 30},
		{next, "2027-01-01", true, 2, 15},
		{next, "", false, 0, 0},
	} {
		r, ok := c.t.ThreeGuarantees(setting.Place{Day: c.sold})
		if ok != c.ok || r.Faults != c.faults || r.Days != c.days {
			t.Errorf("sold %q: %+v, %v", c.sold, r, ok)
		}
	}
	if r, _ := next.ThreeGuarantees(setting.Place{Day: "2027-03-01"}); r != mild {
		t.Errorf("read back as %+v", r)
	}
}

func TestGuarantee_andMembers(t *testing.T) {
	tab := setting.Read([]setting.Entry{
		entry(1, "repair_guarantee", "days=90 km=5000", "2026-01-01", "", ""),
		entry(2, "repair_guarantee/engine", "days=365 km=20000", "2026-01-01", "", ""),
		entry(3, "member/gold", "labour=1500 part=500", "2026-01-01", "", ""),
		entry(4, "member/pd", "labour=100 part=0", "2026-01-01", "", "pd"),
	})
	p := setting.Place{Branch: "xh", Day: "2026-11-22"}
	for system, want := range map[string][2]int64{"": {90, 5000}, "brakes": {90, 5000}, "engine": {365, 20000}, "assembly": {100, 20000}} {
		if d, km := tab.Guarantee(p, system); d != want[0] || km != want[1] {
			t.Errorf("%q: %d days, %d km", system, d, km)
		}
	}
	if got := fmt.Sprint(tab.Classes(p)); got != "[gold]" {
		t.Errorf("classes %s", got)
	}
	if l, part, ok := tab.MemberDiscount(p, "gold"); !ok || l != 1500 || part != 500 {
		t.Errorf("gold: %d %d %v", l, part, ok)
	}
	if _, _, ok := tab.MemberDiscount(p, "silver"); ok {
		t.Error("there is no silver")
	}
}

func TestCustomerLanguage(t *testing.T) {
	var none *setting.Table
	p := setting.Place{Branch: "xh", Entity: "east", Day: "2026-11-22"}
	if got := none.CustomerLanguage(p); got != branchlinev1.Language_LANGUAGE_ZH_CN {
		t.Errorf("unset: %v", got)
	}
	tab := setting.Read([]setting.Entry{
		entry(1, "customer_language", "zh-TW", "2026-01-01", "east", ""), entry(2, "customer_language", "en", "2026-01-01", "", "pd"),
		entry(3, "customer_language", "français", "2026-02-01", "east", ""),
	})
	for branch, want := range map[string]branchlinev1.Language{"xh": branchlinev1.Language_LANGUAGE_ZH_TW, "pd": branchlinev1.Language_LANGUAGE_EN} {
		p.Branch = branch
		if got := tab.CustomerLanguage(p); got != want {
			t.Errorf("%s: %v", branch, got)
		}
	}
}

// Whatever is set in whatever order, the table does not depend on the order.
func TestRead_anyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(rt, "n")
		all := make([]setting.Entry, n)
		for i := range all {
			all[i] = entry(byte(i), "repair_guarantee", fmt.Sprintf("days=%d km=%d", i+1, i+1), fmt.Sprintf("2026-0%d-01", rapid.IntRange(1, 4).Draw(rt, "from")),
				rapid.SampledFrom([]string{"", "east"}).Draw(rt, "entity"), rapid.SampledFrom([]string{"", "pd"}).Draw(rt, "branch"))
		}
		p := setting.Place{Entity: "east", Branch: rapid.SampledFrom([]string{"pd", "xh"}).Draw(rt, "at"), Day: "2026-03-15"}
		d1, k1 := setting.Read(all).Guarantee(p, "")
		d2, k2 := setting.Read(rapid.Permutation(all).Draw(rt, "order")).Guarantee(p, "")
		if d1 != d2 || k1 != k2 {
			rt.Fatalf("%d/%d in one order, %d/%d in another", d1, k1, d2, k2)
		}
	})
}

func TestWear_byPointPlaceAndDay(t *testing.T) {
	var none *setting.Table
	tab := setting.Read([]setting.Entry{
		entry(1, "wear/steered", "now=320 soon=500", "2026-01-01", "", "lorries"),
		entry(2, "wear/tyre", "now=200 soon=400", "2026-06-01", "", ""),
		entry(3, "wear/brake_pads", "now=200 soon=350", "2026-06-01", "east", ""),
		entry(4, "wear/tyre", "now=900", "2026-06-02", "", ""), // half of it: never counted
	})
	day := setting.Place{Branch: "pd", Day: "2026-11-22"}
	for _, c := range []struct {
		t         *setting.Table
		p         setting.Place
		point     string
		now, soon int64
		ok        bool
	}{
		{none, day, "tyre_fl", 160, 300, true},
		{none, day, "spare", 160, 300, true},
		{none, day, "brake_pads_rear", 300, 500, true},
		{none, day, "battery", 0, 0, false},
		{tab, day, "tyre_fl", 200, 400, true},
		{tab, setting.Place{Branch: "pd", Day: "2026-05-31"}, "tyre_fl", 160, 300, true},
		{tab, setting.Place{Branch: "lorries", Day: "2026-11-22"}, "tyre_fr", 320, 500, true},
		{tab, setting.Place{Branch: "lorries", Day: "2026-11-22"}, "tyre_rr", 200, 400, true},
		{tab, day, "brake_pads_front", 300, 500, true},
		{tab, setting.Place{Entity: "east", Branch: "pd", Day: "2026-11-22"}, "brake_pads_front", 200, 350, true},
	} {
		if now, soon, ok := c.t.Wear(c.p, c.point); now != c.now || soon != c.soon || ok != c.ok {
			t.Errorf("%s at %+v: %d, %d, %v", c.point, c.p, now, soon, ok)
		}
	}
}
