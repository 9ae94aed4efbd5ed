package say

import (
	"strings"

	"branchline/schema/look"
)

// Capital writes an amount of yuan (minor units) in the capital figures that Chinese papers bear beside the digits, so
// that no stroke can be added: 128,050 is 壹仟贰佰捌拾元伍角整. One 零 stands for a run of noughts before a figure of the same
// or the next group of four, none for those a group ends with; 整 follows where there is no fen. "" in a language that has
// no such figures, below zero, and from 10^12 yuan on.
func Capital(lang look.Lang, minor int64) string {
	var digits, groups []string
	switch lang {
	case look.ZhCN:
		digits, groups = strings.Split("零壹贰叁肆伍陆柒捌玖", ""), []string{"", "万", "亿"}
	case look.ZhTW:
		digits, groups = strings.Split("零壹貳參肆伍陸柒捌玖", ""), []string{"", "萬", "億"}
	}
	yuan, jiao, fen := minor/100, minor/10%10, minor%10
	if digits == nil || minor < 0 || yuan >= 1e12 {
		return ""
	}
	var out strings.Builder
	nought := false // noughts stand before the next figure
	for g, size := 2, int64(1e8); g >= 0; g, size = g-1, size/1e4 {
		part := yuan / size % 1e4
		if part == 0 {
			nought = nought || out.Len() > 0
			continue
		}
		for u, place := 3, int64(1000); u >= 0; u, place = u-1, place/10 {
			d := part / place % 10
			if d == 0 {
				nought = nought || out.Len() > 0
				continue
			}
			if nought {
				out.WriteString(digits[0])
				nought = false
			}
			out.WriteString(digits[d] + [...]string{"", "拾", "佰", "仟"}[u])
		}
		nought = false
		out.WriteString(groups[g])
	}
	switch {
	case minor == 0:
		return digits[0] + "元整"
	case yuan > 0:
		out.WriteString("元")
		if jiao == 0 && fen > 0 {
			out.WriteString(digits[0])
		}
	}
	if jiao > 0 {
		out.WriteString(digits[jiao] + "角")
	}
	if fen == 0 {
		return out.String() + "整"
	}
	return out.String() + digits[fen] + "分"
}
