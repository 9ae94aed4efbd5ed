// Package assent is what a customer has said yes to, line by line, and what must be asked before it is done or charged.
//
// Rules:
//   - A line found after the work has begun is extra (增项): it is proposed and stands still until somebody says yes.
//   - What was once answered and is open again stands still too, and so does what was declined.
//   - A price raised above what the customer agreed to needs a new yes; a lowered one does not. So does a line that others
//     were to pay and the customer is to pay now. What others pay is no question to the customer.
//
// It is pure. It does not know who may answer, nor when an order is of an age at which nobody is asked any more.
package assent

import (
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Begun tells whether work on an order in the state has begun and the car is still in hand: a line found now is extra.
func Begun(s branchlinev1.OrderState) bool {
	return s >= branchlinev1.OrderState_IN_WORK && s <= branchlinev1.OrderState_READY
}

// Open tells whether a line waits for an answer.
func Open(l *branchlinev1.ServiceLine) bool {
	return l.GetState() == branchlinev1.LineState_LINE_PROPOSED && l.GetRetiredAt() == 0
}

// StandsStill tells whether nobody may work on a line before the customer has said yes.
func StandsStill(l *branchlinev1.ServiceLine) bool {
	switch l.GetState() {
	case branchlinev1.LineState_LINE_DECLINED:
		return true
	case branchlinev1.LineState_LINE_PROPOSED:
		return l.GetExtra() || len(l.GetApprovals()) > 0
	}
	return false
}

// Price is what a line costs whoever pays it, once they have said yes.
func Price(l *branchlinev1.ServiceLine) int64 { return l.GetAmount() - l.GetDiscount() }

// Agreed is the price the last yes was to; false when nobody was asked.
func Agreed(l *branchlinev1.ServiceLine) (int64, bool) {
	var last *branchlinev1.Approval
	for _, a := range l.GetApprovals() {
		if a.GetState() == branchlinev1.LineState_LINE_APPROVED && (last == nil || a.GetAt() >= last.GetAt()) {
			last = a
		}
	}
	return last.GetAmount(), last != nil
}

// Said tells whether a line is to be done, or was: somebody said yes, or nobody was asked.
func Said(l *branchlinev1.ServiceLine) bool {
	return l.GetState() == branchlinev1.LineState_LINE_APPROVED || l.GetState() == branchlinev1.LineState_LINE_DONE
}

// Added makes a new line what it is in an order of the state: one that is extra is proposed, unless it comes with the
// yes itself (an approval).
func Added(l *branchlinev1.ServiceLine, order branchlinev1.OrderState) {
	if !Begun(order) {
		return
	}
	l.Extra = new(true)
	if _, asked := Agreed(l); !asked && l.GetState() != branchlinev1.LineState_LINE_DECLINED {
		l.State = branchlinev1.LineState_LINE_PROPOSED.Enum()
	}
}

// Edited asks of a line as it was and as it is to become, in an order of the state. It changes then to what that comes
// to and gives the fields it wrote: a line whose price needs a new yes is proposed again. ErrInvalid for a line that
// stands still and is to be done without an answer.
func Edited(was, then *branchlinev1.ServiceLine, order branchlinev1.OrderState) (wrote []string, err error) {
	if !Said(then) {
		return nil, nil
	}
	if StandsStill(was) {
		return nil, schema.Invalid("state", "stands still until the customer has said yes: write down what they say")
	}
	if !raised(was, then) {
		return nil, nil
	}
	then.State = branchlinev1.LineState_LINE_PROPOSED.Enum()
	wrote = []string{"state"}
	if Begun(order) && !then.GetExtra() {
		then.Extra = new(true)
		wrote = append(wrote, "extra")
	}
	return wrote, nil
}

// raised tells whether the customer is to pay more for a line than what they said yes to.
func raised(was, then *branchlinev1.ServiceLine) bool {
	if !Said(was) || !customers(then) {
		return false
	}
	var agreed int64
	if customers(was) {
		var asked bool
		if agreed, asked = Agreed(was); !asked {
			agreed = Price(was)
		}
	}
	return Price(then) > max(agreed, 0)
}

// customers tells whether the customer pays a line: they do where nobody is named.
func customers(l *branchlinev1.ServiceLine) bool {
	return slices.Contains([]branchlinev1.Payer{branchlinev1.Payer_PAYER_UNSPECIFIED, branchlinev1.Payer_PAYER_CUSTOMER}, l.GetPayer())
}
