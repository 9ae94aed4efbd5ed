package front

import (
	"cmp"
	"errors"
	"net/http"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/schema/look"
	"branchline/schema/serve"
)

// Desk changes the user of a shared browser by PIN. With scripts it is a sheet over the page, which is then shown to the new
// person with what was typed in it; without it is a page of its own.
type Desk struct {
	API branchlinev1connect.AccountServiceHandler
	// Home is the page on which the day of somebody with these roles begins.
	Home func([]branchlinev1.Role) string
	page *look.Page
}

// NewDesk parses the page. API and Home are to be set before it is shown.
func NewDesk(l *look.Look) (*Desk, error) {
	p, err := l.Page(templates, "templates/desk.html")
	if err != nil {
		return nil, err
	}
	return &Desk{page: p}, nil
}

type deskView struct {
	look.Frame
	People []deskPerson
	Ready  bool // somebody among them has a PIN that counts
	Chosen string
	Fault  string
	Next   string
}

type deskPerson struct {
	Account, Name, Why string
}

// Show is the sheet, or the page of its own.
func (d *Desk) Show(a *Ask, f look.Frame) error { return d.show(a, f, http.StatusOK, "", "") }

func (d *Desk) show(a *Ask, f look.Frame, status int, chosen, fault string) error {
	f.Title, f.Path = a.T("desk.title"), "/desk"
	v := deskView{Frame: f, Fault: fault, Chosen: chosen, Next: look.SafeNext(cmp.Or(a.Query("next"), a.Form("next")))}
	res, err := d.API.ListDesk(a.R.Context(), &branchlinev1.Empty{})
	if err != nil {
		return err
	}
	for _, p := range res.GetPeople() {
		row := deskPerson{Account: p.GetAccount(), Name: a.Names().Person(p.GetStaff(), p.GetAccount())}
		switch {
		case !p.GetHasPin():
			row.Why = a.T("desk.no_pin")
		case p.GetPinLocked():
			row.Why = a.T("desk.locked")
		default:
			if v.Ready = true; v.Chosen == "" && p.GetAccount() != a.Who.Account {
				v.Chosen = p.GetAccount()
			}
		}
		v.People = append(v.People, row)
	}
	if sheet(a) { // which is no page that failed: Take tells by a header that it is over
		return d.page.Part(a.W, http.StatusOK, "desk-sheet", a.Lang, v)
	}
	return d.page.Render(a.W, status, v)
}

// sheet tells whether the page asks for the sheet alone.
func sheet(a *Ask) bool { return a.R.Header.Get("HX-Request") == "true" }

// Take takes the form. The sheet is answered with the name and role of who has the browser now, and in the header Desk with
// their first page.
func (d *Desk) Take(a *Ask, f look.Frame) error {
	in, err := d.API.SwitchUser(a.R.Context(), &branchlinev1.SwitchUserRequest{Account: cmp.Or(a.Form("account"), "?"), Pin: cmp.Or(a.R.PostFormValue("pin"), "?")})
	switch {
	case errors.Is(err, schema.ErrUnsigned), errors.Is(err, schema.ErrInvalid):
		return d.show(a, f, http.StatusUnauthorized, a.Form("account"), a.Sayer().Reason(err.Error()))
	case errors.Is(err, schema.ErrExhausted):
		return d.show(a, f, http.StatusTooManyRequests, a.Form("account"), a.T("login.slow_down", a.wait(err)))
	case err != nil:
		return err
	}
	serve.SetSession(a.W, a.R, in)
	if !sheet(a) {
		return a.GoTo(look.SafeNext(a.Form("next")))
	}
	a.Who.Account, a.Who.Staff, a.Who.Roles = in.GetAccount().GetName(), in.GetAccount().GetStaff(), in.GetAccount().GetRoles()
	a.Lang = langOf(a.R, in.GetAccount().GetLanguage())
	f.User = a.Person()
	a.W.Header().Set("Desk", d.Home(a.Who.Roles))
	return d.page.Part(a.W, http.StatusOK, "desk-who", a.Lang, f.User)
}
