package schema

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
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

// The dictionary lies in packs that were written with it, by its number only.
func TestDictionary_isTheShippedOne(t *testing.T) {
	const sum = "f113bc29a8f26173c31a6e673b6bed89543c3b53dfbb888a9292ae8ae04bdc40"
	if got := sha256.Sum256(dictionary); hex.EncodeToString(got[:]) != sum {
		t.Errorf("dictionary %d is another than was shipped (%x): a new one needs a new number", Dictionary, got)
	}
}

// bodiesOf are changes as the store writes them.
func bodiesOf(t *testing.T, n int) []Sealed {
	t.Helper()
	var out []Sealed
	chain := Hash{1, 2, 3}
	for i := range n {
		id := [16]byte{1, 0xa2, 1, 0xce, 0xd6, byte(i), 0x70, 0, 0x80, 9, 8, 7, 6, 5, 4, byte(i)}
		order := &branchlinev1.ServiceOrder{
			Customer: proto.String(RecordID(id).String()), Plate: proto.String("沪A12345"), Complaint: proto.String("刹车异响, noise at low speed"),
			OpenedAt: proto.Int64(1767596400000 + int64(i)), EstimateMinutes: proto.Int64(30),
		}
		m := proto.MarshalOptions{Deterministic: true}
		values, err := m.Marshal(order)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := m.Marshal(&wirev1.ChangeBody{At: uint64(1767596400000+i) << 16, Kind: 7, Record: id[:], Values: values, Actor: "u1", Create: true, Role: 3})
		if err != nil {
			t.Fatal(err)
		}
		s := Seal(ChangeID{"pd", 9, Seq(5 + i)}, chain, [16]byte{byte(i), 1}, payload)
		chain = s.Chain
		out = append(out, s)
	}
	return out
}

// Packs that were written once must be read for ever.
func TestPack_shippedBytesAreRead(t *testing.T) {
	_, first, now, c := packOf(t, 4)
	for _, p := range []struct {
		name    string
		changes []Sealed
	}{{"pack_v1", first}, {"pack_v2", bodiesOf(t, 6)}, {"pack_v2_small", bodiesOf(t, 1)}} {
		if p.name != "pack_v1" {
			var err error
			if now, err = c.Encode(PackHeader{Form: 2, Branch: "pd", Inc: 9, First: 5, Before: Hash{1, 2, 3}}, p.changes, func([]byte) ([]byte, error) { return make([]byte, 64), nil }); err != nil {
				t.Fatal(err)
			}
		}
		h, _, _, body, err := ParsePackHeader(shipped(t, p.name, now))
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Decode(h, body)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range p.changes {
			if got[i].ID != s.ID || got[i].Chain != s.Chain || !bytes.Equal(got[i].Payload, s.Payload) || got[i].Salt != s.Salt {
				t.Errorf("%s: change %d is read otherwise than it was written", p.name, i)
			}
		}
	}
}
