package web_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// filled is the form to an action with what is typed.
func filled(t *testing.T, page, action string, typed ...string) url.Values {
	t.Helper()
	form := formOf(t, page, action)
	for i := 0; i < len(typed); i += 2 {
		form.Set(typed[i], typed[i+1])
	}
	return form
}

// A manager passes an order on: from then on it is another branch's, and says so to whoever comes with an old page.
func TestTransfer_FormAndWhatTheSenderSees(t *testing.T) {
	w := newTown(newRig(t))
	w.clock.set(w.now)
	v := w.as("boss", "zh-CN")
	path := "/" + w.open
	line := w.create(w.now, "zm", &branchlinev1.ServiceLine{Order: s(w.open[len("serviceOrders/"):]), Item: s("小保养"), Kind: branchlinev1.LineKind_LABOUR.Enum()})
	old := w.as("zm", "zh-CN")
	stale := formOf(t, old.must(t, "/"+line.GetName()+"/edit"), "/"+line.GetName())
	late := formOf(t, old.must(t, path+"/lines/new"), path+"/lines")
	if status, _ := w.as("zm", "zh-CN").get(path + "/transfer"); status != http.StatusForbidden {
		t.Errorf("an adviser's form: %d", status)
	}
	if page := old.must(t, path); strings.Contains(page, "/transfer") {
		t.Error("an adviser is shown the way to it")
	}
	want(t, v.must(t, path), "转到兄弟店")
	page := v.must(t, path+"/transfer")
	if strings.Contains(page, "苏州园区店") || !strings.Contains(page, `value="hg"`) || strings.Contains(page, `value="pd"`) {
		t.Error("other branches than those of the company, or this one, are offered")
	}
	form := filled(t, page, path+"/transfer", "branch", "sz", "reason", "没有举升机")
	if status, _, body := v.post(path+"/transfer", form); status != http.StatusBadRequest || !strings.Contains(text(body), "另一家公司") || !strings.Contains(body, `value="没有举升机"`) {
		t.Fatalf("to another company: %d\n%s", status, text(body))
	}
	form.Set("branch", "hg")
	v.done(t, path+"/transfer", form, path)
	v.done(t, path+"/transfer", form, path) // sent twice
	page = old.must(t, path)
	want(t, page, "已转给虹桥店", "浦东店 → 虹桥店：没有举升机")
	if strings.Contains(page, path+"/lines/new") || strings.Contains(page, path+"/transfer") {
		t.Error("it may still be worked on here")
	}
	stale.Set("item", "大保养")
	for to, f := range map[string]url.Values{"/" + line.GetName(): stale, path + "/lines": late} {
		f.Set("item", "大保养")
		if status, _, body := old.post(to, f); status != http.StatusForbidden || !strings.Contains(text(body), "现在归虹桥店办理") {
			t.Errorf("%s of an old page: %d\n%s", to, status, text(body))
		}
	}
}

// An order that a sister branch passed on stands among what arrived, and is worked on here.
func TestTransfer_WhatTheReceiverSees(t *testing.T) {
	w := newTown(newRig(t))
	order := w.elsewhere(at("2026-11-20"), "hg", false, &branchlinev1.ServiceOrder{
		Branch: s("hg"), Number: s("HGa-261120-0007-K"), Plate: s("沪B70707"), State: branchlinev1.OrderState_IN_WORK.Enum(), Day: s("2026-11-20"),
	})
	w.overtakes(w.now, "hg", order, "pd", &branchlinev1.ServiceOrder{Branch: s("pd"), Sites: []string{"hg", "pd"}})
	w.clock.set(w.now)
	v := w.as("zm", "zh-CN")
	want(t, v.must(t, "/"), "转给了本店", "沪B·70707")
	page := v.must(t, "/"+order)
	want(t, page, "从虹桥店转来", "HGa-261120-0007-K")
	if !strings.Contains(page, "/"+order+"/lines/new") {
		t.Error("it cannot be worked on")
	}
}

