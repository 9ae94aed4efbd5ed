package merge

import (
	"bytes"
	"fmt"
	"math/rand"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

func TestKinds_everyFieldStatesAFittingRule(t *testing.T) {
	if len(schema.Kinds()) < 10 {
		t.Fatalf("only %d kinds", len(schema.Kinds()))
	}
	for _, k := range schema.Kinds() {
		if k.Collection == "" || k.Write == optionsv1.Write_WRITE_UNSPECIFIED {
			t.Errorf("%s states no collection or no writer", k.Name)
		}
		for _, f := range k.Fields {
			if err := fitsRule(f); err != nil {
				t.Errorf("%s.%s %v", k.Name, f.Name, err)
			}
			if f.Desc.IsPacked() {
				t.Errorf("%s.%s is packed: its values would be one entry", k.Name, f.Name)
			}
			if f.Ref != 0 && (schema.KindOf(f.Ref) == nil || f.Desc.Kind() != protoreflect.StringKind) {
				t.Errorf("%s.%s refers to no kind", k.Name, f.Name)
			}
		}
	}
}

func TestFitsRule_catchesUnfitting(t *testing.T) {
	name := *schema.KindOf(schema.Customer).Field("name")
	for _, m := range []optionsv1.Merge{optionsv1.Merge_MERGE_UNSPECIFIED, optionsv1.Merge_MAX, optionsv1.Merge_UNION, optionsv1.Merge_DENY_WINS} {
		name.Merge = m
		if fitsRule(&name) == nil {
			t.Errorf("a text field may be %s", m)
		}
	}
}

// change is one edit of a simulated history.
type change struct {
	stamp schema.Stamp
	body  *wirev1.ChangeBody
}

func name(e Entry) *wirev1.EntryName {
	return &wirev1.EntryName{At: uint64(e.Stamp.At), Branch: string(e.Stamp.Branch), Incarnation: int64(e.Stamp.Inc), Seq: int64(e.Stamp.Seq), Ordinal: e.Ord}
}

// history draws changes of one customer made at several branches, each of which
// has seen some of the others' changes and names what it saw.
func history(t *rapid.T) []change {
	k := schema.KindOf(schema.Customer)
	branches := []schema.BranchID{"pd", "hq1", "th"}
	seen := map[schema.BranchID]*State{}
	seqs := map[schema.BranchID]schema.Seq{}
	last := map[schema.BranchID]schema.Tick{}
	var out []change
	for i := range rapid.IntRange(1, 14).Draw(t, "changes") {
		b := rapid.SampledFrom(branches).Draw(t, "branch")
		if len(out) > 0 && rapid.Bool().Draw(t, "hears") {
			c := out[rapid.IntRange(0, len(out)-1).Draw(t, "of")]
			s, err := FromChange(c.stamp, c.body)
			if err != nil {
				t.Fatal(err)
			}
			seen[b] = Join(seen[b], s)
		}
		at := max(last[b]+1, schema.Tick(rapid.IntRange(1, 40).Draw(t, "clock")))
		m := &branchlinev1.Customer{}
		var names []*wirev1.Names
		for _, f := range []string{"name", "phones", "consent_marketing", "type"} {
			if !rapid.Bool().Draw(t, f) {
				continue
			}
			fi := k.Field(f)
			n := &wirev1.Names{Field: uint32(fi.Number)}
			for _, sh := range seen[b].Shown(k) {
				if sh.Field != fi || fi.Merge == optionsv1.Merge_UNION && !rapid.Bool().Draw(t, "replaces") {
					continue
				}
				for _, e := range sh.Names() {
					n.Entries = append(n.Entries, name(e))
					at = max(at, e.Stamp.At+1)
				}
			}
			switch f {
			case "name":
				m.Name = proto.String(fmt.Sprintf("王%d", i))
			case "phones":
				if rapid.Bool().Draw(t, "removes") {
					n.Remove = true
				} else {
					m.Phones = append(m.Phones, &branchlinev1.Phone{Number: proto.String(fmt.Sprintf("1380000%d", rapid.IntRange(0, 2).Draw(t, "number")))})
				}
			case "consent_marketing":
				m.ConsentMarketing = &branchlinev1.Consent{Given: proto.Bool(rapid.Bool().Draw(t, "given"))}
			case "type":
				m.Type = branchlinev1.CustomerType_PERSON.Enum()
			}
			if len(n.Entries) > 0 || n.Remove {
				names = append(names, n)
			}
		}
		values, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		seqs[b]++
		last[b] = at
		c := change{
			schema.Stamp{At: at, Branch: b, Inc: 5, Seq: seqs[b]},
			&wirev1.ChangeBody{At: uint64(at), Kind: uint32(k.Kind), Values: values, Names: names},
		}
		s, err := FromChange(c.stamp, c.body)
		if err != nil {
			t.Fatal(err)
		}
		seen[b] = Join(seen[b], s)
		out = append(out, c)
	}
	return out
}

func joinAll(t interface{ Fatal(...any) }, cs []change, order []int) *State {
	s := new(State)
	for _, i := range order {
		c, err := FromChange(cs[i].stamp, cs[i].body)
		if err != nil {
			t.Fatal(err)
		}
		s = Join(s, c)
	}
	return s
}

func TestJoin_anyOrderAndDuplicationGiveTheSameBytes(t *testing.T) {
	k := schema.KindOf(schema.Customer)
	rapid.Check(t, func(t *rapid.T) {
		cs := history(t)
		order := make([]int, len(cs))
		for i := range order {
			order[i] = i
		}
		want := joinAll(t, cs, order)
		r := rand.New(rand.NewSource(rapid.Int64().Draw(t, "shuffle")))
		r.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for range r.Intn(6) {
			order = append(order, order[r.Intn(len(order))])
		}
		got := joinAll(t, cs, order)
		if !bytes.Equal(want.Encode(), got.Encode()) {
			t.Fatalf("order %v differs", order)
		}
		if !bytes.Equal(want.Fold(k), got.Fold(k)) {
			t.Fatal("shown values differ")
		}
		// Associative: split anywhere, join the halves, either way round.
		cut := r.Intn(len(order) + 1)
		a, b := joinAll(t, cs, order[:cut]), joinAll(t, cs, order[cut:])
		if !bytes.Equal(Join(b, a).Encode(), want.Encode()) || !bytes.Equal(Join(a, Join(b, a)).Encode(), want.Encode()) {
			t.Fatal("halves joined differ")
		}
		back, err := Decode(want.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.Encode(), want.Encode()) || !bytes.Equal(back.Fold(k), want.Fold(k)) {
			t.Fatal("decoding changes the state")
		}
	})
}

func TestJoin_anEditIsShownUntilSomebodyWhoSawItReplacesIt(t *testing.T) {
	k := schema.KindOf(schema.Customer)
	rapid.Check(t, func(t *rapid.T) {
		cs := history(t)
		order := make([]int, len(cs))
		for i := range order {
			order[i] = i
		}
		s := joinAll(t, cs, order)
		named := map[Place]bool{}
		for _, c := range cs {
			x, err := FromChange(c.stamp, c.body)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range x.Numbers() {
				for _, e := range x.Entries(f) {
					for _, p := range e.Names {
						named[Place{p.Branch, p.Inc, p.Seq, uint32(f)<<8 | p.Ord}] = true
					}
				}
			}
		}
		kept := map[Place]bool{}
		for _, sh := range s.Shown(k) {
			for _, e := range sh.Names() {
				p := e.Place()
				kept[Place{p.Branch, p.Inc, p.Seq, uint32(sh.Field.Number)<<8 | p.Ord}] = true
			}
		}
		for _, c := range cs {
			x, _ := FromChange(c.stamp, c.body)
			for _, f := range x.Numbers() {
				if k.FieldNumber(f).Merge != optionsv1.Merge_UNION {
					continue
				}
				for _, e := range x.Entries(f) {
					p := e.Place()
					at := Place{p.Branch, p.Inc, p.Seq, uint32(f)<<8 | p.Ord}
					if !e.Remove && !named[at] && !kept[at] {
						t.Fatalf("entry %v of field %d vanished", p, f)
					}
				}
			}
		}
	})
}

func TestRules(t *testing.T) {
	k := schema.KindOf(schema.Customer)
	st := func(at int, b schema.BranchID) schema.Stamp {
		return schema.Stamp{At: schema.Tick(at), Branch: b, Inc: 1, Seq: schema.Seq(at)}
	}
	write := func(s schema.Stamp, m *branchlinev1.Customer) *State {
		v, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		x, err := FromChange(s, &wirev1.ChangeBody{Values: v})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	consent := func(given bool) *branchlinev1.Customer {
		return &branchlinev1.Customer{ConsentMarketing: &branchlinev1.Consent{Given: proto.Bool(given)}}
	}
	s := Join(write(st(1, "pd"), consent(false)), write(st(9, "th"), consent(true)))
	m, err := s.Message(k)
	if err != nil {
		t.Fatal(err)
	}
	if m.(*branchlinev1.Customer).GetConsentMarketing().GetGiven() {
		t.Error("a concurrent yes hid a no")
	}
	s = Join(write(st(3, "pd"), &branchlinev1.Customer{Name: proto.String("张伟")}), write(st(2, "th"), &branchlinev1.Customer{Name: proto.String("张玮"), Birthday: proto.String("1980-01-02")}))
	sh := s.Shown(k)
	if len(sh) != 2 || len(sh[0].Lost) != 1 || string(sh[0].Lost[0].Value[2:]) != "张玮" {
		t.Errorf("shown %+v, want the later name with the earlier one kept as lost, and the birthday", sh)
	}
	if got := s.Overridden(k, schema.ChangeID{Branch: "th", Inc: 1, Seq: 2}); len(got) != 1 || got[0] != 2 {
		t.Errorf("overridden fields %v, want the name only", got)
	}
}

func TestEncodeFresh_equalsTheLongWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &branchlinev1.Customer{Name: proto.String(rapid.String().Draw(t, "name"))}
		for range rapid.IntRange(0, 3).Draw(t, "phones") {
			m.Phones = append(m.Phones, &branchlinev1.Phone{Number: proto.String(rapid.StringMatching(`1[0-9]{10}`).Draw(t, "phone"))})
		}
		v, err := proto.Marshal(m)
		if err != nil {
			t.Skip("not UTF-8")
		}
		body := &wirev1.ChangeBody{Values: v}
		stamp := schema.Stamp{At: 77, Branch: "pd", Inc: 3, Seq: 4}
		fast, ok := EncodeFresh(stamp, body)
		if !ok {
			t.Fatal("not fresh")
		}
		s, err := FromChange(stamp, body)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(fast, s.Encode()) {
			t.Fatal("two encodings of one state")
		}
		msg, ok := FreshMessage(fast)
		if got, _ := FreshStamp(fast); !ok || got != stamp || !bytes.Equal(msg, v) {
			t.Fatal("fresh state misread")
		}
	})
}

