package web

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/sync/desk"
)

// contactList are the talks with one customer, at any site, the newest first.
type contactList struct {
	Show bool
	New  string
	List []contactRow
	More string
}

type contactRow struct {
	Text, Meta, Href string
	Own              bool
	Next             string // what is still to be done
	Due              bool
	Done             string // where that is said to be done
	Etag             string
}

const fewContacts = 8

// contacts are those of a customer's whole group.
func (a *ask) contacts(customer string) (contactList, error) {
	if !a.Reads(schema.Contact) {
		return contactList{}, nil
	}
	out := contactList{Show: true}
	if a.Writes(schema.Contact) {
		out.New = "/contacts/new?customer=" + idOf(customer)
	}
	all, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "contacts", Customer: customer, OrderBy: "day desc"})
	if err != nil {
		return out, err
	}
	slices.SortStableFunc(all, func(x, y *branchlinev1.Record) int {
		return cmp.Compare(y.GetContact().GetAt(), x.GetContact().GetAt())
	})
	for i, r := range all {
		if i == fewContacts {
			out.More = a.T("contact.more", len(all)-fewContacts)
			break
		}
		out.List = append(out.List, a.contactRow(r))
	}
	return out, nil
}

func (a *ask) contactRow(r *branchlinev1.Record) contactRow {
	c := r.GetContact()
	how := a.s.look.Word(a.Lang, "contactway", wayOf(c))
	row := contactRow{Text: how, Own: c.GetBranch() == a.branch(), Etag: r.GetEtag()}
	if said := strings.Join(nonEmpty(c.GetSubject(), c.GetText()), " · "); said != "" {
		row.Text = a.T("contact.said", how, said)
	}
	meta := []string{a.SiteName(c.GetBranch()) + " " + a.s.look.When(a.Lang, a.Now, c.GetAt())}
	if o := c.GetOutcome(); o != 0 {
		meta = append(meta, a.enumWord(schema.Contact, "outcome", int32(o)))
	}
	if who := a.Names().Person(c.GetBy()); who != "" {
		meta = append(meta, who)
	}
	row.Meta = strings.Join(meta, " · ")
	if a.Writes(schema.Contact) {
		row.Href = "/" + r.GetName() + "/edit"
	}
	if c.GetNextDoneAt() == 0 && (c.GetNextStep() != "" || c.GetNextOn() != "") {
		row.Next = strings.TrimSpace(c.GetNextOn() + " " + c.GetNextStep())
		row.Due = c.GetNextOn() != "" && c.GetNextOn() <= a.today()
		if a.Writes(schema.Contact) {
			row.Done = "/" + r.GetName() + "/done"
		}
	}
	return row
}

// wayOf names the words for who called or wrote to whom.
func wayOf(c *branchlinev1.Contact) string {
	way := strings.TrimPrefix(c.GetChannel().String(), "CHANNEL_")
	if c.GetDirection() == branchlinev1.Direction_DIRECTION_IN {
		return way + "_IN"
	}
	return way + "_OUT"
}

