package counter

import (
	"context"
	"errors"
	"math/rand"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/till"
	"branchline/sync/link"
	"branchline/sync/merge"
)

const (
	clerkRole   = branchlinev1.Role_ROLE_CLERK
	adviserRole = branchlinev1.Role_ROLE_ADVISER
	bossRole    = branchlinev1.Role_ROLE_BRANCH_MANAGER
	customer    = branchlinev1.Payer_PAYER_CUSTOMER
	insurer     = branchlinev1.Payer_PAYER_INSURER
	cash        = branchlinev1.PayMethod_METHOD_CASH
	wechat      = branchlinev1.PayMethod_METHOD_WECHAT
)

// seat is a branch's counter and its store.
type seat struct {
	*Counter
	t     *testing.T
	st    *store.Store
	now   time.Time
	phase link.Phase
	asked []*wirev1.SpendRequest
	reply func(*wirev1.SpendRequest) (*wirev1.SpendReply, error)
	rev   int64

	owner, car, order schema.RecordID
}

func (d *seat) Link() link.Status { return link.Status{Phase: d.phase, Heard: d.now} }

func (d *seat) Ask(_ context.Context, verb string, raw []byte) ([]byte, error) {
	if verb != link.VerbSpend || d.reply == nil {
		return nil, errors.New("no link")
	}
	req := new(wirev1.SpendRequest)
	if err := proto.Unmarshal(raw, req); err != nil {
		return nil, err
	}
	d.asked = append(d.asked, req)
	r, err := d.reply(req)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(r)
}

func by(ctx context.Context, roles ...branchlinev1.Role) context.Context {
	return access.With(ctx, access.Caller{Account: "li", Staff: "LI", Roles: roles})
}

// approve knows one manager and one adviser by their PINs.
func approve(_ context.Context, account, pin string) (access.Caller, error) {
	switch account + pin {
	case "boss7395":
		return access.Caller{Account: "boss", Staff: "BO", Roles: []branchlinev1.Role{bossRole}}, nil
	case "adv7395":
		return access.Caller{Account: "adv", Staff: "AD", Roles: []branchlinev1.Role{adviserRole}}, nil
	}
	return access.Caller{}, schema.ErrUnsigned
}

func word(account string) *branchlinev1.PinWord {
	return &branchlinev1.PinWord{Account: account, Pin: "7395"}
}

func newDesk(t *testing.T) *seat {
	t.Helper()
	d := &seat{t: t, now: time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC), phase: link.Down}
	clock := func() time.Time { d.now = d.now.Add(time.Millisecond); return d.now }
	var err error
	if d.st, err = store.Open(t.Context(), store.Config{Dir: t.TempDir(), Now: clock, Rand: rand.New(rand.NewSource(1))}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.st.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.st.Enrol(t.Context(), store.Enrolment{Identity: store.Identity{Branch: "pd", Entity: "e1", IDKey: []byte("k")}, Incarnation: 11, Epoch: 7}); err != nil {
		t.Fatal(err)
	}
	zone := time.FixedZone("UTC+8", 8*60*60)
	if d.Counter, err = New(Config{Store: d.st, Line: d, Approve: approve, Zone: func() *time.Location { return zone }, Now: clock}); err != nil {
		t.Fatal(err)
	}
	d.owner = d.create(&branchlinev1.Customer{Name: proto.String("王芳"), MemberClass: proto.String("gold"), CreditLimit: proto.Int64(50_000)})
	d.car = d.create(&branchlinev1.Vehicle{Vin: proto.String("LSVAA4187E2184847")})
	d.order = d.newOrder()
	return d
}

func (d *seat) newOrder() schema.RecordID {
	return d.create(&branchlinev1.ServiceOrder{
		Number: proto.String("PDa-261122-0001-K"), Branch: proto.String("pd"), Customer: act.Ref(d.owner), Vehicle: act.Ref(d.car), State: branchlinev1.OrderState_READY.Enum(),
		Day: proto.String("2026-11-22"), OdometerKm: proto.Int64(40_000),
	})
}

