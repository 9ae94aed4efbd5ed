package web

import (
	"cmp"
	"slices"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
	"branchline/schema/phone"
	"branchline/schema/plate"
	"branchline/schema/vin"
	"branchline/sync/desk"
)

// found is a row of results, put together from what the caller may see of the record and of what stands beside it.
func (a *ask) found(h *branchlinev1.SearchHit, q string) (look.FoundItem, bool) {
	r := h.GetRecord()
	item := look.FoundItem{Href: a.Href(r.GetName())}
	var text, meta words
	near := a.beside(h)
	if r.GetHome() != a.branch() && len(r.GetGroup()) < 2 {
		meta.add(a.SiteName(r.GetHome()))
	}
	switch b := r.GetBody().(type) {
	case *branchlinev1.Record_Customer:
		item.Kind, item.Name = a.T("word.customer"), say.Marked(b.Customer.GetName(), q)
		text.add(b.Customer.GetContactName())
		item.Text = append(say.Marked(text.line(), q), phoneFound(b.Customer, q, text.line() != "")...)
		if n := len(r.GetGroup()); n > 1 {
			meta.add(a.T("customer.members", n))
		}
		meta.add(near.cars...)
		item.State = near.open
		meta.add(near.visit)
	case *branchlinev1.Record_Vehicle:
		item.Kind, item.Plate = a.T("word.vehicle"), desk.PlateOf(b.Vehicle)
		text.add(say.Vehicle(b.Vehicle))
		if v := b.Vehicle.GetVin(); item.Plate == "" {
			item.Name = say.Marked(v, q)
		} else if v != "" {
			text.add("VIN " + tailFound(v, q, h.GetMatched()))
		}
		item.Text = say.Marked(text.line(), q)
		meta.add(near.owner)
		item.State = near.open
		meta.add(near.visit)
	case *branchlinev1.Record_ServiceOrder:
		o := b.ServiceOrder
		item.Kind, item.Plate, item.State = a.T("word.order"), o.GetPlate(), orderShown(o)
		if item.Plate == "" {
			item.Name = say.Marked(o.GetNumber(), q)
		} else {
			item.Text = say.Marked(o.GetNumber(), q)
		}
		meta.add(o.GetDay(), o.GetModel(), near.owner)
	default:
		if !a.foundOther(&item, h, q) {
			return item, false
		}
		meta.add(near.plate, near.owner)
	}
	item.Meta = meta.line()
	return item, item.Href != "" && (item.Plate != "" || len(item.Name) > 0)
}

// foundOther is found for the kinds that have no page of their own: the row leads to the order, the car or the customer.
func (a *ask) foundOther(item *look.FoundItem, h *branchlinev1.SearchHit, q string) bool {
	k, m, err := schema.BodyOf(h.GetRecord())
	if err != nil {
		return false
	}
	item.Kind = a.kindWord(k.Kind)
	if item.Kind == "" {
		return false
	}
	value := func(f *schema.FieldInfo) string {
		if f == nil || m.ProtoReflect().Descriptor() != f.Desc.Parent() || !m.ProtoReflect().Has(f.Desc) {
			return ""
		}
		return m.ProtoReflect().Get(f.Desc).String()
	}
	name, sub := h.GetTitle(), h.GetSubtitle()
	if name == h.GetRecord().GetName() { // nothing is said of it but what it is called
		name, sub = cmp.Or(value(k.Number), value(k.Field("name")), value(k.Field("title"))), ""
	}
	if item.Name = say.Marked(name, q); sub == "" {
		sub = value(k.Day)
	}
	item.Text = say.Marked(sub, q)
	for _, f := range []*schema.FieldInfo{k.Order, k.Vehicle, k.Customer} {
		if id := value(f); item.Href == "" && id != "" {
			item.Href = a.Href(schema.KindOf(f.Ref).Collection + "/" + id)
		}
	}
	return len(item.Name) > 0
}

