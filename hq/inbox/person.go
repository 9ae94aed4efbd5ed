package inbox

import (
	"context"
	stdsql "database/sql"
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// What only a person can say: what the group is called, and that headquarters
// goes on where it stopped by itself.

// SetGroup names the dealer group. The name goes into the record of every legal
// entity, and with it to every branch; one that has it already is left alone.
func (i *Inbox) SetGroup(ctx context.Context, name string, by By) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	err := i.write(ctx, false, func(r *run) error {
		if err := r.w.SetGroup(name); err != nil {
			return err
		}
		edits, err := r.groupEdits(name, by)
		if err != nil || len(edits) == 0 {
			return err
		}
		_, err = r.edit(edits)
		return err
	})
	if err != nil {
		return fmt.Errorf("hq/inbox: set group: %w", err)
	}
	return nil
}

// groupEdits write the name into each legal entity that does not have it.
func (r *run) groupEdits(name string, by By) ([]Edit, error) {
	var ids []schema.RecordID
	if err := r.w.Each("SELECT record FROM entity ORDER BY code", nil, func(rows *stdsql.Rows) error {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return err
		}
		rid, err := schema.RecordIDFromBytes(id)
		ids = append(ids, rid)
		return err
	}); err != nil {
		return nil, err
	}
	k := schema.KindOf(schema.LegalEntity)
	var out []Edit
	for _, id := range ids {
		rec, err := store.RecOf(r.w, id)
		if err != nil {
			return nil, err
		}
		if rec == nil {
			continue // lost with an older copy: nothing is known of it but its code
		}
		st, err := merge.Decode(rec.State)
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", id, err)
		}
		m, err := st.Message(k)
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", id, err)
		}
		if e, ok := m.(*branchlinev1.LegalEntity); ok && e.GetGroupName() == name {
			continue
		}
		out = append(out, Edit{
			Kind: k.Kind, Record: id, Values: &branchlinev1.LegalEntity{GroupName: proto.String(name)}, Names: named(st, k, "group_name"),
			Actor: by.Actor, Role: by.Role,
		})
	}
	return out, nil
}

// named are the entries that an edit of a field as it is now replaces.
func named(st *merge.State, k *schema.KindInfo, field string) []*wirev1.Names {
	out := &wirev1.Names{Field: uint32(k.Field(field).Number)}
	for _, sh := range st.Shown(k) {
		if sh.Field.Name != field {
			continue
		}
		for _, e := range sh.Names() {
			p := e.Place()
			out.Entries = append(out.Entries, &wirev1.EntryName{Branch: string(p.Branch), Incarnation: int64(p.Inc), Seq: int64(p.Seq), Ordinal: p.Ord})
		}
	}
	if len(out.Entries) == 0 {
		return nil
	}
	return []*wirev1.Names{out}
}

// GoOn is a person's word that headquarters goes on where it stopped by itself.
// superseded: although a restored copy has taken over, this one is to stay; it
// counts from the next start, whose epoch the branches have not seen another grow
// out of. without: branches whose ledgers are not waited for after a restore.
// schema.ErrConflict when there is nothing to go on from; schema.ErrNotFound for
// no such branch.
func (i *Inbox) GoOn(ctx context.Context, superseded bool, without []schema.BranchID) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	err := i.write(ctx, false, func(r *run) error {
		if superseded {
			if !i.st.Superseded() {
				return fmt.Errorf("no other copy has taken over from this headquarters: %w", schema.ErrConflict)
			}
			if err := r.w.GoOnNext(); err != nil {
				return err
			}
		}
		for _, code := range without {
			b, err := i.branch(code)
			if err != nil {
				return err
			}
			if err := r.w.NotWaitedFor(b.Num); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("hq/inbox: go on: %w", err)
	}
	return nil
}
