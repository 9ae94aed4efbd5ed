package town

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"branchline/schema"
	branchlinev1 "branchline/schema/gen/branchline/v1"
)

// How far back the counter's own records go: the demo is to be ready soon, and what a branch looks at is recent.
const (
	counterDays = 45
	checkDays   = 14
)

// Counter are the edits of one branch at its counter, to be written behind Edits: packages, cards and their uses,
// the cars in the house and appointments of today and tomorrow, walks round the cars, settlements, payments and closed days, fapiaos, claims,
// talks and insurance. Keys and references are as those of Edits.
func (t *Town) Counter(branch int) iter.Seq[Edit] {
	return func(yield func(Edit) bool) {
		w := counterWriter{t: t, branch: branch, site: t.sites[branch], yield: yield, ok: true, till: map[string]map[branchlinev1.PayMethod]int64{}}
		w.packages()
		recent := w.recent()
		for _, n := range recent {
			w.visit(n)
		}
		w.today(recent)
		w.appointments(recent)
		w.cards(recent)
		w.insurance(recent)
		w.closes()
	}
}

// Settings are the figures of the house, which headquarters gives.
func (t *Town) Settings() []*branchlinev1.Setting {
	from := fmt.Sprintf("%d-01-01", t.cfg.Today.Year())
	var out []*branchlinev1.Setting
	for _, s := range [][3]string{
		{"discount_limit/adviser", "bp=500", "顾问自己能让 5%"},
		{"discount_limit/clerk", "bp=100", "前台只能抹零"},
		{"member/金卡", "labour=1000 part=500", "工时九折，配件九五折"},
		{"member/银卡", "labour=500 part=0", "工时九五折"},
		{"repair_guarantee", "days=100 km=20000", "维修质保，先到为准"},
	} {
		out = append(out, &branchlinev1.Setting{Name: proto.String(s[0]), Value: proto.String(s[1]), From: &from, Remark: proto.String(s[2])})
	}
	return out
}

// counterWriter spells out one branch's counter. ok ends when whoever takes the edits has enough.
type counterWriter struct {
	t      *Town
	branch int
	site   site
	yield  func(Edit) bool
	ok     bool
	n      int
	till   map[string]map[branchlinev1.PayMethod]int64 // by day: what came in
}

func (w *counterWriter) put(k schema.Kind, at time.Time, by member, m proto.Message, refs map[string]string) string {
	w.n++
	name := key("counter", w.n, w.branch)
	if w.ok {
		w.ok = w.yield(Edit{Kind: k, Key: name, Message: m, Refs: refs, At: at, Actor: by.code})
	}
	return name
}

func (w *counterWriter) one(d dice, r branchlinev1.Role) member { return w.t.oneOf(d, w.branch, r) }

// recent are the branch's visits of late, the oldest first.
func (w *counterWriter) recent() []int {
	from := w.t.cfg.Today.AddDate(0, 0, -counterDays)
	var out []int
	for n, v := range w.t.visits {
		if v.branch == w.branch && v.at.After(from) {
			out = append(out, n)
		}
	}
	return out
}

// tied are the keys a record names: the order of a visit, its car and whose it is.
func (w *counterWriter) tied(n int, fields ...string) map[string]string {
	v := w.t.visits[n]
	all := map[string]string{
		"order": key("order", n, w.branch), "vehicle": key("vehicle", v.car, w.branch), "customer": key("customer", w.t.cars[v.car].owner, w.branch),
	}
	out := map[string]string{}
	for _, f := range fields {
		out[f] = all[f]
	}
	return out
}

var packs = []struct {
	code, name string
	km         int64
	months     int32
	price      int64
	lines      []job
	uses       int32
}{
	{"TC-XBY", "小保养套餐", 10_000, 6, 498_00, serviceJobs[:2], 0},
	{"TC-DBY", "大保养套餐", 20_000, 12, 1_088_00, serviceJobs[:4], 0},
	{"TC-ZD", "制动养护套餐", 40_000, 24, 388_00, serviceJobs[6:7], 0},
	{"TC-KT", "空调清洁套餐", 0, 12, 268_00, serviceJobs[3:4], 0},
	{"CK-XC10", "洗车卡 10 次", 0, 0, 300_00, nil, 10},
	{"CK-BY5", "机油保养卡 5 次", 0, 0, 1_980_00, serviceJobs[:2], 5},
}

