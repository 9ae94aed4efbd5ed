// Package edit is the step between a page and a change: what a page shows of a
// record, with the stamps it was read at, and what a person sends back, as the
// values and names of one change.
//
// Rules:
//   - A value that was not edited is not written: an edit equal to what is shown
//     writes nothing.
//   - A single value names every live entry the page was read with; a value whose
//     shown entry moved since is a conflict, with both values.
//   - A list is compared with the entries the page showed: untouched entries stay
//     as they are, changed and removed ones are named, new ones name none. What
//     others added meanwhile is left alone.
//   - Empty text and the zero of an enum are no value: to write one is to remove.
//
// It is pure. It promises that only entries the record has are ever named. It
// does not judge who may write what.
package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// Change is what an edit comes to. The caller adds who, what and when.
type Change struct {
	Values []byte
	Names  []*wirev1.Names
	Named  []schema.Tick // the times of the entries named
	Fields []*schema.FieldInfo
}

// Empty tells whether the edit changes nothing.
func (c *Change) Empty() bool { return len(c.Fields) == 0 }

// Conflict is one field that somebody else changed after the page was read.
type Conflict struct {
	Field         string
	Yours, Theirs string       // JSON of the field's value; "" for none
	Stamp         schema.Stamp // of theirs; zero when theirs is a removal without stamp
}

// ConflictError lists the fields of an edit that others changed meanwhile.
// errors.Is(err, schema.ErrConflict) holds.
type ConflictError struct{ Fields []Conflict }

func (e *ConflictError) Error() string {
	s := "changed meanwhile:"
	for _, f := range e.Fields {
		s += " " + f.Field
	}
	return s
}

// Is makes errors.Is(err, schema.ErrConflict) hold.
func (e *ConflictError) Is(target error) bool { return target == schema.ErrConflict }

// Create gives the values of a new record: every field that holds something, in
// field order. The message is not changed. It is ErrInvalid when there is nothing.
func Create(k *schema.KindInfo, m proto.Message) ([]byte, error) {
	r := m.ProtoReflect()
	var empty []protoreflect.FieldDescriptor
	n := 0
	r.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		n++
		if isNothing(fd, v) {
			empty = append(empty, fd)
		}
		return true
	})
	if len(r.GetUnknown()) > 0 {
		return nil, schema.Invalid("", "holds fields that a %s does not have", k.Name)
	}
	if n == len(empty) {
		return nil, schema.Invalid("", "the new %s has no values", k.Name)
	}
	if len(empty) > 0 {
		m = proto.Clone(m)
		for _, fd := range empty {
			m.ProtoReflect().Clear(fd)
		}
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("edit: %s: %w", k.Name, err)
	}
	return b, nil
}

// isNothing tells whether writing the value means to have none.
func isNothing(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	if fd.IsList() {
		return v.List().Len() == 0
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		return v.String() == ""
	case protoreflect.BytesKind:
		return len(v.Bytes()) == 0
	case protoreflect.EnumKind:
		return v.Enum() == 0
	}
	return false
}

// Update compares the masked fields of m with what the page of the etag showed
// and with the record as it is. Errors: ErrInvalid (mask, etag), ConflictError.
func Update(k *schema.KindInfo, now *merge.State, m proto.Message, mask []string, etag string) (*Change, error) {
	u := update{k: k, now: now, r: m.ProtoReflect(), out: new(Change)}
	return u.run(now.Shown(k), mask, etag)
}

// run does the update. all is what is shown now.
func (u *update) run(all []merge.Shown, mask []string, etag string) (*Change, error) {
	var err error
	if u.seen, err = parseEtag(etag); err != nil {
		return nil, err
	}
	fields, err := maskFields(u.k, mask)
	if err != nil {
		return nil, err
	}
	if u.key == nil {
		u.key = func(_ *schema.FieldInfo, raw []byte) string { return string(raw) }
	}
	shown := map[int32][]merge.Shown{}
	for _, sh := range all {
		shown[sh.Field.Number] = append(shown[sh.Field.Number], sh)
	}
	for _, f := range fields {
		if f.Merge == optionsv1.Merge_UNION {
			err = u.list(f, shown[f.Number])
		} else {
			err = u.single(f, shown[f.Number])
		}
		if err != nil {
			return nil, err
		}
	}
	if len(u.conflicts) > 0 {
		return nil, &ConflictError{u.conflicts}
	}
	return u.out, nil
}

