package store

import (
	"cmp"
	"context"
	stdsql "database/sql"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
)

// The numbers of kinds, as they are written in a query.
var (
	customerKind = strconv.Itoa(int(schema.Customer))
	vehicleKind  = strconv.Itoa(int(schema.Vehicle))
	tieKind      = strconv.Itoa(int(schema.Tie))
	orderKind    = strconv.Itoa(int(schema.ServiceOrder))
	policyKind   = strconv.Itoa(int(schema.InsurancePolicy))
	pinKind      = strconv.Itoa(int(schema.Pin))
)

// Hit is one thing found: a record, or the view of its whole group under the name of the member that fits best.
type Hit struct {
	Record *branchlinev1.Record
	// Matched says by what: one of index.ByNumber and its like. Also is by what the further words of the query were found.
	Matched string
	Also    []string
	// Beside is what tells it apart: of a customer the present cars, of a car whose it is, of both the order that is open,
	// else the last one; of an order and what belongs to one whose it is, and the order.
	Beside []*branchlinev1.Record
}

// Asked is a search.
type Asked struct {
	Query string
	// Kinds, if not empty, are those wanted. Fits, if not nil, says of a record found by matched whether it counts at all.
	Kinds []schema.Kind
	Fits  Fits
	Limit int    // 1 to 100
	Today string // the business day: whose appointments are today's; "" for none
}

// Fits judges one record found: names tells which of its fields that name a customer, a vehicle or an order are set.
type Fits func(k *schema.KindInfo, names func(*schema.FieldInfo) bool, matched string) bool

// Search finds records by what a person at a counter types, the best first (see package index for the order): a name,
// its pinyin or initials, traditional or simplified; the beginning or end of a phone number; a plate or a part of it; a VIN
// or its last characters; the number of an order or of whatever else has one. Several words must all fit, one record or a
// customer and his car. More tells that there are further hits, or may be.
func (s *Store) Search(ctx context.Context, a Asked) (hits []Hit, more bool, err error) {
	a.Limit = max(1, min(a.Limit, 100))
	query := index.Parse(a.Query)
	if query.Empty() {
		return nil, false, nil
	}
	near, err := s.near(ctx, a.Today)
	if err != nil {
		return nil, false, err
	}
	err = s.reading(ctx, func(r *reader) error {
		q := searcher{reader: r, Asked: a, query: query, near: near}
		hits, more, err = q.hits()
		if err != nil {
			return fmt.Errorf("store: search: %w", err)
		}
		return nil
	})
	return hits, more, err
}

type searcher struct {
	*reader
	Asked
	query *index.Query
	near  map[int64]*neighbour
	found map[int64]index.Found
}

// candidate is a record found, before it is rendered.
type candidate struct {
	index.Found
	n       int64
	id      schema.RecordID
	kind    *schema.KindInfo
	near    int
	foreign bool  // of another branch
	seen    int64 // the number of the last order of the customer or the car, which rises with time
	updated int64
}

func (a candidate) before(b candidate) int {
	return cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.near, b.near), cmp.Compare(flag(a.foreign), flag(b.foreign)),
		cmp.Compare(b.seen, a.seen), cmp.Compare(b.updated, a.updated), cmp.Compare(b.n, a.n))
}

// hits reads and renders only what can be given back: a name, or the end of a number, may fit hundreds of records.
func (q *searcher) hits() ([]Hit, bool, error) {
	all, err := q.find()
	if err != nil {
		return nil, false, err
	}
	var out []Hit
	told := map[schema.RecordID]bool{}
	var cands []candidate
	tiers := q.tiers()
	for i, t := range tiers {
		more, err := q.candidates(t.ns)
		if err != nil {
			return nil, false, err
		}
		cands = append(cands, more...)
		slices.SortFunc(cands, candidate.before)
		sure := len(cands)
		if i+1 < len(tiers) { // whom nobody of the tiers below stands before
			sure, _ = slices.BinarySearchFunc(cands, tiers[i+1].least, func(c candidate, rank int) int { return cmp.Compare(c.Rank, rank) })
		}
		for page := range slices.Chunk(cands[:sure], q.Limit+1) {
			if out, err = q.tell(page, out, told); err != nil {
				return nil, false, err
			}
			if len(out) > q.Limit {
				return out[:q.Limit], true, nil
			}
		}
		cands = cands[sure:]
	}
	return out, !all, nil
}

