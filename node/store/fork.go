package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
	"branchline/sync/merge"
	"branchline/sync/oplog"
)

// rebuildActor is who offers a record again whose changes are forgotten: the
// staff code of their authors went with them.
const rebuildActor = "rebuild"

// Fork implements link.BranchStore.
func (s *Store) Fork(ctx context.Context, f link.Fork) error {
	if f.New <= 0 {
		return schema.Invalid("incarnation", "the new one is missing")
	}
	return s.write(ctx, func(w *writer) error {
		w.touched = true
		k := fork{writer: w, f: f, moved: map[int64]int64{}, refolds: map[int64]bool{}}
		if err := k.run(); err != nil {
			return fmt.Errorf("store: fork %s to %s: %w", f.Old, f.New, err)
		}
		w.event = Event{All: true, Own: true, Line: true}
		return nil
	})
}

type fork struct {
	*writer
	f       link.Fork
	old     *oplog.Life
	tail    []oplog.Row              // own changes of old above From that HQ does not have as they are; after a rebuild's, set aside
	aside   map[schema.ChangeID]bool // the edits of changes set aside: they are there, and not offered anew
	moved   map[int64]int64          // row ids of re-issued changes: old -> new
	refolds map[int64]bool           // records that show more now
}

func (k *fork) run() error {
	cur := k.m.current()
	again := cur != nil && cur.Inc == k.f.New && k.f.Old != 0 && k.f.Old != k.f.New
	if !again && k.m.life(k.f.New) != nil {
		return fmt.Errorf("the new incarnation is in use already: %w", schema.ErrConflict)
	}
	if k.f.Old != 0 {
		if k.old = k.m.life(k.f.Old); k.old == nil {
			return fmt.Errorf("the old one is not kept here: %w", schema.ErrNotFound)
		}
		if err := k.takeOut(); err != nil {
			return err
		}
	}
	if !again {
		if err := oplog.Begin(k.ctx, k.tx, k.f.New, k.f.Certificate); err != nil {
			return err
		}
	}
	lives, err := oplog.Lives(k.ctx, k.tx)
	if err != nil {
		return err
	}
	k.m.lives = lives
	if k.f.Rebuild {
		if err := k.takeAside(); err != nil {
			return err
		}
		if err := k.rebuild(); err != nil {
			return err
		}
	}
	if err := k.reissue(); err != nil {
		return err
	}
	if k.old != nil {
		if err := k.putBack(); err != nil {
			return err
		}
	}
	for n := range k.refolds {
		if err := k.refold(n); err != nil {
			return err
		}
	}
	if err := k.metaSetInt(metaTick, int64(k.s.clk.Last())); err != nil {
		return err
	}
	if !again {
		if err := errors.Join(k.metaSetInt(metaNonceUsed, 1), k.metaSetInt(metaRestored, 0)); err != nil {
			return err
		}
	}
	return k.s.load(k.ctx, k.tx)
}

// takeOut reads the old life's tail above From and removes it from the log.
func (k *fork) takeOut() error {
	if k.old.Folded > k.f.From {
		if err := k.pendAgain(k.old, k.f.From); err != nil {
			return err
		}
	}
	back := map[schema.Seq]schema.Hash{}
	for _, b := range k.f.Back {
		back[b.ID.Seq] = b.Chain
	}
	for after := max(k.f.From, k.old.PruneCut); after < k.old.Seq; {
		_, rows, err := oplog.Read(k.ctx, k.tx, k.old, k.m.id.Branch, after, 1000, 1<<30)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		for _, r := range rows {
			if h, ok := back[r.ID.Seq]; (!ok || h != r.Chain) && !r.Erased() {
				k.tail = append(k.tail, r)
			}
		}
		after = rows[len(rows)-1].ID.Seq
	}
	return oplog.Drop(k.ctx, k.tx, k.old, max(k.f.From, k.old.PruneCut))
}

