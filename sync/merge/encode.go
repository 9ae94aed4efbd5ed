package merge

import (
	"encoding/binary"
	"fmt"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// Two forms of an encoded state. Fresh: every entry is of one change and none
// names or removes anything; the message bytes follow the stamp. General:
//
//	2 | stamps | fields: number, entries: stamp index, ordinal, flags, [value], [names]
//
// A state has exactly one encoding: fresh whenever it can be.
const (
	formFresh   = 1
	formGeneral = 2

	flagRemove = 1
	flagDead   = 2
	flagNames  = 4
)

// EncodeFresh is the encoded state of a record that this change makes, without
// taking the values apart. ok is false when the change names or removes
// anything or its values are not in field order.
func EncodeFresh(stamp schema.Stamp, b *wirev1.ChangeBody) (enc []byte, ok bool) {
	if len(b.GetNames()) > 0 || len(b.GetValues()) == 0 {
		return nil, false
	}
	last := int32(0)
	if err := splitValues(b.GetValues(), func(num int32, _ []byte) {
		if num < last {
			last = 1 << 30
			return
		}
		last = num
	}); err != nil || last == 1<<30 {
		return nil, false
	}
	out := make([]byte, 0, 32+len(b.GetValues()))
	out = appendStamp(append(out, formFresh), stamp)
	return append(out, b.GetValues()...), true
}

// Encode writes the state: equal states, equal bytes. The empty state is no bytes.
func (s *State) Encode() []byte {
	if s.Empty() {
		return nil
	}
	if out, ok := s.encodeFresh(); ok {
		return out
	}
	var stamps []schema.Stamp
	index := map[Place]uint64{}
	add := func(st schema.Stamp) uint64 {
		key := Place{Branch: st.Branch, Inc: st.Inc, Seq: st.Seq}
		i, ok := index[key]
		if !ok {
			i = uint64(len(stamps))
			index[key] = i
			stamps = append(stamps, st)
		}
		return i
	}
	var body []byte
	for i := range s.fields {
		f := &s.fields[i]
		body = binary.AppendUvarint(body, uint64(f.number))
		body = binary.AppendUvarint(body, uint64(len(f.entries)))
		for j := range f.entries {
			e := &f.entries[j]
			body = binary.AppendUvarint(body, add(e.Stamp))
			body = binary.AppendUvarint(body, uint64(e.Ord))
			var flags byte
			if e.Remove {
				flags |= flagRemove
			}
			if e.Dead {
				flags |= flagDead
			}
			if len(e.Names) > 0 {
				flags |= flagNames
			}
			body = append(body, flags)
			if flags&(flagRemove|flagDead) == 0 {
				body = binary.AppendUvarint(body, uint64(len(e.Value)))
				body = append(body, e.Value...)
			}
			if flags&flagNames == 0 {
				continue
			}
			body = binary.AppendUvarint(body, uint64(len(e.Names)))
			for _, p := range e.Names {
				body = appendPlace(body, p)
			}
		}
	}
	out := binary.AppendUvarint([]byte{formGeneral}, uint64(len(stamps)))
	for _, st := range stamps {
		out = appendStamp(out, st)
	}
	return append(out, body...)
}

func (s *State) encodeFresh() ([]byte, bool) {
	var stamp schema.Stamp
	size := 0
	for i := range s.fields {
		for j := range s.fields[i].entries {
			e := &s.fields[i].entries[j]
			if e.Remove || e.Dead || len(e.Names) > 0 || int(e.Ord) != j {
				return nil, false
			}
			if stamp.IsZero() {
				stamp = e.Stamp
			} else if stamp != e.Stamp {
				return nil, false
			}
			size += len(e.Value)
		}
	}
	out := appendStamp(append(make([]byte, 0, 32+size), formFresh), stamp)
	for i := range s.fields {
		for j := range s.fields[i].entries {
			out = append(out, s.fields[i].entries[j].Value...)
		}
	}
	return out, true
}

func appendStamp(dst []byte, s schema.Stamp) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.At))
	dst = append(dst, byte(len(s.Branch)))
	dst = append(dst, s.Branch...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Inc))
	return binary.AppendUvarint(dst, uint64(s.Seq))
}

