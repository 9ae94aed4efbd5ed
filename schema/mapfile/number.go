package mapfile

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"branchline/schema/han"
)

// spelling is how a number is written. A decimal point is one of its characters only where the
// spelling says so, never by guessing: 1.234 and 1,234 differ by a factor of a thousand.
type spelling struct{ group, point string }

var plainSpelling = spelling{",", "."}

func spellingOf(format string) (spelling, error) {
	switch format {
	case "", "1,234.56":
		return plainSpelling, nil
	case "1.234,56":
		return spelling{".", ","}, nil
	case "1 234,56":
		return spelling{" ", ","}, nil
	case "1 234.56":
		return spelling{" ", "."}, nil
	case "1'234.56":
		return spelling{"'", "."}, nil
	}
	return spelling{}, fmt.Errorf("format %q is none of 1,234.56  1.234,56  1 234,56  1 234.56  1'234.56", format)
}

// decimal is v divided by ten to the power of scale, exactly.
type decimal struct {
	v     int64
	scale int
}

const maxScale = 9

var errBig = errors.New("is too large a number")

func pow10(n int) int64 {
	p := int64(1)
	for range n {
		p *= 10
	}
	return p
}

func (d decimal) to(scale int) (decimal, error) {
	if scale < d.scale {
		return d, nil
	}
	p := pow10(scale - d.scale)
	if d.v > math.MaxInt64/p || d.v < math.MinInt64/p {
		return d, errBig
	}
	return decimal{d.v * p, scale}, nil
}

func (d decimal) add(e decimal) (decimal, error) {
	s := max(d.scale, e.scale)
	a, err1 := d.to(s)
	b, err2 := e.to(s)
	if err1 != nil || err2 != nil {
		return d, errBig
	}
	sum := a.v + b.v
	if (sum > a.v) != (b.v > 0) && b.v != 0 {
		return d, errBig
	}
	return decimal{sum, s}, nil
}

func (d decimal) neg() decimal { return decimal{-d.v, d.scale} }

// whole is d times ten to the power of scale, if that is a whole number.
func (d decimal) whole(scale int) (int64, error) {
	for d.scale > scale && d.v%10 == 0 {
		d.v, d.scale = d.v/10, d.scale-1
	}
	if d.scale > scale {
		if scale == 0 {
			return 0, errors.New("is not a whole number")
		}
		return 0, fmt.Errorf("has more than %d decimals", scale)
	}
	e, err := d.to(scale)
	return e.v, err
}

func (d decimal) String() string {
	s := strconv.FormatInt(d.v, 10)
	if d.scale == 0 {
		return s
	}
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	if n := d.scale + 1 - len(s); n > 0 {
		s = strings.Repeat("0", n) + s
	}
	return sign + s[:len(s)-d.scale] + "." + s[len(s)-d.scale:]
}

var moneySigns = []string{"HK$", "US$", "NT$", "CNY", "RMB", "USD", "EUR", "HKD", "TWD", "GBP", "人民币", "元", "圆", "¥", "$", "€", "£", "￥"}

// parseDecimal reads one number: full-width digits, groups of three, a leading or trailing sign,
// brackets for a negative one, and for money a currency's sign or code on either side.
func parseDecimal(text string, sp spelling, money bool) (decimal, error) {
	s := halfWidth(text)
	neg := false
	if n := len(s); n > 1 && s[0] == '(' && s[n-1] == ')' {
		neg, s = true, strings.TrimSpace(s[1:n-1])
	}
	if money {
		s = unsigned(s)
	}
	signs := 0
	for _, sign := range []string{"-", "+"} {
		if t, ok := strings.CutPrefix(s, sign); ok {
			neg, s, signs = neg != (sign == "-"), t, signs+1
		}
	}
	if t, ok := strings.CutSuffix(s, "-"); ok {
		neg, s, signs = !neg, t, signs+1
	}
	if signs > 1 {
		return decimal{}, errors.New("is not a number: it has two signs")
	}
	if s = strings.TrimSpace(s); money {
		s = unsigned(s)
	}
	whole, frac, hasPoint := strings.Cut(s, sp.point)
	if whole == "" && frac == "" {
		return decimal{}, errors.New("is not a number")
	}
	digits, err := ungroup(whole, sp.group)
	if err != nil {
		return decimal{}, err
	}
	if hasPoint && !allDigits(frac) {
		return decimal{}, errors.New("is not a number")
	}
	frac = strings.TrimRight(frac, "0")
	if len(frac) > maxScale {
		return decimal{}, fmt.Errorf("has more than %d decimals", maxScale)
	}
	v, err := strconv.ParseInt("0"+digits+frac, 10, 64)
	if err != nil {
		return decimal{}, errBig
	}
	if neg {
		v = -v
	}
	return decimal{v, len(frac)}, nil
}

