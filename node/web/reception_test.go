package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// look posts a form as its live part does, or as a browser without scripts.
func (v *visitor) look(path string, form url.Values, live bool) string {
	v.r.t.Helper()
	req, err := http.NewRequestWithContext(v.r.t.Context(), http.MethodPost, v.r.srv.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if live {
		req.Header.Set("HX-Request", "true")
	}
	status, body, _ := v.do(req)
	if status != http.StatusOK {
		v.r.t.Fatalf("%d %s", status, text(body))
	}
	return body
}

// packets are the packages of the town: one due at every car, one for another model, one that is not sold yet.
func (w *town) packets() (small string) {
	line := func(item string, amount int64) *branchlinev1.PackageLine {
		return &branchlinev1.PackageLine{Kind: branchlinev1.LineKind_LABOUR.Enum(), Item: s(item), Amount: proto.Int64(amount)}
	}
	small = id(w.create(w.now, "boss", &branchlinev1.Package{
		Name: s("小保养套餐"), EveryKm: proto.Int64(10_000), Price: proto.Int64(49_800), Lines: []*branchlinev1.PackageLine{line("换机油机滤", 49_800)},
	}))
	w.create(w.now, "boss", &branchlinev1.Package{Name: s("奥迪养护"), Models: []string{"A4L"}, Price: proto.Int64(1), Lines: []*branchlinev1.PackageLine{line("养护", 1)}})
	w.create(w.now, "boss", &branchlinev1.Package{Name: s("明年的套餐"), ValidFrom: s("2027-01-01"), Lines: []*branchlinev1.PackageLine{line("x", 1)}})
	return small
}

func TestReception_TheCarIsPulledUp(t *testing.T) {
	w := newTown(newRig(t))
	small := w.packets()
	zm := w.as("zm", "zh-CN")
	page := zm.page("/serviceOrders/new")
	want(t, page, "先打车牌")
	form := formOf(t, page, "/serviceOrders")
	form.Set("plate", "a52h17") // its province is left out
	form.Set("odometer_km", "37100")
	for _, live := range []bool{true, false} {
		body := zm.look("/serviceOrders/new", form, live)
		looktest.HTML(t, body)
		want(t, body, "沪A·52H17", "这台车已经在店里", "左前轮异响", "变速箱油到期", "陳建國", "车主", "上次是他送来", "小保养套餐", "498.00", "该做了", "原是给 A4L 的", "不是返修")
		wantNot(t, body, "明年的套餐")
	}
	form.Set("package", small)
	status, to, body := zm.post("/serviceOrders", form)
	if status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	want(t, zm.page(to), "沪A·52H17", "小保养套餐", "换机油机滤", "37,100 km")
	rec, err := w.rec.GetRecord(w.by("boss"), &branchlinev1.GetRecordRequest{Name: to[1:]})
	if o := rec.GetServiceOrder(); err != nil || "vehicles/"+o.GetVehicle() != w.passat || o.GetQueueNumber() == "" {
		t.Errorf("%v %v", o, err)
	}
	// Part of a plate that several cars may have, or that is too little of one, is asked about.
	form.Set("plate", "H17")
	if status, _, body := zm.post("/serviceOrders", form); status != http.StatusBadRequest || !strings.Contains(body, "是哪一台") {
		t.Errorf("%d %s", status, text(body))
	}
}

func TestReception_WhatWasTypedStaysAndIsSaidBesideTheField(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	form := formOf(t, zm.page("/serviceOrders/new"), "/serviceOrders")
	form.Set("plate", "浙F2G6T1")
	form.Set("odometer_km", "三万")
	form.Set("key_tag", "K-12")
	status, _, body := zm.post("/serviceOrders", form)
	if status != http.StatusBadRequest {
		t.Fatalf("%d %s", status, text(body))
	}
	looktest.HTML(t, body)
	want(t, body, "里程要写整数", "写一句客户说的", "有 2 处要改")
	if !strings.Contains(body, `value="K-12"`) || !strings.Contains(body, `id="i-complaint-say"`) {
		t.Errorf("%s", body)
	}
	// A reading that does not fit is asked about once, and the answer is kept over the next question.
	form.Set("plate", "沪A52H17")
	form.Set("complaint", "保养")
	form.Set("odometer_km", "3700")
	status, _, body = zm.post("/serviceOrders", form)
	if status != http.StatusBadRequest {
		t.Fatalf("%d %s", status, text(body))
	}
	want(t, body, "还少", "有一处想再问您一次")
	again := formOf(t, body, "/serviceOrders")
	again.Set("confirmed", "odometer_check")
	if status, _, body := zm.post("/serviceOrders", again); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
}

func TestReception_SomebodyKnownIsNotWrittenDownTwice(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	form := formOf(t, zm.page("/serviceOrders/new"), "/serviceOrders")
	form.Set("plate", "浙F2G6T1")
	form.Set("complaint", "异响")
	form.Set("name", "何建华")
	form.Set("phone", "13900006600")
	want(t, zm.look("/serviceOrders/new", form, true), "是同一个人就选他", "何建华")
	before := len(w.all("customers"))
	status, _, body := zm.post("/serviceOrders", form)
	if status != http.StatusConflict {
		t.Fatalf("%d %s", status, text(body))
	}
	form = formOf(t, body, "/serviceOrders")
	form.Set("likely", w.he[len("customers/"):])
	status, to, body := zm.post("/serviceOrders", form)
	if status != http.StatusSeeOther || len(w.all("customers")) != before {
		t.Fatalf("%d %s", status, text(body))
	}
	want(t, zm.page(to), "何建华", "浙F·2G6T1")
}

// Who is at the desk with a car that is new here stays chosen when its plate is typed.
func TestReception_OfACustomer(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	page := zm.page("/serviceOrders/new?customer=" + w.he[len("customers/"):])
	want(t, page, "何建华")
	form := formOf(t, page, "/serviceOrders")
	form.Set("plate", "浙F2G6T1")
	form.Set("complaint", "异响")
	want(t, zm.look("/serviceOrders/new", form, true), "何建华")
	status, to, body := zm.post("/serviceOrders", form)
	if status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	want(t, zm.page(to), "何建华", "浙F·2G6T1")
	// One who brings one car only brings that.
	page = zm.page("/serviceOrders/new?customer=" + w.chen[len("customers/"):])
	want(t, page, "沪A·52H17", "左前轮异响")
	if form := formOf(t, page, "/serviceOrders"); form.Get("plate") != "沪A52H17" {
		t.Errorf("%v", form)
	}
}

func TestReception_SeveralCars(t *testing.T) {
	w := newTown(newRig(t))
	for _, model := range []string{"朗逸", "途观L"} {
		w.create(w.now, "zm", &branchlinev1.Vehicle{Model: s(model), Plates: plates(&branchlinev1.PlateTerm{Plate: s("沪B0R4P6")})})
	}
	zm := w.as("zm", "zh-CN")
	form := formOf(t, zm.page("/serviceOrders/new"), "/serviceOrders")
	form.Set("plate", "沪B0R4P6")
	form.Set("complaint", "保养")
	status, _, body := zm.post("/serviceOrders", form)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text(body))
	}
	looktest.HTML(t, body)
	want(t, body, "是哪一台", "朗逸", "途观L", "都不是，是另一台")
	form = formOf(t, body, "/serviceOrders")
	form.Set("vehicle", "new")
	cars := len(w.all("vehicles"))
	if status, _, body := zm.post("/serviceOrders", form); status != http.StatusSeeOther || len(w.all("vehicles")) != cars+1 {
		t.Errorf("%d %s", status, text(body))
	}
}

