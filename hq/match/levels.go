package match

import (
	"maps"
	"slices"
)

// notCompared is the level of a comparison of which one side says nothing.
const notCompared = "not compared: one says nothing"

// Levels are all the levels an Explanation may name, for who says them in other words.
func Levels() []string {
	out := append(slices.Clone(plainWords), notCompared)
	for _, t := range slices.Sorted(maps.Keys(levelWords)) {
		out = append(out, levelWords[t]...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
