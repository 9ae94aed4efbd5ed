package bench

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/cmd/rig"
	"branchline/cmd/rig/benchrows"
	hqstore "branchline/hq/store"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// shared is how many customers both branches hold in the measures of live work.
const shared = 50

// couple brings two branches of one company up that hold the same customers:
// what b1 writes about them is b2's business too.
func (r *runner) couple(pages bool) (*rig.Rig, []schema.RecordID, error) {
	g, err := r.line(pages, branches(2)...)
	if err != nil {
		return nil, nil, err
	}
	customers, err := r.share(g)
	if err != nil {
		return nil, nil, errors.Join(err, g.Close())
	}
	return g, customers, nil
}

func (r *runner) share(g *rig.Rig) ([]schema.RecordID, error) {
	if err := r.quiet(g, 20*time.Second); err != nil {
		return nil, err
	}
	var customers []schema.RecordID
	for x := range benchrows.All(benchrows.Config{Customers: shared, Orders: 1, Single: 1}) {
		if x.Customer == nil {
			break
		}
		res, err := g.Site("b1").Node().Store().Put(r.ctx, edit(schema.RecordID{}, x.Message("")))
		if err != nil {
			return nil, err
		}
		customers = append(customers, res.ID)
	}
	if err := r.quiet(g, 20*time.Second); err != nil {
		return nil, err
	}
	// b2 has the customer at its counter: it looks it up and writes a note.
	b2 := g.Site("b2").Node().Store()
	for _, c := range customers {
		row, err := lookedUp(r.ctx, g, c)
		if err != nil {
			return nil, err
		}
		if err := b2.SaveLook(r.ctx, []*wirev1.Row{row}, time.Hour); err != nil {
			return nil, err
		}
		note := &branchlinev1.Note{Customer: proto.String(c.String()), Day: proto.String("2026-01-05"), Text: proto.String("at the counter")}
		if _, err := b2.Put(r.ctx, edit(schema.RecordID{}, note)); err != nil {
			return nil, err
		}
	}
	return customers, r.quiet(g, 20*time.Second)
}

// lookedUp is a record as headquarters answers a look-up.
func lookedUp(ctx context.Context, g *rig.Rig, id schema.RecordID) (*wirev1.Row, error) {
	st := g.HQ().Store()
	row := &wirev1.Row{Row: wirev1.RowKind_RECORD, Record: id[:]}
	err := st.Read(ctx, func(x *hqstore.R) error {
		rec, err := hqstore.RecOf(x, id)
		if err != nil {
			return err
		}
		if rec == nil {
			return fmt.Errorf("headquarters has no record %s", id)
		}
		row.Kind, row.Home, row.State = uint32(rec.Kind), string(st.BranchNum(rec.Home).Code), rec.State
		return nil
	})
	return row, err
}

// rates are the paces of live work, in changes a second.
var rates = []int{50, 200}

