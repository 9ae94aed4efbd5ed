package rig

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"google.golang.org/protobuf/proto"

	"branchline/node/store"
	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
	"branchline/sync/link"
)

// days is a group whose branches are worked in with real browsers: b1 and b2 of one company, b3 of another.
type days struct {
	*group
	b *looktest.Browser
}

const dayPassword = "kx7fm-q2w9t-vb4hz-8nrgd"

func newDays(t *testing.T) *days {
	t.Helper()
	b := looktest.NewBrowser(t)
	d := &days{group: newGroup(t, Config{Pages: true}), b: b}
	for _, site := range []schema.BranchID{"b1", "b2"} {
		for name, role := range map[string]branchlinev1.Role{
			"adviser": branchlinev1.Role_ROLE_ADVISER, "mechanic": branchlinev1.Role_ROLE_TECHNICIAN, "clerk": branchlinev1.Role_ROLE_CLERK, "boss": branchlinev1.Role_ROLE_BRANCH_MANAGER,
		} {
			_, err := d.Site(site).Node().Server().API().Accounts.CreateAccount(owner(t.Context(), access.Node), &branchlinev1.CreateAccountRequest{
				Account: &branchlinev1.Account{Name: name, Staff: string(site) + name, Roles: []branchlinev1.Role{role}}, Password: dayPassword,
			})
			d.must(err)
		}
	}
	return d
}

// as signs somebody in at a branch and gives the browser's cookies.
func (d *days) as(site schema.BranchID, name string) map[string]string {
	d.t.Helper()
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.PostForm(d.at(site, "/sign-in"), url.Values{"account": {name}, "password": {dayPassword}})
	d.must(err)
	d.must(res.Body.Close())
	out := map[string]string{"lang": "zh-CN"}
	for _, k := range res.Cookies() {
		out[k.Name] = k.Value
	}
	if res.StatusCode != http.StatusSeeOther {
		d.t.Fatalf("%s cannot sign in at %s: %d", name, site, res.StatusCode)
	}
	return out
}

func (d *days) at(site schema.BranchID, path string) string { return d.Site(site).Node().URL() + path }

// visit opens a page as somebody and does something there.
func (d *days) visit(site schema.BranchID, who map[string]string, path string, do ...chromedp.Action[chromedp.Void]) {
	d.t.Helper()
	d.b.Run(d.t, d.at(site, path), who, append([]chromedp.Action[chromedp.Void]{ready()}, do...)...)
}

func ready() chromedp.Action[chromedp.Void] {
	return looktest.Expect(`!!window.htmx && document.readyState === "complete"`)
}

// send fills in a form and presses a button of it, as a hand would: selectors are CSS; of a radio or a tick box the value
// is chosen. It waits for the page that answers.
func send(form string, fields map[string]string, button string) chromedp.Action[chromedp.Void] {
	values, err := json.Marshal(fields)
	if err != nil {
		panic(err) // a map of texts can always be written
	}
	return chromedp.Steps(
		looktest.Expect(fmt.Sprintf(`document.querySelector(%q)`, form)),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`void (() => {
			const f = document.querySelector(%q), fields = %s || {};
			for (const [name, value] of Object.entries(fields)) {
				const all = Array.from(f.elements).filter((e) => e.name === name);
				if (!all.length) throw new Error("no input " + name);
				const pick = all.find((e) => /radio|checkbox/.test(e.type) && e.value === value);
				if (pick) { if (!pick.checked) pick.click(); } else { all[0].value = value; all[0].dispatchEvent(new Event("input", {bubbles: true})); }
			}
			window.sent = true;
			(f.querySelector(%q) || document.querySelector(%q)).click();
		})()`, form, values, button, button)),
		looktest.Expect(`!window.sent && document.readyState === "complete"`), // the next page
	)
}

// on waits for a page whose address matches and which says something.
func on(pattern, says string) chromedp.Action[chromedp.Void] {
	return looktest.Expect(fmt.Sprintf(`document.readyState === "complete" && /%s/.test(location.pathname) && document.body.textContent.includes(%q)`, pattern, says))
}

