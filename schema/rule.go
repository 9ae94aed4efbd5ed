package schema

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// What a record must say beyond the form of its fields (Validate): the rules of its kind over several fields of one
// record. They are asked at the door of a site, before anything is saved, of a person who can answer. Headquarters does
// not ask them again of what a branch has saved: a change that comes late or in pieces may hold some of the fields only.

// Ruled tells whether CheckNew and CheckEdit ask anything of records like m.
func Ruled(m proto.Message) bool { return rulesOf(m) != nil }

// CheckNew checks a record that is to be made. All violations come back together as one FieldsError.
func CheckNew(m proto.Message) error { return checkRules(m, nil) }

// CheckEdit checks a record as it is to become by writing the masked fields of edit into was. Of what is wrong only that
// is told which has to do with a masked field: nobody must mend what others wrote before they may save. Neither message
// is changed.
func CheckEdit(was, edit proto.Message, mask []string) error {
	return checkRules(Overlaid(was, edit, mask), mask)
}

// Overlaid is a record as it becomes by writing the masked fields of edit into was. Neither message is changed.
func Overlaid(was, edit proto.Message, mask []string) proto.Message {
	then := proto.Clone(was)
	to, from := then.ProtoReflect(), edit.ProtoReflect()
	for _, name := range mask {
		fd := to.Descriptor().Fields().ByName(protoreflect.Name(name))
		switch {
		case fd == nil:
		case from.Has(fd):
			to.Set(fd, from.Get(fd))
		default:
			to.Clear(fd)
		}
	}
	return then
}

func checkRules(m proto.Message, mask []string) error {
	rules := rulesOf(m)
	if rules == nil {
		return nil
	}
	d := &doubts{}
	rules(d)
	var out FieldsError
	for _, x := range d.all {
		at := 0
		if mask != nil {
			at = slices.IndexFunc(x.fields, func(f string) bool {
				top, _, _ := strings.Cut(f, ".")
				return slices.Contains(mask, top)
			})
		}
		if at >= 0 {
			out.Violations = append(out.Violations, Violation{x.fields[at], x.why})
		}
	}
	if len(out.Violations) > 0 {
		return &out
	}
	return nil
}

// doubts collects what is wrong with one record.
type doubts struct{ all []doubt }

// doubt is one thing wrong, told at the first of the fields it is about.
type doubt struct {
	why    string
	fields []string
}

// doubt notes a sentence about fields when bad.
func (d *doubts) doubt(bad bool, why string, fields ...string) {
	if bad {
		d.all = append(d.all, doubt{why, fields})
	}
}

const (
	whyRequired = "value is required"
	whyPositive = "must be more than 0"
	whyAbove    = "must be greater than or equal to 0"
	whyNegative = "must be less than 0: it takes something back"
	whyAbout    = "say which customer, car or order it is about"
)

func (d *doubts) required(empty bool, field string) { d.doubt(empty, whyRequired, field) }

// above notes money or numbers below 0.
func (d *doubts) above(n int64, field string) { d.doubt(n < 0, whyAbove, field) }

// ordered notes a day that comes after the one it should come before.
func (d *doubts) ordered(from, until, fromField, untilField string) {
	d.doubt(from != "" && until != "" && from > until, fmt.Sprintf("%s comes after the last day, %s", from, until), fromField, untilField)
}

// rulesOf are the rules of a record's kind; nil for a kind without.
func rulesOf(m proto.Message) func(*doubts) {
	switch m := m.(type) {
	case *branchlinev1.Appointment:
		return func(d *doubts) { appointmentRules(d, m) }
	case *branchlinev1.Inspection:
		return func(d *doubts) { d.doubt(m.GetVehicle() == "" && m.GetOrder() == "", whyAbout, "vehicle", "order") }
	case *branchlinev1.Package:
		return func(d *doubts) { packageRules(d, m) }
	case *branchlinev1.PackageCard:
		return func(d *doubts) { cardRules(d, m) }
	case *branchlinev1.CardUse:
		return func(d *doubts) { useRules(d, m) }
	case *branchlinev1.Payment:
		return func(d *doubts) { paymentRules(d, m) }
	case *branchlinev1.Settlement:
		return func(d *doubts) { settlementRules(d, m) }
	case *branchlinev1.CashClose:
		return func(d *doubts) { closeRules(d, m) }
	case *branchlinev1.Contact:
		return func(d *doubts) { contactRules(d, m) }
	case *branchlinev1.InsurancePolicy:
		return func(d *doubts) { policyRules(d, m) }
	case *branchlinev1.Claim:
		return func(d *doubts) { claimRules(d, m) }
	case *branchlinev1.Attachment:
		return func(d *doubts) { attachmentRules(d, m) }
	case *branchlinev1.Fapiao:
		return func(d *doubts) { fapiaoRules(d, m) }
	case *branchlinev1.Setting:
		return func(d *doubts) {
			d.required(m.GetName() == "", "name")
			d.required(m.GetValue() == "", "value")
			d.required(m.GetFrom() == "", "from")
		}
	}
	return nil
}

