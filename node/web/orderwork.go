package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"branchline/schema"
	"branchline/schema/assent"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

// workPanels are what the order's page has of the work: giving it out, judging it, handing the car over, and how long the
// order stood in each state.
type workPanels struct {
	Action string // of giving out and judging
	State  string // of the forms that put the order into a state
	Assign *assignPanel
	// Assigning: work is to be given out next.
	Assigning bool
	Check     *checkPanel
	Hand      *handPanel
	Step      *act
	States    []option
	To        string // the state that usually follows
	Fault     string // of a form that the page has no more
	Times     []stateTime
	Hours     string // billed and clocked
}

type assignPanel struct {
	Form  act
	Hands []option
	Lines []workPick
	Bay   string
}

// workPick is a line that may be given to somebody or judged.
type workPick struct {
	Name, ID   string // the name, and the id in it
	Etag       string
	Item, Meta string
	Fails      int // how often a check has sent it back
	On         bool
	Failed     bool   // as ticked
	Reason     string // as typed
}

type checkPanel struct {
	Form  act
	Lines []workPick
	Parts []workPick // fitted with the work: looked at where one is not good
	Bad   bool       // a part was said not to be, when the form was refused
	Own   bool       // the reader has done some of it, and another could look
}

type handPanel struct {
	Form    act
	Ticks   []savedRow
	Loan    string // the loan car that is out
	Money   string // the page where it is settled, when it is not
	Sees    bool   // who may take the car has a name
	Settled bool
}

type stateTime struct {
	State branchlinev1.OrderState
	Text  string
	Now   bool
}

// The forms of the panels.
const (
	assignForm = "assign"
	checkForm  = "check"
	stepForm   = "step"
	handForm   = "hand"
)

func (s *Site) workPanels(a *ask, v *orderView, r *branchlinev1.Record, lines []*branchlinev1.Record) error {
	o := r.GetServiceOrder()
	w := workPanels{Action: "/" + r.GetName() + "/work", State: "/" + r.GetName() + "/state", Times: a.stateTimes(o), Hours: a.hours(lines)}
	if v.Mine {
		x := a.refused
		x.a = a
		for _, f := range []func(acts, *workPanels, *orderView, *branchlinev1.Record, []*branchlinev1.Record) error{s.stepPanel, s.assignPanel, s.checkPanel, s.handPanel} {
			if err := f(x, &w, v, r, lines); err != nil {
				return err
			}
		}
		w.Fault = x.homeless()
	}
	v.Work = w
	return nil
}

// stateTimes are the states an order has stood in, in the order it came to them, with the time in each.
func (a *ask) stateTimes(o *branchlinev1.ServiceOrder) (out []stateTime) {
	changes := slices.Clone(o.GetStates())
	slices.SortStableFunc(changes, func(x, y *branchlinev1.StateChange) int { return cmp.Compare(x.GetAt(), y.GetAt()) })
	spent := map[branchlinev1.OrderState]int64{}
	var order []branchlinev1.OrderState
	for i, c := range changes {
		until := a.Now
		if i+1 < len(changes) {
			until = changes[i+1].GetAt()
		} else if c.GetState() >= branchlinev1.OrderState_HANDED_OVER {
			until = c.GetAt() // it is over
		}
		if !slices.Contains(order, c.GetState()) {
			order = append(order, c.GetState())
		}
		spent[c.GetState()] += max(until-c.GetAt(), 0)
	}
	for _, s := range order {
		if s < branchlinev1.OrderState_HANDED_OVER {
			out = append(out, stateTime{State: s, Text: a.s.look.Span(a.Lang, 0, spent[s]), Now: s == o.GetState()})
		}
	}
	return out
}

// hours are what is billed of the work and what was clocked; "" when neither is.
func (a *ask) hours(lines []*branchlinev1.Record) string {
	var billed, clocked int64
	for _, r := range lines {
		if l := r.GetServiceLine(); l.GetState() != branchlinev1.LineState_LINE_DECLINED && l.GetRetiredAt() == 0 {
			billed += l.GetBilledMinutes()
			clocked += l.GetClockedMinutes()
		}
	}
	if billed == 0 && clocked == 0 {
		return ""
	}
	return a.T("work.hours", say.Hours(billed), say.Hours(clocked))
}

