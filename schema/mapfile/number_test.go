package mapfile

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseDecimal_Table(t *testing.T) {
	for _, c := range []struct {
		in, format string
		money      bool
		want       string // "" = refused
	}{
		{"1,234.56", "", false, "1234.56"},
		{"1234", "", false, "1234"},
		{"１，２３４．５", "", false, "1234.5"},
		{"1.234,56", "1.234,56", false, "1234.56"},
		{"1 234,56", "1 234,56", false, "1234.56"},
		{"1\u202f234,5", "1 234,56", false, "1234.5"},
		{"1,07,905", "", false, "107905"},
		{"¥1,000.10", "", true, "1000.1"},
		{"￥ 12", "", true, "12"},
		{"-¥5", "", true, "-5"},
		{"¥-5", "", true, "-5"},
		{"(5.00)", "", true, "-5"},
		{"（5.00元）", "", true, "-5"},
		{"5.00-", "", true, "-5"},
		{"12元", "", true, "12"},
		{"rmb 7", "", true, "7"},
		{".5", "", false, "0.5"},
		{"5.", "", false, "5"},
		{"007", "", false, "7"},
		{"−3", "", false, "-3"},
		{"¥5", "", false, ""},
		{"1,23", "", false, ""},
		{"1,2345", "", false, ""},
		{",123", "", false, ""},
		{"1.2.3", "", false, ""},
		{"1.234,56", "", false, ""},
		{"", "", false, ""},
		{"-", "", false, ""},
		{".", "", false, ""},
		{"¥", "", true, ""},
		{"+-5", "", false, ""},
		{"1e3", "", false, ""},
		{"0x10", "", false, ""},
		{"12abc", "", false, ""},
		{"99999999999999999999", "", false, ""},
		{"0.1234567891", "", false, ""},
		{"٣", "", false, ""},
	} {
		sp, err := spellingOf(c.format)
		if err != nil {
			t.Fatal(err)
		}
		d, err := parseDecimal(c.in, sp, c.money)
		got := ""
		if err == nil {
			got = d.String()
		}
		if got != c.want {
			t.Errorf("%q as %q: got %q (%v), want %q", c.in, c.format, got, err, c.want)
		}
	}
}

func TestDecimal_Laws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cents := func(name string) int64 { return rapid.Int64Range(-1e12, 1e12).Draw(t, name) }
		a, b := cents("a"), cents("b")
		x, y := decimal{a, 2}, decimal{b, 2}
		for _, d := range []decimal{x, y} {
			back, err := parseDecimal(d.String(), plainSpelling, true)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := back.whole(2); err != nil || n != d.v {
				t.Fatalf("%s came back as %d, %v", d, n, err)
			}
		}
		s, err := x.add(y)
		if err != nil || s.v != a+b {
			t.Fatalf("%s + %s = %s, %v", x, y, s, err)
		}
	})
}

func TestDecimal_Overflow(t *testing.T) {
	big := decimal{1 << 62, 0}
	if _, err := big.add(big); err == nil {
		t.Error("a sum ran over")
	}
	if _, err := big.whole(2); err == nil {
		t.Error("minor units ran over")
	}
	if n, err := (decimal{1005, 3}).whole(2); err == nil {
		t.Errorf("1.005 became %d cents", n)
	}
}

func TestParseHours(t *testing.T) {
	for in, want := range map[string]int64{
		"1.5": 90, "1.5h": 90, "1:30": 90, "90min": 90, "0.1": 6, "2小时": 120, "0.01": 1, "0.025": 2, "0.075": 4, "0": 0,
		"1:60": -1, "h": -1, "1,5": -1, "1.5min": -1, "-1:30": -1, "1:5": -1,
	} {
		got, err := parseHours(in, plainSpelling)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d minutes (%v), want %d", in, got, err, want)
		}
	}
}

func TestParseInstant(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ in, format, want string }{
		{"2024-01-02", "", "2024-01-02T00:00:00+08:00"},
		{"2024/1/2 3:04", "", "2024-01-02T03:04:00+08:00"},
		{"2024年1月2日", "", "2024-01-02T00:00:00+08:00"},
		{"２０２４-01-02", "", "2024-01-02T00:00:00+08:00"},
		{"20240102", "", "2024-01-02T00:00:00+08:00"},
		{"2024-01-02T03:04:05Z", "", "2024-01-02T11:04:05+08:00"},
		{"01-02-2024", "01-02-2006", "2024-01-02T00:00:00+08:00"},
		{"1704164645", "unix", "2024-01-02T11:04:05+08:00"},
		{"01/02/2024", "", ""},
		{"2024-02-30", "", ""},
		{"2024-1-2", "01-02-2006", ""},
		{"0001-01-01", "", ""},
		{"9999-12-31", "", ""},
		{"99999999999999999999", "unix", ""},
	} {
		at, err := parseInstant(c.in, c.format, zone)
		got := ""
		if err == nil {
			got = at.Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%q as %q: got %q (%v), want %q", c.in, c.format, got, err, c.want)
		}
	}
}

// What a branch took, no other branch may take after an upgrade.
func TestPartOf_Fixed(t *testing.T) {
	for v, want := range map[string]int{"13-13992/309484": 2, "13-14819/243038": 2, "11-46466/119152": 1, "": 1} {
		if got := partOf(" "+v+" ", 3); got != want {
			t.Errorf("%q falls into %s, not %d", v, strconv.Itoa(got), want)
		}
	}
}
