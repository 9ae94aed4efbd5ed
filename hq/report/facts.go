package report

import (
	"context"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"

	"branchline/hq/behind"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

const defaultCurrency = "CNY"

// task follows orders, lines and cars.
func (r *Reports) task() behind.Task {
	return behind.Task{
		Name: "report", Form: 1, Kinds: []schema.Kind{schema.Vehicle, schema.ServiceOrder, schema.ServiceLine},
		Clear: []string{"DELETE FROM order_fact", "DELETE FROM line_fact", "DELETE FROM revenue_fact", "DELETE FROM car_fact"},
		Derive: func(recs []*store.Rec) (func(*store.W) error, error) {
			return r.find(recs).write, nil
		},
	}
}

// Run makes the facts up when HQ is quiet, so that reports need not wait, and kept
// answers anew, until ctx ends.
func (r *Reports) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.remake(ctx) })
	err := r.facts.Run(ctx)
	stop()
	wg.Wait()
	return err
}

// Rebuild throws the facts away and makes them again from the records.
func (r *Reports) Rebuild(ctx context.Context) error { return r.facts.Rebuild(ctx) }

// orderFact, lineFact and carFact are what one record says; counts is false
// when it says nothing that counts.
type orderFact struct {
	n                            int64
	id                           []byte
	day, branch, model, currency string
	customer, vehicle            []byte
	counts                       bool
}

type lineFact struct {
	n        int64
	ord      []byte
	payer    int64
	currency string
	amount   int64
	counts   bool
}

type carFact struct {
	id      []byte
	model   string
	retired bool
}

// found are the facts of some records.
type found struct {
	orders []orderFact
	lines  []lineFact
	cars   []carFact
}

// find reads what records say. One that cannot be read counts for nothing and is
// logged: it must not take every report down.
func (r *Reports) find(recs []*store.Rec) *found {
	f := new(found)
	for _, rec := range recs {
		k := schema.KindOf(rec.Kind)
		m := k.New()
		raw, err := store.MessageOf(k, rec.State)
		if err == nil {
			err = proto.Unmarshal(raw, m)
		}
		if err != nil {
			r.log.Error("record not readable: it is in no report", "record", schema.ResourceName(rec.Kind, rec.ID), "err", err)
			m = k.New()
		}
		switch m := m.(type) {
		case *branchlinev1.ServiceOrder:
			f.orders = append(f.orders, factOfOrder(rec.N, rec.ID[:], r.code(rec.Home), m))
		case *branchlinev1.ServiceLine:
			f.lines = append(f.lines, factOfLine(rec.N, m))
		case *branchlinev1.Vehicle:
			f.cars = append(f.cars, carFact{rec.ID[:], strings.TrimSpace(m.GetModel()), m.GetRetiredAt() != 0})
		}
	}
	return f
}

func (r *Reports) code(home int32) string {
	if b := r.st.BranchNum(home); b != nil {
		return string(b.Code)
	}
	return ""
}

// factOfOrder: an order counts when it is settled (and what follows) and in
// force, on its settlement day, at the site that did the work.
func factOfOrder(n int64, id []byte, home string, o *branchlinev1.ServiceOrder) orderFact {
	f := orderFact{
		n: n, id: id, branch: o.GetBranch(), model: strings.TrimSpace(o.GetModel()), currency: currencyOf(o.GetCurrency()),
		customer: refOf(o.GetCustomer()), vehicle: refOf(o.GetVehicle()), day: o.GetSettledOn(),
		counts: o.GetRetiredAt() == 0 &&
			(o.GetState() == branchlinev1.OrderState_SETTLED || o.GetState() == branchlinev1.OrderState_HANDED_OVER),
	}
	if f.day == "" {
		f.day = o.GetDay()
	}
	if schema.CheckDay(f.day) != nil {
		f.day = ""
	}
	if f.branch == "" {
		f.branch = home
	}
	return f
}

func factOfLine(n int64, l *branchlinev1.ServiceLine) lineFact {
	f := lineFact{n: n, ord: refOf(l.GetOrder()), payer: int64(l.GetPayer()), currency: currencyOf(l.GetCurrency()), amount: l.GetAmount()}
	f.counts = l.GetRetiredAt() == 0 && f.amount != 0 && f.ord != nil &&
		(l.GetState() == branchlinev1.LineState_LINE_APPROVED || l.GetState() == branchlinev1.LineState_LINE_DONE)
	return f
}

func currencyOf(s string) string { return strings.ToUpper(strings.TrimSpace(s)) }

// refOf is the id in bytes; nil for none.
func refOf(s string) []byte {
	if s == "" {
		return nil
	}
	id, err := schema.ParseRecordID(s)
	if err != nil {
		return nil
	}
	return id[:]
}
