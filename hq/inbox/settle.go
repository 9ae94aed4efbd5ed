package inbox

import (
	"context"
	stdsql "database/sql"
	"fmt"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// open tells whether an outcome is one somebody must still settle; blocks
// whether later changes to the record wait for it.
func open(k wirev1.OutcomeKind) bool {
	return blocks(k) || k == wirev1.OutcomeKind_REFUSED_CHANGE
}

func blocks(k wirev1.OutcomeKind) bool {
	return k == wirev1.OutcomeKind_QUARANTINED || k == wirev1.OutcomeKind_PARKED || k == wirev1.OutcomeKind_WAITS
}

// setOutcome writes what became of a change and tells its author.
func (r *run) setOutcome(it *item, v verdict, waitsFor schema.Seq, fields []int32) error {
	var sealed, record []byte
	if open(v.kind) {
		sealed = it.sealed.Append(nil)
	}
	if b := it.body.GetRecord(); len(b) == 16 {
		record = b
	}
	var list []byte
	for _, f := range fields {
		list = append(list, byte(f>>8), byte(f))
	}
	reason := v.reason
	if len(reason) > 500 {
		reason = reason[:500]
	}
	var n int64
	if _, err := r.w.Scan(`INSERT INTO outcome (inc, seq, branch, kind, reason, waits_for, fields, rkind, record, sealed, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (inc, seq) DO UPDATE SET kind = excluded.kind, reason = excluded.reason, waits_for = excluded.waits_for,
			fields = excluded.fields, sealed = excluded.sealed, at = excluded.at RETURNING n`,
		[]any{
			int64(it.id.Inc), int64(it.id.Seq), it.branch.Num, int(v.kind), reason, int64(waitsFor), list,
			int64(it.body.GetKind()), record, sealed, r.now.UnixMilli(),
		}, &n); err != nil {
		return err
	}
	if blocks(v.kind) && record != nil {
		m, err := r.blocked(it.id.Inc)
		if err != nil {
			return err
		}
		head := it.id.Seq
		if waitsFor != 0 {
			head = waitsFor
		}
		if m[schema.RecordID(record)] == 0 {
			m[schema.RecordID(record)] = head
		}
	}
	return r.i.scope.Outcome(r.w, it.branch.Num, n)
}

// waiting is an outcome that may be judged again.
type waiting struct {
	id     schema.ChangeID
	branch *store.Branch
	record []byte
	sealed schema.Sealed
}

func (r *run) waitingWhere(where string, args ...any) ([]*waiting, error) {
	var out []*waiting
	err := r.w.Each("SELECT inc, seq, branch, record, sealed FROM outcome WHERE "+where+" ORDER BY inc, seq", args, func(rows *stdsql.Rows) error {
		x := new(waiting)
		var branch int32
		var sealed []byte
		if err := rows.Scan(&x.id.Inc, &x.id.Seq, &branch, &x.record, &sealed); err != nil {
			return fmt.Errorf("hq/inbox: read outcomes: %w", err)
		}
		x.branch = r.w.BranchNum(branch)
		x.id.Branch = x.branch.Code
		var err error
		if x.sealed, _, err = schema.ParseSealed(sealed); err != nil {
			return fmt.Errorf("hq/inbox: change %s: %w", x.id, err)
		}
		x.sealed.ID = x.id
		out = append(out, x)
		return nil
	})
	return out, err
}

// judgeAgain judges waiting changes once more, and what waits for them.
func (r *run) judgeAgain(where string, args ...any) error {
	list, err := r.waitingWhere(where, args...)
	if err != nil {
		return err
	}
	for _, x := range list {
		if err := r.settle(x, false); err != nil {
			return err
		}
	}
	return nil
}

// settle judges one change again, or discards it, and then those that wait for
// it, in the order of their seqs.
func (r *run) settle(x *waiting, discard bool) error {
	blocked, err := r.blocked(x.id.Inc)
	if err != nil {
		return err
	}
	if len(x.record) == 16 {
		delete(blocked, schema.RecordID(x.record))
	}
	if err := r.once(x, discard); err != nil {
		return err
	}
	if len(x.record) != 16 || blocked[schema.RecordID(x.record)] != 0 {
		return nil
	}
	behind, err := r.waitingWhere("inc = $1 AND waits_for = $2 AND record = $3 AND sealed IS NOT NULL", int64(x.id.Inc), int64(x.id.Seq), x.record)
	if err != nil {
		return err
	}
	for _, y := range behind {
		if seq := blocked[schema.RecordID(y.record)]; seq != 0 {
			if _, err := r.w.Exec("UPDATE outcome SET waits_for = $1, reason = $2 WHERE inc = $3 AND seq = $4",
				int64(seq), waits(seq).reason, int64(y.id.Inc), int64(y.id.Seq)); err != nil {
				return err
			}
			continue
		}
		if err := r.once(y, false); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) once(x *waiting, discard bool) error {
	it := &item{id: x.id, branch: x.branch, sealed: x.sealed, body: &wirev1.ChangeBody{Record: x.record}, again: true}
	body, err := x.sealed.Body()
	if err == nil {
		it.body = body
	}
	if discard {
		return r.setOutcome(it, verdict{wirev1.OutcomeKind_DISCARDED, "discarded at headquarters"}, 0, nil)
	}
	if err != nil {
		return r.setOutcome(it, quarantine("it cannot be read: %v", err), 0, nil)
	}
	at, ruled, err := store.RuledAt(r, x.id.Inc, x.id.Seq)
	if err != nil {
		return err
	}
	if it.wrote, err = r.wrote(x.id); err != nil {
		return err
	}
	l, err := r.life(x.id.Inc)
	if err != nil {
		return err
	}
	it.tell = l != nil && l.State == store.LifeFrozen // as in judge
	if it.at = schema.Tick(body.GetAt()); ruled {
		it.at = at
	}
	k, v := judge(x.branch.Code, body)
	if v.kind != wirev1.OutcomeKind_APPLIED {
		return r.setOutcome(it, v, 0, nil)
	}
	r.draft(k, it)
	return r.flush()
}

// Settle judges a quarantined, parked or refused change again, or discards it.
// What waits for it is judged in its turn. schema.ErrNotFound when the change
// waits for nobody; schema.ErrInvalid when it waits for another change.
func (i *Inbox) Settle(ctx context.Context, id schema.ChangeID, discard bool) (wirev1.OutcomeKind, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var kind wirev1.OutcomeKind
	err := i.write(ctx, false, func(r *run) error {
		list, err := r.waitingWhere("inc = $1 AND seq = $2 AND sealed IS NOT NULL", int64(id.Inc), int64(id.Seq))
		if err != nil {
			return err
		}
		if len(list) == 0 || list[0].branch.Code != id.Branch {
			return fmt.Errorf("change %s in quarantine: %w", id, schema.ErrNotFound)
		}
		var waitsFor int64
		if _, err := r.w.Scan("SELECT waits_for FROM outcome WHERE inc = $1 AND seq = $2", []any{int64(id.Inc), int64(id.Seq)}, &waitsFor); err != nil {
			return err
		}
		if waitsFor != 0 {
			return schema.Invalid("change", "%s waits for change %d: settle that one", id, waitsFor)
		}
		if err := r.settle(list[0], discard); err != nil {
			return err
		}
		_, err = r.w.Scan("SELECT kind FROM outcome WHERE inc = $1 AND seq = $2", []any{int64(id.Inc), int64(id.Seq)}, &kind)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("hq/inbox: settle: %w", err)
	}
	return kind, nil
}

// Unpark judges again what an older program had to park. To be called once at
// the start, before packs are worked on.
func (i *Inbox) Unpark(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	err := i.write(ctx, false, func(r *run) error {
		return r.judgeAgain("kind = $1 AND sealed IS NOT NULL", int(wirev1.OutcomeKind_PARKED))
	})
	if err != nil {
		return fmt.Errorf("hq/inbox: unpark: %w", err)
	}
	return nil
}

// Quarantined is one change somebody should look at.
type Quarantined struct {
	N        int64 // rises; the key of the next page
	Change   schema.ChangeID
	Kind     schema.Kind // 0: unreadable
	Record   schema.RecordID
	Outcome  wirev1.OutcomeKind
	Reason   string
	WaitsFor schema.Seq
	At       int64 // unix ms
}

// Quarantine lists what is refused, quarantined, parked or waiting, of one
// branch or ("") of all, by n above after, at most limit.
func (i *Inbox) Quarantine(ctx context.Context, branch schema.BranchID, after int64, limit int) ([]Quarantined, error) {
	num := int32(-1)
	if branch != "" {
		b := i.st.Branch(branch)
		if b == nil {
			return nil, fmt.Errorf("branch %s: %w", branch, schema.ErrNotFound)
		}
		num = b.Num
	}
	var out []Quarantined
	err := i.st.Read(ctx, func(r *store.R) error {
		return r.Each(`SELECT n, inc, seq, branch, kind, reason, waits_for, rkind, record, at FROM outcome
			WHERE sealed IS NOT NULL AND n > $1 AND ($2 < 0 OR branch = $2) ORDER BY n LIMIT $3`, []any{after, num, limit}, func(rows *stdsql.Rows) error {
			var q Quarantined
			var b int32
			var record []byte
			if err := rows.Scan(&q.N, &q.Change.Inc, &q.Change.Seq, &b, &q.Outcome, &q.Reason, &q.WaitsFor, &q.Kind, &record, &q.At); err != nil {
				return fmt.Errorf("hq/inbox: read outcomes: %w", err)
			}
			q.Change.Branch = i.st.BranchNum(b).Code
			copy(q.Record[:], record)
			out = append(out, q)
			return nil
		})
	})
	return out, err
}
