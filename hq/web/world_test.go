package web_test

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

func clone[M proto.Message](m M) M { return proto.Clone(m).(M) }

var names = map[string]string{
	"pd": "浦东店", "hqi": "虹桥店", "sj": "松江店", "nt": "南通店", "ks": "昆山店", "jd": "嘉定店", "sz": "苏州园区店",
}

func record(name, home string, body any) *branchlinev1.Record {
	r := &branchlinev1.Record{Name: name, Home: home, CreateTime: ms("2024-01-20", "09:00")}
	switch b := body.(type) {
	case *branchlinev1.Customer:
		r.Body = &branchlinev1.Record_Customer{Customer: b}
	case *branchlinev1.Vehicle:
		r.Body = &branchlinev1.Record_Vehicle{Vehicle: b}
	case *branchlinev1.Tie:
		r.Body = &branchlinev1.Record_Tie{Tie: b}
	case *branchlinev1.ServiceOrder:
		r.Body = &branchlinev1.Record_ServiceOrder{ServiceOrder: b}
	case *branchlinev1.ServiceLine:
		r.Body = &branchlinev1.Record_ServiceLine{ServiceLine: b}
	case *branchlinev1.OdometerReading:
		r.Body = &branchlinev1.Record_OdometerReading{OdometerReading: b}
	case *branchlinev1.Note:
		r.Body = &branchlinev1.Record_Note{Note: b}
	case *branchlinev1.Branch:
		r.Body = &branchlinev1.Record_Branch{Branch: b}
	case *branchlinev1.LegalEntity:
		r.Body = &branchlinev1.Record_LegalEntity{LegalEntity: b}
	case *branchlinev1.Staff:
		r.Body = &branchlinev1.Record_Staff{Staff: b}
	case *branchlinev1.Pin:
		r.Body = &branchlinev1.Record_Pin{Pin: b}
	case *branchlinev1.Setting:
		r.Body = &branchlinev1.Record_Setting{Setting: b}
	case *branchlinev1.MatchDecision:
		r.Body = &branchlinev1.Record_MatchDecision{MatchDecision: b}
	default:
		panic(fmt.Sprintf("no body %T", body))
	}
	return r
}

func phones(numbers ...string) []*branchlinev1.Phone {
	var out []*branchlinev1.Phone
	for _, n := range numbers {
		out = append(out, &branchlinev1.Phone{Number: new(n), Label: new("手机")})
	}
	return out
}

var (
	chen  = "customers/" + id(1) // known at two branches
	chen2 = "customers/" + id(2)
	car   = "vehicles/" + id(10)
	bare  = "vehicles/" + id(11) // hardly anything known
	order = "serviceOrders/" + id(20)
)

// world is a group of seven branches, of which three need somebody.
func world() *fake {
	f := &fake{golden: map[string]*branchlinev1.Record{}}
	f.records = []*branchlinev1.Record{
		record("legalEntities/"+id(90), "hq", &branchlinev1.LegalEntity{Code: new("sl"), Name: new("申陆汽车销售服务有限公司"), ShortName: new("申陆上海")}),
		record("legalEntities/"+id(91), "hq", &branchlinev1.LegalEntity{Code: new("js"), Name: new("申陆江苏")}),
		record("staff/"+id(92), "pd", &branchlinev1.Staff{Code: new("zm"), Name: new("周敏")}),
		record("staff/"+id(93), "hq", &branchlinev1.Staff{Code: new("zl"), Name: new("郑岚")}),
	}
	for i, code := range []string{"pd", "hqi", "sj", "nt", "ks", "jd", "sz"} {
		f.records = append(f.records, record("branches/"+id(80+i), "hq", &branchlinev1.Branch{Code: new(code), Name: new(names[code]), Entity: new("sl")}))
	}
	f.people()
	f.twins()
	f.cars()
	f.fleetOf()
	f.aside = []*branchlinev1.QuarantineItem{
		{Change: "pd/2s0b9p1q7z3k/41", Kind: "customer", Record: chen, Outcome: "QUARANTINED", Reason: "the record's home is elsewhere, as far as headquarters knows", At: ms("2026-11-21", "09:12")},
		{Change: "pd/2s0b9p1q7z3k/44", Kind: "customer", Record: chen, Outcome: "WAITS", WaitsFor: 41, Reason: "waits for change 41", At: ms("2026-11-21", "09:20")},
		{Change: "sj/1hq7x0c4m2d8/7", Outcome: "QUARANTINED", Reason: "it cannot be read: proto: cannot parse invalid wire-format data", At: ms("2026-11-20", "17:01")},
		{Change: "ks/0z9y8x7w6v5u/9", Kind: "staff", Outcome: "REFUSED_CHANGE", Reason: "not allowed: a branch cannot give the role hq-steward; HQ gives it", At: ms("2026-11-18", "08:30")},
	}
	return f
}

