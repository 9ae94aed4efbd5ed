package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"connectrpc.com/connect"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/serve"
)

func (s *Site) signInPage(a *ask) error {
	next := look.SafeNext(a.query("next"))
	if a.who.Known() {
		return a.goTo(next)
	}
	return s.look.Login(a.w, http.StatusOK, look.Login{Frame: a.bare(), Action: "/sign-in", Next: next, Hint: a.t("door.hint")})
}

func (s *Site) signIn(a *ask) error {
	next := look.SafeNext(a.form("next"))
	account := a.form("account")
	again := func(status int, fault string) error {
		f := a.bare()
		f.Path = "/sign-in"
		return s.look.Login(a.w, status, look.Login{
			Frame: f, Action: "/sign-in", Next: next, Account: account, Fault: fault, Hint: a.t("door.hint"),
		})
	}
	res, err := s.api.Accounts.SignIn(a.r.Context(), &branchlinev1.SignInRequest{
		Account: account, Password: a.r.PostFormValue("password"),
	})
	switch {
	case err == nil:
	case errors.Is(err, schema.ErrExhausted):
		return again(http.StatusTooManyRequests, a.t("login.slow_down", s.look.Span(a.lang, 0, retryAfter(err)*1000)))
	case errors.Is(err, schema.ErrUnsigned), errors.Is(err, schema.ErrInvalid):
		return again(http.StatusUnauthorized, a.t("login.wrong"))
	default:
		return err
	}
	serve.SetSession(a.w, a.r, res.GetToken())
	return a.goTo(next)
}

// retryAfter is how many seconds an error asks to wait.
func retryAfter(err error) int64 {
	var ce *connect.Error
	if errors.As(err, &ce) {
		if n, err := strconv.ParseInt(ce.Meta().Get("Retry-After"), 10, 64); err == nil && n > 0 {
			return n
		}
	}
	return 30
}

func (s *Site) signOut(a *ask) error {
	_, err := s.api.Accounts.SignOut(a.r.Context(), &branchlinev1.Empty{})
	if err != nil && !errors.Is(err, schema.ErrUnsigned) {
		return err
	}
	serve.ClearSession(a.w, a.r)
	return a.goTo("/sign-in")
}

// deny answers whom the rules turn away: with the way to sign in, or a page that says so.
func (s *Site) deny(w http.ResponseWriter, r *http.Request, err error) {
	a := s.ask(w, r)
	switch {
	case errors.Is(err, schema.ErrUnsigned) && r.Method == http.MethodGet && !partOnly(r):
		_ = a.goTo("/sign-in?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()) // never fails
	case errors.Is(err, schema.ErrUnsigned):
		s.errorPage(a, http.StatusUnauthorized, look.Error{
			Head: a.t("login.over"), Text: a.t("door.over_text"), Act: &look.Act{Href: "/sign-in", Text: a.t("login.go"), Kind: "go"},
		})
	default:
		s.errorPage(a, http.StatusForbidden, look.Error{Text: a.t("door.forbidden_text")})
	}
}

// partOnly tells a request for a part of an open page.
func partOnly(r *http.Request) bool { return r.Header.Get("HX-Request") != "" }
