package front

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// keepNames is how long the names of sites and staff are shown without asking again.
const keepNames = 30 * time.Second

// Lister is the part of the API that names are read from.
type Lister interface {
	ListRecords(context.Context, *branchlinev1.ListRecordsRequest) (*branchlinev1.ListRecordsResponse, error)
}

// Directory keeps what codes are called: sites, companies, colleagues. Every role may see these. The zero Directory is
// empty and ready; it may be used from any goroutine.
type Directory struct {
	mu   sync.Mutex
	kept *Names
	at   time.Time
}

// Names is what codes are called at one time. The zero Names knows none.
type Names struct {
	sites     map[string]siteName
	companies map[string]string
	entities  map[string]*branchlinev1.LegalEntity // by code
	groups    map[string]string                    // of companies by code: what their dealer group is called
	staff     map[string]string
	working   []*branchlinev1.Staff // those who have not left
}

type siteName struct{ name, entity, address, phone string }

// Letterhead is what stands at the head of a paper of a branch: who the company is in full, and how the branch is reached.
// What nobody has said is "".
type Letterhead struct{ Company, TaxNumber, Branch, Address, Phone string }

// Read gives the names, from the API when those kept are old. When it does not answer, old names are better than none,
// and none better than no page.
func (d *Directory) Read(ctx context.Context, now time.Time, api Lister, log *slog.Logger) *Names {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kept != nil && now.Sub(d.at) < keepNames && !now.Before(d.at) {
		return d.kept
	}
	// What one reader asks for, the next is shown: it is read to its end.
	n, err := readNames(context.WithoutCancel(ctx), api)
	switch {
	case err == nil:
		d.kept, d.at = n, now
	case d.kept == nil:
		log.Warn("names of sites not read", "room", "web", "error", err)
		return &Names{}
	default:
		log.Warn("names of sites not read again", "room", "web", "error", err)
	}
	return d.kept
}

func readNames(ctx context.Context, api Lister) (*Names, error) {
	n := &Names{
		sites: map[string]siteName{}, companies: map[string]string{}, entities: map[string]*branchlinev1.LegalEntity{},
		groups: map[string]string{}, staff: map[string]string{},
	}
	for _, req := range []*branchlinev1.ListRecordsRequest{
		{Collection: "branches"},
		{Collection: "legalEntities"},
		{Collection: "staff", Retired: true}, // who has left is called by name in what was done then
		{Collection: "staff"},
	} {
		for req.PageSize = 1000; ; {
			res, err := api.ListRecords(ctx, req)
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

func (n *Names) add(r *branchlinev1.Record) {
	switch b := r.GetBody().(type) {
	case *branchlinev1.Record_Branch:
		n.sites[b.Branch.GetCode()] = siteName{b.Branch.GetName(), b.Branch.GetEntity(), b.Branch.GetAddress(), b.Branch.GetPhone()}
	case *branchlinev1.Record_LegalEntity:
		name := b.LegalEntity.GetShortName()
		if name == "" {
			name = b.LegalEntity.GetName()
		}
		n.companies[b.LegalEntity.GetCode()] = name
		n.entities[b.LegalEntity.GetCode()] = b.LegalEntity
		if group := b.LegalEntity.GetGroupName(); group != "" {
			n.groups[b.LegalEntity.GetCode()] = group
		}
	case *branchlinev1.Record_Staff:
		n.staff[b.Staff.GetCode()] = b.Staff.GetName()
		if b.Staff.GetRetiredAt() == 0 {
			n.working = append(n.working, b.Staff)
		}
	}
}

// Site is what a branch is called, its code when nobody has said.
func (n *Names) Site(code string) string {
	if s := n.sites[code]; s.name != "" {
		return s.name
	}
	return code
}

// Sites are the codes of all branches, in order.
func (n *Names) Sites() []string { return slices.Sorted(maps.Keys(n.sites)) }

// GroupOf is what the dealer group of a branch is called, else the company it belongs to; "" when nobody has said.
func (n *Names) GroupOf(branch string) string {
	return cmp.Or(n.groups[n.sites[branch].entity], n.CompanyOf(branch))
}

// EntityOf is the code of the legal entity a branch belongs to; "" if it is not known.
func (n *Names) EntityOf(branch string) string { return n.sites[branch].entity }

// CompanyOf is what the company is called that a branch belongs to; "" when nobody has said.
func (n *Names) CompanyOf(branch string) string { return n.companies[n.sites[branch].entity] }

// Letterhead is the head of a branch's papers.
func (n *Names) Letterhead(branch string) Letterhead {
	s := n.sites[branch]
	e := n.entities[s.entity]
	return Letterhead{
		Company: cmp.Or(e.GetName(), e.GetShortName()), TaxNumber: e.GetTaxNumber(), Branch: n.Site(branch), Address: s.address, Phone: s.phone,
	}
}

// Company is what a legal entity is called, its code when nobody has said.
func (n *Names) Company(code string) string {
	if name := n.companies[code]; name != "" {
		return name
	}
	return code
}

// OnlyCompany is what the only company is called; "" when there are none or several.
func (n *Names) OnlyCompany() string {
	if len(n.companies) != 1 {
		return ""
	}
	for _, name := range n.companies {
		return name
	}
	return ""
}

// Colleagues are the codes of those who work at a branch in a role now, by name, each once.
func (n *Names) Colleagues(branch string, role branchlinev1.Role) (out []string) {
	for _, s := range n.working {
		if slices.Contains(s.GetBranches(), branch) && slices.Contains(s.GetRoles(), role) && !slices.Contains(out, s.GetCode()) {
			out = append(out, s.GetCode())
		}
	}
	slices.SortFunc(out, func(x, y string) int { return cmp.Or(cmp.Compare(n.Person(x), n.Person(y)), cmp.Compare(x, y)) })
	return out
}

// Person is a colleague's name, else the first of code and or that is not empty.
func (n *Names) Person(code string, or ...string) string {
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
