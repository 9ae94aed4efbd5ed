package town

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Config says how large the group is. Zero values are the demo's: 3 branches, 5,000 customers,
// 40,000 order lines.
type Config struct {
	Seed      uint64
	Branches  int // 1 to 60
	Customers int // people and firms, each counted once however often registered
	Lines     int // order lines in all
	// Today is the moment up to which the group has worked; required.
	Today time.Time
}

// Entity is one company of the group.
type Entity struct {
	Code    schema.EntityID
	Message *branchlinev1.LegalEntity
}

// Branch is one site.
type Branch struct {
	Code    schema.BranchID
	Entity  schema.EntityID
	Message *branchlinev1.Branch
}

// Edit is one record as a branch writes it.
type Edit struct {
	Kind    schema.Kind
	Key     string // names the record within the whole town
	Message proto.Message
	// Refs are the message's references by field name, as keys of edits that came before it at the
	// same branch. The fields themselves are empty.
	Refs  map[string]string
	At    time.Time
	Actor string // staff code
}

// Totals count what a town holds.
type Totals struct {
	Customers     int // people and firms
	Registrations int // customer records
	Visitors      int // people and firms with orders at two branches or more
	Cars          int
	Vehicles      int // vehicle records
	Orders, Lines int
}

// Town is a made-up group. It does not change after New and may be read from several goroutines.
type Town struct {
	cfg      Config
	tables   tables
	sites    []site
	entities []Entity
	branches []Branch
	staff    [][]member // by branch, in the order of desk
	people   []person
	cars     []car
	visits   []visit
	events   [][]event // by branch, in time order
	totals   Totals
}

// zone is China's: one zone, no summer time since 1991.
var zone = time.FixedZone("CST", 8*60*60)

// New makes a town. The work is done here; Edits only spells it out.
func New(cfg Config) (*Town, error) {
	if cfg.Branches == 0 {
		cfg.Branches = 3
	}
	if cfg.Customers == 0 {
		cfg.Customers = 5_000
	}
	if cfg.Lines == 0 {
		cfg.Lines = 40_000
	}
	switch {
	case cfg.Branches < 1 || cfg.Branches > 60:
		return nil, schema.Invalid("branches", "a town has 1 to 60 branches, not %d", cfg.Branches)
	case cfg.Customers < 1 || cfg.Customers > 2_000_000:
		return nil, schema.Invalid("customers", "a town has 1 to 2,000,000 customers, not %d", cfg.Customers)
	case cfg.Lines < 1 || cfg.Lines > 20_000_000:
		return nil, schema.Invalid("lines", "a town has 1 to 20,000,000 lines, not %d", cfg.Lines)
	case cfg.Today.Year() < 2000 || cfg.Today.Year() > 2199:
		return nil, schema.Invalid("today", "is missing")
	}
	cfg.Today = cfg.Today.In(zone)
	tab, err := readTables()
	if err != nil {
		return nil, fmt.Errorf("town: %w", err)
	}
	t := &Town{cfg: cfg, tables: tab}
	t.found()
	t.settle()
	t.drive()
	t.visit()
	t.schedule()
	return t, nil
}

// Entities are the companies. HQ makes them.
func (t *Town) Entities() []Entity { return t.entities }

// Branches are the sites in their order. HQ makes them.
func (t *Town) Branches() []Branch { return t.branches }

// Totals count the town.
func (t *Town) Totals() Totals { return t.totals }

// Edits are the edits of one branch in the order of their times. It panics for a branch that is not
// there.
func (t *Town) Edits(branch int) iter.Seq[Edit] {
	events := t.events[branch]
	return func(yield func(Edit) bool) {
		w := writer{t: t, branch: branch, yield: yield}
		for _, e := range events {
			if !w.write(e) {
				return
			}
		}
	}
}

// A site is where a branch stands.
type site struct {
	code, name string
	city       int // in tables.cities
	entity     int
}

// plan of the first branches; more are named after districts.
var firstSites = []site{
	{"pd", "浦东店", 0, 0},
	{"hong", "虹桥店", 0, 0},
	{"th", "天河店", 1, 1},
	{"yh", "余杭店", 2, 0},
	{"by", "白云店", 1, 1},
	{"sz", "园区店", 3, 0},
	{"ns", "南山店", 7, 1},
	{"jn", "江宁店", 6, 0},
	{"wh", "武侯店", 5, 1},
	{"cy", "朝阳店", 4, 1},
	{"hs", "洪山店", 8, 1},
	{"yt", "雁塔店", 9, 1},
}

var firstEntities = []struct{ code, name, short string }{
	{"sc", "上海申驰汽车销售服务有限公司", "申驰"},
	{"yc", "广州粤驰汽车贸易有限公司", "粤驰"},
}

// found lays out companies, branches and their staff.
func (t *Town) found() {
	for _, e := range firstEntities {
		t.entities = append(t.entities, Entity{schema.EntityID(e.code), &branchlinev1.LegalEntity{
			Code: proto.String(e.code), Name: proto.String(e.name), ShortName: proto.String(e.short),
		}})
	}
	plan := slices.Clone(firstSites)
	if t.cfg.Branches == 2 {
		plan[1] = plan[2] // so that both companies have a branch
	}
	for i := range t.cfg.Branches {
		var s site
		if i < len(plan) {
			s = plan[i]
		} else {
			city := i % len(t.tables.cities)
			areas := t.tables.cities[city].areas
			s = site{fmt.Sprintf("s%02d", i), areas[i/len(t.tables.cities)*3%len(areas)] + "店", city, i % 2}
		}
		t.sites = append(t.sites, s)
		t.hire(i)
		c := t.tables.cities[s.city]
		e := firstEntities[s.entity]
		d := t.dice("site", i)
		t.branches = append(t.branches, Branch{schema.BranchID(s.code), schema.EntityID(e.code), &branchlinev1.Branch{
			Code: proto.String(s.code), Name: proto.String(s.name), Entity: proto.String(e.code), Zone: proto.String("Asia/Shanghai"),
			Address: proto.String(c.name + d.pick(c.areas) + d.pick(streets) + fmt.Sprint(1+d.IntN(900)) + "号"),
			Phone:   proto.String(c.landline(d)),
		}})
	}
}