// Append adds the values of m's lists to the edit, beside what they hold; values
// the record shows already are left out. Fields of m that are no lists are ErrInvalid.
func (c *Change) Append(k *schema.KindInfo, now *merge.State, m proto.Message) error {
	r := m.ProtoReflect()
	for _, f := range k.Fields {
		if !r.Has(f.Desc) {
			continue
		}
		if f.Merge != optionsv1.Merge_UNION {
			return schema.Invalid(f.Name, "is no list: it cannot be added to")
		}
		raws, err := rawValues(k, f, r.Get(f.Desc))
		if err != nil {
			return err
		}
		for _, raw := range raws {
			there := slices.ContainsFunc(now.Entries(f.Number), func(e merge.Entry) bool { return !e.Dead && string(e.Value) == string(raw) })
			if there || bytes.Contains(c.Values, raw) {
				continue
			}
			c.Values = append(c.Values, raw...)
			if !slices.Contains(c.Fields, f) {
				c.Fields = append(c.Fields, f)
			}
		}
	}
	return nil
}

// Anew is the same edit as a change that writes all the record shows then, in place
// of all it holds: for a record that is to be made once more.
func Anew(k *schema.KindInfo, now *merge.State, c *Change) (*Change, error) {
	// Whatever it does not name, the edit is the latest.
	edited, err := merge.FromChange(schema.Stamp{At: math.MaxUint64}, &wirev1.ChangeBody{Values: c.Values, Names: c.Names})
	if err != nil {
		return nil, fmt.Errorf("edit: %s: %w", k.Name, err)
	}
	then := merge.Join(now, edited)
	out := &Change{Values: then.Fold(k), Fields: c.Fields}
	shown := map[int32]bool{}
	for _, sh := range then.Shown(k) {
		shown[sh.Field.Number] = true
	}
	u := update{out: out}
	for _, num := range now.Numbers() {
		names := &wirev1.Names{Field: uint32(num), Remove: !shown[num]}
		for _, e := range liveEntries(now.Entries(num)) {
			u.name(names, e)
		}
		if len(names.GetEntries()) > 0 {
			out.Names = append(out.Names, names)
		}
	}
	return out, nil
}

