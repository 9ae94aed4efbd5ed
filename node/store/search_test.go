package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
	pages "branchline/schema/page"
	"branchline/schema/sql/sqltest"
)

func (b *bench) search(q string, kinds ...schema.Kind) (ids []string, matched []string) {
	b.t.Helper()
	hits, _, err := b.Search(context.Background(), Asked{Query: q, Kinds: kinds, Limit: 50, Today: "2026-11-22"})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, h := range hits {
		_, id, _ := schema.ParseName(h.Record.GetName())
		ids = append(ids, id.String())
		matched = append(matched, h.Matched)
	}
	return ids, matched
}

func TestSearch(t *testing.T) {
	b := open(t, "pd", 11)
	ids := map[string]string{}
	add := func(name string, m proto.Message) { ids[name] = b.put(Edit{Message: m}).ID.String() }
	add("欧阳修", customer("欧阳修", "138 1234 5678"))
	add("王伟", customer("王伟", "021-39844682转729"))
	add("王伟强", customer("王偉強", "+86 139 8765 4321"))
	add("李艳燕", customer("李艳燕"))
	add("单小明", customer("单小明"))
	add("吕红", customer("吕红"))
	add("John", customer("John Smith"))
	add("公司", &branchlinev1.Customer{Name: proto.String("上海大众汽车租赁有限公司"), Addresses: []*branchlinev1.Address{{City: proto.String("上海"), Street: proto.String("淮海中路1号")}}})
	add("沪A8K362", &branchlinev1.Vehicle{Vin: proto.String("WAUZZZ8K1DA006278"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A8K362")}}, Model: proto.String("奥迪A4L")})
	add("沪AD12345", &branchlinev1.Vehicle{Vin: proto.String("5YJ3E1EAXHF000316"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪AD12345")}}})
	add("订单", &branchlinev1.ServiceOrder{Number: proto.String("SH01a-261121-0042-K")})
	for _, c := range []struct{ q, want, matched string }{
		{"欧阳", "欧阳修", "name"},
		{"歐陽", "欧阳修", "name"},
		{"阳修", "欧阳修", "name"},
		{"ouyang", "欧阳修", "name"},
		{"ouyangxiu", "欧阳修", "name"},
		{"ou yang xiu", "欧阳修", "name"},
		{"oyx", "欧阳修", "name"},
		{"艳燕", "李艳燕", "name"},
		{"shanxiaoming", "单小明", "name"},
		{"lvhong", "吕红", "name"},
		{"luhong", "吕红", "name"},
		{"smith", "John", "name"},
		{"SMI", "John", "name"},
		{"大众 租赁", "公司", "name"},
		{"淮海中路", "公司", "text"},
		{"5678", "欧阳修", "phone"},
		{"13812345678", "欧阳修", "phone"},
		{"138 1234 5678", "欧阳修", "phone"},
		{"+86 138-1234-5678", "欧阳修", "phone"},
		{"39844682", "王伟", "phone"},
		{"4321", "王伟强", "phone"},
		{"沪A8K362", "沪A8K362", "plate"},
		{"沪a·8k362", "沪A8K362", "plate"},
		{"8K362", "沪A8K362", "plate"},
		{"沪AD1", "沪AD12345", "plate"},
		{"滬AD12345", "沪AD12345", "plate"},
		{"006278", "沪A8K362", "vin"},
		{"1DA006278", "沪A8K362", "vin"},
		{"wauzzz8k1da006278", "沪A8K362", "vin"},
		{"000316", "沪AD12345", "vin"},
		{"SH01a-261121-0042-K", "订单", "number"},
		{"sh01a 261121 0042 k", "订单", "number"},
		{"0042-k", "订单", "number"},
		{"王 4321", "王伟强", "phone"},
		{"a4l", "沪A8K362", "text"},
	} {
		got, matched := b.search(c.q)
		if len(got) == 0 || got[0] != ids[c.want] || matched[0] != c.matched {
			t.Errorf("%q finds %d, first by %v; want %s by %s", c.q, len(got), matched, c.want, c.matched)
		}
	}
	// The whole name before one that only begins with it, whichever is newer.
	if got, _ := b.search("王伟"); len(got) != 2 || got[0] != ids["王伟"] || got[1] != ids["王伟强"] {
		t.Errorf("王伟 finds %v", got)
	}
	for _, q := range []string{"", " ", "*", `"`, "AND", "name:x", "(", "不存在", "99999"} {
		if got, _ := b.search(q); len(got) != 0 {
			t.Errorf("%q finds %d", q, len(got))
		}
	}
	if got, _ := b.search("欧阳", schema.Vehicle); len(got) != 0 {
		t.Error("a customer among vehicles")
	}
}

func TestSearch_FollowsEdits(t *testing.T) {
	b := open(t, "pd", 11)
	id := b.put(Edit{Message: customer("王小明", "13812345678")}).ID
	b.setName(id, "李晓红")
	b.put(Edit{ID: id, Message: customer("", "13900001111"), Mask: []string{"phones"}, Etag: b.get(id).GetEtag()})
	for q, want := range map[string]int{"王小明": 0, "李晓红": 1, "13812345678": 0, "1111": 1} {
		if got, _ := b.search(q); len(got) != want {
			t.Errorf("%q finds %d, want %d", q, len(got), want)
		}
	}
	b.put(Edit{ID: id, Message: &branchlinev1.Customer{RetiredAt: proto.Int64(1)}, Mask: []string{"retired_at"}, Etag: b.get(id).GetEtag()})
	other := b.put(Edit{Message: customer("李晓红")}).ID.String()
	if got, _ := b.search("李晓红"); len(got) != 2 || got[0] != other {
		t.Error("a retired record comes first, or not at all")
	}
}

func TestList_Pages(t *testing.T) {
	b := open(t, "pd", 11)
	v := b.put(Edit{Message: &branchlinev1.Vehicle{Model: proto.String("A4")}}).ID
	states := []branchlinev1.OrderState{branchlinev1.OrderState_RECEIVED, branchlinev1.OrderState_SETTLED}
	for i := range 25 {
		o := &branchlinev1.ServiceOrder{Number: proto.String(fmt.Sprintf("N%02d", (i*7)%25)), Day: proto.String(fmt.Sprintf("2026-01-%02d", 1+i%9)), State: &states[i%2]}
		if i%5 == 0 {
			o.Vehicle = proto.String(v.String())
		}
		b.put(Edit{Message: o})
	}
	orders := schema.KindOf(schema.ServiceOrder)
	all := func(q pages.Query) (out []string) {
		q.Kind = orders
		for range 30 {
			rs, next, err := b.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range rs {
				out = append(out, r.GetServiceOrder().GetNumber())
			}
			if next == "" {
				return out
			}
			q.Token = next
		}
		t.Fatal("pages without end")
		return nil
	}
	for _, order := range pages.Orders(orders) {
		got := all(pages.Query{OrderBy: order, Size: 4})
		if s := slices.Sorted(slices.Values(got)); len(s) != 25 || len(slices.Compact(s)) != 25 {
			t.Errorf("%s: %d orders", order, len(got))
		}
		if order == "number" && !slices.IsSorted(got) {
			t.Errorf("by number: %v", got)
		}
	}
	if got := all(pages.Query{Size: 3, Vehicles: []schema.RecordID{v}}); len(got) != 5 {
		t.Errorf("of the car: %v", got)
	}
	if got := all(pages.Query{Size: 3, State: int64(branchlinev1.OrderState_SETTLED), DayFrom: "2026-01-03", DayTo: "2026-01-04"}); len(got) == 0 || len(got) > 6 {
		t.Errorf("settled on two days: %v", got)
	}
	if got := all(pages.Query{Home: "xh"}); len(got) != 0 {
		t.Errorf("of another branch: %v", got)
	}
	_, next, err := b.List(t.Context(), pages.Query{Kind: orders, Size: 3})
	if err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]pages.Query{
		"a token of another filter": {Kind: orders, Token: next, Home: "pd"},
		"a broken token":            {Kind: orders, Token: "x" + next},
		"an unknown order":          {Kind: orders, OrderBy: "customer"},
		"a filter it has not":       {Kind: schema.KindOf(schema.Vehicle), DayFrom: "2026-01-01"},
		"no day":                    {Kind: orders, DayFrom: "yesterday"},
		"no kind":                   {},
	} {
		if _, _, err := b.List(t.Context(), q); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// The orders of a site in a state, and those of all sites, are read off an index, in the order of their days, and no
// other records.
func TestList_ByStateReadsAnIndex(t *testing.T) {
	b := open(t, "pd", 11)
	for _, c := range []struct {
		home   schema.BranchID
		order  string
		index  string
		sorted bool
	}{
		{"pd", "day desc", "INDEX record_state (kind=? AND home=? AND state=? AND retired=?", false},
		{"pd", "update_time desc", "INDEX record_state (kind=? AND home=? AND state=? AND retired=?", true},
		{"", "day desc", "INDEX record_state_any (kind=? AND state=? AND retired=?", false},
	} {
		l, err := pages.Query{Kind: schema.KindOf(schema.ServiceOrder), Home: c.home, State: int64(branchlinev1.OrderState_IN_WORK), DayFrom: "2026-01-01", OrderBy: c.order}.Check()
		if err != nil {
			t.Fatal(err)
		}
		text, args := listed(l)
		plan := sqltest.Plan(t, b.db.R, text, args...)
		if !strings.Contains(plan, c.index) {
			t.Errorf("%q %s:\n%s", c.home, c.order, plan)
		}
		inner, _, _ := strings.Cut(plan, "SEARCH record USING INTEGER PRIMARY KEY")
		if !c.sorted && strings.Contains(inner, "TEMP B-TREE") {
			t.Errorf("%q %s is sorted:\n%s", c.home, c.order, plan)
		}
	}
}

func TestGolden_FoldsMembers(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	mine := b.put(Edit{Message: customer("王小明", "13812345678")}).ID
	other, third := b.mint(), b.mint()
	h.edit(other, schema.Customer, b.values(&branchlinev1.Customer{Name: proto.String("王晓明"), Remark: proto.String("VIP"), Phones: customer("", "13812345678").Phones}), b.now.Add(1e9))
	h.edit(third, schema.Customer, b.values(customer("别人")), b.now)
	h.pass(0, 10, false)
	b.page(&wirev1.Page{HqRev: 99, LastRev: 99, Full: true, Rows: []*wirev1.Row{{Row: wirev1.RowKind_GROUP, Rev: 99, Kind: 4, Record: mine[:], Members: [][]byte{mine[:], other[:]}}}})
	r, err := b.Golden(t.Context(), mine)
	if err != nil {
		t.Fatal(err)
	}
	if c := r.GetCustomer(); c.GetName() != "王晓明" || c.GetRemark() != "VIP" || len(c.GetPhones()) != 1 || len(r.GetGroup()) != 2 || r.GetEtag() == "" {
		t.Fatalf("%v", r)
	}
	for _, s := range r.GetSources() {
		if want := schema.ResourceName(schema.Customer, other); s.GetField() == "name" && s.GetRecord() != want {
			t.Errorf("the name is from %s, not %s", s.GetRecord(), want)
		}
	}
	// Search lists them once, whichever of them fits, and counts them as one.
	for _, q := range []string{"王小明", "VIP", "13812345678", "王晓明"} {
		hits, more, err := b.Search(t.Context(), Asked{Query: q, Limit: 1})
		if q == "VIP" { // a remark is not searched
			if len(hits) != 0 {
				t.Errorf("%q: %v", q, hits)
			}
			continue
		}
		if err != nil || len(hits) != 1 || more || len(hits[0].Record.GetGroup()) != 2 || hits[0].Record.GetCustomer().GetRemark() != "VIP" {
			t.Errorf("%q: %v, more %v, %v", q, hits, more, err)
		}
	}
	// A pending edit of a member shows in the view.
	b.now = b.now.Add(2e9)
	b.setName(mine, "王小名")
	if r, _ := b.Golden(t.Context(), other); r.GetCustomer().GetName() != "王小名" {
		t.Errorf("%v", r.GetCustomer())
	}
	if g := b.get(other).GetGroup(); len(g) != 2 {
		t.Errorf("group %v", g)
	}
	// Split: no group any more.
	b.page(&wirev1.Page{HqRev: 100, LastRev: 100, Full: true, Rows: []*wirev1.Row{{Row: wirev1.RowKind_GROUP, Rev: 100, Kind: 4, Record: mine[:]}}})
	if r, _ := b.Golden(t.Context(), other); r.GetCustomer().GetName() != "王晓明" || len(r.GetGroup()) != 0 {
		t.Errorf("after the split: %v", r)
	}
}

func TestVehicleHistory_AcrossRecordsAndSites(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	vin := "WAUZZZ8K1DA006278"
	mine := b.put(Edit{Message: &branchlinev1.Vehicle{Vin: &vin, Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A8K362")}}}}).ID
	theirs, theirOrder := b.mint(), b.mint()
	h.edit(theirs, schema.Vehicle, b.values(&branchlinev1.Vehicle{Vin: &vin}), b.now)
	h.edit(theirOrder, schema.ServiceOrder, b.values(&branchlinev1.ServiceOrder{Number: proto.String("XH-1"), Vehicle: proto.String(theirs.String()), Day: proto.String("2025-03-01"), OdometerKm: proto.Int64(20000)}), b.now)
	h.pass(0, 10, false)
	o := b.put(Edit{Message: &branchlinev1.ServiceOrder{Number: proto.String("PD-1"), Vehicle: proto.String(mine.String()), Day: proto.String("2026-01-05")}}).ID
	b.put(Edit{Message: &branchlinev1.ServiceLine{Order: proto.String(o.String()), Position: proto.Int32(2), Item: proto.String("filter")}})
	b.put(Edit{Message: &branchlinev1.ServiceLine{Order: proto.String(o.String()), Position: proto.Int32(1), Item: proto.String("oil")}})
	reading := func(day string, km int64) string {
		id := b.put(Edit{Message: &branchlinev1.OdometerReading{Vehicle: proto.String(mine.String()), Day: &day, Km: &km}}).ID
		return schema.ResourceName(schema.OdometerReading, id)
	}
	reading("2024-01-01", 10000)
	low := reading("2025-06-01", 2500) // a digit lost: lower than one before
	reading("2026-01-05", 31000)
	for name, ask := range map[string]func() (*History, error){
		"by record": func() (*History, error) { return b.VehicleHistory(t.Context(), theirs, "", "") },
		"by vin": func() (*History, error) {
			return b.VehicleHistory(t.Context(), schema.RecordID{}, "wauzzz8k1da006278", "")
		},
		"by plate": func() (*History, error) { return b.VehicleHistory(t.Context(), schema.RecordID{}, "", "沪A·8K362") },
	} {
		hist, err := ask()
		if err != nil {
			t.Fatal(name, err)
		}
		if len(hist.Vehicles) != 2 || len(hist.Visits) != 2 || len(hist.Readings) != 3 {
			t.Fatalf("%s: %d cars, %d visits, %d readings", name, len(hist.Vehicles), len(hist.Visits), len(hist.Readings))
		}
		if v := hist.Visits[0]; v.Order.GetServiceOrder().GetNumber() != "PD-1" || len(v.Lines) != 2 || v.Lines[0].GetServiceLine().GetItem() != "oil" {
			t.Errorf("%s: first visit %v", name, v)
		}
		if !slices.Equal(hist.Doubtful, []string{low}) {
			t.Errorf("%s: doubtful %v", name, hist.Doubtful)
		}
	}
}

// However few hits are asked for, they are the first of all of them: groups are
// told once though their members stand far apart, and one joined by no more than a
// statement counts with the group it was stated to be in.
func TestSearch_FewAreTheFirstOfMany(t *testing.T) {
	b := open(t, "pd", 11)
	var ids []schema.RecordID
	for range 60 {
		b.now = b.now.Add(1e9)
		ids = append(ids, b.put(Edit{Message: customer("王小明")}).ID)
	}
	for _, pair := range [][2]int{{59, 3}, {58, 30}, {40, 41}} {
		members := [][]byte{ids[pair[0]][:], ids[pair[1]][:]}
		b.page(&wirev1.Page{HqRev: 99, LastRev: 99, Full: true, Rows: []*wirev1.Row{{Row: wirev1.RowKind_GROUP, Rev: 99, Kind: 4, Record: members[0], Members: members}}})
	}
	for _, of := range []int{3, 20} { // stated here, not yet grouped by headquarters
		b.now = b.now.Add(1e9)
		c := customer("王小明")
		c.SameAs = proto.String(ids[of].String())
		b.put(Edit{Message: c})
	}
	all, more, err := b.Search(t.Context(), Asked{Query: "王小明", Limit: 100})
	if err != nil || more || len(all) != 60-3 {
		t.Fatalf("%d hits, more %v, %v", len(all), more, err)
	}
	seen := map[string]bool{}
	for _, h := range all {
		for _, name := range append(h.Record.GetGroup(), h.Record.GetName()) {
			if seen[name] && name != h.Record.GetName() {
				t.Errorf("%s is told twice", name)
			}
			seen[name] = true
		}
	}
	if len(seen) != 62 {
		t.Errorf("%d of 62 records are told", len(seen))
	}
	for limit := 1; limit < len(all); limit += 5 {
		some, more, err := b.Search(t.Context(), Asked{Query: "王小明", Limit: limit})
		if err != nil || !more || len(some) != limit {
			t.Fatalf("%d of at most %d, more %v, %v", len(some), limit, more, err)
		}
		for i := range some {
			if some[i].Record.GetName() != all[i].Record.GetName() || len(some[i].Record.GetGroup()) != len(all[i].Record.GetGroup()) {
				t.Errorf("hit %d of at most %d is %s, not %s", i, limit, some[i].Record.GetName(), all[i].Record.GetName())
			}
		}
	}
}

// What came from elsewhere is found behind many own records, page by page, each once.
func TestList_Elsewhere(t *testing.T) {
	b := open(t, "pd", 11)
	h := newMiniHQ(b)
	want := map[string]bool{}
	foreign := func() {
		id := b.mint()
		b.now = b.now.Add(1e9)
		h.edit(id, schema.Customer, b.values(customer("别家的")), b.now)
		want[schema.ResourceName(schema.Customer, id)] = true
	}
	own := func(n int) {
		if _, err := b.PutAll(t.Context(), n, false, func(bt *Batch, _ int) error {
			_, err := bt.Put(Edit{Kind: schema.Customer, Message: customer("自家的"), Actor: "li", Role: branchlinev1.Role_ROLE_CLERK})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		b.now = b.now.Add(time.Hour)
	}
	foreign()
	own(lookFar + 100)
	foreign()
	own(5)
	both := b.put(Edit{Message: customer("先自家")}).ID // changed elsewhere since
	foreign()
	h.take(1<<20, func() bool { return false })
	h.edit(both, schema.Customer, b.values(&branchlinev1.Customer{Remark: proto.String("后别家")}), b.now.Add(time.Hour))
	want[schema.ResourceName(schema.Customer, both)] = true
	h.pass(0, 100, false)
	got := map[string]bool{}
	token, rounds := "", 0
	for {
		list, next, err := b.List(t.Context(), pages.Query{Kind: schema.KindOf(schema.Customer), Size: 2, Elsewhere: true, Token: token})
		if err != nil || len(list) > 2 {
			t.Fatalf("%d records, %v", len(list), err)
		}
		for _, r := range list {
			if got[r.GetName()] {
				t.Errorf("%s twice", r.GetName())
			}
			got[r.GetName()] = true
		}
		rounds++
		if token = next; token == "" {
			break
		}
		if _, _, err := b.List(t.Context(), pages.Query{Kind: schema.KindOf(schema.Customer), Size: 2, Token: token}); err == nil {
			t.Error("its token is good for the list of all")
		}
	}
	if len(got) != len(want) || rounds > 6 {
		t.Errorf("%d of %d records in %d rounds", len(got), len(want), rounds)
	}
	for name := range got {
		if !want[name] {
			t.Errorf("%s is the branch's own", name)
		}
	}
}
