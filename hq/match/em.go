package match

import (
	"math"
	"slices"
)

// expected is what two records of one party, or of two who share, look like before
// anything was learned: the anchor of EM, which counts as much as anchor pairs.
const anchor = 6

func expected(c *comparison) (one, share []float64) {
	switch c.typ {
	case Name:
		one = []float64{.01, .01, .02, .03, .06, .08, .10, .15, .03, .509, .001}
		share = []float64{.40, .05, .25, .05, .05, .10, .02, .02, .01, .02, .03}
	case Address:
		one = []float64{.15, .10, .08, .12, .20, .35}
		share = []float64{.20, .10, .05, .10, .20, .35}
	case Birthday:
		one = []float64{.04, .04, .04, .08, .12, .68}
	case Email:
		one = []float64{.15, .05, .15, .65}
	case Text:
		one = []float64{.06, .08, .12, .16, .20, .17, .20, .01}
	case Last4, NationalID:
		one = []float64{.04, .04, .92}
	case Phone:
		one, share = []float64{.20, .05, .75}, []float64{.35, .05, .60}
	case Plate, VIN:
		one, share = []float64{.35, .05, .60}, []float64{.50, .05, .45}
	case Number, Year:
		one = []float64{.30, .20, .50}
	case Category:
		one = []float64{.20, .10, .70}
	default: // parts of an address
		one, share = []float64{.20, .10, .70}, []float64{.25, .10, .65}
	}
	if share == nil {
		share = one
	}
	return one, share
}

// start gives a model its weights before anything was learned.
func (m *Model) start() {
	m.w = make([]weights, len(m.cmp))
	for k := range m.cmp {
		one, sh := expected(&m.cmp[k])
		none := make([]float64, m.cmp[k].levels)
		m.w[k] = weights{One: share(none, one, 1), Strange: share(none, uniform(len(none)), 1), Share: share(none, sh, 1), Near: share(none, sh, 1)}
	}
}

// fit learns the weights of one party and of sharers, and how many pairs are such, by
// EM over the candidate pairs. What strangers look like stays as it was drawn, and all
// pairs that are no candidates are strangers, so that the odds come out for all pairs.
func (l *learner) fit() {
	m := l.m
	nc := len(m.cmp)
	if l.answers == nil {
		l.answers = make([]answer, nc*len(l.sampled))
	}
	for i, p := range l.sampled {
		as := l.answers[i*nc : (i+1)*nc]
		a, b := l.recs[p[0]], l.recs[p[1]]
		for k := range as {
			as[k] = m.cmp[k].compare(&a.vals[k], &b.vals[k])
		}
	}
	n := float64(len(l.recs))
	all := max(1, n*(n-1)/2)
	ones, shares, nears := n/4, n/20, n/10
	m.veto = false
	sums := make([][3][]float64, nc)
	for k := range sums {
		for c := range sums[k] {
			sums[k][c] = make([]float64, m.cmp[k].levels)
		}
	}
	for range steps {
		m.odds(ones, shares, nears, all)
		for k := range sums {
			clear(sums[k][0])
			clear(sums[k][1])
			clear(sums[k][2])
		}
		ones, shares, nears = 0, 0, 0
		var clash, calm float64 // names in conflict of one party, and not
		for i := range l.sampled {
			as := l.answers[i*nc : (i+1)*nc]
			v := m.judge(as)
			s, h := math.Exp2(-float64(v.Strangers)/100), math.Exp2(-float64(v.Sharers)/100)
			one := l.scale / (1 + s + h)
			sharing := one * h
			ones += one
			other := 1
			if v.Bound {
				shares += sharing
			} else {
				nears += sharing
				other = 2
			}
			for k := range as {
				if lv := as[k].level; lv >= 0 {
					sums[k][0][lv] += one
					sums[k][other][lv] += sharing
				}
				if as[k].conflict {
					clash += one
				} else if m.cmp[k].typ == Name && as[k].level >= 0 {
					calm += one
				}
			}
		}
		ones, shares, nears = max(ones, 1), max(shares, 1), max(nears, 1)
		for k := range sums {
			one, sh := expected(&m.cmp[k])
			m.w[k].One = share(sums[k][0], one, anchor)
			m.w[k].Share = share(sums[k][1], sh, anchor)
			m.w[k].Near = share(sums[k][2], sh, anchor)
			if m.cmp[k].typ == Name {
				m.w[k].titled()
			}
			m.w[k].anchored(m.cmp[k].typ)
			switch {
			case m.cmp[k].typ == Name:
				m.w[k].apart()
			case m.cmp[k].shared:
				m.w[k].together(m.cmp[k].typ)
			}
		}
		l.clash = clash / max(1, clash+calm)
	}
	m.odds(ones, shares, nears, all)
	m.veto = l.clash < 0.02
}

