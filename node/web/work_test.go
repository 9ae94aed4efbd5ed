package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// bay is the town with work for two technicians: a line given to one, one that is nobody's, and one the customer is being
// asked about.
type bay struct {
	*town
	given, free, extra string
}

func newBay(t *testing.T) *bay {
	t.Helper()
	w := &bay{town: newTown(newRig(t))}
	for code, name := range map[string]string{"lq": "李强", "wl": "王莉"} {
		w.elsewhere(at("2023-01-06"), "hg", false, &branchlinev1.Staff{
			Code: s(code), Name: s(name), Branches: []string{"pd"}, Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_TECHNICIAN},
		})
	}
	w.update(at("2026-11-21", "10:20"), "zm", w.open, &branchlinev1.ServiceOrder{Bay: s("3"), KeyTag: s("17"), OldPartsWanted: proto.Bool(true)}, "bay", "key_tag", "old_parts_wanted")
	line := func(item, technician string, agreedTo bool) string {
		l := &branchlinev1.ServiceLine{
			Order: s(w.open[len("serviceOrders/"):]), Kind: branchlinev1.LineKind_LABOUR.Enum(), Item: s(item), Amount: proto.Int64(18_800), Currency: s("CNY"),
			Position: proto.Int32(9), BilledMinutes: proto.Int64(60), State: branchlinev1.LineState_LINE_APPROVED.Enum(), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(),
		}
		if technician != "" {
			l.Technician = &technician
		}
		if agreedTo {
			l = agreed(l)
		}
		return w.create(at("2026-11-21", "10:30"), "zm", l).GetName()
	}
	w.given, w.free, w.extra = line("四轮定位", "lq", true), line("更换机油", "", true), line("更换传感器", "lq", false)
	w.clock.set(w.now)
	w.line.set(true, w.now.Add(-14*time.Second))
	return w
}

