package match

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"branchline/schema"
)

const (
	rounds          = 3       // each counts values by the clusters of the one before
	steps           = 20      // of EM in a round
	maxSampled      = 400_000 // candidate pairs that EM looks at
	maxRandom       = 200_000 // pairs drawn for what strangers have in common
	maxGiven        = 3_000   // pairs drawn that agree on one thing, for what they agree on besides
	maxSingle  Bits = 500     // what Good and Turing's estimate may add
)

// Learn makes a model from records, without labels. The order of the records does not
// matter. It is the slow part: see Learnable for how it grows. Errors: ErrInvalid for no
// records, an empty or a repeated id, or a wrong number of values; ctx's.
func Learn(ctx context.Context, fields []Field, records []Record) (*Model, error) {
	return LearnFor(ctx, fields, records, len(records))
}

// Learnable is how many records a model is learned from: of more, those are taken whose
// ids have the smallest hashes. So many take some 1.2 GB and a minute of one processor,
// fewer in proportion.
const Learnable = 200_000

// LearnFor is Learn for a model that is to serve population records, where these are some
// of them: it finds the keys that would be too common among so many.
func LearnFor(ctx context.Context, fields []Field, records []Record, population int) (*Model, error) {
	return LearnSmall(ctx, fields, records, population, 0)
}

// LearnSmall is LearnFor for a model that forgets how often values occur that fewer than
// least parties have: all of one column are then taken to be as rare as they are on the
// average.
func LearnSmall(ctx context.Context, fields []Field, records []Record, population, least int) (*Model, error) {
	c, err := comparisons(fields)
	if err != nil {
		return nil, err
	}
	if len(records) == 0 {
		return nil, schema.Invalid("", "there are no records to learn from")
	}
	population = max(population, len(records))
	if len(records) > Learnable {
		records = sample(records, Learnable)
	}
	l := &learner{m: &Model{fields: slices.Clone(fields), cmp: c, population: int64(population)}, least: int32(max(seldom+1, least))}
	rs := slices.Clone(records)
	slices.SortFunc(rs, func(a, b Record) int { return strings.Compare(a.ID, b.ID) })
	for i, r := range rs {
		switch {
		case r.ID == "":
			return nil, schema.Invalid("id", "a record has an empty id")
		case i > 0 && rs[i-1].ID == r.ID:
			return nil, schema.Invalid("id", "the id %q stands there twice", r.ID)
		case len(r.Values) != len(fields):
			return nil, schema.Invalid("", "record %s has %d values for %d fields", r.ID, len(r.Values), len(fields))
		}
	}
	l.m.employs(employs(c, fields, rs))
	for _, r := range rs {
		l.recs = append(l.recs, read(c, fields, r))
	}
	l.countKeys()
	l.candidates(Long)
	l.m.start()
	l.party = straight(len(rs))
	for round := range rounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		l.count()
		l.random()
		l.overlaps(round)
		l.fit()
		if round < rounds-1 {
			if err := l.group(ctx); err != nil {
				return nil, err
			}
		}
	}
	l.m.seal()
	return l.m, nil
}

// seldom is up to how many parties a value of a name, a number or an id is as rare as one
// that a single party has: two who have it may be one that was not found to be. A town or
// a kind of shop is not so.
const seldom = 2

// learner is a model in the making.
type learner struct {
	m       *Model
	recs    []*sheet // by id
	pairs   [][2]int32
	party   []int32 // cluster of each record, by its first member
	least   int32   // parties that must have a value for its frequency to be kept
	answers []answer
	scale   float64 // candidate pairs for each one sampled
	sampled [][2]int32
	clash   float64 // share of the pairs of one party whose names conflict
	// commons are the keys of what would be somebody's own, and is held under too many names.
	commons map[uint64]bool
}

// sample takes n records whose ids have the smallest hashes.
func sample(records []Record, n int) []Record {
	rs := slices.Clone(records)
	slices.SortFunc(rs, func(a, b Record) int {
		return cmp.Or(cmp.Compare(hashOf('#', a.ID), hashOf('#', b.ID)), strings.Compare(a.ID, b.ID))
	})
	return rs[:n]
}

