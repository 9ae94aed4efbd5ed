package report_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/store"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/merge"
)

// Reports over many lines: BRANCHLINE_REPORT_LINES says how many (1000000 takes a minute to lay down).
func BenchmarkReport_lines(b *testing.B) {
	lines := 30000
	if s := os.Getenv("BRANCHLINE_REPORT_LINES"); s != "" {
		var err error
		lines, err = strconv.Atoi(s)
		must(b, err)
	}
	w := newWorld(b, b.TempDir(), 1)
	w.lay(lines)
	b.Run("from nothing", func(b *testing.B) {
		for range b.N {
			must(b, w.reports.Rebuild(b.Context()))
		}
	})
	for _, q := range []*branchlinev1.ReportRequest{
		{Report: "orders", By: []string{"month"}},
		{Report: "orders", By: []string{"month", "branch", "model"}},
		{Report: "orders", By: []string{"branch"}, From: "2026-05-01", To: "2026-05-31"},
		{Report: "customers", By: []string{"month", "branch"}},
		{Report: "customers", By: []string{"month"}, From: "2025-07-01", To: "2026-06-20"},
		{Report: "retention"},
	} {
		b.Run(fmt.Sprint(q.GetReport(), q.GetBy(), q.GetFrom()), func(b *testing.B) {
			for range b.N {
				w.report(q)
			}
		})
	}
}

// lay lays settled orders of three lines each down as records that were written once: they need not be merged.
func (w *world) lay(lines int) {
	w.t.Helper()
	branches := []schema.BranchID{"pd", "mh", "xh"}
	customers, cars := make([]string, max(lines/10, 1)), make([]string, max(lines/10, 1))
	for i := range customers {
		customers[i], cars[i] = w.newID().String(), w.newID().String()
	}
	for done := 0; done < lines; {
		must(w.t, w.st.Write(context.Background(), func(x *store.W) error {
			var recs []*store.Rec
			for range 2000 {
				id, br := w.newID(), branches[w.rnd.IntN(3)]
				day := time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, w.rnd.IntN(1120)).Format(time.DateOnly)
				recs = append(recs, w.fresh(x, br, id, &branchlinev1.ServiceOrder{
					State: branchlinev1.OrderState_SETTLED.Enum(), SettledOn: proto.String(day), Branch: proto.String(string(br)), Model: proto.String(fmt.Sprint("Model ", w.rnd.IntN(40))),
					Customer: proto.String(customers[w.rnd.IntN(len(customers))]), Vehicle: proto.String(cars[w.rnd.IntN(len(cars))]),
				}))
				for range 3 {
					recs = append(recs, w.fresh(x, br, w.newID(), &branchlinev1.ServiceLine{
						Order: proto.String(id.String()), State: branchlinev1.LineState_LINE_DONE.Enum(), Amount: proto.Int64(int64(w.rnd.IntN(100000))), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(),
					}))
					done++
				}
				if done >= lines {
					break
				}
			}
			return x.InsertRecs(recs)
		}))
	}
}

// fresh is a record as its first change leaves it.
func (w *world) fresh(x *store.W, branch schema.BranchID, id schema.RecordID, m proto.Message) *store.Rec {
	c := w.edit(branch, id, m)
	st, err := merge.FromChange(c.stamp, c.body)
	must(w.t, err)
	rec := &store.Rec{N: x.NextRecord(), ID: id, Kind: c.kind, Home: w.num[branch], State: st.Encode(), Rev: x.NextRev()}
	k := schema.KindOf(c.kind)
	rec.Columns(k, st.Fold(k))
	return rec
}
