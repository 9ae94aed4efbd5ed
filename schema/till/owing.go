package till

import (
	"cmp"
	"slices"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Owing is what of one order is still on account.
type Owing struct {
	Order  string // its id
	Since  int64  // unix ms: when it was first put there
	Amount int64
}

// OwedFor tells for which orders something is owed, of the payments of one customer, the oldest first: what was paid since
// pays the oldest. The amounts add up to Owed.
func OwedFor(all []Payment) []Owing {
	var out []Owing
	var paid int64
	at := map[string]int{}
	for _, p := range all {
		switch {
		case p.GetRetiredAt() != 0 || p.GetCustomer() == "":
		case p.GetMethod() == branchlinev1.PayMethod_METHOD_ON_ACCOUNT:
			i, known := at[p.GetOrder()]
			if !known {
				i = len(out)
				at[p.GetOrder()] = i
				out = append(out, Owing{Order: p.GetOrder(), Since: p.GetAt()})
			}
			out[i].Since, out[i].Amount = min(out[i].Since, p.GetAt()), out[i].Amount+p.GetAmount()
		case p.GetPurpose() == branchlinev1.PayPurpose_PURPOSE_ACCOUNT:
			paid += p.GetAmount()
		}
	}
	slices.SortFunc(out, func(x, y Owing) int { return cmp.Or(cmp.Compare(x.Since, y.Since), cmp.Compare(x.Order, y.Order)) })
	for i := range out {
		n := min(paid, max(0, out[i].Amount))
		out[i].Amount, paid = out[i].Amount-n, paid-n
	}
	return slices.DeleteFunc(out, func(x Owing) bool { return x.Amount == 0 })
}
