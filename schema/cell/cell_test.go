package cell_test

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"branchline/schema/cell"
)

func TestSafe_NoFormula(t *testing.T) {
	for in, want := range map[string]string{
		"":                   "",
		"浦东店":                "浦东店",
		"-12.50":             "-12.50",
		"+86":                "+86",
		"=1+1":               "'=1+1",
		"+cmd|' /C calc'!A0": "'+cmd|' /C calc'!A0",
		"-2+3":               "'-2+3",
		"@SUM(A1)":           "'@SUM(A1)",
		"\t=1":               "'\t=1",
		"\n=1":               "'\n=1",
		"＝HYPERLINK(\"x\")":  "'＝HYPERLINK(\"x\")",
		"a=1":                "a=1",
		"\u00e9=cmd|'/c'!A1": "\u00e9=cmd|'/c'!A1",
	} {
		if got := cell.Safe(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestSafe_KeepsTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.String().Draw(t, "text")
		got := cell.Safe(in)
		if strings.TrimPrefix(got, "'") != strings.TrimPrefix(in, "'") {
			t.Fatalf("%q became %q", in, got)
		}
		if _, err := strconv.ParseFloat(in, 64); err != nil && got != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(got)[0]) {
			t.Fatalf("%q still begins a formula: %q", in, got)
		}
	})
}
