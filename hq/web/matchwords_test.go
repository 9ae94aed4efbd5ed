package web

import (
	"testing"

	"branchline/hq/match"
	"branchline/schema/look"
)

// Whatever the matcher says of two values is said in the reader's words.
func TestEveryLevel_HasWords(t *testing.T) {
	words, err := look.LoadWords(Words())
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range match.Levels() {
		if l, ok := levels[level]; !ok || !words.Has("match.level."+l.key) {
			t.Errorf("no words for %q", level)
		}
	}
	for level, l := range levels {
		if !words.Has("match.level." + l.key) {
			t.Errorf("%q: no key %s", level, l.key)
		}
	}
	for _, f := range match.CustomerFields() {
		if !words.Has("match.type." + string(f.Type)) {
			t.Errorf("no word for the type %s", f.Type)
		}
	}
}

func TestDiffering(t *testing.T) {
	for _, c := range []struct {
		a, b, want string
		common     int
	}{
		{"139 0000 2207", "139 0000 2270", "139 0000 22[07]", 11},
		{"陈建国", "陈建军", "陈建[国]", 2},
		{"1991-01-31", "1991-01-13", "1991-01-[31]", 8},
		{"陈建国", "李丽", "[陈建国]", 0},
		{"Anna", "Annabel", "Anna", 4},
	} {
		bits, common := differing(c.a, c.b)
		got := ""
		for _, b := range bits {
			if b.Diff {
				got += "[" + b.Text + "]"
			} else {
				got += b.Text
			}
		}
		if got != c.want || common != c.common {
			t.Errorf("%q against %q: %q, %d in common; want %q, %d", c.a, c.b, got, common, c.want, c.common)
		}
	}
}

func TestOneIn(t *testing.T) {
	for rarity, want := range map[int32]int64{0: 1, -5: 1, 100: 2, 1000: 1000, 1530: 40000, 700: 130} {
		if got := oneIn(rarity); got != want {
			t.Errorf("%d: one in %d, want %d", rarity, got, want)
		}
	}
}

func TestCustomerName(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "01ABC": "customers/01ABC", "customers/01ABC": "customers/01ABC", "https://hq.example:8480/customers/01ABC/members?done=x": "customers/01ABC",
	} {
		if got := customerName(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
