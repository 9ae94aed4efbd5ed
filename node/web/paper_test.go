package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// inspected is the town whose open order's car was looked at.
func inspected(t *testing.T) *town {
	t.Helper()
	w := owing(t)
	w.create(at("2026-11-21", "09:00"), "zm", &branchlinev1.Inspection{
		Order: s(w.orderID()), FuelEighths: proto.Int32(3), WarningLamps: []string{"abs"}, Valuables: s("行车记录仪，后备箱童车"), OldPartsWanted: proto.Bool(true),
		Damages: []*branchlinev1.Damage{{Part: s("door_rr"), What: s("scratch"), X: proto.Int32(770), Y: proto.Int32(550), Note: s("8 cm")}},
	})
	w.clock.set(w.now)
	return w
}

func (w *town) orderID() string { return w.open[len("serviceOrders/"):] }

func TestJobCard_SaysWhatTheBayNeedsAndNoPrice(t *testing.T) {
	w := inspected(t)
	page := w.as("zm", "zh-CN").must(t, "/"+w.open+"/jobcard")
	looktest.HTML(t, page)
	want(t, page, "派工单", "申陆汽车集团有限公司 浦东店", "上海市浦东新区沪南路 2000 号", "沪A·52H17", "2026-11-21 08:52", "2026-11-21 10:15", "36,982 km", "周敏", "陳建國 电话 139****2270",
		"“左前轮异响，过减速带更明显”", "1.2 拆装左前下摆臂、紧固", "配件 李强 厂 同意", "客 拒绝", "2026-11-21 09:40 · 口头 · 陈建国 · 139****2270", "3.1 左前轮速传感器", "ABS 灯偶尔亮", "1 右后门 刮痕 8 cm", "油量 3/8",
		"☑ 旧件带走", "行车记录仪，后备箱童车", "故障灯：ABS", "变速箱油到期", "虹桥店 2026-08-14", "厂 厂家付")
	wantNot(t, text(page), "13900002270", "216.00", "203.00", "528.00", "366.00")
	if !strings.Contains(page, `aria-label="条码 `+w.number(t)+`"`) {
		t.Error("the number has no bar code")
	}

	// A technician's is the same without the customer.
	page = w.as("lq", "zh-CN").must(t, "/"+w.open+"/jobcard")
	want(t, page, "拆装左前下摆臂", "左前轮异响")
	wantNot(t, text(page), "陈建国", "陳建國", "2207", "2270", "216.00")
}

func (w *town) number(t *testing.T) string {
	t.Helper()
	r, err := w.rec.GetRecord(w.by("zm"), &branchlinev1.GetRecordRequest{Name: w.open})
	if err != nil {
		t.Fatal(err)
	}
	return r.GetServiceOrder().GetNumber()
}

func TestSheets_WhoMayPrintWhat(t *testing.T) {
	w := inspected(t)
	for who, may := range map[string][3]int{"zm": {200, 200, 200}, "boss": {200, 200, 200}, "sale": {200, 200, 200}, "lq": {200, 403, 403}} {
		v := w.as(who, "zh-CN")
		order := v.must(t, "/"+w.open)
		for i, sheet := range []string{"jobcard", "quote", "settlement"} {
			if status, _ := v.get("/" + w.open + "/" + sheet); status != may[i] {
				t.Errorf("%s prints %s: %d, want %d", who, sheet, status, may[i])
			}
			if shown := strings.Contains(order, `href="/`+w.open+"/"+sheet+`"`); shown != (may[i] == http.StatusOK) {
				t.Errorf("%s is shown the way to %s: %v", who, sheet, shown)
			}
		}
	}
	// An order of another company is that branch's to print.
	v := w.as("zm", "zh-CN")
	shared := w.elsewhere(at("2026-05-06"), "sz", true, &branchlinev1.ServiceOrder{Branch: s("sz"), Vehicle: s(w.gone[len("vehicles/"):]), Plate: s("苏E5F7Q9"), Day: s("2026-05-06")})
	w.clock.set(w.now)
	for _, sheet := range []string{"jobcard", "quote", "settlement"} {
		if status, _ := v.get("/" + shared + "/" + sheet); status != http.StatusNotFound {
			t.Errorf("%s of another company's order: %d", sheet, status)
		}
		if status, _ := v.get("/" + w.chen + "/" + sheet); status != http.StatusNotFound {
			t.Errorf("%s of a customer: %d", sheet, status)
		}
	}
}

func TestQuote_LabourAndPartsApart(t *testing.T) {
	w := inspected(t)
	page := w.as("zm", "zh-CN").must(t, "/"+w.open+"/quote")
	looktest.HTML(t, page)
	want(t, page, "报价单", "工时费 小计 616.55", "材料费 小计 569.00", "□ 同意 □ 拒绝", "N 911 838 01", "客户付 766.55", "厂家付 203.00", "内部承担 216.00",
		"已同意 819.55", "待答复 366.00", "合计（含税） 1,185.55", "其中税额 46.08", "经您同意后再做")
}

