package api

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// put saves a record past the API, as acts do.
func (s *site) put(m proto.Message) *branchlinev1.Record {
	s.t.Helper()
	res, err := s.store.Put(s.ctx, store.Edit{Kind: schema.KindOfMessage(m).Kind, Message: m, Actor: "li", Role: branchlinev1.Role_ROLE_BRANCH_MANAGER})
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.store.Get(s.ctx, res.ID)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *site) update(r *branchlinev1.Record, m proto.Message, mask ...string) error {
	s.t.Helper()
	next := record(s.t, m)
	next.Name, next.Etag = r.GetName(), r.GetEtag()
	_, err := s.rec.UpdateRecord(s.ctx, &branchlinev1.UpdateRecordRequest{Record: next, UpdateMask: mask})
	return err
}

// Money, and uses of cards, are written by acts that keep their limits: no manager writes them one by one.
func TestByAct_moneyIsWrittenAtTheCounterOnly(t *testing.T) {
	s := newSite(t)
	id := strings.TrimPrefix(s.create(&branchlinev1.Customer{Name: proto.String("王芳")}).GetName(), "customers/")
	order := strings.TrimPrefix(s.create(&branchlinev1.ServiceOrder{Complaint: proto.String("保养")}).GetName(), "serviceOrders/")
	card := &branchlinev1.PackageCard{Customer: &id, Form: branchlinev1.CardForm_CARD_COUNTED.Enum(), Uses: proto.Int32(3), Title: proto.String("洗车")}
	held := s.put(card)
	cardID := strings.TrimPrefix(held.GetName(), "packageCards/")
	for _, m := range []proto.Message{
		&branchlinev1.Payment{Order: &order, Customer: &id, Amount: proto.Int64(100), Method: branchlinev1.PayMethod_METHOD_CASH.Enum(), Purpose: branchlinev1.PayPurpose_PURPOSE_DEPOSIT.Enum()},
		&branchlinev1.Settlement{Order: &order, Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), LinesAmount: proto.Int64(1), Amount: proto.Int64(1)},
		&branchlinev1.CashClose{Day: proto.String("2026-11-21")},
		&branchlinev1.CardUse{Card: &cardID, Uses: proto.Int32(1)},
		card,
	} {
		if _, err := s.rec.CreateRecord(s.ctx, &branchlinev1.CreateRecordRequest{Record: record(t, m)}); !errors.Is(err, schema.ErrForbidden) || !strings.Contains(err.Error(), "at the counter") {
			t.Errorf("a manager wrote a %T: %v", m, err)
		}
	}
	use := s.put(&branchlinev1.CardUse{Card: &cardID, Uses: proto.Int32(1)})
	if err := s.update(use, &branchlinev1.CardUse{BorneBy: proto.String("pd")}, "borne_by"); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("who bears it was written past the counter: %v", err)
	}
	if err := s.update(held, &branchlinev1.PackageCard{RetiredAt: proto.Int64(1)}, "retired_at"); err != nil {
		t.Errorf("a card that was sold by mistake is not taken out: %v", err)
	}
}

func TestByAct_settledAndGoneAreSteps(t *testing.T) {
	s := newSite(t)
	o := s.create(&branchlinev1.ServiceOrder{Complaint: proto.String("保养"), State: branchlinev1.OrderState_READY.Enum()})
	for _, m := range []*branchlinev1.ServiceOrder{
		{State: branchlinev1.OrderState_SETTLED.Enum()},
		{State: branchlinev1.OrderState_HANDED_OVER.Enum()},
		{State: branchlinev1.OrderState_CANCELLED.Enum()},
		{SettledOn: proto.String("2026-11-21")},
		{SettlementNumber: proto.String("S1")},
		{HandedOverAt: proto.Int64(1)},
		{HandedTo: proto.String("老李")},
		{CancelReason: proto.String("x")},
	} {
		if _, err := s.rec.CreateRecord(s.ctx, &branchlinev1.CreateRecordRequest{Record: record(t, m)}); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("an order was made with %v: %v", m, err)
		}
		k := schema.KindOf(schema.ServiceOrder)
		var mask []string
		for _, f := range k.Fields {
			if m.ProtoReflect().Has(f.Desc) {
				mask = append(mask, f.Name)
			}
		}
		if err := s.update(o, m, mask...); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%v was written into an order: %v", m, err)
		}
	}
	// What belongs to a step is not taken away past it either.
	if err := s.update(o, &branchlinev1.ServiceOrder{}, "settled_on"); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("the day of settlement was taken out: %v", err)
	}
	if err := s.update(o, &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_IN_WORK.Enum()}, "state"); err != nil {
		t.Errorf("any other state: %v", err)
	}
}

// Lists of old records bring what was settled and paid elsewhere.
func TestByAct_oldRecordsComeInFromLists(t *testing.T) {
	s := newSite(t)
	day, order := "2024-05-05", "$0"
	res, err := s.rec.ImportRows(s.ctx, &branchlinev1.ImportRowsRequest{Source: "old", Rows: []*branchlinev1.ImportRow{{Key: "1", Records: []*branchlinev1.Record{
		record(t, &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_SETTLED.Enum(), Day: &day, SettledOn: &day}),
		record(t, &branchlinev1.Settlement{Order: &order, Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), LinesAmount: proto.Int64(1), Amount: proto.Int64(1), Day: &day}),
	}}}})
	if err != nil || len(res.GetResults()[0].GetViolations()) > 0 {
		t.Fatalf("%v, %v", res, err)
	}
}

// Hours and checks are those of the workshop's acts: no manager writes them by hand, a list of old lines may bring them.
func TestByAct_clocksAndChecksAreWrittenAtTheCar(t *testing.T) {
	s := newSite(t)
	order := strings.TrimPrefix(s.create(&branchlinev1.ServiceOrder{Complaint: proto.String("保养")}).GetName(), "serviceOrders/")
	line := s.create(&branchlinev1.ServiceLine{Order: &order, Item: proto.String("换机油")})
	for mask, m := range map[string]*branchlinev1.ServiceLine{
		"clockings":       {Clockings: []*branchlinev1.Clocking{{Technician: proto.String("lq"), From: proto.Int64(1), Until: proto.Int64(2)}}},
		"clocked_minutes": {ClockedMinutes: proto.Int64(600)},
		"checks":          {Checks: []*branchlinev1.QualityCheck{{At: proto.Int64(1), By: proto.String("lq"), Passed: proto.Bool(true)}}},
	} {
		if err := s.update(line, m, mask); !errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), "at the car") {
			t.Errorf("%s edited: %v", mask, err)
		}
		made := proto.CloneOf(m)
		made.Order = &order
		if _, err := s.rec.CreateRecord(s.ctx, &branchlinev1.CreateRecordRequest{Record: record(t, made)}); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("a line made with %s: %v", mask, err)
		}
		made.Order = proto.String("$0")
		res, err := s.rec.ImportRows(s.ctx, &branchlinev1.ImportRowsRequest{Source: "old", Rows: []*branchlinev1.ImportRow{{Key: mask, Records: []*branchlinev1.Record{
			record(t, &branchlinev1.ServiceOrder{Complaint: proto.String("保养")}), record(t, made),
		}}}})
		if err != nil || len(res.GetResults()[0].GetViolations()) > 0 {
			t.Errorf("%s from a list: %v %v", mask, res, err)
		}
	}
	if err := s.update(line, &branchlinev1.ServiceLine{Item: proto.String("换机油机滤")}, "item"); err != nil {
		t.Errorf("the rest of a line: %v", err)
	}
}
