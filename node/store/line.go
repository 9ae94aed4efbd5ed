package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
	"branchline/sync/oplog"
)

var _ link.BranchStore = (*Store)(nil)

// pruneStep bounds how many changes one receipt forgets, so that it stays short.
const pruneStep = 2000

// marksKept is how many receipts' revs are remembered for "who has it?".
const marksKept = 500

// Lives implements link.BranchStore.
func (s *Store) Lives(context.Context) ([]*wirev1.Life, error) {
	v := s.known.Load()
	out := make([]*wirev1.Life, 0, len(v.lives))
	for i := range v.lives {
		l := &v.lives[i]
		w := &wirev1.Life{
			Incarnation: int64(l.Inc), Certificate: l.Certificate, LastSeq: int64(l.Seq), PruneCut: int64(l.PruneCut),
			Former: l.Former, Restored: v.id.Restored && !l.Former,
		}
		if l.Seq > 0 {
			w.LastChain = bytes.Clone(l.Chain[:])
		}
		if l.PruneCut > 0 {
			w.PruneChain = bytes.Clone(l.PruneChain[:])
		}
		out = append(out, w)
	}
	return out, nil
}

// Outgoing implements link.BranchStore.
func (s *Store) Outgoing(ctx context.Context, inc schema.Incarnation, after schema.Seq, n, size int) (schema.Hash, []schema.Sealed, error) {
	v := s.known.Load()
	l := v.life(inc)
	if l == nil {
		return schema.Hash{}, nil, fmt.Errorf("store: incarnation %s is not kept here: %w", inc, schema.ErrNotFound)
	}
	// What is committed but not yet told is left for the next call: after a change
	// the view does not know, nothing could be read.
	n = int(min(schema.Seq(n), max(0, l.Seq-after)))
	if after == l.Seq {
		return l.Chain, nil, nil
	}
	if before, out := v.outgoing(inc, after, n, size); len(out) > 0 {
		return before, out, nil
	}
	before, rows, err := oplog.Read(ctx, s.db.R, l, v.id.Branch, after, n, size)
	if err != nil {
		return schema.Hash{}, nil, err
	}
	out := make([]schema.Sealed, len(rows))
	for i := range rows {
		out[i] = rows[i].Sealed
	}
	return before, out, nil
}

// outgoing is Outgoing of what is in memory; nothing when what comes after is not.
func (v *view) outgoing(inc schema.Incarnation, after schema.Seq, n, size int) (before schema.Hash, out []schema.Sealed) {
	for _, f := range v.recent {
		if f.ID.Inc != inc || f.ID.Seq != after+schema.Seq(len(out))+1 {
			continue
		}
		if size -= len(f.Payload); len(out) == n || size < 0 && len(out) > 0 {
			break
		}
		if len(out) == 0 {
			before = f.Before
		}
		out = append(out, f.Sealed)
	}
	return before, out
}

// ChainAt implements link.BranchStore.
func (s *Store) ChainAt(ctx context.Context, inc schema.Incarnation, seq schema.Seq) (schema.Hash, bool, error) {
	l := s.known.Load().life(inc)
	if l == nil {
		return schema.Hash{}, false, nil
	}
	return oplog.ChainAt(ctx, s.db.R, l, seq)
}

// AtDoor implements link.BranchStore.
func (s *Store) AtDoor(inc schema.Incarnation, seq schema.Seq) {
	s.hub.mu.Lock()
	moved := s.door[inc] != seq
	s.door[inc] = seq
	s.hub.mu.Unlock()
	if moved {
		s.hub.publish(Event{Line: true})
	}
}

func (s *Store) doorOf(inc schema.Incarnation) schema.Seq {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	return s.door[inc]
}

