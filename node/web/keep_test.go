package web_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"branchline/schema/look/looktest"
)

// A form that is sent while the network or the session is gone waits on its page, says so, and is sent once by itself.
func TestBrowser_KeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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

// A form comes back with as many rows as it had, and with what is hidden of them: every damage stands where it was tapped.
func TestBrowser_FillsInEveryDamage(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	order := w.arrivedCar()
	w.clock.set(w.now)
	b.RunInto(t, http.StatusNotFound, w.srv.URL+"/"+order+"/inspection", withLang(w.signIn("zm"), "zh-CN"),
		looktest.Expect(`!!window.htmx && document.readyState === "complete" && !document.querySelector("[data-sign=picture]").hidden`),
		chromedp.Evaluate[chromedp.Void](`void (() => { const f = document.querySelector(".inspect-form"), fields = Array.from(new FormData(f)).filter(([k]) => !k.startsWith("damages."));
			for (let n = 0; n < 9; n++) fields.push(["damages." + n + ".part", "hood"], ["damages." + n + ".what", "dent"], ["damages." + n + ".note", "no " + n], ["damages." + n + ".x", String(420 + 20 * n)], ["damages." + n + ".y", "240"]);
			fields.find(([k]) => k === "points.3.finding")[1] = "3";
			sessionStorage.setItem("keep", JSON.stringify({ page: location.pathname, to: new URL(f.action).pathname, fields }));
			location.assign("/healthz"); })()`),
		looktest.Expect(`location.pathname === "/healthz"`),
		chromedp.Navigate(w.srv.URL+"/"+order+"/inspection"), // opened anew
		looktest.Expect(`document.querySelector("#main > [data-what=back]")`),
		looktest.Expect(`document.querySelectorAll("#sketch .dent:not(.old)").length === 9 && document.querySelector('[name="damages.8.note"]').value === "no 8" && document.querySelector('[name="damages.8.x"]').value === "580"`),
		looktest.Expect(`!document.querySelector('[name="points.3.finding"]').closest("li").querySelector("[name=propose]").hidden`),
		chromedp.Evaluate[chromedp.Void](`void document.querySelector(".inspect-form .btn.go").click()`),
		looktest.Expect(`location.pathname === "/`+order+`"`),
	)
	if _, got := w.checkOf(order); len(got.GetDamages()) != 9 {
		t.Errorf("%d damages", len(got.GetDamages()))
	}
}

// cutter forwards connections to a site, and cuts those that bring a form with files as often as it is told.
type cutter struct {
	to   string
	left atomic.Int64
	cuts atomic.Int64
}

func newCutter(t *testing.T, to string) (*cutter, string) {
	t.Helper()
	c := &cutter{to: strings.TrimPrefix(to, "http://")}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { c.carry(in) })
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, "http://" + l.Addr().String()
}

// carry copies both ways until either side ends, or the connection is cut in the middle of a form.
func (c *cutter) carry(in net.Conn) {
	defer in.Close() // it may be closed already: nothing is told by it
	out, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer out.Close()
	go func() {
		if _, err := io.Copy(in, out); err != nil || in.Close() != nil {
			return // the other side ended first
		}
	}()
	for b := make([]byte, 4096); ; {
		n, err := in.Read(b)
		if err != nil {
			return
		}
		if bytes.HasPrefix(b[:n], []byte("POST /attachments ")) && c.left.Add(-1) >= 0 {
			c.cuts.Add(1)
			return
		}
		if _, err := out.Write(b[:n]); err != nil {
			return
		}
	}
}

// Photos that are under way when the connection goes are sent again by themselves, and kept once; where they do not get
// through at all the page says so and has them still.
func TestBrowser_APhotoWhoseUploadIsCut(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	line, address := newCutter(t, w.srv.URL)
	w.srv.URL = address // a session is of the address it began at
	path := "/" + w.open
	session := withLang(w.signIn("zm"), "zh-CN")
	choose := func(shades ...uint8) chromedp.Action[chromedp.Void] {
		var files []string
		for _, s := range shades {
			files = append(files, base64.StdEncoding.EncodeToString(picture(t, 1200, 900, s)))
		}
		list, err := json.Marshal(files)
		if err != nil {
			t.Fatal(err)
		}
		return chromedp.Evaluate[chromedp.Void](`void (() => { const f = document.querySelector('form[action="/attachments"]'), all = new DataTransfer();
			for (const x of ` + string(list) + `) all.items.add(new File([Uint8Array.from(atob(x), (c) => c.charCodeAt(0))], "a.jpg", { type: "image/jpeg" }));
			f.querySelector("#photo-files").files = all.files; f.elements.caption.value = "左前门"; f.requestSubmit(f.querySelector("button[type=submit]")); })()`)
	}
	ready := looktest.Expect(`!!window.htmx && document.readyState === "complete" && !document.querySelector("#main > [data-what]")`)
	photos := func(n string) chromedp.Action[chromedp.Void] {
		return looktest.Expect(`document.readyState === "complete" && document.querySelectorAll(".photos li").length === ` + n)
	}
	line.left.Store(1)
	b.Run(t, address+path, session, ready, choose(10, 60), photos("2"))
	if n := line.cuts.Load(); n != 1 {
		t.Errorf("cut %d times", n)
	}
	line.left.Store(1 << 30)
	b.Run(t, address+path, session, ready, choose(120, 180),
		looktest.Expect(`document.querySelector("#main > [data-what=stuck]")`),
		looktest.Expect(`location.pathname === "`+path+`" && document.getElementById("photo-files").files.length === 2 && document.getElementById("photo-caption").value === "左前门"`),
		shot("upload-stuck"),
		looktest.Call(func() { line.left.Store(0) }),
		chromedp.Evaluate[chromedp.Void](`void document.querySelector('form[action="/attachments"] button[type=submit]').click()`),
		photos("4"),
	)
	if n := len(w.all("attachments")); n != 4 {
		t.Errorf("%d attachments", n)
	}
}
