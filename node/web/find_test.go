package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// numberOf is the number of the town's open order.
func (w *town) numberOf(name string) string {
	w.t.Helper()
	r, err := w.rec.GetRecord(w.by("zm"), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.GetServiceOrder().GetNumber()
}

// Who may not see customers is not told to look for them.
func TestSearch_SaysWhatMayBeTyped(t *testing.T) {
	w := newTown(newRig(t))
	for who, tells := range map[string]bool{"zm": true, "lq": false} {
		page := w.as(who, "zh-CN").page("/search?q=" + url.QueryEscape("没有这个"))
		if strings.Contains(page, "电话") != tells || strings.Contains(page, "拼音") != tells {
			t.Errorf("%s is told to type names and telephones: %t", who, !tells)
		}
	}
}

// The list under the box tells people and cars of one name apart, with what was looked for marked.
func TestSearch_RowsTellApart(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	list := func(v *visitor, q string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.srv.URL+"/search?q="+url.QueryEscape(q), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("HX-Request", "true")
		status, body, _ := v.do(req)
		if status != http.StatusOK {
			t.Fatalf("%q: %d %s", q, status, body)
		}
		return body
	}
	number := w.numberOf(w.open)
	for q, want := range map[string][]string{
		"chen":    {"<mark>陳</mark>建國", "沪A·52H17 大众 帕萨特", "等配件"},
		"2270":    {"<mark>2270</mark>", "陳建國"},
		"139":     {"<mark>139</mark>"},
		"086531":  {"<mark>086531</mark>", "沪A·52H17", "陳建國", "维修中", number},
		"陈 沪A5":   {"<mark>陳</mark>", "沪A·52H17", "VIN …086531"},
		"浙F2G6T1": {"本店没有。可以向总部问", `data-href="/history?plate=`, `data-href="/vehicles/new?plate=`},
		"没有这人":    {"本店没有。", `data-href="/customers/new?name=`},
		"7":       {"再多打几个字。"},
		number:    {`data-href="/` + w.open + `"`},
	} {
		body := list(zm, q)
		for _, s := range want {
			if !strings.Contains(body, s) {
				t.Errorf("%q is answered without %q:\n%s", q, s, body)
			}
		}
	}
	if body := list(w.as("lq", "zh-CN"), "086531"); strings.Contains(body, "陳") || !strings.Contains(body, "维修中") {
		t.Errorf("a technician is told %s", body)
	}
	w.line.set(false, w.now.Add(-42*time.Minute))
	if body := list(zm, "没有这人"); !strings.Contains(body, "和总部断开着，只查得到本店存的") {
		t.Errorf("cut off: %s", body)
	}
}

// The whole number of an order leads to it, in either case; a part of it, or another number, to the page of results.
func TestSearch_ANumberOpensItsOrder(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	number := w.numberOf(w.open)
	for _, q := range []string{number, strings.ToLower(number)} {
		status, _, header := zm.fetch("/search?q=" + url.QueryEscape(q))
		if status != http.StatusSeeOther || header.Get("Location") != "/"+w.open {
			t.Errorf("%s: %d to %q", q, status, header.Get("Location"))
		}
	}
	for _, q := range []string{number[:len(number)-2], "PDa-261121-9999-X"} {
		if status, _, _ := zm.fetch("/search?q=" + url.QueryEscape(q)); status != http.StatusOK {
			t.Errorf("%s: %d", q, status)
		}
	}
}

// fetch is a GET that follows nothing.
func (v *visitor) fetch(path string) (int, string, http.Header) {
	v.r.t.Helper()
	req, err := http.NewRequestWithContext(v.r.t.Context(), http.MethodGet, v.r.srv.URL+path, nil)
	if err != nil {
		v.r.t.Fatal(err)
	}
	return v.do(req)
}

const (
	ready = `!!window.htmx && document.readyState === "complete"`
	rows  = `document.querySelectorAll("#found [role=option]")`
	box   = `document.getElementById("q")`
)

// typed puts text into the box as an input method does.
func typed(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](`void (() => { const q = ` + box + `; q.focus(); q.value = "` + text + `"; q.dispatchEvent(new InputEvent("input", {bubbles: true})); })()`)
}

func TestBrowser_TheBoxIsSoundInEveryState(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	zm := w.signIn("zm")
	open := func(name, text, until string, langs ...look.Lang) {
		t.Helper()
		w.clock.set(w.clock.now().Add(30 * time.Second))
		b.Audit(t, w.srv.URL+"/", langs, append(cookies(zm), looktest.Named(name), looktest.Do(looktest.Expect(ready), typed(text), looktest.Expect(until)))...)
	}
	langs := look.Langs()
	open("box-people", "chen", rows+`.length > 0 && !!document.querySelector("#found mark")`, langs...)
	open("box-number", "139", rows+`.length > 1`, langs[:1]...)
	open("box-combined", "陈 沪A5", rows+`.length > 1`, langs[1:2]...)
	open("box-none", "浙F2G6T1", `document.querySelector("#found .none") && `+rows+`.length === 2`, langs...)
	open("box-short", "7", `document.querySelector("#found .none")`, langs[2:]...)
	w.line.set(false, w.now.Add(-42*time.Minute))
	open("box-none-down", "不存在", `document.querySelector("#found .none")`, langs...)
	w.clock.set(w.clock.now().Add(30 * time.Second))
	b.Audit(t, w.srv.URL+"/search?q="+url.QueryEscape("chen"), langs, append(cookies(zm), looktest.Named("results-down"))...)
	b.Audit(t, w.srv.URL+"/search", langs, append(cookies(zm), looktest.Named("results-empty"))...)
}

