package web_test

import (
	"fmt"
	"html"
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

// agreed is a line that comes with the customer's yes: one of an order in work would have to be asked about first.
func agreed(l *branchlinev1.ServiceLine) *branchlinev1.ServiceLine {
	l.Approvals = []*branchlinev1.Approval{{
		At: proto.Int64(at("2026-11-21", "09:40").UnixMilli()), State: branchlinev1.LineState_LINE_APPROVED.Enum(), Way: branchlinev1.ApprovalWay_BY_WORD.Enum(),
		SaidBy: s("陈建国"), Phone: s("13900002270"), Amount: proto.Int64(l.GetAmount() - l.GetDiscount()),
	}}
	return l
}

// extra adds work found later to an order, for so many yuan.
func (w *town) extra(order, item string, kind branchlinev1.LineKind, yuan int64) string {
	w.t.Helper()
	return w.create(w.clock.now().Add(time.Second), "zm", &branchlinev1.ServiceLine{
		Order: s(order[len("serviceOrders/"):]), Kind: kind.Enum(), State: branchlinev1.LineState_LINE_PROPOSED.Enum(), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(),
		Item: s(item), Amount: proto.Int64(yuan * 100), Currency: s("CNY"), Position: proto.Int32(9), Complaint: s("ABS 灯偶尔亮"),
	}).GetName()
}

func (w *town) lineOf(t *testing.T, name string) *branchlinev1.ServiceLine {
	t.Helper()
	r, err := w.rec.GetRecord(w.by("boss"), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return r.GetServiceLine()
}

var seenLine = regexp.MustCompile(`name="(etag\.[0-9a-z]{26})" value="([^"]*)"`)

// answerForm is what a page of an order sends when an answer is given: the lines it shows, and what is typed.
func answerForm(page string, typed ...string) url.Values {
	form := url.Values{}
	for _, m := range seenLine.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for i := 0; i < len(typed); i += 2 {
		form.Set(typed[i], typed[i+1])
	}
	return form
}

// A customer says yes to one line and no to another, by word, from the row; the declined one is taken up again.
func TestAnswer_FromTheRowsOfAnOrder(t *testing.T) {
	w := newTown(newRig(t))
	part, work := w.lineDone, w.extra(w.open, "更换传感器", branchlinev1.LineKind_LABOUR, 120)
	v := w.as("zm", "zh-CN")
	path := "/" + w.open
	page := v.must(t, path)
	looktest.HTML(t, page)
	want(t, page, "问增项", "增项，停着等答复", "另有 486.00 等答复")
	if n := strings.Count(page, `class="btn go"`); n != 1 {
		t.Errorf("%d main buttons", n)
	}
	if !strings.Contains(page, `name="said_by" maxlength="100" autocomplete="off" value="陳建國"`) || !strings.Contains(page, `list="said-phones" value="139 0000 2270"`) {
		t.Error("who says it is not filled in")
	}
	says := []string{"said_by", "陈建国", "phone", "139 0000 2270", "reason", "太贵", "until", "2027-02-21"}
	yes := answerForm(page, append(says, "yes", part[len("serviceLines/"):])...)
	v.done(t, path+"/answer", yes, "?said=1")
	v.done(t, path+"/answer", yes, "?said=1") // sent twice
	if l := w.lineOf(t, part); l.GetState() != branchlinev1.LineState_LINE_APPROVED || len(l.GetApprovals()) != 1 || l.GetApprovals()[0].GetAmount() != 36_600 ||
		l.GetApprovals()[0].GetPhone() != "139 0000 2270" || l.GetApprovals()[0].GetTakenBy() != "zm" {
		t.Errorf("%v", l)
	}
	v.done(t, path+"/answer", answerForm(v.must(t, path), append(says, "no", work[len("serviceLines/"):])...), "?said=1")
	page = v.must(t, path+"?said=1")
	want(t, page, "客户的答复已记下", "陈建国 · 今天 10:40 · 口头", "太贵", "2027-02-21", "改为同意", "改为：质检")
	wantNot(t, text(page), "问增项", "停着等答复")
	if l := w.lineOf(t, work); l.GetState() != branchlinev1.LineState_LINE_DECLINED || l.GetDeclinedReason() != "太贵" || l.GetReviveOn() != "2027-02-21" {
		t.Errorf("%v", l)
	}
	v.done(t, path+"/answer", answerForm(page, append(says, "yes", work[len("serviceLines/"):])...), "?said=1")
	if l := w.lineOf(t, work); l.GetState() != branchlinev1.LineState_LINE_APPROVED || l.GetDeclinedReason() != "" || l.GetReviveOn() != "" {
		t.Errorf("taken up again: %v", l)
	}
	// "Yes to all" is to what waits, not to what was declined before.
	more := w.extra(w.open, "制动液", branchlinev1.LineKind_PART, 80)
	v.done(t, path+"/answer", answerForm(v.must(t, path), append(says, "all", "yes", "again."+w.declinedLine(t), "1")...), "?said=1")
	if l := w.lineOf(t, more); l.GetState() != branchlinev1.LineState_LINE_APPROVED {
		t.Errorf("yes to all: %v", l)
	}
	if l := w.lineOf(t, "serviceLines/"+w.declinedLine(t)); l.GetState() != branchlinev1.LineState_LINE_DECLINED {
		t.Errorf("yes to all took up what was declined: %v", l)
	}
}

// declinedLine is the line of the open order that was declined this morning.
func (w *town) declinedLine(t *testing.T) string {
	t.Helper()
	for _, r := range w.all("serviceLines") {
		if l := r.GetServiceLine(); l.GetItem() == "后制动片" && l.GetOrder() == w.open[len("serviceOrders/"):] {
			return id(r)
		}
	}
	t.Fatal("there is none")
	return ""
}

// A line whose price moves before its answer comes is not answered; a raised price needs a new yes, and says what was agreed.
func TestAnswer_APriceMovesBeforeIt(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "zh-CN")
	path := "/" + w.open
	old := answerForm(v.must(t, path), "said_by", "陈建国", "phone", "当面", "all", "yes")
	w.update(w.now, "zm", w.lineDone, &branchlinev1.ServiceLine{Amount: proto.Int64(39_900)}, "amount")
	v.done(t, path+"/answer", old, "?moved=lines")
	want(t, v.must(t, path+"?moved=lines"), "有一行在答复之前改过了")
	old.Set("page", "1")
	v.done(t, path+"/answer", old, "/answer?moved=1")
	v.done(t, path+"/answer", answerForm(v.must(t, path), "said_by", "陈建国", "phone", "当面", "all", "yes"), "?said=1")
	edit := formOf(t, v.must(t, "/"+w.lineDone+"/edit"), "/"+w.lineDone)
	edit.Set("amount", "410")
	v.done(t, "/"+w.lineDone, edit, path)
	want(t, v.must(t, path), "问增项", "原来同意的是 399.00", "410.00")
	edit = formOf(t, v.must(t, "/"+w.lineDone+"/edit"), "/"+w.lineDone)
	edit.Set("state", "LINE_APPROVED")
	if status, _, body := v.post("/"+w.lineDone, edit); status != http.StatusBadRequest || !strings.Contains(text(body), "客户还没同意") {
		t.Errorf("approved by hand: %d\n%s", status, text(body))
	}
}

// The page in the customer's hand: labour and parts apart, a no with its reason, what is wrong keeps what was said.
func TestAnswer_OnAPageOfItsOwn(t *testing.T) {
	w := newTown(newRig(t))
	part, work := w.lineDone[len("serviceLines/"):], w.extra(w.open, "更换传感器", branchlinev1.LineKind_LABOUR, 120)[len("serviceLines/"):]
	for _, lang := range []string{"zh-CN", "zh-TW", "en"} {
		looktest.HTML(t, w.as("zm", lang).must(t, "/"+w.open+"/answer"))
	}
	v := w.as("zm", "zh-CN")
	path := "/" + w.open + "/answer"
	page := v.must(t, path)
	want(t, page, "工时 120.00 更换传感器", "配件 366.00 左前轮速传感器", "左前轮速传感器", "全部同意共 486.00", "3 个月后 · 2027-02-21", "已经答复的", "后制动片")
	form := answerForm(page, "page", "1", "say."+part, "yes", "say."+work, "no", "why."+work, "在外面做", "until."+work, "", "way", "BY_WORD", "said_by", "", "phone", "")
	status, _, body := v.post(path, form)
	if status != http.StatusBadRequest || !strings.Contains(body, `value="在外面做" checked`) {
		t.Fatalf("by nobody: %d\n%s", status, text(body))
	}
	want(t, body, "要写谁说的", "要写用哪个电话")
	if status, _, body := v.post(path, answerForm(page, "page", "1", "said_by", "陈", "phone", "当面")); status != http.StatusBadRequest {
		t.Errorf("nothing said: %d\n%s", status, text(body))
	}
	form.Set("said_by", "陈太太")
	form.Set("phone", "当面")
	v.done(t, path, form, "?said=1")
	yes, no := w.lineOf(t, "serviceLines/"+part), w.lineOf(t, "serviceLines/"+work)
	if yes.GetState() != branchlinev1.LineState_LINE_APPROVED || no.GetDeclinedReason() != "在外面做" || no.GetReviveOn() != "" || yes.GetApprovals()[0].GetSaidBy() != "陈太太" {
		t.Errorf("%v\n%v", yes, no)
	}
	want(t, v.must(t, path), "没有等答复的项目", "陈太太")
	if status, _ := v.get("/" + w.foreign + "/answer"); status != http.StatusSeeOther {
		t.Errorf("another branch's order is asked about: %d", status)
	}
}

func TestPromise_IsMovedWithACall(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "zh-CN")
	path := "/" + w.open
	page := v.must(t, path)
	want(t, page, "答应的时间", "迟 25 分", "还没改过")
	form := formOf(t, page, path+"/promise")
	form.Set("etag", html.UnescapeString(regexp.MustCompile(`form="promise-form" name="etag" value="([^"]+)"`).FindStringSubmatch(page)[1]))
	form.Set("promised_at", "2026-11-21T15:30")
	form.Set("told", "phone")
	form.Del("reason")
	status, _, body := v.post(path+"/promise", form)
	if status != http.StatusBadRequest || !strings.Contains(body, `value="2026-11-21T15:30"`) {
		t.Fatalf("without a reason: %d\n%s", status, text(body))
	}
	looktest.HTML(t, body)
	want(t, body, "要写明原因")
	form.Set("reason", "等配件")
	talks := len(w.all("contacts"))
	v.done(t, path+"/promise", form, path)
	v.done(t, path+"/promise", form, path) // sent twice
	page = v.must(t, path)
	want(t, page, "今天 10:15 改到 今天 15:30", "等配件 · 今天 10:40 · 周敏 · 已告诉客户")
	wantNot(t, text(page), "迟 25 分")
	if n := len(w.all("contacts")) - talks; n != 1 {
		t.Errorf("%d talks", n)
	}
	form.Set("request_id", "another desk")
	form.Set("promised_at", "2026-11-21T16:00")
	v.done(t, path+"/promise", form, "?moved=promise")
	want(t, v.must(t, path+"?moved=promise"), "别人刚改过答应的时间")
}

