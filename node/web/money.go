package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/till"
)

// act is a form of the pages of money. It is filled in anew when it was refused.
type act struct {
	ID      string // of its inputs, and its name among the forms of the page
	Request string
	Etag    string
	Fault   string
	Word    bool     // a second person's PIN was asked for
	Seconds []second // whose PIN may stand behind it
	Confirm string   // the doubt that its second button sets aside
	typed   map[string]string
}

// V is what was typed into an input.
func (f act) V(name string) string { return f.typed[name] }

// acts makes the forms of a page; the one that was just refused comes back as it was typed.
type acts struct {
	a       *ask
	refused string
	fault   string
	word    bool
	confirm string
	placed  *bool // the refused form is on the page; nil: none was refused
}

// homeless is what is wrong with a form that the page does not have any more: another desk was quicker.
func (x acts) homeless() string {
	if x.placed == nil || *x.placed {
		return ""
	}
	return x.fault
}

func (x acts) form(id, etag string) (act, error) {
	f := act{ID: id, Etag: etag, typed: map[string]string{}}
	var err error
	if f.Request, err = x.a.requestID(); err != nil || x.refused != id {
		return f, err
	}
	f.Fault, f.Word, f.Confirm, *x.placed = x.fault, x.word, x.confirm, true
	for name := range x.a.R.PostForm {
		if name != "pin" {
			f.typed[name] = x.a.Form(name)
		}
	}
	return f, nil
}

// refuse says what the API found wrong with a form; false for an error that is no fault of it.
func (a *ask) refuse(id string, err error) (acts, bool) {
	x := acts{a: a, refused: id, placed: new(bool)}
	list := violations(err)
	if len(list) == 0 {
		return x, false
	}
	var texts []string
	for _, v := range list {
		texts = append(texts, a.Sayer().Violation(v))
		x.confirm = cmp.Or(x.confirm, v.GetConfirm())
		x.word = x.word || strings.HasPrefix(v.GetField(), "approval.") || v.GetCode() == "discount_limit" || v.GetCode() == "credit_limit"
	}
	x.fault = a.List(texts)
	return x, true
}

// money is an amount typed in a form, in minor units; "" is 0. ErrInvalid.
func (a *ask) money(name string) (int64, error) {
	if a.Form(name) == "" {
		return 0, nil
	}
	n, ok := parseFixed(strings.ReplaceAll(a.Form(name), ",", ""), 2)
	if !ok {
		return 0, schema.Invalid(name, "is no amount of money")
	}
	return n, nil
}

// second is a manager whose word a form may name.
type second struct {
	Account, Name, Why string // Why their PIN counts for nothing now; "" when it does
}

// seconds are the managers of this branch beside the caller, by account.
func (a *ask) seconds() ([]second, error) {
	res, err := a.s.c.Accounts.ListManagers(a.R.Context(), &branchlinev1.Empty{})
	if err != nil {
		return nil, err
	}
	var out []second
	for _, p := range res.GetPeople() {
		row := second{Account: p.GetAccount(), Name: a.Names().Person(p.GetStaff(), p.GetAccount())}
		switch {
		case !p.GetHasPin():
			row.Why = a.T("desk.no_pin")
		case p.GetPinLocked():
			row.Why = a.T("desk.locked")
		}
		out = append(out, row)
	}
	return out, nil
}

// word is the PIN of a second person, as typed. Who is named and types none has not spoken.
func (a *ask) word() *branchlinev1.PinWord {
	if a.R.PostFormValue("pin") == "" {
		return nil
	}
	return &branchlinev1.PinWord{Account: a.Form("who"), Pin: a.R.PostFormValue("pin")}
}