// Receive implements link.BranchStore.
func (s *Store) Receive(ctx context.Context, r *wirev1.Receipt, signed []byte) error {
	return s.write(ctx, func(w *writer) error {
		l := w.m.life(schema.Incarnation(r.GetIncarnation()))
		if l == nil {
			return fmt.Errorf("store: receipt for incarnation %s: %w", schema.Incarnation(r.GetIncarnation()), schema.ErrNotFound)
		}
		w.touched = true
		mark := schema.Seq(r.GetWatermark())
		epoch := schema.EpochID(r.GetEpoch())
		if mark > l.Seq {
			return fmt.Errorf("store: receipt names change %d of %s, the last is %d: %w", mark, l.Inc, l.Seq, schema.ErrConflict)
		}
		if mark < l.Watermark && epoch == l.Epoch {
			return nil // older than what is known
		}
		if mark < l.Watermark {
			if err := w.unrule(l, mark); err != nil {
				return err
			}
		}
		l.Watermark, l.Epoch, l.Receipt = mark, epoch, signed
		l.Forget = max(l.Forget, schema.Seq(r.GetForgetBelow()))
		if _, err := w.exec("UPDATE life SET watermark = $1, epoch = $2, receipt = $3, forget = $4 WHERE no = $5", int64(mark), int64(epoch), signed, int64(l.Forget), int64(l.No)); err != nil {
			return fmt.Errorf("store: receipt: %w", err)
		}
		if err := w.noteMark(l, mark, r); err != nil {
			return err
		}
		if err := w.rule(l, r.GetRulings()); err != nil {
			return err
		}
		if err := w.prune(l); err != nil {
			return err
		}
		if rev := r.GetRev(); epoch == w.m.epoch {
			if err := w.metaSetInt(metaHQRev, rev); err != nil {
				return err
			}
		}
		w.event.Line = true
		return nil
	})
}

// noteMark keeps the rev by which HQ had stored everything up to the watermark.
func (w *writer) noteMark(l *oplog.Life, mark schema.Seq, r *wirev1.Receipt) error {
	if mark == 0 {
		return nil
	}
	id := oplog.RowID(l.No, mark)
	if _, err := w.exec("INSERT INTO mark (id, epoch, rev, at) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, rev = excluded.rev", id, r.GetEpoch(), r.GetRev(), w.now()); err != nil {
		return fmt.Errorf("store: mark: %w", err)
	}
	if _, err := w.exec("DELETE FROM mark WHERE id < coalesce((SELECT id FROM mark ORDER BY id DESC LIMIT 1 OFFSET $1), 0)", marksKept); err != nil {
		return fmt.Errorf("store: mark: %w", err)
	}
	return nil
}

// rule keeps HQ's rulings and shows the pending changes they are about under the
// ruled times. The clock counts on from the ruled time of the last change.
func (w *writer) rule(l *oplog.Life, runs []*wirev1.RulingRun) error {
	touched := map[int64]bool{}
	for _, run := range runs {
		if schema.Incarnation(run.GetIncarnation()) != l.Inc {
			continue
		}
		first, last := schema.Seq(run.GetFirstSeq()), min(schema.Seq(run.GetLastSeq()), l.Seq)
		if first < 1 || last < first {
			continue
		}
		if _, err := w.exec("INSERT INTO ruling (inc, first, last, first_at) VALUES ($1, $2, $3, $4) ON CONFLICT (inc, first) DO UPDATE SET last = excluded.last, first_at = excluded.first_at",
			int64(l.Inc), run.GetFirstSeq(), run.GetLastSeq(), int64(run.GetFirstAt())); err != nil {
			return fmt.Errorf("store: ruling: %w", err)
		}
		from, to := oplog.RowID(l.No, first), oplog.RowID(l.No, last)
		if _, err := w.exec("UPDATE change SET at = $1 + (id - $2) WHERE id BETWEEN $2 AND $3", int64(run.GetFirstAt()), from, to); err != nil {
			return fmt.Errorf("store: ruling: %w", err)
		}
		if last == l.Seq {
			l.At = schema.Tick(run.GetFirstAt()) + schema.Tick(last-first)
			if l == w.m.current() {
				w.s.clk.Reset(l.At)
			}
		}
		if err := w.pendingIn(touched, from, to); err != nil {
			return err
		}
	}
	return w.refoldAll(touched)
}

// pendingIn adds the records on which changes between two rows are pending.
func (w *writer) pendingIn(touched map[int64]bool, from, to int64) error {
	ns, err := w.ints("SELECT DISTINCT n FROM pending WHERE id BETWEEN $1 AND $2", from, to)
	for _, n := range ns {
		touched[n] = true
	}
	return err
}

