package odometer_test

import (
	"slices"
	"testing"

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
