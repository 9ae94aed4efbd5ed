package workshop

import (
	"context"
	"errors"
	"slices"
	"time"

	"branchline/node/act"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/guarantee"
	"branchline/sync/desk"
)

// manyComebacks is how many an answer holds.
const manyComebacks = 500

// ListComebacks lists the cars that came again for work that did not hold, at whichever branch, as far as they are held
// here: those of one order, it among them if it is one itself, or all.
func (w *Workshop) ListComebacks(ctx context.Context, r *branchlinev1.ListComebacksRequest) (*branchlinev1.ListComebacksResponse, error) {
	out := &branchlinev1.ListComebacksResponse{}
	err := w.acts.Look(ctx, func(h *act.Hand) error {
		for _, k := range []schema.Kind{schema.ServiceOrder, schema.ServiceLine} {
			if err := h.Caller.CheckRead(access.Node, k); err != nil {
				return err
			}
		}
		found, err := comebacks(h, r)
		if err != nil {
			return err
		}
		if out.More = len(found) > manyComebacks; out.More {
			found = found[:manyComebacks]
		}
		for _, x := range found {
			c, err := comeback(h, x)
			if err != nil {
				return err
			}
			out.Comebacks = append(out.Comebacks, c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// comebacks are the orders asked for, one more than are shown.
func comebacks(h *act.Hand, r *branchlinev1.ListComebacksRequest) ([]*branchlinev1.Record, error) {
	if r.GetOrder() == "" {
		return h.V.Faceted(schema.ServiceOrder, "comeback_of", "", r.GetSince(), manyComebacks+1)
	}
	id, err := desk.NameOf("order", r.GetOrder(), schema.ServiceOrder)
	if err != nil {
		return nil, err
	}
	own, err := h.V.Get(id)
	if err != nil {
		return nil, err
	}
	found, err := h.V.Faceted(schema.ServiceOrder, "comeback_of", id.String(), r.GetSince(), manyComebacks+1)
	if own.GetServiceOrder().GetComebackOf() != "" {
		found = slices.Insert(found, 0, own)
	}
	return found, err
}

// comeback is a car that came again, with what did not hold.
func comeback(h *act.Hand, r *branchlinev1.Record) (*branchlinev1.Comeback, error) {
	c, o := &branchlinev1.Comeback{Order: r}, r.GetServiceOrder()
	var err error
	if c.Old, err = heldRecord(h, o.GetComebackOf()); err != nil {
		return nil, err
	}
	if c.Line, err = heldRecord(h, o.GetComebackLine()); err != nil {
		return nil, err
	}
	if old := c.GetOld().GetServiceOrder(); old != nil {
		c.GuaranteeUntil, c.GuaranteeKm = guarantee.Repair(old, c.GetLine().GetServiceLine())
		c.Covered = guarantee.Covers(c.GuaranteeUntil, c.GuaranteeKm, o.GetDay(), o.GetOdometerKm())
		c.Days = daysBetween(old.GetDay(), o.GetDay())
	}
	for _, x := range []*branchlinev1.Record{c.Order, c.Old, c.Line} {
		if x != nil {
			access.Strip(x, h.Caller.Roles)
		}
	}
	return c, nil
}

// heldRecord is the record of an id, nil when it is not held here or there is no id.
func heldRecord(h *act.Hand, text string) (*branchlinev1.Record, error) {
	if text == "" {
		return nil, nil
	}
	id, err := schema.ParseRecordID(text)
	if err != nil {
		return nil, err
	}
	r, err := h.V.Get(id)
	if errors.Is(err, schema.ErrNotFound) {
		return nil, nil
	}
	return r, err
}

// daysBetween are the days from one to another; nil when one is no day.
func daysBetween(from, to string) *int32 {
	x, err1 := time.Parse(time.DateOnly, from)
	y, err2 := time.Parse(time.DateOnly, to)
	if err1 != nil || err2 != nil {
		return nil
	}
	n := int32(y.Sub(x).Hours() / 24)
	return &n
}