// packages are the company's: its first branch keeps them.
func (w *counterWriter) packages() {
	if slices.IndexFunc(w.t.sites, func(s site) bool { return s.entity == w.site.entity }) != w.branch {
		return
	}
	d := w.t.dice("packages", w.branch)
	for _, p := range packs {
		m := &branchlinev1.Package{
			Code: proto.String(p.code), Name: proto.String(p.name), Branch: proto.String(w.site.code), Price: proto.Int64(p.price), Currency: proto.String("CNY"),
			ValidFrom: proto.String(fmt.Sprintf("%d-01-01", w.t.cfg.Today.Year())),
		}
		if p.km > 0 {
			m.EveryKm, m.EveryMonths = proto.Int64(p.km), proto.Int32(p.months)
		}
		if p.uses > 0 {
			m.CardUses, m.CardMonths = proto.Int32(p.uses), proto.Int32(24)
		}
		for _, j := range p.lines {
			m.Lines = append(m.Lines, &branchlinev1.PackageLine{
				Position: proto.Int32(int32(len(m.GetLines())) + 1), Kind: branchlinev1.LineKind_LABOUR.Enum(), Item: proto.String(j.work), LabourCode: proto.String(j.code),
				BilledMinutes: proto.Int64(j.minutes), Amount: proto.Int64(j.minutes * 400), TaxRate: proto.Int32(1300),
			})
			if j.part != "" {
				m.Lines = append(m.Lines, &branchlinev1.PackageLine{
					Position: proto.Int32(int32(len(m.GetLines())) + 1), Kind: branchlinev1.LineKind_PART.Enum(), Item: proto.String(j.part), PartName: proto.String(j.part),
					PartCode: proto.String(j.partCode), PartQuantity: proto.Int64(j.quantity), Amount: proto.Int64(j.price), TaxRate: proto.Int32(1300),
				})
			}
		}
		w.put(schema.Package, w.t.cfg.Today, w.one(d, branchlinev1.Role_ROLE_BRANCH_MANAGER), m, nil)
	}
}

// visit writes what one order brought about.
func (w *counterWriter) visit(n int) {
	v, d := w.t.visits[n], w.t.dice("counter", n)
	s := w.t.spell(n)
	adviser := s.adviser
	if w.t.cfg.Today.Sub(v.at) < checkDays*24*time.Hour && d.chance(0.8) {
		w.check(d, n, s)
	}
	owner := &w.t.people[w.t.cars[v.car].owner]
	sums := map[branchlinev1.Payer]int64{}
	for _, l := range s.lines {
		if l.GetState() != branchlinev1.LineState_LINE_DECLINED {
			sums[l.GetPayer()] += l.GetAmount()
		}
	}
	if s.order.GetSettledOn() != "" {
		w.settle(d, n, s, sums)
	}
	for _, p := range []branchlinev1.Payer{branchlinev1.Payer_PAYER_INSURER, branchlinev1.Payer_PAYER_MAKER} {
		if sums[p] > 0 {
			w.claim(d, n, s, p)
		}
	}
	if d.chance(0.3) {
		m := &branchlinev1.Contact{
			Branch: proto.String(w.site.code), Day: proto.String(dayOf(v.at)), At: proto.Int64(v.at.Add(time.Hour).UnixMilli()), By: proto.String(adviser.code),
			Channel: branchlinev1.ContactChannel_CHANNEL_PHONE.Enum(), Direction: branchlinev1.Direction_DIRECTION_OUT.Enum(), Phone: proto.String(owner.mobile),
		}
		talk := pickOf(d, talks)
		m.Subject, m.Text, m.Outcome = proto.String(talk.subject), proto.String(talk.text), talk.outcome.Enum()
		if talk.next != "" {
			m.NextStep, m.NextOn = proto.String(talk.next), proto.String(dayOf(v.at.AddDate(0, 0, d.between(1, 20))))
		}
		w.put(schema.Contact, v.at, adviser, m, w.tied(n, "customer", "vehicle", "order"))
	}
}

