// Package store is headquarters' database: the file, its one writer, and what
// the other rooms of HQ keep in it.
//
// Rules:
//   - Everything is written through Write, one transaction at a time. What a
//     transaction does to memory (revs, record numbers, whom to poke, caches)
//     counts only when it has committed.
//   - Each Open is an epoch of its own: a random id, its parent, the rev at its
//     birth. Revs are taken inside the writing transaction, so none becomes
//     visible before a lower one.
//   - What no restore may undo (revoked keys, retired branches, frozen
//     incarnations, erasures) stands in the ledger, a file beside the database
//     that no backup holds. Open carries it out again on whatever database it finds.
//
// It promises that what Write returned nil for is on disk. It does not judge
// changes, nor decide who sees what: that is hq/inbox and hq/feed.
package store

import (
	"context"
	stdsql "database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/sql"
	"branchline/sync/bus/nkey"
)

// Config says where HQ's database lies and what it is built from.
type Config struct {
	Dir    string // database and ledger lie here
	Now    func() time.Time
	Rand   io.Reader // read under a lock
	Log    *slog.Logger
	Signer *nkey.Signer // HQ's key: receipts, certificates, the line of epochs
	// CacheKiB is the writer's page cache, 64 MiB when 0; Readers the size of the reader pool, 4 when 0.
	CacheKiB, Readers int
	// CheckpointBytes, Idle: see sql.Config.
	CheckpointBytes int64
	Idle            func()
}

// File and LedgerFile are the names within the folder.
const (
	File       = "hq.db"
	LedgerFile = "ledger.bl"
)

// Store is HQ's database. It is safe for concurrent use.
type Store struct {
	cfg    Config
	log    *slog.Logger
	db     *sql.DB
	ledger *ledger
	reg    *registry
	epochs []*wirev1.Epoch // oldest first, the last is running; never changed after Open
	line   []byte          // the same, signed

	idKey []byte // the group's key for hashes of national ids

	randMu     sync.Mutex
	revNow     atomic.Int64
	superseded atomic.Bool
	group      atomic.Pointer[string] // what the dealer group is called
	held       atomic.Bool            // restored, ledgers not all compared

	// writer guards what follows: the counters and caches of the one writer.
	writer   sync.Mutex
	rev      schema.Rev
	record   int64
	clock    int64 // highest reading stored, unix ms
	swept    int64
	prepared map[string]*stdsql.Stmt
	texts    texts
	resets   []func() // empty the caches of the writing rooms, after a roll-back

	codecMu sync.Mutex
	codec   *schema.PackCodec

	commits commits

	touchMu sync.Mutex
	touched map[int32]bool
	wake    chan struct{}
}

// Open opens HQ's database, making it if absent, carries out the ledger and
// begins an epoch. Errors: those of sql.Open; a ledger that does not verify.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Dir == "" || c.Now == nil || c.Rand == nil || c.Signer == nil {
		return nil, errors.New("hq/store: Dir, Now, Rand and Signer are needed")
	}
	if c.CacheKiB == 0 {
		c.CacheKiB = 64 << 10
	}
	if c.Readers == 0 {
		c.Readers = 4
	}
	s := &Store{
		cfg: c, log: c.Log, prepared: map[string]*stdsql.Stmt{},
		texts: texts{}, touched: map[int32]bool{}, wake: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.log = s.log.With("room", "hq/store")
	var err error
	if s.codec, err = schema.NewPackCodec(); err != nil {
		return nil, fmt.Errorf("hq/store: %w", err)
	}
	s.db, err = sql.Open(ctx, sql.Config{
		Path: filepath.Join(c.Dir, File), CacheKiB: c.CacheKiB, Readers: c.Readers,
		Migrations: sql.HQ(), Beside: []string{LedgerFile, "run.json", "backups", "up"}, CheckpointBytes: c.CheckpointBytes, Idle: s.idle,
	})
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) begin(ctx context.Context) error {
	var err error
	if s.ledger, err = openLedger(filepath.Join(s.cfg.Dir, LedgerFile)); err != nil {
		return err
	}
	row := s.db.W.QueryRowContext(ctx, "SELECT rev, record, clock, swept FROM counter WHERE one = 1")
	if err := row.Scan(&s.rev, &s.record, &s.clock, &s.swept); err != nil {
		return fmt.Errorf("hq/store: read counters: %w", err)
	}
	if s.reg, err = loadRegistry(ctx, s.db.W); err != nil {
		return err
	}
	err = s.Write(ctx, func(w *W) error {
		if err := w.headquarters(); err != nil {
			return err
		}
		if err := w.carryOut(s.ledger.entries); err != nil {
			return err
		}
		if err := w.groupKey(); err != nil {
			return err
		}
		if err := w.begun(); err != nil {
			return err
		}
		if err := w.settleHeld(); err != nil {
			return err
		}
		return w.newEpoch()
	})
	if err != nil {
		return err
	}
	return s.loadEpochs(ctx)
}

