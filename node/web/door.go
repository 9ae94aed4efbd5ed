package web

import (
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/serve"
)

func (s *Site) signInPage(a *ask) error {
	if !s.isBranch() {
		return a.goTo("/enrol")
	}
	next := look.SafeNext(a.query("next"))
	if a.who.Known() {
		return a.goTo(next)
	}
	return s.look.Login(a.w, http.StatusOK, look.Login{Frame: a.bare(""), Action: "/sign-in", Next: next})
}

func (s *Site) signIn(a *ask) error {
	if !s.isBranch() {
		return a.goTo("/enrol")
	}
	next := look.SafeNext(a.form("next"))
	account := a.form("account")
	again := func(status int, fault string) error {
		f := a.bare("")
		f.Path = "/sign-in"
		return s.look.Login(a.w, status, look.Login{Frame: f, Action: "/sign-in", Next: next, Account: account, Fault: fault})
	}
	res, err := s.c.Accounts.SignIn(a.r.Context(), &branchlinev1.SignInRequest{
		Account: account, Password: a.r.PostFormValue("password"),
	})
	switch {
	case err == nil:
	case errors.Is(err, schema.ErrExhausted):
		return again(http.StatusTooManyRequests, a.t("login.slow_down", a.s.look.Span(a.lang, 0, retryAfter(err)*1000)))
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
	_, err := s.c.Accounts.SignOut(a.r.Context(), &branchlinev1.Empty{})
	if err != nil && !errors.Is(err, schema.ErrUnsigned) {
		return err
	}
	serve.ClearSession(a.w, a.r)
	return a.goTo("/sign-in")
}

type enrolView struct {
	look.Frame
	Done  bool
	Code  string
	Fault string
}

func (s *Site) enrolPage(a *ask) error { return s.showEnrol(a, http.StatusOK, "") }

func (s *Site) showEnrol(a *ask, status int, fault string) error {
	v := enrolView{Frame: a.bare(a.t("enrol.title")), Done: s.isBranch(), Code: a.branch(), Fault: fault}
	v.Wide, v.Path = true, "/enrol"
	return s.pages.enrol.Render(a.w, status, v)
}

// maxToken is how long a pasted token may be; a real one is a tenth of it.
const maxToken = 4096

func (s *Site) enrol(a *ask) error {
	if s.isBranch() {
		return a.goTo("/enrol")
	}
	token := strings.Join(strings.Fields(a.form("token")), "") // pasted from a mail, it may have been broken into lines
	if token == "" || len(token) > maxToken {
		return s.showEnrol(a, http.StatusBadRequest, a.t("enrol.bad_token"))
	}
	err := s.c.Enrol.Enrol(a.r.Context(), token)
	switch {
	case err == nil:
		return a.goTo("/enrol")
	case errors.Is(err, schema.ErrInvalid):
		return s.showEnrol(a, http.StatusBadRequest, a.t("enrol.bad_token"))
	case errors.Is(err, schema.ErrForbidden), errors.Is(err, schema.ErrUnsigned), errors.Is(err, schema.ErrNotFound):
		return s.showEnrol(a, http.StatusForbidden, a.t("enrol.used_token"))
	case errors.Is(err, schema.ErrUnavailable):
		return s.showEnrol(a, http.StatusServiceUnavailable, a.t("enrol.no_hq"))
	default:
		return fmt.Errorf("web: enrol: %w", err)
	}
}

type trustView struct {
	look.Frame
	Fingerprint string // of the CA's certificate, in pairs; "" without one
}

func (s *Site) trustPage(a *ask) error {
	v := trustView{Frame: a.bare(a.t("trust.title"))}
	v.Wide = true
	if s.c.CA != nil {
		v.Fingerprint = fingerprint(s.c.CA())
	}
	return s.pages.trust.Render(a.w, http.StatusOK, v)
}

// fingerprint is the SHA-256 of the first certificate of a PEM, as browsers show it.
func fingerprint(text []byte) string {
	block, _ := pem.Decode(text)
	if block == nil {
		return ""
	}
	sum := sha256.Sum256(block.Bytes)
	pairs := make([]string, len(sum))
	for i, b := range sum {
		pairs[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(pairs, " ")
}
