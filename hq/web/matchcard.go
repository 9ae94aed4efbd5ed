package web

import (
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	"branchline/schema/access"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

// matchCard is one question, or one explanation: two registrations side by side, and what speaks for and against.
type matchCard struct {
	ID, A, B    string
	Request     string // a resend of the form makes nothing twice
	Joined      bool
	Asked       bool // it is open: its answer would change something
	Members     []string
	Sides       [2]matchSide
	Rows, Other []matchRow
	Lean, Story string
	Warn        []look.Note
	Same        []string // what "same" would do, in sentences
	Different   []string
	Path        []stepRow
	Said        string // what a person decided of the two
	SaidHref    string
}

type matchSide struct {
	Name, Pinyin, Site, Made, Href string
	Count                          int
	Sites                          string
}

// matchRow compares one thing.
type matchRow struct {
	Label  string
	Cells  [2]matchCell
	Sign   string // = ≈ ≠, or nothing
	None   bool   // one side says nothing
	Say    string // in bold: how they compare
	More   string // how rare, how strong
	Bars   []int  // x of the bars of the weight
	For    bool
	BarSay string
}

// matchCell is what one side says.
type matchCell struct {
	Label  string // which side: its branch
	Values []matchValue
	Hidden bool // what it says is not shown to this person
}

type matchValue struct {
	Bits      []bit
	Site, Day string
	Who       string
	VIN       bool
}

// bit is a piece of a value; Diff is what the other side has otherwise.
type bit struct {
	Text string
	Diff bool
}

// stepRow is a link of the path that holds two registrations together.
type stepRow struct {
	From, To string
	By       string
	Href     string
}

// evidenceFields are the fields of a customer that a type of evidence is read from; their values come with their sources.
var evidenceFields = map[string][]string{
	"name": {"name", "other_names"}, "phone": {"phones"}, "last4": {"id_last"}, "address": {"addresses"}, "email": {"emails"},
	"birthday": {"birthday"}, "category": {"type"},
}

// maxNames bounds how many registrations of a group are looked up for their branch.
const maxNames = 40

// card draws a question. ErrNotFound when a registration is gone.
func (a *ask) card(q *branchlinev1.MatchQuestion) (*matchCard, error) {
	x, err := a.s.api.Match.Explain(a.R.Context(), &branchlinev1.ExplainMatchRequest{A: q.GetA(), B: q.GetB()})
	if err != nil {
		return nil, notFound(err)
	}
	c := &matchCard{ID: pairID(q), A: q.GetA(), B: q.GetB(), Joined: q.GetJoined(), Asked: q.GetGain() > 0}
	var random [12]byte
	if _, err := io.ReadFull(a.s.c.Rand, random[:]); err != nil {
		return nil, fmt.Errorf("web: randomness: %w", err)
	}
	c.Request = hex.EncodeToString(random[:])
	var recs [2]*branchlinev1.Record
	homes := map[string]string{}
	for i, name := range []string{q.GetA(), q.GetB()} {
		if recs[i], err = a.s.api.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name}); err != nil {
			return nil, notFound(err)
		}
		homes[name] = recs[i].GetHome()
	}
	for _, name := range slices.Concat(q.GetGroupA(), q.GetGroupB()) {
		if !slices.Contains(c.Members, name) {
			c.Members = append(c.Members, name)
		}
	}
	members, err := a.plain(c.Members[:min(len(c.Members), maxNames)])
	if err != nil {
		return nil, err
	}
	for name, r := range members {
		homes[name] = r.GetHome()
	}
	for i, group := range [][]string{q.GetGroupA(), q.GetGroupB()} {
		p := recs[i].GetCustomer()
		c.Sides[i] = matchSide{
			Name: a.nameOf(p), Pinyin: say.Pinyin(p.GetName()), Site: a.SiteName(recs[i].GetHome()), Made: a.s.look.Day(recs[i].GetCreateTime()),
			Href: a.Href(recs[i].GetName()), Count: len(group), Sites: a.List(a.sites(group, homes)),
		}
	}
	a.compare(c, x, recs)
	a.lean(c, x)
	a.warn(c, q)
	if err := a.outcome(c, q, recs, homes); err != nil {
		return nil, err
	}
	c.Path = a.steps(x.GetPath(), homes, nil)
	if x.GetDecision() != "" && x.GetVerdict() != branchlinev1.Verdict_VERDICT_UNSPECIFIED {
		c.Said = a.verdict(&branchlinev1.MatchDecision{Verdict: x.GetVerdict().Enum()})
		c.SaidHref = "/match/decisions?customer=" + c.A
	}
	return c, nil
}

