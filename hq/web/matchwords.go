package web

import (
	"math"
	"net/url"
	"strings"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// What the matcher says of a pair, in words of the reader's language.

// noLevel is the level of what was not compared.
const noLevel = "not compared: one says nothing"

// levels are the words' keys for the matcher's levels, and the sign before them.
var levels = map[string]struct{ key, sign string }{
	"the same":        {"same", "="},
	"nearly the same": {"nearly", "≈"},
	"different":       {"different", "≠"},

	"the same by sound":                     {"sound", "≈"},
	"the same but for slips or short forms": {"slips", "≈"},
	"all that the shorter says":             {"short", "≈"},
	"all that the shorter says, one word":   {"short_one", "≈"},
	"most of it":                            {"most", "≈"},
	"a word in common, others conflict":     {"word", "≠"},
	"family name, other given name":         {"family", "≠"},
	"different scripts, not alike by sound": {"scripts", "≠"},
	"nothing in common":                     {"nothing", "≠"},
	"a person and a company":                {"company", "≠"},

	"the road and a number":             {"road", "≈"},
	"the road, no number on one side":   {"road_half", "≈"},
	"road or number only":               {"road_or", "≠"},
	"one slip":                          {"slip", "≈"},
	"two of year, month and day":        {"two", "≈"},
	"most digits":                       {"digits", "≠"},
	"the year":                          {"year", "≠"},
	"a few letters differ":              {"letters", "≈"},
	"before the @":                      {"local", "≈"},
	"much in common, but other numbers": {"codes", "≠"},
	"most in common":                    {"most", "≈"},
	"half in common":                    {"half", "≈"},
	"some in common":                    {"some", "≠"},
	"a little in common":                {"some", "≠"},
	"nothing much in common":            {"nothing", "≠"},

	// Without a sign: not compared.
	noLevel:                            {"none", ""},
	"not compared: many names have it": {"nobodys", ""},
}

// typeLabel is what a type of evidence is called; one that this version does not know by its own word.
func (a *ask) typeLabel(kind string) string {
	if key := "match.type." + kind; a.s.look.Has(key) {
		return a.T(key)
	}
	return kind
}

// sayEvidence says how two values compare, how rare what agrees is, and how much that weighs.
func (a *ask) sayEvidence(row *matchRow, e *branchlinev1.MatchEvidence) {
	l, known := levels[e.GetLevel()]
	switch key := "match.level." + e.GetType() + "_" + l.key; {
	case !known:
		row.Say = e.GetLevel()
	case a.s.look.Has(key):
		row.Say = a.T(key)
	default:
		row.Say = a.T("match.level." + l.key)
	}
	row.Sign = l.sign
	if known && l.sign == "" {
		row.None = true
		return
	}
	var more []string
	if n := oneIn(e.GetRarity()); n >= 4 && e.GetWeight() > 0 {
		more = append(more, a.T("match.rare", n))
	} else if e.GetRarity() > 0 && e.GetWeight() > 0 && l.sign == "=" {
		more = append(more, a.T("match.common"))
	}
	n := strength(e.GetWeight())
	row.For = e.GetWeight() > 0
	side := "against"
	if row.For {
		side = "for"
	}
	say := a.T("match.weigh_little")
	if n > 0 {
		say = a.T("match.weigh_" + side + "_" + []string{"", "1", "2", "3", "4", "4"}[n])
	}
	row.More = a.gap() + strings.Join(append(more, say), a.gap())
	row.BarSay = a.T("match.bars_"+side, n)
	if n == 0 {
		row.BarSay = a.T("match.weigh_little")
	}
	for i := range n {
		x := 59 + 11*i
		if !row.For {
			x = 44 - 11*i
		}
		row.Bars = append(row.Bars, x)
	}
}

// gap stands between two sentences: nothing where the full stop has its own room.
func (a *ask) gap() string {
	if a.Lang == look.En {
		return " "
	}
	return ""
}

// strength is a weight in hundredths of a bit as 0 to 5.
func strength(weight int32) int {
	w := max(weight, -weight)
	for i, least := range []int32{50, 200, 400, 700, 1000} {
		if w < least {
			return i
		}
	}
	return 5
}

// oneIn is a rarity in hundredths of a bit as one in so many, to two digits.
func oneIn(rarity int32) int64 {
	if rarity <= 0 {
		return 1
	}
	n := math.Exp2(float64(min(rarity, 4000)) / 100)
	unit := math.Pow(10, math.Max(0, math.Floor(math.Log10(n))-1))
	return int64(math.Round(n/unit) * unit)
}

// odds says a score as the odds for or against one customer.
func (a *ask) odds(score int32) string {
	n := min(oneIn(max(score, -score)), 10_000)
	switch {
	case n <= 1:
		return a.T("match.odds_even")
	case score > 0:
		return a.T("match.odds_for", n)
	}
	return a.T("match.odds_against", n)
}

// lean says what the program would say of a pair by itself, and which other story that is measured against.
func (a *ask) lean(c *matchCard, x *branchlinev1.MatchExplanation) {
	c.Lean = a.odds(x.GetScore())
	if x.GetVeto() {
		c.Lean = a.T("match.veto")
	}
	switch x.GetStory() {
	case "sharers":
		c.Story = a.T("match.story_sharers")
	case "neighbours":
		c.Story = a.T("match.story_neighbours")
	default:
		c.Story = a.T("match.story_strangers")
	}
}

func explainHref(a, b string) string {
	return "/match/explain?" + url.Values{"a": {a}, "b": {b}}.Encode()
}
