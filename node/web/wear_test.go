package web_test

import (
	"net/http"
	"strings"
	"testing"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/looktest"
)

// What is measured of tyres and pads is judged by dated limits: it sets the light where nobody has, and is said in words
// on the page, the job card and the quote; what somebody found all the same stays what they found.
func TestWear_IsJudgedAndSaid(t *testing.T) {
	w := newTown(newRig(t))
	w.elsewhere(at("2023-01-05"), "hq", false, &branchlinev1.Setting{Name: s("wear/brake_pads"), Value: s("now=200 soon=400"), From: s("2026-12-01")}) // not yet
	w.elsewhere(at("2023-01-05"), "hq", false, &branchlinev1.Setting{Name: s("wear/tyre"), Value: s("now=160 soon=400"), From: s("2026-01-01")})
	order := w.arrivedCar()
	w.clock.set(w.now)
	zm := w.as("zm", "zh-CN")
	path := "/" + order + "/inspection"
	page := zm.page(path)
	if !strings.Contains(page, `data-now="1.6" data-soon="4"`) || !strings.Contains(page, `data-now="3" data-soon="5"`) {
		t.Error("the limits are not on the page")
	}
	form := formOf(t, page, path)
	for k, v := range map[string]string{
		"points.0.measured": "1.59", "points.1.measured": "1.6 mm", "points.2.measured": "4", "points.3.measured": "1.2", "points.3.finding": "1",
		"points.5.measured": "4.9", "points.6.measured": "new", "points.10.measured": "1.1",
	} {
		form.Set(k, v)
	}
	if status, _, body := zm.post(path, form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	const good, soon, now = branchlinev1.Finding_FINDING_GOOD, branchlinev1.Finding_FINDING_SOON, branchlinev1.Finding_FINDING_NOW
	wanted := map[string]branchlinev1.Finding{
		"tyre_fl": now, "tyre_fr": soon, "tyre_rl": good, "tyre_rr": good, "brake_pads_front": soon, "brake_pads_rear": 0, "battery": 0, // volts are not judged
	}
	name, got := w.checkOf(order)
	if len(got.GetPoints()) != len(wanted) {
		t.Errorf("%d points", len(got.GetPoints()))
	}
	for _, p := range got.GetPoints() {
		if p.GetFinding() != wanted[p.GetItem()] {
			t.Errorf("%s, %s: %s", p.GetItem(), p.GetMeasured(), p.GetFinding())
		}
	}
	says := []string{"左前轮胎 马上处理 1.59 mm 不足 1.6 mm", "右前轮胎 近期处理 1.6 mm 不足 4 mm", "右后轮胎 正常 1.2 mm 马上处理 不足 1.6 mm", "前刹车片 近期处理 4.9 mm 不足 5 mm"}
	for _, p := range []string{"/" + name + "/print", "/" + order + "/jobcard", "/" + order + "/quote"} {
		page := zm.page(p)
		want(t, page, says...)
		wantNot(t, text(page), "左后轮胎 近期")
		looktest.HTML(t, page)
	}
	want(t, zm.page("/"+name), "左前轮胎 不足 1.6 mm", "右后轮胎 马上处理 不足 1.6 mm")
	want(t, zm.page("/"+order), "左前轮胎 1.59 mm 不足 1.6 mm")
	// Once it is a line it is no more beside the quote.
	form = formOf(t, zm.page("/"+name), "/"+name)
	form.Set("propose", "tyre_fl")
	if status, _, body := zm.post("/"+name, form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	page = text(zm.page("/" + order + "/quote"))
	if strings.Contains(page, "左前轮胎 马上处理 1.59 mm") || !strings.Contains(page, "前刹车片 近期处理") {
		t.Error("what the quote has is advised besides")
	}
	want(t, zm.page("/"+order), "马上处理 1.59 mm · 不足 1.6 mm")
}
