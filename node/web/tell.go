package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	"branchline/schema/assent"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/code"
	"branchline/schema/plate"
)

// tellView is a text for the customer: to copy, or to take over with a phone. Sending it is the clerk's; that it was sent
// is written down as a talk.
type tellView struct {
	look.Frame
	Number  string
	Back    string
	Action  string
	Request string
	About   string // which text it is
	Abouts  []tabLink
	Tongue  look.Lang // the customer's
	Tongues []tabLink
	Text    string
	Dots    string // the QR, as a path; "" when the text is too long for one
	Size    int
	Who     sayer
	Ways    []option
	Fault   string
}

type tabLink struct {
	Href, Text string
	On         bool
}

// tellings are what customers are told about an order, with the words for each.
func tellings() []option {
	return []option{
		{"quote", "tell.about_quote"}, {"extra", "tell.about_extra"}, {"ready", "tell.about_ready"}, {"parts", "tell.about_parts"}, {"promise", "tell.about_promise"},
	}
}

// subject is the key of the words for what a text is about; "" for no such text.
func subject(about string) string {
	for _, x := range tellings() {
		if x.Value == about {
			return x.Text
		}
	}
	return ""
}

// telling is what there is to tell now.
func telling(o *branchlinev1.ServiceOrder, lines []*branchlinev1.Record) string {
	has := func(f func(*branchlinev1.ServiceLine) bool) bool {
		return slices.ContainsFunc(lines, func(r *branchlinev1.Record) bool { return f(r.GetServiceLine()) })
	}
	switch {
	case has(func(l *branchlinev1.ServiceLine) bool { return assent.Open(l) && assent.StandsStill(l) }):
		return "extra"
	case has(partsToTell) && (o.GetState() < branchlinev1.OrderState_READY || o.GetState() == branchlinev1.OrderState_HANDED_OVER):
		return "parts"
	case o.GetState() >= branchlinev1.OrderState_READY:
		return "ready"
	case has(assent.Open):
		return "quote"
	case o.GetPromisedAt() != 0:
		return "promise"
	}
	return "quote"
}

// partsToTell tells whether a line's parts have come, are to be fitted and its customer was not told.
func partsToTell(l *branchlinev1.ServiceLine) bool {
	return partCame(l) && l.GetPartsToldAt() < l.GetPartsArrivedAt()
}

// partCame tells whether a line's part has come and is still to be fitted.
func partCame(l *branchlinev1.ServiceLine) bool {
	return l.GetPartsArrivedAt() != 0 && l.GetState() != branchlinev1.LineState_LINE_DECLINED && l.GetState() != branchlinev1.LineState_LINE_DONE
}

// orderTell is the page of a text.
func (s *Site) orderTell(a *ask) error {
	return s.showTell(a, http.StatusOK, a.Query("about"), a.Query("in"), "", "")
}

func (s *Site) showTell(a *ask, status int, about, in, text, fault string) error {
	r, lines, err := s.orderOf(a, a.id)
	if err != nil {
		return err
	}
	name, o := r.GetName(), r.GetServiceOrder()
	if subject(about) == "" {
		about = telling(o, lines)
	}
	v := tellView{
		Frame: a.frame(a.T("tell.title"), "orders"), Number: o.GetNumber(), Back: "/" + name, Action: "/" + name + "/tell", About: about, Text: text, Fault: fault,
	}
	v.Touch = true
	if v.Request, err = a.requestID(); err != nil {
		return err
	}
	if v.Who, err = s.sayer(a, o); err != nil {
		return err
	}
	tongue, err := a.tongue(in, v.Who.customer)
	if err != nil {
		return err
	}
	v.Tongue = tongue
	for _, x := range tellings() {
		v.Abouts = append(v.Abouts, tabLink{"/" + name + "/tell?about=" + x.Value + "&in=" + string(tongue), a.T(x.Text), x.Value == about})
	}
	v.Tongues = a.tongues("/"+name+"/tell", url.Values{"about": {about}}, tongue)
	v.Ways = []option{{"wechat", a.T("tell.by_wechat")}, {"sms", a.T("tell.by_sms")}, {"phone", a.T("tell.by_phone")}}
	if v.Text == "" {
		if v.Text, err = s.words(a, tongue, about, o, lines, v.Who.Name); err != nil {
			return err
		}
	}
	if dots, err := code.QR(v.Text); err == nil { // one too long for a QR is copied
		v.Dots, v.Size = dots.Path(), dots.Size()
	}
	return s.pages.tell.Render(a.W, status, v)
}

// maxTold bounds the lines a text names: a customer reads it on a phone.
const maxTold = 8

