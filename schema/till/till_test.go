package till_test

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/till"
)

const (
	customer = branchlinev1.Payer_PAYER_CUSTOMER
	insurer  = branchlinev1.Payer_PAYER_INSURER
	maker    = branchlinev1.Payer_PAYER_MAKER
)

func line(p branchlinev1.Payer, s branchlinev1.LineState, amount, discount int64) *branchlinev1.ServiceLine {
	return &branchlinev1.ServiceLine{Payer: &p, State: &s, Amount: &amount, Discount: &discount, TaxRate: proto.Int32(1300)}
}

func settled(id string, at int64, p branchlinev1.Payer, lines, amount int64) till.Settlement {
	return till.Settlement{ID: id, Settlement: &branchlinev1.Settlement{Payer: &p, At: &at, LinesAmount: &lines, Amount: &amount}}
}

func paid(p branchlinev1.Payer, m branchlinev1.PayMethod, why branchlinev1.PayPurpose, amount int64) till.Payment {
	return till.Payment{Payment: &branchlinev1.Payment{Payer: &p, Method: &m, Purpose: &why, Amount: &amount, Day: proto.String("2026-11-22"), Customer: proto.String("c1")}}
}

// An accident car: the insurer pays the body, the customer the oil, the maker a part under guarantee.
func TestAccounts_oneOrderThreePayers(t *testing.T) {
	done, declined := branchlinev1.LineState_LINE_DONE, branchlinev1.LineState_LINE_DECLINED
	lines := []*branchlinev1.ServiceLine{
		line(insurer, done, 500_000, 0), line(insurer, done, 120_050, 0), line(customer, done, 30_000, 3_000), line(customer, declined, 99_900, 0),
		line(maker, branchlinev1.LineState_LINE_APPROVED, 80_000, 0), line(customer, branchlinev1.LineState_LINE_PROPOSED, 1, 0),
	}
	deposit := paid(customer, branchlinev1.PayMethod_METHOD_WECHAT, branchlinev1.PayPurpose_PURPOSE_DEPOSIT, 10_000)
	all, err := till.Accounts(lines, nil, []till.Payment{deposit})
	if err != nil {
		t.Fatal(err)
	}
	show := func(all []till.Account) (out string) {
		for _, a := range all {
			out += fmt.Sprint(a.Payer, " ", a.Lines, "/", a.Due, " paid ", a.Paid, " on account ", a.OnAccount, " open ", a.Open, " drift ", a.Drift, " ", a.InForce != nil, "; ")
		}
		return out
	}
	if got, want := show(all), "PAYER_CUSTOMER 27000/27000 paid 10000 on account 0 open 17000 drift 0 false; PAYER_INSURER 620050/620050 paid 0 on account 0 open 620050 drift 0 false; PAYER_MAKER 80000/80000 paid 0 on account 0 open 80000 drift 0 false; "; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if till.Settled(all) {
		t.Error("settled before anything is")
	}

	first := settled("s1", 1, customer, 27_000, 26_900)
	stood := []till.Settlement{first, settled("s2", 2, insurer, 620_050, 620_050), settled("s3", 3, maker, 80_000, 80_000)}
	pay := []till.Payment{
		deposit, paid(customer, branchlinev1.PayMethod_METHOD_CASH, branchlinev1.PayPurpose_PURPOSE_SETTLEMENT, 16_900),
		paid(insurer, branchlinev1.PayMethod_METHOD_ON_ACCOUNT, branchlinev1.PayPurpose_PURPOSE_SETTLEMENT, 620_050),
	}
	lines[0].Amount = proto.Int64(510_000)
	all, err = till.Accounts(lines, stood, pay)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := show(all), "PAYER_CUSTOMER 27000/26900 paid 26900 on account 0 open 0 drift 0 true; PAYER_INSURER 630050/620050 paid 0 on account 620050 open 0 drift 10000 true; PAYER_MAKER 80000/80000 paid 0 on account 0 open 80000 drift 0 true; "; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if !till.Settled(all) {
		t.Error("every payer has a settlement")
	}

	back := till.Settlement{ID: "s4", Settlement: till.Reversal(first)}
	if all, err = till.Accounts(lines, append(stood, back), pay); err != nil || all[0].InForce != nil || all[0].Due != 27_000 || till.Settled(all) {
		t.Errorf("reversed: %+v, %v", all[0], err)
	}
	again := settled("s5", 5, customer, 27_000, 27_000)
	if all, err = till.Accounts(lines, append(stood, back, again), pay); err != nil || all[0].InForce.ID != "s5" || all[0].Open != 100 {
		t.Errorf("made anew: %+v, %v", all[0], err)
	}
	if first.GetAmount()+back.GetAmount() != 0 || back.GetReverses() != "s1" {
		t.Errorf("the reversal %+v does not undo", back)
	}
}

