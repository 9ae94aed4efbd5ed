package find

import (
	"cmp"
	stdsql "database/sql"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/vin"
	"branchline/sync/desk"
	"branchline/sync/merge"
)

// Owners is whose cars are and were, by all ties and orders of the group. cars are
// records of vehicles; those of one group or with one VIN are one car, named by the
// first of cars that it is. Days are of zone. Names are the caller's to add.
func Owners(r store.Reader, cars []*store.Rec, now time.Time, zone *time.Location) ([]*branchlinev1.Owner, error) {
	o := owners{r: r, zone: zone, who: map[schema.RecordID]string{}}
	groups, vins := map[int64]string{}, map[string]string{}
	for _, c := range cars {
		m, err := shown(schema.Vehicle, c.State)
		if err != nil {
			return nil, fmt.Errorf("hq/find: owners: %s: %w", c.ID, err)
		}
		key := vin.Key(m.(*branchlinev1.Vehicle).GetVin())
		name := cmp.Or(groups[c.Grp], vins[key], schema.ResourceName(schema.Vehicle, c.ID))
		if c.Grp != 0 {
			groups[c.Grp] = name
		}
		if key != "" {
			vins[key] = name
		}
		if err := o.read(c.ID, name); err != nil {
			return nil, fmt.Errorf("hq/find: owners: %w", err)
		}
	}
	return desk.Owners(o.ties, now.In(zone).Format(time.DateOnly)), nil
}

type owners struct {
	r    store.Reader
	zone *time.Location
	who  map[schema.RecordID]string
	ties []desk.Ownership
}

// read takes what hangs on one record of a car: ties of owners, and when an order first showed them.
func (o *owners) read(car schema.RecordID, name string) error {
	days := map[schema.RecordID]string{}
	first := len(o.ties)
	err := o.r.Each("SELECT "+store.RecColumns+" FROM record WHERE vehicle = $1 AND retired = 0 AND kind = $2", []any{car[:], int64(schema.Tie)}, func(rows *stdsql.Rows) error {
		rec, err := store.ScanRec(rows)
		if err != nil {
			return err
		}
		m, err := shown(schema.Tie, rec.State)
		if err != nil {
			return fmt.Errorf("tie %s: %w", rec.ID, err)
		}
		if x, ok := desk.OwnershipOf(schema.ResourceName(schema.Tie, rec.ID), m.(*branchlinev1.Tie), rec.ID.Time().UnixMilli(), o.zone); ok {
			x.Car = name
			o.ties = append(o.ties, x)
		}
		return nil
	})
	if err != nil || len(o.ties) == first {
		return err
	}
	err = o.r.Each("SELECT customer, MIN(day) FROM record WHERE vehicle = $1 AND retired = 0 AND kind = $2 AND customer IS NOT NULL AND day IS NOT NULL GROUP BY customer",
		[]any{car[:], int64(schema.ServiceOrder)}, func(rows *stdsql.Rows) error {
			var b []byte
			var day string
			if err := rows.Scan(&b, &day); err != nil {
				return err
			}
			days[schema.RecordID(b)] = day
			return nil
		})
	if err != nil {
		return err
	}
	ties := o.ties[first:]
	for i := range ties {
		_, id, err := schema.ParseName(ties[i].Customer)
		if err != nil {
			ties[i].Who = ties[i].Customer // a reference that is no id names nobody else
			continue
		}
		if ties[i].Who, err = o.golden(id); err != nil {
			return err
		}
	}
	for id, day := range days {
		who, err := o.golden(id)
		if err != nil {
			return err
		}
		for i := range ties {
			if ties[i].Who == who {
				ties[i].Seen(day)
			}
		}
	}
	return nil
}

// golden is the same for all records of one customer.
func (o *owners) golden(id schema.RecordID) (string, error) {
	if w := o.who[id]; w != "" {
		return w, nil
	}
	ids, err := GroupOf(o.r, id)
	if err != nil {
		return "", err
	}
	w := schema.ResourceName(schema.Customer, ids[0])
	for _, m := range ids {
		o.who[m] = w
	}
	return w, nil
}

func shown(k schema.Kind, state []byte) (proto.Message, error) {
	st, err := merge.Decode(state)
	if err != nil {
		return nil, err
	}
	return st.Message(schema.KindOf(k))
}
