package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
	"branchline/sync/oplog"
)

// lookAtKinds are the outcomes a person should look at.
const lookAtKinds = "4, 5, 6, 7, 8, 9"

// holds tells whether an outcome means that HQ has the change but has not applied
// it: it stays pending, whatever the marks say.
func holds(k wirev1.OutcomeKind) bool {
	switch k {
	case wirev1.OutcomeKind_WAITS, wirev1.OutcomeKind_PARKED, wirev1.OutcomeKind_QUARANTINED:
		return true
	}
	return false
}

// drops tells whether an outcome means that the change will never be applied, or
// that HQ's record has it already, as another copy of it.
func drops(k wirev1.OutcomeKind) bool {
	return k == wirev1.OutcomeKind_REFUSED_CHANGE || k == wirev1.OutcomeKind_DISCARDED || k == wirev1.OutcomeKind_NO_CHANGE
}

// ApplyPage implements link.BranchStore. In one transaction: outcomes, records,
// purges, groups, deliveries, at a full page the folding of what stands applied as
// written and the sweep of a full pass, and the cursor.
func (s *Store) ApplyPage(ctx context.Context, p *wirev1.Page) error {
	return s.write(ctx, func(w *writer) error {
		w.touched, w.event.Line = true, true
		a := &page{writer: w, p: p, epoch: schema.EpochID(p.GetEpoch()), marks: map[oplog.LifeNo]schema.Seq{}}
		if err := a.apply(); err != nil {
			return fmt.Errorf("store: page at rev %d: %w", p.GetLastRev(), err)
		}
		return nil
	})
}

// page is one feed page being applied.
type page struct {
	*writer
	p      *wirev1.Page
	epoch  schema.EpochID
	marks  map[oplog.LifeNo]schema.Seq // of the page's snapshot; no entry: HQ says nothing of that life
	sealed bool                        // there are sealed changes at all
	fresh  []prepared                  // new records, not yet inserted
}

func (a *page) apply() error {
	if err := a.readMarks(); err != nil {
		return err
	}
	for _, r := range a.p.GetRows() {
		if r.GetRow() == wirev1.RowKind_OUTCOME {
			if err := a.outcome(r); err != nil {
				return err
			}
		}
	}
	if err := a.rows(); err != nil {
		return err
	}
	for _, d := range a.p.GetDeliveries() {
		if _, err := a.exec("INSERT INTO delivery (branch, rev) VALUES ($1, $2) ON CONFLICT (branch) DO UPDATE SET rev = excluded.rev", d.GetBranch(), d.GetRev()); err != nil {
			return fmt.Errorf("delivery: %w", err)
		}
	}
	if a.p.GetFull() {
		if err := a.foldApplied(); err != nil {
			return err
		}
		if err := a.sweep(); err != nil {
			return err
		}
		for _, l := range slices.Clone(a.m.lives) {
			if err := a.prune(l); err != nil {
				return err
			}
		}
	}
	if a.epoch != a.m.epoch {
		a.m.epoch = a.epoch
		if err := a.metaSetInt(metaEpoch, int64(a.epoch)); err != nil {
			return err
		}
	}
	if err := a.metaSetInt(metaHQRev, a.p.GetHqRev()); err != nil {
		return err
	}
	return a.setCursor(a.p.GetEpoch(), a.p.GetLastRev())
}

// readMarks takes the page's watermarks of this branch. Where one lies below what
// was folded in already (HQ was restored), those changes are pending again.
func (a *page) readMarks() error {
	for _, m := range a.p.GetMarks() {
		if m.GetBranch() != "" && schema.BranchID(m.GetBranch()) != a.m.id.Branch {
			continue
		}
		if l := a.m.life(schema.Incarnation(m.GetIncarnation())); l != nil {
			a.marks[l.No] = schema.Seq(m.GetWatermark())
		}
	}
	for _, l := range a.m.lives {
		mark, told := a.marks[l.No]
		if l.Former && !told {
			continue
		}
		if mark < l.Folded {
			if err := a.pendAgain(l, mark); err != nil {
				return err
			}
		}
	}
	var n int
	err := a.tx.QueryRowContext(a.ctx, "SELECT EXISTS (SELECT 1 FROM sealed)").Scan(&n)
	a.sealed = n != 0
	return err
}

