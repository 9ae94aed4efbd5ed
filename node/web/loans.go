package web

import (
	"net/url"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

// loansView is the list of loan cars that are out.
type loansView struct {
	look.Frame
	Rows []loanRow
	Late int
	May  bool   // write down that one is back
	Back string // the one that was just written down, and its order
	Of   string
}

type loanRow struct {
	Order, Href  string
	Car          string // the loan car
	Plate, Model string // the one it stands in for
	State        branchlinev1.OrderState
	Customer     string
	Phone, Dial  string // as it is read, and as it is dialled
	Since, Due   int64
	Now          int64
	Late         bool
}

func (s *Site) loans(a *ask) (*look.Page, look.View, error) {
	v := loansView{Frame: a.live(a.T("loan.title"), "board"), May: a.May("POST /loans"), Back: a.Query("back"), Of: a.Query("of")}
	res, err := s.c.Workshop.ListLoans(a.R.Context(), &branchlinev1.ListLoansRequest{})
	if err != nil {
		return nil, nil, err
	}
	for _, l := range res.GetLoans() {
		c := l.GetCar()
		v.Rows = append(v.Rows, loanRow{
			Order: idOf(c.GetOrder()), Href: a.Href(c.GetOrder()), Car: l.GetLoanCar(), Plate: c.GetPlate(), Model: c.GetModel(), State: c.GetState(),
			Customer: c.GetCustomerName(), Phone: say.Phone(l.GetPhone()), Dial: l.GetPhone(), Since: l.GetSince(), Due: l.GetDue(), Now: a.Now, Late: l.GetLate(),
		})
		v.Late += one(l.GetLate())
	}
	return s.pages.loans, v, nil
}

// loanAct writes down that a loan car came back, or that it did not.
func (s *Site) loanAct(a *ask) error {
	name := "serviceOrders/" + a.Form("order")
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return err
	}
	o, to := &branchlinev1.ServiceOrder{}, "/loans"
	switch a.Form("act") {
	case "back":
		o.LoanBackAt = proto.Int64(a.Now)
		to += "?" + url.Values{"back": {r.GetServiceOrder().GetLoanCar()}, "of": {a.Form("order")}}.Encode()
	case "out":
	default:
		return schema.Invalid("act", "%q is nothing to do with a loan car", a.Form("act"))
	}
	if (o.GetLoanBackAt() != 0) == (r.GetServiceOrder().GetLoanBackAt() != 0) {
		return a.GoTo(to) // another desk was quicker
	}
	_, err = s.c.Records.UpdateRecord(a.R.Context(), &branchlinev1.UpdateRecordRequest{
		Record:     &branchlinev1.Record{Name: name, Etag: r.GetEtag(), Body: &branchlinev1.Record_ServiceOrder{ServiceOrder: o}},
		UpdateMask: []string{"loan_back_at"},
	})
	if err != nil {
		return err
	}
	return a.GoTo(to)
}

// loanOut is the loan car of an order that is out with it; "" for none.
func loanOut(o *branchlinev1.ServiceOrder) string {
	if o.GetLoanBackAt() != 0 {
		return ""
	}
	return o.GetLoanCar()
}

// loan is what is known of an order's loan car, in one line; "" for none.
func (a *ask) loan(o *branchlinev1.ServiceOrder) string {
	if o.GetLoanCar() == "" {
		return ""
	}
	when := func(key string, at int64) string {
		if at == 0 {
			return ""
		}
		return a.T(key, a.s.look.When(a.Lang, a.Now, at))
	}
	last := when("loan.was_back", o.GetLoanBackAt())
	if last == "" {
		last = when("loan.due_at", o.GetLoanUntil())
	}
	return strings.Join(nonEmpty(o.GetLoanCar(), when("loan.since_at", o.GetLoanFrom()), last), " · ")
}
