package web

import (
	"net/http"
	"strings"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

// ask is one request and who makes it.
type ask struct {
	s    *Site
	w    http.ResponseWriter
	r    *http.Request
	lang look.Lang
	now  int64 // unix ms
	who  access.Caller
	say  say.Sayer

	branches *branchlinev1.ListBranchesResponse // kept by fleet
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
	a := &ask{
		s: s, w: w, r: r, lang: look.Negotiate(r), now: s.c.Now().UnixMilli(), who: access.CallerFrom(r.Context()),
	}
	a.say = say.Sayer{Look: s.look, Lang: a.lang, Now: a.now}
	return a
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
func (a *ask) may(route string) bool { return access.Allowed(access.HQ, route, a.who.Roles) }

func (a *ask) reads(k schema.Kind) bool { return access.MayRead(access.HQ, k, a.who.Roles) }

// href is the page of a record, "" when there is none or the caller may not see it.
func (a *ask) href(name string) string {
	collection, id, ok := strings.Cut(name, "/")
	if !ok || id == "" || !a.may("GET /"+collection+"/{id}") {
		return ""
	}
	return "/" + name
}

func (a *ask) when(ms int64) string { return a.s.look.When(a.lang, a.now, ms) }

// list joins names as a sentence does.
func (a *ask) list(names []string) string { return strings.Join(names, a.t("say.comma")) }

// fleet asks once a page how the branches stand.
func (a *ask) fleet() (*branchlinev1.ListBranchesResponse, error) {
	if a.branches == nil {
		res, err := a.s.api.Sites.ListBranches(a.r.Context(), &branchlinev1.Empty{})
		if err != nil {
			return nil, err
		}
		a.branches = res
	}
	return a.branches, nil
}

// frame is what stands around a page. active is the id of a rail item.
func (a *ask) frame(title, active string) look.Frame {
	f := look.Frame{
		Lang: a.lang, Now: a.now, Title: title, SiteName: a.t("word.headquarters"), GroupName: a.names().group(a.s.c.Group),
		HQ: true, Path: a.r.URL.RequestURI(), Active: active,
		User: look.Person{Name: a.names().person(a.who.Staff, a.who.Account), Role: a.roles(), SignOut: "/sign-out"},
	}
	if a.may("GET /search") {
		f.Find = look.Find{Action: "/search", Query: a.query("q"), Live: true}
	}
	var aside int64
	if res, err := a.fleet(); err != nil {
		a.s.c.Log.Warn("fleet not shown", "room", "hq/web", "error", err)
	} else {
		f.Line = look.LineState{Kind: look.LineFleet, Href: "/branches"}
		for _, b := range res.GetBranches() {
			aside += b.GetQuarantined()
			if !working(b) {
				continue
			}
			f.Line.Branches++
			if b.GetLeaves() > 0 {
				f.Line.Connected++
			}
		}
	}
	for _, it := range []struct{ id, href, route, key string }{
		{"home", "/", "GET /{$}", "rail.home"},
		{"fleet", "/branches", "GET /branches", "rail.fleet"},
		{"reports", "/reports", "GET /reports", "rail.reports"},
		{"quarantine", "/quarantine", "GET /quarantine", "rail.quarantine"},
	} {
		if !a.may(it.route) {
			continue
		}
		item := look.RailItem{ID: it.id, Href: it.href, Text: a.t(it.key)}
		if it.id == "quarantine" {
			item.Count = aside
		}
		f.Rail = append(f.Rail, item)
	}
	return f
}

// bare is frame before anybody is signed in.
func (a *ask) bare() look.Frame {
	return look.Frame{
		Lang: a.lang, Now: a.now, SiteName: a.t("word.headquarters"), GroupName: a.s.c.Group, HQ: true,
		Path: a.r.URL.RequestURI(), Bare: true,
	}
}

func (a *ask) roles() string {
	var out []string
	for _, r := range a.who.Roles {
		out = append(out, a.s.look.Word(a.lang, "role", r))
	}
	if len(out) > 2 {
		return a.t("frame_hq.many_roles", len(out))
	}
	return a.list(out)
}