// groupKey reads or makes the key of the hashes of national ids.
func (w *W) groupKey() error {
	var err error
	if w.s.idKey, err = SiteValue(w, "id_key"); err != nil || len(w.s.idKey) == 32 {
		return err
	}
	w.s.idKey = make([]byte, 32)
	if err := w.s.Random(w.s.idKey); err != nil {
		return err
	}
	return w.SetSite("id_key", w.s.idKey)
}

// IDKey is the group's key for hashes of national ids.
func (s *Store) IDKey() []byte { return s.idKey }

// flushEvery is how often it is written down whom HQ heard: only a restart asks for it.
const flushEvery = 5 * time.Second

// Run looks after the database's file and writes down whom HQ heard until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	done := make(chan error, 1)
	go func() { done <- s.db.Run(ctx) }()
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return errors.Join(<-done, s.FlushHeard(context.WithoutCancel(ctx)))
		case err := <-done:
			return err
		case <-t.C:
			if err := s.FlushHeard(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("who was heard not written down", "err", err)
			}
		}
	}
}

// idle empties the caches of the writing rooms when the database has given its memory back.
func (s *Store) idle() {
	s.writer.Lock()
	for _, reset := range s.resets {
		reset()
	}
	s.writer.Unlock()
	if s.cfg.Idle != nil {
		s.cfg.Idle()
	}
}

// Close closes the database. The store must not be used any more.
func (s *Store) Close() error {
	var errs []error
	for _, st := range s.prepared {
		errs = append(errs, st.Close())
	}
	if s.ledger != nil {
		errs = append(errs, s.ledger.close())
	}
	return errors.Join(append(errs, s.db.Close())...)
}

// DB is the open database, for backup, shrinking and tables that are not HQ's
// records: the site's accounts. All else is written through Write alone.
func (s *Store) DB() *sql.DB { return s.db }

// Signer is HQ's key.
func (s *Store) Signer() *nkey.Signer { return s.cfg.Signer }

// Now is the machine's clock.
func (s *Store) Now() time.Time { return s.cfg.Now() }

// Rev is the last rev committed.
func (s *Store) Rev() schema.Rev { return schema.Rev(s.revNow.Load()) }

// Random fills b. It fails only when the source does.
func (s *Store) Random(b []byte) error {
	s.randMu.Lock()
	defer s.randMu.Unlock()
	if _, err := io.ReadFull(s.cfg.Rand, b); err != nil {
		return fmt.Errorf("hq/store: randomness: %w", err)
	}
	return nil
}

// Number is 63 random bits, never 0: an incarnation's or an epoch's id.
func (s *Store) Number() (int64, error) {
	for {
		var b [8]byte
		if err := s.Random(b[:]); err != nil {
			return 0, err
		}
		if n := int64(binary.BigEndian.Uint64(b[:]) >> 1); n != 0 {
			return n, nil
		}
	}
}

// SignWord signs what HQ says (receipts, certificates, the line of epochs).
func (s *Store) SignWord(m proto.Message) ([]byte, error) {
	return schema.SignWord(m, s.cfg.Signer.Public(), func(b []byte) ([]byte, error) { return s.cfg.Signer.Sign(b), nil })
}

// OpenWord reads a word that this HQ signed. schema.ErrInvalid if it did not.
func (s *Store) OpenWord(signed []byte, m proto.Message) error {
	return schema.OpenWord(signed, m, func(key string, msg, sig []byte) error {
		if key != s.cfg.Signer.Public() {
			return errors.New("another key than headquarters'")
		}
		return nkey.Verify(key, msg, sig)
	})
}

// Touched is where the feed's postman waits: it gets a value when Take would
// give something.
func (s *Store) Touched() <-chan struct{} { return s.wake }

// Take gives the branches whose feed has grown since the last Take; 0 stands for all.
func (s *Store) Take() []int32 {
	s.touchMu.Lock()
	defer s.touchMu.Unlock()
	out := make([]int32, 0, len(s.touched))
	for b := range s.touched {
		out = append(out, b)
	}
	clear(s.touched)
	return out
}

func (s *Store) touch(branches map[int32]bool) {
	if len(branches) == 0 {
		return
	}
	s.touchMu.Lock()
	for b := range branches {
		s.touched[b] = true
	}
	s.touchMu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// OnReset has f called, under the writer's lock, whenever a transaction was
// rolled back: a cache of database rows may then hold what never was. It is
// also called to give memory back.
func (s *Store) OnReset(f func()) {
	s.writer.Lock()
	defer s.writer.Unlock()
	s.resets = append(s.resets, f)
}
