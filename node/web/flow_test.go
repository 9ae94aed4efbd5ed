package web_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	"branchline/schema/look/looktest"
)

var (
	inputTag  = regexp.MustCompile(`<input [^>]*>`)
	areaTag   = regexp.MustCompile(`(?s)<textarea [^>]*name="([^"]*)"[^>]*>(.*?)</textarea>`)
	selectTag = regexp.MustCompile(`(?s)<select [^>]*name="([^"]*)"[^>]*>(.*?)</select>`)
	chosen    = regexp.MustCompile(`<option value="([^"]*)" selected>`)
	first     = regexp.MustCompile(`<option value="([^"]*)"`)
	attribute = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

// formOf is what a browser would send of the form of a page that posts to action, if it were sent as it is.
func formOf(t *testing.T, page, action string) url.Values {
	t.Helper()
	start := strings.Index(page, `action="`+action+`"`)
	if start < 0 {
		t.Fatalf("no form to %s:\n%s", action, text(page))
	}
	part := page[start:]
	part = part[:strings.Index(part, "</form>")]
	out := url.Values{}
	for _, tag := range inputTag.FindAllString(part, -1) {
		attr := map[string]string{}
		for _, m := range attribute.FindAllStringSubmatch(tag, -1) {
			attr[m[1]] = html.UnescapeString(m[2])
		}
		if attr["type"] == "radio" && !strings.Contains(tag, " checked") {
			continue
		}
		out.Add(attr["name"], attr["value"])
	}
	for _, m := range areaTag.FindAllStringSubmatch(part, -1) {
		out.Add(m[1], html.UnescapeString(m[2]))
	}
	for _, m := range selectTag.FindAllStringSubmatch(part, -1) {
		o := chosen.FindStringSubmatch(m[2])
		if o == nil {
			o = first.FindStringSubmatch(m[2])
		}
		out.Add(m[1], html.UnescapeString(o[1]))
	}
	return out
}

func (v *visitor) page(path string) string {
	v.r.t.Helper()
	status, body := v.get(path)
	if status != http.StatusOK {
		v.r.t.Fatalf("%s: %d %s", path, status, text(body))
	}
	return body
}

func (r *rig) customer(name string) *branchlinev1.Customer {
	r.t.Helper()
	rec, err := r.rec.GetRecord(r.by("boss"), &branchlinev1.GetRecordRequest{Name: name})
	if err != nil {
		r.t.Fatal(err)
	}
	return rec.GetCustomer()
}

func (r *rig) all(collection string) []*branchlinev1.Record {
	r.t.Helper()
	res, err := r.rec.ListRecords(r.by("boss"), &branchlinev1.ListRecordsRequest{Collection: collection, PageSize: 1000})
	if err != nil {
		r.t.Fatal(err)
	}
	return res.GetRecords()
}

// Two desks edit one customer: what only one touched is saved, what both touched is asked about, nothing typed is lost.
func TestEdit_OvertakenByAnotherDesk(t *testing.T) {
	w := newTown(newRig(t))
	zm, wf := w.as("zm", "zh-CN"), w.as("wf", "zh-CN")
	path := "/" + w.he
	mine, theirs := formOf(t, zm.page(path+"/edit"), path), formOf(t, wf.page(path+"/edit"), path)

	theirs.Set("phones.0.number", "13900006631")
	theirs.Set("birthday", "1969-02-27")
	if status, to, body := wf.post(path, theirs); status != http.StatusSeeOther || to != path {
		t.Fatalf("%d %s %s", status, to, text(body))
	}
	w.clock.set(w.now.Add(9 * time.Minute))
	mine.Set("phones.0.number", "13900006613")
	mine.Set("birthday", "1969-02-28")
	mine.Set("contact_name", "何太太")
	status, _, body := zm.post(path, mine)
	if status != http.StatusConflict {
		t.Fatalf("%d %s", status, text(body))
	}
	looktest.HTML(t, body)
	want(t, body, "您填的时候，别人也改了 2 项", "其余 1 项已经按您的存好", "何太太", "吴凡", "9 分前", "打开这页时是：139 0000 6600", "打开这页时是空的")
	if !strings.Contains(body, `139 0000 66<mark class="diff">13</mark>`) || !strings.Contains(body, `139 0000 66<mark class="diff">31</mark>`) {
		t.Errorf("the difference is not marked: %s", body)
	}
	if got := w.customer(w.he); got.GetContactName() != "何太太" || got.GetBirthday() != "1969-02-27" || got.GetPhones()[0].GetNumber() != "13900006631" {
		t.Fatalf("before the answer: %v", got)
	}

	answer := formOf(t, body, path)
	// Back to the form: what was typed stands there.
	again := url.Values{}
	for k, v := range answer {
		again[k] = v
	}
	again.Set("act", "again")
	if status, _, body := zm.post(path, again); status != http.StatusOK || formOf(t, body, path).Get("phones.0.number") != "13900006613" || formOf(t, body, path).Get("birthday") != "1969-02-28" {
		t.Errorf("back at the form: %d %s", status, text(body))
	}
	answer.Set("pick.phones", "mine")
	answer.Set("pick.birthday", "theirs")
	answer.Set("act", "save")
	if status, to, body := zm.post(path, answer); status != http.StatusSeeOther || to != path {
		t.Fatalf("answered: %d %s %s", status, to, text(body))
	}
	got := w.customer(w.he)
	if got.GetBirthday() != "1969-02-27" || len(got.GetPhones()) != 1 || got.GetPhones()[0].GetNumber() != "13900006613" {
		t.Errorf("after the answer: %v", got)
	}
}

// Somebody else's change of another field is no reason to ask.
func TestEdit_OthersTouchedSomethingElse(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "en")
	path := "/" + w.he
	form := formOf(t, zm.page(path+"/edit"), path)
	w.overtakes(w.now.Add(time.Minute), "hg", w.he, "pd", &branchlinev1.Customer{Name: s("何健华"), Phones: []*branchlinev1.Phone{{Number: s("021-50501234")}}})
	form.Set("remark", "only by letter")
	form.Set("phones.1.number", "13711112222")
	if status, to, body := zm.post(path, form); status != http.StatusSeeOther || to != path {
		t.Fatalf("%d %s %s", status, to, text(body))
	}
	got := w.customer(w.he)
	if got.GetName() != "何健华" || got.GetRemark() != "only by letter" || len(got.GetPhones()) != 3 {
		t.Errorf("%v", got)
	}
}

