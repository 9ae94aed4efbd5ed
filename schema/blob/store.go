package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"branchline/schema"
)

// Folder is the store's place in a site's folder.
const Folder = "blobs"

// MaxFile is the greatest blob in bytes.
const MaxFile = 20 << 20

const (
	onTheWay  = "part"
	tmpPrefix = "tmp-"
	badPrefix = "bad-"
)

// reserve is the room on the disk that is left to the database: what people type comes before pictures.
const reserve = 128 << 20

// Hash is the SHA-256 of a blob, and its name.
type Hash [sha256.Size]byte

// HashOf names bytes.
func HashOf(b []byte) Hash { return sha256.Sum256(b) }

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero tells whether h is no hash at all.
func (h Hash) IsZero() bool { return h == Hash{} }

// HashFrom reads the 32 bytes of a field. ErrInvalid.
func HashFrom(b []byte) (Hash, error) {
	if len(b) != sha256.Size {
		return Hash{}, schema.Invalid("hash", "a hash has %d bytes, not %d", sha256.Size, len(b))
	}
	return Hash(b), nil
}

// Store is a site's blobs. It is safe for concurrent use; no other process may write into its folder.
type Store struct {
	dir   string
	now   func() time.Time
	spare int64
	locks [64]sync.Mutex // by the first byte of the hash
}

// Open makes the store of a site's folder if there is none, and clears away what was on its way when the process died.
func Open(dir string, now func() time.Time) (*Store, error) {
	if dir == "" || now == nil {
		return nil, errors.New("blob: a folder and a clock are needed")
	}
	s := &Store{dir: filepath.Join(dir, Folder), now: now, spare: reserve}
	if err := os.MkdirAll(s.part(""), 0o700); err != nil {
		return nil, fmt.Errorf("blob: open: %w", err)
	}
	left, err := os.ReadDir(s.part(""))
	if err != nil {
		return nil, fmt.Errorf("blob: open: %w", err)
	}
	for _, e := range left {
		if strings.HasPrefix(e.Name(), tmpPrefix) {
			if err := os.Remove(s.part(e.Name())); err != nil {
				return nil, fmt.Errorf("blob: open: %w", err)
			}
		}
	}
	return s, nil
}

func (s *Store) part(name string) string { return filepath.Join(s.dir, onTheWay, name) }

func (s *Store) path(h Hash) string {
	x := h.String()
	return filepath.Join(s.dir, x[:2], x[2:])
}

func (s *Store) lock(h Hash) func() {
	m := &s.locks[int(h[0])%len(s.locks)]
	m.Lock()
	return m.Unlock
}

// diskFullWindows is ERROR_DISK_FULL.
const diskFullWindows = syscall.Errno(112)

// full says in words that there is no room.
func full(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || runtime.GOOS == "windows" && errors.Is(err, diskFullWindows) {
		return fmt.Errorf("the disk of this site is full, the file was not saved: %w: %w", schema.ErrExhausted, err)
	}
	return err
}

// room tells whether so many bytes may be written.
func (s *Store) room(n int64) error {
	if free := Free(s.dir); free > 0 && free-n < s.spare {
		return fmt.Errorf("the disk of this site is nearly full, and what is left is kept for the database: the file was not saved: %w", schema.ErrExhausted)
	}
	return nil
}

// Put stores bytes and returns when they are on disk. Putting what is there already makes it young again (EraseOlder).
// schema.ErrTooLarge above MaxFile, schema.ErrExhausted on a full disk: nothing was stored then.
func (s *Store) Put(b []byte) (Hash, error) {
	h := HashOf(b)
	if len(b) > MaxFile {
		return h, fmt.Errorf("blob: put %d bytes: %w", len(b), schema.ErrTooLarge)
	}
	defer s.lock(h)()
	if err := s.check(h); err == nil {
		return h, s.touch(h)
	} else if !errors.Is(err, schema.ErrNotFound) {
		return h, fmt.Errorf("blob: put %s: %w", h, err)
	}
	if err := s.room(int64(len(b))); err != nil {
		return h, err
	}
	f, err := os.CreateTemp(s.part(""), tmpPrefix+"*")
	if err != nil {
		return h, fmt.Errorf("blob: put %s: %w", h, full(err))
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = s.settle(f.Name(), h)
	}
	if err != nil {
		return h, fmt.Errorf("blob: put %s: %w", h, errors.Join(full(err), os.Remove(f.Name())))
	}
	return h, nil
}

