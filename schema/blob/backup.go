package blob

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// BackupSuffix is added to the name of a database's backup for the folder of its blobs.
const BackupSuffix = ".blobs"

// CopyInto puts every blob into another folder, which is made: by a hard link, or by a copy on another disk. A blob is
// never changed, so a link is as good as a copy. Made after the database's copy it has all blobs that copy names, as far
// as they were here.
func (s *Store) CopyInto(to string) (files, size int64, err error) {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return 0, 0, fmt.Errorf("blob: copy: %w", full(err))
	}
	made := map[string]bool{}
	err = s.Each(func(i Info) error {
		from := s.path(i.Hash)
		dir := filepath.Join(to, filepath.Base(filepath.Dir(from)))
		if !made[dir] {
			made[dir] = true
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return fmt.Errorf("blob: copy: %w", full(err))
			}
		}
		switch err := linkOrCopy(from, filepath.Join(dir, filepath.Base(from))); {
		case errors.Is(err, fs.ErrNotExist):
			return nil // erased meanwhile
		case err != nil && !errors.Is(err, fs.ErrExist):
			return fmt.Errorf("blob: copy: %w", full(err))
		}
		files++
		size += i.Size
		return nil
	})
	if err != nil {
		return files, size, err
	}
	made[to] = true
	for dir := range made {
		if err := syncDir(dir); err != nil {
			return files, size, fmt.Errorf("blob: copy: %w", err)
		}
	}
	return files, size, nil
}

// TakeBack puts the blobs of a folder that CopyInto wrote into the store: those that are whole and not here. What is
// here stays. bad are those that are not what their name says.
func (s *Store) TakeBack(from string) (files int64, bad []Hash, err error) {
	other := &Store{dir: from, now: s.now}
	err = other.Each(func(i Info) error {
		if _, ok := s.Has(i.Hash); ok {
			return nil
		}
		b, err := os.ReadFile(other.path(i.Hash))
		if err != nil {
			return fmt.Errorf("blob: take back: %w", err)
		}
		if HashOf(b) != i.Hash {
			bad = append(bad, i.Hash)
			return nil
		}
		if _, err := s.Put(b); err != nil {
			return err
		}
		files++
		return nil
	})
	return files, bad, err
}

func linkOrCopy(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close(), in.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// Survey reads the blobs of a site's folder through without changing anything in it, and gives those that are whole and
// those that are not what their name says. A folder without blobs has none.
func Survey(dir string) (whole map[Hash]int64, bad []Hash, err error) {
	s := &Store{dir: filepath.Join(dir, Folder)}
	whole = map[Hash]int64{}
	if _, err := os.Stat(s.dir); errors.Is(err, fs.ErrNotExist) {
		return whole, nil, nil
	}
	err = s.Each(func(i Info) error {
		b, err := os.ReadFile(s.path(i.Hash))
		if err != nil {
			return fmt.Errorf("blob: %w", err)
		}
		if HashOf(b) == i.Hash {
			whole[i.Hash] = i.Size
		} else {
			bad = append(bad, i.Hash)
		}
		return nil
	})
	return whole, bad, err
}
