package han

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// A title whose end is not known would never be taken off.
func TestTitleEnds_areThoseOfAllTitles(t *testing.T) {
	for _, title := range slices.Concat(longTitles, shortTitles) {
		last, _ := utf8.DecodeLastRuneInString(title)
		if !strings.ContainsRune(titleEnds, last) {
			t.Errorf("%s ends in a character that titleEnds has not", title)
		}
		if got := untitled("王" + title); got != "王" {
			t.Errorf("王%s without its title is %s", title, got)
		}
	}
}
