package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
)

var (
	pinned  = "pins/" + id(70)
	buyer   = "customers/" + id(4)
	soldTie = "ties/" + id(34)
)

// chosen is what makes the golden customer of world one whose values a steward chose, and its car one that was sold on.
func (f *fake) chosen() {
	g := f.golden[chen]
	for _, src := range g.GetSources() {
		switch {
		case src.GetField() == "phones" && src.GetIndex() == 0:
			src.Also = []*branchlinev1.SameValue{{Json: `{"number":"+86 139 0000 2207"}`, Branch: "pd", At: ms("2023-04-12", "09:00"), Record: chen}}
		case src.GetField() == "birthday":
			src.Pin, src.Branch, src.Actor, src.Record = pinned, "hq", "zl", chen2
			src.Lost = []*branchlinev1.LostValue{{Json: `"1974-08-06"`, Branch: "pd", At: ms("2023-04-12", "09:00"), Record: chen}}
		case src.GetField() == "name":
			src.Lost[0].Record = chen2
		}
	}
	birthday := "birthday"
	owner := branchlinev1.TieRole_OWNER.Enum()
	f.records = append(f.records,
		record(pinned, "hq", &branchlinev1.Pin{Customer: new(id(2)), Field: &birthday, Value: &branchlinev1.Customer{Birthday: new("1974-06-08")}}),
		record(buyer, "sj", &branchlinev1.Customer{Name: new("何丽娜")}),
		record(soldTie, "sj", &branchlinev1.Tie{Customer: new(id(4)), Vehicle: new(id(10)), Role: owner, From: new("2026-10-01")}),
	)
	f.owners = map[string][]*branchlinev1.Owner{car: {
		{Vehicle: car, Customer: buyer, Name: "何丽娜", From: "2026-10-01", Present: true, Ties: []string{soldTie}},
		{Vehicle: car, Customer: chen, Name: "陈建国", From: "2025-01-10", To: "2026-10-01", Derived: true, EndedBy: soldTie, Ties: []string{"ties/" + id(30)}},
	}}
}

func (f *fake) CreateRecord(ctx context.Context, req *branchlinev1.CreateRecordRequest) (*branchlinev1.Record, error) {
	if err := access.CallerFrom(ctx).CheckWrite(access.HQ, schema.Pin); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p := req.GetRecord().GetPin()
	f.settled = append(f.settled, fmt.Sprintf("pin %s %s %v", p.GetCustomer(), p.GetField(), p.GetValue()))
	return req.GetRecord(), nil
}

func (f *fake) UpdateRecord(ctx context.Context, req *branchlinev1.UpdateRecordRequest) (*branchlinev1.Record, error) {
	if err := access.CallerFrom(ctx).CheckWrite(access.HQ, schema.Pin); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.settled = append(f.settled, fmt.Sprintf("%s %v %d", req.GetRecord().GetName(), req.GetUpdateMask(), req.GetRecord().GetPin().GetRetiredAt()))
	return req.GetRecord(), nil
}

// A steward sees a button at each value beside another, and who may not choose sees none.
func TestCustomer_ValuesAreChosen(t *testing.T) {
	f := world()
	f.chosen()
	r := newRig(t, f)
	token, reader := r.token("steward", steward), r.token("auditor", auditor)
	page := r.get("/"+chen, token, look.En).body
	for _, want := range []string{
		"Show this one<span class=\"vh\"> 陳建國", "Use this one first<span class=\"vh\">", "Undo the choice<span class=\"vh\">", "</svg>chosen</span>",
		"Headquarters chose another value.", "Written the same way at 浦东店 2023-04-12.", "Former owner",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if n := strings.Count(page, `<form class="row choose"`); n != 6 {
		t.Errorf("%d choices", n)
	}
	if strings.Contains(r.get("/"+chen, reader, look.En).body, "/pins") {
		t.Error("an auditor is offered a choice")
	}
	send := func(form url.Values) answer { return r.do("POST", "/"+chen+"/pins", token, look.En, form) }
	a := send(url.Values{"act": {"pin"}, "field": {"name"}, "value": {`"陳建國"`}, "record": {chen2}})
	if a.status != http.StatusSeeOther || a.head.Get("Location") != "/"+chen+"#v-name" {
		t.Errorf("pin: %d %v", a.status, a.head)
	}
	send(url.Values{"act": {"pin"}, "field": {"phones"}, "value": {`{"number":"02155500142","label":"手机"}`}, "record": {chen}})
	send(url.Values{"act": {"pin"}, "field": {"birthday"}, "value": {`"1974-06-08"`}, "record": {chen2}}) // it is chosen already
	send(url.Values{"act": {"unpin"}, "field": {"birthday"}, "pin": {pinned}})
	for _, bad := range []url.Values{
		{"act": {"pin"}, "field": {"consent_marketing"}, "value": {`{"given":true}`}, "record": {chen}},
		{"act": {"pin"}, "field": {"name"}, "value": {"x"}, "record": {chen}},
		{"act": {"pin"}, "field": {"name"}, "value": {`"x"`}, "record": {car}},
		{"act": {"unpin"}, "pin": {chen}},
		{"act": {"dance"}},
	} {
		if a := send(bad); a.status != http.StatusBadRequest {
			t.Errorf("%v: %d", bad, a.status)
		}
	}
	if a := r.do("POST", "/"+chen+"/pins", reader, look.En, url.Values{"act": {"unpin"}, "pin": {pinned}}); a.status != http.StatusForbidden {
		t.Errorf("an auditor unpins: %d", a.status)
	}
	want := []string{`pin ` + id(2) + ` name name:"陳建國"`, `pin ` + id(1) + ` phones phones:{number:"02155500142" label:"手机"}`, fmt.Sprintf("%s [retired_at] %d", pinned, now().UnixMilli())}
	if got := strings.ReplaceAll(strings.Join(f.settled, "\n"), "  ", " "); got != strings.Join(want, "\n") {
		t.Errorf("asked for\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// A car's page tells whose it is and was, and where that was registered.
func TestVehicle_LineOfOwners(t *testing.T) {
	f := world()
	f.chosen()
	r := newRig(t, f)
	page := text(r.get("/"+car, r.token("steward", steward), look.ZhCN).body)
	for _, want := range []string{"何丽娜", "现车主 2026-10-01 起 · 松江店登记", "前车主 2025-01-10 起，到 2026-10-01 ，那天起登记为下一位车主所有 · 浦东店登记"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q in %s", want, page)
		}
	}
	if page := text(r.get("/"+car, r.token("analyst", analyst), look.ZhCN).body); strings.Contains(page, "何丽娜") || strings.Contains(page, "前车主") {
		t.Error("an analyst is told the owners")
	}
}
