package web

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
	"branchline/schema/reason"
	"branchline/schema/serve"
)

// fail answers with the page of an error. Internal ones were logged by the API with a number, or are logged here.
func (s *Site) fail(a *ask, err error) {
	status := front.Status(err)
	if a.R.Context().Err() != nil {
		return // the reader has gone
	}
	if status == http.StatusUnauthorized {
		s.deny(a.W, a.R, schema.ErrUnsigned)
		return
	}
	e := look.Error{}
	if status == http.StatusInternalServerError {
		if e.Ref = front.Ref(err); e.Ref == "" {
			s.c.Log.ErrorContext(a.R.Context(), "page failed", "room", "web", "page", a.R.Pattern, "error", err)
		}
	}
	if b := keptBy(err); b != "" {
		site := a.SiteName(b)
		e.Head, e.Text = a.T("pass.kept", site), a.T("pass.kept_text", site)
	}
	s.errorPage(a, status, e)
}

func (s *Site) errorPage(a *ask, status int, e look.Error) {
	if a.Who.Known() && s.isBranch() {
		e.Frame = a.frame("", "")
		e.Frame.Live = ""
	} else {
		e.Frame = a.bare("")
	}
	if err := s.look.Error(a.W, status, e); err != nil {
		s.c.Log.WarnContext(a.R.Context(), "error page not sent", "room", "web", "error", err)
	}
}

// deny answers whom the rules turn away: with the way to sign in, or a page that says so.
func (s *Site) deny(w http.ResponseWriter, r *http.Request, err error) {
	a := s.ask(w, r)
	switch {
	case !s.isBranch() && r.Method == http.MethodGet:
		_ = a.GoTo("/enrol") // never fails
	case errors.Is(err, schema.ErrUnsigned) && r.Method == http.MethodGet && !front.WantsStream(r) && r.Header.Get("HX-Request") == "":
		_ = a.GoTo("/sign-in?" + url.Values{"next": {r.URL.RequestURI()}}.Encode()) // likewise
	case errors.Is(err, schema.ErrUnsigned):
		s.errorPage(a, http.StatusUnauthorized, look.Error{
			Head: a.T("login.over"), Text: a.T("door.over_text"), Act: &look.Act{Href: "/sign-in", Text: a.T("login.go"), Kind: "go"},
		})
	default:
		s.errorPage(a, http.StatusForbidden, look.Error{})
	}
}

func (s *Site) missing(a *ask) error {
	if !s.isBranch() && a.R.Method == http.MethodGet {
		return a.GoTo("/enrol")
	}
	s.errorPage(a, http.StatusNotFound, look.Error{})
	return nil
}

// violations are what the API found wrong, field by field, under the names the forms use: phones.0.number.
func violations(err error) []*branchlinev1.FieldViolation {
	var own *schema.FieldsError // what a page found in a form itself
	if errors.As(err, &own) {
		var out []*branchlinev1.FieldViolation
		for _, v := range own.Violations {
			r, _ := reason.Of(v.Reason)
			out = append(out, &branchlinev1.FieldViolation{Field: v.Field, Reason: v.Reason, Code: string(r.Code), Args: r.Args})
		}
		return out
	}
	var call *serve.CallError
	if !errors.As(err, &call) {
		return nil
	}
	out := make([]*branchlinev1.FieldViolation, 0, len(call.Violations))
	for _, v := range call.Violations {
		out = append(out, &branchlinev1.FieldViolation{Field: inputName(v.GetField()), Reason: v.GetReason(), Confirm: v.GetConfirm(), Code: v.GetCode(), Args: v.GetArgs()})
	}
	return out
}

// inputName turns a path of a message into the name of a form's input: record.customer.phones[0].number is
// phones.0.number.
func inputName(path string) string {
	path = strings.NewReplacer("[", ".", "]", "").Replace(path)
	parts := strings.Split(path, ".")
	if parts[0] == "record" {
		parts = parts[1:]
	}
	if len(parts) > 1 && schema.KindNamed(parts[0]) != nil {
		parts = parts[1:]
	}
	return strings.Join(parts, ".")
}

func conflicts(err error) []*branchlinev1.FieldConflict {
	var call *serve.CallError
	if !errors.As(err, &call) {
		return nil
	}
	return call.Conflicts
}

func index(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= 0
}
