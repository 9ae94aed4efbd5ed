package web

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"branchline/schema"
	"branchline/schema/assent"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/plate"
)

// claimRow is a claim in a list or on its order.
type claimRow struct {
	Href, Plate, Text, Meta string
	Firm, State, Since      string
	Asked, Assessed         string
	Kept                    string // the old part, until when
	KeptOver, Waits         bool
	Days                    int
}

func (a *ask) claimRow(r *branchlinev1.Record) claimRow {
	c := r.GetClaim()
	row := claimRow{
		Href: "/" + r.GetName(), Text: cmp.Or(c.GetNumber(), a.T("claim.title")), Firm: cmp.Or(c.GetFirm(), a.enumWord(schema.Claim, "party", int32(c.GetParty()))),
		State: a.enumWord(schema.Claim, "state", int32(c.GetState())), Waits: c.GetState() == branchlinev1.ClaimState_CLAIM_SENT, Kept: c.GetOldPartKeptUntil(),
	}
	row.KeptOver = row.Kept != "" && row.Kept < a.today()
	if c.Asked != nil {
		row.Asked = look.Money(c.GetAsked(), cmp.Or(c.GetCurrency(), "CNY"))
	}
	if c.Assessed != nil {
		row.Assessed = look.Money(c.GetAssessed(), cmp.Or(c.GetCurrency(), "CNY"))
	}
	if at := stateSince(c); at > 0 {
		row.Since = a.s.look.When(a.Lang, a.Now, at)
		row.Days = int(max(a.Now-at, 0) / (24 * time.Hour).Milliseconds())
	}
	row.Meta = strings.Join(nonEmpty(row.State, row.Since), " ")
	return row
}

// stateSince is when a claim came into the state it is in.
func stateSince(c *branchlinev1.Claim) (at int64) {
	for _, x := range c.GetStates() {
		if x.GetState() == c.GetState() {
			at = max(at, x.GetAt())
		}
	}
	return at
}

// claimsView is a list of claims: those in one state, or those of which old parts are kept.
type claimsView struct {
	look.Frame
	Lists     []siteLink
	Head, Sub string
	Rows      []claimRow
	Pager     look.Pager
}

// keptParts is the list of old parts; keptDays how far back those are looked for, fewKept in how many claims of a state.
const (
	keptParts = "kept"
	keptDays  = 730
	fewKept   = 100
)

// claims is a list of claims: those that wait for an answer, unless the address names another state or the old parts. What
// waits longest stands first, old parts by the day until which they are kept, of the others the latest.
func (s *Site) claims(a *ask) (*look.Page, look.View, error) {
	v := claimsView{Frame: a.live(a.T("claim.list"), "orders")}
	chosen := branchlinev1.ClaimState(branchlinev1.ClaimState_value[a.Query("list")])
	kept := a.Query("list") == keptParts
	if chosen == 0 && !kept {
		chosen = branchlinev1.ClaimState_CLAIM_SENT
	}
	for _, st := range []branchlinev1.ClaimState{
		branchlinev1.ClaimState_CLAIM_SENT, branchlinev1.ClaimState_CLAIM_DRAFT, branchlinev1.ClaimState_CLAIM_APPROVED, branchlinev1.ClaimState_CLAIM_PAID,
		branchlinev1.ClaimState_CLAIM_REFUSED, branchlinev1.ClaimState_CLAIM_CANCELLED,
	} {
		v.Lists = append(v.Lists, siteLink{Href: "/claims?list=" + st.String(), Text: a.enumWord(schema.Claim, "state", int32(st)), On: st == chosen})
	}
	v.Lists = append(v.Lists, siteLink{Href: "/claims?list=" + keptParts, Text: a.T("claim.kept"), On: kept})
	var found []*branchlinev1.Record
	var err error
	if kept {
		v.Head, v.Sub = a.T("claim.kept"), a.T("claim.kept_sub")
		found, err = s.claimsKept(a)
	} else {
		req := &branchlinev1.ListRecordsRequest{Collection: "claims", Branch: a.branch(), State: chosen.String(), PageSize: listSize, PageToken: a.Query("from"), OrderBy: "day desc"}
		v.Head, v.Sub = a.enumWord(schema.Claim, "state", int32(chosen)), a.T("list.newest")
		if chosen == branchlinev1.ClaimState_CLAIM_SENT {
			v.Head, v.Sub, req.OrderBy = a.T("claim.waiting"), a.T("claim.longest"), "day"
		}
		var res *branchlinev1.ListRecordsResponse
		res, err = s.c.Records.ListRecords(a.R.Context(), req)
		found, v.Pager = res.GetRecords(), a.Pager("from", res.GetNextPageToken())
	}
	if err != nil {
		return nil, nil, err
	}
	if v.Rows, err = s.claimRows(a, found); err != nil {
		return nil, nil, err
	}
	slices.SortStableFunc(v.Rows, func(x, y claimRow) int {
		switch {
		case kept:
			return cmp.Compare(x.Kept, y.Kept)
		case chosen == branchlinev1.ClaimState_CLAIM_SENT:
			return cmp.Compare(y.Days, x.Days)
		}
		return 0
	})
	return s.pages.claims, v, nil
}