func (w *writer) refoldAll(touched map[int64]bool) error {
	for n := range touched {
		if err := w.refold(n); err != nil {
			return err
		}
	}
	return nil
}

// unrule gives changes above mark the times they were made with: an HQ that was
// put back has lost what it ruled about them, and its clock may be another now.
func (w *writer) unrule(l *oplog.Life, mark schema.Seq) error {
	ids, err := w.ints(`SELECT c.id FROM change c JOIN ruling r ON r.inc = $1 AND c.id BETWEEN $2 + r.first AND $2 + r.last WHERE c.id > $2 + $3 AND c.payload IS NOT NULL`,
		int64(l.Inc), oplog.RowID(l.No, 0), int64(mark))
	if err != nil || len(ids) == 0 {
		return err
	}
	for _, q := range []string{"DELETE FROM ruling WHERE inc = $1 AND first > $2", "UPDATE ruling SET last = $2 WHERE inc = $1 AND last > $2"} {
		if _, err := w.exec(q, int64(l.Inc), int64(mark)); err != nil {
			return fmt.Errorf("store: ruling: %w", err)
		}
	}
	touched := map[int64]bool{}
	for _, id := range ids {
		_, b, err := w.change(id)
		if err != nil {
			return err
		}
		at := schema.Tick(b.GetAt())
		if _, err := w.exec("UPDATE change SET at = $1 WHERE id = $2", int64(at), id); err != nil {
			return fmt.Errorf("store: ruling: %w", err)
		}
		w.s.clk.Observe(at)
		if id == oplog.RowID(l.No, l.Seq) {
			l.At = at
		}
		if err := w.pendingIn(touched, id, id); err != nil {
			return err
		}
	}
	return w.refoldAll(touched)
}

func (w *writer) ints(query string, args ...any) ([]int64, error) {
	rows, err := w.tx.QueryContext(w.ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	defer rows.Close()
	var out []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		out = append(out, n)
	}
	return out, rows.Err()
}

// prune forgets changes that HQ lets go and that a full page has worked into their
// records. What is still shown or waited for by itself is set aside first: it may be
// so for ever, as a refused record that nobody puts right, and holds up nothing.
func (w *writer) prune(l *oplog.Life) error {
	cut := min(l.Forget-1, l.Folded, l.Watermark, l.PruneCut+pruneStep)
	if cut <= l.PruneCut {
		return nil
	}
	w.touched = true
	if err := w.setAside(l, cut); err != nil {
		return err
	}
	if err := w.noteGiven(l, cut); err != nil {
		return err
	}
	cut, err := oplog.Prune(w.ctx, w.tx, l, cut, pruneStep)
	if err != nil || cut == l.PruneCut {
		return err
	}
	lives, err := oplog.Lives(w.ctx, w.tx)
	if err != nil {
		return err
	}
	w.m.lives = lives
	return nil
}

// setAside keeps what is pending or sealed among changes about to be forgotten, and
// lets go what was kept so and is neither any more.
func (w *writer) setAside(l *oplog.Life, cut schema.Seq) error {
	from, to := oplog.RowID(l.No, l.PruneCut), oplog.RowID(l.No, cut)
	ids, err := w.ints("SELECT id FROM pending WHERE id > $1 AND id <= $2 UNION SELECT id FROM sealed WHERE id > $1 AND id <= $2", from, to)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := oplog.SetAside(w.ctx, w.tx, id); err != nil {
			return err
		}
	}
	if _, err := w.exec("DELETE FROM aside WHERE NOT EXISTS (SELECT 1 FROM pending p WHERE p.id = aside.id) AND NOT EXISTS (SELECT 1 FROM sealed s WHERE s.id = aside.id)"); err != nil {
		return fmt.Errorf("store: set aside: %w", err)
	}
	return nil
}

