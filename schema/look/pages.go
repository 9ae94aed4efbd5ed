package look

import "net/http"

// Login is the sign-in page. Its form posts account, password and next to Action.
type Login struct {
	Frame
	Action  string
	Next    string // where to go then; pass what comes back through SafeNext
	Account string // as typed before
	Fault   string // finished words: what was wrong
	Hint    string // finished words under the form; "": those of a branch
}

// Login answers with the sign-in page. Frame's Title and Bare are set here. Errors as in Page.Render.
func (l *Look) Login(w http.ResponseWriter, status int, v Login) error {
	v.Title, v.Bare = l.T(v.Lang, "login.title"), true
	if v.Hint == "" {
		v.Hint = l.T(v.Lang, "login.hint")
	}
	return l.login.Render(w, status, v)
}

// Error is a page that says what went wrong and what to do. Head, Text, Mark and Act may be left empty: the status
// then says them. Ref is a number that finds the log line; it is no internal detail.
type Error struct {
	Frame
	Mark string
	Head string
	Text string
	Ref  string
	Act  *Act
}

// Error answers with an error page. Nothing of an internal error belongs in it. Errors as in Page.Render.
func (l *Look) Error(w http.ResponseWriter, status int, v Error) error {
	mark, head, text := "late", "error.broken_head", "error.broken_text"
	switch {
	case status == http.StatusNotFound || status == http.StatusGone:
		mark, head, text = "find", "error.missing_head", "error.missing_text"
	case status == http.StatusForbidden || status == http.StatusUnauthorized:
		mark, head, text = "shut", "error.forbidden_head", "error.forbidden_text"
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		mark, head, text = "hold", "error.busy_head", "error.busy_text"
	case status >= 400 && status < 500:
		mark, head, text = "soon", "error.bad_head", "error.bad_text"
	}
	if v.Mark == "" {
		v.Mark = mark
	}
	if v.Head == "" {
		v.Head = l.T(v.Lang, head)
	}
	if v.Text == "" {
		v.Text = l.T(v.Lang, text)
	}
	if v.Act == nil {
		v.Act = &Act{Href: "/", Text: l.T(v.Lang, "error.home")}
	}
	v.Title = v.Head
	return l.fault.Render(w, status, v)
}
