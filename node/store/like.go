package store

import (
	"bytes"
	"cmp"
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/han"
	"branchline/schema/index"
	"branchline/schema/phone"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// Draft is a customer being written down, as far as the form is filled in, and the car they came with.
type Draft struct {
	Customer   *branchlinev1.Customer // with id_hash, if the id is known
	VIN, Plate string
	RequestID  string // of the create to come: what it has made already is not named; "": none
	// Except are records that are not named.
	Except map[schema.RecordID]bool
}

// Like is a customer held here who is probably the one of a draft: the record, or the view of its whole group.
type Like struct {
	Record *branchlinev1.Record
	// Agrees and Differs are what is the same of both, and what is said of both and is not: the Like… words, the weightiest first.
	Agrees, Differs []string
}

// What two customers may have in common.
const (
	LikeID       = "national_id"
	LikePhone    = "phone"
	LikeName     = "name"
	LikePinyin   = "pinyin"
	LikeVIN      = "vin"
	LikePlate    = "plate"
	LikeEmail    = "email"
	LikeBirthday = "birthday"
	LikeAddress  = "address"
	LikeIDLast   = "id_last"
)

// weights say how much it counts for two customers being one, and in which order it is told.
var weights = []struct {
	word          string
	agree, differ int
}{
	{LikeID, 100, 40},
	{LikePhone, 40, 0},
	{LikeName, 30, 10},
	{LikeVIN, 25, 0},
	{LikePlate, 22, 0},
	{LikeEmail, 20, 0},
	{LikeBirthday, 15, 15},
	{LikePinyin, 12, 0},
	{LikeAddress, 12, 0},
	{LikeIDLast, 10, 15},
}

const (
	// maxSharers bounds how many records with one number, or one name, are looked at.
	maxSharers = 200
	// fewNamesakes is how many customers of one name are so few that the name alone says something.
	fewNamesakes = 3
)

// FindLike names the customers held here who are probably the one of the draft,
// the likeliest first, at most limit: who has the same id, phone or car; who has the
// same name, or one that reads the same, and one thing more; who has the same name,
// when hardly anybody has. It judges nothing, and is not HQ's matching.
func (s *Store) FindLike(ctx context.Context, d Draft, limit int) (out []Like, err error) {
	err = s.reading(ctx, func(r *reader) error {
		l := liker{searcher: searcher{reader: r}, draft: factsOf(d.Customer), cars: map[schema.RecordID][]string{}}
		out, err = l.find(d, limit)
		return err
	})
	return out, err
}

// Resembling is a customer held here who is probably the one of a draft, without its record.
type Resembling struct {
	ID     schema.RecordID
	Agrees []string // the Like… words, the weightiest first
}

// Resemble is FindLike for many drafts at once, that says who and renders nobody: one answer a draft, each of at
// most limit records, of which several may be one customer.
func (s *Store) Resemble(ctx context.Context, drafts []Draft, limit int) ([][]Resembling, error) {
	out := make([][]Resembling, len(drafts))
	err := s.reading(ctx, func(r *reader) error {
		for i, d := range drafts {
			l := liker{searcher: searcher{reader: r}, draft: factsOf(d.Customer), cars: map[schema.RecordID][]string{}}
			found, err := l.likely(d)
			if err != nil {
				return err
			}
			for _, a := range found[:min(limit, len(found))] {
				x := Like{}
				x.agree(a.agrees)
				out[i] = append(out[i], Resembling{a.id, x.Agrees})
			}
		}
		return nil
	})
	return out, err
}

type liker struct {
	searcher
	made  []byte // by the create that the draft is of
	not   map[schema.RecordID]bool
	draft customerFacts
	sound []string                     // readings of the draft's name
	ns    []any                        // records to be looked at
	cars  map[schema.RecordID][]string // customers of the draft's car, and by what it was found
}

// customerFacts is a customer as it is compared.
type customerFacts struct {
	id, birthday, idLast         string
	phones, names, mail, streets []string
}

func factsOf(c *branchlinev1.Customer) customerFacts {
	f := customerFacts{id: string(c.GetIdHash()), birthday: c.GetBirthday(), idLast: strings.ToUpper(c.GetIdLast())}
	for _, p := range c.GetPhones() {
		for _, n := range phone.Parse(p.GetNumber(), "") {
			add(&f.phones, n.Key())
		}
	}
	for _, name := range namesOf(c) {
		add(&f.names, han.NameKey(name))
	}
	for _, m := range c.GetEmails() {
		add(&f.mail, strings.ToLower(strings.TrimSpace(m)))
	}
	for _, a := range c.GetAddresses() {
		if street := han.NameKey(a.GetStreet()); len([]rune(street)) >= 4 {
			add(&f.streets, street)
		}
	}
	return f
}

func namesOf(c *branchlinev1.Customer) []string {
	return append([]string{c.GetName()}, c.GetOtherNames()...)
}

func add(list *[]string, s string) {
	if s != "" && !slices.Contains(*list, s) {
		*list = append(*list, s)
	}
}

// readingsOf are the ways the names are read aloud, each in one word, and how the first is asked for by its sound.
func readingsOf(names []string) (out []string, ask string) {
	for _, name := range names {
		if han.NameKey(name) == "" || han.IsCompany(name) {
			continue
		}
		readings := han.Pinyin(name)
		for _, r := range readings {
			add(&out, r.Full())
		}
		if ask == "" && len(readings) > 0 {
			ask = strings.Join(readings[0].Family, "") + " " + strings.Join(readings[0].Given, "")
		}
		if len(readings) == 0 { // in Latin letters: which of them is the family name is not certain
			words := han.QueryWords(name)
			add(&out, strings.Join(words, ""))
			slices.Reverse(words)
			add(&out, strings.Join(words, ""))
			ask = cmp.Or(ask, name)
		}
	}
	return out, ask
}

func (q *liker) find(d Draft, limit int) ([]Like, error) {
	found, err := q.likely(d)
	if err != nil {
		return nil, err
	}
	return q.told(found, limit)
}

// likely are the records like the draft, the likeliest first.
func (q *liker) likely(d Draft) ([]*alike, error) {
	q.not = d.Except
	if d.RequestID != "" {
		err := q.tx.QueryRowContext(q.ctx, "SELECT record FROM request WHERE id = $1", d.RequestID).Scan(&q.made)
		if err != nil && !errors.Is(err, stdsql.ErrNoRows) {
			return nil, fmt.Errorf("store: like: %w", err)
		}
	}
	if err := q.byKeys(); err != nil {
		return nil, err
	}
	if err := q.byCar(index.VINTerm(vin.Key(d.VIN)), LikeVIN); err != nil {
		return nil, err
	}
	if key := plate.Key(d.Plate); key != "" {
		for _, p := range []string{plate.Fold(d.Plate), key} { // as it is written, and with I and O read as digits
			if err := q.byCar(index.PlateTerm(p), LikePlate); err != nil {
				return nil, err
			}
			if p == key {
				break
			}
		}
	}
	if err := q.byName(d.Customer.GetName()); err != nil {
		return nil, err
	}
	found, err := q.judge()
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b *alike) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.updated, a.updated), cmp.Compare(b.n, a.n))
	})
	few, err := q.fewNamed(found)
	if err != nil {
		return nil, err
	}
	if !few {
		found = slices.DeleteFunc(found, (*alike).nameOnly)
	}
	return found, nil
}

