package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// Headquarters' accounts are kept on the same pages as a branch's: its roles, its administrator.
func TestAccounts_OfHeadquarters(t *testing.T) {
	r := newRig(t, world())
	boss, au := r.token("admin2", admin), r.token("auditor", auditor)
	page := r.get("/accounts", boss, look.ZhTW)
	looktest.HTML(t, page.body)
	for _, want := range []string{"新帳號", `value="hq-steward"`, "auditor"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page.body, `value="clerk"`) {
		t.Error("headquarters offers a branch's role")
	}
	made := r.do(http.MethodPost, "/accounts", boss, look.ZhTW, url.Values{"act": {"make"}, "name": {"new"}, "roles": {"hq-analyst"}})
	if made.status != http.StatusOK || !strings.Contains(made.body, `<code class="print">`) {
		t.Errorf("%d: %s", made.status, text(made.body))
	}
	looktest.HTML(t, made.body)
	for _, path := range []string{"/accounts"} {
		if a := r.get(path, au, look.En); a.status != http.StatusForbidden {
			t.Errorf("%s by the auditor: %d", path, a.status)
		}
	}
	own := r.get("/account", au, look.En)
	looktest.HTML(t, own.body)
	if own.status != http.StatusOK || strings.Contains(own.body, `href="/accounts"`) {
		t.Errorf("own account: %d", own.status)
	}
	const next = "quite another password"
	a := r.do(http.MethodPost, "/account", au, look.En, url.Values{"act": {"password"}, "current": {password}, "new": {next}, "again": {next}})
	if a.status != http.StatusSeeOther || a.head.Get("Location") != "/account?done=password" {
		t.Errorf("change: %d %s", a.status, text(a.body))
	}
	if a := r.get("/account", au, look.En); a.status == http.StatusOK {
		t.Error("the old session lives")
	}
}
