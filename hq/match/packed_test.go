package match

import (
	"context"
	"testing"
)

// drawn shows pairs of records, of people and companies and of sets that are neither, under
// models of theirs: all that meet, and one in seven others.
func drawn(t *testing.T, see func(t *testing.T, m *Model, a, b *sheet)) {
	t.Helper()
	learned := func(t *testing.T, s set) {
		t.Helper()
		s.records = s.records[:min(len(s.records), 600)]
		m, err := Learn(context.Background(), s.fields, s.records)
		if err != nil {
			t.Fatal(err)
		}
		pairsOf(t, m, s.records, see)
	}
	t.Run("made", func(t *testing.T) {
		for _, s := range []set{historical(1, 80, 5), organisations(2, 150), papers(3, 300), products(4, 300), households(5, 100, 2)} {
			learned(t, s)
		}
	})
	t.Run("shared", func(t *testing.T) {
		for _, s := range sharedSets(t) {
			learned(t, s)
			if s.name == "dealer-zh" {
				m, err := Base()
				if err != nil {
					t.Fatal(err)
				}
				s = asCustomers(s)
				pairsOf(t, m, s.records[:min(len(s.records), 1500)], see)
			}
		}
	})
}

func pairsOf(t *testing.T, m *Model, records []Record, see func(t *testing.T, m *Model, a, b *sheet)) {
	t.Helper()
	var all []*sheet
	for i, r := range records {
		x, err := m.sheet(r)
		if err != nil {
			t.Fatal(err)
		}
		for j, o := range all {
			if j%7 == i%7 || meet(x.keys, o.keys) {
				see(t, m, x, o)
			}
		}
		all = append(all, x)
	}
}

// What is packed is compared as what it was made of.
func TestPrepared_comparesAsItWas(t *testing.T) {
	drawn(t, func(t *testing.T, m *Model, a, b *sheet) {
		want := m.pair(a, b, make([]answer, len(m.cmp)))
		if got := m.Score(a.prepared(m.cmp), b.prepared(m.cmp)); got != want {
			t.Fatalf("%s and %s: %+v, not %+v", a.id, b.id, got, want)
		}
	})
}
