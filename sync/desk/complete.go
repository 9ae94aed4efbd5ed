package desk

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/plate"
	"branchline/schema/vin"
)

// Currency is the currency of money that says none (DESIGN §12).
const Currency = "CNY"

// Uniform makes values of a record uniform, in place: VINs and plates folded, outer spaces gone. What it cannot read
// stays as it was written, and so does free text.
func Uniform(m proto.Message) {
	if k := schema.KindOfMessage(m); k != nil {
		uniform(m.ProtoReflect(), k.Fields, false)
	}
}

// within: of a message in the record, of which only what is looked up by is made uniform; the rest is kept as it stands
// in the list, whose entries are told apart by their bytes.
func uniform(m protoreflect.Message, fields []*schema.FieldInfo, within bool) {
	for _, f := range fields {
		if !m.Has(f.Desc) {
			continue
		}
		v := m.Get(f.Desc)
		switch {
		case f.Sub != nil && f.Desc.IsList():
			for i := range v.List().Len() {
				uniform(v.List().Get(i).Message(), f.Sub, true)
			}
		case f.Sub != nil:
			uniform(v.Message(), f.Sub, true)
		case f.Desc.Kind() == protoreflect.StringKind && !f.Desc.IsList():
			if fold := foldOf(f, within); fold != nil {
				m.Set(f.Desc, protoreflect.ValueOfString(fold(v.String())))
			}
		}
	}
}

func foldOf(f *schema.FieldInfo, within bool) func(string) string {
	switch {
	case f.Search == optionsv1.Search_SEARCH_PLATE || f.Name == "plate":
		return plate.Fold
	case f.Search == optionsv1.Search_SEARCH_VIN || f.Name == "vin":
		return vin.Fold
	case within && f.Name != "number", f.Pii == optionsv1.Pii_PII_FREE_TEXT, f.Ref != 0:
		return nil
	}
	return strings.TrimSpace
}

// Complete fills in what a site knows by itself about a new record: where (branch; "" for headquarters), when and by
// whom it was made, in which currency, and the state a thing begins in.
func Complete(m proto.Message, branch schema.BranchID, staff string, now time.Time, zone *time.Location) {
	k := schema.KindOfMessage(m)
	if k == nil {
		return
	}
	day := now.In(zone).Format(time.DateOnly)
	if a, ok := m.(*branchlinev1.Appointment); ok && a.GetStartAt() != 0 {
		day = time.UnixMilli(a.GetStartAt()).In(zone).Format(time.DateOnly)
	}
	MadeAt(m, branch)
	r := m.ProtoReflect()
	set := func(f *schema.FieldInfo, v string) {
		if v != "" && r.Get(f.Desc).String() == "" {
			r.Set(f.Desc, protoreflect.ValueOfString(v))
		}
	}
	for _, f := range k.Fields {
		switch f.Name {
		case "day":
			set(f, day)
		case "author", "by", "cashier", "inspector", "seller":
			set(f, staff)
		case "currency":
			if hasMoney(r, k.Fields) {
				set(f, Currency)
			}
		case "opened_at", "at", "used_at", "done_at":
			if !r.Has(f.Desc) {
				r.Set(f.Desc, protoreflect.ValueOfInt64(now.UnixMilli()))
			}
		}
	}
	switch v := m.(type) {
	case *branchlinev1.Appointment:
		if v.GetState() == 0 {
			v.State = branchlinev1.AppointmentState_APPOINTMENT_BOOKED.Enum()
		}
	case *branchlinev1.Claim:
		if v.GetState() == 0 {
			v.State = branchlinev1.ClaimState_CLAIM_DRAFT.Enum()
		}
	case *branchlinev1.Fapiao:
		if v.GetState() == 0 {
			v.State = branchlinev1.FapiaoState_FAPIAO_WANTED.Enum()
		}
	}
}

// MadeAt notes the branch in a new record that says at which it was made. The branch of a setting is the one it is for.
func MadeAt(m proto.Message, branch schema.BranchID) {
	k := schema.KindOfMessage(m)
	if k == nil || k.Kind == schema.Setting || branch == "" {
		return
	}
	r := m.ProtoReflect()
	if f := k.Field("branch"); f != nil && r.Get(f.Desc).String() == "" {
		r.Set(f.Desc, protoreflect.ValueOfString(string(branch)))
	}
}

// hasMoney tells whether a message holds money, in the messages in it too.
func hasMoney(m protoreflect.Message, fields []*schema.FieldInfo) bool {
	for _, f := range fields {
		switch {
		case !m.Has(f.Desc):
		case f.Format == optionsv1.Format_FORMAT_MONEY:
			return true
		case f.Sub == nil:
		case !f.Desc.IsList():
			if hasMoney(m.Get(f.Desc).Message(), f.Sub) {
				return true
			}
		default:
			list := m.Get(f.Desc).List()
			for i := range list.Len() {
				if hasMoney(list.Get(i).Message(), f.Sub) {
					return true
				}
			}
		}
	}
	return false
}

// Dated is what dates the state an edit writes: a record with one entry of its list of states, to be added to it. It is
// nil when the edit writes no state, and for kinds that keep no such list. Who dates the state by hand is not asked for it.
func Dated(m proto.Message, staff string, now time.Time) proto.Message {
	at := proto.Int64(now.UnixMilli())
	switch v := m.(type) {
	case *branchlinev1.ServiceOrder:
		if v.GetState() != 0 {
			return &branchlinev1.ServiceOrder{States: []*branchlinev1.StateChange{{State: v.State, At: at, By: &staff}}}
		}
	case *branchlinev1.Claim:
		if v.GetState() != 0 {
			return &branchlinev1.Claim{States: []*branchlinev1.ClaimChange{{State: v.State, At: at, By: &staff}}}
		}
	}
	return nil
}

// HasStates tells whether a record dates its states by hand.
func HasStates(m proto.Message) bool {
	switch v := m.(type) {
	case *branchlinev1.ServiceOrder:
		return len(v.GetStates()) > 0
	case *branchlinev1.Claim:
		return len(v.GetStates()) > 0
	}
	return false
}
