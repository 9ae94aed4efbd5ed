package web_test

import (
	"encoding/csv"
	"errors"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"branchline/hq/web"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

const (
	steward = branchlinev1.Role_ROLE_HQ_STEWARD
	analyst = branchlinev1.Role_ROLE_HQ_ANALYST
	admin   = branchlinev1.Role_ROLE_HQ_ADMINISTRATOR
	privacy = branchlinev1.Role_ROLE_PRIVACY_OFFICER
	auditor = branchlinev1.Role_ROLE_AUDITOR
)

// paths are a page of every kind, and every sort of what it may show.
func paths() []string {
	return []string{
		"/", "/branches", "/overdrawn", "/quarantine", "/quarantine?branch=pd", "/quarantine?branch=jd", "/quarantine?page=t",
		"/quarantine?done=retry&change=pd/2s0b9p1q7z3k/41", "/quarantine?done=retry&change=pd/2s0b9p1q7z3k/1",
		"/quarantine?done=discard&change=x", "/quarantine?done=gone&change=x",
		"/reports/orders", "/reports/customers", "/reports/retention", "/reports/orders?by=branch", "/reports/orders?by=model&by=month",
		"/reports/orders?by=payer", "/reports/orders?by=month&by=branch&by=model&from=2026-01-01&to=2026-11-21", "/reports/customers?by=month&by=branch",
		"/reports/orders?from=2026-11-01", "/reports/retention?by=month&by=branch", "/reports/orders?by=branch&to=2001-01-31",
		"/account", "/accounts", "/accounts?done=disabled&of=zm", "/search", "/search?q=陈", "/search?q=沪A8K362", "/search?q=nobody",
		"/match", "/match?not=abc,def", "/match/decisions", "/match/decisions?show=contradictory", "/match/decisions?customer=" + chen, "/match/events",
		"/match/explain", "/match/explain?a=" + chen + "&b=" + chen, "/match/explain?a=" + chen + "&b=https://hq.example/" + chen2, "/" + chen + "/members",
		"/customers/" + id(3) + "/members", "/match?done=" + said(1), "/match/decisions?done=" + said(2),
		"/" + chen, "/" + chen2 + "?site=hqi", "/customers/" + id(3), "/" + car, "/" + car + "?site=sj", "/" + bare,
	}
}

func TestPages_WellFormedInEveryLanguage(t *testing.T) {
	r := newRig(t, world())
	token := r.token("admin2", admin)
	for _, lang := range look.Langs() {
		for _, path := range paths() {
			a := r.get(path, token, lang)
			if a.status != http.StatusOK {
				t.Errorf("%s in %s: status %d", path, lang, a.status)
				continue
			}
			looktest.HTML(t, a.body)
			if strings.Contains(text(a.body), "<nil>") || strings.Contains(a.body, "%!") || strings.Contains(text(a.body), "…”") {
				t.Errorf("%s in %s: something unsaid", path, lang)
			}
			if a.head.Get("Content-Security-Policy") != look.Policy {
				t.Errorf("%s: policy %q", path, a.head.Get("Content-Security-Policy"))
			}
			if t.Failed() {
				t.Fatalf("%s in %s", path, lang)
			}
		}
	}
}

func TestEmptyHeadquarters_HasPages(t *testing.T) {
	f := &fake{branches: &branchlinev1.ListBranchesResponse{}}
	r := newRig(t, f)
	token := r.token("admin2", admin)
	for _, path := range []string{"/", "/branches", "/quarantine", "/reports/orders", "/reports/retention", "/search?q=x", "/match", "/match/decisions", "/match/events"} {
		a := r.get(path, token, look.En)
		if a.status != http.StatusOK {
			t.Errorf("%s: status %d", path, a.status)
		}
		looktest.HTML(t, a.body)
	}
	if got := text(r.get("/branches", token, look.En).body); !strings.Contains(got, "branchline hq branch add") {
		t.Errorf("an empty fleet does not say what to do: %s", got)
	}
}

func TestWords(t *testing.T) {
	looktest.CheckWords(t, os.DirFS("."), web.Words(), "alarm.*", "alarm_do.*", "figure.none_*", "match.type.*", "match.level.*", "match.weigh_*", "match.bars_*")
}

func TestEveryRoute_AsksTheTable(t *testing.T) {
	r := newRig(t, world())
	roles := []branchlinev1.Role{steward, analyst, admin, privacy, auditor}
	tokens := map[branchlinev1.Role]string{}
	for _, role := range roles {
		tokens[role] = r.token("u-"+strings.ReplaceAll(access.Name(role), "hq-", ""), role)
	}
	fill := strings.NewReplacer("{$}", "", "{report}", "orders", "/vehicles/{id}", "/"+car, "/customers/{id}", "/"+chen, "/serviceOrders/{id}", "/"+order)
	for _, route := range r.routes {
		method, pattern, ok := strings.Cut(route, " ")
		if !ok || strings.HasPrefix(pattern, "/static") || pattern == "/sign-out" || pattern == "/events" { // a stream has no end: TestEvents
			continue
		}
		path := fill.Replace(pattern)
		for _, role := range roles {
			a := r.do(method, path, tokens[role], look.En, nil)
			refused := a.status == http.StatusForbidden
			if allowed := access.Allowed(access.HQ, route, []branchlinev1.Role{role}); refused == allowed {
				t.Errorf("%s by %s: status %d, allowed %v", route, access.Name(role), a.status, allowed)
			}
			if refused {
				looktest.HTML(t, a.body)
			}
		}
		a := r.do(method, path, "", look.En, nil)
		switch public := access.Public(access.HQ, route); {
		case public && pattern != "/sign-in" && (a.status == http.StatusUnauthorized || a.status == http.StatusForbidden):
			t.Errorf("%s is public and answers %d", route, a.status)
		case !public && method == http.MethodGet && !strings.HasPrefix(a.head.Get("Location"), "/sign-in?next="):
			if pattern != "/metrics" {
				t.Errorf("%s signed out: %d %s", route, a.status, a.head.Get("Location"))
			}
		case !public && method == http.MethodPost && a.status != http.StatusUnauthorized:
			t.Errorf("%s signed out: %d", route, a.status)
		}
	}
}

// An analyst sees figures and cars, nobody's name; the auditor decides nothing; the privacy officer counts nothing.
func TestRoles_SeeWhatTheyMay(t *testing.T) {
	r := newRig(t, world())
	an, au, pr, st := r.token("analyst", analyst), r.token("auditor", auditor), r.token("privacy", privacy), r.token("steward", steward)

	chens := "/search?q=" + url.QueryEscape("陈")
	for _, path := range []string{"/", "/branches", chens, "/search?q=沪A8K362", "/" + car, "/reports/orders"} {
		a := r.get(path, an, look.ZhCN)
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d", path, a.status)
		}
		page := strings.ReplaceAll(a.body, `value="陈"`, "") // what was typed stays in the box
		page = strings.ReplaceAll(page, `<span class="sub">陈</span>`, "")
		for _, secret := range []string{"陈", "陳", "2207", "锦绣路", "/customers/", "/quarantine", "异响", "磨得偏", "谁的车"} {
			if strings.Contains(page, secret) {
				t.Errorf("%s shows an analyst %q", path, secret)
			}
		}
	}
	if a := r.get("/"+car, an, look.ZhCN); !strings.Contains(a.body, "下摆臂衬套开裂") || !strings.Contains(a.body, "虹桥店") {
		t.Error("an analyst does not see what was done to a car, and where")
	}
	if a := r.get("/"+chen, an, look.ZhCN); a.status != http.StatusForbidden || strings.Contains(a.body, "陈建国") {
		t.Errorf("an analyst opens a customer: %d", a.status)
	}

	page := r.get("/quarantine", au, look.En).body
	if !strings.Contains(page, "2s0b9p1q7z3k/41") || strings.Contains(page, "<form class=\"settle\"") {
		t.Error("the auditor must see quarantine and no form")
	}
	discard := url.Values{"change": {"pd/2s0b9p1q7z3k/41"}, "act": {"discard"}}
	if a := r.do("POST", "/quarantine", au, look.En, discard); a.status != http.StatusForbidden {
		t.Errorf("the auditor discards: %d", a.status)
	}
	page = r.get("/"+chen, au, look.ZhCN).body
	if !strings.Contains(page, "陈建国") || strings.Contains(page, "2207") || strings.Contains(page, "锦绣路") {
		t.Error("the auditor must see who, and not how to reach them")
	}

	home := r.get("/", pr, look.En)
	if home.status != http.StatusOK || strings.Contains(home.body, "/reports") || strings.Contains(home.body, "Revenue") {
		t.Errorf("the privacy officer sees figures: %d", home.status)
	}
	page = r.get("/", st, look.ZhCN).body
	for _, want := range []string{`href="/quarantine"`, `href="/reports"`, "郑岚", "客户数据"} {
		if !strings.Contains(page, want) {
			t.Errorf("the steward's first page lacks %s", want)
		}
	}
}