// An edit of a customer that is seen together from several records is written to this branch's own; what is taken off a
// list is gone from the page, and stays in the record of whoever wrote it.
func TestEdit_OfAGroupGoesToTheOwnMember(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	path := "/" + w.chenHQ
	form := formOf(t, zm.page(path+"/edit"), path)
	if form.Get("phones.0.number") == "" || form.Get("phones.1.number") == "" || form.Get("emails.0") != "chen@example.cn" {
		t.Fatalf("the form does not hold the group's values: %v", form)
	}
	for i := range 2 {
		if n := "phones." + string(rune('0'+i)) + ".number"; form.Get(n) == "139 0000 2207" {
			form.Set(n, "")
		}
	}
	form.Set("name", "陈建国")
	form.Set("emails.1", "new@example.cn")
	if status, _, body := zm.post(path, form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	own, other := w.customer(w.chen), w.customer(w.chenHQ)
	if own.GetName() != "陈建国" || len(own.GetEmails()) != 1 || own.GetEmails()[0] != "new@example.cn" || len(own.GetPhones()) != 1 {
		t.Errorf("own member: %v", own)
	}
	if len(other.GetPhones()) != 1 || other.GetName() != "陳建國" || len(other.GetEmails()) != 1 {
		t.Errorf("the other member: %v", other)
	}
	page := zm.page("/" + w.chen)
	want(t, page, "陈建国", "chen@example.cn", "new@example.cn", "由 2 份记录合看")
	wantNot(t, text(page), "139 0000 2207")
}

// A branch without a record of its own in the group gets one by its first edit; two desks with old pages still meet.
func TestEdit_OfAGroupMakesTheOwnMember(t *testing.T) {
	w := newTown(newRig(t))
	zm, wf := w.as("zm", "zh-CN"), w.as("wf", "zh-CN")
	at := w.now.Add(-time.Hour)
	one := w.elsewhere(at, "hg", false, &branchlinev1.Customer{Name: s("金美兰"), Emails: []string{"jin@example.cn"}})
	two := w.elsewhere(at, "hg", false, &branchlinev1.Customer{Name: s("金美蘭")})
	w.group(one, two)
	w.clock.set(w.now)
	path := "/" + two
	mine, theirs := formOf(t, zm.page(path+"/edit"), path), formOf(t, wf.page(path+"/edit"), path)
	mine.Set("remark", "只在上午打")
	mine.Set("emails.0", "")
	for range 2 { // sent twice
		if status, to, body := zm.post(path, mine); status != http.StatusSeeOther || to != path {
			t.Fatalf("%d %s %s", status, to, text(body))
		}
	}
	page := zm.page(path)
	want(t, page, "金美", "只在上午打", "由 3 份记录合看", "已存本店")
	wantNot(t, text(page), "jin@example.cn")
	if c := w.customer(one); len(c.GetEmails()) != 1 || c.GetRemark() != "" {
		t.Errorf("another branch's record: %v", c)
	}
	found := zm.page("/search?q=" + url.QueryEscape("金美"))
	want(t, found, "由 3 份记录合看")
	if n := strings.Count(found, "由 3 份记录合看"); n != 1 {
		t.Errorf("found %d times: %s", n, text(found))
	}
	theirs.Set("remark", "只发短信")
	if status, _, body := wf.post(path, theirs); status != http.StatusConflict {
		t.Errorf("an old page: %d", status)
	} else {
		want(t, body, "在上午打", "发短信", "周敏")
	}
	// In the list it has the name the customer has.
	list := zm.page("/customers")
	want(t, list, "金美兰", "金美蘭")
	if strings.Contains(list, `data-hit></a>`) {
		t.Error("a customer without a name in the list")
	}
}

func TestCreate_TwiceIsOnce(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	before := len(w.all("customers"))
	form := formOf(t, zm.page("/customers/new"), "/customers")
	form.Set("name", "金美兰")
	form.Set("phones.0.number", "13812345678")
	form.Set("consent_marketing", "no")
	var to string
	for range 2 {
		status, at, body := zm.post("/customers", form)
		if status != http.StatusSeeOther || to != "" && at != to {
			t.Fatalf("%d %s, first %s: %s", status, at, to, text(body))
		}
		to = at
	}
	if n := len(w.all("customers")); n != before+1 {
		t.Errorf("%d customers more", n-before)
	}
	want(t, zm.page(to), "金美兰", "Jin Meilan", "138 1234 5678", "不同意 2026-11-21", "已存本店")

	car := formOf(t, zm.page("/vehicles/new?customer="+strings.TrimPrefix(to, "/customers/")), "/vehicles")
	car.Set("plates.0.plate", "沪af·90331")
	car.Set("brand", "大众")
	car.Set("model", "ID.4")
	vehicles, ties := len(w.all("vehicles")), len(w.all("ties"))
	for range 2 {
		if status, at, body := zm.post("/vehicles", car); status != http.StatusSeeOther || at != to {
			t.Fatalf("%d %s %s", status, at, text(body))
		}
	}
	if v, n := len(w.all("vehicles")), len(w.all("ties")); v != vehicles+1 || n != ties+1 {
		t.Errorf("%d vehicles and %d ties more", v-vehicles, n-ties)
	}
	want(t, zm.page(to), "沪AF·90331", "车主")
}

func TestForm_SaysWhatIsWrongBesideTheField(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	form := formOf(t, zm.page("/customers/new"), "/customers")
	form.Set("phones.0.number", "x")
	form.Set("emails.0", "nobody")
	form.Set("remark", "留着 <b>")
	status, _, body := zm.post("/customers", form)
	if status != http.StatusBadRequest {
		t.Fatalf("%d %s", status, text(body))
	}
	looktest.HTML(t, body)
	want(t, body, "有 3 处要改", "写姓名或单位名", "电话至少要有三位数字", "邮箱里要有 @", "留着 <b>")
	for _, id := range []string{"i-name", "i-phones-0-number", "i-emails-0"} {
		if !strings.Contains(body, `aria-describedby="`+id+`-say"`) {
			t.Errorf("nothing stands beside %s", id)
		}
	}
	if again := formOf(t, body, "/customers"); again.Get("request_id") != form.Get("request_id") || again.Get("phones.0.number") != "x" {
		t.Errorf("the form has lost something: %v", again)
	}
	// What only the API finds comes back beside its field too.
	form = formOf(t, zm.page("/customers/new"), "/customers")
	form.Set("name", strings.Repeat("长", 201))
	status, _, body = zm.post("/customers", form)
	if status != http.StatusBadRequest || !strings.Contains(body, `id="i-name-say"`) {
		t.Errorf("%d %s", status, text(body))
	}
}

func TestVIN_IsAskedAboutOnce(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	form := formOf(t, zm.page("/vehicles/new"), "/vehicles")
	form.Set("vin", "LSVAA4187E2184848")
	before := len(w.all("vehicles"))
	status, _, body := zm.post("/vehicles", form)
	if status != http.StatusBadRequest || len(w.all("vehicles")) != before {
		t.Fatalf("%d %s", status, text(body))
	}
	looktest.HTML(t, body)
	want(t, body, "校验位对不上", "就是这个 VIN，存", "有一处想再问您一次")
	again := formOf(t, body, "/vehicles")
	again.Set("confirmed", "vin_check") // the second button
	status, to, body := zm.post("/vehicles", again)
	if status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	want(t, zm.page(to), "这个 VIN 有疑问，照写的存着")
	edit := formOf(t, zm.page(to+"/edit"), to)
	edit.Set("colour", "红")
	if status, at, body := zm.post(to, edit); status != http.StatusSeeOther || at != to {
		t.Errorf("asked again: %d %s", status, text(body))
	}
}

func TestOrder_FromTheGateToTheNextState(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	form := formOf(t, zm.page("/serviceOrders/new?plate="+url.QueryEscape("浙F2G6T1")), "/serviceOrders")
	form.Set("odometer_km", "51,200")
	form.Set("complaint", "异响检查")
	form.Set("promised_at", "2026-11-21T15:30")
	orders, cars, readings := len(w.all("serviceOrders")), len(w.all("vehicles")), len(w.all("odometerReadings"))
	var to string
	for range 2 {
		status, at, body := zm.post("/serviceOrders", form)
		if status != http.StatusSeeOther || to != "" && at != to {
			t.Fatalf("%d %s, first %s: %s", status, at, to, text(body))
		}
		to = at
	}
	if a, b, c := len(w.all("serviceOrders"))-orders, len(w.all("vehicles"))-cars, len(w.all("odometerReadings"))-readings; a != 1 || b != 1 || c != 1 {
		t.Errorf("made %d orders, %d cars, %d readings", a, b, c)
	}
	page := zm.page(to)
	want(t, page, "浙F·2G6T1", "异响检查", "51,200 km", "已接车", "今天 15:30", "PDn-261121")

	line := formOf(t, zm.page(to+"/lines/new"), to+"/lines")
	line.Set("item", "检查底盘")
	line.Set("billed_minutes", "1.2")
	line.Set("amount", "1280.5")
	line.Set("state", "LINE_APPROVED")
	if status, at, body := zm.post(to+"/lines", line); status != http.StatusSeeOther || at != to {
		t.Fatalf("%d %s %s", status, at, text(body))
	}
	page = zm.page(to)
	want(t, page, "检查底盘", "1.2 h", "1,280.50", "同意")

	state := formOf(t, page, to+"/state")
	state.Set("state", "DIAGNOSING")
	old := url.Values{"etag": state["etag"], "state": {"CANCELLED"}, "reason": {"不修了"}}
	if status, _, body := zm.post(to+"/state", state); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	want(t, zm.page(to), "改为：等客户答复", "检测中 今天 10:40")
	if _, at, _ := zm.post(to+"/state", old); at != to+"?moved=1" {
		t.Errorf("a stale state was taken: %s", at)
	}
	want(t, zm.page(to+"?moved=1"), "别人刚改过这张单的状态")
	settle := formOf(t, zm.page(to), to+"/state")
	settle.Set("state", "SETTLED")
	status, _, body := zm.post(to+"/state", settle)
	if status != http.StatusBadRequest {
		t.Errorf("it was settled without its money: %d", status)
	}
	want(t, body, "结算要在这张单的结算收款页上")
	rec, err := w.rec.GetRecord(w.by("boss"), &branchlinev1.GetRecordRequest{Name: to[1:]})
	if err != nil || rec.GetServiceOrder().GetState() != branchlinev1.OrderState_DIAGNOSING || len(rec.GetServiceOrder().GetStates()) != 2 {
		t.Errorf("%v %v", rec.GetServiceOrder(), err)
	}
}

// A technician finds the car and its work, and no person, phone, address or price.
func TestTechnician_SeesTheCarOnly(t *testing.T) {
	w := newTown(newRig(t))
	lq := w.as("lq", "zh-CN")
	for _, path := range []string{"/", "/line", "/vehicles", "/serviceOrders", "/" + w.passat, "/" + w.open, "/" + w.gone, "/search?q=" + url.QueryEscape("陈"), "/search?q=2207", "/" + w.open + "/lines/new", "/" + w.passat + "?show=all"} {
		page := lq.page(path)
		wantNot(t, page, "陈建国", "陳建國", "何建华", "13900002270", "139 0000 22", "锦绣路", "968.00", "216.00", "366.00", "chen@example.cn", "/customers/", "苏州恒远")
	}
	want(t, lq.page("/"+w.passat), "左前轮异响", "平衡杆连杆松旷", "虹桥店", "199,105 km", "后制动片剩 3 mm")
	want(t, lq.page("/"+w.open), "拆装左前下摆臂、紧固", "改为：质检")
	for _, path := range []string{"/customers", "/" + w.chen, "/" + w.chen + "/edit", "/customers/new", "/vehicles/new", "/" + w.passat + "/edit"} {
		if status, body := lq.get(path); status != http.StatusForbidden {
			t.Errorf("%s: %d", path, status)
		} else {
			looktest.HTML(t, body)
			want(t, body, "您的职务不能看这一页")
		}
	}
	if status, _, _ := lq.post("/"+w.chen, url.Values{"name": {"x"}}); status != http.StatusForbidden {
		t.Errorf("a technician wrote a customer: %d", status)
	}
}

func TestShared_ShowsNoPerson(t *testing.T) {
	w := newTown(newRig(t))
	page := w.as("boss", "zh-CN").page("/" + w.gone)
	want(t, page, "这是别家公司分店的记录", "更换前减震一对", "苏州园区店", "51,200 km")
	wantNot(t, page, "秘密的主诉", "还没有记下是谁的车", "补上购车日期")
	for _, link := range []string{"/edit", "/serviceOrders/new?vehicle="} {
		if strings.Contains(page, link) {
			t.Errorf("another company's car leads to %s", link)
		}
	}
	if !strings.Contains(page, "/serviceOrders/new?plate=") {
		t.Error("another company's car cannot be received when it is here")
	}
}

func TestAskHQ_OfflineAndOnline(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	w.line.set(false, w.now.Add(-42*time.Minute))
	page := zm.page("/history?plate=" + url.QueryEscape("浙F2G6T1"))
	want(t, page, "现在问不到总部，断开 42 分", "车照样可以接", "和总部断开 42 分")
	status, _, body := zm.post("/history", formOf(t, page, "/history"))
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text(body))
	}
	looktest.HTML(t, body)
	want(t, body, "现在问不到总部")

	w.line.set(true, w.now)
	asked := &wirev1.LookRequest{}
	w.line.answer = func(verb string, req []byte) ([]byte, error) {
		if err := proto.Unmarshal(req, asked); err != nil || verb != "look" {
			return nil, err
		}
		car, order := schema.RecordID{1}, schema.RecordID{2}
		row := func(rid schema.RecordID, m proto.Message) *wirev1.Row {
			k := schema.KindOfMessage(m)
			return &wirev1.Row{Row: wirev1.RowKind_RECORD, Kind: uint32(k.Kind), Record: rid[:], State: w.stateOf("sz", w.now, m).Encode(), Home: "sz", Shared: true}
		}
		return proto.Marshal(&wirev1.LookReply{TtlSeconds: 604800, Rows: []*wirev1.Row{
			row(car, &branchlinev1.Vehicle{Brand: s("奥迪"), Model: s("A4L"), Plates: plates(&branchlinev1.PlateTerm{Plate: s("浙F2G6T1")})}),
			row(order, &branchlinev1.ServiceOrder{Branch: s("sz"), Vehicle: s(car.String()), Day: s("2026-03-03"), Work: s("更换节温器"), State: branchlinev1.OrderState_HANDED_OVER.Enum()}),
		}})
	}
	form := formOf(t, zm.page("/history?plate="+url.QueryEscape("浙F2G6T1")), "/history")
	form.Set("more", "客户说漏水")
	status, _, body = zm.post("/history", form)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, text(body))
	}
	looktest.HTML(t, body)
	want(t, body, "总部答复了", "奥迪 A4L", "更换节温器", "苏州园区店", "2026-03-03")
	if asked.GetReason() != "车在店里: 客户说漏水" || asked.GetActor() != "zm" || asked.GetPlate() != "浙F2G6T1" {
		t.Errorf("HQ was asked %v", asked)
	}
}

