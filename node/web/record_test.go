package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look"
	"branchline/schema/look/looktest"
)

// What has no page of its own has a sheet: its values in words, and the way to what it names. Who may not see the kind
// does not see it there either.
func TestRecord_SheetsOfKindsWithoutAPage(t *testing.T) {
	w := newTown(newRig(t))
	at := time.Date(2026, 11, 20, 1, 0, 0, 0, time.UTC)
	order := proto.String(strings.TrimPrefix(w.open, "serviceOrders/"))
	read := w.create(at, "zm", &branchlinev1.OdometerReading{
		Order: order, Vehicle: proto.String(strings.TrimPrefix(w.passat, "vehicles/")), Km: proto.Int64(88_412),
	}).GetName()
	check := w.create(at, "zm", &branchlinev1.Inspection{Order: order, FuelEighths: proto.Int32(5)}).GetName()
	policy := w.create(at, "zm", &branchlinev1.InsurancePolicy{
		Vehicle: proto.String(strings.TrimPrefix(w.passat, "vehicles/")), Insurer: proto.String("人保财险"), Number: proto.String("PDAA20260001"), Covers: []string{"三者 200 万"},
	}).GetName()
	zm := w.as("zm", "zh-CN")
	page := zm.page("/records/" + read)
	want(t, page, "里程", "88,412 km", "2026-11-20")
	if !strings.Contains(page, `href="/`+w.open+`"`) {
		t.Errorf("the sheet does not lead to its order:\n%s", text(page))
	}
	want(t, zm.page("/records/"+policy), "人保财险", "PDAA20260001", "三者 200 万")
	for _, lang := range look.Langs() {
		body := w.as("zm", string(lang)).page("/records/" + policy)
		looktest.HTML(t, body)
		wantNot(t, body, "⟦")
	}
	// What has a page of its own stands there.
	for _, name := range []string{w.open, check} {
		if status, _, head := zm.fetch("/records/" + name); status != http.StatusSeeOther || head.Get("Location") != "/"+name {
			t.Errorf("the sheet of %s: %d %s", name, status, head.Get("Location"))
		}
	}
	if status, _ := zm.get("/records/insurancePolicies/" + strings.Repeat("0", 26)); status != http.StatusNotFound {
		t.Errorf("no such policy: %d", status)
	}
	// A technician sees what the odometer said, and no policy.
	lq := w.as("lq", "zh-CN")
	want(t, lq.page("/records/"+read), "88,412 km")
	for path, code := range map[string]int{"/records/" + policy: http.StatusForbidden, "/records/wheels/1": http.StatusNotFound, "/records/insurancePolicies/x": http.StatusForbidden} {
		if status, _ := lq.get(path); status != code {
			t.Errorf("%s: %d, want %d", path, status, code)
		}
	}
}
