package web_test

import (
	"net/http"
	"strings"
	"testing"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// soldTown is a town in which headquarters chose how Chen is written, and whose Passat he has sold.
func soldTown(t *testing.T) *town {
	w := newTown(newRig(t))
	field := "name"
	w.elsewhere(at("2026-11-21", "10:35"), "hq", false, &branchlinev1.Pin{
		Customer: s(w.chenHQ[len("customers/"):]), Field: &field, Value: &branchlinev1.Customer{Name: s("陳建國")},
	})
	buyer := w.elsewhere(at("2026-11-01"), "sj", false, &branchlinev1.Customer{Name: s("何丽娜")})
	w.elsewhere(at("2026-11-01", "10:05"), "sj", false, &branchlinev1.Tie{
		Customer: s(buyer[len("customers/"):]), Vehicle: s(w.passat[len("vehicles/"):]), Role: branchlinev1.TieRole_OWNER.Enum(), From: s("2026-10-30"),
	})
	w.clock.set(w.now)
	return w
}

// A clerk is told that headquarters chose a value before and after an edit of it; the edit is kept in the branch's own record.
func TestPinned_TheClerkIsTold(t *testing.T) {
	w := soldTown(t)
	v := w.as("zm", "zh-CN")
	page := v.page("/" + w.chen)
	for _, want := range []string{"<h1>陳建國", "</svg>总部选定</span>", "取自虹桥店的那份", "陈建国"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if cut := page[strings.Index(page, `id="v-name"`):]; strings.Contains(cut[:strings.Index(cut, "</tr>")], "/restore") {
		t.Error("a value that is not shown anyhow is offered to be restored")
	}
	edit := v.page("/" + w.chen + "/edit")
	if !strings.Contains(edit, "总部选定显示“陳建國”") {
		t.Error("the form does not say that headquarters chose the name")
	}
	form := formOf(t, edit, "/"+w.chen)
	form.Set("name", "陈建囯")
	status, to, _ := v.post("/"+w.chen, form)
	if status != http.StatusSeeOther || !strings.HasSuffix(to, "?kept=name") {
		t.Fatalf("saved: %d %s", status, to)
	}
	if page = v.page(to); !strings.Contains(page, "已存进本店的资料。") || !strings.Contains(page, "姓名仍显示“陳建國”") {
		t.Error("the page does not say that the edit is kept behind what headquarters chose")
	}
	if own, err := w.store.Get(t.Context(), w.rid(w.chen)); err != nil || own.GetCustomer().GetName() != "陈建囯" {
		t.Errorf("the branch's own record: %v %v", own, err)
	}
	// Another field of the form is an edit like any other, and the chosen value sent back with it is none.
	form = formOf(t, v.page("/"+w.chen+"/edit"), "/"+w.chen)
	form.Set("remark", "喝茶")
	if status, to, _ = v.post("/"+w.chen, form); status != http.StatusSeeOther || to != "/"+w.chen {
		t.Errorf("another field: %d %s", status, to)
	}
	if own, err := w.store.Get(t.Context(), w.rid(w.chen)); err != nil || own.GetCustomer().GetName() != "陈建囯" || own.GetCustomer().GetRemark() != "喝茶" {
		t.Errorf("the branch's own record: %v %v", own, err)
	}
}

// A car's page tells its present owner and those before; a technician is told neither.
func TestVehicle_LineOfOwners(t *testing.T) {
	w := soldTown(t)
	page := w.as("zm", "en").page("/" + w.passat)
	for _, want := range []string{"何丽娜", "Owner now since 2026-10-30", "Former owner since 2023-04-12", "the next owner&#39;s registration begins"} {
		if !strings.Contains(strings.ReplaceAll(strings.ReplaceAll(page, `<span class="nw">`, ""), "</span>", ""), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if page := w.as("zm", "en").page("/" + w.chen); !strings.Contains(page, "Former owner") {
		t.Error("the customer's page does not say that he owned the car formerly")
	}
	if page := w.as("lq", "en").page("/" + w.passat); strings.Contains(page, "何丽娜") || strings.Contains(page, "Former owner") {
		t.Error("a technician is told the owners")
	}
}

func TestBrowser_ChosenAndSold(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := soldTown(t)
	zm := cookies(w.signIn("zm"))
	for _, p := range [][2]string{{"customer-chosen", "/" + w.chen + "?kept=name"}, {"customer-chosen-edit", "/" + w.chen + "/edit"}, {"vehicle-sold", "/" + w.passat}} {
		langs := look.Langs()
		if !every() {
			langs = langs[:1]
		}
		b.Audit(t, w.srv.URL+p[1], langs, append([]looktest.Option{looktest.Named(p[0])}, zm...)...)
	}
}
