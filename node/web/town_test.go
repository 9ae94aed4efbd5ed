package web_test

import (
	"time"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
	wirev1 "branchline/schema/gen/branchline/wire/v1"
)

// town is a small dealer group as branch pd sees it: enough for every page to have something to show.
type town struct {
	*rig
	now      time.Time
	chen     string // customer, own member of a group of two
	chenHQ   string // the other member, made at hg
	he       string // customer
	passat   string // vehicle with a long history
	gone     string // vehicle of another company's branch
	open     string // order in work
	foreign  string // order at hg
	refused  string // customer whose last edit HQ refused
	lineDone string
}

var s = proto.String

func plates(terms ...*branchlinev1.PlateTerm) []*branchlinev1.PlateTerm { return terms }

func newTown(r *rig) *town {
	w := &town{rig: r, now: at("2026-11-21", "10:40")}
	for code, name := range map[string]string{"sl": "申陆汽车", "wy": "吴越汽车"} {
		r.elsewhere(at("2023-01-05"), "hq", false, &branchlinev1.LegalEntity{Code: s(code), Name: s(name + "集团有限公司"), ShortName: s(name), TaxNumber: s("91310115MA1K4ABC7X")})
	}
	for _, b := range [][3]string{{"pd", "浦东店", "sl"}, {"hg", "虹桥店", "sl"}, {"sj", "松江店", "sl"}, {"sz", "苏州园区店", "wy"}} {
		r.elsewhere(at("2023-01-05"), "hq", false, &branchlinev1.Branch{Code: s(b[0]), Name: s(b[1]), Entity: s(b[2]), Address: s("上海市浦东新区沪南路 2000 号"), Phone: s("021-55500101")})
	}
	for code, name := range map[string]string{"zm": "周敏", "lq": "李强", "wf": "吴凡", "wl": "王莉", "boss": "顾卫国", "sale": "钱颖"} {
		r.elsewhere(at("2023-01-06"), "hg", false, &branchlinev1.Staff{Code: s(code), Name: s(name), Branches: []string{"pd"}})
	}

	// 陈建国: here and at 虹桥, seen together.
	w.chen = r.create(at("2023-04-12"), "zm", &branchlinev1.Customer{
		Type: branchlinev1.CustomerType_PERSON.Enum(), Name: s("陈建国"), Birthday: s("1974-06-08"), Remark: s("只喝热水；不要打座机"),
		Phones:    []*branchlinev1.Phone{{Number: s("13900002270"), Label: s("手机")}},
		Addresses: []*branchlinev1.Address{{Region: s("上海市"), City: s("上海市"), District: s("浦东新区"), Street: s("锦绣路 1888 弄 26 号 402 室")}},
	}).GetName()
	w.passat = r.create(at("2023-04-12", "10:10"), "zm", &branchlinev1.Vehicle{
		Vin: s("LSVUB25N5R2086531"), Brand: s("大众"), Model: s("帕萨特"), Variant: s("380TSI 豪华版"), ModelYear: proto.Int32(2024), Colour: s("黑"),
		RegisteredOn: s("2023-04-12"),
		Plates:       plates(&branchlinev1.PlateTerm{Plate: s("沪A52H17"), From: s("2023-04-12")}, &branchlinev1.PlateTerm{Plate: s("沪C88E1K"), From: s("2022-01-01"), To: s("2023-04-11")}),
	}).GetName()
	r.create(at("2023-04-12", "10:20"), "zm", &branchlinev1.Tie{Customer: s(w.chen[len("customers/"):]), Vehicle: s(w.passat[len("vehicles/"):]), Role: branchlinev1.TieRole_OWNER.Enum(), From: s("2023-04-12")})
	w.chenHQ = r.elsewhere(at("2024-01-20"), "hg", false, &branchlinev1.Customer{
		Type: branchlinev1.CustomerType_PERSON.Enum(), Name: s("陳建國"), Phones: []*branchlinev1.Phone{{Number: s("139 0000 2207"), Label: s("手机")}},
		ConsentMarketing: &branchlinev1.Consent{Given: proto.Bool(false), Day: s("2024-01-20"), Channel: s("签字")},
	})
	r.group(w.chen, w.chenHQ)
	r.create(at("2024-02-01"), "zm", &branchlinev1.Note{Customer: s(w.chen[len("customers/"):]), Text: s("打去：保险要到期，愿意听报价")})

	// Visits at three sites, the odometer wrong once, and work declined.
	w.visit(at("2024-09-30"), "sj", 17_870, "制动时方向抖", "前盘端跳 0.09 mm", "更换前制动盘、前片", "")
	w.visit(at("2025-08-12"), "hg", 22_430, "2 万公里保养", "", "机油机滤、空滤、火花塞", "后制动片剩 3 mm")
	w.visit(at("2026-02-18"), "sj", 199_105, "空调异味", "蒸发箱霉变", "清洗蒸发箱，换滤芯", "")
	w.foreign = w.visit(at("2026-08-14"), "hg", 30_910, "左前轮异响", "平衡杆连杆松旷", "更换左右平衡杆连杆", "变速箱油到期")

	// 何建华, whose remark 虹桥 overtook while this branch was cut off, and one edit that HQ refused.
	w.he = r.create(at("2025-03-02"), "wf", &branchlinev1.Customer{
		Name: s("何建华"), Phones: []*branchlinev1.Phone{{Number: s("13900006600"), Label: s("手机")}}, Remark: s("早上 9 点后可打"), PreferredChannel: s("电话"),
	}).GetName()
	r.update(at("2026-11-18", "17:00"), "wf", w.he, &branchlinev1.Customer{Remark: s("晚上 7 点后可打")}, "remark")
	r.overtakes(at("2026-11-20", "16:32"), "hg", w.he, "pd", &branchlinev1.Customer{Remark: s("只发短信"), PreferredChannel: s("短信")})
	r.outcome(w.he, &wirev1.Outcome{Kind: wirev1.OutcomeKind_OVERRIDDEN, Fields: []uint32{22}})
	w.refused = r.create(at("2026-11-19"), "zm", &branchlinev1.Customer{Name: s("苏州恒远物流有限公司"), Type: branchlinev1.CustomerType_COMPANY.Enum(), ContactName: s("王师傅"), Phones: []*branchlinev1.Phone{{Number: s("0512-66668888")}}}).GetName()
	r.update(at("2026-11-19", "11:00"), "zm", w.refused, &branchlinev1.Customer{ContactName: s("王大力")}, "contact_name")
	r.outcome(w.refused, &wirev1.Outcome{Kind: wirev1.OutcomeKind_REFUSED_CHANGE, Reason: "customer.contact_name has 101 characters, allowed are 0 to 100"})

	car := w.passat[len("vehicles/"):]
	r.clock.set(at("2026-11-21", "08:52"))
	o := r.create(at("2026-11-21", "08:52"), "zm", &branchlinev1.ServiceOrder{
		Vehicle: s(car), Customer: s(w.chen[len("customers/"):]), State: branchlinev1.OrderState_RECEIVED.Enum(), Plate: s("沪A52H17"), Vin: s("LSVUB25N5R2086531"),
		Model: s("大众 帕萨特"), OdometerKm: proto.Int64(36_982), Complaint: s("左前轮异响，过减速带更明显"), Adviser: s("zm"), Technician: s("lq"),
		PromisedAt: proto.Int64(at("2026-11-21", "10:15").UnixMilli()),
	})
	w.open = o.GetName()
	r.create(at("2026-11-21", "08:53"), "zm", &branchlinev1.OdometerReading{Vehicle: s(car), Km: proto.Int64(36_982), Order: s(id(o))})
	for i, l := range []*branchlinev1.ServiceLine{
		{
			Kind: branchlinev1.LineKind_LABOUR.Enum(), Item: s("拆装左前下摆臂、紧固"), BilledMinutes: proto.Int64(72), Amount: proto.Int64(21600), Payer: branchlinev1.Payer_PAYER_INTERNAL.Enum(),
			State: branchlinev1.LineState_LINE_DONE.Enum(), Cause: s("左前下摆臂固定螺栓力矩不足，衬套受损"), Correction: s("更换螺栓，重新紧固，四轮定位"), Technician: s("lq"),
		},
		{
			Kind: branchlinev1.LineKind_PART.Enum(), Item: s("摆臂螺栓"), PartCode: s("N 911 838 01"), PartQuantity: proto.Int64(3000), Amount: proto.Int64(20300), Payer: branchlinev1.Payer_PAYER_MAKER.Enum(),
			State: branchlinev1.LineState_LINE_APPROVED.Enum(),
		},
		{
			Kind: branchlinev1.LineKind_PART.Enum(), Item: s("后制动片"), PartQuantity: proto.Int64(1000), Amount: proto.Int64(52800), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(),
			State: branchlinev1.LineState_LINE_DECLINED.Enum(), Complaint: s("4 万公里保养"), DeclinedReason: s("下次再换"), ReviveOn: s("2027-02-20"),
		},
		{
			Kind: branchlinev1.LineKind_PART.Enum(), Item: s("左前轮速传感器"), PartQuantity: proto.Int64(1000), Amount: proto.Int64(36600), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(),
			State: branchlinev1.LineState_LINE_PROPOSED.Enum(), Complaint: s("ABS 灯偶尔亮"), Cause: s("传感器线束磨破"),
		},
	} {
		l.Order, l.Position, l.Currency = s(id(o)), proto.Int32(int32(i+1)), s("CNY")
		w.lineDone = r.create(at("2026-11-21", "09:0"+string(rune('0'+i))), "zm", l).GetName()
	}
	r.update(at("2026-11-21", "09:40"), "zm", w.open, &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_APPROVED.Enum()}, "state")
	r.update(at("2026-11-21", "09:58"), "lq", w.open, &branchlinev1.ServiceOrder{State: branchlinev1.OrderState_IN_WORK.Enum()}, "state")
	r.create(at("2026-11-21", "10:00"), "zm", &branchlinev1.ServiceOrder{
		State: branchlinev1.OrderState_WAITING_PARTS.Enum(), Plate: s("沪B6N905"), Model: s("本田 CR-V"), Complaint: s("换雨刮"), Customer: s(w.chen[len("customers/"):]),
	})

	// A car of another company's branch.
	w.gone = r.elsewhere(at("2026-05-05"), "sz", true, &branchlinev1.Vehicle{
		Vin: s("LVHRU1845J5018453"), Brand: s("本田"), Model: s("CR-V"), Plates: plates(&branchlinev1.PlateTerm{Plate: s("苏E5F7Q9"), From: s("2024-01-01")}),
	})
	r.elsewhere(at("2026-05-05", "11:00"), "sz", true, &branchlinev1.ServiceOrder{
		Branch: s("sz"), Vehicle: s(w.gone[len("vehicles/"):]), State: branchlinev1.OrderState_HANDED_OVER.Enum(), Day: s("2026-05-05"), Plate: s("苏E5F7Q9"), Model: s("本田 CR-V"),
		Fault: s("前减震漏油"), Work: s("更换前减震一对"), OdometerKm: proto.Int64(51_200), Complaint: s("秘密的主诉"), Number: s("SZ01-260505-0003-K"),
	})
	r.overtakes(at("2026-11-21", "10:31"), "hg", w.chenHQ, "hg", &branchlinev1.Customer{Emails: []string{"chen@example.cn"}})
	r.clock.set(w.now)
	r.line.set(true, w.now.Add(-14*time.Second))
	return w
}

