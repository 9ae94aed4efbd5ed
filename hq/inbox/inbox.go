// Package inbox is where a branch's changes enter headquarters: packs off the
// stream, the hello of a returning branch, quarantine, and HQ's own edits.
//
// Rules:
//   - Packs of many branches share one transaction of up to 1,000 changes: raw
//     packs, merged records, rulings, feed rows, outcomes and watermarks commit
//     together or not at all. Receipts and acks follow the commit.
//   - Whose changes a pack holds its signature says, never the subject it came on.
//   - Against the watermark w of an incarnation: w+1 is applied; at or below is
//     skipped only if its chain hash is HQ's there, else the pack is kept aside as
//     a side branch and the branch must say hello; beyond a gap it is held back,
//     bounded, and the branch told at once.
//   - A change is refused only for what is in it. One that cannot be applied is
//     quarantined raw; later changes of its incarnation to the same record wait
//     behind it. The watermark passes them all.
//
// It promises that the watermark in a receipt is stored, gapless and chained,
// and that each change below it has exactly one outcome. It does not promise
// that a pack is answered at all: the branch sends again what no receipt covers.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"branchline/hq/feed"
	"branchline/hq/store"
	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/clock"
)

// Schema versions this HQ speaks.
const (
	SchemaMin = 1
	SchemaMax = 1
)

const (
	groupChanges = 1000 // in one transaction, unless one pack alone has more
	asidePacks   = 8    // held back behind a gap, per incarnation
	asideTotal   = 64   // and in all
	ahead        = 4    // packs read while a group is being committed
)

// Config says what the inbox works with. Store and Scope are required.
type Config struct {
	Store *store.Store
	Scope *feed.Scope
	Log   *slog.Logger
	// UpStream tells which stream UP is at this moment, "" when unknown.
	UpStream func() string
}

// Incoming is one pack as it lay in UP.
type Incoming struct {
	Subject   schema.BranchID // over whose link it came
	Data      []byte
	Stream    string // which UP it lay in; "": the present one
	StreamSeq uint64
	Ack       func() error // nil: nothing to ack
}

// Receipt is HQ's signed word for one incarnation of a branch.
type Receipt struct {
	Branch schema.BranchID
	Inc    schema.Incarnation
	Mark   schema.Seq
	Data   []byte // signed wirev1.Receipt
	// Urgent: it says more than how far headquarters is; else a later one of the incarnation says all it does.
	Urgent bool
}

// Inbox is safe for concurrent use; it works on one thing at a time.
type Inbox struct {
	st    *store.Store
	scope *feed.Scope
	log   *slog.Logger
	up    func() string

	reading sync.Mutex // held while packs are read: before mu
	opener  *opener

	mu       sync.Mutex
	codec    *schema.PackCodec
	lives    map[schema.Incarnation]*store.Life
	ruled    map[schema.Incarnation]bool // has rulings
	forget   map[schema.Incarnation]schema.Seq
	blocked  map[schema.Incarnation]map[schema.RecordID]schema.Seq
	aside    map[schema.Incarnation][]*pack
	asideN   int
	hellos   map[int32]numbered // the last one of each branch
	worked   map[int32]uint64   // stream seq up to which UP is worked off
	workedOf string             // in which UP
	own      *ownLife
	bad      int64
}

// New makes an inbox. It starts nothing.
func New(c Config) (*Inbox, error) {
	if c.Store == nil || c.Scope == nil {
		return nil, errors.New("hq/inbox: Store and Scope are needed")
	}
	i := &Inbox{st: c.Store, scope: c.Scope, log: c.Log, up: c.UpStream, hellos: map[int32]numbered{}, worked: map[int32]uint64{}}
	if i.log == nil {
		i.log = slog.New(slog.DiscardHandler)
	}
	i.log = i.log.With("room", "hq/inbox")
	if i.up == nil {
		i.up = func() string { return "" }
	}
	var err error
	if i.codec, err = schema.NewPackCodec(); err != nil {
		return nil, fmt.Errorf("hq/inbox: %w", err)
	}
	if i.opener, err = newOpener(c.Store); err != nil {
		return nil, fmt.Errorf("hq/inbox: %w", err)
	}
	i.forgetCaches()
	return i, nil
}

