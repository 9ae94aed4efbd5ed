package web_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// drawing is a PNG as a signature is one.
func drawing(t testing.TB, ink color.Color) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 900, 300))
	for x := range 900 {
		for y := range 300 {
			img.Set(x, y, color.White)
		}
		img.Set(x, x/3, ink)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sorted(list []string) string {
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// pointer sends what a mouse, pen or finger does at a place of an element, in thousandths of its width and height.
func pointer(what input.DispatchMouseEventType, selector string, x, y int) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		box, err := chromedp.Evaluate[struct{ X, Y, W, H float64 }](fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "center"}); const r = e.getBoundingClientRect(); return {X: r.x, Y: r.y, W: r.width, H: r.height}; })()`, selector))(ctx, tab)
		if err != nil {
			return err
		}
		p := input.DispatchMouseEventParams{Type: what, X: box.X + box.W*float64(x)/1000, Y: box.Y + box.H*float64(y)/1000, Button: input.MouseButtonLeft, ClickCount: 1}
		_, err = cdp.Call(ctx, tab, input.DispatchMouseEvent, p)
		return err
	})
}

func tap(selector string, x, y int) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(pointer(input.DispatchMouseEventTypeMousePressed, selector, x, y), pointer(input.DispatchMouseEventTypeMouseReleased, selector, x, y))
}

func stroke(selector string, points ...[2]int) chromedp.Action[chromedp.Void] {
	out := []chromedp.Action[chromedp.Void]{pointer(input.DispatchMouseEventTypeMousePressed, selector, points[0][0], points[0][1])}
	for _, p := range points[1:] {
		out = append(out, pointer(input.DispatchMouseEventTypeMouseMoved, selector, p[0], p[1]))
	}
	last := points[len(points)-1]
	return chromedp.Steps(append(out, pointer(input.DispatchMouseEventTypeMouseReleased, selector, last[0], last[1]))...)
}

// At the tablet: damage by a tap on the sketch and by keyboard from the list, a signature with the pointer, saved and seen
// again, with the link cut.
func TestBrowser_InspectAndSign(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	order := w.arrivedCar()
	w.line.set(false, w.now)
	b.Run(t, w.srv.URL+"/"+order+"/inspection", withLang(w.signIn("zm"), "zh-CN"),
		looktest.Expect(`document.readyState === "complete" && !document.querySelector("[data-sign=picture]").hidden`),
		// The bonnet, at the place that was tapped.
		tap("#sketch", 500, 245),
		looktest.Expect(`document.getElementById("dent").open && document.getElementById("dent-part").value === "hood"`),
		tap(`#dent button[value="dent"]`, 500, 500),
		looktest.Expect(`!document.getElementById("dent").open && document.querySelectorAll("#sketch .dent").length === 1`),
		looktest.Expect(`Math.abs(Number(document.querySelector('[name="damages.0.x"]').value) - 500) < 9 && Math.abs(Number(document.querySelector('[name="damages.0.y"]').value) - 245) < 9`),
		// The row that is free now, by keyboard alone: letters choose in a list.
		chromedp.Evaluate[chromedp.Void](`void document.querySelector('[name="damages.1.part"]').focus()`),
		looktest.Press("ArrowDown"), looktest.Press("ArrowDown"), looktest.Press("ArrowDown"),
		looktest.Expect(`document.querySelector('[name="damages.1.part"]').value === "fender_fl"`),
		chromedp.Evaluate[chromedp.Void](`void document.querySelector('[name="damages.1.what"]').focus()`),
		looktest.Press("ArrowDown"),
		looktest.Expect(`document.querySelectorAll("#sketch .dent").length === 2 && !document.querySelector('[name="damages.2.part"]').closest("li").hidden`),
		// A light, by keyboard.
		chromedp.Evaluate[chromedp.Void](`void document.querySelector('[name="points.0.finding"]').focus()`),
		looktest.Press("ArrowDown"), looktest.Press("ArrowDown"),
		looktest.Expect(`document.querySelector('[name="points.0.finding"]:checked').value === "2" && !document.querySelector('[name="propose"]').hidden`),
		// Signed, anew, and saved: the name is who is expected.
		stroke("[data-sign=picture] canvas", [2]int{100, 100}, [2]int{200, 200}),
		tap(`[data-sign=again]`, 500, 500),
		stroke("[data-sign=picture] canvas", [2]int{200, 700}, [2]int{350, 200}, [2]int{500, 700}, [2]int{700, 300}),
		chromedp.Evaluate[chromedp.Void](`void document.querySelector('.inspect-form .btn.go').click()`),
		looktest.Expect(`location.pathname === "/`+order+`" && !!document.querySelector("#inspection img.signature") && document.querySelector("#inspection img.signature").complete && document.querySelector("#inspection img.signature").naturalWidth > 100`),
		looktest.Expect(`document.getElementById("inspection").textContent.includes("陳建國") && document.getElementById("inspection").textContent.includes("前盖")`),
	)
	name, got := w.checkOf(order)
	if len(got.GetDamages()) != 2 || got.GetSignature() == "" || got.GetSignedBy() != "陳建國" {
		t.Fatalf("%v", got)
	}
	b.Run(t, w.srv.URL+"/"+name, withLang(w.signIn("wf"), "zh-CN"),
		looktest.Expect(`document.readyState === "complete" && document.querySelectorAll("#sketch .dent").length === 2`),
		// A mark is tapped: what it says is changed, Escape leaves all as it is, and it is taken out.
		tap("#sketch .dent circle", 500, 500),
		looktest.Expect(`document.getElementById("dent").open && document.activeElement.closest("#dent")`),
		looktest.Press("Escape"),
		looktest.Expect(`!document.getElementById("dent").open && location.pathname === "/`+name+`" && document.querySelector('[name="damages.0.what"]').value === "dent"`),
		tap("#sketch .dent circle", 500, 500),
		looktest.Expect(`document.getElementById("dent").open`),
		chromedp.Focus(chromedp.ID("dent-note")),
		typing("2 cm"),
		looktest.Press("Enter"),
		looktest.Expect(`!document.getElementById("dent").open && document.querySelector('[name="damages.0.what"]').value === "dent" && document.querySelector('[name="damages.0.note"]').value === "2 cm" && document.querySelector('[name="damages.0.x"]').value !== ""`),
		tap("#sketch .dent circle", 500, 500),
		looktest.Expect(`document.getElementById("dent").open && !document.querySelector("#dent [data-remove]").hidden`),
		tap(`#dent [data-remove]`, 500, 500),
		looktest.Expect(`document.querySelectorAll("#sketch .dent").length === 1`),
		chromedp.Evaluate[chromedp.Void](`void document.querySelector('.inspect-form .btn.go').click()`),
		looktest.Expect(`location.pathname === "/`+order+`"`),
	)
	if _, got := w.checkOf(order); len(got.GetDamages()) != 1 || got.GetSignature() == "" {
		t.Errorf("after taking one out: %v", got)
	}
}

