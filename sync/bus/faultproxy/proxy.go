// Package faultproxy is a TCP proxy that misbehaves on demand: it cuts, holds,
// resets, delays and trickles the bytes between a branch and headquarters, and
// counts them. Tests, soak runs and benchmarks put it on the leaf link.
//
// It promises that no byte is changed or reordered within a connection, and
// that after Run returns no goroutine and no socket of it is left. It is not
// meant for real traffic.
package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Dir is a direction through the proxy.
type Dir int

const (
	Up   Dir = iota // from the one who dialled to the target
	Down            // from the target back
)

// Config says where the proxy stands.
type Config struct {
	Listen string // host:port; port 0 takes a free one
	Target string // host:port dialled for each connection
}

// Proxy is one listening address. Its methods are safe for concurrent use.
type Proxy struct {
	l     net.Listener
	bytes [2]atomic.Int64
	made  atomic.Int64

	mu      sync.Mutex
	target  string
	cut     bool
	held    [2]bool
	turn    chan struct{} // closed and made anew whenever held or cut changes
	latency time.Duration // one way
	chunk   int           // greatest write in bytes, 0 = any
	rate    int           // bytes a second each way, 0 = any
	live    map[*pair]struct{}
}

// New takes the address. Connections wait in the backlog until Run.
func New(c Config) (*Proxy, error) {
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("faultproxy: %w", err)
	}
	return &Proxy{l: l, target: c.Target, turn: make(chan struct{}), live: map[*pair]struct{}{}}, nil
}

// Addr is where the proxy listens.
func (p *Proxy) Addr() string { return p.l.Addr().String() }

// Bytes is what passed so far, in bytes: up towards the target, down from it.
func (p *Proxy) Bytes() (up, down int64) { return p.bytes[Up].Load(), p.bytes[Down].Load() }

// Made counts the connections accepted so far, those refused by a cut included.
func (p *Proxy) Made() int64 { return p.made.Load() }

// Live counts the connections open now.
func (p *Proxy) Live() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.live)
}

// SetTarget makes later connections go elsewhere.
func (p *Proxy) SetTarget(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = addr
}

// Cut closes all connections and every later one at once, until Open.
func (p *Proxy) Cut() {
	p.set(func() { p.cut = true })
	p.drop(false)
}

// Reset breaks all connections with a RST. Later ones pass.
func (p *Proxy) Reset() { p.drop(true) }

// Stall holds every byte of the given directions, both when none is given, of
// present and later connections: they stay open and nothing passes, until Open.
func (p *Proxy) Stall(dirs ...Dir) {
	p.set(func() {
		p.held = [2]bool{len(dirs) == 0, len(dirs) == 0}
		for _, d := range dirs {
			p.held[d] = true
		}
	})
}

// Open ends Cut and Stall; what was held passes on.
func (p *Proxy) Open() {
	p.set(func() { p.cut, p.held = false, [2]bool{} })
}

// SetLatency delays each byte by d one way, without limiting throughput.
func (p *Proxy) SetLatency(d time.Duration) { p.set(func() { p.latency = d }) }

// SetChunk limits each write to n bytes; 0 lifts the limit.
func (p *Proxy) SetChunk(n int) { p.set(func() { p.chunk = n }) }

// SetRate limits each direction of each connection to n bytes a second; 0 lifts the limit.
func (p *Proxy) SetRate(n int) { p.set(func() { p.rate = n }) }

func (p *Proxy) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.turn)
	p.turn = make(chan struct{})
}

func (p *Proxy) drop(rst bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.live {
		c.close(rst)
	}
}

// Run passes connections on until ctx ends, then closes all of them.
func (p *Proxy) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := context.AfterFunc(ctx, func() {
		p.l.Close() // its error is that it is closed already
	})
	defer stop()
	for {
		in, err := p.l.Accept()
		if err != nil {
			p.drop(true)
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("faultproxy: %w", err)
		}
		p.made.Add(1)
		wg.Go(func() { p.pass(ctx, in) })
	}
}

// pair is one connection and its other half.
type pair struct {
	in, out net.Conn // out is nil until the target answered
	gone    chan struct{}
	once    sync.Once
}

