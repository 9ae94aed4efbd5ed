package mapfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sharedDir is a folder of test data kept beside the checkout. Without it the test skips with the
// reason, or fails where BRANCHLINE_REQUIRE names "shared".
func sharedDir(t testing.TB, elem ...string) string {
	t.Helper()
	dir := filepath.Join(append([]string{"..", "..", "..", "shared"}, elem...)...)
	if _, err := os.Stat(dir); err != nil {
		if strings.Contains(os.Getenv("BRANCHLINE_REQUIRE"), "shared") {
			t.Fatalf("the shared test data is required: %v", err)
		}
		t.Skipf("no shared test data: %v", err)
	}
	return dir
}
