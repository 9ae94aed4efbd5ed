//go:build linux

package soak

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"branchline/schema"
	"branchline/schema/serve"
)

// patience is how long anything may take on a machine that does much else.
const patience = 90 * time.Second

// binary is the built program, one build a run of the tests.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "branchline")
	out, err := exec.Command("go", "build", "-o", path, "branchline/cmd/branchline").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
})

// scratch is the run's own folder, set once before any test.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "branchline-soak-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = dir
	code := m.Run()
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// until waits for a condition; why says at the end what was still amiss.
func until(t testing.TB, what string, ok func() (done bool, why string)) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		done, why := ok()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("never came: %s: %s", what, why)
		}
	}
}

// site is one process of the program and its folder.
type site struct {
	t    testing.TB
	name string
	dir  string
	args []string // without --dir
	// disk, if not nil, is what the folder lies on.
	disk *disk
	// under is a command that runs the program, keeping its process id.
	under []string

	mu    sync.Mutex
	cmd   *exec.Cmd
	done  chan struct{} // closed when the process has ended
	ready ready
	// said is what all processes of this site wrote to standard error.
	said lines
}

// ready is the line a site says when it serves.
type ready struct {
	URL  string `json:"url"`
	Link string `json:"link"`
}

// lines is a buffer that several may use.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs the site until it says that it is ready.
func (s *site) start() {
	s.t.Helper()
	began := time.Now()
	defer func() { s.t.Logf("%s started in %s", s.name, time.Since(began).Round(time.Millisecond)) }()
	if err := s.tryStart(nil); err != nil {
		s.t.Fatalf("%s does not start: %v\n%s", s.name, err, tail(s.said.String()))
	}
}

func (s *site) tryStart(stdin io.Reader) error {
	bin, err := binary()
	if err != nil {
		return err
	}
	role := "node"
	if s.name == "hq" {
		role = "hq"
	}
	cmd := exec.Command(bin, append([]string{role, "--dir", s.dir, "--json"}, s.args...)...)
	if s.disk != nil {
		cmd = s.disk.command(bin, append([]string{role, "--dir", filepath.Join(s.disk.at, s.name), "--json"}, s.args...)...)
	}
	if len(s.under) > 0 {
		path, err := exec.LookPath(s.under[0])
		if err != nil {
			return err
		}
		cmd.Path, cmd.Args = path, append(s.under[:len(s.under):len(s.under)], cmd.Args...)
	}
	cmd.Stdin = stdin
	cmd.Stderr = &s.said
	// Nothing outlives the tests, whatever ends them.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	first := make(chan string, 1)
	go func() {
		defer close(done)
		r := bufio.NewReader(out)
		line, err := r.ReadString('\n')
		if err != nil && line == "" {
			line = "{}" // it ended without a word
		}
		first <- line
		if _, err = io.Copy(&s.said, r); err == nil { // with --json an error is said there
			err = cmd.Wait()
		}
		if err != nil {
			fmt.Fprintln(&s.said, s.name, "ended:", err)
		}
	}()
	s.mu.Lock()
	s.cmd, s.done = cmd, done
	s.mu.Unlock()
	var line string
	select {
	case line = <-first:
	case <-time.After(patience):
		s.kill()
		return errors.New("it says nothing")
	}
	var r ready
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		s.kill()
		return fmt.Errorf("its first line is %q", line)
	}
	if r.URL == "" {
		<-done
		return fmt.Errorf("it ends: %s: %s", cmd.ProcessState, strings.TrimSpace(line))
	}
	s.mu.Lock()
	s.ready = r
	s.mu.Unlock()
	return nil
}

// running tells whether a process of the site runs.
func (s *site) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// kill is kill -9. It returns when the process is gone.
func (s *site) kill() {
	s.signal(syscall.SIGKILL)
	s.mu.Lock()
	done := s.done
	s.mu.Unlock()
	if done != nil {
		<-done
	}
}

func (s *site) signal(sig syscall.Signal) {
	s.mu.Lock()
	cmd := s.cmd
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	if err := cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("%s: %v: %v", s.name, sig, err)
	}
}

// stop ends the site in good order; it must exit 0.
func (s *site) stop() {
	s.t.Helper()
	if code := s.end(); code != 0 {
		s.t.Fatalf("%s exits %d when stopped\n%s", s.name, code, tail(s.said.String()))
	}
}

func (s *site) end() int {
	s.t.Helper()
	s.mu.Lock()
	cmd, done := s.cmd, s.done
	s.mu.Unlock()
	if cmd == nil {
		return 0
	}
	s.signal(syscall.SIGTERM)
	select {
	case <-done:
	case <-time.After(patience):
		s.kill()
		s.t.Fatalf("%s does not stop\n%s", s.name, tail(s.said.String()))
	}
	return cmd.ProcessState.ExitCode()
}

// client calls the process that runs now. schema.ErrUnavailable while there is none.
func (s *site) client() (*serve.Client, error) {
	s.mu.Lock()
	cmd := s.cmd
	s.mu.Unlock()
	r, err := serve.ReadRun(s.dir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", schema.ErrUnavailable, err)
	}
	if cmd == nil || r.PID != cmd.Process.Pid {
		return nil, fmt.Errorf("run.json is of a process that is gone: %w", schema.ErrUnavailable)
	}
	return r.Client()
}

// calls waits for the running process's API.
func (s *site) calls() *serve.Client {
	s.t.Helper()
	var c *serve.Client
	until(s.t, "the API of "+s.name, func() (bool, string) {
		var err error
		if c, err = s.client(); err != nil {
			return false, err.Error()
		}
		return true, ""
	})
	s.t.Cleanup(c.Close)
	return c
}

func tail(s string) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-40):], "\n")
}
