package web

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"branchline/schema"
	"branchline/schema/access"
	"branchline/schema/card"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/till"
)

// cardRow is one card in a list.
type cardRow struct {
	Name, Href, Title, Number string
	Left                      string
	Form                      branchlinev1.CardForm
	Until, AsOf               string
	Stop                      string
	Open                      int32
	Over                      bool // less than nothing is left
	Usable                    bool // counted, and it may be used here and now
}

func (a *ask) cardRow(c *branchlinev1.CardState) cardRow {
	m := c.GetCard()
	row := cardRow{
		Name: c.GetName(), Href: a.Href(c.GetName()), Title: m.GetTitle(), Number: m.GetNumber(), Form: m.GetForm(), Until: m.GetValidTo(), Open: c.GetOpen(),
		Over: c.GetLeft() < 0,
	}
	if m.GetForm() == branchlinev1.CardForm_CARD_STORED_MONEY {
		row.Left = look.Money(c.GetLeft(), "CNY")
	} else {
		row.Left = a.T("card.uses_left", c.GetLeft())
		row.Usable = c.GetStop() == ""
	}
	if c.GetStop() != "" {
		row.Stop = a.Sayer().Reason(c.GetStop())
	}
	row.AsOf = a.T("card.as_of_never")
	if c.GetAsOf() > 0 {
		row.AsOf = a.T("card.as_of", a.s.look.When(a.Lang, a.Now, c.GetAsOf()))
	}
	return row
}

// owedRow is an order of which something is on account still.
type owedRow struct{ Href, Text, Meta, Amount, Sheet string }

// maxOwed bounds the orders a page names; what is owed in all stands above them.
const maxOwed = 12

// owed are the orders for which a customer owes, the oldest first.
func (a *ask) owed(p *branchlinev1.Purse) ([]owedRow, error) {
	var all []till.Payment
	for _, e := range p.GetEntries() {
		all = append(all, till.Payment{ID: idOf(e.GetName()), Payment: e.GetPayment()})
	}
	var out []owedRow
	for _, x := range till.OwedFor(all) {
		if len(out) == maxOwed {
			break
		}
		name := "serviceOrders/" + x.Order
		row := owedRow{Amount: look.Money(x.Amount, "CNY"), Text: a.T("purse.no_order"), Meta: a.s.look.Day(x.Since)}
		r, err := a.s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
		if err != nil && !isMissing(err) {
			return nil, err
		}
		if err == nil {
			o := r.GetServiceOrder()
			row.Text, row.Href, row.Sheet = cmp.Or(o.GetNumber(), o.GetDay()), a.Href(name), a.prints(r).Bill
			row.Meta = joinNew(a.SiteName(o.GetBranch()), row.Meta)
		}
		out = append(out, row)
	}
	return out, nil
}

type purseView struct {
	look.Frame
	Name, Back, Action string
	Owed, Credit       string
	OwedFor            []owedRow
	Online             bool
	Cards              []cardRow
	Entries            []entryRow
	Write              bool
	Moved              bool
	Done               *look.Note
	Off, Sell          act
	Methods, Forms     []option
	Packages           []option
	Order              string
}

// purse is the page of what a customer has on account, and their cards.
func (s *Site) purse(a *ask) error { return s.showPurse(a, http.StatusOK, acts{a: a}) }

func (s *Site) showPurse(a *ask, status int, x acts) error {
	name := "customers/" + a.id
	c, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name, Golden: true})
	if err != nil {
		return err
	}
	p, err := s.c.Counter.GetPurse(a.R.Context(), &branchlinev1.GetPurseRequest{Customer: name})
	if err != nil {
		return err
	}
	v := purseView{
		Frame: a.frame(joinNew(a.T("purse.title"), c.GetCustomer().GetName()), "customers"), Name: c.GetCustomer().GetName(), Back: "/" + name, Action: "/" + name + "/purse",
		Online: p.GetOnline(), Write: a.Writes(schema.PackageCard) && a.May("POST /customers/{id}/purse"), Moved: a.Query("moved") != "",
		Methods: a.methods(p.GetCards(), false), Order: a.Query("order"),
	}
	if p.GetOwed() != 0 {
		v.Owed = look.Money(p.GetOwed(), "CNY")
	}
	if p.GetCreditLimit() > 0 {
		v.Credit = look.Money(p.GetCreditLimit(), "CNY")
	}
	switch a.Query("done") {
	case "sell":
		v.Done = &look.Note{Tone: "info", Mark: "yes", Fact: a.T("card.sold")}
	case "off":
		v.Done = &look.Note{Tone: "info", Mark: "yes", Fact: a.T("money.done_pay")}
	}
	if v.OwedFor, err = a.owed(p); err != nil {
		return err
	}
	for _, k := range p.GetCards() {
		v.Cards = append(v.Cards, a.cardRow(k))
	}
	if v.Entries, err = a.entriesOfAll(p.GetEntries()); err != nil {
		return err
	}
	if v.Off, err = x.form("off", p.GetEtag()); err != nil {
		return err
	}
	if v.Off.typed["amount"] == "" && p.GetOwed() > 0 {
		v.Off.typed["amount"] = strings.ReplaceAll(v.Owed, ",", "")
	}
	if v.Sell, err = x.form("sell", ""); err != nil {
		return err
	}
	for _, f := range []branchlinev1.CardForm{branchlinev1.CardForm_CARD_COUNTED, branchlinev1.CardForm_CARD_STORED_MONEY} {
		v.Forms = append(v.Forms, option{f.String(), a.Look.Word(a.Lang, "cardform", f)})
	}
	packages, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "packages"})
	if err != nil {
		return err
	}
	for _, r := range packages {
		if k := r.GetPackage(); k.GetCardUses() > 0 {
			v.Packages = append(v.Packages, option{r.GetName(), a.T("card.package", k.GetName(), int64(k.GetCardUses()), look.Money(k.GetPrice(), "CNY"))})
		}
	}
	return s.pages.purse.Render(a.W, status, v)
}

