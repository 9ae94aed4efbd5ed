package number

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"branchline/schema"
)

// The example of the Global Release Identifier standard, which uses the same system.
func TestCheck_PublishedExample(t *testing.T) {
	if c, err := Check("A1-2425G-ABC1234002"); err != nil || c != 'M' {
		t.Errorf("got %q, %v", c, err)
	}
}

func TestFormat_Design(t *testing.T) {
	n := Number{"sh01", 'a', "2026-11-21", 42, Orders}
	s, err := n.Format()
	if err != nil || !strings.HasPrefix(s, "SH01a-261121-0042-") {
		t.Fatal(s, err)
	}
	for _, spelt := range []string{s, strings.ToLower(s), strings.ToUpper(s), "  " + s + " ", strings.ReplaceAll(s, "-", "–"), strings.ReplaceAll(s, "0", "０")} {
		if got, err := Parse(spelt); err != nil || got != n {
			t.Errorf("%q: %+v, %v", spelt, got, err)
		}
	}
}

// A payment and an order of one count have different numbers; the letter is under the check character.
func TestFormat_Series(t *testing.T) {
	n := Number{"sh01", 'a', "2026-11-21", 42, Payments}
	s, err := n.Format()
	if err != nil || !strings.HasPrefix(s, "SH01a-261121-P0042-") {
		t.Fatal(s, err)
	}
	if got, err := Parse(strings.ToLower(s)); err != nil || got != n {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := Parse(strings.Replace(s, "P0", "S0", 1)); err == nil {
		t.Error("another series was taken for the same number")
	}
	n.Series = 'X'
	if s, err := n.Format(); err == nil {
		t.Errorf("a series that there is not: %s", s)
	}
	if _, ok := SeriesOf(schema.Claim); ok {
		t.Error("the number of a claim is its insurer's")
	}
}

func number(t *rapid.T) Number {
	return Number{
		schema.BranchID(rapid.StringMatching(`[a-z][a-z0-9]{1,7}`).Draw(t, "branch")),
		Life(schema.Incarnation(rapid.Int64Min(1).Draw(t, "incarnation"))),
		rapid.SampledFrom([]string{"2000-01-01", "2026-11-21", "2028-02-29", "2099-12-31"}).Draw(t, "day"),
		rapid.OneOf(rapid.IntRange(1, 9999), rapid.IntRange(1, maxCounter)).Draw(t, "counter"),
		rapid.SampledFrom([]Series{Orders, Appointments, Cards, Payments, Settlements}).Draw(t, "series"),
	}
}

func TestParse_ReadsWhatFormatWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := number(t)
		s, err := n.Format()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(s); err != nil || got != n {
			t.Fatalf("%s came back as %+v, %v", s, got, err)
		}
	})
}

// Every single wrong character is caught, at every place and for every character.
func TestParse_CatchesEverySubstitution(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, err := number(t).Format()
		if err != nil {
			t.Fatal(err)
		}
		s = strings.ToUpper(s)
		for i := range s {
			for _, c := range []byte(alphabet) {
				if s[i] == '-' || s[i] == c {
					continue
				}
				if _, err := Parse(s[:i] + string(c) + s[i+1:]); err == nil {
					t.Fatalf("%s with %c at %d was taken", s, c, i)
				}
			}
		}
	})
}

// Two neighbours changed round are caught but for one pair in each state of the sum: the values that
// make it 18 and 19. ISO 7064 says "nearly all"; this is which.
func TestCheck_Transpositions(t *testing.T) {
	reduced := func(n int) int {
		if n %= 36; n == 0 {
			return 36
		}
		return n
	}
	missed := 0
	for p := 1; p <= 36; p++ {
		for a := range 36 {
			for b := range a {
				same := step(step(p, a), b) == step(step(p, b), a)
				sa, sb := reduced(p+a), reduced(p+b)
				if known := min(sa, sb) == 18 && max(sa, sb) == 19; same != known {
					t.Fatalf("state %d, %d and %d: missed %v", p, a, b, same)
				}
				if same {
					missed++
				}
			}
		}
	}
	if missed != 36 {
		t.Errorf("%d pairs are missed of %d, one in each state was expected", missed, 36*630)
	}
}

func TestParse_Refusals(t *testing.T) {
	good, err := Number{Branch: "pd", Life: 'a', Day: "2026-11-21", Counter: 7}.Format()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"", "-", "---", good + "-", good[:len(good)-1], good + "K", "PDI" + good[3:], "PD" + good[3:], strings.Replace(good, "0007", "0000", 1), strings.Replace(good, "1121", "1321", 1), strings.Repeat("9", 5000), "沪" + good} {
		if _, err := Parse(s); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%.40q: %v", s, err)
		}
	}
	for _, n := range []Number{{"p", 'a', "2026-11-21", 1, Orders}, {"pd", 'i', "2026-11-21", 1, Orders}, {"pd", 'A', "2026-11-21", 1, Orders}, {"pd", 'a', "26-11-21", 1, Orders}, {"pd", 'a', "2100-01-01", 1, Orders}, {"pd", 'a', "2026-11-21", 0, Orders}, {"pd", 'a', "2026-11-21", maxCounter + 1, Orders}} {
		if s, err := n.Format(); err == nil {
			t.Errorf("%+v became %s", n, s)
		}
	}
}

func TestLife_OfManyLives(t *testing.T) {
	seen := map[byte]bool{}
	for i := range 1000 {
		m := Life(schema.Incarnation(1 + i))
		if strings.IndexByte(marks, m) < 0 {
			t.Fatalf("%q", m)
		}
		seen[m] = true
	}
	if len(seen) != len(marks) {
		t.Errorf("%d marks of %d are used", len(seen), len(marks))
	}
}
