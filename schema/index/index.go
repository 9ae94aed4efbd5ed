// Package index says by what a record is found and reads what people type to
// find it. Both sites keep what it gives in two tables: term (k, n), for things
// known by their whole or their end, and the full-text table word (name, text).
//
// Rules:
//   - What is searched, and as what, the kind's search options say; nothing here
//     knows a kind.
//   - A term begins with a letter for what it is, then the folded value; written
//     backwards where people know the end of it.
//   - Names are found by characters side by side, by pinyin and by initials,
//     traditional or simplified; several words must all fit.
//
// It promises that whatever Read gives for a value, Find finds by that value as it
// is written. It does not know who may see what.
package index

import (
	"encoding/hex"
	"hash/fnv"
	"slices"
	"strconv"
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

// Entry is what one record is found by.
type Entry struct {
	Terms       []string // sorted, each once
	Facets      []string // terms records are picked by and nobody types, sorted, each once
	Names, Text []string // search words

	ended []string // beginnings of facets that are over
}

// What a term's first letter says it is.
const (
	termPhone   = 'p' // digits, backwards
	termPhone0  = 'P' // digits without the country
	termPlate   = 'l' // folded, backwards
	termPlate0  = 'L' // folded
	termPlateIn = 'M' // folded, from the letter behind the province, and from behind that
	termVIN     = 'v' // folded, backwards
	termNumber  = 'o' // folded without signs, backwards
	termSource  = 's' // kind, source, id
	termID      = 'i' // of a person: the keyed hash, in hexadecimal
	termFile    = 'f' // of an attachment: the hash, in hexadecimal
	termFacet   = 'c' // the field's number, a colon and the value
)

// maxTerm bounds one term: no number anybody types is longer.
const maxTerm = 64

// sourceField is the name every kind has for its numbers in other systems.
const sourceField = "source_ids"

// fileFields are the names of fields that hold the SHA-256 of a file.
const fileFields = "hash thumb_hash"

// Read walks the message bytes of a record, without building the message.
func Read(k *schema.KindInfo, msg []byte) Entry {
	var e Entry
	each(k, msg, func(f *schema.FieldInfo, value []byte) { e.Add(k, f, value) })
	e.Done()
	return e
}

// Indexed tells whether Add makes anything of a field's values.
func Indexed(f *schema.FieldInfo) bool {
	return f.Search != optionsv1.Search_SEARCH_NONE || f.Name == sourceField || isID(f) || isFile(f) || len(f.Ends) > 0
}

// isID tells whether a field holds the keyed hash of a national id: nobody searches for it, but likely duplicates are
// found by it.
func isID(f *schema.FieldInfo) bool { return f.Evidence == optionsv1.Evidence_EVIDENCE_NATIONAL_ID }

// isFile tells whether a field names a file: nobody searches for it, but whether a file is named still is found by it.
func isFile(f *schema.FieldInfo) bool {
	return f.Desc.Kind() == protoreflect.BytesKind && slices.Contains(strings.Fields(fileFields), f.Name)
}

// FileTerm is the term of a record that names a file.
func FileTerm(hash []byte) string { return string(termFile) + hex.EncodeToString(hash) }

// Add adds what one value of a field is found by: text, bytes or a message,
// without tag and length. It is for those who walk the message for more than the
// index; Done comes after the last.
func (e *Entry) Add(k *schema.KindInfo, f *schema.FieldInfo, value []byte) {
	if f.Name == sourceField {
		if ss := stringsOf(f, value); len(ss) == 2 {
			e.Terms = append(e.Terms, SourceTerm(k.Kind, ss[0], ss[1]))
		}
	}
	if isID(f) {
		e.term(termID, hex.EncodeToString(value)) // at most 64 characters: all of it
	}
	if isFile(f) && len(value) <= maxTerm/2 {
		e.Terms = append(e.Terms, FileTerm(value))
	}
	if f.Search == optionsv1.Search_SEARCH_FACET {
		if v := facetValue(f, value); v != "" {
			e.Facets = append(e.Facets, FacetTerm(f, v))
		}
	} else if f.Search != optionsv1.Search_SEARCH_NONE {
		e.search(f, value)
	}
}

// AddNumber is Add for a value that is a number or an enum.
func (e *Entry) AddNumber(f *schema.FieldInfo, value uint64) {
	for _, end := range f.Ends {
		if value != 0 && (end.At == 0 || end.At == value) {
			e.ended = append(e.ended, FacetTerm(end.Facet, ""))
		}
	}
	if f.Search == optionsv1.Search_SEARCH_FACET {
		e.Facets = append(e.Facets, FacetTerm(f, strconv.FormatUint(value, 10)))
	}
}

// FacetTerm is the term of records whose field has the value: a word, a number, yes or no of a consent, or who is clocked
// on; of a field that says what ends it (facet_until), as long as it has not ended.
func FacetTerm(f *schema.FieldInfo, value string) string {
	t := string(termFacet) + strconv.Itoa(int(f.Number)) + ":" + han.Fold(value)
	if len(t) > maxTerm {
		t = strings.ToValidUTF8(t[:maxTerm], "")
	}
	return t
}

// facetValue is a word; what was said in a message whose first field is a yes or no (v1.Consent); or of a span of time
// that begins with who (v1.Clocking), who it is, until it has ended.
func facetValue(f *schema.FieldInfo, b []byte) string {
	if f.Desc.Kind() != protoreflect.MessageKind {
		return string(b)
	}
	if first := f.Desc.Message().Fields().ByNumber(1); first != nil && first.Kind() == protoreflect.StringKind {
		return spanOf(f.Desc.Message(), b)
	}
	said := "no"
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return ""
		}
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		if m < 0 {
			return ""
		}
		if v, k := protowire.ConsumeVarint(b[n:]); num == 1 && typ == protowire.VarintType && k > 0 && v != 0 {
			said = "yes"
		}
		b = b[n+m:]
	}
	return said
}

