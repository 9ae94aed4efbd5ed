package look

import (
	"net/http"
	"strings"

	"golang.org/x/text/language"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Lang is a language of the pages, as it stands in the lang attribute.
type Lang string

// The languages. ZhCN is the default.
const (
	ZhCN Lang = "zh-CN"
	ZhTW Lang = "zh-TW"
	En   Lang = "en"
)

// langCookie holds what a browser was set to before anybody signed in. It says nothing about a person, and outlives the
// session.
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

// LangNamed is the language whose lang attribute is s; false for none the pages have.
func LangNamed(s string) (Lang, bool) {
	for _, l := range Langs() {
		if string(l) == s {
			return l, true
		}
	}
	return "", false
}

// LangOf is the language an account or a customer has; false for none that the pages have.
func LangOf(x branchlinev1.Language) (Lang, bool) {
	for _, l := range Langs() {
		if l.Language() == x {
			return l, true
		}
	}
	return "", false
}

// Language is l as records and accounts keep it.
func (l Lang) Language() branchlinev1.Language {
	switch l {
	case ZhTW:
		return branchlinev1.Language_LANGUAGE_ZH_TW
	case En:
		return branchlinev1.Language_LANGUAGE_EN
	default:
		return branchlinev1.Language_LANGUAGE_ZH_CN
	}
}

// Negotiate picks the language of a request by its browser: the cookie's, else the first of Accept-Language that the pages have,
// else ZhCN. Chinese written in traditional characters (zh-Hant, zh-TW, zh-HK, zh-MO) is ZhTW.
func Negotiate(r *http.Request) Lang {
	if c, err := r.Cookie(langCookie); err == nil {
		if l, ok := LangNamed(c.Value); ok {
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

// SetLang sets the browser's language.
func SetLang(w http.ResponseWriter, r *http.Request, l Lang) {
	http.SetCookie(w, &http.Cookie{
		Name: langCookie, Value: string(l), Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteLaxMode,
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
