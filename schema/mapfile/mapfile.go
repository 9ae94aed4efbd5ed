package mapfile

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"branchline/schema"
)

// MaxMap is the size of the largest map file, in bytes.
const MaxMap = 1 << 20

// DefaultZone is the zone of times whose map names none, unless the caller says otherwise.
const DefaultZone = "Asia/Shanghai"

//go:embed maps/*.toml
var embedded embed.FS

// Map is a map file that was checked. It does not change after Parse and may be used from several
// goroutines.
type Map struct {
	Name   string
	Kind   *schema.KindInfo // nil: rows can be read, not converted
	Source string
	Key    []string
	// ID, of a map for matching, are the columns that make the record id; empty: the row's number.
	ID       []string
	Encoding string
	Header   bool
	// Where holds column = value; a row is selected when all hold.
	Where map[string]string
	Part  *Part
	Joins []Join
	// Fields in the order of the file.
	Fields []Field

	separator byte
	zone      *time.Location // of times whose field names none
	plan      *plan          // nil without Kind
	matching  bool
}

// Part selects the rows whose column falls into one of several equal parts.
type Part struct {
	Column string `toml:"column"`
	Of     int    `toml:"of"`
	Index  int    `toml:"index"` // from 0
}

// Join brings columns of a file beside the input.
type Join struct {
	File     string            `toml:"file"`
	On       map[string]string `toml:"on"` // column here = column there
	Take     []string          `toml:"take"`
	Sum      []string          `toml:"sum"`
	Optional bool              `toml:"optional"`

	line int
}

// Field says where one value comes from and where it goes.
type Field struct {
	Column   string            `toml:"column"`
	Columns  []string          `toml:"columns"`
	Value    *string           `toml:"value"`
	To       string            `toml:"to"`
	Type     string            `toml:"type"`
	Format   string            `toml:"format"`
	Zone     string            `toml:"zone"`
	Values   map[string]string `toml:"values"`
	Minus    string            `toml:"minus"`
	Required bool              `toml:"required"`
	Source   string            `toml:"source"`
	Create   bool              `toml:"create"`

	line int
	zone *time.Location
}

type file struct {
	Kind      string            `toml:"kind"`
	Source    string            `toml:"source"`
	Key       []string          `toml:"key"`
	ID        []string          `toml:"id"`
	Encoding  string            `toml:"encoding"`
	Separator string            `toml:"separator"`
	Header    *bool             `toml:"header"`
	Where     map[string]string `toml:"where"`
	Shard     *Part             `toml:"shard"`
	Join      []Join            `toml:"join"`
	Field     []Field           `toml:"field"`
}

// Names are the embedded maps, sorted.
func Names() []string {
	names, err := fs.Glob(embedded, "maps/*.toml")
	if err != nil {
		return nil // the pattern is a constant and valid
	}
	for i, n := range names {
		names[i] = strings.TrimSuffix(path.Base(n), ".toml")
	}
	slices.Sort(names)
	return names
}

// Named is the embedded map of that name; schema.ErrNotFound if there is none.
func Named(name string) (*Map, error) {
	b, err := embedded.ReadFile("maps/" + name + ".toml")
	if err != nil {
		return nil, fmt.Errorf("map %q: %w: built in are %s", name, schema.ErrNotFound, strings.Join(Names(), ", "))
	}
	return Parse(name, b)
}

// Parse reads and checks a map. name stands in messages. Every error is schema.ErrInvalid and names
// the line where it can.
func Parse(name string, text []byte) (*Map, error) {
	if len(text) > MaxMap {
		return nil, bad(name, 0, "the map has %d bytes; the most is %d", len(text), MaxMap)
	}
	if !utf8.Valid(text) {
		return nil, bad(name, 0, "the map is not valid UTF-8")
	}
	var f file
	md, err := toml.NewDecoder(bytes.NewReader(text)).Decode(&f)
	if err != nil {
		if pe, ok := errors.AsType[toml.ParseError](err); ok {
			return nil, bad(name, pe.Position.Line, "%s", pe.Message)
		}
		return nil, bad(name, 0, "%s", strings.TrimPrefix(err.Error(), "toml: "))
	}
	at := indexLines(text)
	if un := md.Undecoded(); len(un) > 0 {
		return nil, bad(name, at.key(un[0]), "unknown key %q", un[0].String())
	}
	for i := range f.Field {
		f.Field[i].line = at.nth("field", i)
	}
	for i := range f.Join {
		f.Join[i].line = at.nth("join", i)
	}
	return f.check(name, at)
}

