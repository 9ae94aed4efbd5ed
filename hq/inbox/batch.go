package inbox

import (
	"bytes"
	stdsql "database/sql"
	"fmt"
	"slices"
	"time"

	"branchline/hq/feed"
	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/sql"
	"branchline/sync/clock"
	"branchline/sync/merge"
)

// run is the work of one transaction.
type run struct {
	i       *Inbox
	w       *store.W
	careful bool
	now     time.Time   // HQ's clock
	limit   schema.Tick // beyond this an effective time is ruled

	drafts  map[schema.RecordID]*draft
	order   []*draft
	due     map[schema.Incarnation]*due
	lives   map[schema.Incarnation]*store.Life // changed ones
	rulings []ruling
	// moved are records whose home moved: what waits for that is judged again.
	moved []schema.RecordID
	// used are cards a use of which was written.
	used []schema.RecordID
}

// draft is one record being written.
type draft struct {
	id    schema.RecordID
	kind  *schema.KindInfo
	rec   *store.Rec
	old   *store.Rec
	items []*item
	fresh bool // the only item makes the record, as far as it says itself
}

// item is one change to one record.
type item struct {
	id     schema.ChangeID
	wrote  schema.Incarnation // under which its author wrote it, when that is not id's; 0 otherwise
	branch *store.Branch
	at     schema.Tick
	body   *wirev1.ChangeBody
	sealed schema.Sealed
	ruled  bool
	tell   bool // its author is shown the record though nobody else wrote it
	again  bool // judged again: it has an outcome row
}

type ruling struct {
	inc         schema.Incarnation
	first, last schema.Seq
	at          schema.Tick
}

// Scan and Each make a run a store.Reader.
func (r *run) Scan(q string, args []any, dest ...any) (bool, error) {
	return r.w.Scan(q, args, dest...)
}

func (r *run) Each(q string, args []any, f func(*stdsql.Rows) error) error {
	return r.w.Each(q, args, f)
}

func (r *run) life(inc schema.Incarnation) (*store.Life, error) {
	if l := r.i.lives[inc]; l != nil {
		return l, nil
	}
	return r.i.readLife(r, inc)
}

func (r *run) dueFor(b *store.Branch, inc schema.Incarnation) *due {
	d := r.due[inc]
	if d == nil {
		d = &due{branch: b, inc: inc}
		r.due[inc] = d
	}
	return d
}

// blocked are the records of an incarnation with a change in quarantine, and its seq.
func (r *run) blocked(inc schema.Incarnation) (map[schema.RecordID]schema.Seq, error) {
	if m := r.i.blocked[inc]; m != nil {
		return m, nil
	}
	m := map[schema.RecordID]schema.Seq{}
	err := r.w.Each("SELECT record, seq, waits_for FROM outcome WHERE inc = $1 AND sealed IS NOT NULL AND record IS NOT NULL AND kind <> $2 ORDER BY seq DESC",
		[]any{int64(inc), int(wirev1.OutcomeKind_REFUSED_CHANGE)}, func(rows *stdsql.Rows) error {
			var id []byte
			var seq, waits schema.Seq
			if err := rows.Scan(&id, &seq, &waits); err != nil {
				return fmt.Errorf("hq/inbox: read outcomes: %w", err)
			}
			if waits != 0 {
				seq = waits
			}
			m[schema.RecordID(id)] = seq
			return nil
		})
	r.i.blocked[inc] = m
	return m, err
}

// add takes the next change of an incarnation.
func (r *run) add(l *store.Life, b *store.Branch, c change, salvage bool) error {
	l.Watermark, l.Chain = c.ID.Seq, c.Chain
	r.lives[l.Inc] = l
	if c.Erased() {
		return nil
	}
	if !r.careful {
		return r.judge(l, b, c, salvage)
	}
	err := r.w.Savepoint(func() error {
		if err := r.judge(l, b, c, salvage); err != nil {
			return err
		}
		return r.flush()
	})
	if err == nil || sql.IsDisk(err) { // no fault of the change
		return err
	}
	r.i.log.Error("change quarantined", "change", c.ID.String(), "err", err)
	r.drop()
	return r.settleUnread(b, c, quarantine("it could not be applied: %v", err))
}

// drop forgets drafts after a roll-back to a savepoint.
func (r *run) drop() {
	clear(r.drafts)
	r.order, r.moved = nil, nil
	r.i.scope.Reset()
	clear(r.i.blocked)
}

