package web

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"branchline/schema"
	"branchline/schema/assent"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// workView is what a technician has to do: the line they are at, their others, and those that are nobody's. It names no
// customer and no price.
type workView struct {
	look.Frame
	Who       string // staff code of another's page; "" for one's own
	WhoName   string
	Hands     []workHand // whose pages the reader may open
	Open      *workRow
	Job       workForm
	Mine      []workRow
	Nobodys   []workRow
	Forgotten []forgottenRow
	Fix       bool // forgotten clocks may be put right
	More      bool
	Fault     string
	Moved     bool
}

type workHand struct {
	Href, Text string
	On         bool
}

// workForm is the form of the line the technician is at, as it was typed when it was refused.
type workForm struct {
	Request           string
	Cause, Correction string
}

type workRow struct {
	Line          string // its name
	Request, Who  string // of its button
	Item, Meta    string
	Complaint     string
	Plate, Model  string
	Where         string // bay and key tag
	Order, Photos string
	History       string
	Extra         string // where a line that was found is added; "" for who may not
	Promised      int64
	Now           int64
	Since         int64 // clocked on
	Clocked       string
	Still         bool // it stands still: the customer is to be asked
	Fails         int
	Reason        string // why the last check sent it back
	Others        string // who else is at it
}

type forgottenRow struct {
	Line, Item, Plate string
	Technician, Who   string
	From, Until, Now  int64
	Guess             string // for the input: when the day ended
	Request           string
}

// work is the page.
func (s *Site) work(a *ask) (*look.Page, look.View, error) {
	v, err := s.workView(a)
	return s.pages.work, v, err
}

func (s *Site) workView(a *ask) (workView, error) {
	v := workView{Frame: a.live(a.T("work.title"), "work"), Moved: a.Query("moved") != "", Fix: a.leads()}
	v.Touch = true
	v.Who = a.workOf()
	if v.Who != "" {
		v.WhoName = a.Names().Person(v.Who)
	}
	res, err := s.c.Workshop.ListWork(a.R.Context(), &branchlinev1.ListWorkRequest{Technician: v.Who})
	if err != nil {
		return v, err
	}
	v.More = res.GetMore()
	if v.Job.Request, err = a.requestID(); err != nil {
		return v, err
	}
	who := cmp.Or(v.Who, a.Who.Staff)
	for _, l := range res.GetLines() {
		row := a.workRow(l, who, v.Job.Request)
		row.Who = v.Who
		if row.Line == res.GetOpen() || l.GetLine().GetServiceLine().GetTechnician() == who {
			if row.History, err = s.historyOf(a, l.GetCar().GetOrder()); err != nil {
				return v, err
			}
		}
		switch {
		case row.Line == res.GetOpen():
			v.Open = &row
			v.Job.Cause, v.Job.Correction = l.GetLine().GetServiceLine().GetCause(), l.GetLine().GetServiceLine().GetCorrection()
		case l.GetLine().GetServiceLine().GetTechnician() == who:
			v.Mine = append(v.Mine, row)
		default:
			v.Nobodys = append(v.Nobodys, row)
		}
	}
	for i, f := range res.GetForgotten() {
		v.Forgotten = append(v.Forgotten, a.forgottenRow(f, v.Job.Request+strconv.Itoa(i)))
	}
	if v.Fix {
		return v, s.workHands(a, &v)
	}
	return v, nil
}

// technicians tells whether somebody with these roles works on cars and does nothing else: their work is where they begin.
func technicians(roles []branchlinev1.Role) bool {
	return len(roles) == 1 && roles[0] == branchlinev1.Role_ROLE_TECHNICIAN
}

// leads tells whether the reader looks after others' work.
func (a *ask) leads() bool { return a.May("/branchline.v1.WorkshopService/CorrectClock") }

// workOf is whose page is asked for; "" for one's own.
func (a *ask) workOf() string {
	who := cmp.Or(a.Query("who"), a.Form("technician"))
	if !a.leads() || who == a.Who.Staff {
		return ""
	}
	return who
}

func (s *Site) workHands(a *ask, v *workView) error {
	res, err := s.c.Workshop.ListTechnicians(a.R.Context(), &branchlinev1.ListTechniciansRequest{})
	if err != nil {
		return err
	}
	for _, h := range res.GetTechnicians() {
		text := a.T("work.hand", cmp.Or(h.GetName(), h.GetStaff()), h.GetLines())
		if h.GetWorking() {
			text = a.T("work.hand_busy", cmp.Or(h.GetName(), h.GetStaff()), h.GetLines())
		}
		v.Hands = append(v.Hands, workHand{"/work?who=" + url.QueryEscape(h.GetStaff()), text, h.GetStaff() == v.Who})
	}
	return nil
}

