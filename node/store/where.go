package store

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/oplog"
)

// where tells how far an own change has got (DESIGN §12.8). x is its record, nil
// when it is not in hand.
func (r *reader) where(change int64, x *row) (*branchlinev1.Where, error) {
	no, seq := oplog.SplitRowID(change)
	l := r.life(no)
	if l == nil {
		// Its incarnation is not kept any more: everything of it is at HQ.
		return &branchlinev1.Where{State: branchlinev1.WhereState_COMMITTED, Outcome: branchlinev1.ChangeOutcome_CHANGE_APPLIED}, nil
	}
	out := &branchlinev1.Where{State: branchlinev1.WhereState_SAVED, Change: schema.ChangeID{Branch: r.branch, Inc: l.Inc, Seq: seq}.String()}
	if r.s.doorOf(l.Inc) >= seq {
		out.State = branchlinev1.WhereState_AT_DOOR
	}
	o, known := r.told.outcome[change]
	if !known {
		var err error
		if o, err = r.outcome(l.Inc, seq); err != nil {
			return nil, err
		}
	}
	if o == nil && max(l.Watermark, l.Folded) < seq {
		return out, nil
	}
	out.State, out.Outcome = branchlinev1.WhereState_COMMITTED, branchlinev1.ChangeOutcome_CHANGE_APPLIED
	if o != nil {
		judge(out, o)
	}
	switch out.Outcome {
	case branchlinev1.ChangeOutcome_CHANGE_APPLIED, branchlinev1.ChangeOutcome_CHANGE_OVERRIDDEN:
		if err := r.contest(out, l, seq, x); err != nil {
			return nil, err
		}
	case branchlinev1.ChangeOutcome_CHANGE_OVERDRAWN: // applied; what is said of it stands
	default:
		return out, nil
	}
	var err error
	if out.Delivered, err = r.delivered(change); err != nil {
		return nil, err
	}
	if len(out.Delivered) > 0 {
		out.State = branchlinev1.WhereState_DELIVERED
	}
	return out, nil
}

func (r *reader) outcome(inc schema.Incarnation, seq schema.Seq) (*wirev1.Outcome, error) {
	raws, err := r.blobs("SELECT raw FROM outcome WHERE inc = $1 AND seq = $2", int64(inc), int64(seq))
	if err != nil || len(raws) == 0 {
		return nil, err
	}
	o := new(wirev1.Outcome)
	if err := proto.Unmarshal(raws[0], o); err != nil {
		return nil, fmt.Errorf("store: outcome: %w", err)
	}
	return o, nil
}

func (r *reader) blobs(query string, args ...any) ([][]byte, error) {
	rows, err := r.tx.QueryContext(r.ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer rows.Close()
	var out [][]byte
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		out = append(out, b)
	}
	return out, rows.Err()
}

// judge writes an outcome into a Where. The numbers of the outcomes are those of
// the API, one by one.
func judge(out *branchlinev1.Where, o *wirev1.Outcome) {
	out.Outcome = branchlinev1.ChangeOutcome(o.GetKind())
	out.Reason = o.GetReason()
	if o.GetKind() == wirev1.OutcomeKind_WAITS && out.Reason == "" {
		out.Reason = fmt.Sprintf("waits for change %d", o.GetWaitsFor())
	}
}