// purseAct takes the forms of the page.
func (s *Site) purseAct(a *ask) error {
	name, form := "customers/"+a.id, a.Form("act")
	err := s.purseDo(a, name, form)
	switch {
	case err == nil:
		return a.GoTo("/" + name + "/purse?done=" + form)
	case errors.Is(err, schema.ErrConflict):
		return a.GoTo("/" + name + "/purse?moved=1")
	case errors.Is(err, schema.ErrInvalid):
		if x, ok := a.refuse(form, err); ok {
			return s.showPurse(a, http.StatusBadRequest, x)
		}
	}
	return err
}

func (s *Site) purseDo(a *ask, name, form string) error {
	if form == "off" {
		tenders, err := a.tenders()
		if err != nil {
			return err
		}
		_, err = s.c.Counter.PayOff(a.R.Context(), &branchlinev1.PayOffRequest{Customer: name, Etag: a.Form("etag"), Tenders: tenders, RequestId: a.Form("request_id")})
		return err
	}
	r := &branchlinev1.SellCardRequest{
		Customer: name, Package: a.Form("package"), Title: a.Form("title"), ValidTo: a.Form("valid_to"), RequestId: a.Form("request_id"),
		Form: branchlinev1.CardForm(branchlinev1.CardForm_value[a.Form("form")]),
	}
	if a.Form("uses") != "" {
		n, err := strconv.ParseInt(a.Form("uses"), 10, 32)
		if err != nil {
			return schema.Invalid("uses", "is no number")
		}
		r.Uses = int32(n)
	}
	var err error
	if r.Price, err = a.money("price"); err != nil {
		return err
	}
	if r.Bonus, err = a.money("bonus"); err != nil {
		return err
	}
	if r.Package != "" {
		r.Form, r.Title, r.Uses, r.Bonus = branchlinev1.CardForm_CARD_COUNTED, "", 0, 0
	}
	if a.Form("amount") == "" { // paid as it costs
		price, err := s.cardPrice(a, r)
		if err != nil {
			return err
		}
		a.R.PostForm.Set("amount", look.Money(price, "CNY"))
	}
	if r.Tenders, err = a.tenders(); err != nil {
		return err
	}
	_, err = s.c.Counter.SellCard(a.R.Context(), r)
	return err
}

// cardPrice is what a card to be sold costs: as typed, or as its package says.
func (s *Site) cardPrice(a *ask, r *branchlinev1.SellCardRequest) (int64, error) {
	if r.GetPrice() > 0 || r.GetPackage() == "" {
		return r.GetPrice(), nil
	}
	p, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: r.GetPackage()})
	return p.GetPackage().GetPrice(), err
}

type cardView struct {
	look.Frame
	Card     cardRow
	Customer personRow
	Rows     []savedRow
	Uses     []useRow
	Action   string
	Back     act
	Write    bool
}

// useRow is one use of a card.
type useRow struct {
	Name, What, Site, Who, Order, Href string
	At, Now                            int64
	TakenBack, Over                    bool
	Borne                              string
	Own, MayBack                       bool
}

func (a *ask) useRow(u *branchlinev1.CardUseRow) useRow {
	m := u.GetUse()
	row := useRow{
		Name: u.GetName(), Site: a.SiteName(m.GetBranch()), Who: a.Names().Person(m.GetBy()), Order: u.GetOrderNumber(), At: m.GetUsedAt(), Now: a.Now,
		TakenBack: u.GetTakenBack(), Over: u.GetOver(), Own: m.GetBranch() == a.branch(),
	}
	if m.GetOrder() != "" && u.GetOrderNumber() != "" {
		row.Href = a.Href("serviceOrders/" + m.GetOrder())
	}
	if m.GetAmount() != 0 {
		row.What = look.Money(m.GetAmount(), "CNY")
	} else {
		row.What = a.T("card.times", int64(m.GetUses()))
		row.MayBack = row.Own && !row.TakenBack
	}
	switch by := m.GetBorneBy(); by {
	case "":
	case card.Customer:
		row.Borne = a.T("over.borne", a.T("over.customer"))
	default:
		row.Borne = a.T("over.borne", a.SiteName(by))
	}
	return row
}

