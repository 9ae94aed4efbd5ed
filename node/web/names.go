package web

import (
	"context"
	"sync"
	"time"

	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// keepNames is how long the names of sites and staff are shown without asking again.
const keepNames = 30 * time.Second

// directory keeps what codes are called: sites, companies, colleagues. Every role may see these.
type directory struct {
	mu   sync.Mutex
	kept *names
	at   time.Time
}

type names struct {
	sites  map[string]siteName
	groups map[string]string
	staff  map[string]string
}

type siteName struct{ name, entity string }

// read gives the names, from the API when those kept are old. When it does not answer, old names are better than none.
func (d *directory) read(ctx context.Context, s *Site) *names {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := s.c.Now()
	if d.kept != nil && now.Sub(d.at) < keepNames && !now.Before(d.at) {
		return d.kept
	}
	if !s.isBranch() {
		return &names{}
	}
	// Nobody in particular asks: the sign-in page names the site too.
	n, err := readNames(access.With(context.WithoutCancel(ctx), access.Caller{Account: "pages", Roles: access.BranchRoles()}), s)
	switch {
	case err == nil:
		d.kept, d.at = n, now
	case d.kept == nil:
		s.c.Log.Warn("names of sites not read", "room", "web", "error", err)
		return &names{}
	default:
		s.c.Log.Warn("names of sites not read again", "room", "web", "error", err)
	}
	return d.kept
}

func readNames(ctx context.Context, s *Site) (*names, error) {
	n := &names{sites: map[string]siteName{}, groups: map[string]string{}, staff: map[string]string{}}
	for _, collection := range []string{"branches", "legalEntities", "staff"} {
		req := &branchlinev1.ListRecordsRequest{Collection: collection, PageSize: 1000}
		for {
			res, err := s.c.Records.ListRecords(ctx, req)
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
		n.sites[b.Branch.GetCode()] = siteName{b.Branch.GetName(), b.Branch.GetEntity()}
	case *branchlinev1.Record_LegalEntity:
		name := b.LegalEntity.GetShortName()
		if name == "" {
			name = b.LegalEntity.GetName()
		}
		n.groups[b.LegalEntity.GetCode()] = name
	case *branchlinev1.Record_Staff:
		n.staff[b.Staff.GetCode()] = b.Staff.GetName()
	}
}

// site is what a branch is called, its code when nobody has said.
func (n *names) site(code string) string {
	if s := n.sites[code]; s.name != "" {
		return s.name
	}
	return code
}

// group is the company a branch belongs to.
func (n *names) group(code string) string { return n.groups[n.sites[code].entity] }

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

// site is what a branch is called on a page: headquarters by its word.
func (a *ask) site(code string) string {
	if code == "hq" {
		return a.t("word.headquarters")
	}
	return a.names().site(code)
}

func (a *ask) names() *names { return a.s.names.read(a.r.Context(), a.s) }
