package index

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	"branchline/schema/han"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// Ranks of what is found: whole plates, VINs, phones and numbers first, then whole names.
const (
	rankKey = iota
	rankName
	rankTail
	rankBegins
	rankContains
	rankText
	// RankRetired is added for records no longer in force.
	RankRetired
)

// By what a record was found.
const (
	ByNumber = "number"
	ByPlate  = "plate"
	ByVIN    = "vin"
	ByPhone  = "phone"
	ByName   = "name"
	ByText   = "text"
)

// searchOf is the option that makes a field found by it.
var searchOf = map[string]optionsv1.Search{
	ByNumber: optionsv1.Search_SEARCH_NUMBER, ByPlate: optionsv1.Search_SEARCH_PLATE, ByVIN: optionsv1.Search_SEARCH_VIN,
	ByPhone: optionsv1.Search_SEARCH_PHONE, ByName: optionsv1.Search_SEARCH_NAME, ByText: optionsv1.Search_SEARCH_TEXT,
}

// Tells tells whether finding a record of the kind by matched tells something of a field that is hidden.
func Tells(k *schema.KindInfo, matched string, hidden func(*schema.FieldInfo) bool) bool {
	return slices.ContainsFunc(k.Fields, func(f *schema.FieldInfo) bool { return f.Search == searchOf[matched] && hidden(f) })
}

// maxFound bounds what one part of a query may bring.
const maxFound = 400

// Querier runs a query within one snapshot.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Found is how well a record fits, the smaller the rank the better, and by what.
type Found struct {
	Rank    int
	Matched string
}

// Find gives the records that fit what a person typed, by their number in the
// tables: a name of two characters or more, its pinyin or initials; the end of a
// phone number; a plate or its end; a VIN or its last characters; an order number.
func Find(ctx context.Context, q Querier, query string) (map[int64]Found, error) {
	f := finder{ctx: ctx, q: q, found: map[int64]Found{}}
	if err := f.all(query); err != nil {
		return nil, fmt.Errorf("index: find: %w", err)
	}
	return f.found, nil
}

// Named gives records that bear a name, or one that reads so, by their number in
// the tables: the latest, at most limit.
func Named(ctx context.Context, q Querier, name string, limit int) ([]int64, error) {
	f := finder{ctx: ctx, q: q}
	ns, err := f.match(ByName, Fold(name), limit)
	if err != nil {
		return nil, fmt.Errorf("index: named: %w", err)
	}
	return ns, nil
}

// Fold is a query as it is compared with names.
func Fold(query string) string { return strings.TrimSpace(han.Fold(query)) }

// NameRank is how well the best name of a record fits the whole query, for one found by name.
func NameRank(names []string, query string) int {
	rank := rankContains
	query = Fold(query)
	for _, name := range names {
		switch name = han.Fold(name); {
		case name == query:
			return rankName
		case strings.HasPrefix(name, query):
			rank = rankBegins
		}
	}
	return rank
}

type finder struct {
	ctx   context.Context
	q     Querier
	found map[int64]Found
}

func (q *finder) add(n int64, f Found) {
	if old, ok := q.found[n]; !ok || f.Rank < old.Rank {
		q.found[n] = f
	}
}