// sites are the branches of registrations by name, each once, by code.
func (a *ask) sites(members []string, homes map[string]string) []string {
	codes := codesOf(members, homes)
	out := make([]string, len(codes))
	for i, code := range codes {
		out[i] = a.SiteName(code)
	}
	return out
}

func codesOf(members []string, homes map[string]string) []string {
	var codes []string
	for _, m := range members {
		if code := homes[m]; code != "" {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// compare makes the rows: what was compared first, the strongest either way first; then the rest of both.
func (a *ask) compare(c *matchCard, x *branchlinev1.MatchExplanation, recs [2]*branchlinev1.Record) {
	covered := map[string]bool{}
	for _, e := range x.GetEvidence() {
		row := matchRow{Label: a.typeLabel(e.GetType())}
		fields, own := evidenceFields[e.GetType()]
		for i, text := range []string{e.GetA(), e.GetB()} {
			if !own {
				row.Cells[i].Values = plainValues(e.GetType(), text)
				row.Cells[i].Hidden = text == "" && e.GetLevel() != noLevel
				continue
			}
			row.Cells[i].Hidden = access.HideFor(a.Who.Roles)(schema.KindOf(schema.Customer).Field(fields[0]))
			for _, f := range fields {
				covered[f] = true
				row.Cells[i].Values = append(row.Cells[i].Values, a.values(recs[i], f)...)
			}
		}
		if !row.says() && (e.GetWeight() == 0 || e.GetLevel() == noLevel) {
			continue
		}
		row.contrast(c)
		a.sayEvidence(&row, e)
		c.Rows = append(c.Rows, row)
	}
	for _, f := range say.Fields(schema.Customer) {
		row := matchRow{Label: a.Sayer().Label(schema.KindOf(schema.Customer), f)}
		for i := range recs {
			row.Cells[i].Values = a.values(recs[i], f)
		}
		if !covered[f] && row.says() {
			row.contrast(c)
			c.Other = append(c.Other, row)
		}
	}
}

// plainValues are those of evidence that stands in no field of a customer: its cars.
func plainValues(kind, text string) []matchValue {
	var out []matchValue
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ';' || r == '·' || r == '；' }) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, matchValue{Bits: []bit{{Text: part}}, VIN: kind == "vin" && len(part) == 17})
		}
	}
	return out
}

// values are a field's in one registration, each with the branch, the day and the person.
func (a *ask) values(r *branchlinev1.Record, field string) []matchValue {
	k, body, err := schema.BodyOf(r)
	if err != nil {
		return nil // the API gave it as a customer's
	}
	f := k.Field(field)
	if f == nil {
		return nil
	}
	var out []matchValue
	for i, text := range a.Sayer().Values(f, body) {
		if text == "" {
			continue
		}
		index := int32(i)
		if !f.Desc.IsList() {
			index = -1
		}
		v := matchValue{Bits: []bit{{Text: text}}}
		for _, s := range r.GetSources() {
			if s.GetField() == field && s.GetIndex() == index {
				v.Site, v.Day, v.Who = a.SiteName(s.GetBranch()), a.s.look.Day(s.GetAt()), a.Names().Person(s.GetActor())
			}
		}
		out = append(out, v)
	}
	return out
}

// says tells whether either side says anything.
func (r *matchRow) says() bool { return len(r.Cells[0].Values)+len(r.Cells[1].Values) > 0 }

// contrast names the sides, and marks in each value what the other side has otherwise. A value the other side has too
// is left as it is.
func (r *matchRow) contrast(c *matchCard) {
	x, y := r.Cells[0].Values, r.Cells[1].Values
	for i := range r.Cells {
		r.Cells[i].Label = c.Sides[i].Site
	}
	if len(x) > 0 && len(y) > 0 {
		r.Cells[0].Values, r.Cells[1].Values = unlike(x, y), unlike(y, x)
	}
}

