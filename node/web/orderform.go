package web

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/plate"
	"branchline/sync/desk"
)

func lineEditor() editor {
	return editor{
		kind: schema.ServiceLine, active: "orders",
		page: func(m proto.Message) string { return "/serviceOrders/" + m.(*branchlinev1.ServiceLine).GetOrder() },
		fields: []string{
			"order", "kind", "state", "payer", "item", "complaint", "cause", "correction", "labour_code", "part_name", "part_code",
			"part_quantity", "billed_minutes", "amount", "currency", "technician", "subcontractor", "declined_reason", "revive_on",
			"fault_code", "system", "assembly", "guaranteed", "safety_fault",
		},
		sections: lineSections, read: readLine,
		title: func(a *ask, m proto.Message) string {
			l := m.(*branchlinev1.ServiceLine)
			for _, s := range []string{l.GetItem(), l.GetPartName(), l.GetComplaint()} {
				if s != "" {
					return s
				}
			}
			return a.T("order.line")
		},
	}
}

func lineSections(a *ask, m proto.Message, bad faults) []section {
	l := m.(*branchlinev1.ServiceLine)
	k := schema.KindOf(schema.ServiceLine)
	field := func(in input) input {
		in.Label = a.label(k, in.Name)
		return bad.put(in)
	}
	enum := func(name, value string, group string, all ...string) input {
		in := input{Name: name, Type: "select", Value: value}
		for _, v := range all {
			in.Options = append(in.Options, option{v, a.s.look.Word(a.Lang, group, v)})
		}
		return field(in)
	}
	what := []input{
		enum("kind", l.GetKind().String(), "kind", "LABOUR", "PART", "FEE", "SUBCONTRACT", "PACKAGE_USE"),
		field(input{Name: "item", Value: l.GetItem(), Max: 1000, Class: "w2", Required: true, Focus: l.GetItem() == ""}),
		enum("state", l.GetState().String(), "item", "LINE_PROPOSED", "LINE_APPROVED", "LINE_DONE", "LINE_DECLINED"),
	}
	count := []input{
		field(input{Name: "billed_minutes", Value: typedFixed(l.GetBilledMinutes()*100/60, 2, 0), Mode: "decimal", Max: 9, Hint: a.T("order.hours_hint")}),
		field(input{Name: "part_quantity", Value: typedFixed(l.GetPartQuantity(), 3, 0), Mode: "decimal", Max: 12}),
	}
	if a.sees(schema.ServiceLine, "amount") {
		amount := ""
		if l.Amount != nil {
			amount = typedFixed(l.GetAmount(), 2, 2)
		}
		count = append(count,
			field(input{Name: "amount", Value: amount, Mode: "decimal", Max: 16, Hint: a.T("order.amount_hint")}),
			enum("payer", l.GetPayer().String(), "payer", "PAYER_CUSTOMER", "PAYER_INSURER", "PAYER_MAKER", "PAYER_INTERNAL", "PAYER_GOODWILL"))
	}
	choose := func(name, value, none string, codes []string) input {
		in := input{Name: name, Type: "select", Value: value, Options: []option{{"", none}}}
		for _, c := range codes {
			in.Options = append(in.Options, option{c, a.System(c)})
		}
		if value != "" && !slices.Contains(codes, value) {
			in.Options = append(in.Options, option{value, value})
		}
		return field(in)
	}
	yes := func(name string, value bool) input {
		return field(input{Name: name, Type: "select", Value: strconv.FormatBool(value), Options: []option{{"false", a.T("say.no")}, {"true", a.T("say.yes")}}})
	}
	return []section{
		{Title: a.T("order.line"), Rows: [][]input{what, count}},
		{Title: a.T("order.ccc"), Rows: [][]input{
			{field(input{Name: "complaint", Type: "area", Value: l.GetComplaint(), Class: "w2", Hint: a.T("order.same_complaint")})},
			{field(input{Name: "cause", Type: "area", Value: l.GetCause()}), field(input{Name: "correction", Type: "area", Value: l.GetCorrection()})},
		}},
		{Title: a.T("order.details"), Rows: [][]input{
			{field(input{Name: "part_name", Value: l.GetPartName(), Max: 300}), field(input{Name: "part_code", Value: l.GetPartCode(), Max: 60}), field(input{Name: "labour_code", Value: l.GetLabourCode(), Max: 60})},
			{
				choose("system", l.GetSystem(), a.T("order.no_system"), desk.Systems()), field(input{Name: "fault_code", Value: l.GetFaultCode(), Max: 60}),
				yes("guaranteed", l.GetGuaranteed()), choose("assembly", l.GetAssembly(), a.T("order.no_assembly"), desk.Assemblies()), yes("safety_fault", l.GetSafetyFault()),
			},
			{field(a.colleague("technician", l.GetTechnician(), branchlinev1.Role_ROLE_TECHNICIAN)), field(input{Name: "subcontractor", Value: l.GetSubcontractor(), Max: 200}), field(input{Name: "declined_reason", Value: l.GetDeclinedReason(), Max: 300}), field(input{Name: "revive_on", Type: "date", Value: l.GetReviveOn()})},
		}},
	}
}