func (f *file) check(name string, at lines) (*Map, error) {
	m := &Map{
		Name: name, Source: f.Source, Key: f.Key, ID: f.ID, Encoding: f.Encoding, Header: f.Header == nil || *f.Header,
		Where: f.Where, Part: f.Shard, Joins: f.Join, Fields: f.Field, separator: ',',
	}
	top := func(key, format string, args ...any) error {
		return bad(name, at.key(toml.Key{key}), key+": "+format, args...)
	}
	switch m.Encoding {
	case "":
		m.Encoding = "auto"
	case "auto", "utf-8", "gb18030", "utf-16":
	default:
		return nil, top("encoding", "%q is none of auto, utf-8, gb18030, utf-16", m.Encoding)
	}
	if s := f.Separator; s != "" {
		if len(s) != 1 || s[0] == '"' || s[0] == '\n' || s[0] == '\r' || s[0] >= utf8.RuneSelf {
			return nil, top("separator", "%q is not one plain character", s)
		}
		m.separator = s[0]
	}
	if f.Kind != "" {
		if m.Kind = schema.KindNamed(f.Kind); m.Kind == nil {
			return nil, top("kind", "there is no kind %q", f.Kind)
		}
		if m.Source == "" {
			return nil, bad(name, 0, "source is missing: the name of the system the rows come from")
		}
		if len(m.Key) == 0 {
			return nil, bad(name, 0, "key is missing: the columns that name a row for ever")
		}
	}
	m.matching = f.Kind == "" && (len(f.ID) > 0 || slices.ContainsFunc(f.Field, func(f Field) bool { return f.To == "" }))
	switch {
	case f.Kind != "" && len(f.ID) > 0:
		return nil, top("id", "is for matching, where a map has no kind; an import names its rows by key")
	case m.matching && (f.Source != "" || len(f.Key) > 0):
		return nil, bad(name, 0, "source and key are for an import; a map without kind, for matching, names its rows by id")
	}
	if len(m.Source) > 60 {
		return nil, top("source", "is longer than 60 characters")
	}
	if m.Part != nil {
		if m.Part.Column == "" {
			return nil, top("shard", "column is missing")
		}
		if err := m.Part.check(); err != nil {
			return nil, top("shard", "%s", err)
		}
	}
	for i := range m.Joins {
		if err := m.Joins[i].check(); err != nil {
			return nil, bad(name, m.Joins[i].line, "join: %s", err)
		}
	}
	for i := range m.Fields {
		check := m.Fields[i].check
		if m.matching {
			check = m.Fields[i].checkMatch
		}
		if err := check(); err != nil {
			return nil, bad(name, m.Fields[i].line, "field: %s", err)
		}
	}
	var err error
	if m.zone, err = time.LoadLocation(DefaultZone); err != nil {
		return nil, fmt.Errorf("map %s: %w", name, err)
	}
	if m.Kind != nil {
		p, err := newPlan(m)
		if err != nil {
			return nil, err
		}
		m.plan = p
	}
	return m, nil
}

func (p *Part) check() error {
	if p.Of < 1 || p.Of > 10_000 || p.Index < 0 || p.Index >= p.Of {
		return fmt.Errorf("part %d of %d is not possible: of is 1 to 10000, index 0 to of-1", p.Index, p.Of)
	}
	return nil
}

