package town

import (
	"time"

	"google.golang.org/protobuf/proto"

	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// A job is what can be done to a car: its work and the part it takes.
type job struct {
	work, code string
	minutes    int64
	part       string // "" for work alone
	partCode   string
	quantity   int64 // thousandths
	price      int64 // of the part in all, minor units
	electric   int   // -1 not for electric cars, 1 only for them
}

var serviceJobs = []job{
	{"更换机油及机滤", "W001", 30, "全合成机油 5W-30 4L", "P0530", 4000, 358_00, -1},
	{"更换机油滤清器", "W002", 12, "机油滤清器", "P1102", 1000, 46_00, -1},
	{"更换空气滤清器", "W003", 12, "空气滤清器", "P1110", 1000, 88_00, -1},
	{"更换空调滤芯", "W004", 12, "活性炭空调滤芯", "P1120", 1000, 126_00, 0},
	{"全车 36 项检查", "W005", 30, "", "", 0, 0, 0},
	{"四轮换位及动平衡", "W006", 48, "平衡块", "P2101", 8000, 24_00, 0},
	{"更换制动液", "W007", 42, "制动液 DOT4 1L", "P2210", 1000, 98_00, 0},
	{"更换火花塞", "W008", 54, "铱金火花塞", "P1301", 4000, 392_00, -1},
	{"更换变速箱油", "W009", 90, "自动变速箱油 ATF", "P1402", 6000, 888_00, -1},
	{"更换冷却液", "W010", 48, "长效冷却液", "P1510", 5000, 210_00, 0},
	{"三电系统检测", "W011", 36, "", "", 0, 0, 1},
	{"更换减速器齿轮油", "W012", 48, "减速器齿轮油", "P1610", 2000, 260_00, 1},
	{"高压线束绝缘检测", "W013", 30, "", "", 0, 0, 1},
}

type fault struct {
	complaint, cause, correction, code string
	job                                job
}

var faults = []fault{
	{"刹车时前轮有异响", "前制动片磨损到极限", "更换前制动片，路试正常", "B101", job{"更换前制动片", "R101", 72, "前制动片", "P2201", 1000, 468_00, 0}},
	{"冷车启动困难", "蓄电池电量不足，老化", "更换蓄电池，检查充电电压正常", "E201", job{"更换蓄电池", "R102", 24, "12V 蓄电池", "P3101", 1000, 728_00, 0}},
	{"空调不制冷", "制冷剂泄漏，冷凝器接头渗漏", "更换密封圈，抽真空加注制冷剂", "C301", job{"检修空调系统", "R103", 96, "制冷剂 R134a", "P4101", 600, 180_00, 0}},
	{"过减速带底盘咯吱响", "前稳定杆胶套老化", "更换稳定杆胶套", "S401", job{"更换稳定杆胶套", "R104", 60, "稳定杆胶套", "P5101", 2000, 136_00, 0}},
	{"仪表发动机故障灯亮", "前氧传感器信号失效", "更换氧传感器并清除故障码", "E202", job{"更换前氧传感器", "R105", 48, "前氧传感器", "P1701", 1000, 596_00, -1}},
	{"方向盘向左跑偏", "前束值超差", "四轮定位调整到标准值", "S402", job{"四轮定位", "R106", 60, "", "", 0, 0, 0}},
	{"雨刮刮不干净", "雨刮胶条老化", "更换雨刮片", "B102", job{"更换雨刮片", "R107", 12, "无骨雨刮片", "P6101", 2000, 158_00, 0}},
	{"右后胎漏气", "胎面扎钉", "补胎，动平衡", "T501", job{"补胎", "R108", 30, "补胎胶片", "P7101", 1000, 20_00, 0}},
	{"倒车影像黑屏", "摄像头线束接触不良", "重新固定插头，升级车机软件", "U601", job{"检修倒车影像", "R109", 54, "", "", 0, 0, 0}},
	{"发动机怠速抖动", "节气门积碳", "清洗节气门并做自适应", "E203", job{"清洗节气门", "R110", 48, "节气门清洗剂", "P8101", 1000, 68_00, -1}},
	{"充电到 80% 就停止", "电池管理系统软件版本过低", "升级 BMS 软件，校准电量", "H701", job{"升级电池管理软件", "R111", 60, "", "", 0, 0, 1}},
	{"快充时提示充电故障", "充电口温度传感器失效", "更换充电口总成", "H702", job{"更换充电口总成", "R112", 120, "直流充电口总成", "P9101", 1000, 1680_00, 1}},
	{"车窗升降卡滞", "升降器导轨缺润滑", "更换左前升降器", "B103", job{"更换车窗升降器", "R113", 66, "左前玻璃升降器", "P6201", 1000, 412_00, 0}},
	{"变速箱换挡有顿挫", "变速箱油脏", "更换变速箱油并重置学习值", "G801", job{"更换变速箱油", "R114", 102, "自动变速箱油 ATF", "P1402", 6000, 888_00, -1}},
	{"高速行驶方向盘发抖", "前轮动平衡失准", "四轮动平衡", "T502", job{"四轮动平衡", "R115", 48, "平衡块", "P2101", 6000, 18_00, 0}},
	{"水温偏高", "电子水泵工作不良", "更换电子水泵，排空气", "E204", job{"更换电子水泵", "R116", 108, "电子水泵", "P1520", 1000, 1260_00, 0}},
}

var bodyJobs = []job{
	{"前保险杠喷漆", "D001", 180, "双组份漆料", "PA101", 1000, 260_00, 0},
	{"更换前保险杠", "D002", 90, "前保险杠蒙皮", "PA201", 1000, 980_00, 0},
	{"左前翼子板钣金", "D003", 150, "", "", 0, 0, 0},
	{"左前翼子板喷漆", "D004", 150, "双组份漆料", "PA101", 1000, 220_00, 0},
	{"更换右前大灯", "D005", 60, "右前 LED 大灯总成", "PA301", 1000, 2350_00, 0},
	{"更换右后视镜", "D006", 36, "右后视镜总成", "PA302", 1000, 620_00, 0},
	{"后车门凹陷修复", "D007", 120, "", "", 0, 0, 0},
}

var upsells = []fault{
	{"", "前轮胎花纹深度不足 2 mm", "", "", job{"更换前轮胎两条", "U001", 60, "轮胎 225/55 R18", "P7201", 2000, 1580_00, 0}},
	{"", "后制动片剩余 3 mm", "", "", job{"更换后制动片", "U002", 66, "后制动片", "P2202", 1000, 398_00, 0}},
	{"", "蒸发箱有异味", "", "", job{"清洗空调蒸发箱", "U003", 48, "蒸发箱清洗剂", "P8201", 1000, 168_00, 0}},
	{"", "雨刮片老化", "", "", job{"更换雨刮片", "U004", 12, "无骨雨刮片", "P6101", 2000, 158_00, 0}},
	{"", "蓄电池健康度 61%", "", "", job{"更换蓄电池", "U005", 24, "12V 蓄电池", "P3101", 1000, 728_00, 0}},
}

var (
	refusals        = []string{"价格偏高", "下次保养再做", "客户自行更换", "先观察一段时间", "准备换车"}
	serviceRequests = []string{"到期保养", "首次保养", "保养，检查刹车", "保养，顺便检查胎压", "长途前检查保养"}
	bodyRequests    = []string{"追尾事故，前部受损", "停车刮擦，要求修复", "右侧擦碰护栏", "保险事故维修"}
	notes           = []string{"客户希望周末取车", "车内有儿童座椅，请勿移动", "客户对等待时间不满，已致歉", "请提前电话联系，不方便接微信", "下次提醒做四轮定位", "客户介绍朋友到店", "要求保留旧件"}
)

// lines spell out a visit's work. There are exactly v.lines of them.
func (t *Town) lines(d dice, v visit, o *branchlinev1.ServiceOrder, adviser, technician string, state branchlinev1.LineState) []*branchlinev1.ServiceLine {
	c := &t.cars[v.car]
	m := designs[c.design]
	w := lineWriter{
		d: d, at: v.at, rate: int64(m.hour) * 100, left: v.lines, branch: t.sites[v.branch].code, adviser: adviser, technician: technician,
		payer: branchlinev1.Payer_PAYER_CUSTOMER, state: state,
	}
	fits := func(j job) bool { return j.electric == 0 || (j.electric > 0) == (m.energy == "纯电") }
	switch v.cause {
	case causeService:
		o.Complaint = proto.String(d.pick(serviceRequests))
		o.Work = proto.String("定期保养")
		from := d.IntN(3)
		for i := range serviceJobs {
			if j := serviceJobs[i]; fits(j) && (i < 2 || (i+from)%3 == 0) {
				w.job(fault{job: j})
			}
		}
	case causeRepair:
		f := pickOf(d, faults)
		for !fits(f.job) {
			f = pickOf(d, faults)
		}
		o.Complaint, o.Fault, o.Work = proto.String(f.complaint), proto.String(f.cause), proto.String(f.correction)
		if f.job.part != "" {
			o.Parts = proto.String(f.job.part)
		}
		if age := v.at.Sub(c.sold).Hours() / 24; age < 3*365 && c.soldHere && d.chance(0.7) {
			w.payer = branchlinev1.Payer_PAYER_MAKER
		} else if d.chance(0.03) {
			w.payer = branchlinev1.Payer_PAYER_GOODWILL
		}
		w.job(f)
		w.payer = branchlinev1.Payer_PAYER_CUSTOMER
	case causeBody:
		o.Complaint = proto.String(d.pick(bodyRequests))
		o.Work = proto.String("钣金喷漆")
		if d.chance(0.75) {
			w.payer = branchlinev1.Payer_PAYER_INSURER
		}
		for _, i := range d.Perm(len(bodyJobs))[:3] {
			w.job(fault{job: bodyJobs[i]})
		}
		w.payer = branchlinev1.Payer_PAYER_CUSTOMER
	}
	for w.left > 0 {
		w.offer(pickOf(d, upsells))
	}
	return w.out
}

type lineWriter struct {
	d                           dice
	at                          time.Time
	rate                        int64 // minor units an hour
	left                        int
	branch, adviser, technician string
	payer                       branchlinev1.Payer
	state                       branchlinev1.LineState
	out                         []*branchlinev1.ServiceLine
}

// job writes the labour's line and the part's, as far as lines are left.
func (w *lineWriter) job(f fault) {
	if w.left > 0 {
		w.labour(f)
	}
	if w.left > 0 && f.job.part != "" {
		l := w.line(branchlinev1.LineKind_PART)
		l.Item, l.PartName, l.PartCode = proto.String(f.job.part), proto.String(f.job.part), proto.String(f.job.partCode)
		l.PartQuantity, l.Amount = proto.Int64(f.job.quantity), proto.Int64(f.job.price)
	}
}

func (w *lineWriter) labour(f fault) *branchlinev1.ServiceLine {
	l := w.line(branchlinev1.LineKind_LABOUR)
	l.Item, l.LabourCode = proto.String(f.job.work), proto.String(f.job.code)
	l.BilledMinutes = proto.Int64(f.job.minutes)
	l.ClockedMinutes = proto.Int64(f.job.minutes * int64(80+w.d.IntN(60)) / 100)
	l.Amount = proto.Int64(halfEven(f.job.minutes*w.rate, 60))
	l.Technician = proto.String(w.technician)
	if f.cause != "" {
		l.Cause = proto.String(f.cause)
	}
	if f.complaint != "" {
		l.Complaint, l.Correction, l.FaultCode = proto.String(f.complaint), proto.String(f.correction), proto.String(f.code)
	}
	return l
}

// offer is more work found on the car: done, or declined with a reason and a day to ask again.
func (w *lineWriter) offer(f fault) {
	if w.d.chance(0.45) {
		w.job(f)
		return
	}
	l := w.labour(f)
	l.State = branchlinev1.LineState_LINE_DECLINED.Enum()
	l.Amount = proto.Int64(l.GetAmount() + f.job.price)
	l.ClockedMinutes = nil
	l.DeclinedReason = proto.String(w.d.pick(refusals))
	l.ReviveOn = proto.String(dayOf(w.at.AddDate(0, 1+w.d.IntN(5), 0)))
}

func (w *lineWriter) line(kind branchlinev1.LineKind) *branchlinev1.ServiceLine {
	l := &branchlinev1.ServiceLine{
		Position: proto.Int32(int32(len(w.out)) + 1), Kind: kind.Enum(), State: w.state.Enum(), Payer: w.payer.Enum(),
		TaxRate: proto.Int32(1300), Branch: proto.String(w.branch), Adviser: proto.String(w.adviser),
	}
	w.out = append(w.out, l)
	w.left--
	return l
}

// halfEven divides amounts of money that are not below zero.
func halfEven(n, by int64) int64 {
	q, r := n/by, n%by
	if 2*r > by || 2*r == by && q%2 == 1 {
		q++
	}
	return q
}
