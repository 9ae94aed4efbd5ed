package rig

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/gen/branchline/v1/branchlinev1connect"
	"branchline/sync/link"
)

// counters is a group with one customer at two branches of one company, and an order of theirs at each.
type counters struct {
	*group
	owner  schema.RecordID
	orders map[schema.BranchID]schema.RecordID
}

func newCounters(t *testing.T) *counters {
	t.Helper()
	c := &counters{group: newGroup(t, Config{Pages: true}), orders: map[schema.BranchID]schema.RecordID{}}
	members := map[schema.BranchID]schema.RecordID{}
	for _, b := range []schema.BranchID{"b1", "b2"} {
		members[b] = c.customer(b, "王小明", "13817264531")
	}
	c.owner = members["b1"]
	c.converge()
	c.get("b2", c.owner)
	for b, m := range members {
		c.orders[b] = c.put(b, store.Edit{Day: "2026-11-22", Message: &branchlinev1.ServiceOrder{
			Branch: proto.String(string(b)), Customer: proto.String(m.String()), State: branchlinev1.OrderState_READY.Enum(), Day: proto.String("2026-11-22"),
		}})
		c.put(b, store.Edit{Message: &branchlinev1.ServiceLine{
			Order: proto.String(c.orders[b].String()), Kind: branchlinev1.LineKind_LABOUR.Enum(), State: branchlinev1.LineState_LINE_DONE.Enum(),
			Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Amount: proto.Int64(8_000), Branch: proto.String(string(b)),
		}})
	}
	return c
}

func (c *counters) at(b schema.BranchID) branchlinev1connect.CounterServiceClient {
	return c.Site(b).Node().Server().API().Counter
}

func (c *counters) sell(r *branchlinev1.SellCardRequest) string {
	c.t.Helper()
	r.Customer = c.owner.String()
	r.Tenders = []*branchlinev1.Tender{{Method: branchlinev1.PayMethod_METHOD_CASH, Amount: r.Price}}
	card, err := c.at("b1").SellCard(owner(c.t.Context(), access.Node), r)
	c.must(err)
	c.converge()
	return card.GetName()
}

func (c *counters) use(b schema.BranchID, card string) *branchlinev1.CardState {
	c.t.Helper()
	s, err := c.at(b).UseCard(owner(c.t.Context(), access.Node), &branchlinev1.UseCardRequest{Card: card, Order: c.orders[b].String()})
	c.must(err)
	return s
}

func (c *counters) overdrawn(b schema.BranchID) []*branchlinev1.CardState {
	c.t.Helper()
	var r *branchlinev1.ListOverdrawnResponse
	var err error
	if b == schema.HQ {
		r, err = c.HQ().Server().API().Counter.ListOverdrawn(owner(c.t.Context(), access.HQ), &branchlinev1.ListOverdrawnRequest{})
	} else {
		r, err = c.at(b).ListOverdrawn(owner(c.t.Context(), access.Node), &branchlinev1.ListOverdrawnRequest{})
	}
	c.must(err)
	return r.GetCards()
}

