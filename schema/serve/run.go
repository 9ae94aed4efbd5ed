package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"branchline/schema"
)

const (
	runName  = "run.json"
	lockName = "lock"
)

// Run is what a running site writes into its folder, for the owner's eyes only, so that commands find it.
type Run struct {
	PID           int    `json:"pid"`
	Boot          string `json:"boot"`
	Role          string `json:"role"` // node, hq
	Version       string `json:"version"`
	URL           string `json:"url"`
	CAFingerprint string `json:"ca_fingerprint,omitempty"`
	Token         string `json:"token"` // local token of this boot: acts as the site's administrator
}

// Client calls the running site as its owner.
func (r *Run) Client() (*Client, error) { return NewClient(r.URL, r.Token, r.CAFingerprint) }

func (s *Server) writeRun() error {
	b, err := json.MarshalIndent(Run{
		PID: os.Getpid(), Boot: s.boot, Role: string(s.c.Site), Version: s.c.Version, URL: s.url(""),
		CAFingerprint: s.c.CAFingerprint, Token: s.c.Accounts.LocalToken(),
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("serve: run.json: %w", err)
	}
	// Made new under another name, so that nobody ever reads half of it or sees it with wider rights.
	f, err := os.CreateTemp(s.c.Dir, ".run-*") // 0600
	if err != nil {
		return fmt.Errorf("serve: run.json: %w", err)
	}
	_, err = f.Write(append(b, '\n'))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.c.Dir, runName))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("serve: run.json: %w", err), os.Remove(f.Name()))
	}
	return nil
}

func removeRun(dir, boot string) error {
	r, err := ReadRun(dir)
	if errors.Is(err, schema.ErrNotFound) || err == nil && r.Boot != boot {
		return nil // another's, or gone
	}
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, runName)); err != nil {
		return fmt.Errorf("serve: remove run.json: %w", err)
	}
	return nil
}

// ReadRun reads a folder's run.json, of a running site or of one that was killed. ErrNotFound.
func ReadRun(dir string) (*Run, error) {
	b, err := os.ReadFile(filepath.Join(dir, runName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("serve: %s: %w", filepath.Join(dir, runName), schema.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("serve: read run.json: %w", err)
	}
	r := &Run{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("serve: read run.json: %w", err)
	}
	return r, nil
}

// Find gives the running site of a folder. ErrNotFound: there is no such folder. ErrUnavailable: nothing runs there, or
// it is starting or stopping right now; the text says what to do.
func Find(dir string) (*Run, error) {
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("%s is no folder of a site: %w", dir, schema.ErrNotFound)
	}
	r, err := ReadRun(dir)
	if err != nil && !errors.Is(err, schema.ErrNotFound) {
		return nil, err
	}
	held, lockErr := isHeld(dir)
	switch {
	case lockErr != nil:
		return nil, lockErr
	case held && r != nil:
		return r, nil
	case held:
		return nil, fmt.Errorf("the site of %s is starting or stopping: %w", dir, schema.ErrUnavailable)
	}
	start := fmt.Sprintf("branchline node --dir %s (branchline hq --dir %s if it is headquarters)", dir, dir)
	if r != nil { // it was killed
		start = fmt.Sprintf("branchline %s --dir %s", r.Role, dir)
	}
	return nil, fmt.Errorf("the site of %s is not running: start it with %s: %w", dir, start, schema.ErrUnavailable)
}

// isHeld tries the lock for a moment. LockDir waits longer than that.
func isHeld(dir string) (bool, error) {
	path := filepath.Join(dir, lockName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	l := flock.New(path)
	got, err := l.TryRLock()
	if err != nil {
		return false, errors.Join(fmt.Errorf("serve: try lock of %s: %w", dir, err), l.Close())
	}
	if err := l.Close(); err != nil {
		return false, fmt.Errorf("serve: lock of %s: %w", dir, err)
	}
	return !got, nil
}

// Lock is a folder held by this process.
type Lock struct{ f *flock.Flock }

// LockDir makes the folder (0700) if it is absent and holds it; nobody else can until Release or the end of the process.
// ErrExists when another process has it. Take it before anything in the folder is opened.
func LockDir(ctx context.Context, dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("serve: make folder: %w", err)
	}
	l := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	wait, cancel := context.WithTimeout(ctx, 300*time.Millisecond) // a command may be looking whether it is held
	defer cancel()
	got, err := l.TryLockContext(wait, 20*time.Millisecond)
	if got {
		return &Lock{l}, nil
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, errors.Join(fmt.Errorf("serve: lock %s: %w", dir, err), l.Close())
	}
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("serve: lock %s: %w", dir, err), l.Close())
	}
	by := ""
	if r, err := ReadRun(dir); err == nil {
		by = fmt.Sprintf(" (process %d)", r.PID)
	}
	return nil, errors.Join(fmt.Errorf("another process%s has the folder %s: %w", by, dir, schema.ErrExists), l.Close())
}

// Release lets the folder go.
func (l *Lock) Release() error {
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("serve: release folder: %w", err)
	}
	return nil
}
