package say_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"branchline/schema/look"
	"branchline/schema/look/say"
)

func TestCapital(t *testing.T) {
	for minor, want := range map[int64]string{
		0: "零元整", 1: "壹分", 10: "壹角整", 11: "壹角壹分", 100: "壹元整", 105: "壹元零伍分", 128_050: "壹仟贰佰捌拾元伍角整",
		168_032: "壹仟陆佰捌拾元叁角贰分", 1_004_09: "壹仟零肆元零玖分", 10_000_00: "壹万元整", 100_500_00: "壹拾万零伍佰元整",
		107_000_53: "壹拾万柒仟元伍角叁分", 100_005_000_00: "壹亿零伍仟元整", 6_007_014_00: "陆佰万柒仟零壹拾肆元整",
		999_999_999_999_99: "玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分", 1e14: "", -1: "",
	} {
		if got := say.Capital(look.ZhCN, minor); got != want {
			t.Errorf("%d is %q, want %q", minor, got, want)
		}
	}
	if got := say.Capital(look.ZhTW, 23_600_12); got != "貳萬參仟陸佰元壹角貳分" {
		t.Errorf("in zh-TW %q", got)
	}
	if got := say.Capital(look.En, 100); got != "" {
		t.Errorf("in en %q", got)
	}
}

// What is written is the amount, and no other's.
func TestCapital_readsBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		minor := rapid.Int64Range(0, 1e14-1).Draw(rt, "minor")
		text := say.Capital(look.ZhCN, minor)
		if got := amountOf(text); got != minor {
			rt.Fatalf("%s reads as %d, want %d", text, got, minor)
		}
		if strings.Contains(text, "零零") || strings.Contains(text, "零元") && minor >= 100 {
			rt.Fatalf("%d is %s", minor, text)
		}
	})
}

func amountOf(text string) int64 {
	var total, group, digit int64
	for _, c := range strings.TrimSuffix(text, "整") {
		switch c {
		case '拾', '佰', '仟':
			group += digit * map[rune]int64{'拾': 10, '佰': 100, '仟': 1000}[c]
			digit = 0
		case '万', '亿':
			total += (group + digit) * map[rune]int64{'万': 1e6, '亿': 1e10}[c]
			group, digit = 0, 0
		case '元':
			total += (group + digit) * 100
			group, digit = 0, 0
		case '角':
			total += digit * 10
			digit = 0
		case '分':
			total += digit
			digit = 0
		default:
			digit = int64(strings.IndexRune("零壹贰叁肆伍陆柒捌玖", c) / len("零"))
		}
	}
	return total
}
