package match

import "strings"

// Levels of comparisons of single things: an id, a telephone, a place name.
const (
	differs = iota
	near    // one slip away, or part of the other
	equal
)

// Levels of a birthday.
const (
	dayOther = iota
	dayYear  // the year agrees
	dayClose // most digits agree, or it is a matter of weeks
	dayTwo   // two of year, month and day agree
	dayNear  // one digit, or month and day exchanged
	daySame
)

// textCodes is the level of two texts with much in common, but with other model numbers;
// those below it go from nothing in common to the same.
const textCodes = 7

// answer is what one comparison says of two records. level is -1 where one of them
// says nothing. worth is the rarity of what agrees, 0 where rarity plays no part.
type answer struct {
	level    int8
	conflict bool // two full names of one script that are not one
	firm     bool // both name companies
	worth    Bits
}

// compare asks one comparison. It is symmetric and a pure function of the two values.
func (c *comparison) compare(a, b *value) answer {
	if !a.has || !b.has {
		return answer{level: -1}
	}
	switch c.typ {
	case Name:
		l, w, x := compareNames(a.forms, b.forms)
		return answer{level: l, worth: w, conflict: x, firm: a.forms[0].party == company && b.forms[0].party == company}
	case Address:
		l, w := comparePlaces(a.place, b.place)
		return answer{level: l, worth: w}
	case Text:
		return compareTexts(a, b)
	case Birthday:
		return compareDays(a, b)
	case Number, Year:
		if a.num == b.num {
			return answer{level: equal, worth: a.freq}
		}
		d, m := a.num-b.num, max(a.num, -a.num, b.num, -b.num)
		if d < 0 {
			d = -d
		}
		if c.typ == Year && d == 1 || c.typ == Number && d <= m/20 {
			return answer{level: near}
		}
		return answer{level: differs}
	case Email:
		return compareEmails(a, b)
	}
	return c.compareSets(a, b)
}

func (c *comparison) compareSets(a, b *value) answer {
	best := answer{level: differs}
	for i := range a.set {
		for j := range b.set {
			x, y := a.set[i].text, b.set[j].text
			switch {
			case x == y:
				if w := min(a.freq, b.freq); best.level < equal || w > best.worth {
					best = answer{level: equal, worth: w}
				}
			case best.level < near && c.close(x, y):
				best = answer{level: near}
			case c.typ == VIN && len(x) != len(y) && (strings.HasSuffix(x, y) || strings.HasSuffix(y, x)):
				best = answer{level: equal, worth: min(a.freq, b.freq)}
			}
		}
	}
	return best
}

// close tells whether two unequal things are one with a slip.
func (c *comparison) close(x, y string) bool {
	switch c.typ {
	case Phone:
		return min(len(x), len(y)) >= 7 && within(x, y, 1)
	case Plate:
		return len(x) >= 5 && len(y) >= 5 && (strings.HasSuffix(x, y) || strings.HasSuffix(y, x))
	case VIN:
		// A fleet's cars have numbers in a row: another last digit is another car.
		return len(x) == 17 && len(y) == 17 && x[15:] == y[15:] && within(x, y, 1) ||
			len(x) == 17 && len(y) == 17 && x[:13] == y[:13] && sameRunes(x[13:], y[13:])
	case Last4:
		return len(x) == len(y) && sameRunes(x, y)
	case NationalID, Postcode:
		return min(len(x), len(y)) >= 4 && within(x, y, 1) || c.typ == Postcode && len(x) >= 5 && len(y) >= 5 && x[:3] == y[:3]
	case House:
		return x != "" && y != "" && (within(x, y, 1) && len(x)+len(y) > 3 || sameRunes(x, y))
	case Locality, Region:
		if len(x) > len(y) {
			x, y = y, x
		}
		return len(x) >= 4 && (strings.HasPrefix(y, x) || strings.HasSuffix(y, x) || alike(x, y))
	case Category:
		if len(x) > len(y) {
			x, y = y, x
		}
		// As whole words: female holds male.
		return len(x) >= 3 && (strings.Contains(" "+y+" ", " "+x+" ") || len(x) >= 5 && mistyped(x, y))
	}
	return false
}

func compareEmails(a, b *value) answer {
	best := answer{level: 0}
	for i := range a.set {
		for j := range b.set {
			x, y := a.set[i].text, b.set[j].text
			if x == y {
				return answer{level: 3, worth: min(a.freq, b.freq)}
			}
			lx, _, _ := strings.Cut(x, "@")
			ly, _, _ := strings.Cut(y, "@")
			switch {
			case len(x) >= 8 && within(x, y, 3) && undigit(x) != undigit(y):
				// Of one name with another number each is somebody else's.
				best.level = 2
			case best.level < 1 && len(lx) >= 4 && lx == ly:
				best.level = 1
			}
		}
	}
	return best
}

