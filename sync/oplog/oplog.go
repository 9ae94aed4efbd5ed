// Package oplog is a branch's change log: for each incarnation the gapless,
// chained list of the changes it committed, written in the caller's transaction.
//
// Rules:
//   - A change is appended in the transaction that writes its record, with the next
//     seq and the chain hash over the one before; a change that is rolled back was
//     never numbered.
//   - Payload bytes are written once and never re-encoded. HQ's rulings change only
//     the effective time kept beside them.
//   - A change set aside is no part of a log any more: it is still read one by one,
//     and never sent.
//   - The current life is the one with the highest number; former ones are read and
//     forgotten, never appended to.
//
// It promises that what Read gives continues the hash it gives with it. It does
// not know what a receipt is nor what may be forgotten.
package oplog

import (
	"context"
	stdsql "database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/clock"
)

// Querier is a database or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*stdsql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *stdsql.Row
	ExecContext(ctx context.Context, query string, args ...any) (stdsql.Result, error)
}

// LifeNo is the local number of an incarnation: later ones are higher.
type LifeNo int64

const seqBits = 40

// RowID is where a change stands in the table: life, then seq.
func RowID(no LifeNo, seq schema.Seq) int64 { return int64(no)<<seqBits | int64(seq) }

// SplitRowID takes a row id apart.
func SplitRowID(id int64) (LifeNo, schema.Seq) {
	return LifeNo(id >> seqBits), schema.Seq(id & (1<<seqBits - 1))
}

// Tail is the end of one life's log: what the next change continues.
type Tail struct {
	No    LifeNo
	Inc   schema.Incarnation
	Seq   schema.Seq
	Chain schema.Hash
	At    schema.Tick // effective time of the last change
}

// Log writes. It is used by one goroutine at a time, the one that holds the writer.
type Log struct {
	branch schema.BranchID
	run    schema.Run
	clock  *clock.Clock
	rand   io.Reader
	insert *stdsql.Stmt
	fresh  []Fresh
}

// Fresh is a change just appended, with the chain hash before it.
type Fresh struct {
	Before schema.Hash
	schema.Sealed
}

// freshMost is how many of them are remembered at most.
const freshMost = 64

// New prepares the log of a branch for writing on w, and draws the run under which
// it writes: what a copy of the database writes has another. The clock counts on
// from the latest effective time stored.
func New(ctx context.Context, w *stdsql.DB, branch schema.BranchID, c *clock.Clock, rand io.Reader) (*Log, error) {
	var b [4]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return nil, fmt.Errorf("oplog: run: %w", err)
	}
	run := schema.Run(1 + binary.BigEndian.Uint32(b[:])%(1<<schema.RunBits-1))
	st, err := w.PrepareContext(ctx, "INSERT INTO change (id, record, salt, payload, chain, at) VALUES ($1, $2, $3, $4, $5, $6)")
	if err != nil {
		return nil, fmt.Errorf("oplog: prepare: %w", err)
	}
	return &Log{branch: branch, run: run, clock: c, rand: rand, insert: st}, nil
}

// Close ends the prepared statement.
func (l *Log) Close() error { return l.insert.Close() }

// Append writes body as the change after t and gives the new tail. It sets
// body.Run, and body.At to the largest of the clock, the change before and the
// times named, unless keep is set: a re-issued change keeps both. ErrTooLarge when the
// payload is over schema.MaxChange. The caller keeps the tail only if its
// transaction commits.
func (l *Log) Append(ctx context.Context, tx *stdsql.Tx, t Tail, record schema.RecordID, body *wirev1.ChangeBody, keep bool, named ...schema.Tick) (Tail, schema.Sealed, error) {
	at := schema.Tick(body.GetAt())
	if keep {
		l.clock.Observe(at)
	} else {
		l.clock.Observe(t.At)
		at = l.clock.Stamp(named...)
		body.At, body.Run = uint64(at), uint32(l.run)
	}
	id := schema.ChangeID{Branch: l.branch, Inc: t.Inc, Seq: t.Seq + 1}
	payload, err := proto.Marshal(body)
	if err != nil {
		return t, schema.Sealed{}, fmt.Errorf("oplog: append %s: %w", id, err)
	}
	if len(payload) > schema.MaxChange {
		return t, schema.Sealed{}, fmt.Errorf("oplog: append %s: %d bytes, at most %d in one change: %w", id, len(payload), schema.MaxChange, schema.ErrTooLarge)
	}
	var salt [16]byte
	if _, err := io.ReadFull(l.rand, salt[:]); err != nil {
		return t, schema.Sealed{}, fmt.Errorf("oplog: append %s: salt: %w", id, err)
	}
	s := schema.Seal(id, t.Chain, salt, payload)
	if _, err := tx.StmtContext(ctx, l.insert).ExecContext(ctx, RowID(t.No, id.Seq), record[:], salt[:], payload, s.Chain[:], int64(at)); err != nil {
		return t, schema.Sealed{}, fmt.Errorf("oplog: append %s: %w", id, err)
	}
	if len(l.fresh) == freshMost {
		l.fresh = append(l.fresh[:0], l.fresh[freshMost/2:]...)
	}
	l.fresh = append(l.fresh, Fresh{t.Chain, s})
	t.Seq, t.Chain, t.At = id.Seq, s.Chain, at
	return t, s, nil
}

