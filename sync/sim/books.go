package sim

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// stored is one change as HQ has it.
type stored struct {
	schema.Sealed // ID is the one its entries bear at HQ
	from          schema.Incarnation
	side          bool
}

// changes are all changes HQ has, those of applied side branches included.
func (b *Books) changes() ([]stored, error) {
	z, err := schema.NewPackCodec()
	if err != nil {
		return nil, err
	}
	defer z.Close()
	chains := map[schema.Hash]bool{}
	var out []stored
	for i, list := range [][]BookPack{b.Packs, b.Sides} {
		for _, p := range list {
			h, _, _, body, err := schema.ParsePackHeader(p.Raw)
			if err != nil {
				return nil, fmt.Errorf("a pack HQ keeps: %w", err)
			}
			changes, err := z.Decode(h, body)
			if err != nil {
				return nil, fmt.Errorf("a pack HQ keeps: %w", err)
			}
			for _, c := range changes {
				if chains[c.Chain] || i == 1 && p.Life == 0 {
					continue
				}
				chains[c.Chain] = true
				x := stored{Sealed: c, from: h.Inc, side: i == 1}
				if x.side {
					x.ID.Inc = p.Life
				}
				out = append(out, x)
			}
		}
	}
	return out, nil
}

// auditAll is the audit at rest.
func (w *World) auditAll() {
	books, err := w.hub.proc.Books()
	if err != nil {
		w.broke(err)
		return
	}
	list, err := books.changes()
	if err != nil {
		w.fail("I2", zeroID, "%v", err)
		return
	}
	counts := books.counting(list)
	for _, check := range []func(){
		func() { w.signedBySelf(books) },
		func() { w.gapless(books, list) },
		func() { w.once(list) },
		func() { w.converged(books, counts) },
		func() { w.scopes(books, counts) },
		w.pages, w.bounded,
	} {
		check()
		if w.stop() {
			return
		}
	}
}