// forgetCaches has everything read anew from the database. Only the inbox writes
// what it caches, so only its own roll-backs make it wrong.
func (i *Inbox) forgetCaches() {
	i.lives = map[schema.Incarnation]*store.Life{}
	i.ruled = map[schema.Incarnation]bool{}
	i.forget = map[schema.Incarnation]schema.Seq{}
	i.blocked = map[schema.Incarnation]map[schema.RecordID]schema.Seq{}
	i.aside, i.asideN = map[schema.Incarnation][]*pack{}, 0
	i.own = nil
}

// Bad counts packs that were thrown away: unsigned, forged or unreadable.
func (i *Inbox) Bad() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.bad
}

// Work takes packs in stream order, commits them in groups and acks them. What
// it returns is to be published, also when it returns an error: the groups
// before the one that failed are committed. A group that failed was not acked
// and comes again.
func (i *Inbox) Work(ctx context.Context, batch []Incoming) (out []Receipt, err error) {
	err = i.Each(ctx, batch, func(rs []Receipt) { out = append(out, rs...) })
	return out, err
}

// Each is Work that hands out a group's receipts as soon as the group is
// committed, and reads the next packs meanwhile.
func (i *Inbox) Each(ctx context.Context, batch []Incoming, tell func([]Receipt)) error {
	i.reading.Lock()
	defer i.reading.Unlock()
	packs, stop := make(chan *pack, ahead), make(chan struct{})
	read := func() {
		defer close(packs)
		for _, in := range batch {
			select {
			case packs <- i.opener.open(in):
			case <-stop:
				return
			}
		}
	}
	var reader sync.WaitGroup
	defer reader.Wait()
	defer close(stop)
	if len(batch) <= ahead {
		read() // they fit, and there is nothing to do meanwhile
	} else {
		reader.Go(read)
	}
	p := <-packs
	for p != nil {
		group, changes := []*pack{p}, p.h.Count
		for p = <-packs; p != nil && changes+p.h.Count <= groupChanges; p = <-packs {
			group, changes = append(group, p), changes+p.h.Count
		}
		rs, err := i.group(ctx, group)
		if err != nil {
			return err
		}
		tell(rs)
	}
	return nil
}

// group commits some packs together. It tries the fast way first; when that
// fails (a change of no known fault, a record that came twice) each change gets a
// savepoint of its own.
func (i *Inbox) group(ctx context.Context, packs []*pack) ([]Receipt, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	r, err := i.try(ctx, packs, false)
	if err != nil && ctx.Err() == nil {
		i.log.Debug("group of packs again, change by change", "err", err)
		r, err = i.try(ctx, packs, true)
	}
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: work: %w", err)
	}
	i.workedOff(packs)
	out, err := i.receipts(ctx, r.due)
	if err != nil {
		return nil, fmt.Errorf("hq/inbox: receipts: %w", err)
	}
	for _, p := range packs {
		if p.in.Ack == nil {
			continue
		}
		if err := p.in.Ack(); err != nil {
			// It comes again and is skipped then.
			i.log.Warn("pack not acked", "branch", p.in.Subject, "err", err)
		}
	}
	return out, nil
}

func (i *Inbox) try(ctx context.Context, packs []*pack, careful bool) (*run, error) {
	var r *run
	err := i.write(ctx, careful, func(x *run) error {
		r = x
		for _, p := range packs {
			if err := r.take(p); err != nil {
				return err
			}
		}
		return nil
	})
	return r, err
}

// write runs f in one transaction with a run around it. After an error all that
// was cached is read anew.
func (i *Inbox) write(ctx context.Context, careful bool, f func(*run) error) error {
	bad := i.bad
	err := i.st.Write(ctx, func(w *store.W) error {
		now := time.UnixMilli(w.Clock())
		r := &run{
			i: i, w: w, careful: careful, now: now, limit: schema.TickAt(now.Add(clock.Lead)),
			drafts: map[schema.RecordID]*draft{}, due: map[schema.Incarnation]*due{}, lives: map[schema.Incarnation]*store.Life{},
		}
		if err := f(r); err != nil {
			return err
		}
		return r.finish()
	})
	if err != nil {
		i.forgetCaches()
		i.bad = bad
	}
	return err
}

