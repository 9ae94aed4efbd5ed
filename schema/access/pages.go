package access

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"branchline/schema"
)

// Pages registers a site's page routes, each behind its rule. A route is what http.ServeMux takes, method first:
// "GET /customers/{id}". It is used by one goroutine while a site is put together.
type Pages struct {
	site   Site
	mux    *http.ServeMux
	routes []string

	// Deny answers a request that the rules turn away: err is schema.ErrUnsigned (ask for sign-in) or
	// schema.ErrForbidden. The site's pages may set it; what New puts there asks browsers to sign in.
	Deny func(w http.ResponseWriter, r *http.Request, err error)
}

// NewPages registers on mux.
func NewPages(site Site, mux *http.ServeMux) *Pages {
	return &Pages{site: site, mux: mux, Deny: deny}
}

// Handle registers a route. Whoever signed in with a password for one use is led to
// /account from all routes but those of MayFirst. It fails when the table has no rule for it. Callers are looked up by CallerFrom.
func (p *Pages) Handle(route string, h http.Handler) error {
	r, ok := find(p.site, route)
	if !ok {
		return fmt.Errorf("access: the route %q has no rule at %s: add a line to the table in schema/access", route, p.site)
	}
	p.routes = append(p.routes, route)
	p.mux.HandleFunc(route, func(w http.ResponseWriter, req *http.Request) {
		c := CallerFrom(req.Context())
		switch {
		case c.OneTime && !MayFirst(route):
			http.Redirect(w, req, "/account", http.StatusSeeOther)
		case r.allows(c.Roles):
			h.ServeHTTP(w, req)
		case c.Known():
			p.Deny(w, req, schema.ErrForbidden)
		default:
			p.Deny(w, req, schema.ErrUnsigned)
		}
	})
	return nil
}

// HandleFunc is Handle for a function.
func (p *Pages) HandleFunc(route string, h func(http.ResponseWriter, *http.Request)) error {
	return p.Handle(route, http.HandlerFunc(h))
}

// Site is the site the pages are of.
func (p *Pages) Site() Site { return p.site }

// Routes are the registered routes, for a test that walks every page.
func (p *Pages) Routes() []string { return slices.Clone(p.routes) }

func deny(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusForbidden
	if err == schema.ErrUnsigned {
		status = http.StatusUnauthorized
		if r.Method == http.MethodGet && r.Header.Get("Authorization") == "" {
			http.Redirect(w, r, "/sign-in?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
			return
		}
	}
	http.Error(w, err.Error(), status)
}