func TestReception_ATechnicianSeesNoPerson(t *testing.T) {
	w := newTown(newRig(t))
	lq := w.as("lq", "zh-CN")
	form := formOf(t, lq.page("/serviceOrders/new"), "/serviceOrders")
	form.Set("plate", "沪A52H17")
	form.Set("complaint", "异响")
	for _, live := range []bool{false, true} {
		body := lq.look("/serviceOrders/new", form, live)
		want(t, body, "左前轮异响")
		wantNot(t, body, "陈建国", "陳建國", "谁送来", "968.00", "gate-who")
	}
	if status, _, body := lq.post("/serviceOrders", form); status != http.StatusSeeOther {
		t.Errorf("%d %s", status, text(body))
	}
	form = formOf(t, lq.page("/serviceOrders/new"), "/serviceOrders")
	form.Set("plate", "浙F2G6T1")
	form.Set("complaint", "异响")
	if status, _, body := lq.post("/serviceOrders", form); status != http.StatusBadRequest || !strings.Contains(body, "请前台先建车") {
		t.Errorf("%d %s", status, text(body))
	}
}

// booked are appointments of the town's day, in every state.
func (w *town) booked() (first string) {
	for i, b := range []*branchlinev1.Appointment{
		{StartAt: proto.Int64(at("2026-11-21", "09:30").UnixMilli()), Plate: s("沪A52H17"), Name: s("陈建国"), Phone: s("13900002270"), Model: s("大众 帕萨特"), Complaint: s("4 万公里保养"), Adviser: s("zm"), Transport: s("waits"), ExpectedMinutes: proto.Int64(150)},
		{StartAt: proto.Int64(at("2026-11-21", "11:20").UnixMilli()), Plate: s("浙F2G6T1"), Name: s("钱先生"), Complaint: s("异响检查"), State: branchlinev1.AppointmentState_APPOINTMENT_CONFIRMED.Enum(), RemindedAt: proto.Int64(at("2026-11-20", "17:00").UnixMilli())},
		{StartAt: proto.Int64(at("2026-11-21", "08:30").UnixMilli()), Name: s("陆晓雯"), Phone: s("13900003333"), Complaint: s("空调不冷"), State: branchlinev1.AppointmentState_APPOINTMENT_NO_SHOW.Enum()},
		{StartAt: proto.Int64(at("2026-11-20", "08:30").UnixMilli()), Plate: s("沪B6N905"), Complaint: s("换雨刮")},
	} {
		r := w.create(w.now.Add(-24*time.Hour), "zm", b)
		if i == 0 {
			first = id(r)
		}
	}
	w.clock.set(w.now)
	return first
}

