package store

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
)

// How near a record is to what happens today.
const (
	nearHere  = iota // it is an open order of this branch or an appointment of today, or about one
	nearThere        // of another branch
	nearNot
)

const (
	// maxNear bounds how many open orders, appointments and latest orders count each.
	maxNear = 200
	// openDays is how old an order may be that still says that a car is in the workshop.
	openDays = 90
)

// neighbour is a record that people ask for today: of an order that is open or was the last to change, or of an
// appointment. A search looks through all of them, whatever it looks through of the rest.
type neighbour struct {
	n       int64
	kind    *schema.KindInfo
	near    int
	version [4]int64 // of what was read: another one is read again
	entry   index.Entry
	number  string
}

// neighbours are kept until something changes.
type neighbours struct {
	mu      sync.Mutex
	changes *Watcher
	day     string
	all     map[int64]*neighbour
}

// near are today's neighbours by number. The map is not to be changed.
func (s *Store) near(ctx context.Context, day string) (map[int64]*neighbour, error) {
	c := &s.neighbours
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == nil {
		c.changes = s.Changes()
	}
	if e := c.changes.Take(); c.all != nil && c.day == day && len(e.Records) == 0 && !e.All {
		return c.all, nil
	}
	old := c.all
	c.all = nil // should it fail, the next one reads again
	fresh := map[int64]*neighbour{}
	err := s.reading(ctx, func(r *reader) error { return r.neighbours(day, old, fresh) })
	if err != nil {
		return nil, fmt.Errorf("store: near: %w", err)
	}
	c.all, c.day = fresh, day
	return fresh, nil
}

const (
	// openText walks the sites that have orders, and of each its open ones.
	openText = `WITH RECURSIVE site (home) AS (
			SELECT min(home) FROM record INDEXED BY record_state WHERE kind = $1 AND state IS NOT NULL
			UNION ALL SELECT (SELECT min(home) FROM record INDEXED BY record_state WHERE kind = $1 AND state IS NOT NULL AND home > site.home) FROM site WHERE site.home IS NOT NULL)
		SELECT o.id, o.customer, o.vehicle, o.home = $2 FROM site CROSS JOIN record o INDEXED BY record_state
		WHERE o.kind = $1 AND o.home = site.home AND o.state >= $3 AND o.state < $4 AND o.retired = 0 AND o.day >= $5
		ORDER BY o.home = $2 DESC, o.day DESC LIMIT $6`
	todayText = `SELECT id, customer, vehicle, home = $2 FROM record INDEXED BY record_day WHERE kind = $1 AND day = $3 AND retired = 0 AND state IN ($4, $5) LIMIT $6`
	lastText  = `SELECT id, customer, vehicle FROM record INDEXED BY record_updated WHERE kind = $1 ORDER BY updated DESC LIMIT $2`
)

func (r *reader) neighbours(day string, old, fresh map[int64]*neighbour) error {
	ids := map[schema.RecordID]int{}
	add := func(near int, some ...[]byte) error {
		for _, b := range some {
			if b == nil {
				continue
			}
			id, err := schema.RecordIDFromBytes(b)
			if err != nil {
				return err
			}
			if have, ok := ids[id]; !ok || near < have {
				ids[id] = near
			}
		}
		return nil
	}
	dated := func(rows *stdsql.Rows) error {
		var id, customer, vehicle []byte
		var own bool
		if err := rows.Scan(&id, &customer, &vehicle, &own); err != nil {
			return err
		}
		if own {
			return add(nearHere, id, customer, vehicle)
		}
		return add(nearThere, id, customer, vehicle)
	}
	order, booked := int64(schema.ServiceOrder), int64(schema.Appointment)
	if err := r.each(dated, openText, order, string(r.branch), int64(branchlinev1.OrderState_BOOKED), int64(branchlinev1.OrderState_SETTLED),
		r.s.cfg.Now().AddDate(0, 0, -openDays).UTC().Format(time.DateOnly), maxNear); err != nil {
		return err
	}
	if err := r.each(dated, todayText, booked, string(r.branch), day, int64(branchlinev1.AppointmentState_APPOINTMENT_BOOKED),
		int64(branchlinev1.AppointmentState_APPOINTMENT_CONFIRMED), maxNear); err != nil {
		return err
	}
	last := func(rows *stdsql.Rows) error {
		var id, customer, vehicle []byte
		if err := rows.Scan(&id, &customer, &vehicle); err != nil {
			return err
		}
		return add(nearNot, id, customer, vehicle)
	}
	if err := r.each(last, lastText, order, maxNear); err != nil {
		return err
	}
	return r.readNeighbours(ids, old, fresh)
}

// readNeighbours reads of the records what they are found by, and takes what has not changed from before.
func (r *reader) readNeighbours(ids map[schema.RecordID]int, old, fresh map[int64]*neighbour) error {
	args := make([]any, 0, len(ids))
	for id := range ids {
		args = append(args, id[:])
	}
	var shown stdsql.RawBytes
	read := func(rows *stdsql.Rows) error {
		x := new(neighbour)
		var id []byte
		var kind int64
		var number stdsql.NullString
		if err := rows.Scan(&x.n, &id, &kind, &x.version[0], &x.version[1], &x.version[2], &x.version[3], &number, &shown); err != nil {
			return err
		}
		rid, err := schema.RecordIDFromBytes(id)
		if err != nil {
			return err
		}
		x.near, x.number = ids[rid], number.String
		if was := old[x.n]; was != nil && was.version == x.version {
			x.kind, x.entry = was.kind, was.entry
		} else {
			if x.kind = schema.KindOf(schema.Kind(kind)); x.kind == nil {
				return fmt.Errorf("record %s is of the unknown kind %d", rid, kind)
			}
			msg, _, err := messageOf(x.kind, shown)
			if err != nil {
				return fmt.Errorf("record %s: %w", rid, err)
			}
			x.entry = index.Read(x.kind, msg)
		}
		fresh[x.n] = x
		return nil
	}
	return r.each(read, "SELECT n, id, kind, epoch, rev, own, updated, number, shown FROM record WHERE id IN ("+marks(len(args))+")", args...)
}

// each runs f for every row of a query.
func (r *reader) each(f func(*stdsql.Rows) error, text string, args ...any) error {
	rows, err := r.tx.QueryContext(r.ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close() // its error comes with rows.Err
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// marks are n places of a list in a query; none of an empty one.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }
