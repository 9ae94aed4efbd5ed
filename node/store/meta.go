package store

import (
	"context"
	stdsql "database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/oplog"
)

// Keys of table meta. Numbers are 8 bytes, big-endian.
const (
	metaBranch    = "branch"
	metaEntity    = "entity"
	metaSeed      = "seed"
	metaLink      = "link"
	metaCA        = "ca"
	metaCAPrint   = "ca_fingerprint"
	metaHQKey     = "hq_key"
	metaIDKey     = "id_key"
	metaHostCert  = "host_certificate"
	metaHostKey   = "host_key"
	metaNonce     = "nonce"
	metaNonceUsed = "nonce_used" // the next Nonce call makes a new one
	metaRestored  = "restored"
	metaTick      = "tick"  // latest effective time seen beyond the log's own
	metaPass      = "pass"  // number of the last full pass
	metaFull      = "full"  // 1 while it is under way
	metaEpoch     = "epoch" // HQ's, of the last page, receipt or hello
	metaHQRev     = "hq_rev"
	metaEpochLine = "epoch_line"
	metaCounter   = "counter" // of orders: day, space, the last number given on it; of other kinds with ".kind" behind it
	metaTerms     = "terms"   // the form of the terms in the index, see reindex
	metaLost      = "lost"    // 1 once table lost says of every record what it should
)

// Identity is who the branch is: what enrolment gave it.
type Identity struct {
	Branch        schema.BranchID // "": not enrolled
	Entity        schema.EntityID
	Seed          []byte // nkey seed made on the branch; set before enrolment
	Link          string // where HQ's leaf port is
	CA            []byte // HQ's CA certificate
	CAFingerprint string
	HQKey         string // nkey public key HQ signs with
	IDKey         []byte // key of hashes of national ids
	HostCert      []byte // certificate of the branch's own listener, if it has one
	HostKey       []byte
	Restored      bool // the folder was put back from a backup since the last hello
}

func (i *Identity) fields() []struct {
	key string
	at  any
} {
	return []struct {
		key string
		at  any
	}{
		{metaBranch, &i.Branch},
		{metaEntity, &i.Entity},
		{metaSeed, &i.Seed},
		{metaLink, &i.Link},
		{metaCA, &i.CA},
		{metaCAPrint, &i.CAFingerprint},
		{metaHQKey, &i.HQKey},
		{metaIDKey, &i.IDKey},
		{metaHostCert, &i.HostCert},
		{metaHostKey, &i.HostKey},
	}
}

func readIdentity(ctx context.Context, q oplog.Querier) (Identity, error) {
	var id Identity
	for _, f := range id.fields() {
		b, err := metaGet(ctx, q, f.key)
		if err != nil {
			return id, err
		}
		switch to := f.at.(type) {
		case *schema.BranchID:
			*to = schema.BranchID(b)
		case *schema.EntityID:
			*to = schema.EntityID(b)
		case *string:
			*to = string(b)
		case *[]byte:
			*to = b
		}
	}
	n, err := metaInt(ctx, q, metaRestored)
	id.Restored = n != 0
	return id, err
}

func metaGet(ctx context.Context, q oplog.Querier, key string) ([]byte, error) {
	var b []byte
	err := q.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = $1", key).Scan(&b)
	if errors.Is(err, stdsql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("store: meta %s: %w", key, err)
	}
	return b, nil
}