// visible measures how long after its commit at b1 a change shows at b2, and what a change costs on the wire.
func (r *runner) visible(want func(string) bool) (err error) {
	g, customers, err := r.couple(false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	span := 20 * time.Second
	if r.Quick {
		span = 3 * time.Second
	}
	for _, rate := range rates {
		r.step("live work at %d changes a second", rate)
		b1, b2 := g.Site("b1"), g.Site("b2")
		up1, down1 := b1.Proxy().Bytes()
		up2, down2 := b2.Proxy().Bytes()
		w := newWatch(r, b2.Node().Store())
		orders := r.orders(customers)
		sent, perr := r.pace(rate, span, func() error {
			res, err := b1.Node().Store().Put(r.ctx, edit(schema.RecordID{}, orders()))
			w.written(res.ID, r.Now())
			return err
		})
		seen, serr := w.wait(sent, 40*time.Second)
		if err := errors.Join(perr, serr); err != nil {
			return err
		}
		if want("wire") && rate == rates[0] {
			x1, y1 := b1.Proxy().Bytes()
			x2, y2 := b2.Proxy().Bytes()
			up, down := float64(x1-up1+x2-up2)/float64(sent), float64(y1-down1+y2-down2)/float64(sent)
			if err := errors.Join(
				r.emit("wire/live/up", up, "B/record", goal(400), note("%d/s, from both branches, TLS, heartbeats and questions included", rate)),
				r.emit("wire/live/down", down, "B/record", goal(400), note("to both branches")),
			); err != nil {
				return err
			}
		}
		if !want("visible") {
			return nil
		}
		r.step("the same hops with bare SQLite and TCP")
		bare, err := r.bareHops(rate, span/4)
		if err != nil {
			return err
		}
		if err := errors.Join(
			r.emit(fmt.Sprintf("visible/%d/p50", rate), seen.at(0.5), "ms", ceiling(bare.at(0.5)), goal(4), note("%d changes; ceiling: two durable commits and two hops over TCP", sent)),
			r.emit(fmt.Sprintf("visible/%d/p99", rate), seen.at(0.99), "ms", ceiling(bare.at(0.99)), goal(20)),
		); err != nil {
			return err
		}
	}
	return nil
}

// orders gives the workload's orders one after the other, on the customers in turn.
func (r *runner) orders(customers []schema.RecordID) func() proto.Message {
	n := 0
	next, _ := iter.Pull(benchrows.All(benchrows.Config{Seed: int64(r.Seed) + 1, Customers: 1, Orders: 1 << 20}))
	return func() proto.Message {
		for {
			x, _ := next()
			if x.Order == nil {
				continue
			}
			n++
			o := x.Message(customers[n%len(customers)].String()).(*branchlinev1.ServiceOrder)
			if o.GetState() >= branchlinev1.OrderState_SETTLED { // orders are made one by one here, and none is made settled
				o.State = branchlinev1.OrderState_READY.Enum()
			}
			return o
		}
	}
}

// pace calls f at a steady rate for a span, each call at its own time whatever
// the ones before took. It gives the number of calls.
func (r *runner) pace(rate int, span time.Duration, f func() error) (int, error) {
	every := time.Second / time.Duration(rate)
	n := int(span / every)
	began := r.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range n {
		timer.Reset(began.Add(time.Duration(i) * every).Sub(r.Now()))
		select {
		case <-r.ctx.Done():
			return i, r.ctx.Err()
		case <-timer.C:
		}
		if err := f(); err != nil {
			return i, err
		}
	}
	return n, nil
}

// watch notes when records are written at one branch and first seen at another.
type watch struct {
	r    *runner
	stop context.CancelFunc
	done chan error

	mu    sync.Mutex
	wrote map[schema.RecordID]time.Time
	saw   map[schema.RecordID]time.Time
}

func newWatch(r *runner, st *store.Store) *watch {
	ctx, stop := context.WithCancel(r.ctx)
	w := &watch{r: r, stop: stop, done: make(chan error, 1), wrote: map[schema.RecordID]time.Time{}, saw: map[schema.RecordID]time.Time{}}
	watcher := st.Changes()
	go func() {
		defer watcher.Close()
		for {
			e, err := watcher.Next(ctx)
			now := r.Now()
			switch {
			case ctx.Err() != nil:
				w.done <- nil
				return
			case err != nil:
				w.done <- err
				return
			}
			w.mu.Lock()
			for _, id := range e.Records {
				if _, ok := w.saw[id]; !ok {
					w.saw[id] = now
				}
			}
			w.mu.Unlock()
		}
	}()
	return w
}

func (w *watch) written(id schema.RecordID, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrote[id] = at
}

// wait waits until n written records were seen, and ends the watch.
func (w *watch) wait(n int, limit time.Duration) (series, error) {
	var out series
	err := w.r.await("seen at the other branch", limit, func() (bool, error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		out = out[:0]
		for id, at := range w.wrote {
			if seen, ok := w.saw[id]; ok {
				out = append(out, seen.Sub(at))
			}
		}
		return len(out) >= n, nil
	})
	w.stop()
	return out, errors.Join(err, <-w.done)
}

// bareHops is the least there could be: a message over TCP to a second database,
// its durable commit, a message on to a third, its durable commit.
func (r *runner) bareHops(rate int, span time.Duration) (out series, err error) {
	const size = 500
	hop := func(name string) (*stdsql.DB, error) {
		dir, err := r.folder("hops")
		if err != nil {
			return nil, err
		}
		db, err := openBare(dir + "/" + name)
		if err != nil {
			return nil, err
		}
		_, err = db.ExecContext(r.ctx, "CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY, b BLOB)")
		return db, err
	}
	first, err1 := hop("a.db")
	mid, err2 := hop("b.db")
	last, err3 := hop("c.db")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, first.Close(), mid.Close(), last.Close()) }()
	in, out1, err := loopback()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	defer out1.Close()
	in2, out2, err := loopback()
	if err != nil {
		return nil, err
	}
	defer in2.Close()
	defer out2.Close()
	const insert = "INSERT INTO t (b) VALUES ($1)"
	var wg sync.WaitGroup
	errs := make(chan error, 2)
	seen := make(chan time.Time, 1<<16)
	wg.Go(func() {
		b := make([]byte, size)
		for {
			if _, err := io.ReadFull(out1, b); err != nil {
				in2.Close()
				return
			}
			_, err := mid.ExecContext(r.ctx, insert, b)
			if err == nil {
				_, err = in2.Write(b)
			}
			if err != nil {
				errs <- err
				in2.Close()
				return
			}
		}
	})
	wg.Go(func() {
		defer close(seen)
		b := make([]byte, size)
		for {
			if _, err := io.ReadFull(out2, b); err != nil {
				return
			}
			if _, err := last.ExecContext(r.ctx, insert, b); err != nil {
				errs <- err
				return
			}
			seen <- r.Now()
		}
	})
	var wrote []time.Time
	_, perr := r.pace(rate, span, func() error {
		b := make([]byte, size)
		if _, err := first.ExecContext(r.ctx, insert, b); err != nil {
			return err
		}
		wrote = append(wrote, r.Now())
		_, err := in.Write(b)
		return err
	})
	in.Close()
	wg.Wait()
	close(errs)
	for at := range seen {
		out = append(out, at.Sub(wrote[len(out)]))
	}
	return out, errors.Join(perr, <-errs)
}

// loopback is one TCP connection with both its ends.
func loopback() (a, b net.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if a, err = net.Dial("tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	b, err = l.Accept()
	return a, b, err
}

func openBare(path string) (*stdsql.DB, error) {
	db, err := stdsql.Open("sqlite", "file:"+path+"?_txlock=immediate&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(0)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}
