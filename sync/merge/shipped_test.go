package merge

import (
	"bytes"
	"encoding/hex"
	"flag"
	"os"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

var update = flag.Bool("update", false, "write shipped files that are not there yet; one that is there is never changed")

// States of both forms must be read for ever, and encode to the same bytes.
func TestState_shippedBytesAreRead(t *testing.T) {
	k := schema.KindOf(schema.Customer)
	values, err := proto.MarshalOptions{Deterministic: true}.Marshal(&branchlinev1.Customer{
		Name: proto.String("欧阳建国"), Phones: []*branchlinev1.Phone{{Number: proto.String("13900001234")}, {Number: proto.String("021-39844682")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	fresh, ok := EncodeFresh(schema.Stamp{At: 7 << 16, Branch: "pd", Inc: 9, Seq: 1}, &wirev1.ChangeBody{Values: values})
	if !ok {
		t.Fatal("not fresh")
	}
	a, err := Decode(fresh)
	if err != nil {
		t.Fatal(err)
	}
	later, err := proto.Marshal(&branchlinev1.Customer{Name: proto.String("欧阳建團")})
	if err != nil {
		t.Fatal(err)
	}
	b, err := FromChange(schema.Stamp{At: 8 << 16, Branch: "th", Inc: 11, Seq: 3}, &wirev1.ChangeBody{Values: later, Names: []*wirev1.Names{
		{Field: 2, Entries: []*wirev1.EntryName{{Branch: "pd", Incarnation: 9, Seq: 1}}},
		{Field: 4, Remove: true, Entries: []*wirev1.EntryName{{Branch: "pd", Incarnation: 9, Seq: 1, Ordinal: 1}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, now := range map[string][]byte{"fresh_v1": fresh, "general_v1": Join(a, b).Encode()} {
		path := "testdata/" + name + ".hex"
		if _, err := os.Stat(path); os.IsNotExist(err) && *update {
			if err := os.WriteFile(path, []byte(hex.EncodeToString(now)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		old, err := hex.DecodeString(string(bytes.TrimSpace(text)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := Decode(old)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(s.Encode(), old) || !bytes.Equal(now, old) {
			t.Errorf("%s: the same state is written otherwise now", name)
		}
		m, err := s.Message(k)
		if err != nil {
			t.Fatal(err)
		}
		if c := m.(*branchlinev1.Customer); name == "general_v1" && (c.GetName() != "欧阳建團" || len(c.GetPhones()) != 1) {
			t.Errorf("%s shows %v", name, c)
		}
	}
}