func (f *fake) people() {
	one := record(chen, "pd", &branchlinev1.Customer{
		Name: new("陈建国"), Type: branchlinev1.CustomerType_PERSON.Enum(), Phones: phones("13900002207"), Birthday: new("1974-06-08"),
	})
	two := record(chen2, "hqi", &branchlinev1.Customer{Name: new("陳建國"), Phones: phones("13900002207")})
	one.Group, two.Group = []string{chen, chen2}, []string{chen, chen2}
	g := record(chen, "pd", &branchlinev1.Customer{
		Name: new("陈建国"), Type: branchlinev1.CustomerType_PERSON.Enum(), Phones: phones("13900002207", "02155500142"), Birthday: new("1974-06-08"),
		Addresses:        []*branchlinev1.Address{{Region: new("上海市"), City: new("上海市"), District: new("浦东新区"), Street: new("锦绣路 1888 弄 26 号 402 室")}},
		ConsentMarketing: &branchlinev1.Consent{Day: new("2024-09-30")}, Remark: new("只喝热水；不要打座机"),
		SourceIds: []*branchlinev1.SourceId{{Source: new("dms"), Id: new("C-10042")}},
	})
	g.Group = one.GetGroup()
	g.Where = &branchlinev1.Where{State: branchlinev1.WhereState_DELIVERED, Outcome: branchlinev1.ChangeOutcome_CHANGE_APPLIED, Delivered: []string{"pd", "hqi"}}
	src := func(field string, index int32, branch, actor, from string, at int64, lost ...*branchlinev1.LostValue) {
		g.Sources = append(g.Sources, &branchlinev1.FieldSource{
			Field: field, Index: index, Branch: branch, Actor: actor, Record: from, At: at, Change: branch + "/2s0b9p1q7z3k/5", Lost: lost,
		})
	}
	src("name", -1, "pd", "zm", chen, ms("2023-04-12", "09:00"), &branchlinev1.LostValue{Json: `"陳建國"`, Branch: "hqi", At: ms("2022-03-02", "10:00")})
	src("type", -1, "pd", "zm", chen, ms("2023-04-12", "09:00"))
	src("phones", 0, "hqi", "", chen2, ms("2026-11-21", "10:31"))
	src("phones", 1, "pd", "zm", chen, ms("2023-04-12", "09:00"))
	src("birthday", -1, "pd", "zm", chen, ms("2023-04-12", "09:00"))
	src("addresses", 0, "sj", "lh", chen2, ms("2026-11-20", "16:32"), &branchlinev1.LostValue{
		Json: `{"district":"浦东新区","street":"锦绣路 1888 弄 62 号 402 室"}`, Branch: "pd", At: ms("2026-11-18", "11:00"),
	})
	src("consent_marketing", -1, "pd", "zm", chen, ms("2024-09-30", "15:00"))
	src("remark", -1, "pd", "zm", chen, ms("2026-11-21", "10:38"))
	src("source_ids", 0, "pd", "", chen, ms("2023-04-12", "09:00"))
	f.golden[chen], f.golden[chen2] = g, g
	f.records = append(f.records, one, two,
		record("customers/"+id(3), "nt", &branchlinev1.Customer{Phones: phones("13800001111"), RetiredAt: new(ms("2026-05-05", "12:00"))}),
		record("notes/"+id(60), "hqi", &branchlinev1.Note{Customer: new(id(2)), Day: new("2026-11-21"), Text: new("打来：换了手机尾号"), Author: new("zm"), Branch: new("hqi")}),
		record("notes/"+id(61), "pd", &branchlinev1.Note{Vehicle: new(id(10)), Day: new("2026-11-20"), Text: new("左前轮胎磨得偏"), Branch: new("pd")}),
	)
}

