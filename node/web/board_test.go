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

const (
	inWork    = branchlinev1.OrderState_IN_WORK
	carReady  = branchlinev1.OrderState_READY
	waitParts = branchlinev1.OrderState_WAITING_PARTS
)

// car saves an order of today, promised at a clock time ("" for none), with lines; it gives its name.
func (w *town) car(plate string, state branchlinev1.OrderState, promised string, o *branchlinev1.ServiceOrder, lines ...*branchlinev1.ServiceLine) string {
	w.t.Helper()
	if o == nil {
		o = &branchlinev1.ServiceOrder{}
	}
	o.Plate, o.State, o.Day = &plate, state.Enum(), s("2026-11-21")
	if o.Model == nil {
		o.Model = s("大众 途观L")
	}
	if promised != "" {
		o.PromisedAt = proto.Int64(at("2026-11-21", promised).UnixMilli())
	}
	r := w.create(at("2026-11-21", "09:30"), "zm", o)
	for i, l := range lines {
		l.Order, l.Position = s(id(r)), proto.Int32(int32(i+1))
		w.create(at("2026-11-21", "09:31"), "zm", l)
	}
	w.clock.set(w.now)
	return r.GetName()
}

// house fills the workshop: some of zm, some of wf, with parts that came and parts that are waited for.
func (w *town) house() (he, gone string) {
	who := func(adviser, customer string) *branchlinev1.ServiceOrder {
		return &branchlinev1.ServiceOrder{Adviser: &adviser, Customer: s(customer[len("customers/"):]), Complaint: s("更换水泵"), Bay: s("3")}
	}
	part := func(name, expected string, arrived bool) *branchlinev1.ServiceLine {
		l := &branchlinev1.ServiceLine{
			Kind: branchlinev1.LineKind_PART.Enum(), State: branchlinev1.LineState_LINE_APPROVED.Enum(), PartName: &name, Supplier: s("上汽备件"),
			PartsOrderedAt: proto.Int64(at("2026-11-19").UnixMilli()), PartsExpectedOn: &expected, Technician: s("lq"), Complaint: s(name),
		}
		if arrived {
			l.PartsArrivedAt = proto.Int64(at("2026-11-21", "09:00").UnixMilli())
		}
		return l
	}
	w.car("浙A0B5N2", inWork, "10:20", who("wf", w.he))
	w.car("苏E5F7Q9", branchlinev1.OrderState_QUALITY_CHECK, "11:00", who("zm", w.chen))
	w.car("沪AK0L77", carReady, "09:30", who("zm", w.chen))
	he = w.car("沪B6N905", waitParts, "15:30", who("zm", w.he), part("减振器", "2026-11-20", true), part("弹簧座", "2026-11-20", true))
	gone = w.car("沪A7Z3K5", waitParts, "", who("wf", w.chen), part("右大灯", "2026-11-20", false), part("前杠", "2026-12-01", false))
	return he, gone
}

// section is what stands in the element with the id, up to the next element with one of ends.
func section(page, from, to string) string {
	_, rest, _ := strings.Cut(page, from)
	rest, _, _ = strings.Cut(rest, to)
	return rest
}

