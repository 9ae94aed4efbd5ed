package front

import (
	"errors"
	"net/http"
	"strconv"

	"connectrpc.com/connect"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/schema/look"
	"branchline/schema/serve"
)

// Door signs people in and out.
type Door struct {
	Accounts branchlinev1connect.AccountServiceHandler
	// Bare is what stands around the page before anybody is signed in.
	Bare func(*Ask) look.Frame
	// Home is where somebody with these roles goes on who came for no page in particular; nil: to the site's first.
	Home func(roles []branchlinev1.Role) string
	// Hint is the key of the words under the form; "": those of a branch.
	Hint string
}

// Page asks who is there; whoever is signed in goes on, unless they come to let another sign in.
func (d Door) Page(a *Ask) error {
	next := look.SafeNext(a.Query("next"))
	if a.Who.Known() && a.Query("other") == "" {
		return a.GoTo(next)
	}
	return d.show(a, http.StatusOK, look.Login{Frame: d.Bare(a), Next: next})
}

func (d Door) show(a *Ask, status int, v look.Login) error {
	v.Action = "/sign-in"
	if d.Hint != "" {
		v.Hint = a.T(d.Hint)
	}
	return a.Look.Login(a.W, status, v)
}

// SignIn takes the form of the page.
func (d Door) SignIn(a *Ask) error {
	next := look.SafeNext(a.Form("next"))
	account := a.Form("account")
	again := func(status int, fault string) error {
		f := d.Bare(a)
		f.Path = "/sign-in"
		return d.show(a, status, look.Login{Frame: f, Next: next, Account: account, Fault: fault})
	}
	res, err := d.Accounts.SignIn(a.R.Context(), &branchlinev1.SignInRequest{
		Account: account, Password: a.R.PostFormValue("password"),
	})
	switch {
	case err == nil:
	case errors.Is(err, schema.ErrExhausted):
		return again(http.StatusTooManyRequests, a.T("login.slow_down", a.wait(err)))
	case errors.Is(err, schema.ErrUnsigned), errors.Is(err, schema.ErrInvalid):
		return again(http.StatusUnauthorized, a.T("login.wrong"))
	default:
		return err
	}
	serve.SetSession(a.W, a.R, res)
	if next == "/" && d.Home != nil {
		next = d.Home(res.GetAccount().GetRoles())
	}
	return a.GoTo(next)
}

// wait says how long an error asks to wait.
func (a *Ask) wait(err error) string {
	seconds := int64(30)
	var ce *connect.Error
	if errors.As(err, &ce) {
		if n, err := strconv.ParseInt(ce.Meta().Get("Retry-After"), 10, 64); err == nil && n > 0 {
			seconds = n
		}
	}
	return a.Look.Span(a.Lang, 0, seconds*1000)
}

// SignOut ends the session, if there still is one.
func (d Door) SignOut(a *Ask) error {
	_, err := d.Accounts.SignOut(a.R.Context(), &branchlinev1.Empty{})
	if err != nil && !errors.Is(err, schema.ErrUnsigned) {
		return err
	}
	serve.ClearSession(a.W, a.R)
	return a.GoTo("/sign-in")
}
