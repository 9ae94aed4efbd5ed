package web

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/say"
)

// billSheets are the settlement sheets (结算单) of an order: one a payer, each on a sheet of its own.
type billSheets struct {
	paper
	Fault  string // what was wrong, as found, else as told
	Bills  []bill
	Choose []siteLink // each payer alone, and settlements that were taken back
}

// bill is the settlement sheet of one payer. Before anything is settled it is what the lines come to, and says so.
type bill struct {
	Payer     branchlinev1.Payer
	Number    string // of the settlement; "" before there is one
	Void      string // a settlement that was taken back: when, by whom, why
	Cells     []paperFact
	Lines     priced
	Sums      []sumRow
	Capital   string
	Paid      []paidRow
	Fapiao    []string
	Drift     string
	Guarantee string
	OldParts  string
	By        string
}

type paidRow struct{ At, What, Number, Amount string }

// settled is one payer's settlements of an order.
type settled struct {
	all      []*branchlinev1.Record
	reversed map[string]*branchlinev1.Settlement // by the id of what it takes back
}

func (s *Site) bills(a *ask) error {
	p, err := s.paper(a, "paper.bill", true)
	if err != nil {
		return err
	}
	reader := a
	a = p.in
	acc, err := s.c.Counter.GetAccount(a.R.Context(), &branchlinev1.GetAccountRequest{Order: p.r.GetName()})
	if err != nil {
		return err
	}
	lines, err := s.paperLines(a, &p)
	if err != nil {
		return err
	}
	st := settled{reversed: map[string]*branchlinev1.Settlement{}}
	if st.all, _, err = a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "settlements", Order: p.r.GetName()}); err != nil {
		return err
	}
	for _, r := range st.all {
		if of := r.GetSettlement().GetReverses(); of != "" {
			st.reversed[of] = r.GetSettlement()
		}
	}
	looked, err := s.lastInspection(a, &p)
	if err != nil {
		return err
	}
	old := p.o.GetOldPartsWanted() || looked.GetOldPartsWanted()
	v := billSheets{paper: p, Fault: cmp.Or(p.o.GetFault(), p.o.GetComplaint())}
	of, payer := a.Query("of"), a.Query("payer")
	choose := func(key, value, text string, on bool) {
		q := url.Values{}
		for k, v := range map[string]string{key: value, "in": a.Query("in")} {
			if v != "" {
				q.Set(k, v)
			}
		}
		v.Choose = append(v.Choose, siteLink{Href: p.Back + "/settlement?" + q.Encode(), Text: text, On: on})
	}
	choose("payer", "", reader.T("paper.all_payers"), of == "" && payer == "")
	for _, x := range acc.GetPayers() {
		name := x.GetPayer().String()
		choose("payer", name, a.s.look.Word(reader.Lang, "payer", x.GetPayer()), payer == name)
		if of != "" || payer != "" && payer != name {
			continue
		}
		b, err := s.bill(a, &p, acc, x, &st, lines, old)
		if err != nil {
			return err
		}
		v.Bills = append(v.Bills, b)
	}
	for _, r := range st.all {
		id, m := idOf(r.GetName()), r.GetSettlement()
		if st.reversed[id] == nil {
			continue
		}
		choose("of", id, reader.T("paper.void_one", m.GetNumber()), of == id)
		if of == id {
			v.Bills = append(v.Bills, a.voidBill(&p, m, st.reversed[id]))
		}
	}
	if len(v.Bills) == 0 {
		if of != "" || payer != "" {
			return schema.ErrNotFound
		}
		b, err := s.bill(a, &p, acc, &branchlinev1.PayerAccount{Payer: branchlinev1.Payer_PAYER_CUSTOMER}, &st, nil, old)
		if err != nil {
			return err
		}
		v.Bills = []bill{b}
	}
	if len(v.Choose) < 3 { // nothing to choose
		v.Choose = nil
	}
	if v.Sheet, err = s.written(s.pages.bills, p.Tongue, v); err != nil {
		return err
	}
	return s.pages.bills.Render(a.W, http.StatusOK, v)
}

