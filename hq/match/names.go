package match

import (
	"strings"
	"unicode/utf8"
)

// Levels of two names, by how much they say that the names are one. They stand in
// shipped model files; new ones go to the end.
const (
	nameConflict = iota // nothing in common
	nameScripts         // in different scripts, and not one by sound
	nameFamily          // the family name, and the given names conflict
	nameGiven           // some word, and the others conflict
	nameMost            // most of it, or one character of a Chinese given name differs
	nameWeak            // all that the shorter says, which is one word
	nameWithin          // all that the shorter says
	nameTypo            // all of it, with slips of the pen, pet names or initials
	nameSounds          // all of it by sound
	nameSame
	nameParties // a person and a company
	nameLevels
)

// compareNames gives the best level of any two forms, and how much what agrees is
// worth by its rarity.
func compareNames(a, b []form) (level int8, worth Bits, conflict bool) {
	level = -1
	conflict = true
	for i := range a {
		for j := range b {
			if a[i].nick && b[0].han || b[j].nick && a[0].han {
				continue // there are full names to go by
			}
			l, w, c := compareForms(&a[i], &b[j])
			conflict = conflict && c
			if level < 0 || nameRank[l] > nameRank[level] || nameRank[l] == nameRank[level] && w > worth {
				level, worth = l, w
			}
		}
	}
	return level, worth, conflict && level >= 0
}

// nameRank orders levels by strength.
var nameRank = [nameLevels]int8{nameParties: 0, nameConflict: 1, nameScripts: 2, nameGiven: 3, nameFamily: 4, nameWeak: 5, nameMost: 6, nameWithin: 7, nameTypo: 8, nameSounds: 9, nameSame: 10}

// compareForms tells beside level and worth whether two full names of one script conflict.
func compareForms(a, b *form) (int8, Bits, bool) {
	if a.party != b.party && a.party != unsure && b.party != unsure {
		return nameParties, 0, true
	}
	if a.party == company && a.city != "" && b.city != "" && a.city != b.city && b.party == company {
		// A company of another city is another company, of one group at the most.
		l, w := compareWords(a, b)
		if nameRank[l] > nameRank[nameFamily] {
			l, w = nameFamily, w/2
		}
		return l, w, false
	}
	if a.whole == b.whole {
		switch {
		case len(a.words) == 1 && !a.full:
			return nameWeak, a.wbits[0], false
		case a.core != "" && b.core != "" && a.core != b.core:
			return nameSounds, a.worth(), false
		}
		return nameSame, a.worth(), false
	}
	if a.party != company && b.party != company && (a.han || b.han) {
		if a.han && b.han {
			return compareHan(a, b)
		}
		if b.han {
			a, b = b, a
		}
		return compareSounds(a, b)
	}
	l, w := compareWords(a, b)
	if l < nameTypo && a.core != "" && b.core != "" && slipped(a.core, b.core) {
		return nameTypo, min(a.worth(), b.worth()), false
	}
	if a.party == company {
		// One brand in two trades are two companies of a group.
		return l, w, l == nameConflict && a.han == b.han || l == nameFamily && a.roles() && b.roles()
	}
	return l, w, false // in Latin letters slips, short forms and new family names are too many
}

// worth is the rarity of all of a name: no more than its parts together, nor than it
// itself was found to be.
func (f *form) worth() Bits {
	var sum Bits
	for _, w := range f.wbits {
		sum += w
	}
	return min(sum, f.freq)
}

// compareHan compares two personal names in Chinese characters.
func compareHan(a, b *form) (int8, Bits, bool) {
	var fw Bits
	if a.family != "" && len(a.wbits) > 0 {
		fw = a.wbits[0]
	}
	sameFamily := a.family == b.family && a.family != ""
	if a.given == "" || b.given == "" {
		if sameFamily {
			return nameWeak, fw, false
		}
		if soundsLike(a.family, b.family, a, b) {
			return nameWeak, fw, false
		}
		return nameConflict, 0, a.family != "" && b.family != ""
	}
	if a.sounded(b) {
		return nameSounds, min(a.worth(), b.worth()), false
	}
	if sameRunes(a.text, b.text) {
		return nameTypo, min(a.worth(), b.worth()), false
	}
	x, y := utf8.RuneCountInString(a.given), utf8.RuneCountInString(b.given)
	shared := x >= 2 && y >= 2 && sameEnd(a.given, b.given) ||
		x != y && (strings.Contains(a.given, b.given) || strings.Contains(b.given, a.given))
	switch {
	case sameFamily && shared && x == y && firstRune(a.given) == firstRune(b.given):
		return nameFamily, fw, false // of one generation, more often than mistyped
	case sameFamily && shared:
		return nameMost, fw, false
	case sameFamily:
		return nameFamily, fw, true
	case a.given == b.given && x >= 2:
		return nameMost, a.wbits[len(a.wbits)-1], false
	case a.given == b.given:
		return nameGiven, a.wbits[len(a.wbits)-1], true
	}
	return nameConflict, 0, true
}

// sounded tells whether two full names in characters sound alike, the family name first in
// both: 任永立 is not 李仁永, though Ren Yongli might be either in Latin letters.
func (f *form) sounded(o *form) bool {
	step := 1
	if o.family != "" {
		step = 2 // beside each reading stands the one with the family name last
	}
	for i := 0; i < len(o.sounds) && len(f.sounds) > 0; i += step {
		if f.sounds[0] == o.sounds[i] {
			return true
		}
	}
	return false
}

