package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/han"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// Hit is one record found.
type Hit struct {
	Record *branchlinev1.Record
	// Matched says by what: number, plate, vin, phone, name, text.
	Matched string
}

// Ranks of hits: whole plates, VINs, phones and numbers first, then whole names.
const (
	rankKey = iota
	rankName
	rankTail
	rankBegins
	rankContains
	rankText
	rankRetired // added
)

// maxFound bounds what one part of a query may bring.
const maxFound = 400

// Search finds records by what a person at a counter types: a name of two
// characters or more, its pinyin or initials, traditional or simplified; the end
// of a phone number; a plate or its end; a VIN or its last characters; an order
// number. Several words must all fit. kinds, if not empty, are those wanted. More
// tells that there are further hits.
func (s *Store) Search(ctx context.Context, query string, kinds []schema.Kind, limit int) (hits []Hit, more bool, err error) {
	limit = max(1, min(limit, 100))
	err = s.reading(ctx, func(r *reader) error {
		q := finder{reader: r, kinds: kinds, found: map[int64]found{}}
		if err := q.all(query); err != nil {
			return fmt.Errorf("store: search: %w", err)
		}
		hits, more, err = q.hits(query, limit)
		return err
	})
	return hits, more, err
}

type found struct {
	rank    int
	matched string
}

type finder struct {
	*reader
	kinds []schema.Kind
	found map[int64]found
}

func (q *finder) add(n int64, f found) {
	if old, ok := q.found[n]; !ok || f.rank < old.rank {
		q.found[n] = f
	}
}

func (q *finder) all(query string) error {
	query = strings.TrimSpace(han.Fold(query))
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
	if err := q.words("name", query, rankContains); err != nil {
		return err
	}
	if len(q.found) >= maxFound {
		return nil
	}
	return q.words("text", query, rankText)
}

func isLetter(r rune) bool { return han.Is(r) || 'a' <= r && r <= 'z' || r > 0x7f }

// keys looks the query up as plate, VIN, phone and number, whole and by its end.
func (q *finder) keys(query string, add func(int64, found)) error {
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
		if err := q.prefix(termPhone, backwards(digits), "phone", add); err != nil {
			return err
		}
	}
	if v := vin.Fold(query); len(v) >= 4 && isASCII(v) {
		if err := q.prefix(termVIN, backwards(v), "vin", add); err != nil {
			return err
		}
	}
	if p := plate.Fold(query); utf8.RuneCountInString(p) >= 3 {
		if err := q.prefix(termPlate, backwards(p), "plate", add); err != nil {
			return err
		}
		if err := q.prefix(termPlate0, p, "plate", add); err != nil {
			return err
		}
	}
	if n := foldNumber(query); len(n) >= 3 && isASCII(n) {
		return q.prefix(termNumber, backwards(n), "number", add)
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

func (q *finder) prefix(kind byte, key, matched string, add func(int64, found)) error {
	k := string(kind) + key
	rows, err := q.tx.QueryContext(q.ctx, "SELECT k, n FROM term WHERE k >= $1 AND k < $2 ORDER BY k LIMIT $3", k, k+"\xff", maxFound)
	if err != nil {
		return err
	}
	defer rows.Close()
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
		add(n, found{rank, matched})
	}
	return rows.Err()
}

