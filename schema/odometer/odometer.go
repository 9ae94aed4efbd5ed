// Package odometer judges readings of a car against their neighbours in time,
// never against the last one stored: older readings come in later, and a slip of
// the finger must not put all that follow it in doubt.
package odometer

import (
	"cmp"
	"slices"
	"time"
)

// Reading is a dated reading, by any name.
type Reading struct {
	Name string
	Day  string // YYYY-MM-DD
	Km   int64
}

// Misfits are the names of the fewest readings without which the rest rises
// along the days. Of several such sets it is the one that keeps the smaller
// readings. Readings of one day are taken in rising order, for their order is
// not known. all is sorted.
func Misfits(all []Reading) []string {
	slices.SortFunc(all, func(a, b Reading) int {
		return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Km, b.Km), cmp.Compare(a.Name, b.Name))
	})
	// The complement of a longest rising subsequence (patience sorting): tops[l]
	// ends the rising run of length l+1 with the smallest km.
	var tops []int
	prev := make([]int, len(all))
	for i := range all {
		l, _ := slices.BinarySearchFunc(tops, all[i].Km, func(t int, v int64) int {
			if all[t].Km <= v {
				return -1
			}
			return 1
		})
		prev[i] = -1
		if l > 0 {
			prev[i] = tops[l-1]
		}
		if l == len(tops) {
			tops = append(tops, i)
		} else {
			tops[l] = i
		}
	}
	keep := make([]bool, len(all))
	if len(tops) > 0 {
		for i := tops[len(tops)-1]; i >= 0; i = prev[i] {
			keep[i] = true
		}
	}
	var out []string
	for i := range all {
		if !keep[i] {
			out = append(out, all[i].Name)
		}
	}
	return out
}

// aDay is how many kilometres a car is driven in a day at most, two drivers taking turns.
const aDay = 1500

// Odd tells whether a reading just taken is to be asked about once: it is below the last one of the readings so far that
// fits its neighbours, or farther above it than a car is driven in the days between. last is that one; without one
// nothing is odd. all is sorted.
func Odd(all []Reading, taken Reading) (last Reading, odd bool) {
	out := Misfits(all)
	for _, r := range all {
		if r.Day <= taken.Day && !slices.Contains(out, r.Name) {
			last = r // they rise
		}
	}
	if last.Name == "" || taken.Km < last.Km {
		return last, last.Name != ""
	}
	from, err := time.Parse(time.DateOnly, last.Day)
	to, terr := time.Parse(time.DateOnly, taken.Day)
	if err != nil || terr != nil {
		return last, false // without their days nothing is known of the time between
	}
	days := int64(to.Sub(from).Hours()/24) + 1
	return last, taken.Km-last.Km > days*aDay
}