// stepPanel are the states the order may be put into; the usual next one is the page's one main button. It is settled on
// the page of its money.
func (s *Site) stepPanel(x acts, w *workPanels, v *orderView, _ *branchlinev1.Record, _ []*branchlinev1.Record) error {
	a := x.a
	word := func(st branchlinev1.OrderState) string { return s.look.Word(a.Lang, "order", st) }
	n := after(v.State)
	settles := n == branchlinev1.OrderState_SETTLED
	if settles && !a.May("POST /serviceOrders/{id}/money") { // somebody else settles it, before or after
		n, settles = branchlinev1.OrderState_HANDED_OVER, false
	}
	if n != 0 {
		v.Next = &nextState{Value: n.String(), Text: a.T("order.to_state", word(n))}
		if settles {
			v.Next.Href, v.Next.Text = v.Money, a.T("money.panel")
		}
		w.To = n.String()
	}
	for _, st := range append(workshop(), branchlinev1.OrderState_HANDED_OVER, branchlinev1.OrderState_CANCELLED) {
		if st != v.State {
			w.States = append(w.States, option{st.String(), word(st)})
		}
	}
	form, err := x.form(stepForm, v.Etag)
	if form.Fault != "" {
		w.To = form.V("state")
	}
	w.Step = &form
	return err
}

func (s *Site) assignPanel(x acts, w *workPanels, v *orderView, r *branchlinev1.Record, lines []*branchlinev1.Record) error {
	a := x.a
	if v.State >= branchlinev1.OrderState_SETTLED {
		return nil
	}
	p := assignPanel{Bay: r.GetServiceOrder().GetBay()}
	for _, l := range lines {
		if b := l.GetServiceLine(); isLabour(b) && b.GetState() != branchlinev1.LineState_LINE_DECLINED && b.GetState() != branchlinev1.LineState_LINE_DONE {
			p.Lines = append(p.Lines, a.workPick(l))
		}
	}
	if len(p.Lines) == 0 {
		return nil
	}
	hands, err := s.c.Workshop.ListTechnicians(a.R.Context(), &branchlinev1.ListTechniciansRequest{})
	if err != nil {
		return err
	}
	p.Hands = append(p.Hands, option{"", a.T("work.nobody")})
	for _, h := range hands.GetTechnicians() {
		text := a.T("work.hand", cmp.Or(h.GetName(), h.GetStaff()), h.GetLines())
		if h.GetWorking() {
			text = a.T("work.hand_busy", cmp.Or(h.GetName(), h.GetStaff()), h.GetLines())
		}
		p.Hands = append(p.Hands, option{h.GetStaff(), text})
	}
	if p.Form, err = x.form(assignForm, ""); err != nil {
		return err
	}
	if p.Form.Fault == "" {
		p.Form.typed["technician"] = r.GetServiceOrder().GetTechnician()
	} else {
		p.Bay = p.Form.V("bay")
	}
	w.Assign = &p
	w.Assigning = v.State == branchlinev1.OrderState_APPROVED || v.State == branchlinev1.OrderState_IN_WORK || p.Form.Fault != ""
	return nil
}

func isLabour(l *branchlinev1.ServiceLine) bool {
	return l.GetRetiredAt() == 0 && (l.GetKind() == branchlinev1.LineKind_LABOUR || l.GetKind() == branchlinev1.LineKind_SUBCONTRACT || l.GetKind() == 0)
}

func (a *ask) workPick(r *branchlinev1.Record) workPick {
	l := r.GetServiceLine()
	p := workPick{
		Name: r.GetName(), ID: idOf(r.GetName()), Etag: r.GetEtag(), Item: cmp.Or(l.GetItem(), l.GetPartName(), l.GetComplaint(), a.T("order.line")), On: true,
		Meta: a.Names().Person(l.GetTechnician()), Fails: fails(l), Reason: a.R.PostFormValue("reason." + r.GetName()),
	}
	p.Failed = p.Reason != "" || slices.Contains(a.R.PostForm["failed"], p.Name)
	if assent.StandsStill(l) {
		p.Meta, p.On = joinNew(p.Meta, a.T("order.on_hold")), l.GetTechnician() != ""
	}
	return p
}

