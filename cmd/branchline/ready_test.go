package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"path/filepath"
	"testing"
	"time"

	"branchline/schema/serve"
)

// eye looks at the folder in the very moment a line is printed.
type eye struct {
	dir  string
	seen chan error
	run  *serve.Run
}

func (e *eye) Write(p []byte) (int, error) {
	if e.seen != nil && bytes.Contains(p, []byte("ready")) {
		r, err := serve.ReadRun(e.dir)
		e.run = r
		e.seen <- err
		e.seen = nil
	}
	return len(p), nil
}

// A program that waits for the ready line finds the site at once: run.json is there before it is said.
func TestReady_RunFileFirst(t *testing.T) {
	for role, args := range map[string][]string{
		"hq":   {"--listen", "127.0.0.1:0", "--link", "127.0.0.1:0"},
		"node": {"--listen", "127.0.0.1:0"},
	} {
		t.Run(role, func(t *testing.T) {
			t.Setenv("BRANCHLINE_ENROL", "")
			dir := filepath.Join(t.TempDir(), "site")
			seen := make(chan error, 1)
			out := &eye{dir: dir, seen: seen}
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			code := make(chan int, 1)
			go func() {
				code <- run(ctx, append([]string{"branchline", role, "--dir", dir}, args...), &env{
					stdin: bytes.NewReader(nil), stdout: out, stderr: io.Discard, now: time.Now, rand: rand.Reader,
				})
			}()
			select {
			case err := <-seen:
				if err != nil {
					t.Errorf("ready is said and run.json cannot be read: %v", err)
				} else if out.run.Role != role || out.run.URL == "" {
					t.Errorf("%+v", out.run)
				}
			case c := <-code:
				t.Fatalf("it ended with %d before it was ready", c)
			case <-time.After(patience):
				t.Fatal("never ready")
			}
			stop()
			if c := <-code; c != 0 {
				t.Errorf("exit %d", c)
			}
		})
	}
}