// Fresh gives the last changes appended since it was last called, in order. Among them may be some that were rolled
// back: what counts is what the chain leads to.
func (l *Log) Fresh() []Fresh {
	out := l.fresh
	l.fresh = nil
	return out
}

// Store writes changes that HQ gave back, as they are, after t. record gives the
// record of an erased change's row (none: zero).
func Store(ctx context.Context, q Querier, t Tail, changes []schema.Sealed) (Tail, error) {
	for _, s := range changes {
		var record schema.RecordID
		at := t.At
		var salt, hash []byte
		if s.Erased() {
			hash = s.PayloadHash[:]
		} else {
			b, err := s.Body()
			if err != nil {
				return t, fmt.Errorf("oplog: take back: %w", err)
			}
			if record, err = schema.RecordIDFromBytes(b.GetRecord()); err != nil {
				return t, fmt.Errorf("oplog: take back %d of %s: %w", s.ID.Seq, t.Inc, err)
			}
			at, salt = schema.Tick(b.GetAt()), s.Salt[:]
		}
		if s.ID.Seq != t.Seq+1 || schema.NextChain(t.Chain, s.PayloadHash) != s.Chain {
			return t, fmt.Errorf("oplog: take back: change %d of %s does not continue %d", s.ID.Seq, t.Inc, t.Seq)
		}
		if _, err := q.ExecContext(ctx, "INSERT INTO change (id, record, salt, payload, hash, chain, at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
			RowID(t.No, s.ID.Seq), record[:], salt, s.Payload, hash, s.Chain[:], int64(at)); err != nil {
			return t, fmt.Errorf("oplog: take back: %w", err)
		}
		t.Seq, t.Chain, t.At = s.ID.Seq, s.Chain, at
	}
	return t, nil
}

// Life is one incarnation as its table row has it, with the end of its log.
type Life struct {
	Tail
	Certificate []byte
	Former      bool
	PruneCut    schema.Seq
	PruneChain  schema.Hash
	Watermark   schema.Seq
	Epoch       schema.EpochID // of the receipt the watermark is from
	Receipt     []byte         // as signed; nil if none came yet
	Forget      schema.Seq     // HQ lets changes below be forgotten
	Folded      schema.Seq     // own changes up to here are worked into their records' bases
}

// Lives are the incarnations kept, the current one first.
func Lives(ctx context.Context, q Querier) ([]*Life, error) {
	rows, err := q.QueryContext(ctx, `SELECT l.no, l.inc, l.certificate, l.former, l.prune_cut, l.prune_chain, l.prune_at, l.watermark, l.epoch, l.receipt, l.forget, l.folded,
		c.id, c.chain, c.at FROM life l LEFT JOIN change c ON c.id = (SELECT max(id) FROM change WHERE id > l.no << 40 AND id < (l.no + 1) << 40) ORDER BY l.no DESC`)
	if err != nil {
		return nil, fmt.Errorf("oplog: lives: %w", err)
	}
	defer rows.Close()
	var out []*Life
	for rows.Next() {
		var l Life
		var cutChain, lastChain []byte
		var lastID, lastAt stdsql.NullInt64
		var cutAt int64
		if err := rows.Scan(&l.No, &l.Inc, &l.Certificate, &l.Former, &l.PruneCut, &cutChain, &cutAt, &l.Watermark, &l.Epoch, &l.Receipt, &l.Forget, &l.Folded,
			&lastID, &lastChain, &lastAt); err != nil {
			return nil, fmt.Errorf("oplog: lives: %w", err)
		}
		if l.PruneChain, err = schema.HashFromBytes(cutChain); err != nil {
			return nil, fmt.Errorf("oplog: life %s: %w", l.Inc, err)
		}
		l.Seq, l.Chain, l.At = l.PruneCut, l.PruneChain, schema.Tick(cutAt)
		if lastID.Valid {
			_, l.Seq = SplitRowID(lastID.Int64)
			l.At = schema.Tick(lastAt.Int64)
			if l.Chain, err = schema.HashFromBytes(lastChain); err != nil {
				return nil, fmt.Errorf("oplog: life %s: %w", l.Inc, err)
			}
		}
		out = append(out, &l)
	}
	return out, rows.Err()
}

