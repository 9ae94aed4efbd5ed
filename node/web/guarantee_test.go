package web_test

import (
	"html"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
	"branchline/schema/look/looktest"
	"branchline/sync/desk"
)

// noisyCar is a young car whose front wheel three sites of two companies have mended under the guarantees, four times in
// all; it stands in this workshop again.
func noisyCar(w *town) (car, open string) {
	v := w.create(at("2026-01-11"), "zm", &branchlinev1.Vehicle{
		Brand: s("大众"), Model: s("途观L"), SoldOn: s("2026-01-10"), Plates: plates(&branchlinev1.PlateTerm{Plate: s("沪A8K362"), From: s("2026-01-12")}),
	})
	car = v.GetName()
	mended := func(when time.Time, branch string, other bool, km int64, days int, l *branchlinev1.ServiceLine) {
		day := when.Format(time.DateOnly)
		o := &branchlinev1.ServiceOrder{
			Branch: s(branch), Vehicle: s(id(v)), State: branchlinev1.OrderState_HANDED_OVER.Enum(), Day: s(day), SettledOn: s(day), OdometerKm: proto.Int64(km),
			OpenedAt: proto.Int64(when.UnixMilli()), States: []*branchlinev1.StateChange{{State: branchlinev1.OrderState_READY.Enum(), At: proto.Int64(when.AddDate(0, 0, days).UnixMilli())}},
			Number: s("X-" + branch + day),
		}
		order := w.elsewhere(when, branch, other, o)
		l.Order, l.Position, l.State, l.Kind = s(order[len("serviceOrders/"):]), proto.Int32(1), branchlinev1.LineState_LINE_DONE.Enum(), branchlinev1.LineKind_LABOUR.Enum()
		w.elsewhere(when, branch, other, l)
		w.elsewhere(when, branch, other, &branchlinev1.OdometerReading{Vehicle: s(id(v)), Day: s(day), Km: proto.Int64(km), Branch: s(branch), Order: l.Order})
	}
	wheel := func(complaint, cause string) *branchlinev1.ServiceLine {
		return &branchlinev1.ServiceLine{System: s("chassis"), FaultCode: s("C1011"), Complaint: s(complaint), Cause: s(cause), Guaranteed: new(true)}
	}
	mended(at("2026-03-01"), "hg", false, 3_000, 6, wheel("左前轮异响", "减振器上座轴承卡滞"))
	mended(at("2026-05-01"), "sj", false, 6_000, 1, wheel("左前轮异响", "连杆松旷"))
	mended(at("2026-06-01"), "sj", false, 90_500, 1, &branchlinev1.ServiceLine{System: s("air_conditioning"), Complaint: s("空调异味"), Correction: s("清洗蒸发箱")})
	mended(at("2026-08-01"), "sz", true, 9_000, 1, wheel("", "下摆臂衬套开裂"))
	mended(at("2026-11-01"), "hg", false, 12_000, 3, wheel("左前轮异响", "下摆臂衬套开裂"))
	o := w.create(at("2026-11-21", "08:30"), "zm", &branchlinev1.ServiceOrder{
		Vehicle: s(id(v)), State: branchlinev1.OrderState_IN_WORK.Enum(), Plate: s("沪A8K362"), OdometerKm: proto.Int64(12_400), Complaint: s("左前轮异响"), Technician: s("lq"),
	})
	w.create(at("2026-11-21", "08:31"), "zm", agreed(&branchlinev1.ServiceLine{
		Order: s(id(o)), Position: proto.Int32(1), Kind: branchlinev1.LineKind_LABOUR.Enum(), State: branchlinev1.LineState_LINE_APPROVED.Enum(), System: s("chassis"), FaultCode: s("c1011"), Complaint: s("左前轮异响"), Cause: s("正在查"),
	}))
	w.create(at("2026-11-21", "08:32"), "zm", &branchlinev1.ServiceLine{
		Order: s(id(o)), Position: proto.Int32(2), Kind: branchlinev1.LineKind_PART.Enum(), State: branchlinev1.LineState_LINE_DECLINED.Enum(), Item: s("右后轮胎 2.8 mm"), System: s("tyres"), DeclinedReason: s("在外面换"),
	})
	w.clock.set(w.now)
	return car, o.GetName()
}

