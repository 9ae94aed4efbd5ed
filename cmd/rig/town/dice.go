package town

import (
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// dice are the chance of one thing. Each thing has its own, so that what is asked of one does not
// shift another.
type dice struct{ *rand.Rand }

// dice of the nth thing of a kind.
func (t *Town) dice(kind string, n int) dice {
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind)) // a hash never fails
	return dice{rand.New(rand.NewPCG(t.cfg.Seed, h.Sum64()^uint64(n)*0x9e3779b97f4a7c15))}
}

func (d dice) chance(p float64) bool { return d.Float64() < p }

func (d dice) pick(of []string) string { return of[d.IntN(len(of))] }

func (d dice) between(lo, hi int) int { return lo + d.IntN(hi-lo+1) }

func pickOf[T any](d dice, of []T) T { return of[d.IntN(len(of))] }

// weighted draws an index; sums are the running totals of the weights.
func (d dice) weighted(sums []int) int {
	x := d.IntN(sums[len(sums)-1])
	lo, hi := 0, len(sums)
	for lo < hi {
		if mid := (lo + hi) / 2; sums[mid] <= x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// hour puts a day's instant into working hours, 08:30 to 17:00.
func (d dice) hour(day time.Time) time.Time {
	y, m, dd := day.Date()
	return time.Date(y, m, dd, 8, 30, 0, 0, zone).Add(time.Duration(d.IntN(510*60)) * time.Second)
}

func dayOf(at time.Time) string { return at.In(zone).Format(time.DateOnly) }
