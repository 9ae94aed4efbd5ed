package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs a proxy before a server that sends back what it gets.
func start(t *testing.T) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(c, c) // until the connection ends
				c.Close()
			}()
		}
	}()
	p, err := New(Config{Listen: "127.0.0.1:0", Target: l.Addr().String()})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		l.Close()
	})
	return p
}

func dial(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// echo sends b and reads it back within d.
func echo(c net.Conn, b []byte, d time.Duration) error {
	if err := c.SetDeadline(time.Now().Add(d)); err != nil {
		return err
	}
	go c.Write(b) // a failure shows as a missing echo
	got := make([]byte, len(b))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if !bytes.Equal(got, b) {
		return errors.New("bytes were changed")
	}
	return nil
}

func TestProxy_PassesAndCounts(t *testing.T) {
	p := start(t)
	c := dial(t, p)
	b := bytes.Repeat([]byte("0123456789"), 100_000)
	must(t, echo(c, b, 10*time.Second))
	if up, down := p.Bytes(); up != 1_000_000 || down != 1_000_000 {
		t.Errorf("counted %d, %d", up, down)
	}
	p.SetChunk(3)
	must(t, echo(c, b[:3000], 10*time.Second))
	p.SetChunk(0)
	p.SetLatency(30 * time.Millisecond)
	begun := time.Now()
	must(t, echo(c, b, 10*time.Second))
	if d := time.Since(begun); d < 60*time.Millisecond || d > 3*time.Second {
		t.Errorf("a megabyte over 30 ms each way took %s", d)
	}
	p.SetLatency(0)
	p.SetRate(10_000)
	begun = time.Now()
	must(t, echo(c, b[:3000], 10*time.Second))
	if d := time.Since(begun); d < 200*time.Millisecond {
		t.Errorf("3,000 bytes at 10,000 a second took %s", d)
	}
}

func TestProxy_CutResetStall(t *testing.T) {
	p := start(t)
	c := dial(t, p)
	must(t, echo(c, []byte("x"), 5*time.Second))
	p.Cut()
	if err := echo(c, []byte("x"), 5*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("cut: %v", err)
	}
	// The RST may come while the dialler is still at it.
	if c, err := net.Dial("tcp", p.Addr()); err == nil {
		if err := echo(c, []byte("x"), 5*time.Second); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("new connection while cut: %v", err)
		}
		c.Close()
	}
	p.Open()
	c = dial(t, p)
	must(t, echo(c, []byte("x"), 5*time.Second))
	p.Reset()
	if err := echo(c, []byte("x"), 5*time.Second); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("reset: %v", err)
	}
	c = dial(t, p)
	must(t, echo(c, []byte("x"), 5*time.Second))
	p.Stall()
	if err := echo(c, []byte("held"), 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("stalled: %v", err)
	}
	n := dial(t, p)
	if err := echo(n, []byte("held"), 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("new connection while stalled: %v", err)
	}
	p.Open() // what was held passes on
	for _, c := range []net.Conn{c, n} {
		must(t, c.SetDeadline(time.Now().Add(5*time.Second)))
		got := make([]byte, 4)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "held" {
			t.Errorf("after the stall: %q, %v", got, err)
		}
	}
	up, _ := p.Bytes()
	p.Stall(Down)
	if err := echo(c, []byte("half"), 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("half open: %v", err)
	}
	if now, _ := p.Bytes(); now != up+4 {
		t.Errorf("%d bytes passed up through a stall of the way down", now-up)
	}
	// Ending a stalled proxy ends everything: goleak and Cleanup tell.
}