// cardPage is the page of a card: what is left, and its uses.
func (s *Site) cardPage(a *ask) error { return s.showCard(a, http.StatusOK, acts{a: a}) }

func (s *Site) showCard(a *ask, status int, x acts) error {
	name := "packageCards/" + a.id
	c, err := s.c.Counter.GetCard(a.R.Context(), &branchlinev1.GetCardRequest{Card: name})
	if err != nil {
		return err
	}
	v := cardView{Card: a.cardRow(c), Action: "/" + name, Write: a.Writes(schema.CardUse)}
	v.Frame = a.frame(joinNew(v.Card.Title, v.Card.Number), "customers")
	m := c.GetCard()
	for _, r := range []savedRow{
		{a.T("card.form"), a.Look.Word(a.Lang, "cardform", m.GetForm())},
		{a.T("card.sold_on"), joinNew(m.GetDay(), a.SiteName(m.GetBranch()))},
		{a.T("card.price"), look.Money(m.GetPrice(), "CNY")},
		{a.T("card.until"), m.GetValidTo()},
		{a.T("card.seller"), a.Names().Person(m.GetSeller())},
	} {
		if r.Text != "" {
			v.Rows = append(v.Rows, r)
		}
	}
	if r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "customers/" + m.GetCustomer(), Golden: true}); err == nil {
		v.Customer = personRow{Name: r.GetCustomer().GetName(), Href: "/customers/" + m.GetCustomer() + "/purse"}
	} else if !isMissing(err) {
		return err
	}
	for _, u := range c.GetUses() {
		v.Uses = append(v.Uses, a.useRow(u))
	}
	if v.Back, err = x.form("back", ""); err != nil {
		return err
	}
	return s.pages.card.Render(a.W, status, v)
}

// cardBack takes a use of a card back.
func (s *Site) cardBack(a *ask) error {
	_, err := s.c.Counter.TakeBackUse(a.R.Context(), &branchlinev1.TakeBackUseRequest{Use: a.Form("use"), Reason: a.Form("reason"), RequestId: a.Form("request_id")})
	if errors.Is(err, schema.ErrInvalid) {
		if x, ok := a.refuse("back", err); ok {
			return s.showCard(a, http.StatusBadRequest, x)
		}
	}
	if err != nil {
		return err
	}
	return a.GoTo("/packageCards/" + a.id)
}

type overView struct {
	look.Frame
	Cards  []overCard
	Sites  []option
	Form   act
	Write  bool
	Answer bool // one was given just now
}

// overCard is a card with uses beyond what was sold.
type overCard struct {
	Card cardRow
	Uses []useRow
}

// overdrawnPage is the managers' list: who bears the uses beyond what was sold.
func (s *Site) overdrawnPage(a *ask) error { return s.showOverdrawn(a, http.StatusOK, acts{a: a}) }

func (s *Site) showOverdrawn(a *ask, status int, x acts) error {
	res, err := s.c.Counter.ListOverdrawn(a.R.Context(), &branchlinev1.ListOverdrawnRequest{All: true})
	if err != nil {
		return err
	}
	v := overView{Frame: a.frame(a.T("over.title"), "till"), Write: access.Allowed(access.Node, "POST /overdrawn", a.Who.Roles), Answer: a.Query("done") != ""}
	for _, code := range a.Names().Sites() {
		v.Sites = append(v.Sites, option{code, a.SiteName(code)})
	}
	v.Sites = append(v.Sites, option{card.Customer, a.T("over.customer")})
	if v.Form, err = x.form("bear", ""); err != nil {
		return err
	}
	for _, c := range res.GetCards() {
		o := overCard{Card: a.cardRow(c)}
		for _, u := range c.GetUses() {
			if !u.GetTakenBack() {
				o.Uses = append(o.Uses, a.useRow(u))
			}
		}
		if c.GetOpen() > 0 {
			v.Cards = append([]overCard{o}, v.Cards...) // what waits for an answer stands first
		} else {
			v.Cards = append(v.Cards, o)
		}
	}
	return s.pages.over.Render(a.W, status, v)
}

// bear says who bears a use.
func (s *Site) bear(a *ask) error {
	_, err := s.c.Counter.Bear(a.R.Context(), &branchlinev1.BearRequest{
		Use: a.Form("use"), BorneBy: a.Form("borne_by"), Reason: a.Form("reason"), RequestId: a.Form("request_id"),
	})
	if errors.Is(err, schema.ErrInvalid) {
		if x, ok := a.refuse("bear", err); ok {
			return s.showOverdrawn(a, http.StatusBadRequest, x)
		}
	}
	if err != nil {
		return err
	}
	return a.GoTo("/overdrawn?done=1")
}
