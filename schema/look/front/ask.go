// Package front is what the pages of both sites do the same way: who asks for a page, what codes are called, the door,
// accounts, and how an open page is kept fresh. sync/desk is the same for the APIs.
//
// Rules:
//   - It calls the API only, as the person who asks, and has no rules of its own: schema/access says who may.
//   - Words come from the catalogues of look, look/say and its own (Words).
//
// It promises that a page shown again is shown as it would be to a new request of the same person: a stream ends with
// the session. It stores nothing; what is kept in memory are the names of sites and staff, read again every half minute.
package front

import (
	"net/http"
	"strings"
	"time"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
	"branchline/schema/number"
)

// Ask is one request for a page, and who makes it. It is used by one goroutine.
type Ask struct {
	Site access.Site
	Look *look.Look
	W    http.ResponseWriter
	R    *http.Request
	Lang look.Lang
	Now  int64 // unix ms: the time at which the page is true
	Who  access.Caller
	// Names are what codes are called; never nil.
	Names func() *Names
	// ByClock: only what moves as time goes by is wanted; the rest of the page may be left out.
	ByClock bool
}

// NewAsk reads who asks, and in which language. Names is the site's to set.
func NewAsk(site access.Site, l *look.Look, now time.Time, w http.ResponseWriter, r *http.Request) Ask {
	who := access.CallerFrom(r.Context())
	return Ask{Site: site, Look: l, W: w, R: r, Lang: langOf(r, who.Language), Now: now.UnixMilli(), Who: who}
}

// langOf is the language of an account's pages; one without a language reads the browser's.
func langOf(r *http.Request, own branchlinev1.Language) look.Lang {
	if l, ok := look.LangOf(own); ok {
		return l
	}
	return look.Negotiate(r)
}

// T says a key in the reader's language.
func (a *Ask) T(key string, args ...any) string { return a.Look.T(a.Lang, key, args...) }

// Sayer says values in the reader's language.
func (a *Ask) Sayer() say.Sayer { return say.Sayer{Look: a.Look, Lang: a.Lang, Now: a.Now} }

// Query is a parameter of the address.
func (a *Ask) Query(name string) string { return strings.TrimSpace(a.R.URL.Query().Get(name)) }

// Form gives a field of the posted form as typed; the first call reads the form.
func (a *Ask) Form(name string) string { return strings.TrimSpace(a.R.PostFormValue(name)) }

// GoTo sends the browser on with a GET.
func (a *Ask) GoTo(path string) error {
	a.W.Header().Set("Location", path)
	a.W.WriteHeader(http.StatusSeeOther)
	return nil
}

// May tells whether the caller may use a route.
func (a *Ask) May(route string) bool { return access.Allowed(a.Site, route, a.Who.Roles) }

// Reads tells whether the caller may see records of a kind.
func (a *Ask) Reads(k schema.Kind) bool { return access.MayRead(a.Site, k, a.Who.Roles) }

// Writes tells whether the caller may make and change records of a kind.
func (a *Ask) Writes(k schema.Kind) bool { return access.MayWrite(a.Site, k, a.Who.Roles) }

// Href is the page of a record, "" when there is none or the caller may not see it.
func (a *Ask) Href(name string) string {
	collection, id, ok := strings.Cut(name, "/")
	if !ok || id == "" {
		return ""
	}
	if own := "GET /" + collection + "/{id}"; access.HasRule(a.Site, own) {
		if a.May(own) {
			return "/" + name
		}
		return ""
	}
	if k := schema.KindOfCollection(collection); k != nil && a.Reads(k.Kind) && a.May("GET /records/{collection}/{id}") {
		return "/records/" + name
	}
	return ""
}

// Scanned is where the whole number of one order leads; "" for anything else, and where two orders have the number.
func (a *Ask) Scanned(query string, hits []*branchlinev1.SearchHit) string {
	whole, err := number.Parse(query)
	if err != nil {
		return ""
	}
	to := ""
	for _, h := range hits {
		if n, err := number.Parse(h.GetRecord().GetServiceOrder().GetNumber()); err != nil || n != whole {
			continue
		}
		if to != "" {
			return ""
		}
		to = a.Href(h.GetRecord().GetName())
	}
	return to
}

// SiteName is what a branch is called on a page: headquarters by its word, one without a name by its code.
func (a *Ask) SiteName(code string) string {
	if code == string(schema.HQ) {
		return a.T("word.headquarters")
	}
	return a.Names().Site(code)
}

// List joins names as a sentence does.
func (a *Ask) List(names []string) string { return strings.Join(names, a.T("say.comma")) }

// Person is who is signed in, with the ways to the pages of accounts.
func (a *Ask) Person() look.Person {
	p := look.Person{Name: a.Names().Person(a.Who.Staff, a.Who.Account), Role: a.Roles(), SignOut: "/sign-out"}
	if a.May("GET /account") {
		p.Account = "/account"
	}
	if a.May("GET /accounts") {
		p.Accounts = "/accounts"
	}
	if a.May("GET /desk") {
		p.Desk = "/desk"
	}
	return p
}

// FalseFirst orders by a yes or no: those of whom it is not true stand first.
func FalseFirst(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return 1
	}
	return -1
}

// Roles are the caller's roles in words.
func (a *Ask) Roles() string {
	var out []string
	for _, r := range a.Who.Roles {
		out = append(out, a.Look.Word(a.Lang, "role", r))
	}
	if len(out) > 2 { // the owner of the folder has them all
		return a.T("front.many_roles", len(out))
	}
	return a.List(out)
}
