package store

import (
	"bytes"
	"context"
	"time"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// miniHQ is headquarters as one branch sees it: states, revs, outcomes and marks.
type miniHQ struct {
	b       *bench
	epoch   int64
	rev     int64
	taken   schema.Seq // watermark of the branch's life
	recs    map[schema.RecordID]*hqRecord
	out     map[schema.Seq]*wirev1.Row
	waiting map[schema.Seq]schema.Sealed
	foreign int64
}

type hqRecord struct {
	state *merge.State
	kind  schema.Kind
	home  string
	rev   int64 // 0: only own rows, shown in full passes
	own   int64
}

func newMiniHQ(b *bench) *miniHQ {
	return &miniHQ{b: b, epoch: 7, recs: map[schema.RecordID]*hqRecord{}, out: map[schema.Seq]*wirev1.Row{}, waiting: map[schema.Seq]schema.Sealed{}}
}

func (h *miniHQ) next() int64 { h.rev++; return h.rev }

// take takes up to n of the branch's changes. hold decides whether one is quarantined.
func (h *miniHQ) take(n int, hold func() bool) {
	_, out, err := h.b.Outgoing(context.Background(), 11, h.taken, n, 1<<20)
	if err != nil {
		h.b.t.Fatal(err)
	}
	for _, s := range out {
		h.taken = s.ID.Seq
		body, _ := s.Body()
		id, _ := schema.RecordIDFromBytes(body.Record)
		behind := schema.Seq(0)
		for q, w := range h.waiting {
			wb, _ := w.Body()
			if bytes.Equal(wb.Record, body.Record) && (behind == 0 || q < behind) {
				behind = q
			}
		}
		switch {
		case behind != 0:
			h.waiting[s.ID.Seq] = s
			h.tell(s.ID.Seq, &wirev1.Outcome{Kind: wirev1.OutcomeKind_WAITS, WaitsFor: int64(behind)})
		case hold():
			h.waiting[s.ID.Seq] = s
			h.tell(s.ID.Seq, &wirev1.Outcome{Kind: wirev1.OutcomeKind_QUARANTINED, Reason: "test"})
		default:
			h.apply(id, s, body)
		}
	}
}

func (h *miniHQ) tell(seq schema.Seq, o *wirev1.Outcome) {
	o.Incarnation, o.Seq = 11, int64(seq)
	h.out[seq] = &wirev1.Row{Row: wirev1.RowKind_OUTCOME, Rev: h.next(), Outcome: o}
}

func (h *miniHQ) apply(id schema.RecordID, s schema.Sealed, body *wirev1.ChangeBody) {
	r := h.recs[id]
	if r == nil {
		r = &hqRecord{kind: schema.Kind(body.Kind), home: "pd", state: new(merge.State), own: h.next()}
		h.recs[id] = r
	}
	c, err := merge.FromChange(schema.StampOf(s.ID, schema.Tick(body.At), body), body)
	if err != nil {
		h.b.t.Fatal(err)
	}
	r.state = merge.Join(r.state, c)
	if len(r.state.Overridden(schema.KindOf(r.kind), schema.StampOf(s.ID, 0, body).Edit())) > 0 {
		r.rev = h.next()
	}
}

// release applies everything that waits, in seq order, or discards it.
func (h *miniHQ) release(discard bool) {
	for seq := schema.Seq(1); seq <= h.taken; seq++ {
		s, ok := h.waiting[seq]
		if !ok {
			continue
		}
		delete(h.waiting, seq)
		body, _ := s.Body()
		id, _ := schema.RecordIDFromBytes(body.Record)
		if discard {
			h.tell(seq, &wirev1.Outcome{Kind: wirev1.OutcomeKind_DISCARDED})
			continue
		}
		h.apply(id, s, body)
		h.recs[id].rev = h.next()
		h.tell(seq, &wirev1.Outcome{Kind: wirev1.OutcomeKind_APPLIED})
	}
}

// edit is another branch's change of a record.
func (h *miniHQ) edit(id schema.RecordID, k schema.Kind, values []byte, at time.Time) {
	h.foreign++
	r := h.recs[id]
	if r == nil {
		r = &hqRecord{kind: k, home: "xh", state: new(merge.State)}
		h.recs[id] = r
	}
	c, err := merge.FromChange(schema.Stamp{At: schema.TickAt(at), Branch: "xh", Inc: 5, Seq: schema.Seq(h.foreign)}, &wirev1.ChangeBody{Values: values})
	if err != nil {
		h.b.t.Fatal(err)
	}
	r.state = merge.Join(r.state, c)
	r.rev = h.next()
}

// rows are what a pull from cursor shows, by rev; at most n.
func (h *miniHQ) page(cursor int64, n int, full bool) *wirev1.Page {
	p := &wirev1.Page{Epoch: h.epoch, HqRev: h.rev, LastRev: cursor, Marks: []*wirev1.Mark{{Branch: "pd", Incarnation: 11, Watermark: int64(h.taken)}}}
	for {
		var best *wirev1.Row
		offer := func(r *wirev1.Row) {
			if r.Rev > p.LastRev && (best == nil || r.Rev < best.Rev) {
				best = r
			}
		}
		for id, r := range h.recs {
			rev := r.rev
			if rev == 0 && full {
				rev = r.own
			}
			if rev > 0 {
				offer(recordRow(rev, id, r.kind, r.home, r.state.Encode()))
			}
		}
		for _, o := range h.out {
			offer(o)
		}
		if best == nil {
			p.Full, p.LastRev = true, h.rev
			return p
		}
		if len(p.Rows) == n {
			return p
		}
		p.Rows = append(p.Rows, best)
		p.LastRev = best.Rev
	}
}

// pass pulls everything from the cursor, page by page.
func (h *miniHQ) pass(cursor int64, n int, full bool) int64 {
	for {
		p := h.page(cursor, n, full)
		h.b.page(p)
		if cursor = p.LastRev; p.Full {
			return cursor
		}
	}
}

func (b *bench) shown(id schema.RecordID) *merge.State {
	b.t.Helper()
	_, st, err := b.State(context.Background(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

func (b *bench) line() Line {
	b.t.Helper()
	l, err := b.Line(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

func (b *bench) setName(id schema.RecordID, name string) Result {
	b.t.Helper()
	return b.put(Edit{ID: id, Message: customer(name), Mask: []string{"name"}, Etag: b.get(id).GetEtag()})
}
