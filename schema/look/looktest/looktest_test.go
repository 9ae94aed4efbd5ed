package looktest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"branchline/schema/look"
)

func TestHTML_FindsFaults(t *testing.T) {
	for html, want := range map[string]string{
		`<p>a<br>b <input required disabled></p>`:    "",
		`<p>&nbsp;&amp;</p>`:                         "",
		`<!doctype html><html><a href="#x">y</a>`:    "not closed",
		`<p><b></p></b>`:                             "</p> closes",
		`<p style="color:red">x</p>`:                 "attribute style",
		`<p onclick="x()">x</p>`:                     "attribute onclick",
		`<img src="data:image/png;base64,AA">`:       "data:",
		`<i id="a"></i><i id="a"></i>`:               "stands twice",
		`<script>alert(1)</script>`:                  "inline script",
		`<style>p{}</style>`:                         "<style>",
		`<p>⟦a.b⟧</p>`:                               "⟦a.b⟧",
		`<!doctype html><p aria-labelledby="b"></p>`: "refers to #b",
	} {
		got := strings.Join(htmlFaults(html), "; ")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", html, got, want)
		}
	}
}

func TestWordFaults(t *testing.T) {
	words := func(s string) fstest.MapFS {
		f := &fstest.MapFile{Data: []byte(s)}
		return fstest.MapFS{"words_zh_cn.toml": f, "words_zh_tw.toml": f, "words_en.toml": f}
	}
	own := words("[p]\na='1'\nb='2'\nc='3'\nd='4'\n[q]\ne='5'\nf='6'")
	sources := fstest.MapFS{
		"x/page.html": {Data: []byte(`{{define "main"}}{{range .L}}{{if .X}}{{t "p.a"}}{{else}}{{template "empty" (empty (t "p.nowhere") "")}}{{end}}{{end}}{{t "frame.skip"}}{{end}}`)},
		"page.go":     {Data: []byte("package p\nfunc f() { l.T(lang, \"p.b\", 1); l.T(lang, `p.missing`); row{word: \"p.c\"} }")},
		"a_test.go":   {Data: []byte("package p\nvar x = \"p.d\"")},
	}
	got, err := wordFaults(sources, own, []string{"q.*"})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"p.d is used nowhere", "page.go:2:33 uses p.missing", "x/page.html uses p.nowhere"}
	if len(got) != len(want) {
		t.Fatalf("faults %q, want %q", got, want)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("fault %q, want %q", got[i], want[i])
		}
	}
}

// A page with every fault Audit is there for: it must see each.
func TestAudit_SeesFaults(t *testing.T) {
	b := NewBrowser(t)
	srv := httptest.NewServer(look.Secure(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, `<!doctype html><html lang="en"><head><title>x</title></head><body><main><h1>x</h1>
			<p style="color:red">inline</p><input><table width="2000"><tr><td>wide</td></tr></table></main></body></html>`)
	})))
	defer srv.Close()
	v := func(status int64) *visit { return &visit{status: status} }
	got := strings.Join(b.audit(t, srv.URL+"/", look.ZhCN, 360, v(200)), "; ")
	for _, want := range []string{`lang attribute "en"`, "scrolls sideways", "Content Security Policy", "axe: label"} {
		if !strings.Contains(got, want) {
			t.Errorf("not seen: %s, in %s", want, got)
		}
	}
	if got := strings.Join(b.audit(t, srv.URL+"/", look.ZhCN, 360, v(404)), "; "); !strings.Contains(got, "want status 404") {
		t.Errorf("another status not seen: %s", got)
	}
}
