package match

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"branchline/schema/mapfile"
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

// set is records with a truth.
type set struct {
	name    string
	fields  []Field
	records []Record
	truth   map[string]string
}

// readSet reads a file of the shared data through an embedded map. truth is a column of the
// file, and of what it says, what cut keeps.
func readSet(t testing.TB, name, mapName, dir, file, truth string, cut func(string) string) set {
	t.Helper()
	m, err := mapfile.Named(mapName)
	if err != nil {
		t.Fatal(err)
	}
	s := set{name: name, truth: map[string]string{}}
	if s.fields, s.records, err = ReadFile(os.DirFS(dir), file, m); err != nil {
		t.Fatal(err)
	}
	r, err := m.Open(os.DirFS(dir), file)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range s.records {
		row, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		s.truth[s.records[i].ID] = cut(strings.TrimSpace(r.Value(row, truth)))
	}
	return s
}

func sharedSets(t testing.TB) []set {
	dir := sharedDir(t, "data", "linkage")
	at := func(sub string) string { return filepath.Join(dir, sub) }
	whole := func(v string) string { return v }
	person := func(v string) string { return strings.Split(v, "-")[1] }
	out := []set{
		readSet(t, "febrl1", "match-febrl", at("febrl1"), "dataset1.csv", "rec_id", person),
		readSet(t, "febrl3", "match-febrl", at("febrl3"), "dataset3.csv", "rec_id", person),
		readSet(t, "fake_1000", "match-fake-1000", at("fake_1000"), "fake_1000.csv", "cluster", whole),
		readSet(t, "restaurant", "match-restaurant", at("restaurant"), "restaurant-nophone-training.csv", "unique_id", whole),
		readSet(t, "dealer-zh", "match-dealer-zh", at("dealer-zh-sample"), "registrations.csv", "truth_id", whole),
	}
	for _, s := range out[:2] {
		s.name += "-nossn"
		s.fields = slices.Clone(s.fields)
		s.fields[len(s.fields)-1].Type = Ignore
		out = append(out, s)
	}
	return out
}

// measured learns a model for a set and measures its clusters.
func measured(t testing.TB, s set) (Measure, *Model, map[string]string) {
	t.Helper()
	ctx := context.Background()
	m, err := Learn(ctx, s.fields, s.records)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	cs, err := m.Cluster(ctx, s.records)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	got := map[string]string{}
	for _, c := range cs {
		for _, id := range c {
			got[id] = c[0]
		}
	}
	return Compare(s.truth, got), m, got
}

// floors are what each set must reach: pairwise F1, in ten-thousandths. They lie a
// little under what was measured when they were written.
var floors = map[string]int{
	"febrl1": 9995, "febrl1-nossn": 9990, "febrl3": 9995, "febrl3-nossn": 9990, "fake_1000": 9780, "restaurant": 9500, "dealer-zh": 9930,
	"historical-1": 9450, "historical-2": 9250, "organisations-1": 9850, "papers-1": 9700, "products-1": 7000, "households-1-1": 9999, "households-2-3": 9000,
}

// TestFigures_sharedSets learns a model for each set of the shared data and measures the
// clusters. MATCH_SET=fake runs those whose name begins so, MATCH_ERR=1 shows the errors.
func TestFigures_sharedSets(t *testing.T) { figures(t, sharedSets(t)) }

func figures(t *testing.T, sets []set) {
	only := os.Getenv("MATCH_SET")
	for _, s := range sets {
		if only != "" && !strings.Contains(s.name, only) || testing.Short() && len(s.records) > 3500 {
			continue
		}
		x, m, got := measured(t, s)
		t.Logf("%-14s P %.4f R %.4f F1 %.4f B3 %.4f largest %d of %d records; %d clusters, odds %d %d %d veto %v",
			s.name, x.Precision(), x.Recall(), x.F1(), x.B3(), x.Largest, x.Records, x.Clusters, m.strangers, m.sharers, m.neighbours, m.veto)
		if floor := floors[s.name]; x.F1()*10_000 < float64(floor) {
			t.Errorf("%s: F1 %.4f is under %.4f", s.name, x.F1(), float64(floor)/10_000)
		}
		if os.Getenv("MATCH_ERR") != "" {
			showErrors(s, m, got)
		}
	}
}

func showErrors(s set, m *Model, got map[string]string) {
	for k, c := range m.cmp {
		fmt.Println(" ", c.typ, c.label, "\n   one", m.w[k].One, "\n   str", m.w[k].Strange, "\n   sha", m.w[k].Share)
	}
	recs := map[string]*sheet{}
	raw := map[string]Record{}
	for _, r := range s.records {
		recs[r.ID], _ = m.sheet(r)
		raw[r.ID] = r
	}
	n := 0
	buf := make([]answer, len(m.cmp))
	show := func(kind string, a, b string) {
		v := m.pair(recs[a], recs[b], buf)
		fmt.Printf("%s score %d vs strangers %d sharers %d meet %v\n", kind, v.Score(), v.Strangers, v.Sharers, meet(recs[a].keys, recs[b].keys))
		fmt.Println("   ", a, strings.Join(raw[a].Values, " | "))
		fmt.Println("   ", b, strings.Join(raw[b].Values, " | "))
		for k := range buf {
			if buf[k].level >= 0 {
				o, st, sh := m.evidence(k, &buf[k])
				fmt.Printf("      %s L%d %d/%d", m.cmp[k].label, buf[k].level, o-st, o-sh)
			}
		}
		fmt.Println()
	}
	seen := map[string]int{}
	for i, a := range s.records {
		for _, b := range s.records[:i] {
			same, found := s.truth[a.ID] == s.truth[b.ID], got[a.ID] == got[b.ID]
			if same == found {
				continue
			}
			key := fmt.Sprint(same, s.truth[a.ID], s.truth[b.ID])
			if seen[key]++; seen[key] > 1 {
				continue
			}
			if n++; n > 40 {
				return
			}
			if same {
				show("MISSED", a.ID, b.ID)
			} else {
				show("WRONG", a.ID, b.ID)
			}
		}
	}
}