// byKeys looks up who has the id or a phone.
func (q *liker) byKeys() error {
	if k := index.IDTerm([]byte(q.draft.id)); k != "" {
		if err := q.terms(k, k+"\x00"); err != nil {
			return err
		}
	}
	for _, p := range q.draft.phones {
		if err := q.terms(index.PhoneTerms(p)); err != nil {
			return err
		}
	}
	return nil
}

func (q *liker) terms(from, below string) error {
	return q.numbers("SELECT n FROM term WHERE k >= $1 AND k < $2 LIMIT $3", from, below, maxSharers)
}

func (q *liker) numbers(text string, args ...any) error {
	rows, err := q.tx.QueryContext(q.ctx, text, args...)
	if err != nil {
		return fmt.Errorf("store: like: %w", err)
	}
	defer rows.Close() // its error comes with rows.Err
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return fmt.Errorf("store: like: %w", err)
		}
		q.ns = append(q.ns, n)
	}
	return rows.Err()
}

// byCar looks up who is tied to a car or has brought it.
func (q *liker) byCar(term, word string) error {
	if term == "" {
		return nil
	}
	rows, err := q.tx.QueryContext(q.ctx, "SELECT r.id FROM term t JOIN record r ON r.n = t.n WHERE t.k = $1 AND r.kind = $2 LIMIT 20", term, int64(schema.Vehicle))
	if err != nil {
		return fmt.Errorf("store: like: %w", err)
	}
	cars, err := scanIDs(rows)
	if err != nil {
		return err
	}
	for _, car := range cars {
		members, err := q.group(car)
		if err != nil {
			return err
		}
		for _, m := range members {
			if !slices.Contains(cars, m) {
				cars = append(cars, m)
			}
		}
	}
	for _, car := range cars {
		rows, err := q.tx.QueryContext(q.ctx, "SELECT DISTINCT customer FROM record WHERE vehicle = $1 AND kind IN ($2, $3) AND customer IS NOT NULL AND retired = 0 LIMIT $4",
			car[:], int64(schema.Tie), int64(schema.ServiceOrder), maxSharers)
		if err != nil {
			return fmt.Errorf("store: like: %w", err)
		}
		ids, err := scanIDs(rows)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if q.cars[id] = append(q.cars[id], word); len(q.cars[id]) > 1 {
				continue
			}
			if err := q.numbers("SELECT n FROM record WHERE id = $1", id[:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// byName looks up who bears the name, and, when there is something else to compare that nobody is looked up by, who
// bears one that reads the same.
func (q *liker) byName(name string) error {
	if len(q.draft.names) == 0 {
		return nil
	}
	ask := []string{name}
	var sound string
	q.sound, sound = readingsOf([]string{name})
	if d := q.draft; sound != "" && (d.birthday != "" || d.idLast != "" || len(d.mail)+len(d.streets) > 0) {
		ask = append(ask, sound)
	}
	for _, text := range ask {
		ns, err := index.Named(q.ctx, q.tx, text, maxSharers)
		if err != nil {
			return fmt.Errorf("store: like: %w", err)
		}
		for _, n := range ns {
			q.ns = append(q.ns, n)
		}
	}
	return nil
}

// alike is a record compared with the draft.
type alike struct {
	candidate
	agrees, differs map[string]bool
	score           int
}

// judge compares the records found and leaves out who is not like the draft.
func (q *liker) judge() ([]*alike, error) {
	if len(q.ns) == 0 {
		return nil, nil
	}
	slices.SortFunc(q.ns, func(a, b any) int { return cmp.Compare(b.(int64), a.(int64)) })
	q.ns = slices.Compact(q.ns)
	rows, err := q.tx.QueryContext(q.ctx, "SELECT n, id, updated, shown FROM record WHERE kind = "+customerKind+" AND retired = 0 AND n IN (?"+
		strings.Repeat(",?", len(q.ns)-1)+")", q.ns...)
	if err != nil {
		return nil, fmt.Errorf("store: like: %w", err)
	}
	defer rows.Close() // its error comes with rows.Err
	var out []*alike
	for rows.Next() {
		a := new(alike)
		var id, shown stdsql.RawBytes
		if err := rows.Scan(&a.n, &id, &a.updated, &shown); err != nil {
			return nil, fmt.Errorf("store: like: %w", err)
		}
		if bytes.Equal(id, q.made) {
			continue
		}
		if a.id, err = schema.RecordIDFromBytes(id); err != nil {
			return nil, err
		}
		if q.not[a.id] {
			continue
		}
		msg, _, err := messageOf(schema.KindOf(schema.Customer), shown)
		if err != nil {
			return nil, err
		}
		c := new(branchlinev1.Customer)
		if err := proto.Unmarshal(msg, c); err != nil {
			return nil, fmt.Errorf("store: like: record %s: %w", a.id, err)
		}
		a.compare(q, c)
		if a.likely() {
			out = append(out, a)
		}
	}
	return out, rows.Err()
}

func (a *alike) compare(q *liker, m *branchlinev1.Customer) {
	a.agrees, a.differs = map[string]bool{}, map[string]bool{}
	d, c := q.draft, factsOf(m)
	one := func(word, x, y string) {
		if x != "" && y != "" {
			a.agrees[word], a.differs[word] = x == y, x != y
		}
	}
	meet := func(x, y []string) bool {
		return slices.ContainsFunc(x, func(s string) bool { return slices.Contains(y, s) })
	}
	one(LikeID, d.id, c.id)
	one(LikeBirthday, d.birthday, c.birthday)
	one(LikeIDLast, d.idLast, c.idLast)
	a.agrees[LikePhone], a.agrees[LikeEmail], a.agrees[LikeAddress] = meet(d.phones, c.phones), meet(d.mail, c.mail), meet(d.streets, c.streets)
	if len(d.names) > 0 && len(c.names) > 0 {
		a.agrees[LikeName] = meet(d.names, c.names)
		if !a.agrees[LikeName] && len(q.sound) > 0 {
			sound, _ := readingsOf(namesOf(m))
			a.agrees[LikePinyin] = meet(q.sound, sound)
		}
		a.differs[LikeName] = !a.agrees[LikeName] && !a.agrees[LikePinyin]
	}
	for _, word := range q.cars[a.id] {
		a.agrees[word] = true
	}
	for _, w := range weights {
		if a.agrees[w.word] {
			a.score += w.agree
		}
		if a.differs[w.word] {
			a.score -= w.differ
		}
	}
}

// likely tells whether what agrees is enough to be told of.
func (a *alike) likely() bool {
	g := a.agrees
	switch {
	case g[LikeID], g[LikePhone], g[LikeVIN], g[LikePlate]:
		return true
	case a.differs[LikeID]:
		return false // a namesake
	case g[LikeName]:
		return true // by itself: see told
	}
	return g[LikePinyin] && (g[LikeEmail] || g[LikeBirthday] || g[LikeAddress] || g[LikeIDLast])
}

// nameOnly tells that nothing but the name agrees.
func (a *alike) nameOnly() bool {
	for _, w := range weights {
		if a.agrees[w.word] && w.word != LikeName {
			return false
		}
	}
	return true
}

// told names who is one here already once, and renders them.
func (q *liker) told(found []*alike, limit int) ([]Like, error) {
	var out []Like
	told := map[schema.RecordID]int{} // and where in out
	for page := range slices.Chunk(found, limit+1) {
		var cands []candidate
		for _, a := range page {
			cands = append(cands, a.candidate)
		}
		rows, err := q.rows(cands)
		if err != nil {
			return nil, err
		}
		for _, a := range page {
			if at, again := told[a.id]; again {
				out[at].agree(a.agrees)
				continue
			}
			if len(out) == limit {
				return out, nil
			}
			rec, members, err := q.render(rows[a.n])
			if err != nil {
				return nil, err
			}
			for _, m := range members {
				told[m] = len(out)
			}
			l := Like{Record: rec}
			l.agree(a.agrees)
			for _, w := range weights {
				if a.differs[w.word] {
					l.Differs = append(l.Differs, w.word)
				}
			}
			out = append(out, l)
		}
	}
	return out, nil
}

// agree adds what agrees with one of the customer's records. What agrees with one of them differs from none.
func (l *Like) agree(words map[string]bool) {
	had := l.Agrees
	l.Agrees = nil
	for _, w := range weights {
		if words[w.word] || slices.Contains(had, w.word) {
			l.Agrees = append(l.Agrees, w.word)
		}
	}
	l.Differs = slices.DeleteFunc(l.Differs, func(w string) bool { return words[w] || w == LikeName && words[LikePinyin] })
}

// fewNamed tells whether those of whom only the name agrees are so few people that it says something.
func (q *liker) fewNamed(found []*alike) (bool, error) {
	var ids []schema.RecordID
	for _, a := range found {
		if a.nameOnly() {
			ids = append(ids, a.id)
		}
	}
	if len(ids) <= fewNamesakes || len(ids) > 4*fewNamesakes {
		return len(ids) <= fewNamesakes, nil
	}
	people, seen := 0, map[schema.RecordID]bool{}
	for _, id := range ids {
		if seen[id] {
			continue
		}
		people++
		members, err := q.group(id)
		if err != nil {
			return false, err
		}
		for _, m := range members {
			seen[m] = true
		}
	}
	return people <= fewNamesakes, nil
}