func TestSignIn_AndOut(t *testing.T) {
	r := newRig(t, world())
	r.token("steward", steward)
	if a := r.get("/"+car, "", look.En); a.status != http.StatusSeeOther || a.head.Get("Location") != "/sign-in?next="+url.QueryEscape("/"+car) {
		t.Errorf("signed out: %d %s", a.status, a.head.Get("Location"))
	}
	for _, lang := range look.Langs() {
		a := r.get("/sign-in?next=/branches", "", lang)
		looktest.HTML(t, a.body)
		if !strings.Contains(a.body, `class="door hq"`) {
			t.Errorf("%s: sign-in does not say it is headquarters", lang)
		}
		a = r.do("POST", "/sign-in", "", lang, url.Values{"account": {"steward"}, "password": {"wrong wrong wrong"}})
		looktest.HTML(t, a.body)
		if a.status != http.StatusUnauthorized || !strings.Contains(a.body, `value="steward"`) || strings.Contains(a.body, "wrong wrong") {
			t.Errorf("%s: wrong password: %d", lang, a.status)
		}
	}
	for next, want := range map[string]string{"/branches": "/branches", "//evil.example": "/", "https://evil.example": "/"} {
		a := r.do("POST", "/sign-in", "", look.En, url.Values{"account": {"Steward"}, "password": {password}, "next": {next}})
		if a.status != http.StatusSeeOther || a.head.Get("Location") != want {
			t.Errorf("next %q: %d to %q", next, a.status, a.head.Get("Location"))
		}
		session := (&http.Response{Header: a.head}).Cookies()
		if len(session) != 1 || !session[0].HttpOnly {
			t.Fatalf("cookies %v", session)
		}
		if a := r.get("/", session[0].Value, look.En); a.status != http.StatusOK {
			t.Fatalf("signed in: %d", a.status)
		}
		if a = r.do("POST", "/sign-out", session[0].Value, look.En, nil); a.status != http.StatusSeeOther || a.head.Get("Location") != "/sign-in" {
			t.Errorf("sign out: %d", a.status)
		}
		if a := r.get("/", session[0].Value, look.En); a.status != http.StatusSeeOther {
			t.Errorf("the session lives on: %d", a.status)
		}
	}
}