func (d *seat) create(m proto.Message) schema.RecordID {
	d.t.Helper()
	res, err := d.st.Put(d.t.Context(), store.Edit{Kind: schema.KindOfMessage(m).Kind, Message: m, Actor: "LI", Role: bossRole})
	if err != nil {
		d.t.Fatal(err)
	}
	return res.ID
}

func (d *seat) line(kind branchlinev1.LineKind, payer branchlinev1.Payer, amount int64) schema.RecordID {
	d.t.Helper()
	return d.create(&branchlinev1.ServiceLine{
		Order: act.Ref(d.order), Kind: kind.Enum(), State: branchlinev1.LineState_LINE_DONE.Enum(), Payer: payer.Enum(), Item: proto.String("oil"),
		Amount: proto.Int64(amount), TaxRate: proto.Int32(1300), Branch: proto.String("pd"),
	})
}

// fed puts a record of headquarters into the branch, as a page of the feed does.
func (d *seat) fed(m proto.Message, home string) schema.RecordID {
	d.t.Helper()
	id, err := d.st.MintID()
	if err != nil {
		d.t.Fatal(err)
	}
	v, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		d.t.Fatal(err)
	}
	d.rev++
	st, ok := merge.EncodeFresh(schema.Stamp{At: schema.Tick(d.rev), Branch: schema.BranchID(home), Inc: 5, Seq: schema.Seq(d.rev)}, &wirev1.ChangeBody{Values: v})
	if !ok {
		d.t.Fatal("not fresh")
	}
	row := &wirev1.Row{Row: wirev1.RowKind_RECORD, Rev: d.rev, Kind: uint32(schema.KindOfMessage(m).Kind), Record: id[:], State: st, Home: home}
	if err := d.st.ApplyPage(d.t.Context(), &wirev1.Page{Epoch: 7, HqRev: d.rev, LastRev: d.rev, Rows: []*wirev1.Row{row}}); err != nil {
		d.t.Fatal(err)
	}
	return id
}

func (d *seat) setting(name, value string) {
	d.fed(&branchlinev1.Setting{Name: &name, Value: &value, From: proto.String("2026-01-01")}, "hq")
}

func (d *seat) account() *branchlinev1.OrderAccount {
	d.t.Helper()
	a, err := d.GetAccount(by(d.t.Context(), clerkRole), &branchlinev1.GetAccountRequest{Order: d.order.String()})
	if err != nil {
		d.t.Fatal(err)
	}
	return a
}

func (d *seat) of(p branchlinev1.Payer) *branchlinev1.PayerAccount {
	d.t.Helper()
	for _, x := range d.account().GetPayers() {
		if x.GetPayer() == p {
			return x
		}
	}
	d.t.Fatalf("%s has no account", p)
	return nil
}

func (d *seat) settle(edit func(*branchlinev1.SettleRequest), roles ...branchlinev1.Role) (*branchlinev1.OrderAccount, error) {
	d.t.Helper()
	if len(roles) == 0 {
		roles = []branchlinev1.Role{adviserRole}
	}
	r := &branchlinev1.SettleRequest{Order: d.order.String(), Payer: customer}
	if edit != nil {
		edit(r)
	}
	if r.Etag == "" {
		r.Etag = d.of(r.Payer).GetEtag()
	}
	return d.Settle(by(d.t.Context(), roles...), r)
}

func (d *seat) pay(tenders ...*branchlinev1.Tender) (*branchlinev1.OrderAccount, error) {
	d.t.Helper()
	return d.TakePayment(by(d.t.Context(), clerkRole), &branchlinev1.TakePaymentRequest{
		Order: d.order.String(), Payer: customer, Etag: d.of(customer).GetEtag(), Tenders: tenders,
	})
}

