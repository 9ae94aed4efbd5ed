package web_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"

	"branchline/schema/look/looktest"
)

// Who takes the browser over with F2 has a page of their own at once: the same one if they may see it, else their first.
func TestBrowser_F2LeavesNothingOfTheOtherRole(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	w.withPins(t)
	w.as("lq", "zh-CN").done(t, "/account", url.Values{"act": {"pin"}, "pin": {pinOfBoss}, "pin-current": {password}}, "done=pin")
	f2 := func(then string) chromedp.Action[chromedp.Void] {
		return chromedp.Steps(
			looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
			chromedp.Evaluate[chromedp.Void](`void (window.before = true)`),
			looktest.Press("F2"),
			looktest.Expect(`document.activeElement && document.activeElement.id === "desk-pin"`),
			typing(pinOfBoss),
			looktest.Press("Enter"),
			looktest.Expect(then),
		)
	}
	anew := `!window.before && document.readyState === "complete" && `
	b.RunInto(t, http.StatusForbidden, w.srv.URL+"/"+w.he, w.sharedDesk(t, "lq", "zm"),
		looktest.Expect(`document.getElementById("v-name").textContent.includes("何建华")`),
		f2(anew+`location.pathname === "/work" && !document.body.textContent.includes("何建华")`),
		f2(anew+`location.pathname === "/work" && document.querySelector("details.me summary").textContent.includes("周敏")`),
	)
	b.Run(t, w.srv.URL+"/"+w.passat, w.sharedDesk(t, "lq", "zm"),
		looktest.Expect(`document.body.textContent.includes("陳建國")`),
		f2(anew+`location.pathname === "/`+w.passat+`" && !document.body.textContent.includes("陳建國") && document.querySelector("details.me summary").textContent.includes("李强")`),
	)
	// What cannot be given back to a new page stays where it was typed, and the page says whose it is still.
	b.Run(t, w.srv.URL+"/account", w.sharedDesk(t, "wf", "zm"),
		looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
		chromedp.Focus(chromedp.ID("pin")),
		typing("2468"),
		f2(`window.before && document.querySelector('#main > [data-what="taken"]') && document.getElementById("pin").value === "2468"`),
	)
}

// A form that came back with a fault holds what was typed: it stays over a change of the user.
func TestBrowser_F2KeepsAFormThatWasSentBack(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	w.withPins(t)
	b.RunInto(t, http.StatusBadRequest, w.srv.URL+"/customers/new", w.sharedDesk(t, "wf", "zm"),
		looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
		chromedp.Focus(chromedp.ID("i-name")),
		typing("half"),
		chromedp.Evaluate[chromedp.Void](`void (() => { const f = document.getElementById("i-name").form; f.elements["phones.0.number"].value = "x"; f.noValidate = true; f.requestSubmit(); })()`),
		looktest.Expect(`!!window.htmx && document.readyState === "complete" && !!document.querySelector("[aria-invalid=true]")`),
		looktest.Press("F2"),
		looktest.Expect(`document.activeElement && document.activeElement.id === "desk-pin"`),
		typing(pinOfBoss),
		looktest.Press("Enter"),
		looktest.Expect(`document.querySelector('#main > [data-what="taken"]') && document.getElementById("i-name").value === "half" && document.querySelector("details.me summary").textContent.includes("吴凡")`),
	)
}
