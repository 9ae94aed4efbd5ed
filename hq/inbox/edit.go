package inbox

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/clock"
)

// Edit is one edit made at headquarters.
type Edit struct {
	Kind   schema.Kind
	Record schema.RecordID // zero: a new record is made
	// Create: Record is the id of one that is to be made; the caller has looked that there is none.
	Create bool
	// Values is the kind's message with only the fields written, Names the entries they replace.
	Values    proto.Message
	Names     []*wirev1.Names
	Actor     string // staff code
	Role      branchlinev1.Role
	Confirmed []string
	// Also, if not nil, writes what must be there if and only if the edit is; in the same transaction.
	Also func(w *store.W, id schema.RecordID) error
}

// ownLife is the incarnation of branch hq in this run of the program. Each run
// has its own: after a restore the numbers of the lost ones are never used again.
type ownLife struct {
	inc   schema.Incarnation
	clock *clock.Clock
	ids   *schema.IDs
}

// Edit commits edits of headquarters in one transaction, the same way as a
// branch's: chained, packed, merged and fed out. It gives the records' ids.
// schema.ErrInvalid for what HQ would refuse of a branch.
func (i *Inbox) Edit(ctx context.Context, edits ...Edit) ([]schema.RecordID, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var out []schema.RecordID
	err := i.write(ctx, false, func(r *run) (err error) {
		out, err = r.edit(edits)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: edit: %w", err)
	}
	return out, nil
}

func (r *run) edit(edits []Edit) ([]schema.RecordID, error) {
	hq := r.w.BranchNum(store.HQNum)
	l, own, err := r.ownLife(hq)
	if err != nil {
		return nil, err
	}
	out := make([]schema.RecordID, 0, len(edits))
	sealed := make([]schema.Sealed, 0, len(edits))
	h := schema.PackHeader{Branch: schema.HQ, Inc: l.Inc, First: l.Watermark + 1, Before: l.Chain}
	for _, e := range edits {
		id := e.Record
		if id.IsZero() {
			if id, err = own.ids.New(); err != nil {
				return nil, err
			}
		}
		out = append(out, id)
		s, err := r.sealOwn(l, own, e, id)
		if err != nil {
			return nil, err
		}
		sealed = append(sealed, s)
		if err := r.add(l, hq, readChange(s), false); err != nil {
			return nil, err
		}
		if e.Also != nil {
			if err := e.Also(r.w, id); err != nil {
				return nil, err
			}
		}
	}
	if len(sealed) > schema.MaxPackChanges {
		return nil, schema.Invalid("edits", "are more than %d at once", schema.MaxPackChanges)
	}
	signer := r.i.st.Signer()
	raw, err := r.i.codec.Encode(h, sealed, func(b []byte) ([]byte, error) { return signer.Sign(b), nil })
	if err != nil {
		return nil, err
	}
	_, err = r.w.Exec("INSERT INTO pack (inc, first, last, after, raw) VALUES ($1, $2, $3, $4, $5)",
		int64(l.Inc), int64(h.First), int64(l.Watermark), l.Chain[:], raw)
	return out, err
}

func (r *run) ownLife(hq *store.Branch) (*store.Life, *ownLife, error) {
	i := r.i
	if i.own == nil {
		l, err := r.w.Issue(hq, nil)
		if err != nil {
			return nil, nil, err
		}
		var last int64
		if _, err := r.w.Scan("SELECT COALESCE(MAX(last_at), 0) FROM incarnation WHERE branch = $1", []any{store.HQNum}, &last); err != nil {
			return nil, nil, err
		}
		// IDs read randomness through the store, which locks it.
		i.own = &ownLife{l.Inc, clock.New(i.st.Now, schema.Tick(last)), schema.NewIDs(i.st.Now, randomOf{i.st})}
		i.lives[l.Inc] = l
	}
	l, err := r.life(i.own.inc)
	if err == nil && l == nil {
		err = errors.New("headquarters' own incarnation is gone")
	}
	return l, i.own, err
}

type randomOf struct{ st *store.Store }

func (x randomOf) Read(b []byte) (int, error) { return len(b), x.st.Random(b) }

func (r *run) sealOwn(l *store.Life, own *ownLife, e Edit, id schema.RecordID) (schema.Sealed, error) {
	var zero schema.Sealed
	values, err := proto.MarshalOptions{Deterministic: true}.Marshal(e.Values)
	if err != nil {
		return zero, err
	}
	b := &wirev1.ChangeBody{
		Kind: uint32(e.Kind), Record: id[:], Values: values, Names: e.Names, Actor: e.Actor, Role: uint32(e.Role),
		Confirmed: e.Confirmed, Create: e.Record.IsZero() || e.Create,
	}
	var named []schema.Tick
	for _, n := range e.Names {
		for _, x := range n.GetEntries() {
			named = append(named, schema.Tick(x.GetAt()))
		}
	}
	b.At = uint64(own.clock.Stamp(named...))
	if _, v := judge(schema.HQ, b); v.kind != wirev1.OutcomeKind_APPLIED {
		return zero, schema.Invalid("", "%s", v.reason)
	}
	payload, err := proto.MarshalOptions{Deterministic: true}.Marshal(b)
	if err != nil {
		return zero, err
	}
	if len(payload) > schema.MaxChange {
		return zero, fmt.Errorf("a change of %d bytes: %w", len(payload), schema.ErrTooLarge)
	}
	var salt [16]byte
	if err := r.i.st.Random(salt[:]); err != nil {
		return zero, err
	}
	return schema.Seal(schema.ChangeID{Branch: schema.HQ, Inc: l.Inc, Seq: l.Watermark + 1}, l.Chain, salt, payload), nil
}
