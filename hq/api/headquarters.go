package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/hq/inbox"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/page"
)

const service = "HeadquartersService"

// AddEntity makes a legal entity.
func (h *Headquarters) AddEntity(ctx context.Context, req *branchlinev1.AddEntityRequest) (*branchlinev1.Record, error) {
	if err := may(ctx, service, "AddEntity"); err != nil {
		return nil, err
	}
	code, err := schema.ParseEntityID(req.GetCode())
	if err != nil {
		return nil, schema.Invalid("code", "%q is no code of a legal entity: a small letter, then 1 to 7 small letters or digits", req.GetCode())
	}
	name := strings.TrimSpace(req.GetName())
	if name == "" {
		return nil, schema.Invalid("name", "is empty")
	}
	id, err := h.c.Inbox.AddEntity(ctx, code, name, by(ctx, service, "AddEntity"))
	if err != nil {
		return nil, err
	}
	return h.Records().show(ctx, schema.KindOf(schema.LegalEntity), id, false)
}

// AddBranch makes a branch and gives its first enrolment token.
func (h *Headquarters) AddBranch(ctx context.Context, req *branchlinev1.AddBranchRequest) (*branchlinev1.EnrolmentToken, error) {
	if err := may(ctx, service, "AddBranch"); err != nil {
		return nil, err
	}
	code, err := schema.ParseBranchID(req.GetCode())
	if err != nil || code == schema.HQ {
		return nil, schema.Invalid("code", "%q is no code of a branch: a small letter, then 1 to 7 small letters or digits; hq is headquarters itself", req.GetCode())
	}
	name := strings.TrimSpace(req.GetName())
	if name == "" {
		return nil, schema.Invalid("name", "is empty")
	}
	t, err := h.c.Inbox.AddBranchIn(ctx, code, name, schema.EntityID(req.GetEntity()), req.GetZone(), by(ctx, service, "AddBranch"))
	if errors.Is(err, schema.ErrNotFound) {
		return nil, schema.Invalid("entity", "there is no legal entity %q: add it first (branchline hq entity add)", req.GetEntity())
	}
	if err != nil {
		return nil, err
	}
	h.log.Info("branch added", "branch", code)
	return h.token(t)
}

func (h *Headquarters) token(t *inbox.Token) (*branchlinev1.EnrolmentToken, error) {
	text, err := h.c.Token(t)
	if err != nil {
		return nil, fmt.Errorf("hq/api: enrolment token: %w", err)
	}
	return &branchlinev1.EnrolmentToken{Token: text, ExpiresAt: t.Expires}, nil
}

// code reads a branch's code. ErrNotFound when there is no such branch.
func (h *Headquarters) code(s string) (schema.BranchID, error) {
	b := h.c.Store.Branch(schema.BranchID(s))
	if b == nil || b.Num == store.HQNum {
		return "", fmt.Errorf("there is no branch %q: %w", s, schema.ErrNotFound)
	}
	return b.Code, nil
}

// ReEnrolBranch opens a re-enrolment: whoever comes with the token becomes the branch.
func (h *Headquarters) ReEnrolBranch(ctx context.Context, req *branchlinev1.BranchRequest) (*branchlinev1.EnrolmentToken, error) {
	if err := may(ctx, service, "ReEnrolBranch"); err != nil {
		return nil, err
	}
	code, err := h.code(req.GetCode())
	if err != nil {
		return nil, err
	}
	t, err := h.c.Inbox.ReEnrol(ctx, code)
	if err != nil {
		return nil, err
	}
	h.log.Info("re-enrolment opened", "branch", code)
	return h.token(t)
}

// RevokeBranch ends a branch's key for ever, in the ledger first, and cuts its links.
func (h *Headquarters) RevokeBranch(ctx context.Context, req *branchlinev1.BranchRequest) (*branchlinev1.Empty, error) {
	if err := may(ctx, service, "RevokeBranch"); err != nil {
		return nil, err
	}
	code, err := h.code(req.GetCode())
	if err != nil {
		return nil, err
	}
	if err := h.c.Inbox.Revoke(ctx, code); err != nil {
		return nil, err
	}
	h.log.Warn("branch revoked", "branch", code, "links", h.c.Links.Kick(code))
	return &branchlinev1.Empty{}, nil
}

// RetireBranch closes a branch for ever. Its links are cut, so that it says hello and hands in what it has not sent yet.
func (h *Headquarters) RetireBranch(ctx context.Context, req *branchlinev1.BranchRequest) (*branchlinev1.Empty, error) {
	if err := may(ctx, service, "RetireBranch"); err != nil {
		return nil, err
	}
	code, err := h.code(req.GetCode())
	if err != nil {
		return nil, err
	}
	if err := h.c.Inbox.Retire(ctx, code); err != nil {
		return nil, err
	}
	h.log.Warn("branch retired", "branch", code, "links", h.c.Links.Kick(code))
	return &branchlinev1.Empty{}, h.retireRecord(ctx, code)
}

