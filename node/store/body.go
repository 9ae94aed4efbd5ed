package store

import (
	stdsql "database/sql"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
)

// Body is what a record says, without an etag and without where its values came from: what a page of hundreds of
// records needs, at a fraction of the cost of whole ones.
type Body struct {
	ID      schema.RecordID
	Message proto.Message // of the kind asked for
}

// BodiesInState are the bodies of records of a kind whose home is this branch that stand in one of the states, not
// retired, of the day from or later, by day, the last first, n at most.
func (v *View) BodiesInState(k schema.Kind, from string, n int, states ...protoreflect.EnumNumber) ([]Body, error) {
	if len(states) == 0 {
		return nil, nil
	}
	where, args := v.inState(k, states)
	return v.bodies(k, where+sinceDay, append(args, from, n)...)
}

// CountBefore counts the records that BodiesInState leaves out because their day is before until, up to most.
func (v *View) CountBefore(k schema.Kind, until string, most int, states ...protoreflect.EnumNumber) (int, error) {
	if len(states) == 0 {
		return 0, nil
	}
	where, args := v.inState(k, states)
	n := 0
	if err := v.r.tx.QueryRowContext(v.r.ctx, "SELECT count(*) FROM (SELECT 1 FROM record WHERE "+where+" AND day < ? LIMIT ?)", append(args, until, most)...).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: count: %w", err)
	}
	return n, nil
}

// inState is the condition of records of a kind, of this branch, in one of the states and not retired.
func (v *View) inState(k schema.Kind, states []protoreflect.EnumNumber) (where string, args []any) {
	args = []any{int64(k), string(v.r.branch)}
	for _, st := range states {
		args = append(args, int64(st))
	}
	return "kind = ? AND home = ? AND state IN (" + marks(len(states)) + ") AND retired = 0", args
}

// BodiesAbout is About of bodies: those not retired, of any number of orders in one reading.
func (v *View) BodiesAbout(k schema.Kind, orders ...schema.RecordID) ([]Body, error) {
	if len(orders) == 0 {
		return nil, nil
	}
	args := []any{int64(k)}
	for _, id := range orders {
		args = append(args, id[:])
	}
	return v.bodies(k, "kind = ? AND ord IN ("+marks(len(orders))+") AND retired = 0", args...)
}

// Bodies are those of the records of a kind with these ids that are held here, in no order.
func (v *View) Bodies(k schema.Kind, ids ...schema.RecordID) ([]Body, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	args := []any{int64(k)}
	for _, id := range ids {
		args = append(args, id[:])
	}
	return v.bodies(k, withIDs(len(ids)), args...)
}

// BodiesFaceted are the bodies of all records of a kind whose home is this branch, not retired, whose field is a facet with a
// value up to one, as text ("": any); the last made first. It is for facets that end: of what is open there is no more than
// people can deal with.
func (v *View) BodiesFaceted(k schema.Kind, field, upTo string) ([]Body, error) {
	least, most := facetRange(k, field, upTo)
	return v.bodies(k, "n IN (SELECT n FROM term WHERE k >= ? AND k <= ?) AND +kind = ? AND +home = ? AND +retired = 0 ORDER BY id DESC", least, most, int64(k), string(v.r.branch))
}

// withIDs is the condition of records of a kind with one of n ids. The plus keeps the kind out of the choice of an index:
// by kind and id alike, all of the kind would be read.
func withIDs(n int) string { return "+kind = ? AND id IN (" + marks(n) + ")" }

const (
	selectBodies = "SELECT id, shown FROM record WHERE "
	// sinceDay orders by +day: for an order that an index of days has, all that is of these days would be read.
	sinceDay = " AND day >= ? ORDER BY +day DESC, id DESC LIMIT ?"
)

func (v *View) bodies(k schema.Kind, where string, args ...any) ([]Body, error) {
	rows, err := v.r.tx.QueryContext(v.r.ctx, selectBodies+where, args...)
	if err != nil {
		return nil, fmt.Errorf("store: bodies: %w", err)
	}
	defer rows.Close() // its error comes with rows.Err
	info := schema.KindOf(k)
	var out []Body
	var id, shown stdsql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&id, &shown); err != nil {
			return nil, fmt.Errorf("store: bodies: %w", err)
		}
		b := Body{Message: info.New()}
		if b.ID, err = schema.RecordIDFromBytes(id); err != nil {
			return nil, fmt.Errorf("store: bodies: %w", err)
		}
		msg, _, err := messageOf(info, shown)
		if err != nil {
			return nil, fmt.Errorf("store: record %s: %w", b.ID, err)
		}
		if err := proto.Unmarshal(msg, b.Message); err != nil {
			return nil, fmt.Errorf("store: record %s: %w", b.ID, err)
		}
		out = append(out, b)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: bodies: %w", err)
	}
	return out, nil
}
