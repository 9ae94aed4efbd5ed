package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
)

// door lets people of this branch in; a node that is none yet has only the page that makes it one.
func (s *Site) door(h func(front.Door, *front.Ask) error) func(*ask) error {
	return func(a *ask) error {
		if !s.isBranch() {
			return a.GoTo("/enrol")
		}
		return h(front.Door{Accounts: s.c.Accounts, Bare: func(*front.Ask) look.Frame { return a.bare("") }, Home: homeOf}, &a.Ask)
	}
}

// homeOf is the page on which somebody's day begins.
func homeOf(roles []branchlinev1.Role) string {
	if technicians(roles) {
		return "/work"
	}
	return "/"
}

// account is a page of accounts.
func (s *Site) account(h func(*front.Accounts, *front.Ask, look.Frame) error) func(*ask) error {
	return func(a *ask) error { return h(s.accounts, &a.Ask, a.frame("", "")) }
}

// deskPage is the change of the browser's user by PIN.
func (s *Site) deskPage(h func(*front.Desk, *front.Ask, look.Frame) error) func(*ask) error {
	return func(a *ask) error {
		if !s.isBranch() {
			return a.GoTo("/enrol")
		}
		return h(s.desk, &a.Ask, a.bare(""))
	}
}

type enrolView struct {
	look.Frame
	Done  bool
	Code  string
	Fault string
}

func (s *Site) enrolPage(a *ask) error { return s.showEnrol(a, http.StatusOK, "") }

func (s *Site) showEnrol(a *ask, status int, fault string) error {
	v := enrolView{Frame: a.bare(a.T("enrol.title")), Done: s.isBranch(), Code: a.branch(), Fault: fault}
	v.Wide, v.Path = true, "/enrol"
	return s.pages.enrol.Render(a.W, status, v)
}

// maxToken is how long a pasted token may be; a real one is a tenth of it.
const maxToken = 4096

func (s *Site) enrol(a *ask) error {
	if s.isBranch() {
		return a.GoTo("/enrol")
	}
	token := strings.Join(strings.Fields(a.Form("token")), "") // pasted from a mail, it may have been broken into lines
	if token == "" || len(token) > maxToken {
		return s.showEnrol(a, http.StatusBadRequest, a.T("enrol.bad_token"))
	}
	err := s.c.Enrol.Enrol(a.R.Context(), token)
	switch {
	case err == nil:
		return a.GoTo("/enrol")
	case errors.Is(err, schema.ErrInvalid):
		return s.showEnrol(a, http.StatusBadRequest, a.T("enrol.bad_token"))
	case errors.Is(err, schema.ErrForbidden), errors.Is(err, schema.ErrUnsigned), errors.Is(err, schema.ErrNotFound):
		return s.showEnrol(a, http.StatusForbidden, a.T("enrol.used_token"))
	case errors.Is(err, schema.ErrUnavailable):
		return s.showEnrol(a, http.StatusServiceUnavailable, a.T("enrol.no_hq"))
	default:
		return fmt.Errorf("web: enrol: %w", err)
	}
}

func (s *Site) trustPage(a *ask) error { return s.trust.Show(&a.Ask, a.bare(a.T("trust.title"))) }