func (w *bay) line1(name string) *branchlinev1.ServiceLine {
	w.t.Helper()
	r, err := w.rec.GetRecord(w.by("boss"), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.GetServiceLine()
}

func (w *bay) order1() *branchlinev1.ServiceOrder {
	w.t.Helper()
	r, err := w.rec.GetRecord(w.by("boss"), &branchlinev1.GetRecordRequest{Name: w.open})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.GetServiceOrder()
}

// button is the form of a line's button on the page of work.
func button(t *testing.T, page, line, act string, typed ...string) url.Values {
	t.Helper()
	m := regexp.MustCompile(`name="request_id" value="([^"]+)"><input type="hidden" name="line" value="` + line + `">`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no button for %s:\n%s", line, text(page))
	}
	form := url.Values{"request_id": {m[1]}, "line": {line}, "act": {act}}
	for i := 0; i < len(typed); i += 2 {
		form.Set(typed[i], typed[i+1])
	}
	return form
}

// A technician signs in, lands on the page of work, begins a line, is pressed twice, takes up another, and finishes both;
// no page of the round names a customer or a price.
func TestWork_ATechniciansRound(t *testing.T) {
	w := newBay(t)
	in := w.as("", "zh-CN")
	if _, to, _ := in.post("/sign-in", url.Values{"account": {"lq"}, "password": {password}, "next": {"/"}}); to != "/work" {
		t.Errorf("a technician lands on %q", to)
	}
	if _, to, _ := in.post("/sign-in", url.Values{"account": {"lq"}, "password": {password}, "next": {"/vehicles"}}); to != "/vehicles" {
		t.Errorf("who came for a page lands on %q", to)
	}
	if _, to, _ := in.post("/sign-in", url.Values{"account": {"zm"}, "password": {password}, "next": {"/"}}); to != "/" {
		t.Errorf("an adviser lands on %q", to)
	}
	lq := w.as("lq", "zh-CN")
	var seen []string
	look := func() string {
		page := lq.must(t, "/work")
		looktest.HTML(t, page)
		seen = append(seen, page)
		return page
	}
	page := look()
	want(t, page, "我的活", "没有开着的工时", "四轮定位", "工位 3 · 钥匙 17", "还没派的", "更换机油", "更换传感器", "停着：等客户同意", "历史")
	if strings.Contains(page, w.extra+`"><`) {
		t.Error("a line that stands still has a button")
	}
	on := button(t, page, w.given, "on")
	for range 2 {
		lq.done(t, "/work", on, "/work")
	}
	w.clock.set(w.now.Add(25 * time.Minute))
	page = look()
	want(t, page, "正在干", "25 分", "完工", "暂停", "发现增项", "计价 ", "答应 今天")
	lq.done(t, "/work", button(t, page, w.free, "on"), "/work")
	if l := w.line1(w.given); len(l.GetClockings()) != 1 || l.GetClockedMinutes() != 25 {
		t.Errorf("beginning another did not end the first: %v", l)
	}
	w.clock.set(w.now.Add(50 * time.Minute))
	lq.done(t, "/work", button(t, look(), w.free, "done", "cause", "到期", "correction", "换油换滤"), "/work")
	if l := w.line1(w.free); l.GetState() != branchlinev1.LineState_LINE_DONE || l.GetTechnician() != "lq" || l.GetClockedMinutes() != 25 || l.GetCause() != "到期" || l.GetCorrection() != "换油换滤" {
		t.Errorf("done: %v", l)
	}
	lq.done(t, "/work", button(t, look(), w.given, "on"), "/work")
	lq.done(t, "/work", button(t, look(), w.given, "off", "cause", "外倾超差"), "/work")
	want(t, look(), "没有开着的工时")
	lq.done(t, "/work", button(t, look(), w.given, "on"), "/work")
	if page := look(); !strings.Contains(page, "外倾超差</textarea>") {
		t.Error("what was found before is not shown")
	}
	lq.done(t, "/work", button(t, look(), w.given, "done"), "/work")
	if o := w.order1(); o.GetState() != branchlinev1.OrderState_QUALITY_CHECK {
		t.Errorf("all is done and the order is %s", o.GetState())
	}
	wantNot(t, text(look()), "更换机油", "四轮定位")
	for _, page := range seen {
		wantNot(t, page, "陈建国", "13900002270", "188.00", "/customers/", "/money")
	}
	// What stands still is refused with what to do, by whoever sends it.
	status, _, body := lq.post("/work", url.Values{"act": {"on"}, "line": {w.extra}})
	if status != http.StatusBadRequest {
		t.Errorf("work on a line that stands still: %d", status)
	}
	want(t, body, "先请顾问问到客户同意")
}

// The adviser gives the work out, it is checked, goes back and is passed, and the car is handed over before it is paid.
func TestOrder_WorkIsGivenOutCheckedAndHandedOver(t *testing.T) {
	w := newBay(t)
	zm, lq := w.as("zm", "zh-CN"), w.as("lq", "zh-CN")
	path := "/" + w.open
	page := zm.must(t, path)
	looktest.HTML(t, page)
	want(t, page, "派工", "李强 手上 1 项", "王莉 手上 0 项", "各状态用时", "计价")
	form := actForm(t, page, "assign", "technician", "wl", "bay", "5", "line", w.free)
	form.Set("etag."+w.free, regexp.MustCompile(`name="etag.` + w.free + `" value="([^"]*)"`).FindStringSubmatch(page)[1])
	zm.done(t, path+"/work", form, path)
	if l, o := w.line1(w.free), w.order1(); l.GetTechnician() != "wl" || o.GetBay() != "5" {
		t.Errorf("given out: %v, bay %s", l, o.GetBay())
	}
	form.Set("request_id", "another")
	form.Set("technician", "lq")
	zm.done(t, path+"/work", form, "moved=1") // as an older page showed it
	if status, _, body := zm.post(path+"/work", url.Values{"act": {"assign"}, "technician": {"nobody"}, "line": {w.free}}); status != http.StatusBadRequest {
		t.Errorf("given to nobody of the branch: %d %s", status, text(body))
	} else {
		want(t, body, "本店没有这个人", "派工")
	}

	for _, l := range []string{w.given, w.free} {
		lq.done(t, "/work", url.Values{"act": {"done"}, "line": {l}}, "/work")
	}
	page = lq.must(t, path)
	want(t, page, "质检", "这里有您自己干的活", "四轮定位")
	page = zm.must(t, path)
	wantNot(t, text(page), "这里有您自己干的活")
	check := func(who *visitor, page string, typed ...string) (int, string, string) {
		form := formAt(t, page, `id="check"`)
		for i := 0; i < len(typed); i += 2 {
			form.Set(typed[i], typed[i+1])
		}
		if len(typed) == 0 {
			form.Del("failed")
		}
		return who.post(path+"/work", form)
	}
	status, _, body := check(zm, page, "failed", w.given)
	if status != http.StatusBadRequest {
		t.Errorf("failed without a reason: %d", status)
	}
	want(t, body, "要写明原因")
	if status, to, body := check(zm, page, "failed", w.given, "reason."+w.given, "方向盘不正"); status != http.StatusSeeOther {
		t.Fatalf("%d %s %s", status, to, text(body))
	}
	want(t, lq.must(t, "/work"), "质检退回 1 次 方向盘不正")
	lq.done(t, "/work", url.Values{"act": {"done"}, "line": {w.given}}, "/work")
	page = zm.must(t, path)
	want(t, page, "质检退回 1 次")
	if status, to, body := check(zm, page); status != http.StatusSeeOther {
		t.Fatalf("all passed: %d %s %s", status, to, text(body))
	}
	if o := w.order1(); o.GetState() != branchlinev1.OrderState_READY {
		t.Errorf("all has passed and the order is %s", o.GetState())
	}

	page = zm.must(t, path)
	want(t, page, "交车", "还没结算。", "钥匙交还 17", "旧件带走", "没做的跟客户说过 后制动片")
	status, _, body = zm.post(path+"/state", formAt(t, page, `id="hand"`, "handed_to", "老李"))
	if status != http.StatusBadRequest || !strings.Contains(body, `value="老李"`) {
		t.Fatalf("an unpaid car went without a question: %d %s", status, text(body))
	}
	want(t, body, "还有没付清的", "照样交车，款以后收")
	zm.done(t, path+"/state", formAt(t, body, `id="hand"`, "confirmed", "unpaid"), path)
	if o := w.order1(); o.GetState() != branchlinev1.OrderState_HANDED_OVER || o.GetHandedTo() != "老李" || o.GetHandedOverAt() == 0 {
		t.Errorf("handed over: %v", o)
	}
	want(t, zm.must(t, "/"+w.passat), "后制动片") // what was declined stays open on the car
	for _, state := range []string{"SETTLED", "CANCELLED"} {
		status, _, body := zm.post(path+"/state", url.Values{"state": {state}})
		if status != http.StatusBadRequest {
			t.Errorf("%s: %d", state, status)
		}
		want(t, body, map[string]string{"SETTLED": "逐个付款方", "CANCELLED": "要写明原因"}[state])
	}
}

// formAt is the first form of a part of a page, as formOf.
func formAt(t *testing.T, page, anchor string, typed ...string) url.Values {
	t.Helper()
	_, part, ok := strings.Cut(page, anchor)
	if !ok {
		t.Fatalf("no %s:\n%s", anchor, text(page))
	}
	action := regexp.MustCompile(`action="([^"]+)"`).FindStringSubmatch(part)[1]
	form := formOf(t, part, action)
	for i := 0; i < len(typed); i += 2 {
		form.Set(typed[i], typed[i+1])
	}
	return form
}

// A clock that ran over night is shown to its technician, and put right by the adviser, with the reason.
func TestWork_AForgottenClockIsPutRight(t *testing.T) {
	w := newBay(t)
	lq := w.as("lq", "zh-CN")
	lq.done(t, "/work", button(t, lq.must(t, "/work"), w.given, "on"), "/work")
	w.clock.set(w.now.Add(20 * time.Hour))
	lq, zm := w.as("lq", "zh-CN"), w.as("zm", "zh-CN") // the next day they sign in anew
	page := lq.must(t, "/work")
	want(t, page, "忘了打下班卡", "请顾问改", "还开着")
	wantNot(t, page, `value="fix"`)
	page = zm.must(t, "/work")
	want(t, page, "李强", "改下班时间")
	form := formAt(t, page, "忘了打下班卡", "reason", "走得急")
	if form.Get("until") != "2026-11-21T18:00" {
		t.Errorf("what is offered is %s", form.Get("until"))
	}
	late := url.Values{}
	for k, v := range form {
		late[k] = v
	}
	late.Set("until", "2026-11-29T18:00")
	status, _, body := zm.post("/work", late)
	if status != http.StatusBadRequest {
		t.Errorf("an end that has not come: %d", status)
	}
	want(t, body, "还没到")
	late.Set("until", "yesterday")
	status, _, body = zm.post("/work", late)
	if status != http.StatusBadRequest {
		t.Errorf("an end that is no time: %d", status)
	}
	want(t, body, "yesterday")
	zm.done(t, "/work", form, "/work")
	if l := w.line1(w.given); l.GetClockedMinutes() != 440 || l.GetClockings()[0].GetReason() != "走得急" || l.GetClockings()[0].GetBy() != "zm" {
		t.Errorf("put right: %v", l)
	}
	wantNot(t, zm.must(t, "/work"), "忘了打下班卡")
	if status, _, _ := lq.post("/work", form); status != http.StatusForbidden {
		t.Errorf("a technician put a clock right: %d", status)
	}
	// The adviser looks at a technician's page, and clocks for them.
	page = zm.must(t, "/work?who=lq")
	want(t, page, "我的活 · 李强", "四轮定位")
	zm.done(t, "/work", button(t, page, w.given, "on", "technician", "lq"), "/work?who=lq")
	if l := w.line1(w.given); len(l.GetClockings()) != 2 {
		t.Errorf("clocked by the adviser: %v", l)
	}
	w.as("boss", "en").must(t, "/work?who=lq")
	if status, _ := w.as("sale", "zh-CN").get("/work"); status != http.StatusForbidden {
		t.Errorf("a salesperson sees the page of work: %d", status)
	}
}

func TestBrowser_WorkPagesAreSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newBay(t)
	audit := func(name, path, who string, more ...looktest.Option) {
		t.Helper()
		w.clock.set(w.clock.now().Add(30 * time.Second))
		b.Audit(t, w.srv.URL+path, look.Langs(), append(append([]looktest.Option{looktest.Named(name)}, cookies(w.signIn(who))...), more...)...)
	}
	audit("work", "/work", "lq")
	lq, path := w.as("lq", "zh-CN"), "/"+w.open
	lq.done(t, "/work", button(t, lq.must(t, "/work"), w.given, "on"), "/work")
	audit("work-on", "/work", "lq")
	audit("order-assign", path, "zm")
	w.clock.set(w.now.Add(20 * time.Hour))
	audit("work-forgotten", "/work", "zm", looktest.Do(chromedp.Evaluate[chromedp.Void](`void document.querySelectorAll("main details").forEach((d) => { d.open = true; })`)))
	lq = w.as("lq", "zh-CN")
	for _, l := range []string{w.given, w.free} {
		lq.done(t, "/work", url.Values{"act": {"done"}, "line": {l}}, "/work")
	}
	audit("order-check", path, "zm")
	zm := w.as("zm", "zh-CN")
	zm.done(t, path+"/work", formAt(t, strings.ReplaceAll(zm.must(t, path), `name="failed"`, `name="x"`), `id="check"`), path)
	audit("order-hand", path, "zm")
}

