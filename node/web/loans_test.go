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

// lends gives two customers a loan car: one is overdue, one is to come back tomorrow.
func (w *town) lends() (overdue, tomorrow string) {
	w.t.Helper()
	lent := func(plate, car string, until time.Time) string {
		return w.car(plate, inWork, "", &branchlinev1.ServiceOrder{
			Adviser: s("zm"), Customer: s(w.chen[len("customers/"):]), LoanCar: &car, LoanFrom: proto.Int64(at("2026-11-19", "09:00").UnixMilli()), LoanUntil: proto.Int64(until.UnixMilli()),
		})
	}
	tomorrow = lent("沪B6N905", "沪A8D07", at("2026-11-22", "17:00"))
	return lent("浙A0B5N2", "沪A8D06", at("2026-11-20", "18:00")), tomorrow
}

// What is out stands in the list, overdue first, until somebody says that it is back; said by mistake, it is taken back.
func TestLoans_OutAndBack(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	want(t, zm.page("/loans"), "0 台在外", "没有代步车在外")
	late, tomorrow := w.lends()
	page := zm.page("/loans")
	looktest.HTML(t, page)
	want(t, page, "2 台在外", "1 台过了时间", "浙A·0B5N2", "迟 16 小时 40 分", "陈建国", "11-22 17:00", "维修中")
	if strings.Index(page, "沪A8D06") > strings.Index(page, "沪A8D07") {
		t.Error("the overdue one does not stand first")
	}
	want(t, zm.page("/"), "代步车 沪A8D06 该还了")
	want(t, zm.page("/"+late), "沪A8D06 · 11-19 09:00 借出 · 应还 11-20 18:00")
	for _, path := range []string{"/board", "/serviceOrders"} {
		if !strings.Contains(zm.page(path), `href="/loans"`) {
			t.Errorf("no way from %s", path)
		}
	}
	lq := w.as("lq", "zh-CN").page("/loans")
	want(t, lq, "沪A8D06")
	wantNot(t, lq, "陈建国", "139")

	form := url.Values{"order": {late[len("serviceOrders/"):]}, "act": {"back"}}
	for range 2 { // sent twice
		zm.done(t, "/loans", form, "/loans?back=")
	}
	_, to, _ := zm.post("/loans", form)
	page = zm.page(to)
	want(t, page, "沪A8D06 已还。", "1 台在外")
	want(t, zm.page("/"+late), "今天 10:40 已还")
	zm.done(t, "/loans", filled(t, page, "/loans", "act", "out"), "/loans")
	want(t, zm.page("/loans"), "2 台在外")
	if status, _, _ := zm.post("/loans", url.Values{"order": form["order"], "act": {"sold"}}); status != http.StatusBadRequest {
		t.Errorf("nonsense: %d", status)
	}
	if status, _, _ := w.as("sale", "zh-CN").post("/loans", form); status != http.StatusForbidden {
		t.Errorf("a salesperson wrote it down: %d", status)
	}

	// One that is out is not lent again without a second word.
	twice := formOf(t, zm.page("/"+w.open+"/edit"), "/"+w.open)
	twice.Set("loan_car", "沪a8d07")
	status, _, body := zm.post("/"+w.open, twice)
	if status != http.StatusBadRequest || !strings.Contains(body, `name="confirmed" value="loan_out"`) {
		t.Errorf("lent twice: %d", status)
	}
	want(t, body, "这台代步车还在 沪B·6N905 的客户手里")
	twice.Set("confirmed", "loan_out")
	zm.done(t, "/"+w.open, twice, "/"+w.open)
	w.update(w.now, "zm", w.open, &branchlinev1.ServiceOrder{}, "loan_car")

	// In the details it may be put right, but not before it went out.
	path := "/" + tomorrow
	edit := formOf(t, zm.page(path+"/edit"), path)
	edit.Set("loan_back_at", "2026-11-18T09:00")
	if status, _, body := zm.post(path, edit); status != http.StatusBadRequest || !strings.Contains(text(body), "还车早于借车") {
		t.Errorf("%d\n%s", status, text(body))
	}
	edit.Set("loan_back_at", "2026-11-21T09:00")
	zm.done(t, path, edit, path)
	wantNot(t, zm.page("/loans"), "沪A8D07")

	// Handing the car over asks for the loan car.
	w.update(w.now, "zm", late, &branchlinev1.ServiceOrder{State: carReady.Enum()}, "state")
	page = zm.page("/" + late)
	want(t, page, "代步车还了 沪A8D06")
	zm.done(t, "/"+late+"/state", formAt(t, page, `id="hand"`, "loan_back", "yes"), "/"+late)
	want(t, zm.page("/loans"), "没有代步车在外")
}

func TestBrowser_LoansAndPartsAreSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	audit := func(name, path string) {
		t.Helper()
		w.clock.set(w.clock.now().Add(30 * time.Second))
		b.Audit(t, w.srv.URL+path, look.Langs(), append([]looktest.Option{looktest.Named(name)}, cookies(w.signIn("zm"))...)...)
	}
	audit("loans-none", "/loans")
	late, _ := w.lends()
	gone := w.car("沪A7Z3K5", inWork, "", nil, &branchlinev1.ServiceLine{
		Kind: branchlinev1.LineKind_PART.Enum(), State: branchlinev1.LineState_LINE_APPROVED.Enum(), PartName: s("右大灯"), PartsOrderedAt: proto.Int64(at("2026-11-19").UnixMilli()),
	})
	w.as("zm", "zh-CN").done(t, "/"+gone+"/state", url.Values{"state": {"HANDED_OVER"}}, "/"+gone)
	audit("loans", "/loans?back=%E6%B2%AAA8D09&of="+late[len("serviceOrders/"):])
	audit("parts-gone", "/parts")
	audit("board-loans", "/board")
	audit("order-loan", "/"+late)
	audit("order-details", "/"+late+"/edit")
	audit("booking-adviser", "/appointments/new")
}
