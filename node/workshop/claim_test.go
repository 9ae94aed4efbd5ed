package workshop

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/node/act"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

const (
	byInsurer  = branchlinev1.Payer_PAYER_INSURER
	byCustomer = branchlinev1.Payer_PAYER_CUSTOMER
)

// accident is an order with lines that an insurer is asked for, and the claim.
func (r *rig) accident(state branchlinev1.OrderState, amounts ...int64) (order, claim schema.RecordID, lines []schema.RecordID) {
	r.t.Helper()
	order = r.create(&branchlinev1.ServiceOrder{State: state.Enum(), Day: proto.String("2026-11-22"), Accident: proto.Bool(true)})
	c := &branchlinev1.Claim{Order: act.Ref(order), Day: proto.String("2026-11-22"), Party: branchlinev1.ClaimParty_CLAIM_ON_INSURER.Enum(), State: branchlinev1.ClaimState_CLAIM_DRAFT.Enum()}
	for _, n := range amounts {
		id := r.create(&branchlinev1.ServiceLine{
			Order: act.Ref(order), Item: proto.String("bumper"), Kind: branchlinev1.LineKind_LABOUR.Enum(), State: branchlinev1.LineState_LINE_APPROVED.Enum(),
			Payer: byInsurer.Enum(), Amount: proto.Int64(n), BilledMinutes: proto.Int64(60), Currency: proto.String("CNY"), TaxRate: proto.Int32(1300),
		})
		lines = append(lines, id)
		c.Lines = append(c.Lines, &branchlinev1.ClaimLine{Line: act.Ref(id), Asked: proto.Int64(n)})
	}
	return order, r.create(c), lines
}

func (r *rig) stepClaim(claim schema.RecordID, s branchlinev1.ClaimState, reason string, lines ...*branchlinev1.LineAssessment) error {
	r.t.Helper()
	_, err := r.StepClaim(r.by(adviser), &branchlinev1.StepClaimRequest{Claim: claim.String(), Etag: r.get(claim).GetEtag(), State: s, Reason: reason, Lines: lines})
	return err
}

func assessed(line schema.RecordID, n int64) *branchlinev1.LineAssessment {
	return &branchlinev1.LineAssessment{Line: line.String(), Assessed: n}
}

// costs is what lines that are not retired cost a payer, whether they were said yes to or not.
func (r *rig) costs(order schema.RecordID, p branchlinev1.Payer) (sum int64) {
	for _, x := range r.all(schema.ServiceLine) {
		if l := x.GetServiceLine(); l.GetOrder() == order.String() && l.GetPayer() == p && l.GetRetiredAt() == 0 {
			sum += l.GetAmount() - l.GetDiscount()
		}
	}
	return sum
}

// Sent, the order waits; assessed in part, the customer is asked for the rest, and work goes on.
func TestClaim_AssessedInPart(t *testing.T) {
	r := newRig(t)
	order, claim, lines := r.accident(branchlinev1.OrderState_APPROVED, 100_000, 50_000, 20_000)
	if err := r.stepClaim(claim, branchlinev1.ClaimState_CLAIM_SENT, ""); err != nil {
		t.Fatal(err)
	}
	if s := r.state(order); s != branchlinev1.OrderState_WAITING_INSURER {
		t.Fatalf("sent, the order is %s", s)
	}
	err := r.stepClaim(claim, branchlinev1.ClaimState_CLAIM_APPROVED, "", assessed(lines[0], 80_000), assessed(lines[1], 50_000), assessed(lines[2], 0))
	if err != nil {
		t.Fatal(err)
	}
	if i, c := r.costs(order, byInsurer), r.costs(order, byCustomer); i != 130_000 || c != 40_000 {
		t.Errorf("the insurer pays %d, the customer %d", i, c)
	}
	c := r.get(claim).GetClaim()
	if c.GetAssessed() != 130_000 || len(c.GetStates()) != 2 || c.GetStates()[1].GetBy() != "LI" || c.GetLines()[0].GetRest() == "" || c.GetLines()[1].GetRest() != "" {
		t.Errorf("the claim is %v", c)
	}
	if l := r.line(lines[2]); l.GetPayer() != byCustomer || l.GetState() != branchlinev1.LineState_LINE_PROPOSED {
		t.Errorf("what the insurer pays nothing of is %v", l)
	}
	if s := r.state(order); s != branchlinev1.OrderState_QUOTED {
		t.Errorf("with something to ask the customer the order is %s", s)
	}
	var hours int64
	for _, x := range r.all(schema.ServiceLine) {
		hours += x.GetServiceLine().GetBilledMinutes()
	}
	if hours != 180 {
		t.Errorf("%d minutes are billed", hours)
	}
	// Surveyed once more: the same lines say something else, no third one is made.
	if err := r.stepClaim(claim, 0, "", assessed(lines[0], 100_000), assessed(lines[2], 5_000)); err != nil {
		t.Fatal(err)
	}
	if i, c := r.costs(order, byInsurer), r.costs(order, byCustomer); i != 155_000 || c != 15_000 {
		t.Errorf("surveyed again the insurer pays %d, the customer %d", i, c)
	}
	if n := len(r.all(schema.ServiceLine)); n != 5 {
		t.Errorf("%d lines", n)
	}
	if err := r.stepClaim(claim, branchlinev1.ClaimState_CLAIM_REFUSED, "drove without a licence"); err != nil {
		t.Fatal(err)
	}
	if i, c := r.costs(order, byInsurer), r.costs(order, byCustomer); i != 0 || c != 170_000 {
		t.Errorf("refused, the insurer pays %d, the customer %d", i, c)
	}
	if c := r.get(claim).GetClaim(); c.GetRefusedReason() != "drove without a licence" || c.GetAssessed() != 0 {
		t.Errorf("the claim is %v", c)
	}
}