// kindWord is what a record without a page of its own is called among results; "" for what is not shown there.
func (a *ask) kindWord(k schema.Kind) string {
	switch k {
	case schema.ServiceLine:
		return a.T("word.order")
	case schema.Note:
		return a.T("note.one")
	case schema.Appointment:
		return a.T("search.appointment")
	case schema.Package, schema.PackageCard:
		return a.T("search.package")
	case schema.Payment:
		return a.T("search.payment")
	case schema.Settlement:
		return a.T("search.settlement")
	case schema.Contact:
		return a.T("search.contact")
	case schema.InsurancePolicy:
		return a.T("search.policy")
	case schema.Claim:
		return a.T("search.claim")
	case schema.Fapiao:
		return a.T("search.fapiao")
	}
	return ""
}

// beside is what stands beside a hit, in words.
type beside struct {
	cars         []string
	owner, plate string
	open         any    // the state of the open order; nil: there is none
	visit        string // when and where they were last, or the open order's number
}

func (a *ask) beside(h *branchlinev1.SearchHit) (out beside) {
	for _, r := range h.GetBeside() {
		switch b := r.GetBody().(type) {
		case *branchlinev1.Record_Customer:
			if out.owner == "" {
				out.owner = b.Customer.GetName()
			}
		case *branchlinev1.Record_Vehicle:
			out.plate = desk.PlateOf(b.Vehicle)
			car := strings.TrimSpace(plate.Format(out.plate) + " " + say.Vehicle(b.Vehicle))
			if out.plate != "" && !slices.Contains(out.cars, car) { // of two registrations of one customer
				out.cars = append(out.cars, car)
			}
		case *branchlinev1.Record_ServiceOrder:
			o := b.ServiceOrder
			if out.open = orderShown(o); out.open != nil {
				out.visit = o.GetNumber()
			} else if site := o.GetBranch(); site != "" && site != a.branch() {
				out.visit = a.T("search.last_at", o.GetDay(), a.SiteName(site))
			} else if o.GetDay() != "" {
				out.visit = a.T("search.last", o.GetDay())
			}
		}
	}
	return out
}

// orderShown is an order's state while it is open; nil when it is not.
func orderShown(o *branchlinev1.ServiceOrder) any {
	if st := o.GetState(); st != branchlinev1.OrderState_ORDER_STATE_UNSPECIFIED && st < branchlinev1.OrderState_SETTLED {
		return st
	}
	return nil
}

// phoneFound is the phone that was looked for, else the first, shortened, with the end or the beginning marked.
func phoneFound(c *branchlinev1.Customer, q string, behind bool) []look.Piece {
	digits := strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, q)
	var short string
	from, to := 0, 0
	for _, p := range c.GetPhones() {
		for _, n := range phone.Parse(p.GetNumber(), "") {
			d := n.Digits()
			switch {
			case len(digits) >= 3 && strings.HasPrefix(d, digits):
				short, from, to = n.Short(), 0, 3
			case len(digits) >= 4 && strings.HasSuffix(d, digits):
				short, from, to = n.Short(), -4, 0
			case short == "":
				short = n.Short()
			}
		}
	}
	if short == "" {
		return nil
	}
	var out []look.Piece
	if behind {
		out = look.Plain(separator)
	}
	switch s := []rune(short); {
	case from < 0 && len(s) > 4:
		return append(out, look.Piece{Text: string(s[:len(s)-4])}, look.Piece{Text: string(s[len(s)-4:]), Hit: true})
	case to > 0 && len(s) > to:
		return append(out, look.Piece{Text: string(s[:to]), Hit: true}, look.Piece{Text: string(s[to:])})
	}
	return append(out, look.Piece{Text: short})
}

// tailFound is the end of a VIN that people know, or all of it where more was looked for.
func tailFound(v, q, matched string) string {
	n := 6
	if matched == "vin" {
		n = max(n, len(vin.Fold(q)))
	}
	if n >= len(v) {
		return v
	}
	return "…" + vin.Tail(v, n)
}

const separator = " · "

// words are parts of a line; empty ones are left out.
type words []string

func (w *words) add(some ...string) { *w = append(*w, some...) }

func (w words) line() string {
	var out []string
	for _, s := range w {
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, separator)
}