// Begin adds an incarnation, which becomes the current one; all others become former.
func Begin(ctx context.Context, q Querier, inc schema.Incarnation, certificate []byte) error {
	if _, err := q.ExecContext(ctx, "UPDATE life SET former = 1 WHERE former = 0"); err != nil {
		return fmt.Errorf("oplog: begin %s: %w", inc, err)
	}
	if _, err := q.ExecContext(ctx, "INSERT INTO life (no, inc, certificate) VALUES ((SELECT coalesce(max(no), 0) + 1 FROM life), $1, $2)", int64(inc), certificate); err != nil {
		return fmt.Errorf("oplog: begin %s: %w", inc, err)
	}
	return nil
}

// Row is a change with where it stands.
type Row struct {
	schema.Sealed
	No     LifeNo
	Record schema.RecordID
	At     schema.Tick // effective
}

// Read gives the changes of l after a seq, in seq order, at most n and at most
// about bytes of payload, at least one if there is any; with the chain hash
// before the first. ErrNotFound when what follows after is forgotten.
func Read(ctx context.Context, q Querier, l *Life, branch schema.BranchID, after schema.Seq, n, bytes int) (schema.Hash, []Row, error) {
	before, ok, err := ChainAt(ctx, q, l, after)
	if err != nil {
		return schema.Hash{}, nil, err
	}
	if !ok {
		return schema.Hash{}, nil, fmt.Errorf("oplog: change %d of %s is forgotten here or was never made: %w", after, l.Inc, schema.ErrNotFound)
	}
	rows, err := q.QueryContext(ctx, "SELECT "+rowColumns+" FROM change WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3",
		RowID(l.No, after), RowID(l.No+1, 0), n)
	if err != nil {
		return schema.Hash{}, nil, fmt.Errorf("oplog: read: %w", err)
	}
	defer rows.Close()
	var out []Row
	prev, size := before, 0
	for rows.Next() {
		r, err := scanRow(rows, branch, l.Inc, prev)
		if err != nil {
			return schema.Hash{}, nil, err
		}
		if want := after + schema.Seq(len(out)) + 1; r.ID.Seq != want { // forgotten since the hash was read
			return schema.Hash{}, nil, fmt.Errorf("oplog: change %d of %s is forgotten here: %w", want, l.Inc, schema.ErrNotFound)
		}
		if size += len(r.Payload); size > bytes && len(out) > 0 {
			break
		}
		out = append(out, r)
		prev = r.Chain
	}
	return before, out, rows.Err()
}

func scanRow(rows *stdsql.Rows, branch schema.BranchID, inc schema.Incarnation, prev schema.Hash) (Row, error) {
	var r Row
	var id, at int64
	var record, salt, hash, chain []byte
	if err := rows.Scan(&id, &record, &salt, &r.Payload, &hash, &chain, &at); err != nil {
		return r, fmt.Errorf("oplog: read: %w", err)
	}
	no, seq := SplitRowID(id)
	r.No, r.At = no, schema.Tick(at)
	r.ID = schema.ChangeID{Branch: branch, Inc: inc, Seq: seq}
	var err error
	if r.Record, err = schema.RecordIDFromBytes(record); err != nil {
		return r, fmt.Errorf("oplog: read %s: %w", r.ID, err)
	}
	if r.Chain, err = schema.HashFromBytes(chain); err != nil {
		return r, fmt.Errorf("oplog: read %s: %w", r.ID, err)
	}
	if r.Payload == nil {
		if r.PayloadHash, err = schema.HashFromBytes(hash); err != nil {
			return r, fmt.Errorf("oplog: read %s: %w", r.ID, err)
		}
		return r, nil
	}
	copy(r.Salt[:], salt)
	return r, nil
}

const rowColumns = "id, record, salt, payload, hash, chain, at"

