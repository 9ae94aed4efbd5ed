package web

import (
	"net/http"

	"branchline/schema"
	"branchline/schema/look"
	"branchline/schema/look/front"
)

// fail answers with the page of an error. Internal ones were logged by the API with a number, or are logged here.
func (s *Site) fail(a *ask, err error) {
	if a.R.Context().Err() != nil {
		return // the reader has gone
	}
	status := front.Status(err)
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
		if e.Ref = front.Ref(err); e.Ref == "" {
			s.c.Log.ErrorContext(a.R.Context(), "page failed", "room", "hq/web", "page", a.R.Pattern, "error", err)
		}
	}
	s.errorPage(a, status, e)
}

func (s *Site) errorPage(a *ask, status int, e look.Error) {
	if a.Who.Known() {
		e.Frame = a.frame("", "")
		e.Live = ""
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
