package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// actForm is a form of a page of money: its etag and request id, with what is typed.
func actForm(t *testing.T, page, act string, typed ...string) url.Values {
	t.Helper()
	m := regexp.MustCompile(`name="act" value="` + act + `">(?:<input type="hidden" name="etag" value="([^"]*)">)?<input type="hidden" name="request_id" value="([^"]*)">`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("there is no form %s:\n%s", act, text(page))
	}
	form := url.Values{"act": {act}, "etag": {m[1]}, "request_id": {m[2]}}
	for i := 0; i < len(typed); i += 2 {
		form.Set(typed[i], typed[i+1])
	}
	return form
}

const pinOfBoss = "7395"

// owing is the town with something done that the customer of the open order pays.
func owing(t *testing.T) *town {
	t.Helper()
	w := newTown(newRig(t))
	w.create(at("2026-11-21", "10:00"), "zm", agreed(&branchlinev1.ServiceLine{
		Order: s(w.open[len("serviceOrders/"):]), Kind: branchlinev1.LineKind_LABOUR.Enum(), Item: s("小保养"), Amount: proto.Int64(40_055), TaxRate: proto.Int32(1300),
		Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), State: branchlinev1.LineState_LINE_DONE.Enum(), Currency: s("CNY"),
	}))
	w.clock.set(w.now)
	return w
}

// withPins gives the manager of the town a PIN, and one to an adviser.
func (w *town) withPins(t *testing.T) {
	t.Helper()
	for _, name := range []string{"boss", "zm", "wf"} {
		v := w.as(name, "zh-CN")
		if status, to, body := v.post("/account", url.Values{"act": {"pin"}, "pin": {pinOfBoss}, "pin-current": {password}}); status != http.StatusSeeOther || to != "/account?done=pin" {
			t.Fatalf("%s sets a PIN: %d %s\n%s", name, status, to, text(body))
		}
	}
}

func (v *visitor) must(t *testing.T, path string) string {
	t.Helper()
	status, body := v.get(path)
	if status != http.StatusOK {
		t.Fatalf("%s: %d\n%s", path, status, text(body))
	}
	return body
}

func (v *visitor) done(t *testing.T, path string, form url.Values, want string) {
	t.Helper()
	if status, to, body := v.post(path, form); status != http.StatusSeeOther || !strings.Contains(to, want) {
		t.Fatalf("%s: %d %s\n%s", path, status, to, text(body))
	}
}

// An order is settled with a manager's word for the discount, paid in two ways, and the day closed with a difference.
func TestMoney_FromTheLinesToTheClosedDay(t *testing.T) {
	w := owing(t)
	w.withPins(t)
	v := w.as("zm", "zh-CN")
	path := "/" + w.open + "/money"
	page := v.must(t, path)
	want(t, page, "结算收款", "未收")
	if !strings.Contains(page, `<option value="boss">顾卫国</option>`) || strings.Contains(page, `<option value="zm"`) {
		t.Error("the managers whose word may stand behind are not offered by name, or somebody else is")
	}
	want(t, w.as("boss", "zh-CN").must(t, path), "没有别的经理账号")
	status, _, body := v.post(path, actForm(t, page, "settle-PAYER_CUSTOMER", "discount", "100", "reason", "老客户"))
	if status != http.StatusBadRequest || !strings.Contains(body, `value="老客户"`) || !strings.Contains(body, `<details open>`) {
		t.Fatalf("a discount beyond the role: %d\n%s", status, text(body))
	}
	want(t, body, "要经理输 PIN")
	status, _, body = v.post(path, actForm(t, body, "settle-PAYER_CUSTOMER", "discount", "100", "reason", "老客户", "who", "boss", "pin", "1593"))
	if status != http.StatusBadRequest || strings.Contains(body, "1593") {
		t.Fatalf("with a wrong PIN: %d\n%s", status, text(body))
	}
	stale := actForm(t, v.must(t, path), "settle-PAYER_CUSTOMER")
	v.done(t, path, actForm(t, body, "settle-PAYER_CUSTOMER", "discount", "100", "reason", "老客户", "round", "1", "who", "boss", "pin", pinOfBoss), "done=settle")
	if status, _, body := v.post(path, stale); status != http.StatusBadRequest || !strings.Contains(text(body), "已经结算过") {
		t.Errorf("settled by a second desk: %d\n%s", status, text(body))
	}
	page = v.must(t, path)
	want(t, page, "结算单", "−100.00", "优惠")
	old := actForm(t, v.must(t, path), "pay-PAYER_CUSTOMER", "method", "METHOD_CASH", "amount", "100")
	v.done(t, path, actForm(t, page, "pay-PAYER_CUSTOMER", "method", "METHOD_WECHAT", "amount", "50", "reference", "W-1", "method2", "METHOD_CASH", "amount2", "20"), "done=pay")
	v.done(t, path, old, "moved=1") // another desk took money meanwhile
	page = v.must(t, path)
	want(t, page, "微信", "W-1", "50.00", "20.00")

	till := v.must(t, "/till")
	want(t, section(till, "<tbody>", "</tbody>"), "沪A·52H17")
	want(t, till, "2026-11-21", "未日结")
	form := actForm(t, till, "close", "day", "2026-11-21", "METHOD_CASH", "15", "METHOD_WECHAT", "50", "METHOD_ALIPAY", "", "METHOD_BANK_CARD", "", "METHOD_TRANSFER", "", "float", "5")
	if status, _, body := v.post("/till", form); status != http.StatusBadRequest || !strings.Contains(text(body), "要写原因") {
		t.Fatalf("a difference without a reason: %d\n%s", status, text(body))
	}
	form.Set("reason", "找错了")
	v.done(t, "/till", form, "/till?day=2026-11-21")
	want(t, v.must(t, "/till?day=2026-11-21"), "已日结", "−5.00", "找错了", "留底 5.00")
	want(t, v.must(t, "/till"), "2026-11-22")
	if status, _, _ := v.post("/till", form); status != http.StatusSeeOther {
		t.Errorf("sent again it is another act: %d", status)
	}
}