// tell adds the hits of some candidates to out, but for those told already, until there is one more than are wanted.
func (q *searcher) tell(cands []candidate, out []Hit, told map[schema.RecordID]bool) ([]Hit, error) {
	rows, err := q.rows(cands)
	if err != nil {
		return nil, err
	}
	list := make([]*row, 0, len(rows))
	for _, x := range rows {
		list = append(list, x.row)
	}
	if err := q.foretell(list); err != nil {
		return nil, err
	}
	from := len(out)
	var beside [][]schema.RecordID // of the hits added
	for _, c := range cands {
		if told[c.id] {
			continue
		}
		if len(out) == q.Limit {
			out = append(out, Hit{})
			break
		}
		rec, members, err := q.render(rows[c.n])
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			told[m] = true
		}
		ids, err := q.beside(c, members)
		if err != nil {
			return nil, err
		}
		beside, out = append(beside, ids), append(out, Hit{Record: rec, Matched: c.Matched, Also: c.Also})
	}
	views, err := q.views(slices.Concat(beside...))
	if err != nil {
		return nil, err
	}
	for i, ids := range beside {
		for _, id := range ids {
			if r := views[id]; r != nil {
				out[from+i].Beside = append(out[from+i].Beside, r)
			}
		}
	}
	return out, nil
}

// tier are records found that can rank as high as least, and no higher.
type tier struct {
	least int
	ns    []int64
}

// tiers are the records found by how high they can rank, the best first. A name is read before it is known how well it fits.
func (q *searcher) tiers() []tier {
	by := map[int][]int64{}
	for n, f := range q.found {
		least := f.Rank
		if f.Matched == index.ByName {
			least = min(least, q.query.Whole().Is(index.ByName).Rank)
		}
		by[least] = append(by[least], n)
	}
	var out []tier
	for _, least := range slices.Sorted(maps.Keys(by)) {
		out = append(out, tier{least, by[least]})
	}
	return out
}

// find fills q.found. all is false when more may fit.
func (q *searcher) find() (all bool, err error) {
	if q.found, all, err = index.Find(q.ctx, q.tx, q.query); err != nil {
		return false, err
	}
	whole := q.query.Whole()
	for n, x := range q.near {
		if f, ok := whole.Fits(&x.entry); ok {
			q.add(n, f)
		}
		if x.number != "" && inNumber(x.number, whole.Text()) {
			q.add(n, whole.Holds(index.ByNumber))
		}
	}
	if err := q.numbers(whole); err != nil {
		return false, err
	}
	wide, err := q.across()
	return all && !wide, err
}

func (q *searcher) add(n int64, f index.Found) {
	if old, ok := q.found[n]; !ok || f.Rank < old.Rank {
		q.found[n] = f
	}
}

// inNumber tells whether digits stand in the number of an order: at the counter of a day, 42 is said for 0042.
func inNumber(number, digits string) bool {
	return len(digits) >= 3 && strings.Trim(digits, "0123456789") == "" && strings.Contains(number, digits)
}

// maxBegun is how many records are looked for whose number begins as the query.
const maxBegun = 50

