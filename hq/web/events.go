package web

import (
	"branchline/schema/look"
	"branchline/schema/look/front"
)

// view is a page that keeps itself fresh; see front.Stream for its parts.
type view struct {
	route string
	make  func(*ask) (*look.Page, look.View, error)
	parts []string // sent when something changed
	clock []string // sent as time goes by, too: a branch that falls silent changes nothing
}

func (s *Site) views() []view {
	record := []string{"live-head", "live-left", "live-right"}
	return []view{
		{"GET /{$}", s.home, []string{"live-head", "live-figures"}, []string{"live-fleet"}},
		{"GET /branches", s.fleet, nil, []string{"live-fleet"}},
		{"GET /reports/{report}", s.report, []string{"live-head", "live-report"}, nil},
		{"GET /quarantine", s.quarantine, []string{"live-aside"}, nil},
		{"GET /customers/{id}", s.customer, record, nil},
		{"GET /vehicles/{id}", s.vehicle, record, nil},
	}
}

func (v view) show(a *ask) error {
	page, data, err := v.make(a)
	if err != nil {
		return err
	}
	return page.Render(a.W, a.status, data)
}

// events streams to an open page what has changed of it. It ends with the page, the site or the session.
func (s *Site) events(a *ask) error {
	views := s.views()
	routes := make([]string, len(views))
	for i, v := range views {
		routes[i] = v.route
	}
	at, err := a.Turn(routes)
	if err != nil {
		return err
	}
	st := &front.Stream{
		Ask: &a.Ask, Changes: s.c.Changes, Accounts: s.api.Accounts, Now: s.c.Now, Log: s.c.Log,
		Frame: func() look.Frame {
			a.branches = nil // asked anew for each page
			return a.frame("", "")
		},
	}
	if at >= 0 {
		st.Parts, st.Clock = views[at].parts, views[at].clock
		st.Make = func() (*look.Page, look.View, error) {
			a.branches = nil
			return views[at].make(a)
		}
	}
	return st.Run()
}