// A settlement sheet says what is owed in figures and in capitals, how it was paid, until when the repair is guaranteed,
// and one that was taken back says so.
func TestSettlementSheet(t *testing.T) {
	w := inspected(t)
	w.withPins(t)
	v := w.as("zm", "zh-CN")
	path, sheet := "/"+w.open+"/money", "/"+w.open+"/settlement"
	want(t, v.must(t, sheet), "结算单 未结算", "合计 400.55")
	wantNot(t, text(v.must(t, sheet)), "质量保证到")

	v.done(t, path, actForm(t, v.must(t, path), "settle-PAYER_CUSTOMER", "discount", "20", "reason", "老客户", "round", "1"), "done=settle")
	page := v.must(t, path)
	want(t, page, "结算单")
	v.done(t, path, actForm(t, page, "pay-PAYER_CUSTOMER", "method", "METHOD_WECHAT", "amount", "300", "method2", "METHOD_CASH", "amount2", "20"), "done=pay")
	page = v.must(t, sheet+"?payer=PAYER_CUSTOMER")
	looktest.HTML(t, page)
	want(t, page, "申陆汽车集团有限公司", "税号 91310115MA1K4ABC7X", "工时费 小计 400.55", "优惠（老客户） −20.00", "抹零 −0.55", "应付 380.00", "叁佰捌拾元整", "其中税额 43.72",
		"已收 320.00", "未付 60.00", "微信", "现金", "质量保证到 2026-12-01 或行驶到 38,982 km", "旧件交客户带走", "免费返修", "12328", "周敏", "左前轮异响")
	wantNot(t, text(page), "作废", "未结算", "摆臂螺栓") // the maker's line is on the maker's sheet

	all := text(v.must(t, sheet))
	if n := strings.Count(all, "结算单号"); n != 3 {
		t.Errorf("%d sheets, want one a payer", n)
	}

	// In English: no capitals there.
	want(t, v.must(t, sheet+"?payer=PAYER_CUSTOMER&in=en"), "Due 380.00", "guaranteed until 2026-12-01 or 38,982 km")

	list, err := w.rec.ListRecords(w.by("zm"), &branchlinev1.ListRecordsRequest{Collection: "settlements", Order: w.open})
	if err != nil || len(list.GetRecords()) != 1 {
		t.Fatalf("%v, %d settlements", err, len(list.GetRecords()))
	}
	number := list.GetRecords()[0].GetSettlement().GetNumber()
	v.done(t, path, actForm(t, v.must(t, path), "undo-PAYER_CUSTOMER", "settlement", list.GetRecords()[0].GetName(), "reason", "开错", "who", "boss", "pin", pinOfBoss), "done=settle")
	page = v.must(t, sheet)
	want(t, page, "作废的 "+number)
	_, of, found := strings.Cut(page, sheet+"?of=")
	if !found {
		t.Fatal("no way to the sheet that was taken back")
	}
	of, _, _ = strings.Cut(of, `"`)
	page = v.must(t, sheet+"?of="+of)
	looktest.HTML(t, page)
	want(t, page, "结算单 作废", number, "已冲销", "开错", "应付 380.00")
	wantNot(t, text(page), "质量保证到", "叁佰捌拾元整")
	if status, _ := v.get(sheet + "?of=nothing"); status != http.StatusNotFound {
		t.Errorf("a settlement that is none: %d", status)
	}
}

// sheetOrder is an order with n lines, or with next to nothing.
func (w *town) sheetOrder(n int, long bool) string {
	o := &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_RECEIVED.Enum(), Plate: s("沪A52H17")}
	if long {
		o.Customer, o.Vehicle, o.Vin = s(w.chen[len("customers/"):]), s(w.passat[len("vehicles/"):]), s("LSVUB25N5R2086531")
		o.Model, o.Complaint = s("大众 帕萨特 380TSI 豪华版 2024 款 国六 加长轴距"), s(strings.Repeat("左前轮过减速带咯噔响，上次在虹桥店换过，好了十天又响。", 4))
		o.BroughtBy, o.BroughtPhone = s("上海恒远国际货物运输代理有限公司浦东分公司 王师傅"), s("13900006600")
	}
	r := w.create(at("2026-11-21", "10:05"), "zm", o)
	for i := range n {
		kind := []branchlinev1.LineKind{branchlinev1.LineKind_LABOUR, branchlinev1.LineKind_PART, branchlinev1.LineKind_FEE}[i%3]
		item := fmt.Sprintf("第 %d 项 更换左前下摆臂总成", i+1)
		if long && i%5 == 0 {
			item += "，含拆装、球头与衬套压装、四轮定位检查及道路试验"
		}
		w.create(at("2026-11-21", "10:06").Add(time.Duration(i)*time.Second), "zm", &branchlinev1.ServiceLine{
			Order: s(id(r)), Position: proto.Int32(int32(i + 1)), Kind: kind.Enum(), Item: &item, Amount: proto.Int64(int64(10_000 + i)), TaxRate: proto.Int32(1300),
			State: branchlinev1.LineState_LINE_APPROVED.Enum(), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Currency: s("CNY"), BilledMinutes: proto.Int64(90),
		})
	}
	w.clock.set(w.now)
	return r.GetName()
}

