package web

import (
	"branchline/schema/assent"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/till"
)

// sums are what the approved and done lines of an order come to, by payer, in minor units with tax, less what was taken
// off: as they are settled (till.Cost).
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
		cost, _ := till.Cost(l)
		s.by[payer] += cost
		if assent.Open(l) {
			s.asked[payer] += assent.Price(l)
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