func appointmentRules(d *doubts, m *branchlinev1.Appointment) {
	who := m.GetCustomer() + m.GetVehicle() + m.GetName() + m.GetPhone() + m.GetPlate()
	d.doubt(who == "", "say who comes: a customer, a car, a name, a phone or a plate", "name", "customer", "vehicle", "phone", "plate")
	d.required(m.GetDay() == "", "day")
}

func packageRules(d *doubts, m *branchlinev1.Package) {
	d.required(strings.TrimSpace(m.GetName()) == "", "name")
	d.above(m.GetPrice(), "price")
	d.above(m.GetEveryKm(), "every_km")
	d.ordered(m.GetValidFrom(), m.GetValidTo(), "valid_from", "valid_to")
	for i, l := range m.GetLines() {
		at := fmt.Sprintf("lines.%d.", i)
		d.above(l.GetAmount(), at+"amount")
		d.above(l.GetPartQuantity(), at+"part_quantity")
		d.above(l.GetBilledMinutes(), at+"billed_minutes")
	}
}

func cardRules(d *doubts, m *branchlinev1.PackageCard) {
	d.required(m.GetCustomer() == "", "customer")
	d.required(m.GetTitle() == "" && m.GetPackage() == "", "title")
	switch m.GetForm() {
	case branchlinev1.CardForm_CARD_COUNTED:
		d.doubt(m.GetUses() <= 0, whyPositive, "uses")
	case branchlinev1.CardForm_CARD_STORED_MONEY:
		d.doubt(m.GetStored() <= 0, whyPositive, "stored")
	default:
		d.required(true, "form")
	}
	d.above(m.GetPrice(), "price")
	d.above(m.GetBonus(), "bonus")
	d.ordered(m.GetDay(), m.GetValidTo(), "valid_to", "day")
}

func useRules(d *doubts, m *branchlinev1.CardUse) {
	d.required(m.GetCard() == "", "card")
	n := m.GetAmount()
	if m.GetUses() != 0 {
		n = int64(m.GetUses())
	}
	d.doubt((m.GetUses() != 0) == (m.GetAmount() != 0), "say how many uses or how much money, one of the two", "uses", "amount")
	d.doubt(m.GetReverses() == "" && n < 0, whyPositive, "uses", "amount")
	d.doubt(m.GetReverses() != "" && n > 0, whyNegative, "uses", "amount")
	d.doubt(m.GetReverses() != "" && m.GetReason() == "", whyReason, "reason")
}

const (
	whyReason  = "say why"
	whyCard    = "say which card"
	whyAccount = "what stands on account needs a customer"
)

func paymentRules(d *doubts, m *branchlinev1.Payment) {
	d.doubt(m.GetOrder() == "" && m.GetCustomer() == "" && m.GetCard() == "", "say what the money is for: an order, a customer or a card", "order", "customer", "card")
	d.required(m.GetMethod() == 0, "method")
	d.required(m.GetPurpose() == 0, "purpose")
	back := m.GetPurpose() == branchlinev1.PayPurpose_PURPOSE_REFUND
	reversal := m.GetPurpose() == branchlinev1.PayPurpose_PURPOSE_REVERSAL
	switch amount := m.GetAmount(); {
	case amount == 0:
		d.doubt(true, "must not be 0", "amount")
	case reversal: // of a refund it is money that came after all
	case back:
		d.doubt(amount > 0, whyNegative, "amount", "purpose")
	default:
		d.doubt(amount < 0, whyPositive, "amount", "purpose")
	}
	d.required(reversal && m.GetReverses() == "", "reverses")
	d.doubt((reversal || back) && m.GetReason() == "", whyReason, "reason")
	account := m.GetMethod() == branchlinev1.PayMethod_METHOD_ON_ACCOUNT || m.GetPurpose() == branchlinev1.PayPurpose_PURPOSE_ACCOUNT
	d.doubt(account && m.GetCustomer() == "", whyAccount, "customer")
	card := m.GetMethod() == branchlinev1.PayMethod_METHOD_CARD || m.GetPurpose() == branchlinev1.PayPurpose_PURPOSE_CARD_SALE
	d.doubt(card && m.GetCard() == "", whyCard, "card")
}

func settlementRules(d *doubts, m *branchlinev1.Settlement) {
	d.required(m.GetOrder() == "", "order")
	d.required(m.GetPayer() == 0, "payer")
	owed := m.GetLinesAmount() - m.GetDiscount() - m.GetRounding()
	d.doubt(m.LinesAmount != nil && m.GetAmount() != owed, sumSentence(m.GetAmount(), owed), "amount", "lines_amount", "discount", "rounding")
	d.doubt(m.GetReverses() == "" && m.GetAmount() < 0, whyAbove, "amount")
	d.doubt(m.GetReverses() != "" && m.GetAmount() > 0, whyNegative, "amount")
	d.doubt(m.GetReverses() != "" && m.GetReason() == "", whyReason, "reason")
	d.ordered(m.GetDay(), m.GetGuaranteeUntil(), "guarantee_until", "day")
}

// sumSentence tells a sum that is not that of its parts, in whole units of money.
func sumSentence(is, parts int64) string {
	return fmt.Sprintf("is %s, its parts make %s", units(is), units(parts))
}

