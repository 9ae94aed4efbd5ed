package match

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkEngine_put measures one record taken in with exact clusters after it, at
// 5,000 records.
func BenchmarkEngine_put(b *testing.B) {
	s := households(3, 800, 3)
	if len(s.records) > 5000 {
		s.records = s.records[:5000]
	}
	m, err := Learn(context.Background(), s.fields, s.records)
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for n := 0; n < b.N; {
		e := NewEngine(m)
		for i := 0; i < len(s.records) && n < b.N; i, n = i+1, n+1 {
			if err := e.Put(s.records[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// One telephone in every record must not make every record a candidate of every other.
func TestLearn_onePhoneIsNotQuadratic(t *testing.T) {
	fields := []Field{{"name", Name}, {"phone", Phone}}
	var recs []Record
	d := newDice(5)
	for i := range 6000 {
		recs = append(recs, Record{fmt.Sprintf("r%05d", i), []string{d.of(givens) + " " + d.syllables(3), "13912345670"}})
	}
	c, err := comparisons(fields)
	if err != nil {
		t.Fatal(err)
	}
	l := &learner{m: &Model{fields: fields, cmp: c}}
	for _, r := range recs {
		l.recs = append(l.recs, read(c, fields, r))
	}
	l.countKeys()
	l.candidates(Window)
	if most := 60 * len(recs); len(l.pairs) > most {
		t.Errorf("%d candidate pairs of %d records; at most %d were to be expected", len(l.pairs), len(recs), most)
	}
	m, err := Learn(context.Background(), fields, recs[:1500])
	if err != nil {
		t.Fatal(err)
	}
	cs, err := m.Cluster(context.Background(), recs[:1500])
	if err != nil || len(cs) < 1400 {
		t.Errorf("%d clusters of 1500 strangers with one telephone: %v", len(cs), err)
	}
}
