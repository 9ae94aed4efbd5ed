package workshop

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func TestLoans_WhatIsOutTheLongestOverdueFirst(t *testing.T) {
	r := newRig(t)
	ms := func(d time.Duration) *int64 { return proto.Int64(r.now.Add(d).UnixMilli()) }
	wang := r.create(&branchlinev1.Customer{Name: proto.String("王芳"), Phones: []*branchlinev1.Phone{{Number: proto.String("13900001234")}}})
	lent := func(car string, state branchlinev1.OrderState, day string, from, until *int64) *branchlinev1.ServiceOrder {
		return &branchlinev1.ServiceOrder{Plate: proto.String("沪A1"), State: state.Enum(), Day: &day, LoanCar: &car, LoanFrom: from, LoanUntil: until, Customer: proto.String(wang.String())}
	}
	back := lent("还了", inWork, "2026-11-20", ms(-48*time.Hour), ms(-time.Hour))
	back.LoanBackAt = ms(-2 * time.Hour)
	for _, o := range []*branchlinev1.ServiceOrder{
		lent("没说", inWork, "2026-11-20", nil, nil),
		lent("明天", inWork, "2026-11-20", ms(-24*time.Hour), ms(24*time.Hour)),
		lent("迟一时", branchlinev1.OrderState_HANDED_OVER, "2026-11-20", ms(-24*time.Hour), ms(-time.Hour)),
		lent("迟三天", waitingParts, "2026-11-15", ms(-120*time.Hour), ms(-72*time.Hour)),
		lent("订下的", branchlinev1.OrderState_BOOKED, "2026-11-22", ms(3*time.Hour), ms(24*time.Hour)),
		lent("老单", branchlinev1.OrderState_HANDED_OVER, "2025-11-15", nil, ms(-8000*time.Hour)),
		back,
		{Plate: proto.String("沪A2"), State: inWork.Enum(), Day: proto.String("2026-11-22")},
	} {
		r.create(o)
	}
	list := func(roles ...branchlinev1.Role) []*branchlinev1.Loan {
		t.Helper()
		got, err := r.ListLoans(r.by(roles...), &branchlinev1.ListLoansRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return got.GetLoans()
	}
	var cars []string
	late := 0
	for _, l := range list(adviser) {
		if cars = append(cars, l.GetLoanCar()); l.GetLate() {
			late++
		}
	}
	if !slices.Equal(cars, []string{"老单", "迟三天", "迟一时", "明天", "没说"}) || late != 3 {
		t.Errorf("out are %q, %d overdue", cars, late)
	}
	if l := list(adviser)[1]; l.GetPhone() != "13900001234" || l.GetCar().GetCustomerName() != "王芳" || l.GetSince() == 0 || l.GetDue() == 0 {
		t.Errorf("to call: %v", l)
	}
	if l := list(technician)[0]; l.GetPhone() != "" || l.GetCar().GetCustomerName() != "" {
		t.Errorf("a technician is told %v", l)
	}
}

func TestStep_TheLoanCarComesBackAtHandOver(t *testing.T) {
	r := newRig(t)
	handed := branchlinev1.OrderState_HANDED_OVER
	for _, x := range []struct {
		order *branchlinev1.ServiceOrder
		said  bool
		back  bool
	}{
		{&branchlinev1.ServiceOrder{LoanCar: proto.String("沪A8D06")}, true, true},
		{&branchlinev1.ServiceOrder{LoanCar: proto.String("沪A8D06")}, false, false},
		{&branchlinev1.ServiceOrder{}, true, false},
	} {
		x.order.Plate, x.order.State, x.order.Day = proto.String("沪A1"), branchlinev1.OrderState_READY.Enum(), proto.String("2026-11-22")
		id := r.create(x.order)
		if _, err := r.Step(r.by(adviser), &branchlinev1.StepRequest{Order: "serviceOrders/" + id.String(), State: handed, LoanBack: x.said}); err != nil {
			t.Fatal(err)
		}
		if o := r.get(id).GetServiceOrder(); (o.GetLoanBackAt() != 0) != x.back || o.GetState() != handed {
			t.Errorf("said %v: %v", x.said, o)
		}
	}
}
