package match

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"

	"branchline/schema"
)

// Model is all that was learned. It does not change and is safe for concurrent use.
type Model struct {
	fields []Field
	cmp    []comparison
	w      []weights
	// strangers, sharers and neighbours are the log odds, before anything is compared, of a
	// pair being one rather than two strangers, two who share a household or site, or two
	// of one area.
	strangers, sharers, neighbours Bits
	// veto tells that names in conflict were found never to be of one party.
	veto    bool
	parties int64            // how many different parties the records are of, about
	freq    map[uint64]int32 // parties that have a value; 1 is left out
	generic map[uint64]int32 // keys too common to find anybody by, and how many of population have them
	// population is how many records keys are chosen for: those it was learned from at least.
	population int64
	// latin bounds what a person's name in no Chinese characters is worth; 0: nothing does. The
	// base model met few such names, and takes each for rarer than it is.
	latin  Bits
	rare   Bits            // log2 of parties
	single [][classes]Bits // of a value that one party has, beyond rare
	// given is log2 of how often strangers reach a level or a better one of the second of
	// two loose comparisons where they agree on the first; nil for others.
	given   [][][]Bits
	version string
	scorers sync.Pool // of Score
}

// weights of one comparison: log2 of the probability of each level when the two records
// are of one party, of strangers, of two who share, of two who are near.
type weights struct {
	One     []Bits `json:"one"`
	Strange []Bits `json:"strange"`
	Share   []Bits `json:"share"`
	Near    []Bits `json:"near"`
}

// Version names the model: the hash of its bytes.
func (m *Model) Version() string { return m.version }

// Fields are the columns it was learned for, in their order.
func (m *Model) Fields() []Field { return slices.Clone(m.fields) }

// Parties is about how many different parties the records it was learned from are of.
func (m *Model) Parties() int64 { return m.parties }

// Population is how many records its keys were chosen for. It is right for more, but slow:
// a group that has outgrown it should learn anew.
func (m *Model) Population() int64 { return m.population }

// file is a model as it is stored. Values of records stand in it as hashes only.
type file struct {
	Format     int             `json:"format"`
	Fields     []Field         `json:"fields"`
	Weights    []weights       `json:"weights"`
	Strangers  Bits            `json:"strangers"`
	Sharers    Bits            `json:"sharers"`
	Neighbours Bits            `json:"neighbours"`
	Veto       bool            `json:"veto"`
	Employer   bool            `json:"employer"`
	Parties    int64           `json:"parties"`
	Population int64           `json:"population"`
	Single     [][classes]Bits `json:"single"`
	Given      [][][]Bits      `json:"given"`
	Freq       [][2]uint64     `json:"freq"`
	Generic    [][2]uint64     `json:"generic"`
}

const format = 2

// Bytes is the model as a file; equal models have equal bytes.
func (m *Model) Bytes() []byte {
	f := file{format, m.fields, m.w, m.strangers, m.sharers, m.neighbours, m.veto, m.employer(), m.parties, m.population, m.single, m.given, sorted(m.freq), sorted(m.generic)}
	b, err := json.Marshal(f)
	if err != nil {
		panic("match: a model is plain numbers and texts: " + err.Error())
	}
	return append(b, '\n')
}

// employs says whether the company column is an employer's.
func (m *Model) employs(yes bool) {
	for k := range m.cmp {
		m.cmp[k].employer = yes && m.cmp[k].typ == Name
	}
}

func (m *Model) employer() bool {
	return slices.ContainsFunc(m.cmp, func(c comparison) bool { return c.employer })
}

func sorted(m map[uint64]int32) [][2]uint64 {
	out := make([][2]uint64, 0, len(m))
	for k, n := range m {
		out = append(out, [2]uint64{k, uint64(n)})
	}
	slices.SortFunc(out, func(a, b [2]uint64) int { return cmp.Compare(a[0], b[0]) })
	return out
}

// Load reads what Bytes wrote. A file that is none is schema.ErrInvalid.
func Load(b []byte) (*Model, error) {
	var f file
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, schema.Invalid("", "the match model cannot be read: %s", err)
	}
	if f.Format != format {
		return nil, schema.Invalid("", "the match model has format %d; this program reads %d", f.Format, format)
	}
	c, err := comparisons(f.Fields)
	if err != nil {
		return nil, err
	}
	m := &Model{fields: f.Fields, cmp: c, w: f.Weights, strangers: f.Strangers, sharers: f.Sharers, neighbours: f.Neighbours, veto: f.Veto, parties: f.Parties, population: f.Population, single: f.Single, given: f.Given, freq: unsorted(f.Freq), generic: unsorted(f.Generic)}
	m.employs(f.Employer)
	if len(m.w) != len(c) || m.parties < 1 || m.population < 1 || len(m.single) != len(c) || len(m.given) != len(c) || slices.ContainsFunc(m.given, func(g [][]Bits) bool { return len(g) != len(c) }) {
		return nil, schema.Invalid("", "the match model is torn: %d weights for %d comparisons", len(m.w), len(c))
	}
	for k, w := range m.w {
		if len(w.One) != c[k].levels || len(w.Strange) != c[k].levels || len(w.Share) != c[k].levels || len(w.Near) != c[k].levels {
			return nil, schema.Invalid("", "the match model is torn: %s has not %d levels", c[k].label, c[k].levels)
		}
	}
	for a := range m.given {
		for b, g := range m.given[a] {
			if g != nil && len(g) != c[b].levels {
				return nil, schema.Invalid("", "the match model is torn: %s given %s has not %d levels", c[b].label, c[a].label, c[b].levels)
			}
		}
	}
	m.seal()
	return m, nil
}