// claimed is the town with an accident car: three lines, two of them the insurer's.
func claimed(t *testing.T) (w *town, order string, lines []string) {
	t.Helper()
	w = newTown(newRig(t))
	r := w.create(w.now, "zm", &branchlinev1.ServiceOrder{
		Vehicle: s(w.passat[len("vehicles/"):]), Customer: s(w.chen[len("customers/"):]), Plate: s("沪A52H17"), State: branchlinev1.OrderState_RECEIVED.Enum(),
		Complaint: s("右前追尾"), Accident: proto.Bool(true), Branch: s("pd"), OdometerKm: proto.Int64(33_000),
	})
	order = r.GetName()
	w.create(w.now, "zm", &branchlinev1.InsurancePolicy{
		Vehicle: s(w.passat[len("vehicles/"):]), Customer: s(w.chen[len("customers/"):]), Insurer: s("平安"), From: s("2026-01-01"), Until: s("2026-12-31"),
		Kind: branchlinev1.PolicyKind_POLICY_COMMERCIAL.Enum(),
	})
	for i, p := range []branchlinev1.Payer{branchlinev1.Payer_PAYER_INSURER, branchlinev1.Payer_PAYER_INSURER, branchlinev1.Payer_PAYER_CUSTOMER} {
		l := w.create(w.now, "zm", &branchlinev1.ServiceLine{
			Order: s(id(r)), Kind: branchlinev1.LineKind_LABOUR.Enum(), Item: s([]string{"前杠喷漆", "大灯", "洗车"}[i]), Payer: p.Enum(),
			Amount: proto.Int64([]int64{120_000, 80_000, 3_000}[i]), State: branchlinev1.LineState_LINE_APPROVED.Enum(), Currency: s("CNY"), Position: proto.Int32(int32(i + 1)),
		})
		lines = append(lines, id(l))
	}
	return w, order, lines
}