var talks = []struct {
	subject, text, next string
	outcome             branchlinev1.ContactOutcome
}{
	{"报价", "电话里说了报价，客户同意今天做", "", branchlinev1.ContactOutcome_CONTACT_AGREED},
	{"增项", "告知制动片磨损，客户说先不换", "保养前再提醒一次", branchlinev1.ContactOutcome_CONTACT_REFUSED},
	{"交车时间", "配件晚到，改到明天下午交车，客户同意", "到件后打电话", branchlinev1.ContactOutcome_CONTACT_AGREED},
	{"取车提醒", "车已洗好，请客户来取", "", branchlinev1.ContactOutcome_CONTACT_REACHED},
	{"回访", "没人接，稍后再打", "再打一次", branchlinev1.ContactOutcome_CONTACT_NOT_REACHED},
	{"续保", "商业险快到期，客户要比价", "发三家报价", branchlinev1.ContactOutcome_CONTACT_CALL_BACK},
}

var (
	dents   = [][2]string{{"bumper_front", "scratch"}, {"door_fl", "dent"}, {"fender_fr", "scratch"}, {"wheel_rl", "scratch"}, {"bumper_rear", "crack"}, {"hood", "chip"}, {"mirror_r", "broken"}}
	lookers = []string{"tyre_fl", "brake_pads_front", "brake_fluid", "wipers", "battery", "air_filter"}
	inside  = []string{"行车记录仪一台", "儿童座椅一个，墨镜一副", "后备箱有工具箱", "手套箱有证件"}
)

// check is the walk round the car.
func (w *counterWriter) check(d dice, n int, s spelled) {
	v := w.t.visits[n]
	m := &branchlinev1.Inspection{
		Branch: proto.String(w.site.code), Day: proto.String(dayOf(v.at)), DoneAt: proto.Int64(v.at.Add(8 * time.Minute).UnixMilli()),
		Inspector: proto.String(s.adviser.code), OdometerKm: proto.Int64(s.order.GetOdometerKm()), OldPartsWanted: proto.Bool(d.chance(0.2)), WashWanted: proto.Bool(d.chance(0.6)),
	}
	if designs[w.t.cars[v.car].design].energy == "纯电" {
		m.ChargePercent = proto.Int32(int32(d.between(8, 96)))
	} else {
		m.FuelEighths = proto.Int32(int32(d.between(1, 8)))
	}
	for _, i := range d.Perm(len(dents))[:d.IntN(3)] {
		// Without a place: the sketch puts the mark in the middle of its panel.
		m.Damages = append(m.Damages, &branchlinev1.Damage{Part: proto.String(dents[i][0]), What: proto.String(dents[i][1])})
	}
	for _, i := range d.Perm(len(lookers))[:3] {
		f := branchlinev1.Finding(d.between(1, 3))
		m.Points = append(m.Points, &branchlinev1.CheckPoint{Item: proto.String(lookers[i]), Finding: f.Enum()})
	}
	if d.chance(0.15) {
		m.WarningLamps = []string{d.pick([]string{"engine", "tyre", "service"})}
	}
	if d.chance(0.3) {
		m.Valuables = proto.String(d.pick(inside))
	} else {
		m.NoValuables = proto.Bool(true)
	}
	if d.chance(0.8) {
		p := &w.t.people[w.t.cars[v.car].owner]
		name := p.contact
		if name == "" {
			name = p.name
		}
		m.SignedBy, m.SignedAt = proto.String(name), proto.Int64(v.at.Add(10*time.Minute).UnixMilli())
	}
	w.put(schema.Inspection, v.at, s.adviser, m, w.tied(n, "order", "vehicle"))
}

// settle settles each payer, and takes what was paid.
func (w *counterWriter) settle(d dice, n int, s spelled, sums map[branchlinev1.Payer]int64) {
	day := s.order.GetSettledOn()
	at := time.UnixMilli(s.order.GetStates()[len(s.order.GetStates())-1].GetAt())
	clerk := w.one(d, branchlinev1.Role_ROLE_CLERK)
	owner := &w.t.people[w.t.cars[w.t.visits[n].car].owner]
	for p := branchlinev1.Payer_PAYER_CUSTOMER; p <= branchlinev1.Payer_PAYER_GOODWILL; p++ {
		sum := sums[p]
		if sum == 0 {
			continue
		}
		m := &branchlinev1.Settlement{
			Branch: proto.String(w.site.code), Day: &day, At: proto.Int64(at.UnixMilli()), Payer: p.Enum(), LinesAmount: proto.Int64(sum), Amount: proto.Int64(sum),
			Currency: proto.String("CNY"), By: proto.String(clerk.code),
		}
		if customer := p == branchlinev1.Payer_PAYER_CUSTOMER; customer && sum%100 > 0 {
			m.Rounding = proto.Int64(sum % 100)
			m.Amount = proto.Int64(sum - sum%100)
		}
		m.TaxAmount = proto.Int64(halfEven(m.GetAmount()*13, 113))
		settled := w.put(schema.Settlement, at, clerk, m, w.tied(n, "order", "customer"))
		if p == branchlinev1.Payer_PAYER_CUSTOMER && m.GetAmount() > 0 {
			w.pay(d, n, at, day, clerk, owner, m.GetAmount(), settled)
		}
	}
}