// A card is sold, used on an order, taken back; a fapiao asked for, given a number and taken back.
func TestMoney_CardsAndFapiaos(t *testing.T) {
	w := owing(t)
	v := w.as("zm", "zh-CN")
	customer := w.orderCustomer(t)
	purse := "/customers/" + customer + "/purse"
	page := v.must(t, purse)
	v.done(t, purse, actForm(t, page, "sell", "form", "CARD_COUNTED", "title", "洗车", "uses", "3", "price", "90", "method", "METHOD_CASH"), "done=sell")
	if page := v.must(t, "/customers/"+customer); !strings.Contains(page, "洗车</a>") {
		t.Error("the customer's page does not show the card")
	}
	page = v.must(t, purse)
	want(t, page, "洗车", "剩 3 次")
	card := regexp.MustCompile(`/packageCards/[0-9a-z]{26}`).FindString(page)
	path := "/" + w.open + "/money"
	use := url.Values{"act": {"use"}, "request_id": {"u1"}, "card": {card[1:]}}
	v.done(t, path, use, "done=use")
	v.done(t, path, use, "done=use") // sent again
	page = v.must(t, card)
	want(t, page, "剩 2 次", "1 次", "浦东店")
	if n := strings.Count(page, `name="use"`); n != 1 {
		t.Errorf("%d uses can be taken back", n)
	}
	name := regexp.MustCompile(`name="use" value="([^"]+)"`).FindStringSubmatch(page)[1]
	v.done(t, card, url.Values{"use": {name}, "reason": {"划错"}, "request_id": {"b1"}}, card)
	want(t, v.must(t, card), "剩 3 次", "已退回")

	v.done(t, path, actForm(t, v.must(t, path), "settle-PAYER_CUSTOMER"), "done=settle")
	v.done(t, path, actForm(t, v.must(t, path), "fapiao", "title", "own", "kind", "FAPIAO_ORDINARY"), "done=fapiao")
	list := v.must(t, "/fapiaos")
	id := regexp.MustCompile(`action="/fapiaos/([^"]+)"`).FindStringSubmatch(list)[1]
	v.done(t, "/fapiaos/"+id, actForm(t, list, id, "number", "=1+1", "day", "2026-11-21"), "/fapiaos")
	list = v.must(t, "/fapiaos")
	want(t, list, "=1+1", "已开")
	status, csv := v.get("/fapiaos/csv")
	if status != http.StatusOK || !strings.Contains(csv, "'=1+1") {
		t.Errorf("as a file: %d %s", status, csv)
	}
	v.done(t, "/fapiaos/"+id, actForm(t, list, "red", "reason", "抬头错"), "/fapiaos")
	want(t, v.must(t, "/fapiaos"), "抬头错")
	// A technician has no business here.
	for _, p := range []string{path, purse, card, "/till", "/fapiaos", "/overdrawn"} {
		if status, _ := w.as("lq", "zh-CN").get(p); status != http.StatusForbidden {
			t.Errorf("a technician opens %s: %d", p, status)
		}
	}
}

