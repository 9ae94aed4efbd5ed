package web_test

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"branchline/schema/look/looktest"
)

// A form that is sent while the network or the session is gone waits on its page, says so, and is sent once by itself.
func TestBrowser_KeepsWhatWasTyped(t *testing.T) {
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	session := withLang(w.signIn("zm"), "zh-CN")
	fill := func(name, phone string) chromedp.Action[chromedp.Void] {
		return chromedp.Evaluate[chromedp.Void](`void (() => { const f = document.querySelector('form[action="/customers"]');
			f.elements["name"].value = "` + name + `"; f.elements["phones.0.number"].value = "` + phone + `"; f.requestSubmit(f.querySelector("button[type=submit]")); })()`)
	}
	kept := func(name string) chromedp.Action[chromedp.Void] {
		return looktest.Expect(`location.pathname === "/customers/new" && document.querySelector('form[action="/customers"]').elements["name"].value === "` + name + `"`)
	}
	arrived := func(name string) chromedp.Action[chromedp.Void] {
		return looktest.Expect(`/^\/customers\/[0-9a-z]{26}$/.test(location.pathname) && document.querySelector("h1").textContent.includes("` + name + `")`)
	}
	ready := looktest.Expect(`!!window.htmx && document.readyState === "complete"`)

	b.Run(t, w.srv.URL+"/customers/new", session, ready,
		looktest.Cut(true),
		fill("程咬金", "13900007701"),
		looktest.Expect(`document.querySelector("#main > [data-what=gone]")`),
		kept("程咬金"),
		looktest.Cut(false),
		arrived("程咬金"),
	)
	b.RunInto(t, http.StatusUnauthorized, w.srv.URL+"/customers/new", session, ready,
		looktest.SignedOut(),
		fill("秦叔宝", "13900007702"),
		looktest.Expect(`document.querySelector("#main > [data-what=out]")`),
		kept("秦叔宝"),
		looktest.SignedIn(w.srv.URL, session),
		arrived("秦叔宝"),
	)
	made := map[string]int{}
	for _, r := range w.all("customers") {
		made[r.GetCustomer().GetName()]++
	}
	for _, name := range []string{"程咬金", "秦叔宝"} {
		if made[name] != 1 {
			t.Errorf("%s was registered %d times", name, made[name])
		}
	}
}

// What was sent into nothing is filled in again when its page comes back, and sent again it is done once.
func TestBrowser_FillsInWhatNeverArrived(t *testing.T) {
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	b.RunInto(t, http.StatusNotFound, w.srv.URL+"/customers/new", withLang(w.signIn("zm"), "zh-CN"),
		looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
		// A page without an icon stands for the browser's own; the network goes between the question and the form itself.
		chromedp.Evaluate[chromedp.Void](`void (() => { const f = document.querySelector('form[action="/customers"]');
			f.elements["name"].value = "尉迟恭"; f.elements["phones.0.number"].value = "13900007703";
			sessionStorage.setItem("keep", JSON.stringify({ page: "/customers/new", to: "/customers", fields: Array.from(new FormData(f)) }));
			location.assign("/healthz"); })()`),
		looktest.Expect(`location.pathname === "/healthz"`),
		chromedp.Evaluate[chromedp.Void](`void history.back()`),
		looktest.Expect(`document.querySelector("#main > [data-what=back]")`),
		looktest.Expect(`document.querySelector('form[action="/customers"]').elements["name"].value === "尉迟恭"`),
	)
}
