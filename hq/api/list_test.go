package api_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
	"branchline/schema/page"
	"branchline/schema/serve"
)

// group is a headquarters with one legal entity and two branches.
func group(t *testing.T) (g *rig, boss *serve.Client, pd, mh *branch) {
	t.Helper()
	g = newRig(t)
	boss = g.as(admin)
	must(boss.Headquarters.AddEntity(t.Context(), &branchlinev1.AddEntityRequest{Code: "e1", Name: "One"}))(t)
	return g, boss, g.newBranch(boss, "pd", "e1"), g.newBranch(boss, "mh", "e1")
}

func TestList_pagesOver20000RowsShowEachOnce(t *testing.T) {
	g, boss, pd, mh := group(t)
	const n = 20000
	for i := range n {
		b := pd
		if i%4 == 0 {
			b = mh
		}
		b.write(g.id(), &branchlinev1.ServiceOrder{
			Number: proto.String(fmt.Sprintf("N%06d", (i*7919)%n)), Day: proto.String(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, (i*31)%700).Format(time.DateOnly)),
			State: branchlinev1.OrderState(1 + i%13).Enum(), Branch: proto.String(string(b.code)),
		})
		if i%2000 == 1999 {
			g.pass(time.Second)
		}
	}
	pd.send()
	mh.send()
	written := g.clock()
	k := schema.KindOf(schema.ServiceOrder)
	for _, by := range page.Orders(k) {
		g.pass(time.Minute) // one account may not list as fast as a test
		req := &branchlinev1.ListRecordsRequest{Collection: "serviceOrders", PageSize: 1000, OrderBy: by}
		seen := map[string]bool{}
		var last *branchlinev1.Record
		pages := 0
		for {
			p := must(boss.Records.ListRecords(t.Context(), req))(t)
			pages++
			for _, r := range p.GetRecords() {
				if seen[r.GetName()] {
					t.Fatalf("%s: %s twice", by, r.GetName())
				}
				seen[r.GetName()] = true
				if last != nil && !rises(by, last, r) {
					t.Fatalf("%s: %v before %v", by, last, r)
				}
				last = r
			}
			if req.PageToken = p.GetNextPageToken(); req.PageToken == "" {
				break
			}
			if pages == 3 && by == "create_time" { // what comes meanwhile disturbs nothing
				pd.write(g.id(), &branchlinev1.ServiceOrder{Number: proto.String("later")})
				pd.send()
			}
		}
		want := n
		if by == "create_time desc" {
			want++ // the one that came meanwhile
		}
		if len(seen) < want || pages != (len(seen)+999)/1000 {
			t.Errorf("%s: %d records on %d pages", by, len(seen), pages)
		}
	}
	// The token is bound to the filter and the order.
	p := must(boss.Records.ListRecords(t.Context(), &branchlinev1.ListRecordsRequest{Collection: "serviceOrders", PageSize: 10}))(t)
	_, err := boss.Records.ListRecords(t.Context(), &branchlinev1.ListRecordsRequest{Collection: "serviceOrders", PageToken: p.GetNextPageToken(), Branch: "pd"})
	wantsField(t, "a token of another list", err, "page_token")

	count := func(req *branchlinev1.ListRecordsRequest) int {
		req.Collection, req.PageSize = "serviceOrders", 1000
		total := 0
		for {
			p := must(boss.Records.ListRecords(t.Context(), req))(t)
			total += len(p.GetRecords())
			if req.PageToken = p.GetNextPageToken(); req.PageToken == "" {
				return total
			}
		}
	}
	if got := count(&branchlinev1.ListRecordsRequest{Branch: "mh"}); got != n/4 {
		t.Errorf("orders of mh: %d", got)
	}
	settled := 0
	for i := range n {
		if 1+i%13 == int(branchlinev1.OrderState_SETTLED) {
			settled++
		}
	}
	if got := count(&branchlinev1.ListRecordsRequest{State: "settled"}); got != settled {
		t.Errorf("settled orders: %d, want %d", got, settled)
	}
	in := 0
	for i := range n {
		if d := (i * 31) % 700; d >= 31 && d <= 59 {
			in++
		}
	}
	if got := count(&branchlinev1.ListRecordsRequest{DayFrom: "2024-02-01", DayTo: "2024-02-29", OrderBy: "day"}); got != in {
		t.Errorf("orders of a month: %d, want %d", got, in)
	}
	if got := count(&branchlinev1.ListRecordsRequest{UpdatedAfter: written.Add(-1500 * time.Millisecond).UnixMilli()}); got == 0 || got >= n {
		t.Errorf("orders updated lately: %d", got)
	}
}