// unlike are values with what those of the other side have otherwise marked.
func unlike(these, those []matchValue) []matchValue {
	out := slices.Clone(these)
	for i, v := range these {
		text := v.Bits[0].Text
		if slices.ContainsFunc(those, func(o matchValue) bool { return folded(o.Bits[0].Text) == folded(text) }) {
			continue
		}
		out[i].Bits = []bit{{Text: text, Diff: true}}
		most := 0
		for _, o := range those {
			if bits, common := differing(text, o.Bits[0].Text); common > most {
				out[i].Bits, most = bits, common
			}
		}
	}
	return out
}

// folded is a text without what only writing differs in.
func folded(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.IsPunct(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// differing cuts a text where another differs, and tells how many runes they have in common at both ends.
func differing(text, other string) ([]bit, int) {
	x, y := []rune(text), []rune(other)
	front := 0
	for front < min(len(x), len(y)) && x[front] == y[front] {
		front++
	}
	back := 0
	for back < min(len(x), len(y))-front && x[len(x)-1-back] == y[len(y)-1-back] {
		back++
	}
	if 3*(front+back) < len(x) {
		return []bit{{Text: text, Diff: true}}, 0
	}
	var out []bit
	for _, b := range []bit{{Text: string(x[:front])}, {Text: string(x[front : len(x)-back]), Diff: true}, {Text: string(x[len(x)-back:])}} {
		if b.Text != "" {
			out = append(out, b)
		}
	}
	return out, front + back
}

// warn says first what makes a question special.
func (a *ask) warn(c *matchCard, q *branchlinev1.MatchQuestion) {
	if q.GetAlarm() {
		c.Warn = append(c.Warn, look.Note{
			Tone: "bad", Mark: "late", Fact: a.T("match.alarm", max(len(q.GetGroupA()), len(q.GetGroupB()))), Then: a.T("match.alarm_then"),
			Act: &look.Act{Href: "/" + q.GetA() + "/members", Text: a.T("match.open_group"), Kind: "tight"},
		})
	}
	if q.GetContradiction() {
		c.Warn = append(c.Warn, look.Note{
			Tone: "warn", Mark: "soon", Fact: a.T("match.contradiction"), Then: a.T("match.contradiction_then"),
			Act: &look.Act{Href: "/match/decisions?customer=" + q.GetA(), Text: a.T("match.decisions"), Kind: "tight"},
		})
	}
}

// outcome says what either answer would do. Where the caller decides, the matcher is asked to try the one that changes
// something.
func (a *ask) outcome(c *matchCard, q *branchlinev1.MatchQuestion, recs [2]*branchlinev1.Record, homes map[string]string) error {
	verdict := branchlinev1.Verdict_SAME
	if q.GetJoined() {
		verdict = branchlinev1.Verdict_DIFFERENT
	}
	tried := new(branchlinev1.DecideResponse)
	if a.May("POST /match") {
		var err error
		if tried, err = a.s.api.Match.Decide(a.R.Context(), &branchlinev1.DecideRequest{Verdict: verdict, A: []string{q.GetA()}, B: []string{q.GetB()}, DryRun: true}); err != nil {
			return notFound(err)
		}
	}
	var clash []string
	if n := len(tried.GetContradicts()); n > 0 {
		clash = append(clash, a.T("match.would_contradict", n))
	}
	groups := tried.GetGroups()
	nothing := a.May("POST /match") && len(groups) == 0 // another decision keeps it from having an effect
	if rest := untold(c.Members, groups); len(groups) > 1 && len(rest) > 0 {
		groups = append(groups, &branchlinev1.MatchGroup{Members: rest}) // a side that stays as it is
	}
	if q.GetJoined() {
		c.Same = append(c.Same, a.T("match.would_stay_one", len(c.Members)))
		said := a.T("match.would_part", len(c.Members))
		if len(groups) > 1 {
			said = a.T("match.would_part_into", len(c.Members), len(groups), a.sizes(groups))
		}
		if nothing {
			c.Different = append(append(c.Different, a.T("match.would_nothing")), clash...)
			return nil
		}
		c.Different = append(append(c.Different, said, a.T("match.would_see_less")), clash...)
		return nil
	}
	c.Different = append(c.Different, a.T("match.would_stay_two"))
	if nothing {
		c.Same = append(append(c.Same, a.T("match.would_nothing")), clash...)
		return nil
	}
	x, y := len(q.GetGroupA()), len(q.GetGroupB())
	switch {
	case len(groups) > 1:
		c.Same = append(c.Same, a.T("match.would_regroup", x, y, len(groups), a.sizes(groups)))
	case x+y == 2:
		c.Same = append(c.Same, a.T("match.would_join_two"))
	default:
		c.Same = append(c.Same, a.T("match.would_join", x, y, x+y))
	}
	ca, cb := codesOf(q.GetGroupA(), homes), codesOf(q.GetGroupB(), homes)
	var more []string
	for _, code := range codesOf(c.Members, homes) {
		if !slices.Contains(ca, code) || !slices.Contains(cb, code) {
			more = append(more, a.SiteName(code))
		}
	}
	if len(more) > 0 {
		c.Same = append(c.Same, a.T("match.would_see", len(more), a.List(more)))
	}
	if refused := a.refused(recs); len(refused) > 0 {
		c.Same = append(c.Same, a.T("match.would_refuse", a.List(refused)))
	}
	c.Same = append(c.Same, clash...)
	return nil
}

// refused are the consents, in words, that one of two registrations gives and the other refuses.
func (a *ask) refused(recs [2]*branchlinev1.Record) []string {
	var out []string
	k := schema.KindOf(schema.Customer)
	for _, name := range say.Fields(schema.Customer) {
		f := k.Field(name)
		if f.Merge != optionsv1.Merge_DENY_WINS {
			continue
		}
		x, y := recs[0].GetCustomer().ProtoReflect(), recs[1].GetCustomer().ProtoReflect()
		if x.Has(f.Desc) && y.Has(f.Desc) && given(x.Get(f.Desc)) != given(y.Get(f.Desc)) {
			out = append(out, a.Sayer().Label(k, name))
		}
	}
	return out
}

// given tells whether a consent was given.
func given(v protoreflect.Value) bool {
	c, ok := v.Message().Interface().(*branchlinev1.Consent)
	return ok && c.GetGiven()
}

// untold are the members that stand in none of the groups.
func untold(members []string, groups []*branchlinev1.MatchGroup) []string {
	return slices.DeleteFunc(slices.Clone(members), func(m string) bool {
		return slices.ContainsFunc(groups, func(g *branchlinev1.MatchGroup) bool { return slices.Contains(g.GetMembers(), m) })
	})
}

// sizes says how many registrations each group has, the largest first.
func (a *ask) sizes(groups []*branchlinev1.MatchGroup) string {
	var n []int
	for _, g := range groups {
		n = append(n, len(g.GetMembers()))
	}
	slices.SortFunc(n, func(x, y int) int { return y - x })
	out := make([]string, len(n))
	for i, x := range n {
		out[i] = a.T("match.n_records", x)
	}
	return a.List(out)
}

// steps are the links of a path. names are what registrations are called, looked up where they are not there.
func (a *ask) steps(path []*branchlinev1.MatchStep, homes, names map[string]string) []stepRow {
	called := func(name string) string {
		home, known := homes[name]
		if !known || names[name] == "" {
			if r, err := a.s.api.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name}); err == nil {
				home = r.GetHome()
				return a.T("match.at", a.nameOf(r.GetCustomer()), a.SiteName(home))
			}
		}
		return a.T("match.at", names[name], a.SiteName(home))
	}
	var out []stepRow
	for _, s := range path {
		row := stepRow{From: called(s.GetFrom()), To: called(s.GetTo()), By: a.T("match.said_link"), Href: explainHref(s.GetFrom(), s.GetTo())}
		if !s.GetSaid() {
			row.By = a.odds(s.GetScore())
		}
		out = append(out, row)
	}
	return out
}