func TestErrors_ArePages(t *testing.T) {
	f := world()
	r := newRig(t, f)
	token := r.token("admin2", admin)
	for path, want := range map[string]int{
		"/no/such/page":               404,
		"/customers/" + id(99):        404,
		"/customers/not-an-id":        404,
		"/vehicles/not-an-id":         404,
		"/serviceOrders/" + id(99):    404,
		"/reports/profit":             404,
		"/reports/profit/csv":         404,
		"/reports/orders?from=soon":   400,
		"/reports/orders?from=<b>x":   400,
		"/reports/orders/csv?to=soon": 400,
	} {
		for _, lang := range look.Langs() {
			a := r.get(path, token, lang)
			if a.status != want {
				t.Errorf("%s: %d, want %d", path, a.status, want)
			}
			looktest.HTML(t, a.body)
		}
	}
	f.mu.Lock()
	f.fail = errors.New("disk says /var/lib/secret")
	f.mu.Unlock()
	a := r.get("/", token, look.En)
	if a.status != 500 || strings.Contains(a.body, "secret") || !strings.Contains(text(a.body), "Tell the administrator this number: 1") {
		t.Errorf("an internal error: %d %s", a.status, text(a.body))
	}
	bad := []url.Values{{"act": {"burn"}, "change": {"pd/1/1"}}, {"act": {"retry"}, "change": {"x"}}, nil}
	for _, form := range bad {
		if a := r.do("POST", "/quarantine", token, look.En, form); a.status != 400 {
			t.Errorf("%v: %d", form, a.status)
		}
	}
}