// tenders are the amounts by method a form brings: method, amount, reference and card, and the same with 2.
func (a *ask) tenders() ([]*branchlinev1.Tender, error) {
	var out []*branchlinev1.Tender
	for _, n := range []string{"", "2"} {
		amount, err := a.money("amount" + n)
		if err != nil {
			return nil, err
		}
		if amount == 0 {
			continue
		}
		t := &branchlinev1.Tender{Amount: amount, Reference: a.Form("reference" + n)}
		method := a.Form("method" + n)
		if card, is := strings.CutPrefix(method, "card "); is {
			t.Method, t.Card = branchlinev1.PayMethod_METHOD_CARD, card
		} else {
			t.Method = branchlinev1.PayMethod(branchlinev1.PayMethod_value[method])
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, schema.Invalid("amount", "value is required")
	}
	return out, nil
}

type moneyView struct {
	look.Frame
	Number, Back string
	Quote        string // the sheet of what is offered; "" once it is settled
	Action       string
	Payers       []payerView
	Entries      []entryRow
	Cards        []cardRow
	Settled      bool
	Moved, Write bool
	Fault        string
	Done         *look.Note
	Class        string
	Owed, Credit string
	Day          string
	Use          act
	Fapiao       fapiaoPanel
}

// payerView is what one payer of the order owes, and what may be done about it.
type payerView struct {
	Payer                     branchlinev1.Payer
	Rows                      []savedRow
	Open                      string
	Number                    string // of the settlement that stands
	Drift                     string
	Sheet                     string // the payer's settlement sheet
	Settle, Pay, Refund, Undo *act
	Member                    string // the discount of the customer's class
	Limit                     string
	Methods, Drawer           []option
	Action                    string
	First                     bool // what is to be done next on the page
}

// entryRow is one entry of the till.
type entryRow struct {
	At, Now          int64
	Number, What     string
	Plate            string // of its order, in a list of several
	Amount, Who, Why string
	Href             string
	Back             bool
}

// entriesOfAll are entries of any orders, each with the plate of its car.
func (a *ask) entriesOfAll(all []*branchlinev1.TillEntry) ([]entryRow, error) {
	if !a.Reads(schema.ServiceOrder) {
		return a.entryRows(all, nil), nil
	}
	var names []string
	for _, e := range all {
		if id := e.GetPayment().GetOrder(); id != "" {
			names = append(names, "serviceOrders/"+id)
		}
	}
	orders, _, err := a.s.c.Views.Views(a.R.Context(), names)
	return a.entryRows(all, orders), err
}

func (a *ask) entryRows(all []*branchlinev1.TillEntry, orders map[string]*branchlinev1.Record) (out []entryRow) {
	for _, e := range all {
		row := a.entryRow(e)
		row.Plate = orders["serviceOrders/"+e.GetPayment().GetOrder()].GetServiceOrder().GetPlate()
		out = append(out, row)
	}
	return out
}

func (a *ask) entryRow(e *branchlinev1.TillEntry) entryRow {
	p := e.GetPayment()
	row := entryRow{
		At: p.GetAt(), Now: a.Now, Number: p.GetNumber(), Amount: look.Money(p.GetAmount(), cmp.Or(p.GetCurrency(), "CNY")),
		What: a.Look.Word(a.Lang, "paymethod", p.GetMethod()) + " · " + a.Look.Word(a.Lang, "paypurpose", p.GetPurpose()),
		Who:  a.Names().Person(p.GetCashier()), Why: joinNew(p.GetReason(), p.GetReference()), Back: e.GetReversed(),
	}
	if p.GetApprovedBy() != "" {
		row.Who = joinNew(row.Who, a.T("money.approved", a.Names().Person(p.GetApprovedBy())))
	}
	if p.GetOrder() != "" {
		row.Href = a.Href("serviceOrders/" + p.GetOrder())
	}
	return row
}

// methods are the ways money comes: those of the drawer, on account, and the cards of stored money with something left.
func (a *ask) methods(cards []*branchlinev1.CardState, account bool) []option {
	var out []option
	for _, m := range till.Drawer() {
		out = append(out, option{m.String(), a.Look.Word(a.Lang, "paymethod", m)})
	}
	if account {
		m := branchlinev1.PayMethod_METHOD_ON_ACCOUNT
		out = append(out, option{m.String(), a.Look.Word(a.Lang, "paymethod", m)})
	}
	for _, c := range cards {
		if c.GetCard().GetForm() == branchlinev1.CardForm_CARD_STORED_MONEY && c.GetLeft() > 0 {
			out = append(out, option{"card " + c.GetName(), a.T("card.money_left", c.GetCard().GetTitle(), look.Money(c.GetLeft(), "CNY"))})
		}
	}
	return out
}

// orderMoney is the page of an order's money: what each payer owes, settling, taking and giving back.
func (s *Site) orderMoney(a *ask) error { return s.showMoney(a, http.StatusOK, acts{a: a}) }

func (s *Site) showMoney(a *ask, status int, x acts) error {
	name := "serviceOrders/" + a.id
	acc, err := s.c.Counter.GetAccount(a.R.Context(), &branchlinev1.GetAccountRequest{Order: name})
	if err != nil {
		return err
	}
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return err
	}
	o := r.GetServiceOrder()
	v := moneyView{
		Number: o.GetNumber(), Back: "/" + name, Action: "/" + name + "/money", Settled: acc.GetSettled(), Moved: a.Query("moved") != "", Class: acc.GetMemberClass(),
		Write: r.GetHome() == a.branch() && a.Writes(schema.Settlement), Day: acc.GetDay(),
	}
	v.Frame = a.frame(joinNew(a.T("money.title"), o.GetNumber()), "orders")
	if acc.GetOwed() > 0 {
		v.Owed = look.Money(acc.GetOwed(), "CNY")
	}
	if acc.GetCreditLimit() > 0 {
		v.Credit = look.Money(acc.GetCreditLimit(), "CNY")
	}
	switch a.Query("done") {
	case "settle":
		v.Done = &look.Note{Tone: "info", Mark: "yes", Fact: a.T("money.done_settle")}
	case "pay":
		v.Done = &look.Note{Tone: "info", Mark: "yes", Fact: a.T("money.done_pay")}
	case "use":
		v.Done = &look.Note{Tone: "info", Mark: "yes", Fact: a.T("money.done_use")}
	}
	sheets := a.prints(r)
	if !v.Settled {
		v.Quote = sheets.Quote
	}
	var behind []second
	if v.Write {
		if behind, err = a.seconds(); err != nil {
			return err
		}
	}
	for _, p := range acc.GetPayers() {
		row, err := a.payerView(acc, p, x, v.Write, behind)
		if err != nil {
			return err
		}
		if sheets.Bill != "" {
			row.Sheet = sheets.Bill + "?payer=" + p.GetPayer().String()
		}
		row.First = (row.Settle != nil || row.Pay != nil) && !slices.ContainsFunc(v.Payers, func(p payerView) bool { return p.First })
		v.Payers = append(v.Payers, row)
	}
	v.Entries = a.entryRows(acc.GetEntries(), nil)
	if v.Use, err = x.form("use", ""); err != nil {
		return err
	}
	for _, c := range acc.GetCards() {
		v.Cards = append(v.Cards, a.cardRow(c))
	}
	if v.Fapiao, err = s.fapiaoPanel(a, x, o, acc); err != nil {
		return err
	}
	v.Fault = x.homeless()
	return s.pages.money.Render(a.W, status, v)
}

