package sim

import (
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// counter writes something of a branch's day at the counter: facts that are never changed, and things that are. Two
// branches may use one card while neither hears of the other.
func (p *people) counter(m *machine) {
	c := p.find(m, schema.Customer)
	if c == nil {
		return
	}
	customer, day := proto.String(idOf(c)), proto.String("2026-11-21")
	var order, vehicle *string
	if o := p.find(m, schema.ServiceOrder); o != nil {
		order = proto.String(idOf(o))
	}
	if v := p.find(m, schema.Vehicle); v != nil {
		vehicle = proto.String(idOf(v))
	}
	put := func(k schema.Kind, msg proto.Message) { p.put(m, Edit{Kind: k, Message: msg}) }
	switch p.w.rng.IntN(10) {
	case 0:
		put(schema.Appointment, &branchlinev1.Appointment{
			Number: proto.String(p.next("A")), Customer: customer, Vehicle: vehicle, Day: day, Complaint: proto.String(p.next("complaint")),
			State: branchlinev1.AppointmentState_APPOINTMENT_BOOKED.Enum(),
		})
	case 1:
		if order != nil {
			put(schema.Inspection, &branchlinev1.Inspection{
				Order: order, Day: day, WarningLamps: []string{p.next("lamp")}, Damages: []*branchlinev1.Damage{{Part: proto.String(p.next("panel"))}},
			})
		}
	case 2, 3:
		put(schema.PackageCard, &branchlinev1.PackageCard{
			Number: proto.String(p.next("C")), Customer: customer, Day: day, Form: branchlinev1.CardForm_CARD_COUNTED.Enum(), Uses: proto.Int32(1), Title: proto.String(p.next("title")),
		})
	case 4, 5:
		if card := p.find(m, schema.PackageCard); card != nil {
			put(schema.CardUse, &branchlinev1.CardUse{
				Card: proto.String(idOf(card)), Customer: card.GetPackageCard().Customer, Order: order, Day: day, Uses: proto.Int32(1), By: proto.String(p.next("by")),
			})
		}
	case 6:
		put(schema.Payment, &branchlinev1.Payment{
			Number: proto.String(p.next("P")), Customer: customer, Order: order, Day: day, Amount: proto.Int64(int64(p.token)),
			Method: branchlinev1.PayMethod_METHOD_WECHAT.Enum(), Purpose: branchlinev1.PayPurpose_PURPOSE_DEPOSIT.Enum(),
		})
	case 7:
		put(schema.Contact, &branchlinev1.Contact{
			Customer: customer, Vehicle: vehicle, Day: day, Text: proto.String(p.next("talk")),
			Channel: branchlinev1.ContactChannel_CHANNEL_PHONE.Enum(), Direction: branchlinev1.Direction_DIRECTION_OUT.Enum(),
		})
	case 8:
		if order != nil {
			put(schema.Claim, &branchlinev1.Claim{
				Number: proto.String(p.next("B")), Order: order, Day: day, Party: branchlinev1.ClaimParty_CLAIM_ON_INSURER.Enum(), State: branchlinev1.ClaimState_CLAIM_SENT.Enum(),
			})
		}
	case 9:
		n := proto.Int64(int64(p.token))
		put(schema.CashClose, &branchlinev1.CashClose{
			Day: day, Cashier: proto.String(p.next("cashier")), Counts: []*branchlinev1.CashCount{{Method: branchlinev1.PayMethod_METHOD_CASH.Enum(), Recorded: n, Counted: n}},
		})
	}
}

// changeCounter is change for the kinds of the counter.
func (p *people) changeCounter(m *machine, page *branchlinev1.Record, e *Edit) bool {
	home := page.GetHome() == string(m.code)
	switch x := e.Message.(type) {
	case *branchlinev1.Appointment:
		x.Complaint = proto.String(p.next("complaint"))
		e.Mask = []string{"complaint"}
		return home
	case *branchlinev1.Contact:
		x.NextStep = proto.String(p.next("step"))
		e.Mask = []string{"next_step"}
		return true
	case *branchlinev1.Claim:
		x.Lines = append(x.GetLines(), &branchlinev1.ClaimLine{Item: proto.String(p.next("item")), Supplement: proto.Bool(true)})
		e.Mask = []string{"lines"}
		return home
	case *branchlinev1.CardUse:
		x.BorneBy = proto.String(p.next("bearer"))
		e.Mask = []string{"borne_by"}
		return true
	}
	return false
}
