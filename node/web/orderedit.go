package web

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/plate"
)

// orderChoices are what the form of an order's details offers: who may be its customer, what may be the line that did not
// hold, who may bear a comeback.
type orderChoices struct {
	people, lines, bearers []option
	promised               bool                 // a promised time stands: it is moved with a reason, not edited
	lent                   []*branchlinev1.Loan // with other orders
}

// confirmLent is the name of the doubt about a loan car that is out with another order.
const confirmLent = "loan_out"

func (s *Site) orderEditor(a *ask) (editor, error) {
	r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "serviceOrders/" + a.id})
	if err != nil {
		return editor{}, err
	}
	c, err := s.orderChoices(a, r.GetServiceOrder())
	if err != nil {
		return editor{}, err
	}
	fields := []string{
		"number", "customer", "adviser", "odometer_km", "brought_by", "brought_phone", "queue_number", "key_tag", "bay", "waits", "old_parts_wanted", "wash_wanted", "accident",
		"towed_from", "loan_car", "loan_from", "loan_until", "loan_back_at", "member_class", "remark", "comeback_of", "comeback_line", "comeback_cause", "comeback_borne_by",
	}
	if !c.promised {
		fields = append(fields, "promised_at")
	}
	return editor{
		kind: schema.ServiceOrder, active: "orders", fields: fields,
		sections: func(a *ask, m proto.Message, bad faults) []section {
			return orderSections(a, m.(*branchlinev1.ServiceOrder), bad, c)
		},
		read: func(a *ask, m proto.Message) faults { return readOrder(a, m.(*branchlinev1.ServiceOrder), c) },
		title: func(a *ask, m proto.Message) string {
			return cmp.Or(m.(*branchlinev1.ServiceOrder).GetNumber(), a.T("word.order"))
		},
		then: func(a *ask, _ proto.Message) (string, error) { return "/serviceOrders/" + a.id, s.sameReading(a) },
	}, nil
}

func (s *Site) orderChoices(a *ask, o *branchlinev1.ServiceOrder) (c orderChoices, err error) {
	c.promised = o.GetPromisedAt() != 0
	loans, err := s.c.Workshop.ListLoans(a.R.Context(), &branchlinev1.ListLoansRequest{})
	if err != nil {
		return c, err
	}
	c.lent = slices.DeleteFunc(loans.GetLoans(), func(l *branchlinev1.Loan) bool { return idOf(l.GetCar().GetOrder()) == a.id })
	if c.people, err = s.customersOf(a, o); err != nil || o.GetComebackOf() == "" {
		return c, err
	}
	lines, err := a.linesOf("serviceOrders/" + o.GetComebackOf())
	if err != nil {
		return c, err
	}
	c.bearers = append([]option{{a.branch(), a.SiteName(a.branch())}}, a.sisters()...)
	for _, x := range lines {
		l := x.GetServiceLine()
		c.lines = append(c.lines, option{idOf(x.GetName()), lineTitle(l)})
		if t := l.GetTechnician(); t != "" && !slices.ContainsFunc(c.bearers, func(o option) bool { return o.Value == t }) {
			c.bearers = append(c.bearers, option{t, a.Names().Person(t)})
		}
	}
	for _, who := range bearers() {
		c.bearers = append(c.bearers, option{who, a.bearerName(who)})
	}
	return c, nil
}

// customersOf are the customer of an order and those tied to its car.
func (s *Site) customersOf(a *ask, o *branchlinev1.ServiceOrder) ([]option, error) {
	if !a.Reads(schema.Customer) || !a.Reads(schema.Tie) {
		return nil, nil
	}
	ids := nonEmpty(o.GetCustomer())
	if o.GetVehicle() != "" {
		ties, _, err := a.listAll(a.R.Context(), &branchlinev1.ListRecordsRequest{Collection: "ties", Vehicle: "vehicles/" + o.GetVehicle()})
		if err != nil {
			return nil, err
		}
		for _, r := range ties {
			if t := r.GetTie(); t.GetTo() == "" && !slices.Contains(ids, t.GetCustomer()) {
				ids = append(ids, t.GetCustomer())
			}
		}
	}
	var out []option
	for _, id := range ids {
		r, err := s.c.Records.GetRecord(a.R.Context(), &branchlinev1.GetRecordRequest{Name: "customers/" + id, Golden: true})
		if isMissing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, option{id, strings.TrimSpace(r.GetCustomer().GetName() + " " + maskedPhone(r.GetCustomer()))})
	}
	return out, nil
}

