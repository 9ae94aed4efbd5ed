package inbox_test

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/hq/inbox"
	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// BenchmarkDrain takes 20,000 customers and 60,000 orders of one branch off
// packs, in groups of four packs.
func BenchmarkDrain(b *testing.B) {
	for range b.N {
		b.StopTimer()
		g := newRig(b)
		g.entity("e1")
		x := g.branch("b1", "e1")
		g.branch("b2", "e1")
		var customers []schema.RecordID
		const text = "customer reports vibration oil leak inspect replace filter coolant level timing belt due warranty check software update"
		for i := range 20000 {
			id := g.id()
			customers = append(customers, id)
			x.write(id, &branchlinev1.Customer{
				Name: proto.String("Anna Brandt"), Phones: []*branchlinev1.Phone{{Number: proto.String(fmt.Sprintf("+49 %d", 1000000000+i*7919))}},
				Addresses: []*branchlinev1.Address{{City: proto.String("Kassel"), Street: proto.String("Ringstrasse 12"), Postcode: proto.String("34117")}},
				Emails:    []string{fmt.Sprintf("anna.brandt%d@example.net", i)}, Remark: proto.String(text[:40]),
				SourceIds: []*branchlinev1.SourceId{{Source: proto.String("bench"), Id: proto.String(fmt.Sprintf("C-B1-%08d", i))}},
			}, create)
		}
		for i := range 60000 {
			o := order(customers[(i*7919)%len(customers)], schema.RecordID{})
			o.Vin, o.Plate, o.Model = proto.String("LFV3A23C0G3000001"), proto.String("B4X9K21"), proto.String("Corvio")
			o.Complaint, o.Work, o.Parts = proto.String(text[:100]), proto.String(text[:90]), proto.String(text[:40])
			o.Adviser, o.EstimateAmount = proto.String("Katja Lorenz"), proto.Int64(123456)
			o.SourceIds = []*branchlinev1.SourceId{{Source: proto.String("bench"), Id: proto.String(fmt.Sprintf("O-B1-%08d", i))}}
			x.write(g.id(), o, create)
		}
		packs := x.packs()
		bytes := 0
		b.StartTimer()
		began := time.Now()
		for len(packs) > 0 {
			n := min(4, len(packs))
			var batch []inbox.Incoming
			for _, p := range packs[:n] {
				bytes += len(p)
				batch = append(batch, inbox.Incoming{Subject: x.code, Data: p})
			}
			must(g.in.Work(b.Context(), batch))(b)
			packs = packs[n:]
		}
		b.ReportMetric(80000/time.Since(began).Seconds(), "changes/s")
		b.ReportMetric(float64(bytes)/80000, "B/change")
		began = time.Now()
		rows, _ := x.pull(0, true)
		b.ReportMetric(float64(len(rows))/time.Since(began).Seconds(), "rows/s")
	}
}
