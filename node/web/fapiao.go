package web

import (
	"cmp"
	"encoding/csv"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	"branchline/schema/cell"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

// fapiaoPanel is what is asked and kept of the invoices of the tax system for an order.
type fapiaoPanel struct {
	Show   bool
	Ask    *act
	Titles []option
	Kinds  []option
	List   []fapiaoRow
}

type fapiaoRow struct {
	ID, Title, Tax, Number, Code, Day string
	Kind                              branchlinev1.FapiaoKind
	State                             branchlinev1.FapiaoState
	Amount                            string
	Order, OrderHref                  string
	Red                               string
	Etag                              string
	Wanted, Issued                    bool // in this state, and the caller may write down the next
	Form                              act
}

func (a *ask) fapiaoRow(r *branchlinev1.Record) fapiaoRow {
	f := r.GetFapiao()
	row := fapiaoRow{
		ID: idOf(r.GetName()), Title: f.GetTitle(), Tax: f.GetTaxNumber(), Number: f.GetNumber(), Code: f.GetCode(), Day: f.GetDay(), Kind: f.GetKind(), State: f.GetState(),
		Amount: look.Money(f.GetAmount(), "CNY"), Etag: r.GetEtag(),
	}
	mine := r.GetHome() == a.branch() && a.Writes(schema.Fapiao)
	row.Wanted, row.Issued = mine && f.GetState() == branchlinev1.FapiaoState_FAPIAO_WANTED, mine && f.GetState() == branchlinev1.FapiaoState_FAPIAO_ISSUED
	if f.GetOrder() != "" {
		row.OrderHref = a.Href("serviceOrders/" + f.GetOrder())
	}
	if f.GetRedOn() != "" {
		row.Red = joinNew(joinNew(f.GetRedOn(), f.GetRedNumber()), f.GetRedReason())
	}
	return row
}

// titles are the invoice titles of an order's customer.
func (s *Site) titles(a *ask, o *branchlinev1.ServiceOrder) ([]*branchlinev1.InvoiceTitle, string, error) {
	if o.GetCustomer() == "" || !a.Reads(schema.Customer) {
		return nil, "", nil
	}
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "customers/" + o.GetCustomer(), Golden: true})
	if isMissing(err) {
		return nil, "", nil
	}
	return r.GetCustomer().GetInvoiceTitles(), r.GetCustomer().GetName(), err
}

func (a *ask) fapiaoKinds() []option {
	var out []option
	for _, k := range []branchlinev1.FapiaoKind{branchlinev1.FapiaoKind_FAPIAO_ORDINARY, branchlinev1.FapiaoKind_FAPIAO_SPECIAL} {
		out = append(out, option{k.String(), a.Look.Word(a.Lang, "fapiaokind", k)})
	}
	return out
}

func (s *Site) fapiaoPanel(a *ask, x acts, o *branchlinev1.ServiceOrder, acc *branchlinev1.OrderAccount) (fapiaoPanel, error) {
	p := fapiaoPanel{Show: a.Reads(schema.Fapiao), Kinds: a.fapiaoKinds()}
	if !p.Show {
		return p, nil
	}
	all, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "fapiaos", Order: acc.GetOrder()})
	if err != nil {
		return p, err
	}
	for _, r := range all {
		p.List = append(p.List, a.fapiaoRow(r))
	}
	if !a.Writes(schema.Fapiao) || settledBy(acc, branchlinev1.Payer_PAYER_CUSTOMER) == nil {
		return p, nil
	}
	titles, name, err := s.titles(a, o)
	if err != nil {
		return p, err
	}
	for i, t := range titles {
		p.Titles = append(p.Titles, option{strconv.Itoa(i), joinNew(t.GetTitle(), t.GetTaxNumber())})
	}
	p.Titles = append(p.Titles, option{"own", a.T("fapiao.own", name)})
	form, err := x.form("fapiao", "")
	p.Ask = &form
	return p, err
}

// settledBy is the account of a payer who is settled; nil otherwise.
func settledBy(acc *branchlinev1.OrderAccount, p branchlinev1.Payer) *branchlinev1.PayerAccount {
	for _, x := range acc.GetPayers() {
		if x.GetPayer() == p && x.GetSettlement() != "" {
			return x
		}
	}
	return nil
}

