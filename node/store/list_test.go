package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	pages "branchline/schema/page"
	"branchline/schema/sql/sqltest"
)

// A list of what is tied to one record is found by that record, in whatever order it is asked for: never by reading all of
// its kind in that order.
func TestList_tiedIsFoundByItsTie(t *testing.T) {
	b := open(t, "pd", 11)
	id := []schema.RecordID{{1}, {2}}
	for index, q := range map[string]pages.Query{
		"record_customer": {Kind: schema.KindOf(schema.ServiceOrder), Customers: id},
		"record_vehicle":  {Kind: schema.KindOf(schema.ServiceOrder), Vehicles: id},
		"record_order":    {Kind: schema.KindOf(schema.ServiceLine), Orders: id},
	} {
		for _, order := range append([]string{""}, pages.Orders(q.Kind)...) {
			for n := range 2 {
				q := q
				q.OrderBy = order
				if n == 0 {
					q.Customers, q.Vehicles, q.Orders = first(q.Customers), first(q.Vehicles), first(q.Orders)
				}
				l, err := q.Check()
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range []*pages.Asked{l, l.Behind(&pages.Place{Key: int64(1), N: 1}, 10)} {
					text, args := listed(l)
					if plan := sqltest.Plan(t, b.db.R, text, args...); !strings.Contains(plan, index) {
						t.Errorf("ordered by %q:\n%s", order, plan)
					}
				}
			}
		}
	}
}

func TestOwners_readOneCar(t *testing.T) {
	b := open(t, "pd", 11)
	if plan := sqltest.Plan(t, b.db.R, fmt.Sprintf(firstDays, "?, ?"), int64(schema.ServiceOrder), make([]byte, 16), make([]byte, 16)); !strings.Contains(plan, "record_vehicle (vehicle=? AND kind=?)") {
		t.Error(plan)
	}
}

func TestBodies_areFoundByID(t *testing.T) {
	b := open(t, "pd", 11)
	args := []any{int64(schema.Customer), make([]byte, 16), make([]byte, 16), make([]byte, 16)}
	if plan := sqltest.Plan(t, b.db.R, selectBodies+withIDs(3), args...); !strings.Contains(plan, "(id=?)") {
		t.Error(plan)
	}
}

func TestBodies_inStateAreFoundByState(t *testing.T) {
	b := open(t, "pd", 11)
	err := b.View(t.Context(), func(v *View) error {
		where, args := v.inState(schema.ServiceOrder, []protoreflect.EnumNumber{1, 2, 3})
		if plan := sqltest.Plan(t, b.db.R, selectBodies+where+sinceDay, append(args, today, 3)...); !strings.Contains(plan, "record_state") {
			t.Error(plan)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// first keeps one of a list; nil stays nil.
func first(ids []schema.RecordID) []schema.RecordID { return slices.Clone(ids[:min(1, len(ids))]) }