// settleUnread notes the outcome of a change of which only the bytes are sure.
func (r *run) settleUnread(b *store.Branch, c change, v verdict) error {
	it := &item{id: c.ID, branch: b, sealed: c.Sealed, body: &wirev1.ChangeBody{}}
	if c.bad == nil {
		it.body = c.body
	}
	return r.setOutcome(it, v, 0, nil)
}

// judge settles what can be said of a change without its record, and drafts it.
func (r *run) judge(l *store.Life, b *store.Branch, c change, salvage bool) error {
	if c.bad != nil {
		return r.settleUnread(b, c, quarantine("it cannot be read: %v", c.bad))
	}
	body := c.body
	it := &item{id: c.ID, branch: b, at: schema.Tick(body.GetAt()), body: body, sealed: c.Sealed}
	if body.GetOrigin() == nil {
		// A re-issued change keeps its origin's time, whatever came before it.
		if err := r.rule(l, it); err != nil {
			return err
		}
		l.LastAt = it.at
	} else if it.at > r.limit {
		if err := r.rule(l, it); err != nil {
			return err
		}
		l.LastAt = it.at
	}
	k, v := judge(b.Code, body)
	if v.kind != wirev1.OutcomeKind_APPLIED {
		return r.setOutcome(it, v, 0, nil)
	}
	if salvage {
		return r.setOutcome(it, quarantine("salvaged: it came under a key that has been replaced, or of a retired branch"), 0, nil)
	}
	m, err := r.blocked(l.Inc)
	if err != nil {
		return err
	}
	if seq := m[schema.RecordID(body.GetRecord())]; seq != 0 {
		return r.setOutcome(it, waits(seq), seq, nil)
	}
	// The machine that is the branch now may be another than the one that wrote it.
	it.tell = l.State == store.LifeFrozen
	r.draft(k, it)
	return nil
}

// rule gives the change the time that counts, and notes it when that is HQ's.
func (r *run) rule(l *store.Life, it *item) error {
	if it.at <= r.limit {
		return nil
	}
	var named []schema.Tick
	if len(it.body.GetNames()) > 0 {
		st, err := r.stateOf(schema.RecordID(it.body.GetRecord()))
		if err != nil {
			return err
		}
		named = namedTimes(st, it.body)
	}
	it.at, it.ruled = clock.Rule(it.at, r.now, l.LastAt, named...)
	if n := len(r.rulings); n > 0 && r.rulings[n-1].inc == it.id.Inc && r.rulings[n-1].last+1 == it.id.Seq &&
		r.rulings[n-1].at+schema.Tick(it.id.Seq-r.rulings[n-1].first) == it.at {
		r.rulings[n-1].last = it.id.Seq
		return nil
	}
	r.rulings = append(r.rulings, ruling{it.id.Inc, it.id.Seq, it.id.Seq, it.at})
	return nil
}

// stateOf is a record as this transaction has it so far.
func (r *run) stateOf(id schema.RecordID) (*merge.State, error) {
	rec, err := store.RecOf(r, id)
	if err != nil {
		return nil, err
	}
	st := new(merge.State)
	if rec != nil {
		if st, err = merge.Decode(rec.State); err != nil {
			return nil, fmt.Errorf("hq/inbox: record %s: %w", id, err)
		}
	}
	if d := r.drafts[id]; d != nil {
		for _, it := range d.items {
			c, err := merge.FromChange(it.stamp(), it.body)
			if err != nil {
				return nil, err
			}
			st = merge.Join(st, c)
		}
	}
	return st, nil
}

// namedTimes are the stored times of the entries a change names.
func namedTimes(st *merge.State, b *wirev1.ChangeBody) []schema.Tick {
	var out []schema.Tick
	for _, n := range b.GetNames() {
		for _, e := range st.Entries(int32(n.GetField())) {
			p := e.Place()
			for _, x := range n.GetEntries() {
				if p == (merge.Place{Branch: schema.BranchID(x.GetBranch()), Inc: schema.Incarnation(x.GetIncarnation()), Seq: schema.Seq(x.GetSeq()), Ord: x.GetOrdinal()}) {
					out = append(out, e.Stamp.At)
				}
			}
		}
	}
	return out
}

// stamp is the stamp of the change's entries.
func (it *item) stamp() schema.Stamp {
	id := it.id
	if it.wrote != 0 {
		id.Inc = it.wrote
	}
	return schema.StampOf(id, it.at, it.body)
}

