// Package phone reads telephone numbers as clerks write them: with labels, in full
// width, two in one field, the area or the country left out, an extension behind.
//
// Rules:
//   - Nothing is refused: what cannot be read is a Number of kind Unknown that keeps
//     its digits.
//   - Mobile numbers of mainland China have 11 digits, 13 to 19 at their head; a
//     landline has an area (010, 02x, 0xxx) and 7 or 8 digits, of which the area is
//     often missing; Hong Kong and Macau have 8. All other countries are read with
//     the metadata of libphonenumber.
//   - Numbers are given to other people after a while, and households and
//     switchboards share them: Key is evidence for a household, not for a person,
//     and the record keeps all numbers with their dates.
//   - A Number prints and logs masked. Format gives all of it.
//
// All functions are pure and safe for concurrent use.
package phone

import (
	"log/slog"
	"strings"

	"branchline/schema/han"
	"github.com/nyaruka/phonenumbers"
)

// Kind is what a number belongs to.
type Kind string

// The kinds of numbers.
const (
	Mobile   Kind = "mobile"
	Landline Kind = "landline"
	Hotline  Kind = "hotline" // 400 and 800 of mainland China: a firm's, shared by all who reach it
	Short    Kind = "short"   // 95588, 12345
	Other    Kind = "other"   // valid abroad, and neither surely a mobile nor a landline
	Unknown  Kind = "unknown"
)

// Number is one telephone number. Numbers compare with ==.
type Number struct {
	E164   string // "+8613812345678"; "" when the area is missing or the number is not understood
	Ext    string // extension, digits only
	Kind   Kind
	Region string // ISO 3166 code of the country or region; "" when not known

	area  string // with its trunk 0: "021"; "" when there is none or it is missing
	local string // the digits behind the area
}

// Fold makes full-width characters half-width, traditional ones simplified and
// letters lower-case, writes all dashes alike and all spaces as single ones. It
// does not read the number; it is what to keep beside it for search as text.
func Fold(s string) string { return han.Fold(s) }

// Parse returns the numbers in a field, in their order and each once. Region is the
// ISO code of the place where the field was written ("" is CN); it decides about
// numbers without a country. A field without at least three digits has none.
func Parse(s, region string) []Number {
	region = strings.ToUpper(region)
	if region == "" {
		region = "CN"
	}
	var out []Number
	add := func(ns ...Number) {
		for _, n := range ns {
			dup := false
			for _, o := range out {
				dup = dup || o == n
			}
			if !dup {
				out = append(out, n)
			}
		}
	}
	separator := func(r rune) bool { return strings.ContainsRune("/,;|&、。\n\r或和及", r) }
	for _, field := range strings.FieldsFunc(strings.Map(han.Half, s), separator) {
		text := Fold(field)
		if digitCount(text) < 3 {
			continue
		}
		n := one(text, region)
		if n.Kind == Unknown {
			if two := pair(text, region); two != nil {
				add(two...)
				continue
			}
		}
		add(n)
	}
	return out
}

// pair reads two numbers that only a space, or nothing, stands between.
func pair(text, region string) []Number {
	for i, r := range text {
		if r != ' ' {
			continue
		}
		a, b := text[:i], text[i+1:]
		if digitCount(a) < 7 || digitCount(b) < 7 {
			continue
		}
		first, second := one(a, region), one(b, region)
		if first.Kind != Unknown && second.Kind != Unknown {
			return []Number{first, second}
		}
	}
	if d := digits(text); len(d) == 22 && mobile(d[:11]) && mobile(d[11:]) {
		return []Number{china(d[:11], false), china(d[11:], false)}
	}
	return nil
}

// extMarks stand before an extension; the longer before those they begin with.
var extMarks = []string{"转分机", "分机", "内线", "转", "extension", "ext", "#", "x"}

// one reads the text of one number.
func one(text, region string) Number {
	main, ext := text, ""
	start := strings.IndexAny(text, "0123456789")
	for _, mark := range extMarks {
		if at := strings.Index(text[start:], mark); at > 0 {
			if e := digits(text[start+at:]); e != "" && len(e) <= 8 {
				main, ext = text[:start+at], e
			}
			break
		}
	}
	n := whole(main, region)
	if n.Kind == Unknown && ext == "" {
		// A short group behind the last dash is an extension: 021-39844682-729.
		if at := strings.LastIndexByte(main, '-'); at > start {
			if e := digits(main[at:]); e != "" && len(e) <= 6 {
				if m := whole(main[:at], region); m.Kind == Landline || m.Kind == Hotline {
					n, ext = m, e
				}
			}
		}
	}
	n.Ext = ext
	return n
}

