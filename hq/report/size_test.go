package report_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Reports over many lines: BRANCHLINE_REPORT_LINES says how many (1000000 takes minutes to lay down).
func BenchmarkReport_lines(b *testing.B) {
	lines := 30000
	if s := os.Getenv("BRANCHLINE_REPORT_LINES"); s != "" {
		var err error
		lines, err = strconv.Atoi(s)
		must(b, err)
	}
	w := newWorld(b, b.TempDir(), 1)
	branches := []schema.BranchID{"pd", "mh", "xh"}
	customers, cars := make([]string, lines/10), make([]string, lines/10)
	for i := range customers {
		customers[i], cars[i] = w.newID().String(), w.newID().String()
	}
	for done := 0; done < lines; {
		var batch []*change
		for range 300 {
			id, br := w.newID(), branches[w.rnd.IntN(3)]
			day := time.Date(2023, 6, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, w.rnd.IntN(1120)).Format(time.DateOnly)
			batch = append(batch, w.edit(br, id, &branchlinev1.ServiceOrder{
				State: branchlinev1.OrderState_SETTLED.Enum(), SettledOn: proto.String(day), Branch: proto.String(string(br)), Model: proto.String(fmt.Sprint("Model ", w.rnd.IntN(40))),
				Customer: proto.String(customers[w.rnd.IntN(len(customers))]), Vehicle: proto.String(cars[w.rnd.IntN(len(cars))]),
			}))
			for range 3 {
				batch = append(batch, w.edit(br, w.newID(), &branchlinev1.ServiceLine{
					Order: proto.String(id.String()), State: branchlinev1.LineState_LINE_DONE.Enum(), Amount: proto.Int64(int64(w.rnd.IntN(100000))), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(),
				}))
				done++
			}
		}
		w.arrive(batch...)
	}
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
		{Report: "retention"},
	} {
		b.Run(fmt.Sprint(q.GetReport(), q.GetBy(), q.GetFrom()), func(b *testing.B) {
			for range b.N {
				w.report(q)
			}
		})
	}
}
