package web

import (
	"context"
	"sync"
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// keepNames is how long the names of sites and staff are shown without asking again.
const keepNames = 30 * time.Second

// directory keeps what codes are called: sites, companies, colleagues. Every role of HQ may see these.
type directory struct {
	mu   sync.Mutex
	kept *names
	at   time.Time
}

type names struct {
	sites     map[string]string
	companies map[string]string
	staff     map[string]string
}

// names are those kept, or from the API when they are old. When it does not answer, old names are better than none.
func (a *ask) names() *names {
	d := &a.s.names
	d.mu.Lock()
	defer d.mu.Unlock()
	now := a.s.c.Now()
	if d.kept != nil && now.Sub(d.at) < keepNames && !now.Before(d.at) {
		return d.kept
	}
	n, err := readNames(context.WithoutCancel(a.r.Context()), a.s)
	switch {
	case err == nil:
		d.kept, d.at = n, now
	case d.kept == nil:
		a.s.c.Log.Warn("names of sites not read", "room", "hq/web", "error", err)
		return &names{}
	default:
		a.s.c.Log.Warn("names of sites not read again", "room", "hq/web", "error", err)
	}
	return d.kept
}

func readNames(ctx context.Context, s *Site) (*names, error) {
	n := &names{sites: map[string]string{}, companies: map[string]string{}, staff: map[string]string{}}
	for _, collection := range []string{"branches", "legalEntities", "staff"} {
		req := &branchlinev1.ListRecordsRequest{Collection: collection, PageSize: 1000}
		for {
			res, err := s.api.Records.ListRecords(ctx, req)
			if err != nil {
				return nil, err
			}
			for _, r := range res.GetRecords() {
				n.add(r)
			}
			if req.PageToken = res.GetNextPageToken(); req.PageToken == "" {
				break
			}
		}
	}
	return n, nil
}

func (n *names) add(r *branchlinev1.Record) {
	switch b := r.GetBody().(type) {
	case *branchlinev1.Record_Branch:
		n.sites[b.Branch.GetCode()] = b.Branch.GetName()
	case *branchlinev1.Record_LegalEntity:
		name := b.LegalEntity.GetShortName()
		if name == "" {
			name = b.LegalEntity.GetName()
		}
		n.companies[b.LegalEntity.GetCode()] = name
	case *branchlinev1.Record_Staff:
		n.staff[b.Staff.GetCode()] = b.Staff.GetName()
	}
}

// group is what the group is called, as configured; else the only company there is.
func (n *names) group(configured string) string {
	if configured != "" || len(n.companies) != 1 {
		return configured
	}
	for _, name := range n.companies {
		configured = name
	}
	return configured
}

// company is what a legal entity is called, its code when nobody has said.
func (n *names) company(code string) string {
	if name := n.companies[code]; name != "" {
		return name
	}
	return code
}

// person is a colleague's name, else the first of the given that is not empty.
func (n *names) person(code string, or ...string) string {
	if name := n.staff[code]; name != "" {
		return name
	}
	for _, s := range append([]string{code}, or...) {
		if s != "" {
			return s
		}
	}
	return ""
}

// site is what a branch is called on a page: headquarters by its word, one without a name by its code.
func (a *ask) site(code string) string {
	if code == "hq" {
		return a.t("word.headquarters")
	}
	if name := a.names().sites[code]; name != "" {
		return name
	}
	return code
}
