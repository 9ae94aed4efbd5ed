package inbox

import (
	"crypto/sha256"
	stdsql "database/sql"
	"encoding/binary"
	"fmt"

	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// applySides applies the side branches of a frozen incarnation. What is in one and
// was re-issued is one edit (schema.StampOf): it counts once whichever comes first.
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
				life = sideLife(l.Inc, s.Chain)
			}
			if err := r.applySide(l, b, s, life); err != nil {
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

func (r *run) applySide(l *store.Life, b *store.Branch, s schema.Sealed, life schema.Incarnation) error {
	if s.Erased() {
		return nil
	}
	s.ID.Inc = life
	c := readChange(s)
	if c.bad != nil {
		return r.settleUnread(b, c, quarantine("it cannot be read: %v", c.bad))
	}
	it := &item{id: s.ID, wrote: l.Inc, branch: b, at: schema.Tick(c.body.GetAt()), body: c.body, sealed: s}
	if err := r.rule(l, it); err != nil {
		return err
	}
	k, v := judge(b.Code, c.body)
	if v.kind != wirev1.OutcomeKind_APPLIED {
		return r.setOutcome(it, v, 0, nil)
	}
	r.draft(k, it)
	return nil
}

// wrote is the incarnation under which the author of a change wrote it: another
// than that of its id only when it came in a side branch.
func (r *run) wrote(id schema.ChangeID) (schema.Incarnation, error) {
	inc := int64(id.Inc)
	_, err := r.w.Scan("SELECT inc FROM side WHERE applied = $1 AND inc <> $1 LIMIT 1", []any{inc}, &inc)
	return schema.Incarnation(inc), err
}
