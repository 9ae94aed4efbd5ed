package match

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"branchline/schema"
	"branchline/schema/phone"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// Type says what the values of a column are.
type Type string

// The types a column may have.
const (
	Name       Type = "name"
	GivenName  Type = "given_name"
	FamilyName Type = "family_name"
	Phone      Type = "phone"
	Email      Type = "email"
	Street     Type = "street"
	House      Type = "house_number"
	Locality   Type = "locality"
	Postcode   Type = "postcode"
	Region     Type = "region"
	Address    Type = "address"
	Birthday   Type = "birthday"
	Year       Type = "year"
	NationalID Type = "national_id"
	Last4      Type = "last4"
	Plate      Type = "plate"
	VIN        Type = "vin"
	Company    Type = "company"
	Text       Type = "text"
	Number     Type = "number"
	Category   Type = "category"
	Timestamp  Type = "timestamp" // not compared: when a record was written says nothing of who it is
	Ignore     Type = "ignore"
)

// Types are all of them.
func Types() []Type {
	return []Type{Name, GivenName, FamilyName, Phone, Email, Street, House, Locality, Postcode, Region, Address, Birthday, Year, NationalID, Last4, Plate, VIN, Company, Text, Number, Category, Timestamp, Ignore}
}

// Field is one column and its type.
type Field struct {
	Column string `json:"column"`
	Type   Type   `json:"type"`
}

// Record is what is matched: an id, unique and not empty, and a value for each field.
type Record struct {
	ID     string
	Values []string
}

// comparison is one question asked of two records: columns that say the same thing,
// such as all names, are one, so that they are counted once.
type comparison struct {
	typ    Type
	label  string
	fields []int
	levels int
	shared bool // a household or a site may have it in common
	binds  bool // and having it in common is what makes one: a town does not
	loose  bool // other columns may say the same thing once more
	// employer tells that the company of a record is not its customer but where he works.
	employer bool
}

// whole is the level of two that say the same.
func (c *comparison) whole() int8 {
	if c.typ == Text {
		return textCodes - 1
	}
	return int8(c.levels - 1)
}

// comparisons puts the fields of a map together.
func comparisons(fields []Field) ([]comparison, error) {
	var out []comparison
	add := func(c comparison, i int, together bool) {
		if together {
			for k := range out {
				if out[k].typ == c.typ {
					out[k].fields = append(out[k].fields, i)
					out[k].label += "+" + fields[i].Column
					return
				}
			}
		}
		c.fields, c.label = []int{i}, fields[i].Column
		out = append(out, c)
	}
	for i, f := range fields {
		switch f.Type {
		case Name, GivenName, FamilyName, Company:
			add(comparison{typ: Name, levels: nameLevels}, i, true)
		case Phone:
			add(comparison{typ: Phone, levels: 3, shared: true, binds: true}, i, true)
		case Plate, VIN:
			add(comparison{typ: f.Type, levels: 3, shared: true, binds: true}, i, true)
		case Email:
			add(comparison{typ: Email, levels: 4}, i, true)
		case Address, Street:
			add(comparison{typ: Address, levels: placeLevels, shared: true, binds: true, loose: true}, i, true)
		case Postcode:
			add(comparison{typ: Postcode, levels: 3, shared: true, binds: true, loose: true}, i, false)
		case House, Locality, Region:
			add(comparison{typ: f.Type, levels: 3, shared: true, loose: true}, i, false)
		case Birthday:
			add(comparison{typ: Birthday, levels: 6}, i, false)
		case NationalID, Last4:
			add(comparison{typ: f.Type, levels: 3}, i, false)
		case Year, Number, Category:
			add(comparison{typ: f.Type, levels: 3, loose: true}, i, false)
		case Text:
			add(comparison{typ: Text, levels: 8, loose: true}, i, false)
		case Timestamp, Ignore:
		default:
			return nil, schema.Invalid("field", "column %q: there is no type %q", f.Column, f.Type)
		}
	}
	if len(out) > maxCompared {
		return nil, schema.Invalid("field", "more than %d columns to compare", maxCompared)
	}
	if len(out) == 0 {
		return nil, schema.Invalid("field", "no column to compare: give fields of other types than timestamp and ignore")
	}
	return out, nil
}