// counting are the changes that count: not those a person discarded or has yet to decide on.
func (b *Books) counting(list []stored) []stored {
	idle := map[schema.ChangeID]bool{}
	for _, o := range b.Outcomes {
		switch o.Kind {
		case wirev1.OutcomeKind_QUARANTINED, wirev1.OutcomeKind_WAITS, wirev1.OutcomeKind_DISCARDED:
			idle[schema.ChangeID{Branch: o.Branch, Inc: o.Inc, Seq: o.Seq}] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(c stored) bool { return idle[c.ID] })
}

// signedBySelf holds I6: every pack HQ keeps under a branch's name is one that
// this branch handed to its road.
func (w *World) signedBySelf(b *Books) {
	for _, p := range slices.Concat(b.Packs, b.Sides) {
		if p.Branch != schema.HQ && !w.audit.sent[p.Branch][sha256.Sum256(p.Raw)] {
			w.fail("I6", zeroID, "HQ keeps a pack of %s that %s never sent", p.Inc, p.Branch)
			return
		}
	}
}

// gapless holds I2.
func (w *World) gapless(b *Books, list []stored) {
	type at struct {
		seq   schema.Seq
		chain schema.Hash
	}
	lives := map[schema.Incarnation]at{}
	for _, c := range list {
		if c.side {
			continue
		}
		l := lives[c.ID.Inc]
		if c.ID.Seq != l.seq+1 {
			w.fail("I2", zeroID, "HQ has %d of %s after %d", c.ID.Seq, c.ID.Inc, l.seq)
			return
		}
		if want := schema.NextChain(l.chain, c.PayloadHash); want != c.Chain {
			w.fail("I2", zeroID, "HQ's chain of %s breaks at %d", c.ID.Inc, c.ID.Seq)
			return
		}
		lives[c.ID.Inc] = at{c.ID.Seq, c.Chain}
	}
	for _, l := range b.Lives {
		if have := lives[l.Inc]; have.seq != l.Watermark || have.chain != l.Chain {
			w.fail("I2", zeroID, "HQ's watermark of %s is %d, its packs reach %d", l.Inc, l.Watermark, have.seq)
			return
		}
	}
	seen := map[schema.ChangeID]bool{}
	for _, o := range b.Outcomes {
		id := schema.ChangeID{Branch: o.Branch, Inc: o.Inc, Seq: o.Seq}
		if seen[id] {
			w.fail("I2", zeroID, "%s has two outcomes", id)
			return
		}
		seen[id] = true
		switch o.Kind {
		case wirev1.OutcomeKind_OVERRIDDEN, wirev1.OutcomeKind_APPLIED, wirev1.OutcomeKind_NO_CHANGE:
		case wirev1.OutcomeKind_OVERDRAWN: // cut-off branches use one card
		case wirev1.OutcomeKind_QUARANTINED, wirev1.OutcomeKind_WAITS, wirev1.OutcomeKind_DISCARDED:
			if w.faults[Replace] > 0 {
				break
			}
			fallthrough
		default:
			// People do nothing in these runs that HQ should not take.
			w.fail("I2", zeroID, "HQ's outcome of %s is %s: %s", id, o.Kind, o.Reason)
			return
		}
	}
}

// once holds the first half of I1: every acknowledged edit is at HQ. That it is
// there once follows from converged.
func (w *World) once(list []stored) {
	have := newKnown()
	for _, c := range list {
		have.add(c.Sealed)
	}
	for _, e := range w.audit.order {
		if !e.excused && !have.has(e) {
			w.fail("I1", e.record, "%s, saved at %s (%s %s), never reached HQ", e.id, e.machine, schema.KindOf(e.kind).Name, e.record)
			return
		}
	}
}

// converged holds I3 and the second half of I1: HQ's records are what the field
// rules make of the set of edits, each counted once, whatever order, copies and
// re-issues they came in.
func (w *World) converged(b *Books, list []stored) {
	want, err := w.join(b, list)
	if err != nil {
		w.fail("I3", zeroID, "%v", err)
		return
	}
	have := map[schema.RecordID]bool{}
	for _, r := range b.Records {
		have[r.ID] = true
		k := schema.KindOf(r.Kind)
		st, err := merge.Decode(r.State)
		if err != nil {
			w.fail("I3", r.ID, "HQ's %s %s: %v", k.Name, r.ID, err)
			return
		}
		if got := st.Fold(k); !bytes.Equal(got, want[r.ID].Fold(k)) {
			g, _ := st.Message(k)
			x, _ := want[r.ID].Message(k)
			w.fail("I3", r.ID, "HQ's %s %s is %v, all its edits make %v\n%s\n%s", k.Name, r.ID, g, x, describe(st), describe(want[r.ID]))
			return
		}
	}
	for id := range want {
		if !have[id] {
			w.fail("I3", id, "HQ has edits of %s and no record", id)
			return
		}
	}
}

// join makes the records out of the set of edits. Copies of one edit (a change and
// its re-issues) have its name and make nothing twice; two edits never have one name.
func (w *World) join(b *Books, list []stored) (map[schema.RecordID]*merge.State, error) {
	out := map[schema.RecordID]*merge.State{}
	edits := map[schema.ChangeID]schema.Hash{}
	for i := range list {
		c := &list[i]
		body, err := c.Body()
		if err != nil {
			return nil, err
		}
		key := c.Chain
		if o := body.GetOrigin(); o != nil {
			if key, err = schema.HashFromBytes(o.GetChain()); err != nil {
				return nil, err
			}
		}
		stamp := schema.StampOf(schema.ChangeID{Branch: c.ID.Branch, Inc: c.from, Seq: c.ID.Seq}, b.timeOf(c, body), body)
		if old, ok := edits[stamp.Edit()]; ok && old != key && !key.IsZero() && !old.IsZero() {
			return nil, fmt.Errorf("two edits have the name %s", stamp.Edit())
		} else if !ok || old.IsZero() {
			edits[stamp.Edit()] = key // without a chain hash when a rebuild offered it
		}
		st, err := merge.FromChange(stamp, body)
		if err != nil {
			return nil, err
		}
		id, err := schema.RecordIDFromBytes(body.GetRecord())
		if err != nil {
			return nil, err
		}
		out[id] = merge.Join(out[id], st)
	}
	return out, nil
}

func (b *Books) timeOf(c *stored, body *wirev1.ChangeBody) schema.Tick {
	for _, r := range b.Rulings {
		if schema.Incarnation(r.GetIncarnation()) == c.ID.Inc && int64(c.ID.Seq) >= r.GetFirstSeq() && int64(c.ID.Seq) <= r.GetLastSeq() {
			return schema.Tick(r.GetFirstAt()) + schema.Tick(int64(c.ID.Seq)-r.GetFirstSeq())
		}
	}
	return schema.Tick(body.GetAt())
}

// describe is a state for people.
func describe(s *merge.State) string {
	var b strings.Builder
	for _, num := range s.Numbers() {
		fmt.Fprintf(&b, "%d{", num)
		list := slices.Clone(s.Entries(num))
		slices.SortFunc(list, func(x, y merge.Entry) int { return cmp.Or(x.Stamp.Compare(y.Stamp), cmp.Compare(x.Ord, y.Ord)) })
		for i, e := range list {
			if i > 0 {
				b.WriteString(" ")
			}
			fmt.Fprintf(&b, "%s/%s/%d.%d@%d", e.Stamp.Branch, e.Stamp.Inc, e.Stamp.Seq, e.Ord, e.Stamp.At)
			switch {
			case e.Dead:
				b.WriteString("†")
			case e.Remove:
				b.WriteString("-")
			case len(e.Value) < 40:
				fmt.Fprintf(&b, "%q", e.Value)
			}
			for _, n := range e.Names {
				fmt.Fprintf(&b, ">%s/%s/%d.%d", n.Branch, n.Inc, n.Seq, n.Ord)
			}
		}
		b.WriteString("} ")
	}
	return b.String()
}