func (q *finder) all(query string) error {
	query = Fold(query)
	if query == "" {
		return nil
	}
	if err := q.keys(query, q.add); err != nil {
		return err
	}
	words := strings.Fields(query)
	if len(words) > 1 {
		if err := q.together(words); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc([]rune(query), isLetter) {
		return nil
	}
	if err := q.words(ByName, query, rankContains); err != nil {
		return err
	}
	if len(q.found) >= maxFound {
		return nil
	}
	return q.words(ByText, query, rankText)
}

func isLetter(r rune) bool { return han.Is(r) || 'a' <= r && r <= 'z' || r > 0x7f }

// keys looks the query up as plate, VIN, phone and number, whole and by its end.
func (q *finder) keys(query string, add func(int64, Found)) error {
	digits := strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		if strings.ContainsRune(" -()+.", r) {
			return -1
		}
		return 'x'
	}, query)
	if !strings.Contains(digits, "x") && len(digits) >= 4 {
		if len(digits) > 11 {
			digits = strings.TrimPrefix(digits, "86") // written with the country
		}
		if err := q.prefix(termPhone, backwards(digits), ByPhone, add); err != nil {
			return err
		}
	}
	if v := vin.Fold(query); len(v) >= 4 && isASCII(v) {
		if err := q.prefix(termVIN, backwards(v), ByVIN, add); err != nil {
			return err
		}
	}
	if p := plate.Fold(query); utf8.RuneCountInString(p) >= 3 {
		if err := q.prefix(termPlate, backwards(p), ByPlate, add); err != nil {
			return err
		}
		if err := q.prefix(termPlate0, p, ByPlate, add); err != nil {
			return err
		}
	}
	if n := foldNumber(query); len(n) >= 3 && isASCII(n) {
		return q.prefix(termNumber, backwards(n), ByNumber, add)
	}
	return nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func (q *finder) prefix(kind byte, key, matched string, add func(int64, Found)) error {
	k := string(kind) + key
	rows, err := q.q.QueryContext(q.ctx, "SELECT k, n FROM term WHERE k >= $1 AND k < $2 ORDER BY k LIMIT $3", k, k+"\xff", maxFound)
	if err != nil {
		return err
	}
	defer rows.Close() // its error comes with rows.Err
	for rows.Next() {
		var got string
		var n int64
		if err := rows.Scan(&got, &n); err != nil {
			return err
		}
		rank := rankTail
		if got == k {
			rank = rankKey
		}
		add(n, Found{rank, matched})
	}
	return rows.Err()
}

// together asks for records that fit every word, one by a key and another by a name.
func (q *finder) together(words []string) error {
	var sets []map[int64]Found
	var names []string
	for _, w := range words {
		set := map[int64]Found{}
		if strings.ContainsAny(w, "0123456789") {
			if err := q.keys(w, func(n int64, f Found) { set[n] = f }); err != nil {
				return err
			}
		}
		if len(set) == 0 {
			names = append(names, w)
			continue
		}
		sets = append(sets, set)
	}
	if len(sets) == 0 || len(sets) == 1 && len(names) == 0 {
		return nil
	}
	if len(names) > 0 {
		set := map[int64]Found{}
		ns, err := q.match(ByName, strings.Join(names, " "), 4*maxFound)
		if err != nil {
			return err
		}
		for _, n := range ns {
			set[n] = Found{rankName, ByName}
		}
		sets = append(sets, set)
	}
next:
	for n, f := range sets[0] {
		for _, other := range sets[1:] {
			if _, ok := other[n]; !ok {
				continue next
			}
		}
		q.add(n, Found{rankKey, f.Matched})
	}
	return nil
}

func (q *finder) words(column, query string, rank int) error {
	ns, err := q.match(column, query, maxFound)
	if err != nil {
		return err
	}
	for _, n := range ns {
		q.add(n, Found{rank, column})
	}
	return nil
}

// match asks the word index: characters written together as a phrase, the last
// Latin word by its beginning, and Latin words also as one (wang xiao ming).
func (q *finder) match(column, query string, limit int) ([]int64, error) {
	var parts, latin, phrase []string
	flush := func() {
		if len(phrase) > 0 {
			parts = append(parts, `"`+strings.Join(phrase, " ")+`"`)
			phrase = nil
		}
	}
	chinese, open := false, false // open: the last part is a Latin word
	for _, piece := range strings.Fields(query) {
		for _, w := range han.QueryWords(piece) {
			r, _ := utf8.DecodeRuneInString(w)
			if han.Is(r) {
				phrase, chinese, open = append(phrase, w), true, false
				continue
			}
			flush()
			latin, open = append(latin, w), true
			parts = append(parts, `"`+strings.ReplaceAll(w, `"`, `""`)+`"`)
		}
		flush()
	}
	if len(parts) == 0 {
		return nil, nil
	}
	if open {
		parts[len(parts)-1] += "*"
	}
	expr := strings.Join(parts, " AND ")
	if len(latin) > 1 && !chinese {
		expr = "(" + expr + `) OR "` + strings.Join(latin, "") + `"*`
	}
	rows, err := q.q.QueryContext(q.ctx, "SELECT rowid FROM word WHERE word MATCH $1 ORDER BY rowid DESC LIMIT $2", "{"+column+"} : ("+expr+")", limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close() // its error comes with rows.Err
	var out []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, rows.Err()
}
