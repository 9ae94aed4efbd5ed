package enrol

import (
	"errors"
	"strings"
	"testing"

	"branchline/schema"
)

func TestToken_RoundTrip(t *testing.T) {
	for _, at := range []string{"https://hq.example:8480", "http://127.0.0.1:8480", "http://[::1]:1", "http://localhost:80"} {
		tok := &Token{URL: at, CA: [32]byte{7, 8}, ID: "abc-_123", Secret: []byte("0123456789abcdef")}
		if err := tok.Check(); err != nil {
			t.Fatal(err)
		}
		text := tok.String()
		got, err := Parse(" " + text[:20] + "\n" + text[20:] + "\n")
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != text || got.URL != at || got.CA != tok.CA || got.ID != tok.ID {
			t.Errorf("%s: read back as %+v", at, got)
		}
	}
}

func TestToken_Refusals(t *testing.T) {
	tok := &Token{URL: "https://hq.example", ID: "abcdef", Secret: make([]byte, 16)}
	good := tok.String()
	for _, bad := range []string{"", "hello", good[:len(good)-1], good[:40], strings.Replace(good, good[10:11], "~", 1), good + "AA", "bl2-" + good[4:]} {
		_, err := Parse(bad)
		if !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
		if err != nil && len(bad) > 10 && strings.Contains(err.Error(), good[8:20]) {
			t.Errorf("the error quotes the token: %v", err)
		}
	}
	if err := (&Token{URL: "https://hq", ID: strings.Repeat("x", 41), Secret: make([]byte, 16)}).Check(); !errors.Is(err, schema.ErrInvalid) {
		t.Errorf("a long id: %v", err)
	}
	for _, at := range []string{"http://hq.example", "ftp://hq", "hq", "https://u:p@hq", "https://hq/x", "https://hq?x=1"} {
		if err := (&Token{URL: at, ID: "x", Secret: make([]byte, 16)}).Check(); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%s: %v", at, err)
		}
	}
}
