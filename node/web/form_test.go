package web_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/looktest"
)

// choices are the values and texts of a select of a page, in order, and the one that stands there.
func choices(t *testing.T, page, id string) (values, texts []string, chosen string) {
	t.Helper()
	m := regexp.MustCompile(`(?s)<select id="` + id + `".*?</select>`).FindString(page)
	if m == "" {
		t.Fatalf("no choice %s:\n%s", id, text(page))
	}
	for _, o := range regexp.MustCompile(`(?s)<option value="([^"]*)"( selected)?>(.*?)</option>`).FindAllStringSubmatch(m, -1) {
		values, texts = append(values, o[1]), append(texts, text(o[3]))
		if o[2] != "" {
			chosen = o[1]
		}
	}
	return values, texts, chosen
}

// Colleagues are chosen by name: those of the branch in the role, and whose code stands there already.
func TestForms_ColleaguesAreChosenByName(t *testing.T) {
	w := newTown(newRig(t))
	for _, x := range []*branchlinev1.Staff{
		{Code: s("zm"), Name: s("周敏"), Branches: []string{"pd"}, Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_ADVISER}},
		{Code: s("wf"), Name: s("吴凡"), Branches: []string{"hg", "pd"}, Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_ADVISER}},
		{Code: s("left"), Name: s("走了"), Branches: []string{"pd"}, Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_ADVISER}, RetiredAt: proto.Int64(1)},
		{Code: s("other"), Name: s("别店"), Branches: []string{"hg"}, Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_ADVISER}},
		{Code: s("lq"), Name: s("李强"), Branches: []string{"pd"}, Roles: []branchlinev1.Role{branchlinev1.Role_ROLE_TECHNICIAN}},
	} {
		w.elsewhere(at("2023-01-07"), "hg", false, x)
	}
	w.clock.set(w.now)
	zm := w.as("zm", "zh-CN")
	page := zm.page("/appointments/new")
	looktest.HTML(t, page)
	values, texts, chosen := choices(t, page, "i-adviser")
	if !slices.Equal(values, []string{"", "wf", "zm"}) || !slices.Equal(texts, []string{"未填", "吴凡", "周敏"}) || chosen != "zm" {
		t.Errorf("%q %q, chosen %q", values, texts, chosen)
	}
	if _, _, chosen := choices(t, w.as("sale", "zh-CN").page("/appointments/new"), "i-adviser"); chosen != "" {
		t.Errorf("a salesperson is the adviser: %q", chosen)
	}
	form := formOf(t, page, "/appointments")
	form.Set("plate", "沪C7M21D")
	form.Set("adviser", "wf")
	form.Set("transport", "loan")
	form.Set("complaint", "小保养")
	_, to, body := zm.post("/appointments", form)
	_, booking, ok := strings.Cut(to, "#b-")
	if !ok {
		t.Fatalf("%s\n%s", to, text(body))
	}
	page = zm.page("/appointments/" + booking + "/edit")
	if _, _, chosen := choices(t, page, "i-adviser"); chosen != "wf" {
		t.Errorf("the one chosen is %q", chosen)
	}
	// Whoever takes the car in, it is the adviser's it was booked with.
	page = zm.page("/serviceOrders/new?appointment=" + booking)
	want(t, page, "按预约填好了 · 要代步车")
	status, to, body := zm.post("/serviceOrders", formOf(t, page, "/serviceOrders"))
	if status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, text(body))
	}
	want(t, zm.page(to), "顾问 吴凡")

	// Of an order, who left stays what he was until somebody else is chosen; of a line it is a technician.
	w.update(w.now, "zm", w.open, &branchlinev1.ServiceOrder{Adviser: s("left")}, "adviser")
	path := "/" + w.open
	page = zm.page(path + "/edit")
	if values, texts, chosen = choices(t, page, "i-adviser"); !slices.Equal(texts, []string{"未填", "吴凡", "周敏", "走了"}) || chosen != "left" {
		t.Errorf("%q %q, chosen %q", values, texts, chosen)
	}
	zm.done(t, path, filled(t, page, path, "adviser", "zm"), path)
	want(t, zm.page(path), "周敏")
	if values, _, _ = choices(t, zm.page(path+"/lines/new"), "i-technician"); !slices.Equal(values, []string{"", "lq"}) {
		t.Errorf("a line may be given to %q", values)
	}
}
