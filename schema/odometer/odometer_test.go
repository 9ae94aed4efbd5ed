package odometer_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"branchline/schema/odometer"
)

func TestMisfits_judgeAReadingByItsNeighboursInTime(t *testing.T) {
	for name, c := range map[string]struct {
		in   []odometer.Reading
		want []string
	}{
		"none":                        {nil, nil},
		"all rise":                    {[]odometer.Reading{{"a", "2024-01-01", 10}, {"b", "2025-01-01", 20}}, nil},
		"an older one written later":  {[]odometer.Reading{{"b", "2025-01-01", 20}, {"a", "2024-01-01", 10}}, nil},
		"a digit too many":            {[]odometer.Reading{{"a", "2024-01-01", 19000}, {"slip", "2024-06-01", 199910}, {"c", "2025-01-01", 22000}, {"d", "2025-06-01", 25000}}, []string{"slip"}},
		"a digit too few":             {[]odometer.Reading{{"z", "2023-06-01", 15000}, {"a", "2024-01-01", 19000}, {"slip", "2024-06-01", 2000}, {"c", "2025-01-01", 22000}}, []string{"slip"}},
		"two of a day in any order":   {[]odometer.Reading{{"b", "2024-01-01", 12}, {"a", "2024-01-01", 10}}, nil},
		"the same again is no misfit": {[]odometer.Reading{{"a", "2024-01-01", 10}, {"b", "2024-02-01", 10}}, nil},
	} {
		if got := odometer.Misfits(c.in); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestOdd_asksAboutWhatDoesNotFit(t *testing.T) {
	was := []odometer.Reading{{"a", "2024-01-01", 10_000}, {"slip", "2024-03-01", 190_000}, {"b", "2024-06-01", 20_000}}
	for name, c := range map[string]struct {
		all  []odometer.Reading
		day  string
		km   int64
		last string
		odd  bool
	}{
		"the first":                    {nil, "2024-07-01", 900_000, "", false},
		"the same again":               {was, "2024-07-01", 20_000, "b", false},
		"driven on":                    {was, "2024-07-01", 24_000, "b", false},
		"below":                        {was, "2024-07-01", 19_999, "b", true},
		"a digit too many":             {was, "2024-07-01", 210_000, "b", true},
		"all day long":                 {was, "2024-06-01", 21_500, "b", false},
		"more than a day holds":        {was, "2024-06-01", 21_501, "b", true},
		"of a day before the last one": {was, "2024-05-01", 15_000, "a", false},
	} {
		last, odd := odometer.Odd(slices.Clone(c.all), odometer.Reading{Day: c.day, Km: c.km})
		if last.Name != c.last || odd != c.odd {
			t.Errorf("%s: after %q, %v", name, last.Name, odd)
		}
	}
}

// Without the misfits the readings rise, and no smaller set would do.
func TestMisfits_FewestThatRise(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 9).Draw(rt, "n")
		all := make([]odometer.Reading, n)
		for i := range all {
			all[i] = odometer.Reading{Name: fmt.Sprint(i), Day: fmt.Sprintf("2026-01-%02d", rapid.IntRange(1, 6).Draw(rt, "day")), Km: int64(rapid.IntRange(1, 8).Draw(rt, "km"))}
		}
		rises := func(out map[string]bool) bool {
			for i := range all {
				for j := range all {
					if !out[all[i].Name] && !out[all[j].Name] && all[i].Day < all[j].Day && all[i].Km > all[j].Km {
						return false
					}
				}
			}
			return true
		}
		marked := map[string]bool{}
		for _, name := range odometer.Misfits(slices.Clone(all)) {
			marked[name] = true
		}
		if !rises(marked) {
			rt.Fatalf("without %v the rest of %v does not rise", marked, all)
		}
		for set := range 1 << n {
			out := map[string]bool{}
			for i := range n {
				if set>>i&1 == 1 {
					out[all[i].Name] = true
				}
			}
			if len(out) < len(marked) && rises(out) {
				rt.Fatalf("%v would do, %v is marked of %v", out, marked, all)
			}
		}
	})
}
