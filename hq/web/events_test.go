package web_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/looktest"
)

// listen begins to listen to the stream of a page.
func (r *rig) listen(token, on string) (int, <-chan string) {
	r.t.Helper()
	cookies := []*http.Cookie{{Name: "lang", Value: "zh-CN"}}
	if token != "" {
		cookies = append(cookies, &http.Cookie{Name: r.cookie(), Value: token})
	}
	return looktest.Listen(r.t, r.http, r.url+"/events?"+url.Values{"on": {on}}.Encode(), cookies...)
}

// Each page that shows what branches do is told of it.
func TestEvents_RefreshEveryLivePage(t *testing.T) {
	f := world()
	r := newRig(t, f)
	token := r.token("steward", steward)
	for _, p := range []struct {
		on, part string
		change   func()
		text     string
	}{
		{"/" + chen, "live-left", func() { f.golden[chen].GetCustomer().Remark = new("改喝温水") }, "改喝温水"},
		{"/" + car, "live-head", func() { f.find(car).GetVehicle().Variant = new("380TSI 旗舰") }, "380TSI 旗舰"},
		{"/branches", "live-fleet", func() { f.branches.Branches[0].Pending = 777 }, "777"},
		{"/", "live-fleet", func() { f.branches.Branches[0].Pending = 778 }, "778"},
		{"/quarantine", "live-aside", func() { f.aside[0].Change = "pd/2s0b9p1q7z3k/4242" }, "4242"},
		{"/reports/orders?by=branch", "live-report", func() { f.branches.Branches[1].LastHeard = ms("2026-11-17", "08:15") }, "11-17 08:15"},
	} {
		status, lines := r.listen(token, p.on)
		if status != http.StatusOK || !looktest.Await(t, lines, `hx-target="#`+p.part+`"`) {
			t.Errorf("%s: status %d, no first parts", p.on, status)
			continue
		}
		f.tell(p.change)
		if !looktest.Await(t, lines, p.text) {
			t.Errorf("%s was not told of %q", p.on, p.text)
		}
	}
}

func TestEvents_OnlyWhatTheRoleMaySee(t *testing.T) {
	r := newRig(t, world())
	if status, _ := r.listen(r.token("analyst", analyst), "/"+chen); status != http.StatusForbidden {
		t.Errorf("an analyst listens to a customer: %d", status)
	}
	if status, _ := r.listen(r.token("privacy", privacy), "/reports/orders"); status != http.StatusForbidden {
		t.Errorf("the privacy officer listens to figures: %d", status)
	}
	if status, _ := r.listen("", "/"); status != http.StatusUnauthorized {
		t.Errorf("nobody listens: %d", status)
	}
	status, lines := r.listen(r.token("auditor", auditor), "/search?q=x") // no live page: the line alone
	if status != http.StatusOK || !looktest.Await(t, lines, `hx-target="#line"`) {
		t.Errorf("the line alone: %d", status)
	}
}

func TestEvents_EndWithTheSession(t *testing.T) {
	f := world()
	r := newRig(t, f)
	token := r.token("steward", steward)
	_, lines := r.listen(token, "/"+chen)
	if !looktest.Await(t, lines, "live-left") {
		t.Fatal("no first parts")
	}
	if a := r.do(http.MethodPost, "/sign-out", token, "zh-CN", nil); a.status != http.StatusSeeOther {
		t.Fatal(a.status)
	}
	f.tell(func() { f.golden[chen].GetCustomer().Remark = new("改喝温水") })
	if looktest.Await(t, lines, "改喝温水") {
		t.Error("somebody who signed out was told")
	}
}

// A page that is told keeps the reader's place: what has the focus, what is unfolded, what is being typed.
func TestBrowser_LivePagesKeepTheReadersPlace(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	f := world()
	r := newRig(t, f)
	cookies := map[string]string{"lang": "zh-CN", r.cookie(): r.token("steward", steward)}
	second := `document.getElementById("q-` + f.aside[2].GetChange() + `")`
	b.Run(t, r.url+"/quarantine", cookies,
		looktest.Expect(`!!`+second),
		chromedp.Evaluate[chromedp.Void](`void (`+second+`.querySelector("details").open = true, `+second+`.querySelector('[value="discard"]').focus())`),
		looktest.Expect(`document.querySelector('[hx-sse\\:connect]')`),
		looktest.Call(func() {
			f.tell(func() {
				first := clone(f.aside[0])
				first.Change = "pd/2s0b9p1q7z3k/99"
				f.aside = append([]*branchlinev1.QuarantineItem{first}, f.aside...)
			})
		}),
		looktest.Expect(`document.body.textContent.includes("pd/2s0b9p1q7z3k/99")`),
		looktest.Expect(second+`.querySelector("details").open && `+second+`.contains(document.activeElement)`),
		looktest.Expect(`document.activeElement.closest("form").elements.change.value === "`+f.aside[2].GetChange()+`"`),
	)
	b.Run(t, r.url+"/"+chen, cookies,
		chromedp.SendKeys(chromedp.CSS("#q"), "22"),
		looktest.Call(func() { f.tell(func() { f.golden[chen].GetCustomer().Remark = new("改喝温水") }) }),
		looktest.Expect(`document.getElementById("live-left").textContent.includes("改喝温水")`),
		looktest.Expect(`document.activeElement.id === "q" && document.activeElement.value === "22"`),
	)
}
