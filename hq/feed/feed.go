// Package feed is what headquarters gives out: who must know of which record
// (Scope), page after page of it strictly by rev (Pull), and the small questions
// of a branch (heartbeat, look-up beyond its scope, digests).
//
// Rules:
//   - One row per branch, or for all branches, and record, group or outcome: its
//     last rev only. A grant, a revocation and an outcome each take a new rev.
//   - A page is read in one snapshot: its rows, HQ's rev and the branch's
//     watermarks belong together. It is full when nothing above it is left.
//   - A branch's own edits make no row for it. Records it is the home of are found
//     by the record's own rev, and shown in full passes only.
//   - Another legal entity gets the fields any technician of the group may see, of
//     cars, orders, lines and readings; of customers, ties and notes not even that
//     they exist.
//
// It promises that a branch which has applied every page up to a full one holds
// its scope as HQ had it in that snapshot. It sends nothing: Whom says whom
// to poke, Poke with what.
package feed

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"branchline/hq/store"
	"branchline/schema"
)

// Config says what the feed works with. Store is required.
type Config struct {
	Store *store.Store
	Log   *slog.Logger
	// Receipts gives HQ's signed receipts for a branch's incarnations that may still grow.
	Receipts func(ctx context.Context, b schema.BranchID) ([][]byte, error)
	// Catch has what waits behind the line (keys, groups) done before a look-up is answered.
	Catch func(ctx context.Context) error
}

// Feed is safe for concurrent use.
type Feed struct {
	st       *store.Store
	log      *slog.Logger
	receipts func(ctx context.Context, b schema.BranchID) ([][]byte, error)
	catch    func(ctx context.Context) error

	mu    sync.Mutex
	given map[int32]given // by branch; none: it has not been given all there was
}

// New makes a feed. It starts nothing.
func New(c Config) (*Feed, error) {
	if c.Store == nil {
		return nil, errors.New("hq/feed: Store is needed")
	}
	f := &Feed{st: c.Store, log: c.Log, receipts: c.Receipts, catch: c.Catch, given: map[int32]given{}}
	if f.log == nil {
		f.log = slog.New(slog.DiscardHandler)
	}
	f.log = f.log.With("room", "hq/feed")
	if f.receipts == nil {
		f.receipts = func(context.Context, schema.BranchID) ([][]byte, error) { return nil, nil }
	}
	if f.catch == nil {
		f.catch = func(context.Context) error { return nil }
	}
	return f, nil
}

// Touched gets a value after each commit that made feed rows: there is somebody to poke, and Whom says who.
func (f *Feed) Touched() <-chan struct{} { return f.st.Touched() }

// Whom gives the branches to poke since it was last asked.
func (f *Feed) Whom() []schema.BranchID {
	var out []schema.BranchID
	for _, num := range f.st.Take() {
		if num == store.All {
			out = out[:0]
			for _, b := range f.st.Branches() {
				out = append(out, b.Code)
			}
			return out
		}
		if b := f.st.BranchNum(num); b != nil && num != store.HQNum {
			out = append(out, b.Code)
		}
	}
	return out
}
