package look

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/currency"
)

// Num groups a whole number by thousands: 12,345. A negative one gets the minus sign, not a hyphen.
func Num(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	return sign + group(digits)
}

func group(digits string) string {
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// Fixed writes n·10^-places with exactly that many decimals, without passing through a float.
func Fixed(n int64, places int) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	if places <= 0 {
		return sign + group(digits)
	}
	if short := places + 1 - len(digits); short > 0 {
		digits = strings.Repeat("0", short) + digits
	}
	cut := len(digits) - places
	return sign + group(digits[:cut]) + "." + digits[cut:]
}

// Money writes minor units of an ISO 4217 currency with its number of decimals and without a sign, for columns.
func Money(minor int64, code string) string {
	unit, err := currency.ParseISO(code)
	if err != nil {
		return Fixed(minor, 2) + " " + code
	}
	places, _ := currency.Standard.Rounding(unit)
	return Fixed(minor, places)
}

// Cash is Money with its sign or code, for sentences.
func Cash(minor int64, code string) string {
	if code == "CNY" {
		return "¥ " + Money(minor, code)
	}
	if _, err := currency.ParseISO(code); err != nil {
		return Money(minor, code)
	}
	return code + " " + Money(minor, code)
}

// Qty writes thousandths without trailing zeros: 5700 is 5.7.
func Qty(thousandths int64) string {
	s := Fixed(thousandths, 3)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// Day is the day of an instant (unix ms) in the site's zone: 2026-11-21.
func (l *Look) Day(ms int64) string { return l.at(ms).Format(time.DateOnly) }

// Clock is the time of day of an instant (unix ms) in the site's zone: 10:40.
func (l *Look) Clock(ms int64) string { return l.at(ms).Format("15:04") }

// When is as much of an instant as a reader at now needs: the clock today, day and clock this year, else the date.
func (l *Look) When(lang Lang, now, ms int64) string {
	t, n := l.at(ms), l.at(now)
	switch {
	case t.Year() == n.Year() && t.YearDay() == n.YearDay():
		return l.T(lang, "time.today", t.Format("15:04"))
	case t.Year() == n.Year():
		return l.MonthDay(lang, t) + t.Format(" 15:04")
	default:
		return t.Format(time.DateOnly)
	}
}

// MonthDay is a day without its year, as the language writes it: 11-20, 11/20, 20 Nov. A whole day is 2026-11-20 in every
// language, as forms, columns and files have it; without its year 11-03 is two days to an English reader.
func (l *Look) MonthDay(lang Lang, t time.Time) string { return t.Format(l.T(lang, "time.month_day")) }

// Span says how long it is between two instants (unix ms), in the two units that matter; order does not.
func (l *Look) Span(lang Lang, a, b int64) string {
	s := (b - a) / 1000
	if s < 0 {
		s = -s
	}
	switch minutes := s / 60; {
	case s < 60:
		return l.T(lang, "time.seconds", s)
	case minutes < 60:
		return l.T(lang, "time.minutes", minutes)
	case minutes < 48*60 && minutes%60 == 0:
		return l.T(lang, "time.hours", minutes/60)
	case minutes < 48*60:
		return l.T(lang, "time.hours_minutes", minutes/60, minutes%60)
	default:
		return l.T(lang, "time.days", minutes/(24*60))
	}
}

// Ago says how long before now an instant was. One that lies ahead, by a clock that is off, is "just now".
func (l *Look) Ago(lang Lang, now, ms int64) string {
	if now-ms < 1000 {
		return l.T(lang, "time.now")
	}
	return l.T(lang, "time.ago", l.Span(lang, ms, now))
}

func (l *Look) at(ms int64) time.Time { return time.UnixMilli(ms).In(l.zone()) }

// instant takes what templates hold of a time.
func instant(v any) (int64, error) {
	switch v := v.(type) {
	case int64:
		return v, nil
	case time.Time:
		return v.UnixMilli(), nil
	}
	return 0, fmt.Errorf("look: %T is no instant", v)
}