// workedOff notes how far UP is worked off, for each branch.
func (i *Inbox) workedOff(packs []*pack) {
	for _, p := range packs {
		id := p.in.Stream
		if id == "" {
			id = i.up()
		}
		if id != i.workedOf {
			i.workedOf = id
			clear(i.worked)
		}
		if b := i.st.Branch(p.in.Subject); b != nil && p.in.StreamSeq > i.worked[b.Num] {
			i.worked[b.Num] = p.in.StreamSeq
		}
	}
}

// due is a receipt to be sent.
type due struct {
	branch     *store.Branch
	inc        schema.Incarnation
	gap, hello bool
	gen        uint32
}

// receipts signs the receipts due, after the commit.
func (i *Inbox) receipts(ctx context.Context, list map[schema.Incarnation]*due) ([]Receipt, error) {
	if len(list) == 0 {
		return nil, nil
	}
	out := make([]Receipt, 0, len(list))
	for _, d := range list {
		b, err := i.receipt(ctx, d, -1, 64)
		if err != nil {
			return nil, err
		}
		r := Receipt{Branch: d.branch.Code, Inc: d.inc, Data: b, Urgent: d.gap || d.hello || i.ruled[d.inc]}
		if l := i.lives[d.inc]; l != nil {
			r.Mark = l.Watermark
		}
		out = append(out, r)
	}
	return out, nil
}

// receipt is one signed receipt. Rulings go with it: those above a seq, or the
// last few when above is -1.
func (i *Inbox) receipt(ctx context.Context, d *due, above schema.Seq, runs int) ([]byte, error) {
	m := &wirev1.Receipt{
		Branch: string(d.branch.Code), Incarnation: int64(d.inc), Epoch: int64(i.st.Epoch()), Rev: int64(i.st.Rev()),
		UpStream: i.up(), Gap: d.gap, Gen: d.gen, Hello: d.hello,
	}
	if m.GetUpStream() == i.workedOf {
		m.UpWorkedOff = i.worked[d.branch.Num]
	} // else UP was made anew: a branch that waits for packs in the old one must hear it
	l, err := i.life(ctx, d.inc)
	if err != nil {
		return nil, err
	}
	if l != nil {
		m.Watermark, m.Chain = int64(l.Watermark), l.Chain[:]
		m.ForgetBelow = int64(i.forget[d.inc])
		if i.ruled[d.inc] {
			if above < 0 {
				above = max(0, l.Watermark-groupChanges)
			}
			err := i.st.Read(ctx, func(r *store.R) (err error) {
				m.Rulings, err = store.Rulings(r, d.inc, above, runs)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return i.st.SignWord(m)
}

// life is an incarnation from the cache, read when it is not there; nil when HQ does not know it.
func (i *Inbox) life(ctx context.Context, inc schema.Incarnation) (*store.Life, error) {
	if l := i.lives[inc]; l != nil {
		return l, nil
	}
	var l *store.Life
	err := i.st.Read(ctx, func(r *store.R) (err error) {
		l, err = i.readLife(r, inc)
		return err
	})
	return l, err
}

func (i *Inbox) readLife(r store.Reader, inc schema.Incarnation) (*store.Life, error) {
	l, err := store.LifeOf(r, inc)
	if err != nil || l == nil {
		return l, err
	}
	var one int
	if i.ruled[inc], err = r.Scan("SELECT 1 FROM ruling WHERE inc = $1 LIMIT 1", []any{int64(inc)}, &one); err != nil {
		return nil, err
	}
	if i.forget[inc], err = store.ForgetBelow(r, inc); err != nil {
		return nil, err
	}
	i.lives[inc] = l
	return l, nil
}

// BackedUp has the inbox read anew how far branches may forget.
func (i *Inbox) BackedUp() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.lives)
}
