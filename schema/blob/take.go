package blob

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"branchline/schema"
)

// Take adds a piece of a blob that comes from elsewhere and says how far it has come: where the next piece must begin,
// and whether the blob is here, on disk and whole. A piece that begins elsewhere changes nothing, so that pieces may come
// twice, late and in any order; an empty one only asks. from is who sends: two who send one blob do not disturb each
// other. schema.ErrInvalid: the pieces made up something else, and are gone; ErrTooLarge; ErrExhausted.
func (s *Store) Take(from string, h Hash, size, offset int64, piece []byte) (next int64, whole bool, err error) {
	if size < 0 || size > MaxFile || int64(len(piece)) > size {
		return 0, false, fmt.Errorf("blob: take %s of %d bytes: %w", h, size, schema.ErrTooLarge)
	}
	defer s.lock(h)()
	if n, ok := s.Has(h); ok {
		return n, true, nil
	}
	if err := s.room(size - offset); err != nil {
		return 0, false, err
	}
	path := s.part(from + "-" + h.String())
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return 0, false, fmt.Errorf("blob: take %s: %w", h, full(err))
	}
	shut := func(err error) error {
		err = errors.Join(full(err), f.Close())
		if err != nil {
			return fmt.Errorf("blob: take %s: %w", h, err)
		}
		return nil
	}
	next, err = f.Seek(0, io.SeekEnd)
	if err == nil && next > size {
		next = 0
		err = f.Truncate(0)
	}
	if err != nil {
		return 0, false, shut(err)
	}
	if offset == next && next+int64(len(piece)) <= size {
		if _, err := f.WriteAt(piece, next); err != nil {
			// What came before it stays.
			return next, false, shut(errors.Join(err, f.Truncate(next)))
		}
		next += int64(len(piece))
	}
	if next < size {
		return next, false, shut(nil)
	}
	if err := s.finish(f, h); err != nil {
		err = shut(err)
		if errors.Is(err, schema.ErrInvalid) {
			err = errors.Join(err, os.Remove(path))
		}
		return 0, false, err
	}
	if err := shut(nil); err != nil {
		return next, false, err
	}
	if err := s.settle(path, h); err != nil {
		return next, false, fmt.Errorf("blob: take %s: %w", h, full(err))
	}
	return next, true, nil
}

// finish hashes what has come and puts it on disk.
func (s *Store) finish(f *os.File, h Hash) error {
	sum := sha256.New()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if Hash(sum.Sum(nil)) != h {
		return schema.Invalid("hash", "the pieces make up another file")
	}
	return f.Sync()
}

// Incoming is a file as somebody hands it in, not yet looked at. Close it.
type Incoming struct {
	f    *os.File
	Size int64
}

// Receive reads a file to its end, to disk and not to memory. schema.ErrTooLarge when it is longer than MaxFile, which is
// told as soon as it is; schema.ErrExhausted.
func (s *Store) Receive(r io.Reader) (_ *Incoming, err error) {
	if err := s.room(MaxFile); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(s.part(""), tmpPrefix+"*")
	if err != nil {
		return nil, fmt.Errorf("blob: receive: %w", full(err))
	}
	in := &Incoming{f: f}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("blob: receive: %w", full(err)), in.Close())
		}
	}()
	if in.Size, err = io.Copy(f, io.LimitReader(r, MaxFile+1)); err != nil {
		return nil, err
	}
	if in.Size > MaxFile {
		return nil, fmt.Errorf("a file may have %d MiB: %w", MaxFile>>20, schema.ErrTooLarge)
	}
	return in, nil
}

// Bytes reads it into memory.
func (in *Incoming) Bytes() ([]byte, error) {
	b := make([]byte, in.Size)
	if _, err := in.f.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("blob: received file: %w", err)
	}
	return b, nil
}

// Close throws it away.
func (in *Incoming) Close() error {
	err := errors.Join(in.f.Close(), os.Remove(in.f.Name()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