// retireRecord tells every branch; a call again does what a crash left undone.
func (h *Headquarters) retireRecord(ctx context.Context, code schema.BranchID) error {
	h.desk.Lock()
	defer h.desk.Unlock()
	b := h.c.Store.Branch(code)
	var done bool
	if err := h.c.Store.Read(ctx, func(r *store.R) error {
		rec, err := store.RecOf(r, b.Record)
		done = rec == nil || rec.Retired != 0
		return err
	}); err != nil || done {
		return err
	}
	who := by(ctx, service, "RetireBranch")
	_, err := h.c.Inbox.Edit(ctx, inbox.Edit{
		Kind: schema.Branch, Record: b.Record, Actor: who.Actor, Role: who.Role,
		Values: &branchlinev1.Branch{RetiredAt: proto.Int64(h.c.Now().UnixMilli())},
	})
	return err
}

// SetGroup says what the dealer group is called.
func (h *Headquarters) SetGroup(ctx context.Context, req *branchlinev1.SetGroupRequest) (*branchlinev1.Empty, error) {
	if err := may(ctx, service, "SetGroup"); err != nil {
		return nil, err
	}
	name := strings.TrimSpace(req.GetName())
	if name == "" {
		return nil, schema.Invalid("name", "is empty")
	}
	return &branchlinev1.Empty{}, h.c.Inbox.SetGroup(ctx, name, by(ctx, service, "SetGroup"))
}

// GoOn is a person's word that headquarters goes on where it stopped by itself.
func (h *Headquarters) GoOn(ctx context.Context, req *branchlinev1.GoOnRequest) (*branchlinev1.Empty, error) {
	if err := may(ctx, service, "GoOn"); err != nil {
		return nil, err
	}
	if !req.GetSuperseded() && len(req.GetWithout()) == 0 {
		return nil, schema.Invalid("without", "say where headquarters is to go on: superseded, or the branches not waited for")
	}
	var without []schema.BranchID
	for _, s := range req.GetWithout() {
		code, err := h.code(s)
		if err != nil {
			return nil, err
		}
		without = append(without, code)
	}
	h.log.Warn("headquarters is told to go on", "superseded", req.GetSuperseded(), "without", without, "by", access.CallerFrom(ctx).Staff)
	return &branchlinev1.Empty{}, h.c.Inbox.GoOn(ctx, req.GetSuperseded(), without)
}

// ListQuarantine lists what is refused, quarantined, parked or waiting.
func (h *Headquarters) ListQuarantine(ctx context.Context, req *branchlinev1.ListQuarantineRequest) (*branchlinev1.ListQuarantineResponse, error) {
	if err := may(ctx, service, "ListQuarantine"); err != nil {
		return nil, err
	}
	size, sum := pageSize(req.GetPageSize()), page.SumOf("quarantine", req.GetBranch())
	var after page.Place
	if req.GetPageToken() != "" {
		var err error
		if after, err = page.Parse(sum, req.GetPageToken()); err != nil {
			return nil, err
		}
	}
	if req.GetBranch() != "" && h.c.Store.Branch(schema.BranchID(req.GetBranch())) == nil {
		return nil, schema.Invalid("branch", "there is no branch %q", req.GetBranch())
	}
	list, err := h.c.Inbox.Quarantine(ctx, schema.BranchID(req.GetBranch()), after.N, size+1)
	if err != nil {
		return nil, err
	}
	out := new(branchlinev1.ListQuarantineResponse)
	if len(list) > size {
		list = list[:size]
		out.NextPageToken = page.Token(sum, page.Place{Key: int64(0), N: list[size-1].N})
	}
	caller := access.CallerFrom(ctx)
	for _, q := range list {
		item := &branchlinev1.QuarantineItem{
			Change: q.Change.String(), Outcome: q.Outcome.String(), Reason: q.Reason, At: q.At, WaitsFor: int64(q.WaitsFor),
		}
		if k := schema.KindOf(q.Kind); k != nil {
			item.Kind = k.Name
			if !q.Record.IsZero() && access.MayRead(access.HQ, q.Kind, caller.Roles) {
				item.Record = schema.ResourceName(q.Kind, q.Record)
			}
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}

// SettleQuarantine judges a change again, or gives it up.
func (h *Headquarters) SettleQuarantine(ctx context.Context, req *branchlinev1.SettleQuarantineRequest) (*branchlinev1.Empty, error) {
	if err := may(ctx, service, "SettleQuarantine"); err != nil {
		return nil, err
	}
	id, err := schema.ParseChangeID(req.GetChange())
	if err != nil {
		return nil, err
	}
	kind, err := h.c.Inbox.Settle(ctx, id, req.GetDiscard())
	if err != nil {
		return nil, err
	}
	h.log.Info("quarantine settled", "change", id, "outcome", kind, "by", access.CallerFrom(ctx).Staff)
	return &branchlinev1.Empty{}, nil
}

// Report answers a group report.
func (h *Headquarters) Report(ctx context.Context, req *branchlinev1.ReportRequest) (*branchlinev1.ReportResponse, error) {
	if err := may(ctx, service, "Report"); err != nil {
		return nil, err
	}
	if req.GetRecent() {
		if out := h.c.Reports.Kept(ctx, req); out != nil {
			return out, nil
		}
		// Nobody looks at a page until all of a drain is matched: who is one customer is as it is known now.
		return h.c.Reports.Report(ctx, req)
	}
	if err := h.c.Catch(ctx); err != nil {
		return nil, err
	}
	return h.c.Reports.Report(ctx, req)
}
