package counter

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/card"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

// overdrawn keeps which cards have more uses than were sold: it is read from all cards and uses, and again only when one
// of them changed.
type overdrawn struct {
	mu   sync.Mutex
	mark string
	ids  []schema.RecordID
}

func (k *clerk) overdrawn() ([]schema.RecordID, error) {
	mark, err := k.V.Mark(schema.PackageCard, schema.CardUse)
	if err != nil {
		return nil, err
	}
	k.drawn.mu.Lock()
	defer k.drawn.mu.Unlock()
	if k.drawn.mark == mark {
		return k.drawn.ids, nil
	}
	uses, err := k.V.All(schema.CardUse)
	if err != nil {
		return nil, err
	}
	by := map[string][]card.Use{}
	for _, r := range uses {
		u := r.GetCardUse()
		by[u.GetCard()] = append(by[u.GetCard()], card.Use{Name: r.GetName(), CardUse: u})
	}
	var ids []schema.RecordID
	cards, err := k.V.All(schema.PackageCard)
	if err != nil {
		return nil, err
	}
	for _, r := range cards {
		id, err := act.IDOf(r)
		if err != nil {
			return nil, err
		}
		if len(card.Count(r.GetName(), r.GetPackageCard(), by[id.String()]).Over) > 0 {
			ids = append(ids, id)
		}
	}
	k.drawn.mark, k.drawn.ids = mark, ids
	return ids, nil
}

// ListOverdrawn lists cards with uses beyond what was sold that nobody bears yet; with all, those somebody does too.
func (c *Counter) ListOverdrawn(ctx context.Context, r *branchlinev1.ListOverdrawnRequest) (*branchlinev1.ListOverdrawnResponse, error) {
	out := &branchlinev1.ListOverdrawnResponse{}
	err := c.look(ctx, func(k *clerk) error {
		ids, err := k.overdrawn()
		if err != nil {
			return err
		}
		for _, id := range ids {
			h, err := k.hold(id)
			if err != nil {
				return err
			}
			if len(h.stand.Open) == 0 && !r.GetAll() {
				continue
			}
			s, err := k.state(h, "")
			if err != nil {
				return err
			}
			out.Cards = append(out.Cards, s)
		}
		return nil
	})
	return out, err
}

// Bear says who bears a use beyond what was sold, by a manager. It is said once.
func (c *Counter) Bear(ctx context.Context, r *branchlinev1.BearRequest) (*branchlinev1.CardState, error) {
	id, err := desk.NameOf("use", r.GetUse(), schema.CardUse)
	if err != nil {
		return nil, err
	}
	var of schema.RecordID
	_, err = c.act(ctx, "bear", r.GetRequestId(), nil, func(k *clerk) (zero schema.RecordID, err error) {
		if _, err := k.manager(); err != nil {
			return zero, err
		}
		u, err := k.V.Get(id)
		if err != nil {
			return zero, err
		}
		if of, err = schema.ParseRecordID(u.GetCardUse().GetCard()); err != nil {
			return zero, err
		}
		h, err := k.hold(of)
		if err != nil {
			return zero, err
		}
		if err := card.CheckBear(h.stand, u.GetName()); err != nil {
			return zero, err
		}
		if err := k.bearer(r.GetBorneBy()); err != nil {
			return zero, err
		}
		_, err = k.Put(store.Edit{
			Kind: schema.CardUse, ID: id, Etag: u.GetEtag(), Mask: []string{"borne_by", "borne_reason"},
			Message: &branchlinev1.CardUse{BorneBy: proto.String(r.GetBorneBy()), BorneReason: proto.String(r.GetReason())},
		})
		return of, err
	})
	if err != nil {
		return nil, err
	}
	if of.IsZero() { // sent again
		if err := c.look(ctx, func(k *clerk) error {
			u, err := k.V.Get(id)
			if err == nil {
				of, err = schema.ParseRecordID(u.GetCardUse().GetCard())
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
	return c.cardOf(ctx, of, r.GetUse())
}

// bearer checks who is to bear: a branch, or the customer.
func (k *clerk) bearer(who string) error {
	if who == card.Customer {
		return nil
	}
	if err := k.Caller.CheckRead(access.Node, schema.Branch); err != nil {
		return err
	}
	branches, err := k.V.All(schema.Branch)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(branches, func(r *branchlinev1.Record) bool { return r.GetBranch().GetCode() == who }) {
		return schema.Invalid("borne_by", "%q is neither a branch nor the customer", who)
	}
	return nil
}