// visit is an order of another branch of the same company, with its line and its odometer reading.
func (w *town) visit(when time.Time, branch string, km int64, complaint, cause, correction, declined string) string {
	car := w.passat[len("vehicles/"):]
	day := when.Format(time.DateOnly)
	o := w.elsewhere(when, branch, false, &branchlinev1.ServiceOrder{
		Branch: s(branch), Vehicle: s(car), Customer: s(w.chen[len("customers/"):]), State: branchlinev1.OrderState_HANDED_OVER.Enum(), Day: s(day), SettledOn: s(day),
		Plate: s("沪A52H17"), Model: s("大众 帕萨特"), OdometerKm: proto.Int64(km), Number: s("SH02b-" + when.Format("060102") + "-0017-4"),
	})
	order := s(o[len("serviceOrders/"):])
	w.elsewhere(when, branch, false, &branchlinev1.ServiceLine{
		Order: order, Position: proto.Int32(1), Kind: branchlinev1.LineKind_LABOUR.Enum(), State: branchlinev1.LineState_LINE_DONE.Enum(),
		Complaint: s(complaint), Cause: s(cause), Correction: s(correction), Amount: proto.Int64(96_800), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(), Currency: s("CNY"),
	})
	if declined != "" {
		w.elsewhere(when, branch, false, &branchlinev1.ServiceLine{
			Order: order, Position: proto.Int32(2), Kind: branchlinev1.LineKind_PART.Enum(), State: branchlinev1.LineState_LINE_DECLINED.Enum(),
			Item: s(declined), DeclinedReason: s("下次再换"), ReviveOn: s(when.AddDate(0, 3, 0).Format(time.DateOnly)), Branch: s(branch),
		})
	}
	w.elsewhere(when, branch, false, &branchlinev1.OdometerReading{Vehicle: s(car), Day: s(day), Km: proto.Int64(km), Branch: s(branch), Order: order})
	return o
}