func TestClaim_IsRefusedWithWhatToDo(t *testing.T) {
	r := newRig(t)
	order, claim, lines := r.accident(branchlinev1.OrderState_IN_WORK, 10_000)
	stranger := r.create(&branchlinev1.ServiceLine{Order: act.Ref(order), Amount: proto.Int64(5)})
	for say, err := range map[string]error{
		"is more than the line costs: 100.00": r.stepClaim(claim, 0, "", assessed(lines[0], 10_001)),
		"is none of the claim's lines":        r.stepClaim(claim, 0, "", assessed(stranger, 1)),
		"say why":                             r.stepClaim(claim, branchlinev1.ClaimState_CLAIM_REFUSED, ""),
		"is no state of a claim":              r.stepClaim(claim, 77, ""),
	} {
		if !errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), say) {
			t.Errorf("want %q, got %v", say, err)
		}
	}
	old := r.get(claim).GetEtag()
	if err := r.stepClaim(claim, branchlinev1.ClaimState_CLAIM_SENT, ""); err != nil {
		t.Fatal(err)
	}
	if s := r.state(order); s != branchlinev1.OrderState_IN_WORK {
		t.Errorf("with a line of the customer's open the order is %s", s)
	}
	_, err := r.StepClaim(r.by(adviser), &branchlinev1.StepClaimRequest{Claim: claim.String(), Etag: old, State: branchlinev1.ClaimState_CLAIM_PAID})
	if !errors.Is(err, schema.ErrConflict) {
		t.Errorf("from an old page: %v", err)
	}
	r.create(&branchlinev1.Settlement{Order: act.Ref(order), Number: proto.String("S-1"), Payer: byCustomer.Enum(), Branch: proto.String("pd"), Day: proto.String("2026-11-22")})
	if err := r.stepClaim(claim, 0, "", assessed(lines[0], 1)); !errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), "settled by S-1") {
		t.Errorf("after a settlement: %v", err)
	}
	if err := r.stepClaim(claim, branchlinev1.ClaimState_CLAIM_PAID, ""); err != nil {
		t.Errorf("paid: %v", err)
	}
}

// However often it is surveyed, nothing of what a line costs is lost or made, and the last word counts.
func TestClaim_Laws(t *testing.T) {
	r := newRig(t)
	rapid.Check(t, func(rt *rapid.T) {
		amounts := rapid.SliceOfN(rapid.Int64Range(1, 1_000), 1, 3).Draw(rt, "amounts")
		order, claim, lines := r.accident(branchlinev1.OrderState_RECEIVED, amounts...)
		var whole int64
		for _, n := range amounts {
			whole += n
		}
		last := map[int]int64{}
		for range rapid.IntRange(1, 4).Draw(rt, "surveys") {
			i := rapid.IntRange(0, len(amounts)-1).Draw(rt, "line")
			n := rapid.SampledFrom([]int64{0, 1, amounts[i] / 2, amounts[i]}).Draw(rt, "assessed")
			if err := r.stepClaim(claim, 0, "", assessed(lines[i], n)); err != nil {
				rt.Fatal(err)
			}
			last[i] = n
		}
		var want int64
		for i, n := range amounts {
			if said, ok := last[i]; ok {
				want += said
			} else {
				want += n // the insurer's since it was written
			}
		}
		if i, c := r.costs(order, byInsurer), r.costs(order, byCustomer); i != want || i+c != whole {
			rt.Fatalf("of %d the insurer pays %d (assessed: %d), the customer %d", whole, i, want, c)
		}
	})
}
