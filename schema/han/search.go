package han

import (
	"slices"
	"strings"
	"unicode"
)

// SearchForms returns the words under which a name can be found, for an index
// that splits at spaces and finds by prefix: each Chinese character by itself, in
// the order of the name (so that a phrase query finds 艳燕 in 李艳燕), first
// simplified, then as written where that differs; Latin words; and for each
// reading the whole pinyin, the given name's and the initials. Names read with ü
// are found by v, u and yu.
func SearchForms(name string) []string {
	folded := Fold(name)
	out := words(folded)
	if wide := widen(name); wide != folded {
		out = append(out, words(wide)...)
	}
	var sounds []string
	add := func(s string) {
		if s != "" && !slices.Contains(sounds, s) {
			sounds = append(sounds, s)
		}
	}
	for _, r := range Pinyin(name) {
		full, given := r.Full(), ""
		if len(r.Family) > 0 {
			given = strings.Join(r.Given, "")
		}
		for _, s := range []string{full, given} {
			add(s)
			if strings.Contains(s, "v") {
				add(strings.ReplaceAll(s, "v", "u"))
				add(strings.ReplaceAll(s, "v", "yu"))
			}
		}
		add(r.Initials())
	}
	return append(out, sounds...)
}

// SearchText is SearchForms joined by spaces: the text of a name's search entry.
func SearchText(name string) string { return strings.Join(SearchForms(name), " ") }

// QueryWords splits what a person typed in the way SearchForms splits a name:
// each Chinese character, simplified, and each Latin word by itself. The
// characters between two Latin words stand side by side and should be asked for as
// a phrase, the last word as a prefix.
func QueryWords(query string) []string { return words(Fold(query)) }

// words splits folded text into single Chinese characters and words of other
// letters and digits.
func words(folded string) []string {
	var out []string
	start := -1
	flush := func(end int) {
		if start >= 0 {
			out = append(out, folded[start:end])
			start = -1
		}
	}
	for i, r := range folded {
		switch {
		case Is(r):
			flush(i)
			out = append(out, string(r))
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.M, r):
			if start < 0 {
				start = i
			}
		default:
			flush(i)
		}
	}
	flush(len(folded))
	return out
}
