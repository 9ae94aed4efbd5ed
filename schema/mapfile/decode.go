package mapfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"branchline/schema"
)

// source is an open file as UTF-8 text without a mark.
type source struct {
	io.Reader
	file  fs.File
	read  *int64 // raw bytes read so far
	size  int64
	named string // the encoding found or given
}

func (s *source) Close() error { return s.file.Close() }

type counted struct {
	r io.Reader
	n *int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}

// openText opens a file of the named encoding. For "auto": a mark decides; else the whole file is
// looked through, and is UTF-8 if it is valid as such, GB18030 otherwise.
func openText(fsys fs.FS, name, encoding string) (*source, error) {
	if encoding == "auto" {
		var err error
		if encoding, err = detect(fsys, name); err != nil {
			return nil, err
		}
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, missing(name, err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	if st.IsDir() {
		return nil, errors.Join(schema.Invalid("", "%s is a folder, not a CSV file", name), f.Close())
	}
	s := &source{file: f, read: new(int64), size: st.Size(), named: encoding}
	r := io.Reader(counted{f, s.read})
	switch encoding {
	case "gb18030":
		r = transform.NewReader(r, simplifiedchinese.GB18030.NewDecoder())
	case "utf-16":
		r = transform.NewReader(r, unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder())
	default:
		br := bufio.NewReaderSize(r, 64<<10)
		if b, err := br.Peek(3); err == nil && bytes.Equal(b, utf8Mark) {
			if _, err := br.Discard(3); err != nil {
				return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
			}
		}
		r = br
	}
	s.Reader = r
	return s, nil
}

var utf8Mark = []byte{0xEF, 0xBB, 0xBF}

func detect(fsys fs.FS, name string) (enc string, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return "", missing(name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	br := bufio.NewReaderSize(f, 256<<10)
	if b, err := br.Peek(3); err == nil && bytes.Equal(b, utf8Mark) {
		return "utf-8", nil
	}
	if b, err := br.Peek(2); err == nil && (b[0] == 0xFF && b[1] == 0xFE || b[0] == 0xFE && b[1] == 0xFF) {
		return "utf-16", nil
	}
	var tail []byte // a rune cut by the end of a block
	buf := make([]byte, 256<<10)
	for {
		n, err := br.Read(buf[copy(buf, tail):])
		b := buf[:len(tail)+n]
		whole := wholeRunes(b)
		if !utf8.Valid(b[:whole]) {
			return "gb18030", nil
		}
		tail = bytes.Clone(b[whole:])
		if errors.Is(err, io.EOF) {
			if len(tail) > 0 {
				return "gb18030", nil
			}
			return "utf-8", nil
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
}

// wholeRunes is the length of b without a last rune that is cut off.
func wholeRunes(b []byte) int {
	for i := len(b) - 1; i >= 0 && i > len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			return len(b)
		}
	}
	return len(b)
}

func missing(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", name, schema.ErrNotFound)
	}
	return fmt.Errorf("%s: %w", name, err)
}
