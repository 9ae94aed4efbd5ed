package web

import branchlinev1 "branchline/schema/gen/branchline/v1"

// sums are what the approved and done lines of an order come to, by payer, in minor units with tax.
type sums struct {
	by       map[branchlinev1.Payer]int64
	asked    map[branchlinev1.Payer]int64 // proposed, not answered yet
	currency string
}

func sumLines(lines []*branchlinev1.Record) sums {
	s := sums{by: map[branchlinev1.Payer]int64{}, asked: map[branchlinev1.Payer]int64{}, currency: "CNY"}
	for _, r := range lines {
		l := r.GetServiceLine()
		payer := l.GetPayer()
		if payer == branchlinev1.Payer_PAYER_UNSPECIFIED {
			payer = branchlinev1.Payer_PAYER_CUSTOMER
		}
		if l.GetCurrency() != "" {
			s.currency = l.GetCurrency()
		}
		switch l.GetState() {
		case branchlinev1.LineState_LINE_APPROVED, branchlinev1.LineState_LINE_DONE:
			s.by[payer] += l.GetAmount()
		case branchlinev1.LineState_LINE_PROPOSED:
			s.asked[payer] += l.GetAmount()
		}
	}
	return s
}

func (s sums) of(p branchlinev1.Payer) int64 { return s.by[p] }

func (s sums) total() int64 {
	var n int64
	for _, v := range s.by {
		n += v
	}
	return n
}
