package known

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"branchline/schema"
)

var key = []byte("0123456789abcdef0123456789abcdef")

func open(t testing.TB, b []byte) *Filter {
	t.Helper()
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func has(t testing.TB, f *Filter, s Sort, m Mark) bool {
	t.Helper()
	ok, err := f.Has(s, m)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// Whatever was added is found, in whatever order and however often it was, and the bytes are the same.
func TestFilter_holdsWhatWasAdded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		// Near to each other and far: a block may be full, and many empty.
		mark := rapid.OneOf(rapid.Uint32(), rapid.Uint32Range(1<<31, 1<<31+1<<12), rapid.SampledFrom([]uint32{0, 1, 1<<32 - 1}))
		in := map[Sort][]uint32{}
		b := NewBuilder(key)
		for s := Mobile; int(s) <= sorts; s++ {
			in[s] = rapid.SliceOfN(mark, 0, 600).Draw(rt, Thing{Sort: s}.String())
			for _, m := range in[s] {
				b.Add(s, Mark(m))
			}
		}
		raw := b.Bytes()
		again := NewBuilder(key)
		for s, list := range in {
			list = slices.Clone(list)
			slices.Reverse(list)
			for _, m := range append(list, list...) {
				again.Add(s, Mark(m))
			}
		}
		if !bytes.Equal(raw, again.Bytes()) {
			rt.Fatal("the same set gave other bytes")
		}
		f := open(t, raw)
		for s, list := range in {
			g := f.Figures()[s-1]
			places := map[uint32]bool{}
			for _, m := range list {
				places[m>>(32-g.Bits)] = true
				if !has(t, f, s, Mark(m)) {
					rt.Fatalf("%v: %d is missing", s, m)
				}
			}
			if len(places) != g.Places {
				rt.Fatalf("%d places, of %d", g.Places, len(places))
			}
			for range 200 {
				m := mark.Draw(rt, "other")
				if has(t, f, s, Mark(m)) != places[m>>(32-g.Bits)] {
					rt.Fatalf("%v: %d is said to be in it", s, m)
				}
			}
		}
	})
}

// Two versions of a filter laid side by side tell no more than the later one: what
// the earlier one hits the later hits too.
func TestFilter_versionsDoNotTellMoreThanOne(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2))
	b := NewBuilder(key)
	for range 100_000 {
		b.Add(Mobile, Mark(r.Uint32()))
	}
	before := open(t, b.Bytes())
	for range 10_000 {
		b.Add(Mobile, Mark(r.Uint32()))
	}
	after := open(t, b.Bytes())
	hits := 0
	for range 300_000 {
		if m := Mark(r.Uint32()); has(t, before, Mobile, m) {
			hits++
			if !has(t, after, Mobile, m) {
				t.Fatalf("%d was a false hit of one version only", m)
			}
		}
	}
	if hits < 300 {
		t.Errorf("only %d false hits were looked at", hits)
	}
}

func TestWidth_keepsTheCover(t *testing.T) {
	for s := Mobile; int(s) <= sorts; s++ {
		before := maxWidth
		for n := uint64(1); n < 40_000_000; n = n*5/4 + 1 {
			w := width(s, n)
			if w > before {
				t.Errorf("%v: %d things have wider places than fewer had", Thing{Sort: s}, n)
			}
			if before = w; w == 0 {
				if n < s.World()/60 {
					t.Errorf("%v: nothing is said of %d things", Thing{Sort: s}, n)
				}
				continue
			}
			// The fewest places n things can be expected to take.
			places := math.Ceil(float64(n) * (1 - float64(n)/float64(uint64(2)<<w)))
			g := Figures{Sort: s, Members: int(n), Places: int(places), Bits: w}
			if g.FalsePerTrue() < Cover-0.001 {
				t.Errorf("%v: %d things in %d bits: %.2f false hits for each true one", Thing{Sort: s}, n, w, g.FalsePerTrue())
			}
		}
	}
	if w := width(ID, 1_000_000_000); w != 0 {
		t.Errorf("a filter of everybody keeps %d bits", w)
	}
}