// A claim is made of the lines the insurer is to pay, sent, supplemented, assessed in part and paid; the customer's part is
// a line of its own.
func TestClaims_FromTheOrderToPayment(t *testing.T) {
	w, order, lines := claimed(t)
	v := w.as("zm", "zh-CN")
	want(t, v.must(t, "/"+order), "新建理赔")
	page := v.must(t, "/claims/new?order="+order[len("serviceOrders/"):])
	if !strings.Contains(page, `value="平安"`) {
		t.Error("the car's policy is not offered")
	}
	form := formOf(t, page, "/claims")
	form.Set("party", "")
	if status, _, body := v.post("/claims", form); status != http.StatusBadRequest || !strings.Contains(text(body), "选保险公司或厂家") {
		t.Fatalf("of nobody: %d\n%s", status, text(body))
	}
	form.Set("party", "1")
	form.Set("number", "PA-7781")
	form.Set("old_part_kept_until", "2026-12-20")
	status, path, body := v.post("/claims", form)
	if status != http.StatusSeeOther || !strings.HasPrefix(path, "/claims/") {
		t.Fatalf("%d %s\n%s", status, path, text(body))
	}
	page = v.must(t, path)
	want(t, page, "前杠喷漆", "大灯", "2,000.00", "PA-7781", "平安")
	sent := filled(t, page, path+"/step", "state", "CLAIM_SENT")
	v.done(t, path+"/step", sent, path)
	v.done(t, path+"/step", filled(t, page, path+"/step", "state", "CLAIM_PAID", "request_id", "another"), "moved=1") // an old page
	page = v.must(t, path)
	want(t, page, "已提交", "周敏")

	// One line more, found on the lift, is a supplement; a broken amount comes back beside its field.
	ask := filled(t, page, path+"/lines")
	for i, n := range []string{"1200", "800", "x"} {
		ask.Set("in."+lines[i], "1")
		ask.Set("asked."+lines[i], n)
	}
	if status, _, body := v.post(path+"/lines", ask); status != http.StatusBadRequest || !strings.Contains(body, `value="x"`) {
		t.Fatalf("a broken amount: %d\n%s", status, text(body))
	}
	ask.Set("asked."+lines[2], "30")
	v.done(t, path+"/lines", ask, path)
	page = v.must(t, path)
	want(t, page, "增补", "2,030.00")
	for _, list := range []string{"", "?list=CLAIM_SENT", "?list=kept"} {
		want(t, v.must(t, "/claims"+list), "沪A·52H17", "平安", "PA-7781", "2026-12-20", "2,030.00")
	}
	want(t, v.must(t, "/claims?list=CLAIM_DRAFT"), "没有这样的理赔")

	over := filled(t, page, path+"/step", "state", "CLAIM_APPROVED", "assessed."+lines[0], "1200.01")
	if status, _, body := v.post(path+"/step", over); status != http.StatusBadRequest || !strings.Contains(text(body), "超过了这项的金额 1200.00") || !strings.Contains(body, `value="1200.01"`) {
		t.Fatalf("more than it costs: %d\n%s", status, text(body))
	}
	good := filled(t, page, path+"/step", "state", "CLAIM_APPROVED", "assessed."+lines[0], "1000", "assessed."+lines[1], "800", "assessed."+lines[2], "0", "note."+lines[0], "旧伤")
	v.done(t, path+"/step", good, path)
	page = v.must(t, path)
	want(t, page, "已核准", "1,800.00", "200.00")
	if strings.Count(page, `value="1000.00"`) != 1 || !strings.Contains(page, `value="旧伤"`) {
		t.Error("what was assessed is not in the form")
	}
	page = v.must(t, "/"+order)
	want(t, page, "核 1,800.00")
	refused := filled(t, v.must(t, path), path+"/step", "state", "CLAIM_REFUSED")
	if status, _, body := v.post(path+"/step", refused); status != http.StatusBadRequest || !strings.Contains(text(body), "写") {
		t.Errorf("refused without a reason: %d\n%s", status, text(body))
	}
	v.done(t, path+"/step", filled(t, v.must(t, path), path+"/step", "state", "CLAIM_PAID"), path)
	edit := formOf(t, v.must(t, path+"/edit"), path)
	edit.Set("surveyor", "老秦")
	v.done(t, path, edit, path)
	want(t, v.must(t, path), "老秦", "已回款")
	if status, _ := w.as("lq", "zh-CN").get(path); status != http.StatusForbidden {
		t.Errorf("a technician: %d", status)
	}
}

// cameBack is the town with a car that came again for what a sister branch did, within its guarantee.
func cameBack(t *testing.T) (w *town, again string) {
	t.Helper()
	w = newTown(newRig(t))
	lines, err := w.rec.ListRecords(w.by("zm"), &branchlinev1.ListRecordsRequest{Collection: "serviceLines", Order: w.foreign})
	if err != nil {
		t.Fatal(err)
	}
	line := lines.GetRecords()[0]
	w.overtakes(at("2026-08-15"), "hg", line.GetName(), "hg", &branchlinev1.ServiceLine{GuaranteeMonths: proto.Int32(6), Item: s("平衡杆连杆"), Technician: s("wl")})
	r := w.create(w.now, "zm", &branchlinev1.ServiceOrder{
		Vehicle: s(w.passat[len("vehicles/"):]), Plate: s("沪A52H17"), State: branchlinev1.OrderState_RECEIVED.Enum(), Complaint: s("又响了"), OdometerKm: proto.Int64(37_000),
		ComebackOf: s(w.foreign[len("serviceOrders/"):]), ComebackLine: s(id(line)), ComebackCause: s("螺栓没拧紧"), ComebackBorneBy: s("hg"),
	})
	w.clock.set(w.now)
	return w, r.GetName()
}