func TestTell_TextsAreReadyAndNoted(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "zh-CN")
	path := "/" + w.open + "/tell"
	want(t, v.must(t, path), "已检查，报价如下： 1. 左前轮速传感器 366.00", "合计 366.00 元（含税）。") // it was there before the work
	w.extra(w.open, "更换传感器", branchlinev1.LineKind_LABOUR, 120)
	page := v.must(t, path)
	looktest.HTML(t, page)
	want(t, page, "陳建國，您好，这里是浦东店。", "您的车 沪A·52H17 维修中又发现： 1. 更换传感器 120.00 合计 120.00 元（含税）。", "浦东店 周敏")
	if !strings.Contains(page, `<svg class="dots"`) {
		t.Error("there is no QR")
	}
	want(t, v.must(t, path+"?about=promise&in=en"), "Dear 陳建國, this is 浦东店.", "is now promised for today 10:15")
	want(t, v.must(t, path+"?about=ready&in=zh-TW"), "您的車 沪A·52H17 已修好，可以來取了。")
	form := formOf(t, page, path)
	form.Set("text", "王姐，传感器 366 元，做吗？")
	talks := len(w.all("contacts"))
	v.done(t, path, form, "?told=1")
	v.done(t, path, form, "?told=1") // sent twice
	if got := w.all("contacts"); len(got) != talks+1 {
		t.Fatalf("%d talks", len(got)-talks)
	}
	customer := v.must(t, "/customers/"+w.orderCustomer(t))
	want(t, customer, "发现增项 · 王姐，传感器 366 元，做吗？")

	// A quote that goes out waits for its answer.
	o := w.create(w.clock.now(), "zm", &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_RECEIVED.Enum(), Plate: s("沪A00001"), Customer: s(w.orderCustomer(t))})
	w.extra(o.GetName(), "换刹车油", branchlinev1.LineKind_LABOUR, 200)
	path = "/" + o.GetName()
	want(t, v.must(t, path), "报价给客户")
	form = formOf(t, v.must(t, path+"/tell?about=quote"), path+"/tell")
	form.Set("text", "换刹车油 200 元")
	v.done(t, path+"/tell", form, "?told=1")
	want(t, v.must(t, path), "记客户答复")
}

