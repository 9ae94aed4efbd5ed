// Package store is a branch's database: one SQLite file with the records the
// branch holds, the changes it made and what its line to HQ remembers.
//
// Rules:
//   - A record's row, its search entry and its change are written in one
//     transaction; nothing is "saved" before that has committed.
//   - What is shown of a record is always fold(base, pending): HQ's record as it
//     was last received, and the branch's own changes it does not yet hold. A page
//     of the feed is applied with its cursor in one transaction, and own changes
//     are worked into the base at full pages only.
//   - Exported methods open one transaction and call unexported functions. There is
//     one writer; readers see a snapshot.
//   - A branch that is not enrolled refuses records.
//
// It promises that a saved edit is found by Get, List and Search from then on,
// whatever the line does, and that the copy of HQ's records can be thrown away and
// fetched again without touching unsent work. It does not know the network, nor
// who may do what beyond what a record's kind says of its home.
package store

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"branchline/schema"
	"branchline/schema/sql"
	"branchline/sync/clock"
	"branchline/sync/oplog"
)

// FileName is the database's name in a branch's folder.
const FileName = "branch.db"

// Config says where the branch's folder is and where time and chance come from.
type Config struct {
	Dir string
	// Branch, if not empty, is the branch the folder must be of.
	Branch schema.BranchID
	Now    func() time.Time
	Rand   io.Reader
	// CacheKiB is the writer's page cache, 12 MiB when 0; Readers the pool, 4 when 0.
	CacheKiB int
	Readers  int
	// CheckpointBytes of WAL force a checkpoint; schema/sql's default when 0.
	CheckpointBytes int64
	// Idle, if not nil, is called when work has ended and the database has given its memory back.
	Idle func()
}

// Store is a branch's database. Its methods may be called from any goroutine.
type Store struct {
	cfg Config
	db  *sql.DB
	hub *hub
	st  statements

	// mu is held by the one who writes. What it guards is what the database says,
	// kept in hand; it is read again after a failed transaction.
	mu   sync.Mutex
	mem  memory
	log  *oplog.Log
	clk  *clock.Clock
	ids  *schema.IDs
	door map[schema.Incarnation]schema.Seq // guarded by hub.mu: readers ask too

	known atomic.Pointer[view]

	neighbours neighbours // of a search
	held       tally      // for pages
}

// view is what readers need again and again and the writer has in hand: as of the
// last commit. Nothing of it is ever changed.
type view struct {
	id    Identity
	lives []oplog.Life // current first
	// recent are the last changes of the current life, the newest last: the sender is told of each, and finds it here. Later
	// views have theirs behind it in the same memory.
	recent []oplog.Fresh
}

// recentMost and recentBytes of payload are how much of it is held.
const (
	recentMost  = 32
	recentBytes = 64 << 10
)

func (v *view) life(inc schema.Incarnation) *oplog.Life {
	for i := range v.lives {
		if v.lives[i].Inc == inc {
			return &v.lives[i]
		}
	}
	return nil
}

// tell makes what was committed known to readers. The caller holds mu, or is alone.
func (s *Store) tell() {
	v := &view{id: s.mem.id, lives: make([]oplog.Life, len(s.mem.lives))}
	for i, l := range s.mem.lives {
		v.lives[i] = *l
	}
	v.recent = s.recent()
	s.known.Store(v)
}

// recent is what was known of the last changes and what the log has appended since, as far as the chain of the current life says so.
func (s *Store) recent() []oplog.Fresh {
	cur := s.mem.current()
	if cur == nil || s.log == nil {
		return nil
	}
	var out []oplog.Fresh
	if v := s.known.Load(); v != nil {
		out = v.recent
	}
	for _, f := range s.log.Fresh() {
		for len(out) > 0 && out[len(out)-1].Chain != f.Before {
			out = slices.Clip(out[:len(out)-1]) // rolled back; what stands there is an older view's
		}
		out = append(out, f)
	}
	size, from := 0, len(out)
	for from > 0 && len(out)-from < recentMost && size+len(out[from-1].Payload) <= recentBytes {
		from--
		size += len(out[from].Payload)
	}
	if out = out[from:]; len(out) == 0 || out[len(out)-1].ID.Inc != cur.Inc || out[len(out)-1].Chain != cur.Chain {
		return nil
	}
	return out
}

// memory is the writer's knowledge of the database, valid between transactions.
type memory struct {
	id    Identity
	lives []*oplog.Life // current first; nil: not enrolled
	nextN int64
	pass  int64 // the running full pass, or the last one
	full  bool  // a full pass is under way
	epoch schema.EpochID
	lost  bool // there may be rows in table lost
	// held, if not nil, has every record that is held, and perhaps others: of a branch that had none when its pass began,
	// until the pass ends or they are too many. Nothing else need be looked up before it is taken in.
	held map[schema.RecordID]struct{}
}

