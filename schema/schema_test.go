package schema

import (
	"bytes"
	"errors"
	"math/rand"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func TestIDs_riseAndRoundTrip(t *testing.T) {
	at := time.UnixMilli(1795305600123)
	ids := NewIDs(func() time.Time { return at }, rand.New(rand.NewSource(1)))
	var last RecordID
	for i := range 10000 {
		if i == 5000 {
			at = at.Add(-time.Hour)
		}
		id, err := ids.New()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Compare(id[:], last[:]) <= 0 {
			t.Fatalf("id %d does not rise", i)
		}
		if id[6]>>4 != 7 || id[8]>>6 != 2 {
			t.Fatalf("%x is no UUIDv7", id)
		}
		back, err := ParseRecordID(id.String())
		if err != nil || back != id || len(id.String()) != 26 {
			t.Fatalf("%s reads back as %s: %v", id, back, err)
		}
		last = id
	}
}

func TestParseRecordID_readsEveryFormAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("0129abhjkmnpqtvwxyzilouABZILO-é")), 25, 27, -1).Draw(t, "text")
		if rapid.Bool().Draw(t, "canonical") {
			text = RecordID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id")).String()
		}
		fast, err := ParseRecordID(text)
		slow, serr := typedID(text)
		if fast != slow || (err == nil) != (serr == nil) {
			t.Fatalf("%q is %s (%v) one way and %s (%v) the other", text, fast, err, slow, serr)
		}
	})
}

func TestParse_refusesOtherForms(t *testing.T) {
	for _, s := range []string{"", "PD", "1a", "p", "toolongcode", "p d"} {
		if _, err := ParseBranchID(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("branch %q: %v", s, err)
		}
	}
	for _, s := range []string{"pd/1", "pd/zz/0", "pd//1", "x/1/1/1"} {
		if _, err := ParseChangeID(s); !errors.Is(err, ErrInvalid) {
			t.Errorf("change %q: %v", s, err)
		}
	}
	c := ChangeID{"pd", 1 << 62, 42}
	if back, err := ParseChangeID(c.String()); err != nil || back != c {
		t.Errorf("%s reads back as %s: %v", c, back, err)
	}
}

