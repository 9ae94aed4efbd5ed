// Package api is what headquarters answers over Connect: the group's records,
// the branches and their lines, quarantine, reports.
//
// Rules:
//   - Who is asking comes with the context (schema/access); every method asks the
//     rules for the kind and the fields before it reads or writes. What the caller
//     may not see is taken out of every answer, and nothing is found by it.
//   - Edits made here are changes of branch hq (hq/inbox), one at a time: an etag
//     is compared with the record as it is when the edit is made.
//   - Legal entities and branches are made, retired and coded by their own calls
//     only: their registry row and their record belong together.
//   - Rows are imported where they belong, at a node: ImportRows says so.
//
// It promises that a successful write is committed and merged. Whether branches
// have it Where tells.
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"branchline/hq/blobs"
	"branchline/hq/find"
	"branchline/hq/inbox"
	"branchline/hq/report"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
)

// Kicker cuts links.
type Kicker interface {
	// Kick cuts every live link of b at once and tells how many there were.
	Kick(b schema.BranchID) int
}

// Config says what the handlers stand on. All but Zone, ZoneNow, Log, Leaves, Catch and Match are required.
type Config struct {
	Store   *store.Store
	Inbox   *inbox.Inbox
	Index   *find.Index
	Reports *report.Reports
	Links   Kicker
	// Leaves counts the live links of a branch; nil: none are told.
	Leaves func(schema.BranchID) int
	// Token writes an enrolment token down as the text a branch is enrolled with.
	Token func(*inbox.Token) (string, error)
	// Catch has groups made up before they are read; nil: they are read as they are.
	Catch func(context.Context) error
	// Match answers who is one customer; only Match asks it.
	Match Matcher
	// Files are those of attachments; nil: none are kept.
	Files *blobs.Blobs
	// Dir is HQ's folder: backups go into its folder backups.
	Dir  string
	Zone *time.Location // of business days; Asia/Shanghai's offset when nil
	// ZoneNow, if not nil, is asked in place of Zone: the branches' records may say another while HQ runs.
	ZoneNow func() *time.Location
	Version string
	Now     func() time.Time
	Log     *slog.Logger
}

// API is the handlers' ground.
type API struct {
	c   Config
	log *slog.Logger
	// desk is held from reading a record to committing the edit of it.
	desk sync.Mutex
}

// New makes the handlers of headquarters. It starts nothing.
func New(c Config) (*API, error) {
	if c.Store == nil || c.Inbox == nil || c.Index == nil || c.Reports == nil || c.Links == nil || c.Token == nil || c.Now == nil || c.Dir == "" {
		return nil, errors.New("hq/api: config needs Store, Inbox, Index, Reports, Links, Token, Dir and Now")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Zone == nil {
		c.Zone = time.FixedZone("UTC+8", 8*60*60)
	}
	if c.ZoneNow == nil {
		c.ZoneNow = func() *time.Location { return c.Zone }
	}
	if c.Leaves == nil {
		c.Leaves = func(schema.BranchID) int { return 0 }
	}
	if c.Catch == nil {
		c.Catch = func(context.Context) error { return nil }
	}
	return &API{c: c, log: c.Log.With("room", "hq/api")}, nil
}

// Records serves branchline.v1.RecordService.
func (a *API) Records() *Records { return &Records{a} }

// Sites serves branchline.v1.SiteService.
func (a *API) Sites() *Sites { return &Sites{a} }

// Headquarters serves branchline.v1.HeadquartersService.
func (a *API) Headquarters() *Headquarters { return &Headquarters{a} }

// Records is the RecordService of headquarters.
type Records struct{ *API }

// Sites is the SiteService of headquarters.
type Sites struct{ *API }

// Headquarters is the HeadquartersService.
type Headquarters struct{ *API }

var (
	_ branchlinev1connect.RecordServiceHandler       = (*Records)(nil)
	_ branchlinev1connect.SiteServiceHandler         = (*Sites)(nil)
	_ branchlinev1connect.HeadquartersServiceHandler = (*Headquarters)(nil)
)

// mayWrite is who makes a change to records of a kind, and in which role.
func mayWrite(ctx context.Context, k *schema.KindInfo, fields ...*schema.FieldInfo) (inbox.By, error) {
	c := access.CallerFrom(ctx)
	if err := c.CheckWrite(access.HQ, k.Kind, fields...); err != nil {
		return inbox.By{}, err
	}
	for _, r := range c.Roles {
		if access.MayWrite(access.HQ, k.Kind, []branchlinev1.Role{r}) {
			return inbox.By{Actor: actorOf(c), Role: r}, nil
		}
	}
	return inbox.By{}, fmt.Errorf("no role to write records of the kind %s with: %w", k.Name, schema.ErrForbidden)
}

// actorOf is the staff code that goes into a change; an account without one is its own.
func actorOf(c access.Caller) string {
	if c.Staff == "" {
		return c.Account
	}
	return c.Staff
}

// may asks the table for a call that no kind of record says enough about.
func may(ctx context.Context, service, method string) error {
	what := "/branchline.v1." + service + "/" + method
	if !access.Allowed(access.HQ, what, access.CallerFrom(ctx).Roles) {
		return fmt.Errorf("%s is for %s: %w", method, access.Who(access.HQ, what), schema.ErrForbidden)
	}
	return nil
}

// by is who does something at headquarters that the table allowed.
func by(ctx context.Context, service, method string) inbox.By {
	c := access.CallerFrom(ctx)
	return inbox.By{Actor: actorOf(c), Role: c.RoleFor(access.HQ, "/branchline.v1."+service+"/"+method)}
}