const anOrder = `^\/serviceOrders\/[0-9a-z]{26}$`

// known makes a customer with a car at a branch, and gives them.
func (d *days) known(site schema.BranchID, name, phone, plate, vin string) (customer, car schema.RecordID) {
	d.t.Helper()
	customer = d.customer(site, name, phone)
	car = d.put(site, store.Edit{Message: &branchlinev1.Vehicle{Vin: proto.String(vin), Model: proto.String("云途 A5"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String(plate)}}}})
	d.put(site, store.Edit{Message: &branchlinev1.Tie{Customer: proto.String(customer.String()), Vehicle: proto.String(car.String()), Role: branchlinev1.TieRole_OWNER.Enum()}})
	return customer, car
}

// receives takes a car in by the pages, and gives the order's name.
func (d *days) receives(site schema.BranchID, who map[string]string, fields map[string]string) string {
	d.t.Helper()
	before := d.orders(site)
	d.visit(site, who, "/",
		looktest.Press("n"),
		on(`^\/serviceOrders\/new$`, ""), ready(),
		send(`form[action="/serviceOrders"]`, fields, `button.go`),
		looktest.Expect(`/`+anOrder+`/.test(location.pathname) && document.readyState === "complete"`),
	)
	for _, o := range d.orders(site) {
		if !slices.Contains(before, o) {
			return o
		}
	}
	d.t.Fatalf("%s took no car in", site)
	return ""
}

func (d *days) orders(site schema.BranchID) []string {
	d.t.Helper()
	res, err := d.Site(site).Node().Server().API().Records.ListRecords(owner(d.t.Context(), access.Node), &branchlinev1.ListRecordsRequest{Collection: "serviceOrders", PageSize: 100})
	d.must(err)
	var out []string
	for _, r := range res.GetRecords() {
		out = append(out, r.GetName())
	}
	return out
}

func (d *days) record(site schema.BranchID, name string) *branchlinev1.Record {
	d.t.Helper()
	r, err := d.Site(site).Node().Server().API().Records.GetRecord(owner(d.t.Context(), access.Node), &branchlinev1.GetRecordRequest{Name: name})
	d.must(err)
	return r
}

// lines are an order's, by what they are called.
func (d *days) lines(site schema.BranchID, order string) map[string]*branchlinev1.Record {
	d.t.Helper()
	res, err := d.Site(site).Node().Server().API().Records.ListRecords(owner(d.t.Context(), access.Node), &branchlinev1.ListRecordsRequest{Collection: "serviceLines", Order: order})
	d.must(err)
	out := map[string]*branchlinev1.Record{}
	for _, r := range res.GetRecords() {
		out[r.GetServiceLine().GetItem()] = r
	}
	return out
}

func (d *days) stands(site schema.BranchID, order string, want branchlinev1.OrderState) {
	d.t.Helper()
	if got := d.record(site, order).GetServiceOrder().GetState(); got != want {
		d.t.Fatalf("the order stands in %s, not in %s", got, want)
	}
}

// adds writes a line of the order in its one-row form.
func adds(kind, item, price, payer string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		send(`form.quick`, map[string]string{"kind": kind, "item": item, "amount": price, "payer": payer}, `button[type=submit]`),
		on(anOrder, item), ready(),
	)
}

func bareID(name string) string { return name[strings.IndexByte(name, '/')+1:] }

