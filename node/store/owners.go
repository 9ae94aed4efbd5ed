package store

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/vin"
	"branchline/sync/desk"
	"branchline/sync/merge"
)

// Owners is whose the cars are and were, by the ties and orders held here. ids are
// vehicles; those of one group or with one VIN are one car, named by the first of
// ids that it is. Days are of zone.
func (s *Store) Owners(ctx context.Context, ids []schema.RecordID, zone *time.Location) ([]*branchlinev1.Owner, error) {
	var out []*branchlinev1.Owner
	err := s.reading(ctx, func(r *reader) error {
		o := ownerReader{reader: r, zone: zone, cars: map[schema.RecordID]string{}, who: map[schema.RecordID]string{}}
		if err := o.name(ids); err != nil {
			return err
		}
		for _, id := range ids {
			if err := o.read(id); err != nil {
				return err
			}
		}
		out = desk.Owners(o.ties, s.cfg.Now().In(zone).Format(time.DateOnly))
		for _, x := range out {
			if err := o.call(x); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: owners: %w", err)
	}
	return out, nil
}

type ownerReader struct {
	*reader
	zone *time.Location
	cars map[schema.RecordID]string // what each vehicle is called
	who  map[schema.RecordID]string // what each customer is called
	ties []desk.Ownership
}

// name finds out which vehicles are one car.
func (o *ownerReader) name(ids []schema.RecordID) error {
	byVIN := map[string]string{}
	for _, id := range ids {
		members, err := o.group(id)
		if err != nil {
			return err
		}
		name, key := "", ""
		for _, m := range members {
			name = cmp.Or(name, o.cars[m])
		}
		x, err := o.row(id)
		if err != nil && !errors.Is(err, schema.ErrNotFound) { // it may be one that HQ was asked about
			return err
		}
		if err == nil {
			m, err := Held{ID: x.id, Kind: x.kind, Shown: x.shown}.Message()
			if err != nil {
				return err
			}
			if v, ok := m.(*branchlinev1.Vehicle); ok {
				key = vin.Key(v.GetVin())
			}
		}
		if key != "" {
			name = cmp.Or(name, byVIN[key])
		}
		name = cmp.Or(name, schema.ResourceName(schema.Vehicle, id))
		o.cars[id] = name
		if key != "" && byVIN[key] == "" {
			byVIN[key] = name
		}
	}
	return nil
}

// read takes what is held of one vehicle: ties of owners, and when an order first showed them.
func (o *ownerReader) read(car schema.RecordID) error {
	rows, err := o.tx.QueryContext(o.ctx, "SELECT id, shown FROM record WHERE kind = $1 AND vehicle = $2 AND retired = 0", int64(schema.Tie), car[:])
	if err != nil {
		return err
	}
	defer rows.Close()
	first := len(o.ties)
	for rows.Next() {
		var b, shown []byte
		if err := rows.Scan(&b, &shown); err != nil {
			return err
		}
		id, err := schema.RecordIDFromBytes(b)
		if err != nil {
			return err
		}
		st, err := merge.Decode(shown)
		if err != nil {
			return fmt.Errorf("tie %s: %w", id, err)
		}
		m, err := st.Message(schema.KindOf(schema.Tie))
		if err != nil {
			return err
		}
		if x, ok := desk.OwnershipOf(schema.ResourceName(schema.Tie, id), m.(*branchlinev1.Tie), id.Time().UnixMilli(), o.zone); ok {
			x.Car = o.cars[car]
			o.ties = append(o.ties, x)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for i := range o.ties[first:] {
		x := &o.ties[first+i]
		_, id, err := schema.ParseName(x.Customer)
		if err != nil {
			x.Who = x.Customer // a reference that is no id names nobody else
			continue
		}
		if x.Who, err = o.customer(id); err != nil {
			return err
		}
	}
	return o.seen(car, o.ties[first:])
}

// customer is the same for all records of one customer.
func (o *ownerReader) customer(id schema.RecordID) (string, error) {
	if w := o.who[id]; w != "" {
		return w, nil
	}
	members, err := o.group(id)
	if err != nil {
		return "", err
	}
	if len(members) == 0 {
		members = []schema.RecordID{id}
	}
	w := schema.ResourceName(schema.Customer, members[0])
	for _, m := range members {
		o.who[m] = w
	}
	return w, nil
}

// firstDays names its index: left to itself SQLite takes that of customers, to group by them, and reads every order there is.
const firstDays = `SELECT customer, MIN(day) FROM record INDEXED BY record_vehicle WHERE kind = $1 AND vehicle = $2 AND retired = 0
	AND customer IS NOT NULL AND day IS NOT NULL GROUP BY customer`

// seen brings the ownerships forward to the first order of their customers.
func (o *ownerReader) seen(car schema.RecordID, ties []desk.Ownership) error {
	if len(ties) == 0 {
		return nil
	}
	rows, err := o.tx.QueryContext(o.ctx, firstDays, int64(schema.ServiceOrder), car[:])
	if err != nil {
		return err
	}
	defer rows.Close()
	days := map[schema.RecordID]string{}
	for rows.Next() {
		var b []byte
		var day stdsql.NullString
		if err := rows.Scan(&b, &day); err != nil {
			return err
		}
		if id, err := schema.RecordIDFromBytes(b); err == nil {
			days[id] = day.String
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	for id, day := range days {
		who, err := o.customer(id)
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

// call says what the owner is called, as far as that is known here.
func (o *ownerReader) call(x *branchlinev1.Owner) error {
	_, id, err := schema.ParseName(x.GetCustomer())
	if err != nil {
		return nil // named by no id: nobody to be found
	}
	m, err := o.message(id)
	if errors.Is(err, schema.ErrNotFound) {
		return nil
	}
	if c, ok := m.(*branchlinev1.Customer); ok {
		x.Name = c.GetName()
	}
	return err
}
