package schema

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// anyBody draws the payload of a change: mostly as the store writes them, at times anything at all.
func anyBody(t *rapid.T) []byte {
	if rapid.IntRange(0, 5).Draw(t, "what") == 0 {
		return rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes")
	}
	id := func(name string) []byte { return rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, name) }
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[0-9a-hjkmnp-tv-z]{26}`), rapid.StringMatching(`[ a-z]{80,120}`))
	order := &branchlinev1.ServiceOrder{
		Customer: proto.String(RecordID(id("customer")).String()), Complaint: proto.String(text.Draw(t, "complaint")),
		Vin: proto.String(rapid.StringMatching(`[A-Z0-9]{17}`).Draw(t, "vin")), OpenedAt: proto.Int64(rapid.Int64().Draw(t, "opened")),
		SourceIds: []*branchlinev1.SourceId{{Source: proto.String("s"), Id: proto.String(text.Draw(t, "source"))}},
	}
	values, err := proto.MarshalOptions{Deterministic: true}.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	b, err := proto.Marshal(&wirev1.ChangeBody{
		At: rapid.Uint64().Draw(t, "at"), Kind: rapid.Uint32().Draw(t, "kind"), Record: id("record"), Values: values, Actor: text.Draw(t, "actor"), Create: true,
		Names: []*wirev1.Names{{Field: 1, Entries: []*wirev1.EntryName{{At: rapid.Uint64().Draw(t, "named"), Branch: "pd", Incarnation: 7, Seq: 1}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever is in the changes, the very same bytes come out again.
func TestPack_columnsGiveBackEveryByte(t *testing.T) {
	c, err := NewPackCodec()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		before := Hash{1}
		chain := before
		var changes []Sealed
		for i := range n {
			s := Seal(ChangeID{"pd", 9, Seq(5 + i)}, chain, [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "salt")), anyBody(t))
			if rapid.IntRange(0, 9).Draw(t, "erased") == 0 {
				s.Payload, s.Salt = nil, [16]byte{}
			}
			chain = s.Chain
			changes = append(changes, s)
		}
		var signed []byte
		b, err := c.Encode(PackHeader{Form: 2, Branch: "pd", Inc: 9, First: 5, Gen: 1 << 31, Before: before}, changes, func(m []byte) ([]byte, error) {
			signed = bytes.Clone(m)
			return make([]byte, 64), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		h, header, _, body, err := ParsePackHeader(b)
		if err != nil || h.Form != 2 || h.Gen != 1<<31 || h.First != 5 || h.Count != n || h.Before != before {
			t.Fatalf("header %+v: %v", h, err)
		}
		got, err := c.Decode(h, body)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range changes {
			if g := got[i]; g.ID != s.ID || g.Chain != s.Chain || g.Salt != s.Salt || !bytes.Equal(g.Payload, s.Payload) || g.Erased() != s.Erased() {
				t.Fatalf("change %d of %d differs:\n%x\n%x", i, n, s.Payload, g.Payload)
			}
		}
		h.After = got[n-1].Chain
		if !bytes.Equal(h.Signed(header), signed) {
			t.Fatal("what was signed is not what is checked")
		}
		for range 8 { // what has been touched on the way is refused, or reads as another chain
			bad := bytes.Clone(body)
			bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			if got, err := c.Decode(h, bad); err == nil && got[n-1].Chain == h.After {
				for i, s := range changes {
					if !bytes.Equal(got[i].Payload, s.Payload) {
						t.Fatal("other changes with the same chain")
					}
				}
			}
		}
	})
}
