package web

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/front"
)

// ask is one request and who makes it.
type ask struct {
	front.Ask
	s  *Site
	id string // {id} of the route
	// refused is the form of the page that was just refused; none while the page is only looked at.
	refused acts
	// ids are the request ids of the page's forms, given how many of them it has had; see requestID.
	ids   []string
	given int
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
	a := &ask{Ask: front.NewAsk(access.Node, s.look, s.c.Now(), w, r), s: s, id: r.PathValue("id")}
	a.Names = func() *front.Names { return s.namesFor(r.Context()) }
	return a
}

// namesFor are what codes are called. Nobody in particular asks: the sign-in page names the site too.
func (s *Site) namesFor(ctx context.Context) *front.Names {
	if !s.isBranch() {
		return &front.Names{}
	}
	ctx = access.With(ctx, access.Caller{Account: "pages", Roles: access.BranchRoles()})
	return s.names.Read(ctx, s.c.Now(), s.c.Records, s.c.Log)
}

// sees tells whether a field is shown to the caller at all.
func (a *ask) sees(k schema.Kind, field string) bool {
	f := schema.KindOf(k).Field(field)
	return f != nil && !access.HideFor(a.Who.Roles)(f)
}

func (a *ask) branch() string { return string(a.s.c.Branch()) }

func (a *ask) today() string { return a.s.look.Day(a.Now) }

// requestID is new for each form that makes something. A page that is made again while it stays open has the ones it had:
// a part in which nothing else changed is not sent again.
func (a *ask) requestID() (string, error) {
	if a.given == len(a.ids) {
		var b [16]byte
		if _, err := io.ReadFull(a.s.c.Rand, b[:]); err != nil {
			return "", fmt.Errorf("web: request id: %w", err)
		}
		a.ids = append(a.ids, hex.EncodeToString(b[:]))
	}
	a.given++
	return a.ids[a.given-1], nil
}

// frame is what stands around a page. active is the id of a rail item.
func (a *ask) frame(title, active string) look.Frame {
	n := a.Names()
	f := look.Frame{
		Lang: a.Lang, Now: a.Now, Title: title, SiteName: n.Site(a.branch()), GroupName: n.GroupOf(a.branch()),
		Path: a.R.URL.RequestURI(), Active: active,
		Find: look.Find{Action: "/search", Query: a.Query("q"), Live: true},
		User: a.Person(),
		Live: "/events", Sent: a.R.Method == http.MethodPost,
	}
	if !a.Reads(schema.Customer) {
		f.Find.Hint = a.T("search.hint_cars")
	}
	line, err := a.s.c.Site.GetLine(a.R.Context(), &branchlinev1.Empty{})
	if err != nil {
		a.s.c.Log.Warn("line state not shown", "room", "web", "error", err)
	} else {
		f.Line = lineState(line)
	}
	for _, it := range []struct{ id, href, key string }{
		{"home", "/", "rail.home"},
		{"appointments", "/appointments", "rail.appointments"},
		{"work", "/work", "rail.work"},
		{"board", "/board", "rail.board"},
		{"customers", "/customers", "rail.customers"},
		{"vehicles", "/vehicles", "rail.vehicles"},
		{"orders", "/serviceOrders", "rail.orders"},
		{"parts", "/parts", "rail.parts"},
		{"till", "/till", "rail.till"},
		{"line", "/line", "rail.line"},
	} {
		route := "GET " + it.href
		if it.href == "/" {
			route = "GET /{$}"
		}
		if !a.May(route) {
			continue
		}
		item := look.RailItem{ID: it.id, Href: it.href, Text: a.T(it.key), Wide: wide(it.id) || it.id == "work" && !technicians(a.Who.Roles)}
		if it.id == "line" {
			item.Count = line.GetLookAt()
		}
		f.Rail = append(f.Rail, item)
	}
	return f
}

// wide tells whether an item of the rail is one that a phone finds under "more".
func wide(id string) bool {
	switch id {
	case "appointments", "orders", "parts", "till", "line":
		return true
	}
	return false
}

// live is frame for a page whose live part follows what happens.
func (a *ask) live(title, active string) look.Frame {
	f := a.frame(title, active)
	f.Live = "/events?on=" + url.QueryEscape(a.R.URL.RequestURI())
	return f
}

// bare is frame before anybody is signed in.
func (a *ask) bare(title string) look.Frame {
	n := a.Names()
	site := n.Site(a.branch())
	if site == "" {
		site = "Branchline"
	}
	return look.Frame{
		Lang: a.Lang, Now: a.Now, Title: title, SiteName: site, GroupName: n.GroupOf(a.branch()),
		Path: a.R.URL.RequestURI(), Bare: true,
	}
}

func lineState(l *branchlinev1.LineStatus) look.LineState {
	st := look.LineState{Kind: look.LineDown, Href: "/line", Waiting: waiting(l), Heard: l.GetLastHeard()}
	if l.GetLinked() {
		st.Kind = look.LineUp
	}
	return st
}

// waiting is how many own changes HQ has not committed.
func waiting(l *branchlinev1.LineStatus) int64 { return l.GetSaved() + l.GetAtDoor() }
