package web_test

import (
	"testing"

	"github.com/chromedp/chromedp"

	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// Every page in every language, at a desk and on a phone: no console error, nothing sideways, nothing axe-core finds.
func TestBrowser_PagesAreSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	r := newRig(t, world())
	b.Audit(t, r.url+"/sign-in", look.Langs(), looktest.Named("sign-in")) // before the browser has a session
	b.Audit(t, r.url+"/trust", look.Langs(), looktest.Named("trust"))
	session := looktest.Cookie(r.cookie(), r.token("steward", steward))
	for _, p := range []struct{ name, path string }{
		{"home", "/"},
		{"fleet", "/branches"},
		{"quarantine", "/quarantine?done=retry&change=pd/2s0b9p1q7z3k/41"},
		{"reports-branch", "/reports/orders?by=branch"},
		{"customer", "/" + chen},
		{"vehicle", "/" + car},
	} {
		b.Audit(t, r.url+p.path, look.Langs(), looktest.Named(p.name), session)
	}
	f := world()
	f.chosen()
	q := newRig(t, f)
	chosen := looktest.Cookie(q.cookie(), q.token("steward", steward))
	b.Audit(t, q.url+"/"+chen, look.Langs(), looktest.Named("customer-chosen"), chosen)
	b.Audit(t, q.url+"/"+car, look.Langs(), looktest.Named("vehicle-sold"), chosen)
	boss := looktest.Cookie(r.cookie(), r.token("admin2", admin))
	b.Audit(t, r.url+"/accounts", look.Langs()[:1], looktest.Named("accounts"), boss)
	b.Audit(t, r.url+"/account", look.Langs()[2:], looktest.Named("account"), session)
	// What differs by its figures only, in the longest language.
	b.Audit(t, r.url+"/search?q=%E6%B2%AAA8K362", look.Langs()[2:], looktest.Named("search"), session)
	b.Audit(t, r.url+"/reports/orders", look.Langs()[2:], looktest.Named("reports-orders"), session)
	b.Audit(t, r.url+"/reports/retention?by=month&by=branch", look.Langs()[2:], looktest.Named("reports-retention"), session)
	b.Audit(t, r.url+"/reports/customers?by=month&by=branch&by=model", look.Langs()[2:], looktest.Named("reports-ways"), session)
	b.Audit(t, r.url+"/"+bare, look.Langs()[2:], looktest.Named("vehicle-bare"), session)
	b.Audit(t, r.url+"/no/such", look.Langs()[:1], looktest.Named("missing"), looktest.Status(404), session)
	b.Audit(t, r.url+"/reports/orders?from=2026-11-30&to=2026-11-01", look.Langs()[2:], looktest.Named("reports-fault"), looktest.Status(400), session)
	b.Audit(t, r.url+"/", look.Langs()[:1], looktest.Named("dark"), looktest.Dark(), session)
	b.Audit(t, r.url+"/quarantine", look.Langs()[:1], looktest.Named("discard"), session,
		looktest.Do(chromedp.Evaluate[chromedp.Void](`void document.querySelector(".settle details").setAttribute("open", "")`)))
	b.Audit(t, r.url+"/"+car, look.Langs()[:1], looktest.Named("readings"), session,
		looktest.Do(chromedp.Evaluate[chromedp.Void](`void document.querySelector(".chart + details").setAttribute("open", "")`)))
}

// The forms pass the site's own cross-origin check and policy, and a search is answered while typing.
func TestBrowser_FormsWork(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	f := world()
	r := newRig(t, f)
	cookies := map[string]string{"lang": "zh-CN", r.cookie(): r.token("steward", steward)}
	b.Run(t, r.url+"/sign-in?next=/branches", map[string]string{"lang": "zh-CN"},
		chromedp.SendKeys(chromedp.CSS("#account"), "steward"),
		chromedp.SendKeys(chromedp.CSS("#password"), password),
		chromedp.Click(chromedp.CSS("button.go")),
		looktest.Expect(`location.pathname === "/branches" && document.querySelector("h1").textContent === "分店"`))
	b.Run(t, r.url+"/quarantine", cookies,
		chromedp.Click(chromedp.CSS(".settle summary")),
		chromedp.Click(chromedp.CSS(`.settle button[value="discard"]`)),
		looktest.Expect(`location.search.includes("done=discard") && document.body.textContent.includes("已作废。")`))
	b.Run(t, r.url+"/reports/orders", cookies,
		chromedp.Click(chromedp.CSS(`input[name="by"][value="branch"]`)),
		chromedp.Click(chromedp.CSS(`input[name="by"][value="month"]`)),
		chromedp.Click(chromedp.CSS(".ask button.go")),
		looktest.Expect(`location.search.includes("by=branch") && !location.search.includes("by=month") && document.querySelectorAll("tbody tr").length === 7`))
	b.Run(t, r.url+"/"+chen+"/members", cookies, // what a form is answered with on its own page has arrived
		looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
		chromedp.Click(chromedp.CSS("#m-0")), chromedp.Click(chromedp.CSS(`button[value="try"]`)),
		looktest.Expect(`!!document.getElementById("try") && document.readyState === "complete" && !sessionStorage.getItem("keep")`),
		looktest.Expect(`!document.querySelector("#main > [data-what]")`))
	b.Run(t, r.url+"/", cookies,
		looktest.Expect(`!!window.htmx`),
		looktest.Press("/"),
		looktest.Press("2"), looktest.Press("2"),
		looktest.Expect(`document.querySelectorAll("#found [role=option]").length > 0`),
		looktest.Press("ArrowDown"), looktest.Press("Enter"),
		looktest.Expect(`location.pathname !== "/"`))
	if len(f.settled) != 1 {
		t.Errorf("settled %q", f.settled)
	}
}
