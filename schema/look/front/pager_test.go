package front_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strconv"
	"testing"

	"branchline/schema/look/front"
)

// pages walks a list of n pages whose tokens are their numbers, and follows its links.
func at(t *testing.T, address string, n int) (page int, prev, next, first string) {
	t.Helper()
	a := front.Ask{R: httptest.NewRequest("GET", address, nil)}
	page, _ = strconv.Atoi(a.Query("from")) // none is the first
	token := ""
	if page+1 < n {
		token = strconv.Itoa(page + 1)
	}
	p := a.Pager("from", token, "done")
	return page, p.Prev, p.Next, p.First
}

func TestPager_LeadsThereAndBack(t *testing.T) {
	const n = 60
	address := "/customers?done=x&state=IN_WORK"
	for want := range n {
		page, _, next, _ := at(t, address, n)
		if page != want {
			t.Fatalf("page %d at %s, want %d", page, address, want)
		}
		u, err := url.Parse(address)
		if err != nil || u.Query().Get("state") != "IN_WORK" || want > 0 && u.Query().Has("done") {
			t.Fatalf("%s: %v", address, err)
		}
		if len(address) > 600 {
			t.Fatalf("the address grows: %d", len(address))
		}
		if want == n-1 {
			if next != "" {
				t.Errorf("a page after the last: %s", next)
			}
			break
		}
		address = next
	}
	back := 0
	for {
		page, prev, _, first := at(t, address, n)
		if prev == "" {
			if page == 0 && back == n-1 {
				break // all the way
			}
			if first == "" {
				t.Fatalf("page %d leads nowhere back", page)
			}
			if back < 15 {
				t.Errorf("only %d pages lead back", back)
			}
			if page, _, _, _ := at(t, first, n); page != 0 {
				t.Errorf("the first page is %d", page)
			}
			break
		}
		address = prev
		if got, _, _, _ := at(t, address, n); got != page-1 {
			t.Fatalf("before page %d stands %d", page, got)
		}
		back++
	}
	if page, prev, _, first := at(t, "/customers?from=1", n); page != 1 || prev != "/customers" || first != "" {
		t.Error(fmt.Sprint("the second page leads back to ", prev, " and ", first))
	}
}
