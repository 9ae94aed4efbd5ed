package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"branchline/schema/look/looktest"
)

var shownSecret = regexp.MustCompile(`<code class="print">([^<]+)</code>`)

// signsIn tells whether an account and a password open the door.
func (r *rig) signsIn(name, word string) bool {
	r.t.Helper()
	status, _, _ := r.as("", "zh-CN").post("/sign-in", url.Values{"account": {name}, "password": {word}, "next": {"/"}})
	return status == http.StatusSeeOther
}

func TestAccount_OwnPassword(t *testing.T) {
	r := newRig(t)
	v, elsewhere := r.as("lq", "zh-CN"), r.as("lq", "zh-CN")
	page := v.page("/account")
	want(t, page, "改密码", "在哪里登录着", "就是这里")
	looktest.HTML(t, page)

	const next = "另一个很长的密码 words"
	for _, x := range []struct{ current, next, again, says string }{
		{"not the password", next, next, "不对"},
		{password, "short", "short", "有 5 个字符，至少要 12 个"},
		{password, next, next + "x", "两遍不一样"},
		{password, "", "", "要填"},
	} {
		status, _, body := v.post("/account", url.Values{"act": {"password"}, "current": {x.current}, "new": {x.next}, "again": {x.again}})
		if status != http.StatusBadRequest || !strings.Contains(text(body), x.says) {
			t.Errorf("%v: %d, does not say %q", x, status, x.says)
		}
		looktest.HTML(t, body)
		if strings.Contains(body, next) || strings.Contains(body, `value="short"`) {
			t.Error("a page repeats a password")
		}
	}
	if !r.signsIn("lq", password) {
		t.Fatal("a refused change changed the password")
	}
	status, to, _ := v.post("/account", url.Values{"act": {"password"}, "current": {password}, "new": {next}, "again": {next}})
	if status != http.StatusSeeOther || to != "/account?done=password" {
		t.Fatalf("%d to %q", status, to)
	}
	want(t, v.page(to), "密码已改好") // and goes on, signed in anew
	if status, _ := elsewhere.get("/"); status == http.StatusOK {
		t.Error("another session outlived the password")
	}
	if r.signsIn("lq", password) || !r.signsIn("lq", next) {
		t.Error("the old password opens the door, or the new one does not")
	}
}

func TestAccount_EndsASessionElsewhere(t *testing.T) {
	r := newRig(t)
	v, elsewhere := r.as("lq", "zh-CN"), r.as("lq", "zh-CN")
	id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(v.page("/account"))
	if id == nil {
		t.Fatal("no session to end")
	}
	if status, to, _ := v.post("/account", url.Values{"act": {"end"}, "id": {id[1]}}); status != http.StatusSeeOther || to != "/account?done=ended" {
		t.Fatalf("%d to %q", status, to)
	}
	if status, _ := elsewhere.get("/"); status == http.StatusOK {
		t.Error("it still lives")
	}
	if status, _ := v.get("/"); status != http.StatusOK {
		t.Error("the session in use ended too")
	}
}

func TestAccounts_TheAdministratorKeepsThem(t *testing.T) {
	w := newTown(newRig(t))
	boss := w.as("boss", "zh-CN")
	want(t, boss.page("/accounts"), "新账号", "服务顾问", "zm")

	// Another account, with the staff record that colleagues see.
	form := url.Values{"act": {"make"}, "name": {"Xin"}, "staff": {"xin"}, "person": {"辛小雨"}, "roles": {"clerk", "adviser"}, "branches": {"pd", "hg"}}
	status, _, body := boss.post("/accounts", form)
	looktest.HTML(t, body)
	secret := shownSecret.FindStringSubmatch(body)
	if status != http.StatusOK || secret == nil {
		t.Fatalf("%d, no password shown: %s", status, text(body))
	}
	want(t, body, "xin 的密码：", "辛小雨", "虹桥店、浦东店")
	if strings.Contains(boss.page("/accounts"), secret[1]) {
		t.Error("the password is shown again")
	}
	if !w.signsIn("xin", secret[1]) {
		t.Error("the made password does not open the door")
	}
	if status, _, body := boss.post("/accounts", form); status != http.StatusBadRequest || !strings.Contains(text(body), "已有这个名字的账号") {
		t.Errorf("made twice: %d %s", status, text(body))
	}

	// Roles and branches.
	save := url.Values{"act": {"save"}, "of": {"xin"}, "staff": {"xin"}, "person": {"辛小雨"}, "roles": {"technician"}, "branches": {"pd"}}
	if status, to, body := boss.post("/accounts", save); status != http.StatusSeeOther || !strings.HasPrefix(to, "/accounts?done=saved") {
		t.Fatalf("%d %s", status, text(body))
	}
	page := boss.page("/accounts")
	_, row, _ := strings.Cut(page, `id="a-xin"`)
	row, _, _ = strings.Cut(row, "<details")
	want(t, row, "技师 · 浦东店")
	wantNot(t, text(row), "前台", "虹桥店")

	// A new password, and the end of the account.
	_, _, body = boss.post("/accounts", url.Values{"act": {"password"}, "of": {"xin"}})
	again := shownSecret.FindStringSubmatch(body)
	if again == nil || again[1] == secret[1] || w.signsIn("xin", secret[1]) || !w.signsIn("xin", again[1]) {
		t.Error("no new password, or the old one still opens the door")
	}
	if status, _, _ := boss.post("/accounts", url.Values{"act": {"disable"}, "of": {"xin"}}); status != http.StatusSeeOther || w.signsIn("xin", again[1]) {
		t.Errorf("a closed account opens the door: %d", status)
	}
	if status, _, _ := boss.post("/accounts", url.Values{"act": {"enable"}, "of": {"xin"}}); status != http.StatusSeeOther || !w.signsIn("xin", again[1]) {
		t.Errorf("an account opened again does not: %d", status)
	}

	// What cannot be.
	status, _, body = boss.post("/accounts", url.Values{"act": {"save"}, "of": {"boss"}, "roles": {"clerk"}})
	if status != http.StatusBadRequest || !strings.Contains(text(body), "这是最后一个管理员") {
		t.Errorf("the last administrator gave the role away: %d %s", status, text(body))
	}
	if status, _, _ := boss.post("/accounts", url.Values{"act": {"make"}, "name": {"hq"}, "roles": {"hq-steward"}}); status != http.StatusBadRequest {
		t.Errorf("a role of headquarters was given: %d", status)
	}
	if status, _, _ := boss.post("/accounts", url.Values{"act": {"password"}, "of": {"nobody"}}); status != http.StatusNotFound {
		t.Errorf("a password for nobody: %d", status)
	}
}

