package match

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"branchline/schema/han"
)

// Bits is a weight or a score in hundredths of a bit.
type Bits int32

// bitsOf is log2(x) in centi-bits.
func bitsOf(x float64) Bits { return Bits(math.Round(100 * math.Log2(x))) }

// hashOf is a stable 64-bit hash of a kind of value and its text (FNV-1a with a final
// mix). It stands in shipped model files, so it never changes.
func hashOf(kind byte, s string) uint64 {
	h := uint64(14695981039346656037)
	h = (h ^ uint64(kind)) * 1099511628211
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// both is the hash of two things together, in either order.
func both(a, b uint64) uint64 {
	if a > b {
		a, b = b, a
	}
	return mix(a*0x9e3779b97f4a7c15 ^ b)
}

// word is one token of a text.
type word struct {
	text string
	hash uint64
	role role
	pet  bool // a name with pet forms
}

type role uint8

const (
	anyRole role = iota
	family
	given
	kindOf // what kind of a road, not which
)

// words splits a folded text at everything that is no letter, digit, apostrophe or
// hyphen; the last two are taken out. A dot between letters is taken out too (u.s.a.).
func words(kind byte, s string) []word {
	var out []word
	var b strings.Builder
	end := func() {
		if b.Len() > 0 {
			t := b.String()
			_, pet := petLines[t]
			out = append(out, word{text: t, hash: hashOf(kind, t), pet: pet})
			b.Reset()
		}
	}
	for _, r := range s {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if r >= 0xC0 && r < 0x250 {
				r = plainLetter(r)
			}
			b.WriteRune(r)
		case r == '\'' || r == '’' || r == '-' || r == '`':
		default:
			end()
		}
	}
	end()
	return out
}

// plainLetter takes the accent off the usual Latin letters.
func plainLetter(r rune) rune {
	const from = "àáâãäåçèéêëìíîïñòóôõöøùúûüýÿšžćčđłńńőűěřůąęśźż"
	const to__ = "aaaaaaceeeeiiiinoooooouuuuyyszccdlnnoueruaeszz"
	if i := slices.Index([]rune(from), r); i >= 0 {
		return rune(to__[i])
	}
	return r
}

// letters is s without anything but letters and digits.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

// absent tells a cell that says there is nothing.
func absent(s string) bool {
	switch strings.ToLower(s) {
	case "", "-", "--", "/", "\\", ".", "?", "n/a", "na", "nan", "none", "null", "nil", "unknown", "无", "無", "没有", "未知", "不详", "不詳", "暂无":
		return true
	}
	return false
}

// clean trims a cell and the quotes some files put around it.
func clean(s string) string {
	s = strings.TrimSpace(s)
	if n := len(s); n >= 2 && (s[0] == '"' && s[n-1] == '"' || s[0] == '\'' && s[n-1] == '\'') {
		s = strings.TrimSpace(s[1 : n-1])
	}
	s = han.Fold(s)
	if absent(s) {
		return ""
	}
	return s
}

// within tells whether at most k (≤ 3) edits lead from a to b: a character more, less
// or other, or two neighbours exchanged. Texts are compared by byte, which for ASCII
// is by character; longer ones than 64 bytes are never within.
func within(a, b string, k int) bool {
	if a == b {
		return true
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > k || len(b) > 64 {
		return false
	}
	for len(a) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if len(a) == 0 {
		return len(b) <= k
	}
	if k == 1 {
		return len(a) == 1 && len(b) == 1 || len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
	}
	var rows [3][65]int8
	for j := range len(b) + 1 {
		rows[0][j] = int8(j)
	}
	for i := 1; i <= len(a); i++ {
		cur, last, old := &rows[i%3], &rows[(i+2)%3], &rows[(i+1)%3]
		cur[0] = int8(i)
		best := cur[0]
		for j := 1; j <= len(b); j++ {
			c := last[j-1]
			if a[i-1] != b[j-1] {
				c++
			}
			c = min(c, last[j]+1, cur[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				c = min(c, old[j-2]+1)
			}
			cur[j] = c
			best = min(best, c)
		}
		if int(best) > k {
			return false
		}
	}
	return int(rows[len(a)%3][len(b)]) <= k
}

// alike tells whether two words are probably one, mistyped, cut short or in a pet form.
func alike(a, b string) bool { return mistyped(a, b) || petName(a, b) }

// mistyped is alike but for pet forms.
func mistyped(a, b string) bool {
	if a == b {
		return true
	}
	if len(a) > len(b) {
		a, b = b, a
	}
	digits := a[0] <= '9' || b[0] <= '9'
	switch n := len(a); {
	case digits:
		return false // 1st and 2nd, model x100 and x200
	case n == 1:
		return b[0] == a[0] // an initial
	case n >= 3 && (strings.HasPrefix(b, a) || shortened(a, b)):
		return true
	case n <= 3:
		return n == 3 && len(b) <= 4 && a[0] == b[0] && within(a, b, 1)
	case n <= 6:
		return within(a, b, 1) || n >= 5 && a[0] == b[0] && within(a, b, 2)
	case n <= 10:
		return within(a, b, 2)
	}
	return within(a, b, 3)
}

// shortened tells whether a is b without its vowels and some more: ctr, bldg.
func shortened(a, b string) bool {
	if a[0] != b[0] || a[len(a)-1] != b[len(b)-1] || len(b) < len(a)+2 || strings.ContainsAny(a[1:], "aeiou") {
		return false
	}
	i := 0
	for j := 0; j < len(b) && i < len(a); j++ {
		if a[i] == b[j] {
			i++
		}
	}
	return i == len(a)
}

// skeleton is what is left of a Latin word when spelling is forgotten: its first
// letter and the groups of the consonants behind it, four at most.
func skeleton(s string) string {
	const groups = "01230120022455012623010202"
	out := make([]byte, 0, 4)
	var last byte
	for i := 0; i < len(s) && len(out) < 4; i++ {
		c := s[i]
		if c < 'a' || c > 'z' {
			continue
		}
		g := groups[c-'a']
		if len(out) == 0 {
			out = append(out, c)
		} else if g != '0' && g != last {
			out = append(out, g)
		}
		if c != 'h' && c != 'w' {
			last = g
		}
	}
	return string(out)
}
