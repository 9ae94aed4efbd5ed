package mapfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"branchline/schema"
)

// maxJoined bounds the cells a joined file may keep in memory.
const maxJoined = 20_000_000

// table is a joined file: by the values of its columns in on, the columns taken and the sums.
type table struct {
	join Join
	here []string // columns of the input side, sorted
	rows map[string]*joined
}

type joined struct {
	take  []string
	sums  []decimal
	count int
	why   string // a sum that could not be made
}

// loadJoin reads a joined file whole. A broken row of it is an error: a total must not be short
// without anybody knowing.
func (m *Map) loadJoin(fsys fs.FS, j Join) (t *table, err error) {
	src, err := openText(fsys, j.File, m.Encoding)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	sc := newScanner(src, m.separator)
	columns, _, err := m.header(sc)
	if err != nil {
		return nil, fmt.Errorf("join %s: %w", j.File, err)
	}
	t = &table{join: j, rows: map[string]*joined{}}
	for c := range j.On {
		t.here = append(t.here, c)
	}
	slices.Sort(t.here)
	var on, take, sum []int
	find := func(names []string) (at []int, err error) {
		for _, n := range names {
			i := slices.Index(columns, n)
			if i < 0 && m.Header {
				return nil, schema.Invalid("", "join %s: there is no column %q; there are %s", j.File, n, list(columns))
			}
			if i < 0 {
				return nil, schema.Invalid("", "join %s: there is no column %q", j.File, n)
			}
			at = append(at, i)
		}
		return at, nil
	}
	there := make([]string, len(t.here))
	for i, c := range t.here {
		there[i] = j.On[c]
	}
	if on, err = find(there); err != nil {
		return nil, err
	}
	if take, err = find(j.Take); err != nil {
		return nil, err
	}
	if sum, err = find(j.Sum); err != nil {
		return nil, err
	}
	cells := 0
	for {
		row, line, err := sc.next()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err == nil && len(row) != len(columns) {
			err = &brokenRow{line, "", fmt.Sprintf("the row has %d cells instead of %d", len(row), len(columns))}
		}
		if err != nil {
			return nil, schema.Invalid("", "join %s: %s", j.File, err)
		}
		if cells += len(take) + len(sum) + 1; cells > maxJoined {
			return nil, schema.Invalid("", "join %s: the file has too many rows to join: more than %d cells", j.File, maxJoined)
		}
		t.add(row, line, on, take, sum)
	}
}

func (t *table) add(row []string, line int, on, take, sum []int) {
	k := joinKey(row, on)
	r := t.rows[k]
	if r == nil {
		r = &joined{take: pick(row, take), sums: make([]decimal, len(sum))}
		t.rows[k] = r
	}
	r.count++
	for i, at := range sum {
		s := strings.TrimSpace(row[at])
		if s == "" {
			continue
		}
		d, err := parseDecimal(s, plainSpelling, true)
		if err == nil {
			r.sums[i], err = r.sums[i].add(d)
		}
		if err != nil && r.why == "" {
			r.why = fmt.Sprintf("%s line %d, %s: %s", t.join.File, line, t.join.Sum[i], err)
		}
	}
}

// match gives the joined columns for a row of the input. A violation's reason otherwise.
func (t *table) match(row []string, here []int) ([]string, string) {
	width := len(t.join.Take) + len(t.join.Sum)
	r := t.rows[joinKey(row, here)]
	switch {
	case r == nil && t.join.Optional:
		return make([]string, width), ""
	case r == nil:
		return nil, fmt.Sprintf("%s has no row for it", t.join.File)
	case r.why != "":
		return nil, r.why
	case r.count > 1 && len(t.join.Take) > 0:
		return nil, fmt.Sprintf("%s has %d rows for it", t.join.File, r.count)
	}
	out := append(make([]string, 0, width), r.take...)
	for _, d := range r.sums {
		out = append(out, d.String())
	}
	return out, ""
}

func joinKey(row []string, at []int) string {
	var b strings.Builder
	for _, i := range at {
		s := strings.TrimSpace(row[i])
		fmt.Fprintf(&b, "%d:%s", len(s), s)
	}
	return b.String()
}

func pick(row []string, at []int) []string {
	out := make([]string, len(at))
	for i, a := range at {
		out[i] = strings.Clone(row[a])
	}
	return out
}

func list(columns []string) string {
	const most = 60
	if len(columns) > most {
		return strings.Join(columns[:most], ", ") + ", …"
	}
	return strings.Join(columns, ", ")
}
