package index_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/index"
	"branchline/schema/sql"
)

const tables = `-- +goose Up
CREATE TABLE term (k TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (k, n)) WITHOUT ROWID;
CREATE VIRTUAL TABLE word USING fts5 (name, text, content = '', contentless_delete = 1, tokenize = "unicode61 remove_diacritics 2");
`

func TestFind_findsEveryRecordByWhatReadGave(t *testing.T) {
	db, err := sql.Open(t.Context(), sql.Config{Path: filepath.Join(t.TempDir(), "a.db"), Migrations: fstest.MapFS{"1_index.sql": {Data: []byte(tables)}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	for n, m := range []proto.Message{
		1: &branchlinev1.Customer{Name: proto.String("单小明"), Phones: []*branchlinev1.Phone{{Number: proto.String("+86 138-0000-1234")}}, Emails: []string{"ming@example.com"}},
		2: &branchlinev1.Customer{Name: proto.String("歐陽修"), OtherNames: []string{"醉翁"}, CreditCode: proto.String("91310000MA1FL0XXXX")},
		3: &branchlinev1.Customer{Name: proto.String("Wang Xiao Ming"), Phones: []*branchlinev1.Phone{{Number: proto.String("13800001234 13900005678")}}},
		4: &branchlinev1.Vehicle{Vin: proto.String("wauzzz8k1da006278"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A·12345")}, {Plate: proto.String("沪AD12345")}}},
		5: &branchlinev1.ServiceOrder{Number: proto.String("SH01a-261121-0042-K")},
	} {
		if m == nil {
			continue
		}
		raw, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		e := index.Read(schema.KindOfMessage(m), raw)
		for _, k := range e.Terms {
			if _, err := db.W.ExecContext(t.Context(), "INSERT INTO term (k, n) VALUES ($1, $2)", k, n); err != nil {
				t.Fatal(err)
			}
		}
		if e.WordSum() == 0 {
			continue
		}
		if _, err := db.W.ExecContext(t.Context(), "INSERT INTO word (rowid, name, text) VALUES ($1, $2, $3)", n, e.NameWords(), e.TextWords()); err != nil {
			t.Fatal(err)
		}
	}
	for q, want := range map[string]map[int64]string{
		"单小明": {1: index.ByName}, "單小明": {1: index.ByName}, "小明": {1: index.ByName}, "shanxiaoming": {1: index.ByName}, "sxm": {1: index.ByName},
		"欧阳修": {2: index.ByName}, "ouyang": {2: index.ByName}, "醉翁": {2: index.ByName},
		"xiao ming": {3: index.ByName}, "阳修 醉": {2: index.ByName},
		"00001234":    {1: index.ByPhone, 3: index.ByPhone},
		"13900005678": {3: index.ByPhone}, "8613800001234": {1: index.ByPhone, 3: index.ByPhone},
		"1DA006278": {4: index.ByVIN}, "沪A12345": {4: index.ByPlate}, "沪AD12345": {4: index.ByPlate},
		"sh01a2611210042k": {5: index.ByNumber}, "ma1fl0xxxx": {2: index.ByNumber},
		"ming@example.com": {1: index.ByText},
		"单小明 1234":         {1: index.ByPhone},
		"nobody at all":    {}, "   ": {}, `"*(`: {},
		"修醉": {}, "小明 歐陽": {}, // not out of two names, nor of two records
	} {
		got, _, err := index.Find(t.Context(), db.R, index.Parse(q))
		if err != nil {
			t.Errorf("%q: %v", q, err)
			continue
		}
		for n, by := range want {
			if got[n].Matched != by {
				t.Errorf("%q finds %v, want %d by %s", q, got, n, by)
			}
		}
		if len(want) == 0 && len(got) != 0 {
			t.Errorf("%q finds %v", q, got)
		}
	}
}

func TestTells_isAboutFieldsNotKinds(t *testing.T) {
	customer := schema.KindOf(schema.Customer)
	phones := func(f *schema.FieldInfo) bool { return f.Name == "phones" }
	if !index.Tells(customer, index.ByPhone, phones) || index.Tells(customer, index.ByName, phones) || index.Tells(schema.KindOf(schema.Vehicle), index.ByPlate, phones) {
		t.Error("what a hit tells of a hidden phone")
	}
}

func TestTerms_ofWholeThingsAreThoseOfRecords(t *testing.T) {
	raw, err := proto.Marshal(&branchlinev1.Vehicle{Vin: proto.String("WAUZZZ8K1DA006278"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A12345")}}})
	if err != nil {
		t.Fatal(err)
	}
	terms := strings.Join(index.Read(schema.KindOf(schema.Vehicle), raw).Terms, " ")
	for _, k := range []string{index.VINTerm(" wauzzz8k1da006278"), index.PlateTerm("沪a·12345")} {
		if k == "" || !strings.Contains(terms, k) {
			t.Errorf("%q is not among %q", k, terms)
		}
	}
	if index.VINTerm("") != "" || index.PlateTerm(" ") != "" {
		t.Error("a term of nothing")
	}
}

// Who is clocked on to a line is found by it, until they have left.
func TestFacet_WhoIsClockedOn(t *testing.T) {
	k := schema.KindOf(schema.ServiceLine)
	at := func(who string, until int64) *branchlinev1.Clocking {
		return &branchlinev1.Clocking{Technician: &who, From: proto.Int64(1), Until: &until}
	}
	open := &branchlinev1.Clocking{Technician: proto.String("LQ"), From: proto.Int64(5)}
	for _, x := range []struct {
		clockings []*branchlinev1.Clocking
		want      []string
	}{
		{nil, nil},
		{[]*branchlinev1.Clocking{at("LQ", 4)}, nil},
		{[]*branchlinev1.Clocking{at("LQ", 4), open, at("WF", 6), at("ZM", 0)}, []string{"LQ", "ZM"}},
	} {
		msg, err := proto.Marshal(&branchlinev1.ServiceLine{Clockings: x.clockings})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, who := range x.want {
			want = append(want, index.FacetTerm(k.Field("clockings"), who))
		}
		if e := index.Read(k, msg); !slices.Equal(e.Facets, want) || len(e.Terms) > 0 {
			t.Errorf("%v is found by %v and %v, want %v", x.clockings, e.Facets, e.Terms, want)
		}
	}
}