// group is a group of n customers.
func group(n int) (*Builder, *Marker, func(Sort) Thing) {
	r := rand.New(rand.NewPCG(7, 9))
	heads := []string{"13", "15", "17", "18", "19"}
	thing := func(s Sort) Thing {
		switch s {
		case Mobile:
			return Thing{s, fmt.Sprintf("%s%09d", heads[r.IntN(len(heads))], r.IntN(1e9))}
		case Landline:
			return Thing{s, fmt.Sprintf("%08d", 20_000_000+r.IntN(70_000_000))}
		case ID:
			return Thing{s, fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())}
		}
		return Thing{s, fmt.Sprintf("LSVA%05dE2%06d", r.IntN(1e5), r.IntN(1e6))}
	}
	b, m := NewBuilder(key), NewMarker(key)
	for i := range n {
		for j, of20 := range []int{21, 1, 12, 24} { // of twenty customers: mobiles, landlines, ids, cars
			s := Mobile + Sort(j)
			for k := of20; k > 0; k -= 20 {
				if k >= 20 || i%20 < k {
					b.Add(s, m.Mark(thing(s)))
				}
			}
		}
	}
	return b, m, thing
}

// The figures the README states, at a group of a million customers.
func TestFilter_ofAMillionCustomers(t *testing.T) {
	b, m, thing := group(1_000_000)
	raw := b.Bytes()
	if got := len(raw); got > 3<<20 {
		t.Errorf("%d bytes", got)
	}
	path := filepath.Join(t.TempDir(), "filter")
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f, err := Open(file, int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes for 1,000,000 customers", len(raw))
	for _, g := range f.Figures() {
		const tries = 60_000
		hits := 0
		for range tries {
			if has(t, f, g.Sort, m.Mark(thing(g.Sort))) { // of 60,000 strangers a handful is a member by chance
				hits++
			}
		}
		rate := float64(hits) / tries
		cover := rate*float64(g.Sort.World())/float64(g.Members) - 1
		t.Logf("%-8v %7d members in %d bits, %7d bytes: %.2f %% false alarms (%.2f %% by count), %.1f false hits for each true one (%.1f by count)",
			Thing{Sort: g.Sort}, g.Members, g.Bits, g.Bytes, 100*rate, 100*g.Rate(), cover, g.FalsePerTrue())
		if g.FalsePerTrue() < Cover {
			t.Errorf("%v: %.2f false hits for each true one", Thing{Sort: g.Sort}, g.FalsePerTrue())
		}
		if d := rate - g.Rate(); d > 0.005 || d < -0.005 {
			t.Errorf("%v: %.4f of strangers are taken for members, by count %.4f", Thing{Sort: g.Sort}, rate, g.Rate())
		}
		if limit := 0.08; rate > limit {
			t.Errorf("%v: every %.0fth stranger is taken for a member", Thing{Sort: g.Sort}, 1/rate)
		}
	}
}

func TestThings_areTheSameHoweverWritten(t *testing.T) {
	for _, x := range []struct {
		field string
		want  []Thing
	}{
		{"138 0013 8001", []Thing{{Mobile, "13800138001"}}},
		{"+86-13800138001 / 021-39844682转729", []Thing{{Mobile, "13800138001"}, {Landline, "39844682"}}},
		{"１３８００１３８００１", []Thing{{Mobile, "13800138001"}}},
		{"39844682", []Thing{{Landline, "39844682"}}},
		{"+852 3917 6440", []Thing{{Landline, "39176440"}}},
		{"+1 650 253 0000", []Thing{{Mobile, "+16502530000"}}},
		{"400-820-8820", nil},
		{"13888888888", nil},
		{"0571-8765432", nil}, // seven digits: of a hundred towns
		{"无", nil},
	} {
		if got := Phones(x.field); !slices.Equal(got, x.want) {
			t.Errorf("%q: %v", x.field, got)
		}
	}
	if a, b := VINs("lsvaa4187e2184847"), VINs("LSVAA 4187 E218 4847"); len(a) != 1 || !slices.Equal(a, b) {
		t.Errorf("%v, %v", a, b)
	}
	if VINs("184847") != nil || IDs(nil) != nil || len(IDs(make([]byte, 32))) != 1 {
		t.Error("what is no whole thing counts")
	}
	if s := fmt.Sprintf("%v %+v %#v", Phones("13800138001"), Phones("13800138001"), Phones("13800138001")[0]); bytes.Contains([]byte(s), []byte("138001")) {
		t.Errorf("a number is printed: %s", s)
	}
}

func TestMark_isOfItsKeyAndSort(t *testing.T) {
	m, other := NewMarker(key), NewMarker([]byte("another"))
	x := Thing{Mobile, "13800138001"}
	if m.Mark(x) == other.Mark(x) || m.Mark(x) == m.Mark(Thing{ID, x.Form}) || m.Mark(x) != NewMarker(key).Mark(x) {
		t.Error("a mark is not its key's and sort's")
	}
	f := open(t, NewBuilder(key).Bytes())
	if !f.Of(m) || f.Of(other) {
		t.Error("a filter does not know its key")
	}
	// Filters once given out must go on answering: the mark is for ever.
	if got := m.Mark(x); got != shippedMark {
		t.Errorf("mark %#x, shipped %#x", got, shippedMark)
	}
}

// A filter of version 1 lies at branches, and must be read for ever.
func TestOpen_readsShippedBytes(t *testing.T) {
	const path = "testdata/filter_v1.hex"
	b, m, thing := group(40)
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) && *update {
		text = []byte(hex.EncodeToString(b.Bytes()) + "\n")
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, raw)
	if !f.Of(m) {
		t.Error("it is of another key")
	}
	for s, marks := range b.marks {
		for _, x := range marks {
			if !has(t, f, Sort(s), x) {
				t.Errorf("%v: %d is missing", Thing{Sort: Sort(s)}, x)
			}
		}
	}
	if x := thing(Mobile); has(t, f, Mobile, m.Mark(x)) {
		t.Error("a stranger is in it")
	}
	if !bytes.Equal(raw, b.Bytes()) {
		t.Error("the same set makes other bytes than it did: branches would fetch it anew, and an older program may not read it")
	}
}

