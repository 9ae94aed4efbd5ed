package report

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// A report over a million lines takes a second or two. Pages, which are looked at
// again with every change, are given the last answer while it is made anew. What is asked
// ahead is written down, so that a page need not wait after a start either.
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
	// keptForm rises whenever the same records give another answer than before.
	keptForm = 1
)

// keeper has the answers that were slow to make.
type keeper struct {
	again chan *branchlinev1.ReportRequest // to be made anew; Run does it

	mu    sync.Mutex
	kept  map[string]keptAnswer
	taken bool // what was written down before the start is among them
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
// made anew by Run meanwhile. The first call reads what was written down before the start.
func (r *Reports) Kept(ctx context.Context, req *branchlinev1.ReportRequest) *branchlinev1.ReportResponse {
	r.takeUp(ctx)
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

// takeUp takes up what was written down before the start, once. If nothing has changed since, it is an answer of now.
func (r *Reports) takeUp(ctx context.Context) {
	r.keeper.mu.Lock()
	defer r.keeper.mu.Unlock()
	if r.keeper.taken {
		return
	}
	now := r.st.Now()
	err := r.st.Read(ctx, func(rd *store.R) error {
		return rd.Each("SELECT asked, day, rev, made, took, answer FROM report_kept WHERE form = $1", []any{keptForm}, func(rows *stdsql.Rows) error {
			var asked, raw []byte
			var made, took int64
			k := keptAnswer{answer: new(branchlinev1.ReportResponse)}
			if err := rows.Scan(&asked, &k.day, &k.rev, &made, &took, &raw); err != nil {
				return err
			}
			if err := proto.Unmarshal(raw, k.answer); err != nil {
				return err
			}
			k.made, k.took = time.UnixMilli(made), time.Duration(took)*time.Microsecond
			if k.rev == r.st.Rev() {
				k.made, k.answer.AsOf, k.answer.Heard = now, now.UnixMilli(), r.heard(now)
			}
			if _, newer := r.keeper.kept[string(asked)]; !newer {
				r.keeper.kept[string(asked)] = k
			}
			return nil
		})
	})
	if err != nil {
		if ctx.Err() != nil {
			return // the next caller tries again
		}
		r.log.Error("kept answers not read: they are made anew", "err", err)
	}
	r.keeper.taken = true
}

// writeDown keeps the answers to some questions beyond the end of the program, and nothing else that was kept so.
func (r *Reports) writeDown(ctx context.Context, reqs []*branchlinev1.ReportRequest) error {
	var rows []any
	r.keeper.mu.Lock()
	for _, req := range reqs {
		asked := keyOf(req)
		k, ok := r.keeper.kept[asked]
		if !ok {
			continue
		}
		raw, err := proto.Marshal(k.answer)
		if err != nil {
			r.keeper.mu.Unlock()
			return fmt.Errorf("hq/report: write down: %w", err)
		}
		rows = append(rows, []byte(asked), keptForm, k.day, int64(k.rev), k.made.UnixMilli(), k.took.Microseconds(), raw)
	}
	r.keeper.mu.Unlock()
	if len(rows) == 0 {
		return nil
	}
	return r.st.Write(ctx, func(w *store.W) error {
		if _, err := w.Exec("DELETE FROM report_kept"); err != nil {
			return err
		}
		_, err := w.Insert("INSERT INTO report_kept (asked, form, day, rev, made, took, answer)", "ON CONFLICT DO NOTHING", 7, rows)
		return err
	})
}

// current tells whether the answer kept is what Report would say.
func (r *Reports) current(req *branchlinev1.ReportRequest) bool {
	r.keeper.mu.Lock()
	defer r.keeper.mu.Unlock()
	k, ok := r.keeper.kept[keyOf(req)]
	return ok && k.rev == r.st.Rev() && k.day == r.today(r.st.Now())
}

// foresight is when what is asked ahead was last asked, and of what.
type foresight struct {
	rev  schema.Rev
	day  string
	next time.Time
}

// askAhead makes the answers to be asked ahead when something has changed, or a day has begun, and writes them down.
func (r *Reports) askAhead(ctx context.Context, f *foresight) {
	began, rev := r.st.Now(), r.st.Rev()
	day := r.today(began)
	if r.ahead == nil || day == f.day && (rev == f.rev || began.Before(f.next)) {
		return
	}
	f.rev, f.day = rev, day
	r.takeUp(ctx)
	reqs := r.ahead(began.In(r.zone()))
	made := false
	for _, req := range reqs {
		if r.current(req) {
			continue
		}
		made = true
		if _, err := r.Report(ctx, req); err != nil && ctx.Err() == nil {
			r.log.Error("answer not made ahead", "report", req.GetReport(), "err", err)
		}
	}
	if made {
		if err := r.writeDown(ctx, reqs); err != nil && ctx.Err() == nil {
			r.log.Error("answers made ahead not written down", "err", err)
		}
	}
	now := r.st.Now()
	f.next = now.Add(max(aheadAfter, rest*now.Sub(began)))
}

// remake makes kept answers anew that were asked for, and those to be asked ahead, one at a time, until ctx ends.
func (r *Reports) remake(ctx context.Context) {
	t := time.NewTicker(aheadLook)
	defer t.Stop()
	var f foresight
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			r.askAhead(ctx, &f)
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
