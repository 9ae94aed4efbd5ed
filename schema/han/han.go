// Package han folds Chinese and Latin names for search and for comparison.
//
// What it is for: one customer is written 陳艷薇 at one desk, 陈艳薇 at the next
// and "CHEN Yanwei" on a card; a clerk types "cyw" or "陈艳". Every record
// passes through here when it is stored and every query when it is asked.
//
// Rules:
//   - Folding goes from traditional to simplified only, character by character
//     (many to one, so nearly safe). The way back turns the surnames 范, 余 and
//     姜 into 範, 餘 and 薑 and is never taken.
//   - Folded text is for comparing and indexing, never for showing: 李乾 folds
//     to 李干.
//   - Fold is idempotent: what is stored folded may be folded again.
//   - Readings are toneless. A surname takes its surname reading (单 is shan),
//     and the everyday reading stays as a second choice, since people type both.
//
// What it does not do: it knows no Cantonese (Chan may be 陈), guesses no gender,
// and finds no two names "nearly the same"; that is the matcher's business.
//
// All functions are pure and safe for concurrent use. The tables are built once,
// at the first call, from two embedded texts; see the NOTICE files for their
// origin and licences.
package han

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// drop is what foldRune answers for a character that carries no meaning.
const drop rune = -1

// Fold returns s with full-width forms made half-width, traditional characters
// made simplified, Latin letters lower-cased, runs of spaces made one and outer
// spaces trimmed. Invisible characters are removed and the many middle dots of
// foreign names become '·'.
func Fold(s string) string { return fold(s, true) }

// widen is Fold without the step to simplified characters, for readings: 昇 and
// 升 are read alike, but 乾 (qian) folds to 干 (gan).
func widen(s string) string { return fold(s, false) }

func fold(s string, simplify bool) string {
	t, odd := foldOnce(s, simplify)
	if !odd {
		return t
	}
	// Compatibility characters (㈱, ﬁ, 神) need Unicode's own tables, and folding
	// what comes out of them can uncover more; the loop ends at a fixed point,
	// which is what makes Fold idempotent.
	for range 8 {
		next, _ := foldOnce(norm.NFKC.String(t), simplify)
		if next == t {
			break
		}
		t = next
	}
	return t
}

// foldOnce folds rune by rune. odd tells that s has characters beyond ASCII, full
// width and the CJK blocks, for which one pass is not known to be enough.
func foldOnce(s string, simplify bool) (folded string, odd bool) {
	var stack [96]byte
	out := stack[:0]
	var tab *tables
	space := true // the last rune written was a space, or none was written yet
	for i := 0; i < len(s); {
		var r rune
		if c := s[i]; c < utf8.RuneSelf {
			i++
			switch {
			case 'A' <= c && c <= 'Z':
				out, space = append(out, c+'a'-'A'), false
				continue
			case c > ' ' && c < 0x7f:
				out, space = append(out, c), false
				continue
			}
			r = ' '
		} else {
			var n int
			r, n = utf8.DecodeRuneInString(s[i:])
			i += n
			if tableFirst <= r && r <= tableLast {
				if simplify {
					if tab == nil {
						tab = loaded()
					}
					r = tab.simple(r)
				}
			} else {
				r = foldRune(r)
				odd = odd || (r >= utf8.RuneSelf && r != '·')
			}
		}
		switch r {
		case drop:
			odd = true
		case ' ':
			if !space {
				out, space = append(out, ' '), true
			}
		default:
			out, space = utf8.AppendRune(out, r), false
		}
	}
	if n := len(out); n > 0 && out[n-1] == ' ' {
		out = out[:n-1]
	}
	if string(out) == s { // no copy is made for the comparison
		return s, odd
	}
	return string(out), odd
}

// foldRune folds a rune that is neither ASCII nor in the CJK table's range.
func foldRune(r rune) rune {
	if h := Half(r); h != r {
		if h <= ' ' {
			return ' '
		}
		return unicode.ToLower(h)
	}
	switch r {
	case '•', '‧', '∙', '⋅', '・', '･':
		return '·'
	case '‐', '‑', '‒', '–', '—', '―', '−':
		return '-'
	}
	switch {
	case unicode.IsSpace(r), unicode.Is(unicode.Zs, r), unicode.IsControl(r):
		return ' '
	case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Variation_Selector, r):
		return drop
	}
	return unicode.ToLower(r)
}

// Half returns the half-width form of a full-width letter, digit or sign, and a
// space for the ideographic space; every other rune is returned as it is.
func Half(r rune) rune {
	switch {
	case 0xFF01 <= r && r <= 0xFF5E:
		return r - 0xFEE0
	case r == 0x3000:
		return ' '
	}
	return r
}

// Simple returns the simplified form of a traditional character, and every other
// rune as it is.
func Simple(r rune) rune {
	return loaded().simple(r)
}

// Is tells whether r is a Chinese character.
func Is(r rune) bool {
	return 0x3400 <= r && r <= 0x9FFF || r == 0x3007 ||
		0xF900 <= r && r <= 0xFAFF || 0x20000 <= r && r <= 0x3FFFF
}

// letters returns the letters and digits of s, of whatever script, and nothing else.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if Is(r) || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) {
			return r
		}
		return -1
	}, s)
}

// only returns the Chinese characters of s.
func only(s string) string {
	return strings.Map(func(r rune) rune {
		if Is(r) {
			return r
		}
		return -1
	}, s)
}
