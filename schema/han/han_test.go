package han_test

import (
	"testing"
	"unicode/utf8"

	"branchline/schema/han"
	"pgregory.net/rapid"
)

func TestFold_Table(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"   ", ""},
		{"Wang Chun", "wang chun"},
		{"  Wang \t Chun ", "wang chun"},
		{"邱　月", "邱 月"},
		{"李  艳燕", "李 艳燕"},
		{"ＡＢ１２　ｘ", "ab12 x"},
		{"孫文蘭", "孙文兰"},
		{"蔣軍偉", "蒋军伟"},
		{"陳鵬勇", "陈鹏勇"},
		{"葉劉淑儀", "叶刘淑仪"},
		{"蕭", "萧"}, // the simplified 肖 is another surname
		{"閻", "阎"},
		{"範", "范"},
		{"范余姜沈于", "范余姜沈于"}, // simplified stays simplified
		{"鍾", "钟"},
		{"臺灣", "台湾"},
		{"中东汽车租赁（北京）有限责任公司", "中东汽车租赁(北京)有限责任公司"},
		{"买买提•艾力", "买买提·艾力"},
		{"买买提・艾力", "买买提·艾力"},
		{"Peng–Yong", "peng-yong"},
		{"王\u200b伟\ufeff", "王伟"},
		{"ｱ", "ア"},             // half-width kana are compatibility forms
		{"\uf90a", "金"},        // compatibility ideograph
		{"㈱", "(株)"},           // and a sign that opens into several
		{"José", "josé"},       // composed
		{"Jose\u0301", "josé"}, // decomposed
		{"鋐", "𬭎"},             // simplified form beyond 16 bits
	} {
		if got := han.Fold(c.in); got != c.want {
			t.Errorf("Fold(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestFold_FoldedIsReturnedWithoutCopy(t *testing.T) {
	for _, s := range []string{"wang chun", "陈艳薇", "沪a8k362"} {
		if n := testing.AllocsPerRun(100, func() { han.Fold(s) }); n != 0 {
			t.Errorf("Fold(%q) allocates %v times", s, n)
		}
	}
}

func TestFold_Laws(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringOfN(rapid.RuneFrom([]rune("陳艷薇ＡＢ　 ·•王áİK㈱ﬁ\u200b\ufe0f-—鋐乾")), 0, 12, -1))
	rapid.Check(t, func(t *rapid.T) {
		s := text.Draw(t, "s")
		f := han.Fold(s)
		if again := han.Fold(f); again != f {
			t.Fatalf("Fold is not idempotent: %q, then %q, then %q", s, f, again)
		}
		if !utf8.ValidString(f) {
			t.Fatalf("Fold(%q) = %q is no text", s, f)
		}
		if n := han.NameKey(f); n != han.NameKey(han.Fold(f)) {
			t.Fatalf("NameKey(%q) changes with folding", f)
		}
	})
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"陳艷薇", "Ｗang　Chun", "a\u0301\u200b", "İ", "㈱", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := han.Fold(s)
		if twice := han.Fold(once); twice != once {
			t.Errorf("Fold(%q) = %q, folded again %q", s, once, twice)
		}
		han.NameKey(s)
		han.SearchForms(s)
		han.SplitName(s)
	})
}

func BenchmarkFold(b *testing.B) {
	for name, s := range map[string]string{
		"ascii":       "Alexander Clark",
		"folded":      "陈艳薇",
		"traditional": "陳艷薇",
		"company":     "上海安康汽車租賃股份有限公司",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				han.Fold(s)
			}
		})
	}
}
