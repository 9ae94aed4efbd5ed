// Package web is the branch's pages: server-rendered, in zh-CN, zh-TW and en, over the API of the branch and nothing
// else. Every call is made as the person who asked for the page, so a page shows what that person's roles may see.
//
// Rules:
//   - A page is a struct and a template, rendered into memory. Handlers return errors; fault.go turns them into pages.
//   - Every form works without scripts. A form that makes something carries a request id, so that sending it twice makes
//     it once; one that edits carries the etag and the values of the page the person saw. What was typed is never lost.
//   - What a role may not do is not shown. The rules are those of schema/access; no page has rules of its own.
//   - An open page is told over GET /events and replaces its live part; focus and what is being typed stay: a part with a
//     form in it waits while somebody writes there (held.js).
//
// It promises no words of its own but those of the catalogues, no address outside the site and no inline script or
// style. It stores nothing: what is kept in memory are the names of sites and staff, read again every half minute.
package web

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/schema/look"
	"branchline/schema/look/front"
	"branchline/schema/look/say"
)

//go:embed templates/*.html
var templates embed.FS

//go:embed words/*.toml
var wordFiles embed.FS

// Words is the branch's own catalogue.
func Words() fs.FS {
	own, err := fs.Sub(wordFiles, "words")
	if err != nil {
		panic(err) // only an invalid path fails, and this one is fixed
	}
	return own
}

// Enrolment makes a node without enrolment a branch.
type Enrolment interface {
	// Enrolled tells whether this is a branch. It may become one while the pages are being served, and stays one.
	Enrolled() bool
	// Enrol trades a token for a registration, blocking until that is done or ctx ends. schema.ErrInvalid: this is no
	// token, or a damaged one. ErrForbidden: it was used, has expired or is another branch's. ErrUnavailable: HQ cannot
	// be reached.
	Enrol(ctx context.Context, token string) error
}

// Views gives many golden records at once; *api.Records does.
type Views interface {
	// Views: see api.Records.
	Views(ctx context.Context, names []string) (views map[string]*branchlinev1.Record, owners []*branchlinev1.Owner, err error)
}

// Config says what the pages stand on. All but Files, Changes, Enrol and CA are required.
type Config struct {
	// The API of this site, as serve gives it to its pages: calls are made with the caller that is in the context.
	Records  branchlinev1connect.RecordServiceHandler
	Site     branchlinev1connect.SiteServiceHandler
	Accounts branchlinev1connect.AccountServiceHandler
	Counter  branchlinev1connect.CounterServiceHandler
	Workshop branchlinev1connect.WorkshopServiceHandler
	Views    Views

	// Files takes and gives the files of attachments; nil: there are none.
	Files Files

	// Branch is this branch's code; "" as long as it is not enrolled.
	Branch func() schema.BranchID
	// Changes feeds GET /events; nil: open pages only follow the clock.
	Changes front.Changes
	// Enrol is nil where the node is enrolled for certain.
	Enrol Enrolment
	// CA is the PEM of the group's certificate authority, for the page on how to trust it; nil or empty: there is none.
	CA func() []byte

	Zone *time.Location // the branch's, for days and clock times
	// ZoneNow, if not nil, is asked in place of Zone: the zone may be told to the branch while it runs.
	ZoneNow func() *time.Location
	Now     func() time.Time
	Rand    io.Reader // request ids of forms
	Log     *slog.Logger
}

// Site is the branch's pages. It may be used from any goroutine.
type Site struct {
	c     Config
	look  *look.Look
	pages pages
	names front.Directory

	accounts *front.Accounts
	trust    *front.Trust
	desk     *front.Desk
}

// pages are the parsed templates.
type pages struct {
	enrol                    *look.Page
	home, line, search, list *look.Page
	arrived                  *look.Page
	board, move, partlist    *look.Page
	loans                    *look.Page
	customer, vehicle, order *look.Page
	form, clash, ask, pick   *look.Page
	money, purse, card       *look.Page
	till, over, fapiao       *look.Page
	record, work             *look.Page
	reception, bookings      *look.Page
	jobcard, quote, bills    *look.Page
	inspection, inspectPrint *look.Page
	answer, promise, tell    *look.Page
	claim, claims, comebacks *look.Page
}