func TestBoard_ShowsWhoIsLateAndWhose(t *testing.T) {
	w := newTown(newRig(t))
	w.house()
	page := w.as("zm", "zh-CN").page("/board")
	looktest.HTML(t, page)
	want(t, page, "7 台在店 · 2 台迟 · 1 台快到点", "我的 4", "迟 25 分，客户还不知道", "迟 20 分", "还剩 20 分", "配件已到货", "还没通知", "3 工位")
	lanes := regexp.MustCompile(`<h2><svg.*?</svg>([^<]+)<`).FindAllStringSubmatch(page, -1)
	var heads []string
	for _, l := range lanes {
		heads = append(heads, strings.TrimSpace(l[1]))
	}
	if got := strings.Join(heads, " "); got != "已接车 0 检测报价 0 等别人 3 维修中 2 质检 1 可交车 1" {
		t.Errorf("lanes %s", got)
	}
	if late := strings.Index(page, "沪A·52H17"); late < 0 || late > strings.Index(page, "浙A·0B5N2") {
		t.Error("the longest late does not stand first in its lane")
	}
	for path, plates := range map[string][2]string{
		"/board?who=me":            {"沪A·K0L77", "浙A·0B5N2"},
		"/board?who=wf":            {"浙A·0B5N2", "沪A·K0L77"},
		"/board?who=lq":            {"沪A·7Z3K5", "浙A·0B5N2"},
		"/board?who=wf&view=list":  {"浙A·0B5N2", "沪A·K0L77"},
		"/board?who=zm&view=board": {"沪A·K0L77", "浙A·0B5N2"},
	} {
		body := text(w.as("wf", "zh-CN").page(strings.ReplaceAll(path, "who=me", "who=zm")))
		if !strings.Contains(body, plates[0]) || strings.Contains(body, plates[1]) {
			t.Errorf("%s shows others: %s", path, body)
		}
	}
	want(t, w.as("zm", "zh-CN").page("/board?who=waits"), "这里没有要看的车")
}

func TestBoard_TheWallNamesNobody(t *testing.T) {
	w := newTown(newRig(t))
	w.house()
	page := w.as("zm", "zh-CN").page("/board?view=wall")
	wall := section(page, `<div class="wall">`, "<dialog")
	want(t, wall, "沪B·6N905", "15:30", "3 工位", "大众 途观L")
	wantNot(t, text(wall), "何建华", "陈建国", "李强", "水泵", "139 0000 6600")
	if strings.Contains(wall, "<a ") {
		t.Error("the wall leads somewhere")
	}
	lq := w.as("lq", "zh-CN").page("/board?view=list")
	want(t, lq, "沪B·6N905")
	wantNot(t, text(lq), "何建华", "陈建国")
}

func TestBoard_OldOrdersAreCountedNotShown(t *testing.T) {
	w := newTown(newRig(t))
	w.create(at("2026-01-05"), "zm", &branchlinev1.ServiceOrder{State: inWork.Enum(), Plate: s("沪A00001"), Day: s("2026-01-05")})
	w.clock.set(w.now)
	v := w.as("zm", "zh-CN")
	page := v.page("/board")
	want(t, page, "2026-08-23 以前接的、一直没有关的单，不在这里： 维修中 1")
	wantNot(t, text(page), "沪A·00001")
	link := regexp.MustCompile(`href="(/serviceOrders\?before=[^"]+)"`).FindStringSubmatch(page)
	if link == nil {
		t.Fatal("no way to them")
	}
	list := v.page(strings.ReplaceAll(link[1], "&amp;", "&"))
	want(t, list, "沪A·00001", "2026-08-22 以前")
	wantNot(t, text(list), "沪A·52H17")
}

func TestBoard_MovesACarByItsMenu(t *testing.T) {
	w := newTown(newRig(t))
	he, _ := w.house()
	v := w.as("zm", "zh-CN")
	state := func() branchlinev1.OrderState {
		rec, err := w.store.Get(t.Context(), w.rid(he))
		if err != nil {
			t.Fatal(err)
		}
		return rec.GetServiceOrder().GetState()
	}
	menu := v.page("/board/move?order=" + w.rid(he).String() + "&next=" + url.QueryEscape("/board?who=me"))
	looktest.HTML(t, menu)
	want(t, menu, "沪B·6N905", "维修中", "可交车")
	form := formOf(t, menu, "/board/move")
	form.Set("state", "IN_WORK")
	if status, to, body := v.post("/board/move", form); status != http.StatusSeeOther || to != "/board?who=me" {
		t.Fatalf("%d to %q %s", status, to, text(body))
	}
	if state() != inWork {
		t.Fatal(state())
	}
	// Another desk was quicker.
	form = formOf(t, v.page("/board/move?order="+w.rid(he).String()), "/board/move")
	w.update(w.now, "wf", he, &branchlinev1.ServiceOrder{State: carReady.Enum()}, "state")
	form.Set("state", "QUALITY_CHECK")
	status, _, body := v.post("/board/move", form)
	if status != http.StatusConflict || state() != carReady {
		t.Errorf("%d, it stands in %v", status, state())
	}
	looktest.HTML(t, body)
	want(t, body, "已")
	if status, _, _ := w.as("sale", "zh-CN").post("/board/move", form); status != http.StatusForbidden {
		t.Errorf("a salesperson moves cars: %d", status)
	}
	wantNot(t, w.as("sale", "zh-CN").page("/board"), "/board/move")
}