// Lines are typed one after the other: the page comes back to the row with what the next is likely to share.
func TestQuick_SeveralLinesInARow(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "zh-CN")
	path := "/" + w.open
	form := formOf(t, v.must(t, path), path+"/lines")
	for name, value := range map[string]string{"item": "刹车油", "kind": "PART", "count": "1.5", "amount": "1,080.50", "payer": "PAYER_INSURER", "complaint": "4 万公里保养"} {
		form.Set(name, value)
	}
	lines := len(w.all("serviceLines"))
	v.done(t, path+"/lines", form, "kind=PART&of=4+%E4%B8%87%E5%85%AC%E9%87%8C%E4%BF%9D%E5%85%BB&payer=PAYER_INSURER")
	v.done(t, path+"/lines", form, "?kind=PART") // sent twice
	form.Set("item", "更换刹车油")
	form.Set("kind", "LABOUR")
	v.done(t, path+"/lines", form, "?kind=LABOUR") // the browser went back to the form, and another line was typed
	if n := len(w.all("serviceLines")) - lines; n != 2 {
		t.Errorf("%d lines were made", n)
	}
	page := v.must(t, path+"?kind=PART&payer=PAYER_INSURER&of="+url.QueryEscape("4 万公里保养"))
	if !strings.Contains(page, `value="PART" selected`) || !strings.Contains(page, `value="PAYER_INSURER" selected`) || !strings.Contains(page, "required autofocus") || !strings.Contains(page, `value="4 万公里保养"`) {
		t.Error("the row does not go on where it was")
	}
	want(t, page, "1.5 h", "1,080.50")
	form.Set("amount", "x")
	form.Set("item", "乱写")
	status, _, body := v.post(path+"/lines", form)
	if status != http.StatusBadRequest || !strings.Contains(body, `value="乱写"`) {
		t.Errorf("a wrong price: %d\n%s", status, text(body))
	}
	// A technician writes down what they find, without prices.
	lq := w.as("lq", "zh-CN")
	page = lq.must(t, path)
	wantNot(t, page, `name="payer"`, `name="yes"`, `id="answer"`, `id="promise-form"`, "/tell")
	form = formOf(t, page, path+"/lines")
	form.Set("item", "内球笼破")
	lq.done(t, path+"/lines", form, "?kind=LABOUR")
	for _, p := range []string{path + "/answer", path + "/tell"} {
		if status, _ := lq.get(p); status != http.StatusForbidden {
			t.Errorf("a technician opens %s: %d", p, status)
		}
	}
}