// bill is the sheet of one payer as it stands.
func (s *Site) bill(a *ask, p *paper, acc *branchlinev1.OrderAccount, x *branchlinev1.PayerAccount, st *settled, lines []numbered, old bool) (bill, error) {
	b := bill{Payer: x.GetPayer(), Number: x.GetSettlementNumber(), OldParts: a.T("paper.old_left")}
	if old {
		b.OldParts = a.T("paper.old_taken")
	}
	var mine []numbered
	for _, l := range lines {
		done := l.GetState() == branchlinev1.LineState_LINE_APPROVED || l.GetState() == branchlinev1.LineState_LINE_DONE
		if done && payerOr(l.GetPayer()) == x.GetPayer() {
			mine = append(mine, l)
		}
	}
	currency := cmp.Or(acc.GetCurrency(), "CNY")
	b.Lines = a.priced(mine, currency)
	m := &branchlinev1.Settlement{TaxAmount: &x.Tax}
	for _, r := range st.all {
		if r.GetName() == x.GetSettlement() {
			m = r.GetSettlement()
		}
	}
	b.Cells = a.billCells(p, m)
	b.Sums = a.billSums(m, x, currency)
	if currency == "CNY" {
		b.Capital = say.Capital(a.Lang, x.GetDue())
	}
	if x.GetDrift() != 0 {
		b.Drift = a.T("paper.drift", look.Money(x.GetDrift(), currency))
	}
	b.Guarantee = a.guaranteeText(m)
	b.By = a.Names().Person(m.GetBy())
	for _, e := range acc.GetEntries() {
		pay := e.GetPayment()
		if payerOr(pay.GetPayer()) != x.GetPayer() || e.GetReversed() || pay.GetReverses() != "" {
			continue
		}
		what := joinNew(a.s.look.Word(a.Lang, "paymethod", pay.GetMethod()), a.s.look.Word(a.Lang, "paypurpose", pay.GetPurpose()))
		b.Paid = append(b.Paid, paidRow{a.instant(pay.GetAt()), what, pay.GetNumber(), look.Money(pay.GetAmount(), currency)})
	}
	b.Paid = append(b.Paid, a.cardUses(mine, acc)...)
	if x.GetPayer() != branchlinev1.Payer_PAYER_CUSTOMER {
		return b, nil
	}
	var err error
	b.Fapiao, err = s.fapiaoLines(a, p)
	return b, err
}

// voidBill is the sheet of a settlement that was taken back: its figures, since the lines it was of may have changed.
func (a *ask) voidBill(p *paper, m, by *branchlinev1.Settlement) bill {
	currency := cmp.Or(m.GetCurrency(), "CNY")
	who := joinNew(a.instant(by.GetAt()), a.Names().Person(by.GetBy()))
	return bill{
		Payer: m.GetPayer(), Number: m.GetNumber(), Cells: a.billCells(p, m), By: a.Names().Person(m.GetBy()),
		Void: a.T("paper.void_why", joinNew(who, by.GetReason()), by.GetNumber()),
		Sums: a.billSums(m, &branchlinev1.PayerAccount{
			Lines: m.GetLinesAmount(), Discount: m.GetDiscount(), Rounding: m.GetRounding(), Due: m.GetAmount(),
		}, currency),
	}
}

// billCells are the head of a settlement sheet: the elements a repair record has in China (JT/T 1132) beside its lines.
func (a *ask) billCells(p *paper, m *branchlinev1.Settlement) []paperFact {
	out := append(slices.Clone(p.Car),
		paperFact{Label: a.T("paper.bill_number"), Text: m.GetNumber(), Two: true},
		paperFact{Label: a.T("paper.settled_on"), Text: m.GetDay()},
		paperFact{Label: a.T("paper.km"), Text: kilometres(p.o.GetOdometerKm())},
		paperFact{Label: a.T("paper.in"), Text: a.instant(p.o.GetOpenedAt())},
		paperFact{Label: a.T("paper.handed_over"), Text: a.instant(p.o.GetHandedOverAt())},
		paperFact{Label: a.T("paper.adviser"), Text: a.Names().Person(p.o.GetAdviser())},
		paperFact{Label: a.T("paper.technician"), Text: a.Names().Person(p.o.GetTechnician())},
	)
	for _, c := range p.people(a) {
		c.Two = true
		out = append(out, c)
	}
	return out
}