// close needs Proxy.mu, which guards out.
func (c *pair) close(rst bool) {
	c.once.Do(func() {
		close(c.gone)
		for _, n := range []net.Conn{c.in, c.out} {
			if t, ok := n.(*net.TCPConn); ok {
				if rst {
					t.SetLinger(0) // fails only on a closed socket
				}
				t.Close()
			}
		}
	})
}

func (p *Proxy) pass(ctx context.Context, in net.Conn) {
	c := &pair{in: in, gone: make(chan struct{})}
	p.mu.Lock()
	p.live[c] = struct{}{}
	if p.cut || ctx.Err() != nil {
		c.close(true)
	}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		c.close(false)
		delete(p.live, c)
	}()
	stop := context.AfterFunc(ctx, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		c.close(true)
	})
	defer stop()
	// A held connection is not even dialled on, as if the way were gone.
	if !p.wait(c, Up) {
		return
	}
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	var d net.Dialer
	out, err := d.DialContext(ctx, "tcp", target)
	if err != nil {
		return // the caller sees its connection closed, as with a dead target
	}
	p.mu.Lock()
	c.out = out
	select {
	case <-c.gone:
		out.Close()
	default:
	}
	p.mu.Unlock()
	var wg sync.WaitGroup
	wg.Go(func() { p.pump(c, Up, in, out) })
	wg.Go(func() { p.pump(c, Down, out, in) })
	wg.Wait()
}

// wait blocks while direction d is held. False: the connection is gone.
func (p *Proxy) wait(c *pair, d Dir) bool {
	for {
		p.mu.Lock()
		held, turn := p.held[d], p.turn
		p.mu.Unlock()
		if !held {
			select {
			case <-c.gone:
				return false
			default:
				return true
			}
		}
		select {
		case <-turn:
		case <-c.gone:
			return false
		}
	}
}

// piece is bytes on their way; due fires when they may arrive.
type piece struct {
	b   []byte
	due *time.Timer
}

func (p *Proxy) pump(c *pair, d Dir, from io.Reader, to io.Writer) {
	way := make(chan piece, 1024)
	var wg sync.WaitGroup
	var under atomic.Int64 // pieces handed on and not yet sent
	wg.Go(func() {
		defer close(way)
		b := make([]byte, 32<<10)
		for {
			n, err := from.Read(b)
			if n > 0 {
				q := piece{b: b[:n]}
				p.mu.Lock()
				if p.latency > 0 {
					q.due = time.NewTimer(p.latency)
				}
				plain := p.latency == 0 && !p.held[d] && p.rate == 0
				p.mu.Unlock()
				// Who measures through the proxy wants to measure no hand-over.
				if plain && under.Load() == 0 {
					if !p.send(c, d, q, to) {
						return
					}
				} else {
					b = make([]byte, 32<<10)
					under.Add(1)
					select {
					case way <- q:
					case <-c.gone:
						return
					}
				}
			}
			if err != nil {
				return
			}
		}
	})
	for q := range way {
		if !p.send(c, d, q, to) {
			break
		}
		under.Add(-1)
	}
	p.mu.Lock()
	c.close(false)
	p.mu.Unlock()
	wg.Wait()
}

func (p *Proxy) send(c *pair, d Dir, q piece, to io.Writer) bool {
	if q.due != nil {
		select {
		case <-q.due.C:
		case <-c.gone:
			return false
		}
	}
	for len(q.b) > 0 {
		if !p.wait(c, d) {
			return false
		}
		p.mu.Lock()
		n, rate := len(q.b), p.rate
		if p.chunk > 0 {
			n = min(n, p.chunk)
		}
		p.mu.Unlock()
		if rate > 0 {
			n = min(n, max(1, rate/50))
		}
		// Counted first: who has received a byte finds it counted.
		p.bytes[d].Add(int64(n))
		w, err := to.Write(q.b[:n])
		if err != nil {
			p.bytes[d].Add(int64(w - n))
			return false
		}
		q.b = q.b[n:]
		if rate > 0 {
			t := time.NewTimer(time.Second * time.Duration(n) / time.Duration(rate))
			select {
			case <-t.C:
			case <-c.gone:
				return false
			}
		}
	}
	return true
}