func FuzzDecode(f *testing.F) {
	s, err := FromChange(schema.Stamp{At: 1, Branch: "pd", Inc: 1, Seq: 1}, &wirev1.ChangeBody{Values: []byte{0x12, 1, 'x'}, Names: []*wirev1.Names{{Field: 2, Entries: []*wirev1.EntryName{{Branch: "th", Seq: 1}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(s.Encode())
	f.Add([]byte{formFresh})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			return
		}
		// What decodes joins with itself to itself.
		if j := Join(s, s); !bytes.Equal(Join(j, s).Encode(), j.Encode()) {
			t.Fatal("join is not idempotent")
		}
	})
}

func TestWithout_TakesOneChangeOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cs := history(t)
		order := make([]int, len(cs))
		for i := range order {
			order[i] = i
		}
		s := joinAll(t, cs, order)
		gone := cs[rapid.IntRange(0, len(cs)-1).Draw(t, "gone")].stamp.Change()
		less := s.Without(func(c schema.ChangeID) bool { return c == gone })
		for _, num := range s.Numbers() {
			for _, e := range s.Entries(num) {
				kept := slices.ContainsFunc(less.Entries(num), func(x Entry) bool { return x.Place() == e.Place() && x.Dead == e.Dead })
				if kept == (e.Stamp.Change() == gone) {
					t.Fatalf("entry %v kept=%v without %v", e.Place(), kept, gone)
				}
			}
		}
		if back := Join(less, s); !bytes.Equal(back.Encode(), s.Encode()) {
			t.Fatal("what was taken out does not join again")
		}
	})
}
