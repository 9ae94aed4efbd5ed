package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/looktest"
)

func TestLost_IsShownAndRestored(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	page := zm.page("/" + w.he)
	want(t, page, "您店的修改没有用上。", "晚上 7 点后可打", "虹桥店", "只发短信")
	action := "/" + w.he + "/restore"
	form := formOf(t, page[strings.Index(page, `id="v-remark"`):], action)
	if status, to, body := zm.post(action, form); status != http.StatusSeeOther || !strings.HasPrefix(to, "/"+w.he) {
		t.Fatalf("%d %s %s", status, to, text(body))
	}
	if got := w.customer(w.he).GetRemark(); got != "晚上 7 点后可打" {
		t.Errorf("restored: %q", got)
	}
	wantNot(t, text(zm.page("/"+w.he)), "⟦")
}

func TestLost_IsKeptAsItIs(t *testing.T) {
	w := newTown(newRig(t))
	zm := w.as("zm", "zh-CN")
	told := func() bool {
		list, _, err := w.store.OwnChanges(t.Context(), true, 100, "")
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(list, func(c *branchlinev1.OwnChange) bool { return c.GetRecord() == w.he })
	}
	if !told() {
		t.Fatal("not told of before")
	}
	action := "/" + w.he + "/keep"
	var form url.Values
	for _, field := range []string{"remark", "preferred_channel"} {
		page := zm.page("/" + w.he)
		form = formOf(t, page[strings.Index(page, `id="v-`+field+`"`):], action)
		if status, to, body := zm.post(action, form); status != http.StatusSeeOther || to != "/"+w.he+"#v-"+field {
			t.Fatalf("%d %s %s", status, to, text(body))
		}
	}
	if got := w.customer(w.he).GetRemark(); got != "只发短信" {
		t.Errorf("kept: %q", got)
	}
	page := zm.page("/" + w.he)
	looktest.HTML(t, page)
	wantNot(t, text(page), "您店的修改没有用上。", "就这样")
	want(t, page, "浦东店另有一个值", "晚上 7 点后可打", "改用这个") // and can still be had back
	if told() {
		t.Error("still told of")
	}
	// Once more, from a page that was open all the time; a technician not at all.
	if status, _, _ := zm.post(action, form); status != http.StatusSeeOther {
		t.Errorf("again: %d", status)
	}
	if status, _, _ := w.as("lq", "zh-CN").post(action, form); status != http.StatusForbidden {
		t.Errorf("a technician: %d", status)
	}
}
