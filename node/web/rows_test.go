package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// What a page asks of the database does not grow with its rows: thirty more of everything it lists are thirty more rows of
// the same answers, and not thirty more questions. Where a row is a view of its own, of a few at most, it is said how much
// one asks.
func TestPages_AskNoMoreForMoreRows(t *testing.T) {
	const fewRows, manyRows = 6, 36
	aRow := map[string]int64{
		"/search": 2, // of a hit its cars or owners and its order are looked for; forty at most
	}
	few, many := stock(t, fewRows), stock(t, manyRows)
	for i, p := range few.pages {
		small, large := few.questions(p.path), many.questions(many.pages[i].path)
		t.Logf("%-50s %4d statements for %d rows, %4d for %d", p.route, small, fewRows, large, manyRows)
		if large > small+15+aRow[p.route]*(manyRows-fewRows) {
			t.Errorf("%s asks %d times for %d rows and %d times for %d", p.path, small, fewRows, large, manyRows)
		}
	}
}

// stocked is a branch with n of everything, all of it on one customer, his car and his order as well, and its pages.
type stocked struct {
	v     *visitor
	pages []struct{ route, path string }
}

// add asks for a page, and leaves out what is none.
func (f *stocked) add(route, path string) {
	if status, body := f.v.get(path); status == http.StatusOK && strings.Contains(body, "<html") {
		f.pages = append(f.pages, struct{ route, path string }{route, path})
	}
}

// questions are the statements a page takes, once what is kept between pages has been read.
func (f *stocked) questions(path string) int64 {
	f.v.page(path)
	before := f.v.r.asked.Statements.Load()
	f.v.page(path)
	return f.v.r.asked.Statements.Load() - before
}

