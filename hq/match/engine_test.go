package match

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// families draws records of a few parties that share much, so that components chain.
func families(t *rapid.T) ([]Field, []Record) {
	fields := []Field{{"name", Name}, {"phone", Phone}, {"born", Birthday}, {"address", Address}}
	names := []string{"王伟", "王玮", "王先生", "李娜", "Wang Wei", "王小明", "上海安康汽车租赁有限公司", "安康汽车租赁", ""}
	phones := []string{"13812340001", "13812340002", "138 1234 0002", ""}
	days := []string{"1980-01-02", "1980-02-01", "1975-05-05", ""}
	places := []string{"上海市静安区张江路509号19幢1006室", "张江路509号", "北京市东城区新华大街1434号30幢2804室", ""}
	n := rapid.IntRange(2, 40).Draw(t, "records")
	var out []Record
	for i := range n {
		out = append(out, Record{fmt.Sprintf("b%02d/%d", rapid.IntRange(1, 12).Draw(t, "branch"), i), []string{
			rapid.SampledFrom(names).Draw(t, "name"), rapid.SampledFrom(phones).Draw(t, "phone"),
			rapid.SampledFrom(days).Draw(t, "born"), rapid.SampledFrom(places).Draw(t, "address"),
		}})
	}
	return fields, out
}

// Whatever the order and the interleaving of records, new versions, deletes, decisions
// and withdrawals, the clusters are those of the facts that hold in the end.
func TestEngine_anyOrderSameClusters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields, recs := families(t)
		m, err := Learn(context.Background(), fields, recs)
		if err != nil {
			t.Fatal(err)
		}
		pick := func(l string) string { return rapid.SampledFrom(recs).Draw(t, l).ID }
		type word struct {
			a, b string
			same bool
		}
		var said []word
		for range rapid.IntRange(0, 6).Draw(t, "decisions") {
			w := word{pick("a"), pick("b"), rapid.Bool().Draw(t, "same")}
			if !slices.ContainsFunc(said, func(o word) bool { return ids(o.a, o.b) == ids(w.a, w.b) }) {
				said = append(said, w)
			}
		}
		run := func(e *Engine, order []int, noise bool) [][]string {
			say := func(w word) {
				if w.same {
					e.Same(w.a, w.b)
				} else {
					e.Different(w.b, w.a)
				}
			}
			for i, at := range order {
				if at >= len(recs) {
					say(said[at-len(recs)])
					continue
				}
				r := recs[at]
				if noise && i%3 == 0 {
					other := recs[(at+7)%len(recs)]
					if err := e.Put(Record{r.ID, other.Values}); err != nil {
						t.Fatal(err)
					}
					if i%2 == 0 {
						e.Delete(r.ID)
					}
					e.Same(r.ID, recs[0].ID)
					e.Withdraw(recs[0].ID, r.ID)
				}
				if err := e.Put(r); err != nil {
					t.Fatal(err)
				}
			}
			// A withdrawn word may have been one that holds: say all again.
			for _, w := range said {
				say(w)
			}
			return e.Clusters()
		}
		straight := straightInts(len(recs) + len(said))
		// Also where few are many: keys are long, and what the records of some names have is nobody's own.
		long := rapid.SampledFrom([]int{1, 2, 3, 4, 6, Long}).Draw(t, "long")
		engine := func() *Engine {
			e := NewEngine(m)
			e.index.long = uint32(long)
			return e
		}
		want := run(engine(), straight, false)
		got := run(engine(), rapid.Permutation(straight).Draw(t, "order"), true)
		if fmt.Sprint(want) != fmt.Sprint(got) {
			t.Fatalf("the clusters depend on the order:\n%v\n%v", want, got)
		}
		if len(said) == 0 {
			all, err := m.cluster(context.Background(), recs, long)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(want) != fmt.Sprint(all) {
				t.Fatalf("the stream gives other clusters than the batch:\n%v\n%v", want, all)
			}
		}
		for _, w := range said {
			if !w.same && slices.Contains(clusterOf(want, w.a), w.b) && w.a != w.b {
				t.Fatalf("%s and %s are different by a person's word, and in one cluster", w.a, w.b)
			}
		}
	})
}

// clusterOf is the cluster of an id.
func clusterOf(clusters [][]string, id string) []string {
	for _, c := range clusters {
		if slices.Contains(c, id) {
			return c
		}
	}
	return nil
}

func TestEngine_withdrawnWordGivesTheClustersBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields, recs := families(t)
		m, err := Learn(context.Background(), fields, recs)
		if err != nil {
			t.Fatal(err)
		}
		e := NewEngine(m)
		for _, r := range recs {
			if err := e.Put(r); err != nil {
				t.Fatal(err)
			}
		}
		before := fmt.Sprint(e.Clusters())
		a, b := rapid.SampledFrom(recs).Draw(t, "a").ID, rapid.SampledFrom(recs).Draw(t, "b").ID
		if rapid.Bool().Draw(t, "same") {
			e.Same(a, b)
			if a != b && !slices.Contains(e.Cluster(a), b) {
				t.Fatalf("%s and %s are one by a person's word, and apart", a, b)
			}
		} else {
			e.Different(a, b)
		}
		e.Withdraw(b, a)
		if after := fmt.Sprint(e.Clusters()); after != before {
			t.Fatalf("a withdrawn word leaves a trace:\n%s\n%s", before, after)
		}
	})
}

func TestModel_bytesComeBackAndOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fields, recs := families(t)
		m, err := Learn(context.Background(), fields, recs)
		if err != nil {
			t.Fatal(err)
		}
		n, err := Learn(context.Background(), fields, rapid.Permutation(recs).Draw(t, "order"))
		if err != nil || n.Version() != m.Version() {
			t.Fatalf("another order, another model: %v", err)
		}
		back, err := Load(m.Bytes())
		if err != nil || back.Version() != m.Version() {
			t.Fatalf("a model does not come back from its bytes: %v", err)
		}
		x, err1 := m.Cluster(context.Background(), recs)
		y, err2 := back.Cluster(context.Background(), recs)
		if err1 != nil || err2 != nil || fmt.Sprint(x) != fmt.Sprint(y) {
			t.Fatalf("a model read back clusters otherwise: %v %v", err1, err2)
		}
	})
}

func TestCompare_figures(t *testing.T) {
	truth := map[string]string{"a": "1", "b": "1", "c": "1", "d": "2", "e": "2", "f": "3"}
	m := Compare(truth, map[string]string{"a": "x", "b": "x", "c": "y", "d": "y", "e": "y", "f": "z"})
	if m.True != 4 || m.Found != 4 || m.Right != 2 || m.Largest != 3 || m.F1() != .5 {
		t.Fatalf("%+v", m)
	}
	// By hand: precision (1+1+1/3+2/3+2/3+1)/6, recall (2/3+2/3+1/3+1+1+1)/6.
	if p, r := m.B3Precision, m.B3Recall; p < .7777 || p > .7778 || r < .7777 || r > .7778 {
		t.Fatalf("B³ %f %f", p, r)
	}
	if m := Compare(truth, truth); m.F1() != 1 || m.B3() < .999999 {
		t.Fatalf("%+v", m)
	}
}