// A package's lines are put in from the order's page.
func TestQuick_APackage(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "zh-CN")
	w.create(w.clock.now(), "zm", &branchlinev1.Package{Name: s("小保养"), Price: proto.Int64(46_800), Lines: []*branchlinev1.PackageLine{
		{Kind: branchlinev1.LineKind_LABOUR.Enum(), Item: s("更换机油机滤"), Amount: proto.Int64(12_000), BilledMinutes: proto.Int64(30)},
		{Kind: branchlinev1.LineKind_PART.Enum(), Item: s("机油 0W-20"), Amount: proto.Int64(34_800), PartQuantity: proto.Int64(4000)},
	}})
	w.create(w.clock.now(), "zm", &branchlinev1.Package{Name: s("去年的"), ValidTo: s("2025-12-31"), Lines: []*branchlinev1.PackageLine{{Item: s("x")}}})
	path := "/" + w.open
	page := v.must(t, path)
	wantNot(t, text(page), "去年的")
	form := formOf(t, page, path+"/package")
	offered, _, _ := choices(t, page, "q-pack")
	form.Set("package", offered[0])
	v.done(t, path+"/package", form, "#add")
	want(t, v.must(t, path), "更换机油机滤", "机油 0W-20", "348.00", "问增项")
}

// An order of sixty lines that all wait stays small and quick.
func TestAnswer_SixtyLines(t *testing.T) {
	w := newTown(newRig(t))
	for i := range 60 {
		w.extra(w.open, fmt.Sprintf("第 %d 项", i), branchlinev1.LineKind_LABOUR, 100)
	}
	v := w.as("zm", "zh-CN")
	for _, path := range []string{"/" + w.open, "/" + w.open + "/answer"} {
		v.must(t, path)
		began := time.Now()
		page := v.must(t, path)
		took := time.Since(began)
		t.Logf("%s: %d bytes in %v", path, len(page), took)
		if len(page) > 250_000 || took > 300*time.Millisecond {
			t.Errorf("%s: %d bytes in %v", path, len(page), took)
		}
	}
}

func TestBrowser_PagesOfTheTalkAreSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	w.extra(w.open, "更换传感器", branchlinev1.LineKind_LABOUR, 120)
	w.create(w.clock.now(), "zm", &branchlinev1.Package{Name: s("小保养"), Price: proto.Int64(46_800), Lines: []*branchlinev1.PackageLine{{Item: s("x")}}})
	zm := w.signIn("zm")
	path := "/" + w.open
	turn := 0
	audit := func(name, path string, more ...looktest.Option) {
		t.Helper()
		w.clock.set(w.clock.now().Add(30 * time.Second))
		langs := look.Langs()
		if !every() {
			langs = langs[turn%3 : turn%3+1]
		}
		turn++
		b.Audit(t, w.srv.URL+path, langs, append(append([]looktest.Option{looktest.Named(name)}, cookies(zm)...), more...)...)
	}
	open := looktest.Do(chromedp.Evaluate[chromedp.Void](`void document.querySelectorAll("main details").forEach((d) => { d.open = true; })`))
	audit("talk-order", path, open)
	audit("talk-answer", path+"/answer", looktest.Do(chromedp.Evaluate[chromedp.Void](`void document.querySelector(".asks [value=no]").click()`)))
	audit("talk-tell", path+"/tell")
	v := w.as("zm", "zh-CN")
	v.done(t, path+"/answer", answerForm(v.must(t, path), "said_by", "陈建国", "phone", "当面", "all", "yes"), "?said=1")
	audit("talk-answered", path+"?said=1")
	audit("talk-nothing", path+"/answer")
	audit("talk-promise", path, looktest.Do(
		chromedp.Evaluate[chromedp.Void](`void (() => { const f = document.getElementById("promise-form"); f.noValidate = true; f.submit(); })()`),
		looktest.Expect(`document.readyState === "complete" && !!document.querySelector(".err[role=alert]")`),
	), looktest.After(400))
}