func TestAccounts_refusesTwoCurrencies(t *testing.T) {
	a, b := line(customer, branchlinev1.LineState_LINE_DONE, 1, 0), line(customer, branchlinev1.LineState_LINE_DONE, 1, 0)
	b.Currency = proto.String("HKD")
	if _, err := till.Accounts([]*branchlinev1.ServiceLine{a, b}, nil, nil); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("%v", err)
	}
}

func TestOwed_onAccountUntilItIsPaid(t *testing.T) {
	all := []till.Payment{
		paid(customer, branchlinev1.PayMethod_METHOD_ON_ACCOUNT, branchlinev1.PayPurpose_PURPOSE_SETTLEMENT, 50_000),
		paid(customer, branchlinev1.PayMethod_METHOD_TRANSFER, branchlinev1.PayPurpose_PURPOSE_ACCOUNT, 20_000),
		paid(customer, branchlinev1.PayMethod_METHOD_CASH, branchlinev1.PayPurpose_PURPOSE_SETTLEMENT, 7),
	}
	if got := till.Owed(all)["c1"]; got != 30_000 {
		t.Errorf("%d owed", got)
	}
}

func TestOwedFor_theOldestIsPaidFirst(t *testing.T) {
	on := func(order string, at, amount int64) till.Payment {
		p := paid(customer, branchlinev1.PayMethod_METHOD_ON_ACCOUNT, branchlinev1.PayPurpose_PURPOSE_SETTLEMENT, amount)
		p.Order, p.At = &order, &at
		return p
	}
	all := []till.Payment{
		on("new", 30, 7_000), on("old", 10, 50_000), on("gone", 5, 9_000), on("gone", 6, -9_000), on("mid", 20, 4_000), on("old", 25, 1_000),
		paid(customer, branchlinev1.PayMethod_METHOD_TRANSFER, branchlinev1.PayPurpose_PURPOSE_ACCOUNT, 52_000),
	}
	want := []till.Owing{{Order: "mid", Since: 20, Amount: 3_000}, {Order: "new", Since: 30, Amount: 7_000}}
	for range 5 {
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		got := till.OwedFor(all)
		if !slices.Equal(got, want) {
			t.Fatalf("%v", got)
		}
		if sum := till.Owed(all)["c1"]; sum != 10_000 {
			t.Fatalf("%d in all", sum)
		}
	}
}

func TestRecorded_andTheDayThatIsClosed(t *testing.T) {
	all := []till.Payment{
		paid(customer, branchlinev1.PayMethod_METHOD_CASH, branchlinev1.PayPurpose_PURPOSE_SETTLEMENT, 10_000),
		paid(customer, branchlinev1.PayMethod_METHOD_CASH, branchlinev1.PayPurpose_PURPOSE_REFUND, -2_500),
		paid(customer, branchlinev1.PayMethod_METHOD_ON_ACCOUNT, branchlinev1.PayPurpose_PURPOSE_SETTLEMENT, 999),
		paid(customer, branchlinev1.PayMethod_METHOD_WECHAT, branchlinev1.PayPurpose_PURPOSE_DEPOSIT, 300),
	}
	all = append(all, till.Payment{Payment: &branchlinev1.Payment{Day: proto.String("2026-11-21"), Method: branchlinev1.PayMethod_METHOD_CASH.Enum(), Amount: proto.Int64(1)}})
	counts := till.Recorded("2026-11-22", all)
	if len(counts) != 5 || counts[0].GetRecorded() != 7_500 || counts[1].GetRecorded() != 300 || counts[2].GetRecorded() != 0 {
		t.Fatalf("%v", counts)
	}
	counts[0].Counted, counts[1].Counted = proto.Int64(7_400), proto.Int64(300)
	if got := till.Difference(counts); got != -100 {
		t.Errorf("difference %d", got)
	}
	for _, c := range []struct{ today, want string }{{"2026-11-22", "2026-11-22"}, {"2026-11-21", "2026-11-22"}, {"2026-11-20", "2026-11-22"}} {
		if got, err := till.EntryDay(c.today, []string{"2026-11-20", "2026-11-21", "2026-11-19"}); err != nil || got != c.want {
			t.Errorf("on %s an entry counts on %s, %v; want %s", c.today, got, err, c.want)
		}
	}
}

