package report

import (
	"context"
	"strings"
	"sync"
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// A report over a million lines takes a second or two. Pages, which are looked at
// again with every change, are given the last answer while it is made anew.
const (
	// slow is what an answer must take to be kept: a quicker one is made at each question.
	slow = 50 * time.Millisecond
	// rest is how many times as long as it took an answer is not made anew.
	rest = 20
	// keepFor is how old an answer given again can be.
	keepFor  = 5 * time.Minute
	maxKept  = 32
	maxAgain = 8
)

// keeper has the answers that were slow to make.
type keeper struct {
	again chan *branchlinev1.ReportRequest // to be made anew; Run does it

	mu   sync.Mutex
	kept map[string]keptAnswer
}

type keptAnswer struct {
	answer *branchlinev1.ReportResponse
	made   time.Time
	took   time.Duration
	day    string // the today it was made of
}

func newKeeper() *keeper {
	return &keeper{again: make(chan *branchlinev1.ReportRequest, maxAgain), kept: map[string]keptAnswer{}}
}

func keyOf(req *branchlinev1.ReportRequest) string {
	return strings.Join(append([]string{req.GetReport(), req.GetFrom(), req.GetTo()}, req.GetBy()...), "\x00")
}

// Kept is an answer made up to five minutes ago, if it took long and somebody asked
// for it since; as_of says when. nil: ask Report. It is never changed: neither may
// the caller. One that has rested long enough is made anew by Run meanwhile.
func (r *Reports) Kept(req *branchlinev1.ReportRequest) *branchlinev1.ReportResponse {
	now := r.st.Now()
	r.keeper.mu.Lock()
	k, ok := r.keeper.kept[keyOf(req)]
	r.keeper.mu.Unlock()
	age := now.Sub(k.made)
	if !ok || age < 0 || age > keepFor || k.day != r.today(now) {
		return nil
	}
	if age > rest*k.took {
		select {
		case r.keeper.again <- req:
		default: // enough to do
		}
	}
	return k.answer
}

// keep puts an answer by that took long.
func (r *Reports) keep(req *branchlinev1.ReportRequest, k keptAnswer) {
	r.keeper.mu.Lock()
	defer r.keeper.mu.Unlock()
	if k.took < slow {
		delete(r.keeper.kept, keyOf(req))
		return
	}
	if len(r.keeper.kept) >= maxKept {
		oldest := ""
		for key, x := range r.keeper.kept {
			if oldest == "" || x.made.Before(r.keeper.kept[oldest].made) {
				oldest = key
			}
		}
		delete(r.keeper.kept, oldest)
	}
	r.keeper.kept[keyOf(req)] = k
}

// rested tells whether an answer may be made anew: another question may have done it already.
func (r *Reports) rested(req *branchlinev1.ReportRequest) bool {
	r.keeper.mu.Lock()
	defer r.keeper.mu.Unlock()
	k, ok := r.keeper.kept[keyOf(req)]
	return !ok || r.st.Now().Sub(k.made) > rest*k.took
}

// remake makes kept answers anew that were asked for, one at a time, until ctx ends.
func (r *Reports) remake(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case req := <-r.keeper.again:
			if !r.rested(req) {
				continue
			}
			if _, err := r.Report(ctx, req); err != nil && ctx.Err() == nil {
				r.log.Error("kept answer not made anew", "report", req.GetReport(), "err", err)
			}
		}
	}
}