// whole reads a number without an extension.
func whole(text, region string) Number {
	d := digits(text)
	before, _, _ := strings.Cut(text, d[:1])
	if strings.Contains(before, "+") {
		return abroad(d)
	}
	if strings.HasPrefix(d, "00") && len(d) > 10 {
		return abroad(d[2:])
	}
	switch region {
	case "CN":
		if n, ok := chinaOrNeighbour(d); ok {
			return n
		}
	case "HK", "MO":
		if n := harbour(d, region); n.Kind != Unknown {
			return n
		}
		if n, ok := chinaOrNeighbour(d); ok && n.E164 != "" {
			return n
		}
	default:
		if n, ok := world(text, region); ok {
			return n
		}
	}
	if region != "CN" && mobile(d) {
		return china(d, false)
	}
	return Number{Kind: Unknown, local: d}
}

// abroad reads the digits behind a plus sign or 00.
func abroad(d string) Number {
	switch {
	case strings.HasPrefix(d, "86"):
		return china(d[2:], true)
	case strings.HasPrefix(d, "852"):
		return harbour(d[3:], "HK")
	case strings.HasPrefix(d, "853"):
		return harbour(d[3:], "MO")
	}
	if n, ok := world("+"+d, ""); ok {
		return n
	}
	return Number{Kind: Unknown, local: d}
}

// chinaOrNeighbour reads digits written in mainland China without a plus sign.
// The areas 0852 and 0853 were given up in 2014, so eleven digits with 852 or 853
// at their head are Hong Kong's or Macau's.
func chinaOrNeighbour(d string) (Number, bool) {
	if len(d) == 11 && (strings.HasPrefix(d, "852") || strings.HasPrefix(d, "853")) {
		if n := abroad(d); n.Kind != Unknown {
			return n, true
		}
	}
	if n := china(d, false); n.Kind != Unknown {
		return n, true
	}
	if (len(d) == 12 || len(d) == 13) && strings.HasPrefix(d, "86") {
		if n := china(d[2:], true); n.E164 != "" {
			return n, true
		}
	}
	if len(d) == 12 && strings.HasPrefix(d, "8869") {
		return world("+"+d, "")
	}
	return Number{}, false
}

// china reads a number of mainland China. intl tells that a country code stood
// before it, so that the area may lack its 0.
func china(d string, intl bool) Number {
	n := Number{Kind: Unknown, Region: "CN", local: d}
	trunk := strings.HasPrefix(d, "0")
	switch {
	case mobile(d):
		n.Kind, n.E164 = Mobile, "+86"+d
	case trunk && mobile(d[1:]):
		n.Kind, n.E164, n.local = Mobile, "+86"+d[1:], d[1:]
	case len(d) == 10 && (strings.HasPrefix(d, "400") || strings.HasPrefix(d, "800")):
		n.Kind, n.E164 = Hotline, "+86"+d
	case trunk:
		return landline(d)
	case subscriber(d):
		n.Kind = Landline
	case len(d) >= 3 && len(d) <= 6 && (d[0] == '1' || d[0] == '9') && !intl:
		n.Kind = Short
	case len(d) == 10 || len(d) == 11:
		// A spreadsheet takes the 0 off an area, and so does +86.
		if m := landline("0" + d); m.Kind == Landline {
			return m
		}
		n.Region = ""
	default:
		n.Region = ""
	}
	if intl && n.Kind == Unknown {
		n.Region = "CN"
	}
	return n
}

// landline reads an area with its 0 and the digits behind it.
func landline(d string) Number {
	n := Number{Kind: Unknown, local: d}
	size := 0
	switch {
	case len(d) == 11 && (d[1] == '1' && d[2] == '0' || d[1] == '2'):
		size = 3 // 010 and 02x have eight digits behind them everywhere
	case len(d) >= 11 && '3' <= d[1] && d[1] <= '9':
		size = 4
	}
	if size == 0 || !subscriber(d[size:]) {
		return n
	}
	n.Kind, n.Region, n.area, n.local = Landline, "CN", d[:size], d[size:]
	n.E164 = "+86" + d[1:]
	return n
}

// harbour reads the eight digits of Hong Kong or Macau.
func harbour(d, region string) Number {
	if len(d) != 8 || d[0] < '2' {
		return Number{Kind: Unknown, local: d}
	}
	n := Number{Kind: Mobile, Region: region, E164: "+852" + d, local: d}
	if region == "MO" {
		n.E164 = "+853" + d
		if d[0] != '6' {
			n.Kind = Landline
		}
	} else if d[0] == '2' || d[0] == '3' {
		n.Kind = Landline
	}
	return n
}