func stock(t *testing.T, n int) *stocked {
	r := newRig(t)
	now := at(busyDay, "10:00")
	r.clock.set(now)
	var edits []store.Edit
	put := func(m proto.Message) *string {
		id, err := r.store.MintID()
		if err != nil {
			t.Fatal(err)
		}
		edits = append(edits, store.Edit{ID: id, Create: true, Kind: schema.KindOfMessage(m).Kind, Message: m, Actor: "zm", Role: branchlinev1.Role_ROLE_BRANCH_MANAGER})
		return s(id.String())
	}
	for _, code := range []string{"zm", "lq"} {
		put(&branchlinev1.Staff{Code: s(code), Name: s("员工" + code), Branches: []string{"pd"}})
	}
	one := func(i int) (customer, car, order *string) {
		customer = put(&branchlinev1.Customer{Name: s(fmt.Sprint("王", i)), Phones: []*branchlinev1.Phone{{Number: s(fmt.Sprintf("139%08d", i))}}, Status: branchlinev1.CustomerStatus(1 + i%3).Enum()})
		car = put(&branchlinev1.Vehicle{Model: s("帕萨特"), Plates: plates(&branchlinev1.PlateTerm{Plate: s(fmt.Sprintf("沪A%05d", i))})})
		put(&branchlinev1.Tie{Customer: customer, Vehicle: car, Role: branchlinev1.TieRole_OWNER.Enum()})
		order = put(&branchlinev1.ServiceOrder{
			Customer: customer, Vehicle: car, Number: s(fmt.Sprintf("X-%d", i)), Branch: s("pd"), Day: s(busyDay), Adviser: s("zm"), Technician: s("lq"), Plate: s(fmt.Sprintf("沪A%05d", i)),
			State: branchlinev1.OrderState_IN_WORK.Enum(), Complaint: s("异响"),
		})
		return customer, car, order
	}
	// about writes what the counter and the workshop write of an order.
	about := func(i int, customer, car, order *string) {
		at, number, money := proto.Int64(now.UnixMilli()), s(fmt.Sprintf("N-%s-%d", (*order)[20:], i)), s("CNY")
		line := put(&branchlinev1.ServiceLine{Order: order, Position: proto.Int32(int32(i + 1)), Item: s("换机油"), Amount: proto.Int64(100_00), Currency: money, State: branchlinev1.LineState_LINE_APPROVED.Enum(), Technician: s("lq")})
		for _, m := range []proto.Message{
			&branchlinev1.Contact{Customer: customer, Vehicle: car, Order: order, Branch: s("pd"), Day: s(busyDay), At: at, Channel: branchlinev1.ContactChannel_CHANNEL_PHONE.Enum(), Direction: branchlinev1.Direction_DIRECTION_OUT.Enum(), Text: s("可来取车"), By: s("zm")},
			&branchlinev1.Appointment{Number: number, Branch: s("pd"), Customer: customer, Vehicle: car, Day: s(busyDay), StartAt: at, State: branchlinev1.AppointmentState_APPOINTMENT_CONFIRMED.Enum(), Complaint: s("保养"), Adviser: s("zm")},
			&branchlinev1.InsurancePolicy{Number: number, Customer: customer, Vehicle: car, Insurer: s("平安"), From: s(busyDay), Until: s(busyDay)},
			&branchlinev1.Claim{
				Number: number, Order: order, Customer: customer, Vehicle: car, Branch: s("pd"), Day: s(busyDay), Party: branchlinev1.ClaimParty_CLAIM_ON_INSURER.Enum(),
				State: branchlinev1.ClaimState_CLAIM_SENT.Enum(), Firm: s("平安"), Lines: []*branchlinev1.ClaimLine{{Line: line, Asked: proto.Int64(100_00)}},
			},
			&branchlinev1.Fapiao{Number: number, Order: order, Customer: customer, Branch: s("pd"), Day: s(busyDay), Title: s("王"), Amount: proto.Int64(100_00), Currency: money, State: branchlinev1.FapiaoState_FAPIAO_WANTED.Enum()},
			&branchlinev1.Settlement{Number: number, Order: order, Customer: customer, Branch: s("pd"), Day: s(busyDay), At: at, Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), LinesAmount: proto.Int64(100_00), Amount: proto.Int64(100_00), Currency: money, By: s("zm")},
			&branchlinev1.Payment{
				Number: number, Order: order, Customer: customer, Branch: s("pd"), Day: s(busyDay), At: at, Method: branchlinev1.PayMethod_METHOD_CASH.Enum(),
				Purpose: branchlinev1.PayPurpose_PURPOSE_DEPOSIT.Enum(), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Amount: proto.Int64(10_00), Currency: money, Cashier: s("zm"),
			},
			&branchlinev1.PackageCard{Number: number, Branch: s("pd"), Customer: customer, Day: s(busyDay), Form: branchlinev1.CardForm_CARD_COUNTED.Enum(), Title: s("五次洗车"), Uses: proto.Int32(5), Price: proto.Int64(100_00), Currency: money, Seller: s("zm")},
			&branchlinev1.Inspection{Order: order, Vehicle: car, Branch: s("pd"), Day: s(busyDay), DoneAt: at, Inspector: s("zm"), FuelEighths: proto.Int32(4)},
			&branchlinev1.Note{Customer: customer, Order: order, Text: s("来电")},
			&branchlinev1.OdometerReading{Vehicle: car, Order: order, Day: s(busyDay), Km: proto.Int64(int64(1000 + i))},
		} {
			put(m)
		}
	}
	customer, car, order := one(0)
	for i := range n {
		c, v, o := one(1 + i)
		about(i, c, v, o)
		about(i, customer, car, order)
		put(&branchlinev1.ServiceOrder{
			Customer: customer, Vehicle: car, Number: s(fmt.Sprintf("Y-%d", i)), Branch: s("pd"), Day: s("2026-10-20"), Adviser: s("zm"),
			State: branchlinev1.OrderState_HANDED_OVER.Enum(), SettledOn: s("2026-10-20"), Complaint: s("保养"),
		})
		put(&branchlinev1.Tie{Customer: customer, Vehicle: v, Role: branchlinev1.TieRole_DRIVER.Enum()})
		put(&branchlinev1.Package{Code: s(fmt.Sprintf("P%03d", i)), Name: s("保养套餐"), Branch: s("pd"), Price: proto.Int64(500_00), Currency: s("CNY"), Lines: []*branchlinev1.PackageLine{{Position: proto.Int32(1), Item: s("机油"), Amount: proto.Int64(100_00)}}})
	}
	errs, err := r.store.PutAll(t.Context(), len(edits), false, func(b *store.Batch, i int) error {
		_, err := b.Put(edits[i])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		if err != nil {
			t.Fatalf("%v: %v", edits[i].Message, err)
		}
	}
	r.clock.set(now.Add(time.Hour))
	f := &stocked{v: r.as("boss", "zh-CN")}
	of := strings.NewReplacer("/customers/{id}", "/customers/"+*customer, "/vehicles/{id}", "/vehicles/"+*car, "/serviceOrders/{id}", "/serviceOrders/"+*order)
	for _, route := range access.Routes() {
		path, is := strings.CutPrefix(route, "GET ")
		if !is || path == "/events" || !access.Allowed(access.Node, route, []branchlinev1.Role{branchlinev1.Role_ROLE_BRANCH_MANAGER}) {
			continue
		}
		path = strings.TrimSuffix(path, "{$}")
		f.add(path, of.Replace(path))
	}
	for route, with := range map[string]string{"/customers/pick": "?status=2", "/search": "?q=139", "/history": "?plate=" + url.QueryEscape("沪A00000"), "/serviceOrders": "?branch=pd&state=IN_WORK", "/serviceOrders/new": "?vehicle=" + *car} {
		f.add(route, route+with)
	}
	if len(f.pages) < 40 {
		t.Fatalf("%d pages are looked at", len(f.pages))
	}
	slices.SortFunc(f.pages, func(x, y struct{ route, path string }) int { return strings.Compare(x.route+x.path, y.route+y.path) })
	return f
}

const busyDay = "2026-11-20"
