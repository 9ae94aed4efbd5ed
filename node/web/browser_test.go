package web_test

import (
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// cookies as options of an audit.
func cookies(of map[string]string) []looktest.Option {
	var out []looktest.Option
	for k, v := range of {
		out = append(out, looktest.Cookie(k, v))
	}
	return out
}

// every tells whether each page is looked at in every language. Otherwise each is looked at in one, the languages taking
// turns: the whole takes minutes. That pages are well-formed in each is another test.
func every() bool { return os.Getenv("BRANCHLINE_EVERY") != "" || os.Getenv("BRANCHLINE_SHOTS") != "" }

func TestBrowser_EveryPageIsSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	turn := 0
	audit := func(name, path string, who map[string]string, more ...looktest.Option) {
		t.Helper()
		langs := look.Langs()
		if !every() {
			langs = langs[turn%3 : turn%3+1]
		}
		turn++
		w.clock.set(w.clock.now().Add(30 * time.Second)) // an account may look at so many rows a minute
		options := append(append([]looktest.Option{looktest.Named(name)}, cookies(who)...), more...)
		b.Audit(t, w.srv.URL+path, langs, options...)
	}
	zm := w.signIn("zm")
	for _, p := range [][2]string{
		{"home", "/"},
		{"customer", "/" + w.chen},
		{"lost", "/" + w.he},
		{"customer-edit", "/" + w.he + "/edit"},
		{"customer-new", "/customers/new"},
		{"vehicle", "/" + w.passat},
		{"vehicle-shared", "/" + w.gone},
		{"vehicle-edit", "/" + w.passat + "/edit"},
		{"ask", "/history?plate=" + url.QueryEscape("浙F2G6T1")},
		{"order", "/" + w.open},
		{"order-new", "/serviceOrders/new?customer=" + w.chen[len("customers/"):]},
		{"line-new", "/" + w.open + "/lines/new"},
		{"line", "/line"},
		{"customers", "/customers"},
		{"vehicles", "/vehicles"},
		{"orders", "/serviceOrders?branch=pd&state=IN_WORK"},
		{"search", "/search?q=" + url.QueryEscape("陈")},
		{"arrived", "/arrived"},
		{"account", "/account"},
		{"search-none", "/search?q=" + url.QueryEscape("浙F2G6T1")},
	} {
		audit(p[0], p[1], zm)
	}
	audit("missing", "/nowhere", zm, looktest.Status(404))
	audit("home-dark", "/", zm, looktest.Dark())
	audit("lost-dark", "/"+w.he, zm, looktest.Dark())

	// Pages that answer a form.
	page := "/" + w.he
	submit := func(js string) looktest.Option {
		return looktest.Do(
			chromedp.Evaluate[chromedp.Void](`void (() => { const f = document.querySelector('form[method="post"].panel, form[action="/history"]'); `+js+`; f.noValidate = true; f.submit(); })()`),
			looktest.Expect(`document.readyState === "complete" && !!document.querySelector("[role=alert], .tl, .note.is-info")`),
		)
	}
	audit("form-wrong", "/customers/new", zm, submit(`f.elements["phones.0.number"].value = "x"`), looktest.After(400))
	audit("vin", "/vehicles/new", zm, submit(`f.elements["vin"].value = "LSVAA4187E2184848"`), looktest.After(400))
	desk := 0
	audit("clash", page+"/edit", zm, looktest.Do(looktest.Call(func() {
		desk++
		form := formOf(t, w.as("wf", "zh-CN").page(page+"/edit"), page)
		form.Set("phones.0.number", fmt.Sprintf("139000066%02d", 30+desk))
		form.Set("birthday", fmt.Sprintf("1969-02-%02d", desk))
		w.as("wf", "zh-CN").post(page, form)
	})), submit(`f.elements["phones.0.number"].value = "13900006613"; f.elements["birthday"].value = "1969-03-28"; f.elements["contact_name"].value = "何太太" + Math.random()`), looktest.After(409))

	w.line.set(false, w.now.Add(-42*time.Minute))
	audit("home-down", "/", zm)
	audit("vehicle-down", "/"+w.passat, zm)
	audit("ask-down", "/history?plate="+url.QueryEscape("浙F2G6T1"), zm)

	boss := w.signIn("boss")
	audit("accounts", "/accounts", boss)
	audit("accounts-edit", "/accounts", boss, looktest.Do(chromedp.Evaluate[chromedp.Void](`void (document.querySelector("#a-lq details").open = true)`)))
	audit("menu", "/", boss, looktest.Do(chromedp.Evaluate[chromedp.Void](`void (document.querySelector("details.me").open = true)`)))

	lq := w.signIn("lq")
	audit("technician-vehicle", "/"+w.passat, lq)
	audit("technician-order", "/"+w.open, lq)
	audit("technician-home", "/", lq)
	audit("technician-forbidden", "/customers", lq, looktest.Status(403))
	b.Audit(t, w.srv.URL+"/sign-in", look.Langs(), looktest.Named("sign-in"))
	b.Audit(t, w.srv.URL+"/trust", look.Langs(), looktest.Named("trust"))

	w.rig = newRigOf(t, false)
	audit("enrol", "/", nil)
}
