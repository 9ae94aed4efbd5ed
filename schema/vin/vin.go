// Package vin reads vehicle identification numbers: ISO 3779 for the form, ISO 3780
// for the maker code.
//
// Rules:
//   - Nothing is refused. Cars come without a number, with a wrong one, with a
//     masked one, and real cars exist whose check digit fails; Check reports, and a
//     person decides.
//   - The check digit at position 9 is compulsory in North America and China (GB
//     16735) and means nothing in Europe, where Z or any letter may stand there.
//   - A number is evidence of one car (Key) only when it is whole, in the right
//     alphabet and not one character repeated. The check digit does not count for
//     that: two records with the same failing number are still the same car.
//
// All functions fold their argument first, take any string and are pure.
package vin

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"branchline/schema/han"
)

// Length is the number of characters of a whole number.
const Length = 17

// Fold makes full-width characters half-width and letters upper-case, and removes
// spaces, dashes and middle dots. Anything else stays, so that Check can name it.
func Fold(s string) string {
	clean := true
	for i := range len(s) {
		if c := s[i]; !('0' <= c && c <= '9' || 'A' <= c && c <= 'Z') {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var stack [64]byte
	out := stack[:0]
	for _, r := range s {
		r = han.Half(r)
		switch {
		case 'a' <= r && r <= 'z':
			out = append(out, byte(r-'a'+'A'))
		case '0' <= r && r <= '9', 'A' <= r && r <= 'Z':
			out = append(out, byte(r))
		case r == '-', r == '·', r == '•', r == '・', r == '‧', unicode.IsSpace(r), unicode.Is(unicode.Pd, r), unicode.Is(unicode.Cf, r):
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return string(out)
}

// Code names what is unusual about a number.
type Code string

// The codes a Report may carry.
const (
	WrongLength   Code = "wrong_length"    // not 17 characters
	LetterIOQ     Code = "letter_ioq"      // I, O or Q, which no number has
	BadCharacter  Code = "bad_character"   // neither a letter nor a digit
	SameCharacter Code = "same_character"  // seventeen times the same
	CheckDigitBad Code = "check_digit_bad" // position 9 is not what the others give
)

// Warning is one finding. Ask tells that a page should ask "really?" once before
// it takes the number; without Ask the finding is only shown.
type Warning struct {
	Code Code
	Ask  bool
}

// Report is what Check found. The zero Report stands for no number at all.
type Report struct {
	VIN      string // the folded number
	Warnings []Warning
	// Suggestion is the number that was probably meant where I, O or Q stand for
	// 1 and 0; "" when there is none.
	Suggestion string
	// Compulsory tells that the maker's country requires the check digit.
	Compulsory bool
}

// Ask tells whether some warning calls for the question "really?".
func (r Report) Ask() bool {
	for _, w := range r.Warnings {
		if w.Ask {
			return true
		}
	}
	return false
}

// Has tells whether the report carries code.
func (r Report) Has(code Code) bool {
	for _, w := range r.Warnings {
		if w.Code == code {
			return true
		}
	}
	return false
}

// Checked is the value for the record's vin_checked: the number is whole and
// nothing about it calls for a question.
func (r Report) Checked() bool { return r.VIN != "" && !r.Ask() }

// Check reports what is unusual about a number; an empty one has no warnings. A
// failed check digit asks only where it is compulsory; elsewhere it is a notice.
func Check(s string) Report {
	v := Fold(s)
	rep := Report{VIN: v, Compulsory: compulsory(v)}
	if v == "" {
		return rep
	}
	warn := func(c Code, ask bool) { rep.Warnings = append(rep.Warnings, Warning{c, ask}) }
	if utf8.RuneCountInString(v) != Length {
		warn(WrongLength, true)
	}
	if strings.ContainsAny(v, "IOQ") {
		warn(LetterIOQ, true)
	}
	for _, r := range v {
		if !('0' <= r && r <= '9' || 'A' <= r && r <= 'Z') {
			warn(BadCharacter, true)
			break
		}
	}
	if oneCharacter(v) && len(v) == Length {
		warn(SameCharacter, true)
	}
	if want, ok := CheckDigit(v); ok && v[8] != want {
		warn(CheckDigitBad, rep.Compulsory)
	}
	rep.Suggestion = suggest(v)
	return rep
}

// suggest replaces the letters that no number has by the digits they are read
// for. Where the check digit is compulsory the result must pass it.
func suggest(v string) string {
	if !strings.ContainsAny(v, "IOQ") {
		return ""
	}
	fixed := strings.NewReplacer("I", "1", "O", "0", "Q", "0").Replace(v)
	want, ok := CheckDigit(fixed)
	if !ok || oneCharacter(fixed) || compulsory(fixed) && fixed[8] != want {
		return ""
	}
	return fixed
}

// compulsory tells whether the maker's country requires the check digit: the first
// character is 1 to 5 (North America) or L (China).
func compulsory(v string) bool {
	return v != "" && ('1' <= v[0] && v[0] <= '5' || v[0] == 'L')
}

func oneCharacter(v string) bool {
	return v != "" && strings.Count(v, v[:1]) == len(v)
}

// weights of the positions; position 9 is the check digit itself.
var weights = [Length]int{8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2}

// value of a character in the sum; -1 for one that no number has.
func value(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'H':
		return int(c-'A') + 1
	case 'J' <= c && c <= 'N':
		return int(c-'J') + 1
	case c == 'P':
		return 7
	case c == 'R':
		return 9
	case 'S' <= c && c <= 'Z':
		return int(c-'S') + 2
	}
	return -1
}

// CheckDigit computes the character that position 9 should hold, '0' to '9' or
// 'X', from the sixteen others. It answers false when the number does not have
// seventeen characters of the alphabet.
func CheckDigit(s string) (byte, bool) {
	v := Fold(s)
	if len(v) != Length {
		return 0, false
	}
	sum := 0
	for i := range Length {
		n := value(v[i])
		if n < 0 {
			return 0, false
		}
		sum += n * weights[i]
	}
	return "0123456789X"[sum%11], true
}

// yearCodes has the codes of position 10 from 1980 on; the thirty come round.
const yearCodes = "ABCDEFGHJKLMNPRSTVWXY123456789"

// ModelYear returns the latest year not after notAfter that position 10 stands
// for. U, Z and 0 are no codes. Whether the maker uses the position for the year
// is not known here: European makers need not.
func ModelYear(s string, notAfter int) (int, bool) {
	v := Fold(s)
	if len(v) != Length {
		return 0, false
	}
	i := strings.IndexByte(yearCodes, v[9])
	year := 1980 + i
	if i < 0 || year > notAfter {
		return 0, false
	}
	return year + (notAfter-year)/30*30, true
}

// WMI returns the maker code: the first three characters, and for a small maker,
// whose third is 9, the characters 12 to 14 behind them. It is "" for a number too
// short for it, which for a small maker means one that is not whole.
func WMI(s string) string {
	v := Fold(s)
	switch {
	case len(v) < 3 || value(v[0]) < 0 || value(v[1]) < 0 || value(v[2]) < 0:
		return ""
	case v[2] != '9':
		return v[:3]
	case len(v) != Length:
		return ""
	}
	return v[:3] + v[11:14]
}

// Key returns the folded number where it is evidence of one car: seventeen
// characters of the alphabet, not all the same. Otherwise it is "", which a caller
// must treat as unknown, never as equal.
func Key(s string) string {
	v := Fold(s)
	if len(v) != Length || oneCharacter(v) {
		return ""
	}
	for i := range Length {
		if value(v[i]) < 0 {
			return ""
		}
	}
	return v
}

// Tail returns the last n characters of the folded number, all of it when it is
// shorter: people ask for a car by the last six or eight.
func Tail(s string, n int) string {
	v := []rune(Fold(s))
	return string(v[max(0, len(v)-max(0, n)):])
}
