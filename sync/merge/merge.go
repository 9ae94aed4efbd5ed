// Package merge holds the rules by which the fields of a record merge. It is
// pure: bytes in, bytes out.
//
// A field is a set of entries, joining two states is set union, and a rule is a
// way of reading the set:
//
//   - An entry is what one change wrote into one field: its place (branch,
//     incarnation, seq, ordinal), the effective time, the value's bytes as they
//     stand in the change, and the entries it replaces by name. An entry without
//     value is a removal.
//   - An entry that any other entry names is dead. A dead entry's value goes, its
//     place and its names stay, so that a late copy of it stays dead.
//   - What is shown is read off the live entries by the field's rule: the latest
//     stamp, the largest or smallest value, all of them, the latest refusal.
//
// It promises that any order and any duplication of the same changes give the
// same state, byte for byte when encoded, and that an edit which names what its
// author saw is never hidden by it. It does not judge who may write what.
package merge

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"branchline/schema"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// Place names an entry: the edit that wrote it (schema.Stamp.Edit) and its ordinal
// among that edit's entries of the field. The time is no part of it: HQ may rule it anew.
type Place struct {
	Branch schema.BranchID
	Inc    schema.Incarnation
	Seq    schema.Seq
	Ord    uint32
}

func (p Place) compare(o Place) int {
	return cmp.Or(cmp.Compare(p.Branch, o.Branch), cmp.Compare(p.Inc, o.Inc), cmp.Compare(p.Seq, o.Seq), cmp.Compare(p.Ord, o.Ord))
}

// Entry is what one change wrote into one field.
type Entry struct {
	Stamp schema.Stamp
	Ord   uint32
	// Value is the raw field, tag included; nil for a removal and for a dead entry.
	Value  []byte
	Remove bool
	Dead   bool
	Names  []Place // sorted
}

// Place is the entry's name.
func (e *Entry) Place() Place { return Place{e.Stamp.Branch, e.Stamp.Inc, e.Stamp.Seq, e.Ord} }

// order is by stamp, ordinal, then the value's bytes.
func (e *Entry) order(o *Entry) int {
	return cmp.Or(e.Stamp.Compare(o.Stamp), cmp.Compare(e.Ord, o.Ord), bytes.Compare(e.Value, o.Value))
}

type field struct {
	number  int32
	entries []Entry // by order
}

// State is a record: its fields and their entries. The zero State is the empty
// record. Values may share memory with the bytes they were read from.
type State struct{ fields []field } // by number

// Empty tells whether nothing was ever written.
func (s *State) Empty() bool { return s == nil || len(s.fields) == 0 }

// FromChange is the state one change makes by itself, all its entries under stamp.
// The values point into b.Values.
func FromChange(stamp schema.Stamp, b *wirev1.ChangeBody) (*State, error) {
	s := new(State)
	if err := splitValues(b.GetValues(), func(num int32, raw []byte) {
		f := s.at(num)
		f.entries = append(f.entries, Entry{Stamp: stamp, Ord: uint32(len(f.entries)), Value: raw})
	}); err != nil {
		return nil, fmt.Errorf("merge: change %s: %w", stamp.Change(), err)
	}
	for _, n := range b.GetNames() {
		f := s.at(int32(n.GetField()))
		names, err := placesOf(n.GetEntries())
		if err != nil {
			return nil, fmt.Errorf("merge: change %s: %w", stamp.Change(), err)
		}
		if n.GetRemove() || len(f.entries) == 0 {
			f.entries = append(f.entries, Entry{Stamp: stamp, Ord: uint32(len(f.entries)), Remove: true, Names: names})
		} else {
			f.entries[0].Names = names
		}
		// A hostile change may name entries of its own: they are dead at once.
		*f = joinEntries(f.number, f.entries, nil)
	}
	return s, nil
}

func placesOf(in []*wirev1.EntryName) ([]Place, error) {
	out := make([]Place, 0, len(in))
	for _, e := range in {
		b, err := schema.ParseBranchID(e.GetBranch())
		if err != nil {
			return nil, err
		}
		out = append(out, Place{b, schema.Incarnation(e.GetIncarnation()), schema.Seq(e.GetSeq()), e.GetOrdinal()})
	}
	slices.SortFunc(out, Place.compare)
	return slices.Compact(out), nil
}