// The day of a branch that is cut off: a car comes in by its plate, is looked at, quoted, half of it declined, repaired,
// checked, settled and handed over. The link returns; a technician of the sister branch sees it, and there the customer's
// number is put right, which comes back.
func TestDay_ACarFromTheGateToTheGate(t *testing.T) {
	d := newDays(t)
	const vin, plate = "5YJ3E1EAXHF000316", "沪AD12345"
	d.known("b1", "陈建国", "13800001111", plate, vin)
	theirs, theirCar := d.known("b2", "陈建国", "13800001111", plate, vin)
	d.converge()
	d.Site("b1").Proxy().Cut()
	d.until("b1 cut off", func() bool { return d.Site("b1").Node().Link().Phase != link.Open })

	adviser, mechanic, clerk := d.as("b1", "adviser"), d.as("b1", "mechanic"), d.as("b1", "clerk")
	order := d.receives("b1", adviser, map[string]string{"plate": plate, "odometer_km": "45210", "complaint": "刹车时前轮有异响"})
	page := "/" + order
	d.visit("b1", adviser, page+"/inspection",
		send(`form.inspect-form`, map[string]string{"fuel_eighths": "4", "no_valuables": "true", "damages.0.part": "door_fl", "damages.0.what": "dent"}, `button.go`),
		on(anOrder+`|inspections`, plate[:0]), ready(),
	)
	d.visit("b1", adviser, page,
		adds("LABOUR", "更换前制动片", "288", "PAYER_CUSTOMER"),
		adds("PART", "前制动片", "468", "PAYER_CUSTOMER"),
		adds("LABOUR", "清洗空调蒸发箱", "320", "PAYER_CUSTOMER"),
	)
	lines := d.lines("b1", order)
	yes, no := bareID(lines["更换前制动片"].GetName()), bareID(lines["清洗空调蒸发箱"].GetName())
	d.visit("b1", adviser, page+"/answer",
		send(`form.asks`, map[string]string{
			"say." + yes: "yes", "say." + bareID(lines["前制动片"].GetName()): "yes", "say." + no: "no", "said_by": "陈建国", "phone": "13800001111", "way": "BY_WORD",
		}, `button.go`),
		on(anOrder, "更换前制动片"),
	)
	d.stands("b1", order, branchlinev1.OrderState_APPROVED)
	if l := d.lines("b1", order)["清洗空调蒸发箱"].GetServiceLine(); l.GetState() != branchlinev1.LineState_LINE_DECLINED || l.GetDeclinedReason() == "" || l.GetReviveOn() == "" {
		t.Fatalf("declined without reason or day: %v", l)
	}
	d.visit("b1", mechanic, "/work",
		send(`form:has(input[name=line][value="`+lines["更换前制动片"].GetName()+`"])`, nil, `button[value=on]`),
		looktest.Expect(`document.querySelector("textarea[name=cause]")`), ready(),
		send(`form:has(textarea[name=cause])`, map[string]string{"cause": "前制动片磨损到极限", "correction": "更换前制动片，路试正常"}, `button[value=done]`),
		looktest.Expect(`location.pathname === "/work" && document.readyState === "complete" && !document.querySelector("textarea[name=cause]")`),
	)
	d.stands("b1", order, branchlinev1.OrderState_QUALITY_CHECK)
	d.visit("b1", adviser, page,
		send(`#check form`, nil, `button[type=submit]`),
		looktest.Expect(`document.readyState === "complete" && !document.querySelector("#check")`),
	)
	d.stands("b1", order, branchlinev1.OrderState_READY)
	d.visit("b1", clerk, page+"/money",
		send(`form:has(input[name=round], select[name=round])`, nil, `button.go`),
		looktest.Expect(`document.querySelector("select[name=method]")`), ready(),
		send(`form:has(select[name=method])`, map[string]string{"method": "METHOD_WECHAT"}, `button.go`),
		looktest.Expect(`document.readyState === "complete" && !document.querySelector("form:has(select[name=method]) button.go")`),
	)
	d.stands("b1", order, branchlinev1.OrderState_SETTLED)
	d.visit("b1", adviser, page,
		send(`#hand form`, nil, `button[type=submit]`),
		looktest.Expect(`document.readyState === "complete" && !document.querySelector("#hand")`),
	)
	d.stands("b1", order, branchlinev1.OrderState_HANDED_OVER)
	if d.Site("b1").Node().Link().Phase == link.Open {
		t.Fatal("the link came back by itself: nothing of this was shown offline")
	}

	d.Site("b1").Proxy().Open()
	d.linked("b1")
	d.converge()
	sister := d.as("b2", "mechanic")
	d.visit("b2", sister, "/vehicles/"+theirCar.String(),
		looktest.Expect(`document.body.textContent.includes("前制动片磨损到极限") && document.body.textContent.includes("清洗空调蒸发箱")`),
		looktest.Expect(`!document.body.textContent.includes("13800001111") && !document.body.textContent.includes("陈建国")`),
	)
	d.visit("b2", d.as("b2", "clerk"), "/customers/"+theirs.String()+"/edit",
		send(`form[action="/customers/`+theirs.String()+`"]`, map[string]string{"phones.0.number": "13900002222"}, `button.go`),
		looktest.Expect(`/^\/customers\/[0-9a-z]{26}$/.test(location.pathname) && document.readyState === "complete"`),
	)
	d.converge()
	d.visit("b1", adviser, "/customers/"+d.record("b1", order).GetServiceOrder().GetCustomer(), on(`^\/customers\/`, "139"))
	d.audit("b1", adviser, "day-order", page)
	d.audit("b1", adviser, "day-jobcard", page+"/jobcard")
	d.audit("b1", clerk, "day-settlement", page+"/settlement")
	d.audit("b2", sister, "day-sister", "/vehicles/"+theirCar.String())
}