func TestVehicle_ThreeGuaranteesOverAllSites(t *testing.T) {
	w := newTown(newRig(t))
	car, open := noisyCar(w)
	v := w.as("lq", "zh-CN")
	page := html.UnescapeString(v.page("/" + car))
	for _, want := range []string{
		`<body class="app touch">`, "同一故障“左前轮异响”已修 4 次，上限 4 次。", "快到三包的限度", "再修同一故障就是第 5 次", "已 11 日，上限 30 日", "虹桥店 2 · 松江店 1 · 苏州园区店 1",
		"按 2022-01-01 起的规定算。三包到 2028-01-10", "第 4 次同一故障", "在店 6 天", "返修：虹桥店 2026-11-01 修过“左前轮异响”",
		"里程前后对不上：应在 6,000 与 9,000 之间", "/" + open + "/lines/new?item=" + url.QueryEscape("右后轮胎 2.8 mm"),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if form := v.page("/" + open + "/lines/new?item=" + url.QueryEscape("右后轮胎 2.8 mm")); !strings.Contains(form, `value="右后轮胎 2.8 mm"`) {
		t.Error("the declined work is not put into the form of a new line")
	}

	chassis := v.page("/" + car + "?system=chassis")
	if n := strings.Count(chassis, `<time datetime=`); n != 5 || !strings.Contains(chassis, "?site=hg&amp;system=chassis") {
		t.Errorf("%d visits for the chassis; the site's filter loses it or not: %v", n, !strings.Contains(chassis, "?site=hg&amp;system=chassis"))
	}
	if n := strings.Count(v.page("/"+car+"?system=chassis&site=hg"), `<time datetime=`); n != 2 {
		t.Errorf("%d visits for the chassis at one site", n)
	}

	// One more repair under the guarantees: the limit is passed.
	w.create(at("2026-11-21", "09:00"), "zm", agreed(&branchlinev1.ServiceLine{
		Order: s(open[len("serviceOrders/"):]), Position: proto.Int32(3), Kind: branchlinev1.LineKind_LABOUR.Enum(), State: branchlinev1.LineState_LINE_APPROVED.Enum(),
		FaultCode: s("C1011"), System: s("chassis"), Guaranteed: new(true), Assembly: s("gearbox"), SafetyFault: new(true),
	}))
	w.clock.set(w.now)
	page = v.page("/" + car)
	for _, want := range []string{"已修 5 次，上限 4 次", "已到三包的限度", `class="note is-bad"`, "总成更换：变速器", "严重安全性能故障修理"} {
		if !strings.Contains(page, want) {
			t.Errorf("past the limit the page does not say %q", want)
		}
	}
}

func TestVehicle_GuaranteesThatCannotBeCounted(t *testing.T) {
	w := newTown(newRig(t))
	unknown := w.create(at("2026-11-20"), "zm", &branchlinev1.Vehicle{Brand: s("大众"), Model: s("朗逸"), Plates: plates(&branchlinev1.PlateTerm{Plate: s("沪A11111")})}).GetName()
	old := w.create(at("2026-11-20"), "zm", &branchlinev1.Vehicle{Brand: s("大众"), Model: s("朗逸"), SoldOn: s("2012-01-01"), Plates: plates(&branchlinev1.PlateTerm{Plate: s("沪A22222")})}).GetName()
	w.clock.set(w.now)
	v := w.as("zm", "zh-CN")
	for path, want := range map[string]string{unknown: "没有记下购车日期", old: "那时还没有三包规定", w.passat: "三包期已过"} {
		page := v.page("/" + path)
		if !strings.Contains(page, want) || strings.Contains(page, "快到三包的限度") {
			t.Errorf("%s does not say %q, or warns", path, want)
		}
	}
	if page := v.page("/" + unknown); !strings.Contains(page, "/"+unknown+"/edit#f-sold_on") {
		t.Error("nothing leads to where the day of sale is written down")
	}
}

// Every system has a word, and there is no word without a system.
func TestWords_Systems(t *testing.T) {
	words, err := look.LoadWords(front.Words())
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, key := range words.Keys() {
		if code, is := strings.CutPrefix(key, "system."); is {
			have = append(have, code)
		}
	}
	want := desk.Systems()
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(have, want) {
		t.Errorf("words for %v, systems %v", have, want)
	}
	for _, a := range desk.Assemblies() {
		if !slices.Contains(want, a) {
			t.Errorf("the assembly %s is no system", a)
		}
	}
}

func TestBrowser_ThreeGuarantees(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	car, _ := noisyCar(w)
	langs := look.Langs()
	if !every() {
		langs = langs[:1]
	}
	b.Audit(t, w.srv.URL+"/"+car, langs, append([]looktest.Option{looktest.Named("vehicle-guarantees")}, cookies(w.signIn("lq"))...)...)
}
