package report_test

import (
	"testing"
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func TestKept_onlyWhatWasSlowAndOnlyForAWhile(t *testing.T) {
	w := newWorld(t, t.TempDir(), 5)
	w.arrive(w.history(10)...)
	req := &branchlinev1.ReportRequest{Report: "orders", By: []string{"month"}}
	w.report(req)
	if w.reports.Kept(req) != nil {
		t.Error("a quick answer was kept: it would be old for nothing")
	}
	w.set(w.now, 100*time.Millisecond)
	slow := w.report(req)
	w.set(w.now, 0)
	if w.reports.Kept(req) != slow || w.reports.Kept(&branchlinev1.ReportRequest{Report: "orders"}) != nil {
		t.Error("the slow answer is not given again, or to another question")
	}
	made := w.now
	w.set(made.Add(6*time.Minute), 0)
	if w.reports.Kept(req) != nil {
		t.Error("an answer of six minutes ago was given")
	}
	w.set(made.Add(4*time.Minute), 0)
	if w.reports.Kept(req) == nil {
		t.Error("an answer of four minutes ago was not given")
	}
	w.set(time.Date(2026, 6, 20, 15, 59, 59, 0, time.UTC), 100*time.Millisecond) // a second before midnight in Shanghai
	w.report(req)
	w.set(w.now.Add(2*time.Second), 0)
	if w.reports.Kept(req) != nil {
		t.Error("yesterday's answer was given for today")
	}
}

func TestKept_isMadeAnewWhileItIsGiven(t *testing.T) {
	w := newWorld(t, t.TempDir(), 6)
	w.arrive(w.history(10)...)
	req := &branchlinev1.ReportRequest{Report: "orders"}
	w.set(w.now, 100*time.Millisecond)
	before := w.report(req)
	w.arrive(w.history(10)...)
	w.set(w.now.Add(time.Minute), 100*time.Millisecond)
	ended := make(chan error, 1)
	ctx, stop := withStop(t)
	go func() { ended <- w.reports.Run(ctx) }()
	deadline := time.After(20 * time.Second)
	for {
		got := w.reports.Kept(req)
		if got == nil {
			t.Fatal("nobody is to wait for what is being made anew")
		}
		if got != before {
			if got.GetTotal().GetValues()[0] == before.GetTotal().GetValues()[0] {
				t.Error("made anew, but of the same facts")
			}
			break
		}
		select {
		case <-deadline:
			t.Fatal("not made anew")
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	must(t, <-ended)
}

// set puts the clock.
func (w *world) set(now time.Time, pace time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now, w.pace = now, pace
}
