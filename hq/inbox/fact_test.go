package inbox_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// What money came and which use of a card was made is not changed by a later change, whoever sends it.
func TestWork_FactsStayAsTheyWereWritten(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	b := g.branch("b1", "e1")
	pay, use, stored, closed := g.id(), g.id(), g.id(), g.id()
	card := proto.String(g.id().String())
	first := b.write(pay, &branchlinev1.Payment{Amount: proto.Int64(12000), Method: branchlinev1.PayMethod_METHOD_CASH.Enum()}, create)
	b.write(use, &branchlinev1.CardUse{Card: card, Uses: proto.Int32(1)}, create)
	b.write(closed, &branchlinev1.CashClose{Day: proto.String("2026-11-21"), Counts: []*branchlinev1.CashCount{{Counted: proto.Int64(5)}}}, create)
	good := b.write(use, &branchlinev1.CardUse{BorneBy: proto.String("浦东店")})
	bad := map[string]string{
		b.write(pay, &branchlinev1.Payment{Amount: proto.Int64(100)}, naming(12, first)).String():                                                "payment.amount stays as it was written",
		b.write(pay, &branchlinev1.Payment{}, naming(12, first)).String():                                                                        "payment.amount stays as it was written",
		b.write(pay, &branchlinev1.Payment{RetiredAt: proto.Int64(1)}).String():                                                                  "payment.retired_at stays as it was written",
		b.write(use, &branchlinev1.CardUse{Uses: proto.Int32(2)}).String():                                                                       "card_use.uses stays as it was written",
		b.write(closed, &branchlinev1.CashClose{Counts: []*branchlinev1.CashCount{{Counted: proto.Int64(9)}}}).String():                          "cash_close.counts stays as it was written",
		b.write(stored, &branchlinev1.CardUse{Card: card, Amount: proto.Int64(100)}, create).String():                                            "stored money is used through headquarters only",
		b.write(g.id(), &branchlinev1.Package{Name: proto.String("小保养")}, create).String():                                                       "the role adviser does not write records of kind package",
		b.write(g.id(), &branchlinev1.Setting{Name: proto.String("discount.limit")}, create, as(branchlinev1.Role_ROLE_BRANCH_MANAGER)).String(): "only headquarters writes records of kind setting",
	}
	b.write(g.id(), &branchlinev1.Package{Name: proto.String("小保养")}, create, as(branchlinev1.Role_ROLE_BRANCH_MANAGER))
	b.send()
	out := g.outcomes("b1")
	if _, ok := out[good]; ok || len(out) != len(bad) {
		t.Errorf("%d changes were not taken, want %d: %+v", len(out), len(bad), out)
	}
	for id, q := range out {
		if q.Outcome != wirev1.OutcomeKind_REFUSED_CHANGE || q.Reason != bad[id.String()] {
			t.Errorf("%s: %v %q, want %q", id, q.Outcome, q.Reason, bad[id.String()])
		}
	}
}

func as(r branchlinev1.Role) opt { return func(b *wirev1.ChangeBody) { b.Role = uint32(r) } }
