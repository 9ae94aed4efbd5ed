package sql

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"

	"branchline/schema"
)

// ErrDisk is a disk that failed to write or to sync. What the system kept of the
// file in memory is no longer what is on the disk then, and saying "saved" again
// would be a guess: the database takes no more writes in this process. What was
// saved before is read back from the disk at the next start.
var ErrDisk = errors.New("the disk has failed")

// IsDisk tells whether an error is the disk's, for want of room or worse, and not
// that of what was to be written: whoever sets single rows aside must not take it
// for the row's.
func IsDisk(err error) bool { return isFull(err) || isFault(err) }

func isFull(err error) bool {
	switch codeOf(err) {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE: // the WAL's index cannot grow
		return true
	}
	return false
}

// isFault tells of a fault of the disk, under the database or, as ErrDisk, under
// another file that is written within its transactions.
func isFault(err error) bool {
	if errors.Is(err, ErrDisk) {
		return true
	}
	code := codeOf(err)
	return code&0xff == sqlite3.SQLITE_IOERR && code != sqlite3.SQLITE_IOERR_SHMSIZE && code != sqlite3.SQLITE_IOERR_NOMEM
}

// diskFull lets an error for want of room be schema.ErrExhausted, in words.
func diskFull(err error) error {
	if isFull(err) {
		return fmt.Errorf("the disk of this site is full, nothing was saved: %w: %w", schema.ErrExhausted, err)
	}
	return err
}

// failure remembers the first fault of the disk.
type failure struct {
	once sync.Once
	err  error         // written before seen is closed
	seen chan struct{} // closed with the first fault
}

// judge says what an error of a write means for those to come.
func (f *failure) judge(err error) error {
	if !isFault(err) {
		return diskFull(err)
	}
	f.once.Do(func() {
		f.err = err
		close(f.seen)
	})
	return fmt.Errorf("nothing was saved, and this site stops: %w: %w: %w", schema.ErrUnavailable, ErrDisk, err)
}

// refuse is the answer to every write after a fault.
func (f *failure) refuse() error {
	select {
	case <-f.seen:
		return fmt.Errorf("nothing is saved any more, this site stops: %w: %w", schema.ErrUnavailable, ErrDisk)
	default:
		return nil
	}
}

// end is why the process ends.
func (f *failure) end() error {
	return fmt.Errorf("%w, so this process ends; what was saved is safe: look at the disk, then start again: %w", ErrDisk, f.err)
}

// lost tells of an empty file where a database was: SQLite would take it for a new
// one and throw its WAL away.
func (c Config) lost() error {
	name := filepath.Base(c.Path)
	fi, err := os.Stat(c.Path)
	if errors.Is(err, os.ErrNotExist) || err == nil && fi.Size() > 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sql: open %s: %w", name, err)
	}
	if c.ReadOnly {
		return fmt.Errorf("sql: open %s: %w: it is empty", name, ErrCorrupt)
	}
	for _, other := range append([]string{name + "-wal"}, c.Beside...) {
		_, err := os.Lstat(filepath.Join(filepath.Dir(c.Path), other))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("sql: open %s: %w", name, err)
		}
		return fmt.Errorf("sql: open %s: %w: it is empty, and %s beside it shows that it was not", name, ErrCorrupt, other)
	}
	return nil
}
