package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/sql"
	"branchline/sync/bus/nkey"
)

// ledger is the file of what no restore may undo (DESIGN §6). It holds frames:
// length (4 bytes), marshalled wirev1.LedgerEntry, SHA-256(hash before ‖ entry).
// A last frame cut short by a crash was confirmed to nobody and is cut off; any
// other damage is an error, since it may hide an erasure.
type ledger struct {
	mu      sync.Mutex
	f       *os.File
	pos     int64 // behind the last entry
	dirty   bool  // something may stand behind pos: an entry that was not written whole
	last    schema.Hash
	entries []*wirev1.LedgerEntry
	ids     map[string]bool
}

const ledgerFrame = 1 << 20

func openLedger(path string) (*ledger, error) {
	_, statErr := os.Stat(path)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("hq/store: open ledger: %w", err)
	}
	l := &ledger{f: f, ids: map[string]bool{}}
	if err := l.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("hq/store: ledger: %w", err), f.Close())
	}
	if statErr != nil {
		if err := syncDir(filepath.Dir(path)); err != nil {
			return nil, errors.Join(fmt.Errorf("hq/store: ledger: %w", err), f.Close())
		}
	}
	return l, nil
}

func (l *ledger) read() error {
	b, err := io.ReadAll(l.f)
	if err != nil {
		return err
	}
	pos := 0
	for pos < len(b) {
		rest := b[pos:]
		if len(rest) < 4 {
			break
		}
		n := int(binary.BigEndian.Uint32(rest))
		if n > ledgerFrame {
			return fmt.Errorf("the entry at byte %d is damaged", pos)
		}
		if len(rest) < 4+n+32 {
			break
		}
		body, sum := rest[4:4+n], rest[4+n:4+n+32]
		want := chainLedger(l.last, body)
		if !bytes.Equal(sum, want[:]) {
			return fmt.Errorf("the entry at byte %d does not fit its chain", pos)
		}
		e := new(wirev1.LedgerEntry)
		if err := proto.Unmarshal(body, e); err != nil {
			return fmt.Errorf("the entry at byte %d: %w", pos, err)
		}
		l.last = want
		l.note(e)
		pos += 4 + n + 32
	}
	if pos < len(b) {
		if err := l.f.Truncate(int64(pos)); err != nil {
			return err
		}
		if err := l.f.Sync(); err != nil {
			return err
		}
	}
	l.pos = int64(pos)
	return nil
}

func chainLedger(prev schema.Hash, body []byte) schema.Hash {
	h := sha256.New()
	h.Write(prev[:])
	h.Write(body)
	var out schema.Hash
	h.Sum(out[:0])
	return out
}

func (l *ledger) note(e *wirev1.LedgerEntry) {
	l.entries = append(l.entries, e)
	l.ids[string(e.GetId())] = true
}

// add appends the entries not yet there and syncs the file. It gives those added.
// schema.ErrExhausted for want of room; sql.ErrDisk when the disk does not take it.
func (l *ledger) add(entries []*wirev1.LedgerEntry) ([]*wirev1.LedgerEntry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []byte
	var fresh []*wirev1.LedgerEntry
	last, seen := l.last, map[string]bool{}
	for _, e := range entries {
		if len(e.GetId()) != 16 {
			return nil, schema.Invalid("ledger", "an entry's id has %d bytes, not 16", len(e.GetId()))
		}
		if l.ids[string(e.GetId())] || seen[string(e.GetId())] {
			continue
		}
		seen[string(e.GetId())] = true
		body, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
		if err != nil {
			return nil, fmt.Errorf("hq/store: ledger: %w", err)
		}
		if len(body) > ledgerFrame {
			return nil, schema.Invalid("ledger", "an entry of %d bytes is too large", len(body))
		}
		last = chainLedger(last, body)
		out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
		out = append(out, body...)
		out = append(out, last[:]...)
		fresh = append(fresh, e)
	}
	if len(out) == 0 {
		return nil, nil
	}
	if err := l.write(out); err != nil {
		return nil, err
	}
	l.last = last
	for _, e := range fresh {
		l.note(e)
	}
	return fresh, nil
}

