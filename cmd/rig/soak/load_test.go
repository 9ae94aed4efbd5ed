//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/serve"
)

// book is what was acknowledged: the records as they must be, and the changes.
type book struct {
	mu      sync.Mutex
	records map[schema.RecordID]*entry
	changes map[change]bool
}

// change is an acknowledged one. A branch whose folder was put back from a copy
// gives the same id once more, to another record's change, before it learns of it.
type change struct {
	id     schema.ChangeID
	record schema.RecordID
}

// entry is one record as its writers know it.
type entry struct {
	kind schema.Kind
	home schema.BranchID
	want proto.Message
}

func newBook() *book {
	return &book{records: map[schema.RecordID]*entry{}, changes: map[change]bool{}}
}

// made notes an acknowledged create. A record acknowledged under two request ids is an error.
func (b *book) made(r *branchlinev1.Record, want proto.Message, home schema.BranchID) (schema.RecordID, error) {
	kind, id, err := schema.ParseName(r.GetName())
	if err != nil {
		return id, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.records[id] != nil {
		return id, fmt.Errorf("%s was given for two requests", r.GetName())
	}
	b.records[id] = &entry{kind, home, want}
	return id, b.change(r, id)
}

// changed notes an acknowledged update by what it did to the record.
func (b *book) changed(r *branchlinev1.Record, id schema.RecordID, do func(proto.Message)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	do(b.records[id].want)
	return b.change(r, id)
}

// change notes the id of the acknowledged change; b is locked.
func (b *book) change(r *branchlinev1.Record, id schema.RecordID) error {
	c, err := schema.ParseChangeID(r.GetWhere().GetChange())
	if err != nil {
		return fmt.Errorf("%s was acknowledged without its change: %w", r.GetName(), err)
	}
	if b.changes[change{c, id}] {
		return fmt.Errorf("change %s was acknowledged for two edits", c)
	}
	b.changes[change{c, id}] = true
	return nil
}

// load is workers at every branch until stop.
type load struct {
	g    *group
	end  context.CancelFunc
	wg   sync.WaitGroup
	acks atomic.Int64
	// internal errors are no reason to give up: the disk is known to fail.
	stubborn bool
}

// run starts two workers at each of the branches.
func (g *group) run(run string, at ...*branch) *load {
	return g.runLoad(&load{g: g}, run, at...)
}

func (g *group) runLoad(l *load, run string, at ...*branch) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l.end = cancel
	for _, b := range at {
		for i := range 2 {
			l.wg.Go(func() {
				w := &worker{l: l, b: b, name: fmt.Sprintf("%s-%s-%d", run, b.name, i), run: run, no: i}
				w.work(ctx)
			})
		}
	}
	g.t.Cleanup(l.stop)
	return l
}

// stop ends the load: what was asked has its answer.
func (l *load) stop() {
	l.end()
	l.wg.Wait()
}

// pass waits until n more changes have been acknowledged.
func (l *load) pass(n int64) {
	l.g.t.Helper()
	want := l.acks.Load() + n
	until(l.g.t, fmt.Sprintf("%d more changes saved", n), func() (bool, string) {
		have := l.acks.Load()
		return have >= want || l.g.t.Failed(), fmt.Sprintf("%d are missing", want-have)
	})
}

// worker is one desk: it does one thing after the other, and asks again until it has an answer.
type worker struct {
	l      *load
	b      *branch
	name   string
	run    string
	no     int
	n      int // visits
	asked  int // records asked for
	client *serve.Client
}

// pace is how often a desk saves: the machine is not to be the fault.
const pace = 8 * time.Millisecond