// held is that a record with some name has a key.
type held struct{ key, name uint64 }

// countKeys finds the generic atoms and pairs of atoms, and gives each record its keys.
func (l *learner) countKeys() {
	m := l.m
	m.generic = map[uint64]int32{}
	all := make([][]atom, len(l.recs))
	n := map[uint64]int32{}
	for i, r := range l.recs {
		all[i] = atoms(m.cmp, r)
		for _, a := range all[i] {
			n[a.hash]++
		}
	}
	var hs []held
	for i, r := range l.recs {
		for _, a := range all[i] {
			if !a.own && l.crowded(n[a.hash]) {
				hs = append(hs, held{a.hash, r.name()})
			}
		}
	}
	l.common(hs, n)
	clear(n)
	hs = hs[:0]
	with := make([][]uint64, len(l.recs))
	for i := range all {
		var common []atom
		for _, a := range all[i] {
			if _, ok := m.generic[a.hash]; ok {
				common = append(common, a)
			}
		}
		with[i] = m.pairs(common)
		for _, p := range with[i] {
			n[p]++
		}
	}
	for i, r := range l.recs {
		for _, p := range with[i] {
			if l.crowded(n[p]) {
				hs = append(hs, held{p, r.name()})
			}
		}
	}
	l.common(hs, n)
	for i, r := range l.recs {
		r.keys = m.keysOf(all[i])
	}
}

// projected is how many of the population have what n of the records have.
func (l *learner) projected(n int32) int64 { return int64(n) * l.m.population / int64(len(l.recs)) }

// crowded tells whether what n have is too common to find anybody by. What two or three
// have is no measure of anything.
func (l *learner) crowded(n int32) bool { return n > 3 && l.projected(n) > crowd }

// common notes the keys that many names stand beside: the many records of one large
// customer do not make his telephone generic.
func (l *learner) common(hs []held, n map[uint64]int32) {
	slices.SortFunc(hs, func(a, b held) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.name, b.name))
	})
	hs = slices.Compact(hs)
	for i := 0; i < len(hs); {
		j := i
		for j < len(hs) && hs[j].key == hs[i].key {
			j++
		}
		if l.crowded(int32(j - i)) {
			l.m.generic[hs[i].key] = int32(min(l.projected(n[hs[i].key]), math.MaxInt32))
		}
		i = j
	}
}

// name is a hash of the name, or of what stands in its place.
func (x *sheet) name() uint64 { return hashOf('?', NameOf(x.word)) }

// candidates lists the pairs that meet by a key, each once, in the order of the ids: see
// Long. It finds what is common by the way, see Own.
func (l *learner) candidates(long int) {
	holders := map[uint64][]int32{}
	for i, r := range l.recs {
		for _, k := range r.keys {
			holders[k] = append(holders[k], int32(i))
		}
	}
	type row struct {
		all []int32
		at  map[int32]int
	}
	rows := map[uint64]row{}
	l.commons = map[uint64]bool{}
	for k, h := range holders {
		if len(h) <= long || !Whole(k) {
			continue
		}
		r := row{slices.Clone(h), make(map[int32]int, len(h))}
		slices.SortStableFunc(r.all, func(a, b int32) int { return strings.Compare(l.recs[a].word, l.recs[b].word) })
		names := 0
		for at, i := range r.all {
			if r.at[i] = at; at == 0 || !Namesakes(l.recs[r.all[at-1]].word, l.recs[i].word) {
				names++
			}
		}
		if rows[k] = r; Own(k) && names > long {
			l.commons[k] = true
		}
	}
	seen := make([]int32, len(l.recs))
	for i := range seen {
		seen[i] = -1
	}
	for i, r := range l.recs {
		var with []int32
		for _, k := range r.keys {
			near := holders[k]
			isLong := len(near) > long
			if isLong {
				w, whole := rows[k]
				if !whole {
					continue
				}
				at := w.at[int32(i)]
				near = w.all[max(0, at-Beside):min(len(w.all), at+Beside+1)]
			}
			for _, j := range near {
				if j < int32(i) && seen[j] != int32(i) && (!isLong || Namesakes(r.word, l.recs[j].word)) {
					seen[j] = int32(i)
					with = append(with, j)
				}
			}
		}
		slices.Sort(with)
		for _, j := range with {
			l.pairs = append(l.pairs, [2]int32{j, int32(i)})
		}
	}
	l.sampled, l.scale = l.pairs, 1
	if len(l.pairs) > maxSampled {
		l.sampled = nil
		share := float64(maxSampled) / float64(len(l.pairs))
		limit := uint64(share * math.MaxUint64)
		for _, p := range l.pairs {
			if mix(uint64(p[0])<<32|uint64(p[1])+0x5bd1e995) < limit {
				l.sampled = append(l.sampled, p)
			}
		}
		l.scale = float64(len(l.pairs)) / float64(len(l.sampled))
	}
}

