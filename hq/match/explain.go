package match

import (
	"fmt"
	"slices"

	"branchline/schema"
)

// Explanation says why two records are one or not.
type Explanation struct {
	A, B     string `json:"-"`
	Model    string `json:"model"`
	Same     bool   `json:"same"`     // they are in one cluster
	Score    Bits   `json:"score"`    // centi-bits; 0 is even odds
	Decision string `json:"decision"` // what a person said: same, different or nothing
	// Story is the strongest other story: strangers, sharers (a household or a site) or
	// neighbours (an area); Odds are those of one party against it before anything is compared.
	Story string `json:"story"`
	Odds  Bits   `json:"odds"`
	// Veto tells that two full names conflict, and were found never to be one party's.
	Veto  bool       `json:"veto"`
	Found bool       `json:"found"` // they share a key, so that they were compared at all
	Lines []Evidence `json:"evidence"`
	// Path leads from A to B by the links that hold their cluster together; empty when they
	// are not in one.
	Path []Step `json:"path"`
}

// Evidence is what one comparison says.
type Evidence struct {
	Columns string `json:"columns"`
	Type    Type   `json:"type"`
	A       string `json:"a"`
	B       string `json:"b"`
	Level   string `json:"level"`
	Weight  Bits   `json:"weight"` // against the story
	Rarity  Bits   `json:"rarity"` // what the value agreed on is worth; 0 when it plays no part
}

// Step is one link of a path.
type Step struct {
	From  string `json:"from"`
	To    string `json:"to"`
	Score Bits   `json:"score"`
	Said  bool   `json:"said"` // a person said so
}

var levelWords = map[Type][]string{
	Name:     {"nothing in common", "different scripts, not alike by sound", "family name, other given name", "a word in common, others conflict", "most of it", "all that the shorter says, one word", "all that the shorter says", "the same but for slips or short forms", "the same by sound", "the same", "a person and a company"},
	Address:  {"different", "road or number only", "the road, no number on one side", "the road and a number", "all that the shorter says", "the same"},
	Birthday: {"different", "the year", "most digits", "two of year, month and day", "one slip", "the same"},
	Email:    {"different", "before the @", "a few letters differ", "the same"},
	Text:     {"nothing much in common", "a little in common", "some in common", "half in common", "most in common", "nearly the same", "the same", "much in common, but other numbers"},
}

var plainWords = []string{"different", "nearly the same", "the same"}

// Explain says why two records that the engine holds are one or not. a and b are given
// as they were put in, so that their values can be shown. ErrNotFound if it does not hold
// one of them.
func (e *Engine) Explain(a, b Record) (Explanation, error) {
	x, y := e.nodes[a.ID], e.nodes[b.ID]
	if x == nil {
		return Explanation{}, fmt.Errorf("match: record %q: %w", a.ID, schema.ErrNotFound)
	}
	if y == nil {
		return Explanation{}, fmt.Errorf("match: record %q: %w", b.ID, schema.ErrNotFound)
	}
	out, err := e.m.Explain(a, b, e.isCommon)
	if err != nil {
		return Explanation{}, err
	}
	out.Same, out.Found = x.first() == y.first(), e.found(x, y)
	if same, ok := e.said[ids(a.ID, b.ID)]; ok {
		out.Decision = map[bool]string{true: "same", false: "different"}[same]
	}
	if out.Same {
		c := e.component(x.members())
		out.Path = c.path(x.at, y.at)
	}
	return out, nil
}