// historyOf is the page of an order's car, with all that was done to it; "" when there is none.
func (s *Site) historyOf(a *ask, order string) (string, error) {
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: order})
	if err != nil || r.GetServiceOrder().GetVehicle() == "" {
		return "", err
	}
	return a.Href("vehicles/" + r.GetServiceOrder().GetVehicle()), nil
}

// workRow is a line with its car. request is the page's: each line's button adds the line to it.
func (a *ask) workRow(w *branchlinev1.WorkLine, who, request string) workRow {
	l, c := w.GetLine().GetServiceLine(), w.GetCar()
	row := workRow{
		Line: w.GetLine().GetName(), Request: request + idOf(w.GetLine().GetName()), Item: cmp.Or(l.GetItem(), l.GetPartName(), a.T("order.line")), Meta: quantity(l),
		Complaint: cmp.Or(l.GetComplaint(), c.GetComplaint()), Plate: c.GetPlate(), Model: c.GetModel(), Order: a.Href(c.GetOrder()),
		Photos: a.Href(c.GetOrder()) + "#photos", Promised: c.GetPromisedAt(), Now: a.Now, Still: assent.StandsStill(l), Fails: fails(l),
	}
	if l.GetBilledMinutes() > 0 {
		row.Meta = a.T("work.billed", row.Meta)
	}
	if a.May("POST /serviceOrders/{id}/lines") {
		row.Extra = row.Order + "#add"
	}
	var where, others []string
	if c.GetBay() != "" {
		where = append(where, a.T("work.bay", c.GetBay()))
	}
	if c.GetKeyTag() != "" {
		where = append(where, a.T("work.key", c.GetKeyTag()))
	}
	row.Where = strings.Join(where, " · ")
	if l.GetClockedMinutes() > 0 {
		row.Clocked = a.s.look.Span(a.Lang, 0, l.GetClockedMinutes()*60_000)
	}
	for _, x := range l.GetClockings() {
		switch {
		case x.GetUntil() != 0:
		case x.GetTechnician() == who:
			row.Since = x.GetFrom()
		default:
			others = append(others, a.Names().Person(x.GetTechnician()))
		}
	}
	row.Others = a.List(others)
	row.Reason = lastCheck(l).GetReason()
	return row
}

func (a *ask) forgottenRow(f *branchlinev1.Forgotten, request string) forgottenRow {
	from := time.UnixMilli(f.GetFrom()).In(a.s.c.ZoneNow())
	guess := time.Date(from.Year(), from.Month(), from.Day(), 18, 0, 0, 0, from.Location())
	if !guess.After(from) {
		guess = from.Add(time.Hour)
	}
	return forgottenRow{
		Line: f.GetLine(), Item: f.GetItem(), Plate: f.GetPlate(), Technician: f.GetTechnician(), Who: a.Names().Person(f.GetTechnician()),
		From: f.GetFrom(), Until: f.GetUntil(), Now: a.Now, Guess: guess.Format(localLayout), Request: request,
	}
}

// workAct takes the buttons of the page.
func (s *Site) workAct(a *ask) error {
	do, line, request := a.Form("act"), a.Form("line"), a.Form("request_id")
	who := a.workOf()
	back := "/work"
	if who != "" {
		back += "?who=" + url.QueryEscape(who)
	}
	var err error
	switch do {
	case "on", "off", "done":
		_, err = s.c.Workshop.Clock(a.R.Context(), &branchlinev1.ClockRequest{
			Line: line, Technician: who, On: do == "on", Done: do == "done", Cause: a.Form("cause"), Correction: a.Form("correction"), RequestId: request,
		})
	case "fix":
		back = "/work"
		until, ok := s.localTime(a.Form("until"))
		from, has := index(a.Form("from"))
		if !ok || !has {
			err = schema.Invalid("until", "%s is no instant", a.Form("until"))
			break
		}
		_, err = s.c.Workshop.CorrectClock(a.R.Context(), &branchlinev1.CorrectClockRequest{
			Line: line, Technician: a.Form("technician"), From: int64(from), Until: until, Reason: a.Form("reason"), RequestId: request,
		})
	default:
		return schema.Invalid("act", "is no page of this site")
	}
	switch {
	case err == nil:
		return a.GoTo(back)
	case errors.Is(err, schema.ErrConflict):
		return a.GoTo("/work?moved=1")
	case !errors.Is(err, schema.ErrInvalid):
		return err
	}
	v, verr := s.workView(a)
	if verr != nil {
		return verr
	}
	x, ok := a.refuse(do, err)
	if !ok {
		return err
	}
	v.Fault = x.fault
	if do == "off" || do == "done" {
		v.Job.Cause, v.Job.Correction = a.Form("cause"), a.Form("correction")
	}
	return s.pages.work.Render(a.W, http.StatusBadRequest, v)
}