// Keys, roles and answers: the newest question's answer is shown whenever it comes, and nothing opens behind somebody's back.
func TestBrowser_TheBox(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	for _, lang := range []string{"zh-CN", "en"} {
		b.Run(t, w.srv.URL+"/", withLang(w.signIn("zm"), lang),
			looktest.Expect(ready),
			looktest.Press("/"), typing("chen"),
			looktest.Expect(rows+`.length > 0 && `+box+`.value === "chen" && `+box+`.getAttribute("aria-expanded") === "true"`),
			looktest.Expect(`document.getElementById("found-said").textContent !== ""`),
			looktest.Expect(`!`+box+`.hasAttribute("aria-activedescendant")`),
			looktest.Press("ArrowDown"),
			looktest.Expect(box+`.getAttribute("aria-activedescendant") === "found-0" && document.activeElement === `+box),
			looktest.Expect(`document.getElementById("found-0").getAttribute("aria-selected") === "true"`),
			looktest.Press("ArrowUp"),
			looktest.Expect(`!`+box+`.hasAttribute("aria-activedescendant")`),
			looktest.Press("Escape"),
			looktest.Expect(rows+`.length === 0 && `+box+`.getAttribute("aria-expanded") === "false" && document.activeElement === `+box),
			looktest.Press("Escape"),
			looktest.Expect(`document.activeElement === document.body`),
		)
	}
	// Answers are held back by the page and let go in the wrong order.
	hold := chromedp.Evaluate[chromedp.Void](`void (() => { const real = window.fetch; window.held = []; window.fetch = (u, o) => new Promise((ok, no) => {
		window.held.push({signal: o.signal, go: () => real(u, {headers: o.headers}).then(ok, no)}); }); })()`)
	release := func(n string) chromedp.Action[chromedp.Void] {
		return chromedp.Evaluate[chromedp.Void](`void window.held[` + n + `].go()`)
	}
	b.Run(t, w.srv.URL+"/", withLang(w.signIn("zm"), "zh-CN"),
		looktest.Expect(ready), hold,
		typed("chen"), looktest.Expect(`window.held.length === 1`),
		typed("hejianhua"), looktest.Expect(`window.held.length === 2 && window.held[0].signal.aborted && !window.held[1].signal.aborted`),
		release("1"), looktest.Expect(rows+`.length > 0 && document.getElementById("found").textContent.includes("何建华")`),
		release("0"),
		typed("chenjianguo"), looktest.Expect(`window.held.length === 3`),
		looktest.Expect(`document.getElementById("found").textContent.includes("何建华")`), // the late answer to the first is not shown
		// The person goes on to something else before the answer.
		chromedp.Evaluate[chromedp.Void](`void document.querySelector("main a").focus()`),
		release("2"),
		chromedp.Evaluate[chromedp.Void](`void setTimeout(() => { window.waited = true; }, 300)`),
		looktest.Expect(`window.waited`),
		looktest.Expect(rows+`.length === 0 && document.activeElement === document.querySelector("main a")`),
		// Letters of an input method on their way to be characters ask nothing.
		chromedp.Evaluate[chromedp.Void](`void (() => { const q = `+box+`; q.value = ""; q.focus(); q.value = "wang"; q.dispatchEvent(new InputEvent("input", {bubbles: true, isComposing: true})); setTimeout(() => { window.waited = 2; }, 300); })()`),
		looktest.Expect(`window.waited === 2 && window.held.length === 3`),
	)
}

// scan sends keys as fast as a scanner does; in a field they come in as well.
func scan(number string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](`void (() => { for (const key of [..."` + number + `", "Enter"]) {
		const at = document.activeElement, e = new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true, shiftKey: key !== key.toLowerCase() && key.length === 1});
		if (at.dispatchEvent(e) && key.length === 1 && "value" in at) at.value += key;
		window.lastTaken = e.defaultPrevented; } })()`)
}

// A scanner opens the order of a job card from any page, whatever has the focus, and never at the cost of what was typed.
func TestBrowser_Scanner(t *testing.T) {
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	session, number := withLang(w.signIn("zm"), "zh-CN"), w.numberOf(w.open)
	there := looktest.Expect(`location.pathname === "/` + w.open + `"`)
	for _, from := range []string{"/", "/line", "/" + w.he, "/customers"} { // pages with keys of their own
		b.Run(t, w.srv.URL+from, session, looktest.Expect(ready), looktest.Expect(`document.activeElement === document.body`), scan(number), there)
	}
	b.Run(t, w.srv.URL+"/customers/new", session, looktest.Expect(ready),
		chromedp.Evaluate[chromedp.Void](`void document.querySelector('[name="remark"], [name="name"]').focus()`), scan(number), there)
	b.Run(t, w.srv.URL+"/", session, looktest.Expect(ready), looktest.Press("/"), scan(number), there)
	// Half-written: the order is offered, the text stays.
	b.Run(t, w.srv.URL+"/customers/new", session, looktest.Expect(ready),
		chromedp.Evaluate[chromedp.Void](`void (() => { const f = document.querySelector('form[action="/customers"] [name="name"]'); f.focus(); f.value = "王小明"; })()`), scan(number),
		looktest.Expect(`location.pathname === "/customers/new" && document.querySelector('form[action="/customers"] [name="name"]').value === "王小明"`),
		looktest.Expect(rows+`.length === 1 && document.activeElement === `+box),
		looktest.Press("Enter"), there)
	// What a person types is no scan: letters are keys of the page, and no number is one that it cannot be.
	b.Run(t, w.srv.URL+"/", session, looktest.Expect(ready), scan("PDa-26112-0001-K"),
		looktest.Expect(`!window.lastTaken && location.pathname === "/"`))
}
