package feed

import (
	"context"
	stdsql "database/sql"
	"fmt"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// What evidence keys are (table evidence).
const (
	KeyNationalID = 1
	KeyPhoneName  = 2
	KeySource     = 3
	KeyVIN        = 4
	KeyPlate      = 5 // finds, never joins
	KeySame       = 6 // a customer's id: stated to be the same
	KeyTied       = 7 // a tie's customer: never joins
)

const (
	lookTTL  = 24 * 3600 // seconds a look-up is kept at the branch
	lookRows = 2000
	lookCars = 20
)

// Look answers a look-up of a car beyond the branch's scope, by VIN or plate:
// the car, its orders, lines and readings at every site, as any technician of
// the group may see them (DESIGN §8 a), and whose it is and was (owners). It is
// logged first. schema.ErrInvalid without a VIN, a plate or an actor.
func (f *Feed) Look(ctx context.Context, code schema.BranchID, req *wirev1.LookRequest) (*wirev1.LookReply, error) {
	b := f.st.Branch(code)
	if b == nil || b.Num == store.HQNum {
		return nil, fmt.Errorf("hq/feed: look: branch %s: %w", code, schema.ErrNotFound)
	}
	if why := f.st.Held(); why != "" {
		return nil, fmt.Errorf("hq/feed: look: %s: %w", why, schema.ErrUnavailable)
	}
	switch {
	case !b.Open():
		return nil, fmt.Errorf("hq/feed: look: the branch has no standing with headquarters: %w", schema.ErrForbidden)
	case req.GetActor() == "":
		return nil, fmt.Errorf("hq/feed: look: %w", schema.Invalid("actor", "is missing: look-ups are logged"))
	case len(req.GetActor()) > 64 || len(req.GetReason()) > 200 || len(req.GetVin()) > 32 || len(req.GetPlate()) > 20:
		return nil, fmt.Errorf("hq/feed: look: %w", schema.ErrTooLarge)
	}
	if vin.Key(req.GetVin()) == "" && plate.Key(req.GetPlate()) == "" {
		return nil, fmt.Errorf("hq/feed: look: %w", schema.Invalid("vin", "give a VIN or a plate"))
	}
	if err := f.catch(ctx); err != nil {
		return nil, fmt.Errorf("hq/feed: look: %w", err)
	}
	out := &wirev1.LookReply{TtlSeconds: lookTTL}
	err := f.st.Read(ctx, func(r *store.R) error {
		cars, err := Cars(r, req.GetVin(), req.GetPlate())
		if err != nil {
			return err
		}
		for _, c := range cars {
			if err := f.history(r, c, out); err != nil {
				return err
			}
		}
		out.Owners, err = f.owners(r, b, cars)
		return err
	})
	if err == nil {
		err = f.st.Write(ctx, func(w *store.W) error {
			_, err := w.Exec("INSERT INTO looked (at, branch, actor, vin, plate, reason, found) VALUES ($1, $2, $3, $4, $5, $6, $7)",
				w.Clock(), b.Num, req.GetActor(), req.GetVin(), req.GetPlate(), req.GetReason(), len(out.GetRows()))
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("hq/feed: look: %w", err)
	}
	return out, nil
}

// Cars finds vehicles by VIN and by any plate they ever bore, and what is the same car.
func Cars(r store.Reader, v, p string) ([]*store.Rec, error) {
	var out []*store.Rec
	seen := map[int64]bool{}
	add := func(where string, args ...any) error {
		return r.Each("SELECT "+store.RecColumns+" FROM record WHERE "+where+fmt.Sprintf(" LIMIT %d", lookCars), args, func(rows *stdsql.Rows) error {
			rec, err := store.ScanRec(rows)
			if err == nil && !seen[rec.N] && len(out) < lookCars {
				seen[rec.N] = true
				out = append(out, rec)
			}
			return err
		})
	}
	for kind, key := range map[int]string{KeyVIN: vin.Key(v), KeyPlate: plate.Key(p)} {
		if key == "" {
			continue
		}
		if err := add("n IN (SELECT n FROM evidence WHERE kind = $1 AND key = $2)", kind, []byte(key)); err != nil {
			return nil, err
		}
	}
	for _, rec := range out[:len(out):len(out)] {
		if rec.Grp != 0 {
			if err := add("grp = $1", rec.Grp); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (f *Feed) history(r store.Reader, car *store.Rec, out *wirev1.LookReply) error {
	add := func(rec *store.Rec) error {
		if len(out.GetRows()) >= lookRows {
			return nil
		}
		k := schema.KindOf(rec.Kind)
		if k == nil || !store.Shareable(k) {
			return nil
		}
		state, err := SharedState(k, rec.State, func(schema.BranchID) bool { return false })
		if err != nil {
			return err
		}
		out.Rows = append(out.Rows, &wirev1.Row{
			Row: wirev1.RowKind_RECORD, Rev: int64(rec.Rev), Kind: uint32(rec.Kind), Record: rec.ID[:], State: state, Shared: true,
			Home: string(f.st.BranchNum(rec.Home).Code),
		})
		return nil
	}
	if err := add(car); err != nil {
		return err
	}
	each := func(where string, id schema.RecordID, g func(*store.Rec) error) error {
		var list []*store.Rec
		if err := r.Each("SELECT "+store.RecColumns+" FROM record WHERE "+where+" ORDER BY day DESC, n", []any{id[:]}, func(rows *stdsql.Rows) error {
			rec, err := store.ScanRec(rows)
			list = append(list, rec)
			return err
		}); err != nil {
			return err
		}
		for _, rec := range list {
			if err := g(rec); err != nil {
				return err
			}
		}
		return nil
	}
	return each("vehicle = $1", car.ID, func(rec *store.Rec) error {
		if err := add(rec); err != nil || rec.Kind != schema.ServiceOrder {
			return err
		}
		return each("ord = $1", rec.ID, add)
	})
}