func (w *counterWriter) pay(d dice, n int, at time.Time, day string, clerk member, owner *person, amount int64, settled string) {
	take := func(method branchlinev1.PayMethod, purpose branchlinev1.PayPurpose, amount int64, reason string) {
		m := &branchlinev1.Payment{
			Branch: proto.String(w.site.code), Day: &day, At: proto.Int64(at.UnixMilli()), Method: method.Enum(), Purpose: purpose.Enum(), Payer: branchlinev1.Payer_PAYER_CUSTOMER.Enum(),
			Amount: proto.Int64(amount), Currency: proto.String("CNY"), Cashier: proto.String(clerk.code),
		}
		if reason != "" {
			m.Reason = &reason
		}
		if method != branchlinev1.PayMethod_METHOD_CASH && method != branchlinev1.PayMethod_METHOD_ON_ACCOUNT {
			m.Reference = proto.String(fmt.Sprintf("42%014d", d.Int64N(1e14)))
		}
		refs := w.tied(n, "order", "customer")
		refs["settlement"] = settled
		w.put(schema.Payment, at, clerk, m, refs)
		if w.till[day] == nil {
			w.till[day] = map[branchlinev1.PayMethod]int64{}
		}
		w.till[day][method] += amount
	}
	methods := []branchlinev1.PayMethod{
		branchlinev1.PayMethod_METHOD_WECHAT, branchlinev1.PayMethod_METHOD_WECHAT, branchlinev1.PayMethod_METHOD_WECHAT, branchlinev1.PayMethod_METHOD_ALIPAY,
		branchlinev1.PayMethod_METHOD_ALIPAY, branchlinev1.PayMethod_METHOD_BANK_CARD, branchlinev1.PayMethod_METHOD_CASH, branchlinev1.PayMethod_METHOD_CASH,
	}
	switch {
	case owner.company && d.chance(0.5):
		take(branchlinev1.PayMethod_METHOD_ON_ACCOUNT, branchlinev1.PayPurpose_PURPOSE_SETTLEMENT, amount, "")
	case owner.company:
		take(branchlinev1.PayMethod_METHOD_TRANSFER, branchlinev1.PayPurpose_PURPOSE_SETTLEMENT, amount, "")
	case amount > 2_000_00 && d.chance(0.4):
		take(pickOf(d, methods), branchlinev1.PayPurpose_PURPOSE_DEPOSIT, 500_00, "")
		take(pickOf(d, methods), branchlinev1.PayPurpose_PURPOSE_SETTLEMENT, amount-500_00, "")
	default:
		take(pickOf(d, methods), branchlinev1.PayPurpose_PURPOSE_SETTLEMENT, amount, "")
		if d.chance(0.02) {
			back := min(amount, 50_00)
			take(branchlinev1.PayMethod_METHOD_CASH, branchlinev1.PayPurpose_PURPOSE_REFUND, -back, "客户对等待时间不满，退让一部分")
		}
	}
	if !d.chance(0.4) {
		return
	}
	f := &branchlinev1.Fapiao{
		Branch: proto.String(w.site.code), Day: &day, Title: proto.String(owner.name), Kind: branchlinev1.FapiaoKind_FAPIAO_ORDINARY.Enum(), State: branchlinev1.FapiaoState_FAPIAO_WANTED.Enum(),
		Amount: proto.Int64(amount), TaxAmount: proto.Int64(halfEven(amount*13, 113)), Currency: proto.String("CNY"), Phone: proto.String(owner.mobile),
	}
	if owner.company {
		f.Kind = branchlinev1.FapiaoKind_FAPIAO_SPECIAL.Enum()
		f.TaxNumber = proto.String(fmt.Sprintf("9131%014d", d.Int64N(1e14)))
	}
	if d.chance(0.8) {
		f.State, f.Number = branchlinev1.FapiaoState_FAPIAO_ISSUED.Enum(), proto.String(fmt.Sprintf("26312%015d", d.Int64N(1e15)))
		if d.chance(0.05) {
			f.State, f.RedOn, f.RedReason = branchlinev1.FapiaoState_FAPIAO_RED.Enum(), &day, proto.String("抬头开错")
		}
	}
	refs := w.tied(n, "order", "customer")
	refs["settlement"] = settled
	w.put(schema.Fapiao, at, clerk, f, refs)
}