// takeAside puts the old life's changes that were set aside before its tail.
func (k *fork) takeAside() error {
	k.aside = map[schema.ChangeID]bool{}
	for _, l := range k.m.lives {
		rows, err := oplog.Aside(k.ctx, k.tx, l, k.m.id.Branch)
		if err != nil {
			return err
		}
		rows = slices.DeleteFunc(rows, oplog.Row.Erased)
		for _, r := range rows {
			b, err := r.Body()
			if err != nil {
				return err
			}
			k.aside[oplog.StampOf(r, b).Edit()] = true
		}
		if k.old != nil && l.No == k.old.No {
			k.tail = append(rows, k.tail...)
		}
	}
	if k.old == nil {
		return nil
	}
	if _, err := k.exec("DELETE FROM aside WHERE id > $1 AND id < $2 AND payload IS NOT NULL", oplog.RowID(k.old.No, 0), oplog.RowID(k.old.No+1, 0)); err != nil {
		return fmt.Errorf("set aside: %w", err)
	}
	return nil
}

// reissue writes the tail under the new incarnation, each change with its origin,
// its run and its time: it is the same edit, and its entries keep their names.
func (k *fork) reissue() error {
	for _, r := range k.tail {
		b, err := r.Body()
		if err != nil {
			return err
		}
		if b.Origin == nil {
			b.Origin = &wirev1.Origin{Incarnation: int64(r.ID.Inc), Seq: int64(r.ID.Seq), Chain: r.Chain[:]}
		}
		b.At = uint64(r.At)
		id, err := k.appendKept(r.Record, b)
		if err != nil {
			return err
		}
		k.moved[oplog.RowID(r.No, r.ID.Seq)] = id
	}
	if _, err := k.exec("CREATE TEMP TABLE moved (was INTEGER PRIMARY KEY, now INTEGER NOT NULL)"); err != nil {
		return err
	}
	note, err := k.tx.PrepareContext(k.ctx, "INSERT INTO moved (was, now) VALUES ($1, $2)")
	if err != nil {
		return err
	}
	defer note.Close()
	for was, now := range k.moved {
		if _, err := note.ExecContext(k.ctx, was, now); err != nil {
			return err
		}
	}
	for _, q := range []string{
		"UPDATE record SET own = m.now FROM (SELECT p.n, max(m.now) AS now FROM moved m JOIN pending p ON p.id = m.was GROUP BY p.n) m WHERE record.n = m.n",
		"UPDATE pending SET id = m.now, held = 0 FROM moved m WHERE m.was = pending.id",
		"UPDATE sealed SET id = m.now FROM moved m WHERE m.was = sealed.id",
		"UPDATE request SET change = m.now FROM moved m WHERE m.was = request.change",
		"DROP TABLE moved",
	} {
		if _, err := k.exec(q); err != nil {
			return fmt.Errorf("re-issue: %w", err)
		}
	}
	return nil
}

// appendKept writes a change under the current life with the time it has.
func (k *fork) appendKept(id schema.RecordID, b *wirev1.ChangeBody) (int64, error) {
	cur := k.m.current()
	tail, sealed, err := k.s.log.Append(k.ctx, k.tx, cur.Tail, id, b, true)
	if err != nil {
		return 0, err
	}
	cur.Tail = tail
	return oplog.RowID(cur.No, sealed.ID.Seq), nil
}

// putBack stores HQ's changes of the old life and shows them as own ones.
func (k *fork) putBack() error {
	if len(k.f.Back) == 0 {
		return k.forgetOld()
	}
	chain, ok, err := oplog.ChainAt(k.ctx, k.tx, k.old, k.f.From)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("change %d of %s is forgotten here, HQ's answer cannot continue it: %w", k.f.From, k.f.Old, schema.ErrConflict)
	}
	t := oplog.Tail{No: k.old.No, Inc: k.old.Inc, Seq: k.f.From, Chain: chain}
	if t, err = oplog.Store(k.ctx, k.tx, t, k.f.Back); err != nil {
		return err
	}
	k.s.clk.Observe(t.At)
	// Pending rows of the old life above From that are no longer backed by a change are gone with it.
	if _, err := k.exec("DELETE FROM pending WHERE id > $1 AND id < $2 AND NOT EXISTS (SELECT 1 FROM change c WHERE c.id = pending.id AND c.payload IS NOT NULL)",
		oplog.RowID(k.old.No, k.f.From), oplog.RowID(k.old.No+1, 0)); err != nil {
		return err
	}
	for _, s := range k.f.Back {
		if s.Erased() {
			continue
		}
		if err := k.showBack(s); err != nil {
			return err
		}
	}
	return nil
}

