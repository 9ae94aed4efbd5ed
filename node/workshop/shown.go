package workshop

import (
	"context"

	"branchline/node/act"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// shown is a record as the caller may see it, for an answer. ErrNotFound when it is not held here.
func (w *Workshop) shown(ctx context.Context, id schema.RecordID) (out *branchlinev1.Record, err error) {
	err = w.acts.Look(ctx, func(h *act.Hand) error {
		if out, err = h.V.Get(id); err == nil {
			access.Strip(out, h.Caller.Roles)
		}
		return err
	})
	return out, err
}