func metaInt(ctx context.Context, q oplog.Querier, key string) (int64, error) {
	b, err := metaGet(ctx, q, key)
	if err != nil || len(b) != 8 {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

func (w *writer) metaSet(key string, value []byte) error {
	if value == nil {
		value = []byte{}
	}
	if _, err := w.exec("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value", key, value); err != nil {
		return fmt.Errorf("store: meta %s: %w", key, err)
	}
	return nil
}

func (w *writer) metaSetInt(key string, n int64) error {
	return w.metaSet(key, binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// Identity is who the branch is. Branch is empty before enrolment. It does not block.
func (s *Store) Identity(context.Context) (Identity, error) { return s.known.Load().id, nil }

// String tells who the branch is and none of its secrets.
func (i Identity) String() string {
	return fmt.Sprintf("branch %q of %q, link %s", i.Branch, i.Entity, i.Link)
}

// LogValue keeps the secrets out of logs.
func (i Identity) LogValue() slog.Value { return slog.StringValue(i.String()) }

// SaveSeed keeps the key the branch made for itself, before it asks to be
// enrolled with it. Seeds are never shown again.
func (s *Store) SaveSeed(ctx context.Context, seed []byte) error {
	return s.write(ctx, func(w *writer) error {
		w.touched = true
		w.m.id.Seed = seed
		return w.metaSet(metaSeed, seed)
	})
}

// SaveHost keeps the certificate and key of the branch's own listener.
func (s *Store) SaveHost(ctx context.Context, cert, key []byte) error {
	return s.write(ctx, func(w *writer) error {
		w.touched = true
		w.m.id.HostCert, w.m.id.HostKey = cert, key
		return errors.Join(w.metaSet(metaHostCert, cert), w.metaSet(metaHostKey, key))
	})
}

// Enrolment is what HQ answered to an enrolment.
type Enrolment struct {
	Identity    // Seed and host key may be empty: those kept before stay
	Incarnation schema.Incarnation
	Certificate []byte // signed wirev1.Certificate
	Epoch       schema.EpochID
	EpochLine   []byte // signed
}

// Enrol makes the database that of a branch. A database that is one already
// keeps its incarnations, and only its keys and addresses change: what becomes
// of its log is decided at the next hello. ErrConflict when it is another branch's.
func (s *Store) Enrol(ctx context.Context, e Enrolment) error {
	if _, err := schema.ParseBranchID(string(e.Branch)); err != nil {
		return err
	}
	if e.Incarnation <= 0 {
		return schema.Invalid("incarnation", "is missing")
	}
	err := s.write(ctx, func(w *writer) error {
		if have := w.m.id.Branch; have != "" && have != e.Branch || s.cfg.Branch != "" && s.cfg.Branch != e.Branch {
			return fmt.Errorf("store: enrol %s: this folder is branch %s's: %w", e.Branch, have+s.cfg.Branch, schema.ErrConflict)
		}
		w.touched = true
		id := e.Identity
		if was := w.m.id.HQKey; was != "" && id.HQKey != "" && was != id.HQKey {
			if err := w.otherHQ(); err != nil {
				return err
			}
		}
		for _, f := range id.fields() {
			var b []byte
			switch v := f.at.(type) {
			case *schema.BranchID:
				b = []byte(*v)
			case *schema.EntityID:
				b = []byte(*v)
			case *string:
				b = []byte(*v)
			case *[]byte:
				b = *v
			}
			if len(b) == 0 {
				continue
			}
			if err := w.metaSet(f.key, b); err != nil {
				return err
			}
		}
		if len(w.m.lives) == 0 {
			if err := oplog.Begin(w.ctx, w.tx, e.Incarnation, e.Certificate); err != nil {
				return err
			}
			if err := w.metaSetInt(metaNonceUsed, 1); err != nil {
				return err
			}
		}
		if e.EpochLine != nil {
			if err := w.metaSet(metaEpochLine, e.EpochLine); err != nil {
				return err
			}
		}
		if err := w.metaSetInt(metaEpoch, int64(e.Epoch)); err != nil {
			return err
		}
		w.event.Line = true
		return s.load(w.ctx, w.tx)
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.openLog(context.WithoutCancel(ctx))
}

// otherHQ forgets what a headquarters with another key has said: the one that
// enrols the branch now did not say it, and has stored nothing of the branch.
func (w *writer) otherHQ() error {
	for _, q := range []string{
		"UPDATE life SET receipt = NULL, watermark = 0, epoch = 0, forget = prune_cut", "DELETE FROM cursor", "DELETE FROM mark", "DELETE FROM delivery",
	} {
		if _, err := w.exec(q); err != nil {
			return fmt.Errorf("store: another headquarters: %w", err)
		}
	}
	return errors.Join(w.metaSetInt(metaHQRev, 0), w.metaSet(metaEpochLine, nil))
}

// MarkRestored notes that the folder was put back from a backup: the next hello
// says so, and HQ answers with a new incarnation.
func (s *Store) MarkRestored(ctx context.Context) error {
	return s.write(ctx, func(w *writer) error {
		w.touched = true
		w.m.id.Restored = true
		return w.metaSetInt(metaRestored, 1)
	})
}

// Nonce implements link.BranchStore.
func (s *Store) Nonce(ctx context.Context) ([]byte, error) {
	var out []byte
	err := s.write(ctx, func(w *writer) error {
		used, err := metaInt(w.ctx, w.tx, metaNonceUsed)
		if err != nil {
			return err
		}
		if out, err = metaGet(w.ctx, w.tx, metaNonce); err != nil || out != nil && used == 0 {
			return err
		}
		out = make([]byte, 16)
		if _, err := io.ReadFull(s.cfg.Rand, out); err != nil {
			return fmt.Errorf("store: nonce: %w", err)
		}
		return errors.Join(w.metaSet(metaNonce, out), w.metaSetInt(metaNonceUsed, 0))
	})
	return out, err
}

// EpochLine implements link.BranchStore; nil when none was given yet.
func (s *Store) EpochLine(ctx context.Context) ([]byte, error) {
	return metaGet(ctx, s.db.R, metaEpochLine)
}

// SaveEpochLine implements link.BranchStore.
func (s *Store) SaveEpochLine(ctx context.Context, signed []byte) error {
	return s.write(ctx, func(w *writer) error { return w.metaSet(metaEpochLine, signed) })
}

// Ledger implements link.BranchStore.
func (s *Store) Ledger(ctx context.Context) ([]*wirev1.LedgerEntry, error) {
	rows, err := s.db.R.QueryContext(ctx, "SELECT raw FROM ledger ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("store: ledger: %w", err)
	}
	defer rows.Close()
	var out []*wirev1.LedgerEntry
	for rows.Next() {
		var raw []byte
		if err := rows.Scan(&raw); err != nil {
			return nil, fmt.Errorf("store: ledger: %w", err)
		}
		e := new(wirev1.LedgerEntry)
		if err := proto.Unmarshal(raw, e); err != nil {
			return nil, fmt.Errorf("store: ledger: %w", err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// TakeLedger implements link.BranchStore.
func (s *Store) TakeLedger(ctx context.Context, entries []*wirev1.LedgerEntry) error {
	if len(entries) == 0 {
		return nil
	}
	return s.write(ctx, func(w *writer) error {
		for _, e := range entries {
			raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(e)
			if err != nil {
				return fmt.Errorf("store: ledger: %w", err)
			}
			if _, err := w.exec("INSERT INTO ledger (id, raw) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", e.GetId(), raw); err != nil {
				return fmt.Errorf("store: ledger: %w", err)
			}
		}
		w.event.Line = true
		return nil
	})
}
