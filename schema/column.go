package schema

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// A pack's body in form 2 holds the changes' parts by what they are: tags, lengths, numbers, fields column by column,
// and apart from them what is chance (salts, the tails of record ids) and cannot be compressed:
//
//	flags | lengths of tags, lengths, numbers and chance | columns: how many, then number and length of each |
//	[size of the first frame] | zstd of tags, lengths, numbers and short columns | zstd of long columns | chance
//
// A joined body has all columns in one frame, made with the dictionary when it is small, and a body in line has one column.
// Taking a payload apart and putting it together gives the very same bytes: one of which that is not sure goes whole.
const (
	columnsJoined = 1 << iota // one frame
	columnsInLine             // one column
)

const (
	inLineChanges = 3  // up to so many changes are put in line
	longColumn    = 26 // bytes a change, on average, from which on a column is long
	innerColumns  = 128
	columnCount   = innerColumns + 32

	changeSplit  = 0
	changeErased = 1
	changeWhole  = 2 // in one piece, in column 0

	bodyAt     = protowire.Number(1)
	bodyRecord = protowire.Number(3)
	bodyValues = protowire.Number(4)
)

// columns takes changes apart. It is used again and again.
type columns struct {
	tags, lens, nums, chance []byte
	col                      [columnCount][]byte
	inLine                   bool
	at                       int64 // ms of the last change's time
	undo                     []columnLen
}

type columnLen struct{ num, length int }

func (x *columns) reset(inLine bool) {
	x.tags, x.lens, x.nums, x.chance = x.tags[:0], x.lens[:0], x.nums[:0], x.chance[:0]
	for i := range x.col {
		x.col[i] = x.col[i][:0]
	}
	x.inLine, x.at = inLine, 0
}

func (x *columns) add(s Sealed) {
	if s.Erased() {
		x.tags = append(x.tags, changeErased)
		x.chance = append(x.chance, s.PayloadHash[:]...)
		return
	}
	x.chance = append(x.chance, s.Salt[:]...)
	tags, lens, nums, chance, at := len(x.tags), len(x.lens), len(x.nums), len(x.chance), x.at
	x.undo = x.undo[:0]
	x.tags = append(x.tags, changeSplit)
	if x.message(s.Payload, false) {
		x.tags = append(x.tags, 0) // no field's tag
		return
	}
	x.tags, x.lens, x.nums, x.chance, x.at = x.tags[:tags], x.lens[:lens], x.nums[:nums], x.chance[:chance], at
	for i := len(x.undo) - 1; i >= 0; i-- {
		u := x.undo[i]
		x.col[u.num] = x.col[u.num][:u.length]
	}
	x.tags = append(x.tags, changeWhole)
	x.lens = binary.AppendUvarint(x.lens, uint64(len(s.Payload)))
	x.put(0, s.Payload)
}

func (x *columns) put(num int, b []byte) {
	if x.inLine {
		num = 0
	}
	x.undo = append(x.undo, columnLen{num, len(x.col[num])})
	x.col[num] = append(x.col[num], b...)
}

// columnOf is the column of a field: those of the body itself stand behind those of the record's message.
func columnOf(num protowire.Number, inner bool) int {
	switch {
	case inner && num < innerColumns:
		return int(num)
	case !inner && num < columnCount-innerColumns:
		return innerColumns + int(num)
	}
	return 0
}

