package front

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"

	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/account"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/schema/look"
	"branchline/schema/serve"
)

//go:embed templates/*.html
var templates embed.FS

// Accounts are the pages of accounts: everybody's own, and the administrator's list. What a caller may do is asked of the
// API, which knows the rules; the pages leave out what it would refuse.
type Accounts struct {
	API     branchlinev1connect.AccountServiceHandler
	Records People

	mu       sync.Mutex
	rand     io.Reader // of made passwords; guarded by mu
	own, all *look.Page
}

// NewAccounts parses the pages. API and Records are to be set before the first is shown.
func NewAccounts(l *look.Look, rand io.Reader) (*Accounts, error) {
	p := &Accounts{rand: rand}
	for name, page := range map[string]**look.Page{"account": &p.own, "accounts": &p.all} {
		var err error
		if *page, err = l.Page(templates, "templates/"+name+".html"); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// fault is what was wrong with a form, by the name of its field; "" is the form as a whole.
type fault map[string]string

// faultOf puts what the API found wrong into words; nil for an error that is no fault of the form.
func (a *Ask) faultOf(err error) fault {
	var call *serve.CallError
	switch {
	case errors.Is(err, schema.ErrExhausted):
		return fault{"current": a.T("login.slow_down", a.wait(err))}
	case errors.Is(err, schema.ErrExists):
		return fault{"name": a.T("account.exists")}
	case !errors.As(err, &call) || !errors.Is(err, schema.ErrInvalid) && !errors.Is(err, schema.ErrForbidden) && !errors.Is(err, schema.ErrUnsigned):
		return nil
	}
	out := fault{}
	for _, v := range call.Violations {
		field := map[string]string{
			"account.name": "name", "account.staff": "staff", "account.roles": "roles", "password": "new", "current_password": "current", "pin": "pin",
		}[v.GetField()]
		out[field] = a.Sayer().Violation(v)
	}
	if len(out) == 0 {
		out[""] = a.Sayer().Reason(call.Message)
	}
	return out
}

type ownView struct {
	look.Frame
	Account  string
	Staff    string
	OneTime  bool // nothing else is open before the password is set
	Local    bool // the owner of the folder has no account to sign in with
	Fault    fault
	Done     *look.Note
	Sessions []sessionRow
	Others   bool // there is another session to end
	Pins     bool // the site has PINs
	HasPin   bool
	Locked   bool // the PIN is
}

type sessionRow struct {
	ID, Label   string
	Used, Until int64
	Current     bool
}

// secret is an input of a password.
type secret struct{ ID, Label, Auto, Fault string }

// Secret is one of the form's inputs.
func (v ownView) Secret(id, label, auto string) secret { return secret{id, label, auto, v.Fault[id]} }

// Own is the page of the caller's own account: its password, and where it is signed in.
func (p *Accounts) Own(a *Ask, f look.Frame) error {
	return p.showOwn(a, f, http.StatusOK, nil)
}

func (p *Accounts) showOwn(a *Ask, f look.Frame, status int, bad fault) error {
	f.Title, f.Path = a.T("account.mine"), "/account"
	v := ownView{Frame: f, Account: a.Who.Account, Staff: a.Who.Staff, Local: a.Who.Local, OneTime: a.Who.OneTime, Fault: bad}
	switch a.Query("done") {
	case "password":
		v.Done = &look.Note{Tone: "info", Mark: "yes", Fact: a.T("account.changed"), Then: a.T("account.changed_then")}
	case "pin":
		v.Done = &look.Note{Tone: "info", Mark: "yes", Fact: a.T("account.pin_changed")}
	case "no-pin":
		v.Done = &look.Note{Tone: "info", Mark: "yes", Fact: a.T("account.pin_gone")}
	case "ended":
		v.Done = &look.Note{Tone: "info", Mark: "yes", Fact: a.T("account.ended")}
	}
	if !v.Local {
		if v.Pins = a.May("GET /desk") && !v.OneTime; v.Pins {
			me, err := p.API.WhoAmI(a.R.Context(), &branchlinev1.Empty{})
			if err != nil {
				return err
			}
			v.HasPin, v.Locked = me.GetHasPin(), me.GetPinLocked()
		}
		res, err := p.API.ListSessions(a.R.Context(), &branchlinev1.Empty{})
		if err != nil {
			return err
		}
		for _, s := range res.GetSessions() {
			v.Sessions = append(v.Sessions, sessionRow{s.GetId(), s.GetLabel(), s.GetUsedAt(), s.GetExpiresAt(), s.GetCurrent()})
			v.Others = v.Others || !s.GetCurrent()
		}
	}
	return p.own.Render(a.W, status, v)
}

// Change takes the forms of Own: a new password, or the end of a session.
func (p *Accounts) Change(a *Ask, f look.Frame) error {
	if a.Form("act") == "end" {
		_, err := p.API.EndSession(a.R.Context(), &branchlinev1.EndSessionRequest{Id: a.Form("id")})
		if err != nil && !errors.Is(err, schema.ErrNotFound) { // it has ended by itself
			return err
		}
		return a.GoTo("/account?done=ended")
	}
	if a.Form("act") == "pin" {
		return p.setPin(a, f)
	}
	next := a.R.PostFormValue("new")
	switch {
	case next == "": // an update without one would change nothing, and say so
		return p.showOwn(a, f, http.StatusBadRequest, fault{"new": a.Sayer().Reason("value is required")})
	case next != a.R.PostFormValue("again"):
		return p.showOwn(a, f, http.StatusBadRequest, fault{"again": a.T("account.not_again")})
	}
	_, err := p.API.UpdateAccount(a.R.Context(), &branchlinev1.UpdateAccountRequest{
		Account: &branchlinev1.Account{Name: a.Who.Account}, Password: next, CurrentPassword: a.R.PostFormValue("current"),
	})
	if err != nil {
		if bad := a.faultOf(err); bad != nil {
			if errors.Is(err, schema.ErrUnsigned) {
				bad = fault{"current": a.Sayer().Reason("is wrong")}
			}
			return p.showOwn(a, f, http.StatusBadRequest, bad)
		}
		return err
	}
	// Every session has ended with the old password: who has just shown both goes on with a new one.
	in, err := p.API.SignIn(a.R.Context(), &branchlinev1.SignInRequest{Account: a.Who.Account, Password: next})
	if err != nil {
		serve.ClearSession(a.W, a.R)
		return a.GoTo("/sign-in")
	}
	serve.SetSession(a.W, a.R, in)
	return a.GoTo("/account?done=password")
}

// setPin gives the caller a PIN, or takes it away.
func (p *Accounts) setPin(a *Ask, f look.Frame) error {
	pin, done := a.R.PostFormValue("pin"), "pin"
	if a.Form("off") != "" {
		pin, done = "", "no-pin"
	} else if pin == "" {
		return p.showOwn(a, f, http.StatusBadRequest, fault{"pin": a.Sayer().Reason("value is required")})
	}
	_, err := p.API.SetPin(a.R.Context(), &branchlinev1.SetPinRequest{Pin: pin, CurrentPassword: a.R.PostFormValue("pin-current")})
	if bad := a.faultOf(err); err != nil && bad != nil {
		if why := bad["current"]; why != "" {
			bad = fault{"pin-current": why}
		}
		return p.showOwn(a, f, http.StatusBadRequest, bad)
	}
	if err != nil {
		return err
	}
	return a.GoTo("/account?done=" + done)
}

// Speak takes the form of the language buttons, POST /lang with lang and next: the language is the account's from now on,
// and before sign-in the browser's. It goes back to next, a path of this site; to the first page when that is anything else.
func (p *Accounts) Speak(a *Ask) error {
	l, ok := look.LangNamed(a.Form("lang"))
	if !ok {
		return schema.Invalid("lang", "%q is no language of the pages", a.Form("lang"))
	}
	if !a.Who.Known() || a.Who.Local {
		look.SetLang(a.W, a.R, l)
		return a.GoTo(look.SafeNext(a.Form("next")))
	}
	_, err := p.API.UpdateAccount(a.R.Context(), &branchlinev1.UpdateAccountRequest{
		Account: &branchlinev1.Account{Name: a.Who.Account, Language: l.Language()},
	})
	if err != nil {
		return err
	}
	return a.GoTo(look.SafeNext(a.Form("next")))
}

type allView struct {
	look.Frame
	Rows   []accountRow
	New    accountRow // the form for another, as typed
	Fault  fault
	Of     string // whose form the fault is of; "": that for another
	Done   *look.Note
	Secret string // a made password, shown once
	For    string // whose
}

type accountRow struct {
	ID, Name, Staff, Person string
	Said                    string // roles in words
	Roles                   []roleChoice
	Branches                []branchChoice
	Where                   string    // branches in words
	Language                look.Lang // "": as the browser asks
	Disabled, Self          bool
	Write                   bool // the caller may write staff records
	Last                    int64
}

// another ends the ids of the form for another account: no account is called so.
const another = "-"

type roleChoice struct {
	Value, Text string
	On          bool
}

type branchChoice struct {
	Code, Text string
	On         bool
}

// List is the administrator's page of all accounts.
func (p *Accounts) List(a *Ask, f look.Frame) error {
	v := allView{}
	switch a.Query("done") {
	case "saved":
		v.Done = &look.Note{Tone: "info", Mark: "yes", Fact: a.T("account.saved", a.Query("of"))}
	case "disabled":
		v.Done = &look.Note{Tone: "info", Mark: "yes", Fact: a.T("account.disabled_now", a.Query("of")), Then: a.T("account.disabled_then")}
	case "enabled":
		v.Done = &look.Note{Tone: "info", Mark: "yes", Fact: a.T("account.enabled_now", a.Query("of"))}
	}
	return p.showAll(a, f, http.StatusOK, v)
}

func (p *Accounts) showAll(a *Ask, f look.Frame, status int, v allView) error {
	f.Title, f.Path = a.T("account.all"), "/accounts"
	v.Frame = f
	res, err := p.API.ListAccounts(a.R.Context(), &branchlinev1.Empty{})
	if err != nil {
		return err
	}
	people, err := a.people(p.Records)
	if err != nil {
		return err
	}
	for _, acc := range res.GetAccounts() {
		row := a.accountRow(acc, people)
		if v.Of == acc.GetName() && len(v.Fault) > 0 {
			typed := a.typed()
			typed.ID, typed.Name, typed.Disabled, typed.Self, typed.Last, typed.Said, typed.Where = row.ID, row.Name, row.Disabled, row.Self, row.Last, row.Said, row.Where
			row = typed
		}
		v.Rows = append(v.Rows, row)
	}
	v.New = a.accountRow(&branchlinev1.Account{}, people)
	if v.Of == "" && len(v.Fault) > 0 {
		v.New = a.typed()
		v.New.ID = another
	}
	return p.all.Render(a.W, status, v)
}

func (a *Ask) accountRow(acc *branchlinev1.Account, people map[string]*branchlinev1.Record) accountRow {
	staff := people[acc.GetStaff()].GetStaff()
	row := accountRow{
		Name: acc.GetName(), Staff: acc.GetStaff(), Person: staff.GetName(), Disabled: acc.GetDisabled(), Last: acc.GetLastSignIn(),
		Self: acc.GetName() == a.Who.Account, ID: cmp.Or(acc.GetName(), another), Write: a.Writes(schema.Staff),
	}
	row.Language, _ = look.LangOf(acc.GetLanguage())
	var roles, sites []string
	for _, r := range access.RolesOf(a.Site) {
		on := slices.Contains(acc.GetRoles(), r)
		row.Roles = append(row.Roles, roleChoice{access.Name(r), a.Look.Word(a.Lang, "role", r), on})
		if on {
			roles = append(roles, a.Look.Word(a.Lang, "role", r))
		}
	}
	for _, code := range a.Names().Sites() {
		on := slices.Contains(staff.GetBranches(), code)
		row.Branches = append(row.Branches, branchChoice{code, a.SiteName(code), on})
		if on {
			sites = append(sites, a.SiteName(code))
		}
	}
	row.Said, row.Where = a.List(roles), a.List(sites)
	return row
}

// typed is the form of an account as it was sent.
func (a *Ask) typed() accountRow {
	row := a.accountRow(&branchlinev1.Account{Name: a.Form("name"), Staff: a.Form("staff"), Language: a.language()}, nil)
	row.Person = a.Form("person")
	for i := range row.Roles {
		row.Roles[i].On = slices.Contains(a.R.PostForm["roles"], row.Roles[i].Value)
	}
	for i := range row.Branches {
		row.Branches[i].On = slices.Contains(a.R.PostForm["branches"], row.Branches[i].Code)
	}
	return row
}

// Keep takes the forms of List: another account, roles and branches, a new password, an account closed or opened again.
func (p *Accounts) Keep(a *Ask, f look.Frame) error {
	name, of := a.Form("name"), a.Form("of")
	again := func(err error) error {
		if bad := a.faultOf(err); bad != nil {
			return p.showAll(a, f, http.StatusBadRequest, allView{Fault: bad, Of: of})
		}
		return err
	}
	roles, err := a.roles()
	if err != nil {
		return err
	}
	switch a.Form("act") {
	case "make":
		res, err := p.API.CreateAccount(a.R.Context(), &branchlinev1.CreateAccountRequest{
			Account: &branchlinev1.Account{Name: cmp.Or(name, "?"), Staff: a.Form("staff"), Roles: roles, Language: a.language()},
		})
		if err != nil {
			return again(err)
		}
		// The account is made: what is wrong with the person's record is said beside its password.
		v := allView{Secret: res.GetPassword(), For: res.GetAccount().GetName()}
		if err := p.person(a, cmp.Or(a.Form("staff"), v.For), roles); err != nil {
			v.Fault, v.Of = fault{"person": a.T("account.person_not_saved")}, v.For
		}
		return p.showAll(a, f, http.StatusOK, v)
	case "save":
		acc, err := p.find(a, of)
		if err != nil {
			return err
		}
		if len(roles) == 0 {
			return p.showAll(a, f, http.StatusBadRequest, allView{Fault: fault{"roles": a.T("account.roles_needed")}, Of: of})
		}
		acc.Staff, acc.Roles, acc.Language = cmp.Or(a.Form("staff"), acc.GetStaff()), roles, a.language()
		if _, err := p.API.UpdateAccount(a.R.Context(), &branchlinev1.UpdateAccountRequest{Account: acc}); err != nil {
			return again(err)
		}
		if err := p.person(a, acc.GetStaff(), roles); err != nil {
			return p.showAll(a, f, http.StatusBadRequest, allView{Fault: fault{"person": a.T("account.person_not_saved")}, Of: of})
		}
		return a.GoTo("/accounts?" + saved("saved", of))
	case "password":
		made, err := p.password()
		if err != nil {
			return err
		}
		acc, err := p.find(a, of)
		if err != nil {
			return err
		}
		if _, err := p.API.UpdateAccount(a.R.Context(), &branchlinev1.UpdateAccountRequest{Account: acc, Password: made}); err != nil {
			return again(err)
		}
		return p.showAll(a, f, http.StatusOK, allView{Secret: made, For: of})
	case "disable", "enable":
		acc, err := p.find(a, of)
		if err != nil {
			return err
		}
		acc.Disabled = a.Form("act") == "disable"
		if _, err := p.API.UpdateAccount(a.R.Context(), &branchlinev1.UpdateAccountRequest{Account: acc}); err != nil {
			return again(err)
		}
		return a.GoTo("/accounts?" + saved(a.Form("act")+"d", of))
	}
	return schema.Invalid("act", "%q is nothing to do with an account", a.Form("act"))
}

// language is the one chosen in the form; unspecified when none is.
func (a *Ask) language() branchlinev1.Language {
	l, ok := look.LangNamed(a.Form("language"))
	if !ok {
		return branchlinev1.Language_LANGUAGE_UNSPECIFIED
	}
	return l.Language()
}

// roles are those ticked in the form. ErrInvalid.
func (a *Ask) roles() ([]branchlinev1.Role, error) {
	_ = a.Form("act") // reads the form
	var out []branchlinev1.Role
	for _, name := range a.R.PostForm["roles"] {
		r, err := access.Named(name)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// find is an account as it stands. ErrNotFound.
func (p *Accounts) find(a *Ask, name string) (*branchlinev1.Account, error) {
	res, err := p.API.ListAccounts(a.R.Context(), &branchlinev1.Empty{})
	if err != nil {
		return nil, err
	}
	for _, acc := range res.GetAccounts() {
		if acc.GetName() == name {
			return acc, nil
		}
	}
	return nil, fmt.Errorf("account %s: %w", name, schema.ErrNotFound)
}

func (p *Accounts) password() (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return account.MakePassword(p.rand)
}
