package han_test

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sharedFile opens a file of the reference data that stands beside the project.
// Without it the test is skipped with a reason, or fails where
// BRANCHLINE_REQUIRE names "shared".
func sharedFile(t testing.TB, elem ...string) *os.File {
	t.Helper()
	path := filepath.Join(append([]string{"..", "..", "..", "shared"}, elem...)...)
	f, err := os.Open(path)
	if err != nil {
		if strings.Contains(os.Getenv("BRANCHLINE_REQUIRE"), "shared") {
			t.Fatalf("reference data is required: %v", err)
		}
		t.Skipf("skipped: no reference data beside the project: %v", err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close %s: %v", path, err)
		}
	})
	return f
}

// registrations returns the rows of the developers' sample, each by column name.
func registrations(t testing.TB) []map[string]string {
	t.Helper()
	rows, err := csv.NewReader(sharedFile(t, "data", "linkage", "dealer-zh-sample", "registrations.csv")).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, v := range row {
			m[rows[0][i]] = v
		}
		out = append(out, m)
	}
	return out
}
