package web_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// open begins to listen to the stream of a page. Its lines come until the stream ends.
func (v *visitor) open(t *testing.T, on string) (int, <-chan string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.r.srv.URL+"/events?on="+on, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	res, err := v.c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1000)
	go func() {
		defer close(lines)
		defer res.Body.Close()
		sc := bufio.NewScanner(res.Body)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			lines <- sc.Text()
		}
	}()
	return res.StatusCode, lines
}

// await reads until a line holds text; false when the stream ended before.
func await(t *testing.T, lines <-chan string, text string) bool {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case l, open := <-lines:
			if !open {
				return false
			}
			if strings.Contains(l, text) {
				return true
			}
		case <-limit:
			t.Fatalf("no %q", text)
		}
	}
}

func TestEvents_EndWithTheSession(t *testing.T) {
	w := newTown(newRig(t))
	v := w.as("zm", "zh-CN")
	status, lines := v.open(t, "/"+w.he)
	if status != http.StatusOK || !await(t, lines, `hx-target="#live-left"`) {
		t.Fatalf("%d, no first parts", status)
	}
	w.overtakes(w.now.Add(time.Minute), "hg", w.he, "pd", &branchlinev1.Customer{ContactName: s("何太太")})
	if !await(t, lines, "何太太") {
		t.Fatal("the stream ended while signed in")
	}
	if status, _, _ := v.post("/sign-out", nil); status != http.StatusSeeOther {
		t.Fatal(status)
	}
	w.overtakes(w.now.Add(2*time.Minute), "hg", w.he, "pd", &branchlinev1.Customer{ContactName: s("何先生")})
	if await(t, lines, "何先生") {
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
	if status != http.StatusOK || !await(t, lines, `hx-target="#line"`) {
		t.Errorf("%d", status)
	}
}