// claimRows are claims with the plates of their cars, all read at once.
func (s *Site) claimRows(a *ask, found []*branchlinev1.Record) ([]claimRow, error) {
	plates := map[string]string{}
	for part := range slices.Chunk(found, maxRows) {
		req := new(branchlinev1.ListCarsRequest)
		for _, r := range part {
			if o := r.GetClaim().GetOrder(); o != "" {
				req.Orders = append(req.Orders, "serviceOrders/"+o)
			}
		}
		res, err := s.c.Workshop.ListCars(a.R.Context(), req)
		if err != nil {
			return nil, err
		}
		for _, c := range res.GetCars() {
			plates[idOf(c.GetOrder())] = c.GetPlate()
		}
	}
	var out []claimRow
	for _, r := range found {
		row := a.claimRow(r)
		row.Plate = plates[r.GetClaim().GetOrder()]
		out = append(out, row)
	}
	return out, nil
}

// claimsKept are the claims of which old parts are kept.
func (s *Site) claimsKept(a *ask) (out []*branchlinev1.Record, err error) {
	from := s.look.Day(s.c.Now().AddDate(0, 0, -keptDays).UnixMilli())
	for st := branchlinev1.ClaimState_CLAIM_DRAFT; st < branchlinev1.ClaimState_CLAIM_CANCELLED; st++ {
		res, err := s.c.Records.ListRecords(a.R.Context(), &branchlinev1.ListRecordsRequest{
			Collection: "claims", Branch: a.branch(), State: st.String(), PageSize: fewKept, OrderBy: "day desc", DayFrom: from,
		})
		if err != nil {
			return nil, err
		}
		for _, r := range res.GetRecords() {
			if r.GetClaim().GetOldPartKeptUntil() != "" {
				out = append(out, r)
			}
		}
	}
	return out, nil
}

// plateOf is the plate of an order's car; "" where the order is not held here.
func (a *ask) plateOf(order string) (string, error) {
	if order == "" {
		return "", nil
	}
	r, err := a.s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "serviceOrders/" + order})
	if isMissing(err) {
		return "", nil
	}
	return r.GetServiceOrder().GetPlate(), err
}

type claimView struct {
	look.Frame
	Head, Sub    string
	Order, Edit  string
	State, Since string
	Facts        []savedRow
	Lines        []claimLine
	Others       []claimLine // lines of the order that are not asked for
	Sum          claimLine
	Past         []savedRow
	Etag         string
	Request      string
	Action       string // of the forms; "": nobody here may take it further
	Faults       []string
	Moved        bool
	States       []option
	Reason       string
	Next         string // the state usually chosen
}

type claimLine struct {
	ID, Item, Cost  string
	AskedText       string
	Asked, Assessed string // as typed
	Note            string
	Payer           branchlinev1.Payer
	In, Supplement  bool
	Rest            string // what the customer bears
	Fault           string
}

func (s *Site) claim(a *ask) error { return s.showClaim(a, http.StatusOK, faults{}, nil) }