// fails is how often a check has sent a line back.
func fails(l *branchlinev1.ServiceLine) (n int) {
	for _, c := range l.GetChecks() {
		if !c.GetPassed() {
			n++
		}
	}
	return n
}

// passed tells whether the last look at a line found it good.
func passed(l *branchlinev1.ServiceLine) bool { return lastCheck(l).GetPassed() }

// lastCheck is the last look at a line's work; nil before the first.
func lastCheck(l *branchlinev1.ServiceLine) (last *branchlinev1.QualityCheck) {
	for _, c := range l.GetChecks() {
		if last == nil || c.GetAt() >= last.GetAt() {
			last = c
		}
	}
	return last
}

func (s *Site) checkPanel(x acts, w *workPanels, v *orderView, _ *branchlinev1.Record, lines []*branchlinev1.Record) error {
	a := x.a
	if v.State >= branchlinev1.OrderState_SETTLED {
		return nil
	}
	var p checkPanel
	var own bool
	for _, r := range lines {
		l := r.GetServiceLine()
		if l.GetRetiredAt() != 0 || l.GetState() != branchlinev1.LineState_LINE_DONE || passed(l) {
			continue
		}
		if l.GetKind() == branchlinev1.LineKind_PART {
			part := a.workPick(r)
			p.Parts, p.Bad = append(p.Parts, part), p.Bad || part.Failed
		}
		if !isLabour(l) {
			continue
		}
		p.Lines = append(p.Lines, a.workPick(r))
		own = own || l.GetTechnician() == a.Who.Staff || slices.ContainsFunc(l.GetClockings(), func(c *branchlinev1.Clocking) bool { return c.GetTechnician() == a.Who.Staff })
	}
	if len(p.Lines) == 0 && (len(p.Parts) == 0 || v.State != branchlinev1.OrderState_QUALITY_CHECK) {
		return nil
	}
	if own {
		hands, err := s.c.Workshop.ListTechnicians(a.R.Context(), &branchlinev1.ListTechniciansRequest{})
		if err != nil {
			return err
		}
		p.Own = slices.ContainsFunc(hands.GetTechnicians(), func(h *branchlinev1.Technician) bool { return h.GetStaff() != a.Who.Staff })
	}
	var err error
	if p.Form, err = x.form(checkForm, ""); err != nil {
		return err
	}
	w.Check = &p
	if v.State == branchlinev1.OrderState_QUALITY_CHECK && v.Next != nil { // what is judged there makes the car ready
		v.Next = &nextState{Href: "#check", Text: a.T("work.check")}
	}
	return nil
}

func (s *Site) handPanel(x acts, w *workPanels, v *orderView, r *branchlinev1.Record, lines []*branchlinev1.Record) error {
	a, o := x.a, r.GetServiceOrder()
	if v.State != branchlinev1.OrderState_READY && v.State != branchlinev1.OrderState_SETTLED && x.refused != handForm {
		return nil
	}
	p := handPanel{Money: v.Money, Sees: a.sees(schema.ServiceOrder, "handed_to"), Settled: o.GetSettledOn() != "", Loan: loanOut(o)}
	tick := func(label, text string) { p.Ticks = append(p.Ticks, savedRow{label, text}) }
	if p.Settled {
		tick(a.T("work.hand_settled"), joinNew(o.GetSettledOn(), o.GetSettlementNumber()))
	}
	tick(a.T("work.hand_keys"), o.GetKeyTag())
	if o.GetOldPartsWanted() {
		tick(a.T("work.hand_old"), a.T("work.hand_old_text"))
	}
	if o.GetWashWanted() {
		tick(a.T("work.hand_wash"), "")
	}
	var no []string
	for _, l := range lines {
		if b := l.GetServiceLine(); b.GetState() == branchlinev1.LineState_LINE_DECLINED && b.GetRetiredAt() == 0 {
			no = append(no, cmp.Or(b.GetItem(), b.GetPartName()))
		}
	}
	if len(no) > 0 {
		tick(a.T("work.hand_declined"), a.List(no))
	}
	if o.GetGuaranteeUntil() != "" {
		text := a.T("work.hand_until", o.GetGuaranteeUntil())
		if o.GetGuaranteeKm() > 0 {
			text = a.T("work.hand_until_km", o.GetGuaranteeUntil(), look.Num(o.GetGuaranteeKm()))
		}
		tick(a.T("work.hand_guarantee"), text)
	}
	var err error
	if p.Form, err = x.form(handForm, v.Etag); err != nil {
		return err
	}
	w.Hand = &p
	return nil
}

