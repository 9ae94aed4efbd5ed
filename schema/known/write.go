package known

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"slices"
)

// A filter is, in bytes, numbers big-endian:
//
//	"BLkn", version 1, Form, number of sections, 0, check of the key (8)
//	of each section: sort, width, prefix bits, Rice parameter, members (4), places (4), bytes of its body (4)
//	the bodies
//
// A section's places are sorted and cut into 2^prefix blocks by their first bits.
// Its body is where each block ends, counted from the first block's beginning (4
// each), then the blocks. A block is its places' remaining bits, each as the
// distance to the place before it less one, in Rice's code: the part above the
// parameter in ones with a zero behind, then the bits below it; the last byte is
// filled with ones.
const (
	magic       = "BLkn"
	version     = 1
	headSize    = 16
	sectionSize = 16
	// blockPlaces is about how many places a block holds: what one question decodes.
	blockPlaces = 96
)

// Builder collects marks and writes their filter. It holds four bytes a mark, and while it grows and writes some more.
type Builder struct {
	check [8]byte
	marks [sorts + 1][]Mark
}

// NewBuilder begins an empty set under the group's key.
func NewBuilder(key []byte) *Builder { return &Builder{check: NewMarker(key).check()} }

// Add adds a mark of the sort, which came from a Marker of the same key. One that is there already counts once.
func (b *Builder) Add(s Sort, m Mark) {
	if s.valid() {
		b.marks[s] = append(b.marks[s], m)
	}
}

// section is one sort's part of a filter.
type section struct {
	sort                Sort
	width, prefix, rice int
	members, places     uint32
	size                uint32 // of the body
	at                  int64  // of the body
}

// WriteTo writes the filter. The builder may go on.
func (b *Builder) WriteTo(w io.Writer) (int64, error) {
	head := append([]byte(magic), version, Form, byte(sorts), 0)
	head = append(head, b.check[:]...)
	bodies := make([][]byte, 0, sorts)
	for s := Mobile; int(s) <= sorts; s++ {
		slices.Sort(b.marks[s])
		b.marks[s] = slices.Compact(b.marks[s])
		sec, body := encode(s, b.marks[s])
		head = append(head, byte(s), byte(sec.width), byte(sec.prefix), byte(sec.rice))
		for _, n := range []uint32{sec.members, sec.places, uint32(len(body))} {
			head = binary.BigEndian.AppendUint32(head, n)
		}
		bodies = append(bodies, body)
	}
	var total int64
	for _, part := range append([][]byte{head}, bodies...) {
		n, err := w.Write(part)
		total += int64(n)
		if err != nil {
			return total, fmt.Errorf("known: write: %w", err)
		}
	}
	return total, nil
}

// encode gives a section and its body, of sorted marks.
func encode(s Sort, marks []Mark) (section, []byte) {
	sec := section{sort: s, members: uint32(len(marks)), width: width(s, uint64(len(marks)))}
	if sec.width == 0 || len(marks) == 0 {
		return sec, nil
	}
	low := 32 - sec.width
	for i, m := range marks {
		if i == 0 || m>>low != marks[i-1]>>low {
			sec.places++
		}
	}
	if n := sec.places / blockPlaces; n > 0 {
		sec.prefix = bits.Len32(n) - 1
	}
	// The best parameter is about the mean distance's logarithm; seven tenths of it is near enough.
	if d := (uint64(1) << sec.width) * 7 / 10 / uint64(sec.places); d > 0 {
		sec.rice = bits.Len64(d) - 1
	}
	ends := make([]byte, 0, 4<<sec.prefix)
	var out bitWriter
	rest := sec.width - sec.prefix
	block, last := uint32(0), int64(-1)
	for i, m := range marks {
		place := uint32(m >> low)
		if i > 0 && place == uint32(marks[i-1]>>low) {
			continue
		}
		for ; block < place>>rest; block++ {
			ends = binary.BigEndian.AppendUint32(ends, out.fill())
			last = -1
		}
		v := int64(place & (1<<rest - 1))
		out.rice(uint32(v-last-1), sec.rice)
		last = v
	}
	for ; block < 1<<sec.prefix; block++ {
		ends = binary.BigEndian.AppendUint32(ends, out.fill())
	}
	return sec, append(ends, out.b...)
}

// bitWriter writes bits, the highest of a byte first.
type bitWriter struct {
	b    []byte
	free int // bits of the last byte not yet written
}

func (w *bitWriter) bit(one bool) {
	if w.free == 0 {
		w.b, w.free = append(w.b, 0), 8
	}
	w.free--
	if one {
		w.b[len(w.b)-1] |= 1 << w.free
	}
}

func (w *bitWriter) rice(v uint32, k int) {
	for range v >> k {
		w.bit(true)
	}
	w.bit(false)
	for i := k - 1; i >= 0; i-- {
		w.bit(v>>i&1 == 1)
	}
}

// fill ends a block: a run of ones without an end says that no more comes. It gives where the next one begins.
func (w *bitWriter) fill() uint32 {
	for w.free > 0 {
		w.bit(true)
	}
	return uint32(len(w.b))
}

// Bytes is the filter of what was added.
func (b *Builder) Bytes() []byte {
	var out bytes.Buffer
	if _, err := b.WriteTo(&out); err != nil {
		panic(err) // a buffer takes everything
	}
	return out.Bytes()
}
