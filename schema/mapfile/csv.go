package mapfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Limits of what is read. A change may have 200 KiB, so a longer row could not be saved anyhow.
const (
	MaxRow     = 256 << 10 // bytes of one row
	MaxField   = 64 << 10  // bytes of one cell
	MaxColumns = 1000
	MaxRows    = 5_000_000
)

// brokenRow is a row that cannot be cut into cells. Reading goes on after it.
type brokenRow struct {
	line   int
	raw    string
	reason string
}

func (e *brokenRow) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.reason) }

// line is one line without its end; long tells that it was cut.
type line struct {
	text []byte
	long bool
}

// scanner cuts UTF-8 text into rows (RFC 4180). Unlike encoding/csv it bounds what a row may hold,
// and a quote that is never closed costs its own line, not the rest of the file.
type scanner struct {
	br    *bufio.Reader
	sep   byte
	line  int    // of the last line taken
	queue []line // lines put back
	eof   bool
}

func newScanner(r io.Reader, sep byte) *scanner {
	return &scanner{br: bufio.NewReaderSize(r, 64<<10), sep: sep}
}

var errLong = errors.New("too long")

// take gives the next line without its end; a longer one than MaxRow is read to its end and cut.
func (s *scanner) take() ([]byte, error) {
	if n := len(s.queue); n > 0 {
		l := s.queue[0]
		s.queue = s.queue[1:]
		s.line++
		if l.long {
			return l.text, errLong
		}
		return l.text, nil
	}
	if s.eof {
		return nil, io.EOF
	}
	var l []byte
	long := false
	for {
		part, err := s.br.ReadSlice('\n')
		if long = long || len(l)+len(part) > MaxRow+2; !long {
			l = append(l, part...)
		}
		switch {
		case err == nil:
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			s.eof = true
			if len(l) == 0 && !long {
				return nil, io.EOF
			}
		default:
			return nil, err
		}
		s.line++
		if long {
			return l, errLong
		}
		l = bytes.TrimSuffix(l, []byte("\n"))
		return bytes.TrimSuffix(l, []byte("\r")), nil
	}
}

// next gives the cells of the next row that is not blank, and the line it began on. io.EOF at the
// end; *brokenRow for a row that is no row.
func (s *scanner) next() ([]string, int, error) {
	for {
		first, err := s.take()
		if errors.Is(err, errLong) {
			return nil, s.line, &brokenRow{s.line, clipped(first), fmt.Sprintf("the row is longer than %d bytes", MaxRow)}
		}
		if err != nil {
			return nil, s.line, err
		}
		if len(first) == 0 {
			continue
		}
		return s.row(first)
	}
}

func (s *scanner) row(first []byte) ([]string, int, error) {
	start := s.line
	text := first
	var more []line
	giveUp := func(reason string) error {
		// Only the first line is lost; the others are read again as rows of their own.
		s.queue = append(more, s.queue...)
		s.line = start
		return &brokenRow{start, clipped(first), reason}
	}
	for {
		cells, open, reason := s.cut(text)
		if reason != "" {
			return nil, start, giveUp(reason)
		}
		if !open {
			return cells, start, nil
		}
		// Within quotes: lines without a quote cannot end the row.
		for {
			l, err := s.take()
			if errors.Is(err, io.EOF) {
				return nil, start, giveUp("a quote is opened and never closed")
			}
			if err != nil && !errors.Is(err, errLong) {
				return nil, start, err
			}
			more = append(more, line{l, err != nil})
			text = append(append(text[:len(text):len(text)], '\n'), l...)
			if err != nil || len(text) > MaxRow {
				return nil, start, giveUp(fmt.Sprintf("a quote is opened and not closed within %d bytes", MaxRow))
			}
			if bytes.IndexByte(l, '"') >= 0 {
				break
			}
		}
	}
}

// cut splits one row; open tells that it ends within quotes.
func (s *scanner) cut(text []byte) (cells []string, open bool, reason string) {
	if !utf8.Valid(text) {
		return nil, false, "the row is not valid UTF-8: say encoding in the map"
	}
	for i := 0; ; {
		var cell string
		if i < len(text) && text[i] == '"' {
			var b strings.Builder
			i++
			for {
				j := bytes.IndexByte(text[i:], '"')
				if j < 0 {
					return nil, true, ""
				}
				b.Write(text[i : i+j])
				i += j + 1
				if i < len(text) && text[i] == '"' {
					b.WriteByte('"')
					i++
					continue
				}
				break
			}
			cell = b.String()
			if i < len(text) && text[i] != s.sep {
				return nil, false, fmt.Sprintf("cell %d: text after the closing quote", len(cells)+1)
			}
		} else {
			j := bytes.IndexByte(text[i:], s.sep)
			if j < 0 {
				j = len(text) - i
			}
			cell = string(text[i : i+j])
			i += j
		}
		if len(cell) > MaxField {
			return nil, false, fmt.Sprintf("cell %d is longer than %d bytes", len(cells)+1, MaxField)
		}
		cells = append(cells, cell)
		if len(cells) > MaxColumns {
			return nil, false, fmt.Sprintf("the row has more than %d cells", MaxColumns)
		}
		if i >= len(text) {
			return cells, false, ""
		}
		i++ // the separator
		if i == len(text) {
			return append(cells, ""), false, ""
		}
	}
}

func clipped(b []byte) string {
	const most = 2000
	if len(b) > most {
		return strings.ToValidUTF8(string(b[:most]), "�") + "…"
	}
	return strings.ToValidUTF8(string(b), "�")
}
