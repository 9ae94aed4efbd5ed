package web

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/phone"
)

func customerEditor() editor {
	return editor{
		kind: schema.Customer, active: "customers",
		fields: []string{
			"type", "name", "phones", "emails", "addresses", "contact_name", "birthday", "status", "language", "preferred_channel",
			"consent_marketing", "consent_sharing", "consent_survey", "remark",
			"value_class", "key_account", "deal_classes", "member_class",
		},
		sections: customerSections, read: readCustomer,
		title: func(_ *ask, m proto.Message) string { return m.(*branchlinev1.Customer).GetName() },
	}
}

// editable tells whether the form of a kind holds a field.
func editable(k schema.Kind, field string) bool {
	e := customerEditor()
	if k == schema.Vehicle {
		e = vehicleEditor()
	}
	for _, f := range e.fields {
		if f == field {
			return true
		}
	}
	return false
}

func customerSections(a *ask, m proto.Message, bad faults) []section {
	c := m.(*branchlinev1.Customer)
	k := schema.KindOf(schema.Customer)
	field := func(in input) input {
		if in.Label == "" {
			in.Label = a.label(k, in.Name)
		}
		return bad.put(in)
	}
	number := func(n int32) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(int(n))
	}
	who := section{Title: a.T("form.who"), Rows: [][]input{
		{
			field(input{Name: "name", Value: c.GetName(), Class: "w2", Max: 200, Required: true, Focus: c.GetName() == "" || bad["name"].text != "", Anchor: "f-name"}),
			field(input{Name: "type", Type: "select", Value: number(int32(c.GetType())), Anchor: "f-type", Options: []option{
				{"", a.T("form.not_said")}, {"1", a.T("customertype.PERSON")}, {"2", a.T("customertype.COMPANY")},
			}}),
		},
		{
			field(input{Name: "contact_name", Value: c.GetContactName(), Max: 100, Anchor: "f-contact_name", Hint: a.T("form.contact_hint")}),
			field(input{Name: "birthday", Type: "date", Value: c.GetBirthday(), Anchor: "f-birthday"}),
		},
	}}
	classed := section{Title: a.T("form.class"), Rows: [][]input{
		{
			field(input{Name: "status", Type: "select", Value: number(int32(c.GetStatus())), Anchor: "f-status", Options: []option{
				{"", a.T("form.not_said")}, {"1", a.T("customerstatus.POTENTIAL")}, {"2", a.T("customerstatus.FORMAL")}, {"3", a.T("customerstatus.KEY")},
			}}),
			field(input{Name: "value_class", Type: "select", Value: number(c.GetValueClass()), Anchor: "f-value_class", Options: []option{
				{"", a.T("form.not_said")}, {"1", a.T("form.class_n", 1)}, {"2", a.T("form.class_n", 2)}, {"3", a.T("form.class_n", 3)}, {"4", a.T("form.class_n", 4)},
			}}),
			field(anchored(a.enumInput(schema.Customer, "key_account", int32(c.GetKeyAccount())))),
			field(input{Name: "member_class", Value: c.GetMemberClass(), Max: 40, Anchor: "f-member_class"}),
		},
	}}
	deals := []input{}
	for n := int32(1); n < int32(len(branchlinev1.DealClass_name)); n++ {
		v := "no"
		if slices.Contains(c.GetDealClasses(), branchlinev1.DealClass(n)) {
			v = "yes"
		}
		in := input{
			Name: "deal_classes." + number(n), Label: a.enumWord(schema.Customer, "deal_classes", n), Type: "select", Value: v,
			Options: []option{{"no", a.T("say.no")}, {"yes", a.T("say.yes")}},
		}
		if n == 1 {
			in.Anchor, in.Hint = "f-deal_classes", a.T("form.deal_hint")
		}
		deals = append(deals, field(in))
	}
	classed.Rows = append(classed.Rows, deals)
	out := []section{who}
	if a.sees(schema.Customer, "phones") {
		phones := section{Title: a.label(k, "phones"), Anchor: "f-phones"}
		for i, p := range append(c.GetPhones(), &branchlinev1.Phone{}) {
			prefix := "phones." + strconv.Itoa(i)
			phones.Rows = append(phones.Rows, []input{
				field(input{Name: prefix + ".number", Label: a.T("form.nth", a.T("word.phone"), i+1), Type: "tel", Value: p.GetNumber(), Max: 40}),
				field(input{Name: prefix + ".label", Label: a.T("form.what_for"), Value: p.GetLabel(), Max: 40}),
			})
		}
		last := phones.Rows[len(phones.Rows)-1]
		if last[0].Hint = a.T("form.phone_hint"); len(phones.Rows) > 1 {
			last[0].Hint = a.T("form.clear_hint")
		}
		mails := section{Title: a.label(k, "emails"), Anchor: "f-emails"}
		for i, e := range append(c.GetEmails(), "") {
			mails.Rows = append(mails.Rows, []input{
				field(input{Name: "emails." + strconv.Itoa(i), Label: a.T("form.nth", a.T("form.email"), i+1), Type: "text", Mode: "email", Value: e, Max: 200}),
			})
		}
		out = append(out, phones, mails)
	}
	if a.sees(schema.Customer, "addresses") {
		for i, d := range append(c.GetAddresses(), &branchlinev1.Address{}) {
			prefix := "addresses." + strconv.Itoa(i) + "."
			s := section{Title: a.T("form.nth", a.T("word.address"), i+1), Rows: [][]input{
				{
					field(input{Name: prefix + "region", Label: a.T("form.region"), Value: d.GetRegion(), Max: 60}),
					field(input{Name: prefix + "city", Label: a.T("form.city"), Value: d.GetCity(), Max: 60}),
					field(input{Name: prefix + "district", Label: a.T("form.district"), Value: d.GetDistrict(), Max: 60}),
				},
				{
					field(input{Name: prefix + "street", Label: a.T("form.street"), Value: d.GetStreet(), Max: 300, Class: "w2"}),
					field(input{Name: prefix + "postcode", Label: a.T("form.postcode"), Value: d.GetPostcode(), Max: 20, Mode: "numeric"}),
				},
			}}
			if i == 0 {
				s.Anchor = "f-addresses"
			}
			out = append(out, s)
		}
	}
	consent := func(name string, c *branchlinev1.Consent) input {
		v := ""
		if c != nil {
			v = "no"
			if c.GetGiven() {
				v = "yes"
			}
		}
		return field(input{Name: name, Type: "select", Value: v, Anchor: "f-" + name, Options: []option{
			{"", a.T("form.not_asked")}, {"yes", a.T("say.agreed")}, {"no", a.T("say.refused")},
		}})
	}
	return append(out, classed, section{Title: a.T("form.contact"), Rows: [][]input{
		{
			consent("consent_marketing", c.GetConsentMarketing()), consent("consent_sharing", c.GetConsentSharing()),
			consent("consent_survey", c.GetConsentSurvey()),
		},
		{
			field(anchored(a.enumInput(schema.Customer, "language", int32(c.GetLanguage())))),
			field(input{Name: "preferred_channel", Value: c.GetPreferredChannel(), Max: 40, Anchor: "f-preferred_channel"}),
			field(input{Name: "remark", Type: "area", Value: c.GetRemark(), Class: "w2", Anchor: "f-remark"}),
		},
	}})
}