// together asks for records that fit every word, one by a key and another by a name.
func (q *finder) together(words []string) error {
	var sets []map[int64]found
	var names []string
	for _, w := range words {
		set := map[int64]found{}
		if strings.ContainsAny(w, "0123456789") {
			if err := q.keys(w, func(n int64, f found) { set[n] = f }); err != nil {
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
		set := map[int64]found{}
		ns, err := q.match("name", strings.Join(names, " "), 4*maxFound)
		if err != nil {
			return err
		}
		for _, n := range ns {
			set[n] = found{rankName, "name"}
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
		q.add(n, found{rankKey, f.matched})
	}
	return nil
}

func (q *finder) words(column, query string, rank int) error {
	ns, err := q.match(column, query, maxFound)
	if err != nil {
		return err
	}
	for _, n := range ns {
		q.add(n, found{rank, column})
	}
	return nil
}

// match asks the word index: characters side by side as a phrase, the last Latin
// word by its beginning, and Latin words also as one (wang xiao ming).
func (q *finder) match(column, query string, limit int) ([]int64, error) {
	var parts, latin []string
	var phrase []string
	flush := func() {
		if len(phrase) > 0 {
			parts = append(parts, `"`+strings.Join(phrase, " ")+`"`)
			phrase = nil
		}
	}
	chinese := false
	for _, piece := range strings.Fields(query) {
		for _, w := range han.QueryWords(piece) {
			r, _ := utf8.DecodeRuneInString(w)
			if han.Is(r) {
				phrase, chinese = append(phrase, w), true
				continue
			}
			flush()
			latin = append(latin, w)
			parts = append(parts, `"`+strings.ReplaceAll(w, `"`, `""`)+`"`)
		}
		flush()
	}
	if len(parts) == 0 {
		return nil, nil
	}
	if n := len(parts) - 1; len(latin) > 0 && strings.HasSuffix(parts[n], latin[len(latin)-1]+`"`) {
		parts[n] += "*"
	}
	expr := strings.Join(parts, " AND ")
	if len(latin) > 1 && !chinese {
		expr = "(" + expr + `) OR "` + strings.Join(latin, "") + `"*`
	}
	rows, err := q.tx.QueryContext(q.ctx, "SELECT rowid FROM word WHERE word MATCH $1 ORDER BY rowid DESC LIMIT $2", "{"+column+"} : ("+expr+")", limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
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

// candidate is a record found, before it is rendered.
type candidate struct {
	*row
	found
	updated int64
}

func (q *finder) hits(query string, limit int) ([]Hit, bool, error) {
	cands, err := q.candidates(strings.TrimSpace(han.Fold(query)))
	if err != nil {
		return nil, false, err
	}
	slices.SortFunc(cands, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.updated, a.updated), cmp.Compare(b.n, a.n))
	})
	more := len(cands) > limit
	if more {
		cands = cands[:limit]
	}
	out := make([]Hit, 0, len(cands))
	for _, c := range cands {
		rec, err := q.record(c.row, false)
		if err != nil {
			return nil, false, err
		}
		out = append(out, Hit{rec, c.matched})
	}
	return out, more, q.groups(cands, out)
}

// groups adds the groups of all hits at once.
func (q *finder) groups(cands []candidate, hits []Hit) error {
	if len(cands) == 0 {
		return nil
	}
	args := make([]any, 0, len(cands))
	at := map[schema.RecordID]int{}
	for i, c := range cands {
		args = append(args, c.id[:])
		at[c.id] = i
	}
	rows, err := q.tx.QueryContext(q.ctx, "SELECT h.record, m.record FROM member h JOIN member m ON m.grp = h.grp JOIN record r ON r.id = m.record WHERE h.record IN (?"+
		strings.Repeat(",?", len(args)-1)+") ORDER BY h.record, m.record", args...)
	if err != nil {
		return fmt.Errorf("store: search: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var of, member []byte
		if err := rows.Scan(&of, &member); err != nil {
			return fmt.Errorf("store: search: %w", err)
		}
		rid, err := schema.RecordIDFromBytes(of)
		if err != nil {
			return err
		}
		mid, err := schema.RecordIDFromBytes(member)
		if err != nil {
			return err
		}
		i := at[rid]
		hits[i].Record.Group = append(hits[i].Record.Group, schema.ResourceName(cands[i].kind.Kind, mid))
	}
	return rows.Err()
}

// candidates reads the rows found and ranks names by how they fit.
func (q *finder) candidates(query string) ([]candidate, error) {
	if len(q.found) == 0 {
		return nil, nil
	}
	ns := make([]any, 0, len(q.found))
	for n := range q.found {
		ns = append(ns, n)
	}
	rows, err := q.tx.QueryContext(q.ctx, "SELECT updated, retired, "+rowColumns+" FROM record WHERE n IN (?"+strings.Repeat(",?", len(ns)-1)+")", ns...)
	if err != nil {
		return nil, fmt.Errorf("store: search: %w", err)
	}
	defer rows.Close()
	var out []candidate
	for rows.Next() {
		var updated, retired int64
		x, err := scanRow(scanAfter{rows, []any{&updated, &retired}})
		if err != nil {
			return nil, fmt.Errorf("store: search: %w", err)
		}
		if len(q.kinds) > 0 && !slices.Contains(q.kinds, x.kind.Kind) {
			continue
		}
		f := q.found[x.n]
		if f.matched == "name" && f.rank == rankContains {
			if f.rank, err = nameRank(x, query); err != nil {
				return nil, err
			}
		}
		if retired != 0 {
			f.rank += rankRetired
		}
		out = append(out, candidate{x, f, updated})
	}
	return out, rows.Err()
}

// scanAfter scans some columns that stand before the others.
type scanAfter struct {
	sc    scanner
	first []any
}

func (s scanAfter) Scan(dest ...any) error { return s.sc.Scan(append(s.first, dest...)...) }

// nameRank tells how well a name of the record fits the whole query.
func nameRank(x *row, query string) (int, error) {
	msg, _, err := messageOf(x.kind, x.shown)
	if err != nil {
		return 0, err
	}
	rank := rankContains
	for _, name := range namesOf(x.kind, msg) {
		switch name = han.Fold(name); {
		case name == query:
			return rankName, nil
		case strings.HasPrefix(name, query):
			rank = rankBegins
		}
	}
	return rank, nil
}
