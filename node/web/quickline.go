package web

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// quickLine is the row under the lines of an order in which the next one is typed. After each the page comes back to it,
// with the kind, payer and complaint of the one before.
type quickLine struct {
	Action, Full string
	Request      string
	Kinds        []option
	Payers       []option
	Kind, Payer  string
	Of           string   // the complaint it belongs to
	Complaints   []string // those the order has
	Prices       bool
	Again        bool // one was just added: the row has the cursor
}

func (a *ask) quickLine(name string, o *branchlinev1.ServiceOrder, lines []*branchlinev1.Record) (quickLine, error) {
	q := quickLine{
		Action: "/" + name + "/lines", Full: "/" + name + "/lines/new", Prices: a.sees(schema.ServiceLine, "amount"), Again: a.Query("kind") != "",
		Kind: cmp.Or(a.Query("kind"), branchlinev1.LineKind_LABOUR.String()), Payer: cmp.Or(a.Query("payer"), branchlinev1.Payer_PAYER_CUSTOMER.String()), Of: a.Query("of"),
	}
	var err error
	if q.Request, err = a.requestID(); err != nil {
		return q, err
	}
	for _, k := range []branchlinev1.LineKind{branchlinev1.LineKind_LABOUR, branchlinev1.LineKind_PART, branchlinev1.LineKind_FEE, branchlinev1.LineKind_SUBCONTRACT} {
		q.Kinds = append(q.Kinds, option{k.String(), a.s.look.Word(a.Lang, "kind", k)})
	}
	for p := branchlinev1.Payer_PAYER_CUSTOMER; p <= branchlinev1.Payer_PAYER_GOODWILL; p++ {
		q.Payers = append(q.Payers, option{p.String(), a.s.look.Word(a.Lang, "payer", p)})
	}
	for _, c := range append([]string{o.GetComplaint()}, complaints(lines)...) {
		if c != "" && !slices.Contains(q.Complaints, c) {
			q.Complaints = append(q.Complaints, c)
		}
	}
	return q, nil
}

func complaints(lines []*branchlinev1.Record) (out []string) {
	for _, r := range lines {
		out = append(out, r.GetServiceLine().GetComplaint())
	}
	return out
}

// readQuick reads the row. One field holds hours for labour and pieces for everything else.
func readQuick(a *ask, m proto.Message) faults {
	l, bad := m.(*branchlinev1.ServiceLine), faults{}
	l.Kind = branchlinev1.LineKind(branchlinev1.LineKind_value[a.Form("kind")]).Enum()
	l.State = branchlinev1.LineState_LINE_PROPOSED.Enum()
	setText(l, "item", a.Form("item"))
	for _, f := range []string{"complaint", "cause", "correction"} {
		setText(l, f, strings.ReplaceAll(a.Form(f), "\r\n", "\n"))
	}
	if l.GetItem() == "" {
		bad["item"] = fault{text: a.T("order.need_item")}
	}
	if text := a.Form("count"); text != "" {
		n, ok := parseFixed(text, 3)
		field := "part_quantity"
		if l.GetKind() == branchlinev1.LineKind_LABOUR {
			field = "billed_minutes"
		}
		switch {
		case !ok || n < 0 || n > 1<<40:
			bad[field] = fault{text: a.T("form.bad_number")}
		case field == "billed_minutes":
			l.BilledMinutes = proto.Int64((n*60 + 500) / 1000)
		default:
			l.PartQuantity = &n
		}
	}
	if !a.sees(schema.ServiceLine, "amount") {
		return bad
	}
	l.Payer = branchlinev1.Payer(branchlinev1.Payer_value[a.Form("payer")]).Enum()
	if text := a.Form("amount"); text != "" {
		n, ok := parseFixed(strings.ReplaceAll(text, ",", ""), 2)
		if !ok {
			bad["amount"] = fault{text: a.T("form.bad_money")}
		} else {
			l.Amount, l.Currency = &n, proto.String("CNY")
		}
	}
	return bad
}

// onceFor is a request id for what is typed: the same form sent again makes nothing twice, but one that a browser brought
// back and that holds another line now makes that.
func onceFor(request string, l *branchlinev1.ServiceLine) (string, error) {
	if request == "" {
		return "", nil
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(l)
	if err != nil {
		return "", fmt.Errorf("web: request id: %w", err)
	}
	h := fnv.New64a()
	h.Write(b) // it never fails
	return fmt.Sprintf("%s-%016x", request, h.Sum64()), nil
}

// nextQuick is where the page comes back to after a line. The row there takes the cursor: an address that points at a
// part of the page would keep it from it.
func nextQuick(order string, l *branchlinev1.ServiceLine) string {
	return "/" + order + "?" + url.Values{"kind": {l.GetKind().String()}, "payer": {l.GetPayer().String()}, "of": {l.GetComplaint()}}.Encode()
}
