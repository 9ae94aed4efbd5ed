package index

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	"branchline/schema/han"
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

const (
	// MaxFound bounds what one reading of a query may bring.
	MaxFound = 400
	// maxBegun bounds what the beginning or end of a number may bring. What more have says little of any of them: which of
	// 400 mobile numbers that begin with 138 are shown is chance, and reading them all takes long.
	maxBegun = 160
	// maxWide bounds the numbers, plates or phones looked through for those that bear a name as well.
	maxWide = 20_000
	// fewTexts: with so many found by numbers and names, nobody looks at those found by other words.
	fewTexts = 40
)

// Querier runs a query within one snapshot.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Found is how well a record fits, the smaller the rank the better, and by what. Also is by what the further words of
// the query were found in it.
type Found struct {
	Rank    int
	Matched string
	Also    []string
}

// Find gives the records that fit what a person typed, by their number in the tables: at most MaxFound of each reading of
// the query, of a number fewer; the latest of those found by a name. Every record that fits is among them, unless all is false.
func Find(ctx context.Context, q Querier, query *Query) (found map[int64]Found, all bool, err error) {
	f := finder{ctx: ctx, q: q, query: query, found: map[int64]Found{}, all: true}
	if query.Empty() {
		return f.found, true, nil
	}
	if err := f.find(); err != nil {
		return nil, false, fmt.Errorf("index: find: %w", err)
	}
	return f.found, f.all, nil
}

// TextMatch is the full-text query for text that has all of the words; "" when there is nothing to find it by.
func TextMatch(words string) string {
	p := patternOf(fold(words))
	if len(p.phrases) == 0 {
		return ""
	}
	return p.expr(ByText)
}

// Named gives records that bear a name, or one that reads so, by their number in
// the tables: the latest, at most limit.
func Named(ctx context.Context, q Querier, name string, limit int) ([]int64, error) {
	f := finder{ctx: ctx, q: q}
	ns, err := f.match(ByName, patternOf(fold(name)), limit)
	if err != nil {
		return nil, fmt.Errorf("index: named: %w", err)
	}
	return ns, nil
}

type finder struct {
	ctx   context.Context
	q     Querier
	query *Query
	found map[int64]Found
	all   bool
}

func (q *finder) add(n int64, f Found) {
	if old, ok := q.found[n]; !ok || f.Rank < old.Rank {
		q.found[n] = f
	}
}

func (q *finder) find() error {
	whole := q.query.whole
	if err := q.keys(whole, maxBegun); err != nil {
		return err
	}
	if err := q.together(); err != nil {
		return err
	}
	if whole.wordy() {
		if err := q.words(ByName, whole.rank(fitInside, ByName)); err != nil {
			return err
		}
		if len(q.found) < fewTexts {
			if err := q.words(ByText, whole.rank(fitText, ByText)); err != nil {
				return err
			}
		}
		q.all = q.all && !q.query.short()
	} else if len(whole.keys) == 0 {
		q.all = false // one or two digits: nothing was looked up
	}
	return nil
}

func (q *finder) keys(p *Part, most int) error {
	for _, k := range p.keys {
		rows, err := q.q.QueryContext(q.ctx, "SELECT n, k FROM term WHERE k >= $1 AND k < $2 ORDER BY k LIMIT $3", k.from, k.from+"\xff", most)
		if err != nil {
			return err
		}
		err = q.each(rows, most, func(n int64, term string) { q.add(n, p.byKey(k, term)) })
		if err != nil {
			return err
		}
	}
	return nil
}

// each gives the rows; as many as most says that there may be more.
func (q *finder) each(rows *sql.Rows, most int, f func(n int64, term string)) error {
	defer rows.Close() // its error comes with rows.Err
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	count := 0
	for ; rows.Next(); count++ {
		var n int64
		var term string
		to := []any{&n, &term}
		if err := rows.Scan(to[:len(columns)]...); err != nil {
			return err
		}
		f(n, term)
	}
	q.all = q.all && count < most
	return rows.Err()
}

func (q *finder) words(column string, rank int) error {
	ns, err := q.match(column, q.query.whole.words, MaxFound)
	if err != nil {
		return err
	}
	for _, n := range ns {
		q.add(n, Found{Rank: rank, Matched: column})
	}
	q.all = q.all && len(ns) < MaxFound
	return nil
}

// together asks for records that fit every word: those that are numbers by a key, the others by a name.
func (q *finder) together() error {
	keyed, named := q.query.split()
	if len(keyed) == 0 || len(keyed) == 1 && named == nil {
		return nil
	}
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	text, by, rest := "", "+rowid", keyed
	if named != nil {
		text = "SELECT rowid FROM word WHERE word MATCH " + arg(named.words.expr(ByName))
	} else {
		text, by, rest = "SELECT n FROM ("+withKey(keyed[0], arg)+") WHERE true", "n", keyed[1:]
	}
	for _, p := range rest {
		text += " AND " + by + " IN (" + withKey(p, arg) + " LIMIT " + arg(maxWide) + ")"
	}
	if named != nil {
		text += " ORDER BY rowid DESC"
	}
	rows, err := q.q.QueryContext(q.ctx, text+" LIMIT "+arg(MaxFound), args...)
	if err != nil {
		return err
	}
	f := Found{Rank: 0, Matched: keyed[0].likely[0]}
	for _, p := range keyed[1:] {
		f.Also = append(f.Also, p.likely[0])
	}
	if named != nil {
		f.Also = append(f.Also, ByName)
	}
	return q.each(rows, MaxFound, func(n int64, _ string) { q.add(n, f) })
}

// withKey selects the records that have a term for one of a part's keys. Each is a range of its own: the table has no
// rowid, and an OR of ranges would walk all of it.
func withKey(p *Part, arg func(any) string) string {
	var out []string
	for _, k := range p.keys {
		out = append(out, "SELECT n FROM term WHERE k >= "+arg(k.from)+" AND k < "+arg(k.from+"\xff"))
	}
	return strings.Join(out, " UNION ALL ")
}

// match asks the word index.
func (q *finder) match(column string, p pattern, limit int) ([]int64, error) {
	if len(p.phrases) == 0 {
		return nil, nil
	}
	rows, err := q.q.QueryContext(q.ctx, "SELECT rowid FROM word WHERE word MATCH $1 ORDER BY rowid DESC LIMIT $2", p.expr(column), limit)
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

func fold(query string) string { return strings.TrimSpace(han.Fold(query)) }
