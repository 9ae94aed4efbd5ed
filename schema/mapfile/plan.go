package mapfile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
)

// maxIndex bounds the N of lines.N and of list entries.
const maxIndex = 49

// matchTypes are the types of a map for matching; hq/match knows what each means.
var matchTypes = []string{"name", "given_name", "family_name", "phone", "email", "street", "house_number", "locality", "postcode", "region", "address", "birthday", "year", "national_id", "last4", "plate", "vin", "company", "text", "number", "category", "timestamp", "ignore"}

var types = []string{"text", "name", "phone", "plate", "vin", "day", "time", "money", "number", "hours", "bool", "ref"}

// A slot is one message that a row fills: the record itself, a line, a stub, an entry of a list.
type slot struct {
	role   role
	parent int // index of the slot it hangs on; -1 for the record itself
	field  protoreflect.FieldDescriptor
	n      int // entry or line
	kind   *schema.KindInfo
	desc   protoreflect.MessageDescriptor
	info   []*schema.FieldInfo // of the message's fields
	// fed: some column goes into it, so constants alone do not make it.
	fed bool
}

type role int

const (
	roleRecord role = iota
	roleLine
	roleStub
	roleEntry
	roleSingle
)

// A target is where one Field of the map ends.
type target struct {
	f      *Field
	slot   int
	field  protoreflect.FieldDescriptor
	format optionsv1.Format
	ref    schema.Kind // not 0 for a reference of the record
	zone   *time.Location
}

// plan is what a map's paths mean for its kind.
type plan struct {
	m       *Map
	slots   []slot
	targets []target
}

func newPlan(m *Map) (*plan, error) {
	p := &plan{m: m, slots: []slot{{role: roleRecord, parent: -1, kind: m.Kind, desc: m.Kind.Desc, info: m.Kind.Fields}}}
	seen := map[string]bool{}
	for i := range m.Fields {
		f := &m.Fields[i]
		if seen[f.To] {
			return nil, bad(m.Name, f.line, "to: %q is given twice", f.To)
		}
		seen[f.To] = true
		t, err := p.resolve(0, strings.Split(f.To, "."))
		if err == nil {
			if t.f, t.zone = f, f.zone; t.zone == nil {
				t.zone = m.zone
			}
			err = t.fits()
		}
		if err != nil {
			return nil, bad(m.Name, f.line, "to %s: %s", f.To, err)
		}
		if f.Value == nil {
			p.feed(t.slot)
		}
		p.targets = append(p.targets, t)
	}
	for i := range p.slots {
		if s := &p.slots[i]; s.role == roleStub && !slices.ContainsFunc(p.targets, func(t target) bool {
			return t.ref != 0 && t.field == s.field && t.f.Create
		}) {
			return nil, bad(m.Name, 0, "%s.… needs a field to = %q with type = \"ref\" and create = true", s.field.Name(), s.field.Name())
		}
	}
	return p, nil
}

func (p *plan) feed(i int) {
	for ; i >= 0; i = p.slots[i].parent {
		p.slots[i].fed = true
		if r := p.slots[i].role; r == roleLine || r == roleStub {
			return
		}
	}
}

// resolve follows a path from a slot, making the slots on its way.
func (p *plan) resolve(at int, segs []string) (target, error) {
	s := p.slots[at]
	if s.kind != nil && s.kind.Kind == schema.ServiceOrder && segs[0] == "lines" {
		n, rest, err := index(segs)
		if err != nil {
			return target{}, err
		}
		if len(rest) == 0 {
			return target{}, fmt.Errorf("name a field of the line: lines.%d.amount", n)
		}
		line := schema.KindOf(schema.ServiceLine)
		return p.resolve(p.slotFor(slot{role: roleLine, parent: at, n: n, kind: line, desc: line.Desc, info: line.Fields}), rest)
	}
	fd := s.desc.Fields().ByName(protoreflect.Name(segs[0]))
	if fd == nil {
		return target{}, fmt.Errorf("%s has no field %q; it has %s", s.desc.Name(), segs[0], fieldNames(s.desc))
	}
	info := s.info[slices.IndexFunc(s.info, func(f *schema.FieldInfo) bool { return f.Desc == fd })]
	t := target{slot: at, field: fd, format: info.Format}
	if info.Ref != 0 {
		return p.reference(t, info.Ref, segs)
	}
	rest := segs[1:]
	n := 0
	if fd.IsList() {
		var err error
		if n, rest, err = index(segs); err != nil {
			return t, err
		}
	}
	if fd.Message() == nil {
		if len(rest) > 0 {
			return t, fmt.Errorf("%s has no fields of its own", segs[0])
		}
		return t, nil
	}
	if len(rest) == 0 {
		return t, fmt.Errorf("name a field of it: one of %s", fieldNames(fd.Message()))
	}
	r := roleSingle
	if fd.IsList() {
		r = roleEntry
	}
	return p.resolve(p.slotFor(slot{role: r, parent: at, field: fd, n: n, desc: fd.Message(), info: info.Sub}), rest)
}

