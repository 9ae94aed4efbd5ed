package web_test

import (
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

var neighbour = regexp.MustCompile(`<a class="btn tight" rel="(\w+)" href="([^"]+)"`)

// neighbours are the links of a page's pager.
func neighbours(page string) map[string]string {
	out := map[string]string{}
	for _, m := range neighbour.FindAllStringSubmatch(page, -1) {
		out[m[1]] = html.UnescapeString(m[2])
	}
	return out
}

// A branch has written hundreds of records since: what came from elsewhere before is found all the same, and every list
// leads forward and back the same way.
func TestLists_LeadThereAndBack(t *testing.T) {
	w := newTown(newRig(t))
	w.overtakes(w.now.Add(time.Minute), "hg", w.he, "pd", &branchlinev1.Customer{ContactName: s("何太太")})
	w.clock.set(w.now.Add(time.Hour))
	for i := range 2150 {
		w.create(w.now.Add(time.Hour+time.Duration(i)*time.Second), "zm", &branchlinev1.Customer{Name: s(fmt.Sprintf("新客 %d", i))})
	}
	v := w.as("zm", "zh-CN")
	want(t, v.page("/"), "别处传来")
	var there []string
	for path := "/customers"; path != ""; path = neighbours(v.page(path))["next"] {
		there = append(there, path)
		if len(there) > 60 {
			t.Fatal("no end")
		}
		if len(there) == 5 {
			break
		}
	}
	path := there[len(there)-1]
	for i := len(there) - 2; i >= 0; i-- {
		path = neighbours(v.page(path))["prev"]
		if path != there[i] {
			t.Fatalf("back from page %d leads to %q, want %q", i+2, path, there[i])
		}
	}
	if n := neighbours(v.page(path)); n["prev"] != "" || n["first"] != "" {
		t.Errorf("the first page leads back to %v", n)
	}

	// More than one page's look lies between: the list goes on until it is found.
	path = "/arrived?kind=customers"
	for n := 0; !strings.Contains(text(v.page(path)), "何建华"); n++ {
		if path = neighbours(v.page(path))["next"]; path == "" || n > 5 {
			t.Fatalf("after %d pages the edit of another branch is not among what came from elsewhere", n)
		}
	}
	if neighbours(v.page(path))["prev"] == "" {
		t.Error("no way back")
	}
}

// Own records of a day must not hide on the first page what others wrote that morning.
func TestHome_ShowsWhatArrivedBeforeManyOwnEdits(t *testing.T) {
	w := newTown(newRig(t))
	w.overtakes(w.now.Add(time.Minute), "hg", w.he, "pd", &branchlinev1.Customer{ContactName: s("何太太")})
	for i := range 200 {
		w.create(w.now.Add(time.Hour+time.Duration(i)*time.Second), "zm", &branchlinev1.Customer{Name: s(fmt.Sprintf("新客 %d", i))})
	}
	page := text(w.as("zm", "zh-CN").page("/"))
	if _, arrived, _ := strings.Cut(page, "别处传来"); !strings.Contains(arrived, "何建华") {
		t.Errorf("what 虹桥店 wrote is not shown: %s", arrived)
	}
}

// A list of orders says whose they are, to who may know.
func TestOrders_SayWhose(t *testing.T) {
	w := newTown(newRig(t))
	for who, sees := range map[string]bool{"zm": true, "lq": false} {
		page := text(w.as(who, "zh-CN").page("/serviceOrders"))
		if strings.Contains(page, "陳建國 · 左前轮异响") != sees || !strings.Contains(page, "左前轮异响") {
			t.Errorf("%s: %s", who, page)
		}
	}
}