func (r *run) draft(k *schema.KindInfo, it *item) {
	id := schema.RecordID(it.body.GetRecord())
	d := r.drafts[id]
	if d == nil {
		d = &draft{id: id, kind: k, fresh: it.body.GetCreate() && it.body.GetOrigin() == nil && !r.careful && !it.again && !it.tell}
		r.drafts[id] = d
		r.order = append(r.order, d)
	}
	d.items = append(d.items, it)
}

// flush merges and writes all drafts, and the feed rows that follow.
func (r *run) flush() error {
	if len(r.order) == 0 {
		return nil
	}
	if err := r.load(); err != nil {
		return err
	}
	changes := make([]*feed.Change, 0, len(r.order))
	var inserts, updates []*store.Rec
	for _, d := range r.order {
		c, err := r.mergeDraft(d)
		if err != nil {
			return err
		}
		if c == nil {
			continue
		}
		if d.old == nil {
			d.rec.N = r.w.NextRecord()
			inserts = append(inserts, d.rec)
		} else {
			updates = append(updates, d.rec)
		}
		changes = append(changes, c)
	}
	for _, c := range changes {
		c.Rec.Rev = r.w.NextRev()
		if err := r.noteUse(c.Rec); err != nil {
			return err
		}
	}
	if err := r.w.InsertRecs(inserts); err != nil {
		return err
	}
	for _, rec := range updates {
		if err := r.w.UpdateRec(rec); err != nil {
			return err
		}
	}
	clear(r.drafts)
	r.order = r.order[:0]
	return r.i.scope.Write(r.w, changes)
}

