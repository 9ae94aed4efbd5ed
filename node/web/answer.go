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
)

// answerView is the page on which a customer says yes or no to lines, at the desk or on the tablet in their hand.
type answerView struct {
	look.Frame
	Car      carHead
	Number   string
	Site     string
	Due      int64
	Back     string
	Bar      answerBar
	Parts    []askedPart
	Told     []askedRow // what has been answered already
	Sum      string     // of all that is asked
	Minor    int64      // the same, for the script that adds up what was said yes to
	Currency string
	Way      string
	Sign     sign
	Fault    string
	Moved    bool
}

// askedPart are the lines of one kind: labour and parts stand apart.
type askedPart struct {
	Kind branchlinev1.LineKind
	Rows []askedRow
	Sum  string
}

// askedRow is a line as the customer is asked.
type askedRow struct {
	ID, Etag      string
	Item, Meta    string
	Qty, Amount   string
	Minor         int64
	Payer         branchlinev1.Payer
	Others        bool // somebody else pays
	State         branchlinev1.LineState
	Extra         bool
	Was           string // what was agreed before, where the price has been raised since
	Yes, No       bool   // as typed
	Reason, Until string
	Said          string
}

// orderAnswer is the page. The lines of an order that is closed, or that another branch keeps, are on the order's.
func (s *Site) orderAnswer(a *ask) error {
	name := "serviceOrders/" + a.id
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return err
	}
	if r.GetHome() != a.branch() || r.GetServiceOrder().GetState() >= branchlinev1.OrderState_SETTLED {
		return a.GoTo("/" + name)
	}
	return s.showAnswer(a, http.StatusOK, nil)
}

// showAnswer shows the lines that wait; err is why an answer was refused, and what was typed is kept.
func (s *Site) showAnswer(a *ask, status int, refused error) error {
	r, lines, err := s.orderOf(a, a.id)
	if err != nil {
		return err
	}
	name, o := r.GetName(), r.GetServiceOrder()
	v := answerView{
		Frame: a.frame(a.T("ask_line.title"), "orders"), Number: o.GetNumber(), Site: a.SiteName(o.GetBranch()), Due: o.GetPromisedAt(), Back: "/" + name,
		Car: carHead{Plate: o.GetPlate(), Title: o.GetModel(), VIN: o.GetVin()}, Currency: "CNY", Moved: a.Query("moved") != "", Way: cmp.Or(a.Form("way"), "BY_WORD"),
	}
	v.Touch = true
	if v.Bar, err = s.answerBar(a, r); err != nil {
		return err
	}
	if refused != nil {
		x, _ := a.refuse("answer", refused)
		v.Fault = x.fault
		v.Bar.Who.Name, v.Bar.Who.Phone = a.Form("said_by"), a.Form("phone")
	}
	v.Sign = sign{
		ID: "sign", On: name, RequestID: v.Bar.Request, Field: "signature", ByField: "signed_by", By: a.Form("signed_by"), Expected: v.Bar.Who.Name, Drawn: a.Form("signature"),
		Text: a.T("ask_line.sign_text"),
	}
	for _, l := range lines {
		a.asked(&v, l)
	}
	slices.SortStableFunc(v.Parts, func(x, y askedPart) int { return cmp.Compare(x.Kind, y.Kind) })
	v.Sum = look.Money(v.Minor, v.Currency)
	for i, p := range v.Parts {
		var sum int64
		for _, row := range p.Rows {
			sum += row.Minor
		}
		v.Parts[i].Sum = look.Money(sum, v.Currency)
	}
	return s.pages.answer.Render(a.W, status, v)
}

// asked puts a line where it belongs on the page.
func (a *ask) asked(v *answerView, r *branchlinev1.Record) {
	l := r.GetServiceLine()
	if l.GetRetiredAt() != 0 {
		return
	}
	v.Currency = cmp.Or(l.GetCurrency(), v.Currency)
	row := askedRow{
		ID: idOf(r.GetName()), Etag: r.GetEtag(), Item: cmp.Or(l.GetItem(), l.GetPartName(), a.T("order.line")), Meta: l.GetCause(), Payer: l.GetPayer(), State: l.GetState(),
		Qty: quantity(l), Extra: l.GetExtra(), Amount: look.Money(assent.Price(l), v.Currency),
	}
	row.Others = l.GetPayer() > branchlinev1.Payer_PAYER_CUSTOMER
	if !row.Others {
		row.Minor = assent.Price(l)
	}
	if !assent.Open(l) {
		row.Said = a.lastSaid(l)
		v.Told = append(v.Told, row)
		return
	}
	row.Was = a.agreedBefore(l)
	say := a.Form("say." + row.ID)
	row.Yes, row.No, row.Reason, row.Until = say == "yes", say == "no", a.Form("why."+row.ID), a.Form("until."+row.ID)
	if row.Reason == "" {
		row.Reason = v.Bar.Reasons[0].Value
	}
	if say == "" {
		row.Until = v.Bar.Until[0].Value
	}
	v.Minor += row.Minor
	i := slices.IndexFunc(v.Parts, func(p askedPart) bool { return p.Kind == l.GetKind() })
	if i < 0 {
		i = len(v.Parts)
		v.Parts = append(v.Parts, askedPart{Kind: l.GetKind()})
	}
	v.Parts[i].Rows = append(v.Parts[i].Rows, row)
}

