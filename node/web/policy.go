package web

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// policyList are the insurances of one customer's cars, those that end first before the others, ended ones last.
type policyList struct {
	Show bool
	New  string
	List []policyRow
}

type policyRow struct {
	Text, Meta, Href string
	Plate            string
	Soon, Over       bool
}

// soonDays is how long before its end an insurance is worth a call.
const soonDays = 45

func (a *ask) policies(customer string, cars []carRow) (policyList, error) {
	if !a.Reads(schema.InsurancePolicy) {
		return policyList{}, nil
	}
	out := policyList{Show: true}
	if a.Writes(schema.InsurancePolicy) {
		out.New = "/insurancePolicies/new?customer=" + idOf(customer)
	}
	all, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "insurancePolicies", Customer: customer, OrderBy: "day desc"})
	if err != nil {
		return out, err
	}
	plates := map[string]string{}
	for _, c := range cars {
		for _, name := range c.records { // each branch names its own record of the car
			plates[idOf(name)] = c.Plate
		}
	}
	today := a.today()
	soon := today
	if d, err := time.Parse(time.DateOnly, today); err == nil {
		soon = d.AddDate(0, 0, soonDays).Format(time.DateOnly)
	}
	at := map[string]int{} // in out.List, by what names one contract: two branches may have written it down
	for _, r := range all {
		p := r.GetInsurancePolicy()
		key := p.GetInsurer() + "\n" + p.GetKind().String() + "\n" + p.GetNumber()
		if i, known := at[key]; known && p.GetNumber() != "" {
			out.List[i].Plate = cmp.Or(out.List[i].Plate, plates[p.GetVehicle()])
			continue
		}
		at[key] = len(out.List)
		row := policyRow{
			Text: strings.Join(nonEmpty(p.GetInsurer(), a.enumWord(schema.InsurancePolicy, "kind", int32(p.GetKind()))), " · "), Plate: plates[p.GetVehicle()],
			Over: p.GetUntil() != "" && p.GetUntil() < today, Meta: a.Sayer().Term(p.GetFrom(), p.GetUntil()),
		}
		row.Soon = !row.Over && p.GetUntil() != "" && p.GetUntil() <= soon
		if p.GetNumber() != "" {
			row.Meta += " · " + p.GetNumber()
		}
		if p.GetSoldBy() != "" {
			row.Meta += " · " + a.T("policy.sold_by", a.SiteName(p.GetSoldBy()))
		}
		if a.Writes(schema.InsurancePolicy) {
			row.Href = "/" + r.GetName() + "/edit"
		}
		out.List = append(out.List, row)
	}
	slices.Reverse(out.List) // the first to end first
	slices.SortStableFunc(out.List, func(x, y policyRow) int {
		switch {
		case x.Over == y.Over:
			return 0
		case y.Over:
			return -1
		}
		return 1
	})
	return out, nil
}

func policyEditor(cars []option) editor {
	return editor{
		kind: schema.InsurancePolicy, active: "customers",
		fields:   []string{"customer", "vehicle", "kind", "insurer", "insurer_phone", "number", "from", "until", "premium", "currency", "covers", "sold_by", "remark"},
		sections: func(a *ask, m proto.Message, bad faults) []section { return policySections(a, m, bad, cars) }, read: readPolicy,
		title: func(a *ask, m proto.Message) string {
			return cmp.Or(m.(*branchlinev1.InsurancePolicy).GetInsurer(), a.T("policy.title"))
		},
		page: func(m proto.Message) string { return "/customers/" + m.(*branchlinev1.InsurancePolicy).GetCustomer() },
	}
}

