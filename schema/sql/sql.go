// Package sql opens the SQLite files of a site and holds their migrations.
//
// Rules: one writer connection (immediate transactions, synchronous=FULL, WAL),
// a pool of readers, checkpoints on a connection of their own; nothing else in
// the process ever opens the file. A database is checked (quick_check) and
// migrated before it is given out; one written by a newer program, or a SQLite
// older than 3.51.3 (its WAL-reset bug can corrupt), is refused.
//
// It promises that when Write returns nil the transaction is on disk, and that a
// Read sees one snapshot. It does not retry: with one writer nothing is busy. A
// full disk refuses writes until there is room; a disk that fails ends them for
// good, and Run with them (disk.go).
package sql

import (
	"context"
	stdsql "database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"branchline/schema"
)

//go:embed node hq
var files embed.FS

// Node and HQ are the migrations of a branch's and of headquarters' database.
func Node() fs.FS { return sub("node") }

// HQ are the migrations of headquarters' database.
func HQ() fs.FS { return sub("hq") }

func sub(dir string) fs.FS {
	f, err := fs.Sub(files, dir)
	if err != nil {
		panic(fmt.Sprintf("sql: embedded folder %s: %v", dir, err))
	}
	return f
}

// MinSQLite is the oldest SQLite that may open our files.
const MinSQLite = 3051003

// ErrCorrupt is a database that failed its check at the start. It is left as it is.
var ErrCorrupt = errors.New("database is damaged")

// Config says which file and how.
type Config struct {
	Path       string
	CacheKiB   int // the writer's page cache; readers have 2 MiB each
	Readers    int // at least 1
	Migrations fs.FS
	ReadOnly   bool // for doctor, verify, backup of a stopped folder: no migration, no writer
	// Beside names files and folders next to Path that are there only once the database has lived: with one of them an empty file is a lost one.
	Beside []string
	// CheckpointBytes of WAL force a checkpoint; 64 MiB when 0.
	CheckpointBytes int64
	// Idle, if not nil, is called by Run when work has ended and the database has given its memory back.
	Idle func()
}

// DB is an open database.
type DB struct {
	W    *stdsql.DB // one connection; nil when read-only
	R    *stdsql.DB
	ckpt *stdsql.DB
	cfg  Config
	// Transactions so far, but for those of a heartbeat: what is work and what is quiet shows by them.
	writes, reads atomic.Int64
	failed        failure
}

// Open checks, migrates and opens the file, making it if absent.
func Open(ctx context.Context, c Config) (*DB, error) {
	if c.Readers < 1 {
		c.Readers = 1
	}
	if c.CacheKiB == 0 {
		c.CacheKiB = 8 << 10
	}
	if c.CheckpointBytes == 0 {
		c.CheckpointBytes = 64 << 20
	}
	db := &DB{cfg: c, failed: failure{seen: make(chan struct{})}}
	if err := db.open(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (db *DB) open(ctx context.Context) error {
	c := db.cfg
	if err := c.lost(); err != nil {
		return err
	}
	if c.ReadOnly {
		if _, err := os.Stat(c.Path); err != nil {
			return fmt.Errorf("sql: open %s: %w", filepath.Base(c.Path), err)
		}
		db.R = connect(c.Path, c.Readers, "mode=ro", "_pragma=query_only(1)", "_pragma=busy_timeout(5000)")
		return db.check(ctx, db.R)
	}
	// A WAL once grown is cut to half the size that forces a checkpoint when it begins
	// anew: left at that size it would force one at every look.
	db.W = connect(c.Path, 1, "_txlock=immediate", "_pragma=busy_timeout(5000)", "_pragma=journal_mode(WAL)",
		"_pragma=synchronous(FULL)", "_pragma=foreign_keys(1)", "_pragma=secure_delete(1)", "_pragma=temp_store(MEMORY)",
		"_pragma=wal_autocheckpoint(0)", "_pragma=journal_size_limit("+strconv.FormatInt(c.CheckpointBytes/2, 10)+")", "_pragma=cache_size(-"+strconv.Itoa(c.CacheKiB)+")")
	if err := db.check(ctx, db.W); err != nil {
		return err
	}
	if err := db.migrate(ctx); err != nil {
		return err
	}
	db.R = connect(c.Path, c.Readers, "mode=ro", "_pragma=query_only(1)", "_pragma=busy_timeout(5000)", "_pragma=cache_size(-2048)", "_pragma=temp_store(MEMORY)")
	db.ckpt = connect(c.Path, 1, "_pragma=busy_timeout(5000)", "_pragma=synchronous(FULL)", "_pragma=wal_autocheckpoint(0)")
	return nil
}

func connect(path string, conns int, params ...string) *stdsql.DB {
	u := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: strings.Join(params, "&")}
	k, err := newKeeper(u.String())
	if err != nil {
		panic(fmt.Sprintf("sql: the driver refuses parameters of this package: %v", err))
	}
	db := stdsql.OpenDB(k)
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db
}

func (db *DB) check(ctx context.Context, conn *stdsql.DB) error {
	name := filepath.Base(db.cfg.Path)
	var version string
	if err := conn.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version); err != nil {
		return failed("open", name, err)
	}
	if n := versionNumber(version); n < MinSQLite {
		return fmt.Errorf("sql: this program is built with SQLite %s, which can damage the file: at least 3.51.3 is needed", version)
	}
	rows, err := conn.QueryContext(ctx, "PRAGMA quick_check(10)")
	if err != nil {
		return failed("check", name, err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return failed("check", name, err)
		}
		if s != "ok" {
			return fmt.Errorf("sql: check %s: %w: %s", name, ErrCorrupt, s)
		}
	}
	if err := rows.Err(); err != nil {
		return failed("check", name, err)
	}
	return nil
}

