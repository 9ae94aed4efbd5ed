package match

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
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
	l.candidates(Long)
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
		if most := Long * len(n.rec.keys); len(e.near) > most {
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
	var all []*node
	for i := range 100 {
		all = append(all, &node{rec: Prepared{id: fmt.Sprint(i), word: d.syllables(1)}})
	}
	r := newRow(slices.Clone(all))
	check := func() {
		slices.SortFunc(all, byWord)
		if !slices.Equal(r.all(), all) {
			t.Fatalf("the row is not in order")
		}
		for range 200 {
			i, j := d.IntN(len(all)), d.IntN(len(all))
			if d.hit(.5) {
				j = min(len(all)-1, i+d.IntN(8))
			}
			if want := max(i-j, j-i) <= Beside; r.near(all[i], all[j]) != want {
				t.Fatalf("%d and %d of %d: near is %v", i, j, len(all), !want)
			}
			before, after := r.around(all[i], nil, nil)
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
			if len(before) != min(Beside, i) || len(after) != min(Beside, len(all)-1-i) {
				t.Fatalf("%d before and %d after %d of %d", len(before), len(after), i, len(all))
			}
		}
	}
	for i := range 2000 {
		n := &node{rec: Prepared{id: fmt.Sprint(1000 + i), word: d.syllables(1)}}
		r.insert(n)
		all = append(all, n)
	}
	check()
	for range 2080 {
		i := d.IntN(len(all))
		r.remove(all[i])
		all = slices.Delete(all, i, i+1)
	}
	check()
}

// The index has the holders that a plain map has, whatever comes and goes.
func TestIndex_isAMapOfHolders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := newIndex(rapid.IntRange(1, 20).Draw(t, "long"))
		want := map[uint64]map[*node]bool{}
		var nodes []*node
		for i := range 30 {
			n := &node{rec: Prepared{id: fmt.Sprint(i), word: fmt.Sprint(i % 5)}}
			x.number(n)
			nodes = append(nodes, n)
		}
		tick := uint32(0)
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			// Keys that crowd one place of one shard, some of them at its end.
			k := rapid.Uint64Range(0, 12).Draw(t, "key")*8 + rapid.Uint64Range(6, 8).Draw(t, "place")
			n := rapid.SampledFrom(nodes).Draw(t, "node")
			was := len(want[k])
			switch r := x.row(k); {
			case !want[k][n]:
				if want[k] == nil {
					want[k] = map[*node]bool{}
				}
				want[k][n] = true
				if grown := x.add(k, n); grown != (was == int(x.long)) {
					t.Fatalf("%d has grown to %d of %d: %v", k, was+1, x.long, grown)
				}
			case r == nil:
				delete(want[k], n)
				x.remove(k, n)
			default:
				delete(want[k], n)
				r.remove(n)
				if all := x.less(k); (all != nil) != (was == int(x.long)+1) {
					t.Fatalf("%d has shrunk to %d of %d: %v", k, was-1, x.long, all)
				}
			}
			for k, hold := range want {
				tick++
				var got []*node
				if s := x.find(k); s == nil != (len(hold) == 0) {
					t.Fatalf("%d is there: %v", k, s != nil)
				} else if s != nil && x.row(k) != nil {
					got = x.row(k).all()
				} else if s != nil {
					for _, no := range x.unseen(k, tick, nil) {
						got = append(got, x.at(no).node)
					}
				}
				if len(got) != len(hold) || slices.ContainsFunc(got, func(n *node) bool { return !hold[n] }) {
					t.Fatalf("%d has %d holders, not %d", k, len(got), len(hold))
				}
			}
		}
	})
}