func TestFigures_SayWhatIsNotComplete(t *testing.T) {
	r := newRig(t, world())
	token := r.token("analyst", analyst)
	home := text(r.get("/", token, look.ZhCN).body)
	for _, want := range []string{
		"2 家店的数还会变。", "南通店停在 11-18 17:55", "昆山店停在 11-19 09:14", // named, with when each was heard
		"营收 = 上述工单中已同意及已完成的项目金额合计", // each figure names its formula
		"其余各店数到 今天 09:58",
		"271.3 万元起 · 营收", "57.5 % 未齐 · 保持率",
		"2026-11", "2025-12",
	} {
		if !strings.Contains(home, want) {
			t.Errorf("the first page does not say %q", want)
		}
	}
	page := r.get("/reports/orders?by=branch", token, look.ZhCN).body
	rows := map[string]string{}
	for _, tr := range strings.Split(page, "<tr>")[1:] {
		for code, name := range names {
			if strings.Contains(tr, ">"+name+"<") {
				rows[code] = text(strings.SplitN(tr, "</tr>", 2)[0])
			}
		}
	}
	if got := rows["nt"]; !strings.Contains(got, " 起 ") || !strings.Contains(got, "11-18 17:55") {
		t.Errorf("a silent branch's row: %q", got)
	}
	if got := rows["pd"]; strings.Contains(got, "起") || !strings.Contains(got, "今天 10:40") {
		t.Errorf("a heard branch's row: %q", got)
	}
	if n := strings.Count(page, `class="open"`); n != 4 { // two branches in two charts
		t.Errorf("%d hatched bars, want 4", n)
	}
	// By month, what a silent branch lacks begins with the month it was last heard in.
	_, page, _ = strings.Cut(r.get("/reports/orders?by=month&from=2025-12-01&to=2026-11-21", token, look.ZhCN).body, "<table")
	if page = text(page); strings.Count(page, " 起") != 4 { // orders and revenue, of November and of the group
		t.Errorf("by month: %d figures so far, want 4", strings.Count(page, " 起"))
	}
}

func TestReport_AsksWhatTheFormSays(t *testing.T) {
	f := world()
	r := newRig(t, f)
	token := r.token("analyst", analyst)
	for path, want := range map[string]*branchlinev1.ReportRequest{
		"/reports/orders":                                 {Report: "orders", By: []string{"month"}, From: "2025-12-01", To: "2026-11-21"},
		"/reports/retention":                              {Report: "retention", By: []string{"branch"}, To: "2026-11-21"},
		"/reports/orders?by=payer&by=month&by=evil":       {Report: "orders", By: []string{"month", "payer"}},
		"/reports/customers?by=payer&from=2026-01-01&to=": {Report: "customers", From: "2026-01-01"},
	} {
		f.asked = nil
		want.Recent = true
		r.get(path, token, look.En)
		if len(f.asked) != 1 || f.asked[0].String() != want.String() {
			t.Errorf("%s asks %v, want %v", path, f.asked, want)
		}
	}
	if a := r.get("/reports", token, look.En); a.head.Get("Location") != "/reports/orders" {
		t.Errorf("reports: %s", a.head.Get("Location"))
	}
}

