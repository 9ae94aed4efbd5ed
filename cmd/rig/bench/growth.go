package bench

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"

	"google.golang.org/protobuf/proto"

	"branchline/cmd/rig/benchrows"
	"branchline/hq/feed"
	"branchline/hq/inbox"
	hqstore "branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/bus/nkey"
)

// growth measures what one change costs headquarters when the group is a hundred
// times as large. The inbox works alone, without a network: signatures, chain,
// merge, feed and commit. Costs are the process's CPU time, rounds of the small
// and the large headquarters taking turns.
func (r *runner) growth(func(string) bool) (err error) {
	small, large, few, many := 10_000, 1_000_000, 10, 1000
	if r.Quick {
		small, large, many = 5000, 50_000, 100
	}
	a, err := r.office("small", small, few)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	b, err := r.office("large", large, few)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	for _, m := range []struct {
		name  string
		goal  float64
		fill  func(o *office, n int) error
		about string
	}{
		{"mix", 1.3, (*office).mix, "half new, half edits of what was written lately"},
		{"random", 2.5, (*office).anywhere, "edits of any record, uniformly"},
	} {
		r.step("%s at %d and %d records", m.name, small, large)
		costs, err := r.inTurns(m.fill, a, b)
		if err != nil {
			return err
		}
		if err := r.emit(fmt.Sprintf("growth/%s/%d-over-%d", m.name, large, small), costs[1].cpu, "µs", ceiling(costs[0].cpu), within(m.goal),
			note("CPU a change, %s; wall %.0f against %.0f µs; ceiling: the same at %d records", m.about, costs[1].wall, costs[0].wall, small)); err != nil {
			return err
		}
	}
	c, err := r.office("many", small, many)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	r.step("%d and %d branches registered", few, many)
	costs, err := r.inTurns((*office).mix, a, c)
	if err != nil {
		return err
	}
	return r.emit(fmt.Sprintf("growth/branches/%d-over-%d", many, few), costs[1].cpu, "µs", ceiling(costs[0].cpu), within(1.1),
		note("CPU a change with so many branches registered, %d of them at work; wall %.0f against %.0f µs", few, costs[1].wall, costs[0].wall))
}

// cost of one change, in microseconds.
type cost struct{ cpu, wall float64 }

// inTurns has the offices take rounds of a thousand changes in turn and gives each one's median cost.
func (r *runner) inTurns(fill func(*office, int) error, offices ...*office) ([]cost, error) {
	rounds, size := 30, 1000
	if r.Quick {
		rounds = 8
	}
	cpus, walls := make([]series, len(offices)), make([]series, len(offices))
	for n := range rounds {
		for i, o := range offices {
			if err := fill(o, size); err != nil {
				return nil, err
			}
			cpu, began := cpuTime(), r.Now()
			if err := o.work(); err != nil {
				return nil, err
			}
			if n >= 2 { // caches
				cpus[i], walls[i] = append(cpus[i], cpuTime()-cpu), append(walls[i], r.Now().Sub(began))
			}
		}
	}
	out := make([]cost, len(offices))
	for i := range out {
		out[i] = cost{cpus[i].at(0.5) * 1000 / float64(size), walls[i].at(0.5) * 1000 / float64(size)}
	}
	return out, nil
}

// office is a headquarters without a road, and the branches that write to it.
type office struct {
	r       *runner
	st      *hqstore.Store
	in      *inbox.Inbox
	codec   *schema.PackCodec
	ids     *schema.IDs
	dice    *rand.Rand
	authors []*author
	ready   []inbox.Incoming
	rows    func() (benchrows.Row, bool)
	halt    func()
	made    []made // every order, in the order of their making
	turn    int

	stop context.CancelFunc
	wg   sync.WaitGroup
	err  error
}

// made is where a record stands: enough to edit it.
type made struct {
	id     schema.RecordID
	author int32
	last   schema.Seq // of the change that wrote the edited field
}

// author is a branch that makes its own chain.
type author struct {
	code      schema.BranchID
	key       *nkey.Signer
	inc       schema.Incarnation
	seq       schema.Seq
	chain     schema.Hash
	customers []schema.RecordID
	unsent    []schema.Sealed
	first     schema.Seq
	before    schema.Hash
}