// On paper: one A4 page for a usual order, several for a long one with no row cut off, and nothing but the sheet.
func TestBrowser_SheetsOnPaper(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := inspected(t)
	w.withPins(t)
	v := w.as("zm", "zh-CN")
	path := "/" + w.open + "/money"
	v.done(t, path, actForm(t, v.must(t, path), "settle-PAYER_CUSTOMER"), "done=settle")
	v.done(t, path, actForm(t, v.must(t, path), "pay-PAYER_CUSTOMER", "method", "METHOD_CASH", "amount", "100"), "done=pay")
	bare, eight, long := w.sheetOrder(0, false), w.sheetOrder(8, false), w.sheetOrder(60, true)
	zm := w.signIn("zm")
	for _, x := range []struct {
		name, path  string
		least, most int
		says        []string
	}{
		{"jobcard", w.open + "/jobcard", 1, 1, []string{"派工单", "左前轮速传感器", "质检"}},
		{"jobcard-bare", bare + "/jobcard", 1, 1, []string{"派工单", "增项"}},
		{"jobcard-8", eight + "/jobcard", 1, 1, []string{"第 8 项"}},
		{"jobcard-60", long + "/jobcard", 3, 4, []string{"第 1 项", "第 60 项", "质检"}},
		{"quote", w.open + "/quote", 1, 1, []string{"报价单", "其中税额"}},
		{"quote-bare", bare + "/quote", 1, 1, []string{"还没有项目"}},
		{"quote-60", long + "/quote", 2, 4, []string{"第 60 项", "合计"}},
		{"bill", w.open + "/settlement?payer=PAYER_CUSTOMER", 1, 1, []string{"结算单", "肆佰元伍角伍分", "收到车辆"}},
		{"bill-all", w.open + "/settlement", 3, 3, []string{"厂家付", "内部承担"}},
		{"bill-bare", bare + "/settlement", 1, 1, []string{"未结算"}},
		{"bill-60", long + "/settlement", 2, 4, []string{"第 60 项", "合计"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			for _, lang := range look.Langs() {
				if lang != look.ZhCN && !every() {
					continue
				}
				w.clock.set(w.clock.now().Add(30 * time.Second))
				cookies := map[string]string{"lang": string(lang)}
				for k, c := range zm {
					cookies[k] = c
				}
				got := b.Print(t, w.srv.URL+"/"+x.path, x.name+"-"+string(lang), cookies)
				if got.Pages < x.least || got.Pages > x.most {
					t.Errorf("%s in %s: %d pages, want %d to %d", x.path, lang, got.Pages, x.least, x.most)
				}
				if lang != look.ZhCN {
					continue
				}
				for _, say := range x.says {
					if !strings.Contains(got.Text, say) {
						t.Errorf("%s does not say %q on paper:\n%s", x.path, say, got.Text)
					}
				}
				for _, not := range []string{"退出登录", "回到工单", "今天要做", "搜"} {
					if strings.Contains(got.Text, not) {
						t.Errorf("%s says %q on paper", x.path, not)
					}
				}
			}
		})
	}
}

func TestBrowser_SheetsAreSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := inspected(t)
	long, bare := w.sheetOrder(12, true), w.sheetOrder(0, false)
	zm, lq := w.signIn("zm"), w.signIn("lq")
	turn := 0
	for _, x := range []struct {
		name, path string
		who        map[string]string
		dark       bool
	}{
		{"sheet-jobcard", w.open + "/jobcard", zm, false},
		{"sheet-jobcard-dark", w.open + "/jobcard", zm, true},
		{"sheet-jobcard-bare", bare + "/jobcard", zm, false},
		{"sheet-jobcard-technician", long + "/jobcard", lq, false},
		{"sheet-quote", w.open + "/quote", zm, false},
		{"sheet-bill", w.open + "/settlement", zm, false},
		{"sheet-order", w.open, zm, false},
	} {
		langs := look.Langs()
		if !every() {
			langs = langs[turn%3 : turn%3+1]
		}
		turn++
		w.clock.set(w.clock.now().Add(30 * time.Second))
		options := append([]looktest.Option{looktest.Named(x.name)}, cookies(x.who)...)
		if x.dark {
			options = append(options, looktest.Dark())
		}
		b.Audit(t, w.srv.URL+"/"+x.path, langs, options...)
	}
}

// One key leads from the order to its job card, one prints it, one leads back.
func TestBrowser_PPrints(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := inspected(t)
	b.Run(t, w.srv.URL+"/"+w.open, w.signIn("zm"),
		looktest.Expect(`!!window.htmx && document.readyState === "complete"`),
		looktest.Press("p"),
		looktest.Expect(`location.pathname === "/`+w.open+`/jobcard" && document.readyState === "complete" && !!window.htmx`),
		chromedp.Evaluate[chromedp.Void](`void (() => { window.printed = 0; window.print = () => { window.printed++; } })()`),
		looktest.Press("p"),
		looktest.Expect(`window.printed === 1`),
		looktest.Press("Escape"),
		looktest.Expect(`location.pathname === "/`+w.open+`"`),
	)
}