func (a *page) outcome(r *wirev1.Row) error {
	o := r.GetOutcome()
	raw, err := proto.Marshal(o)
	if err != nil {
		return fmt.Errorf("outcome: %w", err)
	}
	if _, err := a.exec(`INSERT INTO outcome (inc, seq, kind, raw, rev) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (inc, seq) DO UPDATE SET kind = excluded.kind, raw = excluded.raw, rev = excluded.rev, settled = 0`,
		o.GetIncarnation(), o.GetSeq(), int64(o.GetKind()), raw, r.GetRev()); err != nil {
		return fmt.Errorf("outcome: %w", err)
	}
	l := a.m.life(schema.Incarnation(o.GetIncarnation()))
	if l == nil {
		return nil
	}
	id := oplog.RowID(l.No, schema.Seq(o.GetSeq()))
	a.event.All = true
	if drops(o.GetKind()) {
		if _, err := a.exec("DELETE FROM sealed WHERE id = $1", id); err != nil {
			return fmt.Errorf("outcome: %w", err)
		}
		ns, err := a.ints("SELECT n FROM pending WHERE id = $1", id)
		if err != nil || len(ns) == 0 {
			return err
		}
		have, err := a.rowAt(ns[0]) // with its base, before its pending rows go
		if err != nil {
			return err
		}
		if o.GetKind() != wirev1.OutcomeKind_NO_CHANGE && len(have.base) == 0 {
			return a.keepRefused(id)
		}
		if _, err := a.exec("DELETE FROM pending WHERE id = $1", id); err != nil {
			return fmt.Errorf("outcome: %w", err)
		}
		return a.refoldRow(have)
	}
	_, err = a.exec("UPDATE pending SET held = $1 WHERE id = $2", flag(holds(o.GetKind())), id)
	return err
}

// chunk is how many records are looked up, and inserted, by one statement.
const chunk = 32

