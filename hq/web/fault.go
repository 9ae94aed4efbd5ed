package web

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"branchline/schema"
	"branchline/schema/look"
	"branchline/schema/serve"
)

// statusOf is the status of the page of an error: the API's own, or what a page found out itself.
func statusOf(err error) int {
	var call *serve.CallError
	switch {
	case errors.As(err, &call):
		return call.Status()
	case errors.Is(err, schema.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, schema.ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// fail answers with the page of an error. Internal ones were logged by the API with a number, or are logged here.
func (s *Site) fail(a *ask, err error) {
	if a.R.Context().Err() != nil {
		return // the reader has gone
	}
	status := statusOf(err)
	e := look.Error{}
	switch status {
	case http.StatusUnauthorized:
		s.deny(a.W, a.R, schema.ErrUnsigned)
		return
	case http.StatusForbidden:
		e.Text = a.T("door.forbidden_text")
	case http.StatusNotFound:
		e.Text = a.T("door.missing_text")
	case http.StatusInternalServerError:
		var call *serve.CallError
		if errors.As(err, &call) {
			e.Ref = strings.Trim(call.Message, "abcdefghijklmnopqrstuvwxyz ()") // the number of "internal error (ref 7)"
		} else {
			s.c.Log.ErrorContext(a.R.Context(), "page failed", "room", "hq/web", "page", a.R.Pattern, "error", err)
		}
	}
	s.errorPage(a, status, e)
}

func (s *Site) errorPage(a *ask, status int, e look.Error) {
	if a.Who.Known() {
		e.Frame = a.frame("", "")
	} else {
		e.Frame = a.bare()
	}
	if a.R.Method != http.MethodGet {
		e.Path = "/" // a change of language must not come back to a form's address
	}
	if err := s.look.Error(a.W, status, e); err != nil {
		s.c.Log.WarnContext(a.R.Context(), "error page not sent", "room", "hq/web", "error", err)
	}
}

func (s *Site) missing(a *ask) error {
	s.errorPage(a, http.StatusNotFound, look.Error{Text: a.T("door.missing_text")})
	return nil
}