// write puts frames behind the last one. What a failed write leaves there is cut
// off before the next: it would hide all that follows.
func (l *ledger) write(frames []byte) error {
	if l.dirty {
		if err := l.f.Truncate(l.pos); err != nil {
			return fmt.Errorf("hq/store: cut ledger: %w: %w", sql.ErrDisk, err)
		}
	}
	l.dirty = true
	if _, err := l.f.WriteAt(frames, l.pos); errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("hq/store: the disk of this site is full, the ledger was not written: %w: %w", schema.ErrExhausted, err)
	} else if err != nil {
		return fmt.Errorf("hq/store: write ledger: %w: %w", sql.ErrDisk, err)
	}
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("hq/store: sync ledger: %w: %w", sql.ErrDisk, err)
	}
	l.pos += int64(len(frames))
	l.dirty = false
	return nil
}

func (l *ledger) all() []*wirev1.LedgerEntry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[:len(l.entries):len(l.entries)]
}

func (l *ledger) close() error { return l.f.Close() }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Ledger are all entries, oldest first. Do not change them.
func (s *Store) Ledger() []*wirev1.LedgerEntry { return s.ledger.all() }

// AddLedger writes entries (those not known yet) into the ledger and carries
// them out in the transaction. Entries of HQ's own making get an id.
func (w *W) AddLedger(entries ...*wirev1.LedgerEntry) error {
	for _, e := range entries {
		if len(e.GetId()) == 0 {
			e.Id = make([]byte, 16)
			if err := w.s.Random(e.Id); err != nil {
				return err
			}
			e.At = w.Clock()
			b, err := ledgerBytes(e)
			if err != nil {
				return err
			}
			e.Signature = w.s.cfg.Signer.Sign(b)
		}
		if err := w.s.checkEntry(e); err != nil {
			return err
		}
	}
	fresh, err := w.s.ledger.add(entries)
	if err != nil {
		return err
	}
	return w.carryOut(fresh)
}

// ledgerBytes is what the signature of an entry covers.
func ledgerBytes(e *wirev1.LedgerEntry) ([]byte, error) {
	e = proto.CloneOf(e)
	e.Signature = nil
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("hq/store: ledger: %w", err)
	}
	return append([]byte("branchline ledger entry\x00"), b...), nil
}

// checkEntry refuses an entry that HQ did not make: branches keep the ledger, they add nothing to it.
func (s *Store) checkEntry(e *wirev1.LedgerEntry) error {
	b, err := ledgerBytes(e)
	if err != nil {
		return err
	}
	if err := nkey.Verify(s.cfg.Signer.Public(), b, e.GetSignature()); err != nil {
		return schema.Invalid("ledger", "an entry headquarters did not make")
	}
	return nil
}

// Genuine tells whether HQ made the entry.
func (s *Store) Genuine(e *wirev1.LedgerEntry) bool { return s.checkEntry(e) == nil }

// carryOut makes the database agree with entries. It is idempotent. Erasures
// are carried out by the room that erases.
func (w *W) carryOut(entries []*wirev1.LedgerEntry) error {
	for _, e := range entries {
		var err error
		switch e.GetKind() {
		case wirev1.LedgerKind_KEY_REVOKED:
			err = w.revokeKey(e.GetBranch(), e.GetKey())
		case wirev1.LedgerKind_BRANCH_RETIRED:
			err = w.retire(e.GetBranch())
		case wirev1.LedgerKind_INCARNATION_FROZEN:
			_, err = w.Exec("UPDATE incarnation SET state = $1, frozen = $2 WHERE inc = $3 AND state <> $1", LifeFrozen, e.GetAt(), e.GetIncarnation())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// frozenInLedger tells whether the ledger names the incarnation.
func (s *Store) frozenInLedger(inc schema.Incarnation) bool {
	for _, e := range s.ledger.all() {
		if e.GetKind() == wirev1.LedgerKind_INCARNATION_FROZEN && e.GetIncarnation() == int64(inc) {
			return true
		}
	}
	return false
}
