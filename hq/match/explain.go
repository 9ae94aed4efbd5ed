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
	v := e.m.pair(x.rec, y.rec, e.buf)
	out := Explanation{A: a.ID, B: b.ID, Model: e.m.version, Same: x.group == y.group, Score: v.score(), Veto: v.veto, Found: meet(x.rec.keys, y.rec.keys), Story: "strangers", Odds: e.m.strangers}
	if same, ok := e.said[ids(a.ID, b.ID)]; ok {
		out.Decision = map[bool]string{true: "same", false: "different"}[same]
	}
	if v.sharers < v.strangers {
		out.Story, out.Odds = "neighbours", e.m.neighbours
		if v.bound {
			out.Story, out.Odds = "sharers", e.m.sharers
		}
	}
	for k := range e.m.cmp {
		c, an := &e.m.cmp[k], e.buf[k]
		ev := Evidence{Columns: c.label, Type: c.typ, A: c.shown(a), B: c.shown(b), Level: "not compared: one says nothing"}
		if an.level >= 0 {
			w := levelWords[c.typ]
			if w == nil {
				w = plainWords
			}
			ev.Level, ev.Rarity = w[an.level], an.worth
			one, strange, share := e.m.evidence(k, &an)
			switch {
			case out.Story == "neighbours" && c.typ == Name:
				ev.Weight = one - max(strange, share)
			case out.Story == "strangers" || out.Story == "neighbours" && !c.shared:
				ev.Weight = one - strange
			case out.Story == "sharers":
				ev.Weight = one - share
			default:
				ev.Weight = one - e.m.w[k].Near[an.level]
			}
		}
		out.Lines = append(out.Lines, ev)
	}
	if out.Same {
		out.Path = e.path(x, y)
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

// path is the way from x to y within their cluster whose weakest link is strongest.
func (e *Engine) path(x, y *node) []Step {
	type reach struct {
		from *node
		link link
		weak Bits
	}
	got := map[*node]reach{x: {weak: 1 << 30}}
	done := map[*node]bool{}
	for {
		var at *node
		for _, n := range x.group.members { // in the order of the ids, so that ties are decided
			if r, ok := got[n]; ok && !done[n] && (at == nil || r.weak > got[at].weak) {
				at = n
			}
		}
		if at == nil || at == y {
			break
		}
		done[at] = true
		for _, l := range at.edges {
			if l.to.group != x.group || done[l.to] {
				continue
			}
			w := l.score
			if e.said[ids(at.rec.id, l.to.rec.id)] {
				w = 1 << 29
			}
			w = min(w, got[at].weak)
			if r, ok := got[l.to]; !ok || w > r.weak {
				got[l.to] = reach{at, l, w}
			}
		}
	}
	var out []Step
	for n := y; n != x; {
		r, ok := got[n]
		if !ok {
			return nil
		}
		out = append(out, Step{r.from.rec.id, n.rec.id, r.link.score, e.said[ids(r.from.rec.id, n.rec.id)]})
		n = r.from
	}
	slices.Reverse(out)
	return out
}
