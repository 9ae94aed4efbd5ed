package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"time"

	"branchline/cmd/rig"
	"branchline/cmd/rig/benchrows"
	"branchline/node"
	"branchline/schema"
	"branchline/sync/bus/faultproxy"
	"branchline/sync/link"
)

// faultRate is how many changes a second are written meanwhile.
const faultRate = 200

// afterFaults is a branch in this process, a headquarters in its own, and a proxy between them.
type afterFaults struct {
	r     *runner
	head  *process
	proxy *faultproxy.Proxy
	node  *node.Node
}

// faults measures how soon after a fault the first change is applied at
// headquarters and the branch knows it, under steady work.
func (r *runner) faults(func(string) bool) (err error) {
	f := &afterFaults{r: r}
	hqDir := filepath.Join(r.dir, "hq")
	if f.head, err = r.start("hq", hqDir, nil, "--link", "127.0.0.1:0"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.head.stop()) }()
	token, err := r.register(f.head, "b1")
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(r.ctx)
	var wg sync.WaitGroup
	ends := make(chan error, 8)
	defer func() {
		stop()
		wg.Wait()
		close(ends)
		for e := range ends {
			err = errors.Join(err, e)
		}
	}()
	if f.proxy, err = faultproxy.New(faultproxy.Config{Listen: "127.0.0.1:0", Target: f.head.Link}); err != nil {
		return err
	}
	wg.Go(func() { ends <- f.proxy.Run(ctx) })
	f.node, err = node.New(node.Config{Dir: filepath.Join(r.dir, "b1"), Enrol: token, Link: f.proxy.Addr(), Version: "bench", Now: r.Now, Rand: r.Rand, Log: r.Log})
	if err != nil {
		return err
	}
	if err := f.node.Start(ctx); err != nil {
		return err
	}
	wg.Go(func() { ends <- f.node.Run(ctx) })
	if err := f.flows(); err != nil {
		return err
	}
	customers, err := r.fill(f.node.Store(), benchrows.Config{Customers: shared, Orders: 1})
	if err != nil {
		return err
	}
	working, rest := context.WithCancel(ctx)
	defer rest()
	wg.Go(func() {
		w := &runner{Config: r.Config, ctx: working, dir: r.dir}
		orders := r.orders(customers)
		_, err := w.pace(faultRate, 5*time.Minute, func() error {
			_, err := f.node.Store().Put(working, edit(schema.RecordID{}, orders()))
			return err
		})
		if working.Err() != nil {
			err = nil
		}
		ends <- err
	})
	if err := f.cut(); err != nil {
		return err
	}
	if err := f.kill(); err != nil {
		return err
	}
	return f.older(hqDir)
}

// flows waits until changes are applied.
func (f *afterFaults) flows() error {
	return f.r.await("link", awaitLine, func() (bool, error) { return f.node.Link().Phase == link.Open, nil })
}

// applied waits until headquarters' word of a change above mark is here, and gives the time since.
func (f *afterFaults) applied(since time.Time, mark schema.Seq) (time.Duration, error) {
	err := f.r.await("first change applied", time.Minute, func() (bool, error) {
		s := f.node.Link()
		return s.Phase == link.Open && s.Mark > mark, nil
	})
	return f.r.Now().Sub(since), err
}

// caughtUp waits until hardly anything waits.
func (f *afterFaults) caughtUp(since time.Time) (time.Duration, error) {
	err := f.r.await("backlog", time.Minute, func() (bool, error) {
		l, err := f.node.Store().Line(f.r.ctx)
		return err == nil && l.LastSeq-l.Watermark < faultRate/4, err
	})
	return f.r.Now().Sub(since), err
}

func (f *afterFaults) cut() error {
	span := 30 * time.Second
	if f.r.Quick {
		span = 5 * time.Second
	}
	f.r.step("link cut for %s", span)
	bare, err := f.r.redial(f.r.ctx)
	if err != nil {
		return err
	}
	f.proxy.Cut()
	bare.proxy.Cut()
	if err := f.r.pause(span); err != nil {
		return errors.Join(err, bare.close())
	}
	mark := f.node.Link().Mark
	began := f.r.Now()
	f.proxy.Open()
	bare.proxy.Open()
	took, err := f.applied(began, mark)
	if err != nil {
		return errors.Join(err, bare.close())
	}
	all, err := f.caughtUp(began)
	if err := errors.Join(err, bare.close()); err != nil {
		return err
	}
	return f.r.emit(fmt.Sprintf("faults/cut-%ds", int(span.Seconds())), took.Seconds(), "s", ceiling(bare.back.Sub(began).Seconds()), goal(0.5),
		note("%d changes a second meanwhile; backlog gone after %.2f s; ceiling: a bare TCP client that redials every 250 ms", faultRate, all.Seconds()))
}

