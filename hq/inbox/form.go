package inbox

import (
	"bytes"
	"fmt"
	"math"
	"sync"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"branchline/schema"
	"branchline/schema/access"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// What HQ may refuse a change for is in the change: its form and its author's
// rights. This file judges both, without a database.
//
// The form is checked on the wire bytes against tables made from the
// descriptors and their protovalidate rules: a drain has no time to build
// messages. Rules the tables cannot express are left to schema.Validate.

// verdict is what becomes of one change.
type verdict struct {
	kind   wirev1.OutcomeKind
	reason string
}

var applied = verdict{kind: wirev1.OutcomeKind_APPLIED}

func refuse(format string, args ...any) verdict {
	return verdict{wirev1.OutcomeKind_REFUSED_CHANGE, fmt.Sprintf(format, args...)}
}

func park(format string, args ...any) verdict {
	return verdict{wirev1.OutcomeKind_PARKED, fmt.Sprintf(format, args...)}
}

func quarantine(format string, args ...any) verdict {
	return verdict{wirev1.OutcomeKind_QUARANTINED, fmt.Sprintf(format, args...)}
}

func waits(seq schema.Seq) verdict {
	return verdict{wirev1.OutcomeKind_WAITS, fmt.Sprintf("waits for change %d", seq)}
}

// judge checks a change by itself.
func judge(branch schema.BranchID, b *wirev1.ChangeBody) (*schema.KindInfo, verdict) {
	k := schema.KindOf(schema.Kind(b.GetKind()))
	if k == nil {
		return nil, park("this program does not know records of kind %d", b.GetKind())
	}
	if len(b.GetRecord()) != 16 || bytes.Equal(b.GetRecord(), make([]byte, 16)) {
		return k, refuse("the change names no record")
	}
	if b.GetAt() == 0 {
		return k, refuse("the change has no effective time")
	}
	if o := b.GetOrigin(); b.GetRun()>>schema.RunBits != 0 || o != nil && (o.GetIncarnation() <= 0 || o.GetSeq() <= 0 || o.GetSeq()>>schema.SeqBits != 0) {
		return k, refuse("the change names no origin that could be")
	}
	if v := rights(branch, k, b); v.kind != wirev1.OutcomeKind_APPLIED {
		return k, v
	}
	if v := facts(branch, k, b); v.kind != wirev1.OutcomeKind_APPLIED {
		return k, v
	}
	if v := shapeOf(k).check(b.GetValues()); v.kind != wirev1.OutcomeKind_APPLIED {
		return k, v
	}
	for _, n := range b.GetNames() {
		f := k.FieldNumber(int32(n.GetField()))
		if f == nil {
			return k, park("%s has a field %d this program does not know", k.Name, n.GetField())
		}
		if k.Fixed(f) && !b.GetCreate() {
			return k, stays(k, f)
		}
		for _, e := range n.GetEntries() {
			if _, err := schema.ParseBranchID(e.GetBranch()); err != nil {
				return k, refuse("the change names an entry of a branch %q", e.GetBranch())
			}
		}
	}
	if b.GetNewHome() != "" {
		if h, err := schema.ParseBranchID(b.GetNewHome()); err != nil || h == schema.HQ {
			return k, refuse("%q is no home for a record", b.GetNewHome())
		}
	}
	return k, applied
}

func stays(k *schema.KindInfo, f *schema.FieldInfo) verdict {
	return refuse("%s.%s stays as it was written", k.Name, f.Name)
}

// facts judges what may be written into a fact: an edit changes nothing of what it was made with, and stored money is
// used at headquarters, which alone knows what is left.
func facts(branch schema.BranchID, k *schema.KindInfo, b *wirev1.ChangeBody) verdict {
	if !k.AppendOnly {
		return applied
	}
	for msg := b.GetValues(); len(msg) > 0; {
		num, typ, n := protowire.ConsumeTag(msg)
		m := 0
		if n >= 0 {
			m = protowire.ConsumeFieldValue(num, typ, msg[n:])
		}
		if n < 0 || m < 0 {
			return applied // its form is judged next
		}
		msg = msg[n+m:]
		f := k.FieldNumber(int32(num))
		switch {
		case f == nil:
		case k.Fixed(f) && !b.GetCreate():
			return stays(k, f)
		case k.Kind == schema.CardUse && f.Name == "amount" && branch != schema.HQ:
			return refuse("stored money is used through headquarters only")
		}
	}
	return applied
}

// rights judges the author: HQ's kinds are HQ's, a branch gives branch roles only, and a role writes what is its own to write.
func rights(branch schema.BranchID, k *schema.KindInfo, b *wirev1.ChangeBody) verdict {
	role := branchlinev1.Role(b.GetRole())
	if b.GetActor() == "" || len(b.GetActor()) > 64 {
		return refuse("the change does not say who made it")
	}
	if branch == schema.HQ {
		return applied
	}
	if k.Write == optionsv1.Write_WRITE_HQ {
		return refuse("only headquarters writes records of kind %s", k.Name)
	}
	if !access.IsBranchRole(role) {
		return refuse("a branch's change made in the role %s", access.Name(role))
	}
	if !access.MayWrite(access.Node, k.Kind, []branchlinev1.Role{role}) {
		return refuse("the role %s does not write records of kind %s", access.Name(role), k.Name)
	}
	if k.Kind != schema.Staff {
		return applied
	}
	var m branchlinev1.Staff
	if err := proto.Unmarshal(b.GetValues(), &m); err != nil {
		return quarantine("values cannot be read: %v", err)
	}
	if err := access.CheckBranchGives(m.GetRoles()); err != nil {
		return refuse("%v", err)
	}
	return applied
}

// shape is what the wire bytes of a message may look like.
type shape struct {
	name   string
	fields map[protowire.Number]*slot
	// whole: some rule needs the message itself.
	whole func() proto.Message
	seen  int // number of fields, for the table of those met
}

// slot is one field of a shape.
type slot struct {
	name     string
	index    int
	typ      protowire.Type
	list     bool
	maxItems uint64
	text     bool
	minLen   uint64 // characters of text, bytes otherwise
	maxLen   uint64
	day, ref bool
	instant  bool
	low      int64
	high     int64
	ranged   bool
	sub      *shape
}

// shapes is made at first use and never changes.
var shapes = sync.OnceValue(func() map[schema.Kind]*shape {
	out := map[schema.Kind]*shape{}
	for _, k := range schema.Kinds() {
		s := readShape(k.Desc, k)
		if s.whole != nil {
			s.whole = k.New
		}
		out[k.Kind] = s
	}
	return out
})

func shapeOf(k *schema.KindInfo) *shape { return shapes()[k.Kind] }

func readShape(d protoreflect.MessageDescriptor, k *schema.KindInfo) *shape {
	s := &shape{name: string(d.Name()), fields: map[protowire.Number]*slot{}}
	fields := d.Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		x := &slot{name: string(fd.Name()), index: i, list: fd.IsList(), maxItems: math.MaxUint64, maxLen: schema.MaxChange}
		switch fd.Kind() {
		case protoreflect.StringKind:
			x.typ, x.text = protowire.BytesType, true
		case protoreflect.BytesKind:
			x.typ = protowire.BytesType
		case protoreflect.MessageKind:
			x.typ, x.sub = protowire.BytesType, readShape(fd.Message(), nil)
			if x.sub.whole != nil {
				s.whole = x.sub.whole
			}
		case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
			x.typ = protowire.Fixed64Type
		case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
			x.typ = protowire.Fixed32Type
		default:
			x.typ = protowire.VarintType
		}
		o := fd.Options().(*descriptorpb.FieldOptions)
		if r, ok := proto.GetExtension(o, validate.E_Field).(*validate.FieldRules); ok && r != nil && !x.rules(r) {
			s.whole = func() proto.Message { return nil }
		}
		if k != nil {
			f := k.FieldNumber(int32(fd.Number()))
			x.day, x.ref, x.instant = f.Format == optionsv1.Format_FORMAT_DAY, f.Ref != 0, f.Format == optionsv1.Format_FORMAT_INSTANT
		}
		s.fields[fd.Number()] = x
	}
	s.seen = fields.Len()
	return s
}