// failed says whether it is the file that is damaged, or that it cannot be reached.
func failed(what, name string, err error) error {
	switch codeOf(err) & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("sql: %s %s: %w: %w", what, name, ErrCorrupt, err)
	}
	return fmt.Errorf("sql: %s %s: %w", what, name, diskFull(err))
}

// codeOf is SQLite's extended result code of an error, 0 if it is none of its.
func codeOf(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

func versionNumber(v string) int {
	n := 0
	for i, p := range strings.SplitN(v, ".", 3) {
		x, err := strconv.Atoi(p)
		if err != nil {
			return 0
		}
		n += x * []int{1000000, 1000, 1}[i]
	}
	return n
}

func (db *DB) migrate(ctx context.Context) error {
	p, err := goose.NewProvider(goose.DialectSQLite3, db.W, db.cfg.Migrations, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("sql: migrations: %w", err)
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("sql: read schema version: %w", err)
	}
	newest := int64(0)
	for _, s := range p.ListSources() {
		newest = max(newest, s.Version)
	}
	if have > newest {
		return fmt.Errorf("sql: %s was written by a newer program (schema %d, this one knows %d): start the newer program", filepath.Base(db.cfg.Path), have, newest)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("sql: migrate: %w", err)
	}
	if have == newest {
		return nil
	}
	rows, err := db.W.QueryContext(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return fmt.Errorf("sql: foreign_key_check: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		return fmt.Errorf("sql: %s: a row points to one that is not there after migration", filepath.Base(db.cfg.Path))
	}
	return rows.Err()
}

// Write runs f in one immediate transaction and commits it durably. An error of
// f rolls it back and is returned as it is; on a full disk it is
// schema.ErrExhausted too, and once the disk has failed schema.ErrUnavailable.
func (db *DB) Write(ctx context.Context, f func(context.Context, *stdsql.Tx) error) error {
	if err := db.failed.refuse(); err != nil {
		return err
	}
	return db.failed.judge(db.write(ctx, f))
}

func (db *DB) write(ctx context.Context, f func(context.Context, *stdsql.Tx) error) error {
	if isWork(ctx) {
		db.writes.Add(1)
	}
	tx, err := db.W.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("sql: begin: %w", err)
	}
	if err := f(ctx, tx); err != nil {
		if rerr := tx.Rollback(); rerr != nil && !errors.Is(rerr, stdsql.ErrTxDone) {
			return errors.Join(err, fmt.Errorf("sql: roll back: %w", rerr))
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("sql: commit: %w", err)
	}
	return nil
}

// Read runs f on one snapshot.
func (db *DB) Read(ctx context.Context, f func(context.Context, *stdsql.Tx) error) error {
	if isWork(ctx) {
		db.reads.Add(1)
	}
	tx, err := db.R.BeginTx(ctx, &stdsql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("sql: begin read: %w", err)
	}
	ferr := f(ctx, tx)
	if err := tx.Rollback(); err != nil && !errors.Is(err, stdsql.ErrTxDone) && ferr == nil {
		return fmt.Errorf("sql: end read: %w", err)
	}
	return ferr
}

type heartbeat struct{}

// Heartbeat is a context whose transactions are no work: what every link of any
// number does every few seconds, for ever, must not keep memory from being given back.
func Heartbeat(ctx context.Context) context.Context {
	return context.WithValue(ctx, heartbeat{}, true)
}

func isWork(ctx context.Context) bool { return ctx.Value(heartbeat{}) == nil }

const (
	// lookEvery is how often Run looks at the WAL, restEvery how long must be quiet for memory to be given back.
	lookEvery = 200 * time.Millisecond
	restEvery = 5 * time.Second
	// quietWrites and quietReads in restEvery are still quiet: a page that stands open asks now and then.
	quietWrites = 10
	quietReads  = 200
)

// Run checkpoints the WAL until ctx ends: in a quiet moment (no growth since the
// last look), or when it has grown to the limit. After work it gives memory back.
// ErrDisk: the disk failed, under a write or a checkpoint; the process must end.
func (db *DB) Run(ctx context.Context) error {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	var last, done, writes, reads int64
	busy := true // the check at the start was work
	for n := 1; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-db.failed.seen:
			return fmt.Errorf("sql: %s: %w", filepath.Base(db.cfg.Path), db.failed.end())
		case <-t.C:
		}
		if n%int(restEvery/lookEvery) == 0 {
			w, r := db.writes.Load(), db.reads.Load()
			quiet := w-writes <= quietWrites && r-reads <= quietReads
			writes, reads = w, r
			if quiet && busy {
				if err := db.rest(ctx); err != nil && ctx.Err() == nil {
					return err
				}
			}
			busy = !quiet
		}
		fi, err := os.Stat(db.cfg.Path + "-wal")
		if err != nil {
			continue
		}
		size := fi.ModTime().UnixNano()
		quiet := size == last && size != done
		last = size
		if !quiet && fi.Size() < db.cfg.CheckpointBytes {
			continue
		}
		// On a full disk it stays undone until the next write: what is committed is
		// safe in the WAL, and reading goes on.
		if err := db.Checkpoint(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, schema.ErrExhausted) && !errors.Is(err, ErrDisk) {
			return err
		}
		done = size
	}
}