func (f *fake) cars() {
	v := &branchlinev1.Vehicle{
		Vin: new("LSVUB25N5R2086531"), Brand: new("大众"), Model: new("途观L 380TSI"), ModelYear: new(int32(2024)), Energy: new("汽油"),
		Plates:       []*branchlinev1.PlateTerm{{Plate: new("沪C12345"), To: new("2025-01-10")}, {Plate: new("沪A8K362"), From: new("2025-01-10")}},
		RegisteredOn: new("2025-01-10"), Warranties: []*branchlinev1.Warranty{{Name: new("整车"), From: new("2025-01-10"), Months: new(int32(36)), Km: new(int64(100000))}},
	}
	r := record(car, "pd", v)
	r.Sources = []*branchlinev1.FieldSource{
		{Field: "vin", Index: -1, Branch: "pd", Actor: "zm", Record: car, At: ms("2025-01-10", "09:00")},
		{Field: "plates", Index: 1, Branch: "sj", Record: car, At: ms("2025-02-10", "09:00")},
	}
	f.records = append(f.records, r, record(bare, "sj", &branchlinev1.Vehicle{Remark: new("拖车送来")}),
		record("ties/"+id(30), "pd", &branchlinev1.Tie{Customer: new(id(1)), Vehicle: new(id(10)), Role: branchlinev1.TieRole_OWNER.Enum(), From: new("2025-01-10")}),
		record("ties/"+id(31), "hqi", &branchlinev1.Tie{Customer: new(id(2)), Vehicle: new(id(10)), Role: branchlinev1.TieRole_SENDER.Enum()}),
		record("ties/"+id(32), "sj", &branchlinev1.Tie{Customer: new(id(1)), Vehicle: new(id(11)), Role: branchlinev1.TieRole_OWNER.Enum(), To: new("2024-03-01")}),
		record("ties/"+id(33), "sj", &branchlinev1.Tie{Customer: new(id(1)), Vehicle: new(id(12)), Role: branchlinev1.TieRole_DRIVER.Enum()}), // its car has not come yet
	)
	for i, x := range []struct {
		day, branch, complaint, cause, item string
		km                                  int64
		state                               branchlinev1.OrderState
	}{
		{"2026-11-21", "pd", "左前轮异响，过减速带更明显", "", "四轮定位", 36982, branchlinev1.OrderState_IN_WORK},
		{"2026-11-03", "hqi", "左前轮异响", "下摆臂衬套开裂", "更换左前下摆臂总成", 36405, branchlinev1.OrderState_HANDED_OVER},
		{"2026-08-14", "hqi", "左前轮异响", "平衡杆连杆松旷", "更换左右平衡杆连杆", 30910, branchlinev1.OrderState_HANDED_OVER},
		{"2026-04-03", "sj", "2 万公里保养", "", "机油机滤、空滤、火花塞", 22430, branchlinev1.OrderState_SETTLED},
		{"2026-02-18", "sj", "空调异味", "蒸发箱霉变", "清洗蒸发箱，换滤芯", 199105, branchlinev1.OrderState_HANDED_OVER},
		{"2025-12-06", "ks", "", "", "", 17870, branchlinev1.OrderState_CANCELLED},
	} {
		n := 20 + i
		o := &branchlinev1.ServiceOrder{
			Number: new(fmt.Sprintf("SH01a-%s-00%d-K", x.day[2:4]+x.day[5:7]+x.day[8:], n)), Branch: new(x.branch), Customer: new(id(1 + i%2)), Vehicle: new(id(10)),
			Day: new(x.day), State: x.state.Enum(), OdometerKm: new(x.km), Plate: new("沪A8K362"),
		}
		if x.complaint != "" {
			o.Complaint = new(x.complaint)
		}
		f.records = append(f.records, record("serviceOrders/"+id(n), x.branch, o),
			record("odometerReadings/"+id(40+i), x.branch, &branchlinev1.OdometerReading{
				Vehicle: new(id(10)), Day: new(x.day), Km: new(x.km), Order: new(id(n)), Branch: new(x.branch),
			}))
		if x.item == "" {
			continue
		}
		f.records = append(f.records, record("serviceLines/"+id(100+i), x.branch, &branchlinev1.ServiceLine{
			Order: new(id(n)), Kind: branchlinev1.LineKind_LABOUR.Enum(), State: branchlinev1.LineState_LINE_DONE.Enum(), Cause: new(x.cause),
			Item: new(x.item), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Amount: new(int64(128000)),
			System: new("chassis"), Guaranteed: new(x.complaint == "左前轮异响"), FaultCode: new("C1011"),
		}), record("serviceLines/"+id(110+i), x.branch, &branchlinev1.ServiceLine{
			Order: new(id(n)), Kind: branchlinev1.LineKind_PART.Enum(), State: branchlinev1.LineState_LINE_APPROVED.Enum(), Item: new("配件"),
			PartName: new("螺栓"), PartQuantity: new(int64(3000)), Payer: branchlinev1.Payer_PAYER_INSURER.Enum(), Amount: new(int64(4500)),
		}))
	}
	f.records = append(f.records, record("serviceLines/"+id(120), "sj", &branchlinev1.ServiceLine{
		Order: new(id(23)), Kind: branchlinev1.LineKind_LABOUR.Enum(), State: branchlinev1.LineState_LINE_DECLINED.Enum(), Item: new("后制动片剩 3 mm"),
		DeclinedReason: new("下次再换"), ReviveOn: new("2026-10-01"), Amount: new(int64(99900)),
	}))
}

