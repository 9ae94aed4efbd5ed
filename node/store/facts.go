package store

import (
	"hash/fnv"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	"branchline/schema/han"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// facts are what a record's row and search entries say beside its state: read off
// the message's bytes by the options of its kind, without building the message.
type facts struct {
	customer, vehicle, order []byte // record ids; nil for none
	day, number              string // "" for none
	state                    int64
	hasState                 bool
	retired                  bool
	terms                    []string // sorted, each once
	names, text              []string // search words
}

// What a term's first letter says it is.
const (
	termPhone  = 'p' // digits, backwards
	termPlate  = 'l' // folded, backwards
	termPlate0 = 'L' // folded
	termVIN    = 'v' // folded, backwards
	termNumber = 'o' // folded without signs, backwards
	termSource = 's' // kind, source, id
)

// maxTerm bounds one term: no number anybody types is longer.
const maxTerm = 64

// readFacts walks the message bytes of a record.
func readFacts(k *schema.KindInfo, msg []byte) facts {
	var f facts
	for len(msg) > 0 {
		num, typ, n := protowire.ConsumeTag(msg)
		if n < 0 {
			break
		}
		m := protowire.ConsumeFieldValue(num, typ, msg[n:])
		if m < 0 {
			break
		}
		fi := k.FieldNumber(int32(num))
		if fi != nil && (fi.Search != 0 || fi.Ref != 0 || fi == k.Day || fi == k.Number || fi == k.State || fi.Name == retiredField || fi.Name == sourceField) {
			switch typ {
			case protowire.VarintType:
				v, _ := protowire.ConsumeVarint(msg[n:])
				f.varint(k, fi, v)
			case protowire.BytesType:
				b, _ := protowire.ConsumeBytes(msg[n:])
				f.bytes(k, fi, b)
			}
		}
		msg = msg[n+m:]
	}
	slices.Sort(f.terms)
	f.terms = slices.Compact(f.terms)
	return f
}

const (
	retiredField = "retired_at"
	sourceField  = "source_ids"
)

func (f *facts) varint(k *schema.KindInfo, fi *schema.FieldInfo, v uint64) {
	if fi.Name == retiredField {
		f.retired = v != 0
	}
	if fi == k.State {
		f.state, f.hasState = int64(v), true
	}
}

func (f *facts) bytes(k *schema.KindInfo, fi *schema.FieldInfo, b []byte) {
	switch {
	case fi == k.Customer:
		f.customer = refBytes(b)
	case fi == k.Vehicle:
		f.vehicle = refBytes(b)
	case fi == k.Order:
		f.order = refBytes(b)
	case fi == k.Day:
		f.day = string(b)
	case fi == k.Number:
		f.number = string(b)
	case fi.Name == sourceField:
		if ss := stringsOf(fi, b); len(ss) == 2 {
			f.terms = append(f.terms, sourceTerm(k.Kind, ss[0], ss[1]))
		}
	}
	if fi.Search != optionsv1.Search_SEARCH_NONE {
		f.search(fi, b)
	}
}

// namesOf are the values of a message that are searched as names.
func namesOf(k *schema.KindInfo, msg []byte) []string {
	var out []string
	for len(msg) > 0 {
		num, typ, n := protowire.ConsumeTag(msg)
		if n < 0 {
			break
		}
		m := protowire.ConsumeFieldValue(num, typ, msg[n:])
		if m < 0 {
			break
		}
		if fi := k.FieldNumber(int32(num)); fi != nil && fi.Search == optionsv1.Search_SEARCH_NAME && typ == protowire.BytesType {
			b, _ := protowire.ConsumeBytes(msg[n:])
			out = append(out, stringsOf(fi, b)...)
		}
		msg = msg[n+m:]
	}
	return out
}

func refBytes(b []byte) []byte {
	id, err := schema.ParseRecordID(string(b))
	if err != nil {
		return nil
	}
	return id[:]
}

// stringsOf are the text of a value: itself, or the strings of a message by field number.
func stringsOf(fi *schema.FieldInfo, b []byte) []string {
	if fi.Desc.Kind() != protoreflect.MessageKind {
		return []string{string(b)}
	}
	var out []string
	fields := fi.Desc.Message().Fields()
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			break
		}
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		if m < 0 {
			break
		}
		if fd := fields.ByNumber(num); fd != nil && fd.Kind() == protoreflect.StringKind && typ == protowire.BytesType {
			v, _ := protowire.ConsumeBytes(b[n:])
			out = append(out, string(v))
		}
		b = b[n+m:]
	}
	return out
}

