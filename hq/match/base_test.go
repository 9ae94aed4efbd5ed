package match

import (
	"context"
	"fmt"
	"testing"
)

// asCustomers maps registrations of the dealers' sample onto CustomerFields.
func asCustomers(s set) set {
	out := set{name: s.name + "-base", fields: CustomerFields(), truth: s.truth}
	at := map[string]int{}
	for i, f := range s.fields {
		at[f.Column] = i
	}
	for _, r := range s.records {
		get := func(c string) string { return r.Values[at[c]] }
		name, other := get("name"), ""
		if firm := get("company"); clean(firm) != "" && clean(firm) != "私人" {
			name, other = firm, name
		}
		out.records = append(out.records, Record{r.ID, []string{name, other, get("phone"), get("id_card_last4"), "", get("address"), "", "", get("plate"), get("vin"), ""}})
	}
	return out
}

// The base model has never seen the records of the dealers' sample: what it joins there is
// right, nearly always.
func TestBase_dealersSample(t *testing.T) {
	m, err := Base()
	if err != nil {
		t.Fatal(err)
	}
	if len(base) > 300_000 {
		t.Errorf("the base model has %d bytes", len(base))
	}
	if m.Population() != 1_000_000 {
		t.Errorf("the base model is for %d records", m.Population())
	}
	var s set
	for _, x := range sharedSets(t) {
		if x.name == "dealer-zh" {
			s = asCustomers(x)
		}
	}
	cs, err := m.Cluster(context.Background(), s.records)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range cs {
		for _, id := range c {
			got[id] = c[0]
		}
	}
	x := Compare(s.truth, got)
	t.Logf("P %.4f R %.4f F1 %.4f largest %d", x.Precision(), x.Recall(), x.F1(), x.Largest)
	if x.Precision() < .99 || x.Recall() < .95 {
		t.Errorf("the base model reaches precision %.4f and recall %.4f", x.Precision(), x.Recall())
	}
}

// Two who share a car, or a telephone too, are one where their names agree as one person's
// do; an equal national id is more than their names.
func TestBase_names(t *testing.T) {
	m, err := Base()
	if err != nil {
		t.Fatal(err)
	}
	read := func(id, name, tel, token string) *Prepared {
		t.Helper()
		p, err := m.Prepare(Record{id, []string{name, "", tel, "", token, "", "", "", "沪A12345", "LSVAM41A2EE000123", "person"}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, x := range []struct {
		a, b           string
		car, tel, byID bool // one with a car in common, a telephone too, and an id as well
	}{
		{"Sophie Evans", "Evans, Sophie", true, true, true},
		{"Sophie Evans", "S. Evans", true, true, true},
		{"张梦涵", "Zhang Menghan", true, true, true},
		{"张梦涵", "张小姐", true, true, true},
		{"Robert Carter", "Sophie Evans", false, false, true},
		{"Robert Carter", "Sophie Carter", false, false, true},
		{"张梦涵", "Li Boxin", false, false, true},
		{"张梦涵", "张梦洁", false, false, true},
		{"张梦涵", "李波鑫", false, false, false}, // kept apart whatever they have in common
	} {
		car := m.Score(read("a", x.a, "", ""), read("b", x.b, "", ""))
		tel := m.Score(read("a", x.a, "13912345678", ""), read("b", x.b, "13912345678", ""))
		id := m.Score(read("a", x.a, "", "f00d1234"), read("b", x.b, "", "f00d1234"))
		if car.Joins() != x.car || tel.Joins() != x.tel || id.Joins() != x.byID {
			t.Errorf("%s and %s: with one car %d, with one telephone too %d, with one id %d (veto %v)", x.a, x.b, car.Score(), tel.Score(), id.Score(), id.Veto)
		}
	}
}

// A company may register more often than Alarm; its registrations stay together.
func TestBase_largeCustomer(t *testing.T) {
	m, err := Base()
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"上海科东海科技有限公司", "科东海科技", "上海市科东海科技有限公司", "Kedonghai Technology (Shanghai) Co.,Ltd", "科東海科技(上海)有限公司"}
	e := NewEngine(m)
	for i := range 3 * Alarm {
		r := Record{fmt.Sprintf("r%03d", i), []string{names[i%len(names)], "", []string{"13812345670", "13987654321", ""}[i%3], []string{"9W26", ""}[i%2], "", []string{"静安世纪大道566弄27-3207", ""}[i/2%2], "", "", "", fmt.Sprintf("LHG365UW1T4%06d", i%30), "company"}}
		if err := e.Put(r); err != nil {
			t.Fatal(err)
		}
	}
	if got := e.Clusters(); len(got) != 1 {
		t.Errorf("one company stands in %d clusters, the first of %d", len(got), len(got[0]))
	}
}
