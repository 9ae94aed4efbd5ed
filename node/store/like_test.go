package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// like gives who is named, as "name: what agrees! what differs".
func (b *bench) like(d Draft) []string {
	b.t.Helper()
	if d.Customer == nil {
		d.Customer = &branchlinev1.Customer{}
	}
	found, err := b.FindLike(b.t.Context(), d, 5)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, l := range found {
		out = append(out, fmt.Sprintf("%s: %s! %s", l.Record.GetCustomer().GetName(), strings.Join(l.Agrees, " "), strings.Join(l.Differs, " ")))
	}
	return out
}

func TestFindLike(t *testing.T) {
	b := open(t, "pd", 11)
	put := func(c *branchlinev1.Customer, more ...func(*branchlinev1.Customer)) string {
		for _, f := range more {
			f(c)
		}
		return b.put(Edit{Message: c}).ID.String()
	}
	born := func(day string) func(*branchlinev1.Customer) {
		return func(c *branchlinev1.Customer) { c.Birthday = &day }
	}
	hash := []byte(strings.Repeat("h", 32))
	wang := put(customer("王小明", "138 1234 5001"), func(c *branchlinev1.Customer) { c.IdHash, c.IdLast = hash, proto.String("002X") })
	put(customer("李芳", "13812345001")) // of one household
	put(customer("欧阳修", "021-39844682转729"))
	put(customer("陳艷薇", "13911110001"), born("1980-02-03"))
	put(customer("Zhang Wei", "13911110002"), born("1975-05-06"))
	for i := range 30 {
		put(customer("张伟", fmt.Sprintf("1370000%04d", i)), born(fmt.Sprintf("19%02d-01-01", 60+i)))
	}
	gone := put(customer("何平", "13911110009"))
	b.put(Edit{Message: &branchlinev1.Customer{RetiredAt: proto.Int64(b.now.UnixMilli())}, ID: recordID(t, gone), Mask: []string{"retired_at"}, Etag: b.get(recordID(t, gone)).GetEtag()})
	car := b.put(Edit{Message: &branchlinev1.Vehicle{Vin: proto.String("LSVAA4187E2184847"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A8K362")}}}}).ID.String()
	b.put(Edit{Message: &branchlinev1.Tie{Customer: &wang, Vehicle: &car, Role: branchlinev1.TieRole_OWNER.Enum()}})

	for name, x := range map[string]struct {
		d    Draft
		want []string
	}{
		"nothing typed":             {Draft{}, nil},
		"a phone":                   {Draft{Customer: customer("", "+86 138-1234-5001")}, []string{"李芳: phone! ", "王小明: phone! "}},
		"half a phone":              {Draft{Customer: customer("", "138123450")}, nil},
		"a phone and a name":        {Draft{Customer: customer("王小明", "13812345001")}, []string{"王小明: phone name! ", "李芳: phone! name"}},
		"another at that phone":     {Draft{Customer: customer("赵六", "13812345001")}, []string{"李芳: phone! name", "王小明: phone! name"}},
		"a landline, no area":       {Draft{Customer: customer("", "39844682")}, []string{"欧阳修: phone! "}},
		"a rare name":               {Draft{Customer: customer("歐陽修")}, []string{"欧阳修: name! "}},
		"a name of many":            {Draft{Customer: customer("张伟")}, nil},
		"a name of many, and a day": {Draft{Customer: &branchlinev1.Customer{Name: proto.String("张伟"), Birthday: proto.String("1970-01-01")}}, []string{"张伟: name birthday! "}},
		"traditional":               {Draft{Customer: customer("陈艳薇")}, []string{"陳艷薇: name! "}},
		"it sounds the same":        {Draft{Customer: customer("陈燕薇")}, nil},
		"it sounds the same, and a day": {
			Draft{Customer: &branchlinev1.Customer{Name: proto.String("陈燕薇"), Birthday: proto.String("1980-02-03")}},
			[]string{"陳艷薇: birthday pinyin! "},
		},
		"written in Latin letters": {
			Draft{Customer: &branchlinev1.Customer{Name: proto.String("张薇"), Birthday: proto.String("1975-05-06")}},
			[]string{"Zhang Wei: birthday pinyin! ", "张伟: birthday pinyin! "}[:1],
		},
		"a title is no name": {Draft{Customer: customer("王先生")}, nil},
		"an id":              {Draft{Customer: &branchlinev1.Customer{IdHash: hash}}, []string{"王小明: national_id! "}},
		"a name, another id": {Draft{Customer: &branchlinev1.Customer{Name: proto.String("王小明"), IdHash: []byte(strings.Repeat("x", 32))}}, nil},
		"a plate":            {Draft{Plate: "沪a·8k362"}, []string{"王小明: plate! "}},
		"a VIN and a name":   {Draft{VIN: "lsvaa4187e2184847", Customer: customer("王小明")}, []string{"王小明: name vin! "}},
		"who has retired":    {Draft{Customer: customer("何平", "13911110009")}, nil},
		"a placeholder":      {Draft{Customer: customer("", "13888888888")}, nil},
	} {
		got := b.like(x.d)
		slices.Sort(got)
		slices.Sort(x.want)
		if !slices.Equal(got, x.want) {
			t.Errorf("%s: %q, want %q", name, got, x.want)
		}
	}
	if got := b.like(Draft{Customer: customer("王小明", "13812345001")}); len(got) != 2 || got[0] != "王小明: phone name! " {
		t.Errorf("the likeliest is not first: %q", got)
	}
}

func recordID(t testing.TB, s string) schema.RecordID {
	t.Helper()
	id, err := schema.ParseRecordID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// Who is one customer here already is named once, with what agrees with any of its records.
func TestFindLike_namesAGroupOnce(t *testing.T) {
	b := open(t, "pd", 11)
	a, c := b.mint(), b.mint()
	b.page(&wirev1.Page{Epoch: 7, HqRev: 3, LastRev: 3, Full: true, Rows: []*wirev1.Row{
		recordRow(1, a, schema.Customer, "xh", foreignState(t, "xh", 5, 1, b.now, customer("王小明", "13812345001"))),
		recordRow(2, c, schema.Customer, "xh", foreignState(t, "xh", 5, 2, b.now, customer("王晓明", "13812345002"))),
		{Row: wirev1.RowKind_GROUP, Rev: 3, Record: a[:], Members: [][]byte{a[:], c[:]}},
	}})
	found, err := b.FindLike(t.Context(), Draft{Customer: customer("王小明", "13812345002")}, 5)
	if err != nil || len(found) != 1 {
		t.Fatalf("%d found, %v", len(found), err)
	}
	if !slices.Equal(found[0].Agrees, []string{LikePhone, LikeName, LikePinyin}) || len(found[0].Differs) > 0 || len(found[0].Record.GetCustomer().GetPhones()) != 2 {
		t.Errorf("%v, %v, %d phones", found[0].Agrees, found[0].Differs, len(found[0].Record.GetCustomer().GetPhones()))
	}
}

// How long a clerk waits, with 80,000 records here: go test -run xxx -bench FindLike ./node/store
func BenchmarkFindLike(b *testing.B) {
	br := open(b, "pd", 11)
	for _, p := range feedOf(b, 20000, 60000, true) {
		br.page(p)
	}
	full := customer("王小明", "13800007919")
	full.Birthday, full.Emails = proto.String("1980-01-02"), []string{"a.b1@example.net"}
	for name, d := range map[string]Draft{
		"phone": {Customer: customer("", "13800007919")}, "name": {Customer: customer("王小明")}, "everything": {Customer: full, Plate: "沪A8K362", VIN: "WAUZZZ8K1DA006278"},
		"stranger": {Customer: customer("赵钱孙", "19999999991")},
	} {
		b.Run(name, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := br.FindLike(b.Context(), d, 8); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