func orderSections(a *ask, o *branchlinev1.ServiceOrder, bad faults, c orderChoices) []section {
	k := schema.KindOf(schema.ServiceOrder)
	field := func(in input) input {
		in.Label = a.label(k, in.Name)
		if bad[in.Name].text != "" && bad[in.Name].confirm == "" {
			in.Value = a.Form(in.Name) // what cannot be read is not in the record
		}
		return bad.put(in)
	}
	line := func(name, value string, most int) input { return field(input{Name: name, Value: value, Max: most}) }
	yes := func(name string, value bool) input {
		return field(input{Name: name, Type: "select", Value: strconv.FormatBool(value), Options: []option{{"false", a.T("say.no")}, {"true", a.T("say.yes")}}})
	}
	when := func(name string, at int64) input {
		in := input{Name: name, Type: "datetime-local"}
		if at != 0 {
			in.Value = time.UnixMilli(at).In(a.s.c.ZoneNow()).Format(localLayout)
		}
		return field(in)
	}
	choose := func(name, value string, of []option) input {
		in := input{Name: name, Type: "select", Value: value, Options: append([]option{{"", a.T("form.not_said")}}, of...)}
		if value != "" && !slices.ContainsFunc(of, func(o option) bool { return o.Value == value }) {
			in.Options = append(in.Options, option{value, a.bearerName(value)})
		}
		return field(in)
	}
	km := ""
	if o.OdometerKm != nil {
		km = strconv.FormatInt(o.GetOdometerKm(), 10)
	}
	first := []input{field(input{Name: "odometer_km", Value: km, Mode: "numeric", Max: 9}), line("queue_number", o.GetQueueNumber(), 20), line("key_tag", o.GetKeyTag(), 40), line("bay", o.GetBay(), 40)}
	if !c.promised {
		first = append(first, when("promised_at", o.GetPromisedAt()))
	}
	who := []input{field(a.colleague("adviser", o.GetAdviser(), branchlinev1.Role_ROLE_ADVISER))}
	if a.sees(schema.ServiceOrder, "customer") {
		who = append(who, choose("customer", o.GetCustomer(), c.people))
	}
	if a.sees(schema.ServiceOrder, "brought_by") {
		who = append(who, line("brought_by", o.GetBroughtBy(), 100))
	}
	if a.sees(schema.ServiceOrder, "brought_phone") {
		who = append(who, field(input{Name: "brought_phone", Type: "tel", Value: o.GetBroughtPhone(), Max: 40}))
	}
	out := []section{
		{Title: a.T("details.here"), Rows: [][]input{first, {yes("waits", o.GetWaits()), yes("old_parts_wanted", o.GetOldPartsWanted()), yes("wash_wanted", o.GetWashWanted())}}},
		{Title: a.T("details.who"), Rows: [][]input{who, {line("member_class", o.GetMemberClass(), 40), field(input{Name: "remark", Type: "area", Value: o.GetRemark(), Class: "w2"})}}},
		{Title: a.T("details.way"), Rows: [][]input{
			{yes("accident", o.GetAccident()), field(input{Name: "towed_from", Value: o.GetTowedFrom(), Max: 300, Class: "w2"})},
			{line("loan_car", o.GetLoanCar(), 60), when("loan_from", o.GetLoanFrom()), when("loan_until", o.GetLoanUntil()), when("loan_back_at", o.GetLoanBackAt())},
		}},
	}
	if o.GetComebackOf() != "" {
		out = append(out, section{Title: a.T("again.list"), Rows: [][]input{{
			choose("comeback_line", o.GetComebackLine(), c.lines), line("comeback_cause", o.GetComebackCause(), 300), choose("comeback_borne_by", o.GetComebackBorneBy(), c.bearers),
		}}})
	}
	return out
}

