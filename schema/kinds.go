package schema

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Kind is the number of a kind of record, fixed for ever by its message's option.
type Kind uint32

// The kinds' numbers, for code that means one kind. Everything else walks Kinds.
const (
	LegalEntity     Kind = 1
	Branch          Kind = 2
	Staff           Kind = 3
	Customer        Kind = 4
	Vehicle         Kind = 5
	Tie             Kind = 6
	ServiceOrder    Kind = 7
	ServiceLine     Kind = 8
	OdometerReading Kind = 9
	Note            Kind = 10
	MatchDecision   Kind = 11
	Pin             Kind = 12
	Appointment     Kind = 13
	Inspection      Kind = 14
	Package         Kind = 15
	PackageCard     Kind = 16
	CardUse         Kind = 17
	Payment         Kind = 18
	Settlement      Kind = 19
	CashClose       Kind = 20
	Contact         Kind = 21
	InsurancePolicy Kind = 22
	Claim           Kind = 23
	Attachment      Kind = 24
	Fapiao          Kind = 25
	Setting         Kind = 26
)

// KindInfo is what a kind's descriptor says, read once.
type KindInfo struct {
	Kind       Kind
	Name       string // service_order
	Collection string // serviceOrders
	Desc       protoreflect.MessageDescriptor
	Write      optionsv1.Write
	AppendOnly bool // a fact: see Fixed
	Final      bool // a fact that is not retired either
	Everywhere bool // goes to every branch whatever its scope
	// The fields that tie the record to others and that lists show; nil if the kind has none.
	Customer, Vehicle, Order, Day, Number, State *FieldInfo
	Fields                                       []*FieldInfo // by number

	typ      protoreflect.MessageType
	byName   map[string]*FieldInfo
	byNumber map[int32]*FieldInfo
}

// FieldInfo is what one field's descriptor says.
type FieldInfo struct {
	Desc     protoreflect.FieldDescriptor
	Name     string
	Number   int32
	Merge    optionsv1.Merge
	Pii      optionsv1.Pii
	Search   optionsv1.Search
	Evidence optionsv1.Evidence
	Share    optionsv1.Share
	Format   optionsv1.Format
	HomeOnly bool
	Ref      Kind // 0: not a reference
	// Ends are the facets of the same record that a value of this field ends (facet_until).
	Ends []FacetEnd
	// Sub are the fields of the message that the field holds, by number; nil for one that holds none.
	Sub []*FieldInfo
}

// FacetEnd is a facet that ends.
type FacetEnd struct {
	Facet *FieldInfo
	At    uint64 // the value, a state's number, that ends it; 0: any but none
}

// Fixed tells whether a record of the kind keeps for ever what it was made with in a field. Of a fact (AppendOnly) that
// is every field but those whose latest value counts; of a final one its retirement too, so that there is none.
func (k *KindInfo) Fixed(f *FieldInfo) bool {
	return k.AppendOnly && (f.Merge != optionsv1.Merge_LATEST || k.Final && (f.Name == "retired_at" || f.Name == "retired_reason"))
}

// New makes an empty message of the kind.
func (k *KindInfo) New() proto.Message { return k.typ.New().Interface() }

// Field finds a field by its name in the message; nil if there is none.
func (k *KindInfo) Field(name string) *FieldInfo { return k.byName[name] }

// FieldNumber finds a field by its number; nil if there is none.
func (k *KindInfo) FieldNumber(n int32) *FieldInfo { return k.byNumber[n] }

type kindTable struct {
	all          []*KindInfo
	byKind       map[Kind]*KindInfo
	byName       map[string]*KindInfo
	byCollection map[string]*KindInfo
	byMessage    map[protoreflect.FullName]*KindInfo
}

// kinds is read off the descriptors at first use and never changes.
var kinds = sync.OnceValue(readKinds)

func readKinds() *kindTable {
	t := &kindTable{
		byKind:       map[Kind]*KindInfo{},
		byName:       map[string]*KindInfo{},
		byCollection: map[string]*KindInfo{},
		byMessage:    map[protoreflect.FullName]*KindInfo{},
	}
	var msgs []protoreflect.MessageDescriptor
	for _, f := range []protoreflect.FileDescriptor{branchlinev1.File_branchline_v1_records_proto, branchlinev1.File_branchline_v1_counter_proto} {
		for i := range f.Messages().Len() {
			msgs = append(msgs, f.Messages().Get(i))
		}
	}
	for _, d := range msgs {
		o := d.Options().(*descriptorpb.MessageOptions)
		n := proto.GetExtension(o, optionsv1.E_Kind).(uint32)
		if n == 0 {
			continue
		}
		k := readKind(d, o, Kind(n))
		t.all = append(t.all, k)
		t.byKind[k.Kind] = k
		t.byName[k.Name] = k
		t.byCollection[k.Collection] = k
		t.byMessage[d.FullName()] = k
	}
	slices.SortFunc(t.all, func(a, b *KindInfo) int { return int(a.Kind) - int(b.Kind) })
	return t
}

