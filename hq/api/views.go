package api

import (
	"context"
	"errors"
	"slices"

	"branchline/hq/golden"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Views are the records of some names, or their golden views, by name, without who wrote what; one that there is not, or
// that the caller may not know of, is left out. owners are whose the cars among golden ones are and were. Many ask the
// database as often as one. schema.ErrForbidden.
func (h *Records) Views(ctx context.Context, names []string, whole bool) (views map[string]*branchlinev1.Record, owners []*branchlinev1.Owner, err error) {
	caller := access.CallerFrom(ctx)
	for _, name := range names {
		if kind, _, err := schema.ParseName(name); err == nil {
			if err := caller.CheckRead(access.HQ, kind); err != nil {
				return nil, nil, err
			}
		}
	}
	err = h.c.Store.Read(ctx, func(r *store.R) error {
		s := h.shower(r, caller)
		var recs []*store.Rec
		if views, recs, err = s.views(names, whole); err != nil || !whole {
			return err
		}
		var cars []*store.Rec
		for _, rec := range recs {
			if rec.Kind == schema.Vehicle {
				cars = append(cars, rec)
			}
		}
		if cars, err = golden.Together(r, cars); err == nil && len(cars) > 0 {
			owners, err = s.owners(cars)
		}
		return err
	})
	return views, owners, err
}

// views are the records of names, golden or not, and the records they stand for. A name of nobody's is left out.
func (s *shower) views(names []string, whole bool) (map[string]*branchlinev1.Record, []*store.Rec, error) {
	var ids []schema.RecordID
	for _, name := range names {
		if _, id, err := schema.ParseName(name); err == nil {
			ids = append(ids, id)
		}
	}
	found, err := store.RecsOf(s.r, ids)
	if err != nil {
		return nil, nil, err
	}
	var recs []*store.Rec
	for _, id := range ids {
		if rec := found[id]; rec != nil && slices.Contains(names, schema.ResourceName(rec.Kind, id)) && !slices.Contains(recs, rec) {
			recs = append(recs, rec)
		}
	}
	var folds map[int64]*fold
	if whole {
		if folds, err = foldsOf(s.r, recs); err != nil {
			return nil, nil, err
		}
	}
	views := make(map[string]*branchlinev1.Record, len(recs))
	for _, rec := range recs {
		var r *branchlinev1.Record
		if whole {
			r, err = s.view(rec, folds[rec.N], false)
		} else {
			r, err = s.record(rec, false)
		}
		switch {
		case errors.Is(err, schema.ErrNotFound): // the caller is not to know of it
		case err != nil:
			return nil, nil, err
		default:
			views[r.GetName()] = r
		}
	}
	return views, recs, nil
}