func readOrder(a *ask, o *branchlinev1.ServiceOrder, c orderChoices) faults {
	bad := faults{}
	texts := []string{"adviser", "queue_number", "key_tag", "bay", "towed_from", "loan_car", "member_class"}
	for _, f := range []string{"customer", "brought_by", "brought_phone"} {
		if a.sees(schema.ServiceOrder, f) {
			texts = append(texts, f)
		}
	}
	if o.GetComebackOf() != "" {
		texts = append(texts, "comeback_line", "comeback_cause", "comeback_borne_by")
	}
	for _, f := range texts {
		setText(o, f, strings.TrimSpace(a.Form(f)))
	}
	setText(o, "remark", strings.ReplaceAll(a.Form("remark"), "\r\n", "\n"))
	for f, to := range map[string]**bool{"waits": &o.Waits, "old_parts_wanted": &o.OldPartsWanted, "wash_wanted": &o.WashWanted, "accident": &o.Accident} {
		if said := a.Form(f) == "true"; said != (*to != nil && **to) {
			*to = &said
		}
	}
	times := map[string]**int64{"loan_from": &o.LoanFrom, "loan_until": &o.LoanUntil, "loan_back_at": &o.LoanBackAt}
	if !c.promised {
		times["promised_at"] = &o.PromisedAt
	}
	for f, to := range times {
		if a.Form(f) == "" {
			*to = nil
			continue
		}
		at, ok := a.s.localTime(a.Form(f))
		if !ok {
			bad[f] = fault{text: a.T("order.bad_time")}
		} else if *to == nil || **to/60_000 != at/60_000 { // the form says no seconds
			*to = &at
		}
	}
	for f, at := range map[string]int64{"loan_until": o.GetLoanUntil(), "loan_back_at": o.GetLoanBackAt()} {
		if at != 0 && at < o.GetLoanFrom() {
			bad[f] = fault{text: a.T("details.bad_loan")}
		}
	}
	for _, l := range c.lent {
		if loanOut(o) != "" && strings.EqualFold(l.GetLoanCar(), o.GetLoanCar()) && !slices.Contains(a.confirmed(), confirmLent) {
			bad["loan_car"] = fault{text: a.T("loan.is_out", cmp.Or(plate.Format(l.GetCar().GetPlate()), l.GetCar().GetNumber())), confirm: confirmLent}
		}
	}
	if a.Form("odometer_km") == "" {
		o.OdometerKm = nil
	} else if km, ok := parseWhole(a.Form("odometer_km")); ok {
		o.OdometerKm = &km
	} else {
		bad["odometer_km"] = fault{text: a.T("order.bad_km")}
	}
	return bad
}

// sameReading has the car's readings say what its order says: a reading of the order that was put right is retired, and
// the right one is written down.
func (s *Site) sameReading(a *ask) error {
	ctx, name := a.R.Context(), "serviceOrders/"+a.id
	r, err := s.c.Records.GetRecord(ctx, &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		return err
	}
	o := r.GetServiceOrder()
	readings, _, err := a.listAll(ctx, &branchlinev1.ListRecordsRequest{Collection: "odometerReadings", Order: name})
	if err != nil {
		return err
	}
	there := o.GetOdometerKm() == 0 || o.GetVehicle() == ""
	for _, x := range readings {
		switch b := x.GetOdometerReading(); {
		case b.GetKm() == o.GetOdometerKm():
			there = true
		case o.GetOdometerKm() != 0:
			_, err := s.c.Records.UpdateRecord(ctx, &branchlinev1.UpdateRecordRequest{
				Record: &branchlinev1.Record{Name: x.GetName(), Etag: x.GetEtag(), Body: &branchlinev1.Record_OdometerReading{
					OdometerReading: &branchlinev1.OdometerReading{RetiredAt: &a.Now, RetiredReason: text(a.T("details.put_right"))},
				}},
				UpdateMask: []string{"retired_at", "retired_reason"},
			})
			if err != nil {
				return err
			}
		}
	}
	if there {
		return nil
	}
	_, err = s.c.Records.CreateRecord(ctx, &branchlinev1.CreateRecordRequest{Record: &branchlinev1.Record{Body: &branchlinev1.Record_OdometerReading{
		OdometerReading: &branchlinev1.OdometerReading{Vehicle: o.Vehicle, Km: o.OdometerKm, Order: text(a.id), Day: o.Day},
	}}})
	return err
}

// payerOf is who pays a new line of an order unless somebody says so: the house what its repair guarantee covers, goodwill
// what somebody bears beyond it, the customer the rest.
func (s *Site) payerOf(a *ask, name string, o *branchlinev1.ServiceOrder) (branchlinev1.Payer, error) {
	if o.GetComebackOf() == "" {
		return branchlinev1.Payer_PAYER_CUSTOMER, nil
	}
	res, err := s.c.Workshop.ListComebacks(a.R.Context(), &branchlinev1.ListComebacksRequest{Order: name})
	if err != nil {
		return 0, err
	}
	for _, c := range res.GetComebacks() {
		if c.GetOrder().GetName() == name && c.GetCovered() {
			return branchlinev1.Payer_PAYER_INTERNAL, nil
		}
	}
	if o.GetComebackBorneBy() != "" {
		return branchlinev1.Payer_PAYER_GOODWILL, nil
	}
	return branchlinev1.Payer_PAYER_CUSTOMER, nil
}
