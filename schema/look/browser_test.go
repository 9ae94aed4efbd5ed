package look_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// site is a small site of every kind of page, behind the headers a real one has.
func site(t *testing.T) *httptest.Server {
	l := newLook(t)
	page := samplePage(t, l)
	mux := http.NewServeMux()
	mux.Handle("/static/", l.Static())
	mux.HandleFunc("POST /lang", func(w http.ResponseWriter, r *http.Request) {
		l, ok := look.LangNamed(r.PostFormValue("lang"))
		if !ok {
			t.Errorf("the language buttons send %q", r.PostFormValue("lang"))
		}
		look.SetLang(w, r, l)
		http.Redirect(w, r, look.SafeNext(r.PostFormValue("next")), http.StatusSeeOther)
	})
	serve := func(path string, render func(w http.ResponseWriter, r *http.Request, lang look.Lang) error) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if err := render(w, r, look.Negotiate(r)); err != nil {
				t.Errorf("%s: %v", r.URL.Path, err)
			}
		})
	}
	serve("/{$}", func(w http.ResponseWriter, r *http.Request, lang look.Lang) error {
		return page.Render(w, 200, filled(l, lang))
	})
	serve("/hq", func(w http.ResponseWriter, r *http.Request, lang look.Lang) error {
		v := filled(l, lang)
		v.HQ, v.SiteName, v.Path = true, l.T(lang, "word.headquarters"), "/hq"
		v.Line = look.LineState{Kind: look.LineFleet, Href: "/", Branches: 12, Connected: 9}
		return page.Render(w, 200, v)
	})
	serve("/customers", func(w http.ResponseWriter, r *http.Request, lang look.Lang) error {
		return page.Render(w, 200, filled(l, lang))
	})
	serve("/live", func(w http.ResponseWriter, r *http.Request, lang look.Lang) error {
		v := filled(l, lang)
		v.Live = "/events"
		return page.Render(w, 200, v)
	})
	serve("/login", func(w http.ResponseWriter, r *http.Request, lang look.Lang) error {
		f := frame(lang)
		f.Path = "/login"
		return l.Login(w, 200, look.Login{Frame: f, Action: "/login", Fault: l.T(lang, "login.wrong")})
	})
	serve("/error", func(w http.ResponseWriter, r *http.Request, lang look.Lang) error {
		return l.Error(w, 500, look.Error{Frame: frame(lang), Ref: "7f3a-90"})
	})
	serve("/search", func(w http.ResponseWriter, r *http.Request, lang look.Lang) error {
		if r.Header.Get("HX-Request") == "" {
			v := filled(l, lang)
			v.Title, v.Find.Query = "found by form", r.FormValue("q")
			return page.Render(w, 200, v)
		}
		return page.Part(w, 200, "found", lang, look.Found{Items: []look.FoundItem{
			{Href: "/?chosen=1", Plate: "沪A8K362", Text: look.Plain("途观L"), Meta: "顾佳怡", State: branchlinev1.OrderState_IN_WORK},
			{Href: "/?chosen=2", Name: []look.Piece{{Text: "顾", Hit: true}, {Text: "建明"}}, Text: look.Plain("139****0366"), Meta: "2 台车 · 松江店", Kind: "客户"},
		}, More: "还有更多"})
	})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = fmt.Fprint(w, "id: 1\ndata: <hx-partial hx-target=\"#line\" hx-swap=\"outerHTML\">")
		f := frame(look.Negotiate(r))
		f.Line = look.LineState{Kind: look.LineUp, Href: "/line", Waiting: 7}
		if err := page.Write(w, "line", f.Lang, f); err != nil {
			t.Errorf("events: %v", err)
		}
		_, _ = fmt.Fprint(w, "</hx-partial>\n\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	srv := httptest.NewServer(http.NewCrossOriginProtection().Handler(look.Secure(mux)))
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return srv
}

