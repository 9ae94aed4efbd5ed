package town

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/han"
	"branchline/schema/phone"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

var today = time.Date(2026, 11, 21, 15, 0, 0, 0, zone)

func make1(t testing.TB, cfg Config) *Town {
	t.Helper()
	if cfg.Today.IsZero() {
		cfg.Today = today
	}
	x, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func digest(t testing.TB, x *Town) string {
	t.Helper()
	h := sha256.New()
	write := func(h hash.Hash, m proto.Message) {
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%d:", len(b))
		h.Write(b)
	}
	for _, e := range x.Entities() {
		write(h, e.Message)
	}
	for i, b := range x.Branches() {
		write(h, b.Message)
		for e := range x.Edits(i) {
			fmt.Fprintf(h, "%d %s %d %s ", e.Kind, e.Key, e.At.UnixMilli(), e.Actor)
			for _, k := range slices.Sorted(maps.Keys(e.Refs)) {
				fmt.Fprintf(h, "%s=%s ", k, e.Refs[k])
			}
			write(h, e.Message)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestNew_SameSeedSameBytes(t *testing.T) {
	a := digest(t, make1(t, Config{Seed: 1, Customers: 300, Lines: 2000}))
	if b := digest(t, make1(t, Config{Seed: 1, Customers: 300, Lines: 2000})); a != b {
		t.Errorf("one seed, two towns: %s, %s", a, b)
	}
	if b := digest(t, make1(t, Config{Seed: 2, Customers: 300, Lines: 2000})); a == b {
		t.Error("two seeds, one town")
	}
}

func TestNew_Refusals(t *testing.T) {
	for _, c := range []Config{{Branches: 61, Today: today}, {Customers: -1, Today: today}, {Lines: -1, Today: today}, {}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

// Small towns of odd shapes: all counts hold, every reference was written before at the same branch,
// times rise, and every message is valid.
func TestEdits_Sound(t *testing.T) {
	for _, c := range []Config{
		{Seed: 1, Branches: 1, Customers: 1, Lines: 1},
		{Seed: 2, Branches: 2, Customers: 10, Lines: 900},
		{Seed: 3, Branches: 60, Customers: 40, Lines: 7},
		{Seed: 4, Branches: 5, Customers: 600, Lines: 3000},
	} {
		x := make1(t, c)
		var got Totals
		keys := map[string]schema.Kind{}
		people := map[string]bool{}
		for i, b := range x.Branches() {
			var last time.Time
			for e := range x.Edits(i) {
				if e.At.Before(last) || e.At.After(today) {
					t.Fatalf("%s: %s at %s after %s", b.Code, e.Key, e.At, last)
				}
				last = e.At
				if _, ok := keys[e.Key]; ok {
					t.Fatalf("key %s twice", e.Key)
				}
				k := schema.KindOf(e.Kind)
				if schema.KindOfMessage(e.Message) != k {
					t.Fatalf("%s says it is a %s", e.Key, k.Name)
				}
				if err := schema.Validate(e.Message); err != nil {
					t.Fatalf("%s: %v", e.Key, err)
				}
				for f, to := range e.Refs {
					if fi := k.Field(f); fi == nil || fi.Ref == 0 || keys[to] != fi.Ref {
						t.Fatalf("%s.%s = %s, which is a %d", e.Key, f, to, keys[to])
					}
				}
				if e.Actor == "" {
					t.Fatalf("%s by nobody", e.Key)
				}
				keys[e.Key] = e.Kind
				switch e.Kind {
				case schema.Customer:
					got.Registrations++
					people[e.Key[:len(e.Key)-len(fmt.Sprintf("@%d", i))]] = true
				case schema.Vehicle:
					got.Vehicles++
				case schema.ServiceOrder:
					got.Orders++
				case schema.ServiceLine:
					got.Lines++
				}
			}
		}
		want := x.Totals()
		got.Customers, got.Cars, got.Visitors = len(people), want.Cars, want.Visitors
		if got != want || got.Lines != c.Lines || got.Customers != c.Customers {
			t.Errorf("%+v: got %+v, said %+v", c, got, want)
		}
	}
}

func TestEdits_Lifelike(t *testing.T) {
	begin := time.Now()
	x := make1(t, Config{Seed: 1})
	made := time.Since(begin)
	var customers, vehicles, slips, noVIN, new6, companies, hanNames int
	readings := map[string][]int64{}
	var rising, falling, declined int
	perBranch := make([]int, len(x.Branches()))
	var revenue int64
	settled := map[string]bool{}
	plates := map[string]string{}
	states := map[branchlinev1.OrderState]int{}
	for i := range x.Branches() {
		for e := range x.Edits(i) {
			switch m := e.Message.(type) {
			case *branchlinev1.Customer:
				customers++
				if m.GetType() == branchlinev1.CustomerType_COMPANY {
					companies++
				} else if family, given := han.SplitName(m.GetName()); family != "" && given != "" {
					hanNames++
				}
				for _, p := range m.GetPhones() {
					n := phone.Parse(p.GetNumber(), "CN")
					if len(n) != 1 || n[0].Kind != phone.Mobile && n[0].Kind != phone.Landline {
						t.Fatalf("phone %q reads as %+v", p.GetNumber(), n)
					}
				}
			case *branchlinev1.Vehicle:
				vehicles++
				if m.GetVin() == "" {
					noVIN++
				} else if rep := vin.Check(m.GetVin()); !rep.Checked() {
					slips++
				} else if !m.GetVinChecked() {
					t.Fatalf("%s is good and not marked so", m.GetVin())
				}
				p, rep := plate.Parse(m.GetPlates()[0].GetPlate())
				switch p.Kind {
				case plate.Ordinary, plate.Partial:
				case plate.NewEnergySmall:
					new6++
				default:
					t.Fatalf("plate %s is %s, %v", p.Text(), p.Kind, rep)
				}
			case *branchlinev1.ServiceOrder:
				perBranch[i]++
				states[m.GetState()]++
				if !vin.Check(m.GetVin()).Checked() {
					t.Fatalf("order's VIN %s", m.GetVin())
				}
				if v, ok := plates[m.GetPlate()]; ok && v != m.GetVin() {
					t.Fatalf("plate %s on two cars", m.GetPlate())
				}
				plates[m.GetPlate()] = m.GetVin()
				if m.GetSettledOn() != "" {
					settled[e.Key] = true
				}
			case *branchlinev1.OdometerReading:
				v := e.Refs["vehicle"]
				if r := readings[v]; len(r) > 0 {
					if m.GetKm() >= r[len(r)-1] {
						rising++
					} else {
						falling++
					}
				}
				readings[v] = append(readings[v], m.GetKm())
			case *branchlinev1.ServiceLine:
				if m.GetState() == branchlinev1.LineState_LINE_DECLINED {
					declined++
				} else if settled[e.Refs["order"]] {
					revenue += m.GetAmount()
				}
			}
		}
	}
	all := time.Since(begin)
	tot := x.Totals()
	t.Logf("made in %v, spelled out in %v; %+v; orders by branch %v; revenue %d.%02d; VIN slips %d, without %d; falling readings %d of %d; declined %d; states %v",
		made, all-made, tot, perBranch, revenue/100, revenue%100, slips, noVIN, falling, rising+falling, declined, states)
	within := func(what string, n, of int, lo, hi float64) {
		if s := float64(n) / float64(of); s < lo || s > hi {
			t.Errorf("%s: %d of %d = %.3f, not within %.3f to %.3f", what, n, of, s, lo, hi)
		}
	}
	within("people with orders at two branches", tot.Visitors, tot.Customers, 0.06, 0.16)
	within("new-energy plates", new6, vehicles, 0.2, 0.5)
	within("firms", companies, customers, 0.04, 0.09)
	within("names that split", hanNames, customers-companies, 0.95, 1)
	within("VIN slips", slips, vehicles, 0.0003, 0.02)
	within("cars without a VIN", noVIN, vehicles, 0.0003, 0.02)
	within("readings that fall", falling, rising+falling, 0.0005, 0.02)
	within("declined lines", declined, tot.Lines, 0.02, 0.3)
	within("settled orders", len(settled), tot.Orders, 0.95, 1)
	for b, n := range perBranch {
		within(fmt.Sprint("orders of branch ", b), n, tot.Orders, 0.2, 0.5)
	}
	if all > 10*time.Second {
		t.Errorf("took %v", all)
	}
}

// Seeds the demo and the tests of other packages lean on.
func TestNew_DemoIsStable(t *testing.T) {
	x := make1(t, Config{Seed: 1})
	if got := fmt.Sprintf("%+v", x.Totals()); got != demoTotals {
		t.Errorf("the demo's town has changed: %s", got)
	}
}

const demoTotals = "{Customers:5000 Registrations:5665 Visitors:505 Cars:5752 Vehicles:6164 Orders:11111 Lines:40000}"

func BenchmarkTown(b *testing.B) {
	for b.Loop() {
		x := make1(b, Config{Seed: 1})
		for i := range x.Branches() {
			for range x.Edits(i) {
			}
		}
	}
}