// New checks everything and parses the pages. It starts nothing; Register mounts them.
func New(c Config) (*Site, error) {
	if c.Records == nil || c.Site == nil || c.Accounts == nil || c.Counter == nil || c.Workshop == nil || c.Views == nil || c.Branch == nil || c.Zone == nil && c.ZoneNow == nil || c.Now == nil ||
		c.Rand == nil || c.Log == nil {
		return nil, errors.New("web: config needs Records, Site, Accounts, Counter, Workshop, Branch, Zone, Now, Rand and Log")
	}
	if c.ZoneNow == nil {
		c.ZoneNow = func() *time.Location { return c.Zone }
	}
	l, err := look.New(look.Config{Words: []fs.FS{say.Words(), front.Words(), Words()}, ZoneNow: c.ZoneNow})
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s := &Site{c: c, look: l}
	if s.accounts, err = front.NewAccounts(l, c.Rand); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s.accounts.API, s.accounts.Records = c.Accounts, c.Records
	if s.trust, err = front.NewTrust(l, c.CA); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	if s.desk, err = front.NewDesk(l); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s.desk.API, s.desk.Home = c.Accounts, homeOf
	for name, p := range map[string]**look.Page{
		"enrol": &s.pages.enrol, "home": &s.pages.home, "line": &s.pages.line,
		"search": &s.pages.search, "list": &s.pages.list, "customer": &s.pages.customer, "vehicle": &s.pages.vehicle,
		"order": &s.pages.order, "form": &s.pages.form, "pick": &s.pages.pick, "clash": &s.pages.clash,
		"board": &s.pages.board, "move": &s.pages.move, "partlist": &s.pages.partlist, "loans": &s.pages.loans,
		"ask": &s.pages.ask, "arrived": &s.pages.arrived, "money": &s.pages.money, "purse": &s.pages.purse, "card": &s.pages.card,
		"answer": &s.pages.answer, "promise": &s.pages.promise, "tell": &s.pages.tell,
		"till": &s.pages.till, "over": &s.pages.over, "fapiao": &s.pages.fapiao, "record": &s.pages.record, "work": &s.pages.work, "reception": &s.pages.reception, "bookings": &s.pages.bookings,
		"inspection": &s.pages.inspection, "inspect_print": &s.pages.inspectPrint,
		"jobcard": &s.pages.jobcard, "quote": &s.pages.quote, "bills": &s.pages.bills,
		"claim": &s.pages.claim, "claims": &s.pages.claims, "comebacks": &s.pages.comebacks,
	} {
		files := append([]string{"templates/" + name + ".html", "templates/parts.html", "templates/photos.html", "templates/sign.html"}, parts(name)...)
		if *p, err = l.Page(templates, files...); err != nil {
			return nil, fmt.Errorf("web: %w", err)
		}
	}
	return s, nil
}

// parts are the templates that a page has beside those all have.
func parts(page string) []string {
	switch page {
	case "order":
		return []string{"templates/order_affairs.html", "templates/order_parts.html", "templates/order_inspection.html", "templates/order_print.html", "templates/order_work.html", "templates/order_talk.html"}
	case "vehicle":
		return []string{"templates/order_inspection.html"}
	case "answer", "promise":
		return []string{"templates/order_talk.html"}
	case "jobcard":
		return []string{"templates/paper.html", "templates/sketch.html"}
	case "quote", "bills":
		return []string{"templates/paper.html"}
	case "inspection":
		return []string{"templates/sketch.html", "templates/inspect_sheet.html"}
	case "inspect_print":
		return []string{"templates/sketch.html", "templates/inspect_sheet.html", "templates/paper.html"}
	}
	return nil
}

