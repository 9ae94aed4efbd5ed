// Package api is what a branch answers over Connect: the records it holds and
// the site itself.
//
// Rules:
//   - Who is asking comes with the context (schema/access); every method asks the
//     rules for the kind and the fields before it reads or writes, and what the
//     caller may not see is taken out of every answer.
//   - Values are made uniform before they are saved (VINs, plates); what is doubtful
//     is asked about once, as a violation that names how to confirm it, and never
//     refused.
//   - What only an act writes is not written record by record: money and uses of cards (node/counter), the states of an
//     order that settle it, hand it over or give it up, clocks and quality checks of its lines (node/workshop). Lists of
//     old records bring them all the same.
//   - No record has a field for a whole national id: it holds its end and a keyed
//     hash, which are made of it here.
//   - Errors are schema's sentinels; conflicts and violations carry one detail a field.
//
// It promises that a successful write is saved at this branch. It waits for the
// line only where the caller asked it to.
package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"branchline/node/attach"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/sync/link"
)

// Line is the branch's link to headquarters.
type Line interface {
	// Link is where the branch stands with HQ; the zero Status before it is enrolled.
	Link() link.Status
	// Refused tells whether HQ turned the branch's key away since the link was last up.
	Refused() bool
	// Ask asks HQ over the link and blocks until it answers or ctx ends. An error when there is no link, at once.
	Ask(ctx context.Context, verb string, req []byte) ([]byte, error)
	// Refetch fetches the whole scope anew; unsent changes stay. schema.ErrUnavailable before enrolment.
	Refetch(ctx context.Context) error
}

// Config says what the handlers stand on. All but Zone, ZoneNow, Known and Files are required.
type Config struct {
	Store *store.Store
	Line  Line
	Known Known          // nil: nothing is told of what the group knows
	Files *attach.Attach // nil: no files of attachments are taken or given
	Zone  *time.Location // of business days; Asia/Shanghai's offset when nil
	// ZoneNow, if not nil, is asked in place of Zone: the zone may be told to the branch while it runs.
	ZoneNow func() *time.Location
	Version string
	Now     func() time.Time
}

// New makes the handlers of a branch.
func New(c Config) (*Records, *Sites, error) {
	if c.Store == nil || c.Line == nil || c.Now == nil {
		return nil, nil, errors.New("api: config needs Store, Line and Now")
	}
	if c.Zone == nil {
		c.Zone = time.FixedZone("UTC+8", 8*60*60)
	}
	if c.ZoneNow == nil {
		c.ZoneNow = func() *time.Location { return c.Zone }
	}
	return &Records{c}, &Sites{c}, nil
}

// Records serves branchline.v1.RecordService.
type Records struct{ c Config }

// Sites serves branchline.v1.SiteService.
type Sites struct{ c Config }

var (
	_ branchlinev1connect.RecordServiceHandler = (*Records)(nil)
	_ branchlinev1connect.SiteServiceHandler   = (*Sites)(nil)
)

// writer is who makes a change, and the role the rules let them do it in.
func writer(c access.Caller, k schema.Kind) (string, branchlinev1.Role) {
	for _, r := range c.Roles {
		if access.MayWrite(access.Node, k, []branchlinev1.Role{r}) {
			return c.Staff, r
		}
	}
	return c.Staff, branchlinev1.Role_ROLE_UNSPECIFIED
}

// held gets a record of the kind its name says.
func (h *Records) held(ctx context.Context, name string) (*schema.KindInfo, schema.RecordID, error) {
	k, id, err := schema.ParseName(name)
	if err != nil {
		return nil, id, err
	}
	if err := access.CallerFrom(ctx).CheckRead(access.Node, k); err != nil {
		return nil, id, err
	}
	return schema.KindOf(k), id, nil
}

// show is a record as the caller may see it.
func (h *Records) show(ctx context.Context, id schema.RecordID, k *schema.KindInfo, golden bool) (*branchlinev1.Record, error) {
	get := h.c.Store.Get
	if golden {
		get = h.c.Store.Golden
	}
	r, err := get(ctx, id)
	if err != nil {
		return nil, err
	}
	if got, _, err := schema.ParseName(r.GetName()); err != nil || got != k.Kind {
		return nil, fmt.Errorf("%s: %w", schema.ResourceName(k.Kind, id), schema.ErrNotFound)
	}
	caller := access.CallerFrom(ctx)
	if !access.Sees(r, caller.Roles) {
		return nil, fmt.Errorf("%s: %w", schema.ResourceName(k.Kind, id), schema.ErrNotFound)
	}
	if err := dressFile(ctx, h.c.Files, r); err != nil {
		return nil, err
	}
	access.Strip(r, caller.Roles)
	if golden && k.Kind == schema.Vehicle {
		ids := []schema.RecordID{id}
		for _, m := range r.GetGroup() {
			if _, x, err := schema.ParseName(m); err == nil && x != id {
				ids = append(ids, x)
			}
		}
		slices.SortFunc(ids, func(a, b schema.RecordID) int { return slices.Compare(a[:], b[:]) })
		r.Owners, err = h.owners(ctx, ids, caller)
	}
	return r, err
}