// numbers finds what has a number that begins as the query, as it is typed from the front: the latest of each kind.
func (q *searcher) numbers(whole *index.Part) error {
	text := strings.ToUpper(strings.ReplaceAll(whole.Text(), " ", "-"))
	if len(text) < 4 || text[0] < 'A' || text[0] > 'Z' || !strings.ContainsAny(text, "0123456789") {
		return nil
	}
	forms := []string{text}
	if head, rest, dash := strings.Cut(text, "-"); len(head) > 2 { // of an order: the life mark is small
		small := head[:len(head)-1] + strings.ToLower(head[len(head)-1:])
		if dash {
			small += "-" + rest
		}
		forms = append(forms, small)
	}
	for _, k := range schema.Kinds() {
		if k.Number == nil {
			continue
		}
		for _, form := range forms {
			err := q.each(func(rows *stdsql.Rows) error {
				var n int64
				if err := rows.Scan(&n); err != nil {
					return err
				}
				q.add(n, whole.Begins(index.ByNumber))
				return nil
			}, "SELECT n FROM record WHERE kind = ? AND number >= ? AND number < ? ORDER BY number DESC LIMIT ?", int64(k.Kind), form, form+"\xff", maxBegun)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// foundRow is a row to be rendered. mayJoin: it may be in a group.
type foundRow struct {
	*row
	mayJoin bool
}

// rows reads what is rendered of some candidates, by number.
func (q *searcher) rows(cands []candidate) (map[int64]foundRow, error) {
	ns := make([]any, 0, len(cands))
	for _, c := range cands {
		ns = append(ns, c.n)
	}
	out := make(map[int64]foundRow, len(cands))
	err := q.each(func(rows *stdsql.Rows) error {
		var mayJoin bool
		x, err := scanRow(scanAfter{rows, []any{&mayJoin}})
		if err != nil {
			return err
		}
		out[x.n] = foundRow{x, mayJoin}
		return nil
	}, `SELECT EXISTS (SELECT 1 FROM member m WHERE m.record = record.id)
			OR kind = `+customerKind+` AND (customer IS NOT NULL OR EXISTS (SELECT 1 FROM record o WHERE o.customer = record.id AND o.kind IN (`+customerKind+", "+pinKind+`))),
		`+rowColumns+" FROM record WHERE n IN ("+marks(len(ns))+")", ns...)
	return out, err
}

// render gives the view of the record's whole group, and who is in it; of the record alone when it is in none.
func (q *searcher) render(x foundRow) (*branchlinev1.Record, []schema.RecordID, error) {
	if !x.mayJoin {
		rec, err := q.record(x.row, false)
		return rec, nil, err
	}
	members, err := q.group(x.id)
	if err != nil {
		return nil, nil, err
	}
	rec, err := q.view(x.row, members, false)
	return rec, members, err
}

// candidates reads what some of those found are ranked by: names by how they fit.
func (q *searcher) candidates(found []int64) ([]candidate, error) {
	if len(found) == 0 {
		return nil, nil
	}
	ns := make([]any, 0, len(found))
	name := "NULL" // what is shown is read of those alone that have a name to be ranked by
	for _, n := range found {
		ns = append(ns, n)
		if q.found[n].Matched == index.ByName {
			name = "shown"
		}
	}
	out := make([]candidate, 0, len(ns))
	err := q.each(func(rows *stdsql.Rows) error {
		c := candidate{near: nearNot}
		var kind, retired int64
		var customer, vehicle, order bool
		var home string
		var id, shown stdsql.RawBytes
		if err := rows.Scan(&c.n, &id, &kind, &home, &c.updated, &retired, &customer, &vehicle, &order, &c.seen, &shown); err != nil {
			return err
		}
		if c.kind = schema.KindOf(schema.Kind(kind)); c.kind == nil {
			return fmt.Errorf("record %x is of the unknown kind %d", id, kind)
		}
		c.Found = q.found[c.n]
		if !q.counts(c.kind, customer, vehicle, order, c.Found) {
			return nil
		}
		var err error
		if c.id, err = schema.RecordIDFromBytes(id); err != nil {
			return err
		}
		if c.Matched == index.ByName {
			msg, _, err := messageOf(c.kind, shown)
			if err != nil {
				return err
			}
			c.Rank = min(c.Rank, q.query.NameRank(index.Names(c.kind, msg)))
		}
		if retired != 0 {
			c.Rank += index.RankRetired
		}
		if x := q.near[c.n]; x != nil {
			c.near = x.near
		}
		c.foreign = home != string(q.branch)
		out = append(out, c)
		return nil
	}, `SELECT n, id, kind, home, updated, retired, customer IS NOT NULL, vehicle IS NOT NULL, ord IS NOT NULL,
			ifnull(CASE kind WHEN `+customerKind+` THEN (SELECT max(o.n) FROM record o WHERE o.customer = record.id AND o.kind = `+orderKind+`)
				WHEN `+vehicleKind+` THEN (SELECT max(o.n) FROM record o WHERE o.vehicle = record.id AND o.kind = `+orderKind+`) ELSE n END, 0), `+name+`
		FROM record WHERE n IN (`+marks(len(ns))+")", ns...)
	return out, err
}

// counts tells whether a record is of a kind that is wanted, and whether by every word of the query it may be found.
func (q *searcher) counts(k *schema.KindInfo, customer, vehicle, order bool, f index.Found) bool {
	if len(q.Kinds) > 0 && !slices.Contains(q.Kinds, k.Kind) {
		return false
	}
	if q.Fits == nil {
		return true
	}
	names := func(f *schema.FieldInfo) bool {
		return f == k.Customer && customer || f == k.Vehicle && vehicle || f == k.Order && order
	}
	for _, by := range append([]string{f.Matched}, f.Also...) {
		if !q.Fits(k, names, by) {
			return false
		}
	}
	return true
}