// words is a text in the customer's language.
func (s *Site) words(a *ask, tongue look.Lang, about string, o *branchlinev1.ServiceOrder, lines []*branchlinev1.Record, name string) (string, error) {
	t := func(key string, args ...any) string { return s.look.T(tongue, key, args...) }
	car := strings.TrimSpace(plate.Format(o.GetPlate()))
	out := []string{t("tell.dear", name, a.SiteName(o.GetBranch()))}
	if name == "" {
		out[0] = t("tell.hello", a.SiteName(o.GetBranch()))
	}
	switch about {
	case "quote", "extra":
		first, last := "tell.quote", "tell.quote_then"
		if about == "extra" {
			first, last = "tell.extra", "tell.extra_then"
		}
		out = append(out, t(first, car))
		rows, sum := told(tongue, s.look, lines, func(l *branchlinev1.ServiceLine) bool {
			return assent.Open(l) && (about == "quote" || assent.StandsStill(l))
		})
		out = append(append(out, rows...), t("tell.sum", sum), t(last))
	case "ready":
		text := t("tell.ready", car)
		open, err := s.openAmount(a)
		if err != nil {
			return "", err
		}
		if open != "" {
			text += t("tell.to_pay", open)
		}
		out = append(out, text)
	case "parts":
		var parts []string
		for _, r := range lines {
			if l := r.GetServiceLine(); partsToTell(l) {
				parts = append(parts, cmp.Or(l.GetPartName(), l.GetItem()))
			}
		}
		out = append(out, t("tell.parts", car, strings.Join(parts, t("say.comma"))))
	case "promise":
		text := t("tell.promise", car, s.look.When(tongue, a.Now, o.GetPromisedAt()))
		if c := o.GetPromises(); len(c) > 0 {
			text += t("tell.reason", slices.MaxFunc(c, func(x, y *branchlinev1.PromiseChange) int { return cmp.Compare(x.GetAt(), y.GetAt()) }).GetReason())
		}
		out = append(out, text)
	}
	if who := a.Names().Person(a.Who.Staff); who != "" {
		out = append(out, t("tell.from", a.SiteName(a.branch()), who))
	}
	return strings.Join(out, "\n"), nil
}

// told are lines as a text names them, and what the customer pays for them.
func told(tongue look.Lang, l *look.Look, lines []*branchlinev1.Record, which func(*branchlinev1.ServiceLine) bool) (rows []string, sum string) {
	var total int64
	n, currency := 0, "CNY"
	for _, r := range lines {
		x := r.GetServiceLine()
		if !which(x) {
			continue
		}
		currency = cmp.Or(x.GetCurrency(), currency)
		amount := look.Money(assent.Price(x), currency)
		if x.GetPayer() > branchlinev1.Payer_PAYER_CUSTOMER {
			amount = l.Word(tongue, "payer", x.GetPayer())
		} else {
			total += assent.Price(x)
		}
		if n++; n <= maxTold {
			rows = append(rows, strconv.Itoa(n)+". "+cmp.Or(x.GetItem(), x.GetPartName())+" "+amount)
		}
	}
	if n > maxTold {
		rows = append(rows, l.T(tongue, "tell.and_more", n-maxTold))
	}
	return rows, look.Money(total, currency)
}

// openAmount is what the customer still has to pay; "" for nothing, or where the caller may not see accounts.
func (s *Site) openAmount(a *ask) (string, error) {
	acc, err := s.c.Counter.GetAccount(a.R.Context(), &branchlinev1.GetAccountRequest{Order: "serviceOrders/" + a.id})
	if errors.Is(err, schema.ErrForbidden) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, p := range acc.GetPayers() {
		if p.GetPayer() == branchlinev1.Payer_PAYER_CUSTOMER && p.GetOpen() > 0 {
			return look.Money(p.GetOpen(), acc.GetCurrency()), nil
		}
	}
	return "", nil
}

// orderTold writes down that a text was sent. A quote that goes out makes its order QUOTED, where it was not asked yet.
func (s *Site) orderTold(a *ask) error {
	name, about, said := "serviceOrders/"+a.id, a.Form("about"), strings.ReplaceAll(a.Form("text"), "\r\n", "\n")
	if said == "" {
		return s.showTell(a, http.StatusBadRequest, about, a.Form("in"), "", a.T("tell.nothing"))
	}
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return err
	}
	o := r.GetServiceOrder()
	channel := branchlinev1.ContactChannel_CHANNEL_MESSAGE
	if a.Form("by") == "phone" {
		channel = branchlinev1.ContactChannel_CHANNEL_PHONE
	}
	title := a.T(cmp.Or(subject(about), "tell.title"))
	_, err = s.c.Records.CreateRecord(a.R.Context(), &branchlinev1.CreateRecordRequest{
		Record: &branchlinev1.Record{Body: &branchlinev1.Record_Contact{Contact: &branchlinev1.Contact{
			Order: proto.String(a.id), Customer: o.Customer, Vehicle: o.Vehicle, Channel: channel.Enum(), Direction: branchlinev1.Direction_DIRECTION_OUT.Enum(),
			Outcome: branchlinev1.ContactOutcome_CONTACT_REACHED.Enum(), Subject: &title, Text: &said, Phone: text(a.Form("phone")),
		}}},
		RequestId: a.Form("request_id"),
	})
	if errors.Is(err, schema.ErrInvalid) && len(violations(err)) > 0 {
		x, _ := a.refuse("tell", err)
		return s.showTell(a, http.StatusBadRequest, about, a.Form("in"), said, x.fault)
	}
	if err != nil {
		return err
	}
	if about == "quote" && (o.GetState() == branchlinev1.OrderState_RECEIVED || o.GetState() == branchlinev1.OrderState_DIAGNOSING) && r.GetHome() == a.branch() {
		_, err := s.c.Records.UpdateRecord(a.R.Context(), &branchlinev1.UpdateRecordRequest{
			Record: &branchlinev1.Record{Name: name, Etag: r.GetEtag(), Body: &branchlinev1.Record_ServiceOrder{ServiceOrder: &branchlinev1.ServiceOrder{
				State: branchlinev1.OrderState_QUOTED.Enum(),
			}}},
			UpdateMask: []string{"state"},
		})
		if err != nil && !errors.Is(err, schema.ErrConflict) { // another desk has moved it on
			return err
		}
	}
	return a.GoTo("/" + name + "?told=1")
}
