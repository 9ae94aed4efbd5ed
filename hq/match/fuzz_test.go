package match

import (
	"bytes"
	"context"
	"testing"
	"testing/fstest"

	"branchline/schema/mapfile"
)

// A file that is no model is refused; one that is can be used, and comes back the same.
func FuzzLoad(f *testing.F) {
	fields := []Field{{"name", Name}, {"phone", Phone}, {"born", Birthday}, {"note", Text}, {"at", Address}}
	var recs []Record
	for i, v := range [][]string{{"王伟", "13812340001", "1980-01-02", "red car", "张江路509号"}, {"Wang Wei", "13812340001", "", "a red car", "张江路509号1室"}, {"李娜", "", "1975-05-05", "", ""}} {
		recs = append(recs, Record{string(rune('a' + i)), v})
	}
	m, err := Learn(context.Background(), fields, recs)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(m.Bytes())
	f.Add([]byte(`{"format":2}`))
	f.Add(bytes.ReplaceAll(m.Bytes(), []byte("-"), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Load(b)
		if err != nil {
			return
		}
		again, err := Load(m.Bytes())
		if err != nil || again.Version() != m.Version() {
			t.Fatalf("a model does not come back from its bytes: %v", err)
		}
		a, b2 := Record{ID: "a", Values: make([]string, len(m.Fields()))}, Record{ID: "b", Values: make([]string, len(m.Fields()))}
		for i := range a.Values {
			a.Values[i], b2.Values[i] = "王伟 13812340001 1980-01-02", "wang wei 13812340001"
		}
		if _, err := m.Explain(a, b2, func(key uint64) bool { return key&4 > 0 }); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Cluster(context.Background(), []Record{a, b2}); err != nil {
			t.Fatal(err)
		}
	})
}

// Whatever stands in a file, it is refused or read: each record with an id of its own and
// a value for each field, which can be taken apart.
func FuzzReadFile(f *testing.F) {
	m, err := mapfile.Named("match-dealer-zh")
	if err != nil {
		f.Fatal(err)
	}
	head := "branch,local_id,name,phone,id_card_last4,address,plate,vin,company,truth_id,updated_at\n"
	f.Add([]byte(head + "SH-PD,PD1,捷捷电子,021-39844682,ma14,宝山漕溪北路881弄15-1906,,LRWRL34EXS4494463,,S0094,2026-03-30T09:53:32+08:00\n"))
	f.Add([]byte(head + "A,1,\"王\n伟\",,,,,,,,\nA,1,x,,,,,,,,\n"))
	f.Add([]byte("\ufeff" + head + ",,,,,,,,,,\n"))
	f.Add([]byte{0xff, 0xfe, 'a', 0, ',', 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		fields, records, err := ReadFile(fstest.MapFS{"in.csv": {Data: b}}, "in.csv", m)
		if err != nil {
			return
		}
		c, err := comparisons(fields)
		if err != nil || len(records) == 0 {
			t.Fatalf("%d records: %v", len(records), err)
		}
		seen := map[string]bool{}
		for _, r := range records {
			if r.ID == "" || seen[r.ID] || len(r.Values) != len(fields) {
				t.Fatalf("a record that should have been refused: %+v", r)
			}
			seen[r.ID] = true
			x := &Model{fields: fields, cmp: c, parties: 1, population: 1, single: make([][classes]Bits, len(c))}
			p, err := x.sheet(r)
			if err != nil {
				t.Fatal(err)
			}
			for k := range c {
				c[k].compare(&p.vals[k], &p.vals[k])
			}
		}
	})
}
