package web_test

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// classed is a town where some customers have a class.
func classed(t *testing.T) *town {
	w := newTown(newRig(t))
	w.create(at("2026-11-20"), "zm", &branchlinev1.Customer{
		Name: s("=HYPERLINK(1)"), ValueClass: proto.Int32(2), Status: branchlinev1.CustomerStatus_FORMAL.Enum(), DealClasses: []branchlinev1.DealClass{branchlinev1.DealClass_COMPETITOR},
		Phones: []*branchlinev1.Phone{{Number: s("13900001234")}},
	})
	w.create(at("2026-11-20", "10:05"), "zm", &branchlinev1.Customer{Name: s("方晓东"), ValueClass: proto.Int32(2), Status: branchlinev1.CustomerStatus_POTENTIAL.Enum()})
	w.clock.set(w.now)
	return w
}

func TestPick_ConditionsTogether(t *testing.T) {
	w := classed(t)
	v := w.as("zm", "zh-CN")
	if page := v.page("/customers"); !strings.Contains(page, `href="/customers/pick"`) {
		t.Error("nothing leads to finding by conditions")
	}
	if page := v.page("/customers/pick"); !strings.Contains(page, "选几个条件") {
		t.Error("without conditions the page does not say what to do")
	}
	for query, want := range map[string][]string{
		"value_class=2":                             {"方晓东", "=HYPERLINK(1)"},
		"value_class=2&status=2":                    {"=HYPERLINK(1)"},
		"value_class=2&status=1&deal_class=3":       nil,
		"car=帕萨特&visited_from=2026-01-01":           {"陳建國"},
		"car=帕萨特&not_since=2026-11-22":              {"陳建國"},
		"car=帕萨特&not_since=2026-11-21":              nil,
		"marketing=no":                              {"陳建國"},
		"visited_to=2025-01-01&site=hg":             {"陳建國"},
		"value_class=2&visited_to=2025-01-01":       nil,
		"value_class=2&status=2&deal_class=3&site=": {"=HYPERLINK(1)"},
	} {
		page := v.page("/customers/pick?" + query)
		for _, name := range []string{"方晓东", "=HYPERLINK(1)", "陳建國"} {
			has, should := strings.Contains(page, ">"+name+"</a>"), strings.Contains(strings.Join(want, "\n"), name)
			if has != should {
				t.Errorf("%s: %s is picked: %v", query, name, has)
			}
		}
		if len(want) == 0 && !strings.Contains(page, "没有符合全部条件的客户") {
			t.Errorf("%s: the page does not say that nobody fits", query)
		}
	}
	if status, body := v.get("/customers/pick?visited_from=yesterday"); status != http.StatusBadRequest || !strings.Contains(body, `aria-invalid="true"`) {
		t.Errorf("a bad day: %d", status)
	}
	if status, _ := w.as("lq", "zh-CN").get("/customers/pick?value_class=2"); status != http.StatusForbidden {
		t.Errorf("a technician picks customers: %d", status)
	}

	// The file: for the manager, whole, and no formula.
	if status, _ := v.get("/customers/pick.csv?value_class=2"); status != http.StatusForbidden {
		t.Errorf("an adviser takes the list out: %d", status)
	}
	boss := w.as("boss", "zh-CN")
	status, body := boss.get("/customers/pick.csv?value_class=2")
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if status != http.StatusOK || err != nil || len(rows) != 3 {
		t.Fatalf("%d %v %q", status, err, body)
	}
	for _, r := range rows[1:] {
		if strings.HasPrefix(r[0], "=") || r[3] == "" {
			t.Errorf("%q", r)
		}
	}
	if status, _ := boss.get("/customers/pick.csv"); status != http.StatusSeeOther {
		t.Errorf("everybody, without a condition: %d", status)
	}
}

func TestBrowser_Pick(t *testing.T) {
	t.Parallel()
	b := looktest.NewBrowser(t)
	w := classed(t)
	langs := look.Langs()
	if !every() {
		langs = langs[:1]
	}
	for name, path := range map[string]string{"pick": "/customers/pick", "pick-found": "/customers/pick?value_class=2"} {
		b.Audit(t, w.srv.URL+path, langs, append([]looktest.Option{looktest.Named(name)}, cookies(w.signIn("boss"))...)...)
	}
}
