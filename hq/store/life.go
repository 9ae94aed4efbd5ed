package store

import (
	stdsql "database/sql"
	"fmt"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// States of an incarnation.
const (
	LifeCurrent = 1
	LifeFrozen  = 2
)

// Life is one incarnation as HQ has it.
type Life struct {
	Inc         schema.Incarnation
	Branch      int32
	State       int
	Watermark   schema.Seq
	Chain       schema.Hash
	LastAt      schema.Tick // HQ's effective time for the change at the watermark
	Certificate []byte
	Nonce       []byte
	Frozen      int64
}

const lifeColumns = "inc, branch, state, watermark, chain, last_at, certificate, nonce, frozen"

func scanLife(rows *stdsql.Rows) (*Life, error) {
	l := new(Life)
	var chain []byte
	var at int64
	if err := rows.Scan(&l.Inc, &l.Branch, &l.State, &l.Watermark, &chain, &at, &l.Certificate, &l.Nonce, &l.Frozen); err != nil {
		return nil, fmt.Errorf("hq/store: read incarnation: %w", err)
	}
	l.LastAt = schema.Tick(at)
	var err error
	l.Chain, err = schema.HashFromBytes(chain)
	return l, err
}

// LifeOf reads an incarnation; nil when HQ does not know it.
func LifeOf(r Reader, inc schema.Incarnation) (*Life, error) {
	var out *Life
	err := r.Each("SELECT "+lifeColumns+" FROM incarnation WHERE inc = $1", []any{int64(inc)}, func(rows *stdsql.Rows) (err error) {
		out, err = scanLife(rows)
		return err
	})
	return out, err
}

// LivesOf reads all incarnations of a branch, oldest first.
func LivesOf(r Reader, branch int32) ([]*Life, error) {
	var out []*Life
	err := r.Each("SELECT "+lifeColumns+" FROM incarnation WHERE branch = $1 ORDER BY issued, inc", []any{branch}, func(rows *stdsql.Rows) error {
		l, err := scanLife(rows)
		out = append(out, l)
		return err
	})
	return out, err
}

// MarksOf are the branch's watermarks with the chain hashes there.
func MarksOf(r Reader, b *Branch) ([]*wirev1.Mark, error) {
	lives, err := LivesOf(r, b.Num)
	if err != nil {
		return nil, err
	}
	out := make([]*wirev1.Mark, 0, len(lives))
	for _, l := range lives {
		out = append(out, &wirev1.Mark{Branch: string(b.Code), Incarnation: int64(l.Inc), Watermark: int64(l.Watermark), Chain: l.Chain[:]})
	}
	return out, nil
}

// Issue makes a new incarnation of a branch, bound to the nonce the asking
// machine stored first. It freezes nothing.
func (w *W) Issue(b *Branch, nonce []byte) (*Life, error) {
	n, err := w.s.Number()
	if err != nil {
		return nil, err
	}
	return w.Register(b, schema.Incarnation(n), nonce)
}

// Register records an incarnation: a new one, or one HQ certified and forgot.
func (w *W) Register(b *Branch, inc schema.Incarnation, nonce []byte) (*Life, error) {
	cert, err := w.s.SignWord(&wirev1.Certificate{Branch: string(b.Code), Incarnation: int64(inc), Nonce: nonce, Epoch: int64(w.s.Epoch())})
	if err != nil {
		return nil, err
	}
	l := &Life{Inc: inc, Branch: b.Num, State: LifeCurrent, Certificate: cert, Nonce: nonce}
	if w.s.frozenInLedger(inc) {
		l.State, l.Frozen = LifeFrozen, w.Clock()
	}
	_, err = w.Exec("INSERT INTO incarnation (inc, branch, state, watermark, chain, last_at, nonce, certificate, issued, frozen) VALUES ($1, $2, $3, 0, $4, 0, $5, $6, $7, $8)",
		int64(inc), b.Num, l.State, l.Chain[:], nonce, cert, w.Clock(), l.Frozen)
	return l, err
}

// Freeze ends an incarnation for ever: ledger first, then the row.
func (w *W) Freeze(b *Branch, inc schema.Incarnation) error {
	for _, e := range w.s.Ledger() {
		if e.GetKind() == wirev1.LedgerKind_INCARNATION_FROZEN && e.GetIncarnation() == int64(inc) {
			// In the ledger already, by a transaction that was rolled back.
			return w.carryOut([]*wirev1.LedgerEntry{e})
		}
	}
	return w.AddLedger(&wirev1.LedgerEntry{Kind: wirev1.LedgerKind_INCARNATION_FROZEN, Branch: string(b.Code), Incarnation: int64(inc)})
}

// ChainAt is HQ's chain hash at seq; false beyond the watermark or for an unknown incarnation.
func (s *Store) ChainAt(r Reader, inc schema.Incarnation, seq schema.Seq) (schema.Hash, bool, error) {
	if seq == 0 {
		return schema.Hash{}, true, nil
	}
	first, last, after, raw, err := packAt(r, inc, seq)
	if err != nil || raw == nil || last < seq {
		return schema.Hash{}, false, err
	}
	if last == seq {
		return after, true, nil
	}
	changes, err := s.OpenPack(raw)
	if err != nil {
		return schema.Hash{}, false, fmt.Errorf("hq/store: stored pack %s at %d: %w", inc, first, err)
	}
	i := int(seq - changes[0].ID.Seq)
	if i < 0 || i >= len(changes) {
		return schema.Hash{}, false, fmt.Errorf("hq/store: stored pack %s at %d does not hold %d", inc, first, seq)
	}
	return changes[i].Chain, true, nil
}

func packAt(r Reader, inc schema.Incarnation, seq schema.Seq) (first, last schema.Seq, after schema.Hash, raw []byte, err error) {
	var sum []byte
	_, err = r.Scan("SELECT first, last, after, raw FROM pack WHERE inc = $1 AND first <= $2 ORDER BY first DESC LIMIT 1",
		[]any{int64(inc), int64(seq)}, &first, &last, &sum, &raw)
	if err != nil {
		return 0, 0, after, nil, err
	}
	after, err = schema.HashFromBytes(sum)
	return first, last, after, raw, err
}

// Changes are HQ's changes of an incarnation above a seq, in order, at most n.
func (s *Store) Changes(r Reader, inc schema.Incarnation, after schema.Seq, n int) ([]schema.Sealed, error) {
	var out []schema.Sealed
	for len(out) < n {
		_, last, _, raw, err := packAt(r, inc, after+1)
		if err != nil {
			return nil, err
		}
		if raw == nil || last <= after {
			return out, nil
		}
		changes, err := s.OpenPack(raw)
		if err != nil {
			return nil, fmt.Errorf("hq/store: stored pack of %s: %w", inc, err)
		}
		for _, c := range changes {
			if c.ID.Seq > after && len(out) < n {
				out = append(out, c)
			}
		}
		after = min(last, changes[len(changes)-1].ID.Seq)
	}
	return out, nil
}

// OpenPack reads a stored pack. Its payloads share one buffer.
func (s *Store) OpenPack(raw []byte) ([]schema.Sealed, error) {
	h, _, _, body, err := schema.ParsePackHeader(raw)
	if err != nil {
		return nil, err
	}
	s.codecMu.Lock()
	defer s.codecMu.Unlock()
	return s.codec.Decode(h, body)
}

// Rulings are HQ's rulings of an incarnation that reach above a seq, in order, at most n.
func Rulings(r Reader, inc schema.Incarnation, above schema.Seq, n int) ([]*wirev1.RulingRun, error) {
	var out []*wirev1.RulingRun
	err := r.Each("SELECT first, last, first_at FROM ruling WHERE inc = $1 AND last > $2 ORDER BY first LIMIT $3",
		[]any{int64(inc), int64(above), n}, func(rows *stdsql.Rows) error {
			run := &wirev1.RulingRun{Incarnation: int64(inc)}
			var at int64
			if err := rows.Scan(&run.FirstSeq, &run.LastSeq, &at); err != nil {
				return fmt.Errorf("hq/store: read ruling: %w", err)
			}
			run.FirstAt = uint64(at)
			out = append(out, run)
			return nil
		})
	return out, err
}

// RuledAt is the time HQ ruled for a change; false when it was taken as it came.
func RuledAt(r Reader, inc schema.Incarnation, seq schema.Seq) (schema.Tick, bool, error) {
	var first, last, at int64
	found, err := r.Scan("SELECT first, last, first_at FROM ruling WHERE inc = $1 AND first <= $2 ORDER BY first DESC LIMIT 1",
		[]any{int64(inc), int64(seq)}, &first, &last, &at)
	if err != nil || !found || int64(seq) > last {
		return 0, false, err
	}
	return schema.Tick(at) + schema.Tick(int64(seq)-first), true, nil
}

// KeptBackups is how many of the latest backups HQ would still restore.
const KeptBackups = 7

// ForgetBelow is the seq below which a branch may forget: the watermark inside
// the oldest backup HQ would still restore. Without a backup nothing may be forgotten.
func ForgetBelow(r Reader, inc schema.Incarnation) (schema.Seq, error) {
	var mark int64
	_, err := r.Scan(`SELECT COALESCE(m.watermark, 0) FROM (SELECT n FROM backup WHERE gone = 0 ORDER BY n DESC LIMIT $1) b
		LEFT JOIN backup_mark m ON m.backup = b.n AND m.inc = $2 ORDER BY b.n LIMIT 1`, []any{KeptBackups, int64(inc)}, &mark)
	return schema.Seq(mark), err
}