// A technician's round on a tablet, by touch, both ways it is held: begins, sees the time run without a reload, writes what was
// found while something arrives, and is done. What can be hit is 44 px high, nothing scrolls sideways.
func TestBrowser_ATechniciansRoundOnATablet(t *testing.T) {
	b := looktest.NewBrowser(t)
	w := newBay(t)
	began := fmt.Sprintf(`form:has([name=line][value=%q]) [value=on]`, w.given)
	hits := `Array.from(document.querySelectorAll("main a.btn, main button, main nav.pick a, main input:not([type=hidden]):not([type=checkbox]), main textarea, main summary")).filter((e) => e.getClientRects().length && e.getBoundingClientRect().height < 43.5).map((e) => e.outerHTML.slice(0, 90) + e.getBoundingClientRect().height).join("\n") === "" && document.documentElement.scrollWidth <= window.innerWidth`
	for _, size := range [][2]int64{{1088, 800}, {768, 1024}, {360, 740}} {
		b.Run(t, w.srv.URL+"/work", withLang(w.signIn("lq"), "zh-CN"),
			chromedp.EmulateViewport(size[0], size[1]),
			looktest.Expect(`document.readyState === "complete" && !!document.querySelector("body.touch")`),
			looktest.Expect(hits),
			chromedp.Click(chromedp.CSS(began)),
			looktest.Expect(`!!document.querySelector(".run") && /^0:00:0/.test(document.querySelector(".run").textContent)`),
			looktest.Expect(`document.querySelector(".run").textContent >= "0:00:02"`), // without a reload
			looktest.Expect(hits),
			chromedp.Focus(chromedp.ID("cause")),
			typing("half a word"),
			looktest.Call(func() {
				w.create(w.clock.now(), "zm", &branchlinev1.Note{Order: s(w.open[len("serviceOrders/"):]), Text: s("客户催")})
				w.update(w.clock.now(), "zm", w.open, &branchlinev1.ServiceOrder{Bay: s(fmt.Sprint(size[0]))}, "bay")
			}),
			looktest.Expect(fmt.Sprintf(`document.getElementById("live-head").textContent.includes("工位 %d") && document.activeElement.id === "cause" && document.activeElement.value === "half a word"`, size[0])),
			chromedp.Click(chromedp.CSS(`button[value=off]`)),
			looktest.Expect(`document.body.textContent.includes("没有开着的工时")`),
		)
		if l := w.line1(w.given); l.GetCause() != "half a word" || len(l.GetClockings()) == 0 || l.GetClockings()[len(l.GetClockings())-1].GetUntil() == 0 {
			t.Errorf("at %d px: %v", size[0], l)
		}
		w.update(w.clock.now(), "zm", w.given, &branchlinev1.ServiceLine{}, "cause")
	}
}