// A comeback of work that a sister branch did stands on both orders, within its guarantee, and in the managers' list.
func TestComebacks_OnBothOrdersAndInTheList(t *testing.T) {
	w, again := cameBack(t)
	v := w.as("boss", "zh-CN")
	page := v.must(t, "/"+again)
	want(t, page, "返修自", "虹桥店", "平衡杆连杆", "在修理保修内，到 2027-02-14", "螺栓没拧紧")
	if !strings.Contains(page, `href="/`+w.foreign+`"`) {
		t.Error("there is no way to the order that did not hold")
	}
	page = v.must(t, "/"+w.foreign)
	want(t, page, "浦东店 · 2026-11-21", "返修接车")
	if !strings.Contains(page, `href="/`+again+`"`) || !strings.Contains(page, "comeback_of="+w.foreign[len("serviceOrders/"):]) || !strings.Contains(page, "comeback_line=") {
		t.Error("the ways to the comeback, and to receiving another, are missing")
	}
	if page := v.must(t, "/"+again); strings.Contains(page, "comeback_of=") {
		t.Error("an order that is open takes no comeback")
	}
	if page := v.must(t, "/"+w.passat); !strings.Contains(page, "comeback_of="+w.foreign[len("serviceOrders/"):]) {
		t.Error("the car's timeline has no way to receive a comeback")
	}
	page = v.must(t, "/comebacks")
	want(t, page, "沪A·52H17", "平衡杆连杆", "王莉", "虹桥店", "螺栓没拧紧", "99", "在修理保修内")
	if status, _ := w.as("zm", "zh-CN").get("/comebacks"); status != http.StatusForbidden {
		t.Errorf("an adviser: %d", status)
	}
	want(t, v.must(t, "/serviceOrders"), "理赔", "返修")
}

// A state has one page after another, what waits longest first over all of them, each claim with the plate of its car.
func TestClaims_PageByPage(t *testing.T) {
	w := newTown(newRig(t))
	sent := branchlinev1.ClaimState_CLAIM_SENT
	for i := range 53 {
		day := at("2026-11-20").AddDate(0, 0, -i)
		o := w.car(fmt.Sprintf("沪A%05d", i), inWork, "", nil)
		w.create(w.now, "zm", &branchlinev1.Claim{
			Order: s(o[len("serviceOrders/"):]), Party: branchlinev1.ClaimParty_CLAIM_ON_INSURER.Enum(), Number: s(fmt.Sprintf("P%03d", i)), State: &sent, Day: s(day.Format(time.DateOnly)),
			States: []*branchlinev1.ClaimChange{{State: &sent, At: proto.Int64(day.UnixMilli())}},
		})
	}
	w.clock.set(w.now)
	v := w.as("zm", "zh-CN")
	page := v.must(t, "/claims")
	looktest.HTML(t, page)
	rows := func(page string) (out []string) {
		for _, m := range regexp.MustCompile(`<small>(P\d{3})</small>`).FindAllStringSubmatch(page, -1) {
			out = append(out, m[1])
		}
		return out
	}
	if got := rows(page); len(got) != 50 || got[0] != "P052" || got[49] != "P003" {
		t.Errorf("%d rows, %q", len(got), got)
	}
	want(t, page, "沪A·00052", "沪A·00003")
	next := regexp.MustCompile(`rel="next" href="([^"]+)"`).FindStringSubmatch(page)
	if next == nil {
		t.Fatal("there is no second page")
	}
	page = v.must(t, html.UnescapeString(next[1]))
	if got := rows(page); !slices.Equal(got, []string{"P002", "P001", "P000"}) {
		t.Errorf("the second page has %q", got)
	}
	want(t, page, "沪A·00000")
}