// The customer says yes to one line and no to the other at the desk, by keyboard alone: from the order to its page of
// answers, and back.
func TestBrowser_HalfYesHalfNoByKeyboard(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	work := w.extra(w.open, "更换传感器", branchlinev1.LineKind_LABOUR, 120)
	path := "/" + w.open
	tab := func(n int) chromedp.Action[chromedp.Void] {
		var out []chromedp.Action[chromedp.Void]
		for range n {
			out = append(out, looktest.Press("Tab"))
		}
		return chromedp.Steps(out...)
	}
	b.Run(t, w.srv.URL+path, withLang(w.signIn("zm"), "zh-CN"),
		looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
		looktest.Press("n"), // asks about the extra work
		looktest.Expect(`location.pathname === "`+path+`/answer" && document.readyState === "complete" && !document.querySelector("[data-yes-sum]").hidden`),
		chromedp.Evaluate[chromedp.Void](`void document.querySelector(".asks input[value=yes]").focus()`),
		looktest.Press(" "),
		looktest.Expect(`document.querySelector("[data-yes-sum] output").textContent === "120.00"`), // labour stands first
		tab(1), // the next line's answers
		looktest.Press(" "),
		looktest.Press("ArrowRight"),
		looktest.Expect(`document.activeElement.value === "no" && document.activeElement.checked && document.querySelector("[data-yes-sum] output").textContent === "120.00"`),
		tab(1), // its reason
		looktest.Expect(`document.activeElement.name.startsWith("why.")`),
		looktest.Press("ArrowDown"),
		looktest.Expect(`document.activeElement.value === "太贵" && document.activeElement.checked`),
		chromedp.Focus(chromedp.ID("said-by")),
		looktest.Press("Enter"),
		looktest.Expect(`location.pathname === "`+path+`" && location.search === "?said=1" && document.readyState === "complete"`),
		looktest.Expect(`document.body.textContent.includes("太贵") && !document.querySelector("tr.is-hold")`),
	)
	if l := w.lineOf(t, w.lineDone); l.GetDeclinedReason() != "太贵" || l.GetReviveOn() != "2027-02-21" {
		t.Errorf("%v", l)
	}
	if l := w.lineOf(t, work); l.GetState() != branchlinev1.LineState_LINE_APPROVED || l.GetApprovals()[0].GetSaidBy() != "陳建國" {
		t.Errorf("%v", l)
	}
}

// On the order's page: the row of a new line keeps the cursor for the next, Enter in the panel of answers answers
// nothing, and A says yes to all.
func TestBrowser_LinesAndAnswersOnTheOrder(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	path := "/" + w.open
	b.Run(t, w.srv.URL+path, withLang(w.signIn("zm"), "zh-CN"),
		looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
		looktest.Press("l"),
		looktest.Expect(`document.activeElement.id === "q-item"`),
		typing("aaa"),
		looktest.Press("Enter"),
		looktest.Expect(`location.search.startsWith("?kind=LABOUR") && document.readyState === "complete" && document.activeElement.id === "q-item"`),
		typing("bbb"),
		looktest.Press("Enter"),
		looktest.Expect(`document.readyState === "complete" && document.querySelectorAll("tr.is-hold").length === 3`),
		chromedp.Focus(chromedp.ID("said-by")),
		looktest.Press("Enter"),
		looktest.Press("Escape"),
		looktest.Expect(`document.activeElement === document.body && document.querySelectorAll("tr.is-hold").length === 3`),
		looktest.Press("a"),
		looktest.Expect(`location.search === "?said=1" && document.readyState === "complete" && document.querySelectorAll("tr.is-hold").length === 0`),
	)
}
