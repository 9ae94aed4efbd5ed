package workshop

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/till"
	"branchline/sync/edit"
)

// goesAlong are the kinds of an order that go where it goes: what is still worked on. Money, fapiaos and files stay
// where they were made, and are found from there.
func goesAlong() []schema.Kind {
	return []schema.Kind{schema.ServiceLine, schema.Inspection, schema.Claim, schema.Appointment}
}

// Transfer moves the home of an order, and of what is worked on in it, to a sister branch of the same company. Number,
// state, technicians, notes and files stay as they are; a note says who sent it where and why. Refused as ErrInvalid while
// somebody is clocked on to it or a settlement stands: hours and money are of the branch at which they were made.
func (w *Workshop) Transfer(ctx context.Context, r *branchlinev1.TransferRequest) (*branchlinev1.Record, error) {
	id, err := w.acts.Do(ctx, "transfer", r.GetRequestId(), func(h *act.Hand) (schema.RecordID, error) {
		id, order, err := orderOf(h, r.GetOrder())
		if err != nil {
			return id, err
		}
		sites, err := branches(h)
		if err != nil {
			return id, err
		}
		to, err := sister(h, sites, r.GetBranch())
		if err != nil {
			return id, err
		}
		if err := resting(h, id); err != nil {
			return id, err
		}
		if err := sendOrder(h, id, order, to, r.GetEtag()); err != nil {
			return id, err
		}
		if err := sendAlong(h, id, order.GetServiceOrder(), to); err != nil {
			return id, err
		}
		// Names of places and the reason, so that it reads in every language.
		text := fmt.Sprintf("%s → %s：%s", siteName(sites, h.ID.Branch), siteName(sites, to), r.GetReason())
		_, err = h.Put(store.Edit{Kind: schema.Note, Message: &branchlinev1.Note{
			Order: act.Ref(id), Day: &h.Today, Text: &text, Author: proto.String(h.Caller.Staff), Branch: proto.String(string(h.ID.Branch)),
		}})
		return id, err
	})
	if err != nil {
		return nil, err
	}
	return w.shown(ctx, id)
}

// branches are the branches of the group by code.
func branches(h *act.Hand) (map[schema.BranchID]*branchlinev1.Branch, error) {
	all, err := h.V.All(schema.Branch)
	out := map[schema.BranchID]*branchlinev1.Branch{}
	for _, r := range all {
		out[schema.BranchID(r.GetBranch().GetCode())] = r.GetBranch()
	}
	return out, err
}

func siteName(sites map[schema.BranchID]*branchlinev1.Branch, b schema.BranchID) string {
	return cmp.Or(sites[b].GetName(), string(b))
}

// sister is another branch of this branch's company that still works. ErrInvalid.
func sister(h *act.Hand, sites map[schema.BranchID]*branchlinev1.Branch, code string) (schema.BranchID, error) {
	b := sites[schema.BranchID(code)]
	switch {
	case b == nil:
		return "", schema.Invalid("branch", "there is no branch %q", code)
	case code == string(h.ID.Branch):
		return "", schema.Invalid("branch", "the order is here")
	case b.GetRetiredAt() != 0:
		return "", schema.Invalid("branch", "the branch %s is closed", code)
	case b.GetEntity() != string(h.ID.Entity):
		return "", schema.Invalid("branch", "%s is another company's: what is owed there is owed to somebody else", code)
	}
	return schema.BranchID(code), nil
}

// resting refuses an order that somebody works on, or of which a settlement stands.
func resting(h *act.Hand, id schema.RecordID) error {
	lines, err := h.V.About(schema.ServiceLine, schema.ServiceOrder, id)
	if err != nil {
		return err
	}
	var on []string
	for _, r := range lines {
		for _, c := range r.GetServiceLine().GetClockings() {
			if c.GetUntil() == 0 && !slices.Contains(on, c.GetTechnician()) {
				on = append(on, c.GetTechnician())
			}
		}
	}
	if len(on) > 0 {
		return schema.Invalid("order", "%s works on it: clock off first", strings.Join(on, ", "))
	}
	settled, err := settlements(h, id)
	if err != nil {
		return err
	}
	if len(settled) > 0 {
		return schema.Invalid("order", "is settled by %s: reverse that first, or leave it here", settled[0].GetNumber())
	}
	return nil
}

// settlements are those of an order that stand.
func settlements(h *act.Hand, order schema.RecordID) ([]till.Settlement, error) {
	records, err := h.V.About(schema.Settlement, schema.ServiceOrder, order)
	all := make([]till.Settlement, 0, len(records))
	for _, r := range records {
		all = append(all, till.Settlement{ID: act.Bare(r.GetName()), Settlement: r.GetSettlement()})
	}
	return till.Standing(all), err
}

// sendOrder moves the order's home. etag is that of the page the person saw; "": whatever it is. ErrConflict.
func sendOrder(h *act.Hand, id schema.RecordID, order *branchlinev1.Record, to schema.BranchID, etag string) error {
	if etag != "" {
		moved, err := edit.Moved(schema.KindOf(schema.ServiceOrder), etag, order.GetEtag(), "state", "branch", "sites")
		if err != nil {
			return err
		}
		if moved {
			return act.Changed()
		}
	}
	sites, now := order.GetServiceOrder().GetSites(), order.GetEtag()
	if !slices.Contains(sites, string(h.ID.Branch)) {
		// A change of its own: a list is in the order in which its values came.
		sites = append(sites, string(h.ID.Branch))
		if _, err := h.Put(store.Edit{
			Kind: schema.ServiceOrder, ID: id, Message: &branchlinev1.ServiceOrder{Sites: sites}, Mask: []string{"sites"}, Etag: now,
		}); err != nil {
			return err
		}
		r, err := h.V.Get(id)
		if err != nil {
			return err
		}
		now = r.GetEtag()
	}
	if !slices.Contains(sites, string(to)) {
		sites = append(sites, string(to))
	}
	_, err := h.Put(store.Edit{
		Kind: schema.ServiceOrder, ID: id, Message: &branchlinev1.ServiceOrder{Sites: sites, Branch: proto.String(string(to))},
		Mask: []string{"branch", "sites"}, Etag: now, NewHome: to,
	})
	return err
}

// sendAlong moves the home of what belongs to the order and is kept here. The appointment it came of may name it by
// itself or only be named.
func sendAlong(h *act.Hand, id schema.RecordID, o *branchlinev1.ServiceOrder, to schema.BranchID) error {
	var all []*branchlinev1.Record
	for _, k := range goesAlong() {
		of, err := h.V.About(k, schema.ServiceOrder, id)
		if err != nil {
			return err
		}
		all = append(all, of...)
	}
	if held, err := holds(h, o.Appointment); err != nil {
		return err
	} else if held {
		booked, err := schema.ParseRecordID(o.GetAppointment())
		if err != nil {
			return err
		}
		r, err := h.V.Get(booked)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(x *branchlinev1.Record) bool { return x.GetName() == r.GetName() }) {
			all = append(all, r)
		}
	}
	for _, r := range all {
		if r.GetHome() != string(h.ID.Branch) {
			continue
		}
		k, body, err := schema.BodyOf(r)
		if err != nil {
			return err
		}
		one, err := act.IDOf(r)
		if err != nil {
			return err
		}
		if _, err := h.Put(store.Edit{Kind: k.Kind, ID: one, Message: body, NewHome: to}); err != nil {
			return err
		}
	}
	return nil
}