func unsorted(l [][2]uint64) map[uint64]int32 {
	m := make(map[uint64]int32, len(l))
	for _, e := range l {
		m[e[0]] = int32(min(e[1], math.MaxInt32))
	}
	return m
}

// seal computes what follows from the rest.
func (m *Model) seal() {
	m.rare = bitsOf(float64(m.parties) + 1)
	h := sha256.Sum256(m.Bytes())
	m.version = hex.EncodeToString(h[:])[:16]
}

// Classes of values, whose frequencies are counted apart.
const (
	wholes = iota
	parts
	numbers
	classes
)

// rarity is what an agreement on a value is worth at most: log2 of one over the share of
// the parties that have it. What one party has is worth more where hardly any value is
// had by two (Good and Turing's estimate).
func (m *Model) rarity(k int, class int, hash uint64) Bits {
	if n := m.freq[mix(hash+uint64(k)*31)]; n > 1 {
		return max(0, m.rare-bitsOf(float64(n)))
	}
	return m.rare + m.single[k][class]
}

func (m *Model) annotate(x *sheet) {
	look := func(k, class int, ws []word) []Bits {
		out := make([]Bits, len(ws))
		for i, w := range ws {
			out[i] = m.rarity(k, class, w.hash)
		}
		return out
	}
	for k := range x.vals {
		v := &x.vals[k]
		for i := range v.forms {
			f := &v.forms[i]
			f.wbits, f.freq = look(k, parts, f.words), m.rarity(k, wholes, f.whole)
			if m.latin > 0 && !f.han && f.party != company {
				f.freq = min(f.freq, m.latin)
			}
		}
		if p := v.place; p != nil {
			p.wbits, p.nbits, p.freq = look(k, parts, p.words), look(k, numbers, p.numbers), m.rarity(k, wholes, p.whole)
			for i := range p.words {
				if p.words[i].role == kindOf {
					p.wbits[i] = min(p.wbits[i], kindWorth)
				}
			}
		}
		if t := v.text; t != nil {
			t.wbits, t.norm = look(k, parts, t.words), 0
			for _, w := range t.wbits {
				t.norm += int64(w) * int64(w)
			}
		}
		if len(v.set) > 0 {
			v.freq = m.rarity(k, wholes, v.set[0].hash)
			for _, w := range v.set[1:] {
				v.freq = max(v.freq, m.rarity(k, wholes, w.hash))
			}
		}
	}
}

// maxCompared bounds the comparisons of a map.
const maxCompared = 64

// alone is how far a name is kept under even odds where all else that is compared differs.
const alone Bits = 100

// judge weighs answers. The buffer on its stack bounds the comparisons.
func (m *Model) judge(as []answer) Verdict {
	var vs, vh, vn Bits
	veto, bound := false, false
	named, agree, against := false, false, false
	var loose [maxCompared]int8
	n, odd := 0, len(loose)
	for k := range as {
		a := &as[k]
		if a.level < 0 {
			continue
		}
		c := &m.cmp[k]
		one, strange, share := m.evidence(k, a)
		if c.typ == Name {
			named = !a.firm
		} else {
			// Another car is nothing against anybody.
			agree, against = agree || one > strange, against || one < strange && c.typ != Plate && c.typ != VIN
		}
		switch {
		case c.loose && one > strange:
			loose[n] = int8(k)
			n++
		case c.loose:
			odd--
			loose[odd] = int8(k)
		default:
			vs += one - strange
		}
		vh += one - share
		if c.shared {
			vn += one - m.w[k].Near[a.level]
		} else if c.typ == Name {
			vn += one - max(strange, share) // relatives live near one another
		} else {
			vn += one - strange
		}
		veto = veto || a.conflict && m.veto
		bound = bound || c.binds && m.bind(c, a)
	}
	vs += m.overlapping(as, loose[:n]) + m.odd(as, loose[:n], loose[odd:])
	if named && !agree {
		vs = min(vs, -m.strangers-alone) // many have one name
	}
	v := Verdict{Strangers: m.strangers + vs, Sharers: m.sharers + vh, Bound: bound, Veto: veto}
	if !bound {
		v.Sharers = m.neighbours + vn
	}
	return v
}