// value is what one comparison looks at in one record; the zero value says nothing.
type value struct {
	set   []word // exact things: numbers, ids, folded texts
	forms []form // names
	place *place
	text  *text
	num   int64 // numbers in thousandths, years, days
	has   bool
	freq  Bits // rarity of set[0]
}

// text is a text's words, each once, in the order of their hashes.
type text struct {
	words []word
	wbits []Bits
	norm  int64 // the sum of the squares of wbits
}

type date struct{ y, m, d int }

func (d date) packed() int64 {
	return int64(min(d.y, 1<<30))<<32 | int64(min(d.m, 0xffff))<<16 | int64(min(d.d, 0xffff))
}

// day is the date of a birthday.
func (v *value) day() date {
	return date{int(v.num >> 32), int(v.num >> 16 & 0xffff), int(v.num & 0xffff)}
}

// read takes a record apart. It is a pure function of the record and the comparisons.
func read(cmp []comparison, fields []Field, r Record) *sheet {
	out := &sheet{id: r.ID, vals: make([]value, len(cmp))}
	for k := range cmp {
		c, v := &cmp[k], &out.vals[k]
		switch c.typ {
		case Name:
			v.forms = readNames(c, fields, r)
			v.has = len(v.forms) > 0
		case Address:
			var all []string
			for _, i := range c.fields {
				if s := clean(r.Values[i]); s != "" && !generic(Address, s) {
					all = append(all, s)
				}
			}
			if len(all) > 0 {
				p := readPlace(strings.Join(all, " "))
				if len(p.words)+len(p.numbers) > 0 {
					v.place, v.has = &p, true
				}
			}
		default:
			for _, i := range c.fields {
				switch c.typ {
				case Plate, VIN, Email:
					for _, s := range several(r.Values[i]) {
						v.read(c.typ, s)
					}
				default:
					v.read(c.typ, r.Values[i])
				}
			}
			v.has = v.has || len(v.set) > 0
		}
		if v.has {
			out.says |= 1 << k
		}
	}
	out.word = rowWord(cmp, out)
	return out
}

// maxWord bounds a Word, in bytes.
const maxWord = 40

// rowWord is what a record says in the order of its comparisons, names before all else and
// by their sound.
func rowWord(cmp []comparison, r *sheet) string {
	b := make([]byte, 0, maxWord)
	name := slices.IndexFunc(cmp, func(c comparison) bool { return c.typ == Name })
	for i := range cmp {
		k := i
		switch {
		case i == 0 && name > 0:
			k = name
		case i > 0 && i <= name:
			k = i - 1
		}
		v := &r.vals[k]
		s := ""
		switch {
		case len(v.forms) > 0 && len(v.forms[0].sounds) > 0:
			s = v.forms[0].sounds[0]
		case len(v.forms) > 0:
			s = v.forms[0].text
		case v.place != nil && len(v.place.words) > 0:
			s = v.place.words[0].text + v.place.house.text
		case len(v.set) > 0:
			s = v.set[0].text
		}
		if b = append(append(b, s...), 0); len(b) >= maxWord {
			return string(b[:maxWord])
		}
	}
	return string(b)
}

func readNames(c *comparison, fields []Field, r Record) []form {
	var fs []form
	var givenName, familyName []string
	for _, i := range c.fields {
		s := strings.TrimSpace(r.Values[i])
		if s == "" {
			continue
		}
		switch fields[i].Type {
		case Company:
			if t := clean(s); !c.employer && t != "" && !slices.Contains(nobody, t) && !generic(Company, t) {
				return []form{companyForm(t)} // whoever is named beside it is a contact
			}
		case GivenName:
			givenName = append(givenName, s)
		case FamilyName:
			familyName = append(familyName, s)
		default:
			for _, n := range several(s) {
				fs = append(fs, nameForms(n)...)
			}
		}
	}
	if len(givenName)+len(familyName) > 0 {
		if f, ok := partsForm(strings.Join(givenName, " "), strings.Join(familyName, " ")); ok {
			fs = append([]form{f}, fs...)
		}
	}
	if len(fs) > maxForms {
		fs = fs[:maxForms]
	}
	var out []form
	for _, f := range fs {
		if !slices.ContainsFunc(out, func(o form) bool { return o.whole == f.whole }) {
			out = append(out, f)
		}
	}
	return out
}

