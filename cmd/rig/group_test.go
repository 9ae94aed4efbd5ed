package rig

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// body is what a page says to somebody who is not signed in.
func body(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What the group is called is said once at headquarters: every site's pages show it, also of a company that came later.
func TestGroup_NameReachesEverySite(t *testing.T) {
	g := newGroup(t, Config{Pages: true})
	g.must(g.HQ().Inbox().SetGroup(context.Background(), "申陆汽车集团", admin))
	g.must(g.Add(Branch{Code: "b7", Name: "Suzhou", Entity: "e7"}))
	g.converge()
	// After a restart it is still known.
	g.must(g.StopHQ())
	g.must(g.StartHQ())
	g.converge()
	for name, url := range map[string]string{"hq": g.HQ().URL(), "b1": g.Site("b1").Node().URL(), "b3": g.Site("b3").Node().URL(), "b7": g.Site("b7").Node().URL()} {
		if !strings.Contains(body(t, url+"/sign-in"), "申陆汽车集团") {
			t.Errorf("the pages of %s do not name the group", name)
		}
	}
	g.must(g.HQ().Inbox().SetGroup(context.Background(), "申陆汽车集团", admin)) // once more changes nothing
}

