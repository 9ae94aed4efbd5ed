package workshop

import (
	"cmp"
	"context"
	"slices"
	"time"

	"branchline/node/act"
	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// ListLoans lists the loan cars that are out, whatever has become of the orders they were lent with: those overdue first, the
// longest before the others, then by the time they were promised back; those without one last.
func (w *Workshop) ListLoans(ctx context.Context, _ *branchlinev1.ListLoansRequest) (*branchlinev1.ListLoansResponse, error) {
	out := new(branchlinev1.ListLoansResponse)
	err := w.acts.Look(ctx, func(h *act.Hand) error {
		if err := h.Caller.CheckRead(access.Node, schema.ServiceOrder); err != nil {
			return err
		}
		lent, err := h.V.BodiesFaceted(schema.ServiceOrder, "loan_car", "")
		if err != nil {
			return err
		}
		cars, err := readCars(h, slices.DeleteFunc(lent, func(b store.Body) bool { return !lentOut(order(b), h.Now) }))
		if err != nil {
			return err
		}
		for _, c := range cars {
			out.Loans = append(out.Loans, &branchlinev1.Loan{
				Car: c.board, LoanCar: c.order.GetLoanCar(), Since: c.order.GetLoanFrom(), Due: c.order.GetLoanUntil(), Phone: c.phone(),
				Late: c.order.GetLoanUntil() != 0 && c.order.GetLoanUntil() < h.Now.UnixMilli(),
			})
		}
		slices.SortStableFunc(out.Loans, func(x, y *branchlinev1.Loan) int {
			return cmp.Or(first(x.GetDue() != 0, y.GetDue() != 0), cmp.Compare(x.GetDue(), y.GetDue()), cmp.Compare(x.GetSince(), y.GetSince()))
		})
		return nil
	})
	return out, err
}

// lentOut tells whether an order's loan car is out: it is not one that is only promised for later.
func lentOut(o *branchlinev1.ServiceOrder, now time.Time) bool {
	return o.GetLoanCar() != "" && o.GetLoanBackAt() == 0 && o.GetLoanFrom() <= now.UnixMilli()
}