func TestCSV_HoldsPlainNumbersAndNoFormulas(t *testing.T) {
	r := newRig(t, world())
	token := r.token("analyst", analyst)
	a := r.get("/reports/orders/csv?by=branch&by=model", token, look.En)
	if a.status != 200 || a.head.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.Contains(a.head.Get("Content-Disposition"), "branchline-orders-"+day(now())+".csv") {
		t.Fatalf("%d %v", a.status, a.head)
	}
	if !strings.HasPrefix(a.body, "\ufeff") {
		t.Error("no byte order mark: Excel would not read Chinese")
	}
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(a.body, "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 1+6*3+1 {
		t.Fatalf("%d rows", len(rows))
	}
	want := [][]string{
		{"Branch", "Site name", "Model", "Orders", "Revenue CNY", "Average ticket CNY", "Complete", "Counted to"},
		{"hqi", "虹桥店", "Unknown model", "412", "465300.44", "1129.37", "yes", "2026-11-21 10:40"},
		{"hqi", "虹桥店", "'=cmd|'/c calc'!A0", "389", "439324.93", "1129.37", "yes", "2026-11-21 10:40"},
	}
	for i := range want {
		if !slices.Equal(rows[i], want[i]) {
			t.Errorf("row %d: %q, want %q", i, rows[i], want[i])
		}
	}
	if got := rows[len(rows)-1]; !slices.Equal(got, []string{"Whole group", "", "", "2403", "2713000.00", "1129.00", "no", ""}) {
		t.Errorf("total: %q", got)
	}
	nt := rows[slices.IndexFunc(rows, func(r []string) bool { return r[0] == "nt" })]
	if nt[6] != "no" || nt[7] != "2026-11-18 17:55" {
		t.Errorf("a silent branch: %q", nt)
	}
	a = r.get("/reports/retention/csv?by=month", token, look.ZhTW)
	if !strings.Contains(a.body, "月份,應保持車輛,近 12 個月進廠,保持率,已齊\r\n") || !strings.Contains(a.body, "2025-12,900,512,0.5689,是\r\n") {
		t.Errorf("retention: %s", a.body)
	}
	if a := r.get("/reports/orders/csv", r.token("privacy", privacy), look.En); a.status != http.StatusForbidden {
		t.Errorf("who may see no figures gets a file: %d", a.status)
	}
}

func TestFleet_ThoseThatNeedSomebodyFirst(t *testing.T) {
	r := newRig(t, world())
	page := text(r.get("/branches", r.token("steward", steward), look.ZhCN).body)
	var at []int
	for _, want := range []string{
		"昆山店", "等您决定：可能有两台机器在用它的身份", "两台机器都说自己是这家店（1a2b 和 3c4d）", "它的磁盘快满了", "松江店", "断开 42 分，照常营业", "约 43", "南通店", "断开 2 天，照常营业", "不知道",
		"苏州园区店 申陆上海 · sz 还没登记", "嘉定店", "连通，正在收", "42,000 / 48,213", "虹桥店", "连通，全部已收", "第 7,990 条", "48,190 / 48,213", "老店", "已关店",
	} {
		i := strings.Index(page, want)
		if i < 0 {
			t.Errorf("the fleet does not say %q", want)
			continue
		}
		at = append(at, i)
	}
	if !slices.IsSorted(at) {
		t.Errorf("order of the fleet: %v in %s", at, page)
	}
	if !strings.Contains(page, "6 家分店：4 家连通") {
		t.Error("the top bar does not say how many are connected")
	}
}

func TestQuarantine_RetryAndDiscard(t *testing.T) {
	f := world()
	r := newRig(t, f)
	token := r.token("steward", steward)
	page := r.get("/quarantine", token, look.En).body
	if n := strings.Count(page, `<form class="settle"`); n != 3 {
		t.Errorf("%d forms, want 3: what waits for another goes on by itself", n)
	}
	for _, want := range []string{"the record belongs to another branch", "Set aside at HQ", "Goes on by itself when no. 41 is settled", "Unreadable", `href="/` + chen + `"`, "Refused"} {
		if !strings.Contains(page, want) {
			t.Errorf("quarantine lacks %q", want)
		}
	}
	chinese := text(r.get("/quarantine", token, look.ZhCN).body)
	for _, want := range []string{"据总部所知，这份资料归别的店管", "等第 41 条处理完", "分店不能给出这个职务（客户数据），由总部给"} {
		if !strings.Contains(chinese, want) {
			t.Errorf("a reason is not said in Chinese: %q", want)
		}
	}
	send := func(act string) answer {
		return r.do("POST", "/quarantine", token, look.En, url.Values{"act": {act}, "change": {"pd/2s0b9p1q7z3k/41"}, "branch": {"pd"}})
	}
	a := send("retry")
	if a.status != http.StatusSeeOther {
		t.Fatalf("retry: %d", a.status)
	}
	if got := text(r.get(a.head.Get("Location"), token, look.En).body); !strings.Contains(got, "Tried again, and it still cannot be taken.") {
		t.Errorf("a retry in vain: %s", got)
	}
	a = send("discard")
	if got := text(r.get(a.head.Get("Location"), token, look.En).body); !strings.Contains(got, "Discarded.") {
		t.Errorf("discarded: %s", got)
	}
	a = send("discard")
	if got := text(r.get(a.head.Get("Location"), token, look.En).body); !strings.Contains(got, "Somebody has settled this one already.") {
		t.Errorf("twice: %s", got)
	}
	if want := []string{"pd/2s0b9p1q7z3k/41 false", "pd/2s0b9p1q7z3k/41 true"}; !slices.Equal(f.settled, want) {
		t.Errorf("settled %q, want %q", f.settled, want)
	}
}