var update = flag.Bool("update", false, "write shipped files that are not there yet; one that is there is never changed")

func TestOpen_refusesWhatIsNone(t *testing.T) {
	b, _, _ := group(500)
	good := b.Bytes()
	open(t, good)
	change := func(at int, v byte) []byte {
		out := slices.Clone(good)
		out[at] = v
		return out
	}
	huge := slices.Clone(good)
	binary.BigEndian.PutUint32(huge[headSize+12:], 1<<31)
	for name, raw := range map[string][]byte{
		"nothing": nil, "cut": good[:len(good)-1], "longer": append(slices.Clone(good), 0), "magic": change(0, 'x'), "version": change(4, 9),
		"form": change(5, Form+1), "sections": change(6, 33), "width": change(headSize+1, 40), "prefix": change(headSize+2, 30),
		"twice": change(headSize+sectionSize, 1), "huge": huge,
	} {
		if _, err := Open(bytes.NewReader(raw), int64(len(raw))); !errors.Is(err, schema.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzFilter(f *testing.F) {
	b, _, _ := group(300)
	f.Add(b.Bytes(), uint32(1), byte(1))
	f.Add(NewBuilder(key).Bytes(), uint32(1<<31), byte(4))
	f.Fuzz(func(t *testing.T, raw []byte, mark uint32, s byte) {
		x, err := Open(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		for i := range uint32(64) {
			if _, err := x.Has(Sort(s), Mark(mark+i<<26)); err != nil && !errors.Is(err, schema.ErrInvalid) {
				t.Fatal(err) // reading within its size cannot fail
			}
		}
		x.Figures()
	})
}

func BenchmarkHas(b *testing.B) {
	set, m, thing := group(1_000_000)
	f := open(b, set.Bytes())
	x := thing(Mobile)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Has(Mobile, m.Mark(x)); err != nil {
			b.Fatal(err)
		}
	}
}

const shippedMark Mark = 0xfcf84b76
