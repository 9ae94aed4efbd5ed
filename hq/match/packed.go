package match

import (
	"math"
	"slices"
)

// A record that is kept stands in one string: its parts side by side, of which only those are
// taken out that a comparison looks at. Numbers stand in it with their low bytes first, those
// that are small most of the time in sevens of bits, Bits in two bytes.

// writer makes such a string.
type writer []byte

func (w *writer) count(n int) {
	for ; n > 0x7f; n >>= 7 {
		*w = append(*w, byte(n)|0x80)
	}
	*w = append(*w, byte(n))
}

func (w *writer) long(n uint64) {
	*w = append(*w, byte(n), byte(n>>8), byte(n>>16), byte(n>>24), byte(n>>32), byte(n>>40), byte(n>>48), byte(n>>56))
}

// bits writes a rarity: at most 64 bits and maxSingle, whatever was learned.
func (w *writer) bits(b Bits) {
	n := uint16(max(math.MinInt16, min(math.MaxInt16, b)))
	*w = append(*w, byte(n), byte(n>>8))
}

func (w *writer) text(s string) {
	w.count(len(s))
	*w = append(*w, s...)
}

// reader takes such a string apart; the texts it gives are pieces of it.
type reader struct {
	s  string
	at int
}

func (r *reader) one() byte {
	r.at++
	return r.s[r.at-1]
}

func (r *reader) count() int {
	if b := r.s[r.at]; b < 0x80 {
		r.at++
		return int(b)
	}
	return r.large()
}

func (r *reader) large() (n int) {
	for shift := 0; ; shift += 7 {
		b := r.one()
		if n |= int(b&0x7f) << shift; b < 0x80 {
			return n
		}
	}
}

