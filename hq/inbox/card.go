package inbox

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/card"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// Cards. A counted card is used at any branch of the company that sold it by what the branch knows; when two branches
// that are cut off use the last one both uses stay, and both authors are told by an outcome that names both orders, until
// somebody bears it. Stored money is spent here alone, one at a time.

// messageOf is a record's body as it is shown.
func messageOf(rec *store.Rec) (proto.Message, error) {
	st, err := merge.Decode(rec.State)
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: record %s: %w", rec.ID, err)
	}
	return st.Message(schema.KindOf(rec.Kind))
}

// purse is a card and its uses, as headquarters has them.
type purse struct {
	rec  *store.Rec
	card *branchlinev1.PackageCard
	uses map[string]*store.Rec // by name
	all  []card.Use
}

// purseOf reads a card with its uses; nil when headquarters does not have it.
func purseOf(r store.Reader, id schema.RecordID) (*purse, error) {
	rec, err := store.RecOf(r, id)
	if err != nil || rec == nil || rec.Kind != schema.PackageCard {
		return nil, err
	}
	p := &purse{rec: rec, uses: map[string]*store.Rec{}}
	m, err := messageOf(rec)
	if err != nil {
		return nil, err
	}
	p.card = m.(*branchlinev1.PackageCard) // the kind's message
	var ids []schema.RecordID
	err = r.Each("SELECT id FROM record WHERE customer = $1 AND kind = $2", []any{rec.Customer[:], int64(schema.CardUse)}, func(rows *stdsql.Rows) error {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return fmt.Errorf("hq/inbox: read uses: %w", err)
		}
		ids = append(ids, schema.RecordID(b))
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, use := range ids {
		u, err := store.RecOf(r, use)
		if err != nil {
			return nil, err
		}
		m, err := messageOf(u)
		if err != nil {
			return nil, err
		}
		if x := m.(*branchlinev1.CardUse); x.GetCard() == id.String() {
			name := schema.ResourceName(schema.CardUse, use)
			p.uses[name] = u
			p.all = append(p.all, card.Use{Name: name, CardUse: x})
		}
	}
	return p, nil
}

// CardOf gives a card's record, the card and its uses; nil when headquarters does not have it.
func CardOf(r store.Reader, id schema.RecordID) (*store.Rec, *branchlinev1.PackageCard, []card.Use, error) {
	p, err := purseOf(r, id)
	if p == nil {
		return nil, nil, nil, err
	}
	return p.rec, p.card, p.all, nil
}

func (p *purse) count() card.Balance {
	return card.Count(schema.ResourceName(schema.PackageCard, p.rec.ID), p.card, p.all)
}

// noteUse remembers that a use of a card was written in this transaction.
func (r *run) noteUse(rec *store.Rec) error {
	if rec.Kind != schema.CardUse {
		return nil
	}
	m, err := messageOf(rec)
	if err != nil {
		return err
	}
	// What names no card is nobody's use.
	if id, err := schema.ParseRecordID(m.(*branchlinev1.CardUse).GetCard()); err == nil && !slices.Contains(r.used, id) {
		r.used = append(r.used, id)
	}
	return nil
}

// tellOverdrawn gives the changes behind a use beyond what was sold, and behind the one that took the last, the outcome
// that names both; and takes it from those that have it no more.
func (r *run) tellOverdrawn() error {
	for _, id := range r.used {
		p, err := purseOf(r, id)
		if err != nil {
			return err
		}
		if p == nil || p.card.GetForm() == branchlinev1.CardForm_CARD_STORED_MONEY {
			continue
		}
		b := p.count()
		say := map[string]string{}
		for _, u := range b.Open {
			text, err := r.overdrawn(p, b, u)
			if err != nil {
				return err
			}
			say[u.Name] = text
			if b.Last != nil {
				say[b.Last.Name] = text
			}
		}
		for _, u := range p.all {
			if err := r.tellUse(p.uses[u.Name], say[u.Name]); err != nil {
				return err
			}
		}
	}
	r.used = nil
	return nil
}

// overdrawn says what became of a card, naming the orders by their numbers.
func (r *run) overdrawn(p *purse, b card.Balance, over card.Use) (string, error) {
	number := p.card.GetNumber()
	if number == "" {
		number = p.rec.ID.String()
	}
	of := func(u card.Use) (string, error) {
		id, err := schema.ParseRecordID(u.GetOrder())
		if err != nil {
			return "?", nil // a use without an order
		}
		rec, err := store.RecOf(r, id)
		if err != nil {
			return "", err
		}
		if rec == nil || rec.Number == "" {
			return id.String(), nil
		}
		return rec.Number, nil
	}
	later, err := of(over)
	if err != nil {
		return "", err
	}
	if b.Last == nil {
		return fmt.Sprintf("card %s is used beyond what was sold by order %s of %s", number, later, over.GetBranch()), nil
	}
	last, err := of(*b.Last)
	return fmt.Sprintf("card %s is used beyond what was sold: order %s of %s took the last, order %s of %s came after it", number, last, b.Last.GetBranch(), later, over.GetBranch()), err
}

// tellUse gives the change that made a use the outcome; with text "" it is applied and no more, if it was told otherwise.
func (r *run) tellUse(rec *store.Rec, text string) error {
	st, err := merge.Decode(rec.State)
	if err != nil {
		return fmt.Errorf("hq/inbox: record %s: %w", rec.ID, err)
	}
	entries := st.Entries(schema.KindOf(schema.CardUse).Field("card").Number)
	if len(entries) == 0 {
		return nil
	}
	id := entries[0].Stamp.Change()
	b := r.i.st.Branch(id.Branch)
	if b == nil || id.Branch == schema.HQ {
		return nil
	}
	var kind int
	var reason string
	if _, err := r.w.Scan("SELECT kind, reason FROM outcome WHERE inc = $1 AND seq = $2", []any{int64(id.Inc), int64(id.Seq)}, &kind, &reason); err != nil {
		return err
	}
	was := wirev1.OutcomeKind(kind)
	v := verdict{wirev1.OutcomeKind_OVERDRAWN, text}
	switch {
	case text == "" && was != wirev1.OutcomeKind_OVERDRAWN, text != "" && was == wirev1.OutcomeKind_OVERDRAWN && reason == text:
		return nil
	case blocks(was): // it is not applied yet, which is the more to know
		return nil
	case text == "":
		v = applied
	}
	it := &item{id: id, branch: b, body: &wirev1.ChangeBody{Kind: uint32(schema.CardUse), Record: rec.ID[:]}}
	return r.setOutcome(it, v, 0, nil)
}

// Spend spends stored money of a card for a branch, or takes such a spending back: the use is a change of headquarters,
// written under the lock that all of them take, so that no two can spend the same. Asked again under the same id it
// answers as before. What is not to be is said in the reply, in one sentence.
func (i *Inbox) Spend(ctx context.Context, b schema.BranchID, req *wirev1.SpendRequest) (*wirev1.SpendReply, error) {
	branch := i.st.Branch(b)
	if branch == nil {
		return nil, fmt.Errorf("branch %s: %w", b, schema.ErrNotFound)
	}
	use, err := schema.RecordIDFromBytes(req.GetUse())
	if err != nil {
		return nil, err
	}
	id, err := schema.RecordIDFromBytes(req.GetCard())
	if err != nil {
		return nil, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	out := &wirev1.SpendReply{}
	err = i.write(ctx, false, func(r *run) error {
		p, err := purseOf(r, id)
		if err != nil {
			return err
		}
		if p == nil {
			out.Refused = "headquarters does not have the card yet"
			return nil
		}
		s := spending{r: r, p: p, branch: branch, req: req, use: use}
		m, why, err := s.made()
		if err != nil || why != "" {
			out.Refused = why
			return err
		}
		left := p.count().Left
		if m == nil { // it is done already
			out.Left = left
			return nil
		}
		out.Left = left - m.GetAmount()
		_, err = r.edit([]Edit{{
			Kind: schema.CardUse, Record: use, Create: true, Values: m, Actor: m.GetBy(), Role: branchlinev1.Role_ROLE_HQ_ADMINISTRATOR,
		}})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: spend: %w", err)
	}
	return out, nil
}

// spending is one request to spend.
type spending struct {
	r      *run
	p      *purse
	branch *store.Branch
	req    *wirev1.SpendRequest
	use    schema.RecordID
}

// made is the use to write; nil when it is written already. why says in one sentence why there is to be none.
func (s *spending) made() (m *branchlinev1.CardUse, why string, err error) {
	name := schema.ResourceName(schema.CardUse, s.use)
	if rec, err := store.RecOf(s.r, s.use); err != nil || rec != nil {
		if err != nil {
			return nil, "", err
		}
		return nil, s.again(name), nil
	}
	seller := s.r.i.st.EntityOf(s.p.rec.Home)
	b := s.p.count()
	m = &branchlinev1.CardUse{
		Card: proto.String(s.p.rec.ID.String()), Customer: s.p.card.Customer, Branch: proto.String(string(s.branch.Code)), UsedAt: proto.Int64(s.r.now.UnixMilli()),
		Day: proto.String(s.req.GetDay()), Currency: s.p.card.Currency, By: proto.String(strings.TrimSpace(s.req.GetActor())), KnownLeft: &b.Left,
	}
	for _, f := range []struct {
		to *(*string)
		is []byte
	}{{&m.Order, s.req.GetOrder()}, {&m.Vehicle, s.req.GetVehicle()}} {
		if id, err := schema.RecordIDFromBytes(f.is); err == nil {
			*f.to = proto.String(id.String())
		}
	}
	if len(s.req.GetReverses()) > 0 {
		return s.back(m, b)
	}
	if s.p.card.GetForm() != branchlinev1.CardForm_CARD_STORED_MONEY || s.req.GetAmount() <= 0 {
		return nil, "there is no money on this card: its uses are lines of an order", nil
	}
	m.Amount = proto.Int64(s.req.GetAmount())
	ask := card.Ask{
		Take: s.req.GetAmount(), Day: s.req.GetDay(), Vehicle: s.p.card.GetVehicle(), // whose car it is the branch has asked
		Company: string(s.r.i.st.EntityOf(s.branch.Num)), Seller: string(seller), HQ: true,
	}
	return m, card.Why(card.May(s.p.card, b, ask), s.p.card, b), nil
}

// again is what is wrong with a spending that is asked for under the id of one that is there; "" when it is the same.
func (s *spending) again(name string) string {
	at := slices.IndexFunc(s.p.all, func(u card.Use) bool { return u.Name == name })
	switch {
	case at < 0, s.p.all[at].GetBranch() != string(s.branch.Code), len(s.req.GetReverses()) == 0 && s.p.all[at].GetAmount() != s.req.GetAmount():
		return "the request is another's"
	case len(s.req.GetReverses()) == 0 && !slices.ContainsFunc(s.p.count().Counting, func(u card.Use) bool { return u.Name == name }):
		return "the spending was taken back: send the payment anew"
	}
	return ""
}

// back is the use that takes another of this branch back.
func (s *spending) back(m *branchlinev1.CardUse, b card.Balance) (*branchlinev1.CardUse, string, error) {
	id, err := schema.RecordIDFromBytes(s.req.GetReverses())
	if err != nil {
		return nil, "", err
	}
	name := schema.ResourceName(schema.CardUse, id)
	at := slices.IndexFunc(b.Counting, func(u card.Use) bool { return u.Name == name })
	if at < 0 || b.Counting[at].GetBranch() != string(s.branch.Code) {
		return nil, "there is no such spending of this branch to take back", nil
	}
	was := b.Counting[at]
	m.Amount, m.Reverses, m.Reason = proto.Int64(-was.GetAmount()), proto.String(id.String()), proto.String(s.req.GetReason())
	m.Order, m.Vehicle = was.Order, was.Vehicle
	return m, "", nil
}
