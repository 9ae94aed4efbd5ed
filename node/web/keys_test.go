package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/looktest"
)

// typing presses keys one by one, as a person does.
func typing(text string) chromedp.Action[chromedp.Void] {
	var out []chromedp.Action[chromedp.Void]
	for _, c := range text {
		out = append(out, looktest.Press(string(c)))
	}
	return chromedp.Steps(out...)
}

func withLang(c map[string]string, lang string) map[string]string {
	out := map[string]string{"lang": lang}
	for k, v := range c {
		out[k] = v
	}
	return out
}

// From the first page to an edit that another desk overtook, without the mouse.
func TestBrowser_ByKeyboardToAConflict(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	overtake := chromedp.Evaluate[chromedp.Void](`void fetch("/` + w.he + `/edit").then(r => r.text()).then(async (page) => {
		const f = new DOMParser().parseFromString(page, "text/html").querySelector('form[action="/` + w.he + `"]');
		const d = new URLSearchParams(new FormData(f));
		d.set("contact_name", "何太太");
		await fetch("/` + w.he + `", {method: "POST", body: d});
		window.overtaken = true;
	})`)
	b.RunInto(t, http.StatusConflict, w.srv.URL+"/", withLang(w.signIn("zm"), "zh-CN"),
		looktest.Expect(`!!window.htmx`),
		looktest.Press("/"),
		typing("hejianhua"),
		looktest.Expect(`document.querySelectorAll("#found [role=option]").length > 0`),
		looktest.Expect(`document.querySelector("#found [role=option]").textContent.includes("何建华")`),
		looktest.Press("ArrowDown"),
		looktest.Expect(`document.getElementById("q").getAttribute("aria-activedescendant") === "found-0"`),
		looktest.Press("Enter"),
		looktest.Expect(`location.pathname === "/`+w.he+`"`),
		looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
		looktest.Press("e"),
		looktest.Expect(`location.pathname === "/`+w.he+`/edit" && document.readyState === "complete"`),
		overtake,
		looktest.Expect(`window.overtaken`),
		chromedp.Focus(chromedp.ID("i-contact_name")),
		typing("zzz"),
		looktest.Press("Enter"),
		looktest.Expect(`document.querySelector(".clash") && document.activeElement.name === "pick.contact_name"`),
		looktest.Expect(`document.querySelector(".clash").textContent.includes("何太太") && document.querySelector(".clash").textContent.includes("zzz")`),
		looktest.Press("ArrowDown"), // the other side
		looktest.Expect(`document.activeElement.value === "theirs" && document.activeElement.checked`),
		chromedp.Evaluate[chromedp.Void](`void document.querySelector('button[value="save"]').click()`),
		looktest.Expect(`location.pathname === "/`+w.he+`" && !document.querySelector(".clash") && document.body.textContent.includes("何太太")`),
	)
}

// What arrives while a page is open shows by itself, and leaves focus and half-written text alone.
func TestBrowser_LiveWithoutStealingFocus(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	arrive := func(n int) chromedp.Action[chromedp.Void] {
		return looktest.Call(func() {
			w.overtakes(w.now.Add(time.Duration(n)*time.Minute), "hg", w.he, "pd", &branchlinev1.Customer{ContactName: s(fmt.Sprintf("第%d次", n))})
		})
	}
	session := withLang(w.signIn("zm"), "zh-CN")
	b.Run(t, w.srv.URL+"/"+w.he, session,
		looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
		chromedp.Focus(chromedp.ID("note")),
		typing("half"),
		arrive(1),
		looktest.Expect(`document.getElementById("live-left").textContent.includes("第1次")`),
		looktest.Expect(`document.activeElement.id === "note" && document.activeElement.value === "half"`),
		// A link inside the live part keeps the focus as well.
		chromedp.Evaluate[chromedp.Void](`void document.querySelector('#v-name .e a').focus()`),
		arrive(2),
		looktest.Expect(`document.getElementById("live-left").textContent.includes("第2次")`),
		looktest.Expect(`document.activeElement.matches("#v-name .e a")`),
	)
	b.Run(t, w.srv.URL+"/", session,
		looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
		looktest.Press("/"),
		looktest.Call(func() { w.line.set(false, w.now.Add(-42*time.Minute)) }),
		arrive(3),
		looktest.Expect(`document.getElementById("live-right").textContent.includes("虹桥店 改了联系人：何建华")`),
		looktest.Expect(`document.getElementById("line").classList.contains("warn") && document.getElementById("strip").textContent.includes("和总部断开 42 分")`),
		looktest.Expect(`document.getElementById("live-heard").textContent.includes("等着送总部")`),
		looktest.Expect(`document.activeElement.id === "q"`),
		looktest.Call(func() { w.line.set(true, w.now) }),
		arrive(4),
		looktest.Expect(`document.getElementById("strip").textContent === "" && !document.getElementById("line").classList.contains("warn")`),
	)
}

// When nothing is found here, the last row of the list asks HQ.
func TestBrowser_FindsNothingAndAsks(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	b.Run(t, w.srv.URL+"/search?q="+url.QueryEscape("浙F2G6T1"), withLang(w.signIn("lq"), "zh-CN"),
		looktest.Expect(`!!window.htmx`),
		chromedp.Evaluate[chromedp.Void](`void document.querySelector('a.go').click()`),
		looktest.Expect(`location.pathname === "/history" && document.querySelector("form[action='/history']")`),
	)
}