// message takes one message apart; false: it could not be put together again for sure.
func (x *columns) message(b []byte, inner bool) bool {
	for len(b) > 0 {
		tag, n := binary.Uvarint(b)
		num, typ := protowire.Number(tag>>3), protowire.Type(tag&7)
		if n <= 0 || n > 3 || n != protowire.SizeVarint(tag) || num == 0 {
			return false
		}
		x.tags = append(x.tags, b[:n]...)
		b = b[n:]
		switch typ {
		case protowire.VarintType:
			n := protowire.ConsumeFieldValue(num, typ, b)
			if n < 0 {
				return false
			}
			x.nums = append(x.nums, b[:n]...)
			b = b[n:]
		case protowire.Fixed32Type:
			if len(b) < 4 {
				return false
			}
			x.nums = append(x.nums, b[:4]...)
			b = b[4:]
		case protowire.Fixed64Type:
			if len(b) < 8 {
				return false
			}
			v := binary.LittleEndian.Uint64(b)
			if num == bodyAt && !inner {
				ms := int64(v >> 16)
				x.nums = binary.AppendVarint(x.nums, ms-x.at)
				x.nums = binary.AppendUvarint(x.nums, v&0xffff)
				x.at = ms
			} else {
				x.nums = append(x.nums, b[:8]...)
			}
			b = b[8:]
		case protowire.BytesType:
			size, n := binary.Uvarint(b)
			if n <= 0 || n != protowire.SizeVarint(size) || size > uint64(len(b)-n) {
				return false
			}
			v := b[n : n+int(size)]
			b = b[n+int(size):]
			if !x.field(num, v, inner) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// Lengths of fields are written with one added: 0 is a record id in its text form.
func (x *columns) field(num protowire.Number, v []byte, inner bool) bool {
	if !inner {
		if num == bodyRecord && len(v) == 16 {
			x.lens = append(x.lens, 0)
			x.id([16]byte(v))
			return true
		}
		if num == bodyValues {
			x.lens = binary.AppendUvarint(x.lens, uint64(len(v)))
			return x.message(v, true)
		}
	}
	if id, ok := strictID(v); ok && (inner || num != bodyRecord) {
		x.lens = append(x.lens, 0)
		x.id(id)
		return true
	}
	x.lens = binary.AppendUvarint(x.lens, uint64(len(v))+1)
	x.put(columnOf(num, inner), v)
	return true
}

// id writes the time in an id as its distance from the change's, and what is chance in it apart.
func (x *columns) id(id [16]byte) {
	x.nums = binary.AppendVarint(x.nums, idTime(id)-x.at)
	x.nums = append(x.nums, id[6], id[7])
	x.chance = append(x.chance, id[8:]...)
}

func idTime(id [16]byte) int64 { return int64(binary.BigEndian.Uint64(id[:8]) >> 16) }

var idDigits = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i := range len(alphabet) {
		t[alphabet[i]] = byte(i)
	}
	return t
}()

// strictID reads the text of a record id if it is written exactly as RecordID.String does.
func strictID(v []byte) (id [16]byte, ok bool) {
	if len(v) != 26 {
		return id, false
	}
	var acc uint32
	bits, at := 0, 0
	for _, c := range v {
		d := idDigits[c]
		if d == 0xff {
			return id, false
		}
		acc = acc<<5 | uint32(d)
		if bits += 5; bits >= 8 {
			bits -= 8
			id[at] = byte(acc >> bits)
			at++
			acc &= 1<<bits - 1
		}
	}
	return id, acc == 0
}

// appendID is RecordID.String without the string.
func appendID(dst []byte, id [16]byte) []byte {
	var acc uint32
	bits := 0
	for _, c := range id {
		acc = acc<<8 | uint32(c)
		for bits += 8; bits >= 5; {
			bits -= 5
			dst = append(dst, alphabet[acc>>bits&31])
		}
		acc &= 1<<bits - 1
	}
	return append(dst, alphabet[acc<<(5-bits)&31])
}

// appendBody writes the changes taken apart. changes is how many there are.
func (c *PackCodec) appendBody(dst []byte, changes int) ([]byte, error) {
	x := &c.cols
	joined := x.inLine
	flags := byte(0)
	if joined {
		flags |= columnsJoined | columnsInLine
	}
	dst = append(dst, flags)
	for _, p := range [][]byte{x.tags, x.lens, x.nums, x.chance} {
		dst = binary.AppendUvarint(dst, uint64(len(p)))
	}
	n := 0
	for i := range x.col {
		if len(x.col[i]) > 0 {
			n++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	c.raw = append(append(append(c.raw[:0], x.tags...), x.lens...), x.nums...)
	long := c.long[:0]
	for i := range x.col {
		v := x.col[i]
		if len(v) == 0 {
			continue
		}
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, uint64(i)), uint64(len(v)))
		if !joined && len(v) >= longColumn*changes {
			long = append(long, v...)
		} else {
			c.raw = append(c.raw, v...)
		}
	}
	c.long = long
	if joined {
		dst, err := c.appendSmall(dst, c.raw)
		return append(dst, x.chance...), err
	}
	c.packed = c.enc.EncodeAll(c.raw, c.packed[:0])
	dst = binary.AppendUvarint(dst, uint64(len(c.packed)))
	dst = append(dst, c.packed...)
	dst = c.enc.EncodeAll(long, dst)
	return append(dst, x.chance...), nil
}

var errColumns = fmt.Errorf("its columns do not fit together")

// rows puts changes together again.
type rows struct {
	tags, lens, nums, chance []byte
	col                      [columnCount][]byte
	inLine, bad              bool
	at                       int64
	out                      []byte
}

// body reads what appendBody wrote: the changes in their first form, one after the other, raw bytes in all.
func (c *PackCodec) body(b []byte, changes, raw int) ([]byte, error) {
	r := &rows{}
	if len(b) == 0 || b[0]&^(columnsJoined|columnsInLine) != 0 {
		return nil, errColumns
	}
	joined := b[0]&columnsJoined != 0
	r.inLine = b[0]&columnsInLine != 0
	b = b[1:]
	size := func() int {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > MaxPackBytes+MaxChange+1<<16 {
			r.bad = true
			return 0
		}
		b = b[n:]
		return int(v)
	}
	sizes := [4]int{size(), size(), size(), size()}
	type column struct{ num, size int }
	list := make([]column, min(size(), columnCount))
	first, long := sizes[0]+sizes[1]+sizes[2], 0
	for i := range list {
		list[i] = column{size(), size()}
		if list[i].num >= columnCount || list[i].size == 0 || i > 0 && list[i].num <= list[i-1].num {
			return nil, errColumns
		}
		if !joined && list[i].size >= longColumn*changes {
			long += list[i].size
		} else {
			first += list[i].size
		}
	}
	frame := 0
	if !joined {
		frame = size()
	}
	if r.bad || sizes[3] > len(b) || frame > len(b)-sizes[3] || first+long > 4*raw+1<<12 {
		return nil, errColumns
	}
	r.chance = b[len(b)-sizes[3]:]
	b = b[:len(b)-sizes[3]]
	var err error
	if joined {
		c.raw, err = c.readSmall(c.raw[:0], b)
	} else {
		if c.raw, err = c.dec.DecodeAll(b[:frame], c.raw[:0]); err == nil {
			c.long, err = c.dec.DecodeAll(b[frame:], c.long[:0])
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be decompressed: %w", err)
	}
	if len(c.raw) != first || !joined && len(c.long) != long {
		return nil, errColumns
	}
	rest, behind := c.raw, c.long
	for i, p := range []*[]byte{&r.tags, &r.lens, &r.nums} {
		*p, rest = rest[:sizes[i]], rest[sizes[i]:]
	}
	for _, k := range list {
		if !joined && k.size >= longColumn*changes {
			r.col[k.num], behind = behind[:k.size], behind[k.size:]
		} else {
			r.col[k.num], rest = rest[:k.size], rest[k.size:]
		}
	}
	r.out = make([]byte, 0, raw)
	for range changes {
		if r.change(raw); r.bad {
			return nil, errColumns
		}
	}
	for i := range r.col {
		r.bad = r.bad || len(r.col[i]) > 0
	}
	if r.bad || len(r.tags)+len(r.lens)+len(r.nums)+len(r.chance) > 0 {
		return nil, errColumns
	}
	return r.out, nil
}

func (r *rows) take(from *[]byte, n uint64) []byte {
	if r.bad || n > uint64(len(*from)) {
		r.bad = true
		return nil
	}
	out := (*from)[:n]
	*from = (*from)[n:]
	return out
}

func (r *rows) uvarint(from *[]byte) uint64 {
	v, n := binary.Uvarint(*from)
	if n <= 0 {
		r.bad = true
		return 0
	}
	*from = (*from)[n:]
	return v
}

func (r *rows) varint(from *[]byte) int64 {
	v, n := binary.Varint(*from)
	if n <= 0 {
		r.bad = true
		return 0
	}
	*from = (*from)[n:]
	return v
}

// change appends one change in its first form.
func (r *rows) change(most int) {
	kind := r.take(&r.tags, 1)
	if r.bad {
		return
	}
	switch kind[0] {
	case changeErased:
		r.out = append(append(r.out, sealedErased), r.take(&r.chance, 32)...)
		return
	case changeWhole, changeSplit:
	default:
		r.bad = true
		return
	}
	r.out = append(append(r.out, sealedWhole), r.take(&r.chance, 16)...)
	if kind[0] == changeWhole {
		v := r.take(&r.col[0], r.uvarint(&r.lens))
		r.out = append(binary.AppendUvarint(r.out, uint64(len(v))), v...)
		return
	}
	// The payload's length stands before it: room for the longest spelling, moved together afterwards.
	const room = 3
	at := len(r.out)
	r.out = append(r.out, 0, 0, 0)
	r.message(false, -1, most)
	n := len(r.out) - at - room
	if r.bad || n > MaxChange {
		r.bad = true
		return
	}
	w := binary.PutUvarint(r.out[at:at+room], uint64(n))
	r.out = append(r.out[:at+w], r.out[at+room:]...)
}

// message appends one message: as many bytes as it has, or up to the tag that ends it when left is negative.
func (r *rows) message(inner bool, left, most int) {
	end := len(r.out) + left
	for !r.bad && (left < 0 || len(r.out) < end) {
		tag := r.uvarint(&r.tags)
		if tag == 0 && left < 0 {
			return
		}
		num, typ := protowire.Number(tag>>3), protowire.Type(tag&7)
		r.out = binary.AppendUvarint(r.out, tag)
		switch typ {
		case protowire.VarintType:
			n := protowire.ConsumeFieldValue(1, typ, r.nums)
			r.bad = r.bad || n < 0
			r.out = append(r.out, r.take(&r.nums, uint64(max(n, 0)))...)
		case protowire.Fixed32Type:
			r.out = append(r.out, r.take(&r.nums, 4)...)
		case protowire.Fixed64Type:
			if num == bodyAt && !inner {
				r.at += r.varint(&r.nums)
				r.out = binary.LittleEndian.AppendUint64(r.out, uint64(r.at)<<16|r.uvarint(&r.nums)&0xffff)
			} else {
				r.out = append(r.out, r.take(&r.nums, 8)...)
			}
		case protowire.BytesType:
			r.field(num, inner, most)
		default:
			r.bad = true
		}
		if len(r.out) > most+8 {
			r.bad = true
		}
	}
	if left >= 0 && len(r.out) != end {
		r.bad = true
	}
}

func (r *rows) field(num protowire.Number, inner bool, most int) {
	n := r.uvarint(&r.lens)
	switch {
	case n > uint64(most):
		r.bad = true
	case !inner && num == bodyValues:
		r.out = binary.AppendUvarint(r.out, n)
		r.message(true, int(n), most)
	case n == 0 && !inner && num == bodyRecord:
		r.out = append(r.out, 16)
		id := r.id()
		r.out = append(r.out, id[:]...)
	case n == 0:
		r.out = appendID(append(r.out, 26), r.id())
	default:
		k := columnOf(num, inner)
		if r.inLine {
			k = 0
		}
		r.out = binary.AppendUvarint(r.out, n-1)
		r.out = append(r.out, r.take(&r.col[k], n-1)...)
	}
}

func (r *rows) id() (id [16]byte) {
	ms := r.at + r.varint(&r.nums)
	binary.BigEndian.PutUint64(id[:8], uint64(ms)<<16)
	copy(id[6:8], r.take(&r.nums, 2))
	copy(id[8:], r.take(&r.chance, 8))
	return id
}