func TestBrowser_AffairsAreSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w, order, lines := claimed(t)
	turn := 0
	boss := w.signIn("boss")
	audit := func(name, path string) {
		t.Helper()
		langs := look.Langs()
		if !every() {
			langs = langs[turn%3 : turn%3+1]
		}
		turn++
		w.clock.set(w.clock.now().Add(30 * time.Second)) // an account may look at so many rows a minute
		b.Audit(t, w.srv.URL+path, langs, append([]looktest.Option{looktest.Named(name)}, cookies(boss)...)...)
	}
	v := w.as("boss", "zh-CN")
	form := filled(t, v.must(t, "/claims/new?order="+order[len("serviceOrders/"):]), "/claims", "number", "PA-7781", "old_part_kept_until", "2026-12-20")
	_, path, _ := v.post("/claims", form)
	audit("claim-new", "/claims/new?order="+order[len("serviceOrders/"):])
	audit("claim-draft", path)
	v.done(t, path+"/step", filled(t, v.must(t, path), path+"/step", "assessed."+lines[0], "1000", "note."+lines[0], "旧伤不赔"), path)
	audit("claim", path)
	audit("claims", "/claims")
	audit("claims-kept", "/claims?list=kept")
	audit("claims-none", "/claims?list=CLAIM_REFUSED")
	audit("claim-edit", path+"/edit")
	audit("order-claim", "/"+order)
	audit("order-details", "/"+order+"/edit")
	audit("transfer", "/"+order+"/transfer")
	v.done(t, "/"+order+"/transfer", filled(t, v.must(t, "/"+order+"/transfer"), "/"+order+"/transfer", "branch", "hg", "reason", "没有烤漆房"), order)
	audit("order-passed", "/"+order)
	w, again := cameBack(t)
	boss = w.signIn("boss")
	audit("order-comeback", "/"+again)
	audit("order-came-back", "/"+w.foreign)
	audit("comebacks", "/comebacks")
}

// The details of an order are edited on a form; two desks that change one field meet, a reading put right is put right
// with the car, and a promised time is set here only once.
func TestOrderDetails_Edited(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "zh-CN")
	path := "/" + w.open
	page := v.must(t, path+"/edit")
	if strings.Contains(page, `name="promised_at"`) {
		t.Error("a promised time is edited without a reason")
	}
	form := formOf(t, page, path)
	other := formOf(t, w.as("wf", "zh-CN").must(t, path+"/edit"), path)
	form.Set("odometer_km", "36892")
	form.Set("loan_car", "沪A00001")
	form.Set("loan_from", "2026-11-21T11:00")
	form.Set("bay", "3")
	v.done(t, path, form, path)
	other.Set("bay", "5")
	if status, _, body := w.as("wf", "zh-CN").post(path, other); status != http.StatusConflict {
		t.Errorf("a second desk: %d\n%s", status, text(body))
	}
	r, err := w.rec.GetRecord(w.by("zm"), &branchlinev1.GetRecordRequest{Name: w.open})
	if err != nil {
		t.Fatal(err)
	}
	if o := r.GetServiceOrder(); o.GetOdometerKm() != 36_892 || o.GetBay() != "3" || o.GetLoanCar() != "沪A00001" || o.GetLoanFrom() != at("2026-11-21", "11:00").UnixMilli() {
		t.Errorf("%v", o)
	}
	list, err := w.rec.ListRecords(w.by("zm"), &branchlinev1.ListRecordsRequest{Collection: "odometerReadings", Order: w.open})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(list.GetRecords()); n != 1 || list.GetRecords()[0].GetOdometerReading().GetKm() != 36_892 {
		t.Errorf("%d readings of the order: %v", n, list.GetRecords())
	}
	form = formOf(t, v.must(t, path+"/edit"), path)
	form.Set("loan_until", "2026-11-20T11:00")
	form.Set("odometer_km", "x")
	if status, _, body := v.post(path, form); status != http.StatusBadRequest || !strings.Contains(text(body), "还车早于借车") || !strings.Contains(body, `value="x"`) {
		t.Errorf("%d\n%s", status, text(body))
	}
}

