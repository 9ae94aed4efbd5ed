package front_test

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"testing"

	"branchline/schema"
	"branchline/schema/access"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/look/front"
)

// A stream stands for the page it is open on, and for no other.
func TestTurn_StandsForThePage(t *testing.T) {
	routes := []string{"GET /{$}", "GET /customers/{id}", "GET /reports/{report}", "GET /branches"}
	for _, x := range []struct {
		on, name, value string
		place           int
	}{
		{"/", "", "", 0},
		{"/customers/06abc?site=pd", "id", "06abc", 1},
		{"/reports/orders?by=month", "report", "orders", 2},
		{"/branches", "", "", 3},
		{"/customers/06abc/edit", "", "", -1},
		{"/customers/", "", "", -1},
		{"/search?q=x", "", "", -1},
		{"//elsewhere/branches", "", "", 0}, // of another site: the first page
		{"", "", "", -1},
	} {
		a := front.Ask{Site: access.HQ, R: httptest.NewRequest("GET", "/events?on="+url.QueryEscape(x.on), nil)}
		a.Who.Roles = []branchlinev1.Role{branchlinev1.Role_ROLE_HQ_STEWARD}
		place, err := a.Turn(routes)
		if err != nil || place != x.place || x.name != "" && a.R.PathValue(x.name) != x.value {
			t.Errorf("%q is page %d, %q: %v", x.on, place, a.R.PathValue(x.name), err)
		}
		if place >= 0 && x.value != "" && a.R.URL.RequestURI() != x.on {
			t.Errorf("%q: its page is asked as %s", x.on, a.R.URL.RequestURI())
		}
	}
	a := front.Ask{Site: access.HQ, R: httptest.NewRequest("GET", "/events?on=/customers/1", nil)}
	a.Who.Roles = []branchlinev1.Role{branchlinev1.Role_ROLE_HQ_ANALYST}
	if _, err := a.Turn(routes); !errors.Is(err, schema.ErrForbidden) {
		t.Errorf("an analyst turns to a customer: %v", err)
	}
}
