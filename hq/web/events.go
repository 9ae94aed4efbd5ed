package web

import (
	"branchline/schema/look"
	"branchline/schema/look/front"
)

// view is a page that keeps itself fresh.
type view = front.View[*ask]

func (s *Site) views() []view {
	record := []string{"live-head", "live-left", "live-right"}
	return []view{
		{Route: "GET /{$}", Make: s.home, Parts: []string{"live-head", "live-figures"}, Clock: []string{"live-fleet"}},
		{Route: "GET /branches", Make: s.fleet, Clock: []string{"live-fleet"}},
		{Route: "GET /reports/{report}", Make: s.report, Parts: []string{"live-head", "live-report"}},
		{Route: "GET /quarantine", Make: s.quarantine, Parts: []string{"live-aside"}},
		{Route: "GET /customers/{id}", Make: s.customer, Parts: record},
		{Route: "GET /vehicles/{id}", Make: s.vehicle, Parts: record},
	}
}

func show(v view) func(*ask) error {
	return func(a *ask) error {
		page, data, err := v.Make(a)
		if err != nil {
			return err
		}
		return page.Render(a.W, a.status, data)
	}
}

// events streams to an open page what has changed of it. It ends with the page, the site or the session.
func (s *Site) events(a *ask) error {
	fresh := func() { a.branches = nil } // asked anew for each page
	return front.Follow(&front.Stream{
		Ask: &a.Ask, Changes: s.c.Changes, Accounts: s.api.Accounts, Now: s.c.Now, Log: s.c.Log,
		Frame: func() look.Frame {
			fresh()
			return a.frame("", "")
		},
	}, a, s.views(), fresh)
}
