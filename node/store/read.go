package store

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
	"branchline/sync/edit"
	"branchline/sync/merge"
	"branchline/sync/oplog"
)

// reader is one snapshot in hand, with what rendering records asks for again and again.
type reader struct {
	ctx    context.Context
	tx     *stdsql.Tx
	s      *Store
	branch schema.BranchID
	lives  []oplog.Life
	lost   map[int64]bool // see losers
	told   told
	seen   seen
}

func (s *Store) reading(ctx context.Context, f func(r *reader) error) error {
	return s.read(ctx, func(ctx context.Context, tx *stdsql.Tx) error {
		v := s.known.Load()
		return f(&reader{ctx: ctx, tx: tx, s: s, branch: v.id.Branch, lives: v.lives})
	})
}

func (r *reader) life(no oplog.LifeNo) *oplog.Life {
	for i := range r.lives {
		if r.lives[i].No == no {
			return &r.lives[i]
		}
	}
	return nil
}

func (r *reader) lifeOf(inc schema.Incarnation) *oplog.Life {
	for i := range r.lives {
		if r.lives[i].Inc == inc {
			return &r.lives[i]
		}
	}
	return nil
}

// Get is a record as pages show it: body, etag, sources with what lost, home,
// where its last own change is, and the group it belongs to. ErrNotFound when it
// is not held here.
func (s *Store) Get(ctx context.Context, id schema.RecordID) (*branchlinev1.Record, error) {
	var out *branchlinev1.Record
	err := s.reading(ctx, func(r *reader) error {
		row, err := r.row(id)
		if err != nil {
			return err
		}
		out, err = r.record(row, true)
		return err
	})
	return out, err
}

func (r *reader) row(id schema.RecordID) (*row, error) {
	if x, known := r.seen.rows[id]; known {
		if x == nil {
			return nil, fmt.Errorf("store: record %s is not held here: %w", id, schema.ErrNotFound)
		}
		return x, nil
	}
	x, err := scanRow(r.tx.QueryRowContext(r.ctx, "SELECT "+rowColumns+" FROM record WHERE id = $1", id[:]))
	if errors.Is(err, stdsql.ErrNoRows) {
		return nil, fmt.Errorf("store: record %s is not held here: %w", id, schema.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("store: get %s: %w", id, err)
	}
	return x, nil
}

// Record renders a new record from what is in hand: as Get would, without
// reading. It is nil when the result is of anything else than a plain create.
func (r Result) Record() (*branchlinev1.Record, error) {
	switch {
	case r.made == nil:
		return nil, nil
	case r.answer != nil:
		<-r.answer.done
		return r.answer.record, r.answer.err
	}
	return r.render()
}

// answer is a record on its way to being shown.
type answer struct {
	done   chan struct{}
	record *branchlinev1.Record
	err    error
}

// prepare has the record made meanwhile.
func (r *Result) prepare() {
	a := &answer{done: make(chan struct{})}
	of := *r
	r.answer = a
	go func() {
		defer close(a.done)
		a.record, a.err = of.render()
	}()
}

func (r Result) render() (*branchlinev1.Record, error) {
	st, err := merge.Decode(r.made.shown)
	if err != nil {
		return nil, fmt.Errorf("store: record %s: %w", r.ID, err)
	}
	out, err := edit.Show(r.made.kind, st)
	if err != nil {
		return nil, fmt.Errorf("store: record %s: %w", r.ID, err)
	}
	for _, src := range out.GetSources() {
		src.Actor = r.actor
	}
	out.Name, out.Home, out.CreateTime = schema.ResourceName(r.made.kind.Kind, r.ID), string(r.made.home), r.ID.Time().UnixMilli()
	out.Where = &branchlinev1.Where{State: branchlinev1.WhereState_SAVED, Change: r.Change.String()}
	return out, nil
}

// record renders a row. whole adds who wrote each own value and the group.
func (r *reader) record(x *row, whole bool) (*branchlinev1.Record, error) {
	st, err := merge.Decode(x.shown)
	if err != nil {
		return nil, fmt.Errorf("store: record %s: %w", x.id, err)
	}
	out, err := edit.Show(x.kind, st)
	if err != nil {
		return nil, fmt.Errorf("store: record %s: %w", x.id, err)
	}
	if err := r.dress(out, x); err != nil {
		return nil, err
	}
	if !whole {
		return out, nil
	}
	if err := r.markKept(out, x); err != nil {
		return nil, err
	}
	if err := r.actors(out); err != nil {
		return nil, err
	}
	members, err := r.group(x.id)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		out.Group = append(out.Group, schema.ResourceName(x.kind.Kind, m))
	}
	return out, nil
}

