package web_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"branchline/schema/look/looktest"
)

// hand is a person at the keyboard whose moves are counted: an action is a chord of keys, or a field filled.
type hand struct {
	steps   []chromedp.Action[chromedp.Void]
	actions int
	chords  int
}

// counting has every page of the tab count what keyboard and pointer do to it.
func counting() *hand {
	const script = `for (const what of ["keydown", "pointerdown"]) addEventListener(what, (e) => {
		if (e.isTrusted) sessionStorage.setItem(what, Number(sessionStorage.getItem(what) || 0) + 1);
	}, true)`
	h := &hand{}
	h.steps = append(h.steps, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	}), chromedp.Evaluate[chromedp.Void](`void location.reload()`), looktest.Expect(`window.htmx && document.readyState === "complete" && sessionStorage.length === 0`))
	return h
}

func (h *hand) chord(key string, held ...chromedp.Modifier) {
	h.actions, h.chords = h.actions+1, h.chords+1
	h.steps = append(h.steps, looktest.Press(key, held...))
}

// fill types into the field that has the focus; what no key writes comes from an input method, as a whole.
func (h *hand) fill(text string) {
	h.actions++
	for _, c := range text {
		if c < 0x80 {
			h.steps = append(h.steps, looktest.Press(string(c)))
			continue
		}
		h.steps = append(h.steps, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, input.InsertText, input.InsertTextParams{Text: string(c)})
			return err
		}))
	}
}

func (h *hand) until(expression string) { h.steps = append(h.steps, looktest.Expect(expression)) }

// most fails the test when the hand did more, or the browser heard more keys, or a pointer at all.
func (h *hand) most(t *testing.T, actions, chords, keys int) {
	t.Helper()
	if h.actions > actions || h.chords > chords {
		t.Errorf("%d actions, %d of them chords; %d and %d are promised", h.actions, h.chords, actions, chords)
	}
	t.Logf("%d actions, %d chords", h.actions, h.chords)
	h.until(fmt.Sprintf(`Number(sessionStorage.getItem("keydown")) > 0 && Number(sessionStorage.getItem("keydown")) <= %d && !sessionStorage.getItem("pointerdown")`, keys))
}

const (
	atPlate = `location.pathname === "/serviceOrders/new" && document.activeElement.name === "plate" && window.htmx && document.readyState === "complete"`
	atOrder = `/^\/serviceOrders\/[0-9a-z]{26}$/.test(location.pathname) && window.htmx && document.readyState === "complete"`
	atSheet = `/^\/serviceOrders\/[0-9a-z]{26}\/jobcard$/.test(location.pathname) && document.readyState === "complete"`
)

func has(text string) string { return `document.body.textContent.includes("` + text + `")` }

// Issue 4, number 12: from the home page to the print view of the job card of a known car with one package.
func TestBrowser_CountedToTheJobCard(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	small := w.packets()
	w.line.set(false, w.now.Add(-42*time.Minute))
	h := counting()
	h.chord("n")
	h.until(atPlate)
	h.fill("a52h17")
	h.until(`document.querySelector("#gate-side").textContent.includes("沪A·52H17") && document.querySelector('[name="package"][value="` + small + `"]')`)
	h.chord("Tab")
	h.fill("37100")
	h.until(`document.querySelector("#gate-car").textContent.includes("该做了")`)
	h.chord("Tab")
	h.chord("ArrowDown")
	h.until(`document.activeElement.name === "package" && document.activeElement.value === "` + small + `" && document.activeElement.checked`)
	h.chord("Enter", chromedp.ModifierCtrl)
	h.until(atOrder)
	h.chord("p")
	h.until(atSheet)
	h.until(has("换机油机滤") + "&&" + has("37,100"))
	h.most(t, 8, 8, 40)
	b.Run(t, w.srv.URL+"/", withLang(w.signIn("zm"), "zh-CN"), h.steps...)
}

// A new customer with a new car: keys beyond the text itself.
func TestBrowser_CountedForANewCustomer(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	w.line.set(false, w.now.Add(-42*time.Minute))
	h := counting()
	text := ""
	fill := func(name, what string) {
		h.until(`document.activeElement.name === "` + name + `"`)
		h.fill(what)
		text += what
		h.until(`document.activeElement.value === "` + what + `"`)
	}
	h.chord("n")
	h.until(atPlate)
	fill("plate", "浙F2G6T1")
	h.until(`document.querySelector('[name="vin"]')`)
	h.chord("Tab")
	fill("odometer_km", "51200")
	h.chord("Tab")
	fill("model", "A4L")
	h.chord("Tab")
	fill("vin", "WAUZZZ8K1DA006278")
	h.chord("Tab")
	fill("complaint", "异响检查")
	h.chord("Tab")
	fill("name", "钱颖之")
	h.chord("Tab")
	fill("phone", "13900004455")
	h.chord("Enter", chromedp.ModifierCtrl)
	h.until(atOrder)
	h.until(has("钱颖之") + "&&" + has("浙F·2G6T1") + "&&" + has("异响检查"))
	h.chord("p")
	h.until(atSheet)
	typed := len(strings.Map(func(c rune) rune {
		if c < 0x80 {
			return c
		}
		return -1
	}, text))
	h.most(t, 60, 60, 60+typed)
	b.Run(t, w.srv.URL+"/", withLang(w.signIn("zm"), "zh-CN"), h.steps...)
}

// Taking a payment, settling included, from the page of the order.
func TestBrowser_CountedPayment(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := owing(t)
	w.line.set(false, w.now.Add(-42*time.Minute))
	h := counting()
	h.chord("m")
	h.until(`location.pathname.endsWith("/money") && window.htmx && document.readyState === "complete"`)
	h.chord("s")
	h.until(`location.search.includes("done=settle") && window.htmx && document.readyState === "complete"`)
	h.chord("m")
	h.until(`document.activeElement.name === "method"`)
	h.chord("ArrowDown")
	h.chord("Enter", chromedp.ModifierCtrl)
	h.until(`location.search.includes("done=pay")`)
	h.until(`Array.from(document.querySelectorAll("td.n.end")).some((td) => td.textContent.includes("400.55"))`)
	h.most(t, 5, 5, 5)
	b.Run(t, w.srv.URL+"/"+w.open, withLang(w.signIn("zm"), "zh-CN"), h.steps...)
}
