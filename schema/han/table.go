package han

import (
	_ "embed"
	"strings"
	"sync"
)

// simpleText holds pairs of characters, traditional then simplified, without
// separators; readingText one line a syllable: the syllable, a space, its
// characters. Both are written by TestTables_Current with -update.
var (
	//go:embed simple.txt
	simpleText string
	//go:embed reading.txt
	readingText string
)

// The blocks from CJK Extension A to the end of the unified ideographs are looked
// up by index; the few characters beyond, by map.
const (
	tableFirst = 0x3400
	tableLast  = 0x9FFF
)

type tables struct {
	toSimple [tableLast - tableFirst + 1]uint16 // 0: already simple; far: see farSimple
	farSim   map[rune]rune
	toSound  [tableLast - tableFirst + 1]uint16 // index into sounds; 0: none known
	farSound map[rune]uint16
	sounds   []string

	surnames  map[string][][]string // readings of a surname, best first, each a list of syllables
	more      map[rune][]string     // further readings of a character in given names
	famSounds map[string]bool       // joined readings of common surnames
}

// far marks a character whose simplified form does not fit 16 bits.
const far = 0xFFFF

var loaded = sync.OnceValue(load)

func load() *tables {
	t := &tables{
		farSim:   map[rune]rune{},
		farSound: map[rune]uint16{},
		sounds:   []string{""},
	}
	var from rune
	for i, r := range []rune(simpleText) {
		switch {
		case i%2 == 0:
			from = r
		case tableFirst <= from && from <= tableLast && r < far:
			t.toSimple[from-tableFirst] = uint16(r)
		default:
			if tableFirst <= from && from <= tableLast {
				t.toSimple[from-tableFirst] = far
			}
			t.farSim[from] = r
		}
	}
	for line := range strings.Lines(readingText) {
		sound, chars, _ := strings.Cut(strings.TrimSpace(line), " ")
		index := uint16(len(t.sounds))
		t.sounds = append(t.sounds, sound)
		for _, r := range chars {
			if tableFirst <= r && r <= tableLast {
				t.toSound[r-tableFirst] = index
			} else {
				t.farSound[r] = index
			}
		}
	}
	t.loadNames()
	return t
}

func (t *tables) simple(r rune) rune {
	if r < tableFirst {
		return r
	}
	if r <= tableLast {
		switch s := t.toSimple[r-tableFirst]; s {
		case 0:
			return r
		case far:
		default:
			return rune(s)
		}
	}
	if s, ok := t.farSim[r]; ok {
		return s
	}
	return r
}

// sound returns the commonest reading of r, or "" when none is known. A
// traditional character is looked up by itself first, then by its simplified form.
func (t *tables) sound(r rune) string {
	for range 2 {
		switch {
		case r < tableFirst:
			if r == '〇' {
				return "ling"
			}
		case r <= tableLast:
			if i := t.toSound[r-tableFirst]; i != 0 {
				return t.sounds[i]
			}
		default:
			if i := t.farSound[r]; i != 0 {
				return t.sounds[i]
			}
		}
		r = t.simple(r)
	}
	return ""
}