func readKind(d protoreflect.MessageDescriptor, o *descriptorpb.MessageOptions, n Kind) *KindInfo {
	typ, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	if err != nil {
		panic(fmt.Sprintf("schema: %s is generated but not registered: %v", d.FullName(), err))
	}
	k := &KindInfo{
		Kind:       n,
		Name:       snake(string(d.Name())),
		Collection: proto.GetExtension(o, optionsv1.E_Collection).(string),
		Desc:       d,
		Write:      proto.GetExtension(o, optionsv1.E_Write).(optionsv1.Write),
		AppendOnly: proto.GetExtension(o, optionsv1.E_AppendOnly).(bool),
		Final:      proto.GetExtension(o, optionsv1.E_Final).(bool),
		Everywhere: proto.GetExtension(o, optionsv1.E_Everywhere).(bool),
		typ:        typ,
		byName:     map[string]*FieldInfo{},
		byNumber:   map[int32]*FieldInfo{},
	}
	k.Fields = readFields(d)
	for _, f := range k.Fields {
		k.byName[f.Name] = f
		k.byNumber[f.Number] = f
	}
	named := func(x protoreflect.ExtensionType) *FieldInfo {
		return k.byName[proto.GetExtension(o, x).(string)]
	}
	k.Customer = named(optionsv1.E_CustomerField)
	k.Vehicle = named(optionsv1.E_VehicleField)
	k.Order = named(optionsv1.E_OrderField)
	k.Day = named(optionsv1.E_DayField)
	k.Number = named(optionsv1.E_NumberField)
	k.State = named(optionsv1.E_StateField)
	for _, f := range k.Fields {
		for _, by := range proto.GetExtension(f.Desc.Options(), optionsv1.E_FacetUntil).([]string) {
			end, ends := FacetEnd{Facet: f}, k.byName[by]
			if ends == nil {
				ends, end.At = k.State, uint64(k.State.Desc.Enum().Values().ByName(protoreflect.Name(by)).Number())
			}
			ends.Ends = append(ends.Ends, end)
		}
	}
	return k
}

// readFields reads the fields of a message and of the messages in it. No message of a record holds one of its own sort.
func readFields(d protoreflect.MessageDescriptor) []*FieldInfo {
	out := make([]*FieldInfo, 0, d.Fields().Len())
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		fo := fd.Options().(*descriptorpb.FieldOptions)
		f := &FieldInfo{
			Desc:     fd,
			Name:     string(fd.Name()),
			Number:   int32(fd.Number()),
			Merge:    proto.GetExtension(fo, optionsv1.E_Merge).(optionsv1.Merge),
			Pii:      proto.GetExtension(fo, optionsv1.E_Pii).(optionsv1.Pii),
			Search:   proto.GetExtension(fo, optionsv1.E_Search).(optionsv1.Search),
			Evidence: proto.GetExtension(fo, optionsv1.E_Evidence).(optionsv1.Evidence),
			Share:    proto.GetExtension(fo, optionsv1.E_Share).(optionsv1.Share),
			Format:   proto.GetExtension(fo, optionsv1.E_Format).(optionsv1.Format),
			HomeOnly: proto.GetExtension(fo, optionsv1.E_HomeOnly).(bool),
			Ref:      Kind(proto.GetExtension(fo, optionsv1.E_Ref).(uint32)),
		}
		if fd.Message() != nil {
			f.Sub = readFields(fd.Message())
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b *FieldInfo) int { return int(a.Number) - int(b.Number) })
	return out
}

func snake(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Kinds are all kinds by number. The slice is the table's own: do not change it.
func Kinds() []*KindInfo { return kinds().all }

// KindOf finds a kind by number; nil if this program does not know it.
func KindOf(k Kind) *KindInfo { return kinds().byKind[k] }

// KindNamed finds a kind by its name, service_order; nil if there is none.
func KindNamed(name string) *KindInfo { return kinds().byName[name] }

// KindOfCollection finds a kind by its collection, serviceOrders; nil if there is none.
func KindOfCollection(c string) *KindInfo { return kinds().byCollection[c] }

// KindOfMessage finds the kind a message is of; nil if it is no record.
func KindOfMessage(m proto.Message) *KindInfo {
	return kinds().byMessage[m.ProtoReflect().Descriptor().FullName()]
}

// ResourceName is a record's name in the API: customers/01h….
func ResourceName(k Kind, id RecordID) string {
	if i := KindOf(k); i != nil {
		return i.Collection + "/" + id.String()
	}
	return fmt.Sprintf("unknown%d/%s", k, id)
}

// ParseName reads what ResourceName wrote.
func ParseName(s string) (Kind, RecordID, error) {
	c, rest, ok := strings.Cut(s, "/")
	if !ok {
		return 0, RecordID{}, Invalid("name", "%q is not a resource name: collection/id", clip(s))
	}
	k := KindOfCollection(c)
	if k == nil {
		return 0, RecordID{}, Invalid("name", "there is no collection %q", clip(c))
	}
	id, err := ParseRecordID(rest)
	return k.Kind, id, err
}

// BodyOf is the record in an API message and its kind. ErrInvalid if it has none.
func BodyOf(r *branchlinev1.Record) (*KindInfo, proto.Message, error) {
	if r == nil {
		return nil, nil, Invalid("record", "is missing")
	}
	m := r.ProtoReflect()
	od := m.Descriptor().Oneofs().ByName("body")
	fd := m.WhichOneof(od)
	if fd == nil {
		return nil, nil, Invalid("record", "has no body: give exactly one of the kinds, such as customer")
	}
	k := kinds().byMessage[fd.Message().FullName()]
	return k, m.Get(fd).Message().Interface(), nil
}

// SetBody puts the record into an API message.
func SetBody(r *branchlinev1.Record, body proto.Message) error {
	m := r.ProtoReflect()
	fields := m.Descriptor().Oneofs().ByName("body").Fields()
	name := body.ProtoReflect().Descriptor().FullName()
	for i := range fields.Len() {
		if fd := fields.Get(i); fd.Message().FullName() == name {
			m.Set(fd, protoreflect.ValueOfMessage(body.ProtoReflect()))
			return nil
		}
	}
	return fmt.Errorf("schema: %s is no body of a Record", name)
}
