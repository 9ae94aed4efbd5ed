package mapfile

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/han"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// MaxKey is the longest key of a row in bytes.
const MaxKey = 200

// Converted is what a row became: an ImportRow, or the reasons why not.
type Converted struct {
	Row *branchlinev1.ImportRow // nil when Bad
	Bad []Violation
	// Warnings do not keep the row out: a VIN that fails its check.
	Warnings []Violation
}

// Convert turns a row that is neither Bad nor Out into records. It needs a map with a kind.
func (r *Reader) Convert(row Row) Converted {
	b := r.plan
	c := conversion{boundPlan: b, row: row, encoding: r.src.named, msgs: make([]protoreflect.Message, len(b.slots)), filled: make([]bool, len(b.slots))}
	for i := range b.slots {
		c.msgs[i] = newMessage(b.slots[i])
	}
	out := &branchlinev1.ImportRow{Key: c.key()}
	refs := map[protoreflect.FieldDescriptor]*branchlinev1.ImportRef{}
	for i, t := range b.targets {
		text := c.text(i, t)
		if text == "" {
			if t.f.Required {
				c.fail(t.f.To, c.raw(i, t), "is empty")
			}
			continue
		}
		if t.ref != 0 {
			if len(text) > MaxKey {
				c.fail(t.f.To, text, fmt.Sprintf("is longer than %d bytes", MaxKey))
				continue
			}
			source := t.f.Source
			if source == "" {
				source = b.m.Source
			}
			ref := &branchlinev1.ImportRef{Field: string(t.field.Name()), Source: source, Key: text}
			refs[t.field] = ref
			out.Refs = append(out.Refs, ref)
			if t.f.Create {
				ref.Stub = &branchlinev1.Record{}
				c.stub(ref, t)
			}
			continue
		}
		c.put(i, t, text)
	}
	c.assemble(out, refs)
	if len(c.bad) == 0 {
		c.validate(out)
	}
	if len(c.bad) > 0 {
		return Converted{Bad: c.bad, Warnings: c.warnings}
	}
	return Converted{Row: out, Warnings: c.warnings}
}

// conversion is the state of one Convert.
type conversion struct {
	*boundPlan
	row      Row
	encoding string
	msgs     []protoreflect.Message
	filled   []bool
	bad      []Violation
	warnings []Violation
}

func newMessage(s slot) protoreflect.Message {
	switch s.role {
	case roleEntry, roleSingle:
		return nil // made in its parent
	default:
		return s.kind.New().ProtoReflect()
	}
}

func (c *conversion) fail(field, value, reason string) {
	c.bad = append(c.bad, Violation{field, value, reason})
}

// warn notes each thing once, though a column may go into several fields.
func (c *conversion) warn(field, value, reason string) {
	if !slices.ContainsFunc(c.warnings, func(o Violation) bool { return o.Value == value && o.Reason == reason }) {
		c.warnings = append(c.warnings, Violation{field, value, reason})
	}
}

