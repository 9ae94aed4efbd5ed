package api

import (
	"branchline/hq/find"
	"branchline/hq/golden"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// owners is whose the cars are and were, with what the owners are called; nothing
// for a caller who sees no customers.
func (s *shower) owners(cars []*store.Rec) ([]*branchlinev1.Owner, error) {
	if !access.SeesOwners(access.HQ, s.roles) {
		return nil, nil
	}
	out, err := find.Owners(s.r, cars, s.c.Now(), s.c.Zone)
	if err != nil {
		return nil, err
	}
	for _, o := range out {
		_, id, err := schema.ParseName(o.GetCustomer())
		if err != nil {
			continue // named by no id: nobody to be found
		}
		rec, err := store.RecOf(s.r, id)
		if err != nil {
			return nil, err
		}
		if rec == nil {
			continue // a tie may come before its customer
		}
		c, err := s.golden(rec, false)
		if err != nil {
			return nil, err
		}
		o.Name = c.GetCustomer().GetName()
	}
	return out, nil
}

// ownersOf is owners of the car a record stands for.
func (s *shower) ownersOf(car *store.Rec) ([]*branchlinev1.Owner, error) {
	cars, err := golden.Members(s.r, car)
	if err != nil {
		return nil, err
	}
	return s.owners(cars)
}
