package intake

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"branchline/schema/mapfile"
)

// rejects writes refused rows: line, field, value, reason, then the row as it stood. The file comes
// into being with the first of them. It holds what the input held, so only its owner may read it.
type rejects struct {
	path    string
	columns []string
	f       *os.File
	w       *csv.Writer
}

// clear removes the file of an earlier run, which told of rows that may be in by now.
func (r *rejects) clear() error {
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("rejects file: %w", err)
	}
	return nil
}

func (r *rejects) add(row mapfile.Row, why []mapfile.Violation) error {
	if r.f == nil {
		f, err := os.OpenFile(r.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("rejects file: %w (another place can be named)", err)
		}
		r.f, r.w = f, csv.NewWriter(f)
		if err := r.w.Write(append([]string{"line", "field", "value", "reason"}, r.columns...)); err != nil {
			return fmt.Errorf("rejects file: %w", err)
		}
	}
	// A row stands here once, whatever is wrong with it: put right, the file can be imported.
	var reasons []string
	for _, v := range why {
		s := v.Reason
		if len(why) > 1 && v.Field != "" {
			s = v.Field + ": " + s
		}
		reasons = append(reasons, s)
	}
	line := []string{strconv.Itoa(row.Line), why[0].Field, why[0].Value, strings.Join(reasons, "; ")}
	if err := r.w.Write(append(line, row.Cells...)); err != nil {
		return fmt.Errorf("rejects file: %w", err)
	}
	return nil
}

func (r *rejects) close() error {
	if r.f == nil {
		return nil
	}
	r.w.Flush()
	if err := errors.Join(r.w.Error(), r.f.Close()); err != nil {
		return fmt.Errorf("rejects file: %w", err)
	}
	return nil
}
