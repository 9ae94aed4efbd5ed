// Package web is headquarters' pages: group figures, the fleet of branches, quarantine, search, who is one customer,
// customers and cars of the whole group; server-rendered, in zh-CN, zh-TW and en, over HQ's API and nothing else. Every
// call is made as the person who asked for the page, so a page shows what that person's roles may see.
//
// Rules:
//   - A page is a struct and a template, rendered into memory. Handlers return errors; fault.go turns them into pages.
//   - What a role may not do is not shown. The rules are those of schema/access; no page has rules of its own.
//   - A figure stands beside its table, over its formula, and says up to when each branch is counted. What will still
//     grow because a branch is silent is hatched and written so; nobody has to guess which.
//   - Forms work without scripts; a POST answers with a redirect.
//   - An open page is told over GET /events and replaces its live parts; focus, what is open and what is typed stay.
//
// It promises no words of its own but those of the catalogues, no address outside the site and no inline script or
// style. It stores nothing: what is kept in memory are the names of sites and staff, read again every half minute, and
// how many questions are open.
package web

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"branchline/hq/report"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
	"branchline/schema/look/say"
	"branchline/schema/serve"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed words/*.toml
var wordFiles embed.FS

// Words is headquarters' own catalogue.
func Words() fs.FS {
	own, err := fs.Sub(wordFiles, "words")
	if err != nil {
		panic(err) // only an invalid path fails, and this one is fixed
	}
	return own
}

// Config says what the pages stand on. All but Group, Files and Changes is required.
type Config struct {
	// Group says what the dealer group is called; nil or "": the company's name where there is one only.
	Group func() string
	// CA is the PEM of the group's certificate authority, for the page on how to trust it; nil: there is none.
	CA   func() []byte
	Zone *time.Location // for days and clock times
	// ZoneNow, if not nil, is asked in place of Zone: it may be another while HQ runs.
	ZoneNow func() *time.Location
	Now     func() time.Time
	Rand    io.Reader // passwords the pages make
	Log     *slog.Logger

	// Views and Links are the parts of the API that tell of many records at once.
	Views Views
	Links Links
	// Files of attachments; nil: none are shown.
	Files Files
	// Changes feeds GET /events; nil: open pages only follow the clock.
	Changes front.Changes
}

// Views gives many records at once; *api.Records does.
type Views interface {
	// Views: see api.Records.
	Views(ctx context.Context, names []string, golden bool) (views map[string]*branchlinev1.Record, owners []*branchlinev1.Owner, err error)
}

// Links gives what many registrations hang together by; *api.Match does.
type Links interface {
	// Links: see api.Match.
	Links(ctx context.Context, names []string) ([]*branchlinev1.MatchStep, error)
}

// Site is headquarters' pages. It may be used from any goroutine after Register.
type Site struct {
	c     Config
	look  *look.Look
	said  *look.Words // the reports' sentences
	pages pages
	names front.Directory
	open  openCount

	accounts *front.Accounts
	trust    *front.Trust
	api      *serve.Client // set by Register
}

// pages are the parsed templates.
type pages struct {
	home, reports, fleet, quarantine, search, customer, vehicle *look.Page
	match, explain, members, decisions, events                  *look.Page
	over                                                        *look.Page
}

// New checks everything and parses the pages. It starts nothing; Register mounts them.
func New(c Config) (*Site, error) {
	if c.Zone == nil && c.ZoneNow == nil || c.Now == nil || c.Rand == nil || c.Log == nil || c.Views == nil || c.Links == nil {
		return nil, errors.New("web: config needs Zone, Now, Rand, Log, Views and Links")
	}
	if c.ZoneNow == nil {
		c.ZoneNow = func() *time.Location { return c.Zone }
	}
	l, err := look.New(look.Config{Words: []fs.FS{Words(), front.Words(), say.Words(), report.Words()}, ZoneNow: c.ZoneNow})
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	said, err := look.LoadWords(report.Words())
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s := &Site{c: c, look: l, said: said}
	if s.accounts, err = front.NewAccounts(l, c.Rand); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	if s.trust, err = front.NewTrust(l, c.CA); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	for name, p := range map[string]**look.Page{
		"home": &s.pages.home, "reports": &s.pages.reports, "fleet": &s.pages.fleet, "quarantine": &s.pages.quarantine,
		"search": &s.pages.search, "customer": &s.pages.customer, "vehicle": &s.pages.vehicle,
		"match": &s.pages.match, "explain": &s.pages.explain, "members": &s.pages.members, "decisions": &s.pages.decisions, "matchevents": &s.pages.events,
		"over": &s.pages.over,
	} {
		if *p, err = l.Page(templates, "templates/"+name+".html", "templates/parts.html", "templates/matchparts.html"); err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
	}
	return s, nil
}

// Register mounts every page on p; api is the site's own, called as whoever asks. It is serve.Config.Pages, called once.
// It fails for a route that the rule table does not know.
func (s *Site) Register(p *access.Pages, api *serve.Client) error {
	s.api = api
	s.accounts.API, s.accounts.Records = api.Accounts, api.Records
	p.Deny = s.deny
	if err := p.Handle("GET /static/", s.look.Static()); err != nil {
		return err
	}
	for route, h := range map[string]func(*ask) error{
		"/":              s.missing,
		"GET /sign-in":   s.door(front.Door.Page),
		"POST /sign-in":  s.door(front.Door.SignIn),
		"POST /sign-out": s.door(front.Door.SignOut),

		"GET /trust":                s.trustPage,
		"POST /lang":                func(a *ask) error { return s.accounts.Speak(&a.Ask) },
		"GET /account":              s.account((*front.Accounts).Own),
		"POST /account":             s.account((*front.Accounts).Change),
		"GET /accounts":             s.account((*front.Accounts).List),
		"POST /accounts":            s.account((*front.Accounts).Keep),
		"GET /events":               s.events,
		"GET /reports":              s.reportsFirst,
		"GET /reports/{report}/csv": s.reportCSV,
		"POST /quarantine":          s.settle,
		"GET /overdrawn":            s.overdrawn,
		"POST /overdrawn":           s.bear,
		"POST /customers/{id}/pins": s.pins,
		"GET /search":               s.search,
		"GET /serviceOrders/{id}":   s.order,

		"GET /attachments/{id}/file":  s.fileShow,
		"GET /attachments/{id}/thumb": s.thumbShow,

		"GET /match":                   s.match,
		"GET /match/next":              s.matchNext,
		"POST /match":                  s.decide,
		"POST /match/withdraw":         s.withdraw,
		"GET /match/decisions":         s.decisions,
		"GET /match/events":            s.matchEvents,
		"GET /match/explain":           s.explain,
		"GET /customers/{id}/members":  s.members,
		"POST /customers/{id}/members": s.cut,
	} {
		if err := p.Handle(route, s.handle(h)); err != nil {
			return err
		}
	}
	for _, v := range s.views() {
		if err := p.Handle(v.Route, s.handle(show(v))); err != nil {
			return err
		}
	}
	return nil
}
