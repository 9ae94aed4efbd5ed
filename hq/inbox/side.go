package inbox

import (
	"crypto/sha256"
	stdsql "database/sql"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// origin settles that a change which exists in two copies counts once. A change
// of a frozen incarnation that was re-issued already is skipped; a re-issued one
// whose first copy is in takes that copy's place, so that the branch's own names
// for its entries hold.
func (r *run) origin(l *store.Life, it *item) (skip bool, err error) {
	if l.State == store.LifeFrozen {
		var inc, seq int64
		found, err := r.w.Scan("SELECT inc, seq FROM origin WHERE chain = $1", []any{it.sealed.Chain[:]}, &inc, &seq)
		if err != nil {
			return false, err
		}
		if found {
			// The branch must not take it for applied as written: it stands under another name.
			return true, r.setOutcome(it, verdict{wirev1.OutcomeKind_NO_CHANGE, "another copy of it is in"}, 0, nil)
		}
	}
	o := it.body.GetOrigin()
	if o == nil {
		return false, nil
	}
	if len(o.GetChain()) == 0 && o.GetIncarnation() > 0 && o.GetSeq() > 0 {
		return false, nil // offered anew by a rebuild: joining it twice changes nothing
	}
	chain, err := schema.HashFromBytes(o.GetChain())
	if err != nil || chain.IsZero() {
		return true, r.setOutcome(it, refuse("the change names no origin that could be"), 0, nil)
	}
	var inc schema.Incarnation
	var seq schema.Seq
	found, err := r.w.Scan("SELECT inc, seq FROM origin WHERE chain = $1", []any{chain[:]}, &inc, &seq)
	if err != nil {
		return false, err
	}
	if found {
		it.instead = append(it.instead, schema.ChangeID{Branch: it.id.Branch, Inc: inc, Seq: seq})
	}
	first := schema.ChangeID{Branch: it.id.Branch, Inc: schema.Incarnation(o.GetIncarnation()), Seq: schema.Seq(o.GetSeq())}
	ours, ok, err := r.i.st.ChainAt(r, first.Inc, first.Seq)
	if err != nil {
		return false, err
	}
	if ok && ours == chain {
		it.instead = append(it.instead, first)
	}
	_, err = r.w.Exec("INSERT INTO origin (chain, inc, seq) VALUES ($1, $2, $3) ON CONFLICT (chain) DO UPDATE SET inc = excluded.inc, seq = excluded.seq",
		chain[:], int64(it.id.Inc), int64(it.id.Seq))
	return false, err
}

// applySides applies the side branches of a frozen incarnation, each change once.
func (r *run) applySides(l *store.Life, b *store.Branch) error {
	type side struct {
		n             int64
		before, after schema.Hash
		raw           []byte
		first         schema.Seq
	}
	var list []*side
	ends := map[schema.Hash]schema.Incarnation{} // chain hash at the end of an applied pack -> the life its changes were given
	err := r.w.Each("SELECT n, first, before, after, raw, applied FROM side WHERE inc = $1 ORDER BY first, n", []any{int64(l.Inc)}, func(rows *stdsql.Rows) error {
		x := new(side)
		var before, after []byte
		var applied schema.Incarnation
		if err := rows.Scan(&x.n, &x.first, &before, &after, &x.raw, &applied); err != nil {
			return fmt.Errorf("hq/inbox: read side branches: %w", err)
		}
		copy(x.before[:], before)
		copy(x.after[:], after)
		if applied != 0 {
			ends[x.after] = applied
			return nil
		}
		list = append(list, x)
		return nil
	})
	if err != nil {
		return err
	}
	for _, x := range list {
		changes, err := r.i.st.OpenPack(x.raw)
		if err != nil {
			return fmt.Errorf("hq/inbox: side branch of %s: %w", l.Inc, err)
		}
		life := ends[x.before]
		fork := schema.Seq(0)
		if life == 0 {
			ours, ok, err := r.i.st.ChainAt(r, l.Inc, x.first-1)
			if err != nil {
				return err
			}
			if !ok && x.first-1 == l.Watermark {
				ours, ok = l.Chain, true
			}
			if !ok || ours != x.before {
				continue // what comes before it is not here yet
			}
		}
		for _, s := range changes {
			if life == 0 {
				ours, ok, err := r.i.st.ChainAt(r, l.Inc, s.ID.Seq)
				if err != nil {
					return err
				}
				if ok && ours == s.Chain {
					continue // before the fork
				}
				life, fork = sideLife(l.Inc, s.Chain), s.ID.Seq-1
			}
			if err := r.applySide(l, b, s, life, fork); err != nil {
				return err
			}
		}
		ends[x.after] = life
		if life == 0 {
			life = l.Inc // all of it was HQ's own
		}
		if _, err := r.w.Exec("UPDATE side SET applied = $1 WHERE n = $2", int64(life), x.n); err != nil {
			return err
		}
	}
	return nil
}

// sideLife names the life a side branch's changes are given: their seqs are
// taken by others in the incarnation they came in.
func sideLife(inc schema.Incarnation, firstChain schema.Hash) schema.Incarnation {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(inc))
	h := sha256.New()
	h.Write([]byte("side branch"))
	h.Write(b[:])
	h.Write(firstChain[:])
	n := binary.BigEndian.Uint64(h.Sum(nil)) >> 1
	return schema.Incarnation(n | 1)
}

func (r *run) applySide(l *store.Life, b *store.Branch, s schema.Sealed, life schema.Incarnation, fork schema.Seq) error {
	var inc, seq int64
	found, err := r.w.Scan("SELECT inc, seq FROM origin WHERE chain = $1", []any{s.Chain[:]}, &inc, &seq)
	if err != nil || found || s.Erased() {
		return err
	}
	if _, err := r.w.Exec("INSERT INTO origin (chain, inc, seq) VALUES ($1, $2, $3)", s.Chain[:], int64(life), int64(s.ID.Seq)); err != nil {
		return err
	}
	s.ID.Inc = life
	body, err := s.Body()
	if err != nil {
		return r.settleUnread(b, change{Sealed: s, bad: err}, quarantine("it cannot be read: %v", err))
	}
	body = proto.CloneOf(body)
	for _, n := range body.GetNames() {
		for _, e := range n.GetEntries() {
			if e.GetBranch() == string(b.Code) && e.GetIncarnation() == int64(l.Inc) && e.GetSeq() > int64(fork) && fork > 0 {
				e.Incarnation = int64(life)
			}
		}
	}
	it := &item{id: s.ID, branch: b, at: schema.Tick(body.GetAt()), body: body, sealed: s}
	if err := r.rule(l, it); err != nil {
		return err
	}
	k, v := judge(b.Code, body)
	if v.kind != wirev1.OutcomeKind_APPLIED {
		return r.setOutcome(it, v, 0, nil)
	}
	if body.GetOrigin() != nil {
		skip, err := r.origin(&store.Life{Inc: life, State: store.LifeCurrent}, it)
		if err != nil || skip {
			return err
		}
	}
	r.draft(k, it)
	return nil
}