func TestLine_SaysWhatBecameOfEachChange(t *testing.T) {
	w := newTown(newRig(t))
	page := w.as("zm", "zh-CN").page("/line")
	want(t, page, "条改动正在送总部", "14 秒前收到总部消息", "苏州恒远物流有限公司 ：联系人", "总部没有收", "“联系人”有 101 个字，应是 0 到 100 个",
		"何建华 ：备注", "被较晚的修改盖过", "虹桥店改得更晚", "每一步的意思")
	home := w.as("zm", "en").page("/")
	want(t, home, "on the way to HQ", "HQ was last heard 14 s ago", "虹桥店 changed E-mail: 陳建國", "Please look")
}

func TestDoor(t *testing.T) {
	w := newTown(newRig(t))
	nobody := w.as("", "zh-CN")
	for _, path := range []string{"/", "/" + w.chen, "/line", "/search?q=x", "/customers"} {
		status, _ := nobody.get(path)
		if status != http.StatusSeeOther {
			t.Errorf("%s: %d to nobody", path, status)
		}
	}
	status, body := nobody.get("/sign-in?next=/line")
	if status != http.StatusOK || !strings.Contains(body, `value="/line"`) {
		t.Errorf("%d %s", status, text(body))
	}
	want(t, body, "浦东店", "申陆汽车")
	status, _, body = nobody.post("/sign-in", url.Values{"account": {"zm"}, "password": {"wrong password"}, "next": {"//evil.example"}})
	if status != http.StatusUnauthorized {
		t.Errorf("%d", status)
	}
	want(t, body, "账号或密码不对")
	for range 10 {
		status, _, body = nobody.post("/sign-in", url.Values{"account": {"zm"}, "password": {"wrong password"}})
	}
	if status != http.StatusTooManyRequests {
		t.Errorf("%d after many tries", status)
	}
	want(t, body, "试得太多了")
	if status, to, _ := nobody.post("/sign-in", url.Values{"account": {"boss"}, "password": {password}, "next": {"//evil.example"}}); status != http.StatusSeeOther || to != "/" {
		t.Errorf("%d %s", status, to)
	}
	if status, _ := nobody.get("/line"); status != http.StatusOK {
		t.Errorf("%d signed in", status)
	}
	if status, to, _ := nobody.post("/lang", url.Values{"lang": {"en"}, "next": {"/line"}}); status != http.StatusSeeOther || to != "/line" {
		t.Errorf("%d %s", status, to)
	}
	want(t, nobody.page("/line"), "What each state means")
	if status, to, _ := nobody.post("/sign-out", nil); status != http.StatusSeeOther || to != "/sign-in" {
		t.Errorf("%d %s", status, to)
	}
	if status, _ := nobody.get("/line"); status != http.StatusSeeOther {
		t.Errorf("%d signed out", status)
	}
	if status, body := nobody.get("/nowhere"); status != http.StatusNotFound || !strings.Contains(body, "<h1>") {
		t.Errorf("%d %s", status, body)
	}
	// A form of another site's page changes nothing.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.srv.URL+"/lang", strings.NewReader("lang=en"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if status, _, _ := nobody.do(req); status != http.StatusForbidden {
		t.Errorf("%d across sites", status)
	}
}

