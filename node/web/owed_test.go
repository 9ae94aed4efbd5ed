package web_test

import (
	"strings"
	"testing"

	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// onAccount is the town whose customer left an order's bill on account, by the manager's word.
func onAccount(t *testing.T) *town {
	t.Helper()
	w := inspected(t)
	w.withPins(t)
	v, path := w.as("zm", "zh-CN"), "/"+w.open+"/money"
	v.done(t, path, actForm(t, v.must(t, path), "settle-PAYER_CUSTOMER"), "done=settle")
	v.done(t, path, actForm(t, v.must(t, path), "pay-PAYER_CUSTOMER", "method", "METHOD_ON_ACCOUNT", "amount", "250", "who", "boss", "pin", pinOfBoss), "done=pay")
	return w
}

// Money leads to paper and paper to money; what a customer owes says for which order, and leads there.
func TestOwed_LeadsToTheOrderAndItsSheet(t *testing.T) {
	w := onAccount(t)
	v := w.as("zm", "zh-CN")
	order, bill := "/"+w.open, "/"+w.open+"/settlement"
	customer := "/customers/" + w.orderCustomer(t)
	for _, path := range []string{customer, customer + "/purse"} {
		page := v.must(t, path)
		looktest.HTML(t, page)
		_, owed, _ := strings.Cut(page, "欠款所属工单")
		owed, _, _ = strings.Cut(owed, "</section>")
		want(t, owed, w.number(t), "250.00", "浦东店")
		if !strings.Contains(owed, `href="`+order+`"`) || !strings.Contains(owed, `href="`+bill+`"`) {
			t.Errorf("%s does not lead to the order and its sheet: %s", path, owed)
		}
	}
	if page := v.must(t, order+"/money"); !strings.Contains(page, `href="`+bill+`?payer=PAYER_CUSTOMER"`) || !strings.Contains(page, `href="`+order+`/quote"`) {
		t.Error("the page of the money does not lead to its sheets")
	}
	for _, sheet := range []string{"/quote", "/settlement"} {
		if page := v.must(t, order+sheet); !strings.Contains(page, `href="`+order+`/money"`) {
			t.Errorf("%s does not lead to the money", sheet)
		}
	}
	path := customer + "/purse"
	v.done(t, path, actForm(t, v.must(t, path), "off", "method", "METHOD_CASH", "amount", "250"), "done=off")
	if page := v.must(t, path); strings.Contains(page, "欠款所属工单") {
		t.Error("what was paid is owed still")
	}
}

func TestBrowser_OwedIsSound(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := onAccount(t)
	zm := cookies(w.signIn("zm"))
	for _, p := range [][2]string{{"owed-customer", "/customers/" + w.orderCustomer(t)}, {"owed-purse", "/customers/" + w.orderCustomer(t) + "/purse"}, {"owed-money", "/" + w.open + "/money"}} {
		langs := look.Langs()
		if !every() {
			langs = langs[:1]
		}
		b.Audit(t, w.srv.URL+p[1], langs, append([]looktest.Option{looktest.Named(p[0])}, zm...)...)
	}
}