// Register mounts every page. It fails for a route that the rule table does not know.
func (s *Site) Register(p *access.Pages) error {
	p.Deny = s.deny
	if err := p.Handle("GET /static/", s.look.Static()); err != nil {
		return err
	}
	for route, h := range map[string]func(*ask) error{
		"GET /enrol":     s.enrolPage,
		"POST /enrol":    s.enrol,
		"GET /trust":     s.trustPage,
		"GET /sign-in":   s.door(front.Door.Page),
		"POST /sign-in":  s.door(front.Door.SignIn),
		"POST /sign-out": s.door(front.Door.SignOut),
		"GET /desk":      s.deskPage((*front.Desk).Show),
		"POST /desk":     s.deskPage((*front.Desk).Take),
		"POST /lang":     func(a *ask) error { return s.accounts.Speak(&a.Ask) },
		"/":              s.missing,
	} {
		if err := p.Handle(route, s.handle(h)); err != nil {
			return err
		}
	}
	for route, h := range map[string]func(*ask) error{
		"GET /search":  s.search,
		"GET /arrived": s.arrived,

		"GET /board/move":                s.boardMove,
		"POST /board/move":               s.boardMoved,
		"POST /parts":                    s.partsAct,
		"POST /loans":                    s.loanAct,
		"POST /serviceOrders/{id}/parts": s.orderPartsAct,

		"GET /records/{collection}/{id}": s.record,

		"GET /account":   s.account((*front.Accounts).Own),
		"POST /account":  s.account((*front.Accounts).Change),
		"GET /accounts":  s.account((*front.Accounts).List),
		"POST /accounts": s.account((*front.Accounts).Keep),

		"GET /events": s.events,

		"GET /customers":               s.customers,
		"GET /customers/new":           s.customerNew,
		"GET /customers/pick":          s.customersPick,
		"GET /customers/pick.csv":      s.customersPickCSV,
		"POST /customers":              s.customerCreate,
		"POST /customers/like":         s.customerLike,
		"GET /customers/{id}/edit":     s.customerEdit,
		"POST /customers/{id}":         s.customerUpdate,
		"POST /customers/{id}/restore": s.customerRestore,
		"POST /customers/{id}/keep":    s.customerKeep,

		"GET /contacts/new":        s.contactNew,
		"POST /contacts":           s.contactCreate,
		"GET /contacts/{id}/edit":  s.contactEdit,
		"POST /contacts/{id}":      s.contactUpdate,
		"POST /contacts/{id}/done": s.contactDone,

		"GET /insurancePolicies/new":       s.policyNew,
		"POST /insurancePolicies":          s.policyCreate,
		"GET /insurancePolicies/{id}/edit": withForm(s.policyCars, s.editPage),
		"POST /insurancePolicies/{id}":     withForm(s.policyCars, s.update),

		"GET /claims/new":         s.claimNew,
		"POST /claims":            s.claimCreate,
		"GET /claims/{id}":        s.claim,
		"GET /claims/{id}/edit":   withForm(s.claimOptions, s.editPage),
		"POST /claims/{id}":       withForm(s.claimOptions, s.update),
		"POST /claims/{id}/lines": s.claimLines,
		"POST /claims/{id}/step":  s.claimStep,

		"GET /comebacks": s.comebacks,

		"GET /serviceOrders/{id}/edit":      withForm(s.orderEditor, s.editPage),
		"POST /serviceOrders/{id}":          withForm(s.orderEditor, s.update),
		"GET /serviceOrders/{id}/transfer":  s.transferForm,
		"POST /serviceOrders/{id}/transfer": s.transfer,

		"GET /vehicles":               s.vehicles,
		"GET /vehicles/new":           s.vehicleNew,
		"POST /vehicles":              s.vehicleCreate,
		"GET /vehicles/{id}/edit":     s.vehicleEdit,
		"POST /vehicles/{id}":         s.vehicleUpdate,
		"POST /vehicles/{id}/restore": s.vehicleRestore,
		"POST /vehicles/{id}/keep":    s.vehicleKeep,
		"GET /history":                s.historyAsk,
		"POST /history":               s.historyAnswer,

		"GET /serviceOrders":                s.orders,
		"GET /serviceOrders/new":            s.reception,
		"POST /serviceOrders/new":           s.receptionLook,
		"POST /serviceOrders":               s.receive,
		"POST /serviceOrders/{id}/state":    s.orderState,
		"POST /serviceOrders/{id}/work":     s.orderWork,
		"POST /work":                        s.workAct,
		"GET /serviceOrders/{id}/lines/new": s.lineNew,
		"POST /serviceOrders/{id}/lines":    s.lineCreate,
		"GET /serviceLines/{id}/edit":       s.lineEdit,
		"POST /serviceLines/{id}":           s.lineUpdate,

		"GET /serviceOrders/{id}/inspection":  s.inspectionOf,
		"POST /serviceOrders/{id}/inspection": s.inspectionCreate,
		"GET /inspections/{id}":               s.inspection,
		"POST /inspections/{id}":              s.inspectionUpdate,
		"GET /inspections/{id}/print":         s.inspectionPrint,
		"GET /serviceOrders/{id}/answer":      s.orderAnswer,
		"POST /serviceOrders/{id}/answer":     s.orderAnswered,
		"POST /serviceOrders/{id}/promise":    s.orderPromise,
		"GET /serviceOrders/{id}/tell":        s.orderTell,
		"POST /serviceOrders/{id}/tell":       s.orderTold,
		"POST /serviceOrders/{id}/package":    s.orderPackage,

		"GET /appointments":            s.bookings,
		"GET /appointments/new":        s.bookingNew,
		"POST /appointments":           s.bookingCreate,
		"GET /appointments/{id}":       s.booking,
		"GET /appointments/{id}/edit":  withForm(s.bookingEditor, s.editPage),
		"POST /appointments/{id}":      withForm(s.bookingEditor, s.update),
		"POST /appointments/{id}/step": s.bookingStep,

		"POST /notes": s.noteCreate,

		"GET /serviceOrders/{id}/jobcard":    s.jobCard,
		"GET /serviceOrders/{id}/quote":      s.quote,
		"GET /serviceOrders/{id}/settlement": s.bills,

		"GET /serviceOrders/{id}/money":  s.orderMoney,
		"POST /serviceOrders/{id}/money": s.orderMoneyAct,
		"GET /customers/{id}/purse":      s.purse,
		"POST /customers/{id}/purse":     s.purseAct,
		"GET /packageCards/{id}":         s.cardPage,
		"POST /packageCards/{id}":        s.cardBack,
		"GET /till":                      s.tillPage,
		"POST /till":                     s.tillClose,
		"GET /overdrawn":                 s.overdrawnPage,
		"POST /overdrawn":                s.bear,
		"GET /fapiaos":                   s.fapiaos,
		"GET /fapiaos/csv":               s.fapiaoCSV,
		"POST /fapiaos/{id}":             s.fapiaoEnter,

		"POST /attachments":             s.fileCreate,
		"POST /attachments/{id}/retire": s.fileRetire,
		"GET /attachments/{id}/file":    s.fileShow,
		"GET /attachments/{id}/thumb":   s.thumbShow,
	} {
		if err := p.Handle(route, s.handle(s.enrolled(h))); err != nil {
			return err
		}
	}
	for _, v := range s.views() {
		if err := p.Handle(v.Route, s.handle(s.enrolled(show(v)))); err != nil {
			return err
		}
	}
	return nil
}

