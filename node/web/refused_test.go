package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// What headquarters refused to have made stays on its page, with why.
func TestRefused_StaysOnItsPage(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "en")
	made := w.create(w.now.Add(time.Minute), "zm", &branchlinev1.Customer{Name: s("金美兰"), Remark: s("only by letter")})
	w.outcome(made.GetName(), &wirev1.Outcome{Kind: wirev1.OutcomeKind_REFUSED_CHANGE, Reason: "the name is on the list"})
	path := "/" + made.GetName()
	want(t, zm.page(path), "金美兰", "only by letter", "HQ did not take it", "the name is on the list")
	want(t, zm.page("/line"), "金美兰", "the name is on the list")
	if !strings.Contains(zm.page("/line"), `href="`+path) {
		t.Error("what is to be looked at does not lead to the record")
	}
	// Put right, it is on its way again.
	form := formOf(t, zm.page(path+"/edit"), path)
	form.Set("name", "金美蘭")
	if status, to, body := zm.post(path, form); status != http.StatusSeeOther || to != path {
		t.Fatalf("%d %s %s", status, to, text(body))
	}
	page := zm.page(path)
	want(t, page, "金美蘭", "only by letter")
	wantNot(t, text(page), "the name is on the list")
}
