package merge

import (
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Shown is one value a page shows: for a list one entry of it.
type Shown struct {
	Field *schema.FieldInfo
	Entry Entry
	// Also holds further entries with the very same value (two branches added one phone).
	Also []Entry
	// Lost are the other live entries of a single value, latest first: kept, listed, restorable.
	Lost []Entry
}

// Names is what a write that replaces this shown value names: the entry, its
// equals, and for a single value all that lost against it.
func (s *Shown) Names() []Entry {
	out := append([]Entry{s.Entry}, s.Also...)
	return append(out, s.Lost...)
}

// Shown reads every field by its rule, by field number; entries of a list by stamp.
// A field whose winner is a removal is not shown. Fields the kind does not know are left out.
func (s *State) Shown(k *schema.KindInfo) []Shown {
	if s == nil {
		return nil
	}
	out := make([]Shown, 0, len(s.fields))
	for i := range s.fields {
		f := k.FieldNumber(s.fields[i].number)
		if f == nil {
			continue
		}
		out = appendShown(out, f, s.fields[i].entries)
	}
	return out
}

func appendShown(out []Shown, f *schema.FieldInfo, entries []Entry) []Shown {
	if f.Merge == optionsv1.Merge_UNION {
		for _, e := range entries {
			if e.Dead || e.Remove {
				continue
			}
			if i := slices.IndexFunc(out, func(x Shown) bool { return x.Field == f && string(x.Entry.Value) == string(e.Value) }); i >= 0 {
				out[i].Also = append(out[i].Also, e)
				continue
			}
			out = append(out, Shown{Field: f, Entry: e})
		}
		return out
	}
	w := winner(f, entries)
	if w < 0 {
		return out
	}
	sh := Shown{Field: f, Entry: entries[w]}
	for i := len(entries) - 1; i >= 0; i-- {
		if i != w && !entries[i].Dead {
			sh.Lost = append(sh.Lost, entries[i])
		}
	}
	if sh.Entry.Remove {
		return out
	}
	return append(out, sh)
}

// Removed reads the fields that show nothing because a removal won, and that have a
// value which lost against it, by field number. Entry is the removal.
func (s *State) Removed(k *schema.KindInfo) []Shown {
	var out []Shown
	for i := range s.fields {
		f := k.FieldNumber(s.fields[i].number)
		if f == nil || f.Merge == optionsv1.Merge_UNION {
			continue
		}
		entries := s.fields[i].entries
		w := winner(f, entries)
		if w < 0 || !entries[w].Remove {
			continue
		}
		sh := Shown{Field: f, Entry: entries[w]}
		for j := len(entries) - 1; j >= 0; j-- {
			if j != w && !entries[j].Dead && !entries[j].Remove {
				sh.Lost = append(sh.Lost, entries[j])
			}
		}
		if len(sh.Lost) > 0 {
			out = append(out, sh)
		}
	}
	return out
}

// winner is the index of the entry a single-valued field shows, -1 if none is live.
// entries are in stamp order.
func winner(f *schema.FieldInfo, entries []Entry) int {
	best := -1
	for i := range entries {
		e := &entries[i]
		if e.Dead {
			continue
		}
		if best < 0 {
			best = i
			continue
		}
		switch f.Merge {
		case optionsv1.Merge_FIRST:
		case optionsv1.Merge_MAX:
			if compareValues(f, e, &entries[best]) >= 0 {
				best = i
			}
		case optionsv1.Merge_MIN:
			if entries[best].Remove || !e.Remove && compareValues(f, e, &entries[best]) <= 0 {
				best = i
			}
		case optionsv1.Merge_DENY_WINS:
			if refuses(e) || !refuses(&entries[best]) {
				best = i
			}
		default:
			best = i
		}
	}
	return best
}

// compareValues orders numbers as numbers and days as text; a removal is below all.
func compareValues(f *schema.FieldInfo, a, b *Entry) int {
	if a.Remove || b.Remove {
		switch {
		case a.Remove && b.Remove:
			return 0
		case a.Remove:
			return -1
		default:
			return 1
		}
	}
	_, typ, n := protowire.ConsumeTag(a.Value)
	_, _, m := protowire.ConsumeTag(b.Value)
	if typ == protowire.VarintType {
		x, _ := protowire.ConsumeVarint(a.Value[n:])
		y, _ := protowire.ConsumeVarint(b.Value[m:])
		switch {
		case int64(x) < int64(y):
			return -1
		case int64(x) > int64(y):
			return 1
		}
		return 0
	}
	x, _ := protowire.ConsumeBytes(a.Value[n:])
	y, _ := protowire.ConsumeBytes(b.Value[m:])
	return slices.Compare(x, y)
}

// refuses tells whether a consent entry says no; what cannot be read says no.
func refuses(e *Entry) bool {
	if e.Remove {
		return false
	}
	_, typ, n := protowire.ConsumeTag(e.Value)
	if n < 0 || typ != protowire.BytesType {
		return true
	}
	body, m := protowire.ConsumeBytes(e.Value[n:])
	if m < 0 {
		return true
	}
	var c branchlinev1.Consent
	if err := proto.Unmarshal(body, &c); err != nil {
		return true
	}
	return !c.GetGiven()
}

// Fold is the shown record as message bytes: the shown entries' bytes one after
// the other, in field order.
func (s *State) Fold(k *schema.KindInfo) []byte {
	var out []byte
	for _, sh := range s.Shown(k) {
		out = append(out, sh.Entry.Value...)
	}
	return out
}

// Message is the shown record.
func (s *State) Message(k *schema.KindInfo) (proto.Message, error) {
	m := k.New()
	if err := proto.Unmarshal(s.Fold(k), m); err != nil {
		return nil, fmt.Errorf("merge: %s: %w", k.Name, err)
	}
	return m, nil
}

// Share keeps only the fields that any technician of the group may see.
func (s *State) Share(k *schema.KindInfo) *State {
	return s.ShareWith(k, func(schema.BranchID) bool { return false })
}

// ShareWith is Share for those who are own: of the other fields it keeps what they
// wrote themselves.
func (s *State) ShareWith(k *schema.KindInfo, own func(schema.BranchID) bool) *State {
	out := new(State)
	for i := range s.fields {
		f := k.FieldNumber(s.fields[i].number)
		if f == nil {
			continue
		}
		if f.Share == optionsv1.Share_SHARE_GROUP {
			out.fields = append(out.fields, s.fields[i])
			continue
		}
		var mine []Entry
		for _, e := range s.fields[i].entries {
			if own(e.Stamp.Branch) {
				mine = append(mine, e)
			}
		}
		if len(mine) > 0 {
			out.fields = append(out.fields, field{f.Number, mine})
		}
	}
	return out
}

// Overridden are the fields the edit wrote that are not shown though nobody
// replaced them knowingly: they lost to a concurrent value.
func (s *State) Overridden(k *schema.KindInfo, id schema.ChangeID) []int32 {
	var out []int32
	for i := range s.fields {
		f := k.FieldNumber(s.fields[i].number)
		if f == nil || f.Merge == optionsv1.Merge_UNION {
			continue
		}
		w := winner(f, s.fields[i].entries)
		for j := range s.fields[i].entries {
			if e := &s.fields[i].entries[j]; !e.Dead && j != w && e.Stamp.Edit() == id {
				out = append(out, f.Number)
			}
		}
	}
	return out
}

// LostValue is a field that an edit lost to a concurrent value.
type LostValue struct {
	Stamp schema.Stamp
	Field int32
}

// Lost are what a branch's edits lost to concurrent values (Overridden), by stamp
// and field.
func (s *State) Lost(k *schema.KindInfo, by schema.BranchID) []LostValue {
	var out []LostValue
	for i := range s.fields {
		f := k.FieldNumber(s.fields[i].number)
		if f == nil || f.Merge == optionsv1.Merge_UNION {
			continue
		}
		w := winner(f, s.fields[i].entries)
		for j := range s.fields[i].entries {
			if e := &s.fields[i].entries[j]; !e.Dead && j != w && e.Stamp.Branch == by {
				out = append(out, LostValue{e.Stamp, f.Number})
			}
		}
	}
	slices.SortFunc(out, func(a, b LostValue) int {
		return cmp.Or(a.Stamp.Compare(b.Stamp), cmp.Compare(a.Field, b.Field))
	})
	return slices.Compact(out)
}

// fitsRule tells whether a field may have the rule it states.
func fitsRule(f *schema.FieldInfo) error {
	num := false
	switch f.Desc.Kind() {
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		num = true
	}
	switch f.Merge {
	case optionsv1.Merge_MERGE_UNSPECIFIED:
		return fmt.Errorf("states no merge rule")
	case optionsv1.Merge_UNION:
		if !f.Desc.IsList() {
			return fmt.Errorf("is a union but no list")
		}
		return nil
	case optionsv1.Merge_MAX, optionsv1.Merge_MIN:
		if !num && f.Format != optionsv1.Format_FORMAT_DAY {
			return fmt.Errorf("is %s but neither number nor day", f.Merge)
		}
	case optionsv1.Merge_DENY_WINS:
		if f.Desc.Message() == nil || f.Desc.Message().FullName() != (&branchlinev1.Consent{}).ProtoReflect().Descriptor().FullName() {
			return fmt.Errorf("is deny_wins but no Consent")
		}
	}
	if f.Desc.IsList() || f.Desc.IsMap() {
		return fmt.Errorf("is a list: its rule must be union")
	}
	return nil
}
