package workshop

import (
	"fmt"

	"branchline/node/act"
	"branchline/schema"
	"branchline/schema/assent"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

// standsStill tells whether nobody may work on a line before the customer has said yes to it (schema/assent).
func standsStill(l *branchlinev1.ServiceLine) bool { return assent.StandsStill(l) }

// orderOf is an order, by name or id, that this branch keeps. ErrInvalid, ErrNotFound, and ErrForbidden for one that
// another branch keeps.
func orderOf(h *act.Hand, name string) (schema.RecordID, *branchlinev1.Record, error) {
	id, err := desk.NameOf("order", name, schema.ServiceOrder)
	if err != nil {
		return id, nil, err
	}
	r, err := h.V.Get(id)
	switch {
	case err != nil:
		return id, nil, err
	case r.GetServiceOrder() == nil:
		return id, nil, fmt.Errorf("%s: %w", name, schema.ErrNotFound)
	case r.GetHome() != string(h.ID.Branch):
		return id, nil, fmt.Errorf("the order is branch %s's, which works on it: %w", r.GetHome(), schema.ErrForbidden)
	}
	return id, r, nil
}
