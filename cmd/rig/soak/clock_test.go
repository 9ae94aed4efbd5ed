//go:build linux

package soak

import (
	"context"
	"crypto/rand"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/cmd/rig"
	"branchline/node/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/link"
)

// One branch's clock is a year ahead, another's a year behind; then the first is set
// right while it runs. The processes read the machine's clock, so this group runs in
// the test's own. Nobody's edit loses to the value its writer saw, nor to an edit of
// the writer's own made before; nothing is lost, and people are told.
func TestClock_AYearOff(t *testing.T) {
	t.Parallel()
	const year = 365 * 24 * time.Hour
	var ahead atomic.Int64
	ahead.Store(int64(year))
	r, err := rig.New(rig.Config{
		Dir: t.TempDir(), Now: time.Now, Rand: rand.Reader, Limits: link.Limits{Beat: 200 * time.Millisecond},
		Branches: []rig.Branch{{Code: "b1", Name: "Early", Entity: "e1"}, {Code: "b2", Name: "Late", Entity: "e1"}, {Code: "b3", Name: "Right", Entity: "e1"}},
		ClockOf: func(b schema.BranchID) func() time.Time {
			switch b {
			case "b1":
				return func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			case "b2":
				return func() time.Time { return time.Now().Add(-year) }
			}
			return nil
		},
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(err)
	must(r.Start(t.Context()))
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	converge := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		must(r.Quiet(ctx))
		diff, err := r.Differing(ctx)
		must(err)
		if len(diff) > 0 {
			t.Fatalf("%d records differ, first %s", len(diff), diff[0])
		}
	}
	put := func(b schema.BranchID, e store.Edit) schema.RecordID {
		t.Helper()
		e.Actor, e.Role, e.Kind = "li", branchlinev1.Role_ROLE_CLERK, schema.Customer
		res, err := r.Site(b).Node().Store().Put(t.Context(), e)
		must(err)
		return res.ID
	}
	shown := func(b schema.BranchID, id schema.RecordID) *branchlinev1.Record {
		t.Helper()
		rec, err := r.Site(b).Node().Store().Get(t.Context(), id)
		must(err)
		return rec
	}
	say := func(b schema.BranchID, id schema.RecordID, remark string) {
		t.Helper()
		put(b, store.Edit{ID: id, Etag: shown(b, id).GetEtag(), Mask: []string{"remark"}, Message: &branchlinev1.Customer{Remark: proto.String(remark)}})
		if got := shown(b, id).GetCustomer().GetRemark(); got != remark {
			t.Fatalf("%s does not show its own edit: %q", b, got)
		}
	}
	everywhere := func(id schema.RecordID, remark string) {
		t.Helper()
		converge()
		for _, b := range []schema.BranchID{"b1", "b2", "b3"} {
			if got := shown(b, id).GetCustomer().GetRemark(); got != remark {
				t.Fatalf("%s shows %q, not %q", b, got, remark)
			}
		}
	}
	var one schema.RecordID
	for _, b := range []schema.BranchID{"b1", "b2", "b3"} {
		one = put(b, store.Edit{Message: &branchlinev1.Customer{Name: proto.String("王小明"), Phones: []*branchlinev1.Phone{{Number: proto.String("13817264531")}}}})
	}
	converge()
	// Who has seen a value and writes another wins, whatever the clocks.
	for i, b := range []schema.BranchID{"b1", "b2", "b3", "b1", "b2"} {
		remark := strings.Repeat("x", i+1) + string(b)
		say(b, one, remark)
		everywhere(one, remark)
	}
	// Own edits without a link, across the clock being set right, stay in order.
	r.Site("b1").Proxy().Cut()
	say("b1", one, "early, cut off")
	ahead.Store(0)
	say("b1", one, "set right, cut off")
	r.Site("b1").Proxy().Open()
	everywhere(one, "set right, cut off")
	say("b2", one, "late, having seen it")
	everywhere(one, "late, having seen it")
	for range 20 {
		for _, b := range []schema.BranchID{"b1", "b2", "b3"} {
			put(b, store.Edit{Message: &branchlinev1.Customer{Name: proto.String("客户" + string(b))}})
		}
	}
	converge()
	told := false
	for _, w := range r.Site("b2").Node().Link().Warnings {
		told = told || strings.Contains(w, "clock")
	}
	if !told {
		t.Errorf("b2 is not told of its clock: %v", r.Site("b2").Node().Link().Warnings)
	}
}
