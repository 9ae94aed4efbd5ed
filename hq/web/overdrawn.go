package web

import (
	"errors"
	"net/http"

	"branchline/schema"
	"branchline/schema/card"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/serve"
)

type overView struct {
	look.Frame
	Cards []overCard
	Sites []pick // who may bear it: Text and Href, which is the code
	Fault string
	Done  bool
	Aside bool // the caller may see what was set aside
	May   bool
}

// overCard is a card with more uses than were sold, and its uses.
type overCard struct {
	Title, Number string
	Left          int64
	Open          int32
	Uses          []overUse
}

type overUse struct {
	Name, Site, Order, Who, Borne string
	At, Now                       int64
	Over                          bool
}

// overdrawn lists the cards used beyond what was sold: branches that could not hear of each other used the last one.
func (s *Site) overdrawn(a *ask) error { return s.showOverdrawn(a, http.StatusOK, "") }

func (s *Site) showOverdrawn(a *ask, status int, fault string) error {
	res, err := s.api.Counter.ListOverdrawn(a.R.Context(), &branchlinev1.ListOverdrawnRequest{All: true})
	if err != nil {
		return err
	}
	v := overView{Frame: a.frame(a.T("over.title"), "quarantine"), Fault: fault, Done: a.Query("done") != "", May: a.May("POST /overdrawn"), Aside: a.May("GET /quarantine")}
	for _, code := range a.Names().Sites() {
		v.Sites = append(v.Sites, pick{Text: a.SiteName(code), Href: code})
	}
	v.Sites = append(v.Sites, pick{Text: a.T("over.customer"), Href: card.Customer})
	for _, c := range res.GetCards() {
		o := overCard{Title: c.GetCard().GetTitle(), Number: c.GetCard().GetNumber(), Left: c.GetLeft(), Open: c.GetOpen()}
		for _, u := range c.GetUses() {
			if u.GetTakenBack() {
				continue
			}
			row := overUse{
				Name: u.GetName(), Site: a.SiteName(u.GetUse().GetBranch()), Order: u.GetOrderNumber(), Who: a.Names().Person(u.GetUse().GetBy()),
				At: u.GetUse().GetUsedAt(), Now: a.Now, Over: u.GetOver(),
			}
			switch by := u.GetUse().GetBorneBy(); by {
			case "":
			case card.Customer:
				row.Borne = a.T("over.borne", a.T("over.customer"))
			default:
				row.Borne = a.T("over.borne", a.SiteName(by))
			}
			o.Uses = append(o.Uses, row)
		}
		v.Cards = append(v.Cards, o)
	}
	return s.pages.over.Render(a.W, status, v)
}

// bear says who bears a use, once for all branches.
func (s *Site) bear(a *ask) error {
	_, err := s.api.Counter.Bear(a.R.Context(), &branchlinev1.BearRequest{Use: a.Form("use"), BorneBy: a.Form("borne_by"), Reason: a.Form("reason")})
	var call *serve.CallError
	if errors.Is(err, schema.ErrInvalid) && errors.As(err, &call) && len(call.Violations) > 0 {
		return s.showOverdrawn(a, http.StatusBadRequest, a.Sayer().Violation(call.Violations[0]))
	}
	if err != nil {
		return err
	}
	return a.GoTo("/overdrawn?done=1")
}
