package store

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/oplog"
)

// OwnChanges lists this branch's changes, newest first: those HQ has not
// committed yet, or with lookAt those a person should look at: with an outcome that
// is not settled, or that lost to a later value and are not shown.
// Title is left to the caller. The token is "" at the end.
func (s *Store) OwnChanges(ctx context.Context, lookAt bool, n int, token string) ([]*branchlinev1.OwnChange, string, error) {
	at, before := int64(1<<63-1), int64(1<<63-1)
	if token != "" {
		b, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(b) != 17 || (b[0] == 1) != lookAt {
			return nil, "", schema.Invalid("page_token", "was not given for this list: begin again without one")
		}
		at, before = int64(binary.BigEndian.Uint64(b[1:])), int64(binary.BigEndian.Uint64(b[9:]))
	}
	if n <= 0 {
		n = 50
	}
	n = min(n, 1000)
	var out []*branchlinev1.OwnChange
	var next string
	err := s.reading(ctx, func(r *reader) error {
		var list []lookedAt
		var err error
		if lookAt {
			list, err = r.lookAt(at, before, n+1)
		} else {
			list, err = r.waiting(before, n+1)
		}
		if err != nil {
			return err
		}
		if len(list) > n {
			list = list[:n]
			b := binary.BigEndian.AppendUint64([]byte{byte(flag(lookAt))}, uint64(list[n-1].at))
			next = base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(b, uint64(list[n-1].id)))
		}
		for _, x := range list {
			var c *branchlinev1.OwnChange
			if x.n != 0 {
				c, err = r.lostEdit(x)
			} else {
				c, err = r.ownChange(x.id)
			}
			if err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	})
	return out, next, err
}

// waiting are the changes HQ has not committed yet, newest first.
func (r *reader) waiting(before int64, n int) ([]lookedAt, error) {
	// By the key of the log: what HQ has of it is not read.
	rows, err := r.tx.QueryContext(r.ctx, `SELECT c.id FROM life l CROSS JOIN change c ON c.id > (l.no << 40) + max(l.watermark, l.folded) AND c.id < min($1, (l.no + 1) << 40)
		WHERE l.former = 0 AND NOT EXISTS (SELECT 1 FROM outcome o WHERE o.inc = l.inc AND o.seq = c.id & 1099511627775) ORDER BY c.id DESC LIMIT $2`, before, n)
	if err != nil {
		return nil, fmt.Errorf("store: own changes: %w", err)
	}
	defer rows.Close()
	var out []lookedAt
	for rows.Next() {
		var x lookedAt
		if err := rows.Scan(&x.id); err != nil {
			return nil, fmt.Errorf("store: own changes: %w", err)
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

func (r *reader) ownChange(id int64) (*branchlinev1.OwnChange, error) {
	no, seq := oplog.SplitRowID(id)
	l := r.life(no)
	w, err := r.where(id, nil)
	if err != nil {
		return nil, err
	}
	out := &branchlinev1.OwnChange{Change: w.GetChange(), Where: w}
	o, err := r.outcome(l.Inc, seq)
	if err != nil {
		return nil, err
	}
	out.WaitsFor = o.GetWaitsFor()
	c, err := oplog.One(r.ctx, r.tx, l, r.branch, seq)
	if errors.Is(err, schema.ErrNotFound) || err == nil && c.Erased() {
		return out, nil // forgotten or erased since: only what became of it is known
	}
	if err != nil {
		return nil, err
	}
	b, err := c.Body()
	if err != nil {
		return nil, err
	}
	k := schema.KindOf(schema.Kind(b.GetKind()))
	if k == nil {
		return out, nil
	}
	out.Record, out.At, out.Actor, out.Created = schema.ResourceName(k.Kind, c.Record), c.At.UnixMilli(), b.GetActor(), b.GetCreate()
	if !b.GetCreate() {
		out.Fields = fieldsOf(k, b)
	}
	return out, nil
}

// fieldsOf are the names of the fields a change writes or removes.
func fieldsOf(k *schema.KindInfo, b *wirev1.ChangeBody) []string {
	wrote := map[int32]bool{}
	for v := b.GetValues(); len(v) > 0; {
		num, _, n := protowire.ConsumeField(v)
		if n < 0 {
			break
		}
		wrote[int32(num)] = true
		v = v[n:]
	}
	for _, n := range b.GetNames() {
		wrote[int32(n.GetField())] = true
	}
	var out []string
	for _, f := range k.Fields {
		if wrote[f.Number] {
			out = append(out, f.Name)
		}
	}
	return out
}

// message is the shown message of a record, of its whole group, without sources: for titles.
func (r *reader) message(id schema.RecordID) (proto.Message, error) {
	x, err := r.row(id)
	if err != nil {
		return nil, err
	}
	members, err := r.group(id)
	if err != nil {
		return nil, err
	}
	pins, err := r.pinsOf(x.kind, []schema.RecordID{id})
	if err != nil {
		return nil, err
	}
	if len(members) == 0 && len(pins) == 0 {
		return Held{ID: x.id, Kind: x.kind, Shown: x.shown}.Message()
	}
	rec, err := r.view(x, members, false)
	if err != nil {
		return nil, err
	}
	_, m, err := schema.BodyOf(rec)
	return m, err
}

// Messages are the shown messages of the records named that are held here, by name.
func (s *Store) Messages(ctx context.Context, names []string) (map[string]proto.Message, error) {
	out := map[string]proto.Message{}
	err := s.reading(ctx, func(r *reader) error {
		for _, name := range names {
			if out[name] != nil {
				continue
			}
			k, id, err := schema.ParseName(name)
			if err != nil {
				return err
			}
			m, err := r.message(id)
			if errors.Is(err, schema.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if schema.KindOfMessage(m).Kind == k {
				out[name] = m
			}
		}
		return nil
	})
	return out, err
}
