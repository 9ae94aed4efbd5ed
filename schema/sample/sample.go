// Package sample finds the reference data that stands beside the project, for tests.
//
// Rules: nothing but tests imports it. Where the data is missing a test is skipped
// with the reason, or fails where BRANCHLINE_REQUIRE names "shared".
package sample

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Path is a file or folder of the data.
func Path(t testing.TB, elem ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("the test runs outside of the project")
		}
		dir = up
	}
	path := filepath.Join(append([]string{dir, "..", "shared"}, elem...)...)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		if strings.Contains(os.Getenv("BRANCHLINE_REQUIRE"), "shared") {
			t.Fatalf("the reference data is required: %v", err)
		}
		t.Skipf("no reference data beside the project: %v", err)
	}
	return path
}

// Rows are the rows of a CSV file of the data with a heading, each by column name.
func Rows(t testing.TB, elem ...string) []map[string]string {
	t.Helper()
	text, err := os.ReadFile(Path(t, elem...))
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range all[1:] {
		m := map[string]string{}
		for i, v := range row {
			m[all[0][i]] = v
		}
		out = append(out, m)
	}
	return out
}

// Registrations are the rows of the developers' sample of dealers' registrations.
func Registrations(t testing.TB) []map[string]string {
	t.Helper()
	return Rows(t, "data", "linkage", "dealer-zh-sample", "registrations.csv")
}
