package web_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// finger draws on an element, in thousandths of its width and height: one finger down, along the points, up.
func finger(selector string, points ...[2]int) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		// What was scrolled takes no tap before it has come to rest.
		if _, err := chromedp.Steps(
			chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void (() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center"}); delete e.dataset.drawn; let y = NaN, calm = 0; const look = () => { const now = e.getBoundingClientRect().y; calm = now === y ? calm + 1 : 0; y = now; if (calm > 20) e.dataset.drawn = ""; else requestAnimationFrame(look); }; look(); })()`, selector)),
			looktest.Expect(fmt.Sprintf(`"drawn" in document.querySelector(%q).dataset`, selector)),
		)(ctx, tab); err != nil {
			return err
		}
		box, err := chromedp.Evaluate[struct{ X, Y, W, H float64 }](fmt.Sprintf(`(() => { const r = document.querySelector(%q).getBoundingClientRect(); return {X: r.x, Y: r.y, W: r.width, H: r.height}; })()`, selector))(ctx, tab)
		if err != nil {
			return err
		}
		for i, p := range points {
			what := input.DispatchTouchEventTypeTouchMove
			if i == 0 {
				what = input.DispatchTouchEventTypeTouchStart
			}
			at := input.TouchPoint{X: box.X + box.W*float64(p[0])/1000, Y: box.Y + box.H*float64(p[1])/1000}
			if _, err := cdp.Call(ctx, tab, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: what, TouchPoints: []*input.TouchPoint{&at}}); err != nil {
				return err
			}
		}
		_, err = cdp.Call(ctx, tab, input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: []*input.TouchPoint{}})
		return err
	})
}

// shot keeps a picture of the page where BRANCHLINE_SHOTS says.
func shot(name string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		dir := os.Getenv("BRANCHLINE_SHOTS")
		if dir == "" {
			return nil
		}
		png, err := chromedp.CaptureScreenshot()(ctx, tab)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	})
}

// tablet is a screen of the size that is handed to a customer, touched with fingers.
func tablet() chromedp.Action[chromedp.Void] {
	return chromedp.EmulateViewport(768, 1024, chromedp.EmulateMobile, chromedp.EmulateTouch)
}

