package index

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"branchline/schema/han"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// How much of a value a query is, the best first.
const (
	fitWhole  = iota // all of it: a plate, a VIN, a phone number, an order's number, a name in either script or its sound
	fitPart          // its beginning, or the end that people know it by
	fitInside        // some of it
	fitText          // a word of a note, an address, a line of work
)

// A rank is a fit, and within a fit how likely that kind of value is meant by a query of this shape.
const (
	rankFit = 8
	// RankRetired is added for records no longer in force.
	RankRetired = 8 * rankFit
)

// Query is what a person typed, read.
type Query struct {
	whole *Part   // all of it as one thing, spaces or not
	parts []*Part // its words, when they are several conditions
}

// Part is one condition: what a word, or the whole of a query, may be.
type Part struct {
	text   string   // folded
	keys   []key    // as a number, a plate, a VIN, a phone
	words  pattern  // as a name or another text
	likely []string // by what it is meant, the likeliest first
}

// key is the beginning of the terms that fit.
type key struct {
	from, by string
	fit      int // of a term that is longer
	short    bool
}

// Parse reads a query. A name and a number written together (王8888) are two conditions.
func Parse(query string) *Query {
	text := fold(query)
	q := &Query{whole: partOf(text)}
	var words []string
	for _, w := range strings.Fields(text) {
		words = append(words, apart(w)...)
	}
	if len(words) > 1 {
		for _, w := range words {
			q.parts = append(q.parts, partOf(w))
		}
	}
	return q
}

// Empty tells whether nothing was asked.
func (q *Query) Empty() bool { return q.whole.text == "" }

// Parts are the conditions of a query of several; nil when it is one.
func (q *Query) Parts() []*Part { return q.parts }

// Whole is the query as one condition.
func (q *Query) Whole() *Part { return q.whole }

// apart splits a name from the digits behind it.
func apart(word string) []string {
	i := strings.IndexFunc(word, func(r rune) bool { return !han.Is(r) })
	if i > 0 && len(word)-i >= 3 && strings.Trim(word[i:], "0123456789") == "" {
		return []string{word[:i], word[i:]}
	}
	return []string{word}
}

// split is the query's words as those that are numbers, and the others together as one name; named is nil without any.
func (q *Query) split() (keyed []*Part, named *Part) {
	var names []string
	for _, p := range q.parts {
		if p.keyed() {
			keyed = append(keyed, p)
		} else {
			names = append(names, p.text)
		}
	}
	if len(names) > 0 {
		named = partOf(strings.Join(names, " "))
	}
	return keyed, named
}

// short tells whether the query ends in letters too few to be looked up as the beginning of a name.
func (q *Query) short() bool {
	n := len(q.parts)
	return q.whole.words.short() && (n == 0 || !q.parts[n-1].keyed())
}

// Numbered tells whether a word of the query is a number or a plate that a record has.
func (q *Query) Numbered(e *Entry) bool {
	keyed, _ := q.split()
	return slices.ContainsFunc(keyed, func(p *Part) bool { _, ok := p.Fits(e); return ok })
}

// keyed tells whether a word is a number or a plate rather than a name.
func (p *Part) keyed() bool {
	return len(p.keys) > 0 && (strings.ContainsAny(p.text, "0123456789") || plateLike(p.text))
}

// Keyed finds the records that have the narrowest of the query's numbers and plates, by their number in the tables; all is
// false when even of that there are more than most, and they are some, the latest first. Of a query of one word, or of
// names alone, it finds none.
func Keyed(ctx context.Context, q Querier, query *Query, most int) (ns []int64, all bool, err error) {
	keyed, _ := query.split()
	for _, p := range keyed {
		f := finder{ctx: ctx, q: q, found: map[int64]Found{}, all: true}
		if err := f.keys(p, most); err != nil {
			return nil, false, fmt.Errorf("index: keyed: %w", err)
		}
		if ns == nil || f.all && (!all || len(f.found) < len(ns)) {
			ns, all = slices.Collect(maps.Keys(f.found)), f.all
		}
	}
	slices.SortFunc(ns, func(a, b int64) int { return cmp.Compare(b, a) })
	return ns, all, nil
}

// Bearers finds the records that bear the words of a query that are no numbers and no plates as a name, by their number in
// the tables: the latest, at most so many.
func Bearers(ctx context.Context, q Querier, query *Query, most int) ([]int64, error) {
	_, named := query.split()
	if named == nil {
		return nil, nil
	}
	f := finder{ctx: ctx, q: q}
	ns, err := f.match(ByName, named.words, most)
	if err != nil {
		return nil, fmt.Errorf("index: bearers: %w", err)
	}
	return ns, nil
}

// wordy tells whether it can be a name at all.
func (p *Part) wordy() bool {
	return strings.ContainsFunc(p.text, func(r rune) bool { return han.Is(r) || 'a' <= r && r <= 'z' || r > 0x7f })
}

// provinces are the characters that plates begin with.
const provinces = "京津沪渝冀晋蒙辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新"