// count counts how many parties have each value, a party once however many records it has.
func (l *learner) count() {
	m := l.m
	order := straight(len(l.recs))
	slices.SortStableFunc(order, func(a, b int32) int { return int(l.party[a]) - int(l.party[b]) })
	n := map[uint64]int32{}
	kind := map[uint64][2]int8{} // comparison and class
	var mine []uint64
	parties := int64(0)
	flush := func() {
		slices.Sort(mine)
		for _, h := range slices.Compact(mine) {
			n[h]++
		}
		mine = mine[:0]
		parties++
	}
	for i, r := range order {
		if i > 0 && l.party[order[i-1]] != l.party[r] {
			flush()
		}
		x := l.recs[r]
		for k := range x.vals {
			v := &x.vals[k]
			put := func(class int8, h uint64) {
				h = mix(h + uint64(k)*31)
				mine = append(mine, h)
				kind[h] = [2]int8{int8(k), class}
			}
			all := func(class int8, ws []word) {
				for _, w := range ws {
					put(class, w.hash)
				}
			}
			all(wholes, v.set)
			if v.text != nil {
				all(parts, v.text.words)
			}
			for i := range v.forms {
				put(wholes, v.forms[i].whole)
				all(parts, v.forms[i].words)
			}
			if p := v.place; p != nil {
				put(wholes, p.whole)
				all(parts, p.words)
				all(numbers, p.numbers)
			}
		}
	}
	flush()
	m.freq = map[uint64]int32{}
	times := make([][classes][3]float64, len(m.cmp))     // values that one party has, and two
	forgotten := make([][classes][2]float64, len(m.cmp)) // the sums of the counts and of their squares
	for h, c := range n {
		k, class := kind[h][0], kind[h][1]
		if least := l.least; c >= least || c > 1 && least == seldom+1 && m.cmp[k].loose {
			m.freq[h] = c
		} else {
			f := &forgotten[k][class]
			f[0] += float64(c)
			f[1] += float64(c) * float64(c)
		}
		if c <= 2 {
			times[k][class][c]++
		}
	}
	m.single = make([][classes]Bits, len(m.cmp))
	for k := range times {
		for c, t := range times[k] {
			if t[1] > 0 {
				seen := t[1] + 2
				if !m.cmp[k].loose {
					seen += 2 * t[2]
				}
				m.single[k][c] = max(0, min(maxSingle, -bitsOf(2*(t[2]+1)/seen)))
			}
			if f := forgotten[k][c]; f[1] > 1.5*f[0] {
				m.single[k][c] = -bitsOf(f[1] / f[0])
			}
		}
	}
	m.parties = parties
	m.rare = bitsOf(float64(parties) + 1)
	for _, r := range l.recs {
		m.annotate(r)
	}
}

// random finds what strangers have in common, from pairs drawn evenly.
func (l *learner) random() {
	n := uint64(len(l.recs))
	seen := make([][]float64, len(l.m.cmp))
	for k := range seen {
		seen[k] = make([]float64, l.m.cmp[k].levels)
	}
	look := func(i, j int32) {
		if l.party[i] == l.party[j] {
			return
		}
		a, b := l.recs[i], l.recs[j]
		for k := range l.m.cmp {
			if x := l.m.cmp[k].compare(&a.vals[k], &b.vals[k]); x.level >= 0 {
				seen[k][x.level]++
			}
		}
	}
	if n*(n-1)/2 <= maxRandom {
		for j := int32(1); j < int32(n); j++ {
			for i := range j {
				look(i, j)
			}
		}
	} else {
		for s := uint64(0); s < maxRandom; s++ {
			i, j := mix(2*s+1)%n, mix(2*s+2)%n
			if i != j {
				look(int32(min(i, j)), int32(max(i, j)))
			}
		}
	}
	for k := range seen {
		l.m.w[k].Strange = share(seen[k], uniform(len(seen[k])), 0.5)
	}
}

