package store

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/index"
	"branchline/schema/vin"
	"branchline/sync/desk"
	"branchline/sync/edit"
	"branchline/sync/merge"
)

// Visit is one order with its lines, by position.
type Visit struct {
	Order *branchlinev1.Record
	Lines []*branchlinev1.Record
}

// History is what is known here of one car, under whichever records it stands.
type History struct {
	Vehicles []*branchlinev1.Record
	Visits   []Visit                // newest first
	Readings []*branchlinev1.Record // by day
	// Doubtful are the names of readings and orders whose odometer does not fit its neighbours in time.
	Doubtful []string
	Ties     []*branchlinev1.Record
}

// VehicleHistory is what is known here of a car: orders and lines of every site
// under every record it is known by. One of the three names it. ErrNotFound when
// no such car is known here.
func (s *Store) VehicleHistory(ctx context.Context, id schema.RecordID, vinText, plateText string) (*History, error) {
	out := new(History)
	err := s.reading(ctx, func(r *reader) error {
		h := historian{reader: r, now: s.cfg.Now().UnixMilli(), out: out, cars: map[schema.RecordID]bool{}}
		return h.tell(id, vinText, plateText)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

type historian struct {
	*reader
	now  int64
	out  *History
	cars map[schema.RecordID]bool
	ids  []schema.RecordID
}

func (h *historian) tell(id schema.RecordID, vinText, plateText string) error {
	if !id.IsZero() {
		if err := h.car(id); err != nil {
			return err
		}
	}
	for _, term := range []string{index.VINTerm(vinText), index.PlateTerm(plateText)} {
		if term == "" {
			continue
		}
		if err := h.byTerm(term); err != nil {
			return err
		}
	}
	if len(h.ids) == 0 {
		return fmt.Errorf("store: no such car is known here: %w", schema.ErrNotFound)
	}
	orders, err := h.tied("vehicle", h.ids, schema.ServiceOrder)
	if err != nil {
		return err
	}
	slices.SortStableFunc(orders, func(a, b *branchlinev1.Record) int {
		x, y := a.GetServiceOrder(), b.GetServiceOrder()
		return cmp.Or(cmp.Compare(y.GetDay(), x.GetDay()), cmp.Compare(y.GetOpenedAt(), x.GetOpenedAt()), cmp.Compare(b.GetName(), a.GetName()))
	})
	if err := h.lines(orders); err != nil {
		return err
	}
	if h.out.Readings, err = h.tied("vehicle", h.ids, schema.OdometerReading); err != nil {
		return err
	}
	slices.SortStableFunc(h.out.Readings, func(a, b *branchlinev1.Record) int {
		return cmp.Or(cmp.Compare(a.GetOdometerReading().GetDay(), b.GetOdometerReading().GetDay()), cmp.Compare(a.GetName(), b.GetName()))
	})
	if h.out.Ties, err = h.tied("vehicle", h.ids, schema.Tie); err != nil {
		return err
	}
	h.out.Doubtful = desk.Doubtful(h.out.Readings, orders)
	return nil
}

// car adds a vehicle record, its group, and every record with the same VIN.
func (h *historian) car(id schema.RecordID) error {
	if h.cars[id] {
		return nil
	}
	rec, err := h.any(id)
	if err != nil {
		return err
	}
	v := rec.GetVehicle()
	if v == nil {
		return fmt.Errorf("store: %s is no vehicle: %w", rec.GetName(), schema.ErrNotFound)
	}
	h.cars[id] = true
	h.ids = append(h.ids, id)
	h.out.Vehicles = append(h.out.Vehicles, rec)
	members, err := h.group(id)
	if err != nil {
		return err
	}
	for _, m := range members {
		if err := h.car(m); err != nil {
			return err
		}
	}
	if key := vin.Key(v.GetVin()); key != "" {
		return h.byTerm(index.VINTerm(key))
	}
	return nil
}

// any renders a record held here, else one looked up at HQ.
func (h *historian) any(id schema.RecordID) (*branchlinev1.Record, error) {
	x, err := h.row(id)
	if err == nil {
		return h.record(x, true)
	}
	if !errors.Is(err, schema.ErrNotFound) {
		return nil, err
	}
	recs, err := h.looked("id = $2", id[:])
	if err != nil {
		return nil, err
	}
	if len(recs) == 0 {
		return nil, fmt.Errorf("store: vehicle %s is not known here: %w", id, schema.ErrNotFound)
	}
	return recs[0], nil
}

func (h *historian) byTerm(k string) error {
	rows, err := h.tx.QueryContext(h.ctx, `SELECT r.id FROM term t JOIN record r ON r.n = t.n WHERE t.k = $1 AND r.kind = 5
		UNION SELECT id FROM look WHERE kind = 5 AND expires > $2 AND instr(char(10) || terms || char(10), char(10) || $1 || char(10)) > 0 ORDER BY 1`, k, h.now)
	if err != nil {
		return fmt.Errorf("store: history: %w", err)
	}
	ids, err := scanIDs(rows)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := h.car(id); err != nil {
			return err
		}
	}
	return nil
}

// tied are the records of a kind whose column holds one of ids, in force, those
// held here and those looked up.
func (h *historian) tied(column string, ids []schema.RecordID, k schema.Kind) ([]*branchlinev1.Record, error) {
	var out []*branchlinev1.Record
	have := map[string]bool{}
	for len(ids) > 0 {
		n := min(len(ids), 100)
		args := []any{int64(k)}
		for _, id := range ids[:n] {
			args = append(args, id[:])
		}
		ids = ids[n:]
		rows, err := h.tx.QueryContext(h.ctx, "SELECT "+rowColumns+" FROM record WHERE kind = ? AND retired = 0 AND "+column+" IN (?"+strings.Repeat(",?", n-1)+")", args...)
		if err != nil {
			return nil, fmt.Errorf("store: history: %w", err)
		}
		found, err := scanRows(rows)
		if err != nil {
			return nil, err
		}
		recs, err := h.records(found)
		if err != nil {
			return nil, err
		}
		for _, rec := range recs {
			have[rec.GetName()] = true
			out = append(out, rec)
		}
		if recs, err = h.looked("kind = ? AND "+column+" IN ("+marks(n)+")", args...); err != nil {
			return nil, err
		}
		for _, rec := range recs {
			if !have[rec.GetName()] {
				have[rec.GetName()] = true
				out = append(out, rec)
			}
		}
	}
	return out, nil
}

func scanRows(rows *stdsql.Rows) ([]*row, error) {
	defer rows.Close()
	var out []*row
	for rows.Next() {
		x, err := scanRow(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

func (h *historian) lines(orders []*branchlinev1.Record) error {
	var ids []schema.RecordID
	for _, o := range orders {
		_, id, err := schema.ParseName(o.GetName())
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	lines, err := h.tied("ord", ids, schema.ServiceLine)
	if err != nil {
		return err
	}
	byOrder := map[string][]*branchlinev1.Record{}
	for _, l := range lines {
		byOrder[l.GetServiceLine().GetOrder()] = append(byOrder[l.GetServiceLine().GetOrder()], l)
	}
	for i, o := range orders {
		ls := byOrder[ids[i].String()]
		slices.SortStableFunc(ls, func(a, b *branchlinev1.Record) int {
			return cmp.Or(cmp.Compare(a.GetServiceLine().GetPosition(), b.GetServiceLine().GetPosition()), cmp.Compare(a.GetName(), b.GetName()))
		})
		h.out.Visits = append(h.out.Visits, Visit{o, ls})
	}
	return nil
}

// looked are rows HQ answered to look-ups that have not expired.
func (h *historian) looked(where string, args ...any) ([]*branchlinev1.Record, error) {
	rows, err := h.tx.QueryContext(h.ctx, "SELECT id, kind, home, shared, state FROM look WHERE expires > $1 AND "+where, append([]any{h.now}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("store: looked up: %w", err)
	}
	defer rows.Close()
	var out []*branchlinev1.Record
	for rows.Next() {
		var b, state []byte
		var kind, shared int64
		var home string
		if err := rows.Scan(&b, &kind, &home, &shared, &state); err != nil {
			return nil, fmt.Errorf("store: looked up: %w", err)
		}
		k := schema.KindOf(schema.Kind(kind))
		id, err := schema.RecordIDFromBytes(b)
		if err != nil || k == nil {
			return nil, errors.Join(err, fmt.Errorf("store: looked up: a row of kind %d", kind))
		}
		st, err := merge.Decode(state)
		if err != nil {
			return nil, fmt.Errorf("store: looked up: %w", err)
		}
		rec, err := edit.Show(k, st)
		if err != nil {
			return nil, err
		}
		rec.Name, rec.Home, rec.Shared, rec.Etag = schema.ResourceName(k.Kind, id), home, shared != 0, ""
		rec.CreateTime = id.Time().UnixMilli()
		out = append(out, rec)
	}
	return out, rows.Err()
}

// SaveLook keeps what HQ answered to a look-up for as long as it said, apart from
// the records of the branch's scope, and forgets what has expired.
func (s *Store) SaveLook(ctx context.Context, rows []*wirev1.Row, ttl time.Duration) error {
	return s.write(ctx, func(w *writer) error {
		now := w.now()
		if _, err := w.exec("DELETE FROM look WHERE expires <= $1", now); err != nil {
			return fmt.Errorf("store: look: %w", err)
		}
		for _, r := range rows {
			k := schema.KindOf(schema.Kind(r.GetKind()))
			if r.GetRow() != wirev1.RowKind_RECORD || k == nil {
				continue
			}
			msg, _, err := messageOf(k, r.GetState())
			if err != nil {
				return fmt.Errorf("store: look: %w", err)
			}
			f := readFacts(k, msg)
			if _, err := w.exec(`INSERT INTO look (id, kind, home, shared, state, vehicle, ord, terms, expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
				ON CONFLICT (id) DO UPDATE SET home = excluded.home, shared = excluded.shared, state = excluded.state, vehicle = excluded.vehicle, ord = excluded.ord,
				terms = excluded.terms, expires = excluded.expires`,
				r.GetRecord(), int64(r.GetKind()), r.GetHome(), flag(r.GetShared()), r.GetState(), bytesOrNull(f.vehicle), bytesOrNull(f.order),
				strings.Join(f.found.Terms, "\n"), now+ttl.Milliseconds()); err != nil {
				return fmt.Errorf("store: look: %w", err)
			}
		}
		return nil
	})
}

// BranchNames are the branches' names by code, as far as they are known here.
func (s *Store) BranchNames(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	err := s.Each(ctx, schema.Branch, func(h Held) error {
		m, err := h.Message()
		if err != nil {
			return err
		}
		b := m.(*branchlinev1.Branch)
		out[b.GetCode()] = b.GetName()
		return nil
	})
	return out, err
}