func (a *ask) payerView(acc *branchlinev1.OrderAccount, p *branchlinev1.PayerAccount, x acts, write bool, behind []second) (payerView, error) {
	money := func(n int64) string { return look.Money(n, acc.GetCurrency()) }
	v := payerView{Action: "/" + acc.GetOrder() + "/money", Payer: p.GetPayer(), Number: p.GetSettlementNumber(), Open: money(p.GetOpen())}
	for _, r := range []struct {
		key  string
		n    int64
		show bool
	}{
		{"money.lines", p.GetLines(), true},
		{"money.discount", -p.GetDiscount(), p.GetDiscount() != 0},
		{"money.rounding", -p.GetRounding(), p.GetRounding() != 0},
		{"money.due", p.GetDue(), p.GetDue() != p.GetLines()},
		{"money.paid", p.GetPaid(), p.GetPaid() != 0},
		{"money.on_account", p.GetOnAccount(), p.GetOnAccount() != 0},
	} {
		if r.show {
			v.Rows = append(v.Rows, savedRow{a.T(r.key), money(r.n)})
		}
	}
	if p.GetDrift() != 0 {
		v.Drift = money(p.GetDrift())
	}
	if !write {
		return v, nil
	}
	if p.GetMemberDiscount() > 0 {
		v.Member = a.T("money.member", acc.GetMemberClass(), money(p.GetMemberDiscount()))
	}
	v.Limit = percent(acc.GetLimitBp())
	settled := p.GetSettlement() != ""
	v.Methods, v.Drawer = a.methods(acc.GetCards(), settled && p.GetPayer() == branchlinev1.Payer_PAYER_CUSTOMER), a.methods(nil, false)
	for _, f := range []struct {
		act  string
		to   **act
		show bool
	}{
		{"settle", &v.Settle, !settled && (p.GetCount() > 0 || p.GetPaid() != 0)},
		{"pay", &v.Pay, p.GetOpen() > 0 || !settled},
		{"refund", &v.Refund, p.GetPaid() > 0 && (!settled || p.GetOpen() < 0)},
		{"undo", &v.Undo, settled},
	} {
		if !f.show {
			continue
		}
		form, err := x.form(f.act+"-"+p.GetPayer().String(), p.GetEtag())
		if err != nil {
			return v, err
		}
		form.Seconds = behind
		*f.to = &form
	}
	if v.Pay != nil && v.Pay.typed["amount"] == "" && p.GetOpen() > 0 {
		v.Pay.typed["amount"] = strings.ReplaceAll(money(p.GetOpen()), ",", "")
	}
	if v.Undo != nil {
		v.Undo.typed["settlement"] = p.GetSettlement()
	}
	return v, nil
}

// orderMoneyAct takes the forms of the page of an order's money.
func (s *Site) orderMoneyAct(a *ask) error {
	name, form := "serviceOrders/"+a.id, a.Form("act")
	done, err := s.moneyAct(a, name, form)
	switch {
	case err == nil:
		return a.GoTo("/" + name + "/money?done=" + done)
	case errors.Is(err, schema.ErrConflict):
		return a.GoTo("/" + name + "/money?moved=1")
	case errors.Is(err, schema.ErrInvalid):
		if x, ok := a.refuse(form, err); ok {
			return s.showMoney(a, http.StatusBadRequest, x)
		}
	}
	return err
}

func (s *Site) moneyAct(a *ask, name, form string) (done string, err error) {
	do, of, _ := strings.Cut(form, "-")
	payer := branchlinev1.Payer(branchlinev1.Payer_value[of])
	ctx, etag, request := a.R.Context(), a.Form("etag"), a.Form("request_id")
	switch do {
	case "settle":
		free, err := a.money("discount")
		if err != nil {
			return "", err
		}
		round, _ := parseFixed(a.Form("round"), 2) // one of our own choices, or none
		_, err = s.c.Counter.Settle(ctx, &branchlinev1.SettleRequest{
			Order: name, Payer: payer, Etag: etag, Member: a.Form("member") != "", Discount: free, DiscountReason: a.Form("reason"), RoundTo: round,
			Approval: a.word(), RequestId: request,
		})
		return "settle", err
	case "pay":
		tenders, err := a.tenders()
		if err != nil {
			return "", err
		}
		_, err = s.c.Counter.TakePayment(ctx, &branchlinev1.TakePaymentRequest{
			Order: name, Payer: payer, Etag: etag, Tenders: tenders, Approval: a.word(), RequestId: request,
		})
		return "pay", err
	case "refund":
		n, err := a.money("amount")
		if err != nil {
			return "", err
		}
		_, err = s.c.Counter.Refund(ctx, &branchlinev1.RefundRequest{
			Order: name, Payer: payer, Etag: etag, Method: branchlinev1.PayMethod(branchlinev1.PayMethod_value[a.Form("method")]), Amount: n,
			Reference: a.Form("reference"), Reason: a.Form("reason"), Approval: a.word(), RequestId: request,
		})
		return "pay", err
	case "undo":
		_, err := s.c.Counter.ReverseSettlement(ctx, &branchlinev1.ReverseSettlementRequest{
			Settlement: a.Form("settlement"), Reason: a.Form("reason"), Approval: a.word(), RequestId: request,
		})
		return "settle", err
	case "use":
		_, err := s.c.Counter.UseCard(ctx, &branchlinev1.UseCardRequest{Card: a.Form("card"), Order: name, RequestId: request})
		return "use", err
	case "fapiao":
		return "fapiao", s.askFapiao(a, name)
	}
	return "", schema.Invalid("act", "%q is nothing to do with an account", form)
}

// percent writes basis points: 500 is 5 %.
func percent(bp int64) string { return strings.TrimSuffix(look.Fixed(bp, 2), ".00") + " %" }

// signed writes an amount with its sign, as differences are.
func signed(minor int64) string {
	if minor > 0 {
		return "+" + look.Money(minor, "CNY")
	}
	return look.Money(minor, "CNY")
}