func (w *town) orderCustomer(t *testing.T) string {
	t.Helper()
	r, err := w.rec.GetRecord(w.by("zm"), &branchlinev1.GetRecordRequest{Name: w.open})
	if err != nil {
		t.Fatal(err)
	}
	return r.GetServiceOrder().GetCustomer()
}

// overdrawnCard sells a card of one use, uses it here, and has another branch use it too.
func (w *town) overdrawnCard(t *testing.T) string {
	t.Helper()
	v := w.as("zm", "zh-CN")
	customer := w.orderCustomer(t)
	purse := "/customers/" + customer + "/purse"
	v.done(t, purse, actForm(t, v.must(t, purse), "sell", "form", "CARD_COUNTED", "title", "保养一次", "uses", "1", "price", "300", "method", "METHOD_CASH", "amount", "300"), "done=sell")
	card := regexp.MustCompile(`/packageCards/[0-9a-z]{26}`).FindString(v.must(t, purse))
	v.done(t, "/"+w.open+"/money", url.Values{"act": {"use"}, "request_id": {"over"}, "card": {card[1:]}}, "done=use")
	w.elsewhere(w.clock.now().Add(time.Minute), "hg", false, &branchlinev1.CardUse{
		Card: s(card[len("/packageCards/"):]), Customer: s(customer), Uses: proto.Int32(1), UsedAt: proto.Int64(w.clock.now().Add(time.Minute).UnixMilli()), Branch: s("hg"), By: s("wf"),
	})
	return card
}

func TestMoney_WhoBearsAnOverdrawnCard(t *testing.T) {
	w := newTown(newRig(t))
	card := w.overdrawnCard(t)
	boss := w.as("boss", "zh-CN")
	page := boss.must(t, "/overdrawn")
	want(t, page, "保养一次", "剩 −1 次", "虹桥店", "超出", "1 次待定")
	use := regexp.MustCompile(`name="use" value="([^"]+)"`).FindStringSubmatch(page)[1]
	form := url.Values{"use": {use}, "borne_by": {"hg"}, "reason": {"电话说好"}, "request_id": {"bear"}}
	boss.done(t, "/overdrawn", form, "done=1")
	want(t, boss.must(t, "/overdrawn"), "由 虹桥店 承担", "已定")
	form.Set("request_id", "again")
	form.Set("borne_by", "pd")
	if status, _, body := boss.post("/overdrawn", form); status != http.StatusBadRequest || !strings.Contains(text(body), "已经定了") {
		t.Errorf("answered twice: %d\n%s", status, text(body))
	}
	want(t, boss.must(t, card), "由 虹桥店 承担")
}

func TestBrowser_MoneyPagesAreSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := owing(t)
	card := w.overdrawnCard(t)
	v := w.as("zm", "zh-CN")
	path := "/" + w.open + "/money"
	w.create(w.clock.now(), "zm", &branchlinev1.Package{Name: s("五次洗车"), Price: proto.Int64(20_000), CardUses: proto.Int32(5)})
	zm, boss := w.signIn("zm"), w.signIn("boss")
	audit := func(name, path string, who map[string]string, more ...looktest.Option) {
		t.Helper()
		w.clock.set(w.clock.now().Add(30 * time.Second))
		b.Audit(t, w.srv.URL+path, look.Langs(), append(append([]looktest.Option{looktest.Named(name)}, cookies(who)...), more...)...)
	}
	audit("money-open", path, zm)
	v.done(t, path, actForm(t, v.must(t, path), "settle-PAYER_CUSTOMER"), "done=settle")
	v.done(t, path, actForm(t, v.must(t, path), "pay-PAYER_CUSTOMER", "method", "METHOD_CASH", "amount", "10"), "done=pay")
	audit("money-settled", path, zm)
	v.done(t, path, actForm(t, v.must(t, path), "fapiao", "title", "own", "kind", "FAPIAO_ORDINARY"), "done=fapiao")
	audit("purse", "/customers/"+w.orderCustomer(t)+"/purse", zm)
	audit("card", card, zm)
	audit("till", "/till", zm)
	audit("fapiaos", "/fapiaos", zm)
	audit("overdrawn", "/overdrawn", boss)
	audit("order-money", "/"+w.open, zm)
}