func TestBrowser_InspectIsSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	w.elsewhere(at("2026-10-01"), "hg", false, &branchlinev1.Inspection{
		Vehicle: s(w.passat[len("vehicles/"):]), Branch: s("hg"), Day: s("2026-10-01"), DoneAt: new(at("2026-10-01").UnixMilli()),
		Damages: []*branchlinev1.Damage{{Part: s("hood"), What: s("chip")}, {Part: s("quarter_rr"), What: s("scratch"), X: new(int32(760)), Y: new(int32(690))}},
	})
	order := w.arrivedCar()
	w.clock.set(w.now)
	zm := w.as("zm", "zh-CN")
	path := "/" + order + "/inspection"
	form := formOf(t, zm.page(path), path)
	for k, v := range map[string]string{
		"fuel_eighths": "3", "odometer_km": "88412", "valuables": "行车记录仪，后备箱童车", "damages.0.part": "door_rr", "damages.0.what": "scratch", "damages.0.x": "770", "damages.0.y": "550", "damages.0.note": "8 cm",
		"damages.1.part": "bumper_front", "damages.1.what": "crack", "damages.2.part": "wheel_fl", "damages.2.what": "rust", "remark": "漆面脏，洗后再看一次",
		"points.0.finding": "1", "points.0.measured": "5.2 mm", "points.3.finding": "3", "points.3.measured": "1.4 mm", "points.5.finding": "2", "points.5.measured": "3.5 mm", "points.5.note": "下次保养换",
		"signed_by": "陈建国", "wash_wanted": "true",
	} {
		form.Set(k, v)
	}
	form["lamp"] = []string{"abs"}
	form.Set("signature", zm.draw(t, order, form.Get("request_id")))
	if status, _, body := zm.post(path, form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	name, _ := w.checkOf(order)
	for i, caption := range []string{"右后门划痕，长约 8 cm", "仪表"} {
		if status, _, _ := zm.upload(t, "/"+name, caption, picture(t, 640, 420+60*i, uint8(60*i))); status != http.StatusSeeOther {
			t.Fatal(status)
		}
	}
	who := cookies(w.signIn("zm"))
	langs := look.Langs()
	for i, p := range [][2]string{
		{"inspect-new", path + "?new=1"}, {"inspect", "/" + name}, {"inspect-print", "/" + name + "/print"}, {"inspect-order", "/" + order},
	} {
		of := langs
		if !every() {
			of = langs[i%3 : i%3+1]
		}
		b.Audit(t, w.srv.URL+p[1], of, append([]looktest.Option{looktest.Named(p[0])}, who...)...)
	}
	b.Audit(t, w.srv.URL+"/"+name, langs[:1], append([]looktest.Option{looktest.Named("inspect-dark"), looktest.Dark()}, who...)...)
	b.Audit(t, w.srv.URL+"/"+name, langs[:1], append([]looktest.Option{looktest.Named("inspect-dialog"), looktest.Do(
		tap("#sketch", 500, 500), looktest.Expect(`document.getElementById("dent").open`),
	)}, who...)...)
	for _, r := range w.all("inspections") {
		if r.GetInspection().GetBranch() == "hg" {
			b.Audit(t, w.srv.URL+"/"+r.GetName(), langs[:1], append([]looktest.Option{looktest.Named("inspect-read")}, who...)...)
		}
	}
	// On paper it is one sheet.
	b.Run(t, w.srv.URL+"/"+name+"/print", withLang(w.signIn("zm"), "zh-CN"),
		looktest.Expect(`document.readyState === "complete" && Array.from(document.images).every((i) => i.complete && i.naturalWidth > 0)`),
		looktest.Expect(`(() => { const i = document.querySelector(".sheet .sign img.signature").getBoundingClientRect(), of = document.querySelector(".sheet .sign").getBoundingClientRect(); return i.top >= of.top - 1 && i.bottom <= of.bottom && i.left >= of.left - 1; })()`),
		chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			out, err := cdp.Call(ctx, tab, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: new(true)})
			if err != nil {
				return err
			}
			if n := len(regexp.MustCompile(`/Type\s*/Page[^s]`).FindAll(out.Data, -1)); n != 1 {
				t.Errorf("%d sheets of paper", n)
			}
			if dir := os.Getenv("BRANCHLINE_SHOTS"); dir != "" {
				return os.WriteFile(filepath.Join(dir, "inspect-paper.pdf"), out.Data, 0o644)
			}
			return nil
		}),
	)
	// What a finger has to hit is large enough, at a tablet and on a phone.
	for _, width := range []int64{1024, 768, 360} {
		b.Run(t, w.srv.URL+"/"+name, withLang(w.signIn("zm"), "en"),
			chromedp.EmulateViewport(width, 800),
			looktest.Expect(`document.readyState === "complete" && !!document.querySelector(".points .seg span")`),
			looktest.Expect(`document.documentElement.scrollWidth <= document.documentElement.clientWidth`),
			looktest.Expect(`Array.from(document.querySelectorAll(".inspect-form select, .inspect-form input:not([type=radio]):not([type=checkbox]):not([type=hidden]), .inspect-form button, .inspect-form .seg span, .inspect-form .choice")).filter((e) => e.getClientRects().length).every((e) => e.getBoundingClientRect().height >= 43.9)`),
		)
	}
}
