package access

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"branchline/schema"
	optionsv1 "branchline/schema/gen/branchline/options/v1"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// kindRules says for every kind who may read its records and who may write them. That a kind is writable at a site at
// all (home branch, any branch, HQ) is the kind's own option and not repeated here.
var kindRules = map[schema.Kind]struct{ read, write pair }{
	schema.LegalEntity:     {pair{staff, hqStaff}, pair{nobody, hqBoss}},
	schema.Branch:          {pair{staff, hqStaff}, pair{nobody, hqBoss}},
	schema.Staff:           {pair{staff, hqStaff}, pair{boss, hqBoss}},
	schema.Customer:        {pair{desk, hqRead}, pair{desk, hqData}},
	schema.Vehicle:         {pair{staff, hqStaff}, pair{desk, hqData}},
	schema.Tie:             {pair{desk, hqRead}, pair{desk, hqData}},
	schema.ServiceOrder:    {pair{staff, hqStaff}, pair{bay, hqData}},
	schema.ServiceLine:     {pair{staff, hqStaff}, pair{bay, hqData}},
	schema.OdometerReading: {pair{staff, hqStaff}, pair{staff, hqData}},
	schema.Note:            {pair{staff, hqRead}, pair{staff, hqData}},
	schema.MatchDecision:   {pair{desk, hqRead}, pair{nobody, hqData}},
	schema.Pin:             {pair{desk, hqRead}, pair{nobody, hqData}},
	schema.Appointment:     {pair{staff, hqStaff}, pair{desk, hqData}},
	schema.Inspection:      {pair{staff, hqStaff}, pair{bay, hqData}},
	schema.Package:         {pair{staff, hqStaff}, pair{boss, hqData}},
	schema.PackageCard:     {pair{desk, hqRead}, pair{desk, hqData}},
	schema.CardUse:         {pair{desk, hqRead}, pair{till, hqData}},
	schema.Payment:         {pair{desk, hqRead}, pair{till, hqData}},
	schema.Settlement:      {pair{desk, hqRead}, pair{till, hqData}},
	schema.CashClose:       {pair{till, hqRead}, pair{till, hqData}},
	schema.Contact:         {pair{desk, hqRead}, pair{desk, hqData}},
	schema.InsurancePolicy: {pair{desk, hqRead}, pair{desk, hqData}},
	schema.Claim:           {pair{desk, hqRead}, pair{till, hqData}},
	schema.Attachment:      {pair{staff, hqRead}, pair{staff, hqData}},
	schema.Fapiao:          {pair{desk, hqRead}, pair{till, hqData}},
	schema.Setting:         {pair{staff, hqStaff}, pair{nobody, hqBoss}},
}

func (p pair) at(site Site) rule {
	switch site {
	case Node:
		return p.node
	case HQ:
		return p.hq
	}
	return nobody
}

// MayRead tells whether somebody with these roles may see records of the kind at the site.
func MayRead(site Site, k schema.Kind, have []branchlinev1.Role) bool {
	return kindRules[k].read.at(site).allows(have)
}

// MayWrite tells whether somebody with these roles may make and change records of the kind at the site.
func MayWrite(site Site, k schema.Kind, have []branchlinev1.Role) bool {
	return kindRules[k].write.at(site).allows(have)
}

// sight is what one role does not see, beyond kinds it may not read.
type sight struct {
	pii    []optionsv1.Pii
	prices bool
	// Fields that name a customer or come from another system are of no use to who sees no customers, and tell of them.
	customer bool
}

var everyPii = []optionsv1.Pii{
	optionsv1.Pii_PII_NAME, optionsv1.Pii_PII_CONTACT, optionsv1.Pii_PII_IDENTITY, optionsv1.Pii_PII_ADDRESS,
	optionsv1.Pii_PII_FREE_TEXT,
}

var blind = map[branchlinev1.Role]sight{
	// DESIGN §8 (a): the car, the work, the site and the date. Free text of an order, its lines, a car and its notes is
	// what the work is about and stays.
	technician: {pii: everyPii[:4], prices: true, customer: true},
	// Figures, not persons.
	analyst: {pii: everyPii, customer: true},
	// Reads what was done, not how to reach or identify a person.
	auditor: {pii: []optionsv1.Pii{optionsv1.Pii_PII_CONTACT, optionsv1.Pii_PII_IDENTITY, optionsv1.Pii_PII_ADDRESS}},
}

// SeesOwners tells whether somebody with these roles may know at the site whose a car is and was.
func SeesOwners(site Site, have []branchlinev1.Role) bool {
	return MayRead(site, schema.Tie, have) && MayRead(site, schema.Customer, have) && !HideFor(have)(schema.KindOf(schema.Tie).Customer)
}