// plateLike: a province and a letter, as plates begin. 云 and 宁 are surnames too, but no name goes on in Latin letters.
func plateLike(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return strings.ContainsRune(provinces, r) && len(s) > n && ('a' <= s[n] && s[n] <= 'z' || 'A' <= s[n] && s[n] <= 'Z')
}

// partOf reads one condition out of folded text.
func partOf(text string) *Part {
	p := &Part{text: text, words: patternOf(text)}
	add := func(letter byte, value, by string, fit int, short bool) {
		if value != "" {
			p.keys = append(p.keys, key{string(rune(letter)) + value, by, fit, short})
		}
	}
	if d := digitsOf(text); len(d) >= 3 {
		d = national(d)
		add(termPhone0, d, ByPhone, fitPart, false)
		if len(d) >= 4 {
			add(termPhone, backwards(d), ByPhone, fitPart, true)
		}
	}
	digit := strings.ContainsAny(text, "0123456789")
	if v := vin.Fold(text); len(v) >= 4 && digit && isASCII(v) {
		fit := fitInside
		if len(v) >= 6 {
			fit = fitPart
		}
		add(termVIN, backwards(v), ByVIN, fit, false)
	}
	if l := plate.Fold(text); plateLike(text) || utf8.RuneCountInString(l) == 1 && strings.Contains(provinces, l) || digit && utf8.RuneCountInString(l) >= 3 {
		add(termPlate0, l, ByPlate, fitPart, false)
		add(termPlateIn, l, ByPlate, fitPart, true)
		if utf8.RuneCountInString(l) >= 3 {
			add(termPlate, backwards(l), ByPlate, fitPart, true)
		}
	}
	if n := foldNumber(text); len(n) >= 3 && isASCII(n) {
		add(termNumber, backwards(n), ByNumber, fitPart, false)
	}
	p.likely = likely(text, digit)
	return p
}

// likely are the kinds of value a query of this shape is, the likeliest first.
func likely(text string, digit bool) []string {
	t := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" -·.()+", r) {
			return -1
		}
		return r
	}, text)
	n := utf8.RuneCountInString(t)
	switch {
	case plateLike(t):
		return []string{ByPlate, ByName, ByText, ByVIN, ByPhone, ByNumber}
	case !digit || !isASCII(t):
		return []string{ByName, ByPlate, ByNumber, ByText, ByVIN, ByPhone}
	case strings.Trim(t, "0123456789") != "": // letters and digits
		switch {
		case n >= 9 && n != vin.Length || strings.Contains(text, "-"):
			return []string{ByNumber, ByVIN, ByPlate, ByName, ByText, ByPhone}
		case n <= 6 || n == 7 && t[1] >= 'a':
			return []string{ByPlate, ByVIN, ByNumber, ByName, ByText, ByPhone}
		}
		return []string{ByVIN, ByPlate, ByNumber, ByName, ByText, ByPhone}
	case n == 5:
		return []string{ByPlate, ByPhone, ByVIN, ByNumber, ByName, ByText}
	case 6 <= n && n <= 8 && !mobile(t):
		return []string{ByVIN, ByPhone, ByNumber, ByPlate, ByName, ByText}
	}
	return []string{ByPhone, ByPlate, ByVIN, ByNumber, ByName, ByText}
}

// mobile tells whether digits begin as a mobile number does.
func mobile(d string) bool { return len(d) > 1 && d[0] == '1' && d[1] >= '3' }

func (p *Part) rank(fit int, by string) int { return fit*rankFit + max(0, slices.Index(p.likely, by)) }

// byKey is what it says of a record that it has a term which begins with a key.
func (p *Part) byKey(k key, term string) Found {
	fit := k.fit
	if term == k.from && !k.short {
		fit = fitWhole
	}
	return Found{Rank: p.rank(fit, k.by), Matched: k.by}
}

// Begins is what it says of a record that a value of it begins as the condition reads, where the tables do not say so.
func (p *Part) Begins(by string) Found { return Found{Rank: p.rank(fitPart, by), Matched: by} }

// Holds is the same of a value that has the condition somewhere inside.
func (p *Part) Holds(by string) Found { return Found{Rank: p.rank(fitInside, by), Matched: by} }

// Is is what it says of a record that a value of it is the condition.
func (p *Part) Is(by string) Found { return Found{Rank: p.rank(fitWhole, by), Matched: by} }

// Text is the condition as it was typed, folded.
func (p *Part) Text() string { return p.text }

