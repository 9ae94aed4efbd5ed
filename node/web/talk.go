package web

import (
	"cmp"
	"slices"
	"time"

	"branchline/schema"
	"branchline/schema/assent"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/phone"
)

// talk is what an order's page holds of the talk with its customer: answers to lines, lines added one after the other,
// the promised time, and the texts to send.
type talk struct {
	On     bool // the order is at work, and the caller may
	Bar    answerBar
	Quick  quickLine
	Pack   packForm
	Due    promisePanel
	Tell   string // the page of texts; "" for who may not
	Said   string // what was just written down, a finished sentence
	Moved  bool   // a line changed before its answer came
	Split  []savedRow
	Asking bool // lines wait for an answer
}

// answerBar is who gives the answers that are taken on the order's page, and what a no comes with.
type answerBar struct {
	Action, Page string
	Request      string
	Who          sayer
	Reasons      []option
	Until        []option
}

// sayer is who may say yes or no for an order, and on which phones, as far as is known.
type sayer struct {
	Name   string
	Phone  string
	Phones []string

	customer *branchlinev1.Customer // nil where there is none, or the caller sees none
}

// talk fills in the panels. lines are the order's, in their order.
func (s *Site) talk(a *ask, v *orderView, r *branchlinev1.Record, lines []*branchlinev1.Record) (talk, error) {
	o := r.GetServiceOrder()
	var t talk
	var err error
	if t.Due, err = s.promisePanel(a, r); err != nil {
		return t, err
	}
	if v.Prices {
		t.Split = a.split(lines)
	}
	if v.Prices && a.May("GET /serviceOrders/{id}/tell") {
		t.Tell = "/" + r.GetName() + "/tell"
	}
	t.On = v.Mine && o.GetState() < branchlinev1.OrderState_SETTLED && o.GetRetiredAt() == 0
	if !t.On {
		return t, nil
	}
	if t.Quick, err = a.quickLine(r.GetName(), o, lines); err != nil {
		return t, err
	}
	if t.Pack, err = s.packForm(a, r); err != nil {
		return t, err
	}
	if !v.Prices || !a.May("POST /serviceOrders/{id}/answer") {
		return t, nil
	}
	t.Asking = slices.ContainsFunc(lines, func(l *branchlinev1.Record) bool { return assent.Open(l.GetServiceLine()) })
	if t.Bar, err = s.answerBar(a, r); err != nil {
		return t, err
	}
	t.Moved = a.Query("moved") == "lines"
	if a.Query("said") != "" {
		t.Said = a.T("ask_line.said")
	}
	a.nextAnswer(v, lines, t)
	return t, nil
}

func (s *Site) answerBar(a *ask, r *branchlinev1.Record) (answerBar, error) {
	b := answerBar{Action: "/" + r.GetName() + "/answer", Page: "/" + r.GetName() + "/answer", Reasons: a.noReasons(), Until: a.untils()}
	var err error
	if b.Request, err = a.requestID(); err != nil {
		return b, err
	}
	b.Who, err = s.sayer(a, r.GetServiceOrder())
	return b, err
}

// nextAnswer makes asking the page's main button where lines wait for the customer.
func (a *ask) nextAnswer(v *orderView, lines []*branchlinev1.Record, t talk) {
	if !t.Asking {
		return
	}
	extra := slices.ContainsFunc(lines, func(l *branchlinev1.Record) bool {
		return assent.Open(l.GetServiceLine()) && assent.StandsStill(l.GetServiceLine())
	})
	key := ""
	switch {
	case extra:
		key = "ask_line.ask_extra"
	case v.State == branchlinev1.OrderState_QUOTED:
		key = "ask_line.write_answer"
	case v.State < branchlinev1.OrderState_QUOTED && v.State != branchlinev1.OrderState_BOOKED:
		key = "ask_line.ask_quote"
	default:
		return
	}
	v.Next = &nextState{Text: a.T(key), Href: t.Bar.Page}
}

// sayer is the person who brought the car, else the customer, with the numbers they may be reached at.
func (s *Site) sayer(a *ask, o *branchlinev1.ServiceOrder) (sayer, error) {
	out := sayer{Name: o.GetBroughtBy()}
	if p := o.GetBroughtPhone(); p != "" {
		out.Phones = append(out.Phones, p)
	}
	if o.GetCustomer() != "" && a.Reads(schema.Customer) {
		r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "customers/" + o.GetCustomer(), Golden: true})
		if err != nil && !isMissing(err) {
			return out, err
		}
		c := r.GetCustomer()
		out.customer = c
		out.Name = cmp.Or(out.Name, c.GetContactName(), c.GetName())
		for _, p := range c.GetPhones() {
			for _, n := range phone.Parse(p.GetNumber(), "") {
				if text := n.Format(); !slices.Contains(out.Phones, text) {
					out.Phones = append(out.Phones, text)
				}
			}
		}
	}
	if len(out.Phones) > 0 {
		out.Phone = out.Phones[0]
	}
	here := a.T("ask_line.in_person")
	out.Phones = append(out.Phones, here)
	out.Phone = cmp.Or(out.Phone, here)
	return out, nil
}

// noReasons are why customers say no, the commonest first.
func (a *ask) noReasons() []option {
	var out []option
	for _, key := range []string{"ask_line.why_later", "ask_line.why_price", "ask_line.why_elsewhere", "ask_line.why_talk", "ask_line.why_needless"} {
		text := a.T(key)
		out = append(out, option{text, text})
	}
	return out
}

// untils are the days a declined line is asked about again, the usual one first.
func (a *ask) untils() []option {
	today := time.UnixMilli(a.Now).In(a.s.c.ZoneNow())
	var out []option
	for _, months := range []int{3, 1, 6, 12} {
		day := monthsOn(today, months).Format(time.DateOnly)
		out = append(out, option{day, a.T("ask_line.in_months", months, day)})
	}
	return append(out, option{"", a.T("ask_line.not_again")})
}

// monthsOn is the same day of a later month, or its last where it has none such.
func monthsOn(t time.Time, months int) time.Time {
	out := t.AddDate(0, months, 0)
	if out.Day() != t.Day() {
		out = out.AddDate(0, 0, -out.Day())
	}
	return out
}

// split is what the lines that are to be done, or were, cost by kind: labour and parts apart.
func (a *ask) split(lines []*branchlinev1.Record) []savedRow {
	sums, currency := map[branchlinev1.LineKind]int64{}, "CNY"
	for _, r := range lines {
		if l := r.GetServiceLine(); assent.Said(l) {
			sums[l.GetKind()] += assent.Price(l)
			currency = cmp.Or(l.GetCurrency(), currency)
		}
	}
	var out []savedRow
	for k := branchlinev1.LineKind_LABOUR; k <= branchlinev1.LineKind_PACKAGE_USE; k++ {
		if sums[k] != 0 {
			out = append(out, savedRow{a.s.look.Word(a.Lang, "kind", k), look.Money(sums[k], currency)})
		}
	}
	return out
}
