package match

import (
	"encoding/binary"
	"slices"
)

// Own tells whether a key is a value that one party or one household has for itself: a
// telephone, an e-mail address, a national id, a plate or a VIN. Such a key is Whole. What
// the records of more than Long names have is nobody's own: it proves nothing, and is left
// out of every one of them (Model.Without) as long as it is so.
func Own(key uint64) bool { return key&2 > 0 }

// own gives the atom of a value that is somebody's own; false where those of its type are not.
func (c *comparison) own(k int, text string) (a atom, ok bool) {
	kind := byte('o')
	switch c.typ {
	case Phone, NationalID:
	case Email:
		kind = 'e'
	case VIN:
		kind, text = 'v', text[max(0, len(text)-8):]
	case Plate:
		rs := []rune(text)
		kind, text = 'p', string(rs[max(0, len(rs)-5):])
	default:
		return a, false
	}
	return atom{atomHash(k, kind, text), true, true}, true
}

// ownKind sets the hashes of values apart that are somebody's own.
func ownKind(t Type) byte {
	switch t {
	case Phone:
		return 'p'
	case Email:
		return 'e'
	case Plate:
		return 'l'
	case VIN:
		return 'v'
	}
	return 'i'
}

// Without is a record without the values of its that are common: those whose keys the caller
// says are held under more than Long names. It is the record itself where it has none. What
// was left out is kept in it, so that Without of the outcome is what Without of the record is.
func (m *Model) Without(p *Prepared, common func(key uint64) bool) *Prepared {
	packed := m.without(p.packed, common)
	if packed == p.packed {
		return p
	}
	return asPrepared(packed, p.keys)
}

// hushed is Without of a record that is not packed. Nothing is common where common is nil.
func (m *Model) hushed(x *sheet, common func(key uint64) bool) *sheet {
	if common == nil || !slices.ContainsFunc(x.keys, common) {
		return x
	}
	out := &sheet{word: x.word, vals: make([]value, len(m.cmp)), keys: x.keys}
	out.open(m.cmp, m.without(x.pack(m.cmp), common), ^uint64(0))
	return out
}

// without leaves the common values out of a packed record. One of whose values some are
// left out stands behind the others as it was.
func (m *Model) without(packed string, common func(key uint64) bool) string {
	r := reader{s: packed}
	says := r.long()
	var vals, were [maxCompared]string
	w := make(writer, 8, len(packed))
	w.text(r.text())
	w.text(r.text())
	for k := range m.cmp {
		if says&(1<<k) > 0 {
			vals[k] = r.text()
		}
	}
	for r.at < len(r.s) {
		k := r.one()
		vals[k] = r.text()
		says |= 1 << k
	}
	for k := range m.cmp {
		if says&(1<<k) == 0 {
			continue
		}
		if left, some := m.left(k, vals[k], common); some {
			were[k], vals[k] = vals[k], left
		}
		if vals[k] == "" {
			says &^= 1 << k
			continue
		}
		w.text(vals[k])
	}
	for k := range m.cmp {
		if were[k] != "" {
			w = append(w, byte(k))
			w.text(were[k])
		}
	}
	copy(w, binary.LittleEndian.AppendUint64(nil, says))
	return string(w)
}

// left is what is left of one packed value, nothing where all of it is common. some: something is.
func (m *Model) left(k int, packed string, common func(key uint64) bool) (left string, some bool) {
	c := &m.cmp[k]
	if _, own := c.own(k, ""); !own {
		return packed, false
	}
	var v value
	r := reader{s: packed}
	r.value(c.typ, &v)
	n := len(v.set)
	v.set = slices.DeleteFunc(v.set, func(w word) bool {
		a, _ := c.own(k, w.text)
		return common(a.key())
	})
	switch len(v.set) {
	case n:
		return packed, false
	case 0:
		return "", true
	}
	v.freq = 0
	for _, w := range v.set {
		v.freq = max(v.freq, m.rarity(k, wholes, hashOf(ownKind(c.typ), w.text)))
	}
	var w writer
	w.value(c.typ, &v)
	return string(w), true
}
