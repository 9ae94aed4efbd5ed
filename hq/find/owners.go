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
func Owners(r store.ListReader, cars []*store.Rec, now time.Time, zone *time.Location) ([]*branchlinev1.Owner, error) {
	o := owners{r: r, zone: zone, cars: map[schema.RecordID]string{}, who: map[schema.RecordID]string{}}
	groups, vins := map[int64]string{}, map[string]string{}
	var ids []schema.RecordID
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
		o.cars[c.ID] = name
		ids = append(ids, c.ID)
	}
	if err := o.read(store.IDs(ids)); err != nil {
		return nil, fmt.Errorf("hq/find: owners: %w", err)
	}
	return desk.Owners(o.ties, now.In(zone).Format(time.DateOnly)), nil
}

type owners struct {
	r    store.ListReader
	zone *time.Location
	cars map[schema.RecordID]string // what each vehicle is called
	who  map[schema.RecordID]string // the same for all records of one customer
	ties []desk.Ownership
	of   []schema.RecordID // the vehicle each of ties is of
}

// firstDay is when an order of a vehicle first showed a customer.
type firstDay struct {
	car, customer schema.RecordID
	day           string
}

// read takes what hangs on the cars: ties of owners, and when an order first showed them.
func (o *owners) read(cars []any) error {
	var people []schema.RecordID
	err := o.r.In(fmt.Sprintf("SELECT %s FROM record WHERE retired = 0 AND kind = %d AND vehicle", store.RecColumns, schema.Tie), "", cars, func(rows *stdsql.Rows) error {
		rec, err := store.ScanRec(rows)
		if err != nil {
			return err
		}
		m, err := shown(schema.Tie, rec.State)
		if err != nil {
			return fmt.Errorf("tie %s: %w", rec.ID, err)
		}
		x, ok := desk.OwnershipOf(schema.ResourceName(schema.Tie, rec.ID), m.(*branchlinev1.Tie), rec.ID.Time().UnixMilli(), o.zone)
		if !ok {
			return nil
		}
		x.Car = o.cars[rec.Vehicle]
		o.ties, o.of = append(o.ties, x), append(o.of, rec.Vehicle)
		if _, id, err := schema.ParseName(x.Customer); err == nil {
			people = append(people, id)
		}
		return nil
	})
	if err != nil || len(o.ties) == 0 {
		return err
	}
	var days []firstDay
	err = o.r.In(fmt.Sprintf("SELECT vehicle, customer, MIN(day) FROM record WHERE retired = 0 AND kind = %d AND customer IS NOT NULL AND day IS NOT NULL AND vehicle", schema.ServiceOrder),
		"GROUP BY vehicle, customer", store.IDs(o.of), func(rows *stdsql.Rows) error {
			var car, customer []byte
			var d firstDay
			if err := rows.Scan(&car, &customer, &d.day); err != nil {
				return err
			}
			d.car, d.customer = schema.RecordID(car), schema.RecordID(customer)
			days, people = append(days, d), append(people, d.customer)
			return nil
		})
	if err != nil {
		return err
	}
	if err := o.name(people); err != nil {
		return err
	}
	for i := range o.ties {
		o.ties[i].Who = o.ties[i].Customer // a reference that is no id names nobody else
		if _, id, err := schema.ParseName(o.ties[i].Customer); err == nil {
			o.ties[i].Who = o.who[id]
		}
	}
	for _, d := range days {
		for i := range o.ties {
			if o.of[i] == d.car && o.ties[i].Who == o.who[d.customer] {
				o.ties[i].Seen(d.day)
			}
		}
	}
	return nil
}

// name says of customers who they are, by the first of their records.
func (o *owners) name(customers []schema.RecordID) error {
	for _, id := range customers {
		o.who[id] = schema.ResourceName(schema.Customer, id)
	}
	return o.r.In("SELECT m.id, (SELECT MIN(s.id) FROM record s WHERE s.grp = m.grp) FROM record m WHERE m.grp IS NOT NULL AND m.id", "", store.IDs(customers), func(rows *stdsql.Rows) error {
		var id, first []byte
		if err := rows.Scan(&id, &first); err != nil {
			return err
		}
		o.who[schema.RecordID(id)] = schema.ResourceName(schema.Customer, schema.RecordID(first))
		return nil
	})
}

func shown(k schema.Kind, state []byte) (proto.Message, error) {
	st, err := merge.Decode(state)
	if err != nil {
		return nil, err
	}
	return st.Message(schema.KindOf(k))
}