// load reads the records of those drafts that may be there already.
func (r *run) load() error {
	var ids []schema.RecordID
	for _, d := range r.order {
		if !d.fresh {
			ids = append(ids, d.id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return r.w.Recs(ids, func(rec *store.Rec) { r.drafts[rec.ID].old = rec })
}

// mergeDraft joins the draft's changes into its record; nil when nothing changed.
func (r *run) mergeDraft(d *draft) (*feed.Change, error) {
	first := d.items[0]
	if d.old == nil {
		d.rec = &store.Rec{ID: d.id, Kind: d.kind.Kind, Home: first.branch.Num}
	} else {
		rec := *d.old
		d.rec = &rec
	}
	c := &feed.Change{Rec: d.rec, Old: d.old}
	if d.old == nil && len(d.items) == 1 && first.body.GetNewHome() == "" && !first.again {
		if enc, ok := merge.EncodeFresh(first.stamp(), first.body); ok {
			d.rec.State = enc
			d.rec.Columns(d.kind, first.body.GetValues())
			d.rec.Updated = first.at.UnixMilli()
			if first.body.GetCreate() {
				d.rec.Created = d.rec.Updated
			}
			c.Authors = []int32{first.branch.Num}
			if first.ruled || first.tell {
				c.Tell = c.Authors
			} else {
				c.Tell = d.strangers(c.Authors)
			}
			return c, nil
		}
	}
	if err := r.mergeSlow(d, c); err != nil {
		return nil, err
	}
	c.Tell = append(c.Tell, d.strangers(c.Authors)...)
	// Who only moved the home left nothing in the record, and holds it from now on all the same.
	moves := slices.ContainsFunc(d.items, func(it *item) bool { return it.body.GetNewHome() != "" })
	if c.Rec == nil || d.old != nil && !moves && bytes.Equal(d.old.State, d.rec.State) && d.old.Home == d.rec.Home && len(c.Tell) == 0 {
		return nil, nil
	}
	return c, nil
}

// strangers are the authors of a new record that none of them made: HQ has lost
// it, and what they hold of others' is not what HQ holds.
func (d *draft) strangers(authors []int32) []int32 {
	if d.old != nil || d.rec.Created != 0 {
		return nil
	}
	return authors
}

func (r *run) mergeSlow(d *draft, c *feed.Change) error {
	st, err := merge.Decode(d.rec.State)
	if err != nil {
		return fmt.Errorf("hq/inbox: record %s: %w", d.id, err)
	}
	held := map[schema.Incarnation]schema.Seq{}
	var done []*item
	for _, it := range d.items {
		if seq := held[it.id.Inc]; seq != 0 {
			if err := r.setOutcome(it, waits(seq), seq, nil); err != nil {
				return err
			}
			continue
		}
		v, err := r.mayWrite(d, it)
		if err != nil {
			return err
		}
		var joined *merge.State
		if v.kind == wirev1.OutcomeKind_APPLIED {
			joined, v = join(st, it)
		}
		if v.kind != wirev1.OutcomeKind_APPLIED {
			if err := r.setOutcome(it, v, 0, nil); err != nil {
				return err
			}
			if v.kind != wirev1.OutcomeKind_REFUSED_CHANGE {
				held[it.id.Inc] = it.id.Seq
			}
			continue
		}
		st = joined
		done = append(done, it)
		if err := r.home(d, it); err != nil {
			return err
		}
		if d.rec.Created == 0 && it.body.GetCreate() {
			// Whoever made it is its home, whichever change came first.
			d.rec.Created = it.at.UnixMilli()
			if err := r.made(d, it); err != nil {
				return err
			}
		}
		d.rec.Updated = max(d.rec.Updated, it.at.UnixMilli())
		if !slices.Contains(c.Authors, it.branch.Num) {
			c.Authors = append(c.Authors, it.branch.Num)
		}
		if it.ruled || it.tell {
			c.Tell = append(c.Tell, it.branch.Num)
		}
	}
	if len(done) == 0 {
		c.Rec = nil
	}
	for _, it := range done {
		lost := st.Overridden(d.kind, it.stamp().Edit())
		if len(lost) == 0 {
			if it.again {
				err = r.setOutcome(it, applied, 0, nil)
			}
		} else {
			c.Tell = append(c.Tell, it.branch.Num)
			err = r.setOutcome(it, verdict{wirev1.OutcomeKind_OVERRIDDEN, "a later value is shown"}, 0, lost)
		}
		if err != nil {
			return err
		}
	}
	if d.rec.State = st.Encode(); d.rec.State == nil {
		d.rec.State = []byte{} // of a record that is lost here, only a move of its home has come so far
	}
	d.rec.Columns(d.kind, st.Fold(d.kind))
	return nil
}

// join adds a change to a state. What breaks in it, this change alone is to pay for.
func join(st *merge.State, it *item) (out *merge.State, v verdict) {
	defer func() {
		if p := recover(); p != nil {
			out, v = nil, quarantine("it broke the merge: %v", p)
		}
	}()
	c, err := merge.FromChange(it.stamp(), it.body)
	if err != nil {
		return nil, quarantine("%v", err)
	}
	return merge.Join(st, c), applied
}

// finish writes what the run has gathered.
func (r *run) finish() error {
	if err := r.flush(); err != nil {
		return err
	}
	for n := 0; n < len(r.moved); n++ { // what is judged again may move homes too
		if err := r.judgeAgain("record = $1 AND reason = $2 AND sealed IS NOT NULL", r.moved[n][:], reasonHome); err != nil {
			return err
		}
	}
	if err := r.tellOverdrawn(); err != nil {
		return err
	}
	for _, l := range r.lives {
		if _, err := r.w.Exec("UPDATE incarnation SET watermark = $1, chain = $2, last_at = $3 WHERE inc = $4",
			int64(l.Watermark), l.Chain[:], int64(l.LastAt), int64(l.Inc)); err != nil {
			return err
		}
	}
	for _, x := range r.rulings {
		r.i.ruled[x.inc] = true
		if err := r.saveRuling(x); err != nil {
			return err
		}
	}
	return nil
}

// saveRuling lengthens the run before it or begins one.
func (r *run) saveRuling(x ruling) error {
	var first, last, at int64
	found, err := r.w.Scan("SELECT first, last, first_at FROM ruling WHERE inc = $1 AND first <= $2 ORDER BY first DESC LIMIT 1",
		[]any{int64(x.inc), int64(x.first)}, &first, &last, &at)
	if err != nil {
		return err
	}
	if found && last+1 == int64(x.first) && at+(int64(x.first)-first) == int64(x.at) {
		_, err := r.w.Exec("UPDATE ruling SET last = $1 WHERE inc = $2 AND first = $3", int64(x.last), int64(x.inc), first)
		return err
	}
	_, err = r.w.Exec("INSERT INTO ruling (inc, first, last, first_at) VALUES ($1, $2, $3, $4)", int64(x.inc), int64(x.first), int64(x.last), int64(x.at))
	return err
}