func readCustomer(a *ask, m proto.Message) faults {
	c, bad := m.(*branchlinev1.Customer), faults{}
	setText(c, "name", a.Form("name"))
	if a.Form("name") == "" {
		bad["name"] = fault{text: a.T("form.need_name")}
	}
	setText(c, "contact_name", a.Form("contact_name"))
	setText(c, "birthday", a.day(bad, "birthday", a.Form("birthday")))
	setText(c, "preferred_channel", a.Form("preferred_channel"))
	setText(c, "remark", strings.ReplaceAll(a.Form("remark"), "\r\n", "\n"))
	setEnum(c, "type", a.Form("type"))
	setEnum(c, "status", a.Form("status"))
	setEnum(c, "key_account", a.Form("key_account"))
	setEnum(c, "language", a.Form("language"))
	setText(c, "member_class", a.Form("member_class"))
	c.ValueClass = nil
	if n, err := strconv.ParseInt(a.Form("value_class"), 10, 32); err == nil && n >= 1 && n <= 4 {
		c.ValueClass = proto.Int32(int32(n))
	}
	c.DealClasses = nil
	for n := int32(1); n < int32(len(branchlinev1.DealClass_name)); n++ {
		if a.Form("deal_classes."+strconv.Itoa(int(n))) == "yes" {
			c.DealClasses = append(c.DealClasses, branchlinev1.DealClass(n))
		}
	}
	if a.sees(schema.Customer, "phones") {
		c.Phones = nil
		n := -1
		a.rows("phones", func(part func(string) string) {
			n++
			number := part("number")
			if number == "" {
				return
			}
			if len(phone.Parse(number, "")) == 0 {
				bad["phones."+strconv.Itoa(len(c.Phones))+".number"] = fault{text: a.T("form.bad_phone")}
			}
			c.Phones = append(c.Phones, &branchlinev1.Phone{Number: proto.String(number), Label: text(part("label"))})
		})
		c.Emails = nil
		a.rows("emails", func(part func(string) string) {
			mail := part("")
			if mail == "" {
				return
			}
			if at := strings.LastIndexByte(mail, '@'); at < 1 || at == len(mail)-1 || strings.ContainsAny(mail, " \t") {
				bad["emails."+strconv.Itoa(len(c.Emails))] = fault{text: a.T("form.bad_email")}
			}
			c.Emails = append(c.Emails, mail)
		})
	}
	if a.sees(schema.Customer, "addresses") {
		c.Addresses = nil
		a.rows("addresses", func(part func(string) string) {
			d := &branchlinev1.Address{
				Region: text(part("region")), City: text(part("city")), District: text(part("district")),
				Street: text(part("street")), Postcode: text(part("postcode")),
			}
			if proto.Size(d) > 0 {
				c.Addresses = append(c.Addresses, d)
			}
		})
	}
	c.ConsentMarketing = a.consent(c.GetConsentMarketing(), a.Form("consent_marketing"))
	c.ConsentSharing = a.consent(c.GetConsentSharing(), a.Form("consent_sharing"))
	c.ConsentSurvey = a.consent(c.GetConsentSurvey(), a.Form("consent_survey"))
	return bad
}

