package report

import (
	"context"
	"strings"
	"sync"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// A report over a million lines takes a second or two. Pages, which are looked at
// again with every change, are given the last answer while it is made anew.
const (
	// slow is what an answer must take to be kept: a quicker one is made at each question.
	slow = 50 * time.Millisecond
	// rest is how many times as long as it took an answer is not made anew.
	rest = 20
	// keepFor is how old an answer given again can be, once something has changed.
	keepFor = 5 * time.Minute
	// aheadAfter is how long what is asked ahead is left alone at least, aheadLook how
	// often it is looked whether something has changed.
	aheadAfter = 30 * time.Second
	aheadLook  = 2 * time.Second
	maxKept    = 32
	maxAgain   = 8
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
	day    string     // the today it was made of
	rev    schema.Rev // HQ's when it was asked: nothing later is left out
}

func newKeeper() *keeper {
	return &keeper{again: make(chan *branchlinev1.ReportRequest, maxAgain), kept: map[string]keptAnswer{}}
}

func keyOf(req *branchlinev1.ReportRequest) string {
	return strings.Join(append([]string{req.GetReport(), req.GetFrom(), req.GetTo()}, req.GetBy()...), "\x00")
}

// Kept is an answer that took long to make and still is what Report would say, or
// was made up to five minutes ago: as_of says of when it is. nil: ask Report. Its
// rows are never changed: neither may the caller. One that has rested long enough is
// made anew by Run meanwhile.
func (r *Reports) Kept(req *branchlinev1.ReportRequest) *branchlinev1.ReportResponse {
	now := r.st.Now()
	r.keeper.mu.Lock()
	k, ok := r.keeper.kept[keyOf(req)]
	r.keeper.mu.Unlock()
	age := now.Sub(k.made)
	current := k.rev == r.st.Rev()
	if !ok || k.day != r.today(now) || !current && (age < 0 || age > keepFor) {
		return nil
	}
	if !current && age > rest*k.took {
		select {
		case r.keeper.again <- req:
		default: // enough to do
		}
	}
	a := k.answer
	out := &branchlinev1.ReportResponse{
		Report: a.GetReport(), Keys: a.GetKeys(), Values: a.GetValues(), Rows: a.GetRows(), Total: a.GetTotal(), Formulas: a.GetFormulas(),
		Sentences: a.GetSentences(), Currency: a.GetCurrency(), Heard: a.GetHeard(), AsOf: a.GetAsOf(),
	}
	if current { // up to when each branch is counted goes on without a change
		out.Heard, out.AsOf = r.heard(now), now.UnixMilli()
	}
	return out
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

// remake makes kept answers anew that were asked for, and those to be asked ahead, one at a time, until ctx ends.
func (r *Reports) remake(ctx context.Context) {
	t := time.NewTicker(aheadLook)
	defer t.Stop()
	var done schema.Rev
	var next time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			began := r.st.Now()
			if r.ahead == nil || r.st.Rev() == done || began.Before(next) {
				continue
			}
			done = r.st.Rev()
			for _, req := range r.ahead(began.In(r.zone())) {
				if _, err := r.Report(ctx, req); err != nil && ctx.Err() == nil {
					r.log.Error("answer not made ahead", "report", req.GetReport(), "err", err)
				}
			}
			now := r.st.Now()
			next = now.Add(max(aheadAfter, rest*now.Sub(began)))
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
