package say

import (
	"strings"
	"unicode/utf8"

	"branchline/schema/han"
	"branchline/schema/index"
	"branchline/schema/look"
)

// Marked is a text with what of it a person looked for: each word of the query as it is written, in either script, or as
// the pinyin or the initials of the characters.
func Marked(text, query string) []look.Piece {
	runes := []rune(text)
	folded := make([]string, len(runes))
	for i, r := range runes {
		folded[i] = strings.ToLower(string(han.Simple(han.Half(r))))
	}
	hit := make([]bool, len(runes))
	asked := index.Parse(query)
	words := asked.Parts()
	if len(words) == 0 {
		words = []*index.Part{asked.Whole()}
	}
	for _, w := range words {
		from, to := spelled(folded, w.Text())
		if to == 0 {
			from, to = sounded(runes, w.Text())
		}
		for i := from; i < to; i++ {
			hit[i] = true
		}
	}
	var out []look.Piece
	for i := range runes {
		if n := len(out); n > 0 && out[n-1].Hit == hit[i] {
			out[n-1].Text += string(runes[i])
		} else {
			out = append(out, look.Piece{Text: string(runes[i]), Hit: hit[i]})
		}
	}
	return out
}

// spelled is where a word stands as it is written; to is 0 when it does not.
func spelled(text []string, word string) (from, to int) {
	for i := range text {
		rest := word
		for j := i; j < len(text); j++ {
			after, ok := strings.CutPrefix(rest, text[j])
			if !ok {
				break
			}
			if rest = after; rest == "" {
				return i, j + 1
			}
		}
	}
	return 0, 0
}

// maxSounded bounds a text that is read aloud: no name is longer.
const maxSounded = 40

// sounded is where characters are read as a word of letters begins to write them.
func sounded(text []rune, word string) (from, to int) {
	if len(text) > maxSounded || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz") != "" {
		return 0, 0
	}
	readings := make([][]string, len(text))
	for i, r := range text {
		if han.Is(r) {
			for _, x := range han.Pinyin(string(r)) {
				readings[i] = append(readings[i], x.Full(), strings.ReplaceAll(x.Full(), "v", "u"))
			}
		}
	}
	for i := range text {
		if to := heard(readings, i, word); to > 0 {
			return i, to
		}
	}
	return 0, 0
}

// heard is behind which character a word that begins with the ith is used up; 0 when it says something else.
func heard(readings [][]string, i int, word string) int {
	if word == "" {
		return i
	}
	if i == len(readings) {
		return 0
	}
	for _, s := range readings[i] {
		if strings.HasPrefix(s, word) {
			return i + 1
		}
		if rest, ok := strings.CutPrefix(word, s); ok {
			if to := heard(readings, i+1, rest); to > 0 {
				return to
			}
		}
	}
	for _, s := range readings[i] {
		r, n := utf8.DecodeRuneInString(s)
		if w, _ := utf8.DecodeRuneInString(word); n > 0 && r == w {
			if to := heard(readings, i+1, word[n:]); to > 0 {
				return to
			}
		}
	}
	return 0
}