// showClaim is the page of a claim; typed values come back with what is wrong with them, by line.
func (s *Site) showClaim(a *ask, status int, bad faults, rest []string) error {
	name := "claims/" + a.id
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return err
	}
	c := r.GetClaim()
	v := claimView{
		Frame: a.frame(a.T("claim.title"), "orders"), Head: cmp.Or(c.GetFirm(), a.T("claim.title")), State: a.enumWord(schema.Claim, "state", int32(c.GetState())),
		Etag: r.GetEtag(), Faults: rest, Moved: a.Query("moved") != "", Reason: a.Form("reason"), Next: nextClaim(c.GetState()).String(),
	}
	if at := stateSince(c); at > 0 {
		v.Since = s.look.When(a.Lang, a.Now, at)
	}
	if err := a.claimCar(&v, c); err != nil {
		return err
	}
	if r.GetHome() == a.branch() && a.Writes(schema.Claim) {
		v.Action, v.Edit = "/"+name, "/"+name+"/edit"
		if v.Request, err = a.requestID(); err != nil {
			return err
		}
	}
	if err := a.claimLineRows(&v, c, bad); err != nil {
		return err
	}
	for n := int32(branchlinev1.ClaimState_CLAIM_DRAFT); n <= int32(branchlinev1.ClaimState_CLAIM_CANCELLED); n++ {
		if st := branchlinev1.ClaimState(n); st != c.GetState() {
			v.States = append(v.States, option{st.String(), a.enumWord(schema.Claim, "state", n)})
		}
	}
	for _, x := range slices.Backward(c.GetStates()) {
		v.Past = append(v.Past, savedRow{
			Label: s.look.When(a.Lang, a.Now, x.GetAt()),
			Text:  strings.Join(nonEmpty(a.enumWord(schema.Claim, "state", int32(x.GetState())), a.Names().Person(x.GetBy()), x.GetReason()), " · "),
		})
	}
	return s.pages.claim.Render(a.W, status, v)
}

// nextClaim is the state that usually follows.
func nextClaim(s branchlinev1.ClaimState) branchlinev1.ClaimState {
	switch s {
	case branchlinev1.ClaimState_CLAIM_DRAFT:
		return branchlinev1.ClaimState_CLAIM_SENT
	case branchlinev1.ClaimState_CLAIM_SENT:
		return branchlinev1.ClaimState_CLAIM_APPROVED
	case branchlinev1.ClaimState_CLAIM_APPROVED:
		return branchlinev1.ClaimState_CLAIM_PAID
	}
	return 0
}

// claimCar says whose car and order it is, and what is written down of the claim.
func (a *ask) claimCar(v *claimView, c *branchlinev1.Claim) error {
	if c.GetOrder() != "" {
		v.Order = "/serviceOrders/" + c.GetOrder()
	}
	p, err := a.plateOf(c.GetOrder())
	if err != nil {
		return err
	}
	v.Sub = strings.Join(nonEmpty(c.GetNumber(), plate.Format(p)), " · ")
	k := schema.KindOf(schema.Claim)
	for _, f := range []string{
		"party", "number", "policy", "surveyor", "surveyor_phone", "operation_code", "accident_on", "accident_place", "liability", "direct_payment", "old_part_kept_until", "remark",
	} {
		said := a.sayField(k.Field(f), c)
		if f == "policy" && said != "" {
			options, _, err := a.policyChoices(c.GetVehicle())
			if err != nil {
				return err
			}
			for _, o := range options {
				if o.Value == said {
					said = o.Text
				}
			}
		}
		if said != "" {
			v.Facts = append(v.Facts, savedRow{a.label(k, f), said})
		}
	}
	return nil
}