func readLine(a *ask, m proto.Message) faults {
	l, bad := m.(*branchlinev1.ServiceLine), faults{}
	for _, f := range []string{"item", "labour_code", "part_name", "part_code", "technician", "subcontractor", "declined_reason", "fault_code", "system", "assembly"} {
		setText(l, f, a.Form(f))
	}
	l.Guaranteed, l.SafetyFault = yesOrNone(a.Form("guaranteed")), yesOrNone(a.Form("safety_fault"))
	for _, f := range []string{"complaint", "cause", "correction"} {
		setText(l, f, strings.ReplaceAll(a.Form(f), "\r\n", "\n"))
	}
	setText(l, "revive_on", a.day(bad, "revive_on", a.Form("revive_on")))
	l.Kind = branchlinev1.LineKind(branchlinev1.LineKind_value[a.Form("kind")]).Enum()
	l.State = branchlinev1.LineState(branchlinev1.LineState_value[a.Form("state")]).Enum()
	if l.GetItem() == "" {
		bad["item"] = fault{text: a.T("order.need_item")}
	}
	number := func(name string, places int, factor, by int64) {
		text := a.Form(name)
		if text == "" {
			setInt(l, name, 0)
			return
		}
		n, ok := parseFixed(text, places)
		if !ok || n < 0 || n > 1<<40 {
			bad[name] = fault{text: a.T("form.bad_number")}
			return
		}
		setInt(l, name, (n*factor+by/2)/by)
	}
	number("billed_minutes", 2, 60, 100)
	number("part_quantity", 3, 1, 1)
	if !a.sees(schema.ServiceLine, "amount") {
		return bad
	}
	l.Payer = branchlinev1.Payer(branchlinev1.Payer_value[a.Form("payer")]).Enum()
	if l.Amount = nil; a.Form("amount") != "" {
		n, ok := parseFixed(a.Form("amount"), 2)
		if !ok {
			bad["amount"] = fault{text: a.T("form.bad_money")}
		} else {
			l.Amount, l.Currency = proto.Int64(n), proto.String("CNY")
		}
	}
	return bad
}

// yesOrNone is what a choice of yes and no says; a no is no value.
func yesOrNone(said string) *bool {
	if said != "true" {
		return nil
	}
	return new(true)
}

func (s *Site) lineNew(a *ask) error {
	sh, err := s.sheet(a, "serviceOrders/"+a.id)
	if err != nil {
		return err
	}
	id, err := a.requestID()
	if err != nil {
		return err
	}
	payer, err := s.payerOf(a, sh.r.GetName(), sh.r.GetServiceOrder())
	if err != nil {
		return err
	}
	return s.showNewLine(a, http.StatusOK, sh.r.GetServiceOrder(), id, &branchlinev1.ServiceLine{
		Kind: branchlinev1.LineKind_LABOUR.Enum(), State: branchlinev1.LineState_LINE_PROPOSED.Enum(), Payer: payer.Enum(),
		Item: text(a.Query("item")),
	}, faults{}, nil)
}

func (s *Site) showNewLine(a *ask, status int, o *branchlinev1.ServiceOrder, requestID string, l *branchlinev1.ServiceLine, bad faults, rest []string) error {
	v := formView{
		Frame: a.frame(a.T("order.add_line"), "orders"), Head: a.T("order.add_line"), Sub: strings.TrimSpace(plate.Format(o.GetPlate()) + " " + o.GetNumber()),
		Action: "/serviceOrders/" + a.id + "/lines", Back: "/serviceOrders/" + a.id, Submit: a.T("word.save"),
		Hidden: []hidden{{"request_id", requestID}}, Sections: focus(lineSections(a, l, bad), bad), Faults: rest, Wrong: bad.wrong(), Confirm: a.confirms(bad),
	}
	return s.pages.form.Render(a.W, status, v)
}

func (s *Site) lineCreate(a *ask) error {
	name := "serviceOrders/" + a.id
	sh, err := s.sheet(a, name)
	if err != nil {
		return err
	}
	lines, err := a.linesOf(name)
	if err != nil {
		return err
	}
	l, quick := &branchlinev1.ServiceLine{}, a.Form("quick") != ""
	read := readLine
	if quick {
		read = readQuick
	}
	bad := read(a, l)
	request := a.Form("request_id")
	if len(bad) > 0 {
		return s.showNewLine(a, http.StatusBadRequest, sh.r.GetServiceOrder(), request, l, bad, nil)
	}
	once := request
	if quick {
		if once, err = onceFor(request, l); err != nil {
			return err
		}
	}
	l.Order, l.Branch = proto.String(a.id), proto.String(a.branch())
	for _, x := range lines {
		l.Position = proto.Int32(max(l.GetPosition(), x.GetServiceLine().GetPosition()))
	}
	l.Position = proto.Int32(l.GetPosition() + 1)
	_, err = s.c.Records.CreateRecord(a.R.Context(), &branchlinev1.CreateRecordRequest{
		Record: &branchlinev1.Record{Body: &branchlinev1.Record_ServiceLine{ServiceLine: l}}, RequestId: once, Confirmed: a.confirmed(),
	})
	if errors.Is(err, schema.ErrInvalid) && len(violations(err)) > 0 {
		rest := a.take(bad, err, inputNames(lineSections(a, l, bad)), a.violated)
		return s.showNewLine(a, http.StatusBadRequest, sh.r.GetServiceOrder(), request, l, bad, rest)
	}
	if err != nil {
		return err
	}
	if quick {
		return a.GoTo(nextQuick(name, l))
	}
	return a.GoTo("/" + name)
}

func (s *Site) lineEdit(a *ask) error { return s.editPage(a, lineEditor()) }

func (s *Site) lineUpdate(a *ask) error { return s.update(a, lineEditor()) }

var _ look.View = formView{}