func (j *Join) check() error {
	switch {
	case j.File == "":
		return errors.New("file is missing")
	case strings.ContainsAny(j.File, `/\`) || !fs.ValidPath(j.File) || j.File == ".":
		return fmt.Errorf("file %q must lie beside the input: a name without folders", j.File)
	case len(j.On) == 0:
		return errors.New("on is missing: { column here = column there }")
	case len(j.Take)+len(j.Sum) == 0:
		return errors.New("take or sum is missing: the columns to bring")
	}
	return nil
}

func (f *Field) check() error {
	from := 0
	for _, has := range []bool{f.Column != "", len(f.Columns) > 0, f.Value != nil} {
		if has {
			from++
		}
	}
	switch {
	case from == 0:
		return errors.New("column is missing (or columns, or value)")
	case from > 1:
		return errors.New("give one of column, columns and value")
	case f.To == "":
		return errors.New("to is missing: the path of the field")
	}
	if f.Type == "" {
		f.Type = "text"
	}
	if !slices.Contains(types, f.Type) {
		return fmt.Errorf("type %q is none of %s", f.Type, strings.Join(types, " "))
	}
	only := func(key string, set bool, of ...string) error {
		if set && !slices.Contains(of, f.Type) {
			return fmt.Errorf("%s is for %s, not for %s", key, strings.Join(of, ", "), f.Type)
		}
		return nil
	}
	if err := errors.Join(
		only("zone", f.Zone != "", "time"),
		only("format", f.Format != "", "day", "time", "money", "number", "hours"),
		only("minus", f.Minus != "", "money", "number"),
		only("source", f.Source != "", "ref"),
		only("create", f.Create, "ref"),
	); err != nil {
		return err
	}
	if f.Zone != "" {
		z, err := time.LoadLocation(f.Zone)
		if err != nil || f.Zone == "Local" {
			return fmt.Errorf("zone %q is not known: give an IANA name such as Asia/Shanghai", f.Zone)
		}
		f.zone = z
	}
	return f.checkFormat()
}

// checkMatch checks a field of a map for matching: a column and what it holds.
func (f *Field) checkMatch() error {
	bare := Field{Column: f.Column, Type: f.Type, line: f.line}
	switch {
	case f.Column == "":
		return errors.New("column is missing")
	case f.Type == "":
		return fmt.Errorf("type is missing: one of %s", strings.Join(matchTypes, " "))
	case !slices.Contains(matchTypes, f.Type):
		return fmt.Errorf("type %q is none of %s", f.Type, strings.Join(matchTypes, " "))
	case !reflect.DeepEqual(*f, bare):
		return errors.New("a map without kind, for matching, gives column and type only")
	}
	return nil
}

func (f *Field) checkFormat() error {
	switch f.Type {
	case "money", "number", "hours":
		if _, err := spellingOf(f.Format); err != nil {
			return err
		}
	case "day", "time":
		if f.Format == "" || f.Format == "unix" || f.Format == "unixms" {
			return nil
		}
		// A layout without a year would date everything to the year 0.
		a := time.Date(2031, 11, 23, 1, 2, 3, 0, time.UTC)
		if got, err := time.Parse(f.Format, a.Format(f.Format)); err != nil || got.Year() != 2031 || got.YearDay() != a.YearDay() {
			return fmt.Errorf("format %q is not a layout with year, month and day: write 23 January 2006 15:04:05 the way the file does, such as 2006-01-02", f.Format)
		}
	}
	return nil
}

// Choice is what the caller of a map may set without writing another map.
type Choice struct {
	// Where replaces or adds conditions; an empty value removes the map's own.
	Where map[string]string
	// Part replaces Of and Index, and Column where it is not empty; nil leaves the map's.
	Part *Part
	// Zone for times whose field names none; nil is DefaultZone.
	Zone *time.Location
}

// With is the map under a choice. The map itself is not changed.
func (m *Map) With(c Choice) (*Map, error) {
	n := *m
	n.Where = maps.Clone(m.Where)
	if n.Where == nil {
		n.Where = map[string]string{}
	}
	for k, v := range c.Where {
		if v == "" {
			delete(n.Where, k)
		} else {
			n.Where[k] = v
		}
	}
	if c.Part != nil {
		p := *c.Part
		if p.Column == "" && m.Part != nil {
			p.Column = m.Part.Column
		}
		if p.Column == "" {
			return nil, schema.Invalid("part", "the map %s has no [shard] column: name one", m.Name)
		}
		if err := p.check(); err != nil {
			return nil, schema.Invalid("part", "%s", err)
		}
		n.Part = &p
	}
	if c.Zone != nil {
		n.zone = c.Zone
		if n.plan != nil {
			p, err := newPlan(&n)
			if err != nil {
				return nil, err
			}
			n.plan = p
		}
	}
	return &n, nil
}

// Matching tells a map for matching: it has no kind, and its fields say what columns hold, not
// where they go.
func (m *Map) Matching() bool { return m.matching }

// from are the columns a field reads.
func (f *Field) from() []string {
	out := slices.Clone(f.Columns)
	if f.Column != "" {
		out = append(out, f.Column)
	}
	return out
}

func bad(name string, line int, format string, args ...any) error {
	where := "map " + name
	if line > 0 {
		where += fmt.Sprintf(" line %d", line)
	}
	return schema.Invalid("", "%s: %s", where, fmt.Sprintf(format, args...))
}

// lines finds keys of a TOML text again; the decoder does not say where an unknown key stood.
type lines struct {
	keys   map[string]int   // "table.key" or "key" → first line
	tables map[string][]int // header → its lines
}

func indexLines(text []byte) lines {
	at := lines{map[string]int{}, map[string][]int{}}
	table := ""
	n := 0
	for l := range strings.Lines(string(text)) {
		n++
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "[") {
			h := strings.Trim(strings.TrimSpace(strings.SplitN(l, "#", 2)[0]), "[] \t")
			table = unquote(h)
			at.tables[table] = append(at.tables[table], n)
			at.first(table, n)
			continue
		}
		key, _, ok := strings.Cut(l, "=")
		if !ok || strings.HasPrefix(l, "#") {
			continue
		}
		key = unquote(key)
		if table != "" {
			key = table + "." + key
		}
		at.first(key, n)
	}
	return at
}

func unquote(s string) string { return strings.Trim(strings.TrimSpace(s), `"'`) }

func (at lines) first(key string, n int) {
	if _, ok := at.keys[key]; !ok {
		at.keys[key] = n
	}
}

// key is the line of a key, or of the nearest table around it; 0 if it cannot be told.
func (at lines) key(k toml.Key) int {
	for i := len(k); i > 0; i-- {
		if n := at.keys[strings.Join(k[:i], ".")]; n > 0 {
			return n
		}
	}
	return 0
}

func (at lines) nth(table string, i int) int {
	if l := at.tables[table]; i < len(l) {
		return l[i]
	}
	return 0
}
