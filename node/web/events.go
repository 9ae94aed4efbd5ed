package web

import (
	"branchline/schema/look"
	"branchline/schema/look/front"
)

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
		Ask: &a.Ask, Frame: func() look.Frame { return a.frame("", "") },
		Changes: s.c.Changes, Accounts: s.c.Accounts, Now: s.c.Now, Log: s.c.Log,
	}
	if at >= 0 {
		v := views[at]
		a.id = a.R.PathValue("id")
		st.Parts, st.Clock = v.parts, v.clock
		st.Make = func() (*look.Page, look.View, error) { return v.make(a) }
	}
	return st.Run()
}