// audit looks at a page as the tests of single pages do, and keeps its picture when one is wanted.
func (d *days) audit(site schema.BranchID, who map[string]string, name, path string) {
	d.t.Helper()
	options := []looktest.Option{looktest.Named(name)}
	for k, v := range who {
		if k != "lang" {
			options = append(options, looktest.Cookie(k, v))
		}
	}
	d.b.Audit(d.t, d.at(site, path), look.Langs()[:1], options...)
}

// Three pay for one accident: the insurer what it assessed, the maker what it guarantees, the customer the rest. Each has a
// settlement of their own, and the order is settled when all three are.
func TestDay_AnAccidentWithThreePayers(t *testing.T) {
	d := newDays(t)
	d.known("b1", "王丽华", "13700003333", "沪BD77777", "LSVAA4187E2184847")
	adviser, clerk := d.as("b1", "adviser"), d.as("b1", "clerk")
	order := d.receives("b1", adviser, map[string]string{"plate": "沪BD77777", "odometer_km": "30100", "complaint": "追尾，前部受损", "accident": "true"})
	if !d.record("b1", order).GetServiceOrder().GetAccident() {
		t.Error("it is no accident job")
	}
	d.visit("b1", adviser, "/"+order,
		adds("LABOUR", "前保险杠喷漆", "980", "PAYER_INSURER"),
		adds("PART", "召回的大灯", "1200", "PAYER_MAKER"),
		adds("LABOUR", "打蜡", "120", "PAYER_CUSTOMER"),
		send(`form#answer`, map[string]string{"said_by": "王丽华", "phone": "13700003333"}, `button[name=all]`),
		on(anOrder, "打蜡"),
	)
	d.audit("b1", adviser, "day-accident", "/"+order)
	for n := 1; n <= 3; n++ {
		d.visit("b1", clerk, "/"+order+"/money",
			send(`form:has(select[name=round])`, nil, `button[type=submit]`),
			looktest.Expect(fmt.Sprintf(`document.readyState === "complete" && document.querySelectorAll("form:has(select[name=round])").length === %d`, 3-n)),
		)
		want := branchlinev1.OrderState_SETTLED
		if got := d.record("b1", order).GetServiceOrder().GetState(); (got == want) != (n == 3) {
			t.Errorf("after %d of 3 settlements the order stands in %s", n, got)
		}
	}
	d.audit("b1", clerk, "day-three-payers", "/"+order+"/money")
}