// office makes a headquarters with so many records of ten branches, and further branches that do nothing.
func (r *runner) office(name string, records, registered int) (o *office, err error) {
	dir, err := r.folder("office-" + name)
	if err != nil {
		return nil, err
	}
	r.step("a headquarters of %d records and %d branches", records, registered)
	seed, err := nkey.NewSeed(r.Rand)
	if err != nil {
		return nil, err
	}
	signer, err := nkey.NewSigner(seed)
	if err != nil {
		return nil, err
	}
	o = &office{r: r, ids: schema.NewIDs(r.Now, r.Rand), dice: rand.New(rand.NewPCG(r.Seed, uint64(records)))}
	if o.st, err = hqstore.Open(r.ctx, hqstore.Config{Dir: dir, Now: r.Now, Rand: r.Rand, Signer: signer}); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(r.ctx)
	o.stop = stop
	o.wg.Go(func() { o.err = o.st.Run(ctx) })
	defer func() {
		if err != nil {
			err = errors.Join(err, o.close())
		}
	}()
	if o.in, err = inbox.New(inbox.Config{Store: o.st, Scope: feed.NewScope(o.st)}); err != nil {
		return o, err
	}
	if o.codec, err = schema.NewPackCodec(); err != nil {
		return o, err
	}
	if err := o.register(registered); err != nil {
		return o, err
	}
	o.rows, o.halt = iter.Pull(benchrows.All(benchrows.Config{Seed: int64(r.Seed), Customers: 1000, Orders: 1 << 30}))
	return o, o.build(records)
}

const working = 10

func (o *office) register(registered int) error {
	by := inbox.By{Actor: "bench", Role: branchlinev1.Role_ROLE_HQ_ADMINISTRATOR}
	if _, err := o.in.AddEntity(o.r.ctx, "e1", "Company", by); err != nil {
		return err
	}
	for i := range registered {
		code := schema.BranchID(fmt.Sprintf("b%d", i+1))
		t, err := o.in.AddBranch(o.r.ctx, code, "Branch", "e1", by)
		if err != nil {
			return err
		}
		seed, err := nkey.NewSeed(o.r.Rand)
		if err != nil {
			return err
		}
		key, err := nkey.NewSigner(seed)
		if err != nil {
			return err
		}
		nonce := sha256.Sum256([]byte(t.ID))
		e, err := o.in.Enrol(o.r.ctx, &wirev1.EnrolRequest{TokenId: t.ID, Token: t.Secret, Key: key.Public(), Proof: key.Sign([]byte(t.ID)), Nonce: nonce[:]})
		if err != nil {
			return err
		}
		if err := o.st.Write(o.r.ctx, func(w *hqstore.W) error {
			// As after its hello: there is no link to say it over.
			return w.SetBranch(o.st.Branch(code).Num, func(b *hqstore.Branch) { b.Gate, b.MustHello = wirev1.Gate_OPEN, false })
		}); err != nil {
			return err
		}
		if i < working {
			o.authors = append(o.authors, &author{code: code, key: key, inc: schema.Incarnation(e.GetIncarnation()), first: 1})
		}
	}
	return nil
}

// build writes the first records: a quarter customers, the rest their orders.
func (o *office) build(records int) error {
	for n := 0; n < records; n += 1000 {
		for i := range 1000 {
			var err error
			if i < 250 {
				err = o.newCustomer()
			} else {
				err = o.newOrder()
			}
			if err != nil {
				return err
			}
		}
		if err := o.packUp(); err != nil {
			return err
		}
		if err := o.work(); err != nil {
			return err
		}
	}
	return nil
}

func (o *office) next() (*author, int32) {
	o.turn++
	// A branch writes some changes in a row, as packs have them.
	i := o.turn / 100 % len(o.authors)
	return o.authors[i], int32(i)
}

func (o *office) newCustomer() error {
	a, _ := o.next()
	id, err := o.ids.New()
	if err != nil {
		return err
	}
	n := o.dice.IntN(1 << 30)
	a.customers = append(a.customers, id)
	if len(a.customers) > 1000 { // orders are of customers seen lately
		a.customers = a.customers[len(a.customers)-500:]
	}
	return o.write(a, &wirev1.ChangeBody{Create: true}, id, &branchlinev1.Customer{
		Name: proto.String(fmt.Sprintf("Anna Brandt %d", n)), Phones: []*branchlinev1.Phone{{Number: proto.String(fmt.Sprintf("+49 %d", 1000000000+n))}},
		Addresses: []*branchlinev1.Address{{City: proto.String("Kassel"), Street: proto.String("Ringstrasse 12"), Postcode: proto.String("34117")}},
		Emails:    []string{fmt.Sprintf("anna.brandt%d@example.net", n)}, Remark: proto.String("prefers mornings, drives a lot in winter"),
	})
}