// maxHeld is how many records are remembered while a branch without any fetches its own: some ten megabytes.
const maxHeld = 200_000

// hold notes that a record is held from now on.
func (m *memory) hold(id schema.RecordID) {
	if m.held == nil {
		return
	}
	if m.held[id] = struct{}{}; len(m.held) > maxHeld {
		m.held = nil
	}
}

func (m *memory) current() *oplog.Life {
	if len(m.lives) == 0 {
		return nil
	}
	return m.lives[0]
}

func (m *memory) life(inc schema.Incarnation) *oplog.Life {
	for _, l := range m.lives {
		if l.Inc == inc {
			return l
		}
	}
	return nil
}

func (m *memory) lifeNo(no oplog.LifeNo) *oplog.Life {
	for _, l := range m.lives {
		if l.No == no {
			return l
		}
	}
	return nil
}

// Open checks, migrates and opens the branch's database in c.Dir, making it if absent.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Now == nil || c.Rand == nil {
		return nil, errors.New("store: open: no clock or no randomness given")
	}
	if c.CacheKiB == 0 {
		c.CacheKiB = 12 << 10
	}
	if c.Readers == 0 {
		c.Readers = 4
	}
	db, err := sql.Open(ctx, sql.Config{
		Path: filepath.Join(c.Dir, FileName), CacheKiB: c.CacheKiB, Readers: c.Readers, Migrations: sql.Node(), Beside: []string{"run.json", "backups"},
		CheckpointBytes: c.CheckpointBytes, Idle: c.Idle,
	})
	if err != nil {
		return nil, fmt.Errorf("store: open: %w", err)
	}
	s := &Store{cfg: c, db: db, hub: newHub(), ids: schema.NewIDs(c.Now, c.Rand), door: map[schema.Incarnation]schema.Seq{}}
	if err := s.begin(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("store: open: %w", err), s.Close())
	}
	return s, nil
}

func (s *Store) begin(ctx context.Context) error {
	if err := s.st.prepare(ctx, s.db.W); err != nil {
		return err
	}
	if err := s.load(ctx, s.db.W); err != nil {
		return err
	}
	s.tell()
	if s.cfg.Branch != "" && s.mem.id.Branch != "" && s.cfg.Branch != s.mem.id.Branch {
		return fmt.Errorf("this folder is branch %s's, not %s's: %w", s.mem.id.Branch, s.cfg.Branch, schema.ErrInvalid)
	}
	if err := s.fillLost(ctx); err != nil {
		return err
	}
	if err := s.reindex(ctx); err != nil {
		return err
	}
	return s.openLog(ctx)
}

// openLog begins to write as the branch the database is enrolled as.
func (s *Store) openLog(ctx context.Context) error {
	last := schema.Tick(0)
	for _, l := range s.mem.lives {
		last = max(last, l.At)
	}
	seen, err := metaInt(ctx, s.db.W, metaTick)
	if err != nil {
		return err
	}
	s.clk = clock.New(s.cfg.Now, max(last, schema.Tick(seen)))
	log, err := oplog.New(ctx, s.db.W, s.mem.id.Branch, s.clk, s.cfg.Rand)
	if err != nil {
		return err
	}
	if s.log != nil {
		if err := s.log.Close(); err != nil {
			return err
		}
	}
	s.log = log
	return nil
}

// load reads the writer's memory from the database.
func (s *Store) load(ctx context.Context, q oplog.Querier) error {
	var m memory
	var err error
	if m.id, err = readIdentity(ctx, q); err != nil {
		return err
	}
	if m.lives, err = oplog.Lives(ctx, q); err != nil {
		return err
	}
	if err := q.QueryRowContext(ctx, "SELECT coalesce(max(n), 0) + 1, EXISTS (SELECT 1 FROM lost) FROM record").Scan(&m.nextN, &m.lost); err != nil {
		return err
	}
	if m.pass, err = metaInt(ctx, q, metaPass); err != nil {
		return err
	}
	full, err := metaInt(ctx, q, metaFull)
	if err != nil {
		return err
	}
	m.full = full != 0
	epoch, err := metaInt(ctx, q, metaEpoch)
	m.epoch = schema.EpochID(epoch)
	s.mem = m
	return err
}

// Run keeps the database in order (checkpoints) until ctx ends.
func (s *Store) Run(ctx context.Context) error { return s.db.Run(ctx) }