// askFapiao notes that the customer wants a fapiao for what they settled, with the data of the title chosen.
func (s *Site) askFapiao(a *ask, order string) error {
	acc, err := s.c.Counter.GetAccount(a.R.Context(), &branchlinev1.GetAccountRequest{Order: order})
	if err != nil {
		return err
	}
	p := settledBy(acc, branchlinev1.Payer_PAYER_CUSTOMER)
	if p == nil {
		return schema.Invalid("payer", "has nothing to settle")
	}
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: order})
	if err != nil {
		return err
	}
	o := r.GetServiceOrder()
	titles, name, err := s.titles(a, o)
	if err != nil {
		return err
	}
	tax := p.GetTax()
	if p.GetLines() > 0 {
		tax = tax * p.GetDue() / p.GetLines()
	}
	f := &branchlinev1.Fapiao{
		Order: proto.String(a.id), Settlement: proto.String(idOf(p.GetSettlement())), Branch: proto.String(a.branch()), State: branchlinev1.FapiaoState_FAPIAO_WANTED.Enum(),
		Kind: branchlinev1.FapiaoKind(branchlinev1.FapiaoKind_value[a.Form("kind")]).Enum(), Title: &name, Amount: proto.Int64(p.GetDue()), TaxAmount: &tax, Currency: proto.String("CNY"),
		Day: proto.String(a.today()),
	}
	if o.GetCustomer() != "" {
		f.Customer = proto.String(o.GetCustomer())
	}
	if i, err := strconv.Atoi(a.Form("title")); err == nil && i >= 0 && i < len(titles) {
		t := titles[i]
		for to, is := range map[*(*string)]string{
			&f.Title: t.GetTitle(), &f.TaxNumber: t.GetTaxNumber(), &f.Bank: t.GetBank(), &f.BankAccount: t.GetBankAccount(), &f.Address: t.GetAddress(),
			&f.Phone: t.GetPhone(), &f.Email: t.GetEmail(),
		} {
			if is != "" {
				*to = &is
			}
		}
	}
	_, err = s.c.Records.CreateRecord(a.R.Context(), &branchlinev1.CreateRecordRequest{
		Record: &branchlinev1.Record{Body: &branchlinev1.Record_Fapiao{Fapiao: f}}, RequestId: a.Form("request_id"),
	})
	return err
}

type fapiaoView struct {
	look.Frame
	From, To string
	CSV      string
	List     []fapiaoRow
	Here     string // what the address of this page of the list has after the path, for forms to come back to
	Pager    look.Pager
	Moved    bool
}

// fapiaosOnPage is how many fapiaos stand on a page: each of them may have a form.
const fapiaosOnPage = 50

// fapiaosOf asks for the fapiaos of the days in the address, this month's when there are none.
func (a *ask) fapiaosOf() *branchlinev1.ListRecordsRequest {
	return &branchlinev1.ListRecordsRequest{
		Collection: "fapiaos", Branch: a.branch(), DayFrom: cmp.Or(a.Query("from"), a.today()[:8]+"01"), DayTo: cmp.Or(a.Query("to"), a.today()), OrderBy: "day",
	}
}

