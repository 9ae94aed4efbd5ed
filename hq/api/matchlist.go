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

// ListDecisions are what people decided, the newest first; withdrawn ones too when asked for.
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
	recs, next, err := l.read(ctx, req.GetWithdrawn(), req.GetPageToken())
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

// read merges the decisions in force with those withdrawn, if they are wanted too.
func (l *decisions) read(ctx context.Context, withdrawn bool, token string) (out []*store.Rec, next string, err error) {
	sum := page.SumOf("decisions", l.only, l.about, withdrawn)
	var after page.Place
	if token != "" {
		if after, err = page.Parse(sum, token); err != nil {
			return nil, "", err
		}
	}
	force, err := l.from(after, false)
	if err != nil {
		return nil, "", err
	}
	back := &decisionSource{done: true}
	if withdrawn {
		if back, err = l.from(after, true); err != nil {
			return nil, "", err
		}
	}
	for {
		x, err := force.head(ctx, l)
		if err != nil {
			return nil, "", err
		}
		y, err := back.head(ctx, l)
		if err != nil {
			return nil, "", err
		}
		from := force
		if x == nil || y != nil && slices.Compare(y.ID[:], x.ID[:]) > 0 {
			x, from = y, back
		}
		if x == nil {
			return out, "", nil
		}
		if len(out) == l.size {
			last := out[l.size-1]
			return out, page.Token(sum, page.Place{Key: last.ID[:], N: last.N}), nil
		}
		out = append(out, x)
		from.recs = from.recs[1:]
	}
}

// decisionSource is a list of the index, read page by page: the decisions in force, or
// those withdrawn, the newest first.
type decisionSource struct {
	q    page.Query
	recs []*store.Rec // that fit and are not taken yet
	done bool
}

func (l *decisions) from(after page.Place, withdrawn bool) (*decisionSource, error) {
	s := &decisionSource{q: page.Query{Kind: schema.KindOf(schema.MatchDecision), Retired: withdrawn, OrderBy: "create_time desc", Size: scanPage}}
	if after.N == 0 {
		return s, nil
	}
	asked, err := s.q.Check()
	if err != nil {
		return nil, err
	}
	s.q.Token = asked.Next(after)
	return s, nil
}

// head is the newest that fits; nil at the end.
func (s *decisionSource) head(ctx context.Context, l *decisions) (*store.Rec, error) {
	for len(s.recs) == 0 && !s.done {
		recs, next, err := l.h.c.Index.List(ctx, s.q)
		if err != nil {
			return nil, err
		}
		for _, rec := range recs {
			fits, err := l.fits(rec)
			if err != nil {
				return nil, err
			}
			if fits {
				s.recs = append(s.recs, rec)
			}
		}
		s.q.Token, s.done = next, next == ""
	}
	if len(s.recs) == 0 {
		return nil, nil
	}
	return s.recs[0], nil
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