// noteGiven keeps what nothing but a change tells of: a home that was given away.
func (w *writer) noteGiven(l *oplog.Life, cut schema.Seq) error {
	_, rows, err := oplog.Read(w.ctx, w.tx, l, w.m.id.Branch, l.PruneCut, int(cut-l.PruneCut), 1<<30)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if r.Erased() {
			continue
		}
		b, err := r.Body()
		if err != nil || b.GetNewHome() == "" {
			continue // what cannot be read now, could not be offered either
		}
		s := oplog.StampOf(r, b)
		if _, err := w.exec("INSERT INTO given (record, kind, home, edit_inc, edit_seq, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
			r.Record[:], int64(b.GetKind()), b.GetNewHome(), int64(s.Inc), int64(s.Seq), int64(s.At)); err != nil {
			return fmt.Errorf("store: homes given away: %w", err)
		}
	}
	return nil
}

// Receipts implements link.BranchStore.
func (s *Store) Receipts(context.Context) ([][]byte, error) {
	var out [][]byte
	for _, l := range s.known.Load().lives {
		if l.Receipt != nil {
			out = append(out, l.Receipt)
		}
	}
	return out, nil
}

// Cursors implements link.BranchStore.
func (s *Store) Cursors(ctx context.Context) ([]*wirev1.Cursor, error) {
	rows, err := s.db.R.QueryContext(ctx, "SELECT epoch, rev FROM cursor ORDER BY no DESC LIMIT 16")
	if err != nil {
		return nil, fmt.Errorf("store: cursors: %w", err)
	}
	defer rows.Close()
	var out []*wirev1.Cursor
	for rows.Next() {
		c := new(wirev1.Cursor)
		if err := rows.Scan(&c.Epoch, &c.Rev); err != nil {
			return nil, fmt.Errorf("store: cursors: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// SetCursor implements link.BranchStore.
func (s *Store) SetCursor(ctx context.Context, c *wirev1.Cursor) error {
	return s.write(ctx, func(w *writer) error { return w.setCursor(c.GetEpoch(), c.GetRev()) })
}

func (w *writer) setCursor(epoch, rev int64) error {
	var e, r int64
	err := w.tx.QueryRowContext(w.ctx, "SELECT epoch, rev FROM cursor ORDER BY no DESC LIMIT 1").Scan(&e, &r)
	if err == nil && e == epoch && r == rev {
		return nil
	}
	if _, err := w.exec("INSERT INTO cursor (epoch, rev) VALUES ($1, $2)", epoch, rev); err != nil {
		return fmt.Errorf("store: cursor: %w", err)
	}
	if _, err := w.exec("DELETE FROM cursor WHERE no <= (SELECT max(no) FROM cursor) - 16"); err != nil {
		return fmt.Errorf("store: cursor: %w", err)
	}
	return nil
}

// SaveSite implements link.BranchStore.
func (s *Store) SaveSite(ctx context.Context, site link.Site) error {
	return s.write(ctx, func(w *writer) error {
		w.touched = true
		set := func(key string, v []byte) error {
			if len(v) == 0 {
				return nil
			}
			return w.metaSet(key, v)
		}
		if err := errors.Join(set(metaEntity, []byte(site.Entity)), set(metaHQKey, []byte(site.HQKey)), set(metaIDKey, site.IDKey),
			w.metaSetInt(metaEpoch, int64(site.Epoch)), w.metaSetInt(metaHQRev, int64(site.HQRev))); err != nil {
			return err
		}
		w.event.Line = true
		return s.load(w.ctx, w.tx)
	})
}

// Outcomes are the outcomes other than applied and no-change that a person should
// look at, newest first.
func (s *Store) Outcomes(ctx context.Context, limit int) ([]*wirev1.Outcome, error) {
	rows, err := s.db.R.QueryContext(ctx, "SELECT raw FROM outcome WHERE kind IN ("+lookAtKinds+") ORDER BY rev DESC LIMIT $1", limit)
	if err != nil {
		return nil, fmt.Errorf("store: outcomes: %w", err)
	}
	defer rows.Close()
	var out []*wirev1.Outcome
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, fmt.Errorf("store: outcomes: %w", err)
		}
		o := new(wirev1.Outcome)
		if err := proto.Unmarshal(raw, o); err != nil {
			return nil, fmt.Errorf("store: outcomes: %w", err)
		}
		out = append(out, o)
	}
	return out, rows.Err()
}
