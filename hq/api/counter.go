package api

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"branchline/hq/inbox"
	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/card"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/desk"
)

// Counter is the CounterService of headquarters: it reads cards and says who bears an overdrawn one. All else is done at
// the counter of a branch, and the rules let nobody ask for it here.
type Counter struct {
	branchlinev1connect.UnimplementedCounterServiceHandler
	*API
}

// Counter serves branchline.v1.CounterService.
func (a *API) Counter() *Counter { return &Counter{API: a} }

// cardState is a card as headquarters knows it.
func (a *API) cardState(r *store.R, id schema.RecordID) (*branchlinev1.CardState, card.Balance, error) {
	rec, c, uses, err := inbox.CardOf(r, id)
	if err != nil {
		return nil, card.Balance{}, err
	}
	name := schema.ResourceName(schema.PackageCard, id)
	if rec == nil {
		return nil, card.Balance{}, fmt.Errorf("%s: %w", name, schema.ErrNotFound)
	}
	b := card.Count(name, c, uses)
	out := &branchlinev1.CardState{Name: name, Card: c, Left: b.Left, Open: int32(len(b.Open))}
	is := func(list []card.Use, name string) bool {
		return slices.ContainsFunc(list, func(u card.Use) bool { return u.Name == name })
	}
	for _, u := range uses {
		if u.GetReverses() != "" {
			continue
		}
		row := &branchlinev1.CardUseRow{Name: u.Name, Use: u.CardUse, TakenBack: !is(b.Counting, u.Name), Over: is(b.Over, u.Name)}
		if row.Over && b.Last != nil {
			row.Last = b.Last.Name
		}
		if order, err := schema.ParseRecordID(u.GetOrder()); err == nil {
			o, err := store.RecOf(r, order)
			if err != nil {
				return nil, b, err
			}
			if o != nil {
				row.OrderNumber = o.Number
			}
		}
		out.Uses = append(out.Uses, row)
	}
	slices.SortStableFunc(out.Uses, func(x, y *branchlinev1.CardUseRow) int {
		return cmp.Compare(x.GetUse().GetUsedAt(), y.GetUse().GetUsedAt())
	})
	return out, b, nil
}

func mayReadCards(ctx context.Context) error {
	caller := access.CallerFrom(ctx)
	if err := caller.CheckRead(access.HQ, schema.PackageCard); err != nil {
		return err
	}
	return caller.CheckRead(access.HQ, schema.CardUse)
}

// GetCard tells how a card stands.
func (h *Counter) GetCard(ctx context.Context, req *branchlinev1.GetCardRequest) (out *branchlinev1.CardState, err error) {
	if err := mayReadCards(ctx); err != nil {
		return nil, err
	}
	id, err := desk.NameOf("card", req.GetCard(), schema.PackageCard)
	if err != nil {
		return nil, err
	}
	err = h.c.Store.Read(ctx, func(r *store.R) error {
		out, _, err = h.cardState(r, id)
		return err
	})
	return out, err
}

// ListOverdrawn lists cards with uses beyond what was sold that nobody bears yet; with all, those somebody does too.
func (h *Counter) ListOverdrawn(ctx context.Context, req *branchlinev1.ListOverdrawnRequest) (*branchlinev1.ListOverdrawnResponse, error) {
	if err := mayReadCards(ctx); err != nil {
		return nil, err
	}
	out := &branchlinev1.ListOverdrawnResponse{}
	err := h.c.Store.Read(ctx, func(r *store.R) error {
		query, args := "SELECT DISTINCT record FROM outcome WHERE kind = $1", []any{int64(wirev1.OutcomeKind_OVERDRAWN)}
		if req.GetAll() {
			query, args = "SELECT id FROM record WHERE kind = $1", []any{int64(schema.CardUse)}
		}
		var uses []schema.RecordID
		if err := r.Each(query, args, func(rows *stdsql.Rows) error {
			var b []byte
			if err := rows.Scan(&b); err != nil {
				return fmt.Errorf("hq/api: overdrawn cards: %w", err)
			}
			id, err := schema.RecordIDFromBytes(b)
			uses = append(uses, id)
			return err
		}); err != nil {
			return err
		}
		var cards []schema.RecordID
		for _, u := range uses {
			id, err := h.cardOf(r, u)
			if err != nil {
				return err
			}
			if !id.IsZero() && !slices.Contains(cards, id) {
				cards = append(cards, id)
			}
		}
		for _, id := range cards {
			s, b, err := h.cardState(r, id)
			if err != nil {
				return err
			}
			if len(b.Over) > 0 && (len(b.Open) > 0 || req.GetAll()) {
				out.Cards = append(out.Cards, s)
			}
		}
		return nil
	})
	return out, err
}

// cardOf is the card a use is of; zero for what is none.
func (h *Counter) cardOf(r *store.R, use schema.RecordID) (schema.RecordID, error) {
	rec, err := store.RecOf(r, use)
	if err != nil || rec == nil {
		return schema.RecordID{}, err
	}
	u, err := h.shower(r, access.Caller{Roles: access.HQRoles()}).record(rec, false)
	if err != nil {
		return schema.RecordID{}, err
	}
	if u.GetCardUse().GetCard() == "" {
		return schema.RecordID{}, nil
	}
	return schema.ParseRecordID(u.GetCardUse().GetCard())
}

// Bear says who bears a use beyond what was sold. It is said once.
func (h *Counter) Bear(ctx context.Context, req *branchlinev1.BearRequest) (*branchlinev1.CardState, error) {
	id, err := desk.NameOf("use", req.GetUse(), schema.CardUse)
	if err != nil {
		return nil, err
	}
	if who := req.GetBorneBy(); who != card.Customer && h.c.Store.Branch(schema.BranchID(who)) == nil {
		return nil, schema.Invalid("borne_by", "%q is neither a branch nor the customer", who)
	}
	u, err := h.Records().GetRecord(ctx, &branchlinev1.GetRecordRequest{Name: schema.ResourceName(schema.CardUse, id)})
	if err != nil {
		return nil, err
	}
	of, err := schema.ParseRecordID(u.GetCardUse().GetCard())
	if err != nil {
		return nil, err
	}
	if err := h.c.Store.Read(ctx, func(r *store.R) error {
		_, b, err := h.cardState(r, of)
		if err == nil && u.GetCardUse().GetBorneBy() != req.GetBorneBy() { // the same, sent again, is no change
			err = card.CheckBear(b, u.GetName())
		}
		return err
	}); err != nil {
		return nil, err
	}
	if _, err := h.Records().UpdateRecord(ctx, &branchlinev1.UpdateRecordRequest{
		Record: &branchlinev1.Record{Name: u.GetName(), Etag: u.GetEtag(), Body: &branchlinev1.Record_CardUse{CardUse: &branchlinev1.CardUse{
			BorneBy: proto.String(req.GetBorneBy()), BorneReason: proto.String(req.GetReason()),
		}}},
		UpdateMask: []string{"borne_by", "borne_reason"}, RequestId: req.GetRequestId(),
	}); err != nil {
		return nil, err
	}
	return h.GetCard(ctx, &branchlinev1.GetCardRequest{Card: of.String()})
}
