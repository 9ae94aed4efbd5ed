package look

import (
	"net/http"
	"strings"

	"golang.org/x/text/language"
)

// Lang is a language of the pages, as it stands in the lang attribute.
type Lang string

// The languages. ZhCN is the default.
const (
	ZhCN Lang = "zh-CN"
	ZhTW Lang = "zh-TW"
	En   Lang = "en"
)

// langCookie holds a person's choice. It says nothing about the person, and outlives the session.
const langCookie = "lang"

// Langs lists the languages, the default first.
func Langs() []Lang { return []Lang{ZhCN, ZhTW, En} }

// Name is the language's own name of itself.
func (l Lang) Name() string {
	switch l {
	case ZhTW:
		return "繁體中文"
	case En:
		return "English"
	default:
		return "简体中文"
	}
}

func (l Lang) wordFile() string {
	return "words_" + strings.ReplaceAll(strings.ToLower(string(l)), "-", "_") + ".toml"
}

func knownLang(s string) (Lang, bool) {
	for _, l := range Langs() {
		if string(l) == s {
			return l, true
		}
	}
	return "", false
}

// Negotiate picks the language of a request: the cookie's, else the first of Accept-Language that the pages have,
// else ZhCN. Chinese written in traditional characters (zh-Hant, zh-TW, zh-HK, zh-MO) is ZhTW.
func Negotiate(r *http.Request) Lang {
	if c, err := r.Cookie(langCookie); err == nil {
		if l, ok := knownLang(c.Value); ok {
			return l
		}
	}
	tags, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return ZhCN // a header nobody can read asks for nothing
	}
	for _, tag := range tags {
		base, _ := tag.Base()
		switch base.String() {
		case "zh":
			if script, _ := tag.Script(); script.String() == "Hant" {
				return ZhTW
			}
			return ZhCN
		case "en":
			return En
		}
	}
	return ZhCN
}

// LangHandler takes the form of the language buttons, POST /lang with lang and next: it sets the cookie and goes back
// to next, a path of this site; to the first page when next is anything else.
func LangHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
		if err := r.ParseForm(); err != nil {
			http.Error(w, "bad form", http.StatusBadRequest)
			return
		}
		l, ok := knownLang(r.PostForm.Get("lang"))
		if !ok {
			http.Error(w, "unknown language", http.StatusBadRequest)
			return
		}
		http.SetCookie(w, &http.Cookie{
			Name: langCookie, Value: string(l), Path: "/", MaxAge: 365 * 24 * 3600,
			HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
		})
		w.Header().Set("Location", SafeNext(r.PostForm.Get("next")))
		w.WriteHeader(http.StatusSeeOther)
	})
}

// SafeNext gives back next when it is a path of this site, otherwise "/": a form's "where to go then" must not lead a
// person who trusts this site to another one.
func SafeNext(next string) string {
	if len(next) == 0 || next[0] != '/' || strings.HasPrefix(next, "//") {
		return "/"
	}
	for _, r := range next {
		if r == '\\' || r < 0x20 || r == 0x7f {
			return "/"
		}
	}
	return next
}
