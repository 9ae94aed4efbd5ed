package counter

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
)

func (d *seat) sell(edit func(*branchlinev1.SellCardRequest)) *branchlinev1.CardState {
	d.t.Helper()
	r := &branchlinev1.SellCardRequest{
		Customer: d.owner.String(), Form: branchlinev1.CardForm_CARD_COUNTED, Title: "wash", Uses: 2, Price: 10_000,
		Tenders: []*branchlinev1.Tender{tender(cash, 10_000)},
	}
	if edit != nil {
		edit(r)
	}
	c, err := d.SellCard(by(d.t.Context(), clerkRole), r)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (d *seat) use(card string, edit func(*branchlinev1.UseCardRequest)) (*branchlinev1.CardState, error) {
	r := &branchlinev1.UseCardRequest{Card: card, Order: d.order.String()}
	if edit != nil {
		edit(r)
	}
	return d.UseCard(by(d.t.Context(), clerkRole), r)
}

func TestCard_soldUsedAndTakenBack(t *testing.T) {
	d := newDesk(t)
	c := d.sell(nil)
	if c.GetLeft() != 2 || c.GetCard().GetNumber() == "" || c.GetStop() != "" {
		t.Fatalf("%v", c)
	}
	till, err := d.GetTill(by(t.Context(), clerkRole), &branchlinev1.GetTillRequest{})
	if err != nil || till.GetCounts()[0].GetRecorded() != 10_000 {
		t.Errorf("the money: %v %v", till, err)
	}
	used, err := d.use(c.GetName(), func(r *branchlinev1.UseCardRequest) { r.RequestId = "u" })
	if err != nil || used.GetLeft() != 1 || len(used.GetUses()) != 1 || used.GetUses()[0].GetOrderNumber() != "PDa-261122-0001-K" {
		t.Fatalf("%v %v", used, err)
	}
	if again, err := d.use(c.GetName(), func(r *branchlinev1.UseCardRequest) { r.RequestId = "u" }); err != nil || again.GetLeft() != 1 || again.GetMade() != used.GetMade() {
		t.Errorf("sent again: %v %v", again, err)
	}
	u := used.GetUses()[0].GetUse()
	line, err := schema.ParseRecordID(u.GetLine())
	if err != nil {
		t.Fatal(err)
	}
	if l := d.record(line).GetServiceLine(); l.GetKind() != branchlinev1.LineKind_PACKAGE_USE || l.GetCard() != act.Bare(c.GetName()) || l.GetOrder() != d.order.String() {
		t.Errorf("its line: %v", l)
	}
	if u.GetKnownLeft() != 2 || u.GetKnownAt() == 0 || u.GetBranch() != "pd" {
		t.Errorf("what was known: %v", u)
	}
	_, err = d.use(c.GetName(), func(r *branchlinev1.UseCardRequest) { r.Uses = 2 })
	d.wantInvalid(err, "fewer uses left: 1")
	back := func() (*branchlinev1.CardState, error) {
		return d.TakeBackUse(by(t.Context(), clerkRole), &branchlinev1.TakeBackUseRequest{Use: used.GetUses()[0].GetName(), Reason: "wrong card"})
	}
	if c, err := back(); err != nil || c.GetLeft() != 2 || !c.GetUses()[0].GetTakenBack() {
		t.Fatalf("%v %v", c, err)
	}
	if d.record(line).GetServiceLine().GetRetiredAt() == 0 {
		t.Error("the line of a use that was taken back stands")
	}
	_, err = back()
	d.wantInvalid(err, "is taken back already")
}

func TestCard_soldWithAnOrderOrFromAPackage(t *testing.T) {
	d := newDesk(t)
	p := d.create(&branchlinev1.Package{Name: proto.String("five washes"), Price: proto.Int64(20_000), CardUses: proto.Int32(5), CardMonths: proto.Int32(12)})
	c := d.sell(func(r *branchlinev1.SellCardRequest) {
		r.Package, r.Title, r.Uses, r.Price, r.Order, r.Tenders = p.String(), "", 0, 0, d.order.String(), nil
	})
	if c.GetLeft() != 5 || c.GetCard().GetTitle() != "five washes" || c.GetCard().GetValidTo() != "2027-11-22" || c.GetCard().GetPrice() != 20_000 {
		t.Fatalf("%v", c)
	}
	if own := d.of(customer); own.GetLines() != 20_000 || own.GetPaid() != 0 {
		t.Errorf("the order: %v", own)
	}
	_, err := d.SellCard(by(t.Context(), clerkRole), &branchlinev1.SellCardRequest{
		Customer: d.owner.String(), Form: branchlinev1.CardForm_CARD_COUNTED, Title: "x", Uses: 1, Price: 100, Tenders: []*branchlinev1.Tender{tender(cash, 99)},
	})
	d.wantInvalid(err, "is 0.99, the card costs 1.00")
}

func TestCard_whereAndWhenItCounts(t *testing.T) {
	d := newDesk(t)
	other := d.create(&branchlinev1.Vehicle{Vin: proto.String("LSVAA4187E2184848")})
	expired := d.sell(func(r *branchlinev1.SellCardRequest) { r.ValidTo = "2026-11-22" })
	elsewhere := d.sell(func(r *branchlinev1.SellCardRequest) { r.Vehicle = other.String() })
	_, err := d.use(elsewhere.GetName(), nil)
	d.wantInvalid(err, "for another car")
	d.fed(&branchlinev1.Branch{Code: proto.String("xh"), Entity: proto.String("e2")}, "hq")
	foreign := d.fed(&branchlinev1.PackageCard{
		Form: branchlinev1.CardForm_CARD_COUNTED.Enum(), Uses: proto.Int32(3), Customer: act.Ref(d.owner), Branch: proto.String("xh"), Title: proto.String("x"),
	}, "xh")
	_, err = d.use(foreign.String(), nil)
	d.wantInvalid(err, "another company")
	d.fed(&branchlinev1.Branch{Code: proto.String("mh"), Entity: proto.String("e1")}, "hq")
	sister := d.fed(&branchlinev1.PackageCard{
		Form: branchlinev1.CardForm_CARD_COUNTED.Enum(), Uses: proto.Int32(3), Customer: act.Ref(d.owner), Branch: proto.String("mh"), Title: proto.String("x"),
	}, "mh")
	if c, err := d.use(sister.String(), nil); err != nil || c.GetLeft() != 2 || c.GetAsOf() == 0 {
		t.Errorf("a sister branch's card: %v %v", c, err)
	}
	d.now = d.now.Add(24 * time.Hour)
	_, err = d.use(expired.GetName(), nil)
	d.wantInvalid(err, "good until 2026-11-22")
}

func TestOverdrawn_isAnsweredOnce(t *testing.T) {
	d := newDesk(t)
	c := d.sell(func(r *branchlinev1.SellCardRequest) { r.Uses = 1 })
	if _, err := d.use(c.GetName(), nil); err != nil {
		t.Fatal(err)
	}
	list := func() []*branchlinev1.CardState {
		r, err := d.ListOverdrawn(by(t.Context(), bossRole), &branchlinev1.ListOverdrawnRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return r.GetCards()
	}
	if n := len(list()); n != 0 {
		t.Fatalf("%d are overdrawn", n)
	}
	d.fed(&branchlinev1.Branch{Code: proto.String("mh"), Entity: proto.String("e1")}, "hq")
	theirs := d.fed(&branchlinev1.CardUse{
		Card: proto.String(act.Bare(c.GetName())), Customer: act.Ref(d.owner), Uses: proto.Int32(1), UsedAt: proto.Int64(d.now.Add(time.Hour).UnixMilli()), Branch: proto.String("mh"),
	}, "mh")
	all := list()
	if len(all) != 1 || all[0].GetLeft() != -1 || all[0].GetOpen() != 1 || len(all[0].GetUses()) != 2 {
		t.Fatalf("%v", all)
	}
	over := all[0].GetUses()[1]
	if !over.GetOver() || act.Bare(over.GetName()) != theirs.String() || over.GetLast() != all[0].GetUses()[0].GetName() {
		t.Fatalf("%v", over)
	}
	bear := func(who string, role branchlinev1.Role) error {
		_, err := d.Bear(by(t.Context(), role), &branchlinev1.BearRequest{Use: over.GetName(), BorneBy: who, Reason: "agreed by phone"})
		return err
	}
	d.wantInvalid(bear("mh", clerkRole), "a manager's PIN is needed")
	d.wantInvalid(bear("zz", bossRole), "neither a branch nor the customer")
	if err := bear("mh", bossRole); err != nil {
		t.Fatal(err)
	}
	d.wantInvalid(bear("pd", bossRole), "said already")
	if n := len(list()); n != 0 {
		t.Errorf("%d still wait for an answer", n)
	}
}

func TestStoredMoney_needsHeadquarters(t *testing.T) {
	d := newDesk(t)
	c := d.sell(func(r *branchlinev1.SellCardRequest) {
		r.Form, r.Uses, r.Bonus = branchlinev1.CardForm_CARD_STORED_MONEY, 0, 1_000
	})
	if c.GetLeft() != 11_000 || !strings.Contains(c.GetStop(), "needs headquarters") {
		t.Fatalf("%v", c)
	}
	d.line(branchlinev1.LineKind_LABOUR, customer, 8_000)
	if _, err := d.settle(nil); err != nil {
		t.Fatal(err)
	}
	pay := func(n int64, request string) (*branchlinev1.OrderAccount, error) {
		return d.TakePayment(by(t.Context(), clerkRole), &branchlinev1.TakePaymentRequest{
			Order: d.order.String(), Payer: customer, Etag: d.of(customer).GetEtag(), RequestId: request,
			Tenders: []*branchlinev1.Tender{{Method: byCard, Amount: n, Card: c.GetName()}, tender(cash, 1_000)},
		})
	}
	_, err := pay(1_000, "offline")
	d.wantInvalid(err, "needs headquarters")
	d.phase = link.Open
	_, err = pay(1_000, "lost") // the link falls on the way
	d.wantInvalid(err, "needs headquarters")
	if own := d.of(customer); own.GetPaid() != 0 {
		t.Fatalf("a refused act left a trace: %v", own)
	}
	d.reply = func(*wirev1.SpendRequest) (*wirev1.SpendReply, error) {
		return &wirev1.SpendReply{Refused: "there is less on the card: 5.00"}, nil
	}
	_, err = pay(1_000, "spent elsewhere")
	d.wantInvalid(err, "there is less on the card: 5.00")
	_, err = pay(9_000, "too much")
	d.wantInvalid(err, "more than is owed")
	// The answer is lost after headquarters has spent: sent again it is the same spending.
	asked := len(d.asked)
	d.reply = func(*wirev1.SpendRequest) (*wirev1.SpendReply, error) { return nil, errors.New("lost") }
	if _, err = pay(7_000, "once"); err == nil {
		t.Fatal("an answer that never came is one")
	}
	d.reply = func(*wirev1.SpendRequest) (*wirev1.SpendReply, error) { return &wirev1.SpendReply{}, nil }
	if _, err = pay(7_000, "once"); err != nil {
		t.Fatal(err)
	}
	if len(d.asked) != asked+2 || string(d.asked[asked].GetUse()) != string(d.asked[asked+1].GetUse()) {
		t.Errorf("asked %d times, under two ids", len(d.asked)-asked)
	}
	if own := d.of(customer); own.GetOpen() != 0 || own.GetPaid() != 8_000 {
		t.Errorf("%v", own)
	}
	if _, err = pay(7_000, "once"); err != nil || len(d.asked) != asked+2 {
		t.Errorf("sent a third time: %v, asked %d times", err, len(d.asked)-asked)
	}
	// When the payment cannot be saved after all, the money is asked back.
	d.line(branchlinev1.LineKind_LABOUR, insurer, 500)
	d.reply = func(r *wirev1.SpendRequest) (*wirev1.SpendReply, error) {
		if len(r.GetReverses()) == 0 {
			if _, err := d.TakePayment(by(context.Background(), clerkRole), &branchlinev1.TakePaymentRequest{
				Order: d.order.String(), Payer: insurer, Etag: d.of(insurer).GetEtag(), Tenders: []*branchlinev1.Tender{tender(cash, 1)},
			}); err != nil {
				return nil, err
			}
		}
		return &wirev1.SpendReply{}, nil
	}
	_, err = d.TakePayment(by(t.Context(), clerkRole), &branchlinev1.TakePaymentRequest{
		Order: d.order.String(), Payer: insurer, Etag: d.of(insurer).GetEtag(), RequestId: "raced",
		Tenders: []*branchlinev1.Tender{{Method: byCard, Amount: 100, Card: c.GetName()}},
	})
	last := d.asked[len(d.asked)-1]
	if !errors.Is(err, schema.ErrConflict) || string(last.GetReverses()) != string(d.asked[len(d.asked)-2].GetUse()) {
		t.Errorf("%v; asked last: %v", err, last)
	}
}