// F2 gives the browser to another person within two seconds: what is typed stays.
func TestBrowser_F2ChangesTheUserOverTheForm(t *testing.T) {
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	w.withPins(t)
	session := w.sharedDesk(t, "wf", "zm")
	var began time.Time
	var took time.Duration
	b.Run(t, w.srv.URL+"/customers/new", session,
		looktest.Expect(`!!window.htmx && document.querySelector("details.me summary").textContent.includes("周敏")`),
		chromedp.Focus(chromedp.ID("i-name")),
		typing("half"),
		looktest.Press("F2"),
		looktest.Expect(`document.activeElement && document.activeElement.id === "desk-pin"`),
		looktest.Expect(`document.querySelector("#desk [name=account]:checked").value === "wf"`),
		typing("0001"),
		looktest.Press("Enter"),
		looktest.Expect(`!!document.querySelector("#desk [role=alert]") && document.activeElement.id === "desk-pin"`),
		looktest.Call(func() { began = time.Now() }),
		typing(pinOfBoss),
		looktest.Press("Enter"),
		looktest.Expect(`document.querySelector("details.me summary").textContent.includes("吴凡")`),
		looktest.Call(func() { took = time.Since(began) }),
		looktest.Expect(`location.pathname === "/customers/new" && document.querySelector('[name="name"]').value === "half" && !document.getElementById("desk").open`),
	)
	t.Logf("from the first digit to the other's session: %v", took)
	if took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// What is taken off a line is off the order's page too: each payer pays there what they are asked for at the till.
func TestOrder_PayersAreAskedForWhatTheTillAsks(t *testing.T) {
	w := owing(t)
	for i, l := range []*branchlinev1.ServiceLine{
		agreed(&branchlinev1.ServiceLine{State: branchlinev1.LineState_LINE_DONE.Enum(), Amount: proto.Int64(100_000), Discount: proto.Int64(12_345)}),
		{State: branchlinev1.LineState_LINE_PROPOSED.Enum(), Amount: proto.Int64(50_000), Discount: proto.Int64(2_000)},
	} {
		l.Order, l.Kind, l.Item = s(w.orderID()), branchlinev1.LineKind_LABOUR.Enum(), s("喷漆")
		l.Payer, l.Currency, l.Position = branchlinev1.Payer_PAYER_INSURER.Enum(), s("CNY"), proto.Int32(int32(10+i))
		w.create(at("2026-11-21", "10:05"), "zm", l)
	}
	w.clock.set(w.now)
	v := w.as("zm", "en")
	page := text(v.must(t, "/"+w.open))
	want(t, page, "Insurer pays 876.55 480.00 more to be answered", "876.55 Discount −123.45")
	if strings.Contains(page, "1,000.00") {
		t.Error("the price before the discount stands on the order's page")
	}
	want(t, text(v.must(t, "/"+w.open+"/money")), "Insurer pays Settlement Lines 876.55")
}

// The file of a month's fapiaos is whole: nobody keeps books of which the end is missing.
func TestFapiaos_TheFileEndsWhereTheMonthDoes(t *testing.T) {
	w := newTown(newRig(t))
	const many = 2*200 + 3 // the API gives two hundred at a time
	for range many {
		w.create(w.now, "zm", &branchlinev1.Fapiao{Branch: s("pd"), Day: s("2026-11-20"), Title: s("远驰"), Order: s(w.open[len("serviceOrders/"):]), Kind: branchlinev1.FapiaoKind_FAPIAO_ORDINARY.Enum(), Amount: proto.Int64(100), Currency: s("CNY")})
	}
	status, csv := w.as("zm", "zh-CN").get("/fapiaos/csv")
	if n := strings.Count(csv, "远驰"); status != http.StatusOK || n != many {
		t.Errorf("%d: %d of %d fapiaos", status, n, many)
	}
}
