package known

import (
	"encoding/binary"
	"fmt"
	"io"

	"branchline/schema"
)

// MaxSize bounds a filter's bytes: far more than the largest group's.
const MaxSize = 64 << 20

// maxBlock bounds the bytes of one block, which is what a question reads.
const maxBlock = 4096

// Filter answers whether a thing is in a set. It reads what it needs of r at each
// question and keeps none of it. Safe for concurrent use if r is.
type Filter struct {
	r        io.ReaderAt
	check    [8]byte
	sections [sorts + 1]*section
}

// Open reads the head of a filter of size bytes. schema.ErrInvalid: it is none, or of another form.
func Open(r io.ReaderAt, size int64) (*Filter, error) {
	bad := func(why string) (*Filter, error) { return nil, schema.Invalid("filter", "%s", why) }
	var head [headSize]byte
	if size < headSize || size > MaxSize {
		return bad("is too short or too long")
	}
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, fmt.Errorf("known: open: %w", err)
	}
	if string(head[:4]) != magic || head[4] != version {
		return bad("is none that this program reads")
	}
	if head[5] != Form {
		return bad("is of another form")
	}
	n := int64(head[6])
	at := headSize + n*sectionSize
	if n > 32 || at > size {
		return bad("is cut off")
	}
	f := &Filter{r: r, check: [8]byte(head[8:])}
	heads := make([]byte, n*sectionSize)
	if _, err := r.ReadAt(heads, headSize); err != nil && n > 0 {
		return nil, fmt.Errorf("known: open: %w", err)
	}
	for ; len(heads) > 0; heads = heads[sectionSize:] {
		num := func(i int) uint32 { return binary.BigEndian.Uint32(heads[i:]) }
		s := &section{
			sort: Sort(heads[0]), width: int(heads[1]), prefix: int(heads[2]), rice: int(heads[3]),
			members: num(4), places: num(8), size: num(12), at: at,
		}
		at += int64(s.size)
		switch {
		case at > size:
			return bad("is cut off")
		case s.width > maxWidth || s.prefix > s.width || s.rice > s.width || s.places > s.members || s.places > 1<<s.width:
			return bad("contradicts itself")
		case s.places > 0 && int64(s.size) < 4<<s.prefix:
			return bad("has too short a section")
		}
		if s.sort.valid() { // one that a later program has added is passed over
			if f.sections[s.sort] != nil {
				return bad("has a section twice")
			}
			f.sections[s.sort] = s
		}
	}
	if at != size {
		return bad("has something behind its end")
	}
	return f, nil
}

// Of tells whether the filter was made under the marker's key: of another key's it would say nothing true.
func (f *Filter) Of(m *Marker) bool { return f.check == m.check() }

// Entries is how many marks were put into it.
func (f *Filter) Entries() int64 {
	n := int64(0)
	for _, s := range f.sections {
		if s != nil {
			n += int64(s.members)
		}
	}
	return n
}

// Has tells whether a mark of the sort is in the set, perhaps. An error is one of
// reading, or schema.ErrInvalid for a block that cannot be.
func (f *Filter) Has(s Sort, m Mark) (bool, error) {
	if !s.valid() || f.sections[s] == nil || f.sections[s].places == 0 {
		return false, nil
	}
	x := f.sections[s]
	place := uint32(m) >> (32 - x.width)
	rest := x.width - x.prefix
	block := int64(place >> rest)
	from, to, err := f.block(x, block)
	if err != nil || from == to {
		return false, err
	}
	b := make([]byte, to-from)
	if _, err := f.r.ReadAt(b, x.at+4<<x.prefix+from); err != nil {
		return false, fmt.Errorf("known: %w", err)
	}
	want, at := int64(place&(1<<rest-1)), int64(-1)
	in := bitReader{b: b}
	for at < want {
		d, ok := in.rice(x.rice)
		if !ok {
			return false, nil // the block's end
		}
		at += int64(d) + 1
	}
	return at == want, nil
}

// block is where a block begins and ends, from the first one's beginning.
func (f *Filter) block(x *section, n int64) (from, to int64, err error) {
	var buf [8]byte
	b, at := buf[:], x.at+4*(n-1)
	if n == 0 {
		b, at = buf[4:], x.at
	}
	if _, err := f.r.ReadAt(b, at); err != nil {
		return 0, 0, fmt.Errorf("known: %w", err)
	}
	from, to = int64(binary.BigEndian.Uint32(buf[:])), int64(binary.BigEndian.Uint32(buf[4:]))
	if from > to || to-from > maxBlock || to > int64(x.size)-4<<x.prefix {
		return 0, 0, schema.Invalid("filter", "has a block that cannot be")
	}
	return from, to, nil
}

// bitReader reads what bitWriter wrote.
type bitReader struct {
	b  []byte
	at int
}

func (r *bitReader) bit() (one, ok bool) {
	if r.at >= 8*len(r.b) {
		return false, false
	}
	one = r.b[r.at>>3]>>(7-r.at&7)&1 == 1
	r.at++
	return one, true
}

func (r *bitReader) rice(k int) (uint32, bool) {
	var v uint32
	for {
		one, ok := r.bit()
		if !ok {
			return 0, false
		}
		if !one {
			break
		}
		v++
	}
	for range k {
		one, ok := r.bit()
		if !ok {
			return 0, false
		}
		v <<= 1
		if one {
			v++
		}
	}
	return v, true
}

// Figures are how one section stands.
type Figures struct {
	Sort    Sort
	Members int // different things in it
	Places  int // that they take
	Bits    int // kept of each; 0: there are too many, and the section says nothing
	Bytes   int
}

// Rate is how often a thing that is not in it is said to be.
func (g Figures) Rate() float64 {
	if g.Bits == 0 {
		return 0
	}
	return float64(g.Places) / float64(uint64(1)<<g.Bits)
}

// FalsePerTrue is how many false hits there are for each true one, when the whole world of the sort is tried.
func (g Figures) FalsePerTrue() float64 {
	if g.Members == 0 {
		return 0
	}
	return g.Rate()*float64(g.Sort.World())/float64(g.Members) - 1
}

// Figures are those of every section, in the order of the sorts.
func (f *Filter) Figures() []Figures {
	var out []Figures
	for _, s := range f.sections {
		if s != nil {
			out = append(out, Figures{s.sort, int(s.members), int(s.places), s.width, sectionSize + int(s.size)})
		}
	}
	return out
}