// several cuts a cell up that holds several values.
func several(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ';' || r == '；' || r == '|' || r == '\n' })
}

var nobody = []string{"私人", "个人", "散客", "无公司", "private", "personal", "self"}

func (v *value) read(t Type, raw string) {
	s := clean(raw)
	if s == "" || t != Phone && generic(t, s) {
		return
	}
	put := func(kind byte, text string) {
		if text != "" && !slices.ContainsFunc(v.set, func(w word) bool { return w.text == text }) {
			v.set = append(v.set, word{text: text, hash: hashOf(kind, text)})
		}
	}
	switch t {
	case Phone:
		for _, n := range phone.Parse(s, "") {
			k := n.Key()
			if k == "" && n.Kind != phone.Hotline && !n.Placeholder() {
				k = n.Digits() // abroad, or mistyped
			}
			if len(k) >= 6 && !generic(Phone, k) {
				put(ownKind(t), k)
			}
		}
	case Email:
		put(ownKind(t), strings.ReplaceAll(s, " ", ""))
	case NationalID:
		put(ownKind(t), letters(s))
	case Last4, House, Postcode:
		put('i', letters(s))
	case Plate:
		k := plate.Key(s)
		if k == "" {
			k = plate.QueryForm(s)
		}
		put(ownKind(t), k)
	case VIN:
		k := strings.Map(func(r rune) rune {
			switch r {
			case 'I':
				return '1'
			case 'O', 'Q':
				return '0'
			}
			return r
		}, vin.Fold(s))
		if len(k) >= 6 && !generic(VIN, k) {
			put(ownKind(t), k)
		}
	case Locality, Region, Category:
		put('c', strings.Join(texts(words(hashWord, s)), " "))
	case Birthday:
		day := readDate(s)
		text := strconv.Itoa(day.y) + "-" + strconv.Itoa(day.m) + "-" + strconv.Itoa(day.d)
		if v.has = day != (date{}) && !slices.Contains(noDay, text); v.has {
			v.num = day.packed()
			put('d', text)
		}
	case Year:
		if y := readDate(s).y; y > 0 {
			v.num, v.has = int64(y), true
			put('y', strconv.Itoa(y))
		}
	case Number:
		f, err := strconv.ParseFloat(strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r == '.' || r == '-' {
				return r
			}
			return -1
		}, s), 64)
		if err == nil && f < 1e15 && f > -1e15 {
			v.num, v.has = int64(f*1000), true
			put('#', strconv.FormatInt(v.num, 10))
		}
	case Text:
		ws := words(hashWord, s)
		if len(ws) > maxWords {
			ws = ws[:maxWords]
		}
		slices.SortFunc(ws, func(a, b word) int { return cmp.Compare(a.hash, b.hash) })
		ws = slices.CompactFunc(ws, func(a, b word) bool { return a.hash == b.hash })
		if v.has = len(ws) > 0; v.has {
			v.text = &text{words: ws}
			put('t', letters(s))
		}
	}
}

func texts(ws []word) []string {
	out := make([]string, len(ws))
	for i, w := range ws {
		out[i] = w.text
	}
	return out
}

// readDate reads a day as files write it: 1971-06-24, 19710624, 24.6.1971, 1971, and
// what stands behind it is passed over. Parts that cannot be told are 0.
func readDate(s string) date {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	n := func(s string) int {
		v, err := strconv.Atoi(s)
		if err != nil {
			return 0
		}
		return v
	}
	var d date
	switch {
	case len(parts) == 0:
		return d
	case len(parts[0]) == 8:
		d = date{n(parts[0][:4]), n(parts[0][4:6]), n(parts[0][6:])}
	case len(parts[0]) == 4 && len(parts) >= 3:
		d = date{n(parts[0]), n(parts[1]), n(parts[2])}
	case len(parts) >= 3 && len(parts[2]) == 4:
		d = date{n(parts[2]), n(parts[1]), n(parts[0])}
		if d.m > 12 && d.d <= 12 {
			d.m, d.d = d.d, d.m
		}
	case len(parts) == 2 && len(parts[0]) == 4:
		d = date{y: n(parts[0]), m: n(parts[1])}
	default:
		for _, p := range parts {
			if len(p) == 4 {
				d.y = n(p)
			}
		}
	}
	if d.y == 0 {
		return date{}
	}
	return d
}
