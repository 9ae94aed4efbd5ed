package web

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// promisePanel is the time an order is promised for: every change of it, and the form of the next.
type promisePanel struct {
	At, Now int64
	On      bool // still ahead of being handed over
	Ready   bool // it waits for its owner, and is not late
	Said    string
	Changes []promiseRow
	Form    *act // nil: the caller may not, or the order is closed
	Action  string
	Etag    string
	When    string // as the input shows it
	Reasons []option
	Ways    []option
	Moved   bool
	Who     sayer
}

type promiseRow struct {
	Text, Meta string
	Called     bool // there is a talk in which the customer was told
}

const promiseForm = "promise"

func (s *Site) promisePanel(a *ask, r *branchlinev1.Record) (promisePanel, error) {
	return s.promiseOf(a, r, acts{a: a})
}

func (s *Site) promiseOf(a *ask, r *branchlinev1.Record, x acts) (promisePanel, error) {
	o := r.GetServiceOrder()
	p := promisePanel{
		At: o.GetPromisedAt(), Now: a.Now, On: o.GetState() < branchlinev1.OrderState_HANDED_OVER, Ready: o.GetState() >= branchlinev1.OrderState_READY, Action: "/" + r.GetName() + "/promise", Etag: r.GetEtag(),
		Moved: a.Query("moved") == promiseForm,
	}
	changes := slices.Clone(o.GetPromises())
	slices.SortStableFunc(changes, func(x, y *branchlinev1.PromiseChange) int { return int(y.GetAt() - x.GetAt()) })
	for i, c := range changes {
		row := promiseRow{Called: c.GetContact() != ""}
		if c.GetWas() != 0 {
			row.Text = a.T("promise.moved_to", a.s.look.When(a.Lang, a.Now, c.GetWas()), a.s.look.When(a.Lang, a.Now, c.GetNow()))
		} else {
			row.Text = a.T("promise.first", a.s.look.When(a.Lang, a.Now, c.GetNow()))
		}
		meta := []string{c.GetReason(), a.s.look.When(a.Lang, a.Now, c.GetAt()), a.Names().Person(c.GetBy())}
		if row.Called {
			meta = append(meta, a.T("promise.called"))
		} else if i == 0 {
			meta = append(meta, a.T("promise.not_called"))
		}
		row.Meta = strings.Join(nonEmpty(meta...), " · ")
		p.Changes = append(p.Changes, row)
	}
	if len(changes) == 0 && p.At != 0 {
		p.Said = a.T("promise.never_moved")
	}
	if !p.On || r.GetHome() != a.branch() || r.GetShared() || !a.May("POST /serviceOrders/{id}/promise") {
		return p, nil
	}
	form, err := x.form(promiseForm, p.Etag)
	if err != nil {
		return p, err
	}
	p.Form = &form
	zone := a.s.c.ZoneNow()
	at := time.UnixMilli(a.Now).In(zone).Add(time.Hour).Truncate(15 * time.Minute)
	if promised := time.UnixMilli(p.At).In(zone); p.At != 0 && promised.After(at) {
		at = promised
	}
	p.When = at.Format("2006-01-02T15:04")
	if typed := form.V("promised_at"); typed != "" {
		p.When = typed
	}
	for _, key := range []string{"promise.why_parts", "promise.why_extra", "promise.why_busy", "promise.why_insurer", "promise.why_customer"} {
		text := a.T(key)
		p.Reasons = append(p.Reasons, option{text, text})
	}
	p.Ways = []option{
		{"phone", a.T("promise.by_phone")},
		{"message", a.T("promise.by_message")},
		{"visit", a.T("promise.by_visit")},
		{"missed", a.T("promise.by_missed")},
		{"none", a.T("promise.by_none")},
	}
	p.Who, err = s.sayer(a, o)
	return p, err
}

// toldBy is how the customer was told, by what the form calls it; nil: not yet.
func toldBy(way, phone string) *branchlinev1.Told {
	t := &branchlinev1.Told{Phone: phone, Outcome: branchlinev1.ContactOutcome_CONTACT_REACHED}
	switch way {
	case "phone":
		t.Channel = branchlinev1.ContactChannel_CHANNEL_PHONE
	case "missed":
		t.Channel, t.Outcome = branchlinev1.ContactChannel_CHANNEL_PHONE, branchlinev1.ContactOutcome_CONTACT_NOT_REACHED
	case "message":
		t.Channel = branchlinev1.ContactChannel_CHANNEL_MESSAGE
	case "visit":
		t.Channel, t.Phone = branchlinev1.ContactChannel_CHANNEL_VISIT, ""
	default:
		return nil
	}
	return t
}

// orderPromise moves the promised time.
func (s *Site) orderPromise(a *ask) error {
	name := "serviceOrders/" + a.id
	err := s.promise(a, name)
	switch {
	case err == nil:
		return a.GoTo("/" + name)
	case errors.Is(err, schema.ErrConflict):
		return a.GoTo("/" + name + "?moved=" + promiseForm)
	case errors.Is(err, schema.ErrInvalid):
		if x, ok := a.refuse(promiseForm, err); ok {
			return s.showPromise(a, name, x)
		}
	}
	return err
}

func (s *Site) promise(a *ask, name string) error {
	at, ok := s.localTime(a.Form("promised_at"))
	if !ok {
		return schema.Invalid("promised_at", "%s is no instant", a.Form("promised_at"))
	}
	reason := a.Form("other")
	if reason == "" {
		reason = a.Form("reason")
	}
	if reason == "" {
		return schema.Invalid("reason", "say why")
	}
	_, err := s.c.Workshop.Promise(a.R.Context(), &branchlinev1.PromiseRequest{
		Order: name, Etag: a.Form("etag"), PromisedAt: at, Reason: reason, Told: toldBy(a.Form("told"), a.Form("phone")), RequestId: a.Form("request_id"),
	})
	return err
}

// promiseView is the form alone, after it was refused.
type promiseView struct {
	look.Frame
	Back string
	Due  promisePanel
}

func (s *Site) showPromise(a *ask, name string, x acts) error {
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return err
	}
	v := promiseView{Frame: a.frame(a.T("promise.title"), "orders"), Back: "/" + name}
	if v.Due, err = s.promiseOf(a, r, x); err != nil {
		return err
	}
	return s.pages.promise.Render(a.W, http.StatusBadRequest, v)
}
