package web

import (
	"cmp"
	"net/http"
	"net/url"

	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
)

// ask is one request and who makes it.
type ask struct {
	front.Ask
	s *Site

	branches *branchlinev1.ListBranchesResponse // kept by fleet
	status   int                                // of a page that is no error page
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
	a := &ask{Ask: front.NewAsk(access.HQ, s.look, s.c.Now(), w, r), s: s, status: http.StatusOK}
	a.Names = func() *front.Names { return s.names.Read(r.Context(), s.c.Now(), s.api.Records, s.c.Log) }
	return a
}

// group is what the group is called, as configured; else the only company there is.
func (a *ask) group() string { return cmp.Or(a.s.group(), a.Names().OnlyCompany()) }

func (s *Site) group() string {
	if s.c.Group == nil {
		return ""
	}
	return s.c.Group()
}

func (a *ask) when(ms int64) string { return a.s.look.When(a.Lang, a.Now, ms) }

// plain are some records, by name; what there is not is left out.
func (a *ask) plain(names []string) (map[string]*branchlinev1.Record, error) {
	views, _, err := a.s.c.Views.Views(a.R.Context(), names, false)
	return views, err
}

// fleet asks once a page how the branches stand.
func (a *ask) fleet() (*branchlinev1.ListBranchesResponse, error) {
	if a.branches == nil {
		res, err := a.s.api.Sites.ListBranches(a.R.Context(), &branchlinev1.Empty{})
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
		Lang: a.Lang, Now: a.Now, Title: title, SiteName: a.T("word.headquarters"), GroupName: a.group(),
		HQ: true, Path: a.R.URL.RequestURI(), Active: active, Live: "/events",
		User: a.Person(), Sent: a.R.Method == http.MethodPost,
	}
	if a.May("GET /search") {
		f.Find = look.Find{Action: "/search", Query: a.Query("q"), Live: true}
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
		{"match", "/match", "GET /match", "rail.match"},
		{"reports", "/reports", "GET /reports", "rail.reports"},
		{"quarantine", "/quarantine", "GET /quarantine", "rail.quarantine"},
	} {
		if !a.May(it.route) {
			continue
		}
		item := look.RailItem{ID: it.id, Href: it.href, Text: a.T(it.key)}
		switch it.id {
		case "quarantine":
			item.Count = aside
		case "match":
			item.Count = a.openQuestions()
		}
		f.Rail = append(f.Rail, item)
	}
	return f
}

// bare is frame before anybody is signed in.
func (a *ask) bare() look.Frame {
	return look.Frame{
		Lang: a.Lang, Now: a.Now, SiteName: a.T("word.headquarters"), GroupName: a.s.group(), HQ: true,
		Path: a.R.URL.RequestURI(), Bare: true,
	}
}

// live is frame for a page that follows what happens.
func (a *ask) live(title, active string) look.Frame {
	f := a.frame(title, active)
	f.Live = "/events?on=" + url.QueryEscape(a.R.URL.RequestURI())
	return f
}
