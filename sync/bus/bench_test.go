package bus

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"branchline/schema"
)

// BenchmarkPack_Latency is from Publish at a branch to HQ's function, one pack
// of 500 bytes at a time.
func BenchmarkPack_Latency(b *testing.B) {
	h := startHub(b)
	l := h.leaf(b, "b01")
	seen := make(chan time.Time, 1024)
	background(b, func(ctx context.Context) error {
		return h.Packs(ctx, func(batch []Pack) {
			now := time.Now()
			for _, p := range batch {
				if err := p.Ack(); err != nil {
					b.Error(err)
				}
				seen <- now
			}
		})
	})
	data := make([]byte, 500)
	var ds, doors []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		must(b, l.Publish(uint64(i), data))
		d := <-l.Doors()
		if errors.Is(d.Err, schema.ErrExhausted) {
			// Thousands of packs a second outrun JetStream's removal of acked ones
			// whenever the disk holds it up for 20 ms.
			h.room(b, "b01")
			continue
		}
		must(b, d.Err)
		doors = append(doors, time.Since(start))
		ds = append(ds, (<-seen).Sub(start))
	}
	slices.Sort(ds)
	slices.Sort(doors)
	b.ReportMetric(float64(ds[len(ds)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(ds[len(ds)*99/100].Microseconds()), "p99-us")
	b.ReportMetric(float64(doors[len(doors)/2].Microseconds()), "door-p50-us")
}

// room waits until nothing of the branch stands in UP.
func (h *testHub) room(t testing.TB, branch schema.BranchID) {
	await(t, "room in UP", func() bool {
		n, err := h.Pending(branch)
		return err == nil && n == 0
	})
}

// BenchmarkPack_Throughput is packs of 32 KiB (256 changes, compressed), four in flight.
func BenchmarkPack_Throughput(b *testing.B) {
	h := startHub(b)
	l := h.leaf(b, "b01")
	h.read(b)
	data := make([]byte, 32<<10)
	b.SetBytes(int64(len(data)))
	flight := 0
	for i := 0; b.Loop(); i++ {
		must(b, l.Publish(uint64(i), data))
		if flight++; flight == 4 {
			d := <-l.Doors()
			if flight--; errors.Is(d.Err, schema.ErrExhausted) {
				h.room(b, "b01")
			} else {
				must(b, d.Err)
			}
		}
	}
}
