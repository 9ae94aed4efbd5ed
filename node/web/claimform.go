package web

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	"branchline/schema/assent"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// claimEditor is the form of a claim; policies are those of the order's car.
func claimEditor(policies []option) editor {
	return editor{
		kind: schema.Claim, active: "orders",
		fields: []string{
			"party", "firm", "number", "policy", "surveyor", "surveyor_phone", "operation_code", "accident_on", "accident_place", "liability",
			"direct_payment", "old_part_kept_until", "remark",
		},
		sections: func(a *ask, m proto.Message, bad faults) []section { return claimSections(a, m, bad, policies) }, read: readClaim,
		title: func(a *ask, m proto.Message) string {
			return cmp.Or(m.(*branchlinev1.Claim).GetFirm(), a.T("claim.title"))
		},
	}
}

func claimSections(a *ask, m proto.Message, bad faults, policies []option) []section {
	c := m.(*branchlinev1.Claim)
	k := schema.KindOf(schema.Claim)
	field := func(in input) input {
		in.Label = a.label(k, in.Name)
		return bad.put(in)
	}
	direct := input{Name: "direct_payment", Type: "select", Value: strconv.FormatBool(c.GetDirectPayment()), Options: []option{{"false", a.T("say.no")}, {"true", a.T("say.yes")}}}
	return []section{
		{Title: a.T("claim.whom"), Rows: [][]input{
			{
				field(a.enumInput(schema.Claim, "party", int32(c.GetParty()))), field(input{Name: "firm", Value: c.GetFirm(), Max: 100, Focus: true}),
				field(input{Name: "number", Value: c.GetNumber(), Max: 60}),
			},
			{
				field(input{Name: "policy", Type: "select", Value: c.GetPolicy(), Options: append([]option{{"", a.T("form.not_said")}}, policies...)}),
				field(input{Name: "surveyor", Value: c.GetSurveyor(), Max: 100}), field(input{Name: "surveyor_phone", Type: "tel", Value: c.GetSurveyorPhone(), Max: 40}),
			},
			{
				field(input{Name: "operation_code", Value: c.GetOperationCode(), Max: 60, Hint: a.T("claim.code_hint")}), field(direct),
				field(input{Name: "old_part_kept_until", Type: "date", Value: c.GetOldPartKeptUntil()}),
			},
		}},
		{Title: a.T("claim.accident"), Rows: [][]input{
			{
				field(input{Name: "accident_on", Type: "date", Value: c.GetAccidentOn()}), field(input{Name: "accident_place", Value: c.GetAccidentPlace(), Max: 300}),
				field(input{Name: "liability", Value: c.GetLiability(), Max: 100}),
			},
			{field(input{Name: "remark", Type: "area", Value: c.GetRemark(), Class: "w3"})},
		}},
	}
}

func readClaim(a *ask, m proto.Message) faults {
	c, bad := m.(*branchlinev1.Claim), faults{}
	setEnum(c, "party", a.Form("party"))
	if c.GetParty() == 0 {
		bad["party"] = fault{text: a.T("claim.need_party")}
	}
	for _, f := range []string{"firm", "number", "policy", "surveyor", "surveyor_phone", "operation_code", "accident_place", "liability"} {
		setText(c, f, a.Form(f))
	}
	setText(c, "remark", strings.ReplaceAll(a.Form("remark"), "\r\n", "\n"))
	for _, f := range []string{"accident_on", "old_part_kept_until"} {
		setText(c, f, a.day(bad, f, a.Form(f)))
	}
	c.DirectPayment = yesOrNone(a.Form("direct_payment"))
	return bad
}

// policyChoices are the insurances of a car, the one that ends last first.
func (a *ask) policyChoices(vehicle string) ([]option, []*branchlinev1.Record, error) {
	if vehicle == "" || !a.Reads(schema.InsurancePolicy) {
		return nil, nil, nil
	}
	all, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "insurancePolicies", Vehicle: "vehicles/" + vehicle, OrderBy: "day desc"})
	var out []option
	for _, r := range all {
		p := r.GetInsurancePolicy()
		kind := a.enumWord(schema.InsurancePolicy, "kind", int32(p.GetKind()))
		out = append(out, option{idOf(r.GetName()), strings.Join(nonEmpty(p.GetInsurer(), kind, a.Sayer().Term("", p.GetUntil())), " · ")})
	}
	return out, all, err
}

func (s *Site) claimNew(a *ask) error {
	r, _, err := s.orderOf(a, a.Query("order"))
	if err != nil {
		return err
	}
	c := &branchlinev1.Claim{Party: branchlinev1.ClaimParty_CLAIM_ON_INSURER.Enum()}
	options, policies, err := a.policyChoices(r.GetServiceOrder().GetVehicle())
	if err != nil {
		return err
	}
	for _, p := range policies { // the one that holds today and ends last
		if b := p.GetInsurancePolicy(); c.Policy == nil && b.GetUntil() >= a.today() && b.GetFrom() <= a.today() {
			c.Policy, c.Firm = text(idOf(p.GetName())), text(b.GetInsurer())
		}
	}
	return s.newPage(a, s.newClaim(a, r, options), a.T("claim.new"), []hidden{{"order", a.Query("order")}}, c)
}