// rest gives memory back after work.
func (db *DB) rest(ctx context.Context) error {
	if err := db.Shrink(ctx); err != nil {
		return err
	}
	if db.cfg.Idle != nil {
		db.cfg.Idle()
	}
	return nil
}

// Checkpoint copies what it can of the WAL into the file without making anybody wait.
func (db *DB) Checkpoint(ctx context.Context) error {
	if _, err := db.ckpt.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		return fmt.Errorf("sql: checkpoint: %w", db.failed.judge(err))
	}
	return nil
}

// Shrink gives memory back after work: the writer's cache and idle readers.
func (db *DB) Shrink(ctx context.Context) error {
	if _, err := db.W.ExecContext(ctx, shrink); err != nil {
		return fmt.Errorf("sql: shrink: %w", err)
	}
	db.R.SetMaxIdleConns(0)
	db.R.SetMaxIdleConns(db.cfg.Readers)
	return nil
}

// Backup writes a compact copy to path, which must not exist: VACUUM INTO a
// name beside it, integrity_check, fsync, rename.
func (db *DB) Backup(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("sql: backup %s: %w", filepath.Base(path), schema.ErrExists)
	}
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sql: backup: %w", err)
	}
	from := connect(db.cfg.Path, 1, "mode=ro", "_pragma=busy_timeout(5000)")
	_, err := from.ExecContext(ctx, "VACUUM INTO $1", part)
	if err := errors.Join(err, from.Close()); err != nil {
		return fmt.Errorf("sql: backup: %w", err)
	}
	if err := checkCopy(ctx, part); err != nil {
		return fmt.Errorf("sql: backup: %w", err)
	}
	if err := syncFile(part); err != nil {
		return fmt.Errorf("sql: backup: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("sql: backup: %w", err)
	}
	return syncFile(filepath.Dir(path))
}

// BackupInto writes a copy as name into dir's folder backups, making it, and
// gives the copy's path and size. name is a plain file name: ErrInvalid.
func (db *DB) BackupInto(ctx context.Context, dir, name string) (path string, size int64, err error) {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return "", 0, schema.Invalid("file", "%q is no plain file name", name)
	}
	dir = filepath.Join(dir, "backups")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", 0, fmt.Errorf("sql: backup: %w", err)
	}
	path = filepath.Join(dir, name)
	if err := db.Backup(ctx, path); err != nil {
		return "", 0, err
	}
	fi, err := os.Stat(path)
	if err != nil {
		return "", 0, fmt.Errorf("sql: backup: %w", err)
	}
	return path, fi.Size(), nil
}

func checkCopy(ctx context.Context, path string) error {
	db := connect(path, 1, "mode=ro")
	var s string
	err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&s)
	if err == nil && s != "ok" {
		err = fmt.Errorf("the copy failed its check: %s", s)
	}
	return errors.Join(err, db.Close())
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Close closes every connection; the last one checkpoints the WAL away.
func (db *DB) Close() error {
	var errs []error
	for _, c := range []*stdsql.DB{db.R, db.ckpt, db.W} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}