var insurers = []string{"人保财险", "平安产险", "太平洋产险", "国寿财险", "大地保险"}

// claim asks an insurer or the maker; how far it has got its age tells.
func (w *counterWriter) claim(d dice, n int, s spelled, p branchlinev1.Payer) {
	v := w.t.visits[n]
	days := int(w.t.cfg.Today.Sub(v.at).Hours() / 24)
	m := &branchlinev1.Claim{
		Branch: proto.String(w.site.code), Day: proto.String(dayOf(v.at)), Currency: proto.String("CNY"), Number: proto.String(fmt.Sprintf("BA%d%08d", v.at.Year(), d.IntN(1e8))),
		Party: branchlinev1.ClaimParty_CLAIM_ON_INSURER.Enum(), Firm: proto.String(d.pick(insurers)),
	}
	if p == branchlinev1.Payer_PAYER_MAKER {
		m.Party, m.Firm, m.OperationCode = branchlinev1.ClaimParty_CLAIM_ON_MAKER.Enum(), proto.String("远驰汽车"), proto.String(s.lines[0].GetLabourCode())
		m.OldPartKeptUntil = proto.String(dayOf(v.at.AddDate(0, 3, 0)))
	} else {
		m.Surveyor, m.SurveyorPhone, m.DirectPayment = proto.String(w.t.name(d, false)), proto.String(mobile(d)), proto.Bool(true)
		m.AccidentOn, m.Liability = proto.String(dayOf(v.at.AddDate(0, 0, -d.IntN(3)))), proto.String("全责")
	}
	path := []branchlinev1.ClaimState{branchlinev1.ClaimState_CLAIM_DRAFT}
	switch {
	case days >= 3 && d.chance(0.08):
		path = append(path, branchlinev1.ClaimState_CLAIM_SENT, branchlinev1.ClaimState_CLAIM_REFUSED)
		m.RefusedReason = proto.String("超出承保范围")
	case days >= 25:
		path = append(path, branchlinev1.ClaimState_CLAIM_SENT, branchlinev1.ClaimState_CLAIM_APPROVED, branchlinev1.ClaimState_CLAIM_PAID)
	case days >= 8:
		path = append(path, branchlinev1.ClaimState_CLAIM_SENT, branchlinev1.ClaimState_CLAIM_APPROVED)
	case days >= 2:
		path = append(path, branchlinev1.ClaimState_CLAIM_SENT)
	}
	for i, state := range path {
		m.State = state.Enum()
		m.States = append(m.States, &branchlinev1.ClaimChange{State: state.Enum(), At: proto.Int64(v.at.AddDate(0, 0, i*i).UnixMilli()), By: proto.String(s.adviser.code)})
	}
	assessed := m.GetState() == branchlinev1.ClaimState_CLAIM_APPROVED || m.GetState() == branchlinev1.ClaimState_CLAIM_PAID
	var asked, got int64
	for i, l := range s.lines {
		if l.GetPayer() != p || l.GetState() == branchlinev1.LineState_LINE_DECLINED {
			continue
		}
		x := &branchlinev1.ClaimLine{Item: l.Item, Asked: proto.Int64(l.GetAmount()), Supplement: proto.Bool(i > 2)}
		asked += l.GetAmount()
		if assessed {
			x.Assessed = proto.Int64(l.GetAmount() * int64(d.between(88, 100)) / 100)
			got += x.GetAssessed()
		}
		m.Lines = append(m.Lines, x)
	}
	m.Asked = proto.Int64(asked)
	if assessed {
		m.Assessed = proto.Int64(got)
	}
	w.put(schema.Claim, v.at, s.adviser, m, w.tied(n, "order", "customer", "vehicle"))
}
