package town

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/setting"
)

// The counter of every branch shows every kind a branch writes, in every state, of which each record is one that the
// branch's door would take; and is the same each time.
func TestCounter_EveryKindInEveryState(t *testing.T) {
	x, err := New(Config{Seed: 1, Today: time.Date(2026, 11, 21, 15, 0, 0, 0, zone)})
	if err != nil {
		t.Fatal(err)
	}
	kinds, states := map[schema.Kind]int{}, map[protoreflect.FullName]map[protoreflect.EnumNumber]int{}
	all := 0
	for b := range x.Branches() {
		there := map[string]schema.Kind{}
		for e := range x.Edits(b) {
			there[e.Key] = e.Kind
		}
		var again []Edit
		for e := range x.Counter(b) {
			again = append(again, e)
		}
		i := 0
		for e := range x.Counter(b) {
			all++
			k := schema.KindOf(e.Kind)
			if i >= len(again) || again[i].Key != e.Key || !proto.Equal(again[i].Message, e.Message) {
				t.Fatalf("%s is another the second time:\n%v\n%v", e.Key, again[i].Message, e.Message)
			}
			i++
			kinds[e.Kind]++
			m := e.Message.ProtoReflect()
			for field, key := range e.Refs {
				if there[key] != k.Field(field).Ref {
					t.Fatalf("%s of %s names %s, which is a %v", field, k.Name, key, there[key])
				}
				m.Set(k.Field(field).Desc, protoreflect.ValueOfString("06gztnbtg1r017yem5ew7nw9p8"))
			}
			there[e.Key] = e.Kind
			if err := schema.Validate(e.Message); err != nil {
				t.Fatalf("%s: %v", k.Name, err)
			}
			if err := schema.CheckNew(e.Message); err != nil {
				t.Fatalf("%s: %v: %v", k.Name, err, e.Message)
			}
			if u, ok := e.Message.(*branchlinev1.CardUse); ok && u.GetAmount() != 0 {
				t.Error("stored money is spent at a branch")
			}
			m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
				if fd.Enum() != nil && !fd.IsList() {
					if states[fd.FullName()] == nil {
						states[fd.FullName()] = map[protoreflect.EnumNumber]int{}
					}
					states[fd.FullName()][v.Enum()]++
				}
				return true
			})
		}
	}
	if all > 20_000 {
		t.Errorf("%d records: the demo would not be ready in time", all)
	}
	t.Logf("%d records: %v", all, kinds)
	for _, k := range schema.Kinds() {
		// Files need bytes, and settings are headquarters'.
		if k.Kind < schema.Appointment || k.Kind == schema.Attachment || k.Kind == schema.Setting {
			continue
		}
		if kinds[k.Kind] == 0 {
			t.Errorf("there is no %s", k.Name)
		}
		if k.State == nil {
			continue
		}
		values := k.State.Desc.Enum().Values()
		for i := 1; i < values.Len(); i++ {
			// A claim given up and what is reversed are shown by people, not by the town.
			if n := values.Get(i).Number(); states[k.State.Desc.FullName()][n] == 0 && values.Get(i).Name() != "CLAIM_CANCELLED" {
				t.Errorf("no %s is %s", k.Name, values.Get(i).Name())
			}
		}
	}
	for _, s := range x.Settings() {
		if err := errors.Join(schema.Validate(s), schema.CheckNew(s), setting.Check(s)); err != nil {
			t.Errorf("%v: %v", s, err)
		}
	}
	methods := states["branchline.v1.Payment.method"]
	for n := branchlinev1.PayMethod_METHOD_CASH; n <= branchlinev1.PayMethod_METHOD_ON_ACCOUNT; n++ {
		if methods[n.Number()] == 0 && n != branchlinev1.PayMethod_METHOD_CARD {
			t.Errorf("nobody pays by %s", n)
		}
	}
}
