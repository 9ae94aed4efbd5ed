package inbox

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/sync/merge"
)

// The tables say the same of a message as protovalidate and the schema do.
func TestShape_AgreesWithValidate(t *testing.T) {
	text := func(rt *rapid.T, limit int, label string) *string {
		switch rapid.IntRange(0, 5).Draw(rt, label) {
		case 0:
			return nil
		case 1:
			return proto.String("")
		case 2:
			return proto.String(strings.Repeat("汉", limit))
		case 3:
			return proto.String(strings.Repeat("汉", limit+1))
		default:
			return proto.String("x")
		}
	}
	day := func(rt *rapid.T, label string) *string {
		return proto.String(rapid.SampledFrom([]string{"", "2026-02-28", "2026-02-29", "2024-02-29", "2026-13-01", "26-01-01", "2026-1-01", "2026-01-00"}).Draw(rt, label))
	}
	ref := func(rt *rapid.T, label string) *string {
		return proto.String(rapid.SampledFrom([]string{"", "06gztnbtg1r010zr6gjc5kye2m", "06GZTNBTG1R010ZR6GJC5KYE2M", "nonsense", strings.Repeat("!", 26)}).Draw(rt, label))
	}
	rapid.Check(t, func(rt *rapid.T) {
		var m proto.Message
		switch rapid.IntRange(0, 4).Draw(rt, "kind") {
		case 0:
			m = &branchlinev1.Customer{
				Name: text(rt, 200, "name"), Birthday: day(rt, "birthday"), ValueClass: proto.Int32(rapid.Int32Range(-1, 6).Draw(rt, "class")),
				IdHash: make([]byte, rapid.IntRange(0, 40).Draw(rt, "hash")), RetiredAt: proto.Int64(rapid.SampledFrom([]int64{0, -1, 1 << 40, 1 << 50}).Draw(rt, "retired")),
				Phones: []*branchlinev1.Phone{{Number: text(rt, 40, "number"), Label: text(rt, 40, "label")}},
			}
			for range rapid.SampledFrom([]int{0, 1, 200, 201}).Draw(rt, "emails") {
				m.(*branchlinev1.Customer).Emails = append(m.(*branchlinev1.Customer).GetEmails(), "a@b")
			}
		case 1:
			m = &branchlinev1.ServiceOrder{Number: text(rt, 40, "number"), Customer: ref(rt, "customer"), Vehicle: ref(rt, "vehicle"), Day: day(rt, "day")}
		case 2:
			m = &branchlinev1.Staff{Code: text(rt, 32, "code"), Branches: []string{*proto.String(strings.Repeat("b", rapid.IntRange(0, 9).Draw(rt, "branch")))}}
		case 3:
			m = &branchlinev1.MatchDecision{A: []string{strings.Repeat("0", rapid.SampledFrom([]int{0, 25, 26, 27}).Draw(rt, "a"))}}
		default:
			m = &branchlinev1.Vehicle{ModelYear: proto.Int32(rapid.Int32Range(-1, 2300).Draw(rt, "year")), Warranties: []*branchlinev1.Warranty{{Name: text(rt, 100, "warranty")}}}
		}
		raw, err := proto.Marshal(m)
		if err != nil {
			rt.Fatal(err)
		}
		want := schema.Validate(m) == nil
		got := shapeOf(schema.KindOfMessage(m)).check(raw)
		if (got.kind == wirev1.OutcomeKind_APPLIED) != want {
			rt.Fatalf("the tables say %v %q, the schema %v\n%v", got.kind, got.reason, schema.Validate(m), m)
		}
	})
}

func TestShape_NeedsNoMessages(t *testing.T) {
	for _, k := range schema.Kinds() {
		if shapeOf(k).whole != nil {
			t.Errorf("%s has a rule the tables cannot express: each change of it is built and validated whole", k.Name)
		}
	}
}

func FuzzJudge(f *testing.F) {
	b, err := proto.Marshal(&wirev1.ChangeBody{At: 1, Kind: 4, Record: make([]byte, 16), Actor: "a", Values: []byte{0x12, 1, 'x'}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := new(wirev1.ChangeBody)
		if proto.Unmarshal(raw, m) != nil {
			return
		}
		k, v := judge("b1", m)
		if v.kind != wirev1.OutcomeKind_APPLIED {
			return
		}
		it := &item{id: schema.ChangeID{Branch: "b1", Inc: 1, Seq: 1}, at: 1, body: m}
		st, err := merge.FromChange(it.stamp(), m)
		if err != nil {
			t.Fatalf("a change that is called good cannot be merged: %v", err)
		}
		if _, err := st.Message(k); err != nil {
			t.Fatalf("a change that is called good cannot be shown: %v", err)
		}
	})
}