// anchored is an input that the page's rows lead to.
func anchored(in input) input {
	in.Anchor = "f-" + in.Name
	return in
}

// consent is what the customer said to one purpose: today and at this desk, when it is another answer than before.
func (a *ask) consent(before *branchlinev1.Consent, said string) *branchlinev1.Consent {
	if said != "yes" && said != "no" {
		return nil
	}
	if before != nil && before.GetGiven() == (said == "yes") {
		return before
	}
	return &branchlinev1.Consent{Given: proto.Bool(said == "yes"), Channel: proto.String("counter"), Day: proto.String(a.today())}
}

// text is a value, nil for none.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func (s *Site) customerEdit(a *ask) error    { return s.editPage(a, identified(customerEditor())) }
func (s *Site) customerUpdate(a *ask) error  { return s.update(a, identified(customerEditor())) }
func (s *Site) customerRestore(a *ask) error { return s.restore(a, customerEditor()) }

func (s *Site) customerKeep(a *ask) error { return s.keep(a, customerEditor()) }

func (s *Site) customerNew(a *ask) error {
	c := &branchlinev1.Customer{Name: text(a.Query("name"))}
	if p := a.Query("phone"); p != "" && len(p) <= 40 {
		c.Phones = []*branchlinev1.Phone{{Number: proto.String(p)}}
	}
	return s.newPage(a, newCustomerEditor(), a.T("customer.new"), nil, c)
}

func (s *Site) customerCreate(a *ask) error {
	return s.create(a, newCustomerEditor(), a.T("customer.new"), nil, func(r *branchlinev1.Record) (string, error) {
		return cmp.Or(a.carOf(idOf(r.GetName())), "/"+r.GetName()), nil
	})
}