func TestParts_ListsAndCalls(t *testing.T) {
	w := newTown(newRig(t))
	he, gone := w.house()
	v := w.as("zm", "zh-CN")
	page := v.page("/parts")
	looktest.HTML(t, page)
	calls, waits := section(page, `id="live-calls"`, `id="waits"`), section(page, `id="waits"`, "</form>")
	want(t, calls, "沪B·6N905", "何建华", "139 0000 6600", "减振器、弹簧座", "打通了")
	want(t, waits, "右大灯", "前杠", "沪A·7Z3K5", "上汽备件", "2026-11-20")
	want(t, page, "1 件过了日子")
	if strings.Index(waits, "右大灯") > strings.Index(waits, "前杠") {
		t.Error("the overdue part does not stand first")
	}
	lq := w.as("lq", "zh-CN").page("/parts")
	wantNot(t, text(lq), "何建华", "139 0000 6600", "打通了")

	// Nobody answers, then somebody does: written down once, for both parts of the car.
	form := formOf(t, page, "/parts")
	form.Set("act", "missed")
	if status, to, body := v.post("/parts", form); status != http.StatusSeeOther || !strings.HasPrefix(to, "/parts?") {
		t.Fatalf("%d to %q %s", status, to, text(body))
	}
	page = v.page("/parts")
	form = formOf(t, page, "/parts")
	form.Set("act", "told")
	for range 2 { // sent twice
		status, to, _ := v.post("/parts", form)
		if status != http.StatusSeeOther {
			t.Fatal(status)
		}
		page = v.page(to)
		want(t, page, "沪B·6N905：已记下打通了", "没有要打的电话")
	}
	want(t, v.page("/"+w.he), "电话", "到货：减振器、弹簧座")

	// What was ticked has come, all at once.
	ticked := url.Values{"act": {"came"}, "request_id": {"r1"}}
	for _, m := range regexp.MustCompile(`name="line" value="(serviceLines/[^"]+)"`).FindAllStringSubmatch(section(page, `id="waits"`, "</form>"), -1) {
		ticked.Add("line", m[1])
	}
	status, to, body := v.post("/parts", ticked)
	if status != http.StatusSeeOther || to != "/parts?done=came&n=2" {
		t.Fatalf("%d to %q %s", status, to, text(body))
	}
	page = v.page(to)
	looktest.HTML(t, page)
	want(t, page, "记下了 2 件到货", "没有在等的件", "右大灯、前杠")
	rec, err := w.store.Get(t.Context(), w.rid(gone))
	if err != nil || rec.GetServiceOrder().GetState() != branchlinev1.OrderState_APPROVED {
		t.Errorf("its order stands in %v: %v", rec.GetServiceOrder().GetState(), err)
	}
	if status, to, _ := v.post("/parts", url.Values{"act": {"came"}}); status != http.StatusSeeOther || to != "/parts?none=1#waits" {
		t.Errorf("nothing ticked: %d %s", status, to)
	}
	want(t, v.page("/"+he), "减振器", "客户已知道")
}