// view is a page that keeps itself fresh.
type view = front.View[*ask]

func (s *Site) views() []view {
	record := []string{"live-head", "live-left", "live-right", "live-notes"}
	return []view{
		{Route: "GET /{$}", Make: s.home, Parts: []string{"live-left", "live-right"}, Clock: []string{"live-head", "live-due", "live-mine", "live-heard"}},
		{Route: "GET /claims", Make: s.claims, Parts: []string{"live-left"}},
		{Route: "GET /line", Make: s.line, Parts: []string{"live-left", "live-right"}, Clock: []string{"live-heard"}},
		{Route: "GET /work", Make: s.work, Parts: []string{"live-run", "live-head", "live-left"}, Clock: []string{"live-run", "live-head"}},
		{Route: "GET /customers/{id}", Make: s.customer, Parts: record},
		{Route: "GET /vehicles/{id}", Make: s.vehicle, Parts: record},
		{Route: "GET /board", Make: s.board, Clock: []string{"live-sum", "live-picks", "live-board"}},
		{Route: "GET /loans", Make: s.loans, Clock: []string{"live-sum", "live-left"}},
		{Route: "GET /parts", Make: s.parts, Parts: []string{"live-calls", "live-late", "live-waits"}},
		{Route: "GET /serviceOrders/{id}", Make: s.order, Parts: slices.Concat(record, []string{"live-photos", "live-promise", "live-work", "live-parts", "live-step"})},
	}
}

func show(v view) func(*ask) error {
	return func(a *ask) error {
		page, data, err := v.Make(a)
		if err != nil {
			return err
		}
		return page.Render(a.W, http.StatusOK, data)
	}
}

// enrolled sends people of a node that is no branch yet to the only page it has.
func (s *Site) enrolled(h func(*ask) error) func(*ask) error {
	return func(a *ask) error {
		if !s.isBranch() {
			return a.GoTo("/enrol")
		}
		return h(a)
	}
}

func (s *Site) isBranch() bool { return s.c.Enrol == nil || s.c.Enrol.Enrolled() }