func appendPlace(dst []byte, p Place) []byte {
	dst = append(dst, byte(len(p.Branch)))
	dst = append(dst, p.Branch...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(p.Inc))
	dst = binary.AppendUvarint(dst, uint64(p.Seq))
	return binary.AppendUvarint(dst, uint64(p.Ord))
}

// Decode reads what Encode or EncodeFresh wrote. The state's values point into b.
func Decode(b []byte) (*State, error) {
	s := new(State)
	if len(b) == 0 {
		return s, nil
	}
	r := reader{b: b[1:]}
	switch b[0] {
	case formFresh:
		stamp := r.stamp()
		if r.bad {
			break
		}
		err := splitValues(r.b, func(num int32, raw []byte) {
			f := s.at(num)
			f.entries = append(f.entries, Entry{Stamp: stamp, Ord: uint32(len(f.entries)), Value: raw})
		})
		if err != nil {
			return nil, fmt.Errorf("merge: state: %w", err)
		}
		return s, nil
	case formGeneral:
		r.general(s)
	default:
		return nil, fmt.Errorf("merge: state has unknown form %d", b[0])
	}
	if r.bad || len(r.b) != 0 {
		return nil, fmt.Errorf("merge: state is cut short or has bytes too many")
	}
	return s, nil
}

// FreshStamp is the stamp of an encoded state made by one change alone, without decoding it.
func FreshStamp(b []byte) (schema.Stamp, bool) {
	if len(b) == 0 || b[0] != formFresh {
		return schema.Stamp{}, false
	}
	r := reader{b: b[1:]}
	s := r.stamp()
	return s, !r.bad
}

// FreshMessage is the message bytes of an encoded state made by one change
// alone, without decoding it; false when it must be decoded and folded.
func FreshMessage(b []byte) ([]byte, bool) {
	if len(b) == 0 || b[0] != formFresh {
		return nil, false
	}
	r := reader{b: b[1:]}
	r.stamp()
	return r.b, !r.bad
}

type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// count reads a number of things each at least one byte long.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) stamp() schema.Stamp {
	at := schema.Tick(r.uint64())
	b := schema.BranchID(r.take(uint64(r.byte())))
	inc := schema.Incarnation(r.uint64())
	return schema.Stamp{At: at, Branch: b, Inc: inc, Seq: schema.Seq(r.uvarint())}
}

func (r *reader) place() Place {
	b := schema.BranchID(r.take(uint64(r.byte())))
	inc := schema.Incarnation(r.uint64())
	seq := schema.Seq(r.uvarint())
	return Place{b, inc, seq, uint32(r.uvarint())}
}

func (r *reader) general(s *State) {
	stamps := make([]schema.Stamp, r.count())
	for i := range stamps {
		stamps[i] = r.stamp()
	}
	for len(r.b) > 0 && !r.bad {
		f := field{number: int32(r.uvarint())}
		if n := len(s.fields); n > 0 && s.fields[n-1].number >= f.number {
			r.bad = true
			return
		}
		n := r.count()
		f.entries = make([]Entry, 0, n)
		for range n {
			i := r.uvarint()
			if i >= uint64(len(stamps)) {
				r.bad = true
				return
			}
			e := Entry{Stamp: stamps[i], Ord: uint32(r.uvarint())}
			flags := r.byte()
			e.Remove, e.Dead = flags&flagRemove != 0, flags&flagDead != 0
			if !e.Remove && !e.Dead {
				e.Value = r.take(r.uvarint())
			}
			if flags&flagNames != 0 {
				e.Names = make([]Place, r.count())
				for j := range e.Names {
					e.Names[j] = r.place()
				}
			}
			f.entries = append(f.entries, e)
		}
		s.fields = append(s.fields, f)
	}
}