func policySections(a *ask, m proto.Message, bad faults, cars []option) []section {
	p := m.(*branchlinev1.InsurancePolicy)
	k := schema.KindOf(schema.InsurancePolicy)
	field := func(in input) input {
		in.Label = a.label(k, in.Name)
		return bad.put(in)
	}
	kind := a.enumInput(schema.InsurancePolicy, "kind", int32(p.GetKind()))
	premium := ""
	if p.Premium != nil {
		premium = typedFixed(p.GetPremium(), 2, 2)
	}
	sold := input{Name: "sold_by", Type: "select", Value: p.GetSoldBy(), Options: []option{{"", a.T("policy.sold_elsewhere")}, {a.branch(), a.SiteName(a.branch())}}}
	if b := p.GetSoldBy(); b != "" && b != a.branch() {
		sold.Options = append(sold.Options, option{b, a.SiteName(b)})
	}
	return []section{{Title: a.T("policy.title"), Rows: [][]input{
		{field(input{Name: "vehicle", Type: "select", Value: p.GetVehicle(), Options: append([]option{{"", a.T("policy.no_car")}}, cars...)}), field(kind), field(input{Name: "insurer", Value: p.GetInsurer(), Max: 100, Required: true, Focus: true})},
		{field(input{Name: "number", Value: p.GetNumber(), Max: 60}), field(input{Name: "from", Type: "date", Value: p.GetFrom()}), field(input{Name: "until", Type: "date", Value: p.GetUntil(), Required: true})},
		{field(input{Name: "premium", Value: premium, Mode: "decimal", Max: 16}), field(sold), field(input{Name: "insurer_phone", Type: "tel", Value: p.GetInsurerPhone(), Max: 40})},
		{field(input{Name: "covers", Value: strings.Join(p.GetCovers(), "、"), Max: 600, Class: "w2", Hint: a.T("policy.covers_hint")}), field(input{Name: "remark", Type: "area", Value: p.GetRemark()})},
	}}}
}

func readPolicy(a *ask, m proto.Message) faults {
	p, bad := m.(*branchlinev1.InsurancePolicy), faults{}
	for _, f := range []string{"vehicle", "insurer", "insurer_phone", "number", "sold_by"} {
		setText(p, f, a.Form(f))
	}
	setText(p, "remark", strings.ReplaceAll(a.Form("remark"), "\r\n", "\n"))
	setEnum(p, "kind", a.Form("kind"))
	setText(p, "from", a.day(bad, "from", a.Form("from")))
	setText(p, "until", a.day(bad, "until", a.Form("until")))
	if a.Form("insurer") == "" {
		bad["insurer"] = fault{text: a.T("policy.need_insurer")}
	}
	if a.Form("until") == "" {
		bad["until"] = fault{text: a.T("policy.need_until")}
	}
	p.Covers = nil
	for _, c := range strings.FieldsFunc(a.Form("covers"), func(r rune) bool { return strings.ContainsRune("、，,;；\n", r) }) {
		if c = strings.TrimSpace(c); c != "" && !slices.Contains(p.GetCovers(), c) {
			p.Covers = append(p.Covers, c)
		}
	}
	if p.Premium = nil; a.Form("premium") != "" {
		n, ok := parseFixed(a.Form("premium"), 2)
		if !ok || n < 0 {
			bad["premium"] = fault{text: a.T("form.bad_money")}
		} else {
			p.Premium, p.Currency = &n, proto.String(cmp.Or(p.GetCurrency(), "CNY"))
		}
	}
	if c := a.Form("customer"); c != "" {
		p.Customer = &c
	}
	return bad
}

// carChoices are the cars an insurance of the customer may be for.
func (s *Site) carChoices(a *ask, customer string) ([]option, error) {
	if customer == "" {
		return nil, nil
	}
	cars, err := s.carsOf(a, "customers/"+customer)
	if err != nil {
		return nil, err
	}
	var out []option
	for _, c := range cars {
		out = append(out, option{idOf(c.GetName()), a.vehicleTitle(c.GetVehicle())})
	}
	return out, nil
}

func (s *Site) policyNew(a *ask) error {
	p := &branchlinev1.InsurancePolicy{Customer: text(a.Query("customer")), Vehicle: text(a.Query("vehicle")), SoldBy: text(a.branch())}
	cars, err := s.carChoices(a, a.Query("customer"))
	if err != nil {
		return err
	}
	if p.Vehicle == nil && len(cars) == 1 {
		p.Vehicle = &cars[0].Value
	}
	return s.newPage(a, policyEditor(cars), a.T("policy.new"), a.about(a.Query, "customer"), p)
}

func (s *Site) policyCreate(a *ask) error {
	cars, err := s.carChoices(a, a.Form("customer"))
	if err != nil {
		return err
	}
	return s.create(a, policyEditor(cars), a.T("policy.new"), a.about(a.Form, "customer"), func(r *branchlinev1.Record) (string, error) {
		return "/customers/" + r.GetInsurancePolicy().GetCustomer(), nil
	})
}

// policyCars are the choices for a policy that is there.
func (s *Site) policyCars(a *ask) (editor, error) {
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "insurancePolicies/" + a.id})
	if err != nil {
		return editor{}, err
	}
	cars, err := s.carChoices(a, r.GetInsurancePolicy().GetCustomer())
	return policyEditor(cars), err
}