// fapiaosHere says which page of the list is shown, as it stands in its address with the question mark; "" for the first of
// this month.
func (a *ask) fapiaosHere() string {
	all, q := a.R.URL.Query(), url.Values{}
	for _, name := range []string{"from", "to", "page", "page-was"} {
		if len(all[name]) > 0 {
			q[name] = all[name]
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// fapiaos is the list for who enters numbers and keeps the books.
func (s *Site) fapiaos(a *ask) error { return s.showFapiaos(a, http.StatusOK, acts{a: a}) }

func (s *Site) showFapiaos(a *ask, status int, x acts) error {
	req := a.fapiaosOf()
	req.PageSize, req.PageToken = fapiaosOnPage, a.Query("page")
	res, err := s.c.Records.ListRecords(a.R.Context(), req)
	if err != nil {
		return err
	}
	v := fapiaoView{Frame: a.frame(a.T("fapiao.title"), "till"), From: req.GetDayFrom(), To: req.GetDayTo(), Here: a.fapiaosHere(), Moved: a.Query("moved") != ""}
	if status == http.StatusOK { // the address of a form that was refused is not the list's
		v.Pager = a.Pager("page", res.GetNextPageToken(), "moved")
	}
	v.CSV = "/fapiaos/csv?" + url.Values{"from": {v.From}, "to": {v.To}}.Encode()
	for _, r := range res.GetRecords() {
		row := a.fapiaoRow(r)
		if row.Form, err = x.form(row.ID, row.Etag); err != nil {
			return err
		}
		v.List = append(v.List, row)
	}
	return s.pages.fapiao.Render(a.W, status, v)
}

// fapiaoEnter writes down the number of a fapiao that was issued, or that it was taken back by a red letter.
func (s *Site) fapiaoEnter(a *ask) error {
	f, mask := &branchlinev1.Fapiao{}, []string{}
	set := func(to *(*string), field, name string) {
		if v := a.Form(name); v != "" {
			*to = &v
			mask = append(mask, field)
		}
	}
	if a.Form("act") == "red" {
		f.State = branchlinev1.FapiaoState_FAPIAO_RED.Enum()
		f.RedOn = proto.String(a.today())
		mask = append(mask, "state", "red_on")
		set(&f.RedNumber, "red_number", "number")
		set(&f.RedReason, "red_reason", "reason")
	} else {
		f.State = branchlinev1.FapiaoState_FAPIAO_ISSUED.Enum()
		mask = append(mask, "state")
		set(&f.Number, "number", "number")
		set(&f.Code, "code", "code")
		set(&f.Day, "day", "day")
	}
	_, err := s.c.Records.UpdateRecord(a.R.Context(), &branchlinev1.UpdateRecordRequest{
		Record:     &branchlinev1.Record{Name: "fapiaos/" + a.id, Etag: a.Form("etag"), Body: &branchlinev1.Record_Fapiao{Fapiao: f}},
		UpdateMask: mask, RequestId: a.Form("request_id"),
	})
	switch {
	case errors.Is(err, schema.ErrConflict):
		return a.GoTo("/fapiaos" + cmp.Or(a.fapiaosHere(), "?") + "&moved=1")
	case errors.Is(err, schema.ErrInvalid):
		if x, ok := a.refuse(a.id, err); ok {
			return s.showFapiaos(a, http.StatusBadRequest, x)
		}
	}
	if err != nil {
		return err
	}
	return a.GoTo("/fapiaos" + a.fapiaosHere())
}

// fapiaoCSV is the list as a file. No cell of it is a formula to a program that opens it.
func (s *Site) fapiaoCSV(a *ask) error {
	req := a.fapiaosOf()
	req.PageSize = maxListed
	var list []*branchlinev1.Record
	for {
		res, err := s.c.Records.ListRecords(a.R.Context(), req)
		if err != nil {
			return err
		}
		list = append(list, res.GetRecords()...)
		if req.PageToken = res.GetNextPageToken(); req.PageToken == "" {
			break
		}
	}
	head := a.W.Header()
	head.Set("Content-Type", "text/csv; charset=utf-8")
	head.Set("Content-Disposition", `attachment; filename="fapiao-`+url.PathEscape(req.GetDayFrom()+"-"+req.GetDayTo())+`.csv"`)
	w := csv.NewWriter(a.W)
	k := schema.KindOf(schema.Fapiao)
	fields := []string{
		"day", "state", "kind", "number", "code", "title", "tax_number", "bank", "bank_account", "address", "phone", "email", "amount", "tax_amount", "currency", "order",
		"red_on", "red_number", "red_reason",
	}
	if _, err := a.W.Write([]byte(cell.Mark)); err != nil {
		return nil // the reader has gone
	}
	if err := w.Write(fields); err != nil {
		return nil // likewise
	}
	for _, r := range list {
		row := make([]string, len(fields))
		for i, name := range fields {
			row[i] = cell.Safe(a.sayField(k.Field(name), r.GetFapiao()))
		}
		if err := w.Write(row); err != nil {
			return nil // likewise
		}
	}
	w.Flush()
	return nil
}
