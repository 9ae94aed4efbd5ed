package report_test

import (
	"slices"
	"testing"
	"time"

	"branchline/hq/report"
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
	if !same(w.reports.Kept(req), slow) || w.reports.Kept(&branchlinev1.ReportRequest{Report: "orders"}) != nil {
		t.Error("the slow answer is not given again, or to another question")
	}
	made := w.now
	w.set(made.Add(time.Hour), 0)
	if got := w.reports.Kept(req); !same(got, slow) || got.GetAsOf() != w.now.UnixMilli() {
		t.Errorf("nothing has changed since, and the answer is not given as of now: %v", got)
	}
	w.arrive(w.history(10)...)
	if w.reports.Kept(req) != nil {
		t.Error("an answer of an hour ago was given, and something has changed")
	}
	w.set(made.Add(4*time.Minute), 0)
	if got := w.reports.Kept(req); !same(got, slow) || got.GetAsOf() != slow.GetAsOf() {
		t.Errorf("an answer of four minutes ago was not given as what it is: %v", got)
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
		if got.GetTotal().GetValues()[0] != before.GetTotal().GetValues()[0] {
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

func TestKept_WhatIsAskedAheadWaitsForNobody(t *testing.T) {
	w := newWorld(t, t.TempDir(), 7)
	w.arrive(w.history(10)...)
	req := &branchlinev1.ReportRequest{Report: "orders", To: "2026-06-20"}
	zone := time.FixedZone("", 3600)
	reports, err := report.New(report.Config{Store: w.st, Zone: zone, Ahead: func(now time.Time) []*branchlinev1.ReportRequest {
		if now.Location() != zone {
			t.Error("asked in another zone")
		}
		return []*branchlinev1.ReportRequest{req}
	}})
	must(t, err)
	w.set(w.now, 100*time.Millisecond)
	ended := make(chan error, 1)
	ctx, stop := withStop(t)
	go func() { ended <- reports.Run(ctx) }()
	for deadline := time.After(20 * time.Second); reports.Kept(req) == nil; {
		select {
		case <-deadline:
			t.Fatal("not made")
		case <-time.After(20 * time.Millisecond):
		}
	}
	stop()
	must(t, <-ended)
}

func same(got, want *branchlinev1.ReportResponse) bool {
	return got != nil && slices.Equal(text(got), text(want))
}

// set puts the clock.
func (w *world) set(now time.Time, pace time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now, w.pace = now, pace
}
