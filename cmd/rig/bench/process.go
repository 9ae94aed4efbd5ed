package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
)

// process is a site in a process of its own.
type process struct {
	cmd  *exec.Cmd
	dir  string
	URL  string `json:"url"`
	Link string `json:"link"`
	done chan error
	said bytes.Buffer // standard error
	once sync.Once
	err  error
}

const (
	// startLimit is how long a site may take until it serves, stopLimit until it has ended.
	startLimit = 30 * time.Second
	stopLimit  = 20 * time.Second
)

// start starts a site on a folder and waits until it serves.
func (r *runner) start(role, dir string, env []string, args ...string) (*process, error) {
	if r.Exe == "" {
		return nil, errors.New("this measure needs the program's own file to start processes")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &process{dir: dir, done: make(chan error, 1)}
	args = append([]string{role, "--dir", dir, "--listen", "127.0.0.1:0", "--json"}, args...)
	p.cmd = exec.Command(r.Exe, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = &p.said
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	first := make(chan []byte, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadBytes('\n')
		first <- line
		io.Copy(io.Discard, out) //nolint:errcheck // it ends with the process
		p.done <- p.cmd.Wait()
	}()
	ctx, cancel := context.WithTimeout(r.ctx, startLimit)
	defer cancel()
	select {
	case line := <-first:
		if err := json.Unmarshal(line, p); err != nil || p.URL == "" {
			return nil, errors.Join(fmt.Errorf("%s did not come up: %s %s", role, bytes.TrimSpace(line), bytes.TrimSpace(p.said.Bytes())), p.kill())
		}
		return p, nil
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("%s did not come up: %w", role, ctx.Err()), p.kill())
	}
}

// wait waits for the end of a process told to end.
func (p *process) wait() error {
	p.once.Do(func() {
		t := time.NewTimer(stopLimit)
		defer t.Stop()
		select {
		case p.err = <-p.done:
		case <-t.C:
			p.err = errors.Join(errors.New("it did not end by itself"), p.cmd.Process.Kill(), <-p.done)
		}
	})
	return p.err
}

// stop ends the process in good order.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return p.wait()
}

// kill ends the process as a power cut would.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	var exit *exec.ExitError
	if err := p.wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

// client calls the process's API as its owner. The folder says how a moment after the process serves.
func (r *runner) client(p *process) (*serve.Client, error) {
	var run *serve.Run
	if err := r.await("run.json", startLimit, func() (_ bool, err error) {
		run, err = serve.Find(p.dir)
		if errors.Is(err, schema.ErrUnavailable) {
			return false, nil
		}
		return err == nil, err
	}); err != nil {
		return nil, err
	}
	return run.Client()
}

// register makes a company's branch at headquarters and gives its enrolment token.
func (r *runner) register(p *process, code string) (string, error) {
	c, err := r.client(p)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Headquarters.AddEntity(r.ctx, &branchlinev1.AddEntityRequest{Code: "e1", Name: "Company"}); err != nil && code == "b1" {
		return "", err
	}
	t, err := c.Headquarters.AddBranch(r.ctx, &branchlinev1.AddBranchRequest{Code: code, Name: "Branch " + code, Entity: "e1"})
	return t.GetToken(), err
}

// megabytes is a line of the process's status (VmRSS: resident now; VmHWM: at most so far) in MB.
func (p *process) megabytes(line string) (float64, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		return 0, fmt.Errorf("memory is only measured where there is /proc (this is %s): %w", runtime.GOOS, err)
	}
	for l := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(l, []byte(line+":")); ok {
			kb, err := strconv.ParseFloat(string(bytes.Fields(rest)[0]), 64)
			return kb * 1024 / 1e6, err
		}
	}
	return 0, fmt.Errorf("the process's status has no %s", line)
}