func (a *ask) billSums(m *branchlinev1.Settlement, x *branchlinev1.PayerAccount, currency string) []sumRow {
	why := joinNew(m.GetMemberClass(), m.GetDiscountReason())
	if why != "" {
		why = a.T("say.paren", why)
	}
	var out []sumRow
	add := func(label string, n int64, strong bool) {
		out = append(out, sumRow{label, look.Money(n, currency), strong})
	}
	add(a.T("paper.lines_sum"), x.GetLines()-x.GetDrift(), false)
	if x.GetDiscount() != 0 {
		add(a.T("money.discount")+why, -x.GetDiscount(), false)
	}
	if x.GetRounding() != 0 {
		add(a.T("money.rounding"), -x.GetRounding(), false)
	}
	add(a.T("paper.due"), x.GetDue(), true)
	if m.GetTaxAmount() != 0 {
		add(a.T("paper.tax"), m.GetTaxAmount(), false)
	}
	if x.GetPaid() != 0 {
		add(a.T("money.paid"), x.GetPaid(), false)
	}
	if x.GetOnAccount() != 0 {
		add(a.T("money.on_account"), x.GetOnAccount(), false)
	}
	if x.GetOpen() != 0 {
		add(a.T("paper.open"), x.GetOpen(), true)
	}
	return out
}

// cardUses are the lines that were paid with a counted card, and what is left on it.
func (a *ask) cardUses(lines []numbered, acc *branchlinev1.OrderAccount) []paidRow {
	var out []paidRow
	for _, l := range lines {
		if l.GetKind() != branchlinev1.LineKind_PACKAGE_USE || l.GetCard() == "" {
			continue
		}
		row := paidRow{What: joinNew(a.s.look.Word(a.Lang, "kind", l.GetKind()), l.GetItem())}
		for _, c := range acc.GetCards() {
			if idOf(c.GetName()) == l.GetCard() {
				row.Number = c.GetCard().GetNumber()
				row.What = joinNew(row.What, a.T("paper.card_left", c.GetLeft()))
			}
		}
		out = append(out, row)
	}
	return out
}

// fapiaoLines are the invoices of the tax system for the order; before there is one, the title the customer wants.
func (s *Site) fapiaoLines(a *ask, p *paper) ([]string, error) {
	if !a.Reads(schema.Fapiao) {
		return nil, nil
	}
	all, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "fapiaos", Order: p.r.GetName()})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range all {
		f := a.fapiaoRow(r)
		text := []string{a.s.look.Word(a.Lang, "fapiaokind", f.Kind), f.Title, f.Tax, f.Number, f.Day, f.Amount, a.s.look.Word(a.Lang, "fapiaostate", f.State), f.Red}
		out = append(out, strings.Join(slices.DeleteFunc(text, func(s string) bool { return s == "" }), " · "))
	}
	if titles := p.party.GetInvoiceTitles(); len(out) == 0 && len(titles) > 0 {
		out = append(out, a.titleText(titles[0]))
	}
	return out, nil
}

// guaranteeText is the repair guarantee a settlement gives: whichever ends first. "" for none.
func (a *ask) guaranteeText(m *branchlinev1.Settlement) string {
	switch until, km := m.GetGuaranteeUntil(), m.GetGuaranteeKm(); {
	case until == "":
		return ""
	case km == 0:
		return a.T("paper.guarantee_day", until)
	default:
		return a.T("paper.guarantee", until, km)
	}
}