// A repair that did not hold comes to the sister branch: reception there finds the old order by the plate, the new order
// names it, and both branches' pages say so.
func TestDay_AComebackAtASisterBranch(t *testing.T) {
	d := newDays(t)
	const vin, plate = "1HGBH41JXMN109186", "沪CD55555"
	_, car := d.known("b1", "李伟", "13600004444", plate, vin)
	d.known("b2", "李伟", "13600004444", plate, vin)
	old := d.put("b1", store.Edit{Day: "2026-11-20", Message: &branchlinev1.ServiceOrder{
		Vehicle: proto.String(car.String()), Branch: proto.String("b1"), Day: proto.String("2026-11-20"), SettledOn: proto.String("2026-11-20"), State: branchlinev1.OrderState_HANDED_OVER.Enum(),
		Complaint: proto.String("过减速带咯吱响"), Plate: proto.String(plate), Vin: proto.String(vin),
	}})
	d.converge()
	adviser := d.as("b2", "adviser")
	d.visit("b2", adviser, "/serviceOrders/new?plate="+url.QueryEscape(plate),
		looktest.Expect(`document.querySelector("#i-comeback_of option[value='`+old.String()+`']") || document.querySelector("#i-comeback_of option[value$='`+old.String()+`']")`),
		chromedp.Evaluate[chromedp.Void](`void (() => { const o = document.querySelector("#i-comeback_of option[value$='`+old.String()+`']"); o.parentElement.value = o.value; })()`),
		send(`form[action="/serviceOrders"]`, map[string]string{"odometer_km": "61000", "complaint": "又响了"}, `button.go`),
		looktest.Expect(`/`+anOrder+`/.test(location.pathname) && document.readyState === "complete"`),
	)
	again := d.orders("b2")[0]
	for _, o := range d.orders("b2") {
		if d.record("b2", o).GetServiceOrder().GetComplaint() == "又响了" {
			again = o
		}
	}
	if of := d.record("b2", again).GetServiceOrder().GetComebackOf(); of != old.String() {
		t.Fatalf("the order is a comeback of %q, not of %s", of, old)
	}
	d.converge()
	d.audit("b2", adviser, "day-comeback", "/"+again)
	d.visit("b1", d.as("b1", "adviser"), "/serviceOrders/"+old.String(), on(anOrder, "返修"))
}

// A day is closed with a difference: counted against recorded, with the reason; it stays closed.
func TestDay_ClosedWithADifference(t *testing.T) {
	d := newDays(t)
	adviser, clerk := d.as("b1", "adviser"), d.as("b1", "clerk")
	order := d.receives("b1", adviser, map[string]string{"plate": "沪DD99999", "odometer_km": "100", "complaint": "洗车", "name": "赵敏", "phone": "13500005555"})
	d.visit("b1", adviser, "/"+order,
		adds("FEE", "洗车", "50", "PAYER_CUSTOMER"),
		send(`form#answer`, map[string]string{"said_by": "赵敏", "phone": "13500005555"}, `button[name=all]`),
		on(anOrder, "洗车"),
	)
	d.visit("b1", clerk, "/"+order+"/money",
		send(`form:has(select[name=round])`, nil, `button.go`),
		looktest.Expect(`document.querySelector("form:has(select[name=method]) button.go")`), ready(),
		send(`form:has(select[name=method])`, map[string]string{"method": "METHOD_CASH"}, `button.go`),
		looktest.Expect(`document.readyState === "complete" && !document.querySelector("form:has(select[name=method]) button.go")`),
	)
	d.visit("b1", clerk, "/till",
		send(`form.count`, map[string]string{"METHOD_CASH": "40", "reason": "找零少收十元"}, `button.go`),
		looktest.Expect(`document.readyState === "complete" && !document.querySelector("form.count button[type=submit]")`),
		on(`^\/till$`, "找零少收十元"),
	)
	closes, err := d.Site("b1").Node().Server().API().Records.ListRecords(owner(t.Context(), access.Node), &branchlinev1.ListRecordsRequest{Collection: "cashCloses"})
	d.must(err)
	if len(closes.GetRecords()) != 1 || closes.GetRecords()[0].GetCashClose().GetDifference() != -1_000 {
		t.Errorf("closed: %v", closes.GetRecords())
	}
	d.audit("b1", clerk, "day-closed", "/till")
}

