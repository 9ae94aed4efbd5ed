package workshop

import (
	"cmp"
	"context"
	"slices"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// ListCalls lists talks of this branch whose next step is due.
func (w *Workshop) ListCalls(ctx context.Context, r *branchlinev1.ListCallsRequest) (*branchlinev1.ListCallsResponse, error) {
	out := new(branchlinev1.ListCallsResponse)
	err := w.acts.Look(ctx, func(h *act.Hand) error {
		if err := h.Caller.CheckRead(access.Node, schema.Contact); err != nil {
			return err
		}
		talks, err := h.V.BodiesFaceted(schema.Contact, "next_on", h.Today)
		if err != nil {
			return err
		}
		talk := func(b store.Body) *branchlinev1.Contact { return b.Message.(*branchlinev1.Contact) }
		due := slices.DeleteFunc(talks, func(b store.Body) bool {
			return r.GetStaff() != "" && talk(b).GetBy() != r.GetStaff()
		})
		slices.SortStableFunc(due, func(x, y store.Body) int {
			return cmp.Or(cmp.Compare(talk(x).GetNextOn(), talk(y).GetNextOn()), cmp.Compare(talk(x).GetAt(), talk(y).GetAt()))
		})
		for _, b := range due {
			rec, err := h.V.Get(b.ID)
			if err != nil {
				return err
			}
			access.Strip(rec, h.Caller.Roles)
			out.Contacts = append(out.Contacts, rec)
		}
		return nil
	})
	return out, err
}
