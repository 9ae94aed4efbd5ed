package web_test

import (
	"html"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"branchline/node/web"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWords(t *testing.T) {
	looktest.CheckWords(t, os.DirFS("."), web.Words(),
		"weekday.*", "means.*", "standing.*", "turn.*", "like.*", "contactway.*", "lane.*", "stop.*", "weekday_short.*")
}

// Words a person at a counter does not know.
func TestWords_AreBusinessWords(t *testing.T) {
	words, err := look.LoadWords(web.Words())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range words.Keys() {
		for _, lang := range look.Langs() {
			text := strings.ToLower(words.Say(lang, key))
			for _, bad := range []string{"sync", "queue", "conflict", "offline", "同步", "队列", "冲突", "佇列", "衝突", "离线", "離線"} {
				if strings.Contains(text, bad) {
					t.Errorf("%s in %s says %q", key, lang, bad)
				}
			}
		}
	}
}

// paths are every page of the town that can be had with a GET.
func (w *town) paths() []string {
	return []string{
		"/", "/work", "/board", "/board?view=list", "/board?view=wall", "/parts", "/line", "/arrived", "/arrived?kind=serviceOrders", "/customers", "/vehicles", "/serviceOrders", "/serviceOrders?state=IN_WORK&branch=pd",
		"/appointments", "/appointments/new", "/search?q=" + url.QueryEscape("陈"), "/search?q=" + url.QueryEscape("浙F2G6T1"),
		"/" + w.chen, "/" + w.chen + "?site=hg", "/" + w.chenHQ, "/" + w.he, "/" + w.refused, "/" + w.he + "/edit", "/" + w.chen + "/edit", "/customers/new",
		"/" + w.passat, "/" + w.passat + "?site=hg", "/" + w.passat + "/edit", "/" + w.gone, "/vehicles/new?customer=" + w.chen[len("customers/"):],
		"/history?plate=" + url.QueryEscape("浙F2G6T1"),
		"/" + w.open, "/" + w.foreign, "/serviceOrders/new", "/serviceOrders/new?customer=" + w.chen[len("customers/"):], "/serviceOrders/new?vehicle=" + w.passat[len("vehicles/"):],
		"/" + w.open + "/lines/new", "/" + w.lineDone + "/edit", "/" + w.open + "/inspection", "/trust", "/account",
	}
}

func TestPages_AreWellFormedInEveryLanguage(t *testing.T) {
	w := newTown(newRig(t))
	for _, lang := range look.Langs() {
		v := w.as("zm", string(lang))
		for _, path := range w.paths() {
			status, body := v.get(path)
			if status != http.StatusOK {
				t.Errorf("%s in %s: %d", path, lang, status)
				continue
			}
			if !strings.Contains(body, `<html lang="`+string(lang)+`">`) {
				t.Errorf("%s is not in %s", path, lang)
			}
			looktest.HTML(t, body)
			if t.Failed() {
				t.Fatalf("%s in %s", path, lang)
			}
		}
	}
	if logs := w.logs.String(); strings.Contains(logs, "level=ERROR") || strings.Contains(logs, "level=WARN") {
		t.Error(logs)
	}
}

// text is a page without its tags, spaces as one.
func text(page string) string {
	page = regexp.MustCompile(`(?s)<svg.*?</svg>|<[^>]*>`).ReplaceAllString(page, " ")
	return strings.Join(strings.Fields(html.UnescapeString(page)), " ")
}

func want(t *testing.T, page string, texts ...string) {
	t.Helper()
	page = text(page)
	for _, x := range texts {
		if !strings.Contains(page, x) {
			t.Errorf("does not say %q:\n%s", x, page)
		}
	}
}

func wantNot(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, x := range texts {
		if strings.Contains(page, x) {
			t.Errorf("says %q", x)
		}
	}
}
