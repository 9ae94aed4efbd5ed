package api

import (
	"context"
	"slices"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Views are the golden records of some names, by name, without who wrote what; one that is not held here, or that the
// caller may not know of, is left out. owners are whose the cars among them are and were. Many ask the database as often
// as one. schema.ErrForbidden.
func (h *Records) Views(ctx context.Context, names []string) (views map[string]*branchlinev1.Record, owners []*branchlinev1.Owner, err error) {
	caller := access.CallerFrom(ctx)
	var ids, cars []schema.RecordID
	for _, name := range names {
		kind, id, err := schema.ParseName(name)
		if err != nil {
			continue // nobody has such a name
		}
		if err := caller.CheckRead(access.Node, kind); err != nil {
			return nil, nil, err
		}
		ids = append(ids, id)
	}
	list, err := h.c.Store.Views(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	views = make(map[string]*branchlinev1.Record, len(list))
	for id, r := range list {
		if !slices.Contains(names, r.GetName()) || !access.Sees(r, caller.Roles) {
			continue
		}
		access.Strip(r, caller.Roles)
		views[r.GetName()] = r
		if r.GetVehicle() == nil {
			continue
		}
		cars = append(cars, id)
		for _, m := range r.GetGroup() {
			if _, x, err := schema.ParseName(m); err == nil {
				cars = append(cars, x)
			}
		}
	}
	if len(cars) > 0 {
		slices.SortFunc(cars, func(a, b schema.RecordID) int { return slices.Compare(a[:], b[:]) })
		owners, err = h.owners(ctx, slices.Compact(cars), caller)
	}
	return views, owners, err
}