// A card is used at two branches while both are cut off: both uses stay, one use too many. Both branches are told of it by
// an outcome that names both orders, it stands in the lists of both and of headquarters, and is answered once for all.
func TestCard_TheLastUseAtTwoBranchesCutOff(t *testing.T) {
	c := newCounters(t)
	card := c.sell(&branchlinev1.SellCardRequest{Form: branchlinev1.CardForm_CARD_COUNTED, Title: "wash", Uses: 1, Price: 5_000})
	numbers := []string{}
	for _, b := range []schema.BranchID{"b1", "b2"} {
		c.Site(b).Proxy().Cut()
		c.until(string(b)+" cut off", func() bool { return c.Site(b).Node().Link().Phase == link.Down })
		if s := c.use(b, card); s.GetLeft() != 0 || s.GetAsOf() == 0 {
			t.Fatalf("%s, which knows of one use only: %v", b, s)
		}
		if n := len(c.overdrawn(b)); n != 0 {
			t.Fatalf("%s: %d overdrawn", b, n)
		}
		numbers = append(numbers, c.get(b, c.orders[b]).GetServiceOrder().GetNumber())
	}
	for _, b := range []schema.BranchID{"b1", "b2"} {
		c.Site(b).Proxy().Open()
		c.linked(b)
	}
	c.converge()
	for _, b := range []schema.BranchID{"b1", "b2", schema.HQ} {
		all := c.overdrawn(b)
		if len(all) != 1 || all[0].GetName() != card || all[0].GetLeft() != -1 || all[0].GetOpen() != 1 || len(all[0].GetUses()) != 2 {
			t.Fatalf("%s lists %v", b, all)
		}
	}
	uses := c.overdrawn("b1")[0].GetUses()
	for i, b := range []schema.BranchID{"b1", "b2"} {
		said := func() string {
			w, err := c.Site(b).Node().Store().Where(t.Context(), uses[i].GetName())
			c.must(err)
			if w.GetOutcome() != branchlinev1.ChangeOutcome_CHANGE_OVERDRAWN {
				return ""
			}
			return w.GetReason()
		}
		if text := said(); !strings.Contains(text, numbers[0]) || !strings.Contains(text, numbers[1]) {
			t.Errorf("%s is told %q of orders %v", b, text, numbers)
		}
		list, err := c.Site(b).Node().Server().API().Sites.ListChanges(owner(t.Context(), access.Node), &branchlinev1.ListChangesRequest{LookAt: true})
		c.must(err)
		if n := len(list.GetChanges()); n != 1 {
			t.Errorf("%s is to look at %d changes", b, n)
		}
	}
	// The manager of one branch answers for all.
	over := uses[1]
	if !over.GetOver() || over.GetLast() != uses[0].GetName() {
		t.Fatalf("%v", over)
	}
	_, err := c.at("b2").Bear(owner(t.Context(), access.Node), &branchlinev1.BearRequest{Use: over.GetName(), BorneBy: "b2", Reason: "a gift"})
	c.must(err)
	c.converge()
	for _, b := range []schema.BranchID{"b1", "b2", schema.HQ} {
		if n := len(c.overdrawn(b)); n != 0 {
			t.Errorf("%s still asks", b)
		}
	}
	_, err = c.at("b1").Bear(owner(t.Context(), access.Node), &branchlinev1.BearRequest{Use: over.GetName(), BorneBy: "b1", Reason: "no"})
	if !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("answered twice: %v", err)
	}
	_, err = c.HQ().Server().API().Counter.Bear(owner(t.Context(), access.HQ), &branchlinev1.BearRequest{Use: over.GetName(), BorneBy: "customer", Reason: "no"})
	if !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("answered a third time, at headquarters: %v", err)
	}
	for _, b := range []schema.BranchID{"b1", "b2"} {
		list, err := c.Site(b).Node().Server().API().Sites.ListChanges(owner(t.Context(), access.Node), &branchlinev1.ListChangesRequest{LookAt: true})
		c.must(err)
		if n := len(list.GetChanges()); n != 0 {
			t.Errorf("%s is to look at %d changes after the answer", b, n)
		}
	}
}

// Stored money is spent at two branches at once: headquarters gives it to one, and the sums agree everywhere after. Cut
// off, a branch says plainly that it cannot.
func TestCard_StoredMoneyIsSpentOnce(t *testing.T) {
	c := newCounters(t)
	card := c.sell(&branchlinev1.SellCardRequest{Form: branchlinev1.CardForm_CARD_STORED_MONEY, Title: "purse", Price: 10_000})
	etag := func(b schema.BranchID) string {
		a, err := c.at(b).GetAccount(owner(t.Context(), access.Node), &branchlinev1.GetAccountRequest{Order: c.orders[b].String()})
		c.must(err)
		return a.GetPayers()[0].GetEtag()
	}
	pay := func(b schema.BranchID, request string, amount int64, etag string) error {
		_, err := c.at(b).TakePayment(owner(t.Context(), access.Node), &branchlinev1.TakePaymentRequest{
			Order: c.orders[b].String(), Payer: branchlinev1.Payer_PAYER_CUSTOMER, Etag: etag, RequestId: request,
			Tenders: []*branchlinev1.Tender{{Method: branchlinev1.PayMethod_METHOD_CARD, Amount: amount, Card: card}},
		})
		return err
	}
	var wg sync.WaitGroup
	errs := map[schema.BranchID]error{}
	var mu sync.Mutex
	for _, b := range []schema.BranchID{"b1", "b2"} {
		seen := etag(b)
		wg.Go(func() {
			err := pay(b, "r-"+string(b), 6_000, seen)
			mu.Lock()
			defer mu.Unlock()
			errs[b] = err
		})
	}
	wg.Wait()
	if (errs["b1"] == nil) == (errs["b2"] == nil) {
		t.Fatalf("60 of 100 twice: %v", errs)
	}
	for b, err := range errs {
		if err != nil && (!errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), "less on the card: 40.00")) {
			t.Errorf("%s: %v", b, err)
		}
	}
	c.converge()
	for _, b := range []schema.BranchID{"b1", "b2"} {
		s, err := c.at(b).GetCard(owner(t.Context(), access.Node), &branchlinev1.GetCardRequest{Card: card})
		c.must(err)
		if s.GetLeft() != 4_000 || len(s.GetUses()) != 1 {
			t.Errorf("%s: %s", b, fmt.Sprint(s))
		}
	}
	c.Site("b2").Proxy().Cut()
	c.until("b2 cut off", func() bool { return c.Site("b2").Node().Link().Phase == link.Down })
	if err := pay("b2", "cut", 1_000, etag("b2")); !errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), "needs headquarters") {
		t.Errorf("cut off: %v", err)
	}
}