func TestEnrol_IsTheOnlyPageBeforeIt(t *testing.T) {
	r := newRigOf(t, false)
	v := r.as("", "zh-CN")
	for _, path := range []string{"/", "/customers", "/line", "/sign-in", "/nowhere"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, h := v.do(req); status != http.StatusSeeOther || h.Get("Location") != "/enrol" {
			t.Errorf("%s: %d %s", path, status, h.Get("Location"))
		}
	}
	page := v.page("/enrol")
	looktest.HTML(t, page)
	want(t, page, "这台机器还不是分店", "登记码")
	for _, c := range []struct {
		err  error
		says string
	}{
		{schema.ErrInvalid, "这不是登记码"}, {schema.ErrForbidden, "总部不认这个登记码"}, {schema.ErrUnavailable, "现在连不上总部"},
	} {
		r.enrol.err = c.err
		_, _, body := v.post("/enrol", url.Values{"token": {"bl1-x"}})
		looktest.HTML(t, body)
		want(t, body, c.says)
	}
	r.enrol.err = nil
	if status, to, _ := v.post("/enrol", url.Values{"token": {" bl1-ab\r\n cd "}}); status != http.StatusSeeOther || to != "/enrol" || r.enrol.token != "bl1-abcd" {
		t.Errorf("%d %s %q", status, to, r.enrol.token)
	}
	if status, _, _ := v.post("/enrol", url.Values{"token": {"bl1-other"}}); status != http.StatusSeeOther || r.enrol.token != "bl1-abcd" {
		t.Errorf("enrolled twice: %d %q", status, r.enrol.token)
	}
	want(t, v.page("/enrol"), "已登记", "登录")
}

// Every page route has its rule and is mounted; lists go on by token.
func TestList_GoesOn(t *testing.T) {
	r := newRig(t)
	for i := range 120 {
		r.create(at("2026-01-01").Add(time.Duration(i)*time.Minute), "zm", &branchlinev1.Customer{Name: s("客户" + string(rune('一'+i)))})
	}
	v := r.as("zm", "zh-CN")
	seen := map[string]bool{}
	next := "/customers"
	for pages := 0; next != ""; pages++ {
		if pages > 3 {
			t.Fatal("no end")
		}
		page := v.page(next)
		for _, m := range regexp.MustCompile(`href="(/customers/[0-9a-z]{26})"`).FindAllStringSubmatch(page, -1) {
			seen[m[1]] = true
		}
		m := regexp.MustCompile(`rel="next" href="([^"]*)"`).FindStringSubmatch(page)
		if next = ""; m != nil {
			next = html.UnescapeString(m[1])
		}
	}
	if len(seen) != 120 {
		t.Errorf("saw %d of 120", len(seen))
	}
}
