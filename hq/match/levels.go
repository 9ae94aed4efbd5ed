package match

import (
	"maps"
	"slices"
)

// Levels of what is not compared: one side says nothing, or nothing but what too many names
// have for it to be anybody's own.
const (
	notCompared = "not compared: one says nothing"
	nobodys     = "not compared: many names have it"
)

// Levels are all the levels an Explanation may name, for who says them in other words.
func Levels() []string {
	out := append(slices.Clone(plainWords), notCompared, nobodys)
	for _, t := range slices.Sorted(maps.Keys(levelWords)) {
		out = append(out, levelWords[t]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