// dress adds what stands in the row.
func (r *reader) dress(out *branchlinev1.Record, x *row) error {
	out.Name = schema.ResourceName(x.kind.Kind, x.id)
	out.Home = string(x.home)
	out.CreateTime = x.id.Time().UnixMilli()
	out.Shared = x.shared
	if x.own != 0 {
		var err error
		if out.Where, err = r.where(x.own, x); err != nil {
			return err
		}
	}
	return nil
}

// actors adds who wrote the values of own changes that are still in the log.
func (r *reader) actors(out *branchlinev1.Record) error {
	seen := map[string]string{}
	for _, src := range out.GetSources() {
		if src.GetBranch() != string(r.branch) {
			continue
		}
		who, ok := seen[src.GetChange()]
		if !ok {
			id, err := schema.ParseChangeID(src.GetChange())
			if err != nil {
				return err
			}
			if who, err = r.actor(id, src.GetAt()); err != nil {
				return err
			}
			seen[src.GetChange()] = who
		}
		src.Actor = who
	}
	return nil
}

// actor is the staff code in an own change; "" when it is not in the log (any
// more), or not of this time (unix ms, 0: of any).
func (r *reader) actor(id schema.ChangeID, at int64) (string, error) {
	l := r.lifeOf(id.Inc)
	if l == nil || id.Branch != r.branch {
		return "", nil
	}
	c, err := oplog.One(r.ctx, r.tx, l, r.branch, id.Seq)
	if errors.Is(err, schema.ErrNotFound) {
		return "", nil
	}
	if err != nil || c.Erased() {
		return "", err
	}
	if at != 0 && c.At.UnixMilli() != at {
		return "", nil // another change under this id: the value came with another copy of its edit
	}
	b, err := c.Body()
	if err != nil {
		return "", err
	}
	return b.GetActor(), nil
}

// Actor is the staff code of who made an own change; "" when it is not known here.
func (s *Store) Actor(ctx context.Context, id schema.ChangeID) (string, error) {
	var out string
	err := s.reading(ctx, func(r *reader) error {
		var err error
		out, err = r.actor(id, 0)
		return err
	})
	return out, err
}

func scanIDs(rows *stdsql.Rows) ([]schema.RecordID, error) {
	defer rows.Close()
	var out []schema.RecordID
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		id, err := schema.RecordIDFromBytes(b)
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// State is a record's shown state and kind, for code that folds by itself.
func (s *Store) State(ctx context.Context, id schema.RecordID) (*schema.KindInfo, *merge.State, error) {
	var k *schema.KindInfo
	var st *merge.State
	err := s.reading(ctx, func(r *reader) error {
		x, err := r.row(id)
		if err != nil {
			return err
		}
		k = x.kind
		st, err = merge.Decode(x.shown)
		return err
	})
	return k, st, err
}

// BySource finds a record by its number in another system; false if it is not held here.
func (s *Store) BySource(ctx context.Context, k schema.Kind, source, id string) (schema.RecordID, bool, error) {
	return bySource(ctx, s.db.R, k, source, id)
}

func bySource(ctx context.Context, q oplog.Querier, k schema.Kind, source, id string) (schema.RecordID, bool, error) {
	var b []byte
	err := q.QueryRowContext(ctx, "SELECT r.id FROM term t JOIN record r ON r.n = t.n WHERE t.k = $1 ORDER BY r.id LIMIT 1", index.SourceTerm(k, source, id)).Scan(&b)
	if errors.Is(err, stdsql.ErrNoRows) {
		return schema.RecordID{}, false, nil
	}
	if err != nil {
		return schema.RecordID{}, false, fmt.Errorf("store: by source: %w", err)
	}
	rid, err := schema.RecordIDFromBytes(b)
	return rid, err == nil, err
}
