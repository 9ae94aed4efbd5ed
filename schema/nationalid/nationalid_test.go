package nationalid

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"branchline/schema"
)

func TestParse_readsWhatPeopleWrite(t *testing.T) {
	key := []byte("k")
	hash := func(text string) []byte {
		t.Helper()
		id, err := Parse(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		return id.Hash(key)
	}
	// The sample number of GB 11643-1999.
	want := hash("11010519491231002X")
	for _, same := range []string{" 110105 19491231 002x ", "１１０１０５１９４９１２３１００２Ｘ", "110105-491231-002"} {
		if !bytes.Equal(hash(same), want) {
			t.Errorf("%q is another", same)
		}
	}
	if bytes.Equal(hash("E12345678"), hash("E12345679")) || len(want) != 32 {
		t.Error("two passports are one")
	}
	for _, bad := range []string{"", "12345", "110105194912310021", "1101051949123100２１0无", strings.Repeat("1", 21), "11010519491231002X; DROP"} {
		if _, err := Parse(bad); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestID_isNotPrinted(t *testing.T) {
	id, err := Parse("11010519491231002X")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if s := fmt.Sprintf(f, id); strings.Contains(s, "1949") {
			t.Errorf("%s prints %s", f, s)
		}
	}
	if id.Last() != "002X" {
		t.Error(id.Last())
	}
	if !bytes.Equal(id.Hash([]byte("a")), id.Hash([]byte("a"))) || bytes.Equal(id.Hash([]byte("a")), id.Hash([]byte("b"))) {
		t.Error("the hash is not the key's")
	}
}
