package vin_test

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"branchline/schema/sample"
	"branchline/schema/vin"
)

func TestFold_Table(t *testing.T) {
	for in, want := range map[string]string{
		"":                      "",
		"LHGT8G0J0MW636370":     "LHGT8G0J0MW636370",
		"lhgt8g0j0mw636370":     "LHGT8G0J0MW636370",
		"LGXZBKJ1 1LC927714":    "LGXZBKJ11LC927714",
		" WAU-ZZZ·8K1 DA006278": "WAUZZZ8K1DA006278",
		"ＬＨＧＴ８Ｇ０Ｊ０ＭＷ６３６３７０": "LHGT8G0J0MW636370",
		"ｌｈｇｔ　8":            "LHGT8",
		"LHG***0J0MW636370": "LHG***0J0MW636370",
	} {
		if got := vin.Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

// The numbers are real ones from public issue threads, and those of real cars that
// do not pass.
func TestCheckDigit_KnownNumbers(t *testing.T) {
	for _, c := range []struct {
		vin    string
		digit  byte
		passes bool
		asks   bool
	}{
		{"WAUZZZ8K1DA006278", '1', true, false},
		{"1XPBDK9X1LD708195", '1', true, false},
		{"5YJ3E1EAXHF000316", 'X', true, false},
		{"2G1WB5E37E1110567", '7', true, false},
		{"WBA71DC010CH14720", '1', true, false},
		{"WVGZZZ5NZJM131395", 0, false, false},
		{"WVGZZZ5NZEW069297", 0, false, false},
		{"WF0KXXGCBKBJ13223", 0, false, false},
		{"YV1MC5851CJ126651", '2', false, false},
		{"W1V44770513858498", '0', false, false},
		{"11111111111111111", '1', true, true}, // passes the sum, yet is no car
		{"2G1WB5E38E1110567", '7', false, true},
		{"LHGT8G0J1MW636370", '0', false, true},
	} {
		got, ok := vin.CheckDigit(c.vin)
		if !ok || c.digit != 0 && got != c.digit || (got == c.vin[8]) != c.passes {
			t.Errorf("CheckDigit(%s) = %c, %v; want %c, passes %v", c.vin, got, ok, c.digit, c.passes)
		}
		rep := vin.Check(c.vin)
		if rep.Has(vin.CheckDigitBad) == c.passes {
			t.Errorf("Check(%s) warns of the check digit: %v, want %v", c.vin, !c.passes, c.passes)
		}
		if rep.Ask() != c.asks || rep.Checked() == c.asks {
			t.Errorf("Check(%s) asks %v, checked %v; want asks %v: %v", c.vin, rep.Ask(), rep.Checked(), c.asks, rep.Warnings)
		}
	}
	for _, s := range []string{"", "WAUZZZ8K1DA00627", "WAUZZZ8K1DA0062788", "WAUZZZ8K1DAO06278", "WAUZZZ8K1DA00627*"} {
		if d, ok := vin.CheckDigit(s); ok {
			t.Errorf("CheckDigit(%q) = %c, want none", s, d)
		}
	}
}

func TestCheck_Warnings(t *testing.T) {
	for _, c := range []struct {
		in         string
		codes      []vin.Code
		suggestion string
	}{
		{"", nil, ""},
		{"2G1WB5E37E1110567", nil, ""},
		{"TU942585", []vin.Code{vin.WrongLength}, ""},
		{"11111111111111111", []vin.Code{vin.SameCharacter}, ""},
		{"1111", []vin.Code{vin.WrongLength}, ""},
		{"2GIWB5E37EIII0567", []vin.Code{vin.LetterIOQ}, "2G1WB5E37E1110567"},
		{"2g1wb5e37e111o567", []vin.Code{vin.LetterIOQ}, "2G1WB5E37E1110567"},
		{"2GIWB5E38E1110567", []vin.Code{vin.LetterIOQ}, ""}, // the corrected number fails its check digit
		{"WVGZZZ5NZJMI31395", []vin.Code{vin.LetterIOQ}, "WVGZZZ5NZJM131395"},
		{"QQ", []vin.Code{vin.WrongLength, vin.LetterIOQ}, ""},
		{"IIIIIIIIIIIIIIIII", []vin.Code{vin.LetterIOQ, vin.SameCharacter}, ""},
		{"LHG*******W636370", []vin.Code{vin.BadCharacter}, ""},
		{"车架号", []vin.Code{vin.WrongLength, vin.BadCharacter}, ""},
		{"WF0KXXGCBKBJ13223", []vin.Code{vin.CheckDigitBad}, ""},
	} {
		rep := vin.Check(c.in)
		var codes []vin.Code
		for _, w := range rep.Warnings {
			codes = append(codes, w.Code)
		}
		if !slices.Equal(codes, c.codes) || rep.Suggestion != c.suggestion {
			t.Errorf("Check(%q) = %v, suggests %q; want %v, %q", c.in, codes, rep.Suggestion, c.codes, c.suggestion)
		}
	}
	if vin.Check("").Checked() {
		t.Error("no number at all counts as checked")
	}
}

func TestModelYear_Table(t *testing.T) {
	for _, c := range []struct {
		vin      string
		notAfter int
		year     int
		ok       bool
	}{
		{"2G1WB5E37E1110567", 2027, 2014, true},
		{"2G1WB5E37E1110567", 2013, 1984, true},
		{"2G1WB5E37E1110567", 2044, 2044, true},
		{"2G1WB5E37E1110567", 1983, 0, false},
		{"WAUZZZ8K1DA006278", 2027, 2013, true},
		{"1XPBDK9X1LD708195", 2027, 2020, true},
		{"5YJ3E1EAXHF000316", 2027, 2017, true},
		{"WBA71DC010CH14720", 2027, 0, false}, // 0 is no code
		{"WBA71DC01UCH14720", 2027, 0, false},
		{"WBA71DC01ZCH14720", 2027, 0, false},
		{"WBA71DC019CH14720", 2027, 2009, true},
		{"WBA71DC01ACH14720", 2027, 2010, true},
		{"WBA71DC01YCH14720", 2027, 2000, true},
		{"TU942585", 2027, 0, false},
	} {
		if year, ok := vin.ModelYear(c.vin, c.notAfter); year != c.year || ok != c.ok {
			t.Errorf("ModelYear(%s, %d) = %d, %v, want %d, %v", c.vin, c.notAfter, year, ok, c.year, c.ok)
		}
	}
}

func TestWMI_Table(t *testing.T) {
	for in, want := range map[string]string{
		"wauzzz8k1da006278": "WAU",
		"LB9PA123456ABC789": "LB9ABC",
		"LB9PA":             "", // a small maker cannot be told without positions 12 to 14
		"WA":                "",
		"W*U12345678901234": "",
		"":                  "",
	} {
		if got := vin.WMI(in); got != want {
			t.Errorf("WMI(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestKey_Table(t *testing.T) {
	for in, want := range map[string]string{
		"lgxzbkj1 1lc927714": "LGXZBKJ11LC927714",
		"WVGZZZ5NZJM131395":  "WVGZZZ5NZJM131395", // the check digit does not matter for evidence
		"TU942585":           "",
		"LDCRYGSF8NB39I898":  "",
		"11111111111111111":  "",
		"LHG*******W636370":  "",
		"":                   "",
	} {
		if got := vin.Key(in); got != want {
			t.Errorf("Key(%q) = %q, want %q", in, got, want)
		}
	}
	if got := vin.Tail("lgxzbkj1 1lc927714", 8); got != "LC927714" {
		t.Errorf("Tail = %q", got)
	}
	if got := vin.Tail("927714", 8); got != "927714" {
		t.Errorf("Tail of a short one = %q", got)
	}
}

func TestCheckDigit_FindsEverySingleSlip(t *testing.T) {
	const alphabet = "0123456789ABCDEFGHJKLMNPRSTUVWXYZ"
	rapid.Check(t, func(t *rapid.T) {
		v := []byte(rapid.StringOfN(rapid.RuneFrom([]rune(alphabet)), 17, 17, -1).Draw(t, "vin"))
		v[0] = 'L'
		v[8], _ = vin.CheckDigit(string(v))
		if rep := vin.Check(string(v)); rep.Has(vin.CheckDigitBad) {
			t.Fatalf("%s fails with its own check digit", v)
		}
		// A slip between two digits is always found, for no weight is a multiple
		// of 11; two letters may share a value.
		at := rapid.IntRange(1, 16).Filter(func(i int) bool { return i != 8 }).Draw(t, "at")
		from, to := rapid.ByteRange('0', '9').Draw(t, "from"), rapid.ByteRange('0', '9').Draw(t, "to")
		v[at] = from
		v[8], _ = vin.CheckDigit(string(v))
		v[at] = to
		if rep := vin.Check(string(v)); rep.Has(vin.CheckDigitBad) != (from != to) {
			t.Fatalf("%s: %c read for %c at %d, found: %v", v, to, from, at+1, rep.Has(vin.CheckDigitBad))
		}
	})
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"LGXZBKJ1 1LC927714", "ｌｈ·g-8", "\xff", "11111111111111111", "车架号"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v := vin.Fold(s)
		if again := vin.Fold(v); again != v {
			t.Errorf("Fold(%q) = %q, folded again %q", s, v, again)
		}
		rep := vin.Check(s)
		if key := vin.Key(s); key != "" && (len(key) != vin.Length || rep.Has(vin.WrongLength) || rep.Has(vin.LetterIOQ) || rep.Has(vin.BadCharacter) || rep.Has(vin.SameCharacter)) {
			t.Errorf("Key(%q) = %q although %v", s, key, rep.Warnings)
		}
		if rep.Suggestion != "" && vin.Key(rep.Suggestion) == "" {
			t.Errorf("Check(%q) suggests %q", s, rep.Suggestion)
		}
		vin.WMI(s)
		vin.ModelYear(s, 2030)
		vin.Tail(s, 8)
	})
}

// TestCheck_RealRepairs reads a hundred real repairs whose numbers were masked.
func TestCheck_RealRepairs(t *testing.T) {
	rows := sample.Rows(t, "data", "real", "warranty-repairs", "task2.csv")
	distinct := map[string]bool{}
	failing := map[string]bool{}
	passing := 0
	for _, row := range rows {
		v := row["VIN"]
		distinct[vin.Key(v)] = true
		rep := vin.Check(v)
		if !rep.Compulsory || rep.Has(vin.WrongLength) || rep.Has(vin.LetterIOQ) {
			t.Errorf("Check(%s) = %+v", v, rep)
		}
		if rep.Checked() {
			passing++
		} else {
			failing[v] = true
		}
	}
	if len(rows) != 100 || len(distinct) != 98 || distinct[""] || passing != 2 {
		t.Errorf("%d rows, %d distinct numbers, %d pass; want 100, 98, 2", len(rows), len(distinct), passing)
	}
	t.Logf("%d distinct numbers fail their check digit", len(failing))
}

func TestCheck_Sample(t *testing.T) {
	count := map[string]int{}
	for _, row := range sample.Registrations(t) {
		v := row["vin"]
		rep := vin.Check(v)
		switch {
		case v == "":
			count["none"]++
		case rep.Suggestion != "":
			count["suggested"]++
		case vin.Key(v) != "":
			count["key"]++
		case len(vin.Fold(v)) == 8:
			count["tail"]++
		default:
			count["other"]++
			t.Logf("neither whole nor a tail: %s %v", v, rep.Warnings)
		}
	}
	// What the file holds; a change here is a change of the rules.
	if want := map[string]int{"none": 190, "key": 486, "tail": 59, "suggested": 15}; !maps.Equal(count, want) {
		t.Errorf("the sample counts %v, want %v", count, want)
	}
}

func BenchmarkFold(b *testing.B) {
	for name, s := range map[string]string{"folded": "LHGT8G0J0MW636370", "raw": "lhgt8g0j-0mw636370"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				vin.Fold(s)
			}
		})
	}
}