func rises(by string, a, b *branchlinev1.Record) bool {
	x, y := a.GetServiceOrder(), b.GetServiceOrder()
	switch by {
	case "update_time":
		return a.GetUpdateTime() <= b.GetUpdateTime()
	case "update_time desc":
		return a.GetUpdateTime() >= b.GetUpdateTime()
	case "create_time":
		return a.GetName() < b.GetName()
	case "create_time desc":
		return a.GetName() > b.GetName()
	case "number":
		return x.GetNumber() <= y.GetNumber()
	case "number desc":
		return x.GetNumber() >= y.GetNumber()
	case "day":
		return x.GetDay() <= y.GetDay()
	case "day desc":
		return x.GetDay() >= y.GetDay()
	}
	return false
}

func TestList_whatIsTiedToAnyMemberOfAGroupFits(t *testing.T) {
	g, boss, pd, mh := group(t)
	phone := []*branchlinev1.Phone{{Number: proto.String("13800001234")}}
	a, b, alone := g.id(), g.id(), g.id()
	pd.write(a, &branchlinev1.Customer{Name: proto.String("王小明"), Phones: phone})
	mh.write(b, &branchlinev1.Customer{Name: proto.String("王小明"), Phones: phone, Remark: proto.String("from mh")})
	mh.write(alone, &branchlinev1.Customer{Name: proto.String("李四")})
	oa, ob, retired := g.id(), g.id(), g.id()
	pd.write(oa, &branchlinev1.ServiceOrder{Customer: proto.String(a.String())})
	mh.write(ob, &branchlinev1.ServiceOrder{Customer: proto.String(b.String())})
	mh.write(retired, &branchlinev1.ServiceOrder{Customer: proto.String(b.String()), RetiredAt: proto.Int64(1)})
	mh.write(g.id(), &branchlinev1.ServiceOrder{Customer: proto.String(alone.String())})
	pd.send()
	mh.send()
	golden := must(boss.Records.GetRecord(t.Context(), &branchlinev1.GetRecordRequest{Name: schema.ResourceName(schema.Customer, a), Golden: true}))(t)
	if len(golden.GetGroup()) != 2 || golden.GetCustomer().GetRemark() != "from mh" || golden.GetEtag() != "" {
		t.Fatalf("golden %v", golden)
	}
	for _, s := range golden.GetSources() {
		if s.GetField() == "remark" && s.GetRecord() != schema.ResourceName(schema.Customer, b) {
			t.Errorf("the remark is said to be from %s", s.GetRecord())
		}
	}
	list := func(retiredOnes bool) []string {
		var out []string
		for _, r := range must(boss.Records.ListRecords(t.Context(), &branchlinev1.ListRecordsRequest{
			Collection: "serviceOrders", Customer: schema.ResourceName(schema.Customer, b), Retired: retiredOnes, OrderBy: "create_time",
		}))(t).GetRecords() {
			out = append(out, r.GetName())
		}
		return out
	}
	if got, want := list(false), []string{schema.ResourceName(schema.ServiceOrder, oa), schema.ResourceName(schema.ServiceOrder, ob)}; !slices.Equal(got, want) {
		t.Errorf("orders of the customer: %v, want %v", got, want)
	}
	if got := list(true); len(got) != 1 || got[0] != schema.ResourceName(schema.ServiceOrder, retired) {
		t.Errorf("retired orders of the customer: %v", got)
	}
	for what, req := range map[string]*branchlinev1.ListRecordsRequest{
		"collection": {Collection: "unicorns"},
		"order_by":   {Collection: "customers", OrderBy: "day"},
		"state":      {Collection: "serviceOrders", State: "HAPPY"},
		"day_from":   {Collection: "serviceOrders", DayFrom: "yesterday"},
		"branch":     {Collection: "customers", Branch: "zz"},
		"vehicle":    {Collection: "serviceOrders", Vehicle: schema.ResourceName(schema.Customer, a)},
		"customer":   {Collection: "vehicles", Customer: schema.ResourceName(schema.Customer, a)},
	} {
		_, err := boss.Records.ListRecords(t.Context(), req)
		wantsField(t, what, err, what)
	}
}

