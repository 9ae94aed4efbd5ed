package api

import (
	"branchline/hq/find"
	"branchline/hq/golden"
	"branchline/hq/store"
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
	var names []string
	for _, o := range out {
		names = append(names, o.GetCustomer())
	}
	people, _, err := s.views(names, true)
	for _, o := range out {
		o.Name = people[o.GetCustomer()].GetCustomer().GetName() // a tie may come before its customer
	}
	return out, err
}

// ownersOf is owners of the car a record stands for.
func (s *shower) ownersOf(car *store.Rec) ([]*branchlinev1.Owner, error) {
	cars, err := golden.Together(s.r, []*store.Rec{car})
	if err != nil {
		return nil, err
	}
	return s.owners(cars)
}