func tender(m branchlinev1.PayMethod, amount int64) *branchlinev1.Tender {
	return &branchlinev1.Tender{Method: m, Amount: amount}
}

func (d *seat) wantInvalid(err error, say string) {
	d.t.Helper()
	if !errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), say) {
		d.t.Errorf("want %q, got %v", say, err)
	}
}

func (d *seat) record(id schema.RecordID) *branchlinev1.Record {
	d.t.Helper()
	r, err := d.st.Get(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

func TestSettle_everyPayerThenTheOrder(t *testing.T) {
	d := newDesk(t)
	d.setting("member/gold", "labour=1000 part=0")
	d.line(branchlinev1.LineKind_LABOUR, customer, 10_000)
	d.line(branchlinev1.LineKind_PART, customer, 20_055)
	d.line(branchlinev1.LineKind_LABOUR, insurer, 30_000)
	a, err := d.settle(func(r *branchlinev1.SettleRequest) { r.Member, r.RoundTo = true, 100 })
	if err != nil {
		t.Fatal(err)
	}
	if a.GetSettled() || a.GetState() != branchlinev1.OrderState_READY {
		t.Errorf("settled before the insurer is: %v", a)
	}
	own := d.of(customer)
	if own.GetDiscount() != 1_000 || own.GetRounding() != 55 || own.GetDue() != 29_000 || own.GetOpen() != 29_000 || own.GetSettlement() == "" {
		t.Errorf("the customer's: %v", own)
	}
	if a, err = d.settle(func(r *branchlinev1.SettleRequest) { r.Payer = insurer }); err != nil || !a.GetSettled() {
		t.Fatalf("%v %v", a, err)
	}
	o := d.record(d.order).GetServiceOrder()
	if o.GetState() != branchlinev1.OrderState_SETTLED || o.GetSettledOn() != "2026-11-22" || o.GetSettlementNumber() != own.GetSettlementNumber() ||
		o.GetGuaranteeUntil() != "2026-12-02" || o.GetGuaranteeKm() != 42_000 || !strings.Contains(o.GetSettlementNumber(), "-261122-S0001-") {
		t.Errorf("the order: %v", o)
	}
	if n := len(o.GetStates()); n != 1 || o.GetStates()[0].GetBy() != "LI" {
		t.Errorf("its states: %v", o.GetStates())
	}
	_, err = d.settle(nil)
	d.wantInvalid(err, "is settled already")
}

func TestSettle_discountBeyondTheRoleNeedsAManager(t *testing.T) {
	d := newDesk(t)
	d.line(branchlinev1.LineKind_LABOUR, customer, 10_000)
	give := func(n int64, w *branchlinev1.PinWord) func(*branchlinev1.SettleRequest) {
		return func(r *branchlinev1.SettleRequest) { r.Discount, r.DiscountReason, r.Approval = n, "regular", w }
	}
	_, err := d.settle(give(501, nil))
	d.wantInvalid(err, "a manager's PIN is needed")
	_, err = d.settle(give(501, word("adv")))
	d.wantInvalid(err, "adv may give 5.00 % at most")
	_, err = d.settle(give(501, &branchlinev1.PinWord{Account: "boss", Pin: "0001"}))
	d.wantInvalid(err, "is wrong")
	_, err = d.settle(func(r *branchlinev1.SettleRequest) { r.Discount = 100 })
	d.wantInvalid(err, "say why")
	_, err = d.settle(give(10_001, word("boss")))
	d.wantInvalid(err, "is more than the lines leave")
	if own := d.of(customer); own.GetSettlement() != "" {
		t.Fatalf("a refused act left a trace: %v", own)
	}
	a, err := d.settle(give(501, word("boss")))
	if err != nil || len(a.GetMade()) != 1 {
		t.Fatalf("%v %v", a, err)
	}
	_, id, err := schema.ParseName(a.GetMade()[0])
	if err != nil {
		t.Fatal(err)
	}
	s := d.record(id).GetSettlement()
	if s.GetApprovedBy() != "BO" || s.GetBy() != "LI" || s.GetAmount() != 9_499 || s.GetDiscountReason() != "regular" {
		t.Errorf("%v", s)
	}
	if want := till.Share(1_150, 9_499, 10_000); s.GetTaxAmount() != want {
		t.Errorf("tax %d, want %d", s.GetTaxAmount(), want)
	}
	// What an adviser may give alone needs nobody.
	e := newDesk(t)
	e.line(branchlinev1.LineKind_LABOUR, customer, 10_000)
	if _, err := e.settle(give(500, nil)); err != nil {
		t.Errorf("5 %%: %v", err)
	}
}

func TestSettle_twoDesksAtOnce(t *testing.T) {
	d := newDesk(t)
	d.line(branchlinev1.LineKind_LABOUR, customer, 10_000)
	seen := d.of(customer).GetEtag()
	d.line(branchlinev1.LineKind_PART, customer, 5_000)
	if _, err := d.settle(func(r *branchlinev1.SettleRequest) { r.Etag = seen }); !errors.Is(err, schema.ErrConflict) {
		t.Errorf("with what was seen before: %v", err)
	}
	first, err := d.settle(func(r *branchlinev1.SettleRequest) { r.RequestId = "one" })
	if err != nil {
		t.Fatal(err)
	}
	again, err := d.settle(func(r *branchlinev1.SettleRequest) { r.RequestId = "one" })
	if err != nil || again.GetMade()[0] != first.GetMade()[0] {
		t.Errorf("sent again: %v %v", again, err)
	}
	_, err = d.settle(func(r *branchlinev1.SettleRequest) { r.RequestId = "two" })
	d.wantInvalid(err, "is settled already")
}

func TestReverse_byAManagerOnItsOwnDay(t *testing.T) {
	d := newDesk(t)
	d.line(branchlinev1.LineKind_LABOUR, customer, 10_000)
	if _, err := d.settle(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := d.pay(tender(cash, 10_000)); err != nil {
		t.Fatal(err)
	}
	reverse := func(w *branchlinev1.PinWord) (*branchlinev1.OrderAccount, error) {
		return d.ReverseSettlement(by(t.Context(), adviserRole), &branchlinev1.ReverseSettlementRequest{
			Settlement: d.of(customer).GetSettlement(), Reason: "a line was forgotten", Approval: w, RequestId: "r",
		})
	}
	_, err := reverse(nil)
	d.wantInvalid(err, "a manager's PIN is needed")
	_, err = reverse(word("adv"))
	d.wantInvalid(err, "adv is no manager")
	d.now = d.now.Add(24 * time.Hour)
	a, err := reverse(word("boss"))
	if err != nil || a.GetSettled() {
		t.Fatalf("%v %v", a, err)
	}
	_, id, err := schema.ParseName(a.GetMade()[0])
	if err != nil {
		t.Fatal(err)
	}
	if s := d.record(id).GetSettlement(); s.GetAmount() != -10_000 || s.GetDay() != "2026-11-23" || s.GetApprovedBy() != "BO" || s.GetReason() == "" {
		t.Errorf("%v", s)
	}
	o := d.record(d.order).GetServiceOrder()
	if o.GetState() != branchlinev1.OrderState_READY || o.GetSettledOn() != "" || o.GetSettlementNumber() != "" {
		t.Errorf("the order: %v", o)
	}
	// Settled anew it counts again, and what was paid is still paid.
	d.line(branchlinev1.LineKind_PART, customer, 2_500)
	if _, err := d.settle(nil); err != nil {
		t.Fatal(err)
	}
	if own := d.of(customer); own.GetOpen() != 2_500 || own.GetPaid() != 10_000 {
		t.Errorf("%v", own)
	}
}

func TestPay_depositPartRestAndRefund(t *testing.T) {
	d := newDesk(t)
	d.line(branchlinev1.LineKind_LABOUR, customer, 10_000)
	if _, err := d.pay(tender(cash, 3_000)); err != nil {
		t.Fatal(err)
	}
	_, err := d.pay(tender(onAccount, 1_000))
	d.wantInvalid(err, "settle first")
	if _, err := d.settle(nil); err != nil {
		t.Fatal(err)
	}
	_, err = d.pay(tender(cash, 7_001))
	d.wantInvalid(err, "more than is owed: 70.00")
	if _, err := d.pay(tender(wechat, 2_000), tender(cash, 1_000)); err != nil {
		t.Fatal(err)
	}
	if own := d.of(customer); own.GetOpen() != 4_000 || own.GetPaid() != 6_000 {
		t.Fatalf("%v", own)
	}
	a, err := d.pay(tender(onAccount, 4_000))
	if err != nil || a.GetOwed() != 4_000 || d.of(customer).GetOpen() != 0 {
		t.Fatalf("%v %v", a, err)
	}
	purposes := ""
	for _, e := range a.GetEntries() {
		purposes += strings.TrimPrefix(e.GetPayment().GetPurpose().String(), "PURPOSE_") + " "
	}
	if purposes != "DEPOSIT PART PART SETTLEMENT " {
		t.Errorf("purposes: %s", purposes)
	}
	refund := func(n int64, w *branchlinev1.PinWord) error {
		_, err := d.Refund(by(t.Context(), clerkRole), &branchlinev1.RefundRequest{
			Order: d.order.String(), Payer: customer, Etag: d.of(customer).GetEtag(), Method: cash, Amount: n, Reason: "too much", Approval: w,
		})
		return err
	}
	d.wantInvalid(refund(1, word("boss")), "more than there is to give back: 0.00")
	e := newDesk(t)
	e.line(branchlinev1.LineKind_LABOUR, customer, 10_000)
	if _, err := e.pay(tender(cash, 3_000)); err != nil {
		t.Fatal(err)
	}
	d = e
	d.wantInvalid(refund(1_000, nil), "a manager's PIN is needed")
	if err := refund(3_000, word("boss")); err != nil {
		t.Fatal(err)
	}
	if own := d.of(customer); own.GetPaid() != 0 {
		t.Errorf("%v", own)
	}
}

func TestPay_creditLimitAndPayingOff(t *testing.T) {
	d := newDesk(t)
	d.line(branchlinev1.LineKind_LABOUR, customer, 60_000)
	if _, err := d.settle(nil); err != nil {
		t.Fatal(err)
	}
	_, err := d.pay(tender(onAccount, 60_000))
	d.wantInvalid(err, "the limit is 500.00: a manager's PIN is needed")
	a, err := d.TakePayment(by(t.Context(), clerkRole), &branchlinev1.TakePaymentRequest{
		Order: d.order.String(), Payer: customer, Etag: d.of(customer).GetEtag(), Tenders: []*branchlinev1.Tender{tender(onAccount, 60_000)}, Approval: word("boss"),
	})
	if err != nil || a.GetOwed() != 60_000 || a.GetEntries()[0].GetPayment().GetApprovedBy() != "BO" {
		t.Fatalf("%v %v", a, err)
	}
	purse := func() *branchlinev1.Purse {
		p, err := d.GetPurse(by(t.Context(), clerkRole), &branchlinev1.GetPurseRequest{Customer: "customers/" + d.owner.String()})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	off := func(n int64, etag string) (*branchlinev1.Purse, error) {
		return d.PayOff(by(t.Context(), clerkRole), &branchlinev1.PayOffRequest{Customer: d.owner.String(), Etag: etag, Tenders: []*branchlinev1.Tender{tender(cash, n)}})
	}
	_, err = off(60_001, purse().GetEtag())
	d.wantInvalid(err, "more than is owed")
	seen := purse().GetEtag()
	if p, err := off(20_000, seen); err != nil || p.GetOwed() != 40_000 || p.GetCreditLimit() != 50_000 {
		t.Fatalf("%v %v", p, err)
	}
	if _, err := off(20_000, seen); !errors.Is(err, schema.ErrConflict) {
		t.Errorf("with what was seen before: %v", err)
	}
	if own := d.of(customer); own.GetOpen() != 0 || own.GetPaid() != 0 || own.GetOnAccount() != 60_000 {
		t.Errorf("the order after: %v", own)
	}
}

func TestClose_staysClosed(t *testing.T) {
	d := newDesk(t)
	d.line(branchlinev1.LineKind_LABOUR, customer, 10_000)
	if _, err := d.pay(tender(cash, 3_000), tender(wechat, 1_000)); err != nil {
		t.Fatal(err)
	}
	ctx := by(t.Context(), clerkRole)
	get := func(day string) *branchlinev1.Till {
		x, err := d.GetTill(ctx, &branchlinev1.GetTillRequest{Day: day})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	today := get("")
	if today.GetDay() != "2026-11-22" || today.GetCounts()[0].GetRecorded() != 3_000 || today.GetCounts()[1].GetRecorded() != 1_000 {
		t.Fatalf("%v", today)
	}
	count := func(day, etag, why string, amounts ...int64) (*branchlinev1.Till, error) {
		r := &branchlinev1.CloseTillRequest{Day: day, Etag: etag, Reason: why, FloatAmount: 500}
		for i, n := range amounts {
			r.Counts = append(r.Counts, &branchlinev1.CashCount{Method: till.Drawer()[i].Enum(), Counted: proto.Int64(n)})
		}
		return d.CloseTill(ctx, r)
	}
	_, err := count("2026-11-22", today.GetEtag(), "", 2_900, 1_000)
	d.wantInvalid(err, "say why")
	// Two that make up for each other are two differences.
	_, err = count("2026-11-22", today.GetEtag(), "", 2_900, 1_100)
	d.wantInvalid(err, "say why")
	_, err = count("2026-11-23", get("2026-11-23").GetEtag(), "", 0)
	d.wantInvalid(err, "has not come yet")
	if _, err := d.pay(tender(cash, 100)); err != nil {
		t.Fatal(err)
	}
	if _, err := count("2026-11-22", today.GetEtag(), "x", 2_900, 1_000); !errors.Is(err, schema.ErrConflict) {
		t.Errorf("with an entry not seen: %v", err)
	}
	closed, err := count("2026-11-22", get("").GetEtag(), "a note of ten was wrong", 3_000, 1_000)
	if err != nil || closed.GetClosed().GetDifference() != -100 || closed.GetClosed().GetCounts()[0].GetRecorded() != 3_100 || closed.GetClosed().GetCashier() != "LI" {
		t.Fatalf("%v %v", closed, err)
	}
	_, err = count("2026-11-22", closed.GetEtag(), "", 3_000, 1_000)
	d.wantInvalid(err, "is closed already")
	// What comes later counts on the next day, and the closed one does not move.
	if _, err := d.pay(tender(cash, 200)); err != nil {
		t.Fatal(err)
	}
	if next := get(""); next.GetDay() != "2026-11-23" || next.GetCounts()[0].GetRecorded() != 200 || next.GetFloatAmount() != 500 {
		t.Errorf("the next day: %v", next)
	}
	if was := get("2026-11-22"); was.GetCounts()[0].GetRecorded() != 3_100 || len(was.GetEntries()) != 3 {
		t.Errorf("the closed day: %v", was)
	}
	d.now = d.now.Add(48 * time.Hour)
	if x := get(""); x.GetDay() != "2026-11-24" || len(x.GetUnclosed()) != 1 || x.GetUnclosed()[0] != "2026-11-23" {
		t.Errorf("two days on: %v", x)
	}
}