func (s sight) hides(f *schema.FieldInfo) bool {
	if f.Desc.Parent() == staffDesc() {
		return false // colleagues are no customers
	}
	return slices.Contains(s.pii, f.Pii) ||
		s.prices && f.Format == optionsv1.Format_FORMAT_MONEY ||
		s.customer && (f.Ref == schema.Customer || f.Evidence == optionsv1.Evidence_EVIDENCE_SOURCE_ID)
}

func staffDesc() protoreflect.Descriptor { return schema.KindOf(schema.Staff).Desc }

// HideFor tells which fields somebody with these roles does not see, nor may write: those that every one of the roles
// hides. It is asked of the fields of the messages in a record too. Without a role everything is hidden.
func HideFor(have []branchlinev1.Role) func(*schema.FieldInfo) bool {
	return func(f *schema.FieldInfo) bool {
		for _, r := range have {
			if s, some := blind[r]; known(r) && (!some || !s.hides(f)) {
				return false
			}
		}
		return true
	}
}

func known(r branchlinev1.Role) bool { return IsBranchRole(r) || slices.Contains(HQRoles(), r) }

// HideIn is HideFor for the fields of one record. has tells which of its fields that name a customer, a vehicle or an
// order are set.
//
// What was written down about a customer alone, not about a car or an order, goes with the customer: who sees no
// customers does not see its free text.
func HideIn(k *schema.KindInfo, has func(*schema.FieldInfo) bool, have []branchlinev1.Role) func(*schema.FieldInfo) bool {
	hide := HideFor(have)
	set := func(f *schema.FieldInfo) bool { return f != nil && has(f) }
	if k.Customer == nil || !hide(k.Customer) || !set(k.Customer) || set(k.Vehicle) || set(k.Order) {
		return hide
	}
	return func(f *schema.FieldInfo) bool { return f.Pii == optionsv1.Pii_PII_FREE_TEXT || hide(f) }
}

// holdsHidden tells whether the message that a field holds has a field that is hidden.
func holdsHidden(f *schema.FieldInfo, hide func(*schema.FieldInfo) bool) bool {
	return slices.ContainsFunc(f.Sub, func(s *schema.FieldInfo) bool { return hide(s) || holdsHidden(s, hide) })
}

// Sees tells whether somebody with these roles may know of a record at all, as it is before Strip. What is about a
// customer alone goes with the customer, and would be an empty one otherwise. Papers and signatures, whatever they belong
// to, and pictures of a customer alone tell who somebody is: they are for who sees that. It does not ask MayRead.
func Sees(r *branchlinev1.Record, have []branchlinev1.Role) bool {
	if n := r.GetNote(); n != nil {
		return n.GetCustomer() == "" || n.GetVehicle() != "" || n.GetOrder() != "" || !HideFor(have)(schema.KindOf(schema.Note).Customer)
	}
	if a := r.GetAttachment(); a != nil && HideFor(have)(schema.KindOf(schema.Customer).Field("id_last")) {
		switch a.GetRole() {
		case branchlinev1.AttachmentRole_ATTACHMENT_PHOTO, branchlinev1.AttachmentRole_ATTACHMENT_OLD_PART:
			return a.GetVehicle() != "" || a.GetOrder() != ""
		}
		return false
	}
	return true
}

// Strip takes out of a record, in place, what somebody with these roles does not see (HideIn): fields of its body, with
// where they came from and what lost against them. A record without a body is left as it is. It does not ask MayRead.
func Strip(r *branchlinev1.Record, have []branchlinev1.Role) {
	k, body, err := schema.BodyOf(r)
	if err != nil || k == nil {
		return
	}
	m := body.ProtoReflect()
	hide := HideIn(k, func(f *schema.FieldInfo) bool { return m.Has(f.Desc) }, have)
	r.Sources = slices.DeleteFunc(r.Sources, func(s *branchlinev1.FieldSource) bool {
		f := k.Field(s.GetField())
		return f == nil || hide(f) || holdsHidden(f, hide) // what lost is a text that nothing can be taken out of
	})
	strip(m, k.Fields, hide)
}

func strip(m protoreflect.Message, fields []*schema.FieldInfo, hide func(*schema.FieldInfo) bool) {
	for _, f := range fields {
		switch {
		case !m.Has(f.Desc):
		case hide(f):
			m.Clear(f.Desc)
		case !holdsHidden(f, hide):
		case f.Desc.IsList():
			list := m.Get(f.Desc).List()
			for i := range list.Len() {
				strip(list.Get(i).Message(), f.Sub, hide)
			}
		default:
			strip(m.Get(f.Desc).Message(), f.Sub, hide)
		}
	}
}
