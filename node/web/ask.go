package web

import (
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// ask is one request and who makes it.
type ask struct {
	s    *Site
	w    http.ResponseWriter
	r    *http.Request
	id   string // {id} of the route
	lang look.Lang
	now  int64 // unix ms
	who  access.Caller
}

func (s *Site) handle(h func(*ask) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := s.ask(w, r)
		if err := h(a); err != nil {
			s.fail(a, err)
		}
	})
}

func (s *Site) ask(w http.ResponseWriter, r *http.Request) *ask {
	return &ask{
		s: s, w: w, r: r, id: r.PathValue("id"), lang: look.Negotiate(r), now: s.c.Now().UnixMilli(),
		who: access.CallerFrom(r.Context()),
	}
}

func (a *ask) t(key string, args ...any) string { return a.s.look.T(a.lang, key, args...) }

func (a *ask) query(name string) string { return strings.TrimSpace(a.r.URL.Query().Get(name)) }

// form gives a field of the posted form as typed; the first call reads the form.
func (a *ask) form(name string) string { return strings.TrimSpace(a.r.PostFormValue(name)) }

// goTo sends the browser on with a GET.
func (a *ask) goTo(path string) error {
	a.w.Header().Set("Location", path)
	a.w.WriteHeader(http.StatusSeeOther)
	return nil
}

// may tells whether the caller may use a route.
func (a *ask) may(route string) bool { return access.Allowed(access.Node, route, a.who.Roles) }

// href is the page of a record, "" when the caller may not see it.
func (a *ask) href(name string) string {
	collection, _, ok := strings.Cut(name, "/")
	if !ok || !a.may("GET /"+collection+"/{id}") {
		return ""
	}
	return "/" + name
}

func (a *ask) reads(k schema.Kind) bool  { return access.MayRead(access.Node, k, a.who.Roles) }
func (a *ask) writes(k schema.Kind) bool { return access.MayWrite(access.Node, k, a.who.Roles) }

// sees tells whether a field is shown to the caller at all.
func (a *ask) sees(k schema.Kind, field string) bool {
	f := schema.KindOf(k).Field(field)
	return f != nil && !access.HideFor(a.who.Roles)(f)
}

func (a *ask) branch() string { return string(a.s.c.Branch()) }

func (a *ask) today() string { return a.s.look.Day(a.now) }

// requestID is new for each form that makes something.
func (a *ask) requestID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(a.s.c.Rand, b[:]); err != nil {
		return "", fmt.Errorf("web: request id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// frame is what stands around a page. active is the id of a rail item.
func (a *ask) frame(title, active string) look.Frame {
	n := a.s.names.read(a.r.Context(), a.s)
	f := look.Frame{
		Lang: a.lang, Now: a.now, Title: title, SiteName: n.site(a.branch()), GroupName: n.group(a.branch()),
		Path: a.r.URL.RequestURI(), Active: active,
		Find: look.Find{Action: "/search", Query: a.query("q"), Live: true},
		User: look.Person{Name: n.person(a.who.Staff, a.who.Account), Role: a.roles(), SignOut: "/sign-out"},
		Live: "/events",
	}
	line, err := a.s.c.Site.GetLine(a.r.Context(), &branchlinev1.Empty{})
	if err != nil {
		a.s.c.Log.Warn("line state not shown", "room", "web", "error", err)
	} else {
		f.Line = lineState(line)
	}
	for _, it := range []struct{ id, href, key string }{
		{"home", "/", "rail.home"},
		{"customers", "/customers", "rail.customers"},
		{"vehicles", "/vehicles", "rail.vehicles"},
		{"orders", "/serviceOrders", "rail.orders"},
		{"line", "/line", "rail.line"},
	} {
		route := "GET " + it.href
		if it.href == "/" {
			route = "GET /{$}"
		}
		if !a.may(route) {
			continue
		}
		item := look.RailItem{ID: it.id, Href: it.href, Text: a.t(it.key)}
		if it.id == "line" {
			item.Count = line.GetLookAt()
		}
		f.Rail = append(f.Rail, item)
	}
	return f
}

// live is frame for a page whose live part follows what happens.
func (a *ask) live(title, active string) look.Frame {
	f := a.frame(title, active)
	f.Live = "/events?on=" + url.QueryEscape(a.r.URL.RequestURI())
	return f
}

// bare is frame before anybody is signed in.
func (a *ask) bare(title string) look.Frame {
	n := a.s.names.read(a.r.Context(), a.s)
	site := n.site(a.branch())
	if site == "" {
		site = "Branchline"
	}
	return look.Frame{
		Lang: a.lang, Now: a.now, Title: title, SiteName: site, GroupName: n.group(a.branch()),
		Path: a.r.URL.RequestURI(), Bare: true,
	}
}

func (a *ask) roles() string {
	var out []string
	for _, r := range a.who.Roles {
		out = append(out, a.s.look.Word(a.lang, "role", r))
	}
	if len(out) > 2 { // the owner of the folder has them all
		return a.t("frame_own.all_roles")
	}
	return strings.Join(out, a.t("say.comma"))
}

func lineState(l *branchlinev1.LineStatus) look.LineState {
	st := look.LineState{Kind: look.LineDown, Href: "/line", Waiting: waiting(l), Heard: l.GetLastHeard()}
	if l.GetLinked() {
		st.Kind = look.LineUp
	}
	return st
}

// waiting is how many own changes HQ has not committed.
func waiting(l *branchlinev1.LineStatus) int64 { return l.GetSaved() + l.GetAtDoor() }
