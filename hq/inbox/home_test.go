package inbox_test

import (
	"fmt"
	"slices"
	"testing"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// A record's home is where its moves lead, in whatever order headquarters is told of
// them: one that was put back hears of the second home's before the first one's.
func TestHome_IsAFunctionOfTheMoves(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			g := newRig(t)
			g.entity("e1")
			a, b, c := g.branch("a1", "e1"), g.branch("b1", "e1"), g.branch("c1", "e1")
			id := g.id()
			// a makes it and gives it to b; b hands it back; a gives it to c; c edits it.
			a.write(id, customer("made"), create)
			a.write(id, &branchlinev1.Customer{}, moves("b1"))
			a.write(id, &branchlinev1.Customer{}, moves("c1"))
			b.write(id, &branchlinev1.Customer{}, moves("a1"))
			c.write(id, customer("at its last home"))
			all := []*br{a, b, c}
			for _, i := range order {
				all[i].send()
			}
			for _, x := range all {
				if q := g.outcomes(x.code); len(q) != 0 {
					t.Errorf("outcomes of %s: %v", x.code, q)
				}
			}
			rows, _ := c.pull(0, true)
			i := slices.IndexFunc(rows, func(r *wirev1.Row) bool {
				return r.GetRow() == wirev1.RowKind_RECORD && schema.RecordID(r.GetRecord()) == id
			})
			if i < 0 || rows[i].GetHome() != "c1" || nameOf(t, rows[i]) != "at its last home" {
				t.Errorf("the last home holds %v", rows[max(i, 0)])
			}
		})
	}
}

// Who wrote in an order holds whom it names, also when headquarters hears of that after.
func TestHome_WhoWroteBeforeHoldsToo(t *testing.T) {
	g := newRig(t)
	g.entity("e1")
	a, b := g.branch("a1", "e1"), g.branch("b1", "e1")
	c, o := g.id(), g.id()
	a.write(c, customer("王芳"), create)
	a.write(o, order(c, schema.RecordID{}), create)
	a.write(o, &branchlinev1.ServiceOrder{}, moves("b1"))
	b.write(o, &branchlinev1.ServiceOrder{Complaint: new("noise")})
	b.send()
	a.send()
	held := b.holdings()
	for _, n := range []string{name(schema.Customer, c), name(schema.ServiceOrder, o)} {
		if _, ok := held[n]; !ok {
			t.Errorf("the branch lacks %s: %v", n, held)
		}
	}
}
