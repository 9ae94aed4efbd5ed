package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// sharedDesk is the cookies of a browser on which both signed in today, the second last.
func (w *town) sharedDesk(t *testing.T, first, second string) map[string]string {
	t.Helper()
	v := w.as("", "zh-CN")
	u, err := url.Parse(w.srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{first, second} { // the second sign-in is on the mark of the first
		if status, _, body := v.post("/sign-in", url.Values{"account": {name}, "password": {password}}); status != http.StatusSeeOther {
			t.Fatalf("%d %s", status, text(body))
		}
	}
	session := map[string]string{"lang": "zh-CN"}
	for _, c := range v.c.Jar.Cookies(u) {
		session[c.Name] = c.Value
	}
	return session
}

// A language chosen is the account's: at another browser too, and whatever the browser asks. Before sign-in it is the browser's.
func TestLanguage_IsTheAccounts(t *testing.T) {
	w := newTown(newRig(t))
	in := func(v *visitor, path, lang string) {
		t.Helper()
		if _, page := v.get(path); !strings.Contains(page, `<html lang="`+lang+`">`) {
			t.Errorf("%s is not in %s", path, lang)
		}
	}
	zm, wf := w.as("zm", "zh-CN"), w.as("wf", "zh-CN")
	if status, to, _ := zm.post("/lang", url.Values{"lang": {"en"}, "next": {"/line"}}); status != http.StatusSeeOther || to != "/line" {
		t.Fatalf("%d %s", status, to)
	}
	in(zm, "/", "en")
	in(w.as("zm", "zh-TW"), "/", "en")
	in(wf, "/", "zh-CN")
	in(w.as("wf", "zh-TW"), "/", "zh-TW")

	nobody := w.as("", "zh-CN")
	in(nobody, "/sign-in", "zh-CN")
	nobody.post("/lang", url.Values{"lang": {"zh-TW"}, "next": {"/sign-in"}})
	in(nobody, "/sign-in", "zh-TW")
	if status, _, _ := nobody.post("/sign-in", url.Values{"account": {"zm"}, "password": {password}}); status != http.StatusSeeOther {
		t.Fatalf("%d", status)
	}
	in(nobody, "/", "en")
	nobody.post("/sign-out", nil)
	in(nobody, "/sign-in", "zh-TW")

	if status, _, _ := zm.post("/lang", url.Values{"lang": {"xx"}}); status != http.StatusBadRequest {
		t.Errorf("no language: %d", status)
	}
	in(zm, "/", "en")

	// The administrator sees and sets it with the rest of an account.
	boss := w.as("boss", "zh-CN")
	page := boss.page("/accounts")
	_, row, _ := strings.Cut(page, `id="a-zm"`)
	row, _, _ = strings.Cut(row, "</li>")
	want(t, row, "English")
	if !strings.Contains(row, `<option value="en" lang="en" selected>`) || strings.Contains(row, `<option value="">`) {
		t.Error("the form of an account does not show its language")
	}
	save := url.Values{"act": {"save"}, "of": {"wf"}, "staff": {"wf"}, "roles": {"adviser"}, "language": {"zh-TW"}}
	if status, _, body := boss.post("/accounts", save); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	in(w.as("wf", "zh-CN"), "/", "zh-TW")
}

// Two people at one desk each read their own language within two seconds of the PIN; what is typed stays.
func TestBrowser_F2ChangesTheLanguageOverTheForm(t *testing.T) {
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	w.withPins(t)
	w.as("wf", "zh-CN").post("/lang", url.Values{"lang": {"en"}, "next": {"/"}})
	var began time.Time
	var took time.Duration
	pin := func(lang, who string) []chromedp.Action[chromedp.Void] {
		return []chromedp.Action[chromedp.Void]{
			looktest.Press("F2"),
			looktest.Expect(`document.activeElement && document.activeElement.id === "desk-pin"`),
			looktest.Call(func() { began = time.Now() }),
			typing(pinOfBoss),
			looktest.Press("Enter"),
			looktest.Expect(`document.documentElement.lang === "` + lang + `" && document.readyState === "complete"`),
			looktest.Expect(`document.querySelector("details.me summary").textContent.includes("` + who + `")`),
			looktest.Call(func() { took = max(took, time.Since(began)) }),
			looktest.Expect(`!!window.htmx && location.pathname === "/customers/new" && document.querySelector('[name="name"]').value === "half" && document.querySelector('[name="consent_survey"]').value === "no"`),
		}
	}
	start := []chromedp.Action[chromedp.Void]{
		looktest.Expect(`!!window.htmx && document.documentElement.lang === "zh-CN" && document.querySelector("details.me summary").textContent.includes("周敏")`),
		chromedp.Focus(chromedp.ID("i-name")),
		typing("half"), answered,
		chromedp.Evaluate[chromedp.Void](`void (document.querySelector('[name="consent_survey"]').value = "no")`),
	}
	b.Run(t, w.srv.URL+"/customers/new", w.sharedDesk(t, "wf", "zm"), append(append(start, pin("en", "吴凡")...), pin("zh-CN", "周敏")...)...)
	t.Logf("from the first digit to the page in the other language: %v", took)
	if took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// answered waits for what is asked as a name is typed: the session it was asked with ends when another takes over.
var answered = looktest.Expect(`performance.getEntriesByType("resource").some((e) => e.name.endsWith("/customers/like") && e.responseEnd > 0) && !document.querySelector(".htmx-request")`)

// Who takes the browser over and may not see the page does not see it; what was typed waits for who may.
func TestBrowser_F2KeepsTheFormFromWhoMayNotSeeIt(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	w.withPins(t)
	lq := w.as("lq", "zh-CN")
	lq.done(t, "/account", url.Values{"act": {"pin"}, "pin": {pinOfBoss}, "pin-current": {password}}, "done=pin")
	lq.post("/lang", url.Values{"lang": {"en"}, "next": {"/"}})
	pin := []chromedp.Action[chromedp.Void]{
		looktest.Press("F2"),
		looktest.Expect(`document.activeElement && document.activeElement.id === "desk-pin"`),
		typing(pinOfBoss),
		looktest.Press("Enter"),
	}
	steps := []chromedp.Action[chromedp.Void]{
		looktest.Expect(`!!window.htmx && document.querySelector("details.me summary").textContent.includes("周敏")`),
		chromedp.Focus(chromedp.ID("i-name")),
		typing("half"), answered,
	}
	steps = append(append(steps, pin...), looktest.Expect(`!!window.htmx && document.documentElement.lang === "en" && document.readyState === "complete" && !document.querySelector('[name="name"]')`))
	steps = append(append(steps, pin...), looktest.Expect(`!!window.htmx && document.documentElement.lang === "zh-CN" && document.querySelector('[name="name"]').value === "half"`))
	b.RunInto(t, http.StatusForbidden, w.srv.URL+"/customers/new", w.sharedDesk(t, "lq", "zm"), steps...)
}

// What is written for a customer begins in their language, else in the house's, and changes with a click; the page around it
// stays in the reader's.
func TestCustomer_IsWrittenToInTheirLanguage(t *testing.T) {
	w := inspected(t)
	v := w.as("zm", "zh-CN")
	customer := "/customers/" + w.orderCustomer(t)
	inspection := regexp.MustCompile(`/inspections/[0-9a-z]{26}`).FindString(v.must(t, "/"+w.open)) + "/print"
	begins := func(lang, dear, quote, bill, walked string) {
		t.Helper()
		tell := v.must(t, "/"+w.open+"/tell")
		want(t, tell, dear)
		for _, sheet := range []struct{ path, class, head string }{{"/" + w.open + "/quote", "sheet", quote}, {"/" + w.open + "/settlement", "sheet", bill}, {inspection, "sheet inspect", walked}} {
			page := v.must(t, sheet.path)
			looktest.HTML(t, page)
			want(t, page, sheet.head)
			if !strings.Contains(page, `<html lang="zh-CN">`) || !strings.Contains(page, `<article class="`+sheet.class+`" lang="`+lang+`">`) || !strings.Contains(tell, `lang="`+lang+`">`) {
				t.Errorf("%s is not in %s on a page in zh-CN", sheet.path, lang)
			}
		}
	}
	begins("zh-CN", "陳建國，您好", "报价单", "结算单", "客户签名（以上车况属实）")
	w.elsewhere(at("2026-11-20"), "hq", false, &branchlinev1.Setting{Name: s("customer_language"), Value: s("zh-TW"), From: s("2026-01-01"), Branch: s("pd")})
	w.clock.set(w.now)
	begins("zh-TW", "陳建國，您好，這裡是", "報價單", "結帳單", "客戶簽名（以上車況屬實）")

	form := formOf(t, v.must(t, customer+"/edit"), customer)
	form.Set("language", "3")
	v.done(t, customer, form, customer)
	want(t, v.must(t, customer), "语言 英文")
	begins("en", "Dear 陳建國, this is", "Quote", "Settlement", "Customer's signature (the above is so)")
	want(t, v.must(t, "/"+w.open+"/quote?in=zh-CN"), "报价单", "工时费")
	want(t, v.must(t, inspection+"?in=zh-CN"), "右后门", "刮痕", "油量", "检查人")
	want(t, v.must(t, "/"+w.open+"/settlement?in=zh-TW&payer=PAYER_MAKER"), "結帳單")
	if page := v.must(t, "/"+w.open+"/settlement?in=zh-TW&payer=PAYER_MAKER"); !strings.Contains(page, "/settlement?in=zh-TW&amp;payer=PAYER_CUSTOMER") || !strings.Contains(page, "?in=en&amp;payer=PAYER_MAKER") {
		t.Error("the choice of the payer loses the language, or that of the language the payer")
	}
}

func TestBrowser_SheetsInTheCustomersLanguage(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := inspected(t)
	zm := cookies(w.signIn("zm"))
	for _, p := range [][2]string{{"quote-en", "/quote?in=en"}, {"settlement-tw", "/settlement?in=zh-TW"}, {"tell-en", "/tell?in=en"}} {
		b.Audit(t, w.srv.URL+"/"+w.open+p[1], look.Langs()[:1], append([]looktest.Option{looktest.Named(p[0])}, zm...)...)
	}
}
