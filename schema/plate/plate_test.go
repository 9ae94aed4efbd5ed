package plate_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"branchline/schema/plate"
	"branchline/schema/sample"
)

func TestFold_Table(t *testing.T) {
	for in, want := range map[string]string{
		"":           "",
		"沪A8K362":    "沪A8K362",
		"沪A·8K362":   "沪A8K362",
		"沪 a-8k362":  "沪A8K362",
		"滬Ａ８Ｋ３６２":    "沪A8K362",
		"粵Z·1234港":   "粤Z1234港",
		"沪A•D12345 ": "沪AD12345",
		"沪A—8K362":   "沪A8K362",
		"京A1234學":    "京A1234学",
		"DB 6705":    "DB6705",
	} {
		if got := plate.Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestParse_Table(t *testing.T) {
	const (
		io  = plate.LetterIO
		np  = plate.NoProvince
		wl  = plate.WrongLength
		bne = plate.BadNewEnergy
	)
	for _, c := range []struct {
		in         string
		kind       plate.Kind
		warnings   []plate.Code
		suggestion string
		format     string
		key        string
	}{
		{"", "", nil, "", "", ""},
		{"沪A8K362", plate.Ordinary, nil, "", "沪A·8K362", "沪A8K362"},
		{"新a-12345", plate.Ordinary, nil, "", "新A·12345", "新A12345"},
		{"粤BABCDE", plate.Ordinary, nil, "", "粤B·ABCDE", "粤BABCDE"},
		// New energy, small: each of the ten letters, then a letter or digit.
		{"沪AD12345", plate.NewEnergySmall, nil, "", "沪AD·12345", "沪AD12345"},
		{"沪AKF1234", plate.NewEnergySmall, nil, "", "沪AK·F1234", "沪AKF1234"},
		{"京AA12345", plate.NewEnergySmall, nil, "", "京AA·12345", "京AA12345"},
		{"京AH12345", plate.NewEnergySmall, nil, "", "京AH·12345", "京AH12345"},
		// New energy, large: the letter at the end.
		{"沪A12345D", plate.NewEnergyLarge, nil, "", "沪A·12345D", "沪A12345D"},
		{"沪A12345J", plate.NewEnergyLarge, nil, "", "沪A·12345J", "沪A12345J"},
		// Eight places that are neither.
		{"沪AL12345", plate.Unknown, []plate.Code{bne}, "", "沪AL12345", "沪AL12345"},
		{"沪ADFF234", plate.Unknown, []plate.Code{bne}, "", "沪ADFF234", "沪ADFF234"},
		{"沪A12345L", plate.Unknown, []plate.Code{bne}, "", "沪A12345L", "沪A12345L"},
		{"沪A123D45", plate.Unknown, []plate.Code{bne}, "", "沪A123D45", "沪A123D45"},
		// Endings.
		{"沪A1234挂", plate.Trailer, nil, "", "沪A·1234挂", "沪A1234挂"},
		{"京A1234学", plate.Learner, nil, "", "京A·1234学", "京A1234学"},
		{"京A1234警", plate.Police, nil, "", "京A·1234警", "京A1234警"},
		{"粤Z1234港", plate.CrossBorder, nil, "", "粤Z·1234港", "粤Z1234港"},
		{"粤ZB12C澳", plate.CrossBorder, nil, "", "粤Z·B12C澳", "粤ZB12C澳"},
		{"京A1234港", plate.CrossBorder, []plate.Code{plate.UnknownForm}, "", "京A·1234港", "京A1234港"},
		{"沪A0023领", plate.Consulate, nil, "", "沪A·0023领", "沪A0023领"},
		{"使224578", plate.Embassy, nil, "", "使224·578", "使224578"},
		{"224578使", plate.Embassy, nil, "", "使224·578", "使224578"},
		{"沪A12345学", plate.Learner, []plate.Code{wl}, "", "沪A·12345学", ""},
		// I and O.
		{"粤BJK4I7", plate.Ordinary, []plate.Code{io}, "粤BJK417", "粤B·JK4I7", "粤BJK417"},
		{"川ANQ69I", plate.Ordinary, []plate.Code{io}, "川ANQ691", "川A·NQ69I", "川ANQ691"},
		{"沪ADO2345", plate.NewEnergySmall, []plate.Code{io}, "沪AD02345", "沪AD·O2345", "沪AD02345"},
		{"京O12345", plate.Unknown, []plate.Code{plate.BadAuthority}, "", "京O12345", ""},
		// The province left out, or another character.
		{"A8K362", plate.Partial, []plate.Code{np}, "", "A·8K362", ""},
		{"QF11132", plate.Partial, []plate.Code{np}, "", "QF·11132", ""},
		{"港A12345", plate.Unknown, []plate.Code{plate.BadProvince}, "", "港A12345", ""},
		{"AA12345", plate.Partial, []plate.Code{np}, "", "AA·12345", ""},
		// Hong Kong and Macau.
		{"DB 6705", plate.HongKong, nil, "", "DB 6705", "DB6705"},
		{"uy511", plate.HongKong, nil, "", "UY 511", "UY511"},
		{"MA-12-34", plate.Macau, nil, "", "MA 1234", "MA1234"},
		// Anything else.
		{"沪A8K36", plate.Unknown, []plate.Code{wl}, "", "沪A8K36", ""},
		{"沪A8K3627890", plate.Unknown, []plate.Code{wl}, "", "沪A8K3627890", ""},
		{"沪", plate.Unknown, []plate.Code{plate.BadAuthority, wl}, "", "沪", ""},
		{"沪A***62", plate.Unknown, []plate.Code{plate.BadCharacter}, "", "沪A***62", ""},
		{"暂无", plate.Unknown, []plate.Code{plate.BadProvince, plate.BadAuthority, plate.BadCharacter, wl}, "", "暂无", ""},
	} {
		p, rep := plate.Parse(c.in)
		if p.Kind != c.kind || !slices.Equal(rep.Warnings, c.warnings) || rep.Suggestion != c.suggestion {
			t.Errorf("Parse(%q) = %q %v, suggests %q; want %q %v, %q", c.in, p.Kind, rep.Warnings, rep.Suggestion, c.kind, c.warnings, c.suggestion)
		}
		if got := plate.Format(c.in); got != c.format {
			t.Errorf("Format(%q) = %q, want %q", c.in, got, c.format)
		}
		if got := plate.Key(c.in); got != c.key {
			t.Errorf("Key(%q) = %q, want %q", c.in, got, c.key)
		}
	}
}

func TestParse_EveryProvinceAndEnergyLetter(t *testing.T) {
	n := 0
	for _, province := range "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新" {
		n++
		if p, rep := plate.Parse(string(province) + "A12345"); p.Kind != plate.Ordinary || rep.Warnings != nil {
			t.Errorf("%cA12345 is %q %v", province, p.Kind, rep.Warnings)
		}
	}
	if n != 31 {
		t.Errorf("%d provinces", n)
	}
	for r := 'A'; r <= 'Z'; r++ {
		isEnergy := strings.ContainsRune("DABCEFGHJK", r)
		small, _ := plate.Parse("京A" + string(r) + "12345")
		large, _ := plate.Parse("京A12345" + string(r))
		if (small.Kind == plate.NewEnergySmall) != isEnergy || (large.Kind == plate.NewEnergyLarge) != isEnergy {
			t.Errorf("%c: small %q, large %q", r, small.Kind, large.Kind)
		}
		if pure := strings.ContainsRune("DABCE", r); small.Electric() != pure || large.Electric() != pure {
			t.Errorf("%c: electric %v, %v; want %v", r, small.Electric(), large.Electric(), pure)
		}
		if p, rep := plate.Parse("京" + string(r) + "12345"); rep.Has(plate.BadAuthority) != (r == 'I' || r == 'O') {
			t.Errorf("authority %c: %q %v", r, p.Kind, rep.Warnings)
		}
	}
}

func TestSearchForms_FoundByWhatIsTyped(t *testing.T) {
	for _, typed := range []string{"沪A8K", "滬a·8k362", "a8k3", "8K362", "8k36"} {
		q := plate.QueryForm(typed)
		if !slices.ContainsFunc(plate.SearchForms("沪A·8K362"), func(f string) bool { return strings.HasPrefix(f, q) }) {
			t.Errorf("not found by %q", typed)
		}
	}
	if !slices.Contains(plate.SearchForms("粤BJK4I7"), plate.QueryForm("jk417")) {
		t.Error("1 does not find I")
	}
	if got := plate.SearchForms(" "); got != nil {
		t.Errorf("SearchForms of nothing = %v", got)
	}
}

func TestPlate_IsNotPrintedWhole(t *testing.T) {
	p, _ := plate.Parse("沪A8K362")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "plate", p)
	for _, out := range []string{log.String(), fmt.Sprint(p), fmt.Sprintf("%v %+v %s", p, p, p)} {
		if strings.Contains(out, "8K3") {
			t.Errorf("the plate is shown: %s", out)
		}
	}
	if p.Text() != "沪A8K362" {
		t.Errorf("Text = %s", p.Text())
	}
}

func TestKey_Laws(t *testing.T) {
	text := rapid.StringOfN(rapid.RuneFrom([]rune("京沪滬粤使领学ABDIOZaｄ0159０１· -")), 0, 10, -1)
	rapid.Check(t, func(t *rapid.T) {
		s := text.Draw(t, "s")
		laws(t, s)
	})
}

type failer interface{ Errorf(string, ...any) }

func laws(t failer, s string) {
	f := plate.Fold(s)
	if again := plate.Fold(f); again != f {
		t.Errorf("Fold(%q) = %q, folded again %q", s, f, again)
	}
	key := plate.Key(s)
	if plate.Key(f) != key || key != "" && plate.Key(key) != key {
		t.Errorf("Key(%q) = %q is not stable", s, key)
	}
	if p, _ := plate.Parse(s); p.Kind != plate.Embassy && p.Text() != f {
		t.Errorf("Parse(%q) loses characters: %q", s, p.Text())
	}
	if format := plate.Format(s); plate.Key(format) != key || plate.Format(format) != format {
		t.Errorf("Format(%q) = %q, of which the key is %q, want %q", s, format, plate.Key(format), key)
	}
	_, rep := plate.Parse(s)
	if rep.Suggestion != "" {
		if _, again := plate.Parse(rep.Suggestion); again.Has(plate.LetterIO) || again.Suggestion != "" {
			t.Errorf("Parse(%q) suggests %q", s, rep.Suggestion)
		}
	}
	plate.SearchForms(s)
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"沪A·8K362", "粵z1234港", "使224578", "DB 6705", "\xff", "沪A1234应急"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { laws(t, s) })
}

func TestParse_Sample(t *testing.T) {
	count := map[plate.Kind]int{}
	suggested := 0
	for _, row := range sample.Registrations(t) {
		s := row["plate"]
		p, rep := plate.Parse(s)
		count[p.Kind]++
		if rep.Suggestion != "" {
			suggested++
		}
		if strings.ContainsAny(s, "京沪粤川浙") && plate.Key(s) == "" {
			t.Errorf("%q has no key: %q %v", s, p.Kind, rep.Warnings)
		}
	}
	// What the file holds; a change here is a change of the rules.
	want := map[plate.Kind]int{"": 257, plate.Ordinary: 328, plate.NewEnergySmall: 106, plate.Partial: 20, plate.HongKong: 38, plate.Macau: 1}
	if !maps.Equal(count, want) || suggested != 4 {
		t.Errorf("the sample counts %v, %d suggestions; want %v, 4", count, suggested, want)
	}
}

func BenchmarkFold(b *testing.B) {
	for name, s := range map[string]string{"folded": "沪A8K362", "raw": "滬A·8k362"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plate.Fold(s)
			}
		})
	}
}