// orderState puts an order into another state, with its time and who did it.
func (s *Site) orderState(a *ask) error {
	name, form := "serviceOrders/"+a.id, cmp.Or(a.Form("act"), stepForm)
	state := branchlinev1.OrderState(branchlinev1.OrderState_value[a.Form("state")])
	if state == branchlinev1.OrderState_HANDED_OVER {
		form = handForm // what is asked about handing over stands in its panel
	}
	_, err := s.c.Workshop.Step(a.R.Context(), &branchlinev1.StepRequest{
		// The page's etag: if another desk moved the order meanwhile, the person is told and looks again.
		Order: name, Etag: a.Form("etag"), State: state, Reason: a.Form("reason"), HandedTo: a.Form("handed_to"), LoanBack: a.Form("loan_back") != "",
		RequestId: a.Form("request_id"), Confirmed: a.confirmed(),
	})
	return s.orderAgain(a, form, err)
}

// orderWork gives the lines of an order out, or judges them.
func (s *Site) orderWork(a *ask) error {
	name, form := "serviceOrders/"+a.id, a.Form("act")
	var err error
	switch form {
	case assignForm:
		_, err = s.c.Workshop.Assign(a.R.Context(), &branchlinev1.AssignRequest{
			Order: name, Lines: a.seenLines(a.R.PostForm["line"]), Technician: a.Form("technician"), Bay: a.Form("bay"), RequestId: a.Form("request_id"),
		})
	case checkForm:
		r := &branchlinev1.CheckRequest{Order: name, RequestId: a.Form("request_id")}
		for _, l := range a.seenLines(a.R.PostForm["line"]) {
			// Whoever writes why it failed says that it failed.
			reason := strings.TrimSpace(a.R.PostFormValue("reason." + l.GetLine()))
			bad := reason != "" || slices.Contains(a.R.PostForm["failed"], l.GetLine())
			r.Lines = append(r.Lines, &branchlinev1.LineCheck{Line: l, Passed: !bad, Reason: reason})
		}
		_, err = s.c.Workshop.Check(a.R.Context(), r)
	default:
		return schema.Invalid("act", "is no page of this site")
	}
	return s.orderAgain(a, form, err)
}

// seenLines are lines as the page of the form showed them.
func (a *ask) seenLines(names []string) (out []*branchlinev1.SeenLine) {
	for _, name := range names[:min(len(names), maxRows)] {
		out = append(out, &branchlinev1.SeenLine{Line: name, Etag: a.Form("etag." + name)})
	}
	return out
}

// orderAgain goes back to the order's page after one of its forms: with what was wrong, or asked, beside the form.
func (s *Site) orderAgain(a *ask, form string, err error) error {
	switch {
	case err == nil:
		return a.GoTo("/serviceOrders/" + a.id)
	case errors.Is(err, schema.ErrConflict):
		return a.GoTo("/serviceOrders/" + a.id + "?moved=1")
	case !errors.Is(err, schema.ErrInvalid):
		return err
	}
	x, ok := a.refuse(form, err)
	if !ok {
		return err
	}
	a.refused = x
	page, v, err := s.order(a)
	if err != nil {
		return err
	}
	return page.Render(a.W, http.StatusBadRequest, v)
}