// undigit is a text without its digits.
func undigit(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}

func compareDays(a, b *value) answer {
	x, y := a.day(), b.day()
	if x == y {
		return answer{level: daySame, worth: min(a.freq, b.freq)}
	}
	n, known := 0, 3
	for _, p := range [3][2]int{{x.y, y.y}, {x.m, y.m}, {x.d, y.d}} {
		if p[0] == 0 || p[1] == 0 {
			known--
		} else if p[0] == p[1] {
			n++
		}
	}
	slips := func(p, q int) bool { return oneDigit(p, q) }
	switch {
	case x.y == y.y && x.m == y.d && x.d == y.m,
		x.y == y.y && x.m == y.m && slips(x.d, y.d),
		x.y == y.y && x.d == y.d && slips(x.m, y.m),
		x.m == y.m && x.d == y.d && slips(x.y, y.y):
		return answer{level: dayNear}
	case n >= 2:
		return answer{level: dayTwo}
	case known == 3 && closeDays(x, y):
		return answer{level: dayClose}
	case n == 1 && x.y == y.y:
		return answer{level: dayYear}
	}
	return answer{level: dayOther}
}

// closeDays tells whether at most three of eight digits differ, or two parts by one and
// the third not much.
func closeDays(x, y date) bool {
	differ := 0
	for p, q := x.y*10000+x.m*100+x.d, y.y*10000+y.m*100+y.d; p > 0 || q > 0; p, q = p/10, q/10 {
		if p%10 != q%10 {
			differ++
		}
	}
	days := (x.y-y.y)*365 + (x.m-y.m)*30 + x.d - y.d
	return differ <= 3 || days >= -45 && days <= 45
}

// oneDigit tells whether two numbers differ in one decimal place, or in two
// neighbouring ones exchanged.
func oneDigit(p, q int) bool {
	n, first, second := 0, [2]int{}, [2]int{}
	at, prev := 0, -2
	for p > 0 || q > 0 {
		if x, y := p%10, q%10; x != y {
			n++
			if n == 1 {
				first = [2]int{x, y}
			} else {
				second = [2]int{x, y}
			}
			if n == 2 && prev != at-1 {
				return false
			}
			prev = at
		}
		p, q, at = p/10, q/10, at+1
	}
	return n == 1 || n == 2 && first[0] == second[1] && first[1] == second[0]
}

// codes tells whether both texts have words with digits, such as a model's number, and
// none in common.
func codes(a, b []word) bool {
	n, m := 0, 0
	for _, x := range a {
		if x.coded() {
			n++
			for _, y := range b {
				if x.hash == y.hash {
					return false
				}
			}
		}
	}
	for _, y := range b {
		if y.coded() {
			m++
		}
	}
	return n > 0 && m > 0
}

// coded tells a word of three characters or more with a digit in it.
func (w word) coded() bool { return len(w.text) >= 3 && strings.ContainsAny(w.text, "0123456789") }

// compareTexts compares by the cosine of the words, each weighed by its rarity.
func compareTexts(a, b *value) answer {
	if a.set[0].text == b.set[0].text {
		return answer{level: 6, worth: min(a.freq, b.freq)}
	}
	var dot int64
	s, t := a.text, b.text
	for i, j := 0, 0; i < len(s.words) && j < len(t.words); {
		switch x, y := s.words[i].hash, t.words[j].hash; {
		case x < y:
			i++
		case x > y:
			j++
		default:
			dot += int64(s.wbits[i]) * int64(t.wbits[j])
			i++
			j++
		}
	}
	if dot == 0 {
		return answer{level: 0}
	}
	// cos² in thousandths, in whole numbers.
	hi := dot / 1000 * (dot / 1000) * 1000
	lo := (s.norm/1000 + 1) * (t.norm/1000 + 1)
	switch c := hi / lo; {
	case c >= 160 && codes(s.words, t.words):
		return answer{level: textCodes}
	case c >= 722: // cos 0.85
		return answer{level: 5}
	case c >= 490:
		return answer{level: 4}
	case c >= 302:
		return answer{level: 3}
	case c >= 160:
		return answer{level: 2}
	case c >= 62:
		return answer{level: 1}
	}
	return answer{level: 0}
}