// bind tells whether what two records have in common makes them sharers: a postcode does
// where hardly anybody else has it, not where it is a quarter of the town's.
func (m *Model) bind(c *comparison, a *answer) bool {
	switch c.typ {
	case Postcode:
		return a.level == equal && a.worth >= m.rare-200
	case Address:
		return a.level >= placeNear
	}
	return a.level >= near
}

// overlapping adds up loose comparisons that agree: each only as far as it surprises
// among strangers who agree on another one already. The order is that of their weights.
func (m *Model) overlapping(as []answer, ks []int8) Bits {
	var sum Bits
	weight := func(k int8) Bits {
		one, strange, _ := m.evidence(int(k), &as[k])
		return one - strange
	}
	for i := range ks {
		best := i
		for j := i + 1; j < len(ks); j++ {
			if weight(ks[j]) > weight(ks[best]) {
				best = j
			}
		}
		ks[i], ks[best] = ks[best], ks[i]
		w := weight(ks[i])
		one := m.w[ks[i]].One[as[ks[i]].level]
		for _, j := range ks[:i] {
			if g := m.given[j][ks[i]]; g != nil {
				w = min(w, max(0, one-g[as[ks[i]].level]))
			}
		}
		sum += w
	}
	return sum
}

// odd adds up loose comparisons that differ: each only as far as it is rarer in one party
// than among strangers who agree on what agrees. Of two shops at one address of which one
// is said to be of the town and one of its suburb, the towns say little.
func (m *Model) odd(as []answer, agree, differ []int8) Bits {
	var sum Bits
	for _, k := range differ {
		one, strange, _ := m.evidence(int(k), &as[k])
		w := one - strange
		for _, i := range agree {
			g := m.given[i][k] // of those who have the same, not of those who are alike
			if g != nil && as[k].level == 0 && as[i].level == m.cmp[i].whole() {
				w = max(w, min(0, one-rest(g[1])))
			}
		}
		sum += w
	}
	return sum
}

// rest is log2(1-2^x) for an x below 0, in whole numbers; all that is left of a share that
// is next to nothing or next to all is taken for one in 256.
func rest(x Bits) Bits {
	share := int64(1 << 16)
	for ; x <= -100; x += 100 {
		share /= 2
	}
	share -= share * int64(-x) / 200 // 2^-x between two powers, by a straight line
	left := int64(1<<16) - share
	out := Bits(0)
	for ; left <= 1<<15 && out > -800; out -= 100 {
		left *= 2
	}
	if out <= -800 || left <= 0 {
		return -800
	}
	return out - Bits((1<<17-2*left)*100>>16) // and back
}

// evidence gives the three log probabilities of one answer.
func (m *Model) evidence(k int, a *answer) (one, strange, share Bits) {
	w := &m.w[k]
	one, strange, share = w.One[a.level], w.Strange[a.level], w.Share[a.level]
	if a.worth > 0 || m.cmp[k].levels-1 == int(a.level) && m.cmp[k].typ != Name && m.cmp[k].typ != Text {
		strange = -a.worth
	}
	switch {
	case m.cmp[k].shared:
	case m.cmp[k].typ == Name && a.level == nameWeak:
		share = max(share, strange)
	case m.cmp[k].typ == Name:
		if nameRank[a.level] >= nameRank[nameWithin] {
			share = strange * 6 / 10 // a household often has the family name in common
		}
	default:
		share = strange
	}
	return one, max(strange, one-most), max(share, one-most)
}

// pair compares two records. buf is scratch, of the length of the comparisons.
func (m *Model) pair(a, b *sheet, buf []answer) Verdict {
	if a.id > b.id {
		a, b = b, a // some comparisons look at one side first: whoever asks, the outcome is one
	}
	said := a.says & b.says
	for k := range m.cmp {
		if buf[k] = (answer{level: -1}); said&(1<<k) > 0 {
			buf[k] = m.cmp[k].compare(&a.vals[k], &b.vals[k])
		}
	}
	return m.judge(buf)
}

// Summary says in one line a comparison what was learned: its columns, then each level's
// weight against strangers, in bits, a rare value's apart.
func (m *Model) Summary() []string {
	out := []string{fmt.Sprintf("about %d parties; odds in bits against strangers %.2f, sharers %.2f, neighbours %.2f; conflicting names kept apart: %v",
		m.parties, float64(m.strangers)/100, float64(m.sharers)/100, float64(m.neighbours)/100, m.veto)}
	for k, c := range m.cmp {
		s := fmt.Sprintf("%s (%s):", c.label, c.typ)
		for l := range m.w[k].One {
			s += fmt.Sprintf(" %.2f", float64(m.w[k].One[l]-m.w[k].Strange[l])/100)
		}
		out = append(out, s+fmt.Sprintf("; a rare value %.2f", float64(m.rare+m.single[k][wholes])/100))
	}
	return out
}
