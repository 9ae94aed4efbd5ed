package assent

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

const (
	proposed = branchlinev1.LineState_LINE_PROPOSED
	approved = branchlinev1.LineState_LINE_APPROVED
	declined = branchlinev1.LineState_LINE_DECLINED
	done     = branchlinev1.LineState_LINE_DONE
	inWork   = branchlinev1.OrderState_IN_WORK
	quoted   = branchlinev1.OrderState_QUOTED
	customer = branchlinev1.Payer_PAYER_CUSTOMER
	maker    = branchlinev1.Payer_PAYER_MAKER
)

func line(s branchlinev1.LineState, p branchlinev1.Payer, amount int64, agreed ...int64) *branchlinev1.ServiceLine {
	l := &branchlinev1.ServiceLine{State: s.Enum(), Payer: p.Enum(), Amount: &amount}
	for i, n := range agreed {
		l.Approvals = append(l.Approvals, &branchlinev1.Approval{At: proto.Int64(int64(i + 1)), State: approved.Enum(), Amount: proto.Int64(n)})
	}
	return l
}

func TestAdded(t *testing.T) {
	for _, x := range []struct {
		name  string
		line  *branchlinev1.ServiceLine
		order branchlinev1.OrderState
		state branchlinev1.LineState
		extra bool
		still bool
	}{
		{"before the work", line(approved, customer, 100), quoted, approved, false, false},
		{"in work", line(approved, customer, 100), inWork, proposed, true, true},
		{"at the check", line(done, customer, 100), branchlinev1.OrderState_QUALITY_CHECK, proposed, true, true},
		{"ready", line(proposed, maker, 100), branchlinev1.OrderState_READY, proposed, true, true},
		{"with its yes", line(approved, customer, 100, 100), inWork, approved, true, false},
		{"declined at once", line(declined, customer, 100), inWork, declined, true, true},
		{"settled", line(approved, customer, 100), branchlinev1.OrderState_SETTLED, approved, false, false},
	} {
		Added(x.line, x.order)
		if x.line.GetState() != x.state || x.line.GetExtra() != x.extra || StandsStill(x.line) != x.still {
			t.Errorf("%s: %v", x.name, x.line)
		}
	}
}

func TestEdited(t *testing.T) {
	for _, x := range []struct {
		name      string
		was, then *branchlinev1.ServiceLine
		order     branchlinev1.OrderState
		state     branchlinev1.LineState
		extra     bool
		refused   bool
	}{
		{"a raised price", line(approved, customer, 100), line(approved, customer, 101), quoted, proposed, false, false},
		{"a raised price in work", line(approved, customer, 100), line(approved, customer, 101), inWork, proposed, true, false},
		{"a raised price of what is done", line(done, customer, 100), line(done, customer, 101), inWork, proposed, true, false},
		{"a first price", line(approved, customer, 0), line(approved, customer, 100), quoted, proposed, false, false},
		{"a lowered price", line(approved, customer, 100), line(approved, customer, 99), inWork, approved, false, false},
		{"back up to what was agreed", line(approved, customer, 80, 100), line(approved, customer, 100, 100), inWork, approved, false, false},
		{"beyond what was agreed", line(approved, customer, 80, 100), line(approved, customer, 101, 100), inWork, proposed, true, false},
		{"what the maker pays", line(approved, maker, 100), line(approved, maker, 300), inWork, approved, false, false},
		{"the customer in the maker's place", line(approved, maker, 100, 100), line(approved, customer, 100, 100), inWork, proposed, true, false},
		{"the maker in the customer's place", line(approved, customer, 100), line(approved, maker, 300), inWork, approved, false, false},
		{"marked done", line(approved, customer, 100), line(done, customer, 100), inWork, done, false, false},
		{"approved by hand", line(proposed, customer, 100), line(approved, customer, 100), quoted, approved, false, false},
		{"asked anew", line(declined, customer, 100), line(proposed, customer, 100), inWork, proposed, false, false},
		{"declined and done", line(declined, customer, 100), line(done, customer, 100), inWork, done, false, true},
	} {
		wrote, err := Edited(x.was, x.then, x.order)
		if errors.Is(err, schema.ErrInvalid) != x.refused || x.then.GetState() != x.state || x.then.GetExtra() != x.extra {
			t.Errorf("%s: %v %v %v", x.name, x.then, wrote, err)
		}
	}
	extra := line(proposed, customer, 100)
	Added(extra, inWork)
	if _, err := Edited(extra, line(approved, customer, 100), inWork); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("extra work is approved without an answer: %v", err)
	}
}

// However a line is edited, what is to be done costs the customer no more than the last yes was to, or, where nobody was
// asked, than the lowest price it had while they were to pay it.
func TestEdited_NeverDearerThanAgreed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := line(approved, customer, rapid.Int64Range(0, 5).Draw(t, "first"))
		agreed := l.GetAmount()
		order := rapid.SampledFrom([]branchlinev1.OrderState{quoted, inWork}).Draw(t, "order")
		for range rapid.IntRange(1, 12).Draw(t, "edits") {
			then := proto.CloneOf(l)
			switch rapid.IntRange(0, 3).Draw(t, "what") {
			case 0:
				then.Amount = proto.Int64(rapid.Int64Range(0, 9).Draw(t, "amount"))
			case 1:
				then.Payer = rapid.SampledFrom([]branchlinev1.Payer{customer, maker}).Draw(t, "payer").Enum()
			case 2:
				then.Discount = proto.Int64(rapid.Int64Range(0, 3).Draw(t, "discount"))
			default: // the customer is asked
				then.State = approved.Enum()
				agreed = Price(then)
				then.Approvals = append(then.Approvals, &branchlinev1.Approval{At: proto.Int64(int64(len(then.Approvals) + 1)), State: approved.Enum(), Amount: &agreed})
				l = then
				continue
			}
			if _, err := Edited(l, then, order); err != nil {
				t.Fatal(err)
			}
			l = then
			if Said(l) && customers(l) && Price(l) > max(agreed, 0) {
				t.Fatalf("costs %d, agreed to %d: %v", Price(l), agreed, l)
			}
		}
	})
}
