package match

import (
	"context"
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