// newClaim is the form of a claim that is made for an order.
func (s *Site) newClaim(a *ask, order *branchlinev1.Record, policies []option) editor {
	e := claimEditor(policies)
	e.page = func(proto.Message) string { return "/" + order.GetName() }
	return e
}

// claimCreate makes a claim with the lines that who is asked is to pay.
func (s *Site) claimCreate(a *ask) error {
	r, lines, err := s.orderOf(a, a.Form("order"))
	if err != nil {
		return err
	}
	o := r.GetServiceOrder()
	options, _, err := a.policyChoices(o.GetVehicle())
	if err != nil {
		return err
	}
	e := s.newClaim(a, r, options)
	e.read = func(a *ask, m proto.Message) faults {
		bad := readClaim(a, m)
		c := m.(*branchlinev1.Claim)
		c.Order, c.Vehicle, c.Customer = text(idOf(r.GetName())), o.Vehicle, o.Customer
		payer := branchlinev1.Payer_PAYER_INSURER
		if c.GetParty() == branchlinev1.ClaimParty_CLAIM_ON_MAKER {
			payer = branchlinev1.Payer_PAYER_MAKER
		}
		c.Asked = proto.Int64(0)
		for _, x := range lines {
			if l := x.GetServiceLine(); l.GetPayer() == payer && l.GetState() != branchlinev1.LineState_LINE_DECLINED {
				c.Lines = append(c.Lines, askedLine(x, assent.Price(l), false))
				*c.Asked += assent.Price(l)
			}
		}
		return bad
	}
	return s.create(a, e, a.T("claim.new"), []hidden{{"order", a.Form("order")}}, func(r *branchlinev1.Record) (string, error) {
		return "/" + r.GetName(), nil
	})
}

// askedLine is a line as somebody is asked to pay it.
func askedLine(r *branchlinev1.Record, asked int64, supplement bool) *branchlinev1.ClaimLine {
	c := &branchlinev1.ClaimLine{Line: text(idOf(r.GetName())), Item: text(lineTitle(r.GetServiceLine())), Asked: &asked}
	if supplement {
		c.Supplement = &supplement
	}
	return c
}

// lineTitle is what a line is called, in three hundred characters.
func lineTitle(l *branchlinev1.ServiceLine) string {
	name := []rune(cmp.Or(l.GetItem(), l.GetPartName(), l.GetComplaint()))
	return string(name[:min(len(name), 300)])
}

// claimOptions are the policies a claim that is there may be under.
func (s *Site) claimOptions(a *ask) (editor, error) {
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "claims/" + a.id})
	if err != nil {
		return editor{}, err
	}
	options, _, err := a.policyChoices(r.GetClaim().GetVehicle())
	return claimEditor(options), err
}

// claimLines writes down which lines are asked for, and how much of each. What comes to a claim that was sent is a
// supplement.
func (s *Site) claimLines(a *ask) error {
	name := "claims/" + a.id
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return err
	}
	c := r.GetClaim()
	lines, err := a.linesOf("serviceOrders/" + c.GetOrder())
	if err != nil {
		return err
	}
	there := map[string]*branchlinev1.ClaimLine{}
	for _, l := range c.GetLines() {
		there[l.GetLine()] = l
	}
	next, bad := &branchlinev1.Claim{Asked: proto.Int64(0), Currency: proto.String("CNY")}, faults{}
	for _, x := range lines {
		id := idOf(x.GetName())
		if a.Form("in."+id) == "" {
			continue
		}
		n, ok := parseFixed(cmp.Or(a.Form("asked."+id), "0"), 2)
		if !ok || n < 0 {
			bad[id] = fault{text: a.T("form.bad_money")}
			continue
		}
		l := proto.CloneOf(there[id])
		if there[id] == nil {
			l = askedLine(x, n, c.GetState() > branchlinev1.ClaimState_CLAIM_DRAFT)
		}
		l.Asked = &n
		next.Lines = append(next.Lines, l)
		*next.Asked += n
	}
	if len(bad) > 0 {
		return s.showClaim(a, http.StatusBadRequest, bad, nil)
	}
	_, err = s.c.Records.UpdateRecord(a.R.Context(), &branchlinev1.UpdateRecordRequest{
		Record:     &branchlinev1.Record{Name: name, Etag: a.Form("etag"), Body: &branchlinev1.Record_Claim{Claim: next}},
		UpdateMask: []string{"lines", "asked", "currency"},
	})
	return s.claimDone(a, err)
}