func TestBookings_ADay(t *testing.T) {
	w := newTown(newRig(t))
	first := w.booked()
	zm := w.as("zm", "zh-CN")
	page := zm.page("/appointments")
	looktest.HTML(t, page)
	want(t, page, "3 台 · 1 台没来", "09:30", "迟 1 小时 10 分", "陈建国", "4 万公里保养", "在店等", "提醒过", "又来了，改回")
	wantNot(t, page, "换雨刮")
	want(t, zm.page("/appointments?day=2026-11-20"), "换雨刮")
	want(t, zm.page("/appointments?day=2026-12-24"), "这天没有预约")
	if _, to, _ := zm.post("/appointments/"+first+"/step", stepOf(t, page, first, "confirm")); !strings.Contains(to, "#b-"+first) {
		t.Errorf("confirmed: %s", to)
	}
	// What another desk did meanwhile is not overwritten.
	if _, to, _ := zm.post("/appointments/"+first+"/step", stepOf(t, page, first, "no_show")); !strings.Contains(to, "moved=1") {
		t.Errorf("a stale page was taken: %s", to)
	}
	page = zm.page("/appointments?moved=1")
	want(t, page, "别人刚改过这个预约")
	cancel := stepOf(t, page, first, "cancel")
	if status, _, body := zm.post("/appointments/"+first+"/step", cancel); status != http.StatusBadRequest || !strings.Contains(body, "写为什么取消") {
		t.Errorf("%d %s", status, text(body))
	}
	move := stepOf(t, page, first, "move")
	move.Set("start_at", "2026-11-24T14:00")
	if _, to, _ := zm.post("/appointments/"+first+"/step", move); to != "/appointments?day=2026-11-24#b-"+first {
		t.Errorf("moved: %s", to)
	}
	page = zm.page("/appointments?day=2026-11-24")
	want(t, page, "14:00", "陈建国")
	cancel = stepOf(t, page, first, "cancel")
	cancel.Set("reason", "客户改主意")
	zm.post("/appointments/"+first+"/step", cancel)
	want(t, zm.page("/appointments?day=2026-11-24"), "客户改主意")
}

