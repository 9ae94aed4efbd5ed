package show_test

import (
	"crypto/rand"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"branchline/cmd/rig/show"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// Everybody the tour names can sign in, and every address it names is there for the manager. Told a second time to a group
// that has its people already, it sends nobody to an account whose password is not known.
func TestTour_LeadsToWhatIsThere(t *testing.T) {
	r, tw := begin(t, 600, 5000)
	if err := show.Populate(t.Context(), r, tw, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if err := show.Settle(t.Context(), r, time.Minute); err != nil {
		t.Fatal(err)
	}
	people, err := show.People(t.Context(), r, tw, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := show.Tour(t.Context(), &out, show.English, r, people); err != nil {
		t.Fatal(err)
	}
	var boss *http.Client
	roles := map[branchlinev1.Role]bool{}
	for _, l := range people {
		roles[l.Role] = true
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := c.PostForm(l.URL+"/sign-in", url.Values{"account": {l.Account}, "password": {l.Password}})
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusSeeOther || len(l.PIN) != 4 {
			t.Errorf("%s at %s cannot sign in: %d, PIN of %d digits", l.Account, l.Branch, res.StatusCode, len(l.PIN))
		}
		if boss == nil {
			boss = &http.Client{Jar: jar}
		}
	}
	if len(roles) != 4 {
		t.Errorf("the tour has people of %d roles", len(roles))
	}
	pages := regexp.MustCompile(`http://[^\s,;]+`).FindAllString(out.String(), -1)
	if len(pages) < 8 {
		t.Fatalf("the tour leads to %d pages only:\n%s", len(pages), &out)
	}
	for _, p := range pages {
		p = strings.TrimRight(p, ".:")
		res, err := boss.Get(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", p, res.StatusCode)
		}
	}
	var again strings.Builder
	if err := show.Tour(t.Context(), &again, show.English, r, nil); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(again.String(), "http://") || again.Len() == 0 {
		t.Errorf("told again: %q", again.String())
	}
}
