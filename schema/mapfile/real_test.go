package mapfile

import (
	"errors"
	"io"
	"os"
	"testing"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/sample"
)

type totals struct {
	rows, orders, lines, warned, bad, out int
	amount, labour                        int64
	customers, vehicles                   map[string]bool
	stubs                                 int
}

func readAll(t *testing.T, m *Map, dir, file string) totals {
	t.Helper()
	r, err := m.Open(os.DirFS(dir), file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	x := totals{customers: map[string]bool{}, vehicles: map[string]bool{}}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return x
		}
		if err != nil {
			t.Fatal(err)
		}
		x.rows++
		if row.Out {
			x.out++
			continue
		}
		if row.Bad != nil {
			t.Errorf("line %d: %v", row.Line, row.Bad)
			x.bad++
			continue
		}
		c := r.Convert(row)
		if c.Bad != nil {
			t.Errorf("line %d: %v", row.Line, c.Bad)
			x.bad++
			continue
		}
		if len(c.Warnings) > 0 {
			x.warned++
		}
		x.count(c.Row)
	}
}

func (x *totals) count(r *branchlinev1.ImportRow) {
	for _, rec := range r.GetRecords() {
		if rec.GetServiceOrder() != nil {
			x.orders++
		}
		if c := rec.GetCustomer(); c != nil {
			x.customers[c.GetSourceIds()[0].GetId()] = true
		}
		if l := rec.GetServiceLine(); l != nil {
			x.lines++
			x.amount += l.GetAmount()
			if l.GetKind() == branchlinev1.LineKind_LABOUR {
				x.labour += l.GetAmount()
			}
		}
	}
	for _, ref := range r.GetRefs() {
		switch {
		case ref.GetStub().GetVehicle() != nil:
			x.vehicles[ref.GetStub().GetVehicle().GetVin()] = true
			x.stubs++
		case ref.GetStub().GetCustomer() != nil:
			x.customers[ref.GetKey()] = true
			x.stubs++
		}
	}
}

func named(t *testing.T, name string, c Choice) *Map {
	t.Helper()
	m, err := Named(name)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = m.With(c); err != nil {
		t.Fatal(err)
	}
	return m
}

// The expected values are those of the data's SOURCE.md.
func TestReal_WarrantyRepairs(t *testing.T) {
	dir := sample.Path(t, "data", "real", "warranty-repairs")
	x := readAll(t, named(t, "warranty-repairs", Choice{}), dir, "task2.csv")
	if x.orders != 100 || x.lines != 200 || x.amount != 53_119_32 || x.labour != 10_634_49 || len(x.vehicles) != 98 || x.warned != 98 {
		t.Errorf("orders %d, lines %d, amount %d, labour %d, cars %d, warned %d", x.orders, x.lines, x.amount, x.labour, len(x.vehicles), x.warned)
	}
	var sum totals
	sum.vehicles = map[string]bool{}
	for i := range 3 {
		p := readAll(t, named(t, "warranty-repairs", Choice{Part: &Part{Of: 3, Index: i}}), dir, "task2.csv")
		if p.orders == 0 || p.orders+p.out != 100 {
			t.Errorf("part %d: %d orders, %d left out", i, p.orders, p.out)
		}
		sum.orders += p.orders
		sum.amount += p.amount
		sum.labour += p.labour
	}
	if sum.orders != 100 || sum.amount != 53_119_32 || sum.labour != 10_634_49 {
		t.Errorf("the three parts together: %d orders, %d, %d", sum.orders, sum.amount, sum.labour)
	}
}

func TestReal_SakilaTwoStores(t *testing.T) {
	dir := sample.Path(t, "data", "real", "sakila-two-stores")
	var amount int64
	for store, want := range map[string]struct {
		customers, orders int
	}{"1": {326, 7_923}, "2": {273, 8_121}} {
		where := Choice{Where: map[string]string{"store_id": store}}
		c := readAll(t, named(t, "sakila-customers", where), dir, "customer.csv")
		if len(c.customers) != want.customers || c.rows != 599 {
			t.Errorf("store %s: %d of %d customers, want %d", store, len(c.customers), c.rows, want.customers)
		}
		o := readAll(t, named(t, "sakila-rentals", where), dir, "rental.csv")
		if o.orders != want.orders || o.lines != want.orders || o.rows != 16_044 || len(o.customers) != 599 {
			t.Errorf("store %s: %d orders, %d lines of %d rows, %d customers", store, o.orders, o.lines, o.rows, len(o.customers))
		}
		amount += o.amount
	}
	if amount != 67_416_51 {
		t.Errorf("payments are %d, want 6741651", amount)
	}
}
