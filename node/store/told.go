package store

import (
	stdsql "database/sql"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/oplog"
)

// told is what headquarters said of own changes, by where they stand, as far as it was asked for at once. No entry: it was
// not; nil: nothing was said.
type told struct {
	outcome   map[int64]*wirev1.Outcome
	delivered map[int64][]string
}

const (
	// toldAtOnce is how many changes one statement asks about, toldStep what their number is rounded up to: a statement
	// for every length of a list would not be kept.
	toldAtOnce = 100
	toldStep   = 25
)

// records renders the rows of a list: what headquarters said of them is asked once for all, not row by row.
func (r *reader) records(rows []*row) ([]*branchlinev1.Record, error) {
	if err := r.foretell(rows); err != nil {
		return nil, err
	}
	out := make([]*branchlinev1.Record, 0, len(rows))
	for _, x := range rows {
		rec, err := r.record(x, false)
		if err != nil {
			return nil, err
		}
		out = append(out, rec)
	}
	return out, nil
}

// foretell asks what headquarters said of the last own changes of some rows.
func (r *reader) foretell(rows []*row) error {
	if r.told.outcome == nil {
		r.told = told{outcome: map[int64]*wirev1.Outcome{}, delivered: map[int64][]string{}}
	}
	changes := map[oplog.LifeNo][]any{}
	var stored []any
	for _, x := range rows {
		no, seq := oplog.SplitRowID(x.own)
		l := r.life(no)
		if _, known := r.told.outcome[x.own]; known || l == nil {
			continue
		}
		r.told.outcome[x.own] = nil
		changes[no] = append(changes[no], int64(seq))
		if max(l.Watermark, l.Folded) >= seq {
			r.told.delivered[x.own] = nil
			stored = append(stored, x.own)
		}
	}
	for no, seqs := range changes {
		for some := range slices.Chunk(seqs, toldAtOnce) {
			if err := r.outcomes(no, some); err != nil {
				return err
			}
		}
	}
	for some := range slices.Chunk(stored, toldAtOnce) {
		if err := r.deliveries(some); err != nil {
			return err
		}
	}
	return nil
}

// rounded adds NULLs to the arguments of a list, which nothing equals.
func rounded(list []any) []any {
	list = slices.Clone(list)
	for len(list)%toldStep != 0 {
		list = append(list, nil)
	}
	return list
}

func (r *reader) outcomes(no oplog.LifeNo, seqs []any) error {
	seqs = rounded(seqs)
	err := r.each(func(rows *stdsql.Rows) error {
		var id int64
		var raw stdsql.RawBytes
		if err := rows.Scan(&id, &raw); err != nil {
			return err
		}
		o := new(wirev1.Outcome)
		r.told.outcome[id] = o
		return proto.Unmarshal(raw, o)
	}, "SELECT ? | seq, raw FROM outcome WHERE inc = ? AND seq IN ("+marks(len(seqs))+")", append([]any{oplog.RowID(no, 0), int64(r.life(no).Inc)}, seqs...)...)
	if err != nil {
		return fmt.Errorf("store: outcomes: %w", err)
	}
	return nil
}

// deliveries is delivered of many changes.
func (r *reader) deliveries(changes []any) error {
	changes = rounded(changes)
	err := r.each(func(rows *stdsql.Rows) error {
		var id int64
		var branch string
		if err := rows.Scan(&id, &branch); err != nil {
			return err
		}
		r.told.delivered[id] = append(r.told.delivered[id], branch)
		return nil
	}, "WITH c(id, rev) AS MATERIALIZED (SELECT column1, ("+markOf("column1")+") FROM (VALUES "+strings.TrimSuffix(strings.Repeat("(?),", len(changes)), ",")+
		")) SELECT c.id, d.branch FROM c JOIN delivery d ON d.rev >= c.rev WHERE d.branch != ? ORDER BY c.id, d.branch", append(changes, string(r.branch))...)
	if err != nil {
		return fmt.Errorf("store: delivered: %w", err)
	}
	return nil
}

// markOf selects the rev at which headquarters had stored a change.
func markOf(change string) string {
	return "SELECT rev FROM mark WHERE id >= " + change + " AND id >> 40 = " + change + " >> 40 ORDER BY id LIMIT 1"
}
