// Package number makes and reads the numbers a branch gives: of an order SH01a-261121-0042-K, of a payment
// SH01a-261121-P0042-K.
//
// Rules:
//   - The parts are the branch's code in capitals, the life mark, the business day,
//     a counter of that day kept in the branch's database, and a check character
//     (ISO 7064, MOD 37,36) over all of them.
//   - The life mark is a small letter derived from the incarnation: a database that
//     was restored from a copy counts again from where the copy stood, and the mark
//     keeps its numbers apart from those given meanwhile. Two lives of a branch have
//     the same mark in one case of 23, so a number may still occur twice; the record
//     id is the key, the number is for people.
//   - What is no order has the letter of its series before the counter, which is a count of its own.
//   - Letters read the same in either case, so a number can be told on the phone.
//
// The check character catches every wrong single character. Of two neighbours
// changed round it catches all but one pair in 630, a property of MOD 37,36.
package number

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"branchline/schema"
	"branchline/schema/han"
)

// Series is what a number is of: 0 for orders, else the capital letter before the counter.
type Series byte

// The series.
const (
	Orders       Series = 0
	Appointments Series = 'A'
	Cards        Series = 'C'
	Payments     Series = 'P'
	Settlements  Series = 'S'
)

// SeriesOf is the series of a kind; false for a kind whose numbers are not given by the branch.
func SeriesOf(k schema.Kind) (Series, bool) {
	switch k {
	case schema.ServiceOrder:
		return Orders, true
	case schema.Appointment:
		return Appointments, true
	case schema.PackageCard:
		return Cards, true
	case schema.Payment:
		return Payments, true
	case schema.Settlement:
		return Settlements, true
	}
	return 0, false
}

func (s Series) String() string {
	if s == Orders {
		return ""
	}
	return string(rune(s))
}

func (s Series) known() bool {
	switch s {
	case Orders, Appointments, Cards, Payments, Settlements:
		return true
	}
	return false
}

// Number is a number in its parts.
type Number struct {
	Branch  schema.BranchID
	Life    byte   // a small letter, see Life
	Day     string // YYYY-MM-DD of 2000 to 2099
	Counter int    // from 1; four digits at least
	Series  Series // 0 for an order
}

// marks are the small letters without i, l and o, which are read as digits.
const marks = "abcdefghjkmnpqrstuvwxyz"

// maxCounter bounds a day's orders; the number keeps its form up to there.
const maxCounter = 9_999_999

// Life is the mark of an incarnation.
func Life(inc schema.Incarnation) byte { return marks[uint64(inc)%uint64(len(marks))] }

// Format writes a number; ErrInvalid if a part has no place in one.
func (n Number) Format() (string, error) {
	if _, err := schema.ParseBranchID(string(n.Branch)); err != nil {
		return "", err
	}
	if strings.IndexByte(marks, n.Life) < 0 {
		return "", schema.Invalid("number", "%q is no life mark", n.Life)
	}
	day, err := time.Parse(time.DateOnly, n.Day)
	if err != nil || day.Year() < 2000 || day.Year() > 2099 {
		return "", schema.Invalid("number", "%q is not a day of 2000 to 2099", n.Day)
	}
	if n.Counter < 1 || n.Counter > maxCounter {
		return "", schema.Invalid("number", "the counter %d is not within 1 to %d", n.Counter, maxCounter)
	}
	if !n.Series.known() {
		return "", schema.Invalid("number", "%q is no series of numbers", n.Series.String())
	}
	s := fmt.Sprintf("%s%c-%s-%s%04d", strings.ToUpper(string(n.Branch)), n.Life, day.Format("060102"), n.Series, n.Counter)
	c, err := Check(s)
	if err != nil {
		return "", err
	}
	return s + "-" + string(c), nil
}

// Parse reads a number in either case, full-width or not, with any dash. ErrInvalid says what is
// wrong; a check character that does not fit is wrong.
func Parse(s string) (Number, error) {
	fail := func(format string, args ...any) (Number, error) {
		return Number{}, schema.Invalid("number", "%q is not an order number: "+format, append([]any{clip(s)}, args...)...)
	}
	parts := strings.Split(fold(s), "-")
	if len(parts) != 4 {
		return fail("it has %d parts instead of 4", len(parts))
	}
	head, day, count, check := parts[0], parts[1], parts[2], parts[3]
	if len(head) < 3 {
		return fail("it does not begin with a branch code and a life mark")
	}
	n := Number{Branch: schema.BranchID(strings.ToLower(head[:len(head)-1])), Life: head[len(head)-1] | 0x20}
	if _, err := schema.ParseBranchID(string(n.Branch)); err != nil || strings.IndexByte(marks, n.Life) < 0 {
		return fail("it does not begin with a branch code and a life mark")
	}
	d, err := time.Parse("20060102", "20"+day)
	if err != nil || len(day) != 6 {
		return fail("%q is no day", day)
	}
	n.Day = d.Format(time.DateOnly)
	mark := count
	if count != "" && (count[0] < '0' || count[0] > '9') {
		n.Series, count = Series(count[0]), count[1:]
		if !n.Series.known() {
			return fail("%q is no series of numbers", n.Series.String())
		}
	}
	if len(count) < 4 || len(count) > 7 || len(count) > 4 && count[0] == '0' || strings.Trim(count, "0123456789") != "" {
		return fail("%q is no counter", count)
	}
	for _, c := range []byte(count) {
		n.Counter = n.Counter*10 + int(c-'0')
	}
	want, err := Check(head + day + mark)
	if err != nil {
		return Number{}, err
	}
	if n.Counter == 0 || len(check) != 1 || check[0] != want {
		return fail("the check character does not fit; a character is wrong or two are changed round")
	}
	return n, nil
}

// Check is the check character of MOD 37,36 for the letters and digits of s; dashes and spaces do
// not count. ErrInvalid for any other character, or when there is none.
func Check(s string) (byte, error) {
	p, n := 36, 0
	for _, r := range fold(s) {
		if r == '-' || r == ' ' {
			continue
		}
		v := strings.IndexRune(alphabet, r)
		if v < 0 {
			return 0, schema.Invalid("number", "%q has no place in an order number", r)
		}
		p = step(p, v)
		n++
	}
	if n == 0 {
		return 0, schema.Invalid("number", "is empty")
	}
	return alphabet[(36+1-p)%36], nil
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// step is one character of the hybrid system (ISO 7064 §9): p is 1 to 36.
func step(p, v int) int {
	s := (p + v) % 36
	if s == 0 {
		s = 36
	}
	return s * 2 % 37
}

func fold(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r = han.Half(r); unicode.Is(unicode.Pd, r) || r == '−' {
			return '-'
		}
		return unicode.ToUpper(r)
	}, s))
}

func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "") + "…"
	}
	return s
}
