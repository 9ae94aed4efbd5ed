package show_test

import (
	"crypto/rand"
	"regexp"
	"strings"
	"testing"
	"time"

	"branchline/cmd/rig"
	"branchline/cmd/rig/show"
	"branchline/cmd/rig/town"
)

func begin(t testing.TB, customers, lines int) (*rig.Rig, *town.Town) {
	t.Helper()
	tw, err := town.New(town.Config{Seed: 1, Branches: 3, Customers: customers, Lines: lines, Today: time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	r, err := rig.New(rig.Config{Dir: t.TempDir(), Branches: show.Branches(tw), Group: "申驰汽车", Pages: true, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r, tw
}

func TestStory_isAsTold(t *testing.T) {
	r, tw := begin(t, 60, 400)
	if err := show.Populate(t.Context(), r, tw, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if err := show.Settle(t.Context(), r, time.Minute); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := show.Story(t.Context(), &out, show.English, r, "pd", "hong", "th"); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if n := strings.Count(out.String(), "the same"); n < 3 {
		t.Errorf("verify was told of %d branches:\n%s", n, &out)
	}

	// Told again, in Chinese: the same steps, and no English between them.
	var again strings.Builder
	if err := show.Story(t.Context(), &again, show.Chinese, r, "pd", "hong", "th"); err != nil {
		t.Fatalf("%v\n%s", err, &again)
	}
	if n, m := strings.Count(out.String(), "\n"), strings.Count(again.String(), "\n"); n != m {
		t.Errorf("%d lines in English, %d in Chinese", n, m)
	}
	if strings.Count(again.String(), "一样") < 3 || regexp.MustCompile(`[a-z]{3,} [a-z]{3,}`).MatchString(again.String()) {
		t.Errorf("not all is Chinese:\n%s", &again)
	}
}

// BenchmarkPopulate is the demo's start: every edit in, up, merged and back.
func BenchmarkPopulate(b *testing.B) {
	for b.Loop() {
		r, tw := begin(b, 5000, 40000)
		began := time.Now()
		if err := show.Populate(b.Context(), r, tw, func(int) {}); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-to-saved")
		if err := show.Settle(b.Context(), r, 5*time.Minute); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-to-settled")
	}
}