// The tablet goes to the customer, who answers each line with a finger, draws a name and sends it; the drawing is an
// attachment of the order, seen on its page and on the quote.
func TestBrowser_TheCustomerSignsOnTheTablet(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t).Patient(time.Minute)
	w := newTown(newRig(t))
	work := w.extra(w.open, "更换传感器", branchlinev1.LineKind_LABOUR, 120)
	path := "/" + w.open
	zm := withLang(w.signIn("zm"), "zh-CN")
	b.Run(t, w.srv.URL+path+"/answer", zm, tablet(),
		looktest.Expect(`!!window.htmx && document.readyState === "complete" && !document.querySelector("[data-sign=picture]").hidden`),
		looktest.Expect(`document.documentElement.scrollWidth <= document.documentElement.clientWidth`),
		looktest.Expect(`Array.from(document.querySelectorAll(".asks .yesno label, .asks button, .asks select, .asks .why .choice, .asks input[type=text], .asks input[type=tel]")).filter((e) => e.getClientRects().length).every((e) => e.getBoundingClientRect().height >= 43.9)`),
		finger(`.asks li:first-child .yesno label:first-of-type`, [2]int{500, 500}),
		finger(`.asks section:nth-of-type(2) li .yesno label:last-of-type`, [2]int{500, 500}),
		looktest.Expect(`document.querySelectorAll(".asks input[value=yes]:checked").length === 1 && document.querySelectorAll(".asks .yesno input[value=no]:checked").length === 1`),
		finger("[data-sign=picture] canvas", [2]int{150, 600}, [2]int{250, 250}, [2]int{330, 700}, [2]int{420, 300}),
		finger("[data-sign=picture] canvas", [2]int{480, 650}, [2]int{600, 350}, [2]int{760, 600}),
		looktest.Expect(`(() => { const c = document.querySelector("[data-sign=picture] canvas"), px = c.getContext("2d").getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 0; i < px.length; i += 4) if (px[i] < 90) n++; return n > 1500; })()`),
		shot("answer-signed-768"),
		// Of a dispatched touch that follows a drawing Chromium makes no tap each time; of a finger's it does.
		chromedp.Click(chromedp.CSS(".asks .verdict .btn.go")),
		looktest.Expect(`location.pathname === "`+path+`" && location.search === "?said=1" && document.readyState === "complete"`),
		looktest.Expect(`(() => { const i = document.querySelector("#given img.signature"); return !!i && i.complete && i.naturalWidth > 100; })()`),
		looktest.Expect(`["陳建國", "签字", "同意 1 项", "不做 1 项"].every((x) => document.getElementById("given").textContent.includes(x))`),
		looktest.Expect(`document.documentElement.scrollWidth <= document.documentElement.clientWidth`),
		shot("order-signed-768"),
	)
	yes, no := w.lineOf(t, work), w.lineOf(t, w.lineDone)
	if yes.GetState() != branchlinev1.LineState_LINE_APPROVED || no.GetState() != branchlinev1.LineState_LINE_DECLINED {
		t.Fatalf("%v\n%v", yes, no)
	}
	drawn := yes.GetApprovals()[0]
	file := w.record("attachments/" + drawn.GetSignature()).GetAttachment()
	if drawn.GetWay() != branchlinev1.ApprovalWay_BY_SIGNATURE || drawn.GetSignature() != no.GetApprovals()[0].GetSignature() ||
		file.GetRole() != branchlinev1.AttachmentRole_ATTACHMENT_SIGNATURE || "serviceOrders/"+file.GetOrder() != w.open || file.GetSize() < 500 {
		t.Errorf("%v: %v", drawn, file)
	}
	b.Run(t, w.srv.URL+path+"/quote", zm,
		looktest.Expect(`(() => { const i = document.querySelector(".sheet .given img.signature"); return !!i && i.complete && i.naturalWidth > 100 && document.querySelector(".sheet .given").textContent.includes("签字"); })()`),
	)
	b.Audit(t, w.srv.URL+path+"/quote", look.Langs(), append([]looktest.Option{looktest.Named("quote-signed")}, cookies(w.signIn("zm"))...)...)
	// A technician sees neither the drawing nor who gave it.
	page := w.as("lq", "zh-CN").page(path)
	if strings.Contains(page, `id="given"`) || strings.Contains(page, drawn.GetSignature()) {
		t.Error("a technician is shown the customer's signature")
	}
}

// A name that was typed in place of a signature is that, in the record, on the page and on paper.
func TestAnswer_ATypedNameIsNoSignature(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "zh-CN")
	path := "/" + w.open
	page := v.must(t, path+"/answer")
	form := answerForm(page, "page", "1", "say."+w.lineDone[len("serviceLines/"):], "yes", "way", "BY_WORD", "signed_by", "陈太太", "said_by", "陈建国", "phone", "139 0000 2270")
	v.done(t, path+"/answer", form, "?said=1")
	a := w.lineOf(t, w.lineDone).GetApprovals()[0]
	if a.GetWay() != branchlinev1.ApprovalWay_BY_NAME || a.GetSaidBy() != "陈太太" || a.GetPhone() != "" || a.GetSignature() != "" {
		t.Errorf("%v", a)
	}
	want(t, v.must(t, path), "客户的答复", "陈太太", "打字代签", "同意 1 项")
	want(t, v.must(t, path+"/quote"), "陈太太", "打字代签")
	want(t, v.must(t, path+"/jobcard"), "打字代签 · 陈太太")
	for lang, says := range map[string]string{"en": "Name typed, not signed by hand", "zh-TW": "打字代簽"} {
		page := w.as("zm", lang).must(t, path+"/quote?in="+lang) // in the language of who reads it
		looktest.HTML(t, page)
		want(t, page, says)
	}
	// So it is with the walk round the car.
	path = "/" + w.open + "/inspection"
	walk := formOf(t, v.page(path), path)
	walk.Set("signed_by", "陈太太")
	if status, _, body := v.post(path, walk); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	name, got := w.checkOf(w.open)
	if got.GetSignature() != "" || got.GetSignedAt() == 0 {
		t.Errorf("%v", got)
	}
	for _, p := range []string{"/" + w.open, "/" + name, "/" + name + "/print", "/" + w.open + "/jobcard"} {
		want(t, v.must(t, p), "陈太太", "打字代签")
	}
}