// spanOf is whose a span of time is that has no end yet; "" when it has ended.
func spanOf(d protoreflect.MessageDescriptor, b []byte) (who string) {
	end := d.Fields().ByName("until")
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return ""
		}
		m := protowire.ConsumeFieldValue(num, typ, b[n:])
		if m < 0 {
			return ""
		}
		switch {
		case end != nil && num == end.Number():
			if v, k := protowire.ConsumeVarint(b[n:]); k > 0 && v != 0 {
				return ""
			}
		case num == 1 && typ == protowire.BytesType:
			v, _ := protowire.ConsumeBytes(b[n:])
			who = string(v)
		}
		b = b[n+m:]
	}
	return who
}

// Done puts the terms in order, and leaves out the facets that have ended.
func (e *Entry) Done() {
	if len(e.ended) > 0 {
		e.Facets = slices.DeleteFunc(e.Facets, func(t string) bool {
			return slices.ContainsFunc(e.ended, func(of string) bool { return strings.HasPrefix(t, of) })
		})
	}
	slices.Sort(e.Terms)
	e.Terms = slices.Compact(e.Terms)
	slices.Sort(e.Facets)
	e.Facets = slices.Compact(e.Facets)
}

// gap stands between two names of one record in the word table; nobody searches for it.
const gap = "zzgapzz"

// NameWords is the word table's name column. Names stand apart, so that a phrase
// does not run over from one into the next.
func (e *Entry) NameWords() string { return strings.Join(e.Names, " "+gap+" ") }

// TextWords is the word table's text column.
func (e *Entry) TextWords() string { return strings.Join(e.Text, " ") }

// each calls f for every value of a message that is text, bytes or a message.
func each(k *schema.KindInfo, msg []byte, f func(f *schema.FieldInfo, value []byte)) {
	for len(msg) > 0 {
		num, typ, n := protowire.ConsumeTag(msg)
		if n < 0 {
			return
		}
		m := protowire.ConsumeFieldValue(num, typ, msg[n:])
		if m < 0 {
			return
		}
		if fi := k.FieldNumber(int32(num)); fi != nil && typ == protowire.BytesType {
			b, _ := protowire.ConsumeBytes(msg[n:])
			f(fi, b)
		}
		msg = msg[n+m:]
	}
}