func (c *conversion) key() string {
	var parts []string
	for i, at := range c.boundPlan.key {
		s := strings.TrimSpace(c.row.all[at])
		if s == "" {
			c.fail(c.m.Key[i], "", "the key is empty")
		}
		if len(c.m.Key) > 1 {
			s = strings.NewReplacer(`\`, `\\`, `/`, `\/`).Replace(s)
		}
		parts = append(parts, s)
	}
	k := strings.Join(parts, "/")
	if len(k) > MaxKey {
		c.fail(c.m.Key[0], k, fmt.Sprintf("the key is longer than %d bytes", MaxKey))
	}
	return k
}

// raw is what stood in the file for a target, for a person.
func (c *conversion) raw(i int, t target) string {
	if t.f.Value != nil {
		return *t.f.Value
	}
	var parts []string
	for _, at := range c.from[i] {
		parts = append(parts, c.row.all[at])
	}
	return strings.Join(parts, " ")
}

// text is the trimmed value of a target, several columns joined, spelled out by values.
func (c *conversion) text(i int, t target) string {
	var parts []string
	if t.f.Value != nil {
		parts = []string{strings.TrimSpace(*t.f.Value)}
	}
	for _, at := range c.from[i] {
		if s := trim(c.row.all[at]); s != "" {
			parts = append(parts, s)
		}
	}
	s := strings.Join(parts, " ")
	if v, ok := t.f.Values[s]; ok {
		s = v
	}
	return s
}

func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' || r == '\u200b' })
}

// put converts a value and sets it.
func (c *conversion) put(i int, t target, text string) {
	if at := c.minus[i]; at >= 0 {
		less, err := c.less(t, text, trim(c.row.all[at]))
		if err != nil {
			c.fail(t.f.To, c.raw(i, t), err.Error())
			return
		}
		text = less
	}
	if strings.ContainsRune(text, unicode.ReplacementChar) {
		if c.encoding != "utf-8" {
			c.fail(t.f.To, c.raw(i, t), "has characters that are not "+c.encoding)
			return
		}
		// Lost before the file was written; the row is not to blame.
		c.warn(t.f.To, c.raw(i, t), "has characters that another program lost")
	}
	v, err := c.convert(t, text)
	if err != nil {
		c.fail(t.f.To, c.raw(i, t), err.Error())
		return
	}
	m := c.message(t.slot)
	if t.field.IsList() {
		m.Mutable(t.field).List().Append(v)
	} else {
		m.Set(t.field, v)
	}
	if t.f.Value == nil || !c.slots[t.slot].fed {
		c.fill(t.slot)
	}
	if t.f.Type == "vin" {
		c.checkVIN(t, v.String())
	}
}

// less subtracts a column, in the spelling of the field.
func (c *conversion) less(t target, text, minus string) (string, error) {
	sp, err := spellingOf(t.f.Format)
	if err != nil {
		return "", err
	}
	money := t.f.Type == "money"
	a, err := parseDecimal(text, sp, money)
	if err != nil || minus == "" {
		return text, err
	}
	b, err := parseDecimal(minus, sp, money)
	if err != nil {
		return "", fmt.Errorf("%s %q %w", t.f.Minus, minus, err)
	}
	d, err := a.add(b.neg())
	if err != nil {
		return "", err
	}
	return strings.Replace(d.String(), ".", sp.point, 1), nil
}

// message is the message of a slot, made in its parent where it is an entry.
func (c *conversion) message(i int) protoreflect.Message {
	if c.msgs[i] == nil {
		s := c.slots[i]
		// Set into the parent only when something fills it, see assemble.
		p := c.message(s.parent)
		if s.role == roleEntry {
			c.msgs[i] = p.NewField(s.field).List().NewElement().Message()
		} else {
			c.msgs[i] = p.NewField(s.field).Message()
		}
	}
	return c.msgs[i]
}

func (c *conversion) fill(i int) {
	for ; i >= 0; i = c.slots[i].parent {
		c.filled[i] = true
		if r := c.slots[i].role; r == roleLine || r == roleStub {
			return
		}
	}
}

func (c *conversion) checkVIN(t target, v string) {
	rep := vin.Check(v)
	k := c.slots[t.slot].kind
	if k != nil && k.Kind == schema.Vehicle && !c.vinChecked[t.slot] {
		c.msgs[t.slot].Set(k.Field("vin_checked").Desc, protoreflect.ValueOfBool(rep.Checked()))
	}
	for _, w := range rep.Warnings {
		why := "VIN: " + strings.ReplaceAll(string(w.Code), "_", " ")
		if w.Ask {
			c.warn(t.f.To, v, why)
		}
	}
}

// stub fills in what every stub has: the id by which it was asked for.
func (c *conversion) stub(ref *branchlinev1.ImportRef, t target) {
	i := slices.IndexFunc(c.slots, func(s slot) bool { return s.role == roleStub && s.field == t.field })
	if i < 0 {
		k := schema.KindOf(t.ref)
		m := k.New().ProtoReflect()
		addSourceID(k, m, ref.GetSource(), ref.GetKey())
		if err := schema.SetBody(ref.Stub, m.Interface()); err != nil {
			c.fail(t.f.To, "", err.Error())
		}
		return
	}
	addSourceID(c.slots[i].kind, c.message(i), ref.GetSource(), ref.GetKey())
}

func addSourceID(k *schema.KindInfo, m protoreflect.Message, source, key string) {
	f := k.Field("source_ids")
	if f == nil {
		return
	}
	id := &branchlinev1.SourceId{Source: proto.String(source), Id: proto.String(key)}
	m.Mutable(f.Desc).List().Append(protoreflect.ValueOfMessage(id.ProtoReflect()))
}

// assemble hangs what is filled into its place: entries into lists in the order of their numbers,
// lines behind the record, stubs into references.
func (c *conversion) assemble(out *branchlinev1.ImportRow, refs map[protoreflect.FieldDescriptor]*branchlinev1.ImportRef) {
	order := make([]int, len(c.slots))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return c.slots[a].n - c.slots[b].n })
	add := func(i int) {
		rec := &branchlinev1.Record{}
		if err := schema.SetBody(rec, c.msgs[i].Interface()); err != nil {
			c.fail("", "", err.Error())
		}
		out.Records = append(out.Records, rec)
	}
	addSourceID(c.m.Kind, c.msgs[0], c.m.Source, out.GetKey())
	for _, i := range order {
		s := c.slots[i]
		if !c.filled[i] {
			continue
		}
		switch s.role {
		case roleEntry:
			c.message(s.parent).Mutable(s.field).List().Append(protoreflect.ValueOfMessage(c.message(i)))
		case roleSingle:
			c.message(s.parent).Set(s.field, protoreflect.ValueOfMessage(c.message(i)))
		case roleStub:
			ref := refs[s.field]
			if ref == nil {
				// Data of a car or person without the id to know it by would be lost.
				c.fail(string(s.field.Name()), "", "the row says something of it but not which it is")
				continue
			}
			if err := schema.SetBody(ref.Stub, c.msgs[i].Interface()); err != nil {
				c.fail(string(s.field.Name()), "", err.Error())
			}
		default:
		}
	}
	for i, s := range c.slots {
		// A reference whose stub got nothing but its id.
		if s.role == roleStub && !c.filled[i] && refs[s.field] != nil {
			if err := schema.SetBody(refs[s.field].Stub, c.msgs[i].Interface()); err != nil {
				c.fail(string(s.field.Name()), "", err.Error())
			}
		}
	}
	add(0)
	for _, i := range order {
		s := c.slots[i]
		if s.role != roleLine || !c.filled[i] {
			continue
		}
		c.msgs[i].Set(s.kind.Order.Desc, protoreflect.ValueOfString("$0"))
		if p := s.kind.Field("position").Desc; !c.msgs[i].Has(p) {
			c.msgs[i].Set(p, protoreflect.ValueOfInt32(int32(s.n)+1))
		}
		add(i)
	}
}

var recordPath = regexp.MustCompile(`^(records|refs)\[(\d+)\]\.(?:stub\.)?[a-z_]+\.(.*)$`)

// validate holds the schema's own rules, so that a row that would be refused costs no batch.
func (c *conversion) validate(out *branchlinev1.ImportRow) {
	err := schema.Validate(out)
	if err == nil {
		return
	}
	fe, ok := errors.AsType[*schema.FieldsError](err)
	if !ok {
		c.fail("", "", err.Error())
		return
	}
	for _, v := range fe.Violations {
		field := v.Field
		if m := recordPath.FindStringSubmatch(field); m != nil {
			n, err := strconv.Atoi(m[2])
			field = m[3]
			switch {
			case err != nil:
			case m[1] == "refs":
				field = out.GetRefs()[n].GetField() + "." + field
			case n > 0:
				field = fmt.Sprintf("lines.%d.%s", out.GetRecords()[n].GetServiceLine().GetPosition()-1, field)
			}
			field = strings.NewReplacer("[", ".", "]", "").Replace(field)
		}
		value := ""
		for i, t := range c.targets {
			if t.f.To == field {
				value = c.raw(i, t)
			}
		}
		c.fail(field, value, v.Reason)
	}
}

// convert makes the field's value of a text that is not empty.
func (c *conversion) convert(t target, s string) (protoreflect.Value, error) {
	none := protoreflect.Value{}
	var sp spelling
	if t.f.Type == "money" || t.f.Type == "number" || t.f.Type == "hours" {
		var err error
		if sp, err = spellingOf(t.f.Format); err != nil {
			return none, err
		}
	}
	switch t.f.Type {
	case "text":
		if t.field.Kind() == protoreflect.EnumKind {
			return enumValue(t.field.Enum(), s)
		}
		s = strings.ReplaceAll(s, "\r\n", "\n")
		return stringValue(s)
	case "name":
		return stringValue(strings.Join(strings.Fields(strings.Map(han.Half, s)), " "))
	case "phone":
		s = strings.Join(strings.Fields(strings.Map(han.Half, s)), " ")
		if !strings.ContainsFunc(s, unicode.IsDigit) {
			return none, errors.New("is no telephone number")
		}
		return stringValue(s)
	case "plate":
		return stringValue(plate.Fold(s))
	case "vin":
		return stringValue(vin.Fold(s))
	case "day":
		at, err := parseInstant(s, t.f.Format, t.zone)
		return protoreflect.ValueOfString(at.Format(time.DateOnly)), err
	case "time":
		at, err := parseInstant(s, t.f.Format, t.zone)
		if err == nil && at.UnixMilli() < 0 {
			err = errors.New("is before 1970")
		}
		return protoreflect.ValueOfInt64(at.UnixMilli()), err
	case "money":
		d, err := parseDecimal(s, sp, true)
		if err != nil {
			return none, err
		}
		n, err := d.whole(2)
		return protoreflect.ValueOfInt64(n), err
	case "hours":
		n, err := parseHours(s, sp)
		return protoreflect.ValueOfInt64(n), err
	case "number":
		return numberValue(t, s, sp)
	case "bool":
		b, err := parseBool(s)
		return protoreflect.ValueOfBool(b), err
	}
	return none, fmt.Errorf("type %q is not known", t.f.Type)
}

func stringValue(s string) (protoreflect.Value, error) {
	for _, r := range s {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return protoreflect.Value{}, fmt.Errorf("has the control character U+%04X", r)
		}
	}
	return protoreflect.ValueOfString(s), nil
}

func numberValue(t target, s string, sp spelling) (protoreflect.Value, error) {
	none := protoreflect.Value{}
	scale := 0
	switch t.format {
	case optionsv1.Format_FORMAT_MILLI:
		scale = 3
	case optionsv1.Format_FORMAT_BASIS_POINTS:
		s, _ = cutUnit(halfWidth(s), "%")
		scale = 2 // the value is a percentage
	case optionsv1.Format_FORMAT_KILOMETRES:
		s, _ = cutUnit(strings.ToLower(halfWidth(s)), "km", "公里", "千米")
	default:
	}
	d, err := parseDecimal(s, sp, false)
	if err != nil {
		return none, err
	}
	n, err := d.whole(scale)
	if err != nil {
		return none, err
	}
	if t.field.Kind() == protoreflect.Int32Kind {
		if n > math.MaxInt32 || n < math.MinInt32 {
			return none, errBig
		}
		return protoreflect.ValueOfInt32(int32(n)), nil
	}
	return protoreflect.ValueOfInt64(n), nil
}

// enumValue finds SETTLED, settled, MAKER for PAYER_MAKER, or zh-TW for LANGUAGE_ZH_TW.
func enumValue(e protoreflect.EnumDescriptor, s string) (protoreflect.Value, error) {
	want := strings.ToUpper(strings.NewReplacer(" ", "_", "-", "_").Replace(s))
	var names []string
	found := protoreflect.EnumNumber(0)
	several := false
	for i := range e.Values().Len() {
		v := e.Values().Get(i)
		if v.Number() == 0 {
			continue
		}
		name := string(v.Name())
		names = append(names, name)
		if name == want {
			return protoreflect.ValueOfEnum(v.Number()), nil
		}
		if strings.HasSuffix(name, "_"+want) {
			several = found != 0
			found = v.Number()
		}
	}
	if found == 0 || several {
		return protoreflect.Value{}, fmt.Errorf("is none of %s", strings.Join(names, ", "))
	}
	return protoreflect.ValueOfEnum(found), nil
}
