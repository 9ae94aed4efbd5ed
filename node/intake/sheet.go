package intake

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/mapfile"
)

// sheet is a CSV file beside the input that a run writes. It comes into being with its first line. It holds what the
// input held, so only its owner may read it.
type sheet struct {
	what   string // for people: "rejects"
	path   string
	header []string
	f      *os.File
	w      *csv.Writer
}

// clear removes the file of an earlier run, which told of rows that may be in by now.
func (s *sheet) clear() error {
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s file: %w", s.what, err)
	}
	return nil
}

func (s *sheet) line(cells []string) error {
	if s.f == nil {
		f, err := os.OpenFile(s.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("%s file: %w (another place can be named)", s.what, err)
		}
		s.f, s.w = f, csv.NewWriter(f)
		if err := s.w.Write(s.header); err != nil {
			return fmt.Errorf("%s file: %w", s.what, err)
		}
	}
	if err := s.w.Write(cells); err != nil {
		return fmt.Errorf("%s file: %w", s.what, err)
	}
	return nil
}

func (s *sheet) close() error {
	if s.f == nil {
		return nil
	}
	s.w.Flush()
	if err := errors.Join(s.w.Error(), s.f.Close()); err != nil {
		return fmt.Errorf("%s file: %w", s.what, err)
	}
	return nil
}

// rejects are the refused rows: line, field, value, reason, then the row as it stood.
func rejects(path string, columns []string) sheet {
	return sheet{what: "rejects", path: path, header: append([]string{"line", "field", "value", "reason"}, columns...)}
}

// reject writes a row down. It stands there once, whatever is wrong with it: put right, the file can be imported.
func (s *sheet) reject(row mapfile.Row, why []mapfile.Violation) error {
	var reasons []string
	for _, v := range why {
		text := v.Reason
		if len(why) > 1 && v.Field != "" {
			text = v.Field + ": " + text
		}
		reasons = append(reasons, text)
	}
	line := []string{strconv.Itoa(row.Line), why[0].Field, why[0].Value, strings.Join(reasons, "; ")}
	return s.line(append(line, row.Cells...))
}

// likes are the rows whose customers are like ones that were here: line, key, the customer here, what agrees, then
// the row as it stood; one line for each customer here.
func likes(path string, columns []string) sheet {
	return sheet{what: "likes", path: path, header: append([]string{"line", "key", "customer_here", "agrees"}, columns...)}
}

func (s *sheet) like(row mapfile.Row, key string, list []*branchlinev1.ImportLike) error {
	for _, l := range list {
		line := []string{strconv.Itoa(row.Line), key, l.GetRecord(), strings.Join(l.GetAgrees(), " ")}
		if err := s.line(append(line, row.Cells...)); err != nil {
			return err
		}
	}
	return nil
}