func (k *fork) showBack(s schema.Sealed) error {
	b, err := s.Body()
	if err != nil {
		return err
	}
	k.s.clk.Observe(schema.Tick(b.GetAt()))
	rid, err := schema.RecordIDFromBytes(b.GetRecord())
	if err != nil {
		return err
	}
	id := oplog.RowID(k.old.No, s.ID.Seq)
	r, err := k.find(rid)
	if err != nil {
		return err
	}
	kind := schema.KindOf(schema.Kind(b.GetKind()))
	switch {
	case r == nil && (kind == nil || !b.GetCreate()):
		_, err := k.exec("INSERT OR IGNORE INTO sealed (id, record) VALUES ($1, $2)", id, rid[:])
		return err
	case r == nil:
		r = &row{n: k.m.nextN, id: rid, kind: kind, home: k.m.id.Branch, pass: k.m.pass, base: []byte{}, shown: []byte{}, own: id}
		k.m.nextN++
		if err := k.insertRow(r); err != nil {
			return err
		}
	}
	return k.pendNow(id, r.n)
}

// forgetOld removes an incarnation of which nothing is left.
func (k *fork) forgetOld() error {
	var n int64
	if err := k.tx.QueryRowContext(k.ctx, "SELECT (SELECT count(*) FROM change WHERE id > $1 AND id < $2) + (SELECT count(*) FROM aside WHERE id > $1 AND id < $2)", oplog.RowID(k.old.No, 0), oplog.RowID(k.old.No+1, 0)).Scan(&n); err != nil {
		return err
	}
	if n > 0 || k.f.From > 0 && !k.f.Rebuild {
		return nil
	}
	_, err := k.exec("DELETE FROM life WHERE no = $1", int64(k.old.No))
	return err
}

// offer is a forgotten change that HQ may have lost, made again.
type offer struct {
	stamp schema.Stamp
	id    schema.RecordID
	n     int64 // of the record's row; 0: it is not held
	body  *wirev1.ChangeBody
}

// rebuild offers what HQ lost and the log forgot: for each record, own entries
// whose change is no longer in the log, as that change again with its stamp, and
// homes that were given away. The order is that of the stamps, and it goes before
// the tail.
func (k *fork) rebuild() error {
	offers, err := k.offers()
	if err != nil {
		return err
	}
	given, err := k.given()
	if err != nil {
		return err
	}
	offers = append(offers, given...)
	slices.SortStableFunc(offers, func(a, b offer) int {
		return cmp.Or(a.stamp.Compare(b.stamp), slices.Compare(a.id[:], b.id[:]))
	})
	for _, o := range offers {
		id, err := k.appendKept(o.id, o.body)
		if err != nil {
			return err
		}
		if o.n == 0 {
			continue
		}
		// Pending, as every own change that HQ does not have: a full pass that HQ
		// begins before it has read them must not sweep their records.
		if err := k.pendNow(id, o.n); err != nil {
			return err
		}
	}
	return nil
}

// pendNow has an own change pend. A base counts only where something pends already.
func (k *fork) pendNow(id, n int64) error {
	if _, err := k.exec("UPDATE record SET base = shown WHERE n = $1 AND NOT EXISTS (SELECT 1 FROM pending p WHERE p.n = record.n)", n); err != nil {
		return err
	}
	k.refolds[n] = true
	_, err := k.exec("INSERT OR IGNORE INTO pending (id, n) VALUES ($1, $2)", id, n)
	return err
}

func (k *fork) offers() (out []offer, err error) {
	rs, err := k.tx.QueryContext(k.ctx, "SELECT "+rowColumns+" FROM record")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rs.Close()) }()
	for rs.Next() {
		r, err := scanRow(rs)
		if err != nil {
			return nil, err
		}
		st, err := merge.Decode(r.shown)
		if err != nil {
			return nil, err
		}
		for stamp, body := range k.ownEntries(r, st) {
			out = append(out, offer{stamp, r.id, r.n, body})
		}
	}
	return out, rs.Err()
}