// titled sets what sharers' names look like where one is a family name only: like one
// party's, times how often sharers have the family name in common. Left to EM, it would
// take all such pairs for sharers, since nothing else tells the two apart.
func (w *weights) titled() {
	same, other := math.Exp2(float64(w.Share[nameFamily])/100), math.Exp2(float64(w.Share[nameConflict])/100)
	w.Share[nameWeak] = w.One[nameWeak] + bitsOf(min(.7, max(.1, same/(same+other))))
}

// apart holds the names of two parties who share something to what makes them two: they
// mostly differ, and names that conflict never speak for one party. Left to EM, one party
// and a site's many tenants may change places.
func (w *weights) apart() {
	alike := []int{nameMost, nameWithin, nameTypo, nameSounds, nameSame}
	for _, l := range [2][]Bits{w.Share, w.Near} {
		var sum float64
		for _, i := range alike {
			sum += math.Exp2(float64(l[i]) / 100)
		}
		const most = .3
		if sum <= most {
			continue
		}
		for i := range l {
			if slices.Contains(alike, i) {
				l[i] += bitsOf(most / sum)
			} else if i != nameWeak {
				l[i] += bitsOf((1 - most) / (1 - min(sum, .99)))
			}
		}
	}
	for _, i := range []int{nameConflict, nameScripts, nameFamily, nameGiven, nameParties} {
		w.Share[i], w.Near[i] = max(w.Share[i], w.One[i], w.Strange[i]+unlike), max(w.Near[i], w.One[i])
	}
}

// unlike is log2 of how many of those who share something are no more alike by name than
// strangers are, at least.
const unlike Bits = -130

// together holds what sharers have in common to what one party has: sharers are of several
// kinds, families and tenants and buyers of a car, and who has one thing in common with
// another mostly has the next as well. Left to EM, which takes things for independent, all
// that a family shares would speak for one party, the more the rarer families are among
// the sharers.
func (w *weights) together(t Type) {
	const little Bits = 30
	from := near
	if t == Address {
		from = placeNear
	}
	for l := from; l < len(w.One); l++ {
		w.Share[l] = max(w.Share[l], w.One[l]-little)
	}
}

// odds sets the log odds from the numbers of pairs of each story.
func (m *Model) odds(ones, shares, nears, all float64) {
	m.strangers = bitsOf(ones / max(1, all-ones-shares-nears))
	m.sharers = bitsOf(ones / shares)
	m.neighbours = bitsOf(ones / nears)
}

// anchored bounds how often one party may differ in what tells parties apart. Without it
// EM may take a household, a street's or a kitchen's regulars for one party, where such
// pairs are more than true ones.
func (w *weights) anchored(t Type) {
	most := func(p float64, levels ...int) {
		var sum float64
		for _, l := range levels {
			sum += math.Exp2(float64(w.One[l]) / 100)
		}
		if sum > p {
			for _, l := range levels {
				w.One[l] -= bitsOf(sum / p)
			}
		}
	}
	switch t {
	case Name:
		most(.12, nameConflict, nameScripts)
		most(.20, nameFamily, nameGiven)
	case Birthday:
		most(.30, dayOther, dayYear)
	case Last4, NationalID:
		most(.25, differs)
	case Text:
		most(.25, 0, 1, 2)
		most(.05, 7)
	}
}
