package schema_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/reason"
)

// broken are the fields of a record that its kind's rules find fault with, with the code of each reason.
func broken(t *testing.T, err error) []string {
	t.Helper()
	var fe *schema.FieldsError
	if err == nil {
		return nil
	}
	if !errors.As(err, &fe) || !errors.Is(err, schema.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	var out []string
	for _, v := range fe.Violations {
		r, ok := reason.Of(v.Reason)
		if !ok {
			t.Errorf("%s: %q has no code", v.Field, v.Reason)
		}
		out = append(out, v.Field+" "+string(r.Code))
	}
	return out
}

func TestCheckNew_RulesOfTheKinds(t *testing.T) {
	s, n, i32 := proto.String, proto.Int64, proto.Int32
	id, hash := "06gztnbtg1r017yem5ew7nw9p8", make([]byte, 32)
	pay := func(f func(*branchlinev1.Payment)) *branchlinev1.Payment {
		p := &branchlinev1.Payment{Order: &id, Method: branchlinev1.PayMethod_METHOD_CASH.Enum(), Purpose: branchlinev1.PayPurpose_PURPOSE_SETTLEMENT.Enum(), Amount: n(100)}
		f(p)
		return p
	}
	file := func(f func(*branchlinev1.Attachment)) *branchlinev1.Attachment {
		a := &branchlinev1.Attachment{Order: &id, Role: branchlinev1.AttachmentRole_ATTACHMENT_PHOTO.Enum(), Hash: hash, Size: n(9), MediaType: s("image/jpeg")}
		f(a)
		return a
	}
	for _, x := range []struct {
		m    proto.Message
		want string
	}{
		{&branchlinev1.Customer{}, ""},
		{&branchlinev1.Appointment{Plate: s("沪A8K362"), Day: s("2026-11-23")}, ""},
		{&branchlinev1.Appointment{Complaint: s("异响")}, "name who_comes, day required"},
		{&branchlinev1.Inspection{Order: &id}, ""},
		{&branchlinev1.Inspection{Valuables: s("墨镜")}, "vehicle about"},
		{&branchlinev1.Package{Name: s("小保养"), ValidFrom: s("2026-01-01"), ValidTo: s("2026-12-31")}, ""},
		{&branchlinev1.Package{Price: n(-1), ValidFrom: s("2027-01-01"), ValidTo: s("2026-12-31"), Lines: []*branchlinev1.PackageLine{{}, {Amount: n(-5)}}}, "name required, price at_least, valid_from from_after, lines.1.amount at_least"},
		{&branchlinev1.PackageCard{Customer: &id, Title: s("五次洗车"), Form: branchlinev1.CardForm_CARD_COUNTED.Enum(), Uses: i32(5)}, ""},
		{&branchlinev1.PackageCard{Customer: &id, Title: s("储值"), Form: branchlinev1.CardForm_CARD_STORED_MONEY.Enum(), Uses: i32(5)}, "stored positive"},
		{&branchlinev1.PackageCard{Form: branchlinev1.CardForm_CARD_COUNTED.Enum(), Day: s("2026-11-22"), ValidTo: s("2026-11-21")}, "customer required, title required, uses positive, valid_to from_after"},
		{&branchlinev1.CardUse{Card: &id, Uses: i32(1)}, ""},
		{&branchlinev1.CardUse{Card: &id, Uses: i32(-1), Reverses: &id, Reason: s("记错")}, ""},
		{&branchlinev1.CardUse{Card: &id, Uses: i32(-1)}, "uses positive"},
		{&branchlinev1.CardUse{Card: &id, Uses: i32(1), Reverses: &id}, "uses negative, reason say_why"},
		{&branchlinev1.CardUse{Card: &id}, "uses one_of_two"},
		{&branchlinev1.CardUse{Card: &id, Uses: i32(1), Amount: n(5)}, "uses one_of_two"},
		{pay(func(*branchlinev1.Payment) {}), ""},
		{pay(func(p *branchlinev1.Payment) { p.Amount = nil }), "amount not_zero"},
		{pay(func(p *branchlinev1.Payment) { p.Amount = n(-1) }), "amount positive"},
		{pay(func(p *branchlinev1.Payment) { p.Purpose = branchlinev1.PayPurpose_PURPOSE_REFUND.Enum() }), "amount negative, reason say_why"},
		{pay(func(p *branchlinev1.Payment) {
			p.Purpose, p.Amount, p.Reason = branchlinev1.PayPurpose_PURPOSE_REVERSAL.Enum(), n(-100), s("收错")
		}), "reverses required"},
		{pay(func(p *branchlinev1.Payment) { p.Method = branchlinev1.PayMethod_METHOD_ON_ACCOUNT.Enum() }), "customer account_customer"},
		{pay(func(p *branchlinev1.Payment) {
			p.Method, p.Customer = branchlinev1.PayMethod_METHOD_ON_ACCOUNT.Enum(), &id
		}), ""},
		{pay(func(p *branchlinev1.Payment) { p.Purpose = branchlinev1.PayPurpose_PURPOSE_CARD_SALE.Enum() }), "card which_card"},
		{pay(func(p *branchlinev1.Payment) { p.Order, p.Method, p.Purpose = nil, nil, nil }), "order money_for, method required, purpose required"},
		{&branchlinev1.Settlement{Order: &id, Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), LinesAmount: n(1000), Discount: n(100), Rounding: n(5), Amount: n(895)}, ""},
		{&branchlinev1.Settlement{LinesAmount: n(1000), Discount: n(100), Amount: n(1000)}, "order required, payer required, amount sum_off"},
		{&branchlinev1.Settlement{Order: &id, Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Amount: n(895), Reverses: &id}, "amount negative, reason say_why"},
		{&branchlinev1.CashClose{Day: s("2026-11-21"), Counts: []*branchlinev1.CashCount{{Method: branchlinev1.PayMethod_METHOD_CASH.Enum(), Recorded: n(500), Counted: n(500)}}}, ""},
		{
			&branchlinev1.CashClose{Day: s("2026-11-21"), Counts: []*branchlinev1.CashCount{
				{Method: branchlinev1.PayMethod_METHOD_CASH.Enum(), Recorded: n(500), Counted: n(450)}, {Method: branchlinev1.PayMethod_METHOD_CASH.Enum()},
			}},
			"counts.1.method twice_in, difference sum_off, reason say_why",
		},
		{&branchlinev1.Contact{Customer: &id, Channel: branchlinev1.ContactChannel_CHANNEL_PHONE.Enum(), Direction: branchlinev1.Direction_DIRECTION_OUT.Enum()}, ""},
		{&branchlinev1.Contact{Text: s("问价"), Day: s("2026-11-22"), NextOn: s("2026-11-21")}, "customer about, channel required, direction required, next_on from_after"},
		{&branchlinev1.InsurancePolicy{Vehicle: &id, Insurer: s("人保"), From: s("2026-01-01"), Until: s("2026-12-31")}, ""},
		{&branchlinev1.InsurancePolicy{From: s("2027-01-01"), Until: s("2026-12-31"), Premium: n(-1)}, "vehicle about, insurer required, premium at_least, until from_after"},
		{&branchlinev1.Claim{Order: &id, Party: branchlinev1.ClaimParty_CLAIM_ON_INSURER.Enum()}, ""},
		{&branchlinev1.Claim{State: branchlinev1.ClaimState_CLAIM_REFUSED.Enum(), Day: s("2026-11-20"), AccidentOn: s("2026-11-21")}, "order required, party required, accident_on from_after, refused_reason say_why"},
		{file(func(*branchlinev1.Attachment) {}), ""},
		{file(func(a *branchlinev1.Attachment) { a.Hash, a.Size, a.MediaType = hash[:9], nil, s("text/html") }), "hash sha_bytes, size positive, media_type not_one_of"},
		{file(func(a *branchlinev1.Attachment) { a.Order, a.ThumbSize, a.Inspection = nil, n(3), &id }), "customer about, thumb_hash sha_bytes"},
		{&branchlinev1.Fapiao{Order: &id, Title: s("个人"), State: branchlinev1.FapiaoState_FAPIAO_WANTED.Enum()}, ""},
		{&branchlinev1.Fapiao{Kind: branchlinev1.FapiaoKind_FAPIAO_SPECIAL.Enum(), State: branchlinev1.FapiaoState_FAPIAO_RED.Enum()}, "order about, title required, tax_number required, number required, red_reason say_why"},
		{&branchlinev1.Setting{Name: s("discount.limit"), Value: s("5"), From: s("2026-01-01")}, ""},
		{&branchlinev1.Setting{}, "name required, value required, from required"},
	} {
		if got := strings.Join(broken(t, schema.CheckNew(x.m)), ", "); got != x.want {
			t.Errorf("%s %v:\n got %s\nwant %s", x.m.ProtoReflect().Descriptor().Name(), x.m, got, x.want)
		}
	}
}