func TestParts_OrderedOnTheOrder(t *testing.T) {
	w := newTown(newRig(t))
	o := w.car("沪A1", inWork, "15:00", &branchlinev1.ServiceOrder{Customer: s(w.he[len("customers/"):])}, &branchlinev1.ServiceLine{
		Kind: branchlinev1.LineKind_PART.Enum(), State: branchlinev1.LineState_LINE_APPROVED.Enum(), PartName: s("水泵"),
	})
	v := w.as("zm", "zh-CN")
	page := v.page("/" + o)
	want(t, page, "缺件", "水泵")
	form := formOf(t, page, "/"+o+"/parts")
	form.Set("act", "ordered")
	form.Set("supplier", "上汽备件")
	form.Set("expected_on", "2026-13-01")
	if _, to, _ := v.post("/"+o+"/parts", form); to != "/"+o+"?parts=day#parts" {
		t.Errorf("a day that is none leads to %q", to)
	}
	want(t, v.page("/"+o+"?parts=day"), "日期写成")
	form.Set("expected_on", "2026-11-24")
	form.Set("told", "yes")
	status, to, body := v.post("/"+o+"/parts", form)
	if status != http.StatusSeeOther || to != "/"+o+"#parts" {
		t.Fatalf("%d to %q %s", status, to, text(body))
	}
	page = v.page("/" + o)
	looktest.HTML(t, page)
	want(t, page, "等配件", "2026-11-24", "上汽备件", "客户已知道")
	want(t, v.page("/"+w.he), "缺件，已订货 2026-11-24")
	w.clock.set(w.now.Add(10 * time.Minute))
	came := url.Values{"act": {"came"}, "request_id": {"x"}, "line": {formOf(t, page, "/"+o+"/parts").Get("line")}, "etag": {formOf(t, page, "/"+o+"/parts").Get("etag")}}
	if status, _, body := v.post("/"+o+"/parts", came); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	want(t, v.page("/"+o), "到货")
	want(t, v.page("/parts"), "水泵", "何建华")
}

func TestBoard_ManyCarsFitOnTheWire(t *testing.T) {
	w := newTown(newRig(t))
	for i := range 300 {
		w.create(at("2026-11-21", "09:30"), "zm", &branchlinev1.ServiceOrder{
			Plate: s(fmt.Sprintf("沪A%05d", i)), Model: s("大众 途观L"), State: branchlinev1.OrderState(2 + i%9).Enum(), Complaint: s(fmt.Sprint("左前轮异响，过减速带更明显 ", i)), Adviser: s("zm"),
			PromisedAt: proto.Int64(w.now.Add(time.Duration(i-50) * time.Minute).UnixMilli()),
		})
	}
	w.clock.set(w.now)
	v := w.as("zm", "zh-CN")
	want(t, v.page("/board"), "302 台在店", "还有 19 台")
	want(t, v.page("/board?view=list"), "第 1–80 台，共 302 台")
	last := v.page("/board?view=list&from=240")
	want(t, last, "第 241–302 台，共 302 台")
	looktest.HTML(t, last)
	lane := text(v.page("/board?lane=IN_WORK&view=list"))
	want(t, lane, "沪A·00003")
	wantNot(t, lane, "沪A·00002")
	for _, path := range []string{"/board", "/board?view=list", "/board?view=wall", "/", "/parts"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "gzip")
		status, body, h := v.do(req)
		t.Logf("%-20s %d bytes on the wire, %s", path, len(body), h.Get("Content-Encoding"))
		if status != http.StatusOK || len(body) > 100<<10 {
			t.Errorf("%s: %d, %d bytes", path, status, len(body))
		}
	}
}

