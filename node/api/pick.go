package api

import (
	"context"
	"slices"
	"strconv"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
)

// PickCustomers gives a page of the customers that fit all conditions, as golden customers. Of a group one registration
// may say what another's later word has overtaken: what is shown decides. A page may be short, or empty, and still have a
// next one (store.Pick).
func (h *Records) PickCustomers(ctx context.Context, req *branchlinev1.PickCustomersRequest) (*branchlinev1.PickCustomersResponse, error) {
	caller := access.CallerFrom(ctx)
	if err := caller.CheckRead(access.Node, schema.Customer); err != nil {
		return nil, err
	}
	for _, d := range []struct{ name, day string }{
		{"visited_from", req.GetVisitedFrom()},
		{"visited_to", req.GetVisitedTo()},
		{"not_since", req.GetNotSince()},
		{"insured_from", req.GetInsuredFrom()},
		{"insured_to", req.GetInsuredTo()},
	} {
		if d.day != "" && schema.CheckDay(d.day) != nil {
			return nil, schema.Invalid(d.name, "%q is not a day: write it as 2026-11-21", d.day)
		}
	}
	size := int(req.GetPageSize())
	if size == 0 {
		size = 50
	}
	q := store.Pick{
		Facets: facets(req), Car: req.GetCar(), VisitedFrom: req.GetVisitedFrom(), VisitedTo: req.GetVisitedTo(), NotSince: req.GetNotSince(),
		InsuredFrom: req.GetInsuredFrom(), InsuredTo: req.GetInsuredTo(), Home: schema.BranchID(req.GetBranch()), Size: size, Token: req.GetPageToken(),
	}
	out := &branchlinev1.PickCustomersResponse{}
	for range emptyPages {
		if err := h.pickPage(ctx, req, q, caller, out); err != nil {
			return nil, err
		}
		if q.Token = out.GetNextPageToken(); q.Token == "" || len(out.GetCustomers()) > 0 {
			break
		}
	}
	return out, nil
}

// emptyPages is how many pages with nobody on them are passed over in one answer.
const emptyPages = 4

// pickPage adds a page to out.
func (h *Records) pickPage(ctx context.Context, req *branchlinev1.PickCustomersRequest, q store.Pick, caller access.Caller, out *branchlinev1.PickCustomersResponse) error {
	picked, next, err := h.c.Store.Pick(ctx, q)
	if err != nil {
		return err
	}
	out.NextPageToken = next
	ids := make([]schema.RecordID, len(picked))
	for i, p := range picked {
		ids[i] = p.ID
	}
	views, err := h.c.Store.Views(ctx, ids)
	if err != nil {
		return err
	}
	for _, p := range picked {
		r := views[p.ID]
		if r == nil { // it went meanwhile
			continue
		}
		if !fits(r.GetCustomer(), req) {
			continue
		}
		access.Strip(r, caller.Roles)
		out.Customers = append(out.Customers, &branchlinev1.PickedCustomer{Customer: r, LastVisit: p.Last, Visits: int32(p.Visits)})
	}
	return nil
}

// facets are the terms of the conditions on the customer's own values.
func facets(req *branchlinev1.PickCustomersRequest) []string {
	k := schema.KindOf(schema.Customer)
	var out []string
	add := func(field, value string) { out = append(out, index.FacetTerm(k.Field(field), value)) }
	number := func(field string, n int32) {
		if n != 0 {
			add(field, strconv.Itoa(int(n)))
		}
	}
	number("type", int32(req.GetType()))
	number("status", int32(req.GetStatus()))
	number("deal_classes", int32(req.GetDealClass()))
	number("value_class", req.GetValueClass())
	number("key_account", int32(req.GetKeyAccount()))
	if req.GetMemberClass() != "" {
		add("member_class", req.GetMemberClass())
	}
	if req.GetMarketing() != "" {
		add("consent_marketing", req.GetMarketing())
	}
	return out
}

// fits tells whether what a customer shows has what the facets were asked for.
func fits(c *branchlinev1.Customer, req *branchlinev1.PickCustomersRequest) bool {
	k := schema.KindOf(schema.Customer)
	member := index.FacetTerm(k.Field("member_class"), c.GetMemberClass()) == index.FacetTerm(k.Field("member_class"), req.GetMemberClass())
	return (req.GetType() == 0 || c.GetType() == req.GetType()) &&
		(req.GetStatus() == 0 || c.GetStatus() == req.GetStatus()) &&
		(req.GetDealClass() == 0 || slices.Contains(c.GetDealClasses(), req.GetDealClass())) &&
		(req.GetValueClass() == 0 || c.GetValueClass() == req.GetValueClass()) &&
		(req.GetKeyAccount() == 0 || c.GetKeyAccount() == req.GetKeyAccount()) &&
		(req.GetMemberClass() == "" || member) &&
		(req.GetMarketing() == "" || c.GetConsentMarketing() != nil && c.GetConsentMarketing().GetGiven() == (req.GetMarketing() == "yes"))
}
