package town

import (
	"testing"
	"time"
)

// Whoever writes down what a branch saw in its order finds everything it refers to,
// also in a small town with much work, where some cars come back on the day they were sold.
func TestEdits_ReferToWhatIsThere(t *testing.T) {
	for hour := range 3 {
		x, err := New(Config{Seed: 1, Customers: 500, Today: time.Date(2026, 11, 1+hour, hour, 7, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		for b := range x.Branches() {
			there := map[string]bool{}
			for e := range x.Edits(b) {
				for field, key := range e.Refs {
					if !there[key] {
						t.Fatalf("hour %d, branch %d: %s refers by %s to %s, which is not there", hour, b, e.Key, field, key)
					}
				}
				there[e.Key] = true
			}
		}
	}
}