// Fits tells whether and how well the condition is met by a record, as Find does of the records in the tables; of a
// name that is typed it also finds those that begin with one or two letters.
func (p *Part) Fits(e *Entry) (f Found, ok bool) {
	better := func(g Found) {
		if !ok || g.Rank < f.Rank {
			f, ok = g, true
		}
	}
	for _, k := range p.keys {
		i, _ := slices.BinarySearch(e.Terms, k.from)
		if i < len(e.Terms) && strings.HasPrefix(e.Terms[i], k.from) {
			better(p.byKey(k, e.Terms[i]))
		}
	}
	if !p.wordy() || len(p.words.phrases) == 0 {
		return f, ok
	}
	if slices.ContainsFunc(e.Names, p.words.in) {
		better(Found{Rank: p.rank(fitInside, ByName), Matched: ByName})
	}
	if !p.keyed() && slices.ContainsFunc(e.Text, p.words.in) {
		better(Found{Rank: p.rank(fitText, ByText), Matched: ByText})
	}
	return f, ok
}

// NameRank is how well the best name of a record fits the whole query, for one found by name.
func (q *Query) NameRank(names []string) int { return q.whole.NameRank(names) }

// NameRank is how well the best of some names fits the condition.
func (p *Part) NameRank(names []string) int {
	fit := fitInside
	sound := strings.ReplaceAll(p.text, " ", "")
	if strings.ContainsFunc(sound, func(r rune) bool { return r < 'a' || r > 'z' }) {
		sound = ""
	}
	for _, name := range names {
		name := han.Fold(name)
		switch {
		case name == p.text:
			return p.rank(fitWhole, ByName)
		case strings.HasPrefix(name, p.text):
			fit = fitPart
		}
		if sound == "" {
			continue
		}
		for _, r := range han.Pinyin(name) {
			for _, s := range []string{r.Full(), strings.ReplaceAll(r.Full(), "v", "u"), r.Initials()} {
				if s == sound {
					return p.rank(fitWhole, ByName)
				}
				if strings.HasPrefix(s, sound) {
					fit = fitPart
				}
			}
		}
	}
	return p.rank(fit, ByName)
}

// digitsOf are the digits of a number as it is written; "" for anything else.
func digitsOf(text string) string {
	d := strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		if strings.ContainsRune(" -()+.", r) {
			return -1
		}
		return 'x'
	}, text)
	if strings.Contains(d, "x") {
		return ""
	}
	return d
}

// national is a phone number without the country before it.
func national(d string) string {
	if len(d) > 11 {
		d = strings.TrimPrefix(strings.TrimPrefix(d, "00"), "86")
	}
	return d
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// pattern is how words are asked for: Chinese characters that are written together, and Latin words, stand in the record
// in any order; the last Latin word is the beginning of one, and several may be one (wang xiao ming).
type pattern struct {
	phrases [][]string
	open    bool
	joined  string // the Latin words as one; "" for one, and beside Chinese characters
}

// minOpen is how long a Latin word must be to be asked for by its beginning: shorter ones begin a tenth of all names, and
// gathering them costs more than a person who goes on typing waits.
const minOpen = 3

func patternOf(text string) pattern {
	var p pattern
	var latin []string
	for _, piece := range strings.Fields(text) {
		var phrase []string
		flush := func() {
			if len(phrase) > 0 {
				p.phrases, phrase = append(p.phrases, phrase), nil
			}
		}
		for _, w := range han.QueryWords(piece) {
			if r, _ := utf8.DecodeRuneInString(w); han.Is(r) {
				phrase, p.open = append(phrase, w), false
				continue
			}
			flush()
			p.phrases, p.open, latin = append(p.phrases, []string{w}), true, append(latin, w)
		}
		flush()
	}
	if len(latin) > 1 && len(latin) == len(p.phrases) {
		p.joined = strings.Join(latin, "")
	}
	return p
}

// short tells whether the index is not asked for all that begins with the last word.
func (p pattern) short() bool {
	return p.open && p.joined == "" && len(p.phrases[len(p.phrases)-1][0]) < minOpen
}

// expr is the pattern as an expression of the word index.
func (p pattern) expr(column string) string {
	var parts []string
	for i, phrase := range p.phrases {
		s := `"` + strings.ReplaceAll(strings.Join(phrase, " "), `"`, `""`) + `"`
		if i == len(p.phrases)-1 && p.open && len(phrase[0]) >= minOpen {
			s += "*"
		}
		parts = append(parts, s)
	}
	text := strings.Join(parts, " AND ")
	if len(p.joined) >= minOpen {
		text = "(" + text + `) OR "` + strings.ReplaceAll(p.joined, `"`, `""`) + `"*`
	}
	return "{" + column + "} : (" + text + ")"
}

// in tells whether it stands in text that is split as the index splits it.
func (p pattern) in(text string) bool {
	words := strings.Fields(text)
	if p.joined != "" && slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, p.joined) }) {
		return true
	}
	for i, phrase := range p.phrases {
		if !stands(words, phrase, p.open && i == len(p.phrases)-1) {
			return false
		}
	}
	return len(p.phrases) > 0
}

func stands(words, phrase []string, open bool) bool {
	for i := 0; i+len(phrase) <= len(words); i++ {
		if open && strings.HasPrefix(words[i], phrase[0]) || slices.Equal(words[i:i+len(phrase)], phrase) {
			return true
		}
	}
	return false
}