// emptyStart is how long the program takes until a headquarters without data serves.
func (f *afterFaults) emptyStart(n int) (time.Duration, error) {
	began := f.r.Now()
	p, err := f.r.start("hq", filepath.Join(f.r.dir, fmt.Sprintf("empty%d", n)), nil, "--link", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return f.r.Now().Sub(began), p.kill()
}

func (f *afterFaults) restart() error {
	p, err := f.r.start("hq", f.head.dir, nil, "--link", f.head.Link)
	if err == nil {
		f.head = p
	}
	return err
}

func (f *afterFaults) kill() error {
	rounds := 3
	if f.r.Quick {
		rounds = 1
	}
	bare, err := f.emptyStart(0)
	if err != nil {
		return err
	}
	var worst time.Duration
	for n := range rounds {
		f.r.step("headquarters is killed (%d of %d)", n+1, rounds)
		began := f.r.Now()
		if err := f.head.kill(); err != nil {
			return err
		}
		mark := f.node.Link().Mark
		if err := f.restart(); err != nil {
			return err
		}
		took, err := f.applied(began, mark)
		if err != nil {
			return err
		}
		worst = max(worst, took)
		if _, err := f.caughtUp(began); err != nil {
			return err
		}
	}
	return f.r.emit("faults/kill-hq", worst.Seconds(), "s", ceiling(bare.Seconds()), goal(1), note("the worst of %d, from kill -9 on, started again at once; ceiling: start of an empty headquarters", rounds))
}

// older puts headquarters' folder back to a copy of some seconds ago.
func (f *afterFaults) older(dir string) error {
	span := 10 * time.Second
	if f.r.Quick {
		span = 3 * time.Second
	}
	f.r.step("headquarters' folder is replaced by a copy %s older", span)
	if err := f.head.stop(); err != nil {
		return err
	}
	kept := dir + ".kept"
	if err := rig.CopyDir(dir, kept); err != nil {
		return err
	}
	if err := f.restart(); err != nil {
		return err
	}
	mark := f.node.Link().Mark
	if _, err := f.applied(f.r.Now(), mark); err != nil {
		return err
	}
	if err := f.r.pause(span); err != nil {
		return err
	}
	epoch := f.node.Link().Epoch
	if err := f.head.kill(); err != nil {
		return err
	}
	if err := rig.SwapDir(kept, dir); err != nil {
		return err
	}
	bare, err := f.emptyStart(1)
	if err != nil {
		return err
	}
	began := f.r.Now()
	if err := f.restart(); err != nil {
		return err
	}
	var back schema.Seq
	if err := f.r.await("another epoch", time.Minute, func() (bool, error) {
		s := f.node.Link()
		back = s.Mark
		return s.Phase == link.Open && s.Epoch != epoch, nil
	}); err != nil {
		return err
	}
	took, err := f.applied(began, back)
	if err != nil {
		return err
	}
	all, err := f.caughtUp(began)
	if err != nil {
		return err
	}
	return f.r.emit("faults/older-hq", took.Seconds(), "s", ceiling(bare.Seconds()), goal(1),
		note("from its start on the copy; all resent after %.2f s; ceiling: start of an empty headquarters", all.Seconds()))
}

// redialled is a bare TCP client through a proxy of its own that redials every 250 ms until it is answered.
type redialled struct {
	proxy *faultproxy.Proxy
	back  time.Time // when it was answered after the last cut
	mu    sync.Mutex
	stop  context.CancelFunc
	wg    sync.WaitGroup
	echo  net.Listener
	err   error
}

func (r *runner) redial(ctx context.Context) (*redialled, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &redialled{echo: l}
	if d.proxy, err = faultproxy.New(faultproxy.Config{Listen: "127.0.0.1:0", Target: l.Addr().String()}); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	ctx, d.stop = context.WithCancel(ctx)
	d.wg.Go(func() { d.err = d.proxy.Run(ctx) })
	d.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d.wg.Go(func() {
				defer c.Close()
				io.Copy(c, c) //nolint:errcheck // ends with the connection
			})
		}
	})
	d.wg.Go(func() {
		for ctx.Err() == nil {
			if err := d.talk(ctx, r.Now); err != nil && r.pause(250*time.Millisecond) != nil {
				return
			}
		}
	})
	return d, nil
}

// talk dials and says something every few milliseconds until the connection breaks.
func (d *redialled) talk(ctx context.Context, now func() time.Time) error {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "tcp", d.proxy.Addr())
	if err != nil {
		return err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	b := make([]byte, 1)
	for first := true; ; first = false {
		if _, err := c.Write(b); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, b); err != nil {
			return err
		}
		if first {
			d.mu.Lock()
			d.back = now()
			d.mu.Unlock()
		}
		// Held until the other side closes: the next read breaks with the link.
		if _, err := io.ReadFull(c, b); err != nil {
			return err
		}
	}
}

func (d *redialled) close() error {
	d.stop()
	err := d.echo.Close()
	d.wg.Wait()
	return errors.Join(err, d.err)
}
