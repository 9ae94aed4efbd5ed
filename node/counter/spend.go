package counter

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/desk"
	"branchline/sync/link"
)

// withCard is act for what may be paid with stored money too. f is asked first without writing anything; then
// headquarters spends the money; then f writes. The use of the card has an id promised to the request, so that the same
// request sent again, whatever was lost on the way, finds the money it has spent and spends none twice. When f fails after
// all, headquarters is asked to take the spending back.
func (c *Counter) withCard(ctx context.Context, sort, request string, word *branchlinev1.PinWord, tenders []*branchlinev1.Tender, order string,
	f func(k *clerk) (schema.RecordID, error),
) (schema.RecordID, error) {
	var zero schema.RecordID
	var tender *branchlinev1.Tender
	for _, t := range tenders {
		if t.GetMethod() == byCard {
			tender = t
		}
	}
	if tender == nil {
		return c.act(ctx, sort, request, word, f)
	}
	if request == "" {
		return zero, schema.Invalid("request_id", "is needed to pay with a card")
	}
	second, err := c.second(ctx, word)
	if err != nil {
		return zero, err
	}
	done := func() (id schema.RecordID, again bool, err error) {
		return c.c.Store.Done(ctx, sort, request)
	}
	if id, again, err := done(); err != nil || again {
		return id, err
	}
	use, err := c.c.Store.Promise(ctx, sort, request)
	if err != nil {
		return zero, err
	}
	var req *wirev1.SpendRequest
	if err := c.acts.Look(ctx, func(h *act.Hand) error {
		k, err := c.clerk(h, second)
		if err != nil {
			return err
		}
		if _, err := f(k); err != nil {
			return err
		}
		req, err = k.spending(use, tender, order)
		return err
	}); err != nil {
		return zero, err
	}
	if err := c.spend(ctx, req); err != nil {
		return zero, err
	}
	id, err := c.do(ctx, sort, request, second, f)
	if err == nil {
		return id, nil
	}
	back, merr := c.c.Store.MintID()
	if merr == nil {
		merr = c.spend(context.WithoutCancel(ctx), &wirev1.SpendRequest{
			Use: back[:], Card: req.Card, Reverses: use[:], Day: req.Day, Actor: req.Actor, Reason: "the payment was not saved",
		})
	}
	if merr != nil {
		err = errors.Join(err, fmt.Errorf("counter: the card was charged, send the same again: %w", merr))
	}
	return zero, err
}

// spending is what headquarters is asked to spend.
func (k *clerk) spending(use schema.RecordID, t *branchlinev1.Tender, order string) (*wirev1.SpendRequest, error) {
	if err := k.Caller.CheckWrite(access.Node, schema.CardUse); err != nil {
		return nil, err
	}
	id, err := desk.NameOf("card", t.GetCard(), schema.PackageCard)
	if err != nil {
		return nil, err
	}
	h, err := k.hold(id)
	if err != nil {
		return nil, err
	}
	if h.card.GetForm() != stored {
		return nil, schema.Invalid("tenders", "there is no money on this card: its uses are lines of an order")
	}
	req := &wirev1.SpendRequest{Use: use[:], Card: id[:], Amount: t.GetAmount(), Day: k.Today, Actor: k.Caller.Staff}
	vehicle := ""
	if order != "" {
		a, err := k.account(order)
		if err != nil {
			return nil, err
		}
		vehicle = a.order.GetVehicle()
		req.Order = a.id[:]
		if car, err := schema.ParseRecordID(vehicle); err == nil {
			req.Vehicle = car[:]
		}
	}
	// What is left is headquarters' to say: other branches may have spent what this one has not heard of, or paid in.
	why, err := k.stop(h, min(t.GetAmount(), h.stand.Left), vehicle)
	return req, errors.Join(err, asInvalid("tenders", why))
}

// spend asks headquarters, which alone says what is left.
func (c *Counter) spend(ctx context.Context, req *wirev1.SpendRequest) error {
	raw, err := proto.Marshal(req)
	if err != nil {
		return fmt.Errorf("counter: spend: %w", err)
	}
	answer, err := c.c.Line.Ask(ctx, link.VerbSpend, raw)
	if err != nil {
		return errors.Join(schema.ErrUnavailable, schema.Invalid("tenders", "stored money needs headquarters, which cannot be reached now"))
	}
	r := new(wirev1.SpendReply)
	if err := proto.Unmarshal(answer, r); err != nil {
		return fmt.Errorf("counter: spend: %w", err)
	}
	return asInvalid("tenders", r.GetRefused())
}
