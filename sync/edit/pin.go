package edit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/merge"
)

// MayPin tells whether headquarters may choose the value of a customer's field. Not
// what a customer allowed or refused, which nobody else decides; not what a record
// is known by elsewhere, which is evidence and not shown; no list that is no choice.
func MayPin(f *schema.FieldInfo) bool {
	switch {
	case f == nil, f.Merge == optionsv1.Merge_DENY_WINS, f.Ref != 0, f.Desc.Kind() == protoreflect.BytesKind,
		f.Evidence == optionsv1.Evidence_EVIDENCE_SOURCE_ID, strings.HasPrefix(f.Name, "retired_"):
		return false
	case f.Merge == optionsv1.Merge_UNION:
		return f.Pii != optionsv1.Pii_PII_NONE && f.Pii != optionsv1.Pii_PII_FREE_TEXT
	}
	return true
}

// PinnedValue is the field a pin is about and its value as a change of the customer
// would hold it; nil unless the pin holds one value of a field that may be pinned,
// and nothing else.
func PinnedValue(p *branchlinev1.Pin) (*schema.FieldInfo, []byte) {
	k := schema.KindOf(schema.Customer)
	f := k.Field(p.GetField())
	if !MayPin(f) || p.GetValue() == nil {
		return nil, nil
	}
	m, n := p.GetValue().ProtoReflect(), 0
	m.Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool { n++; return true })
	if n != 1 || !m.Has(f.Desc) || len(m.GetUnknown()) > 0 || isNothing(f.Desc, m.Get(f.Desc)) {
		return nil, nil
	}
	raws, err := rawValues(k, f, m.Get(f.Desc))
	if err != nil || len(raws) != 1 {
		return nil, nil
	}
	_, typ, tag := protowire.ConsumeTag(raws[0])
	if b, _ := protowire.ConsumeBytes(raws[0][tag:]); typ == protowire.BytesType && len(b) == 0 {
		return nil, nil
	}
	return f, raws[0]
}

// Has tells whether the record named has, or has had and lost, a value equal to raw
// but for its spelling.
func Has(s *merge.State, f *schema.FieldInfo, raw []byte) bool {
	key := alike(f, raw)
	return slices.ContainsFunc(liveEntries(s.Entries(f.Number)), func(e merge.Entry) bool { return !e.Remove && alike(f, e.Value) == key })
}

// Holds tells whether a customer shows a value equal to raw but for its spelling.
func Holds(c *branchlinev1.Customer, field string, raw []byte) bool {
	k := schema.KindOf(schema.Customer)
	f := k.Field(field)
	if f == nil || len(raw) == 0 || !c.ProtoReflect().Has(f.Desc) {
		return false
	}
	raws, err := rawValues(k, f, c.ProtoReflect().Get(f.Desc))
	return err == nil && slices.ContainsFunc(raws, func(x []byte) bool { return alike(f, x) == alike(f, raw) })
}

// pinned is the pin that counts for a field.
type pinned struct {
	name   string // pins/…
	member string
	raw    []byte // the value, with its tag
	stamp  schema.Stamp
}

func (w *Whole) pin(m Member) error {
	k := schema.KindOf(schema.Pin)
	body, err := m.State.Message(k)
	if err != nil {
		return fmt.Errorf("edit: %s: %w", m.Name, err)
	}
	p := body.(*branchlinev1.Pin)
	f, raw := PinnedValue(p)
	if f == nil || p.GetRetiredAt() != 0 {
		return nil
	}
	member := schema.KindOf(schema.Customer).Collection + "/" + p.GetCustomer()
	if w.k.Kind != schema.Customer || !slices.Contains(w.names, member) {
		return nil
	}
	x := &pinned{name: m.Name, member: member, raw: raw}
	for _, sh := range m.State.Shown(k) {
		if sh.Field.Name == "value" {
			x.stamp = sh.Entry.Stamp
		}
	}
	if was := w.pins[f.Number]; was == nil || cmp.Or(was.stamp.Compare(x.stamp), cmp.Compare(was.name, x.name)) < 0 {
		w.pins[f.Number] = x
	}
	return nil
}