// Whoever edits a record mends what they write, not what others wrote.
func TestCheckEdit_TellsOfTheMaskedFieldsOnly(t *testing.T) {
	was := &branchlinev1.InsurancePolicy{Vehicle: proto.String("x"), From: proto.String("2026-01-01"), Until: proto.String("2026-12-31"), Premium: proto.Int64(-5)}
	edit := &branchlinev1.InsurancePolicy{From: proto.String("2027-01-01")}
	for _, x := range []struct {
		mask []string
		want string
	}{
		{[]string{"remark"}, ""},
		{[]string{"from"}, "from from_after"},
		{[]string{"from", "until"}, ""},
		{[]string{"vehicle"}, "vehicle about"},
		{[]string{"premium"}, ""},
		{[]string{"no_such"}, ""},
	} {
		before := proto.CloneOf(was)
		if got := strings.Join(broken(t, schema.CheckEdit(was, edit, x.mask)), ", "); got != x.want {
			t.Errorf("%v: %s, want %s", x.mask, got, x.want)
		}
		if !proto.Equal(was, before) {
			t.Fatal("the record as it was is changed")
		}
	}
}

func TestFixed_IsWhatAFactWasMadeWith(t *testing.T) {
	for _, x := range []struct {
		kind schema.Kind
		open []string
	}{
		{schema.OdometerReading, []string{"retired_at", "retired_reason"}},
		{schema.PackageCard, []string{"retired_at", "retired_reason"}},
		{schema.CardUse, []string{"borne_by", "borne_reason"}},
		{schema.Payment, nil},
		{schema.Settlement, nil},
		{schema.CashClose, nil},
		{schema.Attachment, []string{"caption", "retired_at", "retired_reason"}},
	} {
		k := schema.KindOf(x.kind)
		var open []string
		for _, f := range k.Fields {
			if !k.Fixed(f) {
				open = append(open, f.Name)
			}
		}
		if !slices.Equal(open, x.open) {
			t.Errorf("of a %s may change %v, want %v", k.Name, open, x.open)
		}
	}
	if k := schema.KindOf(schema.Customer); k.Fixed(k.Field("source_ids")) {
		t.Error("a customer is no fact")
	}
}