// A part that was fitted may fail the check as the work may, on the page; it goes back with its reason, and those not ticked
// are good.
func TestOrder_APartFailsTheCheck(t *testing.T) {
	w := newBay(t)
	zm, lq, path := w.as("zm", "zh-CN"), w.as("lq", "zh-CN"), "/"+w.open
	good := w.create(at("2026-11-21", "10:31"), "zm", agreed(&branchlinev1.ServiceLine{
		Order: s(w.open[len("serviceOrders/"):]), Kind: branchlinev1.LineKind_PART.Enum(), PartName: s("机滤"), State: branchlinev1.LineState_LINE_DONE.Enum(), Position: proto.Int32(10),
	})).GetName()
	bad := w.create(at("2026-11-21", "10:31"), "zm", agreed(&branchlinev1.ServiceLine{
		Order: s(w.open[len("serviceOrders/"):]), Kind: branchlinev1.LineKind_PART.Enum(), PartName: s("雨刮"), State: branchlinev1.LineState_LINE_DONE.Enum(), Position: proto.Int32(11),
	})).GetName()
	w.clock.set(w.now)
	for _, l := range []string{w.given, w.free} {
		lq.done(t, "/work", url.Values{"act": {"done"}, "line": {l}}, "/work")
	}
	page := zm.must(t, path)
	looktest.HTML(t, page)
	want(t, section(page, `id="check"`, "</section>"), "配件（3）：没勾的都算合格", "机滤", "雨刮")
	form := formAt(t, page, `id="check"`)
	form.Del("failed")
	form.Set("failed", bad)
	status, _, body := zm.post(path+"/work", form)
	if status != http.StatusBadRequest || !regexp.MustCompile(`<details open><summary>配件`).MatchString(body) {
		t.Errorf("failed without a reason: %d", status)
	}
	want(t, body, "要写明原因")
	form.Set("reason."+bad, "刮不干净")
	zm.done(t, path+"/work", form, path)
	if l := w.line1(bad); l.GetState() != branchlinev1.LineState_LINE_APPROVED || len(l.GetChecks()) != 1 || l.GetChecks()[0].GetReason() != "刮不干净" {
		t.Errorf("it failed: %v", l)
	}
	if l := w.line1(good); l.GetState() != branchlinev1.LineState_LINE_DONE || len(l.GetChecks()) != 1 || !l.GetChecks()[0].GetPassed() {
		t.Errorf("it is good: %v", l)
	}
	if st := w.order1().GetState(); st != branchlinev1.OrderState_IN_WORK {
		t.Errorf("the order stands in %v", st)
	}
	want(t, section(zm.must(t, path), `id="live-left"`, `id="live-parts"`), "雨刮", "质检退回 1 次 刮不干净")
	want(t, lq.must(t, "/work"), "雨刮", "质检退回 1 次 刮不干净")

	// Fitted anew it is looked at by itself, and the car is ready.
	lq.done(t, "/work", url.Values{"act": {"done"}, "line": {bad}}, "/work")
	page = zm.must(t, path)
	want(t, section(page, `id="check"`, "</section>"), "配件（1）", "雨刮", "质检退回 1 次")
	form = formAt(t, page, `id="check"`)
	form.Del("failed")
	zm.done(t, path+"/work", form, path)
	if st := w.order1().GetState(); st != branchlinev1.OrderState_READY {
		t.Errorf("all has passed and the order is %v", st)
	}
}