// rules takes what it can of a field's rules; false when that is not all.
func (x *slot) rules(r *validate.FieldRules) bool {
	r = proto.CloneOf(r)
	all := true
	if rep := r.GetRepeated(); rep != nil {
		if rep.HasMaxItems() {
			x.maxItems = rep.GetMaxItems()
			rep.ClearMaxItems()
		}
		if items := rep.GetItems(); items != nil {
			all = x.rules(items)
			rep.ClearItems()
		}
		return all && proto.Size(rep) == 0
	}
	switch {
	case r.HasString():
		s := r.GetString()
		if s.HasMaxLen() {
			x.maxLen = s.GetMaxLen()
			s.ClearMaxLen()
		}
		if s.HasMinLen() {
			x.minLen = s.GetMinLen()
			s.ClearMinLen()
		}
		if s.HasLen() {
			x.minLen, x.maxLen = s.GetLen(), s.GetLen()
			s.ClearLen()
		}
		if s.HasLen() {
			x.minLen, x.maxLen = s.GetLen(), s.GetLen()
			s.ClearLen()
		}
		all = proto.Size(s) == 0
		r.ClearString()
	case r.HasBytes():
		s := r.GetBytes()
		if s.HasMaxLen() {
			x.maxLen = s.GetMaxLen()
			s.ClearMaxLen()
		}
		all = proto.Size(s) == 0
		r.ClearBytes()
	case r.HasInt32():
		n := r.GetInt32()
		x.low, x.high = math.MinInt32, math.MaxInt32
		if n.HasGte() {
			x.low, x.ranged = int64(n.GetGte()), true
			n.ClearGreaterThan()
		}
		if n.HasLte() {
			x.high, x.ranged = int64(n.GetLte()), true
			n.ClearLessThan()
		}
		all = proto.Size(n) == 0
		r.ClearInt32()
	}
	return all && proto.Size(r) == 0
}