// Names are the values of a message that are searched as names.
func Names(k *schema.KindInfo, msg []byte) []string {
	var out []string
	each(k, msg, func(f *schema.FieldInfo, value []byte) {
		if f.Search == optionsv1.Search_SEARCH_NAME {
			out = append(out, stringsOf(f, value)...)
		}
	})
	return out
}

// stringsOf are the texts of a value: itself, or the strings of a message by field number.
func stringsOf(f *schema.FieldInfo, b []byte) []string {
	if f.Desc.Kind() != protoreflect.MessageKind {
		return []string{string(b)}
	}
	var out []string
	fields := f.Desc.Message().Fields()
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

func (e *Entry) search(f *schema.FieldInfo, b []byte) {
	ss := stringsOf(f, b)
	if len(ss) == 0 {
		return
	}
	switch f.Search {
	case optionsv1.Search_SEARCH_NAME:
		for _, s := range ss {
			e.Names = append(e.Names, han.SearchText(s))
		}
	case optionsv1.Search_SEARCH_TEXT:
		for _, s := range ss {
			e.Text = append(e.Text, han.QueryWords(s)...)
		}
	case optionsv1.Search_SEARCH_PHONE:
		for _, d := range phoneDigits(ss[0]) {
			e.term(termPhone, backwards(d))
			e.term(termPhone0, national(d))
		}
	case optionsv1.Search_SEARCH_PLATE:
		p := plate.Fold(ss[0])
		e.term(termPlate, backwards(p))
		e.term(termPlate0, p)
		for _, from := range plateInside(p) {
			e.term(termPlateIn, from)
		}
	case optionsv1.Search_SEARCH_VIN:
		e.term(termVIN, backwards(vin.Fold(ss[0])))
	case optionsv1.Search_SEARCH_NUMBER:
		e.term(termNumber, backwards(foldNumber(ss[0])))
	}
}

func (e *Entry) term(kind byte, s string) {
	if s == "" {
		return
	}
	if len(s) > maxTerm {
		s = s[:maxTerm]
	}
	e.Terms = append(e.Terms, string(kind)+s)
}

// SourceTerm is the term of a record's number in another system.
func SourceTerm(k schema.Kind, source, id string) string {
	return string(rune(termSource)) + string(rune('0'+k)) + strings.ReplaceAll(source, "\n", " ") + "\x00" + strings.ReplaceAll(id, "\n", " ")
}

// VINTerm is the term of a whole VIN; "" for an empty one.
func VINTerm(s string) string { return termOf(termVIN, backwards(vin.Fold(s))) }

// IDTerm is the term of a national id's keyed hash; "" for what is none.
func IDTerm(hash []byte) string {
	return termOf(termID, hex.EncodeToString(hash))
}

// plateInside is a plate as people begin to say it who leave the province out, and the letter behind it.
func plateInside(p string) []string {
	r, n := utf8.DecodeRuneInString(p)
	if !han.Is(r) || len(p) < n+4 {
		return nil
	}
	return []string{p[n:], p[n+1:]}
}

// PhoneTerms are the beginnings of the terms of a number that ends so: the same number, with a country or an area before it too.
func PhoneTerms(digits string) (from, below string) {
	k := string(rune(termPhone)) + backwards(digits)
	return k, k + "\xff"
}

// PlateTerm is the term of a whole plate; "" for an empty one.
func PlateTerm(s string) string { return termOf(termPlate0, plate.Fold(s)) }

func termOf(kind byte, s string) string {
	if s == "" {
		return ""
	}
	return string(kind) + s
}

// WordSum tells whether the words in the index are still the record's; 0 = none.
func (e *Entry) WordSum() int64 {
	if len(e.Names) == 0 && len(e.Text) == 0 {
		return 0
	}
	h := fnv.New64a()
	for _, s := range e.Names {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	h.Write([]byte{1})
	for _, s := range e.Text {
		h.Write([]byte(s))
		h.Write([]byte{0})
	}
	return int64(h.Sum64()>>1) | 1
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
