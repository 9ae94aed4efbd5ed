package feed

import (
	"branchline/hq/find"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// owners is whose the cars are and were, by all ties of the group, as a branch may
// know it: customers of its own legal entity by their record, of others the days alone.
func (f *Feed) owners(r store.ListReader, b *store.Branch, cars []*store.Rec) ([]*wirev1.OwnerTerm, error) {
	zone, err := schema.Zone("")
	if err != nil {
		return nil, err
	}
	list, err := find.Owners(r, cars, f.st.Now(), zone)
	if err != nil {
		return nil, err
	}
	var out []*wirev1.OwnerTerm
	for _, o := range list {
		t := &wirev1.OwnerTerm{From: o.GetFrom(), KnownFrom: o.GetKnownFrom(), To: o.GetTo(), Derived: o.GetDerived(), AtLatest: o.GetAtLatest(), Present: o.GetPresent()}
		_, car, err := schema.ParseName(o.GetVehicle())
		if err != nil {
			return nil, err
		}
		t.Vehicle = car[:]
		if t.Customer, err = f.ownCustomer(r, b, o); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// ownCustomer is the latest customer of the branch's legal entity that the ties of a
// term name; nil when they name none.
func (f *Feed) ownCustomer(r store.Reader, b *store.Branch, o *branchlinev1.Owner) ([]byte, error) {
	var out []byte
	for _, name := range o.GetTies() {
		_, id, err := schema.ParseName(name)
		if err != nil {
			return nil, err
		}
		tie, err := store.RecOf(r, id)
		if err != nil || tie == nil {
			return nil, err
		}
		c, err := store.RecOf(r, tie.Customer)
		if err != nil {
			return nil, err
		}
		if c != nil && f.st.EntityOf(c.Home) == b.Entity {
			out = c.ID[:]
		}
	}
	return out, nil
}