// rows applies records, purges and groups in the order of their revs.
func (a *page) rows() error {
	rows := a.p.GetRows()
	for len(rows) > 0 {
		n := min(chunk, len(rows))
		if err := a.rowsOf(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return a.flush()
}

func (a *page) rowsOf(rows []*wirev1.Row) error {
	held, err := a.heldOf(rows)
	if err != nil {
		return err
	}
	seen := map[schema.RecordID]bool{}
	for _, r := range rows {
		if r.GetRow() == wirev1.RowKind_OUTCOME {
			continue
		}
		id, err := schema.RecordIDFromBytes(r.GetRecord())
		if err != nil {
			return err
		}
		have := held[id]
		if seen[id] { // a second row of one record: what the first wrote counts
			if err := a.flush(); err != nil {
				return err
			}
			if have, err = a.find(id); err != nil {
				return err
			}
		}
		seen[id] = true
		switch r.GetRow() {
		case wirev1.RowKind_RECORD:
			err = a.record(id, r, have)
		case wirev1.RowKind_PURGE:
			err = a.purge(id, have)
		case wirev1.RowKind_GROUP:
			err = a.group(id, r)
		default:
			err = fmt.Errorf("a row of the unknown kind %d: %w", r.GetRow(), schema.ErrInvalid)
		}
		if err != nil {
			return err
		}
	}
	return a.flush()
}

// heldOf looks the records of the rows up, in one statement, those that may be held at all.
func (a *page) heldOf(rows []*wirev1.Row) (map[schema.RecordID]*row, error) {
	args := make([]any, 0, len(rows))
	for _, r := range rows {
		if k := r.GetRow(); (k == wirev1.RowKind_RECORD || k == wirev1.RowKind_PURGE) && a.mayHold(r.GetRecord()) {
			args = append(args, r.GetRecord())
		}
	}
	if len(args) == 0 {
		return nil, nil
	}
	for len(args) < chunk {
		args = append(args, nil)
	}
	rs, err := a.stmt(a.s.st.findMany).QueryContext(a.ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rs.Close()
	var out map[schema.RecordID]*row
	for rs.Next() {
		r, err := scanRow(rs)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = make(map[schema.RecordID]*row, len(rows))
		}
		out[r.id] = r
	}
	return out, rs.Err()
}

func (a *page) mayHold(id []byte) bool {
	if a.m.held == nil || len(id) != len(schema.RecordID{}) {
		return true
	}
	_, may := a.m.held[schema.RecordID(id)]
	return may
}

func (a *page) record(id schema.RecordID, in *wirev1.Row, r *row) error {
	k := schema.KindOf(schema.Kind(in.GetKind()))
	if k == nil {
		return fmt.Errorf("record %s is of kind %d, which this program does not know: %w", id, in.GetKind(), schema.ErrUnavailable)
	}
	rev := schema.Rev(in.GetRev())
	if r == nil {
		return a.newRecord(id, k, in)
	}
	if r.epoch == a.epoch && rev <= r.rev {
		if r.pass == a.m.pass {
			return nil
		}
		_, err := a.exec("UPDATE record SET pass = $1 WHERE n = $2", a.m.pass, r.n)
		return err
	}
	hadPending := r.base != nil
	base := in.GetState()
	r.kind, r.home, r.shared, r.epoch, r.rev, r.pass = k, schema.BranchID(in.GetHome()), in.GetShared(), a.epoch, rev, a.m.pass
	if !hadPending {
		r.shown = base
		return a.updateRow(r)
	}
	left, err := a.stillPending(r.n, base)
	if err != nil {
		return err
	}
	return a.setBase(r, base, left)
}

// stillPending removes what a new base holds from the record's pending changes
// and gives the rest. What HQ has stored but the base lacks stays until a full
// page: its outcome may be on the way. Before a full page all of them stay: they
// join the base again without a trace, and if that HQ is lost before it has said
// how far it had folded them in, nothing else would tell that they are missing.
func (a *page) stillPending(n int64, base []byte) ([]pendingRow, error) {
	pending, err := a.pendingOf(n)
	if err != nil {
		return nil, err
	}
	if !a.p.GetFull() {
		return pending, nil
	}
	st, err := merge.Decode(base)
	if err != nil {
		return nil, err
	}
	left := pending[:0]
	for _, p := range pending {
		no, seq := oplog.SplitRowID(p.id)
		if seq <= a.marks[no] && !p.held {
			r, b, err := a.change(p.id)
			if err != nil {
				return nil, err
			}
			if b == nil || wrote(st, oplog.StampOf(r, b).Edit()) {
				if _, err := a.exec("DELETE FROM pending WHERE id = $1", p.id); err != nil {
					return nil, err
				}
				continue
			}
		}
		left = append(left, p)
	}
	return left, nil
}

// wrote tells whether any entry of the state is of the change.
func wrote(s *merge.State, id schema.ChangeID) bool {
	for _, num := range s.Numbers() {
		for _, e := range s.Entries(num) {
			if e.Stamp.Edit() == id {
				return true
			}
		}
	}
	return false
}

func (a *page) newRecord(id schema.RecordID, k *schema.KindInfo, in *wirev1.Row) error {
	r := &row{
		n: a.m.nextN, id: id, kind: k, home: schema.BranchID(in.GetHome()), shared: in.GetShared(), epoch: a.epoch, rev: schema.Rev(in.GetRev()),
		pass: a.m.pass, shown: in.GetState(),
	}
	a.m.nextN++
	if a.sealed {
		if err := a.unseal(r); err != nil {
			return err
		}
	}
	if r.shown == nil {
		r.shown = []byte{}
	}
	p, err := r.prepare(a.m.id.Branch)
	if err != nil {
		return err
	}
	if err := a.setLost(r.n, p.lost); err != nil {
		return err
	}
	a.fresh = append(a.fresh, p)
	if len(a.fresh) == chunk {
		return a.flush()
	}
	return nil
}

// unseal makes own changes to a record that comes back pending again.
func (a *page) unseal(r *row) error {
	ids, err := a.ints("DELETE FROM sealed WHERE record = $1 RETURNING id", r.id[:])
	if err != nil || len(ids) == 0 {
		return err
	}
	slices.Sort(ids)
	var left []pendingRow
	for _, c := range ids {
		no, seq := oplog.SplitRowID(c)
		held, err := a.heldBy(no, seq)
		if err != nil {
			return err
		}
		if seq <= a.marks[no] && !held {
			continue
		}
		if _, err := a.exec("INSERT INTO pending (id, n, held) VALUES ($1, $2, $3)", c, r.n, flag(held)); err != nil {
			return err
		}
		left = append(left, pendingRow{c, held})
		r.own = c
	}
	if len(left) == 0 {
		return nil
	}
	r.base = r.shown
	if r.base == nil {
		r.base = []byte{}
	}
	r.shown, err = a.fold(r.base, left)
	return err
}

// heldBy tells whether a stored outcome holds the change.
func (a *page) heldBy(no oplog.LifeNo, seq schema.Seq) (bool, error) {
	l := a.m.lifeNo(no)
	if l == nil {
		return false, nil
	}
	kinds, err := a.ints("SELECT kind FROM outcome WHERE inc = $1 AND seq = $2", int64(l.Inc), int64(seq))
	return len(kinds) > 0 && holds(wirev1.OutcomeKind(kinds[0])), err
}

// flush inserts the new records in hand.
func (a *page) flush() error {
	ps := a.fresh
	if len(ps) == 0 {
		return nil
	}
	a.fresh = a.fresh[:0]
	records, terms, words := make([]any, 0, len(ps)*insertArgs), make([]any, 0, 8*len(ps)*termArgs), make([]any, 0, len(ps)*wordArgs)
	for i := range ps {
		p := &ps[i]
		records = p.insertArgs(records)
		for _, t := range p.facts.found.Terms {
			terms = append(terms, t, p.n)
		}
		if p.sum != 0 {
			words = append(words, p.n, p.facts.found.NameWords(), p.facts.found.TextWords())
		}
		a.event.record(p.id)
		a.m.hold(p.id)
	}
	st := &a.s.st
	if err := errors.Join(
		a.insert(st.insert, st.insertMany, insertArgs, records),
		a.insert(st.term, st.termMany, termArgs, terms),
		a.insert(st.word, st.wordMany, wordArgs, words),
	); err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	return nil
}

// purge removes a record from the branch; own changes that HQ does not have yet are sealed.
func (a *page) purge(id schema.RecordID, r *row) error {
	if _, err := a.exec("DELETE FROM look WHERE id = $1", id[:]); err != nil {
		return fmt.Errorf("purge: %w", err)
	}
	if r == nil {
		return nil
	}
	if err := a.seal(r); err != nil {
		return err
	}
	return a.deleteRow(r)
}

func (w *writer) seal(r *row) error {
	if r.base == nil {
		return nil
	}
	if _, err := w.exec("INSERT OR IGNORE INTO sealed (id, record) SELECT id, $1 FROM pending WHERE n = $2", r.id[:], r.n); err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	return nil
}

func (a *page) group(id schema.RecordID, in *wirev1.Row) error {
	if _, err := a.exec("DELETE FROM member WHERE grp = $1", id[:]); err != nil {
		return fmt.Errorf("group: %w", err)
	}
	a.event.All = true
	if len(in.GetMembers()) < 2 {
		return nil
	}
	for _, m := range in.GetMembers() {
		if _, err := a.exec("INSERT INTO member (record, grp, pass) VALUES ($1, $2, $3) ON CONFLICT (record) DO UPDATE SET grp = excluded.grp, pass = excluded.pass", m, id[:], a.m.pass); err != nil {
			return fmt.Errorf("group: %w", err)
		}
	}
	return nil
}

func findMany() string {
	return "SELECT " + rowColumns + " FROM record WHERE id IN (?" + strings.Repeat(",?", chunk-1) + ")"
}