// An order is passed to a sister branch while the link is down: it is worked on there once it is back, under the number it
// was given, with its lines and technician; the branch that sent it shows it still, and works on it no more.
func TestDay_AnOrderIsPassedToASister(t *testing.T) {
	d := newDays(t)
	d.known("b1", "周杰", "13400006666", "沪DF88888", "LSVAA4187E2184847")
	adviser, boss := d.as("b1", "adviser"), d.as("b1", "boss")
	order := d.receives("b1", adviser, map[string]string{"plate": "沪DF88888", "odometer_km": "5000", "complaint": "天窗异响"})
	d.visit("b1", adviser, "/"+order, adds("LABOUR", "检修天窗", "300", "PAYER_CUSTOMER"))
	number := d.record("b1", order).GetServiceOrder().GetNumber()
	d.Site("b1").Proxy().Cut()
	d.until("b1 cut off", func() bool { return d.Site("b1").Node().Link().Phase != link.Open })
	d.visit("b1", boss, "/"+order+"/transfer",
		send(`form[action$="/transfer"]`, map[string]string{"branch": "b2", "reason": "天窗工位在那边"}, `button.go`),
		on(anOrder, "检修天窗"),
	)
	d.Site("b1").Proxy().Open()
	d.linked("b1")
	d.converge()
	d.visit("b2", d.as("b2", "adviser"), "/"+order,
		on(anOrder, number),
		adds("LABOUR", "更换天窗导轨", "500", "PAYER_CUSTOMER"),
	)
	if r := d.record("b2", order); r.GetHome() != "b2" || r.GetServiceOrder().GetNumber() != number {
		t.Errorf("at b2 the order is %s's, number %s", r.GetHome(), r.GetServiceOrder().GetNumber())
	}
	d.converge()
	d.visit("b1", adviser, "/"+order, on(anOrder, "更换天窗导轨"), looktest.Expect(`!document.querySelector("form.quick")`))
	d.audit("b1", adviser, "day-passed", "/"+order)
}

// A card of one use is used at two branches that are both cut off: both uses stay, the card shows -1, the managers' page
// names both orders and asks who bears the second.
func TestDay_ACardUsedAtTwoBranchesCutOff(t *testing.T) {
	d := newDays(t)
	people := map[schema.BranchID]schema.RecordID{}
	for _, b := range []schema.BranchID{"b1", "b2"} {
		people[b], _ = d.known(b, "王小明", "13817264531", "沪DG11111", "1HGBH41JXMN109186")
	}
	d.converge()
	d.visit("b1", d.as("b1", "clerk"), "/customers/"+people["b1"].String()+"/purse",
		chromedp.Evaluate[chromedp.Void](`void document.querySelectorAll("details").forEach((e) => { e.open = true; })`),
		send(`form:has(input[name=uses])`, map[string]string{"title": "洗车卡", "uses": "1", "price": "50", "amount": "50", "method": "METHOD_CASH"}, `button[type=submit]`),
		looktest.Expect(`document.body.textContent.includes("洗车卡")`),
	)
	d.converge()
	for _, b := range []schema.BranchID{"b1", "b2"} {
		d.Site(b).Proxy().Cut()
		d.until(string(b)+" cut off", func() bool { return d.Site(b).Node().Link().Phase != link.Open })
	}
	for b, km := range map[schema.BranchID]string{"b1": "20000", "b2": "20010"} {
		order := d.receives(b, d.as(b, "adviser"), map[string]string{"plate": "沪DG11111", "odometer_km": km, "complaint": "洗车"})
		d.visit(b, d.as(b, "clerk"), "/"+order+"/money",
			send(`form:has(input[name=act][value=use])`, nil, `button[type=submit]`),
			looktest.Expect(`location.pathname.endsWith("/money")`),
		)
		if _, used := d.lines(b, order)["洗车卡"]; !used {
			t.Fatalf("%s: the card is no line of the order: %v", b, d.lines(b, order))
		}
	}
	for _, b := range []schema.BranchID{"b1", "b2"} {
		d.Site(b).Proxy().Open()
		d.linked(b)
	}
	d.converge()
	boss := d.as("b1", "boss")
	d.visit("b1", boss, "/overdrawn", looktest.Expect(`document.body.textContent.includes("洗车卡") && /[-−]1/.test(document.body.textContent)`))
	d.audit("b1", boss, "day-overdrawn", "/overdrawn")
}
