package find

import (
	"context"
	stdsql "database/sql"
	"fmt"

	"branchline/hq/store"
	"branchline/schema"
	"branchline/schema/index"
)

// Car is all that hangs on one car, under whichever records it stands.
type Car struct {
	Vehicles, Orders, Lines, Readings, Ties []*store.Rec // in force, but for vehicles; in no order
}

// Car finds a car by a record's id, its VIN or a plate it had, with every record
// of the same car. ErrNotFound when HQ knows none.
func (x *Index) Car(ctx context.Context, id schema.RecordID, vin, plate string) (*Car, error) {
	if err := x.follow.CatchUpOn(ctx, schema.Vehicle); err != nil {
		return nil, err
	}
	var out *Car
	err := x.st.Read(ctx, func(r *store.R) (err error) {
		c := carFinder{r: r, seen: map[schema.RecordID]bool{}}
		out, err = c.find(id, vin, plate)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hq/find: car: %w", err)
	}
	return out, nil
}

type carFinder struct {
	r    *store.R
	seen map[schema.RecordID]bool
	out  Car
}

func (c *carFinder) find(id schema.RecordID, vin, plate string) (*Car, error) {
	if !id.IsZero() {
		if err := c.add("id = $1", id[:]); err != nil {
			return nil, err
		}
	}
	for _, k := range []string{index.VINTerm(vin), index.PlateTerm(plate)} {
		if k == "" {
			continue
		}
		if err := c.add("n IN (SELECT n FROM term WHERE k = $1)", k); err != nil {
			return nil, err
		}
	}
	if len(c.out.Vehicles) == 0 {
		return nil, fmt.Errorf("no such car is known: %w", schema.ErrNotFound)
	}
	var orders []schema.RecordID
	var cars []schema.RecordID
	for _, v := range c.out.Vehicles {
		cars = append(cars, v.ID)
	}
	for _, part := range []struct {
		kind   schema.Kind
		column string
		ids    *[]schema.RecordID
		to     *[]*store.Rec
	}{
		{schema.ServiceOrder, "vehicle", &cars, &c.out.Orders},
		{schema.ServiceLine, "ord", &orders, &c.out.Lines},
		{schema.OdometerReading, "vehicle", &cars, &c.out.Readings},
		{schema.Tie, "vehicle", &cars, &c.out.Ties},
	} {
		head := fmt.Sprintf("SELECT %s FROM record WHERE kind = %d AND retired = 0 AND %s", store.RecColumns, part.kind, part.column)
		err := c.r.In(head, "", store.IDs(*part.ids), func(rows *stdsql.Rows) error {
			r, err := store.ScanRec(rows)
			if err != nil {
				return err
			}
			*part.to = append(*part.to, r)
			if part.kind == schema.ServiceOrder {
				orders = append(orders, r.ID)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return &c.out, nil
}

// add adds the vehicles found and those grouped with them.
func (c *carFinder) add(where string, arg any) error {
	var groups []int64
	take := func(r *store.Rec) {
		if r.Kind != schema.Vehicle || c.seen[r.ID] {
			return
		}
		c.seen[r.ID] = true
		c.out.Vehicles = append(c.out.Vehicles, r)
		if r.Grp != 0 {
			groups = append(groups, r.Grp)
		}
	}
	if err := c.each(where, []any{arg}, take); err != nil {
		return err
	}
	for _, g := range groups {
		if err := c.each("grp = $1", []any{g}, take); err != nil {
			return err
		}
	}
	return nil
}

func (c *carFinder) each(where string, args []any, f func(*store.Rec)) error {
	return c.r.Each("SELECT "+store.RecColumns+" FROM record WHERE "+where, args, func(rows *stdsql.Rows) error {
		rec, err := store.ScanRec(rows)
		if err == nil {
			f(rec)
		}
		return err
	})
}

// GroupOf are the ids of the records that are one with id, by id; id alone when
// it is in no group.
func GroupOf(r store.Reader, id schema.RecordID) ([]schema.RecordID, error) {
	var out []schema.RecordID
	err := r.Each("SELECT id FROM record WHERE grp = (SELECT grp FROM record WHERE id = $1) ORDER BY id", []any{id[:]}, func(rows *stdsql.Rows) error {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return err
		}
		out = append(out, schema.RecordID(b))
		return nil
	})
	if len(out) == 0 {
		out = []schema.RecordID{id}
	}
	return out, err
}
