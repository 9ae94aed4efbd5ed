package mapfile

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"branchline/schema"
)

// Violation is why a row is not taken, or with a warning, what a person should look at.
type Violation struct {
	Field  string // path in the map, or a column; "" for the whole row
	Value  string // as it stood in the file
	Reason string
}

// Row is one row of the input. Line counts the lines of the file from 1, the header included.
type Row struct {
	Line int
	// Cells as they stood in the file; a row that could not be cut is one cell.
	Cells []string
	// Bad is why the row cannot be read; then only Line and Cells are valid.
	Bad []Violation
	// Out tells that where or the shard left the row out.
	Out bool

	all []string // cells with joined columns behind
}

// Reader reads the rows of one CSV file through a map. It is not safe for concurrent use.
type Reader struct {
	m       *Map
	src     *source
	sc      *scanner
	own     []string       // the input's columns
	columns map[string]int // all, joined ones behind
	first   []string       // a row already taken to count the columns
	firstAt int
	joins   []*table
	here    [][]int
	rows    int
	plan    *boundPlan
}

// Open opens an input and the files joined to it, all in fsys. It checks that every column the map
// names is there. ErrNotFound for a missing file, ErrInvalid for a wrong one.
func (m *Map) Open(fsys fs.FS, name string) (r *Reader, err error) {
	src, err := openText(fsys, name, m.Encoding)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, src.Close())
		}
	}()
	r = &Reader{m: m, src: src, sc: newScanner(src, m.separator), columns: map[string]int{}}
	var first []string
	if r.own, first, err = m.header(r.sc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.first, r.firstAt = first, r.sc.line
	for i, c := range r.own {
		r.columns[c] = i
	}
	for _, j := range m.Joins {
		t, err := m.loadJoin(fsys, j)
		if err != nil {
			return nil, err
		}
		here, err := r.find("join "+j.File, t.here...)
		if err != nil {
			return nil, err
		}
		r.joins, r.here = append(r.joins, t), append(r.here, here)
		for _, c := range append(slices.Clone(j.Take), j.Sum...) {
			if _, ok := r.columns[c]; ok {
				return nil, schema.Invalid("", "join %s: there is a column %q already", j.File, c)
			}
			r.columns[c] = len(r.columns)
		}
	}
	return r, r.bind()
}

// bind looks up every column the map names, once.
func (r *Reader) bind() error {
	for c := range r.m.Where {
		if _, err := r.find("where", c); err != nil {
			return err
		}
	}
	if p := r.m.Part; p != nil {
		if _, err := r.find("shard", p.Column); err != nil {
			return err
		}
	}
	if r.m.matching {
		if _, err := r.find("id", r.m.ID...); err != nil {
			return err
		}
		for i := range r.m.Fields {
			if _, err := r.find("field", r.m.Fields[i].Column); err != nil {
				return err
			}
		}
	}
	if r.m.plan == nil {
		return nil
	}
	p, err := r.m.plan.bind(r)
	r.plan = p
	return err
}

func (r *Reader) find(what string, names ...string) ([]int, error) {
	at := make([]int, len(names))
	for i, n := range names {
		c, ok := r.columns[n]
		if !ok {
			return nil, schema.Invalid("", "map %s, %s: the file has no column %q; it has %s", r.m.Name, what, n, list(r.own))
		}
		at[i] = c
	}
	return at, nil
}

// header gives the columns. Without a header line they are numbered by the first row, which is
// given back.
func (m *Map) header(sc *scanner) (columns, first []string, err error) {
	cells, _, err := sc.next()
	if errors.Is(err, io.EOF) {
		if m.Header {
			return nil, nil, schema.Invalid("", "the file is empty: not even a header line")
		}
		return nil, nil, schema.Invalid("", "the file is empty")
	}
	if b, ok := errors.AsType[*brokenRow](err); ok {
		return nil, nil, schema.Invalid("", "%s", b.Error())
	}
	if err != nil {
		return nil, nil, err
	}
	if !m.Header {
		for i := range cells {
			columns = append(columns, strconv.Itoa(i+1))
		}
		return columns, cells, nil
	}
	for i, c := range cells {
		c = strings.TrimSpace(c)
		if c != "" && slices.Contains(columns, c) {
			return nil, nil, schema.Invalid("", "line %d: the column %q stands there twice", sc.line, c)
		}
		if c == "" {
			c = strconv.Itoa(i + 1)
		}
		columns = append(columns, c)
	}
	return columns, nil, nil
}

// Columns are the input's own, in order.
func (r *Reader) Columns() []string { return slices.Clone(r.own) }

// Encoding is the one found or given.
func (r *Reader) Encoding() string { return r.src.named }

// Progress is how many of the input's bytes have been read, and how many there are.
func (r *Reader) Progress() (read, size int64) { return min(*r.src.read, r.src.size), r.src.size }

// Close closes the input.
func (r *Reader) Close() error { return r.src.Close() }

// Next is the next row, joined and judged. io.EOF at the end. An error ends the reading; a row that
// cannot be read is a Row with Bad.
func (r *Reader) Next() (Row, error) {
	if r.rows++; r.rows > MaxRows {
		return Row{}, schema.Invalid("", "the file has more than %d rows: cut it in pieces", MaxRows)
	}
	cells, line := r.first, r.firstAt
	r.first = nil
	if cells == nil {
		var err error
		cells, line, err = r.sc.next()
		if b, ok := errors.AsType[*brokenRow](err); ok {
			return Row{Line: line, Cells: []string{b.raw}, Bad: []Violation{{"", "", b.reason}}}, nil
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				return Row{}, io.EOF
			}
			return Row{}, fmt.Errorf("line %d: %w", r.sc.line+1, err)
		}
	}
	row := Row{Line: line, Cells: cells}
	if len(cells) != len(r.own) {
		row.Bad = []Violation{{"", "", fmt.Sprintf("the row has %d cells instead of %d", len(cells), len(r.own))}}
		return row, nil
	}
	row.all = append(make([]string, 0, len(r.columns)), cells...)
	for i, t := range r.joins {
		more, why := t.match(row.all, r.here[i])
		if why != "" {
			at := r.here[i][0]
			row.Bad = []Violation{{t.here[0], row.all[at], why}}
			return row, nil
		}
		row.all = append(row.all, more...)
	}
	row.Out = !r.selected(row.all)
	return row, nil
}

func (r *Reader) selected(all []string) bool {
	for c, want := range r.m.Where {
		if strings.TrimSpace(all[r.columns[c]]) != want {
			return false
		}
	}
	if p := r.m.Part; p != nil && p.Of > 1 {
		return partOf(all[r.columns[p.Column]], p.Of) == p.Index
	}
	return true
}

// partOf is the part a value falls into. It never changes: what one branch took another must not.
func partOf(value string, of int) int {
	h := sha256.Sum256([]byte(strings.TrimSpace(value)))
	return int(binary.BigEndian.Uint64(h[:8]) % uint64(of))
}

// Value is a cell of the row by column, joined ones too; "" if there is none.
func (r *Reader) Value(row Row, column string) string {
	if i, ok := r.columns[column]; ok && i < len(row.all) {
		return row.all[i]
	}
	return ""
}

// Shown is what stood in the file for a field of the map, by its path; "" if the map has no such
// field or the row could not be cut.
func (r *Reader) Shown(row Row, field string) string {
	if r.plan == nil || row.all == nil {
		return ""
	}
	for i, t := range r.plan.targets {
		if t.f.To == field {
			c := conversion{boundPlan: r.plan, row: row}
			return c.raw(i, t)
		}
	}
	return ""
}
