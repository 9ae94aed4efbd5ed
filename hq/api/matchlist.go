package api

import (
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/hq/find"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/page"
)

// scanPage is how many decisions are read at once while those that fit are looked for.
const scanPage = 200

// ListDecisions are what people decided, the newest first; withdrawn ones only when asked for.
func (h *Match) ListDecisions(ctx context.Context, req *branchlinev1.ListDecisionsRequest) (*branchlinev1.ListDecisionsResponse, error) {
	if err := may(ctx, matchService, "ListDecisions"); err != nil {
		return nil, err
	}
	about, err := customer("customer", req.GetCustomer())
	if err != nil {
		return nil, err
	}
	contradictory, err := h.c.Match.Contradicted(ctx, nil)
	if err != nil {
		return nil, err
	}
	l := decisions{h: h, size: pageSize(req.GetPageSize()), only: req.GetContradictory(), contradictory: map[schema.RecordID]bool{}}
	for _, id := range contradictory {
		l.contradictory[id] = true
	}
	if about != nil {
		if err := h.c.Store.Read(ctx, func(r *store.R) error {
			ids, err := find.GroupOf(r, *about)
			for _, id := range ids {
				l.about = append(l.about, id.String())
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
	// A token belongs to the index's list, of which this one shows a part.
	q := page.Query{
		Kind: schema.KindOf(schema.MatchDecision), Retired: req.GetWithdrawn(), OrderBy: "create_time desc", Size: scanPage, Token: req.GetPageToken(),
	}
	recs, next, err := l.read(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.ListDecisionsResponse{NextPageToken: next}
	caller := access.CallerFrom(ctx)
	err = h.c.Store.Read(ctx, func(r *store.R) error {
		for _, rec := range recs {
			// A shower of its own each: it looks up a bounded number of authors.
			x, err := h.shower(r, caller).record(rec, true)
			if err != nil {
				return err
			}
			out.Decisions = append(out.Decisions, x)
			if l.contradictory[rec.ID] {
				out.Contradictory = append(out.Contradictory, x.GetName())
			}
		}
		return nil
	})
	return out, err
}

// decisions looks for those that fit.
type decisions struct {
	h             *Match
	size          int
	only          bool // those that contradict others
	contradictory map[schema.RecordID]bool
	about         []string // members of the group asked about; nil: any
}

func (l *decisions) read(ctx context.Context, q page.Query) (out []*store.Rec, next string, err error) {
	asked, err := q.Check()
	if err != nil {
		return nil, "", err
	}
	for {
		recs, more, err := l.h.c.Index.List(ctx, q)
		if err != nil {
			return nil, "", err
		}
		for _, rec := range recs {
			fits, err := l.fits(rec)
			if err != nil {
				return nil, "", err
			}
			if !fits {
				continue
			}
			if len(out) == l.size {
				last := out[l.size-1]
				return out, asked.Next(page.Place{Key: last.ID[:], N: last.N}), nil
			}
			out = append(out, rec)
		}
		if q.Token = more; more == "" {
			return out, "", nil
		}
	}
}

func (l *decisions) fits(rec *store.Rec) (bool, error) {
	if l.only && !l.contradictory[rec.ID] {
		return false, nil
	}
	if l.about == nil {
		return true, nil
	}
	d, err := decisionOf(rec)
	if err != nil {
		return false, err
	}
	in := func(id string) bool { return slices.Contains(l.about, id) }
	return slices.ContainsFunc(d.GetA(), in) || slices.ContainsFunc(d.GetB(), in), nil
}

func decisionOf(rec *store.Rec) (*branchlinev1.MatchDecision, error) {
	k := schema.KindOf(schema.MatchDecision)
	raw, err := store.MessageOf(k, rec.State)
	if err != nil {
		return nil, fmt.Errorf("hq/api: record %s: %w", rec.ID, err)
	}
	d := new(branchlinev1.MatchDecision)
	if err := proto.Unmarshal(raw, d); err != nil {
		return nil, fmt.Errorf("hq/api: record %s: %w", rec.ID, err)
	}
	return d, nil
}

// ListEvents says which customers became one, and which several; the newest first.
func (h *Match) ListEvents(ctx context.Context, req *branchlinev1.ListMatchEventsRequest) (*branchlinev1.ListMatchEventsResponse, error) {
	if err := may(ctx, matchService, "ListEvents"); err != nil {
		return nil, err
	}
	about, err := customer("customer", req.GetCustomer())
	if err != nil {
		return nil, err
	}
	list, next, err := h.c.Match.Events(ctx, about, req.GetPageToken(), pageSize(req.GetPageSize()))
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.ListMatchEventsResponse{NextPageToken: next}
	for _, e := range list {
		out.Events = append(out.Events, &branchlinev1.MatchEvent{At: e.At, Before: groupsOf(e.Before), After: groupsOf(e.After), Model: e.Model})
	}
	return out, nil
}