// agreedBefore is the price the customer said yes to, where a line waits for a yes to another; "" else.
func (a *ask) agreedBefore(l *branchlinev1.ServiceLine) string {
	was, asked := assent.Agreed(l)
	if !assent.Open(l) || !asked || was == assent.Price(l) {
		return ""
	}
	return a.T("ask_line.agreed_before", look.Money(was, cmp.Or(l.GetCurrency(), "CNY")))
}

// lastSaid is what was said to a line last: by whom, when and how; "" when nobody was asked.
func (a *ask) lastSaid(l *branchlinev1.ServiceLine) string {
	if len(l.GetApprovals()) == 0 {
		return ""
	}
	last := slices.MaxFunc(l.GetApprovals(), func(x, y *branchlinev1.Approval) int { return cmp.Compare(x.GetAt(), y.GetAt()) })
	who := ""
	if a.sees(schema.ServiceLine, "approvals") {
		who = last.GetSaidBy()
	}
	return strings.Join(nonEmpty(who, a.s.look.When(a.Lang, a.Now, last.GetAt()), a.T("approvalway."+strings.TrimPrefix(last.GetWay().String(), "BY_"))), " · ")
}

// orderAnswered takes the answers: those of one button of the order's page, or those of the page of their own.
func (s *Site) orderAnswered(a *ask) error {
	name := "serviceOrders/" + a.id
	req := &branchlinev1.AnswerRequest{
		Order: name, Way: branchlinev1.ApprovalWay(branchlinev1.ApprovalWay_value[cmp.Or(a.Form("way"), "BY_WORD")]),
		SaidBy: a.Form("said_by"), Phone: a.Form("phone"), Lines: a.answers(), // sent twice it says the same: it needs no request id
	}
	err := s.signedAnswer(a, req)
	if err == nil && len(req.Lines) == 0 {
		err = schema.Invalid("lines", "value is required")
	}
	if err == nil {
		_, err = s.c.Workshop.Answer(a.R.Context(), req)
	}
	switch {
	case err == nil:
		return a.GoTo("/" + name + "?said=1")
	case errors.Is(err, schema.ErrConflict) && a.Form("page") != "":
		return a.GoTo("/" + name + "/answer?moved=1")
	case errors.Is(err, schema.ErrConflict):
		return a.GoTo("/" + name + "?moved=lines")
	case errors.Is(err, schema.ErrInvalid) && len(violations(err)) > 0:
		return s.showAnswer(a, http.StatusBadRequest, err)
	}
	return err
}

// signedAnswer makes of a drawing a signature, and of a name that was typed in its place just that.
func (s *Site) signedAnswer(a *ask, req *branchlinev1.AnswerRequest) error {
	drawn, err := a.signature("signature")
	if err != nil {
		return err
	}
	by := a.Form("signed_by")
	switch {
	case drawn != "":
		req.Way, req.Signature, req.Phone = branchlinev1.ApprovalWay_BY_SIGNATURE, drawn, ""
		req.SaidBy = cmp.Or(by, req.SaidBy)
	case by != "":
		req.Way, req.SaidBy, req.Phone = branchlinev1.ApprovalWay_BY_NAME, by, ""
	}
	return nil
}

// answers are what a form says to lines. Lines it says nothing to are left out.
func (a *ask) answers() (out []*branchlinev1.LineAnswer) {
	yes, no, all := a.Form("yes"), a.Form("no"), a.Form("all")
	for _, id := range a.answeredLines() {
		x := &branchlinev1.LineAnswer{
			Line:   &branchlinev1.SeenLine{Line: "serviceLines/" + id, Etag: a.Form("etag." + id)},
			Reason: cmp.Or(a.Form("why."+id), a.Form("reason")), ReviveOn: a.Form("until"),
		}
		if a.Form("why."+id) != "" {
			x.ReviveOn = a.Form("until." + id)
		}
		switch {
		case id == yes, all == "yes" && a.Form("again."+id) == "", yes == "" && no == "" && all == "" && a.Form("say."+id) == "yes":
			x.State, x.Reason, x.ReviveOn = branchlinev1.LineState_LINE_APPROVED, "", ""
		case id == no, yes == "" && no == "" && all == "" && a.Form("say."+id) == "no":
			x.State = branchlinev1.LineState_LINE_DECLINED
		default:
			continue
		}
		out = append(out, x)
	}
	return out
}

// answeredLines are the lines a form shows, by id, in order.
func (a *ask) answeredLines() (out []string) {
	a.Form("") // read the form
	for name := range a.R.PostForm {
		if id, ok := strings.CutPrefix(name, "etag."); ok {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}
