package web_test

import (
	"net/http"
	"strings"
	"testing"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// typedInto opens a form, types into it and sends it.
func (v *visitor) typedInto(t *testing.T, path, action string, values map[string]string) (int, string, string) {
	t.Helper()
	form := formOf(t, v.page(path), action)
	for name, value := range values {
		form.Set(name, value)
	}
	return v.post(action, form)
}

// A talk is written down with what is to follow, is shown with it until that is done, and can be put right.
func TestContact_WrittenDownFollowedUpAndDone(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "zh-CN")
	page := v.page("/" + w.chen)
	if !strings.Contains(page, "还没有联系过") || !strings.Contains(page, `href="/contacts/new?customer=`+w.chen[len("customers/"):]+`" data-key="C"`) {
		t.Fatal("the customer's page does not lead to a new contact")
	}
	page = v.page("/contacts/new?customer=" + w.chen[len("customers/"):])
	want(t, text(page), "记一次联系 陳建國")
	if form := formOf(t, page, "/contacts"); form.Get("phone") == "" {
		t.Error("the number of the customer is to be typed")
	}
	status, to, _ := v.typedInto(t, "/contacts/new?customer="+w.chen[len("customers/"):], "/contacts", map[string]string{
		"way": "PHONE_IN", "outcome": "4", "subject": "换手机尾号", "text": "以后打 139 0000 2207", "next_on": "2026-11-21", "next_step": "核对姓名",
	})
	if status != http.StatusSeeOther || to != "/"+w.chen {
		t.Fatalf("written down: %d %s", status, to)
	}
	page = v.page(to)
	for _, want := range []string{"打来：换手机尾号 · 以后打 139 0000 2207", "下次 2026-11-21 核对姓名", "办好了", "周敏"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	c := w.all("contacts")
	if len(c) != 1 || c[0].GetContact().GetDirection() != branchlinev1.Direction_DIRECTION_IN || c[0].GetContact().GetChannel() != branchlinev1.ContactChannel_CHANNEL_PHONE || c[0].GetContact().GetDay() != "2026-11-21" {
		t.Fatalf("%v", c)
	}
	status, to, _ = v.typedInto(t, "/"+c[0].GetName()+"/edit", "/"+c[0].GetName(), map[string]string{"text": "以后打 139 0000 2208"})
	if status != http.StatusSeeOther || to != "/"+w.chen {
		t.Errorf("put right: %d %s", status, to)
	}
	page = v.page("/" + w.chen)
	if !strings.Contains(page, "2208") {
		t.Error("what was put right is not shown")
	}
	status, to, _ = v.post("/"+c[0].GetName()+"/done", formOf(t, page, "/"+c[0].GetName()+"/done"))
	if status != http.StatusSeeOther || strings.Contains(v.page(to), "办好了") {
		t.Errorf("done: %d %s, and it is still to be done", status, to)
	}
	if status, _, body := v.post("/contacts", map[string][]string{"way": {"SHOUTED"}, "customer": {w.chen[len("customers/"):]}}); status != http.StatusBadRequest || !strings.Contains(body, "选一种联系方式") {
		t.Errorf("an unknown way: %d", status)
	}
	if status, _ := w.as("lq", "zh-CN").get("/contacts/new?customer=" + w.chen[len("customers/"):]); status != http.StatusForbidden {
		t.Errorf("a technician's form: %d", status)
	}
}

func TestPolicy_FirstToEndFirst(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "zh-CN")
	customer, car := w.chen[len("customers/"):], w.passat[len("vehicles/"):]
	add := func(insurer, until string) {
		t.Helper()
		status, to, body := v.typedInto(t, "/insurancePolicies/new?customer="+customer, "/insurancePolicies", map[string]string{
			"insurer": insurer, "until": until, "from": "2025-01-01", "kind": "2", "number": "P" + until, "premium": "3,210.5", "covers": "车损、三者 200 万，划痕", "vehicle": car,
		})
		if status != http.StatusSeeOther || to != "/"+w.chen {
			t.Fatalf("%s: %d %s %s", insurer, status, to, body)
		}
	}
	add("人保财险", "2027-06-01")
	add("平安产险", "2026-12-20")
	add("太平洋产险", "2026-01-01")
	// Another branch has written one of them down too: it is one contract.
	w.elsewhere(at("2026-11-20"), "hg", false, &branchlinev1.InsurancePolicy{
		Customer: s(w.chenHQ[len("customers/"):]), Insurer: s("平安产险"), Kind: branchlinev1.PolicyKind_POLICY_COMMERCIAL.Enum(), Number: s("P2026-12-20"), From: s("2025-01-01"), Until: s("2026-12-20"),
	})
	w.clock.set(w.now)
	page := v.page("/" + w.chen)
	if n := strings.Count(page, "平安产险"); n != 1 {
		t.Errorf("one contract stands there %d times", n)
	}
	soon, later, over := strings.Index(page, "平安产险"), strings.Index(page, "人保财险"), strings.Index(page, "太平洋产险")
	if soon < 0 || later < soon || over < later || !strings.Contains(page, "快到期 · ") || !strings.Contains(page, "已到期 · ") {
		t.Errorf("the first to end does not stand first: %d %d %d", soon, later, over)
	}
	for _, r := range w.all("insurancePolicies") {
		if r.GetHome() != "pd" {
			continue
		}
		if p := r.GetInsurancePolicy(); p.GetPremium() != 321_050 || len(p.GetCovers()) != 3 || p.GetSoldBy() != "pd" || p.GetVehicle() != car || p.GetCustomer() != customer {
			t.Errorf("%v", p)
		}
	}
	status, _, body := v.post("/insurancePolicies", map[string][]string{"customer": {customer}, "premium": {"much"}, "until": {"soon"}})
	for _, want := range []string{"写上保险公司", `value="soon"`} {
		if status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("bad input: %d, without %q", status, want)
		}
	}
}

