package api

import (
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
)

// What of every kind is not written record by record, because an act writes it: "new" refuses a new record, "edit" an
// edit, and any other word is a field. A kind without an entry is written plainly, as far as the caller's role goes.
func TestByAct_everyKindAndField(t *testing.T) {
	counter := []string{"new", "edit"}
	acts := map[schema.Kind][]string{
		schema.Payment: counter, schema.Settlement: counter, schema.CashClose: counter, schema.CardUse: counter,
		schema.PackageCard:  {"new"}, // one that was sold by mistake retires
		schema.ServiceOrder: {"settled_on", "settlement_number", "handed_over_at", "handed_to", "cancel_reason"},
		schema.ServiceLine:  {"clockings", "clocked_minutes", "checks"},
	}
	plain := []schema.Kind{
		schema.LegalEntity, schema.Branch, schema.Staff, schema.Customer, schema.Vehicle, schema.Tie, schema.OdometerReading, schema.Note, schema.MatchDecision, schema.Pin,
		schema.Appointment, schema.Inspection, schema.Package, schema.Contact, schema.InsurancePolicy, schema.Claim, schema.Attachment, schema.Fapiao, schema.Setting,
	}
	isPlain := map[schema.Kind]bool{}
	for _, k := range plain {
		isPlain[k] = true
	}
	for _, k := range schema.Kinds() {
		if isPlain[k.Kind] == (len(acts[k.Kind]) > 0) {
			t.Errorf("say of a %s whether it is written plainly or by acts", k.Name)
			continue
		}
		want := map[string]bool{}
		for _, word := range acts[k.Kind] {
			want[word] = true
		}
		for _, f := range k.Fields {
			m := k.New()
			set(m.ProtoReflect(), f.Desc)
			if refused := byAct(k, m, nil) != nil; refused != (want["new"] || want[f.Name]) {
				t.Errorf("a new %s with %s: refused %v", k.Name, f.Name, refused)
			}
			if refused := byAct(k, m, []string{f.Name}) != nil; refused != (want["edit"] || want[f.Name]) {
				t.Errorf("%s.%s edited: refused %v", k.Name, f.Name, refused)
			}
			// Taking a value away is an edit too.
			if refused := byAct(k, k.New(), []string{f.Name}) != nil; refused != (want["edit"] || want[f.Name]) {
				t.Errorf("%s.%s taken away: refused %v", k.Name, f.Name, refused)
			}
		}
	}
}

// set gives a field some value that is not none.
func set(m protoreflect.Message, fd protoreflect.FieldDescriptor) {
	if fd.IsList() {
		list := m.Mutable(fd).List()
		list.Append(list.NewElement())
		return
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		m.Set(fd, protoreflect.ValueOfString("x"))
	case protoreflect.BytesKind:
		m.Set(fd, protoreflect.ValueOfBytes([]byte("x")))
	case protoreflect.BoolKind:
		m.Set(fd, protoreflect.ValueOfBool(true))
	case protoreflect.Int32Kind:
		m.Set(fd, protoreflect.ValueOfInt32(1))
	case protoreflect.Int64Kind:
		m.Set(fd, protoreflect.ValueOfInt64(1))
	case protoreflect.EnumKind:
		m.Set(fd, protoreflect.ValueOfEnum(1))
	case protoreflect.MessageKind:
		m.Mutable(fd)
	}
}
