package match

import (
	"slices"
	"strings"

	"branchline/schema/han"
)

// Limits of keys. A key that more names stand beside than crowd is generic: it finds nobody by
// itself, only together with another one. It is the model that knows which are. A value that is
// somebody's own is never generic: it is what the records say of it, see Own.
const (
	crowd    = 48
	maxPairs = 9 // generic atoms of a record that are put together two by two
)

// atom is a thing a record can be found by.
type atom struct {
	hash  uint64
	whole bool // all of a value, and no part of it
	own   bool // and one that is somebody's own
}

// wholeKinds are the kinds of the atoms that are all of a value.
const wholeKinds = "oxd"

// Whole tells whether a key is all of a value, such as a telephone or a name: no word of
// it, and not two common things together.
func Whole(key uint64) bool { return key&1 > 0 }

// key is what an atom is found by: its last bits say whether it is whole, and somebody's own.
func (a atom) key() uint64 {
	k := a.hash &^ 3
	if a.whole {
		k |= 1
	}
	if a.own {
		k |= 2
	}
	return k
}

func atomHash(k int, kind byte, text string) uint64 {
	return mix(hashOf(kind, text) + uint64(k)*977)
}

// atoms are all the things a record can be found by, each once.
func atoms(cmp []comparison, r *sheet) []atom {
	out := make([]atom, 0, 48) // more have few
	for k := range cmp {
		c, v := &cmp[k], &r.vals[k]
		if !v.has {
			continue
		}
		add := func(kind byte, s string) {
			if s != "" {
				out = append(out, atom{hash: atomHash(k, kind, s), whole: strings.IndexByte(wholeKinds, kind) >= 0})
			}
		}
		for _, w := range v.set {
			if a, ok := c.own(k, w.text); ok {
				out = append(out, a)
			}
		}
		switch c.typ {
		case Name:
			for i := range v.forms {
				nameAtoms(&v.forms[i], add)
			}
		case Address:
			for _, w := range v.place.words {
				add('w', w.text)
			}
			ns := texts(v.place.numbers)
			slices.Sort(ns)
			if len(ns) >= 2 {
				add('N', strings.Join(ns, " "))
			}
			for _, n := range ns {
				add('n', n)
			}
			if len(v.place.words) > 0 && len(ns) > 0 {
				for _, w := range v.place.words {
					add('h', v.place.house.text+" "+skeleton(w.text))
				}
			}
		case Text:
			for _, w := range v.text.words {
				add('w', w.text)
			}
			add('x', v.set[0].text)
		case Birthday:
			add('d', v.set[0].text)
			d := v.day()
			add('a', string(rune(d.y))+string(rune(d.m)))
			add('b', string(rune(d.y))+"-"+string(rune(d.d)))
			if d.d > 0 {
				add('c', string(rune(d.m))+string(rune(d.d)))
			}
		case Email:
			for _, w := range v.set {
				l, d, _ := strings.Cut(w.text, "@")
				add('l', l)
				add('D', d)
			}
		case Phone, NationalID, VIN, Plate: // see Own
		case Postcode:
			for _, w := range v.set {
				add('o', w.text)
				if len(w.text) > 4 {
					add('O', w.text[:3])
				}
			}
		case Number, Year:
			add('o', v.set[0].text)
		default:
			for _, w := range v.set {
				add('o', w.text)
				if c.typ == Locality {
					add('s', skeleton(w.text))
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b atom) int {
		switch {
		case a.hash < b.hash:
			return -1
		case a.hash > b.hash:
			return 1
		}
		return 0
	})
	out = slices.CompactFunc(out, func(a, b atom) bool { return a.hash == b.hash })
	return out
}

func nameAtoms(f *form, add func(byte, string)) {
	sorted := texts(f.words)
	slices.Sort(sorted)
	add('x', strings.Join(sorted, ""))
	for _, s := range f.sounds {
		add('x', s)
	}
	if len(f.sounds) > 0 && f.han && f.party == person {
		add('x', f.sounds[0])
		if py := han.Pinyin(f.family).Full(); py != "" && f.family != "" {
			add('w', py)
		}
	}
	if !f.han {
		add('x', f.text) // as it is written, for names in one word
	}
	for _, w := range f.words {
		add('w', w.text)
		if s := skeleton(w.text); len(s) >= 2 {
			add('s', s)
		}
	}
	if len(f.words) >= 2 && !f.han && len(f.words) <= 4 {
		// Both words by their skeletons, whatever their order.
		sk := make([]string, 0, 4)
		for _, w := range f.words {
			sk = append(sk, skeleton(w.text))
		}
		slices.Sort(sk)
		for i := range sk {
			for j := range i {
				add('k', sk[j]+" "+sk[i])
			}
		}
	}
}

// keysOf are the keys of a record under a model: its rare atoms, and of its generic ones
// the rarest two by two where the pair is rare.
func (m *Model) keysOf(as []atom) []uint64 {
	var room [96]uint64
	out := room[:0]
	common := make([]atom, 0, len(as))
	for _, a := range as {
		if _, generic := m.generic[a.hash]; generic && !a.own {
			common = append(common, a)
		} else {
			out = append(out, a.key())
		}
	}
	for _, p := range m.pairs(common) {
		if _, generic := m.generic[p]; !generic {
			out = append(out, atom{hash: p}.key())
		}
	}
	slices.Sort(out)
	return slices.Clone(slices.Compact(out))
}

// pairs puts the rarest generic atoms together two by two.
func (m *Model) pairs(common []atom) []uint64 {
	slices.SortFunc(common, func(a, b atom) int {
		if x, y := m.generic[a.hash], m.generic[b.hash]; x != y {
			return int(x) - int(y)
		}
		if a.hash < b.hash {
			return -1
		}
		return 1
	})
	if len(common) > maxPairs {
		common = common[:maxPairs]
	}
	var out []uint64
	for i := range common {
		for j := range i {
			// By chance alone more records than a crowd would have both.
			x, y := common[i].hash, common[j].hash
			if int64(m.generic[x])*int64(m.generic[y]) <= crowd*m.population {
				out = append(out, both(x, y))
			}
		}
	}
	return out
}