func uniform(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1 / float64(n)
	}
	return out
}

// share turns counts into log probabilities; prior counts as much as weight pairs.
func share(counts, prior []float64, weight float64) []Bits {
	total := weight
	for _, c := range counts {
		total += c
	}
	out := make([]Bits, len(counts))
	for i, c := range counts {
		out[i] = bitsOf((c + weight*prior[i]) / total)
	}
	return out
}

// overlaps finds how often strangers who agree on one loose comparison agree on another. A
// pair counts as far as it is not one party by the model as it is; the first round has
// none to go by.
func (l *learner) overlaps(round int) {
	m := l.m
	old := m.given
	m.given = make([][][]Bits, len(m.cmp))
	if round == 0 {
		for a := range m.cmp {
			m.given[a] = make([][]Bits, len(m.cmp))
		}
		return
	}
	buf := make([]answer, len(m.cmp))
	// The pairs are judged without overlaps known so far in part only: by the old ones.
	given := m.given
	m.given = old
	defer func() { m.given = given }()
	for a := range m.cmp {
		given[a] = make([][]Bits, len(m.cmp))
		if !m.cmp[a].loose {
			continue
		}
		by := map[uint64][]int32{}
		var keys []uint64
		for i, r := range l.recs {
			v := &r.vals[a]
			var h uint64
			switch {
			case v.place != nil:
				h = v.place.whole
			case len(v.set) > 0:
				h = v.set[0].hash
			default:
				continue
			}
			if by[h] = append(by[h], int32(i)); len(by[h]) == 2 {
				keys = append(keys, h)
			}
		}
		seen := make([][]float64, len(m.cmp))
		for b := range seen {
			seen[b] = make([]float64, m.cmp[b].levels)
		}
		for drawn, try := 0, uint64(0); drawn < maxGiven && try < 4*maxGiven && len(keys) > 0; try++ {
			g := by[keys[mix(2*try)%uint64(len(keys))]]
			i, j := g[mix(4*try+1)%uint64(len(g))], g[mix(4*try+3)%uint64(len(g))]
			if l.party[i] == l.party[j] {
				continue
			}
			drawn++
			v := m.pair(l.recs[min(i, j)], l.recs[max(i, j)], buf)
			other := 1 / (1 + math.Exp2(float64(min(v.Strangers, v.Sharers))/100))
			for b := range m.cmp {
				if b == a || !m.cmp[b].loose {
					continue
				}
				if x := buf[b]; x.level >= 0 {
					seen[b][x.level] += other
				}
			}
		}
		for b := range m.cmp {
			if b != a && m.cmp[b].loose {
				given[a][b] = tails(seen[b], m.w[b].Strange, m.cmp[b].typ)
			}
		}
	}
}

// tails are log2 of how often each level or a better one was seen. What strangers in
// general look like counts as much as two pairs.
func tails(seen []float64, strange []Bits, t Type) []Bits {
	total := 2.0
	for _, n := range seen {
		total += n
	}
	out := make([]Bits, len(seen))
	var sum float64
	for l := len(seen) - 1; l >= 0; l-- {
		n := seen[l] + 2*math.Exp2(float64(strange[l])/100)
		if t == Text && l == textCodes {
			out[l] = bitsOf(n / total) // no better than the others
			continue
		}
		sum += n
		out[l] = min(0, bitsOf(sum/total))
	}
	return out
}

// group clusters the records under the model as it is.
func (l *learner) group(ctx context.Context) error {
	groups, err := l.m.batch(ctx, l.recs, l.pairs)
	if err != nil {
		return err
	}
	for _, g := range groups {
		for _, i := range g {
			l.party[i] = g[0]
		}
	}
	return nil
}
