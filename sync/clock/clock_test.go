package clock

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"branchline/schema"
)

func TestStamp_beatsWhatItNamesAndItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.UnixMilli(1_000_000)
		c := New(func() time.Time { return now }, 0)
		last := schema.Tick(0)
		for range 50 {
			now = now.Add(time.Duration(rapid.IntRange(-1000, 1000).Draw(t, "step")) * time.Millisecond)
			named := schema.Tick(rapid.Uint64Range(0, uint64(schema.TickAt(now))*2).Draw(t, "named"))
			got := c.Stamp(named)
			if got <= last || got <= named || got < schema.TickAt(now) {
				t.Fatalf("%d after %d, naming %d, at %d", got, last, named, schema.TickAt(now))
			}
			last = got
		}
	})
}

func TestRule(t *testing.T) {
	hq := time.UnixMilli(1_000_000_000)
	if at, ruled := Rule(schema.TickAt(hq.Add(Lead)), hq, 0); ruled || at != schema.TickAt(hq.Add(Lead)) {
		t.Error("a clock within the lead was ruled")
	}
	year := schema.TickAt(hq.AddDate(1, 0, 0))
	at, ruled := Rule(year, hq, 0)
	if !ruled || at != schema.TickAt(hq).Next() {
		t.Errorf("a clock a year ahead counts as %v", at.Time())
	}
	// The change after it, and one that names a late stored stamp, still rise.
	next, _ := Rule(year+1, hq, at)
	if next <= at {
		t.Error("ruled times do not rise within an incarnation")
	}
	if at, _ := Rule(year, hq, 0, year+5); at <= year+5 {
		t.Error("a ruled edit loses to what it replaces")
	}
}
