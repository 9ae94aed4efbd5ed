package api

import (
	"context"
	"slices"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// owners is whose the cars are and were, as far as is known here; nothing for a
// caller who sees no customers.
func (h *Records) owners(ctx context.Context, cars []schema.RecordID, caller access.Caller) ([]*branchlinev1.Owner, error) {
	if !access.SeesOwners(access.Node, caller.Roles) {
		return nil, nil
	}
	return h.c.Store.Owners(ctx, cars, h.c.ZoneNow())
}

// join puts headquarters' lines of owners, which know the other companies' dates and
// who is one customer, in place of those known here. What only this branch knows yet
// stays. Another company's customer has no name.
func (h *Records) join(ctx context.Context, here []*branchlinev1.Owner, terms []*wirev1.OwnerTerm) ([]*branchlinev1.Owner, error) {
	if len(terms) == 0 {
		return here, nil
	}
	var out []*branchlinev1.Owner
	told := map[string]bool{} // members of the customers that headquarters names
	for _, t := range terms {
		car, err := schema.RecordIDFromBytes(t.GetVehicle())
		if err != nil {
			return nil, err
		}
		o := &branchlinev1.Owner{
			Vehicle: schema.ResourceName(schema.Vehicle, car), From: t.GetFrom(), KnownFrom: t.GetKnownFrom(), To: t.GetTo(), Derived: t.GetDerived(),
			AtLatest: t.GetAtLatest(), Present: t.GetPresent(), Elsewhere: len(t.GetCustomer()) == 0,
		}
		if id, err := schema.RecordIDFromBytes(t.GetCustomer()); err == nil {
			o.Customer = schema.ResourceName(schema.Customer, id)
			group, err := h.c.Store.Group(ctx, id)
			if err != nil {
				return nil, err
			}
			for _, m := range group {
				name := schema.ResourceName(schema.Customer, m)
				told[name] = true
				if i := slices.IndexFunc(here, func(x *branchlinev1.Owner) bool { return x.GetCustomer() == name }); i >= 0 {
					o.Name, o.Ties = here[i].GetName(), here[i].GetTies()
				}
			}
		}
		out = append(out, o)
	}
	for _, x := range here {
		if !told[x.GetCustomer()] {
			out = append(out, x)
		}
	}
	return out, nil
}