// Shrink gives memory back after work.
func (s *Store) Shrink(ctx context.Context) error { return s.db.Shrink(ctx) }

// Backup writes a compact, checked copy of the database as name into the folder's
// backups and gives its path and size. name is a plain file name that is not taken.
func (s *Store) Backup(ctx context.Context, name string) (path string, size int64, err error) {
	return s.db.BackupInto(ctx, s.cfg.Dir, name)
}

// Close closes the database. Watchers end.
func (s *Store) Close() error {
	s.hub.close()
	errs := []error{s.st.close()}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(append(errs, s.db.Close())...)
}

// write runs f as the one writer, in one transaction. After an error the memory
// is read again, so that it never knows more than the database. The statements
// are not bound to ctx: a started transaction is short and runs to its end.
func (s *Store) write(ctx context.Context, f func(w *writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &writer{ctx: ctx, s: s, m: &s.mem}
	err := s.db.Write(ctx, func(ctx context.Context, tx *stdsql.Tx) error {
		w.tx = tx
		return f(w)
	})
	if err != nil {
		if w.touched {
			if lerr := s.load(ctx, s.db.W); lerr != nil {
				return errors.Join(err, fmt.Errorf("store: read again: %w", lerr))
			}
			s.tell()
		}
		return err
	}
	if w.touched {
		s.tell()
	}
	s.hub.publish(w.event)
	return nil
}

// read runs f on one snapshot.
func (s *Store) read(ctx context.Context, f func(ctx context.Context, tx *stdsql.Tx) error) error {
	return s.db.Read(ctx, f)
}

// writer is one write transaction in hand.
type writer struct {
	ctx     context.Context
	tx      *stdsql.Tx
	s       *Store
	m       *memory
	event   Event
	touched bool // the memory was changed
	bound   []bound
}

// bound is a prepared statement as this transaction runs it.
type bound struct{ of, st *stdsql.Stmt }

func (w *writer) now() int64 { return w.s.cfg.Now().UnixMilli() }

// stmt is st in the transaction. It is bound once: binding costs as much as a small insert.
func (w *writer) stmt(st *stdsql.Stmt) *stdsql.Stmt {
	for _, b := range w.bound {
		if b.of == st {
			return b.st
		}
	}
	b := bound{st, w.tx.StmtContext(w.ctx, st)}
	w.bound = append(w.bound, b)
	return b.st
}

func (w *writer) exec(query string, args ...any) (stdsql.Result, error) {
	return w.tx.ExecContext(w.ctx, query, args...)
}

// statements are those of the ways that must be short.
type statements struct {
	find, findMany, insert, insertMany, update, pend, exists *stdsql.Stmt
	word, wordMany, unword, term, termMany, unterm           *stdsql.Stmt
	forget, noted, note                                      *stdsql.Stmt // request ids

	all []*stdsql.Stmt
}

func (p *statements) prepare(ctx context.Context, w *stdsql.DB) error {
	for _, x := range []struct {
		to  **stdsql.Stmt
		sql string
	}{
		{&p.find, "SELECT " + rowColumns + " FROM record WHERE id = $1"},
		{&p.findMany, findMany()},
		{&p.insert, insertRecord(1)},
		{&p.insertMany, insertRecord(chunk)},
		{&p.update, updateRecord},
		{&p.pend, "INSERT INTO pending (id, n) VALUES ($1, $2)"},
		{&p.word, insertWords(1)},
		{&p.wordMany, insertWords(chunk)},
		{&p.unword, "DELETE FROM word WHERE rowid = $1"},
		{&p.term, insertTerms(1)},
		{&p.termMany, insertTerms(chunk)},
		{&p.unterm, "DELETE FROM term WHERE k = $1 AND n = $2"},
		{&p.exists, "SELECT kind FROM record WHERE id = $1 UNION ALL SELECT kind FROM look WHERE id = $1 LIMIT 1"},
		{&p.forget, "DELETE FROM request WHERE at < $1"},
		{&p.noted, "SELECT kind, record, change FROM request WHERE id = $1"},
		{&p.note, "INSERT INTO request (id, kind, record, change, at) VALUES ($1, $2, $3, $4, $5)"},
	} {
		st, err := w.PrepareContext(ctx, x.sql)
		if err != nil {
			return fmt.Errorf("prepare %q: %w", x.sql, err)
		}
		*x.to = st
		p.all = append(p.all, st)
	}
	return nil
}

func (p *statements) close() error {
	var errs []error
	for _, st := range p.all {
		errs = append(errs, st.Close())
	}
	return errors.Join(errs...)
}