func TestStamp_orderIsTotal(t *testing.T) {
	gen := rapid.Custom(func(t *rapid.T) Stamp {
		return Stamp{Tick(rapid.IntRange(0, 2).Draw(t, "at")), rapid.SampledFrom([]BranchID{"aa", "bb"}).Draw(t, "b"), Incarnation(rapid.IntRange(1, 2).Draw(t, "i")), Seq(rapid.IntRange(1, 2).Draw(t, "s"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := gen.Draw(t, "a"), gen.Draw(t, "b"), gen.Draw(t, "c")
		if a.Compare(b) != -b.Compare(a) || (a.Compare(b) == 0) != (a == b) {
			t.Fatal("not antisymmetric")
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Fatal("not transitive")
		}
	})
}

func TestBody_goesInAndOut(t *testing.T) {
	for _, k := range Kinds() {
		r := &branchlinev1.Record{}
		if err := SetBody(r, k.New()); err != nil {
			t.Fatalf("%s: %v: a kind needs its line in Record.body", k.Name, err)
		}
		got, _, err := BodyOf(r)
		if err != nil || got != k {
			t.Fatalf("%s comes back as %v: %v", k.Name, got, err)
		}
		if KindNamed(k.Name) != k || KindOfCollection(k.Collection) != k {
			t.Fatalf("%s is not found by its names", k.Name)
		}
	}
}

func TestValidate_namesTheField(t *testing.T) {
	err := Validate(&branchlinev1.Tie{Customer: proto.String("nobody"), From: proto.String("2026-02-30")})
	var fe *FieldsError
	if !errors.As(err, &fe) || len(fe.Violations) != 2 || !errors.Is(err, ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	if err := Validate(&branchlinev1.Customer{Phones: []*branchlinev1.Phone{{Number: proto.String("")}}}); !errors.Is(err, ErrInvalid) {
		t.Fatalf("an empty phone: %v", err)
	}
	if err := Validate(&branchlinev1.Customer{Name: proto.String("王芳"), Birthday: proto.String("1980-02-29")}); err != nil {
		t.Fatal(err)
	}
}

func packOf(t testing.TB, n int) (PackHeader, []Sealed, []byte, *PackCodec) {
	t.Helper()
	return packIn(t, 1, n)
}

func packIn(t testing.TB, form, n int) (PackHeader, []Sealed, []byte, *PackCodec) {
	t.Helper()
	c, err := NewPackCodec()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	before := Hash{1, 2, 3}
	chain := before
	var changes []Sealed
	for i := range n {
		s := Seal(ChangeID{"pd", 9, Seq(5 + i)}, chain, [16]byte{byte(i)}, bytes.Repeat([]byte{byte(i)}, 300))
		chain = s.Chain
		changes = append(changes, s)
	}
	h := PackHeader{Form: form, Branch: "pd", Inc: 9, First: 5, Before: before}
	b, err := c.Encode(h, changes, func([]byte) ([]byte, error) { return make([]byte, 64), nil })
	if err != nil {
		t.Fatal(err)
	}
	return h, changes, b, c
}

func TestPack_roundTripAndTampering(t *testing.T) {
	_, changes, b, c := packOf(t, 20)
	h, signed, sig, body, err := ParsePackHeader(b)
	if err != nil || h.Last() != 24 || len(sig) != 64 || len(signed)+64+len(body) != len(b) {
		t.Fatalf("header %+v: %v", h, err)
	}
	got, err := c.Decode(h, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i].ID != changes[i].ID || got[i].Chain != changes[i].Chain || !bytes.Equal(got[i].Payload, changes[i].Payload) {
			t.Fatalf("change %d differs", i)
		}
	}
	bad := h
	bad.Before[0]++
	if _, err := c.Decode(bad, body); !errors.Is(err, ErrInvalid) {
		t.Fatalf("a chain from elsewhere was taken: %v", err)
	}
	bad = h
	bad.Count--
	if _, err := c.Decode(bad, body); !errors.Is(err, ErrInvalid) {
		t.Fatalf("a pack with a change left over was taken: %v", err)
	}
}

func TestSealed_erasingKeepsTheChain(t *testing.T) {
	_, changes, _, c := packOf(t, 3)
	changes[1].Payload, changes[1].Salt = nil, [16]byte{}
	b, err := c.Encode(PackHeader{Branch: "pd", Inc: 9, First: 5, Before: Hash{1, 2, 3}}, changes, func([]byte) ([]byte, error) { return make([]byte, 64), nil })
	if err != nil {
		t.Fatal(err)
	}
	h, _, _, body, err := ParsePackHeader(b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Decode(h, body)
	if err != nil {
		t.Fatal(err)
	}
	if !got[1].Erased() || got[2].Chain != changes[2].Chain {
		t.Fatal("the chain broke at the erased change")
	}
	if _, err := got[1].Body(); !errors.Is(err, ErrNotFound) {
		t.Fatalf("an erased change has a body: %v", err)
	}
}

func FuzzPack(f *testing.F) {
	for form := 1; form <= PackForm; form++ {
		_, _, b, _ := packIn(f, form, 3)
		f.Add(b)
		_, _, b, _ = packIn(f, form, 12)
		f.Add(b)
	}
	f.Add([]byte("BL\x01\x02pd"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := NewPackCodec()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		h, _, _, body, err := ParsePackHeader(b)
		if err != nil {
			return
		}
		if got, err := c.Decode(h, body); err == nil && (len(got) != h.Count || h.Form == 1 && got[len(got)-1].Chain != h.After) {
			t.Fatal("a pack was read otherwise than its header says")
		}
	})
}