// One reads one change of l, also one set aside. ErrNotFound when it is forgotten or was never made.
func One(ctx context.Context, q Querier, l *Life, branch schema.BranchID, seq schema.Seq) (Row, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+rowColumns+" FROM change WHERE id = $1 UNION ALL SELECT "+rowColumns+" FROM aside WHERE id = $1", RowID(l.No, seq))
	if err != nil {
		return Row{}, fmt.Errorf("oplog: read: %w", err)
	}
	defer rows.Close()
	if !rows.Next() {
		return Row{}, errors.Join(rows.Err(), fmt.Errorf("oplog: change %d of %s: %w", seq, l.Inc, schema.ErrNotFound))
	}
	return scanRow(rows, branch, l.Inc, schema.Hash{})
}

// SetAside keeps a change, by its row id, for One when it is forgotten with those around it.
func SetAside(ctx context.Context, q Querier, id int64) error {
	if _, err := q.ExecContext(ctx, "INSERT OR IGNORE INTO aside ("+rowColumns+") SELECT "+rowColumns+" FROM change WHERE id = $1", id); err != nil {
		return fmt.Errorf("oplog: set aside: %w", err)
	}
	return nil
}

// Aside are the changes of l that were set aside, in seq order.
func Aside(ctx context.Context, q Querier, l *Life, branch schema.BranchID) ([]Row, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+rowColumns+" FROM aside WHERE id > $1 AND id < $2 ORDER BY id", RowID(l.No, 0), RowID(l.No+1, 0))
	if err != nil {
		return nil, fmt.Errorf("oplog: set aside: %w", err)
	}
	defer rows.Close()
	var out []Row
	for rows.Next() {
		r, err := scanRow(rows, branch, l.Inc, schema.Hash{})
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// ChainAt is the chain hash at seq, the zero Hash at 0; false when seq is beyond
// the last or below what is kept.
func ChainAt(ctx context.Context, q Querier, l *Life, seq schema.Seq) (schema.Hash, bool, error) {
	switch {
	case seq == 0:
		return schema.Hash{}, l.PruneCut == 0, nil
	case seq == l.PruneCut:
		return l.PruneChain, true, nil
	case seq < l.PruneCut || seq > l.Seq:
		return schema.Hash{}, false, nil
	case seq == l.Seq:
		return l.Chain, true, nil
	}
	var b []byte
	err := q.QueryRowContext(ctx, "SELECT chain FROM change WHERE id = $1", RowID(l.No, seq)).Scan(&b)
	if errors.Is(err, stdsql.ErrNoRows) {
		return schema.Hash{}, false, nil
	}
	if err != nil {
		return schema.Hash{}, false, fmt.Errorf("oplog: chain at %d: %w", seq, err)
	}
	h, err := schema.HashFromBytes(b)
	return h, err == nil, err
}

// Prune forgets changes of l up to cut, at most n of them, and keeps the chain
// hash and the time there. It gives the new cut.
func Prune(ctx context.Context, q Querier, l *Life, cut schema.Seq, n int) (schema.Seq, error) {
	cut = min(cut, l.PruneCut+schema.Seq(n), l.Seq)
	if cut <= l.PruneCut {
		return l.PruneCut, nil
	}
	var chain []byte
	var at int64
	if err := q.QueryRowContext(ctx, "SELECT chain, at FROM change WHERE id = $1", RowID(l.No, cut)).Scan(&chain, &at); err != nil {
		return l.PruneCut, fmt.Errorf("oplog: prune at %d: %w", cut, err)
	}
	if _, err := q.ExecContext(ctx, "UPDATE life SET prune_cut = $1, prune_chain = $2, prune_at = $3 WHERE no = $4", int64(cut), chain, at, int64(l.No)); err != nil {
		return l.PruneCut, fmt.Errorf("oplog: prune at %d: %w", cut, err)
	}
	if _, err := q.ExecContext(ctx, "DELETE FROM change WHERE id > $1 AND id <= $2", RowID(l.No, l.PruneCut), RowID(l.No, cut)); err != nil {
		return l.PruneCut, fmt.Errorf("oplog: prune at %d: %w", cut, err)
	}
	return cut, nil
}

// Drop removes the changes of l above a seq: they are re-issued under another life.
func Drop(ctx context.Context, q Querier, l *Life, above schema.Seq) error {
	if _, err := q.ExecContext(ctx, "DELETE FROM change WHERE id > $1 AND id < $2", RowID(l.No, above), RowID(l.No+1, 0)); err != nil {
		return fmt.Errorf("oplog: drop above %d: %w", above, err)
	}
	return nil
}

// StampOf is the stamp of a change's entries, at the time that counts at the branch.
func StampOf(r Row, b *wirev1.ChangeBody) schema.Stamp { return schema.StampOf(r.ID, r.At, b) }