func (p *plan) reference(t target, kind schema.Kind, segs []string) (target, error) {
	if p.slots[t.slot].role != roleRecord {
		return t, fmt.Errorf("%s is a reference; only the record's own references can be given", segs[0])
	}
	if len(segs) == 1 {
		t.ref = kind
		return t, nil
	}
	k := schema.KindOf(kind)
	return p.resolve(p.slotFor(slot{role: roleStub, parent: t.slot, field: t.field, kind: k, desc: k.Desc, info: k.Fields}), segs[1:])
}

func (p *plan) slotFor(s slot) int {
	for i, o := range p.slots {
		if o.role == s.role && o.parent == s.parent && o.field == s.field && o.n == s.n {
			return i
		}
	}
	p.slots = append(p.slots, s)
	return len(p.slots) - 1
}

func index(segs []string) (n int, rest []string, err error) {
	if len(segs) < 2 {
		return 0, nil, fmt.Errorf("%s is a list: say which entry, %s.0", segs[0], segs[0])
	}
	n, err = strconv.Atoi(segs[1])
	if err != nil || n < 0 || n > maxIndex || strconv.Itoa(n) != segs[1] {
		return 0, nil, fmt.Errorf("%q is no entry of %s: give 0 to %d", segs[1], segs[0], maxIndex)
	}
	return n, segs[2:], nil
}

func fieldNames(d protoreflect.MessageDescriptor) string {
	var out []string
	for i := range d.Fields().Len() {
		out = append(out, string(d.Fields().Get(i).Name()))
	}
	return strings.Join(out, ", ")
}

// fits checks that the map's type goes with the field.
func (t target) fits() error {
	k := t.field.Kind()
	if (t.f.Type == "ref") != (t.ref != 0) {
		if t.ref != 0 {
			return fmt.Errorf("is a reference: type is ref, not %s", t.f.Type)
		}
		return fmt.Errorf("is no reference: type cannot be ref")
	}
	str := k == protoreflect.StringKind
	whole := k == protoreflect.Int64Kind || k == protoreflect.Int32Kind
	ok := false
	switch t.f.Type {
	case "ref":
		ok = true
	case "text":
		ok = str && t.format == optionsv1.Format_FORMAT_PLAIN || k == protoreflect.EnumKind
	case "name", "phone", "plate", "vin":
		ok = str && t.format == optionsv1.Format_FORMAT_PLAIN
	case "day":
		ok = str
	case "time":
		ok = k == protoreflect.Int64Kind && (t.format == optionsv1.Format_FORMAT_INSTANT || t.format == optionsv1.Format_FORMAT_PLAIN)
	case "money":
		ok = k == protoreflect.Int64Kind && (t.format == optionsv1.Format_FORMAT_MONEY || t.format == optionsv1.Format_FORMAT_PLAIN)
	case "hours":
		ok = k == protoreflect.Int64Kind && t.format == optionsv1.Format_FORMAT_MINUTES
	case "number":
		ok = whole && t.format != optionsv1.Format_FORMAT_INSTANT && t.format != optionsv1.Format_FORMAT_MONEY
	case "bool":
		ok = k == protoreflect.BoolKind
	}
	if !ok {
		return fmt.Errorf("type %s does not go into this field (%s %s)", t.f.Type, k, strings.ToLower(strings.TrimPrefix(t.format.String(), "FORMAT_")))
	}
	if t.f.Value != nil && t.f.Type != "ref" {
		// A constant is judged once, here, not at every row.
		var c conversion
		if _, err := c.convert(t, strings.TrimSpace(*t.f.Value)); err != nil {
			return fmt.Errorf("value %q %w", *t.f.Value, err)
		}
	}
	return nil
}

// boundPlan is a plan whose columns were found in a file.
type boundPlan struct {
	*plan
	key   []int
	from  [][]int // by target
	minus []int   // by target; -1 for none
	// vinChecked tells by slot that the map itself sets vin_checked.
	vinChecked map[int]bool
}

func (p *plan) bind(r *Reader) (*boundPlan, error) {
	b := &boundPlan{plan: p, vinChecked: map[int]bool{}}
	var err error
	if b.key, err = r.find("key", p.m.Key...); err != nil {
		return nil, err
	}
	for _, t := range p.targets {
		from, err := r.find("field "+t.f.To, t.f.from()...)
		if err != nil {
			return nil, err
		}
		b.from = append(b.from, from)
		minus := -1
		if t.f.Minus != "" {
			at, err := r.find("field "+t.f.To+", minus", t.f.Minus)
			if err != nil {
				return nil, err
			}
			minus = at[0]
		}
		b.minus = append(b.minus, minus)
		if t.field.Name() == "vin_checked" {
			b.vinChecked[t.slot] = true
		}
	}
	return b, nil
}