func TestCustomer_GoldenViewNamesMembersAndLosers(t *testing.T) {
	r := newRig(t, world())
	page := text(r.get("/"+chen2, r.token("steward", steward), look.ZhCN).body)
	for _, want := range []string{
		"陈建国 Chen Jianguo", "139 0000 2207", "由 2 份记录合看", "浦东店 2024-01-20 建", "那份写作“陳建國”",
		"虹桥店 今天 10:31", "浦东店 2023-04-12 周敏", "松江店 11-20 16:32", "写在虹桥店的那份里",
		"没有用上： 浦东店 11-18 11:00 写的“浦东新区 锦绣路 1888 弄 62 号 402 室”",
		"不同意 2024-09-30", "已送到：浦东店、虹桥店", "6 张", "全部店 6", "沪A·8K362 大众 途观L 380TSI", "车主 2025-01-10 起 · 送修人", "打来：换了手机尾号",
		"四轮定位、配件", "1,280.00", "别人付 45.00",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the customer's page lacks %q in:\n%s", want, page)
		}
	}
}

func TestVehicle_HistoryAcrossSites(t *testing.T) {
	r := newRig(t, world())
	token := r.token("steward", steward)
	whole := r.get("/"+car, token, look.ZhCN).body
	page := text(whole)
	for _, want := range []string{
		"沪A·8K362", "LSVUB25N5R2 086531", "首次上牌 2025-01-10", "36,982 km 2026-11-21 浦东店", "6 次，4 家店",
		"199,105 km 前后对不上", "里程前后对不上，不计入", "下摆臂衬套开裂", "更换左前下摆臂总成 螺栓 3", "拒做 1 项", "后制动片剩 3 mm 松江店 2026-04-03 · 下次再换 · 2026-10-01 再问",
		"陈建国 车主 2025-01-10 起 · 送修人", "左前轮胎磨得偏", "¥ 1,325.00", "看全部读数（6）",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the car's page lacks %q in:\n%s", want, page)
		}
	}
	if strings.Count(whole, "<li id=\"v-") != 6 {
		t.Errorf("%d visits", strings.Count(whole, "<li id=\"v-"))
	}
	if got := r.get("/"+car+"?site=sj", token, look.ZhCN).body; strings.Count(got, "<li id=\"v-") != 2 {
		t.Errorf("one site's: %d visits", strings.Count(got, "<li id=\"v-"))
	}
	if a := r.get("/"+order, token, look.ZhCN); a.head.Get("Location") != "/"+car+"?show=all#v-"+id(20) {
		t.Errorf("an order leads to %q", a.head.Get("Location"))
	}
}