func TestBrowser_PagesAreSoundInEveryLanguage(t *testing.T) {
	b := looktest.NewBrowser(t)
	srv := site(t)
	cn, en := look.Langs()[:1], look.Langs()[2:] // en is the longest
	b.Audit(t, srv.URL+"/", look.Langs(), looktest.Named("sample"))
	b.Audit(t, srv.URL+"/login", look.Langs(), looktest.Named("login"))
	b.Audit(t, srv.URL+"/", cn, looktest.Named("dark"), looktest.Dark())
	b.Audit(t, srv.URL+"/hq", en, looktest.Named("hq"))
	b.Audit(t, srv.URL+"/error", en, looktest.Named("error"), looktest.Status(500))
	b.Audit(t, srv.URL+"/", en, looktest.Named("menu"),
		looktest.Do(chromedp.Evaluate[chromedp.Void](`void document.querySelector("details.me").setAttribute("open", "")`)))
	b.Audit(t, srv.URL+"/", cn, looktest.Named("found"), looktest.Do(typing("gu")...))
}

func typing(text string) []chromedp.Action[chromedp.Void] {
	return []chromedp.Action[chromedp.Void]{
		looktest.Expect(`!!window.htmx`), // scripts are deferred
		looktest.Press("/"),
		looktest.Expect(`document.activeElement.id === "q"`),
		looktest.Press(text[:1]), looktest.Press(text[1:]),
		looktest.Expect(`document.getElementById("q").value === "` + text + `"`),
		looktest.Expect(`document.querySelectorAll("#found [role=option]").length === 2`),
		looktest.Expect(`document.getElementById("q").getAttribute("aria-expanded") === "true"`),
	}
}

func TestBrowser_Keys(t *testing.T) {
	b := looktest.NewBrowser(t)
	srv := site(t)
	zh := map[string]string{"lang": "zh-CN"}

	b.Run(t, srv.URL+"/", zh, append(typing("gu"),
		looktest.Press("ArrowDown"), looktest.Press("ArrowDown"),
		looktest.Expect(`document.getElementById("q").getAttribute("aria-activedescendant") === "found-1"`),
		looktest.Press("Enter"),
		looktest.Expect(`location.search === "?chosen=2"`))...)

	b.Run(t, srv.URL+"/", zh, append(typing("gu"),
		looktest.Press("Escape"),
		looktest.Expect(`!document.querySelector("#found").firstChild && document.activeElement.id === "q"`),
		looktest.Press("Escape"),
		looktest.Expect(`document.activeElement === document.body`),
		looktest.Press("/"),
		looktest.Press("Enter"), // no row chosen: the form goes to the page of results
		looktest.Expect(`location.pathname === "/search" && document.title.startsWith("found by form")`))...)

	// A letter acts outside of fields only.
	b.Run(t, srv.URL+"/", zh,
		looktest.Expect(`!!window.htmx`),
		chromedp.Evaluate[chromedp.Void](`void (window.pressed = 0, document.querySelector('[data-key="N"]').addEventListener("click", (e) => { e.preventDefault(); window.pressed++; }))`),
		looktest.Press("n"),
		looktest.Expect(`window.pressed === 1`),
		chromedp.Focus(chromedp.ID("say")),
		looktest.Press("n"),
		looktest.Expect(`document.getElementById("say").value === "n" && window.pressed === 1`))

	b.Run(t, srv.URL+"/", zh,
		looktest.Expect(`!!window.htmx`),
		looktest.Press("ArrowDown"),
		looktest.Expect(`document.activeElement.matches("[data-hit]")`),
		looktest.Press("3", chromedp.ModifierAlt),
		looktest.Expect(`location.pathname === "/customers"`))
}

func TestBrowser_LivePartAndLanguageForm(t *testing.T) {
	b := looktest.NewBrowser(t)
	srv := site(t)
	b.Run(t, srv.URL+"/live", map[string]string{"lang": "zh-CN"},
		looktest.Expect(`document.getElementById("line").textContent.includes("7 条正在送")`))
	// The form of another language passes the cross-origin check under no-referrer, and comes back here.
	b.Run(t, srv.URL+"/login", map[string]string{"lang": "zh-CN"},
		chromedp.Click(chromedp.CSS(`button[value="en"]`)),
		looktest.Expect(`document.documentElement.lang === "en" && location.pathname === "/login"`))
}
