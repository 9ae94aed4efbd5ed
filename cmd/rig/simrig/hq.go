package simrig

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/hq/feed"
	"branchline/hq/golden"
	"branchline/hq/inbox"
	hqstore "branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/link"
	"branchline/sync/sim"
)

// hq is one process of headquarters: what package hq puts together, without the
// bus, which the simulator is.
type hq struct {
	ctx    context.Context
	st     *hqstore.Store
	scope  *feed.Scope
	inbox  *inbox.Inbox
	golden *golden.Golden
	feed   *feed.Feed
	codec  *schema.PackCodec
	stream string // which UP there is
}

var _ sim.HQ = (*hq)(nil)

// Work implements sim.HQ.
func (h *hq) Work(packs []sim.Pack) ([]sim.Word, error) {
	in := make([]inbox.Incoming, len(packs))
	for i, p := range packs {
		in[i] = inbox.Incoming{Subject: p.Branch, Data: p.Data, Stream: p.Stream, StreamSeq: p.Seq, Ack: p.Ack}
	}
	receipts, err := h.inbox.Work(h.ctx, in)
	out := make([]sim.Word, len(receipts))
	for i, r := range receipts {
		out[i] = sim.Word{To: r.Branch, Data: r.Data}
	}
	return out, err
}

// BeforeHello implements sim.HQ.
func (h *hq) BeforeHello(drain func() error) error { return drain() }

// Ask implements sim.HQ.
func (h *hq) Ask(r sim.Request) ([]byte, error) {
	switch r.Verb {
	case link.VerbHello:
		req := new(wirev1.HelloRequest)
		if err := proto.Unmarshal(r.Data, req); err != nil {
			return nil, err
		}
		probe := func(context.Context, []byte) ([]byte, bool) { return []byte("another"), r.OtherBoot }
		a, err := h.inbox.HelloBy(h.ctx, r.Branch, r.Key, req, probe)
		return answer(a, err)
	case link.VerbTake:
		req := new(wirev1.TakeBackRequest)
		if err := proto.Unmarshal(r.Data, req); err != nil {
			return nil, err
		}
		a, err := h.inbox.TakeBack(h.ctx, r.Branch, req)
		return answer(a, err)
	case link.VerbBeat:
		req := new(wirev1.Beat)
		if err := proto.Unmarshal(r.Data, req); err != nil {
			return nil, err
		}
		a, err := h.feed.Beat(h.ctx, r.Branch, req)
		return answer(a, err)
	case link.VerbPull:
		req := new(wirev1.PullRequest)
		if err := proto.Unmarshal(r.Data, req); err != nil {
			return nil, err
		}
		p, err := h.feed.Pull(h.ctx, r.Branch, req)
		if err != nil {
			return nil, err
		}
		return link.EncodePage(h.codec, p, int(req.GetForm()))
	}
	return nil, schema.Invalid("verb", "%q is none", r.Verb)
}

func answer(m proto.Message, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return proto.Marshal(m)
}

// Settle implements sim.HQ.
func (h *hq) Settle() ([]schema.BranchID, error) {
	if err := h.golden.Catch(h.ctx); err != nil {
		return nil, err
	}
	return h.feed.Whom(), nil
}

// Poke implements sim.HQ.
func (h *hq) Poke(b schema.BranchID) (*wirev1.Poke, error) { return h.feed.Poke(h.ctx, b, h.codec) }

// ReEnrol implements sim.HQ. The machine has its key already: the token is nobody's.
func (h *hq) ReEnrol(b schema.BranchID) error {
	_, err := h.inbox.ReEnrol(h.ctx, b)
	return err
}

// Quarantine implements sim.HQ.
func (h *hq) Quarantine() ([]schema.ChangeID, error) {
	list, err := h.inbox.Quarantine(h.ctx, "", 0, 1<<20)
	var out []schema.ChangeID
	for _, q := range list {
		if q.WaitsFor == 0 {
			out = append(out, q.Change)
		}
	}
	return out, err
}

// Decide implements sim.HQ.
func (h *hq) Decide(id schema.ChangeID, discard bool) error {
	_, err := h.inbox.Settle(h.ctx, id, discard)
	return err
}