// A car changes hands: orders of before keep whose it was, and name them in their pages and the car's history.
func TestOwnerChanged_OldOrdersKeepTheOldOwner(t *testing.T) {
	w := newTown(newRig(t))
	car := w.passat[len("vehicles/"):]
	ties, err := w.rec.ListRecords(w.by("zm"), &branchlinev1.ListRecordsRequest{Collection: "ties", Vehicle: w.passat})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range ties.GetRecords() {
		w.update(w.now, "zm", r.GetName(), &branchlinev1.Tie{To: s("2026-11-20")}, "to")
	}
	fresh := w.create(w.now, "zm", &branchlinev1.Customer{Name: s("沈小满"), Phones: []*branchlinev1.Phone{{Number: s("13900007788")}}})
	w.create(w.now, "zm", &branchlinev1.Tie{Customer: s(id(fresh)), Vehicle: s(car), Role: branchlinev1.TieRole_OWNER.Enum(), From: s("2026-11-21")})
	w.clock.set(w.now.Add(time.Minute))
	v := w.as("zm", "zh-CN")
	page := v.must(t, "/"+w.foreign)
	want(t, page, "陳建國")
	wantNot(t, text(page), "沈小满")
	want(t, v.must(t, "/"+w.passat), "沈小满", "陳建國")
	page = v.must(t, "/serviceOrders/new?vehicle="+car)
	want(t, page, "沈小满")
	if !strings.Contains(v.must(t, "/"+w.open+"/edit"), id(fresh)) {
		t.Error("the new owner is not offered as the customer of an open order")
	}
}

// What reception and the form of a line take over from what did not hold.
func TestComebacks_ReceptionAndPayer(t *testing.T) {
	w, again := cameBack(t)
	v := w.as("zm", "zh-CN")
	page := v.must(t, "/"+w.foreign)
	at := strings.Index(page, "comeback_line=")
	if at < 0 {
		t.Fatal("no way to receive a comeback of a line")
	}
	line := page[at+len("comeback_line=") : at+len("comeback_line=")+26]
	order := w.foreign[len("serviceOrders/"):]
	page = v.must(t, "/serviceOrders/new?vehicle="+w.passat[len("vehicles/"):]+"&comeback_of="+order+"&comeback_line="+line)
	if !strings.Contains(page, `value="`+order+"."+line+`" selected`) {
		t.Error("reception does not know of what it is a comeback")
	}
	want(t, page, "└ 左前轮异响")
	if !strings.Contains(page, `<option value="虹桥店">`) || !strings.Contains(page, `<option value="供应商">`) {
		t.Error("who may bear it is not offered")
	}
	for said, code := range map[string]string{"虹桥店": "hg", "客户": "customer", "保险杠厂": "保险杠厂"} {
		in := filled(t, v.must(t, "/serviceOrders/new?vehicle="+w.passat[len("vehicles/"):]), "/serviceOrders", "complaint", "又响了", "comeback_of", order+"."+line, "comeback_borne_by", said)
		status, to, body := v.post("/serviceOrders", in)
		if status != http.StatusSeeOther {
			t.Fatalf("%d %s", status, text(body))
		}
		r, err := w.rec.GetRecord(w.by("boss"), &branchlinev1.GetRecordRequest{Name: to[1:]})
		if o := r.GetServiceOrder(); err != nil || o.GetComebackOf() != order || o.GetComebackLine() != line || o.GetComebackBorneBy() != code {
			t.Errorf("%s: %v %v", said, o, err)
		}
	}
	form := formOf(t, v.must(t, "/"+again+"/lines/new"), "/"+again+"/lines")
	if form.Get("payer") != "PAYER_INTERNAL" {
		t.Errorf("within the repair guarantee %s pays", form.Get("payer"))
	}
	page = v.must(t, "/"+again+"/edit")
	want(t, page, "平衡杆连杆", "供应商")
}
