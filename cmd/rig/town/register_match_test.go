package town

import (
	"context"
	"fmt"
	"testing"

	"branchline/hq/match"
)

// Registrations of other seeds than the base model's, as a file with a company column:
// what the matcher learns from them alone, and how many families it takes for one.
func TestCounters_matched(t *testing.T) {
	fields := []match.Field{
		{Column: "name", Type: match.Name},
		{Column: "phone", Type: match.Phone},
		{Column: "last4", Type: match.Last4},
		{Column: "address", Type: match.Address},
		{Column: "plate", Type: match.Plate},
		{Column: "vin", Type: match.VIN},
		{Column: "company", Type: match.Company},
	}
	base, err := match.Base()
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range []uint64{5, 6} {
		c, err := NewCounters(seed, 350)
		if err != nil {
			t.Fatal(err)
		}
		var file, customers []match.Record
		truth := map[string]string{}
		for _, o := range c.Order() {
			r := c.Registration(int(o[0]), int(o[1]))
			file = append(file, match.Record{ID: r.ID, Values: []string{r.Name, r.Phones, r.Last4, r.Address, r.Plates, r.VINs, r.Company}})
			customers = append(customers, match.Record{ID: r.ID, Values: r.Values()})
			truth[r.ID] = fmt.Sprint(r.Truth)
		}
		learned, err := match.Learn(context.Background(), fields, file)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			name    string
			m       *match.Model
			records []match.Record
			f1, p   float64
		}{{"learned", learned, file, .95, .96}, {"base", base, customers, .97, .975}} {
			clusters, err := x.m.Cluster(context.Background(), x.records)
			if err != nil {
				t.Fatal(err)
			}
			got, who := map[string]string{}, map[string]map[string]bool{}
			for _, g := range clusters {
				for _, id := range g {
					got[id] = g[0]
					if who[g[0]] == nil {
						who[g[0]] = map[string]bool{}
					}
					who[g[0]][truth[id]] = true
				}
			}
			families, one := 0, 0
			for _, f := range c.Family() {
				families++
				for _, w := range who {
					if w[fmt.Sprint(f[0])] && w[fmt.Sprint(f[1])] {
						one++
						break
					}
				}
			}
			v := match.Compare(truth, got)
			t.Logf("seed %d, %-7s %d records: P %.4f R %.4f F1 %.4f, largest %d; of %d families %d are taken for one", seed, x.name, v.Records, v.Precision(), v.Recall(), v.F1(), v.Largest, families, one)
			if v.F1() < x.f1 || v.Precision() < x.p {
				t.Errorf("seed %d, %s: precision %.4f, F1 %.4f", seed, x.name, v.Precision(), v.F1())
			}
		}
	}
}
