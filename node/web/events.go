package web

import (
	"branchline/schema/look"
	"branchline/schema/look/front"
)

// events streams to an open page what has changed of it. It ends with the page, the site or the session.
func (s *Site) events(a *ask) error {
	return front.Follow(&front.Stream{
		Ask: &a.Ask, Frame: func() look.Frame { return a.frame("", "") },
		Changes: s.c.Changes, Accounts: s.c.Accounts, Now: s.c.Now, Log: s.c.Log,
	}, a, s.views(), func() { a.id, a.given = a.R.PathValue("id"), 0 })
}
