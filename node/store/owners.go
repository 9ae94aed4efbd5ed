package store

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"slices"
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
		if err := o.foresee(ids); err != nil {
			return err
		}
		if err := o.name(ids); err != nil {
			return err
		}
		if err := o.read(ids); err != nil {
			return err
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
	of   []schema.RecordID // the vehicle each of ties is of
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

// read takes what is held of the vehicles: ties of owners, and when an order first showed them.
func (o *ownerReader) read(ids []schema.RecordID) error {
	var people []schema.RecordID
	err := o.ofCars("SELECT vehicle, id, shown FROM record INDEXED BY record_vehicle WHERE kind = ? AND retired = 0 AND vehicle IN (%s)", schema.Tie, ids, func(rows *stdsql.Rows) error {
		var v, b, shown []byte
		if err := rows.Scan(&v, &b, &shown); err != nil {
			return err
		}
		car, id := schema.RecordID(v), schema.RecordID(b)
		st, err := merge.Decode(shown)
		if err != nil {
			return fmt.Errorf("tie %s: %w", id, err)
		}
		m, err := st.Message(schema.KindOf(schema.Tie))
		if err != nil {
			return err
		}
		x, ok := desk.OwnershipOf(schema.ResourceName(schema.Tie, id), m.(*branchlinev1.Tie), id.Time().UnixMilli(), o.zone)
		if !ok {
			return nil
		}
		x.Car = o.cars[car]
		o.ties, o.of = append(o.ties, x), append(o.of, car)
		if _, who, err := schema.ParseName(x.Customer); err == nil {
			people = append(people, who)
		}
		return nil
	})
	if err != nil || len(o.ties) == 0 {
		return err
	}
	days, err := o.firstDays(o.of)
	if err != nil {
		return err
	}
	for _, d := range days {
		people = append(people, d.customer)
	}
	if err := o.foresee(people); err != nil {
		return err
	}
	for i := range o.ties {
		x := &o.ties[i]
		_, id, err := schema.ParseName(x.Customer)
		if err != nil {
			x.Who = x.Customer // a reference that is no id names nobody else
			continue
		}
		if x.Who, err = o.customer(id); err != nil {
			return err
		}
	}
	for _, d := range days {
		who, err := o.customer(d.customer)
		if err != nil {
			return err
		}
		for i := range o.ties {
			if o.of[i] == d.car && o.ties[i].Who == who {
				o.ties[i].Seen(d.day)
			}
		}
	}
	return nil
}

// ofCars reads what records of a kind say of vehicles; text has a place for their list.
func (o *ownerReader) ofCars(text string, kind schema.Kind, cars []schema.RecordID, f func(*stdsql.Rows) error) error {
	var args []any
	for _, id := range cars {
		args = append(args, id[:])
	}
	for some := range slices.Chunk(args, toldAtOnce) {
		some = rounded(some)
		if err := o.each(f, fmt.Sprintf(text, marks(len(some))), append([]any{int64(kind)}, some...)...); err != nil {
			return err
		}
	}
	return nil
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

// firstDay is when an order of a vehicle first showed a customer.
type firstDay struct {
	car, customer schema.RecordID
	day           string
}

// firstDays names its index: left to itself SQLite takes that of customers, to group by them, and reads every order there is.
const firstDays = `SELECT vehicle, customer, MIN(day) FROM record INDEXED BY record_vehicle WHERE kind = ? AND retired = 0
	AND customer IS NOT NULL AND day IS NOT NULL AND vehicle IN (%s) GROUP BY vehicle, customer`

func (o *ownerReader) firstDays(cars []schema.RecordID) (out []firstDay, err error) {
	err = o.ofCars(firstDays, schema.ServiceOrder, slices.Compact(slices.Clone(cars)), func(rows *stdsql.Rows) error {
		var v, c []byte
		var d firstDay
		if err := rows.Scan(&v, &c, &d.day); err != nil {
			return err
		}
		d.car, d.customer = schema.RecordID(v), schema.RecordID(c)
		out = append(out, d)
		return nil
	})
	return out, err
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