// Share is the exact quotient, rounded half to even, also where the product does not fit in 64 bits.
func TestShare_halfToEven(t *testing.T) {
	for _, c := range [][4]int64{{5, 1, 10, 0}, {15, 1, 10, 2}, {25, 1, 10, 2}, {-15, 1, 10, -2}, {11_300, 1_300, 11_300, 1_300}, {0, 5, 7, 0}} {
		if got := till.Share(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("Share(%d, %d, %d) = %d, want %d", c[0], c[1], c[2], got, c[3])
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		amount := rapid.Int64Range(-1<<60, 1<<60).Draw(rt, "amount")
		whole := rapid.Int64Range(1, 20_000).Draw(rt, "whole")
		part := rapid.Int64Range(0, whole).Draw(rt, "part")
		got := big.NewInt(till.Share(amount, part, whole))
		// |amount×part − got×whole| × 2 ≤ whole, and where equal got is even.
		d := new(big.Int).Mul(big.NewInt(amount), big.NewInt(part))
		d.Sub(d, new(big.Int).Mul(got, big.NewInt(whole))).Abs(d).Lsh(d, 1)
		switch c := d.Cmp(big.NewInt(whole)); {
		case c > 0, c == 0 && got.Bit(0) == 1:
			rt.Fatalf("Share(%d, %d, %d) = %s", amount, part, whole, got)
		}
	})
}

// What comes in what order makes no difference, and money is neither made nor lost: over all payers due less open is what
// came in.
func TestAccounts_anyOrder(t *testing.T) {
	payers := []branchlinev1.Payer{customer, insurer, maker, branchlinev1.Payer_PAYER_GOODWILL}
	rapid.Check(t, func(rt *rapid.T) {
		var lines []*branchlinev1.ServiceLine
		for range rapid.IntRange(0, 5).Draw(rt, "lines") {
			lines = append(lines, line(rapid.SampledFrom(payers).Draw(rt, "payer"), branchlinev1.LineState(rapid.IntRange(0, 4).Draw(rt, "state")), rapid.Int64Range(0, 9).Draw(rt, "amount"), 0))
		}
		var stood []till.Settlement
		for i := range rapid.IntRange(0, 5).Draw(rt, "settlements") {
			s := settled(fmt.Sprint("s", i), int64(rapid.IntRange(0, 2).Draw(rt, "at")), rapid.SampledFrom(payers).Draw(rt, "of"), 5, 5)
			if len(stood) > 0 && rapid.Bool().Draw(rt, "undo") {
				s.Settlement = till.Reversal(rapid.SampledFrom(stood).Draw(rt, "undone"))
			}
			stood = append(stood, s)
		}
		var pays []till.Payment
		came := int64(0)
		for range rapid.IntRange(0, 5).Draw(rt, "payments") {
			p := paid(rapid.SampledFrom(payers).Draw(rt, "by"), branchlinev1.PayMethod_METHOD_CASH, branchlinev1.PayPurpose_PURPOSE_PART, rapid.Int64Range(-9, 9).Draw(rt, "paid"))
			came += p.GetAmount()
			pays = append(pays, p)
		}
		a, err := till.Accounts(lines, stood, pays)
		if err != nil {
			rt.Fatal(err)
		}
		b, err := till.Accounts(rapid.Permutation(lines).Draw(rt, "l"), rapid.Permutation(stood).Draw(rt, "s"), rapid.Permutation(pays).Draw(rt, "p"))
		if err != nil {
			rt.Fatal(err)
		}
		var sum int64
		for i := range a {
			x, y := a[i], b[i]
			if (x.InForce == nil) != (y.InForce == nil) || x.InForce != nil && x.InForce.ID != y.InForce.ID {
				rt.Fatalf("%+v and %+v", x, y)
			}
			x.InForce, y.InForce = nil, nil
			if x != y {
				rt.Fatalf("%+v and %+v", x, y)
			}
			sum += x.Due - x.Open
		}
		if sum != came {
			rt.Fatalf("due less open is %d, %d came in", sum, came)
		}
	})
}