// What other desks do to an order comes in while its page is open, and neither the focus nor what is being typed is lost.
func TestBrowser_AnOrdersPanelsComeInLive(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newBay(t)
	path := "/" + w.open
	lq, wf := w.as("lq", "zh-CN"), w.as("wf", "zh-CN")
	part := id(w.create(at("2026-11-21", "10:32"), "zm", agreed(&branchlinev1.ServiceLine{
		Order: s(w.open[len("serviceOrders/"):]), Kind: branchlinev1.LineKind_PART.Enum(), PartName: s("雨刮"), State: branchlinev1.LineState_LINE_APPROVED.Enum(),
		PartsOrderedAt: proto.Int64(at("2026-11-20").UnixMilli()), Position: proto.Int32(10),
	})))
	w.clock.set(w.now)
	says := func(part, words string) chromedp.Action[chromedp.Void] {
		return looktest.Expect(fmt.Sprintf(`!!document.getElementById(%q) && document.getElementById(%q).textContent.includes(%q)`, part, part, words))
	}
	post := func(v *visitor, to string, form url.Values) chromedp.Action[chromedp.Void] {
		return looktest.Call(func() { v.done(t, to, form, "") })
	}
	writes := func(field, words string) chromedp.Action[chromedp.Void] {
		return looktest.Expect(fmt.Sprintf(`document.activeElement.id === %q && document.activeElement.value === %q`, field, words))
	}
	reason := "reason-" + w.free[len("serviceLines/"):]
	b.Run(t, w.srv.URL+path, withLang(w.signIn("zm"), "zh-CN"),
		looktest.Expect(ready+` && !!document.querySelector("#live-parts [value=came]")`),
		// Another desk begins work, and says that a part has come.
		post(lq, "/work", url.Values{"act": {"on"}, "line": {w.given}}),
		says("live-left", "李强 今天 10:40 起在干"),
		says("live-work", "李强　手上 1 项，正在干"),
		// The part comes while something is typed in another panel: there it waits.
		chromedp.Focus(chromedp.ID("bay")),
		chromedp.Evaluate[chromedp.Void](`void document.getElementById("bay").select()`),
		typing("12"),
		post(wf, path+"/parts", url.Values{"act": {"came"}, "line": {"serviceLines/" + part}}),
		says("live-parts", "到货"),
		post(wf, path+"/work", url.Values{"act": {"assign"}, "technician": {"wl"}, "line": {w.free}}),
		says("live-left", "王莉"),
		looktest.Expect(`document.body.textContent.includes("别的工位刚改了这里") && !document.getElementById("assign").textContent.includes("王莉　手上 1 项")`),
		writes("bay", "12"),
		// Left as it was, it shows what has come meanwhile.
		chromedp.Evaluate[chromedp.Void](`void (() => { const f = document.getElementById("bay"); f.value = f.defaultValue; f.blur(); })()`),
		says("assign", "王莉　手上 1 项"),
		looktest.Expect(`!document.querySelector("#main > .cols").textContent.includes("别的工位刚改了这里")`),
		// The work is done elsewhere: the check is asked for. What is written there stays when another line fails it.
		post(lq, "/work", url.Values{"act": {"done"}, "line": {w.given}}),
		post(wf, "/work", url.Values{"act": {"done"}, "line": {w.free}}),
		says("check", "更换机油"),
		chromedp.Focus(chromedp.ID(reason)),
		typing("half a"),
		post(wf, path+"/work", url.Values{"act": {"check"}, "line": {w.given}, "reason." + w.given: {"方向盘不正"}}),
		says("live-left", "质检退回 1 次 方向盘不正"),
		writes(reason, "half a"),
	)
}