// A password that somebody else knows leads every page to the form for one of one's own.
func TestOneTimePassword_EveryPageLeadsToTheForm(t *testing.T) {
	w := newTown(newRig(t))
	boss := w.as("boss", "zh-CN")
	_, _, body := boss.post("/accounts", url.Values{"act": {"password"}, "of": {"zm"}})
	secret := shownSecret.FindStringSubmatch(body)
	if secret == nil {
		t.Fatal("no password made")
	}
	v := w.as("", "zh-CN")
	signIn := func(password string) {
		if status, _, _ := v.post("/sign-in", url.Values{"account": {"zm"}, "password": {password}, "next": {"/"}}); status != http.StatusSeeOther {
			t.Fatalf("sign-in: %d", status)
		}
	}
	signIn(secret[1])
	for _, path := range append(w.paths(), "/events", "/customers/new") {
		if path == "/account" || path == "/trust" {
			continue
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.srv.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, _, head := v.do(req); status != http.StatusSeeOther || head.Get("Location") != "/account" {
			t.Errorf("%s: %d to %q", path, status, head.Get("Location"))
		}
	}
	if status, to, _ := v.post("/customers", url.Values{"name": {"某人"}}); status != http.StatusSeeOther || to != "/account" {
		t.Errorf("a customer is written down: %d to %q", status, to)
	}
	page := v.page("/account")
	looktest.HTML(t, page)
	want(t, page, "先给自己设一个密码")
	const own = "我自己的一个长密码 words"
	change := func(next string) (int, string, string) {
		return v.post("/account", url.Values{"act": {"password"}, "current": {secret[1]}, "new": {next}, "again": {next}})
	}
	if status, _, body := change(secret[1]); status != http.StatusBadRequest || !strings.Contains(text(body), "只能用一次的那个不一样") {
		t.Errorf("the same again: %d %s", status, text(body))
	}
	if status, to, body := change(own); status != http.StatusSeeOther || to != "/account?done=password" {
		t.Fatalf("%d to %q: %s", status, to, text(body))
	}
	wantNot(t, v.page("/account"), "先给自己设一个密码")
	if status, _ := v.get("/"); status != http.StatusOK {
		t.Errorf("first page: %d", status)
	}
}

func TestAccounts_AreTheAdministratorsAlone(t *testing.T) {
	r := newRig(t)
	zm := r.as("zm", "zh-CN")
	if status, _ := zm.get("/accounts"); status != http.StatusForbidden {
		t.Errorf("an adviser sees the accounts: %d", status)
	}
	for _, form := range []url.Values{
		{"act": {"make"}, "name": {"x"}, "roles": {"clerk"}}, {"act": {"password"}, "of": {"boss"}}, {"act": {"disable"}, "of": {"boss"}},
	} {
		if status, _, _ := zm.post("/accounts", form); status != http.StatusForbidden {
			t.Errorf("%v by an adviser: %d", form, status)
		}
	}
	if strings.Contains(zm.page("/"), `href="/accounts"`) || !strings.Contains(zm.page("/"), `href="/account"`) {
		t.Error("the menu of an adviser leads to the wrong accounts")
	}
	// Another site's page cannot send the forms.
	boss := r.as("boss", "zh-CN")
	for path, form := range map[string]url.Values{"/accounts": {"act": {"disable"}, "of": {"zm"}}, "/account": {"act": {"end"}, "id": {""}}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.srv.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		if status, _, _ := boss.do(req); status != http.StatusForbidden {
			t.Errorf("%s from elsewhere: %d", path, status)
		}
	}
	if !r.signsIn("zm", password) {
		t.Error("it was carried out")
	}
}