// By keyboard to a car and into another state; what another desk does shows meanwhile, and the focus stays on the car.
func TestBrowser_TheBoardByKeyboard(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	he, gone := w.house()
	card := func(name string) string { return "c-" + w.rid(name).String() }
	b.Run(t, w.srv.URL+"/board", withLang(w.signIn("zm"), "zh-CN"),
		looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
		looktest.Press("ArrowDown"),
		looktest.Expect(`document.activeElement.closest(".lane").querySelector("h2").textContent.includes("等别人")`),
		looktest.Press("ArrowRight"),
		looktest.Expect(`document.activeElement.closest(".lane").querySelector("h2").textContent.includes("维修中")`),
		looktest.Press("ArrowLeft"),
		looktest.Expect(`document.activeElement.closest(".car").id === "`+card(he)+`"`),
		looktest.Press("ArrowDown"),
		looktest.Expect(`document.activeElement.closest(".car").id !== "`+card(he)+`"`),
		looktest.Press("ArrowUp"),
		// Another desk moves this very car.
		looktest.Call(func() {
			w.update(w.now, "wf", he, &branchlinev1.ServiceOrder{State: inWork.Enum()}, "state")
		}),
		looktest.Expect(`document.getElementById("`+card(he)+`").closest(".lane").querySelector("h2").textContent.includes("维修中")`),
		looktest.Expect(`document.activeElement.closest(".car") && document.activeElement.closest(".car").id === "`+card(he)+`"`),
		looktest.Press("m"),
		looktest.Expect(`document.getElementById("move").open && document.activeElement.value === "QUALITY_CHECK"`),
		looktest.Press("Enter"),
		looktest.Expect(`document.getElementById("`+card(he)+`").closest(".lane").querySelector("h2").textContent.includes("质检")`),
		looktest.Expect(`document.activeElement.closest(".car") && document.activeElement.closest(".car").id === "`+card(he)+`"`),
		looktest.Press("m"),
		looktest.Expect(`document.getElementById("move").open`),
		looktest.Press("Escape"),
		looktest.Expect(`!document.getElementById("move").open && location.pathname === "/board"`),
		// Somebody chooses whose cars to see while others move.
		chromedp.Focus(chromedp.ID("who")),
		looktest.Call(func() {
			w.update(w.now, "wf", gone, &branchlinev1.ServiceOrder{State: inWork.Enum()}, "state")
		}),
		looktest.Expect(`document.getElementById("`+card(gone)+`").closest(".lane").querySelector("h2").textContent.includes("维修中")`),
		looktest.Expect(`document.activeElement.id === "who"`),
	)
}

func TestBrowser_BoardPartsAndHomeAreSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	he, _ := w.house()
	w.create(at("2026-01-05"), "zm", &branchlinev1.ServiceOrder{State: inWork.Enum(), Plate: s("沪A00001"), Day: s("2026-01-05")})
	for i, plate := range []string{"沪A3D77K", "沪AK5508"} {
		w.create(at("2026-11-20"), "zm", &branchlinev1.Appointment{
			Plate: s(plate), Name: s("张文博"), Phone: s("13900007700"), Day: s("2026-11-21"), StartAt: proto.Int64(at("2026-11-21", fmt.Sprintf("1%d:00", i)).UnixMilli()),
			State: branchlinev1.AppointmentState_APPOINTMENT_BOOKED.Enum(), Complaint: s("小保养，换雨刮"), Adviser: s("zm"), Model: s("大众 朗逸"),
		})
	}
	w.clock.set(w.now)
	turn := 0
	audit := func(name, path, who string, more ...looktest.Option) {
		t.Helper()
		langs := look.Langs()
		if !every() {
			langs = langs[turn%3 : turn%3+1]
		}
		turn++
		options := append(append([]looktest.Option{looktest.Named(name)}, cookies(w.signIn(who))...), more...)
		b.Audit(t, w.srv.URL+path, langs, options...)
	}
	audit("board", "/board", "zm")
	audit("board-list", "/board?view=list", "zm")
	audit("board-wall", "/board?view=wall", "zm")
	audit("board-technician", "/board?who=me", "lq")
	audit("board-move", "/board/move?order="+w.rid(he).String(), "zm")
	audit("board-menu", "/board", "zm", looktest.Do(
		chromedp.Evaluate[chromedp.Void](`void document.querySelector("[data-move]").click()`), looktest.Expect(`document.getElementById("move").open`)))
	audit("board-dark", "/board", "zm", looktest.Dark())
	audit("parts", "/parts", "zm")
	audit("parts-technician", "/parts", "lq")
	audit("order-parts", "/"+he, "zm")
	audit("home-full", "/", "zm")
	audit("home-technician", "/", "lq")
	audit("home-manager", "/", "boss")
}
