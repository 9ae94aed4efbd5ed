package town

import (
	"testing"
)

func TestCounters_sameSeedSameRegistrations(t *testing.T) {
	c, err := NewCounters(3, 400)
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewCounters(3, 400)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	order := c.Order()
	for _, o := range order {
		r := c.Registration(int(o[0]), int(o[1]))
		if r != again.Registration(int(o[0]), int(o[1])) {
			t.Fatalf("%v: the same seed gives another registration", o)
		}
		if ids[r.ID] {
			t.Fatalf("the id %s stands there twice", r.ID)
		}
		ids[r.ID] = true
		if r.Name == "" || r.Truth != int(o[0]) {
			t.Fatalf("%+v", r)
		}
		if len(ids) <= 40 && testing.Verbose() {
			t.Logf("%d %q", r.Truth, r.Values())
		}
	}
	if len(order) < 700 {
		t.Fatalf("%d registrations of 400 customers", len(order))
	}
}