func TestSearch_findsWhatACounterTypesAndTellsNobodyMoreThanTheySee(t *testing.T) {
	g, boss, pd, mh := group(t)
	cust, car, order := g.id(), g.id(), g.id()
	made := pd.write(cust, &branchlinev1.Customer{
		Name: proto.String("单小明"), Phones: []*branchlinev1.Phone{{Number: proto.String("138 0000 1234")}}, Emails: []string{"ming@example.com"},
	})
	pd.write(car, &branchlinev1.Vehicle{Vin: proto.String("WAUZZZ8K1DA006278"), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A12345")}}, Model: proto.String("A4")})
	mh.write(order, &branchlinev1.ServiceOrder{Number: proto.String("SH01a-261121-0042-K"), Complaint: proto.String("rattles")})
	pd.send()
	mh.send()
	find := func(c *serve.Client, q string) (out []string) {
		t.Helper()
		for _, h := range must(c.Records.Search(t.Context(), &branchlinev1.SearchRequest{Query: q}))(t).GetHits() {
			out = append(out, h.GetRecord().GetName()+" "+h.GetMatched())
		}
		return out
	}
	c, v, o := schema.ResourceName(schema.Customer, cust), schema.ResourceName(schema.Vehicle, car), schema.ResourceName(schema.ServiceOrder, order)
	for q, want := range map[string]string{
		"单小明": c + " name", "小明": c + " name", "單小明": c + " name", "shanxiaoming": c + " name", "sxm": c + " name",
		"1234": c + " phone", "13800001234": c + " phone", "沪A12345": v + " plate", "12345": v + " plate", "006278": v + " vin",
		"SH01a-261121-0042-K": o + " number", "0042K": o + " number", "ming@example.com": c + " text",
	} {
		if got := find(boss, q); len(got) == 0 || got[0] != want {
			t.Errorf("%q finds %v, want %s", q, got, want)
		}
	}
	if h := must(boss.Records.Search(t.Context(), &branchlinev1.SearchRequest{Query: "沪A12345", Collections: []string{"vehicles"}}))(t).GetHits(); len(h) != 1 || h[0].GetTitle() != "沪A12345" || h[0].GetSubtitle() != "A4 …DA006278" {
		t.Errorf("hits %v", h)
	}
	// What a role does not see it does not find by.
	if got := find(g.as(auditor), "13800001234"); len(got) != 0 {
		t.Errorf("an auditor finds %v by a phone they may not see", got)
	}
	if got := find(g.as(auditor), "ming@example.com"); len(got) != 0 {
		t.Errorf("an auditor finds %v by an address", got)
	}
	if got := find(g.as(auditor), "单小明"); len(got) != 1 {
		t.Errorf("an auditor finds %v by name", got)
	}
	for _, q := range []string{"单小明", "13800001234", "rattles"} {
		if got := find(g.as(analyst), q); len(got) != 0 {
			t.Errorf("an analyst finds %v by %q", got, q)
		}
	}
	_, err := g.as(analyst).Records.Search(t.Context(), &branchlinev1.SearchRequest{Query: "x", Collections: []string{"customers"}})
	wants(t, "an analyst searches customers", err, schema.ErrForbidden)
	// The old name is forgotten with the edit, and retired records come last.
	pd.write(cust, &branchlinev1.Customer{Name: proto.String("赵六")}, made)
	pd.send()
	if got := find(boss, "单小明"); len(got) != 0 {
		t.Errorf("the old name still finds %v", got)
	}
	if got := find(boss, "赵六"); len(got) != 1 {
		t.Errorf("the new name finds %v", got)
	}
	must(boss.Sites.Repair(t.Context(), &branchlinev1.Empty{}))(t)
	if got := find(boss, "zhaoliu"); len(got) != 1 {
		t.Errorf("after making the index anew: %v", got)
	}
}

func TestSearch_listsOneCustomerOnce(t *testing.T) {
	g, boss, pd, mh := group(t)
	a, b := g.id(), g.id()
	phones := []*branchlinev1.Phone{{Number: proto.String("138 0000 1234")}}
	pd.write(a, &branchlinev1.Customer{Name: proto.String("单小明"), Phones: phones, Emails: []string{"ming@example.com"}})
	mh.write(b, &branchlinev1.Customer{Name: proto.String("單小明"), Phones: phones})
	pd.send()
	mh.send()
	if err := g.gold.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	res := must(boss.Records.Search(t.Context(), &branchlinev1.SearchRequest{Query: "13800001234", Limit: 1}))(t)
	want := []string{schema.ResourceName(schema.Customer, a), schema.ResourceName(schema.Customer, b)}
	if h := res.GetHits(); len(h) != 1 || res.GetMore() || !slices.Equal(h[0].GetRecord().GetGroup(), want) || len(h[0].GetRecord().GetCustomer().GetEmails()) != 1 {
		t.Errorf("hits %v, more %v", res.GetHits(), res.GetMore())
	}
}

// A value that a steward chose is found although nobody registered it, as long as it is pinned.
func TestSearch_findsWhatIsPinned(t *testing.T) {
	g, boss, pd, mh := group(t)
	a, b, other := g.id(), g.id(), g.id()
	phones := []*branchlinev1.Phone{{Number: proto.String("138 0000 1234")}}
	pd.write(a, &branchlinev1.Customer{Name: proto.String("单小明"), Phones: phones})
	mh.write(b, &branchlinev1.Customer{Name: proto.String("單小明"), Phones: phones})
	pd.write(other, &branchlinev1.Customer{Name: proto.String("欧阳修")})
	pd.send()
	mh.send()
	if err := g.gold.Catch(t.Context()); err != nil {
		t.Fatal(err)
	}
	find := func(q string) (out []string) {
		for _, h := range must(boss.Records.Search(t.Context(), &branchlinev1.SearchRequest{Query: q}))(t).GetHits() {
			out = append(out, h.GetTitle()+" by "+h.GetMatched())
		}
		return out
	}
	for _, q := range []string{"诸葛孔明", "kongming"} {
		if got := find(q); len(got) != 0 {
			t.Fatalf("%s before it is pinned: %v", q, got)
		}
	}
	pin := must(boss.Records.CreateRecord(t.Context(), &branchlinev1.CreateRecordRequest{Record: record(t, &branchlinev1.Pin{
		Customer: proto.String(a.String()), Field: proto.String("name"), Value: &branchlinev1.Customer{Name: proto.String("诸葛孔明")},
	})}))(t)
	for _, q := range []string{"诸葛孔明", "kongming", "诸葛孔"} {
		if got := find(q); !slices.Equal(got, []string{"诸葛孔明 by name"}) {
			t.Errorf("%s finds %v", q, got)
		}
	}
	if got := find("单小明"); !slices.Equal(got, []string{"诸葛孔明 by name"}) { // once, though it is pinned and registered
		t.Errorf("what was registered finds %v", got)
	}
	must(boss.Records.UpdateRecord(t.Context(), &branchlinev1.UpdateRecordRequest{Record: &branchlinev1.Record{
		Name: pin.GetName(), Etag: pin.GetEtag(), Body: &branchlinev1.Record_Pin{Pin: &branchlinev1.Pin{RetiredAt: proto.Int64(1_700_000_000_000)}},
	}, UpdateMask: []string{"retired_at"}}))(t)
	if got := find("诸葛孔明"); len(got) != 0 {
		t.Errorf("found after it was taken out: %v", got)
	}
}

func TestHistory_tellsACarsLifeAtAllSites(t *testing.T) {
	g, boss, pd, mh := group(t)
	a, b := g.id(), g.id() // one car, known at each branch by its own record
	vin := "WAUZZZ8K1DA006278"
	pd.write(a, &branchlinev1.Vehicle{Vin: proto.String(vin), Plates: []*branchlinev1.PlateTerm{{Plate: proto.String("沪A12345")}}})
	mh.write(b, &branchlinev1.Vehicle{Vin: proto.String(vin)})
	o1, o2 := g.id(), g.id()
	pd.write(o1, &branchlinev1.ServiceOrder{Vehicle: proto.String(a.String()), Day: proto.String("2025-03-01"), OdometerKm: proto.Int64(19000), Branch: proto.String("pd")})
	mh.write(o2, &branchlinev1.ServiceOrder{Vehicle: proto.String(b.String()), Day: proto.String("2026-03-01"), OdometerKm: proto.Int64(31000), Branch: proto.String("mh")})
	for i := range 3 {
		pd.write(g.id(), &branchlinev1.ServiceLine{Order: proto.String(o1.String()), Position: proto.Int32(int32(3 - i)), Item: proto.String(fmt.Sprint("line ", 3-i))})
	}
	slip := g.id()
	pd.write(slip, &branchlinev1.OdometerReading{Vehicle: proto.String(a.String()), Day: proto.String("2025-09-01"), Km: proto.Int64(250000)})
	mh.write(g.id(), &branchlinev1.OdometerReading{Vehicle: proto.String(b.String()), Day: proto.String("2024-09-01"), Km: proto.Int64(9000)})
	pd.send()
	mh.send()
	for what, req := range map[string]*branchlinev1.VehicleHistoryRequest{
		"by VIN": {Vin: "wauzzz8k1da006278"}, "by plate": {Plate: "沪a·12345"}, "by record": {Vehicle: schema.ResourceName(schema.Vehicle, b)},
	} {
		h, err := boss.Records.VehicleHistory(t.Context(), req)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if len(h.GetVehicles()) != 2 || len(h.GetVisits()) != 2 || len(h.GetReadings()) != 2 || !h.GetAskedHq() {
			t.Fatalf("%s: %v", what, h)
		}
		if h.GetVisits()[0].GetBranchName() != "Branch mh" || h.GetVisits()[1].GetBranchName() != "Branch pd" {
			t.Errorf("%s: visits %v", what, h.GetVisits())
		}
		if ls := h.GetVisits()[1].GetLines(); len(ls) != 3 || ls[0].GetServiceLine().GetItem() != "line 1" || ls[2].GetServiceLine().GetItem() != "line 3" {
			t.Errorf("%s: lines %v", what, ls)
		}
		if d := h.GetDoubtfulReadings(); len(d) != 1 || d[0] != schema.ResourceName(schema.OdometerReading, slip) {
			t.Errorf("%s: doubtful %v", what, d)
		}
		if h.GetReadings()[0].GetOdometerReading().GetKm() != 9000 {
			t.Errorf("%s: readings %v", what, h.GetReadings())
		}
	}
	_, err := boss.Records.VehicleHistory(t.Context(), &branchlinev1.VehicleHistoryRequest{Vin: "WAUZZZ8K1DA000000"})
	wants(t, "a car nobody knows", err, schema.ErrNotFound)
	_, err = boss.Records.VehicleHistory(t.Context(), &branchlinev1.VehicleHistoryRequest{})
	wants(t, "no car named", err, schema.ErrInvalid)
}