// sameEnd tells whether the first or the last characters agree.
func sameEnd(a, b string) bool {
	v, _ := utf8.DecodeLastRuneInString(a)
	w, _ := utf8.DecodeLastRuneInString(b)
	return firstRune(a) == firstRune(b) || v == w
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func soundsLike(fa, fb string, a, b *form) bool {
	return fa != "" && fb != "" && len(a.sounds) > 0 && len(b.sounds) > 0 && a.given == "" && b.given == "" && a.sounds[0] == b.sounds[0]
}

// sameRunes tells whether two texts are the same characters in another order.
func sameRunes(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	sum := 0
	for i := range len(a) {
		sum += int(a[i]) - int(b[i])
	}
	if sum != 0 || utf8.RuneCountInString(a) != utf8.RuneCountInString(b) {
		return false
	}
	for _, r := range a {
		if strings.Count(a, string(r)) != strings.Count(b, string(r)) {
			return false
		}
	}
	return true
}

// slipped tells whether two Chinese texts are one with a slip: a few neighbouring
// characters in another order, or two more put in.
func slipped(a, b string) bool {
	if n, m := utf8.RuneCountInString(a), utf8.RuneCountInString(b); min(n, m) < 4 || n-m > 2 || m-n > 2 {
		return false
	}
	x, y := []rune(a), []rune(b)
	if len(x) > len(y) {
		x, y = y, x
	}
	for len(x) > 0 && x[0] == y[0] {
		x, y = x[1:], y[1:]
	}
	for len(x) > 0 && x[len(x)-1] == y[len(y)-1] {
		x, y = x[:len(x)-1], y[:len(y)-1]
	}
	if len(x) == len(y) {
		return len(x) <= 3 && sameRunes(string(x), string(y))
	}
	i := 0
	for _, r := range y {
		if i < len(x) && x[i] == r {
			i++
		}
	}
	return i == len(x) && i > 0
}

// compareSounds compares a Chinese name (h) with one in Latin letters.
func compareSounds(h, l *form) (int8, Bits, bool) {
	if len(h.sounds) == 0 || len(l.words) == 0 {
		return nameScripts, 0, false
	}
	near := false
	for _, s := range h.sounds {
		if s == l.text {
			if !h.full {
				return nameWeak, h.wbits[0], false
			}
			return nameSounds, min(h.worth(), h.freq), false
		}
		near = near || len(s) >= 6 && within(s, l.text, 1)
	}
	if near {
		return nameTypo, min(h.worth(), h.freq), false
	}
	if !h.full {
		for i, w := range l.words {
			if w.text == h.sounds[0] {
				return nameWeak, l.wbits[i], false
			}
		}
	}
	return nameScripts, 0, false
}

// compareWords compares two names word by word, whatever their order.
func compareWords(a, b *form) (int8, Bits) {
	if len(a.words) > len(b.words) {
		a, b = b, a
	}
	if a.text == b.text && a.text != "" {
		return nameTypo, min(a.worth(), b.worth())
	}
	var taken, met uint32 // of b, of a
	var worth, rarest Bits
	typos, familyMet, givenMet := 0, false, false
	for pass := range 2 {
		for i := range a.words {
			if met&(1<<i) != 0 {
				continue
			}
			x := &a.words[i]
			for j := range b.words {
				y := &b.words[j]
				if taken&(1<<j) != 0 || pass == 0 && x.hash != y.hash || pass == 1 && !mistyped(x.text, y.text) && !(x.pet && y.pet && petName(x.text, y.text)) {
					continue
				}
				met |= 1 << i
				taken |= 1 << j
				w := min(a.wbits[i], b.wbits[j])
				if pass == 1 {
					typos++
					w = min(w*3/4, Bits(150*len(x.text)))
				}
				worth += w
				rarest = max(rarest, w)
				familyMet = familyMet || x.role == family && y.role == family
				givenMet = givenMet || x.role != family && y.role != family
				break
			}
		}
	}
	n := 0
	var all Bits
	for i, w := range a.wbits {
		all += w
		if met&(1<<i) != 0 {
			n++
		}
	}
	for _, w := range b.wbits {
		all += w
	}
	worth = min(worth, max(a.freq, b.freq))
	phrase := min(worth, rarest+(worth-rarest)/4) // words of a phrase come together: las vegas
	switch {
	case n == 0:
		if glued(a, b) {
			return nameMost, min(a.worth(), b.worth()) / 2
		}
		return nameConflict, 0
	case n == len(a.words) && n == len(b.words):
		if typos > 0 {
			return nameTypo, worth
		}
		return nameSame, worth
	case n == len(a.words) && n == 1:
		if !a.full || b.party == person {
			return nameWeak, worth
		}
		if 2*worth*10 >= all*6 {
			return nameWithin, worth
		}
		return nameWeak, worth
	case n == len(a.words):
		return nameWithin, worth
	case familyMet && !givenMet && a.roles() && b.roles():
		return nameFamily, phrase
	case givenMet && !familyMet && a.roles() && b.roles():
		return nameGiven, phrase
	case 2*worth*10 >= all*6:
		return nameMost, phrase
	case familyMet:
		return nameFamily, phrase
	}
	return nameGiven, phrase
}

// roles tells whether a name says which of its words is the family's and which are not.
func (f *form) roles() bool {
	fam, giv := false, false
	for i := range f.words {
		fam = fam || f.words[i].role == family
		giv = giv || f.words[i].role == given
	}
	return fam && giv
}

// glued tells whether two names are one whose words were put together or cut
// elsewhere.
func glued(a, b *form) bool {
	return len(a.text) >= 6 && len(b.text) >= 6 && within(a.text, b.text, 1)
}