// splitValues walks the fields of a marshalled message.
func splitValues(b []byte, yield func(num int32, raw []byte)) error {
	for len(b) > 0 {
		num, _, n := protowire.ConsumeField(b)
		if n < 0 {
			return fmt.Errorf("values are no message: %w", protowire.ParseError(n))
		}
		yield(int32(num), b[:n:n])
		b = b[n:]
	}
	return nil
}

func (s *State) at(num int32) *field {
	i, ok := slices.BinarySearchFunc(s.fields, num, func(f field, n int32) int { return cmp.Compare(f.number, n) })
	if !ok {
		s.fields = slices.Insert(s.fields, i, field{number: num})
	}
	return &s.fields[i]
}

// Entries are the entries of a field in order; do not change them.
func (s *State) Entries(num int32) []Entry {
	if s == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(s.fields, num, func(f field, n int32) int { return cmp.Compare(f.number, n) })
	if !ok {
		return nil
	}
	return s.fields[i].entries
}

// Numbers are the numbers of the fields ever written, rising.
func (s *State) Numbers() []int32 {
	if s == nil {
		return nil
	}
	out := make([]int32, len(s.fields))
	for i := range s.fields {
		out[i] = s.fields[i].number
	}
	return out
}

// Join is the union of two states. It changes neither; the result shares values with both.
func Join(a, b *State) *State {
	if a.Empty() {
		a = new(State)
	}
	if b.Empty() {
		b = new(State)
	}
	out := &State{fields: make([]field, 0, max(len(a.fields), len(b.fields)))}
	i, j := 0, 0
	for i < len(a.fields) || j < len(b.fields) {
		switch {
		case j == len(b.fields) || i < len(a.fields) && a.fields[i].number < b.fields[j].number:
			out.fields = append(out.fields, a.fields[i])
			i++
		case i == len(a.fields) || b.fields[j].number < a.fields[i].number:
			out.fields = append(out.fields, b.fields[j])
			j++
		default:
			out.fields = append(out.fields, joinEntries(a.fields[i].number, a.fields[i].entries, b.fields[j].entries))
			i++
			j++
		}
	}
	return out
}

func joinEntries(num int32, a, b []Entry) field {
	all := slices.Concat(a, b)
	slices.SortFunc(all, func(x, y Entry) int { return x.Place().compare(y.Place()) })
	kept := all[:0]
	for _, e := range all {
		if n := len(kept); n > 0 && kept[n-1].Place() == e.Place() {
			kept[n-1] = same(kept[n-1], e)
			continue
		}
		kept = append(kept, e)
	}
	dead := map[Place]bool{}
	for _, e := range kept {
		for _, p := range e.Names {
			dead[p] = true
		}
	}
	for i := range kept {
		if kept[i].Dead || dead[kept[i].Place()] {
			kept[i].Dead, kept[i].Value = true, nil
		}
	}
	slices.SortFunc(kept, func(x, y Entry) int { return x.order(&y) })
	return field{num, kept}
}

// same joins two copies of one entry. They differ only when HQ ruled the time
// (the ruled one is the earlier) or when one copy is dead.
func same(x, y Entry) Entry {
	if y.Stamp.At < x.Stamp.At {
		x.Stamp.At = y.Stamp.At
	}
	x.Dead = x.Dead || y.Dead
	x.Remove = x.Remove || y.Remove
	if x.Value == nil || y.Value != nil && bytes.Compare(y.Value, x.Value) > 0 {
		x.Value = y.Value
	}
	if !slices.Equal(x.Names, y.Names) {
		x.Names = slices.Concat(x.Names, y.Names)
		slices.SortFunc(x.Names, Place.compare)
		x.Names = slices.Compact(x.Names)
	}
	return x
}

// Without is the state less the entries of the edits that drop names. What they
// had replaced stays dead. s is not changed.
func (s *State) Without(drop func(schema.ChangeID) bool) *State {
	out := new(State)
	for _, f := range s.fields {
		kept := make([]Entry, 0, len(f.entries))
		for _, e := range f.entries {
			if !drop(e.Stamp.Edit()) {
				kept = append(kept, e)
			}
		}
		if len(kept) > 0 {
			out.fields = append(out.fields, field{f.number, kept})
		}
	}
	return out
}

// Latest is the latest stamp of any entry; zero for the empty state.
func (s *State) Latest() schema.Stamp {
	var out schema.Stamp
	for i := range s.fields {
		for _, e := range s.fields[i].entries {
			if e.Stamp.Compare(out) > 0 {
				out = e.Stamp
			}
		}
	}
	return out
}
