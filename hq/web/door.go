package web

import (
	"errors"
	"net/http"
	"net/url"

	"branchline/schema"
	"branchline/schema/look"
	"branchline/schema/look/front"
)

// account is a page of accounts.
func (s *Site) account(h func(*front.Accounts, *front.Ask, look.Frame) error) func(*ask) error {
	return func(a *ask) error { return h(s.accounts, &a.Ask, a.frame("", "")) }
}

func (s *Site) door(h func(front.Door, *front.Ask) error) func(*ask) error {
	return func(a *ask) error {
		d := front.Door{Accounts: s.api.Accounts, Bare: func(*front.Ask) look.Frame { return a.bare() }, Hint: "door.hint"}
		return h(d, &a.Ask)
	}
}

func (s *Site) trustPage(a *ask) error { return s.trust.Show(&a.Ask, a.bare()) }

// deny answers whom the rules turn away: with the way to sign in, or a page that says so.
func (s *Site) deny(w http.ResponseWriter, r *http.Request, err error) {
	a := s.ask(w, r)
	switch {
	case errors.Is(err, schema.ErrUnsigned) && r.Method == http.MethodGet && !front.WantsStream(r) && !partOnly(r):
		_ = a.GoTo("/sign-in?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()) // never fails
	case errors.Is(err, schema.ErrUnsigned):
		s.errorPage(a, http.StatusUnauthorized, look.Error{
			Head: a.T("login.over"), Text: a.T("door.over_text"), Act: &look.Act{Href: "/sign-in", Text: a.T("login.go"), Kind: "go"},
		})
	default:
		s.errorPage(a, http.StatusForbidden, look.Error{Text: a.T("door.forbidden_text")})
	}
}

// partOnly tells a request for a part of an open page.
func partOnly(r *http.Request) bool { return r.Header.Get("HX-Request") != "" }