func unsigned(s string) string {
	for _, c := range moneySigns {
		if len(s) >= len(c) && strings.EqualFold(s[:len(c)], c) {
			s = strings.TrimSpace(s[len(c):])
			break
		}
	}
	for _, c := range moneySigns {
		if n := len(s) - len(c); n >= 0 && strings.EqualFold(s[n:], c) {
			s = strings.TrimSpace(s[:n])
			break
		}
	}
	return s
}

// ungroup takes group marks out where the last group has three digits and those before it two or
// three (1,07,905 is written so in India). A mark anywhere else may be a decimal point.
func ungroup(s, group string) (string, error) {
	parts := strings.Split(s, group)
	last := len(parts) - 1
	for i, p := range parts {
		n := len(p)
		switch {
		case !allDigits(p):
			return "", errors.New("is not a number")
		case last == 0:
		case i == last && n != 3, i == 0 && (n < 1 || n > 3), i > 0 && i < last && n != 2 && n != 3:
			return "", fmt.Errorf("is doubtful: %q stands where no thousands are parted", group)
		}
	}
	return strings.Join(parts, ""), nil
}

func allDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// halfWidth makes full-width characters and the odd spaces and minus signs of other programs plain.
func halfWidth(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch r {
		case '\u00a0', '\u2007', '\u2009', '\u202f', '\u3000':
			return ' '
		case '−', '–', '－', '﹣':
			return '-'
		case '’':
			return '\''
		}
		return han.Half(r)
	}, s))
}

// parseHours reads 1.5, 1.5h, 1:30 or 90min as minutes.
func parseHours(text string, sp spelling) (int64, error) {
	s := strings.ToLower(halfWidth(text))
	if h, m, ok := strings.Cut(s, ":"); ok {
		hh, err1 := strconv.ParseInt(h, 10, 32)
		mm, err2 := strconv.ParseInt(m, 10, 32)
		if err1 != nil || err2 != nil || len(m) != 2 || hh < 0 || mm < 0 || mm > 59 {
			return 0, errors.New("is no time of work: 1:30 or 1.5")
		}
		return hh*60 + mm, nil
	}
	if t, ok := cutUnit(s, "min", "分钟", "分"); ok {
		d, err := parseDecimal(t, sp, false)
		if err != nil {
			return 0, err
		}
		return d.whole(0)
	}
	s, _ = cutUnit(s, "hours", "hrs", "h", "小时", "工时", "时")
	d, err := parseDecimal(s, sp, false)
	if err != nil {
		return 0, err
	}
	return d.times60()
}

// times60 is sixty times d, rounded half to even: billed tenths and hundredths of an hour are whole
// minutes only in part.
func (d decimal) times60() (int64, error) {
	if d.v > math.MaxInt64/60 || d.v < math.MinInt64/60 {
		return 0, errBig
	}
	p, v := pow10(d.scale), d.v*60
	q, rest := v/p, v%p
	if rest < 0 {
		q, rest = q-1, rest+p
	}
	if 2*rest > p || 2*rest == p && q%2 != 0 {
		q++
	}
	return q, nil
}

func cutUnit(s string, units ...string) (string, bool) {
	for _, u := range units {
		if t, ok := strings.CutSuffix(s, u); ok {
			return strings.TrimSpace(t), true
		}
	}
	return s, false
}

var (
	truths = []string{"true", "t", "yes", "y", "1", "on", "是", "有", "对", "√", "✓", "真"}
	lies   = []string{"false", "f", "no", "n", "0", "off", "否", "无", "不", "×", "假"}
)

func parseBool(text string) (bool, error) {
	s := strings.ToLower(halfWidth(text))
	switch {
	case slices.Contains(truths, s):
		return true, nil
	case slices.Contains(lies, s):
		return false, nil
	}
	return false, errors.New("is neither yes nor no")
}

var dayLayouts = []string{"2006-1-2", "2006/1/2", "2006.1.2", "20060102", "2006年1月2日"}

var timeLayouts = []string{" 15:04:05", " 15:04", "T15:04:05", "T15:04", ""}

// parseInstant reads a moment. Without a format only spellings with the year first are taken:
// 03/04/2026 is two different days.
func parseInstant(text, format string, zone *time.Location) (time.Time, error) {
	s := halfWidth(text)
	t, err := instantOf(s, format, zone)
	if err != nil {
		if format != "" {
			return t, fmt.Errorf("is not written as %s", format)
		}
		return t, errors.New("is no date that can be read one way only: say format in the map")
	}
	if y := t.Year(); y < 1900 || y > 2200 {
		return t, fmt.Errorf("is in the year %d", y)
	}
	return t, nil
}

func instantOf(s, format string, zone *time.Location) (time.Time, error) {
	switch format {
	case "unix", "unixms":
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return time.Time{}, err
		}
		if format == "unix" {
			return time.Unix(n, 0).In(zone), nil
		}
		return time.UnixMilli(n).In(zone), nil
	case "":
	default:
		return time.ParseInLocation(format, s, zone)
	}
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.In(zone), nil
	}
	for _, d := range dayLayouts {
		for _, l := range timeLayouts {
			if t, err := time.ParseInLocation(d+l, s, zone); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, errors.New("no layout fits")
}