// stepOf is what a button under an appointment sends.
func stepOf(t *testing.T, page, id, act string) url.Values {
	t.Helper()
	row := page[strings.Index(page, `id="b-`+id):]
	form := formOf(t, row, "/appointments/"+id+"/step")
	form.Set("act", act)
	return form
}

func TestBookings_WrittenDownAndArrived(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	form := formOf(t, zm.page("/appointments/new?customer="+w.he[len("customers/"):]), "/appointments")
	if form.Get("name") != "何建华" || form.Get("start_at") != "2026-11-21T11:30" {
		t.Errorf("%v", form)
	}
	empty := url.Values{"request_id": form["request_id"], "start_at": {"x"}}
	status, _, body := zm.post("/appointments", empty)
	if status != http.StatusBadRequest {
		t.Fatalf("%d %s", status, text(body))
	}
	want(t, body, "写哪天几点来", "写车牌、姓名或电话")
	form.Set("plate", "沪c 7m21d")
	form.Set("complaint", "小保养")
	form.Set("transport", "waits")
	form.Set("expected_minutes", "90")
	status, to, body := zm.post("/appointments", form)
	if status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	page := zm.page(strings.SplitN(to, "#", 2)[0])
	want(t, page, "沪C·7M21D", "小保养", "11:30")
	booking := to[strings.Index(to, "#b-")+3:]
	gate := zm.page("/serviceOrders/new?appointment=" + booking)
	want(t, gate, "按预约填好了", "按预约：今天 13:00")
	in := formOf(t, gate, "/serviceOrders")
	if in.Get("plate") != "沪C7M21D" || in.Get("complaint") != "小保养" || in.Get("waits") != "true" || in.Get("promise") != "2026-11-21T13:00" {
		t.Errorf("%v", in)
	}
	status, to, body = zm.post("/serviceOrders", in)
	if status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	want(t, zm.page(to), "沪C·7M21D", "何建华")
	want(t, zm.page("/appointments"), "看工单", "1 台 · 1 台已到")
	if status, to, _ := zm.post("/appointments/"+booking, formOf(t, zm.page("/appointments/"+booking+"/edit"), "/appointments/"+booking)); status != http.StatusSeeOther || !strings.HasPrefix(to, "/appointments?day=") {
		t.Errorf("%d %s", status, to)
	}
}

func TestBrowser_ReceptionPagesAreSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	w.packets()
	first := w.booked()
	zm := w.signIn("zm")
	turn := 0
	audit := func(name, path string, more ...looktest.Option) {
		t.Helper()
		langs := look.Langs()
		if !every() {
			langs = langs[turn%3 : turn%3+1]
		}
		turn++
		w.clock.set(w.clock.now().Add(30 * time.Second))
		b.Audit(t, w.srv.URL+path, langs, append(append([]looktest.Option{looktest.Named(name)}, cookies(zm)...), more...)...)
	}
	audit("reception", "/serviceOrders/new")
	audit("reception-known", "/serviceOrders/new?vehicle="+w.passat[len("vehicles/"):])
	audit("reception-new-car", "/serviceOrders/new?plate="+url.QueryEscape("浙F2G6T1"))
	audit("reception-booked", "/serviceOrders/new?appointment="+first)
	audit("bookings", "/appointments")
	audit("bookings-none", "/appointments?day=2026-12-24")
	audit("booking-new", "/appointments/new")
}