// The classes of DOMAIN §1.2 stand beside each other, and the competitor's customer may be any of the others too.
func TestCustomer_Classification(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "en")
	status, to, body := v.typedInto(t, "/"+w.he+"/edit", "/"+w.he, map[string]string{"value_class": "2", "key_account": "1", "deal_classes.1": "yes", "deal_classes.3": "yes", "member_class": "gold"})
	if status != http.StatusSeeOther {
		t.Fatalf("%d %s %s", status, to, body)
	}
	r, err := w.store.Get(t.Context(), w.rid(w.he))
	c := r.GetCustomer()
	if err != nil || c.GetValueClass() != 2 || c.GetKeyAccount() != branchlinev1.KeyAccount_TKA || len(c.GetDealClasses()) != 2 || c.GetMemberClass() != "gold" {
		t.Fatalf("%v %v", c, err)
	}
	status, _, _ = v.typedInto(t, "/"+w.he+"/edit", "/"+w.he, map[string]string{"value_class": "", "deal_classes.1": "no"})
	r, err = w.store.Get(t.Context(), w.rid(w.he))
	if c = r.GetCustomer(); status != http.StatusSeeOther || err != nil || c.GetValueClass() != 0 || len(c.GetDealClasses()) != 1 {
		t.Errorf("%d %v %v", status, c, err)
	}
}

// A line has no page of its own: who puts it right is led back to its order.
func TestLine_EditLeadsBackToTheOrder(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "en")
	status, to, _ := v.typedInto(t, "/"+w.lineDone+"/edit", "/"+w.lineDone, map[string]string{"cause": "worn"})
	if status != http.StatusSeeOther || to != "/"+w.open {
		t.Fatalf("%d %s", status, to)
	}
	if !strings.Contains(v.page(to), "worn") {
		t.Error("the order does not show it")
	}
	if status, to, _ = v.typedInto(t, "/"+w.lineDone+"/edit", "/"+w.lineDone, nil); status != http.StatusSeeOther || to != "/"+w.open {
		t.Errorf("nothing changed: %d %s", status, to)
	}
}

func TestBrowser_ContactsAndInsurance(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := newTown(newRig(t))
	v := w.as("zm", "zh-CN")
	customer := w.chen[len("customers/"):]
	for _, form := range [][2]string{{"/contacts", "保险要到期，愿意听报价"}, {"/insurancePolicies", ""}} {
		status, _, body := v.typedInto(t, form[0]+"/new?customer="+customer, form[0], map[string]string{
			"way": "PHONE_OUT", "outcome": "1", "text": form[1], "next_on": "2026-11-21", "next_step": "再打一次", "insurer": "平安产险", "until": "2026-12-20", "kind": "1",
		})
		if status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", form[0], status, body)
		}
	}
	langs := look.Langs()
	if !every() {
		langs = langs[:1]
	}
	for name, path := range map[string]string{
		"customer-contacts": "/" + w.chen, "contact-new": "/contacts/new?customer=" + customer, "policy-new": "/insurancePolicies/new?customer=" + customer, "customer-edit": "/" + w.chen + "/edit",
	} {
		b.Audit(t, w.srv.URL+path, langs, append([]looktest.Option{looktest.Named(name)}, cookies(w.signIn("zm"))...)...)
	}
}
