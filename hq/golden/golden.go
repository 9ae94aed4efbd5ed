// Package golden finds out which records are one customer or one car, and has
// the feeds follow. By what two are one is said by Edges alone.
//
// Rules:
//   - Groups are a pure function of the records: their keys, and who shares one.
//     Whatever order changes came in, the same records make the same groups.
//   - It works behind the line: records marked dirty (new, or changed) are looked at
//     soon after their commit, and the component they touch is made anew; the mark
//     is cleared in the transaction that writes the result and its feed rows.
//   - A group's id is its smallest member's. Members are never changed by being grouped.
//   - A group too large to be one thing is not joined further, and an alarm says so.
//
// It promises that after Catch every record committed before is grouped. Golden
// values are not stored: they are folded from the members whenever they are shown.
package golden

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"branchline/hq/feed"
	"branchline/hq/store"
	"branchline/schema"
)

const (
	batchRecords = 512
	// maxGroup is the size at which a group is more likely a fault (a telephone
	// everybody gives) than one customer.
	maxGroup = 200
	// While packs come in, the line goes first: the work begins when nothing has come
	// for calm looks, look apart, or when patience is at its end. A drain's commits are
	// sometimes further apart than one look.
	look     = 40 * time.Millisecond
	calm     = 4
	patience = 2 * time.Second
)

// Config says what it works with. Store and Scope are required; Edges is Plain when nil.
type Config struct {
	Store *store.Store
	Scope *feed.Scope
	Edges Edges
	Log   *slog.Logger
}

// Golden groups records. It is safe for concurrent use.
type Golden struct {
	st    *store.Store
	scope *feed.Scope
	edges Edges
	log   *slog.Logger
	one   chan struct{} // held by whoever works
}

// New makes it. It starts nothing.
func New(c Config) (*Golden, error) {
	if c.Store == nil || c.Scope == nil {
		return nil, errors.New("hq/golden: Store and Scope are needed")
	}
	g := &Golden{st: c.Store, scope: c.Scope, edges: c.Edges, log: c.Log, one: make(chan struct{}, 1)}
	if g.edges == nil {
		g.edges = Plain{}
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	g.log = g.log.With("room", "hq/golden")
	return g, nil
}

// Run groups what is committed, soon after, until ctx ends.
func (g *Golden) Run(ctx context.Context) error {
	t := time.NewTicker(look)
	defer t.Stop()
	var rev, done schema.Rev
	done = -1
	waited, still := 0, 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		now := g.st.Rev()
		if now == done {
			rev = now
			continue
		}
		if still++; now != rev {
			rev, still = now, 0
		}
		if still < calm && waited < int(patience/look) {
			waited++
			continue
		}
		waited, still = 0, 0
		more, err := g.Work(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			g.log.Error("records not grouped", "err", err)
			waited = 0
			done = g.st.Rev() // not again before something else has happened
			continue
		}
		if rev = g.st.Rev(); !more {
			done = rev
		} else if now == rev {
			waited = int(patience / look) // nobody else is at work: go on at the next tick
		}
	}
}

// Catch groups everything committed before the call.
func (g *Golden) Catch(ctx context.Context) error {
	for {
		more, err := g.Work(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// looked is a dirty record and its keys.
type looked struct {
	n    int64
	id   schema.RecordID
	rev  schema.Rev
	kind schema.Kind
	keys []Key
}

// Work groups one batch of dirty records. more: there may be others.
func (g *Golden) Work(ctx context.Context) (more bool, err error) {
	select {
	case g.one <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-g.one }()
	list, upTo, err := g.look(ctx)
	if err != nil {
		return false, fmt.Errorf("hq/golden: %w", err)
	}
	if upTo == 0 {
		return false, nil
	}
	err = g.st.Write(ctx, func(w *store.W) error {
		b := &batch{g: g, w: w}
		return b.group(list, upTo)
	})
	if err != nil {
		return false, fmt.Errorf("hq/golden: %w", err)
	}
	return true, nil
}

// look reads a batch of dirty records and their keys, outside the writer's lock.
// upTo is the record number new records were looked at up to; 0: nothing is dirty.
func (g *Golden) look(ctx context.Context) (list []*looked, upTo int64, err error) {
	err = g.st.Read(ctx, func(r *store.R) error {
		var swept, last int64
		if _, err := r.Scan("SELECT swept, record FROM counter WHERE one = 1", nil, &swept, &last); err != nil {
			return err
		}
		dirty := 0
		take := func(rows *stdsql.Rows) error {
			dirty++
			x, err := g.read(rows)
			if err == nil && x != nil {
				list = append(list, x)
			}
			return err
		}
		const columns = "r.n, r.id, r.kind, r.rev, r.state"
		if err := r.Each(fmt.Sprintf("SELECT %s FROM dirty d JOIN record r ON r.n = d.n ORDER BY d.n LIMIT %d", columns, batchRecords), nil, take); err != nil {
			return err
		}
		upTo = swept
		if dirty < batchRecords && swept < last {
			upTo = min(last, swept+4*batchRecords)
			// Most records have no keys; they are passed over by kind, without being read.
			if err := r.Each(fmt.Sprintf("SELECT %s FROM record r WHERE r.n > $1 AND r.n <= $2 AND r.kind IN (%d, %d)", columns, schema.Customer, schema.Vehicle),
				[]any{swept, upTo}, take); err != nil {
				return err
			}
		} else if dirty == 0 {
			upTo = 0
		}
		return nil
	})
	return list, upTo, err
}

func (g *Golden) read(rows *stdsql.Rows) (*looked, error) {
	x := new(looked)
	var id, state []byte
	if err := rows.Scan(&x.n, &id, &x.kind, &x.rev, &state); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	x.id = schema.RecordID(id)
	var err error
	x.keys, err = g.keys(x.kind, state)
	if err != nil {
		// One record that cannot be read must not stop the others; it has no keys.
		g.log.Error("record has no keys", "kind", x.kind, "record", x.id.String(), "err", err)
	}
	return x, nil
}

func (g *Golden) keys(kind schema.Kind, state []byte) ([]Key, error) {
	k := schema.KindOf(kind)
	if k == nil {
		return nil, nil
	}
	message, err := store.MessageOf(k, state)
	if err != nil {
		return nil, err
	}
	return g.edges.Keys(k, message)
}

// Members are the records of a record's group, itself included, and it alone if it has none.
func Members(r store.Reader, rec *store.Rec) ([]*store.Rec, error) {
	if rec.Grp == 0 {
		return []*store.Rec{rec}, nil
	}
	var out []*store.Rec
	err := r.Each("SELECT "+store.RecColumns+" FROM record WHERE grp = $1 ORDER BY id", []any{rec.Grp}, func(rows *stdsql.Rows) error {
		x, err := store.ScanRec(rows)
		out = append(out, x)
		return err
	})
	return out, err
}

// member is a record within the components being made anew.
type member struct {
	n    int64
	id   schema.RecordID
	kind schema.Kind
	grp  int64 // as it was
	keys []Key
	root *member
}

func (m *member) find() *member {
	for m.root != m {
		m.root = m.root.root
		m = m.root
	}
	return m
}

func join(a, b *member) {
	x, y := a.find(), b.find()
	if x == y {
		return
	}
	if slices.Compare(y.id[:], x.id[:]) < 0 {
		x, y = y, x
	}
	y.root = x // the smallest id is the root
}