func (w *worker) work(ctx context.Context) {
	defer w.drop()
	t := time.NewTicker(pace)
	defer t.Stop()
	for ctx.Err() == nil {
		if err := w.visit(); err != nil {
			w.l.g.t.Errorf("%s at %s: %v", w.name, w.b.name, err)
			return
		}
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
}

// visit is one customer's: registered, noted, an order with two lines, and then looked over twice.
func (w *worker) visit() error {
	w.n++
	phone := fmt.Sprintf("13%s%d%s%05d", w.b.name[1:], w.no, "12", w.n)
	name := "客户" + w.name + "-" + fmt.Sprint(w.n)
	if w.n%3 == 0 { // known at every branch of the run
		phone, name = fmt.Sprintf("1390%d%06d", w.no, w.n), fmt.Sprintf("双客%s-%d-%d", w.run, w.no, w.n)
	}
	c := &branchlinev1.Customer{Name: &name, Phones: []*branchlinev1.Phone{{Number: &phone}}}
	customer, rec, err := w.create(c)
	if err != nil {
		return err
	}
	if _, _, err := w.create(&branchlinev1.Note{Customer: proto.String(customer.String()), Text: proto.String("note of " + name)}); err != nil {
		return err
	}
	order, _, err := w.create(&branchlinev1.ServiceOrder{Customer: proto.String(customer.String()), FirmName: proto.String("firm of " + name)})
	if err != nil {
		return err
	}
	for i := range 2 {
		line := &branchlinev1.ServiceLine{Order: proto.String(order.String()), Position: proto.Int32(int32(i + 1)), Item: proto.String(fmt.Sprintf("line %d of %s", i, name))}
		if _, _, err := w.create(line); err != nil {
			return err
		}
	}
	for i := range 2 {
		remark, mail := fmt.Sprintf("remark %d of %s", i, name), fmt.Sprintf("m%d.%d@%s.example", i, w.n, w.name)
		if rec, err = w.update(customer, rec, func(m *branchlinev1.Customer) {
			m.Remark = &remark
			m.Emails = append(m.Emails, mail)
		}, "remark", "emails"); err != nil {
			return err
		}
	}
	return nil
}

func (w *worker) create(m proto.Message) (schema.RecordID, *branchlinev1.Record, error) {
	r := &branchlinev1.Record{}
	if err := schema.SetBody(r, m); err != nil {
		return schema.RecordID{}, nil, err
	}
	w.asked++
	request := fmt.Sprintf("%s-%d", w.name, w.asked)
	got, err := w.ask(func(ctx context.Context, c *serve.Client) (*branchlinev1.Record, error) {
		return c.Records.CreateRecord(ctx, &branchlinev1.CreateRecordRequest{Record: r, RequestId: request})
	})
	if err != nil {
		return schema.RecordID{}, nil, err
	}
	id, err := w.l.g.book.made(got, m, code(w.b))
	w.l.acks.Add(1)
	return id, got, err
}

func (w *worker) update(id schema.RecordID, rec *branchlinev1.Record, do func(*branchlinev1.Customer), mask ...string) (*branchlinev1.Record, error) {
	m := proto.CloneOf(rec.GetCustomer())
	do(m)
	r := &branchlinev1.Record{Name: rec.GetName(), Etag: rec.GetEtag(), Body: &branchlinev1.Record_Customer{Customer: m}}
	got, err := w.ask(func(ctx context.Context, c *serve.Client) (*branchlinev1.Record, error) {
		return c.Records.UpdateRecord(ctx, &branchlinev1.UpdateRecordRequest{Record: r, UpdateMask: mask})
	})
	if err != nil {
		return nil, err
	}
	w.l.acks.Add(1)
	return got, w.l.g.book.changed(got, id, func(m proto.Message) { do(m.(*branchlinev1.Customer)) })
}

// ask calls until there is an answer that is one.
func (w *worker) ask(call func(context.Context, *serve.Client) (*branchlinev1.Record, error)) (r *branchlinev1.Record, err error) {
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for deadline := time.Now().Add(patience); ; <-t.C {
		if r, err = w.once(call); err == nil {
			return r, nil
		}
		if !passing(err) && !w.l.stubborn || time.Now().After(deadline) {
			return nil, err
		}
		w.drop()
	}
}

func (w *worker) once(call func(context.Context, *serve.Client) (*branchlinev1.Record, error)) (_ *branchlinev1.Record, err error) {
	if w.client == nil {
		if w.client, err = w.b.client(); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return call(ctx, w.client)
}

func (w *worker) drop() {
	if w.client != nil {
		w.client.Close()
		w.client = nil
	}
}

// passing tells whether asking again makes sense: the site is away or its disk is
// full, it ended in the middle of a call, or another process has its place and does
// not know the token of the last.
func passing(err error) bool {
	for _, e := range []error{schema.ErrUnavailable, schema.ErrUnsigned, schema.ErrExhausted, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, e) {
			return true
		}
	}
	var n *net.OpError
	return errors.As(err, &n)
}

// put saves n visits at a branch by one worker and waits for them.
func (g *group) put(t testing.TB, run string, b *branch, n int) {
	t.Helper()
	l := &load{g: g, end: func() {}}
	w := &worker{l: l, b: b, name: run + "-" + b.name + "-s", run: run, no: 8}
	defer w.drop()
	for range n {
		if err := w.visit(); err != nil {
			t.Fatal(err)
		}
	}
}