func (f *facts) search(fi *schema.FieldInfo, b []byte) {
	ss := stringsOf(fi, b)
	if len(ss) == 0 {
		return
	}
	switch fi.Search {
	case optionsv1.Search_SEARCH_NAME:
		for _, s := range ss {
			f.names = append(f.names, han.SearchText(s))
		}
	case optionsv1.Search_SEARCH_TEXT:
		for _, s := range ss {
			f.text = append(f.text, han.QueryWords(s)...)
		}
	case optionsv1.Search_SEARCH_PHONE:
		for _, d := range phoneDigits(ss[0]) {
			f.term(termPhone, backwards(d))
		}
	case optionsv1.Search_SEARCH_PLATE:
		p := plate.Fold(ss[0])
		f.term(termPlate, backwards(p))
		f.term(termPlate0, p)
	case optionsv1.Search_SEARCH_VIN:
		f.term(termVIN, backwards(vin.Fold(ss[0])))
	case optionsv1.Search_SEARCH_NUMBER:
		f.term(termNumber, backwards(foldNumber(ss[0])))
	}
}

func (f *facts) term(kind byte, s string) {
	if s == "" {
		return
	}
	if len(s) > maxTerm {
		s = s[:maxTerm]
	}
	f.terms = append(f.terms, string(kind)+s)
}

func sourceTerm(k schema.Kind, source, id string) string {
	return string(rune(termSource)) + string(rune('0'+k)) + strings.ReplaceAll(source, "\n", " ") + "\x00" + strings.ReplaceAll(id, "\n", " ")
}

// phoneDigits are the numbers in a field as digits, without a reading of what
// they are: people search by their end.
func phoneDigits(s string) []string {
	var out []string
	var cur []byte
	flush := func() {
		switch n := len(cur); {
		case n == 22 && cur[0] == '1' && cur[11] == '1': // two mobiles written as one
			out = append(out, string(cur[:11]), string(cur[11:]))
		case n >= 3:
			out = append(out, string(cur))
		}
		cur = cur[:0]
	}
	for _, r := range s {
		switch r = han.Half(r); {
		case '0' <= r && r <= '9':
			cur = append(cur, byte(r))
		case r == '-' || r == ' ' || r == '(' || r == ')' || r == '+' || r == '.' || r == '·' || r == '—' || r == '–':
			if r == ' ' && len(cur) >= 11 || r == '+' {
				flush()
			}
		default:
			flush()
		}
	}
	flush()
	return out
}

// foldNumber keeps letters and digits only, upper-case.
func foldNumber(s string) string {
	return strings.Map(func(r rune) rune {
		r = han.Half(r)
		switch {
		case '0' <= r && r <= '9', 'A' <= r && r <= 'Z':
			return r
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case r >= 0x80:
			return r
		}
		return -1
	}, s)
}

func backwards(s string) string {
	out := make([]byte, len(s))
	i := len(s)
	for len(s) > 0 {
		_, n := utf8.DecodeRuneInString(s)
		i -= n
		copy(out[i:], s[:n])
		s = s[n:]
	}
	return string(out)
}

// wordSum tells whether the words in the index are still the record's; 0 = none.
func (f *facts) wordSum() int64 {
	if len(f.names) == 0 && len(f.text) == 0 {
		return 0
	}
	h := fnv.New64a()
	for _, s := range f.names {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	h.Write([]byte{1})
	for _, s := range f.text {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return int64(h.Sum64()>>1) | 1
}
