package store

import (
	"bytes"
	stdsql "database/sql"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	"branchline/sync/merge"
)

// Rec is a merged record as HQ keeps it.
type Rec struct {
	N                        int64
	ID                       schema.RecordID
	Kind                     schema.Kind
	Home                     int32
	Rev                      schema.Rev
	State                    []byte // sync/merge's encoding
	Customer, Vehicle, Order schema.RecordID
	Day, Number              string
	St                       int64
	Retired                  int64 // unix ms; 0: in force
	Created                  int64 // unix ms of the change that made it; 0: HQ has not seen that change
	Updated                  int64
	Grp                      int64 // n of the oldest member of its group (created, then id); 0: none
}

// Names tells whether a field that names a customer, a vehicle or an order is set.
func (r *Rec) Names(f *schema.FieldInfo) bool {
	switch k := schema.KindOf(r.Kind); f {
	case k.Customer:
		return !r.Customer.IsZero()
	case k.Vehicle:
		return !r.Vehicle.IsZero()
	case k.Order:
		return !r.Order.IsZero()
	}
	return false
}

// RecColumns are the columns ScanRec reads.
const RecColumns = "n, id, kind, home, rev, state, customer, vehicle, ord, day, number, st, retired, created, updated, grp"

// ScanRec reads a row of RecColumns.
func ScanRec(rows *stdsql.Rows) (*Rec, error) {
	r := new(Rec)
	var id, c, v, o []byte
	var day, number stdsql.NullString
	var st, grp stdsql.NullInt64
	if err := rows.Scan(&r.N, &id, &r.Kind, &r.Home, &r.Rev, &r.State, &c, &v, &o, &day, &number, &st, &r.Retired, &r.Created, &r.Updated, &grp); err != nil {
		return nil, fmt.Errorf("hq/store: read record: %w", err)
	}
	copy(r.ID[:], id)
	copy(r.Customer[:], c)
	copy(r.Vehicle[:], v)
	copy(r.Order[:], o)
	r.Day, r.Number, r.St, r.Grp = day.String, number.String, st.Int64, grp.Int64
	return r, nil
}

// RecOf reads a record by id; nil when there is none.
func RecOf(r Reader, id schema.RecordID) (*Rec, error) {
	return recWhere(r, "id = $1", id[:])
}

// RecsOf reads many records, by id; one there is not is left out.
func RecsOf(r ListReader, ids []schema.RecordID) (map[schema.RecordID]*Rec, error) {
	out := make(map[schema.RecordID]*Rec, len(ids))
	err := r.In("SELECT "+RecColumns+" FROM record WHERE id", "", IDs(ids), func(rows *stdsql.Rows) error {
		rec, err := ScanRec(rows)
		if err == nil {
			out[rec.ID] = rec
		}
		return err
	})
	return out, err
}

// IDs are the ids as keys of In, each once.
func IDs(ids []schema.RecordID) []any {
	out := make([]any, 0, len(ids))
	seen := make(map[schema.RecordID]bool, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, bytes.Clone(id[:]))
		}
	}
	return out
}

// RecByN reads a record by its number; nil when there is none.
func RecByN(r Reader, n int64) (*Rec, error) { return recWhere(r, "n = $1", n) }

func recWhere(r Reader, where string, arg any) (*Rec, error) {
	var out *Rec
	err := r.Each("SELECT "+RecColumns+" FROM record WHERE "+where, []any{arg}, func(rows *stdsql.Rows) (err error) {
		out, err = ScanRec(rows)
		return err
	})
	return out, err
}

// Recs reads the records that exist of the ids.
func (w *W) Recs(ids []schema.RecordID, f func(*Rec)) error {
	keys := make([]any, len(ids))
	for i := range ids {
		keys[i] = ids[i][:]
	}
	return w.In("SELECT "+RecColumns+" FROM record WHERE id", "", keys, func(rows *stdsql.Rows) error {
		r, err := ScanRec(rows)
		if err == nil {
			f(r)
		}
		return err
	})
}