// claimLineRows are the lines of the claim, and those of its order that are not asked for.
func (a *ask) claimLineRows(v *claimView, c *branchlinev1.Claim, bad faults) error {
	lines, err := a.linesOf("serviceOrders/" + c.GetOrder())
	if err != nil {
		return err
	}
	of, rests := map[string]*branchlinev1.ServiceLine{}, map[string]bool{}
	for _, r := range lines {
		of[idOf(r.GetName())] = r.GetServiceLine()
	}
	cash := func(n int64) string { return look.Money(n, cmp.Or(c.GetCurrency(), "CNY")) }
	var cost, rest int64
	in := map[string]bool{}
	asked := slices.Clone(c.GetLines())
	slices.SortStableFunc(asked, func(x, y *branchlinev1.ClaimLine) int {
		return cmp.Compare(of[x.GetLine()].GetPosition(), of[y.GetLine()].GetPosition())
	})
	for _, l := range asked {
		in[l.GetLine()], rests[l.GetRest()] = true, true
		x, beside := of[l.GetLine()], of[l.GetRest()]
		row := claimLine{
			ID: l.GetLine(), Item: cmp.Or(lineTitle(x), l.GetItem()), In: true, Supplement: l.GetSupplement(), Note: l.GetNote(), Payer: x.GetPayer(),
			AskedText: cash(l.GetAsked()), Asked: typedFixed(l.GetAsked(), 2, 2), Fault: bad[l.GetLine()].text,
		}
		if l.Assessed != nil {
			row.Assessed = cmp.Or(typedFixed(l.GetAssessed(), 2, 2), "0.00")
		}
		whole := assent.Price(x) + assent.Price(beside)
		row.Cost = cash(whole)
		if beside != nil {
			row.Rest = cash(assent.Price(beside))
			rest += assent.Price(beside)
		}
		cost += whole
		a.typedInto(&row)
		v.Lines = append(v.Lines, row)
	}
	for _, r := range lines {
		id, l := idOf(r.GetName()), r.GetServiceLine()
		if !in[id] && !rests[id] && l.GetState() != branchlinev1.LineState_LINE_DECLINED {
			row := claimLine{ID: id, Item: lineTitle(l), Cost: cash(assent.Price(l)), Asked: typedFixed(assent.Price(l), 2, 2), Payer: l.GetPayer(), Fault: bad[id].text}
			a.typedInto(&row)
			v.Others = append(v.Others, row)
		}
	}
	v.Sum = claimLine{Cost: cash(cost), Asked: cash(c.GetAsked())}
	if c.Assessed != nil {
		v.Sum.Assessed = cash(c.GetAssessed())
	}
	if rest != 0 {
		v.Sum.Rest = cash(rest)
	}
	return nil
}

// typedInto puts what was just typed into a row of a form that comes back.
func (a *ask) typedInto(row *claimLine) {
	a.Form("") // read the form
	for name, to := range map[string]*string{"asked.": &row.Asked, "assessed.": &row.Assessed, "note.": &row.Note} {
		if said, ok := a.R.PostForm[name+row.ID]; ok && len(said) > 0 {
			*to = said[0]
		}
	}
}

// claimStep takes the claim further: what was assessed, and its state.
func (s *Site) claimStep(a *ask) error {
	name := "claims/" + a.id
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return err
	}
	req := &branchlinev1.StepClaimRequest{
		Claim: name, Etag: a.Form("etag"), Reason: a.Form("reason"), RequestId: a.Form("request_id"),
		State: branchlinev1.ClaimState(branchlinev1.ClaimState_value[a.Form("state")]),
	}
	bad := faults{}
	for _, l := range r.GetClaim().GetLines() {
		said, note := a.Form("assessed."+l.GetLine()), a.Form("note."+l.GetLine())
		if said == "" {
			continue
		}
		n, ok := parseFixed(said, 2)
		switch {
		case !ok || n < 0:
			bad[l.GetLine()] = fault{text: a.T("form.bad_money")}
		case l.Assessed == nil || n != l.GetAssessed() || note != l.GetNote():
			req.Lines = append(req.Lines, &branchlinev1.LineAssessment{Line: "serviceLines/" + l.GetLine(), Assessed: n, Note: note})
		}
	}
	if len(bad) > 0 {
		return s.showClaim(a, http.StatusBadRequest, bad, nil)
	}
	_, err = s.c.Workshop.StepClaim(a.R.Context(), req)
	return s.claimDone(a, err)
}

// claimDone goes back to the claim, or says what was wrong.
func (s *Site) claimDone(a *ask, err error) error {
	switch {
	case errors.Is(err, schema.ErrConflict):
		return a.GoTo("/claims/" + a.id + "?moved=1")
	case errors.Is(err, schema.ErrInvalid) && len(violations(err)) > 0:
		var rest []string
		for _, v := range violations(err) {
			rest = append(rest, a.violated(v))
		}
		return s.showClaim(a, http.StatusBadRequest, faults{}, rest)
	case err != nil:
		return err
	}
	return a.GoTo("/claims/" + a.id)
}