// check judges the values of a change: only the fields written, each occurrence an entry.
func (s *shape) check(b []byte) verdict {
	if v := s.walk(b, true); v.kind != wirev1.OutcomeKind_APPLIED {
		return v
	}
	if s.whole == nil {
		return applied
	}
	m := s.whole()
	if m == nil {
		return applied
	}
	if err := proto.Unmarshal(b, m); err != nil {
		return quarantine("values cannot be read: %v", err)
	}
	if err := schema.Validate(m); err != nil {
		return refuse("%v", err)
	}
	return applied
}

func (s *shape) walk(b []byte, top bool) verdict {
	var met [64]uint16
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return quarantine("values cannot be read: %v", protowire.ParseError(n))
		}
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		if m < 0 {
			return quarantine("values cannot be read: %v", protowire.ParseError(m))
		}
		x := s.fields[num]
		if x == nil {
			return park("%s has a field %d this program does not know", s.name, num)
		}
		if typ != x.typ {
			return refuse("%s.%s has another form", s.name, x.name)
		}
		if x.index < len(met) {
			met[x.index]++
			if met[x.index] > 1 && !x.list && top {
				return refuse("%s.%s is written twice in one change", s.name, x.name)
			}
			if uint64(met[x.index]) > x.maxItems {
				return refuse("%s.%s has more than %d values", s.name, x.name, x.maxItems)
			}
		}
		if v := x.value(s, b[n:n+m]); v.kind != wirev1.OutcomeKind_APPLIED {
			return v
		}
		b = b[n+m:]
	}
	return applied
}

func (x *slot) value(s *shape, raw []byte) verdict {
	switch x.typ {
	case protowire.VarintType:
		u, _ := protowire.ConsumeVarint(raw)
		v := int64(u)
		if x.ranged && (int64(int32(v)) != v || v < x.low || v > x.high) {
			return refuse("%s.%s is %d, not %d to %d", s.name, x.name, v, x.low, x.high)
		}
		if x.instant && (v < 0 || v > 1<<47) {
			return refuse("%s.%s is no instant", s.name, x.name)
		}
	case protowire.BytesType:
		v, _ := protowire.ConsumeBytes(raw)
		size := uint64(len(v))
		if x.text {
			if !utf8.Valid(v) {
				return refuse("%s.%s is not valid UTF-8", s.name, x.name)
			}
			if size > x.maxLen || x.minLen > 0 {
				size = uint64(utf8.RuneCount(v))
			}
		}
		if size > x.maxLen || size < x.minLen {
			return refuse("%s.%s has %d characters, allowed are %d to %d", s.name, x.name, size, x.minLen, x.maxLen)
		}
		switch {
		case x.sub != nil:
			return x.sub.walk(v, false)
		case len(v) == 0:
		case x.day && !isDay(v):
			return refuse("%s.%s is not a day", s.name, x.name)
		case x.ref && !isRef(v):
			return refuse("%s.%s is not a record id", s.name, x.name)
		}
	}
	return applied
}

func isRef(v []byte) bool {
	if len(v) != 26 {
		return false
	}
	for _, c := range v {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			_, err := schema.ParseRecordID(string(v))
			return err == nil
		}
	}
	return true
}

func isDay(v []byte) bool {
	if len(v) != 10 || v[4] != '-' || v[7] != '-' {
		return false
	}
	num := func(b []byte) int {
		n := 0
		for _, c := range b {
			if c < '0' || c > '9' {
				return -10000
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	y, m, d := num(v[:4]), num(v[5:7]), num(v[8:])
	if y < 0 || m < 1 || m > 12 || d < 1 {
		return false
	}
	days := [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[m-1]
	if m == 2 && y%4 == 0 && (y%100 != 0 || y%400 == 0) {
		days = 29
	}
	return d <= days
}