func (f *fake) fleetOf() {
	heard := ms("2026-11-21", "10:40")
	b := func(code string, leaves int32, heard, mark, confirmed, pending, aside int64, state string, alarms ...string) *branchlinev1.BranchStatus {
		return &branchlinev1.BranchStatus{
			Code: code, Name: names[code], Entity: "sl", Leaves: leaves, LastHeard: heard, Watermark: mark, ConfirmedRev: confirmed, Rev: 48213,
			Quarantined: aside, State: state, Alarms: alarms, Pending: pending,
		}
	}
	f.branches = &branchlinev1.ListBranchesResponse{Now: heard, Branches: []*branchlinev1.BranchStatus{
		b("pd", 1, heard, 8123, 48213, 0, 2, "enrolled"),
		b("hqi", 1, heard, 7990, 48190, 0, 0, "enrolled"),
		b("sj", 0, ms("2026-11-21", "09:58"), 5120, 47991, 43, 1, "enrolled"),
		b("nt", 0, ms("2026-11-18", "17:55"), 2210, 40021, 0, 0, "enrolled"),
		b("ks", 1, ms("2026-11-19", "09:14"), 3301, 48010, 14, 1, "enrolled", "clone: two machines answer as this branch: boot 1a2b and boot 3c4d", "disk: the branch's disk is nearly full"),
		b("jd", 1, heard, 910, 42000, 0, 0, "enrolled"),
		b("sz", 0, 0, 0, 0, 0, 0, "invited"),
		{Code: "old", Name: "老店", Entity: "js", State: "retired", LastHeard: ms("2024-01-01", "08:00")},
	}}
}

// report counts nothing: it gives figures of the asked shape.
func (f *fake) report(req *branchlinev1.ReportRequest) *branchlinev1.ReportResponse {
	out := &branchlinev1.ReportResponse{Report: req.GetReport(), Currency: "CNY", AsOf: now().UnixMilli()}
	for _, b := range f.branches.GetBranches() {
		if b.GetState() == "retired" || b.GetState() == "invited" {
			continue
		}
		out.Heard = append(out.Heard, &branchlinev1.HeardBranch{
			Branch: b.GetCode(), Name: b.GetName(), LastHeard: b.GetLastHeard(), Silent: now().UnixMilli()-b.GetLastHeard() > 24*3600*1000,
		})
	}
	col := func(key, typ string) {
		out.Values = append(out.Values, &branchlinev1.ReportColumn{Key: key, Title: key, Type: typ})
	}
	say := func(keys ...string) {
		for _, k := range keys {
			out.Sentences = append(out.Sentences, &branchlinev1.ReportSentence{Key: k, Args: []string{"2026-11-21", "2025-11-21", "2025-12-01"}})
		}
	}
	var values func(i int64) []int64
	switch req.GetReport() {
	case "orders":
		col("orders", "count")
		col("revenue", "money")
		col("average_ticket", "money")
		say("report.formula.orders.orders", "report.formula.orders.revenue", "report.formula.orders.average_ticket", "report.note.orders.payer")
		values = func(i int64) []int64 {
			n := 412 - 23*i%271
			return []int64{n, n * 112_937, 112_937}
		}
	case "customers":
		col("active", "count")
		col("new", "count")
		say("report.formula.customers.active", "report.formula.customers.new")
		values = func(i int64) []int64 { return []int64{3120 + 41*i, 98 + 7*i%31} }
	default:
		col("cohort", "count")
		col("kept", "count")
		col("retention", "ratio")
		say("report.formula.retention.cohort", "report.formula.retention.kept", "report.formula.retention.retention", "report.note.retention.sites")
		values = func(i int64) []int64 { return []int64{900 + i, 512 - 37*i, 5689 - 411*i%3000} }
	}
	dims := map[string][]string{
		"branch": {"hqi", "jd", "ks", "nt", "pd", "sj"},
		"model":  {"", "=cmd|'/c calc'!A0", "途观L"},
		"payer":  {"", "PAYER_CUSTOMER", "PAYER_INSURER"},
	}
	for m := 0; m < 12; m++ {
		dims["month"] = append(dims["month"], fmt.Sprintf("%d-%02d", 2025+(11+m)/12, (11+m)%12+1))
	}
	rows := [][]string{nil}
	for _, by := range req.GetBy() {
		out.Keys = append(out.Keys, &branchlinev1.ReportColumn{Key: by, Title: by, Type: "text"})
		var next [][]string
		for _, r := range rows {
			for _, v := range dims[by] {
				next = append(next, append(slices.Clone(r), v))
			}
		}
		rows = next
	}
	for i, keys := range rows {
		out.Rows = append(out.Rows, &branchlinev1.ReportRow{Keys: keys, Values: values(int64(i))})
	}
	if req.GetTo() == "2001-01-31" {
		out.Rows = nil
	}
	out.Total = &branchlinev1.ReportRow{Values: []int64{2403, 271_300_000, 112_900}}
	switch req.GetReport() {
	case "customers":
		out.Total.Values = []int64{3571, 1203}
	case "retention":
		out.Total.Values = []int64{5403, 3107, 5751}
	}
	return out
}