// given are the moves of homes among the forgotten changes.
func (k *fork) given() (out []offer, err error) {
	rs, err := k.tx.QueryContext(k.ctx, "SELECT g.record, g.kind, g.home, g.edit_inc, g.edit_seq, g.at, coalesce(r.n, 0) FROM given g LEFT JOIN record r ON r.id = g.record")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rs.Close()) }()
	for rs.Next() {
		o := offer{stamp: schema.Stamp{Branch: k.m.id.Branch}}
		var record []byte
		var kind, at int64
		var home string
		if err := rs.Scan(&record, &kind, &home, &o.stamp.Inc, &o.stamp.Seq, &at, &o.n); err != nil {
			return nil, err
		}
		if o.id, err = schema.RecordIDFromBytes(record); err != nil {
			return nil, err
		}
		o.stamp.At = schema.Tick(at)
		o.body = offered(o.stamp, schema.Kind(kind), o.id)
		o.body.NewHome = home
		out = append(out, o)
	}
	return out, rs.Err()
}

// offered is a forgotten change without what it wrote.
func offered(s schema.Stamp, kind schema.Kind, id schema.RecordID) *wirev1.ChangeBody {
	return &wirev1.ChangeBody{
		At: uint64(s.At), Kind: uint32(kind), Record: id[:], Actor: rebuildActor, Role: uint32(branchlinev1.Role_ROLE_BRANCH_MANAGER),
		Run: uint32(s.Run()), Origin: &wirev1.Origin{Incarnation: int64(s.Inc), Seq: int64(s.Change().Seq)},
	}
}

// ownEntries are the changes, one a stamp, that wrote this branch's entries of a
// record and are no longer kept.
func (k *fork) ownEntries(r *row, st *merge.State) map[schema.Stamp]*wirev1.ChangeBody {
	out := map[schema.Stamp]*wirev1.ChangeBody{}
	var first schema.Stamp
	for _, num := range st.Numbers() {
		byStamp := map[schema.Stamp][]merge.Entry{}
		for _, e := range st.Entries(num) {
			if first.IsZero() || e.Stamp.Compare(first) < 0 {
				first = e.Stamp
			}
			if e.Stamp.Branch == k.m.id.Branch && k.forgotten(e.Stamp) && !k.aside[e.Stamp.Edit()] {
				byStamp[e.Stamp] = append(byStamp[e.Stamp], e)
			}
		}
		for stamp, entries := range byStamp {
			b := out[stamp]
			if b == nil {
				b = offered(stamp, r.kind.Kind, r.id)
				out[stamp] = b
			}
			writeEntries(b, num, entries)
		}
	}
	if b := out[first]; b != nil {
		b.Create = true
	}
	return out
}

// forgotten tells whether the change of a stamp is not in the log any more, or
// cannot be sent: a life before the one that is left, whose beginning is forgotten,
// HQ may refuse altogether. What it has after all is joined twice and changes nothing.
func (k *fork) forgotten(s schema.Stamp) bool {
	l := k.m.life(s.Inc)
	return l == nil || s.Change().Seq <= l.PruneCut || l.PruneCut > 0 && l.Inc != k.f.Old
}

// writeEntries adds the entries of one field and one change to a body. A dead
// entry has lost its value: a live one of the change holds its ordinal, and it
// stays dead by what replaced it. Where all are dead a removal bears their names.
func writeEntries(b *wirev1.ChangeBody, num int32, entries []merge.Entry) {
	slices.SortFunc(entries, func(x, y merge.Entry) int { return cmp.Compare(x.Ord, y.Ord) })
	names := &wirev1.Names{Field: uint32(num), Remove: true}
	var live []byte
	last := uint32(0)
	for _, e := range entries {
		for _, p := range e.Names {
			names.Entries = append(names.Entries, &wirev1.EntryName{Branch: string(p.Branch), Incarnation: int64(p.Inc), Seq: int64(p.Seq), Ordinal: p.Ord})
		}
		if e.Value != nil {
			live, last, names.Remove = e.Value, e.Ord, false
		}
	}
	next := uint32(0)
	for _, e := range entries {
		if live == nil || e.Ord > last {
			break
		}
		for ; next < e.Ord; next++ {
			b.Values = append(b.Values, live...)
		}
		if e.Value != nil {
			b.Values = append(b.Values, e.Value...)
		} else {
			b.Values = append(b.Values, live...)
		}
		next = e.Ord + 1
	}
	if len(names.Entries) > 0 || names.Remove {
		b.Names = append(b.Names, names)
	}
}
