package bench

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// house is what a branch has beside its customers, cars, orders and lines, so that every page has something to show:
// who works there, what it sells, and of the orders what the counter and the workshop write. Settlements and payments are
// of the last fifth of the orders, the rest of every tenth of these.
type house struct {
	c     *crowd
	names map[string][]string // of each collection, those made last
}

// kept is how many names of a collection are remembered: a page is asked for one of them after the other.
const kept = 40

func newHouse(c *crowd) (*house, error) {
	h := &house{c: c, names: map[string][]string{}}
	c.at, c.home, c.page = c.from, schema.HQ, &wirev1.Page{Epoch: 7}
	if _, err := c.put(&branchlinev1.LegalEntity{Code: proto.String("e1"), Name: proto.String("申陆汽车销售服务有限公司"), ShortName: proto.String("申陆汽车"), TaxNumber: proto.String("91310115MA1K4ABC7X")}); err != nil {
		return nil, err
	}
	for code, name := range map[string]string{"b1": "浦东店", "b2": "虹桥店"} {
		if _, err := c.put(&branchlinev1.Branch{Code: proto.String(code), Name: &name, Entity: proto.String("e1"), Address: proto.String("上海市浦东新区沪南路 2000 号"), Phone: proto.String("021-55500101")}); err != nil {
			return nil, err
		}
	}
	c.home = "b1"
	for i := range 30 {
		code, name := fmt.Sprintf("s%02d", i), c.names.Registration(i, 0).Name
		if i == 0 {
			code = "zm"
		}
		if _, err := c.put(&branchlinev1.Staff{Code: &code, Name: &name, Branches: []string{"b1"}}); err != nil {
			return nil, err
		}
	}
	for i := range 200 {
		p := &branchlinev1.Package{
			Code: proto.String(fmt.Sprintf("P%03d", i)), Name: proto.String(pick(c.rand, works) + "套餐"), Branch: proto.String("b1"), Price: proto.Int64(int64(10_000 + 500*i)),
			Currency: proto.String("CNY"), CardUses: proto.Int32(5), Models: []string{pick(c.rand, models)},
		}
		for n := range 3 {
			p.Lines = append(p.Lines, &branchlinev1.PackageLine{Position: proto.Int32(int32(n + 1)), Item: proto.String(pick(c.rand, works)), Amount: proto.Int64(10_000)})
		}
		if err := h.keep(p); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// keep writes a record and remembers its name.
func (h *house) keep(m proto.Message) error {
	id, err := h.c.put(m)
	if err == nil {
		h.note(schema.KindOfMessage(m).Collection, id)
	}
	return err
}

func (h *house) note(collection string, id schema.RecordID) {
	list := append(h.names[collection], collection+"/"+id.String())
	h.names[collection] = list[max(0, len(list)-kept):]
}

// visit writes what the counter and the workshop write of the i-th order.
func (h *house) visit(i int, order, line schema.RecordID, g *guest, day string, amount int64) error {
	c := h.c
	if c.home != "b1" {
		return nil
	}
	h.note("serviceOrders", order)
	h.note("serviceLines", line)
	h.note("customers", g.id)
	h.note("vehicles", g.car)
	if i < c.orders-c.orders/5 {
		return nil
	}
	at, of, customer, car := proto.Int64(c.at.UnixMilli()), proto.String(order.String()), proto.String(g.id.String()), proto.String(g.car.String())
	here, money := proto.String("b1"), proto.String("CNY")
	var list []proto.Message
	if i < c.orders-stillOpen {
		list = append(list,
			&branchlinev1.Settlement{
				Number: proto.String(g.order), Order: of, Customer: customer, Branch: here, Day: &day, At: at, Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), LinesAmount: &amount,
				Amount: &amount, Currency: money, By: proto.String("zm"), GuaranteeUntil: &day,
			},
			&branchlinev1.Payment{
				Number: proto.String(g.order), Order: of, Customer: customer, Branch: here, Day: &day, At: at, Method: branchlinev1.PayMethod(1 + i%5).Enum(),
				Purpose: branchlinev1.PayPurpose_PURPOSE_SETTLEMENT.Enum(), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Amount: &amount, Currency: money, Cashier: proto.String("zm"),
			})
	}
	if i%10 == 0 || i >= c.orders-stillOpen {
		list = append(list,
			&branchlinev1.Inspection{
				Order: of, Vehicle: car, Branch: here, Day: &day, DoneAt: at, Inspector: proto.String("zm"), FuelEighths: proto.Int32(int32(i % 9)), WarningLamps: []string{"engine"},
				Damages: []*branchlinev1.Damage{{Part: proto.String("door_fl"), What: proto.String("scratch"), X: proto.Int32(235), Y: proto.Int32(406)}}, Valuables: proto.String("行车记录仪"),
			},
			&branchlinev1.Contact{
				Customer: customer, Vehicle: car, Order: of, Branch: here, Day: &day, At: at, Channel: branchlinev1.ContactChannel_CHANNEL_PHONE.Enum(),
				Direction: branchlinev1.Direction_DIRECTION_OUT.Enum(), Text: proto.String("告知可来取车"), By: proto.String("zm"),
			},
			&branchlinev1.Appointment{
				Number: proto.String(g.order), Branch: here, Customer: customer, Vehicle: car, Day: &day, StartAt: at, State: branchlinev1.AppointmentState(1 + i%5).Enum(), Plate: &g.plate,
				Complaint: proto.String(pick(c.rand, complaints)), Adviser: proto.String("zm"),
			},
			&branchlinev1.InsurancePolicy{Number: proto.String(g.order), Customer: customer, Vehicle: car, Insurer: proto.String("平安"), From: &day, Until: &day},
			&branchlinev1.Claim{
				Number: proto.String(g.order), Order: of, Customer: customer, Vehicle: car, Branch: here, Day: &day, Party: branchlinev1.ClaimParty_CLAIM_ON_INSURER.Enum(),
				State: branchlinev1.ClaimState(1 + i%6).Enum(), Firm: proto.String("平安"), Lines: []*branchlinev1.ClaimLine{{Line: proto.String(line.String()), Asked: &amount}},
			},
			&branchlinev1.Fapiao{
				Number: proto.String(g.order), Order: of, Customer: customer, Branch: here, Day: &day, Title: &g.name, Amount: &amount, Currency: money, State: branchlinev1.FapiaoState_FAPIAO_WANTED.Enum(),
			},
			&branchlinev1.PackageCard{
				Number: proto.String(g.order), Branch: here, Customer: customer, Day: &day, Form: branchlinev1.CardForm_CARD_COUNTED.Enum(), Title: proto.String("五次洗车"), Uses: proto.Int32(5),
				Price: &amount, Currency: money, Seller: proto.String("zm"),
			})
	}
	for _, m := range list {
		if err := h.keep(m); err != nil {
			return err
		}
	}
	return nil
}
