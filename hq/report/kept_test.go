package report_test

import (
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/report"
	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func TestKept_onlyWhatWasSlowAndOnlyForAWhile(t *testing.T) {
	w := newWorld(t, t.TempDir(), 5)
	w.arrive(w.history(10)...)
	req := &branchlinev1.ReportRequest{Report: "orders", By: []string{"month"}}
	w.report(req)
	if w.reports.Kept(t.Context(), req) != nil {
		t.Error("a quick answer was kept: it would be old for nothing")
	}
	w.set(w.now, 100*time.Millisecond)
	slow := w.report(req)
	w.set(w.now, 0)
	if !same(w.reports.Kept(t.Context(), req), slow) || w.reports.Kept(t.Context(), &branchlinev1.ReportRequest{Report: "orders"}) != nil {
		t.Error("the slow answer is not given again, or to another question")
	}
	made := w.now
	w.set(made.Add(time.Hour), 0)
	if got := w.reports.Kept(t.Context(), req); !same(got, slow) || got.GetAsOf() != w.now.UnixMilli() {
		t.Errorf("nothing has changed since, and the answer is not given as of now: %v", got)
	}
	w.arrive(w.history(10)...)
	if w.reports.Kept(t.Context(), req) != nil {
		t.Error("an answer of an hour ago was given, and something has changed")
	}
	w.set(made.Add(4*time.Minute), 0)
	if got := w.reports.Kept(t.Context(), req); !same(got, slow) || got.GetAsOf() != slow.GetAsOf() {
		t.Errorf("an answer of four minutes ago was not given as what it is: %v", got)
	}
	w.set(time.Date(2026, 6, 20, 15, 59, 59, 0, time.UTC), 100*time.Millisecond) // a second before midnight in Shanghai
	w.report(req)
	w.set(w.now.Add(2*time.Second), 0)
	if w.reports.Kept(t.Context(), req) != nil {
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
		got := w.reports.Kept(t.Context(), req)
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
	for deadline := time.After(20 * time.Second); reports.Kept(t.Context(), req) == nil; {
		select {
		case <-deadline:
			t.Fatal("not made")
		case <-time.After(20 * time.Millisecond):
		}
	}
	stop()
	must(t, <-ended)
}

// What was asked ahead is there after a start, without being counted again: as of now while nothing has changed, and as of
// when it was made once something has.
func TestKept_IsThereAfterAStart(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, dir, 8)
	w.arrive(w.history(10)...)
	req := &branchlinev1.ReportRequest{Report: "orders", By: []string{"month"}, To: "2026-06-20"}
	zone := time.FixedZone("", 8*3600)
	start := func(pace time.Duration) *report.Reports {
		reports, err := report.New(report.Config{Store: w.st, Zone: zone, Ahead: func(time.Time) []*branchlinev1.ReportRequest { return []*branchlinev1.ReportRequest{req} }})
		must(t, err)
		w.set(w.now, pace)
		return reports
	}
	first := start(100 * time.Millisecond)
	ended := make(chan error, 1)
	ctx, stop := withStop(t)
	go func() { ended <- first.Run(ctx) }()
	for deadline := time.After(20 * time.Second); w.count("report_kept") == 0; {
		select {
		case <-deadline:
			t.Fatal("not written down")
		case <-time.After(20 * time.Millisecond):
		}
	}
	stop()
	must(t, <-ended)
	told := first.Kept(t.Context(), req)
	w.close()

	again := newWorld(t, dir, 9)
	again.set(w.now.Add(3*time.Hour), 0)
	w = again
	reports := start(0)
	got := reports.Kept(t.Context(), req)
	if !same(got, told) || got.GetAsOf() != w.now.UnixMilli() {
		t.Fatalf("after a start there is %v, want %v as of now", got, told)
	}
	if reports.Kept(t.Context(), &branchlinev1.ReportRequest{Report: "orders"}) != nil {
		t.Error("an answer to a question nobody asked")
	}
	w.arrive(w.history(10)...)
	w.set(w.now.Add(time.Minute), 0)
	if got := reports.Kept(t.Context(), req); !same(got, told) || got.GetAsOf() != w.now.Add(-time.Minute).UnixMilli() {
		t.Errorf("a minute after the start, with something changed, there is %v", got)
	}
	w.set(w.now.Add(time.Hour), 0)
	if reports.Kept(t.Context(), req) != nil {
		t.Error("an answer of an hour ago is given, and something has changed")
	}
}

// A report reads the groups of those whom orders name, however many are registered.
func TestReport_ReadsTheGroupsOfVisitorsOnly(t *testing.T) {
	w := newWorld(t, t.TempDir(), 10)
	var ids []schema.RecordID
	for range 40 {
		id := w.newID()
		ids = append(ids, id)
		w.arrive(w.edit("pd", id, &branchlinev1.Customer{Name: proto.String("王伟")}))
	}
	for i := 0; i < len(ids); i += 2 {
		w.group(ids[i], ids[i+1])
	}
	for _, id := range []schema.RecordID{ids[0], ids[1], ids[2]} {
		w.arrive(w.edit("pd", w.newID(), &branchlinev1.ServiceOrder{
			State: branchlinev1.OrderState_SETTLED.Enum(), SettledOn: proto.String("2026-06-01"), Customer: proto.String(id.String()),
		}))
	}
	if got := w.report(&branchlinev1.ReportRequest{Report: "customers"}).GetTotal().GetValues(); !slices.Equal(got, []int64{2, 2}) {
		t.Errorf("active and new are %v, want two customers", got)
	}
	n, err := report.Grouped(t.Context(), w.st, "customer")
	must(t, err)
	if n != 3 {
		t.Errorf("the groups of %d records were read, want those of the three that orders name", n)
	}
}

// count is how many rows a table has.
func (w *world) count(table string) (n int) {
	w.t.Helper()
	must(w.t, w.st.Read(w.t.Context(), func(r *store.R) error {
		_, err := r.Scan("SELECT COUNT(*) FROM "+table, nil, &n)
		return err
	}))
	return n
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