func nonEmpty(all ...string) []string {
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

func contactEditor() editor {
	return editor{
		kind: schema.Contact, active: "customers",
		fields:   []string{"customer", "vehicle", "order", "channel", "direction", "outcome", "subject", "text", "phone", "next_step", "next_on", "next_done_at"},
		sections: contactSections, read: readContact,
		title: func(a *ask, m proto.Message) string {
			return cmp.Or(m.(*branchlinev1.Contact).GetSubject(), a.T("contact.title"))
		},
		page: func(m proto.Message) string { return "/customers/" + m.(*branchlinev1.Contact).GetCustomer() },
	}
}

func contactSections(a *ask, m proto.Message, bad faults) []section {
	c := m.(*branchlinev1.Contact)
	k := schema.KindOf(schema.Contact)
	field := func(in input) input {
		in.Label = a.label(k, in.Name)
		return bad.put(in)
	}
	way := input{Name: "way", Type: "select", Label: a.T("contact.way"), Value: wayOf(c), Focus: true}
	for _, w := range contactWays() {
		way.Options = append(way.Options, option{w, a.s.look.Word(a.Lang, "contactway", w)})
	}
	outcome := a.enumInput(schema.Contact, "outcome", int32(c.GetOutcome()))
	return []section{
		{Title: a.T("contact.title"), Rows: [][]input{
			{bad.put(way), field(outcome), field(input{Name: "phone", Type: "tel", Value: c.GetPhone(), Max: 40})},
			{field(input{Name: "subject", Value: c.GetSubject(), Max: 200}), field(input{Name: "text", Type: "area", Value: c.GetText(), Class: "w2"})},
		}},
		{Title: a.T("contact.next"), Rows: [][]input{
			{field(input{Name: "next_on", Type: "date", Value: c.GetNextOn()}), field(input{Name: "next_step", Value: c.GetNextStep(), Max: 300, Class: "w2"})},
		}},
	}
}

// contactWays are the channels with who began, the commonest first.
func contactWays() []string {
	return []string{"PHONE_OUT", "PHONE_IN", "MESSAGE_OUT", "MESSAGE_IN", "VISIT_IN", "VISIT_OUT", "MAIL_OUT", "MAIL_IN"}
}

func readContact(a *ask, m proto.Message) faults {
	c, bad := m.(*branchlinev1.Contact), faults{}
	channel, direction, ok := strings.Cut(a.Form("way"), "_")
	if !ok || !slices.Contains(contactWays(), a.Form("way")) {
		bad["way"] = fault{text: a.T("contact.need_way")}
	} else {
		c.Channel = branchlinev1.ContactChannel(branchlinev1.ContactChannel_value["CHANNEL_"+channel]).Enum()
		c.Direction = branchlinev1.Direction(branchlinev1.Direction_value["DIRECTION_"+direction]).Enum()
	}
	setEnum(c, "outcome", a.Form("outcome"))
	for _, f := range []string{"subject", "phone", "next_step"} {
		setText(c, f, a.Form(f))
	}
	setText(c, "text", strings.ReplaceAll(a.Form("text"), "\r\n", "\n"))
	setText(c, "next_on", a.day(bad, "next_on", a.Form("next_on")))
	for _, f := range []struct {
		name string
		put  func(*string)
	}{{"customer", func(v *string) { c.Customer = v }}, {"vehicle", func(v *string) { c.Vehicle = v }}, {"order", func(v *string) { c.Order = v }}} {
		if v := a.Form(f.name); v != "" {
			f.put(&v)
		}
	}
	if c.GetCustomer() == "" {
		bad["way"] = fault{text: a.T("contact.need_customer")}
	}
	return bad
}

// about are the hidden inputs that say what a new record is about, from the address or the form.
func (a *ask) about(get func(string) string, names ...string) []hidden {
	var out []hidden
	for _, n := range names {
		if _, err := schema.ParseRecordID(get(n)); err == nil {
			out = append(out, hidden{n, get(n)})
		}
	}
	return out
}

func (s *Site) contactNew(a *ask) error {
	c := &branchlinev1.Contact{Customer: text(a.Query("customer")), Channel: branchlinev1.ContactChannel_CHANNEL_PHONE.Enum(), Direction: branchlinev1.Direction_DIRECTION_OUT.Enum()}
	if p := a.Query("phone"); p != "" && len(p) <= 40 {
		c.Phone = &p
	} else if who, err := a.whom(schema.KindOf(schema.Contact), c); err != nil {
		return err
	} else if phones := who.GetCustomer().GetPhones(); len(phones) > 0 {
		c.Phone = phones[desk.Preferred(who, "phones", len(phones))].Number
	}
	return s.newPage(a, contactEditor(), a.T("contact.new"), a.about(a.Query, "customer", "vehicle", "order"), c)
}

func (s *Site) contactCreate(a *ask) error {
	return s.create(a, contactEditor(), a.T("contact.new"), a.about(a.Form, "customer", "vehicle", "order"), func(r *branchlinev1.Record) (string, error) {
		return contactEditor().page(r.GetContact()), nil
	})
}

func (s *Site) contactEdit(a *ask) error   { return s.editPage(a, contactEditor()) }
func (s *Site) contactUpdate(a *ask) error { return s.update(a, contactEditor()) }

// contactDone says that the next step was taken.
func (s *Site) contactDone(a *ask) error {
	r := &branchlinev1.Record{Name: "contacts/" + a.id, Etag: a.Form("etag"), Body: &branchlinev1.Record_Contact{Contact: &branchlinev1.Contact{NextDoneAt: &a.Now}}}
	done, err := s.c.Records.UpdateRecord(a.R.Context(), &branchlinev1.UpdateRecordRequest{Record: r, UpdateMask: []string{"next_done_at"}})
	if err != nil {
		return err
	}
	return a.GoTo(contactEditor().page(done.GetContact()))
}