func (o *office) newOrder() error {
	a, i := o.next()
	for len(a.customers) == 0 {
		if err := o.newCustomer(); err != nil {
			return err
		}
	}
	id, err := o.ids.New()
	if err != nil {
		return err
	}
	x, _ := o.rows()
	for x.Order == nil {
		x, _ = o.rows()
	}
	m := x.Message(a.customers[o.dice.IntN(len(a.customers))].String())
	if err := o.write(a, &wirev1.ChangeBody{Create: true}, id, m); err != nil {
		return err
	}
	o.made = append(o.made, made{id, i, a.seq})
	return nil
}

// editOrder writes another text into an order, in place of the one before it.
func (o *office) editOrder(n int) error {
	m := &o.made[n]
	a := o.authors[m.author]
	k := schema.KindOf(schema.ServiceOrder)
	names := []*wirev1.Names{{Field: uint32(k.Field("work").Number), Entries: []*wirev1.EntryName{{Branch: string(a.code), Incarnation: int64(a.inc), Seq: int64(m.last)}}}}
	text := fmt.Sprintf("brake pads worn front axle, replaced, test drive ok %d", o.dice.IntN(1<<30))
	err := o.write(a, &wirev1.ChangeBody{Names: names}, m.id, &branchlinev1.ServiceOrder{Work: proto.String(text)})
	m.last = a.seq
	return err
}

// mix writes half new orders, half edits of the last two thousand.
func (o *office) mix(n int) error {
	for i := range n {
		var err error
		if i%2 == 0 {
			err = o.newOrder()
		} else {
			err = o.editOrder(len(o.made) - 1 - o.dice.IntN(min(2000, len(o.made))))
		}
		if err != nil {
			return err
		}
	}
	return o.packUp()
}

func (o *office) anywhere(n int) error {
	for range n {
		if err := o.editOrder(o.dice.IntN(len(o.made))); err != nil {
			return err
		}
	}
	return o.packUp()
}

func (o *office) write(a *author, b *wirev1.ChangeBody, id schema.RecordID, m proto.Message) error {
	values, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return err
	}
	b.At, b.Kind, b.Record, b.Values = uint64(schema.TickAt(o.r.Now())), uint32(schema.KindOfMessage(m).Kind), id[:], values
	b.Actor, b.Role = "bench", uint32(branchlinev1.Role_ROLE_ADVISER)
	payload, err := proto.Marshal(b)
	if err != nil {
		return err
	}
	var salt [16]byte
	if _, err := o.r.Rand.Read(salt[:]); err != nil {
		return err
	}
	a.seq++
	s := schema.Seal(schema.ChangeID{Branch: a.code, Inc: a.inc, Seq: a.seq}, a.chain, salt, payload)
	a.chain = s.Chain
	a.unsent = append(a.unsent, s)
	return nil
}

// packUp makes packs of what is unsent.
func (o *office) packUp() error {
	for _, a := range o.authors {
		for len(a.unsent) > 0 {
			n := min(len(a.unsent), schema.MaxPackChanges)
			h := schema.PackHeader{Branch: a.code, Inc: a.inc, Gen: 1, First: a.first, Before: a.before}
			b, err := o.codec.Encode(h, a.unsent[:n], func(x []byte) ([]byte, error) { return a.key.Sign(x), nil })
			if err != nil {
				return err
			}
			o.ready = append(o.ready, inbox.Incoming{Subject: a.code, Data: b})
			a.first += schema.Seq(n)
			a.before = a.unsent[n-1].Chain
			a.unsent = a.unsent[n:]
		}
	}
	return nil
}

// work has the packs worked off. Every change must be applied.
func (o *office) work() error {
	receipts, err := o.in.Work(o.r.ctx, o.ready)
	if err != nil {
		return err
	}
	for _, x := range receipts {
		w := new(wirev1.Receipt)
		if err := o.st.OpenWord(x.Data, w); err != nil {
			return err
		}
		if w.GetGap() || w.GetHello() {
			return fmt.Errorf("headquarters did not take a pack of %s", x.Branch)
		}
	}
	o.ready = o.ready[:0]
	return nil
}

func (o *office) close() error {
	var outcomes int
	err := o.st.Read(context.WithoutCancel(o.r.ctx), func(x *hqstore.R) error {
		_, err := x.Scan("SELECT count(*) FROM outcome", nil, &outcomes)
		return err
	})
	if err == nil && outcomes > 0 {
		err = fmt.Errorf("%d changes were not plainly applied", outcomes)
	}
	o.stop()
	o.wg.Wait()
	if o.codec != nil {
		o.codec.Close()
	}
	if o.halt != nil {
		o.halt()
	}
	return errors.Join(err, o.err, o.st.Close())
}