func maskFields(k *schema.KindInfo, mask []string) ([]*schema.FieldInfo, error) {
	var out []*schema.FieldInfo
	for _, name := range mask {
		f := k.Field(name)
		if f == nil {
			return nil, schema.Invalid("update_mask", "a %s has no field %q", k.Name, name)
		}
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	if len(out) == 0 {
		return nil, schema.Invalid("update_mask", "names no field")
	}
	slices.SortFunc(out, func(a, b *schema.FieldInfo) int { return int(a.Number - b.Number) })
	return out, nil
}

type update struct {
	k         *schema.KindInfo
	now       *merge.State
	r         protoreflect.Message
	seen      map[int32][]seenEntry
	out       *Change
	conflicts []Conflict
	// key is the same for values that are one, however they are written; nil: of equal bytes.
	key  func(*schema.FieldInfo, []byte) string
	pins map[int32]*pinned // of a golden view, by field
}

func (u *update) single(f *schema.FieldInfo, shown []merge.Shown) error {
	var mine, theirs []byte
	if u.r.Has(f.Desc) && !isNothing(f.Desc, u.r.Get(f.Desc)) {
		raws, err := rawValues(u.k, f, u.r.Get(f.Desc))
		if err != nil {
			return err
		}
		mine = raws[0]
	}
	var place merge.Place
	var stamp schema.Stamp
	live := liveEntries(u.now.Entries(f.Number))
	if len(shown) > 0 {
		theirs = shown[0].Entry.Value
		place, stamp = shown[0].Entry.Place(), shown[0].Entry.Stamp
	} else if n := len(live); n > 0 { // a removal is the winner
		place, stamp = live[n-1].Place(), live[n-1].Stamp
	}
	if p := u.pins[f.Number]; string(mine) == string(theirs) || p != nil && string(mine) == string(p.raw) {
		return nil
	}
	seen := u.seen[f.Number]
	if moved(seen, place) {
		u.conflicts = append(u.conflicts, Conflict{f.Name, JSON(u.k, f, mine), JSON(u.k, f, theirs), stamp})
		return nil
	}
	names := &wirev1.Names{Field: uint32(f.Number), Remove: mine == nil}
	for _, e := range live {
		if slices.ContainsFunc(seen, func(s seenEntry) bool { return s.place == e.Place() }) {
			u.name(names, e)
		}
	}
	u.out.Values = append(u.out.Values, mine...)
	u.write(f, names)
	return nil
}

// moved tells whether the shown entry is another than the page's.
func moved(seen []seenEntry, now merge.Place) bool {
	if len(seen) == 0 {
		return now != merge.Place{}
	}
	return seen[0].place != now
}

func (u *update) list(f *schema.FieldInfo, shown []merge.Shown) error {
	var mine [][]byte
	if u.r.Has(f.Desc) {
		raws, err := rawValues(u.k, f, u.r.Get(f.Desc))
		if err != nil {
			return err
		}
		mine = raws
	}
	at := map[merge.Place]*merge.Shown{}
	for i := range shown {
		at[shown[i].Entry.Place()] = &shown[i]
		for _, e := range shown[i].Also {
			at[e.Place()] = &shown[i]
		}
	}
	names := &wirev1.Names{Field: uint32(f.Number)}
	var gone []seenEntry // edited or removed here, and no longer live
	handled := map[*merge.Shown]bool{}
	for _, s := range u.seen[f.Number] {
		sh := at[s.place]
		if sh == nil {
			i := slices.IndexFunc(mine, func(raw []byte) bool { return valueSum(raw) == s.sum })
			switch {
			case i >= 0 && !u.shows(f, shown, mine[i]):
				mine = slices.Delete(mine, i, i+1) // kept here, removed there: the removal stands
			case i < 0 && !s.also:
				gone = append(gone, s)
			}
			continue
		}
		if handled[sh] {
			continue
		}
		handled[sh] = true
		if i := slices.IndexFunc(mine, func(raw []byte) bool { return u.untouched(f, raw) && u.key(f, raw) == u.key(f, sh.Entry.Value) }); i >= 0 {
			mine = slices.Delete(mine, i, i+1)
			continue
		}
		for _, e := range sh.Names() {
			u.name(names, e)
		}
	}
	if p := u.pins[f.Number]; p != nil { // it is shown, whoever has it
		mine = slices.DeleteFunc(mine, func(raw []byte) bool { return string(raw) == string(p.raw) })
	}
	// A value that others added meanwhile, or that stands twice, is there already.
	var added [][]byte
	for _, raw := range mine {
		there := slices.ContainsFunc(shown, func(sh merge.Shown) bool { return string(sh.Entry.Value) == string(raw) })
		if !there && !slices.ContainsFunc(added, func(o []byte) bool { return string(o) == string(raw) }) {
			added = append(added, raw)
		}
	}
	if len(gone) > 0 && len(added) > 0 {
		u.conflicts = append(u.conflicts, u.listConflict(f, added, shown))
		return nil
	}
	if len(added) == 0 && len(names.Entries) == 0 {
		return nil
	}
	names.Remove = len(added) == 0
	for _, raw := range added {
		u.out.Values = append(u.out.Values, raw...)
	}
	u.write(f, names)
	return nil
}

// untouched tells whether a value is as the page showed it.
func (u *update) untouched(f *schema.FieldInfo, raw []byte) bool {
	if p := u.pins[f.Number]; p != nil && string(p.raw) == string(raw) {
		return true
	}
	sum := valueSum(raw)
	return slices.ContainsFunc(u.seen[f.Number], func(s seenEntry) bool { return s.sum == sum })
}

// shows tells whether a value is among the shown, however it is written there.
func (u *update) shows(f *schema.FieldInfo, shown []merge.Shown, raw []byte) bool {
	key := u.key(f, raw)
	return slices.ContainsFunc(shown, func(sh merge.Shown) bool { return u.key(f, sh.Entry.Value) == key })
}

func (u *update) listConflict(f *schema.FieldInfo, added [][]byte, shown []merge.Shown) Conflict {
	c := Conflict{Field: f.Name}
	var theirs [][]byte
	for _, sh := range shown {
		if slices.ContainsFunc(u.seen[f.Number], func(s seenEntry) bool { return s.place == sh.Entry.Place() }) {
			continue
		}
		theirs = append(theirs, sh.Entry.Value)
		if sh.Entry.Stamp.Compare(c.Stamp) > 0 {
			c.Stamp = sh.Entry.Stamp
		}
	}
	c.Yours, c.Theirs = jsonList(u.k, f, added), jsonList(u.k, f, theirs)
	return c
}

func (u *update) name(n *wirev1.Names, e merge.Entry) {
	n.Entries = append(n.Entries, &wirev1.EntryName{
		At: uint64(e.Stamp.At), Branch: string(e.Stamp.Branch), Incarnation: int64(e.Stamp.Inc), Seq: int64(e.Stamp.Seq), Ordinal: e.Ord,
	})
	u.out.Named = append(u.out.Named, e.Stamp.At)
}

func (u *update) write(f *schema.FieldInfo, n *wirev1.Names) {
	if len(n.Entries) > 0 || n.Remove {
		u.out.Names = append(u.out.Names, n)
	}
	u.out.Fields = append(u.out.Fields, f)
}

func liveEntries(entries []merge.Entry) []merge.Entry {
	out := make([]merge.Entry, 0, len(entries))
	for _, e := range entries {
		if !e.Dead {
			out = append(out, e)
		}
	}
	return out
}

// rawValues are the bytes of a field as a change holds them, one element an entry.
func rawValues(k *schema.KindInfo, f *schema.FieldInfo, v protoreflect.Value) ([][]byte, error) {
	one := func(set func(m protoreflect.Message)) ([]byte, error) {
		m := k.New()
		set(m.ProtoReflect())
		b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("edit: %s.%s: %w", k.Name, f.Name, err)
		}
		return b, nil
	}
	if !f.Desc.IsList() {
		b, err := one(func(m protoreflect.Message) { m.Set(f.Desc, v) })
		return [][]byte{b}, err
	}
	out := make([][]byte, 0, v.List().Len())
	for i := range v.List().Len() {
		b, err := one(func(m protoreflect.Message) { m.Mutable(f.Desc).List().Append(v.List().Get(i)) })
		if err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

// JSON is one raw value (tag included) as JSON; "" for none or what cannot be read.
func JSON(k *schema.KindInfo, f *schema.FieldInfo, raw []byte) string {
	v, err := rawJSON(k, f, raw)
	if err != nil {
		return ""
	}
	return string(v)
}

func rawJSON(k *schema.KindInfo, f *schema.FieldInfo, raw []byte) (json.RawMessage, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	m := k.New()
	if err := proto.Unmarshal(raw, m); err != nil {
		return nil, err
	}
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, err
	}
	v := fields[f.Name]
	if f.Desc.IsList() {
		var list []json.RawMessage
		if err := json.Unmarshal(v, &list); err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, errors.New("edit: an entry without value")
		}
		v = list[0]
	}
	return json.Marshal(v) // compact: protojson's spaces vary
}

func jsonList(k *schema.KindInfo, f *schema.FieldInfo, raws [][]byte) string {
	if len(raws) == 0 {
		return ""
	}
	list := make([]json.RawMessage, 0, len(raws))
	for _, raw := range raws {
		if v, err := rawJSON(k, f, raw); err == nil {
			list = append(list, v)
		}
	}
	b, err := json.Marshal(list)
	if err != nil {
		return ""
	}
	return string(b)
}

// valueSum is enough of a value to know it again in a list.
func valueSum(raw []byte) uint32 {
	_, _, n := protowire.ConsumeTag(raw)
	if n < 0 {
		n = 0
	}
	h := fnv.New32a()
	h.Write(raw[n:])
	return h.Sum32()
}