// world reads a number of any other country.
func world(text, region string) (Number, bool) {
	p, err := phonenumbers.Parse(text, region)
	if err != nil || !phonenumbers.IsValidNumber(p) {
		return Number{}, false
	}
	e164 := phonenumbers.Format(p, phonenumbers.E164)
	switch p.GetCountryCode() {
	case 86, 852, 853:
		return abroad(e164[1:]), true
	}
	n := Number{Kind: Other, E164: e164, Region: phonenumbers.GetRegionCodeForNumber(p), local: phonenumbers.GetNationalSignificantNumber(p)}
	switch phonenumbers.GetNumberType(p) {
	case phonenumbers.MOBILE:
		n.Kind = Mobile
	case phonenumbers.FIXED_LINE:
		n.Kind = Landline
	}
	return n, true
}

func mobile(d string) bool {
	return len(d) == 11 && d[0] == '1' && d[1] >= '3'
}

// subscriber tells whether d can be a landline number of mainland China without
// its area.
func subscriber(d string) bool {
	return (len(d) == 7 || len(d) == 8) && '2' <= d[0] && d[0] <= '8'
}

// Placeholder tells a number that clerks type when they have none: 13800000000,
// 13888888888, 13800138000, 13812345678 and their like.
func (n Number) Placeholder() bool {
	d := n.area + n.local
	if len(d) < 7 {
		return false
	}
	tail := d[len(d)-7:]
	return strings.Count(tail, tail[:1]) == len(tail) || strings.HasSuffix(d, "12345678") || d == "13800138000" || d == "12345678910"
}

// Key is what two records must share for the number to be evidence of one
// household: all 11 digits of a mobile of mainland China, the last 8 (or 7) of a
// landline there, with or without its area, the 8 of Hong Kong and Macau, all of
// the international number elsewhere. It is "" for a hotline, a placeholder and
// whatever is not understood, except eight digits, which may be from Hong Kong; a
// caller must treat "" as unknown, never as equal.
func (n Number) Key() string {
	if n.Placeholder() {
		return ""
	}
	switch n.Kind {
	case Mobile, Landline, Other:
		switch n.Region {
		case "CN", "HK", "MO":
			return n.local
		}
		return strings.TrimPrefix(n.E164, "+")
	case Unknown:
		if len(n.local) == 8 && n.Ext == "" {
			return n.local
		}
	}
	return ""
}

// Tail returns the last count digits, without the extension, all when it has fewer.
func (n Number) Tail(count int) string {
	d := n.area + n.local
	return d[max(0, len(d)-max(0, count)):]
}

// Digits returns the number as it is dialled in its own country, digits only,
// without the extension: what a search entry holds.
func (n Number) Digits() string { return n.area + n.local }

// Format writes the number for people: "138 1234 5678", "021-39844682 转 729",
// "+852 3917 6440". What it writes, Parse reads as the same number.
func (n Number) Format() string {
	d := n.local
	var s string
	switch {
	case n.Kind == Mobile && n.Region == "CN":
		s = d[:3] + " " + d[3:7] + " " + d[7:]
	case n.Kind == Hotline:
		s = d[:3] + "-" + d[3:6] + "-" + d[6:]
	case n.Region == "HK" || n.Region == "MO":
		s = n.E164[:4] + " " + d[:4] + " " + d[4:]
	case n.Region == "CN" || n.E164 == "":
		s = d
		if n.area != "" {
			s = n.area + "-" + d
		}
	default:
		s = n.E164
		if p, err := phonenumbers.Parse(n.E164, ""); err == nil {
			s = phonenumbers.Format(p, phonenumbers.INTERNATIONAL)
		}
	}
	if n.Ext != "" {
		s += " 转 " + n.Ext
	}
	return s
}

// Short is the number masked, for job cards and lists: "138****5678",
// "021-****4682". It never holds more than the area or first three digits and the
// last four.
func (n Number) Short() string {
	d := n.local
	switch {
	case n.Kind == Hotline || n.Kind == Short:
		return n.Format() // a firm's or an office's, nobody's own
	case len(d) < 7:
		return "****"
	case n.Kind == Mobile && n.Region == "CN":
		return d[:3] + "****" + d[7:]
	case n.area != "":
		return n.area + "-****" + d[len(d)-4:]
	case n.E164 != "":
		return n.E164[:len(n.E164)-len(d)] + " ****" + d[len(d)-4:]
	}
	return "****" + d[len(d)-4:]
}

// String is Short, so that a number printed by accident is masked.
func (n Number) String() string { return n.Short() }

// GoString is Short, for the same reason.
func (n Number) GoString() string { return n.Short() }

// LogValue keeps the number out of logs.
func (n Number) LogValue() slog.Value { return slog.StringValue(n.Short()) }

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}

func digitCount(s string) int {
	n := 0
	for i := range len(s) {
		if '0' <= s[i] && s[i] <= '9' {
			n++
		}
	}
	return n
}
