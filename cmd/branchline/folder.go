package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	hqstore "branchline/hq/store"
	nodestore "branchline/node/store"
	"branchline/schema"
	"branchline/schema/serve"
	"branchline/schema/sql"
)

// folder is a site's folder that nothing runs in, held by this process.
type folder struct {
	dir  string
	role string // node, hq
	db   string // path of its database
	lock *serve.Lock
}

// openFolder takes a stopped folder. ErrUnavailable's opposite, that it runs, is ErrExists.
func openFolder(ctx context.Context, dir string) (*folder, error) {
	f := &folder{dir: dir}
	for role, name := range map[string]string{"node": nodestore.FileName, "hq": hqstore.File} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			f.role, f.db = role, filepath.Join(dir, name)
		}
	}
	if f.role == "" {
		return nil, fmt.Errorf("%s holds neither a branch's database (%s) nor headquarters' (%s): %w", dir, nodestore.FileName, hqstore.File, schema.ErrNotFound)
	}
	var err error
	f.lock, err = serve.LockDir(ctx, dir)
	return f, err
}

func (f *folder) release() error { return f.lock.Release() }

// readOnly opens the folder's database without changing anything in it.
func (f *folder) readOnly(ctx context.Context) (*sql.DB, error) {
	return sql.Open(ctx, sql.Config{Path: f.db, ReadOnly: true})
}

// aside moves the database's files into a folder of their own beside it and gives its path.
func (f *folder) aside(name string) (string, error) {
	to := filepath.Join(f.dir, name)
	if err := os.Mkdir(to, 0o700); err != nil {
		return "", fmt.Errorf("set the present database aside: %w", err)
	}
	for _, suffix := range []string{"-wal", "-shm", ""} {
		from := f.db + suffix
		err := os.Rename(from, filepath.Join(to, filepath.Base(from)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("set the present database aside: %w", err)
		}
	}
	return to, nil
}

// copyFile writes a copy that is on disk before it has its name.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() // read only
	part := to + ".part"
	out, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return os.Rename(part, to)
}