// delivered are the branches that have confirmed the feed up to a rev at which
// HQ had stored the change: whichever of them may hold the record has it.
func (r *reader) delivered(change int64) ([]string, error) {
	if list, known := r.told.delivered[change]; known {
		return list, nil
	}
	rows, err := r.tx.QueryContext(r.ctx, "SELECT branch FROM delivery WHERE branch != $1 AND rev >= ("+markOf("$2")+") ORDER BY branch", string(r.branch), change)
	if err != nil {
		return nil, fmt.Errorf("store: delivered: %w", err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var b string
		if err := rows.Scan(&b); err != nil {
			return nil, fmt.Errorf("store: delivered: %w", err)
		}
		out = append(out, b)
	}
	return out, rows.Err()
}

// Where tells how far the change, or the last own change of the record, has got.
// name is a change's id or a record's name. ErrNotFound when this branch never
// wrote it. A record that only others wrote is nowhere: the state is unspecified.
func (s *Store) Where(ctx context.Context, name string) (*branchlinev1.Where, error) {
	var out *branchlinev1.Where
	err := s.reading(ctx, func(r *reader) error {
		id, err := r.changeOf(name)
		if err != nil {
			return err
		}
		if id == 0 {
			out = &branchlinev1.Where{}
			return nil
		}
		out, err = r.where(id, nil)
		return err
	})
	return out, err
}

// changeOf is the row id of the change named, or of the record's last own change.
func (r *reader) changeOf(name string) (int64, error) {
	if c, err := schema.ParseChangeID(name); err == nil {
		l := r.lifeOf(c.Inc)
		if c.Branch != r.branch || l == nil || c.Seq > l.Seq {
			return 0, fmt.Errorf("store: change %s was not made here: %w", c, schema.ErrNotFound)
		}
		return oplog.RowID(l.No, c.Seq), nil
	}
	k, id, err := schema.ParseName(name)
	if err != nil {
		return 0, err
	}
	x, err := r.row(id)
	if err != nil {
		return 0, err
	}
	if x.kind.Kind != k {
		return 0, fmt.Errorf("store: %s: %w", name, schema.ErrNotFound)
	}
	return x.own, nil
}

// WaitWhere is Where once the state is reached or passed, or a final outcome was
// given, at the latest when ctx ends: then it is Where as it stands.
func (s *Store) WaitWhere(ctx context.Context, name string, state branchlinev1.WhereState) (*branchlinev1.Where, error) {
	watch := s.Changes()
	defer watch.Close()
	for {
		w, err := s.Where(context.WithoutCancel(ctx), name)
		if err != nil || w.GetState() >= state || settled(w.GetOutcome()) {
			return w, err
		}
		if _, err := watch.Next(ctx); err != nil {
			if errors.Is(err, schema.ErrUnavailable) {
				return w, err
			}
			return w, nil // time is up
		}
	}
}

// settled tells whether an outcome can get no further by waiting for the line.
func settled(o branchlinev1.ChangeOutcome) bool {
	switch o {
	case branchlinev1.ChangeOutcome_CHANGE_REFUSED, branchlinev1.ChangeOutcome_CHANGE_DISCARDED, branchlinev1.ChangeOutcome_CHANGE_PARKED,
		branchlinev1.ChangeOutcome_CHANGE_QUARANTINED, branchlinev1.ChangeOutcome_CHANGE_WAITS:
		return true
	}
	return false
}

// Trace are the rooms a change has passed, oldest first.
func (s *Store) Trace(ctx context.Context, name string) ([]*branchlinev1.TraceStep, error) {
	var out []*branchlinev1.TraceStep
	err := s.reading(ctx, func(r *reader) error {
		id, err := r.changeOf(name)
		if err != nil || id == 0 {
			return err
		}
		out, err = r.trace(id)
		return err
	})
	return out, err
}

func (r *reader) trace(id int64) ([]*branchlinev1.TraceStep, error) {
	no, seq := oplog.SplitRowID(id)
	l := r.life(no)
	if l == nil {
		return nil, nil
	}
	var out []*branchlinev1.TraceStep
	step := func(room string, at int64, format string, args ...any) {
		out = append(out, &branchlinev1.TraceStep{Room: room, At: at, Text: fmt.Sprintf(format, args...)})
	}
	c, err := oplog.One(r.ctx, r.tx, l, r.branch, seq)
	switch {
	case errors.Is(err, schema.ErrNotFound):
		step("store", 0, "change %d of %s: saved here, forgotten since", seq, l.Inc)
	case err != nil:
		return nil, err
	default:
		step("store", c.At.UnixMilli(), "saved as change %s, chain %s", c.ID, c.Chain)
	}
	if r.s.doorOf(l.Inc) >= seq || l.Watermark >= seq {
		step("link", 0, "at HQ's door")
	}
	if l.Watermark >= seq {
		var at, rev int64
		err := r.tx.QueryRowContext(r.ctx, "SELECT at, rev FROM mark WHERE id >= $1 AND id >> 40 = $1 >> 40 ORDER BY id LIMIT 1", id).Scan(&at, &rev)
		switch {
		case errors.Is(err, stdsql.ErrNoRows):
			step("inbox", 0, "stored at HQ (watermark %d)", l.Watermark)
		case err != nil:
			return nil, fmt.Errorf("store: trace: %w", err)
		default:
			step("inbox", at, "stored at HQ by rev %d (receipt came)", rev)
		}
	}
	w, err := r.where(id, nil)
	if err != nil {
		return nil, err
	}
	if w.GetOutcome() != 0 {
		step("merge", 0, "%s %s", w.GetOutcome(), w.GetReason())
	}
	if l.Folded >= seq {
		step("feed", 0, "worked into HQ's record here by a full page")
	}
	for _, b := range w.GetDelivered() {
		step("branch", 0, "confirmed by %s", b)
	}
	return out, nil
}

// Line is what the database says of the line, for pages and commands.
type Line struct {
	Identity    Identity
	Incarnation schema.Incarnation
	LastSeq     schema.Seq
	Door        schema.Seq
	Watermark   schema.Seq
	Folded      schema.Seq
	Cursor      schema.Rev
	Epoch       schema.EpochID
	HQRev       schema.Rev
	Records     int64 // of a branch that has very many, as it was in the last ten seconds
	LookAt      int64 // own changes a person should look at: with an outcome, or that lost to a later value
	Quarantined int64 // own changes that HQ keeps but could not apply
	Pending     int64 // own changes not yet part of their records' bases
	FullPass    bool
}

// Unsent is how many own changes are not known to be at HQ's door.
func (l *Line) Unsent() int64 { return int64(l.LastSeq - max(l.Door, l.Watermark)) }

// Line reads the state of the line.
func (s *Store) Line(ctx context.Context) (Line, error) {
	var out Line
	err := s.reading(ctx, func(r *reader) error {
		var err error
		if out.Identity, err = readIdentity(ctx, r.tx); err != nil {
			return err
		}
		if len(r.lives) > 0 {
			l := &r.lives[0]
			out.Incarnation, out.LastSeq, out.Watermark, out.Folded = l.Inc, l.Seq, l.Watermark, l.Folded
			out.Door = max(s.doorOf(l.Inc), l.Watermark)
		}
		rev, err := metaInt(ctx, r.tx, metaHQRev)
		if err != nil {
			return err
		}
		epoch, err := metaInt(ctx, r.tx, metaEpoch)
		if err != nil {
			return err
		}
		full, err := metaInt(ctx, r.tx, metaFull)
		if err != nil {
			return err
		}
		out.HQRev, out.Epoch, out.FullPass = schema.Rev(rev), schema.EpochID(epoch), full != 0
		if out.Records, err = s.held.count(r); err != nil {
			return err
		}
		return r.tx.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM pending WHERE held <> 2), (SELECT count(*) FROM (`+lookAtQuery+`)), (SELECT count(*) FROM outcome WHERE kind = 7),
			coalesce((SELECT rev FROM cursor ORDER BY no DESC LIMIT 1), 0)`).Scan(&out.Pending, &out.LookAt, &out.Quarantined, &out.Cursor)
	})
	return out, err
}

// tally is how many records there are. Every page asks, and to count two million takes as long as to make a page: then
// they are counted every ten seconds.
type tally struct {
	mu sync.Mutex
	n  int64
	at time.Time
}

const (
	veryMany = 100_000
	tallyAge = 10 * time.Second
)

func (t *tally) count(r *reader) (int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := r.s.cfg.Now()
	if age := now.Sub(t.at); t.n >= veryMany && age >= 0 && age < tallyAge {
		return t.n, nil
	}
	if err := r.tx.QueryRowContext(r.ctx, "SELECT count(*) FROM record").Scan(&t.n); err != nil {
		t.n = 0
		return 0, fmt.Errorf("store: count records: %w", err)
	}
	t.at = now
	return t.n, nil
}

// WaitLimit is the longest a caller may wait for a state.
const WaitLimit = time.Minute
