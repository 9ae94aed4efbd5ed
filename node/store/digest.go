package store

import (
	"context"
	"crypto/sha256"
	stdsql "database/sql"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/oplog"
)

// Held is one record as it is held here, for checks and exports.
type Held struct {
	ID     schema.RecordID
	Kind   *schema.KindInfo
	Home   schema.BranchID
	Shared bool
	Base   []byte // HQ's state; empty when HQ has never sent the record
	Shown  []byte // the state that pages show
}

// Message is the shown record.
func (h Held) Message() (proto.Message, error) {
	msg, _, err := messageOf(h.Kind, h.Shown)
	if err != nil {
		return nil, err
	}
	m := h.Kind.New()
	if err := proto.Unmarshal(msg, m); err != nil {
		return nil, fmt.Errorf("store: record %s: %w", h.ID, err)
	}
	return m, nil
}

// Each calls f for every record of a kind (0: of all kinds) by id, in one snapshot.
func (s *Store) Each(ctx context.Context, k schema.Kind, f func(Held) error) error {
	return s.read(ctx, func(ctx context.Context, tx *stdsql.Tx) error {
		if k == 0 {
			return each(ctx, tx, "", nil, f)
		}
		// By its kind: in the order of ids SQLite would read every record for the few branches there are.
		return each(ctx, tx, "INDEXED BY record_updated WHERE kind = $1", []any{int64(k)}, f)
	})
}

func each(ctx context.Context, tx *stdsql.Tx, where string, args []any, f func(Held) error) error {
	rows, err := tx.QueryContext(ctx, "SELECT "+rowColumns+" FROM record "+where+" ORDER BY id", args...)
	if err != nil {
		return fmt.Errorf("store: each: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		x, err := scanRow(rows)
		if err != nil {
			return err
		}
		base := x.base
		if base == nil {
			base = x.shown
		}
		if err := f(Held{x.id, x.kind, x.home, x.shared, base, x.shown}); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Cut is where digests were taken: the feed cursor, HQ's marks that the bases
// stand for, and whether anything is pending beyond them.
type Cut struct {
	Cursor  *wirev1.Cursor
	Marks   []*wirev1.Mark
	Pending int64
}

// Digests sums the bases of the records under prefix (schema.Digests); records
// HQ has never sent are left out. prefix: none, one byte or two.
func (s *Store) Digests(ctx context.Context, prefix []byte) ([]*wirev1.Digest, Cut, error) {
	d, err := schema.NewDigests(prefix)
	if err != nil {
		return nil, Cut{}, fmt.Errorf("store: digests: %w", err)
	}
	var cut Cut
	err = s.read(ctx, func(ctx context.Context, tx *stdsql.Tx) error {
		var err error
		if cut, err = readCut(ctx, tx); err != nil {
			return err
		}
		return each(ctx, tx, "", nil, func(h Held) error {
			if len(h.Base) > 0 {
				d.Add(h.ID, h.Shared, h.Base)
			}
			return nil
		})
	})
	if err != nil {
		return nil, cut, err
	}
	return d.Ranges(), cut, nil
}

func readCut(ctx context.Context, tx *stdsql.Tx) (Cut, error) {
	cut := Cut{Cursor: new(wirev1.Cursor)}
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(no), 0), coalesce((SELECT epoch FROM cursor ORDER BY no DESC LIMIT 1), 0), coalesce((SELECT rev FROM cursor ORDER BY no DESC LIMIT 1), 0), (SELECT count(*) FROM pending WHERE held <> 2) FROM cursor").
		Scan(new(int64), &cut.Cursor.Epoch, &cut.Cursor.Rev, &cut.Pending); err != nil {
		return cut, fmt.Errorf("store: cut: %w", err)
	}
	lives, err := oplog.Lives(ctx, tx)
	if err != nil {
		return cut, err
	}
	branch, err := metaGet(ctx, tx, metaBranch)
	if err != nil {
		return cut, err
	}
	for _, l := range lives {
		cut.Marks = append(cut.Marks, &wirev1.Mark{Branch: string(branch), Incarnation: int64(l.Inc), Watermark: int64(l.Folded)})
	}
	return cut, nil
}

// idRange are the lowest and highest ids that begin with prefix.

// StateHash is a hash over everything the pages show: equal hashes, equal branch.
func (s *Store) StateHash(ctx context.Context) (schema.Hash, error) {
	h := sha256.New()
	err := s.Each(ctx, 0, func(r Held) error {
		h.Write(r.ID[:])
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(r.Kind.Kind)))
		h.Write([]byte(r.Home))
		h.Write([]byte{0, byte(flag(r.Shared))})
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(r.Shown))))
		h.Write(r.Shown)
		return nil
	})
	var out schema.Hash
	h.Sum(out[:0])
	return out, err
}