func (r *reader) long() uint64 {
	s := r.s[r.at : r.at+8]
	r.at += 8
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func (r *reader) bits() Bits {
	s := r.s[r.at : r.at+2]
	r.at += 2
	return Bits(int16(uint16(s[0]) | uint16(s[1])<<8))
}

func (r *reader) cut(n int) string {
	r.at += n
	return r.s[r.at-n : r.at]
}

func (r *reader) text() string { return r.cut(r.count()) }

// pack makes the string of a record: what it says, its id and word, and each value that says
// something behind its length.
func (x *sheet) pack(cmp []comparison) string {
	w := make(writer, 0, 512)
	w.long(x.says)
	w.text(x.id)
	w.text(x.word)
	var v writer
	for k := range x.vals {
		if x.vals[k].has {
			v = v[:0]
			v.value(cmp[k].typ, &x.vals[k])
			w.text(string(v))
		}
	}
	return string(w)
}

// open takes out what a packed record says in some comparisons, and its id.
func (x *sheet) open(cmp []comparison, packed string, says uint64) {
	r := reader{s: packed}
	x.says = r.long()
	x.id = r.text()
	r.at += r.count()
	for k := range cmp {
		if x.says&(1<<k) == 0 {
			continue
		}
		if n := r.count(); says&(1<<k) == 0 {
			r.at += n
			continue
		}
		v := &x.vals[k]
		v.has = true
		r.value(cmp[k].typ, v)
	}
}

// says is what a packed record says.
func says(packed string) uint64 {
	r := reader{s: packed}
	return r.long()
}

func (w *writer) value(t Type, v *value) {
	switch t {
	case Name:
		w.count(len(v.forms))
		for i := range v.forms {
			w.form(&v.forms[i])
		}
		return
	case Address:
		w.place(v.place)
		return
	case Birthday, Number, Year:
		w.long(uint64(v.num))
		w.bits(v.freq)
		return
	case Text:
		w.long(uint64(v.text.norm))
		w.words(v.text.words, v.text.wbits, true)
	}
	w.bits(v.freq)
	w.count(len(v.set))
	for i := range v.set {
		w.text(v.set[i].text)
	}
}

// value fills a value, in place of what stood there.
func (r *reader) value(t Type, v *value) {
	switch t {
	case Name:
		n := r.count()
		v.forms = slices.Grow(v.forms[:0], n)[:n] // what they are made of is used again
		for i := range v.forms {
			r.form(&v.forms[i])
		}
		return
	case Address:
		if v.place == nil {
			v.place = new(place)
		}
		r.place(v.place)
		return
	case Birthday, Number, Year:
		v.num = int64(r.long())
		v.freq = r.bits()
		return
	case Text:
		if v.text == nil {
			v.text = new(text)
		}
		v.text.norm = int64(r.long())
		v.text.words, v.text.wbits = r.words(v.text.words, v.text.wbits, true)
	}
	v.freq = r.bits()
	v.set = v.set[:0]
	for range r.count() {
		v.set = append(v.set, word{text: r.text()})
	}
}

// words writes words and what each is worth. Their texts, where they are asked for, stand behind them as one.
func (w *writer) words(ws []word, bits []Bits, texts bool) {
	w.count(len(ws))
	for i := range ws {
		x := &ws[i]
		w.long(x.hash)
		w.bits(bits[i])
		if texts {
			f := byte(x.role)
			if x.pet {
				f |= 1 << 7
			}
			*w = append(*w, f)
			w.count(len(x.text))
		}
	}
	if texts {
		for i := range ws {
			*w = append(*w, ws[i].text...)
		}
	}
}

func (r *reader) words(ws []word, bits []Bits, texts bool) ([]word, []Bits) {
	ws, bits = ws[:0], bits[:0]
	n := r.count()
	for range n {
		x := word{hash: r.long()}
		bits = append(bits, r.bits())
		if texts {
			f := r.one()
			x.role, x.pet = role(f&0x7f), f>>7 > 0
			x.text = r.s[:r.count()] // as long as its text
		}
		ws = append(ws, x)
	}
	if texts {
		for i := range ws {
			ws[i].text = r.cut(len(ws[i].text))
		}
	}
	return ws, bits
}

const (
	formHan = 1 << iota
	formFull
	formNick
	formCut // into a family and a given name
	formParty
)

// form writes a name. Its text is that of its words.
func (w *writer) form(f *form) {
	flags := byte(f.party) * formParty
	for _, b := range [...]struct {
		is  bool
		bit byte
	}{{f.han, formHan}, {f.full, formFull}, {f.nick, formNick}, {f.family != "" || f.given != "", formCut}} {
		if b.is {
			flags |= b.bit
		}
	}
	*w = append(*w, flags)
	w.long(f.whole)
	w.bits(f.freq)
	if f.party == company {
		w.text(f.core)
		w.text(f.city)
	}
	if flags&formCut > 0 {
		w.count(len(f.family))
	}
	w.count(len(f.sounds))
	for _, s := range f.sounds {
		w.text(s)
	}
	w.words(f.words, f.wbits, true)
}

func (r *reader) form(f *form) {
	flags := r.one()
	f.han, f.full, f.nick, f.party = flags&formHan > 0, flags&formFull > 0, flags&formNick > 0, party(flags/formParty)
	f.whole = r.long()
	f.freq = r.bits()
	f.core, f.city, f.family, f.given = "", "", "", ""
	if f.party == company {
		f.core = r.text()
		f.city = r.text()
	}
	family := 0
	if flags&formCut > 0 {
		family = r.count()
	}
	f.sounds = f.sounds[:0]
	for range r.count() {
		f.sounds = append(f.sounds, r.text())
	}
	f.words, f.wbits = r.words(f.words, f.wbits, true)
	n := 0
	for i := range f.words {
		n += len(f.words[i].text)
	}
	f.text = r.s[r.at-n : r.at]
	if flags&formCut > 0 {
		f.family, f.given = f.text[:family], f.text[family:]
	}
}

// place writes an address. Of its numbers nothing but the hashes is looked at.
func (w *writer) place(p *place) {
	w.long(p.whole)
	w.bits(p.freq)
	w.long(p.house.hash)
	w.text(p.road)
	w.words(p.words, p.wbits, true)
	w.words(p.numbers, p.nbits, false)
}

func (r *reader) place(p *place) {
	p.whole = r.long()
	p.freq = r.bits()
	p.house.hash = r.long()
	p.road = r.text()
	p.words, p.wbits = r.words(p.words, p.wbits, true)
	p.numbers, p.nbits = r.words(p.numbers, p.nbits, false)
}
