package match

import (
	"context"
	"fmt"
	"slices"
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

// A telephone that became everybody's after the model was learned costs each record no
// more than those near it in the row; nothing is swallowed, and what has many records is
// found to be one all the same.
func TestEngine_onePhoneAfterTheModelWasLearned(t *testing.T) {
	s := households(7, 300, 2)
	m, err := Learn(context.Background(), s.fields, s.records)
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(m)
	d := newDice(8)
	for i := range 3000 {
		v := []string{d.of(givens), d.syllables(3), "13955501234", "", "", ""}
		if i%10 == 0 {
			v = []string{"gloria", "vanderlyn", "13955501234", "1 baker street", "ashton", "1950-02-03"} // one party with 300 records
		}
		if err := e.Put(Record{fmt.Sprintf("r%05d", i), v}); err != nil {
			t.Fatal(err)
		}
		n := e.nodes[fmt.Sprintf("r%05d", i)]
		if most := 2 * Window * len(n.rec.keys); len(e.near) > most {
			t.Fatalf("%d records are compared with the %dth; at most %d were to be expected", len(e.near), i, most)
		}
	}
	if got := len(e.Cluster("r00000")); got < 295 {
		t.Errorf("one party's 300 records are a cluster of %d", got)
	}
	if got := len(e.Clusters()); got < 2500 {
		t.Errorf("%d clusters of 2700 strangers with one telephone", got)
	}
	if got := e.Alarms(); len(got) != 1 || got[0] != "r00000" {
		t.Errorf("the alarms are %v", got)
	}
}

// A row in chunks finds what one in a single piece does, and takes out what it took in.
func TestRow_chunksAreOneRow(t *testing.T) {
	d := newDice(3)
	var r row
	var all []*node
	near := func(i, j int) bool { return max(i-j, j-i) <= 5 }
	check := func() {
		slices.SortFunc(all, byWord)
		for range 200 {
			i, j := d.IntN(len(all)), d.IntN(len(all))
			if d.hit(.5) {
				j = min(len(all)-1, i+d.IntN(8))
			}
			if r.near(all[i], all[j], 5) != near(i, j) {
				t.Fatalf("%d and %d of %d: near is %v", i, j, len(all), !near(i, j))
			}
			c, at, ok := r.find(all[i])
			if !ok {
				t.Fatalf("the row has lost one")
			}
			before, after := r.around(c, at, 3, nil, nil)
			for k, n := range before {
				if n != all[i-1-k] {
					t.Fatalf("before %d stands another", i)
				}
			}
			for k, n := range after {
				if n != all[i+1+k] {
					t.Fatalf("after %d stands another", i)
				}
			}
			if len(before) != min(3, i) || len(after) != min(3, len(all)-1-i) {
				t.Fatalf("%d before and %d after %d of %d", len(before), len(after), i, len(all))
			}
		}
	}
	for i := range 2000 {
		n := &node{rec: &Prepared{id: fmt.Sprint(i), word: d.syllables(1)}}
		r.insert(n)
		all = append(all, n)
	}
	check()
	for range 1900 {
		i := d.IntN(len(all))
		r.remove(all[i])
		all = slices.Delete(all, i, i+1)
	}
	if r.size != len(all) {
		t.Fatalf("the row says that it has %d of %d", r.size, len(all))
	}
	check()
}