// Explain says what speaks for and against two records being one, of themselves: not
// what was decided, nor whether they are in one cluster. common is as for Without; nil:
// nothing is. An error
// where one has another number of values than the model has fields.
func (m *Model) Explain(a, b Record, common func(key uint64) bool) (Explanation, error) {
	x, err := m.sheet(a)
	if err != nil {
		return Explanation{}, err
	}
	y, err := m.sheet(b)
	if err != nil {
		return Explanation{}, err
	}
	whole, as := make([]answer, len(m.cmp)), make([]answer, len(m.cmp))
	m.pair(x, y, whole)
	v := m.pair(m.hushed(x, common), m.hushed(y, common), as)
	out := Explanation{A: a.ID, B: b.ID, Model: m.version, Score: v.Score(), Veto: v.Veto, Found: meet(x.keys, y.keys), Story: "strangers", Odds: m.strangers}
	if v.Sharers < v.Strangers {
		out.Story, out.Odds = "neighbours", m.neighbours
		if v.Bound {
			out.Story, out.Odds = "sharers", m.sharers
		}
	}
	for k := range m.cmp {
		c, an := &m.cmp[k], as[k]
		ev := Evidence{Columns: c.label, Type: c.typ, A: c.shown(a), B: c.shown(b), Level: notCompared}
		if an.level < 0 && whole[k].level >= 0 {
			ev.Level = nobodys
		}
		if an.level >= 0 {
			w := levelWords[c.typ]
			if w == nil {
				w = plainWords
			}
			ev.Level, ev.Rarity = w[an.level], an.worth
			one, strange, share := m.evidence(k, &an)
			switch {
			case out.Story == "neighbours" && c.typ == Name:
				ev.Weight = one - max(strange, share)
			case out.Story == "strangers" || out.Story == "neighbours" && !c.shared:
				ev.Weight = one - strange
			case out.Story == "sharers":
				ev.Weight = one - share
			default:
				ev.Weight = one - m.w[k].Near[an.level]
			}
		}
		out.Lines = append(out.Lines, ev)
	}
	return out, nil
}

func (c *comparison) shown(r Record) string {
	s := ""
	for _, i := range c.fields {
		if v := r.Values[i]; v != "" {
			if s != "" {
				s += " · "
			}
			s += v
		}
	}
	return s
}

// Path is the way between two records of one cluster, given by their places among its
// records, whose weakest link is strongest; empty where there is none. Only edges and
// decisions within the cluster are given.
func Path(records []*Prepared, edges []Edge, said []Decision, from, to int) []Step {
	c := &component{of: prepared{recs: records}}
	for _, e := range edges {
		c.edges = append(c.edges, tie{int32(min(e.A, e.B)), int32(max(e.A, e.B)), e.Verdict, false})
	}
	for _, d := range said {
		if !d.Same {
			continue
		}
		a, b := int32(min(d.A, d.B)), int32(max(d.A, d.B))
		c.edges = slices.DeleteFunc(c.edges, func(e tie) bool { return e.a == a && e.b == b })
		c.edges = append(c.edges, tie{a: a, b: b, said: true})
	}
	return c.path(int32(from), int32(to))
}

func (c *component) path(x, y int32) []Step {
	const sure = Bits(1 << 29)
	best := make([]Bits, c.of.len()) // the weakest link on the way to each
	by := make([]*tie, c.of.len())
	done := make([]bool, c.of.len())
	for i := range best {
		best[i] = -sure
	}
	best[x] = sure
	for {
		at := int32(-1)
		for i := range int32(c.of.len()) { // of equals the first
			if !done[i] && best[i] > -sure && (at < 0 || best[i] > best[at] || best[i] == best[at] && c.of.id(i) < c.of.id(at)) {
				at = i
			}
		}
		if at < 0 || at == y {
			break
		}
		done[at] = true
		for i := range c.edges {
			e := &c.edges[i]
			to := e.other(at)
			if to < 0 || done[to] || !e.said && !e.Joins() {
				continue
			}
			w := e.Score()
			if e.said {
				w = sure
			}
			if w = min(w, best[at]); w > best[to] {
				best[to], by[to] = w, e
			}
		}
	}
	var out []Step
	for n := y; n != x; {
		e := by[n]
		if e == nil {
			return nil
		}
		from := e.other(n)
		out = append(out, Step{c.of.id(from), c.of.id(n), e.Score(), e.said})
		n = from
	}
	slices.Reverse(out)
	return out
}

// other is the far end of an edge, -1 where it does not touch n.
func (e *tie) other(n int32) int32 {
	switch n {
	case e.a:
		return e.b
	case e.b:
		return e.a
	}
	return -1
}