func TestSearch_PartAndPage(t *testing.T) {
	r := newRig(t, world())
	token := r.token("steward", steward)
	part := func(q string) string {
		a := r.do("GET", "/search?"+url.Values{"q": {q}}.Encode(), token, look.ZhCN, nil, func(r *http.Request) { r.Header.Set("HX-Request", "true") })
		if a.status != 200 || strings.Contains(a.body, "<html") {
			t.Errorf("%q: %d %.80s", q, a.status, a.body)
		}
		looktest.HTML(t, a.body)
		return a.body
	}
	if got := part("沪A8K362"); !strings.Contains(got, `data-href="/`+car+`"`) || !strings.Contains(got, `data-href="/`+order+`"`) {
		t.Errorf("plate: %s", got)
	}
	if got := part("nobody"); !strings.Contains(got, "没有找到") {
		t.Errorf("nothing: %s", got)
	}
	if got := part(""); got != "" {
		t.Errorf("an empty box: %s", got)
	}
	if got := r.get("/search?q=陈建国", token, look.ZhCN).body; !strings.Contains(got, `href="/`+chen+`"`) {
		t.Errorf("page: %s", text(got))
	}
}

// A language chosen is the account's, at whatever browser; before sign-in it is the browser's.
func TestLanguage_IsTheAccounts(t *testing.T) {
	r := newRig(t, world())
	token := r.token("steward", steward)
	page := r.get("/reports/orders?by=branch&from=2026-01-01", token, look.En).body
	if !strings.Contains(page, `name="next" value="/reports/orders?by=branch&amp;from=2026-01-01"`) {
		t.Error("the language buttons do not come back to the page with its query")
	}
	a := r.do("POST", "/lang", token, look.En, url.Values{"lang": {"zh-TW"}, "next": {"/branches"}})
	if a.status != http.StatusSeeOther || a.head.Get("Location") != "/branches" || a.head.Get("Set-Cookie") != "" {
		t.Errorf("language: %d %v", a.status, a.head)
	}
	if page := r.get("/account", token, look.En).body; !strings.Contains(page, `<html lang="zh-TW">`) {
		t.Error("the account's pages are in the browser's language")
	}
	if page := r.get("/account", r.token("another", steward), look.En).body; !strings.Contains(page, `<html lang="en">`) {
		t.Error("an account without a language does not read the browser's")
	}
	a = r.do("POST", "/lang", "", look.En, url.Values{"lang": {"zh-CN"}, "next": {"//evil.example"}})
	if a.status != http.StatusSeeOther || a.head.Get("Location") != "/" || !strings.HasPrefix(a.head.Get("Set-Cookie"), "lang=zh-CN;") {
		t.Errorf("before sign-in: %d %v", a.status, a.head)
	}
	if a = r.do("POST", "/lang", token, look.En, url.Values{"lang": {"xx"}}); a.status != http.StatusBadRequest {
		t.Errorf("no language: %d", a.status)
	}
	if page := r.get("/account", token, look.En).body; !strings.Contains(page, `<html lang="zh-TW">`) {
		t.Error("a language that is none was kept")
	}
}

// The counters of the three guarantees run over all sites, and warn on the car's page.
func TestVehicle_ThreeGuarantees(t *testing.T) {
	w := world()
	w.records = append(w.records, record("settings/"+id(130), "hq", &branchlinev1.Setting{
		Name: new("three_guarantees"), From: new("2025-01-01"),
		Value: new("repair_months=36 repair_km=60000 months=24 km=50000 early_days=60 early_km=3000 faults=2 days=30 assemblies=2 safety=2 loan_days=5"),
	}))
	r := newRig(t, w)
	page := r.get("/"+car, r.token("steward", steward), look.ZhCN).body
	looktest.HTML(t, page)
	for _, want := range []string{"已修 2 次，上限 2 次。", "快到三包的限度", "虹桥店 2", "按 2025-01-01 起的规定算。三包到 2027-01-10", "没有记下购车发票日", "第 2 次同一故障", "返修：虹桥店 2026-11-03 修过"} {
		if !strings.Contains(text(page), want) {
			t.Errorf("the page lacks %q:\n%s", want, text(page))
		}
	}
	if strings.Contains(text(page), "补上购车日期") {
		t.Error("headquarters is led to a form it has not")
	}
	if page := r.get("/"+bare, r.token("analyst", analyst), look.En).body; !strings.Contains(page, "Nobody wrote down when the car was sold") {
		t.Error("a car of which nobody knows when it was sold does not say so")
	}
}

func TestNew_ChecksItsConfig(t *testing.T) {
	if _, err := web.New(web.Config{}); err == nil {
		t.Error("no config, no error")
	}
}