// BackedUp implements sim.HQ: what the backup command notes beside the copy.
func (h *hq) BackedUp() error {
	err := h.st.Write(h.ctx, func(w *hqstore.W) error {
		var n int64
		if _, err := w.Scan("INSERT INTO backup (name, at) VALUES ($1, $2) RETURNING n", []any{fmt.Sprintf("at rev %d", w.Rev()), w.Clock()}, &n); err != nil {
			return err
		}
		_, err := w.Exec("INSERT INTO backup_mark (backup, inc, watermark) SELECT $1, inc, watermark FROM incarnation", n)
		return err
	})
	if err == nil {
		h.inbox.BackedUp()
	}
	return err
}

// Epoch implements sim.HQ.
func (h *hq) Epoch() schema.EpochID { return h.st.Epoch() }

// Rev implements sim.HQ.
func (h *hq) Rev() schema.Rev { return h.st.Rev() }

// Stream implements sim.HQ.
func (h *hq) Stream(id string) { h.stream = id }

// Books implements sim.HQ.
func (h *hq) Books() (*sim.Books, error) {
	b := &sim.Books{Entities: map[schema.BranchID]schema.EntityID{}}
	code := func(num int32) schema.BranchID {
		if x := h.st.BranchNum(num); x != nil {
			return x.Code
		}
		return ""
	}
	for _, x := range h.st.Branches() {
		b.Entities[x.Code] = x.Entity
	}
	err := h.st.Read(h.ctx, func(r *hqstore.R) error {
		lives := map[int64]schema.BranchID{}
		return errors.Join(
			r.Each("SELECT inc, branch, state, watermark, chain FROM incarnation ORDER BY inc", nil, func(rows *stdsql.Rows) error {
				var inc, mark int64
				var branch int32
				var state int
				var chain []byte
				if err := rows.Scan(&inc, &branch, &state, &mark, &chain); err != nil {
					return err
				}
				c, err := schema.HashFromBytes(chain)
				lives[inc] = code(branch)
				b.Lives = append(b.Lives, sim.BookLife{Branch: code(branch), Inc: schema.Incarnation(inc), Watermark: schema.Seq(mark), Chain: c, Frozen: state == hqstore.LifeFrozen})
				return err
			}),
			r.Each("SELECT inc, raw FROM pack ORDER BY inc, first", nil, func(rows *stdsql.Rows) error {
				var inc int64
				var raw []byte
				err := rows.Scan(&inc, &raw)
				b.Packs = append(b.Packs, sim.BookPack{Branch: lives[inc], Inc: schema.Incarnation(inc), Raw: raw})
				return err
			}),
			r.Each("SELECT branch, inc, raw, applied FROM side ORDER BY inc, first, n", nil, func(rows *stdsql.Rows) error {
				var branch int32
				var inc, life int64
				var raw []byte
				err := rows.Scan(&branch, &inc, &raw, &life)
				b.Sides = append(b.Sides, sim.BookPack{Branch: code(branch), Inc: schema.Incarnation(inc), Raw: raw, Life: schema.Incarnation(life)})
				return err
			}),
			r.Each("SELECT inc, first, last, first_at FROM ruling ORDER BY inc, first", nil, func(rows *stdsql.Rows) error {
				x := new(wirev1.RulingRun)
				var at int64
				err := rows.Scan(&x.Incarnation, &x.FirstSeq, &x.LastSeq, &at)
				x.FirstAt = uint64(at)
				b.Rulings = append(b.Rulings, x)
				return err
			}),
			r.Each("SELECT branch, inc, seq, kind, reason FROM outcome ORDER BY inc, seq", nil, func(rows *stdsql.Rows) error {
				var o sim.BookOutcome
				var branch int32
				err := rows.Scan(&branch, &o.Inc, &o.Seq, &o.Kind, &o.Reason)
				o.Branch = code(branch)
				b.Outcomes = append(b.Outcomes, o)
				return err
			}),
			r.Each("SELECT id, kind, home, state, COALESCE(grp, 0) FROM record ORDER BY id", nil, func(rows *stdsql.Rows) error {
				var x sim.BookRecord
				var id []byte
				var home int32
				if err := rows.Scan(&id, &x.Kind, &home, &x.State, &x.Group); err != nil {
					return err
				}
				var err error
				x.ID, err = schema.RecordIDFromBytes(id)
				x.Home = code(home)
				b.Records = append(b.Records, x)
				return err
			}),
		)
	})
	if err != nil {
		return nil, err
	}
	c, err := h.golden.Check(h.ctx)
	if err == nil && len(c.Differences) > 0 {
		err = fmt.Errorf("groups are not those of the records: %s", c.Differences[0])
	}
	return b, err
}

// Crash implements sim.HQ.
func (h *hq) Crash() error {
	h.codec.Close()
	return h.st.Close()
}
