package schema

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write shipped files that are not there yet; one that is there is never changed")

// shipped reads bytes that a released program may have written; with -update it
// writes them once.
func shipped(t *testing.T, name string, now []byte) []byte {
	t.Helper()
	path := "testdata/" + name + ".hex"
	old, err := os.ReadFile(path)
	if os.IsNotExist(err) && *update {
		if err := os.WriteFile(path, []byte(hex.EncodeToString(now)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return now
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(string(bytes.TrimSpace(old)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Packs of version 1 must be read for ever.
func TestPack_shippedBytesAreRead(t *testing.T) {
	_, changes, now, c := packOf(t, 4)
	b := shipped(t, "pack_v1", now)
	h, _, _, body, err := ParsePackHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Decode(h, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := range changes {
		if got[i].ID != changes[i].ID || got[i].Chain != changes[i].Chain || !bytes.Equal(got[i].Payload, changes[i].Payload) || got[i].Salt != changes[i].Salt {
			t.Errorf("change %d is read otherwise than it was written", i)
		}
	}
}