func units(minor int64) string {
	sign := ""
	if minor < 0 {
		sign, minor = "-", -minor
	}
	return fmt.Sprintf("%s%d.%02d", sign, minor/100, minor%100)
}

func closeRules(d *doubts, m *branchlinev1.CashClose) {
	d.required(m.GetDay() == "", "day")
	d.required(len(m.GetCounts()) == 0, "counts")
	seen := map[branchlinev1.PayMethod]bool{}
	var off int64
	for i, c := range m.GetCounts() {
		at := fmt.Sprintf("counts.%d.", i)
		d.required(c.GetMethod() == 0, at+"method")
		d.doubt(seen[c.GetMethod()], "stands in it twice", at+"method")
		seen[c.GetMethod()] = true
		off += c.GetCounted() - c.GetRecorded()
	}
	d.doubt(m.GetDifference() != off, sumSentence(m.GetDifference(), off), "difference", "counts")
	d.doubt(off != 0 && m.GetReason() == "", whyReason, "reason")
	d.above(m.GetFloatAmount(), "float_amount")
}

func contactRules(d *doubts, m *branchlinev1.Contact) {
	d.doubt(m.GetCustomer()+m.GetVehicle()+m.GetOrder()+m.GetAppointment() == "", whyAbout, "customer", "vehicle", "order")
	d.required(m.GetChannel() == 0, "channel")
	d.required(m.GetDirection() == 0, "direction")
	d.ordered(m.GetDay(), m.GetNextOn(), "next_on", "day")
}

func policyRules(d *doubts, m *branchlinev1.InsurancePolicy) {
	d.doubt(m.GetCustomer() == "" && m.GetVehicle() == "", whyAbout, "vehicle", "customer")
	d.required(m.GetInsurer() == "" && m.GetNumber() == "", "insurer")
	d.above(m.GetPremium(), "premium")
	d.ordered(m.GetFrom(), m.GetUntil(), "until", "from")
}

func claimRules(d *doubts, m *branchlinev1.Claim) {
	d.required(m.GetOrder() == "", "order")
	d.required(m.GetParty() == 0, "party")
	d.above(m.GetAsked(), "asked")
	d.above(m.GetAssessed(), "assessed")
	d.ordered(m.GetAccidentOn(), m.GetDay(), "accident_on", "day")
	d.ordered(m.GetDay(), m.GetOldPartKeptUntil(), "old_part_kept_until", "day")
	d.doubt(m.GetState() == branchlinev1.ClaimState_CLAIM_REFUSED && m.GetRefusedReason() == "", whyReason, "refused_reason", "state")
	for i, l := range m.GetLines() {
		at := fmt.Sprintf("lines.%d.", i)
		d.above(l.GetAsked(), at+"asked")
		d.above(l.GetAssessed(), at+"assessed")
	}
}

// MediaTypes are the media types a file may have that belongs to a customer, car or order.
func MediaTypes() []string {
	return []string{"application/pdf", "image/jpeg", "image/png", "image/webp"}
}

func attachmentRules(d *doubts, m *branchlinev1.Attachment) {
	d.doubt(m.GetCustomer() == "" && m.GetVehicle() == "" && m.GetOrder() == "", whyAbout, "customer", "vehicle", "order")
	d.required(m.GetRole() == 0, "role")
	d.doubt(len(m.GetHash()) != sha256.Size, fmt.Sprintf("has %d bytes, a SHA-256 has 32", len(m.GetHash())), "hash")
	d.doubt(m.GetSize() <= 0, whyPositive, "size")
	types := MediaTypes()
	d.doubt(!slices.Contains(types, m.GetMediaType()), fmt.Sprintf("%q is not one of %s", clip(m.GetMediaType()), strings.Join(types, ", ")), "media_type")
	if len(m.GetThumbHash()) > 0 || m.GetThumbSize() != 0 {
		d.doubt(len(m.GetThumbHash()) != sha256.Size, fmt.Sprintf("has %d bytes, a SHA-256 has 32", len(m.GetThumbHash())), "thumb_hash")
		d.doubt(m.GetThumbSize() <= 0, whyPositive, "thumb_size")
	}
}

func fapiaoRules(d *doubts, m *branchlinev1.Fapiao) {
	d.doubt(m.GetOrder()+m.GetCustomer()+m.GetSettlement() == "", whyAbout, "order", "customer")
	d.required(m.GetTitle() == "", "title")
	d.doubt(m.GetKind() == branchlinev1.FapiaoKind_FAPIAO_SPECIAL && m.GetTaxNumber() == "", whyRequired, "tax_number", "kind")
	issued := m.GetState() == branchlinev1.FapiaoState_FAPIAO_ISSUED || m.GetState() == branchlinev1.FapiaoState_FAPIAO_RED
	d.doubt(issued && m.GetNumber() == "", whyRequired, "number", "state")
	d.doubt(m.GetState() == branchlinev1.FapiaoState_FAPIAO_RED && m.GetRedReason() == "", whyReason, "red_reason", "state")
	d.ordered(m.GetDay(), m.GetRedOn(), "red_on", "day")
}