// settle gives a synced file its name.
func (s *Store) settle(from string, h Hash) error {
	to := s.path(h)
	dir := filepath.Dir(to)
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		if err := syncDir(s.dir); err != nil {
			return err
		}
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes the names in a folder durable, where a system can.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // its folders cannot be synced, and need not
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (s *Store) touch(h Hash) error {
	now := s.now()
	if err := os.Chtimes(s.path(h), now, now); err != nil {
		return fmt.Errorf("blob: %s: %w", h, err)
	}
	return nil
}

// Touch makes a blob young again (EraseOlder). Nothing there is no error.
func (s *Store) Touch(h Hash) error {
	if err := s.touch(h); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Free is the free room of the disk in bytes; 0: not known.
func (s *Store) Free() int64 { return Free(s.dir) }

// Has tells whether a blob lies here, and its size. Whether it is whole only Open tells.
func (s *Store) Has(h Hash) (int64, bool) {
	fi, err := os.Stat(s.path(h))
	if err != nil {
		return 0, false
	}
	return fi.Size(), true
}

// check reads a blob through. ErrNotFound when it is not here, or was damaged: it is set aside then.
func (s *Store) check(h Hash) error {
	f, _, err := s.open(h)
	if err != nil {
		return err
	}
	return f.Close()
}

func (s *Store) open(h Hash) (*os.File, int64, error) {
	f, err := os.Open(s.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("the file is not here: %w", schema.ErrNotFound)
	}
	if err != nil {
		return nil, 0, err
	}
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	if err == nil && !bytes.Equal(sum.Sum(nil), h[:]) {
		err = errors.Join(f.Close(), os.Rename(s.path(h), s.part(badPrefix+h.String())))
		if err == nil {
			err = fmt.Errorf("the file was damaged and has been set aside: %w", schema.ErrNotFound)
		}
		return nil, 0, err
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, n, nil
}

// Open gives a blob that was just read through and is whole, and its size. The caller closes it. schema.ErrNotFound: it
// is not here, or what was here is damaged and has been set aside.
func (s *Store) Open(h Hash) (*os.File, int64, error) {
	defer s.lock(h)()
	f, n, err := s.open(h)
	if err != nil {
		return nil, 0, fmt.Errorf("blob: %s: %w", h, err)
	}
	return f, n, nil
}

// Read gives bytes of a blob from an offset, at most most. It does not hash: the receiver does. schema.ErrNotFound.
func (s *Store) Read(h Hash, offset int64, most int) (b []byte, size int64, err error) {
	f, err := os.Open(s.path(h))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, fmt.Errorf("blob: %s: the file is not here: %w", h, schema.ErrNotFound)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("blob: %s: %w", h, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fi, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("blob: %s: %w", h, err)
	}
	if size = fi.Size(); offset < 0 || offset > size {
		return nil, 0, schema.Invalid("offset", "%d lies outside a file of %d bytes", offset, size)
	}
	b = make([]byte, min(int64(most), size-offset))
	if _, err := f.ReadAt(b, offset); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fmt.Errorf("blob: %s: %w", h, err)
	}
	return b, size, nil
}

// Check tells whether a blob is here and whole. schema.ErrNotFound if not.
func (s *Store) Check(h Hash) error {
	f, _, err := s.Open(h)
	if err != nil {
		return err
	}
	return f.Close()
}

// Erase removes a blob, what was set aside of it and what of it is on its way. The caller has seen that nothing that
// lives names it. Nothing there is no error.
func (s *Store) Erase(h Hash) error {
	defer s.lock(h)()
	return s.erase(h)
}

func (s *Store) erase(h Hash) error {
	parts, err := filepath.Glob(s.part("*-" + h.String()))
	if err != nil {
		return fmt.Errorf("blob: erase %s: %w", h, err)
	}
	for _, path := range append(parts, s.path(h)) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("blob: erase %s: %w", h, err)
		}
	}
	for _, dir := range []string{filepath.Dir(s.path(h)), s.part("")} {
		if err := syncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("blob: erase %s: %w", h, err)
		}
	}
	return nil
}

// Info is a blob as it lies in the folder.
type Info struct {
	Hash Hash
	Size int64
	At   time.Time // when it was put or last found put again
}

// Each calls f for every blob, in the order of their hashes, until f fails.
func (s *Store) Each(f func(Info) error) error {
	dirs, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	for _, d := range dirs {
		if !d.IsDir() || len(d.Name()) != 2 {
			continue
		}
		files, err := os.ReadDir(filepath.Join(s.dir, d.Name()))
		if err != nil {
			return fmt.Errorf("blob: %w", err)
		}
		for _, e := range files {
			raw, err := hex.DecodeString(d.Name() + e.Name())
			if err != nil || len(raw) != sha256.Size {
				continue // nobody's
			}
			fi, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // erased meanwhile
			}
			if err != nil {
				return fmt.Errorf("blob: %w", err)
			}
			if err := f(Info{Hash(raw), fi.Size(), fi.ModTime()}); err != nil {
				return err
			}
		}
	}
	return nil
}

// EraseOlder erases a blob that was put before a time and that free calls free, which is asked
// under the blob's lock. It tells whether it did.
func (s *Store) EraseOlder(h Hash, before time.Time, free func() (bool, error)) (bool, error) {
	defer s.lock(h)()
	fi, err := os.Stat(s.path(h))
	if errors.Is(err, fs.ErrNotExist) || err == nil && !fi.ModTime().Before(before) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("blob: %s: %w", h, err)
	}
	if ok, err := free(); err != nil || !ok {
		return false, err
	}
	return true, s.erase(h)
}

// ClearParts removes what has been on its way, or set aside as damaged, since before a time.
func (s *Store) ClearParts(before time.Time) error {
	left, err := os.ReadDir(s.part(""))
	if err != nil {
		return fmt.Errorf("blob: %w", err)
	}
	for _, e := range left {
		fi, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && fi.ModTime().Before(before) {
			err = os.Remove(s.part(e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("blob: %w", err)
		}
	}
	return nil
}
