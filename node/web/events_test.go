package web_test

import (
	"net/http"
	"testing"
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/looktest"
)

// open begins to listen to the stream of a page.
func (v *visitor) open(t *testing.T, on string) (int, <-chan string) {
	t.Helper()
	return looktest.Listen(t, v.c, v.r.srv.URL+"/events?on="+on)
}

func TestEvents_EndWithTheSession(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "zh-CN")
	status, lines := v.open(t, "/"+w.he)
	if status != http.StatusOK || !looktest.Await(t, lines, `hx-target="#live-left"`) {
		t.Fatalf("%d, no first parts", status)
	}
	w.overtakes(w.now.Add(time.Minute), "hg", w.he, "pd", &branchlinev1.Customer{ContactName: s("何太太")})
	if !looktest.Await(t, lines, "何太太") {
		t.Fatal("the stream ended while signed in")
	}
	if status, _, _ := v.post("/sign-out", nil); status != http.StatusSeeOther {
		t.Fatal(status)
	}
	w.overtakes(w.now.Add(2*time.Minute), "hg", w.he, "pd", &branchlinev1.Customer{ContactName: s("何先生")})
	if looktest.Await(t, lines, "何先生") {
		t.Error("somebody who signed out was told")
	}
}

func TestEvents_OnlyWhatTheRoleMaySee(t *testing.T) {
	w := newTown(newRig(t))
	lq := w.as("lq", "zh-CN")
	if status, _ := lq.open(t, "/"+w.chen); status != http.StatusForbidden {
		t.Errorf("a technician listens to a customer: %d", status)
	}
	if status, _ := w.as("", "zh-CN").open(t, "/"); status != http.StatusUnauthorized {
		t.Errorf("nobody listens: %d", status)
	}
	status, lines := lq.open(t, "/accounts") // no live page: the line alone
	if status != http.StatusOK || !looktest.Await(t, lines, `hx-target="#line"`) {
		t.Errorf("%d", status)
	}
}
