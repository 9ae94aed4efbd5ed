package match

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"branchline/schema"
	"branchline/schema/mapfile"
)

// ReadFile reads the records of a CSV file through a map for matching. It refuses with
// ErrInvalid and the line: a row that cannot be read, an empty id, an id that stands there
// twice, a file without rows. ErrNotFound for a missing file.
func ReadFile(fsys fs.FS, name string, m *mapfile.Map) (fields []Field, records []Record, err error) {
	if !m.Matching() {
		return nil, nil, schema.Invalid("map", "%s is a map for an import: one for matching has id and typed columns, and no kind", m.Name)
	}
	for _, f := range m.Fields {
		fields = append(fields, Field{f.Column, Type(f.Type)})
	}
	r, err := m.Open(fsys, name)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	lines := map[string]int{}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(row.Bad) > 0 {
			return nil, nil, schema.Invalid("", "%s line %d: %s", name, row.Line, row.Bad[0].Reason)
		}
		if row.Out {
			continue
		}
		rec := Record{ID: strconv.Itoa(len(records) + 1)}
		if len(m.ID) > 0 {
			parts := make([]string, len(m.ID))
			for i, c := range m.ID {
				if parts[i] = strings.TrimSpace(r.Value(row, c)); parts[i] == "" {
					return nil, nil, schema.Invalid("id", "%s line %d: the id's column %q is empty: fill it in, or name other columns as the map's id", name, row.Line, c)
				}
			}
			rec.ID = strings.Join(parts, "/")
		}
		if at, ok := lines[rec.ID]; ok {
			return nil, nil, schema.Invalid("id", "%s line %d: the id %q stands in line %d already: take one of the two out, or name one more column in the map's id", name, row.Line, rec.ID, at)
		}
		lines[rec.ID] = row.Line
		for _, f := range fields {
			rec.Values = append(rec.Values, r.Value(row, f.Column))
		}
		records = append(records, rec)
	}
	if len(records) == 0 {
		return nil, nil, schema.Invalid("", "%s has no rows to match", name)
	}
	return fields, records, nil
}