// InsertRecs inserts new records, N and Rev already taken. A record that exists
// makes it fail.
func (w *W) InsertRecs(recs []*Rec) error {
	const cols = 16
	args := make([]any, 0, len(recs)*cols)
	for _, r := range recs {
		args = append(args, r.N, r.ID[:], int64(r.Kind), int64(r.Home), int64(r.Rev), r.State,
			idOrNull(&r.Customer), idOrNull(&r.Vehicle), idOrNull(&r.Order), textOrNull(r.Day), textOrNull(r.Number), intOrNull(r.St),
			r.Retired, r.Created, r.Updated, intOrNull(r.Grp))
	}
	_, err := w.Insert("INSERT INTO record ("+RecColumns+")", "", cols, args)
	return err
}

// UpdateRec writes a changed record.
func (w *W) UpdateRec(r *Rec) error {
	_, err := w.Exec(`UPDATE record SET home = $1, rev = $2, state = $3, customer = $4, vehicle = $5, ord = $6, day = $7, number = $8, st = $9,
		retired = $10, created = $11, updated = $12 WHERE n = $13`, r.Home, int64(r.Rev), r.State,
		idOrNull(&r.Customer), idOrNull(&r.Vehicle), idOrNull(&r.Order), textOrNull(r.Day), textOrNull(r.Number), intOrNull(r.St),
		r.Retired, r.Created, r.Updated, r.N)
	if err == nil && r.N <= w.swept {
		_, err = w.Exec("INSERT INTO dirty (n) VALUES ($1) ON CONFLICT DO NOTHING", r.N)
	}
	return err
}

func idOrNull(id *schema.RecordID) any {
	if id.IsZero() {
		return nil
	}
	return id[:]
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func intOrNull(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// Columns reads the columns of a record off its shown message. A reference that
// is no record id is taken for none.
func (r *Rec) Columns(k *schema.KindInfo, message []byte) {
	r.Customer, r.Vehicle, r.Order = schema.RecordID{}, schema.RecordID{}, schema.RecordID{}
	r.Day, r.Number, r.St, r.Retired = "", "", 0, 0
	for b := message; len(b) > 0; {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return
		}
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		if m < 0 {
			return
		}
		val := b[n : n+m]
		b = b[n+m:]
		is := func(f *schema.FieldInfo) bool { return f != nil && f.Number == int32(num) }
		switch {
		case is(k.Customer):
			r.Customer = refOf(val)
		case is(k.Vehicle):
			r.Vehicle = refOf(val)
		case is(k.Order):
			r.Order = refOf(val)
		case is(k.Day):
			r.Day = textOf(val)
		case is(k.Number):
			r.Number = textOf(val)
		case is(k.State):
			v, _ := protowire.ConsumeVarint(val)
			r.St = int64(v)
		case num == retiredAt && typ == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(val)
			r.Retired = int64(v)
		}
	}
}

// retiredAt is the number every kind has for it.
const retiredAt = 900

func textOf(val []byte) string {
	b, n := protowire.ConsumeBytes(val)
	if n < 0 {
		return ""
	}
	return string(b)
}

func refOf(val []byte) schema.RecordID {
	b, n := protowire.ConsumeBytes(val)
	if n < 0 {
		return schema.RecordID{}
	}
	id, err := schema.ParseRecordID(string(b))
	if err != nil {
		return schema.RecordID{}
	}
	return id
}

// Shareable tells whether branches of another legal entity may know of records of a kind at all.
func Shareable(k *schema.KindInfo) bool {
	const group = optionsv1.Share_SHARE_GROUP
	return k.Kind == schema.Vehicle || k.Vehicle != nil && k.Vehicle.Share == group || k.Order != nil && k.Order.Share == group
}

// MessageOf is the shown record's message bytes of an encoded state.
func MessageOf(k *schema.KindInfo, state []byte) ([]byte, error) {
	if b, ok := merge.FreshMessage(state); ok {
		return b, nil
	}
	st, err := merge.Decode(state)
	if err != nil {
		return nil, err
	}
	return st.Fold(k), nil
}

// What a row of the feed is about.
const (
	FeedRecord  = 1
	FeedGroup   = 3
	FeedOutcome = 4
)
